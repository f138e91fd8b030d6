/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rework: a unit comes back: the same board and SN, a new key and certificate, blank again.
 *
 * First every certificate that the site knows of it goes onto the deny-list (factory/ca.h), then
 * the new image is made, read back and parsed, and custody gets "rework": what an identity entry
 * says, with old_leaf and new_leaf. Killed in between, the unit has no identity that counts, and
 * another rework finishes it. What it wrote (devices/SN) goes. Its state is "identified" again: it
 * is tested and labelled anew. A proof of possession stays what it was, where the old image can be
 * read.
 */
#ifndef CRADLE_FACTORY_REWORK_H
#define CRADLE_FACTORY_REWORK_H

#include "factory/identity.h"

typedef struct {
    factory_identity_t identity; /* onto a chip; key kept; writer */
    const char *product_key; /* file of the product CA's key, which signs the deny-list, where it
                                is not in the site; NULL: keys/product.key */
    bool deny_later; /* that key is not here: the old chain is left in factory/units/SN/old.crt for
                        `cradle ca deny`, and the unit is not safe until then */
} factory_rework_t;

/* ERR_PRECONDITION: no such unit, scrapped, running, or the product CA's key is not here. */
bool factory_rework(factory_station_t *station, const factory_rework_t *how, const char *sn,
                    factory_unit_t *unit, err_t *err);

#endif

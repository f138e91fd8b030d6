/* SPDX-License-Identifier: Apache-2.0 */
/* internal: what custody says of every board and unit, in memory and kept up to date. */
#ifndef CRADLE_FACTORY_LEDGER_H
#define CRADLE_FACTORY_LEDGER_H

#include "custody/custody.h"
#include "factory/station.h"

typedef struct {
    factory_item_t *item;
    size_t count, room;
    uint32_t *by_mac, *by_sn; /* hash tables of `slots`: index + 1 of an item, 0 free */
    size_t slots;
    custody_place_t place;
    factory_cause_t cause[FACTORY_CAUSES_MAX]; /* the last one takes what finds no room */
    size_t cause_count;
    bool out_of_memory;
} factory_ledger_t;

/* All zeros is an empty one. */
void factory_ledger_free(factory_ledger_t *ledger);

/* Reads what custody got since the last call. */
bool factory_ledger_refresh(factory_ledger_t *ledger, custody_t *custody, err_t *err);

/* NULL: not known. Valid until the next refresh. */
const factory_item_t *factory_ledger_mac(const factory_ledger_t *ledger, const char *mac);
const factory_item_t *factory_ledger_sn(const factory_ledger_t *ledger, const char *sn);

struct factory_station {
    const site_t *site;
    custody_t *custody; /* NULL: nothing was recorded yet, and this one only reads */
    char writer[CUSTODY_WRITER_SIZE];
    factory_ledger_t ledger;
    char notice[ERR_TEXT_MAX];
};

bool factory_station_refresh(factory_station_t *station, err_t *err);

/* Appends one entry, now. */
bool factory_station_append(factory_station_t *station, const char *sn, const char *kind,
                            const char *detail, err_t *err);

/* Held by whoever decides by what is known of a board and records what follows. */
#define FACTORY_BOARDS "factory-boards"

#endif

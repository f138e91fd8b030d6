/* SPDX-License-Identifier: Apache-2.0 */
/* people: who works at a station, as custody may know it (custody/people.h); the site's file is
   factory/people.json, and calls wait for one another. */
#ifndef CRADLE_FACTORY_PEOPLE_H
#define CRADLE_FACTORY_PEOPLE_H

#include "custody/custody.h"
#include "custody/people.h"
#include "site/site.h"

/* The pseudonym of a name that was given at a station; made at the first time. */
bool factory_person(const site_t *site, const char *name, char out[CUSTODY_PERSON_SIZE],
                    err_t *err);

/* Custody says from here on that `name` works at the station that writes as `writer` (NULL:
   "line"): an entry of kind "operator" {operator} in that chain, if it said somebody else before.
   Whose an entry is follows from the one of this kind before it. `name` NULL: nothing. */
#define FACTORY_OPERATOR "operator"
bool factory_operator(const site_t *site, const char *writer, const char *name, err_t *err);

/* Who worked there at entry `seq` of that chain; "" when it was not said. */
bool factory_operator_at(custody_t *custody, const char *writer, uint64_t seq,
                         char out[CUSTODY_PERSON_SIZE], err_t *err);

bool factory_person_forget(const site_t *site, const char *name, char was[CUSTODY_PERSON_SIZE],
                           err_t *err);

#endif

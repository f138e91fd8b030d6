/* SPDX-License-Identifier: Apache-2.0 */
/* people: who works at a station, as custody may know it (custody/people.h); the site's file is
   factory/people.json, and calls wait for one another. */
#ifndef CRADLE_FACTORY_PEOPLE_H
#define CRADLE_FACTORY_PEOPLE_H

#include "custody/people.h"
#include "site/site.h"

/* The pseudonym of a name that was given at a station; made at the first time. */
bool factory_person(const site_t *site, const char *name, char out[CUSTODY_PERSON_SIZE],
                    err_t *err);

bool factory_person_forget(const site_t *site, const char *name, char was[CUSTODY_PERSON_SIZE],
                           err_t *err);

#endif

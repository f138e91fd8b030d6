/* SPDX-License-Identifier: Apache-2.0 */
/*
 * people: who worked at a station, without a name in the record. A record cannot be edited, a
 * person must be forgettable: so custody gets "p-" and 16 hex digits, the first half of
 * HMAC-SHA-256(salt, name), and the salts, one for each person, are in a file beside it:
 *
 *     {"v":1,"people":[{"name":"alice","salt":"<64 hex>"}]}         mode 0600
 *
 * The same name gives the same pseudonym until it is forgotten: then the salt is gone, nobody can
 * tell any more whose the pseudonym was, and the name gets another one if it comes back.
 *
 * A name has 1 to 64 bytes of UTF-8, no control characters. Calls of one file by several processes
 * must not overlap: the caller holds a lock. All may block on the disk.
 */
#ifndef CRADLE_CUSTODY_PEOPLE_H
#define CRADLE_CUSTODY_PEOPLE_H

#include <stdbool.h>

#include "base/err.h"

#define CUSTODY_PERSON_SIZE 19 /* "p-0123456789abcdef" */
#define CUSTODY_PEOPLE_MAX  1024

/* Makes the file, and the salt, if they are not there. */
bool custody_people_pseudonym(const char *path, const char *name, char out[CUSTODY_PERSON_SIZE],
                              err_t *err);

/* ERR_PRECONDITION: nobody of that name is known. `out` (may be NULL): what the pseudonym was. */
bool custody_people_forget(const char *path, const char *name, char out[CUSTODY_PERSON_SIZE],
                           err_t *err);

#endif

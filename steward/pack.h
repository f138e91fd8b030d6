/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack: takes a pack list into the record: which units were shipped, with which birth certificate
 * and which claim code (`cradle factory pack` writes it).
 *
 *     {"v":1,"site":"<id>","units":[{"sn","leaf":"<base64 DER>","service","code_hash":null}]}
 *
 * `code_hash` is null or SHA-256 of the claim code, 64 hex digits. Members that are not known are
 * read past. Each certificate must be one of the site's, for its SN: a mistake is found here and
 * not at the first contact.
 */
#ifndef CRADLE_STEWARD_PACK_H
#define CRADLE_STEWARD_PACK_H

#include "base/err.h"
#include "steward/authority.h"
#include "steward/record.h"

#define PACK_MAX (1024u * 1024 * 1024) /* bytes: about a million units */

typedef struct {
    const char *site; /* id */
    const authority_t *authority;
    int64_t now;
    bool claims_on;            /* for units that are new ...                                */
    ownership_policy_t policy; /* ... and, with `all`, for those that are known already     */
    bool all;
} pack_settings_t;

typedef struct {
    uint64_t added;
    uint64_t known; /* were on record already: owner and all that happened stays */
} pack_counts_t;

/* All or nothing. The error names the unit. */
bool pack_import(record_t *record, const pack_settings_t *settings, const char *text, size_t len,
                 pack_counts_t *counts, err_t *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * authority: the steward's certificate work: is a leaf one of ours, and issuing leaves from the
 * renewal CA. Nothing here knows the record or the cloud.
 */
#ifndef CRADLE_STEWARD_AUTHORITY_H
#define CRADLE_STEWARD_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/types.h>

#include "base/err.h"
#include "site/site.h"
#include "steward/record.h"

typedef struct authority authority_t;

/* The site's product CA, its issuing CAs (site/ca.h, rolled ones too; those of a later roll are
   found when a leaf of theirs comes), and the renewal CA's key, which stays the one that it was
   here. */
bool authority_open(authority_t **authority, const site_t *site, err_t *err);
void authority_close(authority_t *authority);

/* Issued by one of our issuing CAs, CA:FALSE, CN = SN, in date, fit for a client. False: `err` says
   what is wrong with it. An older identity (X.509 v1, as in the mission) is good too. */
bool authority_leaf_good(const authority_t *authority, const uint8_t *der, size_t len,
                         const char *sn, int64_t now, err_t *err);

/* The certificate with that SHA-256 is on the site's deny-list (site/deny.h), whose file is looked
   at each time. A list that becomes unreadable changes nothing: the former one stays in force. */
bool authority_denied(const authority_t *authority, const uint8_t sha256[JWS_HASH_SIZE]);

/* Fills in sn, hash, key, cert, not_after of a row from a certificate; the rest becomes zero. */
bool authority_key_row(const uint8_t *der, size_t len, const char *sn, record_key_t *row,
                       err_t *err);

/* A leaf for `key`, CN = sn, signed by the renewal CA, beginning at `now`. */
bool authority_grant(const authority_t *authority, const char *sn, EVP_PKEY *key, int64_t now,
                     uint32_t days, record_key_t *row, err_t *err);

/* The renewal CA's own certificate, which follows a granted leaf. */
const uint8_t *authority_renewal(const authority_t *authority, size_t *len);

#endif

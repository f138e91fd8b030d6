/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secrets: the keys of a site that its steward works with, and the bundle that tells devices about
 * them. Each error says which file is missing or wrong and what to do about it.
 */
#ifndef CRADLE_STEWARD_SECRETS_H
#define CRADLE_STEWARD_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pki/signer.h"
#include "site/secret.h"
#include "site/site.h"
#include "statement/jws.h"

typedef struct {
    pki_signer_t *signer;                 /* keys/steward.key                    */
    char forward[SITE_SECRET_LEN + 1];    /* steward/forward.key, its text       */
    uint8_t ticket_key[SITE_SECRET_SIZE]; /* steward/ticket.key                  */
    char bundle[JWS_BUNDLE_MAX + 1];      /* steward/bundle.jws, verified        */
    size_t bundle_len;
    int64_t bundle_version;
} secrets_t;

/* *secrets is zeroed first. ERR_PRECONDITION: a file is missing, or the bundle names another
   steward key than keys/steward.key; ERR_INPUT: others can read a secret, or it is damaged. */
bool secrets_open(secrets_t *secrets, const site_t *site, err_t *err);
void secrets_close(secrets_t *secrets); /* wipes */

#endif

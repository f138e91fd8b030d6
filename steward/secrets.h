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
#include "site/site.h"
#include "statement/jws.h"

#define SECRETS_FORWARD_LEN 64 /* hex digits */

typedef struct {
    pki_signer_t *signer;                  /* keys/steward.key                    */
    char forward[SECRETS_FORWARD_LEN + 1]; /* steward/forward.key, its text       */
    uint8_t ticket_key[32];                /* steward/ticket.key                  */
    char bundle[JWS_BUNDLE_MAX + 1];       /* steward/bundle.jws, verified        */
    size_t bundle_len;
    int64_t bundle_version;
} secrets_t;

/* *secrets is zeroed first. ERR_PRECONDITION: a file is missing, others can read it, or the bundle
   names another steward key than keys/steward.key. */
bool secrets_open(secrets_t *secrets, const site_t *site, err_t *err);
void secrets_close(secrets_t *secrets); /* wipes */

/* Is it "Bearer <the forward key>"? In time that does not depend on where it differs. */
bool secrets_forward_right(const secrets_t *secrets, const char *authorization);

#endif

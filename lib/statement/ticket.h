/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ticket: a JWT (HS256) by which an account of the steward claims one device in one epoch (DESIGN
 * 5.6, docs/protocol.md section 4). Only the steward looks into it; phone and device carry it.
 *
 * A ticket of a site with another key, or a forged one, fails its MAC (compare with
 * bytes_equal_secret). The key has 32 random bytes and is used for nothing else.
 */
#ifndef CRADLE_STATEMENT_TICKET_H
#define CRADLE_STATEMENT_TICKET_H

#include "statement/jws.h"

#define TICKET_OWNER_MAX    32 /* an account id: A-Z a-z 0-9 . _ - */
#define TICKET_BINDING_SIZE 16
#define TICKET_LIFE         86400 /* seconds, from issue */

typedef struct {
    jws_text_t owner;
    int64_t expires; /* seconds since 1970: valid up to and including it, on the steward's clock */
    uint8_t id[JWS_NONCE_SIZE];           /* random; used once                                  */
    uint8_t binding[TICKET_BINDING_SIZE]; /* first 16 bytes of SHA-256 of ticket_binding_input   */
} ticket_t;

/* What the binding is the hash of: "cradle-ticket" NUL site NUL sn NUL epoch. */
#define TICKET_BINDING_INPUT_MAX (14 + JWS_SITE_LEN + 1 + JWS_SN_MAX + 1 + JWS_EPOCH_SIZE)
jws_result_t ticket_binding_input(jws_text_t site, jws_text_t sn,
                                  const uint8_t epoch[JWS_EPOCH_SIZE],
                                  uint8_t out[TICKET_BINDING_INPUT_MAX], size_t *len);

/* As statement_write and statement_read; jws_append takes the 32 bytes of the MAC. */
jws_result_t ticket_write(const ticket_t *ticket, char *out, size_t cap, size_t *len);
jws_result_t ticket_read(jws_t *jws, void *scratch, size_t cap, ticket_t *ticket);

#endif

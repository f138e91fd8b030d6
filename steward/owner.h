/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owner: the steward's API for the phone: log in, tickets, whose is a device, release, claim codes,
 * receipts (docs/protocol.md section 8). It reads and writes the record only, never the cloud.
 *
 * Tokens: 32 random bytes, base64url, 30 days. Wrong passwords are slowed down per account and
 * address and per address. A ticket is made for the caller, for any SN: who may claim is decided
 * when the device shows it.
 */
#ifndef CRADLE_STEWARD_OWNER_H
#define CRADLE_STEWARD_OWNER_H

#include "base/err.h"
#include "http/http.h"
#include "steward/record.h"

typedef struct owner owner_t;

typedef struct {
    record_t *record;
    const char *site;          /* site id                                                */
    uint8_t ticket_key[32];    /* copied; the caller wipes his                           */
    int64_t (*now)(void *ctx); /* seconds since 1970; NULL: the clock                 */
    void *ctx;
} owner_settings_t;

bool owner_open(owner_t **owner, const owner_settings_t *settings, err_t *err);
void owner_close(owner_t *owner);

/* True when the path is one of this API's: then the request has been replied to. */
bool owner_handle(owner_t *owner, http_request_t *request);

#endif

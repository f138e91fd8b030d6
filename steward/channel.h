/* SPDX-License-Identifier: Apache-2.0 */
/*
 * channel: hears a device's statement, checks it in the order of ownership/check.h, decides, writes
 * the record, answers (DESIGN 5.5, 5.6). What has to be done at the cloud afterwards is left in the
 * journal (journal.h), except first contact, whose stored leaf must be read there.
 */
#ifndef CRADLE_STEWARD_CHANNEL_H
#define CRADLE_STEWARD_CHANNEL_H

#include "base/err.h"
#include "ownership/check.h"
#include "pki/signer.h"
#include "statement/carrier.h"
#include "steward/authority.h"
#include "steward/cloud.h"
#include "steward/journal.h"
#include "steward/record.h"

/* A reply with a bundle beside the answer. */
#define CHANNEL_REPLY_MAX (CARRIER_REPLY_MAX + JWS_BUNDLE_MAX + 16)

typedef struct {
    const char *site;
    record_t *record;
    cloud_t *cloud;
    journal_t *journal;
    const authority_t *authority;
    const pki_signer_t *signer; /* steward key: answers                              */
    const uint8_t *ticket_key;  /* 32 bytes                                          */
    const char *bundle;         /* compact JWS                                       */
    int64_t bundle_version;
    uint32_t days;             /* of granted certificates                           */
    bool claims_on;            /* units that no pack list named: they may be claimed */
    ownership_policy_t policy; /* ... and their policy                              */
    bool adopt;                /* a transfer lets the device make its new record itself */
    int64_t (*now)(void *ctx); /* seconds since 1970                                */
    void (*log)(void *ctx, const char *text);
    /* Instead of `log` for what anybody can cause, without a key of ours; NULL: log. */
    void (*log_stranger)(void *ctx, const char *text);
    void *ctx;
} channel_settings_t;

typedef struct channel channel_t;
bool channel_open(channel_t **channel, const channel_settings_t *settings, err_t *err);
void channel_close(channel_t *channel);

/* `device`: the originator's id as the cloud's forwarder gave it; NULL by HTTPS. *status is an HTTP
   status; with 200 `reply` holds *len bytes of carrier JSON. The log gets one line. */
void channel_ask(channel_t *channel, const char *device, const char *body, size_t body_len,
                 int *status, char reply[CHANNEL_REPLY_MAX], size_t *len);

#endif

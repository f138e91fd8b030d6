/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal: what the steward still has to do at the cloud: transfers under way, records that are not
 * yet as they should be, and once a minute the sweep of the lobby. It does one thing a turn, so
 * that a device's question waits for one REST call at most:
 *
 *     journal_turn(journal, &next_ms)        call again at next_ms, or after a device was heard
 *
 * Transfers live in the record and go on after a restart, wherever they were cut. What else is to
 * be done is found out again by the sweep: nothing but transfers need be remembered.
 */
#ifndef CRADLE_STEWARD_JOURNAL_H
#define CRADLE_STEWARD_JOURNAL_H

#include "base/err.h"
#include "pki/signer.h"
#include "steward/authority.h"
#include "steward/cloud.h"
#include "steward/record.h"

#define JOURNAL_SWEEP_MS  60000   /* unless the settings say otherwise */
#define JOURNAL_RECEIPT_S 7776000 /* a receipt's link: 90 days */
#define JOURNAL_DRIFT_MAX 100     /* units looked at for drift in each sweep, two calls each      */
#define JOURNAL_DIRTY_MAX 1024    /* waiting projections; beyond it the sweep finds them again    */

typedef struct journal journal_t;

typedef struct {
    const char *site; /* id */
    record_t *record;
    cloud_t *cloud;
    const authority_t *authority;
    const pki_signer_t *signer;   /* steward key: receipts                                      */
    bool claims_on;               /* for units that the sweep meets first ...                  */
    ownership_policy_t policy;    /* ... and their policy                                      */
    bool keep_lobby;              /* leave records that are nobody's and not ours alone         */
    int64_t sweep_ms;             /* 0: JOURNAL_SWEEP_MS                                        */
    int64_t (*now_ms)(void *ctx); /* wall clock                                               */
    void (*log)(void *ctx, const char *text);
    void *ctx;
} journal_settings_t;

bool journal_open(journal_t **journal, const journal_settings_t *settings, err_t *err);
void journal_close(journal_t *journal);

/* The unit's record at the cloud may not be as it should: look soon. */
void journal_dirty(journal_t *journal, const char *sn);

/* Does the next thing, if something is due. *next_ms (wall clock): when to call again. */
void journal_turn(journal_t *journal, int64_t *next_ms);

/* The new key of an open transfer said hello: counts it, and does what needs no cloud (older keys
   are denied). *done: *stream* may be answered. Inside the caller's transaction. */
bool journal_hello(journal_t *journal, record_transfer_t *transfer, bool *done, err_t *err);

#endif

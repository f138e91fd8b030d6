/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record: what the steward knows (DESIGN 5.6), in SQLite: units and their owners, epochs, keys,
 * questions answered, tickets used, accounts, the journal of transfers with their receipts. It is
 * the truth; ThingsBoard's fields are a projection of it.
 *
 * Every function is one statement or a few; what belongs together is put between record_begin and
 * record_end, which is one transaction, on the disk (synchronous=FULL) when record_end returns
 * true: an answer that the steward gives must not be forgotten by a power cut. Outside of one, each
 * call is a transaction of its own.
 *
 * Blocking; one thread a handle. The commands of `cradle steward` open a second handle in another
 * process beside the running steward (WAL, busy time-out 5 s).
 *
 * "Found" is told by a bool beside the result: not finding is success. Errors: ERR_SYSTEM (disk),
 * ERR_INPUT (a damaged row or a newer schema: named).
 */
#ifndef CRADLE_STEWARD_RECORD_H
#define CRADLE_STEWARD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ownership/decide.h"
#include "ownership/keys.h"
#include "ownership/transfer.h"
#include "statement/jws.h"
#include "statement/question.h"

#define RECORD_SN_SIZE      (JWS_SN_MAX + 1)
#define RECORD_ACCOUNT_SIZE 33 /* TICKET_OWNER_MAX and a NUL */
#define RECORD_ID_SIZE      37 /* a UUID as text */
#define RECORD_CERT_MAX     2048
#define RECORD_LINK_SIZE    33 /* 32 hex digits and a NUL */

typedef struct record record_t;

/* Makes the database (0600) where there is none, brings an older one up to date. ERR_PRECONDITION:
   others may read the file. `path` ":memory:" keeps it in memory (tests). */
bool record_open(record_t **record, const char *path, err_t *err);
void record_close(record_t *record); /* NULL is allowed; an open transaction is rolled back */

bool record_begin(record_t *record, err_t *err); /* BEGIN IMMEDIATE */
/* Commits, or rolls back when `commit` is false. False when committing failed: all is undone. After
   a failure of the disk in a transaction every further call fails until it is ended, and it can
   only be undone; a "not possible" (ERR_PRECONDITION, ERR_USAGE) changes nothing and leaves it as
   it was. */
bool record_end(record_t *record, bool commit, err_t *err);

/* -- units ----------------------------------------------------------------------------------- */

typedef struct {
    char sn[RECORD_SN_SIZE];
    char device[RECORD_ID_SIZE];     /* id at the cloud; "": not met yet, or between two records  */
    char owner[RECORD_ACCOUNT_SIZE]; /* account; "" nobody                                        */
    bool was_owned;                  /* somebody was, at some time                                */
    bool claims_on;
    bool stolen;
    ownership_policy_t policy;
    ownership_consent_t consent; /* to the next change of owner; spent by it                      */
    int64_t notified;            /* when the owner was told that somebody waits; 0: never         */
    bool packed;                 /* a pack list names it                                          */
    uint8_t packed_leaf[JWS_HASH_SIZE]; /* SHA-256 of the leaf in the pack list                   */
    bool has_code;                      /* the pack list gives one for claiming without a phone   */
    uint8_t code_hash[32];              /* SHA-256 of the claim code's text                       */
} record_unit_t;

bool record_unit_get(record_t *record, const char *sn, record_unit_t *unit, bool *found,
                     err_t *err);
bool record_unit_by_device(record_t *record, const char *device, record_unit_t *unit, bool *found,
                           err_t *err);
/* Inserts or replaces. ERR_PRECONDITION: another unit has this `device`. */
bool record_unit_put(record_t *record, const record_unit_t *unit, err_t *err);
/* In the order of SN, those after `after` ("" for all); owner NULL: everybody's. The callback
   returns false to stop and must not write. */
typedef bool (*record_unit_fn)(void *ctx, const record_unit_t *unit);
bool record_units(record_t *record, const char *owner, const char *after, record_unit_fn each,
                  void *ctx, err_t *err);

/* -- epochs ---------------------------------------------------------------------------------- */

typedef struct {
    uint8_t epoch[JWS_EPOCH_SIZE];
    bool current; /* else closed                                                               */
    int64_t seen; /* seconds since 1970: the first statement of this epoch                     */
    bool decided; /* something was decided in it: `claimant` won (or nobody, "")               */
    char claimant[RECORD_ACCOUNT_SIZE];
    bool streams; /* hello was answered *stream* in it                                         */
} record_epoch_t;

bool record_epoch_get(record_t *record, const char *sn, const uint8_t epoch[JWS_EPOCH_SIZE],
                      record_epoch_t *row, bool *found, err_t *err);
bool record_epoch_current(record_t *record, const char *sn, record_epoch_t *row, bool *found,
                          err_t *err);
/* Inserts or replaces; a row that is current closes every other epoch of that SN. */
bool record_epoch_put(record_t *record, const char *sn, const record_epoch_t *row, err_t *err);
/* All of an SN, oldest first. The callback must not write. */
typedef bool (*record_epoch_fn)(void *ctx, const record_epoch_t *row);
bool record_epochs(record_t *record, const char *sn, record_epoch_fn each, void *ctx, err_t *err);

/* -- keys ------------------------------------------------------------------------------------ */

typedef struct {
    char sn[RECORD_SN_SIZE];
    uint8_t hash[JWS_HASH_SIZE]; /* SHA-256 of the DER: the row's name                           */
    uint8_t key[JWS_HASH_SIZE];  /* SHA-256 of the SubjectPublicKeyInfo                          */
    uint8_t cert[RECORD_CERT_MAX];
    size_t cert_len;
    int64_t not_after;
    ownership_key_t standing;
    bool birth;
    bool by_claim;                 /* granted by a claim (else a renewal, or birth)              */
    uint8_t epoch[JWS_EPOCH_SIZE]; /* in which it was granted; zero for birth                    */
    char claimant[RECORD_ACCOUNT_SIZE]; /* whose claim it was                                    */
} record_key_t;

bool record_key_get(record_t *record, const uint8_t hash[JWS_HASH_SIZE], record_key_t *key,
                    bool *found, err_t *err);
/* Is this public key certified already, for whatever SN? *hash (may be NULL) is the newest row's.
 */
bool record_key_known(record_t *record, const uint8_t key[JWS_HASH_SIZE],
                      uint8_t hash[JWS_HASH_SIZE], bool *found, err_t *err);
/* Inserts or replaces; ERR_PRECONDITION: this certificate is another SN's. */
bool record_key_put(record_t *record, const record_key_t *key, err_t *err);
/* All rows of an SN, oldest first. The callback may not write. */
typedef bool (*record_key_fn)(void *ctx, const record_key_t *key);
bool record_keys(record_t *record, const char *sn, record_key_fn each, void *ctx, err_t *err);
/* The row whose certificate the cloud is to hold: COMMITTED if there is one, else CURRENT. */
bool record_key_newest(record_t *record, const char *sn, record_key_t *key, bool *found,
                       err_t *err);
/* ownership_key_after for every row of the subject's SN, in one transaction. ERR_PRECONDITION when
   ownership_key_possible says no, or there is no such row: nothing is changed. Before REGISTER and
   GRANT the row is put with OWNERSHIP_KEY_NONE; for WITHDRAW any row of the SN will do. */
bool record_key_event(record_t *record, const uint8_t subject[JWS_HASH_SIZE],
                      ownership_key_event_t event, err_t *err);

/* -- questions and tickets ------------------------------------------------------------------- */

/* The outcome of a question, by question_name. `leaf`: of the chain that was granted. */
typedef struct {
    answer_result_t result;
    answer_reason_t reason;
    bool has_leaf;
    uint8_t leaf[JWS_HASH_SIZE];
} record_outcome_t;
bool record_question_get(record_t *record, const char *name, record_outcome_t *outcome, bool *found,
                         err_t *err);
bool record_question_put(record_t *record, const char *sn, const char *name,
                         const record_outcome_t *outcome, err_t *err);

/* Remembers until `expires` that `id` was used by the question `name`; *other: another question has
   used it before (and nothing is changed). */
bool record_ticket_use(record_t *record, const uint8_t id[JWS_NONCE_SIZE], const char *name,
                       int64_t expires, bool *other, err_t *err);
bool record_ticket_used(record_t *record, const uint8_t id[JWS_NONCE_SIZE], const char *name,
                        bool *other, err_t *err);
/* Forgets tickets that expired before `now`. */
bool record_tickets_forget(record_t *record, int64_t now, err_t *err);

/* -- claim codes ----------------------------------------------------------------------------- */

/* SHA-256 of the code is in the pack list; comparing is the caller's (constant time). */
bool record_code_put(record_t *record, const char *sn, const char *account, int64_t now,
                     err_t *err);
#define RECORD_CODES_MAX 16
typedef struct {
    int64_t entered;
    char by[RECORD_ACCOUNT_SIZE];
} record_code_t;
/* The newest RECORD_CODES_MAX. */
bool record_codes(record_t *record, const char *sn, record_code_t codes[RECORD_CODES_MAX],
                  size_t *count, err_t *err);

/* -- accounts -------------------------------------------------------------------------------- */

typedef struct {
    char id[RECORD_ACCOUNT_SIZE];
    char customer[RECORD_ID_SIZE]; /* at the cloud; "" until it is needed */
} record_account_t;
/* 1 to 32 of A-Z a-z 0-9 . _ - */
bool record_account_name(const char *id);
/* The password is stretched (scrypt) and not kept. ERR_PRECONDITION: the name is taken; ERR_USAGE:
   bad name, or a password under 8 or over 128 bytes. */
bool record_account_add(record_t *record, const char *id, const char *password, err_t *err);
/* Ends all log-ins of the account. */
bool record_account_password(record_t *record, const char *id, const char *password, err_t *err);
bool record_account_get(record_t *record, const char *id, record_account_t *account, bool *found,
                        err_t *err);
bool record_account_customer(record_t *record, const char *id, const char *customer, err_t *err);
/* Takes the same time whether the account exists or not. */
bool record_account_check(record_t *record, const char *id, const char *password, bool *right,
                          err_t *err);
typedef bool (*record_account_fn)(void *ctx, const record_account_t *account);
bool record_accounts(record_t *record, record_account_fn each, void *ctx, err_t *err);
/* Log-in tokens: 32 random bytes; kept as SHA-256, with their end; the 32 newest of an account. */
bool record_token_put(record_t *record, const uint8_t hash[32], const char *account,
                      int64_t expires, err_t *err);
bool record_token_get(record_t *record, const uint8_t hash[32], int64_t now,
                      char account[RECORD_ACCOUNT_SIZE], bool *found, err_t *err);

/* -- the journal of transfers ---------------------------------------------------------------- */

typedef struct {
    int64_t row;                /* 0 for a new one                                             */
    uint8_t id[JWS_NONCE_SIZE]; /* of the receipt                                              */
    char sn[RECORD_SN_SIZE];
    char from[RECORD_ACCOUNT_SIZE];
    char to[RECORD_ACCOUNT_SIZE];
    uint8_t leaf[JWS_HASH_SIZE]; /* the new owner's key                                         */
    int64_t begun;               /* seconds since 1970                                          */
    bool ended;
    transfer_t transfer;
} record_transfer_t;

/* A new one gets its `row`; later only leaf, ended and transfer are written. At most one that has
   not ended for an SN: ERR_PRECONDITION for a second new one. */
bool record_transfer_put(record_t *record, record_transfer_t *transfer, err_t *err);
bool record_transfer_open(record_t *record, const char *sn, record_transfer_t *transfer,
                          bool *found, err_t *err);
/* Those that have not ended, oldest first; the callback must not write. */
typedef bool (*record_transfer_fn)(void *ctx, const record_transfer_t *transfer);
bool record_transfers(record_t *record, record_transfer_fn each, void *ctx, err_t *err);

/* The receipt of a transfer, found by its link's token until `expires`. ERR_PRECONDITION: there is
   one of this transfer. */
bool record_receipt_put(record_t *record, const record_transfer_t *transfer, const char *jws,
                        const char link[RECORD_LINK_SIZE], int64_t issued, int64_t expires,
                        err_t *err);
bool record_receipt_has(record_t *record, const uint8_t id[JWS_NONCE_SIZE], bool *found,
                        err_t *err);
/* `out` of JWS_RECEIPT_MAX + 1. */
bool record_receipt_get(record_t *record, const char *link, int64_t now, char *out, bool *found,
                        err_t *err);
typedef bool (*record_receipt_fn)(void *ctx, const char *sn, int64_t issued, const char *link);
/* `former_owner` NULL: everybody's. */
bool record_receipts(record_t *record, const char *former_owner, int64_t now,
                     record_receipt_fn each, void *ctx, err_t *err);
bool record_receipt_revoke(record_t *record, const char *link, err_t *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * account: the owner's account at the steward, and what the app asks there (docs/protocol.md
 * section 8). Blocking; each exchange takes at most 15 seconds. HTTPS only, checked against the
 * authority that was given at login and no other. What the steward answers is bounded, parsed
 * strictly, and shown only after its alphabet was checked.
 *
 * An account file, mode 0600, holds what a phone keeps; whoever reads it is that owner until the
 * log-in ends:
 *
 *     {"v":1,"url":"https://steward:8443","ca":"<PEM>","name":"alice","token":"..","expires":<s>,
      "local":true}
 *
 * Errors: ERR_PEER with the steward's own sentence when it says no; ERR_PRECONDITION when the
 * log-in has ended.
 */
#ifndef CRADLE_PHONE_ACCOUNT_H
#define CRADLE_PHONE_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PHONE_URL_SIZE     320
#define PHONE_ACCOUNT_SIZE 33 /* a name at the steward: A-Z a-z 0-9 . _ - */
#define PHONE_TOKEN_SIZE   513
#define PHONE_CA_SIZE      16385 /* PEM, with the NUL */
#define PHONE_SN_SIZE      33
#define PHONE_EPOCH_SIZE   23 /* 22 characters of base64url */
#define PHONE_TICKET_SIZE  229
#define PHONE_LINK_SIZE    42 /* "/receipt/" and 32 hex digits */

typedef struct {
    char url[PHONE_URL_SIZE]; /* "https://HOST:PORT" */
    char ca[PHONE_CA_SIZE];
    char name[PHONE_ACCOUNT_SIZE];
    char token[PHONE_TOKEN_SIZE]; /* secret */
    int64_t expires;              /* seconds since 1970 */
    bool local; /* the steward is this machine's: `url` is where it listened at login; the caller
                   may put in where it listens now */
} phone_account_t;

/* "alice": may be an account's name (and so becomes a file name). */
bool phone_account_name_valid(const char *name);

/* ERR_PRECONDITION: no such file, or others can read it; ERR_INPUT: damaged. */
bool phone_account_load(const char *path, phone_account_t *account, err_t *err);
/* Replaces the file in one step. */
bool phone_account_save(const phone_account_t *account, const char *path, err_t *err);
void phone_account_wipe(phone_account_t *account);

/* Fills *account with url, ca (what is in the file `ca_file`) and what the steward gives for name
   and password. `url` is "https://HOST:PORT" or "HOST:PORT". The password stays the caller's, who
   wipes it. */
bool phone_login(const char *url, const char *ca_file, const char *name, const char *password,
                 phone_account_t *account, err_t *err);

/* -- what the steward is asked --------------------------------------------------------------- */

/* A ticket for that device in that epoch (both as cradle-info gives them). It is used once. */
bool phone_ticket(const phone_account_t *account, const char *sn, const char *epoch,
                  char ticket[PHONE_TICKET_SIZE], err_t *err);

typedef enum { PHONE_NOBODYS = 0, PHONE_YOURS, PHONE_SOMEBODYS } phone_owner_t;
typedef enum {
    PHONE_UNKNOWN = 0, /* the steward never heard of it     */
    PHONE_IS_HELD,     /* no telemetry until that is settled */
    PHONE_HANDING_OVER,
    PHONE_STREAMING,
} phone_state_t;

/* "nobody", "you", "somebody"; "unknown", "held", "handing-over", "streaming". */
const char *phone_owner_name(phone_owner_t owner);
const char *phone_state_name(phone_state_t state);

typedef struct {
    phone_owner_t owner;
    phone_state_t state;
    char epoch[PHONE_EPOCH_SIZE]; /* the current one; "" before the first */
} phone_ownership_t;

bool phone_ownership(const phone_account_t *account, const char *sn, phone_ownership_t *out,
                     err_t *err);

/* Lets the device go to whoever claims it next. By the owner on record only. */
bool phone_release(const phone_account_t *account, const char *sn, err_t *err);

/* The claim code of the label, for a device that could not be given a ticket. As it is typed:
   "k7wq-2m9x" is K7WQ2M9X. */
bool phone_code(const phone_account_t *account, const char *sn, const char *code, err_t *err);

/* The account's devices; the callback returns false to stop. */
typedef bool (*phone_owned_fn)(void *ctx, const char *sn, phone_state_t state);
bool phone_owned(const phone_account_t *account, phone_owned_fn each, void *ctx, err_t *err);

/* Receipts of what was wiped when devices left the account. `link` is a path at account->url, open
   to whoever has it. */
typedef bool (*phone_receipt_fn)(void *ctx, const char *sn, int64_t issued, const char *link);
bool phone_receipts(const phone_account_t *account, phone_receipt_fn each, void *ctx, err_t *err);

/* -- what becomes of a claim ----------------------------------------------------------------- */

typedef enum {
    PHONE_CLAIM_YOURS = 0, /* the account is the owner and the device streams                  */
    PHONE_CLAIM_HELD,      /* the owner on record must release it first                        */
    PHONE_CLAIM_TAKEN,     /* somebody else was first                                          */
    PHONE_CLAIM_WAITING,   /* undecided when the time was over                                 */
    PHONE_CLAIM_LOST,      /* the steward could not be asked                                   */
} phone_claim_t;

/* "yours", "held", "taken", "waiting", "lost". */
const char *phone_claim_name(phone_claim_t claim);

typedef struct {
    const phone_account_t *account;
    const char *sn;
    const char *epoch; /* in which the ticket was handed over: what was before does not count */
    int timeout_ms;
    int poll_ms; /* between two looks; 0: 500. HELD and TAKEN must last for six of them */
    /* After each look; `seen` is NULL as long as the steward has not heard of this epoch. May be
       NULL. */
    void (*progress)(void *ctx, const phone_ownership_t *seen, uint64_t elapsed_ms);
    void *ctx;
} phone_wait_t;

/* Asks until it is decided. *last is what was seen last. Except for YOURS the error is a sentence
   for a person. */
phone_claim_t phone_claim_wait(const phone_wait_t *wait, phone_ownership_t *last, err_t *err);

#endif

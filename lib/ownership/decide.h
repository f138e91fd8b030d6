/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decide: who owns a device after it was reset or claimed: the table of DESIGN 5.6 as a function.
 *
 * The caller has made all checks of check.h. Nothing here reads a clock or a store; the same
 * situation always gives the same decision, so that a question asked again gets the same outcome.
 *
 * Two things that the table leaves open:
 * - The first owner of all gets the device with the key it was made with (nobody but the factory,
 *   whose CA could make any key, ever held it); every later change of owner changes the key.
 * - A device that somebody owned and nobody owns now (an operator took it away) is handed over like
 *   any other: wiped, with a new key. Nobody has to release it.
 */
#ifndef CRADLE_OWNERSHIP_DECIDE_H
#define CRADLE_OWNERSHIP_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "statement/answer.h"
#include "statement/receipt.h"

typedef enum {
    OWNERSHIP_NEVER = 0, /* no owner on record, and never was                                   */
    OWNERSHIP_FORMER,    /* no owner on record, but there was one                               */
    OWNERSHIP_OWNED,
    OWNERSHIP_RECORDS,
} ownership_record_t;

/* Who says that it is theirs: by a ticket, or by a claim code and a press. */
typedef enum {
    OWNERSHIP_NOBODY = 0,
    OWNERSHIP_OWNER,   /* the owner on record                                                   */
    OWNERSHIP_ANOTHER, /* somebody else; without an owner on record, anybody                    */
    OWNERSHIP_CLAIMANTS,
} ownership_claimant_t;

/* Who agreed that it changes hands, where the lock asks for it. */
typedef enum {
    OWNERSHIP_NO_CONSENT = 0,
    OWNERSHIP_RELEASED,   /* the owner on record                                                */
    OWNERSHIP_GRACE_OVER, /* he was notified and let the time run out (ownership_grace_over)    */
    OWNERSHIP_OPERATOR,
    OWNERSHIP_CONSENTS,
} ownership_consent_t;

typedef enum {
    OWNERSHIP_FREE = 0, /* nobody has claimed in this epoch yet                                 */
    OWNERSHIP_MINE,     /* the same claimant was first                                          */
    OWNERSHIP_TAKEN,    /* somebody else was                                                    */
    OWNERSHIP_FIRSTS,
} ownership_first_t;

typedef enum { OWNERSHIP_OPEN = 0, OWNERSHIP_LOCKED } ownership_lock_t;    /* `open`, `release` */
typedef enum { OWNERSHIP_HOLD = 0, OWNERSHIP_KEEP } ownership_unclaimed_t; /* no ticket         */
typedef enum { OWNERSHIP_DELETE = 0, OWNERSHIP_REASSIGN } ownership_dispose_t;

typedef struct {
    ownership_lock_t lock;
    ownership_unclaimed_t unclaimed;
    ownership_dispose_t dispose;
} ownership_policy_t;

typedef struct {
    ownership_record_t record;
    ownership_claimant_t claimant;
    ownership_consent_t consent;
    ownership_first_t first;
    bool claims_on; /* the steward's record for this SN                                         */
    bool new_epoch; /* nothing was decided in this epoch yet                                    */
    bool stolen;    /* reported stolen                                                          */
    bool weak_key;  /* signed by a key that needs consent: OWNERSHIP_RIGHT_CONSENT of keys.h    */
} ownership_situation_t;

typedef enum {
    OWNERSHIP_ASSIGN = 0, /* to the claimant; nothing to wipe, the key stays                    */
    OWNERSHIP_STREAM,     /* streams without an owner                                           */
    OWNERSHIP_WITHHOLD,   /* no telemetry until it is claimed                                   */
    OWNERSHIP_STAY,       /* the owner on record keeps everything                               */
    OWNERSHIP_TRANSFER,   /* wipe, then to the claimant, with a new key                         */
    OWNERSHIP_WAIT,       /* held: for the owner on record, or an operator                      */
    OWNERSHIP_REFUSE,
    OWNERSHIP_OUTCOMES,
} ownership_outcome_t;

typedef enum {
    OWNERSHIP_WHY_FIRST_OWNER = 0,
    OWNERSHIP_WHY_UNCLAIMED_KEEP,
    OWNERSHIP_WHY_UNCLAIMED_HOLD,
    OWNERSHIP_WHY_SAME_OWNER,
    OWNERSHIP_WHY_SAME_EPOCH,
    OWNERSHIP_WHY_RESET_KEEP,
    OWNERSHIP_WHY_RESET_HOLD,
    OWNERSHIP_WHY_OPEN,
    OWNERSHIP_WHY_NO_OWNER_NOW,
    OWNERSHIP_WHY_RELEASED,
    OWNERSHIP_WHY_GRACE,
    OWNERSHIP_WHY_OPERATOR,
    OWNERSHIP_WHY_LOCKED,
    OWNERSHIP_WHY_STOLEN,
    OWNERSHIP_WHY_WEAK_KEY,
    OWNERSHIP_WHY_RECOVERED,
    OWNERSHIP_WHY_NOBODYS_WEAK_KEY,
    OWNERSHIP_WHY_TAKEN,
    OWNERSHIP_WHY_CLAIMS_OFF,
    OWNERSHIP_WHYS,
} ownership_why_t;

typedef struct {
    ownership_outcome_t outcome;
    ownership_why_t why;
    bool grant;                    /* answer with a chain for the key of the request            */
    ownership_dispose_t dispose;   /* OWNERSHIP_TRANSFER                                        */
    receipt_authority_t authority; /* OWNERSHIP_TRANSFER                                        */
    answer_result_t answer;        /* to the claim; with no claimant, what it means for hello   */
    answer_reason_t reason;        /* ANSWER_HELD, ANSWER_REFUSED                               */
} ownership_decision_t;

/* What holds where nothing was said: `open`, `delete`, and `hold` exactly where claims are on. */
ownership_policy_t ownership_policy_default(bool claims_on);

ownership_decision_t ownership_decide(const ownership_situation_t *situation,
                                      const ownership_policy_t *policy);

/* Words for logs ("transfer"), and one sentence for a person. */
const char *ownership_outcome_name(ownership_outcome_t outcome);
const char *ownership_why_name(ownership_why_t why);
const char *ownership_why_text(ownership_why_t why);

/* The grace time of the lock: ran out `grace` seconds after the owner was notified (0: never was),
   never for a device reported stolen. */
bool ownership_grace_over(int64_t notified, int64_t grace, bool stolen, int64_t now);

/* Claim codes: `entered` and `by` hold the time and account of each correct entry of SN and code,
   in any order. Counted are those of the 15 minutes that follow the first sight of the epoch; the
   same account twice is one. */
#define OWNERSHIP_CODE_TIME 900
typedef enum { OWNERSHIP_CODE_NONE = 0, OWNERSHIP_CODE_ONE, OWNERSHIP_CODE_TWO } ownership_code_t;
typedef struct {
    int64_t entered; /* seconds since 1970 */
    const char *by;  /* account            */
} ownership_code_entry_t;
/* *by (may be NULL) becomes the one account. */
ownership_code_t ownership_code_decide(const ownership_code_entry_t *entries, size_t count,
                                       int64_t epoch_seen, int64_t now, const char **by);

/* What hello is answered, from the decision for OWNERSHIP_NOBODY and: */
typedef struct {
    bool pending; /* OWNERSHIP_RIGHT_PENDING, or a transfer is busy                             */
    bool press;   /* the statement says so                                                      */
    bool code;    /* exactly one claim code was entered in time                                 */
    bool renew;   /* the leaf on record is in its renewal window                                */
} ownership_hello_t;
answer_result_t ownership_hello_answer(const ownership_decision_t *decision,
                                       const ownership_hello_t *hello);

#endif

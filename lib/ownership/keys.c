/* SPDX-License-Identifier: Apache-2.0 */
#include "ownership/keys.h"

#define NONE      OWNERSHIP_KEY_NONE
#define GRANTED   OWNERSHIP_KEY_GRANTED
#define VOID      OWNERSHIP_KEY_VOID
#define COMMITTED OWNERSHIP_KEY_COMMITTED
#define CURRENT   OWNERSHIP_KEY_CURRENT
#define OLDER     OWNERSHIP_KEY_OLDER
#define LEAVING   OWNERSHIP_KEY_LEAVING
#define DENIED    OWNERSHIP_KEY_DENIED

/* Columns: what a row is now. First line of a pair: the row is the subject; second: it is not. */
static const uint8_t AFTER[OWNERSHIP_KEY_EVENTS][2][OWNERSHIP_KEY_STANDINGS] = {
    /* clang-format off */
    /*                      NONE     GRANTED    VOID     COMMITTED  CURRENT  OLDER    LEAVING  DENIED */
    [OWNERSHIP_KEY_REGISTER] = {
                          { CURRENT, GRANTED,   VOID,    COMMITTED, CURRENT, OLDER,   LEAVING, DENIED },
                          { NONE,    GRANTED,   VOID,    COMMITTED, CURRENT, OLDER,   LEAVING, DENIED }},
    [OWNERSHIP_KEY_GRANT] = {
                          { GRANTED, GRANTED,   VOID,    COMMITTED, CURRENT, OLDER,   LEAVING, DENIED },
                          { NONE,    VOID,      VOID,    COMMITTED, CURRENT, OLDER,   LEAVING, DENIED }},
    [OWNERSHIP_KEY_WITHDRAW] = {
                          { NONE,    VOID,      VOID,    COMMITTED, CURRENT, OLDER,   LEAVING, DENIED },
                          { NONE,    VOID,      VOID,    COMMITTED, CURRENT, OLDER,   LEAVING, DENIED }},
    [OWNERSHIP_KEY_COMMIT_CLAIM] = {
                          { NONE,    COMMITTED, VOID,    COMMITTED, CURRENT, OLDER,   LEAVING, DENIED },
                          { NONE,    VOID,      VOID,    LEAVING,   LEAVING, LEAVING, LEAVING, DENIED }},
    [OWNERSHIP_KEY_COMMIT_RENEWAL] = {
                          { NONE,    COMMITTED, VOID,    COMMITTED, CURRENT, OLDER,   LEAVING, DENIED },
                          { NONE,    VOID,      VOID,    LEAVING,   LEAVING, LEAVING, LEAVING, DENIED }},
    [OWNERSHIP_KEY_HELLO_CLAIM] = {
                          { NONE,    GRANTED,   VOID,    CURRENT,   CURRENT, OLDER,   LEAVING, DENIED },
                          { NONE,    GRANTED,   VOID,    DENIED,    DENIED,  DENIED,  DENIED,  DENIED }},
    [OWNERSHIP_KEY_HELLO_RENEWAL] = {
                          { NONE,    GRANTED,   VOID,    CURRENT,   CURRENT, OLDER,   LEAVING, DENIED },
                          { NONE,    GRANTED,   VOID,    OLDER,     OLDER,   OLDER,   OLDER,   DENIED }},
    [OWNERSHIP_KEY_RESTORE] = {
                          { NONE,    GRANTED,   VOID,    COMMITTED, CURRENT, OLDER,   CURRENT, DENIED },
                          { NONE,    GRANTED,   VOID,    GRANTED,   CURRENT, OLDER,   OLDER,   DENIED }},
    [OWNERSHIP_KEY_DENY] = {
                          { NONE,    DENIED,    DENIED,  DENIED,    DENIED,  DENIED,  DENIED,  DENIED },
                          { NONE,    GRANTED,   VOID,    COMMITTED, CURRENT, OLDER,   LEAVING, DENIED }},
    /* clang-format on */
};

ownership_key_t ownership_key_after(ownership_key_t standing, ownership_key_event_t event,
                                    bool subject)
{
    return (ownership_key_t)AFTER[event][subject ? 0 : 1][standing];
}

bool ownership_key_possible(ownership_key_t subject, ownership_key_event_t event)
{
    switch (event) {
    case OWNERSHIP_KEY_REGISTER:
    case OWNERSHIP_KEY_GRANT:
        return subject == NONE;
    case OWNERSHIP_KEY_WITHDRAW:
        return true; /* has no subject */
    case OWNERSHIP_KEY_COMMIT_CLAIM:
    case OWNERSHIP_KEY_COMMIT_RENEWAL:
        return subject == GRANTED;
    case OWNERSHIP_KEY_HELLO_CLAIM:
    case OWNERSHIP_KEY_HELLO_RENEWAL:
        return subject == COMMITTED;
    case OWNERSHIP_KEY_RESTORE:
        return subject == LEAVING;
    case OWNERSHIP_KEY_DENY:
        return subject != NONE;
    default:
        return false;
    }
}

static ownership_right_t none(answer_reason_t why, answer_reason_t *reason)
{
    *reason = why;
    return OWNERSHIP_RIGHT_NONE;
}

/* A key that only the owner's consent can give back a part of its rights. */
static bool may_recover(const ownership_key_facts_t *f)
{
    return f->birth && f->method == STATEMENT_CLAIM && f->carrier == OWNERSHIP_BY_HTTPS && !f->busy;
}

/* A transfer without a new key (a unit that cannot speak statements well enough) is under way. */
static ownership_right_t right_while_busy(const ownership_key_facts_t *f, answer_reason_t *reason)
{
    switch (f->method) {
    case STATEMENT_HELLO:
        return OWNERSHIP_RIGHT_PENDING;
    case STATEMENT_BUNDLE:
        return OWNERSHIP_RIGHT_FULL;
    default:
        return none(ANSWER_ONLY_HELLO, reason);
    }
}

/* What the standing alone says. */
static ownership_right_t right_by_standing(const ownership_key_facts_t *f, answer_reason_t *reason)
{
    bool hello = f->method == STATEMENT_HELLO, commit = f->method == STATEMENT_COMMIT;
    switch (f->standing) {
    case GRANTED:
        if (!commit) {
            return none(ANSWER_COMMIT_FIRST, reason);
        }
        return f->other_epoch ? none(ANSWER_NOT_GRANTED, reason) : OWNERSHIP_RIGHT_FULL;
    case COMMITTED:
        if (hello && f->busy) {
            return OWNERSHIP_RIGHT_PENDING;
        }
        return hello || commit ? OWNERSHIP_RIGHT_FULL : none(ANSWER_HELLO_FIRST, reason);
    case CURRENT:
        return f->busy ? right_while_busy(f, reason) : OWNERSHIP_RIGHT_FULL;
    case OLDER:
        if (f->busy) {
            return right_while_busy(f, reason);
        }
        if (commit) {
            return none(ANSWER_NOT_GRANTED, reason);
        }
        if (f->method == STATEMENT_RENEW && !f->consented) {
            return none(ANSWER_OLD_KEY, reason);
        }
        return f->method == STATEMENT_CLAIM ? OWNERSHIP_RIGHT_CONSENT : OWNERSHIP_RIGHT_FULL;
    case LEAVING:
        if (hello) {
            return OWNERSHIP_RIGHT_PENDING;
        }
        return may_recover(f) ? OWNERSHIP_RIGHT_CONSENT : none(ANSWER_ONLY_HELLO, reason);
    case DENIED:
        return may_recover(f) ? OWNERSHIP_RIGHT_CONSENT : none(ANSWER_DENIED, reason);
    case VOID:
        return none(ANSWER_NOT_GRANTED, reason);
    default:
        return none(ANSWER_DENIED, reason);
    }
}

ownership_right_t ownership_key_right(const ownership_key_facts_t *facts, answer_reason_t *reason)
{
    bool changes = facts->method == STATEMENT_CLAIM || facts->method == STATEMENT_RENEW ||
                   facts->method == STATEMENT_COMMIT;
    *reason = ANSWER_NO_REASON;
    ownership_right_t right = right_by_standing(facts, reason);
    if (right == OWNERSHIP_RIGHT_NONE) {
        return right;
    }
    if (facts->stolen && changes) {
        return none(ANSWER_STOLEN, reason);
    }
    /* Hello stays allowed, so that the device can hear and show what is wrong. */
    if (facts->too_late && changes) {
        return none(ANSWER_EXPIRED, reason);
    }
    return right;
}

bool ownership_restore_due(bool after_claim, bool granted, bool seen, bool old_valid,
                           int64_t written_up, int64_t now_up)
{
    return !after_claim && !granted && !seen && old_valid && now_up >= written_up &&
           now_up - written_up >= OWNERSHIP_RESTORE_AFTER;
}

const char *ownership_key_name(ownership_key_t standing)
{
    static const char *const names[OWNERSHIP_KEY_STANDINGS] = {
        "none", "granted", "void", "committed", "current", "older", "leaving", "denied"};
    return (unsigned)standing < OWNERSHIP_KEY_STANDINGS ? names[standing] : "?";
}

const char *ownership_key_event_name(ownership_key_event_t event)
{
    static const char *const names[OWNERSHIP_KEY_EVENTS] = {
        "register",    "grant",         "withdraw", "commit-claim", "commit-renewal",
        "hello-claim", "hello-renewal", "restore",  "deny"};
    return (unsigned)event < OWNERSHIP_KEY_EVENTS ? names[event] : "?";
}

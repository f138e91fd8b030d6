/* SPDX-License-Identifier: Apache-2.0 */
#include "ownership/decide.h"

ownership_policy_t ownership_policy_default(bool claims_on)
{
    ownership_policy_t policy = {OWNERSHIP_OPEN, claims_on ? OWNERSHIP_HOLD : OWNERSHIP_KEEP,
                                 OWNERSHIP_DELETE};
    return policy;
}

static ownership_decision_t simple(ownership_outcome_t outcome, ownership_why_t why,
                                   answer_result_t answer)
{
    ownership_decision_t decision = {.outcome = outcome, .why = why, .answer = answer};
    return decision;
}

static ownership_decision_t refuse(ownership_why_t why, answer_reason_t reason)
{
    ownership_decision_t decision = simple(OWNERSHIP_REFUSE, why, ANSWER_REFUSED);
    decision.reason = reason;
    return decision;
}

static ownership_decision_t wait(ownership_why_t why, answer_reason_t reason)
{
    ownership_decision_t decision = simple(OWNERSHIP_WAIT, why, ANSWER_HELD);
    decision.reason = reason;
    return decision;
}

static ownership_decision_t transfer(ownership_why_t why, receipt_authority_t authority,
                                     const ownership_policy_t *policy)
{
    ownership_decision_t decision = simple(OWNERSHIP_TRANSFER, why, ANSWER_GRANTED);
    decision.grant = true;
    decision.dispose = policy->dispose;
    decision.authority = authority;
    return decision;
}

/* Nobody says that it is theirs: hello. */
static ownership_decision_t decide_unclaimed(const ownership_situation_t *s,
                                             const ownership_policy_t *policy)
{
    /* Where nothing can be claimed, waiting for a claim would be for ever. */
    bool hold = policy->unclaimed == OWNERSHIP_HOLD && s->claims_on;
    if (s->record != OWNERSHIP_OWNED) {
        return hold ? simple(OWNERSHIP_WITHHOLD, OWNERSHIP_WHY_UNCLAIMED_HOLD, ANSWER_HOLD)
                    : simple(OWNERSHIP_STREAM, OWNERSHIP_WHY_UNCLAIMED_KEEP, ANSWER_STREAM);
    }
    if (!s->new_epoch) {
        return simple(OWNERSHIP_STAY, OWNERSHIP_WHY_SAME_EPOCH, ANSWER_STREAM);
    }
    return hold ? simple(OWNERSHIP_WITHHOLD, OWNERSHIP_WHY_RESET_HOLD, ANSWER_HOLD)
                : simple(OWNERSHIP_STAY, OWNERSHIP_WHY_RESET_KEEP, ANSWER_STREAM);
}

/* The agreement that a lock, a theft report or a weak key asks for. */
static ownership_decision_t decide_locked(const ownership_situation_t *s,
                                          const ownership_policy_t *policy)
{
    if (s->consent == OWNERSHIP_OPERATOR) {
        return transfer(OWNERSHIP_WHY_OPERATOR, RECEIPT_BY_OPERATOR, policy);
    }
    if (s->record == OWNERSHIP_OWNED && s->consent == OWNERSHIP_RELEASED) {
        return transfer(OWNERSHIP_WHY_RELEASED, RECEIPT_BY_RELEASE, policy);
    }
    answer_reason_t for_whom = s->record == OWNERSHIP_OWNED ? ANSWER_OWNER : ANSWER_OPERATOR;
    if (s->stolen) {
        return wait(OWNERSHIP_WHY_STOLEN, for_whom);
    }
    if (s->weak_key) {
        return wait(OWNERSHIP_WHY_WEAK_KEY, for_whom);
    }
    if (s->consent == OWNERSHIP_GRACE_OVER) {
        return transfer(OWNERSHIP_WHY_GRACE, RECEIPT_BY_GRACE, policy);
    }
    return wait(OWNERSHIP_WHY_LOCKED, for_whom);
}

/* Somebody who is not the owner on record. */
static ownership_decision_t decide_another(const ownership_situation_t *s,
                                           const ownership_policy_t *policy)
{
    bool locked = s->record == OWNERSHIP_OWNED && policy->lock == OWNERSHIP_LOCKED;
    if (locked || s->stolen || s->weak_key) {
        return decide_locked(s, policy);
    }
    if (s->record == OWNERSHIP_NEVER) {
        return simple(OWNERSHIP_ASSIGN, OWNERSHIP_WHY_FIRST_OWNER, ANSWER_MINE);
    }
    return transfer(s->record == OWNERSHIP_FORMER ? OWNERSHIP_WHY_NO_OWNER_NOW : OWNERSHIP_WHY_OPEN,
                    RECEIPT_BY_CLAIM, policy);
}

ownership_decision_t ownership_decide(const ownership_situation_t *s,
                                      const ownership_policy_t *policy)
{
    if (s->claimant == OWNERSHIP_NOBODY) {
        return s->weak_key ? refuse(OWNERSHIP_WHY_NOBODYS_WEAK_KEY, ANSWER_DENIED)
                           : decide_unclaimed(s, policy);
    }
    if (!s->claims_on) {
        return refuse(OWNERSHIP_WHY_CLAIMS_OFF, ANSWER_CLAIMS_OFF);
    }
    if (s->first == OWNERSHIP_TAKEN) {
        return refuse(OWNERSHIP_WHY_TAKEN, ANSWER_TAKEN);
    }
    if (s->claimant == OWNERSHIP_OWNER && s->record == OWNERSHIP_OWNED) {
        if (!s->weak_key) {
            return simple(OWNERSHIP_STAY, OWNERSHIP_WHY_SAME_OWNER, ANSWER_MINE);
        }
        ownership_decision_t decision =
            simple(OWNERSHIP_STAY, OWNERSHIP_WHY_RECOVERED, ANSWER_GRANTED);
        decision.grant = true; /* the device has no other key any more */
        return decision;
    }
    return decide_another(s, policy);
}

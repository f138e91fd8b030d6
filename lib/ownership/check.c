/* SPDX-License-Identifier: Apache-2.0 */
#include "ownership/check.h"

static ownership_verdict_t needs(ownership_check_t check)
{
    ownership_verdict_t verdict = {.state = OWNERSHIP_CHECK_NEEDS, .check = check};
    return verdict;
}

/* Before the signature: an HTTP status, nothing signed. */
static ownership_verdict_t unsigned_failure(ownership_check_t check, ownership_fault_t fault,
                                            int http)
{
    ownership_verdict_t verdict = {OWNERSHIP_CHECK_FAILED, check, fault, http, ANSWER_NO_REASON,
                                   OWNERSHIP_RIGHT_NONE};
    return verdict;
}

static ownership_verdict_t signed_failure(ownership_check_t check, ownership_fault_t fault,
                                          answer_reason_t answer)
{
    ownership_verdict_t verdict = {OWNERSHIP_CHECK_FAILED, check, fault, 200, answer,
                                   OWNERSHIP_RIGHT_NONE};
    return verdict;
}

/* A row: this value of the fact fails for this. The first row of a fact that is 0 is "not looked
   at", the value 1 never fails. */
typedef struct {
    uint8_t value;
    uint8_t fault;
    uint16_t http; /* 0: signed, with `answer` */
    uint8_t answer;
} row_t;

static const row_t SIZE[] = {{FACT_SIZE_OVER, OWNERSHIP_FAULT_SIZE, 413, 0}, {0}};
static const row_t RATE[] = {{FACT_RATE_OVER, OWNERSHIP_FAULT_RATE, 429, 0}, {0}};
static const row_t FORM[] = {{FACT_FORM_TYPE, OWNERSHIP_FAULT_TYPE, 400, 0},
                             {FACT_FORM_BAD, OWNERSHIP_FAULT_FORM, 400, 0},
                             {0}};
static const row_t METHOD[] = {
    {FACT_METHOD_UNKNOWN, OWNERSHIP_FAULT_METHOD, 400, 0},
    {FACT_METHOD_DIFFERS, OWNERSHIP_FAULT_METHOD_DIFFERS, 400, 0},
    {0},
};
static const row_t AUDIENCE[] = {{FACT_AUDIENCE_OTHER, OWNERSHIP_FAULT_AUDIENCE, 403, 0}, {0}};
static const row_t KEY[] = {
    {FACT_KEY_FIRST_BAD, OWNERSHIP_FAULT_LEAF, 403, 0},
    {FACT_KEY_OTHER_SN, OWNERSHIP_FAULT_KEY_OTHER_SN, 403, 0},
    {FACT_KEY_UNKNOWN, OWNERSHIP_FAULT_KEY_UNKNOWN, 403, 0},
    {FACT_KEY_UNKNOWN_SN, OWNERSHIP_FAULT_SN, 403, 0},
    {0},
};
static const row_t ALGORITHM[] = {{FACT_ALGORITHM_OTHER, OWNERSHIP_FAULT_ALGORITHM, 403, 0}, {0}};
static const row_t SIGNATURE[] = {{FACT_SIGNATURE_BAD, OWNERSHIP_FAULT_SIGNATURE, 403, 0}, {0}};
/* The statement is genuine, but it came over a session that is not its signer's: whoever sent it
   gets nothing signed. */
static const row_t ID[] = {
    {FACT_ID_OTHER_SN, OWNERSHIP_FAULT_ID_OTHER_SN, 403, 0},
    {FACT_ID_UNKNOWN, OWNERSHIP_FAULT_ID_UNKNOWN, 403, 0},
    {0},
};
static const row_t EPOCH[] = {{FACT_EPOCH_CLOSED, OWNERSHIP_FAULT_EPOCH, 0, ANSWER_STALE}, {0}};
static const row_t TICKET[] = {
    {FACT_TICKET_NONE, OWNERSHIP_FAULT_NO_TICKET, 0, ANSWER_NO_TICKET},
    {FACT_TICKET_FORGED, OWNERSHIP_FAULT_TICKET_FORGED, 0, ANSWER_TICKET_BAD},
    {FACT_TICKET_EXPIRED, OWNERSHIP_FAULT_TICKET_EXPIRED, 0, ANSWER_TICKET_EXPIRED},
    {FACT_TICKET_DEVICE, OWNERSHIP_FAULT_TICKET_DEVICE, 0, ANSWER_TICKET_DEVICE},
    {FACT_TICKET_EPOCH, OWNERSHIP_FAULT_TICKET_EPOCH, 0, ANSWER_TICKET_EPOCH},
    {FACT_TICKET_USED, OWNERSHIP_FAULT_TICKET_USED, 0, ANSWER_TICKET_USED},
    {FACT_TICKET_TWO_CODES, OWNERSHIP_FAULT_TWO_CODES, 0, ANSWER_TWO_CODES},
    {0},
};
static const row_t CSR[] = {
    {FACT_CSR_BAD, OWNERSHIP_FAULT_CSR, 0, ANSWER_CSR},
    {FACT_CSR_NAME, OWNERSHIP_FAULT_CSR_NAME, 0, ANSWER_CSR},
    {FACT_CSR_KEY_KNOWN, OWNERSHIP_FAULT_CSR_KEY, 0, ANSWER_CSR},
    {0},
};

static const row_t *const ROWS[OWNERSHIP_CHECKS] = {
    [OWNERSHIP_CHECK_SIZE] = SIZE,
    [OWNERSHIP_CHECK_RATE] = RATE,
    [OWNERSHIP_CHECK_FORM] = FORM,
    [OWNERSHIP_CHECK_METHOD] = METHOD,
    [OWNERSHIP_CHECK_AUDIENCE] = AUDIENCE,
    [OWNERSHIP_CHECK_KEY] = KEY,
    [OWNERSHIP_CHECK_ALGORITHM] = ALGORITHM,
    [OWNERSHIP_CHECK_SIGNATURE] = SIGNATURE,
    [OWNERSHIP_CHECK_ID] = ID,
    [OWNERSHIP_CHECK_EPOCH] = EPOCH,
    [OWNERSHIP_CHECK_TICKET] = TICKET,
    [OWNERSHIP_CHECK_CSR] = CSR,
};

static unsigned fact(const ownership_facts_t *facts, ownership_check_t check)
{
    switch (check) {
    case OWNERSHIP_CHECK_SIZE:
        return facts->size;
    case OWNERSHIP_CHECK_RATE:
        return facts->rate;
    case OWNERSHIP_CHECK_FORM:
        return facts->form;
    case OWNERSHIP_CHECK_METHOD:
        return facts->method;
    case OWNERSHIP_CHECK_AUDIENCE:
        return facts->audience;
    case OWNERSHIP_CHECK_KEY:
        return facts->key;
    case OWNERSHIP_CHECK_ALGORITHM:
        return facts->algorithm;
    case OWNERSHIP_CHECK_SIGNATURE:
        return facts->signature;
    case OWNERSHIP_CHECK_ID:
        return facts->id;
    case OWNERSHIP_CHECK_RIGHT:
        return facts->right_known ? 1 : 0;
    case OWNERSHIP_CHECK_EPOCH:
        return facts->epoch;
    case OWNERSHIP_CHECK_TICKET:
        return facts->ticket;
    case OWNERSHIP_CHECK_CSR:
        return facts->csr;
    default:
        return 0;
    }
}

/* Tickets are for claims, requests for claims and renewals; everything else is for all. */
static bool applies(const ownership_facts_t *facts, ownership_check_t check)
{
    statement_method_t method = facts->right.method;
    return (check != OWNERSHIP_CHECK_TICKET || method == STATEMENT_CLAIM) &&
           (check != OWNERSHIP_CHECK_CSR || method == STATEMENT_CLAIM || method == STATEMENT_RENEW);
}

ownership_verdict_t ownership_check(const ownership_facts_t *facts)
{
    ownership_verdict_t passed = {.state = OWNERSHIP_CHECK_PASSED, .http = 200};
    answer_reason_t reason;
    for (ownership_check_t check = OWNERSHIP_CHECK_SIZE; check < OWNERSHIP_CHECKS; check++) {
        if (!applies(facts, check)) {
            continue;
        }
        unsigned value = fact(facts, check);
        if (value == 0) {
            return needs(check);
        }
        if (check == OWNERSHIP_CHECK_RIGHT) {
            passed.right = ownership_key_right(&facts->right, &reason);
            if (passed.right == OWNERSHIP_RIGHT_NONE) {
                return signed_failure(check, OWNERSHIP_FAULT_RIGHT, reason);
            }
            continue;
        }
        for (const row_t *row = ROWS[check]; row->value != 0; row++) {
            if (row->value == value) {
                return row->http != 0
                           ? unsigned_failure(check, (ownership_fault_t)row->fault, row->http)
                           : signed_failure(check, (ownership_fault_t)row->fault,
                                            (answer_reason_t)row->answer);
            }
        }
    }
    return passed;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check: the checks of a statement in the order of DESIGN 5.5, as a function over facts.
 *
 * Facts begin as 0, *not looked at*. ownership_check says which fact is needed next, which check
 * failed, or that all have passed; so the order is here and nowhere else, and nothing expensive is
 * done for a statement that an earlier check refuses:
 *
 *     memset(&facts, 0, sizeof(facts));
 *     while ((verdict = ownership_check(&facts)).state == OWNERSHIP_CHECK_NEEDS)
 *         find out about verdict.check, set facts.that;
 *
 * Before the signature is verified the steward does not know who asks: it answers with an HTTP
 * status and no signed answer, which to the device is silence. From then on it signs the refusal.
 */
#ifndef CRADLE_OWNERSHIP_CHECK_H
#define CRADLE_OWNERSHIP_CHECK_H

#include "ownership/keys.h"
#include "statement/jws.h"

typedef enum {
    OWNERSHIP_CHECK_SIZE = 0,
    OWNERSHIP_CHECK_RATE,
    OWNERSHIP_CHECK_FORM, /* with `typ` */
    OWNERSHIP_CHECK_METHOD,
    OWNERSHIP_CHECK_AUDIENCE,
    OWNERSHIP_CHECK_KEY,
    OWNERSHIP_CHECK_ALGORITHM,
    OWNERSHIP_CHECK_SIGNATURE,
    OWNERSHIP_CHECK_ID,
    OWNERSHIP_CHECK_RIGHT, /* denied or stolen */
    OWNERSHIP_CHECK_EPOCH,
    OWNERSHIP_CHECK_TICKET, /* claim        */
    OWNERSHIP_CHECK_CSR,    /* claim, renew */
    OWNERSHIP_CHECKS,
} ownership_check_t;

/* 0 in each: not looked at yet. */
typedef enum { FACT_SIZE_FITS = 1, FACT_SIZE_OVER } fact_size_t;
typedef enum { FACT_RATE_FITS = 1, FACT_RATE_OVER } fact_rate_t;
typedef enum {
    FACT_FORM_GOOD = 1,
    FACT_FORM_TYPE, /* JWS_TYPE                                */
    FACT_FORM_BAD,  /* anything else that jws_open or statement_read refuse, but JWS_METHOD     */
} fact_form_t;
typedef enum {
    FACT_METHOD_GOOD = 1,
    FACT_METHOD_UNKNOWN, /* JWS_METHOD, from carrier or statement                               */
    FACT_METHOD_DIFFERS, /* the carrier says another one than the statement                     */
} fact_method_t;
typedef enum { FACT_AUDIENCE_OURS = 1, FACT_AUDIENCE_OTHER } fact_audience_t;
typedef enum {
    FACT_KEY_REGISTERED = 1, /* x5t#S256 is a row of this SN                                    */
    FACT_KEY_FIRST,      /* a known SN without rows: the leaf that the cloud stored for this device
                            is x5t#S256, and is itself good (DESIGN 5.7)                        */
    FACT_KEY_FIRST_BAD,  /* the same, but that leaf is not good                                 */
    FACT_KEY_OTHER_SN,   /* x5t#S256 is a row of another SN                                     */
    FACT_KEY_UNKNOWN,    /* x5t#S256 is no row at all                                           */
    FACT_KEY_UNKNOWN_SN, /* no such SN                                                          */
} fact_key_t;
typedef enum { FACT_ALGORITHM_PINNED = 1, FACT_ALGORITHM_OTHER } fact_algorithm_t;
typedef enum { FACT_SIGNATURE_GOOD = 1, FACT_SIGNATURE_BAD } fact_signature_t;
typedef enum {
    FACT_ID_BELONGS = 1, /* the cloud's id of the sender is the one on record for this SN        */
    FACT_ID_ADOPT,  /* the id on record is gone, and this lobby record holds the registered leaf */
    FACT_ID_DIRECT, /* HTTPS carrier: there is none; the signature alone says who it is         */
    FACT_ID_OTHER_SN, /* it is the record of another SN                                          */
    FACT_ID_UNKNOWN,  /* a record that is not to be adopted                                       */
} fact_id_t;
typedef enum { FACT_EPOCH_NEW = 1, FACT_EPOCH_CURRENT, FACT_EPOCH_CLOSED } fact_epoch_t;
typedef enum {
    FACT_TICKET_NONE = 1, /* none in the statement, and no claim code and press either           */
    FACT_TICKET_CODE, /* none in the statement; claim code and press stand for it                */
    FACT_TICKET_GOOD,
    FACT_TICKET_REPEATED, /* the same question as before: neither expiry nor single use counts   */
    FACT_TICKET_FORGED,   /* unreadable, or the MAC is not ours                                  */
    FACT_TICKET_EXPIRED,
    FACT_TICKET_DEVICE, /* bound to another device                                               */
    FACT_TICKET_EPOCH,  /* bound to this device in a closed epoch                                */
    FACT_TICKET_USED,   /* its id was used by another question                                   */
    FACT_TICKET_TWO_CODES, /* none in the statement; two accounts entered a claim code           */
} fact_ticket_t;
typedef enum {
    FACT_CSR_GOOD = 1,
    FACT_CSR_BAD,       /* unreadable, weak key, or its own signature fails                      */
    FACT_CSR_NAME,      /* names another SN                                                      */
    FACT_CSR_KEY_KNOWN, /* its key has been certified before (but not for this very question)    */
} fact_csr_t;

typedef struct {
    fact_size_t size;
    fact_rate_t rate;
    fact_form_t form;
    fact_method_t method;
    fact_audience_t audience;
    fact_key_t key;
    fact_algorithm_t algorithm;
    fact_signature_t signature;
    fact_id_t id;
    bool right_known; /* `right` below is filled in; its method and carrier from the beginning  */
    ownership_key_facts_t right;
    fact_epoch_t epoch;
    fact_ticket_t ticket;
    fact_csr_t csr;
} ownership_facts_t;

typedef enum {
    OWNERSHIP_CHECK_NEEDS = 0, /* look at `check`                                                */
    OWNERSHIP_CHECK_FAILED,    /* `check` failed, for `why`                                      */
    OWNERSHIP_CHECK_PASSED,
} ownership_check_state_t;

/* Each failure has a reason of its own. */
typedef enum {
    OWNERSHIP_FAULT_NONE = 0,
    OWNERSHIP_FAULT_SIZE,
    OWNERSHIP_FAULT_RATE,
    OWNERSHIP_FAULT_TYPE,
    OWNERSHIP_FAULT_FORM,
    OWNERSHIP_FAULT_METHOD,
    OWNERSHIP_FAULT_METHOD_DIFFERS,
    OWNERSHIP_FAULT_AUDIENCE,
    OWNERSHIP_FAULT_LEAF,
    OWNERSHIP_FAULT_KEY_OTHER_SN,
    OWNERSHIP_FAULT_KEY_UNKNOWN,
    OWNERSHIP_FAULT_SN,
    OWNERSHIP_FAULT_ALGORITHM,
    OWNERSHIP_FAULT_SIGNATURE,
    OWNERSHIP_FAULT_ID_OTHER_SN,
    OWNERSHIP_FAULT_ID_UNKNOWN,
    OWNERSHIP_FAULT_RIGHT, /* see answer: denied, stolen, only-hello ...                         */
    OWNERSHIP_FAULT_EPOCH,
    OWNERSHIP_FAULT_TICKET_FORGED,
    OWNERSHIP_FAULT_TICKET_EXPIRED,
    OWNERSHIP_FAULT_TICKET_DEVICE,
    OWNERSHIP_FAULT_TICKET_EPOCH,
    OWNERSHIP_FAULT_TICKET_USED,
    OWNERSHIP_FAULT_TWO_CODES,
    OWNERSHIP_FAULT_NO_TICKET,
    OWNERSHIP_FAULT_CSR,
    OWNERSHIP_FAULT_CSR_NAME,
    OWNERSHIP_FAULT_CSR_KEY,
    OWNERSHIP_FAULTS,
} ownership_fault_t;

typedef struct {
    ownership_check_state_t state;
    ownership_check_t check;
    ownership_fault_t fault;
    int http;               /* FAILED before the signature: status of the reply without an answer */
    answer_reason_t answer; /* FAILED after it: a signed `refused` with this reason (http 200) */
    ownership_right_t right; /* PASSED */
} ownership_verdict_t;

ownership_verdict_t ownership_check(const ownership_facts_t *facts);

/* "signature"; "ticket-used" and a sentence for the log. */
const char *ownership_check_name(ownership_check_t check);
const char *ownership_fault_name(ownership_fault_t fault);
const char *ownership_fault_text(ownership_fault_t fault);

#endif

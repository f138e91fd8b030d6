/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer: what the steward says to a device (DESIGN 5.5, docs/protocol.md section 3).
 *
 * Steward:  answer_write, sign with the steward key, jws_append, carrier_write_reply
 * Device:   carrier_read_reply; jws_open(JWS_ANSWER); bundle_find_key(kid); verify; answer_read;
 *           answer_check against the question that is outstanding; bundle_may_answer; burn the
 *           question. Anything that fails on the way is silence: ask again later, nothing is lost.
 */
#ifndef CRADLE_STATEMENT_ANSWER_H
#define CRADLE_STATEMENT_ANSWER_H

#include "statement/ask.h"

#define ANSWER_CHAIN     2       /* certificates in a chain: leaf, renewal CA */
#define ANSWER_CERT_MAX  1536    /* one of them, DER                          */
#define ANSWER_RETRY_MAX 2592000 /* 30 days, seconds                          */

typedef enum {
    ANSWER_STREAM = 0, /* hello: go on; `leaf` is the one on record                             */
    ANSWER_HOLD,       /* hello: send nothing but statements, ask again after `retry_after`     */
    ANSWER_CLAIM,      /* hello: claim, without a ticket if there is none                       */
    ANSWER_RENEW,      /* hello: renew; `leaf` is the one on record                             */
    ANSWER_PENDING,    /* hello: a handover is under way, ask again                             */
    ANSWER_MINE,       /* claim: it is the claimant's; the key stays                            */
    ANSWER_GRANTED,    /* claim: `chain` for the key of the request                             */
    ANSWER_HELD,       /* claim: waits for the owner on record or an operator; ask again        */
    ANSWER_CHAIN_IS,   /* renew: `chain` for the key of the request                             */
    ANSWER_DONE,       /* commit: in the steward's journal                                      */
    ANSWER_BUNDLE,     /* bundle: version `bundle` travels beside the answer (carrier.h)        */
    ANSWER_REFUSED,    /* any: `reason`                                                         */
    ANSWER_RESULTS,
} answer_result_t;

const char *answer_result_name(answer_result_t result);

/* Why something is refused or held. A word that this version does not know is ANSWER_OTHER: wait
   and ask again. */
typedef enum {
    ANSWER_NO_REASON = 0,
    ANSWER_STALE,        /* the epoch is closed                                              */
    ANSWER_DENIED,       /* the signing key has no rights any more                           */
    ANSWER_ONLY_HELLO,   /* a handover is under way: the signing key may only say hello      */
    ANSWER_HELLO_FIRST,  /* the signing key is new: say hello first                          */
    ANSWER_COMMIT_FIRST, /* the signing key was granted, and has not committed              */
    ANSWER_OLD_KEY,      /* a newer key is on record; this one needs the owner's consent     */
    ANSWER_EXPIRED,      /* the leaf expired too long ago                                    */
    ANSWER_STOLEN,       /* reported stolen                                                  */
    ANSWER_NOT_GRANTED,  /* commit: no such chain was granted, or it was voided              */
    ANSWER_NO_TICKET,    /* claim: nobody has said that it is theirs                         */
    ANSWER_TICKET_EXPIRED,
    ANSWER_TICKET_BAD,    /* not made by this steward                                         */
    ANSWER_TICKET_DEVICE, /* for another device                                               */
    ANSWER_TICKET_EPOCH,  /* for this device before it was reset                              */
    ANSWER_TICKET_USED,
    ANSWER_TAKEN,      /* somebody else claimed first in this epoch                        */
    ANSWER_TWO_CODES,  /* two people entered a claim code                                  */
    ANSWER_CLAIMS_OFF, /* this device is not to be claimed                                 */
    ANSWER_CSR,        /* the request cannot be read, names another SN, or its key is known */
    ANSWER_OWNER,      /* held: until the owner on record releases it                      */
    ANSWER_OPERATOR,   /* held: until an operator decides                                  */
    ANSWER_OTHER,
    ANSWER_REASONS,
} answer_reason_t;

/* The word on the wire ("ticket-used"), and one sentence for a person. */
const char *answer_reason_name(answer_reason_t reason);
const char *answer_reason_text(answer_reason_t reason);

/* What a device does about it. */
typedef enum {
    ANSWER_DO_WAIT = 0,     /* nothing: ask again after `retry_after`                           */
    ANSWER_DO_HELLO,        /* say hello now                                                    */
    ANSWER_DO_COMMIT,       /* commit again with this key                                       */
    ANSWER_DO_NEW_EPOCH,    /* draw a new epoch, then hello                                     */
    ANSWER_DO_DROP_TICKET,  /* forget the ticket, then hello; tell the phone if it listens      */
    ANSWER_DO_DROP_PENDING, /* forget the pending key and chain, then hello                     */
    ANSWER_DO_OTHER_KEY,    /* this certificate is of no use: the next in the order             */
} answer_do_t;
answer_do_t answer_reason_do(answer_reason_t reason);

typedef struct {
    char kid[JWS_KID_LEN + 1]; /* of the key that signs; pki_key_id */
    statement_method_t method; /* of the question                   */
    jws_text_t sn;
    uint8_t epoch[JWS_EPOCH_SIZE];
    uint8_t nonce[JWS_NONCE_SIZE]; /* `re`: the question's                                     */
    int64_t issued;                /* `iat`, seconds since 1970, > 0: the device's clock is
                                      never set to before it                                   */
    answer_result_t result;
    int64_t retry_after;         /* seconds, 1 to ANSWER_RETRY_MAX; must be there for the answers to
                                    hello, held and refused; 0 elsewhere means absent                   */
    uint8_t leaf[JWS_HASH_SIZE]; /* stream, renew                                               */
    int64_t bundle;              /* answers to hello: version of the newest bundle, 0 = none;
                                    bundle: the version that is sent                            */
    jws_bytes_t chain[ANSWER_CHAIN]; /* granted, chain: DER; leaf, then renewal CA              */
    answer_reason_t reason;          /* refused, held                                           */
} answer_t;

/* As statement_write and statement_read. The scratch of JWS_ANSWER_MAX_RSA always suffices; on a
   device the payload's own place does. */
jws_result_t answer_write(const answer_t *answer, char *out, size_t cap, size_t *len);
jws_result_t answer_read(jws_t *jws, void *scratch, size_t cap, answer_t *answer);

/* Does this answer belong to the question? In the order of DESIGN 5.5; the caller burns the nonce
   when it does. `question` is the statement that was sent: method, sn, epoch, nonce count. */
typedef enum {
    ANSWER_OURS = 0,
    ANSWER_WRONG_SN,
    ANSWER_WRONG_EPOCH,
    ANSWER_WRONG_METHOD,
    ANSWER_WRONG_QUESTION, /* another `n`: an answer to something asked before, or burnt        */
} answer_match_t;
answer_match_t answer_check(const answer_t *answer, const statement_t *question);

#endif

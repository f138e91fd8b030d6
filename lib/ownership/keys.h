/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys: what a device's key may do, and how its standing changes (DESIGN 5.5 to 5.7).
 *
 * An SN has a row for each certificate that was ever registered or granted for it, each with a
 * standing. Something happens to one of them (the subject); ownership_key_after gives the new
 * standing of every row, which the caller writes in one transaction:
 *
 *     REGISTER      first contact, or preregister: the birth certificate
 *     GRANT         a chain was issued; one that was granted before and not committed is void
 *     WITHDRAW      a claim of a newer epoch came: what is granted and not committed is void
 *     COMMIT_CLAIM, COMMIT_RENEWAL    the subject's commit is in the journal
 *     HELLO_CLAIM, HELLO_RENEWAL      the subject, committed, says its first hello
 *     RESTORE       of a renewal: the subject is the leaf put back (ownership_restore_due)
 *     DENY          an operator denies the subject
 *
 * When a renewal is committed before the claimed key has said hello, it is the claim that counts:
 * HELLO_CLAIM, and no RESTORE.
 *
 * So older keys keep their rights until the commit of a new one is in the journal; from then on
 * they may say hello and hear *pending*; at the new key's first hello they are denied after a
 * claim, birth included, and merely older after a renewal.
 */
#ifndef CRADLE_OWNERSHIP_KEYS_H
#define CRADLE_OWNERSHIP_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "statement/answer.h"

typedef enum {
    OWNERSHIP_KEY_NONE = 0,  /* no such row yet                                                 */
    OWNERSHIP_KEY_GRANTED,   /* issued, not committed: may only commit                          */
    OWNERSHIP_KEY_VOID,      /* issued, and voided before its commit                            */
    OWNERSHIP_KEY_COMMITTED, /* committed, has not said hello yet                               */
    OWNERSHIP_KEY_CURRENT,   /* the newest that is final                                        */
    OWNERSHIP_KEY_OLDER,     /* was current before a renewal                                    */
    OWNERSHIP_KEY_LEAVING,   /* a newer one is committed and has not said hello yet             */
    OWNERSHIP_KEY_DENIED,
    OWNERSHIP_KEY_STANDINGS,
} ownership_key_t;

typedef enum {
    OWNERSHIP_KEY_REGISTER = 0,
    OWNERSHIP_KEY_GRANT,
    OWNERSHIP_KEY_WITHDRAW,
    OWNERSHIP_KEY_COMMIT_CLAIM,
    OWNERSHIP_KEY_COMMIT_RENEWAL,
    OWNERSHIP_KEY_HELLO_CLAIM,
    OWNERSHIP_KEY_HELLO_RENEWAL,
    OWNERSHIP_KEY_RESTORE,
    OWNERSHIP_KEY_DENY,
    OWNERSHIP_KEY_EVENTS,
} ownership_key_event_t;

/* Can this happen to a subject of that standing? If not, nothing is to be changed: a commit that is
   repeated is answered *done* and is no event. */
bool ownership_key_possible(ownership_key_t subject, ownership_key_event_t event);

/* The standing of one row after a possible event; `subject`: it is the row that the event is
   about. */
ownership_key_t ownership_key_after(ownership_key_t standing, ownership_key_event_t event,
                                    bool subject);

typedef enum { OWNERSHIP_BY_RPC = 0, OWNERSHIP_BY_HTTPS, OWNERSHIP_CARRIERS } ownership_carrier_t;

typedef struct {
    ownership_key_t standing;
    bool birth; /* the certificate that the factory made                                        */
    statement_method_t method;
    ownership_carrier_t carrier;
    bool busy;        /* a transfer of this SN is not yet at the step that awaits hello:
                         transfer_busy                                                          */
    bool other_epoch; /* OWNERSHIP_KEY_GRANTED by a claim in another epoch than the statement's  */
    bool consented;   /* the owner has agreed that an older key renews                           */
    bool too_late;    /* the leaf expired longer ago than the policy allows                      */
    bool stolen;      /* the device is reported stolen                                           */
} ownership_key_facts_t;

typedef enum {
    OWNERSHIP_RIGHT_FULL = 0,
    OWNERSHIP_RIGHT_PENDING, /* hello is answered *pending*, whatever else holds                 */
    OWNERSHIP_RIGHT_CONSENT, /* claim: the ticket of the owner on record is consent enough,
                                anyone else's waits (ownership_situation_t.weak_key)             */
    OWNERSHIP_RIGHT_NONE,    /* refused: the reason                                              */
    OWNERSHIP_RIGHTS,
} ownership_right_t;

/* *reason is set for OWNERSHIP_RIGHT_NONE, otherwise ANSWER_NO_REASON. */
ownership_right_t ownership_key_right(const ownership_key_facts_t *facts, answer_reason_t *reason);

/* A renewal that nobody came back from: an hour of the steward's own up-time (seconds) has passed
   since it wrote the new credentials, without a hello or a connection of the new leaf, and the old
   leaf is still valid. Never after a claim, and not while another grant is outstanding: the owner
   is then recovering a device that lost its keys. */
#define OWNERSHIP_RESTORE_AFTER 3600
bool ownership_restore_due(bool after_claim, bool granted, bool seen, bool old_valid,
                           int64_t written_up, int64_t now_up);

const char *ownership_key_name(ownership_key_t standing);
const char *ownership_key_event_name(ownership_key_event_t event);

#endif

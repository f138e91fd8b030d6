/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer: the steps by which a device changes hands (DESIGN 5.6), as a machine that can be cut
 * between any two of them.
 *
 *     transfer_begin(&transfer, &order, now)      in the same transaction as the commit
 *     for (;;) {
 *         keep `transfer` in the journal          transfer_save; before the next action
 *         action = transfer_next(&transfer, now);
 *         do it; look                             result
 *         transfer_apply(&transfer, &action, &result, now);
 *     }
 *
 * Everything that the machine knows is in transfer_t. Every action may be done twice, because the
 * process may have died after doing it and before keeping the journal: deleting what is gone is
 * success, creating is preceded by looking. Records are deleted by id, never by name. What an
 * action found is kept before anything is erased, so that the counts of the receipt survive too.
 *
 * Ways to dispose of the former owner's record:
 *
 *     CREATE     wipe, delete, create the new record with the new leaf at once (default)
 *     ADOPT      wipe, delete, wait until the device has made a record by itself, secure it
 *     REASSIGN   unassign, quarantine, wipe, label and the like too, assign, new leaf last
 *
 * Whatever record of that SN turns up instead of the expected one (a device's handshake got in
 * between) is made ours before it is anybody's: newest leaf and operating profile first, so that
 * nobody else can write to it, then emptied, and only then assigned.
 *
 * The receipt is made as soon as the erasing is proven: with CREATE and ADOPT when the old record
 * is gone, with REASSIGN when the record was read back. It does not wait for the new owner's
 * device to come back, or he could keep it from the former owner. The older keys are denied at the
 * new key's hello.
 *
 * A unit that cannot speak statements (same_leaf) cannot be told to leave either: with CREATE and
 * ADOPT, after TRANSFER_SWEEPS sweeps what still trickles in is left to the deletion.
 *
 * Times are milliseconds from 0 up of any clock that goes on over restarts of the steward. A wait
 * is never longer than TRANSFER_RETRY_CAP_MS, also when that clock was set back.
 */
#ifndef CRADLE_OWNERSHIP_TRANSFER_H
#define CRADLE_OWNERSHIP_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "statement/receipt.h"

#define TRANSFER_ID_SIZE   37   /* a record's id (UUID text) and a NUL                            */
#define TRANSFER_LEAVE_MS  2000 /* from *done* to the first action: the device leaves           */
#define TRANSFER_SETTLE_MS 2000 /* before the second look, for messages that were on their way  */
#define TRANSFER_SWEEPS                                                                            \
    5                              /* with CREATE and ADOPT, so many sweeps; the deletion of the   \
                                      record then erases what still trickles in                    */
#define TRANSFER_RETRY_MS     1000 /* after a failure: doubled with each one in a row ...         */
#define TRANSFER_RETRY_CAP_MS 60000 /* ... up to this */
#define TRANSFER_STUCK        8     /* so many failures are worth an alert                       */
/* ADOPT: after so many strays the record is created instead of waited for. */
#define TRANSFER_STRAYS 2
/* ADOPT: look for the record so often while there is no event about it (the sweep of the lobby). */
#define TRANSFER_LOOK_MS 60000
/* transfer_save: bytes that always suffice. */
#define TRANSFER_TEXT_MAX 512

typedef enum {
    TRANSFER_CREATE = 0,
    TRANSFER_ADOPT,
    TRANSFER_REASSIGN,
    TRANSFER_WAYS
} transfer_way_t;

typedef struct {
    transfer_way_t way;
    bool same_leaf; /* the unit cannot speak statements: same key, no hello is awaited          */
    receipt_authority_t authority;
    char record[TRANSFER_ID_SIZE]; /* id of the former owner's record in the cloud              */
} transfer_order_t;

/* What is wiped one by one; the first six of receipt_item_t. */
#define TRANSFER_ITEMS 6

typedef enum {
    TRANSFER_AT_UNASSIGN = 0, /* reassign                                                       */
    TRANSFER_AT_QUARANTINE,   /* reassign                                                       */
    TRANSFER_AT_LOOK,         /* count what is there; clean twice with a pause between: go on   */
    TRANSFER_AT_ERASE,        /* one item after the other of those that were found              */
    TRANSFER_AT_DELETE,
    TRANSFER_AT_GONE,  /* the old record is read back: it must not be there                   */
    TRANSFER_AT_FIND,  /* which record has this SN now?                                       */
    TRANSFER_AT_STRAY, /* delete a record that must not be (former tenant, somebody else's)   */
    TRANSFER_AT_CREATE,
    TRANSFER_AT_SECURE, /* found one: newest leaf, operating profile, unassigned               */
    TRANSFER_AT_EMPTY,  /* ... and count what others wrote there                               */
    TRANSFER_AT_SWEEP,  /* ... and erase it                                                    */
    TRANSFER_AT_FIELDS, /* reassign: label, additional info, firmware                          */
    TRANSFER_AT_ASSIGN,
    TRANSFER_AT_LEAF,    /* reassign: out of quarantine, with the new leaf                      */
    TRANSFER_AT_CONFIRM, /* the new owner's record is read back                                 */
    TRANSFER_AT_RECEIPT,
    TRANSFER_AT_HELLO, /* the new key's hello is awaited                                      */
    TRANSFER_AT_DENY,
    TRANSFER_AT_END,
    TRANSFER_STEPS,
} transfer_step_t;

/* Members are for reading; transfer_begin, transfer_apply and the two events write them. */
typedef struct {
    transfer_order_t order;
    transfer_step_t step;
    char place[TRANSFER_ID_SIZE]; /* record that is or will be the new owner's; "" until known   */
    char stray[TRANSFER_ID_SIZE]; /* record to be deleted at TRANSFER_AT_STRAY                   */
    uint32_t sweeps;   /* of erasing, on the old record                                         */
    uint32_t strays;   /* records deleted because they must not be                              */
    uint32_t to_erase; /* bit per item                                                          */
    uint32_t unproven; /* bit per item that was not seen empty before the record was deleted    */
    uint32_t failures; /* since the last step that is not done again                            */
    bool clean;        /* the last look at the old record found nothing                         */
    bool proven;       /* ... and the one before                                                */
    bool gone;         /* the old record is not there any more                                  */
    bool placed;       /* the new owner's record was read back and is right                     */
    bool receipt_made;
    int64_t not_before;            /* ms                                                        */
    int64_t found[TRANSFER_ITEMS]; /* on the old record, all looks together                     */
} transfer_t;

/* What the caller does. */
typedef enum {
    TRANSFER_DO_NOTHING = 0, /* until `until`, or an event                                      */
    TRANSFER_DO_UNASSIGN,    /* `id` from its customer                                          */
    TRANSFER_DO_QUARANTINE,  /* `id`: operating profile, credentials a random access token       */
    TRANSFER_DO_COUNT,       /* of `id`: result.count[0 .. TRANSFER_ITEMS); all six are read    */
    TRANSFER_DO_ERASE,       /* `item` of `id`, all of it                                       */
    TRANSFER_DO_DELETE,      /* record `id`                                                     */
    TRANSFER_DO_READ,        /* record `id`: result.place                                       */
    TRANSFER_DO_FIND,        /* the record named SN, first in former tenants, then in the new
                                owner's: result.place                                           */
    TRANSFER_DO_CREATE,      /* SN, operating profile, newest leaf, new owner, in one call       */
    TRANSFER_DO_SECURE,      /* `id`: unassigned, operating profile, newest leaf               */
    TRANSFER_DO_FIELDS,      /* `id`: name = SN; label, additional info, firmware id removed    */
    TRANSFER_DO_ASSIGN,      /* `id` to the new owner                                           */
    TRANSFER_DO_LEAF,        /* `id`: operating profile, newest leaf                            */
    TRANSFER_DO_RECEIPT,     /* make it (transfer_receipt), unless there is one of this transfer */
    TRANSFER_DO_DENY,        /* OWNERSHIP_KEY_HELLO_CLAIM for all rows of the SN                */
    TRANSFER_DO_END,         /* nothing is left to do                                           */
    TRANSFER_ACTIONS,
} transfer_do_t;

typedef struct {
    transfer_do_t what;
    receipt_item_t item; /* TRANSFER_DO_ERASE                                                 */
    const char *id;      /* in the transfer; NULL where there is none                         */
    int64_t until;       /* TRANSFER_DO_NOTHING: ms; INT64_MAX: an event only                 */
} transfer_action_t;

typedef enum { TRANSFER_NOBODYS = 0, TRANSFER_NEW_OWNERS, TRANSFER_SOMEBODYS } transfer_owner_t;

/* A record as it was read back. */
typedef struct {
    bool found;
    char id[TRANSFER_ID_SIZE];
    bool home;  /* in the tenant where the new owner's record belongs                        */
    bool right; /* name is the SN, operating profile, no gateway flag; after FIELDS also: no
                   label, no additional info, no firmware                                    */
    bool leaf;  /* the stored credentials are the newest committed leaf (compared by hash)   */
    transfer_owner_t owner;
} transfer_place_t;

typedef enum {
    TRANSFER_OK = 0,
    TRANSFER_NOT_FOUND, /* the record of `id` is not there (any more)                           */
    TRANSFER_EXISTS, /* CREATE: name or leaf is taken; SECURE, LEAF: another record has the leaf */
    TRANSFER_FAILED, /* no answer, or any other: maybe it was done, maybe not                */
} transfer_outcome_t;

typedef struct {
    transfer_outcome_t outcome;
    int64_t count[TRANSFER_ITEMS]; /* COUNT; an item that cannot be counted exactly: at least 1 */
    transfer_place_t place;        /* READ, FIND                                                */
    char id[TRANSFER_ID_SIZE];     /* CREATE: of the new record                                 */
} transfer_result_t;

/* False when the order makes no sense (an empty record id). */
bool transfer_begin(transfer_t *transfer, const transfer_order_t *order, int64_t now);

/* What to do now; changes nothing. */
transfer_action_t transfer_next(const transfer_t *transfer, int64_t now);

/* What came of it. `action` is what transfer_next gave. */
void transfer_apply(transfer_t *transfer, const transfer_action_t *action,
                    const transfer_result_t *result, int64_t now);

/* Events; to be kept like the rest. The new key said hello: counted only once the transfer is no
   longer busy, and true is returned then: the steward may answer *stream* after TRANSFER_DO_DENY.
   A record of the SN appeared in the lobby: look now. */
bool transfer_hello(transfer_t *transfer);
void transfer_record_seen(transfer_t *transfer, int64_t now);

/* Every hello is to be answered *pending*. */
bool transfer_busy(const transfer_t *transfer);
/* Worth an alert: it fails again and again, or (reassign) data keeps coming in. It goes on trying.
 */
bool transfer_stuck(const transfer_t *transfer);

/* The lines of the receipt, from what was found and done; the caller fills in the rest. */
void transfer_receipt(const transfer_t *transfer, receipt_t *receipt);

/* The journal's text (JSON, TRANSFER_TEXT_MAX bytes suffice) and back. The reader checks every
   member; false for anything that transfer_save cannot have written. */
bool transfer_save(const transfer_t *transfer, char *out, size_t cap, size_t *len);
bool transfer_load(transfer_t *transfer, const char *text, size_t len);

const char *transfer_way_name(transfer_way_t way);
const char *transfer_step_name(transfer_step_t step);
const char *transfer_do_name(transfer_do_t what);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The words of answers, what they mean, and what a device does about them. */
#include "statement/answer.h"

static const char *const RESULTS[ANSWER_RESULTS] = {
    [ANSWER_STREAM] = "stream",   [ANSWER_HOLD] = "hold",       [ANSWER_CLAIM] = "claim",
    [ANSWER_RENEW] = "renew",     [ANSWER_PENDING] = "pending", [ANSWER_MINE] = "mine",
    [ANSWER_GRANTED] = "granted", [ANSWER_HELD] = "held",       [ANSWER_CHAIN_IS] = "chain",
    [ANSWER_DONE] = "done",       [ANSWER_BUNDLE] = "bundle",   [ANSWER_REFUSED] = "refused",
};

const char *answer_result_name(answer_result_t result)
{
    return (unsigned)result < ANSWER_RESULTS ? RESULTS[result] : "?";
}

static const char *const REASONS[ANSWER_REASONS] = {
    [ANSWER_NO_REASON] = "?",
    [ANSWER_STALE] = "stale",
    [ANSWER_DENIED] = "denied",
    [ANSWER_ONLY_HELLO] = "only-hello",
    [ANSWER_HELLO_FIRST] = "hello-first",
    [ANSWER_COMMIT_FIRST] = "commit-first",
    [ANSWER_OLD_KEY] = "old-key",
    [ANSWER_EXPIRED] = "expired",
    [ANSWER_STOLEN] = "stolen",
    [ANSWER_NOT_GRANTED] = "not-granted",
    [ANSWER_NO_TICKET] = "no-ticket",
    [ANSWER_TICKET_EXPIRED] = "ticket-expired",
    [ANSWER_TICKET_BAD] = "ticket-bad",
    [ANSWER_TICKET_DEVICE] = "ticket-device",
    [ANSWER_TICKET_EPOCH] = "ticket-epoch",
    [ANSWER_TICKET_USED] = "ticket-used",
    [ANSWER_TAKEN] = "taken",
    [ANSWER_TWO_CODES] = "two-codes",
    [ANSWER_CLAIMS_OFF] = "claims-off",
    [ANSWER_CSR] = "csr",
    [ANSWER_OWNER] = "owner",
    [ANSWER_OPERATOR] = "operator",
    [ANSWER_OTHER] = "other",
};

/* Those that are not here: wait. */
static const uint8_t DOES[ANSWER_REASONS] = {
    [ANSWER_STALE] = ANSWER_DO_NEW_EPOCH,
    [ANSWER_DENIED] = ANSWER_DO_OTHER_KEY,
    [ANSWER_HELLO_FIRST] = ANSWER_DO_HELLO,
    [ANSWER_COMMIT_FIRST] = ANSWER_DO_COMMIT,
    [ANSWER_OLD_KEY] = ANSWER_DO_OTHER_KEY,
    [ANSWER_EXPIRED] = ANSWER_DO_OTHER_KEY,
    [ANSWER_NOT_GRANTED] = ANSWER_DO_DROP_PENDING,
    [ANSWER_NO_TICKET] = ANSWER_DO_HELLO,
    [ANSWER_TICKET_EXPIRED] = ANSWER_DO_DROP_TICKET,
    [ANSWER_TICKET_BAD] = ANSWER_DO_DROP_TICKET,
    [ANSWER_TICKET_DEVICE] = ANSWER_DO_DROP_TICKET,
    [ANSWER_TICKET_EPOCH] = ANSWER_DO_DROP_TICKET,
    [ANSWER_TICKET_USED] = ANSWER_DO_DROP_TICKET,
    [ANSWER_TAKEN] = ANSWER_DO_DROP_TICKET,
    [ANSWER_TWO_CODES] = ANSWER_DO_HELLO,
    [ANSWER_CLAIMS_OFF] = ANSWER_DO_DROP_TICKET,
    [ANSWER_CSR] = ANSWER_DO_DROP_PENDING,
};

/* Apart from the words, so that a chip that never shows them does not carry them. */
static const char *const TEXTS[ANSWER_REASONS] = {
    [ANSWER_NO_REASON] = "There is no reason.",
    [ANSWER_STALE] = "The device was reset since; this epoch is closed.",
    [ANSWER_DENIED] = "The key that signed has no rights any more.",
    [ANSWER_ONLY_HELLO] =
        "The device is being handed over; until it is done, this key may only say hello.",
    [ANSWER_HELLO_FIRST] = "The key is new: say hello with it first.",
    [ANSWER_COMMIT_FIRST] = "The key was granted; commit it first.",
    [ANSWER_OLD_KEY] = "A newer key is on record; the owner has to agree that this one is used.",
    [ANSWER_EXPIRED] = "The certificate expired too long ago; an operator has to help.",
    [ANSWER_STOLEN] = "The device is reported stolen; its owner has to withdraw that.",
    [ANSWER_NOT_GRANTED] = "No such certificate was granted, or it was voided since.",
    [ANSWER_NO_TICKET] = "Nobody has said that the device is theirs: provision it with a ticket, "
                         "or enter its claim code and press its button.",
    [ANSWER_TICKET_EXPIRED] = "The ticket has expired; provision again with a new one.",
    [ANSWER_TICKET_BAD] = "This steward has not made the ticket.",
    [ANSWER_TICKET_DEVICE] = "The ticket is for another device.",
    [ANSWER_TICKET_EPOCH] =
        "The ticket was made before the device was last reset; provision again with a new one.",
    [ANSWER_TICKET_USED] = "The ticket has been used; provision again with a new one.",
    [ANSWER_TAKEN] = "Somebody else has claimed the device since it was reset.",
    [ANSWER_TWO_CODES] = "Two accounts have entered the claim code, so neither counts: reset the "
                         "device and begin again.",
    [ANSWER_CLAIMS_OFF] = "Devices of this kind are not claimed.",
    [ANSWER_CSR] = "The certificate request cannot be used: unreadable, for another serial number, "
                   "or its key is known already.",
    [ANSWER_OWNER] = "The owner on record has to release the device first.",
    [ANSWER_OPERATOR] = "An operator has to decide.",
    [ANSWER_OTHER] = "For a reason that this version does not know.",
};

const char *answer_reason_name(answer_reason_t reason)
{
    return (unsigned)reason < ANSWER_REASONS ? REASONS[reason] : "?";
}

const char *answer_reason_text(answer_reason_t reason)
{
    return TEXTS[(unsigned)reason < ANSWER_REASONS ? reason : ANSWER_OTHER];
}

answer_do_t answer_reason_do(answer_reason_t reason)
{
    return (unsigned)reason < ANSWER_REASONS ? (answer_do_t)DOES[reason] : ANSWER_DO_WAIT;
}

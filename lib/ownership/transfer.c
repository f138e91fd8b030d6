/* SPDX-License-Identifier: Apache-2.0 */
/* The machine: transfer_next says what to do at a step, transfer_apply which step follows. */
#include <string.h>

#include "ownership/transfer.h"

#define ALL_ITEMS ((1u << TRANSFER_ITEMS) - 1)

static bool reassigns(const transfer_t *t)
{
    return t->order.way == TRANSFER_REASSIGN && !t->gone;
}

bool transfer_begin(transfer_t *transfer, const transfer_order_t *order, int64_t now)
{
    memset(transfer, 0, sizeof(*transfer));
    if (order->record[0] == '\0' || memchr(order->record, '\0', TRANSFER_ID_SIZE) == NULL ||
        (unsigned)order->way >= TRANSFER_WAYS ||
        (unsigned)order->authority >= RECEIPT_AUTHORITIES) {
        return false;
    }
    transfer->order = *order;
    transfer->step = order->way == TRANSFER_REASSIGN ? TRANSFER_AT_UNASSIGN : TRANSFER_AT_LOOK;
    transfer->not_before = now + TRANSFER_LEAVE_MS;
    return true;
}

/* -- what to do ------------------------------------------------------------------------------ */

/* What is done at each step, and to which record. */
static const struct {
    uint8_t what;
    uint8_t on; /* '-' none, 'o' the former owner's, 'p' the new one's, 's' the stray */
} STEPS[TRANSFER_STEPS] = {
    [TRANSFER_AT_UNASSIGN] = {TRANSFER_DO_UNASSIGN, 'o'},
    [TRANSFER_AT_QUARANTINE] = {TRANSFER_DO_QUARANTINE, 'o'},
    [TRANSFER_AT_LOOK] = {TRANSFER_DO_COUNT, 'o'},
    [TRANSFER_AT_ERASE] = {TRANSFER_DO_ERASE, 'o'},
    [TRANSFER_AT_DELETE] = {TRANSFER_DO_DELETE, 'o'},
    [TRANSFER_AT_GONE] = {TRANSFER_DO_READ, 'o'},
    [TRANSFER_AT_FIND] = {TRANSFER_DO_FIND, '-'},
    [TRANSFER_AT_STRAY] = {TRANSFER_DO_DELETE, 's'},
    [TRANSFER_AT_CREATE] = {TRANSFER_DO_CREATE, '-'},
    [TRANSFER_AT_SECURE] = {TRANSFER_DO_SECURE, 'p'},
    [TRANSFER_AT_EMPTY] = {TRANSFER_DO_COUNT, 'p'},
    [TRANSFER_AT_SWEEP] = {TRANSFER_DO_ERASE, 'p'},
    [TRANSFER_AT_FIELDS] = {TRANSFER_DO_FIELDS, 'p'},
    [TRANSFER_AT_ASSIGN] = {TRANSFER_DO_ASSIGN, 'p'},
    [TRANSFER_AT_LEAF] = {TRANSFER_DO_LEAF, 'p'},
    [TRANSFER_AT_CONFIRM] = {TRANSFER_DO_READ, 'p'},
    [TRANSFER_AT_RECEIPT] = {TRANSFER_DO_RECEIPT, '-'},
    [TRANSFER_AT_HELLO] = {TRANSFER_DO_NOTHING, '-'},
    [TRANSFER_AT_DENY] = {TRANSFER_DO_DENY, '-'},
    [TRANSFER_AT_END] = {TRANSFER_DO_END, '-'},
};

/* Commands of others to the device first, so that it gets none while the rest is erased. */
static receipt_item_t next_item(uint32_t to_erase)
{
    receipt_item_t item = RECEIPT_RPCS;
    if ((to_erase >> item & 1) == 0) {
        item = RECEIPT_SERIES;
        while (item < TRANSFER_ITEMS - 1 && (to_erase >> item & 1) == 0) {
            item++;
        }
    }
    return item;
}

/* Both are from 0 up, so the difference is a number too. */
static bool is_due(const transfer_t *t, int64_t now)
{
    return now >= t->not_before || t->not_before - now > TRANSFER_RETRY_CAP_MS;
}

transfer_action_t transfer_next(const transfer_t *transfer, int64_t now)
{
    transfer_action_t action = {TRANSFER_DO_NOTHING, RECEIPT_SERIES, NULL, INT64_MAX};
    if (transfer->step == TRANSFER_AT_HELLO) {
        return action;
    }
    if (!is_due(transfer, now)) {
        action.until = transfer->not_before;
        return action;
    }
    action.what = (transfer_do_t)STEPS[transfer->step].what;
    switch (STEPS[transfer->step].on) {
    case 'o':
        action.id = transfer->order.record;
        break;
    case 'p':
        action.id = transfer->place;
        break;
    case 's':
        action.id = transfer->stray;
        break;
    default:
        break;
    }
    if (action.what == TRANSFER_DO_ERASE) {
        action.item = next_item(transfer->to_erase);
    }
    action.until = now;
    return action;
}

/* -- what follows ---------------------------------------------------------------------------- */

static void go(transfer_t *t, transfer_step_t step)
{
    t->step = step;
}

/* A step that is never done again has been done. */
static void progress(transfer_t *t)
{
    t->failures = 0;
}

static void fail(transfer_t *t, int64_t now)
{
    int64_t delay = TRANSFER_RETRY_MS;
    for (uint32_t i = 0; i < t->failures && delay < TRANSFER_RETRY_CAP_MS; i++) {
        delay *= 2;
    }
    t->not_before = now + (delay < TRANSFER_RETRY_CAP_MS ? delay : TRANSFER_RETRY_CAP_MS);
    if (t->failures < UINT32_MAX) {
        t->failures++;
    }
}

/* Not as expected, which a first look can cure: the first time at once, then with delay. */
static void again(transfer_t *t, transfer_step_t step, int64_t now)
{
    bool first = t->failures == 0;
    fail(t, now);
    if (first) {
        t->not_before = now;
    }
    go(t, step);
}

/* The former owner's record vanished under our hands: gone is gone, but nothing was proven. */
static void vanished(transfer_t *t)
{
    if (!t->proven) {
        t->unproven = ALL_ITEMS;
    }
    go(t, TRANSFER_AT_GONE);
}

static void dispose(transfer_t *t)
{
    if (reassigns(t)) {
        memcpy(t->place, t->order.record, sizeof(t->place));
        go(t, TRANSFER_AT_FIELDS);
    } else {
        go(t, TRANSFER_AT_DELETE);
    }
}

static uint32_t mask_of(const int64_t count[TRANSFER_ITEMS])
{
    uint32_t mask = 0;
    for (int i = 0; i < TRANSFER_ITEMS; i++) {
        mask |= count[i] > 0 ? 1u << i : 0;
    }
    return mask;
}

static void after_look(transfer_t *t, const transfer_result_t *result, int64_t now)
{
    uint32_t mask = mask_of(result->count);
    progress(t);
    for (int i = 0; i < TRANSFER_ITEMS; i++) {
        int64_t room = INT64_MAX - t->found[i];
        int64_t count = result->count[i] > 0 ? result->count[i] : 0;
        t->found[i] += count < room ? count : room;
    }
    if (mask == 0 && t->clean) {
        t->proven = true;
        dispose(t);
    } else if (mask == 0) {
        t->clean = true;
        t->not_before = now + TRANSFER_SETTLE_MS;
    } else if (t->sweeps >= TRANSFER_SWEEPS && !reassigns(t)) {
        t->unproven = mask;
        dispose(t);
    } else {
        t->clean = false;
        t->to_erase = mask;
        if (t->sweeps >= TRANSFER_SWEEPS) { /* a record that is kept must become empty */
            t->not_before = now + TRANSFER_RETRY_CAP_MS;
        }
        t->sweeps += t->sweeps < UINT32_MAX;
        go(t, TRANSFER_AT_ERASE);
    }
}

/* One item was erased; when it was the last, look. */
static void after_erase(transfer_t *t, transfer_step_t look)
{
    t->to_erase &= ~(1u << next_item(t->to_erase));
    if (t->to_erase == 0) {
        go(t, look);
    }
}

static void after_gone(transfer_t *t, const transfer_result_t *result, int64_t now)
{
    if (result->outcome == TRANSFER_OK && result->place.found) {
        again(t, reassigns(t) ? TRANSFER_AT_LOOK : TRANSFER_AT_DELETE, now);
        return;
    }
    progress(t);
    t->gone = true;
    t->place[0] = '\0';
    go(t, t->receipt_made ? TRANSFER_AT_FIND : TRANSFER_AT_RECEIPT);
}

static bool waits_for_device(const transfer_t *t)
{
    return t->order.way == TRANSFER_ADOPT && t->strays < TRANSFER_STRAYS;
}

static void after_find(transfer_t *t, const transfer_place_t *place, int64_t now)
{
    if (!place->found) {
        if (waits_for_device(t)) {
            t->not_before = now + TRANSFER_LOOK_MS;
        } else {
            go(t, TRANSFER_AT_CREATE);
        }
    } else if (strcmp(place->id, t->order.record) == 0) {
        again(t, TRANSFER_AT_DELETE, now);
    } else if (!place->home || place->owner == TRANSFER_SOMEBODYS) {
        memcpy(t->stray, place->id, sizeof(t->stray));
        go(t, TRANSFER_AT_STRAY);
    } else {
        bool ready = place->right && place->leaf && place->owner == TRANSFER_NEW_OWNERS;
        memcpy(t->place, place->id, sizeof(t->place));
        go(t, ready ? TRANSFER_AT_CONFIRM : TRANSFER_AT_SECURE);
    }
}

static void after_stray(transfer_t *t)
{
    t->strays += t->strays < UINT32_MAX;
    /* At once, before a device comes back to where it must not be. */
    go(t, waits_for_device(t) ? TRANSFER_AT_FIND : TRANSFER_AT_CREATE);
}

static void after_empty(transfer_t *t, const transfer_result_t *result, int64_t now)
{
    t->to_erase = mask_of(result->count);
    if (t->to_erase == 0) {
        go(t, TRANSFER_AT_ASSIGN);
    } else {
        again(t, TRANSFER_AT_SWEEP, now);
    }
}

static void finish(transfer_t *t)
{
    go(t, t->order.same_leaf ? TRANSFER_AT_END : TRANSFER_AT_HELLO);
}

static void after_confirm(transfer_t *t, const transfer_place_t *place, int64_t now)
{
    if (!place->found) {
        again(t, reassigns(t) ? TRANSFER_AT_GONE : TRANSFER_AT_FIND, now);
    } else if (!place->home || !place->right || !place->leaf ||
               place->owner != TRANSFER_NEW_OWNERS) {
        again(t, reassigns(t) ? TRANSFER_AT_FIELDS : TRANSFER_AT_FIND, now);
    } else {
        progress(t);
        t->placed = true;
        if (t->receipt_made) {
            finish(t);
        } else {
            go(t, TRANSFER_AT_RECEIPT);
        }
    }
}

/* The record that the step was about is not there. */
static void after_not_found(transfer_t *t, int64_t now)
{
    switch (t->step) {
    case TRANSFER_AT_DELETE:
        go(t, TRANSFER_AT_GONE);
        break;
    case TRANSFER_AT_STRAY:
        after_stray(t);
        break;
    case TRANSFER_AT_SECURE:
    case TRANSFER_AT_EMPTY:
    case TRANSFER_AT_SWEEP:
        again(t, TRANSFER_AT_FIND, now);
        break;
    case TRANSFER_AT_ASSIGN:
        again(t, reassigns(t) ? TRANSFER_AT_GONE : TRANSFER_AT_FIND, now);
        break;
    default:
        vanished(t);
    }
}

static void after_success(transfer_t *t, const transfer_result_t *result, int64_t now)
{
    switch (t->step) {
    case TRANSFER_AT_UNASSIGN:
        progress(t);
        go(t, TRANSFER_AT_QUARANTINE);
        break;
    case TRANSFER_AT_QUARANTINE:
        progress(t);
        go(t, TRANSFER_AT_LOOK);
        break;
    case TRANSFER_AT_LOOK:
        after_look(t, result, now);
        break;
    case TRANSFER_AT_ERASE:
        progress(t);
        after_erase(t, TRANSFER_AT_LOOK);
        break;
    case TRANSFER_AT_DELETE:
        go(t, TRANSFER_AT_GONE);
        break;
    case TRANSFER_AT_STRAY:
        after_stray(t);
        break;
    case TRANSFER_AT_CREATE:
        memcpy(t->place, result->id, sizeof(t->place));
        go(t, TRANSFER_AT_CONFIRM);
        break;
    case TRANSFER_AT_SECURE:
        /* A unit that goes on with the same key streams already: what it wrote is its own. */
        go(t, t->order.same_leaf ? TRANSFER_AT_ASSIGN : TRANSFER_AT_EMPTY);
        break;
    case TRANSFER_AT_EMPTY:
        after_empty(t, result, now);
        break;
    case TRANSFER_AT_SWEEP:
        after_erase(t, TRANSFER_AT_EMPTY);
        break;
    case TRANSFER_AT_FIELDS:
        go(t, TRANSFER_AT_ASSIGN);
        break;
    case TRANSFER_AT_ASSIGN:
        go(t, reassigns(t) ? TRANSFER_AT_LEAF : TRANSFER_AT_CONFIRM);
        break;
    case TRANSFER_AT_LEAF:
        go(t, TRANSFER_AT_CONFIRM);
        break;
    case TRANSFER_AT_RECEIPT:
        progress(t);
        t->receipt_made = true;
        if (t->placed) {
            finish(t);
        } else {
            go(t, TRANSFER_AT_FIND);
        }
        break;
    case TRANSFER_AT_DENY:
        go(t, TRANSFER_AT_END);
        break;
    default:
        break;
    }
}

void transfer_apply(transfer_t *transfer, const transfer_action_t *action,
                    const transfer_result_t *result, int64_t now)
{
    static const transfer_place_t nowhere;
    if (action->what == TRANSFER_DO_NOTHING || action->what == TRANSFER_DO_END) {
        return;
    }
    bool there = result->outcome == TRANSFER_OK;
    bool looks = transfer->step == TRANSFER_AT_CREATE || transfer->step == TRANSFER_AT_SECURE;
    if (result->outcome == TRANSFER_FAILED || (result->outcome == TRANSFER_EXISTS && !looks)) {
        fail(transfer, now);
        return;
    }
    transfer->not_before = now;
    switch (transfer->step) {
    case TRANSFER_AT_GONE:
        after_gone(transfer, result, now);
        break;
    case TRANSFER_AT_FIND:
        after_find(transfer, there ? &result->place : &nowhere, now);
        break;
    case TRANSFER_AT_CONFIRM:
        after_confirm(transfer, there ? &result->place : &nowhere, now);
        break;
    case TRANSFER_AT_CREATE:
        if (!there) {
            again(transfer, TRANSFER_AT_FIND, now);
            break;
        }
        after_success(transfer, result, now);
        break;
    default:
        if (there) {
            after_success(transfer, result, now);
        } else {
            after_not_found(transfer, now);
        }
    }
}

/* -- events and looks ------------------------------------------------------------------------ */

bool transfer_hello(transfer_t *transfer)
{
    if (transfer->step == TRANSFER_AT_HELLO) {
        go(transfer, TRANSFER_AT_DENY);
        transfer->not_before = 0;
    }
    return transfer->step == TRANSFER_AT_DENY || transfer->step == TRANSFER_AT_END;
}

void transfer_record_seen(transfer_t *transfer, int64_t now)
{
    if (transfer->step == TRANSFER_AT_FIND) {
        transfer->not_before = now;
    }
}

bool transfer_busy(const transfer_t *transfer)
{
    return transfer->step < TRANSFER_AT_HELLO;
}

bool transfer_stuck(const transfer_t *transfer)
{
    return transfer->failures >= TRANSFER_STUCK ||
           (reassigns(transfer) && transfer->sweeps > TRANSFER_SWEEPS);
}

static void add_line(receipt_t *receipt, receipt_item_t item, receipt_state_t state, int64_t count,
                     receipt_reason_t reason)
{
    receipt_line_t line = {item, state, count, reason};
    receipt->lines[receipt->line_count++] = line;
}

void transfer_receipt(const transfer_t *transfer, receipt_t *receipt)
{
    bool kept = !transfer->gone;
    receipt->authority = transfer->order.authority;
    receipt->line_count = 0;
    for (int i = 0; i < TRANSFER_ITEMS; i++) {
        bool proven = (transfer->unproven >> i & 1) == 0;
        add_line(receipt, (receipt_item_t)i, proven ? RECEIPT_ERASED : RECEIPT_REQUESTED,
                 transfer->found[i], RECEIPT_NO_REASON);
    }
    receipt_state_t state = kept ? RECEIPT_RETAINED : RECEIPT_ERASED;
    receipt_reason_t reason = kept ? RECEIPT_REASSIGNED : RECEIPT_NO_REASON;
    add_line(receipt, RECEIPT_RECORD, state, -1, reason);
    add_line(receipt, RECEIPT_LABEL, RECEIPT_ERASED, -1, RECEIPT_NO_REASON);
    add_line(receipt, RECEIPT_FIRMWARE, RECEIPT_ERASED, -1, RECEIPT_NO_REASON);
    add_line(receipt, RECEIPT_SESSIONS, state, -1, reason);
    if (transfer->order.same_leaf) {
        add_line(receipt, RECEIPT_KEY, RECEIPT_RETAINED, -1, RECEIPT_SAME_KEY);
    } else {
        add_line(receipt, RECEIPT_KEY, RECEIPT_ERASED, -1, RECEIPT_NO_REASON);
    }
    add_line(receipt, RECEIPT_AUDIT, RECEIPT_RETAINED, -1, RECEIPT_BY_SERVER);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steward (DESIGN 5.5, 5.6): which question is next, and what its answer means. One question
 * at a time; how one is carried is talk.c's, whom to believe trust.c's.
 *
 * Order: a newer bundle; the commit of a chain that is stored (whenever an older certificate is in
 * use); the claim of a ticket; a renewal; hello. Whatever is no answer is silence: back-off, and
 * the same question again under a new nonce. Everything that must not be forgotten is in the
 * settings before it is acted upon: `ticket` and the port's `pending` until *done* or *mine*, the
 * granted slot until *done*, *stream* for the epoch.
 */
#include <string.h>

#include "core/internal.h"

#define CALLED_MS 1000

static const char *const SLOTS[CRADLE_SLOTS] = {"", "slot1", "slot2"};

/* -- certificates ----------------------------------------------------------------------------- */

/* Reads what certificates there are, and in which order they are tried: newest first, birth last.
   A connection that stands keeps its slot. */
static void load_leaves(cradle_device_t *device)
{
    cradle_steward_t *s = &device->steward;
    uint8_t in_use = device->slots[device->slot_at];
    memset(s->leaves, 0, sizeof s->leaves);
    for (uint8_t i = 0; i < CRADLE_SLOTS; i++) {
        s->has[i] =
            device->port->leaf != NULL && device->port->leaf(device->port->ctx, i, &s->leaves[i]);
    }
    if (!s->has[0]) {
        s->leaves[0].not_after = device->facts.birth_not_after;
    }
    uint8_t newer = s->leaves[2].counter > s->leaves[1].counter ? 2 : 1;
    const uint8_t order[CRADLE_SLOTS] = {newer, (uint8_t)(3 - newer), 0};
    device->slot_count = 0;
    device->slot_at = 0;
    for (uint8_t i = 0; i < CRADLE_SLOTS; i++) {
        if (s->has[order[i]] || order[i] == 0) {
            if (order[i] == in_use && device->cloud_on) {
                device->slot_at = device->slot_count;
            }
            device->slots[device->slot_count++] = order[i];
        }
    }
}

static void drop_slot(cradle_device_t *device, uint8_t slot)
{
    cradle_steward_t *s = &device->steward;
    core_erase(device, SLOTS[slot]);
    if (s->granted == slot) {
        s->granted = 0;
        core_store_keep_steward(device);
    }
}

static uint8_t in_use(const cradle_device_t *device)
{
    const cradle_steward_t *s = &device->steward;
    if (device->cloud_on) {
        return device->slots[device->slot_at];
    }
    /* By HTTPS: the newest that is committed. */
    return device->slots[device->slots[0] == s->granted && s->granted != 0 ? 1 : 0];
}

uint32_t core_steward_counter(const cradle_device_t *device)
{
    const cradle_leaf_t *leaves = device->steward.leaves;
    uint32_t most = leaves[1].counter > leaves[2].counter ? leaves[1].counter : leaves[2].counter;
    return most + 1;
}

/* Never the one in use; rather one that is newer than that (the cloud refused it), then an empty
   one, then the older one. */
static uint8_t spare(const cradle_device_t *device)
{
    const cradle_steward_t *s = &device->steward;
    uint8_t used = in_use(device);
    if (used != 0) {
        return (uint8_t)(3 - used);
    }
    if (!s->has[1] || !s->has[2]) {
        return s->has[1] ? 2 : 1;
    }
    return s->leaves[1].counter < s->leaves[2].counter ? 1 : 2;
}

/* -- when to ask, and what -------------------------------------------------------------------- */

bool core_steward_holds(const cradle_device_t *device)
{
    return device->facts.ask && device->steward.there && !device->steward.streaming;
}

static statement_method_t choose(const cradle_device_t *device, uint8_t *signer)
{
    const cradle_steward_t *s = &device->steward;
    *signer = in_use(device);
    if (s->fetch) {
        return STATEMENT_BUNDLE;
    }
    if (s->commit || (s->granted != 0 && s->granted != *signer)) {
        *signer = s->granted != 0 ? s->granted : *signer;
        return STATEMENT_COMMIT;
    }
    if (!s->hello && (s->ticket || s->claim)) {
        return STATEMENT_CLAIM;
    }
    return !s->hello && s->renew ? STATEMENT_RENEW : STATEMENT_HELLO;
}

static bool carrier(const cradle_device_t *device)
{
    return device->direct || (device->cloud_on && device->subscribed);
}

void core_steward_go(cradle_device_t *device)
{
    cradle_steward_t *s = &device->steward;
    uint8_t signer;
    if (!s->there || s->step != CORE_TALK_IDLE || !s->due || !carrier(device) ||
        device->reply_due) {
        return;
    }
    if (!s->loaded) {
        core_trust_load(device);
        return;
    }
    s->due = false;
    s->hurry++;
    statement_method_t method = choose(device, &signer);
    core_talk_begin(device, method, signer);
}

void core_steward_timer(cradle_device_t *device)
{
    if (device->steward.step == CORE_TALK_WAIT) {
        core_steward_silent(device);
        return;
    }
    device->steward.due = true;
}

void core_steward_down(cradle_device_t *device)
{
    cradle_steward_t *s = &device->steward;
    if (s->step != CORE_TALK_IDLE) {
        core_talk_drop(device);
        core_disarm(device, CRADLE_TIMER_STEWARD);
        s->due = true; /* in the next connection */
    }
}

/* Nothing more for now: `after` milliseconds and some. */
static void rest(cradle_device_t *device, uint32_t after, const char *why)
{
    cradle_steward_t *s = &device->steward;
    s->hurry = 0;
    s->due = false;
    if (s->called) {
        s->called = false;
        s->hello = true;
        after = after < CALLED_MS ? after : CALLED_MS;
    }
    after += core_backoff(device, after / 16, CRADLE_STEWARD_CAP_MS, 0);
    core_arm(device, CRADLE_TIMER_STEWARD, after);
    core_lifecycle_waits(device, why, after);
    if (device->direct) {
        core_lifecycle_indirect(device);
    }
}

static void wait_as_told(cradle_device_t *device)
{
    device->steward.attempt = 0;
    rest(device, device->steward.after * 1000,
         device->steward.answer == ANSWER_PENDING ? "handing over" : "the steward has it wait");
}

/* The next question at once, unless that has been so too often. */
static void hurry(cradle_device_t *device)
{
    cradle_steward_t *s = &device->steward;
    s->attempt = 0;
    if (s->hurry >= CRADLE_STEWARD_HURRY) {
        uint32_t after = s->after * 1000;
        rest(device, after > CRADLE_STEWARD_CALM_MS ? after : CRADLE_STEWARD_CALM_MS, "");
        return;
    }
    s->due = true;
}

void core_steward_silent(cradle_device_t *device)
{
    cradle_steward_t *s = &device->steward;
    if (s->method == STATEMENT_BUNDLE) {
        s->fetch = false; /* no reason to ask nothing else */
    }
    core_talk_drop(device);
    s->after = 0;
    s->reason = ANSWER_NO_REASON;
    uint32_t wait = core_backoff(device, CRADLE_STEWARD_BASE_MS, CRADLE_STEWARD_CAP_MS, s->attempt);
    s->attempt++; /* begins anew after 256 */
    rest(device, wait, "the steward does not answer");
}

void core_steward_unsaid(cradle_device_t *device)
{
    /* It would not be read. Only the ticket came from outside. */
    if (device->steward.method == STATEMENT_CLAIM) {
        core_store_drop_ticket(device);
    }
    core_steward_silent(device);
}

void core_steward_fetched(cradle_device_t *device)
{
    device->steward.fetch = false;
    hurry(device); /* at least a hello, which reports it */
}

static void hello_now(cradle_device_t *device)
{
    device->steward.hello = true;
    hurry(device);
}

void core_steward_call(cradle_device_t *device)
{
    cradle_steward_t *s = &device->steward;
    if (s->step != CORE_TALK_IDLE) {
        s->called = true;
    } else {
        s->hello = true;
        core_disarm(device, CRADLE_TIMER_STEWARD);
        s->due = true;
    }
}

void core_steward_press(cradle_device_t *device)
{
    device->steward.press = true;
    core_steward_call(device);
}

/* -- what answers mean ------------------------------------------------------------------------ */

static void forget_claim(cradle_device_t *device)
{
    device->steward.claim = false;
    core_erase(device, CORE_PENDING);
    core_store_drop_ticket(device);
}

/* The leaf on record: what is newer was never committed, or was put back. */
static void settle_leaves(cradle_device_t *device, const uint8_t *on_record)
{
    cradle_steward_t *s = &device->steward;
    for (uint8_t i = 0; i < CRADLE_SLOTS; i++) {
        if (!s->has[i] || memcmp(s->leaves[i].hash, on_record, sizeof s->leaves[i].hash) != 0) {
            continue;
        }
        for (uint8_t j = 1; j < CRADLE_SLOTS; j++) {
            if (s->has[j] && s->leaves[j].counter > s->leaves[i].counter) {
                drop_slot(device, j);
            }
        }
        if (s->granted == i && i != 0) {
            s->granted = 0; /* *done* was not heard */
            forget_claim(device);
        }
        break;
    }
    load_leaves(device);
}

/* The certificate in use is gone: come back with another. */
static bool left(cradle_device_t *device, uint8_t used)
{
    if (device->steward.has[used]) {
        return false;
    }
    device->steward.due = true;
    core_lifecycle_return(device);
    return true;
}

static void stream(cradle_device_t *device, const answer_t *answer)
{
    cradle_steward_t *s = &device->steward;
    uint8_t used = in_use(device);
    settle_leaves(device, answer->leaf);
    if (left(device, used)) {
        return;
    }
    s->press = false;
    bool fresh = s->fresh; /* renewed, or refused that: not once more before the next hello */
    s->fresh = false;
    s->renew = !fresh && (answer->result == ANSWER_RENEW ||
                          (device->clock_set && core_talk_days(device, used) <= CRADLE_RENEW_DAYS));
    if (s->ticket) {
        hurry(device); /* who owns it is not settled yet */
        return;
    }
    bool begins = !s->streaming && (fresh || answer->result == ANSWER_STREAM);
    s->streaming = s->streaming || begins;
    core_store_keep_steward(device);
    if (begins) {
        core_lifecycle_stream(device);
    }
    if (s->renew || s->fetch) {
        hurry(device);
    } else {
        wait_as_told(device);
    }
}

static void hello_answered(cradle_device_t *device, const answer_t *answer)
{
    cradle_steward_t *s = &device->steward;
    s->hello = false;
    s->fetch = answer->bundle > s->bundle.version;
    switch (answer->result) {
    case ANSWER_STREAM:
    case ANSWER_RENEW:
        stream(device, answer);
        break;
    case ANSWER_CLAIM:
        s->claim = true;
        s->press = false;
        hurry(device);
        break;
    default: /* ANSWER_HOLD, ANSWER_PENDING */
        s->hello = answer->result == ANSWER_PENDING;
        if (s->fetch || (s->ticket && !s->hello)) {
            hurry(device);
        } else {
            wait_as_told(device);
        }
        break;
    }
}

static void granted(cradle_device_t *device, const answer_t *answer)
{
    cradle_steward_t *s = &device->steward;
    s->spare = spare(device);
    memcpy(s->chain, answer->chain, sizeof s->chain);
    core_talk_step(device, CORE_TALK_KEEP);
}

void core_steward_kept(cradle_device_t *device, bool good)
{
    cradle_steward_t *s = &device->steward;
    core_talk_drop(device);
    load_leaves(device);
    if (!good || !s->has[s->spare]) {
        core_steward_silent(device); /* not for our key, or no room: asked again */
        return;
    }
    s->renew = false;
    s->granted = s->spare;
    if (!core_store_keep_steward(device)) {
        s->granted = 0;
        core_steward_silent(device);
        return;
    }
    hurry(device);
}

static void done(cradle_device_t *device)
{
    cradle_steward_t *s = &device->steward;
    forget_claim(device);
    s->granted = 0;
    s->commit = false;
    core_store_keep_steward(device);
    load_leaves(device);
    s->hello = true;
    s->fresh = true;
    s->due = true;
    s->hurry = 0;
    core_disarm(device, CRADLE_TIMER_STEWARD);
    core_lifecycle_return(device);
}

static void drop_pending(cradle_device_t *device)
{
    cradle_steward_t *s = &device->steward;
    uint8_t used = in_use(device);
    core_erase(device, CORE_PENDING);
    if (s->granted != 0) {
        drop_slot(device, s->granted);
        load_leaves(device);
    }
    s->commit = false;
    if (!left(device, used)) {
        hello_now(device);
    }
}

static void new_epoch(cradle_device_t *device)
{
    cradle_steward_t *s = &device->steward;
    bool streaming = s->streaming;
    core_store_new_epoch(device);
    core_store_drop_ticket(device); /* it was for the epoch before */
    s->claim = false;
    s->hello = true;
    if (streaming && device->facts.ask) {
        s->due = true;
        core_lifecycle_ask(device);
    } else {
        hurry(device);
    }
}

static void refused(cradle_device_t *device, const answer_t *answer)
{
    cradle_steward_t *s = &device->steward;
    s->claim = false;
    s->fresh = s->renew;
    s->renew = false;
    switch (answer_reason_do(answer->reason)) {
    case ANSWER_DO_HELLO:
        hello_now(device);
        break;
    case ANSWER_DO_COMMIT:
        s->commit = true;
        hurry(device);
        break;
    case ANSWER_DO_NEW_EPOCH:
        new_epoch(device);
        break;
    case ANSWER_DO_DROP_TICKET:
        core_store_drop_ticket(device);
        hello_now(device);
        break;
    case ANSWER_DO_DROP_PENDING:
        drop_pending(device);
        break;
    case ANSWER_DO_OTHER_KEY:
        wait_as_told(device);
        core_lifecycle_other_key(device);
        break;
    case ANSWER_DO_WAIT:
    default:
        s->hello = answer->reason == ANSWER_ONLY_HELLO;
        wait_as_told(device);
        break;
    }
}

void core_steward_answer(cradle_device_t *device, const answer_t *answer)
{
    cradle_steward_t *s = &device->steward;
    s->answer = (uint8_t)answer->result;
    s->reason = (uint8_t)answer->reason;
    s->after = (uint32_t)answer->retry_after;
    core_telemetry_floor(device, answer->issued);
    switch (answer->result) {
    case ANSWER_MINE:
        forget_claim(device);
        hello_now(device);
        break;
    case ANSWER_GRANTED:
    case ANSWER_CHAIN_IS:
        granted(device, answer);
        break;
    case ANSWER_DONE:
        done(device);
        break;
    case ANSWER_HELD:
        wait_as_told(device);
        break;
    case ANSWER_REFUSED:
        refused(device, answer);
        break;
    default:
        hello_answered(device, answer);
        break;
    }
}

void core_steward_begin(cradle_device_t *device)
{
    cradle_steward_t *s = &device->steward;
    s->answer = ANSWER_RESULTS;
    s->hello = false;
    s->due = true;
    load_leaves(device);
    s->there = s->has[0] && device->facts.steward != NULL && device->facts.steward[0] != '\0' &&
               device->facts.site != NULL && device->facts.anchor_len > 0;
    if (s->granted != 0 && !s->has[s->granted]) {
        s->granted = 0;
    }
}

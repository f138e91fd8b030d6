/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question to the steward, from the statement to the verified answer:
 *
 *     IDLE -> (REQUEST) -> SIGN -> SEND -> WAIT -> VERIFY -> (KEEP) -> IDLE
 *
 * From SIGN to SEND and from VERIFY to its end the shared buffer is ours: nothing else is made in
 * it meanwhile (core_talk_busy). What is asked, and what an answer means, is steward.c's.
 */
#include <string.h>

#include "base/bytes.h"
#include "core/internal.h"

#define DAY 86400

bool core_talk_busy(const cradle_device_t *device)
{
    uint8_t step = device->steward.step;
    return step != CORE_TALK_IDLE && step != CORE_TALK_REQUEST && step != CORE_TALK_WAIT;
}

/* A new token: what was asked for before is not awaited any more. */
void core_talk_step(cradle_device_t *device, core_talk_step_t step)
{
    static const uint8_t actions[] = {
        [CORE_TALK_REQUEST] = CRADLE_ACTION_REQUEST, [CORE_TALK_SIGN] = CRADLE_ACTION_SIGN,
        [CORE_TALK_VERIFY] = CRADLE_ACTION_VERIFY,   [CORE_TALK_BUNDLE] = CRADLE_ACTION_VERIFY,
        [CORE_TALK_KEEP] = CRADLE_ACTION_KEEP,
    };
    cradle_steward_t *s = &device->steward;
    device->pending &= ~(((2u << CRADLE_ACTION_POST) - 1) & ~((1u << CRADLE_ACTION_SIGN) - 1));
    s->token++;
    s->step = (uint8_t)step;
    if (step < sizeof actions && actions[step] != 0) {
        core_want(device, (cradle_action_type_t)actions[step]);
    }
}

void core_talk_drop(cradle_device_t *device)
{
    core_talk_step(device, CORE_TALK_IDLE);
    bytes_wipe(device->steward.nonce, sizeof device->steward.nonce);
}

/* -- the statement ---------------------------------------------------------------------------- */

/* What both the question and the check of its answer name. */
static void fill_statement(const cradle_device_t *device, statement_t *say)
{
    const cradle_steward_t *s = &device->steward;
    memset(say, 0, sizeof *say);
    say->method = (statement_method_t)s->method;
    say->site = jws_text(device->facts.site);
    say->sn = jws_text(device->facts.sn);
    memcpy(say->epoch, device->epoch, sizeof say->epoch);
    memcpy(say->nonce, s->nonce, sizeof say->nonce);
}

/* 24855 stands for all that is further away. */
int32_t core_talk_days(const cradle_device_t *device, uint8_t slot)
{
    int64_t left = device->steward.leaves[slot].not_after - core_telemetry_now(device) / 1000;
    return (left > INT32_MAX ? INT32_MAX : (int32_t)left) / DAY;
}

static void write_statement(cradle_device_t *device, const void *csr, size_t csr_len)
{
    cradle_steward_t *s = &device->steward;
    const cradle_leaf_t *leaf = &s->leaves[s->signer];
    char ticket[JWS_TICKET_MAX];
    statement_t say;
    size_t at;
    size_t len = 0;
    device->port->random(device->port->ctx, s->nonce, sizeof s->nonce);
    fill_statement(device, &say);
    say.alg = leaf->rsa ? JWS_RS256 : JWS_ES256;
    memcpy(say.signer, leaf->hash, sizeof say.signer);
    memcpy(say.leaf, leaf->hash, sizeof say.leaf);
    say.days = core_talk_days(device, s->signer);
    say.firmware = jws_text(device->facts.release);
    say.bundle = s->bundle.version;
    say.press = s->press;
    say.csr = (jws_bytes_t){csr, csr_len};
    if (s->method == STATEMENT_CLAIM && s->ticket) {
        core_get(device, CORE_TICKET, ticket, sizeof ticket, &len);
        say.ticket = (jws_text_t){ticket, len};
    }
    bool ok =
        carrier_begin_request(say.method, device->message, sizeof device->message, &at) == JWS_OK &&
        statement_write(&say, device->message + at, sizeof device->message - at, &len) == JWS_OK;
    bytes_wipe(ticket, sizeof ticket);
    if (!ok) {
        core_steward_unsaid(device);
        return;
    }
    s->at = (uint16_t)at;
    s->len = (uint16_t)len;
    core_talk_step(device, CORE_TALK_SIGN);
}

void core_talk_begin(cradle_device_t *device, statement_method_t method, uint8_t signer)
{
    device->steward.method = (uint8_t)method;
    device->steward.signer = signer;
    device->steward.posted = device->direct;
    if (method == STATEMENT_CLAIM || method == STATEMENT_RENEW) {
        core_talk_step(device, CORE_TALK_REQUEST);
    } else {
        write_statement(device, NULL, 0);
    }
}

static void append_signature(cradle_device_t *device, const void *signature, size_t size)
{
    cradle_steward_t *s = &device->steward;
    size_t cap = sizeof device->message;
    size_t len = s->len;
    bool ok = jws_append(device->message + s->at, cap - s->at, &len, signature, size) == JWS_OK;
    len += s->at;
    if (!ok || carrier_end_request(device->message, cap, &len) != JWS_OK) {
        core_steward_silent(device);
        return;
    }
    device->message_len = (uint16_t)len;
    core_talk_step(device, CORE_TALK_SEND);
    if (s->posted) {
        core_want(device, CRADLE_ACTION_POST);
    }
}

static void sent(cradle_device_t *device)
{
    device->steward.step = CORE_TALK_WAIT;
    core_arm(device, CRADLE_TIMER_STEWARD, CRADLE_STEWARD_TIMEOUT_MS);
}

bool core_talk_send(cradle_device_t *device)
{
    cradle_steward_t *s = &device->steward;
    if (s->step != CORE_TALK_SEND || s->posted) {
        return false;
    }
    core_topic(device, CORE_TOPIC_STEWARD, ++s->rpc);
    sent(device);
    return true;
}

void core_talk_fill(cradle_device_t *device, cradle_action_t *action)
{
    cradle_steward_t *s = &device->steward;
    uint8_t *message = (uint8_t *)device->message;
    action->u.request.token = s->token; /* the first member of all of them */
    switch (action->type) {
    case CRADLE_ACTION_SIGN:
        action->u.sign.slot = s->signer;
        action->u.sign.data = device->message + s->at;
        action->u.sign.len = s->len;
        break;
    case CRADLE_ACTION_VERIFY:
        action->u.verify.key =
            s->step == CORE_TALK_BUNDLE ? device->facts.anchor : s->bundle.by[s->by].key;
        action->u.verify.key_len =
            s->step == CORE_TALK_BUNDLE ? device->facts.anchor_len : BUNDLE_SPKI_SIZE;
        action->u.verify.data = device->message;
        action->u.verify.len = s->len;
        action->u.verify.signature = message + s->signature;
        break;
    case CRADLE_ACTION_KEEP:
        action->u.keep.slot = s->spare;
        action->u.keep.counter = core_steward_counter(device);
        memcpy(action->u.keep.chain, s->chain, sizeof s->chain);
        break;
    case CRADLE_ACTION_POST:
        action->u.post.data = device->message;
        action->u.post.len = device->message_len;
        sent(device);
        break;
    default: /* CRADLE_ACTION_REQUEST */
        break;
    }
}

/* -- the answer ------------------------------------------------------------------------------- */

/* Where the parts lie, and the signature decoded in its own place. */
bool core_talk_take_apart(cradle_device_t *device, jws_kind_t kind, size_t len, jws_t *jws)
{
    cradle_steward_t *s = &device->steward;
    size_t size;
    if (jws_open(kind, device->message, len, jws) != JWS_OK) {
        return false;
    }
    s->len = (uint16_t)jws->signing_len;
    s->payload = (uint16_t)(jws->payload.text - device->message);
    s->payload_len = (uint16_t)jws->payload.len;
    s->signature = (uint16_t)(jws->signature.text - device->message);
    return jws_signature(jws, (uint8_t *)device->message + s->signature, jws->signature.len,
                         &size) == JWS_OK;
}

void core_talk_reply(cradle_device_t *device, const char *json, size_t len)
{
    cradle_steward_t *s = &device->steward;
    jws_text_t answer;
    jws_text_t bundle;
    jws_t jws;
    if (s->step != CORE_TALK_WAIT) {
        device->ignored++;
        return;
    }
    if (device->reply_due || carrier_read_reply(json, len, &answer, &bundle) != JWS_OK) {
        core_steward_silent(device); /* the server's own error, an echo, garbage */
        return;
    }
    if (s->method == STATEMENT_BUNDLE) {
        core_trust_offer(device, bundle);
        return;
    }
    if (answer.len > sizeof device->message) {
        core_steward_silent(device);
        return;
    }
    memcpy(device->message, answer.text, answer.len);
    if (!core_talk_take_apart(device, JWS_ANSWER, answer.len, &jws)) {
        core_steward_silent(device);
    } else if (!core_trust_find(device, jws.kid)) {
        s->fetch = true; /* the steward may have a new key: the bundle says so, or not */
        core_steward_silent(device);
    } else {
        core_talk_step(device, CORE_TALK_VERIFY);
    }
}

/* The signature is good: is it an answer to what was asked? */
static void read_answer(cradle_device_t *device)
{
    const cradle_steward_t *s = &device->steward;
    jws_t jws;
    answer_t answer;
    statement_t asked;
    char *payload = device->message + s->payload;
    memset(&jws, 0, sizeof jws);
    jws.kind = JWS_ANSWER;
    jws.payload = (jws_text_t){payload, s->payload_len};
    fill_statement(device, &asked);
    if (answer_read(&jws, payload, s->payload_len, &answer) != JWS_OK ||
        answer_check(&answer, &asked) != ANSWER_OURS ||
        (s->by != 0 && answer.result != ANSWER_STREAM)) { /* the bench may say no more */
        core_steward_silent(device);
        return;
    }
    core_talk_drop(device); /* the nonce is burnt */
    core_steward_answer(device, &answer);
}

void core_talk_done(cradle_device_t *device, const cradle_event_t *event)
{
    cradle_steward_t *s = &device->steward;
    const void *data = event->u.done.data;
    size_t len = event->u.done.len;
    if (s->step == CORE_TALK_IDLE || event->u.done.token != s->token ||
        (s->step == CORE_TALK_WAIT && !s->posted)) {
        return; /* not awaited any more */
    }
    if (s->step == CORE_TALK_BUNDLE) {
        core_trust_verified(device, event->u.done.good);
    } else if (s->step == CORE_TALK_KEEP) {
        core_steward_kept(device, event->u.done.good);
    } else if (!event->u.done.good) {
        core_steward_silent(device);
    } else if (s->step == CORE_TALK_REQUEST) {
        if (device->reply_due) { /* the buffer is not free: again, from the start */
            core_talk_step(device, CORE_TALK_REQUEST);
            return;
        }
        write_statement(device, data, len);
    } else if (s->step == CORE_TALK_SIGN) {
        append_signature(device, data, len);
    } else if (s->step == CORE_TALK_VERIFY) {
        read_answer(device);
    } else if (s->step == CORE_TALK_WAIT) {
        core_talk_reply(device, data, len);
    }
}

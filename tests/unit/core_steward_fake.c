/* SPDX-License-Identifier: Apache-2.0 */
#include "core_steward_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "tests/unit/statement_fixture.h"

#define CONNECT_MS 50
#define ACTS_MS    2000 /* the steward, after *done* */

/* ---- a stand-in for cryptography ---- */

/* 32 bytes that depend on everything. */
static void mix(uint32_t key, const void *data, size_t len, uint8_t out[32])
{
    uint64_t h = 0xcbf29ce484222325u ^ key;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
    }
    for (int i = 0; i < 32; i++) {
        h = (h ^ (h >> 29)) * 0xbf58476d1ce4e5b9u + (uint64_t)i;
        out[i] = (uint8_t)(h >> 40);
    }
}

static void sign(uint32_t key, const void *data, size_t len, uint8_t out[JWS_ES256_SIZE])
{
    mix(key, data, len, out);
    mix(key + 0x10000, data, len, out + 32);
}

/* A certificate: "leaf", key, serial. */
static void make_leaf(uint32_t key, uint32_t serial, uint8_t der[12])
{
    memcpy(der, "leaf", 4);
    bytes_put_le32(der + 4, key);
    bytes_put_le32(der + 8, serial);
}

static void hash_leaf(uint32_t key, uint32_t serial, uint8_t hash[32])
{
    uint8_t der[12];
    make_leaf(key, serial, der);
    mix(0, der, sizeof der, hash);
}

static void kid_of(uint32_t key, char kid[JWS_KID_LEN + 1])
{
    snprintf(kid, JWS_KID_LEN + 1, "%016x", key);
}

const char *sim_bundle(int64_t version, uint32_t steward, uint32_t anchor)
{
    static char text[2][JWS_BUNDLE_MAX + 1];
    static int turn;
    char *out = text[turn ^= 1];
    static const uint8_t root[] = {0x30, 0x01, 0x02};
    uint8_t signature[JWS_ES256_SIZE];
    size_t len;
    bundle_t bundle = {.site = jws_text(SIM_SITE),
                       .version = version,
                       .issued = UNIX_MS / 1000,
                       .anchors = {{root, sizeof root}},
                       .anchor_count = 1,
                       .steward = fixture_spki((uint8_t)steward)};
    kid_of(anchor, bundle.kid);
    kid_of(steward, bundle.steward_kid);
    assert_int_equal(bundle_write(&bundle, out, sizeof text[0], &len), JWS_OK);
    sign(anchor, out, len, signature);
    assert_int_equal(jws_append(out, sizeof text[0], &len, signature, sizeof signature), JWS_OK);
    return out;
}

/* ---- the port's side: slots are counter, key, serial ---- */

static bool read_slot(sim_t *sim, uint8_t slot, uint8_t blob[12])
{
    static const char *const names[] = {"", "slot1", "slot2"};
    size_t len;
    if (slot == 0) {
        bytes_put_le32(blob, 0);
        bytes_put_le32(blob + 4, 1);
        bytes_put_le32(blob + 8, 0);
        return true;
    }
    return sim->world.port.get(&sim->world, names[slot], blob, 12, &len) && len == 12;
}

static bool port_leaf(void *ctx, uint8_t slot, cradle_leaf_t *leaf)
{
    uint8_t blob[12];
    memset(leaf, 0, sizeof *leaf);
    if (!read_slot(ctx, slot, blob)) { /* the world is the first member */
        return false;
    }
    leaf->counter = bytes_get_le32(blob);
    leaf->not_after = UNIX_MS / 1000 + 1000 * 86400;
    hash_leaf(bytes_get_le32(blob + 4), bytes_get_le32(blob + 8), leaf->hash);
    return true;
}

static uint32_t slot_key(sim_t *sim, uint8_t slot)
{
    uint8_t blob[12];
    return read_slot(sim, slot, blob) ? bytes_get_le32(blob + 4) : 0;
}

static bool pending_key(sim_t *sim, uint32_t *key)
{
    uint8_t blob[4];
    size_t len;
    *key = 0;
    if (!sim->world.port.get(&sim->world, "pending", blob, sizeof blob, &len)) {
        return false;
    }
    *key = bytes_get_le32(blob);
    return true;
}

static bool make_request(sim_t *sim, uint8_t csr[8])
{
    uint32_t key;
    uint8_t blob[4];
    if (!pending_key(sim, &key)) {
        key = sim->next_key++;
        bytes_put_le32(blob, key);
        if (!sim->world.port.set(&sim->world, "pending", blob, sizeof blob)) {
            return false;
        }
    }
    memcpy(csr, "csr:", 4);
    bytes_put_le32(csr + 4, key);
    return true;
}

static bool keep_chain(sim_t *sim, const cradle_action_t *action)
{
    static const char *const names[] = {"", "slot1", "slot2"};
    const jws_bytes_t *leaf = &action->u.keep.chain[0];
    uint8_t blob[12];
    uint32_t key;
    assert_in_range(action->u.keep.slot, 1, 2);
    assert_true(!sim->up || action->u.keep.slot != sim->slot);
    if (leaf->len != 12 || memcmp(leaf->data, "leaf", 4) != 0 || !pending_key(sim, &key) ||
        bytes_get_le32(leaf->data + 4) != key) {
        return false;
    }
    bytes_put_le32(blob, action->u.keep.counter);
    memcpy(blob + 4, leaf->data + 4, 8);
    return sim->world.port.set(&sim->world, names[action->u.keep.slot], blob, sizeof blob);
}

/* ---- the steward ---- */

sim_cert_t *sim_cert(sim_t *sim, const uint8_t *hash)
{
    uint8_t mine[32];
    for (int i = 0; i < SIM_CERTS; i++) {
        hash_leaf(sim->certs[i].key, sim->certs[i].serial, mine);
        if (sim->certs[i].standing != CERT_NONE && memcmp(mine, hash, 32) == 0) {
            return &sim->certs[i];
        }
    }
    return NULL;
}

static sim_cert_t *current(sim_t *sim)
{
    for (int i = 0; i < SIM_CERTS; i++) {
        if (sim->certs[i].standing == CERT_CURRENT) {
            return &sim->certs[i];
        }
    }
    fail_msg("the steward has no current key");
    return &sim->certs[0];
}

static void others(sim_t *sim, const sim_cert_t *but, sim_standing_t from, sim_standing_t to)
{
    for (int i = 0; i < SIM_CERTS; i++) {
        if (&sim->certs[i] != but && sim->certs[i].standing == from) {
            sim->certs[i].standing = to;
        }
    }
}

static void refuse(answer_t *answer, answer_reason_t reason)
{
    answer->result = ANSWER_REFUSED;
    answer->reason = reason;
    answer->retry_after = 30;
}

static void hear_hello(sim_t *sim, sim_cert_t *cert, answer_t *answer)
{
    answer->bundle = sim->bundle_version;
    if (cert->standing == CERT_LEAVING ||
        (cert->standing == CERT_COMMITTED && sim->world.now < sim->acts_at)) {
        answer->result = ANSWER_PENDING;
        answer->retry_after = 2;
        return;
    }
    if (cert->standing == CERT_COMMITTED) {
        others(sim, cert, CERT_LEAVING, CERT_DENIED);
        cert->standing = CERT_CURRENT;
        sim->owned = true;
        sim->renew = false;
    }
    answer->result = sim->owned || sim->open ? ANSWER_STREAM : sim->unowned;
    if (answer->result == ANSWER_STREAM && sim->renew) {
        answer->result = ANSWER_RENEW;
    }
    sim_cert_t *on_record = current(sim);
    hash_leaf(on_record->key, on_record->serial, answer->leaf);
}

static void grant(sim_t *sim, const statement_t *say, answer_t *answer)
{
    static uint8_t der[2][12];
    uint32_t key = bytes_get_le32(say->csr.data + 4);
    sim_cert_t *cert = NULL;
    for (int i = 0; i < SIM_CERTS; i++) {
        if (sim->certs[i].standing == CERT_GRANTED && sim->certs[i].key == key) {
            cert = &sim->certs[i]; /* the same question */
        }
    }
    for (int i = 0; cert == NULL && i < SIM_CERTS; i++) {
        if (sim->certs[i].standing == CERT_NONE) {
            others(sim, NULL, CERT_GRANTED, CERT_DENIED);
            cert = &sim->certs[i];
            *cert = (sim_cert_t){key, ++sim->serials, CERT_GRANTED};
        }
    }
    if (cert == NULL) {
        fail_msg("too many certificates");
        return;
    }
    make_leaf(cert->key, cert->serial, der[0]);
    make_leaf(9, 9, der[1]);
    answer->chain[0] = (jws_bytes_t){der[0], 12};
    answer->chain[1] = (jws_bytes_t){der[1], 12};
}

static void hear_claim(sim_t *sim, const statement_t *say, answer_t *answer)
{
    sim->ticketed = say->ticket.len > 0;
    assert_true(say->csr.len == 8 && memcmp(say->csr.data, "csr:", 4) == 0);
    answer->result = sim->claimed;
    answer->reason = sim->reason;
    answer->retry_after = 30;
    if (sim->claimed == ANSWER_GRANTED) {
        grant(sim, say, answer);
    } else if (sim->claimed == ANSWER_MINE) {
        sim->owned = true;
    }
}

static void hear_commit(sim_t *sim, sim_cert_t *cert, answer_t *answer)
{
    answer->result = ANSWER_DONE;
    if (cert->standing == CERT_GRANTED) {
        others(sim, cert, CERT_CURRENT, CERT_LEAVING);
        cert->standing = CERT_COMMITTED;
        sim->acts_at = sim->world.now + ACTS_MS;
    }
}

/* What is decided once it is clear who asks. */
static void decide(sim_t *sim, sim_cert_t *cert, const statement_t *say, answer_t *answer)
{
    bool commit = say->method == STATEMENT_COMMIT;
    if (cert->standing == CERT_DENIED) {
        refuse(answer, commit ? ANSWER_NOT_GRANTED : ANSWER_DENIED);
    } else if (memcmp(say->epoch, sim->closed, sizeof sim->closed) == 0) {
        refuse(answer, ANSWER_STALE);
    } else if (cert->standing == CERT_GRANTED && !commit) {
        refuse(answer, ANSWER_COMMIT_FIRST);
    } else if (cert->standing == CERT_LEAVING && say->method != STATEMENT_HELLO) {
        refuse(answer, ANSWER_ONLY_HELLO);
    } else if (cert->standing == CERT_COMMITTED && say->method == STATEMENT_CLAIM) {
        refuse(answer, ANSWER_HELLO_FIRST);
    } else if (say->method == STATEMENT_HELLO) {
        hear_hello(sim, cert, answer);
    } else if (say->method == STATEMENT_CLAIM) {
        hear_claim(sim, say, answer);
    } else if (say->method == STATEMENT_RENEW) {
        answer->result = ANSWER_CHAIN_IS;
        grant(sim, say, answer);
    } else if (say->method == STATEMENT_COMMIT) {
        hear_commit(sim, cert, answer);
    } else if (sim->bundle_version == 0) {
        refuse(answer, ANSWER_OTHER);
    } else {
        answer->result = ANSWER_BUNDLE;
        answer->bundle = sim->bundle_version;
    }
}

static void write_reply(sim_t *sim, answer_t *answer)
{
    char text[JWS_ANSWER_MAX];
    uint8_t signature[JWS_ES256_SIZE];
    size_t len;
    jws_text_t bundle = {NULL, 0};
    kid_of(sim->spoil == SPOIL_KID ? SIM_STRANGER : sim->signs, answer->kid);
    if (sim->spoil == SPOIL_SN) {
        answer->sn = jws_text("SN-000002");
    } else if (sim->spoil == SPOIL_EPOCH) {
        answer->epoch[0] ^= 1;
    } else if (sim->spoil == SPOIL_METHOD) {
        answer->method = STATEMENT_BUNDLE;
        answer->result = ANSWER_BUNDLE;
        answer->bundle = 1;
    }
    assert_int_equal(answer_write(answer, text, sizeof text, &len), JWS_OK);
    sign(sim->signs, text, len, signature);
    signature[5] ^= sim->spoil == SPOIL_SIGNATURE;
    assert_int_equal(jws_append(text, sizeof text, &len, signature, sizeof signature), JWS_OK);
    if (answer->method == STATEMENT_BUNDLE && sim->bundle_version > 0) {
        bundle = jws_text(sim_bundle(sim->bundle_version, sim->bundle_steward, SIM_ANCHOR));
    }
    assert_int_equal(carrier_write_reply((jws_text_t){text, len}, bundle, sim->reply,
                                         sizeof sim->reply, &sim->reply_len),
                     JWS_OK);
}

/* Fills in sim->reply; false: nothing comes back. */
static bool hear(sim_t *sim, const char *request, size_t len)
{
    statement_method_t method;
    jws_text_t text;
    jws_t jws;
    statement_t say;
    uint8_t signature[JWS_ES256_SIZE];
    uint8_t right[JWS_ES256_SIZE];
    char scratch[JWS_STATEMENT_MAX];
    size_t size;
    assert_int_equal(carrier_read_request(request, len, &method, &text), JWS_OK);
    bool hit = sim->spoil_method < 0 || sim->spoil_method == (int)method;
    if (sim->lose_request && hit) {
        sim->lose_request = false;
        sim->world.fake->dead = sim->reboot;
        return false;
    }
    assert_int_equal(jws_open(JWS_STATEMENT, text.text, text.len, &jws), JWS_OK);
    assert_int_equal(statement_read(&jws, scratch, sizeof scratch, &say), JWS_OK);
    assert_int_equal(say.method, method);
    assert_true(jws_text_equal(say.site, jws_text(SIM_SITE)));
    assert_true(jws_text_equal(say.sn, jws_text("SN-000001")));
    assert_memory_not_equal(say.nonce, sim->said.nonce, sizeof say.nonce);
    sim_cert_t *cert = sim_cert(sim, say.signer);
    assert_int_equal(jws_signature(&jws, signature, sizeof signature, &size), JWS_OK);
    sim->asked[method]++;
    sim->last = method;
    sim->said = say;
    if (cert == NULL) {
        return false; /* a key that nobody registered: no answer at all */
    }
    sign(cert->key, text.text, jws.signing_len, right);
    assert_memory_equal(signature, right, sizeof right);
    answer_t answer = {.method = method,
                       .sn = say.sn,
                       .issued = UNIX_MS / 1000 + (int64_t)(sim->world.now / 1000),
                       .retry_after = sim->retry_after};
    memcpy(answer.epoch, say.epoch, sizeof answer.epoch);
    memcpy(answer.nonce, say.nonce, sizeof answer.nonce);
    decide(sim, cert, &say, &answer);
    memcpy(sim->before, sim->reply, sizeof sim->before);
    sim_spoil_t waiting = sim->spoil;
    sim_spoil_t spoil = hit ? waiting : SPOIL_NOT;
    sim->spoil = spoil;
    write_reply(sim, &answer);
    sim->spoil = hit ? SPOIL_NOT : waiting;
    if (spoil != SPOIL_NOT && sim->reboot) {
        sim->world.fake->dead = true;
    }
    switch (spoil) {
    case SPOIL_LOST:
        return false;
    case SPOIL_TIMEOUT:
        snprintf(sim->reply, sizeof sim->reply, "{\"error\":\"timeout\"}");
        break;
    case SPOIL_ECHO:
        snprintf(sim->reply, sizeof sim->reply, "%.*s", (int)len, request);
        break;
    case SPOIL_REPLAY:
        memcpy(sim->reply, sim->before, sizeof sim->reply);
        break;
    case SPOIL_GARBAGE:
        snprintf(sim->reply, sizeof sim->reply, "{\"a\":\"e30.e30.AAAA\",");
        break;
    default:
        break;
    }
    sim->reply_len = strlen(sim->reply);
    return true;
}

/* ---- life ---- */

static void sample(void *ctx, json_writer_t *values)
{
    (void)ctx;
    json_key(values, "n");
    json_put_i64(values, 1);
}

static const cradle_product_t PRODUCT = {.sample = sample};

void sim_init(sim_t *sim, uint64_t seed)
{
    static uint8_t anchor[BUNDLE_SPKI_SIZE];
    static char bundle[JWS_BUNDLE_MAX + 1];
    memset(sim, 0, sizeof *sim);
    memcpy(anchor, fixture_spki(SIM_ANCHOR).data, sizeof anchor);
    snprintf(bundle, sizeof bundle, "%s", sim_bundle(1, SIM_STEWARD, SIM_ANCHOR));
    world_init(&sim->world, fake_new(seed), &PRODUCT);
    sim->world.port.leaf = port_leaf;
    sim->world.facts.site = SIM_SITE;
    sim->world.facts.steward = "steward.cradle.test:8443";
    sim->world.facts.anchor = anchor;
    sim->world.facts.anchor_len = sizeof anchor;
    sim->world.facts.bundle = bundle;
    sim->world.facts.bundle_len = strlen(bundle);
    sim->world.facts.ask = true;
    sim->next_key = 100;
    sim->certs[0] = (sim_cert_t){1, 0, CERT_CURRENT};
    sim->unowned = ANSWER_HOLD;
    sim->claimed = ANSWER_MINE;
    sim->retry_after = 86400;
    sim->bundle_steward = sim->signs = SIM_STEWARD;
    sim->https = true;
    sim->spoil_method = -1;
}

void sim_free(sim_t *sim)
{
    fake_free(sim->world.fake);
}

static void answer_done(sim_t *sim, uint16_t token, bool good, const void *data, size_t len)
{
    cradle_event_t event = {.type = CRADLE_EVENT_DONE};
    event.u.done.token = token;
    event.u.done.good = good;
    event.u.done.data = data;
    event.u.done.len = len;
    if (!sim->world.fake->dead) {
        world_event(&sim->world, &event);
    }
}

static void do_crypto(sim_t *sim, const cradle_action_t *a)
{
    uint8_t out[JWS_ES256_SIZE];
    bool good;
    if (a->type == CRADLE_ACTION_SIGN) {
        assert_true(slot_key(sim, a->u.sign.slot) != 0);
        sign(slot_key(sim, a->u.sign.slot), a->u.sign.data, a->u.sign.len, out);
        answer_done(sim, a->u.sign.token, true, out, sizeof out);
    } else if (a->type == CRADLE_ACTION_VERIFY) {
        assert_int_equal(a->u.verify.key_len, BUNDLE_SPKI_SIZE);
        sign(a->u.verify.key[BUNDLE_SPKI_SIZE - 1], a->u.verify.data, a->u.verify.len, out);
        good = memcmp(out, a->u.verify.signature, sizeof out) == 0;
        answer_done(sim, a->u.verify.token, good, NULL, 0);
    } else if (a->type == CRADLE_ACTION_REQUEST) {
        good = make_request(sim, out);
        answer_done(sim, a->u.request.token, good, out, 8);
    } else {
        answer_done(sim, a->u.keep.token, keep_chain(sim, a), NULL, 0);
    }
}

/* The current one; after *done* only the new one, once the steward has acted. */
static bool cloud_knows(sim_t *sim, uint8_t slot)
{
    cradle_leaf_t leaf;
    sim_cert_t *cert = port_leaf(sim, slot, &leaf) ? sim_cert(sim, leaf.hash) : NULL;
    bool acted = sim->world.now >= sim->acts_at;
    return cert != NULL && !sim->refuses &&
           (cert->standing == CERT_CURRENT || (cert->standing == CERT_COMMITTED && acted) ||
            (cert->standing == CERT_LEAVING && !acted));
}

static void do_connect(sim_t *sim, const cradle_action_t *a)
{
    assert_false(sim->up);
    sim->slot = a->u.connect.slot;
    sim->tried[sim->connects++ % sizeof sim->tried] = sim->slot;
    sim->world.now += CONNECT_MS;
    if (cloud_knows(sim, sim->slot)) {
        sim->up = true;
        sim->subscribed = sim->all = false;
        world_simple(&sim->world, CRADLE_EVENT_CLOUD_UP);
    } else {
        world_cloud_down(&sim->world, CRADLE_DOWN_REFUSED, false);
    }
}

static void do_subscribe(sim_t *sim, const cradle_action_t *a)
{
    cradle_event_t event = {.type = CRADLE_EVENT_SUBSCRIBED};
    event.u.subscribed.granted = true;
    assert_string_equal(a->u.subscribe.filters[0], "v1/devices/me/rpc/response/+");
    sim->subscribed = true;
    sim->all = a->u.subscribe.count > 1;
    assert_int_equal(a->u.subscribe.count, sim->all ? 4 : 1);
    assert_true(!sim->all || world_status(&sim->world).streaming);
    world_event(&sim->world, &event);
}

static void do_publish(sim_t *sim)
{
    static const char request[] = "v1/devices/me/rpc/request/";
    world_t *w = &sim->world;
    char topic[CRADLE_TOPIC_MAX];
    assert_true(sim->up && sim->subscribed);
    if (strncmp(w->topic, request, sizeof request - 1) != 0) {
        /* Everything else only after *stream*. */
        assert_true(sim->all && world_status(w).streaming);
        sim->telemetry += strcmp(w->topic, "v1/devices/me/telemetry") == 0;
        if (w->action.u.publish.qos == 1) {
            world_ack(w, w->action.u.publish.token);
        }
        return;
    }
    snprintf(topic, sizeof topic, "v1/devices/me/rpc/response/%s", w->topic + sizeof request - 1);
    if (hear(sim, w->payload, w->payload_len) && !w->fake->dead) {
        world_message(w, topic, sim->reply);
    }
}

static void do_post(sim_t *sim, const cradle_action_t *a)
{
    char request[CARRIER_REQUEST_MAX];
    size_t len = a->u.post.len;
    uint16_t token = a->u.post.token;
    assert_true(len <= sizeof request && !sim->up);
    memcpy(request, a->u.post.data, len);
    sim->posted++;
    bool good = sim->https && hear(sim, request, len);
    answer_done(sim, token, good, sim->reply, sim->reply_len);
}

static void perform(sim_t *sim)
{
    const cradle_action_t action = sim->world.action;
    switch (action.type) {
    case CRADLE_ACTION_DISCONNECT:
        sim->up = false;
        break;
    case CRADLE_ACTION_JOIN:
        world_simple(&sim->world, CRADLE_EVENT_WIFI_UP);
        break;
    case CRADLE_ACTION_SET_CLOCK:
        world_clock(&sim->world, UNIX_MS + (int64_t)sim->world.now);
        break;
    case CRADLE_ACTION_CONNECT:
        do_connect(sim, &action);
        break;
    case CRADLE_ACTION_SUBSCRIBE:
        do_subscribe(sim, &action);
        break;
    case CRADLE_ACTION_PUBLISH:
        do_publish(sim);
        break;
    case CRADLE_ACTION_POST:
        do_post(sim, &action);
        break;
    case CRADLE_ACTION_SIGN:
    case CRADLE_ACTION_VERIFY:
    case CRADLE_ACTION_REQUEST:
    case CRADLE_ACTION_KEEP:
        do_crypto(sim, &action);
        break;
    case CRADLE_ACTION_REBOOT:
        sim_boot(sim);
        break;
    default:
        break;
    }
}

bool sim_act(sim_t *sim)
{
    while (!sim->world.fake->dead && world_next(&sim->world)) {
        perform(sim);
    }
    return !sim->world.fake->dead;
}

void sim_boot(sim_t *sim)
{
    if (sim->world.fake->dead) {
        sim->reboot = false; /* it has been */
    }
    fake_power(sim->world.fake);
    sim->up = false;
    sim->world.now += 3000;
    world_boot(&sim->world);
}

/* One step to the next deadline; a record that was deleted takes its connections along. */
static void step(sim_t *sim, uint64_t until)
{
    world_t *w = &sim->world;
    if (!sim_act(sim)) {
        sim_boot(sim);
        return;
    }
    uint64_t deadline = cradle_device_deadline(&w->device);
    w->now = deadline > until ? until : deadline > w->now ? deadline : w->now;
    if (sim->up && !cloud_knows(sim, sim->slot)) {
        sim->up = false;
        world_cloud_down(w, CRADLE_DOWN_OUTAGE, true);
    }
    world_simple(w, CRADLE_EVENT_TICK);
}

void sim_live(sim_t *sim, uint64_t ms)
{
    uint64_t until = sim->world.now + ms;
    for (int i = 0; sim->world.now < until; i++) {
        assert_true(i < 400000);
        step(sim, until);
    }
    if (!sim_act(sim)) {
        sim_boot(sim);
    }
}

bool sim_until_stream(sim_t *sim, uint64_t ms)
{
    uint64_t until = sim->world.now + ms;
    unsigned before = sim->telemetry;
    for (int i = 0; sim->world.now < until && sim->telemetry < before + 3; i++) {
        assert_true(i < 400000);
        step(sim, until);
    }
    return sim->telemetry >= before + 3;
}

void sim_provision(sim_t *sim, const char *ticket)
{
    cradle_event_t event = {.type = CRADLE_EVENT_CREDENTIALS};
    event.u.credentials.ssid = "Alice-Home";
    event.u.credentials.passphrase = "rhubarb-crumble";
    event.u.credentials.ticket = ticket;
    sim_boot(sim);
    sim_act(sim);
    if (!sim->world.fake->dead) {
        world_event(&sim->world, &event);
    }
}

uint32_t sim_key(const sim_t *sim)
{
    return slot_key((sim_t *)(uintptr_t)sim, sim->slot);
}

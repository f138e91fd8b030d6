/* SPDX-License-Identifier: Apache-2.0 */
/* The port and the cloud of core_steward_fake, and the life of a device between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core_steward_fake.h"
#include "tests/unit/statement_fixture.h"

#define CONNECT_MS 50

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
    leaf->not_after = UNIX_MS / 1000 + ((sim_t *)ctx)->days * INT64_C(86400);
    sim_hash_leaf(bytes_get_le32(blob + 4), bytes_get_le32(blob + 8), leaf->hash);
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
    sim->world.facts.release = "cradle-linux 0.1.0";
    sim->world.facts.site = SIM_SITE;
    sim->world.facts.steward = "steward.cradle.test:8443";
    sim->world.facts.anchor = anchor;
    sim->world.facts.anchor_len = sizeof anchor;
    sim->world.facts.bundle = bundle;
    sim->world.facts.bundle_len = strlen(bundle);
    sim->world.facts.ask = true;
    sim->next_key = 100;
    sim->days = 1000;
    sim->certs[0] = (sim_cert_t){1, 0, CERT_CURRENT};
    sim->unowned = ANSWER_HOLD;
    sim->claimed = ANSWER_MINE;
    sim->retry_after = 86400;
    sim->bundle_steward = sim->signs = SIM_STEWARD;
    sim->bundle_anchor = SIM_ANCHOR;
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
        sim_sign(slot_key(sim, a->u.sign.slot), a->u.sign.data, a->u.sign.len, out);
        answer_done(sim, a->u.sign.token, true, out, sizeof out);
    } else if (a->type == CRADLE_ACTION_VERIFY) {
        assert_int_equal(a->u.verify.key_len, BUNDLE_SPKI_SIZE);
        sim_sign(a->u.verify.key[BUNDLE_SPKI_SIZE - 1], a->u.verify.data, a->u.verify.len, out);
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
    if (sim_hear(sim, w->payload, w->payload_len) && !w->fake->dead) {
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
    bool good = sim->https && sim_hear(sim, request, len);
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "device/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/rand.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "device/keys.h"
#include "device/link.h"
#include "device/post.h"
#include "device/provisioning.h"
#include "device/radio.h"
#include "device/sensors.h"
#include "device/stores.h"

/* What joining and a time server take on the simulated radio. */
#define JOIN_MS  200
#define CLOCK_MS 50
/* How often a joined device looks whether its network is still there. */
#define BEACON_MS 500

struct device {
    loop_t *loop;
    device_settings_t settings;
    boot_t boot;
    stores_t stores;
    cradle_port_t port;
    cradle_product_t product;
    sensors_t sensors;
    cradle_device_t brain;
    link_t *link;
    provisioning_t *provisioning;
    loop_timer_t tick;
    loop_timer_t join_timer;
    loop_timer_t clock_timer;
    loop_timer_t beacon_timer; /* while joined: is the network still there? */
    post_t *post;
    uint16_t post_token;
    /* What the brain asked for is answered from a timer, as a slow chip would. */
    loop_timer_t done_timer;
    cradle_event_t done;
    uint8_t done_data[STATEMENT_CSR_MAX];
    char ssid[33]; /* of the join under way, or of the network we are in */
    char passphrase[65];
    radio_joined_t joined;
    char release[STATEMENT_TEXT_MAX + 1];
    bool started;
    bool halted;
    bool reboot;
};

static void pump(device_t *device);

static void note(void *ctx, const char *text)
{
    device_t *device = ctx;
    if (device->settings.log != NULL) {
        device->settings.log(device->settings.ctx, device->boot.sn, text);
    }
}

static void feed(device_t *device, const cradle_event_t *event)
{
    cradle_device_handle(&device->brain, event, loop_now_ms(device->loop));
    pump(device);
}

static void feed_type(device_t *device, cradle_event_type_t type)
{
    const cradle_event_t event = {.type = type};
    feed(device, &event);
}

static void on_tick(void *ctx)
{
    feed_type(ctx, CRADLE_EVENT_TICK);
}

/* ---- radio and clock ---- */

/* The network is gone: what was on its way is lost, without a good-bye. */
static void on_beacon(void *ctx)
{
    device_t *device = ctx;
    if (radio_present(device->settings.networks, device->ssid)) {
        loop_timer_start(device->loop, &device->beacon_timer, BEACON_MS, on_beacon, device, NULL);
        return;
    }
    link_lost(device->link);
    const cradle_event_t event = {.type = CRADLE_EVENT_WIFI_DOWN, .u.wifi_down = {RADIO_GONE}};
    feed(device, &event);
}

static void on_joined(void *ctx)
{
    device_t *device = ctx;
    err_t err = ERR_INIT;
    cradle_event_t event = {.type = CRADLE_EVENT_WIFI_UP};
    uint16_t reason = radio_join(device->settings.networks, device->ssid, device->passphrase,
                                 &device->joined, &err);
    if (err.kind != ERR_NONE) {
        note(device, err.text);
    }
    bytes_wipe(device->passphrase, sizeof device->passphrase);
    if (reason != 0) {
        event.type = CRADLE_EVENT_WIFI_DOWN;
        event.u.wifi_down.reason = reason;
    } else {
        loop_timer_start(device->loop, &device->beacon_timer, BEACON_MS, on_beacon, device, NULL);
    }
    feed(device, &event);
}

static void on_clock(void *ctx)
{
    device_t *device = ctx;
    const cradle_event_t event = {.type = CRADLE_EVENT_CLOCK,
                                  .u.clock = {clock_wall_ms() + device->joined.clock_offset_ms}};
    feed(device, &event);
}

/* ---- what link and provisioning report ---- */

static void on_link(void *ctx, const cradle_event_t *event, const char *text)
{
    device_t *device = ctx;
    if (text[0] != '\0') {
        note(device, text);
    }
    feed(device, event);
}

static void on_status(void *ctx, cradle_status_t *status)
{
    device_status(ctx, status);
}

static void on_provisioning(void *ctx, const cradle_event_t *event)
{
    feed(ctx, event);
}

/* ---- cryptography and HTTPS for the steward ---- */

static void on_done(void *ctx)
{
    device_t *device = ctx;
    feed(device, &device->done);
}

static void answer(device_t *device, uint16_t token, bool good, size_t len, const err_t *err)
{
    if (!good && err->kind != ERR_NONE) {
        note(device, err->text);
    }
    device->done = (cradle_event_t){.type = CRADLE_EVENT_DONE,
                                    .u.done = {token, good, device->done_data, len}};
    loop_timer_start(device->loop, &device->done_timer, 0, on_done, device, NULL);
}

static void do_crypto(device_t *device, const cradle_action_t *action)
{
    boot_t *boot = &device->boot;
    uint8_t *out = device->done_data;
    size_t cap = sizeof device->done_data;
    size_t len = 0;
    err_t err = ERR_INIT;
    bool good;
    if (action->type == CRADLE_ACTION_SIGN) {
        good = keys_sign(boot, action->u.sign.slot, action->u.sign.data, action->u.sign.len, out,
                         cap, &len, &err);
        answer(device, action->u.sign.token, good, len, &err);
    } else if (action->type == CRADLE_ACTION_VERIFY) {
        good = keys_verify(action->u.verify.key, action->u.verify.key_len, action->u.verify.data,
                           action->u.verify.len, action->u.verify.signature);
        answer(device, action->u.verify.token, good, 0, &err);
    } else if (action->type == CRADLE_ACTION_REQUEST) {
        good = keys_request(boot, out, cap, &len, &err);
        answer(device, action->u.request.token, good, len, &err);
    } else {
        good = keys_keep(boot, action->u.keep.slot, action->u.keep.counter, action->u.keep.chain,
                         &err);
        answer(device, action->u.keep.token, good, 0, &err);
    }
}

static void end_post(device_t *device)
{
    post_free(device->post);
    device->post = NULL;
}

static void on_posted(void *ctx, const char *body, size_t len, const char *text)
{
    device_t *device = ctx;
    const cradle_event_t event = {.type = CRADLE_EVENT_DONE,
                                  .u.done = {device->post_token, body != NULL, body, len}};
    if (text[0] != '\0') {
        note(device, text);
    }
    feed(device, &event);
    end_post(device);
}

static void do_post(device_t *device, const cradle_action_t *action)
{
    char address[SITE_HOST_SIZE];
    pki_chain_t anchors;
    err_t err = ERR_INIT;
    int64_t unix_ms = cradle_device_now(&device->brain);
    end_post(device);
    device->post_token = action->u.post.token;
    if (!radio_resolve(device->settings.networks, device->ssid, device->boot.identity.steward,
                       address, &err) ||
        !keys_anchors(&device->boot, &anchors, &err)) {
        answer(device, action->u.post.token, false, 0, &err);
        return;
    }
    cradle_status_t status;
    cradle_device_status(&device->brain, &status);
    const post_target_t target = {.name = device->boot.identity.steward,
                                  .address = address,
                                  .path = "/device",
                                  .anchors = &anchors,
                                  .now = unix_ms / 1000,
                                  .clock_unset = !status.clock_set};
    device->post = post_start(device->loop, &target, action->u.post.data, action->u.post.len,
                              on_posted, device);
    pki_chain_free(&anchors);
    if (device->post == NULL) {
        answer(device, action->u.post.token, false, 0, &err);
    }
}

/* ---- actions ---- */

static void start_provisioning(device_t *device)
{
    err_t err = ERR_INIT;
    char text[128];
    const provisioning_handler_t handler = {device, on_provisioning, on_status, note};
    if (device->provisioning != NULL) {
        return;
    }
    if (!provisioning_start(&device->provisioning, device->loop, &device->boot,
                            device->settings.air, device->settings.networks, &handler, &err)) {
        note(device, err.text);
        return;
    }
    snprintf(text, sizeof text, "waiting for a phone as %s", device->boot.service);
    note(device, text);
}

static void connect(device_t *device, const cradle_action_t *action)
{
    char address[SITE_HOST_SIZE];
    err_t err = ERR_INIT;
    const char *name = device->boot.identity.cloud;
    if (!device->boot.has_json && device->settings.cloud != NULL) {
        name = device->settings.cloud;
    }
    if (!radio_resolve(device->settings.networks, device->ssid, name, address, &err)) {
        note(device, err.text);
    }
    keys_identity_t identity;
    pki_chain_t anchors = PKI_CHAIN_INIT;
    err.kind = ERR_NONE;
    if (!keys_open(&device->boot, action->u.connect.slot, &identity, &err) ||
        !keys_anchors(&device->boot, &anchors, &err)) {
        note(device, err.text); /* the attempt then has no certificate, and is refused */
    }
    const link_target_t target = {.name = name,
                                  .address = address,
                                  .chain = &identity.chain,
                                  .key = identity.key,
                                  .anchors = &anchors,
                                  .unix_ms = action->u.connect.unix_ms,
                                  .clock_set = action->u.connect.clock_set};
    link_connect(device->link, &target);
    keys_close(&identity);
    pki_chain_free(&anchors);
}

static void join(device_t *device, const cradle_action_t *action)
{
    snprintf(device->ssid, sizeof device->ssid, "%s", action->u.join.ssid);
    snprintf(device->passphrase, sizeof device->passphrase, "%s", action->u.join.passphrase);
    loop_timer_start(device->loop, &device->join_timer, JOIN_MS, on_joined, device, NULL);
}

static void leave(device_t *device)
{
    loop_timer_stop(device->loop, &device->join_timer);
    loop_timer_stop(device->loop, &device->clock_timer);
    loop_timer_stop(device->loop, &device->beacon_timer);
    bytes_wipe(device->passphrase, sizeof device->passphrase);
    end_post(device);
}

static void halt(device_t *device, bool reboot)
{
    device->halted = true;
    device->reboot = reboot;
}

static void perform(device_t *device, const cradle_action_t *action)
{
    switch (action->type) {
    case CRADLE_ACTION_DISCONNECT:
        link_disconnect(device->link);
        break;
    case CRADLE_ACTION_LEAVE:
        leave(device);
        break;
    case CRADLE_ACTION_PROVISIONING_RESULT:
        if (device->provisioning != NULL) {
            provisioning_result(device->provisioning, action->u.provisioning.result,
                                &device->joined);
        }
        break;
    case CRADLE_ACTION_STOP_PROVISIONING:
        provisioning_stop(device->provisioning);
        device->provisioning = NULL;
        break;
    case CRADLE_ACTION_START_PROVISIONING:
        start_provisioning(device);
        break;
    case CRADLE_ACTION_JOIN:
        join(device, action);
        break;
    case CRADLE_ACTION_SET_CLOCK:
        loop_timer_start(device->loop, &device->clock_timer, CLOCK_MS, on_clock, device, NULL);
        break;
    case CRADLE_ACTION_CONNECT:
        connect(device, action);
        break;
    case CRADLE_ACTION_SUBSCRIBE:
        link_subscribe(device->link, action->u.subscribe.filters, action->u.subscribe.count);
        break;
    case CRADLE_ACTION_PUBLISH:
        /* The MQTT window is wider than the brain's: it is never refused while connected. */
        link_publish(device->link, action->u.publish.topic, action->u.publish.payload,
                     action->u.publish.len, action->u.publish.qos, action->u.publish.token);
        break;
    case CRADLE_ACTION_SIGN:
    case CRADLE_ACTION_VERIFY:
    case CRADLE_ACTION_REQUEST:
    case CRADLE_ACTION_KEEP:
        do_crypto(device, action);
        break;
    case CRADLE_ACTION_POST:
        do_post(device, action);
        break;
    case CRADLE_ACTION_REBOOT:
        halt(device, true);
        break;
    case CRADLE_ACTION_HALT:
    default:
        halt(device, false);
        break;
    }
}

/* Stopping the provisioning service from inside one of its own callbacks would pull the ground
   from under it: the actions are performed in a timer's callback, where nothing of ours is on the
   stack. */
static void on_pump(void *ctx)
{
    device_t *device = ctx;
    cradle_action_t action;
    while (!device->halted && link_ready(device->link) &&
           cradle_device_next(&device->brain, &action)) {
        perform(device, &action);
    }
    if (device->halted) {
        device->settings.halted(device->settings.ctx, device->reboot);
        return;
    }
    uint64_t deadline = cradle_device_deadline(&device->brain);
    uint64_t now = loop_now_ms(device->loop);
    if (deadline != UINT64_MAX) {
        loop_timer_start(device->loop, &device->tick, deadline > now ? deadline - now : 0, on_tick,
                         device, NULL);
    }
}

static void pump(device_t *device)
{
    loop_timer_start(device->loop, &device->tick, 0, on_pump, device, NULL);
}

/* ---- life ---- */

/* What an owner wants to know besides: why the steward waits, which certificate is refused. */
static void add_details(const device_t *device, cradle_state_t to, char *text, size_t cap)
{
    cradle_status_t status;
    char hash[JWS_HASH_SIZE * 2 + 1];
    size_t len = strlen(text);
    cradle_device_status(&device->brain, &status);
    if (to == CRADLE_ASKING && status.reason != ANSWER_NO_REASON) {
        snprintf(text + len, cap - len, ". %s", answer_reason_text(status.reason));
    } else if (to == CRADLE_ASKING && status.answer != ANSWER_RESULTS) {
        snprintf(text + len, cap - len, ". Its answer: %s", answer_result_name(status.answer));
    } else if (to == CRADLE_CONNECTING && status.refused) {
        int64_t now = cradle_device_now(&device->brain) / 1000;
        bytes_to_hex(status.leaf->hash, sizeof status.leaf->hash, hash, sizeof hash);
        snprintf(text + len, cap - len, ". Serial number %s, certificate %.16s..., %lld days left",
                 device->boot.sn, hash, (long long)((status.leaf->not_after - now) / 86400));
    }
}

static void on_changed(void *ctx, cradle_state_t from, cradle_state_t to, const char *why,
                       uint32_t wait_ms)
{
    device_t *device = ctx;
    char text[512];
    if (from != to) {
        snprintf(text, sizeof text, "%s -> %s%s%s", cradle_state_name(from), cradle_state_name(to),
                 why != NULL ? ": " : "", why != NULL ? why : "");
    } else {
        snprintf(text, sizeof text, "%s: %s; next try in %.1f s", cradle_state_name(to),
                 why != NULL ? why : "failed", (double)wait_ms / 1000.0);
    }
    if (device->started) { /* else the brain is still in its init */
        add_details(device, to, text, sizeof text);
    }
    note(device, text);
}

static bool leaf(void *ctx, uint8_t slot, cradle_leaf_t *out)
{
    stores_t *stores = ctx;
    device_t *device = stores->changed_ctx;
    return keys_leaf(&device->boot, slot, out);
}

static void random_bytes(void *ctx, void *out, size_t len)
{
    (void)ctx;
    if (len > INT32_MAX || RAND_bytes(out, (int)len) != 1) {
        abort(); /* without random bytes nothing that follows is safe */
    }
}

/* The app's own texts, as far as a statement may hold them. */
static void release_text(device_t *d)
{
    snprintf(d->release, sizeof d->release, "%s %s", d->boot.app.project, d->boot.app.version);
    for (char *c = d->release; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\') {
            *c = '?';
        }
    }
}

/* `device` needs its boot; nothing is performed yet. */
static void start_brain(device_t *d, uint64_t now_ms)
{
    stores_init(&d->stores, &d->boot.settings, &d->boot.outbox, &d->port);
    d->port.ctx = &d->stores;
    d->port.random = random_bytes;
    d->port.leaf = leaf;
    d->stores.changed_ctx = d;
    d->stores.changed = on_changed;
    sensors_product(&d->sensors, &d->product);
    release_text(d);
    const cradle_facts_t facts = {.sn = d->boot.sn,
                                  .model = d->boot.identity.model,
                                  .hardware =
                                      d->boot.identity.hw[0] != '\0' ? d->boot.identity.hw : NULL,
                                  .firmware = d->boot.app.project,
                                  .version = d->boot.app.version,
                                  .release = d->release,
                                  .birth_not_after = d->boot.leaf.not_after,
                                  /* a clock can never be right before its own certificate */
                                  .built = d->boot.leaf.not_before,
                                  .site = d->boot.identity.site,
                                  .steward = d->boot.identity.steward,
                                  .anchor = d->boot.identity.anchor_key,
                                  .anchor_len = d->boot.identity.anchor_key_len,
                                  .bundle = d->boot.bundle,
                                  .bundle_len = d->boot.bundle_len,
                                  .ask = d->boot.identity.ask};
    cradle_device_init(&d->brain, &d->port, &d->product, &facts, now_ms);
    d->started = true;
}

bool device_open(device_t **device, loop_t *loop, flash_t *flash, const uint8_t mac[6],
                 const device_settings_t *settings, err_t *err)
{
    device_t *d = calloc(1, sizeof *d);
    if (d == NULL) {
        flash_close(flash);
        return err_set(err, ERR_SYSTEM, "out of memory for a device");
    }
    d->loop = loop;
    d->settings = *settings;
    if (!boot_open(&d->boot, flash, mac, err)) {
        free(d);
        return false;
    }
    const link_handler_t handler = {d, on_link};
    if (!link_open(&d->link, loop, &d->boot, &handler, err)) {
        device_close(d);
        return false;
    }
    start_brain(d, loop_now_ms(loop));
    pump(d);
    *device = d;
    return true;
}

bool device_reset_flash(flash_t *flash, const uint8_t mac[6], err_t *err)
{
    const cradle_event_t event = {.type = CRADLE_EVENT_RESET};
    device_t *d = calloc(1, sizeof *d);
    if (d == NULL) {
        flash_close(flash);
        return err_set(err, ERR_SYSTEM, "out of memory for a device");
    }
    if (!boot_open(&d->boot, flash, mac, err)) {
        free(d);
        return false;
    }
    start_brain(d, 1);
    cradle_device_handle(&d->brain, &event, 2); /* erases; what it wants next nobody does */
    cradle_status_t status;
    cradle_device_status(&d->brain, &status);
    boot_close(&d->boot);
    bytes_wipe(d, sizeof *d);
    free(d);
    return !status.provisioned || err_set(err, ERR_SYSTEM, "the settings cannot be written");
}

void device_reset(device_t *device)
{
    feed_type(device, CRADLE_EVENT_RESET);
}

void device_press(device_t *device)
{
    feed_type(device, CRADLE_EVENT_PRESS);
}

void device_stop(device_t *device)
{
    feed_type(device, CRADLE_EVENT_SHUTDOWN);
}

void device_close(device_t *device)
{
    if (device == NULL) {
        return;
    }
    loop_timer_stop(device->loop, &device->tick);
    loop_timer_stop(device->loop, &device->done_timer);
    leave(device);
    provisioning_stop(device->provisioning);
    link_free(device->link);
    boot_close(&device->boot);
    bytes_wipe(device, sizeof *device);
    free(device);
}

const boot_t *device_boot(const device_t *device)
{
    return &device->boot;
}

void device_status(const device_t *device, cradle_status_t *status)
{
    cradle_device_status(&device->brain, status);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "core_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* -- the fake: what is left after a power cut -------------------------------------------------- */

fake_t *fake_new(uint64_t seed)
{
    fake_t *fake = calloc(1, sizeof *fake);
    assert_non_null(fake);
    fake->records = calloc(FAKE_RECORDS, sizeof *fake->records);
    assert_non_null(fake->records);
    fake->bound = FAKE_RECORDS;
    fake->sector = 8;
    fake->next_number = 1;
    fake->cut_at = -1;
    fake->random = seed * 2 + 1;
    return fake;
}

void fake_free(fake_t *fake)
{
    free(fake->records);
    free(fake);
}

void fake_power(fake_t *fake)
{
    fake->dead = false;
    fake->cut_at = -1;
}

/* splitmix64 */
static uint64_t draw(fake_t *fake)
{
    uint64_t z = (fake->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t fake_random(fake_t *fake, uint32_t below)
{
    return (uint32_t)(((draw(fake) >> 32) * below) >> 32);
}

/* True: this write happens. */
static bool powered(fake_t *fake)
{
    if (fake->dead || fake->broken) {
        return false;
    }
    fake->writes++;
    if (fake->cut_at < 0 || fake->cut_at-- > 0) {
        return true;
    }
    fake->dead = true;
    return !fake->cut_before;
}

static int find(const fake_t *fake, const char *name)
{
    for (int i = 0; i < FAKE_SETTINGS; i++) {
        if (strcmp(fake->settings[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

bool fake_has(const fake_t *fake, const char *name)
{
    return find(fake, name) >= 0;
}

static void port_random(void *ctx, void *out, size_t len)
{
    world_t *world = ctx;
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)out)[i] = (uint8_t)(draw(world->fake) >> 56);
    }
}

static bool port_get(void *ctx, const char *name, void *out, size_t cap, size_t *len)
{
    const fake_t *fake = ((world_t *)ctx)->fake;
    int i = find(fake, name);
    if (i < 0 || fake->settings[i].len > cap) {
        return false;
    }
    memcpy(out, fake->settings[i].data, fake->settings[i].len);
    *len = fake->settings[i].len;
    return true;
}

static bool port_set(void *ctx, const char *name, const void *data, size_t len)
{
    fake_t *fake = ((world_t *)ctx)->fake;
    assert_in_range(strlen(name), 1, CRADLE_SETTING_NAME_MAX);
    assert_true(len <= FAKE_VALUE);
    if (!powered(fake)) {
        return false;
    }
    int i = find(fake, name);
    if (i < 0) {
        i = find(fake, "");
    }
    assert_true(i >= 0);
    snprintf(fake->settings[i].name, sizeof fake->settings[i].name, "%s", name);
    memcpy(fake->settings[i].data, data, len);
    fake->settings[i].len = len;
    return !fake->dead;
}

static bool port_erase(void *ctx, const char *name)
{
    fake_t *fake = ((world_t *)ctx)->fake;
    int i = find(fake, name);
    if (i < 0) {
        return true;
    }
    if (!powered(fake)) {
        return false;
    }
    fake->settings[i].name[0] = '\0';
    return !fake->dead;
}

static void remove_first(fake_t *fake, bool trimmed)
{
    size_t at = fake->first++ % FAKE_RECORDS;
    fake->count--;
    fake->trimmed += trimmed;
    fake->dropped += !trimmed;
    if (fake->gone != NULL) {
        fake->gone(fake->gone_ctx, fake->records[at].data, fake->records[at].len, trimmed);
    }
}

static bool port_append(void *ctx, const void *data, size_t len)
{
    fake_t *fake = ((world_t *)ctx)->fake;
    assert_true(len <= CRADLE_RECORD_MAX);
    if (!powered(fake)) {
        return false;
    }
    if (fake->count == fake->bound) {
        for (size_t i = 0; i < fake->sector && fake->count > 0; i++) {
            remove_first(fake, false);
        }
    }
    size_t at = (fake->first + fake->count++) % FAKE_RECORDS;
    fake->records[at].number = fake->next_number++;
    fake->records[at].len = len;
    memcpy(fake->records[at].data, data, len);
    return !fake->dead;
}

static bool port_read(void *ctx, uint64_t from, uint64_t *number, void *out, size_t cap,
                      size_t *len)
{
    const fake_t *fake = ((world_t *)ctx)->fake;
    if (fake->count == 0) {
        return false;
    }
    uint64_t first = fake->records[fake->first % FAKE_RECORDS].number;
    uint64_t skip = from > first ? from - first : 0;
    if (skip >= fake->count) {
        return false;
    }
    size_t at = (fake->first + skip) % FAKE_RECORDS;
    assert_true(fake->records[at].len <= cap);
    *number = fake->records[at].number;
    *len = fake->records[at].len;
    memcpy(out, fake->records[at].data, *len);
    return true;
}

static bool port_trim(void *ctx, uint64_t upto)
{
    fake_t *fake = ((world_t *)ctx)->fake;
    if (fake->count == 0 || fake->records[fake->first % FAKE_RECORDS].number > upto) {
        return true;
    }
    if (!powered(fake)) {
        return false;
    }
    while (fake->count > 0 && fake->records[fake->first % FAKE_RECORDS].number <= upto) {
        remove_first(fake, true);
    }
    return !fake->dead;
}

static uint64_t port_dropped(void *ctx)
{
    return ((world_t *)ctx)->fake->dropped;
}

static void port_purge(void *ctx)
{
    ((world_t *)ctx)->fake->purged++;
}

static void port_changed(void *ctx, cradle_state_t from, cradle_state_t to, const char *why,
                         uint32_t wait_ms)
{
    world_t *world = ctx;
    world->changes++;
    world->last_from = from;
    world->last_to = to;
    world->last_wait = wait_ms;
    snprintf(world->last_why, sizeof world->last_why, "%s", why);
}

/* -- the driver -------------------------------------------------------------------------------- */

void world_init(world_t *world, fake_t *fake, const cradle_product_t *product)
{
    memset(world, 0, sizeof *world);
    world->fake = fake;
    world->product = product;
    world->port = (cradle_port_t){
        .ctx = world,
        .random = port_random,
        .get = port_get,
        .set = port_set,
        .erase = port_erase,
        .append = port_append,
        .read = port_read,
        .trim = port_trim,
        .dropped = port_dropped,
        .purge = port_purge,
        .changed = port_changed,
    };
    world->facts = (cradle_facts_t){
        .sn = "SN-000001",
        .model = "cradle-linux",
        .hardware = "A1",
        .firmware = "cradle-linux",
        .version = "0.1.0",
        .birth_not_after = UNIX_MS / 1000 + 1000 * 86400 + 1000,
        .built = UNIX_MS / 1000 - 86400,
    };
    world->now = 1000000;
}

void world_boot(world_t *world)
{
    cradle_device_init(&world->device, &world->port, world->product, &world->facts, world->now);
}

void world_event(world_t *world, const cradle_event_t *event)
{
    cradle_device_handle(&world->device, event, world->now);
}

void world_simple(world_t *world, cradle_event_type_t type)
{
    cradle_event_t event;
    memset(&event, 0, sizeof event);
    event.type = type;
    world_event(world, &event);
}

void world_tick(world_t *world, uint64_t after_ms)
{
    world->now += after_ms;
    world_simple(world, CRADLE_EVENT_TICK);
}

bool world_next(world_t *world)
{
    memset(&world->action, 0x5a, sizeof world->action);
    if (!cradle_device_next(&world->device, &world->action)) {
        return false;
    }
    if (world->action.type == CRADLE_ACTION_PUBLISH) {
        world->payload_len = world->action.u.publish.len;
        assert_true(world->payload_len < FAKE_TEXT);
        memcpy(world->payload, world->action.u.publish.payload, world->payload_len);
        world->payload[world->payload_len] = '\0';
        snprintf(world->topic, sizeof world->topic, "%s", world->action.u.publish.topic);
        assert_true(json_valid(world->payload, world->payload_len));
    } else if (world->action.type == CRADLE_ACTION_JOIN) {
        snprintf(world->ssid, sizeof world->ssid, "%s", world->action.u.join.ssid);
        snprintf(world->passphrase, sizeof world->passphrase, "%s",
                 world->action.u.join.passphrase);
    }
    return true;
}

void world_expect(world_t *world, cradle_action_type_t type)
{
    if (!world_next(world)) {
        fail_msg("no action, but %s was expected", cradle_action_name(type));
    }
    assert_string_equal(cradle_action_name(world->action.type), cradle_action_name(type));
}

void world_quiet(world_t *world)
{
    if (world_next(world)) {
        fail_msg("%s was not expected", cradle_action_name(world->action.type));
    }
}

void world_drain(world_t *world)
{
    while (world_next(world)) {
    }
}

uint64_t world_wait(world_t *world, uint64_t within_ms)
{
    uint64_t deadline = cradle_device_deadline(&world->device);
    uint64_t wait = deadline > world->now ? deadline - world->now : 0;
    if (wait > within_ms) {
        fail_msg("the deadline is %llu ms away, not within %llu", (unsigned long long)wait,
                 (unsigned long long)within_ms);
    }
    world_tick(world, wait);
    return wait;
}

cradle_status_t world_status(const world_t *world)
{
    cradle_status_t status;
    cradle_device_status(&world->device, &status);
    return status;
}

void world_credentials(world_t *world, const char *ssid, const char *passphrase)
{
    cradle_event_t event = {.type = CRADLE_EVENT_CREDENTIALS};
    event.u.credentials.ssid = ssid;
    event.u.credentials.passphrase = passphrase;
    world_event(world, &event);
}

void world_wifi_down(world_t *world, uint16_t reason)
{
    cradle_event_t event = {.type = CRADLE_EVENT_WIFI_DOWN};
    event.u.wifi_down.reason = reason;
    world_event(world, &event);
}

void world_clock(world_t *world, int64_t unix_ms)
{
    cradle_event_t event = {.type = CRADLE_EVENT_CLOCK};
    event.u.clock.unix_ms = unix_ms;
    world_event(world, &event);
}

void world_cloud_down(world_t *world, cradle_down_t why, bool closed_by_peer)
{
    cradle_event_t event = {.type = CRADLE_EVENT_CLOUD_DOWN};
    event.u.cloud_down.why = why;
    event.u.cloud_down.closed_by_peer = closed_by_peer;
    world_event(world, &event);
}

void world_ack(world_t *world, uint16_t token)
{
    cradle_event_t event = {.type = CRADLE_EVENT_ACKED};
    event.u.acked.token = token;
    world_event(world, &event);
}

void world_message(world_t *world, const char *topic, const char *payload)
{
    cradle_event_t event = {.type = CRADLE_EVENT_MESSAGE};
    event.u.message.topic = topic;
    event.u.message.topic_len = strlen(topic);
    event.u.message.payload = payload;
    event.u.message.len = strlen(payload);
    world_event(world, &event);
}

static void subscribe(world_t *world)
{
    cradle_event_t event = {.type = CRADLE_EVENT_SUBSCRIBED};
    event.u.subscribed.granted = true;
    world_simple(world, CRADLE_EVENT_CLOUD_UP);
    world_expect(world, CRADLE_ACTION_SUBSCRIBE);
    world_event(world, &event);
}

/* Ticks until this action comes, over timers that lead to none. */
static void wait_for(world_t *world, cradle_action_type_t type)
{
    for (int i = 0; i < 2000; i++) {
        if (world_next(world)) {
            assert_string_equal(cradle_action_name(world->action.type), cradle_action_name(type));
            return;
        }
        world_wait(world, CRADLE_REFUSED_CAP_MS);
    }
    fail_msg("%s never came", cradle_action_name(type));
}

void world_reconnect(world_t *world)
{
    wait_for(world, CRADLE_ACTION_CONNECT);
    subscribe(world);
}

void world_online(world_t *world)
{
    world_boot(world);
    wait_for(world, CRADLE_ACTION_JOIN);
    world_simple(world, CRADLE_EVENT_WIFI_UP);
    world_expect(world, CRADLE_ACTION_SET_CLOCK);
    world_clock(world, UNIX_MS);
    world_reconnect(world);
}

void world_provision(world_t *world)
{
    world_boot(world);
    world_expect(world, CRADLE_ACTION_START_PROVISIONING);
    world_credentials(world, "Alice-Home", "rhubarb-crumble");
    world_tick(world, 0);
    world_expect(world, CRADLE_ACTION_JOIN);
    world_simple(world, CRADLE_EVENT_WIFI_UP);
    assert_true(fake_has(world->fake, "wifi"));
    world_drain(world);
    world_simple(world, CRADLE_EVENT_SHUTDOWN);
    world_drain(world);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The brain's lifecycle, driven by hand: provisioning, joining, clock, connecting, the way down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core_fake.h"

static int setup(void **state)
{
    static world_t world;
    world_init(&world, fake_new(7), NULL);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    fake_free(((world_t *)*state)->fake);
    return 0;
}

/* -- provisioning ------------------------------------------------------------------------------ */

static void blank_waits(void **state)
{
    world_t *w = *state;
    w->facts.sn = NULL;
    world_boot(w);
    assert_int_equal(world_status(w).state, CRADLE_BLANK);
    world_quiet(w);
    assert_true(cradle_device_deadline(&w->device) == UINT64_MAX);
    world_simple(w, CRADLE_EVENT_SHUTDOWN);
    world_expect(w, CRADLE_ACTION_HALT);
    world_quiet(w);
}

static void first_time(void **state)
{
    world_t *w = *state;
    cradle_event_t event = {.type = CRADLE_EVENT_SUBSCRIBED};
    event.u.subscribed.granted = true;

    world_boot(w);
    assert_int_equal(world_status(w).state, CRADLE_UNPROVISIONED);
    world_expect(w, CRADLE_ACTION_START_PROVISIONING);
    world_quiet(w);
    assert_true(cradle_device_deadline(&w->device) == UINT64_MAX);
    assert_true(fake_has(w->fake, "epoch")); /* before anybody can see the device */

    world_credentials(w, "Alice-Home", "rhubarb-crumble");
    world_expect(w, CRADLE_ACTION_JOIN);
    assert_string_equal(w->ssid, "Alice-Home");
    assert_string_equal(w->passphrase, "rhubarb-crumble");
    world_quiet(w);
    assert_false(fake_has(w->fake, "wifi")); /* not proven yet */
    assert_false(world_status(w).provisioned);

    world_simple(w, CRADLE_EVENT_WIFI_UP);
    assert_true(fake_has(w->fake, "wifi"));
    world_expect(w, CRADLE_ACTION_PROVISIONING_RESULT);
    assert_int_equal(w->action.u.provisioning.result, CRADLE_JOINED);
    world_expect(w, CRADLE_ACTION_SET_CLOCK);
    world_quiet(w);
    assert_int_equal(world_status(w).state, CRADLE_SETTING_CLOCK);

    world_clock(w, UNIX_MS);
    world_expect(w, CRADLE_ACTION_CONNECT);
    assert_int_equal(w->action.u.connect.slot, 0);
    assert_true(w->action.u.connect.clock_set);
    assert_true(w->action.u.connect.unix_ms == UNIX_MS);

    world_simple(w, CRADLE_EVENT_CLOUD_UP);
    world_expect(w, CRADLE_ACTION_SUBSCRIBE);
    assert_int_equal(w->action.u.subscribe.count, 3);
    assert_string_equal(w->action.u.subscribe.filters[0], "v1/devices/me/attributes");
    assert_string_equal(w->action.u.subscribe.filters[1], "v1/devices/me/attributes/response/+");
    assert_string_equal(w->action.u.subscribe.filters[2], "v1/devices/me/rpc/request/+");
    world_quiet(w); /* nothing before SUBACK: an attribute push could be missed */

    world_event(w, &event);
    world_expect(w, CRADLE_ACTION_PUBLISH);
    assert_string_equal(w->topic, "v1/devices/me/attributes/request/1");
    assert_string_equal(w->payload, "{\"sharedKeys\":\"telemetry_period_ms\"}");
    assert_int_equal(w->action.u.publish.qos, 0);
    world_expect(w, CRADLE_ACTION_PUBLISH);
    assert_string_equal(w->topic, "v1/devices/me/attributes");
    assert_string_equal(w->payload, "{\"model\":\"cradle-linux\",\"hardware\":\"A1\",\"firmware\":"
                                    "\"cradle-linux\",\"firmware_version\":\"v0.1.0\","
                                    "\"telemetry_period_ms\":1000}");
    world_expect(w, CRADLE_ACTION_PUBLISH);
    assert_string_equal(w->topic, "v1/devices/me/telemetry");
    assert_string_equal(w->payload,
                        "{\"ts\":1767225600000,\"values\":{\"uptime_s\":0,\"cert_days_left\":1000,"
                        "\"dropped\":0,\"connections\":1}}");
    assert_int_equal(w->action.u.publish.qos, 1);
    world_quiet(w);
    assert_int_equal(world_status(w).impossible, 0);
}

/* The service stays up for the client to read the success, and no longer. */
static void service_stops_when_read(void **state)
{
    world_t *w = *state;
    world_boot(w);
    world_credentials(w, "Alice-Home", "");
    world_drain(w);
    world_simple(w, CRADLE_EVENT_WIFI_UP);
    world_drain(w);
    assert_true(world_status(w).provisioning);
    world_tick(w, 3000);
    world_simple(w, CRADLE_EVENT_CLIENT_DONE);
    world_tick(w, CRADLE_PROVISION_READ_MS - 1);
    world_quiet(w);
    world_tick(w, 1);
    world_expect(w, CRADLE_ACTION_STOP_PROVISIONING);
    assert_false(world_status(w).provisioning);
}

static void service_stops_unread(void **state)
{
    world_t *w = *state;
    world_boot(w);
    world_credentials(w, "Alice-Home", "");
    world_drain(w);
    world_simple(w, CRADLE_EVENT_WIFI_UP);
    world_clock(w, UNIX_MS);
    world_drain(w);
    world_simple(w, CRADLE_EVENT_CLOUD_UP);
    world_drain(w);
    world_tick(w, CRADLE_PROVISION_LINGER_MS - 1);
    world_quiet(w);
    world_tick(w, 1);
    world_expect(w, CRADLE_ACTION_STOP_PROVISIONING);
    world_quiet(w);
}

static void wrong_credentials_may_be_tried_again(void **state)
{
    static const struct {
        uint16_t reason;
        cradle_joined_t result;
    } cases[] = {
        {15, CRADLE_JOIN_AUTH}, {202, CRADLE_JOIN_AUTH},      {204, CRADLE_JOIN_AUTH},
        {14, CRADLE_JOIN_AUTH}, {201, CRADLE_JOIN_NOT_FOUND},
    };
    world_t *w = *state;
    world_boot(w);
    world_drain(w);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world_credentials(w, "Alice-Home", "wrong-password");
        world_expect(w, CRADLE_ACTION_JOIN);
        world_tick(w, 500);
        world_wifi_down(w, cases[i].reason);
        world_expect(w, CRADLE_ACTION_PROVISIONING_RESULT);
        assert_int_equal(w->action.u.provisioning.result, cases[i].result);
        world_quiet(w); /* the service is neither stopped nor started again */
        assert_int_equal(world_status(w).state, CRADLE_UNPROVISIONED);
        assert_false(fake_has(w->fake, "wifi"));
    }
    assert_string_equal(world_status(w).why, "no such network");
    world_credentials(w, "Alice-Home", "right-password");
    world_expect(w, CRADLE_ACTION_JOIN);
    assert_string_equal(w->passphrase, "right-password");
    world_simple(w, CRADLE_EVENT_WIFI_UP);
    world_expect(w, CRADLE_ACTION_PROVISIONING_RESULT);
    assert_int_equal(w->action.u.provisioning.result, CRADLE_JOINED);
    assert_true(fake_has(w->fake, "wifi"));
    assert_int_equal(world_status(w).impossible, 0);
}

/* Reasons that say nothing about the credentials: goes on trying, as an ESP32 does. */
static void unclear_failures_go_on(void **state)
{
    world_t *w = *state;
    world_boot(w);
    world_drain(w);
    world_credentials(w, "Alice-Home", "some-password");
    world_expect(w, CRADLE_ACTION_JOIN);
    for (int i = 0; i < 5; i++) {
        world_wifi_down(w, 203);
        world_expect(w, CRADLE_ACTION_PROVISIONING_RESULT);
        assert_int_equal(w->action.u.provisioning.result, CRADLE_JOIN_OTHER);
        if (!world_next(w)) {
            world_wait(w, CRADLE_JOIN_CAP_MS);
            world_expect(w, CRADLE_ACTION_JOIN);
        }
        assert_int_equal(w->action.type, CRADLE_ACTION_JOIN);
        assert_int_equal(world_status(w).state, CRADLE_JOINING);
    }
    /* New ones replace these at once, also in the middle of an attempt. */
    world_credentials(w, "Bob-Home", "");
    world_expect(w, CRADLE_ACTION_LEAVE);
    world_expect(w, CRADLE_ACTION_JOIN);
    assert_string_equal(w->ssid, "Bob-Home");
    /* An answer that still belonged to the attempt before cannot be told apart by the brain; the
       port promises none after LEAVE. One that comes while nothing is under way changes nothing. */
    world_simple(w, CRADLE_EVENT_FORGET);
    world_expect(w, CRADLE_ACTION_LEAVE);
    assert_int_equal(world_status(w).state, CRADLE_UNPROVISIONED);
    world_simple(w, CRADLE_EVENT_WIFI_UP);
    assert_int_equal(world_status(w).state, CRADLE_UNPROVISIONED);
    assert_int_equal(world_status(w).impossible, 1);
    assert_false(fake_has(w->fake, "wifi"));
}

static void silent_radio_is_given_up(void **state)
{
    world_t *w = *state;
    world_boot(w);
    world_drain(w);
    world_credentials(w, "Alice-Home", "some-password");
    world_expect(w, CRADLE_ACTION_JOIN);
    world_tick(w, CRADLE_JOIN_TIMEOUT_MS);
    world_expect(w, CRADLE_ACTION_LEAVE);
    world_expect(w, CRADLE_ACTION_PROVISIONING_RESULT);
    assert_int_equal(w->action.u.provisioning.result, CRADLE_JOIN_OTHER);
    world_wait(w, CRADLE_JOIN_BASE_MS);
    world_expect(w, CRADLE_ACTION_JOIN);
}

static void impossible_credentials(void **state)
{
    static const char *const bad[][2] = {
        {"", "x"},
        {"123456789012345678901234567890123", ""},
        {"a", "12345678901234567890123456789012345678901234567890123456789012345"},
    };
    world_t *w = *state;
    world_boot(w);
    world_drain(w);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        world_credentials(w, bad[i][0], bad[i][1]);
        world_expect(w, CRADLE_ACTION_PROVISIONING_RESULT);
        assert_int_equal(w->action.u.provisioning.result, CRADLE_JOIN_NOT_FOUND);
        world_quiet(w);
    }
    world_credentials(w, "12345678901234567890123456789012",
                      "1234567890123456789012345678901234567890123456789012345678901234");
    world_expect(w, CRADLE_ACTION_JOIN);
    world_simple(w, CRADLE_EVENT_WIFI_UP);
    world_drain(w);
    world_boot(w); /* the longest ones come back whole */
    world_tick(w, 0);
    world_expect(w, CRADLE_ACTION_JOIN);
    assert_string_equal(w->ssid, "12345678901234567890123456789012");
    assert_int_equal(strlen(w->passphrase), 64);
}

static void broken_settings_are_not_success(void **state)
{
    world_t *w = *state;
    world_boot(w);
    world_drain(w);
    w->fake->broken = true;
    world_credentials(w, "Alice-Home", "some-password");
    world_expect(w, CRADLE_ACTION_JOIN);
    world_simple(w, CRADLE_EVENT_WIFI_UP);
    world_expect(w, CRADLE_ACTION_LEAVE);
    world_expect(w, CRADLE_ACTION_PROVISIONING_RESULT);
    assert_int_equal(w->action.u.provisioning.result, CRADLE_JOIN_OTHER);
    assert_int_equal(world_status(w).state, CRADLE_UNPROVISIONED);
    assert_false(world_status(w).provisioned);
}

/* The power goes at each write of the first provisioning: afterwards the device either asks for
   credentials or joins with them, and has one epoch that fits. */
static void power_cut_while_provisioning(void **state)
{
    (void)state;
    for (int before = 0; before < 2; before++) {
        bool cut = true;
        for (int n = 0; cut; n++) {
            static world_t w;
            world_init(&w, fake_new(3), NULL);
            w.fake->cut_at = n;
            w.fake->cut_before = before != 0;
            world_boot(&w);
            world_drain(&w);
            world_credentials(&w, "Alice-Home", "rhubarb-crumble");
            world_expect(&w, CRADLE_ACTION_JOIN);
            world_simple(&w, CRADLE_EVENT_WIFI_UP);
            world_drain(&w);
            cut = w.fake->dead;
            bool kept = fake_has(w.fake, "wifi");

            fake_power(w.fake);
            world_boot(&w);
            assert_int_equal(world_status(&w).state, kept ? CRADLE_JOINING : CRADLE_UNPROVISIONED);
            cradle_status_t first = world_status(&w);
            world_boot(&w);
            assert_memory_equal(world_status(&w).epoch, first.epoch, CRADLE_EPOCH_SIZE);
            world_tick(&w, 0);
            world_next(&w);
            assert_int_equal(w.action.type,
                             kept ? CRADLE_ACTION_JOIN : CRADLE_ACTION_START_PROVISIONING);
            fake_free(w.fake);
        }
    }
}

/* -- kept credentials -------------------------------------------------------------------------- */

static void never_back_to_provisioning(void **state)
{
    static const uint16_t reasons[] = {201, 15, 203, 2, 8};
    world_t *w = *state;
    uint64_t total = 0;
    uint32_t longest = 0;
    world_provision(w);
    world_boot(w);
    world_tick(w, 0);
    world_expect(w, CRADLE_ACTION_JOIN);
    for (int i = 0; i < 1000; i++) {
        world_wifi_down(w, reasons[i % 5]);
        uint32_t wait = w->last_wait;
        uint32_t most = i < 6 ? 1000u << i : CRADLE_JOIN_CAP_MS;
        assert_true(wait <= most);
        longest = wait > longest ? wait : longest;
        total += i >= 6 ? wait : 0;
        if (!world_next(w)) {
            world_wait(w, wait);
            world_expect(w, CRADLE_ACTION_JOIN);
        }
        assert_int_equal(w->action.type, CRADLE_ACTION_JOIN);
        assert_string_equal(w->ssid, "Alice-Home");
    }
    assert_int_equal(world_status(w).state, CRADLE_JOINING);
    assert_true(fake_has(w->fake, "wifi"));
    /* Full jitter: the mean of an even draw from 0 to the cap, and the cap is used. */
    assert_in_range(total / 994, CRADLE_JOIN_CAP_MS * 45 / 100, CRADLE_JOIN_CAP_MS * 55 / 100);
    assert_in_range(longest, CRADLE_JOIN_CAP_MS * 9 / 10, CRADLE_JOIN_CAP_MS);
}

static void without_a_time_server(void **state)
{
    world_t *w = *state;
    world_provision(w);
    world_boot(w);
    world_tick(w, 0);
    world_drain(w);
    world_simple(w, CRADLE_EVENT_WIFI_UP);
    world_drain(w);
    world_tick(w, CRADLE_CLOCK_TIMEOUT_MS - 1);
    world_quiet(w);
    world_tick(w, 1);
    world_expect(w, CRADLE_ACTION_CONNECT);
    assert_false(w->action.u.connect.clock_set);
    assert_true(w->action.u.connect.unix_ms == w->facts.built * 1000);
    /* A time before the firmware was made is not believed. */
    world_clock(w, w->facts.built * 1000 - 1);
    assert_false(world_status(w).clock_set);
    world_clock(w, 0);
    assert_false(world_status(w).clock_set);
    world_clock(w, w->facts.built * 1000);
    assert_true(world_status(w).clock_set);
}

static void clock_is_asked_once(void **state)
{
    world_t *w = *state;
    world_provision(w);
    world_online(w);
    world_drain(w);
    world_tick(w, 5000);
    world_wifi_down(w, 200);
    world_expect(w, CRADLE_ACTION_DISCONNECT);
    if (!world_next(w)) {
        world_wait(w, CRADLE_JOIN_BASE_MS);
        world_expect(w, CRADLE_ACTION_JOIN);
    }
    world_simple(w, CRADLE_EVENT_WIFI_UP);
    world_expect(w, CRADLE_ACTION_CONNECT);
    assert_true(w->action.u.connect.unix_ms == UNIX_MS + (int64_t)w->now - 1000000);
}

/* -- connecting -------------------------------------------------------------------------------- */

static void to_connect(world_t *w)
{
    world_provision(w);
    world_boot(w);
    world_tick(w, 0);
    world_expect(w, CRADLE_ACTION_JOIN);
    world_simple(w, CRADLE_EVENT_WIFI_UP);
    world_clock(w, UNIX_MS);
    world_expect(w, CRADLE_ACTION_SET_CLOCK);
    world_expect(w, CRADLE_ACTION_CONNECT);
}

static void again(world_t *w)
{
    if (!world_next(w)) {
        world_wait(w, CRADLE_REFUSED_CAP_MS);
        world_expect(w, CRADLE_ACTION_CONNECT);
    }
    assert_int_equal(w->action.type, CRADLE_ACTION_CONNECT);
}

static void outage_backs_off(void **state)
{
    world_t *w = *state;
    uint64_t total = 0;
    to_connect(w);
    for (int i = 0; i < 1000; i++) {
        world_cloud_down(w, i % 2 ? CRADLE_DOWN_OUTAGE : CRADLE_DOWN_SERVER, false);
        assert_true(w->last_wait <= (i < 6 ? 1000u << i : CRADLE_CLOUD_CAP_MS));
        total += i >= 6 ? w->last_wait : 0;
        again(w);
        assert_int_equal(w->action.u.connect.slot, 0);
    }
    assert_false(world_status(w).refused);
    assert_in_range(total / 994, CRADLE_CLOUD_CAP_MS * 45 / 100, CRADLE_CLOUD_CAP_MS * 55 / 100);
}

static void refusal_is_no_outage(void **state)
{
    world_t *w = *state;
    to_connect(w);
    for (int i = 0; i < 30; i++) {
        world_cloud_down(w, CRADLE_DOWN_REFUSED, false);
        assert_true(world_status(w).refused);
        assert_string_equal(w->last_why, "the cloud refuses this device");
        assert_true(w->last_wait <=
                    (i < 8 ? (uint32_t)CRADLE_REFUSED_BASE_MS << i : CRADLE_REFUSED_CAP_MS));
        again(w);
    }
    /* An outage in between leaves the refusal visible; being let in ends it. */
    world_cloud_down(w, CRADLE_DOWN_OUTAGE, false);
    assert_true(w->last_wait <= CRADLE_CLOUD_BASE_MS);
    assert_true(world_status(w).refused);
    again(w);
    world_simple(w, CRADLE_EVENT_CLOUD_UP);
    assert_false(world_status(w).refused);
    assert_true(fake_has(w->fake, "wifi"));
}

static void no_connack(void **state)
{
    world_t *w = *state;
    to_connect(w);
    world_tick(w, CRADLE_CONNECT_TIMEOUT_MS - 1);
    world_quiet(w);
    world_tick(w, 1);
    world_expect(w, CRADLE_ACTION_DISCONNECT);
    assert_string_equal(w->last_why, "the cloud does not answer");
    assert_false(world_status(w).refused);
    again(w);
    world_simple(w, CRADLE_EVENT_CLOUD_UP);
    assert_int_equal(world_status(w).state, CRADLE_ONLINE);
}

static void no_suback(void **state)
{
    world_t *w = *state;
    to_connect(w);
    world_simple(w, CRADLE_EVENT_CLOUD_UP);
    world_expect(w, CRADLE_ACTION_SUBSCRIBE);
    world_tick(w, CRADLE_ACK_TIMEOUT_MS);
    world_expect(w, CRADLE_ACTION_DISCONNECT);
    assert_int_equal(world_status(w).state, CRADLE_CONNECTING);
}

/* Two boards with one certificate close each other: short connections must back off like failures,
   a connection that lasted does not. */
static void short_connections_back_off(void **state)
{
    world_t *w = *state;
    uint64_t total = 0;
    to_connect(w);
    for (int i = 0; i < 200; i++) {
        world_simple(w, CRADLE_EVENT_CLOUD_UP);
        world_drain(w);
        world_tick(w, 100);
        world_cloud_down(w, CRADLE_DOWN_OUTAGE, true);
        total += i >= 6 ? w->last_wait : 0;
        again(w);
    }
    assert_in_range(total / 194, CRADLE_CLOUD_CAP_MS * 4 / 10, CRADLE_CLOUD_CAP_MS * 6 / 10);
    world_simple(w, CRADLE_EVENT_CLOUD_UP);
    world_drain(w);
    world_tick(w, CRADLE_STABLE_MS);
    world_cloud_down(w, CRADLE_DOWN_OUTAGE, true);
    assert_true(w->last_wait <= CRADLE_CLOUD_BASE_MS);
}

static void wifi_lost_while_connecting(void **state)
{
    world_t *w = *state;
    to_connect(w);
    world_wifi_down(w, 200);
    world_expect(w, CRADLE_ACTION_DISCONNECT);
    assert_int_equal(world_status(w).state, CRADLE_JOINING);
    if (!world_next(w)) {
        world_wait(w, CRADLE_JOIN_BASE_MS);
        world_expect(w, CRADLE_ACTION_JOIN);
    }
    /* The connection that was given up reports nothing; if it does, nothing changes. */
    world_simple(w, CRADLE_EVENT_CLOUD_UP);
    assert_int_equal(world_status(w).state, CRADLE_JOINING);
    assert_int_equal(world_status(w).impossible, 1);
}

/* Answers that nobody waits for, between two attempts. */
static void late_answers_change_nothing(void **state)
{
    world_t *w = *state;
    to_connect(w);
    while (w->last_wait < 10) { /* until the draw leaves a pause */
        world_cloud_down(w, CRADLE_DOWN_OUTAGE, false);
        world_next(w);
    }
    world_simple(w, CRADLE_EVENT_CLOUD_UP);
    world_cloud_down(w, CRADLE_DOWN_REFUSED, false);
    assert_int_equal(world_status(w).state, CRADLE_CONNECTING);
    assert_int_equal(world_status(w).impossible, 2);
    assert_false(world_status(w).refused);
    world_wifi_down(w, 200);
    while (w->last_wait < 10) {
        world_next(w);
        world_wifi_down(w, 200);
    }
    world_drain(w);
    cradle_status_t before = world_status(w);
    world_simple(w, CRADLE_EVENT_WIFI_UP);
    world_wifi_down(w, 200);
    assert_int_equal(world_status(w).state, CRADLE_JOINING);
    assert_int_equal(world_status(w).impossible, before.impossible + 2);
}

/* -- reset, reboot, shutdown ------------------------------------------------------------------- */

static void reset_erases(world_t *w)
{
    assert_false(fake_has(w->fake, "wifi"));
    assert_false(fake_has(w->fake, "config"));
    assert_false(fake_has(w->fake, "reset"));
    assert_int_equal(w->fake->count, 0);
    assert_int_equal(world_status(w).dropped, 0);
    assert_int_equal(world_status(w).state, CRADLE_UNPROVISIONED);
}

static void offline_with_data(world_t *w)
{
    world_provision(w);
    world_online(w);
    world_drain(w);
    world_message(w, "v1/devices/me/attributes", "{\"telemetry_period_ms\":2000}");
    world_drain(w);
    world_tick(w, 10);
    assert_int_equal(cradle_device_telemetry(&w->device, "{\"a\":1}", 7, w->now), CRADLE_QUEUED);
    world_cloud_down(w, CRADLE_DOWN_OUTAGE, false);
    assert_true(w->fake->count > 0);
    w->fake->dropped = 5;
    assert_int_equal(world_status(w).dropped, 5);
    assert_true(fake_has(w->fake, "config"));
}

static void button(void **state)
{
    world_t *w = *state;
    offline_with_data(w);
    uint8_t epoch[CRADLE_EPOCH_SIZE];
    memcpy(epoch, world_status(w).epoch, sizeof epoch);
    world_drain(w);
    world_simple(w, CRADLE_EVENT_RESET);
    assert_int_equal(world_status(w).state, CRADLE_RESETTING);
    world_simple(w, CRADLE_EVENT_WIFI_DOWN); /* was under way */
    assert_int_equal(world_status(w).impossible, 0);
    while (world_next(w) && w->action.type != CRADLE_ACTION_REBOOT) {
        assert_true(w->action.type < CRADLE_ACTION_START_PROVISIONING);
    }
    assert_int_equal(w->action.type, CRADLE_ACTION_REBOOT);
    world_quiet(w);
    assert_int_equal(w->fake->purged, 1);
    world_boot(w);
    reset_erases(w);
    assert_memory_not_equal(world_status(w).epoch, epoch, sizeof epoch);
    world_expect(w, CRADLE_ACTION_START_PROVISIONING);
}

static void power_cut_while_resetting(void **state)
{
    (void)state;
    int cuts = 0;
    for (int before = 0; before < 2; before++) {
        bool cut = true;
        for (int n = 0; cut; n++) {
            static world_t w;
            world_init(&w, fake_new(11), NULL);
            offline_with_data(&w);
            world_drain(&w);
            uint8_t epoch[CRADLE_EPOCH_SIZE];
            memcpy(epoch, world_status(&w).epoch, sizeof epoch);
            w.fake->cut_at = n;
            w.fake->cut_before = before != 0;
            world_simple(&w, CRADLE_EVENT_RESET);
            cut = w.fake->dead;
            cuts += cut;
            fake_power(w.fake);
            world_boot(&w);
            if (before && n == 0) {
                /* Not even begun: everything is as it was. */
                assert_int_equal(world_status(&w).state, CRADLE_JOINING);
                assert_int_equal(world_status(&w).period_ms, 2000);
                assert_int_equal(world_status(&w).dropped, 5);
                assert_memory_equal(world_status(&w).epoch, epoch, sizeof epoch);
            } else {
                reset_erases(&w);
                assert_int_equal(world_status(&w).period_ms, CRADLE_PERIOD_MS);
                assert_memory_not_equal(world_status(&w).epoch, epoch, sizeof epoch);
            }
            fake_free(w.fake);
        }
    }
    assert_true(cuts >= 12); /* six writes, cut before and after each */
}

static void shutdown_keeps_what_is_under_way(void **state)
{
    world_t *w = *state;
    world_provision(w);
    world_online(w);
    world_drain(w);
    assert_int_equal(w->fake->count, 0); /* the health record is live */
    world_simple(w, CRADLE_EVENT_SHUTDOWN);
    assert_int_equal(w->fake->count, 1);
    world_expect(w, CRADLE_ACTION_DISCONNECT);
    world_expect(w, CRADLE_ACTION_LEAVE);
    world_expect(w, CRADLE_ACTION_HALT);
    world_quiet(w);
    assert_true(cradle_device_deadline(&w->device) == UINT64_MAX);
    assert_int_equal(cradle_device_telemetry(&w->device, "{\"a\":1}", 7, w->now), CRADLE_NOT_NOW);
}

/* -- the epoch --------------------------------------------------------------------------------- */

static void epoch_and_wifi_belong_together(void **state)
{
    world_t *w = *state;
    world_provision(w);
    uint8_t epoch[CRADLE_EPOCH_SIZE];
    memcpy(epoch, world_status(w).epoch, sizeof epoch);
    world_boot(w);
    assert_memory_equal(world_status(w).epoch, epoch, sizeof epoch);
    /* Somebody put another epoch there: neither is believed. */
    w->port.set(w, "epoch", "0123456789abcdef", 16);
    world_boot(w);
    assert_memory_not_equal(world_status(w).epoch, epoch, sizeof epoch);
    assert_memory_not_equal(world_status(w).epoch, "0123456789abcdef", sizeof epoch);
    assert_int_equal(world_status(w).state, CRADLE_JOINING);
    memcpy(epoch, world_status(w).epoch, sizeof epoch);
    world_boot(w); /* and now they fit */
    assert_memory_equal(world_status(w).epoch, epoch, sizeof epoch);
}

static void damaged_wifi_is_no_wifi(void **state)
{
    world_t *w = *state;
    world_provision(w);
    uint8_t blob[FAKE_VALUE];
    size_t len;
    assert_true(w->port.get(w, "wifi", blob, sizeof blob, &len));
    for (size_t i = 0; i < len; i++) {
        w->port.set(w, "wifi", blob, i); /* cut short */
        world_boot(w);
        assert_int_equal(world_status(w).state, CRADLE_UNPROVISIONED);
    }
    blob[0] = 3; /* a version from the future */
    w->port.set(w, "wifi", blob, len);
    world_boot(w);
    assert_int_equal(world_status(w).state, CRADLE_UNPROVISIONED);
    blob[0] = 2;
    blob[1 + CRADLE_EPOCH_SIZE] = 0; /* no name */
    w->port.set(w, "wifi", blob, len);
    world_boot(w);
    assert_int_equal(world_status(w).state, CRADLE_UNPROVISIONED);
    memset(blob + 1 + CRADLE_EPOCH_SIZE, 'A', len - 1 - CRADLE_EPOCH_SIZE); /* without an end */
    w->port.set(w, "wifi", blob, len);
    world_boot(w);
    assert_int_equal(world_status(w).state, CRADLE_UNPROVISIONED);
}

/* -- what cannot happen ------------------------------------------------------------------------ */

static void to_state(world_t *w, cradle_state_t state)
{
    w->facts.sn = state == CRADLE_BLANK ? NULL : "SN-000001";
    if (state > CRADLE_UNPROVISIONED) {
        world_provision(w);
    }
    world_boot(w);
    world_tick(w, 0);
    world_drain(w);
    if (state >= CRADLE_SETTING_CLOCK) {
        world_simple(w, CRADLE_EVENT_WIFI_UP);
        world_drain(w);
    }
    if (state >= CRADLE_CONNECTING) {
        world_clock(w, UNIX_MS);
        world_drain(w);
    }
    if (state >= CRADLE_ONLINE) {
        world_simple(w, CRADLE_EVENT_CLOUD_UP);
        world_drain(w);
    }
    if (state == CRADLE_STOPPING) {
        world_simple(w, CRADLE_EVENT_SHUTDOWN);
    } else if (state == CRADLE_RESETTING) {
        world_simple(w, CRADLE_EVENT_RESET);
    }
    world_drain(w);
    assert_int_equal(world_status(w).state, state);
    assert_int_equal(world_status(w).impossible, 0);
}

static void impossible_events_change_nothing(void **state)
{
    static const struct {
        cradle_state_t state;
        const char *possible; /* one letter an event, in the order of the enum, '-' is impossible */
    } cases[] = {
        {CRADLE_BLANK, "t-----c-----r-xs"},      {CRADLE_UNPROVISIONED, "tc-f--c-----r-xs"},
        {CRADLE_JOINING, "t-dfudc-----r-xs"},    {CRADLE_SETTING_CLOCK, "t-d--dc-----r-xs"},
        {CRADLE_CONNECTING, "t-d--dcud---r-xs"}, {CRADLE_ONLINE, "t-d--dc-ds-mrpxs"},
        {CRADLE_STOPPING, "tcdfudcudsamrpxs"},   {CRADLE_RESETTING, "tcdfudcudsamrpxs"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(strlen(cases[i].possible), CRADLE_EVENTS);
        for (int type = 0; type <= CRADLE_EVENTS; type++) {
            static world_t w;
            world_init(&w, fake_new(5), NULL);
            to_state(&w, cases[i].state);
            cradle_event_t event;
            memset(&event, 0, sizeof event);
            event.type = (cradle_event_type_t)type;
            if (type == CRADLE_EVENT_CREDENTIALS) {
                event.u.credentials.ssid = "Mallory";
                event.u.credentials.passphrase = "";
            } else if (type == CRADLE_EVENT_MESSAGE) {
                event.u.message.topic = "";
                event.u.message.payload = "";
            }
            bool possible = type < CRADLE_EVENTS && cases[i].possible[type] != '-';
            unsigned changes = w.changes;
            world_event(&w, &event);
            if (possible != (world_status(&w).impossible == 0)) {
                fail_msg("%s in %s", cradle_event_name(event.type),
                         cradle_state_name(cases[i].state));
            }
            if (!possible) {
                assert_int_equal(w.changes, changes);
                world_quiet(&w);
            }
            fake_free(w.fake);
        }
    }
}

static void time_never_goes_back(void **state)
{
    world_t *w = *state;
    to_connect(w);
    uint64_t deadline = cradle_device_deadline(&w->device);
    w->now -= 500000;
    world_simple(w, CRADLE_EVENT_TICK);
    world_quiet(w);
    assert_true(cradle_device_deadline(&w->device) == deadline);
    assert_int_equal(world_status(w).state, CRADLE_CONNECTING);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(cradle_state_name(CRADLE_SETTING_CLOCK), "setting_clock");
    assert_string_equal(cradle_state_name(CRADLE_STATES), "?");
    assert_string_equal(cradle_event_name(CRADLE_EVENT_SHUTDOWN), "shutdown");
    assert_string_equal(cradle_event_name(CRADLE_EVENTS), "?");
    assert_string_equal(cradle_action_name(CRADLE_ACTION_HALT), "halt");
    assert_string_equal(cradle_action_name((cradle_action_type_t)(CRADLE_ACTION_HALT + 1)), "?");
    for (int i = 0; i < CRADLE_STATES; i++) {
        assert_non_null(cradle_state_name((cradle_state_t)i));
    }
    for (int i = 0; i < CRADLE_EVENTS; i++) {
        assert_non_null(cradle_event_name((cradle_event_type_t)i));
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(blank_waits),
        TEST(first_time),
        TEST(service_stops_when_read),
        TEST(service_stops_unread),
        TEST(wrong_credentials_may_be_tried_again),
        TEST(unclear_failures_go_on),
        TEST(silent_radio_is_given_up),
        TEST(impossible_credentials),
        TEST(broken_settings_are_not_success),
        TEST(power_cut_while_provisioning),
        TEST(never_back_to_provisioning),
        TEST(without_a_time_server),
        TEST(clock_is_asked_once),
        TEST(outage_backs_off),
        TEST(refusal_is_no_outage),
        TEST(no_connack),
        TEST(no_suback),
        TEST(short_connections_back_off),
        TEST(wifi_lost_while_connecting),
        TEST(late_answers_change_nothing),
        TEST(button),
        TEST(power_cut_while_resetting),
        TEST(shutdown_keeps_what_is_under_way),
        TEST(epoch_and_wifi_belong_together),
        TEST(damaged_wifi_is_no_wifi),
        TEST(impossible_events_change_nothing),
        TEST(time_never_goes_back),
        TEST(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

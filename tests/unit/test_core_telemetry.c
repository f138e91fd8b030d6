/* SPDX-License-Identifier: Apache-2.0 */
/* Telemetry: time stamps, window, outbox, counting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core_product.h"

/* -- time stamps ------------------------------------------------------------------------------- */

static void no_two_in_one_millisecond(void **state)
{
    world_t *w = *state;
    calm(w);
    int64_t last = 0;
    for (int i = 0; i < CRADLE_WINDOW; i++) {
        queue(w, i); /* all at the same moment */
        expect_telemetry(w);
        int64_t ts = number_at(w->payload, "ts");
        assert_true(ts > last);
        last = ts;
        assert_int_equal(number_at(w->payload, "values.n"), i);
    }
}

static void clock_set_back(void **state)
{
    world_t *w = *state;
    calm(w);
    world_tick(w, 100000);
    world_drain(w);
    queue(w, 1);
    expect_telemetry(w);
    int64_t ts = number_at(w->payload, "ts");
    world_clock(w, ts - 30000); /* a correction: stays monotonic */
    queue(w, 2);
    expect_telemetry(w);
    assert_int_equal(number_at(w->payload, "ts"), ts + 1);
    world_clock(w, ts - 80000); /* it was wrong before: believed */
    queue(w, 3);
    expect_telemetry(w);
    assert_in_range(number_at(w->payload, "ts"), ts - 80000, ts - 79990);
}

/* 49.7 days after a 32-bit millisecond counter began, nothing happens. */
static void clock_wraps(void **state)
{
    world_t *w = *state;
    core_product.sample = core_sample;
    w->now = 0xffffffffu - 4999;
    world_online(w);
    world_drain(w);
    int64_t last = 0;
    int seen = 0;
    for (int i = 0; i < 40; i++) {
        world_wait(w, 1000);
        while (world_next(w)) {
            if (strstr(w->payload, "\"n\"") != NULL) {
                int64_t ts = number_at(w->payload, "ts");
                assert_true(seen == 0 || ts - last == 1000);
                last = ts;
                seen++;
                world_ack(w, w->action.u.publish.token);
            }
        }
        if (w->now > 0x100000000u + 10000) {
            break;
        }
    }
    assert_true(seen >= 14);
    assert_int_equal(world_status(w).state, CRADLE_ONLINE);
}

static void samples_before_the_clock_are_dated_later(void **state)
{
    world_t *w = *state;
    world_boot(w);
    world_tick(w, 0);
    world_drain(w);
    queue(w, 1);
    world_tick(w, 5000);
    queue(w, 2);
    assert_int_equal(w->fake->count, 2);
    world_tick(w, 1000);
    world_simple(w, CRADLE_EVENT_WIFI_UP);
    world_drain(w);
    world_clock(w, UNIX_MS);
    world_reconnect(w);
    expect_telemetry(w);
    assert_int_equal(number_at(w->payload, "0.ts"), UNIX_MS - 6000);
    assert_int_equal(number_at(w->payload, "1.ts"), UNIX_MS - 1000);
    assert_int_equal(number_at(w->payload, "1.values.n"), 2);
}

/* No clock at all: live values go out without ts, older ones wait for one. */
static void online_without_a_clock(void **state)
{
    world_t *w = *state;
    world_boot(w);
    world_tick(w, 0);
    world_drain(w);
    queue(w, 1);
    world_simple(w, CRADLE_EVENT_WIFI_UP);
    world_drain(w);
    world_tick(w, CRADLE_CLOCK_TIMEOUT_MS);
    world_reconnect(w);
    world_drain(w);
    queue(w, 2);
    expect_telemetry(w);
    assert_string_equal(w->payload, "{\"n\":2}");
    world_quiet(w);
    world_clock(w, UNIX_MS);
    expect_telemetry(w);
    assert_int_equal(number_at(w->payload, "0.values.n"), 1);
    assert_int_equal(number_at(w->payload, "0.ts"), UNIX_MS - CRADLE_CLOCK_TIMEOUT_MS);
}

/* Undated records of an earlier boot cannot be dated: counted once, whatever the power does. */
static void undatable_is_counted_once(void **state)
{
    int cuts = 0;
    (void)state;
    for (int before = 0; before < 2; before++) {
        bool cut = true;
        for (int n = 0; cut; n++) {
            static world_t w;
            world_init(&w, fake_new(9), &core_product);
            world_provision(&w);
            world_boot(&w);
            for (int i = 0; i < 10; i++) {
                queue(&w, i);
            }
            w.now += 12345;
            world_boot(&w); /* the power was gone before the clock was set */
            w.fake->cut_at = n;
            w.fake->cut_before = before != 0;
            world_tick(&w, 0);
            world_drain(&w);
            world_simple(&w, CRADLE_EVENT_WIFI_UP);
            world_drain(&w);
            world_clock(&w, UNIX_MS);
            world_reconnect(&w);
            while (!w.fake->dead && world_next(&w)) {
                if (w.action.u.publish.qos == 1) {
                    world_ack(&w, w.action.u.publish.token);
                }
            }
            cut = w.fake->dead;
            cuts += cut;
            fake_power(w.fake);
            w.now += 777;
            world_online(&w);
            queue(&w, 100);
            bool seen = false;
            while (world_next(&w)) {
                assert_null(strstr(w.payload, "\"n\":9"));
                seen = seen || strstr(w.payload, "\"n\":100") != NULL;
                if (w.action.u.publish.qos == 1) {
                    world_ack(&w, w.action.u.publish.token);
                }
            }
            assert_true(seen);
            assert_int_equal(world_status(&w).dropped, 10);
            assert_int_equal(w.fake->count, 0);
            fake_free(w.fake);
        }
    }
    assert_true(cuts >= 6); /* append of a health record, count, trim: before and after each */
}

/* -- window and outbox ------------------------------------------------------------------------- */

static void live_does_not_touch_the_flash(void **state)
{
    world_t *w = *state;
    calm(w);
    unsigned writes = w->fake->writes;
    for (int i = 0; i < 100; i++) {
        world_tick(w, 10);
        queue(w, i);
        expect_telemetry(w);
        assert_int_equal(number_at(w->payload, "values.n"), i);
        world_ack(w, w->action.u.publish.token);
    }
    assert_int_equal(w->fake->writes, writes);
    assert_int_equal(world_status(w).acked, 101);
}

static void window_is_bounded(void **state)
{
    world_t *w = *state;
    calm(w);
    for (int i = 0; i < 100; i++) {
        queue(w, i);
    }
    for (int i = 0; i < CRADLE_WINDOW; i++) {
        expect_telemetry(w);
        assert_int_equal(number_at(w->payload, "values.n"), i);
    }
    uint16_t youngest = w->action.u.publish.token;
    world_quiet(w);
    assert_int_equal(world_status(w).in_flight, CRADLE_WINDOW);
    assert_int_equal(w->fake->count, 100 - CRADLE_WINDOW);
    world_ack(w, youngest); /* its place is not free before that of the older ones */
    world_quiet(w);
    world_ack(w, (uint16_t)(youngest - CRADLE_WINDOW + 1));
    expect_telemetry(w); /* many in one message, as many as it holds */
    assert_int_equal(number_at(w->payload, "0.values.n"), CRADLE_WINDOW);
    assert_int_equal(number_at(w->payload, "50.values.n"), CRADLE_WINDOW + 50);
    world_quiet(w); /* no place in the window for the rest */
}

static void lost_acks_are_sent_again(void **state)
{
    world_t *w = *state;
    uint16_t tokens[3];
    int64_t ts[3];
    calm(w);
    for (int i = 0; i < 3; i++) {
        world_tick(w, 10);
        queue(w, i);
        expect_telemetry(w);
        tokens[i] = w->action.u.publish.token;
        ts[i] = number_at(w->payload, "ts");
    }
    world_ack(w, tokens[1]); /* out of order: 0 and 2 are not known to be there */
    lose(w);
    assert_int_equal(w->fake->count, 2);
    world_tick(w, 1);
    queue(w, 3);
    world_reconnect(w);
    expect_telemetry(w);
    assert_int_equal(number_at(w->payload, "0.ts"), ts[0]);
    assert_int_equal(number_at(w->payload, "1.ts"), ts[2]);
    assert_int_equal(number_at(w->payload, "2.values.n"), 3);
    uint16_t token = w->action.u.publish.token;
    lose(w);                             /* lost again: nothing is trimmed without PUBACK */
    assert_int_equal(w->fake->count, 4); /* and the health record of that connection */
    world_reconnect(w);
    expect_telemetry(w);
    assert_int_equal(number_at(w->payload, "0.ts"), ts[0]);
    token = w->action.u.publish.token;
    world_ack(w, token);
    assert_int_equal(w->fake->count <= 1, true);
    world_ack(w, token); /* twice: nothing to acknowledge */
    assert_int_equal(world_status(w).impossible, 1);
}

/* An outage of days: the newest are kept, the others are counted to the last. */
static void overflow_is_counted_exactly(void **state)
{
    world_t *w = *state;
    core_product.sample = core_sample;
    w->fake->bound = 500;
    calm(w);
    lose(w);
    int first = unit.samples;
    for (int i = 0; i < 20000; i++) {
        world_wait(w, CRADLE_CLOUD_CAP_MS);
        world_drain(w);
    }
    lose(w); /* the last attempt fails as well */
    int stored = (int)w->fake->count;
    uint64_t dropped = world_status(w).dropped;
    assert_true(unit.samples - first > 5000);
    assert_int_equal(dropped, unit.samples - first - stored);

    world_reconnect(w);
    int expected = unit.samples - ((int)w->fake->count - 1) + 1; /* one is the health record */
    dropped = world_status(w).dropped;
    bool reported = false;
    int64_t last = 0;
    while (world_next(w)) {
        if (strcmp(w->topic, "v1/devices/me/telemetry") != 0) {
            continue;
        }
        for (int i = 0; w->payload[0] == '['; i++) {
            char path[32];
            json_token_t token;
            snprintf(path, sizeof path, "%d.ts", i);
            if (!json_find(w->payload, w->payload_len, path, &token)) {
                break;
            }
            int64_t ts = number_at(w->payload, path);
            assert_true(ts > last);
            last = ts;
            snprintf(path, sizeof path, "%d.values.n", i);
            if (json_find(w->payload, w->payload_len, path, &token)) {
                assert_int_equal(number_at(w->payload, path), expected++);
            } else {
                snprintf(path, sizeof path, "%d.values.dropped", i);
                assert_int_equal(number_at(w->payload, path), dropped);
                reported = true;
            }
        }
        world_ack(w, w->action.u.publish.token);
    }
    assert_int_equal(expected, unit.samples + 1);
    assert_true(reported);
    assert_int_equal(w->fake->count, 0);
    /* The count goes on over a reboot. */
    world_boot(w);
    assert_int_equal(world_status(w).dropped, dropped);
}

/* What is dropped while it is under way, and then acknowledged, was not lost. */
static void dropped_but_acknowledged(void **state)
{
    world_t *w = *state;
    calm(w);
    lose(w);
    w->fake->bound = 16;
    w->fake->sector = 4;
    for (int i = 0; i < 14; i++) {
        queue(w, i);
    }
    world_reconnect(w); /* one more: health */
    expect_telemetry(w);
    uint16_t token = w->action.u.publish.token;
    assert_int_equal(number_at(w->payload, "13.values.n"), 13);
    /* The window fills with live ones, then the outbox overflows. */
    for (int i = 0; i < CRADLE_WINDOW - 1 + 2; i++) {
        queue(w, 14 + i);
    }
    assert_int_equal(world_status(w).dropped, 4);
    world_ack(w, token);
    assert_int_equal(world_status(w).dropped, 0);
    bool seen[CRADLE_WINDOW + 1] = {false};
    while (world_next(w)) {
        for (int i = 0; i < CRADLE_WINDOW + 1; i++) {
            char text[24];
            snprintf(text, sizeof text, "\"n\":%d}", 14 + i);
            seen[i] = seen[i] || strstr(w->payload, text) != NULL;
        }
        if (w->action.u.publish.qos == 1) {
            world_ack(w, w->action.u.publish.token);
        }
    }
    for (int i = 0; i < CRADLE_WINDOW + 1; i++) {
        assert_true(seen[i]);
    }
    assert_int_equal(w->fake->count, 0);
    assert_int_equal(world_status(w).dropped, 0);
}

static void silence_is_an_outage(void **state)
{
    world_t *w = *state;
    calm(w);
    queue(w, 1);
    expect_telemetry(w);
    world_tick(w, CRADLE_ACK_TIMEOUT_MS / 2);
    queue(w, 2);
    expect_telemetry(w);
    world_tick(w, CRADLE_ACK_TIMEOUT_MS / 2 - 1);
    world_drain(w);
    assert_int_equal(world_status(w).state, CRADLE_ONLINE);
    world_tick(w, 1);
    world_expect(w, CRADLE_ACTION_DISCONNECT);
    assert_string_equal(w->last_why, "the cloud acknowledges nothing");
    assert_true(w->fake->count >= 2);
}

/* A record on which the cloud closes each time: found, sent alone, dropped, counted; the others get
   through. */
static void poison_is_found(void **state)
{
    world_t *w = *state;
    calm(w);
    lose(w);
    for (int i = 0; i < 10; i++) {
        queue(w, i);
    }
    int closed = 0;
    bool seen[10] = {false};
    while (closed < 40) {
        world_reconnect(w);
        bool poisoned = false;
        while (!poisoned && world_next(w)) {
            if (w->action.u.publish.qos == 0) {
                continue;
            }
            poisoned = strstr(w->payload, "\"n\":3") != NULL;
            if (!poisoned) {
                for (int i = 0; i < 10; i++) {
                    char text[24];
                    snprintf(text, sizeof text, "\"n\":%d}", i);
                    seen[i] = seen[i] || strstr(w->payload, text) != NULL;
                }
                world_ack(w, w->action.u.publish.token);
            }
        }
        if (!poisoned) {
            break;
        }
        closed++;
        world_cloud_down(w, CRADLE_DOWN_OUTAGE, true);
        world_drain(w);
    }
    assert_in_range(closed, CRADLE_POISON_DROP, 3 * CRADLE_POISON_DROP);
    for (int i = 0; i < 10; i++) {
        assert_true(seen[i] == (i != 3));
    }
    assert_int_equal(world_status(w).dropped, 1);
    assert_int_equal(w->fake->count, 0);
}

/* Outages that are no fault of the message never drop one. */
static void outages_do_not_drop(void **state)
{
    world_t *w = *state;
    calm(w);
    queue(w, 1);
    for (int i = 0; i < 100; i++) {
        expect_telemetry(w);
        lose(w);
        world_reconnect(w);
    }
    assert_int_equal(world_status(w).dropped, 0);
    expect_telemetry(w);
    assert_int_equal(number_at(w->payload, "0.values.n"), 1);
}

static void bad_telemetry_is_refused(void **state)
{
    static const char *const bad[] = {
        "",         "{}",   "[]",         "1",       "{\"a\":1", "{a:1}",      "{\"a\":NaN}",
        "{\"\":1}", "null", "{\"a\":1}x", "{'a':1}", "\"a\"",    "{\"a\":1,}",
    };
    world_t *w = *state;
    char text[CRADLE_VALUES_MAX + 2];
    calm(w);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(cradle_device_telemetry(&w->device, bad[i], strlen(bad[i]), w->now),
                         CRADLE_NOT_JSON);
    }
    memset(text, 'k', sizeof text);
    memcpy(text, "{\"", 2);
    memcpy(text + 2 + 256, "\":1}", 5);
    assert_int_equal(cradle_device_telemetry(&w->device, text, strlen(text), w->now),
                     CRADLE_NOT_JSON);
    memcpy(text + 2 + 255, "\":1}", 5);
    assert_int_equal(cradle_device_telemetry(&w->device, text, strlen(text), w->now),
                     CRADLE_QUEUED);
    memset(text, ' ', sizeof text);
    memcpy(text, "{\"a\":1", 6);
    text[CRADLE_VALUES_MAX] = '}';
    assert_int_equal(cradle_device_telemetry(&w->device, text, CRADLE_VALUES_MAX + 1, w->now),
                     CRADLE_TOO_LARGE);
    text[CRADLE_VALUES_MAX - 1] = '}';
    assert_int_equal(cradle_device_telemetry(&w->device, text, CRADLE_VALUES_MAX, w->now),
                     CRADLE_QUEUED);
    lose(w);
    w->fake->broken = true;
    assert_int_equal(cradle_device_telemetry(&w->device, "{\"a\":1}", 7, w->now), CRADLE_LOST);
    assert_int_equal(world_status(w).dropped, 1);
    w->fake->broken = false;
    world_simple(w, CRADLE_EVENT_RESET);
    world_boot(w);
    assert_int_equal(cradle_device_telemetry(&w->device, "{\"a\":1}", 7, w->now), CRADLE_NOT_NOW);
}

/* The largest records fill the message, and come through whole. */
static void largest_records(void **state)
{
    world_t *w = *state;
    char text[CRADLE_VALUES_MAX];
    calm(w);
    lose(w);
    memset(text, 'x', sizeof text);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + sizeof text - 2, "\"}", 2);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(cradle_device_telemetry(&w->device, text, sizeof text, w->now),
                         CRADLE_QUEUED);
    }
    world_reconnect(w);
    int got = 0;
    while (world_next(w)) {
        json_token_t token;
        for (int i = 0; w->action.u.publish.qos == 1; i++) {
            char path[32];
            snprintf(path, sizeof path, "%d.values.a", i);
            if (!json_find(w->payload, w->payload_len, path, &token)) {
                break;
            }
            assert_int_equal(token.len, sizeof text - 8);
            got++;
        }
        if (w->action.u.publish.qos == 1) {
            world_ack(w, w->action.u.publish.token);
        }
    }
    assert_int_equal(got, 50);
    assert_int_equal(w->fake->count, 0);
}

static void foreign_records_are_skipped(void **state)
{
    world_t *w = *state;
    calm(w);
    lose(w);
    w->port.append(w, "x", 1);
    w->port.append(w, "\x01zzzz\0\0\0\0\0\0\0\0{\"a\":1", 19); /* would close the connection */
    w->port.append(w, "\x07zzzzzzzzzzzz{\"a\":1}", 20);
    queue(w, 1);
    world_reconnect(w);
    expect_telemetry(w);
    assert_int_equal(number_at(w->payload, "0.values.n"), 1);
    world_ack(w, w->action.u.publish.token);
    assert_int_equal(world_status(w).dropped, 3);
}

static void sampling_keeps_its_period(void **state)
{
    world_t *w = *state;
    core_product.sample = core_sample;
    calm(w);
    uint64_t begun = w->now;
    int before = unit.samples;
    while (w->now < begun + 60000) {
        world_wait(w, 1000);
        while (world_next(w)) {
            if (w->action.u.publish.qos == 1) {
                world_ack(w, w->action.u.publish.token);
            }
        }
    }
    assert_in_range(unit.samples - before, 59, 61);
    /* A sample that is too large is the product's mistake: counted, and life goes on. */
    unit.oversize = true;
    world_tick(w, 1000);
    unit.oversize = false;
    assert_int_equal(world_status(w).dropped, 1);
    before = unit.samples;
    world_tick(w, 1000);
    assert_int_equal(unit.samples, before + 1);
}

static void health_comes_each_minute(void **state)
{
    world_t *w = *state;
    calm(w);
    world_tick(w, CRADLE_HEALTH_MS);
    expect_telemetry(w);
    assert_int_equal(number_at(w->payload, "values.uptime_s"), 60);
    assert_int_equal(number_at(w->payload, "values.cert_days_left"), 999 + 1);
    lose(w);
    world_tick(w, CRADLE_HEALTH_MS);
    assert_int_equal(w->fake->count, 1); /* the one under way; none is made offline */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_two_in_one_millisecond),
        TEST(clock_set_back),
        TEST(clock_wraps),
        TEST(samples_before_the_clock_are_dated_later),
        TEST(online_without_a_clock),
        TEST(undatable_is_counted_once),
        TEST(live_does_not_touch_the_flash),
        TEST(window_is_bounded),
        TEST(lost_acks_are_sent_again),
        TEST(overflow_is_counted_exactly),
        TEST(dropped_but_acknowledged),
        TEST(silence_is_an_outage),
        TEST(poison_is_found),
        TEST(outages_do_not_drop),
        TEST(bad_telemetry_is_refused),
        TEST(largest_records),
        TEST(foreign_records_are_skipped),
        TEST(sampling_keeps_its_period),
        TEST(health_comes_each_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

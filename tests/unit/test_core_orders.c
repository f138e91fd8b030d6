/* SPDX-License-Identifier: Apache-2.0 */
/* What the cloud tells the device: config and RPC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core_product.h"

/* -- config ------------------------------------------------------------------------------------ */

static void asks_until_answered(void **state)
{
    world_t *w = *state;
    world_online(w);
    world_expect(w, CRADLE_ACTION_PUBLISH);
    assert_string_equal(w->topic, "v1/devices/me/attributes/request/1");
    assert_string_equal(w->payload, "{\"sharedKeys\":\"telemetry_period_ms,level,label.x\"}");
    world_drain(w);
    for (int i = 1; i < CRADLE_ASK_TIMES; i++) {
        char topic[64];
        world_tick(w, CRADLE_ASK_AGAIN_MS);
        world_expect(w, CRADLE_ACTION_PUBLISH);
        snprintf(topic, sizeof topic, "v1/devices/me/attributes/request/%d", i + 1);
        assert_string_equal(w->topic, topic);
        world_quiet(w);
    }
    /* An answer to an older question is not taken, the last one is. */
    world_message(w, "v1/devices/me/attributes/response/1", "{\"shared\":{\"level\":5}}");
    assert_int_equal(unit.level, 0);
    world_message(w, "v1/devices/me/attributes/response/3", "{\"shared\":{\"level\":6}}");
    assert_int_equal(unit.level, 6);
    world_tick(w, CRADLE_ASK_AGAIN_MS * 2);
    world_quiet(w);
}

static void config_is_kept(void **state)
{
    world_t *w = *state;
    calm(w);
    world_message(w, "v1/devices/me/attributes",
                  "{\"level\":42,\"telemetry_period_ms\":2500,\"other\":[1,{\"level\":9}],"
                  "\"label.x\":\"a \\\"b\\\"\"}");
    assert_int_equal(unit.level, 42);
    assert_string_equal(unit.label, "a \"b\"");
    assert_int_equal(world_status(w).period_ms, 2500);
    world_expect(w, CRADLE_ACTION_PUBLISH); /* the effective period is reported */
    assert_int_equal(number_at(w->payload, "telemetry_period_ms"), 2500);
    unsigned writes = w->fake->writes;
    world_message(w, "v1/devices/me/attributes", "{\"level\":42}");
    assert_int_equal(w->fake->writes, writes); /* nothing new: nothing written */
    unit.level = 0;
    unit.label[0] = '\0';
    world_boot(w);
    assert_int_equal(unit.level, 42);
    assert_string_equal(unit.label, "a \"b\"");
    assert_int_equal(world_status(w).period_ms, 2500);
    /* Deleted while the device was away: the answer does not have it. */
    calm(w);
    assert_int_equal(unit.level, 0);
    assert_int_equal(world_status(w).period_ms, CRADLE_PERIOD_MS);
    world_boot(w);
    assert_int_equal(world_status(w).period_ms, CRADLE_PERIOD_MS);
}

static void config_is_bounded(void **state)
{
    static const struct {
        const char *json;
        uint32_t period;
        unsigned ignored;
    } cases[] = {
        {"{\"telemetry_period_ms\":1}", CRADLE_PERIOD_MIN_MS, 0},
        {"{\"telemetry_period_ms\":-5}", CRADLE_PERIOD_MIN_MS, 0},
        {"{\"telemetry_period_ms\":9223372036854775807}", CRADLE_PERIOD_MAX_MS, 0},
        {"{\"telemetry_period_ms\":\"2000\"}", CRADLE_PERIOD_MAX_MS, 1},
        {"{\"telemetry_period_ms\":1.5}", CRADLE_PERIOD_MAX_MS, 1},
        {"{\"telemetry_period_ms\":1e3}", CRADLE_PERIOD_MAX_MS, 1},
        {"{\"telemetry_period_ms\":true}", CRADLE_PERIOD_MAX_MS, 1},
        {"{\"telemetry_period_ms\":99999999999999999999}", CRADLE_PERIOD_MAX_MS, 1},
        {"{\"telemetry_period_ms\":5000", CRADLE_PERIOD_MAX_MS, 1},
        {"[{\"telemetry_period_ms\":5000}]", CRADLE_PERIOD_MAX_MS, 0},
        {"{\"deleted\":[\"x\",\"telemetry_period_ms\"]}", CRADLE_PERIOD_MS, 0},
        {"{\"telemetry_period_ms\":5000}", 5000, 0},
        {"{\"telemetry_period_ms\":null}", CRADLE_PERIOD_MS, 0},
    };
    world_t *w = *state;
    calm(w);
    unsigned ignored = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world_message(w, "v1/devices/me/attributes", cases[i].json);
        world_drain(w);
        ignored += cases[i].ignored;
        assert_int_equal(world_status(w).period_ms, cases[i].period);
        assert_int_equal(world_status(w).ignored, ignored);
    }
    /* Refused by the product: the one before stays, also after a reboot. */
    world_message(w, "v1/devices/me/attributes", "{\"level\":7}");
    world_message(w, "v1/devices/me/attributes", "{\"level\":101}");
    assert_int_equal(unit.level, 7);
    unit.level = 0;
    world_boot(w);
    assert_int_equal(unit.level, 7);
}

static void long_values_are_refused(void **state)
{
    world_t *w = *state;
    char json[CRADLE_CONFIG_MAX + 64];
    calm(w);
    int len = snprintf(json, sizeof json, "{\"label.x\":\"");
    memset(json + len, ' ', CRADLE_CONFIG_MAX - 1);
    memcpy(json + len + CRADLE_CONFIG_MAX - 1, "\"}", 3);
    world_message(w, "v1/devices/me/attributes", json);
    assert_int_equal(world_status(w).ignored, 1);
}

/* -- RPC --------------------------------------------------------------------------------------- */

static void rpc_is_answered(void **state)
{
    static const char *const cases[][2] = {
        {"{\"method\":\"echo\",\"params\":{\"on\":true}}", "{\"on\":true}"},
        {"{\"method\":\"echo\",\"params\":null}", "null"},
        {"{\"method\":\"echo\"}", "null"},
        {"{\"method\":\"unheard\",\"params\":1}", "{\"error\":\"unknown method\"}"},
        {"{\"method\":\"fails\"}", "{\"error\":\"failed\"}"},
        {"{\"method\":\"unfinished\"}", "{\"error\":\"the answer is too long, or no answer\"}"},
    };
    world_t *w = *state;
    calm(w);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char topic[64];
        snprintf(topic, sizeof topic, "v1/devices/me/rpc/request/%zu", i * 1000);
        world_message(w, topic, cases[i][0]);
        world_expect(w, CRADLE_ACTION_PUBLISH);
        snprintf(topic, sizeof topic, "v1/devices/me/rpc/response/%zu", i * 1000);
        assert_string_equal(w->topic, topic);
        assert_string_equal(w->payload, cases[i][1]);
        assert_int_equal(w->action.u.publish.qos, 0);
        world_quiet(w);
    }
    assert_int_equal(world_status(w).ignored, 0);
}

static void garbage_is_ignored(void **state)
{
    static const char *const cases[][2] = {
        {"v1/devices/me/rpc/request/", "{\"method\":\"echo\"}"},
        {"v1/devices/me/rpc/request/x", "{\"method\":\"echo\"}"},
        {"v1/devices/me/rpc/request/-1", "{\"method\":\"echo\"}"},
        {"v1/devices/me/rpc/request/2147483648", "{\"method\":\"echo\"}"},
        {"v1/devices/me/rpc/request/99999999999", "{\"method\":\"echo\"}"},
        {"v1/devices/me/rpc/request/1", "{\"method\":5}"},
        {"v1/devices/me/rpc/request/1", "{}"},
        {"v1/devices/me/rpc/request/1", ""},
        {"v1/devices/me/rpc/request/1", "not json"},
        {"v1/devices/me/rpc/request/1/2", "{\"method\":\"echo\"}"},
        {"v1/devices/me/attributes/x", "{\"level\":9}"},
        {"v1/devices/me/attribute", "{\"level\":9}"},
        {"", "{}"},
        {"v2/fw/error", "\"NOT_FOUND\""},
    };
    world_t *w = *state;
    calm(w);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world_message(w, cases[i][0], cases[i][1]);
        world_quiet(w);
        assert_int_equal(world_status(w).ignored, i + 1);
    }
    assert_int_equal(unit.level, 0);
}

/* A port that could not send the answer yet keeps it; what comes meanwhile must not spoil it. */
static void answer_is_not_spoiled(void **state)
{
    world_t *w = *state;
    core_product.sample = core_sample;
    calm(w);
    world_message(w, "v1/devices/me/rpc/request/1", "{\"method\":\"echo\",\"params\":[1,2,3]}");
    int before = unit.samples;
    world_tick(w, 2000);
    world_tick(w, CRADLE_HEALTH_MS);
    assert_int_equal(unit.samples, before); /* waits for the buffer */
    world_message(w, "v1/devices/me/rpc/request/2", "{\"method\":\"echo\",\"params\":4}");
    assert_int_equal(world_status(w).ignored, 1);
    world_message(w, "v1/devices/me/attributes", "{\"level\":9}");
    assert_int_equal(world_status(w).ignored, 2);
    world_expect(w, CRADLE_ACTION_PUBLISH);
    assert_string_equal(w->topic, "v1/devices/me/rpc/response/1");
    assert_string_equal(w->payload, "[1,2,3]");
    world_tick(w, 0);
    assert_int_equal(unit.samples, before + 1);
}

static void rpc_may_queue_telemetry(void **state)
{
    world_t *w = *state;
    calm(w);
    world_message(w, "v1/devices/me/rpc/request/1", "{\"method\":\"tells\"}");
    world_expect(w, CRADLE_ACTION_PUBLISH);
    assert_string_equal(w->payload, "0");
    expect_telemetry(w);
    assert_int_equal(number_at(w->payload, "values.said"), 1);
}

static void reboot_and_reset_by_rpc(void **state)
{
    world_t *w = *state;
    calm(w);
    queue(w, 1);
    world_message(w, "v1/devices/me/rpc/request/0", "{\"method\":\"reboot\"}");
    world_expect(w, CRADLE_ACTION_PUBLISH); /* the answer leaves first */
    assert_string_equal(w->topic, "v1/devices/me/rpc/response/0");
    assert_string_equal(w->payload, "{\"ok\":true}");
    world_expect(w, CRADLE_ACTION_DISCONNECT);
    world_expect(w, CRADLE_ACTION_LEAVE);
    world_expect(w, CRADLE_ACTION_REBOOT);
    world_quiet(w);
    assert_int_equal(w->fake->count, 1);
    world_online(w);
    expect_telemetry(w);
    assert_int_equal(number_at(w->payload, "0.values.n"), 1); /* kept over the reboot */
    world_drain(w);
    world_message(w, "v1/devices/me/rpc/request/7", "{\"method\":\"factoryReset\"}");
    world_expect(w, CRADLE_ACTION_PUBLISH);
    assert_string_equal(w->topic, "v1/devices/me/rpc/response/7");
    world_expect(w, CRADLE_ACTION_DISCONNECT);
    world_expect(w, CRADLE_ACTION_LEAVE);
    world_expect(w, CRADLE_ACTION_REBOOT);
    assert_false(fake_has(w->fake, "wifi"));
    world_boot(w);
    assert_int_equal(world_status(w).state, CRADLE_UNPROVISIONED);
}

/* The network went before the answer could leave: it is not sent on the next connection. */
static void answer_dies_with_its_connection(void **state)
{
    world_t *w = *state;
    calm(w);
    world_message(w, "v1/devices/me/rpc/request/1", "{\"method\":\"echo\",\"params\":1}");
    lose(w);
    while (world_next(w)) {
        assert_int_not_equal(w->action.type, CRADLE_ACTION_PUBLISH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(asks_until_answered),     TEST(config_is_kept),
        TEST(config_is_bounded),       TEST(long_values_are_refused),
        TEST(rpc_is_answered),         TEST(garbage_is_ignored),
        TEST(answer_is_not_spoiled),   TEST(rpc_may_queue_telemetry),
        TEST(reboot_and_reset_by_rpc), TEST(answer_dies_with_its_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

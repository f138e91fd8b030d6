/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tbdevice/tb_device.h"

/* ---- a store that writes down what it is given ---- */

typedef struct {
    char text[4096];
    size_t refuse_after; /* points; 0 = never */
    size_t points;
} notes_t;

static bool note_point(void *ctx, const tb_point_t *point)
{
    notes_t *notes = ctx;
    char scratch[TB_NUMBER_TEXT_MAX];
    const char *text;
    size_t len;
    size_t used = strlen(notes->text);
    if (notes->refuse_after != 0 && ++notes->points >= notes->refuse_after) {
        return false;
    }
    tb_value_to_text(&point->value, scratch, &text, &len);
    snprintf(notes->text + used, sizeof notes->text - used, "%lld %.*s=%d:%.*s;",
             (long long)point->ts, (int)point->key_len, point->key, (int)point->value.type,
             (int)len, text);
    return true;
}

static bool give_attributes(void *ctx, tb_scope_t scope, const char *key, size_t key_len,
                            tb_attribute_fn each, void *each_ctx)
{
    (void)ctx;
    static const struct {
        tb_scope_t scope;
        const char *key;
        tb_value_t value;
    } all[] = {
        {TB_CLIENT_SCOPE, "model", {.type = TB_STRING, .text = "A1", .len = 2}},
        {TB_SHARED_SCOPE, "period", {.type = TB_LONG, .u.i = 5}},
        {TB_SHARED_SCOPE, "gain", {.type = TB_DOUBLE, .u.d = 1000.0}},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        bool named =
            key == NULL || (strlen(all[i].key) == key_len && memcmp(all[i].key, key, key_len) == 0);
        if (all[i].scope == scope && named &&
            !each(each_ctx, all[i].key, strlen(all[i].key), &all[i].value)) {
            return false;
        }
    }
    return true;
}

static const tb_store_t STORE = {
    .save_point = note_point, .save_attribute = note_point, .read_attributes = give_attributes};

typedef struct {
    notes_t notes;
    tb_session_t session;
    tb_reply_t reply;
    char out[1024];
} fixture_t;

static tb_answer_t publish(fixture_t *f, unsigned flags, const char *topic, const char *payload,
                           uint8_t qos)
{
    size_t len = strlen(payload);
    size_t cap = tb_scratch_size(len);
    char *scratch = malloc(cap);
    const tb_env_t env = {.store = &STORE,
                          .ctx = &f->notes,
                          .flags = flags,
                          .now_ms = 77,
                          .scratch = scratch,
                          .scratch_cap = cap,
                          .out = f->out,
                          .out_cap = sizeof f->out};
    tb_answer_t answer =
        tb_device_publish(&f->session, &env, topic, strlen(topic), payload, len, qos, &f->reply);
    free(scratch);
    return answer;
}

/* ---- tests ---- */

static void telemetry_in_all_its_forms(void **state)
{
    (void)state;
    static const struct {
        const char *payload;
        const char *noted;
    } cases[] = {
        {"{\"temp\":21.5,\"door\":true,\"fw\":\"1.2.0\",\"stat\":{ \"a\" : 1 }}",
         "77 temp=3:21.5;77 door=1:true;77 fw=4:1.2.0;77 stat=5:{\"a\":1};"},
        {"{\"ts\":1767225600000,\"values\":{\"temp\":21.5}}", "1767225600000 temp=3:21.5;"},
        {"[{\"temp\":20},{\"ts\":-5,\"values\":{\"a\":1,\"b\":null}}]", "77 temp=2:20;-5 a=2:1;"},
        {"{\"ts\":5,\"value\":1}", "77 ts=2:5;77 value=2:1;"},
        {"{}", ""},
        {"{\"a\":1,\"a\":2}", "77 a=2:1;77 a=2:2;"},
        {"{\"a\":\"00123\",\"b\":\"1.0\",\"c\":\"+5\",\"d\":\"1e3\",\"e\":1e3,\"f\":\"-.5\"}",
         "77 a=2:123;77 b=3:1.0;77 c=4:+5;77 d=4:1e3;77 e=3:1000.0;77 f=3:-0.5;"},
        {"{\"a\":9223372036854775807,\"b\":9223372036854775808}",
         "77 a=2:9223372036854775807;77 b=4:9223372036854775808;"},
        {"{\"a\":0.1234567890123456,\"b\":0.12345678901234567}",
         "77 a=3:0.1234567890123456;77 b=4:0.12345678901234567;"},
        {"{\"a\":1e400,\"b\":-0,\"c\":1E-17}", "77 a=4:1" /* and 400 zeros, below */},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture_t f = {0};
        assert_int_equal(publish(&f, 0, "v1/devices/me/telemetry", cases[i].payload, 1), TB_ACK);
        if (i + 1 < sizeof cases / sizeof cases[0]) {
            assert_string_equal(f.notes.text, cases[i].noted);
        } else {
            assert_int_equal(strncmp(f.notes.text, cases[i].noted, strlen(cases[i].noted)), 0);
            assert_non_null(strstr(f.notes.text, ";77 b=2:0;77 c=4:0.00000000000000001;"));
        }
    }
}

static void a_bad_message_is_not_stored_in_part(void **state)
{
    (void)state;
    static const char *const closed[] = {
        "",
        "hello",
        "5",
        "\"x\"",
        "{\"a\":",
        "{\"a\":1} x",
        "{\"a\":1,\"b\":NaN}",
        "{\"ok\":1,\"\":2}",
        "{\"ts\":\"x\",\"values\":{\"a\":1}}",
        "{\"ts\":1,\"values\":5}",
        "[{\"a\":1},5]",
        "[{\"a\":1},{\"ts\":true,\"values\":{}}]",
        "{\"a\":1,\"b\":\"\\u0000\"}",
    };
    for (size_t i = 0; i < sizeof closed / sizeof closed[0]; i++) {
        fixture_t f = {0};
        assert_int_equal(publish(&f, 0, "v1/devices/me/telemetry", closed[i], 1), TB_CLOSE);
        assert_string_equal(f.notes.text, "");
        assert_non_null(f.reply.why);
        assert_int_equal(publish(&f, TB_MQTT5, "v2/t", closed[i], 1), TB_IGNORE);
        assert_int_equal(f.reply.reason, 0x99);
        assert_int_equal(publish(&f, TB_MQTT5, "v2/t", closed[i], 0), TB_CLOSE);
        assert_string_equal(f.notes.text, "");
    }
    char key[600];
    fixture_t f = {0};
    snprintf(key, sizeof key, "{\"%0256d\":1}", 0);
    assert_int_equal(publish(&f, 0, "v2/t", key, 1), TB_CLOSE);
    assert_int_equal(publish(&f, TB_AS_THINGSBOARD, "v2/t", key, 1), TB_IGNORE);
    snprintf(key, sizeof key, "{\"%0255d\":1}", 0);
    assert_int_equal(publish(&f, 0, "v2/t", key, 1), TB_ACK);
}

static void deliberate_differences_are_a_flag(void **state)
{
    (void)state;
    fixture_t f = {0};
    assert_int_equal(publish(&f, 0, "v2/t", "[]", 1), TB_IGNORE);
    assert_int_equal(publish(&f, TB_AS_THINGSBOARD, "v2/t", "[]", 1), TB_SILENT);
    assert_int_equal(publish(&f, 0, "v1/gateway/telemetry", "{}", 1), TB_IGNORE);
    assert_int_equal(publish(&f, TB_AS_THINGSBOARD, "v1/gateway/telemetry", "{}", 1), TB_SILENT);
    assert_int_equal(publish(&f, 0, "some/thing", "{}", 1), TB_IGNORE);
    assert_int_equal(f.reply.reason, 0x90);
    assert_int_equal(publish(&f, 0, "v2/t/p", "{}", 1), TB_CLOSE);
    f.notes.refuse_after = 1;
    assert_int_equal(publish(&f, 0, "v2/t", "{\"a\":1}", 1), TB_FAILED);
}

static void attribute_requests(void **state)
{
    (void)state;
    static const struct {
        const char *payload;
        const char *answer;
    } cases[] = {
        {"{}", "{\"client\":{\"model\":\"A1\"},\"shared\":{\"period\":5,\"gain\":1000.0}}"},
        {"{\"sharedKeys\":\"none,period\"}", "{\"shared\":{\"period\":5}}"},
        {"{\"clientKeys\":\"model\",\"sharedKeys\":\"none\"}", "{\"client\":{\"model\":\"A1\"}}"},
        {"{\"sharedKeys\":\"none\"}", "{}"},
        {"{\"sharedKeys\":\"period,,gain\"}", "{\"shared\":{\"period\":5,\"gain\":1000.0}}"},
        {"{\"sharedKeys\":\" period\"}", "{}"},
        {"{\"sharedKeys\":\"\"}", "{}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture_t f = {0};
        assert_int_equal(publish(&f, 0, "v1/devices/me/attributes/request/17", cases[i].payload, 1),
                         TB_ACK);
        assert_true(f.reply.present);
        assert_string_equal(f.reply.topic, "v1/devices/me/attributes/response/17");
        assert_int_equal(f.reply.len, strlen(cases[i].answer));
        assert_memory_equal(f.reply.payload, cases[i].answer, f.reply.len);
        assert_int_equal(f.reply.qos, 1);
    }
    fixture_t f = {0};
    assert_int_equal(publish(&f, 0, "v1/devices/me/attributes/request/abc", "{}", 1), TB_CLOSE);
    assert_int_equal(publish(&f, 0, "v1/devices/me/attributes/request/2147483648", "{}", 1),
                     TB_CLOSE);
    assert_int_equal(publish(&f, 0, "v1/devices/me/attributes/request/1", "zz", 1), TB_CLOSE);
    assert_int_equal(publish(&f, 0, "v1/devices/me/attributes/request/1", "[]", 1), TB_CLOSE);
    assert_int_equal(publish(&f, TB_AS_THINGSBOARD, "v2/a/req/1", "{\"sharedKeys\":\"a,,b\"}", 1),
                     TB_IGNORE);
    assert_false(f.reply.present);
}

static void calls_limits_and_firmware(void **state)
{
    (void)state;
    fixture_t f = {0};
    assert_int_equal(publish(&f, 0, "v1/devices/me/rpc/request/3",
                             "{\"method\":\"getSessionLimits\",\"params\":{}}", 1),
                     TB_ACK);
    assert_string_equal(f.reply.topic, "v1/devices/me/rpc/response/3");
    assert_string_equal(f.reply.payload,
                        "{\"maxPayloadSize\":65536,\"maxInflightMessages\":100,\"rateLimits\":{"
                        "\"messages\":null,\"telemetryMessages\":null,"
                        "\"telemetryDataPoints\":null}}");
    assert_int_equal(publish(&f, 0, "v1/devices/me/rpc/request/2", "{\"params\":{}}", 1), TB_CLOSE);
    assert_int_equal(publish(&f, 0, "v1/devices/me/rpc/response/99", "{\"x\":1}", 1), TB_ACK);
    assert_int_equal(publish(&f, 0, "v2/fw/request/1/chunk/0", "4096", 1), TB_CLOSE);
    assert_string_equal(f.reply.topic, "v2/fw/error");
    assert_string_equal(f.reply.payload, "NOT_FOUND");
    assert_int_equal(publish(&f, 0, "v2/fw/request/1/chunk/0", "70000", 1), TB_CLOSE);
    assert_string_equal(f.reply.payload, "PAYLOAD_TOO_LARGE");
    assert_int_equal(publish(&f, 0, "v2/fw/request/1/chunk/0", "x", 1), TB_CLOSE);
    assert_false(f.reply.present);
}

static void subscriptions_are_exact(void **state)
{
    (void)state;
    tb_session_t s = {0};
    tb_family_t family;
    static const char attributes[] = "v1/devices/me/attributes";
    assert_int_equal(tb_session_subscribe(&s, "#", 1, 1), 0x80);
    assert_int_equal(tb_session_subscribe(&s, "v1/devices/me/#", 15, 1), 0x80);
    assert_false(tb_session_wants_attributes(&s, &family));
    assert_int_equal(tb_session_subscribe(&s, attributes, sizeof attributes - 1, 2), 1);
    assert_true(tb_session_wants_attributes(&s, &family));
    assert_int_equal(family, TB_V1);
    assert_int_equal(tb_session_subscribe(&s, "v2/a/j", 6, 0), 0);
    assert_true(tb_session_wants_attributes(&s, &family));
    assert_int_equal(family, TB_V2_JSON);
    assert_int_equal(tb_session_qos(&s, TB_DOWN_ATTRIBUTES, TB_V2_JSON), 0);
    assert_int_equal(tb_session_qos(&s, TB_DOWN_RPC_REQUEST, TB_V1), 1);
    assert_true(tb_session_unsubscribe(&s, "v2/a/j", 6));
    assert_false(tb_session_unsubscribe(&s, "v2/a/j", 6));
    assert_true(tb_session_wants_attributes(&s, &family));
    assert_int_equal(family, TB_V1);
}

static void topics_are_built_as_they_are_read(void **state)
{
    (void)state;
    char topic[TB_TOPIC_MAX];
    tb_topic_build(topic, TB_DOWN_FIRMWARE, TB_V1, 12, 345);
    assert_string_equal(topic, "v2/fw/response/12/chunk/345");
    tb_topic_build(topic, TB_DOWN_ATTRIBUTE_RESPONSE, TB_V2_JSON, 0, 0);
    assert_string_equal(topic, "v2/a/res/j/0");
    tb_topic_build(topic, TB_DOWN_ATTRIBUTES, TB_V2_JSON, 0, 0);
    assert_string_equal(topic, "v2/a/j");
    tb_topic_build(topic, TB_DOWN_RPC_REQUEST, TB_V2, 2147483647, 0);
    assert_string_equal(topic, "v2/r/req/2147483647");
    static const char *const odd[] = {
        "v1/devices/me/", "v1/devices/me/telemetry/", "v2/", "v2/tx", "V2/t", "", "v2/t/"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        assert_int_equal(tb_topic_classify(odd[i], strlen(odd[i])).kind, TB_TOPIC_OTHER);
    }
    assert_int_equal(tb_topic_classify("v2/fw/request/1/chunk/-1", 24).kind, TB_TOPIC_BAD_ID);
    assert_int_equal(tb_topic_classify("v2/a/req/j/7", 12).id, 7);
}

static void doubles_as_java_prints_them(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {1000.0, "1000.0"},           {21.5, "21.5"},       {1e7, "1.0E7"},
        {9999999.0, "9999999.0"},     {1e10, "1.0E10"},     {0.001, "0.001"},
        {0.0001, "1.0E-4"},           {-0.5, "-0.5"},       {0.1, "0.1"},
        {123456.789, "123456.789"},   {1.5e300, "1.5E300"}, {0.0, "0.0"},
        {12345678.9, "1.23456789E7"}, {-2.5e-9, "-2.5E-9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[TB_NUMBER_TEXT_MAX];
        tb_double_to_text(cases[i].value, text);
        assert_string_equal(text, cases[i].text);
    }
    for (double d = 1.7976931348623157e308; d > 1e-308; d /= 7.3) {
        char text[TB_NUMBER_TEXT_MAX];
        tb_double_to_text(d, text);
        assert_true(strtod(text, NULL) == d);
    }
}

/* Every truncation of a rich payload, in scratch of exactly the promised size: ASan watches. */
static void truncations_are_refused(void **state)
{
    (void)state;
    static const char whole[] =
        "[{\"ts\":1767225600000,\"values\":{\"a\\u00e9\":\"\\ud83d\\ude00 x\",\"b\":[1,{\"c\":"
        "\"q\\\"\"}]}},{\"n\":-12.5e-3}]";
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        char *exact = malloc(len + 1);
        char *scratch = malloc(tb_scratch_size(len));
        memcpy(exact, whole, len);
        assert_int_not_equal(
            tb_parse_telemetry(exact, len, 0, 0, scratch, tb_scratch_size(len), NULL, NULL, NULL),
            TB_PARSE_OK);
        free(scratch);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(telemetry_in_all_its_forms),
        cmocka_unit_test(a_bad_message_is_not_stored_in_part),
        cmocka_unit_test(deliberate_differences_are_a_flag),
        cmocka_unit_test(attribute_requests),
        cmocka_unit_test(calls_limits_and_firmware),
        cmocka_unit_test(subscriptions_are_exact),
        cmocka_unit_test(topics_are_built_as_they_are_read),
        cmocka_unit_test(doubles_as_java_prints_them),
        cmocka_unit_test(truncations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

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
        {"{\"x\":9,\"values\":{\"a\":1},\"ts\":\"-7\",\"ts\":\"8\"}", "8 a=2:1;"},
        {"{\"ts\":1.7e12,\"values\":{\"a\":true}}", "1700000000000 a=1:true;"},
        {"{\"ts\":-1.9,\"values\":{\"a\":[ ]}}", "-1 a=5:[];"},
        {"{\"ts\":9223372036854775807,\"values\":{\"a\":{}}}", "9223372036854775807 a=5:{};"},
        {"{\"\\u00e9\":\"\\ud83d\\ude00\",\"j\":[ \"a b\\\" c\" , { } ]}",
         "77 \xc3\xa9=4:\xf0\x9f\x98\x80;77 j=5:[\"a b\\\" c\",{}];"},
        {"{\"a\":\"\",\"b\":\"-\",\"c\":\"1.\",\"d\":\"1.2.3\",\"e\":\"-0\",\"f\":\".5\",\"g\":\" "
         "1\"}",
         "77 a=4:;77 b=4:-;77 c=4:1.;77 d=4:1.2.3;77 e=2:0;77 f=3:0.5;77 g=4: 1;"},
        {"{\"a\":\"00099999999999999999999\",\"b\":\"-.01234567890123456\",\"c\":-0.0}",
         "77 a=4:99999999999999999999;77 b=4:-0.01234567890123456;77 c=3:0.0;"},
        {"{\"a\":1.5e-12,\"b\":1.23456789012345e-05,\"c\":1e-600,\"d\":12e2}",
         "77 a=3:1.5E-12;77 b=4:0.0000123456789012345;77 c=4:1e-600;77 d=3:1200.0;"},
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
        "{\"a\":1,\"b\\u0000\":2}",
        "{\"ts\":\"5x\",\"values\":{\"a\":1}}",
        "{\"ts\":\"1.5\",\"values\":{\"a\":1}}",
        "{\"ts\":\"\",\"values\":{\"a\":1}}",
        "{\"ts\":\"-\",\"values\":{\"a\":1}}",
        "{\"ts\":null,\"values\":{\"a\":1}}",
        "{\"ts\":1e19,\"values\":{\"a\":1}}",
        "{\"ts\":9223372036854775808,\"values\":{\"a\":1}}",
        "{\"ts\":1,\"values\":null}",
        "{\"ts\":1,\"values\":{\"a\":1},\"values\":[]}",
        "[{\"a\":1}",
        "[{\"a\":1}] ]",
        "[] x",
        "[[{\"a\":1}]]",
        "{\"\":1,}",
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
        {"{\"sharedKeys\":\"p\\u0065riod,\",\"x\":1}", "{\"shared\":{\"period\":5}}"},
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
    assert_int_equal(publish(&f, 0, "v2/a/req/1", "{\"sharedKeys\":5}", 1), TB_CLOSE);
    assert_int_equal(publish(&f, 0, "v2/a/req/1", "{\"sharedKeys\":\"a\"} x", 1), TB_CLOSE);
    static const char *const empty[] = {"a,,b", ",a", ""};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        char payload[64];
        snprintf(payload, sizeof payload, "{\"sharedKeys\":\"%s\"}", empty[i]);
        assert_int_equal(publish(&f, TB_AS_THINGSBOARD, "v2/a/req/1", payload, 1), TB_IGNORE);
        assert_false(f.reply.present);
    }
    assert_int_equal(
        publish(&f, TB_AS_THINGSBOARD, "v2/a/req/j/1", "{\"sharedKeys\":\"period,,\"}", 1), TB_ACK);
    assert_string_equal(f.reply.topic, "v2/a/res/j/1");
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
    assert_int_equal(tb_topic_classify("v2/fw/request/1/chunk/-1", 24).kind, TB_TOPIC_OTHER);
    assert_int_equal(tb_topic_classify("v2/r/req/-1", 11).kind, TB_TOPIC_BAD_ID);
    assert_int_equal(tb_topic_classify("v2/a/req/j/7", 12).id, 7);
}

static void doubles_as_java_prints_them(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {1000.0, "1000.0"},
        {21.5, "21.5"},
        {1e7, "1.0E7"},
        {9999999.0, "9999999.0"},
        {1e10, "1.0E10"},
        {0.001, "0.001"},
        {0.0001, "1.0E-4"},
        {-0.5, "-0.5"},
        {0.1, "0.1"},
        {123456.789, "123456.789"},
        {1.5e300, "1.5E300"},
        {0.0, "0.0"},
        {4.9e-324, "4.9E-324"},
        {2e-3, "0.002"},
        {1.7976931348623157e308, "1.7976931348623157E308"},
        {2e23, "2.0E23"},
        {0.1 + 0.2, "0.30000000000000004"},
        {100.0, "100.0"},
        {2.2250738585072014e-308, "2.2250738585072014E-308"},
        {-9007199254740993.0, "-9.007199254740992E15"},
        {12345678.9, "1.23456789E7"},
        {-2.5e-9, "-2.5E-9"},
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

/* An answer that does not fit is no answer, and nothing is written past the buffer. */
static void an_answer_too_large_is_withheld(void **state)
{
    (void)state;
    static const char whole[] = "{\"shared\":{\"period\":5,\"gain\":1000.0}}";
    static const char payload[] = "{\"sharedKeys\":\"period,gain\"}";
    static const char topic[] = "v2/a/req/1";
    char scratch[4096];
    for (size_t cap = 0; cap <= sizeof whole; cap++) {
        char *out = malloc(cap + 1);
        tb_session_t session = {0};
        tb_reply_t reply;
        notes_t notes = {.text = ""};
        const tb_env_t env = {.store = &STORE,
                              .ctx = &notes,
                              .scratch = scratch,
                              .scratch_cap = sizeof scratch,
                              .out = out,
                              .out_cap = cap};
        tb_answer_t answer = tb_device_publish(&session, &env, topic, sizeof topic - 1, payload,
                                               sizeof payload - 1, 1, &reply);
        assert_int_equal(answer, cap == sizeof whole ? TB_ACK : TB_IGNORE);
        assert_int_equal(reply.present, cap == sizeof whole);
        free(out);
    }
}

/* What the cloud is called with when the device calls, answers or claims. */
static char called[256];

static void note_request(void *ctx, tb_family_t family, uint32_t id, const char *method,
                         const char *params, size_t params_len)
{
    (void)ctx;
    snprintf(called, sizeof called, "request %d %u %s %.*s", (int)family, id, method,
             (int)params_len, params);
}

static void note_response(void *ctx, uint32_t id, const char *payload, size_t len)
{
    (void)ctx;
    snprintf(called, sizeof called, "response %u %.*s", id, (int)len, payload);
}

static void note_claim(void *ctx, const char *secret, int64_t duration_ms)
{
    (void)ctx;
    snprintf(called, sizeof called, "claim %s %lld", secret != NULL ? secret : "-",
             (long long)duration_ms);
}

static bool note_firmware(void *ctx, bool software, uint32_t id, uint32_t chunk, uint32_t size)
{
    (void)ctx;
    snprintf(called, sizeof called, "firmware %d %u %u %u", software, id, chunk, size);
    return true;
}

static void the_cloud_is_called_with_what_was_said(void **state)
{
    (void)state;
    static const tb_store_t store = {.rpc_request = note_request,
                                     .rpc_response = note_response,
                                     .claim = note_claim,
                                     .firmware = note_firmware};
    static const struct {
        const char *topic;
        const char *payload;
        tb_answer_t answer;
        const char *called;
    } cases[] = {
        {"v1/devices/me/rpc/request/7", "{\"method\":\"m\\u0041\",\"params\":{ \"a\" : 1 }}",
         TB_ACK, "request 0 7 mA { \"a\" : 1 }"},
        {"v2/r/req/j/8", "{\"method\":\"m\",\"params\":\"s\\n\"}", TB_ACK,
         "request 2 8 m \"s\\n\""},
        {"v2/r/req/9", "{\"method\":\"getSessionLimits\"}", TB_ACK,
         "request 1 9 getSessionLimits null"},
        {"v1/devices/me/rpc/request/7", "{\"method\":5}", TB_CLOSE, ""},
        {"v1/devices/me/rpc/request/7", "[]", TB_CLOSE, ""},
        {"v1/devices/me/rpc/request/x", "{\"method\":\"m\"}", TB_CLOSE, ""},
        {"v1/devices/me/rpc/response/0", "any text", TB_ACK, "response 0 any text"},
        {"v2/r/res/2147483647", "", TB_ACK, "response 2147483647 "},
        {"v2/r/res/p/1", "", TB_CLOSE, ""},
        {"v1/devices/me/claim", "", TB_ACK, "claim - 0"},
        {"v1/devices/me/claim", "{\"secretKey\":\"p\",\"durationMs\":60000}", TB_ACK,
         "claim p 60000"},
        {"v1/devices/me/claim", "5", TB_CLOSE, ""},
        {"v1/devices/me/claim", "{\"secretKey\":\"p\"", TB_CLOSE, ""},
        {"v2/fw/request/3/chunk/4", "4096", TB_ACK, "firmware 0 3 4 4096"},
        {"v2/sw/request/3/chunk/4", "", TB_ACK, "firmware 1 3 4 0"},
        {"v2/sw/request/3/chunk/x", "1", TB_IGNORE, ""},
        {"v2/fw/request/3/chunk/4", "-1", TB_CLOSE, ""},
        {"v2/fw/request/3/chunk/4", "99999999999999999999", TB_CLOSE, ""},
        {"v1/devices/me/attributes/request/1", "{}", TB_ACK, ""},
        {"v1/devices/me/telemetry", "{\"a\":1}", TB_ACK, ""},
        {"/provision/request", "{}", TB_IGNORE, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char scratch[4096], out[64];
        tb_session_t session = {0};
        tb_reply_t reply;
        const tb_env_t env = {.store = &store,
                              .scratch = scratch,
                              .scratch_cap = sizeof scratch,
                              .out = out,
                              .out_cap = sizeof out};
        called[0] = '\0';
        assert_int_equal(tb_device_publish(&session, &env, cases[i].topic, strlen(cases[i].topic),
                                           cases[i].payload, strlen(cases[i].payload), 1, &reply),
                         cases[i].answer);
        assert_string_equal(called, cases[i].called);
    }
}

static void payloads_down_and_typed_values(void **state)
{
    (void)state;
    static const char *const keys[] = {"a", "b\""};
    static const tb_value_t values[] = {
        {.type = TB_BOOL, .u.b = true},
        {.type = TB_LONG, .u.i = INT64_MIN},
        {.type = TB_DOUBLE, .u.d = 1e10},
        {.type = TB_STRING, .text = "a\"b", .len = 3},
        {.type = TB_JSON, .text = "{\"x\":[1,2]}", .len = 11},
    };
    char buf[256];
    json_writer_t w;
    json_writer_init(&w, buf, sizeof buf);
    tb_put_deleted(&w, keys, 2);
    assert_true(json_writer_done(&w, NULL));
    assert_string_equal(buf, "{\"deleted\":[\"a\",\"b\\\"\"]}");
    json_writer_init(&w, buf, sizeof buf);
    tb_put_rpc_request(&w, "setLed", "{\"on\":true}", 11);
    assert_true(json_writer_done(&w, NULL));
    assert_string_equal(buf, "{\"method\":\"setLed\",\"params\":{\"on\":true}}");
    json_writer_init(&w, buf, sizeof buf);
    tb_put_rpc_request(&w, "x", NULL, 0);
    assert_true(json_writer_done(&w, NULL));
    assert_string_equal(buf, "{\"method\":\"x\",\"params\":null}");
    json_writer_init(&w, buf, sizeof buf);
    tb_put_rpc_error(&w, "timeout");
    assert_true(json_writer_done(&w, NULL));
    assert_string_equal(buf, "{\"error\":\"timeout\"}");
    json_writer_init(&w, buf, sizeof buf);
    json_array(&w);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        tb_value_put_json(&w, &values[i]);
    }
    json_end(&w);
    assert_true(json_writer_done(&w, NULL));
    assert_string_equal(buf, "[true,-9223372036854775808,1.0E10,\"a\\\"b\",{\"x\":[1,2]}]");
    tb_scope_t scope;
    assert_true(tb_scope_parse("SHARED_SCOPE", 12, &scope));
    assert_int_equal(scope, TB_SHARED_SCOPE);
    assert_false(tb_scope_parse("SHARED_SCOP", 11, &scope));
    assert_false(tb_scope_parse("client_scope", 12, &scope));
    assert_null(tb_scope_name((tb_scope_t)0));
}

/* REST's rules: null is an error; and the count, the text of an error, a sink that stops. */
static void rest_parses_with_its_own_rules(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":1,\"b\":2,\"c\":3}";
    static const char with_null[] = "{\"a\":1,\"b\":null}";
    char scratch[4096];
    notes_t notes = {.refuse_after = 3};
    size_t count = 99;
    assert_int_equal(tb_parse_attributes(text, sizeof text - 1, 0, 5, scratch, sizeof scratch,
                                         note_point, &notes, &count),
                     TB_PARSE_STOPPED);
    assert_int_equal(count, 2);
    assert_string_equal(notes.text, "5 a=2:1;5 b=2:2;");
    assert_int_equal(tb_parse_attributes(text, sizeof text - 1, TB_NULL_IS_ERROR, 5, scratch,
                                         sizeof scratch, NULL, NULL, &count),
                     TB_PARSE_OK);
    assert_int_equal(count, 3);
    notes = (notes_t){.text = ""};
    assert_int_equal(tb_parse_attributes(with_null, sizeof with_null - 1, TB_NULL_IS_ERROR, 5,
                                         scratch, sizeof scratch, note_point, &notes, &count),
                     TB_PARSE_NULL);
    assert_int_equal(count, 0);
    assert_string_equal(notes.text, "");
    assert_int_equal(
        tb_parse_attributes("[{}]", 4, 0, 5, scratch, sizeof scratch, NULL, NULL, NULL),
        TB_PARSE_WRONG_ROOT);
    assert_string_equal(tb_parse_text(TB_PARSE_NULL), "a value is null");
    /* Too little scratch memory is said, whatever the amount, never a wrong value. */
    for (size_t cap = 0; cap < tb_scratch_size(sizeof text - 1); cap++) {
        char *small = malloc(cap + 1);
        tb_parse_t result =
            tb_parse_attributes("{\"a\":\"12\"}", 10, 0, 5, small, cap, note_point, &notes, &count);
        if (result == TB_PARSE_OK) {
            assert_string_equal(notes.text, "5 a=2:12;");
        } else {
            assert_int_equal(result, TB_PARSE_NO_SCRATCH);
        }
        notes.text[0] = '\0';
        free(small);
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
        cmocka_unit_test(an_answer_too_large_is_withheld),
        cmocka_unit_test(the_cloud_is_called_with_what_was_said),
        cmocka_unit_test(payloads_down_and_typed_values),
        cmocka_unit_test(rest_parses_with_its_own_rules),
        cmocka_unit_test(truncations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

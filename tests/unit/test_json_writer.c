/* SPDX-License-Identifier: Apache-2.0 */
/* json, the writer's side: output, escapes, misuse, every capacity. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "json/json.h"

static void write_sample(json_writer_t *w)
{
    json_object(w);
    json_key(w, "a");
    json_array(w);
    json_put_i64(w, -5);
    json_put_bool(w, true);
    json_put_bool(w, false);
    json_put_null(w);
    json_put_string(w, "x\"\\\n\x01\xc3\xa9");
    json_put_string(w, NULL);
    json_array(w);
    json_end(w);
    json_object(w);
    json_end(w);
    json_end(w);
    json_key_n(w, "bcd", 1);
    json_put_double(w, 0.1);
    json_key(w, "");
    json_put_raw(w, "{\"r\":1}", 7);
    json_end(w);
}

static const char sample[] =
    "{\"a\":[-5,true,false,null,\"x\\\"\\\\\\n\\u0001\xc3\xa9\",null,[],{}],"
    "\"b\":0.1,\"\":{\"r\":1}}";

static void test_output(void **state)
{
    (void)state;
    char buf[256];
    json_writer_t w;
    size_t len;
    json_writer_init(&w, buf, sizeof(buf));
    write_sample(&w);
    assert_true(json_writer_done(&w, &len));
    assert_string_equal(buf, sample);
    assert_int_equal(len, sizeof(sample) - 1);
    assert_true(json_valid(buf, len));
}

static void test_every_capacity(void **state)
{
    (void)state;
    for (size_t cap = 0; cap <= sizeof(sample); cap++) {
        char *buf = malloc(cap + 1);
        json_writer_t w;
        size_t len = 99;
        assert_non_null(buf);
        memset(buf, 'q', cap + 1);
        json_writer_init(&w, buf, cap);
        write_sample(&w);
        bool fits = cap == sizeof(sample);
        assert_int_equal(json_writer_done(&w, &len), fits);
        assert_int_equal(len, fits ? sizeof(sample) - 1 : 0);
        assert_int_equal(buf[cap], 'q');
        if (cap > 0) {
            assert_non_null(memchr(buf, '\0', cap));
            assert_memory_equal(buf, sample, strlen(buf));
        }
        free(buf);
    }
}

static void put_double_is(double value, const char *expected)
{
    char buf[64];
    json_writer_t w;
    json_writer_init(&w, buf, sizeof(buf));
    json_put_double(&w, value);
    assert_true(json_writer_done(&w, NULL));
    assert_string_equal(buf, expected);
    assert_true(json_valid(buf, strlen(buf)));
}

static void test_doubles(void **state)
{
    (void)state;
    put_double_is(0.0, "0");
    put_double_is(-0.0, "-0");
    put_double_is(21.5, "21.5");
    put_double_is(-0.1, "-0.1");
    put_double_is(0.1 + 0.2, "0.3");
    put_double_is(1.0 / 3.0, "0.333333333333333");
    put_double_is(1e15, "1e+15");
    put_double_is(123456789012345.0, "123456789012345");
    put_double_is(1e-7, "1e-07");
    put_double_is(1.7976931348623157e308, "1.79769313486232e+308");
    put_double_is((double)NAN, "null");
    put_double_is((double)INFINITY, "null");
    put_double_is((double)-INFINITY, "null");
}

/* Every decimal of at most 15 digits comes back as it was. */
static void test_doubles_round_trip(void **state)
{
    (void)state;
    uint64_t seed = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        double value = (double)(int64_t)(seed >> 15) / 1e6;
        char buf[64];
        json_writer_t w;
        size_t len;
        json_token_t token = {JSON_NUMBER, false, buf, 0};
        double back;
        json_writer_init(&w, buf, sizeof(buf));
        json_put_double(&w, value);
        assert_true(json_writer_done(&w, &len));
        token.len = len;
        assert_true(json_double(&token, &back));
        assert_true(back == value);
    }
}

static void test_strings(void **state)
{
    (void)state;
    char buf[128];
    json_writer_t w;
    json_writer_init(&w, buf, sizeof(buf));
    json_array(&w);
    json_put_string_n(&w, "\0\x1f\x7f/", 4);
    json_put_string(&w, "\b\f\n\r\t");
    json_put_string(&w, "a\xff\xc2z\xed\xa0\x80");
    json_put_string(&w, "\xe2\x82");
    json_end(&w);
    assert_true(json_writer_done(&w, NULL));
    assert_string_equal(buf, "[\"\\u0000\\u001f\x7f/\",\"\\b\\f\\n\\r\\t\","
                             "\"a\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\","
                             "\"\xef\xbf\xbd\xef\xbf\xbd\"]");
    assert_true(json_valid(buf, strlen(buf)));
}

static void test_integers(void **state)
{
    (void)state;
    char buf[128];
    json_writer_t w;
    json_writer_init(&w, buf, sizeof(buf));
    json_array(&w);
    json_put_i64(&w, 0);
    json_put_i64(&w, INT64_MAX);
    json_put_i64(&w, INT64_MIN);
    json_end(&w);
    assert_true(json_writer_done(&w, NULL));
    assert_string_equal(buf, "[0,9223372036854775807,-9223372036854775808]");
}

/* Each letter is one call; the writer must be bad after all of them. */
static void misuse(const char *calls)
{
    char buf[64];
    json_writer_t w;
    json_writer_init(&w, buf, sizeof(buf));
    for (const char *c = calls; *c != '\0'; c++) {
        switch (*c) {
        case '{':
            json_object(&w);
            break;
        case '[':
            json_array(&w);
            break;
        case '}':
            json_end(&w);
            break;
        case 'k':
            json_key(&w, "k");
            break;
        case '1':
            json_put_i64(&w, 1);
            break;
        case '0':
            json_put_raw(&w, "", 0);
            break;
        default:
            fail();
        }
    }
    assert_false(json_writer_done(&w, NULL));
}

static void test_misuse(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",    "{",   "[",   "}",    "11",   "1}", "{}}",  "{}1", "{1}", "{{}}",
        "{k}", "{kk", "{k1", "{k1k", "[k1}", "k1", "{k11", "[0}", "0",   "{k1}k",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        misuse(cases[i]);
    }
}

static void test_depth(void **state)
{
    (void)state;
    char buf[1024];
    for (unsigned depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        json_writer_t w;
        json_writer_init(&w, buf, sizeof(buf));
        for (unsigned i = 0; i < depth; i++) {
            json_array(&w);
        }
        for (unsigned i = 0; i < depth; i++) {
            json_end(&w);
        }
        assert_int_equal(json_writer_done(&w, NULL), depth <= JSON_DEPTH_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output),  cmocka_unit_test(test_every_capacity),
        cmocka_unit_test(test_doubles), cmocka_unit_test(test_doubles_round_trip),
        cmocka_unit_test(test_strings), cmocka_unit_test(test_integers),
        cmocka_unit_test(test_misuse),  cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "http/query.h"

static void decoding_is_strict(void **state)
{
    (void)state;
    static const struct {
        const char *coded;
        const char *plain; /* NULL: refused */
    } cases[] = {
        {"", ""},
        {"SN-000001", "SN-000001"},
        {"a%20b+c", "a b c"},
        {"%2e%2e%2F", "../"},
        {"%C3%A4", "\xc3\xa4"},
        {"%F0%9F%98%80", "\xf0\x9f\x98\x80"},
        {"100%25", "100%"},
        {"%", NULL},
        {"%4", NULL},
        {"a%zz", NULL},
        {"%00", NULL},
        {"a%0Ab", NULL},
        {"%7f", NULL},
        {"%ff", NULL},
        {"%C0%AF", NULL},       /* overlong '/' */
        {"%E0%80%AF", NULL},    /* overlong '/' */
        {"%ED%A0%80", NULL},    /* a surrogate */
        {"%F5%80%80%80", NULL}, /* above U+10FFFF */
        {"%C3", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[32];
        bool good =
            http_percent_decode(cases[i].coded, strlen(cases[i].coded), true, out, sizeof(out));
        assert_int_equal(good, cases[i].plain != NULL);
        if (good) {
            assert_string_equal(out, cases[i].plain);
        }
    }
}

static void bounds_count_the_terminator(void **state)
{
    (void)state;
    char out[4];
    assert_true(http_percent_decode("abc", 3, false, out, 4));
    assert_false(http_percent_decode("abcd", 4, false, out, 4));
    assert_false(http_percent_decode("", 0, false, out, 0));
    assert_true(http_percent_encode("/", 1, out, 4));
    assert_string_equal(out, "%2F");
    assert_false(http_percent_encode("/", 1, out, 3));
    assert_false(http_percent_encode("abcd", 4, out, 4));
}

static void plus_is_a_space_in_queries_only(void **state)
{
    (void)state;
    char out[8];
    assert_true(http_percent_decode("a+b", 3, false, out, sizeof(out)));
    assert_string_equal(out, "a+b");
    assert_true(http_percent_decode("a+b", 3, true, out, sizeof(out)));
    assert_string_equal(out, "a b");
}

static void a_query_is_walked(void **state)
{
    (void)state;
    char name[16];
    char value[16];
    http_query_t query;
    http_query_init(&query, "&keys=a%2Cb&&flag&x=1=2&bad=%zz&long=12345678901234567890&last=");
    assert_int_equal(http_query_next(&query, name, sizeof(name), value, sizeof(value)), 1);
    assert_string_equal(name, "keys");
    assert_string_equal(value, "a,b");
    assert_int_equal(http_query_next(&query, name, sizeof(name), value, sizeof(value)), 1);
    assert_string_equal(name, "flag");
    assert_string_equal(value, "");
    assert_int_equal(http_query_next(&query, name, sizeof(name), value, sizeof(value)), 1);
    assert_string_equal(value, "1=2");
    assert_int_equal(http_query_next(&query, name, sizeof(name), value, sizeof(value)), -1);
    assert_int_equal(http_query_next(&query, name, sizeof(name), value, sizeof(value)), -1);
    assert_int_equal(http_query_next(&query, name, sizeof(name), value, sizeof(value)), 1);
    assert_string_equal(name, "last");
    assert_int_equal(http_query_next(&query, name, sizeof(name), value, sizeof(value)), 0);
}

static void one_parameter_is_found(void **state)
{
    (void)state;
    char value[8];
    const char *text = "huge=0123456789012345678901234567890123456789012345678901234567890123456789"
                       "&a=1&a=2&b=%00&c=123456789&k%65y=v";
    assert_int_equal(http_query_get(text, "a", value, sizeof(value)), 1);
    assert_string_equal(value, "1");
    assert_int_equal(http_query_get(text, "key", value, sizeof(value)), 1);
    assert_string_equal(value, "v");
    assert_int_equal(http_query_get(text, "b", value, sizeof(value)), -1);
    assert_int_equal(http_query_get(text, "c", value, sizeof(value)), -1);
    assert_int_equal(http_query_get(text, "d", value, sizeof(value)), 0);
    assert_int_equal(http_query_get("", "d", value, sizeof(value)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding_is_strict),
        cmocka_unit_test(bounds_count_the_terminator),
        cmocka_unit_test(plus_is_a_space_in_queries_only),
        cmocka_unit_test(a_query_is_walked),
        cmocka_unit_test(one_parameter_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

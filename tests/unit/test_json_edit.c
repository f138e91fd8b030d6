/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "json/json.h"
#include "json/json_edit.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void members_change_and_the_rest_stays(void **state)
{
    static const char text[] = " { \"a\" : 1.50, \"s\":\"x\\u00e4\\\"\", \"n\":null ,"
                               "\"o\":{\"a\":[1, 2]},\"a\":3 } ";
    static const json_edit_t edits[] = {{"a", "\"new\""}, {"n", NULL}, {"more", "[]"}};
    char out[256];
    size_t len;
    (void)state;
    assert_true(json_edit(text, strlen(text), edits, COUNT(edits), out, sizeof out, &len));
    assert_string_equal(out,
                        "{\"s\":\"x\\u00e4\\\"\",\"o\":{\"a\":[1, 2]},\"a\":\"new\",\"more\":[]}");
    assert_int_equal(len, strlen(out));
    assert_true(json_valid(out, len));
    assert_true(json_edit_size(strlen(text), edits, COUNT(edits)) > len);
}

static void an_escaped_name_is_the_same_name(void **state)
{
    static const char text[] = "{\"\\u0061b\":1,\"c\\n\":2}";
    static const json_edit_t edit = {"ab", "3"};
    char out[64];
    (void)state;
    assert_true(json_edit(text, strlen(text), &edit, 1, out, sizeof out, NULL));
    assert_string_equal(out, "{\"c\\n\":2,\"ab\":3}");
}

static void an_empty_object_and_no_edits(void **state)
{
    static const json_edit_t edit = {"a", "1"};
    char out[64];
    (void)state;
    assert_true(json_edit("{}", 2, &edit, 1, out, sizeof out, NULL));
    assert_string_equal(out, "{\"a\":1}");
    assert_true(json_edit("{\"a\":1}", 7, NULL, 0, out, sizeof out, NULL));
    assert_string_equal(out, "{\"a\":1}");
    assert_true(json_edit("{\"a\":1}", 7, &(json_edit_t){"a", NULL}, 1, out, sizeof out, NULL));
    assert_string_equal(out, "{}");
}

static void what_is_no_object_is_refused(void **state)
{
    static const char *const bad[] = {"",      "[]",         "1",        "{\"a\":1",
                                      "{a:1}", "{\"a\":1}x", "{\"a\":}", "{\"a\":1,}"};
    static const json_edit_t edit = {"a", "2"};
    static const json_edit_t odd = {"a\"b", "2"};
    char out[64];
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(json_edit(bad[i], strlen(bad[i]), &edit, 1, out, sizeof out, NULL));
    }
    assert_false(json_edit("{}", 2, &odd, 1, out, sizeof out, NULL));
}

static void every_size_that_is_too_small_is_refused(void **state)
{
    static const char text[] = "{\"b\":\"text\"}";
    static const json_edit_t edit = {"a", "true"};
    static const char result[] = "{\"b\":\"text\",\"a\":true}";
    char out[sizeof result + 1];
    (void)state;
    for (size_t cap = 0; cap < sizeof result; cap++) {
        memset(out, '#', sizeof out);
        assert_false(json_edit(text, strlen(text), &edit, 1, out, cap, NULL));
        assert_int_equal(out[cap], '#');
    }
    assert_true(json_edit(text, strlen(text), &edit, 1, out, sizeof result, NULL));
    assert_string_equal(out, result);
    assert_true(json_edit_size(strlen(text), &edit, 1) >= sizeof result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_change_and_the_rest_stays),
        cmocka_unit_test(an_escaped_name_is_the_same_name),
        cmocka_unit_test(an_empty_object_and_no_edits),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(every_size_that_is_too_small_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* json, the reader's side: what is JSON and what is not, tokens, values, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "json/json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef struct {
    const char *text;
    size_t len;
} sample_t;
#define S(text)                                                                                    \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static const sample_t good[] = {
    S("null"),
    S("true"),
    S("false"),
    S("0"),
    S("-0"),
    S("10"),
    S("-1.5e+10"),
    S("1E400"),
    S("0.0e-0"),
    S("123456789012345678901234567890"),
    S("\"\""),
    S("\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\""),
    S("\"\\u0000\\u001f\\uFfFf\""),
    S("\"\\ud800\\udc00\\uDBFF\\uDFFF\""),
    S("\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\""),
    S("\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""),
    S("\"\x7f\""),
    S(" \t\r\n1 \t\r\n"),
    S("[]"),
    S("[ ]"),
    S("{}"),
    S("{ }"),
    S("[1,2 , 3]"),
    S("[[],{},[[]]]"),
    S("{\"\":0}"),
    S("{\"a\":1,\"a\":2}"),
    S("{ \"a\" : [ { \"b\" : null } ] , \"c\" : \"d\" }"),
};

static const sample_t bad[] = {
    S(""),
    S(" "),
    S("\0"),
    S("\xef\xbb\xbf{}"),
    S("nul"),
    S("nulll"),
    S("True"),
    S("NaN"),
    S("Infinity"),
    S("-"),
    S("+1"),
    S("01"),
    S("-01"),
    S("00"),
    S("1."),
    S(".5"),
    S("-.5"),
    S("1e"),
    S("1e+"),
    S("1.e3"),
    S("0x10"),
    S("1 2"),
    S("1,"),
    S("1_000"),
    S("\""),
    S("\"a"),
    S("'a'"),
    S("\"\\\""),
    S("\"\\a\""),
    S("\"\\x41\""),
    S("\"\\\0\""),
    S("\"\\u\""),
    S("\"\\u12\""),
    S("\"\\u12g4\""),
    S("\"\\ud800\""),
    S("\"\\udc00\""),
    S("\"\\ud800x\""),
    S("\"\\ud800\\n\""),
    S("\"\\ud800\\ud800\""),
    S("\"\\ud800\\u0041\""),
    S("\"\\ud800\\"),
    S("\"\\ud800\\u\""),
    S("\"\n\""),
    S("\"\t\""),
    S("\"\0\""),
    S("\"\x80\""),
    S("\"\xc0\xaf\""),
    S("\"\xc1\xbf\""),
    S("\"\xc2\""),
    S("\"\xc2"),
    S("\"\xe0\x9f\xbf\""),
    S("\"\xe1\x80\""),
    S("\"\xed\xa0\x80\""),
    S("\"\xf0\x8f\xbf\xbf\""),
    S("\"\xf0\x90\x80\""),
    S("\"\xf4\x90\x80\x80\""),
    S("\"\xf5\x80\x80\x80\""),
    S("\"\xff\""),
    S("["),
    S("]"),
    S("[1"),
    S("[1,"),
    S("[1,]"),
    S("[,1]"),
    S("[,]"),
    S("[1 2]"),
    S("[1]]"),
    S("[}"),
    S("[1}"),
    S("[1:2]"),
    S("[\"a\":1]"),
    S("{"),
    S("}"),
    S("{]"),
    S("{\"a\"}"),
    S("{\"a\":}"),
    S("{\"a\":1"),
    S("{\"a\":1,}"),
    S("{,\"a\":1}"),
    S("{\"a\":1,,\"b\":2}"),
    S("{\"a\" 1}"),
    S("{\"a\"::1}"),
    S("{a:1}"),
    S("{1:1}"),
    S("{null:1}"),
    S("{\"a\":1]"),
    S("{\"a\":1 \"b\":2}"),
    S("{} {}"),
    S("{}x"),
    S("[]\0"),
    S("// c\n1"),
    S("/* c */1"),
    S("1 # c"),
    S("\v1"),
    S("\xc2\xa0"
      "1"),
};

/* A copy on the heap of just this size, so that the sanitizer sees each byte read too many. */
static char *exact_copy(const char *text, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    return copy;
}

static bool valid(const char *text, size_t len)
{
    char *copy = exact_copy(text, len);
    bool result = json_valid(copy, len);
    free(copy);
    return result;
}

static void test_accepts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        if (!valid(good[i].text, good[i].len)) {
            fail_msg("refused: %s", good[i].text);
        }
    }
}

static void test_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (valid(bad[i].text, bad[i].len)) {
            fail_msg("accepted: %s", bad[i].text);
        }
    }
    assert_false(json_valid(NULL, 0));
}

static void test_depth(void **state)
{
    (void)state;
    char text[2 * (JSON_DEPTH_MAX + 1) + 1];
    for (size_t depth = 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(valid(text, 2 * depth), depth <= JSON_DEPTH_MAX);
        assert_false(valid(text, 2 * depth - 1));
    }
    /* Objects in arrays in objects: every closing bracket must match the bit of its own level. */
    char mixed[JSON_DEPTH_MAX / 2 * 7 + 1] = "";
    for (int i = 0; i < JSON_DEPTH_MAX / 2; i++) {
        strcat(mixed, "[{\"a\":");
    }
    size_t head = strlen(mixed);
    char *whole = malloc(head + JSON_DEPTH_MAX + 2);
    assert_non_null(whole);
    memcpy(whole, mixed, head);
    whole[head] = '1';
    for (int i = 0; i < JSON_DEPTH_MAX; i++) {
        whole[head + 1 + (size_t)i] = i % 2 == 0 ? '}' : ']';
    }
    size_t len = head + 1 + JSON_DEPTH_MAX;
    assert_true(json_valid(whole, len));
    whole[len - 1] = '}';
    assert_false(json_valid(whole, len));
    free(whole);
}

static void test_truncated(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\":[1,-2.5e3,\"x\\n\\u00e9\\ud83d\\ude00\xc3\xa9\",{\"b\":null}],"
        "\"c\":true,\"d\":{},\"e\":[]}";
    size_t len = sizeof(text) - 1;
    assert_true(valid(text, len));
    for (size_t cut = 0; cut < len; cut++) {
        json_token_t value;
        char *copy = exact_copy(text, cut);
        assert_false(json_valid(copy, cut));
        assert_false(json_find(copy, cut, "a.3.b", &value));
        free(copy);
    }
}

static void test_token_stream(void **state)
{
    (void)state;
    static const char text[] = " {\"k\\n\" : [ -1.5 , \"s\" , true,false,null,{} ] } ";
    static const struct {
        json_type_t type;
        const char *text;
        bool escaped;
    } expected[] = {
        {JSON_OBJECT, "{", false},     {JSON_KEY, "k\\n", true},     {JSON_ARRAY, "[", false},
        {JSON_NUMBER, "-1.5", false},  {JSON_STRING, "s", false},    {JSON_TRUE, "true", false},
        {JSON_FALSE, "false", false},  {JSON_NULL, "null", false},   {JSON_OBJECT, "{", false},
        {JSON_OBJECT_END, "}", false}, {JSON_ARRAY_END, "]", false}, {JSON_OBJECT_END, "}", false},
        {JSON_DONE, "", false},        {JSON_DONE, "", false},
    };
    json_reader_t reader;
    json_token_t token;
    json_reader_init(&reader, text, sizeof(text) - 1);
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_int_equal(json_next(&reader, &token), expected[i].type);
        assert_int_equal(token.type, expected[i].type);
        assert_int_equal(token.len, strlen(expected[i].text));
        assert_memory_equal(token.text, expected[i].text, token.len);
        assert_int_equal(token.escaped, expected[i].escaped);
    }
    assert_string_equal(json_reader_error(&reader, NULL), "no error");
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *why;
        size_t offset;
    } cases[] = {
        {"{\"a\" 1}", "expected ':'", 5},
        {"[1 2]", "expected ',' or ']'", 3},
        {"{\"a\":1 2}", "expected ',' or '}'", 7},
        {"{1:2}", "expected a name in double quotes", 1},
        {"[1,x]", "expected a value", 3},
        {"[01]", "a number may not begin with 0", 2},
        {"[1.x]", "expected a digit", 3},
        {"\"\\q\"", "unknown escape", 2},
        {"\"\\ud800x\"", "unpaired surrogate", 7},
        {"\"\x01\"", "control character in a string", 1},
        {"\"\xff\"", "not UTF-8", 1},
        {"1 1", "something follows the value", 2},
        {"[1", "the text ends too early", 2},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_reader_t reader;
        json_token_t token;
        size_t offset;
        json_reader_init(&reader, cases[i].text, strlen(cases[i].text));
        for (int n = 0; n < 10; n++) { /* it stays in error */
            json_next(&reader, &token);
        }
        assert_int_equal(token.type, JSON_ERROR);
        assert_string_equal(json_reader_error(&reader, &offset), cases[i].why);
        assert_int_equal(offset, cases[i].offset);
    }
}

static void test_skip(void **state)
{
    (void)state;
    static const char text[] = "[ {\"a\":[1,{\"b\":2}]} , 5 ]";
    json_reader_t reader;
    json_token_t token, value;
    json_reader_init(&reader, text, sizeof(text) - 1);
    assert_int_equal(json_next(&reader, &token), JSON_ARRAY);
    assert_int_equal(json_next(&reader, &token), JSON_OBJECT);
    assert_true(json_skip(&reader, &token, &value));
    assert_int_equal(value.type, JSON_OBJECT);
    assert_int_equal(value.len, 17);
    assert_memory_equal(value.text, "{\"a\":[1,{\"b\":2}]}", 17);
    assert_int_equal(json_next(&reader, &token), JSON_NUMBER);
    assert_true(json_skip(&reader, &token, NULL));
    assert_int_equal(json_next(&reader, &token), JSON_ARRAY_END);
    assert_false(json_skip(&reader, &token, NULL));
    assert_int_equal(json_next(&reader, &token), JSON_DONE);
    assert_false(json_skip(&reader, &token, NULL));

    json_reader_init(&reader, "[[1,2", 5);
    json_next(&reader, &token);
    json_next(&reader, &token);
    assert_false(json_skip(&reader, &token, &value));
}

static bool find(const char *text, const char *path, const char *expected)
{
    json_token_t value;
    if (!json_find(text, strlen(text), path, &value)) {
        return false;
    }
    assert_int_equal(value.len, strlen(expected));
    assert_memory_equal(value.text, expected, value.len);
    return true;
}

static void test_find(void **state)
{
    (void)state;
    static const char text[] = "{\"id\":{\"id\":\"x\"},\"data\":[10,{\"name\":\"n\"},[]],\"dup\":1,"
                               "\"dup\":{\"z\":2},\"\\u0065sc\":3,\"\":4,\"a.b\":5,\"0\":6}";
    assert_true(find(text, "id.id", "x"));
    assert_true(find(text, "id", "{\"id\":\"x\"}"));
    assert_true(find(text, "data.0", "10"));
    assert_true(find(text, "data.1.name", "n"));
    assert_true(find(text, "data.2", "[]"));
    assert_true(find(text, "dup.z", "2"));
    assert_true(find(text, "esc", "3"));
    assert_true(find(text, "0", "6"));
    assert_true(find(text, "", text));
    assert_false(find(text, "data.3", ""));
    assert_false(find(text, "data.-1", ""));
    assert_false(find(text, "data.x", ""));
    assert_false(find(text, "data.", ""));
    assert_false(find(text, "a.b", ""));
    assert_false(find(text, "id.id.id", ""));
    assert_false(find(text, "id.none", ""));
    assert_false(find(text, "none", ""));
    assert_false(find("{\"a\":1}x", "a", ""));
    assert_false(find("{\"a\":1,\"b\"}", "a", ""));
    assert_false(find("[1,2", "0", ""));
    assert_false(find("5", "a", ""));
    assert_false(find("", "", ""));
}

/* One token of a text that is a single scalar. */
static json_token_t scalar(const char *text)
{
    json_reader_t reader;
    json_token_t token;
    json_reader_init(&reader, text, strlen(text));
    json_next(&reader, &token);
    assert_int_not_equal(token.type, JSON_ERROR);
    return token;
}

static void test_string(void **state)
{
    (void)state;
    static const char text[] =
        "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\ud83d\\ude00\xc3\xa9\"";
    static const char expected[] = "a\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9";
    json_token_t token = scalar(text);
    char out[sizeof(expected) + 8];
    size_t len = 0;
    assert_true(json_string(&token, out, sizeof(out), &len));
    assert_int_equal(len, sizeof(expected) - 1);
    assert_string_equal(out, expected);
    assert_true(json_equals(&token, expected));
    assert_false(json_equals(&token, "a"));
    assert_false(json_equals_n(&token, expected, sizeof(expected) - 2));

    for (size_t cap = 0; cap < sizeof(expected); cap++) {
        char *small = malloc(cap + 1);
        assert_non_null(small);
        small[cap] = 'q';
        assert_false(json_string(&token, small, cap, &len));
        assert_int_equal(small[cap], 'q');
        free(small);
    }
    assert_true(json_string(&token, out, sizeof(expected), &len));

    token = scalar("\"a\\u0000b\"");
    assert_false(json_string(&token, out, sizeof(out), NULL));
    assert_true(json_equals_n(&token, "a\0b", 3));
    token = scalar("\"plain\"");
    assert_true(json_equals(&token, "plain"));
    assert_false(json_equals(&token, "plai"));
    assert_false(json_equals(&token, "plain2"));
    token = scalar("5");
    assert_false(json_string(&token, out, sizeof(out), NULL));
    assert_false(json_equals(&token, "5"));
}

static void test_i64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool fits;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"12", true, 12},
        {"-3", true, -3},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"18446744073709551616", false, 0},
        {"99999999999999999999999", false, 0},
        {"1.0", false, 0},
        {"1e3", false, 0},
        {"true", false, 0},
        {"\"1\"", false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_token_t token = scalar(cases[i].text);
        int64_t value = 77;
        assert_int_equal(json_i64(&token, &value), cases[i].fits);
        assert_true(value == (cases[i].fits ? cases[i].value : 77));
    }
}

static void test_double(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } cases[] = {
        {"0", 0.0},
        {"-0.0", -0.0},
        {"1", 1.0},
        {"0.1", 0.1},
        {"-2.5e3", -2500.0},
        {"1E-2", 0.01},
        {"0e5", 0.0},
        {"0.000001e6", 1.0},
        {"123456789012345678901234567890", 123456789012345678901234567890.0},
        {"1.7976931348623157e308", 1.7976931348623157e308},
        {"4.9406564584124654e-324", 4.9406564584124654e-324},
        {"1e-400", 0.0},
        {"0e999999999999999999999", 0.0},
        {"1e-999999999999999999999", 0.0},
        {"9007199254740993", 9007199254740992.0}, /* a tie goes to the even one */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_token_t token = scalar(cases[i].text);
        double value = 77.0;
        assert_true(json_double(&token, &value));
        assert_memory_equal(&value, &cases[i].value, sizeof(value));
    }
    static const char *const infinite[] = {"1e309", "-1e400", "1e999999999999999999999", "\"1\"",
                                           "null"};
    for (size_t i = 0; i < COUNT(infinite); i++) {
        json_token_t token = scalar(infinite[i]);
        double value = 77.0;
        assert_false(json_double(&token, &value));
        assert_true(value == 77.0);
    }
}

/* Longer than any buffer inside: the digits that decide the rounding come last. */
static void test_double_long(void **state)
{
    (void)state;
    static const char half[] = "9007199254740993"; /* half-way between ...992 and ...994 */
    char text[3000];
    double value;
    memset(text, '0', sizeof(text));
    memcpy(text, half, 16);
    text[16] = '.';
    text[sizeof(text) - 1] = '\0';
    json_token_t token = scalar(text);
    assert_true(json_double(&token, &value));
    assert_true(value == 9007199254740992.0);
    text[sizeof(text) - 2] = '1';
    token = scalar(text);
    assert_true(json_double(&token, &value));
    assert_true(value == 9007199254740994.0);

    /* 1 followed by 2900 zeros, times 10^-2900; and the same behind the point. */
    memset(text, '0', sizeof(text));
    text[0] = '1';
    strcpy(text + 2901, "e-2900");
    token = scalar(text);
    assert_true(json_double(&token, &value));
    assert_true(value == 1.0);
    memset(text, '0', sizeof(text));
    text[1] = '.';
    strcpy(text + 2901, "1e2900");
    token = scalar(text);
    assert_true(json_double(&token, &value));
    assert_true(value == 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),      cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_depth),        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_token_stream), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_skip),         cmocka_unit_test(test_find),
        cmocka_unit_test(test_string),       cmocka_unit_test(test_i64),
        cmocka_unit_test(test_double),       cmocka_unit_test(test_double_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

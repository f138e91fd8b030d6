/* SPDX-License-Identifier: Apache-2.0 */
/* lib/site: serial numbers, cradle.json, device.json. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "site/identity.h"
#include "site/site.h"
#include "site/sn.h"

static void test_numeric(void **state)
{
    (void)state;
    const char *numbers[] = {"0",    "123", "000123",   "-5",   "+5",   "1.5",  ".5",
                             "5.",   "1e9", "1E9",      "1e+9", "1e-9", "0x1F", "0XfF",
                             "12L",  "12l", "1f",       "1.5F", "2d",   "2D",   "-0x1",
                             "1e9f", "NaN", "Infinity", "-NaN"};
    const char *texts[] = {"",    "SN-1", "1.2.3", "1e",   "1e+", "0x", "0xG",   "a1", "1-2",
                           "--1", "12LL", "1 ",    "v2.0", ".",   "-",  "1_000", "12X"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (!site_looks_numeric(numbers[i])) {
            fail_msg("%s", numbers[i]);
        }
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (site_looks_numeric(texts[i])) {
            fail_msg("%s", texts[i]);
        }
    }
}

static void test_serial_numbers(void **state)
{
    (void)state;
    const char *good[] = {"SN-000001", "A", "a.b_c-d", "9X1", "12345678901234567890123456789X12"};
    const char *bad[] = {
        "",       ".",       "..",  "../x", "a/b",   "-a",
        "_a",     ".hidden", "a b", "a\nb", "a\x7f", "\xc3\xa4",
        "000123", "1e9",     "a%d", "a+",   "a#",    "123456789012345678901234567890X23"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        err_t err = ERR_INIT;
        if (!site_sn_check(good[i], &err)) {
            fail_msg("%s: %s", good[i], err.text);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (site_sn_check(bad[i], NULL)) {
            fail_msg("%s", bad[i]);
        }
    }
}

static void test_patterns(void **state)
{
    (void)state;
    const struct {
        const char *pattern;
        uint64_t number;
        const char *sn;
    } good[] = {
        {"SN-%06d", 1, "SN-000001"},
        {"SN-%06d", 999999, "SN-999999"},
        {"X%d", 0, "X0"},
        {"X%d", 123456789012, "X123456789012"},
        {"A%04d-EU", 42, "A0042-EU"},
        {"%06dX", 7, "000007X"},
        {"P%012d", 5, "P000000000005"},
        {"9-%01d", 9, "9-9"},
        /* Check characters: Luhn's usual example; that of the GRid standard for MOD 37,36. */
        {"SN-%06d{luhn}", 1, "SN-0000018"},
        {"X%010d{luhn}", 7992739871, "X79927398713"},
        {"X%d{luhn}", 7992739871, "X79927398713"},
        {"A1-2425G-ABC%07d{iso7064}", 1234002, "A1-2425G-ABC1234002M"},
        {"A%04d-eu{luhn}", 18, "A0018-eu2"},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        site_pattern_t pattern;
        char sn[SITE_SN_SIZE];
        uint64_t number = 0;
        err_t err = ERR_INIT;
        if (!site_pattern_parse(good[i].pattern, &pattern, &err) ||
            !site_pattern_format(&pattern, good[i].number, sn, &err)) {
            fail_msg("%s: %s", good[i].pattern, err.text);
        }
        assert_string_equal(sn, good[i].sn);
        assert_true(site_pattern_number(&pattern, sn, &number));
        assert_int_equal(number, good[i].number);
        assert_true(site_sn_check(sn, NULL));
    }
}

static void test_pattern_refusals(void **state)
{
    (void)state;
    const struct {
        const char *pattern, *word;
    } bad[] = {
        {"%06d", "ThingsBoard"},
        {"%d", "ThingsBoard"},
        {"-%d", "ThingsBoard"},
        {"1.%d", "ThingsBoard"},
        {"1e%d", "ThingsBoard"},
        {"0x%d", "ThingsBoard"},
        {"0xAB%d", "ThingsBoard"},
        {"%dL", "ThingsBoard"},
        {"SN", "no serial number pattern"},
        {"", "no serial"},
        {"SN-%s", "no serial"},
        {"SN-%n", "no serial"},
        {"SN-%6d", "no serial"},
        {"SN-%00d", "no serial"},
        {"SN-%013d", "no serial"},
        {"SN-%0999999999999d", "no serial"},
        {"SN-%06", "no serial"},
        {"SN-%06d%06d", "no serial"},
        {"SN-%%%d", "no serial"},
        {"S N-%d", "no serial"},
        {"SN/%d", "no serial"},
        {"../%d", "no serial"},
        {"SN-%*d", "no serial"},
        {"SN-%06ld", "no serial"},
        {"-X%d", "begin with"},
        {".X%d", "begin with"},
        {"ABCDEFGHIJKLMNOPQRSTU%d", "longer"},
        {"%06d{luhn}", "ThingsBoard"},
        {"%06d{iso7064}", "ThingsBoard"},
        {"SN-%06d{mod11}", "no serial"},
        {"SN-{luhn}%06d", "no serial"},
        {"SN-%06d{luhn}X", "no serial"},
        {"SN-%06d{luhn}{luhn}", "no serial"},
        {"ABCDEFGHIJKLMNOPQRST%d{luhn}", "longer"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJ%d", "longer"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        site_pattern_t pattern;
        err_t err = ERR_INIT;
        if (site_pattern_parse(bad[i].pattern, &pattern, &err) ||
            strstr(err.text, bad[i].word) == NULL) {
            fail_msg("%s: %s", bad[i].pattern, err.text);
        }
    }
    site_pattern_t pattern;
    char sn[SITE_SN_SIZE];
    uint64_t number;
    err_t err = ERR_INIT;
    assert_true(site_pattern_parse("SN-%06d", &pattern, NULL));
    assert_false(site_pattern_format(&pattern, 1000000, sn, &err)); /* would be seven digits */
    assert_non_null(strstr(err.text, "ends at 999999"));
    const char *others[] = {"SN-1",       "SN-0000001", "SN-00000x", "sn-000001",
                            "SN-000001X", "SN-",        ""};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(site_pattern_number(&pattern, others[i], &number));
    }
}

/* Every single wrong character is told, and (MOD 37,36) every swapped pair of neighbours that
   differ: the sum is weighted by place. */
static void test_check_characters(void **state)
{
    (void)state;
    const char *const patterns[] = {"SN-%06d{luhn}", "SN-%06d{iso7064}"};
    for (size_t p = 0; p < 2; p++) {
        site_pattern_t pattern;
        assert_true(site_pattern_parse(patterns[p], &pattern, NULL));
        for (uint64_t n = 1; n < 999999; n += 7919) {
            char sn[SITE_SN_SIZE];
            uint64_t number;
            assert_true(site_pattern_format(&pattern, n, sn, NULL));
            assert_true(site_pattern_number(&pattern, sn, &number));
            assert_int_equal(number, n);
            assert_false(site_pattern_mistyped(&pattern, sn));
            for (size_t i = 3; i < 9; i++) {
                char right = sn[i];
                for (char c = '0'; c <= '9'; c++) {
                    sn[i] = c;
                    assert_int_equal(site_pattern_number(&pattern, sn, &number), c == right);
                    assert_int_equal(site_pattern_mistyped(&pattern, sn), c != right);
                }
                sn[i] = right;
            }
        }
        assert_false(site_pattern_mistyped(&pattern, "SN-00001"));
        assert_false(site_pattern_mistyped(&pattern, "ADOPTED-1"));
    }
}

static void test_products(void **state)
{
    (void)state;
    const char *const two = "{\"v\":1,\"site\":\"00112233445566778899aabbccddeeff\",\"name\":\"A\","
                            "\"products\":[{\"name\":\"m2\",\"hw\":\"B1\",\"sn_pattern\":"
                            "\"S2-%05d{luhn}\"}],\"sn_pattern\":\"SN-%06d\",\"model\":\"m1\","
                            "\"hw\":\"A1\",\"cloud\":\"c:1\"}";
    site_t site;
    uint64_t number;
    err_t err = ERR_INIT;
    if (!site_parse(&site, two, strlen(two), &err)) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(site.product_count, 1);
    assert_true(site_sn_number(&site, "SN-000004", &number));
    assert_true(site_sn_number(&site, "S2-000067", &number));
    assert_int_equal(number, 6);
    assert_true(site_sn_typed(&site, "ADOPTED", NULL));
    assert_false(site_sn_typed(&site, "S2-000068", &err));
    assert_non_null(strstr(err.text, "check character"));
    err_clear(&err);
    assert_false(site_product_choose(&site, "m3", &err));
    assert_non_null(strstr(err.text, "m1, m2"));
    assert_true(site_product_choose(&site, "m1", NULL));
    assert_string_equal(site.sn_pattern, "SN-%06d");
    assert_true(site_product_choose(&site, "m2", NULL));
    assert_string_equal(site.sn_pattern, "S2-%05d{luhn}");
    assert_string_equal(site.model, "m2");
    assert_string_equal(site.hw, "B1");
    const char *const bad[][2] = {
        {"\"S2-%05d{luhn}\"", "\"SN-%05d\""},
        {"\"name\":\"m2\"", "\"name\":\"m1\""},
        {"\"S2-%05d{luhn}\"", "\"%05d\""},
        {"\"hw\":\"B1\",", ""},
        {"\"hw\":\"B1\"", "\"hw\":1"},
        {"\"hw\":\"B1\"", "\"hw\":\"B1\",\"x\":\"y\""},
        {"[{", "[1,{"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[1024];
        const char *at = strstr(two, bad[i][0]);
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - two), two, bad[i][1],
                 at + strlen(bad[i][0]));
        assert_false(site_parse(&site, text, strlen(text), NULL));
    }
}

static const char full[] =
    "{\"v\":1,\"site\":\"00112233445566778899aabbccddeeff\",\"name\":\"Acme \\u0041\","
    "\"sn_pattern\":\"SN-%06d\",\"model\":\"m1\",\"hw\":\"A1\",\"cloud\":\"cloud.cradle.test:"
    "8883\","
    "\"steward\":\"[::1]:443\",\"key_type\":\"rsa2048\",\"days\":30,\"pop\":true}";

static void test_settings(void **state)
{
    (void)state;
    site_t site;
    err_t err = ERR_INIT;
    if (!site_parse(&site, full, strlen(full), &err)) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(site.name, "Acme A");
    assert_string_equal(site.cloud, "cloud.cradle.test:8883");
    assert_string_equal(site.steward, "[::1]:443");
    assert_int_equal(site.key_type, PKI_KEY_RSA2048);
    assert_int_equal(site.days, 30);
    assert_true(site.pop);
    for (size_t cut = 0; cut < strlen(full); cut++) {
        assert_false(site_parse(&site, full, cut, NULL));
    }
    static const char least[] =
        "{\"v\":1,\"site\":\"00112233445566778899aabbccddeeff\",\"name\":\"A\","
        "\"sn_pattern\":\"SN-%06d\",\"model\":\"m1\",\"hw\":\"A1\",\"cloud\":\"c:1\"}";
    assert_true(site_parse(&site, least, strlen(least), NULL));
    assert_int_equal(site.days, 1095);
    assert_int_equal(site.key_type, PKI_KEY_P256);
    assert_string_equal(site.steward, "");
}

/* Replaces the first `what` in `full` and wants the refusal to hold `word`. */
static void refuse_setting(const char *what, const char *with, const char *word)
{
    char text[1024];
    site_t site;
    err_t err = ERR_INIT;
    const char *at = strstr(full, what);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - full), full, with, at + strlen(what));
    if (site_parse(&site, text, strlen(text), &err) || strstr(err.text, word) == NULL) {
        fail_msg("%s: \"%s\" lacks \"%s\"", text, err.text, word);
    }
}

static void test_setting_refusals(void **state)
{
    (void)state;
    refuse_setting("\"v\":1", "\"v\":2", "\"v\" must be 1");
    refuse_setting("\"v\":1", "\"v\":\"1\"", "\"v\" must be 1");
    refuse_setting("\"v\":1,", "", "\"v\" is missing");
    refuse_setting("eeff", "eef", "32 hex");
    refuse_setting("eeff", "eefg", "32 hex");
    refuse_setting("\"hw\":\"A1\",", "", "\"hw\" is missing");
    refuse_setting("\"hw\":\"A1\"", "\"hw\":\"A1\",\"hw\":\"A2\"", "twice");
    refuse_setting("\"hw\"", "\"hv\"", "no setting \"hv\"");
    refuse_setting("\"hw\"", "\"a\\nb\"", "(unprintable)");
    refuse_setting("\"A1\"", "1", "\"hw\" must");
    refuse_setting("\"A1\"", "[\"A1\"]", "\"hw\" must");
    refuse_setting("\"A1\"", "\"\"", "\"hw\" must");
    refuse_setting("SN-%06d", "%06d", "sn_pattern");
    refuse_setting("\"hw\"", "\"checkpoint_dir\":\"safe\",\"hw\"", "checkpoint_dir");
    refuse_setting("cloud.cradle.test:8883", "cloud.cradle.test", "host:port");
    refuse_setting("[::1]:443", "[::1]:0", "host:port");
    refuse_setting("rsa2048", "rsa1024", "p256 or rsa2048");
    refuse_setting("30", "0", "from 1 to");
    refuse_setting("30", "1e2", "from 1 to");
    refuse_setting("true", "1", "true or false");
    refuse_setting("true}", "true}x", "JSON");
    refuse_setting("{", "[", "JSON");
    refuse_setting("Acme", "Acme\\u0000", "\"name\" must");
}

static void test_addresses(void **state)
{
    (void)state;
    const char *good[] = {"localhost:1", "a.b-c.d:65535", "127.0.0.1:8883", "[::1]:443",
                          "[fe80::1]:443"};
    const char *bad[] = {"",      ":1",      "a",     "a:",    "a:0",   "a:65536",
                         "a:01",  "a:-1",    "a:1x",  "a b:1", "[::1]", "[]:1",
                         "[x]:1", "::1:443", "*.a:1", "a:1:2", "a/b:1", "http://a:1"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!site_host_port_valid(good[i])) {
            fail_msg("%s", good[i]);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (site_host_port_valid(bad[i])) {
            fail_msg("%s", bad[i]);
        }
    }
}

static void test_identity_json(void **state)
{
    (void)state;
    site_identity_t in = {.model = "m1",
                          .hw = "A1",
                          .site = "00112233445566778899aabbccddeeff",
                          .cloud = "cloud.cradle.test:8883",
                          .steward = "steward.test:443",
                          .security = 1,
                          .pop = "abcd-1234",
                          .firmware_key = {1, 2, 3, 0xff},
                          .firmware_key_len = 4,
                          .anchor_key = {9},
                          .anchor_key_len = 1,
                          .ask = true};
    site_identity_t out;
    char text[SITE_IDENTITY_JSON_MAX];
    size_t len;
    err_t err = ERR_INIT;
    assert_true(site_identity_write(&in, text, sizeof text, &len, NULL));
    assert_string_equal(
        text, "{\"v\":1,\"model\":\"m1\",\"hw\":\"A1\",\"site\":\"00112233445566778899aabbcc"
              "ddeeff\",\"cloud\":\"cloud.cradle.test:8883\",\"steward\":\"steward.test:443\","
              "\"prov\":{\"security\":1,\"pop\":\"abcd-1234\"},\"firmware_key\":\"AQID_w\","
              "\"anchor_key\":\"CQ\",\"ask\":true}");
    if (!site_identity_parse(text, len, &out, &err)) {
        fail_msg("%s", err.text);
    }
    assert_memory_equal(&in, &out, sizeof in);
    for (size_t cut = 0; cut < len; cut++) {
        assert_false(site_identity_parse(text, cut, &out, NULL));
    }
    assert_false(site_identity_write(&in, text, 100, &len, NULL));
    /* members that a later line may add are no reason to brick an older unit */
    static const char newer[] =
        "{\"v\":1,\"model\":\"m\",\"cloud\":\"c:1\",\"colour\":{\"a\":[1]}}";
    assert_true(site_identity_parse(newer, strlen(newer), &out, NULL));
    assert_int_equal(out.security, 1);
    assert_int_equal(out.firmware_key_len, 0);
    site_identity_default(&out);
    assert_string_equal(out.cloud, "localhost:8883");
    assert_int_equal(out.security, 1);
}

static void test_identity_refusals(void **state)
{
    (void)state;
    const char *bad[] = {
        "{}",
        "[]",
        "{\"v\":2,\"model\":\"m\",\"cloud\":\"c:1\"}",
        "{\"v\":1,\"cloud\":\"c:1\"}",
        "{\"v\":1,\"model\":\"m\"}",
        "{\"v\":1,\"model\":\"m\",\"cloud\":\"c\"}",
        "{\"v\":1,\"model\":7,\"cloud\":\"c:1\"}",
        "{\"v\":1,\"model\":\"m\",\"cloud\":\"c:1\",\"site\":\"xyz\"}",
        "{\"v\":1,\"model\":\"m\",\"cloud\":\"c:1\",\"prov\":{\"security\":3}}",
        "{\"v\":1,\"model\":\"m\",\"cloud\":\"c:1\",\"prov\":{\"security\":\"1\"}}",
        "{\"v\":1,\"model\":\"m\",\"cloud\":\"c:1\",\"prov\":{\"pop\":5}}",
        "{\"v\":1,\"model\":\"m\",\"cloud\":\"c:1\",\"firmware_key\":\"a+b=\"}",
        "{\"v\":1,\"model\":\"m\",\"cloud\":\"c:1\",\"ask\":\"yes\"}",
        "{\"v\":1,\"model\":\"m\\u0000x\",\"cloud\":\"c:1\"}",
    };
    static char large[SITE_IDENTITY_JSON_MAX + 1];
    site_identity_t out;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err_t err = ERR_INIT;
        if (site_identity_parse(bad[i], strlen(bad[i]), &out, &err)) {
            fail_msg("%s", bad[i]);
        }
        assert_int_equal(err.kind, ERR_INPUT);
    }
    memset(large, ' ', sizeof large);
    assert_false(site_identity_parse(large, sizeof large, &out, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numeric),           cmocka_unit_test(test_serial_numbers),
        cmocka_unit_test(test_patterns),          cmocka_unit_test(test_pattern_refusals),
        cmocka_unit_test(test_check_characters),  cmocka_unit_test(test_products),
        cmocka_unit_test(test_settings),          cmocka_unit_test(test_setting_refusals),
        cmocka_unit_test(test_addresses),         cmocka_unit_test(test_identity_json),
        cmocka_unit_test(test_identity_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The envelope: what is taken apart, what is refused and why, and ECDSA signatures in DER. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/statement_fixture.h"

#define X5T       "\"x5t#S256\":\"" FIXTURE_LEAF "\""
#define STATEMENT "{\"alg\":\"ES256\",\"typ\":\"cradle-statement+jwt\"," X5T "}"
#define ANSWER    "{\"alg\":\"ES256\",\"typ\":\"cradle-answer+jwt\",\"kid\":\"" FIXTURE_KID "\"}"

static jws_result_t open_header(jws_kind_t kind, const char *header, size_t sig_len)
{
    static fixture_t f;
    fixture_make(&f, header, "{}", sig_len);
    return jws_open(kind, f.text, f.len, &f.jws);
}

static void test_open(void **state)
{
    (void)state;
    static fixture_t f;
    uint8_t sig[JWS_RS256_MAX], want[JWS_ES256_SIZE];
    size_t len;
    fixture_make(&f, STATEMENT, "{\"a\":1}", 64);
    assert_int_equal(jws_open(JWS_STATEMENT, f.text, f.len, &f.jws), JWS_OK);
    assert_int_equal(f.jws.alg, JWS_ES256);
    assert_int_equal(f.jws.x5t[0], 0x80);
    assert_int_equal(f.jws.x5t[31], 0x9f);
    assert_int_equal(f.jws.payload.len, 10);
    assert_memory_equal(f.jws.payload.text, "eyJhIjoxfQ", 10);
    assert_ptr_equal(f.jws.text, f.text);
    assert_int_equal(f.jws.signing_len, f.len - 1 - 86);
    assert_int_equal(jws_signature(&f.jws, sig, sizeof(sig), &len), JWS_OK);
    assert_int_equal(len, 64);
    memset(want, 0x5a, sizeof(want));
    assert_memory_equal(sig, want, 64);
    assert_int_equal(jws_signature(&f.jws, sig, 64, &len), JWS_OK);
    assert_int_equal(jws_signature(&f.jws, sig, 63, &len), JWS_NO_ROOM);
    assert_int_equal(len, 0);

    fixture_make(&f, ANSWER, "{}", 64);
    assert_int_equal(jws_open(JWS_ANSWER, f.text, f.len, &f.jws), JWS_OK);
    assert_string_equal(f.jws.kid, FIXTURE_KID);
}

/* The text lies in heap memory of exactly its length: a sanitizer sees the first byte too far. */
static jws_result_t open_exactly(jws_kind_t kind, const char *text, size_t len)
{
    jws_t jws;
    uint8_t sig[JWS_RS256_MAX];
    char *copy = malloc(len + (len == 0));
    assert_non_null(copy);
    memcpy(copy, text, len);
    jws_result_t result = jws_open(kind, copy, len, &jws);
    if (result == JWS_OK) {
        result = jws_signature(&jws, sig, sizeof(sig), &len);
    }
    free(copy);
    return result;
}

static void test_truncated_and_bent(void **state)
{
    (void)state;
    static fixture_t f;
    fixture_make(&f, STATEMENT, "{}", 64);
    for (size_t n = 0; n < f.len; n++) {
        assert_int_not_equal(open_exactly(JWS_STATEMENT, f.text, n), JWS_OK);
    }
    assert_int_equal(open_exactly(JWS_STATEMENT, f.text, f.len), JWS_OK);
    for (size_t n = 0; n < f.len; n++) { /* outside of the alphabet, anywhere but in the payload */
        if (f.text[n] != '.' && (n < 100 || n > f.len - 86)) {
            char kept = f.text[n];
            f.text[n] = n % 2 == 0 ? '=' : '+';
            assert_int_equal(open_exactly(JWS_STATEMENT, f.text, f.len), JWS_MALFORMED);
            f.text[n] = kept;
        }
    }
    f.text[f.len] = '=';
    assert_int_equal(open_exactly(JWS_STATEMENT, f.text, f.len + 1), JWS_SIGNATURE);
    f.text[f.len] = '.';
    assert_int_equal(open_exactly(JWS_STATEMENT, f.text, f.len + 1), JWS_MALFORMED);
    f.text[f.len - 1] = 'b'; /* 64 bytes end in a letter with four unused bits */
    assert_int_equal(open_exactly(JWS_STATEMENT, f.text, f.len), JWS_MALFORMED);
    assert_int_equal(open_exactly(JWS_STATEMENT, "..", 2), JWS_MALFORMED);
    assert_int_equal(open_exactly(JWS_STATEMENT, "e30.e30", 7), JWS_MALFORMED);
    assert_int_equal(open_exactly(JWS_STATEMENT, "e30.e30.", 8), JWS_MALFORMED);
    assert_int_equal(open_exactly(JWS_STATEMENT, "e30..e30", 8), JWS_MALFORMED);
    assert_int_equal(open_exactly(JWS_STATEMENT, ".e30.e30", 8), JWS_MALFORMED);
}

static void test_size_first(void **state)
{
    (void)state;
    static const size_t max[] = {
        [JWS_STATEMENT] = 2560, [JWS_ANSWER] = 4096,  [JWS_TICKET] = 228,
        [JWS_BUNDLE] = 3584,    [JWS_RECEIPT] = 4096,
    };
    static char junk[8192];
    memset(junk, '!', sizeof(junk));
    for (jws_kind_t kind = JWS_STATEMENT; kind <= JWS_RECEIPT; kind++) {
        assert_int_equal(open_exactly(kind, junk, max[kind] + 1), JWS_TOO_LARGE);
        assert_int_equal(open_exactly(kind, junk, max[kind]), JWS_MALFORMED);
    }
    /* A header of more than 192 bytes is no header of ours. */
    memset(junk, 'A', 257);
    memcpy(junk + 257, ".e30.e30", 8);
    assert_int_equal(open_exactly(JWS_STATEMENT, junk, 265), JWS_HEADER);
}

static void test_header(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        jws_result_t want;
    } rows[] = {
        {STATEMENT, JWS_OK},
        {"{" X5T ",\"typ\":\"cradle-statement+jwt\",\"alg\":\"RS256\"}", JWS_SIGNATURE},
        {"{\"alg\":\"HS256\",\"typ\":\"cradle-statement+jwt\"," X5T "}", JWS_ALGORITHM},
        {"{\"alg\":\"none\",\"typ\":\"cradle-statement+jwt\"," X5T "}", JWS_ALGORITHM},
        {"{\"alg\":\"ES384\",\"typ\":\"cradle-statement+jwt\"," X5T "}", JWS_ALGORITHM},
        {"{\"alg\":\"es256\",\"typ\":\"cradle-statement+jwt\"," X5T "}", JWS_ALGORITHM},
        {"{\"alg\":null,\"typ\":\"cradle-statement+jwt\"," X5T "}", JWS_HEADER},
        {"{\"alg\":[\"ES256\"],\"typ\":\"cradle-statement+jwt\"," X5T "}", JWS_HEADER},
        {"{\"alg\":\"ES256\",\"typ\":\"JWT\"," X5T "}", JWS_TYPE},
        {ANSWER, JWS_TYPE},
        {"{\"alg\":\"ES256\"," X5T "}", JWS_HEADER},
        {"{\"alg\":\"ES256\",\"typ\":\"cradle-statement+jwt\"}", JWS_HEADER},
        {"{\"typ\":\"cradle-statement+jwt\"," X5T "}", JWS_HEADER},
        {"{\"alg\":\"ES256\",\"typ\":\"cradle-statement+jwt\"," X5T ",\"kid\":\"" FIXTURE_KID "\"}",
         JWS_HEADER},
        {"{\"alg\":\"ES256\",\"typ\":\"cradle-statement+jwt\"," X5T ",\"crit\":[\"exp\"]}",
         JWS_HEADER},
        {"{\"alg\":\"ES256\",\"typ\":\"cradle-statement+jwt\"," X5T ",\"jwk\":{}}", JWS_HEADER},
        {"{\"alg\":\"ES256\",\"alg\":\"ES256\",\"typ\":\"cradle-statement+jwt\"," X5T "}",
         JWS_TWICE},
        {"{\"\\u0061lg\":\"ES256\",\"typ\":\"cradle-statement+jwt\"," X5T "}", JWS_HEADER},
        {"{\"alg\":\"\\u0045S256\",\"typ\":\"cradle-statement+jwt\"," X5T "}", JWS_HEADER},
        {"{\"alg\":\"ES256\",\"typ\":\"cradle-statement+jwt\",\"x5t#S256\":\"AAAA\"}", JWS_HEADER},
        {"{\"alg\":\"ES256\",\"typ\":\"cradle-statement+jwt\",\"x5t#S256\":\"" FIXTURE_LEAF "A\"}",
         JWS_HEADER},
        {"[]", JWS_NOT_JSON},
        {"{} {}", JWS_NOT_JSON},
        {"{'alg':'ES256'}", JWS_NOT_JSON},
        {"\xef\xbb\xbf{}", JWS_NOT_JSON},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        jws_result_t got = open_header(JWS_STATEMENT, rows[i].header, 64);
        if (got != rows[i].want) {
            fail_msg("%s: %s", rows[i].header, jws_result_text(got));
        }
    }
}

/* Every kind's header as every other kind, with every size of signature. */
static void test_kinds(void **state)
{
    (void)state;
    static const char *const headers[] = {
        [JWS_STATEMENT] = STATEMENT,
        [JWS_ANSWER] = ANSWER,
        [JWS_TICKET] = "{\"alg\":\"HS256\"}",
        [JWS_BUNDLE] =
            "{\"alg\":\"ES256\",\"typ\":\"cradle-bundle+jwt\",\"kid\":\"" FIXTURE_KID "\"}",
        [JWS_RECEIPT] =
            "{\"alg\":\"ES256\",\"typ\":\"cradle-receipt+jwt\",\"kid\":\"" FIXTURE_KID "\"}",
    };
    for (jws_kind_t is = JWS_STATEMENT; is <= JWS_RECEIPT; is++) {
        for (jws_kind_t as = JWS_STATEMENT; as <= JWS_RECEIPT; as++) {
            jws_result_t got = open_header(as, headers[is], is == JWS_TICKET ? 32 : 64);
            jws_result_t want = is == as ? JWS_OK : is == JWS_TICKET ? JWS_HEADER : JWS_TYPE;
            assert_int_equal(got, want);
        }
        for (size_t size = 1; size <= 80; size++) {
            bool fits = size == (is == JWS_TICKET ? 32u : 64u);
            assert_int_equal(open_header(is, headers[is], size), fits ? JWS_OK : JWS_SIGNATURE);
        }
    }
    for (size_t size = 1; size <= 520; size++) {
        bool fits = size == 256 || size == 384 || size == 512;
        assert_int_equal(open_header(JWS_STATEMENT,
                                     "{\"alg\":\"RS256\",\"typ\":\"cradle-statement+jwt\"," X5T "}",
                                     size),
                         fits ? JWS_OK : JWS_SIGNATURE);
    }
}

static void test_append(void **state)
{
    (void)state;
    static const uint8_t sig[64] = {1};
    for (size_t cap = 0; cap < 100; cap++) {
        char *text = malloc(cap + 1);
        size_t len = 3;
        memset(text, 'x', cap + 1);
        jws_result_t result = jws_append(text, cap, &len, sig, sizeof(sig));
        assert_int_equal(result, cap >= 3 + 1 + 86 + 1 ? JWS_OK : JWS_NO_ROOM);
        assert_int_equal(len, result == JWS_OK ? 90 : 3);
        assert_int_equal(text[cap], 'x');
        free(text);
    }
}

static void der_round_trip(const uint8_t raw[64], size_t want_len)
{
    uint8_t der[JWS_ES256_DER_MAX], back[64];
    size_t len = jws_es256_to_der(raw, der);
    assert_int_equal(len, want_len);
    assert_true(jws_es256_from_der(der, len, back));
    assert_memory_equal(back, raw, 64);
    for (size_t n = 0; n < len; n++) {
        assert_false(jws_es256_from_der(der, n, back));
    }
    for (size_t n = 0; n < 4; n++) { /* tags and the outer length */
        if (n != 3) {
            der[n] ^= 1;
            assert_false(jws_es256_from_der(der, len, back));
            der[n] ^= 1;
        }
    }
}

static void test_der(void **state)
{
    (void)state;
    uint8_t raw[64], back[64];
    memset(raw, 0xff, 64);
    der_round_trip(raw, 72);
    memset(raw, 0x7f, 64);
    der_round_trip(raw, 70);
    raw[0] = 0x80;
    der_round_trip(raw, 71);
    memset(raw, 0, 64);
    raw[31] = 1;
    raw[63] = 0x80;
    der_round_trip(raw, 2 + 3 + 4);
    raw[40] = 0x01;
    der_round_trip(raw, 2 + 3 + 2 + 24);

    static const char *const wrong[] = {
        "3006020100020101",                           /* r = 0                     */
        "3006020101020100",                           /* s = 0                     */
        "3006020181020101",                           /* negative                  */
        "300702020001020101",                         /* a zero too many           */
        "30080201010201010000", "300602010102010100", /* something follows       */
        "30810602010102010100",                       /* long form of the length */
        "3080020101020101",                           /* indefinite              */
        "3005020002020101",                           /* empty integer           */
        "3006030101020101",                           /* no INTEGER              */
        "300602010104010100",   "30060201010202ff01",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        uint8_t der[32];
        size_t len = strlen(wrong[i]) / 2;
        for (size_t k = 0; k < len; k++) {
            unsigned byte;
            sscanf(wrong[i] + 2 * k, "%2x", &byte);
            der[k] = (uint8_t)byte;
        }
        assert_false(jws_es256_from_der(der, len, back));
    }
    /* 33 bytes that do not begin with 0. */
    uint8_t long_one[72] = {0x30, 70, 0x02, 33, 0x01};
    long_one[37] = 0x02;
    long_one[38] = 33;
    long_one[39] = 0x01;
    assert_false(jws_es256_from_der(long_one, 72, back));
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(jws_alg_name(JWS_ES256), "ES256");
    assert_string_equal(jws_alg_name(JWS_RS256), "RS256");
    assert_string_equal(jws_alg_name(JWS_HS256), "HS256");
    assert_string_equal(jws_alg_name(JWS_NONE), "none");
    for (int a = JWS_OK; a <= JWS_UNSUITABLE; a++) {
        assert_string_not_equal(jws_result_text((jws_result_t)a), "unknown error");
        for (int b = a + 1; b <= JWS_UNSUITABLE; b++) {
            assert_string_not_equal(jws_result_text((jws_result_t)a),
                                    jws_result_text((jws_result_t)b));
        }
    }
    assert_string_equal(jws_result_text((jws_result_t)99), "unknown error");
    assert_true(jws_text_equal(jws_text(NULL), jws_text("")));
    assert_false(jws_text_equal(jws_text("a"), jws_text("b")));
    assert_false(jws_text_equal(jws_text("a"), jws_text("ab")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),       cmocka_unit_test(test_truncated_and_bent),
        cmocka_unit_test(test_size_first), cmocka_unit_test(test_header),
        cmocka_unit_test(test_kinds),      cmocka_unit_test(test_append),
        cmocka_unit_test(test_der),        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

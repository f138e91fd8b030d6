/* SPDX-License-Identifier: Apache-2.0 */
/* Statements, their carrier and the name of the question: exact texts, round trips, every member
   missing, doubled, bent and misplaced. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/statement_fixture.h"

#define HEADER                                                                                     \
    "{\"alg\":\"ES256\",\"typ\":\"cradle-statement+jwt\",\"x5t#S256\":\"" FIXTURE_LEAF "\"}"
#define HEAD(method)                                                                               \
    "{\"v\":1,\"m\":\"" method "\",\"aud\":\"" FIXTURE_SITE                                        \
    "\",\"sn\":\"SN-000001\",\"ep\":\"" FIXTURE_EP "\",\"n\":\"" FIXTURE_N "\""

static const char *const PAYLOADS[STATEMENT_METHODS] = {
    HEAD("hello") ",\"leaf\":\"" FIXTURE_LEAF
                  "\",\"days\":1095,\"fw\":\"cradle-linux 1.0.0\",\"bv\":7}",
    HEAD("claim") ",\"ticket\":\"aGVhZA.Ym9keQ.dGFn\",\"csr\":\"MAMCAQA\"}",
    HEAD("renew") ",\"csr\":\"MAMCAQA\"}",
    HEAD("commit") ",\"leaf\":\"" FIXTURE_LEAF "\"}",
    HEAD("bundle") "}",
};

/* Written, and a signature of 64 bytes added. */
static void write(fixture_t *f, const statement_t *s)
{
    static const uint8_t sig[64];
    memset(f, 0, sizeof(*f));
    assert_int_equal(statement_write(s, f->text, sizeof(f->text), &f->len), JWS_OK);
    assert_int_equal(strlen(f->text), f->len);
    assert_int_equal(jws_append(f->text, sizeof(f->text), &f->len, sig, sizeof(sig)), JWS_OK);
}

static void assert_same(const statement_t *got, const statement_t *want)
{
    bool hello = want->method == STATEMENT_HELLO;
    assert_int_equal(got->alg, want->alg);
    assert_int_equal(got->method, want->method);
    assert_memory_equal(got->signer, want->signer, 32);
    assert_true(jws_text_equal(got->site, want->site));
    assert_true(jws_text_equal(got->sn, want->sn));
    assert_memory_equal(got->epoch, want->epoch, 16);
    assert_memory_equal(got->nonce, want->nonce, 16);
    if (hello || want->method == STATEMENT_COMMIT) {
        assert_memory_equal(got->leaf, want->leaf, 32);
    }
    assert_int_equal(got->days, hello ? want->days : 0);
    assert_int_equal(got->bundle, hello ? want->bundle : 0);
    assert_int_equal(got->press, hello && want->press);
    assert_true(jws_text_equal(got->firmware, hello ? want->firmware : jws_text("")));
    bool claim = want->method == STATEMENT_CLAIM;
    assert_true(jws_text_equal(got->ticket, claim ? want->ticket : jws_text("")));
    bool csr = claim || want->method == STATEMENT_RENEW;
    assert_int_equal(got->csr.len, csr ? want->csr.len : 0);
    if (csr) {
        assert_memory_equal(got->csr.data, want->csr.data, want->csr.len);
    }
}

static void test_exact_text(void **state)
{
    (void)state;
    static fixture_t f;
    for (statement_method_t m = STATEMENT_HELLO; m < STATEMENT_METHODS; m++) {
        statement_t s = fixture_say(m), got;
        write(&f, &s);
        assert_string_equal(fixture_header(&f), HEADER);
        assert_string_equal(fixture_payload(&f), PAYLOADS[m]);
        assert_int_equal(fixture_statement(&f, &got), JWS_OK);
        assert_null(f.jws.fault);
        assert_same(&got, &s);
    }
    statement_t s = fixture_say(STATEMENT_HELLO), got;
    s.press = true;
    s.days = -3;
    s.bundle = 0;
    write(&f, &s);
    assert_non_null(strstr(fixture_payload(&f), ",\"days\":-3,\"fw\":\"cradle-linux 1.0.0\","
                                                "\"bv\":0,\"press\":true}"));
    assert_int_equal(fixture_statement(&f, &got), JWS_OK);
    assert_same(&got, &s);
    s = fixture_say(STATEMENT_CLAIM);
    s.ticket = jws_text(NULL);
    s.alg = JWS_RS256;
    assert_int_equal(statement_write(&s, f.text, sizeof(f.text), &f.len), JWS_OK);
    assert_null(strstr(fixture_payload(&f), "ticket"));
    assert_non_null(strstr(fixture_header(&f), "RS256"));
}

/* The payload is decoded where it stands, as a device with one buffer does. */
static void test_in_place(void **state)
{
    (void)state;
    static fixture_t f;
    for (statement_method_t m = STATEMENT_HELLO; m < STATEMENT_METHODS; m++) {
        statement_t s = fixture_say(m), got;
        write(&f, &s);
        assert_int_equal(jws_open(JWS_STATEMENT, f.text, f.len, &f.jws), JWS_OK);
        char *place = f.text + (f.jws.payload.text - f.text);
        assert_int_equal(statement_read(&f.jws, place, f.jws.payload.len, &got), JWS_OK);
        assert_same(&got, &s);
        write(&f, &s);
        assert_int_equal(jws_open(JWS_STATEMENT, f.text, f.len, &f.jws), JWS_OK);
        size_t enough = f.jws.payload.len / 4 * 3 + f.jws.payload.len % 4;
        assert_int_equal(statement_read(&f.jws, f.scratch, enough, &got), JWS_OK);
        assert_int_equal(statement_read(&f.jws, f.scratch, enough - 4, &got), JWS_NO_ROOM);
    }
}

static void test_every_capacity(void **state)
{
    (void)state;
    for (statement_method_t m = STATEMENT_HELLO; m < STATEMENT_METHODS; m++) {
        statement_t s = fixture_say(m);
        char whole[1024];
        size_t need, len;
        assert_int_equal(statement_write(&s, whole, sizeof(whole), &need), JWS_OK);
        for (size_t cap = 0; cap <= need + 1; cap++) {
            char *out = malloc(cap + (cap == 0));
            jws_result_t result = statement_write(&s, out, cap, &len);
            assert_int_equal(result, cap == need + 1 ? JWS_OK : JWS_NO_ROOM);
            assert_int_equal(len, result == JWS_OK ? need : 0);
            free(out);
        }
    }
}

static jws_result_t read_payload(const char *payload, const char **fault)
{
    static fixture_t f;
    statement_t got;
    fixture_make(&f, HEADER, payload, 64);
    jws_result_t result = fixture_statement(&f, &got);
    *fault = f.jws.fault;
    return result;
}

static void test_missing_twice_unknown(void **state)
{
    (void)state;
    char varied[2048], name[32];
    const char *fault;
    for (statement_method_t m = STATEMENT_HELLO; m < STATEMENT_METHODS; m++) {
        for (size_t i = 0;
             fixture_vary(PAYLOADS[m], i, FIXTURE_DROP, NULL, varied, sizeof(varied), name); i++) {
            bool optional = strcmp(name, "ticket") == 0;
            assert_int_equal(read_payload(varied, &fault), optional ? JWS_OK : JWS_MISSING);
            if (!optional) {
                assert_string_equal(fault, name);
            }
            fixture_vary(PAYLOADS[m], i, FIXTURE_TWICE, NULL, varied, sizeof(varied), name);
            assert_int_equal(read_payload(varied, &fault), JWS_TWICE);
            assert_string_equal(fault, name);
        }
        /* Unknown members are read past, whatever they hold. */
        snprintf(varied, sizeof(varied), "{\"x\":[{\"v\":2}],\"y\":null,\"y\":{},%s",
                 PAYLOADS[m] + 1);
        assert_int_equal(read_payload(varied, &fault), JWS_OK);
    }
}

/* No member may have a value of another type or size. */
static void test_bent_members(void **state)
{
    (void)state;
    static const char *const values[] = {
        "null",
        "true",
        "false",
        "{}",
        "[]",
        "[\"a\"]",
        "1.5",
        "1e3",
        "-1.0",
        "99999999999999999999",
        "\"\"",
        "\"\\u0041\"",
        "\"a b\\n\"",
        "\"\xc3\xa9\"",
        "\"=\"",
        "4294967296",
        "\"AAAAAAAAAAAAAAAAAAAAA\"",
        "\"AAAAAAAAAAAAAAAAAAAAAB\"",
    };
    char varied[2048], name[32];
    const char *fault;
    for (statement_method_t m = STATEMENT_HELLO; m < STATEMENT_METHODS; m++) {
        for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
            for (size_t i = 0; fixture_vary(PAYLOADS[m], i, FIXTURE_CHANGE, values[v], varied,
                                            sizeof(varied), name);
                 i++) {
                jws_result_t got = read_payload(varied, &fault);
                bool word = strcmp(name, "m") == 0 && values[v][0] == '"';
                bool fine = (strcmp(name, "fw") == 0 || strcmp(name, "sn") == 0 ||
                             strcmp(name, "ticket") == 0) &&
                            strncmp(values[v], "\"AAAA", 5) == 0;
                fine = fine || (strcmp(name, "fw") == 0 && strcmp(values[v], "\"=\"") == 0);
                if (got != JWS_MEMBER && !(word && got == JWS_METHOD) && !(fine && got == JWS_OK)) {
                    fail_msg("%s = %s: %s", name, values[v], jws_result_text(got));
                }
            }
        }
    }
}

static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *value;
        jws_result_t want;
    } rows[] = {
        {"v", "2", JWS_VERSION},
        {"v", "0", JWS_VERSION},
        {"v", "-1", JWS_MEMBER},
        {"m", "\"Hello\"", JWS_METHOD},
        {"m", "\"cradle.hello\"", JWS_METHOD},
        {"m", "\"claim\"", JWS_MISPLACED},
        {"aud", "\"00112233445566778899aabbccddeef\"", JWS_MEMBER},
        {"aud", "\"00112233445566778899AABBCCDDEEFF\"", JWS_MEMBER},
        {"sn", "\"12345678901234567890123456789012\"", JWS_OK},
        {"sn", "\"123456789012345678901234567890123\"", JWS_MEMBER},
        {"sn", "\"-1\"", JWS_MEMBER},
        {"sn", "\"SN/1\"", JWS_MEMBER},
        {"sn", "\"SN:1\"", JWS_MEMBER},
        {"ep", "\"EBESExQVFhcYGRobHB0eHwA\"", JWS_MEMBER},
        {"ep", "\"EBESExQVFhcYGRobHB0eHw==\"", JWS_MEMBER},
        {"days", "36500", JWS_OK},
        {"days", "36501", JWS_MEMBER},
        {"days", "-36500", JWS_OK},
        {"days", "-36501", JWS_MEMBER},
        {"fw", "\"1234567890123456789012345678901234567890123456789012345678901234\"", JWS_OK},
        {"fw", "\"12345678901234567890123456789012345678901234567890123456789012345\"", JWS_MEMBER},
        {"bv", "4294967295", JWS_OK},
        {"bv", "4294967296", JWS_MEMBER},
        {"bv", "-1", JWS_MEMBER},
    };
    char varied[2048], name[32];
    const char *fault;
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        for (size_t i = 0; fixture_vary(PAYLOADS[STATEMENT_HELLO], i, FIXTURE_CHANGE, rows[r].value,
                                        varied, sizeof(varied), name);
             i++) {
            if (strcmp(name, rows[r].name) == 0) {
                jws_result_t got = read_payload(varied, &fault);
                if (got != rows[r].want) {
                    fail_msg("%s = %s: %s", name, rows[r].value, jws_result_text(got));
                }
            }
        }
    }
    assert_int_equal(read_payload(HEAD("hello") ",\"press\":false}", &fault), JWS_MEMBER);
    assert_int_equal(read_payload("{\"v\":1", &fault), JWS_NOT_JSON);
    assert_int_equal(read_payload("{\"v\":1}}", &fault), JWS_NOT_JSON);
    assert_int_equal(read_payload("[]", &fault), JWS_NOT_JSON);
    assert_int_equal(read_payload("{\"\\u0076\":1}", &fault), JWS_MEMBER);
}

static void test_misplaced(void **state)
{
    (void)state;
    static const char *const extra[] = {
        "\"leaf\":\"" FIXTURE_LEAF "\"",
        "\"days\":1",
        "\"fw\":\"a\"",
        "\"bv\":1",
        "\"press\":true",
        "\"csr\":\"MAMCAQA\"",
        "\"ticket\":\"a.b.c\"",
    };
    static const char *const allowed[STATEMENT_METHODS] = {"press", "ticket", "", "", ""};
    char varied[2048];
    const char *fault;
    for (statement_method_t m = STATEMENT_HELLO; m < STATEMENT_METHODS; m++) {
        for (size_t i = 0; i < sizeof(extra) / sizeof(extra[0]); i++) {
            char name[16];
            snprintf(name, sizeof(name), "%.*s", (int)strcspn(extra[i] + 1, "\""), extra[i] + 1);
            char member[24];
            snprintf(member, sizeof(member), "\"%s\":", name);
            if (strstr(PAYLOADS[m], member) != NULL) {
                continue; /* it belongs there */
            }
            snprintf(varied, sizeof(varied), "{%s,%s", extra[i], PAYLOADS[m] + 1);
            bool may = strcmp(name, allowed[m]) == 0;
            assert_int_equal(read_payload(varied, &fault), may ? JWS_OK : JWS_MISPLACED);
            if (!may) {
                assert_string_equal(fault, name);
            }
        }
    }
    /* A commit is signed with the key of the leaf that it names. */
    assert_int_equal(read_payload(HEAD("commit") ",\"leaf\":\"" FIXTURE_N FIXTURE_N "A\"}", &fault),
                     JWS_MEMBER);
    assert_int_equal(
        read_payload(HEAD("commit") ",\"leaf\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
                     &fault),
        JWS_MEMBER);
    assert_string_equal(fault, "leaf");
}

static void expect_unsuitable(const statement_t *s)
{
    char out[4096];
    size_t len;
    assert_int_equal(statement_write(s, out, sizeof(out), &len), JWS_UNSUITABLE);
    assert_int_equal(len, 0);
}

static void test_writer_refuses(void **state)
{
    (void)state;
    static const uint8_t big[STATEMENT_CSR_MAX + 1];
    statement_t s = fixture_say(STATEMENT_HELLO);
    s.sn = jws_text("SN\"1");
    expect_unsuitable(&s);
    s = fixture_say(STATEMENT_HELLO);
    s.sn = jws_text(NULL);
    expect_unsuitable(&s);
    s = fixture_say(STATEMENT_HELLO);
    s.site = jws_text("00");
    expect_unsuitable(&s);
    s = fixture_say(STATEMENT_HELLO);
    s.firmware = jws_text("a\\b");
    expect_unsuitable(&s);
    s = fixture_say(STATEMENT_HELLO);
    s.days = STATEMENT_DAYS_MAX + 1;
    expect_unsuitable(&s);
    s = fixture_say(STATEMENT_HELLO);
    s.alg = JWS_HS256;
    expect_unsuitable(&s);
    s = fixture_say(STATEMENT_METHODS);
    expect_unsuitable(&s);
    s = fixture_say(STATEMENT_CLAIM);
    s.ticket = jws_text("a b");
    expect_unsuitable(&s);
    s = fixture_say(STATEMENT_CLAIM);
    s.csr.len = 0;
    expect_unsuitable(&s);
    s.csr.data = big;
    s.csr.len = sizeof(big);
    expect_unsuitable(&s);
    s = fixture_say(STATEMENT_COMMIT);
    s.leaf[31] ^= 1;
    expect_unsuitable(&s);
}

/* The largest that the members allow is over the limit of the kind, and is refused when written. */
static void test_too_large(void **state)
{
    (void)state;
    static const uint8_t big[STATEMENT_CSR_MAX];
    char out[8192];
    size_t len;
    static char ticket[JWS_TICKET_MAX];
    statement_t s = fixture_say(STATEMENT_CLAIM);
    memset(ticket, 'A', sizeof(ticket));
    s.ticket = (jws_text_t){ticket, sizeof(ticket)};
    s.alg = JWS_RS256;
    s.csr.data = big;
    s.csr.len = sizeof(big);
    assert_int_equal(statement_write(&s, out, sizeof(out), &len), JWS_TOO_LARGE);
    size_t fits = 0;
    for (s.csr.len = 1; s.csr.len <= sizeof(big); s.csr.len++) {
        if (statement_write(&s, out, sizeof(out), &len) == JWS_OK) {
            assert_in_range(len + 1 + 342, 1, JWS_STATEMENT_MAX);
            fits = s.csr.len;
        }
    }
    assert_in_range(fits, 800, STATEMENT_CSR_MAX - 1); /* an RSA-2048 request has 600 */
    print_message("RS256 claim with the longest ticket: request of %zu bytes at most\n", fits);
}

static void test_carrier_request(void **state)
{
    (void)state;
    static fixture_t f;
    char out[CARRIER_REQUEST_MAX + 1];
    size_t len, begun;
    statement_method_t method;
    jws_text_t inside;
    for (statement_method_t m = STATEMENT_HELLO; m < STATEMENT_METHODS; m++) {
        statement_t s = fixture_say(m);
        static const uint8_t sig[64];
        write(&f, &s);
        assert_int_equal(carrier_begin_request(m, out, sizeof(out), &begun), JWS_OK);
        assert_int_equal(statement_write(&s, out + begun, sizeof(out) - begun, &len), JWS_OK);
        assert_int_equal(jws_append(out + begun, sizeof(out) - begun, &len, sig, 64), JWS_OK);
        len += begun;
        assert_int_equal(carrier_end_request(out, sizeof(out), &len), JWS_OK);
        char want[4096];
        snprintf(want, sizeof(want), "{\"method\":\"cradle.%s\",\"params\":{\"s\":\"%s\"}}",
                 statement_method_name(m), f.text);
        assert_string_equal(out, want);
        assert_int_equal(carrier_read_request(out, len, &method, &inside), JWS_OK);
        assert_int_equal(method, m);
        assert_true(jws_text_equal(inside, jws_text(f.text)));
    }
    for (size_t cap = 0; cap < begun + 1; cap++) {
        assert_int_equal(carrier_begin_request(STATEMENT_BUNDLE, out, cap, &len), JWS_NO_ROOM);
    }
    assert_int_equal(carrier_begin_request(STATEMENT_METHODS, out, sizeof(out), &len),
                     JWS_UNSUITABLE);
    len = 10;
    assert_int_equal(carrier_end_request(out, 13, &len), JWS_NO_ROOM);
    assert_int_equal(carrier_end_request(out, 14, &len), JWS_OK);
}

static void test_carrier_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        jws_result_t want;
    } rows[] = {
        {"{\"requestId\":7,\"params\":{\"x\":1,\"s\":\"a.b.c\"},\"method\":\"cradle.hello\"}",
         JWS_OK},
        {"{\"method\":\"cradle.hello\",\"params\":{\"s\":\"a.b.c\",\"s\":\"d.e.f\"}}", JWS_TWICE},
        {"{\"method\":\"cradle.hello\",\"method\":\"cradle.claim\",\"params\":{\"s\":\"a.b.c\"}}",
         JWS_TWICE},
        {"{\"method\":\"hello\",\"params\":{\"s\":\"a.b.c\"}}", JWS_METHOD},
        {"{\"method\":\"cradle.\",\"params\":{\"s\":\"a.b.c\"}}", JWS_METHOD},
        {"{\"method\":\"cradle.hello2\",\"params\":{\"s\":\"a.b.c\"}}", JWS_METHOD},
        {"{\"method\":\"\",\"params\":{\"s\":\"a.b.c\"}}", JWS_METHOD},
        {"{\"method\":\"cradle.hello\",\"params\":null}", JWS_NOT_JSON},
        {"{\"method\":\"cradle.hello\",\"params\":{}}", JWS_MISSING},
        {"{\"method\":\"cradle.hello\",\"params\":{\"s\":1}}", JWS_MEMBER},
        {"{\"method\":\"cradle.hello\",\"params\":{\"s\":\"a b\"}}", JWS_MEMBER},
        {"{\"method\":\"cradle.hello\"}", JWS_MISSING},
        {"{\"params\":{\"s\":\"a.b.c\"}}", JWS_MISSING},
        {"[]", JWS_NOT_JSON},
        {"", JWS_NOT_JSON},
    };
    statement_method_t method;
    jws_text_t inside;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        jws_result_t got =
            carrier_read_request(rows[i].text, strlen(rows[i].text), &method, &inside);
        if (got != rows[i].want) {
            fail_msg("%s: %s", rows[i].text, jws_result_text(got));
        }
    }
    static char large[CARRIER_REQUEST_MAX + 1];
    assert_int_equal(carrier_read_request(large, sizeof(large), &method, &inside), JWS_TOO_LARGE);
}

static void test_question(void **state)
{
    (void)state;
    char a[QUESTION_TEXT_SIZE], b[QUESTION_TEXT_SIZE];
    uint8_t key[32] = {0};
    statement_t s = fixture_say(STATEMENT_CLAIM);
    question_name(&s, key, a);
    assert_string_equal(a, "claim:SN-000001:" FIXTURE_EP
                           ":AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    memset(s.nonce, 9, sizeof(s.nonce)); /* asked again, perhaps with another ticket and signer */
    memset(s.signer, 9, sizeof(s.signer));
    s.ticket = jws_text("x.y.z");
    question_name(&s, key, b);
    assert_string_equal(a, b);
    key[31] = 1;
    question_name(&s, key, b);
    assert_string_not_equal(a, b);
    key[31] = 0;
    s.epoch[0] ^= 1;
    question_name(&s, key, b);
    assert_string_not_equal(a, b);
    s = fixture_say(STATEMENT_RENEW);
    question_name(&s, key, b);
    assert_string_not_equal(a, b);
    s = fixture_say(STATEMENT_COMMIT);
    question_name(&s, NULL, b);
    assert_string_equal(b, "commit:SN-000001:" FIXTURE_EP ":" FIXTURE_LEAF);
    s = fixture_say(STATEMENT_HELLO); /* its leaf is a report, not a key */
    question_name(&s, NULL, b);
    assert_string_equal(b, "hello:SN-000001:" FIXTURE_EP
                           ":AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    s.sn = jws_text("12345678901234567890123456789012");
    s.method = STATEMENT_COMMIT;
    question_name(&s, NULL, b);
    assert_int_equal(strlen(b), QUESTION_TEXT_SIZE - 1);
    assert_string_equal(statement_method_name((statement_method_t)77), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_text),      cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_every_capacity),  cmocka_unit_test(test_missing_twice_unknown),
        cmocka_unit_test(test_bent_members),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_misplaced),       cmocka_unit_test(test_writer_refuses),
        cmocka_unit_test(test_too_large),       cmocka_unit_test(test_carrier_request),
        cmocka_unit_test(test_carrier_refuses), cmocka_unit_test(test_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

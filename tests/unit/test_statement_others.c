/* SPDX-License-Identifier: Apache-2.0 */
/* Answers, replies, bundles, tickets and receipts: exact texts, round trips, every member missing,
   doubled and bent. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "tests/unit/statement_fixture.h"

#define HEADER(kind)                                                                               \
    "{\"alg\":\"ES256\",\"typ\":\"cradle-" kind "+jwt\",\"kid\":\"" FIXTURE_KID "\"}"
#define HEAD(method, result)                                                                       \
    "{\"v\":1,\"m\":\"" method "\",\"sn\":\"SN-000001\",\"ep\":\"" FIXTURE_EP                      \
    "\",\"re\":\"" FIXTURE_N "\",\"iat\":1800000000,\"r\":\"" result "\""
#define LEAF  ",\"leaf\":\"" FIXTURE_LEAF "\""
#define CHAIN ",\"chain\":[\"AQIDBAU\",\"Bgc\"]"

static const char *const PAYLOADS[ANSWER_RESULTS] = {
    [ANSWER_STREAM] = HEAD("hello", "stream") ",\"ra\":30" LEAF ",\"bv\":8}",
    [ANSWER_HOLD] = HEAD("hello", "hold") ",\"ra\":30,\"bv\":8}",
    [ANSWER_CLAIM] = HEAD("hello", "claim") ",\"ra\":30,\"bv\":8}",
    [ANSWER_RENEW] = HEAD("hello", "renew") ",\"ra\":30" LEAF ",\"bv\":8}",
    [ANSWER_PENDING] = HEAD("hello", "pending") ",\"ra\":30,\"bv\":8}",
    [ANSWER_MINE] = HEAD("claim", "mine") "}",
    [ANSWER_GRANTED] = HEAD("claim", "granted") CHAIN "}",
    [ANSWER_HELD] = HEAD("claim", "held") ",\"ra\":30,\"why\":\"ticket-used\"}",
    [ANSWER_CHAIN_IS] = HEAD("renew", "chain") CHAIN "}",
    [ANSWER_DONE] = HEAD("commit", "done") "}",
    [ANSWER_BUNDLE] = HEAD("bundle", "bundle") ",\"bv\":8}",
    [ANSWER_REFUSED] = HEAD("renew", "refused") ",\"ra\":30,\"why\":\"ticket-used\"}",
};

static void sign(fixture_t *f, size_t size)
{
    static const uint8_t sig[64];
    assert_int_equal(jws_append(f->text, sizeof(f->text), &f->len, sig, size), JWS_OK);
}

static void write_answer(fixture_t *f, const answer_t *a)
{
    memset(f, 0, sizeof(*f));
    assert_int_equal(answer_write(a, f->text, sizeof(f->text), &f->len), JWS_OK);
    sign(f, 64);
}

static void test_answer_text(void **state)
{
    (void)state;
    static fixture_t f;
    for (answer_result_t r = ANSWER_STREAM; r < ANSWER_RESULTS; r++) {
        answer_t a = fixture_reply(r), got;
        write_answer(&f, &a);
        assert_string_equal(fixture_header(&f), HEADER("answer"));
        assert_string_equal(fixture_payload(&f), PAYLOADS[r]);
        assert_int_equal(fixture_answer(&f, &got), JWS_OK);
        assert_string_equal(got.kid, FIXTURE_KID);
        assert_int_equal(got.method, a.method);
        assert_true(jws_text_equal(got.sn, a.sn));
        assert_memory_equal(got.epoch, a.epoch, 16);
        assert_memory_equal(got.nonce, a.nonce, 16);
        assert_int_equal(got.issued, a.issued);
        assert_int_equal(got.result, r);
        const char *text = PAYLOADS[r];
        assert_int_equal(got.retry_after, strstr(text, "\"ra\"") != NULL ? 30 : 0);
        assert_int_equal(got.bundle, strstr(text, "\"bv\"") != NULL ? 8 : 0);
        assert_int_equal(got.leaf[0], strstr(text, "\"leaf\"") != NULL ? 0x80 : 0);
        assert_int_equal(got.reason,
                         strstr(text, "\"why\"") != NULL ? ANSWER_TICKET_USED : ANSWER_NO_REASON);
        bool chain = strstr(text, "chain\":[") != NULL;
        assert_int_equal(got.chain[0].len, chain ? 5 : 0);
        assert_int_equal(got.chain[1].len, chain ? 2 : 0);
        if (chain) {
            assert_memory_equal(got.chain[0].data, "\1\2\3\4\5", 5);
            assert_memory_equal(got.chain[1].data, "\6\7", 2);
        }
        /* As on a device: in the buffer that it came in. */
        assert_int_equal(jws_open(JWS_ANSWER, f.text, f.len, &f.jws), JWS_OK);
        assert_int_equal(answer_read(&f.jws, f.text, f.len, &got), JWS_OK);
        assert_int_equal(got.result, r);
    }
    answer_t a = fixture_reply(ANSWER_HOLD), got;
    a.bundle = 0;
    write_answer(&f, &a);
    assert_null(strstr(fixture_payload(&f), "bv"));
    assert_int_equal(fixture_answer(&f, &got), JWS_OK);
    assert_int_equal(got.bundle, 0);
}

static jws_result_t read_answer(const char *payload, const char **fault, answer_t *got)
{
    static fixture_t f;
    fixture_make(&f, HEADER("answer"), payload, 64);
    jws_result_t result = fixture_answer(&f, got);
    *fault = f.jws.fault;
    return result;
}

static void test_answer_members(void **state)
{
    (void)state;
    static const char *const values[] = {
        "null",       "false",          "{}", "[]", "[\"AQ\"]",      "1.5",
        "\"\"",       "\"=\"",          "-1", "0",  "[\"AQ\",\"\"]", "[\"AQ\",\"AQ\",\"AQ\"]",
        "[\"AQ\",1]", "[\"AQ\",\"AR\"]"};
    char varied[2048], name[32];
    const char *fault;
    answer_t got;
    for (answer_result_t r = ANSWER_STREAM; r < ANSWER_RESULTS; r++) {
        for (size_t i = 0;
             fixture_vary(PAYLOADS[r], i, FIXTURE_DROP, NULL, varied, sizeof(varied), name); i++) {
            bool optional = strcmp(name, "bv") == 0 && r <= ANSWER_PENDING;
            assert_int_equal(read_answer(varied, &fault, &got), optional ? JWS_OK : JWS_MISSING);
            fixture_vary(PAYLOADS[r], i, FIXTURE_TWICE, NULL, varied, sizeof(varied), name);
            assert_int_equal(read_answer(varied, &fault, &got), JWS_TWICE);
            assert_string_equal(fault, name);
            for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
                fixture_vary(PAYLOADS[r], i, FIXTURE_CHANGE, values[v], varied, sizeof(varied),
                             name);
                jws_result_t result = read_answer(varied, &fault, &got);
                bool m = strcmp(name, "m") == 0 && result == JWS_METHOD;
                bool w = strcmp(name, "r") == 0 && result == JWS_RESULT;
                bool n = strcmp(name, "v") == 0 && result == JWS_VERSION;
                if (result != JWS_MEMBER && !m && !w && !n) {
                    fail_msg("%s = %s: %s", name, values[v], jws_result_text(result));
                }
            }
        }
    }
}

/* A result belongs to its method: all pairs. */
static void test_answer_pairs(void **state)
{
    (void)state;
    char payload[2048];
    const char *fault;
    answer_t got;
    for (answer_result_t r = ANSWER_STREAM; r < ANSWER_RESULTS; r++) {
        for (statement_method_t m = STATEMENT_HELLO; m < STATEMENT_METHODS; m++) {
            answer_t a = fixture_reply(r);
            bool fits = a.method == m || r == ANSWER_REFUSED;
            const char *rest = strstr(PAYLOADS[r], ",\"sn\"");
            snprintf(payload, sizeof(payload), "{\"v\":1,\"m\":\"%s\"%s", statement_method_name(m),
                     rest);
            assert_int_equal(read_answer(payload, &fault, &got), fits ? JWS_OK : JWS_RESULT);
            a.method = m;
            char out[1024];
            size_t len;
            assert_int_equal(answer_write(&a, out, sizeof(out), &len),
                             fits ? JWS_OK : JWS_UNSUITABLE);
        }
    }
    assert_int_equal(read_answer(HEAD("hello", "Stream") ",\"ra\":30}", &fault, &got), JWS_RESULT);
    assert_int_equal(read_answer(HEAD("hello", "hold") ",\"ra\":2592001}", &fault, &got),
                     JWS_MEMBER);
    assert_int_equal(read_answer(HEAD("hello", "hold") ",\"ra\":2592000}", &fault, &got), JWS_OK);
    assert_int_equal(read_answer(HEAD("claim", "mine") ",\"ra\":1}", &fault, &got), JWS_MISPLACED);
    assert_int_equal(read_answer(HEAD("hello", "hold") ",\"ra\":1" LEAF "}", &fault, &got),
                     JWS_MISPLACED);
}

static void test_reasons(void **state)
{
    (void)state;
    const char *fault;
    answer_t got;
    char payload[1024];
    for (answer_reason_t r = ANSWER_STALE; r < ANSWER_REASONS; r++) {
        snprintf(payload, sizeof(payload), HEAD("claim", "refused") ",\"ra\":1,\"why\":\"%s\"}",
                 answer_reason_name(r));
        assert_int_equal(read_answer(payload, &fault, &got), JWS_OK);
        assert_int_equal(got.reason, r);
        assert_in_range(strlen(answer_reason_text(r)), 10, 160);
        for (answer_reason_t b = r + 1; b < ANSWER_REASONS; b++) {
            assert_string_not_equal(answer_reason_name(r), answer_reason_name(b));
            assert_string_not_equal(answer_reason_text(r), answer_reason_text(b));
        }
    }
    /* A newer steward may know more words. */
    assert_int_equal(
        read_answer(HEAD("claim", "refused") ",\"ra\":1,\"why\":\"moon-phase\"}", &fault, &got),
        JWS_OK);
    assert_int_equal(got.reason, ANSWER_OTHER);
    assert_int_equal(answer_reason_do(ANSWER_OTHER), ANSWER_DO_WAIT);
    assert_int_equal(answer_reason_do(ANSWER_STALE), ANSWER_DO_NEW_EPOCH);
    assert_int_equal(answer_reason_do(ANSWER_TICKET_EPOCH), ANSWER_DO_DROP_TICKET);
    assert_int_equal(answer_reason_do(ANSWER_NOT_GRANTED), ANSWER_DO_DROP_PENDING);
    assert_int_equal(answer_reason_do(ANSWER_DENIED), ANSWER_DO_OTHER_KEY);
    assert_int_equal(answer_reason_do((answer_reason_t)99), ANSWER_DO_WAIT);
    assert_string_equal(answer_reason_name((answer_reason_t)99), "?");
    assert_string_equal(answer_result_name((answer_result_t)99), "?");
    answer_t a = fixture_reply(ANSWER_REFUSED);
    char out[1024];
    size_t len;
    a.reason = ANSWER_NO_REASON;
    assert_int_equal(answer_write(&a, out, sizeof(out), &len), JWS_UNSUITABLE);
    a = fixture_reply(ANSWER_HOLD);
    a.retry_after = 0;
    assert_int_equal(answer_write(&a, out, sizeof(out), &len), JWS_UNSUITABLE);
    a = fixture_reply(ANSWER_GRANTED);
    a.chain[1].len = 0;
    assert_int_equal(answer_write(&a, out, sizeof(out), &len), JWS_UNSUITABLE);
    a = fixture_reply(ANSWER_GRANTED);
    strcpy(a.kid, "0123456789ABCDEF");
    assert_int_equal(answer_write(&a, out, sizeof(out), &len), JWS_UNSUITABLE);
}

static void test_answer_check(void **state)
{
    (void)state;
    statement_t q = fixture_say(STATEMENT_RENEW);
    answer_t a = fixture_reply(ANSWER_CHAIN_IS);
    assert_int_equal(answer_check(&a, &q), ANSWER_OURS);
    a.nonce[15] ^= 1;
    assert_int_equal(answer_check(&a, &q), ANSWER_WRONG_QUESTION);
    a.method = STATEMENT_CLAIM;
    assert_int_equal(answer_check(&a, &q), ANSWER_WRONG_METHOD);
    a.epoch[15] ^= 1;
    assert_int_equal(answer_check(&a, &q), ANSWER_WRONG_EPOCH);
    a.sn = jws_text("SN-000002");
    assert_int_equal(answer_check(&a, &q), ANSWER_WRONG_SN);
}

static void test_reply(void **state)
{
    (void)state;
    static char out[CARRIER_REPLY_MAX + 64];
    static char large[JWS_ANSWER_MAX_RSA + 2];
    size_t len;
    jws_text_t answer, bundle;
    assert_int_equal(carrier_write_reply(jws_text("a.b.c"), jws_text(""), out, sizeof(out), &len),
                     JWS_OK);
    assert_string_equal(out, "{\"a\":\"a.b.c\"}");
    assert_int_equal(carrier_read_reply(out, len, &answer, &bundle), JWS_OK);
    assert_true(jws_text_equal(answer, jws_text("a.b.c")));
    assert_int_equal(bundle.len, 0);
    assert_int_equal(
        carrier_write_reply(jws_text("a.b.c"), jws_text("d.e.f"), out, sizeof(out), &len), JWS_OK);
    assert_string_equal(out, "{\"a\":\"a.b.c\",\"b\":\"d.e.f\"}");
    assert_int_equal(carrier_read_reply(out, len, &answer, &bundle), JWS_OK);
    assert_true(jws_text_equal(bundle, jws_text("d.e.f")));
    for (size_t cap = 0; cap <= len; cap++) {
        size_t n;
        assert_int_equal(carrier_write_reply(jws_text("a.b.c"), jws_text("d.e.f"), out, cap, &n),
                         JWS_NO_ROOM);
    }
    assert_int_equal(carrier_write_reply(jws_text("a\"b"), jws_text(""), out, sizeof(out), &len),
                     JWS_UNSUITABLE);
    assert_int_equal(carrier_write_reply(jws_text(""), jws_text(""), out, sizeof(out), &len),
                     JWS_UNSUITABLE);
    memset(large, 'A', sizeof(large) - 1);
    jws_text_t big = {large, JWS_ANSWER_MAX_RSA};
    assert_int_equal(carrier_write_reply(big, jws_text(""), out, sizeof(out), &len), JWS_OK);
    assert_int_equal(carrier_read_reply(out, len, &answer, &bundle), JWS_OK);
    assert_int_equal(carrier_write_reply(big, jws_text("d.e.f"), out, sizeof(out), &len),
                     JWS_TOO_LARGE);

    static const struct {
        const char *text;
        jws_result_t want;
    } rows[] = {
        {"{\"error\":\"timeout\"}", JWS_MISSING}, /* ThingsBoard's own                  */
        {"{\"method\":\"cradle.hello\",\"params\":{\"s\":\"a.b.c\"}}", JWS_MISSING}, /* an echo */
        {"{}", JWS_MISSING},
        {"null", JWS_NOT_JSON},
        {"", JWS_NOT_JSON},
        {"\"a.b.c\"", JWS_NOT_JSON},
        {"{\"a\":null}", JWS_MEMBER},
        {"{\"a\":\"\"}", JWS_MEMBER},
        {"{\"a\":\"a.b.c\",\"a\":\"a.b.c\"}", JWS_TWICE},
        {"{\"b\":\"a.b.c\"}", JWS_MISSING},
        {"{\"a\":\"a.b.c\",\"b\":7}", JWS_MEMBER},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        jws_result_t got = carrier_read_reply(rows[i].text, strlen(rows[i].text), &answer, &bundle);
        assert_int_equal(got, rows[i].want);
    }
    assert_int_equal(carrier_read_reply(out, CARRIER_REPLY_MAX + 1, &answer, &bundle),
                     JWS_TOO_LARGE);
}

/* -- bundle ---------------------------------------------------------------------------------- */

static bundle_t sample_bundle(void)
{
    static const uint8_t roots[] = {1, 2, 3, 4, 5};
    bundle_t b;
    memset(&b, 0, sizeof(b));
    strcpy(b.kid, "aaaaaaaaaaaaaaaa");
    b.site = jws_text(FIXTURE_SITE);
    b.version = 8;
    b.issued = 1800000000;
    b.anchors[0].data = roots;
    b.anchors[0].len = 2;
    b.anchors[1].data = roots + 2;
    b.anchors[1].len = 3;
    b.anchor_count = 2;
    strcpy(b.steward_kid, FIXTURE_KID);
    b.steward = fixture_spki(1);
    strcpy(b.bench_kid, "bbbbbbbbbbbbbbbb");
    b.bench = fixture_spki(2);
    return b;
}

static void write_bundle(fixture_t *f, const bundle_t *b)
{
    memset(f, 0, sizeof(*f));
    assert_int_equal(bundle_write(b, f->text, sizeof(f->text), &f->len), JWS_OK);
    sign(f, 64);
}

static void test_bundle(void **state)
{
    (void)state;
    static fixture_t f;
    bundle_t b = sample_bundle(), got;
    write_bundle(&f, &b);
    assert_string_equal(
        fixture_header(&f),
        "{\"alg\":\"ES256\",\"typ\":\"cradle-bundle+jwt\",\"kid\":\"aaaaaaaaaaaaaaaa\"}");
    assert_non_null(strstr(fixture_payload(&f),
                           "{\"v\":1,\"aud\":\"" FIXTURE_SITE
                           "\",\"bv\":8,\"iat\":1800000000,\"anchors\":[\"AQI\",\"AwQF\"],"
                           "\"sid\":\"" FIXTURE_KID "\",\"sk\":\"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD"
                           "QgAEAQEB"));
    assert_int_equal(fixture_bundle(&f, &got), JWS_OK);
    assert_string_equal(got.kid, b.kid);
    assert_true(jws_text_equal(got.site, b.site));
    assert_int_equal(got.version, 8);
    assert_int_equal(got.issued, b.issued);
    assert_int_equal(got.anchor_count, 2);
    assert_memory_equal(got.anchors[0].data, "\1\2", 2);
    assert_memory_equal(got.anchors[1].data, "\3\4\5", 3);
    assert_int_equal(got.anchors[2].len, 0);

    jws_bytes_t key;
    assert_int_equal(bundle_find_key(&got, FIXTURE_KID, &key), BUNDLE_STEWARD);
    assert_memory_equal(key.data, fixture_spki(1).data, BUNDLE_SPKI_SIZE);
    assert_int_equal(bundle_find_key(&got, "bbbbbbbbbbbbbbbb", &key), BUNDLE_BENCH);
    assert_memory_equal(key.data, fixture_spki(2).data, BUNDLE_SPKI_SIZE);
    assert_int_equal(bundle_find_key(&got, "bbbbbbbbbbbbbbbb", NULL), BUNDLE_BENCH);
    assert_int_equal(bundle_find_key(&got, "cccccccccccccccc", &key), BUNDLE_NOBODY);
    assert_int_equal(bundle_find_key(&got, "", &key), BUNDLE_NOBODY);

    b.bench.len = 0;
    b.bench_kid[0] = '\0';
    write_bundle(&f, &b);
    assert_int_equal(fixture_bundle(&f, &got), JWS_OK);
    assert_int_equal(got.bench.len, 0);
    assert_int_equal(bundle_find_key(&got, "", &key), BUNDLE_NOBODY);
}

static void test_bundle_members(void **state)
{
    (void)state;
    static fixture_t f;
    char varied[4096], name[32], payload[4096];
    bundle_t b = sample_bundle(), got;
    write_bundle(&f, &b);
    strcpy(payload, fixture_payload(&f));
    for (size_t i = 0; fixture_vary(payload, i, FIXTURE_DROP, NULL, varied, sizeof(varied), name);
         i++) {
        fixture_make(&f, HEADER("bundle"), varied, 64);
        assert_int_equal(fixture_bundle(&f, &got), JWS_MISSING);
        fixture_vary(payload, i, FIXTURE_TWICE, NULL, varied, sizeof(varied), name);
        fixture_make(&f, HEADER("bundle"), varied, 64);
        assert_int_equal(fixture_bundle(&f, &got), JWS_TWICE);
        fixture_vary(payload, i, FIXTURE_CHANGE, "\"MAMC\"", varied, sizeof(varied), name);
        fixture_make(&f, HEADER("bundle"), varied, 64);
        assert_int_equal(fixture_bundle(&f, &got), JWS_MEMBER);
        assert_string_equal(f.jws.fault, name);
    }
    /* A point with another prefix, a bench key that is the steward's, four anchors, version 0. */
    static uint8_t other[BUNDLE_SPKI_SIZE];
    size_t len;
    memcpy(other, b.steward.data, sizeof(other));
    other[26] = 0x02;
    b.steward.data = other;
    assert_int_equal(bundle_write(&b, f.text, sizeof(f.text), &len), JWS_UNSUITABLE);
    b = sample_bundle();
    b.bench = b.steward;
    assert_int_equal(bundle_write(&b, f.text, sizeof(f.text), &len), JWS_UNSUITABLE);
    b = sample_bundle();
    strcpy(b.bench_kid, b.steward_kid);
    assert_int_equal(bundle_write(&b, f.text, sizeof(f.text), &len), JWS_UNSUITABLE);
    b = sample_bundle();
    b.anchor_count = 0;
    assert_int_equal(bundle_write(&b, f.text, sizeof(f.text), &len), JWS_UNSUITABLE);
    b = sample_bundle();
    b.version = 0;
    assert_int_equal(bundle_write(&b, f.text, sizeof(f.text), &len), JWS_UNSUITABLE);
}

static void test_bundle_rules(void **state)
{
    (void)state;
    bundle_t b = sample_bundle();
    assert_true(bundle_replaces(&b, jws_text(FIXTURE_SITE), 0));
    assert_true(bundle_replaces(&b, jws_text(FIXTURE_SITE), 7));
    assert_false(bundle_replaces(&b, jws_text(FIXTURE_SITE), 8));
    assert_false(bundle_replaces(&b, jws_text(FIXTURE_SITE), 9));
    assert_false(bundle_replaces(&b, jws_text("ffeeddccbbaa99887766554433221100"), 0));
    for (answer_result_t r = ANSWER_STREAM; r < ANSWER_RESULTS; r++) {
        answer_t a = fixture_reply(r);
        for (int shipped = 0; shipped < 2; shipped++) {
            assert_true(bundle_may_answer(BUNDLE_STEWARD, &a, shipped != 0));
            assert_false(bundle_may_answer(BUNDLE_NOBODY, &a, shipped != 0));
            assert_int_equal(bundle_may_answer(BUNDLE_BENCH, &a, shipped != 0),
                             r == ANSWER_STREAM && shipped == 0);
        }
    }
}

/* -- ticket ---------------------------------------------------------------------------------- */

static ticket_t sample_ticket(void)
{
    ticket_t t;
    memset(&t, 0, sizeof(t));
    t.owner = jws_text("alice");
    t.expires = 1800086400;
    for (uint8_t i = 0; i < 16; i++) {
        t.id[i] = (uint8_t)(0x20 + i);
        t.binding[i] = (uint8_t)(0x10 + i);
    }
    return t;
}

#define TICKET                                                                                     \
    "{\"sub\":\"alice\",\"exp\":1800086400,\"jti\":\"" FIXTURE_N "\",\"h\":\"" FIXTURE_EP "\"}"

static void test_ticket(void **state)
{
    (void)state;
    static fixture_t f;
    ticket_t t = sample_ticket(), got;
    assert_int_equal(ticket_write(&t, f.text, sizeof(f.text), &f.len), JWS_OK);
    sign(&f, 32);
    assert_string_equal(fixture_header(&f), "{\"alg\":\"HS256\"}");
    assert_string_equal(fixture_payload(&f), TICKET);
    assert_int_equal(fixture_ticket(&f, &got), JWS_OK);
    assert_true(jws_text_equal(got.owner, t.owner));
    assert_int_equal(got.expires, t.expires);
    assert_memory_equal(got.id, t.id, 16);
    assert_memory_equal(got.binding, t.binding, 16);

    /* The longest account and the latest time still fit. */
    t.owner = jws_text("0123456789abcdef0123456789abcdef");
    t.expires = UINT32_MAX;
    assert_int_equal(ticket_write(&t, f.text, sizeof(f.text), &f.len), JWS_OK);
    sign(&f, 32);
    assert_in_range(f.len, 200, JWS_TICKET_MAX);
    assert_int_equal(fixture_ticket(&f, &got), JWS_OK);
    print_message("ticket: %zu bytes at most, of %d\n", f.len, JWS_TICKET_MAX);

    char varied[512], name[32];
    for (size_t i = 0; fixture_vary(TICKET, i, FIXTURE_DROP, NULL, varied, sizeof(varied), name);
         i++) {
        fixture_make(&f, "{\"alg\":\"HS256\"}", varied, 32);
        assert_int_equal(fixture_ticket(&f, &got), JWS_MISSING);
        fixture_vary(TICKET, i, FIXTURE_CHANGE, "\"a b\"", varied, sizeof(varied), name);
        fixture_make(&f, "{\"alg\":\"HS256\"}", varied, 32);
        assert_int_equal(fixture_ticket(&f, &got), JWS_MEMBER);
    }
    t = sample_ticket();
    size_t len;
    t.owner = jws_text("a b");
    assert_int_equal(ticket_write(&t, f.text, sizeof(f.text), &len), JWS_UNSUITABLE);
    t.owner = jws_text("0123456789abcdef0123456789abcdef0");
    assert_int_equal(ticket_write(&t, f.text, sizeof(f.text), &len), JWS_UNSUITABLE);
}

static void test_ticket_binding(void **state)
{
    (void)state;
    uint8_t out[TICKET_BINDING_INPUT_MAX];
    char hex[2 * TICKET_BINDING_INPUT_MAX + 1];
    size_t len;
    statement_t s = fixture_say(STATEMENT_HELLO);
    assert_int_equal(ticket_binding_input(s.site, s.sn, s.epoch, out, &len), JWS_OK);
    assert_true(bytes_to_hex(out, len, hex, sizeof(hex)));
    assert_string_equal(hex, "637261646c652d7469636b6574"
                             "00"
                             "3030313132323333343435353636373738383939616162626363646465656666"
                             "00"
                             "534e2d303030303031"
                             "00"
                             "101112131415161718191a1b1c1d1e1f");
    s.sn = jws_text("12345678901234567890123456789012");
    assert_int_equal(ticket_binding_input(s.site, s.sn, s.epoch, out, &len), JWS_OK);
    assert_int_equal(len, TICKET_BINDING_INPUT_MAX);
    s.sn = jws_text("123456789012345678901234567890123");
    assert_int_equal(ticket_binding_input(s.site, s.sn, s.epoch, out, &len), JWS_UNSUITABLE);
}

/* -- receipt --------------------------------------------------------------------------------- */

static receipt_t sample_receipt(void)
{
    receipt_t r;
    memset(&r, 0, sizeof(r));
    strcpy(r.kid, FIXTURE_KID);
    r.site = jws_text(FIXTURE_SITE);
    r.sn = jws_text("SN-000001");
    memcpy(r.id, sample_ticket().id, 16);
    r.issued = 1800000000;
    r.authority = RECEIPT_BY_CLAIM;
    r.lines[0] = (receipt_line_t){RECEIPT_SERIES, RECEIPT_ERASED, 12, RECEIPT_NO_REASON};
    r.lines[1] = (receipt_line_t){RECEIPT_RPCS, RECEIPT_REQUESTED, 0, RECEIPT_NO_REASON};
    r.lines[2] = (receipt_line_t){RECEIPT_AUDIT, RECEIPT_RETAINED, -1, RECEIPT_BY_SERVER};
    r.line_count = 3;
    return r;
}

#define RECEIPT(items)                                                                             \
    "{\"v\":1,\"iss\":\"" FIXTURE_SITE "\",\"sn\":\"SN-000001\",\"jti\":\"" FIXTURE_N              \
    "\",\"iat\":1800000000,\"by\":\"claim\",\"items\":" items "}"
#define LINES                                                                                      \
    "[[\"series\",\"erased\",12],[\"rpcs\",\"requested\",0],"                                      \
    "[\"audit-log\",\"retained\",null,\"server-retention\"]]"

static void test_receipt(void **state)
{
    (void)state;
    static fixture_t f;
    receipt_t r = sample_receipt(), got;
    assert_int_equal(receipt_write(&r, f.text, sizeof(f.text), &f.len), JWS_OK);
    sign(&f, 64);
    assert_string_equal(fixture_header(&f), HEADER("receipt"));
    assert_string_equal(fixture_payload(&f), RECEIPT(LINES));
    assert_int_equal(fixture_receipt(&f, &got), JWS_OK);
    assert_int_equal(got.line_count, 3);
    assert_memory_equal(got.lines, r.lines, 3 * sizeof(r.lines[0]));
    assert_int_equal(got.authority, r.authority);
    assert_memory_equal(got.id, r.id, 16);
    assert_int_equal(got.issued, r.issued);

    /* Everything at once fits. */
    r.line_count = RECEIPT_ITEMS;
    for (int i = 0; i < RECEIPT_ITEMS; i++) {
        r.lines[i] =
            (receipt_line_t){(receipt_item_t)i, RECEIPT_RETAINED, INT64_MAX, RECEIPT_BY_SERVER};
    }
    assert_int_equal(receipt_write(&r, f.text, sizeof(f.text), &f.len), JWS_OK);
    sign(&f, 64);
    assert_int_equal(fixture_receipt(&f, &got), JWS_OK);
    assert_int_equal(got.line_count, RECEIPT_ITEMS);
    print_message("receipt: %zu bytes at most, of %d\n", f.len, JWS_RECEIPT_MAX);
}

static void test_receipt_refuses(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        RECEIPT("[]"),
        RECEIPT("{}"),
        RECEIPT("null"),
        RECEIPT("[\"series\"]"),
        RECEIPT("[[]]"),
        RECEIPT("[[\"series\"]]"),
        RECEIPT("[[\"series\",\"erased\"]]"),
        RECEIPT("[[\"series\",\"erased\",-1]]"),
        RECEIPT("[[\"series\",\"erased\",1.0]]"),
        RECEIPT("[[\"series\",\"erased\",1,\"server-retention\"]]"),
        RECEIPT("[[\"series\",\"retained\",1]]"),
        RECEIPT("[[\"series\",\"retained\",1,\"?\"]]"),
        RECEIPT("[[\"series\",\"retained\",1,\"because\"]]"),
        RECEIPT("[[\"series\",\"lost\",1]]"),
        RECEIPT("[[\"everything\",\"erased\",1]]"),
        RECEIPT("[[\"series\",\"erased\",1],[\"series\",\"erased\",1]]"),
        RECEIPT("[[\"series\",\"erased\",1],2]"),
    };
    static fixture_t f;
    receipt_t got;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        fixture_make(&f, HEADER("receipt"), wrong[i], 64);
        assert_int_equal(fixture_receipt(&f, &got), JWS_MEMBER);
        assert_string_equal(f.jws.fault, "items");
    }
    char varied[1024], name[32];
    for (size_t i = 0;
         fixture_vary(RECEIPT(LINES), i, FIXTURE_DROP, NULL, varied, sizeof(varied), name); i++) {
        fixture_make(&f, HEADER("receipt"), varied, 64);
        assert_int_equal(fixture_receipt(&f, &got), JWS_MISSING);
        fixture_vary(RECEIPT(LINES), i, FIXTURE_CHANGE, "\"?\"", varied, sizeof(varied), name);
        fixture_make(&f, HEADER("receipt"), varied, 64);
        assert_int_equal(fixture_receipt(&f, &got), JWS_MEMBER);
    }
    size_t len;
    receipt_t r = sample_receipt();
    r.lines[1].item = RECEIPT_SERIES;
    assert_int_equal(receipt_write(&r, f.text, sizeof(f.text), &len), JWS_UNSUITABLE);
    r = sample_receipt();
    r.lines[0].reason = RECEIPT_BY_SERVER;
    assert_int_equal(receipt_write(&r, f.text, sizeof(f.text), &len), JWS_UNSUITABLE);
    r = sample_receipt();
    r.line_count = 0;
    assert_int_equal(receipt_write(&r, f.text, sizeof(f.text), &len), JWS_UNSUITABLE);
    r.line_count = RECEIPT_ITEMS + 1;
    assert_int_equal(receipt_write(&r, f.text, sizeof(f.text), &len), JWS_UNSUITABLE);
    r = sample_receipt();
    r.authority = RECEIPT_AUTHORITIES;
    assert_int_equal(receipt_write(&r, f.text, sizeof(f.text), &len), JWS_UNSUITABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer_text),     cmocka_unit_test(test_answer_members),
        cmocka_unit_test(test_answer_pairs),    cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_answer_check),    cmocka_unit_test(test_reply),
        cmocka_unit_test(test_bundle),          cmocka_unit_test(test_bundle_members),
        cmocka_unit_test(test_bundle_rules),    cmocka_unit_test(test_ticket),
        cmocka_unit_test(test_ticket_binding),  cmocka_unit_test(test_receipt),
        cmocka_unit_test(test_receipt_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

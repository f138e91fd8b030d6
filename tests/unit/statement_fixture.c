/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "json/json.h"
#include "tests/unit/statement_fixture.h"

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void add_part(fixture_t *f, const char *json)
{
    size_t room = sizeof(f->text) - f->len;
    bool good = bytes_to_base64url(json, strlen(json), f->text + f->len, room);
    require(good);
    f->len += strlen(f->text + f->len);
    f->text[f->len++] = '.';
}

void fixture_make(fixture_t *f, const char *header, const char *payload, size_t sig_len)
{
    uint8_t sig[1024];
    memset(f, 0, sizeof(*f));
    memset(sig, 0x5a, sizeof(sig));
    add_part(f, header);
    add_part(f, payload);
    f->len--; /* jws_append writes the dot */
    jws_result_t result = jws_append(f->text, sizeof(f->text), &f->len, sig, sig_len);
    require(result == JWS_OK);
}

static const char *decode_part(const char *text, const char *end)
{
    static char out[2][8192];
    static int turn;
    size_t len;
    char *place = out[turn ^= 1];
    bool good = bytes_from_base64url(text, (size_t)(end - text), place, sizeof(out[0]) - 1, &len);
    require(good);
    place[len] = '\0';
    return place;
}

const char *fixture_payload(const fixture_t *f)
{
    const char *first = strchr(f->text, '.') + 1;
    return decode_part(first, first + strcspn(first, "."));
}

const char *fixture_header(const fixture_t *f)
{
    return decode_part(f->text, strchr(f->text, '.'));
}

bool fixture_vary(const char *payload, size_t index, fixture_change_t change, const char *value,
                  char *out, size_t cap, char name[32])
{
    json_reader_t reader;
    json_token_t key, token, whole;
    json_writer_t writer;
    size_t i = 0;
    bool found = false;
    json_reader_init(&reader, payload, strlen(payload));
    json_writer_init(&writer, out, cap);
    json_next(&reader, &key);
    json_object(&writer);
    for (; json_next(&reader, &key) == JSON_KEY; i++) {
        json_next(&reader, &token);
        json_skip(&reader, &token, &whole);
        /* A string token is without its quotes. */
        size_t quote = whole.type == JSON_STRING;
        for (int n = i != index || change == FIXTURE_CHANGE ? 1
                     : change == FIXTURE_TWICE              ? 2
                                                            : 0;
             n > 0; n--) {
            json_key_n(&writer, key.text, key.len);
            if (i == index && change == FIXTURE_CHANGE) {
                json_put_raw(&writer, value, strlen(value));
            } else {
                json_put_raw(&writer, whole.text - quote, whole.len + 2 * quote);
            }
        }
        if (i == index) {
            found = true;
            snprintf(name, 32, "%.*s", (int)key.len, key.text);
        }
    }
    json_end(&writer);
    bool done = json_writer_done(&writer, NULL);
    require(done);
    return found;
}

#define FIXTURE_READER(name, kind, type, reader)                                                   \
    jws_result_t name(fixture_t *f, type *out)                                                     \
    {                                                                                              \
        jws_result_t result = jws_open(kind, f->text, f->len, &f->jws);                            \
        return result != JWS_OK ? result : reader(&f->jws, f->scratch, sizeof(f->scratch), out);   \
    }

FIXTURE_READER(fixture_statement, JWS_STATEMENT, statement_t, statement_read)
FIXTURE_READER(fixture_answer, JWS_ANSWER, answer_t, answer_read)
FIXTURE_READER(fixture_ticket, JWS_TICKET, ticket_t, ticket_read)
FIXTURE_READER(fixture_bundle, JWS_BUNDLE, bundle_t, bundle_read)
FIXTURE_READER(fixture_receipt, JWS_RECEIPT, receipt_t, receipt_read)

static void count_up(uint8_t *out, size_t len, uint8_t from)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(from + i);
    }
}

statement_t fixture_say(statement_method_t method)
{
    static const uint8_t csr[] = {0x30, 0x03, 0x02, 0x01, 0x00};
    statement_t s;
    memset(&s, 0, sizeof(s));
    s.alg = JWS_ES256;
    s.method = method;
    s.site = jws_text(FIXTURE_SITE);
    s.sn = jws_text("SN-000001");
    count_up(s.signer, sizeof(s.signer), 0x80);
    count_up(s.leaf, sizeof(s.leaf), 0x80);
    count_up(s.epoch, sizeof(s.epoch), 0x10);
    count_up(s.nonce, sizeof(s.nonce), 0x20);
    s.days = 1095;
    s.firmware = jws_text("cradle-linux 1.0.0");
    s.bundle = 7;
    s.ticket = jws_text("aGVhZA.Ym9keQ.dGFn");
    s.csr.data = csr;
    s.csr.len = sizeof(csr);
    return s;
}

answer_t fixture_reply(answer_result_t result)
{
    static const statement_method_t methods[ANSWER_RESULTS] = {
        [ANSWER_MINE] = STATEMENT_CLAIM,    [ANSWER_GRANTED] = STATEMENT_CLAIM,
        [ANSWER_HELD] = STATEMENT_CLAIM,    [ANSWER_CHAIN_IS] = STATEMENT_RENEW,
        [ANSWER_DONE] = STATEMENT_COMMIT,   [ANSWER_BUNDLE] = STATEMENT_BUNDLE,
        [ANSWER_REFUSED] = STATEMENT_RENEW,
    };
    static const uint8_t leaf[] = {1, 2, 3, 4, 5}, ca[] = {6, 7};
    statement_t question = fixture_say(methods[result]);
    answer_t a;
    memset(&a, 0, sizeof(a));
    strcpy(a.kid, FIXTURE_KID);
    a.method = question.method;
    a.sn = question.sn;
    memcpy(a.epoch, question.epoch, sizeof(a.epoch));
    memcpy(a.nonce, question.nonce, sizeof(a.nonce));
    memcpy(a.leaf, question.leaf, sizeof(a.leaf));
    a.issued = 1800000000;
    a.result = result;
    a.retry_after = 30;
    a.bundle = 8;
    a.chain[0].data = leaf;
    a.chain[0].len = sizeof(leaf);
    a.chain[1].data = ca;
    a.chain[1].len = sizeof(ca);
    a.reason = ANSWER_TICKET_USED;
    return a;
}

jws_bytes_t fixture_spki(uint8_t seed)
{
    static uint8_t keys[256][BUNDLE_SPKI_SIZE];
    static const uint8_t start[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
    jws_bytes_t spki = {keys[seed], BUNDLE_SPKI_SIZE};
    memset(keys[seed], seed, BUNDLE_SPKI_SIZE);
    memcpy(keys[seed], start, sizeof(start));
    return spki;
}

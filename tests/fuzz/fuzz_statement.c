/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as every kind of JWS, as a request, as a reply and as a DER signature. The first byte
 * chooses; bit 7 of it: the rest is a payload (JSON), put into a JWS with a good header, so that
 * the payload readers are reached. What is read must be written again and read back the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "statement/receipt.h"
#include "statement/statement.h"
#include "statement/ticket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

#define LEAF "gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8"
#define KID  "0123456789abcdef"

static char scratch[8192];

/* Writes again, and reads what was written: same bytes must come out a third time. */
#define AGAIN(kind, type, writer, reader)                                                          \
    static void again_##type(const type *value)                                                    \
    {                                                                                              \
        static char once[8192], twice[8192];                                                       \
        static uint8_t sig[JWS_RS256_MAX];                                                         \
        type back;                                                                                 \
        jws_t jws;                                                                                 \
        size_t len, len2;                                                                          \
        jws_result_t result = writer(value, once, sizeof(once), &len);                             \
        require(result == JWS_OK || result == JWS_TOO_LARGE);                                      \
        if (result != JWS_OK) { /* it had spaces less than we write, or an RSA signature more */   \
            return;                                                                                \
        }                                                                                          \
        size_t size = sig_size(value);                                                             \
        require(jws_append(once, sizeof(once), &len, sig, size) == JWS_OK);                        \
        require(jws_open(kind, once, len, &jws) == JWS_OK);                                        \
        require(reader(&jws, once, sizeof(once), &back) == JWS_OK);                                \
        require(writer(&back, twice, sizeof(twice), &len2) == JWS_OK);                             \
        require(len2 + 1 + (4 * size + 2) / 3 == len);                                             \
    }

#define sig_size(value) ((value)->alg == JWS_RS256 ? 256u : 64u)
AGAIN(JWS_STATEMENT, statement_t, statement_write, statement_read)
#undef sig_size
#define sig_size(value) 64u
AGAIN(JWS_ANSWER, answer_t, answer_write, answer_read)
AGAIN(JWS_BUNDLE, bundle_t, bundle_write, bundle_read)
AGAIN(JWS_RECEIPT, receipt_t, receipt_write, receipt_read)
#undef sig_size
#define sig_size(value) 32u
AGAIN(JWS_TICKET, ticket_t, ticket_write, ticket_read)

static void read_kind(jws_kind_t kind, const char *text, size_t len)
{
    jws_t jws;
    uint8_t sig[JWS_RS256_MAX];
    size_t sig_len;
    union {
        statement_t statement;
        answer_t answer;
        ticket_t ticket;
        bundle_t bundle;
        receipt_t receipt;
    } u;
    if (jws_open(kind, text, len, &jws) != JWS_OK) {
        return;
    }
    require(jws.signing_len < len && jws.payload.len > 0);
    jws_signature(&jws, sig, sizeof(sig), &sig_len);
    /* A scratch of exactly the size that is promised to suffice. */
    size_t need = jws.payload.len / 4 * 3 + jws.payload.len % 4;
    char *room = malloc(need);
    require(room != NULL);
    if (kind == JWS_STATEMENT && statement_read(&jws, room, need, &u.statement) == JWS_OK) {
        char name[QUESTION_TEXT_SIZE];
        question_name(&u.statement, u.statement.signer, name);
        again_statement_t(&u.statement);
    } else if (kind == JWS_ANSWER && answer_read(&jws, room, need, &u.answer) == JWS_OK) {
        if (u.answer.reason != ANSWER_OTHER) {
            again_answer_t(&u.answer);
        }
    } else if (kind == JWS_TICKET && ticket_read(&jws, room, need, &u.ticket) == JWS_OK) {
        again_ticket_t(&u.ticket);
    } else if (kind == JWS_BUNDLE && bundle_read(&jws, room, need, &u.bundle) == JWS_OK) {
        again_bundle_t(&u.bundle);
    } else if (kind == JWS_RECEIPT && receipt_read(&jws, room, need, &u.receipt) == JWS_OK) {
        again_receipt_t(&u.receipt);
    }
    free(room);
}

static void read_payload(jws_kind_t kind, const uint8_t *data, size_t size)
{
    static const char *const headers[] = {
        "{\"alg\":\"ES256\",\"typ\":\"cradle-statement+jwt\",\"x5t#S256\":\"" LEAF "\"}",
        "{\"alg\":\"ES256\",\"typ\":\"cradle-answer+jwt\",\"kid\":\"" KID "\"}",
        "{\"alg\":\"HS256\"}",
        "{\"alg\":\"ES256\",\"typ\":\"cradle-bundle+jwt\",\"kid\":\"" KID "\"}",
        "{\"alg\":\"ES256\",\"typ\":\"cradle-receipt+jwt\",\"kid\":\"" KID "\"}",
    };
    static const uint8_t sig[64];
    size_t len;
    if (size > 4096) {
        return;
    }
    bytes_to_base64url(headers[kind], strlen(headers[kind]), scratch, sizeof(scratch));
    len = strlen(scratch);
    scratch[len++] = '.';
    bytes_to_base64url(data, size, scratch + len, sizeof(scratch) - len);
    len = strlen(scratch);
    if (jws_append(scratch, sizeof(scratch), &len, sig, kind == JWS_TICKET ? 32 : 64) == JWS_OK) {
        read_kind(kind, scratch, len);
    }
}

static void read_carrier(const char *text, size_t len)
{
    statement_method_t method;
    jws_text_t a, b = {NULL, 0};
    if (carrier_read_request(text, len, &method, &a) == JWS_OK) {
        require((unsigned)method < STATEMENT_METHODS && a.text >= text &&
                a.text + a.len <= text + len);
    }
    if (carrier_read_reply(text, len, &a, &b) == JWS_OK) {
        char out[CARRIER_REPLY_MAX + 1];
        size_t n;
        jws_result_t result = carrier_write_reply(a, b, out, sizeof(out), &n);
        require(result == JWS_OK);
        require(n <= len);
    }
}

static void read_der(const uint8_t *data, size_t size)
{
    uint8_t raw[JWS_ES256_SIZE], der[JWS_ES256_DER_MAX];
    if (jws_es256_from_der(data, size, raw)) {
        require(jws_es256_to_der(raw, der) == size && memcmp(der, data, size) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    unsigned what = data[0] & 0x7f;
    if (what <= JWS_RECEIPT && (data[0] & 0x80) != 0) {
        read_payload((jws_kind_t)what, data + 1, size - 1);
    } else if (what <= JWS_RECEIPT) {
        read_kind((jws_kind_t)what, (const char *)data + 1, size - 1);
    } else if (what % 2 == 0) {
        read_carrier((const char *)data + 1, size - 1);
    } else {
        read_der(data + 1, size - 1);
    }
    return 0;
}

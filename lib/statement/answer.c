/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/bytes.h"
#include "statement/answer.h"
#include "statement/member.h"
#include "statement/writer.h"

typedef struct {
    answer_t say;
    int64_t version;
    jws_text_t method;
    jws_text_t result;
    jws_text_t reason;
} raw_t;

enum {
    V = 1 << 0,
    M = 1 << 1,
    SN = 1 << 2,
    EP = 1 << 3,
    RE = 1 << 4,
    IAT = 1 << 5,
    R = 1 << 6,
    RA = 1 << 7,
    LEAF = 1 << 8,
    BV = 1 << 9,
    CHAIN = 1 << 10,
    WHY = 1 << 11,
    ALWAYS = V | M | SN | EP | RE | IAT | R,
};

#define SAY(member) offsetof(raw_t, say.member)

static const member_t ROWS[] = {
    {"v", MEMBER_INT, 0, 0, offsetof(raw_t, version), 0, UINT32_MAX},
    {"m", MEMBER_TEXT, ALPHABET_PRINTABLE, 0, offsetof(raw_t, method), 0, 32},
    {"sn", MEMBER_TEXT, ALPHABET_NAME, 0, SAY(sn), 1, JWS_SN_MAX},
    {"ep", MEMBER_BYTES, 0, 0, SAY(epoch), 0, JWS_EPOCH_SIZE},
    {"re", MEMBER_BYTES, 0, 0, SAY(nonce), 0, JWS_NONCE_SIZE},
    {"iat", MEMBER_INT, 0, 0, SAY(issued), 1, UINT32_MAX},
    {"r", MEMBER_TEXT, ALPHABET_PRINTABLE, 0, offsetof(raw_t, result), 0, 32},
    {"ra", MEMBER_INT, 0, 0, SAY(retry_after), 1, ANSWER_RETRY_MAX},
    {"leaf", MEMBER_BYTES, 0, 0, SAY(leaf), 0, JWS_HASH_SIZE},
    {"bv", MEMBER_INT, 0, 0, SAY(bundle), 1, UINT32_MAX},
    {"chain", MEMBER_BLOBS, 0, ANSWER_CHAIN, SAY(chain), 1, ANSWER_CERT_MAX},
    {"why", MEMBER_TEXT, ALPHABET_NAME, 0, offsetof(raw_t, reason), 1, 32},
};
static const member_table_t TABLE = {ROWS, sizeof(ROWS) / sizeof(ROWS[0]), false};

/* Which method a result answers (STATEMENT_METHODS: any) and what it carries. */
static const struct {
    uint16_t method;
    uint16_t need;
    uint16_t may;
} CONTENT[ANSWER_RESULTS] = {
    [ANSWER_STREAM] = {STATEMENT_HELLO, RA | LEAF, BV},
    [ANSWER_HOLD] = {STATEMENT_HELLO, RA, BV},
    [ANSWER_CLAIM] = {STATEMENT_HELLO, RA, BV},
    [ANSWER_RENEW] = {STATEMENT_HELLO, RA | LEAF, BV},
    [ANSWER_PENDING] = {STATEMENT_HELLO, RA, BV},
    [ANSWER_MINE] = {STATEMENT_CLAIM, 0, 0},
    [ANSWER_GRANTED] = {STATEMENT_CLAIM, CHAIN, 0},
    [ANSWER_HELD] = {STATEMENT_CLAIM, RA | WHY, 0},
    [ANSWER_CHAIN_IS] = {STATEMENT_RENEW, CHAIN, 0},
    [ANSWER_DONE] = {STATEMENT_COMMIT, 0, 0},
    [ANSWER_BUNDLE] = {STATEMENT_BUNDLE, BV, 0},
    [ANSWER_REFUSED] = {STATEMENT_METHODS, RA | WHY, 0},
};

static bool result_fits(answer_result_t result, statement_method_t method)
{
    return (unsigned)result < ANSWER_RESULTS && (unsigned)method < STATEMENT_METHODS &&
           (CONTENT[result].method == STATEMENT_METHODS || CONTENT[result].method == method);
}

static void write_content(writer_t *writer, const answer_t *answer)
{
    unsigned need = CONTENT[answer->result].need;
    unsigned may = CONTENT[answer->result].may;
    if ((need & RA) != 0) {
        writer_int(writer, "ra", answer->retry_after, 1, ANSWER_RETRY_MAX);
    }
    if ((need & LEAF) != 0) {
        writer_bytes(writer, "leaf", answer->leaf, JWS_HASH_SIZE);
    }
    if ((need & BV) != 0 || ((may & BV) != 0 && answer->bundle != 0)) {
        writer_int(writer, "bv", answer->bundle, 1, UINT32_MAX);
    }
    if ((need & CHAIN) != 0) {
        writer_blobs(writer, "chain", answer->chain, ANSWER_CHAIN, 1, ANSWER_CERT_MAX);
    }
    if ((need & WHY) != 0) {
        writer_word(writer, "why", answer_reason_name(answer->reason));
    }
}

jws_result_t answer_write(const answer_t *answer, char *out, size_t cap, size_t *len)
{
    writer_t writer;
    *len = 0;
    if (!result_fits(answer->result, answer->method)) {
        return JWS_UNSUITABLE;
    }
    writer_begin(&writer, JWS_ANSWER, JWS_ES256, NULL, answer->kid, out, cap);
    writer_int(&writer, "v", 1, 1, 1);
    writer_word(&writer, "m", statement_method_name(answer->method));
    writer_text(&writer, "sn", answer->sn, ALPHABET_NAME, 1, JWS_SN_MAX);
    writer_bytes(&writer, "ep", answer->epoch, JWS_EPOCH_SIZE);
    writer_bytes(&writer, "re", answer->nonce, JWS_NONCE_SIZE);
    writer_int(&writer, "iat", answer->issued, 1, UINT32_MAX);
    writer_word(&writer, "r", answer_result_name(answer->result));
    write_content(&writer, answer);
    return writer_end(&writer, len);
}

static bool parse_result(jws_text_t word, answer_result_t *result)
{
    for (int i = 0; i < ANSWER_RESULTS; i++) {
        if (jws_text_equal(word, jws_text(answer_result_name((answer_result_t)i)))) {
            *result = (answer_result_t)i;
            return true;
        }
    }
    return false;
}

static answer_reason_t parse_reason(jws_text_t word)
{
    for (int i = ANSWER_NO_REASON + 1; i < ANSWER_REASONS; i++) {
        if (jws_text_equal(word, jws_text(answer_reason_name((answer_reason_t)i)))) {
            return (answer_reason_t)i;
        }
    }
    return ANSWER_OTHER;
}

/* The words into enums. */
static jws_result_t interpret(raw_t *raw, uint32_t seen)
{
    if ((seen & V) != 0 && raw->version != 1) {
        return JWS_VERSION;
    }
    if ((seen & M) != 0 && !statement_method_parse(raw->method, &raw->say.method)) {
        return JWS_METHOD;
    }
    if ((seen & R) != 0 && (!parse_result(raw->result, &raw->say.result) ||
                            ((seen & M) != 0 && !result_fits(raw->say.result, raw->say.method)))) {
        return JWS_RESULT;
    }
    if ((seen & WHY) != 0) {
        raw->say.reason = parse_reason(raw->reason);
    }
    return JWS_OK;
}

jws_result_t answer_read(jws_t *jws, void *scratch, size_t cap, answer_t *answer)
{
    raw_t raw;
    uint32_t seen;
    memset(&raw, 0, sizeof(raw));
    jws_result_t result = member_read_payload(jws, &TABLE, scratch, cap, &raw, &seen);
    if (result == JWS_OK) {
        result = interpret(&raw, seen);
    }
    if (result == JWS_OK) {
        result = member_expect(&TABLE, seen, ALWAYS | CONTENT[raw.say.result].need,
                               CONTENT[raw.say.result].may, &jws->fault);
    }
    if (result != JWS_OK) {
        return result;
    }
    if ((seen & CHAIN) != 0 && raw.say.chain[ANSWER_CHAIN - 1].len == 0) {
        jws->fault = "chain";
        return JWS_MEMBER;
    }
    memcpy(raw.say.kid, jws->kid, sizeof(raw.say.kid));
    *answer = raw.say;
    return JWS_OK;
}

answer_match_t answer_check(const answer_t *answer, const statement_t *question)
{
    if (!jws_text_equal(answer->sn, question->sn)) {
        return ANSWER_WRONG_SN;
    }
    if (memcmp(answer->epoch, question->epoch, JWS_EPOCH_SIZE) != 0) {
        return ANSWER_WRONG_EPOCH;
    }
    if (answer->method != question->method) {
        return ANSWER_WRONG_METHOD;
    }
    if (!bytes_equal_secret(answer->nonce, question->nonce, JWS_NONCE_SIZE)) {
        return ANSWER_WRONG_QUESTION;
    }
    return ANSWER_OURS;
}

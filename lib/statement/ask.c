/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "statement/ask.h"
#include "statement/member.h"
#include "statement/writer.h"

static const char *const METHODS[STATEMENT_METHODS] = {"hello", "claim", "renew", "commit",
                                                       "bundle"};

const char *statement_method_name(statement_method_t method)
{
    return (unsigned)method < STATEMENT_METHODS ? METHODS[method] : "?";
}

bool statement_method_parse(jws_text_t word, statement_method_t *method)
{
    for (int i = 0; i < STATEMENT_METHODS; i++) {
        if (jws_text_equal(word, jws_text(METHODS[i]))) {
            *method = (statement_method_t)i;
            return true;
        }
    }
    return false;
}

typedef struct {
    statement_t say;
    int64_t version;
    jws_text_t method;
} raw_t;

/* In the order of the rows, which is the order in which they are written. */
enum {
    V = 1 << 0,
    M = 1 << 1,
    AUD = 1 << 2,
    SN = 1 << 3,
    EP = 1 << 4,
    N = 1 << 5,
    LEAF = 1 << 6,
    DAYS = 1 << 7,
    FW = 1 << 8,
    BV = 1 << 9,
    PRESS = 1 << 10,
    TICKET = 1 << 11,
    CSR = 1 << 12,
    ALWAYS = V | M | AUD | SN | EP | N,
};

#define SAY(member) offsetof(raw_t, say.member)

static const member_t ROWS[] = {
    {"v", MEMBER_INT, 0, 0, offsetof(raw_t, version), 0, UINT32_MAX},
    {"m", MEMBER_TEXT, ALPHABET_PRINTABLE, 0, offsetof(raw_t, method), 0, 32},
    {"aud", MEMBER_TEXT, ALPHABET_HEX, 0, SAY(site), JWS_SITE_LEN, JWS_SITE_LEN},
    {"sn", MEMBER_TEXT, ALPHABET_NAME, 0, SAY(sn), 1, JWS_SN_MAX},
    {"ep", MEMBER_BYTES, 0, 0, SAY(epoch), 0, JWS_EPOCH_SIZE},
    {"n", MEMBER_BYTES, 0, 0, SAY(nonce), 0, JWS_NONCE_SIZE},
    {"leaf", MEMBER_BYTES, 0, 0, SAY(leaf), 0, JWS_HASH_SIZE},
    {"days", MEMBER_INT, 0, 0, SAY(days), -STATEMENT_DAYS_MAX, STATEMENT_DAYS_MAX},
    {"fw", MEMBER_TEXT, ALPHABET_PRINTABLE, 0, SAY(firmware), 1, STATEMENT_TEXT_MAX},
    {"bv", MEMBER_INT, 0, 0, SAY(bundle), 0, UINT32_MAX},
    {"press", MEMBER_TRUE, 0, 0, SAY(press), 0, 0},
    {"ticket", MEMBER_TEXT, ALPHABET_JWS, 0, SAY(ticket), 1, JWS_TICKET_MAX},
    {"csr", MEMBER_BLOB, 0, 0, SAY(csr), 1, STATEMENT_CSR_MAX},
};
static const member_table_t TABLE = {ROWS, sizeof(ROWS) / sizeof(ROWS[0]), false};

static const struct {
    uint16_t need;
    uint16_t may;
} CONTENT[STATEMENT_METHODS] = {
    [STATEMENT_HELLO] = {ALWAYS | LEAF | DAYS | FW | BV, PRESS},
    [STATEMENT_CLAIM] = {ALWAYS | CSR, TICKET},
    [STATEMENT_RENEW] = {ALWAYS | CSR, 0},
    [STATEMENT_COMMIT] = {ALWAYS | LEAF, 0},
    [STATEMENT_BUNDLE] = {ALWAYS, 0},
};

static void write_content(writer_t *writer, const statement_t *statement, unsigned need)
{
    if ((need & LEAF) != 0) {
        writer_bytes(writer, "leaf", statement->leaf, JWS_HASH_SIZE);
    }
    if ((need & DAYS) != 0) {
        writer_int(writer, "days", statement->days, -STATEMENT_DAYS_MAX, STATEMENT_DAYS_MAX);
        writer_text(writer, "fw", statement->firmware, ALPHABET_PRINTABLE, 1, STATEMENT_TEXT_MAX);
        writer_int(writer, "bv", statement->bundle, 0, UINT32_MAX);
        if (statement->press) {
            writer_true(writer, "press");
        }
    }
    if (statement->method == STATEMENT_CLAIM && statement->ticket.len > 0) {
        writer_text(writer, "ticket", statement->ticket, ALPHABET_JWS, 1, JWS_TICKET_MAX);
    }
    if ((need & CSR) != 0) {
        writer_blob(writer, "csr", statement->csr, 1, STATEMENT_CSR_MAX);
    }
}

static bool commit_agrees(const statement_t *statement, const uint8_t *signer)
{
    return statement->method != STATEMENT_COMMIT ||
           memcmp(statement->leaf, signer, JWS_HASH_SIZE) == 0;
}

jws_result_t statement_write(const statement_t *statement, char *out, size_t cap, size_t *len)
{
    writer_t writer;
    *len = 0;
    if ((unsigned)statement->method >= STATEMENT_METHODS) {
        return JWS_UNSUITABLE;
    }
    writer_begin(&writer, JWS_STATEMENT, statement->alg, statement->signer, NULL, out, cap);
    writer_int(&writer, "v", 1, 1, 1);
    writer_word(&writer, "m", METHODS[statement->method]);
    writer_text(&writer, "aud", statement->site, ALPHABET_HEX, JWS_SITE_LEN, JWS_SITE_LEN);
    writer_text(&writer, "sn", statement->sn, ALPHABET_NAME, 1, JWS_SN_MAX);
    writer_bytes(&writer, "ep", statement->epoch, JWS_EPOCH_SIZE);
    writer_bytes(&writer, "n", statement->nonce, JWS_NONCE_SIZE);
    write_content(&writer, statement, CONTENT[statement->method].need);
    if (!commit_agrees(statement, statement->signer)) {
        writer_unsuitable(&writer);
    }
    return writer_end(&writer, len);
}

jws_result_t statement_read(jws_t *jws, void *scratch, size_t cap, statement_t *statement)
{
    raw_t raw;
    uint32_t seen;
    memset(&raw, 0, sizeof(raw));
    jws_result_t result = member_read_payload(jws, &TABLE, scratch, cap, &raw, &seen);
    if (result != JWS_OK) {
        return result;
    }
    if ((seen & V) != 0 && raw.version != 1) {
        return JWS_VERSION;
    }
    if ((seen & M) != 0 && !statement_method_parse(raw.method, &raw.say.method)) {
        return JWS_METHOD;
    }
    result = member_expect(&TABLE, seen, CONTENT[raw.say.method].need, CONTENT[raw.say.method].may,
                           &jws->fault);
    if (result != JWS_OK) {
        return result;
    }
    if (!commit_agrees(&raw.say, jws->x5t)) {
        jws->fault = "leaf";
        return JWS_MEMBER;
    }
    raw.say.alg = jws->alg;
    memcpy(raw.say.signer, jws->x5t, JWS_HASH_SIZE);
    *statement = raw.say;
    return JWS_OK;
}

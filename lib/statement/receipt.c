/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "json/json.h"
#include "statement/member.h"
#include "statement/receipt.h"
#include "statement/writer.h"

static const char *const ITEMS[RECEIPT_ITEMS] = {
    "series",
    "client-attributes",
    "shared-attributes",
    "server-attributes",
    "alarms",
    "rpcs",
    "record",
    "label",
    "firmware",
    "key",
    "audit-log",
    "sessions",
};
static const char *const STATES[] = {"erased", "requested", "retained"};
static const char *const REASONS[RECEIPT_REASONS] = {"?", "server-retention", "reassigned",
                                                     "same-key"};
static const char *const AUTHORITIES[RECEIPT_AUTHORITIES] = {"claim", "release", "grace",
                                                             "operator"};

const char *receipt_item_name(receipt_item_t item)
{
    return (unsigned)item < RECEIPT_ITEMS ? ITEMS[item] : "?";
}

const char *receipt_state_name(receipt_state_t state)
{
    return (unsigned)state <= RECEIPT_RETAINED ? STATES[state] : "?";
}

const char *receipt_reason_name(receipt_reason_t reason)
{
    return (unsigned)reason < RECEIPT_REASONS ? REASONS[reason] : "?";
}

const char *receipt_authority_name(receipt_authority_t authority)
{
    return (unsigned)authority < RECEIPT_AUTHORITIES ? AUTHORITIES[authority] : "?";
}

typedef struct {
    receipt_t say;
    int64_t version;
    jws_text_t authority;
    jws_text_t items;
} raw_t;

#define SAY(member) offsetof(raw_t, say.member)

static const member_t ROWS[] = {
    {"v", MEMBER_INT, 0, 0, offsetof(raw_t, version), 0, UINT32_MAX},
    {"iss", MEMBER_TEXT, ALPHABET_HEX, 0, SAY(site), JWS_SITE_LEN, JWS_SITE_LEN},
    {"sn", MEMBER_TEXT, ALPHABET_NAME, 0, SAY(sn), 1, JWS_SN_MAX},
    {"jti", MEMBER_BYTES, 0, 0, SAY(id), 0, JWS_NONCE_SIZE},
    {"iat", MEMBER_INT, 0, 0, SAY(issued), 1, UINT32_MAX},
    {"by", MEMBER_TEXT, ALPHABET_PRINTABLE, 0, offsetof(raw_t, authority), 0, 32},
    {"items", MEMBER_RAW, 0, 0, offsetof(raw_t, items), 0, 0},
};
static const member_table_t TABLE = {ROWS, sizeof(ROWS) / sizeof(ROWS[0]), false};

/* ["series","erased",12], ["audit-log","retained",null,"server-retention"] */
static void write_line(writer_t *writer, const receipt_line_t *line)
{
    bool retained = line->state == RECEIPT_RETAINED;
    bool reason = line->reason != RECEIPT_NO_REASON;
    if ((unsigned)line->item >= RECEIPT_ITEMS || (unsigned)line->state > RECEIPT_RETAINED ||
        (unsigned)line->reason >= RECEIPT_REASONS || retained != reason || line->count < -1) {
        writer_unsuitable(writer);
        return;
    }
    writer_put(writer, "[\"");
    writer_put(writer, ITEMS[line->item]);
    writer_put(writer, "\",\"");
    writer_put(writer, STATES[line->state]);
    writer_put(writer, "\",");
    if (line->count >= 0) {
        writer_put_number(writer, line->count);
    } else {
        writer_put(writer, "null");
    }
    if (retained) {
        writer_put(writer, ",\"");
        writer_put(writer, REASONS[line->reason]);
        writer_put(writer, "\"");
    }
    writer_put(writer, "]");
}

jws_result_t receipt_write(const receipt_t *receipt, char *out, size_t cap, size_t *len)
{
    writer_t writer;
    uint32_t items = 0;
    writer_begin(&writer, JWS_RECEIPT, JWS_ES256, NULL, receipt->kid, out, cap);
    writer_int(&writer, "v", 1, 1, 1);
    writer_text(&writer, "iss", receipt->site, ALPHABET_HEX, JWS_SITE_LEN, JWS_SITE_LEN);
    writer_text(&writer, "sn", receipt->sn, ALPHABET_NAME, 1, JWS_SN_MAX);
    writer_bytes(&writer, "jti", receipt->id, JWS_NONCE_SIZE);
    writer_int(&writer, "iat", receipt->issued, 1, UINT32_MAX);
    writer_word(&writer, "by", receipt_authority_name(receipt->authority));
    writer_name(&writer, "items");
    writer_put(&writer, "[");
    for (size_t i = 0; i < receipt->line_count && i < RECEIPT_ITEMS; i++) {
        if (i > 0) {
            writer_put(&writer, ",");
        }
        write_line(&writer, &receipt->lines[i]);
        items |= (uint32_t)1 << (receipt->lines[i].item & 31);
    }
    writer_put(&writer, "]");
    if (receipt->line_count == 0 || receipt->line_count > RECEIPT_ITEMS ||
        (size_t)__builtin_popcount(items) != receipt->line_count) {
        writer_unsuitable(&writer); /* none, or an item twice */
    }
    return writer_end(&writer, len);
}

/* A string token as an index into words, or -1. */
static int find_word(const json_token_t *token, const char *const *words, int count)
{
    for (int i = 0; i < count; i++) {
        if (token->type == JSON_STRING && json_equals(token, words[i])) {
            return i;
        }
    }
    return -1;
}

/* The '[' of a line has been read. */
static bool read_line(json_reader_t *reader, receipt_line_t *line)
{
    json_token_t token;
    int word;
    json_next(reader, &token);
    if ((word = find_word(&token, ITEMS, RECEIPT_ITEMS)) < 0) {
        return false;
    }
    line->item = (receipt_item_t)word;
    json_next(reader, &token);
    if ((word = find_word(&token, STATES, RECEIPT_RETAINED + 1)) < 0) {
        return false;
    }
    line->state = (receipt_state_t)word;
    json_next(reader, &token);
    line->count = -1;
    if (token.type != JSON_NULL && (!json_i64(&token, &line->count) || line->count < 0)) {
        return false;
    }
    line->reason = RECEIPT_NO_REASON;
    if (line->state == RECEIPT_RETAINED) {
        json_next(reader, &token);
        if ((word = find_word(&token, REASONS, RECEIPT_REASONS)) <= RECEIPT_NO_REASON) {
            return false;
        }
        line->reason = (receipt_reason_t)word;
    }
    return json_next(reader, &token) == JSON_ARRAY_END;
}

static bool read_lines(jws_text_t text, receipt_t *receipt)
{
    json_reader_t reader;
    json_token_t token;
    json_type_t type;
    uint32_t items = 0;
    json_reader_init(&reader, text.text, text.len);
    if (json_next(&reader, &token) != JSON_ARRAY) {
        return false;
    }
    while ((type = json_next(&reader, &token)) == JSON_ARRAY) {
        receipt_line_t *line = &receipt->lines[receipt->line_count];
        if (receipt->line_count == RECEIPT_ITEMS || !read_line(&reader, line) ||
            (items >> line->item & 1) != 0) {
            return false;
        }
        items |= (uint32_t)1 << line->item;
        receipt->line_count++;
    }
    return type == JSON_ARRAY_END && receipt->line_count > 0;
}

jws_result_t receipt_read(jws_t *jws, void *scratch, size_t cap, receipt_t *receipt)
{
    raw_t raw;
    uint32_t seen;
    int authority = 0;
    memset(&raw, 0, sizeof(raw));
    jws_result_t result = member_read_payload(jws, &TABLE, scratch, cap, &raw, &seen);
    if (result != JWS_OK) {
        return result;
    }
    if ((seen & 1) != 0 && raw.version != 1) {
        return JWS_VERSION;
    }
    result = member_expect(&TABLE, seen, 0x7f, 0, &jws->fault);
    if (result != JWS_OK) {
        return result;
    }
    while (authority < RECEIPT_AUTHORITIES &&
           !jws_text_equal(raw.authority, jws_text(AUTHORITIES[authority]))) {
        authority++;
    }
    if (authority == RECEIPT_AUTHORITIES || !read_lines(raw.items, &raw.say)) {
        jws->fault = authority == RECEIPT_AUTHORITIES ? "by" : "items";
        return JWS_MEMBER;
    }
    raw.say.authority = (receipt_authority_t)authority;
    memcpy(raw.say.kid, jws->kid, sizeof(raw.say.kid));
    *receipt = raw.say;
    return JWS_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/bytes.h"
#include "json/json.h"
#include "statement/member.h"

static bool letter_good(char c, alphabet_t alphabet)
{
    bool digit = c >= '0' && c <= '9';
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    switch (alphabet) {
    case ALPHABET_PRINTABLE:
        return c >= ' ' && c <= '~' && c != '"' && c != '\\';
    case ALPHABET_HEX:
        return digit || (c >= 'a' && c <= 'f');
    case ALPHABET_NAME:
    case ALPHABET_JWS:
        return digit || letter || c == '.' || c == '_' || c == '-';
    default:
        return false;
    }
}

bool member_text_good(jws_text_t text, alphabet_t alphabet, size_t min, size_t max)
{
    if (text.len < min || text.len > max) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!letter_good(text.text[i], alphabet)) {
            return false;
        }
    }
    return alphabet != ALPHABET_NAME || text.len == 0 || strchr("._-", text.text[0]) == NULL;
}

/* Decodes a string token where it stands: the result is shorter, and the reader is past it. */
static bool decode_blob(const member_t *row, const json_token_t *token, const char *text,
                        char *scratch, jws_bytes_t *bytes)
{
    if (token->type != JSON_STRING || scratch == NULL) {
        return false;
    }
    uint8_t *place = (uint8_t *)scratch + (token->text - text);
    bytes->data = place;
    return bytes_from_base64url(token->text, token->len, place, token->len, &bytes->len) &&
           bytes->len >= (size_t)row->min && bytes->len <= row->max;
}

static bool read_blobs(const member_t *row, json_reader_t *reader, char *scratch,
                       jws_bytes_t *bytes)
{
    json_token_t token;
    for (size_t i = 0; i < row->items; i++) {
        if (json_next(reader, &token) == JSON_ARRAY_END) {
            return i > 0;
        }
        if (!decode_blob(row, &token, reader->start, scratch, &bytes[i])) {
            return false;
        }
    }
    return json_next(reader, &token) == JSON_ARRAY_END;
}

static bool read_int(const member_t *row, const json_token_t *token, int64_t *value)
{
    return json_i64(token, value) && *value >= row->min && *value <= (int64_t)row->max;
}

static bool read_text(const member_t *row, const json_token_t *token, jws_text_t *text)
{
    text->text = token->text;
    text->len = token->len;
    return token->type == JSON_STRING && !token->escaped &&
           member_text_good(*text, (alphabet_t)row->alphabet, (size_t)row->min, row->max);
}

static bool read_bytes(const member_t *row, const json_token_t *token, uint8_t *bytes)
{
    size_t len;
    return token->type == JSON_STRING &&
           bytes_from_base64url(token->text, token->len, bytes, row->max, &len) && len == row->max;
}

static bool read_raw(json_reader_t *reader, const json_token_t *token, jws_text_t *text)
{
    json_token_t whole;
    if (!json_skip(reader, token, &whole)) {
        return false;
    }
    text->text = whole.text;
    text->len = whole.len;
    return true;
}

/* The first token of the value has been read. */
static bool read_value(const member_t *row, json_reader_t *reader, const json_token_t *token,
                       char *scratch, void *into)
{
    void *field = (char *)into + row->offset;
    switch (row->kind) {
    case MEMBER_TEXT:
        return read_text(row, token, field);
    case MEMBER_INT:
        return read_int(row, token, field);
    case MEMBER_TRUE:
        *(bool *)field = true;
        return token->type == JSON_TRUE;
    case MEMBER_BYTES:
        return read_bytes(row, token, field);
    case MEMBER_BLOB:
        return decode_blob(row, token, reader->start, scratch, field);
    case MEMBER_BLOBS:
        return token->type == JSON_ARRAY && read_blobs(row, reader, scratch, field);
    case MEMBER_RAW:
        return read_raw(reader, token, field);
    default:
        return false;
    }
}

static size_t find_row(const member_table_t *table, const json_token_t *key)
{
    size_t i = 0;
    while (i < table->count && !json_equals(key, table->rows[i].name)) {
        i++;
    }
    return i;
}

/* The key has been read. */
static jws_result_t read_member(const member_table_t *table, json_reader_t *reader,
                                const json_token_t *key, char *scratch, void *into, uint32_t *seen,
                                const char **fault)
{
    json_token_t token;
    size_t i = find_row(table, key);
    if (key->escaped) { /* nobody needs it, and it would be a second way to write a name */
        return JWS_MEMBER;
    }
    if (json_next(reader, &token) == JSON_ERROR) {
        return JWS_NOT_JSON;
    }
    if (i == table->count) {
        if (table->exact) {
            return JWS_HEADER;
        }
        return json_skip(reader, &token, NULL) ? JWS_OK : JWS_NOT_JSON;
    }
    *fault = table->rows[i].name;
    if ((*seen >> i & 1) != 0) {
        return JWS_TWICE;
    }
    *seen |= (uint32_t)1 << i;
    if (!read_value(&table->rows[i], reader, &token, scratch, into)) {
        return JWS_MEMBER;
    }
    *fault = NULL;
    return JWS_OK;
}

jws_result_t member_read(const member_table_t *table, const char *text, size_t len, char *scratch,
                         void *into, uint32_t *seen, const char **fault)
{
    json_reader_t reader;
    json_token_t token;
    json_type_t type;
    *seen = 0;
    *fault = NULL;
    json_reader_init(&reader, text, len);
    if (json_next(&reader, &token) != JSON_OBJECT) {
        return JWS_NOT_JSON;
    }
    while ((type = json_next(&reader, &token)) == JSON_KEY) {
        jws_result_t result = read_member(table, &reader, &token, scratch, into, seen, fault);
        if (result != JWS_OK) {
            return result;
        }
    }
    if (type != JSON_OBJECT_END || json_next(&reader, &token) != JSON_DONE) {
        return JWS_NOT_JSON;
    }
    return JWS_OK;
}

jws_result_t member_expect(const member_table_t *table, uint32_t seen, uint32_t need, uint32_t may,
                           const char **fault)
{
    for (size_t i = 0; i < table->count; i++) {
        uint32_t bit = (uint32_t)1 << i;
        *fault = table->rows[i].name;
        if ((need & bit) != 0 && (seen & bit) == 0) {
            return JWS_MISSING;
        }
        if ((seen & bit) != 0 && ((need | may) & bit) == 0) {
            return JWS_MISPLACED;
        }
    }
    *fault = NULL;
    return JWS_OK;
}

jws_result_t member_read_payload(jws_t *jws, const member_table_t *table, void *scratch, size_t cap,
                                 void *into, uint32_t *seen)
{
    size_t len;
    jws->fault = NULL;
    if (cap < jws->payload.len / 4 * 3 + jws->payload.len % 4) {
        return JWS_NO_ROOM;
    }
    if (!bytes_from_base64url(jws->payload.text, jws->payload.len, scratch, cap, &len)) {
        return JWS_MALFORMED;
    }
    return member_read(table, scratch, len, scratch, into, seen, &jws->fault);
}

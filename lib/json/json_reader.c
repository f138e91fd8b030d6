/* SPDX-License-Identifier: Apache-2.0 */
/* The pull reader: one token a call, no recursion; the nesting is a bit array. */
#include <string.h>

#include "json/json.h"
#include "json/utf8.h"

enum {
    WANT_VALUE,
    WANT_VALUE_OR_END, /* just after '['                          */
    WANT_KEY_OR_END,   /* just after '{'                          */
    WANT_COLON,        /* just after a member's name              */
    WANT_COMMA_OR_END, /* just after a value inside of something  */
    WANT_END_OF_TEXT,  /* just after the outermost value          */
    FINISHED,
    FAILED,
};

void json_reader_init(json_reader_t *reader, const char *text, size_t len)
{
    if (text == NULL) {
        text = "";
        len = 0;
    }
    memset(reader, 0, sizeof(*reader));
    reader->at = text;
    reader->start = text;
    reader->end = text + len;
    reader->expect = WANT_VALUE;
}

static json_type_t fail(json_reader_t *reader, const char *why)
{
    reader->why = reader->at < reader->end ? why : "the text ends too early";
    reader->expect = FAILED;
    return JSON_ERROR;
}

/* The byte at the cursor, or 0 at the end: no token begins or goes on with a NUL. */
static char peek(const json_reader_t *reader)
{
    return reader->at < reader->end ? *reader->at : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_space(json_reader_t *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
                                        *reader->at == '\r' || *reader->at == '\t')) {
        reader->at++;
    }
}

static bool inside_array(const json_reader_t *reader)
{
    unsigned level = reader->depth - 1u;
    return (reader->in_array[level / 8] >> (level % 8) & 1) != 0;
}

static void value_done(json_reader_t *reader)
{
    reader->expect = reader->depth > 0 ? WANT_COMMA_OR_END : WANT_END_OF_TEXT;
}

static json_type_t open_container(json_reader_t *reader, json_token_t *token, bool array)
{
    if (reader->depth >= JSON_DEPTH_MAX) {
        return fail(reader, "nested too deeply");
    }
    unsigned level = reader->depth++;
    unsigned bit = 1u << (level % 8);
    if (array) {
        reader->in_array[level / 8] |= (uint8_t)bit;
    } else {
        reader->in_array[level / 8] &= (uint8_t)~bit;
    }
    reader->at++;
    reader->expect = array ? WANT_VALUE_OR_END : WANT_KEY_OR_END;
    token->len = 1;
    return token->type = array ? JSON_ARRAY : JSON_OBJECT;
}

static json_type_t close_container(json_reader_t *reader, json_token_t *token)
{
    bool array = inside_array(reader);
    token->text = reader->at++;
    token->len = 1;
    reader->depth--;
    value_done(reader);
    return token->type = array ? JSON_ARRAY_END : JSON_OBJECT_END;
}

/* Four hex digits at the cursor; -1 when they are not there. */
static int32_t read_hex4(json_reader_t *reader)
{
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = peek(reader);
        int digit;
        if (is_digit(c)) {
            digit = c - '0';
        } else if (c >= 'a' && c <= 'f') {
            digit = c - 'a' + 10;
        } else if (c >= 'A' && c <= 'F') {
            digit = c - 'A' + 10;
        } else {
            return -1;
        }
        value = value << 4 | digit;
        reader->at++;
    }
    return value;
}

/* The cursor is behind "\u". */
static bool read_unicode_escape(json_reader_t *reader)
{
    int32_t unit = read_hex4(reader);
    if (unit < 0) {
        fail(reader, "expected four hex digits");
        return false;
    }
    if (unit >= 0xdc00 && unit <= 0xdfff) {
        fail(reader, "unpaired surrogate");
        return false;
    }
    if (unit >= 0xd800 && unit <= 0xdbff) {
        if (reader->end - reader->at < 2 || reader->at[0] != '\\' || reader->at[1] != 'u') {
            fail(reader, "unpaired surrogate");
            return false;
        }
        reader->at += 2;
        unit = read_hex4(reader);
        if (unit < 0xdc00 || unit > 0xdfff) {
            fail(reader, "unpaired surrogate");
            return false;
        }
    }
    return true;
}

/* The cursor is at a backslash. */
static bool read_escape(json_reader_t *reader)
{
    reader->at++;
    char c = peek(reader);
    if (c == 'u') {
        reader->at++;
        return read_unicode_escape(reader);
    }
    if (c == '\0' || strchr("\"\\/bfnrt", c) == NULL) {
        fail(reader, "unknown escape");
        return false;
    }
    reader->at++;
    return true;
}

/* The cursor is at the opening quote. */
static bool read_quoted(json_reader_t *reader, json_token_t *token)
{
    reader->at++;
    token->text = reader->at;
    for (;;) {
        if (reader->at >= reader->end) {
            fail(reader, "");
            return false;
        }
        unsigned char c = (unsigned char)*reader->at;
        if (c == '"') {
            break;
        } else if (c == '\\') {
            token->escaped = true;
            if (!read_escape(reader)) {
                return false;
            }
        } else if (c < 0x20) {
            fail(reader, "control character in a string");
            return false;
        } else if (c < 0x80) {
            reader->at++;
        } else {
            size_t n = utf8_length(reader->at, (size_t)(reader->end - reader->at));
            if (n == 0) {
                fail(reader, "not UTF-8");
                return false;
            }
            reader->at += n;
        }
    }
    token->len = (size_t)(reader->at - token->text);
    reader->at++;
    return true;
}

static bool read_digits(json_reader_t *reader)
{
    if (!is_digit(peek(reader))) {
        fail(reader, "expected a digit");
        return false;
    }
    while (is_digit(peek(reader))) {
        reader->at++;
    }
    return true;
}

static json_type_t read_number(json_reader_t *reader, json_token_t *token)
{
    if (peek(reader) == '-') {
        reader->at++;
    }
    if (peek(reader) == '0') {
        reader->at++;
        if (is_digit(peek(reader))) {
            return fail(reader, "a number may not begin with 0");
        }
    } else if (!read_digits(reader)) {
        return JSON_ERROR;
    }
    if (peek(reader) == '.') {
        reader->at++;
        if (!read_digits(reader)) {
            return JSON_ERROR;
        }
    }
    if (peek(reader) == 'e' || peek(reader) == 'E') {
        reader->at++;
        if (peek(reader) == '+' || peek(reader) == '-') {
            reader->at++;
        }
        if (!read_digits(reader)) {
            return JSON_ERROR;
        }
    }
    token->len = (size_t)(reader->at - token->text);
    value_done(reader);
    return token->type = JSON_NUMBER;
}

static json_type_t read_word(json_reader_t *reader, json_token_t *token, const char *word,
                             json_type_t type)
{
    for (const char *c = word; *c != '\0'; c++) {
        if (peek(reader) != *c) {
            return fail(reader, "expected a value");
        }
        reader->at++;
    }
    token->len = (size_t)(reader->at - token->text);
    value_done(reader);
    return token->type = type;
}

static json_type_t read_value(json_reader_t *reader, json_token_t *token)
{
    skip_space(reader);
    token->text = reader->at;
    switch (peek(reader)) {
    case '{':
        return open_container(reader, token, false);
    case '[':
        return open_container(reader, token, true);
    case '"':
        if (!read_quoted(reader, token)) {
            return JSON_ERROR;
        }
        value_done(reader);
        return token->type = JSON_STRING;
    case 't':
        return read_word(reader, token, "true", JSON_TRUE);
    case 'f':
        return read_word(reader, token, "false", JSON_FALSE);
    case 'n':
        return read_word(reader, token, "null", JSON_NULL);
    default:
        if (peek(reader) == '-' || is_digit(peek(reader))) {
            return read_number(reader, token);
        }
        return fail(reader, "expected a value");
    }
}

static json_type_t read_key(json_reader_t *reader, json_token_t *token)
{
    skip_space(reader);
    if (peek(reader) != '"') {
        return fail(reader, "expected a name in double quotes");
    }
    if (!read_quoted(reader, token)) {
        return JSON_ERROR;
    }
    reader->expect = WANT_COLON;
    return token->type = JSON_KEY;
}

static json_type_t read_after_value(json_reader_t *reader, json_token_t *token)
{
    bool array = inside_array(reader);
    if (peek(reader) == (array ? ']' : '}')) {
        return close_container(reader, token);
    }
    if (peek(reader) != ',') {
        return fail(reader, array ? "expected ',' or ']'" : "expected ',' or '}'");
    }
    reader->at++;
    return array ? read_value(reader, token) : read_key(reader, token);
}

json_type_t json_next(json_reader_t *reader, json_token_t *token)
{
    skip_space(reader);
    token->type = JSON_ERROR;
    token->escaped = false;
    token->text = reader->at;
    token->len = 0;

    switch (reader->expect) {
    case WANT_VALUE:
        return read_value(reader, token);
    case WANT_VALUE_OR_END:
        return peek(reader) == ']' ? close_container(reader, token) : read_value(reader, token);
    case WANT_KEY_OR_END:
        return peek(reader) == '}' ? close_container(reader, token) : read_key(reader, token);
    case WANT_COLON:
        if (peek(reader) != ':') {
            return fail(reader, "expected ':'");
        }
        reader->at++;
        return read_value(reader, token);
    case WANT_COMMA_OR_END:
        return read_after_value(reader, token);
    case WANT_END_OF_TEXT:
        if (reader->at != reader->end) {
            return fail(reader, "something follows the value");
        }
        reader->expect = FINISHED;
        return token->type = JSON_DONE;
    case FINISHED:
        return token->type = JSON_DONE;
    default:
        return JSON_ERROR;
    }
}

bool json_skip(json_reader_t *reader, const json_token_t *first, json_token_t *value)
{
    json_token_t whole = *first;
    if (first->type == JSON_OBJECT || first->type == JSON_ARRAY) {
        json_token_t token;
        unsigned outside = reader->depth - 1u;
        while (reader->depth > outside) {
            if (json_next(reader, &token) == JSON_ERROR) {
                return false;
            }
        }
        whole.len = (size_t)(reader->at - first->text);
    } else if (first->type < JSON_STRING) {
        return false; /* an end, a name, JSON_DONE or JSON_ERROR is no value */
    }
    if (value != NULL) {
        *value = whole;
    }
    return true;
}

const char *json_reader_error(const json_reader_t *reader, size_t *offset)
{
    if (offset != NULL) {
        *offset = (size_t)(reader->at - reader->start);
    }
    return reader->why != NULL ? reader->why : "no error";
}

bool json_valid(const char *text, size_t len)
{
    json_reader_t reader;
    json_token_t token;
    json_type_t type;

    json_reader_init(&reader, text, len);
    do {
        type = json_next(&reader, &token);
    } while (type != JSON_DONE && type != JSON_ERROR);
    return type == JSON_DONE;
}

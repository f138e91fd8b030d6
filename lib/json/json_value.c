/* SPDX-License-Identifier: Apache-2.0 */
/* What a token says: decoded text, integers, members by path. */
#include <string.h>

#include "json/json.h"

static unsigned hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0');
    }
    return (unsigned)((c | 0x20) - 'a' + 10);
}

static uint32_t hex4(const char *text)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        value = value << 4 | (hex_digit(text[i]) & 15);
    }
    return value;
}

static size_t put_utf8(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* Decodes the escape at *at and steps over it. Returns the bytes put out, 0 when the token did
   not come from the reader after all. */
static size_t decode_escape(const char **at, const char *end, char out[4])
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    const char *p = *at;

    if (end - p < 2) {
        return 0;
    }
    if (p[1] != 'u') {
        const char *found = p[1] != '\0' ? strchr(names, p[1]) : NULL;
        if (found == NULL) {
            return 0;
        }
        out[0] = values[found - names];
        *at = p + 2;
        return 1;
    }
    if (end - p < 6) {
        return 0;
    }
    uint32_t c = hex4(p + 2);
    p += 6;
    if (c >= 0xd800 && c <= 0xdbff) {
        if (end - p < 6) {
            return 0;
        }
        c = 0x10000 + ((c - 0xd800) << 10) + (hex4(p + 2) - 0xdc00);
        p += 6;
    }
    *at = p;
    return put_utf8(c, out);
}

bool json_string(const json_token_t *token, char *out, size_t cap, size_t *len)
{
    if ((token->type != JSON_STRING && token->type != JSON_KEY) || cap == 0) {
        return false;
    }
    const char *at = token->text;
    const char *end = at + token->len;
    size_t used = 0;
    out[0] = '\0';
    while (at < end) {
        char unit[4] = {*at};
        size_t n = 1;
        if (*at != '\\') {
            at++;
        } else {
            n = decode_escape(&at, end, unit);
        }
        if (n == 0 || unit[0] == '\0' || cap - used <= n) {
            out[0] = '\0';
            return false;
        }
        memcpy(out + used, unit, n);
        used += n;
    }
    out[used] = '\0';
    if (len != NULL) {
        *len = used;
    }
    return true;
}

bool json_equals_n(const json_token_t *token, const char *text, size_t len)
{
    if (token->type != JSON_STRING && token->type != JSON_KEY) {
        return false;
    }
    if (!token->escaped) {
        return token->len == len && memcmp(token->text, text, len) == 0;
    }
    const char *at = token->text;
    const char *end = at + token->len;
    while (at < end) {
        char unit[4] = {*at};
        size_t n = 1;
        if (*at != '\\') {
            at++;
        } else {
            n = decode_escape(&at, end, unit);
        }
        if (n == 0 || n > len || memcmp(text, unit, n) != 0) {
            return false;
        }
        text += n;
        len -= n;
    }
    return len == 0;
}

bool json_equals(const json_token_t *token, const char *text)
{
    return json_equals_n(token, text, strlen(text));
}

bool json_i64(const json_token_t *token, int64_t *value)
{
    if (token->type != JSON_NUMBER) {
        return false;
    }
    const char *at = token->text;
    const char *end = at + token->len;
    bool negative = at < end && *at == '-';
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t sum = 0;

    at += negative;
    if (at == end) {
        return false; /* a token made by hand: the reader's has a digit */
    }
    for (; at < end; at++) {
        unsigned digit = (unsigned)(*at - '0');
        if (digit > 9 || sum > (limit - digit) / 10) {
            return false;
        }
        sum = sum * 10 + digit;
    }
    /* Negated as unsigned: -INT64_MIN does not exist. */
    *value = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

/* The value of the member `name` of an object, or of element `name` of an array, that is the
   first token of `reader`. The last of equal names wins. Reads to the end of the text. */
static bool find_step(json_reader_t *reader, const char *name, size_t name_len, json_token_t *value)
{
    json_token_t token;
    json_token_t number = {JSON_NUMBER, false, name, name_len};
    int64_t index = 0, wanted = -1;
    json_type_t outer = json_next(reader, &token);
    bool found = false;

    if (outer == JSON_ARRAY && name_len > 0 && name[0] != '-' && !json_i64(&number, &wanted)) {
        wanted = -1;
    }
    if (outer != JSON_OBJECT && outer != JSON_ARRAY) {
        return false;
    }
    for (;;) {
        json_token_t one;
        bool hit;
        json_type_t type = json_next(reader, &token);
        if (type == JSON_OBJECT_END || type == JSON_ARRAY_END) {
            break;
        }
        if (outer == JSON_OBJECT) {
            hit = json_equals_n(&token, name, name_len);
            json_next(reader, &token);
        } else {
            hit = index++ == wanted;
        }
        if (!json_skip(reader, &token, &one)) {
            return false;
        }
        if (hit) {
            *value = one;
            found = true;
        }
    }
    return json_next(reader, &token) == JSON_DONE && found;
}

bool json_find(const char *text, size_t len, const char *path, json_token_t *value)
{
    json_reader_t reader;
    json_token_t token;

    if (*path == '\0') {
        json_reader_init(&reader, text, len);
        json_next(&reader, &token);
        return json_skip(&reader, &token, value) && json_next(&reader, &token) == JSON_DONE;
    }
    for (;;) {
        size_t n = strcspn(path, ".");
        json_reader_init(&reader, text, len);
        if (!find_step(&reader, path, n, &token)) {
            return false;
        }
        if (path[n] == '\0') {
            *value = token;
            return true;
        }
        path += n + 1;
        if (token.type != JSON_OBJECT && token.type != JSON_ARRAY) {
            return false;
        }
        text = token.text;
        len = token.len;
    }
}

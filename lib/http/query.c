/* SPDX-License-Identifier: Apache-2.0 */
#include "http/query.h"

#include <stdint.h>
#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* Length of the UTF-8 sequence at `p`, 0 when it is malformed (RFC 3629: no overlong forms, no
   surrogates, nothing above U+10FFFF). */
static size_t utf8_step(const unsigned char *p, size_t left)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80           ? 1
               : (p[0] >> 5) == 0x06 ? 2
               : (p[0] >> 4) == 0x0e ? 3
               : (p[0] >> 3) == 0x1e ? 4
                                     : 0;
    if (n == 0 || n > left) {
        return 0;
    }
    uint32_t code = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (p[i] & 0x3fu);
    }
    bool good =
        n == 1 || (code >= least[n] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff));
    return good ? n : 0;
}

bool http_text_valid(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t i = 0; i < len;) {
        size_t n = utf8_step(p + i, len - i);
        if (n == 0 || (n == 1 && (p[i] < 0x20 || p[i] == 0x7f))) {
            return false;
        }
        i += n;
    }
    return true;
}

bool http_percent_decode(const char *text, size_t len, bool plus, char *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            int high = i + 2 < len ? hex_value(text[i + 1]) : -1;
            int low = i + 2 < len ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (n + 1 >= cap) {
            return false;
        }
        out[n++] = c;
    }
    if (cap == 0) {
        return false;
    }
    out[n] = '\0';
    return http_text_valid(out, n);
}

bool http_percent_encode(const char *text, size_t len, char *out, size_t cap)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (n + (plain ? 1 : 3) >= cap) {
            return false;
        }
        if (plain) {
            out[n++] = (char)c;
        } else {
            out[n++] = '%';
            out[n++] = digits[c >> 4];
            out[n++] = digits[c & 15];
        }
    }
    if (cap == 0) {
        return false;
    }
    out[n] = '\0';
    return true;
}

void http_query_init(http_query_t *query, const char *text)
{
    query->at = text;
}

int http_query_next(http_query_t *query, char *name, size_t name_cap, char *value, size_t value_cap)
{
    while (*query->at == '&') {
        query->at++;
    }
    if (*query->at == '\0') {
        return 0;
    }
    size_t len = strcspn(query->at, "&");
    const char *equals = memchr(query->at, '=', len);
    size_t name_len = equals ? (size_t)(equals - query->at) : len;
    const char *rest = equals ? equals + 1 : query->at + len;
    size_t rest_len = (size_t)(query->at + len - rest);
    const char *start = query->at;
    query->at += len;
    bool good = http_percent_decode(start, name_len, true, name, name_cap) &&
                http_percent_decode(rest, rest_len, true, value, value_cap);
    return good ? 1 : -1;
}

int http_query_get(const char *text, const char *name, char *value, size_t cap)
{
    http_query_t query;
    http_query_init(&query, text);
    for (;;) {
        char found[64];
        while (*query.at == '&') {
            query.at++;
        }
        if (*query.at == '\0') {
            return 0;
        }
        /* The name alone first: another parameter may be longer than `cap` and still be fine. */
        size_t len = strcspn(query.at, "&");
        size_t name_len = strcspn(query.at, "=&");
        bool same = http_percent_decode(query.at, name_len, true, found, sizeof(found)) &&
                    strcmp(found, name) == 0;
        if (same) {
            return http_query_next(&query, found, sizeof(found), value, cap);
        }
        query.at += len;
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query: percent-encoding and query strings (RFC 3986 section 2.1; '+' means a space in a query, as
 * HTML forms and ThingsBoard's clients write it). Pure, no heap.
 *
 * Decoding is strict: a '%' without two hex digits, a decoded NUL or other control character, and
 * bytes that are not UTF-8 are refused.
 */
#ifndef CRADLE_HTTP_QUERY_H
#define CRADLE_HTTP_QUERY_H

#include <stdbool.h>
#include <stddef.h>

/* True for UTF-8 without control characters (and so without NUL). */
bool http_text_valid(const char *text, size_t len);

/* Decodes `len` bytes into `out` with a NUL terminator. `plus`: '+' becomes a space. False when
   malformed or too long for `cap`. */
bool http_percent_decode(const char *text, size_t len, bool plus, char *out, size_t cap);

/* Encodes everything but unreserved characters; `out` needs 3 * len + 1 bytes at most. */
bool http_percent_encode(const char *text, size_t len, char *out, size_t cap);

typedef struct {
    const char *at;
} http_query_t;

/* Walks "a=1&b=2". Names and values are decoded into the caller's buffers; a parameter without '='
   has the value "". Returns 1 for a parameter, 0 at the end, -1 when one is malformed or does not
   fit (the walk can go on behind it). */
void http_query_init(http_query_t *query, const char *text);
int http_query_next(http_query_t *query, char *name, size_t name_cap, char *value,
                    size_t value_cap);

/* The first parameter of that name: 1 found, 0 absent, -1 malformed or too long for `cap`. */
int http_query_get(const char *text, const char *name, char *value, size_t cap);

#endif

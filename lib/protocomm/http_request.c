/* SPDX-License-Identifier: Apache-2.0 */
#include "protocomm/http_request.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

typedef struct {
    const char *text;
    size_t len;
} slice_t;

/* The next line without its end; false when its end is not there yet. */
static bool next_line(const char *data, size_t len, size_t *at, slice_t *line)
{
    const char *end = memchr(data + *at, '\n', len - *at);

    if (!end)
        return false;
    line->text = data + *at;
    line->len = (size_t)(end - line->text);
    *at += line->len + 1;
    if (line->len && line->text[line->len - 1] == '\r')
        line->len--;
    return true;
}

static bool is_printable(slice_t s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.text[i] < 0x20 && s.text[i] != '\t')
            return false;
    return true;
}

static bool is_word(slice_t s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.text, word, s.len) == 0;
}

/* "POST /path HTTP/1.1" */
static http_result_t parse_request_line(slice_t line, http_request_t *request)
{
    const char *first = memchr(line.text, ' ', line.len);
    const char *last = memrchr(line.text, ' ', line.len);

    if (!first || first == last || first == line.text || first[1] != '/')
        return HTTP_BAD;
    size_t method_len = (size_t)(first - line.text), target_len = (size_t)(last - first - 1);
    const char *version = last + 1;
    size_t version_len = line.len - method_len - target_len - 2;
    for (size_t i = 0; i < method_len; i++)
        if (line.text[i] < 'A' || line.text[i] > 'Z')
            return HTTP_BAD;
    if (memchr(first + 1, ' ', target_len))
        return HTTP_BAD;
    if (target_len > HTTP_TARGET_MAX)
        return HTTP_TARGET_TOO_LONG;
    if (version_len != 8 || memcmp(version, "HTTP/", 5) != 0)
        return HTTP_BAD;
    if (memcmp(version, "HTTP/1.1", 8) != 0 && memcmp(version, "HTTP/1.0", 8) != 0)
        return HTTP_VERSION;
    request->close = version[7] == '0';
    request->post = method_len == 4 && memcmp(line.text, "POST", 4) == 0;
    memcpy(request->target, first + 1, target_len);
    request->target[target_len] = '\0';
    return HTTP_COMPLETE;
}

static bool parse_length(slice_t value, size_t *length)
{
    *length = 0;
    if (value.len == 0 || value.len > 9)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.text[i] < '0' || value.text[i] > '9')
            return false;
        *length = *length * 10 + (size_t)(value.text[i] - '0');
    }
    return true;
}

typedef struct {
    bool length, chunked, cookie;
} seen_t;

static http_result_t parse_header(slice_t line, http_request_t *request, seen_t *seen)
{
    const char *colon = memchr(line.text, ':', line.len);

    if (!colon || colon == line.text)
        return HTTP_BAD;
    slice_t name = {line.text, (size_t)(colon - line.text)};
    slice_t value = {colon + 1, line.len - name.len - 1};
    if (memchr(name.text, ' ', name.len) || memchr(name.text, '\t', name.len))
        return HTTP_BAD; /* also a folded line */
    while (value.len && (value.text[0] == ' ' || value.text[0] == '\t'))
        value.text++, value.len--;
    while (value.len && (value.text[value.len - 1] == ' ' || value.text[value.len - 1] == '\t'))
        value.len--;
    if (is_word(name, "Content-Length")) {
        if (seen->length || !parse_length(value, &request->body_len))
            return HTTP_BAD;
        seen->length = true;
    } else if (is_word(name, "Transfer-Encoding")) {
        seen->chunked = true;
    } else if (is_word(name, "Connection") && is_word(value, "close")) {
        request->close = true;
    } else if (is_word(name, "Cookie") && !seen->cookie) {
        seen->cookie = true;
        request->has_cookie = value.len > 0 && value.len <= HTTP_COOKIE_MAX;
        if (request->has_cookie)
            memcpy(request->cookie, value.text, value.len); /* the rest is zero */
    }
    return HTTP_COMPLETE;
}

http_result_t http_request_parse(const char *data, size_t len, http_request_t *request)
{
    size_t at = 0;
    slice_t line;
    seen_t seen = {0};
    http_result_t result;

    memset(request, 0, sizeof *request);
    if (!next_line(data, len, &at, &line))
        return HTTP_MORE;
    if (!is_printable(line) || (result = parse_request_line(line, request)) == HTTP_BAD)
        return HTTP_BAD;
    if (result != HTTP_COMPLETE)
        return result;
    while (next_line(data, len, &at, &line)) {
        if (line.len == 0) {
            request->head_len = at;
            if (seen.length && seen.chunked)
                return HTTP_BAD; /* the two disagree about where the next request begins */
            if (seen.chunked)
                request->close = true;
            return HTTP_COMPLETE;
        }
        if (!is_printable(line))
            return HTTP_BAD;
        result = parse_header(line, request, &seen);
        if (result != HTTP_COMPLETE)
            return result;
    }
    return HTTP_MORE;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The bounded writer. It refuses what would not be JSON instead of writing it. */
#include <string.h>

#include "json/json.h"
#include "json/utf8.h"

void json_writer_init(json_writer_t *writer, char *buf, size_t cap)
{
    memset(writer, 0, sizeof(*writer));
    writer->buf = buf;
    writer->cap = cap;
    writer->bad = cap == 0;
    if (cap > 0) {
        buf[0] = '\0';
    }
}

static void put(json_writer_t *writer, const char *text, size_t len)
{
    if (writer->bad) {
        return;
    }
    if (writer->cap - writer->len <= len) { /* one byte stays for the NUL */
        writer->bad = true;
        return;
    }
    memcpy(writer->buf + writer->len, text, len);
    writer->len += len;
    writer->buf[writer->len] = '\0';
}

static bool inside_array(const json_writer_t *writer)
{
    unsigned level = writer->depth - 1u;
    return (writer->in_array[level / 8] >> (level % 8) & 1) != 0;
}

/* What must stand before a value: nothing after a name, a comma between elements. */
static void begin_value(json_writer_t *writer)
{
    bool in_object = writer->depth > 0 && !inside_array(writer);
    if (in_object != writer->after_key || (writer->depth == 0 && writer->need_comma)) {
        writer->bad = true;
    } else if (writer->need_comma && !writer->after_key) {
        put(writer, ",", 1);
    }
    writer->after_key = false;
    writer->need_comma = true;
}

static void open_container(json_writer_t *writer, bool array)
{
    begin_value(writer);
    if (writer->depth >= JSON_DEPTH_MAX) {
        writer->bad = true;
    }
    if (writer->bad) {
        return;
    }
    unsigned level = writer->depth++;
    unsigned bit = 1u << (level % 8);
    if (array) {
        writer->in_array[level / 8] |= (uint8_t)bit;
    } else {
        writer->in_array[level / 8] &= (uint8_t)~bit;
    }
    writer->need_comma = false;
    put(writer, array ? "[" : "{", 1);
}

void json_object(json_writer_t *writer)
{
    open_container(writer, false);
}

void json_array(json_writer_t *writer)
{
    open_container(writer, true);
}

void json_end(json_writer_t *writer)
{
    if (writer->depth == 0 || writer->after_key) {
        writer->bad = true;
    }
    if (writer->bad) {
        return;
    }
    put(writer, inside_array(writer) ? "]" : "}", 1);
    writer->depth--;
    writer->need_comma = true;
}

static void put_escaped(json_writer_t *writer, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char shorts[] = "\b\f\n\r\t\"\\";
    static const char names[] = "bfnrt\"\\";
    const char *found = c != '\0' ? strchr(shorts, c) : NULL;

    if (found != NULL) {
        char text[2] = {'\\', names[found - shorts]};
        put(writer, text, sizeof(text));
    } else {
        char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        put(writer, text, sizeof(text));
    }
}

static void put_quoted(json_writer_t *writer, const char *text, size_t len)
{
    size_t plain = 0; /* bytes at `text` that can be copied as they are */

    put(writer, "\"", 1);
    while (plain < len && !writer->bad) {
        unsigned char c = (unsigned char)text[plain];
        size_t n = utf8_length(text + plain, len - plain);
        if (n > 0 && c >= 0x20 && c != '"' && c != '\\') {
            plain += n;
            continue;
        }
        put(writer, text, plain);
        if (n == 0) {
            put(writer, "\xef\xbf\xbd", 3);
        } else {
            put_escaped(writer, c);
        }
        text += plain + 1;
        len -= plain + 1;
        plain = 0;
    }
    put(writer, text, plain);
    put(writer, "\"", 1);
}

void json_key_n(json_writer_t *writer, const char *name, size_t len)
{
    if (writer->depth == 0 || inside_array(writer) || writer->after_key) {
        writer->bad = true;
        return;
    }
    if (writer->need_comma) {
        put(writer, ",", 1);
    }
    put_quoted(writer, name, len);
    put(writer, ":", 1);
    writer->after_key = true;
}

void json_key(json_writer_t *writer, const char *name)
{
    json_key_n(writer, name, strlen(name));
}

void json_put_string_n(json_writer_t *writer, const char *text, size_t len)
{
    begin_value(writer);
    put_quoted(writer, text, len);
}

void json_put_string(json_writer_t *writer, const char *text)
{
    if (text == NULL) {
        json_put_null(writer);
    } else {
        json_put_string_n(writer, text, strlen(text));
    }
}

void json_put_i64(json_writer_t *writer, int64_t value)
{
    char text[20]; /* "-9223372036854775808" */
    size_t at = sizeof(text);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        text[--at] = '-';
    }
    begin_value(writer);
    put(writer, text + at, sizeof(text) - at);
}

void json_put_bool(json_writer_t *writer, bool value)
{
    begin_value(writer);
    put(writer, value ? "true" : "false", value ? 4 : 5);
}

void json_put_null(json_writer_t *writer)
{
    begin_value(writer);
    put(writer, "null", 4);
}

void json_put_raw(json_writer_t *writer, const char *text, size_t len)
{
    begin_value(writer);
    if (len == 0) {
        writer->bad = true; /* nothing is no value */
        return;
    }
    put(writer, text, len);
}

bool json_writer_done(json_writer_t *writer, size_t *len)
{
    if (writer->depth != 0 || !writer->need_comma) {
        writer->bad = true;
    }
    if (len != NULL) {
        *len = writer->bad ? 0 : writer->len;
    }
    return !writer->bad;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads to points. A walk reads the text once to validate it and once more to deliver. */
#include "tbdevice/tb_payload.h"

#include <string.h>

/* What a walk over a payload carries. With `each` NULL it only validates. */
typedef struct {
    json_reader_t reader;
    unsigned flags;
    int64_t now_ms;
    char *scratch;
    size_t scratch_cap;
    tb_point_fn each;
    void *ctx;
    size_t count;
} walk_t;

/* A key decoded (4 bytes a character), behind it a string decoded or a number written out. */
size_t tb_scratch_size(size_t payload_len)
{
    return 3 * payload_len + TB_KEY_BYTES_MAX + 2 * TB_PLAIN_EXTRA + 16;
}

static size_t characters(const char *text, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return count;
}

/* An object or array, copied without the white space between its tokens. */
static tb_parse_t compact(walk_t *walk, const json_token_t *first, char *out, size_t cap,
                          tb_value_t *value)
{
    json_token_t whole;
    if (!json_skip(&walk->reader, first, &whole)) {
        return TB_PARSE_NOT_JSON;
    }
    bool in_string = false;
    size_t o = 0;
    for (size_t i = 0; i < whole.len; i++) {
        char c = whole.text[i];
        if (!in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
            continue;
        }
        if (o + 2 > cap) {
            return TB_PARSE_NO_SCRATCH;
        }
        out[o++] = c;
        if (in_string && c == '\\' && i + 1 < whole.len) {
            out[o++] = whole.text[++i];
        } else if (c == '"') {
            in_string = !in_string;
        }
    }
    *value = (tb_value_t){.type = TB_JSON, .text = out, .len = o};
    return TB_PARSE_OK;
}

/* The value that begins with `token`. *present false: a null. */
static tb_parse_t read_value(walk_t *walk, const json_token_t *token, char *out, size_t cap,
                             tb_value_t *value, bool *present)
{
    size_t len;
    *present = true;
    switch (token->type) {
    case JSON_TRUE:
    case JSON_FALSE:
        *value = (tb_value_t){.type = TB_BOOL, .u.b = token->type == JSON_TRUE};
        return TB_PARSE_OK;
    case JSON_NULL:
        *present = false;
        return (walk->flags & TB_NULL_IS_ERROR) != 0 ? TB_PARSE_NULL : TB_PARSE_OK;
    case JSON_NUMBER:
        if (cap < 2 * token->len + TB_PLAIN_EXTRA) {
            return TB_PARSE_NO_SCRATCH;
        }
        tb_value_from_number(token->text, token->len, out, value);
        return TB_PARSE_OK;
    case JSON_STRING:
        if (cap <= token->len) {
            return TB_PARSE_NO_SCRATCH;
        }
        if (!json_string(token, out, cap, &len)) {
            return TB_PARSE_BAD_TEXT;
        }
        if (cap < len + 1 + 2 * len + TB_PLAIN_EXTRA) {
            return TB_PARSE_NO_SCRATCH;
        }
        if (!tb_value_cast(out, len, out + len + 1, value)) {
            *value = (tb_value_t){.type = TB_STRING, .text = out, .len = len};
        }
        return TB_PARSE_OK;
    case JSON_OBJECT:
    case JSON_ARRAY:
        return compact(walk, token, out, cap, value);
    default:
        return TB_PARSE_NOT_JSON;
    }
}

static tb_parse_t read_key(walk_t *walk, const json_token_t *token, size_t *key_len)
{
    if (token->len > 6 * TB_KEY_BYTES_MAX) {
        return TB_PARSE_BAD_KEY; /* even if every character were \u escaped */
    }
    if (walk->scratch_cap < TB_KEY_BYTES_MAX + 1) {
        return TB_PARSE_NO_SCRATCH;
    }
    char *key = walk->scratch;
    if (!json_string(token, key, TB_KEY_BYTES_MAX + 1, key_len)) {
        return token->len > TB_KEY_BYTES_MAX ? TB_PARSE_BAD_KEY : TB_PARSE_BAD_TEXT;
    }
    size_t count = characters(key, *key_len);
    return count >= 1 && count <= TB_KEY_MAX ? TB_PARSE_OK : TB_PARSE_BAD_KEY;
}

/* The members of an object whose '{' has been read, each one a point at `ts`. */
static tb_parse_t read_members(walk_t *walk, int64_t ts)
{
    json_token_t token;
    while (json_next(&walk->reader, &token) == JSON_KEY) {
        tb_point_t point = {.ts = ts, .key = walk->scratch};
        bool present;
        tb_parse_t result = read_key(walk, &token, &point.key_len);
        if (result != TB_PARSE_OK) {
            return result;
        }
        char *rest = walk->scratch + point.key_len + 1;
        size_t cap = walk->scratch_cap - point.key_len - 1;
        json_next(&walk->reader, &token);
        result = read_value(walk, &token, rest, cap, &point.value, &present);
        if (result != TB_PARSE_OK) {
            return result;
        }
        if (present && walk->each != NULL && !walk->each(walk->ctx, &point)) {
            return TB_PARSE_STOPPED;
        }
        walk->count += present;
    }
    return token.type == JSON_OBJECT_END ? TB_PARSE_OK : TB_PARSE_NOT_JSON;
}

/* Gson's getAsLong: a number, its decimals cut off; or a string that is an integer. */
static bool read_ts(const json_token_t *token, int64_t *ts)
{
    char text[32];
    json_token_t number = *token;
    double d;
    if (token->type == JSON_STRING) {
        number = (json_token_t){.type = JSON_NUMBER, .text = text};
        return json_string(token, text, sizeof text, &number.len) && json_i64(&number, ts);
    }
    if (json_i64(&number, ts)) {
        return true;
    }
    /* 2^63 is a double, and the first that does not fit. */
    if (!json_double(&number, &d) || d < -0x1p63 || d >= 0x1p63) {
        return false;
    }
    *ts = (int64_t)d;
    return true;
}

/* Looks through an object whose '{' has been read for the two members of the timestamped form; the
   last of equal names counts. The walk's reader stays where it is; *ahead ends behind the object.
 */
static tb_parse_t look_ahead(const walk_t *walk, json_token_t *ts, json_token_t *values,
                             json_reader_t *ahead)
{
    json_token_t token;
    *ahead = walk->reader;
    ts->type = JSON_ERROR;
    values->type = JSON_ERROR;
    while (json_next(ahead, &token) == JSON_KEY) {
        json_token_t *found = json_equals(&token, "ts")       ? ts
                              : json_equals(&token, "values") ? values
                                                              : NULL;
        json_next(ahead, &token);
        if (!json_skip(ahead, &token, found)) {
            return TB_PARSE_NOT_JSON;
        }
    }
    return token.type == JSON_OBJECT_END ? TB_PARSE_OK : TB_PARSE_NOT_JSON;
}

/* Telemetry's object, whose '{' has been read: {"ts":..,"values":{..}}, or plain members. */
static tb_parse_t read_object(walk_t *walk)
{
    json_reader_t ahead;
    json_token_t ts_token, values;
    int64_t ts;
    tb_parse_t result = look_ahead(walk, &ts_token, &values, &ahead);
    if (result != TB_PARSE_OK) {
        return result;
    }
    if (ts_token.type == JSON_ERROR || values.type == JSON_ERROR) {
        return read_members(walk, walk->now_ms);
    }
    if (!read_ts(&ts_token, &ts)) {
        return TB_PARSE_BAD_TS;
    }
    if (values.type != JSON_OBJECT) {
        return TB_PARSE_BAD_VALUES;
    }
    json_reader_init(&walk->reader, values.text, values.len);
    json_next(&walk->reader, &values);
    result = read_members(walk, ts);
    walk->reader = ahead;
    return result;
}

static tb_parse_t read_telemetry(walk_t *walk)
{
    json_token_t token;
    json_type_t type = json_next(&walk->reader, &token);
    if (type == JSON_OBJECT) {
        return read_object(walk);
    }
    if (type != JSON_ARRAY) {
        return type == JSON_ERROR || type == JSON_DONE ? TB_PARSE_NOT_JSON : TB_PARSE_WRONG_ROOT;
    }
    size_t elements = 0;
    while (json_next(&walk->reader, &token) == JSON_OBJECT) {
        tb_parse_t result = read_object(walk);
        if (result != TB_PARSE_OK) {
            return result;
        }
        elements++;
    }
    if (token.type != JSON_ARRAY_END) {
        return token.type == JSON_ERROR ? TB_PARSE_NOT_JSON : TB_PARSE_WRONG_ROOT;
    }
    return elements == 0 ? TB_PARSE_EMPTY_ARRAY : TB_PARSE_OK;
}

static tb_parse_t read_attributes(walk_t *walk)
{
    json_token_t token;
    json_type_t type = json_next(&walk->reader, &token);
    if (type == JSON_OBJECT) {
        return read_members(walk, walk->now_ms);
    }
    return type == JSON_ERROR || type == JSON_DONE ? TB_PARSE_NOT_JSON : TB_PARSE_WRONG_ROOT;
}

/* One walk over the whole text, to its end. */
static tb_parse_t walk_all(walk_t *walk, tb_parse_t (*read)(walk_t *), const char *payload,
                           size_t len)
{
    json_token_t end;
    walk->count = 0;
    json_reader_init(&walk->reader, payload, len);
    tb_parse_t result = read(walk);
    if (result == TB_PARSE_OK || result == TB_PARSE_EMPTY_ARRAY) {
        return json_next(&walk->reader, &end) == JSON_DONE ? result : TB_PARSE_NOT_JSON;
    }
    return result;
}

/* Twice over the payload: once to validate, once to deliver. */
static tb_parse_t parse(walk_t *walk, tb_parse_t (*read)(walk_t *), const char *payload, size_t len,
                        size_t *count)
{
    tb_point_fn each = walk->each;
    walk->each = NULL;
    tb_parse_t result = walk_all(walk, read, payload, len);
    if (result == TB_PARSE_OK && each != NULL) {
        walk->each = each;
        result = walk_all(walk, read, payload, len);
    } else if (result != TB_PARSE_OK && !json_valid(payload, len)) {
        result = TB_PARSE_NOT_JSON; /* whatever was wrong before the first syntax error */
    }
    if (count != NULL) {
        *count = walk->each != NULL || result == TB_PARSE_OK ? walk->count : 0;
    }
    return result;
}

tb_parse_t tb_parse_telemetry(const char *payload, size_t len, unsigned flags, int64_t now_ms,
                              char *scratch, size_t scratch_cap, tb_point_fn each, void *ctx,
                              size_t *count)
{
    walk_t walk = {.flags = flags,
                   .now_ms = now_ms,
                   .scratch = scratch,
                   .scratch_cap = scratch_cap,
                   .each = each,
                   .ctx = ctx};
    return parse(&walk, read_telemetry, payload, len, count);
}

tb_parse_t tb_parse_attributes(const char *payload, size_t len, unsigned flags, int64_t now_ms,
                               char *scratch, size_t scratch_cap, tb_point_fn each, void *ctx,
                               size_t *count)
{
    walk_t walk = {.flags = flags,
                   .now_ms = now_ms,
                   .scratch = scratch,
                   .scratch_cap = scratch_cap,
                   .each = each,
                   .ctx = ctx};
    return parse(&walk, read_attributes, payload, len, count);
}

const char *tb_parse_text(tb_parse_t result)
{
    static const char *const texts[] = {
        [TB_PARSE_OK] = "fine",
        [TB_PARSE_EMPTY_ARRAY] = "an empty array",
        [TB_PARSE_NOT_JSON] = "not JSON",
        [TB_PARSE_WRONG_ROOT] = "not an object, nor an array of objects",
        [TB_PARSE_BAD_TS] = "\"ts\" is not a number",
        [TB_PARSE_BAD_VALUES] = "\"values\" is not an object",
        [TB_PARSE_BAD_KEY] = "a key is empty or longer than 255 characters",
        [TB_PARSE_BAD_TEXT] = "a key or a string holds a NUL character",
        [TB_PARSE_NULL] = "a value is null",
        [TB_PARSE_NO_SCRATCH] = "too little memory to parse it",
        [TB_PARSE_STOPPED] = "the store refused a value",
    };
    return result >= 0 && (size_t)result < sizeof texts / sizeof texts[0] ? texts[result] : "?";
}

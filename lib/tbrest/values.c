/* SPDX-License-Identifier: Apache-2.0 */
#include "tbrest/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/json.h"

#define PATH_MAX_LEN 3000
#define KEY_SIZE     1024

/* Turns one JSON value into a tbrest_value_t and hands it out. */
typedef struct {
    tbrest_value_fn each;
    void *ctx;
    bool stopped;
} sink_t;

static bool hand_out(sink_t *sink, const char *key, int64_t ts, const json_token_t *token)
{
    tbrest_value_t value = {.ts = ts, .key = key};
    char *text = malloc(token->len + 1);
    if (text == NULL) {
        return false;
    }
    memcpy(text, token->text, token->len);
    text[token->len] = '\0';
    switch (token->type) {
    case JSON_STRING:
        value.kind = TBREST_STRING;
        if (!json_string(token, text, token->len + 1, NULL)) {
            text[0] = '\0';
        }
        break;
    case JSON_NUMBER:
        value.kind = TBREST_NUMBER;
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        value.kind = TBREST_BOOL;
        break;
    case JSON_NULL:
        value.kind = TBREST_ABSENT;
        break;
    default:
        value.kind = TBREST_JSON;
        break;
    }
    value.text = text;
    sink->stopped = sink->stopped || !sink->each(sink->ctx, &value);
    free(text);
    return true;
}

/* {"ts":..,"value":..} or {"lastUpdateTs":..,"key":..,"value":..} */
static bool read_entry(const json_token_t *entry, const char *key, const char *ts_name,
                       sink_t *sink)
{
    char own_key[KEY_SIZE];
    json_token_t ts_token;
    json_token_t value;
    int64_t ts;
    if (key == NULL) {
        if (!tbrest_text(entry->text, entry->len, "key", own_key, sizeof own_key)) {
            return false;
        }
        key = own_key;
    }
    return json_find(entry->text, entry->len, ts_name, &ts_token) && json_i64(&ts_token, &ts) &&
           json_find(entry->text, entry->len, "value", &value) && hand_out(sink, key, ts, &value);
}

/* An array whose '[' was just read. */
static bool read_array(json_reader_t *reader, const char *key, const char *ts_name, sink_t *sink)
{
    json_token_t token;
    while (json_next(reader, &token) == JSON_OBJECT) {
        json_token_t entry;
        if (!json_skip(reader, &token, &entry) ||
            (!sink->stopped && !read_entry(&entry, key, ts_name, sink))) {
            return false;
        }
    }
    return token.type == JSON_ARRAY_END;
}

/* {"a":[{"ts":..,"value":..}],"b":[...]} */
static bool read_series(const tbrest_answer_t *answer, sink_t *sink)
{
    json_reader_t reader;
    json_token_t token;
    json_reader_init(&reader, answer->body, answer->len);
    if (json_next(&reader, &token) != JSON_OBJECT) {
        return false;
    }
    while (json_next(&reader, &token) == JSON_KEY) {
        char key[KEY_SIZE];
        if (!json_string(&token, key, sizeof key, NULL) ||
            json_next(&reader, &token) != JSON_ARRAY || !read_array(&reader, key, "ts", sink)) {
            return false;
        }
    }
    return token.type == JSON_OBJECT_END;
}

static bool read_attributes(const tbrest_answer_t *answer, sink_t *sink)
{
    json_reader_t reader;
    json_token_t token;
    json_reader_init(&reader, answer->body, answer->len);
    return json_next(&reader, &token) == JSON_ARRAY &&
           read_array(&reader, NULL, "lastUpdateTs", sink);
}

static bool get(tbrest_t *rest, const char *path, bool (*read)(const tbrest_answer_t *, sink_t *),
                tbrest_value_fn each, void *ctx, err_t *err)
{
    tbrest_answer_t answer;
    sink_t sink = {.each = each, .ctx = ctx};
    if (!tbrest_expect(rest, "GET", path, NULL, &answer, err)) {
        return false;
    }
    bool ok = read(&answer, &sink) ||
              err_set(err, ERR_INPUT, "the server's answer to GET %.100s is not as expected", path);
    tbrest_answer_free(&answer);
    return ok;
}

/* "...?keys=a,b" or nothing when `keys` is NULL; `first` is '?' or '&'. */
static bool add_keys(char *path, size_t cap, char first, const char *keys, err_t *err)
{
    size_t used = strlen(path);
    if (keys == NULL) {
        return true;
    }
    int n = snprintf(path + used, cap - used, "%ckeys=", first);
    return (n > 0 && (size_t)n < cap - used &&
            tbrest_encode(keys, path + used + n, cap - used - (size_t)n)) ||
           err_set(err, ERR_USAGE, "the list of keys is too long");
}

bool tbrest_latest(tbrest_t *rest, const char *device_id, const char *keys, tbrest_value_fn each,
                   void *ctx, err_t *err)
{
    char path[PATH_MAX_LEN];
    snprintf(path, sizeof path,
             "/api/plugins/telemetry/DEVICE/%.36s/values/timeseries?useStrictDataTypes=true",
             device_id);
    return add_keys(path, sizeof path, '&', keys, err) &&
           get(rest, path, read_series, each, ctx, err);
}

bool tbrest_range(tbrest_t *rest, const char *device_id, const char *keys, int64_t start_ms,
                  int64_t end_ms, unsigned limit, tbrest_value_fn each, void *ctx, err_t *err)
{
    char path[PATH_MAX_LEN];
    snprintf(path, sizeof path,
             "/api/plugins/telemetry/DEVICE/%.36s/values/timeseries?startTs=%" PRId64
             "&endTs=%" PRId64 "&limit=%u&orderBy=ASC&useStrictDataTypes=true",
             device_id, start_ms, end_ms, limit);
    return add_keys(path, sizeof path, '&', keys, err) &&
           get(rest, path, read_series, each, ctx, err);
}

bool tbrest_attributes(tbrest_t *rest, const char *device_id, const char *scope, const char *keys,
                       tbrest_value_fn each, void *ctx, err_t *err)
{
    char path[PATH_MAX_LEN];
    snprintf(path, sizeof path, "/api/plugins/telemetry/DEVICE/%.36s/values/attributes/%.32s",
             device_id, scope);
    return add_keys(path, sizeof path, '?', keys, err) &&
           get(rest, path, read_attributes, each, ctx, err);
}

bool tbrest_attributes_save(tbrest_t *rest, const char *device_id, const char *scope,
                            const char *json, err_t *err)
{
    char path[160];
    tbrest_answer_t answer;
    snprintf(path, sizeof path, "/api/plugins/telemetry/%.36s/%.32s", device_id, scope);
    if (!tbrest_expect(rest, "POST", path, json, &answer, err)) {
        return false;
    }
    tbrest_answer_free(&answer);
    return true;
}

/* ---- one value ---- */

typedef struct {
    char *out;
    size_t cap;
    int64_t ts;
    bool found;
} one_t;

static bool take_one(void *ctx, const tbrest_value_t *value)
{
    one_t *one = ctx;
    if (value->kind != TBREST_ABSENT) {
        one->found = true;
        one->ts = value->ts;
        snprintf(one->out, one->cap, "%s", value->text);
    }
    return false;
}

bool tbrest_latest_one(tbrest_t *rest, const char *device_id, const char *key, char *out,
                       size_t cap, int64_t *ts, err_t *err)
{
    one_t one = {.out = out, .cap = cap};
    if (!tbrest_latest(rest, device_id, key, take_one, &one, err)) {
        return false;
    }
    if (ts != NULL) {
        *ts = one.ts;
    }
    return one.found ||
           err_set(err, ERR_PRECONDITION, "the device has no value of \"%s\" yet", key);
}

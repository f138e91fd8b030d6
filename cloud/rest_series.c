/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/rest_series.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "http/query.h"
#include "tbdevice/tb_value.h"

#define KEYS          8192
#define LIMIT_DEFAULT 100
#define BUCKETS_MAX   50000

/* How values are to be written. */
typedef struct {
    json_writer_t *w;
    bool strict;
} style_t;

static void put_value(const style_t *style, int64_t ts, const tb_value_t *value)
{
    char scratch[TB_NUMBER_TEXT_MAX];
    const char *text;
    size_t len;
    json_object(style->w);
    rest_put_i64(style->w, "ts", ts);
    json_key(style->w, "value");
    if (value == NULL) {
        json_put_null(style->w);
    } else if (style->strict) {
        tb_value_put_json(style->w, value);
    } else {
        tb_value_to_text(value, scratch, &text, &len);
        json_put_string_n(style->w, text, len);
    }
    json_end(style->w);
}

/* ---- latest ---- */

static bool put_latest(void *ctx, const tb_point_t *point)
{
    const style_t *style = ctx;
    json_key_n(style->w, point->key, point->key_len);
    json_array(style->w);
    put_value(style, point->ts, &point->value);
    json_end(style->w);
    return true;
}

static void read_latest(rest_call_t *call, int64_t row, const char *keys, style_t *style)
{
    err_t err = ERR_INIT;
    const char *key;
    size_t len;
    store_result_t result = STORE_OK;
    json_object(style->w);
    if (*keys == '\0') {
        result = store_latest(call->store, row, NULL, 0, put_latest, style, &err);
    }
    while (rest_next_key(&keys, &key, &len) && result != STORE_FAILED) {
        result = store_latest(call->store, row, key, len, put_latest, style, &err);
        if (result == STORE_NOT_FOUND) {
            json_key_n(style->w, key, len);
            json_array(style->w);
            put_value(style, clock_wall_ms(), NULL);
            json_end(style->w);
        }
    }
    json_end(style->w);
    if (result == STORE_NOT_FOUND || rest_ok(call, result, "Device", &err)) {
        rest_done(call);
    }
}

/* ---- a range ---- */

typedef enum { AGG_NONE, AGG_MIN, AGG_MAX, AGG_AVG, AGG_SUM, AGG_COUNT } agg_t;

typedef struct {
    int64_t from, to;
    int64_t limit;
    int64_t interval;
    bool ascending;
    agg_t agg;
} range_t;

static bool read_range(rest_call_t *call, range_t *range)
{
    static const char *const names[] = {"NONE", "MIN", "MAX", "AVG", "SUM", "COUNT"};
    char text[16] = "";
    range->limit = LIMIT_DEFAULT;
    rest_param_i64(call, "limit", &range->limit);
    rest_param_i64(call, "interval", &range->interval);
    if (rest_param(call, "orderBy", text, sizeof text)) {
        range->ascending = strcmp(text, "ASC") == 0;
    }
    strcpy(text, "NONE");
    rest_param(call, "agg", text, sizeof text);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            range->agg = (agg_t)i;
        }
    }
    if (range->interval <= 0) {
        range->agg = AGG_NONE; /* as ThingsBoard: without an interval, raw points */
    }
    if (!call->replied && (range->limit < 1 || range->limit > 10000000)) {
        rest_text(call, 400, "Incorrect limit");
    }
    /* Both ends are the caller's: their distance may be more than an int64 holds. */
    uint64_t span = range->to > range->from ? (uint64_t)range->to - (uint64_t)range->from : 0;
    if (!call->replied && range->agg != AGG_NONE &&
        (span > INT64_MAX || span / (uint64_t)range->interval > BUCKETS_MAX)) {
        rest_text(call, 400, "Incorrect TsKvQuery. Number of intervals is too high");
    }
    return !call->replied;
}

typedef struct {
    style_t *style;
    const char *key;
    size_t key_len;
    bool open;
} raw_t;

static void open_key(raw_t *raw)
{
    if (!raw->open) {
        json_key_n(raw->style->w, raw->key, raw->key_len);
        json_array(raw->style->w);
        raw->open = true;
    }
}

static bool put_raw(void *ctx, const tb_point_t *point)
{
    raw_t *raw = ctx;
    open_key(raw);
    put_value(raw->style, point->ts, &point->value);
    return true;
}

/* One interval's worth of points. */
typedef struct {
    const range_t *range;
    raw_t *raw;
    int64_t index; /* of the interval; -1: none yet */
    int64_t count;
    bool whole; /* only whole numbers so far */
    int64_t i;  /* sum, minimum or maximum of whole numbers */
    double d;
} bucket_t;

static void close_bucket(bucket_t *b)
{
    if (b->index < 0 || b->count == 0) {
        return;
    }
    int64_t start = b->range->from + b->index * b->range->interval;
    int64_t end =
        b->range->to - start < b->range->interval ? b->range->to : start + b->range->interval;
    tb_value_t value = {.type = TB_DOUBLE};
    switch (b->range->agg) {
    case AGG_COUNT:
        value = (tb_value_t){.type = TB_LONG, .u.i = b->count};
        break;
    case AGG_AVG:
        value.u.d = (b->whole ? (double)b->i : b->d) / (double)b->count;
        break;
    default:
        if (b->whole) {
            value = (tb_value_t){.type = TB_LONG, .u.i = b->i};
        } else {
            value.u.d = b->d;
        }
        break;
    }
    open_key(b->raw);
    /* a sum beyond all doubles is no number that JSON can carry */
    bool finite = value.type != TB_DOUBLE || isfinite(value.u.d);
    put_value(b->raw->style, start + (end - start) / 2, finite ? &value : NULL);
}

static void add_number(bucket_t *b, const tb_value_t *value)
{
    bool is_long = value->type == TB_LONG;
    double d = is_long ? (double)value->u.i : value->u.d;
    int64_t i = is_long ? value->u.i : 0;
    bool first = b->count++ == 0;
    b->whole = (first || b->whole) && is_long;
    switch (b->range->agg) {
    case AGG_MIN:
        b->d = first || d < b->d ? d : b->d;
        b->i = first || i < b->i ? i : b->i;
        break;
    case AGG_MAX:
        b->d = first || d > b->d ? d : b->d;
        b->i = first || i > b->i ? i : b->i;
        break;
    default:
        b->d = first ? d : b->d + d;
        if (first) {
            b->i = i;
        } else if (__builtin_add_overflow(b->i, i, &b->i)) {
            b->whole = false; /* the double goes on */
        }
        break;
    }
}

static bool aggregate(void *ctx, const tb_point_t *point)
{
    bucket_t *b = ctx;
    int64_t index = (point->ts - b->range->from) / b->range->interval;
    if (index != b->index) {
        close_bucket(b);
        *b = (bucket_t){.range = b->range, .raw = b->raw, .index = index};
    }
    if (point->value.type == TB_LONG || point->value.type == TB_DOUBLE) {
        add_number(b, &point->value);
    } else if (b->range->agg == AGG_COUNT) {
        b->count++;
    }
    return true;
}

static void read_points(rest_call_t *call, int64_t row, const char *keys, style_t *style,
                        const range_t *range)
{
    err_t err = ERR_INIT;
    const char *key;
    size_t len;
    store_result_t result = STORE_OK;
    json_object(style->w);
    while (result == STORE_OK && rest_next_key(&keys, &key, &len)) {
        raw_t raw = {style, key, len, false};
        bucket_t bucket = {.range = range, .raw = &raw, .index = -1};
        if (range->agg == AGG_NONE) {
            result = store_range(call->store, row, key, len, range->from, range->to,
                                 !range->ascending, (uint32_t)range->limit, put_raw, &raw, &err);
        } else {
            result = store_range(call->store, row, key, len, range->from, range->to, false, 0,
                                 aggregate, &bucket, &err);
            close_bucket(&bucket);
        }
        if (raw.open) {
            json_end(style->w);
        }
    }
    json_end(style->w);
    if (rest_ok(call, result, "Device", &err)) {
        rest_done(call);
    }
}

/* A list "a,b,.." in the making. */
typedef struct {
    char text[KEYS];
    size_t len;
    bool full;
} keys_t;

static void add_to(keys_t *keys, const char *key, size_t len)
{
    if (keys->full || len + 2 > sizeof keys->text - keys->len) {
        keys->full = true;
        return;
    }
    memcpy(keys->text + keys->len, key, len);
    strcpy(keys->text + keys->len + len, ",");
    keys->len += len + 1;
}

/* Every key of the device: for a range without keys. */
static bool add_key(void *ctx, const tb_point_t *point)
{
    add_to(ctx, point->key, point->key_len);
    return true;
}

/* ?keys=a,b or ?key=a&key=b. */
static void named_keys(rest_call_t *call, keys_t *keys)
{
    char name[16];
    char value[KEYS];
    http_query_t query;
    int found;
    if (rest_param(call, "keys", keys->text, sizeof keys->text) || call->replied) {
        return;
    }
    http_query_init(&query, call->http->query);
    while ((found = http_query_next(&query, name, sizeof name, value, sizeof value)) != 0) {
        if (found == 1 && strcmp(name, "key") == 0) {
            add_to(keys, value, strlen(value));
        }
    }
}

void rest_series_read(rest_call_t *call, int64_t row)
{
    keys_t keys = {.len = 0};
    range_t range = {.from = 0};
    style_t style = {&call->json, rest_param_bool(call, "useStrictDataTypes", false)};
    named_keys(call, &keys);
    bool ranged = rest_param_i64(call, "startTs", &range.from);
    ranged = rest_param_i64(call, "endTs", &range.to) && ranged;
    if (call->replied) {
        return;
    }
    if (!ranged && !keys.full) {
        read_latest(call, row, keys.text, &style);
        return;
    }
    if (keys.text[0] == '\0') {
        store_latest(call->store, row, NULL, 0, add_key, &keys, NULL);
    }
    if (keys.full) {
        rest_text(call, 400, "Too many keys: ask for fewer at a time");
    } else if (read_range(call, &range)) {
        read_points(call, row, keys.text, &style, &range);
    }
}

/* ---- deleting ---- */

void rest_series_delete(rest_call_t *call, int64_t row)
{
    char keys[KEYS] = "";
    const char *at = keys;
    const char *key;
    size_t len;
    size_t count = 0;
    store_erase_t erase = {.from = INT64_MIN};
    rest_param(call, "keys", keys, sizeof keys);
    bool all = rest_param_bool(call, "deleteAllDataForKeys", false);
    erase.delete_latest = rest_param_bool(call, "deleteLatest", true);
    erase.rewrite_latest = rest_param_bool(call, "rewriteLatestIfDeleted", false);
    if (all) {
        erase.from = 0;
        erase.to = clock_wall_ms(); /* what lies in the future stays, as at ThingsBoard */
    } else if (!rest_param_i64(call, "startTs", &erase.from) ||
               !rest_param_i64(call, "endTs", &erase.to)) {
        if (!call->replied) {
            rest_text(call, 400,
                      "StartTs and endTs could not be empty when deleteAllDataForKeys equals "
                      "[false]");
        }
        return;
    }
    while (!call->replied && rest_next_key(&at, &key, &len)) {
        err_t err = ERR_INIT;
        if (!rest_ok(call, store_range_delete(call->store, row, key, len, &erase, &err), "Device",
                     &err)) {
            return;
        }
        count++;
    }
    if (call->replied) {
        return;
    }
    if (count == 0) {
        rest_text(call, 400, "Empty keys: []");
    } else {
        rest_empty(call);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* TelemetryController: series and attributes of devices. Its errors are plain text. */
#include "cloud/rest_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cloud/rest_series.h"
#include "tbdevice/tb_payload.h"

#define BOTH (AUTH_TENANT_ADMIN | AUTH_CUSTOMER_USER)
#define P    "/api/plugins/telemetry/"
#define KEYS 8192

/* ---- which device ---- */

typedef struct {
    int64_t row;
    store_id_t customer;
} target_t;

static void note_target(void *ctx, const store_device_t *device)
{
    target_t *target = ctx;
    target->row = device->row;
    target->customer = device->customer;
}

int64_t rest_target(rest_call_t *call)
{
    target_t t = {.row = 0};
    err_t err = ERR_INIT;
    store_result_t result = store_device_get(call->store, &call->id[0], note_target, &t, &err);
    if (result == STORE_NOT_FOUND) {
        rest_text(call, 404, "Device with requested id wasn't found!");
        return 0;
    }
    if (!rest_ok(call, result, "Device", &err)) {
        return 0;
    }
    if (!rest_is_own(call, &t.customer)) {
        rest_text(call, 403, "You don't have permission to perform this operation!");
        return 0;
    }
    return t.row;
}

static bool scope(rest_call_t *call, bool writable, tb_scope_t *out)
{
    char text[REST_WORD_MAX + 32] = "Invalid scope: ";
    if (tb_scope_parse(call->word[0], strlen(call->word[0]), out) &&
        (!writable || *out != TB_CLIENT_SCOPE)) {
        return true;
    }
    strcat(text, call->word[0]);
    rest_text(call, 400, text);
    return false;
}

/* ---- lists of keys ---- */

bool rest_next_key(const char **list, const char **key, size_t *len)
{
    while (**list == ',') {
        ++*list;
    }
    *key = *list;
    *len = strcspn(*list, ",");
    *list += *len;
    return *len > 0;
}

/* ---- keys and attributes ---- */

static bool put_point_key(void *ctx, const tb_point_t *point)
{
    json_put_string_n(ctx, point->key, point->key_len);
    return true;
}

static void series_keys(rest_call_t *call)
{
    err_t err = ERR_INIT;
    int64_t row = rest_target(call);
    if (row == 0) {
        return;
    }
    json_array(&call->json);
    store_result_t result =
        store_latest(call->store, row, NULL, 0, put_point_key, &call->json, &err);
    json_end(&call->json);
    if (result == STORE_NOT_FOUND || rest_ok(call, result, "Device", &err)) {
        rest_done(call);
    }
}

static bool put_attribute_key(void *ctx, const store_attribute_t *attribute)
{
    json_put_string_n(ctx, attribute->key, attribute->key_len);
    return true;
}

static bool put_attribute(void *ctx, const store_attribute_t *attribute)
{
    json_writer_t *w = ctx;
    json_object(w);
    rest_put_i64(w, "lastUpdateTs", attribute->updated_ms);
    json_key(w, "key");
    json_put_string_n(w, attribute->key, attribute->key_len);
    json_key(w, "value");
    tb_value_put_json(w, &attribute->value);
    json_end(w);
    return true;
}

static void list_attributes(rest_call_t *call, tb_scope_t in, store_attribute_fn_t put)
{
    char keys[KEYS] = "";
    err_t err = ERR_INIT;
    int64_t row = rest_target(call);
    if (row == 0) {
        return;
    }
    bool some = put == put_attribute && rest_param(call, "keys", keys, sizeof keys);
    if (call->replied) {
        return;
    }
    json_array(&call->json);
    store_result_t result = STORE_OK;
    if (!some) {
        result = store_attribute_list(call->store, row, in, put, &call->json, &err);
    }
    const char *at = keys;
    const char *key;
    size_t len;
    while (some && result == STORE_OK && rest_next_key(&at, &key, &len)) {
        for (int s = TB_CLIENT_SCOPE; s <= TB_SERVER_SCOPE; s++) {
            if (in == 0 || in == (tb_scope_t)s) {
                store_attribute_get(call->store, row, (tb_scope_t)s, key, len, put, &call->json,
                                    &err);
            }
        }
    }
    json_end(&call->json);
    if (rest_ok(call, result, "Device", &err)) {
        rest_done(call);
    }
}

static void attribute_keys(rest_call_t *call)
{
    list_attributes(call, 0, put_attribute_key);
}

static void attribute_keys_of(rest_call_t *call)
{
    tb_scope_t in;
    if (scope(call, false, &in)) {
        list_attributes(call, in, put_attribute_key);
    }
}

static void attributes(rest_call_t *call)
{
    list_attributes(call, 0, put_attribute);
}

static void attributes_of(rest_call_t *call)
{
    tb_scope_t in;
    if (scope(call, false, &in)) {
        list_attributes(call, in, put_attribute);
    }
}

/* ---- writing attributes ---- */

/* Where parsed points go: into the store, and into the push to the device. */
typedef struct {
    rest_call_t *call;
    int64_t row;
    tb_scope_t scope;
    bool series;
    err_t err;
} sink_t;

static bool save(void *ctx, const tb_point_t *point)
{
    sink_t *sink = ctx;
    store_t *store = sink->call->store;
    if (sink->series) {
        return store_point_add(store, sink->row, point, &sink->err) == STORE_OK;
    }
    json_key_n(&sink->call->json, point->key, point->key_len);
    tb_value_put_json(&sink->call->json, &point->value);
    return store_attribute_put(store, sink->row, sink->scope, point->key, point->key_len,
                               &point->value, clock_wall_ms(), &sink->err) == STORE_OK;
}

/* Parses the body into the sink. False: replied. *count: the values. */
static bool take_body(rest_call_t *call, sink_t *sink, size_t *count)
{
    const char *body = call->http->body;
    size_t len = call->http->body_len;
    size_t cap = tb_scratch_size(len);
    char *scratch = malloc(cap);
    if (scratch == NULL) {
        rest_text(call, 500, "Out of memory");
        return false;
    }
    tb_parse_t result =
        sink->series
            ? tb_parse_telemetry(body, len, 0, clock_wall_ms(), scratch, cap, save, sink, count)
            : tb_parse_attributes(body, len, TB_NULL_IS_ERROR, clock_wall_ms(), scratch, cap, save,
                                  sink, count);
    free(scratch);
    switch (result) {
    case TB_PARSE_OK:
    case TB_PARSE_EMPTY_ARRAY:
        return true;
    case TB_PARSE_NOT_JSON:
        rest_text(call, 400, "Invalid JSON");
        break;
    case TB_PARSE_WRONG_ROOT:
        rest_text(call, 400, "Request is not a JSON object");
        break;
    case TB_PARSE_STOPPED:
        store_rollback(call->store);
        rest_text(call, 500, "The store failed");
        break;
    default:
        rest_text(call, 400, tb_parse_text(result));
        break;
    }
    return false;
}

static void save_attributes(rest_call_t *call)
{
    tb_scope_t into;
    size_t count = 0;
    size_t len = 0;
    const rest_hooks_t *hooks = &call->rest->settings.hooks;
    int64_t row = scope(call, true, &into) ? rest_target(call) : 0;
    if (row == 0) {
        return;
    }
    sink_t sink = {call, row, into, false, ERR_INIT};
    json_object(&call->json);
    if (!take_body(call, &sink, &count)) {
        return;
    }
    json_end(&call->json);
    if (count == 0) {
        rest_text(call, 400, "No attributes data found in request body!");
        return;
    }
    if (!rest_commit(call)) {
        return;
    }
    if (into == TB_SHARED_SCOPE && hooks->shared_saved != NULL &&
        json_writer_done(&call->json, &len)) {
        hooks->shared_saved(hooks->ctx, &call->id[0], call->rest->out, len);
    }
    rest_empty(call);
}

static void save_series(rest_call_t *call)
{
    int64_t row = rest_target(call);
    sink_t sink = {call, row, TB_SERVER_SCOPE, true, ERR_INIT};
    if (row != 0 && take_body(call, &sink, NULL)) {
        rest_empty(call);
    }
}

static void delete_attributes(rest_call_t *call)
{
    tb_scope_t from;
    char keys[KEYS] = "";
    const char *at = keys;
    const char *key;
    size_t len;
    const rest_hooks_t *hooks = &call->rest->settings.hooks;
    int64_t row = scope(call, false, &from) ? rest_target(call) : 0;
    if (row == 0) {
        return;
    }
    rest_param(call, "keys", keys, sizeof keys);
    json_object(&call->json);
    json_key(&call->json, "deleted");
    json_array(&call->json);
    size_t count = 0;
    while (!call->replied && rest_next_key(&at, &key, &len)) {
        err_t err = ERR_INIT;
        store_result_t result = store_attribute_delete(call->store, row, from, key, len, &err);
        if (result != STORE_NOT_FOUND && !rest_ok(call, result, "Attribute", &err)) {
            return;
        }
        json_put_string_n(&call->json, key, len);
        count++;
    }
    json_end(&call->json);
    json_end(&call->json);
    if (call->replied) {
        return;
    }
    if (count == 0) {
        rest_text(call, 400, "Empty keys: []");
        return;
    }
    if (!rest_commit(call)) {
        return;
    }
    if (from == TB_SHARED_SCOPE && hooks->shared_deleted != NULL &&
        json_writer_done(&call->json, &len)) {
        hooks->shared_deleted(hooks->ctx, &call->id[0], call->rest->out, len);
    }
    rest_empty(call);
}

/* ---- series ---- */

static void series(rest_call_t *call)
{
    int64_t row = rest_target(call);
    if (row != 0) {
        rest_series_read(call, row);
    }
}

static void delete_series(rest_call_t *call)
{
    int64_t row = rest_target(call);
    if (row != 0) {
        rest_series_delete(call, row);
    }
}

const rest_route_t REST_TELEMETRY[] = {
    {HTTP_GET, P "DEVICE/{id}/keys/timeseries", BOTH, series_keys},
    {HTTP_GET, P "DEVICE/{id}/keys/attributes", BOTH, attribute_keys},
    {HTTP_GET, P "DEVICE/{id}/keys/attributes/{word}", BOTH, attribute_keys_of},
    {HTTP_GET, P "DEVICE/{id}/values/timeseries", BOTH, series},
    {HTTP_GET, P "DEVICE/{id}/values/attributes", BOTH, attributes},
    {HTTP_GET, P "DEVICE/{id}/values/attributes/{word}", BOTH, attributes_of},
    {HTTP_DELETE, P "DEVICE/{id}/timeseries/delete", BOTH, delete_series},
    {HTTP_POST, P "DEVICE/{id}/timeseries/{word}", BOTH, save_series},
    {HTTP_POST, P "DEVICE/{id}/attributes/{word}", BOTH, save_attributes},
    {HTTP_POST, P "DEVICE/{id}/{word}", BOTH, save_attributes},
    {HTTP_DELETE, P "DEVICE/{id}/{word}", BOTH, delete_attributes},
    {HTTP_POST, P "{id}/{word}", BOTH, save_attributes},
    {HTTP_DELETE, P "{id}/{word}", BOTH, delete_attributes},
    {0},
};

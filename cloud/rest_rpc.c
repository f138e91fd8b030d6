/* SPDX-License-Identifier: Apache-2.0 */
/* RpcV1Controller and RpcV2Controller: calls to devices. A request waits until its call has ended.
   Errors about the device are plain text, as in the telemetry controller. */
#include "cloud/rest_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define BOTH (AUTH_TENANT_ADMIN | AUTH_CUSTOMER_USER)
#define V1   "/api/plugins/rpc/"
#define V2   "/api/rpc/"

/* ---- requests that wait ---- */

struct rest_wait {
    struct rest_wait *next;
    rest_t *rest;
    http_request_t *http; /* NULL: its client is gone, only the call goes on */
    bool v1;
};

static void forget(struct rest_wait *wait)
{
    struct rest_wait **at = &wait->rest->waits;
    while (*at != wait) {
        at = &(*at)->next;
    }
    *at = wait->next;
    wait->rest->wait_count -= wait->http != NULL;
    free(wait);
}

static int timeout_status(rpc_outcome_t outcome, bool v1)
{
    return !v1 ? 504 : outcome == RPC_NO_SESSION ? 409 : 408;
}

static void on_done(void *ctx, rpc_outcome_t outcome, const char *text, size_t len)
{
    struct rest_wait *wait = ctx;
    http_request_t *http = wait->http;
    if (http == NULL) {
        /* nobody to tell */
    } else if (outcome == RPC_TIMED_OUT || outcome == RPC_NO_SESSION) {
        http_reply(http, timeout_status(outcome, wait->v1), NULL, NULL, 0, NULL);
    } else if (outcome == RPC_DELIVERED || len == 0) {
        http_reply(http, 200, NULL, NULL, 0, NULL);
    } else if (!json_valid(text, len)) {
        http_reply(http, 406, NULL, NULL, 0, NULL);
    } else {
        http_reply(http, 200, "application/json", text, len, NULL);
    }
    forget(wait);
}

/* Each waiting request holds a place of the HTTP server; those without a client give theirs back.
 */
static void reap(rest_t *rest)
{
    for (struct rest_wait *wait = rest->waits; wait != NULL; wait = wait->next) {
        if (wait->http != NULL && !http_request_alive(wait->http)) {
            http_reply(wait->http, 504, NULL, NULL, 0, NULL);
            wait->http = NULL;
            rest->wait_count--;
        }
    }
}

/* ---- the body ---- */

/* What Jackson's asLong makes of a member. */
static int64_t as_long(const json_token_t *token)
{
    int64_t value = 0;
    double real;
    if (token->type == JSON_TRUE) {
        return 1;
    }
    if (token->type != JSON_NUMBER && token->type != JSON_STRING) {
        return 0;
    }
    json_token_t number = *token;
    number.type = JSON_NUMBER;
    if (number.len > 0 && json_valid(number.text, number.len) && !json_i64(&number, &value) &&
        json_double(&number, &real)) {
        value = real >= 9.2e18 ? INT64_MAX : real <= -9.2e18 ? INT64_MIN : (int64_t)real;
    }
    return value;
}

static bool as_bool(const json_token_t *token)
{
    return token->type == JSON_TRUE || (token->type == JSON_STRING && json_equals(token, "true")) ||
           (token->type == JSON_NUMBER && as_long(token) != 0);
}

/* As Jackson prints a value: without white space between the tokens. Returns the length. */
static size_t compact(const json_token_t *token, char *out)
{
    bool quoted = false;
    size_t o = 0;
    if (token->type == JSON_STRING) { /* without its quotes in the token */
        out[o++] = '"';
        memcpy(out + o, token->text, token->len);
        o += token->len;
        out[o++] = '"';
        return o;
    }
    for (size_t i = 0; i < token->len; i++) {
        char c = token->text[i];
        if (quoted && c == '\\') {
            out[o++] = c;
            c = token->text[++i];
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && strchr(" \t\r\n", c) != NULL) {
            continue;
        }
        out[o++] = c;
    }
    return o;
}

typedef struct {
    rpc_call_t call;
    bool persistent;
    int64_t retries;
    const char *info; /* NULL: none */
    char *block;      /* holds the texts */
} body_t;

static int64_t expiry(const char *json, size_t len)
{
    json_token_t token;
    int64_t now = clock_wall_ms();
    int64_t timeout = RPC_TIMEOUT_MS;
    if (json_find(json, len, "expirationTime", &token)) {
        return as_long(&token);
    }
    if (json_find(json, len, "timeout", &token)) {
        timeout = as_long(&token);
    }
    timeout = timeout < RPC_TIMEOUT_MIN ? RPC_TIMEOUT_MIN : timeout;
    return timeout < INT64_MAX - now ? now + timeout : INT64_MAX;
}

/* The method as Jackson's asText. */
static bool read_method(const json_token_t *token, char *out, size_t cap)
{
    if (token->type == JSON_STRING) {
        return json_string(token, out, cap, NULL);
    }
    size_t len = token->type == JSON_OBJECT || token->type == JSON_ARRAY ? 0 : token->len;
    memcpy(out, token->text, len);
    out[len] = '\0';
    return true;
}

/* False: replied. */
static bool read_body(rest_call_t *call, bool two_way, body_t *body)
{
    const char *json = call->http->body;
    size_t len = call->http->body_len;
    json_token_t token;
    memset(body, 0, sizeof *body);
    if (!json_valid(json, len)) {
        rest_error(call, 400, REST_BAD_REQUEST, "Invalid request body");
        return false;
    }
    char *at = malloc(3 * (len + 3));
    body->block = at;
    if (at == NULL || !json_find(json, len, "method", &token) ||
        !read_method(&token, at, len + 1)) {
        rest_error(call, 500, REST_GENERAL, "A call needs a \"method\"");
        return false;
    }
    body->call.device = call->id[0];
    body->call.method = at;
    body->call.two_way = two_way;
    body->call.expires_ms = expiry(json, len);
    at += strlen(at) + 1;
    if (json_find(json, len, "params", &token) && token.type != JSON_NULL) {
        body->call.params = at;
        body->call.params_len = compact(&token, at);
        at += body->call.params_len;
    }
    body->persistent = json_find(json, len, "persistent", &token) && as_bool(&token);
    body->retries = json_find(json, len, "retries", &token) ? as_long(&token) : -1;
    if (json_find(json, len, "additionalInfo", &token) && token.type != JSON_NULL) {
        at[compact(&token, at)] = '\0';
        body->info = at;
    }
    return true;
}

/* ---- calling ---- */

/* Answers what did not begin. */
static void not_begun(rest_call_t *call, rpc_result_t result, bool v1, const err_t *err)
{
    switch (result) {
    case RPC_EXPIRED:
        rest_status(call, timeout_status(RPC_TIMED_OUT, v1));
        break;
    case RPC_BUSY:
        rest_error(call, 429, REST_TOO_MANY, "Too many calls are waiting: try again later");
        break;
    case RPC_TOO_LARGE:
        rest_error(call, 400, REST_BAD_REQUEST, "The call is larger than %d bytes",
                   RPC_PAYLOAD_MAX);
        break;
    default:
        rest_error(call, 500, REST_GENERAL, "%s", err->kind != ERR_NONE ? err->text : "No memory");
        break;
    }
}

static void start_persistent(rest_call_t *call, const body_t *body, bool v1)
{
    store_id_t id;
    err_t err = ERR_INIT;
    char text[STORE_ID_SIZE];
    rpc_result_t result = body->info != NULL && strlen(body->info) > STORE_JSON_MAX
                              ? RPC_TOO_LARGE
                              : rpc_start_persistent(call->rest->settings.rpc, &body->call,
                                                     body->retries, body->info, &id, &err);
    if (result != RPC_OK) {
        not_begun(call, result, v1, &err);
        return;
    }
    store_id_format(&id, text);
    json_object(&call->json);
    rest_put_text(&call->json, "rpcId", text);
    json_end(&call->json);
    rest_done(call);
}

static void start_waiting(rest_call_t *call, const body_t *body, bool v1)
{
    rest_t *rest = call->rest;
    const err_t none = ERR_INIT;
    if (rest->wait_count >= REST_WAITS_MAX) {
        reap(rest);
    }
    if (rest->wait_count >= REST_WAITS_MAX) {
        not_begun(call, RPC_BUSY, v1, &none);
        return;
    }
    struct rest_wait *wait = calloc(1, sizeof *wait);
    if (wait == NULL) {
        not_begun(call, RPC_FAILED, v1, &none);
        return;
    }
    *wait = (struct rest_wait){rest->waits, rest, call->http, v1};
    rest->waits = wait;
    rest->wait_count++;
    rpc_result_t result = rpc_start(rest->settings.rpc, &body->call, on_done, wait);
    if (result == RPC_OK) {
        call->later = true; /* or answered already */
    } else {
        forget(wait);
        not_begun(call, result, v1, &none);
    }
}

static bool is_offered(rest_call_t *call)
{
    if (call->rest->settings.rpc == NULL) {
        rest_error(call, 500, REST_GENERAL, "Calls to devices are not offered here");
        return false;
    }
    return true;
}

static void start(rest_call_t *call, bool two_way, bool v1)
{
    body_t body = {.block = NULL};
    if (is_offered(call) && read_body(call, two_way, &body) && rest_target(call) != 0) {
        if (body.persistent) {
            start_persistent(call, &body, v1);
        } else {
            start_waiting(call, &body, v1);
        }
    }
    free(body.block);
}

static void one_way_1(rest_call_t *call)
{
    start(call, false, true);
}

static void two_way_1(rest_call_t *call)
{
    start(call, true, true);
}

static void one_way_2(rest_call_t *call)
{
    start(call, false, false);
}

static void two_way_2(rest_call_t *call)
{
    start(call, true, false);
}

/* ---- persistent ones ---- */

static void put_raw(json_writer_t *w, const char *name, const char *json)
{
    json_key(w, name);
    if (json != NULL && json[0] != '\0') {
        json_put_raw(w, json, strlen(json));
    } else {
        json_put_null(w);
    }
}

static void put_rpc(void *ctx, const store_rpc_t *rpc)
{
    json_writer_t *w = ctx;
    json_object(w);
    rest_put_id(w, "id", "RPC", &rpc->id);
    rest_put_i64(w, "createdTime", rpc->created_ms);
    rest_put_id(w, "tenantId", "TENANT", &rpc->tenant);
    rest_put_id(w, "deviceId", "DEVICE", &rpc->device);
    rest_put_i64(w, "expirationTime", rpc->expires_ms);
    put_raw(w, "request", rpc->request);
    put_raw(w, "response", rpc->response);
    rest_put_text(w, "status", rpc->status);
    put_raw(w, "additionalInfo", rpc->info);
    json_end(w);
}

static void note_device(void *ctx, const store_rpc_t *rpc)
{
    *(store_id_t *)ctx = rpc->device;
}

/* ThingsBoard looks at the tenant only. False: replied. */
static bool may_read(rest_call_t *call)
{
    store_id_t rpc = call->id[0];
    err_t err = ERR_INIT;
    if (call->rest->settings.as_thingsboard) {
        return true;
    }
    if (!rest_ok(call, store_rpc_get(call->store, &rpc, note_device, &call->id[0], &err), "Rpc",
                 &err) ||
        rest_target(call) == 0) {
        return false;
    }
    call->id[0] = rpc;
    return true;
}

static void get_one(rest_call_t *call)
{
    err_t err = ERR_INIT;
    if (may_read(call) &&
        rest_ok(call, store_rpc_get(call->store, &call->id[0], put_rpc, &call->json, &err), "Rpc",
                &err)) {
        rest_done(call);
    }
}

static bool is_status(const char *text)
{
    static const char *const all[] = {"QUEUED",  "SENT",    "DELIVERED", "SUCCESSFUL",
                                      "TIMEOUT", "EXPIRED", "FAILED"};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(text, all[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void list(rest_call_t *call)
{
    char status[16] = "";
    char search[STORE_TEXT];
    store_page_t page;
    uint64_t total;
    err_t err = ERR_INIT;
    bool some = rest_param(call, "rpcStatus", status, sizeof status) && status[0] != '\0';
    if (call->replied || !rest_page(call, &page, search)) {
        return;
    }
    if (some && !is_status(status)) {
        rest_error(call, 400, REST_BAD_REQUEST, "RpcStatus: %s", status);
        return;
    }
    if (rest_target(call) == 0) {
        return;
    }
    json_object(&call->json);
    json_key(&call->json, "data");
    json_array(&call->json);
    if (rest_ok(call,
                store_rpc_list(call->store, &call->id[0], some ? status : NULL, &page, put_rpc,
                               &call->json, &total, &err),
                "Rpc", &err)) {
        rest_page_end(call, &page, total);
        rest_done(call);
    }
}

static void delete_one(rest_call_t *call)
{
    err_t err = ERR_INIT;
    if (is_offered(call) &&
        rest_ok(call, rpc_delete_persistent(call->rest->settings.rpc, &call->id[0], &err), "Rpc",
                &err)) {
        rest_empty(call);
    }
}

const rest_route_t REST_RPC[] = {
    {HTTP_POST, V2 "oneway/{id}", BOTH, one_way_2},
    {HTTP_POST, V2 "twoway/{id}", BOTH, two_way_2},
    {HTTP_POST, V1 "oneway/{id}", BOTH, one_way_1},
    {HTTP_POST, V1 "twoway/{id}", BOTH, two_way_1},
    {HTTP_GET, V2 "persistent/device/{id}", BOTH, list},
    {HTTP_GET, V2 "persistent/{id}", BOTH, get_one},
    {HTTP_DELETE, V2 "persistent/{id}", AUTH_TENANT_ADMIN, delete_one},
    {0},
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/rest_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cloud/log.h"
#include "http/query.h"

static const rest_route_t *const TABLES[] = {
    REST_AUTH,     REST_DEVICE, REST_DEVICE_WRITE, REST_PROFILE, REST_PROFILE_WRITE,
    REST_CUSTOMER, REST_USER,   REST_TELEMETRY,    REST_RPC,     REST_ALARM};

bool rest_open(rest_t **rest, const rest_settings_t *settings, err_t *err)
{
    rest_t *r = calloc(1, sizeof *r);
    char *out = malloc(REST_ANSWER_MAX);
    if (r == NULL || out == NULL) {
        free(r);
        free(out);
        return err_set(err, ERR_SYSTEM, "out of memory for the REST API");
    }
    r->settings = *settings;
    r->out = out;
    *rest = r;
    return true;
}

void rest_close(rest_t *rest)
{
    if (rest != NULL) {
        free(rest->out);
        free(rest);
    }
}

/* ---- matching ---- */

/* How a path and a pattern fit. */
typedef enum { NO_MATCH, MATCH, BAD_ID } match_t;

/* One segment, from `at` up to the next '/' or the end. */
static size_t segment(const char *at)
{
    return strcspn(at, "/");
}

static match_t match(const char *pattern, const char *path, rest_call_t *call, char bad[64])
{
    size_t ids = 0;
    size_t words = 0;
    match_t result = MATCH;
    while (*pattern == '/' && *path == '/') {
        pattern++;
        path++;
        size_t want = segment(pattern);
        size_t have = segment(path);
        if (want == 4 && memcmp(pattern, "{id}", 4) == 0) {
            if (!store_id_parse(path, have, &call->id[ids]) && result == MATCH) {
                result = BAD_ID;
                snprintf(bad, 64, "%.*s", (int)(have < 60 ? have : 60), path);
            }
            ids += ids < 1;
        } else if (want == 6 && memcmp(pattern, "{word}", 6) == 0) {
            if (have == 0 || have >= REST_WORD_MAX) {
                return NO_MATCH;
            }
            snprintf(call->word[words], REST_WORD_MAX, "%.*s", (int)have, path);
            words += words < 1;
        } else if (want != have || memcmp(pattern, path, want) != 0) {
            return NO_MATCH;
        }
        pattern += want;
        path += have;
    }
    return *pattern == '\0' && *path == '\0' ? result : NO_MATCH;
}

/* The first route that fits path and method; a path that only fits with another method, or with an
   id that is none, is remembered for the answer. */
typedef struct {
    const rest_route_t *route;
    bool other_method;
    bool bad_id;
    char bad[64];
} found_t;

static void find(rest_call_t *call, found_t *found)
{
    memset(found, 0, sizeof *found);
    for (size_t t = 0; t < sizeof TABLES / sizeof TABLES[0]; t++) {
        for (const rest_route_t *r = TABLES[t]; r->pattern != NULL; r++) {
            char bad[64];
            match_t m = match(r->pattern, call->http->path, call, bad);
            if (m == NO_MATCH) {
                continue;
            }
            if (r->method != call->http->method) {
                found->other_method = true;
            } else if (m == MATCH) {
                found->route = r;
                return;
            } else if (!found->bad_id) {
                found->bad_id = true;
                memcpy(found->bad, bad, sizeof bad);
            }
        }
    }
}

/* ---- answers without a route ---- */

static void reply(rest_call_t *call, int status, const char *type, const char *body, size_t len);

/* What ThingsBoard's web framework answers by itself has its members in another order. */
static void no_route(rest_call_t *call, int status, int code, const char *before, const char *what,
                     const char *after)
{
    char message[512];
    char body[1024];
    json_writer_t w;
    size_t len;
    snprintf(message, sizeof message, "%s%s%s", before, what, after);
    json_writer_init(&w, body, sizeof body);
    json_object(&w);
    rest_put_text(&w, "message", message);
    rest_put_i64(&w, "errorCode", code);
    rest_put_i64(&w, "status", status);
    rest_put_i64(&w, "timestamp", clock_wall_ms());
    json_end(&w);
    if (!json_writer_done(&w, &len)) {
        len = 0;
    }
    reply(call, status, "application/json", body, len);
}

/* ---- the way in ---- */

static bool identify(rest_call_t *call)
{
    err_t err = ERR_INIT;
    switch (auth_check(call->rest->settings.auth, call->http->authorization, &call->caller, &err)) {
    case AUTH_OK:
        return true;
    case AUTH_MISSING:
        rest_error(call, 401, REST_AUTHENTICATION, "Authentication failed");
        return false;
    case AUTH_EXPIRED:
        rest_error(call, 401, REST_TOKEN_EXPIRED, "Token has expired");
        return false;
    case AUTH_DISABLED:
        rest_error(call, 401, REST_AUTHENTICATION, "User account is not active");
        return false;
    case AUTH_FAILED:
        cloud_log(LOG_ERROR, "store", "what=login why=\"%s\"", err.text);
        rest_error(call, 500, REST_GENERAL, "The store failed");
        return false;
    default:
        rest_error(call, 401, REST_AUTHENTICATION, "Invalid username or password");
        return false;
    }
}

void rest_handle(void *ctx, http_request_t *request)
{
    rest_call_t call = {.rest = ctx, .http = request};
    found_t found;
    call.store = call.rest->settings.store;
    json_writer_init(&call.json, call.rest->out, REST_ANSWER_MAX);
    find(&call, &found);
    bool open = found.route != NULL && found.route->who == 0;
    if (!open && !identify(&call)) {
        return;
    }
    if (found.route == NULL && found.bad_id) {
        rest_error(&call, 400, REST_BAD_REQUEST, "Invalid UUID string: %s", found.bad);
    } else if (found.route == NULL && found.other_method) {
        no_route(&call, 405, REST_BAD_REQUEST, "Request method '",
                 http_method_name(request->method), "' is not supported");
    } else if (found.route == NULL) {
        no_route(&call, 404, REST_NOT_FOUND, "No static resource ", request->path + 1, ".");
    } else if (!open && (found.route->who & call.caller.authority) == 0) {
        rest_error(&call, 403, REST_PERMISSION,
                   "You don't have permission to perform this operation!");
    } else {
        found.route->handle(&call);
        if (!call.replied && !call.later) {
            cloud_log(LOG_ERROR, "rest", "path=%s why=\"no answer was made\"",
                      found.route->pattern);
            rest_error(&call, 500, REST_GENERAL, "No answer was made");
        }
    }
}

/* ---- answers ---- */

/* The request is gone with its answer. Who asks for its parameters still finds none. */
static void reply(rest_call_t *call, int status, const char *type, const char *body, size_t len)
{
    static http_request_t gone = {.path = "",
                                  .query = "",
                                  .authorization = "",
                                  .device_id = "",
                                  .content_type = "",
                                  .host = "",
                                  .peer = "",
                                  .body = ""};
    if (!call->replied) {
        call->replied = true;
        http_reply(call->http, status, type, body, len, NULL);
        call->http = &gone;
    }
}

void rest_error(rest_call_t *call, int status, int code, const char *format, ...)
{
    char message[512];
    char body[1024];
    json_writer_t w;
    size_t len;
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    json_writer_init(&w, body, sizeof body);
    json_object(&w);
    rest_put_i64(&w, "status", status);
    rest_put_text(&w, "message", message);
    rest_put_i64(&w, "errorCode", code);
    rest_put_i64(&w, "timestamp", clock_wall_ms());
    json_end(&w);
    if (!json_writer_done(&w, &len)) {
        len = 0;
    }
    reply(call, status, "application/json", body, len);
}

void rest_text(rest_call_t *call, int status, const char *text)
{
    reply(call, status, "text/plain;charset=UTF-8", text, strlen(text));
}

void rest_status(rest_call_t *call, int status)
{
    reply(call, status, NULL, NULL, 0);
}

void rest_done(rest_call_t *call)
{
    size_t len;
    if (json_writer_done(&call->json, &len)) {
        reply(call, 200, "application/json", call->rest->out, len);
    } else {
        rest_error(call, 400, REST_BAD_REQUEST,
                   "The answer would be larger than %u bytes: ask for less at a time",
                   REST_ANSWER_MAX);
    }
}

bool rest_commit(rest_call_t *call)
{
    err_t err = ERR_INIT;
    if (!store_commit(call->store, &err)) {
        cloud_log(LOG_ERROR, "store", "what=rest why=\"%s\"", err.text);
        rest_error(call, 500, REST_GENERAL, "%s", err.text);
        return false;
    }
    return true;
}

void rest_empty(rest_call_t *call)
{
    if (rest_commit(call)) {
        reply(call, 200, NULL, NULL, 0);
    }
}

bool rest_ok(rest_call_t *call, store_result_t result, const char *what, const err_t *err)
{
    char id[STORE_ID_SIZE];
    switch (result) {
    case STORE_OK:
        return true;
    case STORE_NOT_FOUND:
        store_id_format(&call->id[0], id);
        rest_error(call, 404, REST_NOT_FOUND, "%s with id [%s] is not found", what, id);
        return false;
    case STORE_CONFLICT:
        rest_error(call, 409, REST_VERSION_CONFLICT, "%s was already changed by someone else",
                   what);
        return false;
    case STORE_NAME_TAKEN:
        rest_error(call, 400, REST_BAD_REQUEST, "%s with such name already exists!", what);
        return false;
    case STORE_INVALID:
        rest_error(call, 400, REST_BAD_REQUEST, "%s", err->text);
        return false;
    case STORE_IN_USE:
        rest_error(call, 400, REST_BAD_REQUEST,
                   "The device profile referenced by the devices cannot be deleted!");
        return false;
    default:
        cloud_log(LOG_ERROR, "store", "what=rest why=\"%s\"", err->text);
        rest_error(call, 500, REST_GENERAL, "The store failed");
        return false;
    }
}

/* ---- whose ---- */

bool rest_is_own(const rest_call_t *call, const store_id_t *customer)
{
    return call->caller.authority != AUTH_CUSTOMER_USER ||
           (!store_id_is_null(&call->caller.customer_id) &&
            store_id_equal(customer, &call->caller.customer_id));
}

bool rest_owns(rest_call_t *call, const store_id_t *customer)
{
    if (rest_is_own(call, customer)) {
        return true;
    }
    rest_error(call, 403, REST_PERMISSION, "You don't have permission to perform this operation!");
    return false;
}

/* ---- parameters ---- */

bool rest_param(rest_call_t *call, const char *name, char *out, size_t cap)
{
    int found = http_query_get(call->http->query, name, out, cap);
    if (found < 0) {
        rest_error(call, 400, REST_BAD_REQUEST, "Parameter '%s' is malformed or too long", name);
    }
    return found == 1;
}

bool rest_param_i64(rest_call_t *call, const char *name, int64_t *value)
{
    char text[32];
    json_token_t token = {.type = JSON_NUMBER, .text = text};
    if (!rest_param(call, name, text, sizeof text)) {
        return false;
    }
    token.len = strlen(text);
    if (!json_valid(text, token.len) || !json_i64(&token, value)) {
        rest_error(call, 400, REST_BAD_REQUEST, "Invalid value '%s' of parameter '%s'", text, name);
        return false;
    }
    return true;
}

bool rest_param_bool(rest_call_t *call, const char *name, bool otherwise)
{
    char text[8];
    return rest_param(call, name, text, sizeof text) ? strcmp(text, "true") == 0 : otherwise;
}

static bool page_number(rest_call_t *call, const char *name, int64_t low, uint32_t *out)
{
    int64_t value;
    if (!rest_param_i64(call, name, &value)) {
        if (!call->replied) {
            rest_error(call, 400, REST_BAD_REQUEST,
                       "Required request parameter '%s' for method parameter type int is not "
                       "present",
                       name);
        }
        return false;
    }
    if (value < low || value > INT32_MAX) {
        rest_error(call, 400, REST_BAD_REQUEST, "Incorrect page link %s '%lld'.", name,
                   (long long)value);
        return false;
    }
    *out = (uint32_t)(value > REST_PAGE_MAX && low == 1 ? REST_PAGE_MAX : value);
    return true;
}

bool rest_page(rest_call_t *call, store_page_t *page, char search[STORE_TEXT])
{
    char property[32] = "createdTime";
    char order[8] = "ASC";
    memset(page, 0, sizeof *page);
    if (!page_number(call, "pageSize", 1, &page->size) ||
        !page_number(call, "page", 0, &page->page)) {
        return false;
    }
    if (rest_param(call, "textSearch", search, STORE_TEXT) && search[0] != '\0') {
        page->search = search;
    }
    rest_param(call, "sortProperty", property, sizeof property);
    rest_param(call, "sortOrder", order, sizeof order);
    page->sort = strcmp(property, "name") == 0    ? STORE_BY_NAME
                 : strcmp(property, "type") == 0  ? STORE_BY_TYPE
                 : strcmp(property, "label") == 0 ? STORE_BY_LABEL
                                                  : STORE_BY_CREATED;
    page->descending = strcmp(order, "DESC") == 0;
    return !call->replied;
}

void rest_page_end(rest_call_t *call, const store_page_t *page, uint64_t total)
{
    json_writer_t *w = &call->json;
    json_end(w);
    uint64_t pages = (total + page->size - 1) / page->size;
    rest_put_i64(w, "totalPages", (int64_t)pages);
    rest_put_i64(w, "totalElements", (int64_t)total);
    rest_put_bool(w, "hasNext", (uint64_t)page->page + 1 < pages);
    json_end(w);
}

bool rest_body_id(const char *json, size_t len, const char *path, store_id_t *id)
{
    char full[96];
    json_token_t token;
    snprintf(full, sizeof full, "%s.id", path);
    return json_find(json, len, full, &token) && token.type == JSON_STRING &&
           store_id_parse(token.text, token.len, id);
}

bool rest_body_object(rest_call_t *call)
{
    json_reader_t reader;
    json_token_t first;
    json_reader_init(&reader, call->http->body, call->http->body_len);
    if (json_next(&reader, &first) == JSON_OBJECT &&
        json_valid(call->http->body, call->http->body_len)) {
        return true;
    }
    rest_error(call, 500, REST_GENERAL, "JSON parse error: the body is not a JSON object");
    return false;
}

bool rest_body_text(const rest_call_t *call, const char *name, char *out, size_t cap)
{
    json_token_t token;
    return json_find(call->http->body, call->http->body_len, name, &token) &&
           json_string(&token, out, cap, NULL);
}

/* ---- members ---- */

void rest_put_id(json_writer_t *w, const char *name, const char *type, const store_id_t *id)
{
    char text[STORE_ID_SIZE];
    store_id_format(id, text);
    json_key(w, name);
    json_object(w);
    if (type != NULL) {
        rest_put_text(w, "entityType", type);
    }
    rest_put_text(w, "id", text);
    json_end(w);
}

void rest_put_null(json_writer_t *w, const char *name)
{
    json_key(w, name);
    json_put_null(w);
}

void rest_put_text(json_writer_t *w, const char *name, const char *text)
{
    json_key(w, name);
    json_put_string(w, text);
}

void rest_put_i64(json_writer_t *w, const char *name, int64_t value)
{
    json_key(w, name);
    json_put_i64(w, value);
}

void rest_put_bool(json_writer_t *w, const char *name, bool value)
{
    json_key(w, name);
    json_put_bool(w, value);
}

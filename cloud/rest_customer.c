/* SPDX-License-Identifier: Apache-2.0 */
/* CustomerController. */
#include "cloud/rest_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define BOTH      (AUTH_TENANT_ADMIN | AUTH_CUSTOMER_USER)
#define EXTRA_MAX 8192

/* The address fields, in ThingsBoard's order. They are kept as they came. */
static const char *const FIELDS[] = {"country",  "state", "city",  "address",
                                     "address2", "zip",   "phone", "email"};

static void put_fields(json_writer_t *w, const char *extra)
{
    for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++) {
        json_token_t token;
        char text[1024];
        bool there = extra != NULL && json_find(extra, strlen(extra), FIELDS[i], &token) &&
                     json_string(&token, text, sizeof text, NULL);
        rest_put_text(w, FIELDS[i], there ? text : NULL);
    }
}

static void put_customer(void *ctx, const store_customer_t *customer)
{
    json_writer_t *w = ctx;
    json_object(w);
    rest_put_id(w, "id", "CUSTOMER", &customer->id);
    rest_put_i64(w, "createdTime", customer->created_ms);
    put_fields(w, customer->extra);
    rest_put_text(w, "title", customer->title);
    rest_put_id(w, "tenantId", "TENANT", &customer->tenant);
    rest_put_null(w, "externalId");
    rest_put_i64(w, "version", customer->version);
    rest_put_text(w, "name", customer->title);
    json_key(w, "additionalInfo");
    if (customer->info != NULL) {
        json_put_raw(w, customer->info, strlen(customer->info));
    } else {
        json_put_null(w);
    }
    json_end(w);
}

/* ---- reading ---- */

static bool is_own(rest_call_t *call)
{
    return rest_owns(call, &call->id[0]);
}

static void get_customer(rest_call_t *call)
{
    err_t err = ERR_INIT;
    if (is_own(call) &&
        rest_ok(call,
                store_customer_get(call->store, &call->id[0], put_customer, &call->json, &err),
                "Customer", &err)) {
        rest_done(call);
    }
}

static void by_title(rest_call_t *call)
{
    char title[STORE_TEXT];
    err_t err = ERR_INIT;
    if (!rest_param(call, "customerTitle", title, sizeof title)) {
        if (!call->replied) {
            rest_error(call, 400, REST_BAD_REQUEST, "Parameter 'customerTitle' can't be empty!");
        }
        return;
    }
    store_result_t result =
        store_customer_by_title(call->store, title, put_customer, &call->json, &err);
    if (result == STORE_NOT_FOUND) {
        rest_error(call, 404, REST_NOT_FOUND, "Customer with title [%s] is not found", title);
    } else if (rest_ok(call, result, "Customer", &err)) {
        rest_done(call);
    }
}

static void list(rest_call_t *call)
{
    store_page_t page;
    char search[STORE_TEXT];
    uint64_t total = 0;
    err_t err = ERR_INIT;
    if (!rest_page(call, &page, search)) {
        return;
    }
    json_object(&call->json);
    json_key(&call->json, "data");
    json_array(&call->json);
    if (rest_ok(call,
                store_customer_list(call->store, &page, put_customer, &call->json, &total, &err),
                "Customer", &err)) {
        rest_page_end(call, &page, total);
        rest_done(call);
    }
}

/* ---- writing ---- */

/* The address fields that came, as one JSON object. */
static bool collect_fields(rest_call_t *call, char *extra)
{
    json_writer_t w;
    json_writer_init(&w, extra, EXTRA_MAX);
    json_object(&w);
    for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++) {
        char text[1024];
        if (rest_body_text(call, FIELDS[i], text, sizeof text)) {
            rest_put_text(&w, FIELDS[i], text);
        }
    }
    json_end(&w);
    return json_writer_done(&w, NULL);
}

static void save_customer(rest_call_t *call)
{
    store_customer_t customer = {.version = -1};
    char extra[EXTRA_MAX];
    char *info = NULL;
    json_token_t token;
    err_t err = ERR_INIT;
    const char *body = call->http->body;
    size_t len = call->http->body_len;
    if (!rest_body_object(call)) {
        return;
    }
    if (!rest_body_text(call, "title", customer.title, sizeof customer.title)) {
        rest_error(call, 400, REST_BAD_REQUEST, "Customer title should be specified!");
        return;
    }
    rest_body_id(body, len, "id", &customer.id);
    if (json_find(body, len, "version", &token) && token.type == JSON_NUMBER) {
        json_i64(&token, &customer.version);
    }
    if (json_find(body, len, "additionalInfo", &token) && token.type == JSON_OBJECT &&
        token.len <= STORE_JSON_MAX) {
        info = strndup(token.text, token.len);
    }
    customer.extra = collect_fields(call, extra) ? extra : NULL;
    customer.info = info;
    call->id[0] = customer.id;
    store_result_t result = store_customer_save(call->store, &customer, clock_wall_ms(), &err);
    if (result == STORE_NAME_TAKEN) {
        rest_error(call, 400, REST_BAD_REQUEST, "Customer with such title already exists!");
    } else if (rest_ok(call, result, "Customer", &err) && rest_commit(call)) {
        put_customer(&call->json, &customer);
        rest_done(call);
    }
    free(info);
}

static void delete_customer(rest_call_t *call)
{
    err_t err = ERR_INIT;
    if (rest_ok(call, store_customer_delete(call->store, &call->id[0], &err), "Customer", &err)) {
        rest_empty(call);
    }
}

/* `customerTitle` goes with the list of tenants' customers; a customer's own id with one. */
const rest_route_t REST_CUSTOMER[] = {
    {HTTP_POST, "/api/customer", AUTH_TENANT_ADMIN, save_customer},
    {HTTP_GET, "/api/customer/{id}", BOTH, get_customer},
    {HTTP_DELETE, "/api/customer/{id}", AUTH_TENANT_ADMIN, delete_customer},
    {HTTP_GET, "/api/customers", AUTH_TENANT_ADMIN, list},
    {HTTP_GET, "/api/tenant/customers", AUTH_TENANT_ADMIN, by_title},
    {0},
};

/* SPDX-License-Identifier: Apache-2.0 */
/* DeviceController: devices, their credentials, deletion. */
#include "cloud/rest_internal.h"

#include <string.h>

#define BOTH (AUTH_TENANT_ADMIN | AUTH_CUSTOMER_USER)

/* ---- one device as JSON ---- */

/* What the platform keeps beside, with ThingsBoard's defaults where nothing was stored. */
static void put_extra(json_writer_t *w, const store_device_t *device)
{
    static const char data[] = "{\"configuration\":{\"type\":\"DEFAULT\"},"
                               "\"transportConfiguration\":{\"type\":\"DEFAULT\"}}";
    json_token_t token;
    json_key(w, "additionalInfo");
    if (device->info != NULL) {
        json_put_raw(w, device->info, strlen(device->info));
    } else {
        json_put_null(w);
    }
    json_key(w, "deviceData");
    if (device->extra != NULL &&
        json_find(device->extra, strlen(device->extra), "deviceData", &token) &&
        token.type == JSON_OBJECT) {
        json_put_raw(w, token.text, token.len);
    } else {
        json_put_raw(w, data, sizeof data - 1);
    }
}

static void put_head(json_writer_t *w, const store_device_t *device)
{
    json_object(w);
    rest_put_id(w, "id", "DEVICE", &device->id);
    rest_put_i64(w, "createdTime", device->created_ms);
    rest_put_id(w, "tenantId", "TENANT", &device->tenant);
    rest_put_id(w, "customerId", "CUSTOMER", &device->customer);
    rest_put_text(w, "name", device->name);
    rest_put_text(w, "type", device->type);
    rest_put_text(w, "label", device->label);
    rest_put_id(w, "deviceProfileId", "DEVICE_PROFILE", &device->profile);
    rest_put_null(w, "firmwareId");
    rest_put_null(w, "softwareId");
    rest_put_null(w, "externalId");
    rest_put_i64(w, "version", device->version);
}

void rest_put_device(void *ctx, const store_device_t *device)
{
    json_writer_t *w = ctx;
    put_head(w, device);
    put_extra(w, device);
    json_end(w);
}

static void put_info(void *ctx, const store_device_t *device)
{
    json_writer_t *w = ctx;
    put_head(w, device);
    rest_put_text(w, "customerTitle", device->customer_title);
    rest_put_bool(w, "customerIsPublic", false);
    rest_put_text(w, "deviceProfileName", device->type);
    rest_put_bool(w, "active", device->active);
    put_extra(w, device);
    json_end(w);
}

/* ---- who may ---- */

static void note_customer(void *ctx, const store_device_t *device)
{
    *(store_id_t *)ctx = device->customer;
}

bool rest_may_see(rest_call_t *call)
{
    store_id_t customer;
    err_t err = ERR_INIT;
    return rest_ok(call,
                   store_device_get(call->store, &call->id[0], note_customer, &customer, &err),
                   "Device", &err) &&
           rest_owns(call, &customer);
}

/* ---- reading ---- */

static void get_with(rest_call_t *call, store_device_fn_t put)
{
    err_t err = ERR_INIT;
    if (rest_may_see(call) &&
        rest_ok(call, store_device_get(call->store, &call->id[0], put, &call->json, &err), "Device",
                &err)) {
        rest_done(call);
    }
}

static void get_device(rest_call_t *call)
{
    get_with(call, rest_put_device);
}

static void get_info(rest_call_t *call)
{
    get_with(call, put_info);
}

static void by_name(rest_call_t *call, const char *name)
{
    err_t err = ERR_INIT;
    store_result_t result =
        store_device_by_name(call->store, name, rest_put_device, &call->json, &err);
    if (result == STORE_NOT_FOUND) {
        rest_error(call, 404, REST_NOT_FOUND, "Requested item wasn't found!");
    } else if (rest_ok(call, result, "Device", &err)) {
        rest_done(call);
    }
}

/* A page, narrowed by the caller's own customer if there is one. */
static void list(rest_call_t *call, store_device_fn_t put, const store_id_t *customer)
{
    store_device_query_t query = {.active = -1, .customer = customer};
    char search[STORE_TEXT];
    char type[STORE_TEXT];
    char text[STORE_ID_SIZE];
    char active[8];
    store_id_t profile;
    uint64_t total = 0;
    err_t err = ERR_INIT;
    if (!rest_page(call, &query.page, search)) {
        return;
    }
    if (rest_param(call, "type", type, sizeof type) && type[0] != '\0') {
        query.type = type;
    }
    if (rest_param(call, "deviceProfileId", text, sizeof text) && text[0] != '\0') {
        if (!store_id_parse(text, strlen(text), &profile)) {
            rest_error(call, 400, REST_BAD_REQUEST, "Invalid UUID string: %s", text);
            return;
        }
        query.profile = &profile;
    }
    if (rest_param(call, "active", active, sizeof active)) {
        query.active = strcmp(active, "true") == 0;
    }
    if (call->replied) {
        return;
    }
    json_object(&call->json);
    json_key(&call->json, "data");
    json_array(&call->json);
    if (rest_ok(call, store_device_list(call->store, &query, put, &call->json, &total, &err),
                "Device", &err)) {
        rest_page_end(call, &query.page, total);
        rest_done(call);
    }
}

static void tenant_devices(rest_call_t *call)
{
    char name[STORE_TEXT];
    if (rest_param(call, "deviceName", name, sizeof name)) {
        by_name(call, name);
    } else if (!call->replied) {
        list(call, rest_put_device, NULL);
    }
}

static void tenant_infos(rest_call_t *call)
{
    list(call, put_info, NULL);
}

static void customer_list(rest_call_t *call, store_device_fn_t put)
{
    store_id_t customer = call->id[0];
    if (rest_owns(call, &customer)) {
        list(call, put, &customer);
    }
}

static void customer_devices(rest_call_t *call)
{
    customer_list(call, rest_put_device);
}

static void customer_infos(rest_call_t *call)
{
    customer_list(call, put_info);
}

/* ?deviceIds=a,b: those that exist and may be seen. */
static void devices_by_ids(rest_call_t *call)
{
    char ids[4096];
    if (!rest_param(call, "deviceIds", ids, sizeof ids)) {
        if (!call->replied) {
            rest_error(call, 400, REST_BAD_REQUEST, "Parameter 'deviceIds' can't be empty!");
        }
        return;
    }
    json_array(&call->json);
    for (const char *at = ids; *at != '\0';) {
        size_t len = strcspn(at, ",");
        store_id_t customer;
        if (!store_id_parse(at, len, &call->id[0])) {
            rest_error(call, 400, REST_BAD_REQUEST, "Invalid UUID string: %.*s",
                       (int)(len < 64 ? len : 64), at);
            return;
        }
        if (store_device_get(call->store, &call->id[0], note_customer, &customer, NULL) ==
                STORE_OK &&
            rest_is_own(call, &customer)) {
            store_device_get(call->store, &call->id[0], rest_put_device, &call->json, NULL);
        }
        at += len + (at[len] == ',');
    }
    json_end(&call->json);
    rest_done(call);
}

/* ---- credentials, deletion ---- */

void rest_put_credentials(void *ctx, const store_credentials_t *c)
{
    static const char *const types[] = {"?", "ACCESS_TOKEN", "X509_CERTIFICATE", "MQTT_BASIC",
                                        "LWM2M_CREDENTIALS"};
    json_writer_t *w = ctx;
    json_object(w);
    rest_put_id(w, "id", NULL, &c->id);
    rest_put_i64(w, "createdTime", c->created_ms);
    rest_put_id(w, "deviceId", "DEVICE", &c->device);
    rest_put_text(w, "credentialsType",
                  c->type >= 1 && c->type <= STORE_LWM2M ? types[c->type] : types[0]);
    rest_put_text(w, "credentialsId", c->credentials_id);
    rest_put_text(w, "credentialsValue", c->value);
    rest_put_i64(w, "version", c->version);
    json_end(w);
}

static void get_credentials(rest_call_t *call)
{
    err_t err = ERR_INIT;
    if (rest_may_see(call) &&
        rest_ok(call,
                store_credentials_get(call->store, &call->id[0], rest_put_credentials, &call->json,
                                      &err),
                "Device credentials", &err)) {
        rest_done(call);
    }
}

static void delete_device(rest_call_t *call)
{
    err_t err = ERR_INIT;
    const rest_hooks_t *hooks = &call->rest->settings.hooks;
    store_id_t id = call->id[0];
    if (!rest_ok(call, store_device_delete(call->store, &id, &err), "Device", &err) ||
        !rest_ok(call, store_rpc_delete_of(call->store, &id, &err), "Rpc", &err) ||
        !rest_commit(call)) {
        return;
    }
    if (call->rest->settings.rpc != NULL) {
        rpc_forget(call->rest->settings.rpc, &id);
    }
    if (hooks->session_close != NULL) {
        hooks->session_close(hooks->ctx, &id);
    }
    rest_empty(call);
}

const rest_route_t REST_DEVICE[] = {
    {HTTP_GET, "/api/device/info/{id}", BOTH, get_info},
    {HTTP_GET, "/api/device/{id}", BOTH, get_device},
    {HTTP_DELETE, "/api/device/{id}", AUTH_TENANT_ADMIN, delete_device},
    {HTTP_GET, "/api/device/{id}/credentials", BOTH, get_credentials},
    {HTTP_GET, "/api/tenant/devices", AUTH_TENANT_ADMIN, tenant_devices},
    {HTTP_GET, "/api/tenant/deviceInfos", AUTH_TENANT_ADMIN, tenant_infos},
    {HTTP_GET, "/api/customer/{id}/devices", BOTH, customer_devices},
    {HTTP_GET, "/api/customer/{id}/deviceInfos", BOTH, customer_infos},
    {HTTP_GET, "/api/devices", BOTH, devices_by_ids},
    {0},
};

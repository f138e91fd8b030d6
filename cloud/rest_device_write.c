/* SPDX-License-Identifier: Apache-2.0 */
/* DeviceController, the writing half: devices, their credentials, to whom they are assigned. */
#include "cloud/rest_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "pki/cert.h"

#define BOTH           (AUTH_TENANT_ADMIN | AUTH_CUSTOMER_USER)
#define VALUE_MAX      65536
#define CREDENTIALS_ID 128

/* ---- a device from JSON ---- */

/* A device as it came, with room for the texts that it points to. */
typedef struct {
    store_device_t device;
    char label[STORE_TEXT];
    char *info;
    char *extra;
} incoming_t;

static void incoming_free(incoming_t *in)
{
    free(in->info);
    free(in->extra);
}

/* A copy of a member that is an object; NULL when it is absent or null. */
static char *copy_object(const char *json, size_t len, const char *name)
{
    json_token_t token;
    if (!json_find(json, len, name, &token) || token.type != JSON_OBJECT ||
        token.len > STORE_JSON_MAX) {
        return NULL;
    }
    return strndup(token.text, token.len);
}

/* ThingsBoard takes what is absent as null; only `version` null means "force". */
static bool read_device(rest_call_t *call, const char *json, size_t len, incoming_t *in)
{
    json_token_t token;
    char *data;
    memset(in, 0, sizeof *in);
    in->device.version = -1;
    rest_body_id(json, len, "id", &in->device.id);
    rest_body_id(json, len, "deviceProfileId", &in->device.profile);
    rest_body_id(json, len, "customerId", &in->device.customer);
    if (!json_find(json, len, "name", &token) ||
        !json_string(&token, in->device.name, sizeof in->device.name, NULL)) {
        rest_error(call, 400, REST_BAD_REQUEST, "Device name should be specified!");
        return false;
    }
    if (json_find(json, len, "label", &token) && token.type == JSON_STRING) {
        if (!json_string(&token, in->label, sizeof in->label, NULL)) {
            rest_error(call, 400, REST_BAD_REQUEST,
                       "Device label length must be equal or less than %d", STORE_TEXT_MAX);
            return false;
        }
        in->device.label = in->label;
    }
    if (json_find(json, len, "version", &token) && token.type == JSON_NUMBER) {
        json_i64(&token, &in->device.version);
    }
    in->info = copy_object(json, len, "additionalInfo");
    in->device.info = in->info;
    data = copy_object(json, len, "deviceData");
    if (data != NULL && asprintf(&in->extra, "{\"deviceData\":%s}", data) < 0) {
        in->extra = NULL;
    }
    free(data);
    in->device.extra = in->extra;
    return true;
}

/* What a customer's user must leave as it is, unless we are to be like ThingsBoard. */
typedef struct {
    const incoming_t *in;
    store_id_t customer;
    bool same;
} kept_t;

static bool is_gateway(const char *info)
{
    json_token_t token;
    return info != NULL && json_find(info, strlen(info), "gateway", &token) &&
           token.type != JSON_FALSE && token.type != JSON_NULL;
}

static void compare_kept(void *ctx, const store_device_t *device)
{
    kept_t *kept = ctx;
    const store_device_t *in = &kept->in->device;
    kept->customer = device->customer;
    kept->same = store_id_equal(&in->customer, &device->customer) &&
                 strcmp(in->name, device->name) == 0 &&
                 store_id_equal(&in->profile, &device->profile) &&
                 is_gateway(in->info) == is_gateway(device->info);
}

/* A customer's user may change label and additionalInfo of the customer's own devices; as at
   ThingsBoard: any field. */
static bool may_save(rest_call_t *call, kept_t *kept)
{
    const store_id_t *id = &kept->in->device.id;
    bool exists = !store_id_is_null(id) &&
                  store_device_get(call->store, id, compare_kept, kept, NULL) == STORE_OK;
    if (call->caller.authority == AUTH_TENANT_ADMIN ||
        (exists && rest_is_own(call, &kept->customer) &&
         (kept->same || call->rest->settings.as_thingsboard))) {
        return true;
    }
    rest_error(call, 403, REST_PERMISSION, "You don't have permission to perform this operation!");
    return false;
}

static void reply_device(rest_call_t *call, const store_id_t *id)
{
    err_t err = ERR_INIT;
    if (rest_commit(call) &&
        rest_ok(call, store_device_get(call->store, id, rest_put_device, &call->json, &err),
                "Device", &err)) {
        rest_done(call);
    }
}

/* What the former customer has called is not for the next one: it ends here. Its traces go when the
   next one comes; until then who takes the device back can see (and count) them. */
static bool end_calls(rest_call_t *call, const store_id_t *device, const store_id_t *next)
{
    err_t err = ERR_INIT;
    if (call->rest->settings.as_thingsboard) {
        return true;
    }
    store_result_t result = store_id_is_null(next) ? store_rpc_expire_of(call->store, device, &err)
                                                   : store_rpc_delete_of(call->store, device, &err);
    if (!rest_ok(call, result, "Rpc", &err)) {
        return false;
    }
    if (call->rest->settings.rpc != NULL) {
        rpc_cancel(call->rest->settings.rpc, device);
    }
    return true;
}

static void save_device(rest_call_t *call)
{
    incoming_t in;
    err_t err = ERR_INIT;
    if (!rest_body_object(call) ||
        !read_device(call, call->http->body, call->http->body_len, &in)) {
        return;
    }
    call->id[0] = in.device.id;
    kept_t kept = {.in = &in, .customer = STORE_ID_NULL};
    if (may_save(call, &kept) &&
        rest_ok(call, store_device_save(call->store, &in.device, clock_wall_ms(), &err), "Device",
                &err) &&
        (store_id_equal(&kept.customer, &in.device.customer) ||
         end_calls(call, &in.device.id, &in.device.customer))) {
        reply_device(call, &in.device.id);
    }
    incoming_free(&in);
}

/* ---- credentials ---- */

typedef struct {
    store_credentials_t credentials;
    char id[CREDENTIALS_ID];
    char *value;
} secret_t;

/* What ThingsBoard's EncryptionUtil makes of a certificate: PEM armour and line ends go away. */
static void trim_certificate(char *text)
{
    static const char *const armour[] = {"-----BEGIN CERTIFICATE-----",
                                         "-----END CERTIFICATE-----"};
    for (size_t i = 0; i < 2; i++) {
        char *at = strstr(text, armour[i]);
        if (at != NULL) {
            memmove(at, at + strlen(armour[i]), strlen(at + strlen(armour[i])) + 1);
        }
    }
    char *to = text;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c != '\r' && *c != '\n') {
            *to++ = *c;
        }
    }
    *to = '\0';
}

/* One certificate, base64 on one line. */
static bool is_certificate(const char *base64)
{
    uint8_t der[PKI_CERT_DER_MAX];
    size_t len;
    X509 *cert;
    err_t err = ERR_INIT;
    if (!bytes_from_base64(base64, strlen(base64), der, sizeof der, &len) ||
        !pki_cert_from_der(der, len, &cert, &err)) {
        return false;
    }
    pki_cert_free(cert);
    return true;
}

static bool read_type(const char *name, store_credentials_type_t *type)
{
    static const char *const names[] = {"ACCESS_TOKEN", "X509_CERTIFICATE", "MQTT_BASIC",
                                        "LWM2M_CREDENTIALS"};
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(name, names[i]) == 0) {
            *type = (store_credentials_type_t)(i + 1);
            return true;
        }
    }
    return false;
}

static bool read_value(rest_call_t *call, const char *json, size_t len, secret_t *s)
{
    json_token_t token;
    err_t err = ERR_INIT;
    if (json_find(json, len, "credentialsValue", &token) && token.type == JSON_STRING) {
        s->value = malloc(token.len + 1);
        if (s->value == NULL || token.len > VALUE_MAX ||
            !json_string(&token, s->value, token.len + 1, NULL)) {
            rest_error(call, 400, REST_BAD_REQUEST, "credentialsValue cannot be used");
            return false;
        }
    }
    if (json_find(json, len, "credentialsId", &token) && token.type == JSON_STRING &&
        !json_string(&token, s->id, sizeof s->id, NULL)) {
        rest_error(call, 400, REST_BAD_REQUEST, "credentialsId is too long");
        return false;
    }
    if (s->credentials.type == STORE_X509_CERTIFICATE) {
        if (s->value == NULL) {
            rest_error(call, 400, REST_BAD_REQUEST,
                       "Device credentials value should be specified!");
            return false;
        }
        trim_certificate(s->value);
        if (!call->rest->settings.as_thingsboard && !is_certificate(s->value)) {
            rest_error(call, 400, REST_BAD_REQUEST,
                       "credentialsValue is not one certificate (PEM or base64): the device would "
                       "be locked out");
            return false;
        }
        if (!pki_sha3_hex(s->value, strlen(s->value), s->id, &err)) {
            rest_error(call, 500, REST_GENERAL, "%s", err.text);
            return false;
        }
    }
    if (s->id[0] == '\0') {
        rest_error(call, 400, REST_BAD_REQUEST, "Device credentials id should be specified!");
        return false;
    }
    s->credentials.credentials_id = s->id;
    s->credentials.value = s->value;
    return true;
}

static bool read_credentials(rest_call_t *call, const char *json, size_t len, secret_t *s)
{
    json_token_t token;
    char type[32];
    memset(s, 0, sizeof *s);
    s->credentials.version = -1;
    rest_body_id(json, len, "id", &s->credentials.id);
    rest_body_id(json, len, "deviceId", &s->credentials.device);
    if (!json_find(json, len, "credentialsType", &token) ||
        !json_string(&token, type, sizeof type, NULL) || !read_type(type, &s->credentials.type)) {
        rest_error(call, 400, REST_BAD_REQUEST, "Device credentials type should be specified!");
        return false;
    }
    if (json_find(json, len, "version", &token) && token.type == JSON_NUMBER) {
        json_i64(&token, &s->credentials.version);
    }
    return read_value(call, json, len, s);
}

/* The texts of DeviceCredentialsServiceImpl and its validator. */
static bool credentials_ok(rest_call_t *call, store_result_t result, bool fresh, const err_t *err)
{
    switch (result) {
    case STORE_ID_TAKEN:
        rest_error(call, 400, REST_BAD_REQUEST,
                   "Device credentials are already assigned to another device!");
        return false;
    case STORE_CONFLICT:
        if (fresh) {
            rest_error(call, 400, REST_BAD_REQUEST,
                       "Credentials for this device are already specified!");
            return false;
        }
        return rest_ok(call, result, "Entity", err);
    case STORE_NOT_FOUND:
        rest_error(call, 400, REST_BAD_REQUEST,
                   "Unable to update non-existent device credentials!");
        return false;
    default:
        return rest_ok(call, result, "Device credentials", err);
    }
}

static void end_session(rest_call_t *call, const store_id_t *device)
{
    const rest_hooks_t *hooks = &call->rest->settings.hooks;
    if (hooks->session_close != NULL) {
        hooks->session_close(hooks->ctx, device);
    }
}

static void save_credentials(rest_call_t *call)
{
    secret_t s;
    bool changed = false;
    err_t err = ERR_INIT;
    if (!rest_body_object(call)) {
        return;
    }
    if (read_credentials(call, call->http->body, call->http->body_len, &s)) {
        bool fresh = store_id_is_null(&s.credentials.id);
        if (credentials_ok(call,
                           store_credentials_save(call->store, &s.credentials, clock_wall_ms(),
                                                  &changed, &err),
                           fresh, &err) &&
            rest_commit(call)) {
            if (changed) {
                end_session(call, &s.credentials.device);
            }
            rest_put_credentials(&call->json, &s.credentials);
            rest_done(call);
        }
    }
    free(s.value);
}

/* {"device":{..},"credentials":{..}}: both, or none. */
static void save_with_credentials(rest_call_t *call)
{
    json_token_t device;
    json_token_t credentials;
    incoming_t in;
    secret_t s = {.value = NULL};
    err_t err = ERR_INIT;
    if (!rest_body_object(call)) {
        return;
    }
    if (!json_find(call->http->body, call->http->body_len, "device", &device) ||
        !json_find(call->http->body, call->http->body_len, "credentials", &credentials)) {
        rest_error(call, 400, REST_BAD_REQUEST, "Device and credentials should be specified!");
        return;
    }
    if (!read_device(call, device.text, device.len, &in)) {
        return;
    }
    if (read_credentials(call, credentials.text, credentials.len, &s)) {
        bool ok = rest_commit(call) &&
                  rest_ok(call, store_device_save(call->store, &in.device, clock_wall_ms(), &err),
                          "Device", &err);
        s.credentials.device = in.device.id;
        s.credentials.device_row = in.device.row;
        ok = ok && credentials_ok(call,
                                  store_credentials_save(call->store, &s.credentials,
                                                         clock_wall_ms(), NULL, &err),
                                  true, &err);
        if (ok) {
            reply_device(call, &in.device.id);
        } else {
            store_rollback(call->store); /* a device without its credentials must not stay */
        }
    }
    free(s.value);
    incoming_free(&in);
}

/* ---- assigning ---- */

/* The device as it is, to be saved again with another customer. */
static void note_device(void *ctx, const store_device_t *device)
{
    incoming_t *in = ctx;
    in->device = *device;
    if (device->label != NULL) {
        snprintf(in->label, sizeof in->label, "%s", device->label);
        in->device.label = in->label;
    }
    in->info = device->info != NULL ? strdup(device->info) : NULL;
    in->extra = device->extra != NULL ? strdup(device->extra) : NULL;
    in->device.info = in->info;
    in->device.extra = in->extra;
}

static void note_found(void *ctx, const store_customer_t *customer)
{
    (void)customer;
    *(bool *)ctx = true;
}

static void set_customer(rest_call_t *call, const store_id_t *device, const store_id_t *customer)
{
    incoming_t in = {.info = NULL};
    err_t err = ERR_INIT;
    call->id[0] = *device;
    if (rest_ok(call, store_device_get(call->store, device, note_device, &in, &err), "Device",
                &err)) {
        bool unassign = customer == NULL;
        if (unassign && store_id_is_null(&in.device.customer)) {
            rest_error(call, 400, REST_BAD_REQUEST, "Device isn't assigned to any customer!");
        } else if (!unassign && store_id_equal(customer, &in.device.customer)) {
            reply_device(call, device); /* idempotent: nothing changes, the version neither */
        } else {
            in.device.customer = unassign ? STORE_ID_NULL : *customer;
            if (rest_ok(call, store_device_save(call->store, &in.device, clock_wall_ms(), &err),
                        "Device", &err) &&
                end_calls(call, device, &in.device.customer)) {
                reply_device(call, device);
            }
        }
    }
    incoming_free(&in);
}

static void assign(rest_call_t *call)
{
    store_id_t customer = call->id[0];
    store_id_t device = call->id[1];
    bool found = false;
    err_t err = ERR_INIT;
    if (rest_ok(call, store_customer_get(call->store, &customer, note_found, &found, &err),
                "Customer", &err)) {
        set_customer(call, &device, &customer);
    }
}

static void unassign(rest_call_t *call)
{
    store_id_t device = call->id[0];
    set_customer(call, &device, NULL);
}

const rest_route_t REST_DEVICE_WRITE[] = {
    {HTTP_POST, "/api/device", BOTH, save_device},
    {HTTP_POST, "/api/device/credentials", AUTH_TENANT_ADMIN, save_credentials},
    {HTTP_POST, "/api/device-with-credentials", AUTH_TENANT_ADMIN, save_with_credentials},
    {HTTP_POST, "/api/customer/{id}/device/{id}", AUTH_TENANT_ADMIN, assign},
    {HTTP_DELETE, "/api/customer/device/{id}", AUTH_TENANT_ADMIN, unassign},
    {0},
};

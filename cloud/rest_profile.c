/* SPDX-License-Identifier: Apache-2.0 */
/* DeviceProfileController, the reading half. */
#include "cloud/rest_internal.h"

#include <string.h>

#define BOTH (AUTH_TENANT_ADMIN | AUTH_CUSTOMER_USER)

static const char *provision_name(store_provision_t provision)
{
    static const char *const names[] = {"DISABLED", "X509_CERTIFICATE_CHAIN",
                                        "ALLOW_CREATE_NEW_DEVICES",
                                        "CHECK_PRE_PROVISIONED_DEVICES"};
    return (size_t)provision < 4 ? names[provision] : names[0];
}

static void put_provisioning(json_writer_t *w, const store_profile_t *p)
{
    json_key(w, "provisionConfiguration");
    json_object(w);
    rest_put_text(w, "type", provision_name(p->provision));
    rest_put_text(w, "provisionDeviceSecret", p->provision_secret);
    if (p->provision == STORE_PROVISION_X509_CHAIN) {
        rest_put_text(w, "certificateRegExPattern", p->regex);
        rest_put_bool(w, "allowCreateNewDevicesByX509Certificate", p->allow_create);
    }
    json_end(w);
}

static void put_typed(json_writer_t *w, const char *name)
{
    json_key(w, name);
    json_object(w);
    rest_put_text(w, "type", "DEFAULT");
    json_end(w);
}

void rest_put_profile(void *ctx, const store_profile_t *p)
{
    json_writer_t *w = ctx;
    json_object(w);
    rest_put_id(w, "id", "DEVICE_PROFILE", &p->id);
    rest_put_i64(w, "createdTime", p->created_ms);
    rest_put_id(w, "tenantId", "TENANT", &p->tenant);
    rest_put_text(w, "name", p->name);
    rest_put_text(w, "description", p->description[0] != '\0' ? p->description : NULL);
    rest_put_null(w, "image");
    rest_put_text(w, "type", "DEFAULT");
    rest_put_text(w, "transportType", "DEFAULT");
    rest_put_text(w, "provisionType", provision_name(p->provision));
    rest_put_null(w, "defaultRuleChainId");
    rest_put_null(w, "defaultDashboardId");
    rest_put_null(w, "defaultQueueName");
    rest_put_text(w, "provisionDeviceKey", p->provision_key);
    rest_put_null(w, "firmwareId");
    rest_put_null(w, "softwareId");
    rest_put_null(w, "defaultEdgeRuleChainId");
    rest_put_null(w, "externalId");
    rest_put_i64(w, "version", p->version);
    rest_put_bool(w, "default", p->is_default);
    json_key(w, "profileData");
    json_object(w);
    put_typed(w, "configuration");
    put_typed(w, "transportConfiguration");
    put_provisioning(w, p);
    rest_put_null(w, "alarms");
    json_end(w);
    json_end(w);
}

static void put_info(void *ctx, const store_profile_t *p)
{
    json_writer_t *w = ctx;
    json_object(w);
    rest_put_id(w, "id", "DEVICE_PROFILE", &p->id);
    rest_put_id(w, "tenantId", "TENANT", &p->tenant);
    rest_put_text(w, "name", p->name);
    rest_put_null(w, "image");
    rest_put_null(w, "defaultDashboardId");
    rest_put_text(w, "type", "DEFAULT");
    rest_put_text(w, "transportType", "DEFAULT");
    json_end(w);
}

static void get_with(rest_call_t *call, store_profile_fn_t put)
{
    err_t err = ERR_INIT;
    if (rest_ok(call, store_profile_get(call->store, &call->id[0], put, &call->json, &err),
                "Device profile", &err)) {
        rest_done(call);
    }
}

static void get_profile(rest_call_t *call)
{
    get_with(call, rest_put_profile);
}

static void get_info(rest_call_t *call)
{
    get_with(call, put_info);
}

static void default_info(rest_call_t *call)
{
    err_t err = ERR_INIT;
    if (rest_ok(call, store_profile_default(call->store, put_info, &call->json, &err),
                "Device profile", &err)) {
        rest_done(call);
    }
}

static void list(rest_call_t *call, store_profile_fn_t put)
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
    if (rest_ok(call, store_profile_list(call->store, &page, put, &call->json, &total, &err),
                "Device profile", &err)) {
        rest_page_end(call, &page, total);
        rest_done(call);
    }
}

static void profiles(rest_call_t *call)
{
    list(call, rest_put_profile);
}

static void infos(rest_call_t *call)
{
    list(call, put_info);
}

const rest_route_t REST_PROFILE[] = {
    {HTTP_GET, "/api/deviceProfileInfo/default", BOTH, default_info},
    {HTTP_GET, "/api/deviceProfileInfo/{id}", BOTH, get_info},
    {HTTP_GET, "/api/deviceProfile/{id}", AUTH_TENANT_ADMIN, get_profile},
    {HTTP_GET, "/api/deviceProfiles", AUTH_TENANT_ADMIN, profiles},
    {HTTP_GET, "/api/deviceProfileInfos", BOTH, infos},
    {0},
};

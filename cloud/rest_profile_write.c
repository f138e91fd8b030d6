/* SPDX-License-Identifier: Apache-2.0 */
/* DeviceProfileController, the writing half. */
#include "cloud/rest_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/cert.h"

#define SECRET_MAX 65536
#define REGEX_MAX  256
#define CONFIG     "profileData.provisionConfiguration"

/* A profile as it came, with room for the texts that it points to. */
typedef struct {
    store_profile_t profile;
    char description[1024];
    char regex[REGEX_MAX];
    char key[256];
    char *secret;
} incoming_t;

static bool read_provision(const char *name, store_provision_t *provision)
{
    static const char *const names[] = {"DISABLED", "X509_CERTIFICATE_CHAIN",
                                        "ALLOW_CREATE_NEW_DEVICES",
                                        "CHECK_PRE_PROVISIONED_DEVICES"};
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(name, names[i]) == 0) {
            *provision = (store_provision_t)i;
            return true;
        }
    }
    return false;
}

/* The first certificate of the text without armour and line ends: what ThingsBoard hashes. A text
   that is no certificate is taken as it is, and nothing ever matches it. */
static void first_certificate(char *text)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    static const char end[] = "-----END CERTIFICATE-----";
    char *from = strstr(text, begin);
    char *to = from != NULL ? strstr(from, end) : NULL;
    if (to != NULL) {
        *to = '\0';
        memmove(text, from + sizeof begin - 1, strlen(from + sizeof begin - 1) + 1);
    }
    char *out = text;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c != '\r' && *c != '\n') {
            *out++ = *c;
        }
    }
    *out = '\0';
}

static bool read_secret(rest_call_t *call, incoming_t *in)
{
    json_token_t token;
    err_t err = ERR_INIT;
    store_profile_t *p = &in->profile;
    if (json_find(call->http->body, call->http->body_len, CONFIG ".provisionDeviceSecret",
                  &token) &&
        token.type == JSON_STRING) {
        in->secret = malloc(token.len + 1);
        if (in->secret == NULL || token.len > SECRET_MAX ||
            !json_string(&token, in->secret, token.len + 1, NULL)) {
            rest_error(call, 400, REST_BAD_REQUEST, "provisionDeviceSecret cannot be used");
            return false;
        }
    }
    if (p->provision == STORE_PROVISION_X509_CHAIN) {
        if (in->secret == NULL) {
            rest_error(call, 400, REST_BAD_REQUEST,
                       "Device profile certificate should be specified!");
            return false;
        }
        first_certificate(in->secret);
        if (!pki_sha3_hex(in->secret, strlen(in->secret), in->key, &err)) {
            rest_error(call, 500, REST_GENERAL, "%s", err.text);
            return false;
        }
    } else {
        rest_body_text(call, "provisionDeviceKey", in->key, sizeof in->key);
    }
    p->provision_secret = in->secret;
    p->provision_key = in->key[0] != '\0' ? in->key : NULL;
    return true;
}

static void note_default(void *ctx, const store_profile_t *profile)
{
    *(bool *)ctx = profile->is_default;
}

static bool read_profile(rest_call_t *call, incoming_t *in)
{
    const char *body = call->http->body;
    size_t len = call->http->body_len;
    json_token_t token;
    char type[40] = "DISABLED";
    store_profile_t *p = &in->profile;
    memset(in, 0, sizeof *in);
    p->version = -1;
    rest_body_id(body, len, "id", &p->id);
    if (!rest_body_text(call, "name", p->name, sizeof p->name)) {
        rest_error(call, 400, REST_BAD_REQUEST, "Device profile name should be specified!");
        return false;
    }
    p->description = rest_body_text(call, "description", in->description, sizeof in->description)
                         ? in->description
                         : "";
    if (json_find(body, len, "version", &token) && token.type == JSON_NUMBER) {
        json_i64(&token, &p->version);
    }
    if (!rest_body_text(call, CONFIG ".type", type, sizeof type)) {
        rest_body_text(call, "provisionType", type, sizeof type);
    }
    if (!read_provision(type, &p->provision)) {
        rest_error(call, 400, REST_BAD_REQUEST, "Unknown provisionType: %s", type);
        return false;
    }
    if (rest_body_text(call, CONFIG ".certificateRegExPattern", in->regex, sizeof in->regex)) {
        p->regex = in->regex;
    }
    p->allow_create =
        json_find(body, len, CONFIG ".allowCreateNewDevicesByX509Certificate", &token) &&
        token.type == JSON_TRUE;
    if (!store_id_is_null(&p->id)) {
        store_profile_get(call->store, &p->id, note_default, &p->is_default, NULL);
    }
    return read_secret(call, in);
}

static void save_profile(rest_call_t *call)
{
    incoming_t *in = calloc(1, sizeof *in);
    err_t err = ERR_INIT;
    if (in == NULL) {
        rest_error(call, 500, REST_GENERAL, "Out of memory");
        return;
    }
    if (rest_body_object(call) && read_profile(call, in)) {
        call->id[0] = in->profile.id;
        store_result_t result = store_profile_save(call->store, &in->profile, &err);
        if (result == STORE_ID_TAKEN) {
            rest_error(call, 400, REST_BAD_REQUEST,
                       in->profile.provision == STORE_PROVISION_X509_CHAIN
                           ? "Device profile with such certificate already exists!"
                           : "Device profile with such provision device key already exists!");
        } else if (rest_ok(call, result, "Device profile", &err) && rest_commit(call) &&
                   rest_ok(call,
                           store_profile_get(call->store, &in->profile.id, rest_put_profile,
                                             &call->json, &err),
                           "Device profile", &err)) {
            rest_done(call);
        }
    }
    free(in->secret);
    free(in);
}

static void delete_profile(rest_call_t *call)
{
    err_t err = ERR_INIT;
    if (rest_ok(call, store_profile_delete(call->store, &call->id[0], &err), "Device profile",
                &err)) {
        rest_empty(call);
    }
}

const rest_route_t REST_PROFILE_WRITE[] = {
    {HTTP_POST, "/api/deviceProfile", AUTH_TENANT_ADMIN, save_profile},
    {HTTP_DELETE, "/api/deviceProfile/{id}", AUTH_TENANT_ADMIN, delete_profile},
    {0},
};

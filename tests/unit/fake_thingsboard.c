/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fake_thingsboard.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/http.h"
#include "json/json.h"
#include "json/json_edit.h"
#include "pki/cert.h"

static void reply(http_request_t *request, int status, const char *json)
{
    http_reply(request, status, "application/json", json, strlen(json), NULL);
}

static void not_found(http_request_t *request)
{
    reply(request, 404, "{\"status\":404,\"message\":\"Requested item wasn't found!\"}");
}

static bool text_of(const char *json, const char *path, char *out, size_t cap)
{
    json_token_t token;
    out[0] = '\0';
    return json_find(json, strlen(json), path, &token) && token.type == JSON_STRING &&
           json_string(&token, out, cap, NULL);
}

static fake_tb_thing_t *by_id(fake_tb_thing_t *things, const char *id)
{
    for (int i = 0; i < FAKE_TB_THINGS; i++) {
        if (id[0] != '\0' && strcmp(things[i].id, id) == 0) {
            return &things[i];
        }
    }
    return NULL;
}

static fake_tb_thing_t *by_name(fake_tb_thing_t *things, const char *name)
{
    char have[256];
    for (int i = 0; i < FAKE_TB_THINGS; i++) {
        if (things[i].id[0] != '\0' && text_of(things[i].json, "name", have, sizeof have) &&
            strcmp(have, name) == 0) {
            return &things[i];
        }
    }
    return NULL;
}

fake_tb_thing_t *fake_tb_profile(fake_tb_t *fake, const char *name)
{
    return by_name(fake->profile, name);
}

fake_tb_thing_t *fake_tb_chain(fake_tb_t *fake, const char *name)
{
    return by_name(fake->chain, name);
}

bool fake_tb_replace(char **text, const char *from, const char *to)
{
    char *at = strstr(*text, from);
    char *out = malloc(strlen(*text) + strlen(to) + 1);
    if (at == NULL || out == NULL) {
        free(out);
        return false;
    }
    sprintf(out, "%.*s%s%s", (int)(at - *text), *text, to, at + strlen(from));
    free(*text);
    *text = out;
    return true;
}

/* ---- keeping ---- */

static int64_t version_of(const char *json)
{
    json_token_t token;
    int64_t version = 0;
    if (json_find(json, strlen(json), "version", &token)) {
        json_i64(&token, &version);
    }
    return version;
}

static char *edited(const char *json, const json_edit_t *edits, size_t count)
{
    size_t size = json_edit_size(strlen(json), edits, count);
    char *out = malloc(size);
    if (out == NULL || !json_edit(json, strlen(json), edits, count, out, size, NULL)) {
        abort();
    }
    return out;
}

/* The thing of the body's id or a new one; NULL when a stale version was answered. */
static fake_tb_thing_t *save(fake_tb_t *fake, fake_tb_thing_t *things, const char *kind,
                             http_request_t *request)
{
    char id[40];
    char raw[128];
    char version[24];
    text_of(request->body, "id.id", id, sizeof id);
    fake_tb_thing_t *thing = by_id(things, id);
    int64_t had = 0;
    if (thing != NULL) {
        had = version_of(thing->json);
        if (version_of(request->body) != had) {
            reply(request, 409, "{\"status\":409,\"message\":\"changed by someone else\"}");
            return NULL;
        }
        free(thing->json);
    } else {
        for (thing = things; thing->id[0] != '\0'; thing++) {
        }
        snprintf(thing->id, sizeof thing->id, "00000000-0000-11f1-8000-%012d", ++fake->made);
    }
    snprintf(raw, sizeof raw, "{\"entityType\":\"%s\",\"id\":\"%s\"}", kind, thing->id);
    snprintf(version, sizeof version, "%lld", (long long)had + 1);
    const json_edit_t edits[] = {{"id", raw}, {"version", version}};
    thing->json = edited(request->body, edits, 2);
    return thing;
}

/* "-----BEGIN..." becomes one line of base64, and what is no certificate stays as it is. */
static void trim(char *pem)
{
    char *begin = strstr(pem, "-----\n");
    char *end = strstr(pem, "\n-----END");
    if (begin == NULL || end == NULL) {
        return;
    }
    char *out = pem;
    for (char *c = begin + 6; c < end; c++) {
        if (*c != '\n') {
            *out++ = *c;
        }
    }
    *out = '\0';
}

static void save_profile(fake_tb_t *fake, http_request_t *request)
{
    char secret[8192];
    char type[64];
    char key[65];
    char raw[80];
    fake_tb_thing_t *thing = save(fake, fake->profile, "DEVICE_PROFILE", request);
    if (thing == NULL) {
        return;
    }
    text_of(thing->json, "provisionType", type, sizeof type);
    if (strcmp(type, "X509_CERTIFICATE_CHAIN") == 0) {
        text_of(thing->json, "profileData.provisionConfiguration.provisionDeviceSecret", secret,
                sizeof secret);
        trim(secret);
        pki_sha3_hex(secret, strlen(secret), key, NULL);
        snprintf(raw, sizeof raw, "\"%s\"", key);
        const json_edit_t edit = {"provisionDeviceKey", raw};
        char *json = edited(thing->json, &edit, 1);
        free(thing->json);
        thing->json = json;
    }
    if (fake->spoiled != NULL) {
        fake_tb_replace(&thing->json, "(.*)", fake->spoiled);
    }
    reply(request, 200, thing->json);
}

static void save_metadata(fake_tb_t *fake, http_request_t *request)
{
    char id[40];
    char version[24];
    text_of(request->body, "ruleChainId.id", id, sizeof id);
    fake_tb_thing_t *chain = by_id(fake->chain, id);
    if (chain == NULL) {
        not_found(request);
        return;
    }
    int64_t had = version_of(chain->metadata);
    if (version_of(request->body) != had && version_of(request->body) != 0) {
        reply(request, 409, "{\"status\":409,\"message\":\"changed by someone else\"}");
        return;
    }
    snprintf(version, sizeof version, "%lld", (long long)had + 1);
    const json_edit_t edits[] = {{"version", version}, {"nodes", "[]"}};
    free(chain->metadata);
    chain->metadata = edited(request->body, edits, fake->lost_nodes ? 2 : 1);
    reply(request, 200, chain->metadata);
}

/* ---- asking ---- */

static void page(fake_tb_thing_t *things, http_request_t *request)
{
    static char out[200000];
    size_t at = (size_t)sprintf(out, "{\"data\":[");
    for (int i = 0; i < FAKE_TB_THINGS; i++) {
        if (things[i].id[0] != '\0') {
            at += (size_t)snprintf(out + at, sizeof out - at, "%s%s", out[at - 1] == '[' ? "" : ",",
                                   things[i].json);
        }
    }
    snprintf(out + at, sizeof out - at, "],\"hasNext\":false}");
    reply(request, 200, out);
}

static void one(fake_tb_thing_t *things, const char *id, bool metadata, http_request_t *request)
{
    char name[40];
    snprintf(name, sizeof name, "%.36s", id);
    fake_tb_thing_t *thing = by_id(things, name);
    if (thing == NULL) {
        not_found(request);
    } else if (request->method == HTTP_DELETE) {
        free(thing->json);
        free(thing->metadata);
        memset(thing, 0, sizeof *thing);
        reply(request, 200, "");
    } else {
        reply(request, 200, metadata ? thing->metadata : thing->json);
    }
}

static bool begins(const char *text, const char *with, const char **rest)
{
    *rest = text + strlen(with);
    return strncmp(text, with, strlen(with)) == 0;
}

static void make_chain(fake_tb_t *fake, http_request_t *request)
{
    fake_tb_thing_t *chain = save(fake, fake->chain, "RULE_CHAIN", request);
    if (chain != NULL) {
        chain->metadata =
            strdup("{\"version\":1,\"firstNodeIndex\":null,\"nodes\":[],\"connections\":[]}");
        reply(request, 200, chain->json);
    }
}

static void handle(void *ctx, http_request_t *request)
{
    fake_tb_t *fake = ctx;
    const char *rest;
    const char *path = request->path;
    bool get = request->method == HTTP_GET;
    char devices[64];
    if (strcmp(path, "/api/auth/login") == 0) {
        reply(request, 200, "{\"token\":\"a.b.c\",\"refreshToken\":\"d.e.f\"}");
        return;
    }
    fake->writes += !get;
    if (fake->no_chains && begins(path, "/api/ruleChain", &rest)) {
        reply(request, 404, "{\"status\":404,\"message\":\"No static resource api/ruleChains.\"}");
    } else if (strcmp(path, "/api/ruleChains") == 0) {
        page(fake->chain, request);
    } else if (strcmp(path, "/api/ruleChain") == 0) {
        make_chain(fake, request);
    } else if (strcmp(path, "/api/ruleChain/metadata") == 0) {
        save_metadata(fake, request);
    } else if (begins(path, "/api/ruleChain/", &rest)) {
        one(fake->chain, rest, true, request);
    } else if (strcmp(path, "/api/deviceProfileInfos") == 0) {
        page(fake->profile, request);
    } else if (strcmp(path, "/api/deviceProfile") == 0) {
        save_profile(fake, request);
    } else if (begins(path, "/api/deviceProfile/", &rest)) {
        one(fake->profile, rest, false, request);
    } else if (strcmp(path, "/api/tenant/deviceInfos") == 0) {
        snprintf(devices, sizeof devices, "{\"data\":[],\"totalElements\":%d}", fake->devices);
        reply(request, 200, devices);
    } else {
        not_found(request);
    }
}

/* ---- life ---- */

static void *serve(void *ctx)
{
    fake_tb_t *fake = ctx;
    while (!atomic_load(&fake->stop)) {
        struct pollfd wait = {.fd = http_server_fd(fake->server), .events = POLLIN};
        poll(&wait, 1, 20);
        http_server_dispatch(fake->server, 0);
    }
    return NULL;
}

static void add(fake_tb_t *fake, fake_tb_thing_t *thing, const char *kind, const char *rest)
{
    char json[512];
    snprintf(thing->id, sizeof thing->id, "00000000-0000-11f1-8000-%012d", ++fake->made);
    snprintf(json, sizeof json, "{\"id\":{\"entityType\":\"%s\",\"id\":\"%s\"},\"version\":1,%s}",
             kind, thing->id, rest);
    thing->json = strdup(json);
}

bool fake_tb_open(fake_tb_t *fake, err_t *err)
{
    const http_settings_t settings = {.listen = "127.0.0.1:0"};
    memset(fake, 0, sizeof *fake);
    add(fake, &fake->chain[0], "RULE_CHAIN", "\"name\":\"Root Rule Chain\",\"root\":true");
    fake->chain[0].metadata = strdup("{\"version\":1,\"nodes\":[],\"connections\":[]}");
    add(fake, &fake->profile[0], "DEVICE_PROFILE",
        "\"name\":\"default\",\"provisionType\":\"DISABLED\",\"default\":true");
    if (!http_server_open(&fake->server, &settings, handle, fake, err)) {
        return false;
    }
    snprintf(fake->url, sizeof fake->url, "http://%s", http_server_address(fake->server));
    return pthread_create(&fake->thread, NULL, serve, fake) == 0;
}

void fake_tb_close(fake_tb_t *fake)
{
    atomic_store(&fake->stop, true);
    pthread_join(fake->thread, NULL);
    http_server_close(fake->server);
    for (int i = 0; i < FAKE_TB_THINGS; i++) {
        free(fake->profile[i].json);
        free(fake->chain[i].json);
        free(fake->chain[i].metadata);
    }
}

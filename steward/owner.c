/* SPDX-License-Identifier: Apache-2.0 */
#include "steward/owner_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <openssl/sha.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "site/sn.h"

bool owner_open(owner_t **owner, const owner_settings_t *settings, err_t *err)
{
    owner_t *o = calloc(1, sizeof *o);
    if (o == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for the owners' API");
    }
    o->s = *settings;
    *owner = o;
    return true;
}

void owner_close(owner_t *owner)
{
    if (owner != NULL) {
        bytes_wipe(owner->s.ticket_key, sizeof owner->s.ticket_key);
        free(owner);
    }
}

/* ---- replies ---- */

void owner_reply(owner_call_t *call, int status, const char *json, size_t len)
{
    http_reply(call->request, status, "application/json", json, len, "Cache-Control: no-store\r\n");
}

static size_t error_text(char *out, size_t cap, const char *text)
{
    json_writer_t w;
    size_t len = 0;
    json_writer_init(&w, out, cap);
    json_object(&w);
    json_key(&w, "error");
    json_put_string(&w, text);
    json_end(&w);
    return json_writer_done(&w, &len) ? len : 0;
}

void owner_refuse(owner_call_t *call, int status, const char *text)
{
    char body[256];
    owner_reply(call, status, body, error_text(body, sizeof body, text));
}

void owner_wait(owner_call_t *call, unsigned seconds)
{
    char body[128];
    char headers[96];
    size_t len = error_text(body, sizeof body, "too many attempts failed: wait a little");
    snprintf(headers, sizeof headers, "Retry-After: %u\r\nCache-Control: no-store\r\n", seconds);
    http_reply(call->request, 429, "application/json", body, len, headers);
}

void owner_broken(owner_call_t *call, const err_t *err)
{
    fprintf(stderr, "cradle-steward: %s %s: %s\n", http_method_name(call->request->method),
            call->request->path, err->text);
    owner_refuse(call, 500, "the steward cannot do this at the moment: try again later");
}

/* ---- bodies ---- */

bool owner_text(owner_call_t *call, const char *member, char *out, size_t cap)
{
    const http_request_t *request = call->request;
    json_token_t value;
    char text[96];
    if (request->body_len > OWNER_BODY_MAX || !json_valid(request->body, request->body_len)) {
        owner_refuse(call, 400, "the body must be one small JSON object");
        return false;
    }
    if (json_find(request->body, request->body_len, member, &value) && value.type == JSON_STRING &&
        json_string(&value, out, cap, NULL) && out[0] != '\0') {
        return true;
    }
    snprintf(text, sizeof text, "\"%s\" is missing, empty, too long or no text", member);
    owner_refuse(call, 400, text);
    return false;
}

bool owner_sn(owner_call_t *call, char sn[RECORD_SN_SIZE])
{
    if (!owner_text(call, "sn", sn, RECORD_SN_SIZE)) {
        return false;
    }
    if (site_sn_check(sn, NULL)) {
        return true;
    }
    owner_refuse(call, 400, "this is no serial number");
    return false;
}

/* ---- who asks ---- */

/* "Bearer <43 base64url>", any case of the first word (RFC 7235 section 2.1). */
static bool read_bearer(const char *authorization, uint8_t hash[32])
{
    uint8_t token[32];
    size_t len;
    if (strncasecmp(authorization, "Bearer ", 7) != 0 ||
        !bytes_from_base64url(authorization + 7, strlen(authorization + 7), token, sizeof token,
                              &len) ||
        len != sizeof token) {
        return false;
    }
    SHA256(token, sizeof token, hash);
    bytes_wipe(token, sizeof token);
    return true;
}

static bool who_asks(owner_call_t *call)
{
    uint8_t hash[32];
    err_t err = ERR_INIT;
    bool found = false;
    if (read_bearer(call->request->authorization, hash) &&
        !record_token_get(call->owner->s.record, hash, call->now, call->account, &found, &err)) {
        owner_broken(call, &err);
        return false;
    }
    if (!found) {
        owner_refuse(call, 401, "log in first");
    }
    return found;
}

/* ---- paths ---- */

static const struct {
    const char *path; /* one that ends in '/' stands for all below it */
    http_method_t method;
    bool open; /* without a token */
    void (*run)(owner_call_t *call);
} ROUTES[] = {
    {"/api/login", HTTP_POST, true, owner_login},
    {"/api/ticket", HTTP_POST, false, owner_ticket},
    {"/api/device", HTTP_GET, false, owner_device},
    {"/api/devices", HTTP_GET, false, owner_devices},
    {"/api/release", HTTP_POST, false, owner_release},
    {"/api/code", HTTP_POST, false, owner_code},
    {"/api/receipts", HTTP_GET, false, owner_receipts},
    {"/receipt/", HTTP_GET, true, owner_receipt},
};

static bool fits(const char *route, const char *path)
{
    size_t len = strlen(route);
    return route[len - 1] == '/' ? strncmp(path, route, len) == 0 : strcmp(path, route) == 0;
}

bool owner_handle(owner_t *owner, http_request_t *request)
{
    owner_call_t call = {.owner = owner, .request = request};
    call.now = owner->s.now != NULL ? owner->s.now(owner->s.ctx) : clock_wall_ms() / 1000;
    for (size_t i = 0; i < sizeof ROUTES / sizeof ROUTES[0]; i++) {
        if (!fits(ROUTES[i].path, request->path)) {
            continue;
        }
        if (request->method != ROUTES[i].method) {
            owner_refuse(&call, 405, "this is not how this path is used");
        } else if (ROUTES[i].open || who_asks(&call)) {
            ROUTES[i].run(&call);
        }
        return true;
    }
    return false;
}

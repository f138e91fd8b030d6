/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/rpc_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/json.h"
#include "tbdevice/tb_device.h"

/* A byte of text becomes at most this many in JSON ("\u0000"). */
#define ESCAPED 6

bool rpc_text_payload(const rpc_call_t *call, char *out, size_t cap, size_t *len)
{
    json_writer_t w;
    json_writer_init(&w, out, cap);
    tb_put_rpc_request(&w, call->method, call->params, call->params_len);
    return json_writer_done(&w, len);
}

static void put_id(json_writer_t *w, const char *name, const char *type, const store_id_t *id)
{
    char text[STORE_ID_SIZE];
    store_id_format(id, text);
    json_key(w, name);
    json_object(w);
    json_key(w, "entityType");
    json_put_string(w, type);
    json_key(w, "id");
    json_put_string(w, text);
    json_end(w);
}

char *rpc_text_request(const rpc_call_t *call, const store_id_t *id, const store_id_t *tenant,
                       int64_t retries)
{
    size_t cap = 512 + ESCAPED * (strlen(call->method) + call->params_len);
    char *out = malloc(cap);
    char text[STORE_ID_SIZE];
    json_writer_t w;
    if (out == NULL) {
        return NULL;
    }
    store_id_format(id, text);
    json_writer_init(&w, out, cap);
    json_object(&w);
    json_key(&w, "id");
    json_put_string(&w, text);
    put_id(&w, "tenantId", "TENANT", tenant);
    put_id(&w, "deviceId", "DEVICE", &call->device);
    json_key(&w, "oneway");
    json_put_bool(&w, !call->two_way);
    json_key(&w, "expirationTime");
    json_put_i64(&w, call->expires_ms);
    json_key(&w, "body");
    json_object(&w);
    json_key(&w, "method");
    json_put_string(&w, call->method);
    json_key(&w, "params");
    if (call->params != NULL) {
        json_put_string_n(&w, call->params, call->params_len);
    } else {
        json_put_null(&w);
    }
    json_end(&w);
    json_key(&w, "persisted");
    json_put_bool(&w, true);
    json_key(&w, "retries");
    if (retries >= 0) {
        json_put_i64(&w, retries);
    } else {
        json_put_null(&w);
    }
    json_end(&w);
    if (!json_writer_done(&w, NULL)) {
        free(out);
        return NULL;
    }
    return out;
}

char *rpc_text_parse(const char *request, rpc_call_t *call, int64_t *retries)
{
    size_t len = strlen(request);
    char *block = malloc(2 * (len + 1));
    json_token_t token;
    bool ok = block != NULL && json_find(request, len, "body.method", &token) &&
              json_string(&token, block, len + 1, NULL);
    if (ok) {
        char *params = block + len + 1;
        call->method = block;
        call->params = NULL;
        call->params_len = 0;
        if (json_find(request, len, "body.params", &token) && token.type == JSON_STRING) {
            ok = json_string(&token, params, len + 1, &call->params_len) &&
                 json_valid(params, call->params_len);
            call->params = params;
        }
        call->two_way = json_find(request, len, "oneway", &token) && token.type == JSON_FALSE;
        *retries = -1;
        if (json_find(request, len, "retries", &token)) {
            json_i64(&token, retries);
        }
    }
    if (!ok) {
        free(block);
        return NULL;
    }
    return block;
}

char *rpc_text_response(const char *text, size_t len)
{
    size_t cap = 16 + ESCAPED * len;
    char *out = malloc(cap);
    json_writer_t w;
    if (out == NULL) {
        return NULL;
    }
    if (json_valid(text, len)) {
        memcpy(out, text, len);
        out[len] = '\0';
        return out;
    }
    json_writer_init(&w, out, cap);
    json_object(&w);
    json_key(&w, "error");
    json_put_string_n(&w, text, len);
    json_end(&w);
    if (!json_writer_done(&w, NULL)) {
        free(out);
        return NULL;
    }
    return out;
}

void rpc_text_no_ack(char out[RPC_NO_ACK_MAX], int64_t retries)
{
    snprintf(out, RPC_NO_ACK_MAX,
             "{\"error\":\"There was a Timeout and all retry attempts have been exhausted. "
             "Retry attempts set: %" PRId64 "\"}",
             retries);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest: ThingsBoard's REST API over the store: paths, bodies, codes and texts as ThingsBoard CE
 * 4.2.1 gives them (tests/fixtures/thingsboard-4.2.1/rest.jsonl).
 *
 *     rest_open(&rest, &settings, &err);
 *     http_server_open(&server, &http, rest_handle, rest, &err);
 *
 * Everything runs on the thread that dispatches the HTTP server, and answers before it returns;
 * only calls to devices wait until they have ended. What REST changes and MQTT sessions must learn
 * goes out through the hooks. Closing: rpc_close first (it ends the calls that wait),
 * http_server_close, rest_close.
 */
#ifndef CRADLE_CLOUD_REST_H
#define CRADLE_CLOUD_REST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "cloud/auth.h"
#include "cloud/rpc.h"
#include "cloud/store.h"
#include "http/http.h"

typedef struct rest rest_t;

/* Called after the change is in the store. Any may be NULL. */
typedef struct {
    void *ctx;
    /* Shared attributes were written: `json` is {"key":value,...} as pushed to the device. */
    void (*shared_saved)(void *ctx, const store_id_t *device, const char *json, size_t len);
    /* Shared attributes were deleted: `json` is {"deleted":["key",...]}. */
    void (*shared_deleted)(void *ctx, const store_id_t *device, const char *json, size_t len);
    /* The device was deleted or its credentials changed: its MQTT session ends. */
    void (*session_close)(void *ctx, const store_id_t *device);
} rest_hooks_t;

typedef struct {
    store_t *store; /* must outlive the handle */
    auth_t *auth;   /* must outlive the handle */
    rest_hooks_t hooks;
    rpc_t *rpc; /* NULL: calls to devices are answered 500 */
    /* Lax where ThingsBoard is and we are not: customer users rewrite customer, name, profile and
       gateway flag of their devices and read any persistent call; what is no certificate is taken
       as one; calls that wait outlive a change of customer. */
    bool as_thingsboard;
} rest_settings_t;

bool rest_open(rest_t **rest, const rest_settings_t *settings, err_t *err);
void rest_close(rest_t *rest);

/* An http_handler_t; `ctx` is the rest_t. */
void rest_handle(void *ctx, http_request_t *request);

#endif

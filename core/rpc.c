/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server-side RPC: {"method":"...","params":...} in, one JSON value out. The answer is made in the
 * shared buffer and leaves with the next cradle_device_next, before anything else.
 *
 * Of our own: "reboot", and "factoryReset" (what an owner asks for is the owner's). A product's
 * handler of the same name is not called. "cradle.call" is the steward's doorbell, which has no
 * content: the device says hello, and answers {}.
 */
#include <string.h>

#include "core/internal.h"

static void put(json_writer_t *writer, const char *json)
{
    json_put_raw(writer, json, strlen(json));
}

static const cradle_rpc_t *find(const cradle_device_t *device, const json_token_t *method)
{
    const cradle_product_t *product = device->product;
    for (size_t i = 0; product != NULL && i < product->rpc_count; i++) {
        if (json_equals(method, product->rpcs[i].method)) {
            return &product->rpcs[i];
        }
    }
    return NULL;
}

static void begin(cradle_device_t *device, json_writer_t *writer)
{
    json_writer_init(writer, device->message, sizeof device->message);
}

/* The product's answer, or the reason why there is none. */
static void call(cradle_device_t *device, const json_token_t *method, const json_token_t *params,
                 json_writer_t *writer)
{
    size_t len;
    const cradle_rpc_t *rpc = find(device, method);
    if (rpc == NULL) {
        put(writer, "{\"error\":\"unknown method\"}");
        return;
    }
    if (!rpc->call(device->product->ctx, params, writer)) {
        begin(device, writer);
        put(writer, "{\"error\":\"failed\"}");
    } else if (!json_writer_done(writer, &len) || len == 0) {
        begin(device, writer);
        put(writer, "{\"error\":\"the answer is too long, or no answer\"}");
    }
}

void core_rpc_request(cradle_device_t *device, uint32_t id, const char *json, size_t len)
{
    static const char nothing[] = "null";
    json_writer_t writer;
    json_token_t method;
    json_token_t params = {.type = JSON_NULL, .text = nothing, .len = sizeof nothing - 1};
    if (!json_find(json, len, "method", &method) || method.type != JSON_STRING) {
        device->ignored++;
        return;
    }
    json_find(json, len, "params", &params);
    bool reboot = json_equals(&method, "reboot");
    bool reset = json_equals(&method, "factoryReset");
    bool bell = device->steward.there && json_equals(&method, "cradle.call");
    begin(device, &writer);
    if (reboot || reset) {
        put(&writer, "{\"ok\":true}");
    } else if (bell) {
        put(&writer, "{}");
    } else {
        call(device, &method, &params, &writer);
    }
    size_t size;
    if (!json_writer_done(&writer, &size)) {
        return; /* cannot be: both errors above fit */
    }
    device->message_len = (uint16_t)size;
    device->reply_id = id;
    device->reply_due = true;
    if (bell) {
        core_steward_call(device);
    } else if (reboot) {
        core_lifecycle_reboot(device);
    } else if (reset) {
        core_lifecycle_reset(device, "factory reset by RPC");
    }
}

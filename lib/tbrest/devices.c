/* SPDX-License-Identifier: Apache-2.0 */
#include "tbrest/internal.h"

#include <stdio.h>
#include <string.h>

#include "json/json.h"

#define PAGE_SIZE 100

static bool read_device(const char *json, size_t len, tbrest_device_t *device, err_t *err)
{
    json_token_t token;
    memset(device, 0, sizeof *device);
    bool ok =
        tbrest_text(json, len, "id.id", device->id, sizeof device->id) &&
        tbrest_text(json, len, "name", device->name, sizeof device->name) &&
        tbrest_text(json, len, "type", device->type, sizeof device->type) &&
        tbrest_text(json, len, "deviceProfileId.id", device->profile_id,
                    sizeof device->profile_id) &&
        tbrest_text(json, len, "customerId.id", device->customer_id, sizeof device->customer_id) &&
        json_find(json, len, "createdTime", &token) && json_i64(&token, &device->created_ms);
    /* older servers have no version, and a label may be absent */
    if (json_find(json, len, "version", &token)) {
        json_i64(&token, &device->version);
    }
    tbrest_text(json, len, "label", device->label, sizeof device->label);
    return ok || err_set(err, ERR_INPUT, "the server's description of a device is not as expected");
}

static bool get_device(tbrest_t *rest, const char *path, tbrest_device_t *device, err_t *err)
{
    tbrest_answer_t answer;
    if (!tbrest_expect(rest, "GET", path, NULL, &answer, err)) {
        return false;
    }
    bool ok = read_device(answer.body, answer.len, device, err);
    tbrest_answer_free(&answer);
    return ok;
}

bool tbrest_device_by_name(tbrest_t *rest, const char *name, tbrest_device_t *device, err_t *err)
{
    char encoded[3 * TBREST_NAME_SIZE];
    char path[sizeof encoded + 64];
    if (!tbrest_encode(name, encoded, sizeof encoded)) {
        return err_set(err, ERR_USAGE, "the device name is too long");
    }
    snprintf(path, sizeof path, "/api/tenant/devices?deviceName=%s", encoded);
    return get_device(rest, path, device, err);
}

bool tbrest_device_by_id(tbrest_t *rest, const char *id, tbrest_device_t *device, err_t *err)
{
    char path[128];
    snprintf(path, sizeof path, "/api/device/%.36s", id);
    return get_device(rest, path, device, err);
}

bool tbrest_device_delete(tbrest_t *rest, const char *id, err_t *err)
{
    char path[128];
    tbrest_answer_t answer;
    snprintf(path, sizeof path, "/api/device/%.36s", id);
    if (!tbrest_expect(rest, "DELETE", path, NULL, &answer, err)) {
        return false;
    }
    tbrest_answer_free(&answer);
    return true;
}

/* Hands out one page. *more: there is another one, and the callback wants it. */
static bool read_page(const tbrest_answer_t *answer, tbrest_device_fn each, void *ctx, bool *more,
                      err_t *err)
{
    json_token_t token;
    *more = json_find(answer->body, answer->len, "hasNext", &token) && token.type == JSON_TRUE;
    for (int i = 0; i < PAGE_SIZE; i++) {
        char path[32];
        tbrest_device_t device;
        snprintf(path, sizeof path, "data.%d", i);
        if (!json_find(answer->body, answer->len, path, &token)) {
            break;
        }
        if (!read_device(token.text, token.len, &device, err)) {
            return false;
        }
        if (!each(ctx, &device)) {
            *more = false;
            break;
        }
    }
    return true;
}

bool tbrest_devices(tbrest_t *rest, const char *text_search, tbrest_device_fn each, void *ctx,
                    err_t *err)
{
    char encoded[3 * TBREST_NAME_SIZE] = "";
    if (text_search != NULL && !tbrest_encode(text_search, encoded, sizeof encoded)) {
        return err_set(err, ERR_USAGE, "the text to search for is too long");
    }
    bool more = true;
    for (unsigned page = 0; more; page++) {
        char path[sizeof encoded + 128];
        tbrest_answer_t answer;
        snprintf(path, sizeof path,
                 "/api/tenant/devices?pageSize=%d&page=%u&sortProperty=createdTime&sortOrder=ASC"
                 "&textSearch=%s",
                 PAGE_SIZE, page, encoded);
        if (!tbrest_expect(rest, "GET", path, NULL, &answer, err)) {
            return false;
        }
        bool ok = read_page(&answer, each, ctx, &more, err);
        tbrest_answer_free(&answer);
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a device is and how it does; release, claim codes, receipts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/sha.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "http/query.h"
#include "site/sn.h"
#include "steward/owner_internal.h"
#include "steward/record_state.h"

/* ---- devices ---- */

static bool read_state(owner_call_t *call, const char *sn, record_state_t *state)
{
    err_t err = ERR_INIT;
    if (record_state(call->owner->s.record, sn, state, &err)) {
        return true;
    }
    owner_broken(call, &err);
    return false;
}

static void put_device(json_writer_t *w, const owner_call_t *call, const char *sn,
                       const record_state_t *state)
{
    char epoch[23] = "";
    const char *owner = state->unit.owner;
    if (state->has_epoch) {
        bytes_to_base64url(state->epoch.epoch, JWS_EPOCH_SIZE, epoch, sizeof epoch);
    }
    json_object(w);
    json_key(w, "sn");
    json_put_string(w, sn);
    json_key(w, "owner");
    json_put_string(w, owner[0] == '\0'                    ? "nobody"
                       : strcmp(owner, call->account) == 0 ? "you"
                                                           : "somebody");
    json_key(w, "state");
    json_put_string(w, record_state_name(state->stage));
    json_key(w, "epoch");
    json_put_string(w, epoch);
    json_end(w);
}

void owner_device(owner_call_t *call)
{
    char sn[RECORD_SN_SIZE];
    char body[256];
    record_state_t state;
    json_writer_t w;
    size_t len;
    if (http_query_get(call->request->query, "sn", sn, sizeof sn) != 1 ||
        !site_sn_check(sn, NULL)) {
        owner_refuse(call, 400, "?sn= must be a serial number");
        return;
    }
    if (read_state(call, sn, &state)) {
        json_writer_init(&w, body, sizeof body);
        put_device(&w, call, sn, &state);
        json_writer_done(&w, &len);
        owner_reply(call, 200, body, len);
    }
}

/* A list of whatever length, in memory that grows. */
typedef struct {
    owner_call_t *call;
    char *text;
    size_t len;
    size_t cap;
    err_t err;
} list_t;

static bool list_put(list_t *list, const char *text, size_t len)
{
    if (list->len + len + 3 > list->cap) {
        size_t cap = list->cap == 0 ? 4096 : 2 * list->cap;
        char *more = realloc(list->text, cap);
        if (more == NULL) {
            return err_set(&list->err, ERR_SYSTEM, "out of memory for a list");
        }
        list->text = more;
        list->cap = cap;
    }
    memcpy(list->text + list->len, text, len);
    list->len += len;
    return true;
}

static bool list_begin(list_t *list, const char *name)
{
    char head[64];
    int n = snprintf(head, sizeof head, "{\"%s\":[", name);
    return list_put(list, head, (size_t)n);
}

/* An item is less than a kilobyte: list_put's growth always suffices. */
static bool list_item(list_t *list, json_writer_t *w)
{
    size_t len;
    return json_writer_done(w, &len) &&
           (list->text[list->len - 1] == '[' || list_put(list, ",", 1)) &&
           list_put(list, w->buf, len);
}

static void list_reply(list_t *list, bool ok)
{
    if (ok && list_put(list, "]}", 2)) {
        owner_reply(list->call, 200, list->text, list->len);
    } else {
        owner_broken(list->call, &list->err);
    }
    free(list->text);
}

static bool add_device(void *ctx, const record_unit_t *unit)
{
    list_t *list = ctx;
    record_state_t state;
    char item[256];
    json_writer_t w;
    if (!record_state(list->call->owner->s.record, unit->sn, &state, &list->err)) {
        return false;
    }
    json_writer_init(&w, item, sizeof item);
    json_object(&w);
    json_key(&w, "sn");
    json_put_string(&w, unit->sn);
    json_key(&w, "state");
    json_put_string(&w, record_state_name(state.stage));
    json_end(&w);
    return list_item(list, &w);
}

void owner_devices(owner_call_t *call)
{
    list_t list = {.call = call};
    bool ok =
        list_begin(&list, "devices") &&
        record_units(call->owner->s.record, call->account, "", add_device, &list, &list.err) &&
        list.err.kind == ERR_NONE;
    list_reply(&list, ok);
}

/* ---- release ---- */

/* In a transaction: the owner must not change between looking and writing. */
static bool release(owner_call_t *call, const char *sn, bool *yours, err_t *err)
{
    record_unit_t unit;
    bool found;
    if (!record_unit_get(call->owner->s.record, sn, &unit, &found, err)) {
        return false;
    }
    *yours = found && strcmp(unit.owner, call->account) == 0;
    if (!*yours) {
        return true;
    }
    unit.consent = OWNERSHIP_RELEASED;
    return record_unit_put(call->owner->s.record, &unit, err);
}

void owner_release(owner_call_t *call)
{
    record_t *record = call->owner->s.record;
    char sn[RECORD_SN_SIZE];
    bool yours = false;
    err_t err = ERR_INIT;
    if (!owner_sn(call, sn)) {
        return;
    }
    bool ok = record_begin(record, &err);
    if (ok) {
        ok = release(call, sn, &yours, &err);
        ok = record_end(record, ok, &err) && ok;
    }
    if (!ok) {
        owner_broken(call, &err);
    } else if (!yours) {
        owner_refuse(call, 403, "this device is not yours");
    } else {
        owner_reply(call, 200, "{}", 2);
    }
}

/* ---- claim codes ---- */

/* Wrong codes that cost nothing, of an account. */
#define FREE_CODES 4

/* The same work and answer whether the SN is unknown, has no code, or has another. */
static bool code_fits(const record_unit_t *unit, bool found, const char *code)
{
    uint8_t hash[32];
    SHA256((const uint8_t *)code, strlen(code), hash);
    return bytes_equal_secret(hash, unit->code_hash, sizeof hash) && found && unit->has_code;
}

void owner_code(owner_call_t *call)
{
    owner_t *owner = call->owner;
    char sn[RECORD_SN_SIZE];
    char code[64];
    record_unit_t unit = {.sn = ""};
    bool found;
    err_t err = ERR_INIT;
    uint64_t now_ms = clock_monotonic_ms();
    if (!owner_sn(call, sn) || !owner_text(call, "code", code, sizeof code)) {
        return;
    }
    unsigned wait = guard_wait(&owner->codes, call->account, FREE_CODES, now_ms);
    if (wait > 0) {
        owner_wait(call, wait);
        return;
    }
    if (!record_unit_get(owner->s.record, sn, &unit, &found, &err)) {
        owner_broken(call, &err);
    } else if (!code_fits(&unit, found, code)) {
        guard_failed(&owner->codes, call->account, now_ms);
        owner_refuse(call, 403, "this serial number and this code do not belong together");
    } else if (!record_code_put(owner->s.record, sn, call->account, call->now, &err)) {
        owner_broken(call, &err);
    } else {
        guard_forget(&owner->codes, call->account);
        owner_reply(call, 200, "{}", 2);
    }
}

/* ---- receipts ---- */

static bool add_receipt(void *ctx, const char *sn, int64_t issued, const char *link)
{
    list_t *list = ctx;
    char item[256];
    char path[64];
    json_writer_t w;
    snprintf(path, sizeof path, "/receipt/%s", link);
    json_writer_init(&w, item, sizeof item);
    json_object(&w);
    json_key(&w, "sn");
    json_put_string(&w, sn);
    json_key(&w, "issued");
    json_put_i64(&w, issued);
    json_key(&w, "link");
    json_put_string(&w, path);
    json_end(&w);
    return list_item(list, &w);
}

void owner_receipts(owner_call_t *call)
{
    list_t list = {.call = call};
    bool ok = list_begin(&list, "receipts") &&
              record_receipts(call->owner->s.record, call->account, call->now, add_receipt, &list,
                              &list.err) &&
              list.err.kind == ERR_NONE;
    list_reply(&list, ok);
}

void owner_receipt(owner_call_t *call)
{
    const char *link = call->request->path + strlen("/receipt/");
    char text[JWS_RECEIPT_MAX + 1];
    bool found = false;
    err_t err = ERR_INIT;
    if (strlen(link) == RECORD_LINK_SIZE - 1 &&
        !record_receipt_get(call->owner->s.record, link, call->now, text, &found, &err)) {
        owner_broken(call, &err);
    } else if (!found) {
        owner_refuse(call, 404, "there is no such receipt, or not any more");
    } else {
        http_reply(call->request, 200, "text/plain", text, strlen(text),
                   "Cache-Control: no-store\r\n");
    }
}

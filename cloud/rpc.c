/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/rpc.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cloud/log.h"
#include "cloud/rpc_text.h"

#define BUCKETS 4096

typedef struct target target_t;

/* One call, either way. */
typedef struct entry {
    struct entry *next; /* of the same device, in the order of calling */
    rpc_t *rpc;
    target_t *target;
    uint32_t id;
    loop_timer_t timer; /* the deadline, or the time for PUBACK if that comes first */
    uint64_t deadline_ms;
    /* From the device. */
    bool from_device;
    tb_family_t family;
    uint64_t ticket;
    /* To the device. */
    bool two_way;
    bool sent;        /* in the present session                           */
    bool sent_once;   /* in any                                           */
    unsigned round;   /* of rpc_subscribed, in which it was tried         */
    uint16_t packet;  /* that carries it and has no PUBACK yet; 0: none   */
    uint64_t ack_due; /* 0: none is waited for                            */
    bool persistent;
    store_id_t stored;
    int64_t retries, retries_max;
    rpc_done_fn_t done;
    void *ctx;
    size_t len;
    char payload[]; /* {"method":..,"params":..} */
} entry_t;

/* A device that was called once, or asks now. Stays for the sake of its ids. */
struct target {
    target_t *next; /* in the bucket */
    store_id_t device;
    uint32_t next_id;
    entry_t *entries;
    size_t count;
};

struct rpc {
    loop_t *loop;
    store_t *store;
    rpc_link_t link;
    size_t calls;     /* to devices   */
    size_t questions; /* from devices */
    uint64_t tickets;
    unsigned round;
    target_t *buckets[BUCKETS];
};

/* ---- devices ---- */

/* The slot that holds the device, or the empty one at the end of its bucket. */
static target_t **slot(rpc_t *rpc, const store_id_t *device)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < sizeof device->bytes; i++) {
        hash = (hash ^ device->bytes[i]) * 16777619u;
    }
    target_t **at = &rpc->buckets[hash % BUCKETS];
    while (*at != NULL && !store_id_equal(&(*at)->device, device)) {
        at = &(*at)->next;
    }
    return at;
}

static target_t *make_target(rpc_t *rpc, const store_id_t *device)
{
    target_t **at = slot(rpc, device);
    if (*at == NULL) {
        *at = calloc(1, sizeof **at);
        if (*at != NULL) {
            (*at)->device = *device;
        }
    }
    return *at;
}

/* Only what has never been called may be made anew: its ids would begin again. */
static void drop_target(rpc_t *rpc, const store_id_t *device, bool ids_too)
{
    target_t **at = slot(rpc, device);
    target_t *t = *at;
    if (t != NULL && t->entries == NULL && (ids_too || t->next_id == 0)) {
        *at = t->next;
        free(t);
    }
}

/* ---- calls in flight ---- */

static void on_timer(void *ctx);

static void arm(entry_t *e)
{
    uint64_t now = loop_now_ms(e->rpc->loop);
    uint64_t due = e->ack_due != 0 && e->ack_due < e->deadline_ms ? e->ack_due : e->deadline_ms;
    if (!loop_timer_start(e->rpc->loop, &e->timer, due > now ? due - now : 0, on_timer, e, NULL)) {
        cloud_log(LOG_ERROR, "rpc", "why=\"out of memory for a timer\"");
    }
}

static entry_t *add(rpc_t *rpc, const store_id_t *device, const char *payload, size_t len,
                    int64_t left_ms)
{
    target_t *t = make_target(rpc, device);
    entry_t *e = t != NULL ? calloc(1, sizeof *e + len + 1) : NULL;
    if (e == NULL) {
        drop_target(rpc, device, false);
        return NULL;
    }
    e->rpc = rpc;
    e->target = t;
    e->deadline_ms = loop_now_ms(rpc->loop) + (uint64_t)left_ms;
    e->len = len;
    memcpy(e->payload, payload, len);
    entry_t **at = &t->entries;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = e;
    t->count++;
    return e;
}

static void take_out(entry_t *e)
{
    entry_t **at = &e->target->entries;
    while (*at != e) {
        at = &(*at)->next;
    }
    *at = e->next;
    e->target->count--;
    loop_timer_stop(e->rpc->loop, &e->timer);
    if (e->from_device) {
        e->rpc->questions--;
    } else {
        e->rpc->calls--;
    }
    drop_target(e->rpc, &e->target->device, false);
}

/* Tells whoever waits, and forgets. */
static void finish(entry_t *e, rpc_outcome_t outcome, const char *text, size_t len)
{
    take_out(e);
    if (e->done != NULL) {
        e->done(e->ctx, outcome, text, len);
    }
    free(e);
}

static void set_status(const entry_t *e, const char *status, const char *response)
{
    err_t err = ERR_INIT;
    if (e->persistent &&
        store_rpc_update(e->rpc->store, &e->stored, status, response, &err) == STORE_FAILED) {
        cloud_log(LOG_ERROR, "store", "what=rpc why=\"%s\"", err.text);
    }
}

static bool is_full(rpc_t *rpc, size_t count, const store_id_t *device)
{
    const target_t *t = *slot(rpc, device);
    return count >= RPC_CALLS_MAX || (t != NULL && t->count >= RPC_DEVICE_MAX);
}

/* ---- time ---- */

static void no_ack(entry_t *e)
{
    char error[RPC_NO_ACK_MAX];
    e->ack_due = 0;
    e->packet = 0;
    if (e->retries < e->retries_max) {
        e->retries++;
        set_status(e, "TIMEOUT", NULL);
        arm(e);
        return;
    }
    rpc_text_no_ack(error, e->retries_max);
    set_status(e, "FAILED", error);
    finish(e, RPC_TIMED_OUT, NULL, 0);
}

static void on_timer(void *ctx)
{
    static const char error[] = "{\"error\":\"timeout\"}";
    entry_t *e = ctx;
    rpc_t *rpc = e->rpc;
    uint64_t now = loop_now_ms(rpc->loop);
    if (now < e->deadline_ms) {
        if (e->ack_due != 0 && now >= e->ack_due) {
            no_ack(e);
        } else {
            arm(e);
        }
    } else if (e->from_device) {
        store_id_t device = e->target->device;
        tb_family_t family = e->family;
        uint32_t id = e->id;
        finish(e, RPC_TIMED_OUT, NULL, 0); /* first: the link may tell that the session is gone */
        rpc->link.response(rpc->link.ctx, &device, family, id, error, sizeof error - 1);
    } else {
        set_status(e, "EXPIRED", NULL);
        finish(e, e->sent_once ? RPC_TIMED_OUT : RPC_NO_SESSION, NULL, 0);
    }
}

/* ---- to the device ---- */

/* May end this call, and no other one to the device. */
static void deliver(entry_t *e)
{
    rpc_t *rpc = e->rpc;
    uint16_t packet = 0;
    if (!rpc->link.request(rpc->link.ctx, &e->target->device, e->id, e->payload, e->len, &packet)) {
        return;
    }
    e->sent = true;
    e->sent_once = true;
    if (!e->persistent) {
        if (!e->two_way) {
            finish(e, RPC_DELIVERED, NULL, 0);
        }
        return;
    }
    e->packet = packet;
    set_status(e, packet != 0 ? "SENT" : "DELIVERED", NULL);
    if (packet != 0) {
        e->ack_due = loop_now_ms(rpc->loop) + RPC_ACK_MS;
        arm(e);
    } else if (!e->two_way) {
        finish(e, RPC_DELIVERED, NULL, 0);
    }
}

static entry_t *next_unsent(rpc_t *rpc, const store_id_t *device, unsigned round)
{
    target_t *t = *slot(rpc, device);
    entry_t *e = t != NULL ? t->entries : NULL;
    while (e != NULL && (e->from_device || e->sent || e->round == round)) {
        e = e->next;
    }
    return e;
}

void rpc_subscribed(rpc_t *rpc, const store_id_t *device)
{
    entry_t *e;
    unsigned round = ++rpc->round;
    while ((e = next_unsent(rpc, device, round)) != NULL) { /* the list changes under us */
        e->round = round;
        deliver(e);
    }
}

void rpc_acked(rpc_t *rpc, const store_id_t *device, uint16_t packet)
{
    const target_t *t = *slot(rpc, device);
    for (entry_t *e = t != NULL ? t->entries : NULL; e != NULL && packet != 0; e = e->next) {
        if (e->sent && e->packet == packet) {
            e->packet = 0;
            e->ack_due = 0;
            set_status(e, "DELIVERED", NULL);
            if (!e->two_way) {
                finish(e, RPC_DELIVERED, NULL, 0);
            }
            break;
        }
    }
    rpc_subscribed(rpc, device); /* a client of MQTT 5 may have been unable to take more */
}

void rpc_answered(rpc_t *rpc, const store_id_t *device, uint32_t id, const char *text, size_t len)
{
    const target_t *t = *slot(rpc, device);
    entry_t *e = t != NULL ? t->entries : NULL;
    while (e != NULL && (e->from_device || !e->sent_once || e->id != id)) {
        e = e->next;
    }
    if (e == NULL) {
        return;
    }
    char *response = e->persistent ? rpc_text_response(text, len) : NULL;
    set_status(e, "SUCCESSFUL", response);
    free(response);
    finish(e, RPC_ANSWERED, text, len);
}

/* ---- from the device ---- */

void rpc_asked(rpc_t *rpc, const store_id_t *device, tb_family_t family, uint32_t id,
               const char *method, const char *params, size_t params_len)
{
    entry_t *e =
        is_full(rpc, rpc->questions, device) ? NULL : add(rpc, device, "", 0, RPC_DEVICE_SIDE_MS);
    if (e == NULL) {
        cloud_log(LOG_WARN, "rpc", "why=\"too many questions of devices wait\"");
        return; /* it hears nothing, as from a server that is too busy */
    }
    rpc->questions++;
    e->from_device = true;
    e->family = family;
    e->id = id;
    e->ticket = ++rpc->tickets;
    arm(e);
    if (rpc->link.forward != NULL && strncmp(method, "cradle.", 7) == 0) {
        rpc->link.forward(rpc->link.ctx, device, e->ticket, method, params, params_len);
    }
}

void rpc_reply(rpc_t *rpc, const store_id_t *device, uint64_t ticket, const char *text, size_t len)
{
    const target_t *t = *slot(rpc, device);
    entry_t *e = t != NULL ? t->entries : NULL;
    while (e != NULL && (!e->from_device || e->ticket != ticket)) {
        e = e->next;
    }
    if (e != NULL) {
        tb_family_t family = e->family;
        uint32_t id = e->id;
        finish(e, RPC_ANSWERED, NULL, 0);
        rpc->link.response(rpc->link.ctx, device, family, id, text, len);
    }
}

void rpc_gone(rpc_t *rpc, const store_id_t *device)
{
    const target_t *t = *slot(rpc, device);
    entry_t *e = t != NULL ? t->entries : NULL;
    while (e != NULL) {
        entry_t *next = e->next;
        if (e->from_device) {
            finish(e, RPC_NO_SESSION, NULL, 0);
        } else {
            e->sent = false;
            e->packet = 0; /* its number means nothing in the next session; its time runs on */
        }
        e = next;
    }
}

/* ---- calls ---- */

static entry_t *start(rpc_t *rpc, const rpc_call_t *call, int64_t left_ms, rpc_result_t *result)
{
    size_t len;
    entry_t *e = NULL;
    if (is_full(rpc, rpc->calls, &call->device)) {
        *result = RPC_BUSY;
        return NULL;
    }
    char *payload = malloc(RPC_PAYLOAD_MAX + 1);
    if (payload == NULL) {
        *result = RPC_FAILED;
    } else if (!rpc_text_payload(call, payload, RPC_PAYLOAD_MAX + 1, &len)) {
        *result = RPC_TOO_LARGE;
    } else {
        e = add(rpc, &call->device, payload, len, left_ms);
        *result = e != NULL ? RPC_OK : RPC_FAILED;
    }
    free(payload);
    if (e != NULL) {
        rpc->calls++;
        e->id = e->target->next_id;
        e->target->next_id = (e->id + 1) & INT32_MAX;
        e->two_way = call->two_way;
    }
    return e;
}

static int64_t left_of(int64_t expires_ms)
{
    int64_t now = clock_wall_ms();
    return expires_ms > now ? expires_ms - now : 0;
}

rpc_result_t rpc_start(rpc_t *rpc, const rpc_call_t *call, rpc_done_fn_t done, void *ctx)
{
    rpc_result_t result;
    int64_t left = left_of(call->expires_ms);
    if (left == 0) {
        return RPC_EXPIRED;
    }
    entry_t *e = start(rpc, call, left, &result);
    if (e != NULL) {
        e->done = done;
        e->ctx = ctx;
        arm(e);
        deliver(e);
    }
    return result;
}

static rpc_result_t keep(rpc_t *rpc, const rpc_call_t *call, int64_t retries, const char *info,
                         const char *status, store_id_t *id, err_t *err)
{
    store_id_t tenant;
    store_id_new(id);
    store_tenant(rpc->store, &tenant);
    char *request = rpc_text_request(call, id, &tenant, retries);
    store_rpc_t row = {.id = *id,
                       .device = call->device,
                       .expires_ms = call->expires_ms,
                       .request = request,
                       .status = status,
                       .info = info};
    bool ok = request != NULL || err_set(err, ERR_SYSTEM, "out of memory for a call");
    ok = ok && store_rpc_add(rpc->store, &row, clock_wall_ms(), err) == STORE_OK &&
         store_commit(rpc->store, err);
    free(request);
    return ok ? RPC_OK : RPC_FAILED;
}

rpc_result_t rpc_start_persistent(rpc_t *rpc, const rpc_call_t *call, int64_t retries,
                                  const char *info, store_id_t *id, err_t *err)
{
    rpc_result_t result;
    int64_t left = left_of(call->expires_ms);
    if (left == 0) {
        result = keep(rpc, call, retries, info, "EXPIRED", id, err);
        return result == RPC_OK ? RPC_EXPIRED : result;
    }
    entry_t *e = start(rpc, call, left, &result);
    if (e == NULL) {
        return result;
    }
    result = keep(rpc, call, retries, info, "QUEUED", id, err);
    if (result != RPC_OK) {
        finish(e, RPC_NO_SESSION, NULL, 0);
        return result;
    }
    e->persistent = true;
    e->stored = *id;
    e->retries_max = retries >= 0 && retries < RPC_RETRIES_MAX ? retries : RPC_RETRIES_MAX;
    arm(e);
    deliver(e);
    return RPC_OK;
}

static void note_device(void *ctx, const store_rpc_t *row)
{
    *(store_id_t *)ctx = row->device;
}

store_result_t rpc_delete_persistent(rpc_t *rpc, const store_id_t *id, err_t *err)
{
    store_id_t device;
    store_result_t result = store_rpc_get(rpc->store, id, note_device, &device, err);
    if (result != STORE_OK) {
        return result;
    }
    const target_t *t = *slot(rpc, &device);
    for (entry_t *e = t != NULL ? t->entries : NULL; e != NULL; e = e->next) {
        if (e->persistent && store_id_equal(&e->stored, id)) {
            finish(e, RPC_NO_SESSION, NULL, 0);
            break;
        }
    }
    return store_rpc_delete(rpc->store, id, err);
}

void rpc_forget(rpc_t *rpc, const store_id_t *device)
{
    const target_t *t;
    while ((t = *slot(rpc, device)) != NULL && t->entries != NULL) {
        finish(t->entries, RPC_NO_SESSION, NULL, 0);
    }
    drop_target(rpc, device, true);
}

void rpc_cancel(rpc_t *rpc, const store_id_t *device)
{
    const target_t *t = *slot(rpc, device);
    entry_t *e = t != NULL ? t->entries : NULL;
    while (e != NULL) {
        entry_t *next = e->next;
        if (!e->from_device) {
            finish(e, RPC_NO_SESSION, NULL, 0);
        }
        e = next;
    }
}

/* ---- opening ---- */

/* Rows may not be changed while they are read: those whose time is over are noted. */
typedef struct {
    rpc_t *rpc;
    store_id_t *over;
    size_t over_count;
} loading_t;

static void load(void *ctx, const store_rpc_t *row)
{
    loading_t *l = ctx;
    rpc_call_t call = {.device = row->device, .expires_ms = row->expires_ms};
    int64_t left = left_of(row->expires_ms);
    int64_t retries;
    rpc_result_t result;
    char *texts = rpc_text_parse(row->request, &call, &retries);
    entry_t *e = NULL;
    if (texts == NULL || left == 0) {
        l->over[l->over_count++] = row->id;
    } else {
        e = start(l->rpc, &call, left, &result);
    }
    free(texts);
    if (e == NULL) {
        return;
    }
    e->persistent = true;
    e->stored = row->id;
    e->retries_max = retries >= 0 && retries < RPC_RETRIES_MAX ? retries : RPC_RETRIES_MAX;
    arm(e);
}

static bool load_all(rpc_t *rpc, err_t *err)
{
    const store_page_t page = {.size = RPC_CALLS_MAX};
    loading_t l = {.rpc = rpc, .over = calloc(RPC_CALLS_MAX, sizeof *l.over)};
    uint64_t total;
    bool ok = l.over != NULL || err_set(err, ERR_SYSTEM, "out of memory for remote calls");
    ok = ok && store_rpc_list(rpc->store, NULL, "QUEUED", &page, load, &l, &total, err) == STORE_OK;
    for (size_t i = 0; ok && i < l.over_count; i++) {
        ok = store_rpc_update(rpc->store, &l.over[i], "EXPIRED", NULL, err) == STORE_OK;
    }
    free(l.over);
    return ok && store_commit(rpc->store, err);
}

bool rpc_open(rpc_t **rpc, loop_t *loop, store_t *store, const rpc_link_t *link, err_t *err)
{
    rpc_t *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for remote calls");
    }
    r->loop = loop;
    r->store = store;
    r->link = *link;
    if (!load_all(r, err)) {
        rpc_close(r);
        return false;
    }
    *rpc = r;
    return true;
}

void rpc_close(rpc_t *rpc)
{
    for (size_t i = 0; rpc != NULL && i < BUCKETS; i++) {
        while (rpc->buckets[i] != NULL) {
            target_t *t = rpc->buckets[i];
            store_id_t device = t->device;
            while (t != NULL && t->entries != NULL) {
                finish(t->entries, RPC_TIMED_OUT, NULL, 0);
                t = *slot(rpc, &device); /* the last question takes an uncalled device along */
            }
            drop_target(rpc, &device, true);
        }
    }
    free(rpc);
}

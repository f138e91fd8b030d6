/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/hub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "cloud/connection.h"
#include "cloud/log.h"
#include "tbdevice/tb_payload.h"

#define ACCEPT_AGAIN_MS 200
#define ACCEPTS_A_TURN  64

static int verify(void *context, void *owner, X509 *leaf, const struct stack_st_X509 *chain,
                  bool resumed)
{
    hub_t *hub = context;
    connection_t *c = owner;
    int result = frontdoor_handshake(hub->settings.door, c->guest, c->peer, leaf, chain, resumed);
    if (c->guest->displaced) {
        hub_close_session(hub, &c->guest->device);
    }
    return result;
}

/* ---- accepting ---- */

static void on_listener(void *ctx, unsigned events);

static void accept_again(void *ctx)
{
    hub_t *hub = ctx;
    loop_fd_change(hub->settings.loop, &hub->watch, LOOP_READ);
}

static void on_listener(void *ctx, unsigned events)
{
    hub_t *hub = ctx;
    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int fd = accept4(hub->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 && hub->count < HUB_CONNECTIONS_MAX) {
            connection_open(hub, fd);
            continue;
        }
        if (fd >= 0) {
            close(fd);
            cloud_log(LOG_WARN, "full", "connections=%zu", hub->count);
            return;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            cloud_log(LOG_WARN, "accept",
                      "why=\"%s\" connections=%zu do=\"raise the limit of open "
                      "files\"",
                      strerror(errno), hub->count);
            loop_fd_change(hub->settings.loop, &hub->watch, 0);
            loop_timer_start(hub->settings.loop, &hub->retry, ACCEPT_AGAIN_MS, accept_again, hub,
                             NULL);
        }
        if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

/* ---- presence ---- */

/* A device that is marked active. */
typedef struct {
    store_id_t ids[64];
    int64_t rows[64];
    size_t count;
} active_t;

static void note_active(void *ctx, const store_device_t *device)
{
    active_t *active = ctx;
    if (active->count < 64) {
        active->ids[active->count] = device->id;
        active->rows[active->count++] = device->row;
    }
}

static bool note_long(void *ctx, const store_attribute_t *attribute)
{
    if (attribute->value.type == TB_LONG) {
        *(int64_t *)ctx = attribute->value.u.i;
    }
    return false;
}

static int64_t read_long(hub_t *hub, int64_t row, const char *key)
{
    int64_t value = 0;
    store_attribute_get(hub->settings.store, row, TB_SERVER_SCOPE, key, strlen(key), note_long,
                        &value, NULL);
    return value;
}

static void put_server(hub_t *hub, int64_t row, const char *key, const tb_value_t *value)
{
    store_attribute_put(hub->settings.store, row, TB_SERVER_SCOPE, key, strlen(key), value,
                        clock_wall_ms(), NULL);
}

/* Marks devices inactive that were silent for too long, as ThingsBoard does once a minute. */
static void sweep(hub_t *hub)
{
    int64_t now = clock_wall_ms();
    for (uint32_t page = 0; page < 10000; page++) {
        const store_device_query_t query = {.page = {.size = 64, .page = page}, .active = 1};
        active_t active = {.count = 0};
        if (store_device_list(hub->settings.store, &query, note_active, &active, NULL, NULL) !=
                STORE_OK ||
            active.count == 0) {
            return;
        }
        for (size_t i = 0; i < active.count; i++) {
            int64_t row = active.rows[i];
            int64_t limit = read_long(hub, row, TB_ATTR_INACTIVITY_TIMEOUT);
            limit = limit > 0 ? limit : TB_INACTIVITY_TIMEOUT_MS;
            if (read_long(hub, row, TB_ATTR_LAST_ACTIVITY) + limit < now) {
                put_server(hub, row, TB_ATTR_ACTIVE, &(tb_value_t){.type = TB_BOOL});
                put_server(hub, row, TB_ATTR_INACTIVITY_ALARM,
                           &(tb_value_t){.type = TB_LONG, .u.i = now});
            }
        }
        if (active.count < 64) {
            return;
        }
    }
}

static void on_second(void *ctx)
{
    hub_t *hub = ctx;
    err_t err = ERR_INIT;
    uint64_t now = loop_now_ms(hub->settings.loop);
    for (connection_t *c = hub->all; c != NULL; c = c->next) {
        connection_second(c, now);
    }
    if (++hub->seconds % 60 == 0) {
        sweep(hub);
    }
    if (!store_tidy(hub->settings.store, clock_wall_ms(), &err)) {
        cloud_log(LOG_ERROR, "store", "what=tidy why=\"%s\"", err.text);
    }
    loop_timer_start(hub->settings.loop, &hub->second, 1000, on_second, hub, NULL);
}

/* ---- commit ---- */

static void on_commit(void *ctx, bool committed)
{
    hub_t *hub = ctx;
    connection_t *c = hub->unsaved;
    hub->unsaved = NULL;
    while (c != NULL) {
        connection_t *next = c->next_unsaved;
        c->is_unsaved = false;
        connection_committed(c, committed);
        c = next;
    }
}

static void bury(hub_t *hub)
{
    while (hub->graves != NULL) {
        connection_t *c = hub->graves;
        hub->graves = c->next_in_bucket;
        free(c->guest);
        free(c->name);
        free(c->in);
        free(c->saved);
        free(c);
    }
}

void hub_turn_end(hub_t *hub)
{
    err_t err = ERR_INIT;
    if (!store_commit(hub->settings.store, &err)) {
        cloud_log(LOG_ERROR, "store",
                  "what=commit why=\"%s\" do=\"nothing was acknowledged; make "
                  "room or repair the disk\"",
                  err.text);
    }
    if (hub->unsaved != NULL) {
        on_commit(hub, err.kind == ERR_NONE); /* messages that changed nothing */
    }
    bury(hub);
}

/* ---- reading on ---- */

static void on_resume(void *ctx)
{
    hub_t *hub = ctx;
    for (connection_t *c = hub->all; c != NULL; c = c->next) {
        connection_resume(c);
    }
}

void hub_resume(hub_t *hub)
{
    loop_timer_start(hub->settings.loop, &hub->resume, 0, on_resume, hub, NULL);
}

/* ---- who is in ---- */

static connection_t **bucket(hub_t *hub, int64_t row)
{
    return &hub->buckets[(uint64_t)row % HUB_BUCKETS];
}

connection_t *hub_find(hub_t *hub, int64_t row)
{
    connection_t *c = *bucket(hub, row);
    while (c != NULL && c->row != row) {
        c = c->next_in_bucket;
    }
    return c;
}

void hub_admit(hub_t *hub, connection_t *c)
{
    connection_t *old = hub_find(hub, c->row);
    if (old != NULL) {
        mqtt_out_t out;
        mqtt_out_init(&out, hub->out, sizeof hub->out);
        mqtt_server_disconnect(&old->mqtt, MQTT_REASON_TAKEN_OVER, &out);
        tls_write(old->tls, out.buf, out.len);
        connection_close(old, "a newer connection of the same device came");
    }
    connection_t **head = bucket(hub, c->row);
    c->next_in_bucket = *head;
    *head = c;
}

static connection_t *find_device(hub_t *hub, const store_id_t *device)
{
    for (connection_t *c = hub->all; c != NULL; c = c->next) {
        if (c->admitted && store_id_equal(&c->device, device)) {
            return c;
        }
    }
    return NULL;
}

void hub_push_attributes(hub_t *hub, const store_id_t *device, const char *json, size_t len)
{
    connection_t *c = find_device(hub, device);
    tb_family_t family;
    if (c != NULL && tb_session_wants_attributes(&c->session, &family)) {
        connection_publish(c, TB_DOWN_ATTRIBUTES, family, 0, json, len, NULL);
    }
}

/* By its row: devices are called often. */
static connection_t *find_admitted(hub_t *hub, const store_id_t *device)
{
    int64_t row;
    return store_device_row(hub->settings.store, device, &row, NULL) == STORE_OK
               ? hub_find(hub, row)
               : NULL;
}

void hub_set_rpc(hub_t *hub, rpc_t *rpc)
{
    hub->rpc = rpc;
}

bool hub_rpc_request(hub_t *hub, const store_id_t *device, uint32_t id, const char *payload,
                     size_t len, uint16_t *packet)
{
    connection_t *c = find_admitted(hub, device);
    tb_family_t family;
    return c != NULL && tb_session_wants_rpc(&c->session, &family) &&
           connection_publish(c, TB_DOWN_RPC_REQUEST, family, id, payload, len, packet);
}

void hub_rpc_response(hub_t *hub, const store_id_t *device, tb_family_t family, uint32_t id,
                      const char *text, size_t len)
{
    connection_t *c = find_admitted(hub, device);
    if (c != NULL) {
        connection_publish(c, TB_DOWN_RPC_RESPONSE, family, id, text, len, NULL);
    }
}

void hub_close_session(hub_t *hub, const store_id_t *device)
{
    connection_t *c = find_device(hub, device);
    if (c != NULL) {
        connection_close(c, "the device was deleted or its credentials changed");
    }
}

/* ---- life ---- */

bool hub_open(hub_t **hub, const hub_settings_t *settings, err_t *err)
{
    hub_t *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for the MQTT server");
    }
    h->settings = *settings;
    h->listener = -1;
    h->scratch_cap = tb_scratch_size(MQTT_REMAINING_DEFAULT);
    h->scratch = malloc(h->scratch_cap);
    h->answer = malloc(HUB_OUT_MAX);
    const tls_server_settings_t tls = {
        .chain = settings->chain, .key = settings->key, .verify = verify, .context = h};
    bool ok = (h->scratch != NULL && h->answer != NULL) ||
              err_set(err, ERR_SYSTEM, "out of memory for the MQTT server");
    ok = ok && tls_server_context(&h->tls, &tls, err) &&
         net_listen(settings->listen, &h->listener, h->address, err) &&
         loop_fd_add(settings->loop, &h->watch, h->listener, LOOP_READ, on_listener, h, err) &&
         loop_timer_start(settings->loop, &h->second, 1000, on_second, h, err);
    if (!ok) {
        hub_close(h);
        return false;
    }
    store_on_commit(settings->store, on_commit, h);
    *hub = h;
    return true;
}

void hub_close(hub_t *hub)
{
    if (hub == NULL) {
        return;
    }
    loop_fd_remove(hub->settings.loop, &hub->watch);
    loop_timer_stop(hub->settings.loop, &hub->second);
    loop_timer_stop(hub->settings.loop, &hub->retry);
    loop_timer_stop(hub->settings.loop, &hub->resume);
    while (hub->all != NULL) {
        connection_close(hub->all, NULL);
    }
    hub_turn_end(hub);
    store_on_commit(hub->settings.store, NULL, NULL);
    if (hub->listener >= 0) {
        close(hub->listener);
    }
    tls_context_free(hub->tls);
    free(hub->scratch);
    free(hub->answer);
    free(hub);
}

const char *hub_address(const hub_t *hub)
{
    return hub->address;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/connection.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cloud/log.h"

#define READ_SIZE          16384
#define ACTIVITY_REPORT_MS 3000
#define FILTERS_MAX        64

/* ---- attributes that the platform writes ---- */

static void put_time(connection_t *c, const char *key)
{
    int64_t now = clock_wall_ms();
    const tb_value_t value = {.type = TB_LONG, .u.i = now};
    store_attribute_put(c->hub->settings.store, c->row, TB_SERVER_SCOPE, key, strlen(key), &value,
                        now, NULL);
}

static void put_active(connection_t *c)
{
    const tb_value_t value = {.type = TB_BOOL, .u.b = true};
    store_attribute_put(c->hub->settings.store, c->row, TB_SERVER_SCOPE, TB_ATTR_ACTIVE,
                        strlen(TB_ATTR_ACTIVE), &value, clock_wall_ms(), NULL);
}

static void heard(connection_t *c)
{
    c->heard_ms = loop_now_ms(c->hub->settings.loop);
    if (c->admitted && c->heard_ms - c->reported_ms >= ACTIVITY_REPORT_MS) {
        c->reported_ms = c->heard_ms;
        put_time(c, TB_ATTR_LAST_ACTIVITY);
        put_active(c);
    }
}

/* ---- closing ---- */

static void leave_bucket(connection_t *c)
{
    connection_t **at = &c->hub->buckets[(uint64_t)c->row % HUB_BUCKETS];
    while (*at != NULL && *at != c) {
        at = &(*at)->next_in_bucket;
    }
    if (*at == c) {
        *at = c->next_in_bucket;
    }
}

void connection_close(connection_t *c, const char *why)
{
    char text[LOG_TEXT_MAX];
    hub_t *hub = c->hub;
    if (c->closed) {
        return;
    }
    c->closed = true;
    tls_close(c->tls);
    c->tls = NULL;
    if (c->admitted) {
        leave_bucket(c);
        put_time(c, TB_ATTR_LAST_DISCONNECT);
        if (hub->rpc != NULL) {
            rpc_gone(hub->rpc, &c->device);
        }
    }
    if (why != NULL) {
        cloud_log(LOG_INFO, "closed", "device=%s peer=%s why=%s", c->name != NULL ? c->name : "-",
                  c->peer, log_text(why, strlen(why), text, sizeof text));
    }
    if (c->prev != NULL) {
        c->prev->next = c->next;
    } else {
        hub->all = c->next;
    }
    if (c->next != NULL) {
        c->next->prev = c->prev;
    }
    hub->count--;
    /* Its callbacks, or a walk over all connections, may still be on the stack: `next` of a grave
       must stay useful to a walk, so graves are chained only when the turn ends. */
    c->next_in_bucket = hub->graves;
    hub->graves = c;
}

/* ---- sending ---- */

static void begin_out(connection_t *c, mqtt_out_t *out)
{
    mqtt_out_init(out, c->hub->out, sizeof c->hub->out);
}

/* False: the connection was closed because the other side does not take what we send. */
static bool send_out(connection_t *c, const mqtt_out_t *out)
{
    if (!c->closed && out->len > 0 && !tls_write(c->tls, out->buf, out->len)) {
        connection_close(c, "it does not take what is sent to it");
    }
    return !c->closed;
}

bool connection_publish(connection_t *c, tb_down_t down, tb_family_t family, uint32_t id,
                        const char *payload, size_t len, uint16_t *packet)
{
    char topic[TB_TOPIC_MAX];
    mqtt_out_t out;
    if (c->closed) {
        return false;
    }
    begin_out(c, &out);
    tb_topic_build(topic, down, family, id, 0);
    return mqtt_server_publish(&c->mqtt, mqtt_text(topic), (mqtt_text_t){payload, len},
                               tb_session_qos(&c->session, down, family), packet, &out) &&
           send_out(c, &out);
}

void connection_committed(connection_t *c, bool committed)
{
    mqtt_out_t out;
    if (c->closed) {
        return;
    }
    if (!committed) {
        connection_close(c, "the store could not keep its messages");
        return;
    }
    for (uint16_t i = 0; i < c->saved_count; i++) {
        mqtt_server_puback(&c->mqtt, c->saved[i], MQTT_REASON_SUCCESS);
    }
    c->saved_count = 0;
    begin_out(c, &out);
    mqtt_server_flush(&c->mqtt, &out);
    if (send_out(c, &out) && c->stopped) {
        hub_resume(c->hub);
    }
}

/* This message is in the open batch: its PUBACK waits for the commit. */
static bool remember(connection_t *c, uint16_t id)
{
    if (c->saved == NULL) {
        c->saved = malloc(MQTT_SERVER_INFLIGHT_MAX * sizeof *c->saved);
    }
    if (c->saved == NULL || c->saved_count == MQTT_SERVER_INFLIGHT_MAX) {
        return false;
    }
    c->saved[c->saved_count++] = id;
    if (!c->is_unsaved) {
        c->is_unsaved = true;
        c->next_unsaved = c->hub->unsaved;
        c->hub->unsaved = c;
    }
    return true;
}

/* ---- what lib/tbdevice asks of the store ---- */

static bool save_point(void *ctx, const tb_point_t *point)
{
    connection_t *c = ctx;
    err_t err = ERR_INIT;
    if (store_point_add(c->hub->settings.store, c->row, point, &err) == STORE_OK) {
        return true;
    }
    cloud_log(LOG_ERROR, "store", "what=telemetry device=%s why=\"%s\"", c->name, err.text);
    return false;
}

static bool save_attribute(void *ctx, const tb_point_t *attribute)
{
    connection_t *c = ctx;
    err_t err = ERR_INIT;
    if (store_attribute_put(c->hub->settings.store, c->row, TB_CLIENT_SCOPE, attribute->key,
                            attribute->key_len, &attribute->value, clock_wall_ms(),
                            &err) == STORE_OK) {
        return true;
    }
    cloud_log(LOG_ERROR, "store", "what=attributes device=%s why=\"%s\"", c->name, err.text);
    return false;
}

typedef struct {
    tb_attribute_fn each;
    void *ctx;
} relay_t;

static bool relay(void *ctx, const store_attribute_t *attribute)
{
    const relay_t *r = ctx;
    return r->each(r->ctx, attribute->key, attribute->key_len, &attribute->value);
}

static bool read_attributes(void *ctx, tb_scope_t scope, const char *key, size_t key_len,
                            tb_attribute_fn each, void *each_ctx)
{
    connection_t *c = ctx;
    relay_t r = {each, each_ctx};
    store_result_t result =
        key != NULL ? store_attribute_get(c->hub->settings.store, c->row, scope, key, key_len,
                                          relay, &r, NULL)
                    : store_attribute_list(c->hub->settings.store, c->row, scope, relay, &r, NULL);
    return result == STORE_OK || result == STORE_NOT_FOUND;
}

/* ---- remote calls ---- */

static void rpc_response(void *ctx, uint32_t id, const char *payload, size_t len)
{
    connection_t *c = ctx;
    if (c->hub->rpc != NULL) {
        rpc_answered(c->hub->rpc, &c->device, id, payload, len);
    }
}

static void rpc_request(void *ctx, tb_family_t family, uint32_t id, const char *method,
                        const char *params, size_t params_len)
{
    connection_t *c = ctx;
    if (c->hub->rpc != NULL) {
        rpc_asked(c->hub->rpc, &c->device, family, id, method, params, params_len);
    }
}

static const tb_store_t STORE = {.save_point = save_point,
                                 .save_attribute = save_attribute,
                                 .read_attributes = read_attributes,
                                 .rpc_response = rpc_response,
                                 .rpc_request = rpc_request};

/* ---- events ---- */

static void send_reply(connection_t *c, const tb_reply_t *reply)
{
    mqtt_out_t out;
    if (!reply->present || c->closed) {
        return;
    }
    begin_out(c, &out);
    mqtt_server_publish(&c->mqtt, mqtt_text(reply->topic),
                        (mqtt_text_t){reply->payload, reply->len}, reply->qos, NULL, &out);
    send_out(c, &out);
}

/* Acknowledges at once: there is nothing of this message to keep, but those before it come first.
 */
static void acknowledge(connection_t *c, uint16_t id, uint8_t reason)
{
    mqtt_out_t out;
    if (id == 0) {
        return;
    }
    begin_out(c, &out);
    mqtt_server_puback(&c->mqtt, id, reason);
    mqtt_server_flush(&c->mqtt, &out);
    send_out(c, &out);
}

static void not_kept(const connection_t *c, const char *what, const tb_reply_t *reply)
{
    if (reply->why != NULL) {
        cloud_log(LOG_WARN, what, "device=%s why=\"%s\"", c->name, reply->why);
    }
}

static void on_publish(connection_t *c, const mqtt_publish_t *publish)
{
    hub_t *hub = c->hub;
    tb_reply_t reply;
    unsigned flags = (hub->settings.as_thingsboard ? TB_AS_THINGSBOARD : 0u) |
                     (c->mqtt.level == 5 ? TB_MQTT5 : 0u);
    const tb_env_t env = {.store = &STORE,
                          .ctx = c,
                          .flags = flags,
                          .now_ms = clock_wall_ms(),
                          .scratch = hub->scratch,
                          .scratch_cap = hub->scratch_cap,
                          .out = hub->answer,
                          .out_cap = HUB_OUT_MAX - 1024};
    tb_answer_t answer =
        tb_device_publish(&c->session, &env, publish->topic.text, publish->topic.len,
                          publish->payload.text, publish->payload.len, publish->qos, &reply);
    switch (answer) {
    case TB_ACK:
        if (reply.present) {
            acknowledge(c, publish->id, MQTT_REASON_SUCCESS);
            send_reply(c, &reply);
        } else if (publish->id != 0 && !remember(c, publish->id)) {
            connection_close(c, "out of memory");
        }
        break;
    case TB_IGNORE:
        not_kept(c, "ignored", &reply);
        acknowledge(c, publish->id, reply.reason);
        break;
    case TB_SILENT:
        mqtt_server_drop(&c->mqtt, publish->id);
        break;
    case TB_CLOSE:
        not_kept(c, "rejected", &reply);
        send_reply(c, &reply);
        connection_close(c, reply.why);
        break;
    case TB_FAILED:
    default:
        connection_close(c, "the store could not keep its message");
        break;
    }
}

static void on_connect(connection_t *c)
{
    frontdoor_admitted_t admitted;
    bool unavailable;
    mqtt_out_t out;
    bool in = frontdoor_connect(c->hub->settings.door, c->guest, tls_peer_leaf(c->tls), c->peer,
                                &admitted, &unavailable);
    if (in) {
        c->name = strdup(admitted.name);
        in = c->name != NULL;
        unavailable = !in;
    }
    begin_out(c, &out);
    mqtt_server_connack(&c->mqtt,
                        in            ? MQTT_ACCEPT
                        : unavailable ? MQTT_REFUSE_UNAVAILABLE
                                      : MQTT_REFUSE_NOT_AUTHORIZED,
                        &out);
    free(c->guest);
    c->guest = NULL;
    if (!in) {
        tls_write(c->tls, out.buf, out.len);
        tls_finish(c->tls, 2000);
        c->tls = NULL;
        connection_close(c, NULL); /* the front door has said why */
        return;
    }
    c->device = admitted.device;
    c->row = admitted.row;
    uint8_t connack[8];
    size_t connack_len = out.len;
    memcpy(connack, out.buf, connack_len < sizeof connack ? connack_len : 0);
    hub_admit(c->hub, c); /* may use the shared buffer */
    c->admitted = true;
    put_time(c, TB_ATTR_LAST_CONNECT);
    heard(c);
    if (!tls_write(c->tls, connack, connack_len)) {
        connection_close(c, "it does not take what is sent to it");
    }
}

static void on_subscribe(connection_t *c, const mqtt_subscribe_t *subscribe, bool add)
{
    uint8_t codes[FILTERS_MAX];
    size_t position = 0;
    size_t count = 0;
    mqtt_text_t filter;
    uint8_t qos;
    mqtt_out_t out;
    if (subscribe->count > FILTERS_MAX) {
        connection_close(c, "more filters in one packet than there are");
        return;
    }
    while (mqtt_filter_next(subscribe, &position, &filter, &qos)) {
        if (add) {
            codes[count++] = tb_session_subscribe(&c->session, filter.text, filter.len, qos);
        } else {
            tb_session_unsubscribe(&c->session, filter.text, filter.len);
            count++;
        }
    }
    begin_out(c, &out);
    if (add) {
        mqtt_server_suback(&c->mqtt, subscribe->id, codes, count, &out);
    } else {
        mqtt_server_unsuback(&c->mqtt, subscribe->id, count, &out);
    }
    tb_family_t family;
    if (send_out(c, &out) && add && c->hub->rpc != NULL &&
        tb_session_wants_rpc(&c->session, &family)) {
        rpc_subscribed(c->hub->rpc, &c->device);
    }
}

/* Takes the packets at the front of `data`. *used: how much of it. *need: what the packet that
   remains needs at least. */
static void take_packets(connection_t *c, const uint8_t *data, size_t len, size_t *used,
                         size_t *need)
{
    *used = 0;
    *need = 0;
    while (!c->closed) {
        mqtt_packet_t packet;
        mqtt_out_t out;
        size_t size;
        begin_out(c, &out);
        mqtt_server_event_t event =
            mqtt_server_take(&c->mqtt, data + *used, len - *used, &packet, &size, &out);
        if (event == MQTT_SERVER_MORE || event == MQTT_SERVER_BLOCKED) {
            *need = event == MQTT_SERVER_MORE ? size : 0;
            return;
        }
        if (!send_out(c, &out)) {
            return;
        }
        if (event == MQTT_SERVER_CLOSE) {
            connection_close(c, mqtt_server_why(&c->mqtt));
            return;
        }
        *used += size;
        heard(c);
        switch (event) {
        case MQTT_SERVER_CONNECT:
            on_connect(c);
            break;
        case MQTT_SERVER_PUBLISH:
            on_publish(c, &packet.u.publish);
            break;
        case MQTT_SERVER_SUBSCRIBE:
        case MQTT_SERVER_UNSUBSCRIBE:
            on_subscribe(c, &packet.u.subscribe, event == MQTT_SERVER_SUBSCRIBE);
            break;
        case MQTT_SERVER_PUBACK:
            if (c->hub->rpc != NULL) {
                rpc_acked(c->hub->rpc, &c->device, packet.u.ack.id);
            }
            break;
        case MQTT_SERVER_DISCONNECT:
            connection_close(c, NULL);
            break;
        default:
            break;
        }
    }
}

/* Keeps the rest of a packet until more of it comes. False: closed. */
static bool keep(connection_t *c, const uint8_t *data, size_t len, size_t need)
{
    if (len == 0) {
        free(c->in);
        c->in = NULL;
        c->in_len = c->in_cap = 0;
        return true;
    }
    size_t cap = need > len + READ_SIZE ? need : len + READ_SIZE;
    if (cap > c->in_cap) {
        uint8_t *in = malloc(cap);
        if (in == NULL) {
            connection_close(c, "out of memory");
            return false;
        }
        memcpy(in, data, len);
        free(c->in);
        c->in = in;
        c->in_cap = cap;
    } else {
        memmove(c->in, data, len);
    }
    c->in_len = len;
    return true;
}

static void on_readable(void *ctx)
{
    connection_t *c = ctx;
    uint8_t fresh[READ_SIZE];
    size_t n;
    while (!c->closed && !c->stopped) {
        size_t used;
        size_t need;
        const uint8_t *data = fresh;
        size_t len;
        if (c->in != NULL) {
            n = tls_read(c->tls, c->in + c->in_len, c->in_cap - c->in_len);
            data = c->in;
            len = c->in_len + n;
        } else {
            n = len = tls_read(c->tls, fresh, sizeof fresh);
        }
        if (n == 0) {
            return;
        }
        take_packets(c, data, len, &used, &need);
        if (c->closed || !keep(c, data + used, len - used, need)) {
            return;
        }
        c->stopped = mqtt_server_waiting(&c->mqtt) >= MQTT_SERVER_INFLIGHT_MAX;
    }
}

/* What was received before it stopped comes first. */
void connection_resume(connection_t *c)
{
    size_t used;
    size_t need;
    if (c->closed || !c->stopped) {
        return;
    }
    c->stopped = false;
    if (c->in != NULL) {
        take_packets(c, c->in, c->in_len, &used, &need);
        if (c->closed || !keep(c, c->in + used, c->in_len - used, need)) {
            return;
        }
        c->stopped = mqtt_server_waiting(&c->mqtt) >= MQTT_SERVER_INFLIGHT_MAX;
    }
    on_readable(c);
}

static void on_end(void *ctx, const tls_end_t *end)
{
    connection_t *c = ctx;
    /* The front door has told about certificates; garbage and time-outs are worth a line. */
    bool told = end->handshake && end->kind == TLS_END_UNTRUSTED;
    connection_close(c, told || end->kind == TLS_END_CLOSED ? NULL : end->text);
}

void connection_open(hub_t *hub, int fd)
{
    connection_t *c = calloc(1, sizeof *c);
    frontdoor_guest_t *guest = calloc(1, sizeof *guest);
    if (c == NULL || guest == NULL) {
        free(c);
        free(guest);
        close(fd);
        return;
    }
    c->hub = hub;
    c->guest = guest;
    c->opened_ms = c->heard_ms = loop_now_ms(hub->settings.loop);
    net_peer(fd, c->peer);
    mqtt_server_init(&c->mqtt, hub->settings.as_thingsboard ? MQTT_SERVER_CLAIM_SESSION : 0,
                     MQTT_REMAINING_DEFAULT);
    c->next = hub->all;
    if (hub->all != NULL) {
        hub->all->prev = c;
    }
    hub->all = c;
    hub->count++;
    const tls_handlers_t handlers = {.on_readable = on_readable, .on_end = on_end, .ctx = c};
    if (!tls_accept(&c->tls, hub->settings.loop, hub->tls, fd, &handlers, NULL)) {
        c->tls = NULL;
        connection_close(c, NULL);
    }
}

void connection_second(connection_t *c, uint64_t now_ms)
{
    uint64_t silent = now_ms - c->heard_ms;
    uint32_t keep_alive = mqtt_server_silence_ms(&c->mqtt);
    if (!c->admitted && now_ms - c->opened_ms > TLS_HANDSHAKE_MS + HUB_CONNECT_MS) {
        connection_close(c, "no CONNECT came");
    } else if (c->admitted && keep_alive != 0 && silent > keep_alive &&
               !c->hub->settings.as_thingsboard) {
        connection_close(c, "it was silent for longer than its keep-alive");
    } else if (c->admitted && silent > HUB_INACTIVITY_MS) {
        connection_close(c, "it was silent for ten minutes");
    }
}

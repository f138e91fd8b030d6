/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of a client: CONNECT, requests that wait for their answers, pings, time-outs. */
#include <string.h>

#include "mqtt/mqtt_client.h"
#include "mqtt/mqtt_wire.h"

#define LEVEL MQTT_LEVEL_3_1_1

enum { STATE_NEW = 0, STATE_CONNECTING, STATE_OPEN, STATE_OVER };

/* What a request waits for; 0 is a free entry. */
enum { FREE = 0, FOR_PUBACK, FOR_SUBACK, FOR_UNSUBACK };

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void mqtt_client_init(mqtt_client_t *client, const mqtt_client_config_t *config)
{
    memset(client, 0, sizeof(*client));
    client->config = *config;
    client->deadline = MQTT_CLIENT_NO_DEADLINE;
    mqtt_client_config_t *c = &client->config;
    c->max_remaining = c->max_remaining != 0 ? c->max_remaining : MQTT_REMAINING_DEFAULT;
    c->connack_timeout_ms = c->connack_timeout_ms != 0 ? c->connack_timeout_ms : 10000;
    c->ping_timeout_ms = c->ping_timeout_ms != 0 ? c->ping_timeout_ms : 10000;
    c->ack_timeout_ms = c->ack_timeout_ms != 0 ? c->ack_timeout_ms : 30000;
}

/* ---- Requests. ---- */

static mqtt_client_request_t *request_free(mqtt_client_t *client)
{
    for (size_t i = 0; i < MQTT_CLIENT_INFLIGHT_MAX; i++) {
        if (client->requests[i].kind == FREE) {
            return &client->requests[i];
        }
    }
    return NULL;
}

static mqtt_client_request_t *request_find(mqtt_client_t *client, uint16_t id, uint8_t kind)
{
    for (size_t i = 0; i < MQTT_CLIENT_INFLIGHT_MAX; i++) {
        if (client->requests[i].kind == kind && client->requests[i].id == id) {
            return &client->requests[i];
        }
    }
    return NULL;
}

/* The next packet id that no request uses; the table is far smaller than the ids are many. */
static uint16_t next_id(const mqtt_client_t *client)
{
    uint16_t id = client->last_id;
    for (size_t i = 0; i <= MQTT_CLIENT_INFLIGHT_MAX; i++) {
        id = id == UINT16_MAX ? 1 : (uint16_t)(id + 1);
        bool used = false;
        for (size_t k = 0; k < MQTT_CLIENT_INFLIGHT_MAX; k++) {
            used |= client->requests[k].kind != FREE && client->requests[k].id == id;
        }
        if (!used) {
            break;
        }
    }
    return id;
}

static void request_open(mqtt_client_t *client, mqtt_client_request_t *request, uint16_t id,
                         uint8_t kind, uintptr_t token, uint64_t now_ms)
{
    request->id = id;
    request->kind = kind;
    request->token = token;
    request->deadline = now_ms + client->config.ack_timeout_ms;
    client->last_id = id;
}

size_t mqtt_client_inflight(const mqtt_client_t *client)
{
    size_t count = 0;
    for (size_t i = 0; i < MQTT_CLIENT_INFLIGHT_MAX; i++) {
        count += client->requests[i].kind != FREE;
    }
    return count;
}

/* ---- What goes out. ---- */

mqtt_client_result_t mqtt_client_connect(mqtt_client_t *client, uint64_t now_ms, mqtt_out_t *out)
{
    const mqtt_client_config_t *c = &client->config;
    mqtt_connect_t connect = {
        .level = LEVEL,
        .clean = !c->not_clean,
        .keep_alive_s = c->keep_alive_s,
        .client_id = mqtt_text(c->client_id),
        .receive_max = 65535,
        .has_user = c->user != NULL,
        .has_password = c->password != NULL,
    };
    if (client->state != STATE_NEW) {
        return MQTT_CLIENT_STATE;
    }
    if (connect.has_user) {
        connect.user = mqtt_text(c->user);
    }
    if (connect.has_password) {
        connect.password = mqtt_text(c->password);
    }
    if (!mqtt_string_ok(connect.client_id) || (connect.has_user && !mqtt_string_ok(connect.user)) ||
        (connect.has_password && (!connect.has_user || connect.password.len > MQTT_STRING_MAX))) {
        return MQTT_CLIENT_INVALID;
    }
    if (!mqtt_put_connect(out, &connect)) {
        return MQTT_CLIENT_FULL;
    }
    client->state = STATE_CONNECTING;
    client->last_sent = now_ms;
    client->deadline = now_ms + c->connack_timeout_ms;
    return MQTT_CLIENT_OK;
}

mqtt_client_result_t mqtt_client_publish(mqtt_client_t *client, mqtt_text_t topic,
                                         mqtt_text_t payload, uint8_t qos, uintptr_t token,
                                         uint64_t now_ms, mqtt_out_t *out)
{
    mqtt_client_request_t *request = qos > 0 ? request_free(client) : NULL;
    mqtt_publish_t message = {.topic = topic, .payload = payload, .qos = qos};
    if (client->state != STATE_OPEN) {
        return MQTT_CLIENT_STATE;
    }
    message.id = qos > 0 ? next_id(client) : 0;
    if (qos > 1 || mqtt_publish_size(LEVEL, &message) == 0) {
        return MQTT_CLIENT_INVALID;
    }
    if (qos > 0 && request == NULL) {
        return MQTT_CLIENT_BUSY;
    }
    if (!mqtt_put_publish(out, LEVEL, &message)) {
        return MQTT_CLIENT_FULL;
    }
    if (request != NULL) {
        request_open(client, request, message.id, FOR_PUBACK, token, now_ms);
    }
    client->last_sent = now_ms;
    return MQTT_CLIENT_OK;
}

static mqtt_client_result_t put_filters(mqtt_client_t *client, uint8_t kind,
                                        const char *const *filters, size_t count, uint8_t qos,
                                        uintptr_t token, uint64_t now_ms, mqtt_out_t *out)
{
    mqtt_client_request_t *request = request_free(client);
    mqtt_text_t texts[MQTT_CLIENT_FILTER_MAX];
    uint8_t levels[MQTT_CLIENT_FILTER_MAX];

    if (client->state != STATE_OPEN) {
        return MQTT_CLIENT_STATE;
    }
    if (count == 0 || count > MQTT_CLIENT_FILTER_MAX || qos > 1) {
        return MQTT_CLIENT_INVALID;
    }
    for (size_t i = 0; i < count; i++) {
        texts[i] = mqtt_text(filters[i]);
        levels[i] = qos;
        if (texts[i].len == 0 || !mqtt_string_ok(texts[i])) {
            return MQTT_CLIENT_INVALID;
        }
    }
    if (request == NULL) {
        return MQTT_CLIENT_BUSY;
    }
    uint16_t id = next_id(client);
    bool written = kind == FOR_SUBACK ? mqtt_put_subscribe(out, LEVEL, id, texts, levels, count)
                                      : mqtt_put_unsubscribe(out, LEVEL, id, texts, count);
    if (!written) {
        return MQTT_CLIENT_FULL;
    }
    request_open(client, request, id, kind, token, now_ms);
    client->last_sent = now_ms;
    return MQTT_CLIENT_OK;
}

mqtt_client_result_t mqtt_client_subscribe(mqtt_client_t *client, const char *const *filters,
                                           size_t count, uint8_t qos, uintptr_t token,
                                           uint64_t now_ms, mqtt_out_t *out)
{
    return put_filters(client, FOR_SUBACK, filters, count, qos, token, now_ms, out);
}

mqtt_client_result_t mqtt_client_unsubscribe(mqtt_client_t *client, const char *const *filters,
                                             size_t count, uintptr_t token, uint64_t now_ms,
                                             mqtt_out_t *out)
{
    return put_filters(client, FOR_UNSUBACK, filters, count, 0, token, now_ms, out);
}

mqtt_client_result_t mqtt_client_puback(mqtt_client_t *client, uint16_t id, uint64_t now_ms,
                                        mqtt_out_t *out)
{
    if (client->state != STATE_OPEN) {
        return MQTT_CLIENT_STATE;
    }
    if (id == 0) {
        return MQTT_CLIENT_INVALID;
    }
    if (!mqtt_put_ack(out, LEVEL, MQTT_PUBACK, id, 0)) {
        return MQTT_CLIENT_FULL;
    }
    client->last_sent = now_ms;
    return MQTT_CLIENT_OK;
}

void mqtt_client_disconnect(mqtt_client_t *client, uint64_t now_ms, mqtt_out_t *out)
{
    if (client->state == STATE_CONNECTING || client->state == STATE_OPEN) {
        mqtt_put_disconnect(out, LEVEL, 0);
        client->last_sent = now_ms;
    }
    if (client->state != STATE_OVER) {
        client->state = STATE_OVER;
        client->reason = MQTT_CLOSED_BY_US;
    }
}

/* ---- What comes in. ---- */

static void closed(mqtt_client_t *client, mqtt_closed_t reason, mqtt_client_event_t *event)
{
    client->state = STATE_OVER;
    client->reason = (uint8_t)reason;
    client->deadline = MQTT_CLIENT_NO_DEADLINE;
    event->type = MQTT_CLIENT_CLOSED;
    event->reason = reason;
}

static void take_connack(mqtt_client_t *client, const mqtt_connack_t *connack,
                         mqtt_client_event_t *event)
{
    if (client->state != STATE_CONNECTING) {
        closed(client, MQTT_CLOSED_MALFORMED, event);
        return;
    }
    client->deadline = MQTT_CLIENT_NO_DEADLINE;
    if (connack->code != 0) {
        client->state = STATE_OVER;
        client->reason = MQTT_CLOSED_REFUSED;
        event->type = MQTT_CLIENT_REFUSED;
        event->code = connack->code;
        return;
    }
    client->state = STATE_OPEN;
    event->type = MQTT_CLIENT_CONNECTED;
    event->session_present = connack->session_present;
}

/* PUBACK, SUBACK, UNSUBACK. One that answers nothing is passed over: it may be late. */
static void take_answer(mqtt_client_t *client, uint16_t id, uint8_t kind,
                        mqtt_client_event_type_t type, mqtt_client_event_t *event)
{
    mqtt_client_request_t *request = request_find(client, id, kind);
    if (request == NULL) {
        return;
    }
    request->kind = FREE;
    event->type = type;
    event->token = request->token;
}

static void act(mqtt_client_t *client, const mqtt_packet_t *packet, mqtt_client_event_t *event)
{
    if (packet->type != MQTT_CONNACK && client->state != STATE_OPEN) {
        closed(client, MQTT_CLOSED_MALFORMED, event); /* CONNACK must be first */
        return;
    }
    switch (packet->type) {
    case MQTT_CONNACK:
        take_connack(client, &packet->u.connack, event);
        break;
    case MQTT_PUBLISH:
        if (packet->u.publish.qos > 1) { /* nothing was subscribed at 2 */
            closed(client, MQTT_CLOSED_MALFORMED, event);
            break;
        }
        event->type = MQTT_CLIENT_PUBLISH;
        event->publish = packet->u.publish;
        break;
    case MQTT_PUBACK:
        take_answer(client, packet->u.ack.id, FOR_PUBACK, MQTT_CLIENT_PUBACK, event);
        break;
    case MQTT_SUBACK:
        take_answer(client, packet->u.suback.id, FOR_SUBACK, MQTT_CLIENT_SUBACK, event);
        event->codes = packet->u.suback.codes;
        event->count = packet->u.suback.count;
        break;
    case MQTT_UNSUBACK:
        take_answer(client, packet->u.ack.id, FOR_UNSUBACK, MQTT_CLIENT_UNSUBACK, event);
        break;
    case MQTT_PINGRESP:
        client->deadline = MQTT_CLIENT_NO_DEADLINE;
        break;
    default: /* a packet that only a client sends, or of QoS 2 */
        closed(client, MQTT_CLOSED_MALFORMED, event);
        break;
    }
}

bool mqtt_client_take(mqtt_client_t *client, const uint8_t *data, size_t len,
                      mqtt_client_event_t *event)
{
    mqtt_packet_t packet;
    size_t size;

    memset(event, 0, sizeof(*event));
    if (client->state == STATE_OVER) {
        return false;
    }
    mqtt_result_t result =
        mqtt_decode(data, len, LEVEL, client->config.max_remaining, &packet, &size);
    if (result == MQTT_NEED_MORE) {
        client->needed = size;
        return false;
    }
    if (result != MQTT_OK) {
        closed(client, result == MQTT_TOO_LARGE ? MQTT_CLOSED_TOO_LARGE : MQTT_CLOSED_MALFORMED,
               event);
        return true;
    }
    event->size = size;
    act(client, &packet, event);
    return true;
}

size_t mqtt_client_needed(const mqtt_client_t *client)
{
    return client->needed;
}

/* ---- Time. ---- */

static uint64_t request_deadline(const mqtt_client_t *client)
{
    uint64_t deadline = MQTT_CLIENT_NO_DEADLINE;
    for (size_t i = 0; i < MQTT_CLIENT_INFLIGHT_MAX; i++) {
        if (client->requests[i].kind != FREE) {
            deadline = earlier(deadline, client->requests[i].deadline);
        }
    }
    return deadline;
}

/* When the next PINGREQ is due; not while one is unanswered. */
static uint64_t ping_due(const mqtt_client_t *client)
{
    if (client->config.keep_alive_s == 0 || client->deadline != MQTT_CLIENT_NO_DEADLINE) {
        return MQTT_CLIENT_NO_DEADLINE;
    }
    return client->last_sent + client->config.keep_alive_s * (uint64_t)1000;
}

bool mqtt_client_tick(mqtt_client_t *client, uint64_t now_ms, mqtt_client_event_t *event,
                      mqtt_out_t *out)
{
    memset(event, 0, sizeof(*event));
    if (client->state == STATE_CONNECTING && now_ms >= client->deadline) {
        closed(client, MQTT_CLOSED_CONNACK_TIMEOUT, event);
        return true;
    }
    if (client->state != STATE_OPEN) {
        return false;
    }
    if (now_ms >= client->deadline) {
        closed(client, MQTT_CLOSED_PING_TIMEOUT, event);
        return true;
    }
    if (now_ms >= request_deadline(client)) {
        closed(client, MQTT_CLOSED_ACK_TIMEOUT, event);
        return true;
    }
    if (now_ms >= ping_due(client)) {
        /* When even two bytes do not fit, the socket takes nothing: the time-out is just as right.
         */
        mqtt_put_pingreq(out);
        client->last_sent = now_ms;
        client->deadline = now_ms + client->config.ping_timeout_ms;
    }
    return false;
}

uint64_t mqtt_client_deadline(const mqtt_client_t *client)
{
    if (client->state != STATE_CONNECTING && client->state != STATE_OPEN) {
        return MQTT_CLIENT_NO_DEADLINE;
    }
    return earlier(client->deadline, earlier(request_deadline(client), ping_due(client)));
}

bool mqtt_client_connected(const mqtt_client_t *client)
{
    return client->state == STATE_OPEN;
}

const char *mqtt_closed_text(mqtt_closed_t reason)
{
    static const char *const texts[] = {
        [MQTT_CLOSED_NOT] = "the connection is open",
        [MQTT_CLOSED_MALFORMED] = "the server sent what is no MQTT 3.1.1",
        [MQTT_CLOSED_TOO_LARGE] = "the server sent a packet over the size limit",
        [MQTT_CLOSED_CONNACK_TIMEOUT] = "the server did not answer CONNECT",
        [MQTT_CLOSED_PING_TIMEOUT] = "the server did not answer a ping",
        [MQTT_CLOSED_ACK_TIMEOUT] = "the server did not acknowledge a message",
        [MQTT_CLOSED_REFUSED] = "the server refused CONNECT",
        [MQTT_CLOSED_BY_US] = "the client disconnected",
    };
    return texts[reason];
}

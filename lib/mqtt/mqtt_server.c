/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of a server: what may come when, and what is answered at once. */
#include <string.h>

#include "mqtt/mqtt_server.h"
#include "mqtt/mqtt_wire.h"

enum { STATE_NEW = 0, STATE_ANSWERING, STATE_OPEN, STATE_OVER };

enum {
    WHY_NOT_OVER = 0,
    WHY_MALFORMED,
    WHY_TOO_LARGE,
    WHY_UNSUPPORTED,
    WHY_CONNECT_FIRST,
    WHY_CONNECT_ONCE,
    WHY_NO_FILTER,
    WHY_REFUSED,
    WHY_DISCONNECT,
    WHY_SERVER,
};

/* In wait_reason, beside the reason codes of MQTT 5, which end at 0xa2. */
enum { WAITING = 0xff, DROPPED = 0xfe };

void mqtt_server_init(mqtt_server_t *session, unsigned flags, uint32_t max_remaining)
{
    memset(session, 0, sizeof(*session));
    session->flags = (uint8_t)flags;
    session->max_remaining = max_remaining;
}

static mqtt_server_event_t over(mqtt_server_t *session, uint8_t why, uint8_t reason,
                                mqtt_out_t *out)
{
    if (session->state == STATE_OPEN && session->level == MQTT_LEVEL_5) {
        mqtt_put_disconnect(out, session->level, reason);
    }
    session->state = STATE_OVER;
    session->why = why;
    return MQTT_SERVER_CLOSE;
}

static mqtt_server_event_t over_undecodable(mqtt_server_t *session, mqtt_result_t result,
                                            mqtt_out_t *out)
{
    uint8_t why = result == MQTT_TOO_LARGE     ? WHY_TOO_LARGE
                  : result == MQTT_UNSUPPORTED ? WHY_UNSUPPORTED
                                               : WHY_MALFORMED;
    return over(session, why, MQTT_REASON_MALFORMED, out);
}

/* ---- Messages that wait for their PUBACK: a ring in the order of arrival. ---- */

static unsigned slot(const mqtt_server_t *session, unsigned n)
{
    return (session->wait_first + n) % MQTT_SERVER_INFLIGHT_MAX;
}

static void wait_push(mqtt_server_t *session, uint16_t id)
{
    unsigned at = slot(session, session->wait_count++);
    session->wait_id[at] = id;
    session->wait_reason[at] = WAITING;
}

static bool wait_mark(mqtt_server_t *session, uint16_t id, uint8_t reason)
{
    for (unsigned i = 0; i < session->wait_count; i++) {
        unsigned at = slot(session, i);
        if (session->wait_id[at] == id && session->wait_reason[at] == WAITING) {
            session->wait_reason[at] = reason;
            return true;
        }
    }
    return false;
}

bool mqtt_server_puback(mqtt_server_t *session, uint16_t id, uint8_t reason)
{
    return wait_mark(session, id, reason);
}

bool mqtt_server_drop(mqtt_server_t *session, uint16_t id)
{
    return wait_mark(session, id, DROPPED);
}

bool mqtt_server_flush(mqtt_server_t *session, mqtt_out_t *out)
{
    while (session->wait_count > 0) {
        unsigned at = session->wait_first;
        uint8_t reason = session->wait_reason[at];
        if (reason == WAITING) {
            break;
        }
        if (reason != DROPPED && session->state == STATE_OPEN &&
            !mqtt_put_ack(out, session->level, MQTT_PUBACK, session->wait_id[at], reason)) {
            return false;
        }
        session->wait_first = (uint8_t)slot(session, 1);
        session->wait_count--;
    }
    return true;
}

size_t mqtt_server_waiting(const mqtt_server_t *session)
{
    return session->wait_count;
}

/* ---- What comes in. ---- */

static mqtt_server_event_t take_connect(mqtt_server_t *session, const mqtt_connect_t *connect,
                                        mqtt_out_t *out)
{
    bool claim = (session->flags & MQTT_SERVER_CLAIM_SESSION) != 0;
    if (session->state == STATE_OPEN) {
        if ((session->flags & MQTT_SERVER_CONNECT_ONCE) != 0) {
            return over(session, WHY_CONNECT_ONCE, MQTT_REASON_PROTOCOL_ERROR, out);
        }
        mqtt_put_connack(out, session->level, claim && !connect->clean, 0);
        return MQTT_SERVER_IGNORED;
    }
    session->level = connect->level;
    session->keep_alive_s = connect->keep_alive_s;
    session->max_packet = connect->max_packet;
    session->receive_max = connect->receive_max;
    session->clean = connect->clean;
    session->state = STATE_ANSWERING;
    return MQTT_SERVER_CONNECT;
}

static mqtt_server_event_t take_subscribe(mqtt_server_t *session, const mqtt_packet_t *packet,
                                          mqtt_out_t *out)
{
    if (packet->u.subscribe.count == 0 && (session->flags & MQTT_SERVER_SOME_FILTER) != 0) {
        return over(session, WHY_NO_FILTER, MQTT_REASON_PROTOCOL_ERROR, out);
    }
    return packet->type == MQTT_SUBSCRIBE ? MQTT_SERVER_SUBSCRIBE : MQTT_SERVER_UNSUBSCRIBE;
}

static mqtt_server_event_t act(mqtt_server_t *session, const mqtt_packet_t *packet, mqtt_out_t *out)
{
    switch (packet->type) {
    case MQTT_CONNECT:
        return take_connect(session, &packet->u.connect, out);
    case MQTT_PUBLISH:
        if (packet->u.publish.qos > 0) {
            wait_push(session, packet->u.publish.id);
        }
        return MQTT_SERVER_PUBLISH;
    case MQTT_PUBACK:
        session->unacked -= session->unacked > 0;
        return MQTT_SERVER_PUBACK;
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
        return take_subscribe(session, packet, out);
    case MQTT_PINGREQ:
        mqtt_put_pingresp(out);
        return MQTT_SERVER_PING;
    case MQTT_DISCONNECT:
        session->state = STATE_OVER;
        session->why = WHY_DISCONNECT;
        return MQTT_SERVER_DISCONNECT;
    default:
        return MQTT_SERVER_IGNORED;
    }
}

/* Whether there is no room for what this packet makes us write or remember. */
static bool blocked(const mqtt_server_t *session, mqtt_type_t type, uint8_t first,
                    const mqtt_out_t *out)
{
    size_t room = out->cap - out->len;
    switch (type) {
    case MQTT_CONNECT:
        return session->state == STATE_OPEN && room < 5;
    case MQTT_PINGREQ:
        return room < 2;
    case MQTT_PUBLISH:
        return (first & 0x06) != 0 && session->wait_count >= MQTT_SERVER_INFLIGHT_MAX;
    default:
        return false;
    }
}

mqtt_server_event_t mqtt_server_take(mqtt_server_t *session, const uint8_t *data, size_t len,
                                     mqtt_packet_t *packet, size_t *size, mqtt_out_t *out)
{
    mqtt_type_t type;
    size_t header_size, needed;

    *size = 0;
    if (session->state == STATE_OVER) {
        return MQTT_SERVER_CLOSE;
    }
    if (session->state == STATE_ANSWERING) {
        return MQTT_SERVER_BLOCKED;
    }
    mqtt_result_t result =
        mqtt_frame(data, len, session->level, session->max_remaining, &type, &header_size, &needed);
    if (result == MQTT_NEED_MORE) {
        *size = needed;
        return MQTT_SERVER_MORE;
    }
    if (result != MQTT_OK) {
        return over_undecodable(session, result, out);
    }
    if (session->state == STATE_NEW && type != MQTT_CONNECT) {
        if ((session->flags & MQTT_SERVER_CONNECT_FIRST) != 0) {
            return over(session, WHY_CONNECT_FIRST, MQTT_REASON_PROTOCOL_ERROR, out);
        }
        *size = needed;
        return MQTT_SERVER_IGNORED;
    }
    if (blocked(session, type, data[0], out)) {
        return MQTT_SERVER_BLOCKED;
    }
    result = mqtt_decode(data, len, session->level, session->max_remaining, packet, &needed);
    if (result != MQTT_OK) {
        return over_undecodable(session, result, out);
    }
    mqtt_server_event_t event = act(session, packet, out);
    *size = event == MQTT_SERVER_CLOSE ? 0 : needed;
    return event;
}

/* ---- What goes out. ---- */

bool mqtt_server_connack(mqtt_server_t *session, mqtt_answer_t answer, mqtt_out_t *out)
{
    static const struct {
        uint8_t v3, v5;
    } codes[] = {
        [MQTT_ACCEPT] = {0, MQTT_REASON_SUCCESS},
        [MQTT_REFUSE_NOT_AUTHORIZED] = {5, MQTT_REASON_NOT_AUTHORIZED},
        [MQTT_REFUSE_BAD_USER] = {5, MQTT_REASON_BAD_USER},
        [MQTT_REFUSE_BAD_CLIENT_ID] = {2, MQTT_REASON_BAD_CLIENT_ID},
        [MQTT_REFUSE_UNAVAILABLE] = {3, MQTT_REASON_UNAVAILABLE},
        [MQTT_REFUSE_RATE] = {3, MQTT_REASON_CONNECT_RATE},
    };
    if (session->state != STATE_ANSWERING || (unsigned)answer >= sizeof(codes) / sizeof(codes[0])) {
        return false;
    }
    bool present = answer == MQTT_ACCEPT && !session->clean &&
                   (session->flags & MQTT_SERVER_CLAIM_SESSION) != 0;
    uint8_t code = session->level == MQTT_LEVEL_5 ? codes[answer].v5 : codes[answer].v3;
    if (!mqtt_put_connack(out, session->level, present, code)) {
        return false;
    }
    session->state = answer == MQTT_ACCEPT ? STATE_OPEN : STATE_OVER;
    session->why = answer == MQTT_ACCEPT ? WHY_NOT_OVER : WHY_REFUSED;
    return true;
}

bool mqtt_server_suback(mqtt_server_t *session, uint16_t id, const uint8_t *codes, size_t count,
                        mqtt_out_t *out)
{
    if (session->state != STATE_OPEN || !mqtt_put_suback(out, session->level, id, codes, count)) {
        return false;
    }
    if (session->level == MQTT_LEVEL_5) {
        uint8_t *written = out->buf + out->len - count;
        for (size_t i = 0; i < count; i++) {
            if (written[i] == MQTT_SUBACK_REFUSED) {
                written[i] = MQTT_REASON_BAD_FILTER;
            }
        }
    }
    return true;
}

bool mqtt_server_unsuback(mqtt_server_t *session, uint16_t id, size_t count, mqtt_out_t *out)
{
    return session->state == STATE_OPEN && mqtt_put_unsuback(out, session->level, id, NULL, count);
}

bool mqtt_server_publish(mqtt_server_t *session, mqtt_text_t topic, mqtt_text_t payload,
                         uint8_t qos, uint16_t *id, mqtt_out_t *out)
{
    uint16_t next = session->last_id == UINT16_MAX ? 1 : (uint16_t)(session->last_id + 1);
    mqtt_publish_t message = {
        .topic = topic, .payload = payload, .qos = qos, .id = qos > 0 ? next : 0};
    if (session->state != STATE_OPEN || qos > 1 ||
        (qos > 0 && session->unacked >= session->receive_max)) {
        return false;
    }
    if (session->max_packet > 0 &&
        mqtt_publish_size(session->level, &message) > session->max_packet) {
        return false;
    }
    if (!mqtt_put_publish(out, session->level, &message)) {
        return false;
    }
    if (qos > 0) {
        session->last_id = next;
        session->unacked++;
    }
    if (id != NULL) {
        *id = message.id;
    }
    return true;
}

void mqtt_server_disconnect(mqtt_server_t *session, uint8_t reason, mqtt_out_t *out)
{
    if (session->state != STATE_OVER) {
        over(session, WHY_SERVER, reason, out);
    }
}

bool mqtt_server_connected(const mqtt_server_t *session)
{
    return session->state == STATE_OPEN;
}

uint32_t mqtt_server_silence_ms(const mqtt_server_t *session)
{
    return session->keep_alive_s * 1500u;
}

const char *mqtt_server_why(const mqtt_server_t *session)
{
    static const char *const texts[] = {
        [WHY_NOT_OVER] = "the session is not over",
        [WHY_MALFORMED] = "the client sent a malformed packet",
        [WHY_TOO_LARGE] = "the client sent a packet over the size limit",
        [WHY_UNSUPPORTED] = "the client speaks no MQTT 3.1, 3.1.1 or 5.0",
        [WHY_CONNECT_FIRST] = "the client's first packet was not CONNECT",
        [WHY_CONNECT_ONCE] = "the client sent a second CONNECT",
        [WHY_NO_FILTER] = "the client sent SUBSCRIBE or UNSUBSCRIBE without a filter",
        [WHY_REFUSED] = "CONNECT was refused",
        [WHY_DISCONNECT] = "the client disconnected",
        [WHY_SERVER] = "the server ended the session",
    };
    return texts[session->why];
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Packets to bytes. The size is worked out first, so a packet is written whole or not at all. */
#include <string.h>

#include "mqtt/mqtt_wire.h"

void mqtt_out_init(mqtt_out_t *out, void *buf, size_t cap)
{
    out->buf = buf;
    out->cap = cap;
    out->len = 0;
}

void mqtt_out_sent(mqtt_out_t *out, size_t count)
{
    if (count > out->len) {
        count = out->len;
    }
    out->len -= count;
    if (out->len > 0) {
        memmove(out->buf, out->buf + count, out->len);
    }
}

/* These write without looking: `begin` has made sure of the room. */
static void put_u8(mqtt_out_t *out, uint8_t value)
{
    out->buf[out->len++] = value;
}

static void put_u16(mqtt_out_t *out, uint16_t value)
{
    put_u8(out, (uint8_t)(value >> 8));
    put_u8(out, (uint8_t)value);
}

static void put_u32(mqtt_out_t *out, uint32_t value)
{
    put_u16(out, (uint16_t)(value >> 16));
    put_u16(out, (uint16_t)value);
}

static void put_bytes(mqtt_out_t *out, const void *data, size_t len)
{
    if (len > 0) {
        memcpy(out->buf + out->len, data, len);
        out->len += len;
    }
}

static void put_text(mqtt_out_t *out, mqtt_text_t text)
{
    put_u16(out, (uint16_t)text.len);
    put_bytes(out, text.text, text.len);
}

static size_t varint_size(size_t value)
{
    return value < 128 ? 1 : value < 16384 ? 2 : value < 2097152 ? 3 : 4;
}

/* Writes the fixed header if the whole packet fits. */
static bool begin(mqtt_out_t *out, mqtt_type_t type, uint8_t flags, size_t remaining)
{
    if (remaining > MQTT_REMAINING_MAX ||
        out->cap - out->len < 1 + varint_size(remaining) + remaining) {
        return false;
    }
    put_u8(out, (uint8_t)(type << 4 | flags));
    do {
        put_u8(out, (uint8_t)((remaining & 0x7f) | (remaining > 0x7f ? 0x80 : 0)));
        remaining >>= 7;
    } while (remaining > 0);
    return true;
}

/* ---- CONNECT ---- */

static bool connect_ok(const mqtt_connect_t *c)
{
    return c->level >= MQTT_LEVEL_3_1 && c->level <= MQTT_LEVEL_5 && mqtt_string_ok(c->client_id) &&
           (!c->has_will || (mqtt_topic_ok(c->will_topic) && c->will_qos <= 2 &&
                             c->will_payload.len <= MQTT_STRING_MAX)) &&
           (!c->has_user || mqtt_string_ok(c->user)) &&
           (!c->has_password ||
            (c->password.len <= MQTT_STRING_MAX && (c->has_user || c->level == MQTT_LEVEL_5)));
}

static size_t connect_properties_size(const mqtt_connect_t *c)
{
    return (c->session_expiry_s != 0 ? 5u : 0u) + (c->receive_max != 65535 ? 3u : 0u) +
           (c->max_packet != 0 ? 5u : 0u);
}

static void put_connect_properties(mqtt_out_t *out, const mqtt_connect_t *c)
{
    put_u8(out, (uint8_t)connect_properties_size(c));
    if (c->session_expiry_s != 0) {
        put_u8(out, 0x11);
        put_u32(out, c->session_expiry_s);
    }
    if (c->receive_max != 65535) {
        put_u8(out, 0x21);
        put_u16(out, c->receive_max);
    }
    if (c->max_packet != 0) {
        put_u8(out, 0x27);
        put_u32(out, c->max_packet);
    }
}

bool mqtt_put_connect(mqtt_out_t *out, const mqtt_connect_t *c)
{
    bool v5 = c->level == MQTT_LEVEL_5;
    mqtt_text_t name = mqtt_text(c->level == MQTT_LEVEL_3_1 ? "MQIsdp" : "MQTT");
    if (!connect_ok(c) || (v5 && c->receive_max == 0)) {
        return false;
    }
    size_t remaining = 2 + name.len + 4 + 2 + c->client_id.len;
    uint8_t flags = c->clean ? 0x02 : 0;
    if (v5) {
        remaining += 1 + connect_properties_size(c);
    }
    if (c->has_will) {
        flags |= (uint8_t)(0x04 | c->will_qos << 3 | (c->will_retain ? 0x20 : 0));
        remaining += (v5 ? 1u : 0u) + 4 + c->will_topic.len + c->will_payload.len;
    }
    if (c->has_user) {
        flags |= 0x80;
        remaining += 2 + c->user.len;
    }
    if (c->has_password) {
        flags |= 0x40;
        remaining += 2 + c->password.len;
    }
    if (!begin(out, MQTT_CONNECT, 0, remaining)) {
        return false;
    }
    put_text(out, name);
    put_u8(out, c->level);
    put_u8(out, flags);
    put_u16(out, c->keep_alive_s);
    if (v5) {
        put_connect_properties(out, c);
    }
    put_text(out, c->client_id);
    if (c->has_will) {
        if (v5) {
            put_u8(out, 0);
        }
        put_text(out, c->will_topic);
        put_text(out, c->will_payload);
    }
    if (c->has_user) {
        put_text(out, c->user);
    }
    if (c->has_password) {
        put_text(out, c->password);
    }
    return true;
}

bool mqtt_put_connack(mqtt_out_t *out, uint8_t level, bool session_present, uint8_t code)
{
    bool v5 = level == MQTT_LEVEL_5;
    if (!begin(out, MQTT_CONNACK, 0, v5 ? 3 : 2)) {
        return false;
    }
    put_u8(out, session_present ? 1 : 0);
    put_u8(out, code);
    if (v5) {
        put_u8(out, 0);
    }
    return true;
}

/* ---- PUBLISH and its answers ---- */

static size_t publish_remaining(uint8_t level, const mqtt_publish_t *p)
{
    return 2 + p->topic.len + (p->qos > 0 ? 2u : 0u) + (level == MQTT_LEVEL_5 ? 1u : 0u) +
           p->payload.len;
}

static bool publish_ok(const mqtt_publish_t *p)
{
    return p->qos <= 2 && (p->qos == 0) == (p->id == 0) && mqtt_topic_ok(p->topic) &&
           p->payload.len <= MQTT_REMAINING_MAX;
}

size_t mqtt_publish_size(uint8_t level, const mqtt_publish_t *p)
{
    size_t remaining = publish_remaining(level, p);
    if (!publish_ok(p) || remaining > MQTT_REMAINING_MAX) {
        return 0;
    }
    return 1 + varint_size(remaining) + remaining;
}

bool mqtt_put_publish(mqtt_out_t *out, uint8_t level, const mqtt_publish_t *p)
{
    uint8_t flags = (uint8_t)((p->dup ? 0x08 : 0) | p->qos << 1 | (p->retain ? 0x01 : 0));
    if (!publish_ok(p) || !begin(out, MQTT_PUBLISH, flags, publish_remaining(level, p))) {
        return false;
    }
    put_text(out, p->topic);
    if (p->qos > 0) {
        put_u16(out, p->id);
    }
    if (level == MQTT_LEVEL_5) {
        put_u8(out, 0);
    }
    put_bytes(out, p->payload.text, p->payload.len);
    return true;
}

bool mqtt_put_ack(mqtt_out_t *out, uint8_t level, mqtt_type_t type, uint16_t id, uint8_t reason)
{
    bool with_reason = level == MQTT_LEVEL_5 && reason != MQTT_REASON_SUCCESS;
    bool known = type >= MQTT_PUBACK && type <= MQTT_PUBCOMP;
    if (!known || id == 0 ||
        !begin(out, type, type == MQTT_PUBREL ? 0x02 : 0, with_reason ? 3 : 2)) {
        return false;
    }
    put_u16(out, id);
    if (with_reason) {
        put_u8(out, reason);
    }
    return true;
}

/* ---- SUBSCRIBE, UNSUBSCRIBE and their answers ---- */

static bool put_filters(mqtt_out_t *out, uint8_t level, mqtt_type_t type, uint16_t id,
                        const mqtt_text_t *filters, const uint8_t *qos, size_t count)
{
    size_t remaining = 2 + (level == MQTT_LEVEL_5 ? 1u : 0u);
    for (size_t i = 0; i < count; i++) {
        if (filters[i].len == 0 || !mqtt_string_ok(filters[i]) || (qos != NULL && qos[i] > 2)) {
            return false;
        }
        remaining += 2 + filters[i].len + (qos != NULL ? 1u : 0u);
    }
    if (id == 0 || count == 0 || !begin(out, type, 0x02, remaining)) {
        return false;
    }
    put_u16(out, id);
    if (level == MQTT_LEVEL_5) {
        put_u8(out, 0);
    }
    for (size_t i = 0; i < count; i++) {
        put_text(out, filters[i]);
        if (qos != NULL) {
            put_u8(out, qos[i]);
        }
    }
    return true;
}

bool mqtt_put_subscribe(mqtt_out_t *out, uint8_t level, uint16_t id, const mqtt_text_t *filters,
                        const uint8_t *qos, size_t count)
{
    return qos != NULL && put_filters(out, level, MQTT_SUBSCRIBE, id, filters, qos, count);
}

bool mqtt_put_unsubscribe(mqtt_out_t *out, uint8_t level, uint16_t id, const mqtt_text_t *filters,
                          size_t count)
{
    return put_filters(out, level, MQTT_UNSUBSCRIBE, id, filters, NULL, count);
}

static bool put_codes(mqtt_out_t *out, uint8_t level, mqtt_type_t type, uint16_t id,
                      const uint8_t *codes, size_t count)
{
    bool v5 = level == MQTT_LEVEL_5;
    if (id == 0 || count > MQTT_REMAINING_MAX || !begin(out, type, 0, 2 + (v5 ? 1u : 0u) + count)) {
        return false;
    }
    put_u16(out, id);
    if (v5) {
        put_u8(out, 0);
    }
    if (codes != NULL) {
        put_bytes(out, codes, count);
    } else {
        memset(out->buf + out->len, MQTT_REASON_SUCCESS, count);
        out->len += count;
    }
    return true;
}

bool mqtt_put_suback(mqtt_out_t *out, uint8_t level, uint16_t id, const uint8_t *codes,
                     size_t count)
{
    return put_codes(out, level, MQTT_SUBACK, id, codes, count);
}

bool mqtt_put_unsuback(mqtt_out_t *out, uint8_t level, uint16_t id, const uint8_t *codes,
                       size_t count)
{
    return put_codes(out, level, MQTT_UNSUBACK, id, codes, level == MQTT_LEVEL_5 ? count : 0);
}

/* ---- The short ones ---- */

bool mqtt_put_pingreq(mqtt_out_t *out)
{
    return begin(out, MQTT_PINGREQ, 0, 0);
}

bool mqtt_put_pingresp(mqtt_out_t *out)
{
    return begin(out, MQTT_PINGRESP, 0, 0);
}

bool mqtt_put_disconnect(mqtt_out_t *out, uint8_t level, uint8_t reason)
{
    bool with_reason = level == MQTT_LEVEL_5 && reason != MQTT_REASON_SUCCESS;
    if (!begin(out, MQTT_DISCONNECT, 0, with_reason ? 1 : 0)) {
        return false;
    }
    if (with_reason) {
        put_u8(out, reason);
    }
    return true;
}

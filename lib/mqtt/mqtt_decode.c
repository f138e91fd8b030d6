/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to packets. One function a packet type, each over a cursor that cannot leave its packet. */
#include <string.h>

#include "json/utf8.h"
#include "mqtt/mqtt_wire.h"

/* ---- The cursor. ---- */

static bool has(mqtt_in_t *in, size_t count)
{
    if (in->bad || (size_t)(in->end - in->at) < count) {
        in->bad = true;
        return false;
    }
    return true;
}

uint8_t mqtt_in_u8(mqtt_in_t *in)
{
    return has(in, 1) ? *in->at++ : 0;
}

uint16_t mqtt_in_u16(mqtt_in_t *in)
{
    if (!has(in, 2)) {
        return 0;
    }
    in->at += 2;
    return (uint16_t)(in->at[-2] << 8 | in->at[-1]);
}

uint32_t mqtt_in_u32(mqtt_in_t *in)
{
    uint32_t high = mqtt_in_u16(in);
    return high << 16 | mqtt_in_u16(in);
}

uint32_t mqtt_in_varint(mqtt_in_t *in)
{
    uint32_t value = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
        uint8_t byte = mqtt_in_u8(in);
        value |= (uint32_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return value;
        }
    }
    in->bad = true;
    return 0;
}

static mqtt_text_t take(mqtt_in_t *in, size_t len)
{
    mqtt_text_t text = {(const char *)in->at, len};
    if (!has(in, len)) {
        return (mqtt_text_t){"", 0};
    }
    in->at += len;
    return text;
}

mqtt_text_t mqtt_in_binary(mqtt_in_t *in)
{
    uint16_t len = mqtt_in_u16(in);
    return take(in, len);
}

mqtt_text_t mqtt_in_string(mqtt_in_t *in)
{
    mqtt_text_t text = mqtt_in_binary(in);
    if (!mqtt_string_ok(text)) {
        in->bad = true;
        return (mqtt_text_t){"", 0};
    }
    return text;
}

static size_t left(const mqtt_in_t *in)
{
    return (size_t)(in->end - in->at);
}

/* ---- Texts. ---- */

bool mqtt_string_ok(mqtt_text_t text)
{
    if (text.len > MQTT_STRING_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len;) {
        size_t n = utf8_length(text.text + i, text.len - i);
        if (n == 0 || text.text[i] == '\0') {
            return false;
        }
        i += n;
    }
    return true;
}

bool mqtt_topic_ok(mqtt_text_t topic)
{
    return topic.len > 0 && mqtt_string_ok(topic) && memchr(topic.text, '+', topic.len) == NULL &&
           memchr(topic.text, '#', topic.len) == NULL;
}

mqtt_text_t mqtt_text(const char *text)
{
    return (mqtt_text_t){text, strlen(text)};
}

bool mqtt_text_equals(mqtt_text_t a, const char *b)
{
    size_t len = strlen(b);
    return a.len == len && memcmp(a.text, b, len) == 0;
}

static size_t character_count(mqtt_text_t text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) {
        count += (text.text[i] & 0xc0) != 0x80;
    }
    return count;
}

/* ---- The fixed header. ---- */

static bool flags_ok(uint8_t first, uint8_t level)
{
    uint8_t flags = first & 0x0f;
    switch (first >> 4) {
    case 0:
        return false;
    case MQTT_PUBLISH:
        return (flags & 0x06) != 0x06;
    case MQTT_PUBREL:
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
        /* MQTT 3.1 has a DUP flag in these three. */
        return flags == 0x02 || (level == MQTT_LEVEL_3_1 && flags == 0x0a);
    case MQTT_AUTH:
        return flags == 0 && level == MQTT_LEVEL_5;
    default:
        return flags == 0;
    }
}

mqtt_result_t mqtt_frame(const uint8_t *data, size_t len, uint8_t level, uint32_t max_remaining,
                         mqtt_type_t *type, size_t *header_size, size_t *size)
{
    uint32_t remaining = 0;
    *size = len + 1;
    if (len == 0) {
        return MQTT_NEED_MORE;
    }
    if (!flags_ok(data[0], level)) {
        return MQTT_MALFORMED;
    }
    for (size_t i = 1; i <= 4; i++) {
        if (i >= len) {
            return MQTT_NEED_MORE;
        }
        remaining |= (uint32_t)(data[i] & 0x7f) << (7 * (i - 1));
        if ((data[i] & 0x80) != 0) {
            continue;
        }
        if (remaining > max_remaining) {
            return MQTT_TOO_LARGE;
        }
        *type = (mqtt_type_t)(data[0] >> 4);
        *header_size = i + 1;
        *size = i + 1 + remaining;
        return len < *size ? MQTT_NEED_MORE : MQTT_OK;
    }
    return MQTT_MALFORMED;
}

/* ---- Bodies. Each reads to where its packet should end; mqtt_decode checks that it does. ---- */

static uint16_t read_id(mqtt_in_t *in)
{
    uint16_t id = mqtt_in_u16(in);
    in->bad |= id == 0;
    return id;
}

static void skip_properties(mqtt_in_t *in, uint8_t level, mqtt_type_t where)
{
    mqtt_properties_t unused;
    if (level == MQTT_LEVEL_5) {
        mqtt_in_properties(in, where, &unused);
    }
}

static bool connect_flags_ok(uint8_t flags, uint8_t level)
{
    bool will = (flags & 0x04) != 0;
    bool user = (flags & 0x80) != 0, password = (flags & 0x40) != 0;
    return (flags & 0x01) == 0 &&                        /* reserved              */
           (flags & 0x18) != 0x18 &&                     /* will QoS 3            */
           (will || (flags & 0x38) == 0) &&              /* will flags, no will   */
           (user || !password || level == MQTT_LEVEL_5); /* 3.1.2-22              */
}

static void read_will(mqtt_in_t *in, mqtt_connect_t *c, uint8_t flags)
{
    c->has_will = true;
    c->will_qos = flags >> 3 & 3;
    c->will_retain = (flags & 0x20) != 0;
    skip_properties(in, c->level, MQTT_WILL);
    c->will_topic = mqtt_in_string(in);
    c->will_payload = mqtt_in_binary(in);
    in->bad |= !mqtt_topic_ok(c->will_topic);
}

static mqtt_result_t decode_connect(mqtt_in_t *in, mqtt_connect_t *c)
{
    mqtt_properties_t properties = {.receive_max = 65535};
    mqtt_text_t name = mqtt_in_string(in);
    c->level = mqtt_in_u8(in);
    if (in->bad) {
        return MQTT_MALFORMED;
    }
    if (!(mqtt_text_equals(name, "MQTT") &&
          (c->level == MQTT_LEVEL_3_1_1 || c->level == MQTT_LEVEL_5)) &&
        !(mqtt_text_equals(name, "MQIsdp") && c->level == MQTT_LEVEL_3_1)) {
        return MQTT_UNSUPPORTED;
    }
    uint8_t flags = mqtt_in_u8(in);
    in->bad |= !connect_flags_ok(flags, c->level);
    c->clean = (flags & 0x02) != 0;
    c->keep_alive_s = mqtt_in_u16(in);
    if (c->level == MQTT_LEVEL_5) {
        mqtt_in_properties(in, MQTT_CONNECT, &properties);
    }
    c->session_expiry_s = properties.session_expiry_s;
    c->receive_max = properties.receive_max;
    c->max_packet = properties.max_packet;
    c->client_id = mqtt_in_string(in);
    if (c->level == MQTT_LEVEL_3_1) {
        size_t count = character_count(c->client_id);
        in->bad |= count < 1 || count > 23;
    }
    if ((flags & 0x04) != 0) {
        read_will(in, c, flags);
    }
    if ((flags & 0x80) != 0) {
        c->has_user = true;
        c->user = mqtt_in_string(in);
    }
    if ((flags & 0x40) != 0) {
        c->has_password = true;
        c->password = mqtt_in_binary(in);
    }
    return MQTT_OK;
}

static void decode_connack(mqtt_in_t *in, uint8_t level, mqtt_connack_t *c)
{
    uint8_t flags = mqtt_in_u8(in);
    in->bad |= (flags & 0xfe) != 0;
    c->session_present = flags == 1;
    c->code = mqtt_in_u8(in);
    in->bad |= level != MQTT_LEVEL_5 && c->code > 5;
    skip_properties(in, level, MQTT_CONNACK);
}

static void decode_publish(mqtt_in_t *in, uint8_t first, uint8_t level, mqtt_publish_t *p)
{
    p->dup = (first & 0x08) != 0;
    p->qos = first >> 1 & 3;
    p->retain = (first & 0x01) != 0;
    p->topic = mqtt_in_string(in);
    in->bad |= !mqtt_topic_ok(p->topic);
    if (p->qos > 0) {
        p->id = read_id(in);
    }
    if (level == MQTT_LEVEL_5) {
        mqtt_properties_t properties;
        mqtt_in_properties(in, MQTT_PUBLISH, &properties);
        in->bad |= properties.topic_alias; /* none was announced: the maximum is 0 */
    }
    p->payload = take(in, left(in));
}

static void decode_ack(mqtt_in_t *in, mqtt_type_t type, uint8_t level, mqtt_ack_t *a)
{
    a->id = read_id(in);
    if (level != MQTT_LEVEL_5) {
        return;
    }
    if (type == MQTT_UNSUBACK) {
        mqtt_properties_t unused;
        mqtt_in_properties(in, type, &unused);
        a->codes = in->at;
        a->code_count = left(in);
        in->at = in->end;
        return;
    }
    /* "Success" without properties may be left out, and so may the properties. */
    if (left(in) > 0) {
        a->reason = mqtt_in_u8(in);
    }
    if (left(in) > 0) {
        skip_properties(in, level, type);
    }
}

static bool options_ok(uint8_t options, uint8_t level)
{
    if (level != MQTT_LEVEL_5) {
        return options <= 2;
    }
    return (options & 0xc0) == 0 && (options & 0x03) != 3 && (options & 0x30) != 0x30;
}

static void decode_subscribe(mqtt_in_t *in, bool with_qos, uint8_t level, mqtt_subscribe_t *s)
{
    s->id = read_id(in);
    s->with_qos = with_qos;
    skip_properties(in, level, with_qos ? MQTT_SUBSCRIBE : MQTT_UNSUBSCRIBE);
    s->raw = (mqtt_text_t){(const char *)in->at, left(in)};
    while (left(in) > 0 && !in->bad) {
        in->bad |= mqtt_in_string(in).len == 0;
        if (with_qos) {
            in->bad |= !options_ok(mqtt_in_u8(in), level);
        }
        s->count++;
    }
}

static void decode_suback(mqtt_in_t *in, uint8_t level, mqtt_suback_t *s)
{
    s->id = read_id(in);
    skip_properties(in, level, MQTT_SUBACK);
    s->codes = in->at;
    s->count = left(in);
    for (; in->at < in->end; in->at++) {
        uint8_t code = *in->at;
        in->bad |= code > 2 && (level == MQTT_LEVEL_5 ? code < 0x80 : code != MQTT_SUBACK_REFUSED);
    }
}

/* DISCONNECT and AUTH: nothing in 3.x; in 5.0 a reason and properties, both of which may lack. */
static uint8_t decode_reason(mqtt_in_t *in, mqtt_type_t type, uint8_t level)
{
    uint8_t reason = 0;
    if (level == MQTT_LEVEL_5 && left(in) > 0) {
        reason = mqtt_in_u8(in);
        if (left(in) > 0) {
            skip_properties(in, level, type);
        }
    }
    return reason;
}

static mqtt_result_t decode_body(mqtt_in_t *in, uint8_t first, uint8_t level, mqtt_packet_t *packet)
{
    switch (packet->type) {
    case MQTT_CONNECT:
        return decode_connect(in, &packet->u.connect);
    case MQTT_CONNACK:
        decode_connack(in, level, &packet->u.connack);
        break;
    case MQTT_PUBLISH:
        decode_publish(in, first, level, &packet->u.publish);
        break;
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP:
    case MQTT_UNSUBACK:
        decode_ack(in, packet->type, level, &packet->u.ack);
        break;
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
        decode_subscribe(in, packet->type == MQTT_SUBSCRIBE, level, &packet->u.subscribe);
        break;
    case MQTT_SUBACK:
        decode_suback(in, level, &packet->u.suback);
        break;
    case MQTT_DISCONNECT:
    case MQTT_AUTH:
        packet->u.reason = decode_reason(in, packet->type, level);
        break;
    case MQTT_PINGREQ:
    case MQTT_PINGRESP:
        break;
    }
    return MQTT_OK;
}

mqtt_result_t mqtt_decode(const uint8_t *data, size_t len, uint8_t level, uint32_t max_remaining,
                          mqtt_packet_t *packet, size_t *size)
{
    size_t header_size;
    memset(packet, 0, sizeof(*packet));
    mqtt_result_t result =
        mqtt_frame(data, len, level, max_remaining, &packet->type, &header_size, size);
    if (result != MQTT_OK) {
        return result;
    }
    mqtt_in_t in = {.at = data + header_size, .end = data + *size, .bad = false};
    result = decode_body(&in, data[0], level, packet);
    if (result == MQTT_OK && (in.bad || in.at != in.end)) {
        result = MQTT_MALFORMED;
    }
    return result;
}

bool mqtt_filter_next(const mqtt_subscribe_t *subscribe, size_t *position, mqtt_text_t *filter,
                      uint8_t *qos)
{
    const uint8_t *raw = (const uint8_t *)subscribe->raw.text;
    mqtt_in_t in = {.at = raw + *position, .end = raw + subscribe->raw.len, .bad = false};
    uint8_t options = 0;
    if (*position >= subscribe->raw.len) {
        return false;
    }
    *filter = mqtt_in_binary(&in);
    if (subscribe->with_qos) {
        options = mqtt_in_u8(&in);
    }
    if (qos != NULL) {
        *qos = options & 3;
    }
    *position = (size_t)(in.at - raw);
    return !in.bad;
}

const char *mqtt_type_name(mqtt_type_t type)
{
    static const char *const names[] = {
        "reserved", "CONNECT",  "CONNACK",    "PUBLISH", "PUBACK",      "PUBREC",
        "PUBREL",   "PUBCOMP",  "SUBSCRIBE",  "SUBACK",  "UNSUBSCRIBE", "UNSUBACK",
        "PINGREQ",  "PINGRESP", "DISCONNECT", "AUTH",
    };
    return (unsigned)type < sizeof(names) / sizeof(names[0]) ? names[type] : names[0];
}

const char *mqtt_result_name(mqtt_result_t result)
{
    static const char *const names[] = {"complete", "incomplete", "malformed", "too large",
                                        "protocol or version not supported"};
    return (unsigned)result < sizeof(names) / sizeof(names[0]) ? names[result] : names[2];
}

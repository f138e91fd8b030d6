/* SPDX-License-Identifier: Apache-2.0 */
/* The properties of MQTT 5.0 (2.2.2): a table says which may stand where, and of what type. */
#include "mqtt/mqtt_wire.h"

typedef enum {
    KIND_NONE = 0,
    KIND_FLAG, /* a byte, 0 or 1     */
    KIND_U16,
    KIND_U16_NOT_0,
    KIND_U32,
    KIND_U32_NOT_0,
    KIND_VARINT_NOT_0,
    KIND_STRING,
    KIND_TOPIC,
    KIND_BINARY,
    KIND_PAIR, /* two strings */
} kind_t;

enum {
    SESSION_EXPIRY = 0x11,
    SUBSCRIPTION_ID = 0x0b,
    RECEIVE_MAX = 0x21,
    TOPIC_ALIAS = 0x23,
    USER_PROPERTY = 0x26,
    MAX_PACKET = 0x27,
    PROPERTY_COUNT = 0x2b,
};

#define IN(type) (1u << (type))
#define IN_ACKS                                                                                    \
    (IN(MQTT_PUBACK) | IN(MQTT_PUBREC) | IN(MQTT_PUBREL) | IN(MQTT_PUBCOMP) | IN(MQTT_SUBACK) |    \
     IN(MQTT_UNSUBACK))
#define IN_MESSAGE (IN(MQTT_PUBLISH) | IN(MQTT_WILL))
#define IN_LOGIN   (IN(MQTT_CONNECT) | IN(MQTT_CONNACK))

static const struct {
    uint8_t kind;
    uint16_t where;
} properties_known[PROPERTY_COUNT] = {
    [0x01] = {KIND_FLAG, IN_MESSAGE},   /* payload format indicator   */
    [0x02] = {KIND_U32, IN_MESSAGE},    /* message expiry interval    */
    [0x03] = {KIND_STRING, IN_MESSAGE}, /* content type               */
    [0x08] = {KIND_TOPIC, IN_MESSAGE},  /* response topic             */
    [0x09] = {KIND_BINARY, IN_MESSAGE}, /* correlation data           */
    [SUBSCRIPTION_ID] = {KIND_VARINT_NOT_0, IN(MQTT_PUBLISH) | IN(MQTT_SUBSCRIBE)},
    [SESSION_EXPIRY] = {KIND_U32, IN_LOGIN | IN(MQTT_DISCONNECT)},
    [0x12] = {KIND_STRING, IN(MQTT_CONNACK)},                       /* assigned client id */
    [0x13] = {KIND_U16, IN(MQTT_CONNACK)},                          /* server keep-alive  */
    [0x15] = {KIND_STRING, IN_LOGIN | IN(MQTT_AUTH)},               /* authentication method */
    [0x16] = {KIND_BINARY, IN_LOGIN | IN(MQTT_AUTH)},               /* authentication data   */
    [0x17] = {KIND_FLAG, IN(MQTT_CONNECT)},                         /* request problem info  */
    [0x18] = {KIND_U32, IN(MQTT_WILL)},                             /* will delay interval   */
    [0x19] = {KIND_FLAG, IN(MQTT_CONNECT)},                         /* request response info */
    [0x1a] = {KIND_STRING, IN(MQTT_CONNACK)},                       /* response information  */
    [0x1c] = {KIND_STRING, IN(MQTT_CONNACK) | IN(MQTT_DISCONNECT)}, /* server reference     */
    [0x1f] = {KIND_STRING, IN_ACKS | IN(MQTT_CONNACK) | IN(MQTT_DISCONNECT) | IN(MQTT_AUTH)},
    [RECEIVE_MAX] = {KIND_U16_NOT_0, IN_LOGIN},
    [0x22] = {KIND_U16, IN_LOGIN}, /* topic alias maximum */
    [TOPIC_ALIAS] = {KIND_U16_NOT_0, IN(MQTT_PUBLISH)},
    [0x24] = {KIND_FLAG, IN(MQTT_CONNACK)}, /* maximum QoS       */
    [0x25] = {KIND_FLAG, IN(MQTT_CONNACK)}, /* retain available  */
    [USER_PROPERTY] = {KIND_PAIR, 0xffff},
    [MAX_PACKET] = {KIND_U32_NOT_0, IN_LOGIN},
    [0x28] = {KIND_FLAG, IN(MQTT_CONNACK)}, /* wildcard subscription available   */
    [0x29] = {KIND_FLAG, IN(MQTT_CONNACK)}, /* subscription identifier available */
    [0x2a] = {KIND_FLAG, IN(MQTT_CONNACK)}, /* shared subscription available     */
};

/* Reads one value; numbers are returned, texts only checked. */
static uint32_t read_value(mqtt_in_t *in, kind_t kind)
{
    uint32_t value = 0;
    switch (kind) {
    case KIND_FLAG:
        value = mqtt_in_u8(in);
        in->bad |= value > 1;
        break;
    case KIND_U16:
        value = mqtt_in_u16(in);
        break;
    case KIND_U16_NOT_0:
        value = mqtt_in_u16(in);
        in->bad |= value == 0;
        break;
    case KIND_U32:
        value = mqtt_in_u32(in);
        break;
    case KIND_U32_NOT_0:
        value = mqtt_in_u32(in);
        in->bad |= value == 0;
        break;
    case KIND_VARINT_NOT_0:
        value = mqtt_in_varint(in);
        in->bad |= value == 0;
        break;
    case KIND_STRING:
        mqtt_in_string(in);
        break;
    case KIND_TOPIC:
        in->bad |= !mqtt_topic_ok(mqtt_in_string(in));
        break;
    case KIND_BINARY:
        mqtt_in_binary(in);
        break;
    case KIND_PAIR:
        mqtt_in_string(in);
        mqtt_in_string(in);
        break;
    default:
        in->bad = true;
        break;
    }
    return value;
}

static bool may_repeat(uint32_t id, mqtt_type_t where)
{
    return id == USER_PROPERTY || (id == SUBSCRIPTION_ID && where == MQTT_PUBLISH);
}

static void read_property(mqtt_in_t *in, mqtt_type_t where, uint64_t *seen,
                          mqtt_properties_t *properties)
{
    uint32_t id = mqtt_in_varint(in);
    if (id >= PROPERTY_COUNT || (properties_known[id].where & IN(where)) == 0 ||
        ((*seen >> id & 1) != 0 && !may_repeat(id, where))) {
        in->bad = true;
        return;
    }
    *seen |= (uint64_t)1 << id;
    uint32_t value = read_value(in, (kind_t)properties_known[id].kind);
    switch (id) {
    case SESSION_EXPIRY:
        properties->session_expiry_s = value;
        break;
    case RECEIVE_MAX:
        properties->receive_max = (uint16_t)value;
        break;
    case MAX_PACKET:
        properties->max_packet = value;
        break;
    case TOPIC_ALIAS:
        properties->topic_alias = true;
        break;
    default:
        break;
    }
}

void mqtt_in_properties(mqtt_in_t *in, mqtt_type_t where, mqtt_properties_t *properties)
{
    uint64_t seen = 0;
    *properties = (mqtt_properties_t){.receive_max = 65535};
    uint32_t len = mqtt_in_varint(in);
    if (in->bad || len > (size_t)(in->end - in->at)) {
        in->bad = true;
        return;
    }
    mqtt_in_t part = {.at = in->at, .end = in->at + len, .bad = false};
    while (part.at < part.end && !part.bad) {
        read_property(&part, where, &seen, properties);
    }
    in->at += len;
    in->bad = part.bad;
}

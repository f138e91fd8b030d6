/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte picks the level, the rest is a packet. What decodes must encode again, and what
   was encoded must decode to the same bytes once more. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/mqtt_codec.h"

#define MAX 65536u

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static bool put_filters(mqtt_out_t *out, uint8_t level, const mqtt_packet_t *p)
{
    static mqtt_text_t filters[MAX];
    static uint8_t qos[MAX];
    size_t count = 0, position = 0;
    while (mqtt_filter_next(&p->u.subscribe, &position, &filters[count], &qos[count])) {
        count++;
    }
    require(count == p->u.subscribe.count);
    if (count == 0) {
        return false; /* is taken, but never sent */
    }
    require(p->type == MQTT_SUBSCRIBE
                ? mqtt_put_subscribe(out, level, p->u.subscribe.id, filters, qos, count)
                : mqtt_put_unsubscribe(out, level, p->u.subscribe.id, filters, count));
    return true;
}

/* False: there is no encoder for it. */
static bool put(mqtt_out_t *out, uint8_t level, const mqtt_packet_t *p)
{
    switch (p->type) {
    case MQTT_CONNECT:
        require(mqtt_put_connect(out, &p->u.connect));
        return true;
    case MQTT_CONNACK:
        require(mqtt_put_connack(out, level, p->u.connack.session_present, p->u.connack.code));
        return true;
    case MQTT_PUBLISH:
        require(mqtt_put_publish(out, level, &p->u.publish));
        require(out->len == mqtt_publish_size(level, &p->u.publish));
        return true;
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP:
        require(mqtt_put_ack(out, level, p->type, p->u.ack.id, p->u.ack.reason));
        return true;
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
        return put_filters(out, level, p);
    case MQTT_SUBACK:
        require(mqtt_put_suback(out, level, p->u.suback.id, p->u.suback.codes, p->u.suback.count));
        return true;
    case MQTT_UNSUBACK:
        require(mqtt_put_unsuback(out, level, p->u.ack.id, p->u.ack.codes, p->u.ack.code_count));
        return true;
    case MQTT_PINGREQ:
        require(mqtt_put_pingreq(out));
        return true;
    case MQTT_PINGRESP:
        require(mqtt_put_pingresp(out));
        return true;
    case MQTT_DISCONNECT:
        require(mqtt_put_disconnect(out, level, p->u.reason));
        return true;
    default:
        return false;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t once_buf[2 * MAX], twice_buf[2 * MAX];
    mqtt_packet_t packet, again;
    mqtt_out_t once, twice;
    size_t taken;
    if (size == 0) {
        return 0;
    }
    uint8_t level = (uint8_t)(3 + data[0] % 3);
    mqtt_result_t result = mqtt_decode(data + 1, size - 1, level, MAX, &packet, &taken);
    if (result == MQTT_NEED_MORE) {
        require(taken > size - 1 && taken <= MAX + 5);
    }
    if (result != MQTT_OK) {
        return 0;
    }
    require(taken >= 2 && taken <= size - 1);
    if (packet.type == MQTT_CONNECT) {
        level = packet.u.connect.level;
    }
    mqtt_out_init(&once, once_buf, sizeof once_buf);
    mqtt_out_init(&twice, twice_buf, sizeof twice_buf);
    if (!put(&once, level, &packet)) {
        return 0;
    }
    require(mqtt_decode(once.buf, once.len, level, MAX, &again, &taken) == MQTT_OK);
    require(taken == once.len && again.type == packet.type);
    require(put(&twice, level, &again));
    require(once.len == twice.len && memcmp(once.buf, twice.buf, once.len) == 0);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A client that sends anything, in pieces of any size, to a session whose owner acknowledges late
   and out of order, and has a small out buffer. The first byte is the flags, the second the seed of
   the owner's whims. What comes out must be well-formed, PUBACKs in the order of the messages. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/mqtt_server.h"

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

typedef struct {
    mqtt_server_t s;
    uint8_t buf[64];
    mqtt_out_t out;
    uint32_t whim;
    uint16_t ids[MQTT_SERVER_INFLIGHT_MAX]; /* as they came; the first `count` wait */
    bool dropped[MQTT_SERVER_INFLIGHT_MAX];
    size_t count;
} owner_t;

static uint32_t whim(owner_t *o, uint32_t below)
{
    o->whim = o->whim * 1664525u + 1013904223u;
    return (o->whim >> 16) % below;
}

/* Reads back what the session wrote; each PUBACK is the oldest message that was not dropped. */
static void drain(owner_t *o)
{
    size_t at = 0;
    while (at < o->out.len) {
        mqtt_packet_t packet;
        size_t size;
        uint8_t level = o->s.level != 0 ? o->s.level : MQTT_LEVEL_3_1_1;
        require(mqtt_decode(o->buf + at, o->out.len - at, level, 65536, &packet, &size) == MQTT_OK);
        if (packet.type == MQTT_PUBACK) {
            size_t n = 0;
            while (n < o->count && o->dropped[n]) {
                n++;
            }
            require(n < o->count && packet.u.ack.id == o->ids[n]);
            o->count -= n + 1;
            memmove(o->ids, o->ids + n + 1, o->count * sizeof o->ids[0]);
            memmove(o->dropped, o->dropped + n + 1, o->count * sizeof o->dropped[0]);
        }
        at += size;
    }
    mqtt_out_sent(&o->out, o->out.len);
}

static void settle(owner_t *o)
{
    for (size_t n = 0; n < o->count; n++) {
        if (whim(o, 2) == 0) {
            continue;
        }
        if (whim(o, 8) == 0) {
            /* Which of two equal ids it hits is the session's affair: only drop a lone one. */
            bool lone = true;
            for (size_t k = 0; k < o->count; k++) {
                lone = lone && (k == n || o->ids[k] != o->ids[n]);
            }
            if (lone && mqtt_server_drop(&o->s, o->ids[n])) {
                o->dropped[n] = true;
            }
        } else {
            mqtt_server_puback(&o->s, o->ids[n], whim(o, 2) == 0 ? 0 : MQTT_REASON_BAD_TOPIC);
        }
    }
    mqtt_server_flush(&o->s, &o->out);
    drain(o);
    if (mqtt_server_waiting(&o->s) == 0) {
        o->count = 0; /* the rest was dropped */
    }
}

static void on_event(owner_t *o, mqtt_server_event_t event, const mqtt_packet_t *p)
{
    uint8_t codes[4] = {0, 1, MQTT_SUBACK_REFUSED, 0};
    switch (event) {
    case MQTT_SERVER_CONNECT:
        require(p->type == MQTT_CONNECT && o->count == 0);
        require(mqtt_server_connack(&o->s, (mqtt_answer_t)(whim(o, 12) % 6 % (1 + whim(o, 6))),
                                    &o->out));
        break;
    case MQTT_SERVER_PUBLISH:
        if (p->u.publish.qos > 0) {
            require(o->count < MQTT_SERVER_INFLIGHT_MAX);
            o->dropped[o->count] = false;
            o->ids[o->count++] = p->u.publish.id;
        }
        break;
    case MQTT_SERVER_SUBSCRIBE:
        mqtt_server_suback(&o->s, p->u.subscribe.id, codes, p->u.subscribe.count % 5, &o->out);
        mqtt_server_publish(&o->s, mqtt_text("t"), mqtt_text("x"), (uint8_t)whim(o, 2), NULL,
                            &o->out);
        break;
    case MQTT_SERVER_UNSUBSCRIBE:
        mqtt_server_unsuback(&o->s, p->u.subscribe.id, p->u.subscribe.count % 8, &o->out);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    owner_t o = {.count = 0};
    size_t at = 2, have = 2, stuck = 0;
    if (size < 2) {
        return 0;
    }
    o.whim = data[1];
    mqtt_server_init(&o.s, data[0] & 15u, 4096);
    mqtt_out_init(&o.out, o.buf, sizeof o.buf);
    while (stuck < 64) {
        mqtt_packet_t packet;
        size_t taken;
        mqtt_server_event_t event =
            mqtt_server_take(&o.s, data + at, have - at, &packet, &taken, &o.out);
        if (event == MQTT_SERVER_CLOSE || event == MQTT_SERVER_DISCONNECT) {
            require(!mqtt_server_connected(&o.s) && mqtt_server_why(&o.s) != NULL);
            break;
        }
        if (event == MQTT_SERVER_MORE) {
            require(taken > have - at && taken <= 4096 + 5);
            if (have == size) {
                break;
            }
            have += 1 + whim(&o, 64);
            have = have < size ? have : size;
            continue;
        }
        if (event == MQTT_SERVER_BLOCKED) {
            require(taken == 0);
            settle(&o);
            stuck++;
            continue;
        }
        stuck = 0;
        require(taken >= 2 && taken <= have - at);
        on_event(&o, event, &packet);
        at += taken;
        if (whim(&o, 3) == 0) {
            settle(&o);
        }
    }
    require(stuck < 64);
    drain(&o);
    return 0;
}

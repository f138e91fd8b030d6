/* SPDX-License-Identifier: Apache-2.0 */
/* A server that sends anything to a client that is busy. Bytes of the input are commands: 0 to 7 do
   something on the client's side, anything else is a length of bytes from the server. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/mqtt_client.h"

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

typedef struct {
    mqtt_client_t c;
    uint8_t out_buf[512], in[8192];
    mqtt_out_t out;
    size_t have;
    uint64_t now;
    uintptr_t sent, answered;
    bool over;
} rig_t;

static void on_event(rig_t *r, const mqtt_client_event_t *e)
{
    require(!r->over);
    switch (e->type) {
    case MQTT_CLIENT_PUBLISH:
        require(e->publish.qos <= 1 && (e->publish.qos == 0) == (e->publish.id == 0));
        if (e->publish.id != 0) {
            mqtt_client_puback(&r->c, e->publish.id, r->now, &r->out);
        }
        break;
    case MQTT_CLIENT_PUBACK:
    case MQTT_CLIENT_SUBACK:
    case MQTT_CLIENT_UNSUBACK:
        require(e->token >= 1 && e->token <= r->sent && ++r->answered <= r->sent);
        break;
    case MQTT_CLIENT_CLOSED:
    case MQTT_CLIENT_REFUSED:
        r->over = true;
        require(!mqtt_client_connected(&r->c));
        break;
    default:
        break;
    }
}

static void command(rig_t *r, uint8_t what)
{
    static const char *const filters[] = {"a", "b/+", "#"};
    mqtt_client_event_t event;
    bool sent = false;
    switch (what) {
    case 0:
    case 1:
        sent = mqtt_client_publish(&r->c, mqtt_text("t"), mqtt_text("x"), 1, r->sent + 1, r->now,
                                   &r->out) == MQTT_CLIENT_OK;
        break;
    case 2:
        sent = mqtt_client_subscribe(&r->c, filters, 3, 1, r->sent + 1, r->now, &r->out) ==
               MQTT_CLIENT_OK;
        break;
    case 3:
        sent = mqtt_client_unsubscribe(&r->c, filters, 2, r->sent + 1, r->now, &r->out) ==
               MQTT_CLIENT_OK;
        break;
    case 4:
        r->out.len = 0;
        break;
    case 5:
        r->now += 700;
        break;
    case 6:
        if (mqtt_client_deadline(&r->c) != MQTT_CLIENT_NO_DEADLINE &&
            mqtt_client_deadline(&r->c) > r->now) {
            r->now = mqtt_client_deadline(&r->c);
        }
        break;
    default:
        mqtt_client_publish(&r->c, mqtt_text("t"), mqtt_text(""), 0, 0, r->now, &r->out);
        break;
    }
    r->sent += sent;
    if (mqtt_client_tick(&r->c, r->now, &event, &r->out)) {
        require(event.type == MQTT_CLIENT_CLOSED);
        on_event(r, &event);
    }
    require(mqtt_client_inflight(&r->c) <= MQTT_CLIENT_INFLIGHT_MAX);
    require(mqtt_client_inflight(&r->c) == r->sent - r->answered);
}

static void receive(rig_t *r, const uint8_t *data, size_t len)
{
    size_t at = 0;
    mqtt_client_event_t event;
    memcpy(r->in + r->have, data, len);
    r->have += len;
    while (mqtt_client_take(&r->c, r->in + at, r->have - at, &event)) {
        require(event.size <= r->have - at);
        require(event.size > 0 || event.type == MQTT_CLIENT_CLOSED);
        at += event.size;
        on_event(r, &event);
    }
    if (!r->over) {
        require(mqtt_client_needed(&r->c) > r->have - at && mqtt_client_needed(&r->c) <= 4096 + 5);
    }
    r->have -= at;
    memmove(r->in, r->in + at, r->have);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static rig_t r;
    const mqtt_client_config_t config = {
        .client_id = "c", .keep_alive_s = 20, .max_remaining = 4096, .ack_timeout_ms = 5000};
    memset(&r, 0, sizeof r);
    mqtt_client_init(&r.c, &config);
    mqtt_out_init(&r.out, r.out_buf, sizeof r.out_buf);
    require(mqtt_client_connect(&r.c, r.now, &r.out) == MQTT_CLIENT_OK);
    for (size_t at = 0; at < size && !r.over;) {
        uint8_t what = data[at++];
        if (what < 8) {
            command(&r, what);
            continue;
        }
        size_t len = what - 7u < size - at ? what - 7u : size - at;
        receive(&r, data + at, len);
        at += len;
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* MQTT against the raw packets of a live ThingsBoard, against damage, and against itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "json/json.h"
#include "mqtt/mqtt_client.h"
#include "mqtt/mqtt_codec.h"
#include "mqtt/mqtt_server.h"

#define RECORDED "tests/fixtures/thingsboard-4.2.1/mqtt.jsonl"

static const uint8_t CONNECT_311[] = {0x10, 0x0d, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 1, 'c'};

/* What a server that grants everything answers to one packet. Returns true when it closes. */
static bool serve(mqtt_server_t *s, const uint8_t *data, size_t len, mqtt_out_t *out)
{
    size_t at = 0;
    for (;;) {
        mqtt_packet_t packet;
        size_t size;
        mqtt_server_event_t event = mqtt_server_take(s, data + at, len - at, &packet, &size, out);
        uint8_t codes[16];
        size_t count = 0;
        size_t position = 0;
        mqtt_text_t filter;
        uint8_t qos;
        switch (event) {
        case MQTT_SERVER_MORE:
        case MQTT_SERVER_BLOCKED:
            return false;
        case MQTT_SERVER_CLOSE:
        case MQTT_SERVER_DISCONNECT:
            return true;
        case MQTT_SERVER_CONNECT:
            assert_true(mqtt_server_connack(s, MQTT_ACCEPT, out));
            break;
        case MQTT_SERVER_PUBLISH:
            if (packet.u.publish.id != 0) {
                assert_true(mqtt_server_puback(s, packet.u.publish.id, 0));
                assert_true(mqtt_server_flush(s, out));
            }
            break;
        case MQTT_SERVER_SUBSCRIBE:
            while (mqtt_filter_next(&packet.u.subscribe, &position, &filter, &qos)) {
                codes[count++] = qos > 1 ? 1 : qos;
            }
            assert_true(mqtt_server_suback(s, packet.u.subscribe.id, codes, count, out));
            break;
        case MQTT_SERVER_UNSUBSCRIBE:
            assert_true(
                mqtt_server_unsuback(s, packet.u.subscribe.id, packet.u.subscribe.count, out));
            break;
        default:
            break;
        }
        at += size;
    }
}

/* Cases about things above the codec: which topics there are, what a payload must be. */
static bool above_the_codec(const char *name)
{
    static const char *const prefixes[] = {
        "telemetry",    "publish to", "short topic", "subscribe unknown", "subscribe #",
        "subscribe v1", "attributes", "device rpc",  "rpc response",      "getting",
        "claim",        "fw chunk",   "two conn",    "keep alive",        "what was stored",
    };
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) {
            return strcmp(name, "telemetry qos 0") != 0 && strcmp(name, "telemetry qos 1") != 0 &&
                   strcmp(name, "telemetry qos 2") != 0 &&
                   strcmp(name, "publish to a wildcard") != 0;
        }
    }
    return false;
}

/* Where we answer differently on purpose. */
static bool differs_on_purpose(const char *name)
{
    /* The topic's length points behind the packet. ThingsBoard waits for bytes that can never come
       and keeps the connection for ten minutes; the specification (4.8) wants it closed. */
    return strcmp(name, "truncated PUBLISH topic") == 0;
}

static void replay(const char *line, size_t len, const char *name)
{
    mqtt_server_t s;
    uint8_t buf[256];
    mqtt_out_t out;
    json_token_t token;
    mqtt_out_init(&out, buf, sizeof buf);
    mqtt_server_init(&s, MQTT_SERVER_CLAIM_SESSION, MQTT_REMAINING_DEFAULT);
    bool is_first = strstr(name, "CONNECT") != NULL && strcmp(name, "second CONNECT") != 0 &&
                    strcmp(name, "DISCONNECT") != 0;
    is_first = is_first || strcmp(name, "first packet is PUBLISH") == 0;
    if (!is_first) {
        assert_false(serve(&s, CONNECT_311, sizeof CONNECT_311, &out));
        mqtt_out_sent(&out, out.len);
    }
    for (int step = 0;; step++) {
        char path[48];
        char hex[4096];
        uint8_t packet[2048];
        char expected[512] = "";
        char got[513];
        snprintf(path, sizeof path, "steps.%d.sent", step);
        if (!json_find(line, len, path, &token)) {
            assert_true(step > 0);
            return;
        }
        size_t hex_len;
        assert_true(json_string(&token, hex, sizeof hex, &hex_len));
        assert_true(bytes_from_hex(hex, hex_len, packet, hex_len / 2));
        for (int i = 0;; i++) {
            snprintf(path, sizeof path, "steps.%d.received.%d.hex", step, i);
            if (!json_find(line, len, path, &token)) {
                break;
            }
            size_t used = strlen(expected);
            assert_true(json_string(&token, expected + used, sizeof expected - used, NULL));
        }
        snprintf(path, sizeof path, "steps.%d.closed", step);
        assert_true(json_find(line, len, path, &token));
        bool closed = serve(&s, packet, hex_len / 2, &out);
        assert_true(bytes_to_hex(out.buf, out.len, got, sizeof got));
        mqtt_out_sent(&out, out.len);
        if (differs_on_purpose(name)) {
            assert_true(closed);
            return;
        }
        if (strcmp(got, expected) != 0 || closed != (token.type == JSON_TRUE)) {
            fail_msg("%s: answered %s%s, recorded %s%s", name, got, closed ? " and closed" : "",
                     expected, token.type == JSON_TRUE ? " and closed" : "");
        }
    }
}

static void answers_as_recorded_from_thingsboard(void **state)
{
    (void)state;
    FILE *file = fopen(RECORDED, "r");
    assert_non_null(file);
    char *line = NULL;
    size_t cap = 0;
    int played = 0;
    ssize_t n;
    while ((n = getline(&line, &cap, file)) > 0) {
        char name[128];
        json_token_t token;
        assert_true(json_find(line, (size_t)n, "name", &token));
        assert_true(json_string(&token, name, sizeof name, NULL));
        if (!above_the_codec(name)) {
            replay(line, (size_t)n, name);
            played++;
        }
    }
    free(line);
    fclose(file);
    assert_true(played >= 25);
}

static void without_the_flag_no_session_is_claimed(void **state)
{
    (void)state;
    mqtt_server_t s;
    uint8_t buf[64];
    uint8_t connect[sizeof CONNECT_311];
    mqtt_out_t out;
    memcpy(connect, CONNECT_311, sizeof connect);
    connect[9] = 0; /* clean session 0 */
    mqtt_out_init(&out, buf, sizeof buf);
    mqtt_server_init(&s, 0, MQTT_REMAINING_DEFAULT);
    assert_false(serve(&s, connect, sizeof connect, &out));
    assert_int_equal(out.len, 4);
    assert_memory_equal(buf, "\x20\x02\x00\x00", 4);
}

/* Each recorded packet cut anywhere is "more", and with any bit turned does not read outside. */
static void damage_is_survived(void **state)
{
    (void)state;
    static const uint8_t publish[] = {0x32, 0x0f, 0,   4,   'v', '2', '/', 't', 0,
                                      10,   '{',  '"', 'a', '"', ':', '1', '}'};
    static const uint8_t subscribe[] = {0x82, 9, 0, 1, 0, 4, 'v', '2', '/', 'a', 1};
    static const struct {
        const uint8_t *data;
        size_t len;
    } packets[] = {{CONNECT_311, sizeof CONNECT_311},
                   {publish, sizeof publish},
                   {subscribe, sizeof subscribe}};
    for (size_t p = 0; p < 3; p++) {
        for (uint8_t level = 3; level <= 5; level++) {
            mqtt_packet_t packet;
            size_t size;
            for (size_t len = 0; len < packets[p].len && level == 4; len++) {
                uint8_t *exact = malloc(len + 1);
                memcpy(exact, packets[p].data, len);
                assert_int_equal(mqtt_decode(exact, len, level, 65536, &packet, &size),
                                 MQTT_NEED_MORE);
                assert_true(size > len);
                free(exact);
            }
            for (size_t bit = 0; bit < 8 * packets[p].len; bit++) {
                uint8_t *exact = malloc(packets[p].len);
                memcpy(exact, packets[p].data, packets[p].len);
                exact[bit / 8] ^= (uint8_t)(1u << bit % 8);
                if (mqtt_decode(exact, packets[p].len, level, 65536, &packet, &size) == MQTT_OK) {
                    assert_true(size <= packets[p].len);
                }
                free(exact);
            }
        }
    }
}

static void too_large_is_said_before_it_is_buffered(void **state)
{
    (void)state;
    static const uint8_t head[] = {0x10, 0x80, 0x80, 0x40}; /* 1 MiB of CONNECT */
    mqtt_packet_t packet;
    size_t size;
    assert_int_equal(mqtt_decode(head, sizeof head, 4, 65536, &packet, &size), MQTT_TOO_LARGE);
}

/* ---- client and server, face to face ---- */

typedef struct {
    mqtt_client_t client;
    mqtt_server_t server;
    uint8_t up_buf[2048], down_buf[2048];
    mqtt_out_t up, down;
} pair_t;

static void pair_init(pair_t *pair)
{
    const mqtt_client_config_t config = {.client_id = "SN-1", .keep_alive_s = 30};
    mqtt_client_init(&pair->client, &config);
    mqtt_server_init(&pair->server, 0, MQTT_REMAINING_DEFAULT);
    mqtt_out_init(&pair->up, pair->up_buf, sizeof pair->up_buf);
    mqtt_out_init(&pair->down, pair->down_buf, sizeof pair->down_buf);
}

static void pair_up(pair_t *pair)
{
    assert_false(serve(&pair->server, pair->up.buf, pair->up.len, &pair->down));
    mqtt_out_sent(&pair->up, pair->up.len);
}

static mqtt_client_event_t pair_down(pair_t *pair)
{
    mqtt_client_event_t event = {0};
    assert_true(mqtt_client_take(&pair->client, pair->down.buf, pair->down.len, &event));
    mqtt_out_sent(&pair->down, event.size);
    return event;
}

static void pair_connect(pair_t *pair)
{
    pair_init(pair);
    assert_int_equal(mqtt_client_connect(&pair->client, 1000, &pair->up), MQTT_CLIENT_OK);
    pair_up(pair);
    assert_int_equal(pair_down(pair).type, MQTT_CLIENT_CONNECTED);
}

static void a_message_is_acknowledged_with_its_token(void **state)
{
    (void)state;
    pair_t pair;
    pair_connect(&pair);
    for (uintptr_t token = 7; token < 10; token++) {
        assert_int_equal(mqtt_client_publish(&pair.client, mqtt_text("v2/t"), mqtt_text("{}"), 1,
                                             token, 1000, &pair.up),
                         MQTT_CLIENT_OK);
    }
    assert_int_equal(mqtt_client_inflight(&pair.client), 3);
    pair_up(&pair);
    for (uintptr_t token = 7; token < 10; token++) {
        mqtt_client_event_t event = pair_down(&pair);
        assert_int_equal(event.type, MQTT_CLIENT_PUBACK);
        assert_int_equal(event.token, token);
    }
    assert_int_equal(mqtt_client_inflight(&pair.client), 0);
}

static void acknowledgements_keep_their_order(void **state)
{
    (void)state;
    pair_t pair;
    pair_connect(&pair);
    mqtt_packet_t packet;
    size_t size;
    uint16_t ids[3];
    for (int i = 0; i < 3; i++) {
        mqtt_client_publish(&pair.client, mqtt_text("v2/t"), mqtt_text("{}"), 1, (uintptr_t)i, 1000,
                            &pair.up);
        assert_int_equal(
            mqtt_server_take(&pair.server, pair.up.buf, pair.up.len, &packet, &size, &pair.down),
            MQTT_SERVER_PUBLISH);
        ids[i] = packet.u.publish.id;
        mqtt_out_sent(&pair.up, size);
    }
    assert_true(mqtt_server_puback(&pair.server, ids[2], 0));
    mqtt_server_flush(&pair.server, &pair.down);
    assert_int_equal(pair.down.len, 0); /* the first two are not stored yet */
    assert_true(mqtt_server_drop(&pair.server, ids[0]));
    assert_true(mqtt_server_puback(&pair.server, ids[1], 0));
    assert_false(mqtt_server_puback(&pair.server, 999, 0));
    assert_true(mqtt_server_flush(&pair.server, &pair.down));
    assert_int_equal(pair_down(&pair).token, 1);
    assert_int_equal(pair_down(&pair).token, 2);
    assert_int_equal(mqtt_server_waiting(&pair.server), 0);
}

static void messages_come_down_and_subscriptions_are_answered(void **state)
{
    (void)state;
    static const char *const filters[] = {"v1/devices/me/attributes",
                                          "v1/devices/me/rpc/request/+"};
    pair_t pair;
    uint16_t id;
    pair_connect(&pair);
    assert_int_equal(mqtt_client_subscribe(&pair.client, filters, 2, 1, 42, 1000, &pair.up),
                     MQTT_CLIENT_OK);
    pair_up(&pair);
    mqtt_client_event_t event = pair_down(&pair);
    assert_int_equal(event.type, MQTT_CLIENT_SUBACK);
    assert_int_equal(event.token, 42);
    assert_int_equal(event.count, 2);
    assert_true(mqtt_server_publish(&pair.server, mqtt_text("v1/devices/me/attributes"),
                                    mqtt_text("{\"a\":1}"), 1, &id, &pair.down));
    assert_int_equal(id, 1);
    event = pair_down(&pair);
    assert_int_equal(event.type, MQTT_CLIENT_PUBLISH);
    assert_int_equal(mqtt_client_puback(&pair.client, event.publish.id, 1000, &pair.up),
                     MQTT_CLIENT_OK);
    mqtt_packet_t packet;
    size_t size;
    assert_int_equal(
        mqtt_server_take(&pair.server, pair.up.buf, pair.up.len, &packet, &size, &pair.down),
        MQTT_SERVER_PUBACK);
    assert_int_equal(packet.u.ack.id, 1);
}

static void silence_is_noticed(void **state)
{
    (void)state;
    pair_t pair;
    mqtt_client_event_t event;
    pair_init(&pair);
    mqtt_client_connect(&pair.client, 1000, &pair.up);
    assert_int_equal(mqtt_client_deadline(&pair.client), 11000);
    assert_true(mqtt_client_tick(&pair.client, 11000, &event, &pair.up));
    assert_int_equal(event.type, MQTT_CLIENT_CLOSED);
    assert_int_equal(event.reason, MQTT_CLOSED_CONNACK_TIMEOUT);

    pair_connect(&pair);
    assert_int_equal(mqtt_server_silence_ms(&pair.server), 45000);
    uint64_t deadline = mqtt_client_deadline(&pair.client);
    assert_true(deadline > 1000 && deadline <= 31000);
    assert_false(mqtt_client_tick(&pair.client, deadline, &event, &pair.up));
    assert_int_equal(pair.up.buf[0], 0xc0);
    pair_up(&pair);
    assert_int_equal(pair_down(&pair).type, MQTT_CLIENT_NOTHING);
    assert_false(mqtt_client_tick(&pair.client, deadline + 10000, &event, &pair.up));
}

static void a_refusal_is_told_with_its_code(void **state)
{
    (void)state;
    pair_t pair;
    mqtt_packet_t packet;
    size_t size;
    pair_init(&pair);
    mqtt_client_connect(&pair.client, 1000, &pair.up);
    assert_int_equal(
        mqtt_server_take(&pair.server, pair.up.buf, pair.up.len, &packet, &size, &pair.down),
        MQTT_SERVER_CONNECT);
    assert_true(mqtt_text_equals(packet.u.connect.client_id, "SN-1"));
    assert_true(mqtt_server_connack(&pair.server, MQTT_REFUSE_NOT_AUTHORIZED, &pair.down));
    mqtt_client_event_t event = pair_down(&pair);
    assert_int_equal(event.type, MQTT_CLIENT_REFUSED);
    assert_int_equal(event.code, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_as_recorded_from_thingsboard),
        cmocka_unit_test(without_the_flag_no_session_is_claimed),
        cmocka_unit_test(damage_is_survived),
        cmocka_unit_test(too_large_is_said_before_it_is_buffered),
        cmocka_unit_test(a_message_is_acknowledged_with_its_token),
        cmocka_unit_test(acknowledgements_keep_their_order),
        cmocka_unit_test(messages_come_down_and_subscriptions_are_answered),
        cmocka_unit_test(silence_is_noticed),
        cmocka_unit_test(a_refusal_is_told_with_its_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

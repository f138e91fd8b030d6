/* SPDX-License-Identifier: Apache-2.0 */
/* Every raw packet recorded from a live ThingsBoard, played to lib/mqtt's server with lib/tbdevice
   behind it in ThingsBoard's mode: the same packets must come back in the same order, and the same
   connections be closed. */
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
#include "mqtt/mqtt_server.h"
#include "tbdevice/tb_device.h"

#define RECORDED "tests/fixtures/thingsboard-4.2.1/mqtt.jsonl"

/* Lines of the recording: all, those without packets, those whose packets were cut in the file. */
#define LINES      84
#define NO_PACKETS 3
#define CUT        4

static const uint8_t CONNECT_311[] = {0x10, 0x0d, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 1, 'c'};

typedef struct {
    mqtt_server_t mqtt;
    tb_session_t session;
    mqtt_out_t out;
    uint8_t out_buf[4096];
    char scratch[256 * 1024];
    char reply[4096];
    bool closed;
} server_t;

/* The attributes that the recorded device had. */
static bool read_attributes(void *ctx, tb_scope_t scope, const char *key, size_t key_len,
                            tb_attribute_fn each, void *each_ctx)
{
    static const struct {
        tb_scope_t scope;
        const char *key;
        tb_value_t value;
    } all[] = {
        {TB_CLIENT_SCOPE, "n", {.type = TB_LONG, .u.i = 1}},
        {TB_CLIENT_SCOPE, "model", {.type = TB_STRING, .text = "A1", .len = 2}},
        {TB_CLIENT_SCOPE, "a", {.type = TB_LONG, .u.i = 1}},
        {TB_SHARED_SCOPE, "period", {.type = TB_LONG, .u.i = 5}},
        {TB_SHARED_SCOPE, "s", {.type = TB_STRING, .text = "x", .len = 1}},
        {TB_SHARED_SCOPE, "on", {.type = TB_BOOL, .u.b = true}},
    };
    (void)ctx;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        bool named =
            key == NULL || (strlen(all[i].key) == key_len && memcmp(all[i].key, key, key_len) == 0);
        if (all[i].scope == scope && named &&
            !each(each_ctx, all[i].key, strlen(all[i].key), &all[i].value)) {
            return false;
        }
    }
    return true;
}

static void on_publish(server_t *s, const mqtt_publish_t *p)
{
    static const tb_store_t store = {.read_attributes = read_attributes};
    const tb_env_t env = {.store = &store,
                          .flags = TB_AS_THINGSBOARD,
                          .scratch = s->scratch,
                          .scratch_cap = sizeof s->scratch,
                          .out = s->reply,
                          .out_cap = sizeof s->reply};
    tb_reply_t reply;
    tb_answer_t answer = tb_device_publish(&s->session, &env, p->topic.text, p->topic.len,
                                           p->payload.text, p->payload.len, p->qos, &reply);
    bool acknowledge = answer == TB_ACK || answer == TB_IGNORE;
    if (p->id != 0) {
        assert_true(acknowledge ? mqtt_server_puback(&s->mqtt, p->id, reply.reason)
                                : mqtt_server_drop(&s->mqtt, p->id));
        assert_true(mqtt_server_flush(&s->mqtt, &s->out));
    }
    if (reply.present) {
        assert_true(mqtt_server_publish(&s->mqtt, mqtt_text(reply.topic),
                                        (mqtt_text_t){reply.payload, reply.len}, reply.qos, NULL,
                                        &s->out));
    }
    s->closed = answer == TB_CLOSE || answer == TB_FAILED;
}

static void on_subscribe(server_t *s, const mqtt_subscribe_t *subscribe, bool on)
{
    uint8_t codes[16], qos;
    size_t count = 0, position = 0;
    mqtt_text_t filter;
    while (mqtt_filter_next(subscribe, &position, &filter, &qos)) {
        assert_true(count < sizeof codes);
        if (on) {
            codes[count] = tb_session_subscribe(&s->session, filter.text, filter.len, qos);
        } else {
            tb_session_unsubscribe(&s->session, filter.text, filter.len);
        }
        count++;
    }
    assert_int_equal(count, subscribe->count);
    assert_true(on ? mqtt_server_suback(&s->mqtt, subscribe->id, codes, count, &s->out)
                   : mqtt_server_unsuback(&s->mqtt, subscribe->id, count, &s->out));
}

static void feed(server_t *s, const uint8_t *data, size_t len)
{
    for (size_t at = 0; !s->closed;) {
        mqtt_packet_t packet;
        size_t size;
        switch (mqtt_server_take(&s->mqtt, data + at, len - at, &packet, &size, &s->out)) {
        case MQTT_SERVER_MORE:
        case MQTT_SERVER_BLOCKED:
            return;
        case MQTT_SERVER_CLOSE:
        case MQTT_SERVER_DISCONNECT:
            s->closed = true;
            break;
        case MQTT_SERVER_CONNECT:
            assert_true(mqtt_server_connack(&s->mqtt, MQTT_ACCEPT, &s->out));
            break;
        case MQTT_SERVER_PUBLISH:
            on_publish(s, &packet.u.publish);
            break;
        case MQTT_SERVER_SUBSCRIBE:
        case MQTT_SERVER_UNSUBSCRIBE:
            on_subscribe(s, &packet.u.subscribe, packet.type == MQTT_SUBSCRIBE);
            break;
        default:
            break;
        }
        at += size;
    }
}

/* Objects with the same members in any order: ThingsBoard's order is that of a hash set. */
static bool same_json(json_token_t a, json_token_t b)
{
    if (a.type != JSON_OBJECT || b.type != JSON_OBJECT) {
        return a.type == b.type && a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
    }
    json_reader_t reader;
    json_token_t key, value, other;
    json_reader_init(&reader, a.text, a.len);
    json_next(&reader, &key);
    while (json_next(&reader, &key) == JSON_KEY) {
        char name[64];
        json_next(&reader, &value);
        if (!json_skip(&reader, &value, &value) || !json_string(&key, name, sizeof name, NULL) ||
            !json_find(b.text, b.len, name, &other) || !same_json(value, other)) {
            return false;
        }
    }
    return a.len == b.len;
}

static void same_payload(const char *name, const json_token_t *expected, mqtt_text_t got)
{
    char text[1024];
    size_t len;
    json_token_t a, b;
    assert_true(json_string(expected, text, sizeof text, &len));
    if (len == got.len && memcmp(text, got.text, len) == 0) {
        return;
    }
    if (!json_find(text, len, "", &a) || !json_find(got.text, got.len, "", &b) ||
        !same_json(a, b)) {
        fail_msg("%s: sent %.*s, recorded %s", name, (int)got.len, got.text, text);
    }
}

/* One recorded packet against the next of ours; returns the bytes of ours. */
static size_t same_packet(const char *name, const char *recorded, size_t len, const server_t *s,
                          size_t at)
{
    json_token_t token;
    mqtt_packet_t packet;
    size_t size;
    uint8_t raw[64];
    uint8_t level = s->mqtt.level;
    if (mqtt_decode(s->out.buf + at, s->out.len - at, level, 65536, &packet, &size) != MQTT_OK) {
        fail_msg("%s: recorded %.*s, nothing sent", name, (int)len, recorded);
    }
    if (json_find(recorded, len, "hex", &token)) {
        assert_true(token.len / 2 <= sizeof raw);
        assert_true(bytes_from_hex(token.text, token.len, raw, token.len / 2));
        assert_int_equal(size, token.len / 2);
        assert_memory_equal(s->out.buf + at, raw, size);
        return size;
    }
    int64_t qos = -1;
    assert_int_equal(packet.type, MQTT_PUBLISH);
    assert_true(json_find(recorded, len, "qos", &token) && json_i64(&token, &qos));
    assert_int_equal(packet.u.publish.qos, qos);
    assert_true(json_find(recorded, len, "topic", &token));
    assert_true(json_equals_n(&token, packet.u.publish.topic.text, packet.u.publish.topic.len));
    assert_true(json_find(recorded, len, "payload", &token));
    same_payload(name, &token, packet.u.publish.payload);
    return size;
}

/* Our JSON is strict, and a packet that contradicts itself is not waited for: closed on purpose. */
static bool closed_on_purpose(const char *name)
{
    static const char *const names[] = {"telemetry: NaN", "telemetry: bad UTF-8",
                                        "telemetry: single quotes", "truncated PUBLISH topic"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

typedef enum { PLAYED, WITHOUT_PACKETS, CUT_IN_THE_FILE } played_t;

/* One "steps" element. */
static played_t play_step(server_t *s, const char *name, const json_token_t *step)
{
    json_token_t token;
    uint8_t packet[2048];
    assert_true(json_find(step->text, step->len, "sent", &token));
    if (!bytes_from_hex(token.text, token.len, packet, token.len / 2)) {
        return CUT_IN_THE_FILE;
    }
    assert_true(token.len / 2 <= sizeof packet);
    feed(s, packet, token.len / 2);
    if (closed_on_purpose(name)) {
        assert_true(s->closed);
        assert_int_equal(s->out.len, 0);
        return PLAYED;
    }
    size_t at = 0;
    for (int i = 0;; i++) {
        char path[32];
        snprintf(path, sizeof path, "received.%d", i);
        if (!json_find(step->text, step->len, path, &token)) {
            break;
        }
        at += same_packet(name, token.text, token.len, s, at);
    }
    if (at != s->out.len) {
        fail_msg("%s: more was sent than recorded", name);
    }
    assert_true(json_find(step->text, step->len, "closed", &token));
    if (s->closed != (token.type == JSON_TRUE)) {
        fail_msg("%s: %s, recorded otherwise", name, s->closed ? "closed" : "not closed");
    }
    mqtt_out_sent(&s->out, s->out.len);
    return PLAYED;
}

static bool begins_unconnected(const char *name)
{
    return strncmp(name, "CONNECT ", 8) == 0 || strstr(name, "first") == name;
}

static played_t play_line(const char *line, size_t len, const char *name)
{
    static server_t s;
    json_token_t step;
    played_t result = WITHOUT_PACKETS;
    s = (server_t){.closed = false};
    mqtt_out_init(&s.out, s.out_buf, sizeof s.out_buf);
    mqtt_server_init(&s.mqtt, MQTT_SERVER_CLAIM_SESSION, MQTT_REMAINING_DEFAULT);
    if (!begins_unconnected(name)) {
        feed(&s, CONNECT_311, sizeof CONNECT_311);
        assert_int_equal(s.out.len, 4);
        mqtt_out_sent(&s.out, s.out.len);
    }
    for (int i = 0;; i++) {
        char path[32];
        snprintf(path, sizeof path, "steps.%d", i);
        if (s.closed || !json_find(line, len, path, &step)) {
            return result;
        }
        result = play_step(&s, name, &step);
        if (result != PLAYED) {
            return result;
        }
    }
}

static void answers_as_recorded(void **state)
{
    (void)state;
    FILE *file = fopen(RECORDED, "r");
    char *line = NULL;
    size_t cap = 0;
    int count[3] = {0};
    ssize_t n;
    assert_non_null(file);
    while ((n = getline(&line, &cap, file)) > 0) {
        char name[128];
        json_token_t token;
        assert_true(json_find(line, (size_t)n, "name", &token));
        assert_true(json_string(&token, name, sizeof name, NULL));
        count[play_line(line, (size_t)n, name)]++;
    }
    free(line);
    fclose(file);
    assert_int_equal(count[WITHOUT_PACKETS], NO_PACKETS);
    assert_int_equal(count[CUT_IN_THE_FILE], CUT);
    assert_int_equal(count[PLAYED], LINES - NO_PACKETS - CUT);
}

/* The four that the file shortens, rebuilt from their names. True when the connection closes. */
static bool long_message_closes(const char *head, char fill, size_t count, const char *tail,
                                bool acknowledged)
{
    static server_t s;
    static char payload[80000];
    static uint8_t packet[90000];
    size_t len = strlen(head);
    s = (server_t){.closed = false};
    mqtt_out_init(&s.out, s.out_buf, sizeof s.out_buf);
    mqtt_server_init(&s.mqtt, 0, MQTT_REMAINING_DEFAULT);
    feed(&s, CONNECT_311, sizeof CONNECT_311);
    mqtt_out_sent(&s.out, s.out.len);
    memcpy(payload, head, len);
    memset(payload + len, fill, count);
    len += count;
    memcpy(payload + len, tail, strlen(tail));
    len += strlen(tail);
    mqtt_out_t up;
    mqtt_out_init(&up, packet, sizeof packet);
    const mqtt_publish_t message = {.topic = mqtt_text("v1/devices/me/telemetry"),
                                    .payload = {payload, len},
                                    .qos = 1,
                                    .id = 10};
    assert_true(mqtt_put_publish(&up, 4, &message));
    feed(&s, up.buf, up.len);
    assert_int_equal(s.out.len, acknowledged ? 4 : 0);
    return s.closed;
}

static void long_messages_too(void **state)
{
    (void)state;
    char tail[202];
    memset(tail, ']', 200);
    memcpy(tail + 200, "}", 2);
    assert_false(long_message_closes("{\"a\":", '[', 200, tail, true));
    assert_false(long_message_closes("{\"a\":\"", 'x', 60000, "\"}", true));
    assert_false(long_message_closes("{\"a\":\"", 'x', 65000, "\"}", true));
    assert_true(long_message_closes("{\"a\":\"", 'x', 70000, "\"}", false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_as_recorded),
        cmocka_unit_test(long_messages_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

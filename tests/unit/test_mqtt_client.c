/* SPDX-License-Identifier: Apache-2.0 */
/* mqtt_client: states, the table of requests, time, and what a server must not send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "mqtt/mqtt_client.h"

typedef struct {
    mqtt_client_t c;
    uint8_t buf[2048], in[2048];
    mqtt_out_t out, down;
    mqtt_client_event_t event;
} rig_t;

static void rig_init(rig_t *r, uint16_t keep_alive_s)
{
    const mqtt_client_config_t config = {.client_id = "SN-1", .keep_alive_s = keep_alive_s};
    memset(r, 0, sizeof *r);
    mqtt_client_init(&r->c, &config);
    mqtt_out_init(&r->out, r->buf, sizeof r->buf);
    mqtt_out_init(&r->down, r->in, sizeof r->in);
}

static bool rig_take(rig_t *r)
{
    bool taken = mqtt_client_take(&r->c, r->down.buf, r->down.len, &r->event);
    mqtt_out_sent(&r->down, r->event.size);
    return taken;
}

static void rig_open(rig_t *r, uint16_t keep_alive_s)
{
    rig_init(r, keep_alive_s);
    assert_int_equal(mqtt_client_connect(&r->c, 0, &r->out), MQTT_CLIENT_OK);
    mqtt_put_connack(&r->down, 4, false, 0);
    assert_true(rig_take(r));
    assert_int_equal(r->event.type, MQTT_CLIENT_CONNECTED);
    r->out.len = 0;
}

static mqtt_client_result_t publish(rig_t *r, uint8_t qos, uintptr_t token, uint64_t now)
{
    return mqtt_client_publish(&r->c, mqtt_text("t"), mqtt_text("x"), qos, token, now, &r->out);
}

static void connect_is_written_as_configured(void **state)
{
    (void)state;
    rig_t r;
    const mqtt_client_config_t config = {
        .client_id = "c", .user = "u", .password = "p", .keep_alive_s = 258, .not_clean = true};
    rig_init(&r, 0);
    assert_int_equal(mqtt_client_connect(&r.c, 0, &r.out), MQTT_CLIENT_OK);
    assert_int_equal(r.out.len, 18);
    assert_memory_equal(r.buf, "\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04SN-1", 18);
    assert_int_equal(mqtt_client_connect(&r.c, 0, &r.out), MQTT_CLIENT_STATE);
    mqtt_client_init(&r.c, &config);
    r.out.len = 0;
    r.out.cap = 20;
    assert_int_equal(mqtt_client_connect(&r.c, 0, &r.out), MQTT_CLIENT_FULL);
    r.out.cap = 21;
    assert_int_equal(mqtt_client_connect(&r.c, 0, &r.out), MQTT_CLIENT_OK);
    assert_memory_equal(r.buf,
                        "\x10\x13\x00\x04MQTT\x04\xc0\x01\x02\x00\x01"
                        "c\x00\x01u\x00\x01p",
                        21);
    const mqtt_client_config_t bad[] = {{.client_id = "\xff"},
                                        {.client_id = "c", .user = "\xff"},
                                        {.client_id = "c", .password = "p"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mqtt_client_init(&r.c, &bad[i]);
        assert_int_equal(mqtt_client_connect(&r.c, 0, &r.out), MQTT_CLIENT_INVALID);
    }
}

static void nothing_goes_before_connack(void **state)
{
    (void)state;
    static const char *const filters[] = {"a"};
    rig_t r;
    rig_init(&r, 60);
    assert_int_equal(publish(&r, 0, 0, 0), MQTT_CLIENT_STATE);
    assert_int_equal(mqtt_client_connect(&r.c, 0, &r.out), MQTT_CLIENT_OK);
    assert_int_equal(publish(&r, 1, 0, 0), MQTT_CLIENT_STATE);
    assert_int_equal(mqtt_client_subscribe(&r.c, filters, 1, 1, 0, 0, &r.out), MQTT_CLIENT_STATE);
    assert_int_equal(mqtt_client_puback(&r.c, 1, 0, &r.out), MQTT_CLIENT_STATE);
    assert_false(mqtt_client_connected(&r.c));
    mqtt_put_pingresp(&r.down); /* nor comes anything */
    assert_true(rig_take(&r));
    assert_int_equal(r.event.type, MQTT_CLIENT_CLOSED);
    assert_int_equal(r.event.reason, MQTT_CLOSED_MALFORMED);
    assert_false(rig_take(&r));
}

static void bad_requests_use_nothing_up(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "b"};
    static const char *const empty[] = {"a", ""};
    static const char *const many[MQTT_CLIENT_FILTER_MAX + 1] = {"a", "a", "a", "a", "a",
                                                                 "a", "a", "a", "a"};
    rig_t r;
    rig_open(&r, 60);
    assert_int_equal(mqtt_client_publish(&r.c, mqtt_text(""), mqtt_text("x"), 1, 0, 0, &r.out),
                     MQTT_CLIENT_INVALID);
    assert_int_equal(mqtt_client_publish(&r.c, mqtt_text("a/#"), mqtt_text("x"), 0, 0, 0, &r.out),
                     MQTT_CLIENT_INVALID);
    assert_int_equal(publish(&r, 2, 0, 0), MQTT_CLIENT_INVALID);
    assert_int_equal(mqtt_client_subscribe(&r.c, good, 0, 1, 0, 0, &r.out), MQTT_CLIENT_INVALID);
    assert_int_equal(mqtt_client_subscribe(&r.c, good, 2, 2, 0, 0, &r.out), MQTT_CLIENT_INVALID);
    assert_int_equal(mqtt_client_subscribe(&r.c, empty, 2, 1, 0, 0, &r.out), MQTT_CLIENT_INVALID);
    assert_int_equal(mqtt_client_subscribe(&r.c, many, MQTT_CLIENT_FILTER_MAX + 1, 1, 0, 0, &r.out),
                     MQTT_CLIENT_INVALID);
    assert_int_equal(mqtt_client_puback(&r.c, 0, 0, &r.out), MQTT_CLIENT_INVALID);
    r.out.cap = 3;
    assert_int_equal(publish(&r, 1, 0, 0), MQTT_CLIENT_FULL);
    assert_int_equal(mqtt_client_subscribe(&r.c, good, 2, 1, 0, 0, &r.out), MQTT_CLIENT_FULL);
    assert_int_equal(mqtt_client_puback(&r.c, 1, 0, &r.out), MQTT_CLIENT_FULL);
    assert_int_equal(r.out.len, 0);
    assert_int_equal(mqtt_client_inflight(&r.c), 0);
}

static void the_table_is_bounded_and_ids_are_not_reused(void **state)
{
    (void)state;
    rig_t r;
    rig_open(&r, 0);
    for (uintptr_t i = 0; i < MQTT_CLIENT_INFLIGHT_MAX; i++) {
        r.out.len = 0;
        assert_int_equal(publish(&r, 1, 100 + i, 0), MQTT_CLIENT_OK);
    }
    r.out.len = 0;
    assert_int_equal(publish(&r, 1, 0, 0), MQTT_CLIENT_BUSY);
    assert_int_equal(publish(&r, 0, 0, 0), MQTT_CLIENT_OK); /* QoS 0 needs no entry */
    /* One message stays unanswered while the ids go round past it. */
    for (uint16_t id = 2; id <= MQTT_CLIENT_INFLIGHT_MAX; id++) {
        mqtt_put_ack(&r.down, 4, MQTT_PUBACK, id, 0);
        assert_true(rig_take(&r));
        assert_int_equal(r.event.type, MQTT_CLIENT_PUBACK);
        assert_int_equal(r.event.token, 100 + id - 1);
    }
    assert_int_equal(mqtt_client_inflight(&r.c), 1);
    uint16_t last = MQTT_CLIENT_INFLIGHT_MAX;
    for (uint32_t n = 0; n < 70000; n++) {
        r.out.len = 0;
        assert_int_equal(publish(&r, 1, n, 0), MQTT_CLIENT_OK);
        uint16_t id = (uint16_t)(r.buf[5] << 8 | r.buf[6]);
        assert_true(id > 1);
        assert_int_equal(id, last == UINT16_MAX ? 2 : last + 1);
        last = id;
        mqtt_put_ack(&r.down, 4, MQTT_PUBACK, id, 0);
        assert_true(rig_take(&r));
        assert_int_equal(r.event.token, n);
    }
}

static void answers_that_fit_nothing_are_passed_over(void **state)
{
    (void)state;
    static const char *const filters[] = {"a", "b"};
    static const uint8_t codes[] = {1, 0x80};
    rig_t r;
    rig_open(&r, 0);
    assert_int_equal(mqtt_client_subscribe(&r.c, filters, 2, 1, 5, 0, &r.out), MQTT_CLIENT_OK);
    assert_memory_equal(r.buf,
                        "\x82\x0a\x00\x01\x00\x01"
                        "a\x01\x00\x01"
                        "b\x01",
                        12);
    mqtt_put_ack(&r.down, 4, MQTT_PUBACK, 1, 0); /* the id of the SUBSCRIBE */
    mqtt_put_unsuback(&r.down, 4, 1, NULL, 0);
    mqtt_put_suback(&r.down, 4, 2, codes, 2);
    for (int i = 0; i < 3; i++) {
        assert_true(rig_take(&r));
        assert_int_equal(r.event.type, MQTT_CLIENT_NOTHING);
    }
    mqtt_put_suback(&r.down, 4, 1, codes, 2);
    assert_true(rig_take(&r));
    assert_int_equal(r.event.type, MQTT_CLIENT_SUBACK);
    assert_int_equal(r.event.count, 2);
    assert_int_equal(mqtt_client_unsubscribe(&r.c, filters, 1, 6, 0, &r.out), MQTT_CLIENT_OK);
    mqtt_put_unsuback(&r.down, 4, 2, NULL, 0);
    assert_true(rig_take(&r));
    assert_int_equal(r.event.type, MQTT_CLIENT_UNSUBACK);
    assert_int_equal(r.event.token, 6);
    assert_false(rig_take(&r));
    assert_int_equal(mqtt_client_needed(&r.c), 1);
}

static void what_a_server_must_not_send(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        mqtt_closed_t reason;
    } cases[] = {
        {"\x20\x02\x00\x00", 4, MQTT_CLOSED_MALFORMED},           /* CONNACK again  */
        {"\x34\x06\x00\x01t\x00\x01x", 8, MQTT_CLOSED_MALFORMED}, /* QoS 2     */
        {"\x82\x06\x00\x01\x00\x01t\x00", 8, MQTT_CLOSED_MALFORMED},
        {"\xc0\x00", 2, MQTT_CLOSED_MALFORMED},
        {"\xe0\x00", 2, MQTT_CLOSED_MALFORMED},
        {"\x50\x02\x00\x01", 4, MQTT_CLOSED_MALFORMED},
        {"\x36\x03\x00\x01t", 5, MQTT_CLOSED_MALFORMED},
        {"\x30\x81\x80\x04", 4, MQTT_CLOSED_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig_t r;
        rig_open(&r, 60);
        memcpy(r.in, cases[i].bytes, cases[i].len);
        r.down.len = cases[i].len;
        assert_true(rig_take(&r));
        assert_int_equal(r.event.type, MQTT_CLIENT_CLOSED);
        assert_int_equal(r.event.reason, cases[i].reason);
        assert_true(mqtt_client_deadline(&r.c) == MQTT_CLIENT_NO_DEADLINE);
        assert_int_equal(publish(&r, 0, 0, 0), MQTT_CLIENT_STATE);
        assert_false(mqtt_client_tick(&r.c, 1000000, &r.event, &r.out));
    }
}

static void time_passes(void **state)
{
    (void)state;
    rig_t r;
    rig_init(&r, 30);
    assert_true(mqtt_client_deadline(&r.c) == MQTT_CLIENT_NO_DEADLINE);
    mqtt_client_connect(&r.c, 5, &r.out);
    assert_false(mqtt_client_tick(&r.c, 10004, &r.event, &r.out));
    assert_true(mqtt_client_tick(&r.c, 10005, &r.event, &r.out));
    assert_int_equal(r.event.reason, MQTT_CLOSED_CONNACK_TIMEOUT);

    rig_open(&r, 30); /* a packet sent puts the ping off; one received does not */
    assert_int_equal(mqtt_client_deadline(&r.c), 30000);
    assert_int_equal(publish(&r, 0, 0, 20000), MQTT_CLIENT_OK);
    assert_int_equal(mqtt_client_deadline(&r.c), 50000);
    r.out.len = 0;
    assert_false(mqtt_client_tick(&r.c, 49999, &r.event, &r.out));
    assert_int_equal(r.out.len, 0);
    assert_false(mqtt_client_tick(&r.c, 50000, &r.event, &r.out));
    assert_int_equal(r.out.len, 2);
    assert_int_equal(mqtt_client_deadline(&r.c), 60000);
    assert_false(mqtt_client_tick(&r.c, 59999, &r.event, &r.out));
    assert_int_equal(r.out.len, 2); /* not a second one */
    assert_true(mqtt_client_tick(&r.c, 60000, &r.event, &r.out));
    assert_int_equal(r.event.reason, MQTT_CLOSED_PING_TIMEOUT);

    rig_open(&r, 0); /* without keep-alive only requests count */
    assert_true(mqtt_client_deadline(&r.c) == MQTT_CLIENT_NO_DEADLINE);
    assert_int_equal(publish(&r, 1, 1, 1000), MQTT_CLIENT_OK);
    assert_int_equal(publish(&r, 1, 2, 2000), MQTT_CLIENT_OK);
    assert_int_equal(mqtt_client_deadline(&r.c), 31000);
    mqtt_put_ack(&r.down, 4, MQTT_PUBACK, 1, 0);
    assert_true(rig_take(&r));
    assert_int_equal(mqtt_client_deadline(&r.c), 32000);
    assert_false(mqtt_client_tick(&r.c, 31999, &r.event, &r.out));
    assert_true(mqtt_client_tick(&r.c, 32000, &r.event, &r.out));
    assert_int_equal(r.event.type, MQTT_CLIENT_CLOSED);
    assert_int_equal(r.event.reason, MQTT_CLOSED_ACK_TIMEOUT);
}

static void good_bye(void **state)
{
    (void)state;
    rig_t r;
    rig_open(&r, 60);
    mqtt_client_disconnect(&r.c, 0, &r.out);
    assert_int_equal(r.out.len, 2);
    assert_memory_equal(r.buf, "\xe0\x00", 2);
    mqtt_client_disconnect(&r.c, 0, &r.out);
    assert_int_equal(r.out.len, 2);
    assert_true(mqtt_client_deadline(&r.c) == MQTT_CLIENT_NO_DEADLINE);
    mqtt_put_pingresp(&r.down);
    assert_false(rig_take(&r));
    rig_init(&r, 60);
    mqtt_client_disconnect(&r.c, 0, &r.out);
    assert_int_equal(r.out.len, 0);
    for (int reason = MQTT_CLOSED_NOT; reason <= MQTT_CLOSED_BY_US; reason++) {
        assert_true(strlen(mqtt_closed_text((mqtt_closed_t)reason)) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connect_is_written_as_configured),
        cmocka_unit_test(nothing_goes_before_connack),
        cmocka_unit_test(bad_requests_use_nothing_up),
        cmocka_unit_test(the_table_is_bounded_and_ids_are_not_reused),
        cmocka_unit_test(answers_that_fit_nothing_are_passed_over),
        cmocka_unit_test(what_a_server_must_not_send),
        cmocka_unit_test(time_passes),
        cmocka_unit_test(good_bye),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

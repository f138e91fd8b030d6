/* SPDX-License-Identifier: Apache-2.0 */
/* mqtt_server: what may come when, what blocks, what each flag changes, and MQTT 5's answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mqtt/mqtt_server.h"

typedef struct {
    mqtt_server_t s;
    uint8_t in[1024], buf[1024];
    mqtt_out_t up, out;
    mqtt_packet_t packet;
    size_t size;
} rig_t;

static void rig_init(rig_t *r, unsigned flags)
{
    memset(r, 0, sizeof *r);
    mqtt_server_init(&r->s, flags, MQTT_REMAINING_DEFAULT);
    mqtt_out_init(&r->up, r->in, sizeof r->in);
    mqtt_out_init(&r->out, r->buf, sizeof r->buf);
}

/* Takes the one packet that waits in `up`; it leaves `up` if it was taken. */
static mqtt_server_event_t rig_take(rig_t *r)
{
    mqtt_server_event_t event =
        mqtt_server_take(&r->s, r->up.buf, r->up.len, &r->packet, &r->size, &r->out);
    if (event != MQTT_SERVER_MORE) {
        mqtt_out_sent(&r->up, r->size);
    }
    return event;
}

static void put_connect(rig_t *r, uint8_t level, bool clean, uint16_t receive_max, uint32_t max)
{
    const mqtt_connect_t c = {.level = level,
                              .clean = clean,
                              .keep_alive_s = 60,
                              .client_id = mqtt_text("c"),
                              .receive_max = receive_max,
                              .max_packet = max};
    assert_true(mqtt_put_connect(&r->up, &c));
}

static void rig_open(rig_t *r, unsigned flags, uint8_t level)
{
    rig_init(r, flags);
    put_connect(r, level, true, 65535, 0);
    assert_int_equal(rig_take(r), MQTT_SERVER_CONNECT);
    assert_true(mqtt_server_connack(&r->s, MQTT_ACCEPT, &r->out));
    mqtt_out_sent(&r->out, r->out.len);
}

static void put_publish(rig_t *r, uint8_t qos, uint16_t id)
{
    const mqtt_publish_t p = {
        .topic = mqtt_text("t"), .payload = mqtt_text("x"), .qos = qos, .id = id};
    assert_true(mqtt_put_publish(&r->up, r->s.level, &p));
}

static void expect_out(rig_t *r, const char *bytes, size_t len)
{
    assert_int_equal(r->out.len, len);
    assert_memory_equal(r->buf, bytes, len);
    mqtt_out_sent(&r->out, len);
}

static void nothing_is_served_before_connect_is_answered(void **state)
{
    (void)state;
    rig_t r;
    rig_init(&r, 0);
    assert_int_equal(rig_take(&r), MQTT_SERVER_MORE);
    assert_int_equal(r.size, 1);
    put_connect(&r, 4, true, 65535, 0);
    put_publish(&r, 1, 5);
    assert_int_equal(rig_take(&r), MQTT_SERVER_CONNECT);
    assert_int_equal(r.s.keep_alive_s, 60);
    assert_int_equal(mqtt_server_silence_ms(&r.s), 90000);
    assert_false(mqtt_server_connected(&r.s));
    assert_int_equal(rig_take(&r), MQTT_SERVER_BLOCKED);
    assert_int_equal(r.size, 0);
    assert_false(mqtt_server_publish(&r.s, mqtt_text("t"), mqtt_text("x"), 0, NULL, &r.out));
    mqtt_out_t tiny = {.buf = r.buf, .cap = 3, .len = 0};
    assert_false(mqtt_server_connack(&r.s, MQTT_ACCEPT, &tiny));
    assert_true(mqtt_server_connack(&r.s, MQTT_ACCEPT, &r.out));
    assert_false(mqtt_server_connack(&r.s, MQTT_ACCEPT, &r.out));
    assert_true(mqtt_server_connected(&r.s));
    expect_out(&r, "\x20\x02\x00\x00", 4);
    assert_int_equal(rig_take(&r), MQTT_SERVER_PUBLISH);
    assert_int_equal(r.packet.u.publish.id, 5);
}

static void refusals_in_both_languages(void **state)
{
    (void)state;
    static const uint8_t v3[] = {5, 5, 2, 3, 3};
    static const uint8_t v5[] = {0x87, 0x86, 0x85, 0x88, 0x9f};
    for (int answer = MQTT_REFUSE_NOT_AUTHORIZED; answer <= MQTT_REFUSE_RATE; answer++) {
        for (uint8_t level = 3; level <= 5; level++) {
            rig_t r;
            rig_init(&r, MQTT_SERVER_CLAIM_SESSION);
            put_connect(&r, level, false, 65535, 0);
            assert_int_equal(rig_take(&r), MQTT_SERVER_CONNECT);
            assert_true(mqtt_server_connack(&r.s, (mqtt_answer_t)answer, &r.out));
            assert_int_equal(r.out.len, level == 5 ? 5 : 4);
            assert_int_equal(r.buf[2], 0); /* a refusal never claims a session */
            assert_int_equal(r.buf[3], level == 5 ? v5[answer - 1] : v3[answer - 1]);
            put_publish(&r, 0, 0);
            assert_int_equal(rig_take(&r), MQTT_SERVER_CLOSE);
            assert_string_equal(mqtt_server_why(&r.s), "CONNECT was refused");
        }
    }
}

static void the_flags(void **state)
{
    (void)state;
    static const uint8_t nothing[] = {0x82, 2, 0, 1};
    rig_t r;
    rig_init(&r, 0); /* before CONNECT: passed over, and CONNECT still works */
    put_publish(&r, 1, 5);
    assert_int_equal(rig_take(&r), MQTT_SERVER_IGNORED);
    assert_int_equal(r.out.len, 0);
    put_connect(&r, 4, false, 65535, 0);
    assert_int_equal(rig_take(&r), MQTT_SERVER_CONNECT);
    assert_true(mqtt_server_connack(&r.s, MQTT_ACCEPT, &r.out));
    expect_out(&r, "\x20\x02\x00\x00", 4);
    rig_init(&r, MQTT_SERVER_CONNECT_FIRST);
    put_publish(&r, 1, 5);
    assert_int_equal(rig_take(&r), MQTT_SERVER_CLOSE);

    rig_open(&r, 0, 4);
    put_connect(&r, 4, false, 65535, 0);
    assert_int_equal(rig_take(&r), MQTT_SERVER_IGNORED);
    expect_out(&r, "\x20\x02\x00\x00", 4);
    rig_open(&r, MQTT_SERVER_CLAIM_SESSION, 5);
    put_connect(&r, 5, false, 65535, 0);
    assert_int_equal(rig_take(&r), MQTT_SERVER_IGNORED);
    expect_out(&r, "\x20\x03\x01\x00\x00", 5);
    rig_open(&r, MQTT_SERVER_CONNECT_ONCE, 5);
    put_connect(&r, 5, true, 65535, 0);
    assert_int_equal(rig_take(&r), MQTT_SERVER_CLOSE);
    expect_out(&r, "\xe0\x01\x82", 3);

    for (unsigned flags = 0; flags <= MQTT_SERVER_SOME_FILTER; flags += MQTT_SERVER_SOME_FILTER) {
        rig_open(&r, flags, 4);
        memcpy(r.in, nothing, sizeof nothing);
        r.up.len = sizeof nothing;
        assert_int_equal(rig_take(&r), flags ? MQTT_SERVER_CLOSE : MQTT_SERVER_SUBSCRIBE);
    }
}

static void a_full_ring_blocks_until_it_is_flushed(void **state)
{
    (void)state;
    rig_t r;
    rig_open(&r, 0, 4);
    for (uint16_t id = 1; id <= MQTT_SERVER_INFLIGHT_MAX; id++) {
        put_publish(&r, 1 + id % 2, id);
        assert_int_equal(rig_take(&r), MQTT_SERVER_PUBLISH);
    }
    assert_int_equal(mqtt_server_waiting(&r.s), MQTT_SERVER_INFLIGHT_MAX);
    put_publish(&r, 1, 500);
    assert_int_equal(rig_take(&r), MQTT_SERVER_BLOCKED);
    assert_false(mqtt_server_puback(&r.s, 500, 0));
    /* Answered backwards, written forwards, as far as there is room. */
    for (uint16_t id = MQTT_SERVER_INFLIGHT_MAX; id >= 1; id--) {
        assert_true(mqtt_server_flush(&r.s, &r.out));
        assert_int_equal(r.out.len, 0);
        assert_true(mqtt_server_puback(&r.s, id, 0));
        assert_false(mqtt_server_puback(&r.s, id, 0));
    }
    mqtt_out_t tiny = {.buf = r.buf, .cap = 7, .len = 0};
    assert_false(mqtt_server_flush(&r.s, &tiny));
    assert_int_equal(tiny.len, 4);
    assert_memory_equal(r.buf, "\x40\x02\x00\x01", 4);
    assert_true(mqtt_server_flush(&r.s, &r.out));
    assert_int_equal(r.out.len, 4 * (MQTT_SERVER_INFLIGHT_MAX - 1));
    for (uint16_t id = 2; id <= MQTT_SERVER_INFLIGHT_MAX; id++) {
        assert_int_equal(r.buf[4 * (id - 2) + 3], id);
    }
    assert_int_equal(rig_take(&r), MQTT_SERVER_PUBLISH);
}

/* The same id sent twice gets two answers; a dropped one none; the ring goes round. */
static void the_ring_goes_round(void **state)
{
    (void)state;
    rig_t r;
    rig_open(&r, 0, 5);
    for (uint16_t i = 0; i < 3 * MQTT_SERVER_INFLIGHT_MAX; i++) {
        put_publish(&r, 1, 7);
        put_publish(&r, 1, 7);
        put_publish(&r, 1, 8);
        for (int n = 0; n < 3; n++) {
            assert_int_equal(rig_take(&r), MQTT_SERVER_PUBLISH);
        }
        assert_true(mqtt_server_drop(&r.s, 8));
        assert_true(mqtt_server_puback(&r.s, 7, MQTT_REASON_BAD_PAYLOAD));
        assert_true(mqtt_server_puback(&r.s, 7, 0));
        assert_true(mqtt_server_flush(&r.s, &r.out));
        expect_out(&r, "\x40\x03\x00\x07\x99\x40\x02\x00\x07", 9);
        assert_int_equal(mqtt_server_waiting(&r.s), 0);
    }
}

static void small_answers_wait_for_room(void **state)
{
    (void)state;
    rig_t r;
    rig_open(&r, 0, 4);
    mqtt_put_pingreq(&r.up);
    r.out.cap = 1;
    assert_int_equal(rig_take(&r), MQTT_SERVER_BLOCKED);
    r.out.cap = 2;
    assert_int_equal(rig_take(&r), MQTT_SERVER_PING);
    expect_out(&r, "\xd0\x00", 2);
    r.out.cap = 4;
    put_connect(&r, 4, true, 65535, 0);
    assert_int_equal(rig_take(&r), MQTT_SERVER_BLOCKED);
    r.out.cap = 5;
    assert_int_equal(rig_take(&r), MQTT_SERVER_IGNORED);
}

static void subscriptions_in_both_languages(void **state)
{
    (void)state;
    static const uint8_t codes[] = {1, MQTT_SUBACK_REFUSED, 0};
    rig_t r;
    rig_open(&r, 0, 4);
    assert_true(mqtt_server_suback(&r.s, 1, codes, 3, &r.out));
    expect_out(&r, "\x90\x05\x00\x01\x01\x80\x00", 7);
    assert_true(mqtt_server_unsuback(&r.s, 2, 3, &r.out));
    expect_out(&r, "\xb0\x02\x00\x02", 4);
    rig_open(&r, 0, 5);
    assert_true(mqtt_server_suback(&r.s, 1, codes, 3, &r.out));
    expect_out(&r, "\x90\x06\x00\x01\x00\x01\x8f\x00", 8);
    assert_true(mqtt_server_unsuback(&r.s, 2, 2, &r.out));
    expect_out(&r, "\xb0\x05\x00\x02\x00\x00\x00", 7);
    r.out.cap = 7;
    assert_false(mqtt_server_suback(&r.s, 1, codes, 3, &r.out));
    assert_int_equal(r.out.len, 0);
}

static void messages_down(void **state)
{
    (void)state;
    rig_t r;
    uint16_t id = 99;
    rig_open(&r, 0, 4);
    assert_true(mqtt_server_publish(&r.s, mqtt_text("t"), mqtt_text("x"), 0, &id, &r.out));
    assert_int_equal(id, 0);
    expect_out(&r, "\x30\x04\x00\x01tx", 6);
    assert_false(mqtt_server_publish(&r.s, mqtt_text("+"), mqtt_text("x"), 1, &id, &r.out));
    assert_false(mqtt_server_publish(&r.s, mqtt_text("t"), mqtt_text("x"), 2, &id, &r.out));
    r.out.cap = 7;
    assert_false(mqtt_server_publish(&r.s, mqtt_text("t"), mqtt_text("x"), 1, &id, &r.out));
    r.out.cap = sizeof r.buf;
    assert_true(mqtt_server_publish(&r.s, mqtt_text("t"), mqtt_text("x"), 1, &id, &r.out));
    assert_int_equal(id, 1); /* the failures used none */
    expect_out(&r, "\x32\x06\x00\x01t\x00\x01x", 8);
    for (uint32_t n = 2; n <= 65535; n++) { /* and round, past 0 */
        assert_true(mqtt_server_publish(&r.s, mqtt_text("t"), mqtt_text("x"), 1, &id, &r.out));
        assert_int_equal(id, n);
        r.out.len = 0;
        if (n > 2) {
            mqtt_put_ack(&r.up, 4, MQTT_PUBACK, (uint16_t)n, 0);
            assert_int_equal(rig_take(&r), MQTT_SERVER_PUBACK);
        }
    }
    assert_true(mqtt_server_publish(&r.s, mqtt_text("t"), mqtt_text("x"), 1, &id, &r.out));
    assert_int_equal(id, 1);
}

static void limits_of_a_client_of_5_0(void **state)
{
    (void)state;
    rig_t r;
    uint16_t id;
    rig_init(&r, 0);
    put_connect(&r, 5, true, 2, 10);
    assert_int_equal(rig_take(&r), MQTT_SERVER_CONNECT);
    assert_int_equal(r.s.max_packet, 10);
    assert_true(mqtt_server_connack(&r.s, MQTT_ACCEPT, &r.out));
    assert_true(mqtt_server_publish(&r.s, mqtt_text("t"), mqtt_text("xy"), 1, &id, &r.out));
    assert_false(mqtt_server_publish(&r.s, mqtt_text("t"), mqtt_text("xyz"), 1, &id, &r.out));
    assert_true(mqtt_server_publish(&r.s, mqtt_text("t"), mqtt_text("xy"), 1, &id, &r.out));
    assert_int_equal(id, 2);
    assert_false(mqtt_server_publish(&r.s, mqtt_text("t"), mqtt_text("xy"), 1, &id, &r.out));
    assert_true(mqtt_server_publish(&r.s, mqtt_text("t"), mqtt_text("xy"), 0, &id, &r.out));
    mqtt_put_ack(&r.up, 5, MQTT_PUBACK, 1, 0);
    assert_int_equal(rig_take(&r), MQTT_SERVER_PUBACK);
    assert_int_equal(r.packet.u.ack.id, 1);
    assert_true(mqtt_server_publish(&r.s, mqtt_text("t"), mqtt_text("xy"), 1, &id, &r.out));
    assert_int_equal(id, 3);
}

static void the_end_in_both_languages(void **state)
{
    (void)state;
    rig_t r;
    rig_open(&r, 0, 5); /* malformed */
    memcpy(r.in, "\x36\x03\x00\x01t", 5);
    r.up.len = 5;
    assert_int_equal(rig_take(&r), MQTT_SERVER_CLOSE);
    expect_out(&r, "\xe0\x01\x81", 3);
    assert_false(mqtt_server_connected(&r.s));
    assert_string_equal(mqtt_server_why(&r.s), "the client sent a malformed packet");
    assert_int_equal(rig_take(&r), MQTT_SERVER_CLOSE); /* once is enough */
    assert_int_equal(r.out.len, 0);

    rig_open(&r, 0, 4); /* too large, known from the header */
    memcpy(r.in, "\x30\x81\x80\x04", 4);
    r.up.len = 4;
    assert_int_equal(rig_take(&r), MQTT_SERVER_CLOSE);
    assert_int_equal(r.out.len, 0);
    assert_string_equal(mqtt_server_why(&r.s), "the client sent a packet over the size limit");

    rig_open(&r, 0, 5); /* from our side; a PUBACK that is due is not written any more */
    put_publish(&r, 1, 9);
    assert_int_equal(rig_take(&r), MQTT_SERVER_PUBLISH);
    assert_true(mqtt_server_puback(&r.s, 9, 0));
    mqtt_server_disconnect(&r.s, MQTT_REASON_TAKEN_OVER, &r.out);
    expect_out(&r, "\xe0\x01\x8e", 3);
    assert_true(mqtt_server_flush(&r.s, &r.out));
    mqtt_server_disconnect(&r.s, MQTT_REASON_TAKEN_OVER, &r.out);
    assert_int_equal(r.out.len, 0);
    rig_open(&r, 0, 4);
    mqtt_server_disconnect(&r.s, MQTT_REASON_TAKEN_OVER, &r.out);
    assert_int_equal(r.out.len, 0);

    rig_open(&r, 0, 4); /* good-bye */
    mqtt_put_disconnect(&r.up, 4, 0);
    assert_int_equal(rig_take(&r), MQTT_SERVER_DISCONNECT);
    assert_string_equal(mqtt_server_why(&r.s), "the client disconnected");
}

static void packets_of_a_server_are_passed_over(void **state)
{
    (void)state;
    rig_t r;
    rig_open(&r, 0, 4);
    mqtt_put_pingresp(&r.up);
    mqtt_put_connack(&r.up, 4, false, 0);
    mqtt_put_ack(&r.up, 4, MQTT_PUBREL, 1, 0);
    mqtt_put_unsuback(&r.up, 4, 1, NULL, 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(rig_take(&r), MQTT_SERVER_IGNORED);
    }
    assert_int_equal(rig_take(&r), MQTT_SERVER_MORE);
    assert_int_equal(r.out.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_served_before_connect_is_answered),
        cmocka_unit_test(refusals_in_both_languages),
        cmocka_unit_test(the_flags),
        cmocka_unit_test(a_full_ring_blocks_until_it_is_flushed),
        cmocka_unit_test(the_ring_goes_round),
        cmocka_unit_test(small_answers_wait_for_room),
        cmocka_unit_test(subscriptions_in_both_languages),
        cmocka_unit_test(messages_down),
        cmocka_unit_test(limits_of_a_client_of_5_0),
        cmocka_unit_test(the_end_in_both_languages),
        cmocka_unit_test(packets_of_a_server_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* mqtt_codec: every packet there and back at every level, every capacity, every truncation, every
   bit turned; what is refused; the properties of 5.0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "mqtt/mqtt_codec.h"

#define MAX 65536u

/* Writes sample `n` at `level`. Returns false when there is no such sample. */
static bool put_sample(int n, uint8_t level, mqtt_out_t *out, bool *fits)
{
    bool v5 = level == MQTT_LEVEL_5;
    mqtt_connect_t connect = {.level = level,
                              .clean = true,
                              .keep_alive_s = 60,
                              .client_id = mqtt_text("SN-1"),
                              .receive_max = 65535};
    const mqtt_text_t filters[] = {mqtt_text("a/+"), mqtt_text("#")};
    static const uint8_t qos[] = {1, 0}, codes[] = {1, 0x80};
    mqtt_publish_t publish = {.topic = mqtt_text("v2/t"), .payload = mqtt_text("{\"a\":1}")};
    switch (n) {
    case 0:
        *fits = mqtt_put_connect(out, &connect);
        return true;
    case 1:
        connect.clean = false;
        connect.has_will = connect.has_user = connect.has_password = true;
        connect.will_qos = 1;
        connect.will_retain = true;
        connect.will_topic = mqtt_text("w");
        connect.will_payload = (mqtt_text_t){"\0\xff", 2};
        connect.user = mqtt_text("u\xc3\xa9");
        connect.password = (mqtt_text_t){"p\0", 2};
        connect.session_expiry_s = v5 ? 3600 : 0;
        connect.receive_max = v5 ? 20 : 65535;
        connect.max_packet = v5 ? 1000 : 0;
        *fits = mqtt_put_connect(out, &connect);
        return true;
    case 2:
        *fits = mqtt_put_connack(out, level, true, v5 ? MQTT_REASON_NOT_AUTHORIZED : 5);
        return true;
    case 3:
        *fits = mqtt_put_publish(out, level, &publish);
        return true;
    case 4:
        publish.qos = 1;
        publish.id = 0xfffe;
        publish.dup = publish.retain = true;
        *fits = mqtt_put_publish(out, level, &publish);
        return true;
    case 5:
        publish.qos = 2;
        publish.id = 1;
        publish.payload.len = 0;
        *fits = mqtt_put_publish(out, level, &publish);
        return true;
    case 6:
    case 7:
    case 8:
    case 9:
        *fits = mqtt_put_ack(out, level, (mqtt_type_t)(MQTT_PUBACK + n - 6), 7,
                             n == 6 ? MQTT_REASON_BAD_PAYLOAD : 0);
        return true;
    case 10:
        *fits = mqtt_put_subscribe(out, level, 9, filters, qos, 2);
        return true;
    case 11:
        *fits = mqtt_put_suback(out, level, 9, codes, 2);
        return true;
    case 12:
        *fits = mqtt_put_unsubscribe(out, level, 10, filters, 2);
        return true;
    case 13:
        *fits = mqtt_put_unsuback(out, level, 10, NULL, 2);
        return true;
    case 14:
        *fits = mqtt_put_pingreq(out);
        return true;
    case 15:
        *fits = mqtt_put_pingresp(out);
        return true;
    case 16:
        *fits = mqtt_put_disconnect(out, level, MQTT_REASON_TAKEN_OVER);
        return true;
    default:
        return false;
    }
}

#define SAMPLES 17

static mqtt_packet_t sample(int n, uint8_t level, uint8_t buf[256], size_t *len)
{
    mqtt_out_t out;
    mqtt_packet_t packet;
    size_t size;
    bool fits;
    mqtt_out_init(&out, buf, 256);
    assert_true(put_sample(n, level, &out, &fits));
    assert_true(fits);
    assert_int_equal(mqtt_decode(buf, out.len, level, MAX, &packet, &size), MQTT_OK);
    assert_int_equal(size, out.len);
    *len = out.len;
    return packet;
}

static void connect_there_and_back(void **state)
{
    (void)state;
    for (uint8_t level = 3; level <= 5; level++) {
        uint8_t buf[256];
        size_t len;
        mqtt_connect_t c = sample(0, level, buf, &len).u.connect;
        assert_int_equal(c.level, level);
        assert_true(c.clean && !c.has_will && !c.has_user && !c.has_password);
        assert_int_equal(c.keep_alive_s, 60);
        assert_true(mqtt_text_equals(c.client_id, "SN-1"));
        assert_int_equal(c.receive_max, 65535);
        assert_int_equal(c.max_packet, 0);
        c = sample(1, level, buf, &len).u.connect;
        assert_true(!c.clean && c.has_will && c.has_user && c.has_password && c.will_retain);
        assert_int_equal(c.will_qos, 1);
        assert_true(mqtt_text_equals(c.will_topic, "w"));
        assert_int_equal(c.will_payload.len, 2);
        assert_memory_equal(c.will_payload.text, "\0\xff", 2);
        assert_true(mqtt_text_equals(c.user, "u\xc3\xa9"));
        assert_int_equal(c.password.len, 2);
        assert_int_equal(c.session_expiry_s, level == 5 ? 3600 : 0);
        assert_int_equal(c.receive_max, level == 5 ? 20 : 65535);
        assert_int_equal(c.max_packet, level == 5 ? 1000 : 0);
    }
}

static void publish_there_and_back(void **state)
{
    (void)state;
    for (uint8_t level = 3; level <= 5; level++) {
        uint8_t buf[256];
        size_t len;
        mqtt_publish_t p = sample(3, level, buf, &len).u.publish;
        assert_int_equal(len, mqtt_publish_size(level, &p));
        assert_true(mqtt_text_equals(p.topic, "v2/t") && mqtt_text_equals(p.payload, "{\"a\":1}"));
        assert_true(p.qos == 0 && p.id == 0 && !p.dup && !p.retain);
        p = sample(4, level, buf, &len).u.publish;
        assert_int_equal(len, mqtt_publish_size(level, &p));
        assert_true(p.qos == 1 && p.id == 0xfffe && p.dup && p.retain);
        p = sample(5, level, buf, &len).u.publish;
        assert_true(p.qos == 2 && p.id == 1 && p.payload.len == 0);
    }
}

static void the_rest_there_and_back(void **state)
{
    (void)state;
    static const mqtt_type_t types[SAMPLES] = {
        MQTT_CONNECT,     MQTT_CONNECT,  MQTT_CONNACK, MQTT_PUBLISH,  MQTT_PUBLISH,   MQTT_PUBLISH,
        MQTT_PUBACK,      MQTT_PUBREC,   MQTT_PUBREL,  MQTT_PUBCOMP,  MQTT_SUBSCRIBE, MQTT_SUBACK,
        MQTT_UNSUBSCRIBE, MQTT_UNSUBACK, MQTT_PINGREQ, MQTT_PINGRESP, MQTT_DISCONNECT};
    for (uint8_t level = 3; level <= 5; level++) {
        for (int n = 0; n < SAMPLES; n++) {
            uint8_t buf[256];
            size_t len, at = 0;
            mqtt_text_t filter;
            uint8_t qos;
            mqtt_packet_t p = sample(n, level, buf, &len);
            assert_int_equal(p.type, types[n]);
            if (n == 2) {
                assert_true(p.u.connack.session_present);
                assert_int_equal(p.u.connack.code, level == 5 ? 0x87 : 5);
            } else if (n >= 6 && n <= 9) {
                assert_int_equal(p.u.ack.id, 7);
                assert_int_equal(p.u.ack.reason, level == 5 && n == 6 ? 0x99 : 0);
            } else if (n == 10 || n == 12) {
                assert_int_equal(p.u.subscribe.count, 2);
                assert_true(mqtt_filter_next(&p.u.subscribe, &at, &filter, &qos));
                assert_true(mqtt_text_equals(filter, "a/+"));
                assert_int_equal(qos, n == 10 ? 1 : 0);
                assert_true(mqtt_filter_next(&p.u.subscribe, &at, &filter, NULL));
                assert_true(mqtt_text_equals(filter, "#"));
                assert_false(mqtt_filter_next(&p.u.subscribe, &at, &filter, &qos));
            } else if (n == 11) {
                assert_int_equal(p.u.suback.id, 9);
                assert_int_equal(p.u.suback.count, 2);
                assert_memory_equal(p.u.suback.codes, "\x01\x80", 2);
            } else if (n == 13) {
                assert_int_equal(p.u.ack.id, 10);
                assert_int_equal(p.u.ack.code_count, level == 5 ? 2 : 0);
            } else if (n == 16) {
                assert_int_equal(p.u.reason, level == 5 ? 0x8e : 0);
            }
        }
    }
}

static void encoders_keep_to_every_capacity(void **state)
{
    (void)state;
    for (uint8_t level = 3; level <= 5; level++) {
        for (int n = 0; n < SAMPLES; n++) {
            uint8_t whole[256];
            size_t len;
            sample(n, level, whole, &len);
            for (size_t cap = 0; cap <= len; cap++) {
                uint8_t *exact = malloc(cap + 1);
                mqtt_out_t out;
                bool fits;
                exact[cap] = 0x5a;
                mqtt_out_init(&out, exact, cap);
                put_sample(n, level, &out, &fits);
                assert_int_equal(fits, cap == len);
                assert_int_equal(out.len, fits ? len : 0);
                assert_int_equal(exact[cap], 0x5a);
                free(exact);
            }
        }
    }
}

/* Cut anywhere: more is needed, and how much is told as soon as the header is there. Cut with the
   length made to fit: whatever comes of it, not a byte outside is read (ASan watches). */
static void every_truncation(void **state)
{
    (void)state;
    for (uint8_t level = 3; level <= 5; level++) {
        for (int n = 0; n < SAMPLES; n++) {
            uint8_t whole[256];
            size_t len, size;
            mqtt_packet_t packet;
            sample(n, level, whole, &len);
            for (size_t cut = 0; cut < len; cut++) {
                uint8_t *exact = malloc(cut + 1);
                memcpy(exact, whole, cut);
                assert_int_equal(mqtt_decode(exact, cut, level, MAX, &packet, &size),
                                 MQTT_NEED_MORE);
                assert_int_equal(size, cut < 2 ? cut + 1 : len);
                free(exact);
                if (cut < 2) {
                    continue;
                }
                exact = malloc(cut);
                memcpy(exact, whole, cut);
                exact[1] = (uint8_t)(cut - 2);
                mqtt_result_t result = mqtt_decode(exact, cut, level, MAX, &packet, &size);
                assert_true(result == MQTT_OK || result == MQTT_MALFORMED ||
                            result == MQTT_UNSUPPORTED);
                free(exact);
            }
        }
    }
}

static void every_bit_turned(void **state)
{
    (void)state;
    for (uint8_t level = 3; level <= 5; level++) {
        for (int n = 0; n < SAMPLES; n++) {
            uint8_t whole[256];
            size_t len, size;
            mqtt_packet_t packet;
            sample(n, level, whole, &len);
            for (size_t bit = 0; bit < 8 * len; bit++) {
                uint8_t *exact = malloc(len);
                memcpy(exact, whole, len);
                exact[bit / 8] ^= (uint8_t)(1u << bit % 8);
                if (mqtt_decode(exact, len, level, MAX, &packet, &size) == MQTT_OK) {
                    assert_true(size <= len);
                }
                free(exact);
            }
        }
    }
}

static mqtt_result_t decode_hex(const char *hex, uint8_t level, mqtt_packet_t *packet)
{
    size_t len = strlen(hex) / 2, size;
    uint8_t *exact = malloc(len > 0 ? len : 1);
    assert_true(bytes_from_hex(hex, strlen(hex), exact, len));
    mqtt_result_t result = mqtt_decode(exact, len, level, MAX, packet, &size);
    free(exact);
    return result;
}

typedef struct {
    const char *hex;
    uint8_t level;
    mqtt_result_t result;
    const char *what;
} wire_t;

static void check_wire(const wire_t *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mqtt_packet_t packet;
        mqtt_result_t result = decode_hex(cases[i].hex, cases[i].level, &packet);
        if (result != cases[i].result) {
            fail_msg("%s (%s): %s", cases[i].what, cases[i].hex, mqtt_result_name(result));
        }
    }
}

static void refuses_what_is_no_mqtt(void **state)
{
    (void)state;
    static const wire_t cases[] = {
        {"0000", 4, MQTT_MALFORMED, "type 0"},
        {"f000", 4, MQTT_MALFORMED, "AUTH before 5.0"},
        {"f000", 5, MQTT_OK, "AUTH"},
        {"f100", 5, MQTT_MALFORMED, "AUTH with a flag"},
        {"c100", 4, MQTT_MALFORMED, "PINGREQ with a flag"},
        {"c001", 4, MQTT_NEED_MORE, "PINGREQ with a byte to come"},
        {"c00100", 4, MQTT_MALFORMED, "PINGREQ with a byte"},
        {"c0808000", 4, MQTT_OK, "a length in more bytes than needed"},
        {"30ffffffff01", 4, MQTT_MALFORMED, "length of five bytes"},
        {"30ffffff7f", 4, MQTT_TOO_LARGE, "the longest length"},
        {"30808004", 4, MQTT_NEED_MORE, "the limit itself"},
        {"30818004", 4, MQTT_TOO_LARGE, "one over the limit"},
        {"8004000a0000", 4, MQTT_MALFORMED, "SUBSCRIBE without its flag"},
        {"8a06000a00016100", 4, MQTT_MALFORMED, "SUBSCRIBE with DUP"},
        {"8a06000a00016100", 3, MQTT_OK, "SUBSCRIBE with DUP in 3.1"},
        {"3603000161", 4, MQTT_MALFORMED, "QoS 3"},
        {"3003000161", 4, MQTT_OK, "PUBLISH without a payload"},
        {"30020000", 4, MQTT_MALFORMED, "PUBLISH without a topic"},
        {"300300012b", 4, MQTT_MALFORMED, "PUBLISH to +"},
        {"3003000123", 4, MQTT_MALFORMED, "PUBLISH to #"},
        {"3003000100", 4, MQTT_MALFORMED, "NUL in the topic"},
        {"30030001ff", 4, MQTT_MALFORMED, "a topic that is not UTF-8"},
        {"30050003eda080", 4, MQTT_MALFORMED, "a surrogate in the topic"},
        {"3005000161000a", 4, MQTT_OK, "QoS 0 has no id: it is payload"},
        {"32050001610000", 4, MQTT_MALFORMED, "packet id 0"},
        {"3203000161", 4, MQTT_MALFORMED, "no packet id"},
        {"3203ffff61", 4, MQTT_MALFORMED, "a topic longer than its packet"},
        {"40020000", 4, MQTT_MALFORMED, "PUBACK of 0"},
        {"4003000a00", 4, MQTT_MALFORMED, "PUBACK with a reason in 3.1.1"},
        {"4003000a00", 5, MQTT_OK, "PUBACK with a reason"},
        {"4004000a0000", 5, MQTT_OK, "PUBACK with reason and properties"},
        {"4005000a000000", 5, MQTT_MALFORMED, "PUBACK with a byte too many"},
        {"6002000a", 4, MQTT_MALFORMED, "PUBREL without its flag"},
        {"6202000a", 4, MQTT_OK, "PUBREL"},
        {"82020001", 4, MQTT_OK, "SUBSCRIBE of nothing, as ThingsBoard takes it"},
        {"82020000", 4, MQTT_MALFORMED, "SUBSCRIBE with id 0"},
        {"82050001000000", 4, MQTT_MALFORMED, "an empty filter"},
        {"8206000100016103", 4, MQTT_MALFORMED, "a filter at QoS 3"},
        {"8206000100016104", 4, MQTT_MALFORMED, "options of 5.0 in 3.1.1"},
        {"820700010000016104", 5, MQTT_OK, "no local"},
        {"820700010000016130", 5, MQTT_MALFORMED, "retain handling 3"},
        {"820700010000016140", 5, MQTT_MALFORMED, "reserved option"},
        {"82050001000161", 4, MQTT_MALFORMED, "a filter without QoS"},
        {"9003000103", 4, MQTT_MALFORMED, "SUBACK with code 3"},
        {"9003000180", 4, MQTT_OK, "SUBACK, refused"},
        {"9003000187", 4, MQTT_MALFORMED, "a code of 5.0 in 3.1.1"},
        {"900400010087", 5, MQTT_OK, "a code of 5.0"},
        {"20020200", 4, MQTT_MALFORMED, "CONNACK with a reserved flag"},
        {"20020006", 4, MQTT_MALFORMED, "CONNACK code 6"},
        {"2003000087", 5, MQTT_MALFORMED, "CONNACK whose properties are missing"},
        {"2003008700", 5, MQTT_OK, "CONNACK of 5.0"},
        {"e00100", 4, MQTT_MALFORMED, "DISCONNECT with a reason in 3.1.1"},
        {"e00104", 5, MQTT_OK, "DISCONNECT with a reason"},
    };
    check_wire(cases, sizeof cases / sizeof cases[0]);
}

static void refuses_bad_connects(void **state)
{
    (void)state;
    static const wire_t cases[] = {
        {"100d00044d5154540402003c000163", 0, MQTT_OK, "3.1.1"},
        {"100d00044d5154540902003c000163", 0, MQTT_UNSUPPORTED, "level 9"},
        {"100d00044d5154540302003c000163", 0, MQTT_UNSUPPORTED, "MQTT at level 3"},
        {"100f00064d51497364700402003c000163", 0, MQTT_UNSUPPORTED, "MQIsdp at level 4"},
        {"100d00044d5154580402003c000163", 0, MQTT_UNSUPPORTED, "MQTX"},
        {"100d00044d5154548402003c000163", 0, MQTT_UNSUPPORTED, "a bridge's level"},
        {"100d0004ff5154540402003c000163", 0, MQTT_MALFORMED, "a name that is not UTF-8"},
        {"100d00044d5154540403003c000163", 0, MQTT_MALFORMED, "reserved flag"},
        {"100d00044d515454040a003c000163", 0, MQTT_MALFORMED, "will QoS without a will"},
        {"100d00044d5154540422003c000163", 0, MQTT_MALFORMED, "will retain without a will"},
        {"101300044d515454041e003c000163000177000178", 0, MQTT_MALFORMED, "will QoS 3"},
        {"101300044d5154540406003c000163000177000178", 0, MQTT_OK, "a will"},
        {"101300044d5154540406003c000163000123000178", 0, MQTT_MALFORMED, "a will to #"},
        {"101200044d5154540406003c0001630000000178", 0, MQTT_MALFORMED, "a will to nowhere"},
        {"101000044d5154540442003c000163000170", 0, MQTT_MALFORMED, "a password and no user"},
        {"101100044d5154540542003c00000163000170", 0, MQTT_OK, "the same in 5.0"},
        {"101000044d5154540482003c000163000175", 0, MQTT_OK, "a user"},
        {"100d00044d5154540482003c000163", 0, MQTT_MALFORMED, "the user is missing"},
        {"100e00044d5154540402003c00016300", 0, MQTT_MALFORMED, "a byte too many"},
        {"100d00044d5154540402003c000100", 0, MQTT_MALFORMED, "NUL in the client id"},
        {"100c00044d5154540402003c0000", 0, MQTT_OK, "an empty client id"},
        {"100e00064d51497364700302003c0000", 0, MQTT_MALFORMED, "an empty client id in 3.1"},
        {"102600064d51497364700302003c0018616161616161616161616161616161616161616161616161", 0,
         MQTT_MALFORMED, "24 characters in 3.1"},
        {"102500064d51497364700302003c00176161616161616161616161616161616161616161616161", 0,
         MQTT_OK, "23 characters in 3.1"},
        {"1000", 0, MQTT_MALFORMED, "nothing at all"},
    };
    check_wire(cases, sizeof cases / sizeof cases[0]);
}

static void checks_properties(void **state)
{
    (void)state;
    static const wire_t cases[] = {
        {"101300044d5154540502003c05110000003c000163", 0, MQTT_OK, "session expiry"},
        {"101800044d5154540502003c0a110000003c110000003c000163", 0, MQTT_MALFORMED, "twice"},
        {"101100044d5154540502003c03210001000163", 0, MQTT_OK, "receive maximum"},
        {"101100044d5154540502003c03210000000163", 0, MQTT_MALFORMED, "receive maximum 0"},
        {"101300044d5154540502003c052700000000000163", 0, MQTT_MALFORMED, "maximum packet 0"},
        {"101000044d5154540502003c021702000163", 0, MQTT_MALFORMED, "a flag of 2"},
        {"101000044d5154540502003c027f00000163", 0, MQTT_MALFORMED, "unknown"},
        {"101000044d5154540502003c020101000163", 0, MQTT_MALFORMED, "one of PUBLISH"},
        {"101100044d5154540502003c04210001000163", 0, MQTT_MALFORMED, "longer than said"},
        {"101100044d5154540502003c02210001000163", 0, MQTT_MALFORMED, "shorter than said"},
        {"100e00044d5154540502003cff000163", 0, MQTT_MALFORMED, "longer than the packet"},
        {"101c00044d5154540502003c0e2600016100016226000161000162000163", 0, MQTT_OK,
         "a user property twice"},
        {"300400016100", 5, MQTT_OK, "none"},
        {"3003000161", 5, MQTT_MALFORMED, "none, not even their length"},
        {"30070001610201017b", 5, MQTT_OK, "a payload behind the properties"},
        {"3006000161020101", 5, MQTT_OK, "payload format"},
        {"3007000161030201007b", 5, MQTT_MALFORMED, "expiry cut short"},
        {"300700016103230001", 5, MQTT_MALFORMED, "a topic alias, which was not offered"},
        {"30080001610408000123", 5, MQTT_MALFORMED, "response topic with a wildcard"},
        {"30080001610408000161", 5, MQTT_OK, "response topic"},
        {"3008000161040b010b02", 5, MQTT_OK, "subscription ids"},
        {"3006000161020b00", 5, MQTT_MALFORMED, "subscription id 0"},
        {"82090001020b0100016100", 5, MQTT_OK, "subscription id"},
        {"820b0001040b010b0100016100", 5, MQTT_MALFORMED, "subscription id twice"},
        {"e0070005110000003c", 5, MQTT_OK, "session expiry in DISCONNECT"},
        {"e0020080", 5, MQTT_MALFORMED, "DISCONNECT, properties cut short"},
    };
    check_wire(cases, sizeof cases / sizeof cases[0]);
}

static void refuses_to_encode_nonsense(void **state)
{
    (void)state;
    static uint8_t buf[200000];
    static char text[70000];
    mqtt_out_t out;
    mqtt_connect_t c = {.level = 4, .client_id = mqtt_text("c"), .receive_max = 65535};
    const mqtt_text_t empty = {"", 0}, good = mqtt_text("a"), nul = {"a\0", 2};
    const uint8_t qos[] = {0, 3};
    memset(text, 'x', sizeof text);
    const mqtt_text_t too_long = {text, 65536};
    mqtt_out_init(&out, buf, sizeof buf);
    const mqtt_publish_t publishes[] = {
        {.topic = empty},
        {.topic = mqtt_text("a/+")},
        {.topic = mqtt_text("#")},
        {.topic = nul},
        {.topic = mqtt_text("\xff")},
        {.topic = too_long},
        {.topic = good, .qos = 3, .id = 1},
        {.topic = good, .qos = 1},
        {.topic = good, .id = 1},
        {.topic = good, .payload = {text, 268435456}},
    };
    for (size_t i = 0; i < sizeof publishes / sizeof publishes[0]; i++) {
        assert_false(mqtt_put_publish(&out, 4, &publishes[i]));
        assert_int_equal(mqtt_publish_size(4, &publishes[i]), 0);
    }
    assert_false(mqtt_put_ack(&out, 4, MQTT_PUBACK, 0, 0));
    assert_false(mqtt_put_ack(&out, 4, MQTT_SUBACK, 1, 0));
    assert_false(mqtt_put_subscribe(&out, 4, 0, &good, qos, 1));
    assert_false(mqtt_put_subscribe(&out, 4, 1, &good, qos, 0));
    assert_false(mqtt_put_subscribe(&out, 4, 1, &good, qos + 1, 1));
    assert_false(mqtt_put_subscribe(&out, 4, 1, &good, NULL, 1));
    assert_false(mqtt_put_subscribe(&out, 4, 1, &empty, qos, 1));
    assert_false(mqtt_put_unsubscribe(&out, 4, 1, &nul, 1));
    c.level = 6;
    assert_false(mqtt_put_connect(&out, &c));
    c.level = 4;
    c.has_password = true;
    c.password = good;
    assert_false(mqtt_put_connect(&out, &c));
    c.level = 5;
    c.receive_max = 0;
    assert_false(mqtt_put_connect(&out, &c));
    c.receive_max = 1;
    c.client_id = too_long;
    assert_false(mqtt_put_connect(&out, &c));
    assert_int_equal(out.len, 0);
}

/* Lengths around each step of the encoding, with the published size held against the real one. */
static void lengths_of_one_to_three_bytes(void **state)
{
    (void)state;
    static char text[2200000];
    static uint8_t buf[2300000];
    static const size_t lens[] = {0, 124, 125, 16379, 16380, 16381, 2097147, 2097148, 2097149};
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        mqtt_publish_t p = {.topic = mqtt_text("a"), .payload = {text, lens[i]}};
        mqtt_packet_t packet;
        mqtt_out_t out;
        size_t size;
        mqtt_out_init(&out, buf, sizeof buf);
        assert_true(mqtt_put_publish(&out, 4, &p));
        assert_int_equal(out.len, mqtt_publish_size(4, &p));
        assert_int_equal(mqtt_decode(buf, out.len, 4, MQTT_REMAINING_MAX, &packet, &size), MQTT_OK);
        assert_int_equal(size, out.len);
        assert_int_equal(packet.u.publish.payload.len, lens[i]);
        assert_int_equal(mqtt_decode(buf, 5, 4, MQTT_REMAINING_MAX, &packet, &size),
                         out.len == 5 ? MQTT_OK : MQTT_NEED_MORE);
        assert_int_equal(size, out.len);
    }
}

static void what_was_sent_leaves_the_buffer(void **state)
{
    (void)state;
    uint8_t buf[8];
    mqtt_out_t out;
    mqtt_out_init(&out, buf, sizeof buf);
    mqtt_put_pingreq(&out);
    mqtt_put_pingresp(&out);
    mqtt_out_sent(&out, 1);
    assert_int_equal(out.len, 3);
    assert_memory_equal(buf, "\x00\xd0\x00", 3);
    mqtt_out_sent(&out, 99);
    assert_int_equal(out.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connect_there_and_back),
        cmocka_unit_test(publish_there_and_back),
        cmocka_unit_test(the_rest_there_and_back),
        cmocka_unit_test(encoders_keep_to_every_capacity),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(every_bit_turned),
        cmocka_unit_test(refuses_what_is_no_mqtt),
        cmocka_unit_test(refuses_bad_connects),
        cmocka_unit_test(checks_properties),
        cmocka_unit_test(refuses_to_encode_nonsense),
        cmocka_unit_test(lengths_of_one_to_three_bytes),
        cmocka_unit_test(what_was_sent_leaves_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mqtt_codec: MQTT control packets, bytes to structs and back. MQTT 3.1 (level 3), 3.1.1 (4) and
 * 5.0 (5). No heap, no socket, no clock; nothing blocks. The two sessions, mqtt_client.h and
 * mqtt_server.h, are built on it; most code needs only those.
 *
 * Decoding copies nothing: every mqtt_text_t of a packet points into the bytes that were given and
 * is good as long as they stay in place. A text is never NUL terminated.
 *
 * Checked (numbers are of the 3.1.1 specification): reserved flag bits (2.2.2), remaining length of
 * at most four bytes and at most `max_remaining` (2.2.3), packet id not 0 (2.3.1), strings are
 * UTF-8 without NUL (1.5.3), protocol name and level, connect flags that contradict one another
 * (3.1.2), no wildcard and at least one character in the topic of a PUBLISH (3.3.2), QoS never 3,
 * no byte behind the last field, and for 5.0 every property: known, allowed in this packet, once
 * where once is the rule, value in range, inside its packet.
 *
 * Deliberately lax, because ThingsBoard is: SUBSCRIBE and UNSUBSCRIBE without any filter are
 * decoded (the specification forbids them). Deliberately strict like ThingsBoard's decoder: a 3.1
 * client id has 1 to 23 characters. Not checked: that a topic filter puts its wildcards in the
 * right places (the server compares filters with exact strings), and that a packet makes sense at
 * this moment (sessions do that).
 */
#ifndef CRADLE_MQTT_MQTT_CODEC_H
#define CRADLE_MQTT_MQTT_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ThingsBoard's default limit on the remaining length (netty.max_payload_size). */
#define MQTT_REMAINING_DEFAULT 65536u

/* What the encoding can say at most. */
#define MQTT_REMAINING_MAX 268435455u

/* Longest string: topic, client id, user name. */
#define MQTT_STRING_MAX 65535u

typedef enum {
    MQTT_CONNECT = 1,
    MQTT_CONNACK,
    MQTT_PUBLISH,
    MQTT_PUBACK,
    MQTT_PUBREC,
    MQTT_PUBREL,
    MQTT_PUBCOMP,
    MQTT_SUBSCRIBE,
    MQTT_SUBACK,
    MQTT_UNSUBSCRIBE,
    MQTT_UNSUBACK,
    MQTT_PINGREQ,
    MQTT_PINGRESP,
    MQTT_DISCONNECT,
    MQTT_AUTH,
} mqtt_type_t;

enum { MQTT_LEVEL_3_1 = 3, MQTT_LEVEL_3_1_1 = 4, MQTT_LEVEL_5 = 5 };

/* Reason codes of MQTT 5 that we send or act on; the values are the wire's. */
enum {
    MQTT_REASON_SUCCESS = 0x00,
    MQTT_REASON_UNSPECIFIED = 0x80,
    MQTT_REASON_MALFORMED = 0x81, /* also what ThingsBoard says of a packet over the limit */
    MQTT_REASON_PROTOCOL_ERROR = 0x82,
    MQTT_REASON_IMPLEMENTATION = 0x83,
    MQTT_REASON_BAD_CLIENT_ID = 0x85,
    MQTT_REASON_BAD_USER = 0x86,
    MQTT_REASON_NOT_AUTHORIZED = 0x87,
    MQTT_REASON_UNAVAILABLE = 0x88,
    MQTT_REASON_SHUTTING_DOWN = 0x8b,
    MQTT_REASON_KEEP_ALIVE = 0x8d,
    MQTT_REASON_TAKEN_OVER = 0x8e,
    MQTT_REASON_BAD_FILTER = 0x8f,
    MQTT_REASON_BAD_TOPIC = 0x90,
    MQTT_REASON_QUOTA = 0x97,
    MQTT_REASON_ADMINISTRATIVE = 0x98,
    MQTT_REASON_BAD_PAYLOAD = 0x99,
    MQTT_REASON_CONNECT_RATE = 0x9f,
    MQTT_REASON_MAX_CONNECT_TIME = 0xa0,
};

/* A SUBACK code that refuses one filter, in 3.1.1 (3.1 has none, and is given the same). */
#define MQTT_SUBACK_REFUSED 0x80

typedef struct {
    const char *text; /* not NUL terminated; may hold any byte when it is a payload or password */
    size_t len;
} mqtt_text_t;

/* A C string as a text. */
mqtt_text_t mqtt_text(const char *text);
bool mqtt_text_equals(mqtt_text_t a, const char *b);

typedef struct {
    uint8_t level;
    bool clean; /* clean session; clean start in 5.0 */
    bool has_will, has_user, has_password;
    uint8_t will_qos;
    bool will_retain;
    uint16_t keep_alive_s; /* 0: no keep-alive */
    mqtt_text_t client_id, will_topic, will_payload, user, password;
    /* 5.0 properties; the value that the specification gives when absent. */
    uint32_t session_expiry_s; /* 0                                                */
    uint16_t receive_max;      /* 65535: QoS 1 messages we may have unacknowledged */
    uint32_t max_packet;       /* 0: no limit; else the whole packet's bytes       */
} mqtt_connect_t;

typedef struct {
    bool session_present;
    uint8_t code; /* 3.x return code 0 to 5, or 5.0 reason code */
} mqtt_connack_t;

typedef struct {
    mqtt_text_t topic;
    mqtt_text_t payload;
    uint16_t id; /* 0 at QoS 0 */
    uint8_t qos;
    bool dup, retain;
} mqtt_publish_t;

/* PUBACK, PUBREC, PUBREL, PUBCOMP, and UNSUBACK (whose 5.0 codes are in `codes`). */
typedef struct {
    uint16_t id;
    uint8_t reason; /* 5.0; MQTT_REASON_SUCCESS otherwise */
    const uint8_t *codes;
    size_t code_count;
} mqtt_ack_t;

/* SUBSCRIBE and UNSUBSCRIBE. The filters are already checked; walk them with mqtt_filter_next. */
typedef struct {
    uint16_t id;
    size_t count;
    mqtt_text_t raw; /* private: the filters as they came */
    bool with_qos;   /* private */
} mqtt_subscribe_t;

typedef struct {
    uint16_t id;
    const uint8_t *codes; /* 0, 1, 2: granted QoS; 0x80 and above: refused */
    size_t count;
} mqtt_suback_t;

typedef struct {
    mqtt_type_t type;
    union {
        mqtt_connect_t connect;
        mqtt_connack_t connack;
        mqtt_publish_t publish;
        mqtt_ack_t ack;
        mqtt_subscribe_t subscribe;
        mqtt_suback_t suback;
        uint8_t reason; /* DISCONNECT and AUTH in 5.0, else 0 */
    } u;
} mqtt_packet_t;

typedef enum {
    MQTT_OK = 0,
    MQTT_NEED_MORE,   /* *size bytes from the start of the packet are needed, at least      */
    MQTT_MALFORMED,   /* close the connection; nothing of it may be used                    */
    MQTT_TOO_LARGE,   /* remaining length over the limit: said before anything is buffered  */
    MQTT_UNSUPPORTED, /* CONNECT with another protocol name or level: close without CONNACK */
} mqtt_result_t;

/*
 * Decodes the packet that `data` begins with. `level` is the connection's (what CONNECT said); it
 * is not looked at for CONNECT. MQTT_OK: *size is what the packet took. MQTT_NEED_MORE: *size is
 * the packet's whole size when the header is complete, else len + 1: a receive buffer grown to
 * *size never has to hold more than max_remaining + 5.
 */
mqtt_result_t mqtt_decode(const uint8_t *data, size_t len, uint8_t level, uint32_t max_remaining,
                          mqtt_packet_t *packet, size_t *size);

/* Walks the filters: *position begins as 0. `qos` is 0 for UNSUBSCRIBE, may be NULL. False behind
   the last. */
bool mqtt_filter_next(const mqtt_subscribe_t *subscribe, size_t *position, mqtt_text_t *filter,
                      uint8_t *qos);

/* For logs: "PUBLISH"; "malformed". */
const char *mqtt_type_name(mqtt_type_t type);
const char *mqtt_result_name(mqtt_result_t result);

/*
 * Encoding. mqtt_out_t is a caller's buffer that packets are appended to; the caller sends `len`
 * bytes from `buf` and moves the rest to the front (mqtt_out_sent). Every mqtt_put_* writes a whole
 * packet, or nothing and returns false: it does not fit, or a field cannot be encoded (a string
 * over MQTT_STRING_MAX, a topic with a wildcard, no UTF-8, an id of 0 where one is needed).
 * Properties of 5.0 are always written empty: ThingsBoard sends none.
 */
typedef struct {
    uint8_t *buf;
    size_t cap;
    size_t len;
} mqtt_out_t;

void mqtt_out_init(mqtt_out_t *out, void *buf, size_t cap);

/* `count` bytes from the front have been sent. */
void mqtt_out_sent(mqtt_out_t *out, size_t count);

/* Levels 3.1, 3.1.1 and 5.0; of the properties only those three in mqtt_connect_t. */
bool mqtt_put_connect(mqtt_out_t *out, const mqtt_connect_t *connect);
bool mqtt_put_connack(mqtt_out_t *out, uint8_t level, bool session_present, uint8_t code);
bool mqtt_put_publish(mqtt_out_t *out, uint8_t level, const mqtt_publish_t *publish);
/* PUBACK, PUBREC, PUBREL, PUBCOMP. A reason other than success is written at level 5 only. */
bool mqtt_put_ack(mqtt_out_t *out, uint8_t level, mqtt_type_t type, uint16_t id, uint8_t reason);
bool mqtt_put_subscribe(mqtt_out_t *out, uint8_t level, uint16_t id, const mqtt_text_t *filters,
                        const uint8_t *qos, size_t count);
bool mqtt_put_suback(mqtt_out_t *out, uint8_t level, uint16_t id, const uint8_t *codes,
                     size_t count);
bool mqtt_put_unsubscribe(mqtt_out_t *out, uint8_t level, uint16_t id, const mqtt_text_t *filters,
                          size_t count);
/* Codes are written at level 5 only; NULL: `count` times success. */
bool mqtt_put_unsuback(mqtt_out_t *out, uint8_t level, uint16_t id, const uint8_t *codes,
                       size_t count);
bool mqtt_put_pingreq(mqtt_out_t *out);
bool mqtt_put_pingresp(mqtt_out_t *out);
bool mqtt_put_disconnect(mqtt_out_t *out, uint8_t level, uint8_t reason);

/* Bytes that mqtt_put_publish would write; 0 when it cannot be encoded. */
size_t mqtt_publish_size(uint8_t level, const mqtt_publish_t *publish);

#endif

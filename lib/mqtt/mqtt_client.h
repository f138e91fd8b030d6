/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mqtt_client: one connection of an MQTT 3.1.1 client, sans-I/O. Bytes in, events out, bytes out
 * into a buffer of the caller; time is passed in. QoS 0 and 1. No heap, no socket, no clock.
 *
 *     mqtt_client_init(&client, &config);
 *     mqtt_client_connect(&client, now, &out);
 *     loop {
 *         wait for the socket, at most until mqtt_client_deadline(&client)
 *         while (mqtt_client_take(&client, in + at, have - at, &event))
 *             at += event.size, act on the event
 *         if (mqtt_client_tick(&client, now, &event, &out))
 *             act on the event
 *         write(socket, out)
 *     }
 *
 * A message is the caller's until MQTT_CLIENT_PUBACK comes back with its token; when the connection
 * ends first, it is to be sent again on the next one. Nothing is kept over connections: connect
 * clean, subscribe again, init again (ThingsBoard keeps no session, whatever it says).
 * An answer that no request waits for is passed over. A second PUBLISH of the same message is the
 * caller's to recognise: QoS 1 may deliver twice.
 * At most MQTT_CLIENT_INFLIGHT_MAX requests are unanswered at once; more are MQTT_CLIENT_BUSY.
 *
 * An incoming QoS 1 message is acknowledged by mqtt_client_puback, when the caller has done with it
 * what must not be lost. Messages may come before MQTT_CLIENT_SUBACK, and without a subscription.
 */
#ifndef CRADLE_MQTT_MQTT_CLIENT_H
#define CRADLE_MQTT_MQTT_CLIENT_H

#include "mqtt/mqtt_codec.h"

/* Publishes, subscribes and unsubscribes without an answer. */
#define MQTT_CLIENT_INFLIGHT_MAX 40

/* Filters in one SUBSCRIBE. */
#define MQTT_CLIENT_FILTER_MAX 8

#define MQTT_CLIENT_NO_DEADLINE UINT64_MAX

/* The strings must stay in place until mqtt_client_connect has returned. A time of 0 takes the
   default in brackets. */
typedef struct {
    const char *client_id;
    const char *user;     /* NULL: none */
    const char *password; /* NULL: none; needs a user */
    uint16_t keep_alive_s;
    bool not_clean;              /* clean session 0; leave it false */
    uint32_t max_remaining;      /* incoming [MQTT_REMAINING_DEFAULT] */
    uint32_t connack_timeout_ms; /* [10000] a node that fails over never answers */
    uint32_t ping_timeout_ms;    /* [10000] */
    uint32_t ack_timeout_ms;     /* [30000] PUBACK, SUBACK, UNSUBACK: then the connection is dead */
} mqtt_client_config_t;

typedef enum {
    MQTT_CLIENT_NOTHING = 0, /* PINGRESP and the like: only event.size counts             */
    MQTT_CLIENT_CONNECTED,   /* event.session_present                                     */
    MQTT_CLIENT_REFUSED,     /* event.code: CONNACK 1 to 5; the connection is over        */
    MQTT_CLIENT_PUBLISH,     /* event.publish; mqtt_client_puback when event.publish.id   */
    MQTT_CLIENT_PUBACK,      /* event.token                                               */
    MQTT_CLIENT_SUBACK,      /* event.token, event.codes, event.count                     */
    MQTT_CLIENT_UNSUBACK,    /* event.token                                               */
    MQTT_CLIENT_CLOSED,      /* event.reason; close the socket, nothing more will come    */
} mqtt_client_event_type_t;

typedef enum {
    MQTT_CLOSED_NOT = 0,
    MQTT_CLOSED_MALFORMED,       /* the server sent what is no MQTT, or what it must not send */
    MQTT_CLOSED_TOO_LARGE,       /* a packet over max_remaining                               */
    MQTT_CLOSED_CONNACK_TIMEOUT, /* TCP and TLS are up, but no CONNACK: an outage, no refusal */
    MQTT_CLOSED_PING_TIMEOUT,
    MQTT_CLOSED_ACK_TIMEOUT, /* a request was not answered                                */
    MQTT_CLOSED_REFUSED,     /* after MQTT_CLIENT_REFUSED                                 */
    MQTT_CLOSED_BY_US,       /* after mqtt_client_disconnect                              */
} mqtt_closed_t;

typedef struct {
    mqtt_client_event_type_t type;
    size_t size;          /* bytes taken from the input */
    bool session_present; /* CONNECTED */
    uint8_t code;         /* REFUSED */
    mqtt_closed_t reason; /* CLOSED */
    uintptr_t token;      /* PUBACK, SUBACK, UNSUBACK: the caller's */
    const uint8_t *codes; /* SUBACK: one a filter, in order; 0x80: refused. Points into the input */
    size_t count;
    mqtt_publish_t publish; /* PUBLISH: texts point into the input */
} mqtt_client_event_t;

typedef struct {
    uint16_t id;
    uint8_t kind;
    uintptr_t token;
    uint64_t deadline;
} mqtt_client_request_t;

/* Private, but for the caller to allocate. */
typedef struct {
    mqtt_client_config_t config;
    uint8_t state;
    uint8_t reason;
    uint16_t last_id;
    uint64_t deadline;  /* CONNACK or PINGRESP; MQTT_CLIENT_NO_DEADLINE when none is awaited */
    uint64_t last_sent; /* when the last packet went out */
    size_t needed;
    mqtt_client_request_t requests[MQTT_CLIENT_INFLIGHT_MAX];
} mqtt_client_t;

typedef enum {
    MQTT_CLIENT_OK = 0,
    MQTT_CLIENT_BUSY,   /* the table is full: wait for an answer            */
    MQTT_CLIENT_FULL,   /* does not fit in `out`: send first                */
    MQTT_CLIENT_STATE,  /* not connected (or, for connect, already)         */
    MQTT_CLIENT_INVALID /* cannot be encoded: empty, wildcard, no UTF-8 ... */
} mqtt_client_result_t;

void mqtt_client_init(mqtt_client_t *client, const mqtt_client_config_t *config);

/* Writes CONNECT; the time-out for CONNACK begins at `now_ms`. All times are milliseconds of one
   clock that never jumps. */
mqtt_client_result_t mqtt_client_connect(mqtt_client_t *client, uint64_t now_ms, mqtt_out_t *out);

/* `qos` 0 or 1; at QoS 1 `token` comes back with the PUBACK. */
mqtt_client_result_t mqtt_client_publish(mqtt_client_t *client, mqtt_text_t topic,
                                         mqtt_text_t payload, uint8_t qos, uintptr_t token,
                                         uint64_t now_ms, mqtt_out_t *out);

/* All filters in one packet with the same QoS, 0 or 1. */
mqtt_client_result_t mqtt_client_subscribe(mqtt_client_t *client, const char *const *filters,
                                           size_t count, uint8_t qos, uintptr_t token,
                                           uint64_t now_ms, mqtt_out_t *out);
mqtt_client_result_t mqtt_client_unsubscribe(mqtt_client_t *client, const char *const *filters,
                                             size_t count, uintptr_t token, uint64_t now_ms,
                                             mqtt_out_t *out);

/* Acknowledges an incoming message. */
mqtt_client_result_t mqtt_client_puback(mqtt_client_t *client, uint16_t id, uint64_t now_ms,
                                        mqtt_out_t *out);

/* Says good-bye. Send `out`, then close the socket. No event follows. */
void mqtt_client_disconnect(mqtt_client_t *client, uint64_t now_ms, mqtt_out_t *out);

/* Takes one packet from the front of the received bytes and tells what it means. False: more bytes
   are needed, mqtt_client_needed from the front; or the connection is over. */
bool mqtt_client_take(mqtt_client_t *client, const uint8_t *data, size_t len,
                      mqtt_client_event_t *event);
size_t mqtt_client_needed(const mqtt_client_t *client);

/* To be called when the deadline has come (earlier is harmless): sends a PINGREQ, or finds that an
   answer did not come. True: event is MQTT_CLIENT_CLOSED. */
bool mqtt_client_tick(mqtt_client_t *client, uint64_t now_ms, mqtt_client_event_t *event,
                      mqtt_out_t *out);

/* When mqtt_client_tick has something to do; MQTT_CLIENT_NO_DEADLINE: never. */
uint64_t mqtt_client_deadline(const mqtt_client_t *client);

bool mqtt_client_connected(const mqtt_client_t *client); /* CONNACK 0 has come, and not over */
size_t mqtt_client_inflight(const mqtt_client_t *client);
const char *mqtt_closed_text(mqtt_closed_t reason); /* for logs: a static text */

#endif

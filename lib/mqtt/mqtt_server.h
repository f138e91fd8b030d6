/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mqtt_server: one connection of an MQTT server, sans-I/O. Bytes in, events out, bytes out into a
 * buffer of the caller. MQTT 3.1, 3.1.1, 5.0; QoS 0 and 1. No heap, no clock, nothing blocks; one
 * struct of about 350 bytes a connection, and no buffer of its own.
 *
 *     n = read(socket, in + have, ...);                      the caller owns `in` and its growth
 *     for (;;) {
 *         event = mqtt_server_take(&session, in + at, have - at, &packet, &size, &out);
 *         if (event == MQTT_SERVER_MORE)    keep the rest, make room for `size` bytes, read on
 *         if (event == MQTT_SERVER_BLOCKED) stop reading until mqtt_server_connack,
 *                                           mqtt_server_flush or a drained `out` unblocks it
 *         if (event == MQTT_SERVER_CLOSE)   send what is in `out`, then close
 *         at += size;                       the packet's texts are good until `in` moves
 *         act on the event
 *     }
 *     write(socket, out)
 *
 * Order of the protocol: MQTT_SERVER_CONNECT comes first and exactly once until it is answered with
 * mqtt_server_connack; while the answer is being looked for, take says BLOCKED, so nothing that the
 * client sent early is lost or served.
 *
 * Acknowledgements may be late: a QoS 1 (or 2) PUBLISH is remembered by its id until
 * mqtt_server_puback says that it is stored; mqtt_server_flush then writes the PUBACKs in the order
 * in which the messages came (MQTT 3.1.1, 4.6), whatever the order of the calls. At most
 * MQTT_SERVER_INFLIGHT_MAX may wait; a further PUBLISH is BLOCKED. A message that must never be
 * acknowledged is forgotten with mqtt_server_drop.
 *
 * What is answered here, without an event for the caller to act on: PINGREQ (the event is for the
 * idle timer), PUBREL of a QoS 2 message, which ThingsBoard ignores too.
 *
 * As ThingsBoard answers (raw packets recorded from a 4.2.1 server): QoS 2 PUBLISH gets PUBACK;
 * level other than 3, 4, 5 or another protocol name: closed without CONNACK; SUBSCRIBE of nothing:
 * SUBACK with no code; packets that only a server sends: ignored; CONNACK without properties. Where
 * the two differ, or one may want the specification, there is a flag below.
 */
#ifndef CRADLE_MQTT_MQTT_SERVER_H
#define CRADLE_MQTT_MQTT_SERVER_H

#include "mqtt/mqtt_codec.h"

/* QoS 1 messages of one client that may wait for their PUBACK; what ThingsBoard announces as
   maxInflightMessages in its session limits. */
#define MQTT_SERVER_INFLIGHT_MAX 100

enum {
    /* CONNACK's "session present" is the opposite of the clean flag, as ThingsBoard has it. Without
       this flag it is 0, which is the truth: no session is ever kept. */
    MQTT_SERVER_CLAIM_SESSION = 1u << 0,
    /* Close when the first packet is not CONNECT (3.1.1, 3.1.0-1). Without: it is never answered
       and never served, and the connection stays, as recorded. */
    MQTT_SERVER_CONNECT_FIRST = 1u << 1,
    /* Close on a second CONNECT (3.1.0-2). Without: it is answered with CONNACK 0 and changes
       nothing, as recorded. */
    MQTT_SERVER_CONNECT_ONCE = 1u << 2,
    /* Close on SUBSCRIBE or UNSUBSCRIBE without a filter (3.8.3-3). Without: as recorded. */
    MQTT_SERVER_SOME_FILTER = 1u << 3,
};

typedef enum {
    MQTT_SERVER_MORE = 0,    /* *size bytes from the start of this packet are needed          */
    MQTT_SERVER_BLOCKED,     /* nothing was taken; see above                                  */
    MQTT_SERVER_CLOSE,       /* the session is over; mqtt_server_why tells                    */
    MQTT_SERVER_IGNORED,     /* taken, nothing to do; counts as activity                      */
    MQTT_SERVER_CONNECT,     /* packet.u.connect; answer with mqtt_server_connack             */
    MQTT_SERVER_PUBLISH,     /* packet.u.publish; with an id: mqtt_server_puback or _drop     */
    MQTT_SERVER_PUBACK,      /* packet.u.ack: the client has our message `id`                 */
    MQTT_SERVER_SUBSCRIBE,   /* packet.u.subscribe; answer with mqtt_server_suback            */
    MQTT_SERVER_UNSUBSCRIBE, /* packet.u.subscribe; answer with mqtt_server_unsuback          */
    MQTT_SERVER_PING,        /* answered already                                              */
    MQTT_SERVER_DISCONNECT,  /* the client says good-bye: close                               */
} mqtt_server_event_t;

/* Answers to CONNECT, and what they are on the wire in 3.x and in 5.0. */
typedef enum {
    MQTT_ACCEPT = 0,            /* 0, 0x00                                                 */
    MQTT_REFUSE_NOT_AUTHORIZED, /* 5, 0x87: certificate unknown or refused                 */
    MQTT_REFUSE_BAD_USER,       /* 5, 0x86: a user name that matches nothing               */
    MQTT_REFUSE_BAD_CLIENT_ID,  /* 2, 0x85: a client id only, and it matches nothing       */
    MQTT_REFUSE_UNAVAILABLE,    /* 3, 0x88: internal error, profile for another transport  */
    MQTT_REFUSE_RATE,           /* 3, 0x9f: too many connects                              */
} mqtt_answer_t;

typedef struct {
    /* For the caller to read. */
    uint8_t level;         /* 0 before CONNECT                       */
    uint16_t keep_alive_s; /* of CONNECT                             */
    uint32_t max_packet;   /* the client's limit in 5.0; 0: no limit */
    /* Private. */
    uint8_t state;
    uint8_t flags;
    uint8_t why;
    bool clean;
    uint16_t last_id;
    uint16_t receive_max;
    uint16_t unacked;
    uint32_t max_remaining;
    uint8_t wait_first, wait_count;
    uint16_t wait_id[MQTT_SERVER_INFLIGHT_MAX];
    uint8_t wait_reason[MQTT_SERVER_INFLIGHT_MAX];
} mqtt_server_t;

/* `flags` are MQTT_SERVER_*; max_remaining as in mqtt_decode (MQTT_REMAINING_DEFAULT). */
void mqtt_server_init(mqtt_server_t *session, unsigned flags, uint32_t max_remaining);

/*
 * Takes one packet from the front of the received bytes. *size: what was taken (0 for BLOCKED and
 * CLOSE), or for MORE what is needed at least. `out` gets what is answered at once (PINGRESP, the
 * CONNACK of a second CONNECT, in 5.0 the DISCONNECT before a close); 8 free bytes are always
 * enough, with less it may say BLOCKED.
 */
mqtt_server_event_t mqtt_server_take(mqtt_server_t *session, const uint8_t *data, size_t len,
                                     mqtt_packet_t *packet, size_t *size, mqtt_out_t *out);

/* Answers CONNECT. After a refusal the session is over: send `out`, then close. False when `out` is
   full (4 bytes in 3.x, 5 in 5.0) or no CONNECT waits for an answer. */
bool mqtt_server_connack(mqtt_server_t *session, mqtt_answer_t answer, mqtt_out_t *out);

/* The message with this id is safe (or known not to be worth keeping). `reason` is for 5.0. Writes
   nothing yet. False when no such message waits. */
bool mqtt_server_puback(mqtt_server_t *session, uint16_t id, uint8_t reason);

/* The message with this id will never be acknowledged, and later ones need not wait for it. As
   after mqtt_server_puback, mqtt_server_flush does the rest. */
bool mqtt_server_drop(mqtt_server_t *session, uint16_t id);

/* Writes the PUBACKs that are due, as many as fit. True when none that is due is left. */
bool mqtt_server_flush(mqtt_server_t *session, mqtt_out_t *out);

/* Messages that wait for mqtt_server_puback or mqtt_server_flush. */
size_t mqtt_server_waiting(const mqtt_server_t *session);

/* `codes`: one for each filter, in order: granted QoS 0 or 1, or MQTT_SUBACK_REFUSED; in 5.0 the
   latter is written as MQTT_REASON_BAD_FILTER. */
bool mqtt_server_suback(mqtt_server_t *session, uint16_t id, const uint8_t *codes, size_t count,
                        mqtt_out_t *out);

/* `count`: the filters of the UNSUBSCRIBE; in 5.0 each is answered with success. */
bool mqtt_server_unsuback(mqtt_server_t *session, uint16_t id, size_t count, mqtt_out_t *out);

/* Sends a message down, never retained, never repeated. *id (may be NULL): at QoS 1 the id that the
   PUBACK event will name, counted up from 1 on each connection; 0 at QoS 0. False, and no id used:
   it does not fit in `out`; at QoS 1, the client of MQTT 5 has as many unacknowledged as it allows;
   or never possible: not connected, no valid topic, larger than the client's max_packet
   (mqtt_publish_size tells). */
bool mqtt_server_publish(mqtt_server_t *session, mqtt_text_t topic, mqtt_text_t payload,
                         uint8_t qos, uint16_t *id, mqtt_out_t *out);

/* Ends the session from this side; in 5.0 it says why, in 3.x only the socket closes. A full `out`
   is no obstacle: the client then just sees the close. */
void mqtt_server_disconnect(mqtt_server_t *session, uint8_t reason, mqtt_out_t *out);

bool mqtt_server_connected(const mqtt_server_t *session); /* accepted, and not over */

/* A client that is silent for longer than this is gone: one and a half times its keep-alive
   (3.1.2.10); 0: it asked for none. ThingsBoard does not enforce it. */
uint32_t mqtt_server_silence_ms(const mqtt_server_t *session);

/* Why the session is over, for the log: a static text. */
const char *mqtt_server_why(const mqtt_server_t *session);

#endif

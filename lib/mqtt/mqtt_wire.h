/* SPDX-License-Identifier: Apache-2.0 */
/* mqtt_wire: what the decoder, the encoder and the sessions share. Private to lib/mqtt. */
#ifndef CRADLE_MQTT_MQTT_WIRE_H
#define CRADLE_MQTT_MQTT_WIRE_H

#include "mqtt/mqtt_codec.h"

/* A cursor over the body of one packet. A read past the end makes it bad and gives 0; whoever reads
   looks at `bad` once, at the end. */
typedef struct {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
} mqtt_in_t;

uint8_t mqtt_in_u8(mqtt_in_t *in);
uint16_t mqtt_in_u16(mqtt_in_t *in);
uint32_t mqtt_in_u32(mqtt_in_t *in);
uint32_t mqtt_in_varint(mqtt_in_t *in);
mqtt_text_t mqtt_in_binary(mqtt_in_t *in); /* two bytes of length, then any bytes */
mqtt_text_t mqtt_in_string(mqtt_in_t *in); /* the same, UTF-8 without NUL         */

bool mqtt_string_ok(mqtt_text_t text); /* UTF-8 without NUL, at most MQTT_STRING_MAX bytes  */
bool mqtt_topic_ok(mqtt_text_t topic); /* the same, at least one character, no '+', no '#'  */

/* The fixed header alone: type, flags and length are checked against each other. */
mqtt_result_t mqtt_frame(const uint8_t *data, size_t len, uint8_t level, uint32_t max_remaining,
                         mqtt_type_t *type, size_t *header_size, size_t *size);

/* The properties of MQTT 5 that we look at, as absent when the packet has none. */
typedef struct {
    uint32_t session_expiry_s;
    uint16_t receive_max;
    uint32_t max_packet;
    bool topic_alias;
} mqtt_properties_t;

#define MQTT_WILL ((mqtt_type_t)0) /* the properties of a will, inside CONNECT */

void mqtt_in_properties(mqtt_in_t *in, mqtt_type_t where, mqtt_properties_t *properties);

#endif

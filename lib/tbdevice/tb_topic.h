/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tb_topic: ThingsBoard's MQTT topics for devices, the long ones (v1/devices/me/...) and the short
 * ones (v2/...), both ways, and the filters that SUBSCRIBE takes. Source: ThingsBoard CE 4.2.1's
 * MqttTopics and MqttTransportHandler. Pure; nothing blocks.
 */
#ifndef CRADLE_TBDEVICE_TB_TOPIC_H
#define CRADLE_TBDEVICE_TB_TOPIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest topic that is built here, with its NUL. */
#define TB_TOPIC_MAX 64

/* Which spelling: answers go out in the one that the request used, pushes in the one that was
   subscribed last. */
typedef enum { TB_V1 = 0, TB_V2, TB_V2_JSON, TB_V2_PROTO } tb_family_t;

/* What a device publishes. */
typedef enum {
    TB_TOPIC_OTHER = 0,         /* unknown: acknowledged and ignored                       */
    TB_TOPIC_TELEMETRY,         /* v1/devices/me/telemetry, v2/t                           */
    TB_TOPIC_ATTRIBUTES,        /* v1/devices/me/attributes, v2/a                          */
    TB_TOPIC_ATTRIBUTE_REQUEST, /* .../attributes/request/{id}, v2/a/req/{id}              */
    TB_TOPIC_RPC_RESPONSE,      /* .../rpc/response/{id}: the answer to a server-side RPC  */
    TB_TOPIC_RPC_REQUEST,       /* .../rpc/request/{id}: a device-side RPC                 */
    TB_TOPIC_CLAIM,             /* v1/devices/me/claim                                     */
    TB_TOPIC_FIRMWARE,          /* v2/fw/request/{id}/chunk/{chunk}                        */
    TB_TOPIC_SOFTWARE,          /* v2/sw/request/{id}/chunk/{chunk}                        */
    TB_TOPIC_PROVISION,         /* /provision/request                                      */
    TB_TOPIC_GATEWAY,           /* v1/gateway/...                                          */
    TB_TOPIC_BAD_ID,            /* attributes or RPC whose id is no int >= 0: close        */
} tb_topic_kind_t;

typedef struct {
    tb_topic_kind_t kind;
    tb_family_t family;
    uint32_t id; /* 0 to 2^31 - 1 */
    uint32_t chunk;
} tb_topic_t;

tb_topic_t tb_topic_classify(const char *topic, size_t len);

/* What a server sends down. */
typedef enum {
    TB_DOWN_ATTRIBUTES = 0,     /* shared attributes changed or deleted; no id              */
    TB_DOWN_ATTRIBUTE_RESPONSE, /* id of the request                                        */
    TB_DOWN_RPC_REQUEST,        /* server-side RPC; id                                      */
    TB_DOWN_RPC_RESPONSE,       /* answer to a device-side RPC; id of the request           */
    TB_DOWN_FIRMWARE,           /* id and chunk of the request; the family does not matter  */
    TB_DOWN_SOFTWARE,
    TB_DOWN_FIRMWARE_ERROR, /* v2/fw/error, also for software, as ThingsBoard does it   */
    TB_DOWN_PROVISION,      /* /provision/response                                      */
} tb_down_t;

/* Builds the topic, NUL terminated. Returns its length. */
size_t tb_topic_build(char out[TB_TOPIC_MAX], tb_down_t down, tb_family_t family, uint32_t id,
                      uint32_t chunk);

/* ---- Subscriptions of one connection. ---- */

#define TB_SUBSCRIBE_REFUSED 0x80
#define TB_FILTER_COUNT      24

/* All zero is a connection without subscriptions. */
typedef struct {
    uint8_t granted[TB_FILTER_COUNT]; /* private: 0 not subscribed, else QoS + 1 */
    uint8_t attributes_family;        /* private: tb_family_t of the last such subscription */
    uint8_t rpc_family;
} tb_session_t;

/* Only exact filters are known (v1/devices/me/attributes, v1/devices/me/rpc/request/+, ...); `#`
   and every other one are refused. Returns the code for SUBACK: the QoS, at most 1, or
   TB_SUBSCRIBE_REFUSED. */
uint8_t tb_session_subscribe(tb_session_t *session, const char *filter, size_t len, uint8_t qos);

/* True when it was subscribed. UNSUBACK is sent either way. */
bool tb_session_unsubscribe(tb_session_t *session, const char *filter, size_t len);

/* Wants shared attribute pushes; wants server-side RPCs; and in which spelling. */
bool tb_session_wants_attributes(const tb_session_t *session, tb_family_t *family);
bool tb_session_wants_rpc(const tb_session_t *session, tb_family_t *family);

/* QoS for a message down: that of the matching subscription; 1 when there is none, for answers are
   sent whether or not the device subscribed to them. */
uint8_t tb_session_qos(const tb_session_t *session, tb_down_t down, tb_family_t family);

#endif

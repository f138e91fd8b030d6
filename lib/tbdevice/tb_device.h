/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tb_device: what a ThingsBoard server does with a message that a device publishes. Pure over a
 * table of functions that the cloud gives: nothing here knows a socket, a clock or a database.
 * Nothing blocks unless one of those functions does.
 *
 *     env = { .store = &table, .ctx = device, .now_ms = ..., .scratch = ..., .out = ... };
 *     answer = tb_device_publish(&session, &env, topic, payload, qos, &reply);
 *     TB_ACK      acknowledge once everything that was saved is committed, then send the reply
 *     TB_IGNORE   acknowledge (reply.reason in MQTT 5); nothing was kept
 *     TB_SILENT   do not acknowledge, stay connected
 *     TB_CLOSE    do not acknowledge; send the reply if there is one; close
 *     TB_FAILED   the store failed: do not acknowledge, close, so that the device sends it again
 *
 * Where the default is better than ThingsBoard, and TB_AS_THINGSBOARD is like it:
 *   telemetry "[]"                 default: TB_IGNORE         ThingsBoard: TB_SILENT
 *   a key that is empty or longer  default: TB_CLOSE, since   ThingsBoard: TB_IGNORE, and the whole
 *   than 255 characters            nothing of it is stored    message is lost silently
 *   v1/gateway/...                 default: TB_IGNORE         ThingsBoard: TB_SILENT
 *   an empty name in an attribute  default: that name is      ThingsBoard: TB_IGNORE and no answer
 *   request ("a,,b", ",a", "")     simply not found
 * Different in both modes:
 *   JSON is strict (tb_payload.h); a string with a NUL character: TB_CLOSE (ThingsBoard's database
 *   would refuse it after the PUBACK); protobuf topics (.../p): TB_CLOSE; an id in a topic that is
 *   negative: TB_CLOSE (ThingsBoard acknowledges and never answers).
 * The same: malformed JSON, a wrong root, `ts` or `values` of the wrong type, no number where an id
 * must be, a device-side RPC without method: TB_CLOSE. In MQTT 5 at QoS 1 that is TB_IGNORE with
 * reason 0x99, at QoS 0 TB_CLOSE with reason 0x99. Unknown topics: TB_IGNORE, reason 0x90. Without
 * a store function the message is acknowledged all the same, firmware apart. Not checked: that a
 * name stands only once in an attribute request (it is then answered twice), and that the device is
 * subscribed to what is answered (ThingsBoard answers regardless).
 */
#ifndef CRADLE_TBDEVICE_TB_DEVICE_H
#define CRADLE_TBDEVICE_TB_DEVICE_H

#include "tbdevice/tb_payload.h"
#include "tbdevice/tb_topic.h"

/* ThingsBoard's default limit on one MQTT message, told by getSessionLimits; a firmware chunk over
   it is refused. */
#define TB_PAYLOAD_MAX 65536

typedef enum { TB_ACK = 0, TB_IGNORE, TB_SILENT, TB_CLOSE, TB_FAILED } tb_answer_t;

enum {
    TB_AS_THINGSBOARD = 1u << 0, /* see above */
    TB_MQTT5 = 1u << 1,          /* the connection speaks MQTT 5 */
};

/* Given one attribute; false stops. */
typedef bool (*tb_attribute_fn)(void *each_ctx, const char *key, size_t key_len,
                                const tb_value_t *value);

/*
 * What the cloud provides; `ctx` is tb_env_t's. Any pointer may be NULL: then that service is not
 * offered, and what ThingsBoard does without it is done. Texts are good during the call only.
 */
typedef struct {
    /* One measured value; one client attribute. false: TB_FAILED. */
    bool (*save_point)(void *ctx, const tb_point_t *point);
    bool (*save_attribute)(void *ctx, const tb_point_t *attribute);

    /* Calls `each` for the attribute `key` of the scope if there is one; for all of the scope when
       `key` is NULL. false: reading failed; then there is no answer to the device. */
    bool (*read_attributes)(void *ctx, tb_scope_t scope, const char *key, size_t key_len,
                            tb_attribute_fn each, void *each_ctx);

    /* The device answers server-side RPC `id`. An unknown id is to be ignored. NULL: ignored. */
    void (*rpc_response)(void *ctx, uint32_t id, const char *payload, size_t len);

    /* The device calls: `params` is JSON text ("null" when absent). The answer is published later
       by the cloud (TB_DOWN_RPC_RESPONSE); nobody answering, {"error":"timeout"} after 60 s. */
    void (*rpc_request)(void *ctx, tb_family_t family, uint32_t id, const char *method,
                        const char *params, size_t params_len);

    /* secret NULL: the payload had none. duration_ms 0: the platform's default. */
    void (*claim)(void *ctx, const char *secret, int64_t duration_ms);

    /* The device asks for a chunk; `size` 0: the payload was empty. The cloud publishes
       TB_DOWN_FIRMWARE or _SOFTWARE after the PUBACK. false: nothing is assigned; then, and when
       this is NULL: v2/fw/error "NOT_FOUND", and close. */
    bool (*firmware)(void *ctx, bool software, uint32_t id, uint32_t chunk, uint32_t size);
} tb_store_t;

typedef struct {
    const tb_store_t *store;
    void *ctx;
    unsigned flags; /* TB_AS_THINGSBOARD, TB_MQTT5 */
    int64_t now_ms; /* time of receipt */
    char *scratch;  /* tb_scratch_size(payload_len) bytes */
    size_t scratch_cap;
    char *out; /* for the reply's payload: attribute answers can be as large as all attributes */
    size_t out_cap;
} tb_env_t;

typedef struct {
    bool present;
    char topic[TB_TOPIC_MAX];
    const char *payload; /* in env.out, or static */
    size_t len;
    uint8_t qos;
    uint8_t reason;  /* MQTT 5: for PUBACK or DISCONNECT */
    const char *why; /* for the log: a static text when the message was not kept, else NULL */
} tb_reply_t;

/* `qos` is that of the PUBLISH. */
tb_answer_t tb_device_publish(const tb_session_t *session, const tb_env_t *env, const char *topic,
                              size_t topic_len, const char *payload, size_t len, uint8_t qos,
                              tb_reply_t *reply);

/* Payloads of messages down. For a push of changed shared attributes write an object of key and
   tb_value_put_json yourself: {"interval":30,"fw_title":"app"}. */

/* {"deleted":["a","b"]} */
void tb_put_deleted(json_writer_t *writer, const char *const *keys, size_t count);

/* {"method":"setLed","params":{"on":true}}; params NULL: null. `params` is copied unchecked. */
void tb_put_rpc_request(json_writer_t *writer, const char *method, const char *params,
                        size_t params_len);

/* {"error":"timeout"} */
void tb_put_rpc_error(json_writer_t *writer, const char *error);

#endif

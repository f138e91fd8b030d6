/* SPDX-License-Identifier: Apache-2.0 */
/* A published message on its way to the store, and the answer on its way back. */
#include "tbdevice/tb_device.h"

#include <string.h>

/* One message on its way through: what came in, and where the answer goes. */
typedef struct {
    const tb_session_t *session;
    const tb_env_t *env;
    tb_topic_t topic;
    const char *payload;
    size_t len;
    uint8_t qos;
    tb_reply_t *reply;
} message_t;

static bool is_mqtt5(const message_t *m)
{
    return (m->env->flags & TB_MQTT5) != 0;
}

static bool as_thingsboard(const message_t *m)
{
    return (m->env->flags & TB_AS_THINGSBOARD) != 0;
}

/* A payload that cannot be used: MQTT 5 at QoS 1 can say so, everything else is closed. */
static tb_answer_t invalid(const message_t *m, const char *why)
{
    m->reply->why = why;
    m->reply->reason = 0x99;
    return is_mqtt5(m) && m->qos > 0 ? TB_IGNORE : TB_CLOSE;
}

static tb_answer_t ignored(const message_t *m, const char *why)
{
    m->reply->why = why;
    return TB_IGNORE;
}

static void set_reply(const message_t *m, tb_down_t down, const char *payload, size_t len)
{
    tb_reply_t *reply = m->reply;
    reply->present = true;
    tb_topic_build(reply->topic, down, m->topic.family, m->topic.id, m->topic.chunk);
    reply->payload = payload;
    reply->len = len;
    reply->qos = tb_session_qos(m->session, down, m->topic.family);
}

/* ---- telemetry and attributes ---- */

static tb_answer_t parsed(const message_t *m, tb_parse_t result)
{
    switch (result) {
    case TB_PARSE_OK:
        return TB_ACK;
    case TB_PARSE_EMPTY_ARRAY:
        m->reply->why = tb_parse_text(result);
        return as_thingsboard(m) ? TB_SILENT : TB_IGNORE;
    case TB_PARSE_BAD_KEY:
        return as_thingsboard(m) ? ignored(m, tb_parse_text(result))
                                 : invalid(m, tb_parse_text(result));
    case TB_PARSE_STOPPED:
    case TB_PARSE_NO_SCRATCH:
        m->reply->why = tb_parse_text(result);
        return TB_FAILED;
    default:
        return invalid(m, tb_parse_text(result));
    }
}

static tb_answer_t save(const message_t *m, bool attributes)
{
    const tb_env_t *env = m->env;
    tb_point_fn each = attributes ? env->store->save_attribute : env->store->save_point;
    tb_parse_t result = attributes
                            ? tb_parse_attributes(m->payload, m->len, 0, env->now_ms, env->scratch,
                                                  env->scratch_cap, each, env->ctx, NULL)
                            : tb_parse_telemetry(m->payload, m->len, 0, env->now_ms, env->scratch,
                                                 env->scratch_cap, each, env->ctx, NULL);
    return parsed(m, result);
}

/* ---- attribute requests ---- */

/* Writes the members of one section; opens it at the first, for an empty one is left out. */
typedef struct {
    json_writer_t *writer;
    const char *section;
    bool open;
} section_t;

static bool put_attribute(void *ctx, const char *key, size_t key_len, const tb_value_t *value)
{
    section_t *section = ctx;
    if (!section->open) {
        json_key(section->writer, section->section);
        json_object(section->writer);
        section->open = true;
    }
    json_key_n(section->writer, key, key_len);
    tb_value_put_json(section->writer, value);
    return !section->writer->bad;
}

/* One section of the answer: all attributes of the scope when `names` is NULL, else those of the
   list "a,b". Spaces around a comma are part of a name, as at ThingsBoard. */
static bool put_section(const message_t *m, section_t *section, tb_scope_t scope, const char *names,
                        size_t len)
{
    const tb_env_t *env = m->env;
    if (names == NULL) {
        return env->store->read_attributes(env->ctx, scope, NULL, 0, put_attribute, section);
    }
    for (size_t from = 0; from <= len;) {
        const char *comma = memchr(names + from, ',', len - from);
        size_t end = comma != NULL ? (size_t)(comma - names) : len;
        if (end > from && end - from <= TB_KEY_BYTES_MAX &&
            !env->store->read_attributes(env->ctx, scope, names + from, end - from, put_attribute,
                                         section)) {
            return false;
        }
        from = end + 1;
    }
    return true;
}

/* The list of names of one scope: absent, or decoded into `out`. False: not a string. */
static bool read_names(const message_t *m, const char *member, char *out, size_t cap,
                       const char **names, size_t *len)
{
    json_token_t token;
    *names = NULL;
    if (!json_find(m->payload, m->len, member, &token)) {
        return true;
    }
    if (!json_string(&token, out, cap, len)) {
        return false;
    }
    *names = out;
    return true;
}

/* Java's split drops empty names at the end of a list, so those do not count. */
static bool has_empty_name(const char *names, size_t len)
{
    if (names == NULL) {
        return false;
    }
    while (len > 1 && names[len - 1] == ',') {
        len--;
    }
    for (size_t i = 0; i + 1 < len; i++) {
        if (names[i] == ',' && names[i + 1] == ',') {
            return true;
        }
    }
    return len == 0 || names[0] == ',';
}

/* No list at all asks for everything; one list alone for nothing of the other scope. */
static bool build_answer(const message_t *m, const char *client, size_t client_len,
                         const char *shared, size_t shared_len, size_t *len)
{
    const struct {
        tb_scope_t scope;
        const char *section;
        const char *names;
        size_t names_len;
    } parts[] = {{TB_CLIENT_SCOPE, "client", client, client_len},
                 {TB_SHARED_SCOPE, "shared", shared, shared_len}};
    bool all = client == NULL && shared == NULL;
    json_writer_t writer;
    json_writer_init(&writer, m->env->out, m->env->out_cap);
    json_object(&writer);
    for (size_t i = 0; i < 2; i++) {
        section_t section = {.writer = &writer, .section = parts[i].section};
        if ((all || parts[i].names != NULL) &&
            !put_section(m, &section, parts[i].scope, parts[i].names, parts[i].names_len)) {
            return false;
        }
        if (section.open) {
            json_end(&writer);
        }
    }
    json_end(&writer);
    return json_writer_done(&writer, len);
}

static tb_answer_t attribute_request(const message_t *m)
{
    const tb_env_t *env = m->env;
    json_token_t root;
    const char *client;
    const char *shared;
    size_t client_len = 0;
    size_t shared_len = 0;
    if (!json_find(m->payload, m->len, "", &root) || root.type != JSON_OBJECT) {
        return invalid(m, "an attribute request is not a JSON object");
    }
    size_t half = env->scratch_cap / 2;
    if (!read_names(m, "clientKeys", env->scratch, half, &client, &client_len) ||
        !read_names(m, "sharedKeys", env->scratch + half, half, &shared, &shared_len)) {
        return invalid(m, "clientKeys or sharedKeys is not a string");
    }
    if (as_thingsboard(m) &&
        (has_empty_name(client, client_len) || has_empty_name(shared, shared_len))) {
        return ignored(m, "an empty name in an attribute request");
    }
    if (env->store->read_attributes == NULL) {
        return TB_ACK;
    }
    size_t answer_len;
    if (!build_answer(m, client, client_len, shared, shared_len, &answer_len)) {
        return ignored(m, "the attributes could not be read, or are too large for one message");
    }
    set_reply(m, TB_DOWN_ATTRIBUTE_RESPONSE, env->out, answer_len);
    return TB_ACK;
}

/* ---- remote procedure calls, claims, firmware ---- */

static tb_answer_t rpc_request(const message_t *m)
{
    /* TB_PAYLOAD_MAX, and what lib/mqtt's server lets wait for its PUBACK. */
    static const char limits[] =
        "{\"maxPayloadSize\":65536,\"maxInflightMessages\":100,\"rateLimits\":{\"messages\":null,"
        "\"telemetryMessages\":null,\"telemetryDataPoints\":null}}";
    const tb_env_t *env = m->env;
    json_token_t method;
    json_token_t params;
    if (!json_valid(m->payload, m->len)) {
        return invalid(m, "a device-side RPC is not JSON");
    }
    if (!json_find(m->payload, m->len, "method", &method) ||
        !json_string(&method, env->scratch, env->scratch_cap, NULL)) {
        return invalid(m, "a device-side RPC has no method");
    }
    if (strcmp(env->scratch, "getSessionLimits") == 0 && m->topic.family == TB_V1) {
        set_reply(m, TB_DOWN_RPC_RESPONSE, limits, sizeof limits - 1);
        return TB_ACK;
    }
    if (!json_find(m->payload, m->len, "params", &params)) {
        params = (json_token_t){.type = JSON_NULL, .text = "null", .len = 4};
    } else if (params.type == JSON_STRING) {
        params.text--; /* the quotes belong to the value */
        params.len += 2;
    }
    if (env->store->rpc_request != NULL) {
        env->store->rpc_request(env->ctx, m->topic.family, m->topic.id, env->scratch, params.text,
                                params.len);
    }
    return TB_ACK;
}

static tb_answer_t rpc_response(const message_t *m)
{
    if (m->env->store->rpc_response != NULL) {
        m->env->store->rpc_response(m->env->ctx, m->topic.id, m->payload, m->len);
    }
    return TB_ACK;
}

static tb_answer_t claim(const message_t *m)
{
    const tb_env_t *env = m->env;
    json_token_t token;
    const char *secret = NULL;
    int64_t duration = 0;
    if (m->len > 0 && (!json_find(m->payload, m->len, "", &token) || token.type != JSON_OBJECT)) {
        return invalid(m, "a claim is not a JSON object");
    }
    if (m->len > 0 && json_find(m->payload, m->len, "secretKey", &token)) {
        if (!json_string(&token, env->scratch, env->scratch_cap, NULL)) {
            return invalid(m, "the secretKey of a claim is not a string");
        }
        secret = env->scratch;
    }
    if (m->len > 0 && json_find(m->payload, m->len, "durationMs", &token) &&
        (!json_i64(&token, &duration) || duration < 0)) {
        duration = 0;
    }
    if (env->store->claim != NULL) {
        env->store->claim(env->ctx, secret, duration);
    }
    return TB_ACK;
}

/* The payload is the size of a chunk in decimal digits, or empty. */
static bool read_size(const message_t *m, uint32_t *size)
{
    *size = 0;
    for (size_t i = 0; i < m->len; i++) {
        if (m->payload[i] < '0' || m->payload[i] > '9' || *size > 100000000) {
            return false;
        }
        *size = *size * 10 + (uint32_t)(m->payload[i] - '0');
    }
    return true;
}

static tb_answer_t firmware_error(const message_t *m, const char *text)
{
    set_reply(m, TB_DOWN_FIRMWARE_ERROR, text, strlen(text));
    m->reply->why = text;
    m->reply->reason = 0x83;
    return TB_CLOSE;
}

static tb_answer_t firmware(const message_t *m)
{
    const tb_env_t *env = m->env;
    uint32_t size;
    if (!read_size(m, &size)) {
        m->reply->why = "the size of a chunk is not a number";
        m->reply->reason = 0x8b;
        return TB_CLOSE;
    }
    if (size > TB_PAYLOAD_MAX) {
        return firmware_error(m, "PAYLOAD_TOO_LARGE");
    }
    bool software = m->topic.kind == TB_TOPIC_SOFTWARE;
    if (env->store->firmware == NULL ||
        !env->store->firmware(env->ctx, software, m->topic.id, m->topic.chunk, size)) {
        return firmware_error(m, "NOT_FOUND");
    }
    return TB_ACK;
}

/* ---- the way in ---- */

tb_answer_t tb_device_publish(const tb_session_t *session, const tb_env_t *env, const char *topic,
                              size_t topic_len, const char *payload, size_t len, uint8_t qos,
                              tb_reply_t *reply)
{
    const message_t m = {session, env,  tb_topic_classify(topic, topic_len), payload, len,
                         qos,     reply};
    *reply = (tb_reply_t){0};
    if (m.topic.family == TB_V2_PROTO) {
        return invalid(&m, "protobuf payloads are not understood");
    }
    switch (m.topic.kind) {
    case TB_TOPIC_TELEMETRY:
        return save(&m, false);
    case TB_TOPIC_ATTRIBUTES:
        return save(&m, true);
    case TB_TOPIC_ATTRIBUTE_REQUEST:
        return attribute_request(&m);
    case TB_TOPIC_RPC_RESPONSE:
        return rpc_response(&m);
    case TB_TOPIC_RPC_REQUEST:
        return rpc_request(&m);
    case TB_TOPIC_CLAIM:
        return claim(&m);
    case TB_TOPIC_FIRMWARE:
    case TB_TOPIC_SOFTWARE:
        return firmware(&m);
    case TB_TOPIC_BAD_ID:
        return invalid(&m, "the id in the topic is not a number");
    case TB_TOPIC_GATEWAY:
        reply->why = "a gateway topic from a device that is none";
        return as_thingsboard(&m) ? TB_SILENT : TB_IGNORE;
    case TB_TOPIC_PROVISION:
    case TB_TOPIC_OTHER:
    default:
        reply->reason = 0x90;
        return ignored(&m, "an unknown topic");
    }
}

/* ---- payloads down ---- */

void tb_put_deleted(json_writer_t *writer, const char *const *keys, size_t count)
{
    json_object(writer);
    json_key(writer, "deleted");
    json_array(writer);
    for (size_t i = 0; i < count; i++) {
        json_put_string(writer, keys[i]);
    }
    json_end(writer);
    json_end(writer);
}

void tb_put_rpc_request(json_writer_t *writer, const char *method, const char *params,
                        size_t params_len)
{
    json_object(writer);
    json_key(writer, "method");
    json_put_string(writer, method);
    json_key(writer, "params");
    if (params == NULL) {
        json_put_null(writer);
    } else {
        json_put_raw(writer, params, params_len);
    }
    json_end(writer);
}

void tb_put_rpc_error(json_writer_t *writer, const char *error)
{
    json_object(writer);
    json_key(writer, "error");
    json_put_string(writer, error);
    json_end(writer);
}

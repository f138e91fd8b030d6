/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte is flags and QoS, the first line the topic, the rest the payload. Nothing may be
   delivered of a message that is refused, what is delivered must be storable and printable, and a
   JSON reply must be JSON. Scratch memory is exactly as large as promised. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json/utf8.h"
#include "tbdevice/tb_device.h"

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

typedef struct {
    size_t points;
    size_t stop_after;
} sink_t;

static void check_text(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = utf8_length(text + i, len - i);
        require(n > 0 && text[i] != '\0');
        i += n;
    }
}

static bool take_point(void *ctx, const tb_point_t *p)
{
    sink_t *sink = ctx;
    char scratch[TB_NUMBER_TEXT_MAX];
    const char *text;
    size_t len;
    if (sink->points == sink->stop_after) {
        return false;
    }
    sink->points++;
    require(p->key_len >= 1 && p->key_len <= TB_KEY_BYTES_MAX);
    check_text(p->key, p->key_len);
    tb_value_to_text(&p->value, scratch, &text, &len);
    check_text(text, len);
    if (p->value.type == TB_JSON) {
        require(json_valid(text, len));
    } else if (p->value.type == TB_DOUBLE) {
        require(isfinite(p->value.u.d) && strtod(text, NULL) == p->value.u.d);
    }
    return true;
}

static bool read_attributes(void *ctx, tb_scope_t scope, const char *key, size_t key_len,
                            tb_attribute_fn each, void *each_ctx)
{
    const tb_value_t value = {.type = TB_STRING, .text = "v", .len = 1};
    (void)ctx;
    if (key == NULL) {
        return each(each_ctx, "all", 3, &value);
    }
    check_text(key, key_len);
    return scope == TB_SERVER_SCOPE || each(each_ctx, key, key_len, &value);
}

static void rpc_request(void *ctx, tb_family_t family, uint32_t id, const char *method,
                        const char *params, size_t params_len)
{
    (void)ctx;
    require(family <= TB_V2_JSON && id <= INT32_MAX);
    check_text(method, strlen(method));
    require(json_valid(params, params_len));
}

static void claim(void *ctx, const char *secret, int64_t duration_ms)
{
    (void)ctx;
    if (secret != NULL) {
        check_text(secret, strlen(secret));
    }
    require(duration_ms >= 0);
}

static bool firmware(void *ctx, bool software, uint32_t id, uint32_t chunk, uint32_t size)
{
    (void)ctx;
    require(size <= TB_PAYLOAD_MAX && id <= INT32_MAX && chunk <= INT32_MAX);
    return software;
}

static void check_reply(const tb_reply_t *reply, const char *out)
{
    if (!reply->present) {
        return;
    }
    require(strlen(reply->topic) > 0 && strlen(reply->topic) < TB_TOPIC_MAX && reply->qos <= 1);
    if (reply->payload == out) {
        require(json_valid(reply->payload, reply->len));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const tb_store_t store = {.save_point = take_point,
                                     .save_attribute = take_point,
                                     .read_attributes = read_attributes,
                                     .rpc_request = rpc_request,
                                     .claim = claim,
                                     .firmware = firmware};
    static char out[2048];
    tb_session_t session = {.rpc_family = TB_V1};
    tb_reply_t reply;
    if (size < 1) {
        return 0;
    }
    const char *topic = (const char *)data + 1;
    const char *line = memchr(topic, '\n', size - 1);
    size_t topic_len = line != NULL ? (size_t)(line - topic) : size - 1;
    size_t len = line != NULL ? size - 2 - topic_len : 0;
    char *payload = malloc(len + 1), *scratch = malloc(tb_scratch_size(len));
    require(payload != NULL && scratch != NULL);
    if (len > 0) {
        memcpy(payload, line + 1, len);
    }
    sink_t sink = {.stop_after = (data[0] & 8) != 0 ? 2 : SIZE_MAX};
    const tb_env_t env = {.store = &store,
                          .ctx = &sink,
                          .flags = data[0] & 3u,
                          .now_ms = 1,
                          .scratch = scratch,
                          .scratch_cap = tb_scratch_size(len),
                          .out = out,
                          .out_cap = sizeof out};
    tb_answer_t answer =
        tb_device_publish(&session, &env, topic, topic_len, payload, len, data[0] >> 2 & 1, &reply);
    require((unsigned)answer <= TB_FAILED);
    require(sink.points == 0 || answer == TB_ACK || (answer == TB_FAILED && sink.points == 2));
    require(answer == TB_ACK || reply.why != NULL);
    check_reply(&reply, out);
    uint8_t granted = tb_session_subscribe(&session, topic, topic_len, data[0] >> 4 & 3);
    require(granted <= 1 || granted == TB_SUBSCRIBE_REFUSED);
    require(tb_session_unsubscribe(&session, topic, topic_len) == (granted <= 1));
    free(payload);
    free(scratch);
    return 0;
}

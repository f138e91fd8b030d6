/* SPDX-License-Identifier: Apache-2.0 */
/* Topics to meanings, and meanings to topics. */
#include "tbdevice/tb_topic.h"

#include <string.h>

/* ---- small text tools ---- */

/* What is left of a topic while it is being recognised. */
typedef struct {
    const char *at;
    size_t len;
} rest_t;

static bool take(rest_t *rest, const char *prefix)
{
    size_t n = strlen(prefix);
    if (rest->len < n || memcmp(rest->at, prefix, n) != 0) {
        return false;
    }
    rest->at += n;
    rest->len -= n;
    return true;
}

/* Decimal digits up to the end or a '/'; false when there is none or it does not fit an int. */
static bool take_id(rest_t *rest, uint32_t *id)
{
    uint32_t value = 0;
    size_t n = 0;
    while (n < rest->len && rest->at[n] >= '0' && rest->at[n] <= '9') {
        uint32_t digit = (uint32_t)(rest->at[n] - '0');
        if (value > (INT32_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
        n++;
    }
    rest->at += n;
    rest->len -= n;
    *id = value;
    return n > 0;
}

/* ---- publish topics ---- */

static tb_topic_t only(tb_topic_kind_t kind, tb_family_t family)
{
    return (tb_topic_t){.kind = kind, .family = family};
}

/* "{id}" and nothing after it. */
static tb_topic_t with_id(rest_t rest, tb_topic_kind_t kind, tb_family_t family)
{
    tb_topic_t topic = {.kind = kind, .family = family};
    if (!take_id(&rest, &topic.id) || rest.len != 0) {
        return only(TB_TOPIC_BAD_ID, family);
    }
    return topic;
}

/* "{id}/chunk/{chunk}"; anything else is a topic that ThingsBoard does not know. */
static tb_topic_t with_chunk(rest_t rest, tb_topic_kind_t kind)
{
    tb_topic_t topic = {.kind = kind, .family = TB_V2};
    if (!take_id(&rest, &topic.id) || !take(&rest, "/chunk/") || !take_id(&rest, &topic.chunk) ||
        rest.len != 0) {
        return only(TB_TOPIC_OTHER, TB_V2);
    }
    return topic;
}

static tb_topic_t classify_v1(rest_t rest)
{
    rest_t r = rest;
    if (take(&r, "telemetry") && r.len == 0) {
        return only(TB_TOPIC_TELEMETRY, TB_V1);
    }
    r = rest;
    if (take(&r, "attributes/request/")) {
        return with_id(r, TB_TOPIC_ATTRIBUTE_REQUEST, TB_V1);
    }
    r = rest;
    if (take(&r, "attributes") && r.len == 0) {
        return only(TB_TOPIC_ATTRIBUTES, TB_V1);
    }
    r = rest;
    if (take(&r, "rpc/response/")) {
        return with_id(r, TB_TOPIC_RPC_RESPONSE, TB_V1);
    }
    r = rest;
    if (take(&r, "rpc/request/")) {
        return with_id(r, TB_TOPIC_RPC_REQUEST, TB_V1);
    }
    r = rest;
    if (take(&r, "claim") && r.len == 0) {
        return only(TB_TOPIC_CLAIM, TB_V1);
    }
    return only(TB_TOPIC_OTHER, TB_V1);
}

/* "j/" and "p/" in front of an id say how the payload is written; nothing says "as the profile". */
static tb_family_t take_format(rest_t *rest)
{
    if (take(rest, "j/")) {
        return TB_V2_JSON;
    }
    return take(rest, "p/") ? TB_V2_PROTO : TB_V2;
}

/* The end of v2/t and v2/a: nothing, /j or /p. */
static bool ends_in_format(rest_t rest, tb_family_t *family)
{
    *family = rest.len == 0 ? TB_V2 : take(&rest, "/j") ? TB_V2_JSON : TB_V2_PROTO;
    return rest.len == 0 || (*family == TB_V2_PROTO && take(&rest, "/p") && rest.len == 0);
}

static tb_topic_t classify_v2(rest_t rest)
{
    static const struct {
        const char *prefix;
        tb_topic_kind_t kind;
    } with_ids[] = {
        {"a/req/", TB_TOPIC_ATTRIBUTE_REQUEST},
        {"r/res/", TB_TOPIC_RPC_RESPONSE},
        {"r/req/", TB_TOPIC_RPC_REQUEST},
    };
    tb_family_t family;
    rest_t r = rest;
    if (take(&r, "t") && ends_in_format(r, &family)) {
        return only(TB_TOPIC_TELEMETRY, family);
    }
    r = rest;
    if (take(&r, "a") && ends_in_format(r, &family)) {
        return only(TB_TOPIC_ATTRIBUTES, family);
    }
    for (size_t i = 0; i < sizeof with_ids / sizeof with_ids[0]; i++) {
        r = rest;
        if (take(&r, with_ids[i].prefix)) {
            family = take_format(&r);
            return with_id(r, with_ids[i].kind, family);
        }
    }
    r = rest;
    if (take(&r, "fw/request/")) {
        return with_chunk(r, TB_TOPIC_FIRMWARE);
    }
    r = rest;
    if (take(&r, "sw/request/")) {
        return with_chunk(r, TB_TOPIC_SOFTWARE);
    }
    return only(TB_TOPIC_OTHER, TB_V2);
}

tb_topic_t tb_topic_classify(const char *topic, size_t len)
{
    rest_t rest = {topic, len};
    if (take(&rest, "v1/devices/me/")) {
        return classify_v1(rest);
    }
    if (take(&rest, "v2/")) {
        return classify_v2(rest);
    }
    if (take(&rest, "v1/gateway/")) {
        return only(TB_TOPIC_GATEWAY, TB_V1);
    }
    if (take(&rest, "/provision/request") && rest.len == 0) {
        return only(TB_TOPIC_PROVISION, TB_V1);
    }
    return only(TB_TOPIC_OTHER, TB_V1);
}

/* ---- topics down ---- */

static size_t append(char out[TB_TOPIC_MAX], size_t len, const char *text)
{
    size_t n = strlen(text);
    if (len + n >= TB_TOPIC_MAX) {
        return len; /* cannot be: the longest topic is far shorter */
    }
    memcpy(out + len, text, n + 1);
    return len + n;
}

static size_t append_number(char out[TB_TOPIC_MAX], size_t len, uint32_t number)
{
    char digits[11];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return append(out, len, digits + at);
}

size_t tb_topic_build(char out[TB_TOPIC_MAX], tb_down_t down, tb_family_t family, uint32_t id,
                      uint32_t chunk)
{
    static const char *const long_form[] = {
        [TB_DOWN_ATTRIBUTES] = "v1/devices/me/attributes",
        [TB_DOWN_ATTRIBUTE_RESPONSE] = "v1/devices/me/attributes/response/",
        [TB_DOWN_RPC_REQUEST] = "v1/devices/me/rpc/request/",
        [TB_DOWN_RPC_RESPONSE] = "v1/devices/me/rpc/response/",
        [TB_DOWN_FIRMWARE] = "v2/fw/response/",
        [TB_DOWN_SOFTWARE] = "v2/sw/response/",
        [TB_DOWN_FIRMWARE_ERROR] = "v2/fw/error",
        [TB_DOWN_PROVISION] = "/provision/response",
    };
    static const char *const short_form[] = {"v2/a", "v2/a/res/", "v2/r/req/", "v2/r/res/"};
    bool is_short = family != TB_V1 && down <= TB_DOWN_RPC_RESPONSE;
    size_t len = append(out, 0, is_short ? short_form[down] : long_form[down]);
    if (is_short && family != TB_V2) {
        len = append(out, len, down == TB_DOWN_ATTRIBUTES ? "/" : "");
        len = append(out, len, family == TB_V2_JSON ? "j" : "p");
        len = append(out, len, down == TB_DOWN_ATTRIBUTES ? "" : "/");
    }
    if (down >= TB_DOWN_ATTRIBUTE_RESPONSE && down <= TB_DOWN_SOFTWARE) {
        len = append_number(out, len, id);
    }
    if (down == TB_DOWN_FIRMWARE || down == TB_DOWN_SOFTWARE) {
        len = append(out, len, "/chunk/");
        len = append_number(out, len, chunk);
    }
    return len;
}

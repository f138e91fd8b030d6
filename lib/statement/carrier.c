/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "statement/carrier.h"
#include "statement/member.h"

#define METHOD_PREFIX "cradle."

static jws_result_t put(const char *text, size_t text_len, char *out, size_t cap, size_t *len)
{
    if (cap <= *len || cap - *len <= text_len) {
        return JWS_NO_ROOM;
    }
    memcpy(out + *len, text, text_len);
    *len += text_len;
    out[*len] = '\0';
    return JWS_OK;
}

jws_result_t carrier_begin_request(statement_method_t method, char *out, size_t cap, size_t *len)
{
    const char *parts[] = {"{\"method\":\"" METHOD_PREFIX, statement_method_name(method),
                           "\",\"params\":{\"s\":\""};
    jws_result_t result = JWS_OK;
    *len = 0;
    for (size_t i = 0; i < 3 && result == JWS_OK; i++) {
        result = put(parts[i], strlen(parts[i]), out, cap, len);
    }
    return (unsigned)method < STATEMENT_METHODS ? result : JWS_UNSUITABLE;
}

jws_result_t carrier_end_request(char *out, size_t cap, size_t *len)
{
    return put("\"}}", 3, out, cap, len);
}

jws_result_t carrier_write_reply(jws_text_t answer, jws_text_t bundle, char *out, size_t cap,
                                 size_t *len)
{
    *len = 0;
    if (!member_text_good(answer, ALPHABET_JWS, 1, JWS_ANSWER_MAX_RSA) ||
        !member_text_good(bundle, ALPHABET_JWS, 0, JWS_BUNDLE_MAX)) {
        return JWS_UNSUITABLE;
    }
    const jws_text_t parts[] = {jws_text("{\"a\":\""), answer, jws_text("\",\"b\":\""), bundle,
                                jws_text("\"}")};
    jws_result_t result = JWS_OK;
    for (size_t i = 0; i < 5 && result == JWS_OK; i++) {
        if (bundle.len > 0 || (i != 2 && i != 3)) {
            result = put(parts[i].text, parts[i].len, out, cap, len);
        }
    }
    if (result == JWS_OK && *len > CARRIER_REPLY_MAX) {
        result = JWS_TOO_LARGE;
    }
    return result;
}

typedef struct {
    jws_text_t method;
    jws_text_t params;
} request_t;

static const member_t REQUEST_ROWS[] = {
    {"method", MEMBER_TEXT, ALPHABET_PRINTABLE, 0, offsetof(request_t, method), 0, 64},
    {"params", MEMBER_RAW, 0, 0, offsetof(request_t, params), 0, 0},
};
static const member_table_t REQUEST = {REQUEST_ROWS, 2, false};

static const member_t PARAMS_ROWS[] = {
    {"s", MEMBER_TEXT, ALPHABET_JWS, 0, 0, 1, JWS_STATEMENT_MAX},
};
static const member_table_t PARAMS = {PARAMS_ROWS, 1, false};

jws_result_t carrier_read_request(const char *text, size_t len, statement_method_t *method,
                                  jws_text_t *statement)
{
    request_t request = {{NULL, 0}, {NULL, 0}};
    uint32_t seen;
    const char *fault;
    size_t prefix = strlen(METHOD_PREFIX);
    if (len > CARRIER_REQUEST_MAX) {
        return JWS_TOO_LARGE;
    }
    jws_result_t result = member_read(&REQUEST, text, len, NULL, &request, &seen, &fault);
    if (result == JWS_OK) {
        result = member_expect(&REQUEST, seen, 3, 0, &fault);
    }
    if (result != JWS_OK) {
        return result;
    }
    jws_text_t word = {request.method.text + prefix, request.method.len - prefix};
    if (request.method.len < prefix || memcmp(request.method.text, METHOD_PREFIX, prefix) != 0 ||
        !statement_method_parse(word, method)) {
        return JWS_METHOD;
    }
    result = member_read(&PARAMS, request.params.text, request.params.len, NULL, statement, &seen,
                         &fault);
    return result != JWS_OK ? result : member_expect(&PARAMS, seen, 1, 0, &fault);
}

typedef struct {
    jws_text_t answer;
    jws_text_t bundle;
} reply_t;

static const member_t REPLY_ROWS[] = {
    {"a", MEMBER_TEXT, ALPHABET_JWS, 0, offsetof(reply_t, answer), 1, JWS_ANSWER_MAX_RSA},
    {"b", MEMBER_TEXT, ALPHABET_JWS, 0, offsetof(reply_t, bundle), 1, JWS_BUNDLE_MAX},
};
static const member_table_t REPLY = {REPLY_ROWS, 2, false};

jws_result_t carrier_read_reply(const char *text, size_t len, jws_text_t *answer,
                                jws_text_t *bundle)
{
    reply_t reply = {{NULL, 0}, {NULL, 0}};
    uint32_t seen;
    const char *fault;
    if (len > CARRIER_REPLY_MAX) {
        return JWS_TOO_LARGE;
    }
    jws_result_t result = member_read(&REPLY, text, len, NULL, &reply, &seen, &fault);
    if (result == JWS_OK) {
        result = member_expect(&REPLY, seen, 1, 2, &fault);
    }
    if (result == JWS_OK) {
        *answer = reply.answer;
        *bundle = reply.bundle;
    }
    return result;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/bytes.h"
#include "statement/jws.h"
#include "statement/jws_header.h"

/* Longest header, base64url; ours have at most 136 letters. */
#define HEADER_MAX 256

const char *jws_result_text(jws_result_t result)
{
    switch (result) {
    case JWS_OK:
        return "no error";
    case JWS_TOO_LARGE:
        return "it is larger than its kind may be";
    case JWS_MALFORMED:
        return "it is not three parts of base64url without padding";
    case JWS_NOT_JSON:
        return "header or payload is not a JSON object";
    case JWS_HEADER:
        return "its header has a member too many, too few, or one that cannot be read";
    case JWS_ALGORITHM:
        return "its algorithm is not one for this kind";
    case JWS_TYPE:
        return "its type is that of another kind";
    case JWS_SIGNATURE:
        return "its signature has not the size that its algorithm wants";
    case JWS_VERSION:
        return "its version is not 1";
    case JWS_METHOD:
        return "it has no known method";
    case JWS_RESULT:
        return "its result does not belong to its method";
    case JWS_MISSING:
        return "a member is missing";
    case JWS_TWICE:
        return "a member is there twice";
    case JWS_MEMBER:
        return "a member has the wrong type, length or alphabet";
    case JWS_MISPLACED:
        return "a member does not belong there";
    case JWS_NO_ROOM:
        return "the buffer is too small";
    case JWS_UNSUITABLE:
        return "it would hold something that its reader refuses";
    default:
        return "unknown error";
    }
}

const char *jws_alg_name(jws_alg_t alg)
{
    return alg == JWS_ES256   ? "ES256"
           : alg == JWS_RS256 ? "RS256"
           : alg == JWS_HS256 ? "HS256"
                              : "none";
}

jws_text_t jws_text(const char *text)
{
    jws_text_t slice = {text, text != NULL ? strlen(text) : 0};
    return slice;
}

bool jws_text_equal(jws_text_t a, jws_text_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.text, b.text, a.len) == 0);
}

/* Splits at the two dots; false unless there are exactly two and no part is empty. */
static bool split(jws_t *jws, const char *text, size_t len, jws_text_t *header)
{
    const char *end = text + len;
    const char *first = memchr(text, '.', len);
    const char *second = first != NULL ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    if (second == NULL || memchr(second + 1, '.', (size_t)(end - second - 1)) != NULL) {
        return false;
    }
    header->text = text;
    header->len = (size_t)(first - text);
    jws->text = text;
    jws->signing_len = (size_t)(second - text);
    jws->payload.text = first + 1;
    jws->payload.len = (size_t)(second - first - 1);
    jws->signature.text = second + 1;
    jws->signature.len = (size_t)(end - second - 1);
    return header->len > 0 && jws->payload.len > 0 && jws->signature.len > 0;
}

jws_result_t jws_open(jws_kind_t kind, const char *text, size_t len, jws_t *jws)
{
    char decoded[HEADER_MAX / 4 * 3];
    jws_text_t header;
    memset(jws, 0, sizeof(*jws));
    jws->kind = kind;
    if (len > jws_kind_max(kind)) {
        return JWS_TOO_LARGE;
    }
    if (len == 0 || !split(jws, text, len, &header)) {
        return JWS_MALFORMED;
    }
    if (header.len > HEADER_MAX) {
        return JWS_HEADER;
    }
    if (!bytes_from_base64url(header.text, header.len, decoded, sizeof(decoded), &len)) {
        return JWS_MALFORMED;
    }
    jws_result_t result = jws_header_read(jws, decoded, len);
    if (result == JWS_OK && !jws_signature_fits(jws->alg, jws->signature.len)) {
        result = JWS_SIGNATURE;
    }
    return result;
}

jws_result_t jws_signature(const jws_t *jws, uint8_t *out, size_t cap, size_t *len)
{
    *len = 0;
    if (cap < jws->signature.len / 4 * 3 + jws->signature.len % 4 * 3 / 4) {
        return JWS_NO_ROOM;
    }
    if (!bytes_from_base64url(jws->signature.text, jws->signature.len, out, cap, len)) {
        *len = 0;
        return JWS_MALFORMED;
    }
    return JWS_OK;
}

jws_result_t jws_append(char *text, size_t cap, size_t *len, const void *sig, size_t sig_len)
{
    if (cap <= *len || cap - *len <= 1 ||
        !bytes_to_base64url(sig, sig_len, text + *len + 1, cap - *len - 1)) {
        return JWS_NO_ROOM;
    }
    text[*len] = '.';
    *len += 1 + (4 * sig_len + 2) / 3;
    return JWS_OK;
}

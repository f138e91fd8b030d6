/* SPDX-License-Identifier: Apache-2.0 */
/* ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER } and r | s. */
#include <string.h>

#include "statement/jws.h"

#define HALF (JWS_ES256_SIZE / 2)

/* One INTEGER at *at into 32 bytes, in the shortest form that DER allows. */
static bool take_integer(const uint8_t **at, const uint8_t *end, uint8_t out[HALF])
{
    const uint8_t *p = *at;
    if (end - p < 3 || p[0] != 0x02 || p[1] == 0 || p[1] > HALF + 1 || end - p - 2 < p[1]) {
        return false;
    }
    size_t len = p[1];
    p += 2;
    *at = p + len;
    if ((p[0] & 0x80) != 0 || (p[0] == 0 && len > 1 && (p[1] & 0x80) == 0)) {
        return false; /* negative, or a zero too many */
    }
    if (p[0] == 0) {
        p++;
        len--;
    }
    if (len == 0 || len > HALF) { /* r and s are never 0 */
        return false;
    }
    memset(out, 0, HALF - len);
    memcpy(out + HALF - len, p, len);
    return true;
}

bool jws_es256_from_der(const uint8_t *der, size_t len, uint8_t raw[JWS_ES256_SIZE])
{
    const uint8_t *end = der + len;
    if (len < 2 || len > JWS_ES256_DER_MAX || der[0] != 0x30 || der[1] != len - 2) {
        return false;
    }
    der += 2;
    return take_integer(&der, end, raw) && take_integer(&der, end, raw + HALF) && der == end;
}

static size_t put_integer(const uint8_t in[HALF], uint8_t *out)
{
    size_t skip = 0;
    while (skip < HALF - 1 && in[skip] == 0) {
        skip++;
    }
    size_t pad = (in[skip] & 0x80) != 0;
    size_t len = HALF - skip + pad;
    out[0] = 0x02;
    out[1] = (uint8_t)len;
    out[2] = 0;
    memcpy(out + 2 + pad, in + skip, HALF - skip);
    return 2 + len;
}

size_t jws_es256_to_der(const uint8_t raw[JWS_ES256_SIZE], uint8_t out[JWS_ES256_DER_MAX])
{
    size_t len = put_integer(raw, out + 2);
    len += put_integer(raw + HALF, out + 2 + len);
    out[0] = 0x30;
    out[1] = (uint8_t)len;
    return 2 + len;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a checkpoint. Bit 0 of the first byte: the rest is the payload of one with a good
 * signature, so that what comes behind it is reached. What is read must be written the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "custody/point.h"
#include "pki/key.h"
#include "statement/jws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SITE "00112233445566778899aabbccddeeff"

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static pki_signer_t *signer(void)
{
    static pki_signer_t *made;
    EVP_PKEY *key;
    if (made == NULL) {
        require(pki_key_generate(PKI_KEY_P256, &key, NULL) &&
                pki_signer_from_key(key, &made, NULL));
        pki_key_free(key);
    }
    return made;
}

/* The header that our key's checkpoints have, then the payload, then a good signature. */
static size_t wrap(const uint8_t *body, size_t size, char out[2 * CUSTODY_POINT_MAX])
{
    static char empty[CUSTODY_POINT_MAX];
    custody_point_t point = {.site = SITE};
    uint8_t der[PKI_SIGNATURE_MAX], raw[JWS_ES256_SIZE];
    size_t len, at;
    require(custody_point_sign(&point, signer(), empty, &len, NULL));
    at = (size_t)(strchr(empty, '.') + 1 - empty);
    memcpy(out, empty, at);
    require(bytes_to_base64url(body, size, out + at, CUSTODY_POINT_MAX));
    at += strlen(out + at);
    require(pki_signer_sign(signer(), out, at, der, sizeof der, &len, NULL) &&
            jws_es256_from_der(der, len, raw));
    out[at++] = '.';
    require(bytes_to_base64url(raw, sizeof raw, out + at, 128));
    return at + strlen(out + at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[2 * CUSTODY_POINT_MAX];
    static char again[CUSTODY_POINT_MAX];
    custody_point_t point;
    size_t len = size == 0 ? 0 : size - 1;
    if (size == 0 || len > CUSTODY_POINT_MAX / 2) {
        return 0;
    }
    if ((data[0] & 1) != 0) {
        len = wrap(data + 1, len, text);
    } else {
        memcpy(text, data + 1, len);
    }
    if (custody_point_read(text, len, pki_signer_public(signer()), SITE, &point, NULL)) {
        size_t again_len;
        require(custody_point_sign(&point, signer(), again, &again_len, NULL));
        /* ECDSA is not the same twice; what it signs is. */
        const char *end = strrchr(again, '.');
        require(memcmp(text, again, (size_t)(end - again)) == 0);
    }
    return 0;
}

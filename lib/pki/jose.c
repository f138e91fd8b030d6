/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/jose.h"

#include <string.h>
#include <openssl/evp.h>

#include "base/bytes.h"

static jws_alg_t alg_of(const EVP_PKEY *key)
{
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? JWS_RS256 : JWS_ES256;
}

bool pki_jose_sign(const pki_signer_t *signer, const void *data, size_t len,
                   uint8_t out[PKI_SIGNATURE_MAX], size_t *out_len, err_t *err)
{
    uint8_t raw[JWS_ES256_SIZE];
    if (!pki_signer_sign(signer, data, len, out, PKI_SIGNATURE_MAX, out_len, err)) {
        return false;
    }
    if (alg_of(pki_signer_public(signer)) == JWS_RS256) {
        return true;
    }
    if (!jws_es256_from_der(out, *out_len, raw)) {
        return err_set(err, ERR_INPUT, "the key that signs is neither a P-256 nor an RSA key");
    }
    memcpy(out, raw, sizeof raw);
    *out_len = sizeof raw;
    return true;
}

bool pki_jose_verify(EVP_PKEY *key, const void *data, size_t len, const uint8_t *sig,
                     size_t sig_len)
{
    uint8_t der[JWS_ES256_DER_MAX];
    if (alg_of(key) == JWS_RS256) {
        return pki_verify(key, data, len, sig, sig_len);
    }
    return sig_len == JWS_ES256_SIZE && pki_verify(key, data, len, der, jws_es256_to_der(sig, der));
}

bool pki_jose_append(const pki_signer_t *signer, char *text, size_t cap, size_t *len, err_t *err)
{
    uint8_t sig[PKI_SIGNATURE_MAX];
    size_t sig_len;
    if (!pki_jose_sign(signer, text, *len, sig, &sig_len, err)) {
        return false;
    }
    if (cap - *len < 2 || !bytes_to_base64url(sig, sig_len, text + *len + 1, cap - *len - 1)) {
        return err_set(err, ERR_USAGE, "what is to be signed does not fit its buffer of %zu bytes",
                       cap);
    }
    text[*len] = '.';
    *len += strlen(text + *len);
    return true;
}

bool pki_jose_good(EVP_PKEY *key, const jws_t *jws)
{
    uint8_t sig[JWS_RS256_MAX];
    size_t len;
    return jws->alg == alg_of(key) && jws_signature(jws, sig, sizeof sig, &len) == JWS_OK &&
           pki_jose_verify(key, jws->text, jws->signing_len, sig, len);
}

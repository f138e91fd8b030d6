/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/p256.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "base/bytes.h"

#define SCALAR   32
#define LINE     64 /* characters in a line of PEM (RFC 7468 section 2) */
#define DER_SIZE 138
#define B64_SIZE (4 * ((DER_SIZE + 2) / 3)) /* 184: two full lines and one of 56 */

static const char begin_line[] = "-----BEGIN PRIVATE KEY-----\n";
static const char end_line[] = "-----END PRIVATE KEY-----\n";

/* PrivateKeyInfo { 0, { id-ecPublicKey, prime256v1 }, OCTET STRING { ECPrivateKey { 1, */
static const uint8_t head[] = {0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06,
                               0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
                               0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
                               0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20};
/* the scalar, then [1] BIT STRING { */
static const uint8_t middle[] = {0xa1, 0x44, 0x03, 0x42, 0x00};
/* SubjectPublicKeyInfo { { id-ecPublicKey, prime256v1 }, BIT STRING { */
static const uint8_t spki_head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                    0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};

_Static_assert(sizeof head + SCALAR + sizeof middle + PKI_P256_POINT == DER_SIZE,
               "PKCS#8 of P-256");
_Static_assert(sizeof spki_head + PKI_P256_POINT == PKI_P256_SPKI, "SPKI of P-256");

static bool is_p256(const EVP_PKEY *key)
{
    char name[32];
    size_t len;
    return key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
           EVP_PKEY_get_group_name(key, name, sizeof name, &len) == 1 &&
           strcmp(name, "prime256v1") == 0;
}

bool pki_p256_point(const EVP_PKEY *key, uint8_t point[PKI_P256_POINT])
{
    size_t len = 0;
    return is_p256(key) &&
           EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, PKI_P256_POINT,
                                           &len) == 1 &&
           len == PKI_P256_POINT && point[0] == 4;
}

bool pki_p256_spki(const EVP_PKEY *key, uint8_t *out, size_t cap, size_t *len)
{
    uint8_t point[PKI_P256_POINT];
    if (cap < PKI_P256_SPKI || !pki_p256_point(key, point)) {
        return false;
    }
    memcpy(out, spki_head, sizeof spki_head);
    memcpy(out + sizeof spki_head, point, sizeof point);
    *len = PKI_P256_SPKI;
    return true;
}

static bool get_scalar(const EVP_PKEY *key, uint8_t scalar[SCALAR])
{
    BIGNUM *number = NULL;
    bool ok = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &number) == 1 &&
              BN_bn2binpad(number, scalar, SCALAR) == SCALAR;
    BN_clear_free(number);
    return ok;
}

static size_t put_pem(const uint8_t der[DER_SIZE], char *out)
{
    char base64[B64_SIZE + 1];
    bytes_to_base64(der, DER_SIZE, base64, sizeof base64);
    char *p = stpcpy(out, begin_line);
    for (size_t i = 0; i < B64_SIZE; i += LINE) {
        size_t n = B64_SIZE - i < LINE ? B64_SIZE - i : LINE;
        memcpy(p, base64 + i, n);
        p += n;
        *p++ = '\n';
    }
    p = stpcpy(p, end_line);
    bytes_wipe(base64, sizeof base64);
    return (size_t)(p - out);
}

bool pki_p256_format(const EVP_PKEY *key, char *out, size_t cap, size_t *len)
{
    uint8_t der[DER_SIZE];
    uint8_t *scalar = der + sizeof head;
    uint8_t *tail = scalar + SCALAR;
    if (cap < sizeof begin_line + sizeof end_line + B64_SIZE + 3 || !is_p256(key)) {
        return false;
    }
    memcpy(der, head, sizeof head);
    memcpy(tail, middle, sizeof middle);
    bool ok = get_scalar(key, scalar) && pki_p256_point(key, tail + sizeof middle);
    if (ok) {
        size_t n = put_pem(der, out);
        if (len != NULL) {
            *len = n;
        }
    } else {
        ERR_clear_error(); /* a public key has no scalar: the caller reports */
    }
    bytes_wipe(der, sizeof der);
    return ok;
}

/* The opposite of put_pem; any other length, line or byte is "not this form". */
static bool get_pem(const char *pem, size_t len, uint8_t der[DER_SIZE])
{
    const size_t lines = (B64_SIZE + LINE - 1) / LINE;
    const size_t begin_len = sizeof begin_line - 1;
    const size_t end_len = sizeof end_line - 1;
    char base64[B64_SIZE];
    size_t der_len;
    if (len != begin_len + B64_SIZE + lines + end_len || memcmp(pem, begin_line, begin_len) != 0 ||
        memcmp(pem + len - end_len, end_line, end_len) != 0) {
        return false;
    }
    const char *p = pem + begin_len;
    bool ok = true;
    for (size_t i = 0; ok && i < B64_SIZE; i += LINE) {
        size_t n = B64_SIZE - i < LINE ? B64_SIZE - i : LINE;
        memcpy(base64 + i, p, n);
        ok = p[n] == '\n';
        p += n + 1;
    }
    ok = ok && bytes_from_base64(base64, B64_SIZE, der, DER_SIZE, &der_len) && der_len == DER_SIZE;
    bytes_wipe(base64, sizeof base64);
    return ok;
}

/* A scalar of 0 or not below the group's order is no key. */
static bool scalar_in_range(const BIGNUM *scalar)
{
    static const uint8_t order[SCALAR] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
                                          0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                          0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                          0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    BIGNUM *limit = BN_bin2bn(order, sizeof order, NULL);
    bool ok = limit != NULL && !BN_is_zero(scalar) && BN_cmp(scalar, limit) < 0;
    BN_free(limit);
    return ok;
}

static EVP_PKEY *from_params(OSSL_PARAM *params)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1) {
        key = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *build_key(const uint8_t scalar[SCALAR], const uint8_t point[PKI_P256_POINT])
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = NULL;
    BIGNUM *number = BN_secure_new();
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (number != NULL && builder != NULL && BN_bin2bn(scalar, SCALAR, number) != NULL &&
        scalar_in_range(number) &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) ==
            1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, number) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, PKI_P256_POINT) ==
            1) {
        params = OSSL_PARAM_BLD_to_param(builder);
    }
    if (params != NULL) {
        key = from_params(params);
    }
    OSSL_PARAM_free(params); /* a secure BIGNUM makes a secure block, which is wiped here */
    OSSL_PARAM_BLD_free(builder);
    BN_clear_free(number);
    return key;
}

EVP_PKEY *pki_p256_parse(const char *pem, size_t len)
{
    uint8_t der[DER_SIZE];
    const uint8_t *scalar = der + sizeof head;
    const uint8_t *tail = scalar + SCALAR;
    EVP_PKEY *key = NULL;
    if (get_pem(pem, len, der) && memcmp(der, head, sizeof head) == 0 &&
        memcmp(tail, middle, sizeof middle) == 0) {
        key = build_key(scalar, tail + sizeof middle);
        if (key == NULL) {
            ERR_clear_error(); /* OpenSSL's decoder will say what is wrong */
        }
    }
    bytes_wipe(der, sizeof der);
    return key;
}

/* Made once: it takes as long as a signature. Only read afterwards, by any thread. */
static EC_GROUP *group;

static void make_group(void)
{
    group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
}

/* The scalar times the generator, in constant time, as for a key that is made. */
static bool scalar_makes(const uint8_t scalar[SCALAR], const uint8_t point[PKI_P256_POINT])
{
    uint8_t made[PKI_P256_POINT];
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_group);
    EC_POINT *result = group != NULL ? EC_POINT_new(group) : NULL;
    BIGNUM *number = BN_secure_new();
    bool ok =
        result != NULL && number != NULL && BN_bin2bn(scalar, SCALAR, number) != NULL &&
        scalar_in_range(number) && EC_POINT_mul(group, result, number, NULL, NULL, NULL) == 1 &&
        EC_POINT_point2oct(group, result, POINT_CONVERSION_UNCOMPRESSED, made, sizeof made, NULL) ==
            sizeof made &&
        memcmp(made, point, sizeof made) == 0;
    BN_clear_free(number);
    EC_POINT_clear_free(result);
    return ok;
}

bool pki_p256_makes(const char *pem, size_t len, const uint8_t point[PKI_P256_POINT])
{
    uint8_t der[DER_SIZE];
    const uint8_t *scalar = der + sizeof head;
    const uint8_t *tail = scalar + SCALAR;
    bool ok = get_pem(pem, len, der) && memcmp(der, head, sizeof head) == 0 &&
              memcmp(tail, middle, sizeof middle) == 0 &&
              memcmp(tail + sizeof middle, point, PKI_P256_POINT) == 0 &&
              scalar_makes(scalar, point);
    if (!ok) {
        ERR_clear_error();
    }
    bytes_wipe(der, sizeof der);
    return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The short way to read a device certificate back: it says yes to what the line makes and to
   nothing else, and what it reads is what the long way reads. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/x509.h>

#include "pki/ca.h"
#include "pki/cert.h"
#include "pki/issue.h"
#include "pki/key.h"
#include "pki/own.h"
#include "pki/p256.h"
#include "pki/signer.h"

#define NOW INT64_C(1767225600)
#define DAY INT64_C(86400)

typedef struct {
    EVP_PKEY *key;
    pki_signer_t *signer;
    X509 *cert;
} ca_t;

static ca_t ca, other;
static EVP_PKEY *key;
static uint8_t der[PKI_CERT_DER_MAX];
static size_t len;

static void make_ca(ca_t *out, const char *name)
{
    assert_true(pki_key_generate(PKI_KEY_P256, &out->key, NULL));
    assert_true(pki_signer_from_key(out->key, &out->signer, NULL));
    const pki_ca_request_t request = {
        .name = name, .key = out->key, .pathlen = 0, .not_before = NOW - 10 * DAY, .days = 20000};
    assert_true(pki_ca_make_root(&request, out->signer, &out->cert, NULL));
}

static void free_ca(ca_t *out)
{
    pki_signer_close(out->signer);
    pki_key_free(out->key);
    pki_cert_free(out->cert);
}

static void issue(const ca_t *by, const char *sn, EVP_PKEY *of, int64_t from, uint32_t days)
{
    const pki_device_request_t request = {.sn = sn, .key = of, .not_before = from, .days = days};
    const pki_issuer_t issuer = {by->cert, by->signer};
    assert_true(pki_issue_device_der(&request, &issuer, der, sizeof der, &len, NULL));
}

static int setup(void **state)
{
    (void)state;
    make_ca(&ca, "Line CA");
    make_ca(&other, "Line CA"); /* the same name, another key */
    return pki_key_generate(PKI_KEY_P256, &key, NULL) ? 0 : 1;
}

static int teardown(void **state)
{
    (void)state;
    free_ca(&ca);
    free_ca(&other);
    pki_key_free(key);
    return 0;
}

static void test_same_as_the_long_way(void **state)
{
    (void)state;
    /* UTCTime, both sides of 2050, and names of several lengths */
    static const uint32_t days[] = {1, 1095, 8766, 12000};
    static const char *const names[] = {"A", "SN-000001", "0123456789abcdef0123456789abcdefX"};
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        for (size_t j = 0; j < sizeof names / sizeof names[0]; j++) {
            X509 *cert;
            pki_facts_t facts;
            pki_own_t own;
            uint8_t point[PKI_P256_POINT];
            issue(&ca, names[j], key, NOW, days[i]);
            assert_true(pki_own_read(der, len, ca.cert, names[j], NOW, &own));
            assert_true(pki_cert_from_der(der, len, &cert, NULL));
            assert_true(pki_cert_facts(cert, &facts, NULL));
            assert_true(own.not_before == facts.not_before && own.not_after == facts.not_after);
            assert_string_equal(own.sha256_hex, facts.sha256_hex);
            assert_string_equal(own.credentials_id, facts.credentials_id);
            assert_true(pki_p256_point(key, point));
            assert_memory_equal(own.point, point, sizeof point);
            pki_cert_free(cert);
        }
    }
}

static void test_every_bit_counts(void **state)
{
    (void)state;
    pki_own_t own;
    issue(&ca, "SN-000001", key, NOW, 1095);
    for (size_t i = 0; i < len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            der[i] ^= (uint8_t)(1 << bit);
            assert_false(pki_own_read(der, len, ca.cert, "SN-000001", NOW, &own));
            der[i] ^= (uint8_t)(1 << bit);
        }
    }
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *exact = malloc(cut + 1); /* so that a sanitizer sees a step too far */
        memcpy(exact, der, cut);
        assert_false(pki_own_read(exact, cut, ca.cert, "SN-000001", NOW, &own));
        free(exact);
    }
    assert_false(pki_own_read(der, len + 1, ca.cert, "SN-000001", NOW, &own));
    assert_true(pki_own_read(der, len, ca.cert, "SN-000001", NOW, &own));
}

static void test_what_is_not_ours(void **state)
{
    (void)state;
    pki_own_t own;
    EVP_PKEY *rsa;
    issue(&ca, "SN-000001", key, NOW, 1095);
    assert_false(pki_own_read(der, len, ca.cert, "SN-000002", NOW, &own));
    assert_false(pki_own_read(der, len, ca.cert, "SN-00000", NOW, &own));
    assert_false(pki_own_read(der, len, ca.cert, "SN-000001", NOW - 1, &own));
    assert_true(pki_own_read(der, len, ca.cert, "SN-000001", NOW + 1095 * DAY, &own));
    assert_false(pki_own_read(der, len, ca.cert, "SN-000001", NOW + 1095 * DAY + 1, &own));
    assert_false(pki_own_read(der, len, other.cert, "SN-000001", NOW, &own));
    /* an RSA key: its form is not this one */
    assert_true(pki_key_generate(PKI_KEY_RSA2048, &rsa, NULL));
    issue(&ca, "SN-000001", rsa, NOW, 1095);
    assert_false(pki_own_read(der, len, ca.cert, "SN-000001", NOW, &own));
    pki_key_free(rsa);
    /* a server's certificate of the same CA and name */
    const char *const names[] = {"SN-000001"};
    const pki_server_request_t server = {
        .names = names, .name_count = 1, .key = key, .not_before = NOW, .days = 1095};
    const pki_issuer_t issuer = {ca.cert, ca.signer};
    X509 *cert;
    assert_true(pki_issue_server(&server, &issuer, &cert, NULL));
    assert_true(pki_cert_to_der(cert, der, sizeof der, &len, NULL));
    assert_false(pki_own_read(der, len, ca.cert, "SN-000001", NOW, &own));
    pki_cert_free(cert);
}

static void test_key_makes_point(void **state)
{
    (void)state;
    char pem[PKI_KEY_PEM_MAX];
    size_t n;
    uint8_t point[PKI_P256_POINT];
    uint8_t others[PKI_P256_POINT];
    EVP_PKEY *rsa;
    assert_true(pki_key_to_pem(key, pem, sizeof pem, &n, NULL));
    assert_true(pki_p256_point(key, point) && pki_p256_point(other.key, others));
    assert_true(pki_p256_makes(pem, n, point));
    assert_false(pki_p256_makes(pem, n, others));
    assert_false(pki_p256_makes(pem, n - 1, point));
    for (size_t i = 0; i < n; i++) {
        char was = pem[i];
        pem[i] = was == 'A' ? 'B' : 'A';
        assert_false(pki_p256_makes(pem, n, point));
        pem[i] = was;
    }
    assert_true(pki_key_generate(PKI_KEY_RSA2048, &rsa, NULL));
    assert_true(pki_key_to_pem(rsa, pem, sizeof pem, &n, NULL));
    assert_false(pki_p256_makes(pem, n, point));
    pki_key_free(rsa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_the_long_way),
        cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_what_is_not_ours),
        cmocka_unit_test(test_key_makes_point),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

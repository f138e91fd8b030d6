/* SPDX-License-Identifier: Apache-2.0 */
/* lib/pki: making certificates and requests, reading them, their facts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/bytes.h"
#include "pki/ca.h"
#include "pki/cert.h"
#include "pki/csr.h"
#include "pki/issue.h"
#include "pki/key.h"
#include "pki/signer.h"
#include "pki_fixture.h"

/* A small PKI made by the library: root -> product (1) -> line (0). */
static EVP_PKEY *root_key, *product_key, *line_key, *device_key;
static pki_signer_t *root_signer, *product_signer, *line_signer;
static X509 *root, *product, *line;

static X509 *make_ca(const char *name, EVP_PKEY *key, int pathlen, X509 *issuer,
                     pki_signer_t *signer)
{
    X509 *cert;
    err_t err = ERR_INIT;
    pki_ca_request_t request = {name, key, pathlen, T0, 3650};
    pki_issuer_t by = {issuer, signer};
    bool ok = issuer == NULL ? pki_ca_make_root(&request, signer, &cert, &err)
                             : pki_ca_make(&request, &by, &cert, &err);
    if (!ok) {
        fail_msg("%s", err.text);
    }
    return cert;
}

static int setup(void **state)
{
    (void)state;
    root_key = fixture_key("P-256");
    product_key = fixture_key("P-256");
    line_key = fixture_key("P-256");
    device_key = fixture_key("P-256");
    pki_signer_from_key(root_key, &root_signer, NULL);
    pki_signer_from_key(product_key, &product_signer, NULL);
    pki_signer_from_key(line_key, &line_signer, NULL);
    root = make_ca("Acme Root CA", root_key, PKI_PATHLEN_NONE, NULL, root_signer);
    product = make_ca("Acme Product CA", product_key, 1, root, root_signer);
    line = make_ca("Acme Line CA", line_key, 0, product, product_signer);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pki_signer_close(root_signer);
    pki_signer_close(product_signer);
    pki_signer_close(line_signer);
    pki_key_free(root_key);
    pki_key_free(product_key);
    pki_key_free(line_key);
    pki_key_free(device_key);
    pki_cert_free(root);
    pki_cert_free(product);
    pki_cert_free(line);
    return 0;
}

static X509 *issue_to(EVP_PKEY *key, const char *sn)
{
    X509 *cert;
    err_t err = ERR_INIT;
    pki_device_request_t request = {sn, key, T0 + DAY, 0};
    pki_issuer_t by = {line, line_signer};
    if (!pki_issue_device(&request, &by, &cert, &err)) {
        fail_msg("%s", err.text);
    }
    return cert;
}

/* OpenSSL's own judgement, strict, for the purpose. */
static int judge(X509 *leaf, int purpose, X509 *anchor, X509 *middle1, X509 *middle2)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *middle = sk_X509_new_null();
    X509_STORE_add_cert(store, anchor);
    sk_X509_push(middle, middle1);
    if (middle2 != NULL) {
        sk_X509_push(middle, middle2);
    }
    X509_STORE_CTX_init(ctx, store, leaf, middle);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
    X509_VERIFY_PARAM_set_time(param, (time_t)(T0 + 2 * DAY));
    X509_STORE_CTX_set_purpose(ctx, purpose);
    X509_verify_cert(ctx);
    int error = X509_STORE_CTX_get_error(ctx);
    sk_X509_free(middle);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return error;
}

static void test_device_passes_strict(void **state)
{
    (void)state;
    const char *kinds[] = {"P-256", "RSA-2048", "P-384"};
    for (size_t i = 0; i < 3; i++) {
        EVP_PKEY *key = fixture_key(kinds[i]);
        X509 *leaf = issue_to(key, "SN-000001");
        assert_int_equal(judge(leaf, X509_PURPOSE_SSL_CLIENT, root, line, product), X509_V_OK);
        assert_int_not_equal(judge(leaf, X509_PURPOSE_SSL_SERVER, root, line, product), X509_V_OK);
        assert_int_equal(X509_verify(leaf, line_key), 1);
        assert_true(pki_key_matches(key, leaf));
        assert_false(pki_key_matches(line_key, leaf));
        pki_cert_free(leaf);
        pki_key_free(key);
    }
}

static void check_ext(X509 *cert, int nid, bool critical, const char *text)
{
    int at = X509_get_ext_by_NID(cert, nid, -1);
    assert_true(at >= 0);
    assert_int_equal(X509_get_ext_by_NID(cert, nid, at), -1); /* once */
    X509_EXTENSION *extension = X509_get_ext(cert, at);
    assert_int_equal(X509_EXTENSION_get_critical(extension), critical);
    BIO *bio = BIO_new(BIO_s_mem());
    char shown[200] = "";
    assert_int_equal(X509V3_EXT_print(bio, extension, 0, 0), 1);
    BIO_read(bio, shown, sizeof shown - 1);
    BIO_free(bio);
    assert_string_equal(shown, text);
}

static void test_device_extensions(void **state)
{
    (void)state;
    X509 *leaf = issue_to(device_key, "SN-000001");
    assert_int_equal(X509_get_version(leaf), 2);
    assert_int_equal(X509_get_ext_count(leaf), 5);
    check_ext(leaf, NID_basic_constraints, true, "CA:FALSE");
    check_ext(leaf, NID_key_usage, true, "Digital Signature");
    check_ext(leaf, NID_ext_key_usage, false, "TLS Web Client Authentication");
    const ASN1_OCTET_STRING *authority = X509_get0_authority_key_id(leaf);
    assert_non_null(authority);
    assert_int_equal(ASN1_OCTET_STRING_cmp(authority, X509_get0_subject_key_id(line)), 0);
    /* method 1 of RFC 5280: SHA-1 of the BIT STRING's content */
    unsigned char hash[20];
    assert_int_equal(X509_pubkey_digest(leaf, EVP_sha1(), hash, NULL), 1);
    assert_memory_equal(ASN1_STRING_get0_data(X509_get0_subject_key_id(leaf)), hash, 20);
    assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(leaf)), 1);
    check_ext(product, NID_basic_constraints, true, "CA:TRUE, pathlen:1");
    check_ext(line, NID_basic_constraints, true, "CA:TRUE, pathlen:0");
    check_ext(root, NID_basic_constraints, true, "CA:TRUE");
    check_ext(line, NID_key_usage, true, "Certificate Sign, CRL Sign");
    pki_cert_free(leaf);
}

static void test_serials_and_dates(void **state)
{
    (void)state;
    char last[43] = "";
    for (int i = 0; i < 20; i++) {
        X509 *leaf = issue_to(device_key, "SN-000001");
        pki_facts_t facts;
        assert_true(pki_cert_facts(leaf, &facts, NULL));
        assert_int_equal(strlen(facts.serial), 40); /* 20 bytes, positive without a padding byte */
        assert_string_not_equal(facts.serial, last);
        strcpy(last, facts.serial);
        assert_int_equal(facts.not_before, T0 + DAY); /* exactly as asked */
        assert_int_equal(facts.not_after, T0 + DAY + 1095 * DAY);
        assert_string_equal(facts.cn, "SN-000001");
        pki_cert_free(leaf);
    }
}

/* RFC 5280 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050. */
static void test_time_forms(void **state)
{
    (void)state;
    X509 *cert;
    pki_ca_request_t request = {"Long Root", NULL, PKI_PATHLEN_NONE, INT64_C(2524607999), 1};
    assert_true(pki_ca_make_root(&request, root_signer, &cert, NULL)); /* 2049-12-31 23:59:59 */
    assert_int_equal(ASN1_STRING_type(X509_get0_notBefore(cert)), V_ASN1_UTCTIME);
    assert_int_equal(ASN1_STRING_type(X509_get0_notAfter(cert)), V_ASN1_GENERALIZEDTIME);
    pki_facts_t facts;
    assert_true(pki_cert_facts(cert, &facts, NULL));
    assert_int_equal(facts.not_before, INT64_C(2524607999));
    assert_int_equal(facts.not_after, INT64_C(2524607999) + DAY);
    pki_cert_free(cert);
    err_t err = ERR_INIT;
    request.days = 3000000; /* beyond the year 9999 */
    assert_false(pki_ca_make_root(&request, root_signer, &cert, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_null(cert);
}

static void refuse_device(const char *sn, int64_t from, uint32_t days, X509 *by, pki_signer_t *key,
                          const char *word)
{
    X509 *cert;
    err_t err = ERR_INIT;
    pki_device_request_t request = {sn, device_key, from, days};
    pki_issuer_t issuer = {by, key};
    assert_false(pki_issue_device(&request, &issuer, &cert, &err));
    assert_null(cert);
    if (strstr(err.text, word) == NULL) {
        fail_msg("\"%s\" lacks \"%s\"", err.text, word);
    }
}

static void test_issue_refusals(void **state)
{
    (void)state;
    char long_name[66];
    memset(long_name, 'a', 65);
    long_name[65] = '\0';
    X509 *leaf = issue_to(device_key, "SN-000001");
    pki_signer_t *device_signer;
    assert_true(pki_signer_from_key(device_key, &device_signer, NULL));
    refuse_device("SN-1", T0 - 1, 10, line, line_signer, "before its CA");
    refuse_device("SN-1", T0 + DAY, 3650, line, line_signer,
                  "outlive its CA Acme Line CA by 1 days");
    refuse_device("SN-1", T0, 10, leaf, device_signer, "no CA");
    refuse_device("SN-1", T0, 10, line, product_signer, "does not belong");
    refuse_device("", T0, 10, line, line_signer, "printable");
    refuse_device(" SN-1", T0, 10, line, line_signer, "printable");
    refuse_device("SN\t1", T0, 10, line, line_signer, "printable");
    refuse_device("SN-\xc3\xa4", T0, 10, line, line_signer, "printable");
    refuse_device(long_name, T0, 10, line, line_signer, "printable");
    pki_signer_close(device_signer);
    pki_cert_free(leaf);
}

static void test_ca_refusals(void **state)
{
    (void)state;
    X509 *cert;
    err_t err = ERR_INIT;
    pki_issuer_t by_line = {line, line_signer};
    pki_issuer_t by_product = {product, product_signer};
    pki_ca_request_t request = {"Sub CA", device_key, 0, T0, 10};
    assert_false(pki_ca_make(&request, &by_line, &cert, &err));
    assert_non_null(strstr(err.text, "path length 0"));
    err_clear(&err);
    request.pathlen = 1;
    assert_false(pki_ca_make(&request, &by_product, &cert, &err));
    assert_non_null(strstr(err.text, "must have less"));
    err_clear(&err);
    request.pathlen = PKI_PATHLEN_NONE;
    assert_false(pki_ca_make(&request, &by_product, &cert, &err));
    err_clear(&err);
    request.pathlen = -2;
    assert_false(pki_ca_make_root(&request, root_signer, &cert, &err));
    /* a key that nobody should certify */
    EVP_PKEY *weak = fixture_key("RSA-1024");
    err_clear(&err);
    request = (pki_ca_request_t){"Weak CA", weak, 0, T0, 10};
    assert_false(pki_ca_make(&request, &by_product, &cert, &err));
    assert_non_null(strstr(err.text, "1024"));
    pki_key_free(weak);
}

static void test_server(void **state)
{
    (void)state;
    const char *names[] = {"localhost", "cloud.cradle.test", "127.0.0.1", "::1", "*.example.org"};
    pki_server_request_t request = {names, 5, device_key, T0 + DAY, 90};
    pki_issuer_t by = {line, line_signer};
    X509 *cert;
    assert_true(pki_issue_server(&request, &by, &cert, NULL));
    assert_int_equal(judge(cert, X509_PURPOSE_SSL_SERVER, root, line, product), X509_V_OK);
    assert_int_not_equal(judge(cert, X509_PURPOSE_SSL_CLIENT, root, line, product), X509_V_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(X509_check_host(cert, names[i], 0, 0, NULL), 1);
        assert_int_equal(X509_check_ip_asc(cert, names[i + 2], 0), 1);
    }
    assert_int_equal(X509_check_host(cert, "a.example.org", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(cert, "evil.test", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(cert, "127.0.0.2", 0), 0);
    pki_cert_free(cert);
    const char *bad[] = {"",   "a b", "-a.test", "a-.test", "a..b",         ".a",
                         "a.", "x_y", "*.",      "a*",      "fe80::1%eth0", "1.2.3.4:80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err_t err = ERR_INIT;
        request.names = &bad[i];
        request.name_count = 1;
        if (pki_issue_server(&request, &by, &cert, &err)) {
            fail_msg("\"%s\" was accepted", bad[i]);
        }
    }
    request.name_count = 0;
    assert_false(pki_issue_server(&request, &by, &cert, NULL));
}

static char *pem_of(X509 *const *certs, size_t count, size_t *len)
{
    pki_chain_t chain = PKI_CHAIN_INIT;
    char *pem = NULL;
    for (size_t i = 0; i < count; i++) {
        chain.cert[chain.count++] = certs[i];
    }
    bool ok = pki_chain_to_pem(&chain, &pem, len, NULL);
    assert_true(ok && pem != NULL);
    return pem;
}

static void test_bundles(void **state)
{
    (void)state;
    X509 *leaf = issue_to(device_key, "SN-000001");
    X509 *certs[] = {leaf, line, product};
    size_t len;
    char *pem = pem_of(certs, 3, &len);
    pki_chain_t chain;
    err_t err = ERR_INIT;
    assert_true(pki_chain_parse(pem, len, &chain, NULL));
    assert_int_equal(chain.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_true(pki_cert_equal(chain.cert[i], certs[i]));
        assert_false(pki_cert_equal(chain.cert[i], certs[(i + 1) % 3]));
    }
    pki_chain_free(&chain);
    /* Cut anywhere: an error, or fewer whole certificates when only text was lost. */
    for (size_t cut = 0; cut < len; cut++) {
        if (pki_chain_parse(pem, cut, &chain, &err)) {
            assert_true(chain.count < 3 || cut >= len - 1);
            pki_chain_free(&chain);
        }
        assert_int_equal(chain.count, 0);
        err_clear(&err);
    }
    /* Text around the blocks does no harm. */
    char *noisy = malloc(len + 200);
    int n = sprintf(noisy, "subject=/CN=SN-000001\n\n%s\n# the end\n", pem);
    assert_true(pki_chain_parse(noisy, (size_t)n, &chain, NULL));
    assert_int_equal(chain.count, 3);
    pki_chain_free(&chain);
    free(noisy);
    free(pem);
    pki_cert_free(leaf);
}

static void refuse_bundle(const char *text, size_t len, const char *word)
{
    pki_chain_t chain;
    err_t err = ERR_INIT;
    assert_false(pki_chain_parse(text, len, &chain, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_int_equal(chain.count, 0);
    if (strstr(err.text, word) == NULL) {
        fail_msg("\"%s\" lacks \"%s\"", err.text, word);
    }
}

static void test_bundle_refusals(void **state)
{
    (void)state;
    X509 *many[PKI_CHAIN_MAX];
    size_t len;
    char key_pem[PKI_KEY_PEM_MAX];
    static char large[PKI_PEM_MAX + 1];
    refuse_bundle("", 0, "no certificate");
    refuse_bundle("hello", 5, "no certificate");
    refuse_bundle(large, sizeof large, "at most");
    for (size_t i = 0; i < PKI_CHAIN_MAX; i++) {
        many[i] = line;
    }
    char *pem = pem_of(many, PKI_CHAIN_MAX, &len);
    char *longer = malloc(2 * len + PKI_KEY_PEM_MAX);
    sprintf(longer, "%s%s", pem, pem);
    refuse_bundle(longer, 2 * len, "more than 8");
    assert_true(pki_key_to_pem(line_key, key_pem, sizeof key_pem, NULL, NULL));
    free(pem);
    pem = pem_of(many, 1, &len);
    int n = sprintf(longer, "%s%s", pem, key_pem);
    refuse_bundle(longer, (size_t)n, "PRIVATE KEY");
    /* A byte behind the DER inside the block. */
    uint8_t der[PKI_CERT_DER_MAX];
    size_t der_len;
    assert_true(pki_cert_to_der(line, der, sizeof der - 1, &der_len, NULL));
    der[der_len] = 0;
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    PEM_write_bio(bio, PEM_STRING_X509, "", der, (long)der_len + 1);
    long m = BIO_get_mem_data(bio, &text);
    refuse_bundle(text, (size_t)m, "1 bytes follow");
    BIO_free(bio);
    /* Base64 that is none. */
    memcpy(longer, pem, len);
    memset(longer + 60, '!', 20);
    refuse_bundle(longer, len, "damaged");
    free(longer);
    free(pem);
}

/* Reference thingsboard.md 1.2: vectors of SHA3; 1.4: over the one-line base64 of the DER. */
static void test_credentials_id(void **state)
{
    (void)state;
    char out[65];
    assert_true(pki_sha3_hex("abc", 3, out, NULL));
    assert_string_equal(out, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
    assert_true(pki_sha3_hex("dev-1|alice", 11, out, NULL));
    assert_string_equal(out, "98a30013a595130fbf29cdb35fef92d6fe1d5587c3a5764bebd3f51fd7cb4ec7");

    X509 *leaf = issue_to(device_key, "SN-000001");
    X509 *certs[] = {leaf};
    pki_facts_t facts;
    char *value;
    size_t len;
    assert_true(pki_cert_facts(leaf, &facts, NULL));
    assert_true(pki_cert_credentials_value(leaf, &value, NULL));
    /* ThingsBoard takes the PEM text and removes armour and line ends: the same must come out. */
    char *pem = pem_of(certs, 1, &len);
    char body[PKI_CERT_DER_MAX * 2];
    size_t n = 0;
    for (size_t i = strlen("-----BEGIN CERTIFICATE-----\n"); pem[i] != '-'; i++) {
        if (pem[i] != '\n') {
            body[n++] = pem[i];
        }
    }
    body[n] = '\0';
    assert_string_equal(body, value);
    assert_true(pki_sha3_hex(body, n, out, NULL));
    assert_string_equal(out, facts.credentials_id);
    uint8_t hash[32];
    unsigned int hash_len = sizeof hash;
    assert_int_equal(X509_digest(leaf, EVP_sha256(), hash, &hash_len), 1);
    assert_memory_equal(hash, facts.sha256, 32);
    free(value);
    free(pem);
    pki_cert_free(leaf);
}

static X509 *with_cn(const void *cn, int len, int type, int times)
{
    X509 *cert = X509_new();
    for (int i = 0; i < times; i++) {
        X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName, type, cn, len, -1,
                                   0);
    }
    return cert;
}

static void test_common_names(void **state)
{
    (void)state;
    static const uint8_t bmp[] = {0, 'S', 0, 'N', 0, '-', 0, '1'};
    static const uint8_t bmp_umlaut[] = {0, 0xe4};
    static const uint8_t utf8_broken[] = {0xc3};
    static const char long65[] =
        "12345678901234567890123456789012345678901234567890123456789012345";
    const struct {
        const void *cn;
        int len;
        int type;
        int times;
        pki_cn_t expected;
        const char *text;
    } cases[] = {
        {"SN-000001", 9, V_ASN1_UTF8STRING, 1, PKI_CN_OK, "SN-000001"},
        {"SN 1", 4, V_ASN1_PRINTABLESTRING, 1, PKI_CN_OK, "SN 1"},
        {bmp, 8, V_ASN1_BMPSTRING, 1, PKI_CN_OK, "SN-1"},
        {long65, 64, V_ASN1_UTF8STRING, 1, PKI_CN_OK,
         "1234567890123456789012345678901234567890123456789012345678901234"},
        {"", 0, V_ASN1_UTF8STRING, 0, PKI_CN_MISSING, ""},
        {"SN-000001", 9, V_ASN1_UTF8STRING, 2, PKI_CN_TWICE, ""},
        {"SN-1\0X", 6, V_ASN1_UTF8STRING, 1, PKI_CN_NOT_PLAIN, ""},
        {"SN-1\n", 5, V_ASN1_UTF8STRING, 1, PKI_CN_NOT_PLAIN, ""},
        {"SN-1\x7f", 5, V_ASN1_UTF8STRING, 1, PKI_CN_NOT_PLAIN, ""},
        {"SN-1 ", 5, V_ASN1_UTF8STRING, 1, PKI_CN_NOT_PLAIN, ""},
        {" SN-1", 5, V_ASN1_UTF8STRING, 1, PKI_CN_NOT_PLAIN, ""},
        {"SN-\xc3\xa4", 5, V_ASN1_UTF8STRING, 1, PKI_CN_NOT_PLAIN, ""},
        {utf8_broken, 1, V_ASN1_UTF8STRING, 1, PKI_CN_NOT_PLAIN, ""},
        {bmp_umlaut, 2, V_ASN1_BMPSTRING, 1, PKI_CN_NOT_PLAIN, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[PKI_CN_MAX + 1];
        X509 *cert = with_cn(cases[i].cn, cases[i].len, cases[i].type, cases[i].times);
        pki_cn_t got = pki_cert_cn(cert, out);
        if (got != cases[i].expected || strcmp(out, cases[i].text) != 0) {
            fail_msg("case %zu: %d \"%s\"", i, got, out);
        }
        X509_free(cert);
    }
    /* 65 characters: OpenSSL itself would not make it, so put it in by hand. */
    char out[PKI_CN_MAX + 1];
    X509 *cert = with_cn("x", 1, V_ASN1_UTF8STRING, 1);
    X509_NAME_ENTRY *entry = X509_NAME_get_entry(X509_get_subject_name(cert), 0);
    ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
    assert_int_equal(ASN1_STRING_set(value, long65, 65), 1);
    assert_int_equal(pki_cert_cn(cert, out), PKI_CN_TOO_LONG);
    assert_int_equal(ASN1_STRING_set(value, "", 0), 1);
    assert_int_equal(pki_cert_cn(cert, out), PKI_CN_MISSING);
    X509_free(cert);
}

static void test_csr(void **state)
{
    (void)state;
    pki_csr_t csr;
    err_t err = ERR_INIT;
    uint8_t der[PKI_CSR_MAX];
    size_t len;
    assert_true(pki_csr_make("SN-000001", line_signer, der, sizeof der, &len, NULL));
    assert_true(pki_csr_read(der, len, &csr, NULL));
    assert_string_equal(csr.cn, "SN-000001");
    assert_int_equal(EVP_PKEY_eq(csr.key, line_key), 1);
    pki_key_free(csr.key);
    /* any bit changed, any cut, any byte more */
    for (size_t i = 0; i < len; i++) {
        der[i] ^= 4;
        err_clear(&err);
        assert_false(pki_csr_read(der, len, &csr, &err));
        assert_null(csr.key);
        der[i] ^= 4;
    }
    for (size_t cut = 0; cut < len; cut++) {
        assert_false(pki_csr_read(der, cut, &csr, NULL));
    }
    der[len] = 0;
    assert_false(pki_csr_read(der, len + 1, &csr, NULL));
    assert_false(pki_csr_make("", line_signer, der, sizeof der, &len, NULL));
    assert_false(pki_csr_make("SN-000001", line_signer, der, 40, &len, NULL));
}

static size_t foreign_csr(EVP_PKEY *key, const char *digest, int cns, uint8_t *out)
{
    X509_REQ *request = X509_REQ_new();
    X509_REQ_set_pubkey(request, key);
    for (int i = 0; i < cns; i++) {
        X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "CN", MBSTRING_ASC,
                                   (const unsigned char *)"SN-1", -1, -1, 0);
    }
    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "O", MBSTRING_ASC,
                               (const unsigned char *)"Acme", -1, -1, 0);
    assert_true(X509_REQ_sign(request, key, EVP_get_digestbyname(digest)) > 0);
    int n = i2d_X509_REQ(request, &out);
    X509_REQ_free(request);
    return (size_t)n;
}

static void test_csr_refusals(void **state)
{
    (void)state;
    uint8_t der[PKI_CSR_MAX];
    pki_csr_t csr;
    const struct {
        const char *key, *digest;
        int cns;
        const char *word; /* NULL: accepted */
    } cases[] = {
        {"RSA-2048", "SHA256", 1, NULL},       {"P-256", "SHA512", 1, NULL},
        {"P-256", "SHA1", 1, "SHA-256"},       {"RSA-1024", "SHA256", 1, "1024"},
        {"secp256k1", "SHA256", 1, "curve"},   {"P-256", "SHA256", 0, "no CN"},
        {"P-256", "SHA256", 2, "several CNs"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        err_t err = ERR_INIT;
        EVP_PKEY *key = fixture_key(cases[i].key);
        size_t len = foreign_csr(key, cases[i].digest, cases[i].cns, der);
        bool ok = pki_csr_read(der, len, &csr, &err);
        if (ok != (cases[i].word == NULL) || (!ok && strstr(err.text, cases[i].word) == NULL)) {
            fail_msg("case %zu: %d \"%s\"", i, ok, err.text);
        }
        pki_key_free(csr.key);
        pki_key_free(key);
    }
    /* Somebody else's key in the request: the signature does not prove possession. */
    static uint8_t large[PKI_CSR_MAX + 1] = {0x30};
    assert_false(pki_csr_read(large, sizeof large, &csr, NULL));
    assert_false(pki_csr_read("", 0, &csr, NULL));
    assert_false(pki_csr_read("hello", 5, &csr, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_device_passes_strict),
        cmocka_unit_test(test_device_extensions),
        cmocka_unit_test(test_serials_and_dates),
        cmocka_unit_test(test_time_forms),
        cmocka_unit_test(test_issue_refusals),
        cmocka_unit_test(test_ca_refusals),
        cmocka_unit_test(test_server),
        cmocka_unit_test(test_bundles),
        cmocka_unit_test(test_bundle_refusals),
        cmocka_unit_test(test_credentials_id),
        cmocka_unit_test(test_common_names),
        cmocka_unit_test(test_csr),
        cmocka_unit_test(test_csr_refusals),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

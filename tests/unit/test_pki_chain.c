/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/pki: the front door's decision. Each row is a chain, what must be said about it, and whether
 * OpenSSL's own verifier (partial chain to the product CA, purpose sslclient) lets it in. Where the
 * two differ, the row says why.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "pki/chain.h"
#include "pki/key.h"
#include "pki_fixture.h"

enum { ROOT, PRODUCT, LINE, OTHER, LEAF, CHILD, SPARE, KEYS };
static EVP_PKEY *key[KEYS];
static EVP_PKEY *rsa, *weak_rsa, *odd_curve;
static X509 *root, *product, *line, *sub_line, *other_root, *other_ca;
static pki_trust_t *trust;

/* cn, key, issuer and its key (NULL: self-signed), extensions, and any further fields of mint_t. */
#define MINT(cn_, key_, issuer_, issuer_key_, ext_, ...)                                           \
    fixture_mint(&(mint_t){.cn = cn_,                                                              \
                           .key = key_,                                                            \
                           .issuer = issuer_,                                                      \
                           .issuer_key = issuer_key_,                                              \
                           .ext = ext_,                                                            \
                           __VA_ARGS__})
#define EXT(...) ((const char *const[]){__VA_ARGS__, NULL})

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < KEYS; i++) {
        key[i] = fixture_key("P-256");
    }
    rsa = fixture_key("RSA-2048");
    weak_rsa = fixture_key("RSA-1024");
    odd_curve = fixture_key("secp256k1");
    root = MINT("Root", key[ROOT], NULL, NULL, ext_ca);
    product = MINT("Product", key[PRODUCT], root, key[ROOT], ext_ca_len1);
    line = MINT("Line", key[LINE], product, key[PRODUCT], ext_ca_len0);
    other_root = MINT("Other", key[OTHER], NULL, NULL, ext_ca);
    other_ca = MINT("Line", key[SPARE], other_root, key[OTHER], ext_ca_len0);
    sub_line = MINT("Sub", key[SPARE], line, key[LINE], ext_ca);
    pki_chain_t anchors = {{product}, 1};
    pki_chain_t issuing = {{line}, 1};
    return pki_trust_new(&anchors, &issuing, &trust, NULL) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    X509 *certs[] = {root, product, line, sub_line, other_root, other_ca};
    for (size_t i = 0; i < sizeof certs / sizeof certs[0]; i++) {
        pki_cert_free(certs[i]);
    }
    for (int i = 0; i < KEYS; i++) {
        pki_key_free(key[i]);
    }
    pki_key_free(rsa);
    pki_key_free(weak_rsa);
    pki_key_free(odd_curve);
    pki_trust_free(trust);
    return 0;
}

static X509 *leaf_with(const char *const *ext)
{
    return MINT("SN-000001", key[LEAF], line, key[LINE], ext);
}

/* OpenSSL: may this chain act as a TLS client, the product CA being trusted as it is? */
static bool openssl_accepts(X509 *const *chain, size_t count, int64_t now)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *rest = sk_X509_new_null();
    for (size_t i = 1; i < count; i++) {
        sk_X509_push(rest, chain[i]);
    }
    X509_STORE_add_cert(store, product);
    X509_STORE_CTX_init(ctx, store, chain[0], rest);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_time(param, (time_t)now);
    X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT);
    bool ok = X509_verify_cert(ctx) == 1;
    sk_X509_free(rest);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return ok;
}

typedef enum { SAME, STRICTER } openssl_t;

static void expect_at(int64_t now, bool known, X509 *const *chain, size_t count,
                      pki_chain_result_t want, size_t at, openssl_t openssl)
{
    pki_chain_verdict_t verdict;
    pki_chain_policy_t policy = {.now = now, .leaf_known = known};
    pki_chain_result_t got = pki_chain_check(trust, chain, count, &policy, &verdict);
    if (got != want || verdict.at != at || (got == PKI_CHAIN_OK) != (verdict.text[0] == '\0')) {
        fail_msg("wanted %s at %zu, got %s at %zu: %s", pki_chain_name(want), at,
                 pki_chain_name(got), verdict.at, verdict.text);
    }
    if (!known && openssl == SAME && openssl_accepts(chain, count, now) != (want == PKI_CHAIN_OK)) {
        fail_msg("OpenSSL differs from %s", pki_chain_name(want));
    }
    /* All but the first certificate in a stack, as a server gets them. */
    STACK_OF(X509) *stack = sk_X509_new_null();
    for (size_t i = 1; i < count; i++) {
        sk_X509_push(stack, chain[i]);
    }
    pki_chain_verdict_t again;
    if (count > 0) {
        assert_int_equal(pki_chain_check_stack(trust, chain[0], stack, &policy, &again), got);
        assert_string_equal(again.text, verdict.text);
    }
    sk_X509_free(stack);
}

#define CHAIN(...) (X509 *[]){__VA_ARGS__}, sizeof((X509 *[]){__VA_ARGS__}) / sizeof(X509 *)
#define EXPECT(want, at, openssl, ...)                                                             \
    expect_at(T0, false, CHAIN(__VA_ARGS__), PKI_CHAIN_##want, at, openssl)

/* A leaf of the line with these extensions under the whole chain. */
static void expect_leaf(pki_chain_result_t want, openssl_t openssl, const char *const *ext)
{
    X509 *leaf = leaf_with(ext);
    expect_at(T0, false, CHAIN(leaf, line, product), want, 0, openssl);
    expect_at(T0, true, CHAIN(leaf), want, 0, SAME); /* known or not, it is the leaf's fault */
    pki_cert_free(leaf);
}

static void test_good_chains(void **state)
{
    (void)state;
    X509 *leaf = leaf_with(ext_client);
    X509 *direct = MINT("SN-000001", key[LEAF], product, key[PRODUCT], ext_client);
    EXPECT(OK, 0, SAME, leaf, line, product);
    EXPECT(OK, 0, SAME, leaf, line, product, root);
    EXPECT(OK, 0, SAME, leaf, line, product, other_root); /* not looked at behind the product CA */
    EXPECT(OK, 0, SAME, direct, product);
    pki_cert_free(direct);
    pki_cert_free(leaf);
}

/* The mission's recipe: RSA, X.509 v1, no extensions. Good as a leaf, never as an issuer. */
static void test_v1_leaf(void **state)
{
    (void)state;
    X509 *leaf = MINT("SN-000001", rsa, line, key[LINE], NULL, .v1 = true);
    X509 *child = MINT("SN-VICTIM", key[CHILD], leaf, rsa, ext_client);
    X509 *v1_ca = MINT("Line", key[SPARE], product, key[PRODUCT], NULL, .v1 = true);
    X509 *below = MINT("SN-000002", key[LEAF], v1_ca, key[SPARE], ext_client);
    EXPECT(OK, 0, SAME, leaf, line, product);
    EXPECT(ISSUER_NOT_CA, 1, SAME, child, leaf, line, product);
    EXPECT(ISSUER_NOT_CA, 1, SAME, below, v1_ca, product);
    pki_cert_free(below);
    pki_cert_free(v1_ca);
    pki_cert_free(child);
    pki_cert_free(leaf);
}

static void test_child_of_a_device(void **state)
{
    (void)state;
    X509 *leaf = leaf_with(ext_client);
    X509 *child = MINT("SN-VICTIM", key[CHILD], leaf, key[LEAF], ext_client);
    EXPECT(ISSUER_NOT_CA, 1, SAME, child, leaf, line, product);
    EXPECT(ISSUER_NOT_CA, 1, SAME, child, leaf, line);
    EXPECT(FOREIGN_CA, 0, SAME, child);
    /* The child is named like the leaf's issuer would have to be: a name is no signature. */
    X509 *posing = MINT("SN-VICTIM", key[CHILD], line, key[LEAF], ext_client);
    EXPECT(BAD_SIGNATURE, 0, SAME, posing, line, product);
    EXPECT(FOREIGN_CA, 0, SAME, posing);
    pki_cert_free(posing);
    pki_cert_free(child);
    pki_cert_free(leaf);
}

static void test_incomplete(void **state)
{
    (void)state;
    X509 *leaf = leaf_with(ext_client);
    /* OpenSSL has the product CA in its store and completes; the front door, as ThingsBoard, wants
       to see it. */
    EXPECT(INCOMPLETE, 0, SAME, leaf);
    EXPECT(INCOMPLETE, 1, STRICTER, leaf, line);
    expect_at(T0, true, CHAIN(leaf), PKI_CHAIN_OK, 0, SAME);
    expect_at(T0, true, CHAIN(leaf, line), PKI_CHAIN_OK, 0, SAME);
    pki_cert_free(leaf);
}

static void test_foreign(void **state)
{
    (void)state;
    X509 *leaf = MINT("SN-000001", key[LEAF], other_root, key[OTHER], ext_client);
    X509 *namesake = MINT("SN-000001", key[LEAF], other_ca, key[SPARE], ext_client);
    X509 *self = MINT("SN-000001", key[LEAF], NULL, NULL, ext_client);
    EXPECT(FOREIGN_CA, 0, SAME, leaf);
    EXPECT(FOREIGN_CA, 1, SAME, leaf, other_root);
    EXPECT(FOREIGN_CA, 0, SAME, namesake); /* its issuer has the name of our line */
    EXPECT(FOREIGN_CA, 1, SAME, namesake, other_ca);
    EXPECT(FOREIGN_CA, 2, SAME, namesake, other_ca, other_root);
    EXPECT(FOREIGN_CA, 0, SAME, self);
    EXPECT(FOREIGN_CA, 0, SAME, root);
    /* A self-signed one that an operator stored as the device's credential is that device. */
    expect_at(T0, true, CHAIN(self), PKI_CHAIN_OK, 0, SAME);
    /* The right chain behind a leaf that is not from it. */
    EXPECT(BAD_SIGNATURE, 0, SAME, leaf, line, product);
    EXPECT(BAD_SIGNATURE, 0, SAME, namesake, line, product);
    EXPECT(BAD_SIGNATURE, 0, SAME, self, line, product);
    pki_cert_free(self);
    pki_cert_free(namesake);
    pki_cert_free(leaf);
}

static void test_order_and_length(void **state)
{
    (void)state;
    X509 *leaf = leaf_with(ext_client);
    /* OpenSSL sorts them itself; RFC 5246 7.4.2 and ThingsBoard want them in order. */
    EXPECT(BAD_SIGNATURE, 0, STRICTER, leaf, product, line);
    EXPECT(BAD_SIGNATURE, 0, STRICTER, leaf, leaf, line, product);
    EXPECT(TOO_LONG, 8, STRICTER, leaf, line, product, root, root, root, root, root, root);
    pki_chain_verdict_t verdict;
    pki_chain_policy_t policy = {.now = T0};
    assert_int_equal(pki_chain_check(trust, NULL, 0, &policy, &verdict), PKI_CHAIN_EMPTY);
    assert_int_equal(pki_chain_check_stack(trust, NULL, NULL, &policy, &verdict), PKI_CHAIN_EMPTY);
    pki_cert_free(leaf);
}

static void test_dates(void **state)
{
    (void)state;
    X509 *leaf =
        MINT("SN-000001", key[LEAF], line, key[LINE], ext_client, .from = T0, .to = T0 + 10 * DAY);
    X509 *const chain[] = {leaf, line, product};
    expect_at(T0 - 1, false, chain, 3, PKI_CHAIN_NOT_YET_VALID, 0, SAME);
    expect_at(T0, false, chain, 3, PKI_CHAIN_OK, 0, STRICTER); /* OpenSSL: valid one second later */
    expect_at(T0 + 10 * DAY - 1, false, chain, 3, PKI_CHAIN_OK, 0, SAME);
    /* RFC 5280 4.1.2.5: inclusive. OpenSSL ends one second earlier. */
    expect_at(T0 + 10 * DAY, false, chain, 3, PKI_CHAIN_OK, 0, STRICTER);
    expect_at(T0 + 10 * DAY + 1, false, chain, 3, PKI_CHAIN_EXPIRED, 0, SAME);
    expect_at(T0 - 1, true, chain, 1, PKI_CHAIN_NOT_YET_VALID, 0, SAME);
    expect_at(T0 + 11 * DAY, true, chain, 1, PKI_CHAIN_EXPIRED, 0, SAME);
    pki_cert_free(leaf);

    X509 *old_line = MINT("Line", key[LINE], product, key[PRODUCT], ext_ca_len0, .to = T0 - DAY);
    leaf = MINT("SN-000001", key[LEAF], old_line, key[LINE], ext_client);
    EXPECT(EXPIRED, 1, SAME, leaf, old_line, product);
    pki_cert_free(old_line);
    X509 *new_line = MINT("Line", key[LINE], product, key[PRODUCT], ext_ca_len0, .from = T0 + DAY);
    EXPECT(NOT_YET_VALID, 1, SAME, leaf, new_line, product);
    /* the product CA itself */
    expect_at(T0 + 1001 * DAY, false, (X509 *[]){leaf, new_line, product}, 3, PKI_CHAIN_EXPIRED, 0,
              SAME);
    pki_cert_free(new_line);
    pki_cert_free(leaf);
}

static void test_leaf_extensions(void **state)
{
    (void)state;
    expect_leaf(PKI_CHAIN_OK, SAME, (const char *const[]){NULL});
    expect_leaf(PKI_CHAIN_OK, SAME, EXT("basicConstraints", "CA:FALSE"));
    expect_leaf(PKI_CHAIN_OK, SAME, EXT("extendedKeyUsage", "serverAuth,clientAuth"));
    expect_leaf(PKI_CHAIN_OK, SAME, EXT("keyUsage", "digitalSignature,keyAgreement"));
    expect_leaf(PKI_CHAIN_OK, SAME, EXT("subjectAltName", "critical,DNS:a.test"));
    expect_leaf(PKI_CHAIN_WRONG_EKU, SAME, EXT("extendedKeyUsage", "serverAuth"));
    expect_leaf(PKI_CHAIN_WRONG_EKU, SAME, EXT("extendedKeyUsage", "anyExtendedKeyUsage"));
    expect_leaf(PKI_CHAIN_WRONG_EKU, SAME, EXT("extendedKeyUsage", "critical,1.2.3.4"));
    expect_leaf(PKI_CHAIN_WRONG_EKU, SAME, EXT("nsCertType", "server"));
    expect_leaf(PKI_CHAIN_WRONG_USAGE, SAME, EXT("keyUsage", "keyEncipherment"));
    /* OpenSSL also takes keyAgreement (static ECDH); in TLS 1.2 and 1.3 with ECDHE a client signs.
     */
    expect_leaf(PKI_CHAIN_WRONG_USAGE, STRICTER, EXT("keyUsage", "keyAgreement"));
    /* OpenSSL lets a CA act as a client. */
    expect_leaf(PKI_CHAIN_NOT_CLIENT, STRICTER, EXT("basicConstraints", "CA:TRUE"));
    expect_leaf(PKI_CHAIN_MALFORMED, SAME, EXT("1.2.3.4", "critical,DER:0500"));
    expect_leaf(PKI_CHAIN_OK, SAME, EXT("1.2.3.4", "DER:0500"));
    expect_leaf(PKI_CHAIN_MALFORMED, SAME, EXT("2.5.29.15", "DER:0500"));
    expect_leaf(PKI_CHAIN_MALFORMED, STRICTER, /* not checked by OpenSSL without policy checking */
                EXT("2.5.29.32", "critical,DER:3006300406022a03"));
}

static void test_issuer_extensions(void **state)
{
    (void)state;
    const struct {
        const char *const ext[7];
        pki_chain_result_t want;
        size_t at;
    } cases[] = {
        {{"basicConstraints", "CA:TRUE"}, PKI_CHAIN_OK, 0},
        {{NULL}, PKI_CHAIN_ISSUER_NOT_CA, 1},
        {{"basicConstraints", "CA:FALSE"}, PKI_CHAIN_ISSUER_NOT_CA, 1},
        {{"keyUsage", "keyCertSign"}, PKI_CHAIN_ISSUER_NOT_CA, 1},
        {{"basicConstraints", "CA:TRUE", "keyUsage", "cRLSign"}, PKI_CHAIN_ISSUER_NOT_CA, 1},
        {{"basicConstraints", "CA:TRUE", "extendedKeyUsage", "clientAuth"}, PKI_CHAIN_OK, 0},
        {{"basicConstraints", "CA:TRUE", "extendedKeyUsage", "serverAuth"}, PKI_CHAIN_WRONG_EKU, 1},
        {{"basicConstraints", "CA:TRUE", "1.2.3.4", "critical,DER:0500"}, PKI_CHAIN_MALFORMED, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        X509 *ca = MINT("CA", key[SPARE], product, key[PRODUCT], cases[i].ext);
        X509 *leaf = MINT("SN-000001", key[LEAF], ca, key[SPARE], ext_client);
        expect_at(T0, false, CHAIN(leaf, ca, product), cases[i].want, cases[i].at, SAME);
        pki_cert_free(leaf);
        pki_cert_free(ca);
    }
}

static void test_path_length(void **state)
{
    (void)state;
    X509 *leaf = MINT("SN-000001", key[LEAF], sub_line, key[SPARE], ext_client);
    EXPECT(PATHLEN, 2, SAME, leaf, sub_line, line, product); /* the line allows no CA below it */
    pki_cert_free(leaf);
    X509 *middle = MINT("Middle", key[CHILD], product, key[PRODUCT], ext_ca);
    X509 *deep = MINT("Deep", key[SPARE], middle, key[CHILD], ext_ca);
    leaf = MINT("SN-000001", key[LEAF], deep, key[SPARE], ext_client);
    EXPECT(PATHLEN, 3, SAME, leaf, deep, middle, product); /* product: one */
    pki_cert_free(deep);
    pki_cert_free(leaf);
    /* A CA that certifies its own next key is not counted (RFC 5280 6.1.4 l). */
    const char *const ids[] = {"basicConstraints",
                               "CA:TRUE",
                               "subjectKeyIdentifier",
                               "hash",
                               "authorityKeyIdentifier",
                               "keyid",
                               NULL};
    const char *const own_id[] = {"basicConstraints", "CA:TRUE", "subjectKeyIdentifier", "hash",
                                  NULL};
    pki_cert_free(middle);
    middle = MINT("Middle", key[CHILD], product, key[PRODUCT], own_id);
    deep = MINT("Middle", key[SPARE], middle, key[CHILD], ids);
    leaf = MINT("SN-000001", key[LEAF], deep, key[SPARE], ext_client);
    EXPECT(OK, 0, SAME, leaf, deep, middle, product);
    pki_cert_free(leaf);
    pki_cert_free(deep);
    pki_cert_free(middle);
}

static void test_name_constraints(void **state)
{
    (void)state;
    const char *const limited[] = {"basicConstraints", "CA:TRUE", "nameConstraints",
                                   "critical,permitted;DNS:good.test", NULL};
    X509 *ca = MINT("CA", key[SPARE], product, key[PRODUCT], limited);
    X509 *good =
        MINT("SN-000001", key[LEAF], ca, key[SPARE], EXT("subjectAltName", "DNS:a.good.test"));
    X509 *bad =
        MINT("SN-000001", key[LEAF], ca, key[SPARE], EXT("subjectAltName", "DNS:a.bad.test"));
    EXPECT(OK, 0, SAME, good, ca, product);
    EXPECT(NAME, 0, SAME, bad, ca, product);
    pki_cert_free(bad);
    pki_cert_free(good);
    pki_cert_free(ca);
}

static void test_keys_and_digests(void **state)
{
    (void)state;
    X509 *leaf = MINT("SN-000001", weak_rsa, line, key[LINE], ext_client);
    EXPECT(BAD_KEY, 0, STRICTER, leaf, line, product);
    pki_cert_free(leaf);
    leaf = MINT("SN-000001", odd_curve, line, key[LINE], ext_client);
    EXPECT(BAD_KEY, 0, STRICTER, leaf, line, product);
    pki_cert_free(leaf);
    leaf = MINT("SN-000001", key[LEAF], line, key[LINE], ext_client, .digest = "SHA1");
    EXPECT(BAD_KEY, 0, STRICTER, leaf, line, product);
    pki_cert_free(leaf);
    X509 *ca = MINT("CA", weak_rsa, product, key[PRODUCT], ext_ca_len0);
    leaf = MINT("SN-000001", key[LEAF], ca, weak_rsa, ext_client);
    EXPECT(BAD_KEY, 1, STRICTER, leaf, ca, product);
    pki_cert_free(leaf);
    pki_cert_free(ca);
    leaf = MINT("SN-000001", key[LEAF], line, key[LINE], ext_client, .digest = "SHA512");
    EXPECT(OK, 0, SAME, leaf, line, product);
    pki_cert_free(leaf);
}

static void test_names(void **state)
{
    (void)state;
    X509 *leaf = MINT(NULL, key[LEAF], line, key[LINE], ext_client);
    EXPECT(CN_MISSING, 0, STRICTER, leaf, line, product);
    pki_cert_free(leaf);
    leaf = MINT("SN-\xc3\xa4", key[LEAF], line, key[LINE], ext_client);
    EXPECT(CN_BAD, 0, STRICTER, leaf, line, product);
    pki_cert_free(leaf);
    leaf = MINT("SN\n[forged] line", key[LEAF], line, key[LINE], ext_client);
    pki_chain_verdict_t verdict;
    pki_chain_policy_t policy = {.now = T0};
    X509 *const chain[] = {leaf, line, product};
    assert_int_equal(pki_chain_check(trust, chain, 3, &policy, &verdict), PKI_CHAIN_CN_BAD);
    assert_null(strchr(verdict.text, '\n')); /* a name cannot write log lines */
    pki_cert_free(leaf);
}

typedef struct {
    X509 *deny;
    int calls;
} denied_t;

static bool denied(void *context, const X509 *cert, const uint8_t sha256[32])
{
    denied_t *list = context;
    uint8_t hash[32];
    unsigned int len = sizeof hash;
    assert_int_equal(X509_digest(cert, EVP_sha256(), hash, &len), 1);
    assert_memory_equal(hash, sha256, 32);
    list->calls++;
    return pki_cert_equal(cert, list->deny);
}

static void test_deny_list(void **state)
{
    (void)state;
    X509 *leaf = leaf_with(ext_client);
    X509 *const chain[] = {leaf, line, product};
    pki_chain_verdict_t verdict;
    denied_t list = {root, 0};
    pki_chain_policy_t policy = {.now = T0, .denied = denied, .context = &list};
    assert_int_equal(pki_chain_check(trust, chain, 3, &policy, &verdict), PKI_CHAIN_OK);
    assert_int_equal(list.calls, 3);
    for (size_t i = 0; i < 3; i++) {
        list.deny = chain[i];
        assert_int_equal(pki_chain_check(trust, chain, 3, &policy, &verdict), PKI_CHAIN_DENIED);
        assert_int_equal(verdict.at, i);
    }
    list.deny = leaf;
    policy.leaf_known = true;
    assert_int_equal(pki_chain_check(trust, chain, 1, &policy, &verdict), PKI_CHAIN_DENIED);
    pki_cert_free(leaf);
}

/* Two faults: always the same answer, the alert first. */
static void test_priority(void **state)
{
    (void)state;
    X509 *leaf = MINT("SN-000001", key[LEAF], line, key[LEAF],
                      EXT("extendedKeyUsage", "serverAuth"), .to = T0 - DAY);
    EXPECT(BAD_SIGNATURE, 0, SAME, leaf, line, product);
    pki_cert_free(leaf);
    leaf = MINT("SN-000001", key[LEAF], line, key[LINE], EXT("extendedKeyUsage", "serverAuth"),
                .to = T0 - DAY);
    EXPECT(EXPIRED, 0, SAME, leaf, line, product);
    EXPECT(INCOMPLETE, 0, SAME, leaf);
    X509 *child = MINT("SN-X", key[CHILD], leaf, key[LEAF], ext_client);
    EXPECT(ISSUER_NOT_CA, 1, SAME, child, leaf, line, product);
    pki_cert_free(child);
    pki_cert_free(leaf);
}

static void test_classes(void **state)
{
    (void)state;
    assert_false(pki_chain_is_alert(PKI_CHAIN_OK));
    const pki_chain_result_t alerts[] = {
        PKI_CHAIN_EMPTY,         PKI_CHAIN_TOO_LONG,      PKI_CHAIN_MALFORMED,
        PKI_CHAIN_BAD_KEY,       PKI_CHAIN_BAD_SIGNATURE, PKI_CHAIN_FOREIGN_CA,
        PKI_CHAIN_ISSUER_NOT_CA, PKI_CHAIN_PATHLEN,       PKI_CHAIN_NAME};
    for (size_t i = 0; i < sizeof alerts / sizeof alerts[0]; i++) {
        assert_true(pki_chain_is_alert(alerts[i]));
        assert_int_not_equal(pki_chain_verify_error(alerts[i]), X509_V_OK);
    }
    for (int i = PKI_CHAIN_INCOMPLETE; i <= PKI_CHAIN_CN_BAD; i++) {
        assert_false(pki_chain_is_alert((pki_chain_result_t)i));
        assert_non_null(pki_chain_name((pki_chain_result_t)i));
    }
}

static void test_trust_refusals(void **state)
{
    (void)state;
    pki_trust_t *made;
    X509 *leaf = leaf_with(ext_client);
    const struct {
        pki_chain_t product, issuing;
        const char *word;
    } cases[] = {
        {{{NULL}, 0}, {{NULL}, 0}, "no product CA"},
        {{{leaf}, 1}, {{NULL}, 0}, "no CA certificate"},
        {{{product}, 1}, {{other_root}, 1}, "was not signed"},
        {{{product}, 1}, {{other_ca}, 1}, "was not signed"},
        {{{product}, 1}, {{leaf}, 1}, "no CA certificate"},
        {{{product}, 1}, {{sub_line}, 1}, "was not signed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        err_t err = ERR_INIT;
        assert_false(pki_trust_new(&cases[i].product, &cases[i].issuing, &made, &err));
        assert_null(made);
        if (strstr(err.text, cases[i].word) == NULL) {
            fail_msg("case %zu: %s", i, err.text);
        }
    }
    /* in any order */
    pki_chain_t anchors = {{product}, 1};
    pki_chain_t issuing = {{sub_line, line}, 2};
    assert_true(pki_trust_new(&anchors, &issuing, &made, NULL));
    pki_trust_free(made);
    pki_trust_free(NULL);
    pki_cert_free(leaf);
}

static void test_complete(void **state)
{
    (void)state;
    X509 *leaf = leaf_with(ext_client);
    X509 *foreign = MINT("SN-1", key[LEAF], other_root, key[OTHER], ext_client);
    pki_chain_t pool = {{root, other_ca, product, line}, 4};
    pki_chain_t chain = PKI_CHAIN_INIT;
    assert_true(pki_chain_add(&chain, leaf, NULL));
    assert_true(pki_chain_complete(&chain, &pool, NULL));
    assert_int_equal(chain.count, 4);
    assert_true(chain.cert[1] == line && chain.cert[2] == product && chain.cert[3] == root);
    assert_true(pki_chain_complete(&chain, &pool, NULL)); /* nothing twice */
    assert_int_equal(chain.count, 4);
    pki_chain_free(&chain);
    assert_true(pki_chain_add(&chain, foreign, NULL));
    assert_true(pki_chain_complete(&chain, &pool, NULL));
    assert_int_equal(chain.count, 1); /* other_ca has our line's name; it did not sign this one */
    pki_chain_free(&chain);
    assert_true(pki_chain_complete(&chain, &pool, NULL));
    assert_int_equal(chain.count, 0);
    pki_cert_free(foreign);
    pki_cert_free(leaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_chains),
        cmocka_unit_test(test_v1_leaf),
        cmocka_unit_test(test_child_of_a_device),
        cmocka_unit_test(test_incomplete),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_order_and_length),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_leaf_extensions),
        cmocka_unit_test(test_issuer_extensions),
        cmocka_unit_test(test_path_length),
        cmocka_unit_test(test_name_constraints),
        cmocka_unit_test(test_keys_and_digests),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_deny_list),
        cmocka_unit_test(test_priority),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_trust_refusals),
        cmocka_unit_test(test_complete),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

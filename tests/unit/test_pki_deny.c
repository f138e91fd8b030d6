/* SPDX-License-Identifier: Apache-2.0 */
/* lib/pki: the deny-list (in memory, signed text, damaged text), CRLs, and rules explained. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/bytes.h"
#include "pki/chain.h"
#include "pki/crl.h"
#include "pki/deny.h"
#include "pki/deny_internal.h"
#include "pki/key.h"
#include "pki_fixture.h"

#define SITE  "000102030405060708090a0b0c0d0e0f"
#define OTHER "100102030405060708090a0b0c0d0e0f"

/* A product CA of either kind of key. */
typedef struct {
    EVP_PKEY *key;
    X509 *cert;
    pki_signer_t *signer;
} authority_t;

static authority_t ec, rsa;

static void make(authority_t *a, const char *kind)
{
    a->key = fixture_key(kind);
    a->cert = fixture_mint(&(mint_t){.cn = "Product CA", .key = a->key, .ext = ext_ca});
    assert_true(pki_signer_from_key(a->key, &a->signer, NULL));
}

static void unmake(authority_t *a)
{
    pki_signer_close(a->signer);
    X509_free(a->cert);
    EVP_PKEY_free(a->key);
}

static int setup(void **state)
{
    (void)state;
    make(&ec, "P-256");
    make(&rsa, "RSA-2048");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unmake(&ec);
    unmake(&rsa);
    return 0;
}

static pki_denied_t entry(uint8_t first, const char *serial)
{
    pki_denied_t d = {.at = T0 + first, .reason = PKI_REASON_SUPERSEDED};
    memset(d.leaf, first, sizeof d.leaf);
    snprintf(d.serial, sizeof d.serial, "%s", serial);
    if (serial[0] != '\0') {
        memset(d.issuer, 0xcc, sizeof d.issuer);
    }
    return d;
}

static pki_deny_t *list_of(const uint8_t *firsts, size_t count)
{
    pki_deny_t *deny;
    bool added;
    assert_true(pki_deny_new(SITE, &deny, NULL));
    for (size_t i = 0; i < count; i++) {
        pki_denied_t d = entry(firsts[i], i % 2 == 0 ? "4a01" : "");
        assert_true(pki_deny_add(deny, &d, &added, NULL));
        assert_true(added);
    }
    return deny;
}

static void test_in_memory(void **state)
{
    (void)state;
    static const uint8_t firsts[] = {9, 3,  200, 1,  77, 4,  5,  6,  7,
                                     8, 10, 11,  12, 13, 14, 15, 16, 17};
    pki_deny_t *deny = list_of(firsts, sizeof firsts);
    bool added;
    assert_int_equal(pki_deny_count(deny), sizeof firsts);
    for (size_t i = 1; i < sizeof firsts; i++) {
        assert_true(memcmp(pki_deny_at(deny, i - 1)->leaf, pki_deny_at(deny, i)->leaf, 32) < 0);
    }
    assert_null(pki_deny_at(deny, sizeof firsts));
    pki_denied_t again = entry(77, "");
    again.reason = PKI_REASON_KEY_COMPROMISE;
    assert_true(pki_deny_add(deny, &again, &added, NULL));
    assert_false(added);
    assert_int_equal(pki_deny_find(deny, again.leaf)->reason, PKI_REASON_SUPERSEDED);
    assert_true(pki_deny_hook(deny, NULL, again.leaf));
    again.leaf[31] ^= 1;
    assert_false(pki_deny_hook(deny, NULL, again.leaf));
    pki_deny_free(deny);
    pki_deny_free(NULL);
}

static void test_what_cannot_be_added(void **state)
{
    (void)state;
    pki_deny_t *deny;
    bool added;
    assert_false(pki_deny_new("0001", &deny, NULL));
    assert_false(pki_deny_new("000102030405060708090A0B0C0D0E0F", &deny, NULL));
    assert_true(pki_deny_new(SITE, &deny, NULL));
    pki_denied_t bad[5];
    for (size_t i = 0; i < 5; i++) {
        bad[i] = entry(1, "4a01");
    }
    memcpy(bad[0].serial, "4A01", 5);
    memcpy(bad[1].serial, "4a0", 4);
    memset(bad[2].issuer, 0, 32); /* a serial number without an issuer */
    bad[3].at = -1;
    bad[4].reason = (pki_reason_t)7;
    for (size_t i = 0; i < 5; i++) {
        err_t err = ERR_INIT;
        assert_false(pki_deny_add(deny, &bad[i], &added, &err));
        assert_int_equal(err.kind, ERR_USAGE);
    }
    assert_int_equal(pki_deny_count(deny), 0);
    pki_deny_free(deny);
}

static void test_reasons(void **state)
{
    (void)state;
    pki_reason_t reason;
    assert_true(pki_reason_parse("keyCompromise", &reason));
    assert_int_equal(reason, 1);
    assert_true(pki_reason_parse("privilegeWithdrawn", &reason));
    assert_int_equal(reason, 9);
    assert_false(pki_reason_parse("KeyCompromise", &reason));
    assert_string_equal(pki_reason_name(PKI_REASON_CESSATION), "cessationOfOperation");
}

static void check_round(const authority_t *a)
{
    static const uint8_t firsts[] = {5, 1, 255};
    pki_deny_t *deny = list_of(firsts, sizeof firsts);
    pki_deny_t *back;
    char *text;
    size_t len;
    assert_true(pki_deny_write(deny, 7, T0, a->signer, &text, &len, NULL));
    assert_int_equal(strlen(text), len);
    assert_true(pki_deny_read(text, len, a->cert, SITE, &back, NULL));
    assert_int_equal(pki_deny_seq(back), 7);
    assert_int_equal(pki_deny_issued(back), T0);
    assert_int_equal(pki_deny_count(back), 3);
    assert_memory_equal(pki_deny_at(back, 0), pki_deny_at(deny, 0), sizeof(pki_denied_t));
    assert_memory_equal(pki_deny_at(back, 2), pki_deny_at(deny, 2), sizeof(pki_denied_t));
    pki_deny_free(back);

    /* Any one bit changed: no list. */
    for (size_t i = 0; i < len; i++) {
        text[i] ^= 1;
        assert_false(pki_deny_read(text, len, a->cert, SITE, &back, NULL));
        assert_null(back);
        text[i] ^= 1;
    }
    for (size_t cut = 0; cut < len; cut += 7) {
        assert_false(pki_deny_read(text, cut, a->cert, SITE, &back, NULL));
    }
    err_t err = ERR_INIT;
    assert_false(pki_deny_read(text, len, a->cert, OTHER, &back, &err));
    assert_non_null(strstr(err.text, "not for this one"));
    assert_null(back);
    free(text);
    pki_deny_free(deny);
}

static void test_signed_text(void **state)
{
    (void)state;
    check_round(&ec);
    check_round(&rsa);
}

static void test_other_signers(void **state)
{
    (void)state;
    authority_t same_name, p384;
    pki_deny_t *deny;
    pki_deny_t *back;
    char *text;
    size_t len;
    make(&same_name, "P-256");
    make(&p384, "P-384");
    assert_true(pki_deny_new(SITE, &deny, NULL));
    assert_true(pki_deny_write(deny, 1, T0, same_name.signer, &text, &len, NULL));
    err_t err = ERR_INIT;
    assert_false(pki_deny_read(text, len, ec.cert, SITE, &back, &err));
    assert_non_null(strstr(err.text, "not one that this product CA signed"));
    free(text);
    err_clear(&err);
    assert_false(pki_deny_write(deny, 1, T0, p384.signer, &text, &len, &err));
    assert_non_null(strstr(err.text, "P-256 or RSA"));
    pki_deny_free(deny);
    unmake(&same_name);
    unmake(&p384);
}

/* A payload of our own making, signed well: what is wrong in it is found all the same. */
static void test_bad_payloads(void **state)
{
    (void)state;
#define L1   "\"leaf\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\""
#define L2   "\"leaf\":\"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI\""
#define IS   "\"issuer\":\"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI\""
#define AR   "\"at\":5,\"reason\":\"superseded\""
#define HEAD "{\"v\":1,\"site\":\"" SITE "\",\"seq\":1,\"iat\":2,"
    static const struct {
        const char *json;
        bool good;
    } cases[] = {
        {HEAD "\"denied\":[]}", true},
        {HEAD "\"denied\":[{" L1 "," AR "}]}", true},
        {HEAD "\"denied\":[{" L1 "," AR "},{" L2 "," AR "}]}", true},
        {HEAD "\"denied\":[{" L1 "," IS ",\"serial\":\"00\"," AR "}]}", true},
        {HEAD "\"denied\":[{" L2 "," AR "},{" L1 "," AR "}]}", false}, /* order */
        {HEAD "\"denied\":[{" L1 "," AR "},{" L1 "," AR "}]}", false}, /* twice */
        {HEAD "\"denied\":[{" L1 "," IS "," AR "}]}", false},
        {HEAD "\"denied\":[{" L1 ",\"serial\":\"00\"," AR "}]}", false},
        {HEAD "\"denied\":[{" L1 "," L1 "," AR "}]}", false},
        {HEAD "\"denied\":[{" L1 "," AR ",\"x\":1}]}", false},
        {HEAD "\"denied\":[{" L1 ",\"at\":5}]}", false},
        {HEAD "\"denied\":[{" L1 ",\"at\":-5,\"reason\":\"superseded\"}]}", false},
        {HEAD "\"denied\":[{" L1 ",\"at\":5,\"reason\":\"because\"}]}", false},
        {HEAD "\"denied\":[{" AR "}]}", false},
        {HEAD "\"denied\":[{\"leaf\":\"AQ\"," AR "}]}", false},
        {HEAD "\"denied\":[[]]}", false},
        {HEAD "\"denied\":[1]}", false},
        {HEAD "\"denied\":{}}", false},
        {HEAD "\"denied\":[],\"denied\":[]}", false},
        {HEAD "\"denied\":[],\"x\":1}", false},
        {HEAD "\"denied\":[]}x", false},
        {HEAD "\"denied\":[]", false},
        {"{\"v\":2,\"site\":\"" SITE "\",\"seq\":1,\"iat\":2,\"denied\":[]}", false},
        {"{\"v\":1,\"site\":\"x\",\"seq\":1,\"iat\":2,\"denied\":[]}", false},
        {"{\"v\":1,\"site\":\"" SITE "\",\"seq\":-1,\"iat\":2,\"denied\":[]}", false},
        {"{\"v\":1,\"site\":\"" SITE "\",\"iat\":2,\"denied\":[]}", false},
        {"[]", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pki_deny_t *deny;
        err_t err = ERR_INIT;
        bool ok = pki_deny_read_payload(cases[i].json, strlen(cases[i].json), &deny, &err);
        if (ok != cases[i].good) {
            fail_msg("case %zu: %s", i, err.text);
        }
        assert_int_equal(err.kind, ok ? ERR_NONE : ERR_INPUT);
        pki_deny_free(deny);
    }
}

static void test_crl(void **state)
{
    (void)state;
    X509 *leaf = fixture_mint(&(mint_t){.cn = "SN-000001",
                                        .key = rsa.key,
                                        .issuer = ec.cert,
                                        .issuer_key = ec.key,
                                        .ext = ext_client});
    pki_facts_t facts;
    pki_facts_t issuer;
    pki_deny_t *deny;
    bool added;
    char *pem;
    size_t len;
    size_t count;
    assert_true(pki_cert_facts(leaf, &facts, NULL));
    assert_true(pki_cert_facts(ec.cert, &issuer, NULL));
    assert_true(pki_deny_new(SITE, &deny, NULL));
    pki_denied_t ours = {.at = T0 + 5, .reason = PKI_REASON_KEY_COMPROMISE};
    memcpy(ours.leaf, facts.sha256, 32);
    memcpy(ours.issuer, issuer.sha256, 32);
    snprintf(ours.serial, sizeof ours.serial, "%s", facts.serial);
    pki_denied_t others = entry(3, "4a01"); /* another CA's     */
    pki_denied_t bare = entry(4, "");       /* only its hash    */
    assert_true(pki_deny_add(deny, &ours, &added, NULL));
    assert_true(pki_deny_add(deny, &others, &added, NULL));
    assert_true(pki_deny_add(deny, &bare, &added, NULL));
    const pki_issuer_t by = {ec.cert, ec.signer};
    pki_crl_request_t request = {deny, T0 + 10, 30};
    assert_true(pki_crl_make(&request, &by, &pem, &len, &count, NULL));
    assert_int_equal(count, 1);

    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    X509_CRL *crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
    X509_REVOKED *found;
    assert_non_null(crl);
    assert_int_equal(X509_CRL_verify(crl, ec.key), 1);
    assert_int_not_equal(X509_CRL_verify(crl, rsa.key), 1);
    assert_int_equal(X509_CRL_get_version(crl), 1);
    assert_int_equal(X509_CRL_get0_by_cert(crl, &found, leaf), 1);
    ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(found, NID_crl_reason, NULL, NULL);
    assert_int_equal(ASN1_ENUMERATED_get(reason), 1);
    ASN1_ENUMERATED_free(reason);
    assert_int_equal(X509_CRL_get0_by_cert(crl, &found, rsa.cert), 1); /* same serial, 4711 */
    X509_CRL_free(crl);
    BIO_free(bio);
    free(pem);

    err_t err = ERR_INIT;
    request.days = 0;
    assert_false(pki_crl_make(&request, &by, &pem, &len, &count, &err));
    request.days = 30;
    request.now = T0 + 5000 * DAY;
    err_clear(&err);
    assert_false(pki_crl_make(&request, &by, &pem, &len, &count, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    request.now = T0;
    const pki_issuer_t mixed = {ec.cert, rsa.signer};
    err_clear(&err);
    assert_false(pki_crl_make(&request, &mixed, &pem, &len, &count, &err));
    assert_non_null(strstr(err.text, "does not belong"));
    pki_deny_free(deny);
    X509_free(leaf);
}

typedef struct {
    int rules;
    int faults;
    pki_chain_result_t last;
} heard_t;

static void hear(void *context, const char *rule, const pki_chain_verdict_t *verdict)
{
    heard_t *heard = context;
    assert_true(strlen(rule) > 5);
    heard->rules++;
    if (verdict->result != PKI_CHAIN_OK) {
        heard->faults++;
        heard->last = verdict->result;
        assert_true(strlen(verdict->text) > 0);
    }
}

static void test_explained(void **state)
{
    (void)state;
    X509 *leaf = fixture_mint(&(mint_t){.cn = "SN-000001",
                                        .key = rsa.key,
                                        .issuer = ec.cert,
                                        .issuer_key = ec.key,
                                        .ext = ext_client});
    pki_deny_t *deny;
    bool added;
    pki_facts_t facts;
    pki_trust_t *trust;
    pki_chain_t product = PKI_CHAIN_INIT;
    assert_true(pki_chain_add(&product, ec.cert, NULL));
    assert_true(pki_trust_new(&product, NULL, &trust, NULL));
    assert_true(pki_deny_new(SITE, &deny, NULL));
    X509 *chain[] = {leaf, ec.cert};
    pki_chain_policy_t policy = {.now = T0, .denied = pki_deny_hook, .context = deny};
    heard_t heard = {0};
    pki_chain_explain(trust, chain, 2, &policy, hear, &heard);
    assert_int_equal(heard.rules, 15);
    assert_int_equal(heard.faults, 0);

    assert_true(pki_cert_facts(leaf, &facts, NULL));
    pki_denied_t d = entry(1, "");
    memcpy(d.leaf, facts.sha256, 32);
    assert_true(pki_deny_add(deny, &d, &added, NULL));
    pki_chain_verdict_t verdict;
    assert_int_equal(pki_chain_check(trust, chain, 2, &policy, &verdict), PKI_CHAIN_DENIED);
    policy.now = T0 + 2000 * DAY;
    heard = (heard_t){0};
    pki_chain_explain(trust, chain, 2, &policy, hear, &heard);
    assert_int_equal(heard.faults, 2); /* denied, and expired */
    assert_int_equal(heard.last, PKI_CHAIN_EXPIRED);
    heard = (heard_t){0};
    pki_chain_explain(trust, chain, 0, &policy, hear, &heard);
    assert_int_equal(heard.rules, 1);
    assert_int_equal(heard.last, PKI_CHAIN_EMPTY);
    pki_chain_free(&product);
    pki_trust_free(trust);
    pki_deny_free(deny);
    X509_free(leaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_memory),     cmocka_unit_test(test_what_cannot_be_added),
        cmocka_unit_test(test_reasons),       cmocka_unit_test(test_signed_text),
        cmocka_unit_test(test_other_signers), cmocka_unit_test(test_bad_payloads),
        cmocka_unit_test(test_crl),           cmocka_unit_test(test_explained),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

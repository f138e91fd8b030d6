/* SPDX-License-Identifier: Apache-2.0 */
/* New keys and certificates of a unit: made, checked, kept, used; and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/keys.h"
#include "flash/flash.h"
#include "pki/csr.h"
#include "pki_fixture.h"

#define SN   "SN-000001"
#define SITE "00112233445566778899aabbccddeeff"

static EVP_PKEY *product_key, *renewal_key, *birth_key, *anchor_key, *server_key;
static X509 *product, *renewal, *birth, *server_root;
static boot_t boot;
static flash_t *flash;

static X509 *mint(const char *cn, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
                  const char *const *ext)
{
    const mint_t how = {
        .cn = cn, .key = key, .issuer = issuer, .issuer_key = issuer_key, .ext = ext};
    return fixture_mint(&how);
}

static int set_up(void **state)
{
    region_t region;
    (void)state;
    memset(&boot, 0, sizeof boot);
    flash = flash_open_ram(FLASH_SIZE_DEFAULT, NULL, 0, NULL);
    assert_non_null(flash);
    assert_true(flash_region(flash, 0, 0x8000, &region, NULL));
    assert_int_equal(settings_mount(&boot.settings, &region), SETTINGS_OK);
    product_key = fixture_key("P-256");
    renewal_key = fixture_key("P-256");
    birth_key = fixture_key("P-256");
    anchor_key = fixture_key("P-256");
    server_key = fixture_key("P-256");
    product = mint("Product CA", product_key, NULL, NULL, ext_ca_len1);
    renewal = mint("Renewal CA", renewal_key, product, product_key, ext_ca_len0);
    birth = mint(SN, birth_key, product, product_key, ext_client);
    server_root = mint("Server root", server_key, NULL, NULL, ext_ca);
    snprintf(boot.sn, sizeof boot.sn, SN);
    EVP_PKEY_up_ref(birth_key);
    boot.key = birth_key;
    assert_true(pki_chain_add(&boot.chain, birth, NULL) &&
                pki_chain_add(&boot.chain, product, NULL) &&
                pki_chain_add(&boot.anchors, product, NULL));
    snprintf(boot.identity.site, sizeof boot.identity.site, SITE);
    assert_true(pki_key_public_der(anchor_key, boot.identity.anchor_key,
                                   sizeof boot.identity.anchor_key, &boot.identity.anchor_key_len,
                                   NULL));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    boot.flash = flash;
    boot_close(&boot);
    EVP_PKEY *keys[] = {product_key, renewal_key, birth_key, anchor_key, server_key};
    for (size_t i = 0; i < 5; i++) {
        EVP_PKEY_free(keys[i]);
    }
    X509_free(product);
    X509_free(renewal);
    X509_free(birth);
    X509_free(server_root);
    return 0;
}

/* The key of the request that the unit makes. */
static EVP_PKEY *requested(void)
{
    uint8_t der[STATEMENT_CSR_MAX];
    size_t len;
    pki_csr_t csr;
    err_t err = ERR_INIT;
    if (!keys_request(&boot, der, sizeof der, &len, &err) || !pki_csr_read(der, len, &csr, &err)) {
        fail_msg("%s", err.text);
    }
    assert_string_equal(csr.cn, SN);
    return csr.key;
}

typedef struct {
    uint8_t der[2][PKI_CERT_DER_MAX];
    jws_bytes_t bytes[ANSWER_CHAIN];
} chain_t;

static void pack(chain_t *chain, X509 *leaf, X509 *issuer)
{
    X509 *certs[] = {leaf, issuer};
    for (int i = 0; i < 2; i++) {
        size_t len;
        assert_true(pki_cert_to_der(certs[i], chain->der[i], sizeof chain->der[i], &len, NULL));
        chain->bytes[i] = (jws_bytes_t){chain->der[i], len};
    }
}

static bool keep(X509 *leaf, X509 *issuer, uint8_t slot, uint32_t counter)
{
    static chain_t chain;
    err_t err = ERR_INIT;
    pack(&chain, leaf, issuer);
    return keys_keep(&boot, slot, counter, chain.bytes, &err);
}

static void renewed(void **state)
{
    keys_identity_t identity;
    cradle_leaf_t leaf;
    pki_facts_t facts;
    uint8_t signature[PKI_SIGNATURE_MAX];
    uint8_t spki[PKI_SPKI_MAX];
    size_t len, spki_len;
    (void)state;
    assert_true(keys_leaf(&boot, 0, &leaf));
    assert_int_equal(leaf.counter, 0);
    assert_false(keys_leaf(&boot, 1, &leaf));
    EVP_PKEY *key = requested();
    EVP_PKEY *again = requested(); /* the pending key stays */
    assert_int_equal(EVP_PKEY_eq(key, again), 1);
    X509 *cert = mint(SN, key, renewal, renewal_key, ext_client);
    assert_true(keep(cert, renewal, 1, 7));
    assert_true(keys_leaf(&boot, 1, &leaf));
    assert_true(pki_cert_facts(cert, &facts, NULL));
    assert_memory_equal(leaf.hash, facts.sha256, 32);
    assert_true(leaf.not_after == facts.not_after);
    assert_int_equal(leaf.counter, 7);
    assert_true(keys_open(&boot, 1, &identity, NULL));
    assert_int_equal(identity.chain.count, 3); /* the product CA from birth on top */
    assert_true(pki_cert_equal(identity.chain.cert[2], product));
    assert_int_equal(EVP_PKEY_eq(identity.key, key), 1);
    keys_close(&identity);
    assert_true(keys_sign(&boot, 1, "words", 5, signature, sizeof signature, &len, NULL));
    assert_int_equal(len, JWS_ES256_SIZE);
    assert_true(pki_key_public_der(key, spki, sizeof spki, &spki_len, NULL));
    assert_true(keys_verify(spki, spki_len, "words", 5, signature));
    assert_false(keys_verify(spki, spki_len, "swords", 6, signature));
    signature[9] ^= 1;
    assert_false(keys_verify(spki, spki_len, "words", 5, signature));
    assert_false(keys_sign(&boot, 2, "words", 5, signature, sizeof signature, &len, NULL));
    X509_free(cert);
    EVP_PKEY_free(key);
    EVP_PKEY_free(again);
}

static void not_kept(X509 *leaf, X509 *issuer)
{
    cradle_leaf_t found;
    assert_false(keep(leaf, issuer, 1, 1));
    assert_false(keys_leaf(&boot, 1, &found));
    X509_free(leaf);
}

static void refused(void **state)
{
    (void)state;
    EVP_PKEY *stranger = fixture_key("P-256");
    X509 *foreign = mint("Product CA", stranger, NULL, NULL, ext_ca_len1);
    X509 *foreign_renewal = mint("Renewal CA", stranger, foreign, stranger, ext_ca_len0);
    not_kept(mint(SN, stranger, renewal, renewal_key, ext_client), renewal); /* nothing pending */
    EVP_PKEY *key = requested();
    not_kept(mint(SN, stranger, renewal, renewal_key, ext_client), renewal);
    not_kept(mint("SN-000002", key, renewal, renewal_key, ext_client), renewal);
    not_kept(mint(SN, key, foreign_renewal, stranger, ext_client), foreign_renewal);
    not_kept(mint(SN, key, renewal, renewal_key, ext_client), foreign_renewal);
    not_kept(mint(SN, key, renewal, renewal_key, ext_ca), renewal); /* a CA */
    not_kept(mint(SN, key, birth, birth_key, ext_client), birth);   /* a device is no issuer */
    X509 *good = mint(SN, key, renewal, renewal_key, ext_client);
    assert_false(keep(good, renewal, 0, 1));
    assert_false(keep(good, renewal, 3, 1));
    assert_true(keep(good, renewal, 2, 1));
    X509_free(good);
    X509_free(foreign);
    X509_free(foreign_renewal);
    EVP_PKEY_free(key);
    EVP_PKEY_free(stranger);
}

/* A slot that was written by somebody else: any cut of it is no certificate, never a crash. */
static void damaged_slot(void **state)
{
    uint8_t blob[SETTINGS_VALUE_MAX];
    cradle_leaf_t leaf;
    size_t len;
    (void)state;
    EVP_PKEY *key = requested();
    X509 *cert = mint(SN, key, renewal, renewal_key, ext_client);
    assert_true(keep(cert, renewal, 1, 1));
    assert_int_equal(settings_get(&boot.settings, "slot1", blob, sizeof blob, &len), SETTINGS_OK);
    for (size_t cut = 0; cut < len; cut += 13) {
        assert_int_equal(settings_set(&boot.settings, "slot1", blob, cut), SETTINGS_OK);
        assert_false(keys_leaf(&boot, 1, &leaf));
    }
    /* With the key of another. */
    EVP_PKEY *other = fixture_key("P-256");
    char pem[PKI_KEY_PEM_MAX];
    size_t pem_len;
    assert_true(pki_key_to_pem(other, pem, sizeof pem, &pem_len, NULL));
    assert_int_equal(settings_set(&boot.settings, "slot2", blob, len), SETTINGS_OK);
    assert_true(keys_leaf(&boot, 2, &leaf));
    memcpy(blob + 7, pem, pem_len);
    assert_int_equal(settings_set(&boot.settings, "slot2", blob, len), SETTINGS_OK);
    assert_false(keys_leaf(&boot, 2, &leaf));
    EVP_PKEY_free(other);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void sign_bundle(EVP_PKEY *by, int64_t version, const char *site, char *text, size_t cap,
                        size_t *len)
{
    static uint8_t der[PKI_CERT_DER_MAX];
    uint8_t spki[PKI_SPKI_MAX];
    uint8_t raw[JWS_ES256_SIZE];
    uint8_t signature[PKI_SIGNATURE_MAX];
    size_t size, der_len, spki_len;
    pki_signer_t *signer;
    bundle_t bundle = {.site = jws_text(site), .version = version, .issued = T0, .anchor_count = 1};
    assert_true(pki_key_id(by, bundle.kid, NULL) &&
                pki_key_id(server_key, bundle.steward_kid, NULL));
    assert_true(pki_cert_to_der(server_root, der, sizeof der, &der_len, NULL));
    assert_true(pki_key_public_der(server_key, spki, sizeof spki, &spki_len, NULL));
    bundle.anchors[0] = (jws_bytes_t){der, der_len};
    bundle.steward = (jws_bytes_t){spki, spki_len};
    assert_int_equal(bundle_write(&bundle, text, cap, len), JWS_OK);
    assert_true(pki_signer_from_key(by, &signer, NULL));
    assert_true(pki_signer_sign(signer, text, *len, signature, sizeof signature, &size, NULL));
    pki_signer_close(signer);
    assert_true(jws_es256_from_der(signature, size, raw));
    assert_int_equal(jws_append(text, cap, len, raw, sizeof raw), JWS_OK);
}

static void anchors(void **state)
{
    char text[JWS_BUNDLE_MAX + 1];
    size_t len;
    pki_chain_t chain;
    (void)state;
    assert_true(keys_anchors(&boot, &chain, NULL));
    assert_int_equal(chain.count, 1);
    pki_chain_free(&chain);
    const struct {
        EVP_PKEY *by;
        const char *site;
        size_t count;
    } cases[] = {{anchor_key, SITE, 2},
                 {server_key, SITE, 1},
                 {anchor_key, "ffffffffffffffffffffffffffffffff", 1}};
    for (size_t i = 0; i < 3; i++) {
        sign_bundle(cases[i].by, 2, cases[i].site, text, sizeof text, &len);
        assert_int_equal(settings_set(&boot.settings, "bundle", text, len), SETTINGS_OK);
        assert_true(keys_anchors(&boot, &chain, NULL));
        assert_int_equal(chain.count, cases[i].count);
        pki_chain_free(&chain);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(renewed),
        TEST(refused),
        TEST(damaged_slot),
        TEST(anchors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

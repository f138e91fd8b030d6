/* SPDX-License-Identifier: Apache-2.0 */
#include "device/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>

#include "base/bytes.h"
#include "pki/chain.h"
#include "pki/csr.h"
#include "pki/jose.h"

#define VERSION 1
#define PENDING "pending"

static const char *slot_name(uint8_t slot)
{
    return slot == 1 ? "slot1" : "slot2";
}

/* ---- the blob of a slot ---- */

typedef struct {
    const uint8_t *at;
    size_t left;
} cursor_t;

static const uint8_t *take(cursor_t *cursor, size_t len)
{
    const uint8_t *at = cursor->at;
    if (cursor->left < len) {
        cursor->left = 0;
        return NULL;
    }
    cursor->at += len;
    cursor->left -= len;
    return at;
}

static const uint8_t *take_sized(cursor_t *cursor, size_t *len)
{
    const uint8_t *size = take(cursor, 2);
    *len = size != NULL ? bytes_get_le16(size) : 0;
    return size != NULL ? take(cursor, *len) : NULL;
}

static bool add_product(const boot_t *boot, pki_chain_t *chain, err_t *err)
{
    return pki_chain_add(chain, boot->chain.cert[boot->chain.count - 1], err);
}

static bool add_der(pki_chain_t *chain, const uint8_t *der, size_t len, err_t *err)
{
    X509 *cert;
    if (!pki_cert_from_der(der, len, &cert, err)) {
        return false;
    }
    bool ok = pki_chain_add(chain, cert, err);
    pki_cert_free(cert);
    return ok;
}

static bool parse(const boot_t *boot, const uint8_t *blob, size_t len, uint32_t *counter,
                  keys_identity_t *identity, err_t *err)
{
    cursor_t cursor = {blob, len};
    size_t size;
    const uint8_t *head = take(&cursor, 5);
    const uint8_t *key = head != NULL && head[0] == VERSION ? take_sized(&cursor, &size) : NULL;
    if (key == NULL || !pki_key_parse((const char *)key, size, NULL, &identity->key, err)) {
        return false;
    }
    *counter = bytes_get_le32(head + 1);
    const uint8_t *count = take(&cursor, 1);
    for (uint8_t i = 0; count != NULL && i < *count; i++) {
        const uint8_t *der = take_sized(&cursor, &size);
        if (der == NULL || !add_der(&identity->chain, der, size, err)) {
            return false;
        }
    }
    return count != NULL && *count == ANSWER_CHAIN && cursor.left == 0 && *counter > 0 &&
           pki_key_matches(identity->key, identity->chain.cert[0]) &&
           add_product(boot, &identity->chain, err);
}

static bool open_slot(boot_t *boot, uint8_t slot, uint32_t *counter, keys_identity_t *identity,
                      err_t *err)
{
    uint8_t blob[SETTINGS_VALUE_MAX];
    size_t len;
    memset(identity, 0, sizeof *identity);
    if (settings_get(&boot->settings, slot_name(slot), blob, sizeof blob, &len) != SETTINGS_OK) {
        return err_set(err, ERR_PRECONDITION, "certificate slot %u is empty", slot);
    }
    bool ok = parse(boot, blob, len, counter, identity, err);
    bytes_wipe(blob, sizeof blob);
    if (!ok) {
        keys_close(identity);
        err_set(err, ERR_INPUT, "certificate slot %u holds nothing usable", slot);
    }
    return ok;
}

bool keys_open(boot_t *boot, uint8_t slot, keys_identity_t *identity, err_t *err)
{
    uint32_t counter;
    if (slot != 0) {
        return open_slot(boot, slot, &counter, identity, err);
    }
    memset(identity, 0, sizeof *identity);
    EVP_PKEY_up_ref(boot->key);
    identity->key = boot->key;
    for (size_t i = 0; i < boot->chain.count; i++) {
        if (!pki_chain_add(&identity->chain, boot->chain.cert[i], err)) {
            keys_close(identity);
            return false;
        }
    }
    return true;
}

void keys_close(keys_identity_t *identity)
{
    pki_key_free(identity->key);
    pki_chain_free(&identity->chain);
    memset(identity, 0, sizeof *identity);
}

bool keys_leaf(boot_t *boot, uint8_t slot, cradle_leaf_t *leaf)
{
    keys_identity_t identity;
    pki_facts_t facts;
    err_t err = ERR_INIT;
    memset(leaf, 0, sizeof *leaf);
    if (slot == 0 ? !keys_open(boot, 0, &identity, &err)
                  : !open_slot(boot, slot, &leaf->counter, &identity, &err)) {
        return false;
    }
    bool ok =
        pki_cert_facts(identity.chain.cert[0], &facts, &err) && strcmp(facts.cn, boot->sn) == 0;
    if (ok) {
        memcpy(leaf->hash, facts.sha256, sizeof leaf->hash);
        leaf->not_after = facts.not_after;
        leaf->rsa = EVP_PKEY_get_base_id(identity.key) == EVP_PKEY_RSA;
    } else {
        memset(leaf, 0, sizeof *leaf);
    }
    keys_close(&identity);
    return ok;
}

/* ---- signatures ---- */

bool keys_sign(boot_t *boot, uint8_t slot, const void *data, size_t len, uint8_t *out, size_t cap,
               size_t *out_len, err_t *err)
{
    keys_identity_t identity;
    pki_signer_t *signer;
    uint8_t sig[PKI_SIGNATURE_MAX];
    if (!keys_open(boot, slot, &identity, err)) {
        return false;
    }
    bool ok = pki_signer_from_key(identity.key, &signer, err);
    keys_close(&identity);
    if (!ok) {
        return false;
    }
    ok = pki_jose_sign(signer, data, len, sig, out_len, err);
    pki_signer_close(signer);
    if (ok && *out_len > cap) {
        ok = err_set(err, ERR_USAGE, "%zu bytes are too few for a signature of %zu", cap, *out_len);
    }
    if (ok) {
        memcpy(out, sig, *out_len);
    }
    return ok;
}

bool keys_verify(const uint8_t *spki, size_t spki_len, const void *data, size_t len,
                 const uint8_t signature[JWS_ES256_SIZE])
{
    EVP_PKEY *key;
    err_t err = ERR_INIT;
    if (!pki_key_public_from_der(spki, spki_len, &key, &err)) {
        return false;
    }
    bool good = pki_jose_verify(key, data, len, signature, JWS_ES256_SIZE);
    pki_key_free(key);
    return good;
}

/* ---- a new key ---- */

static bool load_pending(boot_t *boot, EVP_PKEY **key, err_t *err)
{
    char pem[SETTINGS_VALUE_MAX];
    size_t len;
    if (settings_get(&boot->settings, PENDING, pem, sizeof pem, &len) != SETTINGS_OK) {
        return false;
    }
    bool ok = pki_key_parse(pem, len, NULL, key, err);
    bytes_wipe(pem, sizeof pem);
    return ok;
}

static bool make_pending(boot_t *boot, EVP_PKEY **key, err_t *err)
{
    char pem[PKI_KEY_PEM_MAX];
    size_t len;
    pki_key_type_t type =
        EVP_PKEY_get_base_id(boot->key) == EVP_PKEY_RSA ? PKI_KEY_RSA2048 : PKI_KEY_P256;
    if (!pki_key_generate(type, key, err)) {
        return false;
    }
    bool ok = pki_key_to_pem(*key, pem, sizeof pem, &len, err);
    if (ok && settings_set(&boot->settings, PENDING, pem, len) != SETTINGS_OK) {
        ok = err_set(err, ERR_SYSTEM, "the settings cannot keep a new key");
    }
    bytes_wipe(pem, sizeof pem);
    if (!ok) {
        pki_key_free(*key);
        *key = NULL;
    }
    return ok;
}

bool keys_request(boot_t *boot, uint8_t *out, size_t cap, size_t *len, err_t *err)
{
    EVP_PKEY *key = NULL;
    pki_signer_t *signer = NULL;
    err_t unreadable = ERR_INIT;
    if (!load_pending(boot, &key, &unreadable) && !make_pending(boot, &key, err)) {
        return false;
    }
    bool ok = pki_signer_from_key(key, &signer, err) &&
              pki_csr_make(boot->sn, signer, out, cap, len, err);
    pki_signer_close(signer);
    pki_key_free(key);
    return ok;
}

/* ---- a new chain ---- */

static bool check(const boot_t *boot, const EVP_PKEY *pending, const pki_chain_t *chain, err_t *err)
{
    pki_chain_t product = PKI_CHAIN_INIT;
    pki_trust_t *trust = NULL;
    pki_facts_t facts;
    pki_chain_verdict_t verdict;
    if (!pki_cert_facts(chain->cert[0], &facts, err)) {
        return false;
    }
    if (!pki_key_matches(pending, chain->cert[0]) || strcmp(facts.cn, boot->sn) != 0) {
        return err_set(err, ERR_INPUT, "the certificate is not for our key and serial number");
    }
    const pki_chain_policy_t policy = {.now = facts.not_before + 1};
    bool ok = add_product(boot, &product, err) && pki_trust_new(&product, NULL, &trust, err);
    if (ok &&
        pki_chain_check(trust, chain->cert, chain->count, &policy, &verdict) != PKI_CHAIN_OK) {
        ok = err_set(err, ERR_INPUT, "%s", verdict.text);
    }
    pki_trust_free(trust);
    pki_chain_free(&product);
    return ok;
}

static uint8_t *put_sized(uint8_t *at, const void *data, size_t len)
{
    bytes_put_le16(at, (uint16_t)len);
    memcpy(at + 2, data, len);
    return at + 2 + len;
}

static bool write_slot(boot_t *boot, uint8_t slot, uint32_t counter, const EVP_PKEY *key,
                       const jws_bytes_t chain[ANSWER_CHAIN], err_t *err)
{
    char pem[PKI_KEY_PEM_MAX];
    uint8_t blob[SETTINGS_VALUE_MAX];
    size_t len;
    bool ok = pki_key_to_pem(key, pem, sizeof pem, &len, err);
    if (ok && 5 + 2 + len + 1 + 4 + chain[0].len + chain[1].len > sizeof blob) {
        ok = err_set(err, ERR_INPUT, "the new certificate chain is too large for a slot");
    }
    if (ok) {
        blob[0] = VERSION;
        bytes_put_le32(blob + 1, counter);
        uint8_t *at = put_sized(blob + 5, pem, len);
        *at++ = ANSWER_CHAIN;
        at = put_sized(at, chain[0].data, chain[0].len);
        at = put_sized(at, chain[1].data, chain[1].len);
        settings_status_t status =
            settings_set(&boot->settings, slot_name(slot), blob, (size_t)(at - blob));
        ok = status == SETTINGS_OK || err_set(err, ERR_SYSTEM, "certificate slot %u: %s", slot,
                                              settings_status_text(status));
    }
    bytes_wipe(pem, sizeof pem);
    bytes_wipe(blob, sizeof blob);
    return ok;
}

bool keys_keep(boot_t *boot, uint8_t slot, uint32_t counter, const jws_bytes_t chain[ANSWER_CHAIN],
               err_t *err)
{
    pki_chain_t certs = PKI_CHAIN_INIT;
    EVP_PKEY *key = NULL;
    if (slot < 1 || slot >= CRADLE_SLOTS || !load_pending(boot, &key, err)) {
        return err_set(err, ERR_PRECONDITION, "there is no pending key for this certificate");
    }
    bool ok = add_der(&certs, chain[0].data, chain[0].len, err) &&
              add_der(&certs, chain[1].data, chain[1].len, err) && add_product(boot, &certs, err) &&
              check(boot, key, &certs, err) && write_slot(boot, slot, counter, key, chain, err);
    pki_chain_free(&certs);
    pki_key_free(key);
    return ok;
}

/* ---- anchors ---- */

static bool read_bundle(boot_t *boot, const char *text, size_t len, bundle_t *bundle, char *scratch,
                        size_t cap)
{
    jws_t jws;
    uint8_t signature[JWS_ES256_SIZE];
    size_t size;
    return jws_open(JWS_BUNDLE, text, len, &jws) == JWS_OK &&
           jws_signature(&jws, signature, sizeof signature, &size) == JWS_OK &&
           keys_verify(boot->identity.anchor_key, boot->identity.anchor_key_len, text,
                       jws.signing_len, signature) &&
           bundle_read(&jws, scratch, cap, bundle) == JWS_OK &&
           jws_text_equal(bundle->site, jws_text(boot->identity.site));
}

bool keys_anchors(boot_t *boot, pki_chain_t *anchors, err_t *err)
{
    char text[JWS_BUNDLE_MAX];
    char scratch[JWS_BUNDLE_MAX];
    bundle_t bundle;
    size_t len;
    err_t skipped = ERR_INIT;
    memset(anchors, 0, sizeof *anchors);
    for (size_t i = 0; i < boot->anchors.count; i++) {
        if (!pki_chain_add(anchors, boot->anchors.cert[i], err)) {
            pki_chain_free(anchors);
            return false;
        }
    }
    if (settings_get(&boot->settings, "bundle", text, sizeof text, &len) == SETTINGS_OK &&
        read_bundle(boot, text, len, &bundle, scratch, sizeof scratch)) {
        for (size_t i = 0; i < bundle.anchor_count; i++) {
            add_der(anchors, bundle.anchors[i].data, bundle.anchors[i].len, &skipped);
        }
    }
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/trust.h"

#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "pki/internal.h"
#include "pki/key.h"

bool pki_cert_hash(const X509 *cert, uint8_t sha256[32])
{
    uint8_t der[PKI_CERT_DER_MAX];
    size_t len;
    return pki_cert_to_der(cert, der, sizeof der, &len, NULL) && pki_sha256(der, len, sha256, NULL);
}

bool pki_cert_issued_by(X509 *subject, X509 *issuer)
{
    if (X509_NAME_cmp(X509_get_issuer_name(subject), X509_get_subject_name(issuer)) != 0) {
        return false;
    }
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    bool ok = key != NULL && X509_verify(subject, key) == 1;
    ERR_clear_error();
    return ok;
}

const pki_known_t *pki_trust_find(const pki_trust_t *trust, const uint8_t sha256[32])
{
    for (size_t i = 0; i < trust->count; i++) {
        if (memcmp(trust->known[i].sha256, sha256, 32) == 0) {
            return &trust->known[i];
        }
    }
    return NULL;
}

const pki_known_t *pki_trust_issuer(const pki_trust_t *trust, X509 *cert, bool *named)
{
    *named = false;
    for (size_t i = 0; i < trust->count; i++) {
        X509 *ca = trust->known[i].cert;
        if (X509_NAME_cmp(X509_get_issuer_name(cert), X509_get_subject_name(ca)) == 0) {
            *named = true;
            if (pki_cert_issued_by(cert, ca)) {
                return &trust->known[i];
            }
        }
    }
    return NULL;
}

static bool add(pki_trust_t *trust, X509 *cert, bool product, err_t *err)
{
    char name[PKI_CN_MAX + 1];
    pki_known_t *known = &trust->known[trust->count];
    pki_cert_cn(cert, name);
    if (!pki_cert_is_ca(cert)) {
        return err_set(err, ERR_INPUT, "\"%s\" is no CA certificate and cannot be trusted as one",
                       name);
    }
    if (!pki_key_check(X509_get0_pubkey(cert), err)) {
        return err_add(err, "the CA %s", name);
    }
    if (!pki_cert_hash(cert, known->sha256) || X509_up_ref(cert) != 1) {
        return pki_fail(err, ERR_INPUT, "the CA certificate %s cannot be used", name);
    }
    known->cert = cert;
    known->product = product;
    known->issuer = trust->count++;
    return true;
}

/* Every issuing CA must have been signed by one of the others, and following that must end at a
   product CA: two that signed one another would not. */
static bool link_issuers(pki_trust_t *trust, err_t *err)
{
    for (size_t i = 0; i < trust->count; i++) {
        pki_known_t *known = &trust->known[i];
        bool named;
        if (known->product) {
            continue;
        }
        const pki_known_t *issuer = pki_trust_issuer(trust, known->cert, &named);
        known->issuer = issuer == NULL ? i : (size_t)(issuer - trust->known);
    }
    for (size_t i = 0; i < trust->count; i++) {
        size_t at = i;
        for (size_t steps = 0; !trust->known[at].product && steps <= trust->count; steps++) {
            at = trust->known[at].issuer;
        }
        if (!trust->known[at].product) {
            char name[PKI_CN_MAX + 1];
            pki_cert_cn(trust->known[i].cert, name);
            return err_set(err, ERR_INPUT, "the issuing CA %s was not signed by the product CA",
                           name);
        }
    }
    return true;
}

bool pki_trust_new(const pki_chain_t *product, const pki_chain_t *issuing, pki_trust_t **trust,
                   err_t *err)
{
    pki_trust_t *made = calloc(1, sizeof *made);
    *trust = NULL;
    if (made == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for the trusted CAs");
    }
    bool ok = product->count > 0 || err_set(err, ERR_USAGE, "there is no product CA to trust");
    for (size_t i = 0; ok && i < product->count; i++) {
        ok = add(made, product->cert[i], true, err);
    }
    for (size_t i = 0; ok && issuing != NULL && i < issuing->count; i++) {
        ok = add(made, issuing->cert[i], false, err);
    }
    if (!ok || !link_issuers(made, err)) {
        pki_trust_free(made);
        return false;
    }
    *trust = made;
    return true;
}

void pki_trust_free(pki_trust_t *trust)
{
    if (trust != NULL) {
        for (size_t i = 0; i < trust->count; i++) {
            X509_free(trust->known[i].cert);
        }
        free(trust);
    }
}

static bool contains(const pki_chain_t *chain, const X509 *cert)
{
    for (size_t i = 0; i < chain->count; i++) {
        if (pki_cert_equal(chain->cert[i], cert)) {
            return true;
        }
    }
    return false;
}

bool pki_chain_complete(pki_chain_t *chain, const pki_chain_t *pool, err_t *err)
{
    bool added = chain->count > 0;
    while (added && chain->count < PKI_CHAIN_MAX) {
        X509 *last = chain->cert[chain->count - 1];
        added = false;
        if (X509_NAME_cmp(X509_get_subject_name(last), X509_get_issuer_name(last)) == 0) {
            return true;
        }
        for (size_t i = 0; !added && i < pool->count; i++) {
            if (!contains(chain, pool->cert[i]) && pki_cert_issued_by(last, pool->cert[i])) {
                if (!pki_chain_add(chain, pool->cert[i], err)) {
                    return false;
                }
                added = true;
            }
        }
    }
    return true;
}

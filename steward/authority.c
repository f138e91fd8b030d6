/* SPDX-License-Identifier: Apache-2.0 */
#include "steward/authority.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <openssl/x509.h>

#include "pki/ca.h"
#include "pki/cert.h"
#include "pki/chain.h"
#include "pki/issue.h"
#include "pki/key.h"
#include "pki/signer.h"
#include "site/ca.h"
#include "site/deny.h"

/* The issuing CAs, which a roll adds to while we run. */
typedef struct {
    site_t site;
    pki_chain_t cas;
    struct timespec seen; /* when ca/ was changed last, as far as we have looked */
} issuers_t;

struct authority {
    pki_chain_t product; /* one certificate */
    issuers_t *issuers;
    pki_trust_t *trust;
    pki_signer_t *signer;
    site_deny_t *deny;
    X509 *renewal;
    uint8_t renewal_der[RECORD_CERT_MAX];
    size_t renewal_len;
};

static struct timespec changed(const site_t *site)
{
    char path[FILE_PATH_MAX];
    struct stat st;
    bool ok = site_path(site, "ca", path, NULL) && stat(path, &st) == 0;
    return ok ? st.st_mtim : (struct timespec){0, 0};
}

/* True when there are others than before. */
static bool look_again(issuers_t *issuers)
{
    struct timespec now = changed(&issuers->site);
    pki_chain_t cas;
    if ((now.tv_sec == issuers->seen.tv_sec && now.tv_nsec == issuers->seen.tv_nsec) ||
        !site_issuing(&issuers->site, &cas, NULL)) {
        return false;
    }
    pki_chain_free(&issuers->cas);
    issuers->cas = cas;
    issuers->seen = now;
    return true;
}

static X509 *issuer_of(const issuers_t *issuers, X509 *leaf)
{
    for (size_t i = 0; i < issuers->cas.count; i++) {
        if (pki_cert_issued_by(leaf, issuers->cas.cert[i])) {
            return issuers->cas.cert[i];
        }
    }
    return NULL;
}

bool authority_open(authority_t **authority, const site_t *site, err_t *err)
{
    char path[FILE_PATH_MAX];
    authority_t *a = calloc(1, sizeof *a);
    if (a != NULL) {
        a->issuers = calloc(1, sizeof *a->issuers);
    }
    if (a == NULL || a->issuers == NULL) {
        free(a);
        return err_set(err, ERR_SYSTEM, "out of memory");
    }
    a->issuers->site = *site;
    a->issuers->seen = changed(site);
    bool ok = site_device_trust(site, &a->product, &a->issuers->cas, &a->trust, err) &&
              site_deny_watch(site, &a->deny, err) && site_key_path(site, "renewal", path, err) &&
              pki_signer_open(path, &a->signer, err);
    if (ok) {
        a->renewal = a->issuers->cas.cert[SITE_RENEWAL];
        X509_up_ref(a->renewal); /* our key is this one's, whatever is rolled */
        ok = pki_cert_to_der(a->renewal, a->renewal_der, sizeof a->renewal_der, &a->renewal_len,
                             err);
    }
    if (!ok) {
        authority_close(a);
        return false;
    }
    *authority = a;
    return true;
}

void authority_close(authority_t *a)
{
    if (a == NULL) {
        return;
    }
    pki_signer_close(a->signer);
    site_deny_close(a->deny);
    pki_trust_free(a->trust);
    pki_cert_free(a->renewal);
    pki_chain_free(&a->issuers->cas);
    free(a->issuers);
    pki_chain_free(&a->product);
    free(a);
}

bool authority_leaf_good(const authority_t *a, const uint8_t *der, size_t len, const char *sn,
                         int64_t now, err_t *err)
{
    X509 *leaf;
    pki_facts_t facts;
    pki_chain_verdict_t verdict;
    if (!pki_cert_from_der(der, len, &leaf, err)) {
        return false;
    }
    X509 *chain[3] = {leaf, issuer_of(a->issuers, leaf), a->product.cert[0]};
    if (chain[1] == NULL && look_again(a->issuers)) {
        chain[1] = issuer_of(a->issuers, leaf);
    }
    bool ok = true;
    if (chain[1] == NULL) {
        ok = err_set(err, ERR_INPUT, "it was not issued by one of the site's issuing CAs");
    } else if (!pki_cert_facts(leaf, &facts, err)) {
        ok = false;
    } else if (strcmp(facts.cn, sn) != 0) {
        ok = err_set(err, ERR_INPUT, "its CN is \"%s\", not \"%s\"", facts.cn, sn);
    } else {
        const pki_chain_policy_t policy = {.now = now};
        if (pki_chain_check(a->trust, chain, 3, &policy, &verdict) != PKI_CHAIN_OK) {
            ok = err_set(err, ERR_INPUT, "%s", verdict.text);
        }
    }
    pki_cert_free(leaf);
    return ok;
}

bool authority_denied(const authority_t *a, const uint8_t sha256[JWS_HASH_SIZE])
{
    site_deny_refresh(a->deny, NULL);
    return site_deny_has(a->deny, sha256);
}

static bool key_hash(const EVP_PKEY *key, uint8_t hash[JWS_HASH_SIZE], err_t *err)
{
    uint8_t spki[PKI_SPKI_MAX];
    size_t len;
    return pki_key_public_der(key, spki, sizeof spki, &len, err) &&
           pki_sha256(spki, len, hash, err);
}

bool authority_key_row(const uint8_t *der, size_t len, const char *sn, record_key_t *row,
                       err_t *err)
{
    X509 *leaf;
    pki_facts_t facts;
    memset(row, 0, sizeof *row);
    if (len > sizeof row->cert) {
        return err_set(err, ERR_INPUT, "a certificate of %zu bytes; at most %d are kept", len,
                       RECORD_CERT_MAX);
    }
    if (!pki_cert_from_der(der, len, &leaf, err)) {
        return false;
    }
    bool ok = pki_cert_facts(leaf, &facts, err) && key_hash(X509_get0_pubkey(leaf), row->key, err);
    if (ok) {
        snprintf(row->sn, sizeof row->sn, "%s", sn);
        memcpy(row->hash, facts.sha256, sizeof row->hash);
        memcpy(row->cert, der, len);
        row->cert_len = len;
        row->not_after = facts.not_after;
    }
    pki_cert_free(leaf);
    return ok;
}

bool authority_grant(const authority_t *a, const char *sn, EVP_PKEY *key, int64_t now,
                     uint32_t days, record_key_t *row, err_t *err)
{
    uint8_t der[PKI_CERT_DER_MAX];
    size_t len;
    const pki_issuer_t issuer = {a->renewal, a->signer};
    const pki_device_request_t request = {.sn = sn, .key = key, .not_before = now, .days = days};
    return pki_issue_device_der(&request, &issuer, der, sizeof der, &len, err) &&
           authority_key_row(der, len, sn, row, err);
}

const uint8_t *authority_renewal(const authority_t *a, size_t *len)
{
    *len = a->renewal_len;
    return a->renewal_der;
}

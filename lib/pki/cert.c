/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/cert.h"

#include <stdlib.h>
#include <string.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/file.h"
#include "pki/internal.h"

bool pki_cert_from_der(const uint8_t *der, size_t len, X509 **cert, err_t *err)
{
    *cert = NULL;
    if (len > PKI_CERT_DER_MAX) {
        return err_set(err, ERR_INPUT, "a certificate of %zu bytes: at most %d are accepted", len,
                       PKI_CERT_DER_MAX);
    }
    const unsigned char *p = der;
    X509 *parsed = d2i_X509(NULL, &p, (long)len);
    if (parsed == NULL) {
        return pki_fail(err, ERR_INPUT, "a certificate is damaged");
    }
    if (p != der + len) {
        X509_free(parsed);
        return err_set(err, ERR_INPUT, "%zu bytes follow the end of a certificate",
                       (size_t)(der + len - p));
    }
    *cert = parsed;
    return true;
}

/* Adds one block of a bundle. */
static bool add_block(void *context, const char *name, const uint8_t *der, size_t len, err_t *err)
{
    pki_chain_t *chain = context;
    if (strcmp(name, PEM_STRING_X509) != 0 && strcmp(name, PEM_STRING_X509_OLD) != 0) {
        return err_set(err, ERR_INPUT,
                       "a block \"%.40s\" is not a certificate and does not "
                       "belong in this file",
                       name);
    }
    if (chain->count == PKI_CHAIN_MAX) {
        return err_set(err, ERR_INPUT, "more than %d certificates in one file", PKI_CHAIN_MAX);
    }
    if (!pki_cert_from_der(der, len, &chain->cert[chain->count], err)) {
        return err_add(err, "certificate %zu", chain->count + 1);
    }
    chain->count++;
    return true;
}

bool pki_chain_parse(const char *pem, size_t len, pki_chain_t *chain, err_t *err)
{
    *chain = (pki_chain_t)PKI_CHAIN_INIT;
    if (len > PKI_PEM_MAX) {
        return err_set(err, ERR_INPUT, "%zu bytes of certificates: at most %d are read", len,
                       PKI_PEM_MAX);
    }
    bool ok = pki_pem_each(pem, len, add_block, chain, err);
    if (ok && chain->count == 0) {
        ok = err_set(err, ERR_INPUT, "no certificate in PEM form (BEGIN CERTIFICATE)");
    }
    if (!ok) {
        pki_chain_free(chain);
    }
    return ok;
}

bool pki_chain_load(const char *path, pki_chain_t *chain, err_t *err)
{
    char *pem;
    size_t len;
    *chain = (pki_chain_t)PKI_CHAIN_INIT;
    if (!file_read(path, PKI_PEM_MAX, &pem, &len, err)) {
        return false;
    }
    bool ok = pki_chain_parse(pem, len, chain, err);
    free(pem);
    return ok || err_add(err, "%s", path);
}

void pki_chain_free(pki_chain_t *chain)
{
    for (size_t i = 0; i < chain->count; i++) {
        X509_free(chain->cert[i]);
    }
    *chain = (pki_chain_t)PKI_CHAIN_INIT;
}

bool pki_chain_add(pki_chain_t *chain, X509 *cert, err_t *err)
{
    if (chain->count == PKI_CHAIN_MAX) {
        return err_set(err, ERR_INPUT, "a chain holds at most %d certificates", PKI_CHAIN_MAX);
    }
    if (X509_up_ref(cert) != 1) {
        return pki_fail(err, ERR_SYSTEM, "cannot take a reference to a certificate");
    }
    chain->cert[chain->count++] = cert;
    return true;
}

bool pki_chain_to_pem(const pki_chain_t *chain, char **pem, size_t *len, err_t *err)
{
    *pem = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio != NULL;
    for (size_t i = 0; ok && i < chain->count; i++) {
        ok = PEM_write_bio_X509(bio, chain->cert[i]) == 1;
    }
    char *text = NULL;
    long n = ok ? BIO_get_mem_data(bio, &text) : 0;
    char *copy = ok ? malloc((size_t)n + 1) : NULL;
    if (copy != NULL) {
        if (n > 0) {
            memcpy(copy, text, (size_t)n);
        }
        copy[n] = '\0';
        *pem = copy;
        *len = (size_t)n;
    }
    BIO_free(bio);
    if (copy == NULL) {
        return pki_fail(err, ERR_SYSTEM, "cannot write certificates as PEM");
    }
    return true;
}

bool pki_cert_load(const char *path, X509 **cert, err_t *err)
{
    pki_chain_t chain;
    *cert = NULL;
    if (!pki_chain_load(path, &chain, err)) {
        return false;
    }
    bool ok = chain.count == 1;
    if (ok) {
        X509_up_ref(chain.cert[0]);
        *cert = chain.cert[0];
    } else {
        err_set(err, ERR_INPUT, "%s holds %zu certificates, one is expected", path, chain.count);
    }
    pki_chain_free(&chain);
    return ok;
}

bool pki_cert_save(const X509 *cert, const char *path, err_t *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    if (bio == NULL || PEM_write_bio_X509(bio, cert) != 1) {
        BIO_free(bio);
        return pki_fail(err, ERR_SYSTEM, "cannot write a certificate as PEM");
    }
    long n = BIO_get_mem_data(bio, &text);
    bool ok = file_write_new(path, text, (size_t)n, 0644, err);
    BIO_free(bio);
    return ok;
}

bool pki_cert_to_der(const X509 *cert, uint8_t *out, size_t cap, size_t *len, err_t *err)
{
    int n = i2d_X509(cert, NULL);
    if (n <= 0) {
        return pki_fail(err, ERR_INPUT, "a certificate cannot be written as DER");
    }
    if ((size_t)n > cap) {
        return err_set(err, ERR_INPUT, "a certificate of %d bytes: at most %zu are accepted", n,
                       cap);
    }
    unsigned char *p = out;
    *len = (size_t)i2d_X509(cert, &p);
    return true;
}

void pki_cert_free(X509 *cert)
{
    X509_free(cert);
}

bool pki_cert_equal(const X509 *a, const X509 *b)
{
    uint8_t x[PKI_CERT_DER_MAX];
    uint8_t y[PKI_CERT_DER_MAX];
    size_t x_len;
    size_t y_len;
    return a == b || (pki_cert_to_der(a, x, sizeof x, &x_len, NULL) &&
                      pki_cert_to_der(b, y, sizeof y, &y_len, NULL) && x_len == y_len &&
                      memcmp(x, y, x_len) == 0);
}

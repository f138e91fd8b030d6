/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/csr.h"

#include <string.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "pki/internal.h"
#include "pki/key.h"

static bool fill(X509_REQ *request, const char *cn, EVP_PKEY *key)
{
    return X509_REQ_set_version(request, 0) == 1 && X509_REQ_set_pubkey(request, key) == 1 &&
           X509_NAME_add_entry_by_NID(X509_REQ_get_subject_name(request), NID_commonName,
                                      MBSTRING_UTF8, (const unsigned char *)cn, (int)strlen(cn), -1,
                                      0) == 1;
}

bool pki_csr_make(const char *cn, const pki_signer_t *signer, uint8_t *out, size_t cap, size_t *len,
                  err_t *err)
{
    if (!pki_cn_valid(cn)) {
        return err_set(err, ERR_USAGE, "a request's name has 1 to %d printable ASCII characters",
                       PKI_CN_MAX);
    }
    X509_REQ *request = X509_REQ_new();
    if (request == NULL || !fill(request, cn, pki_signer_public(signer))) {
        X509_REQ_free(request);
        return pki_fail(err, ERR_SYSTEM, "cannot make a certificate request");
    }
    bool ok = pki_signer_sign_request(signer, request, err);
    int n = ok ? i2d_X509_REQ(request, NULL) : 0;
    if (ok && (n <= 0 || (size_t)n > cap)) {
        ok = err_set(err, ERR_USAGE, "%zu bytes are too few for a request of %d", cap, n);
    }
    if (ok) {
        unsigned char *p = out;
        *len = (size_t)i2d_X509_REQ(request, &p);
    }
    X509_REQ_free(request);
    return ok;
}

static X509_REQ *parse(const void *data, size_t len)
{
    const unsigned char *p = data;
    if (len > 0 && p[0] == 0x30) { /* a SEQUENCE: DER, and nothing after it */
        X509_REQ *request = d2i_X509_REQ(NULL, &p, (long)len);
        if (request != NULL && p != (const unsigned char *)data + len) {
            X509_REQ_free(request);
            return NULL;
        }
        return request;
    }
    BIO *bio = BIO_new_mem_buf(data, (int)len);
    X509_REQ *request = bio == NULL ? NULL : PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    BIO_free(bio);
    return request;
}

static const char *const cn_faults[] = {
    [PKI_CN_MISSING] = "the request names no CN; make it with -subj /CN=<serial number>",
    [PKI_CN_TWICE] = "the request names several CNs; one is expected",
    [PKI_CN_TOO_LONG] = "the CN of the request is longer than 64 characters",
    [PKI_CN_NOT_PLAIN] = "the CN of the request is not printable ASCII",
};

static bool signature_accepted(const X509_REQ *request)
{
    int digest = NID_undef;
    int security = 0;
    if (OBJ_find_sigid_algs(X509_REQ_get_signature_nid(request), &digest, &security) != 1) {
        return false;
    }
    return digest == NID_sha256 || digest == NID_sha384 || digest == NID_sha512;
}

static bool check(X509_REQ *request, pki_csr_t *csr, err_t *err)
{
    EVP_PKEY *key = X509_REQ_get0_pubkey(request);
    pki_cn_t state = pki_name_cn(X509_REQ_get_subject_name(request), csr->cn);
    if (state != PKI_CN_OK) {
        return err_set(err, ERR_INPUT, "%s", cn_faults[state]);
    }
    if (!pki_key_check(key, err)) {
        return err_add(err, "the request of %s", csr->cn);
    }
    if (!signature_accepted(request)) {
        return err_set(err, ERR_INPUT, "the request of %s is not signed over SHA-256, -384 or -512",
                       csr->cn);
    }
    if (X509_REQ_verify(request, key) != 1) {
        ERR_clear_error();
        return err_set(err, ERR_INPUT, "the request of %s is not signed with its own key", csr->cn);
    }
    if (EVP_PKEY_up_ref(key) != 1) {
        return pki_fail(err, ERR_SYSTEM, "cannot keep the key of the request");
    }
    csr->key = key;
    return true;
}

bool pki_csr_read(const void *data, size_t len, pki_csr_t *csr, err_t *err)
{
    memset(csr, 0, sizeof *csr);
    if (len > PKI_CSR_MAX) {
        return err_set(err, ERR_INPUT, "a request of %zu bytes: at most %d are read", len,
                       PKI_CSR_MAX);
    }
    X509_REQ *request = parse(data, len);
    if (request == NULL) {
        return pki_fail(err, ERR_INPUT, "not a certificate request (PKCS#10, PEM or DER)");
    }
    bool ok = check(request, csr, err);
    X509_REQ_free(request);
    return ok;
}

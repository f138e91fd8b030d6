/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/signer.h"

#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "pki/internal.h"
#include "pki/key.h"

/* One kind today. A token brings an EVP_PKEY of its own (a handle, no private part), so every
   function below but pki_signer_open already fits it. */
struct pki_signer {
    EVP_PKEY *key;
};

bool pki_signer_from_key(EVP_PKEY *key, pki_signer_t **signer, err_t *err)
{
    *signer = NULL;
    if (!pki_key_check(key, err)) {
        return false;
    }
    pki_signer_t *made = calloc(1, sizeof *made);
    if (made == NULL || EVP_PKEY_up_ref(key) != 1) {
        free(made);
        return err_set(err, ERR_SYSTEM, "out of memory for a signer");
    }
    made->key = key;
    *signer = made;
    return true;
}

bool pki_signer_open(const char *where, pki_signer_t **signer, err_t *err)
{
    return pki_signer_open_with(where, NULL, signer, err);
}

bool pki_signer_open_with(const char *where, const pki_passphrase_t *passphrase,
                          pki_signer_t **signer, err_t *err)
{
    EVP_PKEY *key;
    *signer = NULL;
    if (strncmp(where, "pkcs11:", 7) == 0) {
        return err_set(err, ERR_USAGE,
                       "keys on PKCS#11 tokens are not supported yet; name a PEM key file");
    }
    if (!pki_key_load_with(where, passphrase, &key, err)) {
        return false;
    }
    bool ok = pki_signer_from_key(key, signer, err);
    pki_key_free(key);
    return ok;
}

void pki_signer_close(pki_signer_t *signer)
{
    if (signer != NULL) {
        EVP_PKEY_free(signer->key);
        free(signer);
    }
}

EVP_PKEY *pki_signer_public(const pki_signer_t *signer)
{
    return signer->key;
}

bool pki_signer_sign(const pki_signer_t *signer, const void *data, size_t len, uint8_t *out,
                     size_t cap, size_t *out_len, err_t *err)
{
    size_t need = (size_t)EVP_PKEY_get_size(signer->key);
    if (cap < need) {
        return err_set(err, ERR_USAGE, "%zu bytes are too few for a signature of up to %zu", cap,
                       need);
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    *out_len = cap;
    bool ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, signer->key) == 1 &&
              EVP_DigestSign(ctx, out, out_len, data, len) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok) {
        return pki_fail(err, ERR_SYSTEM, "signing failed");
    }
    return true;
}

bool pki_verify(EVP_PKEY *key, const void *data, size_t len, const uint8_t *sig, size_t sig_len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
              EVP_DigestVerify(ctx, sig, sig_len, data, len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

bool pki_signer_sign_cert(const pki_signer_t *signer, X509 *cert, err_t *err)
{
    if (X509_sign(cert, signer->key, EVP_sha256()) <= 0) {
        return pki_fail(err, ERR_SYSTEM, "signing the certificate failed");
    }
    return true;
}

bool pki_signer_sign_request(const pki_signer_t *signer, X509_REQ *request, err_t *err)
{
    if (X509_REQ_sign(request, signer->key, EVP_sha256()) <= 0) {
        return pki_fail(err, ERR_SYSTEM, "signing the request failed");
    }
    return true;
}

bool pki_signer_sign_crl(const pki_signer_t *signer, X509_CRL *crl, err_t *err)
{
    if (X509_CRL_sign(crl, signer->key, EVP_sha256()) <= 0) {
        return pki_fail(err, ERR_SYSTEM, "signing the revocation list failed");
    }
    return true;
}

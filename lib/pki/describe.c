/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/describe.h"

#include <stdio.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "pki/internal.h"

void pki_key_describe(const EVP_PKEY *key, char out[PKI_KEY_TEXT_SIZE])
{
    char curve[64];
    int id = key == NULL ? EVP_PKEY_NONE : EVP_PKEY_get_base_id(key);
    if (id == EVP_PKEY_RSA) {
        snprintf(out, PKI_KEY_TEXT_SIZE, "RSA-%d", EVP_PKEY_get_bits(key));
    } else if (id == EVP_PKEY_EC && EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL) == 1) {
        const char *nist = EC_curve_nid2nist(OBJ_sn2nid(curve));
        snprintf(out, PKI_KEY_TEXT_SIZE, "%s", nist == NULL ? curve : nist);
    } else {
        snprintf(out, PKI_KEY_TEXT_SIZE, "%s", id == EVP_PKEY_NONE ? "unreadable" : OBJ_nid2sn(id));
    }
    ERR_clear_error();
}

static void describe_name(const X509_NAME *name, char out[PKI_NAME_TEXT_SIZE])
{
    char cn[PKI_CN_MAX + 1];
    if (X509_NAME_entry_count(name) == 1 && pki_name_cn(name, cn) == PKI_CN_OK) {
        snprintf(out, PKI_NAME_TEXT_SIZE, "%s", cn);
    } else if (X509_NAME_oneline(name, out, PKI_NAME_TEXT_SIZE) == NULL || out[0] == '\0') {
        snprintf(out, PKI_NAME_TEXT_SIZE, "(no name)");
    }
    ERR_clear_error();
}

void pki_cert_describe(X509 *cert, pki_description_t *out)
{
    memset(out, 0, sizeof *out);
    describe_name(X509_get_subject_name(cert), out->subject);
    describe_name(X509_get_issuer_name(cert), out->issuer);
    pki_key_describe(X509_get0_pubkey(cert), out->key);
    out->ca = pki_cert_is_ca(cert);
    out->self_signed = X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)) == 0;
    long pathlen = out->ca ? X509_get_pathlen(cert) : -1;
    out->pathlen = pathlen < 0 || pathlen > 1000 ? PKI_PATHLEN_NONE : (int)pathlen;
}

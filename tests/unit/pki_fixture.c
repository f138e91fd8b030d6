/* SPDX-License-Identifier: Apache-2.0 */
#include "pki_fixture.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

const char *const ext_ca[] = {"basicConstraints", "critical,CA:TRUE", "keyUsage",
                              "critical,keyCertSign,cRLSign", NULL};
const char *const ext_ca_len0[] = {"basicConstraints", "critical,CA:TRUE,pathlen:0", "keyUsage",
                                   "critical,keyCertSign,cRLSign", NULL};
const char *const ext_ca_len1[] = {"basicConstraints", "critical,CA:TRUE,pathlen:1", "keyUsage",
                                   "critical,keyCertSign,cRLSign", NULL};
const char *const ext_client[] = {
    "basicConstraints", "critical,CA:FALSE", "keyUsage", "critical,digitalSignature",
    "extendedKeyUsage", "clientAuth",        NULL};

static void need(bool ok)
{
    if (!ok) {
        abort();
    }
}

EVP_PKEY *fixture_key(const char *kind)
{
    EVP_PKEY *key;
    if (strncmp(kind, "RSA-", 4) == 0) {
        key = EVP_RSA_gen((unsigned)atoi(kind + 4));
    } else if (strcmp(kind, "ED25519") == 0) {
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    } else {
        key = EVP_EC_gen(kind);
    }
    need(key != NULL);
    return key;
}

static void set_name(X509_NAME *name, const char *cn)
{
    if (cn != NULL) {
        need(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                        (const unsigned char *)cn, -1, -1, 0) == 1);
    }
}

X509 *fixture_mint(const mint_t *mint)
{
    X509 *cert = X509_new();
    X509_NAME *other = X509_NAME_new();
    need(cert != NULL && other != NULL && X509_set_version(cert, mint->v1 ? 0 : 2) == 1);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 4711);
    set_name(X509_get_subject_name(cert), mint->cn);
    set_name(other, mint->issuer_name);
    X509_set_issuer_name(cert, mint->issuer_name != NULL
                                   ? other
                                   : X509_get_subject_name(mint->issuer ? mint->issuer : cert));
    ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(mint->from ? mint->from : T0 - 10 * DAY));
    ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(mint->to ? mint->to : T0 + 1000 * DAY));
    need(X509_set_pubkey(cert, mint->key) == 1);
    for (const char *const *e = mint->ext; e != NULL && *e != NULL; e += 2) {
        X509V3_CTX ctx;
        X509V3_set_ctx(&ctx, mint->issuer ? mint->issuer : cert, cert, NULL, NULL, 0);
        X509V3_set_ctx_nodb(&ctx);
        X509_EXTENSION *extension = X509V3_EXT_conf(NULL, &ctx, e[0], e[1]);
        need(extension != NULL && X509_add_ext(cert, extension, -1) == 1);
        X509_EXTENSION_free(extension);
    }
    const EVP_MD *digest = EVP_get_digestbyname(mint->digest ? mint->digest : "SHA256");
    bool no_digest =
        EVP_PKEY_get_base_id(mint->issuer_key ? mint->issuer_key : mint->key) == EVP_PKEY_ED25519;
    need(X509_sign(cert, mint->issuer_key ? mint->issuer_key : mint->key,
                   no_digest ? NULL : digest) > 0);
    X509_NAME_free(other);
    return cert;
}

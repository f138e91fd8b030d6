/* SPDX-License-Identifier: Apache-2.0 */
/* body: what every certificate made here has in common (internal.h). */
#include <string.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "pki/cert.h"
#include "pki/internal.h"
#include "pki/key.h"
#include "pki/p256.h"

#define SERIAL_SIZE 20
/* 9999-12-31 23:59:59: the last moment a certificate can express. */
#define LAST_SECOND 253402300799

/* 20 octets, positive, never shorter: the top two bits are 01. */
static bool set_serial(X509 *cert)
{
    uint8_t bytes[SERIAL_SIZE];
    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        return false;
    }
    bytes[0] = (uint8_t)((bytes[0] & 0x3f) | 0x40);
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool ok = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return ok;
}

static bool set_subject(X509 *cert, const char *cn)
{
    return X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName, MBSTRING_UTF8,
                                      (const unsigned char *)cn, (int)strlen(cn), -1, 0) == 1;
}

/* X509_set_pubkey encodes the key, then decodes it again: 0.2 ms. The bytes of a P-256 key are
   known. The price: X509_get0_pubkey says NULL for such a certificate until it is parsed anew. */
static bool set_public_key(X509 *cert, const pki_body_t *body)
{
    uint8_t point[PKI_P256_POINT];
    if (!body->only_bytes || !pki_p256_point(body->key, point)) {
        return X509_set_pubkey(cert, body->key) == 1;
    }
    unsigned char *copy = OPENSSL_memdup(point, sizeof point);
    ASN1_OBJECT *curve = OBJ_nid2obj(NID_X9_62_prime256v1);
    if (copy == NULL ||
        X509_PUBKEY_set0_param(X509_get_X509_PUBKEY(cert), OBJ_nid2obj(NID_X9_62_id_ecPublicKey),
                               V_ASN1_OBJECT, curve, copy, sizeof point) != 1) {
        OPENSSL_free(copy);
        return false;
    }
    return true;
}

static bool set_dates(X509 *cert, const pki_body_t *body)
{
    return ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)body->not_before) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)body->not_after) != NULL;
}

bool pki_body_make(const pki_body_t *body, X509 **cert, err_t *err)
{
    *cert = NULL;
    if (!pki_cn_valid(body->cn)) {
        return err_set(err, ERR_USAGE,
                       "a certificate's name has 1 to %d printable ASCII "
                       "characters and no space at an end",
                       PKI_CN_MAX);
    }
    if (body->not_before < 0 || body->not_after < body->not_before ||
        body->not_after > LAST_SECOND) {
        return err_set(err, ERR_USAGE, "the validity of %s is empty or beyond the year 9999",
                       body->cn);
    }
    if (!pki_key_check(body->key, err)) {
        return false;
    }
    X509 *made = X509_new();
    if (made == NULL || X509_set_version(made, 2) != 1 || !set_serial(made) ||
        !set_subject(made, body->cn) ||
        X509_set_issuer_name(
            made, X509_get_subject_name(body->issuer == NULL ? made : body->issuer)) != 1 ||
        !set_dates(made, body) || !set_public_key(made, body)) {
        X509_free(made);
        return pki_fail(err, ERR_SYSTEM, "cannot make the certificate of %s", body->cn);
    }
    *cert = made;
    return true;
}

bool pki_extension_add(X509 *cert, int nid, const char *value, err_t *err)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, NULL, cert, NULL, NULL, 0);
    X509V3_set_ctx_nodb(&ctx);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    if (!ok) {
        return pki_fail(err, ERR_SYSTEM, "cannot add the extension %s", OBJ_nid2sn(nid));
    }
    return true;
}

/* RFC 5280 section 4.2.1.2, method 1: SHA-1 of the public key's bits. */
static ASN1_OCTET_STRING *key_identifier(const X509 *cert)
{
    uint8_t hash[20];
    const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(cert);
    ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
    if (id == NULL || bits == NULL ||
        EVP_Digest(ASN1_STRING_get0_data(bits), (size_t)ASN1_STRING_length(bits), hash, NULL,
                   EVP_sha1(), NULL) != 1 ||
        ASN1_OCTET_STRING_set(id, hash, sizeof hash) != 1) {
        ASN1_OCTET_STRING_free(id);
        return NULL;
    }
    return id;
}

ASN1_OCTET_STRING *pki_issuer_identifier(X509 *issuer)
{
    const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(issuer);
    return own == NULL ? key_identifier(issuer) : ASN1_OCTET_STRING_dup(own);
}

bool pki_key_identifiers_add(X509 *cert, X509 *issuer, err_t *err)
{
    ASN1_OCTET_STRING *own = key_identifier(cert);
    AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
    bool ok = own != NULL && authority != NULL;
    if (ok) {
        authority->keyid =
            issuer == NULL ? ASN1_OCTET_STRING_dup(own) : pki_issuer_identifier(issuer);
        ok = authority->keyid != NULL &&
             X509_add1_ext_i2d(cert, NID_subject_key_identifier, own, 0, X509V3_ADD_APPEND) == 1 &&
             X509_add1_ext_i2d(cert, NID_authority_key_identifier, authority, 0,
                               X509V3_ADD_APPEND) == 1;
    }
    ASN1_OCTET_STRING_free(own);
    AUTHORITY_KEYID_free(authority);
    if (!ok) {
        return pki_fail(err, ERR_SYSTEM, "cannot add the key identifiers");
    }
    return true;
}

static bool check_issuer_dates(X509 *issuer, const pki_body_t *body, const char *name, err_t *err)
{
    int64_t from;
    int64_t to;
    if (!pki_cert_dates(issuer, &from, &to)) {
        return err_set(err, ERR_INPUT, "the dates of the CA %s cannot be read", name);
    }
    if (body->not_before < from) {
        return err_set(err, ERR_PRECONDITION,
                       "%s would be valid before its CA %s is; check the clock of this machine",
                       body->cn, name);
    }
    if (body->not_after > to) {
        return err_set(err, ERR_PRECONDITION,
                       "%s would outlive its CA %s by %lld days; ask for fewer days or roll the CA",
                       body->cn, name, (long long)((body->not_after - to + 86399) / 86400));
    }
    return true;
}

bool pki_issuer_check(const pki_issuer_t *issuer, const pki_body_t *body, bool for_ca, err_t *err)
{
    char name[PKI_CN_MAX + 1];
    pki_cert_cn(issuer->cert, name);
    if (!pki_cert_is_ca(issuer->cert)) {
        return err_set(err, ERR_INPUT, "the certificate of %s is no CA's and cannot issue", name);
    }
    if (!pki_key_matches(pki_signer_public(issuer->signer), issuer->cert)) {
        return err_set(err, ERR_INPUT, "the key does not belong to the CA certificate of %s", name);
    }
    if (for_ca && X509_get_pathlen(issuer->cert) == 0) {
        return err_set(err, ERR_INPUT, "the CA %s has path length 0: no CA may be below it", name);
    }
    return check_issuer_dates(issuer->cert, body, name, err);
}

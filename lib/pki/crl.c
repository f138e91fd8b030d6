/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/crl.h"

#include <stdlib.h>
#include <string.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "pki/internal.h"
#include "pki/key.h"
#include "pki/trust.h"

#define DAYS_MAX 3650

static bool set_serial(X509_REVOKED *entry, const char *hex)
{
    BIGNUM *number = NULL;
    ASN1_INTEGER *serial = NULL;
    bool ok = BN_hex2bn(&number, hex) == (int)strlen(hex) &&
              (serial = BN_to_ASN1_INTEGER(number, NULL)) != NULL &&
              X509_REVOKED_set_serialNumber(entry, serial) == 1;
    ASN1_INTEGER_free(serial);
    BN_free(number);
    return ok;
}

/* "unspecified" is said by leaving it out (RFC 5280 section 5.3.1). */
static bool set_reason(X509_REVOKED *entry, pki_reason_t reason)
{
    if (reason == PKI_REASON_UNSPECIFIED) {
        return true;
    }
    ASN1_ENUMERATED *code = ASN1_ENUMERATED_new();
    bool ok = code != NULL && ASN1_ENUMERATED_set(code, (long)reason) == 1 &&
              X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, code, 0, 0) == 1;
    ASN1_ENUMERATED_free(code);
    return ok;
}

static bool add_entry(X509_CRL *crl, const pki_denied_t *denied)
{
    X509_REVOKED *entry = X509_REVOKED_new();
    ASN1_TIME *at = ASN1_TIME_set(NULL, (time_t)denied->at);
    bool ok = entry != NULL && at != NULL && set_serial(entry, denied->serial) &&
              X509_REVOKED_set_revocationDate(entry, at) == 1 &&
              set_reason(entry, denied->reason) && X509_CRL_add0_revoked(crl, entry) == 1;
    ASN1_TIME_free(at);
    if (!ok) {
        X509_REVOKED_free(entry);
    }
    return ok;
}

static bool add_extensions(X509_CRL *crl, X509 *issuer, int64_t number)
{
    ASN1_INTEGER *seq = ASN1_INTEGER_new();
    AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
    bool ok = seq != NULL && authority != NULL && ASN1_INTEGER_set_int64(seq, number) == 1;
    if (ok) {
        authority->keyid = pki_issuer_identifier(issuer);
        ok = authority->keyid != NULL &&
             X509_CRL_add1_ext_i2d(crl, NID_authority_key_identifier, authority, 0,
                                   X509V3_ADD_APPEND) == 1 &&
             X509_CRL_add1_ext_i2d(crl, NID_crl_number, seq, 0, X509V3_ADD_APPEND) == 1;
    }
    ASN1_INTEGER_free(seq);
    AUTHORITY_KEYID_free(authority);
    return ok;
}

static bool set_dates(X509_CRL *crl, int64_t from, int64_t to)
{
    ASN1_TIME *this_update = ASN1_TIME_set(NULL, (time_t)from);
    ASN1_TIME *next_update = ASN1_TIME_set(NULL, (time_t)to);
    bool ok = this_update != NULL && next_update != NULL &&
              X509_CRL_set1_lastUpdate(crl, this_update) == 1 &&
              X509_CRL_set1_nextUpdate(crl, next_update) == 1;
    ASN1_TIME_free(this_update);
    ASN1_TIME_free(next_update);
    return ok;
}

/* Everything but the signature. */
static X509_CRL *build(const pki_crl_request_t *request, X509 *issuer, int64_t to, size_t *count)
{
    uint8_t hash[32];
    X509_CRL *crl = X509_CRL_new();
    bool ok = crl != NULL && pki_cert_hash(issuer, hash) && X509_CRL_set_version(crl, 1) == 1 &&
              X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer)) == 1 &&
              set_dates(crl, request->now, to);
    *count = 0;
    for (size_t i = 0; ok && i < pki_deny_count(request->deny); i++) {
        const pki_denied_t *denied = pki_deny_at(request->deny, i);
        if (denied->serial[0] != '\0' && memcmp(denied->issuer, hash, 32) == 0) {
            ok = add_entry(crl, denied);
            (*count)++;
        }
    }
    ok = ok && X509_CRL_sort(crl) == 1 && add_extensions(crl, issuer, pki_deny_seq(request->deny));
    if (!ok) {
        X509_CRL_free(crl);
        return NULL;
    }
    return crl;
}

static bool check(const pki_crl_request_t *request, const pki_issuer_t *issuer, int64_t *to,
                  err_t *err)
{
    char name[PKI_CN_MAX + 1];
    int64_t from;
    int64_t end;
    pki_cert_cn(issuer->cert, name);
    if (request->days < 1 || request->days > DAYS_MAX) {
        return err_set(err, ERR_USAGE, "a revocation list is good for 1 to %d days", DAYS_MAX);
    }
    if (!pki_cert_is_ca(issuer->cert) ||
        !pki_key_matches(pki_signer_public(issuer->signer), issuer->cert)) {
        return err_set(err, ERR_INPUT, "the key does not belong to the CA certificate of %s", name);
    }
    if ((X509_get_extension_flags(issuer->cert) & EXFLAG_KUSAGE) != 0 &&
        (X509_get_key_usage(issuer->cert) & KU_CRL_SIGN) == 0) {
        return err_set(err, ERR_INPUT,
                       "the CA %s may not sign revocation lists (keyUsage without "
                       "cRLSign)",
                       name);
    }
    if (!pki_cert_dates(issuer->cert, &from, &end) || request->now < from || request->now > end) {
        return err_set(err, ERR_PRECONDITION,
                       "the CA %s is not valid now and signs no revocation list", name);
    }
    *to = request->now + (int64_t)request->days * 86400;
    *to = *to > end ? end : *to;
    return true;
}

bool pki_crl_make(const pki_crl_request_t *request, const pki_issuer_t *issuer, char **pem,
                  size_t *len, size_t *count, err_t *err)
{
    int64_t to = 0;
    size_t entries;
    *pem = NULL;
    if (!check(request, issuer, &to, err)) {
        return false;
    }
    X509_CRL *crl = build(request, issuer->cert, to, &entries);
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = crl != NULL && bio != NULL;
    if (!ok) {
        pki_fail(err, ERR_SYSTEM, "cannot make a revocation list");
    }
    ok = ok && pki_signer_sign_crl(issuer->signer, crl, err);
    char *text = NULL;
    long n = ok && PEM_write_bio_X509_CRL(bio, crl) == 1 ? BIO_get_mem_data(bio, &text) : 0;
    *pem = n > 0 ? malloc((size_t)n + 1) : NULL;
    if (*pem != NULL) {
        memcpy(*pem, text, (size_t)n);
        (*pem)[n] = '\0';
        *len = (size_t)n;
    } else if (ok) {
        ok = pki_fail(err, ERR_SYSTEM, "cannot write a revocation list as PEM");
    }
    if (count != NULL) {
        *count = entries;
    }
    X509_CRL_free(crl);
    BIO_free(bio);
    return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* facts: what is recorded and compared of a certificate (the second half of cert.h). */
#include <stdlib.h>
#include <string.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "base/bytes.h"
#include "pki/cert.h"
#include "pki/internal.h"

/* Largest serial number: 20 octets (RFC 5280 section 4.1.2.2) and a sign octet some CAs add. */
#define SERIAL_MAX 21

bool pki_sha256(const void *data, size_t len, uint8_t out[32], err_t *err)
{
    if (EVP_Digest(data, len, out, NULL, EVP_sha256(), NULL) != 1) {
        return pki_fail(err, ERR_SYSTEM, "SHA-256 failed");
    }
    return true;
}

bool pki_sha3_hex(const void *data, size_t len, char out[65], err_t *err)
{
    uint8_t hash[32];
    if (EVP_Digest(data, len, hash, NULL, EVP_sha3_256(), NULL) != 1) {
        return pki_fail(err, ERR_SYSTEM, "SHA3-256 failed");
    }
    return bytes_to_hex(hash, sizeof hash, out, 65);
}

pki_cn_t pki_name_cn(const X509_NAME *subject, char out[PKI_CN_MAX + 1])
{
    out[0] = '\0';
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) {
        return PKI_CN_MISSING;
    }
    if (X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) {
        return PKI_CN_TWICE;
    }
    unsigned char *utf8 = NULL;
    int len =
        ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    pki_cn_t state = PKI_CN_OK;
    if (len < 0) {
        ERR_clear_error();
        return PKI_CN_NOT_PLAIN;
    }
    if (len == 0) {
        state = PKI_CN_MISSING;
    } else if (len > PKI_CN_MAX) {
        state = PKI_CN_TOO_LONG;
    } else {
        memcpy(out, utf8, (size_t)len);
        out[len] = '\0';
        if (strlen(out) != (size_t)len || !pki_cn_valid(out)) {
            out[0] = '\0';
            state = PKI_CN_NOT_PLAIN;
        }
    }
    OPENSSL_free(utf8);
    return state;
}

pki_cn_t pki_cert_cn(const X509 *cert, char out[PKI_CN_MAX + 1])
{
    return pki_name_cn(X509_get_subject_name(cert), out);
}

static bool serial_hex(const X509 *cert, char out[2 * SERIAL_MAX + 1])
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
    int len = ASN1_STRING_length(serial);
    return len >= 1 && len <= SERIAL_MAX && ASN1_STRING_type(serial) == V_ASN1_INTEGER &&
           bytes_to_hex(ASN1_STRING_get0_data(serial), (size_t)len, out, 2 * SERIAL_MAX + 1);
}

bool pki_cert_facts(const X509 *cert, pki_facts_t *facts, err_t *err)
{
    uint8_t der[PKI_CERT_DER_MAX];
    char base64[4 * ((PKI_CERT_DER_MAX + 2) / 3) + 1];
    size_t len;
    memset(facts, 0, sizeof *facts);
    facts->cn_state = pki_cert_cn(cert, facts->cn);
    if (!serial_hex(cert, facts->serial)) {
        return err_set(err, ERR_INPUT,
                       "the serial number of the certificate is negative or over "
                       "%d bytes",
                       SERIAL_MAX);
    }
    if (!pki_cert_dates(cert, &facts->not_before, &facts->not_after)) {
        return err_set(err, ERR_INPUT, "the dates of the certificate cannot be read");
    }
    return pki_cert_to_der(cert, der, sizeof der, &len, err) &&
           pki_sha256(der, len, facts->sha256, err) &&
           bytes_to_hex(facts->sha256, sizeof facts->sha256, facts->sha256_hex,
                        sizeof facts->sha256_hex) &&
           bytes_to_base64(der, len, base64, sizeof base64) &&
           pki_sha3_hex(base64, strlen(base64), facts->credentials_id, err);
}

bool pki_cert_credentials_value(const X509 *cert, char **base64, err_t *err)
{
    uint8_t der[PKI_CERT_DER_MAX];
    size_t len;
    *base64 = NULL;
    if (!pki_cert_to_der(cert, der, sizeof der, &len, err)) {
        return false;
    }
    size_t cap = 4 * ((len + 2) / 3) + 1;
    *base64 = malloc(cap);
    if (*base64 == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a certificate");
    }
    return bytes_to_base64(der, len, *base64, cap);
}

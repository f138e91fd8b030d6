/* SPDX-License-Identifier: Apache-2.0 */
/* internal: what the files of lib/pki share with one another and with nobody else. */
#ifndef CRADLE_PKI_INTERNAL_H
#define CRADLE_PKI_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/types.h>
#include <openssl/x509.h>

#include "base/err.h"
#include "pki/ca.h"
#include "pki/cert.h"

/* err_set with OpenSSL's own reason in brackets, and OpenSSL's error queue emptied. */
bool pki_fail(err_t *err, err_kind_t kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What every certificate made here has in common; the caller adds extensions and signs. */
typedef struct {
    const char *cn;
    EVP_PKEY *key;
    X509 *issuer; /* NULL: self-signed */
    int64_t not_before;
    int64_t not_after;
    bool only_bytes; /* made to be written as DER, not to be used as it is: quicker */
} pki_body_t;

bool pki_body_make(const pki_body_t *body, X509 **cert, err_t *err);

/* Extensions. `value` is the text form of x509v3_config(5), from this library only. */
bool pki_extension_add(X509 *cert, int nid, const char *value, err_t *err);

/* subjectKeyIdentifier from the certificate's own key; authorityKeyIdentifier from the issuer's
   (NULL: its own). */
bool pki_key_identifiers_add(X509 *cert, X509 *issuer, err_t *err);

/* The issuer's subjectKeyIdentifier: what it says of itself, if it does (a foreign CA may have used
   another method), or computed. The caller frees it. */
ASN1_OCTET_STRING *pki_issuer_identifier(X509 *issuer);

/* The issuer is a CA that may sign this: its key fits, CA:TRUE, keyCertSign, room in its path
   length when `for_ca`, and the dates lie within its own. */
bool pki_issuer_check(const pki_issuer_t *issuer, const pki_body_t *body, bool for_ca, err_t *err);

/* A name that may be a CN: printable ASCII, 1 to PKI_CN_MAX, no space at an end. */
bool pki_cn_valid(const char *cn);

/* The CN of a name, as pki_cert_cn. */
pki_cn_t pki_name_cn(const X509_NAME *subject, char out[PKI_CN_MAX + 1]);

/* notBefore and notAfter in seconds since 1970. False when they cannot be expressed. */
bool pki_cert_dates(const X509 *cert, int64_t *not_before, int64_t *not_after);

/* basicConstraints CA:TRUE in a v3 certificate, and keyCertSign where keyUsage is present. */
bool pki_cert_is_ca(X509 *cert);

/* Takes one block of a text, by its kind ("CERTIFICATE"). False ends the reading, with an error. */
typedef bool (*pki_block_fn_t)(void *context, const char *name, const uint8_t *der, size_t len,
                               err_t *err);

/* Every block of a text in PEM form; what stands between them is passed over. The caller bounds
   `len`, at most INT_MAX. ERR_INPUT: a block is damaged. Blocks are wiped after use. */
bool pki_pem_each(const char *pem, size_t len, pki_block_fn_t take, void *context, err_t *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * issue: leaf certificates, for devices and for servers.
 *
 * A device's: subject CN = SN and nothing else; basicConstraints critical CA:FALSE; keyUsage
 * critical digitalSignature; extendedKeyUsage clientAuth; subject and authority key identifiers;
 * random 20-byte serial number; 1095 days by default. It passes `openssl verify -x509_strict
 * -purpose sslclient`. A server's: the same with serverAuth, and a subjectAltName of the DNS names
 * and IP addresses given; RSA keys get keyEncipherment too. Dates as in ca.h: from exactly
 * `not_before`, within the issuer's.
 *
 * Thread safe when each call has its own key; the issuer may be shared.
 */
#ifndef CRADLE_PKI_ISSUE_H
#define CRADLE_PKI_ISSUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/types.h>

#include "base/err.h"
#include "pki/ca.h"

#define PKI_DEVICE_DAYS      1095
#define PKI_SERVER_NAMES_MAX 32

typedef struct {
    const char *sn;     /* becomes the CN; printable ASCII, 1 to PKI_CN_MAX characters */
    EVP_PKEY *key;      /* its public half is certified                                */
    int64_t not_before; /* seconds since 1970                                          */
    uint32_t days;      /* 0 means PKI_DEVICE_DAYS                                     */
} pki_device_request_t;

/* The certificate as DER; `out` of PKI_CERT_DER_MAX bytes always suffices. This is the quick one,
   for a factory line: OpenSSL's 0.4 ms for encoding and decoding the key again are not spent. */
bool pki_issue_device_der(const pki_device_request_t *request, const pki_issuer_t *issuer,
                          uint8_t *out, size_t cap, size_t *len, err_t *err);

/* The same, parsed. The certificate belongs to the caller: pki_cert_free. */
bool pki_issue_device(const pki_device_request_t *request, const pki_issuer_t *issuer, X509 **cert,
                      err_t *err);

typedef struct {
    const char *const *names; /* DNS names ("cloud.cradle.test") and IP addresses ("::1")      */
    size_t name_count;        /* 1 to PKI_SERVER_NAMES_MAX; the first DNS name becomes the CN  */
    EVP_PKEY *key;
    int64_t not_before;
    uint32_t days;
} pki_server_request_t;

bool pki_issue_server(const pki_server_request_t *request, const pki_issuer_t *issuer, X509 **cert,
                      err_t *err);

/* A host name that may stand in a certificate: letters, digits, '-' in labels of 1 to 63, at most
   253 characters, '*.' in front allowed. */
bool pki_dns_name_valid(const char *name);

#endif

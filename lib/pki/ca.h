/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ca: certificates of certificate authorities.
 *
 * What every one made here carries: version 3; a random positive serial number of 20 bytes; subject
 * CN (UTF8String) and nothing else; basicConstraints critical CA:TRUE with the path length given;
 * keyUsage critical keyCertSign, cRLSign; subjectKeyIdentifier (SHA-1 of the public key, RFC 5280
 * section 4.2.1.2 method 1: an identifier, not a protection); authorityKeyIdentifier (key id).
 * Dates are UTCTime through 2049 and GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5).
 *
 * notBefore is exactly the time that the caller gives. Nothing is back-dated: a peer whose clock is
 * behind refuses the certificate until its clock gets there, and says so. An issued certificate
 * must lie within the dates of its issuer; one that would outlive it is refused here, not
 * shortened.
 */
#ifndef CRADLE_PKI_CA_H
#define CRADLE_PKI_CA_H

#include <stdbool.h>
#include <stdint.h>
#include <openssl/types.h>

#include "base/err.h"
#include "pki/signer.h"

/* No path length in the certificate: any number of CAs below. */
#define PKI_PATHLEN_NONE (-1)

/* A CA that signs: its certificate and its key. Both are borrowed. */
typedef struct {
    X509 *cert;
    const pki_signer_t *signer;
} pki_issuer_t;

typedef struct {
    const char *name;   /* the CN; printable ASCII, at most PKI_CN_MAX                       */
    EVP_PKEY *key;      /* the public half is used; for a root the signer's own              */
    int pathlen;        /* PKI_PATHLEN_NONE or how many CAs may be below                     */
    int64_t not_before; /* seconds since 1970                                                */
    uint32_t days;      /* not_after = not_before + days * 86400, as `openssl x509 -days`    */
} pki_ca_request_t;

/* A self-signed root. The certificate belongs to the caller: pki_cert_free. */
bool pki_ca_make_root(const pki_ca_request_t *request, const pki_signer_t *signer, X509 **cert,
                      err_t *err);

/* A CA below another. Refused when the issuer is no CA, its key does not fit its certificate, its
   path length is used up, or the dates do not lie within its own. */
bool pki_ca_make(const pki_ca_request_t *request, const pki_issuer_t *issuer, X509 **cert,
                 err_t *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crl: the deny-list as X.509 revocation lists (RFC 5280 section 5), for other people's software:
 * one list for each CA, signed by it, with what it issued. Our own doors read the deny-list itself.
 *
 * Version 2; CRL number = the deny-list's seq; authority key identifier; a reason in each entry
 * where one is known. An entry of the deny-list without serial number (pki_denied_t) is in no CRL.
 */
#ifndef CRADLE_PKI_CRL_H
#define CRADLE_PKI_CRL_H

#include "pki/ca.h"
#include "pki/deny.h"

typedef struct {
    const pki_deny_t *deny;
    int64_t now;   /* thisUpdate; nextUpdate = now + days * 86400 */
    uint32_t days; /* 1 to 3650 */
} pki_crl_request_t;

/* The list of what `issuer` issued, as PEM on the heap, which the caller frees; *count (may be
   NULL) entries are in it. Refused: a key that does not fit, a CA that may not sign lists
   (keyUsage without cRLSign), days that pass the CA's own end are cut to it. */
bool pki_crl_make(const pki_crl_request_t *request, const pki_issuer_t *issuer, char **pem,
                  size_t *len, size_t *count, err_t *err);

#endif

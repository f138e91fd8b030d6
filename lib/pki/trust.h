/* SPDX-License-Identifier: Apache-2.0 */
/* trust: the inside of pki_trust_t, for chain.c only. */
#ifndef CRADLE_PKI_TRUST_H
#define CRADLE_PKI_TRUST_H

#include "pki/chain.h"

typedef struct {
    X509 *cert;
    uint8_t sha256[32];
    bool product;  /* an anchor: where a path ends                               */
    size_t issuer; /* index of the known CA that signed it; itself for an anchor */
} pki_known_t;

struct pki_trust {
    pki_known_t known[2 * PKI_CHAIN_MAX];
    size_t count;
};

/* The known CA with exactly these bytes, or NULL. */
const pki_known_t *pki_trust_find(const pki_trust_t *trust, const uint8_t sha256[32]);

/* A known CA that signed this certificate, or NULL. *named tells whether one at least has the name
   that the certificate gives as its issuer. */
const pki_known_t *pki_trust_issuer(const pki_trust_t *trust, X509 *cert, bool *named);

/* SHA-256 of the DER. */
bool pki_cert_hash(const X509 *cert, uint8_t sha256[32]);

#endif

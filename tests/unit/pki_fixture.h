/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pki_fixture: certificates for tests, good and bad, made with OpenSSL alone so that the library
 * under test does not judge its own work.
 */
#ifndef CRADLE_TESTS_PKI_FIXTURE_H
#define CRADLE_TESTS_PKI_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <openssl/x509.h>

/* 2026-01-01 00:00:00 UTC */
#define T0  INT64_C(1767225600)
#define DAY INT64_C(86400)

typedef struct {
    const char *cn; /* NULL: an empty subject                                        */
    EVP_PKEY *key;
    X509 *issuer;           /* NULL: self-signed                                             */
    EVP_PKEY *issuer_key;   /* NULL with issuer NULL: key                                    */
    const char *const *ext; /* pairs "basicConstraints", "critical,CA:TRUE", ... and NULL    */
    const char *digest;     /* NULL: SHA256                                                  */
    int64_t from, to;       /* 0: T0 - 10 days, T0 + 1000 days                               */
    bool v1;
    const char *issuer_name; /* another issuer CN than the issuer's subject                   */
} mint_t;

EVP_PKEY *fixture_key(const char *kind); /* "P-256", "P-384", "secp256k1", "RSA-2048", "ED25519" */
X509 *fixture_mint(const mint_t *mint);

extern const char *const ext_ca[];      /* CA:TRUE, keyCertSign */
extern const char *const ext_ca_len0[]; /* the same, pathlen:0  */
extern const char *const ext_ca_len1[];
extern const char *const ext_client[]; /* CA:FALSE, digitalSignature, clientAuth */

#endif

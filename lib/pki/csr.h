/* SPDX-License-Identifier: Apache-2.0 */
/*
 * csr: PKCS#10 certificate requests (RFC 2986). What we make: subject CN only, SHA-256, no
 * attributes. What we accept from outside: one request in at most PKI_CSR_MAX bytes, exactly one
 * usable CN (pki_cn_t), an accepted key (key.h), a signature over SHA-256 or better that proves
 * possession of the key. Anything else in the subject, and every requested extension, is read past
 * and never copied into a certificate.
 */
#ifndef CRADLE_PKI_CSR_H
#define CRADLE_PKI_CSR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/types.h>

#include "base/err.h"
#include "pki/cert.h"
#include "pki/signer.h"

#define PKI_CSR_MAX 8192

/* DER into the caller's buffer. */
bool pki_csr_make(const char *cn, const pki_signer_t *signer, uint8_t *out, size_t cap, size_t *len,
                  err_t *err);

typedef struct {
    char cn[PKI_CN_MAX + 1];
    EVP_PKEY *key; /* the caller frees it: pki_key_free */
} pki_csr_t;

/* Parses and verifies. `data` is PEM or DER. On failure csr->key is NULL. */
bool pki_csr_read(const void *data, size_t len, pki_csr_t *csr, err_t *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signer: the one way in which the project signs, whoever holds the private key.
 *
 * The code above asks a signer for its public key and for signatures, never for the key itself, so
 * that a key in a file, on a PKCS#11 token or in another process are the same to it. Today there
 * is one kind, the PEM file (key.h says what is accepted); "pkcs11:" names are recognised and
 * refused with a clear text until a token has been tried.
 *
 * Algorithm: SHA-256 with the key's own scheme: ECDSA (RFC 5758) or RSASSA-PKCS1-v1_5. May block.
 * A signer may be used by several threads at once; closing it must come after the last use.
 */
#ifndef CRADLE_PKI_SIGNER_H
#define CRADLE_PKI_SIGNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/types.h>
#include <openssl/x509.h>

#include "base/err.h"
#include "pki/key.h"

/* Largest signature: RSA-4096. */
#define PKI_SIGNATURE_MAX 512

typedef struct pki_signer pki_signer_t;

/* `where` is the path of a key file. The signer is freed with pki_signer_close. */
bool pki_signer_open(const char *where, pki_signer_t **signer, err_t *err);

/* The same, for a key file that may be encrypted; see pki_key_load_with. */
bool pki_signer_open_with(const char *where, const pki_passphrase_t *passphrase,
                          pki_signer_t **signer, err_t *err);

/* A signer over a key in memory; takes a reference of its own, the caller keeps his. */
bool pki_signer_from_key(EVP_PKEY *key, pki_signer_t **signer, err_t *err);

/* NULL is allowed. Wipes what it holds. */
void pki_signer_close(pki_signer_t *signer);

/* The public half; owned by the signer. Do not ask it for a private part: a token has none. */
EVP_PKEY *pki_signer_public(const pki_signer_t *signer);

/* DER ECDSA-Sig-Value, or the RSA block, over SHA-256 of the data. */
bool pki_signer_sign(const pki_signer_t *signer, const void *data, size_t len, uint8_t *out,
                     size_t cap, size_t *out_len, err_t *err);

/* Sets the signature of a certificate, request or revocation list that is otherwise complete. */
bool pki_signer_sign_cert(const pki_signer_t *signer, X509 *cert, err_t *err);
bool pki_signer_sign_request(const pki_signer_t *signer, X509_REQ *request, err_t *err);
bool pki_signer_sign_crl(const pki_signer_t *signer, X509_CRL *crl, err_t *err);

/* Verifies what pki_signer_sign made. False also for a malformed signature; nothing to report. */
bool pki_verify(EVP_PKEY *key, const void *data, size_t len, const uint8_t *sig, size_t sig_len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jose: signatures in the form that JSON Web Signatures have (RFC 7518 section 3.3 and 3.4), over
 * signer.h: of a P-256 key r | s in 64 bytes (ES256), of an RSA key the block as it is (RS256).
 * The key alone decides which; what a header claims is compared with it, never obeyed.
 */
#ifndef CRADLE_PKI_JOSE_H
#define CRADLE_PKI_JOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/types.h>

#include "base/err.h"
#include "pki/signer.h"
#include "statement/jws.h"

/* `out` of PKI_SIGNATURE_MAX bytes. ERR_INPUT: an elliptic curve other than P-256. */
bool pki_jose_sign(const pki_signer_t *signer, const void *data, size_t len,
                   uint8_t out[PKI_SIGNATURE_MAX], size_t *out_len, err_t *err);

/* False also for a signature of the wrong size; nothing to report. */
bool pki_jose_verify(EVP_PKEY *key, const void *data, size_t len, const uint8_t *sig,
                     size_t sig_len);

/* text[0 .. *len) is a signing input in a buffer of `cap` bytes: appends '.', the signature in
   base64url and a NUL that is not counted. */
bool pki_jose_append(const pki_signer_t *signer, char *text, size_t cap, size_t *len, err_t *err);

/* The signature of a JWS that was taken apart is by that key, with the algorithm of that key. */
bool pki_jose_good(EVP_PKEY *key, const jws_t *jws);

#endif

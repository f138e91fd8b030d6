/* SPDX-License-Identifier: Apache-2.0 */
/*
 * p256: the text and bytes of a P-256 key, written and read directly.
 *
 * A P-256 key in PKCS#8 (RFC 5208 over RFC 5915) is always the same 138 bytes around a scalar of
 * 32 bytes and a point of 65, a SubjectPublicKeyInfo the same 26 bytes before the point. OpenSSL
 * 3's generic decoder takes 0.5 ms for such a file, ten times the cost of making the key; a line
 * that makes hundreds a second and a cloud that sees hundreds connect feel it. Whatever is not
 * exactly this form is left to OpenSSL: these functions then say no and report nothing.
 */
#ifndef CRADLE_PKI_P256_H
#define CRADLE_PKI_P256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/types.h>

#define PKI_P256_POINT 65
#define PKI_P256_SPKI  (26 + PKI_P256_POINT)

/* A key from the text of a PKCS#8 PEM file of exactly the form that pki_p256_format writes, or
   NULL. The point is on the curve; that it belongs to the scalar is not checked, as in OpenSSL's
   own decoder (pki_key_check_pair does). */
EVP_PKEY *pki_p256_parse(const char *pem, size_t len);

/* False when it is no P-256 key with a private part, or `cap` is too small. */
bool pki_p256_format(const EVP_PKEY *key, char *out, size_t cap, size_t *len);

/* False when it is no P-256 key. */
bool pki_p256_point(const EVP_PKEY *key, uint8_t point[PKI_P256_POINT]);
bool pki_p256_spki(const EVP_PKEY *key, uint8_t *out, size_t cap, size_t *len);

/* The text is a private key of exactly this form, and its scalar makes `point`, which it holds too:
   what parsing and checking the pair would say, without an EVP_PKEY. */
bool pki_p256_makes(const char *pem, size_t len, const uint8_t point[PKI_P256_POINT]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key: private keys on disk and in memory.
 *
 * Two kinds are made: ECDSA P-256 (default) and RSA-2048 (exponent 65537). Accepted from outside
 * are P-256, P-384, P-521 and RSA of 2048 to 4096 bits; anything else is refused by name.
 * Files are PEM, PKCS#8 when we write: "BEGIN PRIVATE KEY", or "BEGIN ENCRYPTED PRIVATE KEY" (RFC
 * 8018 PBES2: PBKDF2 with HMAC-SHA-256, 600,000 rounds and 16 bytes of salt, AES-256-CBC) under a
 * passphrase. The older "EC PRIVATE KEY" and "RSA PRIVATE KEY" are read too. A key file that group
 * or others can read is refused, as ssh does; so is one that is not a regular file or has over
 * PKI_KEY_PEM_MAX bytes.
 *
 * Every function may block on disk or (RSA generation) compute for up to seconds. An EVP_PKEY
 * handed out belongs to the caller: pki_key_free. OpenSSL wipes the private part when it is freed;
 * PEM text in a caller's buffer is the caller's to wipe (bytes_wipe). No error text holds key
 * bytes. Functions may be called from several threads; one EVP_PKEY may be used by several.
 */
#ifndef CRADLE_PKI_KEY_H
#define CRADLE_PKI_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/types.h>

#include "base/err.h"

/* Largest key file or key text that is read; an RSA-4096 PKCS#8 PEM has about 3,300 bytes. */
#define PKI_KEY_PEM_MAX 8192
/* Largest SubjectPublicKeyInfo of an accepted key (RSA-4096: 550 bytes). */
#define PKI_SPKI_MAX 640
/* First 16 hex digits of the SHA-256 of the SPKI, and a NUL. */
#define PKI_KEY_ID_SIZE 17

/* Longest passphrase, and a NUL; and the shortest that a new file may have. */
#define PKI_PASSPHRASE_SIZE 513
#define PKI_PASSPHRASE_MIN  8

/* Who knows the passphrase of a key file. `ask` puts it into `out` as a C string; false, with an
   error, ends the loading. It is called once for each encrypted file that is opened, never for a
   plain one, and may block on a person. The library wipes the buffer. */
typedef struct {
    bool (*ask)(void *context, const char *path, char *out, size_t cap, err_t *err);
    void *context;
} pki_passphrase_t;

typedef enum { PKI_KEY_P256 = 0, PKI_KEY_RSA2048 } pki_key_type_t;

/* "p256" or "rsa2048", and back; false for any other word. */
const char *pki_key_type_name(pki_key_type_t type);
bool pki_key_type_parse(const char *name, pki_key_type_t *type);

bool pki_key_generate(pki_key_type_t type, EVP_PKEY **key, err_t *err);

void pki_key_free(EVP_PKEY *key);

/* ERR_INPUT naming the kind and size when the key (public part looked at only) is not accepted. */
bool pki_key_check(const EVP_PKEY *key, err_t *err);

/* The same for what a device may bring in a request: P-256, or RSA of 2048 to 4096 bits. */
bool pki_key_check_device(const EVP_PKEY *key, err_t *err);

/* Exactly one private key; text around it is ignored. `passphrase` may be NULL; an encrypted key
   is then refused with that reason. */
bool pki_key_parse(const char *pem, size_t len, const char *passphrase, EVP_PKEY **key, err_t *err);

/* PKCS#8 PEM with a NUL into the caller's buffer (PKI_KEY_PEM_MAX always suffices); *len may be
   NULL. The caller wipes the buffer. */
bool pki_key_to_pem(const EVP_PKEY *key, char *out, size_t cap, size_t *len, err_t *err);

/* Who is asked where a caller names nobody: a program that has a person in front of it sets it
   once, at its start, before there are threads; NULL (the beginning): nobody is. It is copied. */
void pki_passphrase_default(const pki_passphrase_t *passphrase);

/* `passphrase` NULL: the default's; without one an encrypted file is refused with that reason.
   pki_key_load is the same with NULL. */
bool pki_key_load_with(const char *path, const pki_passphrase_t *passphrase, EVP_PKEY **key,
                       err_t *err);
bool pki_key_load(const char *path, EVP_PKEY **key, err_t *err);

/* A new file, mode 0600, synced; ERR_PRECONDITION when the path exists. */
bool pki_key_save(const EVP_PKEY *key, const char *path, err_t *err);

/* The same, encrypted; `passphrase` NULL: plain. ERR_USAGE for one shorter than PKI_PASSPHRASE_MIN.
   Costs 0.2 s on purpose: so does each guess of a thief. */
bool pki_key_save_encrypted(const EVP_PKEY *key, const char *path, const char *passphrase,
                            err_t *err);

/* A PEM text that needs a passphrase; looks at the words only. */
bool pki_key_is_encrypted(const char *pem);

/* SubjectPublicKeyInfo (RFC 5280 section 4.1), DER. */
bool pki_key_public_der(const EVP_PKEY *key, uint8_t *out, size_t cap, size_t *len, err_t *err);
bool pki_key_public_from_der(const uint8_t *der, size_t len, EVP_PKEY **key, err_t *err);

/* "BEGIN PUBLIC KEY" files. Saving makes a new file, mode 0644. */
bool pki_key_public_save(const EVP_PKEY *key, const char *path, err_t *err);
bool pki_key_public_load(const char *path, EVP_PKEY **key, err_t *err);

/* The public half belongs to the private one, which no parser checks: for keys from elsewhere. An
   RSA key's primes are proven again, which takes about as long as finding them. */
bool pki_key_check_pair(EVP_PKEY *key, err_t *err);
/* The same for a key that this process made, or that custody knows: an RSA key shows it with one
   signature. It does not show that the primes are primes. */
bool pki_key_check_own(EVP_PKEY *key, err_t *err);

/* The name of a key in logs, records and `kid` fields. */
bool pki_key_id(const EVP_PKEY *key, char out[PKI_KEY_ID_SIZE], err_t *err);

/* The certificate is about this key. */
bool pki_key_matches(const EVP_PKEY *key, const X509 *cert);

#endif

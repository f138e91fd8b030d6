/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own: reads back a device certificate of the very form that pki_issue_device_der makes, quickly.
 *
 * OpenSSL 3's decoder spends more on the public key of a certificate than making and using it
 * costs; a line that makes hundreds a second and reads each one back feels it. Here the bytes are
 * walked through once: every one of them is compared with what it has to be, or is a field whose
 * value is checked, and the signature is verified with the CA's key. What is not exactly that form
 * (an RSA key, another extension, a foreign certificate, one bit changed) is answered false and
 * nothing is reported: it is to be taken the long way (cert.h, chain.h), which says what is wrong.
 *
 * Not checked: the CA itself, which the caller has checked once.
 */
#ifndef CRADLE_PKI_OWN_H
#define CRADLE_PKI_OWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/types.h>

#include "pki/p256.h"

typedef struct {
    int64_t not_before;
    int64_t not_after;
    uint8_t point[PKI_P256_POINT]; /* the public key */
    char sha256_hex[65];
    char credentials_id[65]; /* as in pki_facts_t */
} pki_own_t;

/* Issued by `ca` for `sn`, signature verified, in date at `now`. */
bool pki_own_read(const uint8_t *der, size_t len, X509 *ca, const char *sn, int64_t now,
                  pki_own_t *own);

#endif

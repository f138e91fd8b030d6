/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys: the certificates and keys of a unit, and the cryptography that the brain asks for.
 *
 * Slot 0 is the birth identity of the flash. Slots 1 and 2 are settings, one blob each:
 *
 *     u8 version 1, u32 counter, u16 length and the key (PKCS#8 PEM), u8 count (2), for each
 *     certificate u16 length and DER: leaf, renewal CA
 *
 * The product CA above them is the last certificate of the birth chain. `pending` is a key (PEM)
 * for which a certificate was asked. Everything blocks for as long as one operation of P-256 (or,
 * for a unit born with RSA, RSA-2048) takes. What comes from flash or steward is checked as if an
 * enemy had written it. Not checked: whether the cloud accepts a certificate; dates of a new one,
 * which are the steward's business (the clock may not be set).
 */
#ifndef CRADLE_DEVICE_KEYS_H
#define CRADLE_DEVICE_KEYS_H

#include "core/device.h"
#include "device/boot.h"

typedef struct {
    EVP_PKEY *key;
    pki_chain_t chain; /* leaf first, up to and with the product CA */
} keys_identity_t;

/* Freed with keys_close. */
bool keys_open(boot_t *boot, uint8_t slot, keys_identity_t *identity, err_t *err);
void keys_close(keys_identity_t *identity);

bool keys_leaf(boot_t *boot, uint8_t slot, cradle_leaf_t *leaf);

/* As JWS has it: r | s for P-256. PKI_SIGNATURE_MAX always suffices. */
bool keys_sign(boot_t *boot, uint8_t slot, const void *data, size_t len, uint8_t *out, size_t cap,
               size_t *out_len, err_t *err);

/* ES256. */
bool keys_verify(const uint8_t *spki, size_t spki_len, const void *data, size_t len,
                 const uint8_t signature[JWS_ES256_SIZE]);

/* A certificate request for the pending key, which is made and kept first when there is none. */
bool keys_request(boot_t *boot, uint8_t *out, size_t cap, size_t *len, err_t *err);

/* Checks the chain against pending key, SN and product CA, and writes the slot. */
bool keys_keep(boot_t *boot, uint8_t slot, uint32_t counter, const jws_bytes_t chain[ANSWER_CHAIN],
               err_t *err);

/* What servers are checked against: server_chain.pem, and the anchors of the kept bundle, if the
   anchor key signed it. Freed with pki_chain_free. */
bool keys_anchors(boot_t *boot, pki_chain_t *anchors, err_t *err);

#endif

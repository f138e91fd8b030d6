/* SPDX-License-Identifier: Apache-2.0 */
/*
 * srp: private to lib/protocomm. SRP-6a over RFC 5054's 3072-bit group with SHA-512, with the
 * operand rules of ESP-IDF's esp_srp.c: in the proofs A is hashed as 384 bytes, B as sent, the salt
 * as stored, the session key K as 64 bytes; K = H(S without leading zeros).
 */
#ifndef CRADLE_PROTOCOMM_SRP_H
#define CRADLE_PROTOCOMM_SRP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "protocomm/security.h"

#define SRP_N_LEN 384
#define SRP_H_LEN 64

typedef struct srp srp_t;

srp_t *srp_new(void); /* NULL: out of memory */
void srp_free(srp_t *srp);

/* Device, first message: draws b until B has no leading zero byte, derives K from the client's A.
   False: A is 0 mod N, or the system failed. */
bool srp_device(srp_t *srp, const protocomm_random_t *random, const uint8_t *username,
                size_t username_len, const uint8_t *salt, size_t salt_len,
                const uint8_t verifier[SRP_N_LEN], const uint8_t a_public[SRP_N_LEN], err_t *err);

/* Client, first message: draws a until A has no leading zero byte. */
bool srp_client(srp_t *srp, const protocomm_random_t *random, err_t *err);

/* Client, second message: derives K. False: B is 0 mod N or longer than N. */
bool srp_client_key(srp_t *srp, const char *username, const char *password, const uint8_t *salt,
                    size_t salt_len, const uint8_t *b_public, size_t b_len, err_t *err);

/* A (client) or B (device) as sent. */
const uint8_t *srp_public(const srp_t *srp, size_t *len);

/* After K: the client's proof M, the device's proof H(A | M | K), and K itself (64 bytes). */
bool srp_client_proof(const srp_t *srp, uint8_t proof[SRP_H_LEN]);
bool srp_device_proof(const srp_t *srp, const uint8_t m[SRP_H_LEN], uint8_t proof[SRP_H_LEN]);
const uint8_t *srp_key(const srp_t *srp);

#endif

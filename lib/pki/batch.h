/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch: many requests, or many chains, in one PEM file. So a line signs with the signer away: its
 * requests go out as one file (CERTIFICATE REQUEST blocks), and one file comes back with a chain
 * for each, in the same order: the leaf, its issuing CA, the product CA.
 *
 * Text around the blocks is ignored; any other kind of block (a private key) is refused by name.
 * Everything is read and judged before the caller sees the first element, so a damaged file is
 * refused as a whole.
 */
#ifndef CRADLE_PKI_BATCH_H
#define CRADLE_PKI_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "pki/cert.h"
#include "pki/csr.h"

/* Most elements of one file, and its most bytes. */
#define PKI_BATCH_MAX       10000
#define PKI_BATCH_BYTES_MAX (64u * 1024 * 1024)

typedef struct {
    pki_csr_t *csr;
    size_t count;
} pki_batch_t;

/* Reads and checks all requests: csr.h's rules, pki_key_check_device for each key, and no CN twice.
   The error names the one that is wrong by number and, where it has one, CN. At least one. Freed
   with pki_batch_free. */
bool pki_batch_read(const char *pem, size_t len, pki_batch_t *batch, err_t *err);
void pki_batch_free(pki_batch_t *batch);

typedef struct {
    pki_chain_t *chain;
    size_t count;
} pki_chains_t;

/* Takes the certificates apart: a new chain begins with each that is no CA. Form only is checked:
   chain.h judges each. Freed with pki_chains_free. */
bool pki_chains_read(const char *pem, size_t len, pki_chains_t *chains, err_t *err);
void pki_chains_free(pki_chains_t *chains);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/batch.h"

#include <stdlib.h>
#include <string.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "pki/internal.h"
#include "pki/key.h"

static bool read_blocks(const char *pem, size_t len, pki_block_fn_t take, void *context, err_t *err)
{
    if (len > PKI_BATCH_BYTES_MAX) {
        return err_set(err, ERR_INPUT, "a batch of %zu bytes: at most %u are read; split it", len,
                       PKI_BATCH_BYTES_MAX);
    }
    return pki_pem_each(pem, len, take, context, err);
}

/* Room for one more element; grows by doubling. */
static bool make_room(void **items, size_t count, size_t size, err_t *err)
{
    if (count == PKI_BATCH_MAX) {
        return err_set(err, ERR_INPUT, "more than %d in one batch; split it", PKI_BATCH_MAX);
    }
    if (count != 0 && (count < 16 || (count & (count - 1)) != 0)) {
        return true;
    }
    void *more = realloc(*items, (count < 16 ? 16 : 2 * count) * size);
    if (more == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a batch");
    }
    *items = more;
    return true;
}

static bool take_request(void *context, const char *name, const uint8_t *der, size_t len,
                         err_t *err)
{
    pki_batch_t *batch = context;
    void *items = batch->csr;
    if (strcmp(name, PEM_STRING_X509_REQ) != 0 && strcmp(name, PEM_STRING_X509_REQ_OLD) != 0) {
        return err_set(err, ERR_INPUT,
                       "a block \"%.40s\" is no certificate request and does not belong in a batch",
                       name);
    }
    if (!make_room(&items, batch->count, sizeof *batch->csr, err)) {
        return false;
    }
    batch->csr = items;
    pki_csr_t *csr = &batch->csr[batch->count];
    if (!pki_csr_read(der, len, csr, err)) {
        return err_add(err, "request %zu", batch->count + 1);
    }
    batch->count++;
    return pki_key_check_device(csr->key, err) ||
           err_add(err, "request %zu, %s", batch->count, csr->cn);
}

static int by_name(const void *a, const void *b)
{
    const pki_csr_t *const *x = a;
    const pki_csr_t *const *y = b;
    return strcmp((*x)->cn, (*y)->cn);
}

static bool refuse_twice(const pki_batch_t *batch, err_t *err)
{
    const pki_csr_t **sorted = calloc(batch->count, sizeof *sorted);
    if (sorted == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a batch");
    }
    for (size_t i = 0; i < batch->count; i++) {
        sorted[i] = &batch->csr[i];
    }
    qsort(sorted, batch->count, sizeof *sorted, by_name);
    bool ok = true;
    for (size_t i = 1; ok && i < batch->count; i++) {
        if (strcmp(sorted[i - 1]->cn, sorted[i]->cn) == 0) {
            ok = err_set(err, ERR_INPUT, "two requests of the batch are for %s; keep one",
                         sorted[i]->cn);
        }
    }
    free(sorted);
    return ok;
}

bool pki_batch_read(const char *pem, size_t len, pki_batch_t *batch, err_t *err)
{
    memset(batch, 0, sizeof *batch);
    bool ok = read_blocks(pem, len, take_request, batch, err);
    if (ok && batch->count == 0) {
        ok = err_set(err, ERR_INPUT,
                     "no certificate request in PEM form (BEGIN CERTIFICATE "
                     "REQUEST)");
    }
    if (!ok || !refuse_twice(batch, err)) {
        pki_batch_free(batch);
        return false;
    }
    return true;
}

void pki_batch_free(pki_batch_t *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        pki_key_free(batch->csr[i].key);
    }
    free(batch->csr);
    memset(batch, 0, sizeof *batch);
}

static bool take_cert(void *context, const char *name, const uint8_t *der, size_t len, err_t *err)
{
    pki_chains_t *chains = context;
    void *items = chains->chain;
    X509 *cert;
    if (strcmp(name, PEM_STRING_X509) != 0 && strcmp(name, PEM_STRING_X509_OLD) != 0) {
        return err_set(err, ERR_INPUT,
                       "a block \"%.40s\" is not a certificate and does not belong in this file",
                       name);
    }
    if (!pki_cert_from_der(der, len, &cert, err)) {
        return err_add(err, "chain %zu", chains->count);
    }
    bool ok = true;
    if (!pki_cert_is_ca(cert)) {
        ok = make_room(&items, chains->count, sizeof *chains->chain, err);
        if (ok) {
            chains->chain = items;
            chains->chain[chains->count++] = (pki_chain_t)PKI_CHAIN_INIT;
        }
    } else if (chains->count == 0) {
        ok = err_set(err, ERR_INPUT, "the file begins with a CA; a chain begins with its leaf");
    }
    ok = ok && (pki_chain_add(&chains->chain[chains->count - 1], cert, err) ||
                err_add(err, "chain %zu", chains->count));
    pki_cert_free(cert);
    return ok;
}

bool pki_chains_read(const char *pem, size_t len, pki_chains_t *chains, err_t *err)
{
    memset(chains, 0, sizeof *chains);
    bool ok = read_blocks(pem, len, take_cert, chains, err);
    if (ok && chains->count == 0) {
        ok = err_set(err, ERR_INPUT, "no certificate in PEM form (BEGIN CERTIFICATE)");
    }
    if (!ok) {
        pki_chains_free(chains);
    }
    return ok;
}

void pki_chains_free(pki_chains_t *chains)
{
    for (size_t i = 0; i < chains->count; i++) {
        pki_chain_free(&chains->chain[i]);
    }
    free(chains->chain);
    memset(chains, 0, sizeof *chains);
}

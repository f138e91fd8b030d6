/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as certificates, as requests, as files of many and as a private key. What is read as a
 * chain must have facts or none, be judged without harm, and read back the same when written.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/x509.h>

#include "pki/batch.h"
#include "pki/cert.h"
#include "pki/chain.h"
#include "pki/csr.h"
#include "pki/describe.h"
#include "pki/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void judge(const pki_chain_t *chain)
{
    pki_trust_t *trust;
    pki_chain_verdict_t verdict;
    const pki_chain_policy_t policy = {.now = 1800000000};
    pki_chain_t top = {{chain->cert[chain->count - 1]}, 1};
    for (size_t i = 0; i < chain->count; i++) {
        pki_facts_t facts;
        pki_description_t words;
        pki_cert_facts(chain->cert[i], &facts, NULL);
        pki_cert_describe(chain->cert[i], &words);
    }
    if (pki_trust_new(&top, NULL, &trust, NULL)) {
        pki_chain_check(trust, chain->cert, chain->count, &policy, &verdict);
        pki_trust_free(trust);
    }
}

static void chain_of(const char *text, size_t size)
{
    pki_chain_t chain;
    pki_chain_t again;
    char *pem;
    size_t len;
    if (!pki_chain_parse(text, size, &chain, NULL)) {
        return;
    }
    judge(&chain);
    require(pki_chain_to_pem(&chain, &pem, &len, NULL));
    if (len <= PKI_PEM_MAX) {
        require(pki_chain_parse(pem, len, &again, NULL) && again.count == chain.count);
        pki_chain_free(&again);
    }
    free(pem);
    pki_chain_free(&chain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    pki_batch_t batch;
    pki_chains_t chains;
    pki_csr_t csr;
    EVP_PKEY *key;
    chain_of(text, size);
    if (pki_csr_read(text, size, &csr, NULL)) {
        require(strlen(csr.cn) > 0);
        pki_key_free(csr.key);
    }
    if (pki_batch_read(text, size, &batch, NULL)) {
        require(batch.count > 0);
        pki_batch_free(&batch);
    }
    if (pki_chains_read(text, size, &chains, NULL)) {
        require(chains.count > 0 && chains.chain[0].count > 0);
        pki_chains_free(&chains);
    }
    if (pki_key_parse(text, size, "passphrase", &key, NULL)) {
        pki_key_free(key);
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a deny-list: as the whole text (which no fuzzer signs, so it must be refused) and as
 * the payload. A payload that is read is written again, and reads back as the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "pki/deny_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static X509 *product(void)
{
    static X509 *cert;
    if (cert == NULL) {
        EVP_PKEY *key = EVP_EC_gen("P-256");
        cert = X509_new();
        require(key != NULL && cert != NULL && X509_set_pubkey(cert, key) == 1);
        EVP_PKEY_free(key);
    }
    return cert;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pki_deny_t *deny;
    pki_deny_t *again;
    char *once;
    char *twice;
    size_t once_len;
    size_t twice_len;
    err_t err = ERR_INIT;
    const char *text = (const char *)data;
    require(!pki_deny_read(text, size, product(), "000102030405060708090a0b0c0d0e0f", &deny, &err));
    require(err.kind == ERR_INPUT && deny == NULL);
    if (!pki_deny_read_payload(text, size, &deny, NULL)) {
        return 0;
    }
    for (size_t i = 0; i < pki_deny_count(deny); i++) {
        require(pki_deny_find(deny, pki_deny_at(deny, i)->leaf) == pki_deny_at(deny, i));
    }
    require(pki_deny_write_payload(deny, pki_deny_seq(deny), pki_deny_issued(deny), &once,
                                   &once_len, NULL));
    require(pki_deny_read_payload(once, once_len, &again, NULL));
    require(pki_deny_write_payload(again, pki_deny_seq(again), pki_deny_issued(again), &twice,
                                   &twice_len, NULL));
    require(once_len == twice_len && memcmp(once, twice, once_len) == 0);
    free(once);
    free(twice);
    pki_deny_free(deny);
    pki_deny_free(again);
    return 0;
}

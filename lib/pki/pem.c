/* SPDX-License-Identifier: Apache-2.0 */
/* pem: the blocks of a text, one after the other. */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "pki/internal.h"

/* 1: a block; 0: there are no more; -1: damaged. */
static int next_block(BIO *bio, char **name, uint8_t **der, long *len, err_t *err)
{
    char *header = NULL;
    if (PEM_read_bio(bio, name, &header, der, len) == 1) {
        OPENSSL_free(header);
        return 1;
    }
    unsigned long code = ERR_peek_last_error();
    if (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE) {
        ERR_clear_error();
        return 0;
    }
    pki_fail(err, ERR_INPUT, "a PEM block is damaged");
    return -1;
}

bool pki_pem_each(const char *pem, size_t len, pki_block_fn_t take, void *context, err_t *err)
{
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    if (bio == NULL) {
        return pki_fail(err, ERR_SYSTEM, "out of memory reading PEM");
    }
    int more = 1;
    while (more == 1) {
        char *name = NULL;
        uint8_t *der = NULL;
        long size = 0;
        more = next_block(bio, &name, &der, &size, err);
        if (more == 1 && !take(context, name, der, (size_t)size, err)) {
            more = -1;
        }
        OPENSSL_free(name);
        OPENSSL_clear_free(der, (size_t)size);
    }
    BIO_free(bio);
    return more == 0;
}

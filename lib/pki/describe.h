/* SPDX-License-Identifier: Apache-2.0 */
/* describe: certificates and keys in words, for lists that people read. Nothing here decides. */
#ifndef CRADLE_PKI_DESCRIBE_H
#define CRADLE_PKI_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>
#include <openssl/types.h>

#include "pki/ca.h"

#define PKI_NAME_TEXT_SIZE 160
#define PKI_KEY_TEXT_SIZE  24

typedef struct {
    char subject[PKI_NAME_TEXT_SIZE]; /* the CN where the name is nothing else, or the whole name:
                                         "/O=Acme/CN=Root". Not printable bytes are escaped */
    char issuer[PKI_NAME_TEXT_SIZE];
    char key[PKI_KEY_TEXT_SIZE]; /* "P-256", "RSA-2048" */
    bool ca;                     /* basicConstraints CA:TRUE in a v3 certificate */
    bool self_signed;            /* by name only                                 */
    int pathlen;                 /* PKI_PATHLEN_NONE: no limit, or no CA         */
} pki_description_t;

void pki_cert_describe(X509 *cert, pki_description_t *out);

/* "P-256", "P-384", "RSA-3072", or what OpenSSL calls it. */
void pki_key_describe(const EVP_PKEY *key, char out[PKI_KEY_TEXT_SIZE]);

#endif

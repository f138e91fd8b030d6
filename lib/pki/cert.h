/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cert: certificates in and out of PEM and DER, and the facts that the project needs of one.
 *
 * PEM files are bounded bundles: at most PKI_CHAIN_MAX certificates in PKI_PEM_MAX bytes, text
 * around the blocks is ignored (`openssl x509 -text` output is fine), any other kind of block (a
 * private key in a certificate file, say) is refused by name, and so are bytes after a
 * certificate's DER. Parsing checks form only: no signature, no date, no order. See chain.h.
 */
#ifndef CRADLE_PKI_CERT_H
#define CRADLE_PKI_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/types.h>

#include "base/err.h"

/* Most certificates in one bundle; a device sends three, four with the root. */
#define PKI_CHAIN_MAX 8
/* Largest single certificate, DER. */
#define PKI_CERT_DER_MAX 8192
/* Largest bundle, text. */
#define PKI_PEM_MAX 65536
/* Longest common name (X.520 ub-common-name), without the NUL. */
#define PKI_CN_MAX 64

/* Certificates in the order of the file or of the wire: the leaf first. */
typedef struct {
    X509 *cert[PKI_CHAIN_MAX];
    size_t count;
} pki_chain_t;

#define PKI_CHAIN_INIT                                                                             \
    {                                                                                              \
        {NULL}, 0                                                                                  \
    }

/* *chain is overwritten; free it with pki_chain_free. At least one certificate, or ERR_INPUT. */
bool pki_chain_parse(const char *pem, size_t len, pki_chain_t *chain, err_t *err);
bool pki_chain_load(const char *path, pki_chain_t *chain, err_t *err);
void pki_chain_free(pki_chain_t *chain);

/* Adds one more reference to `cert` at the end; ERR_INPUT when the chain is full. */
bool pki_chain_add(pki_chain_t *chain, X509 *cert, err_t *err);

/* PEM with a NUL into heap memory that the caller frees. No text around the blocks. */
bool pki_chain_to_pem(const pki_chain_t *chain, char **pem, size_t *len, err_t *err);

/* A file that must hold exactly one certificate. Freed with pki_cert_free. */
bool pki_cert_load(const char *path, X509 **cert, err_t *err);
/* A new file, mode 0644, synced. */
bool pki_cert_save(const X509 *cert, const char *path, err_t *err);
bool pki_cert_from_der(const uint8_t *der, size_t len, X509 **cert, err_t *err);
/* `out` of PKI_CERT_DER_MAX bytes always suffices for what this library accepted. */
bool pki_cert_to_der(const X509 *cert, uint8_t *out, size_t cap, size_t *len, err_t *err);
void pki_cert_free(X509 *cert);

/* True when the two are the same bytes. */
bool pki_cert_equal(const X509 *a, const X509 *b);

typedef enum {
    PKI_CN_OK = 0,
    PKI_CN_MISSING,   /* no CN at all, or an empty one                                            */
    PKI_CN_TWICE,     /* several CNs. ThingsBoard takes the first, other software the last; one
                         that two readers understand differently is refused                       */
    PKI_CN_TOO_LONG,  /* over PKI_CN_MAX characters                                               */
    PKI_CN_NOT_PLAIN, /* an embedded NUL, a control character, a non-ASCII one, or a space at an
                         end                                                                      */
} pki_cn_t;

/* The common name as a C string of printable ASCII; `out` is "" when the answer is not OK. */
pki_cn_t pki_cert_cn(const X509 *cert, char out[PKI_CN_MAX + 1]);

/* What is recorded and compared of a certificate. */
typedef struct {
    char cn[PKI_CN_MAX + 1]; /* "" when cn_state is not PKI_CN_OK                                */
    pki_cn_t cn_state;
    char serial[43];    /* lower-case hex, no sign, no separators (at most 21 bytes)        */
    int64_t not_before; /* seconds since 1970                                               */
    int64_t not_after;  /* the last valid second (RFC 5280 section 4.1.2.5: inclusive)      */
    uint8_t sha256[32]; /* of the DER: x5t#S256, fingerprints, deny-lists                   */
    char sha256_hex[65];
    char credentials_id[65]; /* ThingsBoard: SHA3-256, hex, of the one-line base64 of the DER    */
} pki_facts_t;

/* ERR_INPUT for dates or a serial number that cannot be expressed. */
bool pki_cert_facts(const X509 *cert, pki_facts_t *facts, err_t *err);

/* ThingsBoard's credentialsValue: base64 of the DER on one line, heap, the caller frees. */
bool pki_cert_credentials_value(const X509 *cert, char **base64, err_t *err);

/* ThingsBoard's SHA3(text) as in the reference section 1.4: lower-case hex with a NUL. */
bool pki_sha3_hex(const void *data, size_t len, char out[65], err_t *err);
bool pki_sha256(const void *data, size_t len, uint8_t out[32], err_t *err);

#endif

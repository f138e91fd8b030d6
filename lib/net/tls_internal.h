/* SPDX-License-Identifier: Apache-2.0 */
/* tls_internal: what tls.c (streams) and tls_context.c (settings, verification) share. */
#ifndef CRADLE_NET_TLS_INTERNAL_H
#define CRADLE_NET_TLS_INTERNAL_H

#include <openssl/ssl.h>

#include "net/tls.h"

struct tls_context {
    SSL_CTX *ssl;
    unsigned refs; /* the owner's and one a stream */
    bool server;
    uint32_t output_max;
    uint32_t handshake_ms;
    /* Server. */
    tls_verify_fn_t verify;
    void *verify_ctx;
    /* Client. */
    char *sni;            /* NULL for a literal address        */
    SSL_SESSION *session; /* last one, offered to the next stream */
    bool clock_unset;
};

void tls_context_ref(tls_context_t *context);

/* The stream of an SSL, and whom to tell the verify function about. */
void *tls_owner_of(const SSL *ssl);

#endif

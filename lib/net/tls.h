/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls: a non-blocking TLS 1.2/1.3 stream over a socket on a loop, server and client.
 *
 * Life cycle of a stream:
 *
 *     tls_accept or tls_connect     takes the socket over; the handshake runs by itself
 *       -> on_ready                 once: tls_read and tls_write may be used from here on
 *       -> on_readable              there may be bytes: tls_read until it returns 0
 *       -> on_drained               all that was written is with the kernel
 *       -> on_end                   once: the connection is over; the tls_t still exists
 *     tls_close                     at any time, inside callbacks too: frees everything, no
 * callback comes any more
 *
 * After on_end the owner must call tls_close (in the callback or later). on_end does not come when
 * the owner closes first. An error text says what happened and, where the cause is known, what to
 * do; it comes with a kind, so that a refused certificate can be told from an outage.
 *
 * Memory: an idle stream keeps no record buffers and no peer's issuers (only its leaf); it has an
 * SSL object and this struct, together some 12 KiB with OpenSSL 3.0. Output that the kernel does
 * not take waits in a buffer that is freed when it is empty and never exceeds `output_max`: then
 * tls_write refuses and the owner stops producing (stop reading with tls_pause, or close).
 *
 * Not done here: OCSP, CRLs, ALPN, renegotiation (refused). Verification is never off: a server
 * context without `verify` asks for no client certificate at all; a client context always needs
 * anchors and a name.
 */
#ifndef CRADLE_NET_TLS_H
#define CRADLE_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/types.h>

#include "base/err.h"
#include "net/loop.h"
#include "pki/cert.h"

struct stack_st_X509;

typedef struct tls_context tls_context_t; /* what many streams share: certificate, trust, tickets */
typedef struct tls tls_t;

#define TLS_OUTPUT_MAX   (256u * 1024) /* default of output_max   */
#define TLS_HANDSHAKE_MS 10000         /* default of handshake_ms */

/*
 * The server's judgement on a client's chain, asked inside a full handshake with what was presented
 * (`chain` holds the leaf too, as its first), and for a resumption with the leaf alone and
 * resumed = true. Return X509_V_OK to go on. Anything else: in a full handshake that X509_V_ERR_*
 * becomes the TLS alert that OpenSSL has for it; a resumption is quietly turned into a full
 * handshake. `owner` is tls_handlers_t's ctx.
 */
typedef int (*tls_verify_fn_t)(void *context, void *owner, X509 *leaf,
                               const struct stack_st_X509 *chain, bool resumed);

typedef struct {
    const pki_chain_t *chain; /* own certificate, leaf first; references are taken          */
    EVP_PKEY *key;            /* its key; a reference is taken                              */
    tls_verify_fn_t verify;   /* NULL: no client certificate is asked for                   */
    void *context;
    uint32_t output_max;   /* bytes; 0: TLS_OUTPUT_MAX                                   */
    uint32_t handshake_ms; /* 0: TLS_HANDSHAKE_MS                                        */
} tls_server_settings_t;

/* ERR_INPUT when certificate and key do not belong together. Session tickets have keys of this
   context only: none is of use after a restart. */
bool tls_server_context(tls_context_t **context, const tls_server_settings_t *settings, err_t *err);

typedef struct {
    const pki_chain_t *chain;   /* own certificate and issuers; NULL: none                   */
    EVP_PKEY *key;              /* NULL: none                                                */
    const pki_chain_t *anchors; /* certificates the server's chain must end in; a chain may
                                   end in an intermediate of this list (partial chain)       */
    const char *name;           /* DNS name or literal address that the server's certificate
                                   must carry; also sent as SNI when it is a name            */
    int64_t now;                /* seconds since 1970 for date checks; 0: the system's clock */
    bool clock_unset;           /* forgive "not yet valid", and nothing else                 */
    uint32_t output_max;
    uint32_t handshake_ms; /* connect and handshake together */
} tls_client_settings_t;

/* A client context keeps the last session of its server: the next stream tries to resume it. */
bool tls_client_context(tls_context_t **context, const tls_client_settings_t *settings, err_t *err);

/* The context may be freed while streams live. NULL is allowed. */
void tls_context_free(tls_context_t *context);

typedef enum {
    TLS_END_CLOSED = 0, /* the other side said good-bye, or closed the socket after the handshake */
    TLS_END_REFUSED,    /* client: the server refused us with an alert (`alert` says which)       */
    TLS_END_UNTRUSTED,  /* we refused the other side's certificate                                */
    TLS_END_PROTOCOL,   /* not TLS, a broken record, no common version or cipher                  */
    TLS_END_TIMEOUT,    /* connect or handshake took too long                                     */
    TLS_END_NETWORK,    /* could not connect, reset, unreachable                                  */
    TLS_END_SYSTEM,     /* out of memory, or a failure inside OpenSSL                             */
} tls_end_kind_t;

typedef struct {
    tls_end_kind_t kind;
    int alert;      /* TLS alert number received (RFC 8446, section 6), else -1 */
    bool handshake; /* it ended before on_ready                                 */
    char text[200];
} tls_end_t;

/* Any may be NULL except on_end. */
typedef struct {
    void (*on_ready)(void *ctx);
    void (*on_readable)(void *ctx);
    void (*on_drained)(void *ctx);
    void (*on_end)(void *ctx, const tls_end_t *end);
    void *ctx;
} tls_handlers_t;

/* Takes `fd` over, on failure too. `handlers` are copied. No callback comes before it returned.
   tls_connect: the socket of net_connect, connected or still connecting. */
bool tls_accept(tls_t **tls, loop_t *loop, tls_context_t *context, int fd,
                const tls_handlers_t *handlers, err_t *err);
bool tls_connect(tls_t **tls, loop_t *loop, tls_context_t *context, int fd,
                 const tls_handlers_t *handlers, err_t *err);

/* Bytes read, 0 when there is nothing now (on_readable comes again) or the connection is over
   (on_end comes). */
size_t tls_read(tls_t *tls, void *data, size_t cap);

/* Takes all bytes or none: false when they do not fit in the output buffer, or it is over. What
   the kernel does not take at once is sent later. */
bool tls_write(tls_t *tls, const void *data, size_t len);

/* Bytes that tls_write would take now. */
size_t tls_room(const tls_t *tls);
/* Bytes that wait to be sent. */
size_t tls_pending(const tls_t *tls);

/* While paused, nothing is read from the socket and on_readable does not come. */
void tls_pause(tls_t *tls, bool paused);

/* Sends what can be sent at once and the closing alert, closes the socket, frees. NULL is allowed.
   With tls_finish the rest of the output is sent first, for at most `limit_ms`; no callback
   comes any more. */
void tls_close(tls_t *tls);
void tls_finish(tls_t *tls, uint32_t limit_ms);

/* The other side's leaf certificate, owned by the stream; NULL when it has none. */
X509 *tls_peer_leaf(const tls_t *tls);
/* What the other side presented, as SSL_get_peer_cert_chain; only inside on_ready. In a server the
   leaf is not in it. NULL after a resumption. */
struct stack_st_X509 *tls_peer_chain(const tls_t *tls);
bool tls_resumed(const tls_t *tls);
/* "TLSv1.3". */
const char *tls_version(const tls_t *tls);
int tls_fd(const tls_t *tls);

#endif

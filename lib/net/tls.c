/* SPDX-License-Identifier: Apache-2.0 */
/* tls: one stream. OpenSSL reads and writes the socket itself; the loop says when. */
#include "net/tls_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/err.h>

#include "net/address.h"

typedef enum { CONNECTING, HANDSHAKE, OPEN, ENDED, FINISHING } stage_t;

struct tls {
    loop_t *loop;
    tls_context_t *context;
    SSL *ssl;
    loop_fd_t watch;
    loop_timer_t timer; /* hand-shake limit; then deferred news; then the limit of tls_finish */
    tls_handlers_t on;
    char *out; /* bytes out_at .. out_len wait for the kernel */
    size_t out_at, out_len, out_cap;
    stage_t stage;
    uint8_t busy;    /* depth of callbacks: memory must stay until they return */
    bool closed;     /* tls_close was called meanwhile                          */
    bool paused;     /* the owner does not want to read                         */
    bool may_read;   /* the socket said it has bytes                            */
    bool wants_room; /* OpenSSL cannot go on before the socket takes bytes      */
    bool told;       /* on_end was called                                       */
    tls_end_t *end;  /* how it ended, until it is told                          */
};

static void on_socket(void *ctx, unsigned events);
static void on_timer(void *ctx);

void *tls_owner_of(const SSL *ssl)
{
    const tls_t *tls = SSL_get_app_data(ssl);
    return tls->on.ctx;
}

/* ---- How it ended ---------------------------------------------------------------------------- */

static void watch_what_matters(tls_t *tls)
{
    unsigned events = 0;
    if (tls->stage == CONNECTING || tls->wants_room || tls->out_at < tls->out_len) {
        events |= LOOP_WRITE;
    }
    if (tls->stage == HANDSHAKE || (tls->stage == OPEN && !tls->paused)) {
        events |= LOOP_READ;
    }
    loop_fd_change(tls->loop, &tls->watch, events);
}

/* Remembers the first end; it is told when no callback of the owner is running. */
static void set_end(tls_t *tls, tls_end_kind_t kind, int alert, const char *text)
{
    if (tls->stage == ENDED || tls->stage == FINISHING) {
        return;
    }
    tls->end = calloc(1, sizeof *tls->end);
    if (tls->end != NULL) {
        tls->end->kind = kind;
        tls->end->alert = alert;
        tls->end->handshake = tls->stage != OPEN;
        snprintf(tls->end->text, sizeof tls->end->text, "%s", text);
    }
    tls->stage = ENDED;
    tls->out_at = tls->out_len = 0;
    loop_fd_remove(tls->loop, &tls->watch);
    (void)loop_timer_start(tls->loop, &tls->timer, 0, on_timer, tls, NULL);
}

static void end_by_alert(tls_t *tls, int alert)
{
    char text[128];
    snprintf(text, sizeof text, "the other side sent the TLS alert \"%s\"",
             SSL_alert_desc_string_long(alert));
    set_end(tls, TLS_END_REFUSED, alert, text);
}

/* Reads OpenSSL's error queue. */
static void end_by_ssl(tls_t *tls)
{
    unsigned long code = ERR_peek_last_error();
    int reason = ERR_GET_REASON(code);
    const char *words = code != 0 ? ERR_reason_error_string(code) : NULL;
    char text[160];
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET &&
        reason < SSL_AD_REASON_OFFSET + 256) {
        end_by_alert(tls, reason - SSL_AD_REASON_OFFSET);
    } else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        snprintf(text, sizeof text, "the other side's certificate is refused: %s",
                 X509_verify_cert_error_string(SSL_get_verify_result(tls->ssl)));
        set_end(tls, TLS_END_UNTRUSTED, -1, text);
    } else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        set_end(tls, TLS_END_UNTRUSTED, -1, "the other side presented no certificate");
    } else if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        set_end(tls, tls->stage == OPEN ? TLS_END_CLOSED : TLS_END_NETWORK, -1,
                "the other side closed the connection");
    } else if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
        snprintf(text, sizeof text, "not the TLS that was expected: %s",
                 words != NULL ? words : "unknown reason");
        set_end(tls, TLS_END_PROTOCOL, -1, text);
    } else {
        snprintf(text, sizeof text, "TLS failed: %s", words != NULL ? words : "unknown reason");
        set_end(tls, TLS_END_SYSTEM, -1, text);
    }
}

static void end_by_errno(tls_t *tls, int code)
{
    char text[128];
    snprintf(text, sizeof text, "%s",
             code == 0 ? "the other side closed the connection" : strerror(code));
    set_end(tls, TLS_END_NETWORK, -1, text);
}

/* After an SSL_ function that did not succeed. True when it is only to be called again later. */
static bool try_later(tls_t *tls, int result)
{
    int saved = errno;
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return true;
    case SSL_ERROR_WANT_WRITE:
        tls->wants_room = true;
        return true;
    case SSL_ERROR_ZERO_RETURN:
        set_end(tls, TLS_END_CLOSED, -1, "the other side closed the connection");
        break;
    case SSL_ERROR_SYSCALL:
        end_by_errno(tls, saved);
        break;
    default:
        end_by_ssl(tls);
        break;
    }
    ERR_clear_error();
    return false;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void release(tls_t *tls)
{
    loop_timer_stop(tls->loop, &tls->timer);
    loop_fd_remove(tls->loop, &tls->watch);
    int fd = tls->watch.fd;
    SSL_free(tls->ssl);
    if (fd >= 0) {
        close(fd);
    }
    tls_context_free(tls->context);
    free(tls->out);
    free(tls->end);
    free(tls);
}

/* Around every callback of the owner: he may close the stream in it. */
static bool call(tls_t *tls, void (*fn)(void *ctx))
{
    if (fn != NULL) {
        tls->busy++;
        fn(tls->on.ctx);
        tls->busy--;
    }
    if (tls->closed && tls->busy == 0) {
        release(tls);
        return false;
    }
    return !tls->closed;
}

static void tell_end(tls_t *tls)
{
    static const tls_end_t no_memory = {TLS_END_SYSTEM, -1, false, "out of memory"};
    if (tls->told) {
        return;
    }
    tls->told = true;
    tls->busy++;
    tls->on.on_end(tls->on.ctx, tls->end != NULL ? tls->end : &no_memory);
    tls->busy--;
    if (tls->closed && tls->busy == 0) {
        release(tls);
    }
}

/* After callbacks and work on the socket: what is to be watched now, or the end. */
static void settle(tls_t *tls)
{
    if (tls->stage == ENDED) {
        tell_end(tls);
    } else {
        watch_what_matters(tls);
    }
}

/* ---- Output ---------------------------------------------------------------------------------- */

/* How much of it OpenSSL and the kernel took. */
static size_t push(tls_t *tls, const char *data, size_t len)
{
    size_t done = 0;
    while (done < len) {
        size_t written = 0;
        errno = 0;
        int result = SSL_write_ex(tls->ssl, data + done, len - done, &written);
        if (result != 1) {
            (void)try_later(tls, result);
            break;
        }
        done += written;
    }
    return done;
}

static void flush(tls_t *tls)
{
    if (tls->out_at == tls->out_len) {
        return;
    }
    tls->wants_room = false;
    tls->out_at += push(tls, tls->out + tls->out_at, tls->out_len - tls->out_at);
    if (tls->out_at >= tls->out_len) {
        free(tls->out);
        tls->out = NULL;
        tls->out_at = tls->out_len = tls->out_cap = 0;
    }
}

static bool keep_output(tls_t *tls, const char *data, size_t len)
{
    if (tls->out_at > 0) {
        memmove(tls->out, tls->out + tls->out_at, tls->out_len - tls->out_at);
        tls->out_len -= tls->out_at;
        tls->out_at = 0;
    }
    if (tls->out_len + len > tls->out_cap) {
        size_t cap = tls->out_cap == 0 ? 512 : tls->out_cap;
        while (cap < tls->out_len + len) {
            cap *= 2;
        }
        char *grown = realloc(tls->out, cap);
        if (grown == NULL) {
            set_end(tls, TLS_END_SYSTEM, -1, "no memory for output");
            return false;
        }
        tls->out = grown;
        tls->out_cap = cap;
    }
    memcpy(tls->out + tls->out_len, data, len);
    tls->out_len += len;
    return true;
}

size_t tls_pending(const tls_t *tls)
{
    return tls->out_len - tls->out_at;
}

size_t tls_room(const tls_t *tls)
{
    size_t pending = tls_pending(tls);
    return tls->stage == OPEN && pending < tls->context->output_max
               ? tls->context->output_max - pending
               : 0;
}

bool tls_write(tls_t *tls, const void *data, size_t len)
{
    if (len > tls_room(tls)) {
        return false;
    }
    size_t done = 0;
    if (tls_pending(tls) == 0) {
        done = push(tls, data, len);
    }
    if (done < len && tls->stage == OPEN &&
        !keep_output(tls, (const char *)data + done, len - done)) {
        return false;
    }
    if (tls->stage == OPEN) {
        watch_what_matters(tls);
    }
    return tls->stage == OPEN;
}

/* ---- Input ----------------------------------------------------------------------------------- */

size_t tls_read(tls_t *tls, void *data, size_t cap)
{
    size_t len = 0;
    if (tls->stage != OPEN || (!tls->may_read && SSL_has_pending(tls->ssl) == 0)) {
        return 0;
    }
    errno = 0;
    int result = SSL_read_ex(tls->ssl, data, cap, &len);
    if (result != 1) {
        tls->may_read = false;
        (void)try_later(tls, result);
        return 0;
    }
    /* What the socket still has, it will say again: a read(2) that is known to fail is saved. */
    if (SSL_has_pending(tls->ssl) == 0) {
        tls->may_read = false;
    }
    return len;
}

void tls_pause(tls_t *tls, bool paused)
{
    if (tls->paused == paused) {
        return;
    }
    tls->paused = paused;
    if (tls->stage != OPEN) {
        return;
    }
    watch_what_matters(tls);
    if (!paused && SSL_has_pending(tls->ssl) != 0) {
        /* Bytes that OpenSSL holds already make no socket readable. */
        (void)loop_timer_start(tls->loop, &tls->timer, 0, on_timer, tls, NULL);
    }
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* The issuers that the client sent are of no use after the decision, and take more memory than all
   the rest of an idle connection. */
static void drop_peer_issuers(tls_t *tls)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(tls->ssl);
    while (chain != NULL && sk_X509_num(chain) > 0) {
        X509_free(sk_X509_pop(chain));
    }
}

static void handshake(tls_t *tls)
{
    tls->wants_room = false;
    errno = 0;
    int result = SSL_do_handshake(tls->ssl);
    if (result != 1) {
        (void)try_later(tls, result);
        settle(tls);
        return;
    }
    loop_timer_stop(tls->loop, &tls->timer);
    tls->stage = OPEN;
    tls->may_read = true;
    if (!call(tls, tls->on.on_ready)) {
        return;
    }
    drop_peer_issuers(tls);
    /* The first data may have come together with the end of the handshake. */
    if (tls->stage == OPEN && !tls->paused && SSL_has_pending(tls->ssl) != 0 &&
        !call(tls, tls->on.on_readable)) {
        return;
    }
    settle(tls);
}

static void after_connect(tls_t *tls)
{
    err_t err = ERR_INIT;
    if (!net_connect_result(tls->watch.fd, "the server", &err)) {
        set_end(tls, TLS_END_NETWORK, -1, err.text);
        settle(tls);
        return;
    }
    tls->stage = HANDSHAKE;
    handshake(tls);
}

static void finish_more(tls_t *tls)
{
    flush(tls);
    if (tls_pending(tls) == 0) {
        tls_close(tls);
    }
}

static void open_stream(tls_t *tls, unsigned events)
{
    if (events == 0) {
        end_by_errno(tls, ECONNRESET);
    }
    if ((events & LOOP_WRITE) != 0 && tls->stage == OPEN) {
        bool waited = tls_pending(tls) > 0;
        if (tls->wants_room) { /* a read may have been what could not go on */
            events |= LOOP_READ;
        }
        tls->wants_room = false;
        flush(tls);
        if (waited && tls_pending(tls) == 0 && tls->stage == OPEN &&
            !call(tls, tls->on.on_drained)) {
            return;
        }
    }
    if ((events & LOOP_READ) != 0 && tls->stage == OPEN && !tls->paused) {
        tls->may_read = true;
        if (!call(tls, tls->on.on_readable)) {
            return;
        }
    }
    settle(tls);
}

static void on_socket(void *ctx, unsigned events)
{
    tls_t *tls = ctx;
    switch (tls->stage) {
    case CONNECTING:
        after_connect(tls);
        break;
    case HANDSHAKE:
        handshake(tls);
        break;
    case OPEN:
        open_stream(tls, events);
        break;
    case FINISHING:
        if (events == 0) {
            tls_close(tls);
        } else {
            finish_more(tls);
        }
        break;
    case ENDED:
        break;
    }
}

static void on_timer(void *ctx)
{
    tls_t *tls = ctx;
    switch (tls->stage) {
    case CONNECTING:
    case HANDSHAKE:
        set_end(tls, TLS_END_TIMEOUT, -1,
                tls->stage == CONNECTING ? "no connection in time" : "no TLS handshake in time");
        tell_end(tls);
        break;
    case OPEN:
        if (!tls->paused) {
            tls->may_read = true;
            if (!call(tls, tls->on.on_readable)) {
                return;
            }
        }
        settle(tls);
        break;
    case ENDED:
        tell_end(tls);
        break;
    case FINISHING:
        tls_close(tls);
        break;
    }
}

/* ---- Life ------------------------------------------------------------------------------------ */

static bool stream_new(tls_t **out, loop_t *loop, tls_context_t *context, int fd,
                       const tls_handlers_t *handlers, err_t *err)
{
    tls_t *tls = calloc(1, sizeof *tls);
    SSL *ssl = SSL_new(context->ssl);
    if (tls == NULL || ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
        ERR_clear_error();
        SSL_free(ssl);
        free(tls);
        close(fd);
        return err_set(err, ERR_SYSTEM, "no memory for a TLS connection");
    }
    tls->loop = loop;
    tls->ssl = ssl;
    tls->on = *handlers;
    tls->context = context;
    tls_context_ref(context);
    SSL_set_app_data(ssl, tls);
    tls->stage = context->server ? HANDSHAKE : CONNECTING;
    tls->watch.fd = fd;
    if (!loop_fd_add(loop, &tls->watch, fd, context->server ? LOOP_READ : LOOP_WRITE, on_socket,
                     tls, err) ||
        !loop_timer_start(loop, &tls->timer, context->handshake_ms, on_timer, tls, err)) {
        release(tls);
        return false;
    }
    *out = tls;
    return true;
}

bool tls_accept(tls_t **tls, loop_t *loop, tls_context_t *context, int fd,
                const tls_handlers_t *handlers, err_t *err)
{
    if (!stream_new(tls, loop, context, fd, handlers, err)) {
        return false;
    }
    SSL_set_accept_state((*tls)->ssl);
    return true;
}

bool tls_connect(tls_t **tls, loop_t *loop, tls_context_t *context, int fd,
                 const tls_handlers_t *handlers, err_t *err)
{
    if (!stream_new(tls, loop, context, fd, handlers, err)) {
        return false;
    }
    SSL *ssl = (*tls)->ssl;
    SSL_set_connect_state(ssl);
    if ((context->sni != NULL && SSL_set_tlsext_host_name(ssl, context->sni) != 1) ||
        (context->session != NULL && SSL_set_session(ssl, context->session) != 1)) {
        ERR_clear_error();
        release(*tls);
        return err_set(err, ERR_SYSTEM, "no memory for a TLS connection");
    }
    return true;
}

void tls_close(tls_t *tls)
{
    if (tls == NULL || tls->closed) {
        return;
    }
    if (tls->stage == OPEN || tls->stage == FINISHING) {
        flush(tls);
        (void)SSL_shutdown(tls->ssl);
        ERR_clear_error();
    }
    tls->stage = ENDED;
    tls->told = true;
    tls->closed = true;
    loop_fd_remove(tls->loop, &tls->watch);
    loop_timer_stop(tls->loop, &tls->timer);
    if (tls->busy == 0) {
        release(tls);
    }
}

void tls_finish(tls_t *tls, uint32_t limit_ms)
{
    if (tls == NULL || tls->closed) {
        return;
    }
    if (tls->stage != OPEN || tls_pending(tls) == 0) {
        tls_close(tls);
        return;
    }
    tls->stage = FINISHING;
    tls->told = true;
    watch_what_matters(tls);
    if (!loop_timer_start(tls->loop, &tls->timer, limit_ms, on_timer, tls, NULL)) {
        tls_close(tls);
    }
}

X509 *tls_peer_leaf(const tls_t *tls)
{
    return SSL_get0_peer_certificate(tls->ssl);
}

struct stack_st_X509 *tls_peer_chain(const tls_t *tls)
{
    return SSL_get_peer_cert_chain(tls->ssl);
}

bool tls_resumed(const tls_t *tls)
{
    return SSL_session_reused(tls->ssl) != 0;
}

const char *tls_version(const tls_t *tls)
{
    return SSL_get_version(tls->ssl);
}

int tls_fd(const tls_t *tls)
{
    return tls->watch.fd;
}

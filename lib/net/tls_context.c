/* SPDX-License-Identifier: Apache-2.0 */
/* tls_context: what many streams share, and how the other side's certificate is judged. */
#include "net/tls_internal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

/* A client may send this much in certificates: PKI_CHAIN_MAX of a usual size. OpenSSL's own limit
   is 100 KiB, which a stranger could make us hold on every half-open connection. */
#define CLIENT_CHAIN_BYTES_MAX (32L * 1024)

#define CIPHERS_TLS12 "ECDHE+AESGCM:ECDHE+CHACHA20"

static bool openssl_failed(err_t *err, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return err_set(err, ERR_SYSTEM, "%s: %s", what, reason != NULL ? reason : "unknown reason");
}

void tls_context_ref(tls_context_t *context)
{
    context->refs++;
}

void tls_context_free(tls_context_t *context)
{
    if (context == NULL || --context->refs > 0) {
        return;
    }
    SSL_SESSION_free(context->session);
    SSL_CTX_free(context->ssl);
    free(context->sni);
    free(context);
}

static bool context_new(bool server, tls_context_t **out, err_t *err)
{
    tls_context_t *context = calloc(1, sizeof *context);
    if (context == NULL) {
        return err_set(err, ERR_SYSTEM, "no memory for TLS");
    }
    context->refs = 1;
    context->server = server;
    context->ssl = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (context->ssl == NULL || SSL_CTX_set_min_proto_version(context->ssl, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context->ssl, CIPHERS_TLS12) != 1) {
        tls_context_free(context);
        return openssl_failed(err, "cannot set up TLS");
    }
    SSL_CTX_set_security_level(context->ssl, 2);
    SSL_CTX_set_options(context->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* One read(2) a record instead of two. */
    SSL_CTX_set_read_ahead(context->ssl, 1);
    *out = context;
    return true;
}

/* SSL_CTX_add1_chain_cert takes its own reference. */
static bool use_identity(SSL_CTX *ssl, const pki_chain_t *chain, EVP_PKEY *key, err_t *err)
{
    if (chain->count == 0 || SSL_CTX_use_certificate(ssl, chain->cert[0]) != 1) {
        return openssl_failed(err, "cannot use the own certificate for TLS");
    }
    if (SSL_CTX_use_PrivateKey(ssl, key) != 1 || SSL_CTX_check_private_key(ssl) != 1) {
        ERR_clear_error();
        return err_set(err, ERR_INPUT,
                       "the own certificate and the private key do not belong "
                       "together");
    }
    for (size_t i = 1; i < chain->count; i++) {
        if (SSL_CTX_add1_chain_cert(ssl, chain->cert[i]) != 1) {
            return openssl_failed(err, "cannot use the own certificate chain for TLS");
        }
    }
    return true;
}

/* ---- Server ---------------------------------------------------------------------------------- */

/* Takes the place of OpenSSL's path validation altogether. */
static int judge_client(X509_STORE_CTX *store, void *arg)
{
    tls_context_t *context = arg;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    int result = X509_V_ERR_UNSPECIFIED;
    if (ssl != NULL && leaf != NULL) {
        result = context->verify(context->verify_ctx, tls_owner_of(ssl), leaf,
                                 X509_STORE_CTX_get0_untrusted(store), false);
    }
    X509_STORE_CTX_set_error(store, result);
    return result == X509_V_OK;
}

/* A ticket was presented. It is used only when its certificate would be let in today. */
static SSL_TICKET_RETURN judge_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                      size_t name_len, SSL_TICKET_STATUS status, void *arg)
{
    tls_context_t *context = arg;
    (void)name;
    (void)name_len;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) {
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
    if (context->verify != NULL) {
        X509 *leaf = SSL_SESSION_get0_peer(session);
        if (leaf == NULL || context->verify(context->verify_ctx, tls_owner_of(ssl), leaf, NULL,
                                            true) != X509_V_OK) {
            return SSL_TICKET_RETURN_IGNORE_RENEW;
        }
    }
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

bool tls_server_context(tls_context_t **out, const tls_server_settings_t *settings, err_t *err)
{
    static const unsigned char session_context[] = "cradle";
    tls_context_t *context;
    if (!context_new(true, &context, err)) {
        return false;
    }
    context->output_max = settings->output_max != 0 ? settings->output_max : TLS_OUTPUT_MAX;
    context->handshake_ms = settings->handshake_ms != 0 ? settings->handshake_ms : TLS_HANDSHAKE_MS;
    context->verify = settings->verify;
    context->verify_ctx = settings->context;
    if (!use_identity(context->ssl, settings->chain, settings->key, err)) {
        tls_context_free(context);
        return false;
    }
    /* Sessions live in tickets on the client's side: nothing is kept here. */
    SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_set_num_tickets(context->ssl, 1) != 1 ||
        SSL_CTX_set_session_id_context(context->ssl, session_context, sizeof session_context - 1) !=
            1 ||
        SSL_CTX_set_session_ticket_cb(context->ssl, NULL, judge_ticket, context) != 1) {
        tls_context_free(context);
        return openssl_failed(err, "cannot set up TLS sessions");
    }
    if (settings->verify != NULL) {
        SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        SSL_CTX_set_cert_verify_callback(context->ssl, judge_client, context);
        SSL_CTX_set_max_cert_list(context->ssl, CLIENT_CHAIN_BYTES_MAX);
    }
    *out = context;
    return true;
}

/* ---- Client ---------------------------------------------------------------------------------- */

/* Called for each certificate by OpenSSL's own validation. */
static int forgive_early(int good, X509_STORE_CTX *store)
{
    if (!good && X509_STORE_CTX_get_error(store) == X509_V_ERR_CERT_NOT_YET_VALID) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    return good;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    tls_context_t *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    SSL_SESSION_free(context->session);
    context->session = session;
    return 1; /* the reference is ours now */
}

static bool use_anchors(SSL_CTX *ssl, const pki_chain_t *anchors, err_t *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    for (size_t i = 0; i < anchors->count; i++) {
        if (X509_STORE_add_cert(store, anchors->cert[i]) != 1) {
            return openssl_failed(err, "cannot use the certificates the server is checked against");
        }
    }
    return true;
}

static bool expect_name(tls_context_t *context, const char *name, err_t *err)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context->ssl);
    unsigned char address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1 ||
               openssl_failed(err, "cannot check the server's address");
    }
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    context->sni = strdup(name);
    if (context->sni == NULL || X509_VERIFY_PARAM_set1_host(param, name, 0) != 1) {
        return openssl_failed(err, "cannot check the server's name");
    }
    return true;
}

static bool client_setup(tls_context_t *context, const tls_client_settings_t *settings, err_t *err)
{
    if (settings->anchors == NULL || settings->anchors->count == 0 || settings->name == NULL ||
        settings->name[0] == '\0') {
        return err_set(err, ERR_USAGE,
                       "a TLS client needs the certificates and the name that the "
                       "server is checked against");
    }
    if (settings->chain != NULL &&
        !use_identity(context->ssl, settings->chain, settings->key, err)) {
        return false;
    }
    if (!use_anchors(context->ssl, settings->anchors, err) ||
        !expect_name(context, settings->name, err)) {
        return false;
    }
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context->ssl);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    if (settings->now != 0) {
        X509_VERIFY_PARAM_set_time(param, (time_t)settings->now);
    }
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, settings->clock_unset ? forgive_early : NULL);
    SSL_CTX_set_session_cache_mode(context->ssl,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_app_data(context->ssl, context);
    SSL_CTX_sess_set_new_cb(context->ssl, keep_session);
    return true;
}

bool tls_client_context(tls_context_t **out, const tls_client_settings_t *settings, err_t *err)
{
    tls_context_t *context;
    if (!context_new(false, &context, err)) {
        return false;
    }
    context->output_max = settings->output_max != 0 ? settings->output_max : TLS_OUTPUT_MAX;
    context->handshake_ms = settings->handshake_ms != 0 ? settings->handshake_ms : TLS_HANDSHAKE_MS;
    if (!client_setup(context, settings, err)) {
        tls_context_free(context);
        return false;
    }
    *out = context;
    return true;
}

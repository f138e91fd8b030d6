/* SPDX-License-Identifier: Apache-2.0 */
/* Is there a TLS server whose certificate the given CA vouches for? Asked before anything is made
   on somebody's server. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "demo/stage.h"

static bool expect_host(SSL *ssl, const char *address)
{
    char host[256];
    unsigned char literal[16];
    const char *colon = strrchr(address, ':');
    size_t len = colon != NULL ? (size_t)(colon - address) : 0;
    if (len == 0 || len >= sizeof host) {
        return false;
    }
    memcpy(host, address, len);
    host[len] = '\0';
    if (inet_pton(AF_INET, host, literal) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    }
    return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

/* A server that misses our certificate may end it: that is soon enough for a device. */
static bool judge(SSL *ssl, bool done, const char *address, const char *ca, err_t *err)
{
    long verdict = SSL_get_verify_result(ssl);
    X509 *peer = SSL_get1_peer_certificate(ssl);
    bool seen = peer != NULL;
    X509_free(peer);
    if (verdict != X509_V_OK) {
        return err_set(err, ERR_PEER, "%s does not vouch for the MQTTS server %s: %s", ca, address,
                       X509_verify_cert_error_string(verdict));
    }
    if (done || seen) {
        return true;
    }
    return ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_SSL
               ? err_set(err, ERR_PEER, "%s does not speak TLS; --mqtts is MQTT's port, often 8883",
                         address)
               : err_set(err, ERR_PEER, "the MQTTS server %s cannot be reached", address);
}

bool stage_probe(const char *address, const char *ca, err_t *err)
{
    SSL *ssl = NULL;
    char host[300]; /* the macro takes no const */
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    BIO *bio = NULL;
    bool ok = false;
    ERR_clear_error();
    snprintf(host, sizeof host, "%s", address);
    if (ctx == NULL || SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1) {
        err_set(err, ERR_INPUT, "%s holds no certificates in PEM", ca);
    } else if ((bio = BIO_new_ssl_connect(ctx)) == NULL || BIO_get_ssl(bio, &ssl) != 1) {
        err_set(err, ERR_SYSTEM, "no TLS connection can be made");
    } else if (BIO_set_conn_hostname(bio, host) != 1 || !expect_host(ssl, address)) {
        err_set(err, ERR_USAGE, "%s is not HOST:PORT", address);
    } else {
        SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
        bool done = BIO_do_connect(bio) == 1;
        ok = judge(ssl, done, address, ca, err);
    }
    ERR_clear_error();
    BIO_free_all(bio);
    SSL_CTX_free(ctx);
    return ok;
}

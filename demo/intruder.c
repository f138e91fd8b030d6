/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever copied the flash of a unit before it changed hands: mutual TLS with the key and chain of
   its identity image, then a CONNECT, and what the cloud says to it. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "demo/acts.h"
#include "demo/story.h"

#define TIMEOUT_S 10

static bool extract(const stage_t *stage, const char *sn, char dir[FILE_PATH_MAX], err_t *err)
{
    char image[FILE_PATH_MAX];
    char log[FILE_PATH_MAX];
    char file[128];
    char *out = NULL;
    int code;
    snprintf(file, sizeof file, "factory/units/%s/identity.bin", sn);
    if (!file_join(image, stage->site, file, err) ||
        !file_join(dir, stage->logs, "copied-flash", err) ||
        !stage_log(stage, "commands", log, err)) {
        return false;
    }
    const char *const argv[] = {stage->cradle, "image", "spiffs", "extract",
                                image,         "-o",    dir,      NULL};
    bool ok = proc_run(argv, NULL, log, 10000, &out, &code, err);
    free(out);
    return ok && (code == 0 || err_set(err, ERR_PEER, "cannot read the identity image of %s", sn));
}

static SSL_CTX *credentials(const char *dir, err_t *err)
{
    char key[FILE_PATH_MAX];
    char chain[FILE_PATH_MAX];
    char roots[FILE_PATH_MAX];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (ctx != NULL && file_join(key, dir, "device.key", err) &&
        file_join(chain, dir, "device.crt", err) &&
        file_join(roots, dir, "server_chain.pem", err) &&
        SSL_CTX_use_certificate_chain_file(ctx, chain) == 1 &&
        SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1 &&
        SSL_CTX_load_verify_locations(ctx, roots, NULL) == 1) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        return ctx;
    }
    SSL_CTX_free(ctx);
    err_set(err, ERR_INPUT, "the copied key or certificate cannot be used");
    return NULL;
}

/* MQTT 3.1.1 CONNECT (clean session, keep-alive 60), and the code of the CONNACK. */
static int say_connect(BIO *bio, const char *sn)
{
    uint8_t packet[80] = {0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 0};
    uint8_t answer[4];
    size_t name = strlen(sn);
    packet[1] = (uint8_t)(12 + name);
    packet[13] = (uint8_t)name;
    memcpy(packet + 14, sn, name);
    if (name > 64 || BIO_write(bio, packet, (int)(14 + name)) <= 0 ||
        BIO_read(bio, answer, sizeof answer) != sizeof answer || answer[0] != 0x20) {
        return -1; /* with TLS 1.3 a refused certificate shows only now */
    }
    return answer[3];
}

bool intruder_connect(const stage_t *stage, const char *sn, int *code, err_t *err)
{
    char dir[FILE_PATH_MAX];
    char host[300];
    SSL *ssl = NULL;
    int fd = -1;
    const struct timeval timeout = {TIMEOUT_S, 0};
    if (!extract(stage, sn, dir, err)) {
        return false;
    }
    SSL_CTX *ctx = credentials(dir, err);
    BIO *bio = ctx != NULL ? BIO_new_ssl_connect(ctx) : NULL;
    if (bio == NULL) {
        SSL_CTX_free(ctx);
        return err_set(err, ERR_SYSTEM, "no TLS connection can be made");
    }
    snprintf(host, sizeof host, "%s", stage->mqtts);
    BIO_set_conn_hostname(bio, host);
    BIO_get_ssl(bio, &ssl);
    *code = -1;
    bool there = BIO_do_connect(bio) == 1 || ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_SSL;
    if (there && BIO_get_fd(bio, &fd) > 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0) {
        *code = say_connect(bio, sn);
    }
    ERR_clear_error();
    BIO_free_all(bio);
    SSL_CTX_free(ctx);
    return there || err_set(err, ERR_PEER, "the cloud cannot be reached at %s", host);
}

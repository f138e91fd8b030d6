/* SPDX-License-Identifier: Apache-2.0 */
#include "factory/answer.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/file.h"
#include "factory/internal.h"
#include "flash/flash.h"
#include "flash/settings.h"
#include "http/http.h"
#include "pki/jose.h"
#include "pki/key.h"
#include "site/secret.h"
#include "statement/statement.h"

#define LOOK_MS     100   /* how soon closing is noticed */
#define RETRY_AFTER 86400 /* seconds */
#define SHIPPED     "shipped"

struct factory_answer {
    const site_t *site;
    pki_signer_t *signer;
    char kid[PKI_KEY_ID_SIZE];
    char secret[SITE_SECRET_LEN + 1]; /* what the forwarder has to show */
    char url[64];
    http_server_t *http;
    pthread_t thread;
    bool running;
    atomic_bool stop;
};

/* ---- one question ---- */

typedef struct {
    jws_t jws;
    statement_t say;
    char scratch[JWS_STATEMENT_MAX];
    char sn[SITE_SN_SIZE];
} question_t;

static bool read_question(const factory_answer_t *a, const http_request_t *request, question_t *q)
{
    statement_method_t method;
    jws_text_t text;
    if (carrier_read_request(request->body, request->body_len, &method, &text) != JWS_OK ||
        jws_open(JWS_STATEMENT, text.text, text.len, &q->jws) != JWS_OK ||
        statement_read(&q->jws, q->scratch, sizeof q->scratch, &q->say) != JWS_OK ||
        q->say.sn.len >= sizeof q->sn) {
        return false;
    }
    memcpy(q->sn, q->say.sn.text, q->say.sn.len);
    q->sn[q->say.sn.len] = '\0';
    return method == STATEMENT_HELLO && q->say.method == method &&
           jws_text_equal(q->say.site, jws_text(a->site->id));
}

/* It is this unit that asks: its certificate, as custody has it, is named, and its key signed. */
static bool from_the_unit(const factory_answer_t *a, const question_t *q)
{
    factory_unit_t unit;
    factory_content_t content;
    uint8_t hash[32];
    if (!factory_record_find(a->site, q->sn, &unit, NULL) ||
        !factory_unit_verify(a->site, &unit, &content, NULL)) {
        return false;
    }
    bool good = bytes_from_hex(unit.leaf_sha256, 64, hash, sizeof hash) &&
                memcmp(hash, q->jws.x5t, sizeof hash) == 0 &&
                pki_jose_good(X509_get0_pubkey(content.chain.cert[0]), &q->jws);
    factory_content_free(&content);
    return good;
}

static bool write_answer(const factory_answer_t *a, const question_t *q, char *out, size_t cap,
                         size_t *len)
{
    char text[JWS_ANSWER_MAX + 1];
    size_t n;
    answer_t answer = {.method = STATEMENT_HELLO,
                       .sn = q->say.sn,
                       .issued = (int64_t)time(NULL),
                       .result = ANSWER_STREAM,
                       .retry_after = RETRY_AFTER};
    memcpy(answer.kid, a->kid, sizeof answer.kid);
    memcpy(answer.epoch, q->say.epoch, sizeof answer.epoch);
    memcpy(answer.nonce, q->say.nonce, sizeof answer.nonce);
    memcpy(answer.leaf, q->jws.x5t, sizeof answer.leaf);
    return answer_write(&answer, text, sizeof text, &n) == JWS_OK &&
           pki_jose_append(a->signer, text, sizeof text, &n, NULL) &&
           carrier_write_reply((jws_text_t){text, n}, jws_text(NULL), out, cap, len) == JWS_OK;
}

static void handle(void *ctx, http_request_t *request)
{
    factory_answer_t *a = ctx;
    char reply[CARRIER_REPLY_MAX];
    size_t len;
    question_t *q = calloc(1, sizeof *q);
    int status = 503;
    if (q == NULL) {
        /* busy: the unit asks again */
    } else if (request->method != HTTP_POST || strcmp(request->path, "/rpc") != 0) {
        status = 404;
    } else if (!site_secret_shown(a->secret, request->authorization)) {
        status = 401;
    } else if (!read_question(a, request, q)) {
        status = 400;
    } else if (!from_the_unit(a, q)) {
        status = 403;
    } else if (write_answer(a, q, reply, sizeof reply, &len)) {
        status = 200;
    }
    free(q);
    http_reply(request, status, "application/json", status == 200 ? reply : NULL,
               status == 200 ? len : 0, NULL);
}

/* ---- life ---- */

static void *serve(void *ctx)
{
    factory_answer_t *a = ctx;
    struct pollfd fd = {.fd = http_server_fd(a->http), .events = POLLIN};
    while (!atomic_load(&a->stop)) {
        if (poll(&fd, 1, LOOK_MS) > 0) {
            http_server_dispatch(a->http, 0);
        }
    }
    return NULL;
}

static bool open_all(factory_answer_t *a, err_t *err)
{
    char key[FILE_PATH_MAX];
    char cert_file[FILE_PATH_MAX];
    char key_file[FILE_PATH_MAX];
    const http_settings_t http = {
        .listen = "127.0.0.1:0", .cert_file = cert_file, .key_file = key_file, .body_max = 16384};
    if (!site_key_path(a->site, "bench", key, err) || !pki_signer_open(key, &a->signer, err) ||
        !pki_key_id(pki_signer_public(a->signer), a->kid, err) ||
        !site_secret_read(a->site, SITE_FORWARD_KEY, a->secret, err) ||
        !site_path(a->site, "steward/server.crt", cert_file, err) ||
        !site_path(a->site, "steward/server.key", key_file, err) ||
        !http_server_open(&a->http, &http, handle, a, err)) {
        return false;
    }
    snprintf(a->url, sizeof a->url, "https://%s", http_server_address(a->http));
    a->running = pthread_create(&a->thread, NULL, serve, a) == 0;
    return a->running || err_set(err, ERR_SYSTEM, "no thread to answer for the steward");
}

bool factory_answer_open(factory_answer_t **answer, const site_t *site, err_t *err)
{
    factory_answer_t *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory");
    }
    a->site = site;
    if (!open_all(a, err)) {
        factory_answer_close(a);
        return err_add(err, "the bench cannot answer for the steward");
    }
    *answer = a;
    return true;
}

void factory_answer_close(factory_answer_t *a)
{
    if (a == NULL) {
        return;
    }
    atomic_store(&a->stop, true);
    if (a->running) {
        pthread_join(a->thread, NULL);
    }
    if (a->http != NULL) {
        http_server_close(a->http);
    }
    pki_signer_close(a->signer);
    bytes_wipe(a, sizeof *a);
    free(a);
}

const char *factory_answer_url(const factory_answer_t *answer)
{
    return answer->url;
}

/* ---- the mark ---- */

static bool set_mark(flash_t *flash, err_t *err)
{
    region_t region;
    settings_t *settings = calloc(1, sizeof *settings);
    if (settings == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory");
    }
    bool ok = flash_partition(flash, "cradle_nvs", &region, err);
    settings_status_t status = ok ? settings_mount(settings, &region) : SETTINGS_OK;
    if (ok && status == SETTINGS_OK) {
        status = settings_set(settings, SHIPPED, "1", 1);
    }
    free(settings);
    return ok && (status == SETTINGS_OK ||
                  err_set(err, ERR_INPUT, "its settings store: %s", settings_status_text(status)));
}

bool factory_answer_end(const site_t *site, const char *sn, err_t *err)
{
    char base[FILE_PATH_MAX];
    char identity[FILE_PATH_MAX];
    char overlay[FILE_PATH_MAX];
    char dir[FILE_PATH_MAX];
    if (!site_path(site, "factory/base.bin", base, err) ||
        !site_unit_path(site, sn, "identity.bin", identity, err) ||
        !site_device_path(site, sn, "flash.ovl", overlay, err) ||
        !site_device_path(site, sn, NULL, dir, err)) {
        return false;
    }
    if (site->steward[0] == '\0' || !file_exists(identity)) {
        return true;
    }
    const flash_unit_t unit = {.base = base, .identity = identity, .overlay = overlay};
    flash_t *flash = file_make_dirs(dir, 0700, err) ? flash_open_unit(&unit, err) : NULL;
    bool ok = flash != NULL && set_mark(flash, err);
    flash_close(flash);
    return ok || err_add(err, "marking %s as shipped", sn);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints: taken, signed, read. */
#include "custody/point.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "custody/store.h"
#include "json/json.h"
#include "pki/jose.h"
#include "statement/jws.h"

#define HEADER      "{\"alg\":\"ES256\",\"typ\":\"cradle-checkpoint\",\"kid\":\"%s\"}"
#define HEADER_SIZE (sizeof HEADER + PKI_KEY_ID_SIZE)
#define HEADER_TEXT (2 * HEADER_SIZE)
#define BODY_MAX    (CUSTODY_POINT_MAX / 4 * 3 - 512)

/* ---- taken ---- */

/* The first writer behind `name`, in the order of the primary key. */
static bool next_writer(custody_t *custody, sqlite3_stmt *s, char name[CUSTODY_WRITER_SIZE],
                        bool *found, err_t *err)
{
    sqlite3_bind_text(s, 1, name, -1, SQLITE_TRANSIENT);
    int code = sqlite3_step(s);
    const char *text = code == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
    bool ok = code == SQLITE_DONE || text != NULL || custody_fail(custody, "reading", err);
    *found = text != NULL;
    if (*found && (strlen(text) >= CUSTODY_WRITER_SIZE || strcmp(text, name) <= 0)) {
        ok = err_set(err, ERR_INPUT, "an entry in %s is damaged; run `cradle custody verify`",
                     custody->path);
    } else if (*found) {
        strcpy(name, text);
    }
    sqlite3_reset(s);
    return ok;
}

static bool highest_of(custody_t *custody, sqlite3_stmt *s, custody_checkpoint_t *head, err_t *err)
{
    sqlite3_bind_text(s, 1, head->writer, -1, SQLITE_STATIC);
    bool ok = sqlite3_step(s) == SQLITE_ROW || custody_fail(custody, "reading", err);
    if (ok) {
        head->number = (uint64_t)sqlite3_column_int64(s, 0);
    }
    sqlite3_reset(s);
    return ok;
}

static bool take_heads(custody_t *custody, sqlite3_stmt *writers, sqlite3_stmt *highest,
                       custody_point_t *point, err_t *err)
{
    char name[CUSTODY_WRITER_SIZE] = "";
    bool found;
    while (next_writer(custody, writers, name, &found, err)) {
        if (!found) {
            return true;
        }
        if (point->count == CUSTODY_WRITERS_MAX) {
            return err_set(err, ERR_INPUT, "%s has more than %d writers", custody->path,
                           CUSTODY_WRITERS_MAX);
        }
        custody_checkpoint_t *head = &point->head[point->count++];
        if (!custody_checkpoint(custody, name, head, err) ||
            !highest_of(custody, highest, head, err)) {
            return false;
        }
    }
    return false;
}

bool custody_point_take(custody_t *custody, const char *site, int64_t time_ms,
                        custody_point_t *point, err_t *err)
{
    sqlite3_stmt *writers = NULL;
    sqlite3_stmt *highest = NULL;
    memset(point, 0, sizeof *point);
    if (strlen(site) != CUSTODY_SITE_SIZE - 1) {
        return err_set(err, ERR_USAGE, "a site's id has 32 hex digits");
    }
    strcpy(point->site, site);
    point->time_ms = time_ms;
    if (!custody_exec(custody, "BEGIN", "reading", err)) {
        return false;
    }
    bool ok = custody_prepare(custody,
                              "SELECT writer FROM entry WHERE writer > ?1 ORDER BY writer LIMIT 1",
                              &writers, err) &&
              custody_prepare(custody,
                              "SELECT number FROM (SELECT number FROM entry WHERE kind = 'reserve' "
                              "AND writer = ?1 ORDER BY number DESC LIMIT 1) UNION ALL SELECT 0 "
                              "LIMIT 1",
                              &highest, err) &&
              take_heads(custody, writers, highest, point, err);
    sqlite3_finalize(writers);
    sqlite3_finalize(highest);
    sqlite3_exec(custody->db, "COMMIT", NULL, NULL, NULL);
    return ok;
}

uint64_t custody_point_number(const custody_point_t *point)
{
    uint64_t number = 0;
    for (size_t i = 0; i < point->count; i++) {
        number = point->head[i].number > number ? point->head[i].number : number;
    }
    return number;
}

/* ---- signed ---- */

static void put_head(json_writer_t *w, const custody_checkpoint_t *head)
{
    char hash[65] = "";
    bytes_to_hex(head->hash, sizeof head->hash, hash, sizeof hash);
    json_object(w);
    json_key(w, "writer");
    json_put_string(w, head->writer);
    json_key(w, "seq");
    json_put_i64(w, (int64_t)head->seq);
    json_key(w, "hash");
    json_put_string(w, hash);
    json_key(w, "number");
    json_put_i64(w, (int64_t)head->number);
    json_end(w);
}

static bool put_body(const custody_point_t *point, char *out, size_t cap, size_t *len)
{
    json_writer_t w;
    json_writer_init(&w, out, cap);
    json_object(&w);
    json_key(&w, "v");
    json_put_i64(&w, 1);
    json_key(&w, "site");
    json_put_string(&w, point->site);
    json_key(&w, "time");
    json_put_i64(&w, point->time_ms);
    json_key(&w, "writers");
    json_array(&w);
    for (size_t i = 0; i < point->count; i++) {
        put_head(&w, &point->head[i]);
    }
    json_end(&w);
    json_end(&w);
    return json_writer_done(&w, len);
}

static bool header_of(EVP_PKEY *key, char out[HEADER_TEXT], err_t *err)
{
    char kid[PKI_KEY_ID_SIZE];
    char header[HEADER_SIZE];
    if (!pki_key_id(key, kid, err)) {
        return false;
    }
    int n = snprintf(header, sizeof header, HEADER, kid);
    return bytes_to_base64url(header, (size_t)n, out, HEADER_TEXT) ||
           err_set(err, ERR_SYSTEM, "the header of a checkpoint does not fit");
}

bool custody_point_sign(const custody_point_t *point, const pki_signer_t *signer,
                        char out[CUSTODY_POINT_MAX], size_t *len, err_t *err)
{
    char body[BODY_MAX];
    size_t body_len;
    char header[HEADER_TEXT];
    if (!header_of(pki_signer_public(signer), header, err)) {
        return false;
    }
    size_t at = strlen(header);
    memcpy(out, header, at);
    out[at++] = '.';
    if (!put_body(point, body, sizeof body, &body_len) ||
        !bytes_to_base64url(body, body_len, out + at, CUSTODY_POINT_MAX - at)) {
        return err_set(err, ERR_USAGE, "the checkpoint does not fit its text");
    }
    at += strlen(out + at);
    if (!pki_jose_append(signer, out, CUSTODY_POINT_MAX - 1, &at, err)) {
        return false;
    }
    *len = at;
    out[(*len)++] = '\n';
    out[*len] = '\0';
    return true;
}

/* ---- read ---- */

static bool get_i64(const json_token_t *object, const char *path, int64_t *value)
{
    json_token_t token;
    return json_find(object->text, object->len, path, &token) && json_i64(&token, value) &&
           *value >= 0;
}

static bool get_text(const json_token_t *object, const char *path, char *out, size_t cap)
{
    json_token_t token;
    return json_find(object->text, object->len, path, &token) &&
           json_string(&token, out, cap, NULL);
}

static bool get_head(const json_token_t *object, custody_checkpoint_t *head)
{
    char hash[65];
    int64_t seq;
    int64_t number;
    bool ok = get_text(object, "writer", head->writer, sizeof head->writer) &&
              get_text(object, "hash", hash, sizeof hash) &&
              bytes_from_hex(hash, strlen(hash), head->hash, sizeof head->hash) &&
              get_i64(object, "seq", &seq) && seq > 0 && get_i64(object, "number", &number);
    if (ok) {
        head->seq = (uint64_t)seq;
        head->number = (uint64_t)number;
    }
    return ok;
}

static bool get_body(const char *body, size_t len, custody_point_t *point)
{
    const json_token_t all = {.text = body, .len = len};
    char path[24];
    json_token_t item;
    int64_t version;
    memset(point, 0, sizeof *point);
    if (!json_valid(body, len) || !get_i64(&all, "v", &version) || version != 1 ||
        !get_text(&all, "site", point->site, sizeof point->site) ||
        !get_i64(&all, "time", &point->time_ms) || !json_find(body, len, "writers", &item) ||
        item.type != JSON_ARRAY) {
        return false;
    }
    for (;;) {
        snprintf(path, sizeof path, "writers.%zu", point->count);
        if (!json_find(body, len, path, &item)) {
            return true;
        }
        if (point->count == CUSTODY_WRITERS_MAX || item.type != JSON_OBJECT ||
            !get_head(&item, &point->head[point->count++])) {
            return false;
        }
    }
}

/* What was signed is what we would write: no second spelling, no member that we would not see. */
static bool same_body(const custody_point_t *point, const char *body, size_t len)
{
    char again[BODY_MAX];
    size_t again_len;
    return put_body(point, again, sizeof again, &again_len) && again_len == len &&
           memcmp(again, body, len) == 0;
}

static bool signature_good(const char *text, size_t signed_len, const char *sig, size_t sig_len,
                           EVP_PKEY *key)
{
    uint8_t raw[JWS_ES256_SIZE];
    size_t len;
    return bytes_from_base64url(sig, sig_len, raw, sizeof raw, &len) &&
           pki_jose_verify(key, text, signed_len, raw, len);
}

bool custody_point_read(const char *text, size_t len, EVP_PKEY *key, const char *site,
                        custody_point_t *point, err_t *err)
{
    char header[HEADER_TEXT];
    char body[BODY_MAX];
    size_t body_len;
    if (!header_of(key, header, err)) {
        return false;
    }
    size_t head = strlen(header);
    len -= len > 0 && text[len - 1] == '\n';
    const char *first = memchr(text, '.', len);
    const char *second =
        first == NULL ? NULL : memchr(first + 1, '.', len - (size_t)(first + 1 - text));
    if (len >= CUSTODY_POINT_MAX || second == NULL) {
        return err_set(err, ERR_INPUT, "it is damaged: no checkpoint");
    }
    if ((size_t)(first - text) != head || memcmp(text, header, head) != 0) {
        return err_set(err, ERR_INPUT,
                       "it is no checkpoint that this site's keys/pack.key signed: forged, or "
                       "another site's");
    }
    size_t end = (size_t)(second - text);
    if (!signature_good(text, end, second + 1, len - end - 1, key)) {
        return err_set(err, ERR_INPUT, "it was changed after it was signed: damaged or forged");
    }
    if (!bytes_from_base64url(first + 1, (size_t)(second - first - 1), body, sizeof body,
                              &body_len) ||
        !get_body(body, body_len, point) || !same_body(point, body, body_len)) {
        return err_set(err, ERR_INPUT, "a newer Cradle wrote it: it cannot be read here");
    }
    return strcmp(point->site, site) == 0 || err_set(err, ERR_INPUT, "it is another site's");
}

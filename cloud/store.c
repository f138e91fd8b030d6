/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- statements ---- */

sqlite3_stmt *store_prepare(store_t *store, const char *sql, err_t *err)
{
    for (size_t i = 0; i < store->statement_count; i++) {
        if (store->statements[i].sql == sql) {
            return store->statements[i].stmt;
        }
    }
    sqlite3_stmt *stmt = NULL;
    if (store->statement_count == STORE_STATEMENTS_MAX ||
        sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) !=
            SQLITE_OK) {
        err_set(err, ERR_SYSTEM, "the store cannot prepare a statement: %s",
                sqlite3_errmsg(store->db));
        return NULL;
    }
    store->statements[store->statement_count].sql = sql;
    store->statements[store->statement_count++].stmt = stmt;
    return stmt;
}

void store_done(sqlite3_stmt *stmt)
{
    if (stmt != NULL) {
        sqlite3_reset(stmt);
        sqlite3_clear_bindings(stmt);
    }
}

store_result_t store_failed(store_t *store, err_t *err)
{
    int code = sqlite3_errcode(store->db);
    err_set(err, ERR_SYSTEM, "the store: %s%s", sqlite3_errmsg(store->db),
            code == SQLITE_FULL ? " (make room on the disk)" : "");
    store_rollback(store);
    return STORE_FAILED;
}

int store_step(store_t *store, sqlite3_stmt *stmt, err_t *err)
{
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        return 1;
    }
    if (code == SQLITE_DONE) {
        return 0;
    }
    store_failed(store, err);
    return -1;
}

store_result_t store_run(store_t *store, sqlite3_stmt *stmt, err_t *err)
{
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    int code = sqlite3_step(stmt);
    store_done(stmt);
    if (code == SQLITE_DONE || code == SQLITE_ROW) {
        return STORE_OK;
    }
    return store_failed(store, err);
}

void store_bind_id(sqlite3_stmt *stmt, int at, const store_id_t *id)
{
    sqlite3_bind_blob(stmt, at, id->bytes, sizeof id->bytes, SQLITE_STATIC);
}

void store_bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    if (text == NULL) {
        sqlite3_bind_null(stmt, at);
    } else {
        sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
    }
}

void store_column_id(sqlite3_stmt *stmt, int at, store_id_t *id)
{
    const void *blob = sqlite3_column_blob(stmt, at);
    if (blob != NULL && sqlite3_column_bytes(stmt, at) == (int)sizeof id->bytes) {
        memcpy(id->bytes, blob, sizeof id->bytes);
    } else {
        *id = STORE_ID_NULL;
    }
}

const char *store_column_text(sqlite3_stmt *stmt, int at)
{
    return (const char *)sqlite3_column_text(stmt, at);
}

void store_like(const char *search, char out[2 * STORE_TEXT + 3])
{
    size_t o = 0;
    out[o++] = '%';
    for (size_t i = 0; search != NULL && search[i] != '\0' && i < STORE_TEXT_MAX; i++) {
        if (strchr("%_\\", search[i]) != NULL) {
            out[o++] = '\\';
        }
        out[o++] = search[i];
    }
    if (o > 1) {
        out[o++] = '%';
    }
    out[o] = '\0';
}

store_result_t store_check_text(const char *what, const char *text, bool may_be_empty, err_t *err)
{
    size_t len = text != NULL ? strlen(text) : 0;
    if (len > STORE_TEXT_MAX) {
        err_set(err, ERR_INPUT, "%s length must be equal or less than %d", what, STORE_TEXT_MAX);
        return STORE_INVALID;
    }
    if (len == 0 && !may_be_empty) {
        err_set(err, ERR_INPUT, "%s should be specified!", what);
        return STORE_INVALID;
    }
    return STORE_OK;
}

/* ---- batches ---- */

static bool execute(store_t *store, const char *sql)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

bool store_begin(store_t *store, err_t *err)
{
    if (!store->in_batch) {
        if (!execute(store, "BEGIN IMMEDIATE")) {
            return err_set(err, ERR_SYSTEM, "the store cannot be written: %s",
                           sqlite3_errmsg(store->db));
        }
        store->in_batch = true;
        store->changes = 0;
    }
    store->changes++;
    return true;
}

static void tell(store_t *store, bool committed)
{
    store->in_batch = false;
    store->changes = 0;
    if (store->on_commit != NULL) {
        store->on_commit(store->on_commit_ctx, committed);
    }
}

void store_rollback(store_t *store)
{
    if (store->in_batch) {
        /* fails only when SQLite has rolled back by itself */
        execute(store, "ROLLBACK");
        store_keys_forget(store);
        tell(store, false);
    }
}

bool store_commit(store_t *store, err_t *err)
{
    if (!store->in_batch) {
        return true;
    }
    if (!execute(store, "COMMIT")) {
        store_failed(store, err);
        return false;
    }
    tell(store, true);
    return true;
}

size_t store_batch_size(const store_t *store)
{
    return store->in_batch ? store->changes : 0;
}

void store_on_commit(store_t *store, store_commit_fn_t fn, void *ctx)
{
    store->on_commit = fn;
    store->on_commit_ctx = ctx;
}

/* Points are put in their place at once: what is left to tidy is the write-ahead log. */
bool store_tidy(store_t *store, int64_t now_ms, err_t *err)
{
    (void)now_ms;
    if (store->in_batch) {
        return true;
    }
    int code = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED ||
           err_set(err, ERR_SYSTEM, "the store's log: %s", sqlite3_errmsg(store->db));
}

/* ---- opening ---- */

static bool configure(store_t *store, bool durable, err_t *err)
{
    const char *const pragmas[] = {
        "PRAGMA journal_mode = WAL",
        "PRAGMA foreign_keys = ON",
        "PRAGMA temp_store = MEMORY",
        "PRAGMA cache_size = -4096",
        "PRAGMA wal_autocheckpoint = 4000",
        durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
    };
    sqlite3_busy_timeout(store->db, 5000);
    for (size_t i = 0; i < sizeof pragmas / sizeof pragmas[0]; i++) {
        if (!execute(store, pragmas[i])) {
            return err_set(err, ERR_INPUT, "the store cannot be opened: %s",
                           sqlite3_errmsg(store->db));
        }
    }
    return true;
}

bool store_open(store_t **store, const store_settings_t *settings, err_t *err)
{
    store_t *s = calloc(1, sizeof *s);
    const char *path = settings->path[0] != '\0' ? settings->path : ":memory:";
    if (s == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for the store");
    }
    mode_t before = umask(077); /* the file holds password hashes and every value */
    int code = sqlite3_open_v2(
        path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    bool ok = code == SQLITE_OK || err_set(err, ERR_SYSTEM, "cannot open the store %s: %s", path,
                                           s->db != NULL ? sqlite3_errmsg(s->db) : "out of memory");
    ok = ok && configure(s, settings->durable, err) && store_schema(s, err);
    umask(before);
    if (!ok) {
        store_close(s);
        return err_add(err, "%s", path);
    }
    *store = s;
    return true;
}

void store_close(store_t *store)
{
    if (store == NULL) {
        return;
    }
    store->on_commit = NULL;
    if (store->db != NULL) {
        store_commit(store, NULL);
    }
    for (size_t i = 0; i < store->statement_count; i++) {
        sqlite3_finalize(store->statements[i].stmt);
    }
    store_keys_free(store);
    sqlite3_close(store->db);
    free(store);
}

void store_tenant(const store_t *store, store_id_t *tenant)
{
    *tenant = store->tenant;
}

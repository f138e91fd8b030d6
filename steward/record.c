/* SPDX-License-Identifier: Apache-2.0 */
#include "steward/record_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- statements ---- */

/* A transaction that SQLite may have undone by itself must not go on as if nothing had been. */
static bool record_failed(record_t *record, err_t *err)
{
    int code = sqlite3_errcode(record->db);
    record->broken = record->open;
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(err, ERR_INPUT,
                       "the steward's record is damaged: %s (put a back-up in its place)",
                       sqlite3_errmsg(record->db));
    case SQLITE_BUSY:
        return err_set(err, ERR_SYSTEM,
                       "the steward's record is held by another process for too long");
    case SQLITE_FULL:
        return err_set(err, ERR_SYSTEM, "the steward's record: the disk is full (make room)");
    default:
        return err_set(err, ERR_SYSTEM, "the steward's record: %s", sqlite3_errmsg(record->db));
    }
}

static bool usable(const record_t *record, err_t *err)
{
    return !record->broken ||
           err_set(err, ERR_SYSTEM, "the steward's record: this transaction has failed already");
}

sqlite3_stmt *record_prepare(record_t *record, const char *sql, err_t *err)
{
    if (!usable(record, err)) {
        return NULL;
    }
    for (size_t i = 0; i < record->statement_count; i++) {
        if (record->statements[i].sql == sql) {
            return record->statements[i].stmt;
        }
    }
    sqlite3_stmt *stmt = NULL;
    if (record->statement_count == RECORD_STATEMENTS_MAX ||
        sqlite3_prepare_v3(record->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) !=
            SQLITE_OK) {
        record_failed(record, err);
        return NULL;
    }
    record->statements[record->statement_count].sql = sql;
    record->statements[record->statement_count++].stmt = stmt;
    return stmt;
}

void record_done(sqlite3_stmt *stmt)
{
    if (stmt != NULL) {
        sqlite3_reset(stmt);
        sqlite3_clear_bindings(stmt);
    }
}

sqlite3_stmt *record_walk(record_t *record, const char *sql, err_t *err)
{
    sqlite3_stmt *stmt = NULL;
    if (usable(record, err) && sqlite3_prepare_v2(record->db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        record_failed(record, err);
    }
    return stmt;
}

int record_step(record_t *record, sqlite3_stmt *stmt, err_t *err)
{
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        return 1;
    }
    if (code == SQLITE_DONE) {
        return 0;
    }
    record_failed(record, err);
    return -1;
}

bool record_run(record_t *record, sqlite3_stmt *stmt, err_t *err)
{
    if (stmt == NULL) {
        return false;
    }
    int code = sqlite3_step(stmt);
    bool ok = code == SQLITE_DONE || code == SQLITE_ROW || record_failed(record, err);
    record_done(stmt);
    return ok;
}

int record_changes(const record_t *record)
{
    return sqlite3_changes(record->db);
}

void record_bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

void record_bind_blob(sqlite3_stmt *stmt, int at, const void *data, size_t len)
{
    sqlite3_bind_blob(stmt, at, data, (int)len, SQLITE_STATIC);
}

/* ---- transactions ---- */

static bool execute(record_t *record, const char *sql)
{
    return sqlite3_exec(record->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

bool record_begin(record_t *record, err_t *err)
{
    if (record->open) {
        return err_set(err, ERR_PRECONDITION, "the steward's record: a transaction is open");
    }
    if (!execute(record, "BEGIN IMMEDIATE")) {
        return record_failed(record, err);
    }
    record->open = true;
    record->broken = false;
    return true;
}

bool record_end(record_t *record, bool commit, err_t *err)
{
    if (!record->open) {
        return err_set(err, ERR_PRECONDITION, "the steward's record: no transaction is open");
    }
    bool ok = !commit ||
              (usable(record, err) && (execute(record, "COMMIT") || record_failed(record, err)));
    if (!commit || !ok) {
        /* fails only when SQLite has rolled back by itself */
        execute(record, "ROLLBACK");
    }
    record->open = false;
    record->broken = false;
    return ok;
}

bool record_scope_begin(record_t *record, record_scope_t *scope, err_t *err)
{
    scope->mine = !record->open;
    return !scope->mine || record_begin(record, err);
}

bool record_scope_end(record_t *record, record_scope_t scope, bool ok, err_t *err)
{
    return scope.mine ? record_end(record, ok, err) && ok : ok;
}

/* ---- opening ---- */

static bool configure(record_t *record, err_t *err)
{
    const char *const pragmas[] = {
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA temp_store = MEMORY",
        "PRAGMA secure_delete = ON",
    };
    sqlite3_busy_timeout(record->db, 5000);
    for (size_t i = 0; i < sizeof pragmas / sizeof pragmas[0]; i++) {
        if (!execute(record, pragmas[i])) {
            return record_failed(record, err);
        }
    }
    return true;
}

/* It holds password hashes and who owns what. */
static bool check_mode(const char *path, err_t *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && (st.st_mode & 077) != 0) {
        return err_set(err, ERR_PRECONDITION, "others may read or write it: chmod 600 %s", path);
    }
    return true;
}

bool record_open(record_t **record, const char *path, err_t *err)
{
    record_t *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for the steward's record");
    }
    mode_t before = umask(077);
    int code = sqlite3_open_v2(
        path, &r->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    bool ok = code == SQLITE_OK || err_set(err, ERR_SYSTEM, "cannot open the steward's record: %s",
                                           r->db != NULL ? sqlite3_errmsg(r->db) : "out of memory");
    ok = ok && check_mode(path, err) && configure(r, err) && record_schema(r, err);
    umask(before);
    if (!ok) {
        record_close(r);
        return err_add(err, "%s", path);
    }
    *record = r;
    return true;
}

void record_close(record_t *record)
{
    if (record == NULL) {
        return;
    }
    if (record->open) {
        record_end(record, false, NULL);
    }
    for (size_t i = 0; i < record->statement_count; i++) {
        sqlite3_finalize(record->statements[i].stmt);
    }
    sqlite3_close(record->db);
    free(record);
}

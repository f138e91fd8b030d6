/* SPDX-License-Identifier: Apache-2.0 */
/* store_internal: what the files of the store share. Only store*.c include it. */
#ifndef CRADLE_CLOUD_STORE_INTERNAL_H
#define CRADLE_CLOUD_STORE_INTERNAL_H

#include <sqlite3.h>

#include "cloud/store.h"

/* Statements are prepared at their first use and kept; the text is the key, by address: always
   pass a literal. */
#define STORE_STATEMENTS_MAX 160

struct store {
    sqlite3 *db;
    store_id_t tenant;
    bool in_batch;
    size_t changes; /* in the open batch */
    store_commit_fn_t on_commit;
    void *on_commit_ctx;
    struct {
        const char *sql;
        sqlite3_stmt *stmt;
    } statements[STORE_STATEMENTS_MAX];
    size_t statement_count;
    struct key_cache *keys; /* names of telemetry keys and attributes to numbers */
};

/* A statement ready to be bound; NULL: out of memory or a bad statement, `err` says. Must go back
   with store_done before the same text is asked for again. */
sqlite3_stmt *store_prepare(store_t *store, const char *sql, err_t *err);
void store_done(sqlite3_stmt *stmt);

/* Runs a bound statement that returns no row, and gives it back. */
store_result_t store_run(store_t *store, sqlite3_stmt *stmt, err_t *err);

/* Begins a batch if none is open, and counts a change. */
bool store_begin(store_t *store, err_t *err);

/* What SQLite says, as a result; the batch is undone when the disk or SQLite itself failed. */
store_result_t store_failed(store_t *store, err_t *err);

/* 1 a row, 0 the end, -1 failed (err is set, as store_failed). */
int store_step(store_t *store, sqlite3_stmt *stmt, err_t *err);

void store_bind_id(sqlite3_stmt *stmt, int at, const store_id_t *id);
/* NULL becomes SQL's NULL; texts are not copied: they must live until the statement has run. */
void store_bind_text(sqlite3_stmt *stmt, int at, const char *text);
void store_column_id(sqlite3_stmt *stmt, int at, store_id_t *id);
/* NULL for SQL's NULL; good until the next step. */
const char *store_column_text(sqlite3_stmt *stmt, int at);

/* " LIKE"-pattern of a search text with its own wildcards escaped by '\'; "%" for NULL. */
void store_like(const char *search, char out[2 * STORE_TEXT + 3]);

/* Is it 1 to STORE_TEXT_MAX bytes of text? */
store_result_t store_check_text(const char *what, const char *text, bool may_be_empty, err_t *err);

bool store_schema(store_t *store, err_t *err);

/* The number of a key's name; made when `make`. 0: there is none, or (err is set) it failed. */
int64_t store_key(store_t *store, const char *key, size_t len, bool make, err_t *err);
void store_keys_free(store_t *store);
/* After a batch was undone, cached numbers may be of keys that do not exist. */
void store_keys_forget(store_t *store);

/* Values in three columns: type, number (integer, real or 0/1), text. */
void store_bind_value(sqlite3_stmt *stmt, int at, const tb_value_t *value);
bool store_column_value(sqlite3_stmt *stmt, int at, tb_value_t *value);

#endif

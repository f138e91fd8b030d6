/* SPDX-License-Identifier: Apache-2.0 */
/* record_internal: what the files of the record share. Only record*.c include it. */
#ifndef CRADLE_STEWARD_RECORD_INTERNAL_H
#define CRADLE_STEWARD_RECORD_INTERNAL_H

#include <sqlite3.h>

#include "steward/record.h"

/* Statements are prepared at their first use and kept; the text is the key, by address: always
   pass a literal. */
#define RECORD_STATEMENTS_MAX 64

struct record {
    sqlite3 *db;
    bool open;   /* between record_begin and record_end                                         */
    bool broken; /* something in it failed: it can only be undone                               */
    struct {
        const char *sql;
        sqlite3_stmt *stmt;
    } statements[RECORD_STATEMENTS_MAX];
    size_t statement_count;
};

/* Makes or updates the tables. */
bool record_schema(record_t *record, err_t *err);

/* A statement ready to be bound, or NULL and `err`. It goes back with record_done. */
sqlite3_stmt *record_prepare(record_t *record, const char *sql, err_t *err);
void record_done(sqlite3_stmt *stmt);

/* The same for a walk over rows, whose callback may use the handle, and the same walk again:
   ended with sqlite3_finalize. */
sqlite3_stmt *record_walk(record_t *record, const char *sql, err_t *err);

/* 1 a row, 0 the end, -1 failed. */
int record_step(record_t *record, sqlite3_stmt *stmt, err_t *err);
/* Runs a statement that returns no row, and gives it back. */
bool record_run(record_t *record, sqlite3_stmt *stmt, err_t *err);
/* Rows that the last statement changed. */
int record_changes(const record_t *record);

/* A transaction, unless one is open already: then a part of it. */
typedef struct {
    bool mine;
} record_scope_t;
bool record_scope_begin(record_t *record, record_scope_t *scope, err_t *err);
/* Returns `ok`, or false when committing failed. */
bool record_scope_end(record_t *record, record_scope_t scope, bool ok, err_t *err);

/* Texts and blobs are not copied: they must live until the statement has run. */
void record_bind_text(sqlite3_stmt *stmt, int at, const char *text);
void record_bind_blob(sqlite3_stmt *stmt, int at, const void *data, size_t len);

/* Reads the columns of a row one after the other. What cannot have been written by these files is
   remembered; record_row_ok makes one error of it. */
typedef struct {
    sqlite3_stmt *stmt;
    int at;
    const char *fault; /* the first column that is damaged */
} record_row_t;
void record_row_text(record_row_t *row, const char *column, char *out, size_t cap);
void record_row_blob(record_row_t *row, const char *column, void *out, size_t len);
/* 1 to `cap` bytes. */
void record_row_bytes(record_row_t *row, const char *column, void *out, size_t cap, size_t *len);
int64_t record_row_i64(record_row_t *row, const char *column);
/* From 0 up to but not including `end`. */
int record_row_below(record_row_t *row, const char *column, int end);
bool record_row_bool(record_row_t *row, const char *column);
/* ERR_INPUT names table, row and column. */
bool record_row_ok(const record_row_t *row, const char *table, const char *name, err_t *err);

#endif

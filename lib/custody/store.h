/* SPDX-License-Identifier: Apache-2.0 */
/* store: the inside of custody_t, and SQLite's errors in words. Internal to lib/custody. */
#ifndef CRADLE_CUSTODY_STORE_H
#define CRADLE_CUSTODY_STORE_H

#include <sqlite3.h>

#include "base/file.h"
#include "custody/custody.h"

struct custody {
    sqlite3 *db;
    char path[FILE_PATH_MAX];
    char writer[CUSTODY_WRITER_SIZE]; /* "" when open for reading */
    sqlite3_stmt *insert;
    sqlite3_stmt *head;
    sqlite3_stmt *highest;
    sqlite3_stmt *born; /* these two are prepared when they are first needed */
    sqlite3_stmt *by_sn;
};

/* Reports the database's latest error. `what` is a verb phrase: "appending to". Returns false. */
bool custody_fail(custody_t *custody, const char *what, err_t *err);

/* Runs SQL without a result. */
bool custody_exec(custody_t *custody, const char *sql, const char *what, err_t *err);

bool custody_prepare(custody_t *custody, const char *sql, sqlite3_stmt **statement, err_t *err);

/* The tables, indexes and triggers are those that this library makes, and no others: a dropped
   index would take a rule away. On failure `text` says which one. */
bool custody_schema_sound(custody_t *custody, char *text, size_t cap);

/* Columns writer, seq, time_ms, sn, kind, number, detail, prev, hash of the current row. Texts are
   valid until the next step. False when a value has a type or size that no entry can have. */
#define CUSTODY_COLUMNS "writer, seq, time_ms, sn, kind, number, detail, prev, hash"
bool custody_row(sqlite3_stmt *statement, custody_entry_t *entry, uint8_t prev[32]);

#endif

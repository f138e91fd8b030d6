/* SPDX-License-Identifier: Apache-2.0 */
/* The columns of a row, with doubt: a file can be damaged, or written by somebody else. */
#include <string.h>

#include "steward/record_internal.h"

static void fault(record_row_t *row, const char *column)
{
    if (row->fault == NULL) {
        row->fault = column;
    }
}

void record_row_text(record_row_t *row, const char *column, char *out, size_t cap)
{
    int at = row->at++;
    const char *text = sqlite3_column_type(row->stmt, at) == SQLITE_TEXT
                           ? (const char *)sqlite3_column_text(row->stmt, at)
                           : NULL;
    size_t len = text != NULL ? (size_t)sqlite3_column_bytes(row->stmt, at) : 0;
    out[0] = '\0';
    if (text == NULL || len >= cap || strlen(text) != len) {
        fault(row, column);
        return;
    }
    memcpy(out, text, len + 1);
}

void record_row_bytes(record_row_t *row, const char *column, void *out, size_t cap, size_t *len)
{
    int at = row->at++;
    const void *blob = sqlite3_column_type(row->stmt, at) == SQLITE_BLOB
                           ? sqlite3_column_blob(row->stmt, at)
                           : NULL;
    *len = blob != NULL ? (size_t)sqlite3_column_bytes(row->stmt, at) : 0;
    if (*len == 0 || *len > cap) {
        *len = 0;
        fault(row, column);
        return;
    }
    memcpy(out, blob, *len);
}

void record_row_blob(record_row_t *row, const char *column, void *out, size_t len)
{
    size_t got;
    memset(out, 0, len);
    record_row_bytes(row, column, out, len, &got);
    if (got != len) {
        fault(row, column);
    }
}

int64_t record_row_i64(record_row_t *row, const char *column)
{
    int at = row->at++;
    if (sqlite3_column_type(row->stmt, at) != SQLITE_INTEGER) {
        fault(row, column);
        return 0;
    }
    return sqlite3_column_int64(row->stmt, at);
}

int record_row_below(record_row_t *row, const char *column, int end)
{
    int64_t value = record_row_i64(row, column);
    if (value < 0 || value >= end) {
        fault(row, column);
        return 0;
    }
    return (int)value;
}

bool record_row_bool(record_row_t *row, const char *column)
{
    return record_row_below(row, column, 2) == 1;
}

bool record_row_ok(const record_row_t *row, const char *table, const char *name, err_t *err)
{
    return row->fault == NULL ||
           err_set(err, ERR_INPUT,
                   "the steward's record is damaged: %s of %s %s (put a back-up in its place)",
                   row->fault, table, name);
}

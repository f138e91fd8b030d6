/* SPDX-License-Identifier: Apache-2.0 */
/* Reading only what is new: for who keeps in memory what the record says. */
#include <stdio.h>
#include <string.h>

#include "custody/store.h"

/* The first writer after `name`, by the primary key; false when there is none. */
static bool next_writer(sqlite3_stmt *s, char name[CUSTODY_WRITER_SIZE], bool *failed)
{
    sqlite3_bind_text(s, 1, name, -1, SQLITE_TRANSIENT);
    int code = sqlite3_step(s);
    const char *text = code == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
    *failed = code != SQLITE_ROW && code != SQLITE_DONE;
    /* A name that cannot be was put there by hand; verify finds it. Cut, it would be met again. */
    bool found = text != NULL && strlen(text) < CUSTODY_WRITER_SIZE && strcmp(text, name) > 0;
    if (found) {
        snprintf(name, CUSTODY_WRITER_SIZE, "%s", text);
    }
    sqlite3_reset(s);
    return found;
}

static uint64_t *place_of(custody_place_t *place, const char *writer)
{
    for (size_t i = 0; i < place->count; i++) {
        if (strcmp(place->writer[i], writer) == 0) {
            return &place->seq[i];
        }
    }
    if (place->count == CUSTODY_WRITERS_MAX) {
        return NULL;
    }
    snprintf(place->writer[place->count], CUSTODY_WRITER_SIZE, "%s", writer);
    place->seq[place->count] = 0;
    return &place->seq[place->count++];
}

static bool read_on(custody_t *custody, sqlite3_stmt *s, const char *writer, uint64_t *seq,
                    custody_each_t each, void *context, bool *stopped, err_t *err)
{
    int code;
    bool ok = true;
    sqlite3_bind_text(s, 1, writer, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)*seq);
    while (ok && !*stopped && (code = sqlite3_step(s)) != SQLITE_DONE) {
        custody_entry_t entry;
        uint8_t prev[32];
        if (code != SQLITE_ROW) {
            ok = custody_fail(custody, "reading", err);
        } else if (!custody_row(s, &entry, prev)) {
            ok = err_set(err, ERR_INPUT, "an entry in %s is damaged; run `cradle custody verify`",
                         custody->path);
        } else {
            *seq = entry.seq;
            *stopped = !each(context, &entry);
        }
    }
    sqlite3_reset(s);
    return ok;
}

bool custody_follow(custody_t *custody, custody_place_t *place, custody_each_t each, void *context,
                    err_t *err)
{
    sqlite3_stmt *writers = NULL;
    sqlite3_stmt *entries = NULL;
    char writer[CUSTODY_WRITER_SIZE] = "";
    bool failed = false;
    bool stopped = false;
    bool ok = custody_prepare(custody,
                              "SELECT writer FROM entry WHERE writer > ?1 ORDER BY writer LIMIT 1",
                              &writers, err) &&
              custody_prepare(custody,
                              "SELECT " CUSTODY_COLUMNS
                              " FROM entry WHERE writer = ?1 AND seq > ?2 ORDER BY seq",
                              &entries, err);
    while (ok && !stopped && next_writer(writers, writer, &failed)) {
        uint64_t *seq = place_of(place, writer);
        if (seq == NULL) {
            ok = err_set(err, ERR_INPUT, "%s has more than %d writers", custody->path,
                         CUSTODY_WRITERS_MAX);
            break;
        }
        ok = read_on(custody, entries, writer, seq, each, context, &stopped, err);
    }
    ok = ok && (!failed || custody_fail(custody, "reading", err));
    sqlite3_finalize(writers);
    sqlite3_finalize(entries);
    return ok;
}

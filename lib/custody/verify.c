/* SPDX-License-Identifier: Apache-2.0 */
/* verify: reads a whole record and names what is wrong with it. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "custody/store.h"

/* How far from its place an entry is looked for. */
#define MOVED_WINDOW 64

static const char *const fault_names[] = {
    [CUSTODY_CHANGED] = "changed",     [CUSTODY_LOST] = "lost", [CUSTODY_MOVED] = "moved",
    [CUSTODY_UNCHAINED] = "unchained", [CUSTODY_CUT] = "cut",   [CUSTODY_REWRITTEN] = "rewritten",
    [CUSTODY_DAMAGED] = "damaged",
};

const char *custody_fault_name(custody_fault_t fault)
{
    return fault_names[fault];
}

typedef struct {
    void (*found)(void *context, const custody_finding_t *finding);
    void *context;
    custody_verdict_t *verdict;
    char writer[CUSTODY_WRITER_SIZE]; /* of the chain that is being read */
    bool any;
    uint64_t seq;     /* of the entry before */
    uint8_t hash[32]; /* of the entry before, as stored */
} walk_t;

static void report(walk_t *walk, custody_fault_t fault, const char *writer, uint64_t seq,
                   const char *sn, const char *format, ...) __attribute__((format(printf, 6, 7)));

static void report(walk_t *walk, custody_fault_t fault, const char *writer, uint64_t seq,
                   const char *sn, const char *format, ...)
{
    custody_finding_t finding = {.fault = fault, .seq = seq};
    va_list args;
    snprintf(finding.writer, sizeof finding.writer, "%s", writer);
    snprintf(finding.sn, sizeof finding.sn, "%s", sn);
    va_start(args, format);
    vsnprintf(finding.text, sizeof finding.text, format, args);
    va_end(args);
    walk->verdict->faults++;
    if (walk->found != NULL) {
        walk->found(walk->context, &finding);
    }
}

/* The place where this entry's hash is right, near where it stands; 0 when there is none. */
static uint64_t true_place(custody_entry_t entry, const uint8_t prev[32])
{
    uint8_t hash[32];
    uint64_t here = entry.seq;
    for (uint64_t step = 1; step <= MOVED_WINDOW; step++) {
        entry.seq = here + step;
        if (custody_hash(&entry, prev, hash) && memcmp(hash, entry.hash, 32) == 0) {
            return entry.seq;
        }
        entry.seq = here - step;
        if (here > step && custody_hash(&entry, prev, hash) && memcmp(hash, entry.hash, 32) == 0) {
            return entry.seq;
        }
    }
    return 0;
}

static void begin_chain(walk_t *walk, const char *writer)
{
    if (!walk->any || strcmp(walk->writer, writer) != 0) {
        snprintf(walk->writer, sizeof walk->writer, "%s", writer);
        walk->any = true;
        walk->seq = 0;
        memset(walk->hash, 0, sizeof walk->hash);
        walk->verdict->writers++;
    }
}

static void check_entry(walk_t *walk, const custody_entry_t *entry, const uint8_t prev[32],
                        bool readable)
{
    uint8_t hash[32];
    uint64_t expected = walk->seq + 1;
    if (entry->seq != expected) {
        report(walk, CUSTODY_LOST, entry->writer, expected, "",
               "entries %" PRIu64 " to %" PRIu64 " of %.32s are missing", expected, entry->seq - 1,
               entry->writer);
    }
    bool whole = readable && custody_hash(entry, prev, hash) && memcmp(hash, entry->hash, 32) == 0;
    uint64_t place = whole ? 0 : true_place(*entry, prev);
    if (place != 0) {
        report(walk, CUSTODY_MOVED, entry->writer, entry->seq, entry->sn,
               "entry %" PRIu64 " of %.32s (%.24s %.64s) belongs at %" PRIu64, entry->seq,
               entry->writer, entry->kind, entry->sn, place);
    } else if (!whole) {
        report(walk, CUSTODY_CHANGED, entry->writer, entry->seq, entry->sn,
               "entry %" PRIu64
               " of %.32s (%.24s %.64s) was changed: its content does not give its "
               "hash",
               entry->seq, entry->writer, entry->kind, entry->sn);
    } else if (entry->seq == expected && memcmp(prev, walk->hash, 32) != 0) {
        report(walk, CUSTODY_UNCHAINED, entry->writer, entry->seq, entry->sn,
               "entry %" PRIu64 " of %.32s does not continue entry %" PRIu64
               ": one of the two was replaced",
               entry->seq, entry->writer, walk->seq);
    }
    walk->seq = entry->seq;
    memcpy(walk->hash, entry->hash, 32);
    walk->verdict->entries++;
}

static bool walk_entries(custody_t *custody, walk_t *walk, err_t *err)
{
    sqlite3_stmt *s;
    if (!custody_prepare(custody, "SELECT " CUSTODY_COLUMNS " FROM entry ORDER BY writer, seq", &s,
                         err)) {
        return false;
    }
    int code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        custody_entry_t entry;
        uint8_t prev[32];
        bool readable = custody_row(s, &entry, prev);
        begin_chain(walk, entry.writer);
        check_entry(walk, &entry, prev, readable);
    }
    bool ok = code == SQLITE_DONE;
    if ((code & 0xff) == SQLITE_CORRUPT) {
        report(walk, CUSTODY_DAMAGED, "", 0, "",
               "the file cannot be read behind entry %" PRIu64 " of %.32s", walk->seq,
               walk->writer);
        ok = true;
    } else if (!ok) {
        custody_fail(custody, "reading", err);
    }
    sqlite3_finalize(s);
    return ok;
}

/* The chain must still pass through what was noted elsewhere. */
static bool compare_checkpoint(custody_t *custody, walk_t *walk, const custody_checkpoint_t *known,
                               err_t *err)
{
    sqlite3_stmt *s;
    custody_checkpoint_t now;
    err_t why = ERR_INIT;
    if (!custody_checkpoint(custody, known->writer, &now, &why) && why.kind != ERR_PRECONDITION) {
        return err_set(err, why.kind, "%s", why.text);
    }
    if (now.seq < known->seq || now.number < known->number) {
        report(walk, CUSTODY_CUT, known->writer, now.seq, "",
               "%.32s ends at entry %" PRIu64 ", the checkpoint says %" PRIu64
               ": the end was cut off, or an old back-up was put in place",
               known->writer, now.seq, known->seq);
        return true;
    }
    if (!custody_prepare(custody, "SELECT hash FROM entry WHERE writer = ?1 AND seq = ?2", &s,
                         err)) {
        return false;
    }
    sqlite3_bind_text(s, 1, known->writer, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)known->seq);
    bool same = sqlite3_step(s) == SQLITE_ROW && sqlite3_column_bytes(s, 0) == 32 &&
                memcmp(sqlite3_column_blob(s, 0), known->hash, 32) == 0;
    sqlite3_finalize(s);
    if (!same) {
        report(walk, CUSTODY_REWRITTEN, known->writer, known->seq, "",
               "entry %" PRIu64
               " of %.32s is not the one of the checkpoint: the chain was rewritten",
               known->seq, known->writer);
    }
    return true;
}

static bool check_file(custody_t *custody, walk_t *walk, err_t *err)
{
    sqlite3_stmt *s;
    char why[200];
    if (!custody_schema_sound(custody, why, sizeof why)) {
        report(walk, CUSTODY_DAMAGED, "", 0, "", "%s", why);
    }
    if (!custody_prepare(custody, "PRAGMA integrity_check(1)", &s, err)) {
        return false;
    }
    const char *text = NULL;
    if (sqlite3_step(s) == SQLITE_ROW) {
        text = (const char *)sqlite3_column_text(s, 0);
    }
    if (text == NULL || strcmp(text, "ok") != 0) {
        report(walk, CUSTODY_DAMAGED, "", 0, "", "SQLite says: %.150s",
               text == NULL ? "the file cannot be read" : text);
    }
    sqlite3_finalize(s);
    return true;
}

bool custody_verify(custody_t *custody, const custody_checkpoint_t *known, size_t known_count,
                    void (*found)(void *context, const custody_finding_t *finding), void *context,
                    custody_verdict_t *verdict, err_t *err)
{
    walk_t walk = {.found = found, .context = context, .verdict = verdict};
    memset(verdict, 0, sizeof *verdict);
    /* One snapshot for all of it: others may append meanwhile. */
    bool ok = custody_exec(custody, "BEGIN", "reading", err);
    if (!ok) {
        return false;
    }
    ok = check_file(custody, &walk, err) && walk_entries(custody, &walk, err);
    for (size_t i = 0; ok && i < known_count; i++) {
        ok = compare_checkpoint(custody, &walk, &known[i], err);
    }
    sqlite3_exec(custody->db, "COMMIT", NULL, NULL, NULL);
    return ok;
}

bool custody_compare(custody_t *custody, const custody_checkpoint_t *known, size_t known_count,
                     void (*found)(void *context, const custody_finding_t *finding), void *context,
                     custody_verdict_t *verdict, err_t *err)
{
    walk_t walk = {.found = found, .context = context, .verdict = verdict};
    memset(verdict, 0, sizeof *verdict);
    bool ok = custody_exec(custody, "BEGIN", "reading", err);
    for (size_t i = 0; ok && i < known_count; i++) {
        ok = compare_checkpoint(custody, &walk, &known[i], err);
    }
    sqlite3_exec(custody->db, "COMMIT", NULL, NULL, NULL);
    return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "custody/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define APPLICATION_ID 0x43555354 /* "CUST" */
#define SCHEMA_VERSION 1

/* The text that SQLite keeps in sqlite_schema is exactly this one, so it can be compared. */
static const struct {
    const char *name;
    const char *sql;
} schema[] = {
    {"entry",
     "CREATE TABLE entry (writer TEXT NOT NULL, seq INTEGER NOT NULL, time_ms INTEGER NOT "
     "NULL, sn TEXT NOT NULL, kind TEXT NOT NULL, number INTEGER NOT NULL, detail TEXT NOT "
     "NULL, prev BLOB NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (writer, seq)) STRICT, "
     "WITHOUT ROWID"},
    {"entry_sn", "CREATE INDEX entry_sn ON entry (sn) WHERE sn <> ''"},
    {"entry_born",
     "CREATE UNIQUE INDEX entry_born ON entry (sn) WHERE kind IN ('identity', 'void')"},
    {"entry_reserve", "CREATE UNIQUE INDEX entry_reserve ON entry (number) WHERE kind = 'reserve'"},
    {"entry_close", "CREATE UNIQUE INDEX entry_close ON entry (number) WHERE kind = 'close'"},
};
#define SCHEMA_OBJECTS (sizeof schema / sizeof schema[0])

bool custody_fail(custody_t *custody, const char *what, err_t *err)
{
    int code = custody->db == NULL ? SQLITE_NOMEM : sqlite3_errcode(custody->db);
    const char *text = custody->db == NULL ? "out of memory" : sqlite3_errmsg(custody->db);
    /* "disk I/O error" tells nobody what to do; what the system said to SQLite does. */
    int system = custody->db == NULL ? 0 : sqlite3_system_errno(custody->db);
    if ((code & 0xff) == SQLITE_IOERR) {
        code = system == ENOSPC || system == EDQUOT || code == SQLITE_IOERR_SHMSIZE ? SQLITE_FULL
               : system == EROFS || system == EACCES ? SQLITE_READONLY
                                                     : code;
    }
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, ERR_PRECONDITION,
                       "%s %s: another process held the record for over %d s; try again", what,
                       custody->path, CUSTODY_BUSY_MS / 1000);
    case SQLITE_FULL:
        return err_set(err, ERR_SYSTEM, "%s %s: the disk is full; make room and try again", what,
                       custody->path);
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return err_set(err, ERR_SYSTEM, "%s %s: %s; check the rights of the directory", what,
                       custody->path, text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(err, ERR_INPUT, "%s %s: the file is damaged (%s); restore a back-up", what,
                       custody->path, text);
    default:
        return err_set(err, ERR_SYSTEM, "%s %s: %s", what, custody->path, text);
    }
}

bool custody_exec(custody_t *custody, const char *sql, const char *what, err_t *err)
{
    if (sqlite3_exec(custody->db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return custody_fail(custody, what, err);
    }
    return true;
}

bool custody_prepare(custody_t *custody, const char *sql, sqlite3_stmt **statement, err_t *err)
{
    if (sqlite3_prepare_v3(custody->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) !=
        SQLITE_OK) {
        *statement = NULL;
        return custody_fail(custody, "reading", err);
    }
    return true;
}

static bool pragma_number(custody_t *custody, const char *sql, int64_t *value, err_t *err)
{
    sqlite3_stmt *statement;
    *value = 0;
    if (!custody_prepare(custody, sql, &statement, err)) {
        return false;
    }
    bool ok = sqlite3_step(statement) == SQLITE_ROW;
    if (ok) {
        *value = sqlite3_column_int64(statement, 0);
    } else {
        custody_fail(custody, "reading", err);
    }
    sqlite3_finalize(statement);
    return ok;
}

static bool object_expected(const char *name, const char *sql)
{
    for (size_t i = 0; i < SCHEMA_OBJECTS; i++) {
        if (strcmp(schema[i].name, name) == 0) {
            return sql != NULL && strcmp(schema[i].sql, sql) == 0;
        }
    }
    return false;
}

bool custody_schema_sound(custody_t *custody, char *text, size_t cap)
{
    sqlite3_stmt *statement;
    size_t found = 0;
    bool ok = true;
    if (!custody_prepare(custody, "SELECT name, sql FROM sqlite_schema", &statement, NULL)) {
        snprintf(text, cap, "the list of tables cannot be read");
        return false;
    }
    while (ok && sqlite3_step(statement) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);
        const char *sql = (const char *)sqlite3_column_text(statement, 1);
        name = name == NULL ? "" : name;
        if (!object_expected(name, sql)) {
            snprintf(text, cap, "\"%.60s\" is not what Cradle made", name);
            ok = false;
        }
        found++;
    }
    sqlite3_finalize(statement);
    if (ok && found != SCHEMA_OBJECTS) {
        snprintf(text, cap, "a table or an index was removed");
        ok = false;
    }
    return ok;
}

/* A new file becomes ours; in a file that is ours the schema is checked; another is refused. The
   caller holds a write transaction, so two processes cannot both find a new file. */
static bool settle_schema(custody_t *custody, err_t *err)
{
    int64_t application;
    int64_t version;
    int64_t objects;
    char why[200];
    if (!pragma_number(custody, "PRAGMA application_id", &application, err) ||
        !pragma_number(custody, "PRAGMA user_version", &version, err) ||
        !pragma_number(custody, "SELECT count(*) FROM sqlite_schema", &objects, err)) {
        return false;
    }
    if (application == 0 && version == 0 && objects == 0 && custody->writer[0] != '\0') {
        char sql[128];
        for (size_t i = 0; i < SCHEMA_OBJECTS; i++) {
            if (!custody_exec(custody, schema[i].sql, "making", err)) {
                return false;
            }
        }
        snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                 APPLICATION_ID, SCHEMA_VERSION);
        return custody_exec(custody, sql, "making", err);
    }
    if (application != APPLICATION_ID) {
        return err_set(err, ERR_INPUT, "%s is no custody record", custody->path);
    }
    if (version != SCHEMA_VERSION) {
        return err_set(err, ERR_INPUT, "%s was written by another version of Cradle (%lld)",
                       custody->path, (long long)version);
    }
    /* Who only reads may look at a file whose schema was tampered with: verify reports it. */
    if (custody->writer[0] != '\0' && !custody_schema_sound(custody, why, sizeof why)) {
        return err_set(
            err, ERR_INPUT,
            "%s was changed by hand: %s; run `cradle custody verify` and restore a back-up",
            custody->path, why);
    }
    return true;
}

/* Changing the journal mode does not wait for others by itself. */
static bool use_wal(custody_t *custody, err_t *err)
{
    const struct timespec pause = {0, 5000000L};
    uint64_t end = clock_monotonic_ms() + CUSTODY_BUSY_MS;
    int code;
    do {
        code = sqlite3_exec(custody->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if (code != SQLITE_BUSY) {
            break;
        }
        nanosleep(&pause, NULL);
    } while (clock_monotonic_ms() < end);
    return code == SQLITE_OK || custody_fail(custody, "opening", err);
}

static bool configure(custody_t *custody, err_t *err)
{
    sqlite3_busy_timeout(custody->db, CUSTODY_BUSY_MS);
    sqlite3_extended_result_codes(custody->db, 1);
    /* The file may have been edited: nothing that is in it is run. */
    sqlite3_db_config(custody->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(custody->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(custody->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(custody->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (custody->writer[0] == '\0') {
        return custody_exec(custody, "BEGIN", "opening", err) && settle_schema(custody, err) &&
               custody_exec(custody, "COMMIT", "opening", err);
    }
    return use_wal(custody, err) &&
           custody_exec(custody, "PRAGMA synchronous = FULL", "opening", err) &&
           custody_exec(custody, "BEGIN IMMEDIATE", "opening", err) &&
           settle_schema(custody, err) && custody_exec(custody, "COMMIT", "opening", err);
}

static bool prepare_all(custody_t *custody, err_t *err)
{
    return custody_prepare(custody,
                           "INSERT INTO entry (" CUSTODY_COLUMNS
                           ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                           &custody->insert, err) &&
           custody_prepare(
               custody, "SELECT seq, hash FROM entry WHERE writer = ?1 ORDER BY seq DESC LIMIT 1",
               &custody->head, err) &&
           custody_prepare(custody, "SELECT max(number) FROM entry WHERE kind = 'reserve'",
                           &custody->highest, err);
}

static bool writer_valid(const char *writer)
{
    size_t len = strlen(writer);
    return len > 0 && len < CUSTODY_WRITER_SIZE &&
           strspn(writer, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

/* SQLite would make it readable for all; WAL and index files take their mode from it. An existing
   file is not opened here: closing it would drop this process's own locks on it (fcntl(2)). */
static bool make_file(const char *path, err_t *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST) {
        return err_errno(err, "cannot make the custody record %s", path);
    }
    if (fd >= 0) {
        close(fd);
    }
    return true;
}

/* Nobody can write beside the file, so nobody can be at work: a back-up on a disk that is mounted
   for reading. SQLite would want to make its files there; told that nothing changes, it does not.
 */
static bool frozen(const custody_t *custody)
{
    char name[FILE_PATH_MAX + 8];
    struct stat st;
    snprintf(name, sizeof name, "%s", custody->path);
    char *slash = strrchr(name, '/');
    if (slash == NULL || slash == name) {
        return false;
    }
    *slash = '\0';
    bool writable = access(name, W_OK) == 0;
    snprintf(name, sizeof name, "%s-wal", custody->path);
    return !writable && (stat(name, &st) != 0 || st.st_size == 0);
}

static int connect_frozen(custody_t *custody)
{
    static const char PLAIN[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-_.";
    char uri[3 * FILE_PATH_MAX + 32] = "file:";
    size_t at = 5;
    for (const char *p = custody->path; *p != '\0'; p++) {
        at += (size_t)snprintf(uri + at, sizeof uri - at,
                               strchr(PLAIN, *p) != NULL ? "%c" : "%%%02X", (unsigned char)*p);
    }
    snprintf(uri + at, sizeof uri - at, "?immutable=1");
    return sqlite3_open_v2(uri, &custody->db,
                           SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
}

static bool connect(custody_t *custody, err_t *err)
{
    if (custody->writer[0] == '\0' && frozen(custody)) {
        return connect_frozen(custody) == SQLITE_OK || custody_fail(custody, "opening", err);
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    int code = sqlite3_open_v2(custody->path, &custody->db, flags, NULL);
    if (code != SQLITE_OK && custody->writer[0] == '\0') {
        sqlite3_close(custody->db);
        flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
        code = sqlite3_open_v2(custody->path, &custody->db, flags, NULL);
    }
    return code == SQLITE_OK || custody_fail(custody, "opening", err);
}

bool custody_open(const char *path, const char *writer, custody_t **out, err_t *err)
{
    *out = NULL;
    if (writer != NULL && !writer_valid(writer)) {
        return err_set(err, ERR_USAGE, "a writer's name has 1 to 32 of a-z 0-9 -");
    }
    if (writer == NULL && !file_exists(path)) {
        return err_set(err, ERR_PRECONDITION, "there is no custody record yet (%s)", path);
    }
    custody_t *custody = calloc(1, sizeof *custody);
    if (custody == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for the custody record");
    }
    /* SQLITE_OPEN_NOFOLLOW refuses links in any part of the path; only the last one is ours. */
    char *real = NULL;
    bool ok = (writer == NULL || make_file(path, err));
    if (ok) {
        snprintf(custody->writer, sizeof custody->writer, "%s", writer == NULL ? "" : writer);
        real = realpath(path, NULL);
        ok = real != NULL && strlen(real) < sizeof custody->path;
        ok = ok || err_errno(err, "cannot open the custody record %s", path);
    }
    if (ok) {
        strcpy(custody->path, real);
    }
    free(real);
    if (!ok || !connect(custody, err) || !configure(custody, err) || !prepare_all(custody, err)) {
        custody_close(custody);
        return false;
    }
    *out = custody;
    return true;
}

void custody_close(custody_t *custody)
{
    if (custody == NULL) {
        return;
    }
    sqlite3_finalize(custody->insert);
    sqlite3_finalize(custody->head);
    sqlite3_finalize(custody->highest);
    sqlite3_finalize(custody->born);
    sqlite3_finalize(custody->by_sn);
    sqlite3_close(custody->db);
    free(custody);
}

static bool get_text(sqlite3_stmt *statement, int column, const char **text)
{
    *text = (const char *)sqlite3_column_text(statement, column);
    bool ok = *text != NULL && sqlite3_column_type(statement, column) == SQLITE_TEXT &&
              strlen(*text) == (size_t)sqlite3_column_bytes(statement, column);
    if (*text == NULL) {
        *text = "";
    }
    return ok;
}

static bool get_hash(sqlite3_stmt *statement, int column, uint8_t out[32])
{
    const void *blob = sqlite3_column_blob(statement, column);
    memset(out, 0, 32);
    if (blob == NULL || sqlite3_column_bytes(statement, column) != 32) {
        return false;
    }
    memcpy(out, blob, 32);
    return true;
}

bool custody_row(sqlite3_stmt *statement, custody_entry_t *entry, uint8_t prev[32])
{
    bool ok = get_text(statement, 0, &entry->writer);
    ok = get_text(statement, 3, &entry->sn) && ok;
    ok = get_text(statement, 4, &entry->kind) && ok;
    ok = get_text(statement, 6, &entry->detail) && ok;
    ok = get_hash(statement, 7, prev) && ok;
    ok = get_hash(statement, 8, entry->hash) && ok;
    entry->seq = (uint64_t)sqlite3_column_int64(statement, 1);
    entry->time_ms = sqlite3_column_int64(statement, 2);
    entry->number = (uint64_t)sqlite3_column_int64(statement, 5);
    return ok;
}

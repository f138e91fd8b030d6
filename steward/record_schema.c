/* SPDX-License-Identifier: Apache-2.0 */
#include "steward/record_internal.h"

#include <inttypes.h>
#include <stdio.h>

/*
 * One step a version; an older file is brought up to date when it is opened. Numbers of states are
 * those of the enums in lib/ownership and lib/statement: they may grow, never change their meaning.
 * Empty texts mean "none"; no column is NULL. `row` counts in the order of writing.
 */
static const char VERSION_1[] =
    "CREATE TABLE unit(sn TEXT PRIMARY KEY, device TEXT NOT NULL, owner TEXT NOT NULL,"
    " was_owned INTEGER NOT NULL, claims_on INTEGER NOT NULL, stolen INTEGER NOT NULL,"
    " lock INTEGER NOT NULL, unclaimed INTEGER NOT NULL, dispose INTEGER NOT NULL,"
    " consent INTEGER NOT NULL, notified INTEGER NOT NULL, packed INTEGER NOT NULL,"
    " packed_leaf BLOB NOT NULL, has_code INTEGER NOT NULL, code_hash BLOB NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE UNIQUE INDEX unit_device ON unit(device) WHERE device <> '';"
    "CREATE INDEX unit_owner ON unit(owner, sn) WHERE owner <> '';"
    "CREATE TABLE epoch(row INTEGER PRIMARY KEY AUTOINCREMENT, sn TEXT NOT NULL,"
    " epoch BLOB NOT NULL, current INTEGER NOT NULL, seen INTEGER NOT NULL,"
    " decided INTEGER NOT NULL, claimant TEXT NOT NULL, streams INTEGER NOT NULL,"
    " UNIQUE(sn, epoch));"
    "CREATE UNIQUE INDEX epoch_current ON epoch(sn) WHERE current = 1;"
    "CREATE TABLE key(row INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE,"
    " sn TEXT NOT NULL, key BLOB NOT NULL, cert BLOB NOT NULL, not_after INTEGER NOT NULL,"
    " standing INTEGER NOT NULL, birth INTEGER NOT NULL, by_claim INTEGER NOT NULL,"
    " epoch BLOB NOT NULL, claimant TEXT NOT NULL);"
    "CREATE INDEX key_sn ON key(sn, row);"
    "CREATE INDEX key_key ON key(key);"
    "CREATE TABLE question(name TEXT PRIMARY KEY, sn TEXT NOT NULL, result INTEGER NOT NULL,"
    " reason INTEGER NOT NULL, has_leaf INTEGER NOT NULL, leaf BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE ticket(id BLOB PRIMARY KEY, name TEXT NOT NULL, expires INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE INDEX ticket_expires ON ticket(expires);"
    "CREATE TABLE code(row INTEGER PRIMARY KEY AUTOINCREMENT, sn TEXT NOT NULL,"
    " account TEXT NOT NULL, entered INTEGER NOT NULL);"
    "CREATE INDEX code_sn ON code(sn, row);"
    "CREATE TABLE account(id TEXT PRIMARY KEY, customer TEXT NOT NULL, salt BLOB NOT NULL,"
    " password BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE token(hash BLOB PRIMARY KEY, account TEXT NOT NULL, expires INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE INDEX token_expires ON token(expires);"
    "CREATE TABLE transfer(row INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,"
    " sn TEXT NOT NULL, former TEXT NOT NULL, next TEXT NOT NULL, leaf BLOB NOT NULL,"
    " begun INTEGER NOT NULL, ended INTEGER NOT NULL, state TEXT NOT NULL);"
    "CREATE UNIQUE INDEX transfer_open ON transfer(sn) WHERE ended = 0;"
    "CREATE TABLE receipt(id BLOB PRIMARY KEY, sn TEXT NOT NULL, former TEXT NOT NULL,"
    " jws TEXT NOT NULL, link TEXT NOT NULL UNIQUE, issued INTEGER NOT NULL,"
    " expires INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX receipt_former ON receipt(former, issued);"
    "PRAGMA application_id = 1129464659;" /* "CRDS" */
    "PRAGMA user_version = 1;";

static const char *const STEPS[] = {VERSION_1};

#define NEWEST      ((int64_t)(sizeof STEPS / sizeof STEPS[0]))
#define APPLICATION 1129464659

static bool read_pragma(record_t *record, const char *sql, int64_t *value, err_t *err)
{
    sqlite3_stmt *stmt;
    bool ok = sqlite3_prepare_v2(record->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
              sqlite3_step(stmt) == SQLITE_ROW;
    *value = ok ? sqlite3_column_int64(stmt, 0) : -1;
    sqlite3_finalize(stmt);
    return ok || err_set(err, ERR_INPUT, "it is no database: %s", sqlite3_errmsg(record->db));
}

/* Empty, or ours and not newer than we are. */
static bool check_file(record_t *record, int64_t *version, err_t *err)
{
    int64_t application;
    int64_t tables;
    if (!read_pragma(record, "PRAGMA user_version", version, err) ||
        !read_pragma(record, "PRAGMA application_id", &application, err) ||
        !read_pragma(record, "SELECT count(*) FROM sqlite_master", &tables, err)) {
        return false;
    }
    if (application != APPLICATION && (*version != 0 || application != 0 || tables != 0)) {
        return err_set(err, ERR_INPUT, "this database is not a steward's record");
    }
    if (*version < 0 || *version > NEWEST) {
        return err_set(err, ERR_INPUT,
                       "it was written by a newer cradle-steward (schema %" PRId64
                       "): use that one",
                       *version);
    }
    return true;
}

bool record_schema(record_t *record, err_t *err)
{
    int64_t version;
    if (!check_file(record, &version, err)) {
        return false;
    }
    if (version == NEWEST) {
        return true;
    }
    /* Looked at again under the lock: another process may be doing the same. */
    if (!record_begin(record, err)) {
        return false;
    }
    bool ok = check_file(record, &version, err);
    for (; ok && version < NEWEST; version++) {
        char *why = NULL;
        if (sqlite3_exec(record->db, STEPS[version], NULL, NULL, &why) != SQLITE_OK) {
            ok = err_set(err, ERR_SYSTEM, "its tables cannot be made: %s", why != NULL ? why : "?");
        }
        sqlite3_free(why);
    }
    return record_end(record, ok, err) && ok;
}

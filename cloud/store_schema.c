/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/store_internal.h"

#include <inttypes.h>

#include "base/clock.h"

/*
 * One step a version; an older file is brought up to date when it is opened. Ids of entities are
 * 16-byte blobs; `row` is a device's short id, used by the tables that are written often. Values
 * are in three columns: type (tb_type_t), number, text.
 */
static const char VERSION_1[] =
    "CREATE TABLE tenant(id BLOB PRIMARY KEY, created INTEGER NOT NULL);"
    "CREATE TABLE user(id BLOB PRIMARY KEY, customer BLOB, created INTEGER NOT NULL,"
    " role INTEGER NOT NULL, email TEXT NOT NULL COLLATE NOCASE UNIQUE, first_name TEXT,"
    " last_name TEXT, info TEXT, password_hash TEXT, enabled INTEGER NOT NULL,"
    " tokens_from INTEGER NOT NULL, version INTEGER NOT NULL);"
    "CREATE TABLE profile(id BLOB PRIMARY KEY, created INTEGER NOT NULL,"
    " name TEXT NOT NULL UNIQUE, description TEXT, is_default INTEGER NOT NULL,"
    " provision INTEGER NOT NULL, provision_key TEXT UNIQUE, provision_secret TEXT, regex TEXT,"
    " allow_create INTEGER NOT NULL, extra TEXT, version INTEGER NOT NULL);"
    "CREATE TABLE device(row INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE,"
    " customer BLOB, profile BLOB NOT NULL REFERENCES profile(id), created INTEGER NOT NULL,"
    " name TEXT NOT NULL UNIQUE, label TEXT, info TEXT, extra TEXT, version INTEGER NOT NULL);"
    "CREATE INDEX device_profile ON device(profile);"
    "CREATE INDEX device_customer ON device(customer);"
    "CREATE TABLE credentials(id BLOB PRIMARY KEY,"
    " device INTEGER NOT NULL UNIQUE REFERENCES device(row) ON DELETE CASCADE,"
    " created INTEGER NOT NULL, type INTEGER NOT NULL, credentials_id TEXT NOT NULL UNIQUE,"
    " value TEXT, version INTEGER NOT NULL);"
    "CREATE TABLE key(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE attribute(device INTEGER NOT NULL, scope INTEGER NOT NULL, key INTEGER NOT NULL,"
    " updated INTEGER NOT NULL, type INTEGER NOT NULL, number, text TEXT,"
    " PRIMARY KEY(device, scope, key)) WITHOUT ROWID;"
    "CREATE TABLE latest(device INTEGER NOT NULL, key INTEGER NOT NULL, ts INTEGER NOT NULL,"
    " type INTEGER NOT NULL, number, text TEXT, PRIMARY KEY(device, key)) WITHOUT ROWID;"
    "CREATE TABLE point(device INTEGER NOT NULL, key INTEGER NOT NULL, ts INTEGER NOT NULL,"
    " type INTEGER NOT NULL, number, text TEXT, PRIMARY KEY(device, key, ts)) WITHOUT ROWID;"
    "PRAGMA user_version = 1;";

/* Version 2: customers, activation of users, alarms, persistent RPCs. */
static const char VERSION_2[] =
    "CREATE TABLE customer(id BLOB PRIMARY KEY, created INTEGER NOT NULL,"
    " title TEXT NOT NULL UNIQUE, extra TEXT, info TEXT, version INTEGER NOT NULL);"
    "ALTER TABLE user ADD COLUMN activate_token TEXT;"
    "ALTER TABLE user ADD COLUMN activate_until INTEGER;"
    "CREATE TABLE alarm(id BLOB PRIMARY KEY, created INTEGER NOT NULL, customer BLOB,"
    " device INTEGER NOT NULL REFERENCES device(row) ON DELETE CASCADE, type TEXT NOT NULL,"
    " severity TEXT NOT NULL, acknowledged INTEGER NOT NULL, cleared INTEGER NOT NULL,"
    " start INTEGER NOT NULL, finish INTEGER NOT NULL, acked INTEGER NOT NULL,"
    " cleared_at INTEGER NOT NULL, details TEXT, extra TEXT);"
    "CREATE INDEX alarm_device ON alarm(device, created);"
    "CREATE TABLE rpc(id BLOB PRIMARY KEY, created INTEGER NOT NULL, device BLOB NOT NULL,"
    " expires INTEGER NOT NULL, request TEXT NOT NULL, response TEXT, status TEXT NOT NULL,"
    " info TEXT);"
    "CREATE INDEX rpc_device ON rpc(device, created);"
    "PRAGMA user_version = 2;";

static const char *const STEPS[] = {VERSION_1, VERSION_2};

#define NEWEST ((int64_t)(sizeof STEPS / sizeof STEPS[0]))

static bool read_version(store_t *store, int64_t *version)
{
    sqlite3_stmt *stmt;
    bool ok = sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &stmt, NULL) == SQLITE_OK &&
              sqlite3_step(stmt) == SQLITE_ROW;
    *version = ok ? sqlite3_column_int64(stmt, 0) : -1;
    sqlite3_finalize(stmt);
    return ok;
}

static store_result_t read_tenant(store_t *store, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, "SELECT id FROM tenant", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    int row = store_step(store, stmt, err);
    if (row == 1) {
        store_column_id(stmt, 0, &store->tenant);
    }
    store_done(stmt);
    return row == 1 ? STORE_OK : row == 0 ? STORE_NOT_FOUND : STORE_FAILED;
}

static bool make_tenant(store_t *store, err_t *err)
{
    store_id_new(&store->tenant);
    sqlite3_stmt *stmt = store_prepare(store, "INSERT INTO tenant VALUES(?, ?)", err);
    if (stmt == NULL || !store_begin(store, err)) {
        return false;
    }
    store_bind_id(stmt, 1, &store->tenant);
    sqlite3_bind_int64(stmt, 2, clock_wall_ms());
    return store_run(store, stmt, err) == STORE_OK && store_commit(store, err);
}

bool store_schema(store_t *store, err_t *err)
{
    int64_t version;
    if (!read_version(store, &version) || version < 0) {
        return err_set(err, ERR_INPUT, "it is no database: %s", sqlite3_errmsg(store->db));
    }
    if (version > NEWEST) {
        return err_set(err, ERR_PRECONDITION,
                       "it was written by a newer cradle-cloud (schema %" PRId64
                       "): use that, or another file",
                       version);
    }
    for (; version < NEWEST; version++) {
        char *why = NULL;
        if (sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, &why) != SQLITE_OK ||
            sqlite3_exec(store->db, STEPS[version], NULL, NULL, &why) != SQLITE_OK ||
            sqlite3_exec(store->db, "COMMIT", NULL, NULL, &why) != SQLITE_OK) {
            err_set(err, ERR_SYSTEM, "its tables cannot be made: %s", why != NULL ? why : "?");
            sqlite3_free(why);
            return false;
        }
    }
    store_result_t result = read_tenant(store, err);
    return result == STORE_NOT_FOUND ? make_tenant(store, err) : result == STORE_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/store_internal.h"

#include <stdlib.h>
#include <string.h>

/* A direct-mapped cache: a handful of names makes up nearly all the traffic. */
#define CACHE_SLOTS 1024
#define CACHED_NAME 48

struct key_cache {
    struct {
        int64_t id; /* 0: empty */
        uint8_t len;
        char name[CACHED_NAME];
    } slots[CACHE_SLOTS];
};

static size_t slot_of(const char *key, size_t len)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (uint8_t)key[i]) * 16777619u;
    }
    return hash % CACHE_SLOTS;
}

static void remember(store_t *store, const char *key, size_t len, int64_t id)
{
    if (len <= CACHED_NAME && store->keys != NULL) {
        size_t slot = slot_of(key, len);
        store->keys->slots[slot].id = id;
        store->keys->slots[slot].len = (uint8_t)len;
        memcpy(store->keys->slots[slot].name, key, len);
    }
}

static int64_t recall(store_t *store, const char *key, size_t len)
{
    if (store->keys == NULL) {
        store->keys = calloc(1, sizeof *store->keys);
    }
    if (store->keys == NULL || len > CACHED_NAME) {
        return 0;
    }
    size_t slot = slot_of(key, len);
    bool same =
        store->keys->slots[slot].len == len && memcmp(store->keys->slots[slot].name, key, len) == 0;
    return same ? store->keys->slots[slot].id : 0;
}

int64_t store_key(store_t *store, const char *key, size_t len, bool make, err_t *err)
{
    int64_t id = recall(store, key, len);
    if (id != 0 || len > INT32_MAX) {
        return id;
    }
    sqlite3_stmt *stmt = store_prepare(store, "SELECT id FROM key WHERE name = ?", err);
    if (stmt == NULL) {
        return 0;
    }
    sqlite3_bind_text(stmt, 1, key, (int)len, SQLITE_STATIC);
    int row = store_step(store, stmt, err);
    id = row == 1 ? sqlite3_column_int64(stmt, 0) : 0;
    store_done(stmt);
    if (row == 0 && make) {
        stmt = store_prepare(store, "INSERT INTO key(name) VALUES(?)", err);
        if (stmt == NULL || !store_begin(store, err)) {
            return 0;
        }
        sqlite3_bind_text(stmt, 1, key, (int)len, SQLITE_STATIC);
        if (store_run(store, stmt, err) == STORE_OK) {
            id = sqlite3_last_insert_rowid(store->db);
        }
    }
    if (id != 0) {
        remember(store, key, len, id);
    }
    return id;
}

void store_keys_forget(store_t *store)
{
    if (store->keys != NULL) {
        memset(store->keys, 0, sizeof *store->keys);
    }
}

void store_keys_free(store_t *store)
{
    free(store->keys);
    store->keys = NULL;
}

/* ---- values ---- */

void store_bind_value(sqlite3_stmt *stmt, int at, const tb_value_t *value)
{
    sqlite3_bind_int(stmt, at, (int)value->type);
    sqlite3_bind_null(stmt, at + 2);
    switch (value->type) {
    case TB_BOOL:
        sqlite3_bind_int(stmt, at + 1, value->u.b);
        break;
    case TB_LONG:
        sqlite3_bind_int64(stmt, at + 1, value->u.i);
        break;
    case TB_DOUBLE:
        sqlite3_bind_double(stmt, at + 1, value->u.d);
        break;
    case TB_STRING:
    case TB_JSON:
    default:
        sqlite3_bind_null(stmt, at + 1);
        sqlite3_bind_text(stmt, at + 2, value->text, (int)value->len, SQLITE_STATIC);
        break;
    }
}

bool store_column_value(sqlite3_stmt *stmt, int at, tb_value_t *value)
{
    memset(value, 0, sizeof *value);
    value->type = (tb_type_t)sqlite3_column_int(stmt, at);
    switch (value->type) {
    case TB_BOOL:
        value->u.b = sqlite3_column_int(stmt, at + 1) != 0;
        return true;
    case TB_LONG:
        value->u.i = sqlite3_column_int64(stmt, at + 1);
        return true;
    case TB_DOUBLE:
        value->u.d = sqlite3_column_double(stmt, at + 1);
        return true;
    case TB_STRING:
    case TB_JSON:
        value->text = store_column_text(stmt, at + 2);
        value->len = (size_t)sqlite3_column_bytes(stmt, at + 2);
        return value->text != NULL;
    default:
        return false;
    }
}

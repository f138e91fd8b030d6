/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/store_internal.h"

#include <string.h>

store_result_t store_attribute_put(store_t *store, int64_t device, tb_scope_t scope,
                                   const char *key, size_t key_len, const tb_value_t *value,
                                   int64_t now_ms, err_t *err)
{
    int64_t id = store_key(store, key, key_len, true, err);
    if (id == 0 || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    /* An equal value is left alone, its time too. IS compares NULLs as equal. */
    sqlite3_stmt *stmt =
        store_prepare(store,
                      "INSERT INTO attribute(device, scope, key, updated, type, number, text)"
                      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"
                      " ON CONFLICT(device, scope, key) DO UPDATE SET updated = excluded.updated,"
                      " type = excluded.type, number = excluded.number, text = excluded.text"
                      " WHERE type <> excluded.type OR number IS NOT excluded.number"
                      " OR text IS NOT excluded.text",
                      err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    sqlite3_bind_int64(stmt, 1, device);
    sqlite3_bind_int(stmt, 2, (int)scope);
    sqlite3_bind_int64(stmt, 3, id);
    sqlite3_bind_int64(stmt, 4, now_ms);
    store_bind_value(stmt, 5, value);
    return store_run(store, stmt, err);
}

/* Columns: scope, key, updated, type, number, text. */
static bool hand_out(sqlite3_stmt *stmt, store_attribute_fn_t each, void *ctx)
{
    store_attribute_t attribute = {.scope = (tb_scope_t)sqlite3_column_int(stmt, 0),
                                   .key = store_column_text(stmt, 1),
                                   .key_len = (size_t)sqlite3_column_bytes(stmt, 1),
                                   .updated_ms = sqlite3_column_int64(stmt, 2)};
    return !store_column_value(stmt, 3, &attribute.value) || each(ctx, &attribute);
}

store_result_t store_attribute_get(store_t *store, int64_t device, tb_scope_t scope,
                                   const char *key, size_t key_len, store_attribute_fn_t each,
                                   void *ctx, err_t *err)
{
    int64_t id = store_key(store, key, key_len, false, err);
    if (id == 0) {
        return err != NULL && err->kind != ERR_NONE ? STORE_FAILED : STORE_NOT_FOUND;
    }
    sqlite3_stmt *stmt = store_prepare(
        store,
        "SELECT a.scope, k.name, a.updated, a.type, a.number, a.text FROM attribute a"
        " JOIN key k ON k.id = a.key WHERE a.device = ? AND a.scope = ? AND a.key = ?",
        err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    sqlite3_bind_int64(stmt, 1, device);
    sqlite3_bind_int(stmt, 2, (int)scope);
    sqlite3_bind_int64(stmt, 3, id);
    int row = store_step(store, stmt, err);
    if (row == 1) {
        hand_out(stmt, each, ctx);
    }
    store_done(stmt);
    return row == 1 ? STORE_OK : row == 0 ? STORE_NOT_FOUND : STORE_FAILED;
}

store_result_t store_attribute_list(store_t *store, int64_t device, tb_scope_t scope,
                                    store_attribute_fn_t each, void *ctx, err_t *err)
{
    sqlite3_stmt *stmt =
        store_prepare(store,
                      "SELECT a.scope, k.name, a.updated, a.type, a.number, a.text FROM attribute a"
                      " JOIN key k ON k.id = a.key WHERE a.device = ?1 AND (?2 = 0 OR a.scope = ?2)"
                      " ORDER BY a.scope, a.key",
                      err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    sqlite3_bind_int64(stmt, 1, device);
    sqlite3_bind_int(stmt, 2, (int)scope);
    int row;
    while ((row = store_step(store, stmt, err)) == 1 && hand_out(stmt, each, ctx)) {
    }
    store_done(stmt);
    return row < 0 ? STORE_FAILED : STORE_OK;
}

store_result_t store_attribute_delete(store_t *store, int64_t device, tb_scope_t scope,
                                      const char *key, size_t key_len, err_t *err)
{
    int64_t id = store_key(store, key, key_len, false, err);
    if (id == 0) {
        return err != NULL && err->kind != ERR_NONE ? STORE_FAILED : STORE_NOT_FOUND;
    }
    sqlite3_stmt *stmt = store_prepare(
        store, "DELETE FROM attribute WHERE device = ? AND scope = ? AND key = ?", err);
    if (stmt == NULL || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    sqlite3_bind_int64(stmt, 1, device);
    sqlite3_bind_int(stmt, 2, (int)scope);
    sqlite3_bind_int64(stmt, 3, id);
    store_result_t result = store_run(store, stmt, err);
    return result == STORE_OK && sqlite3_changes(store->db) == 0 ? STORE_NOT_FOUND : result;
}

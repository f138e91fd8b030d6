/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/store_internal.h"

#include <string.h>

store_result_t store_point_add(store_t *store, int64_t device, const tb_point_t *point, err_t *err)
{
    int64_t key = store_key(store, point->key, point->key_len, true, err);
    if (key == 0 || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    sqlite3_stmt *stmt = store_prepare(
        store,
        "INSERT OR REPLACE INTO point(device, key, ts, type, number, text) VALUES(?,?,?,?,?,?)",
        err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    sqlite3_bind_int64(stmt, 1, device);
    sqlite3_bind_int64(stmt, 2, key);
    sqlite3_bind_int64(stmt, 3, point->ts);
    store_bind_value(stmt, 4, &point->value);
    store_result_t result = store_run(store, stmt, err);
    if (result != STORE_OK) {
        return result;
    }
    /* ThingsBoard's sql.ts_latest.update_by_latest_ts: a late point does not become the latest. */
    stmt = store_prepare(store,
                         "INSERT INTO latest(device, key, ts, type, number, text)"
                         " VALUES(?,?,?,?,?,?) ON CONFLICT(device, key) DO UPDATE SET"
                         " ts = excluded.ts, type = excluded.type, number = excluded.number,"
                         " text = excluded.text WHERE excluded.ts >= ts",
                         err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    sqlite3_bind_int64(stmt, 1, device);
    sqlite3_bind_int64(stmt, 2, key);
    sqlite3_bind_int64(stmt, 3, point->ts);
    store_bind_value(stmt, 4, &point->value);
    return store_run(store, stmt, err);
}

/* Columns: ts, key name, type, number, text. */
static bool hand_out(sqlite3_stmt *stmt, store_point_fn_t each, void *ctx)
{
    tb_point_t point = {.ts = sqlite3_column_int64(stmt, 0),
                        .key = store_column_text(stmt, 1),
                        .key_len = (size_t)sqlite3_column_bytes(stmt, 1)};
    return !store_column_value(stmt, 2, &point.value) || each(ctx, &point);
}

store_result_t store_latest(store_t *store, int64_t device, const char *key, size_t key_len,
                            store_point_fn_t each, void *ctx, err_t *err)
{
    int64_t id = 0;
    if (key != NULL) {
        id = store_key(store, key, key_len, false, err);
        if (id == 0) {
            return err != NULL && err->kind != ERR_NONE ? STORE_FAILED : STORE_NOT_FOUND;
        }
    }
    sqlite3_stmt *stmt = store_prepare(
        store,
        "SELECT l.ts, k.name, l.type, l.number, l.text FROM latest l JOIN key k ON k.id = l.key"
        " WHERE l.device = ?1 AND (?2 = 0 OR l.key = ?2) ORDER BY l.key",
        err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    sqlite3_bind_int64(stmt, 1, device);
    sqlite3_bind_int64(stmt, 2, id);
    int row;
    size_t count = 0;
    while ((row = store_step(store, stmt, err)) == 1) {
        count++;
        if (!hand_out(stmt, each, ctx)) {
            break;
        }
    }
    store_done(stmt);
    return row < 0 ? STORE_FAILED : count == 0 ? STORE_NOT_FOUND : STORE_OK;
}

store_result_t store_range(store_t *store, int64_t device, const char *key, size_t key_len,
                           int64_t from, int64_t to, bool descending, uint32_t limit,
                           store_point_fn_t each, void *ctx, err_t *err)
{
    static const char up[] =
        "SELECT p.ts, ?5, p.type, p.number, p.text FROM point p"
        " WHERE p.device = ?1 AND p.key = ?2 AND p.ts >= ?3 AND p.ts < ?4 ORDER BY p.ts";
    static const char down[] =
        "SELECT p.ts, ?5, p.type, p.number, p.text FROM point p"
        " WHERE p.device = ?1 AND p.key = ?2 AND p.ts >= ?3 AND p.ts < ?4 ORDER BY p.ts DESC";
    int64_t id = store_key(store, key, key_len, false, err);
    if (id == 0) {
        return err != NULL && err->kind != ERR_NONE ? STORE_FAILED : STORE_OK;
    }
    sqlite3_stmt *stmt = store_prepare(store, descending ? down : up, err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    sqlite3_bind_int64(stmt, 1, device);
    sqlite3_bind_int64(stmt, 2, id);
    sqlite3_bind_int64(stmt, 3, from);
    sqlite3_bind_int64(stmt, 4, to);
    sqlite3_bind_text(stmt, 5, key, (int)key_len, SQLITE_STATIC);
    int row = 0;
    for (uint32_t count = 0; limit == 0 || count < limit; count++) {
        row = store_step(store, stmt, err);
        if (row != 1 || !hand_out(stmt, each, ctx)) {
            break;
        }
    }
    store_done(stmt);
    return row < 0 ? STORE_FAILED : STORE_OK;
}

/* Puts the newest point that is left in the place of a latest value that was deleted. */
static store_result_t rewrite_latest(store_t *store, int64_t device, int64_t key, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(
        store,
        "INSERT INTO latest(device, key, ts, type, number, text)"
        " SELECT device, key, ts, type, number, text FROM point WHERE device = ? AND key = ?"
        " ORDER BY ts DESC LIMIT 1",
        err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    sqlite3_bind_int64(stmt, 1, device);
    sqlite3_bind_int64(stmt, 2, key);
    return store_run(store, stmt, err);
}

store_result_t store_range_delete(store_t *store, int64_t device, const char *key, size_t key_len,
                                  const store_erase_t *erase, err_t *err)
{
    int64_t id = store_key(store, key, key_len, false, err);
    if (id == 0) {
        return err != NULL && err->kind != ERR_NONE ? STORE_FAILED : STORE_OK;
    }
    sqlite3_stmt *stmt = store_prepare(
        store, "DELETE FROM point WHERE device = ? AND key = ? AND ts >= ? AND ts < ?", err);
    if (stmt == NULL || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    sqlite3_bind_int64(stmt, 1, device);
    sqlite3_bind_int64(stmt, 2, id);
    sqlite3_bind_int64(stmt, 3, erase->from);
    sqlite3_bind_int64(stmt, 4, erase->to);
    store_result_t result = store_run(store, stmt, err);
    if (result != STORE_OK || !erase->delete_latest) {
        return result;
    }
    stmt = store_prepare(
        store, "DELETE FROM latest WHERE device = ? AND key = ? AND ts >= ? AND ts < ?", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    sqlite3_bind_int64(stmt, 1, device);
    sqlite3_bind_int64(stmt, 2, id);
    sqlite3_bind_int64(stmt, 3, erase->from);
    sqlite3_bind_int64(stmt, 4, erase->to);
    result = store_run(store, stmt, err);
    if (result == STORE_OK && erase->rewrite_latest && sqlite3_changes(store->db) > 0) {
        result = rewrite_latest(store, device, id, err);
    }
    return result;
}

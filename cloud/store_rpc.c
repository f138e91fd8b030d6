/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/store_internal.h"

#define COLUMNS "SELECT id, created, device, expires, request, response, status, info FROM rpc "

static void hand_out(const store_t *store, sqlite3_stmt *stmt, store_rpc_fn_t each, void *ctx)
{
    store_rpc_t rpc = {.tenant = store->tenant,
                       .created_ms = sqlite3_column_int64(stmt, 1),
                       .expires_ms = sqlite3_column_int64(stmt, 3),
                       .request = store_column_text(stmt, 4),
                       .response = store_column_text(stmt, 5),
                       .status = store_column_text(stmt, 6),
                       .info = store_column_text(stmt, 7)};
    store_column_id(stmt, 0, &rpc.id);
    store_column_id(stmt, 2, &rpc.device);
    each(ctx, &rpc);
}

store_result_t store_rpc_get(store_t *store, const store_id_t *id, store_rpc_fn_t each, void *ctx,
                             err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, COLUMNS "WHERE id = ?", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_id(stmt, 1, id);
    int row = store_step(store, stmt, err);
    if (row == 1) {
        hand_out(store, stmt, each, ctx);
    }
    store_done(stmt);
    return row == 1 ? STORE_OK : row == 0 ? STORE_NOT_FOUND : STORE_FAILED;
}

/* Of one device: by the index. */
#define OF_ALL     "WHERE ?1 IS NULL AND (?2 IS NULL OR status = ?2)"
#define OF_DEVICE  "WHERE device = ?1 AND (?2 IS NULL OR status = ?2)"
#define ORDER(way) " ORDER BY created " way ", rowid " way " LIMIT ?3 OFFSET ?4"

static void bind_filter(sqlite3_stmt *stmt, const store_id_t *device, const char *status)
{
    if (device != NULL) {
        store_bind_id(stmt, 1, device);
    }
    store_bind_text(stmt, 2, status);
}

store_result_t store_rpc_list(store_t *store, const store_id_t *device, const char *status,
                              const store_page_t *page, store_rpc_fn_t each, void *ctx,
                              uint64_t *total, err_t *err)
{
    static const char *const counts[] = {"SELECT count(*) FROM rpc " OF_ALL,
                                         "SELECT count(*) FROM rpc " OF_DEVICE};
    static const char *const lists[2][2] = {
        {COLUMNS OF_ALL ORDER("ASC"), COLUMNS OF_ALL ORDER("DESC")},
        {COLUMNS OF_DEVICE ORDER("ASC"), COLUMNS OF_DEVICE ORDER("DESC")}};
    size_t variant = device != NULL;
    sqlite3_stmt *stmt = store_prepare(store, counts[variant], err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    bind_filter(stmt, device, status);
    int row = store_step(store, stmt, err);
    *total = row == 1 ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    store_done(stmt);
    if (row != 1) {
        return STORE_FAILED;
    }
    stmt = store_prepare(store, lists[variant][page->descending], err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    bind_filter(stmt, device, status);
    sqlite3_bind_int64(stmt, 3, page->size);
    sqlite3_bind_int64(stmt, 4, (int64_t)page->size * page->page);
    while ((row = store_step(store, stmt, err)) == 1) {
        hand_out(store, stmt, each, ctx);
    }
    store_done(stmt);
    return row < 0 ? STORE_FAILED : STORE_OK;
}

store_result_t store_rpc_add(store_t *store, store_rpc_t *rpc, int64_t now_ms, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(
        store,
        "INSERT INTO rpc(id, created, device, expires, request, response, status, info)"
        " VALUES(?,?,?,?,?,?,?,?)",
        err);
    if (stmt == NULL || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    rpc->created_ms = now_ms;
    store_bind_id(stmt, 1, &rpc->id);
    sqlite3_bind_int64(stmt, 2, now_ms);
    store_bind_id(stmt, 3, &rpc->device);
    sqlite3_bind_int64(stmt, 4, rpc->expires_ms);
    store_bind_text(stmt, 5, rpc->request);
    store_bind_text(stmt, 6, rpc->response);
    store_bind_text(stmt, 7, rpc->status);
    store_bind_text(stmt, 8, rpc->info);
    return store_run(store, stmt, err);
}

store_result_t store_rpc_update(store_t *store, const store_id_t *id, const char *status,
                                const char *response, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(
        store, "UPDATE rpc SET status = ?, response = ifnull(?, response) WHERE id = ?", err);
    if (stmt == NULL || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    store_bind_text(stmt, 1, status);
    store_bind_text(stmt, 2, response);
    store_bind_id(stmt, 3, id);
    store_result_t result = store_run(store, stmt, err);
    return result == STORE_OK && sqlite3_changes(store->db) == 0 ? STORE_NOT_FOUND : result;
}

store_result_t store_rpc_delete(store_t *store, const store_id_t *id, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, "DELETE FROM rpc WHERE id = ?", err);
    if (stmt == NULL || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    store_bind_id(stmt, 1, id);
    store_result_t result = store_run(store, stmt, err);
    return result == STORE_OK && sqlite3_changes(store->db) == 0 ? STORE_NOT_FOUND : result;
}

store_result_t store_rpc_expire_of(store_t *store, const store_id_t *device, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(
        store, "UPDATE rpc SET status = 'EXPIRED' WHERE device = ? AND status = 'QUEUED'", err);
    if (stmt == NULL || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    store_bind_id(stmt, 1, device);
    return store_run(store, stmt, err);
}

store_result_t store_rpc_delete_of(store_t *store, const store_id_t *device, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, "DELETE FROM rpc WHERE device = ?", err);
    if (stmt == NULL || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    store_bind_id(stmt, 1, device);
    return store_run(store, stmt, err);
}

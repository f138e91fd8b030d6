/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/store_internal.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS "SELECT id, created, title, extra, info, version FROM customer "

static void read_row(const store_t *store, sqlite3_stmt *stmt, store_customer_t *customer)
{
    memset(customer, 0, sizeof *customer);
    customer->tenant = store->tenant;
    store_column_id(stmt, 0, &customer->id);
    customer->created_ms = sqlite3_column_int64(stmt, 1);
    snprintf(customer->title, sizeof customer->title, "%s", store_column_text(stmt, 2));
    customer->extra = store_column_text(stmt, 3);
    customer->info = store_column_text(stmt, 4);
    customer->version = sqlite3_column_int64(stmt, 5);
}

static store_result_t one(store_t *store, sqlite3_stmt *stmt, store_customer_fn_t each, void *ctx,
                          err_t *err)
{
    int row = store_step(store, stmt, err);
    if (row == 1) {
        store_customer_t customer;
        read_row(store, stmt, &customer);
        each(ctx, &customer);
    }
    store_done(stmt);
    return row == 1 ? STORE_OK : row == 0 ? STORE_NOT_FOUND : STORE_FAILED;
}

store_result_t store_customer_get(store_t *store, const store_id_t *id, store_customer_fn_t each,
                                  void *ctx, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, COLUMNS "WHERE id = ?", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_id(stmt, 1, id);
    return one(store, stmt, each, ctx, err);
}

store_result_t store_customer_by_title(store_t *store, const char *title, store_customer_fn_t each,
                                       void *ctx, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, COLUMNS "WHERE title = ?", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_text(stmt, 1, title);
    return one(store, stmt, each, ctx, err);
}

store_result_t store_customer_list(store_t *store, const store_page_t *page,
                                   store_customer_fn_t each, void *ctx, uint64_t *total, err_t *err)
{
    char like[2 * STORE_TEXT + 3];
    store_like(page->search, like);
    sqlite3_stmt *stmt =
        store_prepare(store, "SELECT count(*) FROM customer WHERE title LIKE ? ESCAPE '\\'", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_text(stmt, 1, like);
    int row = store_step(store, stmt, err);
    *total = row == 1 ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    store_done(stmt);
    stmt = store_prepare(store,
                         COLUMNS "WHERE title LIKE ? ESCAPE '\\' ORDER BY created, title"
                                 " LIMIT ? OFFSET ?",
                         err);
    if (stmt == NULL || row != 1) {
        return STORE_FAILED;
    }
    store_bind_text(stmt, 1, like);
    sqlite3_bind_int64(stmt, 2, page->size);
    sqlite3_bind_int64(stmt, 3, (int64_t)page->size * page->page);
    while ((row = store_step(store, stmt, err)) == 1) {
        store_customer_t customer;
        read_row(store, stmt, &customer);
        each(ctx, &customer);
    }
    store_done(stmt);
    return row < 0 ? STORE_FAILED : STORE_OK;
}

static void note_version(void *ctx, const store_customer_t *customer)
{
    store_customer_t *out = ctx;
    out->version = customer->version;
    out->created_ms = customer->created_ms;
    out->id = customer->id;
}

static store_result_t check(store_t *store, store_customer_t *customer, bool fresh, err_t *err)
{
    store_customer_t other = {.version = 0};
    store_result_t result = store_check_text("Customer title", customer->title, false, err);
    if (result == STORE_OK && !fresh) {
        result = store_customer_get(store, &customer->id, note_version, &other, err);
        if (result == STORE_OK && customer->version >= 0 && customer->version != other.version) {
            return STORE_CONFLICT;
        }
        customer->created_ms = other.created_ms;
        customer->version = other.version;
    }
    if (result != STORE_OK) {
        return result;
    }
    result = store_customer_by_title(store, customer->title, note_version, &other, err);
    if (result == STORE_OK && !store_id_equal(&other.id, &customer->id)) {
        return STORE_NAME_TAKEN;
    }
    return result == STORE_FAILED ? result : STORE_OK;
}

store_result_t store_customer_save(store_t *store, store_customer_t *customer, int64_t now_ms,
                                   err_t *err)
{
    bool fresh = store_id_is_null(&customer->id);
    store_result_t result = check(store, customer, fresh, err);
    if (result != STORE_OK) {
        return result;
    }
    sqlite3_stmt *stmt = store_prepare(
        store,
        fresh ? "INSERT INTO customer(title, extra, info, id, created, version) VALUES(?,?,?,?,?,1)"
              : "UPDATE customer SET title=?, extra=?, info=?, version=version+1 WHERE id=?",
        err);
    if (stmt == NULL || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    customer->tenant = store->tenant;
    if (fresh) {
        store_id_new(&customer->id);
        customer->created_ms = now_ms;
        customer->version = 0;
    }
    store_bind_text(stmt, 1, customer->title);
    store_bind_text(stmt, 2, customer->extra);
    store_bind_text(stmt, 3, customer->info);
    store_bind_id(stmt, 4, &customer->id);
    if (fresh) {
        sqlite3_bind_int64(stmt, 5, now_ms);
    }
    customer->version++;
    return store_run(store, stmt, err);
}

store_result_t store_customer_delete(store_t *store, const store_id_t *id, err_t *err)
{
    static const char *const texts[] = {
        "UPDATE device SET customer = NULL, version = version + 1 WHERE customer = ?",
        "DELETE FROM user WHERE customer = ?",
        "DELETE FROM customer WHERE id = ?",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        sqlite3_stmt *stmt = store_prepare(store, texts[i], err);
        if (stmt == NULL || !store_begin(store, err)) {
            return STORE_FAILED;
        }
        store_bind_id(stmt, 1, id);
        store_result_t result = store_run(store, stmt, err);
        if (result != STORE_OK) {
            return result;
        }
    }
    return sqlite3_changes(store->db) == 0 ? STORE_NOT_FOUND : STORE_OK;
}

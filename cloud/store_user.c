/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/store_internal.h"

#include <stdio.h>
#include <string.h>

#include "json/json.h"

#define COLUMNS                                                                                    \
    "SELECT id, customer, created, role, email, first_name, last_name, info, password_hash,"       \
    " enabled, tokens_from, version FROM user "

static void hand_out_row(const store_t *store, sqlite3_stmt *stmt, store_user_fn_t each, void *ctx)
{
    store_user_t user = {.tenant = store->tenant,
                         .created_ms = sqlite3_column_int64(stmt, 2),
                         .role = (store_role_t)sqlite3_column_int(stmt, 3),
                         .email = store_column_text(stmt, 4),
                         .first_name = store_column_text(stmt, 5),
                         .last_name = store_column_text(stmt, 6),
                         .info = store_column_text(stmt, 7),
                         .password_hash = store_column_text(stmt, 8),
                         .enabled = sqlite3_column_int(stmt, 9) != 0,
                         .tokens_from_ms = sqlite3_column_int64(stmt, 10),
                         .version = sqlite3_column_int64(stmt, 11)};
    store_column_id(stmt, 0, &user.id);
    store_column_id(stmt, 1, &user.customer);
    each(ctx, &user);
}

static store_result_t hand_out(store_t *store, sqlite3_stmt *stmt, store_user_fn_t each, void *ctx,
                               err_t *err)
{
    int row = store_step(store, stmt, err);
    if (row == 1) {
        hand_out_row(store, stmt, each, ctx);
    }
    store_done(stmt);
    return row == 1 ? STORE_OK : row == 0 ? STORE_NOT_FOUND : STORE_FAILED;
}

store_result_t store_user_get(store_t *store, const store_id_t *id, store_user_fn_t each, void *ctx,
                              err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, COLUMNS "WHERE id = ?", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_id(stmt, 1, id);
    return hand_out(store, stmt, each, ctx, err);
}

store_result_t store_user_by_email(store_t *store, const char *email, store_user_fn_t each,
                                   void *ctx, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, COLUMNS "WHERE email = ?", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_text(stmt, 1, email);
    return hand_out(store, stmt, each, ctx, err);
}

store_result_t store_user_count(store_t *store, uint64_t *count, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, "SELECT count(*) FROM user", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    int row = store_step(store, stmt, err);
    *count = row == 1 ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    store_done(stmt);
    return row == 1 ? STORE_OK : STORE_FAILED;
}

/* What is kept must be readable again: others parse it, and have room for this much. */
static store_result_t check_info(const char *info, err_t *err)
{
    if (info == NULL || (strlen(info) <= STORE_JSON_MAX && json_valid(info, strlen(info)))) {
        return STORE_OK;
    }
    err_set(err, ERR_INPUT, "User additionalInfo is no JSON of at most %d bytes", STORE_JSON_MAX);
    return STORE_INVALID;
}

static store_result_t check(store_t *store, const store_user_t *user, err_t *err)
{
    store_result_t result = store_check_text("User email", user->email, false, err);
    if (result == STORE_OK) {
        result = check_info(user->info, err);
    }
    if (result != STORE_OK) {
        return result;
    }
    sqlite3_stmt *stmt =
        store_prepare(store, "SELECT 1 FROM user WHERE email = ? AND id <> ?", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_text(stmt, 1, user->email);
    store_bind_id(stmt, 2, &user->id);
    int row = store_step(store, stmt, err);
    store_done(stmt);
    return row == 0 ? STORE_OK : row == 1 ? STORE_ID_TAKEN : STORE_FAILED;
}

store_result_t store_user_save(store_t *store, store_user_t *user, int64_t now_ms, err_t *err)
{
    store_result_t result = check(store, user, err);
    bool fresh = store_id_is_null(&user->id);
    if (result != STORE_OK) {
        return result;
    }
    sqlite3_stmt *stmt = store_prepare(
        store,
        fresh ? "INSERT INTO user(customer, role, email, first_name, last_name, info,"
                " password_hash, enabled, tokens_from, id, created, version)"
                " VALUES(?,?,?,?,?,?,?,?,?,?,?,1)"
              : "UPDATE user SET customer=?, role=?, email=?, first_name=?, last_name=?, info=?,"
                " password_hash=?, enabled=?, tokens_from=?, version=version+1 WHERE id=?",
        err);
    if (stmt == NULL || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    if (fresh) {
        store_id_new(&user->id);
        user->created_ms = now_ms;
        user->version = 1;
    }
    store_bind_id(stmt, 1, store_id_is_null(&user->customer) ? &STORE_ID_NULL : &user->customer);
    sqlite3_bind_int(stmt, 2, (int)user->role);
    store_bind_text(stmt, 3, user->email);
    store_bind_text(stmt, 4, user->first_name);
    store_bind_text(stmt, 5, user->last_name);
    store_bind_text(stmt, 6, user->info);
    store_bind_text(stmt, 7, user->password_hash);
    sqlite3_bind_int(stmt, 8, user->enabled);
    sqlite3_bind_int64(stmt, 9, user->tokens_from_ms);
    store_bind_id(stmt, 10, &user->id);
    if (fresh) {
        sqlite3_bind_int64(stmt, 11, user->created_ms);
    }
    result = store_run(store, stmt, err);
    return result == STORE_OK && sqlite3_changes(store->db) == 0 ? STORE_NOT_FOUND : result;
}

store_result_t store_user_list(store_t *store, const store_id_t *customer, const store_page_t *page,
                               store_user_fn_t each, void *ctx, uint64_t *total, err_t *err)
{
    sqlite3_stmt *stmt =
        store_prepare(store, "SELECT count(*) FROM user WHERE ?1 IS NULL OR customer = ?1", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    if (customer != NULL) {
        store_bind_id(stmt, 1, customer);
    }
    int row = store_step(store, stmt, err);
    *total = row == 1 ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    store_done(stmt);
    stmt = store_prepare(store,
                         COLUMNS "WHERE ?1 IS NULL OR customer = ?1 ORDER BY created"
                                 " LIMIT ?2 OFFSET ?3",
                         err);
    if (stmt == NULL || row != 1) {
        return STORE_FAILED;
    }
    if (customer != NULL) {
        store_bind_id(stmt, 1, customer);
    }
    sqlite3_bind_int64(stmt, 2, page->size);
    sqlite3_bind_int64(stmt, 3, (int64_t)page->size * page->page);
    while ((row = store_step(store, stmt, err)) == 1) {
        hand_out_row(store, stmt, each, ctx);
    }
    store_done(stmt);
    return row < 0 ? STORE_FAILED : STORE_OK;
}

store_result_t store_user_delete(store_t *store, const store_id_t *id, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, "DELETE FROM user WHERE id = ?", err);
    if (stmt == NULL || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    store_bind_id(stmt, 1, id);
    store_result_t result = store_run(store, stmt, err);
    return result == STORE_OK && sqlite3_changes(store->db) == 0 ? STORE_NOT_FOUND : result;
}

/* ---- activation ---- */

store_result_t store_user_set_activation(store_t *store, const store_id_t *id, const char *token,
                                         int64_t until_ms, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(
        store, "UPDATE user SET activate_token = ?, activate_until = ? WHERE id = ?", err);
    if (stmt == NULL || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    store_bind_text(stmt, 1, token);
    sqlite3_bind_int64(stmt, 2, until_ms);
    store_bind_id(stmt, 3, id);
    store_result_t result = store_run(store, stmt, err);
    return result == STORE_OK && sqlite3_changes(store->db) == 0 ? STORE_NOT_FOUND : result;
}

store_result_t store_user_by_activation(store_t *store, const char *token, int64_t now_ms,
                                        store_user_fn_t each, void *ctx, err_t *err)
{
    sqlite3_stmt *stmt =
        store_prepare(store, COLUMNS "WHERE activate_token = ? AND activate_until > ?", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_text(stmt, 1, token);
    sqlite3_bind_int64(stmt, 2, now_ms);
    return hand_out(store, stmt, each, ctx, err);
}

store_result_t store_user_activation(store_t *store, const store_id_t *id, char token[64],
                                     int64_t *until_ms, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(
        store,
        "SELECT activate_token, activate_until FROM user WHERE id = ? AND activate_token IS NOT"
        " NULL",
        err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_id(stmt, 1, id);
    int row = store_step(store, stmt, err);
    if (row == 1) {
        snprintf(token, 64, "%s", store_column_text(stmt, 0));
        *until_ms = sqlite3_column_int64(stmt, 1);
    }
    store_done(stmt);
    return row == 1 ? STORE_OK : row == 0 ? STORE_NOT_FOUND : STORE_FAILED;
}

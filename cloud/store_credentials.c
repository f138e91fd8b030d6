/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/store_internal.h"

#include <string.h>

#define COLUMNS                                                                                    \
    "SELECT c.id, d.id, c.device, c.created, c.type, c.credentials_id, c.value, c.version"         \
    " FROM credentials c JOIN device d ON d.row = c.device "

static void read_row(sqlite3_stmt *stmt, store_credentials_t *credentials)
{
    memset(credentials, 0, sizeof *credentials);
    store_column_id(stmt, 0, &credentials->id);
    store_column_id(stmt, 1, &credentials->device);
    credentials->device_row = sqlite3_column_int64(stmt, 2);
    credentials->created_ms = sqlite3_column_int64(stmt, 3);
    credentials->type = (store_credentials_type_t)sqlite3_column_int(stmt, 4);
    credentials->credentials_id = store_column_text(stmt, 5);
    credentials->value = store_column_text(stmt, 6);
    credentials->version = sqlite3_column_int64(stmt, 7);
}

static store_result_t one(store_t *store, sqlite3_stmt *stmt, store_credentials_fn_t each,
                          void *ctx, err_t *err)
{
    int row = store_step(store, stmt, err);
    if (row == 1) {
        store_credentials_t credentials;
        read_row(stmt, &credentials);
        each(ctx, &credentials);
    }
    store_done(stmt);
    return row == 1 ? STORE_OK : row == 0 ? STORE_NOT_FOUND : STORE_FAILED;
}

store_result_t store_credentials_get(store_t *store, const store_id_t *device,
                                     store_credentials_fn_t each, void *ctx, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, COLUMNS "WHERE d.id = ?", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_id(stmt, 1, device);
    return one(store, stmt, each, ctx, err);
}

store_result_t store_credentials_by_id(store_t *store, const char *credentials_id,
                                       store_credentials_fn_t each, void *ctx, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, COLUMNS "WHERE c.credentials_id = ?", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_text(stmt, 1, credentials_id);
    return one(store, stmt, each, ctx, err);
}

/* ---- saving ---- */

/* What is there now, as far as a save must know it. */
typedef struct {
    const store_credentials_t *fresh; /* to be saved */
    store_id_t id;
    int64_t created_ms;
    int64_t version;
    bool same; /* type, id and value are those to be saved */
} present_t;

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void note_present(void *ctx, const store_credentials_t *now)
{
    present_t *present = ctx;
    present->id = now->id;
    present->created_ms = now->created_ms;
    present->version = now->version;
    present->same = now->type == present->fresh->type &&
                    same_text(now->credentials_id, present->fresh->credentials_id) &&
                    same_text(now->value, present->fresh->value);
}

/* STORE_OK: to be made. STORE_IN_USE: to be replaced. */
static store_result_t check(store_t *store, const store_credentials_t *credentials,
                            present_t *present, err_t *err)
{
    bool fresh = store_id_is_null(&credentials->id);
    store_result_t result =
        store_credentials_get(store, &credentials->device, note_present, present, err);
    if (result == STORE_FAILED) {
        return result;
    }
    bool exists = result == STORE_OK;
    if (fresh && exists) {
        return STORE_CONFLICT;
    }
    if (!fresh && (!exists || !store_id_equal(&present->id, &credentials->id))) {
        return STORE_NOT_FOUND;
    }
    sqlite3_stmt *stmt = store_prepare(
        store, "SELECT 1 FROM credentials WHERE credentials_id = ? AND device <> ?", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_text(stmt, 1, credentials->credentials_id);
    sqlite3_bind_int64(stmt, 2, credentials->device_row);
    int row = store_step(store, stmt, err);
    store_done(stmt);
    if (row != 0) {
        return row < 0 ? STORE_FAILED : STORE_ID_TAKEN; /* said before the version, as recorded */
    }
    if (!fresh && credentials->version >= 0 && credentials->version != present->version) {
        return STORE_CONFLICT;
    }
    return exists ? STORE_IN_USE : STORE_OK;
}

store_result_t store_credentials_save(store_t *store, store_credentials_t *credentials,
                                      int64_t now_ms, bool *changed, err_t *err)
{
    present_t present = {.fresh = credentials};
    if (credentials->device_row == 0) {
        store_result_t found =
            store_device_row(store, &credentials->device, &credentials->device_row, err);
        if (found != STORE_OK) {
            return found;
        }
    }
    store_result_t result = check(store, credentials, &present, err);
    bool exists = result == STORE_IN_USE;
    if (result != STORE_OK && !exists) {
        return result;
    }
    if (changed != NULL) {
        *changed = !exists || !present.same;
    }
    sqlite3_stmt *stmt = store_prepare(
        store,
        exists ? "UPDATE credentials SET type=?, credentials_id=?, value=?, version=version+1"
                 " WHERE id=?"
               : "INSERT INTO credentials(type, credentials_id, value, id, device, created,"
                 " version) VALUES(?,?,?,?,?,?,1)",
        err);
    if (stmt == NULL || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    if (!exists) {
        store_id_new(&credentials->id);
    }
    credentials->created_ms = exists ? present.created_ms : now_ms;
    credentials->version = exists ? present.version + 1 : 1;
    sqlite3_bind_int(stmt, 1, (int)credentials->type);
    store_bind_text(stmt, 2, credentials->credentials_id);
    store_bind_text(stmt, 3, credentials->value);
    store_bind_id(stmt, 4, &credentials->id);
    if (!exists) {
        sqlite3_bind_int64(stmt, 5, credentials->device_row);
        sqlite3_bind_int64(stmt, 6, now_ms);
    }
    return store_run(store, stmt, err);
}

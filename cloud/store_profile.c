/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/store_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define COLUMNS                                                                                    \
    "SELECT id, created, name, description, is_default, provision, provision_key,"                 \
    " provision_secret, regex, allow_create, extra, version FROM profile "

static void read_row(const store_t *store, sqlite3_stmt *stmt, store_profile_t *profile)
{
    const char *description = store_column_text(stmt, 3);
    memset(profile, 0, sizeof *profile);
    profile->tenant = store->tenant;
    store_column_id(stmt, 0, &profile->id);
    profile->created_ms = sqlite3_column_int64(stmt, 1);
    snprintf(profile->name, sizeof profile->name, "%s", store_column_text(stmt, 2));
    profile->description = description != NULL ? description : "";
    profile->is_default = sqlite3_column_int(stmt, 4) != 0;
    profile->provision = (store_provision_t)sqlite3_column_int(stmt, 5);
    profile->provision_key = store_column_text(stmt, 6);
    profile->provision_secret = store_column_text(stmt, 7);
    profile->regex = store_column_text(stmt, 8);
    profile->allow_create = sqlite3_column_int(stmt, 9) != 0;
    profile->extra = store_column_text(stmt, 10);
    profile->version = sqlite3_column_int64(stmt, 11);
}

/* Hands out the row of a bound statement that has at most one. */
static store_result_t one(store_t *store, sqlite3_stmt *stmt, store_profile_fn_t each, void *ctx,
                          err_t *err)
{
    int row = store_step(store, stmt, err);
    if (row == 1) {
        store_profile_t profile;
        read_row(store, stmt, &profile);
        each(ctx, &profile);
    }
    store_done(stmt);
    return row == 1 ? STORE_OK : row == 0 ? STORE_NOT_FOUND : STORE_FAILED;
}

store_result_t store_profile_get(store_t *store, const store_id_t *id, store_profile_fn_t each,
                                 void *ctx, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, COLUMNS "WHERE id = ?", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_id(stmt, 1, id);
    return one(store, stmt, each, ctx, err);
}

store_result_t store_profile_by_name(store_t *store, const char *name, store_profile_fn_t each,
                                     void *ctx, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, COLUMNS "WHERE name = ?", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_text(stmt, 1, name);
    return one(store, stmt, each, ctx, err);
}

store_result_t store_profile_by_key(store_t *store, const char *provision_key,
                                    store_profile_fn_t each, void *ctx, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, COLUMNS "WHERE provision_key = ?", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_text(stmt, 1, provision_key);
    return one(store, stmt, each, ctx, err);
}

store_result_t store_profile_default(store_t *store, store_profile_fn_t each, void *ctx, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, COLUMNS "WHERE is_default LIMIT 1", err);
    return stmt == NULL ? STORE_FAILED : one(store, stmt, each, ctx, err);
}

store_result_t store_profile_list(store_t *store, const store_page_t *page, store_profile_fn_t each,
                                  void *ctx, uint64_t *total, err_t *err)
{
    char like[2 * STORE_TEXT + 3];
    store_like(page->search, like);
    sqlite3_stmt *stmt =
        store_prepare(store, "SELECT count(*) FROM profile WHERE name LIKE ? ESCAPE '\\'", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_text(stmt, 1, like);
    int row = store_step(store, stmt, err);
    if (total != NULL) {
        *total = row == 1 ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    }
    store_done(stmt);
    stmt = store_prepare(store,
                         COLUMNS "WHERE name LIKE ?1 ESCAPE '\\' ORDER BY"
                                 " CASE WHEN ?2 = 0 AND ?3 = 0 THEN created END,"
                                 " CASE WHEN ?2 = 0 AND ?3 = 1 THEN created END DESC,"
                                 " CASE WHEN ?2 <> 0 AND ?3 = 0 THEN name END,"
                                 " CASE WHEN ?2 <> 0 AND ?3 = 1 THEN name END DESC"
                                 " LIMIT ?4 OFFSET ?5",
                         err);
    if (stmt == NULL || row != 1) {
        return STORE_FAILED;
    }
    store_bind_text(stmt, 1, like);
    sqlite3_bind_int(stmt, 2, (int)page->sort);
    sqlite3_bind_int(stmt, 3, page->descending);
    sqlite3_bind_int64(stmt, 4, page->size);
    sqlite3_bind_int64(stmt, 5, (int64_t)page->size * page->page);
    while ((row = store_step(store, stmt, err)) == 1) {
        store_profile_t profile;
        read_row(store, stmt, &profile);
        each(ctx, &profile);
    }
    store_done(stmt);
    return row < 0 ? STORE_FAILED : STORE_OK;
}

/* Does another profile have this text in that column? */
static store_result_t is_taken(store_t *store, const char *sql, const char *text,
                               const store_id_t *id, store_result_t if_so, err_t *err)
{
    sqlite3_stmt *stmt = text != NULL ? store_prepare(store, sql, err) : NULL;
    if (stmt == NULL) {
        return text == NULL ? STORE_OK : STORE_FAILED;
    }
    store_bind_text(stmt, 1, text);
    store_bind_id(stmt, 2, id);
    int row = store_step(store, stmt, err);
    store_done(stmt);
    return row == 0 ? STORE_OK : row == 1 ? if_so : STORE_FAILED;
}

static void note_version(void *ctx, const store_profile_t *profile)
{
    *(int64_t *)ctx = profile->version;
}

static store_result_t check(store_t *store, const store_profile_t *profile, bool fresh, err_t *err)
{
    store_result_t result = store_check_text("Device profile name", profile->name, false, err);
    if (result == STORE_OK && !fresh) {
        int64_t version = 0;
        result = store_profile_get(store, &profile->id, note_version, &version, err);
        if (result == STORE_OK && profile->version >= 0 && profile->version != version) {
            result = STORE_CONFLICT;
        }
    }
    if (result == STORE_OK) {
        result = is_taken(store, "SELECT 1 FROM profile WHERE name = ? AND id <> ?", profile->name,
                          &profile->id, STORE_NAME_TAKEN, err);
    }
    if (result == STORE_OK) {
        result = is_taken(store, "SELECT 1 FROM profile WHERE provision_key = ? AND id <> ?",
                          profile->provision_key, &profile->id, STORE_ID_TAKEN, err);
    }
    return result;
}

store_result_t store_profile_save(store_t *store, store_profile_t *profile, err_t *err)
{
    bool fresh = store_id_is_null(&profile->id);
    store_result_t result = check(store, profile, fresh, err);
    if (result != STORE_OK) {
        return result;
    }
    sqlite3_stmt *stmt = store_prepare(
        store,
        fresh ? "INSERT INTO profile(name, description, is_default, provision, provision_key,"
                " provision_secret, regex, allow_create, extra, id, created, version)"
                " VALUES(?,?,?,?,?,?,?,?,?,?,?,1)"
              : "UPDATE profile SET name=?, description=?, is_default=?, provision=?,"
                " provision_key=?, provision_secret=?, regex=?, allow_create=?, extra=?,"
                " version=version+1 WHERE id=?",
        err);
    if (stmt == NULL || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    profile->tenant = store->tenant;
    if (fresh) {
        store_id_new(&profile->id);
    }
    store_bind_text(stmt, 1, profile->name);
    store_bind_text(stmt, 2, profile->description);
    sqlite3_bind_int(stmt, 3, profile->is_default);
    sqlite3_bind_int(stmt, 4, (int)profile->provision);
    store_bind_text(stmt, 5, profile->provision_key);
    store_bind_text(stmt, 6, profile->provision_secret);
    store_bind_text(stmt, 7, profile->regex);
    sqlite3_bind_int(stmt, 8, profile->allow_create);
    store_bind_text(stmt, 9, profile->extra);
    store_bind_id(stmt, 10, &profile->id);
    if (fresh) {
        profile->created_ms = profile->created_ms != 0 ? profile->created_ms : clock_wall_ms();
        sqlite3_bind_int64(stmt, 11, profile->created_ms);
    }
    result = store_run(store, stmt, err);
    profile->version = fresh ? 1 : profile->version + 1;
    if (result == STORE_OK && !fresh) {
        store_profile_get(store, &profile->id, note_version, &profile->version, err);
    }
    return result;
}

store_result_t store_profile_delete(store_t *store, const store_id_t *id, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(
        store,
        "SELECT is_default OR EXISTS(SELECT 1 FROM device WHERE profile = ?1) FROM profile"
        " WHERE id = ?1",
        err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_id(stmt, 1, id);
    int row = store_step(store, stmt, err);
    bool in_use = row == 1 && sqlite3_column_int(stmt, 0) != 0;
    store_done(stmt);
    if (row != 1 || in_use) {
        return row < 0 ? STORE_FAILED : in_use ? STORE_IN_USE : STORE_NOT_FOUND;
    }
    stmt = store_prepare(store, "DELETE FROM profile WHERE id = ?", err);
    if (stmt == NULL || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    store_bind_id(stmt, 1, id);
    return store_run(store, stmt, err);
}

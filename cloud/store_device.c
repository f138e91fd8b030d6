/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/store_internal.h"

#include <stdio.h>
#include <string.h>

/* `active` is an attribute in the server's scope (3); its key's number is looked up by name. */
#define FROM                                                                                       \
    " FROM device d JOIN profile p ON p.id = d.profile LEFT JOIN attribute a ON a.device = d.row"  \
    " AND a.scope = 3 AND a.key = (SELECT id FROM key WHERE name = '" TB_ATTR_ACTIVE "') "
#define COLUMNS                                                                                    \
    "SELECT d.id, d.customer, d.profile, d.created, d.row, d.name, p.name, d.label, d.info,"       \
    " d.extra, ifnull(a.number, 0), d.version,"                                                    \
    " (SELECT title FROM customer c WHERE c.id = d.customer)" FROM

static void read_row(const store_t *store, sqlite3_stmt *stmt, store_device_t *device)
{
    memset(device, 0, sizeof *device);
    device->tenant = store->tenant;
    store_column_id(stmt, 0, &device->id);
    store_column_id(stmt, 1, &device->customer);
    store_column_id(stmt, 2, &device->profile);
    device->created_ms = sqlite3_column_int64(stmt, 3);
    device->row = sqlite3_column_int64(stmt, 4);
    snprintf(device->name, sizeof device->name, "%s", store_column_text(stmt, 5));
    snprintf(device->type, sizeof device->type, "%s", store_column_text(stmt, 6));
    device->label = store_column_text(stmt, 7);
    device->info = store_column_text(stmt, 8);
    device->extra = store_column_text(stmt, 9);
    device->active = sqlite3_column_int(stmt, 10) != 0;
    device->version = sqlite3_column_int64(stmt, 11);
    device->customer_title = store_column_text(stmt, 12);
}

static store_result_t one(store_t *store, sqlite3_stmt *stmt, store_device_fn_t each, void *ctx,
                          err_t *err)
{
    int row = store_step(store, stmt, err);
    if (row == 1) {
        store_device_t device;
        read_row(store, stmt, &device);
        each(ctx, &device);
    }
    store_done(stmt);
    return row == 1 ? STORE_OK : row == 0 ? STORE_NOT_FOUND : STORE_FAILED;
}

store_result_t store_device_get(store_t *store, const store_id_t *id, store_device_fn_t each,
                                void *ctx, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, COLUMNS "WHERE d.id = ?", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_id(stmt, 1, id);
    return one(store, stmt, each, ctx, err);
}

store_result_t store_device_by_name(store_t *store, const char *name, store_device_fn_t each,
                                    void *ctx, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, COLUMNS "WHERE d.name = ?", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_text(stmt, 1, name);
    return one(store, stmt, each, ctx, err);
}

/* Only a plain comparison lets SQLite use an index: whoever asks for the devices of a profile or a
   customer must not wait for all the others to be looked at. */
#define FILTER(profile, customer)                                                                  \
    "WHERE (d.name LIKE ?1 ESCAPE '\\' OR d.label LIKE ?1 ESCAPE '\\')"                            \
    " AND (?2 IS NULL OR p.name = ?2) AND " profile " AND " customer                               \
    " AND (?5 < 0 OR ifnull(a.number, 0) = ?5)"
#define OF_ALL      FILTER("(?3 IS NULL OR d.profile = ?3)", "(?4 IS NULL OR d.customer = ?4)")
#define OF_PROFILE  FILTER("d.profile = ?3", "(?4 IS NULL OR d.customer = ?4)")
#define OF_CUSTOMER FILTER("?3 IS NULL", "d.customer = ?4")

static size_t variant(const store_device_query_t *query)
{
    return query->profile != NULL ? 1 : query->customer != NULL ? 2 : 0;
}

static void bind_filter(sqlite3_stmt *stmt, const store_device_query_t *query, const char *like)
{
    store_bind_text(stmt, 1, like);
    store_bind_text(stmt, 2, query->type);
    if (query->profile != NULL) {
        store_bind_id(stmt, 3, query->profile);
    }
    if (query->customer != NULL) {
        store_bind_id(stmt, 4, query->customer);
    }
    sqlite3_bind_int(stmt, 5, query->active);
}

static bool count(store_t *store, const store_device_query_t *query, const char *like,
                  uint64_t *total, err_t *err)
{
    static const char *const texts[] = {"SELECT count(*)" FROM OF_ALL,
                                        "SELECT count(*)" FROM OF_PROFILE,
                                        "SELECT count(*)" FROM OF_CUSTOMER};
    sqlite3_stmt *stmt = store_prepare(store, texts[variant(query)], err);
    if (stmt == NULL) {
        return false;
    }
    bind_filter(stmt, query, like);
    int row = store_step(store, stmt, err);
    *total = row == 1 ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    store_done(stmt);
    return row == 1;
}

/* One prepared text an order: SQLite can then use the order of the rows. */
#define SORTED(filter)                                                                             \
    {                                                                                              \
        COLUMNS filter " ORDER BY d.row LIMIT ?6 OFFSET ?7",                                       \
            COLUMNS filter " ORDER BY d.row DESC LIMIT ?6 OFFSET ?7",                              \
            COLUMNS filter " ORDER BY d.name LIMIT ?6 OFFSET ?7",                                  \
            COLUMNS filter " ORDER BY d.name DESC LIMIT ?6 OFFSET ?7",                             \
            COLUMNS filter " ORDER BY p.name, d.row LIMIT ?6 OFFSET ?7",                           \
            COLUMNS filter " ORDER BY p.name DESC, d.row LIMIT ?6 OFFSET ?7",                      \
            COLUMNS filter " ORDER BY d.label, d.row LIMIT ?6 OFFSET ?7",                          \
            COLUMNS filter " ORDER BY d.label DESC, d.row LIMIT ?6 OFFSET ?7",                     \
    }

static const char *sorted(const store_device_query_t *query)
{
    static const char *const texts[3][8] = {SORTED(OF_ALL), SORTED(OF_PROFILE),
                                            SORTED(OF_CUSTOMER)};
    store_sort_t sort = query->page.sort;
    size_t at = (size_t)sort <= STORE_BY_LABEL ? 2 * (size_t)sort : 0;
    return texts[variant(query)][at + query->page.descending];
}

store_result_t store_device_list(store_t *store, const store_device_query_t *query,
                                 store_device_fn_t each, void *ctx, uint64_t *total, err_t *err)
{
    char like[2 * STORE_TEXT + 3];
    store_like(query->page.search, like);
    if (total != NULL && !count(store, query, like, total, err)) {
        return STORE_FAILED;
    }
    sqlite3_stmt *stmt = store_prepare(store, sorted(query), err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    bind_filter(stmt, query, like);
    sqlite3_bind_int64(stmt, 6, query->page.size);
    sqlite3_bind_int64(stmt, 7, (int64_t)query->page.size * query->page.page);
    int row;
    while ((row = store_step(store, stmt, err)) == 1) {
        store_device_t device;
        read_row(store, stmt, &device);
        each(ctx, &device);
    }
    store_done(stmt);
    return row < 0 ? STORE_FAILED : STORE_OK;
}

store_result_t store_device_row(store_t *store, const store_id_t *id, int64_t *row, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, "SELECT row FROM device WHERE id = ?", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_id(stmt, 1, id);
    int found = store_step(store, stmt, err);
    *row = found == 1 ? sqlite3_column_int64(stmt, 0) : 0;
    store_done(stmt);
    return found == 1 ? STORE_OK : found == 0 ? STORE_NOT_FOUND : STORE_FAILED;
}

/* ---- saving ---- */

static void note_profile(void *ctx, const store_profile_t *profile)
{
    store_device_t *device = ctx;
    device->profile = profile->id;
    memcpy(device->type, profile->name, sizeof device->type);
}

static void note_version(void *ctx, const store_device_t *device)
{
    store_device_t *out = ctx;
    out->version = device->version;
    out->row = device->row;
    out->created_ms = device->created_ms;
}

static store_result_t check(store_t *store, store_device_t *device, bool fresh, err_t *err)
{
    store_result_t result = store_check_text("Device name", device->name, false, err);
    if (result == STORE_OK) {
        result = store_check_text("Device label", device->label, true, err);
    }
    if (result == STORE_OK) {
        result = store_id_is_null(&device->profile)
                     ? store_profile_default(store, note_profile, device, err)
                     : store_profile_get(store, &device->profile, note_profile, device, err);
        if (result == STORE_NOT_FOUND) {
            err_set(err, ERR_INPUT, "Device is referencing to non-existent device profile!");
            result = STORE_INVALID;
        }
    }
    if (result == STORE_OK && !fresh) {
        store_device_t now = {.version = 0};
        result = store_device_get(store, &device->id, note_version, &now, err);
        if (result == STORE_OK && device->version >= 0 && device->version != now.version) {
            return STORE_CONFLICT;
        }
        device->row = now.row;
        device->created_ms = now.created_ms;
        device->version = now.version;
    }
    if (result != STORE_OK) {
        return result;
    }
    sqlite3_stmt *stmt =
        store_prepare(store, "SELECT 1 FROM device WHERE name = ? AND id <> ?", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    store_bind_text(stmt, 1, device->name);
    store_bind_id(stmt, 2, &device->id);
    int row = store_step(store, stmt, err);
    store_done(stmt);
    return row == 0 ? STORE_OK : row == 1 ? STORE_NAME_TAKEN : STORE_FAILED;
}

static store_result_t put_inactive(store_t *store, int64_t row, int64_t now_ms, err_t *err)
{
    const tb_value_t no = {.type = TB_BOOL, .u.b = false};
    return store_attribute_put(store, row, TB_SERVER_SCOPE, TB_ATTR_ACTIVE, strlen(TB_ATTR_ACTIVE),
                               &no, now_ms, err);
}

store_result_t store_device_save(store_t *store, store_device_t *device, int64_t now_ms, err_t *err)
{
    bool fresh = store_id_is_null(&device->id);
    store_result_t result = check(store, device, fresh, err);
    if (result != STORE_OK) {
        return result;
    }
    sqlite3_stmt *stmt = store_prepare(
        store,
        fresh ? "INSERT INTO device(customer, profile, name, label, info, extra, id, created,"
                " version) VALUES(?,?,?,?,?,?,?,?,1)"
              : "UPDATE device SET customer=?, profile=?, name=?, label=?, info=?, extra=?,"
                " version=version+1 WHERE id=?",
        err);
    if (stmt == NULL || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    device->tenant = store->tenant;
    if (fresh) {
        store_id_new(&device->id);
        device->created_ms = now_ms;
        device->version = 0;
    }
    if (store_id_is_null(&device->customer)) {
        device->customer = STORE_ID_NULL;
    } else {
        store_bind_id(stmt, 1, &device->customer); /* unassigned is SQL's NULL */
    }
    store_bind_id(stmt, 2, &device->profile);
    store_bind_text(stmt, 3, device->name);
    store_bind_text(stmt, 4, device->label);
    store_bind_text(stmt, 5, device->info);
    store_bind_text(stmt, 6, device->extra);
    store_bind_id(stmt, 7, &device->id);
    if (fresh) {
        sqlite3_bind_int64(stmt, 8, now_ms);
    }
    result = store_run(store, stmt, err);
    device->version++;
    if (result == STORE_OK && fresh) {
        device->row = sqlite3_last_insert_rowid(store->db);
        result = put_inactive(store, device->row, now_ms, err);
    }
    return result;
}

store_result_t store_device_delete(store_t *store, const store_id_t *id, err_t *err)
{
    static const char *const texts[] = {
        "DELETE FROM point WHERE device = ?",     "DELETE FROM latest WHERE device = ?",
        "DELETE FROM attribute WHERE device = ?", "DELETE FROM credentials WHERE device = ?",
        "DELETE FROM device WHERE row = ?",
    };
    int64_t row;
    store_result_t result = store_device_row(store, id, &row, err);
    for (size_t i = 0; result == STORE_OK && i < sizeof texts / sizeof texts[0]; i++) {
        sqlite3_stmt *stmt = store_prepare(store, texts[i], err);
        if (stmt == NULL || !store_begin(store, err)) {
            return STORE_FAILED;
        }
        sqlite3_bind_int64(stmt, 1, row);
        result = store_run(store, stmt, err);
    }
    return result;
}

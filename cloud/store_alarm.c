/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/store_internal.h"

#include <string.h>

#define COLUMNS                                                                                    \
    "SELECT a.id, a.created, a.customer, d.id, d.name, d.label, a.type, a.severity,"               \
    " a.acknowledged, a.cleared, a.start, a.finish, a.acked, a.cleared_at, a.details, a.extra "
#define FROM "FROM alarm a JOIN device d ON d.row = a.device "

static const char *const SEVERITIES[] = {"CRITICAL", "MAJOR", "MINOR", "WARNING", "INDETERMINATE"};

#define SEVERITY_COUNT (sizeof SEVERITIES / sizeof SEVERITIES[0])

static store_severity_t severity_of(const char *text)
{
    for (size_t i = 0; text != NULL && i < SEVERITY_COUNT; i++) {
        if (strcmp(text, SEVERITIES[i]) == 0) {
            return (store_severity_t)i;
        }
    }
    return STORE_INDETERMINATE;
}

static void hand_out(const store_t *store, sqlite3_stmt *stmt, store_alarm_fn_t each, void *ctx)
{
    store_alarm_t alarm = {.tenant = store->tenant,
                           .created_ms = sqlite3_column_int64(stmt, 1),
                           .device_name = store_column_text(stmt, 4),
                           .device_label = store_column_text(stmt, 5),
                           .type = store_column_text(stmt, 6),
                           .severity = severity_of(store_column_text(stmt, 7)),
                           .acknowledged = sqlite3_column_int(stmt, 8) != 0,
                           .cleared = sqlite3_column_int(stmt, 9) != 0,
                           .start_ms = sqlite3_column_int64(stmt, 10),
                           .end_ms = sqlite3_column_int64(stmt, 11),
                           .acked_ms = sqlite3_column_int64(stmt, 12),
                           .cleared_at_ms = sqlite3_column_int64(stmt, 13),
                           .details = store_column_text(stmt, 14),
                           .extra = store_column_text(stmt, 15)};
    store_column_id(stmt, 0, &alarm.id);
    store_column_id(stmt, 2, &alarm.customer);
    store_column_id(stmt, 3, &alarm.device);
    each(ctx, &alarm);
}

/* ---- reading ---- */

store_result_t store_alarm_get(store_t *store, const store_id_t *id, store_alarm_fn_t each,
                               void *ctx, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, COLUMNS FROM "WHERE a.id = ?", err);
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

/* Of one device: by the index, not by looking at everybody's. */
#define OF_ALL    FILTER("?1 IS NULL")
#define OF_DEVICE FILTER("a.device = (SELECT row FROM device WHERE id = ?1)")
#define FILTER(device)                                                                             \
    "WHERE " device " AND (?2 IS NULL OR a.customer = ?2)"                                         \
    " AND (?3 < 0 OR a.acknowledged = ?3) AND (?4 < 0 OR a.cleared = ?4)"                          \
    " AND (?5 IS NULL OR instr(?5, ',' || a.severity || ','))"                                     \
    " AND (?6 IS NULL OR instr(?6, ',' || a.type || ','))"                                         \
    " AND a.created >= ?7 AND (?8 = 0 OR a.created <= ?8)"                                         \
    " AND (a.type LIKE ?9 ESCAPE '\\' OR d.name LIKE ?9 ESCAPE '\\'"                               \
    " OR d.label LIKE ?9 ESCAPE '\\')"
#define ORDER(way) " ORDER BY a.created " way ", a.rowid " way " LIMIT ?10 OFFSET ?11"

/* The texts of a query, which must live as long as a statement is bound to them. */
typedef struct {
    char like[2 * STORE_TEXT + 3];
    char severities[64];
} texts_t;

static void make_texts(const store_alarm_query_t *q, texts_t *texts)
{
    store_like(q->page.search, texts->like);
    strcpy(texts->severities, ",");
    for (size_t i = 0; i < SEVERITY_COUNT; i++) {
        if ((q->severities & 1u << i) != 0) {
            strcat(texts->severities, SEVERITIES[i]);
            strcat(texts->severities, ",");
        }
    }
}

static void bind_filter(sqlite3_stmt *stmt, const store_alarm_query_t *q, const texts_t *texts)
{
    if (q->device != NULL) {
        store_bind_id(stmt, 1, q->device);
    }
    if (q->customer != NULL) {
        store_bind_id(stmt, 2, q->customer);
    }
    sqlite3_bind_int(stmt, 3, q->acknowledged);
    sqlite3_bind_int(stmt, 4, q->cleared);
    store_bind_text(stmt, 5, q->severities != 0 ? texts->severities : NULL);
    store_bind_text(stmt, 6, q->types);
    sqlite3_bind_int64(stmt, 7, q->from_ms);
    sqlite3_bind_int64(stmt, 8, q->to_ms);
    store_bind_text(stmt, 9, texts->like);
}

store_result_t store_alarm_list(store_t *store, const store_alarm_query_t *query,
                                store_alarm_fn_t each, void *ctx, uint64_t *total, err_t *err)
{
    texts_t texts;
    make_texts(query, &texts);
    static const char *const counts[] = {"SELECT count(*) " FROM OF_ALL,
                                         "SELECT count(*) " FROM OF_DEVICE};
    static const char *const lists[2][2] = {
        {COLUMNS FROM OF_ALL ORDER("ASC"), COLUMNS FROM OF_ALL ORDER("DESC")},
        {COLUMNS FROM OF_DEVICE ORDER("ASC"), COLUMNS FROM OF_DEVICE ORDER("DESC")}};
    size_t variant = query->device != NULL;
    sqlite3_stmt *stmt = store_prepare(store, counts[variant], err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    bind_filter(stmt, query, &texts);
    int row = store_step(store, stmt, err);
    *total = row == 1 ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    store_done(stmt);
    if (row != 1) {
        return STORE_FAILED;
    }
    stmt = store_prepare(store, lists[variant][query->page.descending], err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    bind_filter(stmt, query, &texts);
    sqlite3_bind_int64(stmt, 10, query->page.size);
    sqlite3_bind_int64(stmt, 11, (int64_t)query->page.size * query->page.page);
    while ((row = store_step(store, stmt, err)) == 1) {
        hand_out(store, stmt, each, ctx);
    }
    store_done(stmt);
    return row < 0 ? STORE_FAILED : STORE_OK;
}

/* ---- writing ---- */

/* The active alarm of that type; *id stays null when there is none. */
static store_result_t find_active(store_t *store, int64_t device, const char *type, store_id_t *id,
                                  err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(
        store, "SELECT id FROM alarm WHERE device = ? AND type = ? AND cleared = 0", err);
    if (stmt == NULL) {
        return STORE_FAILED;
    }
    sqlite3_bind_int64(stmt, 1, device);
    store_bind_text(stmt, 2, type);
    int row = store_step(store, stmt, err);
    if (row == 1) {
        store_column_id(stmt, 0, id);
    }
    store_done(stmt);
    return row < 0 ? STORE_FAILED : STORE_OK;
}

static store_result_t insert(store_t *store, store_alarm_t *a, int64_t device, int64_t now_ms,
                             err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(
        store,
        "INSERT INTO alarm(id, created, customer, device, type, severity, acknowledged, cleared,"
        " start, finish, acked, cleared_at, details, extra)"
        " SELECT ?, ?, customer, row, ?, ?, 0, 0, ?, ?, 0, 0, ?, ? FROM device WHERE row = ?",
        err);
    if (stmt == NULL || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    store_id_new(&a->id);
    a->created_ms = now_ms;
    store_bind_id(stmt, 1, &a->id);
    sqlite3_bind_int64(stmt, 2, now_ms);
    store_bind_text(stmt, 3, a->type);
    store_bind_text(stmt, 4, SEVERITIES[a->severity]);
    sqlite3_bind_int64(stmt, 5, a->start_ms);
    sqlite3_bind_int64(stmt, 6, a->end_ms);
    store_bind_text(stmt, 7, a->details);
    store_bind_text(stmt, 8, a->extra);
    sqlite3_bind_int64(stmt, 9, device);
    return store_run(store, stmt, err);
}

/* One that changed nothing says STORE_NOT_FOUND. */
static store_result_t run_one(store_t *store, sqlite3_stmt *stmt, err_t *err)
{
    store_result_t result = store_run(store, stmt, err);
    return result == STORE_OK && sqlite3_changes(store->db) == 0 ? STORE_NOT_FOUND : result;
}

static store_result_t update(store_t *store, const store_alarm_t *a, err_t *err)
{
    sqlite3_stmt *stmt =
        store_prepare(store,
                      "UPDATE alarm SET severity = ?, start = ?, finish = ?, details = ?, extra = ?"
                      " WHERE id = ?",
                      err);
    if (stmt == NULL || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    store_bind_text(stmt, 1, SEVERITIES[a->severity]);
    sqlite3_bind_int64(stmt, 2, a->start_ms);
    sqlite3_bind_int64(stmt, 3, a->end_ms);
    store_bind_text(stmt, 4, a->details);
    store_bind_text(stmt, 5, a->extra);
    store_bind_id(stmt, 6, &a->id);
    return run_one(store, stmt, err);
}

store_result_t store_alarm_save(store_t *store, store_alarm_t *alarm, int64_t now_ms, err_t *err)
{
    int64_t device;
    store_result_t result = store_check_text("Alarm type", alarm->type, true, err);
    if (result == STORE_OK && alarm->details != NULL && strlen(alarm->details) > STORE_JSON_MAX) {
        err_set(err, ERR_INPUT, "Alarm details are longer than %d bytes", STORE_JSON_MAX);
        result = STORE_INVALID;
    }
    if (result == STORE_OK && (unsigned)alarm->severity >= SEVERITY_COUNT) {
        result = STORE_INVALID;
        err_set(err, ERR_INPUT, "Alarm severity is none");
    }
    if (result != STORE_OK) {
        return result;
    }
    alarm->start_ms = alarm->start_ms != 0 ? alarm->start_ms : now_ms;
    alarm->end_ms = alarm->end_ms != 0 ? alarm->end_ms : alarm->start_ms;
    if (store_id_is_null(&alarm->id)) {
        result = store_device_row(store, &alarm->device, &device, err);
        if (result == STORE_OK) {
            result = find_active(store, device, alarm->type, &alarm->id, err);
        }
        if (result != STORE_OK || store_id_is_null(&alarm->id)) {
            return result == STORE_OK ? insert(store, alarm, device, now_ms, err) : result;
        }
    }
    return update(store, alarm, err);
}

typedef struct {
    bool acknowledged;
    bool cleared;
} state_t;

static void note_state(void *ctx, const store_alarm_t *alarm)
{
    *(state_t *)ctx = (state_t){alarm->acknowledged, alarm->cleared};
}

static store_result_t mark(store_t *store, const store_id_t *id, bool clear, int64_t now_ms,
                           err_t *err)
{
    state_t state;
    store_result_t result = store_alarm_get(store, id, note_state, &state, err);
    if (result != STORE_OK) {
        return result;
    }
    if (clear ? state.cleared : state.acknowledged) {
        return STORE_CONFLICT;
    }
    sqlite3_stmt *stmt =
        clear
            ? store_prepare(store, "UPDATE alarm SET cleared = 1, cleared_at = ? WHERE id = ?", err)
            : store_prepare(store, "UPDATE alarm SET acknowledged = 1, acked = ? WHERE id = ?",
                            err);
    if (stmt == NULL || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    sqlite3_bind_int64(stmt, 1, now_ms);
    store_bind_id(stmt, 2, id);
    return run_one(store, stmt, err);
}

store_result_t store_alarm_acknowledge(store_t *store, const store_id_t *id, int64_t now_ms,
                                       err_t *err)
{
    return mark(store, id, false, now_ms, err);
}

store_result_t store_alarm_clear(store_t *store, const store_id_t *id, int64_t now_ms, err_t *err)
{
    return mark(store, id, true, now_ms, err);
}

store_result_t store_alarm_delete(store_t *store, const store_id_t *id, err_t *err)
{
    sqlite3_stmt *stmt = store_prepare(store, "DELETE FROM alarm WHERE id = ?", err);
    if (stmt == NULL || !store_begin(store, err)) {
        return STORE_FAILED;
    }
    store_bind_id(stmt, 1, id);
    return run_one(store, stmt, err);
}

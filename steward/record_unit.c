/* SPDX-License-Identifier: Apache-2.0 */
/* Units and their epochs. */
#include <string.h>

#include "steward/record_internal.h"

#define UNIT_COLUMNS                                                                               \
    "SELECT sn, device, owner, was_owned, claims_on, stolen, lock, unclaimed, dispose, consent,"   \
    " notified, packed, packed_leaf, has_code, code_hash FROM unit "

static bool read_unit(sqlite3_stmt *stmt, record_unit_t *unit, err_t *err)
{
    record_row_t row = {.stmt = stmt};
    memset(unit, 0, sizeof *unit);
    record_row_text(&row, "sn", unit->sn, sizeof unit->sn);
    record_row_text(&row, "device", unit->device, sizeof unit->device);
    record_row_text(&row, "owner", unit->owner, sizeof unit->owner);
    unit->was_owned = record_row_bool(&row, "was_owned");
    unit->claims_on = record_row_bool(&row, "claims_on");
    unit->stolen = record_row_bool(&row, "stolen");
    unit->policy.lock = (ownership_lock_t)record_row_below(&row, "lock", OWNERSHIP_LOCKED + 1);
    unit->policy.unclaimed =
        (ownership_unclaimed_t)record_row_below(&row, "unclaimed", OWNERSHIP_KEEP + 1);
    unit->policy.dispose =
        (ownership_dispose_t)record_row_below(&row, "dispose", OWNERSHIP_REASSIGN + 1);
    unit->consent = (ownership_consent_t)record_row_below(&row, "consent", OWNERSHIP_CONSENTS);
    unit->notified = record_row_i64(&row, "notified");
    unit->packed = record_row_bool(&row, "packed");
    record_row_blob(&row, "packed_leaf", unit->packed_leaf, sizeof unit->packed_leaf);
    unit->has_code = record_row_bool(&row, "has_code");
    record_row_blob(&row, "code_hash", unit->code_hash, sizeof unit->code_hash);
    return record_row_ok(&row, "unit", unit->sn, err);
}

static bool one_unit(record_t *record, sqlite3_stmt *stmt, const char *name, record_unit_t *unit,
                     bool *found, err_t *err)
{
    *found = false;
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, name);
    int row = record_step(record, stmt, err);
    bool ok = row == 0 || (row == 1 && read_unit(stmt, unit, err));
    *found = ok && row == 1;
    record_done(stmt);
    return ok;
}

bool record_unit_get(record_t *record, const char *sn, record_unit_t *unit, bool *found, err_t *err)
{
    return one_unit(record, record_prepare(record, UNIT_COLUMNS "WHERE sn = ?", err), sn, unit,
                    found, err);
}

bool record_unit_by_device(record_t *record, const char *device, record_unit_t *unit, bool *found,
                           err_t *err)
{
    *found = false;
    return device[0] == '\0' ||
           one_unit(record,
                    record_prepare(record, UNIT_COLUMNS "WHERE device = ? AND device <> ''", err),
                    device, unit, found, err);
}

/* Two units behind one record in the cloud would be a mix-up of owners. */
static bool check_device(record_t *record, const record_unit_t *unit, err_t *err)
{
    record_unit_t other;
    bool found;
    if (!record_unit_by_device(record, unit->device, &other, &found, err)) {
        return false;
    }
    return !found || strcmp(other.sn, unit->sn) == 0 ||
           err_set(err, ERR_PRECONDITION, "device %s of the cloud is %s already, not %s",
                   unit->device, other.sn, unit->sn);
}

bool record_unit_put(record_t *record, const record_unit_t *unit, err_t *err)
{
    if (!check_device(record, unit, err)) {
        return false;
    }
    sqlite3_stmt *stmt = record_prepare(
        record,
        "INSERT INTO unit VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(sn) DO UPDATE SET"
        " device=excluded.device, owner=excluded.owner, was_owned=excluded.was_owned,"
        " claims_on=excluded.claims_on, stolen=excluded.stolen, lock=excluded.lock,"
        " unclaimed=excluded.unclaimed, dispose=excluded.dispose, consent=excluded.consent,"
        " notified=excluded.notified, packed=excluded.packed, packed_leaf=excluded.packed_leaf,"
        " has_code=excluded.has_code, code_hash=excluded.code_hash",
        err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, unit->sn);
    record_bind_text(stmt, 2, unit->device);
    record_bind_text(stmt, 3, unit->owner);
    sqlite3_bind_int(stmt, 4, unit->was_owned);
    sqlite3_bind_int(stmt, 5, unit->claims_on);
    sqlite3_bind_int(stmt, 6, unit->stolen);
    sqlite3_bind_int(stmt, 7, (int)unit->policy.lock);
    sqlite3_bind_int(stmt, 8, (int)unit->policy.unclaimed);
    sqlite3_bind_int(stmt, 9, (int)unit->policy.dispose);
    sqlite3_bind_int(stmt, 10, (int)unit->consent);
    sqlite3_bind_int64(stmt, 11, unit->notified);
    sqlite3_bind_int(stmt, 12, unit->packed);
    record_bind_blob(stmt, 13, unit->packed_leaf, sizeof unit->packed_leaf);
    sqlite3_bind_int(stmt, 14, unit->has_code);
    record_bind_blob(stmt, 15, unit->code_hash, sizeof unit->code_hash);
    return record_run(record, stmt, err);
}

bool record_units(record_t *record, const char *owner, const char *after, record_unit_fn each,
                  void *ctx, err_t *err)
{
    sqlite3_stmt *stmt =
        owner != NULL
            ? record_walk(record,
                          UNIT_COLUMNS "WHERE sn > ?1 AND owner = ?2 AND owner <> '' ORDER BY sn",
                          err)
            : record_walk(record, UNIT_COLUMNS "WHERE sn > ?1 ORDER BY sn", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, after);
    if (owner != NULL) {
        record_bind_text(stmt, 2, owner);
    }
    record_unit_t unit;
    int row;
    bool ok = true;
    while ((row = record_step(record, stmt, err)) == 1) {
        ok = read_unit(stmt, &unit, err);
        if (!ok || !each(ctx, &unit)) {
            break;
        }
    }
    sqlite3_finalize(stmt);
    return ok && row >= 0;
}

/* ---- epochs ---- */

#define EPOCH_COLUMNS "SELECT epoch, current, seen, decided, claimant, streams FROM epoch "

static bool read_epoch(sqlite3_stmt *stmt, const char *sn, record_epoch_t *epoch, err_t *err)
{
    record_row_t row = {.stmt = stmt};
    memset(epoch, 0, sizeof *epoch);
    record_row_blob(&row, "epoch", epoch->epoch, sizeof epoch->epoch);
    epoch->current = record_row_bool(&row, "current");
    epoch->seen = record_row_i64(&row, "seen");
    epoch->decided = record_row_bool(&row, "decided");
    record_row_text(&row, "claimant", epoch->claimant, sizeof epoch->claimant);
    epoch->streams = record_row_bool(&row, "streams");
    return record_row_ok(&row, "epoch", sn, err);
}

static bool one_epoch(record_t *record, sqlite3_stmt *stmt, const char *sn, record_epoch_t *epoch,
                      bool *found, err_t *err)
{
    int row = record_step(record, stmt, err);
    bool ok = row == 0 || (row == 1 && read_epoch(stmt, sn, epoch, err));
    *found = ok && row == 1;
    record_done(stmt);
    return ok;
}

bool record_epoch_get(record_t *record, const char *sn, const uint8_t epoch[JWS_EPOCH_SIZE],
                      record_epoch_t *row, bool *found, err_t *err)
{
    *found = false;
    sqlite3_stmt *stmt = record_prepare(record, EPOCH_COLUMNS "WHERE sn = ? AND epoch = ?", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, sn);
    record_bind_blob(stmt, 2, epoch, JWS_EPOCH_SIZE);
    return one_epoch(record, stmt, sn, row, found, err);
}

bool record_epoch_current(record_t *record, const char *sn, record_epoch_t *row, bool *found,
                          err_t *err)
{
    *found = false;
    sqlite3_stmt *stmt = record_prepare(record, EPOCH_COLUMNS "WHERE sn = ? AND current = 1", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, sn);
    return one_epoch(record, stmt, sn, row, found, err);
}

static bool close_epochs(record_t *record, const char *sn, const record_epoch_t *row, err_t *err)
{
    sqlite3_stmt *stmt = record_prepare(
        record, "UPDATE epoch SET current = 0 WHERE sn = ? AND current = 1 AND epoch <> ?", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, sn);
    record_bind_blob(stmt, 2, row->epoch, sizeof row->epoch);
    return record_run(record, stmt, err);
}

static bool write_epoch(record_t *record, const char *sn, const record_epoch_t *row, err_t *err)
{
    sqlite3_stmt *stmt = record_prepare(
        record,
        "INSERT INTO epoch(sn, epoch, current, seen, decided, claimant, streams)"
        " VALUES(?,?,?,?,?,?,?) ON CONFLICT(sn, epoch) DO UPDATE SET current=excluded.current,"
        " seen=excluded.seen, decided=excluded.decided, claimant=excluded.claimant,"
        " streams=excluded.streams",
        err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, sn);
    record_bind_blob(stmt, 2, row->epoch, sizeof row->epoch);
    sqlite3_bind_int(stmt, 3, row->current);
    sqlite3_bind_int64(stmt, 4, row->seen);
    sqlite3_bind_int(stmt, 5, row->decided);
    record_bind_text(stmt, 6, row->claimant);
    sqlite3_bind_int(stmt, 7, row->streams);
    return record_run(record, stmt, err);
}

bool record_epoch_put(record_t *record, const char *sn, const record_epoch_t *row, err_t *err)
{
    record_scope_t scope;
    if (!record_scope_begin(record, &scope, err)) {
        return false;
    }
    bool ok =
        (!row->current || close_epochs(record, sn, row, err)) && write_epoch(record, sn, row, err);
    return record_scope_end(record, scope, ok, err);
}

bool record_epochs(record_t *record, const char *sn, record_epoch_fn each, void *ctx, err_t *err)
{
    sqlite3_stmt *stmt = record_walk(record, EPOCH_COLUMNS "WHERE sn = ? ORDER BY row", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, sn);
    record_epoch_t epoch;
    int row;
    bool ok = true;
    while ((row = record_step(record, stmt, err)) == 1) {
        ok = read_epoch(stmt, sn, &epoch, err);
        if (!ok || !each(ctx, &epoch)) {
            break;
        }
    }
    sqlite3_finalize(stmt);
    return ok && row >= 0;
}

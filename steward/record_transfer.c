/* SPDX-License-Identifier: Apache-2.0 */
/* The journal of transfers, and their receipts. */
#include <string.h>

#include "steward/record_internal.h"

#define COLUMNS "SELECT row, id, sn, former, next, leaf, begun, ended, state FROM transfer "

static bool read_transfer(sqlite3_stmt *stmt, record_transfer_t *transfer, err_t *err)
{
    char state[TRANSFER_TEXT_MAX + 1];
    record_row_t row = {.stmt = stmt};
    memset(transfer, 0, sizeof *transfer);
    transfer->row = record_row_i64(&row, "row");
    record_row_blob(&row, "id", transfer->id, sizeof transfer->id);
    record_row_text(&row, "sn", transfer->sn, sizeof transfer->sn);
    record_row_text(&row, "former", transfer->from, sizeof transfer->from);
    record_row_text(&row, "next", transfer->to, sizeof transfer->to);
    record_row_blob(&row, "leaf", transfer->leaf, sizeof transfer->leaf);
    transfer->begun = record_row_i64(&row, "begun");
    transfer->ended = record_row_bool(&row, "ended");
    record_row_text(&row, "state", state, sizeof state);
    if (row.fault == NULL && !transfer_load(&transfer->transfer, state, strlen(state))) {
        row.fault = "state";
    }
    return record_row_ok(&row, "a transfer of", transfer->sn, err);
}

bool record_transfer_open(record_t *record, const char *sn, record_transfer_t *transfer,
                          bool *found, err_t *err)
{
    *found = false;
    sqlite3_stmt *stmt = record_prepare(record, COLUMNS "WHERE sn = ? AND ended = 0", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, sn);
    int row = record_step(record, stmt, err);
    bool ok = row == 0 || (row == 1 && read_transfer(stmt, transfer, err));
    *found = ok && row == 1;
    record_done(stmt);
    return ok;
}

bool record_transfers(record_t *record, record_transfer_fn each, void *ctx, err_t *err)
{
    sqlite3_stmt *stmt = record_walk(record, COLUMNS "WHERE ended = 0 ORDER BY row", err);
    if (stmt == NULL) {
        return false;
    }
    record_transfer_t transfer;
    int row;
    bool ok = true;
    while ((row = record_step(record, stmt, err)) == 1) {
        ok = read_transfer(stmt, &transfer, err);
        if (!ok || !each(ctx, &transfer)) {
            break;
        }
    }
    sqlite3_finalize(stmt);
    return ok && row >= 0;
}

static bool insert_transfer(record_t *record, record_transfer_t *transfer, const char *state,
                            err_t *err)
{
    sqlite3_stmt *stmt = record_prepare(
        record,
        "INSERT INTO transfer(id, sn, former, next, leaf, begun, ended, state)"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE ?7 = 1 OR NOT EXISTS (SELECT 1 FROM transfer"
        " WHERE sn = ?2 AND ended = 0)",
        err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_blob(stmt, 1, transfer->id, sizeof transfer->id);
    record_bind_text(stmt, 2, transfer->sn);
    record_bind_text(stmt, 3, transfer->from);
    record_bind_text(stmt, 4, transfer->to);
    record_bind_blob(stmt, 5, transfer->leaf, sizeof transfer->leaf);
    sqlite3_bind_int64(stmt, 6, transfer->begun);
    sqlite3_bind_int(stmt, 7, transfer->ended);
    record_bind_text(stmt, 8, state);
    if (!record_run(record, stmt, err)) {
        return false;
    }
    if (record_changes(record) != 1) {
        return err_set(err, ERR_PRECONDITION, "a transfer of %s has begun already", transfer->sn);
    }
    transfer->row = sqlite3_last_insert_rowid(record->db);
    return true;
}

/* What it is about does not change any more. */
static bool update_transfer(record_t *record, const record_transfer_t *transfer, const char *state,
                            err_t *err)
{
    sqlite3_stmt *stmt = record_prepare(
        record, "UPDATE transfer SET leaf = ?, ended = ?, state = ? WHERE row = ? AND sn = ?", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_blob(stmt, 1, transfer->leaf, sizeof transfer->leaf);
    sqlite3_bind_int(stmt, 2, transfer->ended);
    record_bind_text(stmt, 3, state);
    sqlite3_bind_int64(stmt, 4, transfer->row);
    record_bind_text(stmt, 5, transfer->sn);
    return record_run(record, stmt, err) &&
           (record_changes(record) == 1 ||
            err_set(err, ERR_PRECONDITION, "there is no such transfer of %s", transfer->sn));
}

bool record_transfer_put(record_t *record, record_transfer_t *transfer, err_t *err)
{
    char state[TRANSFER_TEXT_MAX + 1];
    size_t len;
    if (!transfer_save(&transfer->transfer, state, TRANSFER_TEXT_MAX, &len)) {
        return err_set(err, ERR_USAGE, "this transfer of %s cannot be kept", transfer->sn);
    }
    state[len] = '\0';
    return transfer->row == 0 ? insert_transfer(record, transfer, state, err)
                              : update_transfer(record, transfer, state, err);
}

/* ---- receipts ---- */

bool record_receipt_put(record_t *record, const record_transfer_t *transfer, const char *jws,
                        const char link[RECORD_LINK_SIZE], int64_t issued, int64_t expires,
                        err_t *err)
{
    sqlite3_stmt *stmt =
        record_prepare(record, "INSERT OR IGNORE INTO receipt VALUES(?,?,?,?,?,?,?)", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_blob(stmt, 1, transfer->id, sizeof transfer->id);
    record_bind_text(stmt, 2, transfer->sn);
    record_bind_text(stmt, 3, transfer->from);
    record_bind_text(stmt, 4, jws);
    record_bind_text(stmt, 5, link);
    sqlite3_bind_int64(stmt, 6, issued);
    sqlite3_bind_int64(stmt, 7, expires);
    return record_run(record, stmt, err) &&
           (record_changes(record) == 1 ||
            err_set(err, ERR_PRECONDITION, "there is a receipt of this transfer of %s already",
                    transfer->sn));
}

bool record_receipt_has(record_t *record, const uint8_t id[JWS_NONCE_SIZE], bool *found, err_t *err)
{
    *found = false;
    sqlite3_stmt *stmt = record_prepare(record, "SELECT 1 FROM receipt WHERE id = ?", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_blob(stmt, 1, id, JWS_NONCE_SIZE);
    int step = record_step(record, stmt, err);
    *found = step == 1;
    record_done(stmt);
    return step >= 0;
}

bool record_receipt_get(record_t *record, const char *link, int64_t now, char *out, bool *found,
                        err_t *err)
{
    *found = false;
    sqlite3_stmt *stmt =
        record_prepare(record, "SELECT jws FROM receipt WHERE link = ? AND expires > ?", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, link);
    sqlite3_bind_int64(stmt, 2, now);
    int step = record_step(record, stmt, err);
    record_row_t row = {.stmt = stmt};
    if (step == 1) {
        record_row_text(&row, "jws", out, JWS_RECEIPT_MAX + 1);
    }
    bool ok = step >= 0 && record_row_ok(&row, "a", "receipt", err);
    *found = ok && step == 1;
    record_done(stmt);
    return ok;
}

bool record_receipts(record_t *record, const char *former_owner, int64_t now,
                     record_receipt_fn each, void *ctx, err_t *err)
{
    sqlite3_stmt *stmt = record_walk(
        record,
        "SELECT sn, issued, link FROM receipt WHERE (?1 IS NULL OR former = ?1) AND expires > ?2"
        " ORDER BY issued, sn",
        err);
    if (stmt == NULL) {
        return false;
    }
    if (former_owner != NULL) {
        record_bind_text(stmt, 1, former_owner);
    }
    sqlite3_bind_int64(stmt, 2, now);
    int step;
    bool ok = true;
    while ((step = record_step(record, stmt, err)) == 1) {
        char sn[RECORD_SN_SIZE];
        char link[RECORD_LINK_SIZE];
        record_row_t row = {.stmt = stmt};
        record_row_text(&row, "sn", sn, sizeof sn);
        int64_t issued = record_row_i64(&row, "issued");
        record_row_text(&row, "link", link, sizeof link);
        ok = record_row_ok(&row, "a receipt of", sn, err);
        if (!ok || !each(ctx, sn, issued, link)) {
            break;
        }
    }
    sqlite3_finalize(stmt);
    return ok && step >= 0;
}

bool record_receipt_revoke(record_t *record, const char *link, err_t *err)
{
    sqlite3_stmt *stmt =
        record_prepare(record, "UPDATE receipt SET expires = 0 WHERE link = ?", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, link);
    return record_run(record, stmt, err) &&
           (record_changes(record) == 1 ||
            err_set(err, ERR_PRECONDITION, "there is no receipt with this link"));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What was asked and answered, tickets that were used, claim codes that were entered. */
#include <string.h>

#include "steward/record_internal.h"

bool record_question_get(record_t *record, const char *name, record_outcome_t *outcome, bool *found,
                         err_t *err)
{
    *found = false;
    sqlite3_stmt *stmt = record_prepare(
        record, "SELECT result, reason, has_leaf, leaf FROM question WHERE name = ?", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, name);
    int step = record_step(record, stmt, err);
    bool ok = step >= 0;
    if (step == 1) {
        record_row_t row = {.stmt = stmt};
        memset(outcome, 0, sizeof *outcome);
        outcome->result = (answer_result_t)record_row_below(&row, "result", ANSWER_RESULTS);
        outcome->reason = (answer_reason_t)record_row_below(&row, "reason", ANSWER_REASONS);
        outcome->has_leaf = record_row_bool(&row, "has_leaf");
        record_row_blob(&row, "leaf", outcome->leaf, sizeof outcome->leaf);
        ok = record_row_ok(&row, "question", name, err);
        *found = ok;
    }
    record_done(stmt);
    return ok;
}

bool record_question_put(record_t *record, const char *sn, const char *name,
                         const record_outcome_t *outcome, err_t *err)
{
    sqlite3_stmt *stmt =
        record_prepare(record, "INSERT OR REPLACE INTO question VALUES(?,?,?,?,?,?)", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, name);
    record_bind_text(stmt, 2, sn);
    sqlite3_bind_int(stmt, 3, (int)outcome->result);
    sqlite3_bind_int(stmt, 4, (int)outcome->reason);
    sqlite3_bind_int(stmt, 5, outcome->has_leaf);
    record_bind_blob(stmt, 6, outcome->leaf, sizeof outcome->leaf);
    return record_run(record, stmt, err);
}

/* ---- tickets ---- */

bool record_ticket_used(record_t *record, const uint8_t id[JWS_NONCE_SIZE], const char *name,
                        bool *other, err_t *err)
{
    *other = false;
    sqlite3_stmt *stmt = record_prepare(record, "SELECT name <> ?2 FROM ticket WHERE id = ?1", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_blob(stmt, 1, id, JWS_NONCE_SIZE);
    record_bind_text(stmt, 2, name);
    int step = record_step(record, stmt, err);
    *other = step == 1 && sqlite3_column_int(stmt, 0) != 0;
    record_done(stmt);
    return step >= 0;
}

bool record_ticket_use(record_t *record, const uint8_t id[JWS_NONCE_SIZE], const char *name,
                       int64_t expires, bool *other, err_t *err)
{
    *other = false;
    sqlite3_stmt *stmt = record_prepare(record, "INSERT OR IGNORE INTO ticket VALUES(?,?,?)", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_blob(stmt, 1, id, JWS_NONCE_SIZE);
    record_bind_text(stmt, 2, name);
    sqlite3_bind_int64(stmt, 3, expires);
    return record_run(record, stmt, err) && record_ticket_used(record, id, name, other, err);
}

bool record_tickets_forget(record_t *record, int64_t now, err_t *err)
{
    sqlite3_stmt *stmt = record_prepare(record, "DELETE FROM ticket WHERE expires < ?", err);
    if (stmt == NULL) {
        return false;
    }
    sqlite3_bind_int64(stmt, 1, now);
    return record_run(record, stmt, err);
}

/* ---- claim codes ---- */

/* Of one account only so many are kept, so that nobody pushes another's entry out. */
#define CODES_OF_ACCOUNT 4

static bool forget_codes(record_t *record, const char *sn, const char *account, err_t *err)
{
    sqlite3_stmt *stmt = record_prepare(
        record,
        "DELETE FROM code WHERE sn = ?1 AND account = ?2 AND row NOT IN (SELECT row FROM code"
        " WHERE sn = ?1 AND account = ?2 ORDER BY row DESC LIMIT ?3)",
        err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, sn);
    record_bind_text(stmt, 2, account);
    sqlite3_bind_int(stmt, 3, CODES_OF_ACCOUNT);
    return record_run(record, stmt, err);
}

static bool add_code(record_t *record, const char *sn, const char *account, int64_t now, err_t *err)
{
    sqlite3_stmt *stmt =
        record_prepare(record, "INSERT INTO code(sn, account, entered) VALUES(?,?,?)", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, sn);
    record_bind_text(stmt, 2, account);
    sqlite3_bind_int64(stmt, 3, now);
    return record_run(record, stmt, err);
}

bool record_code_put(record_t *record, const char *sn, const char *account, int64_t now, err_t *err)
{
    record_scope_t scope;
    return record_scope_begin(record, &scope, err) &&
           record_scope_end(record, scope,
                            add_code(record, sn, account, now, err) &&
                                forget_codes(record, sn, account, err),
                            err);
}

bool record_codes(record_t *record, const char *sn, record_code_t codes[RECORD_CODES_MAX],
                  size_t *count, err_t *err)
{
    *count = 0;
    sqlite3_stmt *stmt = record_walk(
        record, "SELECT entered, account FROM code WHERE sn = ? ORDER BY row DESC LIMIT ?", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, sn);
    sqlite3_bind_int(stmt, 2, RECORD_CODES_MAX);
    int step;
    bool ok = true;
    while (ok && *count < RECORD_CODES_MAX && (step = record_step(record, stmt, err)) != 0) {
        record_row_t row = {.stmt = stmt};
        record_code_t *code = &codes[*count];
        ok = step == 1;
        if (ok) {
            code->entered = record_row_i64(&row, "entered");
            record_row_text(&row, "account", code->by, sizeof code->by);
            ok = record_row_ok(&row, "a code of", sn, err);
        }
        *count += ok;
    }
    sqlite3_finalize(stmt);
    return ok;
}

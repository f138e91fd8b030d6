/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and their standing. */
#include <string.h>

#include "steward/record_internal.h"

#define COLUMNS                                                                                    \
    "SELECT sn, hash, key, cert, not_after, standing, birth, by_claim, epoch, claimant FROM key "

static bool read_key(sqlite3_stmt *stmt, record_key_t *key, err_t *err)
{
    record_row_t row = {.stmt = stmt};
    memset(key, 0, sizeof *key);
    record_row_text(&row, "sn", key->sn, sizeof key->sn);
    record_row_blob(&row, "hash", key->hash, sizeof key->hash);
    record_row_blob(&row, "key", key->key, sizeof key->key);
    record_row_bytes(&row, "cert", key->cert, sizeof key->cert, &key->cert_len);
    key->not_after = record_row_i64(&row, "not_after");
    key->standing = (ownership_key_t)record_row_below(&row, "standing", OWNERSHIP_KEY_STANDINGS);
    key->birth = record_row_bool(&row, "birth");
    key->by_claim = record_row_bool(&row, "by_claim");
    record_row_blob(&row, "epoch", key->epoch, sizeof key->epoch);
    record_row_text(&row, "claimant", key->claimant, sizeof key->claimant);
    return record_row_ok(&row, "a key of", key->sn, err);
}

static bool one_key(record_t *record, sqlite3_stmt *stmt, record_key_t *key, bool *found,
                    err_t *err)
{
    int row = record_step(record, stmt, err);
    bool ok = row == 0 || (row == 1 && read_key(stmt, key, err));
    *found = ok && row == 1;
    record_done(stmt);
    return ok;
}

bool record_key_get(record_t *record, const uint8_t hash[JWS_HASH_SIZE], record_key_t *key,
                    bool *found, err_t *err)
{
    *found = false;
    sqlite3_stmt *stmt = record_prepare(record, COLUMNS "WHERE hash = ?", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_blob(stmt, 1, hash, JWS_HASH_SIZE);
    return one_key(record, stmt, key, found, err);
}

bool record_key_newest(record_t *record, const char *sn, record_key_t *key, bool *found, err_t *err)
{
    *found = false;
    sqlite3_stmt *stmt = record_prepare(record,
                                        COLUMNS "WHERE sn = ? AND standing IN (?2, ?3)"
                                                " ORDER BY standing <> ?2, row DESC LIMIT 1",
                                        err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, sn);
    sqlite3_bind_int(stmt, 2, OWNERSHIP_KEY_COMMITTED);
    sqlite3_bind_int(stmt, 3, OWNERSHIP_KEY_CURRENT);
    return one_key(record, stmt, key, found, err);
}

bool record_key_known(record_t *record, const uint8_t key[JWS_HASH_SIZE],
                      uint8_t hash[JWS_HASH_SIZE], bool *found, err_t *err)
{
    uint8_t name[JWS_HASH_SIZE];
    *found = false;
    sqlite3_stmt *stmt =
        record_prepare(record, "SELECT hash FROM key WHERE key = ? ORDER BY row DESC LIMIT 1", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_blob(stmt, 1, key, JWS_HASH_SIZE);
    int row = record_step(record, stmt, err);
    bool ok = row >= 0;
    if (row == 1) {
        record_row_t columns = {.stmt = stmt};
        record_row_blob(&columns, "hash", name, sizeof name);
        ok = record_row_ok(&columns, "a", "key", err);
        *found = ok;
    }
    record_done(stmt);
    if (*found && hash != NULL) {
        memcpy(hash, name, sizeof name);
    }
    return ok;
}

/* A certificate names one SN for ever. */
static bool check_sn(record_t *record, const record_key_t *key, err_t *err)
{
    record_key_t before;
    bool found;
    if (!record_key_get(record, key->hash, &before, &found, err)) {
        return false;
    }
    return !found || strcmp(before.sn, key->sn) == 0 ||
           err_set(err, ERR_PRECONDITION, "this certificate is on record for %s, not for %s",
                   before.sn, key->sn);
}

bool record_key_put(record_t *record, const record_key_t *key, err_t *err)
{
    if (key->cert_len == 0 || key->cert_len > sizeof key->cert) {
        return err_set(err, ERR_USAGE, "a certificate of %zu bytes cannot be kept", key->cert_len);
    }
    if (!check_sn(record, key, err)) {
        return false;
    }
    sqlite3_stmt *stmt = record_prepare(
        record,
        "INSERT INTO key(sn, hash, key, cert, not_after, standing, birth, by_claim, epoch,"
        " claimant) VALUES(?,?,?,?,?,?,?,?,?,?) ON CONFLICT(hash) DO UPDATE SET key=excluded.key,"
        " cert=excluded.cert, not_after=excluded.not_after, standing=excluded.standing,"
        " birth=excluded.birth, by_claim=excluded.by_claim, epoch=excluded.epoch,"
        " claimant=excluded.claimant",
        err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, key->sn);
    record_bind_blob(stmt, 2, key->hash, sizeof key->hash);
    record_bind_blob(stmt, 3, key->key, sizeof key->key);
    record_bind_blob(stmt, 4, key->cert, key->cert_len);
    sqlite3_bind_int64(stmt, 5, key->not_after);
    sqlite3_bind_int(stmt, 6, (int)key->standing);
    sqlite3_bind_int(stmt, 7, key->birth);
    sqlite3_bind_int(stmt, 8, key->by_claim);
    record_bind_blob(stmt, 9, key->epoch, sizeof key->epoch);
    record_bind_text(stmt, 10, key->claimant);
    return record_run(record, stmt, err);
}

bool record_keys(record_t *record, const char *sn, record_key_fn each, void *ctx, err_t *err)
{
    sqlite3_stmt *stmt = record_walk(record, COLUMNS "WHERE sn = ? ORDER BY row", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, sn);
    record_key_t key;
    int row;
    bool ok = true;
    while ((row = record_step(record, stmt, err)) == 1) {
        ok = read_key(stmt, &key, err);
        if (!ok || !each(ctx, &key)) {
            break;
        }
    }
    sqlite3_finalize(stmt);
    return ok && row >= 0;
}

/* ---- events ---- */

/* All rows of one standing at once: the table of ownership_key_after, as SQL. Each row is looked at
   once, with the standing that it had before. */
static bool apply_event(record_t *record, const record_key_t *subject, ownership_key_event_t event,
                        err_t *err)
{
    sqlite3_stmt *stmt = record_prepare(
        record,
        "UPDATE key SET standing = CASE WHEN hash = ?2 THEN ?3 ELSE CASE standing WHEN 0 THEN ?4"
        " WHEN 1 THEN ?5 WHEN 2 THEN ?6 WHEN 3 THEN ?7 WHEN 4 THEN ?8 WHEN 5 THEN ?9"
        " WHEN 6 THEN ?10 WHEN 7 THEN ?11 ELSE standing END END WHERE sn = ?1",
        err);
    if (stmt == NULL) {
        return false;
    }
    _Static_assert(OWNERSHIP_KEY_STANDINGS == 8, "the statement has a place for each standing");
    record_bind_text(stmt, 1, subject->sn);
    record_bind_blob(stmt, 2, subject->hash, sizeof subject->hash);
    sqlite3_bind_int(stmt, 3, (int)ownership_key_after(subject->standing, event, true));
    for (int i = 0; i < OWNERSHIP_KEY_STANDINGS; i++) {
        sqlite3_bind_int(stmt, 4 + i, (int)ownership_key_after((ownership_key_t)i, event, false));
    }
    return record_run(record, stmt, err);
}

static bool event_in_scope(record_t *record, const uint8_t hash[JWS_HASH_SIZE],
                           ownership_key_event_t event, err_t *err)
{
    record_key_t subject;
    bool found;
    if (!record_key_get(record, hash, &subject, &found, err)) {
        return false;
    }
    if (!found) {
        return err_set(err, ERR_PRECONDITION, "no such key is on record");
    }
    if (!ownership_key_possible(subject.standing, event)) {
        return err_set(err, ERR_PRECONDITION, "%s cannot happen to a key of %s that is %s",
                       ownership_key_event_name(event), subject.sn,
                       ownership_key_name(subject.standing));
    }
    return apply_event(record, &subject, event, err);
}

bool record_key_event(record_t *record, const uint8_t subject[JWS_HASH_SIZE],
                      ownership_key_event_t event, err_t *err)
{
    record_scope_t scope;
    return record_scope_begin(record, &scope, err) &&
           record_scope_end(record, scope, event_in_scope(record, subject, event, err), err);
}

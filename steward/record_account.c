/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts, their passwords, their log-in tokens. */
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "base/bytes.h"
#include "statement/ticket.h"
#include "steward/record_internal.h"

#define PASSWORD_MIN 8
#define PASSWORD_MAX 128
#define SALT         16
#define STRETCHED    32
#define SCRYPT_N     16384 /* 16 MB and some 50 ms a password */
#define SCRYPT_R     8
#define SCRYPT_P     1

/* ---- passwords ---- */

static bool stretch(const char *password, const uint8_t salt[SALT], uint8_t out[STRETCHED],
                    err_t *err)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
    EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
    uint64_t n = SCRYPT_N;
    uint32_t r = SCRYPT_R;
    uint32_t p = SCRYPT_P;
    uint8_t copy_salt[SALT];
    char copy[PASSWORD_MAX + 1];
    size_t len = strlen(password);
    if (len > PASSWORD_MAX) {
        len = PASSWORD_MAX; /* no such password can be right: it only costs the same time */
    }
    memcpy(copy, password, len);
    memcpy(copy_salt, salt, SALT);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, copy, len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, copy_salt, SALT),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_construct_end(),
    };
    bool ok = (ctx != NULL && EVP_KDF_derive(ctx, out, STRETCHED, params) == 1) ||
              err_set(err, ERR_SYSTEM, "the password cannot be stretched");
    bytes_wipe(copy, sizeof copy);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return ok;
}

static bool check_password(const char *password, err_t *err)
{
    size_t len = strlen(password);
    return (len >= PASSWORD_MIN && len <= PASSWORD_MAX) ||
           err_set(err, ERR_USAGE, "a password has %d to %d bytes", PASSWORD_MIN, PASSWORD_MAX);
}

static bool new_password(const char *password, uint8_t salt[SALT], uint8_t out[STRETCHED],
                         err_t *err)
{
    return check_password(password, err) &&
           (RAND_bytes(salt, SALT) == 1 ||
            err_set(err, ERR_SYSTEM, "the system gives no random numbers")) &&
           stretch(password, salt, out, err);
}

/* ---- accounts ---- */

bool record_account_name(const char *id)
{
    size_t len = strlen(id);
    return len >= 1 && len <= TICKET_OWNER_MAX &&
           strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

static bool check_name(const char *id, err_t *err)
{
    return record_account_name(id) ||
           err_set(err, ERR_USAGE, "an account's name has 1 to %d of A-Z a-z 0-9 . _ -",
                   TICKET_OWNER_MAX);
}

bool record_account_add(record_t *record, const char *id, const char *password, err_t *err)
{
    uint8_t salt[SALT];
    uint8_t hash[STRETCHED];
    if (!check_name(id, err) || !new_password(password, salt, hash, err)) {
        return false;
    }
    sqlite3_stmt *stmt =
        record_prepare(record, "INSERT OR IGNORE INTO account VALUES(?, '', ?, ?)", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, id);
    record_bind_blob(stmt, 2, salt, sizeof salt);
    record_bind_blob(stmt, 3, hash, sizeof hash);
    return record_run(record, stmt, err) &&
           (record_changes(record) == 1 ||
            err_set(err, ERR_PRECONDITION, "there is an account %s already", id));
}

static bool no_such_account(const char *id, err_t *err)
{
    return err_set(err, ERR_PRECONDITION, "there is no account %s", id);
}

/* Who knew the old password is logged out. */
static bool forget_tokens_of(record_t *record, const char *id, err_t *err)
{
    sqlite3_stmt *stmt = record_prepare(record, "DELETE FROM token WHERE account = ?", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, id);
    return record_run(record, stmt, err);
}

static bool set_password(record_t *record, const char *id, const uint8_t salt[SALT],
                         const uint8_t hash[STRETCHED], err_t *err)
{
    sqlite3_stmt *stmt =
        record_prepare(record, "UPDATE account SET salt = ?, password = ? WHERE id = ?", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_blob(stmt, 1, salt, SALT);
    record_bind_blob(stmt, 2, hash, STRETCHED);
    record_bind_text(stmt, 3, id);
    return record_run(record, stmt, err) &&
           (record_changes(record) == 1 || no_such_account(id, err)) &&
           forget_tokens_of(record, id, err);
}

bool record_account_password(record_t *record, const char *id, const char *password, err_t *err)
{
    uint8_t salt[SALT];
    uint8_t hash[STRETCHED];
    record_scope_t scope;
    return new_password(password, salt, hash, err) && record_scope_begin(record, &scope, err) &&
           record_scope_end(record, scope, set_password(record, id, salt, hash, err), err);
}

static bool read_account(sqlite3_stmt *stmt, record_account_t *account, err_t *err)
{
    record_row_t row = {.stmt = stmt};
    memset(account, 0, sizeof *account);
    record_row_text(&row, "id", account->id, sizeof account->id);
    record_row_text(&row, "customer", account->customer, sizeof account->customer);
    return record_row_ok(&row, "account", account->id, err);
}

bool record_account_get(record_t *record, const char *id, record_account_t *account, bool *found,
                        err_t *err)
{
    *found = false;
    sqlite3_stmt *stmt =
        record_prepare(record, "SELECT id, customer FROM account WHERE id = ?", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, id);
    int row = record_step(record, stmt, err);
    bool ok = row == 0 || (row == 1 && read_account(stmt, account, err));
    *found = ok && row == 1;
    record_done(stmt);
    return ok;
}

bool record_account_customer(record_t *record, const char *id, const char *customer, err_t *err)
{
    sqlite3_stmt *stmt =
        record_prepare(record, "UPDATE account SET customer = ? WHERE id = ?", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, customer);
    record_bind_text(stmt, 2, id);
    return record_run(record, stmt, err) &&
           (record_changes(record) == 1 || no_such_account(id, err));
}

/* *found and a row of zeros for an unknown account: the same work is to be done. */
static bool read_password(record_t *record, const char *id, uint8_t salt[SALT],
                          uint8_t hash[STRETCHED], bool *found, err_t *err)
{
    memset(salt, 0, SALT);
    memset(hash, 0, STRETCHED);
    sqlite3_stmt *stmt =
        record_prepare(record, "SELECT salt, password FROM account WHERE id = ?", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, id);
    int step = record_step(record, stmt, err);
    record_row_t row = {.stmt = stmt};
    *found = step == 1;
    if (*found) {
        record_row_blob(&row, "salt", salt, SALT);
        record_row_blob(&row, "password", hash, STRETCHED);
    }
    record_done(stmt);
    return step >= 0 && record_row_ok(&row, "account", id, err);
}

bool record_account_check(record_t *record, const char *id, const char *password, bool *right,
                          err_t *err)
{
    uint8_t salt[SALT];
    uint8_t hash[STRETCHED];
    uint8_t got[STRETCHED];
    bool found;
    *right = false;
    if (!read_password(record, id, salt, hash, &found, err) || !stretch(password, salt, got, err)) {
        return false;
    }
    bool equal = bytes_equal_secret(got, hash, sizeof got);
    *right = equal && found && strlen(password) <= PASSWORD_MAX;
    bytes_wipe(got, sizeof got);
    return true;
}

bool record_accounts(record_t *record, record_account_fn each, void *ctx, err_t *err)
{
    sqlite3_stmt *stmt = record_walk(record, "SELECT id, customer FROM account ORDER BY id", err);
    if (stmt == NULL) {
        return false;
    }
    record_account_t account;
    int row;
    bool ok = true;
    while ((row = record_step(record, stmt, err)) == 1) {
        ok = read_account(stmt, &account, err);
        if (!ok || !each(ctx, &account)) {
            break;
        }
    }
    sqlite3_finalize(stmt);
    return ok && row >= 0;
}

/* ---- tokens ---- */

static bool add_token(record_t *record, const uint8_t hash[32], const char *account,
                      int64_t expires, err_t *err)
{
    sqlite3_stmt *stmt = record_prepare(record, "INSERT OR REPLACE INTO token VALUES(?,?,?)", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_blob(stmt, 1, hash, 32);
    record_bind_text(stmt, 2, account);
    sqlite3_bind_int64(stmt, 3, expires);
    return record_run(record, stmt, err);
}

/* An account has so many at most: the oldest go. */
#define TOKENS_OF_ACCOUNT 32

static bool forget_tokens(record_t *record, const char *account, err_t *err)
{
    sqlite3_stmt *stmt = record_prepare(
        record,
        "DELETE FROM token WHERE account = ?1 AND hash NOT IN (SELECT hash FROM token"
        " WHERE account = ?1 ORDER BY expires DESC LIMIT ?2)",
        err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_text(stmt, 1, account);
    sqlite3_bind_int(stmt, 2, TOKENS_OF_ACCOUNT);
    return record_run(record, stmt, err);
}

bool record_token_put(record_t *record, const uint8_t hash[32], const char *account,
                      int64_t expires, err_t *err)
{
    record_scope_t scope;
    return record_scope_begin(record, &scope, err) &&
           record_scope_end(record, scope,
                            add_token(record, hash, account, expires, err) &&
                                forget_tokens(record, account, err),
                            err);
}

bool record_token_get(record_t *record, const uint8_t hash[32], int64_t now,
                      char account[RECORD_ACCOUNT_SIZE], bool *found, err_t *err)
{
    *found = false;
    account[0] = '\0';
    sqlite3_stmt *stmt =
        record_prepare(record, "SELECT account FROM token WHERE hash = ? AND expires > ?", err);
    if (stmt == NULL) {
        return false;
    }
    record_bind_blob(stmt, 1, hash, 32);
    sqlite3_bind_int64(stmt, 2, now);
    int step = record_step(record, stmt, err);
    record_row_t row = {.stmt = stmt};
    if (step == 1) {
        record_row_text(&row, "account", account, RECORD_ACCOUNT_SIZE);
    }
    bool ok = step >= 0 && record_row_ok(&row, "a", "token", err);
    *found = ok && step == 1;
    record_done(stmt);
    return ok;
}

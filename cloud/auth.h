/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth: who is calling. Passwords (scrypt), login, token pairs, logout, change of password, and the
 * damping of guessing. Users are kept by the store; this file alone knows what a hash looks like.
 *
 * One thread. A password check costs some 50 ms of CPU and 16 MiB for its duration, on purpose; so
 * it comes after the damping: from the third failure in a row of one account from one address (or
 * of one address over all accounts) the next attempts wait, 1 s doubling to 60 s, and are refused
 * unseen. The table of failures is bounded; the oldest entry makes room.
 *
 * Logout and a new password outdate tokens at once. Outdated sessions are remembered as long as
 * their tokens could live; the list is bounded and kept in memory (a restart forgets logouts, not
 * password changes).
 */
#ifndef CRADLE_CLOUD_AUTH_H
#define CRADLE_CLOUD_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cloud/jwt.h"
#include "cloud/store.h"

#define AUTH_PASSWORD_MIN 6 /* ThingsBoard's default policy; for new passwords */
#define AUTH_PASSWORD_MAX 72
#define AUTH_HASH_SIZE    160 /* "scrypt$<log2 N>$<r>$<p>$<salt>$<hash>" with the NUL */

typedef struct auth auth_t;

typedef struct {
    const char *key_file; /* signing key of the tokens, made when absent          */
    int64_t token_s;      /* life of a token; 0 = 9000 (ThingsBoard's default)    */
    int64_t refresh_s;    /* life of a refresh token; 0 = 604800                  */
} auth_settings_t;

/* The store must outlive the handle. */
bool auth_open(auth_t **auth, store_t *store, const auth_settings_t *settings, err_t *err);
void auth_close(auth_t *auth);

/* Bit masks, so that a route can name whom it lets in. */
typedef enum {
    AUTH_SYS_ADMIN = 1,
    AUTH_TENANT_ADMIN = 2,
    AUTH_CUSTOMER_USER = 4,
} auth_authority_t;

/* Who a token says it is, checked. */
typedef struct {
    auth_authority_t authority;
    store_id_t user_id;
    store_id_t tenant_id;
    store_id_t customer_id; /* the null id for admins */
    char email[JWT_TEXT_SIZE];
    char session_id[JWT_ID_SIZE];
} auth_caller_t;

typedef struct {
    char token[JWT_TOKEN_MAX];
    char refresh_token[JWT_TOKEN_MAX];
} auth_tokens_t;

typedef enum {
    AUTH_OK,
    AUTH_MISSING,  /* no token: "Authentication failed"                               */
    AUTH_BAD,      /* wrong password, unknown user, malformed token                   */
    AUTH_EXPIRED,  /* expired, forged or outdated token: "Token has expired"          */
    AUTH_DISABLED, /* "User account is not active"                                    */
    AUTH_DAMPED,   /* too many failures: not looked at                                */
    AUTH_WEAK,     /* new password: not 6 to 72 characters                            */
    AUTH_MISMATCH, /* change of password: the current one is wrong                    */
    AUTH_SAME,     /* change of password: it is the same                              */
    AUTH_FAILED,   /* the store or the system failed; `err` says how                  */
} auth_result_t;

/* `peer` is the client's address, for the damping. */
auth_result_t auth_login(auth_t *auth, const char *peer, const char *username, const char *password,
                         auth_tokens_t *tokens, err_t *err);

auth_result_t auth_refresh(auth_t *auth, const char *refresh_token, auth_tokens_t *tokens,
                           err_t *err);

/* `header` is the value of X-Authorization or Authorization: "Bearer <token>". */
auth_result_t auth_check(auth_t *auth, const char *header, auth_caller_t *caller, err_t *err);

void auth_logout(auth_t *auth, const auth_caller_t *caller);

auth_result_t auth_change_password(auth_t *auth, const auth_caller_t *caller, const char *peer,
                                   const char *current, const char *fresh, auth_tokens_t *tokens,
                                   err_t *err);

/* Sets the password of a user who proved to be the one by other means (activation). In the open
   batch: the caller commits. */
auth_result_t auth_set_password(auth_t *auth, const store_id_t *user, const char *password,
                                err_t *err);

/* Tokens in the name of a user, for those who may have them. */
auth_result_t auth_tokens_for(auth_t *auth, const store_id_t *user, auth_tokens_t *tokens,
                              err_t *err);

/* Hashes a password for the store. Blocks some 50 ms. */
bool auth_hash_password(const char *password, char out[AUTH_HASH_SIZE], err_t *err);

/* First start: when the store has no user, makes the tenant's administrator with a random password
   and writes {"username","password"} to `admin_file` (0600). An admin_file that is there already
   names the password instead, so that a start that was cut short is finished by the next. */
bool auth_first_admin(auth_t *auth, const char *admin_file, err_t *err);

#endif

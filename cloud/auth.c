/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "json/json.h"

#define TOKEN_S    9000
#define REFRESH_S  604800
#define FAILURES   256
#define OUTDATED   1024
#define FREE_TRIES 2
#define WAIT_MAX_S 60
#define SCRYPT_N   16384
#define SCRYPT_R   8
#define SCRYPT_P   1
#define REFRESH    "REFRESH_TOKEN"
#define FIRST_USER "tenant@cradle.test"

#define PEER_SIZE 64

/* Failed logins of one address ("peer"), or of one account from one address ("peer account"): a
   stranger who guesses elsewhere cannot lock the owner of the account out. */
typedef struct {
    char who[PEER_SIZE + JWT_TEXT_SIZE];
    unsigned count;
    uint64_t last_ms; /* on the clock that never jumps */
} failures_t;

struct auth {
    store_t *store;
    jwt_key_t key;
    int64_t token_s;
    int64_t refresh_s;
    failures_t failures[FAILURES];
    struct {
        char session[JWT_ID_SIZE];
        int64_t until_s;
    } outdated[OUTDATED];
    size_t next_outdated;
};

/* ---- passwords ---- */

static bool scrypt(const char *password, const uint8_t *salt, size_t salt_len, uint8_t out[32])
{
    return EVP_PBE_scrypt(password, strlen(password), salt, salt_len, SCRYPT_N, SCRYPT_R, SCRYPT_P,
                          64u * 1024 * 1024, out, 32) == 1;
}

bool auth_hash_password(const char *password, char out[AUTH_HASH_SIZE], err_t *err)
{
    uint8_t salt[16];
    uint8_t hash[32];
    char salt_text[25];
    char hash_text[45];
    if (RAND_bytes(salt, sizeof salt) != 1 || !scrypt(password, salt, sizeof salt, hash)) {
        return err_set(err, ERR_SYSTEM, "the password cannot be hashed");
    }
    bytes_to_base64(salt, sizeof salt, salt_text, sizeof salt_text);
    bytes_to_base64(hash, sizeof hash, hash_text, sizeof hash_text);
    snprintf(out, AUTH_HASH_SIZE, "scrypt$14$%d$%d$%s$%s", SCRYPT_R, SCRYPT_P, salt_text,
             hash_text);
    bytes_wipe(hash, sizeof hash);
    return true;
}

/* Against "scrypt$14$8$1$salt$hash"; a NULL hash costs the same time and never matches. */
static bool password_matches(const char *password, const char *stored)
{
    static const char unknown[] =
        "scrypt$14$8$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    static const char prefix[] = "scrypt$14$8$1$";
    uint8_t salt[16];
    uint8_t expected[32];
    uint8_t hash[32];
    size_t salt_len;
    size_t hash_len;
    const char *text = stored != NULL ? stored : unknown;
    if (strncmp(text, prefix, sizeof prefix - 1) != 0) {
        return false;
    }
    text += sizeof prefix - 1;
    const char *dollar = strchr(text, '$');
    if (dollar == NULL ||
        !bytes_from_base64(text, (size_t)(dollar - text), salt, sizeof salt, &salt_len) ||
        !bytes_from_base64(dollar + 1, strlen(dollar + 1), expected, sizeof expected, &hash_len) ||
        hash_len != sizeof expected || !scrypt(password, salt, salt_len, hash)) {
        return false;
    }
    bool equal = bytes_equal_secret(hash, expected, sizeof hash);
    bytes_wipe(hash, sizeof hash);
    return equal && stored != NULL;
}

/* ---- damping ---- */

static failures_t *find_failures(auth_t *auth, const char *who, bool make)
{
    failures_t *oldest = &auth->failures[0];
    for (size_t i = 0; i < FAILURES; i++) {
        failures_t *f = &auth->failures[i];
        if (f->count > 0 && strcasecmp(f->who, who) == 0) {
            return f;
        }
        if (f->last_ms < oldest->last_ms) {
            oldest = f;
        }
    }
    if (!make) {
        return NULL;
    }
    memset(oldest, 0, sizeof *oldest);
    snprintf(oldest->who, sizeof oldest->who, "%s", who);
    return oldest;
}

static bool is_waiting(auth_t *auth, const char *who, uint64_t now_ms)
{
    const failures_t *f = find_failures(auth, who, false);
    if (f == NULL || f->count <= FREE_TRIES) {
        return false;
    }
    unsigned steps = f->count - FREE_TRIES - 1;
    uint64_t wait_s = steps > 5 ? WAIT_MAX_S : (uint64_t)1 << steps;
    return now_ms < f->last_ms + wait_s * 1000;
}

static void pair_name(char out[PEER_SIZE + JWT_TEXT_SIZE], const char *peer, const char *account)
{
    snprintf(out, PEER_SIZE + JWT_TEXT_SIZE, "%.*s %s", PEER_SIZE - 2, peer, account);
}

static bool is_damped(auth_t *auth, const char *peer, const char *account)
{
    char pair[PEER_SIZE + JWT_TEXT_SIZE];
    uint64_t now_ms = clock_monotonic_ms();
    pair_name(pair, peer, account);
    return is_waiting(auth, peer, now_ms) || is_waiting(auth, pair, now_ms);
}

static void note_failure(auth_t *auth, const char *peer, const char *account)
{
    char pair[PEER_SIZE + JWT_TEXT_SIZE];
    const char *const names[] = {peer, pair};
    pair_name(pair, peer, account);
    for (size_t i = 0; i < 2; i++) {
        failures_t *f = find_failures(auth, names[i], true);
        f->count++;
        f->last_ms = clock_monotonic_ms();
    }
}

static void forget_failures(auth_t *auth, const char *peer, const char *account)
{
    char pair[PEER_SIZE + JWT_TEXT_SIZE];
    const char *const names[] = {peer, pair};
    pair_name(pair, peer, account);
    for (size_t i = 0; i < 2; i++) {
        failures_t *f = find_failures(auth, names[i], false);
        if (f != NULL) {
            memset(f, 0, sizeof *f);
        }
    }
}

/* ---- users ---- */

/* A user as auth needs it, with room of its own. */
typedef struct {
    bool found;
    store_user_t user;
    char email[STORE_TEXT];
    char first[STORE_TEXT];
    char last[STORE_TEXT];
    char info[STORE_JSON_MAX + 1]; /* whole: it is saved again with a new password */
    char hash[AUTH_HASH_SIZE];
} account_t;

static const char *keep(char *room, size_t cap, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    snprintf(room, cap, "%s", text);
    return room;
}

static void note_user(void *ctx, const store_user_t *user)
{
    account_t *a = ctx;
    a->found = true;
    a->user = *user;
    a->user.email = keep(a->email, sizeof a->email, user->email);
    a->user.first_name = keep(a->first, sizeof a->first, user->first_name);
    a->user.last_name = keep(a->last, sizeof a->last, user->last_name);
    a->user.info = keep(a->info, sizeof a->info, user->info);
    a->user.password_hash = keep(a->hash, sizeof a->hash, user->password_hash);
}

/* ---- tokens ---- */

static const char *scope_of(store_role_t role)
{
    return role == STORE_SYS_ADMIN      ? "SYS_ADMIN"
           : role == STORE_TENANT_ADMIN ? "TENANT_ADMIN"
                                        : "CUSTOMER_USER";
}

static void new_id(char out[JWT_ID_SIZE])
{
    store_id_t id;
    store_id_new(&id);
    store_id_format(&id, out);
}

static auth_result_t make_tokens(auth_t *auth, const account_t *a, const char *session,
                                 auth_tokens_t *tokens)
{
    jwt_claims_t c = {.enabled = a->user.enabled, .issued_s = clock_wall_ms() / 1000};
    /* never issued before the moment from which tokens of this user count */
    if (c.issued_s < a->user.tokens_from_ms / 1000) {
        c.issued_s = a->user.tokens_from_ms / 1000;
    }
    snprintf(c.subject, sizeof c.subject, "%s", a->email);
    snprintf(c.scope, sizeof c.scope, "%s", scope_of(a->user.role));
    snprintf(c.first_name, sizeof c.first_name, "%s", a->user.first_name != NULL ? a->first : "");
    snprintf(c.last_name, sizeof c.last_name, "%s", a->user.last_name != NULL ? a->last : "");
    store_id_format(&a->user.id, c.user_id);
    store_id_format(&a->user.tenant, c.tenant_id);
    store_id_format(&a->user.customer, c.customer_id);
    if (session != NULL) {
        snprintf(c.session_id, sizeof c.session_id, "%s", session);
    } else {
        new_id(c.session_id);
    }
    c.expires_s = c.issued_s + auth->token_s;
    if (!jwt_sign(&auth->key, &c, tokens->token, sizeof tokens->token)) {
        return AUTH_FAILED;
    }
    snprintf(c.scope, sizeof c.scope, REFRESH);
    new_id(c.token_id);
    c.expires_s = c.issued_s + auth->refresh_s;
    return jwt_sign(&auth->key, &c, tokens->refresh_token, sizeof tokens->refresh_token)
               ? AUTH_OK
               : AUTH_FAILED;
}

static bool is_outdated(const auth_t *auth, const char *session)
{
    for (size_t i = 0; i < OUTDATED; i++) {
        if (strcmp(auth->outdated[i].session, session) == 0 && session[0] != '\0') {
            return true;
        }
    }
    return false;
}

/* Signature, dates, logout, the user's own state. */
static auth_result_t check_token(auth_t *auth, const char *token, size_t len, bool refresh,
                                 jwt_claims_t *claims, account_t *a, err_t *err)
{
    store_id_t id;
    switch (jwt_verify(&auth->key, token, len, clock_wall_ms() / 1000, claims)) {
    case JWT_OK:
        break;
    case JWT_MALFORMED:
        return AUTH_BAD;
    case JWT_FORGED:
    case JWT_EXPIRED:
    default:
        return AUTH_EXPIRED;
    }
    if ((strcmp(claims->scope, REFRESH) == 0) != refresh ||
        !store_id_parse(claims->user_id, strlen(claims->user_id), &id)) {
        return AUTH_BAD;
    }
    a->found = false;
    if (store_user_get(auth->store, &id, note_user, a, err) == STORE_FAILED) {
        return AUTH_FAILED;
    }
    if (!a->found || is_outdated(auth, claims->session_id) ||
        claims->issued_s < a->user.tokens_from_ms / 1000) {
        return AUTH_EXPIRED;
    }
    return a->user.enabled ? AUTH_OK : AUTH_DISABLED;
}

auth_result_t auth_login(auth_t *auth, const char *peer, const char *username, const char *password,
                         auth_tokens_t *tokens, err_t *err)
{
    account_t a = {.found = false};
    if (strlen(username) >= JWT_TEXT_SIZE || strlen(password) > 4 * AUTH_PASSWORD_MAX) {
        return AUTH_BAD;
    }
    if (is_damped(auth, peer, username)) {
        return AUTH_DAMPED;
    }
    if (store_user_by_email(auth->store, username, note_user, &a, err) == STORE_FAILED) {
        return AUTH_FAILED;
    }
    if (!password_matches(password, a.found ? a.user.password_hash : NULL)) {
        note_failure(auth, peer, username);
        return AUTH_BAD;
    }
    forget_failures(auth, peer, username);
    return a.user.enabled ? make_tokens(auth, &a, NULL, tokens) : AUTH_DISABLED;
}

auth_result_t auth_refresh(auth_t *auth, const char *refresh_token, auth_tokens_t *tokens,
                           err_t *err)
{
    jwt_claims_t claims;
    account_t a = {.found = false};
    auth_result_t result =
        check_token(auth, refresh_token, strlen(refresh_token), true, &claims, &a, err);
    return result == AUTH_OK ? make_tokens(auth, &a, claims.session_id, tokens) : result;
}

auth_result_t auth_check(auth_t *auth, const char *header, auth_caller_t *caller, err_t *err)
{
    static const char scheme[] = "Bearer ";
    jwt_claims_t claims;
    account_t a = {.found = false};
    if (strncmp(header, scheme, sizeof scheme - 1) != 0) {
        return AUTH_MISSING;
    }
    const char *token = header + sizeof scheme - 1;
    auth_result_t result = check_token(auth, token, strlen(token), false, &claims, &a, err);
    if (result != AUTH_OK) {
        return result;
    }
    caller->authority = (auth_authority_t)a.user.role;
    caller->user_id = a.user.id;
    caller->tenant_id = a.user.tenant;
    caller->customer_id = a.user.customer;
    snprintf(caller->email, sizeof caller->email, "%s", a.email);
    snprintf(caller->session_id, sizeof caller->session_id, "%s", claims.session_id);
    return AUTH_OK;
}

void auth_logout(auth_t *auth, const auth_caller_t *caller)
{
    size_t at = auth->next_outdated++ % OUTDATED;
    snprintf(auth->outdated[at].session, JWT_ID_SIZE, "%s", caller->session_id);
    auth->outdated[at].until_s = clock_wall_ms() / 1000 + auth->refresh_s;
}

auth_result_t auth_change_password(auth_t *auth, const auth_caller_t *caller, const char *peer,
                                   const char *current, const char *fresh, auth_tokens_t *tokens,
                                   err_t *err)
{
    int64_t now = clock_wall_ms();
    account_t a = {.found = false};
    size_t len = strlen(fresh);
    if (is_damped(auth, peer, caller->email)) {
        return AUTH_DAMPED;
    }
    if (store_user_get(auth->store, &caller->user_id, note_user, &a, err) != STORE_OK || !a.found) {
        return AUTH_FAILED;
    }
    if (!password_matches(current, a.user.password_hash)) {
        note_failure(auth, peer, caller->email);
        return AUTH_MISMATCH;
    }
    if (len < AUTH_PASSWORD_MIN || len > AUTH_PASSWORD_MAX) {
        return AUTH_WEAK;
    }
    if (strcmp(current, fresh) == 0) {
        return AUTH_SAME;
    }
    if (!auth_hash_password(fresh, a.hash, err)) {
        return AUTH_FAILED;
    }
    a.user.password_hash = a.hash;
    /* Tokens have whole seconds: those of this very second are outdated as well. */
    a.user.tokens_from_ms = (now / 1000 + 1) * 1000;
    if (store_user_save(auth->store, &a.user, now, err) != STORE_OK ||
        !store_commit(auth->store, err)) {
        return AUTH_FAILED;
    }
    return make_tokens(auth, &a, NULL, tokens);
}

auth_result_t auth_set_password(auth_t *auth, const store_id_t *user, const char *password,
                                err_t *err)
{
    account_t a = {.found = false};
    size_t len = strlen(password);
    if (len < AUTH_PASSWORD_MIN || len > AUTH_PASSWORD_MAX) {
        return AUTH_WEAK;
    }
    if (store_user_get(auth->store, user, note_user, &a, err) != STORE_OK || !a.found ||
        !auth_hash_password(password, a.hash, err)) {
        return AUTH_FAILED;
    }
    a.user.password_hash = a.hash;
    return store_user_save(auth->store, &a.user, clock_wall_ms(), err) == STORE_OK ? AUTH_OK
                                                                                   : AUTH_FAILED;
}

auth_result_t auth_tokens_for(auth_t *auth, const store_id_t *user, auth_tokens_t *tokens,
                              err_t *err)
{
    account_t a = {.found = false};
    if (store_user_get(auth->store, user, note_user, &a, err) != STORE_OK || !a.found) {
        return AUTH_FAILED;
    }
    return make_tokens(auth, &a, NULL, tokens);
}

/* ---- opening ---- */

bool auth_open(auth_t **auth, store_t *store, const auth_settings_t *settings, err_t *err)
{
    auth_t *a = calloc(1, sizeof *a);
    if (a == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for logins");
    }
    a->store = store;
    a->token_s = settings->token_s != 0 ? settings->token_s : TOKEN_S;
    a->refresh_s = settings->refresh_s != 0 ? settings->refresh_s : REFRESH_S;
    if (!jwt_key_load(settings->key_file, &a->key, err)) {
        auth_close(a);
        return false;
    }
    *auth = a;
    return true;
}

void auth_close(auth_t *auth)
{
    if (auth != NULL) {
        bytes_wipe(auth, sizeof *auth);
        free(auth);
    }
}

/* {"username":"...","password":"..."} with a random password, or what is in the file already. */
static bool first_login(const char *admin_file, char username[JWT_TEXT_SIZE],
                        char password[AUTH_PASSWORD_MAX + 1], err_t *err)
{
    char text[256];
    uint8_t random[15];
    char *data;
    size_t len;
    json_token_t token;
    if (!file_exists(admin_file)) {
        if (RAND_bytes(random, sizeof random) != 1) {
            return err_set(err, ERR_SYSTEM, "no random bytes for the first password");
        }
        bytes_to_base64url(random, sizeof random, password, AUTH_PASSWORD_MAX + 1);
        snprintf(username, JWT_TEXT_SIZE, FIRST_USER);
        int n = snprintf(text, sizeof text, "{\"username\":\"%s\",\"password\":\"%s\"}\n", username,
                         password);
        bool ok = file_write_new(admin_file, text, (size_t)n, 0600, err);
        bytes_wipe(text, sizeof text);
        return ok;
    }
    if (!file_read(admin_file, 4096, &data, &len, err)) {
        return false;
    }
    bool ok = (json_find(data, len, "username", &token) &&
               json_string(&token, username, JWT_TEXT_SIZE, NULL) &&
               json_find(data, len, "password", &token) &&
               json_string(&token, password, AUTH_PASSWORD_MAX + 1, NULL) &&
               strlen(password) >= AUTH_PASSWORD_MIN) ||
              err_set(err, ERR_INPUT,
                      "%s does not hold a username and a password; remove it to get "
                      "a new one",
                      admin_file);
    bytes_wipe(data, len);
    free(data);
    return ok;
}

bool auth_first_admin(auth_t *auth, const char *admin_file, err_t *err)
{
    uint64_t count;
    char username[JWT_TEXT_SIZE];
    char password[AUTH_PASSWORD_MAX + 1];
    char hash[AUTH_HASH_SIZE];
    if (store_user_count(auth->store, &count, err) != STORE_OK) {
        return false;
    }
    if (count > 0) {
        return true;
    }
    store_user_t user = {.role = STORE_TENANT_ADMIN, .enabled = true};
    store_tenant(auth->store, &user.tenant);
    bool ok =
        first_login(admin_file, username, password, err) && auth_hash_password(password, hash, err);
    bytes_wipe(password, sizeof password);
    user.email = username;
    user.password_hash = hash;
    return ok && store_user_save(auth->store, &user, clock_wall_ms(), err) == STORE_OK &&
           store_commit(auth->store, err);
}

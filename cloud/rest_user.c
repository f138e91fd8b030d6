/* SPDX-License-Identifier: Apache-2.0 */
/* UserController: users of customers, their activation, tokens in their name. */
#include "cloud/rest_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/rand.h>

#include "base/bytes.h"
#include "base/clock.h"

#define ACTIVATION_MS (24 * 3600 * 1000LL)
#define TOKEN_SIZE    64

/* ---- making and reading ---- */

static store_role_t role_of(const char *authority)
{
    return strcmp(authority, "TENANT_ADMIN") == 0    ? STORE_TENANT_ADMIN
           : strcmp(authority, "CUSTOMER_USER") == 0 ? STORE_CUSTOMER_USER
                                                     : 0;
}

static void note_found(void *ctx, const store_customer_t *customer)
{
    (void)customer;
    *(bool *)ctx = true;
}

/* A user without a password gets a token with which one can be set. */
static bool give_activation(rest_call_t *call, const store_id_t *user, err_t *err)
{
    uint8_t random[24];
    char token[TOKEN_SIZE];
    return RAND_bytes(random, sizeof random) == 1 &&
           bytes_to_base64url(random, sizeof random, token, sizeof token) &&
           store_user_set_activation(call->store, user, token, clock_wall_ms() + ACTIVATION_MS,
                                     err) == STORE_OK;
}

static void save_user(rest_call_t *call)
{
    char email[STORE_TEXT] = "";
    char authority[32] = "";
    char first[STORE_TEXT];
    char last[STORE_TEXT];
    bool found = false;
    err_t err = ERR_INIT;
    store_user_t user = {.enabled = true, .email = email};
    if (!rest_body_object(call)) {
        return;
    }
    rest_body_text(call, "email", email, sizeof email);
    rest_body_text(call, "authority", authority, sizeof authority);
    rest_body_id(call->http->body, call->http->body_len, "id", &user.id);
    rest_body_id(call->http->body, call->http->body_len, "customerId", &user.customer);
    user.role = role_of(authority);
    user.first_name = rest_body_text(call, "firstName", first, sizeof first) ? first : NULL;
    user.last_name = rest_body_text(call, "lastName", last, sizeof last) ? last : NULL;
    if (!store_id_is_null(&user.id)) {
        rest_error(call, 400, REST_BAD_REQUEST, "A user cannot be changed here, only made");
        return;
    }
    if (strchr(email, '@') == NULL) {
        rest_error(call, 400, REST_BAD_REQUEST, "Invalid email address format '%s'!", email);
        return;
    }
    if (user.role == 0) {
        rest_error(call, 400, REST_BAD_REQUEST, "User authority isn't defined!");
        return;
    }
    if (user.role == STORE_CUSTOMER_USER) {
        call->id[0] = user.customer;
        if (!rest_ok(call,
                     store_customer_get(call->store, &user.customer, note_found, &found, &err),
                     "Customer", &err)) {
            return;
        }
    }
    store_result_t result = store_user_save(call->store, &user, clock_wall_ms(), &err);
    if (result == STORE_ID_TAKEN) {
        rest_error(call, 400, REST_BAD_REQUEST,
                   "User with email '%s'  already present in database!", email);
    } else if (rest_ok(call, result, "User", &err) && give_activation(call, &user.id, &err) &&
               rest_commit(call)) {
        store_user_get(call->store, &user.id, rest_put_user, &call->json, &err);
        rest_done(call);
    } else if (!call->replied) {
        rest_error(call, 500, REST_GENERAL, "%s", err.text);
    }
}

static void get_user(rest_call_t *call)
{
    err_t err = ERR_INIT;
    if (rest_ok(call, store_user_get(call->store, &call->id[0], rest_put_user, &call->json, &err),
                "User", &err)) {
        rest_done(call);
    }
}

static void customer_users(rest_call_t *call)
{
    store_page_t page;
    char search[STORE_TEXT];
    uint64_t total = 0;
    err_t err = ERR_INIT;
    if (!rest_page(call, &page, search)) {
        return;
    }
    json_object(&call->json);
    json_key(&call->json, "data");
    json_array(&call->json);
    if (rest_ok(call,
                store_user_list(call->store, &call->id[0], &page, rest_put_user, &call->json,
                                &total, &err),
                "User", &err)) {
        rest_page_end(call, &page, total);
        rest_done(call);
    }
}

static void delete_user(rest_call_t *call)
{
    err_t err = ERR_INIT;
    if (store_id_equal(&call->id[0], &call->caller.user_id)) {
        rest_error(call, 400, REST_BAD_REQUEST, "One cannot delete oneself");
    } else if (rest_ok(call, store_user_delete(call->store, &call->id[0], &err), "User", &err)) {
        rest_empty(call);
    }
}

/* ---- activation ---- */

/* The link that a person would open; the host is the one that was asked. False: replied. */
static bool activation_link(rest_call_t *call, char link[512], int64_t *until)
{
    char token[TOKEN_SIZE];
    err_t err = ERR_INIT;
    store_result_t result = store_user_activation(call->store, &call->id[0], token, until, &err);
    if (result == STORE_NOT_FOUND) {
        rest_error(call, 400, REST_BAD_REQUEST, "User is already activated!");
        return false;
    }
    if (!rest_ok(call, result, "User", &err)) {
        return false;
    }
    snprintf(link, 512, "https://%.200s/api/noauth/activate?activateToken=%s", call->http->host,
             token);
    return true;
}

static void get_link(rest_call_t *call)
{
    char link[512];
    int64_t until;
    if (activation_link(call, link, &until)) {
        rest_text(call, 200, link);
    }
}

static void get_link_info(rest_call_t *call)
{
    char link[512];
    int64_t until;
    if (activation_link(call, link, &until)) {
        json_object(&call->json);
        rest_put_text(&call->json, "value", link);
        rest_put_i64(&call->json, "ttlMs", until - clock_wall_ms());
        json_end(&call->json);
        rest_done(call);
    }
}

static void note_id(void *ctx, const store_user_t *user)
{
    *(store_id_t *)ctx = user->id;
}

static void reply_login(rest_call_t *call, const store_id_t *user)
{
    err_t err = ERR_INIT;
    auth_tokens_t *tokens = calloc(1, sizeof *tokens);
    if (tokens != NULL &&
        auth_tokens_for(call->rest->settings.auth, user, tokens, &err) == AUTH_OK) {
        json_object(&call->json);
        rest_put_text(&call->json, "token", tokens->token);
        rest_put_text(&call->json, "refreshToken", tokens->refresh_token);
        json_end(&call->json);
        rest_done(call);
    } else {
        rest_error(call, 500, REST_GENERAL, "No tokens could be made");
    }
    free(tokens);
}

static void activate(rest_call_t *call)
{
    char token[TOKEN_SIZE];
    char password[4 * AUTH_PASSWORD_MAX];
    store_id_t user;
    err_t err = ERR_INIT;
    if (!rest_body_object(call)) {
        return;
    }
    if (!rest_body_text(call, "activateToken", token, sizeof token) ||
        store_user_by_activation(call->store, token, clock_wall_ms(), note_id, &user, &err) !=
            STORE_OK) {
        rest_error(call, 400, REST_BAD_REQUEST, "Activation link expired!");
        return;
    }
    if (!rest_body_text(call, "password", password, sizeof password)) {
        password[0] = '\0';
    }
    auth_result_t result = auth_set_password(call->rest->settings.auth, &user, password, &err);
    bytes_wipe(password, sizeof password);
    if (result == AUTH_WEAK) {
        rest_error(call, 400, REST_BAD_REQUEST, "Password must be %d to %d characters long",
                   AUTH_PASSWORD_MIN, AUTH_PASSWORD_MAX);
    } else if (result != AUTH_OK ||
               store_user_set_activation(call->store, &user, NULL, 0, &err) != STORE_OK) {
        rest_error(call, 500, REST_GENERAL, "%s", err.text);
    } else if (rest_commit(call)) {
        reply_login(call, &user);
    }
}

/* A tenant admin's token pair in the name of a user (on by default at ThingsBoard). */
static void user_token(rest_call_t *call)
{
    store_id_t user;
    err_t err = ERR_INIT;
    if (rest_ok(call, store_user_get(call->store, &call->id[0], note_id, &user, &err), "User",
                &err)) {
        reply_login(call, &user);
    }
}

const rest_route_t REST_USER[] = {
    {HTTP_POST, "/api/user", AUTH_TENANT_ADMIN, save_user},
    {HTTP_GET, "/api/user/{id}", AUTH_TENANT_ADMIN, get_user},
    {HTTP_DELETE, "/api/user/{id}", AUTH_TENANT_ADMIN, delete_user},
    {HTTP_GET, "/api/user/{id}/token", AUTH_TENANT_ADMIN, user_token},
    {HTTP_GET, "/api/user/{id}/activationLink", AUTH_TENANT_ADMIN, get_link},
    {HTTP_GET, "/api/user/{id}/activationLinkInfo", AUTH_TENANT_ADMIN, get_link_info},
    {HTTP_GET, "/api/customer/{id}/users", AUTH_TENANT_ADMIN, customer_users},
    {HTTP_POST, "/api/noauth/activate", 0, activate},
    {0},
};

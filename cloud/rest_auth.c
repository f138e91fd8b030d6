/* SPDX-License-Identifier: Apache-2.0 */
/* AuthController: login, tokens, who am I. */
#include "cloud/rest_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define ANY (AUTH_SYS_ADMIN | AUTH_TENANT_ADMIN | AUTH_CUSTOMER_USER)

static void reply_tokens(rest_call_t *call, auth_result_t result, const auth_tokens_t *tokens,
                         const err_t *err)
{
    switch (result) {
    case AUTH_OK:
        json_object(&call->json);
        rest_put_text(&call->json, "token", tokens->token);
        rest_put_text(&call->json, "refreshToken", tokens->refresh_token);
        json_end(&call->json);
        rest_done(call);
        break;
    case AUTH_EXPIRED:
        rest_error(call, 401, REST_TOKEN_EXPIRED, "Token has expired");
        break;
    case AUTH_DISABLED:
        rest_error(call, 401, REST_AUTHENTICATION, "User account is not active");
        break;
    case AUTH_DAMPED:
        rest_error(call, 401, REST_AUTHENTICATION,
                   "Too many failed logins: wait up to a minute and try again");
        break;
    case AUTH_WEAK:
        rest_error(call, 400, REST_BAD_REQUEST, "Password must be %d to %d characters long",
                   AUTH_PASSWORD_MIN, AUTH_PASSWORD_MAX);
        break;
    case AUTH_MISMATCH:
        rest_error(call, 400, REST_BAD_REQUEST, "Current password doesn't match!");
        break;
    case AUTH_SAME:
        rest_error(call, 400, REST_BAD_REQUEST, "New password should be different from existing!");
        break;
    case AUTH_FAILED:
        rest_error(call, 500, REST_GENERAL, "%s", err->text);
        break;
    default:
        rest_error(call, 401, REST_AUTHENTICATION, "Invalid username or password");
        break;
    }
}

static void login(rest_call_t *call)
{
    char username[JWT_TEXT_SIZE];
    char password[4 * AUTH_PASSWORD_MAX];
    err_t err = ERR_INIT;
    auth_tokens_t *tokens = calloc(1, sizeof *tokens);
    if (tokens == NULL) {
        rest_error(call, 500, REST_GENERAL, "Out of memory");
        return;
    }
    auth_result_t result = AUTH_BAD;
    if (rest_body_text(call, "username", username, sizeof username) &&
        rest_body_text(call, "password", password, sizeof password)) {
        result = auth_login(call->rest->settings.auth, call->http->peer, username, password, tokens,
                            &err);
        bytes_wipe(password, sizeof password);
    }
    reply_tokens(call, result, tokens, &err);
    free(tokens);
}

static void renew(rest_call_t *call)
{
    char refresh[JWT_TOKEN_MAX];
    err_t err = ERR_INIT;
    auth_tokens_t *tokens = calloc(1, sizeof *tokens);
    if (tokens == NULL) {
        rest_error(call, 500, REST_GENERAL, "Out of memory");
        return;
    }
    auth_result_t result = AUTH_BAD;
    if (rest_body_text(call, "refreshToken", refresh, sizeof refresh)) {
        result = auth_refresh(call->rest->settings.auth, refresh, tokens, &err);
    }
    reply_tokens(call, result, tokens, &err);
    free(tokens);
}

static void logout(rest_call_t *call)
{
    auth_logout(call->rest->settings.auth, &call->caller);
    rest_empty(call);
}

static void change_password(rest_call_t *call)
{
    char current[4 * AUTH_PASSWORD_MAX] = "";
    char fresh[4 * AUTH_PASSWORD_MAX] = "";
    err_t err = ERR_INIT;
    auth_tokens_t *tokens = calloc(1, sizeof *tokens);
    if (tokens == NULL) {
        rest_error(call, 500, REST_GENERAL, "Out of memory");
        return;
    }
    rest_body_text(call, "currentPassword", current, sizeof current);
    rest_body_text(call, "newPassword", fresh, sizeof fresh);
    auth_result_t result = auth_change_password(call->rest->settings.auth, &call->caller,
                                                call->http->peer, current, fresh, tokens, &err);
    bytes_wipe(current, sizeof current);
    bytes_wipe(fresh, sizeof fresh);
    reply_tokens(call, result, tokens, &err);
    free(tokens);
}

void rest_put_user(void *ctx, const store_user_t *user)
{
    json_writer_t *w = ctx;
    json_object(w);
    rest_put_id(w, "id", "USER", &user->id);
    rest_put_i64(w, "createdTime", user->created_ms);
    rest_put_id(w, "tenantId", "TENANT", &user->tenant);
    rest_put_id(w, "customerId", "CUSTOMER", &user->customer);
    rest_put_text(w, "email", user->email);
    rest_put_text(w, "authority",
                  user->role == STORE_TENANT_ADMIN ? "TENANT_ADMIN"
                  : user->role == STORE_SYS_ADMIN  ? "SYS_ADMIN"
                                                   : "CUSTOMER_USER");
    rest_put_text(w, "firstName", user->first_name);
    rest_put_text(w, "lastName", user->last_name);
    rest_put_null(w, "phone");
    rest_put_i64(w, "version", user->version);
    rest_put_text(w, "name", user->email);
    json_key(w, "additionalInfo");
    if (user->info != NULL) {
        json_put_raw(w, user->info, strlen(user->info));
    } else {
        json_put_null(w);
    }
    json_end(w);
}

static void who_am_i(rest_call_t *call)
{
    err_t err = ERR_INIT;
    call->id[0] = call->caller.user_id;
    if (rest_ok(
            call,
            store_user_get(call->store, &call->caller.user_id, rest_put_user, &call->json, &err),
            "User", &err)) {
        rest_done(call);
    }
}

const rest_route_t REST_AUTH[] = {
    {HTTP_POST, "/api/auth/login", 0, login},
    {HTTP_POST, "/api/auth/token", 0, renew},
    {HTTP_POST, "/api/auth/logout", ANY, logout},
    {HTTP_POST, "/api/auth/changePassword", ANY, change_password},
    {HTTP_GET, "/api/auth/user", ANY, who_am_i},
    {0},
};

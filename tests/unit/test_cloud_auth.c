/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "cloud/auth.h"
#include "json/json.h"

#define ALICE    "alice@cradle.test"
#define PASSWORD "correct horse"
#define HOME     "192.0.2.1"
#define STRANGER "198.51.100.7"

static char dir[] = "/tmp/cradle-auth-XXXXXX";
static char key_file[FILE_PATH_MAX];
static char good[AUTH_HASH_SIZE]; /* of PASSWORD */
static char hash[AUTH_HASH_SIZE]; /* what the next save stores */
static store_t *store;
static auth_t *auth;
static store_id_t alice;
static auth_tokens_t tokens;

static bool open_auth(int64_t token_s)
{
    return auth_open(&auth, store, &(auth_settings_t){.key_file = key_file, .token_s = token_s},
                     NULL);
}

static store_result_t save_alice(bool enabled, const char *info)
{
    store_user_t user = {.id = alice, .email = ALICE, .role = STORE_TENANT_ADMIN};
    store_tenant(store, &user.tenant);
    user.password_hash = hash;
    user.enabled = enabled;
    user.info = info;
    store_result_t result = store_user_save(store, &user, 1000, NULL);
    alice = user.id;
    return result;
}

static int open_store(void **state)
{
    (void)state;
    memset(&alice, 0, sizeof alice);
    memcpy(hash, good, sizeof hash);
    return store_open(&store, &(store_settings_t){.path = ""}, NULL) && open_auth(0) ? 0 : 1;
}

static int open_all(void **state)
{
    return open_store(state) == 0 && save_alice(true, NULL) == STORE_OK ? 0 : 1;
}

static int close_all(void **state)
{
    (void)state;
    auth_close(auth);
    store_close(store);
    return 0;
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) != NULL && file_join(key_file, dir, "jwt.key", NULL) &&
                   auth_hash_password(PASSWORD, good, NULL)
               ? 0
               : 1;
}

static int remove_dir(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL) ? 0 : 1;
}

static auth_result_t login(const char *peer, const char *username, const char *password)
{
    return auth_login(auth, peer, username, password, &tokens, NULL);
}

static auth_result_t check(const char *token)
{
    char header[JWT_TOKEN_MAX + 16];
    auth_caller_t caller;
    snprintf(header, sizeof header, "Bearer %s", token);
    return auth_check(auth, header, &caller, NULL);
}

static auth_caller_t caller_now(void)
{
    char header[JWT_TOKEN_MAX + 16];
    auth_caller_t caller;
    snprintf(header, sizeof header, "Bearer %s", tokens.token);
    assert_int_equal(auth_check(auth, header, &caller, NULL), AUTH_OK);
    return caller;
}

/* ---- login and tokens ---- */

static void the_right_password_only(void **state)
{
    (void)state;
    assert_int_equal(login(HOME, ALICE, PASSWORD), AUTH_OK);
    auth_caller_t caller = caller_now();
    assert_int_equal(caller.authority, AUTH_TENANT_ADMIN);
    assert_string_equal(caller.email, ALICE);
    assert_true(store_id_equal(&caller.user_id, &alice));
    assert_int_equal(login(HOME, ALICE, PASSWORD " "), AUTH_BAD);
    assert_int_equal(login(HOME, "bob@cradle.test", PASSWORD), AUTH_BAD);
    assert_int_equal(login(HOME, "ALICE@cradle.TEST", PASSWORD), AUTH_OK);
    assert_int_equal(login(HOME, ALICE, ""), AUTH_BAD);
}

static void hashes_are_salted_and_strict(void **state)
{
    (void)state;
    char again[AUTH_HASH_SIZE];
    assert_true(auth_hash_password(PASSWORD, again, NULL));
    assert_string_not_equal(again, hash);
    assert_null(strstr(again, PASSWORD));
    /* a hash that was cut or is of another kind lets nobody in; nor does none */
    static const char *const wrong[] = {"", "scrypt$14$8$1$", "scrypt$14$8$1$AAAA$AAAA", PASSWORD};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(hash, sizeof hash, "%s", wrong[i]);
        assert_int_equal(save_alice(true, NULL), STORE_OK);
        char peer[16];
        snprintf(peer, sizeof peer, "192.0.2.%zu", i + 10);
        assert_int_equal(login(peer, ALICE, PASSWORD), AUTH_BAD);
    }
}

static void the_two_tokens_are_not_interchangeable(void **state)
{
    (void)state;
    auth_tokens_t first;
    assert_int_equal(login(HOME, ALICE, PASSWORD), AUTH_OK);
    first = tokens;
    assert_int_equal(check(first.token), AUTH_OK);
    assert_int_equal(check(first.refresh_token), AUTH_BAD);
    assert_int_equal(auth_refresh(auth, first.token, &tokens, NULL), AUTH_BAD);
    assert_int_equal(auth_refresh(auth, first.refresh_token, &tokens, NULL), AUTH_OK);
    assert_int_equal(check(tokens.token), AUTH_OK);
    assert_int_equal(check(""), AUTH_BAD);
    auth_caller_t caller;
    assert_int_equal(auth_check(auth, "", &caller, NULL), AUTH_MISSING);
    assert_int_equal(auth_check(auth, "Basic YTpi", &caller, NULL), AUTH_MISSING);
    assert_int_equal(auth_check(auth, first.token, &caller, NULL), AUTH_MISSING);
}

static void tokens_end_with_time(void **state)
{
    (void)state;
    auth_close(auth);
    assert_true(open_auth(-1)); /* expired when made */
    assert_int_equal(login(HOME, ALICE, PASSWORD), AUTH_OK);
    assert_int_equal(check(tokens.token), AUTH_EXPIRED);
    assert_int_equal(auth_refresh(auth, tokens.refresh_token, &tokens, NULL), AUTH_OK);
}

static void logout_ends_that_login_only(void **state)
{
    (void)state;
    assert_int_equal(login(HOME, ALICE, PASSWORD), AUTH_OK);
    auth_tokens_t first = tokens;
    assert_int_equal(login(HOME, ALICE, PASSWORD), AUTH_OK);
    auth_tokens_t second = tokens;
    tokens = first;
    auth_caller_t caller = caller_now();
    auth_logout(auth, &caller);
    assert_int_equal(check(first.token), AUTH_EXPIRED);
    assert_int_equal(auth_refresh(auth, first.refresh_token, &tokens, NULL), AUTH_EXPIRED);
    assert_int_equal(check(second.token), AUTH_OK);
}

static void a_disabled_user_is_out_at_once(void **state)
{
    (void)state;
    assert_int_equal(login(HOME, ALICE, PASSWORD), AUTH_OK);
    assert_int_equal(save_alice(false, NULL), STORE_OK);
    assert_int_equal(check(tokens.token), AUTH_DISABLED);
    assert_int_equal(login(HOME, ALICE, "wrong"), AUTH_BAD); /* only the owner learns of it */
    assert_int_equal(login(HOME, ALICE, PASSWORD), AUTH_DISABLED);
}

/* ---- change of password ---- */

static auth_result_t change(const auth_caller_t *caller, const char *current, const char *fresh)
{
    return auth_change_password(auth, caller, HOME, current, fresh, &tokens, NULL);
}

static void a_new_password_outdates_all_tokens(void **state)
{
    (void)state;
    char longest[AUTH_PASSWORD_MAX + 2];
    assert_int_equal(login(HOME, ALICE, PASSWORD), AUTH_OK);
    auth_tokens_t before = tokens;
    auth_caller_t caller = caller_now();
    assert_int_equal(change(&caller, PASSWORD, PASSWORD), AUTH_SAME);
    assert_int_equal(change(&caller, PASSWORD, "12345"), AUTH_WEAK);
    memset(longest, 'x', sizeof longest);
    longest[AUTH_PASSWORD_MAX + 1] = '\0';
    assert_int_equal(change(&caller, PASSWORD, longest), AUTH_WEAK);
    assert_int_equal(change(&caller, "wrong", "a new one"), AUTH_MISMATCH);
    assert_int_equal(check(before.token), AUTH_OK); /* nothing has changed so far */
    assert_int_equal(change(&caller, PASSWORD, "a new one"), AUTH_OK);
    assert_int_equal(check(before.token), AUTH_EXPIRED);
    assert_int_equal(check(tokens.token), AUTH_OK);
    assert_int_equal(auth_refresh(auth, before.refresh_token, &before, NULL), AUTH_EXPIRED);
    assert_int_equal(login(HOME, ALICE, PASSWORD), AUTH_BAD);
    assert_int_equal(login(HOME, ALICE, "a new one"), AUTH_OK);
    assert_int_equal(check(tokens.token), AUTH_OK);
}

static void note_info(void *ctx, const store_user_t *user)
{
    assert_non_null(user->info);
    snprintf(ctx, STORE_JSON_MAX + 1, "%s", user->info);
}

static void a_new_password_leaves_the_rest_alone(void **state)
{
    (void)state;
    static char info[STORE_JSON_MAX + 1];
    static char after[STORE_JSON_MAX + 1];
    memset(info, 'x', 20000);
    memcpy(info, "{\"a\":\"", 6);
    strcpy(info + 20000, "\"}");
    assert_int_equal(save_alice(true, info), STORE_OK);
    assert_int_equal(login(HOME, ALICE, PASSWORD), AUTH_OK);
    auth_caller_t caller = caller_now();
    assert_int_equal(change(&caller, PASSWORD, "a new one"), AUTH_OK);
    assert_int_equal(store_user_get(store, &alice, note_info, after, NULL), STORE_OK);
    assert_string_equal(after, info);
}

/* ---- damping ---- */

static void guessing_is_damped_and_ends(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(login(HOME, ALICE, "wrong"), AUTH_BAD);
    }
    uint64_t start = clock_monotonic_ms();
    assert_int_equal(login(HOME, ALICE, "wrong"), AUTH_DAMPED);
    assert_int_equal(login(HOME, ALICE, PASSWORD), AUTH_DAMPED); /* the right one, too */
    assert_true(clock_monotonic_ms() - start < 500);
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 50000000}, NULL);
    assert_int_equal(login(HOME, ALICE, PASSWORD), AUTH_OK);
    assert_int_equal(login(HOME, ALICE, "wrong"), AUTH_BAD); /* counted from the start again */
    assert_int_equal(login(HOME, ALICE, PASSWORD), AUTH_OK);
}

static void one_address_is_damped_over_all_accounts(void **state)
{
    (void)state;
    char name[32];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "user%d@cradle.test", i);
        assert_int_equal(login(STRANGER, name, "wrong"), AUTH_BAD);
    }
    assert_int_equal(login(STRANGER, "user9@cradle.test", "wrong"), AUTH_DAMPED);
    assert_int_equal(login(STRANGER, ALICE, PASSWORD), AUTH_DAMPED);
    assert_int_equal(login(HOME, ALICE, PASSWORD), AUTH_OK);
}

/* Who guesses at an account must not keep its owner out. */
static void a_stranger_cannot_lock_the_owner_out(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(login(STRANGER, ALICE, "wrong"), AUTH_BAD);
    }
    assert_int_equal(login(STRANGER, ALICE, PASSWORD), AUTH_DAMPED);
    assert_int_equal(login(HOME, ALICE, PASSWORD), AUTH_OK);
    auth_caller_t caller = caller_now();
    assert_int_equal(change(&caller, PASSWORD, "a new one"), AUTH_OK);
    assert_int_equal(login(STRANGER, ALICE, "a new one"), AUTH_DAMPED); /* not freed by that */
}

/* A login of one's own in between does not buy more guesses at another's account. */
static void an_own_login_does_not_pardon_guesses(void **state)
{
    (void)state;
    store_user_t own = {.email = "mallory@cradle.test", .role = STORE_CUSTOMER_USER};
    own.password_hash = hash;
    own.enabled = true;
    assert_int_equal(store_user_save(store, &own, 1000, NULL), STORE_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(login(STRANGER, ALICE, "wrong"), AUTH_BAD);
        if (i < 2) {
            assert_int_equal(login(STRANGER, own.email, PASSWORD), AUTH_OK);
        }
    }
    assert_int_equal(login(STRANGER, ALICE, "wrong"), AUTH_DAMPED);
}

/* ---- the first administrator ---- */

static void the_first_admin_is_made_once(void **state)
{
    (void)state;
    char path[FILE_PATH_MAX];
    char username[64];
    char password[64];
    char *data;
    size_t len;
    uint64_t count;
    json_token_t token;
    struct stat st;
    err_t err = ERR_INIT;
    assert_true(file_join(path, dir, "admin.json", NULL));
    assert_true(auth_first_admin(auth, path, &err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(file_read(path, 4096, &data, &len, NULL));
    assert_true(json_find(data, len, "username", &token));
    assert_true(json_string(&token, username, sizeof username, NULL));
    assert_true(json_find(data, len, "password", &token));
    assert_true(json_string(&token, password, sizeof password, NULL));
    free(data);
    assert_true(strlen(password) >= 16);
    assert_int_equal(login(HOME, username, password), AUTH_OK);
    assert_int_equal(caller_now().authority, AUTH_TENANT_ADMIN);

    /* once there is a user, the file means nothing any more */
    assert_true(file_write(path, "{}", 2, 0600, NULL));
    assert_true(auth_first_admin(auth, path, &err));
    assert_int_equal(store_user_count(store, &count, NULL), STORE_OK);
    assert_int_equal(count, 1);
}

static void a_given_first_password_is_taken_or_refused(void **state)
{
    (void)state;
    static const char given[] = "{\"username\":\"me@cradle.test\",\"password\":\"secret7\"}";
    static const char *const bad[] = {"", "{}", "{\"username\":\"me@cradle.test\"}",
                                      "{\"username\":\"me@cradle.test\",\"password\":\"short\"}"};
    char path[FILE_PATH_MAX];
    uint64_t count;
    assert_true(file_join(path, dir, "given.json", NULL));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err_t err = ERR_INIT;
        assert_true(file_write(path, bad[i], strlen(bad[i]), 0600, NULL));
        assert_false(auth_first_admin(auth, path, &err));
        assert_int_equal(store_user_count(store, &count, NULL), STORE_OK);
        assert_int_equal(count, 0);
    }
    assert_true(file_write(path, given, strlen(given), 0600, NULL));
    assert_true(auth_first_admin(auth, path, NULL));
    assert_int_equal(login(HOME, "me@cradle.test", "secret7"), AUTH_OK);
}

#define WITH_ALICE(test) cmocka_unit_test_setup_teardown(test, open_all, close_all)
#define EMPTY(test)      cmocka_unit_test_setup_teardown(test, open_store, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ALICE(the_right_password_only),
        WITH_ALICE(hashes_are_salted_and_strict),
        WITH_ALICE(the_two_tokens_are_not_interchangeable),
        WITH_ALICE(tokens_end_with_time),
        WITH_ALICE(logout_ends_that_login_only),
        WITH_ALICE(a_disabled_user_is_out_at_once),
        WITH_ALICE(a_new_password_outdates_all_tokens),
        WITH_ALICE(a_new_password_leaves_the_rest_alone),
        WITH_ALICE(guessing_is_damped_and_ends),
        WITH_ALICE(one_address_is_damped_over_all_accounts),
        WITH_ALICE(a_stranger_cannot_lock_the_owner_out),
        WITH_ALICE(an_own_login_does_not_pardon_guesses),
        EMPTY(the_first_admin_is_made_once),
        EMPTY(a_given_first_password_is_taken_or_refused),
    };
    return cmocka_run_group_tests_name("cloud_auth", tests, make_dir, remove_dir);
}

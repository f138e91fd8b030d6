/* SPDX-License-Identifier: Apache-2.0 */
/* The REST API through a real HTTP server, over a store in memory: what the replay of recorded
   answers does not reach. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asker.h"
#include "base/file.h"
#include "cloud/rest.h"
#include "json/json.h"

#define PASSWORD "correct horse"

static char dir[] = "/tmp/cradle-rest-XXXXXX";
static store_t *store;
static auth_t *auth;
static rest_t *rest;
static http_server_t *server;
static store_device_t device;
static char token[JWT_TOKEN_MAX];
static char telemetry[128]; /* the prefix of the device's telemetry paths */
static asker_answer_t heard;
static char pushed[256];
static unsigned closed;

static void note_push(void *ctx, const store_id_t *id, const char *json, size_t len)
{
    (void)ctx;
    assert_true(store_id_equal(id, &device.id));
    snprintf(pushed, sizeof pushed, "%.*s", (int)len, json);
}

static void note_close(void *ctx, const store_id_t *id)
{
    (void)ctx;
    (void)id;
    closed++;
}

/* ---- a client ---- */

/* Asks, and leaves the answer in `heard`. */
static void ask_as(const char *bearer, const char *method, const char *path, const char *body)
{
    const asker_request_t request = {method, path, "X-Authorization", bearer, body};
    asker_ask(server, &request, &heard);
}

static void ask(const char *method, const char *path, const char *body)
{
    ask_as(token, method, path, body);
}

/* On the device's telemetry: `rest_of` follows .../DEVICE/<id>/ */
static void ask_data(const char *method, const char *rest_of, const char *body)
{
    static char path[16 * 1024];
    snprintf(path, sizeof path, "%s%s", telemetry, rest_of);
    ask(method, path, body);
}

static void text_of(const char *name, char *out, size_t cap)
{
    json_token_t value;
    assert_true(json_find(heard.body, strlen(heard.body), name, &value));
    assert_true(json_string(&value, out, cap, NULL));
}

static void expect_error(int want, const char *message)
{
    char text[512];
    assert_int_equal(heard.status, want);
    text_of("message", text, sizeof text);
    assert_string_equal(text, message);
}

/* ---- a cloud ---- */

static void add_user(const char *email, store_role_t role, bool enabled, const char *info)
{
    char hash[AUTH_HASH_SIZE];
    store_user_t user = {.email = email, .role = role, .enabled = enabled, .info = info};
    store_tenant(store, &user.tenant);
    assert_true(auth_hash_password(PASSWORD, hash, NULL));
    user.password_hash = hash;
    assert_int_equal(store_user_save(store, &user, 1000, NULL), STORE_OK);
    assert_true(store_commit(store, NULL));
}

static void log_in(const char *email)
{
    char body[256];
    snprintf(body, sizeof body, "{\"username\":\"%s\",\"password\":\"" PASSWORD "\"}", email);
    ask_as(NULL, "POST", "/api/auth/login", body);
    assert_int_equal(heard.status, 200);
    text_of("token", token, sizeof token);
}

static bool open_rest(void)
{
    char key[FILE_PATH_MAX];
    rest_settings_t settings = {.store = store};
    http_settings_t http = {.listen = "127.0.0.1:0"};
    settings.hooks = (rest_hooks_t){
        .shared_saved = note_push, .shared_deleted = note_push, .session_close = note_close};
    if (!file_join(key, dir, "jwt.key", NULL) ||
        !auth_open(&auth, store, &(auth_settings_t){.key_file = key}, NULL)) {
        return false;
    }
    settings.auth = auth;
    return rest_open(&rest, &settings, NULL) &&
           http_server_open(&server, &http, rest_handle, rest, NULL);
}

static int open_all(void **state)
{
    (void)state;
    char id[STORE_ID_SIZE];
    store_profile_t profile = {.name = "default", .is_default = true};
    device = (store_device_t){.name = "SN-000001"};
    closed = 0;
    pushed[0] = '\0';
    if (!store_open(&store, &(store_settings_t){.path = ""}, NULL) ||
        store_profile_save(store, &profile, NULL) != STORE_OK ||
        store_device_save(store, &device, 1000, NULL) != STORE_OK || !open_rest()) {
        return 1;
    }
    store_id_format(&device.id, id);
    snprintf(telemetry, sizeof telemetry, "/api/plugins/telemetry/DEVICE/%s/", id);
    add_user("admin@cradle.test", STORE_TENANT_ADMIN, true, NULL);
    log_in("admin@cradle.test");
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    http_server_close(server);
    rest_close(rest);
    auth_close(auth);
    store_close(store);
    return 0;
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) != NULL ? 0 : 1;
}

static int remove_dir(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL) ? 0 : 1;
}

/* ---- who may ---- */

static void nothing_without_a_token(void **state)
{
    (void)state;
    static const char *const paths[] = {"/api/auth/user", "/api/tenant/devices?pageSize=1&page=0",
                                        "/api/deviceProfiles?pageSize=1&page=0", "/api/nothing",
                                        "/api/device/xyz"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ask_as(NULL, "GET", paths[i], NULL);
        expect_error(401, "Authentication failed");
        ask_as("junk", "GET", paths[i], NULL);
        expect_error(401, "Invalid username or password");
    }
    token[strlen(token) - 5] ^= 1;
    ask("GET", "/api/auth/user", NULL);
    expect_error(401, "Token has expired");
}

/* A customer's user: the own devices only; others are forbidden, in text where telemetry is. */
static void customers_see_their_own_only(void **state)
{
    (void)state;
    char id[STORE_ID_SIZE];
    char path[128];
    add_user("alice@cradle.test", STORE_CUSTOMER_USER, true, NULL);
    log_in("alice@cradle.test");
    store_id_format(&device.id, id);
    store_id_t other;
    store_id_new(&other);
    device.customer = other;
    device.version = -1;
    assert_int_equal(store_device_save(store, &device, 2000, NULL), STORE_OK);
    snprintf(path, sizeof path, "/api/device/%s", id);
    ask("GET", path, NULL);
    expect_error(403, "You don't have permission to perform this operation!");
    ask("DELETE", path, NULL);
    expect_error(403, "You don't have permission to perform this operation!");
    ask("GET", "/api/tenant/devices?pageSize=1&page=0", NULL);
    expect_error(403, "You don't have permission to perform this operation!");
    ask_data("GET", "values/timeseries", NULL);
    assert_int_equal(heard.status, 403);
    ask_data("POST", "SHARED_SCOPE", "{\"a\":1}");
    assert_int_equal(heard.status, 403);
    ask_data("DELETE", "SHARED_SCOPE?keys=a", NULL);
    assert_int_equal(heard.status, 403);
    assert_string_equal(pushed, "");
    assert_int_equal(closed, 0);
}

/* Makes a customer's user, logs in and leaves the token in `out`. */
static void log_in_customer(const char *email, const store_id_t *customer, char *out, size_t cap)
{
    char hash[AUTH_HASH_SIZE];
    store_user_t user = {
        .email = email, .role = STORE_CUSTOMER_USER, .enabled = true, .customer = *customer};
    assert_true(auth_hash_password(PASSWORD, hash, NULL));
    user.password_hash = hash;
    assert_int_equal(store_user_save(store, &user, 1000, NULL), STORE_OK);
    log_in(email);
    snprintf(out, cap, "%s", token);
}

static void give_device(const store_id_t *customer)
{
    device.customer = *customer;
    device.version = -1;
    assert_int_equal(store_device_save(store, &device, 2000, NULL), STORE_OK);
}

/* Else a login without a customer would own every device that nobody owns. */
static void a_user_of_no_customer_owns_nothing(void **state)
{
    (void)state;
    static char nobody[JWT_TOKEN_MAX];
    char id[STORE_ID_SIZE];
    char path[128];
    log_in_customer("nobody@cradle.test", &STORE_ID_NULL, nobody, sizeof nobody);
    store_id_format(&device.id, id);
    snprintf(path, sizeof path, "/api/device/%s", id);
    ask("GET", path, NULL);
    assert_int_equal(heard.status, 403);
    ask_data("GET", "keys/timeseries", NULL);
    assert_int_equal(heard.status, 403);
    snprintf(path, sizeof path, "{\"id\":{\"id\":\"%s\"},\"name\":\"x\"}", id);
    ask("POST", "/api/device", path);
    assert_int_equal(heard.status, 403);
    ask("GET", "/api/alarms?pageSize=1&page=0", NULL);
    assert_int_equal(heard.status, 403);
    ask("GET", "/api/customer/13814000-1dd2-11b2-8080-808080808080/devices?pageSize=1&page=0",
        NULL);
    assert_int_equal(heard.status, 403);
}

/* ThingsBoard's trap: an alarm stays its customer's, whoever has the device now. */
static void alarms_stay_with_their_customer(void **state)
{
    (void)state;
    static char old[JWT_TOKEN_MAX];
    static char new[JWT_TOKEN_MAX];
    store_id_t first;
    store_id_t second;
    char id[STORE_ID_SIZE];
    char body[256];
    char by_id[128];
    char of_device[128];
    store_id_new(&first);
    store_id_new(&second);
    log_in_customer("old@cradle.test", &first, old, sizeof old);
    log_in_customer("new@cradle.test", &second, new, sizeof new);
    store_id_format(&device.id, id);
    give_device(&first);
    snprintf(body, sizeof body,
             "{\"originator\":{\"entityType\":\"DEVICE\",\"id\":\"%s\"},\"type\":\"t\","
             "\"severity\":\"MAJOR\"}",
             id);
    ask_as(new, "POST", "/api/alarm", body);
    assert_int_equal(heard.status, 403);
    ask_as(old, "POST", "/api/alarm", body);
    assert_int_equal(heard.status, 200);
    text_of("id.id", id, sizeof id);
    snprintf(by_id, sizeof by_id, "/api/alarm/%s", id);
    store_id_format(&device.id, id);
    snprintf(of_device, sizeof of_device, "/api/alarm/DEVICE/%s?pageSize=10&page=0", id);
    give_device(&second);
    ask_as(old, "GET", by_id, NULL);
    assert_int_equal(heard.status, 200);
    ask_as(old, "GET", of_device, NULL);
    assert_int_equal(heard.status, 403);
    ask_as(old, "GET", "/api/alarms?pageSize=10&page=0", NULL);
    assert_non_null(strstr(heard.body, "\"totalElements\":1"));
    ask_as(new, "GET", by_id, NULL);
    expect_error(403, "You don't have permission to perform this operation!");
    ask_as(new, "DELETE", by_id, NULL);
    assert_int_equal(heard.status, 403);
    ask_as(new, "GET", of_device, NULL);
    assert_non_null(strstr(heard.body, "\"totalElements\":1"));
    ask_as(new, "GET", "/api/alarms?pageSize=10&page=0", NULL);
    assert_non_null(strstr(heard.body, "\"totalElements\":0"));
}

/* ---- series ---- */

static void add_point(const char *key, int64_t ts, tb_value_t value)
{
    tb_point_t point = {.ts = ts, .key = key, .key_len = strlen(key), .value = value};
    assert_int_equal(store_point_add(store, device.row, &point, NULL), STORE_OK);
}

static tb_value_t number(double d)
{
    return (tb_value_t){.type = TB_DOUBLE, .u.d = d};
}

static tb_value_t whole(int64_t i)
{
    return (tb_value_t){.type = TB_LONG, .u.i = i};
}

static void ranges_are_inclusive_exclusive_and_ordered(void **state)
{
    (void)state;
    for (int i = 1; i <= 5; i++) {
        add_point("t", 1000 * i, whole(i));
    }
    ask_data("GET", "values/timeseries?keys=t&startTs=2000&endTs=5000", NULL);
    assert_int_equal(heard.status, 200);
    assert_string_equal(heard.body,
                        "{\"t\":[{\"ts\":4000,\"value\":\"4\"},{\"ts\":3000,\"value\":\"3\"},"
                        "{\"ts\":2000,\"value\":\"2\"}]}");
    ask_data("GET",
             "values/timeseries?keys=t,none&startTs=2000&endTs=5000&orderBy=ASC&limit=1"
             "&useStrictDataTypes=true",
             NULL);
    assert_string_equal(heard.body, "{\"t\":[{\"ts\":2000,\"value\":2}]}");
    ask_data("GET", "values/timeseries?keys=t&startTs=5000&endTs=2000", NULL);
    assert_string_equal(heard.body, "{}");
    ask_data("GET", "values/timeseries?keys=t&startTs=x&endTs=2000", NULL);
    assert_int_equal(heard.status, 400);
}

static void keys_may_be_repeated(void **state)
{
    (void)state;
    add_point("a", 1, whole(1));
    add_point("b", 2, whole(2));
    add_point("c", 3, whole(3));
    ask_data("GET", "values/timeseries?key=a&key=c", NULL);
    assert_string_equal(heard.body, "{\"a\":[{\"ts\":1,\"value\":\"1\"}],"
                                    "\"c\":[{\"ts\":3,\"value\":\"3\"}]}");
    ask_data("GET", "values/timeseries?startTs=0&endTs=9", NULL);
    assert_string_equal(heard.body, "{\"a\":[{\"ts\":1,\"value\":\"1\"}],"
                                    "\"b\":[{\"ts\":2,\"value\":\"2\"}],"
                                    "\"c\":[{\"ts\":3,\"value\":\"3\"}]}");
}

/* Ends of a range are anybody's numbers: no overflow, no endless loop. */
static void absurd_ranges_are_refused(void **state)
{
    (void)state;
#define LOW  "-9223372036854775808"
#define HIGH "9223372036854775807"
    add_point("t", -5, whole(1));
    add_point("t", 1000, whole(2));
    ask_data("GET",
             "values/timeseries?keys=t&startTs=" LOW "&endTs=" HIGH "&agg=SUM&interval=" HIGH,
             NULL);
    assert_int_equal(heard.status, 400);
    assert_string_equal(heard.body, "Incorrect TsKvQuery. Number of intervals is too high");
    ask_data("GET", "values/timeseries?keys=t&startTs=0&endTs=" HIGH "&agg=SUM&interval=1", NULL);
    assert_int_equal(heard.status, 400);
    ask_data("GET", "values/timeseries?keys=t&startTs=" LOW "&endTs=" HIGH, NULL);
    assert_int_equal(heard.status, 200);
    assert_string_equal(heard.body,
                        "{\"t\":[{\"ts\":1000,\"value\":\"2\"},{\"ts\":-5,\"value\":\"1\"}]}");
    ask_data("GET", "values/timeseries?keys=t&startTs=0&endTs=" HIGH "&agg=SUM&interval=" HIGH,
             NULL);
    assert_string_equal(heard.body, "{\"t\":[{\"ts\":4611686018427387903,\"value\":\"2\"}]}");
    ask_data("GET", "values/timeseries?keys=t&startTs=0&endTs=9&limit=0", NULL);
    assert_int_equal(heard.status, 400);
}

static void sums_without_end_stay_json(void **state)
{
    (void)state;
    add_point("d", 1, number(1.7e308));
    add_point("d", 2, number(1.7e308));
    add_point("i", 1, whole(INT64_MAX));
    add_point("i", 2, whole(INT64_MAX));
    ask_data("GET",
             "values/timeseries?keys=d,i&startTs=0&endTs=10&agg=SUM&interval=10"
             "&useStrictDataTypes=true",
             NULL);
    assert_int_equal(heard.status, 200);
    assert_string_equal(heard.body, "{\"d\":[{\"ts\":5,\"value\":null}],"
                                    "\"i\":[{\"ts\":5,\"value\":1.8446744073709552E19}]}");
}

/* A wipe names many keys at once: none may be passed over. */
static void all_named_keys_are_deleted(void **state)
{
    (void)state;
    static char path[8 * 1024] = "timeseries/delete?startTs=0&endTs=9999999999999&keys=";
    for (int i = 0; i < 400; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        add_point(key, 1000 + i, whole(i));
        strcat(strcat(path, key), ",");
    }
    assert_true(store_commit(store, NULL));
    ask_data("DELETE", path, NULL);
    assert_int_equal(heard.status, 200);
    assert_string_equal(heard.body, "");
    ask_data("GET", "keys/timeseries", NULL);
    assert_string_equal(heard.body, "[]");
    ask_data("GET", "values/timeseries?keys=k399&startTs=0&endTs=9999", NULL);
    assert_string_equal(heard.body, "{}");
}

static void deletion_says_what_is_missing(void **state)
{
    (void)state;
    add_point("t", 1000, whole(1));
    ask_data("DELETE", "timeseries/delete?startTs=0&endTs=9", NULL);
    assert_int_equal(heard.status, 400);
    assert_string_equal(heard.body, "Empty keys: []");
    ask_data("DELETE", "timeseries/delete?keys=t&startTs=0", NULL);
    assert_int_equal(heard.status, 400);
    ask_data("DELETE", "SERVER_SCOPE", NULL);
    assert_int_equal(heard.status, 400);
    assert_string_equal(heard.body, "Empty keys: []");
    ask_data("GET", "keys/timeseries", NULL);
    assert_string_equal(heard.body, "[\"t\"]");
}

/* ---- attributes ---- */

static void shared_attributes_are_pushed(void **state)
{
    (void)state;
    ask_data("POST", "SHARED_SCOPE", "{\"interval\":60,\"fw\":\"2.0\"}");
    assert_int_equal(heard.status, 200);
    assert_string_equal(pushed, "{\"interval\":60,\"fw\":2.0}");
    pushed[0] = '\0';
    ask_data("DELETE", "SHARED_SCOPE?keys=interval,absent", NULL);
    assert_int_equal(heard.status, 200);
    assert_string_equal(pushed, "{\"deleted\":[\"interval\",\"absent\"]}");
    pushed[0] = '\0';
    ask_data("GET", "keys/attributes/SHARED_SCOPE", NULL);
    assert_string_equal(heard.body, "[\"fw\"]");
    ask_data("POST", "attributes/SERVER_SCOPE", "{\"interval\":60}");
    assert_int_equal(heard.status, 200);
    assert_string_equal(pushed, "");
}

static void wrong_attributes_change_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *path, *body, *text;
    } wrong[] = {
        {"CLIENT_SCOPE", "{\"a\":1}", "Invalid scope: CLIENT_SCOPE"},
        {"NO_SCOPE", "{\"a\":1}", "Invalid scope: NO_SCOPE"},
        {"SHARED_SCOPE", "{\"a\":1", "Invalid JSON"},
        {"SHARED_SCOPE", "", "Invalid JSON"},
        {"SHARED_SCOPE", "[1]", "Request is not a JSON object"},
        {"SHARED_SCOPE", "{}", "No attributes data found in request body!"},
        {"SHARED_SCOPE", "{\"a\":1,\"b\":null}", NULL},
        {"SHARED_SCOPE", "{\"a\":1,\"\":2}", NULL},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ask_data("POST", wrong[i].path, wrong[i].body);
        assert_int_equal(heard.status, 400);
        if (wrong[i].text != NULL) {
            assert_string_equal(heard.body, wrong[i].text);
        }
    }
    assert_string_equal(pushed, "");
    ask_data("GET", "values/attributes/SHARED_SCOPE", NULL);
    assert_string_equal(heard.body, "[]");
}

static void a_deleted_device_is_gone(void **state)
{
    (void)state;
    char id[STORE_ID_SIZE];
    char path[128];
    char message[128];
    store_id_format(&device.id, id);
    snprintf(path, sizeof path, "/api/device/%s", id);
    ask("DELETE", path, NULL);
    assert_int_equal(heard.status, 200);
    assert_string_equal(heard.body, "");
    assert_int_equal(closed, 1);
    snprintf(message, sizeof message, "Device with id [%s] is not found", id);
    ask("GET", path, NULL);
    expect_error(404, message);
    ask("DELETE", path, NULL);
    expect_error(404, message);
    assert_int_equal(closed, 1);
    ask_data("GET", "keys/timeseries", NULL);
    assert_int_equal(heard.status, 404);
    assert_string_equal(heard.body, "Device with requested id wasn't found!");
}

#define WITH_CLOUD(test) cmocka_unit_test_setup_teardown(test, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CLOUD(nothing_without_a_token),
        WITH_CLOUD(customers_see_their_own_only),
        WITH_CLOUD(a_user_of_no_customer_owns_nothing),
        WITH_CLOUD(alarms_stay_with_their_customer),
        WITH_CLOUD(ranges_are_inclusive_exclusive_and_ordered),
        WITH_CLOUD(keys_may_be_repeated),
        WITH_CLOUD(absurd_ranges_are_refused),
        WITH_CLOUD(sums_without_end_stay_json),
        WITH_CLOUD(all_named_keys_are_deleted),
        WITH_CLOUD(deletion_says_what_is_missing),
        WITH_CLOUD(shared_attributes_are_pushed),
        WITH_CLOUD(wrong_attributes_change_nothing),
        WITH_CLOUD(a_deleted_device_is_gone),
    };
    return cmocka_run_group_tests_name("cloud_rest", tests, make_dir, remove_dir);
}

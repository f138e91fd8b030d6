/* SPDX-License-Identifier: Apache-2.0 */
/* The REST client against a server in a process of its own that answers as ThingsBoard does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "http/http.h"
#include "tbrest/tbrest.h"

#define DEVICE_ID "3431dfa0-e672-11f1-a8bb-0d218fcbc11e"
#define DEVICE                                                                                     \
    "{\"id\":{\"entityType\":\"DEVICE\",\"id\":\"" DEVICE_ID "\"},\"createdTime\":5,"              \
    "\"customerId\":{\"entityType\":\"CUSTOMER\",\"id\":\"" TBREST_NULL_ID                         \
    "\"},\"name\":\"SN 1\","                                                                       \
    "\"type\":\"lobby\",\"label\":null,\"deviceProfileId\":{\"entityType\":\"DEVICE_PROFILE\","    \
    "\"id\":\"39e30160-e670-11f1-a8bb-0d218fcbc11e\"},\"version\":3}"

static char url[64];
static pid_t server_pid;


static void reply(http_request_t *r, int status, const char *json)
{
    http_reply(r, status, "application/json", json, strlen(json), NULL);
}

/* A token that is valid for `seconds` more. */
static void reply_tokens(http_request_t *r, const char *name, int64_t seconds)
{
    char claims[64];
    char coded[128];
    char json[512];
    snprintf(claims, sizeof claims, "{\"exp\":%lld}",
             (long long)(clock_wall_ms() / 1000 + seconds));
    bytes_to_base64url(claims, strlen(claims), coded, sizeof coded);
    snprintf(json, sizeof json, "{\"token\":\"%s.%s.x\",\"refreshToken\":\"R\"}", name, coded);
    reply(r, 200, json);
}

static void reply_error(http_request_t *r, int status, const char *message)
{
    char json[256];
    snprintf(json, sizeof json,
             "{\"status\":%d,\"message\":\"%s\",\"errorCode\":10,\"timestamp\":1}", status,
             message);
    reply(r, status, json);
}

static bool authorized(const http_request_t *r)
{
    return strncmp(r->authorization, "Bearer good.", 12) == 0;
}

static void serve(void *ctx, http_request_t *r)
{
    (void)ctx;
    if (strcmp(r->path, "/api/auth/login") == 0) {
        bool right = strcmp(r->body, "{\"username\":\"u\",\"password\":\"p\\\"q\"}") == 0;
        bool old = strstr(r->body, "old") != NULL;
        if (right || old) {
            reply_tokens(r, old ? "stale" : "good", 5000);
        } else {
            reply_error(r, 401, "Invalid username or password");
        }
    } else if (strcmp(r->path, "/api/auth/token") == 0) {

        reply_tokens(r, "good", 5000);
    } else if (!authorized(r)) {
        reply_error(r, 401, "Token has expired");
    } else if (strcmp(r->path, "/api/tenant/devices") == 0 &&
               strstr(r->query, "deviceName=SN%201") != NULL) {
        reply(r, 200, DEVICE);
    } else if (strcmp(r->path, "/api/tenant/devices") == 0 && strstr(r->query, "page=0")) {
        reply(r, 200, "{\"data\":[" DEVICE "," DEVICE "],\"hasNext\":true}");
    } else if (strcmp(r->path, "/api/tenant/devices") == 0 && strstr(r->query, "page=1")) {
        reply(r, 200, "{\"data\":[" DEVICE "],\"hasNext\":false}");
    } else if (strstr(r->path, "/values/timeseries") != NULL) {
        reply(r, 200,
              "{\"a\":[{\"ts\":7,\"value\":21.5},{\"ts\":8,\"value\":\"x\"}],\"b\":[{\"ts\":9,"
              "\"value\":null}],\"j\":[{\"ts\":1,\"value\":{\"k\":[1]}}]}");
    } else if (strstr(r->path, "/values/attributes/") != NULL) {
        reply(r, 200, "[{\"lastUpdateTs\":3,\"key\":\"on\",\"value\":true}]");
    } else if (strcmp(r->path, "/odd") == 0) {
        http_reply(r, 400, "text/plain", "Empty keys: []", 14, NULL);
    } else {
        reply_error(r, 404, "Requested item wasn't found!");
    }
}

static void run_server(int to_parent)
{
    const http_settings_t settings = {.listen = "127.0.0.1:0"};
    http_server_t *server;
    if (!http_server_open(&server, &settings, serve, NULL, NULL)) {
        _exit(1);
    }
    dprintf(to_parent, "%s", http_server_address(server));
    close(to_parent);
    for (;;) {
        struct pollfd fd = {http_server_fd(server), POLLIN, 0};
        poll(&fd, 1, -1);
        http_server_dispatch(server, 0);
    }
}

static int set_up(void **state)
{
    (void)state;
    int fds[2];
    char address[48];
    if (pipe(fds) != 0 || (server_pid = fork()) < 0) {
        return 1;
    }
    if (server_pid == 0) {
        close(fds[0]);
        alarm(60); /* whatever happens to the test, this ends */
        run_server(fds[1]);
    }
    close(fds[1]);
    ssize_t n = read(fds[0], address, sizeof address - 1);
    close(fds[0]);
    if (n <= 0) {
        return 1;
    }
    address[n] = '\0';
    snprintf(url, sizeof url, "http://%s/", address);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kill(server_pid, SIGKILL);
    waitpid(server_pid, NULL, 0);
    return 0;
}

static tbrest_t *connect_as(const char *user)
{
    tbrest_t *rest;
    err_t err = ERR_INIT;
    const tbrest_settings_t settings = {.url = url};
    if (!tbrest_open(&rest, &settings, &err) || !tbrest_login(rest, user, "p\"q", &err)) {
        fail_msg("%s", err.text);
    }
    return rest;
}

static void a_wrong_password_is_said_in_the_servers_words(void **state)
{
    (void)state;
    tbrest_t *rest;
    err_t err = ERR_INIT;
    const tbrest_settings_t settings = {.url = url};
    assert_true(tbrest_open(&rest, &settings, &err));
    assert_false(tbrest_login(rest, "u", "wrong", &err));
    assert_int_equal(err.kind, ERR_PEER);
    assert_non_null(strstr(err.text, "401 Invalid username or password"));
    assert_null(strstr(err.text, "wrong\""));
    tbrest_close(rest);
}

static bool count_device(void *ctx, const tbrest_device_t *device)
{
    assert_string_equal(device->id, DEVICE_ID);
    ++*(int *)ctx;
    return true;
}

static void devices_are_found_and_listed(void **state)
{
    (void)state;
    tbrest_t *rest = connect_as("u");
    tbrest_device_t device;
    err_t err = ERR_INIT;
    int count = 0;
    assert_true(tbrest_device_by_name(rest, "SN 1", &device, &err));
    assert_string_equal(device.name, "SN 1");
    assert_string_equal(device.customer_id, TBREST_NULL_ID);
    assert_int_equal(device.version, 3);
    assert_true(tbrest_devices(rest, NULL, count_device, &count, &err));
    assert_int_equal(count, 3);
    assert_false(tbrest_device_by_id(rest, "nobody", &device, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_non_null(strstr(err.text, "Requested item wasn't found!"));
    tbrest_close(rest);
}

static bool note_value(void *ctx, const tbrest_value_t *value)
{
    char *notes = ctx;
    sprintf(notes + strlen(notes), "%s@%d=%d:%s;", value->key, (int)value->ts, (int)value->kind,
            value->text);
    return true;
}

static void values_keep_their_types(void **state)
{
    (void)state;
    tbrest_t *rest = connect_as("u");
    err_t err = ERR_INIT;
    char notes[512] = "";
    char one[32];
    int64_t ts;
    assert_true(tbrest_latest(rest, DEVICE_ID, "a,b", note_value, notes, &err));
    assert_string_equal(notes, "a@7=2:21.5;a@8=1:x;b@9=0:null;j@1=4:{\"k\":[1]};");
    notes[0] = '\0';
    assert_true(tbrest_attributes(rest, DEVICE_ID, "SERVER_SCOPE", NULL, note_value, notes, &err));
    assert_string_equal(notes, "on@3=3:true;");
    assert_true(tbrest_latest_one(rest, DEVICE_ID, "a", one, sizeof one, &ts, &err));
    assert_string_equal(one, "21.5");
    assert_int_equal(ts, 7);
    tbrest_close(rest);
}

static void a_refused_token_is_renewed_once(void **state)
{
    (void)state;
    tbrest_t *rest = connect_as("old");
    tbrest_device_t device;
    err_t err = ERR_INIT;
    assert_int_equal(strncmp(tbrest_token(rest), "stale.", 6), 0);
    assert_true(tbrest_device_by_name(rest, "SN 1", &device, &err));
    assert_int_equal(strncmp(tbrest_token(rest), "good.", 5), 0);
    tbrest_close(rest);
}

static void plain_text_errors_are_shown(void **state)
{
    (void)state;
    tbrest_t *rest = connect_as("u");
    tbrest_answer_t answer;
    err_t err = ERR_INIT;
    assert_true(tbrest_call(rest, "GET", "/odd", NULL, &answer, &err));
    assert_int_equal(answer.status, 400);
    tbrest_answer_free(&answer);
    assert_false(tbrest_expect(rest, "GET", "/odd", NULL, &answer, &err));
    assert_non_null(strstr(err.text, "400 Empty keys: []"));
    tbrest_close(rest);
}

static void unsafe_addresses_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"http://tb.example.org:8080", "ftp://127.0.0.1",
                                      "127.0.0.1:8080", "https://u:p@tb.example.org"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        tbrest_t *rest;
        err_t err = ERR_INIT;
        const tbrest_settings_t settings = {.url = bad[i]};
        assert_false(tbrest_open(&rest, &settings, &err));
        assert_int_equal(err.kind, ERR_USAGE);
    }
    tbrest_t *rest;
    err_t err = ERR_INIT;
    const tbrest_settings_t nobody = {.url = "http://127.0.0.1:1", .timeout_ms = 2000};
    assert_true(tbrest_open(&rest, &nobody, &err));
    assert_false(tbrest_login(rest, "u", "p", &err));
    assert_int_equal(err.kind, ERR_PEER);
    tbrest_close(rest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_password_is_said_in_the_servers_words),
        cmocka_unit_test(devices_are_found_and_listed),
        cmocka_unit_test(values_keep_their_types),
        cmocka_unit_test(a_refused_token_is_renewed_once),
        cmocka_unit_test(plain_text_errors_are_shown),
        cmocka_unit_test(unsafe_addresses_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

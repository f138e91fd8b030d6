/* SPDX-License-Identifier: Apache-2.0 */
/* The device's own endpoints beside Espressif's: what it tells of itself, and whose ticket goes
   along with which credentials. A client of lib/protocomm speaks to the running service. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "device/provisioning.h"
#include "json/json.h"
#include "protocomm/client.h"

#define TICKET "eyJhbGciOiJIUzI1NiJ9.e30.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

typedef struct {
    boot_t boot;
    loop_t *loop;
    provisioning_t *service;
    char dir[64];
    char networks[96];
    char address[64];
    pthread_t thread;
    atomic_bool stop;
    /* what the device was told; read when the thread has ended */
    unsigned credentials;
    char ssid[33];
    char ticket[JWS_TICKET_MAX + 1]; /* "-": none */
} board_t;

static void on_event(void *ctx, const cradle_event_t *event)
{
    board_t *board = ctx;
    if (event->type == CRADLE_EVENT_CREDENTIALS) {
        const char *ticket = event->u.credentials.ticket;
        board->credentials++;
        snprintf(board->ssid, sizeof board->ssid, "%s", event->u.credentials.ssid);
        snprintf(board->ticket, sizeof board->ticket, "%s", ticket != NULL ? ticket : "-");
    }
}

static void on_status(void *ctx, cradle_status_t *status)
{
    static cradle_leaf_t leaf;
    (void)ctx;
    memset(leaf.hash, 0xff, sizeof leaf.hash);
    memset(status, 0, sizeof *status);
    status->leaf = &leaf;
}

static void on_note(void *ctx, const char *text)
{
    (void)ctx;
    (void)text;
}

static void *run(void *ctx)
{
    board_t *board = ctx;
    while (!board->stop) {
        loop_turn(board->loop, 10, NULL);
    }
    return NULL;
}

static void start(board_t *board, int security, const char *steward)
{
    char path[128];
    char *text;
    size_t len;
    json_token_t token;
    err_t err = ERR_INIT;
    memset(board, 0, sizeof *board);
    snprintf(board->dir, sizeof board->dir, "/tmp/cradle-air-XXXXXX");
    assert_non_null(mkdtemp(board->dir));
    snprintf(board->networks, sizeof board->networks, "%s/networks.json", board->dir);
    snprintf(board->boot.sn, sizeof board->boot.sn, "SN-000001");
    snprintf(board->boot.service, sizeof board->boot.service, "ESP-PROV-A1B2");
    snprintf(board->boot.identity.model, sizeof board->boot.identity.model, "cradle-linux");
    snprintf(board->boot.identity.steward, sizeof board->boot.identity.steward, "%s", steward);
    snprintf(board->boot.app.version, sizeof board->boot.app.version, "1.2.3");
    board->boot.identity.security = security;
    board->boot.identity.ask = steward[0] != '\0';
    const provisioning_handler_t handler = {board, on_event, on_status, on_note};
    assert_true(loop_open(&board->loop, NULL));
    if (!provisioning_start(&board->service, board->loop, &board->boot, board->dir, board->networks,
                            &handler, &err)) {
        fail_msg("%s", err.text);
    }
    snprintf(path, sizeof path, "%s/ESP-PROV-A1B2.json", board->dir);
    assert_true(file_read(path, 4096, &text, &len, NULL));
    assert_true(json_find(text, len, "address", &token) &&
                json_string(&token, board->address, sizeof board->address, NULL));
    free(text);
    assert_int_equal(pthread_create(&board->thread, NULL, run, board), 0);
}

static void stop(board_t *board)
{
    board->stop = true;
    pthread_join(board->thread, NULL);
    provisioning_stop(board->service);
    loop_close(board->loop);
    assert_int_equal(rmdir(board->dir), 0); /* the announcement is gone */
}

static protocomm_client_t *session(const board_t *board)
{
    protocomm_transport_t transport;
    const protocomm_security_t security = {.version = board->boot.identity.security};
    assert_true(protocomm_http_open(&transport, board->address, 5000, NULL));
    protocomm_client_t *client = protocomm_client_new(&transport, NULL);
    assert_int_equal(protocomm_client_session(client, &security, NULL), PROTOCOMM_OK);
    return client;
}

/* What the endpoint answers; "" when it does not. */
static const char *call(protocomm_client_t *client, const char *endpoint, const char *text)
{
    static char out[512];
    size_t len = 0;
    if (protocomm_client_call(client, endpoint, (const uint8_t *)text, strlen(text), (uint8_t *)out,
                              sizeof out - 1, &len, NULL) != PROTOCOMM_OK) {
        return "";
    }
    out[len] = '\0';
    return out;
}

static void apply(protocomm_client_t *client, const char *ssid)
{
    assert_int_equal(protocomm_client_set(client, ssid, "rhubarb-crumble", NULL), PROTOCOMM_OK);
    assert_int_equal(protocomm_client_apply(client, NULL), PROTOCOMM_OK);
}

static void info(void **state)
{
    board_t board;
    (void)state;
    start(&board, 1, "steward.cradle.test:8443");
    protocomm_client_t *client = session(&board);
    assert_string_equal(call(client, "cradle-info", "{}"),
                        "{\"v\":1,\"sn\":\"SN-000001\",\"model\":\"cradle-linux\",\"fw\":\"1.2.3\","
                        "\"leaf\":\"__________________________________________8\","
                        "\"ep\":\"AAAAAAAAAAAAAAAAAAAAAA\","
                        "\"steward\":\"steward.cradle.test:8443\",\"ask\":true}");
    protocomm_client_free(client);
    stop(&board);
    start(&board, 1, "");
    client = session(&board);
    const char *said = call(client, "cradle-info", "{}");
    assert_non_null(strstr(said, "\"ep\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"ask\":false}"));
    assert_null(strstr(said, "steward"));
    said = call(client, "cradle-claim", TICKET);
    assert_string_equal(said, "{\"error\":\"this device has no steward: it needs no ticket\"}");
    protocomm_client_free(client);
    stop(&board);
}

static void ticket_goes_along(void **state)
{
    board_t board;
    (void)state;
    start(&board, 1, "steward.cradle.test:8443");
    protocomm_client_t *client = session(&board);
    assert_string_equal(call(client, "cradle-claim", TICKET), "{\"ok\":true}");
    apply(client, "Alice-Home");
    protocomm_client_free(client);
    stop(&board);
    assert_int_equal(board.credentials, 1);
    assert_string_equal(board.ssid, "Alice-Home");
    assert_string_equal(board.ticket, TICKET);
}

/* Somebody else's session, and a ticket that is none after one that was. */
static void ticket_stays_behind(void **state)
{
    static char long_one[400];
    board_t board;
    (void)state;
    start(&board, 1, "steward.cradle.test:8443");
    protocomm_client_t *client = session(&board);
    assert_string_equal(call(client, "cradle-claim", TICKET), "{\"ok\":true}");
    protocomm_client_free(client);
    client = session(&board);
    apply(client, "Mallory-Home");
    protocomm_client_free(client);
    stop(&board);
    assert_string_equal(board.ssid, "Mallory-Home");
    assert_string_equal(board.ticket, "-");

    const char *const junk[] = {"", "{}", "a.b", "e30.e30.AAAA", long_one};
    memset(long_one, 'a', sizeof long_one - 1);
    for (size_t i = 1; i < sizeof junk / sizeof junk[0]; i++) {
        start(&board, 1, "steward.cradle.test:8443");
        client = session(&board);
        assert_string_equal(call(client, "cradle-claim", TICKET), "{\"ok\":true}");
        assert_string_equal(call(client, "cradle-claim", junk[i]),
                            "{\"error\":\"this is no ticket\"}");
        apply(client, "Alice-Home");
        protocomm_client_free(client);
        stop(&board);
        assert_string_equal(board.ticket, "-");
    }
}

/* Without encryption anybody within reach could read it. */
static void not_in_plain_text(void **state)
{
    board_t board;
    (void)state;
    start(&board, 0, "steward.cradle.test:8443");
    protocomm_client_t *client = session(&board);
    assert_true(strlen(call(client, "cradle-info", "{}")) > 0);
    assert_string_equal(call(client, "cradle-claim", TICKET), "");
    protocomm_client_free(client);
    client = session(&board);
    apply(client, "Alice-Home");
    protocomm_client_free(client);
    stop(&board);
    assert_string_equal(board.ticket, "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info),
        cmocka_unit_test(ticket_goes_along),
        cmocka_unit_test(ticket_stays_behind),
        cmocka_unit_test(not_in_plain_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The phone against the device's end over real sockets, and what it makes of air and labels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "fake_provisioning.h"
#include "phone/phone.h"
#include "protocomm/httpd.h"

/* -- a device in a thread -------------------------------------------------------------------- */

typedef struct {
    fake_t fake;
    protocomm_httpd_t *httpd;
    pthread_t thread;
    atomic_bool stop;
    char address[64];
} board_t;

static uint8_t salt[16], verifier[PROTOCOMM_VERIFIER_LEN];

static void *board_run(void *ctx)
{
    board_t *board = ctx;

    while (!atomic_load(&board->stop)) {
        struct pollfd p = {protocomm_httpd_fd(board->httpd), POLLIN, 0};
        poll(&p, 1, 20);
        protocomm_httpd_handle(board->httpd, clock_monotonic_ms());
    }
    return NULL;
}

static void board_start(board_t *board, int version, const char *pop)
{
    const protocomm_security_t security = {.version = version,
                                           .patch_version = version == 2,
                                           .pop = (const uint8_t *)pop,
                                           .pop_len = strlen(pop),
                                           .salt = salt,
                                           .salt_len = sizeof salt,
                                           .verifier = verifier};

    memset(board, 0, sizeof *board);
    fake_init(&board->fake, &security);
    board->httpd = protocomm_httpd_new(board->fake.device, "127.0.0.1", 0, NULL, NULL);
    assert_non_null(board->httpd);
    snprintf(board->address, sizeof board->address, "%s", protocomm_httpd_address(board->httpd));
    assert_int_equal(pthread_create(&board->thread, NULL, board_run, board), 0);
}

static void board_stop(board_t *board)
{
    atomic_store(&board->stop, true);
    pthread_join(board->thread, NULL);
    protocomm_httpd_free(board->httpd);
    fake_free(&board->fake);
}

/* -- a person -------------------------------------------------------------------------------- */

static const char *typed;
static int asked, steps;

static bool secret(void *ctx, char out[PROTOCOMM_POP_MAX + 1], err_t *err)
{
    (void)ctx, (void)err;
    asked++;
    if (!typed)
        return false;
    strcpy(out, typed);
    return true;
}

static void progress(void *ctx, phone_step_t step, const char *detail)
{
    (void)ctx;
    assert_non_null(detail);
    assert_int_equal((int)step, steps);
    steps++;
}

static phone_result_t provision(const board_t *board, const char *ssid, const char *passphrase,
                                err_t *err)
{
    phone_joined_t joined;
    const phone_request_t request = {.address = board->address,
                                     .ssid = ssid,
                                     .passphrase = passphrase,
                                     .security = -1,
                                     .join_timeout_ms = 700,
                                     .secret = secret,
                                     .progress = progress};

    asked = steps = 0;
    err_clear(err);
    phone_result_t result = phone_provision(&request, &joined, err);
    if (result == PHONE_OK) {
        assert_string_equal(joined.connected.ip4, "192.168.1.7");
        assert_int_equal(steps, PHONE_STEP_JOIN + 1);
    } else {
        assert_true(err->text[0] != '\0');
    }
    return result;
}

/* -- tests ----------------------------------------------------------------------------------- */

static void every_security(void **state)
{
    board_t board;
    err_t err = ERR_INIT;

    (void)state;
    assert_true(protocomm_srp_make_verifier("wifiprov", "abcd1234", &(protocomm_random_t){0}, salt,
                                            sizeof salt, verifier, NULL));
    typed = "abcd1234";
    for (int version = 0; version <= 2; version++) {
        board_start(&board, version, "abcd1234");
        assert_int_equal(provision(&board, "Alice-Home", "wonderland", &err), PHONE_OK);
        assert_int_equal(asked, version ? 1 : 0);
        board_stop(&board);
        assert_string_equal(board.fake.credentials.ssid, "Alice-Home");
        assert_int_equal(board.fake.finished, 1);
    }
    board_start(&board, 1, ""); /* no PoP: nobody is asked */
    assert_int_equal(provision(&board, "Open-Guest", "", &err), PHONE_OK);
    assert_int_equal(asked, 0);
    board_stop(&board);
}

static void wrong_secret(void **state)
{
    board_t board;
    err_t err = ERR_INIT;

    (void)state;
    for (int version = 1; version <= 2; version++) {
        board_start(&board, version, "abcd1234");
        typed = "abcd1235";
        assert_int_equal(provision(&board, "Alice-Home", "wonderland", &err), PHONE_WRONG_SECRET);
        assert_non_null(strstr(err.text, "label"));
        typed = NULL;
        assert_int_equal(provision(&board, "Alice-Home", "wonderland", &err), PHONE_SECRET_NEEDED);
        typed = "abcd1234"; /* at once, without a reset */
        assert_int_equal(provision(&board, "Alice-Home", "wonderland", &err), PHONE_OK);
        board_stop(&board);
        assert_int_equal(board.fake.applies, 1);
    }
}

static void wrong_passphrase_then_right(void **state)
{
    board_t board;
    err_t err = ERR_INIT;

    (void)state;
    board_start(&board, 1, "");
    assert_int_equal(provision(&board, "Alice-Home", "wonderlan", &err), PHONE_WRONG_PASSPHRASE);
    assert_non_null(strstr(err.text, "passphrase"));
    assert_int_equal(provision(&board, "Nowhere", "wonderland", &err), PHONE_NO_NETWORK);
    assert_non_null(strstr(err.text, "Nowhere"));
    assert_int_equal(provision(&board, "Alice-Home", "wonderland", &err), PHONE_OK);
    board_stop(&board);
    assert_int_equal(board.fake.applies, 3);
}

static void other_failures(void **state)
{
    board_t board;
    err_t err = ERR_INIT;
    char too_long[65];

    (void)state;
    memset(too_long, 'p', 64);
    too_long[64] = '\0';
    board_start(&board, 1, "");
    assert_int_equal(provision(&board, "Alice-Home", too_long, &err), PHONE_FAILED);
    assert_int_equal(provision(&board, "", "", &err), PHONE_FAILED);
    board.fake.apply_fails = true;
    assert_int_equal(provision(&board, "Alice-Home", "wonderland", &err), PHONE_REFUSED);
    board.fake.apply_fails = false;
    board.fake.apply_later = true; /* never an outcome */
    assert_int_equal(provision(&board, "Alice-Home", "wonderland", &err), PHONE_TIMEOUT);
    const phone_request_t wrong = {
        .address = board.address, .security = 0, .ssid = "x", .passphrase = ""};
    phone_joined_t joined;
    err_clear(&err);
    assert_int_equal(phone_provision(&wrong, &joined, &err), PHONE_REFUSED);
    board_stop(&board);
    assert_int_equal(provision(&board, "Alice-Home", "wonderland", &err), PHONE_GONE);
    strcpy(board.address, "127.0.0.1/@evil");
    assert_int_equal(provision(&board, "Alice-Home", "wonderland", &err), PHONE_FAILED);
    for (int i = PHONE_OK; i <= PHONE_FAILED; i++)
        assert_non_null(phone_result_name((phone_result_t)i));
    assert_string_equal(phone_result_name(PHONE_WRONG_PASSPHRASE), "auth");
}

static void networks(void **state)
{
    board_t board;
    protocomm_network_t found[PROTOCOMM_SCAN_MAX];
    size_t count;
    err_t err = ERR_INIT;

    (void)state;
    board_start(&board, 1, "");
    board.fake.network_count = 24;
    for (int i = 2; i < 24; i++) {
        board.fake.networks[i] = board.fake.networks[0];
        board.fake.networks[i].rssi = (int8_t)(-80 + i % 3);
    }
    const phone_request_t request = {.address = board.address, .security = -1};
    assert_int_equal(phone_networks(&request, found, &count, &err), PHONE_OK);
    assert_int_equal(count, PROTOCOMM_SCAN_MAX);
    assert_memory_equal(found[0].ssid, "Alice-Home", 10);
    for (size_t i = 1; i < count; i++)
        assert_true(found[i].rssi <= found[i - 1].rssi);
    board.fake.network_count = 0;
    assert_int_equal(phone_networks(&request, found, &count, &err), PHONE_OK);
    assert_int_equal(count, 0);
    board_stop(&board);
}

/* Custom endpoints through the session, as an owner's phone uses them. */
static void custom_endpoint(void **state)
{
    board_t board;
    protocomm_transport_t transport;
    uint8_t out[256];
    size_t len;

    (void)state;
    board_start(&board, 1, "abcd1234");
    assert_true(protocomm_http_open(&transport, board.address, 5000, NULL));
    protocomm_client_t *client = protocomm_client_new(&transport, NULL);
    assert_int_equal(
        protocomm_client_call(client, "cradle-info", out, 1, out, sizeof out, &len, NULL),
        PROTOCOMM_IMPOSSIBLE);
    const protocomm_security_t security = {
        .version = 1, .pop = (const uint8_t *)"abcd1234", .pop_len = 8};
    assert_int_equal(protocomm_client_session(client, &security, NULL), PROTOCOMM_OK);
    const uint8_t ask[] = "{}";
    assert_int_equal(
        protocomm_client_call(client, "cradle-info", ask, 2, out, sizeof out, &len, NULL),
        PROTOCOMM_OK);
    assert_memory_equal(out, "{\"v\":1,", 7);
    assert_int_equal(
        protocomm_client_call(client, "cradle-claim", ask, 2, out, sizeof out, &len, NULL),
        PROTOCOMM_OK);
    assert_memory_equal(out, "{\"ok\":true}", 11);
    assert_int_equal(protocomm_client_reset(client, NULL), PROTOCOMM_OK);
    /* A missing endpoint was never seen by the device, but the key stream has moved on. */
    assert_int_equal(protocomm_client_call(client, "nothing", ask, 2, out, sizeof out, &len, NULL),
                     PROTOCOMM_NO_ENDPOINT);
    protocomm_client_free(client);
    board_stop(&board);
    assert_int_equal(board.fake.claims, 1);
}

/* -- the air --------------------------------------------------------------------------------- */

static char dir[] = "/tmp/cradle-air-XXXXXX";

static void announce(const char *file, const char *text)
{
    char path[FILE_PATH_MAX];

    assert_true(file_join(path, dir, file, NULL));
    assert_true(file_write(path, text, strlen(text), 0644, NULL));
}

static void announce_device(const char *name, const char *address, long pid)
{
    char file[64], text[256];

    snprintf(file, sizeof file, "%s.json", name);
    snprintf(text, sizeof text,
             "{\"name\":\"%s\",\"transport\":\"softap\",\"address\":\"%s\",\"pid\":%ld}", name,
             address, pid);
    announce(file, text);
}

static void air(void **state)
{
    phone_device_t *devices, device;
    size_t count, damaged;
    err_t err = ERR_INIT;

    (void)state;
    assert_true(phone_scan("/nonexistent/air", &devices, &count, &damaged, &err));
    assert_int_equal(count, 0);
    free(devices);
    assert_non_null(mkdtemp(dir));
    assert_false(phone_find(dir, NULL, &device, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    pid_t dead = fork();
    if (dead == 0)
        _exit(0);
    waitpid(dead, NULL, 0);
    announce("networks.json", "{\"networks\":[]}");
    announce("broken.json", "{\"name\":");
    announce("evil.json",
             "{\"name\":\"a\\u001b[2J\",\"transport\":\"softap\",\"address\":\"x\",\"pid\":1}");
    announce("nopid.json",
             "{\"name\":\"a\",\"transport\":\"softap\",\"address\":\"x\",\"pid\":-1}");
    announce("notes.txt", "hello");
    announce_device("ESP-PROV-0002", "127.0.0.1:2", (long)getpid());
    announce_device("ESP-PROV-0001", "127.0.0.1:1", (long)dead);
    assert_true(phone_scan(dir, &devices, &count, &damaged, NULL));
    assert_int_equal(count, 2);
    assert_int_equal(damaged, 3);
    assert_string_equal(devices[0].name, "ESP-PROV-0001");
    assert_true(devices[0].stale);
    assert_false(devices[1].stale);
    free(devices);
    assert_true(phone_find(dir, NULL, &device, NULL)); /* the only one */
    assert_string_equal(device.address, "127.0.0.1:2");
    assert_false(phone_find(dir, "ESP-PROV-0001", &device, NULL)); /* left over */
    announce_device("ESP-PROV-0003", "127.0.0.1:3", (long)getpid());
    err_clear(&err);
    assert_false(phone_find(dir, NULL, &device, &err));
    assert_non_null(strstr(err.text, "ESP-PROV-0002, ESP-PROV-0003"));
    assert_true(phone_find(dir, "ESP-PROV-0003", &device, NULL));
    assert_true(file_remove_tree(dir, NULL));
}

static bool label(const char *text, phone_label_t *out)
{
    return phone_label_parse(text, strlen(text), out, NULL);
}

static void labels(void **state)
{
    phone_label_t l;
    char long_text[PHONE_LABEL_MAX + 2];

    (void)state;
    assert_true(label("abcd1234\r\n", &l));
    assert_string_equal(l.pop, "abcd1234");
    assert_int_equal(l.security, -1);
    assert_true(label("{\"ver\":\"v1\",\"name\":\"PROV_A1B2C3\",\"username\":\"wifiprov\",\"pop\":"
                      "\"abcd1234\",\"transport\":\"ble\",\"security\":2}",
                      &l));
    assert_string_equal(l.name, "PROV_A1B2C3");
    assert_string_equal(l.username, "wifiprov");
    assert_int_equal(l.security, 2);
    assert_true(label("{\"ver\":\"v1\",\"name\":\"X\",\"transport\":\"softap\"}", &l));
    assert_string_equal(l.pop, "");
    assert_false(label("{\"security\":\"2\"}", &l)); /* as on iOS */
    assert_false(label("{\"security\":3}", &l));
    assert_false(label("{\"pop\":1}", &l));
    assert_false(label("{\"pop\":\"x\"", &l));
    assert_false(label("two\nlines", &l));
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    assert_false(label(long_text, &l));
    long_text[PROTOCOMM_POP_MAX + 1] = '\0';
    assert_false(label(long_text, &l));
    long_text[PROTOCOMM_POP_MAX] = '\0';
    assert_true(label(long_text, &l));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_security), /* first: it makes the verifier */
        cmocka_unit_test(wrong_secret),    cmocka_unit_test(wrong_passphrase_then_right),
        cmocka_unit_test(other_failures),  cmocka_unit_test(networks),
        cmocka_unit_test(custom_endpoint), cmocka_unit_test(air),
        cmocka_unit_test(labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

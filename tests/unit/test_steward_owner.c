/* SPDX-License-Identifier: Apache-2.0 */
/* The owners' API through a real HTTP server, over a record in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "asker.h"
#include "base/bytes.h"
#include "json/json.h"
#include "statement/ticket.h"
#include "steward/owner.h"
#include "steward/owner_guard.h"

#define SITE "0123456789abcdef0123456789abcdef"
#define NOW  1790000000

static record_t *record;
static owner_t *owner;
static http_server_t *server;
static int64_t now_s;
static char alice[64];
static char bob[64];
static asker_answer_t heard;
static uint8_t ticket_key[32];

static int64_t tell_now(void *ctx)
{
    (void)ctx;
    return now_s;
}

static void handle(void *ctx, http_request_t *request)
{
    if (!owner_handle(ctx, request)) {
        http_reply(request, 418, "text/plain", "not mine", 8, NULL);
    }
}

/* ---- a client ---- */

/* Asks, and leaves the answer in `heard`. */
static void ask(const char *bearer, const char *method, const char *path, const char *body)
{
    const asker_request_t request = {method, path, "Authorization", bearer, body};
    asker_ask(server, &request, &heard);
}

static void text_of(const char *name, char *out, size_t cap)
{
    json_token_t value;
    assert_true(json_find(heard.body, strlen(heard.body), name, &value));
    assert_true(json_string(&value, out, cap, NULL));
}

static int64_t number_of(const char *name)
{
    json_token_t value;
    int64_t number;
    assert_true(json_find(heard.body, strlen(heard.body), name, &value));
    assert_true(json_i64(&value, &number));
    return number;
}

static void expect_error(int want, const char *part)
{
    char text[512];
    assert_int_equal(heard.status, want);
    text_of("error", text, sizeof text);
    assert_non_null(strstr(text, part));
}

static void log_in(const char *name, const char *password)
{
    char body[256];
    snprintf(body, sizeof body, "{\"name\":\"%s\",\"password\":\"%s\"}", name, password);
    ask(NULL, "POST", "/api/login", body);
}

/* ---- a steward ---- */

static int open_all(void **state)
{
    (void)state;
    owner_settings_t settings = {.site = SITE, .now = tell_now};
    http_settings_t http = {.listen = "127.0.0.1:0"};
    now_s = NOW;
    for (size_t i = 0; i < sizeof ticket_key; i++) {
        ticket_key[i] = settings.ticket_key[i] = (uint8_t)(0xa0 + i);
    }
    if (!record_open(&record, ":memory:", NULL) ||
        !record_account_add(record, "alice", "correct horse", NULL) ||
        !record_account_add(record, "bob", "battery staple", NULL)) {
        return 1;
    }
    settings.record = record;
    if (!owner_open(&owner, &settings, NULL) ||
        !http_server_open(&server, &http, handle, owner, NULL)) {
        return 1;
    }
    log_in("alice", "correct horse");
    text_of("token", alice, sizeof alice);
    log_in("bob", "battery staple");
    text_of("token", bob, sizeof bob);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    http_server_close(server);
    owner_close(owner);
    record_close(record);
    return 0;
}

static void put_unit(const char *sn, const char *account)
{
    record_unit_t unit = {.sn = "", .claims_on = true};
    snprintf(unit.sn, sizeof unit.sn, "%s", sn);
    snprintf(unit.owner, sizeof unit.owner, "%s", account);
    snprintf(unit.device, sizeof unit.device, "784f394c-42b6-435a-983c-%.12s", sn);
    assert_true(record_unit_put(record, &unit, NULL));
}

static void put_epoch(const char *sn, bool streams)
{
    record_epoch_t epoch = {.epoch = {1, 2, 3}, .current = true, .seen = NOW, .streams = streams};
    assert_true(record_epoch_put(record, sn, &epoch, NULL));
}

/* ---- who may ---- */

static void other_paths_are_not_ours(void **state)
{
    (void)state;
    static const char *const paths[] = {"/",           "/api",         "/api/",
                                        "/api/loginx", "/api/login/x", "/rpc",
                                        "/bundle",     "/receipt",     "/API/login"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ask(alice, "GET", paths[i], NULL);
        assert_int_equal(heard.status, 418);
    }
}

static void methods_are_kept_apart(void **state)
{
    (void)state;
    ask(alice, "GET", "/api/login", NULL);
    expect_error(405, "not how");
    ask(alice, "POST", "/api/devices", "{}");
    expect_error(405, "not how");
    ask(NULL, "DELETE", "/receipt/00000000000000000000000000000000", NULL);
    expect_error(405, "not how");
}

static void nothing_without_a_token(void **state)
{
    (void)state;
    static const char *const asks[][2] = {{"POST", "/api/ticket"}, {"GET", "/api/device?sn=SN-1"},
                                          {"GET", "/api/devices"}, {"POST", "/api/release"},
                                          {"POST", "/api/code"},   {"GET", "/api/receipts"}};
    char wrong[64];
    snprintf(wrong, sizeof wrong, "%s", alice);
    wrong[0] = wrong[0] == 'A' ? 'B' : 'A';
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        ask(NULL, asks[i][0], asks[i][1], "{}");
        expect_error(401, "log in");
        ask(wrong, asks[i][0], asks[i][1], "{}");
        expect_error(401, "log in");
    }
    ask("", "GET", "/api/devices", NULL);
    expect_error(401, "log in");
    ask("AAAA", "GET", "/api/devices", NULL);
    expect_error(401, "log in");
    wrong[0] = alice[0];
    strcat(wrong, "A");
    ask(wrong, "GET", "/api/devices", NULL);
    expect_error(401, "log in");
}

static void login_gives_a_token_for_thirty_days(void **state)
{
    (void)state;
    char token[64];
    log_in("alice", "correct horse");
    assert_int_equal(heard.status, 200);
    assert_non_null(strstr(heard.head, "no-store"));
    text_of("token", token, sizeof token);
    assert_int_equal(strlen(token), 43);
    assert_string_not_equal(token, alice);
    assert_int_equal(number_of("expires"), NOW + 30 * 86400);
    now_s = NOW + 30 * 86400 - 1;
    ask(token, "GET", "/api/devices", NULL);
    assert_int_equal(heard.status, 200);
    now_s++;
    ask(token, "GET", "/api/devices", NULL);
    expect_error(401, "log in");
}

static void new_password_logs_out(void **state)
{
    (void)state;
    assert_true(record_account_password(record, "alice", "another horse", NULL));
    ask(alice, "GET", "/api/devices", NULL);
    expect_error(401, "log in");
    ask(bob, "GET", "/api/devices", NULL);
    assert_int_equal(heard.status, 200);
}

static void bad_bodies_are_refused(void **state)
{
    (void)state;
    static const char *const bodies[] = {"",
                                         "x",
                                         "[]",
                                         "{}",
                                         "{\"name\":\"alice\"}",
                                         "{\"name\":5,\"password\":\"correct horse\"}",
                                         "{\"name\":\"\",\"password\":\"correct horse\"}",
                                         "{\"name\":\"alice\",\"password\":\"correct horse\"} x"};
    char big[2000];
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        ask(NULL, "POST", "/api/login", bodies[i]);
        assert_int_equal(heard.status, 400);
    }
    int n =
        snprintf(big, sizeof big, "{\"name\":\"alice\",\"password\":\"correct horse\",\"x\":\"");
    memset(big + n, 'x', 1100);
    strcpy(big + n + 1100, "\"}");
    ask(NULL, "POST", "/api/login", big);
    expect_error(400, "small");
    ask(alice, "POST", "/api/ticket", "{\"sn\":\"../x\",\"ep\":\"AQIDAAAAAAAAAAAAAAAAAA\"}");
    expect_error(400, "serial number");
    ask(alice, "GET", "/api/device", NULL);
    expect_error(400, "serial number");
    ask(alice, "GET", "/api/device?sn=%20", NULL);
    expect_error(400, "serial number");
}

static void guessing_gets_slow(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        log_in("alice", "wrong horse");
        expect_error(401, "wrong password");
    }
    log_in("alice", "correct horse");
    expect_error(429, "wait");
    assert_non_null(strstr(heard.head, "Retry-After: 1"));
    log_in("bob", "battery staple"); /* the same address, another account */
    assert_int_equal(heard.status, 200);
    ask(alice, "GET", "/api/devices", NULL); /* who is logged in does not notice */
    assert_int_equal(heard.status, 200);
    usleep(1050000);
    log_in("alice", "correct horse");
    assert_int_equal(heard.status, 200);
}

static void unknown_account_is_answered_alike(void **state)
{
    (void)state;
    char first[256];
    log_in("alice", "wrong horse");
    snprintf(first, sizeof first, "%s", heard.body);
    log_in("nobody", "wrong horse");
    assert_int_equal(heard.status, 401);
    assert_string_equal(heard.body, first);
}

/* ---- the guard ---- */

static void waits_double_up_to_a_minute(void **state)
{
    (void)state;
    static guard_t guard;
    static const unsigned waits[] = {0, 0, 1, 2, 4, 8, 16, 32, 60, 60};
    uint64_t now_ms = 5000000;
    memset(&guard, 0, sizeof guard);
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        guard_failed(&guard, "a", now_ms);
        assert_int_equal(guard_wait(&guard, "a", 2, now_ms), waits[i]);
        assert_int_equal(guard_wait(&guard, "b", 2, now_ms), 0);
    }
    assert_int_equal(guard_wait(&guard, "a", 2, now_ms + 59001), 1);
    assert_int_equal(guard_wait(&guard, "a", 2, now_ms + 60000), 0);
    guard_failed(&guard, "a", now_ms + 60000);
    assert_int_equal(guard_wait(&guard, "a", 2, now_ms + 60000), 60);
    guard_failed(&guard, "a", now_ms + 60000 + 900001); /* forgiven */
    assert_int_equal(guard_wait(&guard, "a", 2, now_ms + 60000 + 900001), 0);
    guard_failed(&guard, "c", now_ms);
    guard_failed(&guard, "c", now_ms);
    guard_failed(&guard, "c", now_ms);
    assert_int_equal(guard_wait(&guard, "c", 2, now_ms), 1);
    guard_forget(&guard, "c");
    assert_int_equal(guard_wait(&guard, "c", 2, now_ms), 0);
}

static void full_guard_forgets_the_oldest(void **state)
{
    (void)state;
    static guard_t guard;
    char name[16];
    memset(&guard, 0, sizeof guard);
    for (int i = 0; i <= GUARD_ROWS; i++) {
        snprintf(name, sizeof name, "n%d", i);
        guard_failed(&guard, name, (uint64_t)(1000000 + i));
    }
    assert_int_equal(guard_wait(&guard, "n0", 0, 1000600), 0);
    assert_int_equal(guard_wait(&guard, "n1", 0, 1000600), 1);
    snprintf(name, sizeof name, "n%d", GUARD_ROWS);
    assert_int_equal(guard_wait(&guard, name, 0, 1000600), 1);
}

static void rate_has_a_burst(void **state)
{
    (void)state;
    guard_rate_t limit = {0};
    for (int i = 0; i < 4; i++) {
        assert_true(guard_rate_take(&limit, 2, 4, 1000));
    }
    assert_false(guard_rate_take(&limit, 2, 4, 1000));
    assert_false(guard_rate_take(&limit, 2, 4, 1499));
    assert_true(guard_rate_take(&limit, 2, 4, 1500));
    assert_false(guard_rate_take(&limit, 2, 4, 1501));
    for (int i = 0; i < 4; i++) { /* a long pause saves up no more than the burst */
        assert_true(guard_rate_take(&limit, 2, 4, 900000000));
    }
    assert_false(guard_rate_take(&limit, 2, 4, 900000000));
}

/* ---- tickets ---- */

static void ticket_is_bound_to_device_and_epoch(void **state)
{
    (void)state;
    char text[JWS_TICKET_MAX + 1];
    char scratch[JWS_TICKET_MAX];
    uint8_t input[TICKET_BINDING_INPUT_MAX];
    uint8_t hash[32];
    uint8_t mac[32];
    uint8_t got[32];
    const uint8_t epoch[JWS_EPOCH_SIZE] = {1, 2, 3};
    uint8_t first_id[JWS_NONCE_SIZE];
    size_t len;
    jws_t jws;
    ticket_t ticket;
    for (int i = 0; i < 2; i++) {
        ask(alice, "POST", "/api/ticket",
            "{\"sn\":\"SN-000001\",\"ep\":\"AQIDAAAAAAAAAAAAAAAAAA\"}");
        assert_int_equal(heard.status, 200);
        assert_int_equal(number_of("expires"), NOW + 86400);
        text_of("ticket", text, sizeof text);
        assert_int_equal(jws_open(JWS_TICKET, text, strlen(text), &jws), JWS_OK);
        assert_int_equal(jws_signature(&jws, got, sizeof got, &len), JWS_OK);
        HMAC(EVP_sha256(), ticket_key, 32, (const uint8_t *)text, jws.signing_len, mac, NULL);
        assert_memory_equal(got, mac, sizeof mac);
        assert_int_equal(ticket_read(&jws, scratch, sizeof scratch, &ticket), JWS_OK);
        assert_true(jws_text_equal(ticket.owner, jws_text("alice")));
        assert_int_equal(ticket.expires, NOW + 86400);
        assert_int_equal(
            ticket_binding_input(jws_text(SITE), jws_text("SN-000001"), epoch, input, &len),
            JWS_OK);
        SHA256(input, len, hash);
        assert_memory_equal(ticket.binding, hash, TICKET_BINDING_SIZE);
        assert_true(i == 0 || memcmp(first_id, ticket.id, sizeof first_id) != 0);
        memcpy(first_id, ticket.id, sizeof first_id);
    }
    ask(alice, "POST", "/api/ticket", "{\"sn\":\"SN-000001\",\"ep\":\"AQID\"}");
    expect_error(400, "ep");
    ask(alice, "POST", "/api/ticket", "{\"sn\":\"SN-000001\"}");
    expect_error(400, "ep");
}

/* ---- devices ---- */

static void expect_device(const char *as, const char *whose, const char *how)
{
    char text[64];
    ask(as, "GET", "/api/device?sn=SN-000001", NULL);
    assert_int_equal(heard.status, 200);
    text_of("sn", text, sizeof text);
    assert_string_equal(text, "SN-000001");
    text_of("owner", text, sizeof text);
    assert_string_equal(text, whose);
    text_of("state", text, sizeof text);
    assert_string_equal(text, how);
}

static void device_says_whose_and_how(void **state)
{
    (void)state;
    char epoch[32];
    record_key_t key = {.sn = "SN-000001",
                        .hash = {5},
                        .key = {6},
                        .cert = {0x30},
                        .cert_len = 1,
                        .by_claim = true,
                        .epoch = {1, 2, 3}};
    record_transfer_t transfer = {.id = {1}, .sn = "SN-000001", .from = "alice", .to = "bob"};
    const transfer_order_t order = {.record = "784f394c-42b6-435a-983c-b7beff2784f9"};
    expect_device(alice, "nobody", "unknown");
    record_unit_t packed = {.sn = "SN-000001", .packed = true};
    assert_true(record_unit_put(record, &packed, NULL));
    expect_device(alice, "nobody", "unknown"); /* of a pack list, not met yet */
    text_of("epoch", epoch, sizeof epoch);
    assert_string_equal(epoch, "");
    put_unit("SN-000001", "");
    put_epoch("SN-000001", false);
    expect_device(alice, "nobody", "held");
    text_of("epoch", epoch, sizeof epoch);
    assert_string_equal(epoch, "AQIDAAAAAAAAAAAAAAAAAA");
    put_unit("SN-000001", "alice");
    put_epoch("SN-000001", true);
    expect_device(alice, "you", "streaming");
    expect_device(bob, "somebody", "streaming");
    assert_null(strstr(heard.body, "alice"));
    /* a renewal is no handover; a claim is, in its epoch */
    key.standing = OWNERSHIP_KEY_GRANTED;
    key.by_claim = false;
    assert_true(record_key_put(record, &key, NULL));
    expect_device(alice, "you", "streaming");
    key.by_claim = true;
    assert_true(record_key_put(record, &key, NULL));
    expect_device(alice, "you", "handing-over");
    key.epoch[0] = 9;
    assert_true(record_key_put(record, &key, NULL));
    expect_device(alice, "you", "streaming");
    key.standing = OWNERSHIP_KEY_COMMITTED;
    assert_true(record_key_put(record, &key, NULL));
    expect_device(alice, "you", "handing-over");
    key.standing = OWNERSHIP_KEY_CURRENT;
    assert_true(record_key_put(record, &key, NULL));
    expect_device(alice, "you", "streaming");
    assert_true(transfer_begin(&transfer.transfer, &order, 1000));
    assert_true(record_transfer_put(record, &transfer, NULL));
    expect_device(alice, "you", "handing-over");
    transfer.ended = true;
    assert_true(record_transfer_put(record, &transfer, NULL));
    expect_device(alice, "you", "streaming");
}

static void devices_are_the_callers(void **state)
{
    (void)state;
    ask(alice, "GET", "/api/devices", NULL);
    assert_int_equal(heard.status, 200);
    assert_string_equal(heard.body, "{\"devices\":[]}");
    put_unit("SN-000001", "alice");
    put_unit("SN-000002", "bob");
    put_unit("SN-000003", "alice");
    put_epoch("SN-000003", true);
    ask(alice, "GET", "/api/devices", NULL);
    assert_string_equal(heard.body, "{\"devices\":[{\"sn\":\"SN-000001\",\"state\":\"held\"},"
                                    "{\"sn\":\"SN-000003\",\"state\":\"streaming\"}]}");
    for (int i = 100; i < 400; i++) { /* more than the first piece of memory */
        char sn[16];
        snprintf(sn, sizeof sn, "SN-000%d", i);
        put_unit(sn, "bob");
    }
    ask(bob, "GET", "/api/devices", NULL);
    assert_int_equal(heard.status, 200);
    assert_true(json_valid(heard.body, strlen(heard.body)));
    assert_non_null(strstr(heard.body, "SN-000399"));
}

static void only_the_owner_releases(void **state)
{
    (void)state;
    record_unit_t unit;
    bool found;
    put_unit("SN-000001", "alice");
    ask(bob, "POST", "/api/release", "{\"sn\":\"SN-000001\"}");
    expect_error(403, "not yours");
    ask(bob, "POST", "/api/release", "{\"sn\":\"SN-000009\"}");
    expect_error(403, "not yours");
    assert_true(record_unit_get(record, "SN-000001", &unit, &found, NULL));
    assert_int_equal(unit.consent, OWNERSHIP_NO_CONSENT);
    ask(alice, "POST", "/api/release", "{\"sn\":\"SN-000001\"}");
    assert_int_equal(heard.status, 200);
    assert_string_equal(heard.body, "{}");
    assert_true(record_unit_get(record, "SN-000001", &unit, &found, NULL));
    assert_int_equal(unit.consent, OWNERSHIP_RELEASED);
    assert_string_equal(unit.owner, "alice");
    put_unit("SN-000002", "");
    ask(alice, "POST", "/api/release", "{\"sn\":\"SN-000002\"}");
    expect_error(403, "not yours");
}

static void codes_are_compared_and_slowed(void **state)
{
    (void)state;
    record_unit_t unit = {.sn = "SN-000001", .has_code = true};
    record_code_t codes[RECORD_CODES_MAX];
    size_t count;
    SHA256((const uint8_t *)"K7WQ2M9X", 8, unit.code_hash);
    assert_true(record_unit_put(record, &unit, NULL));
    strcpy(unit.sn, "SN-000002");
    unit.has_code = false;
    assert_true(record_unit_put(record, &unit, NULL));
    ask(alice, "POST", "/api/code", "{\"sn\":\"SN-000001\",\"code\":\"K7WQ2M9X\"}");
    assert_int_equal(heard.status, 200);
    assert_string_equal(heard.body, "{}");
    assert_true(record_codes(record, "SN-000001", codes, &count, NULL));
    assert_int_equal(count, 1);
    assert_string_equal(codes[0].by, "alice");
    assert_int_equal(codes[0].entered, NOW);
    static const char *const wrong[] = {"{\"sn\":\"SN-000001\",\"code\":\"K7WQ2M9Y\"}",
                                        "{\"sn\":\"SN-000001\",\"code\":\"K7WQ2M9XX\"}",
                                        "{\"sn\":\"SN-000002\",\"code\":\"K7WQ2M9X\"}",
                                        "{\"sn\":\"SN-000003\",\"code\":\"K7WQ2M9X\"}",
                                        "{\"sn\":\"SN-000001\",\"code\":\"k7wq2m9x\"}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ask(alice, "POST", "/api/code", wrong[i]);
        expect_error(403, "do not belong together");
    }
    ask(alice, "POST", "/api/code", "{\"sn\":\"SN-000001\",\"code\":\"K7WQ2M9X\"}");
    expect_error(429, "wait");
    ask(bob, "POST", "/api/code", "{\"sn\":\"SN-000001\",\"code\":\"K7WQ2M9X\"}");
    assert_int_equal(heard.status, 200);
    assert_true(record_codes(record, "SN-000001", codes, &count, NULL));
    assert_int_equal(count, 2);
}

/* ---- receipts ---- */

static void receipts_are_found_by_former_owner_and_link(void **state)
{
    (void)state;
    record_transfer_t transfer = {.id = {1}, .sn = "SN-000001", .from = "alice", .to = "bob"};
    const char link[] = "00112233445566778899aabbccddeeff";
    char path[64];
    assert_true(record_receipt_put(record, &transfer, "head.body.sig", link, NOW, NOW + 100, NULL));
    ask(bob, "GET", "/api/receipts", NULL);
    assert_string_equal(heard.body, "{\"receipts\":[]}");
    ask(alice, "GET", "/api/receipts", NULL);
    assert_int_equal(heard.status, 200);
    text_of("receipts.0.sn", path, sizeof path);
    assert_string_equal(path, "SN-000001");
    assert_int_equal(number_of("receipts.0.issued"), NOW);
    text_of("receipts.0.link", path, sizeof path);
    ask(NULL, "GET", path, NULL);
    assert_int_equal(heard.status, 200);
    assert_string_equal(heard.body, "head.body.sig");
    assert_non_null(strstr(heard.head, "text/plain"));
    ask(NULL, "GET", "/receipt/00112233445566778899aabbccddeefe", NULL);
    expect_error(404, "no such receipt");
    ask(NULL, "GET", "/receipt/", NULL);
    expect_error(404, "no such receipt");
    ask(NULL, "GET", "/receipt/00112233445566778899aabbccddeeff/x", NULL);
    expect_error(404, "no such receipt");
    now_s = NOW + 100;
    ask(NULL, "GET", path, NULL);
    expect_error(404, "no such receipt");
    now_s = NOW;
    assert_true(record_receipt_revoke(record, link, NULL));
    ask(NULL, "GET", path, NULL);
    expect_error(404, "no such receipt");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(other_paths_are_not_ours),
        CASE(methods_are_kept_apart),
        CASE(nothing_without_a_token),
        CASE(login_gives_a_token_for_thirty_days),
        CASE(new_password_logs_out),
        CASE(bad_bodies_are_refused),
        CASE(guessing_gets_slow),
        CASE(unknown_account_is_answered_alike),
        cmocka_unit_test(waits_double_up_to_a_minute),
        cmocka_unit_test(full_guard_forgets_the_oldest),
        cmocka_unit_test(rate_has_a_burst),
        CASE(ticket_is_bound_to_device_and_epoch),
        CASE(device_says_whose_and_how),
        CASE(devices_are_the_callers),
        CASE(only_the_owner_releases),
        CASE(codes_are_compared_and_slowed),
        CASE(receipts_are_found_by_former_owner_and_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

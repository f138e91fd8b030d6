/* SPDX-License-Identifier: Apache-2.0 */
/* lib/net: TLS streams, both ends on one loop over a socket pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/x509_vfy.h>

#include "base/clock.h"
#include "net/tls.h"
#include "pki/key.h"
#include "pki_fixture.h"

static loop_t *loop;
static EVP_PKEY *ca_key, *server_key, *client_key;
static X509 *ca, *server_cert, *client_cert, *other_ca;
static const char *const ext_server[] = {"basicConstraints",
                                         "critical,CA:FALSE",
                                         "extendedKeyUsage",
                                         "serverAuth",
                                         "subjectAltName",
                                         "DNS:cloud.cradle.test,IP:127.0.0.1",
                                         NULL};

/* One end of a connection, and what happened to it. */
typedef struct {
    tls_t *tls;
    int ready, readable, drained, ends;
    tls_end_t end;
    char got[4096];
    size_t got_len;
    size_t total; /* bytes received over all; got keeps the first */
    bool hold;    /* do not read */
    void (*act)(void *end);
} end_t;

static end_t client, server;
static tls_context_t *client_context, *server_context;

/* The server's judgement, as the test sets it. */
static int verdict;
static int asked_full, asked_resumed;
static int chain_len;

static int judge(void *context, void *owner, X509 *leaf, const struct stack_st_X509 *chain,
                 bool resumed)
{
    assert_ptr_equal(context, &verdict);
    assert_ptr_equal(owner, &server);
    assert_int_equal(X509_cmp(leaf, client_cert), 0);
    if (resumed) {
        asked_resumed++;
        assert_null(chain);
    } else {
        asked_full++;
        chain_len = sk_X509_num(chain);
    }
    return verdict;
}

static int make_certs(void **state)
{
    (void)state;
    ca_key = fixture_key("P-256");
    server_key = fixture_key("P-256");
    client_key = fixture_key("P-256");
    int64_t now = clock_wall_ms() / 1000;
    ca = fixture_mint(&(mint_t){
        .cn = "CA", .key = ca_key, .ext = ext_ca, .from = now - 100 * DAY, .to = now + 100 * DAY});
    other_ca = fixture_mint(&(mint_t){.cn = "CA",
                                      .key = client_key,
                                      .ext = ext_ca,
                                      .from = now - 100 * DAY,
                                      .to = now + 100 * DAY});
    server_cert = fixture_mint(&(mint_t){.cn = "cloud",
                                         .key = server_key,
                                         .issuer = ca,
                                         .issuer_key = ca_key,
                                         .ext = ext_server,
                                         .from = now - DAY,
                                         .to = now + DAY});
    client_cert = fixture_mint(&(mint_t){.cn = "SN-1",
                                         .key = client_key,
                                         .issuer = ca,
                                         .issuer_key = ca_key,
                                         .ext = ext_client,
                                         .from = now - DAY,
                                         .to = now + DAY});
    return 0;
}

static int free_certs(void **state)
{
    (void)state;
    pki_cert_free(ca);
    pki_cert_free(other_ca);
    pki_cert_free(server_cert);
    pki_cert_free(client_cert);
    pki_key_free(ca_key);
    pki_key_free(server_key);
    pki_key_free(client_key);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    memset(&client, 0, sizeof client);
    memset(&server, 0, sizeof server);
    verdict = X509_V_OK;
    asked_full = asked_resumed = chain_len = 0;
    return loop_open(&loop, NULL) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    tls_close(client.tls);
    tls_close(server.tls);
    tls_context_free(client_context);
    tls_context_free(server_context);
    client_context = server_context = NULL;
    loop_close(loop);
    return 0;
}

static void act(end_t *end)
{
    if (end->act != NULL) {
        end->act(end);
    }
}

static void on_ready(void *ctx)
{
    end_t *end = ctx;
    end->ready++;
    act(end);
}

static void on_readable(void *ctx)
{
    end_t *end = ctx;
    char chunk[3000];
    end->readable++;
    size_t len;
    while (!end->hold && end->tls != NULL && (len = tls_read(end->tls, chunk, sizeof chunk)) > 0) {
        end->total += len;
        if (end->got_len + len <= sizeof end->got) {
            memcpy(end->got + end->got_len, chunk, len);
            end->got_len += len;
        }
    }
    if (end->total > 0) {
        act(end);
    }
}

static void on_drained(void *ctx)
{
    end_t *end = ctx;
    end->drained++;
}

static void on_end(void *ctx, const tls_end_t *how)
{
    end_t *end = ctx;
    end->ends++;
    end->end = *how;
    act(end);
}

static void close_now(void *ctx)
{
    end_t *end = ctx;
    tls_close(end->tls);
    end->tls = NULL;
}

static tls_handlers_t handlers(end_t *end)
{
    return (tls_handlers_t){on_ready, on_readable, on_drained, on_end, end};
}

static void open_server_context(tls_server_settings_t settings)
{
    pki_chain_t chain = {{server_cert}, 1};
    settings.chain = &chain;
    settings.key = server_key;
    settings.context = &verdict;
    assert_true(tls_server_context(&server_context, &settings, NULL));
}

static void open_client_context(tls_client_settings_t settings, bool with_certificate)
{
    pki_chain_t chain = {{client_cert, ca}, 2};
    pki_chain_t anchors = {{ca}, 1};
    if (with_certificate) {
        settings.chain = &chain;
        settings.key = client_key;
    }
    if (settings.anchors == NULL) {
        settings.anchors = &anchors;
    }
    if (settings.name == NULL) {
        settings.name = "cloud.cradle.test";
    }
    assert_true(tls_client_context(&client_context, &settings, NULL));
}

static void connect_both(void)
{
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    tls_handlers_t of_server = handlers(&server);
    tls_handlers_t of_client = handlers(&client);
    assert_true(tls_accept(&server.tls, loop, server_context, fd[0], &of_server, NULL));
    assert_true(tls_connect(&client.tls, loop, client_context, fd[1], &of_client, NULL));
}

/* Until `*what` is not 0, at most two seconds. */
static void wait_for(const int *what)
{
    uint64_t until = clock_monotonic_ms() + 2000;
    while (*what == 0 && clock_monotonic_ms() < until) {
        assert_true(loop_turn(loop, 50, NULL));
    }
    assert_true(*what != 0);
}

static void turns(int count)
{
    for (int i = 0; i < count; i++) {
        assert_true(loop_turn(loop, 1, NULL));
    }
}

static void usual_pair(void)
{
    open_server_context((tls_server_settings_t){.verify = judge});
    open_client_context((tls_client_settings_t){0}, true);
    connect_both();
    wait_for(&client.ready);
    wait_for(&server.ready);
}

static void bytes_go_both_ways(void **state)
{
    (void)state;
    usual_pair();
    assert_int_equal(asked_full, 1);
    assert_int_equal(chain_len, 2);
    assert_false(tls_resumed(server.tls));
    assert_string_equal(tls_version(server.tls), "TLSv1.3");
    assert_int_equal(X509_cmp(tls_peer_leaf(server.tls), client_cert), 0);
    assert_true(tls_write(client.tls, "hello", 5));
    wait_for(&server.readable);
    assert_int_equal(server.got_len, 5);
    assert_memory_equal(server.got, "hello", 5);
    client.readable = 0;
    assert_true(tls_write(server.tls, "good day", 8));
    turns(5);
    assert_int_equal(client.got_len, 8);
    assert_memory_equal(client.got, "good day", 8);
    close_now(&client);
    wait_for(&server.ends);
    assert_int_equal(server.end.kind, TLS_END_CLOSED);
    assert_false(server.end.handshake);
}

static void output_is_bounded_and_arrives_whole(void **state)
{
    (void)state;
    static char block[10000];
    open_server_context((tls_server_settings_t){.verify = judge, .output_max = 100000});
    open_client_context((tls_client_settings_t){0}, true);
    connect_both();
    wait_for(&server.ready);
    wait_for(&client.ready);
    client.hold = true;
    tls_pause(client.tls, true);
    size_t sent = 0;
    while (tls_write(server.tls, block, sizeof block)) {
        sent += sizeof block;
        assert_true(sent < 20 * 1000 * 1000);
    }
    assert_true(tls_pending(server.tls) <= 100000);
    assert_true(tls_pending(server.tls) > 100000 - sizeof block);
    assert_int_equal(server.drained, 0);
    assert_int_equal(server.ends, 0);
    turns(3);
    assert_int_equal(client.total, 0);
    client.hold = false;
    tls_pause(client.tls, false);
    wait_for(&server.drained);
    turns(20);
    assert_int_equal(client.total, sent);
    assert_int_equal(tls_pending(server.tls), 0);
    assert_int_equal(tls_room(server.tls), 100000);
}

static void a_paused_reader_gets_what_openssl_holds(void **state)
{
    (void)state;
    usual_pair();
    server.hold = true;
    assert_true(tls_write(client.tls, "one", 3));
    wait_for(&server.readable);
    tls_pause(server.tls, true);
    server.hold = false;
    assert_true(tls_write(client.tls, "two", 3));
    turns(5);
    assert_int_equal(server.got_len, 0);
    /* One byte is taken: the rest of both records may be anywhere. */
    tls_pause(server.tls, false);
    turns(5);
    assert_int_equal(server.got_len, 6);
    assert_memory_equal(server.got, "onetwo", 6);
}

static void a_refused_certificate_is_an_alert(void **state)
{
    (void)state;
    static const struct {
        int verdict, alert;
    } row[] = {{X509_V_ERR_CERT_SIGNATURE_FAILURE, 51},
               {X509_V_ERR_INVALID_CA, 48},
               {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 48}};
    open_server_context((tls_server_settings_t){.verify = judge});
    open_client_context((tls_client_settings_t){0}, true);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        memset(&client, 0, sizeof client);
        memset(&server, 0, sizeof server);
        verdict = row[i].verdict;
        connect_both();
        wait_for(&server.ends);
        assert_int_equal(server.end.kind, TLS_END_UNTRUSTED);
        assert_true(server.end.handshake);
        wait_for(&client.ends);
        assert_int_equal(client.end.kind, TLS_END_REFUSED);
        assert_int_equal(client.end.alert, row[i].alert);
        assert_int_equal(server.ready, 0);
        close_now(&client);
        close_now(&server);
    }
}

static void a_client_without_certificate_is_refused(void **state)
{
    (void)state;
    open_server_context((tls_server_settings_t){.verify = judge});
    open_client_context((tls_client_settings_t){0}, false);
    connect_both();
    wait_for(&server.ends);
    assert_int_equal(server.end.kind, TLS_END_UNTRUSTED);
    assert_non_null(strstr(server.end.text, "no certificate"));
    wait_for(&client.ends);
    assert_int_equal(client.end.kind, TLS_END_REFUSED);
    assert_int_equal(client.end.alert, 116);
    assert_int_equal(asked_full, 0);
}

static void the_wrong_server_is_refused(void **state)
{
    (void)state;
    pki_chain_t wrong = {{other_ca}, 1};
    int64_t now = clock_wall_ms() / 1000;
    const tls_client_settings_t rows[] = {
        {.name = "other.cradle.test"},
        {.name = "127.0.0.2"},
        {.anchors = &wrong},
        {.now = now + 2 * DAY},                      /* expired       */
        {.now = now - 2 * DAY},                      /* not yet valid */
        {.now = now + 2 * DAY, .clock_unset = true}, /* expired is never forgiven */
        {.name = "other.cradle.test", .now = now - 2 * DAY, .clock_unset = true},
    };
    open_server_context((tls_server_settings_t){.verify = judge});
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&client, 0, sizeof client);
        memset(&server, 0, sizeof server);
        open_client_context(rows[i], true);
        connect_both();
        wait_for(&client.ends);
        assert_int_equal(client.end.kind, TLS_END_UNTRUSTED);
        wait_for(&server.ends);
        assert_int_equal(server.end.kind, TLS_END_REFUSED);
        close_now(&client);
        close_now(&server);
        tls_context_free(client_context);
        client_context = NULL;
    }
}

static void the_right_server_is_accepted(void **state)
{
    (void)state;
    const tls_client_settings_t rows[] = {
        {.name = "127.0.0.1"},
        {.name = "cloud.cradle.test"},
        {.now = clock_wall_ms() / 1000 - 2 * DAY, .clock_unset = true},
    };
    open_server_context((tls_server_settings_t){0}); /* asks for no client certificate */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&client, 0, sizeof client);
        memset(&server, 0, sizeof server);
        open_client_context(rows[i], false);
        connect_both();
        wait_for(&client.ready);
        wait_for(&server.ready);
        assert_null(tls_peer_leaf(server.tls));
        close_now(&client);
        close_now(&server);
        tls_context_free(client_context);
        client_context = NULL;
    }
}

static void unsafe_settings_are_refused(void **state)
{
    (void)state;
    pki_chain_t anchors = {{ca}, 1};
    pki_chain_t none = PKI_CHAIN_INIT;
    pki_chain_t own = {{server_cert}, 1};
    err_t err = ERR_INIT;
    assert_false(tls_client_context(&client_context,
                                    &(tls_client_settings_t){.anchors = &none, .name = "x"}, NULL));
    assert_false(tls_client_context(&client_context, &(tls_client_settings_t){.name = "x"}, NULL));
    assert_false(
        tls_client_context(&client_context, &(tls_client_settings_t){.anchors = &anchors}, NULL));
    assert_false(tls_server_context(
        &server_context, &(tls_server_settings_t){.chain = &own, .key = client_key}, &err));
    assert_int_equal(err.kind, ERR_INPUT);
}

static void again_after_a_good_connection(void)
{
    close_now(&client);
    close_now(&server);
    memset(&client, 0, sizeof client);
    memset(&server, 0, sizeof server);
    connect_both();
    wait_for(&client.ready);
    wait_for(&server.ready);
}

static void sessions_resume_only_while_the_certificate_is_welcome(void **state)
{
    (void)state;
    usual_pair();
    turns(5); /* the client takes the ticket */
    again_after_a_good_connection();
    assert_int_equal(asked_full, 1);
    assert_int_equal(asked_resumed, 1);
    assert_true(tls_resumed(server.tls));
    assert_int_equal(X509_cmp(tls_peer_leaf(server.tls), client_cert), 0);
    assert_true(tls_write(client.tls, "hello", 5));
    wait_for(&server.readable);
    turns(5);

    /* No longer welcome without its chain: a full handshake asks again, and decides. */
    verdict = X509_V_ERR_CERT_REVOKED;
    close_now(&client);
    close_now(&server);
    memset(&client, 0, sizeof client);
    memset(&server, 0, sizeof server);
    connect_both();
    wait_for(&server.ends);
    assert_int_equal(asked_resumed, 2);
    assert_int_equal(asked_full, 2);
    assert_int_equal(server.end.kind, TLS_END_UNTRUSTED);
}

static void tickets_of_another_context_are_of_no_use(void **state)
{
    (void)state;
    usual_pair();
    turns(5);
    tls_context_free(server_context);
    open_server_context((tls_server_settings_t){.verify = judge});
    again_after_a_good_connection();
    assert_false(tls_resumed(server.tls));
    assert_int_equal(asked_full, 2);
}

static void raw_peer(int *fd)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    tls_handlers_t of_server = handlers(&server);
    assert_true(tls_accept(&server.tls, loop, server_context, pair[0], &of_server, NULL));
    *fd = pair[1];
}

static void what_is_no_tls_ends_its_own_connection(void **state)
{
    (void)state;
    static const char *const junk[] = {"GET / HTTP/1.1\r\n\r\n", "\x10\x0d\x00\x04MQTT\x04\x02",
                                       "\x16\x03\x01\xff\xff garbage garbage garbage"};
    open_server_context((tls_server_settings_t){.verify = judge});
    for (size_t i = 0; i < sizeof junk / sizeof junk[0]; i++) {
        int fd;
        memset(&server, 0, sizeof server);
        raw_peer(&fd);
        assert_int_equal(write(fd, junk[i], i == 1 ? 10 : strlen(junk[i])),
                         i == 1 ? 10 : (ssize_t)strlen(junk[i]));
        wait_for(&server.ends);
        assert_int_equal(server.end.kind, TLS_END_PROTOCOL);
        assert_true(server.end.handshake);
        close_now(&server);
        close(fd);
    }
    int fd;
    memset(&server, 0, sizeof server);
    raw_peer(&fd);
    close(fd);
    wait_for(&server.ends);
    assert_int_equal(server.end.kind, TLS_END_NETWORK);
}

static void silence_before_the_handshake_ends_it(void **state)
{
    (void)state;
    int fd;
    open_server_context((tls_server_settings_t){.verify = judge, .handshake_ms = 50});
    raw_peer(&fd);
    wait_for(&server.ends);
    assert_int_equal(server.end.kind, TLS_END_TIMEOUT);
    close(fd);
}

/* ---- Closing inside callbacks ---- */

static void closing_in_any_callback_is_safe(void **state)
{
    (void)state;
    open_server_context((tls_server_settings_t){.verify = judge});
    open_client_context((tls_client_settings_t){0}, true);
    /* on_ready */
    server.act = close_now;
    connect_both();
    wait_for(&server.ready);
    assert_null(server.tls);
    wait_for(&client.ends);
    close_now(&client);

    /* on_readable */
    memset(&client, 0, sizeof client);
    memset(&server, 0, sizeof server);
    connect_both();
    wait_for(&server.ready);
    wait_for(&client.ready);
    server.act = close_now;
    assert_true(tls_write(client.tls, "x", 1));
    client.act = close_now; /* and on_end */
    wait_for(&server.readable);
    assert_null(server.tls);
    wait_for(&client.ends);
    assert_null(client.tls);
    turns(2);
}

static void finishing_sends_the_rest(void **state)
{
    (void)state;
    static char block[200000];
    usual_pair();
    /* More than a socket pair takes at once. */
    client.hold = true;
    tls_pause(client.tls, true);
    size_t sent = 0;
    while (tls_pending(server.tls) == 0 && tls_write(server.tls, block, sizeof block)) {
        sent += sizeof block;
    }
    assert_true(tls_pending(server.tls) > 0);
    tls_finish(server.tls, 2000);
    server.tls = NULL;
    client.hold = false;
    tls_pause(client.tls, false);
    wait_for(&client.ends);
    assert_int_equal(client.end.kind, TLS_END_CLOSED);
    assert_int_equal(client.total, sent);
    assert_int_equal(server.ends, 0);
}

static void finishing_gives_up_in_time(void **state)
{
    (void)state;
    static char block[200000];
    usual_pair();
    client.hold = true;
    tls_pause(client.tls, true);
    while (tls_pending(server.tls) == 0 && tls_write(server.tls, block, sizeof block)) {
    }
    tls_finish(server.tls, 30);
    server.tls = NULL;
    uint64_t until = clock_monotonic_ms() + 60;
    while (clock_monotonic_ms() < until) {
        assert_true(loop_turn(loop, 5, NULL));
    }
    client.hold = false;
    tls_pause(client.tls, false);
    wait_for(&client.ends); /* the server's socket is closed */
}

#define TLS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TLS_TEST(bytes_go_both_ways),
        TLS_TEST(output_is_bounded_and_arrives_whole),
        TLS_TEST(a_paused_reader_gets_what_openssl_holds),
        TLS_TEST(a_refused_certificate_is_an_alert),
        TLS_TEST(a_client_without_certificate_is_refused),
        TLS_TEST(the_wrong_server_is_refused),
        TLS_TEST(the_right_server_is_accepted),
        TLS_TEST(unsafe_settings_are_refused),
        TLS_TEST(sessions_resume_only_while_the_certificate_is_welcome),
        TLS_TEST(tickets_of_another_context_are_of_no_use),
        TLS_TEST(what_is_no_tls_ends_its_own_connection),
        TLS_TEST(silence_before_the_handshake_ends_it),
        TLS_TEST(closing_in_any_callback_is_safe),
        TLS_TEST(finishing_sends_the_rest),
        TLS_TEST(finishing_gives_up_in_time),
    };
    return cmocka_run_group_tests(tests, make_certs, free_certs);
}

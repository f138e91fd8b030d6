/* SPDX-License-Identifier: Apache-2.0 */
/* lib/net: addresses and sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "net/address.h"

static void texts_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {
        {"127.0.0.1:8883", "127.0.0.1", 8883},
        {"localhost:0", "localhost", 0},
        {"[::1]:65535", "::1", 65535},
        {"cloud.cradle.test:1", "cloud.cradle.test", 1},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char host[NET_HOST_SIZE];
        uint16_t port;
        assert_true(net_split(good[i].text, host, &port, NULL));
        assert_string_equal(host, good[i].host);
        assert_int_equal(port, good[i].port);
    }
}

static void wrong_texts_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",       "host",    ":80",     "host:", "host:65536", "host:-1",      "host:8 ",
        "::1:80", "[::1]80", "[::1:80", "[]:80", "host:0x10",  "host:00000080"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char host[NET_HOST_SIZE];
        uint16_t port;
        err_t err = ERR_INIT;
        assert_false(net_split(bad[i], host, &port, &err));
        assert_int_equal(err.kind, ERR_USAGE);
    }
    char longest[400];
    memset(longest, 'a', sizeof longest);
    strcpy(longest + 300, ":80");
    char host[NET_HOST_SIZE];
    uint16_t port;
    assert_false(net_split(longest, host, &port, NULL));
}

static void two_ends_meet(void **state)
{
    (void)state;
    int listener;
    int fd;
    char bound[NET_ADDRESS_SIZE];
    char peer[NET_ADDRESS_SIZE];
    assert_true(net_listen("127.0.0.1:0", &listener, bound, NULL));
    assert_memory_equal(bound, "127.0.0.1:", 10);
    assert_string_not_equal(bound, "127.0.0.1:0");
    assert_true((fcntl(listener, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(listener, F_GETFD) & FD_CLOEXEC) != 0);
    assert_true(net_connect(bound, &fd, NULL));
    struct pollfd poller = {.fd = fd, .events = POLLOUT};
    assert_int_equal(poll(&poller, 1, 1000), 1);
    assert_true(net_connect_result(fd, bound, NULL));
    net_peer(fd, peer);
    assert_string_equal(peer, bound);

    /* The port is taken now. */
    int second;
    char again[NET_ADDRESS_SIZE];
    err_t err = ERR_INIT;
    assert_false(net_listen(bound, &second, again, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    close(fd);
    close(listener);

    /* And nobody is there any more. */
    err_clear(&err);
    if (net_connect(bound, &fd, &err)) {
        poller.fd = fd;
        assert_int_equal(poll(&poller, 1, 1000), 1);
        assert_false(net_connect_result(fd, bound, &err));
        close(fd);
    }
    assert_int_equal(err.kind, ERR_PEER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_taken_apart),
        cmocka_unit_test(wrong_texts_are_refused),
        cmocka_unit_test(two_ends_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

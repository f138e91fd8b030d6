/* SPDX-License-Identifier: Apache-2.0 */
/* The SoftAP transport over real sockets: the session table row by row, errors, and hostile
   clients. Time is the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_provisioning.h"
#include "protocomm/http_request.h"
#include "protocomm/httpd.h"

typedef struct {
    fake_t fake;
    protocomm_httpd_t *httpd;
    uint64_t now;
} server_t;

static server_t server;

/* Session ids 1, 2, 3, ... */
static bool count_up(void *ctx, uint8_t *out, size_t len)
{
    static uint8_t last;

    if (ctx)
        last = 0;
    memset(out, 0, len);
    out[0] = ++last;
    return true;
}

static int setup(void **state)
{
    const protocomm_security_t security = {.version = 0};
    const protocomm_random_t random = {count_up, NULL};
    uint8_t one;

    (void)state;
    memset(&server, 0, sizeof server);
    fake_init(&server.fake, &security);
    count_up(&one, &one, 1); /* starts again: the next one is 2 */
    server.now = 1000;
    server.httpd = protocomm_httpd_new(server.fake.device, "127.0.0.1", 0, &random, NULL);
    return server.httpd ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    protocomm_httpd_free(server.httpd);
    fake_free(&server.fake);
    return 0;
}

static void pump(void)
{
    struct pollfd p = {protocomm_httpd_fd(server.httpd), POLLIN, 0};

    while (poll(&p, 1, 5) > 0)
        protocomm_httpd_handle(server.httpd, server.now);
    protocomm_httpd_handle(server.httpd, server.now);
}

static int dial(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    const struct timeval limit = {.tv_sec = 2};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    sa.sin_port = htons((uint16_t)atoi(strchr(protocomm_httpd_address(server.httpd), ':') + 1));
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (const struct sockaddr *)&sa, sizeof sa), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    pump();
    return fd;
}

static void put(int fd, const char *data, size_t len)
{
    assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
    pump();
}

/* What is there to read, after a moment: its text, "" when the socket was closed without a byte,
   NULL when it is open and silent. */
static const char *got(int fd)
{
    static char text[8192];
    size_t len = 0;
    ssize_t n;

    while ((n = recv(fd, text + len, sizeof text - 1 - len, MSG_DONTWAIT)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    if (len == 0 && n < 0 && errno == EAGAIN)
        return NULL;
    return text;
}

static void post(int fd, const char *path, const char *headers, const char *body, size_t len)
{
    char text[16384];
    int head =
        snprintf(text, sizeof text, "POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n",
                 path, headers, len);

    memcpy(text + head, body, len);
    put(fd, text, (size_t)head + len);
}

#define STATUS "R\0"
static const char status_answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                                    "Content-Length: 6\r\n\r\n\x08\x01Z\x02\x10\x01";

/* Posts GetStatus; the id in Set-Cookie, 0 without one, -1 when there is no answer. */
static int ask(int fd, const char *headers)
{
    int id = 0;

    post(fd, "/prov-config", headers, STATUS, 2);
    const char *text = got(fd);
    if (!text || !text[0])
        return -1;
    static const char head[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n";
    assert_memory_equal(text, head, sizeof head - 1);
    const char *cookie = strstr(text, "Set-Cookie: session=");
    if (cookie)
        id = atoi(cookie + 20);
    else
        assert_string_equal(text, status_answer);
    return id;
}

/* -- the session table ----------------------------------------------------------------------- */

static void session_rules(void **state)
{
    (void)state;
    int a = dial(), b = dial();

    assert_int_equal(ask(a, ""), 2);                      /* no session yet: a new one */
    assert_int_equal(ask(a, ""), 0);                      /* no Cookie, same socket: continues */
    assert_int_equal(ask(b, ""), 3);                      /* no Cookie, other socket: a new one */
    assert_int_equal(ask(a, "Cookie: session=2\r\n"), 4); /* the old cookie: a new one */
    assert_int_equal(ask(a, "Cookie: session=4\r\n"), 0); /* matches: continues */
    assert_int_equal(ask(a, ""), 5);                      /* from then on the socket rule is off */
    assert_int_equal(ask(b, "Cookie: session=5\r\n"), 0); /* any socket with the cookie */
    assert_int_equal(ask(b, "Cookie: session=5; x=1\r\n"), 6); /* the whole value must match */
    assert_int_equal(ask(b, "Cookie: x=1; session=55555555555\r\n"), 0); /* too long: no Cookie */
    assert_int_equal(ask(b, "cookie:session=6\r\n"), 0);
    close(a);
    close(b);
}

static void closed_socket_keeps_the_session(void **state)
{
    (void)state;
    int a = dial();

    assert_int_equal(ask(a, ""), 2);
    close(a);
    pump();
    int b = dial();
    assert_int_equal(ask(b, "Cookie: session=2\r\n"), 0);
    close(b);
    pump();
    int c = dial(); /* may have the same descriptor number as before: still another socket */
    assert_int_equal(ask(c, ""), 3);
    close(c);
}

static void version_counts_as_well(void **state)
{
    (void)state;
    int a = dial(), b = dial();

    assert_int_equal(ask(a, ""), 2);
    post(b, "/proto-ver", "", "ESP", 3);
    assert_non_null(strstr(got(b), "Set-Cookie: session=3\r\n\r\n{\n\t\"prov\""));
    assert_int_equal(ask(a, "Cookie: session=2\r\n"), 4);
    close(a);
    close(b);
}

/* -- errors ---------------------------------------------------------------------------------- */

static void failures_close_without_a_byte(void **state)
{
    static char long_body[4097];

    (void)state;
    int a = dial();
    post(a, "/prov-config", "", "\xff", 1);
    assert_string_equal(got(a), "");
    close(a);
    a = dial();
    post(a, "/prov-config", "", "", 0);
    assert_string_equal(got(a), "");
    close(a);
    a = dial();
    put(a, "POST /prov-config HTTP/1.1\r\nHost: x\r\n\r\n", 39);
    assert_string_equal(got(a), "");
    close(a);
    a = dial();
    post(a, "/prov-config", "", long_body, sizeof long_body);
    assert_string_equal(got(a), "");
    close(a);
    a = dial(); /* a query reaches no endpoint */
    post(a, "/prov-config?x", "", STATUS, 2);
    assert_string_equal(got(a), "");
    close(a);
    a = dial(); /* 4096 bytes are allowed, whatever they are */
    post(a, "/proto-ver", "", long_body, 4096);
    assert_non_null(strstr(got(a), "200 OK"));
    close(a);
}

static void expect_text(const char *request, const char *start)
{
    int a = dial();

    put(a, request, strlen(request));
    const char *text = got(a);
    assert_non_null(text);
    assert_memory_equal(text, start, strlen(start));
    close(a);
    pump();
}

static void http_errors(void **state)
{
    char long_target[400] = "POST /";

    (void)state;
    expect_text("POST /nothing HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
                "HTTP/1.1 404 Not Found\r\n");
    expect_text("GET /prov-config HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n");
    expect_text("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found\r\n");
    expect_text("garbage\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n");
    expect_text("POST /proto-ver HTTP/2.0\r\n\r\n", "HTTP/1.1 505 Version Not Supported\r\n");
    expect_text("POST /proto-ver HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
                "HTTP/1.1 400");
    expect_text("POST /proto-ver HTTP/1.1\r\nContent-Length: -1\r\n\r\nx", "HTTP/1.1 400");
    expect_text("POST /proto-ver HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
                "");
    memset(long_target + 6, 'a', 300);
    strcpy(long_target + 306, " HTTP/1.1\r\n\r\n");
    expect_text(long_target, "HTTP/1.1 414 URI Too Long\r\n");
    assert_int_equal(server.fake.refused, 0); /* none of them reached an endpoint or a session */
}

static void long_head(void **state)
{
    char text[PROTOCOMM_HTTPD_HEAD_MAX + 64] = "POST /proto-ver HTTP/1.1\r\nX: ";

    (void)state;
    memset(text + 29, 'a', sizeof text - 30);
    expect_text(text, "HTTP/1.1 431 Request Header Fields Too Large\r\n");
}

/* -- the wire -------------------------------------------------------------------------------- */

static void byte_by_byte(void **state)
{
    static const char text[] =
        "POST /prov-config HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n" STATUS;

    (void)state;
    int a = dial();
    for (size_t i = 0; i + 2 < sizeof text; i++) {
        put(a, text + i, 1);
        assert_null(got(a));
    }
    put(a, text + sizeof text - 2, 1);
    assert_non_null(strstr(got(a), "200 OK"));
    close(a);
}

static void pipelined(void **state)
{
    static const char text[] = "POST /proto-ver HTTP/1.1\r\nContent-Length: 3\r\n\r\nESP"
                               "POST /proto-ver HTTP/1.1\r\nContent-Length: 3\r\n\r\nESP"
                               "POST /proto-ver HTTP/1.1\r\nContent-Length: 3\r\n"
                               "Connection: close\r\n\r\nESP";
    int answers = 0;

    (void)state;
    int a = dial();
    put(a, text, sizeof text - 1);
    for (const char *at = got(a); (at = strstr(at, "HTTP/1.1 200 OK")) != NULL; at++)
        answers++;
    assert_int_equal(answers, 3);
    assert_string_equal(got(a), ""); /* and closed */
    close(a);
}

static void blocking_scan(void **state)
{
    (void)state;
    int a = dial(), b = dial();

    server.fake.scan_later = true;
    post(a, "/prov-scan", "", "R\x02\x08\x01", 4);
    assert_null(got(a));
    post(b, "/proto-ver", "", "ESP", 3); /* waits for its turn */
    assert_null(got(b));
    fake_scan_done(&server.fake);
    pump();
    assert_non_null(strstr(got(a), "Content-Length: 4\r\nSet-Cookie: session=2\r\n"));
    assert_non_null(strstr(got(b), "Set-Cookie: session=3\r\n"));
    /* A scan that never ends: the client is let go, the others go on. */
    post(a, "/prov-scan", "", "R\x02\x08\x01", 4);
    post(b, "/proto-ver", "", "ESP", 3);
    server.now += 2 * PROTOCOMM_HTTPD_TIMEOUT_MS;
    assert_true(protocomm_httpd_deadline(server.httpd) <= server.now);
    pump();
    pump();
    assert_string_equal(got(a), "");
    assert_non_null(strstr(got(b), "200 OK"));
    close(a);
    close(b);
}

/* -- hostile clients ------------------------------------------------------------------------- */

static void idle_connections_do_not_starve(void **state)
{
    int idle[100];

    (void)state;
    int a = dial();
    assert_int_equal(ask(a, ""), 2);
    for (int i = 0; i < 100; i++) {
        idle[i] = dial();
        if (i % 3 == 0)
            put(idle[i], "POST /prov", 10); /* trickles */
    }
    assert_int_equal(ask(a, ""), 0); /* the session's own socket was never given up */
    int b = dial();
    assert_int_equal(ask(b, "Cookie: session=2\r\n"), 0);
    int open = 0;
    for (int i = 0; i < 100; i++) {
        open += got(idle[i]) == NULL;
        close(idle[i]);
    }
    assert_true(open <= PROTOCOMM_HTTPD_SOCKETS);
    close(a);
    close(b);
}

static void slow_clients_are_let_go(void **state)
{
    (void)state;
    int a = dial(), b = dial();

    put(a, "POST /proto-ver HTTP/1.1\r\n", 26);
    server.now += PROTOCOMM_HTTPD_TIMEOUT_MS - 1;
    put(a, "X: y\r\n", 6);
    assert_null(got(a));
    server.now += 1; /* counted from the first byte */
    pump();
    assert_string_equal(got(a), "");
    assert_null(got(b)); /* an idle one may stay */
    assert_true(protocomm_httpd_deadline(server.httpd) == UINT64_MAX);
    close(a);
    close(b);
}

static void random_bytes(void **state)
{
    unsigned seed = 1;

    (void)state;
    for (int round = 0; round < 200; round++) {
        char text[300];
        int a = dial();
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = (char)rand_r(&seed);
        if (round % 2)
            memcpy(text, "POST /prov-scan HTTP/1.1\r\nContent-Length: 200\r\n\r\n", 49);
        put(a, text, sizeof text);
        close(a);
    }
    pump();
    int a = dial();
    assert_true(ask(a, "") > 0);
    close(a);
}

/* -- the parser ------------------------------------------------------------------------------ */

static void parser(void **state)
{
    http_request_t r;
    static const char ok[] = "POST /a HTTP/1.1\nCOOKIE:\t session=7 \ncontent-length: 12\n\nrest";

    (void)state;
    assert_int_equal(http_request_parse(ok, sizeof ok - 1, &r), HTTP_COMPLETE);
    assert_true(r.post && r.has_cookie && !r.close);
    assert_string_equal(r.cookie, "session=7");
    assert_string_equal(r.target, "/a");
    assert_int_equal(r.body_len, 12);
    assert_int_equal(r.head_len, sizeof ok - 5);
    for (size_t len = 0; len < r.head_len; len++) {
        http_request_t cut;
        assert_int_equal(http_request_parse(ok, len, &cut), HTTP_MORE);
    }
    static const char *const bad[] = {
        "POST\r\n",
        " POST /a HTTP/1.1\r\n",
        "post /a HTTP/1.1\r\n",
        "POST a HTTP/1.1\r\n",
        "POST /a b HTTP/1.1\r\n",
        "POST /a\x01 HTTP/1.1\r\n",
        "POST /a HTTX/1.1\r\n",
        "POST /a HTTP/1.1\r\nNo colon\r\n\r\n",
        "POST /a HTTP/1.1\r\n: x\r\n\r\n",
        "POST /a HTTP/1.1\r\nA: b\r\n folded: c\r\n\r\n",
        "POST /a HTTP/1.1\r\nContent-Length: 1x\r\n\r\n",
        "POST /a HTTP/1.1\r\nContent-Length: \r\n\r\n",
        "POST /a HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n",
        "POST /a HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(http_request_parse(bad[i], strlen(bad[i]), &r), HTTP_BAD);
}

static void listening_errors(void **state)
{
    err_t err = ERR_INIT;
    const protocomm_security_t security = {.version = 0};
    fake_t fake;

    (void)state;
    fake_init(&fake, &security);
    assert_null(protocomm_httpd_new(fake.device, "localhost", 0, NULL, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    err_clear(&err);
    uint16_t port = (uint16_t)atoi(strchr(protocomm_httpd_address(server.httpd), ':') + 1);
    assert_null(protocomm_httpd_new(fake.device, "127.0.0.1", port, NULL, &err));
    assert_int_equal(err.kind, ERR_SYSTEM);
    fake_free(&fake);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(session_rules),
        CASE(closed_socket_keeps_the_session),
        CASE(version_counts_as_well),
        CASE(failures_close_without_a_byte),
        CASE(http_errors),
        CASE(long_head),
        CASE(byte_by_byte),
        CASE(pipelined),
        CASE(blocking_scan),
        CASE(idle_connections_do_not_starve),
        CASE(slow_clients_are_let_go),
        CASE(random_bytes),
        cmocka_unit_test(parser),
        CASE(listening_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

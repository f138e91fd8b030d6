/* SPDX-License-Identifier: Apache-2.0 */
/* The server against raw sockets: what a well-behaved client never sends, and what it does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "http/http.h"

/* ---- a server and the thread that uses it ---------------------------------------------------- */

typedef struct {
    http_server_t *server;
    pthread_t thread;
    atomic_bool stop;
    http_request_t *late; /* replied 200 ms later */
    uint64_t late_at;
    http_request_t *kept[8]; /* replied when the test says so */
    int kept_count;
    atomic_bool release;
    atomic_int handled;
    atomic_int alive; /* of the last kept request: -1 not asked, 0, 1 */
} rig_t;

static void echo(http_request_t *request)
{
    char out[4096];
    int n = snprintf(out, sizeof(out), "%s|%s|%s|%s|%s|%zu|%.20s|%s|%s|",
                     http_method_name(request->method), request->path, request->query,
                     request->authorization, request->content_type, request->body_len,
                     request->body, request->peer, request->device_id);
    http_reply(request, 200, "text/plain", out, (size_t)n, "X-Test: yes\r\n");
}

static void handle(void *ctx, http_request_t *request)
{
    rig_t *rig = ctx;
    atomic_fetch_add(&rig->handled, 1);
    if (strcmp(request->path, "/late") == 0 && !rig->late) {
        rig->late = request;
        rig->late_at = clock_monotonic_ms() + 200;
    } else if (strcmp(request->path, "/keep") == 0 && rig->kept_count < 8) {
        rig->kept[rig->kept_count++] = request;
    } else if (strcmp(request->path, "/big") == 0) {
        size_t size = 8 * 1024 * 1024;
        char *big = malloc(size);
        memset(big, 'b', size);
        http_reply(request, 200, "text/plain", big, size, NULL);
        free(big);
    } else {
        echo(request);
    }
}

static void *use_server(void *arg)
{
    rig_t *rig = arg;
    while (!atomic_load(&rig->stop)) {
        struct pollfd p = {http_server_fd(rig->server), POLLIN, 0};
        if (poll(&p, 1, 10) > 0) {
            http_server_dispatch(rig->server, 0);
        }
        if (rig->late && clock_monotonic_ms() >= rig->late_at) {
            http_request_t *request = rig->late;
            rig->late = NULL;
            echo(request);
        }
        if (atomic_exchange(&rig->release, false)) {
            while (rig->kept_count > 0) {
                http_request_t *request = rig->kept[--rig->kept_count];
                atomic_store(&rig->alive, http_request_alive(request));
                echo(request);
            }
        }
    }
    return NULL;
}

static rig_t *rig_new(const http_settings_t *settings)
{
    rig_t *rig = calloc(1, sizeof(*rig));
    err_t err = ERR_INIT;
    atomic_store(&rig->alive, -1);
    if (!http_server_open(&rig->server, settings, handle, rig, &err)) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(pthread_create(&rig->thread, NULL, use_server, rig), 0);
    return rig;
}

static rig_t *rig_plain(void)
{
    return rig_new(&(http_settings_t){.listen = "127.0.0.1:0", .body_max = 100000, .request_s = 5});
}

static void rig_free(rig_t *rig)
{
    atomic_store(&rig->stop, true);
    pthread_join(rig->thread, NULL);
    http_server_close(rig->server);
    free(rig);
}

/* ---- a client of bytes ----------------------------------------------------------------------- */

static int connect_to(const rig_t *rig)
{
    const char *address = http_server_address(rig->server);
    struct sockaddr_in to = {.sin_family = AF_INET};
    to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    struct timeval limit = {4, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

static void send_text(int fd, const char *text)
{
    size_t len = strlen(text);
    assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Reads until `count` complete replies with Content-Length are there, or the end. Returns how
   many; `out` has all bytes. */
static int read_replies(int fd, int count, char *out, size_t cap)
{
    size_t len = 0;
    int found = 0;
    size_t from = 0;
    out[0] = '\0';
    while (found < count) {
        char *head_end = strstr(out + from, "\r\n\r\n");
        const char *length = head_end ? strstr(out + from, "Content-Length: ") : NULL;
        if (length && length < head_end) {
            size_t whole = (size_t)(head_end + 4 - out) + (size_t)atol(length + 16);
            if (len >= whole) {
                from = whole;
                found++;
                continue;
            }
        }
        ssize_t n = len + 1 < cap ? recv(fd, out + len, cap - len - 1, 0) : 0;
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
        out[len] = '\0';
    }
    return found;
}

static bool closed_by_server(int fd)
{
    char c[256];
    ssize_t n;
    while ((n = recv(fd, c, sizeof(c), 0)) > 0) {
    }
    return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void expect_one(rig_t *rig, const char *request, const char *contains)
{
    char out[65536];
    int fd = connect_to(rig);
    send_text(fd, request);
    assert_int_equal(read_replies(fd, 1, out, sizeof(out)), 1);
    if (!strstr(out, contains)) {
        fail_msg("expected %s in: %s", contains, out);
    }
    close(fd);
}

static void expect_serving(rig_t *rig)
{
    expect_one(rig, "GET /ok HTTP/1.1\r\nHost: x\r\n\r\n", "GET|/ok|");
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void requests_arrive_decoded(void **state)
{
    (void)state;
    rig_t *rig = rig_plain();
    expect_one(rig,
               "GET /a%20b/%C3%A4?x=1%262&y=%C3%A4+z&flag&n=a%3Db HTTP/1.1\r\nHost: x\r\n"
               "x-authorization: Bearer t0k\r\n\r\n",
               "GET|/a b/\xc3\xa4|x=1%262&y=%C3%A4%20z&flag&n=a%3Db|Bearer t0k||0||127.0.0.1");
    expect_one(rig,
               "POST /p HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer std\r\n"
               "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
               "POST|/p||Bearer std|application/json|7|{\"a\":1}|");
    expect_one(rig,
               "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic no\r\n"
               "X-Authorization: Bearer yes\r\n\r\n",
               "GET|/||Bearer yes|");
    expect_one(rig, "DELETE /d HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
               "DELETE|/d||||2|{}|");
    expect_one(rig, "GET /id HTTP/1.1\r\nHost: x\r\nX-Device-Id: 1b4e28ba\r\n\r\n",
               "GET|/id||||0||127.0.0.1|1b4e28ba|");
    expect_one(rig, "GET /id HTTP/1.1\r\nHost: x\r\nX-Device-Identity: 1\r\n\r\n",
               "GET|/id||||0||127.0.0.1||");
    expect_one(rig, "GET /ok HTTP/1.1\r\nHost: x\r\n\r\n", "X-Test: yes\r\n");
    rig_free(rig);
}

static void dot_segments_are_resolved(void **state)
{
    (void)state;
    rig_t *rig = rig_plain();
    expect_one(rig, "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", "GET|/etc/passwd|");
    expect_one(rig, "GET /a/b/../c/./d HTTP/1.1\r\nHost: x\r\n\r\n", "GET|/a/c/d|");
    expect_one(rig, "GET /a/%2e%2e/%2E%2e/b HTTP/1.1\r\nHost: x\r\n\r\n", "GET|/b|");
    expect_one(rig, "GET //a///b HTTP/1.1\r\nHost: x\r\n\r\n", "GET|/a/b|");
    rig_free(rig);
}

static void bad_paths_are_refused(void **state)
{
    (void)state;
    rig_t *rig = rig_plain();
    static const char *const paths[] = {"/%zz",
                                        "/%",
                                        "/a%00b",
                                        "/%00a",
                                        "/a%0d%0aX:y",
                                        "/%ff",
                                        "/a;b",
                                        "/a&b",
                                        "/%c0%af",
                                        "/a%7f",
                                        "/a%0d%0a%0d%0aGET /b HTTP/1.1",
                                        "/a?%0d%0aX:y",
                                        "/a?%00"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char request[128];
        char out[4096];
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i]);
        int fd = connect_to(rig);
        send_text(fd, request);
        read_replies(fd, 1, out, sizeof(out));
        if (strstr(out, "200 OK")) {
            fail_msg("%s was let through: %s", paths[i], out);
        }
        close(fd);
    }
    expect_serving(rig);
    rig_free(rig);
}

/* Sends requests without waiting. What is answered is answered in order and is what was asked, the
   rest is not handled at all; nothing is made up of two requests. */
static void pipeline(rig_t *rig, const char *const *requests, const char *const *answers, int count)
{
    char text[4096] = "";
    char *out = malloc(65536);
    for (int i = 0; i < count; i++) {
        strcat(text, requests[i]);
    }
    int before = atomic_load(&rig->handled);
    int fd = connect_to(rig);
    send_text(fd, text);
    int answered = read_replies(fd, count, out, 65536);
    assert_true(answered >= 1);
    assert_int_equal(atomic_load(&rig->handled), before + answered);
    const char *at = out;
    for (int i = 0; i < answered; i++) {
        at = strstr(at, answers[i]);
        assert_non_null(at);
    }
    if (answered < count) {
        assert_true(closed_by_server(fd));
    }
    close(fd);
    free(out);
    expect_serving(rig);
}

static void requests_that_do_not_wait_are_never_mixed_up(void **state)
{
    (void)state;
    rig_t *rig = rig_plain();
#define GET(path)        "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST(path, text) "POST " path " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n" text
    for (int i = 0; i < 20; i++) {
        pipeline(rig, (const char *[]){GET("/1"), POST("/2", "hello"), GET("/3")},
                 (const char *[]){"GET|/1|", "POST|/2||||5|hello|", "GET|/3|"}, 3);
        pipeline(
            rig, (const char *[]){POST("/1", "hello"), POST("/2", "world"), POST("/3", "!!!!!")},
            (const char *[]){"POST|/1||||5|hello|", "POST|/2||||5|world|", "POST|/3||||5|!!!!!|"},
            3);
    }
    pipeline(rig, (const char *[]){GET("/late"), POST("/2", "hello"), GET("/3")},
             (const char *[]){"GET|/late|", "POST|/2||||5|hello|", "GET|/3|"}, 3);
    pipeline(rig, (const char *[]){POST("/late", "hello"), POST("/2", "world"), GET("/3")},
             (const char *[]){"POST|/late||||5|hello|", "POST|/2||||5|world|", "GET|/3|"}, 3);
    /* The second arrives while the first waits for its reply. */
    char out[4096];
    int fd = connect_to(rig);
    send_text(fd, POST("/late", "hello"));
    usleep(50000);
    send_text(fd, POST("/2", "world"));
    int answered = read_replies(fd, 2, out, sizeof(out));
    assert_non_null(strstr(out, "POST|/late||||5|hello|"));
    assert_true(answered == 1 || strstr(out, "POST|/2||||5|world|"));
    close(fd);
    /* One that is too large, and more behind it. */
    char *large = malloc(120000);
    int n = sprintf(large, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n");
    memset(large + n, 'x', 100001);
    strcpy(large + n + 100001, POST("/2", "world") POST("/3", "world"));
    fd = connect_to(rig);
    send_text(fd, large);
    assert_int_equal(read_replies(fd, 1, out, sizeof(out)), 1);
    assert_non_null(strstr(out, " 413 "));
    assert_true(closed_by_server(fd));
    close(fd);
    free(large);
    expect_serving(rig);
    rig_free(rig);
}

static void one_connection_serves_many_requests(void **state)
{
    (void)state;
    rig_t *rig = rig_plain();
    char out[4096];
    int fd = connect_to(rig);
    for (int i = 0; i < 100; i++) {
        send_text(fd, i % 2 ? GET("/1") : POST("/2", "hello"));
        assert_int_equal(read_replies(fd, 1, out, sizeof(out)), 1);
        assert_non_null(strstr(out, i % 2 ? "GET|/1|" : "POST|/2||||5|hello|"));
    }
    close(fd);
    rig_free(rig);
}

static void bodies_arrive_in_pieces(void **state)
{
    (void)state;
    rig_t *rig = rig_plain();
    char out[4096];
    int fd = connect_to(rig);
    const char *text = "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nhello, world";
    for (size_t i = 0; text[i]; i++) {
        assert_int_equal(send(fd, text + i, 1, MSG_NOSIGNAL), 1);
        usleep(1000);
    }
    assert_int_equal(read_replies(fd, 1, out, sizeof(out)), 1);
    assert_non_null(strstr(out, "|12|hello, world|"));
    close(fd);
    rig_free(rig);
}

static void framing_is_strict(void **state)
{
    (void)state;
    rig_t *rig = rig_plain();
    expect_one(rig, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", " 400 ");
    expect_one(rig, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 1x\r\n\r\nab", " 400 ");
    expect_one(rig, "GET /p HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
               " 400 ");
    expect_one(rig,
               "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
               " 400 ");
    expect_one(rig,
               "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
               "0\r\n\r\n",
               " 411 ");
    expect_one(rig,
               "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n"
               "\r\n0\r\n",
               " 411 ");
    /* No word about a body: there is none; the connection ends, since nobody can be sure. */
    char out[4096];
    int fd = connect_to(rig);
    send_text(fd, "POST /logout HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(read_replies(fd, 1, out, sizeof(out)), 1);
    assert_non_null(strstr(out, "POST|/logout||||0|"));
    assert_non_null(strstr(out, "Connection: close\r\n"));
    assert_true(closed_by_server(fd));
    close(fd);
    rig_free(rig);
}

static void a_body_too_large_is_413(void **state)
{
    (void)state;
    rig_t *rig = rig_plain();
    expect_one(rig, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n", " 413 ");
    /* One that is sent all the same: the reply arrives. */
    char out[4096];
    int fd = connect_to(rig);
    char *body = malloc(100002);
    memset(body, 'x', 100001);
    body[100001] = '\0';
    send_text(fd, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n");
    send_text(fd, body);
    assert_int_equal(read_replies(fd, 1, out, sizeof(out)), 1);
    assert_non_null(strstr(out, " 413 "));
    assert_true(closed_by_server(fd));
    close(fd);
    /* And the largest that is allowed. */
    body[100000] = '\0';
    fd = connect_to(rig);
    send_text(fd, "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
    send_text(fd, body);
    assert_int_equal(read_replies(fd, 1, out, sizeof(out)), 1);
    assert_non_null(strstr(out, "|100000|"));
    close(fd);
    free(body);
    rig_free(rig);
}

static void headers_are_bounded(void **state)
{
    (void)state;
    rig_t *rig = rig_plain();
    char *request = malloc(70000);
    for (int kind = 0; kind < 3; kind++) {
        char out[4096];
        int n = sprintf(request, "GET /%s", kind == 0 ? "" : "x HTTP/1.1\r\nX-Long: ");
        memset(request + n, kind == 2 ? ':' : 'a', 60000);
        strcpy(request + n + 60000, kind == 0 ? " HTTP/1.1\r\n\r\n" : "\r\n\r\n");
        int fd = connect_to(rig);
        ssize_t ignored = send(fd, request, strlen(request), MSG_NOSIGNAL);
        (void)ignored;
        read_replies(fd, 1, out, sizeof(out));
        assert_null(strstr(out, "200 OK"));
        close(fd);
    }
    /* Hundreds of headers and of parameters. */
    int n = sprintf(request, "GET /x?");
    for (int i = 0; i < 500; i++) {
        n += sprintf(request + n, "a%d=%d&", i, i);
    }
    n += sprintf(request + n, " HTTP/1.1\r\n");
    for (int i = 0; i < 500; i++) {
        n += sprintf(request + n, "X-H%d: %d\r\n", i, i);
    }
    strcpy(request + n, "\r\n");
    int fd = connect_to(rig);
    send_text(fd, request);
    close(fd);
    free(request);
    expect_serving(rig);
    rig_free(rig);
}

static void a_long_reply_is_whole(void **state)
{
    (void)state;
    rig_t *rig = rig_plain();
    size_t cap = 9 * 1024 * 1024;
    char *out = malloc(cap);
    int fd = connect_to(rig);
    send_text(fd, GET("/big"));
    usleep(50000); /* let the socket buffers fill */
    assert_int_equal(read_replies(fd, 1, out, cap), 1);
    send_text(fd, GET("/ok"));
    assert_int_equal(read_replies(fd, 1, out, cap), 1);
    assert_non_null(strstr(out, "GET|/ok|"));
    close(fd);
    fd = connect_to(rig);
    send_text(fd, "HEAD /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    size_t len = 0;
    for (ssize_t n; (n = recv(fd, out + len, cap - len, 0)) > 0;) {
        len += (size_t)n;
    }
    out[len] = '\0';
    assert_non_null(strstr(out, "Content-Length: 8388608\r\n"));
    assert_string_equal(out + len - 4, "\r\n\r\n");
    close(fd);
    free(out);
    rig_free(rig);
}

static void old_clients_and_close(void **state)
{
    (void)state;
    rig_t *rig = rig_plain();
    char out[4096];
    static const char *const requests[] = {"GET /1 HTTP/1.0\r\n\r\n",
                                           "GET /1 HTTP/1.1\r\nConnection: close\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        int fd = connect_to(rig);
        send_text(fd, requests[i]);
        assert_int_equal(read_replies(fd, 1, out, sizeof(out)), 1);
        assert_non_null(strstr(out, "GET|/1|"));
        assert_non_null(strstr(out, "Connection: close\r\n"));
        assert_true(closed_by_server(fd));
        close(fd);
    }
    rig_free(rig);
}

static void garbage_ends_its_own_connection_only(void **state)
{
    (void)state;
    rig_t *rig = rig_plain();
    static const char *const texts[] = {
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        "BREW /pot HTTP/1.1\r\n\r\n",
        "\r\n\r\n\r\n",
        "GET / HTTP/1.1\r\nGET / HTTP/1.1\r\n\r\n",
        "GET http://x/ HTTP/1.1\r\n\r\n",
        "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\nraw",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int fd = connect_to(rig);
        send_text(fd, texts[i]);
        shutdown(fd, SHUT_WR);
        assert_true(closed_by_server(fd));
        close(fd);
        expect_serving(rig);
    }
    srand(7);
    for (int i = 0; i < 100; i++) {
        char junk[2000];
        for (size_t k = 0; k < sizeof(junk); k++) {
            junk[k] = (char)rand();
        }
        int fd = connect_to(rig);
        ssize_t ignored = send(fd, junk, (size_t)(rand() % 2000) + 1, MSG_NOSIGNAL);
        (void)ignored;
        close(fd);
    }
    expect_serving(rig);
    rig_free(rig);
}

static void slow_clients_are_dropped(void **state)
{
    (void)state;
    rig_t *rig = rig_new(&(http_settings_t){.listen = "127.0.0.1:0", .request_s = 1, .idle_s = 1});
    int silent = connect_to(rig);
    int head = connect_to(rig);
    int body = connect_to(rig);
    int idle = connect_to(rig);
    char out[4096];
    send_text(head, "GET / HTTP/1.1\r\nX: ");
    send_text(body, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
    send_text(idle, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(read_replies(idle, 1, out, sizeof(out)), 1);
    uint64_t start = clock_monotonic_ms();
    while (clock_monotonic_ms() - start < 1500) {
        ssize_t a = send(head, "x", 1, MSG_NOSIGNAL);
        ssize_t b = send(body, "x", 1, MSG_NOSIGNAL);
        (void)a;
        (void)b;
        usleep(50000);
    }
    assert_true(closed_by_server(silent));
    assert_true(closed_by_server(head));
    assert_true(closed_by_server(body));
    assert_true(closed_by_server(idle));
    assert_true(clock_monotonic_ms() - start < 2500);
    assert_int_equal(atomic_load(&rig->handled), 1);
    close(silent);
    close(head);
    close(body);
    close(idle);
    /* A handler may take longer than a client may. */
    int fd = connect_to(rig);
    send_text(fd, "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
    usleep(1300000);
    atomic_store(&rig->release, true);
    assert_int_equal(read_replies(fd, 1, out, sizeof(out)), 1);
    assert_int_equal(atomic_load(&rig->alive), 1);
    close(fd);
    rig_free(rig);
}

static void idle_connections_do_not_keep_others_out(void **state)
{
    (void)state;
    rig_t *rig = rig_plain();
    int fds[100];
    for (int i = 0; i < 100; i++) {
        fds[i] = connect_to(rig);
        if (i % 2) {
            send_text(fds[i], "GET /half");
        }
    }
    expect_serving(rig);
    for (int i = 0; i < 100; i++) {
        close(fds[i]);
    }
    rig_free(rig);
}

static void connections_are_counted(void **state)
{
    (void)state;
    rig_t *rig = rig_new(&(http_settings_t){.listen = "127.0.0.1:0", .connections_max = 4});
    int fds[6];
    for (int i = 0; i < 4; i++) {
        fds[i] = connect_to(rig);
    }
    usleep(50000);
    for (int i = 4; i < 6; i++) {
        fds[i] = connect_to(rig);
        assert_true(closed_by_server(fds[i]));
    }
    for (int i = 0; i < 6; i++) {
        close(fds[i]);
    }
    usleep(50000);
    expect_serving(rig);
    rig_free(rig);
}

static void the_queue_is_bounded(void **state)
{
    (void)state;
    rig_t *rig = rig_new(&(http_settings_t){.listen = "127.0.0.1:0", .queue_max = 2});
    char out[4096];
    int one = connect_to(rig);
    int two = connect_to(rig);
    send_text(one, "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
    send_text(two, "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
    while (atomic_load(&rig->handled) < 2) {
        usleep(1000);
    }
    expect_one(rig, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n", " 503 ");
    atomic_store(&rig->release, true);
    assert_int_equal(read_replies(one, 1, out, sizeof(out)), 1);
    assert_int_equal(read_replies(two, 1, out, sizeof(out)), 1);
    expect_serving(rig);
    close(one);
    close(two);
    rig_free(rig);
}

static void a_client_that_left_is_no_trouble(void **state)
{
    (void)state;
    rig_t *rig = rig_plain();
    for (int i = 0; i < 3; i++) {
        int fd = connect_to(rig);
        send_text(fd, "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
        while (atomic_load(&rig->handled) < i + 1) {
            usleep(1000);
        }
        struct linger hard = {1, 0}; /* leave with a reset */
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
        close(fd);
    }
    usleep(50000);
    atomic_store(&rig->release, true);
    while (atomic_load(&rig->alive) < 0) {
        usleep(1000);
    }
    assert_int_equal(atomic_load(&rig->alive), 0);
    expect_serving(rig);
    /* And closing the server with one still waiting frees it (the sanitizer watches). */
    int fd = connect_to(rig);
    send_text(fd, "GET /keep HTTP/1.1\r\nHost: x\r\n\r\n");
    while (atomic_load(&rig->handled) < 5) {
        usleep(1000);
    }
    rig_free(rig);
    close(fd);
}

/* ---- many clients at once: for the thread sanitizer ------------------------------------------ */

static void *hammer(void *arg)
{
    rig_t *rig = arg;
    char out[65536];
    for (int i = 0; i < 50; i++) {
        int fd = connect_to(rig);
        send_text(fd, GET("/1"));
        assert_int_equal(read_replies(fd, 1, out, sizeof(out)), 1);
        send_text(fd, POST("/2", "hello"));
        if (i % 3) {
            assert_int_equal(read_replies(fd, 1, out, sizeof(out)), 1);
        }
        close(fd);
    }
    return NULL;
}

static void many_clients_at_once(void **state)
{
    (void)state;
    rig_t *rig = rig_plain();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, hammer, rig);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    expect_serving(rig);
    rig_free(rig);
}

/* ---- TLS ------------------------------------------------------------------------------------- */

typedef struct {
    char dir[64];
    char cert[96];
    char key[96];
} tls_files_t;

static void make_certificate(tls_files_t *files)
{
    strcpy(files->dir, "/tmp/cradle-http-XXXXXX");
    assert_non_null(mkdtemp(files->dir));
    snprintf(files->cert, sizeof(files->cert), "%s/server.crt", files->dir);
    snprintf(files->key, sizeof(files->key), "%s/server.key", files->dir);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    FILE *out = fopen(files->cert, "w");
    PEM_write_X509(out, cert);
    fclose(out);
    out = fopen(files->key, "w");
    PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
    fclose(out);
    X509_free(cert);
    EVP_PKEY_free(key);
}

/* Asks for /ok over TLS with at most `version`; false when the handshake fails. */
static bool tls_get(rig_t *rig, int version, char *out, size_t cap)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, 0);
    SSL_CTX_set_max_proto_version(ctx, version);
    SSL *ssl = SSL_new(ctx);
    int fd = connect_to(rig);
    SSL_set_fd(ssl, fd);
    bool good = SSL_connect(ssl) == 1;
    size_t len = 0;
    if (good) {
        const char *request = "GET /ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        assert_true(SSL_write(ssl, request, (int)strlen(request)) > 0);
        for (int n; (n = SSL_read(ssl, out + len, (int)(cap - len - 1))) > 0;) {
            len += (size_t)n;
        }
    }
    out[len] = '\0';
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
    return good;
}

static void tls_is_1_2_and_1_3(void **state)
{
    (void)state;
    tls_files_t files;
    make_certificate(&files);
    rig_t *rig = rig_new(&(http_settings_t){
        .listen = "localhost:0", .cert_file = files.cert, .key_file = files.key});
    char out[4096];
    assert_false(tls_get(rig, TLS1_1_VERSION, out, sizeof(out)));
    assert_true(tls_get(rig, TLS1_2_VERSION, out, sizeof(out)));
    assert_non_null(strstr(out, "GET|/ok|"));
    assert_true(tls_get(rig, TLS1_3_VERSION, out, sizeof(out)));
    assert_non_null(strstr(out, "GET|/ok|"));
    /* Garbage and idle connections on a TLS port. */
    int fds[50];
    for (int i = 0; i < 50; i++) {
        fds[i] = connect_to(rig);
        if (i % 2) {
            send_text(fds[i], "GET / HTTP/1.1\r\n\r\n");
        } else if (i % 3) {
            send_text(fds[i], "\x16\x03\x01\x02");
        }
    }
    assert_true(tls_get(rig, TLS1_3_VERSION, out, sizeof(out)));
    for (int i = 0; i < 50; i++) {
        close(fds[i]);
    }
    rig_free(rig);
    file_remove_tree(files.dir, NULL);
}

static void expect_no_server(const http_settings_t *settings, err_kind_t kind, const char *says)
{
    http_server_t *server = NULL;
    err_t err = ERR_INIT;
    assert_false(http_server_open(&server, settings, handle, NULL, &err));
    assert_int_equal(err.kind, kind);
    if (!strstr(err.text, says)) {
        fail_msg("expected '%s' in: %s", says, err.text);
    }
}

static void what_cannot_be_opened_says_why(void **state)
{
    (void)state;
    tls_files_t files;
    tls_files_t other;
    make_certificate(&files);
    make_certificate(&other);
    rig_t *rig = rig_plain();
    const char *taken = http_server_address(rig->server);
    expect_no_server(&(http_settings_t){.listen = taken}, ERR_PRECONDITION, "taken");
    expect_no_server(&(http_settings_t){.listen = "127.0.0.1"}, ERR_USAGE, "no address");
    expect_no_server(&(http_settings_t){.listen = "127.0.0.1:99999"}, ERR_USAGE, "no address");
    expect_no_server(&(http_settings_t){.listen = "example.org:0"}, ERR_USAGE, "numeric");
    expect_no_server(&(http_settings_t){.listen = NULL}, ERR_USAGE, "no address");
    expect_no_server(&(http_settings_t){.listen = "0.0.0.0:0"}, ERR_USAGE, "loopback");
    expect_no_server(&(http_settings_t){.listen = "127.0.0.1:0", .cert_file = files.cert},
                     ERR_USAGE, "its key");
    expect_no_server(&(http_settings_t){.listen = "127.0.0.1:0",
                                        .cert_file = "/nonexistent",
                                        .key_file = files.key},
                     ERR_INPUT, "/nonexistent");
    expect_no_server(
        &(http_settings_t){.listen = "127.0.0.1:0", .cert_file = files.cert, .key_file = other.key},
        ERR_INPUT, "fits");
    rig_free(rig);
    file_remove_tree(files.dir, NULL);
    file_remove_tree(other.dir, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_arrive_decoded),
        cmocka_unit_test(dot_segments_are_resolved),
        cmocka_unit_test(bad_paths_are_refused),
        cmocka_unit_test(requests_that_do_not_wait_are_never_mixed_up),
        cmocka_unit_test(one_connection_serves_many_requests),
        cmocka_unit_test(bodies_arrive_in_pieces),
        cmocka_unit_test(framing_is_strict),
        cmocka_unit_test(a_body_too_large_is_413),
        cmocka_unit_test(headers_are_bounded),
        cmocka_unit_test(a_long_reply_is_whole),
        cmocka_unit_test(old_clients_and_close),
        cmocka_unit_test(garbage_ends_its_own_connection_only),
        cmocka_unit_test(slow_clients_are_dropped),
        cmocka_unit_test(idle_connections_do_not_keep_others_out),
        cmocka_unit_test(connections_are_counted),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(a_client_that_left_is_no_trouble),
        cmocka_unit_test(many_clients_at_once),
        cmocka_unit_test(tls_is_1_2_and_1_3),
        cmocka_unit_test(what_cannot_be_opened_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

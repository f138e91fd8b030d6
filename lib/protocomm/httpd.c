/* SPDX-License-Identifier: Apache-2.0 */
#include "protocomm/httpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "protocomm/http_request.h"
#include "protocomm/httpd_session.h"
#include "protocomm/session.h"

#define IN_MAX      (PROTOCOMM_HTTPD_HEAD_MAX + PROTOCOMM_MESSAGE_MAX)
#define OUT_MAX     (PROTOCOMM_MESSAGE_MAX + 256)
#define LINGER_MS   1000
#define ROUNDS_MAX  64 /* of epoll_wait in one call of handle: the caller has other work, too */
#define LISTEN_SLOT PROTOCOMM_HTTPD_SOCKETS

typedef enum {
    CONN_FREE,
    CONN_READING, /* waits for, or is in the middle of, a request                         */
    CONN_QUEUED,  /* has a complete request; the device still works on another one        */
    CONN_WAITING, /* its request is answered later                                        */
    CONN_WRITING,
    CONN_LINGER, /* the answer is out; what still comes in is thrown away, then closed    */
} conn_state_t;

typedef struct {
    conn_state_t state;
    int fd;
    uint64_t serial;   /* names the socket; unlike fd it is never used again */
    uint64_t used_ms;  /* when it last completed a request, or was accepted  */
    uint64_t deadline; /* UINT64_MAX: none                                   */
    bool new_session;  /* the answer carries Set-Cookie                      */
    bool close_after;
    bool eof; /* the client sends no more */
    http_request_t request;
    size_t in_len, out_len, out_at;
    uint8_t in[IN_MAX];
    uint8_t out[OUT_MAX];
} conn_t;

struct protocomm_httpd {
    protocomm_device_t *device;
    protocomm_random_t random;
    int epoll_fd, listen_fd;
    bool accepting;        /* the listening socket is watched                    */
    uint64_t accept_again; /* when it is again, after an error; UINT64_MAX: never mind */
    char address[32];
    uint64_t now;
    uint64_t last_serial;
    uint64_t owner;  /* serial of the socket that spoke last in the session */
    conn_t *waiting; /* whose request is answered later */
    httpd_session_t session;
    conn_t conns[PROTOCOMM_HTTPD_SOCKETS];
};

/* -- sockets --------------------------------------------------------------------------------- */

static void watch(protocomm_httpd_t *httpd, conn_t *conn, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.u32 = (uint32_t)(conn - httpd->conns)};

    (void)epoll_ctl(httpd->epoll_fd, EPOLL_CTL_MOD, conn->fd, &ev);
}

/* Watches the listening socket or leaves it alone while no newcomer can be taken. */
static void watch_listener(protocomm_httpd_t *httpd, bool on)
{
    struct epoll_event ev = {.events = on ? EPOLLIN : 0, .data.u32 = LISTEN_SLOT};

    if (httpd->accepting == on)
        return;
    httpd->accepting = on;
    httpd->accept_again = UINT64_MAX;
    (void)epoll_ctl(httpd->epoll_fd, EPOLL_CTL_MOD, httpd->listen_fd, &ev);
}

static void conn_close(protocomm_httpd_t *httpd, conn_t *conn)
{
    close(conn->fd); /* leaves the epoll set by itself */
    httpd_session_socket_closed(&httpd->session, conn->serial);
    bytes_wipe(conn->in, conn->in_len); /* Security 0 passphrases */
    conn->state = CONN_FREE;
    conn->in_len = 0;
    watch_listener(httpd, true);
    if (httpd->waiting == conn) {
        httpd->waiting = NULL;
        protocomm_device_cancel(httpd->device);
    }
}

/* The socket to give up for a newcomer: the least recently used that only listens or trickles in a
   request; the session's own last. NULL: all of them are being answered. */
static conn_t *find_victim(protocomm_httpd_t *httpd)
{
    conn_t *victim = NULL;

    for (conn_t *c = httpd->conns; c < httpd->conns + PROTOCOMM_HTTPD_SOCKETS; c++) {
        if (c->state != CONN_READING && c->state != CONN_LINGER)
            continue;
        if (c->serial == httpd->owner && httpd->session.open)
            continue;
        if (!victim || c->used_ms < victim->used_ms ||
            (c->used_ms == victim->used_ms && c->serial < victim->serial))
            victim = c;
    }
    return victim;
}

static conn_t *find_free(protocomm_httpd_t *httpd)
{
    for (conn_t *c = httpd->conns; c < httpd->conns + PROTOCOMM_HTTPD_SOCKETS; c++)
        if (c->state == CONN_FREE)
            return c;
    return NULL;
}

static void accept_one(protocomm_httpd_t *httpd)
{
    conn_t *conn = find_free(httpd);

    if (!conn) {
        conn = find_victim(httpd);
        if (!conn) {
            watch_listener(httpd, false); /* until one is closed */
            return;
        }
        conn_close(httpd, conn);
    }
    int fd = accept4(httpd->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            watch_listener(httpd, false); /* out of descriptors: do not spin */
            httpd->accept_again = httpd->now + LINGER_MS;
        }
        return;
    }
    const int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = (uint32_t)(conn - httpd->conns)};
    if (epoll_ctl(httpd->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0) {
        close(fd);
        return;
    }
    conn->state = CONN_READING;
    conn->fd = fd;
    conn->serial = ++httpd->last_serial;
    conn->used_ms = httpd->now;
    conn->deadline = UINT64_MAX;
    conn->eof = conn->close_after = false;
    conn->in_len = conn->out_len = conn->out_at = 0;
}

/* -- answers --------------------------------------------------------------------------------- */

static void start_writing(protocomm_httpd_t *httpd, conn_t *conn)
{
    conn->out_at = 0;
    conn->state = CONN_WRITING;
    conn->deadline = httpd->now + PROTOCOMM_HTTPD_TIMEOUT_MS;
    watch(httpd, conn, EPOLLOUT);
}

static void answer_ok(protocomm_httpd_t *httpd, conn_t *conn, const uint8_t *data, size_t len)
{
    char cookie[48] = "";

    if (conn->new_session)
        snprintf(cookie, sizeof cookie, "Set-Cookie: session=%u\r\n", (unsigned)httpd->session.id);
    int head = snprintf((char *)conn->out, OUT_MAX,
                        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                        "Content-Length: %zu\r\n%s\r\n",
                        len, cookie);
    if (len)
        memcpy(conn->out + head, data, len);
    conn->out_len = (size_t)head + len;
    start_writing(httpd, conn);
}

/* esp_http_server's own errors: an answer, then the socket is closed. */
static void answer_error(protocomm_httpd_t *httpd, conn_t *conn, int code)
{
    static const struct {
        int code;
        const char *status, *text;
    } errors[] = {
        {400, "400 Bad Request", "Bad request syntax"},
        {404, "404 Not Found", "Nothing matches the given URI"},
        {405, "405 Method Not Allowed", "Specified method is invalid for this resource"},
        {414, "414 URI Too Long", "URI is too long"},
        {431, "431 Request Header Fields Too Large", "Header fields are too long"},
        {505, "505 Version Not Supported", "HTTP version not supported by server"},
    };
    size_t i = 0;

    while (errors[i].code != code)
        i++;
    conn->out_len = (size_t)snprintf((char *)conn->out, OUT_MAX,
                                     "HTTP/1.1 %s\r\nContent-Type: text/html\r\n"
                                     "Content-Length: %zu\r\n\r\n%s",
                                     errors[i].status, strlen(errors[i].text), errors[i].text);
    conn->close_after = true;
    start_writing(httpd, conn);
}

/* -- requests -------------------------------------------------------------------------------- */

/* Applies the session rule. False: no random bytes for a new session. */
static bool join_session(protocomm_httpd_t *httpd, conn_t *conn)
{
    const http_request_t *request = &conn->request;
    uint8_t id[4];

    conn->new_session = !httpd_session_continues(
        &httpd->session, request->has_cookie ? request->cookie : NULL, conn->serial);
    httpd->owner = conn->serial;
    if (!conn->new_session)
        return true;
    if (!session_random(&httpd->random, id, sizeof id, NULL))
        return false;
    httpd_session_begin(&httpd->session, bytes_get_le32(id), conn->serial);
    protocomm_device_open(httpd->device, httpd->session.id);
    return true;
}

/* Drops the request that was just handled from the buffer. */
static void consume(conn_t *conn)
{
    size_t used = conn->request.head_len + conn->request.body_len;

    if (used > conn->in_len)
        used = conn->in_len;
    conn->in_len -= used;
    memmove(conn->in, conn->in + used, conn->in_len);
    bytes_wipe(conn->in + conn->in_len, used);
}

/* A complete request of a known endpoint, on a device that has time for it. */
static void serve(protocomm_httpd_t *httpd, conn_t *conn)
{
    uint8_t answer[PROTOCOMM_MESSAGE_MAX];
    size_t len = 0;
    protocomm_result_t result = PROTOCOMM_FAILED;

    conn->used_ms = httpd->now;
    conn->close_after = conn->request.close;
    if (join_session(httpd, conn) && conn->request.body_len >= 1 &&
        conn->request.body_len <= PROTOCOMM_MESSAGE_MAX)
        result = protocomm_device_request(
            httpd->device, httpd->session.id, conn->request.target + 1,
            conn->in + conn->request.head_len, conn->request.body_len, answer, sizeof answer, &len);
    consume(conn);
    if (result == PROTOCOMM_FAILED) {
        conn_close(httpd, conn); /* without a single byte */
    } else if (result == PROTOCOMM_ANSWER) {
        answer_ok(httpd, conn, answer, len);
    } else {
        conn->state = CONN_WAITING;
        conn->deadline = httpd->now + 2 * PROTOCOMM_HTTPD_TIMEOUT_MS;
        httpd->waiting = conn;
        watch(httpd, conn, 0); /* errors and hang-ups still show */
    }
}

static void on_later(void *ctx, const uint8_t *data, size_t len)
{
    protocomm_httpd_t *httpd = ctx;
    conn_t *conn = httpd->waiting;

    if (!conn)
        return;
    httpd->waiting = NULL;
    if (data)
        answer_ok(httpd, conn, data, len);
    else
        conn_close(httpd, conn);
}

/* 404 for a path that no endpoint has, 405 for one that is not asked with POST, 0 for the rest. */
static int route(const protocomm_httpd_t *httpd, const http_request_t *request)
{
    char name[HTTP_TARGET_MAX + 1];
    size_t len = strcspn(request->target + 1, "?#");

    memcpy(name, request->target + 1, len);
    name[len] = '\0';
    if (!protocomm_device_has(httpd->device, name))
        return 404;
    return request->post ? 0 : 405;
}

/* Looks whether the buffer holds something that can be answered. */
static void conn_advance(protocomm_httpd_t *httpd, conn_t *conn)
{
    http_result_t result = http_request_parse((const char *)conn->in, conn->in_len, &conn->request);

    if (result == HTTP_MORE && conn->in_len > PROTOCOMM_HTTPD_HEAD_MAX) {
        answer_error(httpd, conn, 431);
        return;
    }
    if (result == HTTP_MORE) {
        if (conn->eof)
            conn_close(httpd, conn);
        return;
    }
    int code = result == HTTP_COMPLETE ? route(httpd, &conn->request) : (int)result;
    if (result == HTTP_COMPLETE && conn->request.head_len > PROTOCOMM_HTTPD_HEAD_MAX)
        code = 431;
    if (code) {
        answer_error(httpd, conn, code);
        return;
    }
    bool whole = conn->request.body_len > PROTOCOMM_MESSAGE_MAX || /* fails without its body */
                 conn->in_len >= conn->request.head_len + conn->request.body_len;
    if (!whole) {
        if (conn->eof)
            conn_close(httpd, conn);
    } else if (httpd->waiting) {
        conn->state = CONN_QUEUED;
        conn->deadline = UINT64_MAX;
        watch(httpd, conn, 0);
    } else {
        serve(httpd, conn);
    }
}

/* -- events ---------------------------------------------------------------------------------- */

static void conn_read(protocomm_httpd_t *httpd, conn_t *conn)
{
    uint8_t waste[2048];
    bool linger = conn->state == CONN_LINGER;
    void *to = linger ? waste : conn->in + conn->in_len;
    size_t room = linger ? sizeof waste : IN_MAX - conn->in_len;
    ssize_t n = recv(conn->fd, to, room, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0 || (n == 0 && (linger || conn->in_len == 0))) {
        conn_close(httpd, conn);
        return;
    }
    if (linger)
        return;
    if (conn->in_len == 0)
        conn->deadline = httpd->now + PROTOCOMM_HTTPD_TIMEOUT_MS;
    conn->in_len += (size_t)n;
    conn->eof = n == 0;
    conn_advance(httpd, conn);
}

static void conn_written(protocomm_httpd_t *httpd, conn_t *conn)
{
    if (conn->close_after || (conn->eof && conn->in_len == 0)) {
        /* Not closed at once: unread input would make the kernel reset the connection, and the
           client might lose the answer. */
        (void)shutdown(conn->fd, SHUT_WR);
        conn->state = CONN_LINGER;
        conn->deadline = httpd->now + LINGER_MS;
        watch(httpd, conn, EPOLLIN);
        return;
    }
    conn->state = CONN_READING;
    conn->deadline = conn->in_len ? httpd->now + PROTOCOMM_HTTPD_TIMEOUT_MS : UINT64_MAX;
    watch(httpd, conn, EPOLLIN);
    if (conn->in_len)
        conn_advance(httpd, conn); /* the client did not wait for its answer */
}

static void conn_write(protocomm_httpd_t *httpd, conn_t *conn)
{
    ssize_t n =
        send(conn->fd, conn->out + conn->out_at, conn->out_len - conn->out_at, MSG_NOSIGNAL);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        conn_close(httpd, conn);
        return;
    }
    conn->out_at += (size_t)n;
    if (conn->out_at == conn->out_len)
        conn_written(httpd, conn);
}

static void on_event(protocomm_httpd_t *httpd, const struct epoll_event *ev)
{
    if (ev->data.u32 == LISTEN_SLOT) {
        accept_one(httpd);
        return;
    }
    conn_t *conn = &httpd->conns[ev->data.u32];
    if (conn->state == CONN_READING || conn->state == CONN_LINGER)
        conn_read(httpd, conn);
    else if (conn->state == CONN_WRITING)
        conn_write(httpd, conn);
    else if (conn->state != CONN_FREE && (ev->events & (EPOLLERR | EPOLLHUP)))
        conn_close(httpd, conn);
}

static void expire(protocomm_httpd_t *httpd)
{
    for (conn_t *c = httpd->conns; c < httpd->conns + PROTOCOMM_HTTPD_SOCKETS; c++)
        if (c->state != CONN_FREE && c->deadline <= httpd->now)
            conn_close(httpd, c);
    if (httpd->accept_again <= httpd->now)
        watch_listener(httpd, true);
}

static void serve_queued(protocomm_httpd_t *httpd)
{
    for (conn_t *c = httpd->conns; c < httpd->conns + PROTOCOMM_HTTPD_SOCKETS; c++)
        if (c->state == CONN_QUEUED && !httpd->waiting)
            serve(httpd, c);
}

void protocomm_httpd_handle(protocomm_httpd_t *httpd, uint64_t now_ms)
{
    struct epoll_event events[PROTOCOMM_HTTPD_SOCKETS + 1];

    httpd->now = now_ms;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        /* One event at a time: handling one may close the socket that another is about. */
        int n = epoll_wait(httpd->epoll_fd, events, 1, 0);
        if (n <= 0)
            break;
        on_event(httpd, &events[0]);
        serve_queued(httpd);
    }
    expire(httpd); /* last: what could be done in time was done */
    serve_queued(httpd);
}

uint64_t protocomm_httpd_deadline(const protocomm_httpd_t *httpd)
{
    uint64_t deadline = httpd->accept_again;

    for (size_t i = 0; i < PROTOCOMM_HTTPD_SOCKETS; i++)
        if (httpd->conns[i].state != CONN_FREE && httpd->conns[i].deadline < deadline)
            deadline = httpd->conns[i].deadline;
    return deadline;
}

/* -- life ------------------------------------------------------------------------------------ */

static bool start_listening(protocomm_httpd_t *httpd, const char *ip, uint16_t port, err_t *err)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t len = sizeof sa;
    const int on = 1;

    if (inet_pton(AF_INET, ip, &sa.sin_addr) != 1)
        return err_set(err, ERR_USAGE, "'%s' is no IPv4 address to listen on", ip);
    httpd->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (httpd->listen_fd < 0)
        return err_errno(err, "opening a socket for provisioning");
    (void)setsockopt(httpd->listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(httpd->listen_fd, (const struct sockaddr *)&sa, sizeof sa) != 0 ||
        listen(httpd->listen_fd, 16) != 0 ||
        getsockname(httpd->listen_fd, (struct sockaddr *)&sa, &len) != 0)
        return err_errno(err, "listening for provisioning on %s:%u", ip, (unsigned)port);
    snprintf(httpd->address, sizeof httpd->address, "%s:%u", ip, (unsigned)ntohs(sa.sin_port));
    httpd->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = LISTEN_SLOT};
    if (httpd->epoll_fd < 0 ||
        epoll_ctl(httpd->epoll_fd, EPOLL_CTL_ADD, httpd->listen_fd, &ev) != 0)
        return err_errno(err, "watching the provisioning socket");
    httpd->accepting = true;
    httpd->accept_again = UINT64_MAX;
    return true;
}

protocomm_httpd_t *protocomm_httpd_new(protocomm_device_t *device, const char *ip, uint16_t port,
                                       const protocomm_random_t *random, err_t *err)
{
    protocomm_httpd_t *httpd = calloc(1, sizeof *httpd);

    if (!httpd) {
        err_set(err, ERR_SYSTEM, "out of memory for the provisioning service");
        return NULL;
    }
    httpd->device = device;
    httpd->listen_fd = httpd->epoll_fd = -1;
    if (random)
        httpd->random = *random;
    if (!start_listening(httpd, ip, port, err)) {
        protocomm_httpd_free(httpd);
        return NULL;
    }
    protocomm_device_on_later(device, on_later, httpd);
    return httpd;
}

void protocomm_httpd_free(protocomm_httpd_t *httpd)
{
    if (!httpd)
        return;
    for (conn_t *c = httpd->conns; c < httpd->conns + PROTOCOMM_HTTPD_SOCKETS; c++)
        if (c->state != CONN_FREE)
            conn_close(httpd, c);
    if (httpd->session.open)
        protocomm_device_close(httpd->device, httpd->session.id);
    protocomm_device_on_later(httpd->device, NULL, NULL);
    if (httpd->epoll_fd >= 0)
        close(httpd->epoll_fd);
    if (httpd->listen_fd >= 0)
        close(httpd->listen_fd);
    bytes_wipe(httpd, sizeof *httpd);
    free(httpd);
}

const char *protocomm_httpd_address(const protocomm_httpd_t *httpd)
{
    return httpd->address;
}

int protocomm_httpd_fd(const protocomm_httpd_t *httpd)
{
    return httpd->epoll_fd;
}

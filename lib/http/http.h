/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http: an HTTPS server behind a small interface. libwebsockets does the wire in a thread of its
 * own; the user of this header lives on one other thread and sees only complete requests.
 *
 *     http_server_open(&server, &settings, handler, ctx, &err);
 *     epoll: add http_server_fd(server) for reading
 *     readable: http_server_dispatch(server);      -> handler(ctx, request) on this thread
 *     in the handler or any time later: http_reply(request, 200, "application/json", ...);
 *
 * Every function is called from that one thread. None blocks, except open (it binds, starts the
 * thread and waits until it listens) and close (it waits for the thread: milliseconds).
 *
 * Bounds, each with its answer: request line and headers together HTTP_HEADER_MAX (connection
 * closed, or 431), body settings.body_max (413), connections settings.connections_max (refused),
 * requests accepted and not yet replied settings.queue_max (503), time for a TLS handshake and a
 * complete request settings.request_s, time to take a reply the same, idle time between requests
 * settings.idle_s (connection closed). Bytes that are no HTTP end their own connection only.
 *
 * HTTP/1.1 and 1.0, keep-alive, TLS 1.2 and 1.3. A client that sends more before it has its reply
 * (pipelining) may find the connection closed after the reply, and has to send again. HTTP/2 is not
 * offered, and a request body needs a Content-Length (chunked ones are answered 411).
 *
 * Not checked here: authorisation, content types, what the path means. Not done here: compression,
 * files, virtual hosts.
 */
#ifndef CRADLE_HTTP_HTTP_H
#define CRADLE_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HTTP_HEADER_MAX 16384 /* request line and all headers of one request, bytes            */
#define HTTP_BODY_MAX   (16u * 1024 * 1024) /* default of settings.body_max: ThingsBoard's limit */

typedef struct http_server http_server_t;

typedef enum {
    HTTP_GET,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_PATCH,
    HTTP_HEAD,
    HTTP_OPTIONS,
} http_method_t;

/* "GET", "POST", ... */
const char *http_method_name(http_method_t method);

typedef struct {
    const char *listen;       /* "127.0.0.1:8080", "[::1]:0", "0.0.0.0:443"; port 0 = any free   */
    const char *cert_file;    /* PEM, leaf first; NULL = plain HTTP, on loopback addresses only  */
    const char *key_file;     /* PEM                                                             */
    size_t body_max;          /* bytes; 0 = HTTP_BODY_MAX                                        */
    unsigned connections_max; /* 0 = 512                                                         */
    unsigned queue_max;       /* 0 = 1024                                                        */
    unsigned request_s;       /* seconds; 0 = 20                                                 */
    unsigned idle_s;          /* seconds; 0 = 60                                                 */
} http_settings_t;

/*
 * One complete request. The struct and everything it points to belong to the server and stay until
 * http_reply (or http_server_close). All texts are NUL terminated and never NULL.
 */
typedef struct {
    http_method_t method;
    const char *path;          /* percent-decoded; begins with '/'; "." and ".." resolved; holds
                                  no NUL and no control character; is UTF-8                      */
    const char *query;         /* what followed '?', re-encoded: read it with http_query_*       */
    const char *authorization; /* X-Authorization, else Authorization, else ""                   */
    const char *device_id;     /* X-Device-Id: the originator, from a rule chain; "" when absent */
    const char *content_type;  /* "" when absent                                                 */
    const char *host;          /* the Host header, "" when absent                                */
    const char *peer;          /* the client's address, "127.0.0.1"                              */
    const char *body;          /* a NUL follows, not counted                                     */
    size_t body_len;
    void *user; /* for the handler's own use while the request waits; NULL at first      */
} http_request_t;

/* Runs on the thread that calls http_server_dispatch. Must see to it that the request is replied
   to exactly once, at once or later. */
typedef void (*http_handler_t)(void *ctx, http_request_t *request);

/* Opens and starts. `settings` and its texts are copied. ERR_USAGE: a bad address, plain HTTP off
   loopback; ERR_PRECONDITION: the port is taken; ERR_INPUT: certificate or key cannot be used. */
bool http_server_open(http_server_t **server, const http_settings_t *settings,
                      http_handler_t handler, void *ctx, err_t *err);

/* "127.0.0.1:40321": where it listens, with the true port. Valid until close. */
const char *http_server_address(const http_server_t *server);

/* Becomes readable when requests wait. Level triggered; only poll it, never read it. */
int http_server_fd(const http_server_t *server);

/* Runs the handler for the waiting requests, at most `max` of them (0 = all that wait now).
   Returns how many it ran. */
unsigned http_server_dispatch(http_server_t *server, unsigned max);

/* Stops, closes all connections, frees everything: requests not yet replied become invalid. */
void http_server_close(http_server_t *server);

/*
 * Answers a request and ends its life: the pointer is invalid afterwards. `body` is copied, and may
 * be NULL when len is 0. `content_type` NULL or "" sends none. `headers` NULL, or more header lines
 * "Name: value\r\n..." written by the program (never foreign bytes: line ends are not checked).
 * When the client is gone the reply is dropped. A HEAD request gets the headers only.
 */
void http_reply(http_request_t *request, int status, const char *content_type, const void *body,
                size_t len, const char *headers);

/* True while the client is still there. A handler that keeps a request waiting may ask, to give up
   early; it must reply all the same. */
bool http_request_alive(const http_request_t *request);

#endif

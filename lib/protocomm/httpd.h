/* SPDX-License-Identifier: Apache-2.0 */
/*
 * httpd: the HTTP transport of the SoftAP scheme, the device's side, as protocomm_httpd.c over
 * esp_http_server does it (ESP-IDF v5.5.5 / v6.0.2).
 *
 *   POST /<endpoint>, body 1..4096 bytes   200, Content-Type: text/html, Content-Length, raw bytes
 *   body empty or longer, handler failure   the socket is closed without a single byte
 *   unknown path / wrong method             404 / 405
 *
 * Session rule, checked in this order on every request that reaches an endpoint:
 *   Cookie is exactly "session=<current id>"   continues; from now on only the cookie counts
 *   another Cookie (up to 19 bytes)            old session closed, new one, Set-Cookie
 *   no Cookie (or one longer), same socket     continues
 *   no Cookie, other socket or no session      old session closed, new one, Set-Cookie
 *
 * Sockets are non-blocking and owned by the server. It is driven through one descriptor:
 *
 *     poll(protocomm_httpd_fd(httpd), POLLIN, until protocomm_httpd_deadline(httpd))
 *     protocomm_httpd_handle(httpd, now_ms)
 *
 * Hostile clients are bounded: at most PROTOCOMM_HTTPD_SOCKETS sockets, the least recently used of
 * the idle ones is closed for a newcomer (never the session's own, never one with a request under
 * way); a request's head has at most PROTOCOMM_HTTPD_HEAD_MAX bytes; a request must be complete,
 * and its answer taken, within PROTOCOMM_HTTPD_TIMEOUT_MS of its first byte. Chunked bodies are
 * refused.
 */
#ifndef CRADLE_PROTOCOMM_HTTPD_H
#define CRADLE_PROTOCOMM_HTTPD_H

#include "protocomm/device.h"

#define PROTOCOMM_HTTPD_SOCKETS    8
#define PROTOCOMM_HTTPD_HEAD_MAX   2048
#define PROTOCOMM_HTTPD_TIMEOUT_MS 10000

typedef struct protocomm_httpd protocomm_httpd_t;

/* Listens on a numeric IPv4 address and port; port 0 takes a free one. `device` must outlive the
   server and is driven by it alone; `random` draws session ids (may be zeroed). */
protocomm_httpd_t *protocomm_httpd_new(protocomm_device_t *device, const char *ip, uint16_t port,
                                       const protocomm_random_t *random, err_t *err);
/* Closes everything at once. */
void protocomm_httpd_free(protocomm_httpd_t *httpd);

/* "127.0.0.1:43210", valid as long as the server is. */
const char *protocomm_httpd_address(const protocomm_httpd_t *httpd);

/* The one descriptor to wait on for reading (an epoll instance; not to be closed). */
int protocomm_httpd_fd(const protocomm_httpd_t *httpd);

/* Does all that can be done without waiting. now_ms: a monotonic clock. */
void protocomm_httpd_handle(protocomm_httpd_t *httpd, uint64_t now_ms);

/* When to call handle at the latest, on the same clock; UINT64_MAX when nothing is under way. */
uint64_t protocomm_httpd_deadline(const protocomm_httpd_t *httpd);

#endif

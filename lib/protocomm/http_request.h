/* SPDX-License-Identifier: Apache-2.0 */
/* http_request: private to lib/protocomm. The head of one HTTP/1.1 request, parsed in place. */
#ifndef CRADLE_PROTOCOMM_HTTP_REQUEST_H
#define CRADLE_PROTOCOMM_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_TARGET_MAX 128
#define HTTP_COOKIE_MAX 19 /* protocomm_httpd's buffer: a longer value counts as no Cookie */

typedef enum {
    HTTP_COMPLETE = 0, /* the head is there and understood           */
    HTTP_MORE,         /* it is not all there yet                    */
    HTTP_BAD = 400,
    HTTP_TARGET_TOO_LONG = 414,
    HTTP_VERSION = 505,
} http_result_t;

typedef struct {
    bool post;
    char target[HTTP_TARGET_MAX + 1]; /* as sent: "/prov-config", a query included */
    bool has_cookie;
    char cookie[HTTP_COOKIE_MAX + 1];
    bool close;      /* "Connection: close", or HTTP/1.0                          */
    size_t body_len; /* Content-Length; 0 when absent or the body is chunked      */
    size_t head_len; /* where the body begins                                     */
} http_request_t;

/* Looks at everything received so far; nothing is kept between calls. A head that is longer than
   the caller's buffer never becomes complete: the caller refuses it. Strict: CRLF or LF line ends,
   no folded lines, no control characters, no second Content-Length. */
http_result_t http_request_parse(const char *data, size_t len, http_request_t *request);

#endif

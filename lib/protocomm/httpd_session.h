/* SPDX-License-Identifier: Apache-2.0 */
/* httpd_session: private to lib/protocomm. protocomm_httpd's rule which request belongs to which
   session, as a pure function over two numbers (the table in httpd.h). */
#ifndef CRADLE_PROTOCOMM_HTTPD_SESSION_H
#define CRADLE_PROTOCOMM_HTTPD_SESSION_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    bool open;
    uint32_t id;
    uint64_t socket; /* the socket rule's socket; 0: only the cookie counts */
} httpd_session_t;

/* True when the request continues the session; may switch the socket rule off. `cookie` NULL: the
   request has none. */
bool httpd_session_continues(httpd_session_t *session, const char *cookie, uint64_t socket);

/* A new session begins on this socket. */
void httpd_session_begin(httpd_session_t *session, uint32_t id, uint64_t socket);

/* A socket is gone: the session lives on for a client that sends the cookie. */
void httpd_session_socket_closed(httpd_session_t *session, uint64_t socket);

#endif

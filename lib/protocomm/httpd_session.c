/* SPDX-License-Identifier: Apache-2.0 */
#include "protocomm/httpd_session.h"

#include <stdio.h>
#include <string.h>

bool httpd_session_continues(httpd_session_t *session, const char *cookie, uint64_t socket)
{
    char expected[24];

    if (!session->open)
        return false;
    if (!cookie)
        return session->socket != 0 && session->socket == socket;
    snprintf(expected, sizeof expected, "session=%u", (unsigned)session->id);
    if (strcmp(cookie, expected) != 0)
        return false;
    session->socket = 0;
    return true;
}

void httpd_session_begin(httpd_session_t *session, uint32_t id, uint64_t socket)
{
    *session = (httpd_session_t){.open = true, .id = id, .socket = socket};
}

void httpd_session_socket_closed(httpd_session_t *session, uint64_t socket)
{
    if (session->socket == socket)
        session->socket = 0;
}

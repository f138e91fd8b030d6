/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "asker.h"

static int dial(http_server_t *server)
{
    const char *address = http_server_address(server);
    struct sockaddr_in to = {.sin_family = AF_INET};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* Until the server closes the connection. */
static void hear(http_server_t *server, int fd, char *out, size_t cap)
{
    size_t len = 0;
    for (;;) {
        struct pollfd fds[2] = {{.fd = http_server_fd(server), .events = POLLIN},
                                {.fd = fd, .events = POLLIN}};
        assert_true(poll(fds, 2, 10000) > 0);
        if (fds[0].revents != 0) {
            http_server_dispatch(server, 0);
        }
        if (fds[1].revents != 0) {
            assert_true(len + 1 < cap);
            ssize_t n = read(fd, out + len, cap - len - 1);
            if (n <= 0) {
                break;
            }
            len += (size_t)n;
        }
    }
    out[len] = '\0';
}

void asker_ask(http_server_t *server, const asker_request_t *request, asker_answer_t *answer)
{
    static char said[64 * 1024];
    static char heard[ASKER_BODY_MAX + 4096];
    const char *bearer = request->bearer;
    const char *body = request->body != NULL ? request->body : "";
    int n = snprintf(said, sizeof said,
                     "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s%s%s%s"
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                     request->method, request->path, bearer != NULL ? request->field : "",
                     bearer != NULL ? ": Bearer " : "", bearer != NULL ? bearer : "",
                     bearer != NULL ? "\r\n" : "", strlen(body), body);
    assert_true(n > 0 && (size_t)n < sizeof said);
    int fd = dial(server);
    assert_int_equal(write(fd, said, (size_t)n), n);
    hear(server, fd, heard, sizeof heard);
    close(fd);
    assert_int_equal(sscanf(heard, "HTTP/1.1 %d", &answer->status), 1);
    const char *end = strstr(heard, "\r\n\r\n");
    assert_non_null(end);
    assert_true(strlen(end + 4) < sizeof answer->body);
    snprintf(answer->head, sizeof answer->head, "%.*s", (int)(end - heard), heard);
    snprintf(answer->body, sizeof answer->body, "%s", end + 4);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* address: texts to sockets. */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool parse_port(const char *text, uint16_t *port)
{
    if (*text == '\0' || strlen(text) > 5 || strspn(text, "0123456789") != strlen(text)) {
        return false;
    }
    unsigned long value = strtoul(text, NULL, 10);
    *port = (uint16_t)value;
    return value <= 65535;
}

bool net_split(const char *text, char host[NET_HOST_SIZE], uint16_t *port, err_t *err)
{
    const char *colon = strrchr(text, ':');
    const char *start = text;
    const char *end = colon;
    if (colon == NULL) {
        return err_set(err, ERR_USAGE, "\"%.80s\" has no port: write HOST:PORT", text);
    }
    if (*text == '[') {
        start++;
        end = colon > text && colon[-1] == ']' ? colon - 1 : NULL;
        if (end == NULL) {
            return err_set(err, ERR_USAGE, "\"%.80s\": write an IPv6 address as [ADDRESS]:PORT",
                           text);
        }
    } else if (memchr(text, ':', (size_t)(colon - text)) != NULL) {
        return err_set(err, ERR_USAGE, "\"%.80s\": write an IPv6 address as [ADDRESS]:PORT", text);
    }
    size_t len = (size_t)(end - start);
    if (len == 0 || len >= NET_HOST_SIZE) {
        return err_set(err, ERR_USAGE, "\"%.80s\" has no usable host: write HOST:PORT", text);
    }
    memcpy(host, start, len);
    host[len] = '\0';
    if (!parse_port(colon + 1, port)) {
        return err_set(err, ERR_USAGE, "\"%.80s\": the port is a number from 0 to 65535", text);
    }
    return true;
}

static void format_address(const struct sockaddr *address, socklen_t len,
                           char out[NET_ADDRESS_SIZE])
{
    char host[INET6_ADDRSTRLEN + 8] = "?";
    char port[8] = "?";
    if (getnameinfo(address, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        snprintf(out, NET_ADDRESS_SIZE, "?");
        return;
    }
    snprintf(out, NET_ADDRESS_SIZE, address->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
             port);
}

void net_peer(int fd, char out[NET_ADDRESS_SIZE])
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getpeername(fd, (struct sockaddr *)&address, &len) != 0) {
        snprintf(out, NET_ADDRESS_SIZE, "?");
        return;
    }
    format_address((struct sockaddr *)&address, len, out);
}

/* The first address of a name. `flags` as for getaddrinfo. */
static bool look_up(const char *host_port, int flags, struct addrinfo **found, err_t *err)
{
    char host[NET_HOST_SIZE];
    char service[8];
    uint16_t port;
    if (!net_split(host_port, host, &port, err)) {
        return false;
    }
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    /* Without the resolver when it is an address already, so that nothing blocks. */
    hints.ai_flags |= AI_NUMERICHOST;
    if (getaddrinfo(host, service, &hints, found) == 0) {
        return true;
    }
    hints.ai_flags &= ~AI_NUMERICHOST;
    int code = getaddrinfo(host, service, &hints, found);
    if (code != 0) {
        return err_set(err, code == EAI_NONAME ? ERR_USAGE : ERR_PEER,
                       "cannot find the address of \"%s\": %s", host, gai_strerror(code));
    }
    return true;
}

static int open_socket(const struct addrinfo *address)
{
    return socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static bool start_listening(int fd, const struct addrinfo *address, const char *host_port,
                            err_t *err)
{
    int one = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* inherited by accept */
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0) {
        if (errno == EADDRINUSE) {
            return err_set(err, ERR_PRECONDITION,
                           "%s is taken by another process: stop it, or listen on another port "
                           "(port 0 takes a free one)",
                           host_port);
        }
        return err_errno(err, "cannot listen on %s", host_port);
    }
    if (listen(fd, 1024) != 0) {
        return err_errno(err, "cannot listen on %s", host_port);
    }
    return true;
}

bool net_listen(const char *host_port, int *fd, char bound[NET_ADDRESS_SIZE], err_t *err)
{
    struct addrinfo *address;
    if (!look_up(host_port, AI_PASSIVE, &address, err)) {
        return false;
    }
    int listener = open_socket(address);
    bool good = listener >= 0 ? start_listening(listener, address, host_port, err)
                              : err_errno(err, "cannot make a socket for %s", host_port);
    freeaddrinfo(address);
    if (!good) {
        if (listener >= 0) {
            close(listener);
        }
        return false;
    }
    struct sockaddr_storage own;
    socklen_t len = sizeof own;
    if (getsockname(listener, (struct sockaddr *)&own, &len) != 0) {
        err_errno(err, "cannot tell the address of %s", host_port);
        close(listener);
        return false;
    }
    format_address((struct sockaddr *)&own, len, bound);
    *fd = listener;
    return true;
}

bool net_connect(const char *host_port, int *fd, err_t *err)
{
    struct addrinfo *address;
    if (!look_up(host_port, 0, &address, err)) {
        return false;
    }
    int one = 1;
    int socket_fd = open_socket(address);
    bool good = socket_fd >= 0;
    if (!good) {
        err_errno(err, "cannot make a socket for %s", host_port);
    } else {
        (void)setsockopt(socket_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        good =
            connect(socket_fd, address->ai_addr, address->ai_addrlen) == 0 || errno == EINPROGRESS;
        if (!good) {
            err_set(err, ERR_PEER, "cannot connect to %s: %s", host_port, strerror(errno));
            close(socket_fd);
        }
    }
    freeaddrinfo(address);
    *fd = good ? socket_fd : -1;
    return good;
}

bool net_connect_result(int fd, const char *host_port, err_t *err)
{
    int code = 0;
    socklen_t len = sizeof code;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) != 0) {
        code = errno;
    }
    if (code != 0) {
        return err_set(err, ERR_PEER, "cannot connect to %s: %s", host_port, strerror(code));
    }
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address: "HOST:PORT" texts to sockets. IPv4, IPv6 in brackets ("[::1]:8883"), and names. All
 * sockets are non-blocking, close-on-exec and, for TCP, without delay.
 */
#ifndef CRADLE_NET_ADDRESS_H
#define CRADLE_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

#define NET_HOST_SIZE    254 /* longest name and a NUL */
#define NET_ADDRESS_SIZE 64  /* "[<IPv6>]:65535" and a NUL */

/* Takes "host:port" or "[v6]:port" apart. ERR_USAGE tells what is wrong with it. */
bool net_split(const char *text, char host[NET_HOST_SIZE], uint16_t *port, err_t *err);

/* Listens on a literal address or "localhost"; port 0 takes a free one. `bound` becomes the address
   with its true port. ERR_PRECONDITION: taken by another process. */
bool net_listen(const char *host_port, int *fd, char bound[NET_ADDRESS_SIZE], err_t *err);

/* Begins to connect to the first address that the name has; the socket becomes writable when it is
   done, and net_connect_result tells how it went. A literal address never blocks; a name asks the
   system's resolver, which may block for seconds. */
bool net_connect(const char *host_port, int *fd, err_t *err);
bool net_connect_result(int fd, const char *host_port, err_t *err);

/* "192.0.2.7:51234" of the other end; "?" when unknown. */
void net_peer(int fd, char out[NET_ADDRESS_SIZE]);

#endif

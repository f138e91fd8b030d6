/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection: one device's connection, from accept to close. Private to the hub (hub.h), whose
 * struct stands here because both files work on it.
 */
#ifndef CRADLE_CLOUD_CONNECTION_H
#define CRADLE_CLOUD_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "cloud/frontdoor.h"
#include "cloud/hub.h"
#include "mqtt/mqtt_server.h"
#include "net/address.h"
#include "net/tls.h"
#include "tbdevice/tb_device.h"

#define HUB_BUCKETS 4096
/* One buffer for what is written in one go; what the kernel does not take waits in lib/net. */
#define HUB_OUT_MAX (96 * 1024)

typedef struct connection connection_t;

struct hub {
    hub_settings_t settings;
    rpc_t *rpc; /* NULL: nobody calls */
    tls_context_t *tls;
    int listener;
    loop_fd_t watch;
    loop_timer_t second;
    loop_timer_t retry;  /* accepting again after a shortage of descriptors */
    loop_timer_t resume; /* reading on where a connection had too much unacknowledged */
    char address[NET_ADDRESS_SIZE];
    connection_t *all;                  /* every connection */
    connection_t *unsaved;              /* those with messages in the open batch */
    connection_t *graves;               /* closed, to be freed at the end of the turn */
    connection_t *buckets[HUB_BUCKETS]; /* admitted ones, by device row */
    size_t count;
    unsigned seconds;
    char *scratch; /* for lib/tbdevice */
    size_t scratch_cap;
    char *answer; /* for attribute answers */
    uint8_t out[HUB_OUT_MAX];
};

struct connection {
    hub_t *hub;
    connection_t *prev, *next;
    connection_t *next_unsaved;
    connection_t *next_in_bucket;
    tls_t *tls;
    mqtt_server_t mqtt;
    tb_session_t session;
    frontdoor_guest_t *guest; /* until CONNECT is answered */
    char peer[NET_ADDRESS_SIZE];
    store_id_t device;
    int64_t row;
    char *name; /* of the device, once admitted */
    uint64_t opened_ms;
    uint64_t heard_ms;    /* last packet                                     */
    uint64_t reported_ms; /* lastActivityTime was written                    */
    uint8_t *in;          /* a packet that is not complete yet               */
    size_t in_len, in_cap;
    uint16_t *saved; /* ids of messages in the open batch               */
    uint16_t saved_count;
    bool admitted;
    bool is_unsaved;
    bool stopped; /* reading, until its messages are acknowledged */
    bool closed;
};

/* Begins with an accepted socket, which it takes over. */
void connection_open(hub_t *hub, int fd);

/* Ends it; the struct lives until the end of the turn. `why` is for the log; NULL: not worth one.
 */
void connection_close(connection_t *c, const char *why);

/* The batch with its messages is safe (or is not). */
void connection_committed(connection_t *c, bool committed);

/* Sends a message down. False: not now, or the connection ended over it. *packet (may be NULL): its
   id at QoS 1, else 0. */
bool connection_publish(connection_t *c, tb_down_t down, tb_family_t family, uint32_t id,
                        const char *payload, size_t len, uint16_t *packet);

/* Reads on, if it had stopped. */
void connection_resume(connection_t *c);

/* Looks after keep-alive, inactivity and the time for CONNECT. */
void connection_second(connection_t *c, uint64_t now_ms);

/* Has connections that stopped read on, outside of whatever is going on now. */
void hub_resume(hub_t *hub);
/* The admitted connection of a device, or NULL. */
connection_t *hub_find(hub_t *hub, int64_t row);
/* Puts an admitted connection in its place; the one before is closed. */
void hub_admit(hub_t *hub, connection_t *c);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link: one connection of a device to its cloud: mutual TLS, and MQTT 3.1.1 over it. It makes
 * attempts when told and reports how they go; it decides nothing about when to try again.
 *
 * The server's certificate must lead to the anchors and carry the *configured* name, wherever the
 * network's resolver sends us. Connect and handshake have lib/net's time limits, CONNACK
 * lib/mqtt's. Non-blocking, except that a name which is not in the simulated air asks the system's
 * resolver.
 */
#ifndef CRADLE_DEVICE_LINK_H
#define CRADLE_DEVICE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/device.h"
#include "device/boot.h"
#include "net/loop.h"

typedef struct link link_t;

typedef struct {
    void *ctx;
    /* `event` is CLOUD_UP, CLOUD_DOWN, SUBSCRIBED, ACKED, MESSAGE, or TICK when there is room for
       publishes again. `text` (may be "") is for the log. The connection may be ended from inside,
       and after CLOUD_DOWN the next one begun. */
    void (*event)(void *ctx, const cradle_event_t *event, const char *text);
} link_handler_t;

/* `boot` must outlive the link. */
bool link_open(link_t **link, loop_t *loop, const boot_t *boot, const link_handler_t *handler,
               err_t *err);
void link_free(link_t *link);

typedef struct {
    const char *name;         /* configured "host:port" */
    const char *address;      /* where it leads         */
    const pki_chain_t *chain; /* own, leaf first        */
    EVP_PKEY *key;
    const pki_chain_t *anchors;
    int64_t unix_ms; /* time for date checks; ...                     */
    bool clock_set;  /* ... false forgives "not yet valid"            */
} link_target_t;

/* Begins an attempt. Nothing of the target is needed after the call. Failure to begin is reported
   as CLOUD_DOWN, later. */
void link_connect(link_t *link, const link_target_t *target);

/* Ends the connection or the attempt, with an MQTT DISCONNECT when it is up. No event follows. */
void link_disconnect(link_t *link);

/* The network is gone: ends whatever there is, saying nothing to anybody, the caller included. */
void link_lost(link_t *link);

/* False: much is still unsent, so wait with further publishes until TICK. */
bool link_ready(const link_t *link);

/* False: not connected, or it does not fit, which after link_ready it always does. */
bool link_subscribe(link_t *link, const char *const *filters, size_t count);
bool link_publish(link_t *link, const char *topic, const char *payload, size_t len, uint8_t qos,
                  uint16_t token);

#endif

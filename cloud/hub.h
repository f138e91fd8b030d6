/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hub: all MQTT connections of the cloud. It accepts them, lets them in through the front door,
 * hands what devices publish to lib/tbdevice, and acknowledges a message only after the store has
 * committed it. One session a device; the newest wins.
 *
 * Bounds: HUB_CONNECTIONS_MAX connections, or what the process may open; when no descriptor is
 * left, accepting pauses. CONNECT must be complete HUB_CONNECT_MS after the handshake; a packet has
 * at most MQTT_REMAINING_DEFAULT bytes; a connection that is silent for 1.5 x its keep-alive, or
 * for ten minutes, is closed; one that does not take what we send is closed.
 */
#ifndef CRADLE_CLOUD_HUB_H
#define CRADLE_CLOUD_HUB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "cloud/frontdoor.h"
#include "cloud/rpc.h"
#include "cloud/store.h"
#include "net/loop.h"
#include "pki/cert.h"

#define HUB_CONNECTIONS_MAX 200000
#define HUB_CONNECT_MS      10000
#define HUB_INACTIVITY_MS   600000

typedef struct hub hub_t;

typedef struct {
    loop_t *loop;
    store_t *store;
    frontdoor_t *door;
    const char *listen;       /* "127.0.0.1:8883", port 0: any free */
    const pki_chain_t *chain; /* of the server, leaf first          */
    EVP_PKEY *key;
    bool as_thingsboard; /* answer laxly where ThingsBoard does (tb_device.h, mqtt_server.h) */
} hub_settings_t;

bool hub_open(hub_t **hub, const hub_settings_t *settings, err_t *err);
void hub_close(hub_t *hub);

/* Where it listens, with the true port. */
const char *hub_address(const hub_t *hub);

/* To be called at the end of each turn of the loop: commits, and releases acknowledgements. */
void hub_turn_end(hub_t *hub);

/* What REST has changed. */
void hub_push_attributes(hub_t *hub, const store_id_t *device, const char *json, size_t len);
void hub_close_session(hub_t *hub, const store_id_t *device);

/* Remote calls: `rpc` is told what devices do, from now on; NULL: nobody. These two are for its
   rpc_link_t. */
void hub_set_rpc(hub_t *hub, rpc_t *rpc);
bool hub_rpc_request(hub_t *hub, const store_id_t *device, uint32_t id, const char *payload,
                     size_t len, uint16_t *packet);
void hub_rpc_response(hub_t *hub, const store_id_t *device, tb_family_t family, uint32_t id,
                      const char *text, size_t len);

#endif

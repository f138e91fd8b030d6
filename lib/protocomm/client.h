/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client: the phone's end of Espressif's Wi-Fi provisioning. Works with our own device and with any
 * ESP32 that runs wifi_provisioning or network_provisioning. Blocking: each call is one or several
 * exchanges over the transport, each bounded by the transport's time-out.
 *
 *     protocomm_http_open, protocomm_client_new
 *     protocomm_client_version            choose a security version
 *     protocomm_client_session            prove and check the shared secret
 *     protocomm_client_scan               optional
 *     protocomm_client_call               custom endpoints, such as cradle-info
 *     protocomm_client_set, _apply, then _status until it is not JOINING
 *     protocomm_client_free
 *
 * Not checked: that the network is the one that the user means, or whose device this is.
 */
#ifndef CRADLE_PROTOCOMM_CLIENT_H
#define CRADLE_PROTOCOMM_CLIENT_H

#include "protocomm/device.h"

/* What became of a call. Except for OK an err_t says it in words. */
typedef enum {
    PROTOCOMM_OK = 0,
    PROTOCOMM_GONE,        /* the device cannot be reached, or did not answer in time             */
    PROTOCOMM_NO_ANSWER,   /* it took the request and answered nothing: its handler failed        */
    PROTOCOMM_NO_ENDPOINT, /* it has no such endpoint                                             */
    PROTOCOMM_BAD_SECRET,  /* PoP, user name or password is wrong, or the device does not know it */
    PROTOCOMM_BAD_ANSWER,  /* it answered something that makes no sense                           */
    PROTOCOMM_REFUSED,     /* it understood and said no (a status other than Success)             */
    PROTOCOMM_IMPOSSIBLE,  /* the caller asked for something that cannot be                       */
} protocomm_outcome_t;

/* How messages travel. `request` returns OK with *out_len <= cap, GONE, NO_ANSWER, NO_ENDPOINT or
   BAD_ANSWER, and never sends a message twice: with Security 1 that would end the session. */
typedef struct {
    void *ctx;
    protocomm_outcome_t (*request)(void *ctx, const char *endpoint, const uint8_t *data, size_t len,
                                   uint8_t *out, size_t cap, size_t *out_len, err_t *err);
    void (*close)(void *ctx);
} protocomm_transport_t;

/* HTTP as on SoftAP. `address` is "HOST:PORT" or "HOST" (port 80). Connects only with the first
   request; every request uses a socket of its own and the session's cookie. No proxy is used. */
bool protocomm_http_open(protocomm_transport_t *transport, const char *address, int timeout_ms,
                         err_t *err);

typedef struct protocomm_client protocomm_client_t;

/* Takes the transport over, also on failure (NULL: out of memory). */
protocomm_client_t *protocomm_client_new(const protocomm_transport_t *transport, err_t *err);
void protocomm_client_free(protocomm_client_t *client); /* NULL is allowed; closes the transport */

/* What proto-ver says. */
typedef struct {
    char name[32];     /* "netprov-v1.2", "v1.1", ... */
    int security;      /* 0, 1 or 2 */
    int patch_version; /* of security 2 */
    bool needs_secret; /* a PoP (security 1), or a user name and password (security 2) */
    bool can_scan;
} protocomm_version_t;

protocomm_outcome_t protocomm_client_version(protocomm_client_t *client,
                                             protocomm_version_t *version, err_t *err);

/* Begins a session; one that was open before is given up. */
protocomm_outcome_t protocomm_client_session(protocomm_client_t *client,
                                             const protocomm_security_t *security, err_t *err);

/* The networks that the device sees, strongest first; at most PROTOCOMM_SCAN_MAX. */
protocomm_outcome_t protocomm_client_scan(protocomm_client_t *client,
                                          protocomm_network_t networks[PROTOCOMM_SCAN_MAX],
                                          size_t *count, err_t *err);

/* Hands over the credentials; nothing happens before apply. ssid 1..32 bytes, passphrase 0..63. */
protocomm_outcome_t protocomm_client_set(protocomm_client_t *client, const char *ssid,
                                         const char *passphrase, err_t *err);
protocomm_outcome_t protocomm_client_apply(protocomm_client_t *client, err_t *err);

typedef enum {
    PROTOCOMM_JOINING,
    PROTOCOMM_JOINED, /* `connected` is set */
    PROTOCOMM_WRONG_PASSWORD,
    PROTOCOMM_NO_NETWORK,
    PROTOCOMM_DISCONNECTED,
} protocomm_join_t;

typedef struct {
    protocomm_join_t join;
    protocomm_connected_t connected;
    uint32_t attempts_left; /* JOINING only; 0 when the device does not count */
} protocomm_status_t;

protocomm_outcome_t protocomm_client_status(protocomm_client_t *client, protocomm_status_t *status,
                                            err_t *err);

/* prov-ctrl reset: forget a failed attempt. REFUSED while joining or joined. */
protocomm_outcome_t protocomm_client_reset(protocomm_client_t *client, err_t *err);

/* A custom endpoint, through the session. */
protocomm_outcome_t protocomm_client_call(protocomm_client_t *client, const char *endpoint,
                                          const uint8_t *in, size_t in_len, uint8_t *out,
                                          size_t cap, size_t *out_len, err_t *err);

#endif

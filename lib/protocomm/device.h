/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device: the device's end of Espressif's Wi-Fi provisioning, as an ESP32 with
 * network_provisioning 1.2.4 answers it. Sans-I/O: a transport (httpd.h) hands in requests, the
 * port table below is what the device does, and the device reports what came of it.
 *
 * Endpoints: prov-session (never encrypted), proto-ver (never encrypted), prov-config, prov-scan,
 * prov-ctrl, and custom ones. Source of the rules: components/protocomm and
 * network_provisioning/src (manager.c, handlers.c, network_config.c, network_scan.c,
 * network_ctrl.c).
 *
 * Where it differs from an ESP32 on purpose:
 *   - a failed attempt leaves the service ready for the next Set + Apply at once, in the same or a
 *     new session (an application does this with reset_wifi_sm_state_on_failure); the failure stays
 *     readable until the next Apply or reset;
 *   - a scan asked for after Apply answers InternalError at once instead of never finishing;
 *   - a page of scan results that would be empty is a handler failure (the iOS library crashes on
 *     an empty page); authentication modes above 7 are mapped into 0..7 (esp_prov.py raises);
 *   - the BSSID is sent with all its six bytes even when one of them is zero.
 *
 * Single-threaded. No function here blocks. All pointers given to callbacks are valid only during
 * the call.
 */
#ifndef CRADLE_PROTOCOMM_DEVICE_H
#define CRADLE_PROTOCOMM_DEVICE_H

#include "protocomm/security.h"

#define PROTOCOMM_SCAN_MAX   16 /* networks kept of a scan: the strongest ones */
#define PROTOCOMM_CUSTOM_MAX 4  /* custom endpoints                            */
#define PROTOCOMM_NAME_MAX   32 /* bytes of an endpoint's name                 */

/* One network of a scan. */
typedef struct {
    uint8_t ssid[32];
    uint8_t ssid_len;
    uint8_t bssid[6];
    uint8_t channel;
    int8_t rssi;  /* dBm */
    uint8_t auth; /* wifi_auth_mode_t: 0 open, 2 WPA, 3 WPA2, 4 WPA/WPA2, 6 WPA3, ... */
} protocomm_network_t;

/* How the client wants the scan done; a port may ignore all of it. */
typedef struct {
    bool passive;
    uint8_t group_channels; /* 0: all channels in one go */
    uint32_t period_ms;     /* dwell time per channel    */
} protocomm_scan_t;

/* What Apply hands over. Texts are NUL terminated and cut at the first NUL, as ESP-IDF does. */
typedef struct {
    uint32_t session; /* the transport session that applied them: a claim of another one is void */
    char ssid[33];
    char passphrase[64]; /* secret: wipe after use; "" for an open network */
} protocomm_credentials_t;

typedef enum {
    PROTOCOMM_FAIL_AUTH = 0,      /* wrong password (reasons 15, 202, 204, 14)              */
    PROTOCOMM_FAIL_NOT_FOUND = 1, /* no such network (reason 201)                           */
    PROTOCOMM_FAIL_OTHER = 2,     /* anything else: the device goes on trying, the client
                                     keeps reading Connecting, and may Set and Apply again  */
} protocomm_fail_t;

/* What the client is shown of a connection that works. */
typedef struct {
    char ip4[16]; /* dotted, NUL terminated */
    protocomm_network_t network;
} protocomm_connected_t;

/* What the device does. `ctx` comes back in every call. Only `apply` and `scan_start` are
   mandatory. They may call the protocomm_device_* reports below before they return. */
typedef struct {
    void *ctx;
    /* Begin a scan and report it with protocomm_device_scan_done, now or later. False: it could not
       be started (answered as InternalError). Not called while a scan is running. */
    bool (*scan_start)(void *ctx, const protocomm_scan_t *how);
    /* Begin to join with these credentials, replacing any earlier ones; report with
       protocomm_device_wifi_*. Keep them for good only once they work. False: InternalError. */
    bool (*apply)(void *ctx, const protocomm_credentials_t *credentials);
    /* prov-ctrl reset, from a failed or a fresh state: stop trying and forget the candidate. */
    void (*reset)(void *ctx);
    /* The client has read Connected; the service may stop about a second later. Called once. */
    void (*finished)(void *ctx);
    /* A session came up: for the log. */
    void (*session_up)(void *ctx, uint32_t session);
    /* A request failed and is not answered: why, for the log. Holds no secret. */
    void (*refused)(void *ctx, const char *endpoint, const err_t *why);
} protocomm_port_t;

typedef struct protocomm_device protocomm_device_t;

/* Copies everything. NULL with ERR_USAGE for unusable security parameters. */
protocomm_device_t *protocomm_device_new(const protocomm_security_t *security,
                                         const protocomm_port_t *port, err_t *err);
void protocomm_device_free(protocomm_device_t *device);

/*
 * A custom endpoint. It sees plain text: `in` of in_len bytes; it writes at most `cap` bytes to
 * `out` and sets *out_len. False is a handler failure: nothing is answered. With `secured`,
 * requests under Security 0 fail without reaching the handler (for tickets). Register before the
 * first request; `name` is copied, without the leading '/'.
 */
typedef bool (*protocomm_handler_t)(void *ctx, uint32_t session, const uint8_t *in, size_t in_len,
                                    uint8_t *out, size_t cap, size_t *out_len);
bool protocomm_device_endpoint(protocomm_device_t *device, const char *name, bool secured,
                               protocomm_handler_t handler, void *ctx, err_t *err);

/* True when requests to this name can be answered (else HTTP says 404). */
bool protocomm_device_has(const protocomm_device_t *device, const char *name);

/* -- the transport's side -------------------------------------------------------------------- */

/* A transport session begins (closing the one before: there is only ever one) or ends. */
void protocomm_device_open(protocomm_device_t *device, uint32_t session);
void protocomm_device_close(protocomm_device_t *device, uint32_t session);

typedef enum {
    PROTOCOMM_FAILED = 0, /* answer nothing; HTTP closes the socket                           */
    PROTOCOMM_ANSWER,     /* `out` holds the answer, encrypted where it has to be             */
    PROTOCOMM_LATER,      /* a blocking scan: protocomm_device_later hands over the answer    */
} protocomm_result_t;

/* Handles one request. While one is answered LATER every other fails. */
protocomm_result_t protocomm_device_request(protocomm_device_t *device, uint32_t session,
                                            const char *endpoint, const uint8_t *in, size_t in_len,
                                            uint8_t *out, size_t cap, size_t *out_len);

/* Who is told when a LATER answer is ready: data NULL means that it failed. Called from
   protocomm_device_scan_done, _open, _close or _cancel. */
typedef void (*protocomm_later_t)(void *ctx, const uint8_t *data, size_t len);
void protocomm_device_on_later(protocomm_device_t *device, protocomm_later_t fn, void *ctx);

/* Gives up a LATER answer (client gone, time-out): it is reported as failed at once. */
void protocomm_device_cancel(protocomm_device_t *device);

/* -- the device's reports -------------------------------------------------------------------- */

/* A scan is complete: any number of networks in any order; the 16 strongest are kept, sorted. */
void protocomm_device_scan_done(protocomm_device_t *device, const protocomm_network_t *networks,
                                size_t count);

/* The applied credentials work. */
void protocomm_device_wifi_connected(protocomm_device_t *device,
                                     const protocomm_connected_t *connected);
/* The attempt failed for good (AUTH, NOT_FOUND), or goes on with an unknown end (OTHER). */
void protocomm_device_wifi_failed(protocomm_device_t *device, protocomm_fail_t reason);
/* An attempt failed and `remaining` more follow: the client reads Connecting and the number. */
void protocomm_device_wifi_retrying(protocomm_device_t *device, uint32_t remaining);

#endif

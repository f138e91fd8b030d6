/* SPDX-License-Identifier: Apache-2.0 */
/* device_state: private to lib/protocomm. The device's state and its built-in endpoints. */
#ifndef CRADLE_PROTOCOMM_DEVICE_STATE_H
#define CRADLE_PROTOCOMM_DEVICE_STATE_H

#include "protocomm/device.h"
#include "protocomm/message.h"

#define PLAIN_MAX (PROTOCOMM_MESSAGE_MAX - PROTOCOMM_OVERHEAD)

/* network_provisioning's manager, as far as it shows on the wire. FAIL here is only the failure
   that goes on being tried (PROTOCOMM_FAIL_OTHER); a final one is STARTED again at once. */
typedef enum { PROV_STARTED, PROV_CRED_RECV, PROV_SUCCESS, PROV_FAIL } prov_state_t;

typedef enum { WIFI_CONNECTING, WIFI_CONNECTED, WIFI_FAILED, WIFI_RETRYING } wifi_state_t;

typedef struct {
    char name[PROTOCOMM_NAME_MAX + 1];
    bool secured;
    protocomm_handler_t handler;
    void *ctx;
} custom_t;

struct protocomm_device {
    protocomm_port_t port;
    int version;
    char version_text[160]; /* the answer of proto-ver */
    protocomm_session_t *security;
    bool open;
    uint32_t session;
    custom_t custom[PROTOCOMM_CUSTOM_MAX];
    size_t custom_count;

    prov_state_t prov;
    wifi_state_t wifi;
    protocomm_fail_t reason;
    uint32_t remaining;
    protocomm_connected_t connected;
    bool finished; /* the port was told */
    bool has_set;
    protocomm_credentials_t set; /* secret until Apply */

    bool scanning;
    protocomm_network_t networks[PROTOCOMM_SCAN_MAX]; /* strongest first */
    size_t network_count;

    bool later; /* a blocking scan's answer is owed */
    protocomm_later_t on_later;
    void *on_later_ctx;
};

/* What a handler works on: plain text in, plain text out (PLAIN_MAX bytes of room). */
typedef struct {
    const uint8_t *in;
    size_t in_len;
    uint8_t *out;
    size_t out_len;
    err_t why; /* set when the handler fails */
} call_t;

protocomm_result_t device_config(protocomm_device_t *device, call_t *call);
protocomm_result_t device_ctrl(protocomm_device_t *device, call_t *call);
protocomm_result_t device_scan(protocomm_device_t *device, call_t *call);

/* The answer that a blocking scan start owes, as plain text. */
protocomm_result_t device_scan_started(call_t *call);

/* Hands the owed answer to the transport, encrypted; or its failure. */
void device_finish_later(protocomm_device_t *device, bool ok);

/* PROTOCOMM_ANSWER with the packed message, or a failure that says so. */
protocomm_result_t device_reply(call_t *call, const ProtobufCMessage *message);

/* A handler failure. */
protocomm_result_t device_refuse(call_t *call, const char *why);

/* wifi_auth_mode_t into the protocol's 0..7. */
Wire__AuthMode device_auth_mode(uint8_t auth);

#endif

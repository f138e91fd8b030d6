/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoints prov-config and prov-ctrl, and what the device reports about its Wi-Fi. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "protocomm/device_state.h"

/* -- prov-config ----------------------------------------------------------------------------- */

static protocomm_result_t get_status(protocomm_device_t *device, call_t *call)
{
    Wire__Config reply;
    Wire__GetStatusAnswer answer;
    Wire__ConnectedState connected;
    Wire__AttemptFailed attempt;

    wire__config__init(&reply);
    wire__get_status_answer__init(&answer);
    answer.state = WIRE__STATION_STATE__CONNECTING;
    if (device->wifi == WIFI_CONNECTED) {
        const protocomm_network_t *network = &device->connected.network;
        wire__connected_state__init(&connected);
        connected.ip4 = device->connected.ip4;
        connected.auth = device_auth_mode(network->auth);
        connected.ssid = message_bytes(network->ssid, network->ssid_len);
        connected.bssid = message_bytes(network->bssid, sizeof network->bssid);
        connected.channel = network->channel;
        answer.state = WIRE__STATION_STATE__CONNECTED;
        answer.detail_case = WIRE__GET_STATUS_ANSWER__DETAIL_CONNECTED;
        answer.connected = &connected;
    } else if (device->wifi == WIFI_FAILED) {
        answer.state = WIRE__STATION_STATE__CONNECTION_FAILED;
        answer.detail_case = WIRE__GET_STATUS_ANSWER__DETAIL_FAIL_REASON;
        answer.fail_reason = device->reason == PROTOCOMM_FAIL_AUTH
                                 ? WIRE__FAIL_REASON__AUTH_ERROR
                                 : WIRE__FAIL_REASON__NETWORK_NOT_FOUND;
    } else if (device->wifi == WIFI_RETRYING) {
        wire__attempt_failed__init(&attempt);
        attempt.attempts_remaining = device->remaining;
        answer.detail_case = WIRE__GET_STATUS_ANSWER__DETAIL_ATTEMPT_FAILED;
        answer.attempt_failed = &attempt;
    }
    reply.msg = WIRE__CONFIG_MSG__RESP_GET_STATUS;
    reply.body_case = WIRE__CONFIG__BODY_RESP_GET_STATUS;
    reply.resp_get_status = &answer;
    protocomm_result_t result = device_reply(call, &reply.base);
    if (device->wifi == WIFI_CONNECTED && !device->finished) {
        device->finished = true;
        if (device->port.finished)
            device->port.finished(device->port.ctx);
    }
    return result;
}

/* Answers a command that has nothing to say but a status. Its number in the oneof is 11 more than
   the command's, as everywhere in these messages. */
static protocomm_result_t config_status(call_t *call, Wire__ConfigMsg msg, Wire__Status status)
{
    Wire__Config reply;
    Wire__StatusOnly only;

    wire__config__init(&reply);
    wire__status_only__init(&only);
    only.status = status;
    reply.msg = (Wire__ConfigMsg)(msg + 1);
    reply.body_case = (Wire__Config__BodyCase)(msg + 11);
    reply.resp_set = &only;
    return device_reply(call, &reply.base);
}

/* Copies a field as ESP-IDF does: up to the first NUL. */
static void copy_text(char *to, const ProtobufCBinaryData *from)
{
    size_t len = from->len ? strnlen((const char *)from->data, from->len) : 0;

    if (len)
        memcpy(to, from->data, len);
    to[len] = '\0';
}

static protocomm_result_t set_config(protocomm_device_t *device, const Wire__Config *in,
                                     call_t *call)
{
    const Wire__SetCommand *set = in->cmd_set;

    if (in->body_case != WIRE__CONFIG__BODY_CMD_SET || !set)
        return device_refuse(call, "a Set command has no content");
    if ((set->bssid.len != 0 && set->bssid.len != 6) || set->ssid.len >= sizeof device->set.ssid ||
        set->passphrase.len >= sizeof device->set.passphrase)
        return config_status(call, in->msg, WIRE__STATUS__INVALID_ARGUMENT);
    copy_text(device->set.ssid, &set->ssid);
    copy_text(device->set.passphrase, &set->passphrase);
    device->has_set = true;
    return config_status(call, in->msg, WIRE__STATUS__SUCCESS);
}

/* Like ESP-IDF, forgets what was Set whatever becomes of it. */
static protocomm_result_t apply_config(protocomm_device_t *device, Wire__ConfigMsg msg,
                                       call_t *call)
{
    const prov_state_t prov = device->prov;
    const wifi_state_t wifi = device->wifi;
    bool ok = device->has_set && prov != PROV_CRED_RECV && prov != PROV_SUCCESS;

    if (ok) {
        /* Before the call: the port may report an outcome from within. */
        device->prov = PROV_CRED_RECV;
        device->wifi = WIFI_CONNECTING;
        device->finished = false;
        device->set.session = device->session;
        ok = device->port.apply(device->port.ctx, &device->set);
        if (!ok) {
            device->prov = prov;
            device->wifi = wifi;
        }
    }
    bytes_wipe(&device->set, sizeof device->set);
    device->has_set = false;
    return config_status(call, msg, ok ? WIRE__STATUS__SUCCESS : WIRE__STATUS__INTERNAL_ERROR);
}

protocomm_result_t device_config(protocomm_device_t *device, call_t *call)
{
    Wire__Config *in = message_config(call->in, call->in_len);
    protocomm_result_t result;

    if (!in)
        return device_refuse(call, "a prov-config message is malformed");
    switch (in->msg) {
    case WIRE__CONFIG_MSG__CMD_GET_STATUS:
        result = get_status(device, call);
        break;
    case WIRE__CONFIG_MSG__CMD_SET:
        result = set_config(device, in, call);
        break;
    case WIRE__CONFIG_MSG__CMD_APPLY:
        result = apply_config(device, in->msg, call);
        break;
    case WIRE__CONFIG_MSG__CMD_SET_THREAD:
        if (in->body_case != WIRE__CONFIG__BODY_CMD_SET_THREAD) {
            result = device_refuse(call, "a Thread Set command has no content");
            break;
        }
        __attribute__((fallthrough));
    case WIRE__CONFIG_MSG__CMD_GET_THREAD:
    case WIRE__CONFIG_MSG__CMD_APPLY_THREAD:
        result = config_status(call, in->msg, WIRE__STATUS__INVALID_ARGUMENT);
        break;
    default:
        result = device_refuse(call, "a prov-config message is no known command");
    }
    message_config_free(in);
    return result;
}

/* -- prov-ctrl ------------------------------------------------------------------------------- */

/* OK when there is nothing to reset, too (network_provisioning 1.2.1 and later). */
static bool ctrl_reset(protocomm_device_t *device)
{
    if (device->prov == PROV_CRED_RECV || device->prov == PROV_SUCCESS)
        return false;
    device->prov = PROV_STARTED;
    device->wifi = WIFI_CONNECTING;
    if (device->port.reset)
        device->port.reset(device->port.ctx);
    return true;
}

protocomm_result_t device_ctrl(protocomm_device_t *device, call_t *call)
{
    Wire__Ctrl *in = message_ctrl(call->in, call->in_len), reply;
    Wire__Nothing nothing;
    Wire__CtrlMsg msg = in ? in->msg : WIRE__CTRL_MSG__CTRL_RESERVED;

    message_ctrl_free(in);
    wire__ctrl__init(&reply);
    wire__nothing__init(&nothing);
    switch (msg) {
    case WIRE__CTRL_MSG__CMD_RESET:
        reply.status = ctrl_reset(device) ? WIRE__STATUS__SUCCESS : WIRE__STATUS__INTERNAL_ERROR;
        break;
    case WIRE__CTRL_MSG__CMD_REPROV:
        reply.status = WIRE__STATUS__INTERNAL_ERROR; /* this service always stops by itself */
        break;
    case WIRE__CTRL_MSG__CMD_THREAD_RESET:
    case WIRE__CTRL_MSG__CMD_THREAD_REPROV:
        reply.status = WIRE__STATUS__INVALID_ARGUMENT;
        break;
    default:
        return device_refuse(call, "a prov-ctrl message is no known command");
    }
    reply.msg = (Wire__CtrlMsg)(msg + 1);
    reply.body_case = (Wire__Ctrl__BodyCase)(msg + 11);
    reply.resp_reset = &nothing;
    return device_reply(call, &reply.base);
}

/* -- reports --------------------------------------------------------------------------------- */

void protocomm_device_wifi_connected(protocomm_device_t *device,
                                     const protocomm_connected_t *connected)
{
    if (device->prov != PROV_CRED_RECV && device->prov != PROV_FAIL)
        return; /* nobody applied anything, or it was reset meanwhile */
    device->prov = PROV_SUCCESS;
    device->wifi = WIFI_CONNECTED;
    device->connected = *connected;
    device->connected.ip4[sizeof device->connected.ip4 - 1] = '\0';
    if (device->connected.network.ssid_len > sizeof device->connected.network.ssid)
        device->connected.network.ssid_len = sizeof device->connected.network.ssid;
}

void protocomm_device_wifi_failed(protocomm_device_t *device, protocomm_fail_t reason)
{
    if (device->prov == PROV_STARTED)
        return;
    device->reason = reason;
    device->prov = reason == PROTOCOMM_FAIL_OTHER ? PROV_FAIL : PROV_STARTED;
    device->wifi = reason == PROTOCOMM_FAIL_OTHER ? WIFI_CONNECTING : WIFI_FAILED;
}

void protocomm_device_wifi_retrying(protocomm_device_t *device, uint32_t remaining)
{
    if (device->prov != PROV_CRED_RECV)
        return;
    device->wifi = WIFI_RETRYING;
    device->remaining = remaining;
}

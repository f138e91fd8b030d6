/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint prov-scan. */
#include <string.h>

#include "protocomm/device_state.h"

static void reply_init(Wire__Scan *reply, Wire__ScanMsg msg, Wire__Status status)
{
    wire__scan__init(reply);
    reply->msg = (Wire__ScanMsg)(msg + 1);
    reply->body_case = (Wire__Scan__BodyCase)(msg + 11);
    reply->status = status;
}

static protocomm_result_t reply_start(call_t *call, Wire__ScanMsg msg, Wire__Status status)
{
    Wire__Scan reply;
    Wire__Nothing nothing;

    reply_init(&reply, msg, status);
    wire__nothing__init(&nothing);
    reply.resp_start = &nothing;
    return device_reply(call, &reply.base);
}

protocomm_result_t device_scan_started(call_t *call)
{
    return reply_start(call, WIRE__SCAN_MSG__CMD_SCAN_START, WIRE__STATUS__SUCCESS);
}

static protocomm_result_t start(protocomm_device_t *device, const Wire__Scan *in, call_t *call)
{
    const Wire__ScanStartCommand *command = in->cmd_start;

    if (in->body_case != WIRE__SCAN__BODY_CMD_START || !command)
        return device_refuse(call, "a scan start has no content");
    if (device->scanning)
        return device_scan_started(call);
    /* While the station joins or is joined an ESP32's results would never be collected. */
    if (device->prov == PROV_CRED_RECV || device->prov == PROV_SUCCESS)
        return reply_start(call, in->msg, WIRE__STATUS__INTERNAL_ERROR);
    const protocomm_scan_t how = {.passive = command->passive,
                                  .group_channels = (uint8_t)command->group_channels,
                                  .period_ms = command->period_ms};
    device->scanning = true;
    device->network_count = 0;
    if (!device->port.scan_start(device->port.ctx, &how)) {
        device->scanning = false;
        return reply_start(call, in->msg, WIRE__STATUS__INTERNAL_ERROR);
    }
    if (device->scanning && command->blocking) {
        device->later = true;
        return PROTOCOMM_LATER;
    }
    return device_scan_started(call);
}

static protocomm_result_t status(call_t *call, Wire__ScanMsg msg, Wire__Status code, bool finished,
                                 size_t count)
{
    Wire__Scan reply;
    Wire__ScanStatusAnswer answer;

    reply_init(&reply, msg, code);
    wire__scan_status_answer__init(&answer);
    answer.finished = finished;
    answer.count = (uint32_t)count;
    reply.resp_status = &answer;
    return device_reply(call, &reply.base);
}

/* Entries from..to of what was found; InternalError when fewer are there than were asked for. */
static protocomm_result_t reply_page(const protocomm_device_t *device, call_t *call, size_t from,
                                     size_t asked)
{
    Wire__Scan reply;
    Wire__ScanResultAnswer answer;
    Wire__ScanEntry entries[PROTOCOMM_SCAN_MAX], *list[PROTOCOMM_SCAN_MAX];
    size_t there = device->network_count > from ? device->network_count - from : 0;
    size_t count = asked < there ? asked : there;

    if (count == 0)
        return device_refuse(call, "a page of scan results would be empty");
    for (size_t i = 0; i < count; i++) {
        const protocomm_network_t *network = &device->networks[from + i];
        wire__scan_entry__init(&entries[i]);
        entries[i].ssid = message_bytes(network->ssid, network->ssid_len);
        entries[i].channel = network->channel;
        entries[i].rssi = network->rssi;
        entries[i].bssid = message_bytes(network->bssid, sizeof network->bssid);
        entries[i].auth = device_auth_mode(network->auth);
        list[i] = &entries[i];
    }
    reply_init(&reply, WIRE__SCAN_MSG__CMD_SCAN_RESULT,
               count == asked ? WIRE__STATUS__SUCCESS : WIRE__STATUS__INTERNAL_ERROR);
    wire__scan_result_answer__init(&answer);
    answer.entries = list;
    answer.n_entries = count;
    reply.resp_result = &answer;
    return device_reply(call, &reply.base);
}

/* The bounds are the same for a Wi-Fi and a Thread page. */
static bool page_in_bounds(const Wire__ScanResultCommand *command)
{
    return command->start_index < PROTOCOMM_SCAN_MAX &&
           command->count <= PROTOCOMM_SCAN_MAX - command->start_index;
}

static protocomm_result_t page(const protocomm_device_t *device, const Wire__Scan *in, call_t *call)
{
    if (in->body_case != WIRE__SCAN__BODY_CMD_RESULT || !in->cmd_result)
        return device_refuse(call, "a request for scan results has no content");
    if (!page_in_bounds(in->cmd_result))
        return device_refuse(call, "a request for scan results is out of bounds");
    return reply_page(device, call, in->cmd_result->start_index, in->cmd_result->count);
}

/* A Wi-Fi device has no Thread to scan. */
static protocomm_result_t thread(const Wire__Scan *in, call_t *call)
{
    Wire__Scan reply;
    Wire__ScanResultAnswer none;

    switch (in->msg) {
    case WIRE__SCAN_MSG__CMD_SCAN_THREAD_START:
        if (in->body_case != WIRE__SCAN__BODY_CMD_THREAD_START)
            return device_refuse(call, "a Thread scan start has no content");
        return reply_start(call, in->msg, WIRE__STATUS__INVALID_ARGUMENT);
    case WIRE__SCAN_MSG__CMD_SCAN_THREAD_STATUS:
        return status(call, in->msg, WIRE__STATUS__INVALID_ARGUMENT, false, 0);
    default:
        if (in->body_case != WIRE__SCAN__BODY_CMD_THREAD_RESULT || !in->cmd_thread_result ||
            !page_in_bounds(in->cmd_thread_result))
            return device_refuse(call, "a request for Thread scan results is malformed");
        reply_init(&reply, in->msg, WIRE__STATUS__INVALID_ARGUMENT);
        wire__scan_result_answer__init(&none);
        reply.resp_thread_result = &none;
        return device_reply(call, &reply.base);
    }
}

protocomm_result_t device_scan(protocomm_device_t *device, call_t *call)
{
    Wire__Scan *in = message_scan(call->in, call->in_len);
    protocomm_result_t result;

    if (!in)
        return device_refuse(call, "a prov-scan message is malformed");
    switch (in->msg) {
    case WIRE__SCAN_MSG__CMD_SCAN_START:
        result = start(device, in, call);
        break;
    case WIRE__SCAN_MSG__CMD_SCAN_STATUS:
        result =
            status(call, in->msg, WIRE__STATUS__SUCCESS, !device->scanning, device->network_count);
        break;
    case WIRE__SCAN_MSG__CMD_SCAN_RESULT:
        result = page(device, in, call);
        break;
    case WIRE__SCAN_MSG__CMD_SCAN_THREAD_START:
    case WIRE__SCAN_MSG__CMD_SCAN_THREAD_STATUS:
    case WIRE__SCAN_MSG__CMD_SCAN_THREAD_RESULT:
        result = thread(in, call);
        break;
    default:
        result = device_refuse(call, "a prov-scan message is no known command");
    }
    message_scan_free(in);
    return result;
}

/* -- report ---------------------------------------------------------------------------------- */

/* Puts one network in its place, if it is strong enough. Equal ones keep their order. */
static void insert(protocomm_device_t *device, const protocomm_network_t *network)
{
    size_t at = device->network_count;

    while (at > 0 && device->networks[at - 1].rssi < network->rssi)
        at--;
    if (at == PROTOCOMM_SCAN_MAX)
        return;
    if (device->network_count < PROTOCOMM_SCAN_MAX)
        device->network_count++;
    memmove(&device->networks[at + 1], &device->networks[at],
            (device->network_count - 1 - at) * sizeof device->networks[0]);
    device->networks[at] = *network;
    if (network->ssid_len > sizeof network->ssid)
        device->networks[at].ssid_len = sizeof network->ssid;
}

void protocomm_device_scan_done(protocomm_device_t *device, const protocomm_network_t *networks,
                                size_t count)
{
    if (!device->scanning)
        return;
    device->scanning = false;
    device->network_count = 0;
    for (size_t i = 0; i < count; i++)
        insert(device, &networks[i]);
    device_finish_later(device, true);
}

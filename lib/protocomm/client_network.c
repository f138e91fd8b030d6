/* SPDX-License-Identifier: Apache-2.0 */
/* The client's commands to prov-config, prov-scan and prov-ctrl. */
#include <string.h>

#include "protocomm/client_state.h"

#define PAGE 4 /* scan results asked for at a time, as the apps do: fits every transport */

/* -- prov-config ----------------------------------------------------------------------------- */

/* *answer is the matching response and is to be freed. A response's number is its command's + 1,
   its place in the oneof 10 more than that. */
static protocomm_outcome_t config(protocomm_client_t *client, const Wire__Config *message,
                                  Wire__Config **answer, err_t *err)
{
    uint8_t back[PROTOCOMM_MESSAGE_MAX];
    size_t len;

    *answer = NULL;
    protocomm_outcome_t outcome =
        client_command(client, "prov-config", &message->base, back, &len, err);
    if (outcome != PROTOCOMM_OK)
        return outcome;
    Wire__Config *got = message_config(back, len);
    if (got && got->msg == message->msg + 1 && (int)got->body_case == (int)message->msg + 11) {
        *answer = got;
        return PROTOCOMM_OK;
    }
    message_config_free(got);
    return client_fail(PROTOCOMM_BAD_ANSWER, err, "the device's answer to a command is malformed");
}

protocomm_outcome_t protocomm_client_set(protocomm_client_t *client, const char *ssid,
                                         const char *passphrase, err_t *err)
{
    Wire__Config message, *answer;
    Wire__SetCommand set;

    if (!ssid[0] || strlen(ssid) > 32)
        return client_fail(PROTOCOMM_IMPOSSIBLE, err, "a network's name has 1 to 32 bytes");
    if (strlen(passphrase) > 63)
        return client_fail(PROTOCOMM_IMPOSSIBLE, err, "a passphrase has at most 63 bytes");
    wire__config__init(&message);
    wire__set_command__init(&set);
    set.ssid = message_bytes(ssid, strlen(ssid));
    set.passphrase = message_bytes(passphrase, strlen(passphrase));
    message.msg = WIRE__CONFIG_MSG__CMD_SET;
    message.body_case = WIRE__CONFIG__BODY_CMD_SET;
    message.cmd_set = &set;
    protocomm_outcome_t outcome = config(client, &message, &answer, err);
    if (outcome == PROTOCOMM_OK)
        outcome = client_status(answer->resp_set->status, "the network's name or passphrase", err);
    message_config_free(answer);
    return outcome;
}

protocomm_outcome_t protocomm_client_apply(protocomm_client_t *client, err_t *err)
{
    Wire__Config message, *answer;
    Wire__Nothing nothing;

    wire__config__init(&message);
    wire__nothing__init(&nothing);
    message.msg = WIRE__CONFIG_MSG__CMD_APPLY;
    message.body_case = WIRE__CONFIG__BODY_CMD_APPLY;
    message.cmd_apply = &nothing;
    protocomm_outcome_t outcome = config(client, &message, &answer, err);
    if (outcome == PROTOCOMM_OK)
        outcome = client_status(answer->resp_apply->status,
                                "to try the network; it may be busy with another attempt", err);
    message_config_free(answer);
    return outcome;
}

/* Copies what the device says of its connection; false when it cannot be. */
static bool take_connected(const Wire__ConnectedState *from, protocomm_connected_t *to)
{
    if (!from || strlen(from->ip4) >= sizeof to->ip4 || from->ssid.len > sizeof to->network.ssid ||
        from->bssid.len > sizeof to->network.bssid || from->channel < 0 || from->channel > 255 ||
        (unsigned)from->auth > 255)
        return false;
    strcpy(to->ip4, from->ip4);
    if (from->ssid.len)
        memcpy(to->network.ssid, from->ssid.data, from->ssid.len);
    to->network.ssid_len = (uint8_t)from->ssid.len;
    if (from->bssid.len) /* ESP-IDF cuts it at the first zero byte */
        memcpy(to->network.bssid, from->bssid.data, from->bssid.len);
    to->network.channel = (uint8_t)from->channel;
    to->network.auth = (uint8_t)from->auth;
    return true;
}

/* False: the state makes no sense. */
static bool take_status(const Wire__GetStatusAnswer *from, protocomm_status_t *to)
{
    switch (from->state) {
    case WIRE__STATION_STATE__CONNECTED:
        to->join = PROTOCOMM_JOINED;
        return from->detail_case == WIRE__GET_STATUS_ANSWER__DETAIL_CONNECTED &&
               take_connected(from->connected, &to->connected);
    case WIRE__STATION_STATE__CONNECTION_FAILED:
        /* AuthError is 0: an encoder other than ESP-IDF's may leave it out. */
        to->join = from->detail_case == WIRE__GET_STATUS_ANSWER__DETAIL_FAIL_REASON &&
                           from->fail_reason == WIRE__FAIL_REASON__NETWORK_NOT_FOUND
                       ? PROTOCOMM_NO_NETWORK
                       : PROTOCOMM_WRONG_PASSWORD;
        return true;
    case WIRE__STATION_STATE__DISCONNECTED:
        to->join = PROTOCOMM_DISCONNECTED;
        return true;
    case WIRE__STATION_STATE__CONNECTING:
        to->join = PROTOCOMM_JOINING;
        if (from->detail_case == WIRE__GET_STATUS_ANSWER__DETAIL_ATTEMPT_FAILED &&
            from->attempt_failed)
            to->attempts_left = from->attempt_failed->attempts_remaining;
        return true;
    default:
        return false;
    }
}

protocomm_outcome_t protocomm_client_status(protocomm_client_t *client, protocomm_status_t *status,
                                            err_t *err)
{
    Wire__Config message, *answer;
    Wire__Nothing nothing;

    memset(status, 0, sizeof *status);
    wire__config__init(&message);
    wire__nothing__init(&nothing);
    message.msg = WIRE__CONFIG_MSG__CMD_GET_STATUS;
    message.body_case = WIRE__CONFIG__BODY_CMD_GET_STATUS;
    message.cmd_get_status = &nothing;
    protocomm_outcome_t outcome = config(client, &message, &answer, err);
    if (outcome == PROTOCOMM_OK)
        outcome = client_status(answer->resp_get_status->status, "to tell its state", err);
    if (outcome == PROTOCOMM_OK && !take_status(answer->resp_get_status, status))
        outcome = client_fail(PROTOCOMM_BAD_ANSWER, err, "the device's state makes no sense");
    message_config_free(answer);
    return outcome;
}

/* -- prov-ctrl ------------------------------------------------------------------------------- */

protocomm_outcome_t protocomm_client_reset(protocomm_client_t *client, err_t *err)
{
    uint8_t back[PROTOCOMM_MESSAGE_MAX];
    size_t len;
    Wire__Ctrl message;
    Wire__Nothing nothing;

    wire__ctrl__init(&message);
    wire__nothing__init(&nothing);
    message.msg = WIRE__CTRL_MSG__CMD_RESET;
    message.body_case = WIRE__CTRL__BODY_CMD_RESET;
    message.cmd_reset = &nothing;
    protocomm_outcome_t outcome =
        client_command(client, "prov-ctrl", &message.base, back, &len, err);
    if (outcome != PROTOCOMM_OK)
        return outcome;
    Wire__Ctrl *answer = message_ctrl(back, len);
    if (!answer || answer->msg != WIRE__CTRL_MSG__RESP_RESET)
        outcome =
            client_fail(PROTOCOMM_BAD_ANSWER, err, "the device's answer to a reset is malformed");
    else
        outcome = client_status(answer->status, "to forget the last attempt", err);
    message_ctrl_free(answer);
    return outcome;
}

/* -- prov-scan ------------------------------------------------------------------------------- */

/* As config(), and its status is Success. */
static protocomm_outcome_t scan(protocomm_client_t *client, const Wire__Scan *message,
                                Wire__Scan **answer, err_t *err)
{
    uint8_t back[PROTOCOMM_MESSAGE_MAX];
    size_t len;

    *answer = NULL;
    protocomm_outcome_t outcome =
        client_command(client, "prov-scan", &message->base, back, &len, err);
    if (outcome != PROTOCOMM_OK)
        return outcome;
    Wire__Scan *got = message_scan(back, len);
    if (!got || got->msg != message->msg + 1 || (int)got->body_case != (int)message->msg + 11)
        outcome =
            client_fail(PROTOCOMM_BAD_ANSWER, err, "the device's answer to a scan is malformed");
    else
        outcome = client_status(got->status, "to scan for networks", err);
    if (outcome == PROTOCOMM_OK)
        *answer = got;
    else
        message_scan_free(got);
    return outcome;
}

static protocomm_outcome_t scan_start(protocomm_client_t *client, err_t *err)
{
    Wire__Scan message, *answer;
    Wire__ScanStartCommand start;

    wire__scan__init(&message);
    wire__scan_start_command__init(&start);
    start.blocking = true;
    start.period_ms = 120;
    message.msg = WIRE__SCAN_MSG__CMD_SCAN_START;
    message.body_case = WIRE__SCAN__BODY_CMD_START;
    message.cmd_start = &start;
    protocomm_outcome_t outcome = scan(client, &message, &answer, err);
    message_scan_free(answer);
    return outcome;
}

static protocomm_outcome_t scan_count(protocomm_client_t *client, size_t *count, err_t *err)
{
    Wire__Scan message, *answer;
    Wire__Nothing nothing;

    wire__scan__init(&message);
    wire__nothing__init(&nothing);
    message.msg = WIRE__SCAN_MSG__CMD_SCAN_STATUS;
    message.body_case = WIRE__SCAN__BODY_CMD_STATUS;
    message.cmd_status = &nothing;
    protocomm_outcome_t outcome = scan(client, &message, &answer, err);
    if (outcome == PROTOCOMM_OK && !answer->resp_status->finished)
        outcome = client_fail(PROTOCOMM_REFUSED, err,
                              "the device's scan did not finish: try again in a moment");
    if (outcome == PROTOCOMM_OK)
        *count = answer->resp_status->count < PROTOCOMM_SCAN_MAX ? answer->resp_status->count
                                                                 : PROTOCOMM_SCAN_MAX;
    message_scan_free(answer);
    return outcome;
}

static bool take_entry(const Wire__ScanEntry *from, protocomm_network_t *to)
{
    memset(to, 0, sizeof *to);
    if (from->ssid.len > sizeof to->ssid || from->bssid.len > sizeof to->bssid ||
        from->channel > 255 || from->rssi < INT8_MIN || from->rssi > INT8_MAX ||
        (unsigned)from->auth > 255)
        return false;
    if (from->ssid.len)
        memcpy(to->ssid, from->ssid.data, from->ssid.len);
    to->ssid_len = (uint8_t)from->ssid.len;
    if (from->bssid.len)
        memcpy(to->bssid, from->bssid.data, from->bssid.len);
    to->channel = (uint8_t)from->channel;
    to->rssi = (int8_t)from->rssi;
    to->auth = (uint8_t)from->auth;
    return true;
}

static protocomm_outcome_t scan_page(protocomm_client_t *client, protocomm_network_t *networks,
                                     size_t from, size_t count, err_t *err)
{
    Wire__Scan message, *answer;
    Wire__ScanResultCommand page;

    wire__scan__init(&message);
    wire__scan_result_command__init(&page);
    page.start_index = (uint32_t)from;
    page.count = (uint32_t)count;
    message.msg = WIRE__SCAN_MSG__CMD_SCAN_RESULT;
    message.body_case = WIRE__SCAN__BODY_CMD_RESULT;
    message.cmd_result = &page;
    protocomm_outcome_t outcome = scan(client, &message, &answer, err);
    if (outcome == PROTOCOMM_OK && answer->resp_result->n_entries != count)
        outcome = client_fail(PROTOCOMM_BAD_ANSWER, err,
                              "the device did not send all networks that it found");
    for (size_t i = 0; outcome == PROTOCOMM_OK && i < count; i++)
        if (!take_entry(answer->resp_result->entries[i], &networks[from + i]))
            outcome =
                client_fail(PROTOCOMM_BAD_ANSWER, err, "the device sent an impossible network");
    message_scan_free(answer);
    return outcome;
}

protocomm_outcome_t protocomm_client_scan(protocomm_client_t *client,
                                          protocomm_network_t networks[PROTOCOMM_SCAN_MAX],
                                          size_t *count, err_t *err)
{
    size_t found = 0;

    *count = 0;
    protocomm_outcome_t outcome = scan_start(client, err);
    if (outcome == PROTOCOMM_OK)
        outcome = scan_count(client, &found, err);
    for (size_t at = 0; outcome == PROTOCOMM_OK && at < found; at += PAGE)
        outcome = scan_page(client, networks, at, found - at < PAGE ? found - at : PAGE, err);
    if (outcome == PROTOCOMM_OK)
        *count = found;
    return outcome;
}

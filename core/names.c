/* SPDX-License-Identifier: Apache-2.0 */
/* Names for logs. In a file of its own, so that a firmware without logs does not link it. */
#include "core/device.h"

const char *cradle_state_name(cradle_state_t state)
{
    static const char *const names[CRADLE_STATES] = {
        [CRADLE_BLANK] = "blank",           [CRADLE_UNPROVISIONED] = "unprovisioned",
        [CRADLE_JOINING] = "joining",       [CRADLE_SETTING_CLOCK] = "setting_clock",
        [CRADLE_CONNECTING] = "connecting", [CRADLE_ASKING] = "asking",
        [CRADLE_ONLINE] = "online",         [CRADLE_STOPPING] = "stopping",
        [CRADLE_RESETTING] = "resetting",
    };
    return (unsigned)state < CRADLE_STATES ? names[state] : "?";
}

const char *cradle_event_name(cradle_event_type_t type)
{
    static const char *const names[CRADLE_EVENTS] = {
        [CRADLE_EVENT_TICK] = "tick",
        [CRADLE_EVENT_CREDENTIALS] = "credentials",
        [CRADLE_EVENT_CLIENT_DONE] = "client_done",
        [CRADLE_EVENT_FORGET] = "forget",
        [CRADLE_EVENT_WIFI_UP] = "wifi_up",
        [CRADLE_EVENT_WIFI_DOWN] = "wifi_down",
        [CRADLE_EVENT_CLOCK] = "clock",
        [CRADLE_EVENT_CLOUD_UP] = "cloud_up",
        [CRADLE_EVENT_CLOUD_DOWN] = "cloud_down",
        [CRADLE_EVENT_SUBSCRIBED] = "subscribed",
        [CRADLE_EVENT_ACKED] = "acked",
        [CRADLE_EVENT_MESSAGE] = "message",
        [CRADLE_EVENT_RESET] = "reset",
        [CRADLE_EVENT_PRESS] = "press",
        [CRADLE_EVENT_DONE] = "done",
        [CRADLE_EVENT_SHUTDOWN] = "shutdown",
    };
    return (unsigned)type < CRADLE_EVENTS ? names[type] : "?";
}

const char *cradle_action_name(cradle_action_type_t type)
{
    static const char *const names[] = {
        [CRADLE_ACTION_DISCONNECT] = "disconnect",
        [CRADLE_ACTION_LEAVE] = "leave",
        [CRADLE_ACTION_PROVISIONING_RESULT] = "provisioning_result",
        [CRADLE_ACTION_STOP_PROVISIONING] = "stop_provisioning",
        [CRADLE_ACTION_START_PROVISIONING] = "start_provisioning",
        [CRADLE_ACTION_JOIN] = "join",
        [CRADLE_ACTION_SET_CLOCK] = "set_clock",
        [CRADLE_ACTION_CONNECT] = "connect",
        [CRADLE_ACTION_SUBSCRIBE] = "subscribe",
        [CRADLE_ACTION_PUBLISH] = "publish",
        [CRADLE_ACTION_SIGN] = "sign",
        [CRADLE_ACTION_VERIFY] = "verify",
        [CRADLE_ACTION_REQUEST] = "request",
        [CRADLE_ACTION_KEEP] = "keep",
        [CRADLE_ACTION_POST] = "post",
        [CRADLE_ACTION_REBOOT] = "reboot",
        [CRADLE_ACTION_HALT] = "halt",
    };
    return (unsigned)type <= CRADLE_ACTION_HALT ? names[type] : "?";
}

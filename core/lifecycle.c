/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lifecycle: one flat table, state x trigger -> handler. What is not in the table cannot happen
 * in that state: it is counted (status.impossible) and changes nothing.
 */
#include <string.h>

#include "base/bytes.h"
#include "core/internal.h"

#define SOON 2

/* Two triggers of our own beside the port's events. */
enum { TRY = CRADLE_EVENTS, LIMIT, TRIGGERS };

typedef void (*handler_t)(cradle_device_t *device, const cradle_event_t *event);

/* -- moving from state to state --------------------------------------------------------------- */

static void tell(cradle_device_t *device, cradle_state_t to, const char *why, uint32_t wait_ms)
{
    cradle_state_t from = (cradle_state_t)device->state;
    device->state = (uint8_t)to;
    device->why = why;
    if (device->port->changed != NULL) {
        device->port->changed(device->port->ctx, from, to, why, wait_ms);
    }
}

/* The connection, or the attempt at one, is over for us. */
static void leave_cloud(cradle_device_t *device, bool closed_by_peer)
{
    if (device->state == CRADLE_ONLINE) {
        core_window_spill(device, closed_by_peer);
    }
    core_steward_down(device);
    device->direct = false;
    device->subscribed = false;
    device->ask_due = false;
    device->report_due = false;
    core_unwant(device, CRADLE_ACTION_CONNECT);
    core_unwant(device, CRADLE_ACTION_SUBSCRIBE);
    if (device->cloud_on) {
        core_want(device, CRADLE_ACTION_DISCONNECT);
    }
    for (unsigned i = 0; i <= CRADLE_TIMER_STABLE; i++) {
        core_disarm(device, (cradle_timer_t)i);
    }
}

static void leave_radio(cradle_device_t *device)
{
    core_unwant(device, CRADLE_ACTION_JOIN);
    core_unwant(device, CRADLE_ACTION_SET_CLOCK);
    if (device->radio_on) {
        core_want(device, CRADLE_ACTION_LEAVE);
    }
    core_disarm(device, CRADLE_TIMER_TRY);
    core_disarm(device, CRADLE_TIMER_LIMIT);
}

static void go_unprovisioned(cradle_device_t *device, const char *why)
{
    leave_radio(device);
    device->candidate = false;
    bytes_wipe(&device->wifi, sizeof device->wifi);
    bytes_wipe(device->ticket, sizeof device->ticket);
    core_unwant(device, CRADLE_ACTION_STOP_PROVISIONING);
    if (!device->service_on) {
        core_want(device, CRADLE_ACTION_START_PROVISIONING);
    }
    tell(device, CRADLE_UNPROVISIONED, why, 0);
}

static void go_joining(cradle_device_t *device, const char *why, uint32_t wait_ms)
{
    leave_radio(device);
    core_arm(device, CRADLE_TIMER_TRY, wait_ms);
    tell(device, CRADLE_JOINING, why, wait_ms);
}

static void go_connecting(cradle_device_t *device, const char *why, uint32_t wait_ms)
{
    core_disarm(device, CRADLE_TIMER_LIMIT);
    core_arm(device, CRADLE_TIMER_TRY, wait_ms);
    tell(device, CRADLE_CONNECTING, why, wait_ms);
}

static void go_setting_clock(cradle_device_t *device, const char *why)
{
    if (device->clock_set) {
        go_connecting(device, why, 0);
        return;
    }
    core_want(device, CRADLE_ACTION_SET_CLOCK);
    core_arm(device, CRADLE_TIMER_LIMIT, CRADLE_CLOCK_TIMEOUT_MS);
    tell(device, CRADLE_SETTING_CLOCK, why, 0);
}

/* -- provisioning and joining ----------------------------------------------------------------- */

/* False: too long. `out` has room for `max` characters and a NUL, and is filled with NULs. */
static bool copy(char *out, size_t max, const char *text)
{
    size_t len = strlen(text);
    memset(out, 0, max + 1);
    if (len > max) {
        return false;
    }
    memcpy(out, text, len);
    return true;
}

static void credentials(cradle_device_t *device, const cradle_event_t *event)
{
    const char *ticket = event->u.credentials.ticket;
    cradle_wifi_t wifi;
    if (device->kept) {
        device->impossible++;
        return;
    }
    if (!copy(wifi.ssid, CRADLE_SSID_MAX, event->u.credentials.ssid) ||
        !copy(wifi.passphrase, CRADLE_PASSPHRASE_MAX, event->u.credentials.passphrase) ||
        wifi.ssid[0] == '\0') {
        device->joined = CRADLE_JOIN_NOT_FOUND;
        core_want(device, CRADLE_ACTION_PROVISIONING_RESULT);
        return;
    }
    device->wifi = wifi;
    bytes_wipe(&wifi, sizeof wifi);
    copy(device->ticket, JWS_TICKET_MAX, ticket != NULL ? ticket : "");
    device->candidate = true;
    device->join_attempt = 0;
    go_joining(device, "new Wi-Fi credentials", 0);
}

static void forget(cradle_device_t *device, const cradle_event_t *event)
{
    (void)event;
    if (device->candidate) {
        go_unprovisioned(device, "the client withdrew its credentials");
    }
}

static void client_done(cradle_device_t *device, const cradle_event_t *event)
{
    (void)event;
    if (device->kept && device->service_on) {
        core_arm(device, CRADLE_TIMER_SERVICE, CRADLE_PROVISION_READ_MS);
    }
}

static void join(cradle_device_t *device, const cradle_event_t *event)
{
    (void)event;
    core_want(device, CRADLE_ACTION_JOIN);
    core_arm(device, CRADLE_TIMER_LIMIT, CRADLE_JOIN_TIMEOUT_MS);
}

static void joined(cradle_device_t *device, const cradle_event_t *event)
{
    (void)event;
    if (!device->radio_on) {
        device->impossible++; /* of an attempt that was given up */
        return;
    }
    device->join_attempt = 0;
    core_disarm(device, CRADLE_TIMER_LIMIT);
    if (device->candidate) {
        if (!core_store_keep_wifi(device)) {
            device->joined = CRADLE_JOIN_OTHER;
            core_want(device, CRADLE_ACTION_PROVISIONING_RESULT);
            go_unprovisioned(device, "the settings cannot be written");
            return;
        }
        device->candidate = false;
        device->kept = true;
        device->joined = CRADLE_JOINED;
        core_want(device, CRADLE_ACTION_PROVISIONING_RESULT);
        core_arm(device, CRADLE_TIMER_SERVICE, CRADLE_PROVISION_LINGER_MS);
        core_telemetry_start(device);
    }
    device->cloud_attempt = 0;
    go_setting_clock(device, "joined the network");
}

static cradle_joined_t join_result(uint16_t reason)
{
    switch (reason) {
    case 14:
    case 15:
    case 202:
    case 204:
        return CRADLE_JOIN_AUTH;
    case 201:
        return CRADLE_JOIN_NOT_FOUND;
    default:
        return CRADLE_JOIN_OTHER;
    }
}

static void join_again(cradle_device_t *device, cradle_joined_t result)
{
    static const char *const whys[] = {
        [CRADLE_JOINED] = "",
        [CRADLE_JOIN_AUTH] = "wrong Wi-Fi password",
        [CRADLE_JOIN_NOT_FOUND] = "no such network",
        [CRADLE_JOIN_OTHER] = "could not join the network",
    };
    if (device->candidate) {
        device->joined = (uint8_t)result;
        core_want(device, CRADLE_ACTION_PROVISIONING_RESULT);
    }
    if (device->candidate && result != CRADLE_JOIN_OTHER) {
        go_unprovisioned(device, whys[result]);
        return;
    }
    uint32_t wait =
        core_backoff(device, CRADLE_JOIN_BASE_MS, CRADLE_JOIN_CAP_MS, device->join_attempt);
    device->join_attempt += device->join_attempt < UINT8_MAX;
    go_joining(device, whys[result], wait);
}

static void join_failed(cradle_device_t *device, const cradle_event_t *event)
{
    if (!device->radio_on) {
        device->impossible++;
        return;
    }
    device->radio_on = false;
    join_again(device, join_result(event->u.wifi_down.reason));
}

static void join_silent(cradle_device_t *device, const cradle_event_t *event)
{
    (void)event;
    join_again(device, CRADLE_JOIN_OTHER);
}

static void wifi_lost(cradle_device_t *device, const cradle_event_t *event)
{
    (void)event;
    leave_cloud(device, false);
    device->radio_on = false;
    go_joining(device, "the network is gone",
               core_backoff(device, CRADLE_JOIN_BASE_MS, CRADLE_JOIN_CAP_MS, 0));
}

/* -- clock ------------------------------------------------------------------------------------ */

static void clock_set(cradle_device_t *device, const cradle_event_t *event)
{
    core_telemetry_clock(device, event->u.clock.unix_ms);
}

static void clock_awaited(cradle_device_t *device, const cradle_event_t *event)
{
    core_telemetry_clock(device, event->u.clock.unix_ms);
    if (device->clock_set) {
        go_connecting(device, "the clock is set", 0);
    }
}

static void clock_silent(cradle_device_t *device, const cradle_event_t *event)
{
    (void)event;
    go_connecting(device, "no time server answers: going on without", 0);
}

/* -- the cloud -------------------------------------------------------------------------------- */

static void connect(cradle_device_t *device, const cradle_event_t *event)
{
    (void)event;
    core_want(device, CRADLE_ACTION_CONNECT);
    core_arm(device, CRADLE_TIMER_LIMIT, CRADLE_CONNECT_TIMEOUT_MS);
}

static void connected(cradle_device_t *device, const cradle_event_t *event)
{
    (void)event;
    if (!device->cloud_on) {
        device->impossible++; /* of an attempt that was given up */
        return;
    }
    device->refused = false;
    device->refused_attempt = 0;
    device->rounds = 0;
    device->connections++;
    device->asked = 0;
    core_want(device, CRADLE_ACTION_SUBSCRIBE);
    core_arm(device, CRADLE_TIMER_LIMIT, CRADLE_ACK_TIMEOUT_MS);
    core_arm(device, CRADLE_TIMER_STABLE, CRADLE_STABLE_MS);
    tell(device, core_steward_holds(device) ? CRADLE_ASKING : CRADLE_ONLINE, "the cloud let us in",
         0);
}

static void connect_again(cradle_device_t *device, const char *why, bool closed_by_peer)
{
    leave_cloud(device, closed_by_peer);
    uint32_t wait =
        core_backoff(device, CRADLE_CLOUD_BASE_MS, CRADLE_CLOUD_CAP_MS, device->cloud_attempt);
    device->cloud_attempt += device->cloud_attempt < UINT8_MAX;
    go_connecting(device, why, wait);
}

/* Only a refusal moves on to the next certificate; an outage says nothing about it. */
static void refused(cradle_device_t *device)
{
    leave_cloud(device, false);
    if (device->slot_at + 1 < device->slot_count) {
        device->slot_at++;
        go_connecting(device, "the cloud refused this certificate: trying the next", 0);
        return;
    }
    uint32_t wait = core_backoff(device, CRADLE_REFUSED_BASE_MS, CRADLE_REFUSED_CAP_MS,
                                 device->refused_attempt);
    device->refused_attempt += device->refused_attempt < UINT8_MAX;
    device->refused = true;
    device->slot_at = 0;
    device->rounds++;
    if (device->rounds == CRADLE_STEWARD_ROUNDS && device->steward.answer == ANSWER_STREAM) {
        device->steward.due = true; /* not only tomorrow */
    }
    if (device->rounds >= CRADLE_STEWARD_ROUNDS && device->steward.due && device->steward.there) {
        device->direct = true;
        tell(device, CRADLE_ASKING, "the cloud refuses this device: asking the steward", 0);
        return;
    }
    go_connecting(device, "the cloud refuses this device", wait);
}

static void connect_failed(cradle_device_t *device, const cradle_event_t *event)
{
    if (!device->cloud_on) {
        device->impossible++;
        return;
    }
    device->cloud_on = false;
    switch (event->u.cloud_down.why) {
    case CRADLE_DOWN_REFUSED:
        refused(device);
        break;
    case CRADLE_DOWN_SERVER:
        connect_again(device, "the server is not the one we may trust", false);
        break;
    default:
        connect_again(device, "the cloud cannot be reached", false);
        break;
    }
}

static void connect_silent(cradle_device_t *device, const cradle_event_t *event)
{
    (void)event;
    connect_again(device, "the cloud does not answer", false);
}

static void connection_lost(cradle_device_t *device, const cradle_event_t *event)
{
    bool closed = event->u.cloud_down.closed_by_peer;
    if (!device->cloud_on) {
        device->impossible++; /* asking by HTTPS */
        return;
    }
    device->cloud_on = false;
    device->slot_at = 0; /* a new round */
    connect_again(device, closed ? "the cloud closed the connection" : "the connection broke",
                  closed);
}

/* The way for answers is open. */
static void may_ask(cradle_device_t *device, const cradle_event_t *event)
{
    device->ignored += !event->u.subscribed.granted;
    core_disarm(device, CRADLE_TIMER_LIMIT);
    device->subscribed = true;
}

static void subscribed(cradle_device_t *device, const cradle_event_t *event)
{
    /* A refused filter is no reason to keep the telemetry back. */
    may_ask(device, event);
    core_window_begin(device);
    device->ask_due = true;
    device->report_due = true;
    core_arm(device, CRADLE_TIMER_ASK, CRADLE_ASK_AGAIN_MS);
    core_arm(device, CRADLE_TIMER_HEALTH, 0);
}

static void acked(cradle_device_t *device, const cradle_event_t *event)
{
    core_window_acked(device, event->u.acked.token);
}

static void message(cradle_device_t *device, const cradle_event_t *event)
{
    core_message(device, event->u.message.topic, event->u.message.topic_len,
                 event->u.message.payload, event->u.message.len);
}

/* -- asking ----------------------------------------------------------------------------------- */

void core_lifecycle_waits(cradle_device_t *device, const char *why, uint32_t wait_ms)
{
    if (device->state == CRADLE_ASKING && device->why != why) {
        tell(device, CRADLE_ASKING, why, wait_ms);
    }
}

void core_lifecycle_stream(cradle_device_t *device)
{
    core_telemetry_start(device);
    if (device->state == CRADLE_ASKING && device->cloud_on) {
        device->subscribed = false;
        core_want(device, CRADLE_ACTION_SUBSCRIBE);
        core_arm(device, CRADLE_TIMER_LIMIT, CRADLE_ACK_TIMEOUT_MS);
        tell(device, CRADLE_ONLINE, "the steward says stream", 0);
    }
}

void core_lifecycle_return(cradle_device_t *device)
{
    leave_cloud(device, false);
    device->slot_at = 0;
    device->refused_attempt = 0;
    go_connecting(device, "a new certificate is in place", CRADLE_STEWARD_LEAVE_MS);
}

void core_lifecycle_ask(cradle_device_t *device)
{
    leave_cloud(device, false);
    core_disarm(device, CRADLE_TIMER_SAMPLE);
    go_connecting(device, "the epoch is closed: asking again", 0);
}

void core_lifecycle_other_key(cradle_device_t *device)
{
    if (device->cloud_on) {
        refused(device);
    }
}

void core_lifecycle_indirect(cradle_device_t *device)
{
    device->direct = false;
    if (device->steward.attempt == 0 && device->refused_attempt > SOON) {
        device->refused_attempt = SOON; /* it answered: things move */
    }
    go_connecting(device, "the steward was asked: trying the cloud again",
                  core_backoff(device, CRADLE_REFUSED_BASE_MS, CRADLE_REFUSED_CAP_MS,
                               device->refused_attempt));
}

static void press(cradle_device_t *device, const cradle_event_t *event)
{
    (void)event;
    core_steward_press(device);
}

/* -- the way down ----------------------------------------------------------------------------- */

static void wind_down(cradle_device_t *device)
{
    leave_cloud(device, false);
    leave_radio(device);
    core_unwant(device, CRADLE_ACTION_START_PROVISIONING);
    if (device->service_on) {
        core_want(device, CRADLE_ACTION_STOP_PROVISIONING);
    }
    for (unsigned i = 0; i < CRADLE_TIMERS; i++) {
        core_disarm(device, (cradle_timer_t)i);
    }
}

void core_lifecycle_reboot(cradle_device_t *device)
{
    wind_down(device);
    core_want(device, CRADLE_ACTION_REBOOT);
    tell(device, CRADLE_STOPPING, "reboot was asked for", 0);
}

void core_lifecycle_reset(cradle_device_t *device, const char *why)
{
    wind_down(device);
    tell(device, CRADLE_RESETTING, why, 0);
    core_store_reset(device);
    core_want(device, CRADLE_ACTION_REBOOT);
}

static void reset(cradle_device_t *device, const cradle_event_t *event)
{
    (void)event;
    core_lifecycle_reset(device, "factory reset");
}

static void shut_down(cradle_device_t *device, const cradle_event_t *event)
{
    (void)event;
    wind_down(device);
    core_unwant(device, CRADLE_ACTION_REBOOT);
    core_want(device, CRADLE_ACTION_HALT);
    if (device->state != CRADLE_RESETTING) {
        tell(device, CRADLE_STOPPING, "shutting down", 0);
    }
}

/* -- the table -------------------------------------------------------------------------------- */

#define IN(state) (1u << (state))
#define CONNECTED (IN(CRADLE_ASKING) | IN(CRADLE_ONLINE))
#define JOINED    (IN(CRADLE_SETTING_CLOCK) | IN(CRADLE_CONNECTING) | CONNECTED)
#define ANY       ((1u << CRADLE_STATES) - 1)

/* What happens, in which states, and what is done about it. */
static const struct {
    uint16_t states;
    uint8_t what;
    handler_t handler;
} TABLE[] = {
    {IN(CRADLE_UNPROVISIONED) | IN(CRADLE_JOINING), CRADLE_EVENT_CREDENTIALS, credentials},
    {IN(CRADLE_UNPROVISIONED), CRADLE_EVENT_FORGET, forget},
    {IN(CRADLE_JOINING), CRADLE_EVENT_FORGET, forget},
    {IN(CRADLE_JOINING) | JOINED, CRADLE_EVENT_CLIENT_DONE, client_done},
    {IN(CRADLE_JOINING), TRY, join},
    {IN(CRADLE_JOINING), LIMIT, join_silent},
    {IN(CRADLE_JOINING), CRADLE_EVENT_WIFI_UP, joined},
    {IN(CRADLE_JOINING), CRADLE_EVENT_WIFI_DOWN, join_failed},
    {JOINED, CRADLE_EVENT_WIFI_DOWN, wifi_lost},
    {IN(CRADLE_SETTING_CLOCK), CRADLE_EVENT_CLOCK, clock_awaited},
    {ANY, CRADLE_EVENT_CLOCK, clock_set},
    {IN(CRADLE_SETTING_CLOCK), LIMIT, clock_silent},
    {IN(CRADLE_CONNECTING), TRY, connect},
    {IN(CRADLE_CONNECTING) | CONNECTED, LIMIT, connect_silent},
    {IN(CRADLE_CONNECTING), CRADLE_EVENT_CLOUD_UP, connected},
    {IN(CRADLE_CONNECTING), CRADLE_EVENT_CLOUD_DOWN, connect_failed},
    {CONNECTED, CRADLE_EVENT_CLOUD_DOWN, connection_lost},
    {IN(CRADLE_ASKING), CRADLE_EVENT_SUBSCRIBED, may_ask},
    {IN(CRADLE_ONLINE), CRADLE_EVENT_SUBSCRIBED, subscribed},
    {IN(CRADLE_ONLINE), CRADLE_EVENT_ACKED, acked},
    {CONNECTED, CRADLE_EVENT_MESSAGE, message},
    {CONNECTED, CRADLE_EVENT_PRESS, press},
    {ANY, CRADLE_EVENT_RESET, reset},
    {ANY, CRADLE_EVENT_SHUTDOWN, shut_down},
};

static void trigger(cradle_device_t *device, unsigned what, const cradle_event_t *event)
{
    bool going = device->state >= CRADLE_STOPPING;
    for (size_t i = 0; i < sizeof TABLE / sizeof TABLE[0]; i++) {
        if (TABLE[i].what == what && (TABLE[i].states & IN(device->state)) != 0 &&
            (!going || what == CRADLE_EVENT_SHUTDOWN)) {
            TABLE[i].handler(device, event);
            return;
        }
    }
    /* What was under way when the device decided to go comes too late, and is no surprise. */
    device->impossible += !going || what >= TRIGGERS;
}

void core_lifecycle_event(cradle_device_t *device, const cradle_event_t *event)
{
    trigger(device, event->type < CRADLE_EVENTS ? (unsigned)event->type : TRIGGERS, event);
}

void core_lifecycle_timer(cradle_device_t *device, cradle_timer_t timer)
{
    switch (timer) {
    case CRADLE_TIMER_TRY:
        trigger(device, TRY, NULL);
        break;
    case CRADLE_TIMER_LIMIT:
        trigger(device, LIMIT, NULL);
        break;
    case CRADLE_TIMER_SAMPLE:
        core_telemetry_sample(device);
        break;
    case CRADLE_TIMER_HEALTH:
        core_telemetry_health(device);
        break;
    case CRADLE_TIMER_SERVICE:
        core_want(device, CRADLE_ACTION_STOP_PROVISIONING);
        break;
    case CRADLE_TIMER_ASK:
        if (++device->asked < CRADLE_ASK_TIMES) {
            device->ask_due = true;
            core_arm(device, CRADLE_TIMER_ASK, CRADLE_ASK_AGAIN_MS);
        }
        break;
    case CRADLE_TIMER_STEWARD:
        core_steward_timer(device);
        break;
    default: /* CRADLE_TIMER_STABLE: the next failure is a first one */
        device->cloud_attempt = 0;
        break;
    }
}

void core_lifecycle_silent(cradle_device_t *device)
{
    connect_again(device, "the cloud acknowledges nothing", false);
}

void core_lifecycle_begin(cradle_device_t *device)
{
    device->state = CRADLE_BLANK;
    if (device->facts.sn == NULL) {
        tell(device, CRADLE_BLANK, "no usable identity", 0);
    } else if (!device->kept) {
        go_unprovisioned(device, "no Wi-Fi known");
    } else {
        core_telemetry_start(device);
        go_joining(device, "Wi-Fi known", 0);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of device.h: time, timers, and which action is next. Decisions are in lifecycle.c. */
#include <string.h>

#include "core/internal.h"

void core_want(cradle_device_t *device, cradle_action_type_t action)
{
    device->pending |= 1u << action;
}

void core_unwant(cradle_device_t *device, cradle_action_type_t action)
{
    device->pending &= ~(1u << action);
}

void core_arm(cradle_device_t *device, cradle_timer_t timer, uint64_t after)
{
    device->timers[timer] = device->now + after;
}

void core_disarm(cradle_device_t *device, cradle_timer_t timer)
{
    device->timers[timer] = CRADLE_NEVER;
}

uint32_t core_backoff(const cradle_device_t *device, uint32_t base, uint32_t cap, unsigned attempt)
{
    uint32_t most = base;
    uint32_t draw;
    for (; attempt > 0 && most < cap; attempt--) {
        most <<= 1;
    }
    if (most > cap) {
        most = cap;
    }
    device->port->random(device->port->ctx, &draw, sizeof draw);
    return (uint32_t)(((uint64_t)draw * (most + 1)) >> 32);
}

void core_topic(cradle_device_t *device, const char *prefix, uint32_t id)
{
    json_writer_t digits;
    size_t at = strlen(prefix);
    memcpy(device->topic, prefix, at);
    json_writer_init(&digits, device->topic + at, sizeof device->topic - at);
    json_put_i64(&digits, id);
    json_writer_done(&digits, &at);
}

void cradle_device_init(cradle_device_t *device, const cradle_port_t *port,
                        const cradle_product_t *product, const cradle_facts_t *facts,
                        uint64_t now_ms)
{
    memset(device, 0, sizeof *device);
    device->port = port;
    device->product = product;
    device->facts = *facts;
    device->now = now_ms;
    device->booted = now_ms;
    device->period_ms = CRADLE_PERIOD_MS;
    device->backlog = true;
    for (unsigned i = 0; i < CRADLE_TIMERS; i++) {
        device->timers[i] = CRADLE_NEVER;
    }
    port->random(port->ctx, &device->boot, sizeof device->boot);
    core_store_load(device);
    core_config_load(device);
    core_steward_begin(device);
    core_lifecycle_begin(device);
}

/* Samples are made in the shared buffer: they wait for it. */
static bool waits(const cradle_device_t *device, unsigned timer)
{
    return (timer == CRADLE_TIMER_SAMPLE || timer == CRADLE_TIMER_HEALTH) &&
           (device->reply_due || core_talk_busy(device));
}

void cradle_device_handle(cradle_device_t *device, const cradle_event_t *event, uint64_t now_ms)
{
    if (now_ms > device->now) {
        device->now = now_ms;
    }
    if (event->type == CRADLE_EVENT_DONE) {
        core_talk_done(device, event);
    } else if (event->type != CRADLE_EVENT_TICK) {
        core_lifecycle_event(device, event);
    }
    for (unsigned i = 0; i < CRADLE_TIMERS; i++) {
        if (device->timers[i] > device->now || waits(device, i)) {
            continue;
        }
        device->timers[i] = CRADLE_NEVER;
        core_lifecycle_timer(device, (cradle_timer_t)i);
    }
    if (core_window_deadline(device) <= device->now) {
        core_lifecycle_silent(device);
    }
}

uint64_t cradle_device_deadline(const cradle_device_t *device)
{
    uint64_t first = core_window_deadline(device);
    for (unsigned i = 0; i < CRADLE_TIMERS; i++) {
        if (device->timers[i] < first && !waits(device, i)) {
            first = device->timers[i];
        }
    }
    return first;
}

int64_t cradle_device_now(const cradle_device_t *device)
{
    return core_telemetry_now(device);
}

static void publish(cradle_device_t *device, cradle_action_t *action, const char *topic)
{
    action->type = CRADLE_ACTION_PUBLISH;
    action->u.publish.qos = 0;
    action->u.publish.token = 0;
    action->u.publish.topic = topic;
    action->u.publish.payload = device->message;
    action->u.publish.len = device->message_len;
}

/* What is asked and reported at QoS 0: it belongs to this connection, and is asked again in the
   next one. */
static bool next_publish(cradle_device_t *device, cradle_action_t *action)
{
    if (device->ask_due) {
        device->ask_due = false;
        if (core_config_ask(device)) {
            core_topic(device, CORE_TOPIC_ASK, ++device->ask_id);
            publish(device, action, device->topic);
            return true;
        }
    }
    if (device->report_due) {
        device->report_due = false;
        if (core_config_report(device)) {
            publish(device, action, CORE_TOPIC_ATTRIBUTES);
            return true;
        }
    }
    return core_window_next(device, action);
}

static void fill(cradle_device_t *device, cradle_action_t *action)
{
    switch (action->type) {
    case CRADLE_ACTION_DISCONNECT:
        device->cloud_on = false;
        break;
    case CRADLE_ACTION_LEAVE:
        device->radio_on = false;
        break;
    case CRADLE_ACTION_START_PROVISIONING:
        device->service_on = true;
        break;
    case CRADLE_ACTION_STOP_PROVISIONING:
        device->service_on = false;
        break;
    case CRADLE_ACTION_PROVISIONING_RESULT:
        action->u.provisioning.result = (cradle_joined_t)device->joined;
        break;
    case CRADLE_ACTION_JOIN:
        device->radio_on = true;
        action->u.join.ssid = device->wifi.ssid;
        action->u.join.passphrase = device->wifi.passphrase;
        break;
    case CRADLE_ACTION_CONNECT:
        device->cloud_on = true;
        action->u.connect.slot = device->slots[device->slot_at];
        action->u.connect.clock_set = device->clock_set;
        action->u.connect.unix_ms = core_telemetry_now(device);
        break;
    case CRADLE_ACTION_SUBSCRIBE: {
        size_t skip = device->steward.there ? 0 : 1;
        action->u.subscribe.filters = CORE_FILTERS + skip;
        action->u.subscribe.count = device->state == CRADLE_ASKING ? 1 : CORE_FILTER_COUNT - skip;
        break;
    }
    case CRADLE_ACTION_REBOOT:
    case CRADLE_ACTION_HALT:
        break;
    default:
        core_talk_fill(device, action);
        break;
    }
}

bool cradle_device_next(cradle_device_t *device, cradle_action_t *action)
{
    /* An answer leaves before the connection that it was asked on is ended. */
    if (device->reply_due) {
        device->reply_due = false;
        if (device->cloud_on) {
            core_topic(device, CORE_TOPIC_RPC_RESPONSE, device->reply_id);
            publish(device, action, device->topic);
            return true;
        }
    }
    core_steward_go(device);
    for (unsigned i = 0; device->pending != 0 && i <= CRADLE_ACTION_HALT; i++) {
        if ((device->pending & 1u << i) != 0) {
            device->pending &= ~(1u << i);
            action->type = (cradle_action_type_t)i;
            fill(device, action);
            return true;
        }
    }
    if (!device->cloud_on || !device->subscribed) {
        return false;
    }
    if (core_talk_send(device)) {
        publish(device, action, device->topic);
        return true;
    }
    return device->state == CRADLE_ONLINE && !core_talk_busy(device) &&
           next_publish(device, action);
}

void cradle_device_status(const cradle_device_t *device, cradle_status_t *status)
{
    *status = (cradle_status_t){
        .state = (cradle_state_t)device->state,
        .why = device->why,
        .provisioned = device->kept,
        .provisioning = device->service_on,
        .refused = device->refused,
        .clock_set = device->clock_set,
        .period_ms = device->period_ms,
        .in_flight = core_window_in_flight(device),
        .acked = device->acked,
        .dropped = core_telemetry_dropped(device),
        .impossible = device->impossible,
        .ignored = device->ignored,
        .connections = device->connections,
        .slot = device->slots[device->slot_at],
        .streaming = !core_steward_holds(device),
        .answer = (answer_result_t)device->steward.answer,
        .reason = (answer_reason_t)device->steward.reason,
        .leaf = &device->steward.leaves[device->slots[device->slot_at]],
    };
    memcpy(status->epoch, device->epoch, sizeof status->epoch);
}

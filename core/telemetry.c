/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telemetry: when samples are taken, what they hold, and their time stamps.
 *
 * A record is 13 bytes of header and the values, one JSON object:
 *
 *     0  u8   1 dated, 2 undated
 *     1  u32  boot id (random), little-endian, as the next
 *     5  i64  dated: unix_ms; undated: the moment on the clock of that boot
 */
#include <string.h>

#include "base/bytes.h"
#include "core/internal.h"

enum { DATED = 1, UNDATED = 2 };

#define KEY_MAX 255 /* ThingsBoard loses the whole message over a longer key */

/* -- time ------------------------------------------------------------------------------------- */

/* Before the firmware was built, or the steward signed, it cannot be. */
static int64_t least(const cradle_device_t *device)
{
    int64_t built = device->facts.built;
    return (built > device->steward.floor ? built : device->steward.floor) * 1000;
}

void core_telemetry_clock(cradle_device_t *device, int64_t unix_ms)
{
    if (unix_ms < least(device) || unix_ms <= 0) { /* a broken or lying time server */
        device->ignored++;
        return;
    }
    device->offset = unix_ms - (int64_t)device->now;
    if (!device->clock_set) {
        device->clock_set = true;
        device->first_offset = device->offset;
        device->backlog = true; /* records of this boot can be dated now */
    }
}

void core_telemetry_floor(cradle_device_t *device, int64_t unix_s)
{
    if (unix_s > device->steward.floor) {
        device->steward.floor = (uint32_t)unix_s;
    }
    if (device->clock_set && (int64_t)device->now + device->offset < unix_s * 1000) {
        core_telemetry_clock(device, unix_s * 1000);
    }
}

int64_t core_telemetry_now(const cradle_device_t *device)
{
    return device->clock_set ? (int64_t)device->now + device->offset : least(device);
}

/* A time stamp that no other record has. */
static void stamp(cradle_device_t *device, uint8_t header[CORE_RECORD_HEADER])
{
    uint64_t moment = device->now;
    if (moment <= device->last_moment) {
        moment = device->last_moment + 1;
    }
    device->last_moment = moment;
    int64_t value = (int64_t)moment;
    if (device->clock_set) {
        value += device->offset;
        /* A clock that was set back a little must not repeat itself; one that was far off was
           wrong before, and is believed now. */
        if (value <= device->last_stamp && device->last_stamp - value < CRADLE_CLOCK_STEP_MS) {
            value = device->last_stamp + 1;
        }
        device->last_stamp = value;
    }
    header[0] = device->clock_set ? DATED : UNDATED;
    bytes_put_le32(header + 1, device->boot);
    bytes_put_le32(header + 5, (uint32_t)value);
    bytes_put_le32(header + 9, (uint32_t)((uint64_t)value >> 32));
}

/* One object with at least one member, names of 1 to KEY_MAX bytes. */
static bool values_sound(const char *values, size_t len)
{
    json_reader_t reader;
    json_token_t token;
    size_t members = 0;
    json_reader_init(&reader, values, len);
    if (json_next(&reader, &token) != JSON_OBJECT) {
        return false;
    }
    while (json_next(&reader, &token) == JSON_KEY) {
        if (token.len == 0 || token.len > KEY_MAX) {
            return false;
        }
        json_next(&reader, &token);
        if (!json_skip(&reader, &token, NULL)) {
            return false;
        }
        members++;
    }
    return token.type == JSON_OBJECT_END && json_next(&reader, &token) == JSON_DONE && members > 0;
}

core_date_t core_telemetry_date(const cradle_device_t *device, const uint8_t *record, size_t len,
                                int64_t *unix_ms)
{
    if (len < CORE_RECORD_HEADER ||
        !values_sound((const char *)record + CORE_RECORD_HEADER, len - CORE_RECORD_HEADER)) {
        return CORE_NEVER;
    }
    *unix_ms = (int64_t)(bytes_get_le32(record + 5) | (uint64_t)bytes_get_le32(record + 9) << 32);
    if (record[0] == DATED) {
        return CORE_DATED;
    }
    if (record[0] != UNDATED || bytes_get_le32(record + 1) != device->boot) {
        return CORE_NEVER;
    }
    *unix_ms += device->first_offset;
    return device->clock_set ? CORE_DATED : CORE_NOT_YET;
}

/* -- queueing --------------------------------------------------------------------------------- */

static cradle_queued_t queue(cradle_device_t *device, const char *values, size_t len)
{
    uint8_t header[CORE_RECORD_HEADER];
    stamp(device, header);
    if (!core_window_add(device, header, values, len)) {
        core_store_lost(device, 1, 0);
        return CRADLE_LOST;
    }
    return CRADLE_QUEUED;
}

cradle_queued_t cradle_device_telemetry(cradle_device_t *device, const char *values, size_t len,
                                        uint64_t now_ms)
{
    if (now_ms > device->now) {
        device->now = now_ms;
    }
    if (!device->kept || core_steward_holds(device) || device->state == CRADLE_STOPPING ||
        device->state == CRADLE_RESETTING) {
        return CRADLE_NOT_NOW;
    }
    if (len > CRADLE_VALUES_MAX) {
        return CRADLE_TOO_LARGE;
    }
    if (!values_sound(values, len)) {
        return CRADLE_NOT_JSON;
    }
    return queue(device, values, len);
}

/* -- samples ---------------------------------------------------------------------------------- */

void core_telemetry_start(cradle_device_t *device)
{
    if (device->kept && !core_steward_holds(device) && device->product != NULL &&
        device->product->sample != NULL) {
        core_arm(device, CRADLE_TIMER_SAMPLE, 0);
    }
}

void core_telemetry_sample(cradle_device_t *device)
{
    json_writer_t writer;
    size_t len;
    core_arm(device, CRADLE_TIMER_SAMPLE, device->period_ms);
    json_writer_init(&writer, device->message, CRADLE_VALUES_MAX + 1);
    json_object(&writer);
    device->product->sample(device->product->ctx, &writer);
    json_end(&writer);
    if (!json_writer_done(&writer, &len)) {
        core_store_lost(device, 1, 0); /* too much, or no JSON: the product's mistake */
    } else if (len > 2 && values_sound(device->message, len)) {
        queue(device, device->message, len);
    }
}

uint64_t core_telemetry_dropped(const cradle_device_t *device)
{
    int64_t dropped = (int64_t)device->port->dropped(device->port->ctx) + device->lost;
    return dropped > 0 ? (uint64_t)dropped : 0;
}

static void put(json_writer_t *writer, const char *key, int64_t value)
{
    json_key(writer, key);
    json_put_i64(writer, value);
}

void core_telemetry_health(cradle_device_t *device)
{
    json_writer_t writer;
    size_t len;
    core_arm(device, CRADLE_TIMER_HEALTH, CRADLE_HEALTH_MS);
    json_writer_init(&writer, device->message, CRADLE_VALUES_MAX + 1);
    json_object(&writer);
    put(&writer, "uptime_s", (int64_t)((device->now - device->booted) / 1000));
    uint8_t slot = device->slots[device->slot_at];
    if (device->clock_set && device->steward.leaves[slot].not_after != 0) {
        put(&writer, "cert_days_left", core_talk_days(device, slot));
    }
    put(&writer, "dropped", (int64_t)core_telemetry_dropped(device));
    put(&writer, "connections", device->connections);
    json_end(&writer);
    if (json_writer_done(&writer, &len)) {
        queue(device, device->message, len);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The window: telemetry on its way to the cloud, oldest first, and the outbox behind it.
 *
 *     live      a record that never saw the outbox; its bytes are in device->live until the PUBACK
 *     backlog   a run of outbox records in one message; trimmed when its PUBACK, and that of every
 *               older flight, has come
 *
 * A record goes live only when nothing older waits in the outbox, so that the cloud gets values in
 * the order in which they were taken.
 *
 * Poison: on what it cannot parse ThingsBoard closes the connection, each time it is sent again. A
 * first record on which the cloud closed CRADLE_POISON_ALONE connections in a row, without one
 * PUBACK, is sent alone; after CRADLE_POISON_DROP it is dropped and counted.
 */
#include <string.h>

#include "base/bytes.h"
#include "core/internal.h"

enum { LIVE, BACKLOG };
enum { QUEUED, SENT, ACKED };

/* {"ts":-9223372036854775808,"values":} and a comma: what a record may need beside its values. */
#define WRAP_MAX 40

static bool alone(const cradle_device_t *device)
{
    return device->fruitless >= CRADLE_POISON_ALONE;
}

/* The number of the oldest record, or `otherwise`. */
static uint64_t oldest_record(const cradle_device_t *device, uint64_t otherwise)
{
    uint8_t record[CRADLE_RECORD_MAX];
    uint64_t number;
    size_t len;
    return device->port->read(device->port->ctx, 0, &number, record, sizeof record, &len)
               ? number
               : otherwise;
}

/* -- in --------------------------------------------------------------------------------------- */

static bool append(cradle_device_t *device, const uint8_t *record, size_t len)
{
    device->backlog = true;
    return device->port->append(device->port->ctx, record, len);
}

void core_window_begin(cradle_device_t *device)
{
    device->any_ack = false;
    device->next_record = 0;
    device->backlog = oldest_record(device, 0) != 0;
}

bool core_window_add(cradle_device_t *device, const uint8_t header[CORE_RECORD_HEADER],
                     const char *values, size_t len)
{
    bool fits = device->flight_count < CRADLE_WINDOW &&
                device->live_len + CORE_RECORD_HEADER + len <= CRADLE_LIVE_MAX;
    if (device->state == CRADLE_ONLINE && device->subscribed && !device->backlog && fits) {
        cradle_flight_t *flight = &device->flights[device->flight_count++];
        *flight = (cradle_flight_t){
            .kind = LIVE,
            .progress = QUEUED,
            .offset = device->live_len,
            .len = (uint16_t)(CORE_RECORD_HEADER + len),
            .records = 1,
        };
        memcpy(device->live + device->live_len, header, CORE_RECORD_HEADER);
        memcpy(device->live + device->live_len + CORE_RECORD_HEADER, values, len);
        device->live_len = (uint16_t)(device->live_len + flight->len);
        return true;
    }
    uint8_t record[CRADLE_RECORD_MAX];
    memcpy(record, header, CORE_RECORD_HEADER);
    memcpy(record + CORE_RECORD_HEADER, values, len);
    return append(device, record, CORE_RECORD_HEADER + len);
}

/* -- out -------------------------------------------------------------------------------------- */

static uint16_t new_token(cradle_device_t *device)
{
    for (;;) {
        bool used = false;
        device->last_token++;
        for (unsigned i = 0; i < device->flight_count; i++) {
            used = used || (device->flights[i].progress != QUEUED &&
                            device->flights[i].token == device->last_token);
        }
        if (!used && device->last_token != 0) {
            return device->last_token;
        }
    }
}

static void put_record(json_writer_t *writer, const int64_t *unix_ms, const uint8_t *record,
                       size_t len)
{
    const char *values = (const char *)record + CORE_RECORD_HEADER;
    size_t size = len - CORE_RECORD_HEADER;
    if (unix_ms == NULL) {
        json_put_raw(writer, values, size);
        return;
    }
    json_object(writer);
    json_key(writer, "ts");
    json_put_i64(writer, *unix_ms);
    json_key(writer, "values");
    json_put_raw(writer, values, size);
    json_end(writer);
}

/* Without a clock a live record goes out undated: ThingsBoard takes the time of arrival. */
static bool make_live(cradle_device_t *device, const cradle_flight_t *flight)
{
    const uint8_t *record = device->live + flight->offset;
    json_writer_t writer;
    int64_t unix_ms;
    size_t len;
    bool dated = core_telemetry_date(device, record, flight->len, &unix_ms) == CORE_DATED;
    json_writer_init(&writer, device->message, sizeof device->message);
    put_record(&writer, dated ? &unix_ms : NULL, record, flight->len);
    bool done = json_writer_done(&writer, &len);
    device->message_len = (uint16_t)len;
    return done;
}

/* Reads a run of records from the outbox into one message. The record under way lies at the end
   of the buffer, the text grows from its front. */
static bool make_backlog(cradle_device_t *device, cradle_flight_t *flight)
{
    const size_t room = sizeof device->message - CRADLE_RECORD_MAX;
    uint8_t *record = (uint8_t *)device->message + room;
    uint64_t from = device->next_record;
    uint64_t number;
    int64_t unix_ms;
    size_t len;
    json_writer_t writer;
    *flight = (cradle_flight_t){.kind = BACKLOG};
    json_writer_init(&writer, device->message, room);
    json_array(&writer);
    while (flight->records == 0 || !alone(device)) {
        core_date_t date = CORE_NOT_YET;
        if (device->port->read(device->port->ctx, from, &number, record, CRADLE_RECORD_MAX, &len)) {
            date = core_telemetry_date(device, record, len, &unix_ms);
        }
        if (date == CORE_NOT_YET) {
            device->backlog = false; /* nothing more that could be sent now */
            break;
        }
        if (date == CORE_DATED && room - writer.len < len + WRAP_MAX) {
            break;
        }
        if (date == CORE_DATED) {
            put_record(&writer, &unix_ms, record, len);
            flight->records++;
        } else {
            flight->undatable++;
        }
        flight->first = flight->first == 0 ? number : flight->first;
        flight->last = number;
        from = number + 1;
    }
    json_end(&writer);
    bool done = json_writer_done(&writer, &len);
    device->message_len = (uint16_t)len;
    return done && flight->records + flight->undatable > 0;
}

/* The records of a run are done with. Counted before they are trimmed: core_store_load knows. */
static void settle(cradle_device_t *device, const cradle_flight_t *flight)
{
    /* Of a run under way the outbox may have dropped, and counted, a part meanwhile: those were not
       lost after all. */
    uint64_t oldest = oldest_record(device, flight->last + 1);
    if (oldest > flight->last) {
        oldest = flight->last + 1;
    }
    int64_t gone = oldest > flight->first ? (int64_t)(oldest - flight->first) : 0;
    int64_t lost = (int64_t)flight->undatable - gone;
    if (lost != 0) {
        core_store_lost(device, lost, flight->last);
    }
    device->port->trim(device->port->ctx, flight->last);
}

static bool send(cradle_device_t *device, cradle_flight_t *flight, cradle_action_t *action)
{
    flight->token = new_token(device);
    flight->progress = SENT;
    flight->sent_at = device->now;
    action->type = CRADLE_ACTION_PUBLISH;
    action->u.publish.qos = 1;
    action->u.publish.token = flight->token;
    action->u.publish.topic = CORE_TOPIC_TELEMETRY;
    action->u.publish.payload = device->message;
    action->u.publish.len = device->message_len;
    return true;
}

static bool next_backlog(cradle_device_t *device, cradle_action_t *action)
{
    cradle_flight_t flight;
    while (device->backlog && device->flight_count < CRADLE_WINDOW &&
           !(alone(device) && device->flight_count > 0) && make_backlog(device, &flight)) {
        if (flight.records > 0) {
            device->next_record = flight.last + 1;
            device->flights[device->flight_count++] = flight;
            return send(device, &device->flights[device->flight_count - 1], action);
        }
        /* Nothing but records that can never be dated. Trimming must not overtake older flights. */
        if (device->flight_count > 0) {
            device->backlog = true;
            return false;
        }
        device->next_record = flight.last + 1;
        settle(device, &flight);
    }
    return false;
}

bool core_window_next(cradle_device_t *device, cradle_action_t *action)
{
    for (unsigned i = 0; i < device->flight_count; i++) {
        cradle_flight_t *flight = &device->flights[i];
        if (flight->progress == QUEUED && !(alone(device) && i > 0) && make_live(device, flight)) {
            return send(device, flight, action);
        }
    }
    return next_backlog(device, action);
}

/* -- acknowledged, or not --------------------------------------------------------------------- */

/* Gives up the flights from the front that are acknowledged. */
static void land(cradle_device_t *device)
{
    unsigned done = 0;
    uint16_t live = 0;
    while (done < device->flight_count && device->flights[done].progress == ACKED) {
        const cradle_flight_t *flight = &device->flights[done++];
        if (flight->kind == LIVE) {
            live = (uint16_t)(live + flight->len);
        } else {
            settle(device, flight);
        }
    }
    if (done == 0) {
        return;
    }
    device->flight_count = (uint16_t)(device->flight_count - done);
    memmove(device->flights, device->flights + done,
            device->flight_count * sizeof device->flights[0]);
    device->live_len = (uint16_t)(device->live_len - live);
    memmove(device->live, device->live + live, device->live_len);
    for (unsigned i = 0; i < device->flight_count; i++) {
        device->flights[i].offset = (uint16_t)(device->flights[i].offset - live);
    }
}

void core_window_acked(cradle_device_t *device, uint16_t token)
{
    for (unsigned i = 0; i < device->flight_count; i++) {
        cradle_flight_t *flight = &device->flights[i];
        if (flight->progress == SENT && flight->token == token) {
            flight->progress = ACKED;
            device->acked += flight->records;
            device->any_ack = true;
            device->fruitless = 0;
            land(device);
            return;
        }
    }
    device->impossible++;
}

/* The first record was under way when the cloud closed the connection, and nothing got through. */
static void note_fruitless(cradle_device_t *device)
{
    if (device->flight_count == 0 || device->flights[0].progress != SENT || device->any_ack) {
        return;
    }
    device->fruitless++;
}

void core_window_spill(cradle_device_t *device, bool closed_by_peer)
{
    if (closed_by_peer) {
        note_fruitless(device);
    }
    for (unsigned i = 0; i < device->flight_count; i++) {
        const cradle_flight_t *flight = &device->flights[i];
        if (flight->kind == LIVE && flight->progress != ACKED &&
            !append(device, device->live + flight->offset, flight->len)) {
            core_store_lost(device, 1, 0);
        }
    }
    device->flight_count = 0;
    device->live_len = 0;
    device->next_record = 0;
    device->backlog = true;
    if (device->fruitless >= CRADLE_POISON_DROP) {
        uint64_t number = oldest_record(device, 0);
        device->fruitless = CRADLE_POISON_ALONE; /* the next one is suspected as well */
        if (number > 0) {
            core_store_lost(device, 1, number);
            device->port->trim(device->port->ctx, number);
        }
    }
}

uint64_t core_window_deadline(const cradle_device_t *device)
{
    uint64_t oldest = CRADLE_NEVER;
    for (unsigned i = 0; i < device->flight_count; i++) {
        const cradle_flight_t *flight = &device->flights[i];
        if (flight->progress == SENT && flight->sent_at + CRADLE_ACK_TIMEOUT_MS < oldest) {
            oldest = flight->sent_at + CRADLE_ACK_TIMEOUT_MS;
        }
    }
    return oldest;
}

uint32_t core_window_in_flight(const cradle_device_t *device)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < device->flight_count; i++) {
        count += device->flights[i].progress == SENT;
    }
    return count;
}

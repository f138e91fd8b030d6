/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared attributes that are watched: the telemetry period, which is ours, and the product's.
 *
 * Kept values lie together in one setting, so that a change is atomic and a reset erases all:
 * for each, one byte length and the key, one byte length and the value as JSON text.
 */
#include <string.h>

#include "core/internal.h"

static const char CONFIG[] = "config";
static const char PERIOD[] = "telemetry_period_ms";

/* -- the watched keys: 0 is ours, then the product's ------------------------------------------- */

static size_t watched(const cradle_device_t *device)
{
    size_t count = device->product != NULL ? device->product->config_count : 0;
    return 1 + (count < CRADLE_CONFIG_KEYS ? count : CRADLE_CONFIG_KEYS - 1);
}

static const char *key_of(const cradle_device_t *device, size_t index)
{
    return index == 0 ? PERIOD : device->product->configs[index - 1].key;
}

/* The index of a key as it stands in JSON, or watched(). */
static size_t find(const cradle_device_t *device, const json_token_t *key)
{
    size_t count = watched(device);
    for (size_t i = 0; i < count; i++) {
        if (json_equals(key, key_of(device, i))) {
            return i;
        }
    }
    return count;
}

/* Out of bounds is not refused but brought to the bound: the effective period is reported. */
static bool set_period(cradle_device_t *device, const json_token_t *value)
{
    int64_t period = CRADLE_PERIOD_MS;
    if (value != NULL && (value->type != JSON_NUMBER || !json_i64(value, &period))) {
        return false;
    }
    if (period < CRADLE_PERIOD_MIN_MS) {
        period = CRADLE_PERIOD_MIN_MS;
    } else if (period > CRADLE_PERIOD_MAX_MS) {
        period = CRADLE_PERIOD_MAX_MS;
    }
    if (device->period_ms != (uint32_t)period) {
        device->period_ms = (uint32_t)period;
        device->report_due = device->subscribed;
        core_telemetry_start(device);
    }
    return true;
}

static bool deliver(cradle_device_t *device, size_t index, const json_token_t *value)
{
    if (index == 0) {
        return set_period(device, value);
    }
    return device->product->configs[index - 1].changed(device->product->ctx, value);
}

/* -- kept values ------------------------------------------------------------------------------ */

typedef struct {
    const char *key;
    const char *value;
    size_t key_len;
    size_t value_len;
} entry_t;

static bool next_entry(const char *blob, size_t len, size_t *at, entry_t *entry)
{
    size_t left = len - *at;
    size_t key = left > 0 ? (uint8_t)blob[*at] : 0;
    if (key == 0 || left < key + 2) {
        return false;
    }
    size_t value = (uint8_t)blob[*at + 1 + key];
    if (left - key - 2 < value) {
        return false;
    }
    *entry = (entry_t){
        .key = blob + *at + 1, .value = blob + *at + 2 + key, .key_len = key, .value_len = value};
    *at += 2 + key + value;
    return true;
}

static size_t put_entry(char *blob, size_t at, const entry_t *entry)
{
    if (CRADLE_CONFIGS_MAX - at < 2 + entry->key_len + entry->value_len) {
        return at;
    }
    blob[at++] = (char)(uint8_t)entry->key_len;
    memcpy(blob + at, entry->key, entry->key_len);
    at += entry->key_len;
    blob[at++] = (char)(uint8_t)entry->value_len;
    memcpy(blob + at, entry->value, entry->value_len);
    return at + entry->value_len;
}

static size_t load(cradle_device_t *device, char *blob)
{
    size_t len = 0;
    return core_get(device, CONFIG, blob, CRADLE_CONFIGS_MAX, &len) ? len : 0;
}

/* Replaces, adds or (value NULL) removes one; writes only what changed. */
static void keep(cradle_device_t *device, const char *key, const json_token_t *value)
{
    char *old = device->message;
    char *new = device->message + CRADLE_CONFIGS_MAX;
    size_t old_len = load(device, old);
    size_t new_len = 0;
    size_t at = 0;
    entry_t entry;
    bool placed = value == NULL;
    while (next_entry(old, old_len, &at, &entry)) {
        if (entry.key_len == strlen(key) && memcmp(entry.key, key, entry.key_len) == 0) {
            if (placed) {
                continue;
            }
            entry.value = value->text;
            entry.value_len = value->len;
            placed = true;
        }
        new_len = put_entry(new, new_len, &entry);
    }
    if (!placed) {
        entry = (entry_t){
            .key = key, .value = value->text, .key_len = strlen(key), .value_len = value->len};
        new_len = put_entry(new, new_len, &entry);
    }
    if (new_len != old_len || memcmp(old, new, new_len) != 0) {
        device->port->set(device->port->ctx, CONFIG, new, new_len);
    }
}

void core_config_load(cradle_device_t *device)
{
    char *blob = device->message;
    size_t len = load(device, blob);
    size_t at = 0;
    entry_t entry;
    json_token_t value;
    while (next_entry(blob, len, &at, &entry)) {
        for (size_t i = 0; i < watched(device); i++) {
            const char *key = key_of(device, i);
            if (strlen(key) == entry.key_len && memcmp(key, entry.key, entry.key_len) == 0 &&
                json_find(entry.value, entry.value_len, "", &value)) {
                deliver(device, i, &value);
            }
        }
    }
}

/* -- from the cloud --------------------------------------------------------------------------- */

static void apply(cradle_device_t *device, size_t index, const json_token_t *value)
{
    /* A string's token lies between its quotes: what is kept has to be the whole value. */
    json_token_t whole = {0};
    const char *key = key_of(device, index);
    if (value != NULL) {
        size_t quotes = value->type == JSON_STRING ? 1 : 0;
        whole = (json_token_t){.text = value->text - quotes, .len = value->len + 2 * quotes};
    }
    if (whole.len > CRADLE_CONFIG_MAX || strlen(key) > CRADLE_TOPIC_MAX ||
        !deliver(device, index, value)) {
        device->ignored++;
        return;
    }
    keep(device, key, value != NULL ? &whole : NULL);
}

/* One object of changed keys. Returns a bit for each watched key that was in it. */
static uint32_t apply_object(cradle_device_t *device, const char *json, size_t len)
{
    json_reader_t reader;
    json_token_t key;
    json_token_t first;
    json_token_t value;
    uint32_t seen = 0;
    json_reader_init(&reader, json, len);
    if (json_next(&reader, &key) != JSON_OBJECT) {
        return 0;
    }
    while (json_next(&reader, &key) == JSON_KEY) {
        json_next(&reader, &first);
        if (!json_skip(&reader, &first, &value)) {
            break;
        }
        size_t index = find(device, &key);
        if (index < watched(device)) {
            seen |= 1u << index;
            apply(device, index, value.type == JSON_NULL ? NULL : &value);
        }
    }
    return seen;
}

static void apply_deleted(cradle_device_t *device, const json_token_t *list)
{
    json_reader_t reader;
    json_token_t key;
    json_reader_init(&reader, list->text, list->len);
    json_next(&reader, &key);
    while (json_next(&reader, &key) == JSON_STRING) {
        size_t index = find(device, &key);
        if (index < watched(device)) {
            apply(device, index, NULL);
        }
    }
}

void core_config_answer(cradle_device_t *device, const char *json, size_t len)
{
    json_token_t shared;
    uint32_t seen = 0;
    if (json_find(json, len, "shared", &shared)) {
        seen = apply_object(device, shared.text, shared.len);
    }
    for (size_t i = 0; i < watched(device); i++) {
        if ((seen & 1u << i) == 0) {
            apply(device, i, NULL); /* asked for and not there: deleted while we were away */
        }
    }
}

void core_config_push(cradle_device_t *device, const char *json, size_t len)
{
    json_token_t deleted;
    if (json_find(json, len, "deleted", &deleted) && deleted.type == JSON_ARRAY) {
        apply_deleted(device, &deleted);
    } else {
        apply_object(device, json, len);
    }
}

/* -- to the cloud ----------------------------------------------------------------------------- */

/* {"sharedKeys":"telemetry_period_ms,..."} */
bool core_config_ask(cradle_device_t *device)
{
    json_writer_t writer;
    char *keys = device->message + CRADLE_MESSAGE_MAX / 2;
    size_t at = 0;
    size_t len;
    for (size_t i = 0; i < watched(device); i++) {
        const char *key = key_of(device, i);
        size_t size = strlen(key);
        if (size > 0 && size <= CRADLE_TOPIC_MAX) {
            keys[at] = ',';
            memcpy(keys + at + 1, key, size);
            at += size + 1;
        }
    }
    json_writer_init(&writer, device->message, CRADLE_MESSAGE_MAX / 2);
    json_object(&writer);
    json_key(&writer, "sharedKeys");
    json_put_string_n(&writer, keys + 1, at - 1);
    json_end(&writer);
    bool done = json_writer_done(&writer, &len);
    device->message_len = (uint16_t)len;
    return done;
}

static void report(json_writer_t *writer, const char *key, const char *value)
{
    if (value != NULL) {
        json_key(writer, key);
        json_put_string(writer, value);
    }
}

/* What the device is. ThingsBoard makes a number of a text like "2.0": "v2.0" stays one. */
bool core_config_report(cradle_device_t *device)
{
    json_writer_t writer;
    char version[40] = "v";
    size_t len;
    if (device->facts.version != NULL) {
        strncpy(version + 1, device->facts.version, sizeof version - 2);
    }
    json_writer_init(&writer, device->message, sizeof device->message);
    json_object(&writer);
    report(&writer, "model", device->facts.model);
    report(&writer, "hardware", device->facts.hardware);
    report(&writer, "firmware", device->facts.firmware);
    report(&writer, "firmware_version", version[1] != '\0' ? version : NULL);
    json_key(&writer, PERIOD);
    json_put_i64(&writer, device->period_ms);
    json_end(&writer);
    bool done = json_writer_done(&writer, &len);
    device->message_len = (uint16_t)len;
    return done;
}

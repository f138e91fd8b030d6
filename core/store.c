/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the brain keeps in the settings:
 *
 *     wifi    version 1, epoch, length and text of the SSID, of the passphrase
 *     epoch   16 random bytes, drawn at the first boot and at each reset
 *     lost    i64 count, u64 up to which record (telemetry.c)
 *     config  the kept shared attributes (config.c)
 *     reset   there: a reset has begun and is to be ended
 *     ticket  as the phone handed it over, until the claim is decided
 *     steward version 1, epoch, 1 = *stream*, granted slot, u32 highest time seen (steward.c)
 *     bundle  the newest that was verified (trust.c)
 *     pending, slot1, slot2   the port's: keys and certificates
 *
 * A reset keeps steward (it is void in another epoch, except for the time), bundle and the slots.
 *
 * Epoch and Wi-Fi carry the same 16 bytes. Where they differ (or one of them is gone) somebody
 * else has erased or written the other, so the device counts as begun anew: a new epoch.
 */
#include <string.h>

#include "base/bytes.h"
#include "core/internal.h"

static const char WIFI[] = "wifi";
static const char EPOCH[] = "epoch";
static const char LOST[] = "lost";
static const char CONFIG[] = "config";
static const char RESET[] = "reset";
static const char STEWARD[] = "steward";
const char CORE_TICKET[] = "ticket";
const char CORE_PENDING[] = "pending";

#define WIFI_VERSION 1
#define WIFI_MAX     (3 + CRADLE_EPOCH_SIZE + CRADLE_SSID_MAX + CRADLE_PASSPHRASE_MAX)
#define LOST_SIZE    16

/* The setting `steward`, byte for byte. */
typedef struct {
    uint8_t version;
    uint8_t epoch[CRADLE_EPOCH_SIZE];
    uint8_t streaming;
    uint8_t granted;
    uint8_t floor[4];
} kept_t;

static void put_le64(uint8_t *to, uint64_t value)
{
    bytes_put_le32(to, (uint32_t)value);
    bytes_put_le32(to + 4, (uint32_t)(value >> 32));
}

static uint64_t get_le64(const uint8_t *from)
{
    return bytes_get_le32(from) | (uint64_t)bytes_get_le32(from + 4) << 32;
}

static bool set(cradle_device_t *device, const char *name, const void *data, size_t len)
{
    return device->port->set(device->port->ctx, name, data, len);
}

static void draw_epoch(cradle_device_t *device)
{
    device->port->random(device->port->ctx, device->epoch, sizeof device->epoch);
    set(device, EPOCH, device->epoch, sizeof device->epoch);
}

void core_store_drop_ticket(cradle_device_t *device)
{
    device->steward.ticket = false;
    device->port->erase(device->port->ctx, CORE_TICKET);
}

/* Before the Wi-Fi that it came with: without that it is dropped at boot. */
static bool keep_ticket(cradle_device_t *device)
{
    size_t len = strlen(device->ticket);
    if (len > 0 && !set(device, CORE_TICKET, device->ticket, len)) {
        return false;
    }
    device->steward.ticket = device->steward.ticket || len > 0;
    bytes_wipe(device->ticket, sizeof device->ticket);
    return true;
}

bool core_store_keep_steward(cradle_device_t *device)
{
    const cradle_steward_t *s = &device->steward;
    kept_t kept = {.version = 1, .streaming = s->streaming, .granted = s->granted};
    bytes_put_le32(kept.floor, s->floor);
    memcpy(kept.epoch, device->epoch, sizeof kept.epoch);
    return set(device, STEWARD, &kept, sizeof kept);
}

static void load_steward(cradle_device_t *device)
{
    cradle_steward_t *s = &device->steward;
    kept_t kept;
    size_t len = 0;
    if (!device->port->get(device->port->ctx, STEWARD, &kept, sizeof kept, &len) ||
        len != sizeof kept || kept.version != 1) {
        return;
    }
    s->floor = bytes_get_le32(kept.floor);
    if (memcmp(kept.epoch, device->epoch, sizeof kept.epoch) == 0) {
        s->streaming = kept.streaming == 1;
        s->granted = kept.granted < CRADLE_SLOTS ? kept.granted : 0;
    }
}

bool core_store_keep_wifi(cradle_device_t *device)
{
    uint8_t blob[WIFI_MAX];
    size_t at = 0;
    size_t ssid = strlen(device->wifi.ssid);
    size_t passphrase = strlen(device->wifi.passphrase);
    blob[at++] = WIFI_VERSION;
    memcpy(blob + at, device->epoch, CRADLE_EPOCH_SIZE);
    at += CRADLE_EPOCH_SIZE;
    blob[at++] = (uint8_t)ssid;
    memcpy(blob + at, device->wifi.ssid, ssid);
    at += ssid;
    blob[at++] = (uint8_t)passphrase;
    memcpy(blob + at, device->wifi.passphrase, passphrase);
    at += passphrase;
    bool kept = keep_ticket(device) && set(device, WIFI, blob, at);
    bytes_wipe(blob, sizeof blob);
    return kept;
}

/* One length byte and the text; false: it does not fit, or holds a NUL. */
static bool take_text(const uint8_t *blob, size_t len, size_t *at, char *out, size_t max)
{
    if (*at >= len || blob[*at] > max || len - *at - 1 < blob[*at]) {
        return false;
    }
    size_t count = blob[(*at)++];
    memcpy(out, blob + *at, count);
    out[count] = '\0';
    *at += count;
    return strlen(out) == count;
}

/* *fits: the epoch beside them is the device's. */
static bool load_wifi(cradle_device_t *device, bool *fits)
{
    uint8_t blob[WIFI_MAX];
    size_t len = 0;
    size_t at = 1 + CRADLE_EPOCH_SIZE;
    bool ok = device->port->get(device->port->ctx, WIFI, blob, sizeof blob, &len) && len > at &&
              blob[0] == WIFI_VERSION &&
              take_text(blob, len, &at, device->wifi.ssid, CRADLE_SSID_MAX) &&
              take_text(blob, len, &at, device->wifi.passphrase, CRADLE_PASSPHRASE_MAX) &&
              at == len && device->wifi.ssid[0] != '\0';
    *fits = ok && memcmp(blob + 1, device->epoch, CRADLE_EPOCH_SIZE) == 0;
    bytes_wipe(blob, sizeof blob);
    if (!ok) {
        bytes_wipe(&device->wifi, sizeof device->wifi);
    }
    return ok;
}

static void load_lost(cradle_device_t *device)
{
    uint8_t blob[LOST_SIZE];
    size_t len = 0;
    if (!device->port->get(device->port->ctx, LOST, blob, sizeof blob, &len) || len != LOST_SIZE) {
        return;
    }
    device->lost = (int64_t)get_le64(blob);
    device->lost_upto = get_le64(blob + 8);
    if (device->lost_upto > 0) {
        /* The power may have gone between counting and trimming. */
        device->port->trim(device->port->ctx, device->lost_upto);
    }
}

static void save_lost(cradle_device_t *device)
{
    uint8_t blob[LOST_SIZE];
    put_le64(blob, (uint64_t)device->lost);
    put_le64(blob + 8, device->lost_upto);
    set(device, LOST, blob, sizeof blob);
}

void core_store_lost(cradle_device_t *device, int64_t count, uint64_t upto)
{
    device->lost += count;
    if (upto > device->lost_upto) {
        device->lost_upto = upto;
    }
    save_lost(device);
}

void core_store_reset(cradle_device_t *device)
{
    const cradle_port_t *port = device->port;
    set(device, RESET, "1", 1);
    port->erase(port->ctx, WIFI);
    port->erase(port->ctx, CONFIG);
    port->erase(port->ctx, CORE_PENDING);
    core_store_drop_ticket(device);
    port->trim(port->ctx, UINT64_MAX);
    if (port->purge != NULL) {
        port->purge(port->ctx);
    }
    /* What was lost of the former owner's is no concern of the next. */
    device->lost = -(int64_t)port->dropped(port->ctx);
    device->lost_upto = 0;
    save_lost(device);
    bytes_wipe(&device->wifi, sizeof device->wifi);
    bytes_wipe(device->ticket, sizeof device->ticket);
    device->kept = false;
    device->candidate = false;
    draw_epoch(device);
    port->erase(port->ctx, RESET);
}

void core_store_new_epoch(cradle_device_t *device)
{
    draw_epoch(device);
    if (device->kept) {
        core_store_keep_wifi(device);
    }
    device->steward.streaming = false;
    device->steward.granted = 0;
}

void core_store_load(cradle_device_t *device)
{
    const cradle_port_t *port = device->port;
    uint8_t mark[1];
    size_t len = 0;
    bool fits;
    if (port->get(port->ctx, RESET, mark, sizeof mark, &len)) {
        core_store_reset(device);
    }
    load_lost(device);
    bool known = port->get(port->ctx, EPOCH, device->epoch, sizeof device->epoch, &len) &&
                 len == sizeof device->epoch;
    device->kept = load_wifi(device, &fits);
    if (!known || (device->kept && !fits)) {
        core_store_new_epoch(device);
    }
    load_steward(device);
    uint8_t ticket[JWS_TICKET_MAX];
    device->steward.ticket =
        device->kept && port->get(port->ctx, CORE_TICKET, ticket, sizeof ticket, &len);
    bytes_wipe(ticket, sizeof ticket);
    if (!device->kept) {
        core_store_drop_ticket(device);
    }
}

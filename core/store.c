/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the brain keeps in the settings:
 *
 *     wifi    version 2, epoch, SSID and passphrase with their NULs
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

#define WIFI_VERSION 2

/* The settings byte for byte, as this processor has them: no other reads them. */
typedef struct {
    uint8_t version;
    uint8_t epoch[CRADLE_EPOCH_SIZE];
    cradle_wifi_t wifi;
} kept_wifi_t;

typedef struct {
    int64_t count;
    uint64_t upto;
} kept_lost_t;

typedef struct {
    uint8_t version;
    uint8_t epoch[CRADLE_EPOCH_SIZE];
    uint8_t streaming;
    uint8_t granted;
    uint8_t floor[4];
} kept_t;

static bool set(cradle_device_t *device, const char *name, const void *data, size_t len)
{
    return device->port->set(device->port->ctx, name, data, len);
}

bool core_get(const cradle_device_t *device, const char *name, void *out, size_t cap, size_t *len)
{
    return device->port->get(device->port->ctx, name, out, cap, len);
}

void core_erase(cradle_device_t *device, const char *name)
{
    device->port->erase(device->port->ctx, name);
}

static void draw_epoch(cradle_device_t *device)
{
    device->port->random(device->port->ctx, device->epoch, sizeof device->epoch);
    set(device, EPOCH, device->epoch, sizeof device->epoch);
}

void core_store_drop_ticket(cradle_device_t *device)
{
    device->steward.ticket = false;
    core_erase(device, CORE_TICKET);
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
    if (!core_get(device, STEWARD, &kept, sizeof kept, &len) || len != sizeof kept ||
        kept.version != 1) {
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
    kept_wifi_t kept = {.version = WIFI_VERSION, .wifi = device->wifi};
    memcpy(kept.epoch, device->epoch, sizeof kept.epoch);
    bool done = keep_ticket(device) && set(device, WIFI, &kept, sizeof kept);
    bytes_wipe(&kept, sizeof kept);
    return done;
}

/* *fits: the epoch beside them is the device's. */
static bool load_wifi(cradle_device_t *device, bool *fits)
{
    kept_wifi_t kept;
    size_t len = 0;
    bool ok = core_get(device, WIFI, &kept, sizeof kept, &len) && len == sizeof kept &&
              kept.version == WIFI_VERSION && kept.wifi.ssid[0] != '\0' &&
              kept.wifi.ssid[CRADLE_SSID_MAX] == '\0' &&
              kept.wifi.passphrase[CRADLE_PASSPHRASE_MAX] == '\0';
    *fits = ok && memcmp(kept.epoch, device->epoch, sizeof kept.epoch) == 0;
    if (ok) {
        device->wifi = kept.wifi;
    }
    bytes_wipe(&kept, sizeof kept);
    return ok;
}

static void load_lost(cradle_device_t *device)
{
    kept_lost_t kept;
    size_t len = 0;
    if (!core_get(device, LOST, &kept, sizeof kept, &len) || len != sizeof kept) {
        return;
    }
    device->lost = kept.count;
    device->lost_upto = kept.upto;
    if (device->lost_upto > 0) {
        /* The power may have gone between counting and trimming. */
        device->port->trim(device->port->ctx, device->lost_upto);
    }
}

static void save_lost(cradle_device_t *device)
{
    const kept_lost_t kept = {device->lost, device->lost_upto};
    set(device, LOST, &kept, sizeof kept);
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
    core_erase(device, WIFI);
    core_erase(device, CONFIG);
    core_erase(device, CORE_PENDING);
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
    core_erase(device, RESET);
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
    uint8_t mark[1];
    size_t len = 0;
    bool fits;
    if (core_get(device, RESET, mark, sizeof mark, &len)) {
        core_store_reset(device);
    }
    load_lost(device);
    bool known = core_get(device, EPOCH, device->epoch, sizeof device->epoch, &len) &&
                 len == sizeof device->epoch;
    device->kept = load_wifi(device, &fits);
    if (!known || (device->kept && !fits)) {
        core_store_new_epoch(device);
    }
    load_steward(device);
    uint8_t ticket[JWS_TICKET_MAX];
    device->steward.ticket =
        device->kept && core_get(device, CORE_TICKET, ticket, sizeof ticket, &len);
    bytes_wipe(ticket, sizeof ticket);
    if (!device->kept) {
        core_store_drop_ticket(device);
    }
}

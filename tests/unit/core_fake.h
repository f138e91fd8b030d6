/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_fake: a port for the device's brain, in memory: settings, an outbox with a bound, a seeded
 * random source, power cuts; and a driver that performs actions by writing them down.
 */
#ifndef CRADLE_TESTS_CORE_FAKE_H
#define CRADLE_TESTS_CORE_FAKE_H

#include "core/device.h"

#define FAKE_SETTINGS 16
#define FAKE_RECORDS  4096
#define FAKE_VALUE    3600
#define FAKE_TEXT     4096

/* What survives a power cut. */
typedef struct {
    struct {
        char name[16];
        uint8_t data[FAKE_VALUE];
        size_t len;
    } settings[FAKE_SETTINGS];
    struct {
        uint64_t number;
        uint8_t data[CRADLE_RECORD_MAX];
        size_t len;
    } * records; /* ring of FAKE_RECORDS */
    size_t first, count;
    size_t bound;  /* records that fit */
    size_t sector; /* how many are dropped at once when it is full */
    uint64_t next_number;
    uint64_t dropped;
    uint64_t trimmed;
    unsigned writes; /* that changed something, since fake_new */
    int cut_at;      /* this write from now is the last thing that happens (-1: never) ... */
    bool cut_before; /* ... or does not happen any more                                   */
    bool dead;
    bool broken; /* every write fails, the power stays */
    uint64_t random;
    unsigned purged;
    /* Called for each record that leaves the outbox; may be NULL. */
    void (*gone)(void *ctx, const uint8_t *record, size_t len, bool trimmed);
    void *gone_ctx;
} fake_t;

/* What the driver saw. */
typedef struct {
    fake_t *fake;
    cradle_device_t device;
    cradle_port_t port;
    const cradle_product_t *product;
    cradle_facts_t facts;
    uint64_t now;
    unsigned changes;
    cradle_state_t last_from, last_to;
    char last_why[80];
    uint32_t last_wait;
    /* the action that world_next took, with copies of its texts */
    cradle_action_t action;
    char topic[CRADLE_TOPIC_MAX];
    char payload[FAKE_TEXT];
    size_t payload_len;
    char ssid[40], passphrase[80];
} world_t;

fake_t *fake_new(uint64_t seed);
void fake_free(fake_t *fake);
void fake_power(fake_t *fake); /* after a cut: writes work again */
uint32_t fake_random(fake_t *fake, uint32_t below);
bool fake_has(const fake_t *fake, const char *name);

/* A world around a fake. The device is not booted yet. */
void world_init(world_t *world, fake_t *fake, const cradle_product_t *product);
void world_boot(world_t *world);
void world_event(world_t *world, const cradle_event_t *event);
void world_simple(world_t *world, cradle_event_type_t type); /* an event without content */
void world_tick(world_t *world, uint64_t after_ms);
/* Takes the next action into world->action; false: none. */
bool world_next(world_t *world);
/* The next action must be this one. */
void world_expect(world_t *world, cradle_action_type_t type);
/* There must be no further action. */
void world_quiet(world_t *world);
/* Takes actions until there is none. */
void world_drain(world_t *world);
/* Goes to the deadline (which must exist, and be at most `within_ms` away) and ticks. */
uint64_t world_wait(world_t *world, uint64_t within_ms);
cradle_status_t world_status(const world_t *world);

/* Shortcuts along the good way. Each leaves no action behind. */
void world_credentials(world_t *world, const char *ssid, const char *passphrase);
void world_wifi_down(world_t *world, uint16_t reason);
void world_clock(world_t *world, int64_t unix_ms);
void world_cloud_down(world_t *world, cradle_down_t why, bool closed_by_peer);
void world_ack(world_t *world, uint16_t token);
void world_message(world_t *world, const char *topic, const char *payload);
/* From boot with kept Wi-Fi to subscribed; the clock is UNIX_MS. Actions after SUBSCRIBED are left
   to the caller. */
#define UNIX_MS 1767225600000
void world_online(world_t *world);
void world_reconnect(world_t *world); /* from connecting to subscribed */
/* Kept Wi-Fi in the settings, without going through provisioning. */
void world_provision(world_t *world);

#endif

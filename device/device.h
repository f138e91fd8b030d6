/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device: the brain on Linux: one unit on an event loop. It boots from flash bytes, performs the
 * brain's actions with a simulated radio, real TLS, MQTT and HTTP, and feeds back what happens.
 * It decides nothing that the brain decides. Several may share one loop.
 */
#ifndef CRADLE_DEVICE_DEVICE_H
#define CRADLE_DEVICE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/device.h"
#include "device/boot.h"
#include "net/loop.h"

typedef struct device device_t;

typedef struct {
    const char *air;      /* directory of the simulated air                                      */
    const char *networks; /* its networks.json                                                   */
    const char *cloud;    /* "host:port" instead of localhost:8883; only without a device.json   */
    void *ctx;
    /* One line a change, for a person; never a secret. */
    void (*log)(void *ctx, const char *sn, const char *text);
    /* It has stopped (after device_stop), or needs a new start (reboot). Called last. */
    void (*halted)(void *ctx, bool reboot);
} device_settings_t;

/* Boots. Takes `flash` over, on failure too; `mac` as in boot.h. The texts of the settings must
   outlive the device. */
bool device_open(device_t **device, loop_t *loop, flash_t *flash, const uint8_t mac[6],
                 const device_settings_t *settings, err_t *err);

/* The button: a factory reset. */
void device_reset(device_t *device);

/* The same for a unit that does not run. Takes `flash` over. */
bool device_reset_flash(flash_t *flash, const uint8_t mac[6], err_t *err);

/* The button, short: confirms a claim code. */
void device_press(device_t *device);

/* Asks it to end; `halted` follows. */
void device_stop(device_t *device);

/* At any time, outside of its callbacks. NULL is allowed. */
void device_close(device_t *device);

const boot_t *device_boot(const device_t *device);
void device_status(const device_t *device, cradle_status_t *status);

#endif

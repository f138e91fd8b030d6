/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run: one simulated unit as a process: finds its flash, runs it until SIGTERM or SIGINT, boots it
 * again when it asks for that, and says in run/device-SN.json that it is there. SIGUSR1 is its
 * button held long (factory reset), SIGUSR2 pressed short.
 */
#ifndef CRADLE_DEVICE_RUN_H
#define CRADLE_DEVICE_RUN_H

#include <stdbool.h>

#include "base/err.h"
#include "flash/flash.h"
#include "site/site.h"

typedef struct {
    const char *sn;       /* a unit of the site; or NULL with `flash`                         */
    const char *flash;    /* a raw image of the whole flash, which is written to              */
    const char *networks; /* NULL: the site's air/networks.json                               */
    const char *cloud;    /* "host:port", for an identity without device.json                 */
    bool json;            /* log lines as JSON                                                */
    bool quiet;           /* no log lines                                                     */
} device_run_t;

/* Blocks until the process is asked to end. */
bool device_run(const site_t *site, const device_run_t *run, err_t *err);

/* The button of a unit of the site, held long or pressed short. A running unit is signalled; one
   that does not run is reset in its flash, and cannot be pressed. */
typedef enum { DEVICE_RESET = 0, DEVICE_PRESS } device_button_t;
bool device_button(const site_t *site, const char *sn, device_button_t button, bool *running,
                   err_t *err);

/* Opens the flash of a unit of the site and reads its MAC, as device_run does. */
bool device_unit_open(const site_t *site, const char *sn, bool read_only, flash_t **flash,
                      uint8_t mac[6], err_t *err);

#endif

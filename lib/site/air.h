/* SPDX-License-Identifier: Apache-2.0 */
/*
 * air: writes air/networks.json of a site, the simulated networks that `device/radio.h` reads. One
 * writer for `cradle init`, the bench of station 4 and the demo. Blocking: one small file.
 */
#ifndef CRADLE_SITE_AIR_H
#define CRADLE_SITE_AIR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* "host:port" leads to `address` in a network; for any other name the system's resolver is asked.
 */
typedef struct {
    const char *host;
    const char *address;
} site_air_host_t;

typedef struct {
    const char *ssid;
    const char *password;
    bool up; /* false: out of reach */
    const site_air_host_t *hosts;
    size_t count;
} site_air_t;

/* Writes an air with that one network under the site directory `dir`, whose folder air/ is made if
   missing. The file is of mode 0600 and replaced whole, or, with `only_new`, left alone when there
   is one (ERR_PRECONDITION). ERR_USAGE: the names do not fit 2 KiB. Not checked: that the password
   is one that a real network would take. */
bool site_air_write(const char *dir, const site_air_t *network, bool only_new, err_t *err);

#endif

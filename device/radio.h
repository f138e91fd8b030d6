/* SPDX-License-Identifier: Apache-2.0 */
/*
 * radio: the simulated air. One JSON file says which networks there are, and is read afresh at each
 * question, so that a test or a person can change the world while devices run:
 *
 *     {"networks":[{"ssid":"Alice-Home","password":"...","auth":3,"channel":6,"rssi":-45,
 *       "bssid":"02:00:00:00:00:01","up":true,"clock_offset_ms":0,
 *       "hosts":{"cloud.cradle.test:8883":"127.0.0.1:40001"}}]}
 *
 * Only ssid is needed; without a password the network is open. `hosts` are the names that this
 * network's resolver knows; any other name is looked up by the system. Blocking: one small file.
 */
#ifndef CRADLE_DEVICE_RADIO_H
#define CRADLE_DEVICE_RADIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "protocomm/device.h"
#include "site/site.h"

#define RADIO_FILE_MAX     65536
#define RADIO_NETWORKS_MAX 64

/* wifi_err_reason_t of ESP-IDF */
enum { RADIO_WRONG_PASSWORD = 15, RADIO_GONE = 200, RADIO_NOT_FOUND = 201 };

/* The networks that are up, in the order of the file. */
bool radio_scan(const char *path, protocomm_network_t *out, size_t cap, size_t *count, err_t *err);

typedef struct {
    protocomm_network_t network;
    int64_t clock_offset_ms;
} radio_joined_t;

/* 0 when the network is there and the password is its own; else a reason. A file that cannot be
   read is an air without networks; `err` says why. */
uint16_t radio_join(const char *path, const char *ssid, const char *password,
                    radio_joined_t *joined, err_t *err);

/* Is a network of that name up? What cannot be read changes nothing: true. */
bool radio_present(const char *path, const char *ssid);

/* Where "host:port" leads in that network: an entry of its hosts, or the text itself. */
bool radio_resolve(const char *path, const char *ssid, const char *host_port,
                   char out[SITE_HOST_SIZE], err_t *err);

#endif

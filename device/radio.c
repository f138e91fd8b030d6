/* SPDX-License-Identifier: Apache-2.0 */
#include "device/radio.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"
#include "json/json.h"
#include "site/identity.h"

/* A network as the file has it. */
typedef struct {
    protocomm_network_t shown;
    bool up;
    bool open;
    char password[65];
    int64_t clock_offset_ms;
} network_t;

static bool load(const char *path, char **text, size_t *len, err_t *err)
{
    if (!file_read(path, RADIO_FILE_MAX, text, len, err)) {
        return false;
    }
    if (!json_valid(*text, *len)) {
        free(*text);
        return err_set(err, ERR_INPUT, "%s is not JSON", path);
    }
    return true;
}

static bool get_i64(const char *text, size_t len, const char *name, int64_t low, int64_t high,
                    int64_t *value)
{
    json_token_t token;
    int64_t v;
    if (!json_find(text, len, name, &token)) {
        return true; /* the default stays */
    }
    if (!json_i64(&token, &v) || v < low || v > high) {
        return false;
    }
    *value = v;
    return true;
}

static bool get_bssid(const char *text, size_t len, uint8_t bssid[6])
{
    json_token_t token;
    char mac[18];
    if (!json_find(text, len, "bssid", &token)) {
        memcpy(bssid, "\x02\0\0\0\0\1", 6);
        return true;
    }
    size_t n;
    if (!json_string(&token, mac, sizeof mac, &n) || n != 17) {
        return false;
    }
    for (int i = 0; i < 6; i++) {
        if (!bytes_from_hex(mac + 3 * i, 2, &bssid[i], 1)) {
            return false;
        }
    }
    return true;
}

/* Network `index` of the file. *end: there is none. */
static bool read_network(const char *text, size_t len, unsigned index, network_t *network,
                         json_token_t *whole, bool *end, err_t *err)
{
    char path[32];
    char ssid[33];
    size_t ssid_len;
    json_token_t token;
    int64_t auth = 3;
    int64_t channel = 6;
    int64_t rssi = -50;
    memset(network, 0, sizeof *network);
    snprintf(path, sizeof path, "networks.%u", index);
    *end = !json_find(text, len, path, whole);
    if (*end) {
        return true;
    }
    network->open = !json_find(whole->text, whole->len, "password", &token);
    bool ok =
        network->open || json_string(&token, network->password, sizeof network->password, NULL);
    ok = ok && json_find(whole->text, whole->len, "ssid", &token) &&
         json_string(&token, ssid, sizeof ssid, &ssid_len) && ssid_len > 0;
    auth = network->open ? 0 : auth;
    ok = ok && get_i64(whole->text, whole->len, "auth", 0, 16, &auth) &&
         get_i64(whole->text, whole->len, "channel", 1, 196, &channel) &&
         get_i64(whole->text, whole->len, "rssi", -128, 0, &rssi) &&
         get_i64(whole->text, whole->len, "clock_offset_ms", INT64_MIN / 4, INT64_MAX / 4,
                 &network->clock_offset_ms) &&
         get_bssid(whole->text, whole->len, network->shown.bssid);
    if (!ok) {
        return err_set(err, ERR_INPUT,
                       "network %u of the simulated air is not as described in "
                       "device/radio.h",
                       index);
    }
    memcpy(network->shown.ssid, ssid, ssid_len);
    network->shown.ssid_len = (uint8_t)ssid_len;
    network->shown.auth = (uint8_t)auth;
    network->shown.channel = (uint8_t)channel;
    network->shown.rssi = (int8_t)rssi;
    network->up = !json_find(whole->text, whole->len, "up", &token) || token.type == JSON_TRUE;
    return true;
}

bool radio_scan(const char *path, protocomm_network_t *out, size_t cap, size_t *count, err_t *err)
{
    char *text;
    size_t len;
    *count = 0;
    if (!load(path, &text, &len, err)) {
        return false;
    }
    bool ok = true;
    bool end = false;
    for (unsigned i = 0; ok && !end && i < RADIO_NETWORKS_MAX && *count < cap; i++) {
        network_t network;
        json_token_t whole;
        ok = read_network(text, len, i, &network, &whole, &end, err);
        if (ok && !end && network.up) {
            out[(*count)++] = network.shown;
        }
        bytes_wipe(&network, sizeof network);
    }
    bytes_wipe(text, len);
    free(text);
    return ok;
}

/* The network of that name which is up. */
static bool find(const char *text, size_t len, const char *ssid, network_t *network,
                 json_token_t *whole, err_t *err)
{
    bool end = false;
    size_t ssid_len = strlen(ssid);
    for (unsigned i = 0; i < RADIO_NETWORKS_MAX; i++) {
        if (!read_network(text, len, i, network, whole, &end, err) || end) {
            return false;
        }
        if (network->up && network->shown.ssid_len == ssid_len &&
            memcmp(network->shown.ssid, ssid, ssid_len) == 0) {
            return true;
        }
    }
    return false;
}

bool radio_present(const char *path, const char *ssid)
{
    char *text;
    size_t len;
    network_t network;
    json_token_t whole;
    err_t err = ERR_INIT;
    if (!load(path, &text, &len, &err)) {
        return true;
    }
    bool present = find(text, len, ssid, &network, &whole, &err) || err.kind != ERR_NONE;
    bytes_wipe(&network, sizeof network);
    bytes_wipe(text, len);
    free(text);
    return present;
}

uint16_t radio_join(const char *path, const char *ssid, const char *password,
                    radio_joined_t *joined, err_t *err)
{
    char *text;
    size_t len;
    network_t network;
    json_token_t whole;
    uint16_t reason = RADIO_NOT_FOUND;
    if (!load(path, &text, &len, err)) {
        return reason;
    }
    if (find(text, len, ssid, &network, &whole, err)) {
        bool right = network.open || strcmp(network.password, password) == 0;
        reason = right ? 0 : RADIO_WRONG_PASSWORD;
        joined->network = network.shown;
        joined->clock_offset_ms = network.clock_offset_ms;
    }
    bytes_wipe(&network, sizeof network);
    bytes_wipe(text, len);
    free(text);
    return reason;
}

/* The member `name` of an object; names with dots cannot be reached by json_find's paths. */
static bool find_member(const json_token_t *object, const char *name, json_token_t *value)
{
    json_reader_t reader;
    json_token_t token;
    bool found = false;
    json_reader_init(&reader, object->text, object->len);
    if (json_next(&reader, &token) != JSON_OBJECT) {
        return false;
    }
    while (json_next(&reader, &token) == JSON_KEY) {
        bool here = json_equals(&token, name);
        json_next(&reader, &token);
        json_token_t whole;
        if (!json_skip(&reader, &token, &whole)) {
            return false;
        }
        if (here) {
            *value = token;
            found = true;
        }
    }
    return found;
}

bool radio_resolve(const char *path, const char *ssid, const char *host_port,
                   char out[SITE_HOST_SIZE], err_t *err)
{
    char *text;
    size_t len;
    network_t network;
    json_token_t whole;
    json_token_t hosts;
    json_token_t token;
    snprintf(out, SITE_HOST_SIZE, "%s", host_port);
    if (!load(path, &text, &len, err)) {
        return false;
    }
    bool ok = true;
    if (find(text, len, ssid, &network, &whole, err) &&
        json_find(whole.text, whole.len, "hosts", &hosts) &&
        find_member(&hosts, host_port, &token)) {
        ok = (json_string(&token, out, SITE_HOST_SIZE, NULL) && site_host_port_valid(out)) ||
             err_set(err, ERR_INPUT, "the simulated air leads %s to no usable address", host_port);
    }
    bytes_wipe(&network, sizeof network);
    bytes_wipe(text, len);
    free(text);
    return ok;
}

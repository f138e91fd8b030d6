/* SPDX-License-Identifier: Apache-2.0 */
#include "factory/station.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "factory/internal.h"
#include "factory/ledger.h"

const char *factory_state_name(factory_state_t state)
{
    static const char *const NAMES[FACTORY_STATES] = {"unknown",    "assembled", "flashed",
                                                      "identified", "tested",    "labelled",
                                                      "shipped",    "scrapped"};
    return (unsigned)state < FACTORY_STATES ? NAMES[state] : "unknown";
}

/* Since the unit's latest rework, if there was one; without one clocks do not matter. */
static bool done(const factory_item_t *item, int64_t time)
{
    return time > 0 && (item->reworks == 0 || time >= item->identity_ms);
}

factory_state_t factory_item_state(const factory_item_t *item)
{
    if (item->scrap_ms > 0) {
        return FACTORY_SCRAPPED;
    }
    if (item->identity_ms > 0) {
        return done(item, item->ship_ms)    ? FACTORY_SHIPPED
               : done(item, item->label_ms) ? FACTORY_LABELLED
               : done(item, item->test_ms)  ? FACTORY_TESTED
                                            : FACTORY_IDENTIFIED;
    }
    if (item->flash_ms > 0) {
        return FACTORY_FLASHED;
    }
    return item->board_ms > 0 && item->checks_passed ? FACTORY_ASSEMBLED : FACTORY_UNKNOWN;
}

static bool open_station(const site_t *site, const char *writer, factory_station_t **out,
                         err_t *err)
{
    char path[FILE_PATH_MAX];
    factory_station_t *station = calloc(1, sizeof *station);
    *out = NULL;
    if (station == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a station");
    }
    station->site = site;
    snprintf(station->writer, sizeof station->writer, "%s", writer == NULL ? "" : writer);
    bool ok = site_path(site, "factory/custody.db", path, err) &&
              ((writer == NULL && !file_exists(path)) ||
               custody_open(path, writer, &station->custody, err)) &&
              factory_station_refresh(station, err);
    if (!ok) {
        factory_station_close(station);
        return false;
    }
    *out = station;
    return true;
}

bool factory_station_open(const site_t *site, const char *writer, factory_station_t **station,
                          err_t *err)
{
    return open_station(site, writer == NULL ? FACTORY_WRITER : writer, station, err);
}

bool factory_station_look(const site_t *site, factory_station_t **station, err_t *err)
{
    return open_station(site, NULL, station, err);
}

void factory_station_close(factory_station_t *station)
{
    if (station != NULL) {
        factory_ledger_free(&station->ledger);
        custody_close(station->custody);
        free(station);
    }
}

const char *factory_station_notice(const factory_station_t *station)
{
    return station->notice;
}

bool factory_station_refresh(factory_station_t *station, err_t *err)
{
    return station->custody == NULL ||
           factory_ledger_refresh(&station->ledger, station->custody, err);
}

bool factory_station_append(factory_station_t *station, const char *sn, const char *kind,
                            const char *detail, err_t *err)
{
    const custody_event_t event = {.sn = sn, .kind = kind, .detail = detail};
    return custody_append(station->custody, &event, 1, clock_wall_ms(), err);
}

bool factory_find_mac(factory_station_t *station, const char *mac, factory_item_t *item, err_t *err)
{
    if (!factory_station_refresh(station, err)) {
        return false;
    }
    const factory_item_t *found = factory_ledger_mac(&station->ledger, mac);
    if (found == NULL) {
        return err_set(err, ERR_PRECONDITION,
                       "there is no board %s; register it: cradle factory assemble %s", mac, mac);
    }
    *item = *found;
    return true;
}

bool factory_find_sn(factory_station_t *station, const char *sn, factory_item_t *item, err_t *err)
{
    if (!site_sn_check(sn, err) || !factory_station_refresh(station, err)) {
        return false;
    }
    const factory_item_t *found = factory_ledger_sn(&station->ledger, sn);
    if (found == NULL || found->identity_ms == 0) {
        return site_sn_typed(station->site, sn, err) &&
               err_set(err, ERR_PRECONDITION,
                       "there is no unit %s; `cradle factory list` shows the units", sn);
    }
    *item = *found;
    return true;
}

bool factory_each_item(factory_station_t *station,
                       bool (*each)(void *context, const factory_item_t *item), void *context,
                       err_t *err)
{
    if (!factory_station_refresh(station, err)) {
        return false;
    }
    for (size_t i = 0; i < station->ledger.count && each(context, &station->ledger.item[i]); i++) {
    }
    return true;
}

bool factory_mac_parse(const char *text, char out[FACTORY_MAC_SIZE], err_t *err)
{
    static const uint8_t ZERO[6];
    uint8_t mac[6];
    size_t len = strlen(text);
    bool ok = len == 12 && bytes_from_hex(text, 12, mac, 6);
    if (!ok && len == 17 && (text[2] == ':' || text[2] == '-')) {
        ok = true;
        for (size_t i = 0; i < 6 && ok; i++) {
            ok = bytes_from_hex(text + 3 * i, 2, &mac[i], 1) &&
                 (i == 5 || text[3 * i + 2] == text[2]);
        }
    }
    if (!ok) {
        return err_set(err, ERR_USAGE, "\"%.40s\" is no MAC; scan one such as A0:B1:C2:D3:E4:F5",
                       text);
    }
    if ((mac[0] & 1) != 0 || memcmp(mac, ZERO, 6) == 0) {
        return err_set(err, ERR_USAGE, "%.17s cannot be the MAC of a board", text);
    }
    snprintf(out, FACTORY_MAC_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
             mac[4], mac[5]);
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What custody says of a unit, in and out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"
#include "factory/internal.h"
#include "factory/station.h"
#include "json/json.h"

bool factory_service_name(const char *mac, char out[FACTORY_SERVICE_SIZE])
{
    uint8_t bytes[6];
    out[0] = '\0';
    if (strlen(mac) != FACTORY_MAC_SIZE - 1) {
        return false;
    }
    for (int i = 0; i < 6; i++) {
        if (!bytes_from_hex(mac + 3 * i, 2, &bytes[i], 1) || (i < 5 && mac[3 * i + 2] != ':')) {
            return false;
        }
    }
    snprintf(out, FACTORY_SERVICE_SIZE, "ESP-PROV-%02X%02X", bytes[4], bytes[5]);
    return true;
}

bool factory_custody_open(const site_t *site, const char *writer, custody_t **custody, err_t *err)
{
    char path[FILE_PATH_MAX];
    return site_path(site, "factory/custody.db", path, err) &&
           custody_open(path, writer, custody, err);
}

bool factory_record_write(const factory_unit_t *unit, char *out, size_t cap, err_t *err)
{
    json_writer_t w;
    json_writer_init(&w, out, cap);
    json_object(&w);
    json_key(&w, "mac");
    json_put_string(&w, unit->mac);
    json_key(&w, "leaf");
    json_put_string(&w, unit->leaf_sha256);
    json_key(&w, "credentials");
    json_put_string(&w, unit->credentials_id);
    json_key(&w, "identity");
    json_put_string(&w, unit->identity_sha256);
    json_key(&w, "not_after");
    json_put_i64(&w, unit->not_after);
    json_key(&w, "adopted");
    json_put_bool(&w, unit->adopted);
    if (unit->board) {
        json_key(&w, "board");
        json_put_string(&w, unit->mac);
    }
    json_end(&w);
    return json_writer_done(&w, NULL) ||
           err_set(err, ERR_USAGE, "the record of %s does not fit", unit->sn);
}

static bool get_text(const custody_entry_t *entry, const char *name, char *out, size_t cap)
{
    json_token_t value;
    size_t len;
    return json_find(entry->detail, strlen(entry->detail), name, &value) &&
           json_string(&value, out, cap, &len) && len == cap - 1;
}

bool factory_record_read(const custody_entry_t *entry, factory_unit_t *unit)
{
    json_token_t value;
    size_t len = strlen(entry->detail);
    memset(unit, 0, sizeof *unit);
    unit->made_ms = entry->time_ms;
    if (!site_sn_check(entry->sn, NULL)) {
        return false;
    }
    snprintf(unit->sn, sizeof unit->sn, "%s", entry->sn);
    unit->board = json_find(entry->detail, len, "board", &value);
    return get_text(entry, "mac", unit->mac, sizeof unit->mac) &&
           factory_service_name(unit->mac, unit->service) &&
           get_text(entry, "leaf", unit->leaf_sha256, sizeof unit->leaf_sha256) &&
           get_text(entry, "credentials", unit->credentials_id, sizeof unit->credentials_id) &&
           get_text(entry, "identity", unit->identity_sha256, sizeof unit->identity_sha256) &&
           json_find(entry->detail, len, "not_after", &value) &&
           json_i64(&value, &unit->not_after) && json_find(entry->detail, len, "adopted", &value) &&
           ((unit->adopted = value.type == JSON_TRUE) || value.type == JSON_FALSE);
}

/* A rework that was done elsewhere says less, and leaves the record as it was. */
static bool is_record(const custody_entry_t *entry)
{
    json_token_t value;
    return strcmp(entry->kind, CUSTODY_IDENTITY) == 0 ||
           (strcmp(entry->kind, FACTORY_REWORK) == 0 &&
            json_find(entry->detail, strlen(entry->detail), "identity", &value));
}

/* What reworks made of some units; they are few. */
typedef struct {
    factory_unit_t *unit;
    size_t count;
    bool full;
    char damaged[CUSTODY_SN_SIZE];
} reworks_t;

static factory_unit_t *find_rework(const reworks_t *reworks, const char *sn)
{
    for (size_t i = 0; i < reworks->count; i++) {
        if (strcmp(reworks->unit[i].sn, sn) == 0) {
            return &reworks->unit[i];
        }
    }
    return NULL;
}

static bool add_rework(void *context, const custody_entry_t *entry)
{
    reworks_t *reworks = context;
    factory_unit_t unit;
    if (!is_record(entry)) {
        return true;
    }
    if (!factory_record_read(entry, &unit)) {
        snprintf(reworks->damaged, sizeof reworks->damaged, "%s", entry->sn);
        return false;
    }
    factory_unit_t *known = find_rework(reworks, unit.sn);
    if (known != NULL) {
        if (unit.made_ms >= known->made_ms) {
            *known = unit;
        }
        return true;
    }
    factory_unit_t *more = realloc(reworks->unit, (reworks->count + 1) * sizeof *more);
    if (more == NULL) {
        reworks->full = true;
        return false;
    }
    reworks->unit = more;
    reworks->unit[reworks->count++] = unit;
    return true;
}

typedef struct {
    bool (*each)(void *context, const factory_unit_t *unit);
    void *context;
    reworks_t reworks;
    char damaged[CUSTODY_SN_SIZE];
} walk_t;

static bool walk(void *context, const custody_entry_t *entry)
{
    walk_t *w = context;
    factory_unit_t unit;
    if (!factory_record_read(entry, &unit)) {
        snprintf(w->damaged, sizeof w->damaged, "%s", entry->sn);
        return false;
    }
    const factory_unit_t *rework = find_rework(&w->reworks, unit.sn);
    return w->each(w->context, rework != NULL ? rework : &unit);
}

bool factory_each(const site_t *site, bool (*each)(void *context, const factory_unit_t *unit),
                  void *context, err_t *err)
{
    walk_t w = {.each = each, .context = context};
    custody_t *custody;
    char path[FILE_PATH_MAX];
    if (!site_path(site, "factory/custody.db", path, err)) {
        return false;
    }
    if (!file_exists(path)) {
        return true; /* nothing was made yet */
    }
    if (!custody_open(path, NULL, &custody, err)) {
        return false;
    }
    bool ok = custody_each_of_kind(custody, FACTORY_REWORK, add_rework, &w.reworks, err) &&
              (!w.reworks.full || err_set(err, ERR_SYSTEM, "out of memory for the reworks"));
    memcpy(w.damaged, w.reworks.damaged, sizeof w.damaged);
    ok = ok &&
         (w.damaged[0] != '\0' || custody_each_of_kind(custody, CUSTODY_IDENTITY, walk, &w, err));
    custody_close(custody);
    free(w.reworks.unit);
    if (ok && w.damaged[0] != '\0') {
        return err_set(err, ERR_INPUT,
                       "custody's record of %s cannot be read; run `cradle custody verify`",
                       w.damaged);
    }
    return ok;
}

typedef struct {
    factory_unit_t *unit;
    bool found;
    bool damaged;
} find_t;

static bool take(void *context, const custody_entry_t *entry)
{
    find_t *find = context;
    if (is_record(entry)) {
        find->found = true;
        find->damaged = !factory_record_read(entry, find->unit) || find->damaged;
    }
    return true; /* by time: the last one counts */
}

static bool found_well(const site_t *site, const find_t *find, const char *sn, err_t *err)
{
    if (!find->found) {
        return site_sn_typed(site, sn, err) &&
               err_set(err, ERR_PRECONDITION,
                       "there is no unit %s; `cradle factory list` shows the units", sn);
    }
    return !find->damaged ||
           err_set(err, ERR_INPUT,
                   "custody's record of %s cannot be read; run `cradle custody verify`", sn);
}

bool factory_record_get(const site_t *site, custody_t *custody, const char *sn,
                        factory_unit_t *unit, err_t *err)
{
    find_t find = {.unit = unit};
    return custody_each_of_sn(custody, sn, take, &find, err) && found_well(site, &find, sn, err);
}

bool factory_record_find(const site_t *site, const char *sn, factory_unit_t *unit, err_t *err)
{
    find_t find = {.unit = unit};
    custody_t *custody;
    char path[FILE_PATH_MAX];
    if (!site_sn_check(sn, err) || !site_path(site, "factory/custody.db", path, err)) {
        return false;
    }
    if (file_exists(path)) {
        if (!custody_open(path, NULL, &custody, err)) {
            return false;
        }
        bool ok = custody_each_of_sn(custody, sn, take, &find, err);
        custody_close(custody);
        if (!ok) {
            return false;
        }
    }
    return found_well(site, &find, sn, err);
}

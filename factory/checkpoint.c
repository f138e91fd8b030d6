/* SPDX-License-Identifier: Apache-2.0 */
#include "factory/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "factory/internal.h"
#include "pki/key.h"
#include "site/pack.h"

#define REPLACE_MS 3600000

static bool load_key(const site_t *site, EVP_PKEY **key, err_t *err)
{
    char path[FILE_PATH_MAX];
    *key = NULL;
    return site_pack_key(site, path, err) && site_pub_path(site, SITE_PACK_KEY, path, err) &&
           pki_key_public_load(path, key, err);
}

/* The text of a checkpoint that is taken now; the caller frees it. */
static bool make(const site_t *site, custody_t *custody, custody_point_t *point, char **text,
                 size_t *len, err_t *err)
{
    char path[FILE_PATH_MAX];
    pki_signer_t *signer = NULL;
    *text = malloc(CUSTODY_POINT_MAX);
    if (*text == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a checkpoint");
    }
    bool ok = site_pack_key(site, path, err) && pki_signer_open(path, &signer, err) &&
              custody_point_take(custody, site->id, clock_wall_ms(), point, err) &&
              custody_point_sign(point, signer, *text, len, err);
    pki_signer_close(signer);
    if (!ok) {
        free(*text);
        *text = NULL;
        err_add(err, "a checkpoint of custody");
    }
    return ok;
}

bool factory_checkpoint_each(const site_t *site, custody_point_each_t each, void *context,
                             err_t *err)
{
    EVP_PKEY *key;
    if (site->checkpoint_dir[0] == '\0') {
        return true;
    }
    bool ok = site_checkpoint_dir_check(site, err) && load_key(site, &key, err) &&
              (custody_point_each(site->checkpoint_dir, key, site->id, each, context, err) ||
               (pki_key_free(key), false));
    if (ok) {
        pki_key_free(key);
    }
    return ok;
}

/* ---- what a run has to know ---- */

typedef struct {
    custody_t *custody;
    factory_floor_t *floor;
    custody_finding_t first; /* the first thing that custody lacks */
    bool behind;
    char youngest[FILE_PATH_MAX];
    err_t *err;
    bool ok;
} reading_t;

static void note(void *context, const custody_finding_t *finding)
{
    reading_t *reading = context;
    if (!reading->behind) {
        reading->first = *finding;
    }
    reading->behind = true;
}

static bool compare(void *context, const char *path, const custody_point_t *point)
{
    reading_t *reading = context;
    custody_verdict_t verdict;
    uint64_t number = custody_point_number(point);
    snprintf(reading->youngest, sizeof reading->youngest, "%s", path);
    reading->floor->floor = number > reading->floor->floor ? number : reading->floor->floor;
    reading->ok = custody_compare(reading->custody, point->head, point->count, note, reading,
                                  &verdict, reading->err);
    return reading->ok;
}

/* The youngest one's name, if it is of this hour; it may go, as custody leads to it. */
static void take_name(const char *path, char name[CUSTODY_POINT_NAME_SIZE])
{
    const char *base = strrchr(path, '/');
    const char *time = strrchr(path, '-');
    int64_t now = clock_wall_ms();
    int64_t then = time == NULL ? 0 : strtoll(time + 1, NULL, 10);
    if (base != NULL && then <= now && now - then < REPLACE_MS) {
        snprintf(name, CUSTODY_POINT_NAME_SIZE, "%s", base + 1);
    }
}

bool factory_floor_read(const site_t *site, custody_t *custody, factory_floor_t *floor, err_t *err)
{
    reading_t reading = {.custody = custody, .floor = floor, .err = err, .ok = true};
    memset(floor, 0, sizeof *floor);
    if (!factory_checkpoint_each(site, compare, &reading, err) || !reading.ok) {
        return false;
    }
    if (!reading.behind) {
        take_name(reading.youngest, floor->name);
    } else {
        snprintf(floor->notice, sizeof floor->notice,
                 "this site was restored from a back-up, or its record was tampered with: %.160s. "
                 "No number up to %" PRIu64 " is given out again. Put a younger back-up in place, "
                 "or look for the units that are missing (`cradle custody verify`) and then "
                 "confirm the loss: cradle custody restored",
                 reading.first.text, floor->floor);
    }
    return true;
}

bool factory_floor_notice(const site_t *site, char notice[ERR_TEXT_MAX], err_t *err)
{
    factory_floor_t floor;
    custody_t *custody;
    err_t none = ERR_INIT;
    notice[0] = '\0';
    if (site->checkpoint_dir[0] == '\0') {
        return true;
    }
    if (!factory_custody_open(site, NULL, &custody, &none)) {
        return none.kind == ERR_PRECONDITION || err_set(err, none.kind, "%s", none.text);
    }
    bool ok = factory_floor_read(site, custody, &floor, err);
    if (ok) {
        memcpy(notice, floor.notice, sizeof floor.notice);
    }
    custody_close(custody);
    return ok;
}

bool factory_floor_leave(const site_t *site, custody_t *custody, factory_floor_t *floor, err_t *err)
{
    custody_point_t point;
    char *text;
    size_t len;
    if (site->checkpoint_dir[0] == '\0') {
        return true;
    }
    int lock;
    if (!site_lock(site, "factory-checkpoint", true, &lock, err)) {
        return false;
    }
    bool ok = make(site, custody, &point, &text, &len, err);
    if (ok) {
        ok = custody_point_keep(site->checkpoint_dir, &point, text, len, floor->name, err);
        free(text);
    }
    floor->left = floor->left || ok;
    site_unlock(lock);
    return ok;
}

/* ---- files ---- */

bool factory_checkpoint_write(const site_t *site, const char *path, custody_point_t *point,
                              err_t *err)
{
    custody_t *custody;
    char *text = NULL;
    size_t len;
    if (!factory_custody_open(site, NULL, &custody, err)) {
        return false;
    }
    bool ok =
        make(site, custody, point, &text, &len, err) && file_write(path, text, len, 0644, err);
    free(text);
    custody_close(custody);
    return ok;
}

bool factory_checkpoint_load(const site_t *site, const char *path, custody_point_t *point,
                             err_t *err)
{
    char *text = NULL;
    size_t len;
    EVP_PKEY *key = NULL;
    if (!load_key(site, &key, err)) {
        return false;
    }
    bool ok = file_read(path, CUSTODY_POINT_MAX, &text, &len, err) &&
              (custody_point_read(text, len, key, site->id, point, err) ||
               err_add(err, "the checkpoint %s is refused", path));
    free(text);
    pki_key_free(key);
    return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "factory/rework.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "factory/ca.h"
#include "factory/identity_internal.h"
#include "factory/ledger.h"
#include "pki/key.h"
#include "site/run.h"

/* What is known of the old identity; both may be missing when a rework was cut off. */
typedef struct {
    char pop[SITE_POP_SIZE];
    bool has_pop;
    pki_chain_t chain;
} old_t;

static void read_old(const site_t *site, const factory_unit_t *unit, old_t *old)
{
    factory_content_t content;
    memset(old, 0, sizeof *old);
    if (factory_unit_verify(site, unit, &content, NULL)) {
        old->has_pop = content.has_json && content.identity.pop[0] != '\0';
        snprintf(old->pop, sizeof old->pop, "%s", content.identity.pop);
        for (size_t i = 0; i < content.chain.count; i++) {
            pki_chain_add(&old->chain, content.chain.cert[i], NULL);
        }
        factory_content_free(&content);
    }
}

static bool check(factory_station_t *station, const char *sn, factory_item_t *item,
                  factory_unit_t *unit, err_t *err)
{
    char name[SITE_SN_SIZE + 8];
    char run[SITE_RUN_MAX + 1];
    if (!factory_find_sn(station, sn, item, err) ||
        !factory_record_find(station->site, sn, unit, err)) {
        return false;
    }
    if (item->scrap_ms > 0) {
        return err_set(err, ERR_PRECONDITION, "%s was scrapped", sn);
    }
    snprintf(name, sizeof name, "device-%s", sn);
    return !site_run_read(station->site, name, run, NULL, NULL) ||
           err_set(err, ERR_PRECONDITION, "%s is running; stop it first", sn);
}

/* Before anything is made: from here on the old certificates let nobody in. */
static bool deny(const site_t *site, const factory_rework_t *how, const char *sn, const old_t *old,
                 err_t *err)
{
    char path[FILE_PATH_MAX];
    char *pem;
    size_t len;
    size_t added;
    const factory_ca_t ca = {.site = site, .key = how->product_key};
    const factory_deny_t what = {
        .sn = sn, .reason = PKI_REASON_SUPERSEDED, .now = clock_wall_ms() / 1000};
    if (!how->deny_later) {
        return factory_ca_deny(&ca, &what, &added, err) ||
               err_add(err, "denying the old certificate");
    }
    if (old->chain.count == 0) {
        return true; /* an earlier try left it */
    }
    if (!site_unit_path(site, sn, "old.crt", path, err) ||
        !pki_chain_to_pem(&old->chain, &pem, &len, err)) {
        return false;
    }
    bool ok = file_write(path, pem, len, 0644, err);
    free(pem);
    return ok;
}

static bool make(factory_line_t *line, const old_t *old, factory_unit_t *unit, err_t *err)
{
    factory_files_t files = {0};
    EVP_PKEY *key = NULL;
    int64_t now = clock_wall_ms() / 1000;
    bool ok = factory_line_key(line, &files, &key, err) &&
              factory_line_certify(line, unit->sn, key, now, &files, err) &&
              factory_line_rest(line, old->has_pop ? old->pop : NULL, &files, err) &&
              factory_line_write(line, &files, now, unit, err) &&
              factory_units_sync(line->site, err);
    pki_key_free(key);
    if (files.key != NULL) {
        bytes_wipe(files.key, PKI_KEY_PEM_MAX);
    }
    factory_files_free(&files);
    return ok;
}

static bool record(factory_line_t *line, const char *old_leaf, factory_unit_t *unit, err_t *err)
{
    char detail[1024];
    unit->made_ms = clock_wall_ms();
    unit->adopted = false;
    if (!factory_record_write(unit, detail, sizeof detail - 256, err)) {
        return false;
    }
    size_t len = strlen(detail) - 1; /* its '}' */
    snprintf(detail + len, sizeof detail - len, ",\"old_leaf\":\"%s\",\"new_leaf\":\"%s\"}",
             old_leaf, unit->leaf_sha256);
    const custody_event_t event = {.sn = unit->sn, .kind = FACTORY_REWORK, .detail = detail};
    return custody_append(line->custody, &event, 1, unit->made_ms, err);
}

static bool blank(const site_t *site, const char *sn, err_t *err)
{
    char path[FILE_PATH_MAX];
    return site_device_path(site, sn, NULL, path, err) &&
           (!file_exists(path) || file_remove_tree(path, err));
}

/* The lock is held. */
static bool rework(factory_station_t *station, const factory_rework_t *how, const char *sn,
                   factory_unit_t *unit, err_t *err)
{
    factory_line_t line;
    factory_item_t item;
    chip_t chip;
    old_t old;
    char old_leaf[65];
    if (!check(station, sn, &item, unit, err)) {
        return false;
    }
    memcpy(old_leaf, unit->leaf_sha256, sizeof old_leaf);
    read_old(station->site, unit, &old);
    bool ok = factory_line_open(&line, station->site, how->identity.writer, true, NULL, err);
    if (ok) {
        factory_chip_line(&line, &chip, &how->identity);
        ok = deny(station->site, how, sn, &old, err) && blank(station->site, sn, err) &&
             make(&line, &old, unit, err) && record(&line, old_leaf, unit, err) &&
             factory_chip_forget(&line, sn, err);
    }
    factory_line_close(&line, true);
    pki_chain_free(&old.chain);
    bytes_wipe(old.pop, sizeof old.pop);
    return ok;
}

bool factory_rework(factory_station_t *station, const factory_rework_t *how, const char *sn,
                    factory_unit_t *unit, err_t *err)
{
    int lock;
    if (!site_lock(station->site, FACTORY_BOARDS, true, &lock, err)) {
        return false;
    }
    bool ok = rework(station, how, sn, unit, err);
    site_unlock(lock);
    return ok;
}

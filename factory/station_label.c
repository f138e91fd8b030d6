/* SPDX-License-Identifier: Apache-2.0 */
#include "factory/station_label.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "factory/internal.h"
#include "factory/label_files.h"
#include "json/json.h"

#define BLOCK 64 /* units of one transaction when each has a file of its own */

factory_labelling_t factory_labelling_default(void)
{
    return (factory_labelling_t){.format = FACTORY_LABEL_PNG, .sheet = {3, 8, 62, 29, 3, 3, 0}};
}

typedef struct {
    const site_t *site;
    const factory_labelling_t *how;
    custody_t *custody;
    factory_labelled_t *result;
} station_t;

/* ---- one unit ---- */

static bool allowed(const factory_marks_t *marks, const char *sn, err_t *err)
{
    if (marks->scrapped) {
        return err_set(err, ERR_PRECONDITION, "%s was scrapped; put it aside", sn);
    }
    return !marks->test_failed ||
           err_set(err, ERR_PRECONDITION, "the last test of %s failed; test it again first", sn);
}

static bool fill(const station_t *station, label_item_t *item, err_t *err)
{
    factory_unit_t unit;
    site_identity_t identity;
    bool has_json;
    label_t *label = &item->label;
    label_layout_t layout;
    if (!factory_record_get(station->site, station->custody, item->sn, &unit, err) ||
        !factory_unit_peek(station->site, &unit, &identity, &has_json, err)) {
        return false;
    }
    snprintf(label->sn, sizeof label->sn, "%s", unit.sn);
    snprintf(label->service, sizeof label->service, "%s", unit.service);
    snprintf(label->model, sizeof label->model, "%s",
             has_json ? identity.model : station->site->model);
    snprintf(label->pop, sizeof label->pop, "%s", identity.pop);
    label->security = identity.security;
    bytes_wipe(&identity, sizeof identity);
    bool ok = station->how->no_code || (label_code_draw(label->code, err) &&
                                        label_code_hash(label->code, item->code_hash, err));
    ok = ok &&
         label_layout(label, station->how->sheet.width, station->how->sheet.height, &layout, err);
    bytes_wipe(&layout, sizeof layout);
    return ok;
}

/* What is to be done with a unit; false when custody cannot be read. */
static bool prepare(const station_t *station, label_item_t *item, err_t *err)
{
    factory_marks_t marks;
    err_t why = ERR_INIT;
    if (item->state == LABEL_ALREADY) {
        return true; /* named twice */
    }
    item->state = LABEL_FAILED;
    if (!site_sn_check(item->sn, &why)) {
        snprintf(item->why, sizeof item->why, "%s", why.text);
        return true;
    }
    if (!factory_marks(station->custody, item->sn, &marks, err)) {
        return false;
    }
    if (allowed(&marks, item->sn, &why)) {
        if (marks.labelled && !marks.relabel && !station->how->reprint) {
            item->state = LABEL_ALREADY;
            return true;
        }
        item->reprint = marks.labelled;
        item->state = fill(station, item, &why) ? LABEL_NEW : LABEL_FAILED;
    }
    snprintf(item->why, sizeof item->why, "%s", why.text);
    return true;
}

/* ---- several ---- */

static int by_sn(const void *a, const void *b)
{
    const label_item_t *const *x = a;
    const label_item_t *const *y = b;
    int order = strcmp((*x)->sn, (*y)->sn);
    return order != 0 ? order : (*x > *y) - (*x < *y);
}

/* Of an SN that is named twice, the first one counts. */
static bool mark_doubles(label_item_t *items, size_t count, err_t *err)
{
    label_item_t **sorted = malloc(count * sizeof(label_item_t *));
    if (sorted == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for labels");
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i] = &items[i];
    }
    qsort(sorted, count, sizeof(label_item_t *), by_sn);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(sorted[i - 1]->sn, sorted[i]->sn) == 0) {
            sorted[i]->state = LABEL_ALREADY;
        }
    }
    free(sorted);
    return true;
}

static bool write_detail(label_item_t *item)
{
    json_writer_t w;
    json_writer_init(&w, item->detail, sizeof item->detail);
    json_object(&w);
    json_key(&w, "code_hash");
    json_put_string(&w, item->code_hash[0] == '\0' ? NULL : item->code_hash);
    json_key(&w, "qr"); /* not its text: that may hold the proof of possession */
    json_put_string(&w, item->label.pop[0] == '\0' ? "sn" : "provisioning");
    if (item->reprint) {
        json_key(&w, "reprint");
        json_put_bool(&w, true);
    }
    json_end(&w);
    return json_writer_done(&w, NULL);
}

static bool record(const station_t *station, label_item_t *items, size_t count, err_t *err)
{
    custody_event_t *events = calloc(count, sizeof *events);
    size_t n = 0;
    bool ok = events != NULL || err_set(err, ERR_SYSTEM, "out of memory for labels");
    for (size_t i = 0; ok && i < count; i++) {
        if (items[i].state == LABEL_NEW) {
            ok = write_detail(&items[i]) || err_set(err, ERR_USAGE, "a label does not fit");
            events[n++] = (custody_event_t){items[i].sn, "label", items[i].detail, 0};
        }
    }
    ok = ok && (n == 0 || custody_append(station->custody, events, n, clock_wall_ms(), err));
    free(events);
    return ok;
}

static void tell(const station_t *station, const label_item_t *items, size_t count)
{
    factory_labelled_t *r = station->result;
    for (size_t i = 0; i < count; i++) {
        const label_item_t *item = &items[i];
        r->labelled += item->state == LABEL_NEW;
        r->already += item->state == LABEL_ALREADY;
        r->failed += item->state == LABEL_FAILED;
        if (station->how->said != NULL) {
            station->how->said(station->how->context, item->sn, item->state != LABEL_FAILED,
                               item->state == LABEL_NEW       ? "labelled"
                               : item->state == LABEL_ALREADY ? "labelled already"
                                                              : item->why);
        }
    }
}

static bool do_batch(const station_t *station, label_item_t *items, size_t count, err_t *err)
{
    int lock;
    if (!mark_doubles(items, count, err) ||
        !site_lock(station->site, FACTORY_LABEL_LOCK, true, &lock, err)) {
        return false;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        ok = prepare(station, &items[i], err);
    }
    ok = ok &&
         label_files_write(station->site, station->how, items, count, station->result->file, err) &&
         record(station, items, count, err);
    site_unlock(lock);
    if (ok) {
        tell(station, items, count);
    }
    return ok;
}

static bool do_all(const station_t *station, const char *const *sns, size_t count, err_t *err)
{
    size_t most = factory_label_one_file(station->how) ? FACTORY_LABEL_FILE_MAX : BLOCK;
    if (factory_label_one_file(station->how) && count > most) {
        return err_set(err, ERR_USAGE, "one file holds at most %d labels; name fewer units",
                       FACTORY_LABEL_FILE_MAX);
    }
    size_t room = count < most ? count : most;
    label_item_t *items = calloc(room > 0 ? room : 1, sizeof *items);
    if (items == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for labels");
    }
    bool ok = true;
    for (size_t from = 0; ok && from < count; from += most) {
        size_t n = count - from < most ? count - from : most;
        memset(items, 0, n * sizeof *items);
        for (size_t i = 0; i < n; i++) {
            snprintf(items[i].sn, sizeof items[i].sn, "%s", sns[from + i]);
        }
        ok = do_batch(station, items, n, err);
    }
    bytes_wipe(items, room * sizeof *items);
    free(items);
    return ok;
}

bool factory_label(const site_t *site, const factory_labelling_t *how, const char *const *sns,
                   size_t count, factory_labelled_t *result, err_t *err)
{
    factory_labelling_t settled = *how;
    station_t station = {.site = site, .how = &settled, .result = result};
    memset(result, 0, sizeof *result);
    if (settled.dpi == 0) {
        settled.dpi = how->format == FACTORY_LABEL_ZPL ? 203 : 300;
    }
    if (how->format == FACTORY_LABEL_PDF && !label_sheet_check(&how->sheet, err)) {
        return false;
    }
    bool ok = factory_custody_open(site, FACTORY_WRITER, &station.custody, err) &&
              do_all(&station, sns, count, err);
    custody_close(station.custody);
    return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "factory/label_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "factory/internal.h"

#define FILE_MAX  (256u << 20)
#define CHECK_DPI 300

static const char *const endings[] = {
    [FACTORY_LABEL_PNG] = ".png", [FACTORY_LABEL_PDF] = ".pdf", [FACTORY_LABEL_ZPL] = ".zpl"};

/* -o names a file, not a directory. */
static bool names_file(const factory_labelling_t *how)
{
    size_t len = how->out == NULL ? 0 : strlen(how->out);
    return len > 4 && strcmp(how->out + len - 4, endings[how->format]) == 0;
}

bool factory_label_one_file(const factory_labelling_t *how)
{
    return how->format == FACTORY_LABEL_PDF || names_file(how);
}

typedef struct {
    const site_t *site;
    const factory_labelling_t *how;
    const label_item_t *items;
    size_t count;
    char dir[FILE_PATH_MAX]; /* "" when a file is named */
} job_t;

static bool lay_out(const job_t *job, const label_item_t *item, label_layout_t *layout, err_t *err)
{
    return label_layout(&item->label, job->how->sheet.width, job->how->sheet.height, layout, err);
}

static void wipe(void *data, size_t len)
{
    if (data != NULL) {
        bytes_wipe(data, len);
        free(data);
    }
}

/* ---- making ---- */

/* One label, as PNG or ZPL; heap. */
static bool make_one(const job_t *job, const label_item_t *item, uint8_t **data, size_t *len,
                     err_t *err)
{
    label_layout_t layout;
    *data = NULL;
    bool ok = lay_out(job, item, &layout, err);
    if (ok && job->how->format == FACTORY_LABEL_PNG) {
        ok = label_png(&layout, job->how->dpi, data, len, err);
    } else if (ok) {
        *data = malloc(LABEL_ZPL_MAX);
        ok = (*data != NULL || err_set(err, ERR_SYSTEM, "out of memory for a label")) &&
             label_zpl(&layout, job->how->dpi, (char *)*data, len, err);
    }
    bytes_wipe(&layout, sizeof layout);
    return ok;
}

/* A sheet's labels are drawn by the same code as a picture: that one is looked at. */
static bool add_to_sheet(const job_t *job, const label_item_t *item, label_pdf_t *pdf, err_t *err)
{
    label_layout_t layout;
    bool ok = lay_out(job, item, &layout, err) && label_pdf_add(pdf, &layout, err) &&
              label_draw_check(&layout, CHECK_DPI, err);
    bytes_wipe(&layout, sizeof layout);
    return ok;
}

static bool make_pdf(const job_t *job, uint8_t **data, size_t *len, err_t *err)
{
    label_pdf_t *pdf = NULL;
    bool ok = label_pdf_begin(&job->how->sheet, &pdf, err);
    for (size_t i = 0; ok && i < job->count; i++) {
        ok = job->items[i].state != LABEL_NEW || add_to_sheet(job, &job->items[i], pdf, err);
    }
    ok = ok && label_pdf_end(pdf, data, len, err);
    label_pdf_close(pdf);
    return ok;
}

/* All in one: labels as text stand one behind another, a PNG stands alone. */
static bool make_joined(const job_t *job, uint8_t **data, size_t *len, err_t *err)
{
    size_t cap = 0;
    bool ok = true;
    for (size_t i = 0; ok && i < job->count; i++) {
        uint8_t *one = NULL;
        size_t n = 0;
        if (job->items[i].state != LABEL_NEW) {
            continue;
        }
        ok = make_one(job, &job->items[i], &one, &n, err);
        if (ok && cap - *len < n) {
            uint8_t *larger = malloc(2 * cap + n);
            ok = larger != NULL || err_set(err, ERR_SYSTEM, "out of memory for labels");
            if (ok) {
                memcpy(larger, *data == NULL ? larger : *data, *len);
                wipe(*data, *len);
                *data = larger;
                cap = 2 * cap + n;
            }
        }
        if (ok) {
            memcpy(*data + *len, one, n);
            *len += n;
        }
        wipe(one, n);
    }
    return ok;
}

/* ---- read back ---- */

static bool check_one(const job_t *job, const label_item_t *item, const char *data, size_t len,
                      err_t *err)
{
    label_layout_t layout;
    bool ok = lay_out(job, item, &layout, err) &&
              (job->how->format == FACTORY_LABEL_PNG
                   ? label_png_check(&layout, job->how->dpi, (const uint8_t *)data, len, err)
                   : label_zpl_check(&layout, data, len, err));
    bytes_wipe(&layout, sizeof layout);
    return ok;
}

static bool check_file(const job_t *job, const label_item_t *item, const char *path, err_t *err)
{
    char *data;
    size_t len;
    if (!file_read_private(path, FILE_MAX, &data, &len, err)) {
        return false;
    }
    bool ok = check_one(job, item, data, len, err) || err_add(err, "%s", path);
    wipe(data, len);
    return ok;
}

/* Several labels of text: each up to its end. */
static bool check_joined(const job_t *job, const char *data, size_t len, err_t *err)
{
    bool ok = true;
    for (size_t i = 0; ok && i < job->count; i++) {
        if (job->items[i].state != LABEL_NEW) {
            continue;
        }
        size_t n = len;
        if (job->how->format == FACTORY_LABEL_ZPL) {
            const char *end = memmem(data, len, "^XZ\n", 4);
            n = end == NULL ? len : (size_t)(end + 4 - data);
        }
        ok = check_one(job, &job->items[i], data, n, err);
        data += n;
        len -= n;
    }
    return ok && (len == 0 || err_set(err, ERR_INPUT, "the file holds more than the labels"));
}

/* ---- files ---- */

static bool write_file(const job_t *job, const char *path, err_t *err)
{
    uint8_t *data = NULL;
    char *back = NULL;
    size_t len = 0;
    size_t back_len = 0;
    bool sheets = job->how->format == FACTORY_LABEL_PDF;
    if (file_exists(path)) {
        return err_set(err, ERR_PRECONDITION,
                       "%s exists already; print and remove it, or choose another name", path);
    }
    bool ok = (sheets ? make_pdf(job, &data, &len, err) : make_joined(job, &data, &len, err)) &&
              file_write_new(path, data, len, 0600, err) &&
              file_read_private(path, FILE_MAX, &back, &back_len, err);
    ok = ok && (sheets ? (back_len == len && memcmp(back, data, len) == 0) ||
                             err_set(err, ERR_INPUT, "it reads back as something else")
                       : check_joined(job, back, back_len, err));
    wipe(back, back_len);
    wipe(data, len);
    return ok;
}

static bool write_each(const job_t *job, err_t *err)
{
    char path[FILE_PATH_MAX];
    char name[SITE_SN_SIZE + 8];
    bool ok = true;
    for (int pass = 0; ok && pass < 2; pass++) { /* write all, then look at all */
        for (size_t i = 0; ok && i < job->count; i++) {
            const label_item_t *item = &job->items[i];
            uint8_t *data = NULL;
            size_t len = 0;
            if (item->state != LABEL_NEW) {
                continue;
            }
            snprintf(name, sizeof name, "%s%s", item->label.sn, endings[job->how->format]);
            ok = file_join(path, job->dir, name, err);
            if (ok && pass == 0) {
                ok = make_one(job, item, &data, &len, err) &&
                     factory_file_write(path, data, len, 0600, err);
                wipe(data, len);
            } else if (ok) {
                ok = check_file(job, item, path, err);
            }
        }
        ok = ok && (pass == 1 || factory_sync(job->dir, err));
    }
    return ok;
}

/* A name that is free: the time, to the second, and a number where that is not enough. */
static bool free_name(const job_t *job, char path[FILE_PATH_MAX], err_t *err)
{
    char name[64];
    char stamp[32];
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &utc);
    for (unsigned n = 1; n < 1000; n++) {
        char more[8] = "";
        if (n > 1) {
            snprintf(more, sizeof more, "-%u", n);
        }
        snprintf(name, sizeof name, "labels-%s%s%s", stamp, more, endings[job->how->format]);
        if (!file_join(path, job->dir, name, err)) {
            return false;
        }
        if (!file_exists(path)) {
            return true;
        }
    }
    return err_set(err, ERR_PRECONDITION, "%s is full of labels; remove them", job->dir);
}

/* The directory, made if need be. */
static bool settle_dir(job_t *job, err_t *err)
{
    if (job->how->out == NULL) {
        if (!site_path(job->site, FACTORY_LABELS, job->dir, err)) {
            return false;
        }
    } else if (snprintf(job->dir, sizeof job->dir, "%s", job->how->out) >= (int)sizeof job->dir) {
        return err_set(err, ERR_USAGE, "the path of the labels is too long");
    }
    return file_make_dirs(job->dir, 0700, err);
}

static size_t count_new(const label_item_t *items, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        n += items[i].state == LABEL_NEW;
    }
    return n;
}

bool label_files_write(const site_t *site, const factory_labelling_t *how,
                       const label_item_t *items, size_t count, char file[FILE_PATH_MAX],
                       err_t *err)
{
    job_t job = {.site = site, .how = how, .items = items, .count = count};
    size_t wanted = count_new(items, count);
    file[0] = '\0';
    if (wanted == 0) {
        return true;
    }
    if (names_file(how)) {
        if (how->format == FACTORY_LABEL_PNG && wanted > 1) {
            return err_set(err, ERR_USAGE, "a PNG holds one label; give -o a directory");
        }
        if (snprintf(file, FILE_PATH_MAX, "%s", how->out) >= FILE_PATH_MAX) {
            return err_set(err, ERR_USAGE, "the path of the labels is too long");
        }
        return write_file(&job, file, err);
    }
    if (!settle_dir(&job, err)) {
        return false;
    }
    if (how->format == FACTORY_LABEL_PDF) {
        return free_name(&job, file, err) && write_file(&job, file, err);
    }
    return write_each(&job, err);
}

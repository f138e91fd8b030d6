/* SPDX-License-Identifier: Apache-2.0 */
/* Station 3 for boards, with the signer at hand. */
#include "factory/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "factory/identity_internal.h"
#include "factory/ledger.h"

bool factory_job_check(factory_station_t *station, factory_job_t *job)
{
    const factory_item_t *item = factory_ledger_mac(&station->ledger, job->mac);
    if (item == NULL) {
        return err_set(&job->err, ERR_PRECONDITION,
                       "there is no board %s; register it: cradle factory assemble %s", job->mac,
                       job->mac);
    }
    if (item->scrap_ms > 0) {
        return err_set(&job->err, ERR_PRECONDITION, "board %s was scrapped; take another one",
                       job->mac);
    }
    if (item->identity_ms > 0) {
        job->already = true;
        return factory_record_find(station->site, item->sn, &job->unit, &job->err);
    }
    return item->flash_ms > 0 ||
           err_set(&job->err, ERR_PRECONDITION,
                   "board %s was not flashed yet; cradle factory flash %s", job->mac, job->mac);
}

/* Which earlier job of the call is of the same board; `at` itself when there is none. */
static size_t first_of(const factory_job_t *jobs, size_t at)
{
    size_t i = 0;
    while (strcmp(jobs[i].mac, jobs[at].mac) != 0) {
        i++;
    }
    return i;
}

size_t factory_jobs_new(factory_station_t *station, factory_job_t *jobs, size_t count,
                        size_t new_jobs[FACTORY_JOBS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        jobs[i].ok = false;
        jobs[i].already = false;
        if (first_of(jobs, i) == i) {
            jobs[i].ok = factory_job_check(station, &jobs[i]);
            if (jobs[i].ok && !jobs[i].already) {
                jobs[i].ok = false; /* not yet */
                new_jobs[n++] = i;
            }
        }
    }
    return n;
}

void factory_jobs_twins(factory_job_t *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t first = first_of(jobs, i);
        if (first != i) {
            jobs[i] = jobs[first];
            jobs[i].already = jobs[i].ok;
        }
    }
}

bool factory_jobs_failed(factory_job_t *jobs, const size_t *list, size_t count, const err_t *why)
{
    for (size_t i = 0; i < count; i++) {
        jobs[list[i]].err = *why;
    }
    return false;
}

/* ---- on a chip ---- */

static bool write_chip(void *context, const factory_unit_t *unit, err_t *err)
{
    const chip_t *chip = context;
    char path[FILE_PATH_MAX];
    return site_unit_path(chip->site, unit->sn, "identity.bin", path, err) &&
           factory_flash_identity(chip->flasher, unit->mac, path, err) &&
           factory_unit_summary(chip->site, unit, err);
}

bool factory_chip_line(factory_line_t *line, chip_t *chip, const factory_identity_t *how)
{
    line->keep_key = how->keep_key;
    if (how->flasher != NULL && factory_flasher_has_port(how->flasher)) {
        *chip = (chip_t){line->site, how->flasher};
        line->written = write_chip;
        line->context = chip;
        return true;
    }
    return false;
}

bool factory_chip_forget(const factory_line_t *line, const char *sn, err_t *err)
{
    char path[FILE_PATH_MAX];
    return line->written == NULL || line->keep_key ||
           (site_unit_path(line->site, sn, "identity.bin", path, err) &&
            (unlink(path) == 0 || err_errno(err, "cannot remove %s", path)));
}

/* ---- making them ---- */

static bool make_some(factory_line_t *line, factory_job_t *jobs, const size_t *list, size_t count,
                      size_t *made, bool *settled, err_t *err)
{
    custody_reservation_t reservation;
    const char *boards[FACTORY_JOBS_MAX];
    uint64_t ignored = 0;
    *made = 0;
    factory_unit_t *units = calloc(count, sizeof *units);
    for (size_t i = 0; i < count; i++) {
        boards[i] = jobs[list[i]].mac;
    }
    bool ok = (units != NULL || err_set(err, ERR_SYSTEM, "out of memory for a block of units")) &&
              factory_line_reserve(line, count, &reservation, err);
    if (ok && !factory_line_block(line, &reservation, boards, units, made, err)) {
        *settled = factory_settle(line->site, line->custody, &reservation, &ignored, err);
        ok = false;
    }
    for (size_t i = 0; ok && i < *made; i++) {
        factory_job_t *job = &jobs[list[i]];
        job->unit = units[i];
        job->ok = factory_chip_forget(line, units[i].sn, &job->err);
    }
    free(units);
    return ok;
}

static bool make_all(factory_station_t *station, const factory_identity_t *how, factory_job_t *jobs,
                     const size_t *list, size_t count, err_t *err)
{
    factory_line_t line;
    chip_t chip;
    bool settled = true;
    size_t done = 0;
    bool ok = factory_line_open(&line, station->site, how->writer, true, NULL, err);
    size_t most = ok && factory_chip_line(&line, &chip, how) ? 1 : count;
    while (ok && done < count) {
        size_t made;
        size_t left = count - done;
        ok = make_some(&line, jobs, list + done, left < most ? left : most, &made, &settled, err);
        done += made;
    }
    snprintf(station->notice, sizeof station->notice, "%s", line.floor.notice);
    factory_line_close(&line, settled);
    return ok || factory_jobs_failed(jobs, list + done, count - done, err);
}

bool factory_identity(factory_station_t *station, const factory_identity_t *how,
                      factory_job_t *jobs, size_t count, err_t *err)
{
    size_t list[FACTORY_JOBS_MAX];
    int lock;
    bool all = true;
    err_t own = ERR_INIT;
    err = err == NULL ? &own : err; /* the jobs get its text */
    if (count > FACTORY_JOBS_MAX) {
        return err_set(err, ERR_USAGE, "at most %d boards at once", FACTORY_JOBS_MAX);
    }
    /* So that no other station gives one of these boards an SN meanwhile. */
    if (!site_lock(station->site, FACTORY_BOARDS, true, &lock, err)) {
        return false;
    }
    bool ok = factory_station_refresh(station, err);
    size_t made = ok ? factory_jobs_new(station, jobs, count, list) : 0;
    ok = ok && (made == 0 || make_all(station, how, jobs, list, made, err));
    site_unlock(lock);
    factory_jobs_twins(jobs, count);
    for (size_t i = 0; i < count; i++) {
        all = all && jobs[i].ok;
    }
    return ok && all;
}

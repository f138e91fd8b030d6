/* SPDX-License-Identifier: Apache-2.0 */
/* internal: what identity.c, pending.c and rework.c share. */
#ifndef CRADLE_FACTORY_IDENTITY_INTERNAL_H
#define CRADLE_FACTORY_IDENTITY_INTERNAL_H

#include "factory/identity.h"
#include "factory/line.h"

/* May this board have an SN? Sets `already` and the unit when it has one. The ledger is fresh. */
bool factory_job_check(factory_station_t *station, factory_job_t *job);

/* Checks all; the indexes of those that are to be made. A board that is there twice counts once. */
size_t factory_jobs_new(factory_station_t *station, factory_job_t *jobs, size_t count,
                        size_t new_jobs[FACTORY_JOBS_MAX]);

/* Afterwards: the second of a board that is there twice has the first one's outcome. */
void factory_jobs_twins(factory_job_t *jobs, size_t count);

/* Gives those jobs that error. Returns false. */
bool factory_jobs_failed(factory_job_t *jobs, const size_t *list, size_t count, const err_t *why);

typedef struct {
    const site_t *site;
    factory_flasher_t *flasher;
} chip_t;

/* Makes the line write to the chip, if there is one; `chip` must outlive it. True: there is. */
bool factory_chip_line(factory_line_t *line, chip_t *chip, const factory_identity_t *how);

/* After custody knows it: the image on this disk goes, unless it is the flash or is to stay. */
bool factory_chip_forget(const factory_line_t *line, const char *sn, err_t *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage: the site, the processes and the questions to the cloud that the acts of the demo share.
 * It starts programs and asks over REST; it includes no other room.
 */
#ifndef CRADLE_DEMO_STAGE_H
#define CRADLE_DEMO_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file.h"
#include "proc/proc.h"
#include "tbrest/tbrest.h"

#define STAGE_UNITS 3

typedef struct {
    char sn[65];
    char service[32];        /* ESP-PROV-XXXX                                   */
    char id[TBREST_ID_SIZE]; /* the cloud's device id, once it is known         */
    int64_t created_ms;      /* the cloud's createdTime of the record           */
    proc_t proc;
} stage_unit_t;

typedef struct {
    char site[FILE_PATH_MAX];
    char logs[FILE_PATH_MAX];
    char cradle[FILE_PATH_MAX];
    char cloud_program[FILE_PATH_MAX];
    bool temporary; /* we made the site and may remove it */
    bool outlive;   /* processes go on when the demo ends */
    proc_t cloud;
    char mqtts[64]; /* HOST:PORT, known once the cloud runs */
    char https[64];
    tbrest_t *rest;
    stage_unit_t units[STAGE_UNITS];
} stage_t;

/* Finds the programs and names the site's directory; starts nothing. */
bool stage_open(stage_t *stage, const char *site, bool outlive, err_t *err);

/* Stops what runs (unless it is to outlive us) and removes a temporary site when `remove`. */
void stage_close(stage_t *stage, bool remove);

/* Shows and runs `cradle -C SITE --json ARGS...` (a NULL ends them) with `input` on its standard
   input. Success is exit code 0; then *out (may be NULL) is its JSON, freed by the caller. */
bool stage_cradle(stage_t *stage, const char *input, char **out, err_t *err, ...)
    __attribute__((sentinel));

/* The same for a command that has to fail: true when it ended with exit code 1. *out gets its
   standard output. */
bool stage_cradle_fails(stage_t *stage, const char *input, char **out, err_t *err, ...)
    __attribute__((sentinel));

/* Starts cradle-cloud, on free ports the first time and on the same ones afterwards, waits until
   it is ready, logs in over REST. */
bool stage_start_cloud(stage_t *stage, err_t *err);

/* Writes the simulated air: one network, on which the cloud's name leads to our cloud. */
bool stage_write_air(stage_t *stage, const char *ssid, const char *password, err_t *err);

bool stage_start_unit(stage_t *stage, stage_unit_t *unit, err_t *err);

/* How many devices the cloud knows. */
bool stage_count_devices(stage_t *stage, int *count, err_t *err);

/* Waits until the cloud has a record of that SN; fills id and created_ms. */
bool stage_wait_record(stage_t *stage, stage_unit_t *unit, int timeout_ms, err_t *err);

/* What the cloud has of a series in [from, to). */
typedef struct {
    int count;
    int64_t first_ts, last_ts;
    int64_t widest_gap_ms; /* between two neighbours */
} stage_series_t;
bool stage_series(stage_t *stage, const stage_unit_t *unit, const char *key, int64_t from_ms,
                  int64_t to_ms, stage_series_t *series, err_t *err);

/* Waits until at least `count` values of `key` newer than `since_ms` are there. */
bool stage_wait_series(stage_t *stage, const stage_unit_t *unit, const char *key, int64_t since_ms,
                       int count, int timeout_ms, err_t *err);

#endif

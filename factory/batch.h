/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch: the line: many units through one station after the other. Either units with invented MACs
 * (as factory_run makes them), or boards that passed station 1. Units on the bench run side by
 * side; a unit that fails at a station goes no further and holds nobody back.
 */
#ifndef CRADLE_FACTORY_BATCH_H
#define CRADLE_FACTORY_BATCH_H

#include "factory/station.h"
#include "factory/station_label.h"
#include "factory/test.h"

enum { FACTORY_AT_FLASH, FACTORY_AT_IDENTITY, FACTORY_AT_TEST, FACTORY_AT_LABEL, FACTORY_AT };

/* At most what one labelled file holds. */
#define FACTORY_BATCH_MAX FACTORY_LABEL_FILE_MAX

typedef struct {
    uint64_t count;                   /* units to make, when `macs` is NULL            */
    char (*macs)[FACTORY_MAC_SIZE];   /* boards, or NULL                               */
    size_t mac_count;                 /* of `macs`                                     */
    const char *writer;               /* NULL: FACTORY_WRITER                          */
    factory_bench_t *bench;           /* NULL: no station 4                            */
    factory_test_settings_t test;     /* its done and context are not looked at        */
    const factory_labelling_t *label; /* NULL: no station 5; `said` is not looked at   */
    /* After each unit at each station, one at a time: the stage, its MAC or SN, and why not. May be
       NULL. */
    void (*passed)(void *context, int stage, const char *key, bool ok, const char *why);
    void *context;
} factory_batch_t;

typedef struct {
    uint64_t ok[FACTORY_AT];
    uint64_t failed[FACTORY_AT];
    uint64_t voided; /* SNs of runs that had died */
    char label_file[FILE_PATH_MAX];
} factory_batch_result_t;

/* False: it could not go on (*err), or some unit failed (err is left alone). `station` is the
   caller's own view of custody, with the same writer. */
bool factory_batch(factory_station_t *station, const factory_batch_t *batch,
                   factory_batch_result_t *result, err_t *err);

#endif

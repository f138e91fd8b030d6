/* SPDX-License-Identifier: Apache-2.0 */
/* internal: one unit on the bench. */
#ifndef CRADLE_FACTORY_TEST_INTERNAL_H
#define CRADLE_FACTORY_TEST_INTERNAL_H

#include "factory/test.h"

typedef struct {
    factory_bench_t *bench;
    tbrest_t *rest;
    const factory_test_settings_t *settings;
    factory_test_t *out;
    char service[FACTORY_SERVICE_SIZE];
    char pop_file[FILE_PATH_MAX]; /* "" for none */
    char log[FILE_PATH_MAX];
    proc_t device;
    char id[TBREST_ID_SIZE]; /* of the record in the test cloud; "" while there is none */
    uint64_t until;          /* of the step, clock_monotonic_ms */
    int64_t began_ms;        /* of the test, clock_wall_ms */
} trial_t;

/* All steps, and tidying up whatever happened. Fills trial->out. */
void factory_trial_run(trial_t *trial, const char *mac, const char *pop);

#endif

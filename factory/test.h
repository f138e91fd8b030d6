/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test: station 4. A unit is switched on from its flash bytes and made to live for some seconds
 * (bench.h says where):
 *
 *     boot        it runs, and waits for a phone
 *     provision   put on the bench's Wi-Fi by Espressif's protocol
 *     connect     it shows up in the test cloud, by its own certificate
 *     telemetry   numbers arrive with a time stamp of now, each one that has a limit among them
 *     limits      ... and they keep their limits
 *     self-test   a remote call is answered; numbers in the answer are results too
 *     reset       back to blank: it waits for a phone again
 *     unregister  its test record is deleted and gone
 *
 * What it wrote goes with the bench, so that it ships as it was made, registered nowhere. Every
 * outcome is in custody, failed ones with the step or the value that failed ("cause") and why:
 *     {"pass":true,"limits":"<sha256 of the file>","values":{"temperature":21.5},"ms":{"boot":31}}
 * The log of a unit that failed is factory/units/SN/test.log.
 */
#ifndef CRADLE_FACTORY_TEST_H
#define CRADLE_FACTORY_TEST_H

#include "factory/bench.h"
#include "factory/station.h"

#define FACTORY_TEST_STEPS  8
#define FACTORY_TEST_VALUES 32
#define FACTORY_SELF_TEST   "selfTest"

struct factory_test;

typedef struct {
    const factory_limits_t *limits; /* NULL: none */
    unsigned limit_s;               /* for each step; 0: 30 */
    const char *self_test;          /* method; NULL: FACTORY_SELF_TEST */
    bool again;                     /* also units that passed */
    /* After each unit, from any thread, one at a time. May be NULL. */
    void (*done)(void *context, const struct factory_test *test);
    void *context;
} factory_test_settings_t;

typedef struct {
    char name[33];
    double value;
} factory_value_t;

/* One unit of a call. In: sn. Out: the rest. */
typedef struct factory_test {
    char sn[SITE_SN_SIZE];
    bool pass;
    bool already;                   /* it had passed; nothing was done                  */
    char cause[FACTORY_CAUSE_SIZE]; /* step or value that failed                        */
    err_t err;                      /* why not                                          */
    factory_value_t value[FACTORY_TEST_VALUES];
    size_t value_count;
    int64_t ms[FACTORY_TEST_STEPS]; /* -1: not reached */
} factory_test_t;

const char *factory_test_step_name(unsigned step);

/* Tests them, bench->jobs at a time. True when all passed and custody knows all outcomes; *err is
   only set by what stopped the whole. */
bool factory_test(factory_station_t *station, factory_bench_t *bench,
                  const factory_test_settings_t *settings, factory_test_t *tests, size_t count,
                  err_t *err);

#endif

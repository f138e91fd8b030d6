/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench: where station 4 tries units out. A folder of its own in the site, factory/bench-XXXXXX, in
 * which everything happens: it has the site's certificates and units by link, and its own air,
 * devices, cloud store and logs, so that neither the site's cloud nor what a unit wrote elsewhere
 * is touched. It goes when the bench is closed; one whose process was killed goes when the next is
 * opened.
 *
 * In its air is one network, and there the cloud's name leads to the test cloud: a cradle-cloud on
 * free ports that the bench starts, or one given. Units of a site with a steward stream only when a
 * steward says so: on the bench's own cloud the bench key says it (answer.h), one that is given has
 * to forward to a steward. Units are run by `cradle device run`, and provisioned by `cradle phone
 * provision`: processes, which end with the bench.
 */
#ifndef CRADLE_FACTORY_BENCH_H
#define CRADLE_FACTORY_BENCH_H

#include <stdbool.h>

#include "base/err.h"
#include "factory/answer.h"
#include "factory/limits.h"
#include "proc/proc.h"
#include "site/site.h"
#include "tbrest/tbrest.h"

#define FACTORY_BENCH_JOBS_MAX 32

typedef struct {
    /* A test cloud that runs already; all NULL: the bench starts its own. */
    const char *cloud;       /* "127.0.0.1:8883", MQTTS                                       */
    const char *cloud_url;   /* "https://127.0.0.1:8080"                                      */
    const char *cloud_ca;    /* PEM file; NULL: the site's server-root                        */
    const char *cloud_login; /* file, 0600: {"username":"..","password":".."}                 */
    unsigned jobs;           /* units at a time, 1 to FACTORY_BENCH_JOBS_MAX; 0: 4            */
} factory_bench_settings_t;

typedef struct {
    const site_t *site;
    site_t own; /* the folder, which is a site for the programs that run in it */
    char dir[FILE_PATH_MAX];
    int lock;
    unsigned jobs;
    char cradle[FILE_PATH_MAX]; /* the program */
    char mqtts[SITE_HOST_SIZE];
    char passphrase_file[FILE_PATH_MAX];
    proc_t cloud;
    factory_answer_t *answer;               /* of a site with a steward, with a cloud of our own */
    tbrest_t *rest[FACTORY_BENCH_JOBS_MAX]; /* one a worker */
} factory_bench_t;

#define FACTORY_BENCH_SSID "cradle-bench"

/* Blocks until the cloud is ready. factory_bench_close in any case. */
bool factory_bench_open(factory_bench_t *bench, const site_t *site,
                        const factory_bench_settings_t *settings, err_t *err);
void factory_bench_close(factory_bench_t *bench);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Station 4: several units at a time, and what custody hears of them. */
#include "factory/test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "factory/internal.h"
#include "factory/ledger.h"
#include "factory/test_internal.h"
#include "json/json.h"

typedef struct {
    factory_station_t *station;
    factory_bench_t *bench;
    const factory_test_settings_t *settings;
    factory_test_t *tests;
    size_t count;
    pthread_mutex_t lock; /* of the station, of `next`, and of the caller's `done` */
    size_t next;
} work_t;

typedef struct {
    work_t *work;
    unsigned number;
} worker_t;

/* ---- the record ---- */

static bool write_detail(const factory_test_settings_t *s, const factory_test_t *test, char *out,
                         size_t cap)
{
    json_writer_t w;
    char why[201];
    json_writer_init(&w, out, cap);
    json_object(&w);
    json_key(&w, "pass");
    json_put_bool(&w, test->pass);
    if (!test->pass) {
        snprintf(why, sizeof why, "%s", test->err.text);
        json_key(&w, "cause");
        json_put_string(&w, test->cause);
        json_key(&w, "why");
        json_put_string(&w, why);
    }
    json_key(&w, "limits");
    json_put_string(&w, s->limits == NULL ? NULL : s->limits->sha256);
    json_key(&w, "values");
    json_object(&w);
    for (size_t i = 0; i < test->value_count; i++) {
        json_key(&w, test->value[i].name);
        json_put_double(&w, test->value[i].value);
    }
    json_end(&w);
    json_key(&w, "ms");
    json_object(&w);
    for (unsigned i = 0; i < FACTORY_TEST_STEPS && test->ms[i] >= 0; i++) {
        json_key(&w, factory_test_step_name(i));
        json_put_i64(&w, test->ms[i]);
    }
    json_end(&w);
    json_end(&w);
    return json_writer_done(&w, NULL);
}

static bool record(work_t *work, factory_test_t *test, err_t *err)
{
    char detail[CUSTODY_DETAIL_MAX];
    return (write_detail(work->settings, test, detail, sizeof detail) ||
            err_set(err, ERR_SYSTEM, "the results of %s do not fit their record", test->sn)) &&
           factory_station_append(work->station, test->sn, FACTORY_TEST, detail, err);
}

/* For whoever repairs it. */
static void keep_log(const trial_t *trial)
{
    char path[FILE_PATH_MAX];
    char *text;
    size_t len;
    if (site_unit_path(trial->bench->site, trial->out->sn, "test.log", path, NULL)) {
        remove(path);
        if (!trial->out->pass && trial->log[0] != '\0' &&
            file_read(trial->log, 4 * 1024 * 1024, &text, &len, NULL)) {
            file_write(path, text, len, 0600, NULL);
            free(text);
        }
    }
}

/* ---- one unit ---- */

/* What the bench must know of it. False: it is not tried out, and nothing is recorded. */
static bool look(work_t *work, factory_test_t *test, char mac[FACTORY_MAC_SIZE],
                 char pop[SITE_POP_SIZE])
{
    factory_item_t item;
    factory_detail_t detail;
    char path[FILE_PATH_MAX];
    const site_t *site = work->bench->site;
    if (!factory_find_sn(work->station, test->sn, &item, &test->err)) {
        return false;
    }
    factory_state_t state = factory_item_state(&item);
    if (state == FACTORY_SCRAPPED || state == FACTORY_SHIPPED) {
        return err_set(&test->err, ERR_PRECONDITION, "%s %s", test->sn,
                       state == FACTORY_SHIPPED
                           ? "has left the house; if it came back: cradle factory rework"
                           : "was scrapped");
    }
    test->already = state >= FACTORY_TESTED && !work->settings->again;
    test->pass = test->already;
    if (test->already) {
        return false;
    }
    if (!site_unit_path(site, test->sn, "identity.bin", path, &test->err)) {
        return false;
    }
    if (!file_exists(path)) {
        return err_set(&test->err, ERR_PRECONDITION,
                       "the identity of %s is on its chip only; this bench runs units from flash "
                       "bytes",
                       test->sn);
    }
    if (!site_device_path(site, test->sn, NULL, path, &test->err)) {
        return false;
    }
    if (file_exists(path)) {
        return err_set(&test->err, ERR_PRECONDITION,
                       "%s has been run since it was made; take devices/%s away first", test->sn,
                       test->sn);
    }
    bool ok = factory_show(site, test->sn, &detail, &test->err);
    snprintf(mac, FACTORY_MAC_SIZE, "%s", item.mac);
    snprintf(pop, SITE_POP_SIZE, "%s", ok ? detail.identity.pop : "");
    bytes_wipe(&detail, sizeof detail);
    return ok;
}

static void try_out(worker_t *worker, factory_test_t *test)
{
    work_t *work = worker->work;
    char mac[FACTORY_MAC_SIZE];
    char pop[SITE_POP_SIZE];
    trial_t *trial = calloc(1, sizeof *trial);
    pthread_mutex_lock(&work->lock);
    bool go = trial == NULL ? err_set(&test->err, ERR_SYSTEM, "out of memory for a test")
                            : look(work, test, mac, pop);
    pthread_mutex_unlock(&work->lock);
    if (go) {
        trial->bench = work->bench;
        trial->rest = work->bench->rest[worker->number];
        trial->settings = work->settings;
        trial->out = test;
        factory_trial_run(trial, mac, pop);
        bytes_wipe(pop, sizeof pop);
        keep_log(trial);
    }
    free(trial);
    pthread_mutex_lock(&work->lock);
    err_t err = ERR_INIT;
    if (go && !record(work, test, &err)) {
        test->pass = false; /* not in custody: not tested */
        test->err = err;
    }
    if (work->settings->done != NULL) {
        work->settings->done(work->settings->context, test);
    }
    pthread_mutex_unlock(&work->lock);
}

static void *run_worker(void *context)
{
    worker_t *worker = context;
    work_t *work = worker->work;
    for (;;) {
        pthread_mutex_lock(&work->lock);
        size_t i = work->next < work->count ? work->next++ : work->count;
        pthread_mutex_unlock(&work->lock);
        if (i == work->count) {
            return NULL;
        }
        try_out(worker, &work->tests[i]);
    }
}

/* ---- all of them ---- */

bool factory_test(factory_station_t *station, factory_bench_t *bench,
                  const factory_test_settings_t *settings, factory_test_t *tests, size_t count,
                  err_t *err)
{
    pthread_t thread[FACTORY_BENCH_JOBS_MAX];
    worker_t worker[FACTORY_BENCH_JOBS_MAX];
    work_t work = {
        .station = station, .bench = bench, .settings = settings, .tests = tests, .count = count};
    unsigned started = 0;
    bool all = true;
    if (pthread_mutex_init(&work.lock, NULL) != 0) {
        return err_set(err, ERR_SYSTEM, "no lock for the bench");
    }
    while (started < bench->jobs && started < count) {
        worker[started] = (worker_t){&work, started};
        if (pthread_create(&thread[started], NULL, run_worker, &worker[started]) != 0) {
            break;
        }
        started++;
    }
    for (unsigned i = 0; i < started; i++) {
        pthread_join(thread[i], NULL);
    }
    pthread_mutex_destroy(&work.lock);
    if (started == 0 && count > 0) {
        return err_set(err, ERR_SYSTEM, "no thread for the bench");
    }
    for (size_t i = 0; i < count; i++) {
        all = all && tests[i].pass;
    }
    return all;
}

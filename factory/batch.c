/* SPDX-License-Identifier: Apache-2.0 */
#include "factory/batch.h"

#include <stdlib.h>
#include <string.h>

#include "factory/identity.h"
#include "factory/ledger.h"

/* Units that go to the bench together. */
#define TOGETHER FACTORY_JOBS_MAX

typedef char sn_t[SITE_SN_SIZE];

typedef struct {
    factory_station_t *station;
    const factory_batch_t *batch;
    factory_batch_result_t *result;
    sn_t *sn;     /* that came this far; room for all */
    size_t count; /* of them */
    size_t from;  /* those before went to the bench already */
} line_t;

static void tell(line_t *l, int stage, const char *key, bool ok, const char *why)
{
    *(ok ? &l->result->ok[stage] : &l->result->failed[stage]) += 1;
    if (l->batch->passed != NULL) {
        l->batch->passed(l->batch->context, stage, key, ok, why);
    }
}

/* ---- stations 2 and 3 ---- */

static bool made(void *context, const factory_unit_t *unit)
{
    line_t *l = context;
    memcpy(l->sn[l->count++], unit->sn, sizeof unit->sn);
    tell(l, FACTORY_AT_FLASH, unit->sn, true, "");
    tell(l, FACTORY_AT_IDENTITY, unit->sn, true, "");
    return true;
}

static bool make_units(line_t *l, uint64_t count, err_t *err)
{
    const factory_run_t run = {
        .count = count, .writer = l->batch->writer, .made = made, .context = l};
    factory_result_t result;
    bool ok = factory_run(l->station->site, &run, &result, err);
    l->result->voided += result.voided;
    memcpy(l->station->notice, result.notice, sizeof l->station->notice);
    return ok;
}

/* A board may be there twice. */
static bool listed(const line_t *l, const char *sn)
{
    size_t i = 0;
    while (i < l->count && strcmp(l->sn[i], sn) != 0) {
        i++;
    }
    return i < l->count;
}

static bool make_boards(line_t *l, factory_flasher_t *flasher, size_t at, size_t count, err_t *err)
{
    const factory_identity_t how = {.writer = l->batch->writer};
    factory_job_t *jobs = calloc(TOGETHER, sizeof *jobs);
    size_t n = 0;
    err_t why = ERR_INIT;
    if (jobs == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a batch");
    }
    for (size_t i = 0; i < count; i++) {
        char *mac = l->batch->macs[at + i];
        err_t now = ERR_INIT;
        bool already;
        bool ok = factory_flash(l->station, flasher, mac, &already, &now);
        tell(l, FACTORY_AT_FLASH, mac, ok, now.text);
        if (ok) {
            memcpy(jobs[n++].mac, mac, FACTORY_MAC_SIZE);
        }
    }
    if (n > 0) {
        factory_identity(l->station, &how, jobs, n, &why);
    }
    for (size_t i = 0; i < n; i++) {
        if (jobs[i].ok && !(jobs[i].already && listed(l, jobs[i].unit.sn))) {
            memcpy(l->sn[l->count++], jobs[i].unit.sn, SITE_SN_SIZE);
        }
        tell(l, FACTORY_AT_IDENTITY, jobs[i].mac, jobs[i].ok,
             jobs[i].err.kind != ERR_NONE ? jobs[i].err.text : why.text);
    }
    free(jobs);
    return true;
}

/* ---- station 4 ---- */

static void tested(void *context, const factory_test_t *test)
{
    tell(context, FACTORY_AT_TEST, test->sn, test->pass, test->err.text);
}

/* Those that pass stay in the list. */
static bool test_units(line_t *l, err_t *err)
{
    size_t count = l->count - l->from;
    factory_test_settings_t settings = l->batch->test;
    settings.done = tested;
    settings.context = l;
    if (l->batch->bench == NULL || count == 0) {
        l->from = l->count;
        return true;
    }
    factory_test_t *tests = calloc(count, sizeof *tests);
    if (tests == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for the tests");
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(tests[i].sn, l->sn[l->from + i], SITE_SN_SIZE);
    }
    err_t why = ERR_INIT;
    factory_test(l->station, l->batch->bench, &settings, tests, count, &why);
    l->count = l->from;
    for (size_t i = 0; i < count; i++) {
        if (tests[i].pass) {
            memcpy(l->sn[l->count++], tests[i].sn, SITE_SN_SIZE);
        }
    }
    l->from = l->count;
    free(tests);
    return why.kind == ERR_NONE || err_set(err, why.kind, "%s", why.text);
}

/* ---- station 5 ---- */

static void labelled(void *context, const char *sn, bool ok, const char *text)
{
    tell(context, FACTORY_AT_LABEL, sn, ok, ok ? "" : text);
}

static bool label_units(line_t *l, err_t *err)
{
    if (l->batch->label == NULL || l->count == 0) {
        return true;
    }
    factory_labelling_t how = *l->batch->label;
    factory_labelled_t result;
    const char **sns = calloc(l->count, sizeof *sns);
    if (sns == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for the labels");
    }
    for (size_t i = 0; i < l->count; i++) {
        sns[i] = l->sn[i];
    }
    how.said = labelled;
    how.context = l;
    bool ok = factory_label(l->station->site, &how, sns, l->count, &result, err);
    memcpy(l->result->label_file, result.file, sizeof l->result->label_file);
    free(sns);
    return ok;
}

/* ---- the line ---- */

static bool through_bench(line_t *l, factory_flasher_t *flasher, err_t *err)
{
    const factory_batch_t *b = l->batch;
    uint64_t total = b->macs != NULL ? b->mac_count : b->count;
    /* Without a bench there is nothing to wait for: one run makes them all. */
    uint64_t most = b->bench == NULL && b->macs == NULL ? total : TOGETHER;
    for (uint64_t at = 0; at < total; at += most) {
        uint64_t some = total - at < most ? total - at : most;
        if (!(b->macs != NULL ? make_boards(l, flasher, (size_t)at, (size_t)some, err)
                              : make_units(l, some, err)) ||
            !test_units(l, err)) {
            return false;
        }
    }
    return true;
}

bool factory_batch(factory_station_t *station, const factory_batch_t *batch,
                   factory_batch_result_t *result, err_t *err)
{
    const factory_flash_t bytes = {.port = NULL};
    line_t l = {.station = station, .batch = batch, .result = result};
    factory_flasher_t *flasher = NULL;
    uint64_t total = batch->macs != NULL ? batch->mac_count : batch->count;
    memset(result, 0, sizeof *result);
    if (total == 0 || total > FACTORY_BATCH_MAX) {
        return err_set(err, ERR_USAGE, "a batch has 1 to %d units", FACTORY_BATCH_MAX);
    }
    l.sn = calloc((size_t)total, sizeof *l.sn);
    bool ok = (l.sn != NULL || err_set(err, ERR_SYSTEM, "out of memory for a batch")) &&
              factory_flasher_open(station->site, &bytes, &flasher, err) &&
              through_bench(&l, flasher, err);
    /* What passed gets its label, also when the line broke off behind it. */
    ok = (l.sn == NULL || label_units(&l, ok ? err : NULL)) && ok;
    factory_flasher_close(flasher);
    free(l.sn);
    for (int i = 0; i < FACTORY_AT; i++) {
        ok = ok && result->failed[i] == 0;
    }
    return ok;
}

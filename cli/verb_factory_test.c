/* SPDX-License-Identifier: Apache-2.0 */
/* Station 4. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/factory_verbs.h"
#include "factory/limits.h"
#include "factory/people.h"
#include "factory/test.h"
#include "term/options.h"
#include "term/term.h"

typedef struct {
    factory_station_t *station;
    factory_bench_t bench;
    factory_test_settings_t settings;
    term_progress_t bar;
    uint64_t done;
} testing_t;

static void count_done(void *context, const factory_test_t *test)
{
    testing_t *t = context;
    (void)test;
    term_progress_update(&t->bar, ++t->done);
}

static void answer(scan_line_t *line, const factory_test_t *test)
{
    line->ok = test->pass;
    line->err = test->err;
    if (!test->pass && test->cause[0] != '\0') {
        err_add(&line->err, "%s", test->cause);
    }
    size_t used = (size_t)snprintf(line->state, sizeof line->state, "tested%s",
                                   test->already ? " (was already)" : "");
    for (size_t i = 0; i < test->value_count && used < sizeof line->state - 48; i++) {
        used += (size_t)snprintf(line->state + used, sizeof line->state - used, " %s=%g",
                                 test->value[i].name, test->value[i].value);
    }
}

static void test_lines(void *context, scan_line_t *lines, size_t count)
{
    testing_t *t = context;
    factory_test_t *tests = calloc(SCAN_BATCH, sizeof *tests);
    size_t at[SCAN_BATCH];
    size_t n = 0;
    err_t err = ERR_INIT;
    if (tests == NULL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (site_sn_check(lines[i].word, &lines[i].err)) {
            snprintf(tests[n].sn, sizeof tests[n].sn, "%s", lines[i].word);
            at[n++] = i;
        }
    }
    t->done = 0;
    term_progress_begin(&t->bar, "testing", n);
    factory_test(t->station, &t->bench, &t->settings, tests, n, &err);
    term_progress_end(&t->bar);
    for (size_t i = 0; i < n; i++) {
        answer(&lines[at[i]], &tests[i]);
    }
    free(tests);
}

static int test(const cli_t *cli, int argc, char **argv)
{
    site_t site;
    testing_t t = {.bench.lock = -1};
    factory_bench_settings_t bench = {0};
    factory_limits_t limits;
    const char *limits_file = NULL, *writer = NULL, *person = NULL;
    uint64_t jobs = 0, limit_s = 30;
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"limits", 0, OPTION_TEXT, &limits_file, "FILE", "what values must keep"},
        {"timeout", 0, OPTION_UINT, &limit_s, "SECONDS", "for each step (default 30)"},
        {"jobs", 'j', OPTION_UINT, &jobs, "N", "units at a time (default 4)"},
        {"self-test", 0, OPTION_TEXT, &t.settings.self_test, "METHOD", "default selfTest"},
        {"again", 0, OPTION_FLAG, &t.settings.again, NULL, "also units that passed"},
        {"cloud", 0, OPTION_TEXT, &bench.cloud, "HOST:PORT", "a test cloud's MQTTS"},
        {"cloud-url", 0, OPTION_TEXT, &bench.cloud_url, "URL", "its REST API"},
        {"cloud-ca", 0, OPTION_TEXT, &bench.cloud_ca, "FILE", "the CA of its certificate"},
        {"cloud-login", 0, OPTION_TEXT, &bench.cloud_login, "FILE", "username and password"},
        {"writer", 0, OPTION_TEXT, &writer, "NAME", "who writes in custody"},
        {"operator", 0, OPTION_TEXT, &person, "NAME", "who works here"},
        {0},
    };
    if (!options_parse(options, &argc, argv, 0, -1, &err)) {
        return cli_fail(&err);
    }
    if (jobs > FACTORY_BENCH_JOBS_MAX || limit_s == 0 || limit_s > 3600) {
        err_set(&err, ERR_USAGE, "--jobs is 1 to %d, --timeout 1 to 3600", FACTORY_BENCH_JOBS_MAX);
        return cli_fail(&err);
    }
    bench.jobs = (unsigned)jobs;
    t.settings.limit_s = (unsigned)limit_s;
    t.settings.limits = limits_file != NULL ? &limits : NULL;
    t.settings.done = count_done;
    t.settings.context = &t;
    int code;
    if ((limits_file != NULL && !factory_limits_load(limits_file, &limits, &err)) ||
        !site_open(&site, cli->site, &err) || !factory_operator(&site, writer, person, &err) ||
        !factory_station_open(&site, writer, &t.station, &err) ||
        !factory_bench_open(&t.bench, &site, &bench, &err)) {
        code = cli_fail(&err);
    } else {
        code = factory_scan(cli, "sn", argc, argv, test_lines, &t);
    }
    factory_bench_close(&t.bench);
    factory_station_close(t.station);
    return code;
}

const cli_verb_t factory_verb_test = {
    .name = "test",
    .summary = "station 4: run units on the bench, from Wi-Fi to telemetry, and reset them",
    .usage = "cradle factory test [SN ...] [options]",
    .run = test,
    .help = "Without an SN, lines are read from standard input. Each unit is run from its flash\n"
            "bytes, provisioned like a phone does it, must show up in the test cloud with valid\n"
            "telemetry, answer a call, and is reset and forgotten there: it ships as it was made.\n"
            "OK SN tested VALUES, or FAIL SN step: why.\n\n"
            "  --limits FILE        {\"temperature\":{\"min\":15,\"max\":30}}\n"
            "  --timeout SECONDS    for each step (default 30)\n"
            "  -j, --jobs N         units at a time (default 4, at most 32)\n"
            "  --self-test METHOD   the call that a unit answers (default selfTest)\n"
            "  --again              also units that passed\n"
            "  --cloud HOST:PORT --cloud-url URL --cloud-login FILE [--cloud-ca FILE]\n"
            "                       a test cloud that runs already (default: one of our own)\n"
            "  --operator NAME      who works here; custody gets a pseudonym\n"
            "  --writer NAME        who writes in custody (default line)\n\n"
            "example:\n"
            "  cradle factory test --limits limits.json SN-000001 SN-000002\n"};

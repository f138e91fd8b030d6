/* SPDX-License-Identifier: Apache-2.0 */
/* The line: many units from station 2 to 5. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/factory_verbs.h"
#include "factory/batch.h"
#include "factory/people.h"
#include "term/options.h"
#include "term/term.h"

#define DRAW_MS   100
#define MACS_SIZE (4 * 1024 * 1024)

static const char *const STAGES[FACTORY_AT] = {"flash", "identity", "test", "label"};

/* The table of stations, which is drawn over itself; only on a terminal. */
typedef struct {
    const cli_t *cli;
    bool live;
    bool used[FACTORY_AT];
    uint64_t ok[FACTORY_AT], failed[FACTORY_AT];
    uint64_t total;
    uint64_t began_ms, drawn_ms;
    int lines; /* on the screen */
    char last[160];
} board_t;

static void draw(board_t *b)
{
    uint64_t ms = clock_monotonic_ms() - b->began_ms;
    if (b->lines > 0) {
        fprintf(stderr, "\033[%dA", b->lines);
    }
    fprintf(stderr, "\033[K%-10s %9s %9s %9s\n", "STATION", "DONE", "FAILED", "PER S");
    b->lines = 2;
    for (int i = 0; i < FACTORY_AT; i++) {
        if (b->used[i]) {
            double rate = ms > 0 ? (double)b->ok[i] * 1000.0 / (double)ms : 0;
            fprintf(stderr, "\033[K%-10s %9" PRIu64 " %9" PRIu64 " %9.1f\n", STAGES[i], b->ok[i],
                    b->failed[i], rate);
            b->lines++;
        }
    }
    fprintf(stderr, "\033[K%.*s\n", 78, b->last);
    fflush(stderr);
    b->drawn_ms = clock_monotonic_ms();
}

static void passed(void *context, int stage, const char *key, bool ok, const char *why)
{
    board_t *b = context;
    *(ok ? &b->ok[stage] : &b->failed[stage]) += 1;
    if (!ok) {
        snprintf(b->last, sizeof b->last, "%s at %s: %s", key, STAGES[stage], why);
        if (!b->live) {
            fprintf(b->cli->json ? stderr : stdout, "FAIL %s %s: %s\n", key, STAGES[stage], why);
        }
    }
    if (b->live && clock_monotonic_ms() - b->drawn_ms >= DRAW_MS) {
        draw(b);
    }
}

static bool read_macs(const char *path, factory_batch_t *batch, err_t *err)
{
    char *text;
    size_t len;
    bool ok = true;
    if (!file_read(path, MACS_SIZE, &text, &len, err)) {
        return false;
    }
    batch->macs = calloc(FACTORY_BATCH_MAX, sizeof *batch->macs);
    ok = batch->macs != NULL || err_set(err, ERR_SYSTEM, "out of memory");
    char *rest = text;
    char *line;
    while (ok && (line = strsep(&rest, "\r\n")) != NULL) {
        line += strspn(line, " \t");
        line[strcspn(line, " \t")] = '\0';
        if (line[0] == '\0' || line[0] == '#') {
            continue;
        }
        ok = (batch->mac_count < FACTORY_BATCH_MAX ||
              err_set(err, ERR_USAGE, "%s has more than %d boards", path, FACTORY_BATCH_MAX)) &&
             factory_mac_parse(line, batch->macs[batch->mac_count], err);
        batch->mac_count += ok;
    }
    free(text);
    return ok;
}

static int print_result(const cli_t *cli, const board_t *b, const factory_batch_result_t *r,
                        bool ok)
{
    bool all = true;
    if (cli->json) {
        printf("{\"stations\":{");
        for (int i = 0, n = 0; i < FACTORY_AT; i++) {
            if (b->used[i]) {
                printf("%s\"%s\":{\"ok\":%" PRIu64 ",\"failed\":%" PRIu64 "}", n++ ? "," : "",
                       STAGES[i], r->ok[i], r->failed[i]);
            }
        }
        printf("}}\n");
    } else {
        for (int i = 0; i < FACTORY_AT; i++) {
            if (b->used[i]) {
                printf("%s: %" PRIu64 " ok, %" PRIu64 " failed\n", STAGES[i], r->ok[i],
                       r->failed[i]);
            }
        }
        if (r->label_file[0] != '\0') {
            printf("labels: %s\n", r->label_file);
        }
    }
    for (int i = 0; i < FACTORY_AT; i++) {
        all = all && r->failed[i] == 0;
    }
    return ok && all ? CLI_DONE : CLI_FAILED;
}

static int run_line(const cli_t *cli, const site_t *site, factory_batch_t *batch,
                    const factory_bench_settings_t *wanted)
{
    board_t board = {.cli = cli,
                     .live = term_is_tty(stdout) && term_is_tty(stderr) && !cli->json,
                     .used = {true, true, wanted != NULL, batch->label != NULL},
                     .began_ms = clock_monotonic_ms()};
    factory_batch_result_t *result = calloc(1, sizeof *result);
    factory_bench_t bench = {.lock = -1};
    factory_station_t *station = NULL;
    err_t err = ERR_INIT;
    batch->passed = passed;
    batch->context = &board;
    bool ok = (result != NULL || err_set(&err, ERR_SYSTEM, "out of memory")) &&
              factory_station_open(site, batch->writer, &station, &err) &&
              (wanted == NULL || factory_bench_open(&bench, site, wanted, &err));
    if (ok) {
        batch->bench = wanted != NULL ? &bench : NULL;
        ok = factory_batch(station, batch, result, &err);
        if (board.live) {
            draw(&board);
        }
    }
    if (station != NULL && factory_station_notice(station)[0] != '\0') {
        term_error("%s", factory_station_notice(station));
    }
    factory_bench_close(&bench);
    factory_station_close(station);
    int code = CLI_FAILED;
    if (result != NULL && (ok || result->ok[FACTORY_AT_FLASH] + result->failed[FACTORY_AT_FLASH])) {
        code = print_result(cli, &board, result, ok);
    }
    free(result);
    return err.kind != ERR_NONE ? cli_fail(&err) : code;
}

/* Stations 2 and 3 only, with a list of what was made. */
static int run_list(const cli_t *cli, const site_t *site, uint64_t count, const char *writer)
{
    factory_result_t result;
    term_progress_t bar;
    factory_listing_t listing = {.bar = &bar};
    err_t err = ERR_INIT;
    const factory_run_t what = {
        .count = count, .writer = writer, .made = factory_listing_add, .context = &listing};
    term_progress_begin(&bar, "units", what.count);
    factory_listing_begin(&listing, cli);
    bool ok = factory_run(site, &what, &result, &err);
    term_progress_end(&bar);
    factory_listing_end(&listing);
    if (result.notice[0] != '\0') {
        term_error("%s", result.notice);
    }
    if (result.voided > 0 && !cli->json) {
        printf("%" PRIu64 " serial numbers of a run that had died are void.\n", result.voided);
    }
    if (ok && !cli->json) {
        printf("%" PRIu64 " unit%s made. Next: cradle device run %s\n", result.made,
               result.made == 1 ? "" : "s", listing.first);
    }
    return ok ? CLI_DONE : cli_fail(&err);
}

static int run(const cli_t *cli, int argc, char **argv)
{
    site_t site;
    factory_batch_t batch = {.count = 1};
    factory_bench_settings_t bench = {0};
    factory_labelling_t label = factory_labelling_default();
    factory_limits_t limits;
    const char *boards = NULL, *limits_file = NULL, *product = NULL, *person = NULL;
    bool test = false, labels = false;
    uint64_t jobs = 0;
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"count", 'n', OPTION_UINT, &batch.count, "N", "how many units (default 1)"},
        {"product", 0, OPTION_TEXT, &product, "NAME", "one that cradle.json names"},
        {"operator", 0, OPTION_TEXT, &person, "NAME", "who works here"},
        {"boards", 0, OPTION_TEXT, &boards, "FILE", "boards of station 1, a MAC a line"},
        {"test", 0, OPTION_FLAG, &test, NULL, "also station 4"},
        {"limits", 0, OPTION_TEXT, &limits_file, "FILE", "what measured values must keep"},
        {"jobs", 'j', OPTION_UINT, &jobs, "N", "units on the bench at a time (default 4)"},
        {"label", 0, OPTION_FLAG, &labels, NULL, "also station 5: a PDF in factory/labels"},
        {"writer", 0, OPTION_TEXT, &batch.writer, "NAME", "who writes in custody"},
        {0},
    };
    if (!options_parse(options, &argc, argv, 0, 0, &err)) {
        return cli_fail(&err);
    }
    if (jobs > FACTORY_BENCH_JOBS_MAX || ((jobs > 0 || limits_file != NULL) && !test)) {
        err_set(&err, ERR_USAGE, "--jobs (1 to %d) and --limits go with --test",
                FACTORY_BENCH_JOBS_MAX);
        return cli_fail(&err);
    }
    if ((limits_file != NULL && !factory_limits_load(limits_file, &limits, &err)) ||
        !site_open(&site, cli->site, &err) || !site_product_choose(&site, product, &err) ||
        !factory_operator(&site, batch.writer, person, &err)) {
        return cli_fail(&err);
    }
    if (boards == NULL && !test && !labels) {
        return run_list(cli, &site, batch.count, batch.writer);
    }
    bench.jobs = (unsigned)jobs;
    label.format = FACTORY_LABEL_PDF;
    batch.label = labels ? &label : NULL;
    batch.test.limits = limits_file != NULL ? &limits : NULL;
    int code = boards != NULL && !read_macs(boards, &batch, &err)
                   ? cli_fail(&err)
                   : run_line(cli, &site, &batch, test ? &bench : NULL);
    free(batch.macs);
    return code;
}

const cli_verb_t factory_verb_run = {
    .name = "run",
    .summary = "the line: make units, test and label them",
    .usage = "cradle factory run [--count N | --boards FILE] [--test] [--label]",
    .run = run,
    .help = "  -n, --count N    how many units (default 1), with invented MACs\n"
            "  --product NAME   with the serial numbers and model of this one of cradle.json's\n"
            "  --boards FILE    instead: boards that passed station 1, a MAC a line\n"
            "  --test           also station 4, on a bench of our own\n"
            "  --limits FILE    what measured values must keep (cradle factory test --help)\n"
            "  -j, --jobs N     units on the bench at a time (default 4)\n"
            "  --label          also station 5: one PDF in factory/labels (cradle factory label)\n"
            "  --operator NAME  who works here; custody gets a pseudonym\n"
            "  --writer NAME    who writes in custody (default line); one name a line\n\n"
            "Several runs may work on one site at once. A run that is killed costs serial\n"
            "numbers, which become void, and nothing else. On a terminal, a table shows how far\n"
            "each station is; a unit that fails at one goes no further.\n\n"
            "examples:\n"
            "  cradle factory run --count 3\n"
            "  cradle factory run --boards macs.txt --test --limits limits.json --label\n"};

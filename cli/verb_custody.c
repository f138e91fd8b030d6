/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "custody/custody.h"
#include "json/json.h"
#include "site/site.h"
#include "term/options.h"
#include "term/term.h"

static bool open_record(const cli_t *cli, custody_t **custody, err_t *err)
{
    site_t site;
    char path[FILE_PATH_MAX];
    return site_open(&site, cli->site, err) && site_path(&site, "factory/custody.db", path, err) &&
           custody_open(path, NULL, custody, err);
}

static void print_finding(void *context, const custody_finding_t *finding)
{
    (void)context;
    term_error("custody: %s, entry %" PRIu64 " of %s%s%s: %s", custody_fault_name(finding->fault),
               finding->seq, finding->writer, finding->sn[0] != '\0' ? ", " : "", finding->sn,
               finding->text);
}

static int verify(const cli_t *cli, int argc, char **argv)
{
    const option_t options[] = {{0}};
    custody_t *custody = NULL;
    custody_verdict_t verdict;
    err_t err = ERR_INIT;
    if (!options_parse(options, &argc, argv, 0, 0, &err) || !open_record(cli, &custody, &err)) {
        return cli_fail(&err);
    }
    bool ok = custody_verify(custody, NULL, 0, print_finding, NULL, &verdict, &err);
    custody_close(custody);
    if (!ok) {
        return cli_fail(&err);
    }
    if (cli->json) {
        printf("{\"entries\":%" PRIu64 ",\"writers\":%u,\"faults\":%" PRIu64 "}\n", verdict.entries,
               verdict.writers, verdict.faults);
    } else {
        printf("%" PRIu64 " entries of %u writers, %" PRIu64 " faults\n", verdict.entries,
               verdict.writers, verdict.faults);
    }
    return verdict.faults == 0 ? CLI_DONE : CLI_FAILED;
}

/* Where the entries of one unit go: a table, or JSON lines. */
typedef struct {
    term_table_t *table; /* NULL: JSON */
    bool any;
} listing_t;

static bool list_entry(void *context, const custody_entry_t *entry)
{
    listing_t *listing = context;
    listing->any = true;
    if (listing->table != NULL) {
        char when[32];
        time_t seconds = (time_t)(entry->time_ms / 1000);
        struct tm utc;
        gmtime_r(&seconds, &utc);
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%SZ", &utc);
        term_table_row(listing->table, when, entry->writer, entry->kind, entry->detail);
        return true;
    }
    char text[CUSTODY_DETAIL_MAX + 512];
    json_writer_t w;
    json_writer_init(&w, text, sizeof text);
    json_object(&w);
    json_key(&w, "time");
    json_put_i64(&w, entry->time_ms);
    json_key(&w, "writer");
    json_put_string(&w, entry->writer);
    json_key(&w, "seq");
    json_put_i64(&w, (int64_t)entry->seq);
    json_key(&w, "kind");
    json_put_string(&w, entry->kind);
    json_key(&w, "detail");
    json_put_string(&w, entry->detail);
    json_end(&w);
    if (json_writer_done(&w, NULL)) {
        puts(text);
    }
    return true;
}

static int show(const cli_t *cli, int argc, char **argv)
{
    const option_t options[] = {{0}};
    custody_t *custody = NULL;
    err_t err = ERR_INIT;
    if (!options_parse(options, &argc, argv, 1, 1, &err) || !open_record(cli, &custody, &err)) {
        return cli_fail(&err);
    }
    listing_t listing = {.table = cli->json ? NULL : term_table_new("WHEN|WHO|WHAT|DETAIL")};
    bool ok = custody_each_of_sn(custody, argv[0], list_entry, &listing, &err);
    custody_close(custody);
    if (ok && !listing.any) {
        ok = err_set(&err, ERR_PRECONDITION,
                     "custody has nothing of %s; `cradle factory list` shows the units", argv[0]);
    }
    if (ok) {
        term_table_print(listing.table, stdout);
    }
    term_table_free(listing.table);
    return ok ? CLI_DONE : cli_fail(&err);
}

static const cli_verb_t VERBS[] = {
    {.name = "show",
     .summary = "everything that is recorded of one unit",
     .usage = "cradle custody show SN",
     .run = show,
     .help = "example:\n  cradle custody show SN-000001\n"},
    {.name = "verify",
     .summary = "check that nothing was changed, lost or moved",
     .usage = "cradle custody verify",
     .run = verify,
     .help = "Every entry holds the hash of the one before it. A changed, lost or moved entry is\n"
             "named; exit code 1 when there is one. A cut-off end is not found by this alone.\n"},
    {0},
};

static int run(const cli_t *cli, int argc, char **argv)
{
    return cli_dispatch(cli, "cradle custody", VERBS, argc, argv);
}

const cli_verb_t cli_verb_custody = {
    .name = "custody",
    .summary = "the record of what happened to each unit",
    .run = run,
};

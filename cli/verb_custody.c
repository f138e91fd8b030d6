/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "custody/custody.h"
#include "custody/people.h"
#include "factory/checkpoint.h"
#include "factory/people.h"
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

typedef struct {
    custody_checkpoint_t *head;
    size_t count, room;
    unsigned points;
    bool full;
} known_t;

static bool learn(void *context, const char *path, const custody_point_t *point)
{
    known_t *known = context;
    (void)path;
    if (known->count + point->count > known->room) {
        known->room = 2 * (known->count + point->count);
        void *more = realloc(known->head, known->room * sizeof *known->head);
        known->full = more == NULL;
        if (more == NULL) {
            return false;
        }
        known->head = more;
    }
    memcpy(&known->head[known->count], point->head, point->count * sizeof *known->head);
    known->count += point->count;
    known->points++;
    return true;
}

/* The named files, and what is in checkpoint_dir. */
static bool learn_all(const site_t *site, const option_list_t *files, known_t *known, err_t *err)
{
    bool ok = true;
    for (int i = 0; ok && i < files->count; i++) {
        custody_point_t point;
        ok = factory_checkpoint_load(site, files->items[i], &point, err) &&
             learn(known, files->items[i], &point);
    }
    return ok && factory_checkpoint_each(site, learn, known, err) &&
           (!known->full || err_set(err, ERR_SYSTEM, "out of memory for checkpoints"));
}

static int report(const cli_t *cli, const custody_verdict_t *verdict, const known_t *known)
{
    if (cli->json) {
        printf("{\"entries\":%" PRIu64 ",\"writers\":%u,\"checkpoints\":%u,\"faults\":%" PRIu64
               "}\n",
               verdict->entries, verdict->writers, known->points, verdict->faults);
    } else {
        printf("%" PRIu64 " entries of %u writers, compared with %u checkpoints: %" PRIu64
               " faults\n",
               verdict->entries, verdict->writers, known->points, verdict->faults);
    }
    return verdict->faults == 0 ? CLI_DONE : CLI_FAILED;
}

static int verify(const cli_t *cli, int argc, char **argv)
{
    option_list_t files = {.count = 0};
    const option_t options[] = {
        {"checkpoint", 0, OPTION_LIST, &files, "FILE", "one more checkpoint to compare with"},
        {0},
    };
    site_t site;
    custody_t *custody = NULL;
    custody_verdict_t verdict;
    known_t known = {0};
    err_t err = ERR_INIT;
    bool ok = options_parse(options, &argc, argv, 0, 0, &err) &&
              site_open(&site, cli->site, &err) && learn_all(&site, &files, &known, &err) &&
              open_record(cli, &custody, &err) &&
              custody_verify(custody, known.head, known.count, print_finding, NULL, &verdict, &err);
    custody_close(custody);
    free(known.head);
    return ok ? report(cli, &verdict, &known) : cli_fail(&err);
}

static int checkpoint(const cli_t *cli, int argc, char **argv)
{
    const char *path = NULL;
    const option_t options[] = {
        {"output", 'o', OPTION_TEXT, &path, "FILE", "where the checkpoint goes"},
        {0},
    };
    site_t site;
    custody_point_t point;
    err_t err = ERR_INIT;
    if (options_parse(options, &argc, argv, 0, 0, &err) && path == NULL) {
        err_set(&err, ERR_USAGE, "-o FILE is needed: where the checkpoint goes");
    }
    if (err.kind != ERR_NONE || !site_open(&site, cli->site, &err) ||
        !factory_checkpoint_write(&site, path, &point, &err)) {
        return cli_fail(&err);
    }
    uint64_t entries = 0;
    for (size_t i = 0; i < point.count; i++) {
        entries += point.head[i].seq;
    }
    if (cli->json) {
        printf("{\"entries\":%" PRIu64 ",\"writers\":%zu,\"number\":%" PRIu64 "}\n", entries,
               point.count, custody_point_number(&point));
    } else {
        printf("%s covers %" PRIu64 " entries of %zu writers, numbers up to %" PRIu64
               ". Keep it where the site is not.\n",
               path, entries, point.count, custody_point_number(&point));
    }
    return CLI_DONE;
}

static int restored(const cli_t *cli, int argc, char **argv)
{
    const option_t options[] = {{0}};
    site_t site;
    uint64_t entries;
    uint64_t number;
    err_t err = ERR_INIT;
    if (!options_parse(options, &argc, argv, 0, 0, &err) || !site_open(&site, cli->site, &err) ||
        !factory_checkpoint_restored(&site, &entries, &number, &err)) {
        return cli_fail(&err);
    }
    if (cli->json) {
        printf("{\"missing\":%" PRIu64 ",\"number\":%" PRIu64 "}\n", entries, number);
    } else {
        printf("Custody says now that up to %" PRIu64
               " entries were lost. The next serial number is above %" PRIu64 ".\n",
               entries, number);
    }
    return CLI_DONE;
}

static int forget(const cli_t *cli, int argc, char **argv)
{
    const option_t options[] = {{0}};
    site_t site;
    char was[CUSTODY_PERSON_SIZE];
    err_t err = ERR_INIT;
    if (!options_parse(options, &argc, argv, 1, 1, &err) || !site_open(&site, cli->site, &err) ||
        !factory_person_forget(&site, argv[0], was, &err)) {
        return cli_fail(&err);
    }
    if (!cli->json) {
        printf("%s stays in the record; nobody can tell any more who that was. Remove it from "
               "back-ups of factory/people.json, too.\n",
               was);
    }
    return CLI_DONE;
}

/* Where the entries of one unit go: a table, or JSON lines. */
typedef struct {
    term_table_t *table; /* NULL: JSON */
    FILE *out;           /* for JSON */
    custody_t *custody;
    bool any;
} listing_t;

static bool list_entry(void *context, const custody_entry_t *entry)
{
    listing_t *listing = context;
    char person[CUSTODY_PERSON_SIZE] = "";
    listing->any = true;
    factory_operator_at(listing->custody, entry->writer, entry->seq, person, NULL);
    if (listing->table != NULL) {
        char when[32];
        char who[CUSTODY_WRITER_SIZE + CUSTODY_PERSON_SIZE + 2];
        snprintf(who, sizeof who, "%s%s%s", entry->writer, person[0] == '\0' ? "" : ", ", person);
        time_t seconds = (time_t)(entry->time_ms / 1000);
        struct tm utc;
        gmtime_r(&seconds, &utc);
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%SZ", &utc);
        term_table_row(listing->table, when, who, entry->kind, entry->detail);
        return true;
    }
    char text[2 * CUSTODY_DETAIL_MAX + 1024]; /* quotes in it are escaped */
    char hash[65] = "";
    json_writer_t w;
    json_writer_init(&w, text, sizeof text);
    json_object(&w);
    json_key(&w, "time");
    json_put_i64(&w, entry->time_ms);
    json_key(&w, "writer");
    json_put_string(&w, entry->writer);
    json_key(&w, "seq");
    json_put_i64(&w, (int64_t)entry->seq);
    json_key(&w, "sn");
    json_put_string(&w, entry->sn);
    json_key(&w, "kind");
    json_put_string(&w, entry->kind);
    if (person[0] != '\0') {
        json_key(&w, "operator");
        json_put_string(&w, person);
    }
    json_key(&w, "number");
    json_put_i64(&w, (int64_t)entry->number);
    json_key(&w, "detail");
    json_put_string(&w, entry->detail);
    json_key(&w, "hash");
    bytes_to_hex(entry->hash, sizeof entry->hash, hash, sizeof hash);
    json_put_string(&w, hash);
    json_end(&w);
    return json_writer_done(&w, NULL) && fprintf(listing->out, "%s\n", text) > 0;
}

static bool not_there(const cli_t *cli, const char *sn, err_t *err)
{
    site_t site;
    return site_open(&site, cli->site, err) && site_sn_typed(&site, sn, err) &&
           err_set(err, ERR_PRECONDITION,
                   "custody has nothing of %s; `cradle factory list` shows the units", sn);
}

static int show(const cli_t *cli, int argc, char **argv)
{
    const option_t options[] = {{0}};
    custody_t *custody = NULL;
    err_t err = ERR_INIT;
    if (!options_parse(options, &argc, argv, 1, 1, &err) || !open_record(cli, &custody, &err)) {
        return cli_fail(&err);
    }
    listing_t listing = {.table = cli->json ? NULL : term_table_new("WHEN|WHO|WHAT|DETAIL"),
                         .out = stdout,
                         .custody = custody};
    bool ok = custody_each_of_sn(custody, argv[0], list_entry, &listing, &err);
    custody_close(custody);
    if (ok && !listing.any) {
        ok = not_there(cli, argv[0], &err);
    }
    if (ok && listing.table != NULL) {
        term_table_print(listing.table, stdout);
    }
    term_table_free(listing.table);
    return ok ? CLI_DONE : cli_fail(&err);
}

static int export(const cli_t *cli, int argc, char **argv)
{
    const char *path = NULL;
    const option_t options[] = {
        {"output", 'o', OPTION_TEXT, &path, "FILE", "where it goes"},
        {0},
    };
    custody_t *custody = NULL;
    listing_t listing = {.out = stdout};
    err_t err = ERR_INIT;
    if (!options_parse(options, &argc, argv, 1, 1, &err) || !open_record(cli, &custody, &err)) {
        return cli_fail(&err);
    }
    bool ok = path == NULL || (listing.out = fopen(path, "we")) != NULL ||
              err_errno(&err, "cannot make %s", path);
    listing.custody = custody;
    ok = ok && custody_each_of_sn(custody, argv[0], list_entry, &listing, &err);
    custody_close(custody);
    if (ok && !listing.any) {
        ok = not_there(cli, argv[0], &err);
    }
    bool written = listing.out != NULL && fflush(listing.out) == 0 && ferror(listing.out) == 0;
    if (path != NULL && listing.out != NULL) {
        written = fclose(listing.out) == 0 && written;
    }
    if (ok && !written) {
        ok = err_errno(&err, "cannot write %s", path == NULL ? "the output" : path);
    }
    return ok ? CLI_DONE : cli_fail(&err);
}

static const cli_verb_t VERBS[] = {
    {.name = "show",
     .summary = "everything that is recorded of one unit",
     .usage = "cradle custody show SN",
     .run = show,
     .help = "example:\n  cradle custody show SN-000001\n"},
    {.name = "export",
     .summary = "the same as JSON, one entry a line, for programs and archives",
     .usage = "cradle custody export SN [-o FILE]",
     .run = export,
     .help = "  -o, --output FILE   where it goes (default: the terminal)\n\n"
             "Entries of all writers, by time, with their hashes.\n\n"
             "example:\n  cradle custody export SN-000001 -o SN-000001.jsonl\n"},
    {.name = "verify",
     .summary = "check that nothing was changed, lost or moved",
     .usage = "cradle custody verify [--checkpoint FILE ...]",
     .run = verify,
     .help = "  --checkpoint FILE   one more to compare with, beside all of checkpoint_dir\n\n"
             "Every entry holds the hash of the one before it. A changed, lost or moved entry is\n"
             "named; exit code 1 when there is one. A cut-off end, an old back-up and a chain\n"
             "written anew are found up to the youngest checkpoint, and nothing more.\n\n"
             "example:\n  cradle custody verify --checkpoint /media/safe/monday.jws\n"},
    {.name = "checkpoint",
     .summary = "where the record stands, signed, as a file to keep elsewhere",
     .usage = "cradle custody checkpoint -o FILE",
     .run = checkpoint,
     .help =
         "  -o, --output FILE   where it goes\n\n"
         "With \"checkpoint_dir\" in cradle.json (cradle init --checkpoint-dir DIR) every run of\n"
         "the line leaves one there by itself.\n\n"
         "example:\n  cradle custody checkpoint -o /media/safe/monday.jws\n"},
    {.name = "restored",
     .summary = "confirm that a back-up was restored, and go on from there",
     .usage = "cradle custody restored",
     .run = restored,
     .help = "First put the youngest back-up in place and look at what is missing (cradle custody\n"
             "verify). This then writes into custody what it lacks, takes the numbers that were\n"
             "given out since, and renames the checkpoints that no longer fit.\n"},
    {.name = "forget",
     .summary = "forget a person: the pseudonym in the record leads to nobody then",
     .usage = "cradle custody forget NAME",
     .run = forget,
     .help = "The record has pseudonyms only (--operator NAME at the stations). This removes the\n"
             "salt from factory/people.json, without which nobody can tell whose it was.\n"},
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

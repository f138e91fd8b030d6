/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/factory_verbs.h"
#include "factory/people.h"
#include "factory/station_label.h"
#include "json/json.h"
#include "term/options.h"
#include "term/term.h"

#define LINE_MAX_IN 256 /* longer lines are no serial numbers */

/* The words of the command line. */
typedef struct {
    const char *format;
    const char *sheet;
    const char *size;
    const char *gap;
    uint64_t skip;
    uint64_t dpi;
    bool all;
} words_t;

/* Serial numbers, as they were given; each is heap memory. */
typedef struct {
    char **sn;
    size_t count;
    size_t cap;
    err_t *err;
} names_t;

typedef struct {
    const cli_t *cli;
    const site_t *site;
    factory_labelling_t how;
    uint64_t failed;
    uint64_t labelled;
} job_t;

static bool read_format(const words_t *words, factory_labelling_t *how, err_t *err)
{
    static const char *const names[] = {
        [FACTORY_LABEL_PNG] = "png", [FACTORY_LABEL_PDF] = "pdf", [FACTORY_LABEL_ZPL] = "zpl"};
    for (int i = 0; i < 3; i++) {
        if (words->format == NULL || strcmp(words->format, names[i]) == 0) {
            how->format = (factory_label_format_t)i;
            return true;
        }
    }
    return err_set(err, ERR_USAGE, "--format is png, pdf or zpl");
}

static bool read_words(const words_t *words, factory_labelling_t *how, err_t *err)
{
    label_sheet_t *s = &how->sheet;
    double columns = s->columns;
    double rows = s->rows;
    if (words->sheet != NULL && !label_pair_parse(words->sheet, false, &columns, &rows)) {
        return err_set(err, ERR_USAGE, "--sheet is columns by rows, as in 3x8");
    }
    if (words->size != NULL && !label_pair_parse(words->size, true, &s->width, &s->height)) {
        return err_set(err, ERR_USAGE, "--size is width by height in mm, as in 62x29 or 63.5x33.9");
    }
    if (words->gap != NULL && !label_pair_parse(words->gap, true, &s->gap_x, &s->gap_y)) {
        return err_set(err, ERR_USAGE, "--gap is across by down in mm, as in 3x3 or 2.5x0");
    }
    if (words->skip > UINT16_MAX || words->dpi > LABEL_DPI_MAX) {
        return err_set(err, ERR_USAGE, "--skip or --dpi is too large");
    }
    s->columns = (unsigned)columns;
    s->rows = (unsigned)rows;
    s->skip = (unsigned)words->skip;
    how->dpi = (unsigned)words->dpi;
    return read_format(words, how, err);
}

/* One line a unit, at once: somebody stands there with a scanner. */
static void said(void *context, const char *sn, bool ok, const char *text)
{
    const job_t *job = context;
    if (job->cli->json) {
        char line[1024];
        json_writer_t w;
        json_writer_init(&w, line, sizeof line);
        json_object(&w);
        json_key(&w, "sn");
        json_put_string(&w, sn);
        json_key(&w, "ok");
        json_put_bool(&w, ok);
        json_key(&w, ok ? "state" : "reason");
        json_put_string(&w, text);
        json_end(&w);
        if (json_writer_done(&w, NULL)) {
            puts(line);
        }
    } else {
        printf("%s %s %s\n", ok ? "OK" : "FAIL", sn, text);
    }
}

static bool label_names(job_t *job, const char *const *sns, size_t count, err_t *err)
{
    factory_labelled_t result;
    bool ok = factory_label(job->site, &job->how, sns, count, &result, err);
    fflush(stdout);
    job->failed += result.failed;
    job->labelled += result.labelled;
    if (ok && result.file[0] != '\0') {
        fprintf(stderr, "%s holds %" PRIu64 " label%s; print it, then remove it\n", result.file,
                result.labelled, result.labelled == 1 ? "" : "s");
    }
    return ok;
}

static bool add_name(names_t *names, const char *sn)
{
    if (names->count == names->cap) {
        size_t cap = 2 * names->cap + 256;
        char **larger = realloc(names->sn, cap * sizeof *larger);
        if (larger == NULL) {
            return err_set(names->err, ERR_SYSTEM, "out of memory for serial numbers");
        }
        names->sn = larger;
        names->cap = cap;
    }
    names->sn[names->count] = strdup(sn);
    return names->sn[names->count++] != NULL ||
           err_set(names->err, ERR_SYSTEM, "out of memory for serial numbers");
}

static void free_names(names_t *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->sn[i]);
    }
    free(names->sn);
}

static bool add_unit(void *context, const factory_unit_t *unit)
{
    return add_name(context, unit->sn);
}

static bool label_gathered(job_t *job, const names_t *names, err_t *err)
{
    return label_names(job, (const char *const *)names->sn, names->count, err);
}

static bool label_all(job_t *job, err_t *err)
{
    names_t names = {.err = err};
    bool ok = factory_each(job->site, add_unit, &names, err) && err->kind == ERR_NONE &&
              label_gathered(job, &names, err);
    free_names(&names);
    return ok;
}

/* From a scanner, or a file: each line at once, unless all labels go into one file. */
static bool label_lines(job_t *job, err_t *err)
{
    names_t names = {.err = err};
    char line[LINE_MAX_IN];
    bool one_file = factory_label_one_file(&job->how);
    bool ok = true;
    if (term_is_tty(stdin)) {
        fputs("Serial numbers, one a line; Ctrl-D ends.\n", stderr);
    }
    while (ok && fgets(line, sizeof line, stdin) != NULL) {
        char *sn = line + strspn(line, " \t");
        sn[strcspn(sn, " \t\r\n")] = '\0';
        const char *one = sn;
        if (sn[0] != '\0') {
            ok = one_file ? add_name(&names, sn) : label_names(job, &one, 1, err);
        }
    }
    ok = ok && (!one_file || names.count == 0 || label_gathered(job, &names, err));
    free_names(&names);
    return ok;
}

static int run(const cli_t *cli, int argc, char **argv)
{
    site_t site;
    words_t words = {0};
    err_t err = ERR_INIT;
    job_t job = {.cli = cli, .site = &site, .how = factory_labelling_default()};
    const char *person = NULL;
    const option_t options[] = {
        {"operator", 0, OPTION_TEXT, &person, "NAME", "who works here; custody gets a pseudonym"},
        {"all", 'a', OPTION_FLAG, &words.all, NULL, "every unit that has no label yet"},
        {"format", 'f', OPTION_TEXT, &words.format, "png|pdf|zpl", "how (default png)"},
        {"out", 'o', OPTION_TEXT, &job.how.out, "FILE|DIR", "where (default factory/labels)"},
        {"size", 0, OPTION_TEXT, &words.size, "WxH", "of a label, in mm (default 62x29)"},
        {"sheet", 0, OPTION_TEXT, &words.sheet, "NxM", "labels on an A4 sheet (default 3x8)"},
        {"gap", 0, OPTION_TEXT, &words.gap, "WxH", "between them, in mm (default 3x3)"},
        {"skip", 0, OPTION_UINT, &words.skip, "N", "places of the first sheet that are used"},
        {"dpi", 0, OPTION_UINT, &words.dpi, "N", "dots an inch (default 300; zpl 203)"},
        {"reprint", 0, OPTION_FLAG, &job.how.reprint, NULL, "a new label, with a new code"},
        {"no-code", 0, OPTION_FLAG, &job.how.no_code, NULL, "without a claim code"},
        {0},
    };
    job.how.said = said;
    job.how.context = &job;
    bool ok = options_parse(options, &argc, argv, 0, -1, &err) &&
              read_words(&words, &job.how, &err) && site_open(&site, cli->site, &err) &&
              factory_operator(&site, NULL, person, &err);
    if (ok && words.all && argc > 0) {
        ok = err_set(&err, ERR_USAGE, "either --all, or serial numbers");
    }
    ok = ok && (words.all  ? label_all(&job, &err)
                : argc > 0 ? label_names(&job, (const char *const *)argv, (size_t)argc, &err)
                           : label_lines(&job, &err));
    if (!ok) {
        return cli_fail(&err);
    }
    return job.failed > 0 ? CLI_FAILED : CLI_DONE;
}

const cli_verb_t factory_verb_label = {
    .name = "label",
    .summary = "station 5: labels with serial number, claim code and QR code",
    .usage = "cradle factory label [SN... | --all] [--format png|pdf|zpl] [-o FILE|DIR] ...",
    .run = run,
    .help =
        "  -a, --all          every unit; without it and without SNs they are read from\n"
        "                     standard input, one a line, as a scanner gives them\n"
        "  -f, --format png|pdf|zpl\n"
        "                     a picture (default), A4 sheets, or text for a label printer\n"
        "  -o, --out FILE|DIR a file if it ends in .png, .pdf or .zpl, else a directory\n"
        "                     (default factory/labels of the site)\n"
        "      --size WxH     of a label, in mm (default 62x29)\n"
        "      --dpi N        of PNG (default 300) or of the printer (default 203)\n"
        "      --sheet NxM    labels across and down an A4 sheet (default 3x8)\n"
        "      --gap WxH      between them, in mm (default 3x3)\n"
        "      --skip N       places of the first sheet that are used up already\n"
        "      --reprint      also what has a label: a new one, with a new code\n"
        "      --no-code      labels without a claim code\n\n"
        "One line out a unit: OK SN labelled, or FAIL SN and why. A unit that has a label gets\n"
        "no other. The claim code is on the label and nowhere else: files have mode 0600;\n"
        "remove them when they are printed. Its hash goes into custody and the pack list.\n\n"
        "examples:\n"
        "  cradle factory label SN-000001\n"
        "  cradle factory label --all --format pdf -o labels.pdf\n"
        "  cradle factory label --format zpl -o labels.zpl <serials.txt\n"};

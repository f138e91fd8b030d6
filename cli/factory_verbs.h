/* SPDX-License-Identifier: Apache-2.0 */
/* internal: what the files of `cradle factory` share. */
#ifndef CRADLE_CLI_FACTORY_VERBS_H
#define CRADLE_CLI_FACTORY_VERBS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "cli/cli.h"
#include "factory/station.h"
#include "term/term.h"

/* A row of the table of `cradle factory`, one a verb; verb_factory_<file>.c defines them. */
extern const cli_verb_t factory_verb_run;
extern const cli_verb_t factory_verb_assemble;
extern const cli_verb_t factory_verb_flash;
extern const cli_verb_t factory_verb_identity;
extern const cli_verb_t factory_verb_test;
extern const cli_verb_t factory_verb_rework;
extern const cli_verb_t factory_verb_scrap;
extern const cli_verb_t factory_verb_report;
extern const cli_verb_t factory_verb_label;
extern const cli_verb_t factory_verb_pack;

/* ---- lists of units ---- */

/* Units as they come: rows of a table, or members of a JSON array, printed at once so that a
   million of them need no memory. */
typedef struct {
    term_table_t *table;  /* NULL: JSON */
    term_progress_t *bar; /* NULL: none */
    uint64_t count;
    char first[SITE_SN_SIZE];
} factory_listing_t;

void factory_listing_begin(factory_listing_t *listing, const cli_t *cli);
bool factory_listing_add(void *listing, const factory_unit_t *unit);
void factory_listing_end(factory_listing_t *listing);

/* ---- one line in, one line out: for a barcode scanner, a person, or a pipe ---- */

#define SCAN_BATCH 64
#define SCAN_LINE  512

typedef struct {
    char text[SCAN_LINE]; /* the line, its words separated by NUL: `word`, then `rest` */
    const char *word;     /* what was scanned: a MAC, an SN                            */
    char *rest;           /* the words after it with single spaces, "" for none        */
    char key[64];         /* out: how it is called in the answer; "" means `word`      */
    char state[96];       /* out, when ok                                              */
    err_t err;            /* out, when not                                             */
    bool ok;              /* out                                                       */
} scan_line_t;

/* Works on some lines, in order; what there is of them at once, so that a scanner is answered at
   once and a file quickly. Each has ok false and an empty err before. */
typedef void (*scan_work_t)(void *context, scan_line_t *lines, size_t count);

/* The arguments, or without any the lines of standard input, until it ends. Prints "OK KEY state"
   or "FAIL KEY reason" for each, with --json an object a line:
   {"<key>":"..","ok":true,"state":".."}. `key` is "mac" or "sn". Gives the exit code: CLI_FAILED if
   any failed. */
int factory_scan(const cli_t *cli, const char *key, int argc, char **argv, scan_work_t work,
                 void *context);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli: the verbs of `cradle`. A verb file parses its arguments, calls the room that does the work,
 * and shows the result; it decides nothing else.
 *
 *     cradle [-C DIR] [--json] VERB [SUBVERB] ...
 *
 * A verb with sub-verbs calls cli_dispatch on its own table. Exit codes: 0 done, 1 failed, 2 usage.
 */
#ifndef CRADLE_CLI_CLI_H
#define CRADLE_CLI_CLI_H

#include <stdbool.h>

#include "base/err.h"

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* What came before the verb. */
typedef struct {
    const char *site;    /* -C DIR, default "." */
    bool json;           /* --json anywhere before or after the verb */
    const char *program; /* argv[0], to find cradle-cloud beside it */
    int passphrase_fd; /* --passphrase-fd N, before or after the verb; -1: the terminal is asked */
} cli_t;

typedef struct cli_verb {
    const char *name;    /* NULL ends a table */
    const char *summary; /* one line for the list of verbs */
    const char *usage;   /* "cradle factory run [--count N]" */
    /* argv holds the arguments after the verb. */
    int (*run)(const cli_t *cli, int argc, char **argv);
    const char *help; /* several lines with examples; printed by --help and `cradle help VERB` */
} cli_verb_t;

/* Picks the verb argv[0] from a table and runs it; --help, a missing or unknown verb are answered
   here. `path` is what was typed so far ("cradle factory"). */
int cli_dispatch(const cli_t *cli, const char *path, const cli_verb_t *verbs, int argc,
                 char **argv);

/* Prints the error and gives the exit code: 2 for ERR_USAGE, else 1. */
int cli_fail(const err_t *err);

/* Becomes the program of that name beside this one, for the same site: it parses its own options.
   Returns only when it cannot be started: the exit code. */
int cli_become(const cli_t *cli, const char *name, int argc, char **argv);

/* The verbs, one file each: verb_<name>.c */
extern const cli_verb_t cli_verb_init;
extern const cli_verb_t cli_verb_ca;
extern const cli_verb_t cli_verb_factory;
extern const cli_verb_t cli_verb_device;
extern const cli_verb_t cli_verb_phone;
extern const cli_verb_t cli_verb_cloud;
extern const cli_verb_t cli_verb_steward;
extern const cli_verb_t cli_verb_bundle;
extern const cli_verb_t cli_verb_custody;
extern const cli_verb_t cli_verb_image;
extern const cli_verb_t cli_verb_thingsboard;
extern const cli_verb_t cli_verb_demo;

#endif

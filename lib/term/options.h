/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options: a table-driven command-line parser, so that every command has the same manners.
 *
 *     static bool parse(int argc, char **argv, struct what *what, err_t *err) {
 *         const option_t options[] = {
 *             {"count", 'n', OPTION_UINT, &what->count, "N", "how many units to make (default 1)"},
 *             {"json", 0, OPTION_FLAG, &what->json, NULL, "print JSON for programs"},
 *             {0}};
 *         return options_parse(options, &argc, argv, 0, 1, err);
 *     }
 *
 * Accepted: --name VALUE, --name=VALUE, -n VALUE, -nVALUE, flags, "--" ends the options; options
 * and positional arguments may be mixed. An option given twice is an error, except OPTION_LIST.
 * Texts point into argv. Never use an option for a secret: arguments are visible to every user.
 */
#ifndef CRADLE_TERM_OPTIONS_H
#define CRADLE_TERM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

#define OPTIONS_LIST_MAX 32

typedef enum {
    OPTION_FLAG, /* bool *                                       */
    OPTION_TEXT, /* const char **                                */
    OPTION_UINT, /* uint64_t *: decimal digits only               */
    OPTION_LIST, /* option_list_t *: may be given several times   */
} option_kind_t;

typedef struct {
    const char *items[OPTIONS_LIST_MAX];
    int count;
} option_list_t;

typedef struct {
    const char *name; /* without the dashes; NULL ends the table */
    char letter;      /* short form, or 0                        */
    option_kind_t kind;
    void *to;          /* where the value goes; keeps its default when the option is absent */
    const char *value; /* how the value is called in the help: "FILE", "HOST:PORT"          */
    const char *help;
} option_t;

/* On success argv[0 .. *argc-1] holds only the positional arguments (argv[0] of the program is
   not expected: pass argc - 1, argv + 1). Between `min` and `max` of them are accepted; max < 0
   means any number. ERR_USAGE says which argument is wrong and what was expected. */
bool options_parse(const option_t *options, int *argc, char **argv, int min, int max, err_t *err);

/* "  -n, --count N     how many units ..." aligned, one line an option. */
void options_print_help(const option_t *options, FILE *out);

#endif

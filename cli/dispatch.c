/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#include "term/term.h"

static bool is_help(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0 || strcmp(arg, "help") == 0;
}

static void print_verbs(const char *path, const cli_verb_t *verbs, FILE *out)
{
    fprintf(out, "usage: %s VERB [...]\n\n", path);
    for (const cli_verb_t *v = verbs; v->name != NULL; v++) {
        fprintf(out, "  %-12s %s\n", v->name, v->summary);
    }
    fprintf(out, "\n`%s VERB --help` shows options and examples.\n", path);
}

/* A verb with sub-verbs has no usage of its own: its run function prints theirs. */
static bool wants_help(const cli_verb_t *verb, int argc, char **argv)
{
    if (verb->usage == NULL) {
        return false;
    }
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

int cli_dispatch(const cli_t *cli, const char *path, const cli_verb_t *verbs, int argc, char **argv)
{
    if (argc == 0 || is_help(argv[0])) {
        print_verbs(path, verbs, argc == 0 ? stderr : stdout);
        return argc == 0 ? CLI_USAGE : CLI_DONE;
    }
    for (const cli_verb_t *v = verbs; v->name != NULL; v++) {
        if (strcmp(argv[0], v->name) != 0) {
            continue;
        }
        if (wants_help(v, argc, argv)) {
            printf("usage: %s\n\n%s\n%s", v->usage, v->summary, v->help != NULL ? "\n" : "");
            fputs(v->help != NULL ? v->help : "", stdout);
            return CLI_DONE;
        }
        return v->run(cli, argc - 1, argv + 1);
    }
    term_error("there is no \"%s %s\"", path, argv[0]);
    print_verbs(path, verbs, stderr);
    return CLI_USAGE;
}

int cli_fail(const err_t *err)
{
    term_error("%s", err->text);
    return err->kind == ERR_USAGE ? CLI_USAGE : CLI_FAILED;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/passphrase.h"

static const cli_verb_t *const VERBS[] = {
    &cli_verb_init,    &cli_verb_ca,     &cli_verb_factory,     &cli_verb_cloud,
    &cli_verb_steward, &cli_verb_device, &cli_verb_phone,       &cli_verb_bundle,
    &cli_verb_custody, &cli_verb_image,  &cli_verb_thingsboard, &cli_verb_demo,
};

#define VERB_COUNT (sizeof VERBS / sizeof VERBS[0])

static void print_overview(FILE *out)
{
    fputs("Cradle: the whole life of an ESP32 device, from the factory line to its next owner.\n\n"
          "usage: cradle [-C DIR] [--json] VERB [...]\n\n",
          out);
    for (size_t i = 0; i < VERB_COUNT; i++) {
        fprintf(out, "  %-12s %s\n", VERBS[i]->name, VERBS[i]->summary);
    }
    fputs("\n  -C DIR     the site to work in (default: the current directory)\n"
          "  --json     results as JSON, for programs\n"
          "  --passphrase-fd N   passphrases of key files are lines from this descriptor, one for\n"
          "             each encrypted key that is opened (default: asked for on the terminal)\n\n"
          "`cradle help VERB` shows a verb's options and examples. `cradle demo` tells the whole\n"
          "story on this machine, and is the best first step.\n",
          out);
}

/* Takes what belongs to every verb out of the arguments: -C DIR before the verb, --json and
   --passphrase-fd anywhere up to a "--". */
static bool take_descriptor(cli_t *cli, const char *text, err_t *err)
{
    char *end;
    long fd = text == NULL ? -1 : strtol(text, &end, 10);
    if (cli->passphrase_fd >= 0 || fd < 0 || fd > INT_MAX || *end != '\0' || text[0] == '\0' ||
        fcntl((int)fd, F_GETFD) == -1) {
        return err_set(err, ERR_USAGE,
                       "--passphrase-fd wants one open file descriptor; open it in the shell, as "
                       "in: cradle ... --passphrase-fd 3 3<FILE");
    }
    cli->passphrase_fd = (int)fd;
    return true;
}

static bool take_globals(cli_t *cli, int *argc, char **argv, err_t *err)
{
    int kept = 0;
    bool before_verb = true;
    bool literal = false;
    for (int i = 0; i < *argc; i++) {
        if (!literal && strcmp(argv[i], "--json") == 0) {
            cli->json = true;
        } else if (before_verb && strcmp(argv[i], "-C") == 0) {
            if (i + 1 == *argc) {
                return err_set(err, ERR_USAGE, "-C needs a directory");
            }
            cli->site = argv[++i];
        } else if (!literal && strcmp(argv[i], "--passphrase-fd") == 0) {
            const char *fd = i + 1 == *argc ? NULL : argv[++i];
            if (!take_descriptor(cli, fd, err)) {
                return false;
            }
        } else if (!literal && strncmp(argv[i], "--passphrase-fd=", 16) == 0) {
            if (!take_descriptor(cli, argv[i] + 16, err)) {
                return false;
            }
        } else {
            literal = literal || strcmp(argv[i], "--") == 0;
            before_verb = false;
            argv[kept++] = argv[i];
        }
    }
    *argc = kept;
    return true;
}

static int help(const cli_t *cli, int argc, char **argv)
{
    for (size_t i = 0; argc > 0 && i < VERB_COUNT; i++) {
        if (strcmp(argv[0], VERBS[i]->name) == 0) {
            /* "help factory run" and "factory run --help" are the same question. */
            char *words[16];
            int count = 0;
            for (int w = 0; w < argc && count < 14; w++) {
                words[count++] = argv[w];
            }
            char flag[] = "--help";
            words[count++] = flag;
            const cli_verb_t one[] = {*VERBS[i], {0}};
            return cli_dispatch(cli, "cradle", one, count, words);
        }
    }
    print_overview(argc > 0 ? stderr : stdout);
    return argc > 0 ? CLI_USAGE : CLI_DONE;
}

int main(int argc, char **argv)
{
    cli_t cli = {.site = ".", .json = false, .program = argv[0], .passphrase_fd = -1};
    err_t err = ERR_INIT;
    /* A reader that went away (`cradle ... | head`) is a write error, not a death. */
    signal(SIGPIPE, SIG_IGN);
    argc--;
    argv++;
    if (!take_globals(&cli, &argc, argv, &err)) {
        return cli_fail(&err);
    }
    passphrase_default(cli.passphrase_fd);
    if (argc == 0) {
        print_overview(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0 ||
        strcmp(argv[0], "-h") == 0) {
        return help(&cli, argc - 1, argv + 1);
    }
    if (strcmp(argv[0], "--version") == 0) {
        puts("cradle " CRADLE_VERSION);
        return CLI_DONE;
    }
    cli_verb_t table[VERB_COUNT + 1] = {0};
    for (size_t i = 0; i < VERB_COUNT; i++) {
        table[i] = *VERBS[i];
    }
    return cli_dispatch(&cli, "cradle", table, argc, argv);
}

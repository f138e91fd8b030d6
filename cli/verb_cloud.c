/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "proc/proc.h"

#define ARGUMENTS_MAX 32

/* Becomes cradle-cloud: it parses its own options. */
static int run(const cli_t *cli, int argc, char **argv)
{
    char program[FILE_PATH_MAX];
    char name[] = "cradle-cloud";
    char flag[] = "-C";
    char site[FILE_PATH_MAX];
    char *arguments[ARGUMENTS_MAX + 4] = {name, flag, site};
    err_t err = ERR_INIT;
    int count = 3;
    if (argc > ARGUMENTS_MAX || strlen(cli->site) >= sizeof site) {
        err_set(&err, ERR_USAGE, "too many or too long arguments; `cradle-cloud --help`");
        return cli_fail(&err);
    }
    snprintf(site, sizeof site, "%s", cli->site);
    for (int i = 0; i < argc; i++) {
        arguments[count++] = argv[i];
    }
    arguments[count] = NULL;
    if (!proc_beside(name, program, sizeof program, &err)) {
        return cli_fail(&err);
    }
    execv(program, arguments);
    err_errno(&err, "cannot start %s", program);
    return cli_fail(&err);
}

const cli_verb_t cli_verb_cloud = {
    .name = "cloud",
    .summary = "start cradle-cloud: ThingsBoard's protocols for one machine",
    .run = run, /* no usage here: --help goes through to cradle-cloud */
};

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "proc/proc.h"

#define ARGUMENTS_MAX 48

int cli_become(const cli_t *cli, const char *name, int argc, char **argv)
{
    char program[FILE_PATH_MAX];
    char self[64];
    char flag[] = "-C";
    char site[FILE_PATH_MAX];
    char *arguments[ARGUMENTS_MAX + 4] = {self, flag, site};
    err_t err = ERR_INIT;
    int count = 3;
    if (argc > ARGUMENTS_MAX || strlen(cli->site) >= sizeof site) {
        err_set(&err, ERR_USAGE, "too many or too long arguments; `%s --help`", name);
        return cli_fail(&err);
    }
    snprintf(self, sizeof self, "%s", name);
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verb_ca.h"

#include <stdio.h>
#include <time.h>

void ca_date(int64_t seconds, char out[16])
{
    time_t at = (time_t)seconds;
    struct tm utc;
    if (gmtime_r(&at, &utc) == NULL || strftime(out, 16, "%Y-%m-%d", &utc) == 0) {
        snprintf(out, 16, "?");
    }
}

static const cli_verb_t VERBS[] = {
    {.name = "show",
     .summary = "the CAs, or one of them, or any certificate file",
     .usage = "cradle ca show [NAME|FILE]",
     .run = ca_show,
     .help = ca_show_help},
    {0},
};

static int run(const cli_t *cli, int argc, char **argv)
{
    return cli_dispatch(cli, "cradle ca", VERBS, argc, argv);
}

const cli_verb_t cli_verb_ca = {
    .name = "ca",
    .summary = "certificate authorities: show, issue, sign, deny, roll",
    .run = run,
};

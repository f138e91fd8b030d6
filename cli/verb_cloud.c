/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

static int run(const cli_t *cli, int argc, char **argv)
{
    return cli_become(cli, "cradle-cloud", argc, argv);
}

const cli_verb_t cli_verb_cloud = {
    .name = "cloud",
    .summary = "start cradle-cloud: ThingsBoard's protocols for one machine",
    .run = run, /* no usage here: --help goes through to cradle-cloud */
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "demo/demo.h"
#include "term/options.h"

static int run(const cli_t *cli, int argc, char **argv)
{
    demo_settings_t settings = {0};
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"stay", 0, OPTION_FLAG, &settings.stay, NULL, "leave everything running at the end"},
        {"site", 0, OPTION_TEXT, &settings.site, "DIR", "make the site here, and keep it"},
        {0},
    };
    (void)cli;
    if (!options_parse(options, &argc, argv, 0, 0, &err) || !demo_run(&settings, &err)) {
        return cli_fail(&err);
    }
    return CLI_DONE;
}

const cli_verb_t cli_verb_demo = {
    .name = "demo",
    .summary = "the whole story, with the real programs, on this machine",
    .usage = "cradle demo [--stay] [--site DIR]",
    .run = run,
    .help =
        "  --stay       leave everything running, print addresses and logins\n"
        "  --site DIR   make the site in DIR (which must not hold one) and keep it\n\n"
        "Takes less than a minute. Ends with 0 when every claim held, else with 1 and the name\n"
        "of the step that failed.\n\n"
        "examples:\n"
        "  cradle demo\n"
        "  cradle demo --stay --site /tmp/my-site\n",
};

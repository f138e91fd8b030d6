/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "cli/cli.h"
#include "demo/demo.h"
#include "term/options.h"

/* An option, or what the environment says. */
static const char *or_env(const char *option, const char *name)
{
    const char *value = option != NULL ? option : getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool complete(demo_thingsboard_t *tb, err_t *err)
{
    tb->url = or_env(tb->url, "CRADLE_TB_URL");
    tb->mqtts = or_env(tb->mqtts, "CRADLE_TB_MQTTS");
    tb->ca = or_env(tb->ca, "CRADLE_TB_CA");
    tb->login = or_env(tb->login, "CRADLE_TB_LOGIN");
    return (tb->url != NULL && tb->mqtts != NULL && tb->ca != NULL) ||
           err_set(err, ERR_USAGE,
                   "--thingsboard needs --url, --mqtts and --ca (or CRADLE_TB_URL, "
                   "CRADLE_TB_MQTTS, CRADLE_TB_CA)");
}

static int run(const cli_t *cli, int argc, char **argv)
{
    demo_settings_t settings = {0};
    demo_thingsboard_t tb = {0};
    bool thingsboard = false;
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"stay", 0, OPTION_FLAG, &settings.stay, NULL, "leave everything running at the end"},
        {"site", 0, OPTION_TEXT, &settings.site, "DIR", "make the site here, and keep it"},
        {"as-thingsboard", 0, OPTION_FLAG, &settings.as_thingsboard, NULL,
         "our cloud as lax as ThingsBoard is"},
        {"thingsboard", 0, OPTION_FLAG, &thingsboard, NULL, "play on a running ThingsBoard"},
        {"url", 0, OPTION_TEXT, &tb.url, "URL", "... its REST API"},
        {"mqtts", 0, OPTION_TEXT, &tb.mqtts, "HOST:PORT", "... its MQTT over TLS"},
        {"ca", 0, OPTION_TEXT, &tb.ca, "FILE", "... who signed its certificates"},
        {"login", 0, OPTION_TEXT, &tb.login, "FILE", "... a tenant administrator's login"},
        {"steward-host", 0, OPTION_TEXT, &tb.steward_host, "HOST", "... where it finds us"},
        {0},
    };
    (void)cli;
    bool ok =
        options_parse(options, &argc, argv, 0, 0, &err) && (!thingsboard || complete(&tb, &err));
    if (ok && thingsboard && settings.as_thingsboard) {
        ok = err_set(&err, ERR_USAGE, "--as-thingsboard is for our own cloud");
    }
    settings.thingsboard = thingsboard ? &tb : NULL;
    return ok && demo_run(&settings, &err) ? CLI_DONE : cli_fail(&err);
}

const cli_verb_t cli_verb_demo = {
    .name = "demo",
    .summary = "the whole story, with the real programs, on this machine",
    .usage = "cradle demo [--stay] [--site DIR] [--as-thingsboard | --thingsboard ...]",
    .run = run,
    .help =
        "  --stay            leave everything running, print addresses and logins\n"
        "  --site DIR        make the site in DIR (which must not hold one) and keep it\n"
        "  --as-thingsboard  our cloud as lax as ThingsBoard is: all must hold all the same\n\n"
        "On a running ThingsBoard, in profiles, a rule chain, serial numbers and customers of its\n"
        "own, all of which are taken away again:\n\n"
        "  --thingsboard     with:\n"
        "  --url URL         its REST API                  (or CRADLE_TB_URL)\n"
        "  --mqtts HOST:PORT its MQTT over TLS             (or CRADLE_TB_MQTTS)\n"
        "  --ca FILE         who signed its certificates   (or CRADLE_TB_CA)\n"
        "  --login FILE      {\"username\":\"..\",\"password\":\"..\"} of a tenant administrator, "
        "mode 0600\n"
        "                    (or CRADLE_TB_LOGIN; or CRADLE_TB_USERNAME and CRADLE_TB_PASSWORD)\n"
        "  --steward-host H  where that server reaches this machine (default 127.0.0.1)\n\n"
        "Takes about a minute. Ends with 0 when every claim held, else with 1 and the name of the\n"
        "step that failed.\n\n"
        "examples:\n"
        "  cradle demo\n"
        "  cradle demo --stay --site /tmp/my-site\n"
        "  cradle demo --thingsboard --url http://127.0.0.1:8080 --mqtts localhost:8883 \\\n"
        "      --ca server-ca.pem --login tenant.json\n",
};

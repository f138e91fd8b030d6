/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/boot.h"
#include "device/run.h"
#include "json/json.h"
#include "site/site.h"
#include "term/options.h"
#include "term/term.h"

static int run_device(const cli_t *cli, int argc, char **argv)
{
    device_run_t run = {.json = cli->json};
    site_t site;
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"flash", 0, OPTION_TEXT, &run.flash, "FILE", "a whole flash image"},
        {"networks", 0, OPTION_TEXT, &run.networks, "FILE", "the simulated air"},
        {"cloud", 0, OPTION_TEXT, &run.cloud, "HOST:PORT", "for an identity without device.json"},
        {"quiet", 'q', OPTION_FLAG, &run.quiet, NULL, "no log lines"},
        {0},
    };
    if (!options_parse(options, &argc, argv, 0, 1, &err)) {
        return cli_fail(&err);
    }
    if ((argc == 1) == (run.flash != NULL)) {
        err_set(&err, ERR_USAGE, "give either a serial number or --flash FILE");
        return cli_fail(&err);
    }
    run.sn = argc == 1 ? argv[0] : NULL;
    if (!site_open(&site, cli->site, &err) || !device_run(&site, &run, &err)) {
        return cli_fail(&err);
    }
    return CLI_DONE;
}

static int show(const cli_t *cli, int argc, char **argv)
{
    const option_t options[] = {{0}};
    site_t site;
    err_t err = ERR_INIT;
    flash_t *flash;
    uint8_t mac[6];
    boot_t *boot = malloc(sizeof *boot);
    if (boot == NULL) {
        err_set(&err, ERR_SYSTEM, "out of memory");
        return cli_fail(&err);
    }
    if (!options_parse(options, &argc, argv, 1, 1, &err) || !site_open(&site, cli->site, &err) ||
        !device_unit_open(&site, argv[0], true, &flash, mac, &err) ||
        !boot_open(boot, flash, mac, &err)) {
        free(boot);
        return cli_fail(&err);
    }
    char outbox[16];
    snprintf(outbox, sizeof outbox, "%u", outbox_count(&boot->outbox));
    if (cli->json) {
        printf("{\"sn\":\"%s\",\"service\":\"%s\",\"firmware\":\"%s\",\"version\":\"%s\","
               "\"leaf\":\"%s\",\"outbox\":%s}\n",
               boot->sn, boot->service, boot->app.project, boot->app.version, boot->leaf.sha256_hex,
               outbox);
    } else {
        term_table_t *table = term_table_new("WHAT|VALUE");
        term_table_row(table, "serial number", boot->sn);
        term_table_row(table, "advertises as", boot->service);
        term_table_row(table, "firmware", boot->app.project);
        term_table_row(table, "version", boot->app.version);
        term_table_row(table, "certificate (SHA-256)", boot->leaf.sha256_hex);
        term_table_row(table, "cloud", boot->identity.cloud);
        term_table_row(table, "records in the outbox", outbox);
        term_table_print(table, stdout);
        term_table_free(table);
    }
    boot_close(boot);
    free(boot);
    return CLI_DONE;
}

static int button(const cli_t *cli, int argc, char **argv, device_button_t what)
{
    const option_t options[] = {{0}};
    site_t site;
    err_t err = ERR_INIT;
    bool running;
    if (!options_parse(options, &argc, argv, 1, 1, &err) || !site_open(&site, cli->site, &err) ||
        !device_button(&site, argv[0], what, &running, &err)) {
        return cli_fail(&err);
    }
    if (cli->json) {
        printf("{\"sn\":\"%s\",\"running\":%s}\n", argv[0], running ? "true" : "false");
    } else if (what == DEVICE_RESET) {
        printf("%s: %s\n", argv[0],
               running ? "resets now, and waits for a phone again"
                       : "is reset: it will wait for a phone when it runs");
    }
    return CLI_DONE;
}

static int reset(const cli_t *cli, int argc, char **argv)
{
    return button(cli, argc, argv, DEVICE_RESET);
}

static int press(const cli_t *cli, int argc, char **argv)
{
    return button(cli, argc, argv, DEVICE_PRESS);
}

static const cli_verb_t VERBS[] = {
    {.name = "run",
     .summary = "run a unit on this machine, from its flash bytes",
     .usage = "cradle device run SN | --flash FILE [options]",
     .run = run_device,
     .help = "  --flash FILE        a whole flash image (4 MB), instead of a unit of the site\n"
             "  --networks FILE     the simulated air (default air/networks.json of the site)\n"
             "  --cloud HOST:PORT   what to connect to, for an identity without device.json\n"
             "  -q, --quiet         no log lines\n\n"
             "Runs until it is stopped (Ctrl-C, SIGTERM). Without Wi-Fi it waits for a phone.\n\n"
             "examples:\n"
             "  cradle device run SN-000001\n"
             "  cradle device run --flash flash.bin --cloud 127.0.0.1:8883\n"},
    {.name = "show",
     .summary = "what is in a unit's flash (no secrets)",
     .usage = "cradle device show SN",
     .run = show,
     .help = "example:\n  cradle device show SN-000001\n"},
    {.name = "reset",
     .summary = "hold the button: a factory reset, running or not",
     .usage = "cradle device reset SN",
     .run = reset,
     .help =
         "Erases Wi-Fi, configuration, what was not sent, and a claim under way, and draws a new\n"
         "epoch. Certificates and the bundle of keys stay: who owns it is for the steward to say.\n"
         "An owner does the same from afar with the RPC factoryReset.\n\n"
         "example:\n  cradle device reset SN-000001\n"},
    {.name = "press",
     .summary = "press the button of a running unit: confirms a claim code",
     .usage = "cradle device press SN",
     .run = press,
     .help = "example:\n  cradle device press SN-000001\n"},
    {0},
};

static int run(const cli_t *cli, int argc, char **argv)
{
    return cli_dispatch(cli, "cradle device", VERBS, argc, argv);
}

const cli_verb_t cli_verb_device = {
    .name = "device",
    .summary = "the device itself, on Linux: boots from flash bytes, provisions, streams",
    .run = run,
};

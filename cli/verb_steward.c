/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verb_steward.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"

bool steward_record_open(const cli_t *cli, site_t *site, record_t **record, err_t *err)
{
    char path[FILE_PATH_MAX];
    if (!site_open(site, cli->site, err)) {
        return false;
    }
    if (site->steward[0] == '\0') {
        return err_set(err, ERR_PRECONDITION,
                       "the site %s has no steward: make one with `cradle init --steward "
                       "HOST:PORT`",
                       site->dir);
    }
    return site_path(site, "steward/steward.db", path, err) && record_open(record, path, err);
}

void steward_time(int64_t seconds, char out[32])
{
    time_t when = (time_t)seconds;
    struct tm utc;
    out[0] = '\0';
    if (gmtime_r(&when, &utc) != NULL) {
        strftime(out, 32, "%Y-%m-%d %H:%M:%SZ", &utc);
    }
}

static const cli_verb_t VERBS[] = {
    {.name = "account",
     .summary = "the people who own devices: add, list, password",
     .run = steward_account},
    {.name = "units",
     .summary = "all units: owner, state, record at the cloud, keys",
     .usage = "cradle steward units [--owner NAME] [--json]",
     .run = steward_units,
     .help = "STATE is unknown (not met yet), held, handing-over or streaming.\n\n"
             "examples:\n"
             "  cradle steward units\n"
             "  cradle --json steward units --owner alice\n"},
    {.name = "show",
     .summary = "one unit: epochs, keys, policy, the open transfer",
     .usage = "cradle steward show SN [--json]",
     .run = steward_show,
     .help = "examples:\n"
             "  cradle steward show SN-000001\n"},
    {.name = "release",
     .summary = "an operator's consent to the next change of owner",
     .usage = "cradle steward release SN [--off]",
     .run = steward_release,
     .help = "Where the theft lock is on (--lock release), or the device shows a weak key, the\n"
             "next claim waits for the owner's release or for this. It is spent by one transfer.\n"
             "  --off     take it back\n\n"
             "examples:\n"
             "  cradle steward release SN-000001\n"},
    {.name = "stolen",
     .summary = "report a unit stolen, or found again",
     .usage = "cradle steward stolen SN [--off]",
     .run = steward_stolen,
     .help =
         "While it is reported stolen a unit may say hello, so that it can show what is wrong;\n"
         "claims and new certificates are refused, whoever asks.\n"
         "  --off     it was found again\n\n"
         "examples:\n"
         "  cradle steward stolen SN-000001\n"
         "  cradle steward stolen SN-000001 --off\n"},
    {.name = "import",
     .summary = "take a pack list into the record",
     .usage = "cradle steward import [PACKLIST.json] [--claims on|off] [--lock open|release]\n"
              "           [--unclaimed hold|keep] [--dispose delete|reassign] [--all]\n"
              "           [--unsigned]",
     .run = steward_import,
     .help = "Says which units were shipped, and their policy (defaults: claims on, lock open,\n"
             "unclaimed hold, dispose delete). All or nothing. Units that are on record keep\n"
             "their owner, and their policy unless --all is given. Without a file it is the\n"
             "site's factory/pack.json. Its signature (.jws beside it) must be the line's, made\n"
             "with keys/pack.key; a list that has none is taken with --unsigned.\n\n"
             "examples:\n"
             "  cradle factory pack && cradle steward import\n"
             "  cradle steward import shipment.json --lock release --all\n"},
    {.name = "receipt",
     .summary = "receipts of what was erased: list, show, verify offline",
     .usage = "cradle steward receipt [LINK | --sn SN] [--jws]\n"
              "       cradle steward receipt --revoke LINK\n"
              "       cradle steward receipt verify FILE [--bundle FILE --anchor FILE]",
     .run = steward_receipt,
     .help =
         "Without LINK all receipts are listed. `verify` asks nobody: it needs the bundle and\n"
         "the anchor's public key, of the site or given as files.\n"
         "  --jws        print the signed text itself\n"
         "  --revoke     the link leads nowhere from now on\n\n"
         "examples:\n"
         "  cradle steward receipt --sn SN-000001\n"
         "  cradle steward receipt 00112233445566778899aabbccddeeff --jws > receipt.jws\n"
         "  cradle steward receipt verify receipt.jws\n"
         "  cradle steward receipt verify receipt.jws --bundle bundle.jws --anchor anchor.pub\n"},
    {0},
};

/* What is none of the sub-verbs goes to cradle-steward, --help too. */
static int run(const cli_t *cli, int argc, char **argv)
{
    for (const cli_verb_t *v = VERBS; argc > 0 && v->name != NULL; v++) {
        if (strcmp(argv[0], v->name) == 0) {
            return cli_dispatch(cli, "cradle steward", VERBS, argc, argv);
        }
    }
    if (argc > 0 && (strcmp(argv[0], "--help") == 0 || argv[0][0] != '-')) {
        int code = cli_dispatch(cli, "cradle steward", VERBS, argc, argv);
        if (code == CLI_DONE) {
            puts("Without a VERB cradle-steward is started; `cradle-steward --help` has its "
                 "options.");
        }
        return code;
    }
    return cli_become(cli, "cradle-steward", argc, argv);
}

const cli_verb_t cli_verb_steward = {
    .name = "steward",
    .summary = "start cradle-steward: who owns which device; accounts, units, receipts",
    .run = run,
};

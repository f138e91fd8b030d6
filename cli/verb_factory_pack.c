/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "cli/factory_verbs.h"
#include "factory/factory.h"
#include "site/pack.h"
#include "term/options.h"

static bool check(const site_t *site, const char *file, err_t *err)
{
    uint8_t hash[32];
    bool signature;
    return site_pack_hash(file, hash, err) && site_pack_check(site, file, hash, &signature, err) &&
           (signature || err_set(err, ERR_PRECONDITION,
                                 "%s has no signature beside it (.jws): copy both files", file));
}

static int verify(const cli_t *cli, const site_t *site, const char *file)
{
    err_t err = ERR_INIT;
    if (!check(site, file, &err)) {
        return cli_fail(&err);
    }
    if (cli->json) {
        puts("{\"good\":true}");
    } else {
        printf("%s is as this site's line signed it.\n", file);
    }
    return CLI_DONE;
}

static void show(const cli_t *cli, const factory_pack_t *wanted, const factory_packed_t *packed)
{
    if (cli->json) {
        printf("{\"units\":%" PRIu64 ",\"shipped\":%" PRIu64 ",\"unlabelled\":%" PRIu64
               ",\"sha256\":\"%s\"}\n",
               packed->units, packed->shipped, packed->unlabelled, packed->sha256);
        return;
    }
    printf("%s lists %" PRIu64 " unit%s, signed.\n",
           wanted->path == NULL ? FACTORY_PACK : wanted->path, packed->units,
           packed->units == 1 ? "" : "s");
    if (wanted->ship) {
        printf("%" PRIu64 " marked as shipped", packed->shipped);
        if (packed->unlabelled > 0) {
            printf("; %" PRIu64 " have no label yet: cradle factory label --all",
                   packed->unlabelled);
        }
        puts("");
    }
}

static int run(const cli_t *cli, int argc, char **argv)
{
    site_t site;
    const char *file = NULL;
    factory_pack_t wanted = {0};
    factory_packed_t packed;
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"out", 'o', OPTION_TEXT, &wanted.path, "FILE", "where the list goes"},
        {"csv", 0, OPTION_TEXT, &wanted.csv, "FILE", "a table for people beside it"},
        {"ship", 0, OPTION_FLAG, &wanted.ship, NULL, "mark the units as shipped"},
        {"verify", 0, OPTION_TEXT, &file, "FILE", "check a list and its signature"},
        {0},
    };
    if (!options_parse(options, &argc, argv, 0, -1, &err)) {
        return cli_fail(&err);
    }
    if (file != NULL && (argc > 0 || wanted.path != NULL || wanted.csv != NULL || wanted.ship)) {
        err_set(&err, ERR_USAGE, "--verify looks at a list and makes none: it stands alone");
        return cli_fail(&err);
    }
    if (!site_open(&site, cli->site, &err)) {
        return cli_fail(&err);
    }
    if (file != NULL) {
        return verify(cli, &site, file);
    }
    wanted.sns = argc > 0 ? (const char *const *)argv : NULL;
    wanted.count = (size_t)argc;
    if (!factory_pack(&site, &wanted, &packed, &err)) {
        return cli_fail(&err);
    }
    show(cli, &wanted, &packed);
    return CLI_DONE;
}

const cli_verb_t factory_verb_pack = {
    .name = "pack",
    .summary = "the signed pack list: what the steward must know of all units",
    .usage = "cradle factory pack [SN...] [--out FILE] [--csv FILE] [--ship] | --verify FILE",
    .run = run,
    .help = "  -o, --out FILE   where it goes (default factory/pack.json of the site)\n"
            "      --csv FILE   the same as a table, without certificates\n"
            "      --ship       custody notes that those with a label left the house\n"
            "      --verify FILE\n"
            "                   check a list and the signature beside it; make nothing\n\n"
            "JSON: serial number, certificate, advertised name and hash of the claim code of each\n"
            "unit, and where custody stands; nothing secret. Without SNs all units that were not\n"
            "scrapped. Every unit's image is read and compared with custody. The signature, made\n"
            "with keys/pack.key, is the file .jws beside it: copy both.\n\n"
            "examples:\n"
            "  cradle factory pack --csv factory/pack.csv --ship\n"
            "  cradle factory pack --verify shipment.json\n"};

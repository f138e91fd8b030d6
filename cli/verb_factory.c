/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "cli/factory_verbs.h"
#include "factory/factory.h"
#include "factory/people.h"
#include "json/json.h"
#include "term/options.h"
#include "term/term.h"

static void format_day(int64_t seconds, char out[32])
{
    time_t t = (time_t)seconds;
    struct tm utc;
    gmtime_r(&t, &utc);
    strftime(out, 32, "%Y-%m-%d", &utc);
}

static void put_unit(json_writer_t *w, const factory_unit_t *unit)
{
    json_key(w, "sn");
    json_put_string(w, unit->sn);
    json_key(w, "mac");
    json_put_string(w, unit->mac);
    json_key(w, "service");
    json_put_string(w, unit->service);
    json_key(w, "credentialsId");
    json_put_string(w, unit->credentials_id);
}

void factory_listing_begin(factory_listing_t *listing, const cli_t *cli)
{
    if (cli->json) {
        fputs("{\"units\":[", stdout);
    } else {
        listing->table = term_table_new("SN|MAC|ADVERTISES AS|VALID UNTIL|STATE");
    }
}

bool factory_listing_add(void *context, const factory_unit_t *unit)
{
    factory_listing_t *listing = context;
    if (listing->count++ == 0) {
        snprintf(listing->first, sizeof listing->first, "%s", unit->sn);
    }
    if (listing->table != NULL) {
        char day[32];
        format_day(unit->not_after, day);
        term_table_row(listing->table, unit->sn, unit->mac, unit->service, day,
                       unit->adopted ? "adopted" : "made");
    } else {
        char text[512];
        json_writer_t w;
        json_writer_init(&w, text, sizeof text);
        json_object(&w);
        put_unit(&w, unit);
        json_end(&w);
        if (json_writer_done(&w, NULL)) {
            printf("%s%s", listing->count > 1 ? "," : "", text);
        }
    }
    if (listing->bar != NULL) {
        term_progress_update(listing->bar, listing->count);
    }
    return true;
}

void factory_listing_end(factory_listing_t *listing)
{
    if (listing->table == NULL) {
        puts("]}");
    } else if (listing->count > 0) {
        term_table_print(listing->table, stdout);
    }
    term_table_free(listing->table);
}

static int list(const cli_t *cli, int argc, char **argv)
{
    const option_t options[] = {{0}};
    site_t site;
    factory_listing_t listing = {0};
    err_t err = ERR_INIT;
    if (!options_parse(options, &argc, argv, 0, 0, &err) || !site_open(&site, cli->site, &err)) {
        return cli_fail(&err);
    }
    factory_listing_begin(&listing, cli);
    bool ok = factory_each(&site, factory_listing_add, &listing, &err);
    factory_listing_end(&listing);
    if (ok && !cli->json && listing.count == 0) {
        puts("No units yet. Make some: cradle factory run --count 3");
    }
    return ok ? CLI_DONE : cli_fail(&err);
}

static int show_json(const factory_detail_t *detail)
{
    char text[2048];
    json_writer_t w;
    json_writer_init(&w, text, sizeof text);
    json_object(&w);
    put_unit(&w, &detail->unit);
    json_key(&w, "fingerprint");
    json_put_string(&w, detail->unit.leaf_sha256);
    json_key(&w, "notAfter");
    json_put_i64(&w, detail->unit.not_after);
    json_key(&w, "state");
    json_put_string(&w, detail->unit.adopted ? "adopted" : "made");
    json_key(&w, "model");
    json_put_string(&w, detail->identity.model);
    json_key(&w, "cloud");
    json_put_string(&w, detail->identity.cloud);
    if (detail->identity.steward[0] != '\0') {
        json_key(&w, "steward");
        json_put_string(&w, detail->identity.steward);
    }
    json_key(&w, "ask");
    json_put_bool(&w, detail->identity.ask);
    if (detail->bundle_version > 0) {
        json_key(&w, "bundle");
        json_put_i64(&w, detail->bundle_version);
    }
    if (detail->identity.pop[0] != '\0') {
        json_key(&w, "pop");
        json_put_string(&w, detail->identity.pop);
    }
    json_end(&w);
    bool ok = json_writer_done(&w, NULL) && puts(text) >= 0;
    bytes_wipe(text, sizeof text);
    return ok ? CLI_DONE : CLI_FAILED;
}

static void show_table(const factory_detail_t *detail)
{
    const factory_unit_t *unit = &detail->unit;
    const site_identity_t *identity = &detail->identity;
    char day[32];
    term_table_t *table = term_table_new("WHAT|VALUE");
    format_day(unit->not_after, day);
    term_table_row(table, "serial number", unit->sn);
    term_table_row(table, "state", unit->adopted ? "adopted" : "made");
    term_table_row(table, "MAC", unit->mac);
    term_table_row(table, "advertises as", unit->service);
    term_table_row(table, "certificate valid until", day);
    term_table_row(table, "fingerprint (SHA-256)", unit->leaf_sha256);
    term_table_row(table, "ThingsBoard's credentialsId", unit->credentials_id);
    term_table_row(table, "identity image (SHA-256)", unit->identity_sha256);
    if (detail->has_json) {
        term_table_row(table, "model", identity->model);
        term_table_row(table, "cloud", identity->cloud);
        if (identity->steward[0] != '\0') {
            char version[24];
            snprintf(version, sizeof version, "%" PRId64, detail->bundle_version);
            term_table_row(table, "steward", identity->steward);
            term_table_row(table, "asks it before it streams", identity->ask ? "yes" : "no");
            term_table_row(table, "bundle of keys, version", version);
        }
        if (identity->pop[0] != '\0') {
            term_table_row(table, "proof of possession", identity->pop);
        }
    }
    term_table_print(table, stdout);
    term_table_free(table);
}

static int show(const cli_t *cli, int argc, char **argv)
{
    const option_t options[] = {{0}};
    site_t site;
    factory_detail_t detail;
    err_t err = ERR_INIT;
    if (!options_parse(options, &argc, argv, 1, 1, &err) || !site_open(&site, cli->site, &err) ||
        !factory_show(&site, argv[0], &detail, &err)) {
        return cli_fail(&err);
    }
    int code = CLI_DONE;
    if (cli->json) {
        code = show_json(&detail);
    } else {
        show_table(&detail);
    }
    bytes_wipe(&detail, sizeof detail);
    return code;
}

static int export(const cli_t *cli, int argc, char **argv)
{
    site_t site;
    const char *path = NULL;
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"output", 'o', OPTION_TEXT, &path, "FILE", "where the flash goes"},
        {0},
    };
    if (!options_parse(options, &argc, argv, 1, 1, &err)) {
        return cli_fail(&err);
    }
    if (path == NULL) {
        err_set(&err, ERR_USAGE, "-o FILE is needed: where the flash of %s goes", argv[0]);
        return cli_fail(&err);
    }
    if (!site_open(&site, cli->site, &err) || !factory_export(&site, argv[0], path, &err)) {
        return cli_fail(&err);
    }
    if (!cli->json) {
        printf("%s holds the flash of %s, its private key too: mode 0600.\n", path, argv[0]);
    }
    return CLI_DONE;
}

static int adopt(const cli_t *cli, int argc, char **argv)
{
    site_t site;
    factory_adopt_t files = {0};
    factory_unit_t unit;
    factory_listing_t listing = {0};
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"key", 0, OPTION_TEXT, &files.key, "FILE", "the device's private key"},
        {"cert", 0, OPTION_TEXT, &files.cert, "FILE", "its certificate, leaf first"},
        {"chain", 0, OPTION_TEXT, &files.chain, "FILE", "the CAs that the server is checked with"},
        {"foreign", 0, OPTION_FLAG, &files.foreign, NULL, "it need not come from our product CA"},
        {0},
    };
    if (!options_parse(options, &argc, argv, 0, 0, &err)) {
        return cli_fail(&err);
    }
    if (files.key == NULL || files.cert == NULL || files.chain == NULL) {
        err_set(&err, ERR_USAGE, "--key, --cert and --chain are needed");
        return cli_fail(&err);
    }
    if (!site_open(&site, cli->site, &err) || !factory_adopt(&site, &files, &unit, &err)) {
        return cli_fail(&err);
    }
    factory_listing_begin(&listing, cli);
    factory_listing_add(&listing, &unit);
    factory_listing_end(&listing);
    return CLI_DONE;
}

static const cli_verb_t OWN[] = {
    {.name = "list",
     .summary = "all units, in the order in which they were made",
     .usage = "cradle factory list",
     .run = list,
     .help = "example:\n  cradle --json factory list\n"},
    {.name = "show",
     .summary = "one unit, with what is in its identity image",
     .usage = "cradle factory show SN",
     .run = show,
     .help = "The image is read and compared with what custody recorded.\n\n"
             "example:\n  cradle factory show SN-000001\n"},
    {.name = "export",
     .summary = "the whole 4 MB flash of a unit as a file",
     .usage = "cradle factory export SN -o FILE",
     .run = export,
     .help = "The file is made with mode 0600: it holds the unit's private key.\n\n"
             "example:\n  cradle factory export SN-000001 -o unit.bin\n"},
    {.name = "adopt",
     .summary = "make a unit of a key and certificates from elsewhere",
     .usage = "cradle factory adopt --key FILE --cert FILE --chain FILE [--foreign]",
     .run = adopt,
     .help =
         "  --key FILE     the device's private key, PEM, mode 0600\n"
         "  --cert FILE    its certificate; the common name becomes the serial number\n"
         "  --chain FILE   the CAs that the *server* is checked against\n"
         "  --foreign      the certificate need not come from this site's product CA; whoever\n"
         "                 runs the cloud must know its CA, or the device itself\n\n"
         "example:\n"
         "  cradle factory adopt --key device.key --cert device.crt --chain server_chain.pem\n"},
    {0},
};

static int factory(const cli_t *cli, int argc, char **argv)
{
    static const cli_verb_t *const STATIONS[] = {
        &factory_verb_run,    &factory_verb_assemble, &factory_verb_flash,  &factory_verb_identity,
        &factory_verb_test,   &factory_verb_label,    &factory_verb_rework, &factory_verb_scrap,
        &factory_verb_report, &factory_verb_pack};
    cli_verb_t verbs[sizeof STATIONS / sizeof *STATIONS + sizeof OWN / sizeof *OWN];
    size_t count = 0;
    for (size_t i = 0; i < sizeof STATIONS / sizeof *STATIONS; i++) {
        verbs[count++] = *STATIONS[i];
    }
    memcpy(&verbs[count], OWN, sizeof OWN); /* its last one ends the table */
    return cli_dispatch(cli, "cradle factory", verbs, argc, argv);
}

const cli_verb_t cli_verb_factory = {
    .name = "factory",
    .summary = "make units, look at them, take their flash out",
    .run = factory,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "cli/passphrase.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "json/json.h"
#include "site/air.h"
#include "site/site.h"
#include "term/options.h"
#include "term/term.h"

#define EXAMPLE_SSID     "Home"
#define EXAMPLE_PASSWORD "correct-horse"

/* A simulated network to begin with. The made-up names of our own cloud and steward lead to this
   machine, real ones to where they really are. */
static bool write_air(const site_t *site, err_t *err)
{
    site_air_host_t hosts[2];
    site_air_t air = {EXAMPLE_SSID, EXAMPLE_PASSWORD, true, hosts, 0};
    if (strcmp(site->cloud, SITE_CLOUD_HOST) == 0) {
        hosts[air.count++] = (site_air_host_t){SITE_CLOUD_HOST, "127.0.0.1:8883"};
    }
    if (strcmp(site->steward, SITE_STEWARD_HOST) == 0) {
        hosts[air.count++] = (site_air_host_t){SITE_STEWARD_HOST, "127.0.0.1:8443"};
    }
    return site_air_write(site->dir, &air, true, err);
}

static int show(const cli_t *cli, const site_t *site, const site_create_t *request)
{
    if (cli->json) {
        char text[2048];
        json_writer_t w;
        json_writer_init(&w, text, sizeof text);
        json_object(&w);
        json_key(&w, "site");
        json_put_string(&w, site->id);
        json_key(&w, "name");
        json_put_string(&w, site->name);
        json_key(&w, "sn_pattern");
        json_put_string(&w, site->sn_pattern);
        json_key(&w, "cloud");
        json_put_string(&w, site->cloud);
        if (site->steward[0] != '\0') {
            json_key(&w, "steward");
            json_put_string(&w, site->steward);
        }
        json_end(&w);
        if (!json_writer_done(&w, NULL)) {
            return CLI_FAILED;
        }
        puts(text);
        return CLI_DONE;
    }
    printf("Site \"%s\" is ready.\n\n", site->name);
    term_table_t *table = term_table_new("WHAT|WHERE");
    term_table_row(table, "product CA (ThingsBoard's profile knows it)", "ca/product.crt");
    term_table_row(table, "the line's issuing CA", "ca/line.crt");
    term_table_row(table, "root that devices check the cloud against", "ca/server-root.crt");
    term_table_row(table, "private keys, mode 0600", "keys/");
    term_table_row(table, "the cloud's certificate", "cloud/server.crt");
    if (site->steward[0] != '\0') {
        term_table_row(table, "the steward's certificate and secrets", "steward/");
    }
    term_table_row(table, "simulated Wi-Fi \"" EXAMPLE_SSID "\", password " EXAMPLE_PASSWORD,
                   "air/networks.json");
    term_table_row(table, "key of the root, to be locked away",
                   request->root_key != NULL                                     ? request->root_key
                   : request->root_cert != NULL || request->product_cert != NULL ? "where it was"
                                                                                 : "keys/root.key");
    if (request->product_key != NULL) {
        term_table_row(table, "key of the product CA", request->product_key);
    }
    term_table_print(table, stdout);
    term_table_free(table);
    printf("\nDevices are told to connect to %s%s%s.\n"
           "Next: cradle factory run --count 3\n",
           site->cloud, site->steward[0] == '\0' ? "" : ", and to ask the steward ", site->steward);
    return CLI_DONE;
}

/* The check character is part of the pattern: "SN-%06d{luhn}". */
static bool add_check(site_create_t *request, const char *check, char pattern[SITE_PATTERN_SIZE],
                      err_t *err)
{
    const char *plain = request->sn_pattern == NULL ? "SN-%06d" : request->sn_pattern;
    if (strcmp(check, "luhn") != 0 && strcmp(check, "iso7064") != 0) {
        return err_set(err, ERR_USAGE, "--sn-check is luhn or iso7064, not \"%.20s\"", check);
    }
    if (snprintf(pattern, SITE_PATTERN_SIZE, "%s{%s}", plain, check) >= SITE_PATTERN_SIZE) {
        return err_set(err, ERR_USAGE, "the serial number pattern is too long");
    }
    request->sn_pattern = pattern;
    return true;
}

static int run(const cli_t *cli, int argc, char **argv)
{
    site_t site;
    err_t err = ERR_INIT;
    option_list_t names = {.count = 0};
    option_list_t products = {.count = 0};
    char pattern[SITE_PATTERN_SIZE];
    const char *check = NULL;
    const char *key = "p256";
    uint64_t security = 1;
    uint64_t days = 0;
    bool encrypt = false;
    char secret[PKI_PASSPHRASE_SIZE] = "";
    site_create_t request = {.dir = cli->site, .now = (int64_t)time(NULL)};
    const option_t options[] = {
        {"name", 0, OPTION_TEXT, &request.name, "TEXT", "the company's name"},
        {"sn-pattern", 0, OPTION_TEXT, &request.sn_pattern, "P", "serial numbers"},
        {"model", 0, OPTION_TEXT, &request.model, "TEXT", "the product's model"},
        {"hw", 0, OPTION_TEXT, &request.hw, "TEXT", "its hardware revision"},
        {"cloud", 0, OPTION_TEXT, &request.cloud, "HOST:PORT", "what devices connect to"},
        {"steward", 0, OPTION_TEXT, &request.steward, "HOST:PORT", "whom devices ask"},
        {"cloud-ca", 0, OPTION_TEXT, &request.cloud_ca, "FILE",
         "roots of the cloud's certificate, where it is not this site's own cloud"},
        {"sn-check", 0, OPTION_TEXT, &check, "KIND", "luhn or iso7064: a check character"},
        {"product", 0, OPTION_LIST, &products, "NAME=PATTERN", "one more product"},
        {"checkpoint-dir", 0, OPTION_TEXT, &request.checkpoint_dir, "DIR",
         "where signed checkpoints of custody go, outside the site"},
        {"server-name", 0, OPTION_LIST, &names, "HOST", "one more name of the cloud"},
        {"key", 0, OPTION_TEXT, &key, "TYPE", "p256 or rsa2048"},
        {"days", 0, OPTION_UINT, &days, "N", "validity of device certificates"},
        {"security", 0, OPTION_UINT, &security, "N", "of provisioning: 0 or 1"},
        {"root-cert", 0, OPTION_TEXT, &request.root_cert, "FILE", "an existing root"},
        {"root-key", 0, OPTION_TEXT, &request.root_key, "FILE", "where its key goes, or is"},
        {"product-cert", 0, OPTION_TEXT, &request.product_cert, "FILE", "an existing product CA"},
        {"product-key", 0, OPTION_TEXT, &request.product_key, "FILE", "where its key goes, or is"},
        {"encrypt", 0, OPTION_FLAG, &encrypt, NULL, "a passphrase for the CA keys to lock away"},
        {"pop", 0, OPTION_FLAG, &request.pop, NULL, "units get a proof of possession"},
        {0},
    };
    if (!options_parse(options, &argc, argv, 0, 0, &err)) {
        return cli_fail(&err);
    }
    if (strcmp(key, "p256") != 0 && strcmp(key, "rsa2048") != 0) {
        err_set(&err, ERR_USAGE, "--key is p256 or rsa2048, not \"%s\"", key);
        return cli_fail(&err);
    }
    if (security > 1 || (security == 0 && request.pop)) {
        err_set(&err, ERR_USAGE, "--security is 0 or 1, and a proof of possession needs 1");
        return cli_fail(&err);
    }
    request.plain_provisioning = security == 0;
    if (days > 36500) {
        err_set(&err, ERR_USAGE, "--days is at most 36500");
        return cli_fail(&err);
    }
    if (check != NULL && !add_check(&request, check, pattern, &err)) {
        return cli_fail(&err);
    }
    request.products = products.items;
    request.product_count = (size_t)products.count;
    request.key_type = strcmp(key, "p256") == 0 ? PKI_KEY_P256 : PKI_KEY_RSA2048;
    request.days = (uint32_t)days;
    request.server_names = names.items;
    request.server_name_count = (size_t)names.count;
    bool ok =
        !encrypt || passphrase_new("the CA keys of root, product and server-root", secret, &err);
    request.passphrase = encrypt ? secret : NULL;
    ok = ok && site_create(&request, &site, &err) && write_air(&site, &err);
    bytes_wipe(secret, sizeof secret);
    return ok ? show(cli, &site, &request) : cli_fail(&err);
}

const cli_verb_t cli_verb_init = {
    .name = "init",
    .summary = "make a site: CAs, keys, the cloud's certificate, settings",
    .usage = "cradle [-C DIR] init [options]",
    .run = run,
    .help =
        "  --name TEXT          the company's name, as it stands in the CAs (default Cradle)\n"
        "  --sn-pattern P       serial numbers, with one %d or %0Nd (default SN-%06d)\n"
        "  --sn-check KIND      luhn or iso7064: a check character at the end of serial numbers\n"
        "  --product NAME=P     one more product (model NAME) with a pattern of its own;\n"
        "                       repeatable; made with cradle factory run --product NAME\n"
        "  --model TEXT         the product's model\n"
        "  --hw TEXT            its hardware revision\n"
        "  --cloud HOST:PORT    what devices connect to (default cloud.cradle.test:8883)\n"
        "  --cloud-ca FILE      roots of the cloud's certificate (PEM), where the cloud is not "
        "ours\n"
        "  --steward HOST:PORT  devices ask this steward whose they are, before they stream\n"
        "                       (the demo's is steward.cradle.test:8443; default: no steward)\n"
        "  --checkpoint-dir DIR signed checkpoints of custody go there: outside the site, best on\n"
        "                       another disk; then no serial number comes twice from a back-up\n"
        "  --server-name HOST   one more name or address in the cloud's certificate; repeatable\n"
        "  --key p256|rsa2048   type of all keys (default p256)\n"
        "  --root-key FILE      the root's key goes into this new file, on another medium, and "
        "not\n"
        "                       into the site\n"
        "  --product-key FILE   the same for the product CA's key\n"
        "  --root-cert FILE     an existing root (or a CA of your company): the product CA is "
        "made\n"
        "                       below it with --root-key FILE, which is read and not copied\n"
        "  --product-cert FILE  an existing product CA: line and renewal CA are made below it "
        "with\n"
        "                       --product-key FILE, which is read and not copied\n"
        "  --encrypt            a passphrase for the keys of root, product and server-root: asked\n"
        "                       for, or a line of --passphrase-fd N\n"
        "  --days N             validity of device certificates (default 1095)\n"
        "  --security 0|1       of provisioning (default 1; 0 is plain text, for tests)\n"
        "  --pop                units get a proof of possession, printed on the label\n\n"
        "Refuses a directory that holds a site already. Killed half-way, it can be repeated.\n\n"
        "examples:\n"
        "  cradle -C acme init --name \"Acme GmbH\" --sn-pattern 'AC-%06d'\n"
        "  cradle init --cloud tb.example.org:8883 --cloud-ca tb-root.pem\n"
        "                                       for a ThingsBoard of your own\n"
        "  cradle init --root-key /media/ceremony/root.key --encrypt\n"
        "  cradle init --root-cert acme-root.crt --root-key /media/ceremony/acme-root.key\n"
        "  cradle init --steward steward.cradle.test:8443\n",
};

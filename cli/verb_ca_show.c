/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/verb_ca.h"
#include "json/json.h"
#include "pki/describe.h"
#include "site/ca.h"
#include "term/options.h"
#include "term/term.h"

#define CERT_JSON_MAX 4096
#define DAY           86400

const char ca_show_help[] =
    "Without an argument: all CAs of the site, with the days that are left and where their keys\n"
    "are. NAME is one of that list: root, product, line, renewal, server-root, server-issuing, or\n"
    "a rolled one such as line.1. FILE is any PEM file of certificates; it needs no site.\n\n"
    "examples:\n"
    "  cradle ca show\n"
    "  cradle ca show product\n"
    "  cradle ca show device.crt --json\n";

/* Days from now to the end, rounded down; negative when it is over. */
static int64_t days_left(const pki_facts_t *facts)
{
    int64_t left = facts->not_after - clock_wall_ms() / 1000;
    return left >= 0 ? left / DAY : -((DAY - 1 - left) / DAY);
}

static void pathlen_text(const pki_description_t *d, char out[16])
{
    if (!d->ca) {
        snprintf(out, 16, "no CA");
    } else if (d->pathlen == PKI_PATHLEN_NONE) {
        snprintf(out, 16, "any");
    } else {
        snprintf(out, 16, "%d", d->pathlen);
    }
}

static void put_cert(json_writer_t *w, const char *name, X509 *cert, const pki_facts_t *facts,
                     const char *place)
{
    pki_description_t d;
    pki_cert_describe(cert, &d);
    json_object(w);
    if (name != NULL) {
        json_key(w, "name");
        json_put_string(w, name);
    }
    json_key(w, "subject");
    json_put_string(w, d.subject);
    json_key(w, "issuer");
    json_put_string(w, d.issuer);
    json_key(w, "serial");
    json_put_string(w, facts->serial);
    json_key(w, "not_before");
    json_put_i64(w, facts->not_before);
    json_key(w, "not_after");
    json_put_i64(w, facts->not_after);
    json_key(w, "days_left");
    json_put_i64(w, days_left(facts));
    json_key(w, "key_type");
    json_put_string(w, d.key);
    if (place != NULL) {
        json_key(w, "key");
        json_put_string(w, place);
    }
    json_key(w, "ca");
    json_put_bool(w, d.ca);
    json_key(w, "path_length");
    d.pathlen == PKI_PATHLEN_NONE ? json_put_null(w) : json_put_i64(w, d.pathlen);
    json_key(w, "sha256");
    json_put_string(w, facts->sha256_hex);
    json_key(w, "credentials_id");
    json_put_string(w, facts->credentials_id);
    json_end(w);
}

static int print_json(X509 *const *cert, const char *const *name, const char *const *place,
                      size_t count, err_t *err)
{
    size_t cap = (count + 1) * CERT_JSON_MAX;
    char *text = malloc(cap);
    json_writer_t w;
    bool ok = text != NULL || err_set(err, ERR_SYSTEM, "out of memory for a list");
    if (ok) {
        json_writer_init(&w, text, cap);
        json_array(&w);
    }
    for (size_t i = 0; ok && i < count; i++) {
        pki_facts_t facts;
        ok = pki_cert_facts(cert[i], &facts, err);
        if (ok) {
            put_cert(&w, name[i], cert[i], &facts, place[i]);
        }
    }
    if (ok) {
        json_end(&w);
        ok = json_writer_done(&w, NULL) || err_set(err, ERR_SYSTEM, "the list does not fit");
    }
    if (ok) {
        puts(text);
    }
    free(text);
    return ok ? CLI_DONE : cli_fail(err);
}

static int print_table(const site_cas_t *cas, err_t *err)
{
    term_table_t *table =
        term_table_new("NAME|SUBJECT|ISSUER|VALID UNTIL|>DAYS|KEY TYPE|KEY IS|>PATH LENGTH");
    bool ok = true;
    for (size_t i = 0; ok && i < cas->count; i++) {
        const site_ca_t *ca = &cas->ca[i];
        pki_description_t d;
        pki_facts_t facts;
        char until[16], days[24], pathlen[16];
        ok = pki_cert_facts(ca->cert, &facts, err);
        if (ok) {
            pki_cert_describe(ca->cert, &d);
            ca_date(facts.not_after, until);
            snprintf(days, sizeof days, "%" PRId64, days_left(&facts));
            pathlen_text(&d, pathlen);
            term_table_row(table, ca->name, d.subject, d.self_signed ? "itself" : d.issuer, until,
                           days, d.key, site_key_place_name(ca->key), pathlen);
        }
    }
    if (ok) {
        term_table_print(table, stdout);
    }
    term_table_free(table);
    return ok ? CLI_DONE : cli_fail(err);
}

static int print_cert(X509 *cert, const char *place, err_t *err)
{
    pki_description_t d;
    pki_facts_t facts;
    char from[16], until[16], dates[80], pathlen[16];
    if (!pki_cert_facts(cert, &facts, err)) {
        return cli_fail(err);
    }
    pki_cert_describe(cert, &d);
    ca_date(facts.not_before, from);
    ca_date(facts.not_after, until);
    pathlen_text(&d, pathlen);
    snprintf(dates, sizeof dates, "%s to %s, %" PRId64 " days left", from, until,
             days_left(&facts));
    term_table_t *table = term_table_new("WHAT|VALUE");
    term_table_row(table, "subject", d.subject);
    term_table_row(table, "issuer", d.self_signed ? "itself" : d.issuer);
    term_table_row(table, "serial number", facts.serial);
    term_table_row(table, "valid", dates);
    term_table_row(table, "key type", d.key);
    if (place != NULL) {
        term_table_row(table, "private key", place);
    }
    term_table_row(table, "path length", pathlen);
    term_table_row(table, "SHA-256", facts.sha256_hex);
    term_table_row(table, "ThingsBoard's id", facts.credentials_id);
    term_table_print(table, stdout);
    term_table_free(table);
    return CLI_DONE;
}

static int show_file(const cli_t *cli, const char *file, err_t *err)
{
    const char *none[PKI_CHAIN_MAX] = {NULL};
    pki_chain_t chain;
    int code = CLI_DONE;
    if (!pki_chain_load(file, &chain, err)) {
        return cli_fail(err);
    }
    if (cli->json) {
        code = print_json(chain.cert, none, none, chain.count, err);
    }
    for (size_t i = 0; !cli->json && code == CLI_DONE && i < chain.count; i++) {
        if (i > 0) {
            puts("");
        }
        code = print_cert(chain.cert[i], NULL, err);
    }
    pki_chain_free(&chain);
    return code;
}

static int show_all(const cli_t *cli, const site_cas_t *cas, err_t *err)
{
    X509 *cert[SITE_CAS_MAX];
    const char *name[SITE_CAS_MAX];
    const char *place[SITE_CAS_MAX];
    if (!cli->json) {
        return print_table(cas, err);
    }
    for (size_t i = 0; i < cas->count; i++) {
        cert[i] = cas->ca[i].cert;
        name[i] = cas->ca[i].name;
        place[i] = site_key_place_name(cas->ca[i].key);
    }
    return print_json(cert, name, place, cas->count, err);
}

int ca_show(const cli_t *cli, int argc, char **argv)
{
    const option_t options[] = {{0}};
    site_t site;
    site_cas_t cas;
    err_t err = ERR_INIT;
    if (!options_parse(options, &argc, argv, 0, 1, &err)) {
        return cli_fail(&err);
    }
    if (argc == 1 && !site_ca_name_valid(argv[0])) {
        return show_file(cli, argv[0], &err);
    }
    if (!site_open(&site, cli->site, &err) || !site_cas_load(&site, &cas, &err)) {
        return cli_fail(&err);
    }
    int code;
    const site_ca_t *one = argc == 1 ? site_cas_find(&cas, argv[0]) : NULL;
    if (argc == 1 && one == NULL) {
        err_set(&err, ERR_PRECONDITION, "this site has no CA \"%s\"; `cradle ca show` lists them",
                argv[0]);
        code = cli_fail(&err);
    } else if (one != NULL && !cli->json) {
        code = print_cert(one->cert, site_key_place_name(one->key), &err);
    } else if (one != NULL) {
        const char *place = site_key_place_name(one->key);
        const char *name = one->name;
        code = print_json(&one->cert, &name, &place, 1, &err);
    } else {
        code = show_all(cli, &cas, &err);
    }
    site_cas_free(&cas);
    return code;
}

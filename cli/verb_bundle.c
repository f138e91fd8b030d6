/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "cli/cli.h"
#include "json/json.h"
#include "pki/cert.h"
#include "site/bundle.h"
#include "term/options.h"
#include "term/term.h"

static void format_time(int64_t seconds, char out[32])
{
    time_t when = (time_t)seconds;
    struct tm utc;
    out[0] = '\0';
    if (gmtime_r(&when, &utc) != NULL) {
        strftime(out, 32, "%Y-%m-%d %H:%M:%SZ", &utc);
    }
}

/* The CN of a root, or "?". */
static void name_of(jws_bytes_t der, char out[PKI_CN_MAX + 1])
{
    X509 *cert;
    strcpy(out, "?");
    if (pki_cert_from_der(der.data, der.len, &cert, NULL)) {
        pki_cert_cn(cert, out);
        pki_cert_free(cert);
    }
}

static void print_table(const bundle_t *bundle)
{
    char text[PKI_CN_MAX + 1];
    term_table_t *table = term_table_new("WHAT|IS");
    snprintf(text, sizeof text, "%lld", (long long)bundle->version);
    term_table_row(table, "version", text);
    format_time(bundle->issued, text);
    term_table_row(table, "made", text);
    term_table_row(table, "signed by anchor key", bundle->kid);
    term_table_row(table, "steward key", bundle->steward_kid);
    term_table_row(table, "bench key", bundle->bench_kid[0] != '\0' ? bundle->bench_kid : "-");
    for (size_t i = 0; i < bundle->anchor_count; i++) {
        name_of(bundle->anchors[i], text);
        term_table_row(table, "root of servers", text);
    }
    term_table_print(table, stdout);
    term_table_free(table);
}

static void print_json(const bundle_t *bundle)
{
    char text[1024];
    char name[PKI_CN_MAX + 1];
    json_writer_t w;
    json_writer_init(&w, text, sizeof text);
    json_object(&w);
    json_key(&w, "version");
    json_put_i64(&w, bundle->version);
    json_key(&w, "issued");
    json_put_i64(&w, bundle->issued);
    json_key(&w, "anchorKey");
    json_put_string(&w, bundle->kid);
    json_key(&w, "stewardKey");
    json_put_string(&w, bundle->steward_kid);
    json_key(&w, "benchKey");
    json_put_string(&w, bundle->bench_kid);
    json_key(&w, "roots");
    json_array(&w);
    for (size_t i = 0; i < bundle->anchor_count; i++) {
        name_of(bundle->anchors[i], name);
        json_put_string(&w, name);
    }
    json_end(&w);
    json_end(&w);
    if (json_writer_done(&w, NULL)) {
        puts(text);
    }
}

/* A text that site_bundle_load has verified. */
static bool show_text(const cli_t *cli, const char *text, size_t len, err_t *err)
{
    char scratch[JWS_BUNDLE_MAX];
    jws_t jws;
    bundle_t bundle;
    jws_result_t result = jws_open(JWS_BUNDLE, text, len, &jws);
    if (result == JWS_OK) {
        result = bundle_read(&jws, scratch, sizeof scratch, &bundle);
    }
    if (result != JWS_OK) {
        return err_set(err, ERR_INPUT, "the bundle: %s", jws_result_text(result));
    }
    cli->json ? print_json(&bundle) : print_table(&bundle);
    return true;
}

static int show(const cli_t *cli, int argc, char **argv)
{
    const option_t options[] = {{0}};
    char text[JWS_BUNDLE_MAX + 1];
    size_t len;
    site_t site;
    err_t err = ERR_INIT;
    if (!options_parse(options, &argc, argv, 0, 0, &err) || !site_open(&site, cli->site, &err) ||
        !site_bundle_load(&site, text, &len, NULL, &err) || !show_text(cli, text, len, &err)) {
        return cli_fail(&err);
    }
    return CLI_DONE;
}

static bool load_anchors(const option_list_t *files, pki_chain_t *anchors, err_t *err)
{
    for (int i = 0; i < files->count; i++) {
        X509 *cert;
        if (!pki_cert_load(files->items[i], &cert, err)) {
            return false;
        }
        bool ok = pki_chain_add(anchors, cert, err);
        pki_cert_free(cert);
        if (!ok) {
            return false;
        }
    }
    return true;
}

static bool write_next(const site_t *site, const pki_chain_t *anchors, char *text, size_t *len,
                       err_t *err)
{
    char path[FILE_PATH_MAX];
    int64_t version;
    if (!site_bundle_load(site, text, len, &version, err)) {
        return false;
    }
    const site_bundle_t wanted = {.version = version + 1,
                                  .issued = (int64_t)time(NULL),
                                  .anchors = anchors->count > 0 ? anchors : NULL};
    return site_bundle_make(site, &wanted, text, len, err) &&
           site_path(site, SITE_BUNDLE, path, err) && file_write(path, text, *len, 0644, err);
}

static int make(const cli_t *cli, int argc, char **argv)
{
    option_list_t files = {.count = 0};
    const option_t options[] = {
        {"anchor", 0, OPTION_LIST, &files, "FILE", "a root of servers; repeatable"},
        {0},
    };
    char text[JWS_BUNDLE_MAX + 1];
    size_t len;
    pki_chain_t anchors = PKI_CHAIN_INIT;
    site_t site;
    err_t err = ERR_INIT;
    bool ok = options_parse(options, &argc, argv, 0, 0, &err) &&
              site_open(&site, cli->site, &err) && load_anchors(&files, &anchors, &err) &&
              write_next(&site, &anchors, text, &len, &err) && show_text(cli, text, len, &err);
    pki_chain_free(&anchors);
    return ok ? CLI_DONE : cli_fail(&err);
}

static const cli_verb_t VERBS[] = {
    {.name = "show",
     .summary = "which keys the site's devices believe",
     .usage = "cradle bundle show [--json]",
     .run = show,
     .help = "Verified with keys/anchor.pub.\n\nexample:\n  cradle bundle show\n"},
    {.name = "make",
     .summary = "the next version: other roots, or a new steward key",
     .usage = "cradle bundle make [--anchor FILE]...",
     .run = make,
     .help =
         "  --anchor FILE   a root that servers may have (PEM); up to three. Default: the site's\n"
         "                  ca/server-root.crt and ca/cloud-root.crt\n\n"
         "Signs with keys/anchor.key, which is kept offline otherwise, a list of those roots and\n"
         "of keys/steward.pub and keys/bench.pub. Restart the steward: devices hear of the new\n"
         "version when they next say hello, and fetch it. Units made from now on carry it.\n\n"
         "To roll the root of servers: a version with the old and the new one; wait until all\n"
         "devices have said hello; change the servers' certificates; a version without the old.\n\n"
         "example:\n"
         "  cradle bundle make --anchor ca/server-root.crt --anchor new-root.pem\n"},
    {0},
};

static int run(const cli_t *cli, int argc, char **argv)
{
    return cli_dispatch(cli, "cradle bundle", VERBS, argc, argv);
}

const cli_verb_t cli_verb_bundle = {
    .name = "bundle",
    .summary = "which keys devices believe: roots of servers, the steward's",
    .run = run,
};

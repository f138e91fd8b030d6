/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "cli/verb_steward.h"
#include "json/json.h"
#include "pki/key.h"
#include "site/bundle.h"
#include "steward/receipt_check.h"
#include "term/options.h"
#include "term/term.h"

/* ---- one receipt ---- */

static void print_lines(const receipt_t *receipt)
{
    term_table_t *table = term_table_new("WHAT|BECAME|>FOUND|BECAUSE");
    for (size_t i = 0; i < receipt->line_count; i++) {
        const receipt_line_t *line = &receipt->lines[i];
        char count[24] = "-";
        if (line->count >= 0) {
            snprintf(count, sizeof count, "%lld", (long long)line->count);
        }
        term_table_row(table, receipt_item_name(line->item), receipt_state_name(line->state), count,
                       line->state == RECEIPT_RETAINED ? receipt_reason_name(line->reason) : "");
    }
    term_table_print(table, stdout);
    term_table_free(table);
}

static void print_receipt(const receipt_t *receipt, const char *verdict)
{
    char when[32];
    char id[2 * JWS_NONCE_SIZE + 1];
    steward_time(receipt->issued, when);
    bytes_to_hex(receipt->id, sizeof receipt->id, id, sizeof id);
    printf("device     %.*s\nsite       %.*s\nmade       %s\non word of %s\ntransfer   %s\n",
           (int)receipt->sn.len, receipt->sn.text, (int)receipt->site.len, receipt->site.text, when,
           receipt_authority_name(receipt->authority), id);
    printf("key        %s%s\n\n", receipt->kid, verdict);
    print_lines(receipt);
}

static void print_receipt_json(const receipt_t *receipt, bool verified)
{
    char text[4096];
    json_writer_t w;
    json_writer_init(&w, text, sizeof text);
    json_object(&w);
    json_key(&w, "sn");
    json_put_string_n(&w, receipt->sn.text, receipt->sn.len);
    json_key(&w, "site");
    json_put_string_n(&w, receipt->site.text, receipt->site.len);
    json_key(&w, "issued");
    json_put_i64(&w, receipt->issued);
    json_key(&w, "by");
    json_put_string(&w, receipt_authority_name(receipt->authority));
    json_key(&w, "verified");
    json_put_bool(&w, verified);
    json_key(&w, "items");
    json_array(&w);
    for (size_t i = 0; i < receipt->line_count; i++) {
        const receipt_line_t *line = &receipt->lines[i];
        json_object(&w);
        json_key(&w, "item");
        json_put_string(&w, receipt_item_name(line->item));
        json_key(&w, "state");
        json_put_string(&w, receipt_state_name(line->state));
        json_key(&w, "count");
        json_put_i64(&w, line->count);
        json_end(&w);
    }
    json_end(&w);
    json_end(&w);
    puts(json_writer_done(&w, NULL) ? text : "{}");
}

static bool show_one(const cli_t *cli, const char *text, bool raw, err_t *err)
{
    receipt_read_t read;
    if (raw) {
        puts(text);
        return true;
    }
    if (!receipt_open(text, strlen(text), &read, err)) {
        return false;
    }
    if (cli->json) {
        print_receipt_json(&read.receipt, false);
    } else {
        print_receipt(&read.receipt, "");
    }
    return true;
}

/* ---- the list ---- */

typedef struct {
    const cli_t *cli;
    const char *sn; /* NULL: all */
    term_table_t *table;
} listing_t;

static bool list_receipt(void *ctx, const char *sn, int64_t issued, const char *link)
{
    listing_t *listing = ctx;
    char when[32];
    if (listing->sn != NULL && strcmp(listing->sn, sn) != 0) {
        return true;
    }
    steward_time(issued, when);
    if (listing->cli->json) {
        printf("{\"sn\":\"%s\",\"issued\":%lld,\"link\":\"/receipt/%s\"}\n", sn, (long long)issued,
               link);
    } else {
        term_table_row(listing->table, sn, when, link);
    }
    return true;
}

static bool list(const cli_t *cli, record_t *record, const char *sn, int64_t now, err_t *err)
{
    listing_t listing = {cli, sn, term_table_new("SN|MADE|LINK")};
    bool ok = record_receipts(record, NULL, now, list_receipt, &listing, err);
    if (ok && !cli->json) {
        term_table_print(listing.table, stdout);
    }
    term_table_free(listing.table);
    return ok;
}

/* ---- verify ---- */

static bool load_keys(const cli_t *cli, const char *bundle_file, const char *anchor_file,
                      char **bundle, size_t *len, EVP_PKEY **anchor, err_t *err)
{
    char path[FILE_PATH_MAX];
    site_t site;
    bool needs_site = bundle_file == NULL || anchor_file == NULL;
    if (needs_site && !site_open(&site, cli->site, err)) {
        return err_add(err, "without --bundle and --anchor the keys are those of the site");
    }
    if (bundle_file == NULL && !site_path(&site, SITE_BUNDLE, path, err)) {
        return false;
    }
    if (!file_read(bundle_file != NULL ? bundle_file : path, JWS_BUNDLE_MAX + 16, bundle, len,
                   err) ||
        (anchor_file == NULL && !site_pub_path(&site, "anchor", path, err))) {
        return false;
    }
    return pki_key_public_load(anchor_file != NULL ? anchor_file : path, anchor, err);
}

static int verify(const cli_t *cli, int argc, char **argv)
{
    const char *bundle_file = NULL;
    const char *anchor_file = NULL;
    const option_t options[] = {
        {"bundle", 0, OPTION_TEXT, &bundle_file, "FILE", "the bundle (default: the site's)"},
        {"anchor", 0, OPTION_TEXT, &anchor_file, "FILE", "anchor.pub (default: the site's)"},
        {0}};
    char *bundle = NULL;
    char *text = NULL;
    size_t bundle_len;
    size_t len;
    EVP_PKEY *anchor = NULL;
    receipt_read_t read;
    err_t err = ERR_INIT;
    bool ok = options_parse(options, &argc, argv, 1, 1, &err) &&
              load_keys(cli, bundle_file, anchor_file, &bundle, &bundle_len, &anchor, &err) &&
              file_read(argv[0], JWS_RECEIPT_MAX + 16, &text, &len, &err) &&
              (receipt_check(text, len, bundle, bundle_len, anchor, &read, &err) ||
               err_add(&err, "%s", argv[0]));
    if (ok && cli->json) {
        print_receipt_json(&read.receipt, true);
    } else if (ok) {
        print_receipt(&read.receipt, ", the signature is right");
    }
    pki_key_free(anchor);
    free(bundle);
    free(text);
    return ok ? CLI_DONE : cli_fail(&err);
}

/* ---- receipt ---- */

/* "https://host/receipt/<32 hex>", "/receipt/<32 hex>" or the digits. */
static const char *link_of(const char *text)
{
    const char *slash = strrchr(text, '/');
    return slash != NULL ? slash + 1 : text;
}

static bool get(const cli_t *cli, record_t *record, const char *link, bool raw, int64_t now,
                err_t *err)
{
    char text[JWS_RECEIPT_MAX + 1];
    bool found;
    if (!record_receipt_get(record, link_of(link), now, text, &found, err)) {
        return false;
    }
    if (!found) {
        return err_set(err, ERR_PRECONDITION,
                       "there is no such receipt, or not any more; `cradle steward receipt` lists "
                       "them");
    }
    return show_one(cli, text, raw, err);
}

int steward_receipt(const cli_t *cli, int argc, char **argv)
{
    const char *sn = NULL;
    const char *revoke = NULL;
    bool raw = false;
    const option_t options[] = {{"sn", 0, OPTION_TEXT, &sn, "SN", "of this unit only"},
                                {"jws", 0, OPTION_FLAG, &raw, NULL, "the signed text itself"},
                                {"revoke", 0, OPTION_TEXT, &revoke, "LINK", "end this link"},
                                {0}};
    site_t site;
    record_t *record = NULL;
    err_t err = ERR_INIT;
    int64_t now = clock_wall_ms() / 1000;
    if (argc > 0 && strcmp(argv[0], "verify") == 0) {
        return verify(cli, argc - 1, argv + 1);
    }
    bool ok = options_parse(options, &argc, argv, 0, 1, &err) &&
              steward_record_open(cli, &site, &record, &err);
    if (ok && revoke != NULL) {
        ok = record_receipt_revoke(record, link_of(revoke), &err);
    } else if (ok && argc == 1) {
        ok = get(cli, record, argv[0], raw, now, &err);
    } else if (ok) {
        ok = list(cli, record, sn, now, &err);
    }
    record_close(record);
    return ok ? CLI_DONE : cli_fail(&err);
}

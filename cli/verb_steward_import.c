/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/verb_steward.h"
#include "pki/cert.h"
#include "site/pack.h"
#include "steward/pack.h"
#include "steward/policy.h"
#include "term/options.h"

/* The line signed exactly these bytes. A list without a signature is taken only when asked for; one
   with a wrong signature never. */
static bool signed_or_allowed(const site_t *site, const char *file, const char *text, size_t len,
                              bool unsigned_too, err_t *err)
{
    uint8_t hash[32];
    bool signature;
    return pki_sha256(text, len, hash, err) && site_pack_check(site, file, hash, &signature, err) &&
           (signature || unsigned_too ||
            err_set(err, ERR_PRECONDITION,
                    "%s has no signature beside it (.jws): copy both files, or take it as it is "
                    "with --unsigned",
                    file));
}

/* `file` NULL: where `cradle factory pack` puts it. */
static bool import_file(record_t *record, const site_t *site, const char *file, bool unsigned_too,
                        pack_settings_t *settings, pack_counts_t *counts, err_t *err)
{
    char path[FILE_PATH_MAX];
    authority_t *authority = NULL;
    char *text = NULL;
    size_t len;
    if (file == NULL) {
        file = site_path(site, "factory/pack.json", path, err) ? path : "";
    }
    bool ok = authority_open(&authority, site, err) &&
              file_read(file, PACK_MAX, &text, &len, err) &&
              signed_or_allowed(site, file, text, len, unsigned_too, err);
    settings->site = site->id;
    settings->authority = authority;
    settings->now = clock_wall_ms() / 1000;
    ok = ok && (pack_import(record, settings, text, len, counts, err) || err_add(err, "%s", file));
    free(text);
    authority_close(authority);
    return ok;
}

int steward_import(const cli_t *cli, int argc, char **argv)
{
    policy_words_t words = {NULL, NULL, NULL, NULL};
    pack_settings_t settings = {.all = false};
    pack_counts_t counts;
    bool unsigned_too = false;
    const option_t options[] = {
        {"claims", 0, OPTION_TEXT, &words.claims, "on|off", "may they be claimed"},
        {"lock", 0, OPTION_TEXT, &words.lock, "open|release", "is the owner's consent needed"},
        {"unclaimed", 0, OPTION_TEXT, &words.unclaimed, "hold|keep", "without a claim"},
        {"dispose", 0, OPTION_TEXT, &words.dispose, "delete|reassign", "the former record"},
        {"all", 0, OPTION_FLAG, &settings.all, NULL, "change the policy of known units, too"},
        {"unsigned", 0, OPTION_FLAG, &unsigned_too, NULL, "a list without a signature, too"},
        {0}};
    site_t site;
    record_t *record = NULL;
    err_t err = ERR_INIT;
    bool ok = options_parse(options, &argc, argv, 0, 1, &err) &&
              policy_read(&words, &settings.claims_on, &settings.policy, &err) &&
              steward_record_open(cli, &site, &record, &err) &&
              import_file(record, &site, argc == 1 ? argv[0] : NULL, unsigned_too, &settings,
                          &counts, &err);
    record_close(record);
    if (!ok) {
        return cli_fail(&err);
    }
    if (cli->json) {
        printf("{\"added\":%" PRIu64 ",\"known\":%" PRIu64 "}\n", counts.added, counts.known);
    } else {
        printf("%" PRIu64 " units added, %" PRIu64 " were known already\n", counts.added,
               counts.known);
    }
    return CLI_DONE;
}

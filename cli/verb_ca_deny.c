/* SPDX-License-Identifier: Apache-2.0 */
/* `cradle ca deny` and `cradle ca crl`. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "cli/verb_ca.h"
#include "pki/deny.h"
#include "site/deny.h"
#include "term/term.h"

const char ca_deny_help[] =
    "  CERT                the certificate's file (PEM; the first one in it)\n"
    "  --sn SN             every certificate that this site knows of that unit\n"
    "  --list              shows the deny-list\n"
    "  --reason R          unspecified (default), keyCompromise, superseded, "
    "cessationOfOperation,\n"
    "                      privilegeWithdrawn, affiliationChanged, cACompromise\n"
    "  --ca                CERT may be an issuing CA: everything below it is shut out\n"
    "  --key FILE          the product CA's key, where it is not in the site\n\n"
    "The list is ca/deny.jws, signed by the product CA. cradle-cloud and cradle-steward read it\n"
    "anew when it changes: a denied certificate does not log in again, whatever its dates say.\n"
    "A session that is open stays until it ends. There is no way back but a new certificate.\n\n"
    "examples:\n"
    "  cradle ca deny --sn SN-000003 --reason keyCompromise\n"
    "  cradle ca deny device.crt --reason superseded --key /media/ceremony/product.key\n"
    "  cradle ca deny --list\n";

const char ca_crl_help[] =
    "  -o FILE             the lists, PEM, one for each issuing CA; replaced if it exists\n"
    "  --by NAME           of this CA only (line, renewal, line.1, ...)\n"
    "  --days N            how long they are good (default 30)\n"
    "  --key FILE          that CA's key, where it is not in the site (with --by)\n\n"
    "examples:\n"
    "  cradle ca crl -o crl.pem\n"
    "  openssl crl -in crl.pem -noout -text\n"
    "  openssl verify -crl_check -CRLfile crl.pem -CAfile ca/root.crt -untrusted chain.pem "
    "dev.crt\n";

static int print_list(const cli_t *cli, const site_t *site, err_t *err)
{
    pki_deny_t *deny;
    if (!site_deny_load(site, &deny, err)) {
        return cli_fail(err);
    }
    term_table_t *table =
        cli->json ? NULL : term_table_new("SHA-256 OF THE CERTIFICATE|DENIED|REASON");
    if (cli->json) {
        printf("{\"seq\":%" PRId64 ",\"iat\":%" PRId64 ",\"denied\":[", pki_deny_seq(deny),
               pki_deny_issued(deny));
    }
    for (size_t i = 0; i < pki_deny_count(deny); i++) {
        const pki_denied_t *d = pki_deny_at(deny, i);
        char hex[65], day[16];
        bytes_to_hex(d->leaf, 32, hex, sizeof hex);
        ca_date(d->at, day);
        if (cli->json) {
            printf("%s{\"leaf\":\"%s\",\"serial\":\"%s\",\"at\":%" PRId64 ",\"reason\":\"%s\"}",
                   i == 0 ? "" : ",", hex, d->serial, d->at, pki_reason_name(d->reason));
        } else {
            term_table_row(table, hex, day, pki_reason_name(d->reason));
        }
    }
    if (cli->json) {
        puts("]}");
    } else if (pki_deny_count(deny) == 0) {
        puts("Nobody is denied.");
    } else {
        term_table_print(table, stdout);
    }
    term_table_free(table);
    pki_deny_free(deny);
    return CLI_DONE;
}

static int deny_it(const cli_t *cli, const ca_session_t *session, const char *file,
                   factory_deny_t *how, err_t *err)
{
    pki_chain_t chain = PKI_CHAIN_INIT;
    size_t added = 0;
    bool ok = file == NULL || pki_chain_load(file, &chain, err);
    how->cert = ok && file != NULL ? chain.cert[0] : NULL;
    how->now = clock_wall_ms() / 1000;
    ok = ok && factory_ca_deny(&session->ca, how, &added, err);
    pki_chain_free(&chain);
    if (!ok) {
        return cli_fail(err);
    }
    if (cli->json) {
        printf("{\"added\":%zu}\n", added);
    } else if (added == 0) {
        puts("Denied already; nothing changed.");
    } else {
        printf("%zu certificate%s denied, in " SITE_DENY ".\n", added, added == 1 ? "" : "s");
    }
    return CLI_DONE;
}

int ca_deny(const cli_t *cli, int argc, char **argv)
{
    ca_session_t session = {.key = NULL};
    factory_deny_t how = {.reason = PKI_REASON_UNSPECIFIED};
    const char *reason = "unspecified";
    bool list = false;
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"sn", 0, OPTION_TEXT, &how.sn, "SN", "all certificates of a unit"},
        {"list", 0, OPTION_FLAG, &list, NULL, "shows the list"},
        {"reason", 0, OPTION_TEXT, &reason, "R", "why"},
        {"ca", 0, OPTION_FLAG, &how.whole_ca, NULL, "it may be an issuing CA"},
        CA_KEY_OPTION(session),
        {0},
    };
    if (!options_parse(options, &argc, argv, 0, 1, &err)) {
        return cli_fail(&err);
    }
    if ((argc == 1) + (how.sn != NULL) + list != 1) {
        err_set(&err, ERR_USAGE, "`cradle ca deny` wants a certificate's file, --sn SN or --list");
        return cli_fail(&err);
    }
    if (!pki_reason_parse(reason, &how.reason)) {
        err_set(&err, ERR_USAGE,
                "--reason is one of unspecified, keyCompromise, superseded, cessationOfOperation, "
                "privilegeWithdrawn, affiliationChanged, cACompromise, not \"%.40s\"",
                reason);
        return cli_fail(&err);
    }
    if (!ca_open(cli, &session, &err)) {
        return cli_fail(&err);
    }
    return list ? print_list(cli, &session.site, &err)
                : deny_it(cli, &session, argc == 1 ? argv[0] : NULL, &how, &err);
}

int ca_crl(const cli_t *cli, int argc, char **argv)
{
    ca_session_t session = {.key = NULL};
    const char *out = NULL;
    const char *by = NULL;
    uint64_t days = 30;
    uint32_t good = 0;
    factory_crl_t lists[SITE_ISSUING_MAX];
    size_t count = 0;
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"out", 'o', OPTION_TEXT, &out, "FILE", "the lists"},
        {"by", 0, OPTION_TEXT, &by, "NAME", "of this CA only"},
        {"days", 0, OPTION_UINT, &days, "N", "how long they are good"},
        CA_KEY_OPTION(session),
        {0},
    };
    bool ok =
        options_parse(options, &argc, argv, 0, 0, &err) &&
        (out != NULL || err_set(&err, ERR_USAGE, "where to? name the file with -o")) &&
        ca_days(days, &good, &err) && ca_open(cli, &session, &err) &&
        factory_ca_crl(&session.ca, by, good, clock_wall_ms() / 1000, out, lists, &count, &err);
    if (!ok) {
        return cli_fail(&err);
    }
    for (size_t i = 0; cli->json && i < count; i++) {
        printf("%s{\"ca\":\"%s\",\"made\":%s,\"entries\":%zu}%s", i == 0 ? "[" : ",", lists[i].name,
               lists[i].made ? "true" : "false", lists[i].entries, i + 1 == count ? "]\n" : "");
    }
    for (size_t i = 0; !cli->json && i < count; i++) {
        if (lists[i].made) {
            printf("%s: %zu entries\n", lists[i].name, lists[i].entries);
        } else {
            printf("%s: no list, its key is not here (--by %s --key FILE)\n", lists[i].name,
                   lists[i].name);
        }
    }
    return CLI_DONE;
}

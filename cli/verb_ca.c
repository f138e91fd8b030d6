/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verb_ca.h"

#include <stdio.h>
#include <time.h>

void ca_date(int64_t seconds, char out[16])
{
    time_t at = (time_t)seconds;
    struct tm utc;
    if (gmtime_r(&at, &utc) == NULL || strftime(out, 16, "%Y-%m-%d", &utc) == 0) {
        snprintf(out, 16, "?");
    }
}

bool ca_open(const cli_t *cli, ca_session_t *session, err_t *err)
{
    session->ca = (factory_ca_t){&session->site, session->key};
    return site_open(&session->site, cli->site, err);
}

bool ca_days(uint64_t given, uint32_t *days, err_t *err)
{
    *days = (uint32_t)given;
    return given <= 36500 || err_set(err, ERR_USAGE, "--days is at most 36500");
}

static const cli_verb_t VERBS[] = {
    {.name = "show",
     .summary = "the CAs, or one of them, or any certificate file",
     .usage = "cradle ca show [NAME|FILE]",
     .run = ca_show,
     .help = ca_show_help},
    {.name = "issue",
     .summary = "one device certificate, outside a factory run",
     .usage = "cradle ca issue --sn SN --csr FILE|--key-out FILE -o FILE [options]",
     .run = ca_issue,
     .help = ca_issue_help},
    {.name = "sign",
     .summary = "certificates for requests that were made elsewhere",
     .usage = "cradle ca sign CSR...|--batch FILE -o FILE [options]",
     .run = ca_sign,
     .help = ca_sign_help},
    {.name = "verify",
     .summary = "would this certificate be let in? each rule with its verdict",
     .usage = "cradle ca verify FILE [--key FILE]",
     .run = ca_verify,
     .help = ca_verify_help},
    {.name = "deny",
     .summary = "a certificate that counts no more",
     .usage = "cradle ca deny CERT|--sn SN|--list [--reason R] [options]",
     .run = ca_deny,
     .help = ca_deny_help},
    {.name = "crl",
     .summary = "the deny-list as X.509 revocation lists, for other software",
     .usage = "cradle ca crl -o FILE [options]",
     .run = ca_crl,
     .help = ca_crl_help},
    {.name = "roll",
     .summary = "a new issuing CA in the place of the old one",
     .usage = "cradle ca roll line|renewal [options]",
     .run = ca_roll,
     .help = ca_roll_help},
    {.name = "passphrase",
     .summary = "encrypt a CA's key, change its passphrase, or take it off",
     .usage = "cradle ca passphrase NAME|FILE [--remove]",
     .run = ca_passphrase,
     .help = ca_passphrase_help},
    {0},
};

static int run(const cli_t *cli, int argc, char **argv)
{
    return cli_dispatch(cli, "cradle ca", VERBS, argc, argv);
}

const cli_verb_t cli_verb_ca = {
    .name = "ca",
    .summary = "certificate authorities: show, issue, sign, deny, roll",
    .run = run,
};

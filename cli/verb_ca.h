/* SPDX-License-Identifier: Apache-2.0 */
/* verb_ca: the sub-verbs of `cradle ca`, one file each, and what they share. */
#ifndef CRADLE_CLI_VERB_CA_H
#define CRADLE_CLI_VERB_CA_H

#include <stdint.h>

#include "cli/cli.h"
#include "factory/ca.h"
#include "site/ca.h"
#include "term/options.h"

int ca_show(const cli_t *cli, int argc, char **argv);
int ca_issue(const cli_t *cli, int argc, char **argv);
int ca_sign(const cli_t *cli, int argc, char **argv);
int ca_deny(const cli_t *cli, int argc, char **argv);
int ca_crl(const cli_t *cli, int argc, char **argv);
int ca_verify(const cli_t *cli, int argc, char **argv);
int ca_roll(const cli_t *cli, int argc, char **argv);
int ca_passphrase(const cli_t *cli, int argc, char **argv);

extern const char ca_show_help[];
extern const char ca_issue_help[];
extern const char ca_sign_help[];
extern const char ca_deny_help[];
extern const char ca_crl_help[];
extern const char ca_verify_help[];
extern const char ca_roll_help[];
extern const char ca_passphrase_help[];

/* "2029-11-24" */
void ca_date(int64_t seconds, char out[16]);

typedef struct {
    const char *key; /* --key */
    site_t site;
    factory_ca_t ca; /* filled by ca_open */
} ca_session_t;

#define CA_KEY_OPTION(session)                                                                     \
    {                                                                                              \
        "key", 0, OPTION_TEXT, &(session).key, "FILE", "the CA's key, where it is not in the site" \
    }

/* Opens the site, after the options were read. `session` must stay where it is. */
bool ca_open(const cli_t *cli, ca_session_t *session, err_t *err);

/* Days of an option; ERR_USAGE over 36,500. */
bool ca_days(uint64_t given, uint32_t *days, err_t *err);

#endif

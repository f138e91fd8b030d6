/* SPDX-License-Identifier: Apache-2.0 */
/* verb_steward: what the files of `cradle steward` share. They work on the record beside a running
   cradle-steward, which sees each change at its next look. */
#ifndef CRADLE_CLI_VERB_STEWARD_H
#define CRADLE_CLI_VERB_STEWARD_H

#include "cli/cli.h"
#include "site/site.h"
#include "steward/record.h"

/* The site of -C and its record; ERR_PRECONDITION when the site has no steward. */
bool steward_record_open(const cli_t *cli, site_t *site, record_t **record, err_t *err);

/* "2026-11-25 09:50:00Z" */
void steward_time(int64_t seconds, char out[32]);

int steward_account(const cli_t *cli, int argc, char **argv);
int steward_units(const cli_t *cli, int argc, char **argv);
int steward_show(const cli_t *cli, int argc, char **argv);
int steward_release(const cli_t *cli, int argc, char **argv);
int steward_stolen(const cli_t *cli, int argc, char **argv);
int steward_import(const cli_t *cli, int argc, char **argv);
int steward_receipt(const cli_t *cli, int argc, char **argv);

#endif

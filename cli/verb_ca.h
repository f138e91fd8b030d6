/* SPDX-License-Identifier: Apache-2.0 */
/* verb_ca: the sub-verbs of `cradle ca`, one file each, and what they share. */
#ifndef CRADLE_CLI_VERB_CA_H
#define CRADLE_CLI_VERB_CA_H

#include <stdint.h>

#include "cli/cli.h"
#include "site/ca.h"

int ca_show(const cli_t *cli, int argc, char **argv);
extern const char ca_show_help[];

/* "2029-11-24" */
void ca_date(int64_t seconds, char out[16]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* phone_verbs: the sub-verbs of `cradle phone` that have a file of their own: what is in the air
   (phone_scan.c), and what is asked at the steward (phone_owner.c). */
#ifndef CRADLE_CLI_PHONE_VERBS_H
#define CRADLE_CLI_PHONE_VERBS_H

#include "cli/cli.h"
#include "base/file.h"
#include "phone/account.h"

int phone_scan_run(const cli_t *cli, int argc, char **argv);

/* Where the simulated air of the site is. */
bool phone_scan_air(const cli_t *cli, char path[FILE_PATH_MAX], err_t *err);

int phone_owner_login(const cli_t *cli, int argc, char **argv);
int phone_owner_devices(const cli_t *cli, int argc, char **argv);
int phone_owner_release(const cli_t *cli, int argc, char **argv);
int phone_owner_code(const cli_t *cli, int argc, char **argv);
int phone_owner_receipts(const cli_t *cli, int argc, char **argv);

/* `which` is a file (it has a '/' or ends in .json) or a name, which stands for phone/NAME.json of
   the site. */
bool phone_owner_load(const cli_t *cli, const char *which, phone_account_t *account, err_t *err);

/* One line from a file, or from standard input for "-". */
bool phone_owner_secret(const char *file, const char *what, char *out, size_t cap, err_t *err);

#define PHONE_OWNER_ACCOUNT                                                                        \
    "  --account WHICH    the account: a file that `cradle phone login` made, or a name, which\n"  \
    "                     stands for phone/NAME.json of the site\n"

#endif

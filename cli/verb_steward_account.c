/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cli/verb_steward.h"
#include "json/json.h"
#include "term/options.h"
#include "term/term.h"

#define PASSWORD_SIZE                                                                              \
    130 /* one more than the longest, so that a longer one is refused, not cut                     \
         */

/* Twice, because nobody sees what he types. */
static bool ask_twice(char out[PASSWORD_SIZE], err_t *err)
{
    char again[PASSWORD_SIZE];
    if (!term_secret("password: ", -1, out, PASSWORD_SIZE, err) ||
        !term_secret("once more: ", -1, again, sizeof again, err)) {
        return false;
    }
    bool same = strcmp(out, again) == 0;
    bytes_wipe(again, sizeof again);
    return same || err_set(err, ERR_USAGE, "the two passwords differ");
}

/* From the terminal; the first line of a file, or of standard input when that is no terminal. */
static bool read_password(const char *file, char out[PASSWORD_SIZE], err_t *err)
{
    if (file == NULL && isatty(STDIN_FILENO)) {
        return ask_twice(out, err);
    }
    bool from_stdin = file == NULL || strcmp(file, "-") == 0;
    int fd = from_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_errno(err, "cannot read the password from %s", file);
    }
    bool ok = term_secret("", fd, out, PASSWORD_SIZE, err);
    if (!from_stdin) {
        close(fd);
    }
    return ok;
}

typedef bool (*set_password_fn)(record_t *record, const char *id, const char *password, err_t *err);

static int set_password(const cli_t *cli, int argc, char **argv, set_password_fn set,
                        const char *done)
{
    const char *file = NULL;
    const option_t options[] = {
        {"password-file", 0, OPTION_TEXT, &file, "FILE|-", "its first line is the password"}, {0}};
    site_t site;
    record_t *record = NULL;
    char password[PASSWORD_SIZE];
    err_t err = ERR_INIT;
    bool ok = options_parse(options, &argc, argv, 1, 1, &err) &&
              steward_record_open(cli, &site, &record, &err);
    if (ok && !record_account_name(argv[0])) {
        ok = err_set(&err, ERR_USAGE, "an account's name has 1 to 32 of A-Z a-z 0-9 . _ -");
    }
    ok = ok && read_password(file, password, &err) && set(record, argv[0], password, &err);
    bytes_wipe(password, sizeof password);
    record_close(record);
    if (!ok) {
        return cli_fail(&err);
    }
    if (cli->json) {
        printf("{\"account\":\"%s\"}\n", argv[0]);
    } else {
        printf("%s %s\n", argv[0], done);
    }
    return CLI_DONE;
}

static int add(const cli_t *cli, int argc, char **argv)
{
    return set_password(cli, argc, argv, record_account_add, "can log in now");
}

static int password(const cli_t *cli, int argc, char **argv)
{
    return set_password(cli, argc, argv, record_account_password,
                        "has a new password, and is logged out everywhere");
}

/* ---- list ---- */

typedef struct {
    const cli_t *cli;
    record_t *record;
    term_table_t *table;
    err_t err;
} listing_t;

static bool count_unit(void *ctx, const record_unit_t *unit)
{
    (void)unit;
    (*(int64_t *)ctx)++;
    return true;
}

static bool list_account(void *ctx, const record_account_t *account)
{
    listing_t *listing = ctx;
    int64_t units = 0;
    char number[24];
    char line[256];
    if (!record_units(listing->record, account->id, "", count_unit, &units, &listing->err)) {
        return false;
    }
    if (listing->cli->json) {
        json_writer_t w;
        json_writer_init(&w, line, sizeof line);
        json_object(&w);
        json_key(&w, "account");
        json_put_string(&w, account->id);
        json_key(&w, "units");
        json_put_i64(&w, units);
        json_key(&w, "customer");
        json_put_string(&w, account->customer);
        json_end(&w);
        puts(json_writer_done(&w, NULL) ? line : "{}");
    } else {
        snprintf(number, sizeof number, "%lld", (long long)units);
        term_table_row(listing->table, account->id, number,
                       account->customer[0] != '\0' ? account->customer : "-");
    }
    return true;
}

static int list(const cli_t *cli, int argc, char **argv)
{
    const option_t options[] = {{0}};
    site_t site;
    listing_t listing = {.cli = cli, .err = ERR_INIT};
    bool ok = options_parse(options, &argc, argv, 0, 0, &listing.err) &&
              steward_record_open(cli, &site, &listing.record, &listing.err);
    listing.table = term_table_new("ACCOUNT|>UNITS|CUSTOMER AT THE CLOUD");
    ok = ok && record_accounts(listing.record, list_account, &listing, &listing.err) &&
         listing.err.kind == ERR_NONE;
    if (ok && !cli->json) {
        term_table_print(listing.table, stdout);
    }
    term_table_free(listing.table);
    record_close(listing.record);
    return ok ? CLI_DONE : cli_fail(&listing.err);
}

static const cli_verb_t VERBS[] = {
    {.name = "add",
     .summary = "make an account",
     .usage = "cradle steward account add NAME [--password-file FILE|-]",
     .run = add,
     .help = "The password is asked for on the terminal, or is the first line of standard input\n"
             "or of a file; never an argument. At least 8 bytes. It is kept as scrypt.\n\n"
             "examples:\n"
             "  cradle steward account add alice\n"
             "  cradle steward account add bob --password-file bob.txt\n"},
    {.name = "list",
     .summary = "all accounts",
     .usage = "cradle steward account list [--json]",
     .run = list},
    {.name = "password",
     .summary = "set a new password; ends all log-ins",
     .usage = "cradle steward account password NAME [--password-file FILE|-]",
     .run = password},
    {0},
};

int steward_account(const cli_t *cli, int argc, char **argv)
{
    return cli_dispatch(cli, "cradle steward account", VERBS, argc, argv);
}

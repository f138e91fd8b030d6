/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/phone_verbs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "json/json.h"
#include "site/run.h"
#include "site/site.h"
#include "term/options.h"
#include "term/term.h"

#define PASSWORD_CAP 130 /* the steward takes up to 128 bytes */
#define CODE_CAP     64

bool phone_owner_secret(const char *file, const char *what, char *out, size_t cap, err_t *err)
{
    bool standard = strcmp(file, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err, "reading the %s from %s", what, file);
    bool ok = term_secret(what, fd, out, cap, err);
    if (!standard)
        close(fd);
    return ok;
}

/* -- the account file ------------------------------------------------------------------------ */

static bool is_path(const char *which)
{
    size_t len = strlen(which);

    return strchr(which, '/') || (len > 5 && strcmp(which + len - 5, ".json") == 0);
}

static bool account_path(const cli_t *cli, const char *which, char path[FILE_PATH_MAX], err_t *err)
{
    site_t site;
    char relative[64];

    if (is_path(which)) {
        if (strlen(which) >= FILE_PATH_MAX)
            return err_set(err, ERR_USAGE, "the path of the account is too long");
        strcpy(path, which);
        return true;
    }
    if (!phone_account_name_valid(which))
        return err_set(err, ERR_USAGE, "\"%.40s\" is neither an account's name nor a file", which);
    snprintf(relative, sizeof relative, "phone/%s.json", which);
    return site_open(&site, cli->site, err) && site_path(&site, relative, path, err);
}

/* A steward of this machine may listen at another port than at login. Who answers there must have a
   certificate of the same authority all the same. */
static void follow(const cli_t *cli, phone_account_t *account)
{
    site_t site;
    char address[SITE_HOST_SIZE];

    if (account->local && site_open(&site, cli->site, NULL) &&
        site_run_address(&site, "steward", "https", address, NULL))
        snprintf(account->url, sizeof account->url, "https://%s", address);
}

bool phone_owner_load(const cli_t *cli, const char *which, phone_account_t *account, err_t *err)
{
    char path[FILE_PATH_MAX];

    if (!which)
        return err_set(
            err, ERR_USAGE,
            "--account is needed: whose phone is this? (make one: `cradle phone login`)");
    if (!account_path(cli, which, path, err) || !phone_account_load(path, account, err))
        return false;
    follow(cli, account);
    return true;
}

/* -- login ----------------------------------------------------------------------------------- */

typedef struct {
    const char *name, *steward, *ca, *account, *password_file;
} login_t;

/* What was not said comes from the site. */
static bool find_steward(const cli_t *cli, const login_t *login, char url[SITE_HOST_SIZE],
                         char ca[FILE_PATH_MAX], err_t *err)
{
    site_t site;

    snprintf(url, SITE_HOST_SIZE, "%s", login->steward ? login->steward : "");
    snprintf(ca, FILE_PATH_MAX, "%s", login->ca ? login->ca : "");
    if (login->steward && login->ca)
        return true;
    if (!site_open(&site, cli->site, err))
        return err_add(err, "--steward and --ca were not both given");
    return (login->ca || site_ca_path(&site, "server-root", ca, err)) &&
           (login->steward || site_run_address(&site, "steward", "https", url, err) ||
            err_add(err, "no --steward was given, and none of this site is known"));
}

static bool read_password(const login_t *login, char password[PASSWORD_CAP], err_t *err)
{
    bool ok = login->password_file ? phone_owner_secret(login->password_file, "password", password,
                                                        PASSWORD_CAP, err)
                                   : term_secret("Password", -1, password, PASSWORD_CAP, err);

    return ok && (password[0] || err_set(err, ERR_USAGE, "the password is empty"));
}

/* The directory of the site's accounts is made when it is needed. */
static bool save(const cli_t *cli, const login_t *login, const phone_account_t *account,
                 char path[FILE_PATH_MAX], err_t *err)
{
    site_t site;
    char dir[FILE_PATH_MAX];
    const char *which = login->account ? login->account : login->name;

    if (!account_path(cli, which, path, err))
        return false;
    if (!is_path(which) &&
        (!site_open(&site, cli->site, err) || !site_path(&site, "phone", dir, err) ||
         !file_make_dirs(dir, 0700, err)))
        return false;
    return phone_account_save(account, path, err);
}

static void show_login(const cli_t *cli, const phone_account_t *account, const char *path)
{
    char day[32], text[FILE_PATH_MAX + 512];
    time_t t = (time_t)account->expires;
    struct tm utc;
    json_writer_t w;

    if (!cli->json) {
        gmtime_r(&t, &utc);
        strftime(day, sizeof day, "%Y-%m-%d", &utc);
        printf("%s is logged in at %s until %s; %s keeps the log-in (mode 0600).\n", account->name,
               account->url, day, path);
        return;
    }
    json_writer_init(&w, text, sizeof text);
    json_object(&w);
    json_key(&w, "name");
    json_put_string(&w, account->name);
    json_key(&w, "url");
    json_put_string(&w, account->url);
    json_key(&w, "expires");
    json_put_i64(&w, account->expires);
    json_key(&w, "account");
    json_put_string(&w, path);
    json_end(&w);
    if (json_writer_done(&w, NULL))
        puts(text);
}

int phone_owner_login(const cli_t *cli, int argc, char **argv)
{
    login_t login = {0};
    phone_account_t account = {0};
    char url[SITE_HOST_SIZE], ca[FILE_PATH_MAX], path[FILE_PATH_MAX], password[PASSWORD_CAP] = "";
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"steward", 0, OPTION_TEXT, &login.steward, "URL", "https://HOST:PORT of the steward"},
        {"ca", 0, OPTION_TEXT, &login.ca, "FILE", "the authority of its certificate"},
        {"account", 0, OPTION_TEXT, &login.account, "WHICH", "where the log-in is kept"},
        {"password-file", 0, OPTION_TEXT, &login.password_file, "FILE", "the password"},
        {0},
    };

    if (!options_parse(options, &argc, argv, 1, 1, &err))
        return cli_fail(&err);
    login.name = argv[0];
    bool ok = find_steward(cli, &login, url, ca, &err) && read_password(&login, password, &err) &&
              phone_login(url, ca, login.name, password, &account, &err);
    account.local = login.steward == NULL;
    ok = ok && save(cli, &login, &account, path, &err);
    bytes_wipe(password, sizeof password);
    if (ok)
        show_login(cli, &account, path);
    phone_account_wipe(&account);
    return ok ? CLI_DONE : cli_fail(&err);
}

/* -- what an account asks -------------------------------------------------------------------- */

/* The one option of all of them, and the account. */
static bool begin(const cli_t *cli, int *argc, char **argv, int positional,
                  phone_account_t *account, err_t *err)
{
    const char *which = NULL;
    const option_t options[] = {
        {"account", 0, OPTION_TEXT, &which, "WHICH", "whose phone this is"},
        {0},
    };

    memset(account, 0, sizeof *account);
    return options_parse(options, argc, argv, positional, positional, err) &&
           phone_owner_load(cli, which, account, err);
}

static int end(phone_account_t *account, bool ok, const err_t *err)
{
    phone_account_wipe(account);
    return ok ? CLI_DONE : cli_fail(err);
}

typedef struct {
    term_table_t *table; /* NULL: JSON */
    const char *url;
    size_t count;
} listing_t;

static void put(listing_t *list, json_writer_t *w, const char *text)
{
    json_end(w);
    if (json_writer_done(w, NULL))
        printf("%s%s", list->count > 0 ? "," : "", text);
}

static bool add_device(void *ctx, const char *sn, phone_state_t state)
{
    listing_t *list = ctx;
    char text[256];
    json_writer_t w;

    if (list->table) {
        term_table_row(list->table, sn, phone_state_name(state));
    } else {
        json_writer_init(&w, text, sizeof text);
        json_object(&w);
        json_key(&w, "sn");
        json_put_string(&w, sn);
        json_key(&w, "state");
        json_put_string(&w, phone_state_name(state));
        put(list, &w, text);
    }
    list->count++;
    return true;
}

static bool add_receipt(void *ctx, const char *sn, int64_t issued, const char *link)
{
    listing_t *list = ctx;
    char url[PHONE_URL_SIZE + PHONE_LINK_SIZE], day[32], text[1024];
    time_t t = (time_t)issued;
    struct tm utc = {0};
    json_writer_t w;

    snprintf(url, sizeof url, "%s%s", list->url, link);
    if (list->table) {
        gmtime_r(&t, &utc);
        strftime(day, sizeof day, "%Y-%m-%d %H:%M", &utc);
        term_table_row(list->table, sn, day, url);
    } else {
        json_writer_init(&w, text, sizeof text);
        json_object(&w);
        json_key(&w, "sn");
        json_put_string(&w, sn);
        json_key(&w, "issued");
        json_put_i64(&w, issued);
        json_key(&w, "url");
        json_put_string(&w, url);
        put(list, &w, text);
    }
    list->count++;
    return true;
}

static void finish(listing_t *list, const char *none)
{
    if (!list->table)
        puts("]}");
    else if (list->count > 0)
        term_table_print(list->table, stdout);
    else
        puts(none);
    term_table_free(list->table);
}

int phone_owner_devices(const cli_t *cli, int argc, char **argv)
{
    phone_account_t account;
    listing_t list = {0};
    err_t err = ERR_INIT;

    bool ok = begin(cli, &argc, argv, 0, &account, &err);
    if (ok) {
        list.table = cli->json ? NULL : term_table_new("SN|STATE");
        if (cli->json)
            fputs("{\"devices\":[", stdout);
        ok = phone_owned(&account, add_device, &list, &err);
        finish(&list, ok ? "No devices yet: `cradle phone provision NAME --account WHICH`." : "");
    }
    return end(&account, ok, &err);
}

int phone_owner_receipts(const cli_t *cli, int argc, char **argv)
{
    phone_account_t account;
    listing_t list = {.url = account.url};
    err_t err = ERR_INIT;

    bool ok = begin(cli, &argc, argv, 0, &account, &err);
    if (ok) {
        list.table = cli->json ? NULL : term_table_new("SN|ISSUED (UTC)|RECEIPT");
        if (cli->json)
            fputs("{\"receipts\":[", stdout);
        ok = phone_receipts(&account, add_receipt, &list, &err);
        finish(&list, ok ? "No device has left this account." : "");
    }
    return end(&account, ok, &err);
}

int phone_owner_release(const cli_t *cli, int argc, char **argv)
{
    phone_account_t account;
    err_t err = ERR_INIT;

    bool ok = begin(cli, &argc, argv, 1, &account, &err) && phone_release(&account, argv[0], &err);
    if (ok && cli->json)
        printf("{\"sn\":\"%s\",\"released\":true}\n", argv[0]);
    else if (ok)
        printf("%s is released: it goes to the next one who claims it after a factory reset. Until "
               "then it is yours.\n",
               argv[0]);
    return end(&account, ok, &err);
}

int phone_owner_code(const cli_t *cli, int argc, char **argv)
{
    phone_account_t account;
    char code[CODE_CAP] = "";
    err_t err = ERR_INIT;

    bool ok = begin(cli, &argc, argv, 2, &account, &err);
    if (ok && strcmp(argv[1], "-") == 0)
        ok = phone_owner_secret("-", "claim code", code, sizeof code, &err);
    else if (ok && strlen(argv[1]) >= sizeof code)
        ok = err_set(&err, ERR_USAGE, "a claim code has at most %d characters", CODE_CAP - 1);
    else if (ok)
        strcpy(code, argv[1]);
    ok = ok && phone_code(&account, argv[0], code, &err);
    if (ok && cli->json)
        printf("{\"sn\":\"%s\",\"entered\":true}\n", argv[0]);
    else if (ok)
        printf("The code of %s is right. Now press the button on the device, within 15 minutes of "
               "its reset.\n",
               argv[0]);
    return end(&account, ok, &err);
}

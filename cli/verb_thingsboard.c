/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"
#include "json/json.h"
#include "site/ca.h"
#include "site/run.h"
#include "site/secret.h"
#include "site/site.h"
#include "steward/setup.h"
#include "term/options.h"
#include "term/term.h"

#define PEM_MAX   16384
#define LINES_MAX 32
#define JSON_MAX  16384

/* ---- what happened ---- */

typedef struct {
    char what[24];
    char name[TBREST_NAME_SIZE];
    setup_state_t state;
    const char *note; /* static texts all of them */
} line_t;

typedef struct {
    line_t line[LINES_MAX];
    int count;
} lines_t;

static void keep(void *ctx, const setup_line_t *line)
{
    lines_t *lines = ctx;
    if (lines->count < LINES_MAX) {
        line_t *to = &lines->line[lines->count++];
        snprintf(to->what, sizeof to->what, "%s", line->what);
        snprintf(to->name, sizeof to->name, "%s", line->name);
        to->state = line->state;
        to->note = line->note;
    }
}

static void show_table(const lines_t *lines)
{
    term_table_t *table = term_table_new("WHAT|NAME|STATE|NOTE");
    for (int i = 0; i < lines->count; i++) {
        const line_t *line = &lines->line[i];
        term_table_row(table, line->what, line->name, setup_state_name(line->state), line->note);
    }
    term_table_print(table, stdout);
    term_table_free(table);
}

static void show_json(const lines_t *lines)
{
    char text[JSON_MAX];
    json_writer_t w;
    json_writer_init(&w, text, sizeof text);
    json_array(&w);
    for (int i = 0; i < lines->count; i++) {
        const line_t *line = &lines->line[i];
        json_object(&w);
        json_key(&w, "what");
        json_put_string(&w, line->what);
        json_key(&w, "name");
        json_put_string(&w, line->name);
        json_key(&w, "state");
        json_put_string(&w, setup_state_name(line->state));
        json_key(&w, "note");
        json_put_string(&w, line->note);
        json_end(&w);
    }
    json_end(&w);
    if (json_writer_done(&w, NULL)) {
        puts(text);
    }
}

/* ---- what is asked for ---- */

typedef struct {
    site_t site;
    const char *url, *ca, *login, *steward_url;
    bool shared;
    setup_t setup;
    char own_url[SITE_HOST_SIZE + 16];
    char own_ca[FILE_PATH_MAX];
    char own_login[FILE_PATH_MAX];
    char own_steward[SITE_HOST_SIZE + 16];
    char *product;
    char *server_root;
    char issuing_name[SITE_ISSUING_MAX][SITE_CA_NAME_SIZE];
    char *issuing_pem[SITE_ISSUING_MAX];
    setup_issuing_t issuing[SITE_ISSUING_MAX];
    char key[SITE_SECRET_LEN + 1];
} request_t;

static bool parse(request_t *r, int argc, char **argv, err_t *err)
{
    r->setup.lobby = "lobby";
    r->setup.operating = "operating";
    r->setup.chain = "Cradle steward";
    const option_t options[] = {
        {"url", 0, OPTION_TEXT, &r->url, "URL", "the server's REST API"},
        {"ca", 0, OPTION_TEXT, &r->ca, "FILE", "what the server is trusted by"},
        {"login", 0, OPTION_TEXT, &r->login, "FILE", "the tenant administrator's login"},
        {"steward-url", 0, OPTION_TEXT, &r->steward_url, "URL", "where questions go"},
        {"lobby", 0, OPTION_TEXT, &r->setup.lobby, "NAME", "profile of first contacts"},
        {"operating", 0, OPTION_TEXT, &r->setup.operating, "NAME", "profile of known devices"},
        {"chain", 0, OPTION_TEXT, &r->setup.chain, "NAME", "the rule chain"},
        {"shared", 0, OPTION_FLAG, &r->shared, NULL, "other tenants are on that server"},
        {"dry-run", 0, OPTION_FLAG, &r->setup.dry_run, NULL, "only say what would be done"},
        {0},
    };
    return options_parse(options, &argc, argv, 0, 0, err);
}

/* The site's own cradle-cloud, unless a server is named. */
static bool fill_server(request_t *r, err_t *err)
{
    char address[SITE_HOST_SIZE];
    if (r->url == NULL) {
        if (!site_run_address(&r->site, "cloud", "https", address, err)) {
            return err_add(err, "no --url, and the site's own cloud does not run");
        }
        snprintf(r->own_url, sizeof r->own_url, "https://%s", address);
        if (!site_ca_path(&r->site, "server-root", r->own_ca, err) ||
            !site_path(&r->site, "cloud/admin.json", r->own_login, err)) {
            return false;
        }
        r->url = r->own_url;
        r->ca = r->ca != NULL ? r->ca : r->own_ca;
        r->login = r->login != NULL ? r->login : r->own_login;
    }
    if (r->ca != NULL && strcmp(r->ca, "system") == 0) {
        r->ca = NULL;
    }
    return true;
}

static bool load_ca(const request_t *r, const char *name, char **pem, err_t *err)
{
    char path[FILE_PATH_MAX];
    size_t len;
    return site_ca_path(&r->site, name, path, err) && file_read(path, PEM_MAX, pem, &len, err);
}

static bool fill_steward(request_t *r, err_t *err)
{
    if (r->steward_url == NULL && r->site.steward[0] != '\0') {
        snprintf(r->own_steward, sizeof r->own_steward, "https://%s", r->site.steward);
        r->steward_url = r->own_steward;
    }
    if (r->steward_url == NULL) {
        return true;
    }
    if (!site_secret_read(&r->site, SITE_FORWARD_KEY, r->key, err)) {
        return err_add(err, "a rule chain shows the steward a secret");
    }
    r->setup.steward_url = r->steward_url;
    r->setup.forward_key = r->key;
    r->setup.steward_ca = r->server_root;
    return true;
}

/* Every issuing CA, rolled ones too. */
static bool fill_shared(request_t *r, err_t *err)
{
    size_t count;
    if (!site_issuing_names(&r->site, r->issuing_name, &count, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!load_ca(r, r->issuing_name[i], &r->issuing_pem[i], err)) {
            return false;
        }
        r->issuing[i] = (setup_issuing_t){r->issuing_name[i], r->issuing_pem[i]};
    }
    r->setup.issuing = r->issuing;
    r->setup.issuing_count = count;
    return true;
}

static bool fill(request_t *r, const cli_t *cli, err_t *err)
{
    if (!site_open(&r->site, cli->site, err) || !fill_server(r, err) ||
        !load_ca(r, "product", &r->product, err) ||
        !load_ca(r, "server-root", &r->server_root, err) || !fill_steward(r, err)) {
        return false;
    }
    r->setup.product_pem = r->product;
    return !r->shared || fill_shared(r, err);
}

static void forget(request_t *r)
{
    free(r->product);
    free(r->server_root);
    for (int i = 0; i < SITE_ISSUING_MAX; i++) {
        free(r->issuing_pem[i]);
    }
    bytes_wipe(r->key, sizeof r->key);
}

typedef bool (*work_fn)(tbrest_t *rest, const setup_t *setup, err_t *err);

static int work(const cli_t *cli, int argc, char **argv, work_fn what)
{
    request_t r;
    lines_t lines = {.count = 0};
    tbrest_t *rest = NULL;
    err_t err = ERR_INIT;
    memset(&r, 0, sizeof r);
    bool ok = parse(&r, argc, argv, &err) && fill(&r, cli, &err);
    if (ok) {
        const tbrest_settings_t settings = {.url = r.url, .ca_file = r.ca};
        r.setup.ctx = &lines;
        r.setup.line = keep;
        ok = tbrest_open(&rest, &settings, &err) && setup_login(rest, r.login, &err) &&
             what(rest, &r.setup, &err);
        tbrest_close(rest);
    }
    forget(&r);
    if (lines.count > 0 || ok) { /* also what was done before it failed */
        (cli->json ? show_json : show_table)(&lines);
    }
    return ok ? CLI_DONE : cli_fail(&err);
}

static int run_setup(const cli_t *cli, int argc, char **argv)
{
    return work(cli, argc, argv, setup_run);
}

static int run_remove(const cli_t *cli, int argc, char **argv)
{
    return work(cli, argc, argv, setup_remove);
}

#define OPTIONS_HELP                                                                               \
    "  --url URL          the server's REST API (default: the site's own cradle-cloud)\n"          \
    "  --ca FILE          what the server is trusted by, or \"system\" (default for --url)\n"      \
    "  --login FILE       {\"username\":\"..\",\"password\":\"..\"} of the tenant "                \
    "administrator,\n"                                                                             \
    "                     mode 0600; or set CRADLE_TB_USERNAME and CRADLE_TB_PASSWORD\n"           \
    "  --steward-url URL  where devices' questions go (default: the site's steward)\n"             \
    "  --lobby NAME       profile of first contacts (default lobby)\n"                             \
    "  --operating NAME   profile of known devices (default operating)\n"                          \
    "  --chain NAME       the rule chain (default \"Cradle steward\")\n"                           \
    "  --shared           other tenants are on that server: placeholder profiles keep them from\n" \
    "                     registering the issuing CAs\n"                                           \
    "  --dry-run          only say what would be done\n"

static const cli_verb_t SUBVERBS[] = {
    {"setup", "make profiles and rule chain, or set them right",
     "cradle [-C DIR] [--json] thingsboard setup [options]", run_setup,
     OPTIONS_HELP
     "\nWhat is there and right is left alone; everything is read back and compared.\n\n"
     "examples:\n"
     "  cradle thingsboard setup --url https://tb.example.com --login tb.json --dry-run\n"
     "  cradle thingsboard setup --url https://tb.example.com --login tb.json \\\n"
     "      --steward-url https://steward.example.com:8443\n"
     "  cradle thingsboard setup                     the site's own cradle-cloud\n"},
    {"remove", "take profiles and rule chain away again",
     "cradle [-C DIR] [--json] thingsboard remove [options]", run_remove,
     OPTIONS_HELP "\nRefuses while a device uses one of the profiles, and for profiles and chains "
                  "that setup did\nnot make.\n\n"
                  "example:\n"
                  "  cradle thingsboard remove --url https://tb.example.com --login tb.json\n"},
    {0}};

static int run(const cli_t *cli, int argc, char **argv)
{
    return cli_dispatch(cli, "cradle thingsboard", SUBVERBS, argc, argv);
}

const cli_verb_t cli_verb_thingsboard = {
    .name = "thingsboard",
    .summary = "make a ThingsBoard ready: profiles, and the rule chain to the steward",
    .run = run,
};

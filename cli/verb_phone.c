/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cli/cli.h"
#include "cli/phone_verbs.h"
#include "json/json.h"
#include "phone/phone.h"
#include "term/options.h"
#include "term/term.h"

#define TRIES      3 /* at a mistyped passphrase, when there is somebody to ask */
#define SECRET_CAP 1100

typedef struct {
    const cli_t *cli;
    const char *name, *ssid, *passphrase_file, *pop_file, *address, *security, *user;
    const char *account_name;
    phone_account_t account;
    uint64_t timeout_s, wait_s;
    bool no_wait;
    phone_label_t label;
    bool have_label;
    phone_device_t found;
    char passphrase[65];
} phone_args_t;

static void print_json(json_writer_t *writer)
{
    if (json_writer_done(writer, NULL))
        printf("%s\n", writer->buf);
}

/* -- secrets --------------------------------------------------------------------------------- */

static bool read_label(phone_args_t *args, err_t *err)
{
    char text[SECRET_CAP];

    args->label.security = -1;
    if (!args->pop_file)
        return true;
    bool ok = phone_owner_secret(args->pop_file, "proof of possession", text, sizeof text, err) &&
              phone_label_parse(text, strlen(text), &args->label, err);
    bytes_wipe(text, sizeof text);
    args->have_label = ok;
    return ok;
}

/* From the label, else from a person. */
static bool give_secret(void *ctx, char out[PROTOCOMM_POP_MAX + 1], err_t *err)
{
    const phone_args_t *args = ctx;

    if (args->have_label) {
        strcpy(out, args->label.pop);
        return true;
    }
    if (!isatty(STDIN_FILENO))
        return false; /* the library says what is missing */
    return term_secret("Proof of possession (on the device's label)", -1, out,
                       PROTOCOMM_POP_MAX + 1, err);
}

/* -- the device ------------------------------------------------------------------------------ */

static bool parse_security(const phone_args_t *args, int *security, err_t *err)
{
    *security = -1;
    if (!args->security || strcmp(args->security, "auto") == 0)
        return true;
    if (strlen(args->security) != 1 || args->security[0] < '0' || args->security[0] > '2')
        return err_set(err, ERR_USAGE, "--security is auto, 0, 1 or 2, not \"%.20s\"",
                       args->security);
    *security = args->security[0] - '0';
    return true;
}

static bool find_device(phone_args_t *args, err_t *err)
{
    char path[FILE_PATH_MAX];

    if (!args->name && args->label.name[0])
        args->name = args->label.name;
    if (args->address)
        return true;
    if (!phone_scan_air(args->cli, path, err) || !phone_find(path, args->name, &args->found, err))
        return false;
    if (strcmp(args->found.transport, "softap") != 0)
        return err_set(err, ERR_PRECONDITION, "%s is reached by \"%s\", which is not known here",
                       args->found.name, args->found.transport);
    args->name = args->found.name;
    args->address = args->found.address;
    return true;
}

static void show_progress(void *ctx, phone_step_t step, const char *detail)
{
    static const char *const words[] = {"Connecting to", "Opening a session with",
                                        "Sending the network", "The device is joining",
                                        "Fetching a ticket of"};
    const phone_args_t *args = ctx;

    if (!args->cli->json)
        fprintf(stderr, "%s %s ...\n", words[step], detail);
}

/* Options that provision and networks share, and what follows from them. */
static bool prepare(phone_args_t *args, phone_request_t *request, err_t *err)
{
    if (!parse_security(args, &request->security, err) || !read_label(args, err) ||
        !find_device(args, err))
        return false;
    request->address = args->address;
    request->username = args->user ? args->user : args->label.username;
    request->secret = give_secret;
    request->progress = show_progress;
    request->ctx = args;
    return true;
}

/* The outcome for a program, success or not: it is on standard output in both cases. */
static void json_failure(const phone_args_t *args, phone_result_t result, const err_t *err)
{
    char text[2048];
    json_writer_t writer;

    json_writer_init(&writer, text, sizeof text);
    json_object(&writer);
    json_key(&writer, "device");
    json_put_string(&writer, args->name);
    json_key(&writer, "state");
    json_put_string(&writer, "failed");
    json_key(&writer, "reason");
    json_put_string(&writer, phone_result_name(result));
    json_key(&writer, "text");
    json_put_string(&writer, err->text);
    json_end(&writer);
    print_json(&writer);
}

static int failed(const phone_args_t *args, phone_result_t result, const err_t *err)
{
    if (args->cli->json)
        json_failure(args, result, err);
    return cli_fail(err);
}

/* -- provision ------------------------------------------------------------------------------- */

static bool read_passphrase(phone_args_t *args, err_t *err)
{
    if (args->passphrase_file)
        return phone_owner_secret(args->passphrase_file, "passphrase", args->passphrase,
                                  sizeof args->passphrase, err);
    return term_secret("Passphrase of the network (empty for an open one)", -1, args->passphrase,
                       sizeof args->passphrase, err);
}

/* What became of provisioning, from the device's and the steward's side. */
typedef struct {
    phone_joined_t joined;
    bool waited;
    phone_claim_t claim;    /* when waited */
    phone_ownership_t last; /* when waited */
} outcome_t;

static void json_joined(const phone_args_t *args, const outcome_t *out, const char *bssid,
                        const err_t *err)
{
    const phone_joined_t *joined = &out->joined;
    char text[2048];
    json_writer_t writer;

    json_writer_init(&writer, text, sizeof text);
    json_object(&writer);
    json_key(&writer, "device");
    json_put_string(&writer, args->name);
    json_key(&writer, "state");
    json_put_string(&writer, out->waited ? phone_state_name(out->last.state) : "joined");
    json_key(&writer, "ssid");
    json_put_string(&writer, args->ssid);
    json_key(&writer, "ip4");
    json_put_string(&writer, joined->connected.ip4);
    json_key(&writer, "bssid");
    json_put_string(&writer, bssid);
    json_key(&writer, "channel");
    json_put_i64(&writer, joined->connected.network.channel);
    json_key(&writer, "security");
    json_put_i64(&writer, joined->security);
    if (joined->info.sn[0]) {
        json_key(&writer, "sn");
        json_put_string(&writer, joined->info.sn);
    }
    if (joined->info.steward[0]) {
        json_key(&writer, "claim");
        json_put_string(&writer, out->waited       ? phone_claim_name(out->claim)
                                 : joined->claimed ? "handed-over"
                                                   : "none");
    }
    if (out->waited) {
        json_key(&writer, "owner");
        json_put_string(&writer, phone_owner_name(out->last.owner));
    }
    if (err->kind != ERR_NONE) {
        json_key(&writer, "text");
        json_put_string(&writer, err->text);
    }
    json_end(&writer);
    print_json(&writer);
}

static void say_owner(const phone_args_t *args, const outcome_t *out)
{
    const phone_info_t *info = &out->joined.info;

    if (out->waited && out->claim == PHONE_CLAIM_YOURS)
        printf("%s is yours and online.\n", info->sn);
    else if (out->joined.claimed && !out->waited)
        printf("%s has your ticket; `cradle phone devices` shows when it is yours.\n", info->sn);
    else if (args->account_name && !info->steward[0])
        printf("This device names no steward: there is nothing to claim.\n");
    else if (info->ask && !out->joined.claimed)
        printf("%s sends nothing until it is claimed: provision it with --account, or enter its "
               "code (`cradle phone code`).\n",
               info->sn);
}

static void print_outcome(const phone_args_t *args, const outcome_t *out, const err_t *err)
{
    const phone_joined_t *joined = &out->joined;
    const uint8_t *b = joined->connected.network.bssid;
    char bssid[18];

    snprintf(bssid, sizeof bssid, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
             b[5]);
    if (args->cli->json) {
        json_joined(args, out, bssid, err);
        return;
    }
    printf("%s has joined \"%s\" with address %s (security %d, channel %u, access point %s).\n",
           args->name ? args->name : args->address, args->ssid, joined->connected.ip4,
           joined->security, (unsigned)joined->connected.network.channel, bssid);
    say_owner(args, out);
    fflush(stdout);
}

typedef struct {
    term_progress_t bar;
    char label[64];
} watch_t;

static void show_wait(void *ctx, const phone_ownership_t *seen, uint64_t elapsed_ms)
{
    watch_t *watch = ctx;

    snprintf(watch->label, sizeof watch->label, "steward: %s",
             seen ? phone_state_name(seen->state) : "has not heard from the device");
    term_progress_update(&watch->bar, elapsed_ms / 1000);
}

static void wait_for_claim(const phone_args_t *args, outcome_t *out, err_t *err)
{
    watch_t watch = {.label = "steward: asking"};
    const phone_wait_t wait = {.account = &args->account,
                               .sn = out->joined.info.sn,
                               .epoch = out->joined.info.epoch,
                               .timeout_ms = (int)args->wait_s * 1000,
                               .progress = show_wait,
                               .ctx = &watch};

    term_progress_begin(&watch.bar, watch.label, args->wait_s);
    out->claim = phone_claim_wait(&wait, &out->last, err);
    term_progress_end(&watch.bar);
    out->waited = true;
}

/* A person who mistyped is asked again; nobody else is. */
static phone_result_t try_join(phone_args_t *args, phone_request_t *request, phone_joined_t *joined,
                               err_t *err)
{
    phone_result_t result = PHONE_FAILED;

    for (int i = 0; i < TRIES; i++) {
        err_clear(err);
        if (!read_passphrase(args, err))
            return PHONE_FAILED;
        request->passphrase = args->passphrase;
        result = phone_provision(request, joined, err);
        bytes_wipe(args->passphrase, sizeof args->passphrase);
        if (result != PHONE_WRONG_PASSPHRASE || args->passphrase_file || i == TRIES - 1)
            break;
        term_error("%s", err->text);
    }
    return result;
}

static bool check_provision(phone_args_t *args, err_t *err)
{
    if (!args->ssid || !args->ssid[0] || strlen(args->ssid) > 32)
        return err_set(err, ERR_USAGE, "--ssid NAME is needed: the network's name, 1 to 32 bytes");
    if (args->timeout_s < 1 || args->timeout_s > 3600 || args->wait_s < 1 || args->wait_s > 3600)
        return err_set(err, ERR_USAGE, "--timeout and --wait are 1 to 3600 seconds");
    return !args->account_name ||
           phone_owner_load(args->cli, args->account_name, &args->account, err);
}

static int do_provision(phone_args_t *args)
{
    phone_request_t request = {0};
    outcome_t out = {.waited = false};
    err_t err = ERR_INIT;

    if (!prepare(args, &request, &err))
        return failed(args, PHONE_FAILED, &err);
    request.ssid = args->ssid;
    request.join_timeout_ms = (int)args->timeout_s * 1000;
    request.account = args->account_name ? &args->account : NULL;
    phone_result_t result = try_join(args, &request, &out.joined, &err);
    bytes_wipe(args->label.pop, sizeof args->label.pop);
    if (result != PHONE_OK)
        return failed(args, result, &err);
    if (out.joined.claimed && !args->no_wait)
        wait_for_claim(args, &out, &err);
    print_outcome(args, &out, &err);
    return !out.waited || out.claim == PHONE_CLAIM_YOURS ? CLI_DONE : cli_fail(&err);
}

static int run_provision(const cli_t *cli, int argc, char **argv)
{
    phone_args_t args = {.cli = cli, .timeout_s = 60, .wait_s = 60};
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"ssid", 0, OPTION_TEXT, &args.ssid, "NAME", "the network"},
        {"passphrase-file", 0, OPTION_TEXT, &args.passphrase_file, "FILE", "its passphrase"},
        {"pop-file", 0, OPTION_TEXT, &args.pop_file, "FILE", "the label's text"},
        {"address", 0, OPTION_TEXT, &args.address, "HOST:PORT", "a device by address"},
        {"security", 0, OPTION_TEXT, &args.security, "N", "auto, 0, 1 or 2"},
        {"user", 0, OPTION_TEXT, &args.user, "NAME", "user name of security 2"},
        {"timeout", 0, OPTION_UINT, &args.timeout_s, "SECONDS", "how long joining may take"},
        {"account", 0, OPTION_TEXT, &args.account_name, "WHICH", "who claims the device"},
        {"wait", 0, OPTION_UINT, &args.wait_s, "SECONDS", "how long claiming may take"},
        {"no-wait", 0, OPTION_FLAG, &args.no_wait, NULL, "do not wait for the steward"},
        {0},
    };

    if (!options_parse(options, &argc, argv, 0, 1, &err) || !check_provision(&args, &err))
        return cli_fail(&err);
    args.name = argc == 1 ? argv[0] : NULL;
    int code = do_provision(&args);
    phone_account_wipe(&args.account);
    return code;
}

/* -- networks -------------------------------------------------------------------------------- */

static const char *auth_name(uint8_t auth)
{
    static const char *const names[] = {
        "open", "WEP", "WPA", "WPA2", "WPA/WPA2", "WPA2 enterprise", "WPA3", "WPA2/WPA3"};

    return auth < sizeof names / sizeof names[0] ? names[auth] : "other";
}

static void networks_json(const protocomm_network_t *networks, size_t count)
{
    char text[8192];
    json_writer_t writer;

    json_writer_init(&writer, text, sizeof text);
    json_object(&writer);
    json_key(&writer, "networks");
    json_array(&writer);
    for (size_t i = 0; i < count; i++) {
        json_object(&writer);
        json_key(&writer, "ssid");
        json_put_string_n(&writer, (const char *)networks[i].ssid, networks[i].ssid_len);
        json_key(&writer, "channel");
        json_put_i64(&writer, networks[i].channel);
        json_key(&writer, "rssi");
        json_put_i64(&writer, networks[i].rssi);
        json_key(&writer, "auth");
        json_put_string(&writer, auth_name(networks[i].auth));
        json_end(&writer);
    }
    json_end(&writer);
    json_end(&writer);
    print_json(&writer);
}

static void networks_table(const protocomm_network_t *networks, size_t count)
{
    term_table_t *table = term_table_new("NETWORK|>CHANNEL|>DBM|SECURITY");

    for (size_t i = 0; i < count; i++) {
        char ssid[33] = "", channel[8], rssi[8];
        memcpy(ssid, networks[i].ssid, networks[i].ssid_len);
        snprintf(channel, sizeof channel, "%u", (unsigned)networks[i].channel);
        snprintf(rssi, sizeof rssi, "%d", networks[i].rssi);
        term_table_row(table, ssid, channel, rssi, auth_name(networks[i].auth));
    }
    term_table_print(table, stdout);
    term_table_free(table);
}

static int run_networks(const cli_t *cli, int argc, char **argv)
{
    phone_args_t args = {.cli = cli};
    phone_request_t request = {0};
    protocomm_network_t networks[PROTOCOMM_SCAN_MAX];
    size_t count;
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"pop-file", 0, OPTION_TEXT, &args.pop_file, "FILE", "the label's text"},
        {"address", 0, OPTION_TEXT, &args.address, "HOST:PORT", "a device by address"},
        {"security", 0, OPTION_TEXT, &args.security, "N", "auto, 0, 1 or 2"},
        {"user", 0, OPTION_TEXT, &args.user, "NAME", "user name of security 2"},
        {0},
    };

    if (!options_parse(options, &argc, argv, 0, 1, &err))
        return cli_fail(&err);
    args.name = argc == 1 ? argv[0] : NULL;
    if (!prepare(&args, &request, &err))
        return failed(&args, PHONE_FAILED, &err);
    phone_result_t result = phone_networks(&request, networks, &count, &err);
    bytes_wipe(args.label.pop, sizeof args.label.pop);
    if (result != PHONE_OK)
        return failed(&args, result, &err);
    if (cli->json)
        networks_json(networks, count);
    else
        networks_table(networks, count);
    return CLI_DONE;
}

/* -- the verb -------------------------------------------------------------------------------- */

#define HELP_DEVICE                                                                                \
    "  NAME               as `cradle phone scan` shows it; may be left away if there is one "      \
    "only\n"                                                                                       \
    "  --address H:P      a device by address instead, such as a board's 192.168.4.1:80\n"         \
    "  --pop-file FILE    the label: the proof of possession, or the text of its QR code;\n"       \
    "                     \"-\" reads one line from standard input\n"                              \
    "  --security N       insist on 0, 1 or 2 (default auto: what the device says)\n"              \
    "  --user NAME        user name of security 2 (default wifiprov)\n"

static const cli_verb_t VERBS[] = {
    {.name = "scan",
     .summary = "which devices wait for Wi-Fi",
     .usage = "cradle phone scan [--json]",
     .run = phone_scan_run,
     .help = "examples:\n  cradle phone scan\n"},
    {.name = "provision",
     .summary = "bring a device onto a Wi-Fi network",
     .usage = "cradle phone provision [NAME] --ssid S [--account W] [--passphrase-file F] [...]",
     .run = run_provision,
     .help =
         "  --ssid NAME        the network\n"
         "  --passphrase-file FILE\n"
         "                     its passphrase, one line; \"-\" reads it from standard input\n"
         "                     (default: asks on the terminal, again when it is wrong)\n"
         "  --timeout SECONDS  how long joining may take (default 60)\n" PHONE_OWNER_ACCOUNT
         "                     With it the device is claimed, if it names a steward: it is\n"
         "                     handed a ticket before it joins, and the outcome is waited for\n"
         "  --wait SECONDS     how long that may take (default 60); --no-wait: not at "
         "all\n" HELP_DEVICE "\n"
         "If both files are \"-\" the label's line comes first. With --json the outcome is on\n"
         "standard output, its reason one of auth, not-found, secret, secret-needed, gone,\n"
         "timeout, refused, ticket, claim, failed. After any of them it may be tried again at\n"
         "once. After a claim it has \"owner\", \"state\" (as the steward sees it) and \"claim\":\n"
         "yours, held, taken, waiting, lost; all but the first are exit code 1.\n\n"
         "examples:\n"
         "  cradle phone provision ESP-PROV-A1B2 --ssid Alice-Home --account alice\n"
         "  cradle phone provision --ssid Alice-Home --passphrase-file wifi.txt --pop-file qr\n"
         "  cradle phone provision --address 192.168.4.1:80 --ssid Alice-Home\n"},
    {.name = "networks",
     .summary = "which networks a device sees",
     .usage = "cradle phone networks [NAME] [--pop-file F] [--address HOST:PORT] [--json]",
     .run = run_networks,
     .help = HELP_DEVICE "\nexamples:\n  cradle phone networks ESP-PROV-A1B2\n"},
    {.name = "login",
     .summary = "log in at the steward, as an owner of devices",
     .usage = "cradle phone login NAME [--steward URL] [--ca FILE] [--account W] [...]",
     .run = phone_owner_login,
     .help =
         "  --steward URL      https://HOST:PORT (default: the site's, if it runs here)\n"
         "  --ca FILE          authority of its certificate (default ca/server-root.crt of the\n"
         "                     site); it is kept with the log-in, and no other is believed\n"
         "  --password-file FILE\n"
         "                     one line; \"-\" reads it from standard input (default: "
         "asks)\n" PHONE_OWNER_ACCOUNT "                     (default: the name)\n\n"
         "The file has mode 0600: who reads it can act as this owner for 30 days.\n\n"
         "examples:\n"
         "  cradle phone login alice\n"
         "  cradle phone login alice --steward https://steward.acme.test:8443 --ca acme.crt \\\n"
         "      --account ./alice.json\n"},
    {.name = "devices",
     .summary = "the account's devices",
     .usage = "cradle phone devices --account WHICH",
     .run = phone_owner_devices,
     .help = PHONE_OWNER_ACCOUNT "\nexamples:\n  cradle phone devices --account alice\n"},
    {.name = "release",
     .summary = "let a device go to the next one who claims it",
     .usage = "cradle phone release SN --account WHICH",
     .run = phone_owner_release,
     .help = PHONE_OWNER_ACCOUNT "\nexamples:\n  cradle phone release SN-000001 --account alice\n"},
    {.name = "code",
     .summary = "claim a device by the code on its label and a press of its button",
     .usage = "cradle phone code SN CODE --account WHICH",
     .run = phone_owner_code,
     .help = "  CODE               as it stands on the label; \"-\" reads it from standard "
             "input\n" PHONE_OWNER_ACCOUNT
             "\nexamples:\n  cradle phone code SN-000001 - --account alice\n"},
    {.name = "receipts",
     .summary = "what was erased when devices left the account",
     .usage = "cradle phone receipts --account WHICH",
     .run = phone_owner_receipts,
     .help = PHONE_OWNER_ACCOUNT "\nexamples:\n  cradle phone receipts --account alice\n"},
    {0},
};

static int run(const cli_t *cli, int argc, char **argv)
{
    return cli_dispatch(cli, "cradle phone", VERBS, argc, argv);
}

const cli_verb_t cli_verb_phone = {
    .name = "phone",
    .summary = "what the owner's phone does: find a device, bring it onto Wi-Fi, claim it",
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cli/cli.h"
#include "json/json.h"
#include "phone/phone.h"
#include "site/site.h"
#include "term/options.h"
#include "term/term.h"

#define JSON_SIZE  (256 * 1024)
#define TRIES      3 /* at a mistyped passphrase, when there is somebody to ask */
#define SECRET_CAP 1100

typedef struct {
    const cli_t *cli;
    const char *name, *ssid, *passphrase_file, *pop_file, *address, *security, *user;
    uint64_t timeout_s;
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

/* -- scan ------------------------------------------------------------------------------------ */

static bool air_path(const cli_t *cli, char path[FILE_PATH_MAX], err_t *err)
{
    site_t site;

    return site_open(&site, cli->site, err) && site_path(&site, "air", path, err);
}

static bool scan_json(const phone_device_t *devices, size_t count, err_t *err)
{
    json_writer_t writer;
    char *text = malloc(JSON_SIZE);

    if (!text)
        return err_set(err, ERR_SYSTEM, "out of memory");
    json_writer_init(&writer, text, JSON_SIZE);
    json_object(&writer);
    for (int stale = 0; stale <= 1; stale++) {
        json_key(&writer, stale ? "stale" : "devices");
        json_array(&writer);
        for (size_t i = 0; i < count; i++) {
            if (devices[i].stale != (stale == 1))
                continue;
            json_object(&writer);
            json_key(&writer, "name");
            json_put_string(&writer, devices[i].name);
            json_key(&writer, "transport");
            json_put_string(&writer, devices[i].transport);
            json_key(&writer, "address");
            json_put_string(&writer, devices[i].address);
            json_end(&writer);
        }
        json_end(&writer);
    }
    json_end(&writer);
    print_json(&writer);
    free(text);
    return true;
}

static void scan_table(const phone_device_t *devices, size_t count)
{
    size_t live = 0;
    term_table_t *table = term_table_new("NAME|TRANSPORT|ADDRESS");

    for (size_t i = 0; i < count; i++) {
        if (devices[i].stale)
            continue;
        term_table_row(table, devices[i].name, devices[i].transport, devices[i].address);
        live++;
    }
    if (live)
        term_table_print(table, stdout);
    else
        puts("No device is waiting for Wi-Fi.");
    term_table_free(table);
    if (live < count)
        fprintf(stderr, "%zu stale announcement(s) of devices that are gone were ignored.\n",
                count - live);
}

static int run_scan(const cli_t *cli, int argc, char **argv)
{
    const option_t options[] = {{0}};
    char path[FILE_PATH_MAX];
    phone_device_t *devices;
    size_t count, damaged;
    err_t err = ERR_INIT;

    if (!options_parse(options, &argc, argv, 0, 0, &err) || !air_path(cli, path, &err) ||
        !phone_scan(path, &devices, &count, &damaged, &err))
        return cli_fail(&err);
    bool ok = true;
    if (cli->json)
        ok = scan_json(devices, count, &err);
    else
        scan_table(devices, count);
    if (damaged)
        fprintf(stderr, "%zu file(s) in %s make no sense and were ignored.\n", damaged, path);
    free(devices);
    return ok ? CLI_DONE : cli_fail(&err);
}

/* -- secrets --------------------------------------------------------------------------------- */

/* One line from a file, or from standard input for "-". */
static bool read_secret(const char *file, const char *what, char *out, size_t cap, err_t *err)
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

static bool read_label(phone_args_t *args, err_t *err)
{
    char text[SECRET_CAP];

    args->label.security = -1;
    if (!args->pop_file)
        return true;
    bool ok = read_secret(args->pop_file, "proof of possession", text, sizeof text, err) &&
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
    if (!air_path(args->cli, path, err) || !phone_find(path, args->name, &args->found, err))
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
                                        "Sending the network", "The device is joining"};
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
        return read_secret(args->passphrase_file, "passphrase", args->passphrase,
                           sizeof args->passphrase, err);
    return term_secret("Passphrase of the network (empty for an open one)", -1, args->passphrase,
                       sizeof args->passphrase, err);
}

static void print_joined(const phone_args_t *args, const phone_joined_t *joined)
{
    const uint8_t *b = joined->connected.network.bssid;
    char text[1024], bssid[18];
    json_writer_t writer;

    snprintf(bssid, sizeof bssid, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
             b[5]);
    if (!args->cli->json) {
        printf("%s has joined \"%s\" with address %s (security %d, channel %u, access point %s).\n",
               args->name ? args->name : args->address, args->ssid, joined->connected.ip4,
               joined->security, (unsigned)joined->connected.network.channel, bssid);
        return;
    }
    json_writer_init(&writer, text, sizeof text);
    json_object(&writer);
    json_key(&writer, "device");
    json_put_string(&writer, args->name);
    json_key(&writer, "state");
    json_put_string(&writer, "joined");
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
    json_end(&writer);
    print_json(&writer);
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

static int run_provision(const cli_t *cli, int argc, char **argv)
{
    phone_args_t args = {.cli = cli, .timeout_s = 60};
    phone_request_t request = {0};
    phone_joined_t joined;
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"ssid", 0, OPTION_TEXT, &args.ssid, "NAME", "the network"},
        {"passphrase-file", 0, OPTION_TEXT, &args.passphrase_file, "FILE", "its passphrase"},
        {"pop-file", 0, OPTION_TEXT, &args.pop_file, "FILE", "the label's text"},
        {"address", 0, OPTION_TEXT, &args.address, "HOST:PORT", "a device by address"},
        {"security", 0, OPTION_TEXT, &args.security, "N", "auto, 0, 1 or 2"},
        {"user", 0, OPTION_TEXT, &args.user, "NAME", "user name of security 2"},
        {"timeout", 0, OPTION_UINT, &args.timeout_s, "SECONDS", "how long joining may take"},
        {0},
    };

    if (!options_parse(options, &argc, argv, 0, 1, &err))
        return cli_fail(&err);
    if (!args.ssid || !args.ssid[0] || strlen(args.ssid) > 32)
        err_set(&err, ERR_USAGE, "--ssid NAME is needed: the network's name, 1 to 32 bytes");
    else if (args.timeout_s < 1 || args.timeout_s > 3600)
        err_set(&err, ERR_USAGE, "--timeout is 1 to 3600 seconds");
    if (err.kind != ERR_NONE)
        return cli_fail(&err);
    args.name = argc == 1 ? argv[0] : NULL;
    if (!prepare(&args, &request, &err))
        return failed(&args, PHONE_FAILED, &err);
    request.ssid = args.ssid;
    request.join_timeout_ms = (int)args.timeout_s * 1000;
    phone_result_t result = try_join(&args, &request, &joined, &err);
    bytes_wipe(args.label.pop, sizeof args.label.pop);
    if (result != PHONE_OK)
        return failed(&args, result, &err);
    print_joined(&args, &joined);
    return CLI_DONE;
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
     .run = run_scan,
     .help = "examples:\n  cradle phone scan\n"},
    {.name = "provision",
     .summary = "bring a device onto a Wi-Fi network",
     .usage = "cradle phone provision [NAME] --ssid S [--passphrase-file F] [--pop-file F] [...]",
     .run = run_provision,
     .help = "  --ssid NAME        the network\n"
             "  --passphrase-file FILE\n"
             "                     its passphrase, one line; \"-\" reads it from standard input\n"
             "                     (default: asks on the terminal, again when it is wrong)\n"
             "  --timeout SECONDS  how long joining may take (default 60)\n" HELP_DEVICE "\n"
             "If both files are \"-\" the label's line comes first. With --json the outcome is on\n"
             "standard output, its reason one of auth, not-found, secret, secret-needed, gone,\n"
             "timeout, refused, failed. After any of them it may be tried again at once.\n\n"
             "examples:\n"
             "  cradle phone provision ESP-PROV-A1B2 --ssid Alice-Home\n"
             "  cradle phone provision --ssid Alice-Home --passphrase-file wifi.txt --pop-file qr\n"
             "  cradle phone provision --address 192.168.4.1:80 --ssid Alice-Home\n"},
    {.name = "networks",
     .summary = "which networks a device sees",
     .usage = "cradle phone networks [NAME] [--pop-file F] [--address HOST:PORT] [--json]",
     .run = run_networks,
     .help = HELP_DEVICE "\nexamples:\n  cradle phone networks ESP-PROV-A1B2\n"},
    {0},
};

static int run(const cli_t *cli, int argc, char **argv)
{
    return cli_dispatch(cli, "cradle phone", VERBS, argc, argv);
}

const cli_verb_t cli_verb_phone = {
    .name = "phone",
    .summary = "what the owner's phone does: find a device, bring it onto Wi-Fi",
    .run = run,
};

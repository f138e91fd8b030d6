/* SPDX-License-Identifier: Apache-2.0 */
/* cradle-steward: who owns which device, beside any ThingsBoard. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "http/http.h"
#include "net/loop.h"
#include "site/run.h"
#include "site/site.h"
#include "steward/channel.h"
#include "steward/journal.h"
#include "steward/log.h"
#include "steward/owner.h"
#include "steward/owner_guard.h"
#include "steward/policy.h"
#include "steward/secrets.h"
#include "term/options.h"
#include "term/term.h"

#define OPTIONS_MAX 18
/* POST /device, of one address: many devices may be behind it. */
#define PEERS      1024
#define PEER_RATE  20
#define PEER_BURST 100

#define SWEEP_MAX_S 3600
#define BODY_MAX    16384 /* a statement in its carrier has less than 3 KiB */

typedef struct {
    const char *site;
    const char *listen;
    const char *cloud_url, *cloud_ca, *cloud_login;
    const char *lobby, *operating;
    policy_words_t policy;
    bool adopt;
    bool keep_lobby;
    uint64_t sweep;
    bool help;
} arguments_t;

/* Everything that is open, in the order of opening. */
typedef struct {
    site_t site;
    int lock;
    bool claims_on;
    ownership_policy_t policy;
    secrets_t secrets;
    loop_t *loop;
    record_t *record;
    authority_t *authority;
    cloud_t *cloud;
    journal_t *journal;
    channel_t *channel;
    owner_t *owner;
    http_server_t *http;
    loop_fd_t http_watch;
    loop_timer_t timer;
    guard_rate_t by_peer[PEERS];
} steward_t;

static const option_t *options_of(arguments_t *a, option_t options[OPTIONS_MAX])
{
    const option_t all[] = {
        {"site", 'C', OPTION_TEXT, &a->site, "DIR", "the site (default: the current directory)"},
        {"listen", 0, OPTION_TEXT, &a->listen, "HOST:PORT", "HTTPS (default 127.0.0.1:8443)"},
        {"cloud-url", 0, OPTION_TEXT, &a->cloud_url, "URL",
         "ThingsBoard's REST API (default: the site's own cradle-cloud)"},
        {"cloud-ca", 0, OPTION_TEXT, &a->cloud_ca, "FILE",
         "whom to trust there, PEM (default ca/server-root.crt; \"system\": the system's)"},
        {"cloud-login", 0, OPTION_TEXT, &a->cloud_login, "FILE",
         "a tenant administrator's {\"username\",\"password\"}, mode 0600 (default "
         "cloud/admin.json)"},
        {"lobby", 0, OPTION_TEXT, &a->lobby, "NAME", "profile of new devices (default lobby)"},
        {"operating", 0, OPTION_TEXT, &a->operating, "NAME",
         "profile of devices at work (default operating)"},
        {"claims", 0, OPTION_TEXT, &a->policy.claims, "on|off",
         "may units that no pack list names be claimed (default on)"},
        {"lock", 0, OPTION_TEXT, &a->policy.lock, "open|release",
         "... does the next owner need the former's consent (default open)"},
        {"unclaimed", 0, OPTION_TEXT, &a->policy.unclaimed, "hold|keep",
         "... without a claim after a reset (default hold, keep with --claims off)"},
        {"dispose", 0, OPTION_TEXT, &a->policy.dispose, "delete|reassign",
         "... the former owner's record (default delete)"},
        {"adopt", 0, OPTION_FLAG, &a->adopt, NULL,
         "after a transfer the device makes its new record itself"},
        {"keep-lobby", 0, OPTION_FLAG, &a->keep_lobby, NULL,
         "leave records in the lobby that are not ours, instead of deleting them"},
        {"sweep", 0, OPTION_UINT, &a->sweep, "SECONDS",
         "how often the cloud is compared with the record (default 60)"},
        {"help", 'h', OPTION_FLAG, &a->help, NULL, "this text"},
        {0},
    };
    memcpy(options, all, sizeof all);
    return options;
}

static void print_help(const option_t *options)
{
    fputs("usage: cradle-steward [-C DIR] [options]\n\n"
          "Decides who owns a device, and does at ThingsBoard what follows from it: over REST,\n"
          "beside cradle-cloud or any ThingsBoard made ready with `cradle thingsboard setup`.\n\n",
          stdout);
    options_print_help(options, stdout);
    fputs("\nPort 0 takes a free one; the address is in run/steward.json of the site. The policy\n"
          "of units in a pack list is said when the list is imported.\n\n"
          "examples:\n"
          "  cradle-steward -C acme\n"
          "  cradle-steward -C acme --listen 0.0.0.0:8443 --lock release\n"
          "  cradle-steward -C acme --cloud-url https://tb.example.com --cloud-ca system \\\n"
          "      --cloud-login tb-login.json\n",
          stdout);
}

/* ---- requests ---- */

static void refuse(http_request_t *request, int status, const char *json)
{
    http_reply(request, status, "application/json", json, strlen(json), NULL);
}

static void on_timer(void *ctx);

static void wake_journal(steward_t *s)
{
    loop_timer_start(s->loop, &s->timer, 0, on_timer, s, NULL);
}

static void ask(steward_t *s, http_request_t *request, const char *device)
{
    char reply[CHANNEL_REPLY_MAX];
    size_t len;
    int status;
    channel_ask(s->channel, device, request->body, request->body_len, &status, reply, &len);
    if (status == 200) {
        http_reply(request, 200, "application/json", reply, len, NULL);
    } else {
        refuse(request, status, "{\"error\":\"this is not answered\"}");
    }
    wake_journal(s);
}

/* One sender alone cannot use up what all devices that come by HTTPS share. Addresses that fall on
   the same row share its limit. */
static void on_device(steward_t *s, http_request_t *request)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *c = request->peer; *c != '\0'; c++) {
        hash = (hash ^ (uint8_t)*c) * 16777619u;
    }
    if (guard_rate_take(&s->by_peer[hash % PEERS], PEER_RATE, PEER_BURST, clock_monotonic_ms())) {
        ask(s, request, NULL);
    } else {
        char line[128];
        snprintf(line, sizeof line, "POST /device from %.64s: refused, too often", request->peer);
        steward_log_refusal(NULL, line);
        refuse(request, 429, "{\"error\":\"too often; later again\"}");
    }
}

/* The cloud speaks for a device: it shows the secret, and says which device. */
static void on_rpc(steward_t *s, http_request_t *request)
{
    if (!site_secret_shown(s->secrets.forward, request->authorization)) {
        char line[160];
        snprintf(line, sizeof line, "POST /rpc from %.64s without the forward key: refused",
                 request->peer);
        steward_log_refusal(NULL, line);
        refuse(request, 401, "{\"error\":\"the forward key of this site is needed\"}");
    } else if (request->device_id[0] == '\0') {
        refuse(request, 400, "{\"error\":\"the header X-Device-Id is missing\"}");
    } else {
        ask(s, request, request->device_id);
    }
}

static bool is_post(const http_request_t *request, const char *path)
{
    return request->method == HTTP_POST && strcmp(request->path, path) == 0;
}

static void on_request(void *ctx, http_request_t *request)
{
    steward_t *s = ctx;
    if (is_post(request, "/rpc")) {
        on_rpc(s, request);
    } else if (is_post(request, "/device")) {
        on_device(s, request);
    } else if (owner_handle(s->owner, request)) {
        return;
    } else if (request->method == HTTP_GET && strcmp(request->path, "/bundle") == 0) {
        http_reply(request, 200, "text/plain", s->secrets.bundle, s->secrets.bundle_len, NULL);
    } else {
        refuse(request, 404, "{\"error\":\"there is nothing here\"}");
    }
}

static void on_http(void *ctx, unsigned events)
{
    (void)events;
    http_server_dispatch(((steward_t *)ctx)->http, 1);
}

/* ---- the journal ---- */

static int64_t tell_now(void *ctx)
{
    (void)ctx;
    return clock_wall_ms() / 1000;
}

static int64_t tell_now_ms(void *ctx)
{
    (void)ctx;
    return clock_wall_ms();
}

static void on_timer(void *ctx)
{
    steward_t *s = ctx;
    int64_t next_ms;
    journal_turn(s->journal, &next_ms);
    int64_t delay_ms = next_ms - clock_wall_ms();
    if (delay_ms < 0) {
        delay_ms = 0;
    } else if (delay_ms > JOURNAL_SWEEP_MS) {
        delay_ms = JOURNAL_SWEEP_MS; /* the wall clock may have jumped */
    }
    loop_timer_start(s->loop, &s->timer, (uint64_t)delay_ms, on_timer, s, NULL);
}

/* ---- opening ---- */

static bool open_cloud(steward_t *s, const arguments_t *a, err_t *err)
{
    char address[SITE_HOST_SIZE];
    char url[SITE_HOST_SIZE + 16];
    char ca[FILE_PATH_MAX];
    char login[FILE_PATH_MAX];
    /* The cloud may be started later: then it listens where it does by default. */
    if (!site_run_address(&s->site, "cloud", "https", address, NULL)) {
        snprintf(address, sizeof address, "127.0.0.1:8080");
    }
    snprintf(url, sizeof url, "https://%s", address);
    if (!site_ca_path(&s->site, "server-root", ca, err) ||
        !site_path(&s->site, "cloud/admin.json", login, err)) {
        return false;
    }
    const char *ca_file = a->cloud_ca == NULL                  ? ca
                          : strcmp(a->cloud_ca, "system") == 0 ? NULL
                                                               : a->cloud_ca;
    const cloud_settings_t settings = {.url = a->cloud_url != NULL ? a->cloud_url : url,
                                       .ca_file = ca_file,
                                       .login_file =
                                           a->cloud_login != NULL ? a->cloud_login : login,
                                       .lobby = a->lobby,
                                       .operating = a->operating};
    return cloud_open(&s->cloud, &settings, err) ||
           (a->cloud_login == NULL && !file_exists(login) &&
            err_add(err, "start cradle-cloud first, which makes a log-in, or name one with "
                         "--cloud-login"));
}

static bool open_channel(steward_t *s, const arguments_t *a, err_t *err)
{
    const journal_settings_t journal = {.site = s->site.id,
                                        .record = s->record,
                                        .cloud = s->cloud,
                                        .authority = s->authority,
                                        .signer = s->secrets.signer,
                                        .claims_on = s->claims_on,
                                        .policy = s->policy,
                                        .keep_lobby = a->keep_lobby,
                                        .sweep_ms = (int64_t)a->sweep * 1000,
                                        .now_ms = tell_now_ms,
                                        .log = steward_log_line,
                                        .ctx = s};
    if (!journal_open(&s->journal, &journal, err)) {
        return false;
    }
    const channel_settings_t channel = {.site = s->site.id,
                                        .record = s->record,
                                        .cloud = s->cloud,
                                        .journal = s->journal,
                                        .authority = s->authority,
                                        .signer = s->secrets.signer,
                                        .ticket_key = s->secrets.ticket_key,
                                        .bundle = s->secrets.bundle,
                                        .bundle_version = s->secrets.bundle_version,
                                        .days = s->site.days,
                                        .claims_on = s->claims_on,
                                        .policy = s->policy,
                                        .adopt = a->adopt,
                                        .now = tell_now,
                                        .log = steward_log_line,
                                        .log_stranger = steward_log_refusal,
                                        .ctx = s};
    return channel_open(&s->channel, &channel, err);
}

static bool open_http(steward_t *s, const arguments_t *a, err_t *err)
{
    char cert_file[FILE_PATH_MAX];
    char key_file[FILE_PATH_MAX];
    owner_settings_t owner = {.record = s->record, .site = s->site.id};
    memcpy(owner.ticket_key, s->secrets.ticket_key, sizeof owner.ticket_key);
    bool ok = owner_open(&s->owner, &owner, err);
    bytes_wipe(owner.ticket_key, sizeof owner.ticket_key);
    if (!ok || !site_path(&s->site, "steward/server.crt", cert_file, err) ||
        !site_path(&s->site, "steward/server.key", key_file, err)) {
        return false;
    }
    const http_settings_t http = {
        .listen = a->listen, .cert_file = cert_file, .key_file = key_file, .body_max = BODY_MAX};
    return http_server_open(&s->http, &http, on_request, s, err) &&
           loop_fd_add(s->loop, &s->http_watch, http_server_fd(s->http), LOOP_READ, on_http, s,
                       err);
}

static bool announce(steward_t *s, err_t *err)
{
    char stale[FILE_PATH_MAX];
    site_run_listener_t listeners[] = {{"https", http_server_address(s->http)}};
    /* We hold the lock: what lies there is of one that was killed, even if nobody has reaped it. */
    if (site_path(&s->site, "run/steward.json", stale, NULL)) {
        unlink(stale);
    }
    return site_run_write(&s->site, "steward", listeners, 1, err);
}

static bool open_site(steward_t *s, const arguments_t *a, err_t *err)
{
    if (!site_open(&s->site, a->site, err)) {
        return false;
    }
    if (s->site.steward[0] == '\0') {
        return err_set(err, ERR_PRECONDITION,
                       "the site %s has no steward: make one with `cradle init --steward "
                       "HOST:PORT`",
                       s->site.dir);
    }
    /* Two of them would do every step of a transfer twice. */
    return site_lock(&s->site, "steward", false, &s->lock, err) ||
           err_add(err, "another steward of this site");
}

static bool sweep_good(uint64_t seconds, err_t *err)
{
    return (seconds >= 1 && seconds <= SWEEP_MAX_S) ||
           err_set(err, ERR_USAGE, "--sweep is 1 to %d seconds", SWEEP_MAX_S);
}

static bool open_all(steward_t *s, const arguments_t *a, err_t *err)
{
    char path[FILE_PATH_MAX];
    loop_raise_files();
    return sweep_good(a->sweep, err) && policy_read(&a->policy, &s->claims_on, &s->policy, err) &&
           open_site(s, a, err) && loop_open(&s->loop, err) && loop_stop_on_signals(s->loop, err) &&
           secrets_open(&s->secrets, &s->site, err) &&
           site_path(&s->site, "steward/steward.db", path, err) &&
           record_open(&s->record, path, err) && authority_open(&s->authority, &s->site, err) &&
           open_cloud(s, a, err) && open_channel(s, a, err) && open_http(s, a, err) &&
           loop_timer_start(s->loop, &s->timer, 0, on_timer, s, err) && announce(s, err);
}

static void close_all(steward_t *s)
{
    if (s->loop != NULL) {
        loop_timer_stop(s->loop, &s->timer);
        loop_fd_remove(s->loop, &s->http_watch);
    }
    if (s->http != NULL) {
        http_server_close(s->http);
    }
    owner_close(s->owner);
    channel_close(s->channel);
    journal_close(s->journal);
    cloud_close(s->cloud);
    authority_close(s->authority);
    record_close(s->record);
    secrets_close(&s->secrets);
    loop_close(s->loop);
    site_unlock(s->lock);
}

int main(int argc, char **argv)
{
    arguments_t a = {.site = ".",
                     .listen = "127.0.0.1:8443",
                     .lobby = "lobby",
                     .operating = "operating",
                     .sweep = JOURNAL_SWEEP_MS / 1000};
    option_t options[OPTIONS_MAX];
    steward_t *s = calloc(1, sizeof *s);
    err_t err = ERR_INIT;
    argc--;
    signal(SIGPIPE, SIG_IGN);
    bool ok = s != NULL && options_parse(options_of(&a, options), &argc, argv + 1, 0, 0, &err);
    if (ok && a.help) {
        print_help(options);
        free(s);
        return 0;
    }
    if (s != NULL) {
        s->lock = -1;
    }
    ok = ok && open_all(s, &a, &err);
    if (ok) {
        steward_log("ready https=%s", http_server_address(s->http));
        ok = loop_run(s->loop, &err);
        site_run_remove(&s->site, "steward");
        steward_log("stopped");
    }
    if (s != NULL) {
        close_all(s);
    }
    free(s);
    if (!ok) {
        term_error("%s", err.text);
        return err.kind == ERR_USAGE ? 2 : 1;
    }
    return 0;
}

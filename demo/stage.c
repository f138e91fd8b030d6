/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/stage.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "demo/story.h"
#include "json/json.h"
#include "site/air.h"
#include "site/run.h"
#include "site/site.h"

#define READY_MS   15000
#define COMMAND_MS 90000
#define ARGS_MAX   40

/* Set by SIGINT, SIGTERM and SIGHUP. */
static volatile sig_atomic_t stop_signal;

static void on_signal(int number)
{
    stop_signal = number;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    proc_stop_when(&stop_signal);
}

bool stage_stopped(void)
{
    return stop_signal != 0;
}

bool stage_late(uint64_t until_ms)
{
    return stage_stopped() || clock_monotonic_ms() >= until_ms;
}

void stage_pause(long ms)
{
    uint64_t until = clock_monotonic_ms() + (uint64_t)ms;
    while (!stage_late(until)) {
        uint64_t left = until - clock_monotonic_ms();
        const struct timespec t = {0, (long)(left < 50 ? left : 50) * 1000000};
        nanosleep(&t, NULL);
    }
}

void stage_text(const char *json, const char *path, char *out, size_t cap)
{
    json_token_t token;
    out[0] = '\0';
    if (json_find(json, strlen(json), path, &token) && token.type == JSON_STRING) {
        json_string(&token, out, cap, NULL);
    }
}

bool stage_log(const stage_t *stage, const char *name, char out[FILE_PATH_MAX], err_t *err)
{
    char file[128];
    snprintf(file, sizeof file, "%s.log", name);
    return file_join(out, stage->logs, file, err);
}

/* A port that is free now. The cloud has to know where the steward will be before it is there. */
static bool choose_port(char address[64], err_t *err)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof any;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof any) == 0 &&
              getsockname(fd, (struct sockaddr *)&any, &len) == 0;
    if (!ok) {
        err_errno(err, "cannot find a free port");
    }
    if (fd >= 0) {
        close(fd);
    }
    snprintf(address, 64, "127.0.0.1:%u", (unsigned)ntohs(any.sin_port));
    return ok;
}

/* On somebody's server everything carries four random bytes in its name. */
static bool choose_names(stage_t *stage, err_t *err)
{
    uint8_t random[4];
    char tag[2 * sizeof random + 1] = "";
    bool foreign = stage->thingsboard != NULL;
    if (foreign && (RAND_bytes(random, sizeof random) != 1 ||
                    !bytes_to_hex(random, sizeof random, tag, sizeof tag))) {
        return err_set(err, ERR_SYSTEM, "no random bytes");
    }
    const char *dash = foreign ? "-" : "";
    snprintf(stage->lobby, sizeof stage->lobby, "lobby%s%s", dash, tag);
    snprintf(stage->operating, sizeof stage->operating, "operating%s%s", dash, tag);
    snprintf(stage->chain, sizeof stage->chain, "cradle%s%s", dash, tag);
    snprintf(stage->alice, sizeof stage->alice, "alice%s%s", dash, tag);
    snprintf(stage->bob, sizeof stage->bob, "bob%s%s", dash, tag);
    snprintf(stage->pattern, sizeof stage->pattern, foreign ? "SN-%s-%%02d" : "SN-%%06d%s", tag);
    return true;
}

bool stage_open(stage_t *stage, const demo_settings_t *settings, err_t *err)
{
    const char *site = settings->site;
    memset(stage, 0, sizeof *stage);
    stage->outlive = settings->stay;
    stage->as_thingsboard = settings->as_thingsboard;
    stage->thingsboard = settings->thingsboard;
    stage->temporary = site == NULL;
    catch_signals();
    if (!proc_beside("cradle", stage->cradle, sizeof stage->cradle, err) ||
        !proc_beside("cradle-cloud", stage->cloud_program, sizeof stage->cloud_program, err) ||
        !proc_beside("cradle-steward", stage->steward_program, sizeof stage->steward_program,
                     err) ||
        !choose_names(stage, err) || !choose_port(stage->steward_address, err)) {
        return false;
    }
    const char *tmp = getenv("TMPDIR");
    int n = site != NULL ? snprintf(stage->site, sizeof stage->site, "%s", site)
                         : snprintf(stage->site, sizeof stage->site, "%s/cradle-demo-XXXXXX",
                                    tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
    if (n < 0 || (size_t)n >= sizeof stage->site) {
        return err_set(err, ERR_USAGE, "the path of the site is too long");
    }
    if (site == NULL && mkdtemp(stage->site) == NULL) {
        return err_errno(err, "cannot make a temporary directory %s", stage->site);
    }
    return file_join(stage->logs, stage->site, "logs", err) &&
           file_make_dirs(stage->logs, 0700, err) && stage_choose_cloud(stage, err);
}

void stage_close(stage_t *stage, bool remove)
{
    proc_stop_when(NULL); /* what clears up is not to be stopped, too */
    for (int i = 0; i < STAGE_UNITS && !stage->outlive; i++) {
        proc_stop(&stage->units[i].proc, 3000);
    }
    if (!stage->outlive) {
        proc_stop(&stage->steward, 5000);
        stage_clean_up(stage);
        proc_stop(&stage->cloud, 5000);
    }
    tbrest_close(stage->rest);
    stage->rest = NULL;
    if (remove && stage->temporary && !stage->outlive) {
        file_remove_tree(stage->site, NULL);
    }
}

/* Said to a reader, these would only be noise: where things are, in this run. */
static bool is_noise(const char *arg)
{
    static const char *const noise[] = {"--url",   "--ca",        "--login",        "--steward-url",
                                        "--lobby", "--operating", "--chain",        "--steward",
                                        "--cloud", "--cloud-ca",  "--password-file"};
    for (size_t i = 0; i < sizeof noise / sizeof noise[0]; i++) {
        if (strcmp(arg, noise[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The command as the reader would type it, on one line. */
static void show_command(const char *const *args, int count)
{
    char line[512] = "cradle";
    bool more = false;
    for (int i = 0; i < count; i++) {
        size_t used = strlen(line);
        if (is_noise(args[i])) {
            more = true;
            i++;
            continue;
        }
        const char *quote = strchr(args[i], ' ') != NULL ? "\"" : "";
        snprintf(line + used, sizeof line - used, " %s%s%s", quote, args[i], quote);
    }
    size_t used = strlen(line);
    snprintf(line + used, sizeof line - used, "%s", more ? " ..." : "");
    story_command(line);
}

static bool run_command(stage_t *stage, const char *input, char **out, int *code, err_t *err,
                        va_list rest)
{
    const char *argv[ARGS_MAX] = {stage->cradle, "-C", stage->site, "--json"};
    int count = 4;
    char log[FILE_PATH_MAX];
    const char *arg;
    while ((arg = va_arg(rest, const char *)) != NULL && count < ARGS_MAX - 1) {
        argv[count++] = arg;
    }
    argv[count] = NULL;
    show_command(argv + 4, count - 4);
    return stage_log(stage, "commands", log, err) &&
           proc_run(argv, input, log, COMMAND_MS, out, code, err);
}

bool stage_cradle(stage_t *stage, const char *input, char **out, err_t *err, ...)
{
    char *text = NULL;
    int code = 0;
    va_list rest;
    va_start(rest, err);
    bool ok = run_command(stage, input, &text, &code, err, rest);
    va_end(rest);
    if (ok && code != 0) {
        ok = err_set(err, ERR_PEER,
                     "the command ended with code %d; its words are in %s/commands.log", code,
                     stage->logs);
    }
    if (ok && out != NULL) {
        *out = text;
        return true;
    }
    free(text);
    return ok;
}

bool stage_cradle_fails(stage_t *stage, const char *input, char **out, err_t *err, ...)
{
    int code = 0;
    va_list rest;
    va_start(rest, err);
    bool ok = run_command(stage, input, out, &code, err, rest);
    va_end(rest);
    if (ok && code != 1) {
        ok = err_set(err, ERR_PEER, "the command should have failed with code 1, but ended with %d",
                     code);
    }
    return ok;
}

bool stage_write_air(stage_t *stage, bool up, err_t *err)
{
    site_air_host_t hosts[] = {{SITE_CLOUD_HOST, stage->mqtts},
                               {SITE_STEWARD_HOST, stage->steward_address}};
    site_air_t air = {STAGE_SSID, STAGE_PASSPHRASE, up, hosts, 2};
    return site_air_write(stage->site, &air, false, err);
}

bool stage_start_unit(stage_t *stage, stage_unit_t *unit, err_t *err)
{
    const char *argv[] = {stage->cradle, "-C", stage->site, "device", "run", unit->sn, NULL};
    char log[FILE_PATH_MAX];
    char line[128];
    char name[96];
    char ready[SITE_RUN_MAX + 1];
    site_t site;
    snprintf(line, sizeof line, "cradle device run %s &", unit->sn);
    story_command(line);
    snprintf(name, sizeof name, "device-%s", unit->sn);
    return site_open(&site, stage->site, err) && stage_log(stage, name, log, err) &&
           proc_start(&unit->proc, argv, log, stage->outlive, err) &&
           site_run_wait(&site, name, unit->proc.pid, READY_MS, ready, err);
}

bool stage_wait_advertised(stage_t *stage, const stage_unit_t *unit, int timeout_ms, err_t *err)
{
    char path[FILE_PATH_MAX];
    char file[64];
    uint64_t until = clock_monotonic_ms() + (uint64_t)timeout_ms;
    snprintf(file, sizeof file, "air/%s.json", unit->service);
    if (!file_join(path, stage->site, file, err)) {
        return false;
    }
    while (access(path, F_OK) != 0) {
        if (stage_late(until)) {
            return err_set(err, ERR_PEER, "%s does not wait for a phone, see %s", unit->sn,
                           stage->logs);
        }
        stage_pause(50);
    }
    return true;
}

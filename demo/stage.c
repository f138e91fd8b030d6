/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/stage.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "demo/story.h"
#include "json/json.h"
#include "site/run.h"
#include "site/site.h"

#define READY_MS   15000
#define COMMAND_MS 60000
#define ARGS_MAX   32

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static bool log_path(const stage_t *stage, const char *name, char out[FILE_PATH_MAX], err_t *err)
{
    char file[128];
    snprintf(file, sizeof file, "%s.log", name);
    return file_join(out, stage->logs, file, err);
}

bool stage_open(stage_t *stage, const char *site, bool outlive, err_t *err)
{
    memset(stage, 0, sizeof *stage);
    stage->outlive = outlive;
    stage->temporary = site == NULL;
    if (!proc_beside("cradle", stage->cradle, sizeof stage->cradle, err) ||
        !proc_beside("cradle-cloud", stage->cloud_program, sizeof stage->cloud_program, err)) {
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
           file_make_dirs(stage->logs, 0700, err);
}

void stage_close(stage_t *stage, bool remove)
{
    for (int i = 0; i < STAGE_UNITS && !stage->outlive; i++) {
        proc_stop(&stage->units[i].proc, 3000);
    }
    if (!stage->outlive) {
        proc_stop(&stage->cloud, 5000);
    }
    tbrest_close(stage->rest);
    stage->rest = NULL;
    if (remove && stage->temporary && !stage->outlive) {
        file_remove_tree(stage->site, NULL);
    }
}

/* The command as the reader would type it: without -C and --json, which only the demo needs. */
static void show_command(const char *const *args, int count)
{
    char line[512] = "cradle";
    for (int i = 0; i < count; i++) {
        size_t used = strlen(line);
        snprintf(line + used, sizeof line - used, " %s", args[i]);
    }
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
    return log_path(stage, "commands", log, err) &&
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

/* The login that cradle-cloud made at its first start. */
static bool login(stage_t *stage, const site_t *site, err_t *err)
{
    char path[FILE_PATH_MAX];
    char ca[FILE_PATH_MAX];
    char url[96];
    char user[128];
    char password[128];
    char *text;
    size_t len;
    json_token_t token;
    snprintf(url, sizeof url, "https://%s", stage->https);
    if (!site_path(site, "cloud/admin.json", path, err) ||
        !site_ca_path(site, "server-root", ca, err) || !file_read(path, 4096, &text, &len, err)) {
        return false;
    }
    bool ok = json_find(text, len, "username", &token) &&
              json_string(&token, user, sizeof user, NULL) &&
              json_find(text, len, "password", &token) &&
              json_string(&token, password, sizeof password, NULL);
    if (!ok) {
        err_set(err, ERR_INPUT, "%s does not hold a username and a password", path);
    }
    bytes_wipe(text, len);
    free(text);
    const tbrest_settings_t settings = {.url = url, .ca_file = ca};
    tbrest_close(stage->rest);
    stage->rest = NULL;
    ok = ok && tbrest_open(&stage->rest, &settings, err) &&
         tbrest_login(stage->rest, user, password, err);
    bytes_wipe(password, sizeof password);
    return ok;
}

bool stage_start_cloud(stage_t *stage, err_t *err)
{
    const char *mqtts = stage->mqtts[0] != '\0' ? stage->mqtts : "127.0.0.1:0";
    const char *https = stage->https[0] != '\0' ? stage->https : "127.0.0.1:0";
    const char *argv[] = {stage->cloud_program, "-C",  stage->site, "--listen", mqtts,
                          "--http-listen",      https, NULL};
    char log[FILE_PATH_MAX];
    char ready[SITE_RUN_MAX + 1];
    char address[SITE_HOST_SIZE];
    site_t site;
    story_command("cradle cloud --listen 127.0.0.1:0 --http-listen 127.0.0.1:0 &");
    if (!site_open(&site, stage->site, err) || !log_path(stage, "cloud", log, err) ||
        !proc_start(&stage->cloud, argv, log, stage->outlive, err)) {
        return false;
    }
    if (!site_run_wait(&site, "cloud", stage->cloud.pid, READY_MS, ready, err)) {
        return err_add(err, "cradle-cloud did not start, see %s", log);
    }
    if (!site_run_address(&site, "cloud", "mqtts", address, err)) {
        return false;
    }
    snprintf(stage->mqtts, sizeof stage->mqtts, "%s", address);
    if (!site_run_address(&site, "cloud", "https", address, err)) {
        return false;
    }
    snprintf(stage->https, sizeof stage->https, "%s", address);
    return login(stage, &site, err);
}

bool stage_write_air(stage_t *stage, const char *ssid, const char *password, err_t *err)
{
    char path[FILE_PATH_MAX];
    char text[1024];
    json_writer_t w;
    size_t len;
    json_writer_init(&w, text, sizeof text);
    json_object(&w);
    json_key(&w, "networks");
    json_array(&w);
    json_object(&w);
    json_key(&w, "ssid");
    json_put_string(&w, ssid);
    json_key(&w, "password");
    json_put_string(&w, password);
    json_key(&w, "auth");
    json_put_i64(&w, 3);
    json_key(&w, "channel");
    json_put_i64(&w, 6);
    json_key(&w, "rssi");
    json_put_i64(&w, -45);
    json_key(&w, "bssid");
    json_put_string(&w, "02:00:00:00:00:01");
    json_key(&w, "hosts");
    json_object(&w);
    json_key(&w, SITE_CLOUD_HOST);
    json_put_string(&w, stage->mqtts);
    json_end(&w);
    json_end(&w);
    json_end(&w);
    json_end(&w);
    if (!json_writer_done(&w, &len)) {
        return err_set(err, ERR_USAGE, "the network's name or password is too long");
    }
    return file_join(path, stage->site, "air/networks.json", err) &&
           file_write(path, text, len, 0600, err);
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
    return site_open(&site, stage->site, err) && log_path(stage, name, log, err) &&
           proc_start(&unit->proc, argv, log, stage->outlive, err) &&
           site_run_wait(&site, name, unit->proc.pid, READY_MS, ready, err);
}

bool stage_count_devices(stage_t *stage, int *count, err_t *err)
{
    tbrest_answer_t answer;
    json_token_t token;
    int64_t total = -1;
    if (!tbrest_expect(stage->rest, "GET", "/api/tenant/devices?pageSize=1&page=0", NULL, &answer,
                       err)) {
        return false;
    }
    bool ok = json_find(answer.body, answer.len, "totalElements", &token) &&
              json_i64(&token, &total) && total >= 0 && total < 1000000;
    tbrest_answer_free(&answer);
    *count = (int)total;
    return ok || err_set(err, ERR_INPUT, "the cloud's list of devices has no totalElements");
}

bool stage_wait_record(stage_t *stage, stage_unit_t *unit, int timeout_ms, err_t *err)
{
    uint64_t until = clock_monotonic_ms() + (uint64_t)timeout_ms;
    for (;;) {
        tbrest_device_t device;
        err_t now = ERR_INIT;
        if (tbrest_device_by_name(stage->rest, unit->sn, &device, &now)) {
            snprintf(unit->id, sizeof unit->id, "%s", device.id);
            unit->created_ms = device.created_ms;
            return true;
        }
        if (now.kind != ERR_PRECONDITION || clock_monotonic_ms() >= until) {
            err_set(err, now.kind, "%s", now.text);
            return err_add(err, "the cloud got no record of %s within %d s", unit->sn,
                           timeout_ms / 1000);
        }
        pause_ms(50);
    }
}

static bool add_point(void *ctx, const tbrest_value_t *value)
{
    stage_series_t *series = ctx;
    if (series->count == 0) {
        series->first_ts = value->ts;
    } else if (value->ts - series->last_ts > series->widest_gap_ms) {
        series->widest_gap_ms = value->ts - series->last_ts;
    }
    series->last_ts = value->ts;
    series->count++;
    return true;
}

bool stage_series(stage_t *stage, const stage_unit_t *unit, const char *key, int64_t from_ms,
                  int64_t to_ms, stage_series_t *series, err_t *err)
{
    *series = (stage_series_t){0};
    return tbrest_range(stage->rest, unit->id, key, from_ms, to_ms, 10000, add_point, series, err);
}

bool stage_wait_series(stage_t *stage, const stage_unit_t *unit, const char *key, int64_t since_ms,
                       int count, int timeout_ms, err_t *err)
{
    uint64_t until = clock_monotonic_ms() + (uint64_t)timeout_ms;
    stage_series_t series;
    do {
        if (!stage_series(stage, unit, key, since_ms, INT64_MAX / 2, &series, err)) {
            return false;
        }
        if (series.count >= count) {
            return true;
        }
        pause_ms(100);
    } while (clock_monotonic_ms() < until);
    return err_set(err, ERR_PEER, "%s sent %d values of %s in %d s, at least %d were expected",
                   unit->sn, series.count, key, timeout_ms / 1000, count);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The cloud on the stage: cradle-cloud, or a ThingsBoard that runs somewhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "demo/stage.h"
#include "demo/story.h"
#include "json/json.h"
#include "site/run.h"
#include "site/site.h"

#define READY_MS 15000

/* ---- where it is ---- */

/* A login from the environment goes into a file of the site, which every program takes. */
static bool write_login(stage_t *stage, err_t *err)
{
    const char *user = getenv("CRADLE_TB_USERNAME");
    const char *password = getenv("CRADLE_TB_PASSWORD");
    char text[512];
    json_writer_t w;
    size_t len;
    if (user == NULL || password == NULL) {
        return err_set(err, ERR_USAGE,
                       "a tenant administrator's login is needed: --login FILE, or "
                       "CRADLE_TB_USERNAME and CRADLE_TB_PASSWORD in the environment");
    }
    json_writer_init(&w, text, sizeof text);
    json_object(&w);
    json_key(&w, "username");
    json_put_string(&w, user);
    json_key(&w, "password");
    json_put_string(&w, password);
    json_end(&w);
    bool ok = json_writer_done(&w, &len) || err_set(err, ERR_USAGE, "the login is too long");
    ok = ok && file_join(stage->login, stage->logs, "login.json", err) &&
         file_write(stage->login, text, len, 0600, err);
    bytes_wipe(text, sizeof text);
    return ok;
}

static bool log_in(stage_t *stage, err_t *err)
{
    char user[128];
    char password[128];
    char *text;
    size_t len;
    if (!file_read_private(stage->login, 4096, &text, &len, err)) {
        return false;
    }
    stage_text(text, "username", user, sizeof user);
    stage_text(text, "password", password, sizeof password);
    bytes_wipe(text, len);
    free(text);
    if (user[0] == '\0' || password[0] == '\0') {
        return err_set(err, ERR_INPUT, "%s does not hold a username and a password", stage->login);
    }
    bool plain = strncmp(stage->url, "http://", 7) == 0;
    const tbrest_settings_t settings = {.url = stage->url, .ca_file = plain ? NULL : stage->ca};
    tbrest_close(stage->rest);
    stage->rest = NULL;
    bool ok =
        tbrest_open(&stage->rest, &settings, err) && tbrest_login(stage->rest, user, password, err);
    bytes_wipe(password, sizeof password);
    return ok;
}

bool stage_choose_cloud(stage_t *stage, err_t *err)
{
    const demo_thingsboard_t *tb = stage->thingsboard;
    if (tb == NULL) {
        return file_join(stage->ca, stage->site, "ca/server-root.crt", err) &&
               file_join(stage->login, stage->site, "cloud/admin.json", err);
    }
    snprintf(stage->url, sizeof stage->url, "%s", tb->url);
    snprintf(stage->mqtts, sizeof stage->mqtts, "%s", tb->mqtts);
    if (realpath(tb->ca, stage->ca) == NULL) {
        return err_errno(err, "cannot read the CA file %s", tb->ca);
    }
    if (tb->login == NULL) {
        if (!write_login(stage, err)) {
            return false;
        }
    } else if (realpath(tb->login, stage->login) == NULL) {
        return err_errno(err, "cannot read the login file %s", tb->login);
    }
    return log_in(stage, err) && stage_probe(stage->mqtts, stage->ca, err);
}

static bool wait_addresses(stage_t *stage, const char *log, err_t *err)
{
    char ready[SITE_RUN_MAX + 1];
    char address[SITE_HOST_SIZE];
    site_t site;
    if (!site_open(&site, stage->site, err)) {
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
    snprintf(stage->url, sizeof stage->url, "https://%s", address);
    return true;
}

bool stage_start_cloud(stage_t *stage, err_t *err)
{
    char steward[80];
    char log[FILE_PATH_MAX];
    if (stage->thingsboard != NULL) {
        return true;
    }
    const char *mqtts = stage->mqtts[0] != '\0' ? stage->mqtts : "127.0.0.1:0";
    const char *https = stage->url[0] != '\0' ? stage->url + strlen("https://") : "127.0.0.1:0";
    snprintf(steward, sizeof steward, "https://%s", stage->steward_address);
    const char *argv[] = {stage->cloud_program,
                          "-C",
                          stage->site,
                          "--listen",
                          mqtts,
                          "--http-listen",
                          https,
                          "--steward-url",
                          steward,
                          stage->as_thingsboard ? "--as-thingsboard" : NULL,
                          NULL};
    story_command(stage->as_thingsboard
                      ? "cradle cloud --steward-url https://... --as-thingsboard &"
                      : "cradle cloud --steward-url https://... &");
    return stage_log(stage, "cloud", log, err) &&
           proc_start(&stage->cloud, argv, log, stage->outlive, err) &&
           wait_addresses(stage, log, err) && log_in(stage, err);
}

/* ---- its profiles ---- */

static bool thingsboard(stage_t *stage, const char *what, err_t *err)
{
    char steward[320];
    const char *host = stage->thingsboard != NULL ? stage->thingsboard->steward_host : NULL;
    snprintf(steward, sizeof steward, "https://%s%s", host != NULL ? host : "127.0.0.1",
             strchr(stage->steward_address, ':'));
    return stage_cradle(stage, NULL, NULL, err, "thingsboard", what, "--url", stage->url, "--ca",
                        stage->ca, "--login", stage->login, "--steward-url", steward, "--lobby",
                        stage->lobby, "--operating", stage->operating, "--chain", stage->chain,
                        NULL);
}

bool stage_setup(stage_t *stage, err_t *err)
{
    stage->set_up = true; /* half of it, perhaps: that, too, is taken away */
    return thingsboard(stage, "setup", err);
}

static bool delete_one(void *ctx, const tbrest_device_t *device)
{
    err_t err = ERR_INIT;
    tbrest_device_delete(((stage_t *)ctx)->rest, device->id, &err);
    return true;
}

static void delete_customer(stage_t *stage, const char *account)
{
    char path[160];
    char id[TBREST_ID_SIZE];
    tbrest_answer_t answer;
    snprintf(path, sizeof path, "/api/tenant/customers?customerTitle=owner%%20%s", account);
    if (!tbrest_expect(stage->rest, "GET", path, NULL, &answer, NULL)) {
        return;
    }
    stage_text(answer.body, "id.id", id, sizeof id);
    tbrest_answer_free(&answer);
    snprintf(path, sizeof path, "/api/customer/%s", id);
    if (id[0] != '\0' && tbrest_expect(stage->rest, "DELETE", path, NULL, &answer, NULL)) {
        tbrest_answer_free(&answer);
    }
}

void stage_clean_up(stage_t *stage)
{
    err_t err = ERR_INIT;
    char prefix[32];
    if (stage->thingsboard == NULL || stage->rest == NULL) {
        return;
    }
    snprintf(prefix, sizeof prefix, "%.*s", (int)strcspn(stage->pattern, "%"), stage->pattern);
    tbrest_devices(stage->rest, prefix, delete_one, stage, &err);
    delete_customer(stage, stage->alice);
    delete_customer(stage, stage->bob);
    if (stage->set_up && !thingsboard(stage, "remove", &err)) {
        fprintf(stderr, "not everything could be taken away: %s\n", err.text);
    }
}

/* ---- what it knows ---- */

bool stage_count_devices(stage_t *stage, int *count, err_t *err)
{
    char path[96];
    tbrest_answer_t answer;
    json_token_t token;
    int64_t total = -1;
    snprintf(path, sizeof path, "/api/tenant/devices?pageSize=1&page=0&textSearch=%.*s",
             (int)strcspn(stage->pattern, "%"), stage->pattern);
    if (!tbrest_expect(stage->rest, "GET", path, NULL, &answer, err)) {
        return false;
    }
    bool ok = json_find(answer.body, answer.len, "totalElements", &token) &&
              json_i64(&token, &total) && total >= 0 && total < 1000000;
    tbrest_answer_free(&answer);
    *count = (int)total;
    return ok || err_set(err, ERR_INPUT, "the cloud's list of devices has no totalElements");
}

bool stage_wait_record(stage_t *stage, stage_unit_t *unit, const char *not_id, int timeout_ms,
                       err_t *err)
{
    uint64_t until = clock_monotonic_ms() + (uint64_t)timeout_ms;
    for (;;) {
        tbrest_device_t device;
        err_t now = ERR_INIT;
        bool found = tbrest_device_by_name(stage->rest, unit->sn, &device, &now);
        if (found && (not_id == NULL || strcmp(device.id, not_id) != 0)) {
            snprintf(unit->id, sizeof unit->id, "%s", device.id);
            snprintf(unit->customer, sizeof unit->customer, "%s", device.customer_id);
            snprintf(unit->profile, sizeof unit->profile, "%s", device.type);
            unit->created_ms = device.created_ms;
            return true;
        }
        if (stage_late(until) || (!found && now.kind != ERR_PRECONDITION)) {
            err_set(err, found ? ERR_PEER : now.kind, "%s",
                    found ? "it has the old one" : now.text);
            return err_add(err, "the cloud got no record of %s within %d s", unit->sn,
                           timeout_ms / 1000);
        }
        stage_pause(50);
    }
}

bool stage_call(stage_t *stage, const stage_unit_t *unit, const char *body, char **answer,
                err_t *err)
{
    char path[96];
    tbrest_answer_t reply;
    snprintf(path, sizeof path, "/api/rpc/twoway/%s", unit->id);
    if (!tbrest_expect(stage->rest, "POST", path, body, &reply, err)) {
        return false;
    }
    *answer = reply.body;
    return true;
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
        stage_pause(100);
    } while (!stage_late(until));
    return err_set(err, ERR_PEER, "%s sent %d values of %s in %d s, at least %d were expected",
                   unit->sn, series.count, key, timeout_ms / 1000, count);
}

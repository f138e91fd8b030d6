/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/demo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "demo/stage.h"
#include "demo/story.h"
#include "json/json.h"
#include "site/site.h"
#include "term/term.h"

#define SSID       "Alice-Home"
#define PASSPHRASE "rhubarb-crumble"
#define SERIES     "sample"
#define ONLINE_MS  20000
#define OUTAGE_MS  3000
/* A value a second; the widest gap that still means that none is missing. */
#define GAP_MAX_MS 1900

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

static bool act_company(stage_t *stage, err_t *err)
{
    story_act("A company is set up");
    story_say(
        "Two roots (one for devices, one for servers), a product CA, a CA for the factory line.");
    if (!stage_cradle(stage, NULL, NULL, err, "init", "--name", "Demo Ltd", NULL)) {
        return false;
    }
    story_holds("the site is %s", stage->site);
    return true;
}

/* What the factory says of unit i, into the stage. */
static bool take_unit(const char *json, size_t len, int i, stage_unit_t *unit, err_t *err)
{
    char path[32];
    json_token_t token;
    snprintf(path, sizeof path, "units.%d.sn", i);
    bool ok =
        json_find(json, len, path, &token) && json_string(&token, unit->sn, sizeof unit->sn, NULL);
    snprintf(path, sizeof path, "units.%d.service", i);
    ok = ok && json_find(json, len, path, &token) &&
         json_string(&token, unit->service, sizeof unit->service, NULL);
    return ok || err_set(err, ERR_INPUT, "the factory's list has no unit %d", i);
}

static bool act_factory(stage_t *stage, err_t *err)
{
    char *json;
    char count[8];
    story_act("The factory makes three devices");
    story_say(
        "Each gets a serial number, a key, a certificate whose CN is that number, and a flash");
    story_say("image. They are registered nowhere.");
    snprintf(count, sizeof count, "%d", STAGE_UNITS);
    if (!stage_cradle(stage, NULL, &json, err, "factory", "run", "--count", count, NULL)) {
        return false;
    }
    bool ok = true;
    for (int i = 0; i < STAGE_UNITS && ok; i++) {
        ok = take_unit(json, strlen(json), i, &stage->units[i], err);
        if (ok) {
            story_holds("%s  will advertise as %s", stage->units[i].sn, stage->units[i].service);
        }
    }
    free(json);
    if (!ok || !stage_cradle(stage, NULL, NULL, err, "custody", "verify", NULL)) {
        return false;
    }
    story_holds("the custody record of the line is whole");
    return true;
}

static bool act_cloud(stage_t *stage, err_t *err)
{
    int count;
    story_act("A cloud that speaks ThingsBoard's protocols");
    if (!stage_start_cloud(stage, err) || !stage_count_devices(stage, &count, err)) {
        return false;
    }
    if (count != 0) {
        return err_set(err, ERR_PEER, "the cloud knows %d devices before any was switched on",
                       count);
    }
    story_holds("MQTTS on %s, REST on https://%s", stage->mqtts, stage->https);
    story_holds("it knows no device");
    return true;
}

static bool act_power_on(stage_t *stage, err_t *err)
{
    char *json;
    story_act("Alice unpacks three devices and plugs them in");
    if (!stage_write_air(stage, SSID, PASSPHRASE, err)) {
        return false;
    }
    for (int i = 0; i < STAGE_UNITS; i++) {
        if (!stage_start_unit(stage, &stage->units[i], err)) {
            return false;
        }
    }
    story_say("They have no Wi-Fi yet, so they wait for a phone.");
    if (!stage_cradle(stage, NULL, &json, err, "phone", "scan", NULL)) {
        return false;
    }
    bool ok = true;
    for (int i = 0; i < STAGE_UNITS && ok; i++) {
        ok = strstr(json, stage->units[i].service) != NULL ||
             err_set(err, ERR_PEER, "the phone does not see %s", stage->units[i].service);
    }
    free(json);
    if (ok) {
        story_holds("the phone sees all three");
    }
    return ok;
}

static bool provision(stage_t *stage, const stage_unit_t *unit, err_t *err)
{
    return stage_cradle(stage, PASSPHRASE "\n", NULL, err, "phone", "provision", unit->service,
                        "--ssid", SSID, "--passphrase-file", "-", NULL);
}

static bool act_provision(stage_t *stage, err_t *err)
{
    char *json = NULL;
    int count;
    story_act("Alice brings them onto her Wi-Fi with her phone");
    story_say("The first time she mistypes the password.");
    bool told =
        stage_cradle_fails(stage, "rhubarb-crumbel\n", &json, err, "phone", "provision",
                           stage->units[0].service, "--ssid", SSID, "--passphrase-file", "-", NULL);
    if (told && strstr(json, "\"auth\"") == NULL) {
        told = err_set(err, ERR_PEER, "the phone was not told that the password is wrong: %.200s",
                       json);
    }
    free(json);
    if (!told || !stage_count_devices(stage, &count, err)) {
        return false;
    }
    story_holds("she is told that the password is wrong; no restart, no reset is needed");
    for (int i = 0; i < STAGE_UNITS; i++) {
        if (!provision(stage, &stage->units[i], err)) {
            return false;
        }
    }
    story_holds("all three have joined \"%s\"", SSID);
    return true;
}

/* The stored credentials must be the hash of the very certificate that the factory made. */
static bool credentials_match(stage_t *stage, const stage_unit_t *unit, err_t *err)
{
    char path[128];
    char *json = NULL;
    char made[80] = "";
    char stored[80] = "";
    tbrest_answer_t answer;
    json_token_t token;
    if (!stage_cradle(stage, NULL, &json, err, "factory", "show", unit->sn, NULL)) {
        return false;
    }
    if (json_find(json, strlen(json), "credentialsId", &token)) {
        json_string(&token, made, sizeof made, NULL);
    }
    free(json);
    snprintf(path, sizeof path, "/api/device/%s/credentials", unit->id);
    if (!tbrest_expect(stage->rest, "GET", path, NULL, &answer, err)) {
        return false;
    }
    if (json_find(answer.body, answer.len, "credentialsId", &token)) {
        json_string(&token, stored, sizeof stored, NULL);
    }
    tbrest_answer_free(&answer);
    return (made[0] != '\0' && strcmp(made, stored) == 0) ||
           err_set(err, ERR_PEER, "%s: the cloud holds another certificate than the factory made",
                   unit->sn);
}

static bool act_zero_touch(stage_t *stage, err_t *err)
{
    int count;
    story_act("The cloud meets them for the first time");
    story_say("Nobody registered them: the certificate is enough.");
    for (int i = 0; i < STAGE_UNITS; i++) {
        if (!stage_wait_record(stage, &stage->units[i], ONLINE_MS, err)) {
            return false;
        }
        story_holds("%s was provisioned automatically, device id %s", stage->units[i].sn,
                    stage->units[i].id);
    }
    if (!stage_count_devices(stage, &count, err)) {
        return false;
    }
    if (count != STAGE_UNITS) {
        return err_set(err, ERR_PEER, "the cloud knows %d devices, not %d", count, STAGE_UNITS);
    }
    if (!credentials_match(stage, &stage->units[0], err)) {
        return false;
    }
    story_holds("its credentials are the certificate that left the factory");
    return true;
}

static bool act_telemetry(stage_t *stage, err_t *err)
{
    int64_t since = clock_wall_ms();
    story_act("Telemetry streams, once a second");
    for (int i = 0; i < STAGE_UNITS; i++) {
        stage_series_t s;
        if (!stage_wait_series(stage, &stage->units[i], SERIES, since, 4, ONLINE_MS, err) ||
            !stage_series(stage, &stage->units[i], SERIES, since, INT64_MAX / 2, &s, err)) {
            return false;
        }
        if (s.widest_gap_ms > GAP_MAX_MS) {
            return err_set(err, ERR_PEER, "%s: %lld ms between two values", stage->units[i].sn,
                           (long long)s.widest_gap_ms);
        }
        story_holds("%s  %d values in %.1f s", stage->units[i].sn, s.count,
                    (double)(s.last_ts - s.first_ts) / 1000.0);
    }
    return true;
}

static bool act_outage(stage_t *stage, err_t *err)
{
    int64_t before = clock_wall_ms();
    story_act("The cloud dies, and comes back");
    story_say("SIGKILL, %d seconds of darkness, and a restart. The devices keep what they measure.",
              OUTAGE_MS / 1000);
    proc_kill(&stage->cloud);
    pause_ms(OUTAGE_MS);
    int64_t back = clock_wall_ms();
    if (!stage_start_cloud(stage, err)) {
        return false;
    }
    for (int i = 0; i < STAGE_UNITS; i++) {
        stage_unit_t *unit = &stage->units[i];
        stage_series_t s;
        int64_t created = unit->created_ms;
        if (!stage_wait_series(stage, unit, SERIES, back, 3, ONLINE_MS, err) ||
            !stage_wait_series(stage, unit, SERIES, before - 2000, 7, ONLINE_MS, err) ||
            !stage_series(stage, unit, SERIES, before - 2000, INT64_MAX / 2, &s, err) ||
            !stage_wait_record(stage, unit, 1000, err)) {
            return false;
        }
        if (s.widest_gap_ms > GAP_MAX_MS) {
            return err_set(err, ERR_PEER, "%s: values of %lld ms are missing", unit->sn,
                           (long long)s.widest_gap_ms);
        }
        if (unit->created_ms != created) {
            return err_set(err, ERR_PEER, "%s came back as another record", unit->sn);
        }
        story_holds("%s  same record, nothing lost: widest gap %.1f s", unit->sn,
                    (double)s.widest_gap_ms / 1000.0);
    }
    return true;
}

static bool print_table(stage_t *stage, err_t *err)
{
    term_table_t *table = term_table_new("SN|ADVERTISED AS|DEVICE ID|>VALUES|>CERT DAYS LEFT");
    bool ok = table != NULL;
    for (int i = 0; i < STAGE_UNITS && ok; i++) {
        const stage_unit_t *unit = &stage->units[i];
        stage_series_t s;
        char values[16];
        char days[32];
        ok = stage_series(stage, unit, SERIES, 0, INT64_MAX / 2, &s, err) &&
             tbrest_latest_one(stage->rest, unit->id, "cert_days_left", days, sizeof days, NULL,
                               err);
        snprintf(values, sizeof values, "%d", s.count);
        term_table_row(table, unit->sn, unit->service, unit->id, values, days);
    }
    if (ok) {
        putchar('\n');
        term_table_print(table, stdout);
    }
    term_table_free(table);
    return ok;
}

static void print_stay(const stage_t *stage)
{
    printf("\nEverything goes on running.\n\n"
           "  REST       https://%s   (CA: %s/ca/server-root.crt)\n"
           "  MQTTS      %s\n"
           "  login      %s/cloud/admin.json\n"
           "  logs       %s/\n\n"
           "Stop it:     pkill -f -- '-C %s'; rm -r %s\n",
           stage->https, stage->site, stage->mqtts, stage->site, stage->logs, stage->site,
           stage->site);
}

bool demo_run(const demo_settings_t *settings, err_t *err)
{
    static bool (*const acts[])(stage_t *, err_t *) = {
        act_company,   act_factory,    act_cloud,     act_power_on,
        act_provision, act_zero_touch, act_telemetry, act_outage,
    };
    stage_t stage;
    uint64_t started = clock_monotonic_ms();
    size_t act = 0;
    term_print(stdout, TERM_BOLD, "Cradle: the life of a device, with the real programs\n");
    bool ok = stage_open(&stage, settings->site, settings->stay, err);
    while (ok && act < sizeof acts / sizeof acts[0]) {
        ok = acts[act++](&stage, err);
    }
    ok = ok && print_table(&stage, err);
    if (ok) {
        printf("\nAll of it held, in %.1f s.\n", (double)(clock_monotonic_ms() - started) / 1000.0);
        if (settings->stay) {
            print_stay(&stage);
        }
    } else {
        stage.outlive = false;
        err_add(err, "step %zu failed", act);
        printf("\nThe site is kept for a look: %s\n", stage.site);
    }
    stage_close(&stage, ok);
    return ok;
}

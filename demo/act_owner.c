/* SPDX-License-Identifier: Apache-2.0 */
/* Reset, the same owner; reset, another owner; what is left for the former one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "demo/acts.h"
#include "demo/story.h"
#include "json/json.h"

/* By a call, as the owner's app would. */
static bool reset_unit(stage_t *stage, const stage_unit_t *unit, err_t *err)
{
    char *answer;
    if (!stage_call(stage, unit, "{\"method\":\"factoryReset\",\"timeout\":25000}", &answer, err)) {
        return false;
    }
    free(answer);
    if (!stage_wait_advertised(stage, unit, ACTS_ONLINE_MS, err)) {
        return false;
    }
    story_holds("reset: it knows no Wi-Fi any more and waits for a phone");
    return true;
}

bool act_same_owner(stage_t *stage, err_t *err)
{
    stage_unit_t *unit = &stage->units[1];
    stage_unit_t before = *unit;
    stage_series_t history;
    stage_series_t now;
    story_act("Alice resets a device and provisions it again");
    if (!stage_series(stage, unit, ACTS_SERIES, 0, INT64_MAX / 2, &history, err) ||
        !reset_unit(stage, unit, err) ||
        !stage_cradle(stage, STAGE_PASSPHRASE "\n", NULL, err, "phone", "provision", unit->service,
                      "--ssid", STAGE_SSID, "--account", stage->alice, "--passphrase-file", "-",
                      NULL) ||
        !stage_wait_record(stage, unit, NULL, ACTS_ONLINE_MS, err) ||
        !stage_wait_series(stage, unit, ACTS_SERIES, clock_wall_ms(), 2, ACTS_ONLINE_MS, err) ||
        !stage_series(stage, unit, ACTS_SERIES, 0, INT64_MAX / 2, &now, err)) {
        return false;
    }
    if (strcmp(unit->id, before.id) != 0 || unit->created_ms != before.created_ms) {
        return err_set(err, ERR_PEER, "%s came back as another record", unit->sn);
    }
    if (now.first_ts != history.first_ts || now.count < history.count) {
        return err_set(err, ERR_PEER, "%s has lost history: %d values were there, %d are", unit->sn,
                       history.count, now.count);
    }
    story_holds("%s  same record, and the %d values from before are still there", unit->sn,
                history.count);
    return true;
}

/* In the middle of the handing over, at whatever step it is. */
static bool kill_steward(stage_t *stage, const stage_unit_t *unit, err_t *err)
{
    char owner[33];
    char state[33];
    uint64_t until = clock_monotonic_ms() + ACTS_ONLINE_MS;
    do {
        if (!stage_unit_state(stage, unit, owner, state, err)) {
            return false;
        }
        if (strcmp(owner, stage->bob) == 0 && strcmp(state, "handing-over") == 0) {
            stage_pause(2300); /* past the time in which the device leaves */
            proc_kill(&stage->steward);
            story_say("The steward is killed in the middle of it (SIGKILL) and started again.");
            return stage_start_steward(stage, err);
        }
        stage_pause(20);
    } while (!stage_late(until));
    return err_set(err, ERR_PEER, "the handing over of %s did not begin: %s, owner \"%s\"",
                   unit->sn, state, owner);
}

static bool check_bobs(stage_t *stage, stage_unit_t *unit, const stage_unit_t *before,
                       int64_t reset_at, err_t *err)
{
    stage_series_t series;
    tbrest_device_t old;
    err_t gone = ERR_INIT;
    if (!stage_wait_series(stage, unit, ACTS_SERIES, reset_at, 3, ACTS_ONLINE_MS, err) ||
        !stage_series(stage, unit, ACTS_SERIES, 0, INT64_MAX / 2, &series, err)) {
        return false;
    }
    if (series.first_ts < reset_at) {
        return err_set(err, ERR_PEER, "Bob sees values from before the device was his");
    }
    if (tbrest_device_by_id(stage->rest, before->id, &old, &gone) ||
        gone.kind != ERR_PRECONDITION) {
        return err_set(err, ERR_PEER, "the record of before is still there: %s", gone.text);
    }
    if (strcmp(unit->customer, before->customer) == 0) {
        return err_set(err, ERR_PEER, "the new record is still Alice's");
    }
    story_holds("%s  SN the same, record new (%s), Bob's", unit->sn, unit->id);
    story_holds("its first value is from after the reset; Alice's record is gone with all it held");
    return true;
}

bool act_other_owner(stage_t *stage, err_t *err)
{
    stage_unit_t *unit = &stage->units[0];
    const stage_unit_t before = *unit;
    story_act("Alice gives a device to Bob");
    story_say("He resets it and provisions it with his own phone and account. The steward wipes");
    story_say(
        "what was Alice's, and the device gets a new key: a copy of the old one is worthless.");
    int64_t reset_at = clock_wall_ms();
    if (!reset_unit(stage, unit, err) ||
        !stage_cradle(stage, STAGE_PASSPHRASE "\n", NULL, err, "phone", "provision", unit->service,
                      "--ssid", STAGE_SSID, "--account", stage->bob, "--passphrase-file", "-",
                      "--no-wait", NULL) ||
        !kill_steward(stage, unit, err) ||
        !stage_wait_streaming(stage, unit, stage->bob, 2 * ACTS_ONLINE_MS, err) ||
        !stage_wait_record(stage, unit, before.id, ACTS_ONLINE_MS, err)) {
        return false;
    }
    story_holds("the handing over went on where it was cut, and is done");
    return check_bobs(stage, unit, &before, reset_at, err);
}

/* A device's former owner sees it neither at the steward nor at the cloud. */
static bool check_alice_is_blind(stage_t *stage, const char *sn, err_t *err)
{
    char path[160];
    char *json;
    tbrest_answer_t answer;
    if (!stage_cradle(stage, NULL, &json, err, "phone", "devices", "--account", stage->alice,
                      NULL)) {
        return false;
    }
    bool blind = strstr(json, sn) == NULL && strstr(json, stage->units[1].sn) != NULL;
    free(json);
    snprintf(path, sizeof path, "/api/customer/%s/devices?pageSize=100&page=0",
             stage->units[1].customer);
    if (!tbrest_expect(stage->rest, "GET", path, NULL, &answer, err)) {
        return false;
    }
    blind =
        blind && strstr(answer.body, sn) == NULL && strstr(answer.body, stage->units[1].sn) != NULL;
    tbrest_answer_free(&answer);
    return blind || err_set(err, ERR_PEER, "Alice still sees %s", sn);
}

/* By its link, which needs no log-in; then verified with nothing but the site's keys. */
static bool fetch_receipt(stage_t *stage, const char *url, const char *path, err_t *err)
{
    char ca[FILE_PATH_MAX];
    char base[80];
    tbrest_t *steward = NULL;
    tbrest_answer_t answer;
    const char *link = strstr(url, "/receipt/");
    snprintf(base, sizeof base, "https://%s", stage->steward_address);
    const tbrest_settings_t settings = {.url = base, .ca_file = ca};
    if (link == NULL) {
        return err_set(err, ERR_PEER, "no link to a receipt: \"%.100s\"", url);
    }
    bool ok = file_join(ca, stage->site, "ca/server-root.crt", err) &&
              tbrest_open(&steward, &settings, err) &&
              tbrest_expect(steward, "GET", link, NULL, &answer, err);
    if (ok) {
        ok = file_write(path, answer.body, answer.len, 0644, err);
        tbrest_answer_free(&answer);
    }
    tbrest_close(steward);
    return ok;
}

static bool check_receipt(stage_t *stage, const char *sn, err_t *err)
{
    char *json = NULL;
    char path[FILE_PATH_MAX];
    char url[256];
    char whose[65];
    if (!stage_cradle(stage, NULL, &json, err, "phone", "receipts", "--account", stage->alice,
                      NULL)) {
        return false;
    }
    stage_text(json, "receipts.0.url", url, sizeof url);
    stage_text(json, "receipts.0.sn", whose, sizeof whose);
    free(json);
    if (strcmp(whose, sn) != 0) {
        return err_set(err, ERR_PEER, "Alice has no receipt for %s", sn);
    }
    return file_join(path, stage->logs, "receipt.jws", err) &&
           fetch_receipt(stage, url, path, err) &&
           stage_cradle(stage, NULL, NULL, err, "steward", "receipt", "verify", path, NULL);
}

bool act_former_owner(stage_t *stage, err_t *err)
{
    const stage_unit_t *unit = &stage->units[0];
    int code;
    int count;
    story_act("What is left for Alice");
    if (!check_alice_is_blind(stage, unit->sn, err)) {
        return false;
    }
    story_holds("she does not see %s any more, neither at the steward nor at the cloud", unit->sn);
    if (!intruder_connect(stage, unit->sn, &code, err)) {
        return false;
    }
    if (code == 0) {
        return err_set(err, ERR_PEER, "the key from before still opens the door");
    }
    story_holds("a copy of the device's former key is refused (%s %d)",
                code < 0 ? "TLS" : "CONNACK", code < 0 ? 0 : code);
    int64_t since = clock_wall_ms();
    if (!stage_wait_series(stage, unit, ACTS_SERIES, since, 2, ACTS_ONLINE_MS, err) ||
        !stage_count_devices(stage, &count, err)) {
        return false;
    }
    if (count != STAGE_UNITS) {
        return err_set(err, ERR_PEER, "the attempt left a record behind: %d devices", count);
    }
    story_holds("... which changed nothing: Bob's device streams on");
    if (!check_receipt(stage, unit->sn, err)) {
        return false;
    }
    story_holds("she has a receipt of what was erased, signed by the steward; it verifies offline");
    return true;
}

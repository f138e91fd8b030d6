/* SPDX-License-Identifier: Apache-2.0 */
/* The first owner: unpacking, Wi-Fi, the first meeting with the cloud. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "demo/acts.h"
#include "demo/story.h"
#include "json/json.h"

bool act_power_on(stage_t *stage, err_t *err)
{
    char *json;
    story_act("Alice unpacks three devices and plugs them in");
    if (!stage_write_air(stage, true, err)) {
        return false;
    }
    for (int i = 0; i < STAGE_UNITS; i++) {
        if (!stage_start_unit(stage, &stage->units[i], err)) {
            return false;
        }
    }
    story_say("They have no Wi-Fi yet, so they wait for a phone.");
    for (int i = 0; i < STAGE_UNITS; i++) {
        if (!stage_wait_advertised(stage, &stage->units[i], ACTS_ONLINE_MS, err)) {
            return false;
        }
    }
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

bool act_provision(stage_t *stage, err_t *err)
{
    char *json = NULL;
    story_act("Alice brings them onto her Wi-Fi with her phone");
    story_say("With the Wi-Fi each gets a ticket that says they are hers. The first time she");
    story_say("mistypes the password.");
    bool told = stage_cradle_fails(stage, "rhubarb-crumbel\n", &json, err, "phone", "provision",
                                   stage->units[0].service, "--ssid", STAGE_SSID, "--account",
                                   stage->alice, "--passphrase-file", "-", NULL);
    if (told && strstr(json, "\"auth\"") == NULL) {
        told = err_set(err, ERR_PEER, "the phone was not told that the password is wrong: %.200s",
                       json);
    }
    free(json);
    if (!told) {
        return false;
    }
    story_holds("she is told that the password is wrong; no restart, no reset is needed");
    for (int i = 0; i < STAGE_UNITS; i++) {
        if (!stage_cradle(stage, STAGE_PASSPHRASE "\n", &json, err, "phone", "provision",
                          stage->units[i].service, "--ssid", STAGE_SSID, "--account", stage->alice,
                          "--passphrase-file", "-", NULL)) {
            return false;
        }
        bool hers = strstr(json, "\"yours\"") != NULL;
        if (!hers) {
            err_set(err, ERR_PEER, "the device is not Alice's: %.200s", json);
        }
        free(json);
        if (!hers) {
            return false;
        }
    }
    story_holds("all three have joined \"%s\" and are Alice's", STAGE_SSID);
    return true;
}

/* The stored credentials must be the hash of the very certificate that the factory made. */
static bool credentials_match(stage_t *stage, const stage_unit_t *unit, err_t *err)
{
    char path[128];
    char *json = NULL;
    char made[80];
    char stored[80];
    tbrest_answer_t answer;
    if (!stage_cradle(stage, NULL, &json, err, "factory", "show", unit->sn, NULL)) {
        return false;
    }
    stage_text(json, "credentialsId", made, sizeof made);
    free(json);
    snprintf(path, sizeof path, "/api/device/%s/credentials", unit->id);
    if (!tbrest_expect(stage->rest, "GET", path, NULL, &answer, err)) {
        return false;
    }
    stage_text(answer.body, "credentialsId", stored, sizeof stored);
    tbrest_answer_free(&answer);
    return (made[0] != '\0' && strcmp(made, stored) == 0) ||
           err_set(err, ERR_PEER, "%s: the cloud holds another certificate than the factory made",
                   unit->sn);
}

/* Out of the lobby, and assigned to somebody. */
static bool wait_settled(stage_t *stage, stage_unit_t *unit, err_t *err)
{
    uint64_t until = clock_monotonic_ms() + ACTS_ONLINE_MS;
    do {
        if (!stage_wait_record(stage, unit, NULL, ACTS_ONLINE_MS, err)) {
            return false;
        }
        if (strcmp(unit->profile, stage->operating) == 0 &&
            strcmp(unit->customer, TBREST_NULL_ID) != 0) {
            return true;
        }
        stage_pause(100);
    } while (!stage_late(until));
    return err_set(err, ERR_PEER, "%s is still in profile %s, customer %s", unit->sn, unit->profile,
                   unit->customer);
}

bool act_zero_touch(stage_t *stage, err_t *err)
{
    int count;
    story_act("The cloud meets them for the first time");
    story_say(
        "Nobody registered them: the certificate is enough. The steward looks at it, and takes");
    story_say("them from the lobby to those at work.");
    for (int i = 0; i < STAGE_UNITS; i++) {
        if (!wait_settled(stage, &stage->units[i], err)) {
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

/* SPDX-License-Identifier: Apache-2.0 */
/* A company, its factory, its cloud and its steward. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo/acts.h"
#include "demo/story.h"
#include "json/json.h"
#include "site/site.h"

bool act_company(stage_t *stage, err_t *err)
{
    const demo_thingsboard_t *tb = stage->thingsboard;
    story_act("A company is set up");
    story_say(
        "Two roots (one for devices, one for servers), a product CA, CAs for the factory line");
    story_say("and for renewals, and a steward, who will say whose a device is.");
    bool ok = tb == NULL
                  ? stage_cradle(stage, NULL, NULL, err, "init", "--name", "Demo Ltd", "--steward",
                                 SITE_STEWARD_HOST, NULL)
                  : stage_cradle(stage, NULL, NULL, err, "init", "--name", "Demo Ltd", "--steward",
                                 SITE_STEWARD_HOST, "--sn-pattern", stage->pattern, "--cloud",
                                 tb->mqtts, "--cloud-ca", stage->ca, NULL);
    if (ok) {
        story_holds("the site is %s", stage->site);
    }
    return ok;
}

/* What the factory says of unit i, into the stage. */
static bool take_unit(const char *json, int i, stage_unit_t *unit, err_t *err)
{
    char path[32];
    snprintf(path, sizeof path, "units.%d.sn", i);
    stage_text(json, path, unit->sn, sizeof unit->sn);
    snprintf(path, sizeof path, "units.%d.service", i);
    stage_text(json, path, unit->service, sizeof unit->service);
    return (unit->sn[0] != '\0' && unit->service[0] != '\0') ||
           err_set(err, ERR_INPUT, "the factory's list has no unit %d", i);
}

bool act_factory(stage_t *stage, err_t *err)
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
        ok = take_unit(json, i, &stage->units[i], err);
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

bool act_cloud(stage_t *stage, err_t *err)
{
    int count;
    story_act(stage->thingsboard == NULL
                  ? "A cloud that speaks ThingsBoard's protocols, and a steward"
                  : "A ThingsBoard, and a steward beside it");
    story_say("Two profiles: new devices land in the lobby; those at work are in the other, where");
    story_say("nothing but the certificate on record opens the door.");
    if (!stage_start_cloud(stage, err) || !stage_setup(stage, err) ||
        !stage_start_steward(stage, err) || !stage_make_account(stage, stage->alice, err) ||
        !stage_make_account(stage, stage->bob, err) || !stage_count_devices(stage, &count, err)) {
        return false;
    }
    if (count != 0) {
        return err_set(err, ERR_PEER, "the cloud knows %d devices before any was switched on",
                       count);
    }
    story_holds("MQTTS on %s, REST on %s", stage->mqtts, stage->url);
    story_holds("steward on https://%s; Alice and Bob have accounts there", stage->steward_address);
    story_holds("the cloud knows no device");
    return true;
}

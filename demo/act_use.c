/* SPDX-License-Identifier: Apache-2.0 */
/* Every day: telemetry, calls, configuration, an outage. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "demo/acts.h"
#include "demo/story.h"
#include "json/json.h"

#define OUTAGE_MS 3000
/* A value a second; the widest gap that still means that none is missing. */
#define GAP_MAX_MS 1900

bool act_telemetry(stage_t *stage, err_t *err)
{
    int64_t since = clock_wall_ms();
    story_act("Telemetry streams, once a second");
    for (int i = 0; i < STAGE_UNITS; i++) {
        stage_series_t s;
        if (!stage_wait_series(stage, &stage->units[i], ACTS_SERIES, since, 4, ACTS_ONLINE_MS,
                               err) ||
            !stage_series(stage, &stage->units[i], ACTS_SERIES, since, INT64_MAX / 2, &s, err)) {
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

static bool wait_warmer(stage_t *stage, const stage_unit_t *unit, double than, err_t *err)
{
    uint64_t until = clock_monotonic_ms() + ACTS_ONLINE_MS;
    char text[32];
    do {
        if (!tbrest_latest_one(stage->rest, unit->id, "temperature", text, sizeof text, NULL,
                               err)) {
            return false;
        }
        if (strtod(text, NULL) > than) {
            return true;
        }
        stage_pause(200);
    } while (!stage_late(until));
    return err_set(err, ERR_PEER, "%s: the temperature stayed at %s", unit->sn, text);
}

bool act_control(stage_t *stage, err_t *err)
{
    const stage_unit_t *unit = &stage->units[0];
    char *answer;
    story_act("A call and a setting");
    if (!stage_call(stage, unit, "{\"method\":\"setLed\",\"params\":true,\"timeout\":25000}",
                    &answer, err)) {
        return false;
    }
    bool ok = strcmp(answer, "{\"led\":true}") == 0 ||
              err_set(err, ERR_PEER, "the device answered %.100s", answer);
    if (ok) {
        story_holds("called setLed(true), the device itself answered %s", answer);
    }
    free(answer);
    if (!ok ||
        !tbrest_attributes_save(stage->rest, unit->id, "SHARED_SCOPE",
                                "{\"temperature_offset\":20}", err) ||
        !wait_warmer(stage, unit, 35, err)) {
        return false;
    }
    story_holds("shared attribute temperature_offset = 20: the next values are 20 degrees warmer");
    /* kept: it holds after a restart, before anything is heard from the cloud */
    if (!stage_call(stage, unit, "{\"method\":\"reboot\",\"timeout\":25000}", &answer, err)) {
        return false;
    }
    free(answer);
    int64_t since = clock_wall_ms();
    if (!stage_wait_series(stage, unit, ACTS_SERIES, since + 500, 2, ACTS_ONLINE_MS, err) ||
        !wait_warmer(stage, unit, 35, err)) {
        return false;
    }
    story_holds("rebooted by a call, it still is: settings are kept on the device");
    return true;
}

/* Ours is killed and started again; from somebody's server the devices' network is taken away. */
static bool go_dark(stage_t *stage, int64_t *back, err_t *err)
{
    if (stage->thingsboard == NULL) {
        story_say("SIGKILL, %d seconds of darkness, and a restart.", OUTAGE_MS / 1000);
        proc_kill(&stage->cloud);
        stage_pause(OUTAGE_MS);
        *back = clock_wall_ms();
        return stage_start_cloud(stage, err);
    }
    story_say("The Wi-Fi is gone for %d seconds.", OUTAGE_MS / 1000);
    if (!stage_write_air(stage, false, err)) {
        return false;
    }
    stage_pause(OUTAGE_MS);
    *back = clock_wall_ms();
    return stage_write_air(stage, true, err);
}

bool act_outage(stage_t *stage, err_t *err)
{
    int64_t before = clock_wall_ms();
    int64_t back;
    story_act(stage->thingsboard == NULL ? "The cloud dies, and comes back"
                                         : "The network dies, and comes back");
    story_say("The devices keep what they measure.");
    if (!go_dark(stage, &back, err)) {
        return false;
    }
    /* Unit 0 has just been rebooted, which leaves a gap of its own. */
    for (int i = 1; i < STAGE_UNITS; i++) {
        stage_unit_t *unit = &stage->units[i];
        stage_series_t s;
        int64_t created = unit->created_ms;
        if (!stage_wait_series(stage, unit, ACTS_SERIES, back, 3, ACTS_ONLINE_MS, err) ||
            !stage_wait_series(stage, unit, ACTS_SERIES, before - 2000, 7, ACTS_ONLINE_MS, err) ||
            !stage_series(stage, unit, ACTS_SERIES, before - 2000, INT64_MAX / 2, &s, err) ||
            !stage_wait_record(stage, unit, NULL, 1000, err)) {
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

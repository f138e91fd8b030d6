/* SPDX-License-Identifier: Apache-2.0 */
/* The steward on the stage, and the people who have accounts with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "demo/stage.h"
#include "demo/story.h"
#include "site/run.h"
#include "site/site.h"

#define READY_MS 15000

bool stage_start_steward(stage_t *stage, err_t *err)
{
    const char *const argv[] = {stage->steward_program,
                                "-C",
                                stage->site,
                                "--listen",
                                stage->steward_address,
                                "--cloud-url",
                                stage->url,
                                "--cloud-ca",
                                stage->ca,
                                "--cloud-login",
                                stage->login,
                                "--lobby",
                                stage->lobby,
                                "--operating",
                                stage->operating,
                                NULL};
    char log[FILE_PATH_MAX];
    char ready[SITE_RUN_MAX + 1];
    site_t site;
    story_command("cradle steward --cloud-url ... &");
    if (!site_open(&site, stage->site, err) || !stage_log(stage, "steward", log, err) ||
        !proc_start(&stage->steward, argv, log, stage->outlive, err)) {
        return false;
    }
    return site_run_wait(&site, "steward", stage->steward.pid, READY_MS, ready, err) ||
           err_add(err, "cradle-steward did not start, see %s", log);
}

bool stage_make_account(stage_t *stage, const char *name, err_t *err)
{
    char password[64];
    char url[80];
    snprintf(password, sizeof password, "%s likes rhubarb\n", name);
    snprintf(url, sizeof url, "https://%s", stage->steward_address);
    return stage_cradle(stage, password, NULL, err, "steward", "account", "add", name,
                        "--password-file", "-", NULL) &&
           stage_cradle(stage, password, NULL, err, "phone", "login", name, "--steward", url,
                        "--password-file", "-", NULL);
}

bool stage_unit_state(stage_t *stage, const stage_unit_t *unit, char *owner, char *state,
                      err_t *err)
{
    const char *const argv[] = {stage->cradle, "-C",   stage->site, "--json",
                                "steward",     "show", unit->sn,    NULL};
    char log[FILE_PATH_MAX];
    char *json = NULL;
    int code;
    owner[0] = state[0] = '\0';
    if (!stage_log(stage, "commands", log, err) ||
        !proc_run(argv, NULL, log, 10000, &json, &code, err)) {
        return false;
    }
    if (code == 0) {
        stage_text(json, "owner", owner, 33);
        stage_text(json, "state", state, 33);
    }
    free(json);
    return true;
}

bool stage_wait_streaming(stage_t *stage, const stage_unit_t *unit, const char *owner,
                          int timeout_ms, err_t *err)
{
    char whose[33];
    char state[33];
    uint64_t until = clock_monotonic_ms() + (uint64_t)timeout_ms;
    do {
        if (!stage_unit_state(stage, unit, whose, state, err)) {
            return false;
        }
        if (strcmp(whose, owner) == 0 && strcmp(state, "streaming") == 0) {
            return true;
        }
        stage_pause(100);
    } while (!stage_late(until));
    return err_set(err, ERR_PEER, "%s is %s, owner \"%s\", after %d s; see %s/steward.log",
                   unit->sn, state, whose, timeout_ms / 1000, stage->logs);
}

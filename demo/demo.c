/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/demo.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "demo/acts.h"
#include "demo/story.h"
#include "term/term.h"

static bool print_table(stage_t *stage, err_t *err)
{
    term_table_t *table = term_table_new("SN|OWNER|DEVICE ID|>VALUES|>CERT DAYS LEFT");
    bool ok = table != NULL;
    for (int i = 0; i < STAGE_UNITS && ok; i++) {
        const stage_unit_t *unit = &stage->units[i];
        stage_series_t s;
        char values[16];
        char days[32];
        char owner[33];
        char state[33];
        ok = stage_series(stage, unit, ACTS_SERIES, 0, INT64_MAX / 2, &s, err) &&
             tbrest_latest_one(stage->rest, unit->id, "cert_days_left", days, sizeof days, NULL,
                               err) &&
             stage_unit_state(stage, unit, owner, state, err);
        snprintf(values, sizeof values, "%d", s.count);
        term_table_row(table, unit->sn, owner, unit->id, values, days);
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
           "  REST       %s   (CA: %s)\n"
           "  MQTTS      %s\n"
           "  steward    https://%s   (CA: %s/ca/server-root.crt)\n"
           "  login      %s\n"
           "  logs       %s/\n\n"
           "Stop it:     pkill -f -- '-C %s'; rm -r %s\n",
           stage->url, stage->ca, stage->mqtts, stage->steward_address, stage->site, stage->login,
           stage->logs, stage->site, stage->site);
    if (stage->thingsboard != NULL) {
        printf("Before the site goes, yours to delete there: devices %.*s*, customers \"owner %s\" "
               "and \"owner %s\", then\n"
               "             cradle -C %s thingsboard remove --url %s --ca %s \\\n"
               "                 --login %s --lobby %s --operating %s --chain %s\n",
               (int)strcspn(stage->pattern, "%"), stage->pattern, stage->alice, stage->bob,
               stage->site, stage->url, stage->ca, stage->login, stage->lobby, stage->operating,
               stage->chain);
    }
}

bool demo_run(const demo_settings_t *settings, err_t *err)
{
    static const act_t acts[] = {
        act_company,   act_factory, act_cloud,  act_power_on,   act_provision,   act_zero_touch,
        act_telemetry, act_control, act_outage, act_same_owner, act_other_owner, act_former_owner,
    };
    stage_t stage;
    uint64_t started = clock_monotonic_ms();
    size_t act = 0;
    term_print(stdout, TERM_BOLD, "Cradle: the life of a device, with the real programs\n");
    bool ok = stage_open(&stage, settings, err);
    while (ok && act < sizeof acts / sizeof acts[0] && !stage_stopped()) {
        ok = acts[act++](&stage, err);
    }
    if (stage_stopped() && !ok) {
        *err = (err_t)ERR_INIT; /* what failed did so because of that */
    }
    ok = !stage_stopped() ? ok : err_set(err, ERR_PRECONDITION, "stopped by a signal");
    ok = ok && print_table(&stage, err);
    if (ok) {
        printf("\nAll of it held, in %.1f s.\n", (double)(clock_monotonic_ms() - started) / 1000.0);
        if (settings->stay) {
            print_stay(&stage);
        }
    } else {
        stage.outlive = false;
    }
    bool look = !ok && act > 0 && !stage_stopped();
    if (look) {
        err_add(err, "step %zu failed", act);
        printf("\nThe site is kept for a look: %s\n", stage.site);
    }
    stage_close(&stage, !look);
    return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* acts: the story, act by act. Each says what happens, does it, and checks what it claims. */
#ifndef CRADLE_DEMO_ACTS_H
#define CRADLE_DEMO_ACTS_H

#include "demo/stage.h"

#define ACTS_ONLINE_MS 20000
#define ACTS_SERIES    "sample"

typedef bool (*act_t)(stage_t *stage, err_t *err);

/* act_make.c: a company, its factory, its cloud and steward. */
bool act_company(stage_t *stage, err_t *err);
bool act_factory(stage_t *stage, err_t *err);
bool act_cloud(stage_t *stage, err_t *err);

/* act_first.c: the first owner. */
bool act_power_on(stage_t *stage, err_t *err);
bool act_provision(stage_t *stage, err_t *err);
bool act_zero_touch(stage_t *stage, err_t *err);

/* act_use.c: every day. */
bool act_telemetry(stage_t *stage, err_t *err);
bool act_control(stage_t *stage, err_t *err);
bool act_outage(stage_t *stage, err_t *err);

/* act_owner.c: reset, the same owner, another owner. */
bool act_same_owner(stage_t *stage, err_t *err);
bool act_other_owner(stage_t *stage, err_t *err);
bool act_former_owner(stage_t *stage, err_t *err);

/* intruder.c: connects to the cloud with the key of a unit's identity image, as whoever copied the
   flash would. *code: the CONNACK code, or -1 when the handshake or the connection was refused. */
bool intruder_connect(const stage_t *stage, const char *sn, int *code, err_t *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* record_state: how a unit does, in one word: for owners and for `cradle steward units`. */
#ifndef CRADLE_STEWARD_RECORD_STATE_H
#define CRADLE_STEWARD_RECORD_STATE_H

#include "steward/record.h"

typedef enum {
    RECORD_UNKNOWN = 0,  /* no such unit, or it was not met yet                              */
    RECORD_HELD,         /* sends nothing but statements                                     */
    RECORD_HANDING_OVER, /* a transfer is open, or a claim was granted and is not final      */
    RECORD_STREAMING,
} record_stage_t;

/* "unknown", "held", "handing-over", "streaming" */
const char *record_state_name(record_stage_t stage);

typedef struct {
    record_stage_t stage;
    bool known; /* there is such a unit; else `unit` is all zero */
    record_unit_t unit;
    bool has_epoch;
    record_epoch_t epoch; /* the current one */
    bool has_transfer;
    record_transfer_t transfer; /* the open one */
} record_state_t;

bool record_state(record_t *record, const char *sn, record_state_t *state, err_t *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "steward/record_state.h"

#include <string.h>

const char *record_state_name(record_stage_t stage)
{
    static const char *const names[] = {"unknown", "held", "handing-over", "streaming"};
    return names[stage];
}

typedef struct {
    const record_state_t *state;
    bool claimed;
} search_t;

/* A grant of a former epoch is waste: the device was reset meanwhile. */
static bool find_claimed(void *ctx, const record_key_t *key)
{
    search_t *search = ctx;
    const record_state_t *state = search->state;
    search->claimed =
        key->by_claim && (key->standing == OWNERSHIP_KEY_COMMITTED ||
                          (key->standing == OWNERSHIP_KEY_GRANTED && state->has_epoch &&
                           memcmp(key->epoch, state->epoch.epoch, sizeof key->epoch) == 0));
    return !search->claimed;
}

bool record_state(record_t *record, const char *sn, record_state_t *state, err_t *err)
{
    search_t search = {state, false};
    memset(state, 0, sizeof *state);
    if (!record_unit_get(record, sn, &state->unit, &state->known, err) ||
        !record_epoch_current(record, sn, &state->epoch, &state->has_epoch, err) ||
        !record_transfer_open(record, sn, &state->transfer, &state->has_transfer, err) ||
        !record_keys(record, sn, find_claimed, &search, err)) {
        return false;
    }
    if (!state->known || (state->unit.device[0] == '\0' && !state->has_epoch)) {
        state->stage = RECORD_UNKNOWN;
    } else if (state->has_transfer || search.claimed) {
        state->stage = RECORD_HANDING_OVER;
    } else {
        state->stage = state->has_epoch && state->epoch.streams ? RECORD_STREAMING : RECORD_HELD;
    }
    return true;
}

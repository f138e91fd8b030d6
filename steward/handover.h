/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handover: performs the actions of lib/ownership/transfer.h at the cloud. The machine decides, the
 * journal remembers, this does. It touches the cloud only: NOTHING, RECEIPT, DENY and END are the
 * caller's.
 */
#ifndef CRADLE_STEWARD_HANDOVER_H
#define CRADLE_STEWARD_HANDOVER_H

#include "ownership/transfer.h"
#include "steward/cloud.h"

typedef struct {
    const char *sn;
    const uint8_t *leaf; /* the newest committed one, DER */
    size_t leaf_len;
    const char *customer; /* the new owner's, at the cloud; "" for nobody */
} handover_t;

/* Does one action and fills in what came of it. Whatever goes wrong is result->outcome, and one
   sentence in `err` for the log; it is always to be given to transfer_apply. */
void handover_act(cloud_t *cloud, const handover_t *handover, const transfer_action_t *action,
                  transfer_result_t *result, err_t *err);

/* True for the actions that handover_act does. */
bool handover_does(transfer_do_t what);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* policy: the words in which a policy is said on a command line. */
#ifndef CRADLE_STEWARD_POLICY_H
#define CRADLE_STEWARD_POLICY_H

#include "base/err.h"
#include "ownership/decide.h"

/* What was typed; NULL: nothing. */
typedef struct {
    const char *claims;    /* on, off          */
    const char *lock;      /* open, release    */
    const char *unclaimed; /* hold, keep       */
    const char *dispose;   /* delete, reassign */
} policy_words_t;

/* What was not typed: claims on, and ownership_policy_default. ERR_USAGE names the option. */
bool policy_read(const policy_words_t *words, bool *claims_on, ownership_policy_t *policy,
                 err_t *err);

const char *policy_lock_word(ownership_lock_t lock);
const char *policy_unclaimed_word(ownership_unclaimed_t unclaimed);
const char *policy_dispose_word(ownership_dispose_t dispose);

#endif

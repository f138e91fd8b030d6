/* SPDX-License-Identifier: Apache-2.0 */
#include "steward/policy.h"

#include <string.h>

static const char *const CLAIMS[] = {"on", "off"};
static const char *const LOCKS[] = {"open", "release"};
static const char *const UNCLAIMED[] = {"hold", "keep"};
static const char *const DISPOSE[] = {"delete", "reassign"};

/* *at becomes the index of the word, unless none was typed. */
static bool choose(const char *option, const char *word, const char *const words[2], int *at,
                   err_t *err)
{
    if (word == NULL) {
        return true;
    }
    for (int i = 0; i < 2; i++) {
        if (strcmp(word, words[i]) == 0) {
            *at = i;
            return true;
        }
    }
    return err_set(err, ERR_USAGE, "--%s is %s or %s, not \"%.20s\"", option, words[0], words[1],
                   word);
}

bool policy_read(const policy_words_t *words, bool *claims_on, ownership_policy_t *policy,
                 err_t *err)
{
    int claims = 0;
    if (!choose("claims", words->claims, CLAIMS, &claims, err)) {
        return false;
    }
    *claims_on = claims == 0;
    *policy = ownership_policy_default(*claims_on);
    int lock = (int)policy->lock;
    int unclaimed = (int)policy->unclaimed;
    int dispose = (int)policy->dispose;
    if (!choose("lock", words->lock, LOCKS, &lock, err) ||
        !choose("unclaimed", words->unclaimed, UNCLAIMED, &unclaimed, err) ||
        !choose("dispose", words->dispose, DISPOSE, &dispose, err)) {
        return false;
    }
    policy->lock = (ownership_lock_t)lock;
    policy->unclaimed = (ownership_unclaimed_t)unclaimed;
    policy->dispose = (ownership_dispose_t)dispose;
    return true;
}

const char *policy_lock_word(ownership_lock_t lock)
{
    return LOCKS[lock];
}

const char *policy_unclaimed_word(ownership_unclaimed_t unclaimed)
{
    return UNCLAIMED[unclaimed];
}

const char *policy_dispose_word(ownership_dispose_t dispose)
{
    return DISPOSE[dispose];
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What goes before and beside the decision: grace time, claim codes, the answer to hello. */
#include <string.h>

#include "ownership/decide.h"

bool ownership_grace_over(int64_t notified, int64_t grace, bool stolen, int64_t now)
{
    return notified > 0 && !stolen && now >= notified && now - notified >= grace;
}

ownership_code_t ownership_code_decide(const ownership_code_entry_t *entries, size_t count,
                                       int64_t epoch_seen, int64_t now, const char **by)
{
    const char *one = NULL;
    for (size_t i = 0; i < count; i++) {
        int64_t at = entries[i].entered;
        if (at < epoch_seen || at > now || at - epoch_seen > OWNERSHIP_CODE_TIME) {
            continue;
        }
        if (one != NULL && strcmp(one, entries[i].by) != 0) {
            return OWNERSHIP_CODE_TWO;
        }
        one = entries[i].by;
    }
    if (one != NULL && by != NULL) {
        *by = one;
    }
    return one != NULL ? OWNERSHIP_CODE_ONE : OWNERSHIP_CODE_NONE;
}

answer_result_t ownership_hello_answer(const ownership_decision_t *decision,
                                       const ownership_hello_t *hello)
{
    if (hello->pending) {
        return ANSWER_PENDING;
    }
    if (hello->press && hello->code) {
        return ANSWER_CLAIM;
    }
    if (decision->answer == ANSWER_STREAM && hello->renew) {
        return ANSWER_RENEW;
    }
    return decision->answer;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "steward/owner_guard.h"

#include <stdio.h>
#include <string.h>

#define WAIT_MAX_S 60
#define FORGET_MS  900000 /* after so long without a failure */

static bool is_old(const guard_t *guard, size_t i, uint64_t now_ms)
{
    return now_ms - guard->rows[i].last_ms > FORGET_MS;
}

static size_t find(const guard_t *guard, const char *who)
{
    char cut[GUARD_WHO_SIZE];
    snprintf(cut, sizeof cut, "%s", who);
    size_t i = 0;
    while (i < GUARD_ROWS && (guard->rows[i].count == 0 || strcmp(guard->rows[i].who, cut) != 0)) {
        i++;
    }
    return i;
}

unsigned guard_wait(const guard_t *guard, const char *who, unsigned free_tries, uint64_t now_ms)
{
    size_t i = find(guard, who);
    if (i == GUARD_ROWS || guard->rows[i].count <= free_tries || is_old(guard, i, now_ms)) {
        return 0;
    }
    unsigned steps = guard->rows[i].count - free_tries - 1;
    uint64_t wait_s = steps > 5 ? WAIT_MAX_S : (uint64_t)1 << steps;
    uint64_t until = guard->rows[i].last_ms + wait_s * 1000;
    return now_ms >= until ? 0 : (unsigned)((until - now_ms + 999) / 1000);
}

void guard_failed(guard_t *guard, const char *who, uint64_t now_ms)
{
    size_t i = find(guard, who);
    if (i == GUARD_ROWS) {
        i = 0;
        for (size_t k = 1; k < GUARD_ROWS; k++) {
            if (guard->rows[k].last_ms < guard->rows[i].last_ms) {
                i = k;
            }
        }
        guard->rows[i].count = 0;
        snprintf(guard->rows[i].who, GUARD_WHO_SIZE, "%s", who);
    }
    guard->rows[i].count = is_old(guard, i, now_ms) ? 1 : guard->rows[i].count + 1;
    guard->rows[i].last_ms = now_ms;
}

void guard_forget(guard_t *guard, const char *who)
{
    size_t i = find(guard, who);
    if (i < GUARD_ROWS) {
        memset(&guard->rows[i], 0, sizeof guard->rows[i]);
    }
}

bool guard_rate_take(guard_rate_t *limit, unsigned rate, unsigned burst, uint64_t now_ms)
{
    const uint64_t cost = 1000 / rate;
    const uint64_t full = cost * burst;
    uint64_t passed = limit->used ? now_ms - limit->at_ms : full;
    limit->left_ms = passed >= full - limit->left_ms ? full : limit->left_ms + passed;
    limit->at_ms = now_ms;
    limit->used = true;
    if (limit->left_ms < cost) {
        return false;
    }
    limit->left_ms -= cost;
    return true;
}

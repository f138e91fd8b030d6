/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owner_guard: slows guessing down. Who failed more often than he has free tries waits 1, 2, 4 ...
 * up to 60 seconds after each further failure, and is forgiven after 15 minutes without one; on the
 * monotonic clock. A table of fixed size: the one whose last failure is longest ago makes room.
 */
#ifndef CRADLE_STEWARD_OWNER_GUARD_H
#define CRADLE_STEWARD_OWNER_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUARD_ROWS     512
#define GUARD_WHO_SIZE 104 /* an address, a space, an account: cut when longer */

typedef struct {
    struct {
        char who[GUARD_WHO_SIZE];
        unsigned count;
        uint64_t last_ms;
    } rows[GUARD_ROWS];
} guard_t;

/* Seconds that `who` has to wait, 0 for none. */
unsigned guard_wait(const guard_t *guard, const char *who, unsigned free_tries, uint64_t now_ms);
void guard_failed(guard_t *guard, const char *who, uint64_t now_ms);
void guard_forget(guard_t *guard, const char *who);

/* At most `burst` at once, and `rate` a second after that: what costs much time, whoever asks. */
typedef struct {
    uint64_t at_ms;
    uint64_t left_ms; /* a try costs 1000 / rate of it */
    bool used;
} guard_rate_t;
bool guard_rate_take(guard_rate_t *limit, unsigned rate, unsigned burst, uint64_t now_ms);

#endif

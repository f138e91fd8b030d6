/* SPDX-License-Identifier: Apache-2.0 */
/* clock: the two clocks of the host, in milliseconds. The device's brain never reads one. */
#ifndef CRADLE_BASE_CLOCK_H
#define CRADLE_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds since some fixed moment; never jumps. For time-outs. */
static inline uint64_t clock_monotonic_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Milliseconds since 1970 UTC; can jump. For time stamps. */
static inline int64_t clock_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#endif

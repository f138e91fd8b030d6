/* SPDX-License-Identifier: Apache-2.0 */
#include "steward/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

/* Of refusals: so many at once, then one in so many milliseconds. */
#define REFUSALS_MAX 60u
#define REFUSAL_MS   1000u

void steward_log_line(void *ctx, const char *text)
{
    (void)ctx;
    char line[1024];
    char when[32];
    int64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &utc);
    int n = snprintf(line, sizeof line - 1, "%s.%03dZ %s", when, (int)(now_ms % 1000), text);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof line - 1 ? (size_t)n : sizeof line - 2;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)line[i];
        if (c < 0x20 || c == 0x7f) {
            line[i] = '?';
        }
    }
    line[len] = '\n';
    fwrite(line, 1, len + 1, stderr);
}

void steward_log_refusal(void *ctx, const char *text)
{
    static uint64_t at_ms;
    static uint64_t left_ms = REFUSALS_MAX * REFUSAL_MS; /* a line costs REFUSAL_MS of it */
    static uint64_t left_out;
    char line[960];
    uint64_t now = clock_monotonic_ms();
    left_ms += now - at_ms;
    at_ms = now;
    if (left_ms > REFUSALS_MAX * REFUSAL_MS) {
        left_ms = REFUSALS_MAX * REFUSAL_MS;
    }
    if (left_ms < REFUSAL_MS) {
        left_out++;
        return;
    }
    left_ms -= REFUSAL_MS;
    if (left_out > 0) {
        snprintf(line, sizeof line, "%.800s (and %" PRIu64 " refusals that were left out)", text,
                 left_out);
        text = line;
        left_out = 0;
    }
    steward_log_line(ctx, text);
}

void steward_log(const char *format, ...)
{
    char text[960];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    steward_log_line(NULL, text);
}

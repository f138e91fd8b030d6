/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/log.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define KINDS 32

/* How much of a kind was written in the present second. */
typedef struct {
    const char *event;
    int64_t second;
    unsigned written;
    unsigned left_out;
} kind_t;

static kind_t kinds[KINDS];

static kind_t *find_kind(const char *event)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (kinds[i].event == NULL) {
            kinds[i].event = event;
        }
        if (strcmp(kinds[i].event, event) == 0) {
            return &kinds[i];
        }
    }
    return &kinds[KINDS - 1]; /* more kinds than planned: the last ones share a limit */
}

/* False: this line is one too many. *left_out: how many were not written before it. */
static bool allowed(const char *event, int64_t now_ms, unsigned *left_out)
{
    kind_t *kind = find_kind(event);
    *left_out = 0;
    if (kind->second != now_ms / 1000) {
        kind->second = now_ms / 1000;
        kind->written = 0;
    }
    if (kind->written == LOG_PER_SECOND) {
        kind->left_out++;
        return false;
    }
    kind->written++;
    *left_out = kind->left_out;
    kind->left_out = 0;
    return true;
}

void cloud_log(log_level_t level, const char *event, const char *format, ...)
{
    static const char *const levels[] = {"info", "warn", "error"};
    char line[2048];
    char when[32];
    unsigned left_out;
    int64_t now = clock_wall_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm utc;
    va_list args;
    if (!allowed(event, now, &left_out)) {
        return;
    }
    gmtime_r(&seconds, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &utc);
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (left_out > 0) {
        fprintf(stderr, "%s.%03dZ %s %s %s left_out=%u\n", when, (int)(now % 1000), levels[level],
                event, line, left_out);
    } else {
        fprintf(stderr, "%s.%03dZ %s %s %s\n", when, (int)(now % 1000), levels[level], event, line);
    }
}

const char *log_text(const char *text, size_t len, char *out, size_t cap)
{
    size_t o = 0;
    out[o++] = '"';
    for (size_t i = 0; i < len && o + 2 < cap; i++) {
        unsigned char c = (unsigned char)text[i];
        out[o++] = c < 0x20 || c > 0x7e || c == '"' || c == '\\' ? '?' : (char)c;
    }
    out[o++] = '"';
    out[o] = '\0';
    return out;
}

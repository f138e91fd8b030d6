/* SPDX-License-Identifier: Apache-2.0 */
#include "term/term.h"

#include <inttypes.h>

#include "base/clock.h"

#define FIRST_AFTER_MS 300
#define EVERY_MS       100
#define BAR_WIDTH      30

void term_progress_begin(term_progress_t *bar, const char *label, uint64_t total)
{
    *bar = (term_progress_t){.label = label,
                             .total = total,
                             .started_ms = clock_monotonic_ms(),
                             .on = term_is_tty(stderr)};
}

static void draw(const term_progress_t *bar, uint64_t done, uint64_t elapsed_ms)
{
    double rate = elapsed_ms > 0 ? (double)done * 1000.0 / (double)elapsed_ms : 0;
    if (bar->total == 0) {
        fprintf(stderr, "\r\033[K%s %" PRIu64 "  %.0f/s", bar->label, done, rate);
    } else {
        int full = (int)(done * BAR_WIDTH / bar->total);
        full = full > BAR_WIDTH ? BAR_WIDTH : full;
        fprintf(stderr, "\r\033[K%s [", bar->label);
        for (int i = 0; i < BAR_WIDTH; i++) {
            fputc(i < full ? '#' : '.', stderr);
        }
        fprintf(stderr, "] %" PRIu64 "/%" PRIu64 "  %.0f/s", done, bar->total, rate);
    }
    fflush(stderr);
}

void term_progress_update(term_progress_t *bar, uint64_t done)
{
    if (!bar->on) {
        return;
    }
    uint64_t now = clock_monotonic_ms();
    if (now - bar->started_ms < FIRST_AFTER_MS || now - bar->drawn_ms < EVERY_MS) {
        return;
    }
    draw(bar, done, now - bar->started_ms);
    bar->drawn_ms = now;
    bar->shown = true;
}

void term_progress_end(term_progress_t *bar)
{
    if (bar->shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    bar->on = false;
}

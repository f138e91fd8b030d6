/* SPDX-License-Identifier: Apache-2.0 */
/*
 * term: what a command shows to a person: aligned tables, progress bars, a little colour,
 * questions.
 *
 * Colour and bars appear only when the stream is a terminal, NO_COLOR is unset and TERM is not
 * "dumb". Everything else is plain text that can be piped. Nothing here knows what it prints.
 */
#ifndef CRADLE_TERM_TERM_H
#define CRADLE_TERM_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

typedef enum { TERM_PLAIN, TERM_BOLD, TERM_DIM, TERM_GREEN, TERM_RED, TERM_YELLOW } term_style_t;

bool term_is_tty(FILE *out);

/* printf in a style; on a plain stream just printf. */
void term_print(FILE *out, term_style_t style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "cradle: <text>" on standard error, in red on a terminal, with one line end. For an err_t:
   term_error("%s", err.text). Control characters from foreign bytes are shown as '?'. */
void term_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * A table: columns are measured over all rows, numbers can be set flush right, the header is bold
 * on a terminal. Cells are copied. Widths count UTF-8 characters, not bytes. Control characters
 * in cells are shown as '?'.
 */
typedef struct term_table term_table_t;

/* `columns` is "SN|STATE|>DAYS": names separated by '|', a leading '>' sets the column right. */
term_table_t *term_table_new(const char *columns);
/* As many strings as there are columns. */
void term_table_row(term_table_t *table, const char *first, ...);
void term_table_print(const term_table_t *table, FILE *out);
void term_table_free(term_table_t *table);

/* A bar for work over a second: nothing is drawn before 300 ms, at most 10 times a second, and
   only on a terminal. `total` 0 means unknown: a count is shown instead of a bar. */
typedef struct {
    const char *label;
    uint64_t total;
    uint64_t started_ms;
    uint64_t drawn_ms;
    bool on;
    bool shown;
} term_progress_t;

void term_progress_begin(term_progress_t *bar, const char *label, uint64_t total);
void term_progress_update(term_progress_t *bar, uint64_t done);
void term_progress_end(term_progress_t *bar); /* erases it */

/* Asks on the terminal without echo (/dev/tty), or reads one line from `fd` when fd >= 0. For
   passphrases and passwords: never from an argument. The caller wipes the buffer. */
bool term_secret(const char *prompt, int fd, char *out, size_t cap, err_t *err);

/* Yes or no on the terminal; without one, `otherwise`. */
bool term_confirm(const char *question, bool otherwise);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "term/term.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const STYLES[] = {
    [TERM_PLAIN] = "",         [TERM_BOLD] = "\033[1m", [TERM_DIM] = "\033[2m",
    [TERM_GREEN] = "\033[32m", [TERM_RED] = "\033[31m", [TERM_YELLOW] = "\033[33m",
};

bool term_is_tty(FILE *out)
{
    const char *term = getenv("TERM");
    return isatty(fileno(out)) == 1 && getenv("NO_COLOR") == NULL &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

void term_print(FILE *out, term_style_t style, const char *format, ...)
{
    bool on = style != TERM_PLAIN && term_is_tty(out);
    va_list args;
    va_start(args, format);
    if (on) {
        fputs(STYLES[style], out);
    }
    vfprintf(out, format, args);
    if (on) {
        fputs("\033[0m", out);
    }
    va_end(args);
}

/* Foreign bytes must not steer the terminal. */
static void mask_controls(char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f) {
            *text = '?';
        }
    }
}

void term_error(const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    mask_controls(text);
    fflush(stdout);
    term_print(stderr, TERM_RED, "cradle: %s", text);
    fputc('\n', stderr);
}

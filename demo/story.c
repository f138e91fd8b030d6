/* SPDX-License-Identifier: Apache-2.0 */
#include "demo/story.h"

#include <stdarg.h>
#include <stdio.h>

#include "term/term.h"

static int act_number;

void story_act(const char *title)
{
    act_number++;
    putchar('\n');
    term_print(stdout, TERM_BOLD, "%d  %s", act_number, title);
    putchar('\n');
}

void story_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("   ", stdout);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    fflush(stdout);
}

void story_command(const char *line)
{
    fputs("   ", stdout);
    term_print(stdout, TERM_DIM, "$ %s", line);
    putchar('\n');
    fflush(stdout);
}

void story_holds(const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fputs("   ", stdout);
    term_print(stdout, TERM_GREEN, "ok");
    printf("  %s\n", text);
    fflush(stdout);
}

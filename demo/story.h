/* SPDX-License-Identifier: Apache-2.0 */
/* story: how the demo speaks. Titles, sentences, the commands it runs, and claims that hold. */
#ifndef CRADLE_DEMO_STORY_H
#define CRADLE_DEMO_STORY_H

/* "2  The factory", numbered by itself. */
void story_act(const char *title);

/* What happens now, in a sentence or two. */
void story_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The command that is being run, as a person would type it. */
void story_command(const char *line);

/* A claim that has just been checked against the real thing. */
void story_holds(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

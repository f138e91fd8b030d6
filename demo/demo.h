/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo: the story of a device's life, told with the real programs on this machine.
 *
 * Makes a temporary site, starts cradle-cloud, `cradle device` and `cradle phone` as processes on
 * free loopback ports, tells what happens, and checks each claim by asking the cloud over REST.
 * Nothing is faked: every step is a command that a person could type. Blocking; a minute at most.
 */
#ifndef CRADLE_DEMO_DEMO_H
#define CRADLE_DEMO_DEMO_H

#include <stdbool.h>

#include "base/err.h"

typedef struct {
    bool stay;        /* leave everything running at the end and print addresses and logins  */
    const char *site; /* where to make the site; NULL: a new directory under TMPDIR          */
} demo_settings_t;

/* True when every claim held. Otherwise the error names the step that failed and where the logs
   are; the site is then kept. On success it is removed, unless `stay` or a site was given. */
bool demo_run(const demo_settings_t *settings, err_t *err);

#endif

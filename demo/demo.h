/* SPDX-License-Identifier: Apache-2.0 */
/*
 * demo: the story of a device's life, told with the real programs on this machine.
 *
 * Makes a temporary site, starts cradle-cloud, cradle-steward, `cradle device` and `cradle phone`
 * as processes on free loopback ports, tells what happens, and checks each claim by asking the
 * cloud over REST. Nothing is faked: every step is a command that a person could type. Blocking; a
 * minute at most.
 *
 * With `thingsboard` the cloud is a running ThingsBoard instead of ours: the story is played in
 * profiles, a rule chain, serial numbers and customers of its own, all of which it takes away
 * again. That server must be able to reach this machine's steward (thingsboard.steward_host).
 */
#ifndef CRADLE_DEMO_DEMO_H
#define CRADLE_DEMO_DEMO_H

#include <stdbool.h>

#include "base/err.h"

typedef struct {
    const char *url;   /* REST, "http://127.0.0.1:8080"                                          */
    const char *mqtts; /* HOST:PORT                                                              */
    const char *ca;    /* PEM: who signed the certificates of both                               */
    const char *login; /* file {"username","password"} of a tenant administrator; NULL: the
                          environment, CRADLE_TB_USERNAME and CRADLE_TB_PASSWORD                 */
    const char *steward_host; /* where that server finds this machine; NULL: 127.0.0.1           */
} demo_thingsboard_t;

typedef struct {
    bool stay;           /* leave everything running at the end and print addresses and logins   */
    bool as_thingsboard; /* our cloud as lax as ThingsBoard is                                   */
    const char *site;    /* where to make the site; NULL: a new directory under TMPDIR           */
    const demo_thingsboard_t *thingsboard; /* NULL: our own cloud */
} demo_settings_t;

/* True when every claim held. Otherwise the error names the step that failed and where the logs
   are; the site is then kept. On success it is removed, unless `stay` or a site was given. */
bool demo_run(const demo_settings_t *settings, err_t *err);

#endif

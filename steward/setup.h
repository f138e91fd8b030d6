/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setup: makes a ThingsBoard ready for Cradle, over REST as tenant administrator (`cradle
 * thingsboard setup`): the profiles *lobby* (chain provisioning under the product CA) and
 * *operating* (no provisioning), and, where the server has rule chains, the chain that takes
 * devices' calls `cradle.*` to the steward (thingsboard-live.md section 3) as default rule chain of
 * both. cradle-cloud has no rule chains: there it is said which option does the same.
 *
 * Idempotent: what is there and right is left alone, what differs is changed, everything is read
 * back and compared. A dry run only says what it would do.
 */
#ifndef CRADLE_STEWARD_SETUP_H
#define CRADLE_STEWARD_SETUP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "tbrest/tbrest.h"

typedef enum {
    SETUP_RIGHT = 0,
    SETUP_MADE,
    SETUP_CHANGED,
    SETUP_WOULD_MAKE,
    SETUP_WOULD_CHANGE,
    SETUP_NOT_HERE
} setup_state_t;

typedef struct {
    const char *what; /* "profile", "rule chain", "root chain" */
    const char *name;
    setup_state_t state;
    const char *note; /* one sentence, or "" */
} setup_line_t;

typedef struct {
    const char *lobby; /* profile names                                  */
    const char *operating;
    const char *chain;       /* rule chain's name                              */
    const char *product_pem; /* the product CA's certificate                   */
    const char *steward_url; /* "https://host:port"; "/rpc" is appended        */
    const char *steward_ca;  /* PEM text that the server trusts the steward by */
    const char *forward_key; /* the secret of the node's Authorization header  */
    bool dry_run;
    void *ctx;
    void (*line)(void *ctx, const setup_line_t *line);
} setup_t;

/* `rest` is logged in as tenant administrator. */
bool setup_run(tbrest_t *rest, const setup_t *setup, err_t *err);

/* Takes away what setup_run made: chain, and profiles that no device uses (ERR_PRECONDITION names
   one that is still in use). For the demo on somebody's server. */
bool setup_remove(tbrest_t *rest, const setup_t *setup, err_t *err);

#endif

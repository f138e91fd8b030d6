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
    SETUP_NOT_HERE, /* the server has no such thing, or it was not asked for; see the note */
    SETUP_REMOVED,
    SETUP_WOULD_REMOVE,
} setup_state_t;

/* "made", "would be made" */
const char *setup_state_name(setup_state_t state);

typedef struct {
    const char *what; /* "profile", "rule chain", "root chain", "placeholder" */
    const char *name;
    setup_state_t state;
    const char *note; /* one sentence, or "" */
} setup_line_t;

/* An issuing CA, on a server shared with other tenants (thingsboard-live.md section 3): one of them
   could register that public certificate, and our devices' first contacts would land there. A
   placeholder profile "<lobby> placeholder <name>" takes the place. */
typedef struct {
    const char *name;
    const char *pem;
} setup_issuing_t;

#define SETUP_ISSUING_MAX 8

typedef struct {
    const char *lobby; /* profile names                                  */
    const char *operating;
    const char *chain;              /* rule chain's name                              */
    const char *product_pem;        /* the product CA's certificate, and no other     */
    const setup_issuing_t *issuing; /* at most SETUP_ISSUING_MAX               */
    size_t issuing_count;
    const char *steward_url; /* "https://host:port"; "/rpc" is appended. NULL: no rule chain, and
                                the profiles' own chains stay as they are */
    const char *steward_ca;  /* PEM text that the server trusts the steward by */
    const char *forward_key; /* the secret of the node's Authorization header  */
    bool dry_run;
    void *ctx;
    void (*line)(void *ctx, const setup_line_t *line);
} setup_t;

/* Logs in with a file as of cloud_settings_t, or, when it is NULL, with what is in the environment
   variables CRADLE_TB_USERNAME and CRADLE_TB_PASSWORD. */
bool setup_login(tbrest_t *rest, const char *login_file, err_t *err);

/* `rest` is logged in as tenant administrator. */
bool setup_run(tbrest_t *rest, const setup_t *setup, err_t *err);

/* Takes away what setup_run made: profiles that no device uses (ERR_PRECONDITION names one that is
   still in use, and nothing is removed), then the chain. A profile or chain of that name that
   setup_run cannot have made so is left, with ERR_PRECONDITION. For the demo on somebody's server.
 */
bool setup_remove(tbrest_t *rest, const setup_t *setup, err_t *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* setup_internal: what the files behind steward/setup.h share. */
#ifndef CRADLE_STEWARD_SETUP_INTERNAL_H
#define CRADLE_STEWARD_SETUP_INTERNAL_H

#include "steward/cloud_internal.h"
#include "steward/setup.h"

#define SETUP_KEY_SIZE 65 /* provisionDeviceKey: SHA3-256 in hex */

typedef struct {
    tbrest_t *rest;
    const setup_t *s;
    bool has_chains;           /* the server has rule chains                                   */
    bool chain_named;          /* the profiles' default chain is ours to set                   */
    char root[TBREST_ID_SIZE]; /* the tenant's root chain                                      */
    char root_name[TBREST_NAME_SIZE];
    char chain[TBREST_ID_SIZE]; /* ours; "" while there is none                                 */
} setup_work_t;

void setup_say(const setup_work_t *w, const char *what, const char *name, setup_state_t state,
               const char *note);

/* True when everything in `want` is in `have`: members of objects in any order and with others
   between them, arrays element by element. A wanted null may be absent. */
bool setup_contains(const json_token_t *have, const json_token_t *want);
bool setup_text_contains(const char *have, const char *want);

/* A JSON string of the text, on the heap; NULL: out of memory. */
char *setup_quote(const char *text);

/* Pages through `path` ("/api/..?", to be followed by pageSize) and calls `each`. */
bool setup_pages(tbrest_t *rest, const char *path, cloud_element_fn each, void *ctx, err_t *err);

/* A profile as it is to be. */
typedef struct {
    const char *what;
    const char *name;
    const char *note;
    const char *type; /* provisionType */
    const char *key;  /* provisionDeviceKey; NULL: none */
    bool send_key;    /* else the server computes it */
    const char *pem;  /* of a chain profile */
    bool chained;     /* our rule chain is its default */
} setup_profile_t;

bool setup_profile_make(setup_work_t *w, const setup_profile_t *profile, err_t *err);

/* The three kinds; `key` is of SETUP_KEY_SIZE, `name` of TBREST_NAME_SIZE, both kept by the caller.
 */
bool setup_profile_lobby(const setup_t *s, char *pem, size_t cap, char *key,
                         setup_profile_t *profile, err_t *err);
void setup_profile_operating(const setup_t *s, setup_profile_t *profile);
bool setup_profile_placeholder(const setup_t *s, size_t i, char *name, char *key,
                               setup_profile_t *profile, err_t *err);

/* Looks whether it could be removed; *id "" when it is not there. */
bool setup_profile_removable(setup_work_t *w, const setup_profile_t *profile,
                             char id[TBREST_ID_SIZE], err_t *err);

/* Finds out what chains there are. */
bool setup_chain_look(setup_work_t *w, err_t *err);
bool setup_chain_make(setup_work_t *w, err_t *err);
/* Ours, by what is in it? */
bool setup_chain_removable(setup_work_t *w, err_t *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The part of ThingsBoard that `cradle thingsboard setup` speaks to, in memory, over plain HTTP on
   this machine: profiles and rule chains with versions, ids and computed keys, as the recorded
   server (tests/fixtures). A thread of its own answers. */
#ifndef CRADLE_TESTS_FAKE_THINGSBOARD_H
#define CRADLE_TESTS_FAKE_THINGSBOARD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"

#define FAKE_TB_THINGS 24

typedef struct {
    char id[40]; /* "": free */
    char *json;
    char *metadata; /* of a chain */
} fake_tb_thing_t;

/* Everything may be looked at and changed while no call is under way. */
typedef struct {
    fake_tb_thing_t profile[FAKE_TB_THINGS];
    fake_tb_thing_t chain[FAKE_TB_THINGS];
    int made;
    bool no_chains;      /* answers as cradle-cloud */
    int devices;         /* in every profile */
    int writes;          /* POST and DELETE, but logins */
    const char *spoiled; /* a profile is kept with this regular expression, whatever is sent */
    bool lost_nodes;     /* a chain is kept without its nodes */
    char url[64];
    struct http_server *server;
    pthread_t thread;
    atomic_bool stop;
} fake_tb_t;

/* A root chain and the profile "default" are there. */
bool fake_tb_open(fake_tb_t *fake, err_t *err);
void fake_tb_close(fake_tb_t *fake);

/* By name, or NULL. */
fake_tb_thing_t *fake_tb_profile(fake_tb_t *fake, const char *name);
fake_tb_thing_t *fake_tb_chain(fake_tb_t *fake, const char *name);

/* Replaces the first `from` in a text on the heap; false when it is not there. */
bool fake_tb_replace(char **text, const char *from, const char *to);

#endif

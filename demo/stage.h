/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stage: the site, the processes and the questions that the acts of the demo share. It starts
 * programs and asks over REST; it includes no other room.
 *
 *     stage.c          the site, the commands, the devices, the simulated air
 *     stage_cloud.c    the cloud: ours, or a ThingsBoard; what it knows
 *     stage_steward.c  the steward, its accounts, what it says of a unit
 */
#ifndef CRADLE_DEMO_STAGE_H
#define CRADLE_DEMO_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file.h"
#include "demo/demo.h"
#include "proc/proc.h"
#include "tbrest/tbrest.h"

#define STAGE_UNITS      3
#define STAGE_SSID       "Alice-Home"
#define STAGE_PASSPHRASE "rhubarb-crumble"

typedef struct {
    char sn[65];
    char service[32];        /* ESP-PROV-XXXX                                   */
    char id[TBREST_ID_SIZE]; /* the cloud's device id, once it is known         */
    char customer[TBREST_ID_SIZE];
    char profile[TBREST_NAME_SIZE];
    int64_t created_ms; /* the cloud's createdTime of the record                */
    proc_t proc;
} stage_unit_t;

typedef struct {
    char site[FILE_PATH_MAX];
    char logs[FILE_PATH_MAX];
    char cradle[FILE_PATH_MAX];
    char cloud_program[FILE_PATH_MAX];
    char steward_program[FILE_PATH_MAX];
    const demo_thingsboard_t *thingsboard; /* NULL: the cloud is ours */
    bool as_thingsboard;
    bool temporary; /* we made the site and may remove it */
    bool outlive;   /* processes go on when the demo ends */
    bool set_up;    /* the cloud has our profiles         */
    proc_t cloud;
    proc_t steward;
    char mqtts[300]; /* HOST:PORT */
    char url[300];   /* of REST */
    char ca[FILE_PATH_MAX];
    char login[FILE_PATH_MAX];
    char steward_address[64]; /* 127.0.0.1:PORT */
    /* Names that are ours alone on somebody's server; on our own cloud the plain ones. */
    char lobby[64], operating[64], chain[64];
    char pattern[32]; /* of serial numbers */
    char alice[24], bob[24];
    tbrest_t *rest;
    stage_unit_t units[STAGE_UNITS];
} stage_t;

/* Finds the programs and names the site's directory; starts nothing. */
bool stage_open(stage_t *stage, const demo_settings_t *settings, err_t *err);

/* Stops what runs (unless it is to outlive us), takes away what was made on somebody's server, and
   removes a temporary site when `remove`. */
void stage_close(stage_t *stage, bool remove);

/* Shows and runs `cradle -C SITE --json ARGS...` (a NULL ends them) with `input` on its standard
   input. Success is exit code 0; then *out (may be NULL) is its JSON, freed by the caller. */
bool stage_cradle(stage_t *stage, const char *input, char **out, err_t *err, ...)
    __attribute__((sentinel));

/* The same for a command that has to fail: true when it ended with exit code 1. *out gets its
   standard output. */
bool stage_cradle_fails(stage_t *stage, const char *input, char **out, err_t *err, ...)
    __attribute__((sentinel));

/* A text of the JSON at `path`; "" when there is none. */
void stage_text(const char *json, const char *path, char *out, size_t cap);

/* SIGINT, SIGTERM or SIGHUP came: the story is to end, and to be cleared up after. */
bool stage_stopped(void);

/* Pauses end when the story is to end; a loop that waits until then (monotonic) is over, too. */
void stage_pause(long ms);
bool stage_late(uint64_t until_ms);

/* The file of a log: "logs/NAME.log". */
bool stage_log(const stage_t *stage, const char *name, char out[FILE_PATH_MAX], err_t *err);

/* Writes the simulated air: one network, up or gone, on which the names of cloud and steward lead
   to ours. */
bool stage_write_air(stage_t *stage, bool up, err_t *err);

bool stage_start_unit(stage_t *stage, stage_unit_t *unit, err_t *err);

/* Waits until the unit advertises itself again. */
bool stage_wait_advertised(stage_t *stage, const stage_unit_t *unit, int timeout_ms, err_t *err);

/* -- stage_cloud.c --------------------------------------------------------------------------- */

/* Where the cloud is. Of our own, free ports are chosen at its start; a ThingsBoard has to let us
   in, and to be where it was said to be. */
bool stage_choose_cloud(stage_t *stage, err_t *err);

/* Starts cradle-cloud, on free ports the first time and on the same ones afterwards, waits until
   it is ready, logs in over REST. Of a ThingsBoard: logs in. */
bool stage_start_cloud(stage_t *stage, err_t *err);

/* Profiles and rule chain (`cradle thingsboard setup`). */
bool stage_setup(stage_t *stage, err_t *err);
void stage_clean_up(stage_t *stage);

/* probe.c: a TLS server is there, and `ca` (PEM) vouches for it. Blocks as long as connect does. */
bool stage_probe(const char *address, const char *ca, err_t *err);

/* How many devices of this site the cloud knows. */
bool stage_count_devices(stage_t *stage, int *count, err_t *err);

/* Waits until the cloud has a record of that SN (other than `not_id`, if that is not NULL); fills
   id, created_ms, customer and profile. */
bool stage_wait_record(stage_t *stage, stage_unit_t *unit, const char *not_id, int timeout_ms,
                       err_t *err);

/* Calls the device: POST /api/rpc/twoway. *answer is heap. */
bool stage_call(stage_t *stage, const stage_unit_t *unit, const char *body, char **answer,
                err_t *err);

/* What the cloud has of a series in [from, to). */
typedef struct {
    int count;
    int64_t first_ts, last_ts;
    int64_t widest_gap_ms; /* between two neighbours */
} stage_series_t;
bool stage_series(stage_t *stage, const stage_unit_t *unit, const char *key, int64_t from_ms,
                  int64_t to_ms, stage_series_t *series, err_t *err);

/* Waits until at least `count` values of `key` newer than `since_ms` are there. */
bool stage_wait_series(stage_t *stage, const stage_unit_t *unit, const char *key, int64_t since_ms,
                       int count, int timeout_ms, err_t *err);

/* -- stage_steward.c ------------------------------------------------------------------------- */

/* Starts cradle-steward, on the address that was chosen for it. */
bool stage_start_steward(stage_t *stage, err_t *err);

/* An account, and its log-in on this machine. */
bool stage_make_account(stage_t *stage, const char *name, err_t *err);

/* What the steward's record says of a unit: owner and state, each at least 33 bytes. */
bool stage_unit_state(stage_t *stage, const stage_unit_t *unit, char *owner, char *state,
                      err_t *err);
bool stage_wait_streaming(stage_t *stage, const stage_unit_t *unit, const char *owner,
                          int timeout_ms, err_t *err);

#endif

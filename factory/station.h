/* SPDX-License-Identifier: Apache-2.0 */
/*
 * station: what the stations of the line share: who writes in custody, where each board and unit
 * is, and what is printed of it.
 *
 * Where a unit is follows from custody alone and is stored nowhere else:
 *
 *     assembled -> flashed -> identified -> tested -> labelled -> shipped;    scrapped
 *
 * A board is known by its MAC until it has an SN. A station that failed leaves the state as it was;
 * the failure is counted. A rework begins again at "identified". Every station is idempotent: what
 * was done with the same result before is success, and nothing new is recorded.
 *
 * Several stations and several lines may work on one site at once. Everything blocks.
 */
#ifndef CRADLE_FACTORY_STATION_H
#define CRADLE_FACTORY_STATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "factory/factory.h"
#include "site/site.h"

/* Kinds of custody entries, beside those of custody/custody.h. */
#define FACTORY_BOARD  "board"  /* {mac, hw, lot, checks{}}               sn ""             */
#define FACTORY_FLASH  "flash"  /* {mac, base_sha256, rollback}           sn "" or the SN   */
#define FACTORY_TEST   "test"   /* {pass, cause?, limits, values{}, ...}                    */
#define FACTORY_LABEL  "label"  /* {code_hash, qr}                                          */
#define FACTORY_SHIP   "ship"   /* {pack}                                                   */
#define FACTORY_REWORK "rework" /* {old_leaf, new_leaf} and what an identity entry says     */
#define FACTORY_DENY   "deny"   /* {leaf}                                                   */
#define FACTORY_SCRAP  "scrap"  /* {why, mac}                                               */

typedef enum {
    FACTORY_UNKNOWN = 0,
    FACTORY_ASSEMBLED,
    FACTORY_FLASHED,
    FACTORY_IDENTIFIED,
    FACTORY_TESTED,
    FACTORY_LABELLED,
    FACTORY_SHIPPED,
    FACTORY_SCRAPPED,
} factory_state_t;
#define FACTORY_STATES 8

const char *factory_state_name(factory_state_t state); /* "assembled" */

#define FACTORY_CAUSE_SIZE 33

/* A board or unit, as custody has it. Times are of the latest such entry, ms since 1970; 0: none.
   The copy that a call hands out is the caller's. */
typedef struct {
    char mac[FACTORY_MAC_SIZE]; /* "" for what custody does not tell a MAC of        */
    char sn[SITE_SN_SIZE];      /* "" before station 3; of one that is pending, too, there is no
                                   unit yet (identity_ms is 0)                       */
    bool checks_passed;         /* of the latest board entry                         */
    int64_t board_ms, flash_ms, pending_ms, identity_ms, test_ms, label_ms, ship_ms, scrap_ms;
    uint32_t board_failures, test_passes, test_failures, reworks;
    char board_cause[FACTORY_CAUSE_SIZE]; /* first check that failed, of the latest failure */
    char test_cause[FACTORY_CAUSE_SIZE];
    uint8_t facts[32]; /* SHA-256 of the detail of the latest board entry */
    uint8_t base[32];  /* of the latest flash entry                       */
} factory_item_t;

factory_state_t factory_item_state(const factory_item_t *item);

typedef struct factory_station factory_station_t;

/* Opens custody as `writer` ([a-z0-9-], 1 to 32; NULL: "line") and reads it once. `site` must
   outlive it. A station belongs to one thread. */
bool factory_station_open(const site_t *site, const char *writer, factory_station_t **station,
                          err_t *err);
/* The same for who only reads; a site without custody is an empty one. */
bool factory_station_look(const site_t *site, factory_station_t **station, err_t *err);
void factory_station_close(factory_station_t *station); /* NULL is allowed */

/* What station 3 found that people must know (checkpoint.h: a back-up was restored); "" for
   nothing. Valid until the station is closed. */
const char *factory_station_notice(const factory_station_t *station);

/* The latest that custody says, from other stations too. ERR_PRECONDITION: not known. */
bool factory_find_mac(factory_station_t *station, const char *mac, factory_item_t *item,
                      err_t *err);
bool factory_find_sn(factory_station_t *station, const char *sn, factory_item_t *item, err_t *err);

/* All of them, boards first seen first; return false to stop. */
bool factory_each_item(factory_station_t *station,
                       bool (*each)(void *context, const factory_item_t *item), void *context,
                       err_t *err);

/* A MAC as a scanner gives it ("A0B1C2D3E4F5", "a0-b1-..", "A0:B1:..") in the form of this project.
   ERR_USAGE for anything else, a multicast address, and all zeros. */
bool factory_mac_parse(const char *text, char out[FACTORY_MAC_SIZE], err_t *err);

/* ---- the report (report.c) ---- */

/* Why something failed, and how often; of one station. */
#define FACTORY_CAUSES_MAX 64
typedef struct {
    const char *station;            /* "assemble" or "test"                        */
    char cause[FACTORY_CAUSE_SIZE]; /* the check, the step or the value that failed */
    uint64_t count;
} factory_cause_t;

/* What went through one station. */
typedef struct {
    const char *station;
    uint64_t units;    /* came there                                    */
    uint64_t passed;   /* of them, in the end                           */
    uint64_t first;    /* of them, at the first try: first-pass yield   */
    uint64_t failures; /* tries that failed                             */
} factory_yield_t;

#define FACTORY_STATIONS 5
typedef struct {
    factory_yield_t yield[FACTORY_STATIONS];
    uint64_t state[FACTORY_STATES]; /* boards and units by state; FACTORY_UNKNOWN: boards that
                                       never passed station 1 */
    uint64_t reworks;
    factory_cause_t cause[FACTORY_CAUSES_MAX]; /* most frequent first */
    size_t cause_count;
} factory_report_t;

bool factory_report(factory_station_t *station, factory_report_t *report, err_t *err);

/* ---- scrap (report.c) ---- */

/* A board (its MAC) or a unit (its SN) is taken out for good. Its certificate stays as it is:
   `cradle ca deny --sn`. *already: it was scrapped before. */
bool factory_scrap(factory_station_t *station, const char *mac_or_sn, const char *why,
                   bool *already, err_t *err);

/* ---- station 1: assemble (board.c) ---- */

#define FACTORY_CHECKS_MAX 16
#define FACTORY_CHECK_SIZE 25

typedef struct {
    char name[FACTORY_CHECK_SIZE];  /* [a-z0-9_]                                         */
    char value[FACTORY_CHECK_SIZE]; /* "ok", "fail", a number, or a word of [A-Za-z0-9._+-] */
} factory_check_t;

typedef struct {
    char mac[FACTORY_MAC_SIZE];
    char hw[SITE_HW_SIZE]; /* "": the site's                                       */
    char lot[33];          /* [A-Za-z0-9._-]; "" none                              */
    factory_check_t checks[FACTORY_CHECKS_MAX]; /* any order; recorded sorted by name */
    size_t check_count;
} factory_board_t;

/* Adds "sensors=ok,antenna=ok,power=3.31"; a name that is there gets the new value. */
bool factory_checks_parse(const char *text, factory_board_t *board, err_t *err);

typedef struct factory_limits factory_limits_t; /* limits.h */

/* Registers a board. Passed: no check is "fail", and numbers keep `limits` (NULL: none), where
   every name of `limits` must be among the checks. ERR_PRECONDITION: a check failed (recorded, the
   board does not move on), or the board is known with other facts and `again` is false. *already
   (may be NULL): nothing was new. */
bool factory_assemble(factory_station_t *station, const factory_board_t *board,
                      const factory_limits_t *limits, bool again, bool *already, err_t *err);

#endif

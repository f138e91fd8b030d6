/* SPDX-License-Identifier: Apache-2.0 */
/*
 * checkpoint: where custody stands, signed with keys/pack.key and left outside the site
 * (checkpoint_dir of cradle.json; custody/point.h), so that an older site that is put back in place
 * is noticed and gives no serial number a second time.
 *
 * Whoever takes numbers leaves a checkpoint before it uses the first of them, and another one at
 * its end: a number on a label is at or below the last checkpoint, wherever the process was killed.
 * Those of one hour replace one another, so that the ones that are kept reach back for days.
 *
 * Without checkpoint_dir nothing is read and nothing is left. Everything blocks.
 */
#ifndef CRADLE_FACTORY_CHECKPOINT_H
#define CRADLE_FACTORY_CHECKPOINT_H

#include "custody/custody.h"
#include "custody/point.h"
#include "factory/factory.h"

/* What a run knows of the checkpoints, for as long as it lasts. */
typedef struct {
    uint64_t floor;                     /* no number at or below it is given out               */
    char name[CUSTODY_POINT_NAME_SIZE]; /* of the checkpoint that the next one replaces; "": none */
    bool left;                          /* this run has left one                                */
    char notice[ERR_TEXT_MAX]; /* what is to be told to people: custody ends before a checkpoint,
                                  and what to do; "" when all is well */
} factory_floor_t;

/* Reads all checkpoints of the site and compares custody with them. ERR_PRECONDITION: the directory
   is not there, or in the site; ERR_INPUT: one of them is damaged, forged or another's. */
bool factory_floor_read(const site_t *site, custody_t *custody, factory_floor_t *floor, err_t *err);

/* Only the notice; "" when all is well, and for a site that has not made anything. */
bool factory_floor_notice(const site_t *site, char notice[ERR_TEXT_MAX], err_t *err);

/* Leaves a checkpoint. Two lines do it one after the other, so that the younger state stays. */
bool factory_floor_leave(const site_t *site, custody_t *custody, factory_floor_t *floor,
                         err_t *err);

/* A signed checkpoint as a file of its own. `path` is replaced if it exists. */
bool factory_checkpoint_write(const site_t *site, const char *path, custody_point_t *point,
                              err_t *err);

/* Reads a checkpoint file, which must be this site's. */
bool factory_checkpoint_load(const site_t *site, const char *path, custody_point_t *point,
                             err_t *err);

/* All of checkpoint_dir, oldest first; none without that setting. */
bool factory_checkpoint_each(const site_t *site, custody_point_each_t each, void *context,
                             err_t *err);

/* After a back-up was restored, and somebody has looked at what it lacks: custody says so (kind
   "restored", and the numbers up to the highest of the checkpoints are taken), the checkpoints that
   custody does not lead to are renamed to NAME.jws.before-restore, and a new one is left.
   ERR_PRECONDITION: custody lacks nothing. *entries: how many are missing at most, as far as the
   checkpoints tell; *number: the highest number taken. */
bool factory_checkpoint_restored(const site_t *site, uint64_t *entries, uint64_t *number,
                                 err_t *err);

#endif

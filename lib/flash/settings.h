/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings: a few dozen small values that survive power cuts. Portable, no heap.
 *
 * A log of CRC-guarded records over at least two sectors of a region. Each settings_set and
 * settings_erase is atomic: after a power cut at any byte the value is the old or the new one, and
 * when the call has returned SETTINGS_OK it is the new one. Sectors are used in turn, so wear is
 * spread evenly. Setting a value that is already there writes nothing.
 *
 * Room: with n sectors, live records (16 bytes + key + value each, rounded up to 4) of up to n - 1
 * sectors of 4080 bytes fit; a record never spans two sectors, and the old value needs its place
 * until the new one is written. Large values that are to be replaced want 3 sectors or more.
 *
 * Damage: sectors and records that do not check are skipped and counted in `damaged`. The store
 * never loops and never fails to mount; a value whose record is lost is missing, or is the one
 * before it where that is still in the log. Nothing is authenticated: whoever can write the flash
 * can write values.
 *
 * Secrets: an erased or replaced value stays in the flash until its sector comes round;
 * settings_purge drives that.
 */
#ifndef CRADLE_FLASH_SETTINGS_H
#define CRADLE_FLASH_SETTINGS_H

#include "flash/region.h"

#define SETTINGS_KEY_MAX     15   /* characters, 1..15, bytes 21..7E */
#define SETTINGS_VALUE_MAX   4000 /* bytes; 0 is allowed */
#define SETTINGS_KEYS        64   /* different keys at one time */
#define SETTINGS_SECTORS_MAX 32

typedef enum {
    SETTINGS_OK = 0,
    SETTINGS_NOT_FOUND,  /* no such key                                             */
    SETTINGS_BAD_KEY,    /* empty, too long, or with other characters               */
    SETTINGS_TOO_LARGE,  /* the value is over the limit, or the caller's buffer short */
    SETTINGS_FULL,       /* no room, or SETTINGS_KEYS keys already                  */
    SETTINGS_DAMAGED,    /* the record was good at mount and is not any more        */
    SETTINGS_BAD_REGION, /* under 2 or over SETTINGS_SECTORS_MAX sectors            */
    SETTINGS_IO,         /* the flash failed; mount again before going on           */
} settings_status_t;

/* One live value. Private to the store. */
typedef struct {
    char key[SETTINGS_KEY_MAX + 1];
    uint32_t at; /* of its record in the region */
    uint16_t len;
} settings_slot_t;

/* All memory of a store, provided by the caller; the fields are private except `damaged`. */
typedef struct {
    region_t region;
    uint32_t sectors;
    uint32_t seq[SETTINGS_SECTORS_MAX]; /* 0: free */
    int head;                           /* sector that is appended to, or -1 */
    uint32_t end;                       /* where in it; REGION_SECTOR: closed */
    settings_slot_t slot[SETTINGS_KEYS];
    uint32_t slots;
    bool failed; /* the flash failed: nothing more until the next mount */
    /* Sectors and records found unusable by the last mount. A torn record of an interrupted call
       counts too, so a small number is normal after power cuts. */
    uint32_t damaged;
} settings_t;

/* Reads the whole region; finishes or undoes an interrupted compaction. An erased region is an
   empty store. */
settings_status_t settings_mount(settings_t *store, const region_t *region);

/* Copies the value to `data`; *len is its size also when `cap` is too small (SETTINGS_TOO_LARGE,
   nothing copied). */
settings_status_t settings_get(settings_t *store, const char *key, void *data, size_t cap,
                               size_t *len);

settings_status_t settings_set(settings_t *store, const char *key, const void *data, size_t len);

/* SETTINGS_NOT_FOUND when there is none; nothing is written then. */
settings_status_t settings_erase(settings_t *store, const char *key);

/* Goes through the keys in no particular order: *cursor begins at 0. False at the end. A set or
   erase in between may make the walk miss or repeat a key. */
bool settings_next(const settings_t *store, uint32_t *cursor, char key[SETTINGS_KEY_MAX + 1],
                   size_t *len);

/* Rewrites the log so that only live values are in the flash. Interrupted: call it again. */
settings_status_t settings_purge(settings_t *store);

const char *settings_status_text(settings_status_t status);

#endif

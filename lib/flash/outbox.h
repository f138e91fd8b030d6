/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outbox: a queue of records in flash that survives power cuts. Portable, no heap.
 *
 * Records of up to OUTBOX_RECORD_MAX bytes get consecutive numbers from 1. They are read from the
 * oldest; outbox_trim gives up all records up to a number. When the region is full the oldest
 * sector's records are dropped to make room: how many is counted exactly and survives power cuts.
 *
 * Power cut at any byte: a record whose append returned OUTBOX_OK is there until trimmed or
 * dropped; one whose append was cut is there or not. A trim that was cut has happened or not
 * (a record is then read again, never lost).
 *
 * A number is never given twice. Those from the first on are trimmed, dropped, damaged (missing
 * between records that are there, or in a sector that was dropped), or still there.
 *
 * Room: n sectors hold (n - 1) x 4072 bytes, each record takes its size + 16 rounded up to 4, and
 * none spans two sectors. Sectors are used in turn, so wear is even.
 *
 * Nothing is authenticated. The region must allow clearing bits in place (region.h).
 */
#ifndef CRADLE_FLASH_OUTBOX_H
#define CRADLE_FLASH_OUTBOX_H

#include "flash/region.h"

#define OUTBOX_RECORD_MAX  1024 /* bytes, 1..1024 */
#define OUTBOX_SECTORS_MAX 32

typedef enum {
    OUTBOX_OK = 0,
    OUTBOX_END,        /* no further record                                       */
    OUTBOX_TOO_LARGE,  /* the record is over the limit, or the caller's buffer short */
    OUTBOX_BAD_REGION, /* under 2 or over OUTBOX_SECTORS_MAX sectors              */
    OUTBOX_IO,         /* the flash failed: mount again before going on           */
} outbox_status_t;

/* Where a record is. Zeroed: before the oldest. */
typedef struct {
    uint32_t number; /* of the record that was read last; 0: none yet */
    uint32_t at;     /* private: where the next one begins */
    uint32_t sector; /* private: sequence number of its sector */
} outbox_cursor_t;

/* All memory of a queue, provided by the caller; private, see the functions below. */
typedef struct {
    region_t region;
    uint32_t sectors;
    uint32_t seq[OUTBOX_SECTORS_MAX];   /* 0: free */
    uint32_t begin[OUTBOX_SECTORS_MAX]; /* number of the sector's first record */
    int head;                           /* sector that is appended to, or -1 */
    uint32_t end;                       /* where in it; REGION_SECTOR: closed */
    uint32_t next;                      /* number of the next record */
    uint32_t count;
    uint32_t dropped;
    uint32_t damaged_here; /* numbers missing in the sectors that are there */
    uint32_t damaged_gone; /* and in those that are not any more */
    outbox_cursor_t first; /* before the oldest record that is still there; .number: gone so far */
    bool failed;
} outbox_t;

/* Reads the whole region. An erased region is an empty queue. */
outbox_status_t outbox_mount(outbox_t *box, const region_t *region);

/* *number (may be NULL) is the record's. Blocks for one sector erase about every 4 KB. */
outbox_status_t outbox_append(outbox_t *box, const void *data, size_t len, uint32_t *number);

/* Reads the record after the cursor and moves it there (cursor->number is then its number). A
   cursor stays good over appends, trims and drops: it goes on at the oldest that is left.
   OUTBOX_TOO_LARGE: *len is what it needs, and the cursor stays. */
outbox_status_t outbox_read(outbox_t *box, outbox_cursor_t *cursor, void *data, size_t cap,
                            size_t *len);

/* Gives up all records up to and including `number`. Numbers not given yet count as the last. */
outbox_status_t outbox_trim(outbox_t *box, uint32_t number);

/* Erases everything, numbers go on from where they are; what was there counts as trimmed. Every
   sector is really erased, for a factory reset. */
outbox_status_t outbox_clear(outbox_t *box);

/* Records that are there; dropped because the region was full, and lost to damaged flash, both
   since the region was first used. */
uint32_t outbox_count(const outbox_t *box);
uint32_t outbox_dropped(const outbox_t *box);
uint32_t outbox_damaged(const outbox_t *box);

const char *outbox_status_text(outbox_status_t status);

#endif

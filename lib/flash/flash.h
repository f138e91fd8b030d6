/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flash: the NOR flash of one unit, as a file or in memory. Blocking; not thread safe.
 *
 * A write can only clear bits. One that would have to set a bit is a mistake of the caller: it is
 * refused (ERR_USAGE) and changes nothing, unless flash_set_checking(flash, false) asks for what
 * a chip does, which is the AND of old and new. An erase sets sectors of 4096 bytes to FF.
 *
 * Three ways to have one:
 *
 * 1. an image file: all bytes, as read from a chip (flash_open_image);
 * 2. a unit on disk (flash_open_unit): a read-only base image that all units share, the unit's
 *    identity image laid over its `identity` partition, and an overlay file with the sectors that
 *    the unit has changed. The overlay is sparse: a unit that changed little takes little;
 * 3. memory (flash_open_ram), for tests and the simulator: only sectors that differ from the base
 *    are held.
 *
 * Crashes of a unit on disk. SIGKILL at any moment leaves the flash as after a power cut between
 * two operations of a chip: a sector's content is written before its bit in the overlay's header,
 * and a change within one sector is one write to one page of the page cache. A power cut of the
 * *host* may take away or mix what was written since the last flash_sync; with `durable` every
 * operation is on the disk before it returns (slow: one or two fdatasync each).
 *
 * One process runs a unit: the overlay (or the image, when writable) is locked for as long as it is
 * open; a second flash_open_* fails with ERR_PRECONDITION and names the process that holds it.
 *
 * Not checked: who may read the files. Overlay and export are made with mode 0600, because a flash
 * holds a private key and Wi-Fi passwords. Worn-out flash is not simulated.
 */
#ifndef CRADLE_FLASH_FLASH_H
#define CRADLE_FLASH_FLASH_H

#include "base/err.h"
#include "flash/region.h"

#define FLASH_SECTOR       REGION_SECTOR
#define FLASH_SIZE_DEFAULT 0x400000u  /* 4 MiB */
#define FLASH_SIZE_MAX     0x1000000u /* 16 MiB: what three address bytes reach */

typedef struct flash flash_t;

/* Opens an image of 1 to 4096 whole sectors. Read-only: writes fail, and others may read too. */
flash_t *flash_open_image(const char *path, bool writable, err_t *err);

typedef struct {
    const char *base;     /* path of the shared image; may end early: the rest reads FF */
    const char *identity; /* path of the identity image, or NULL: the base's own bytes. Its size
                             must be that of the partition `identity` in the base's table */
    const char *overlay;  /* path of the unit's own file; made (0600) when it does not exist */
    uint32_t size;        /* bytes; 0 means FLASH_SIZE_DEFAULT */
    bool read_only;       /* nothing is written or made; a missing overlay means "as made" */
    bool durable;         /* see above */
} flash_unit_t;

/* The paths are not kept. ERR_PRECONDITION: running elsewhere, or base or identity are not those
   that the overlay was begun with; ERR_INPUT: damaged files. */
flash_t *flash_open_unit(const flash_unit_t *unit, err_t *err);

/* `base` (may be NULL, base_len 0: all FF) is not copied and must outlive the flash. */
flash_t *flash_open_ram(uint32_t size, const void *base, size_t base_len, err_t *err);

/* Gives up the lock. NULL is allowed. Does not sync. */
void flash_close(flash_t *flash);

uint32_t flash_size(const flash_t *flash);

bool flash_read(flash_t *flash, uint32_t at, void *data, uint32_t len, err_t *err);
bool flash_write(flash_t *flash, uint32_t at, const void *data, uint32_t len, err_t *err);
bool flash_erase(flash_t *flash, uint32_t at, uint32_t len, err_t *err);

/* What was written is on the disk when this returns. */
bool flash_sync(flash_t *flash, err_t *err);

/* Writes all bytes to a new file (0600, replaced atomically). */
bool flash_export(flash_t *flash, const char *path, err_t *err);

/* A window; `flash` must outlive it. ERR_USAGE when not on sector borders or outside. The region's
   functions drop the error text; flash_last_error keeps the latest. */
bool flash_region(flash_t *flash, uint32_t start, uint32_t size, region_t *out, err_t *err);

/* The window of the partition with this label, by the table at PARTITION_TABLE_CRADLE. */
bool flash_partition(flash_t *flash, const char *label, region_t *out, err_t *err);

const char *flash_last_error(const flash_t *flash);

void flash_set_checking(flash_t *flash, bool on);

/*
 * Power cuts. One operation is one byte programmed, or one sixteenth of a sector erased. The cut
 * comes in the middle of operation `after` (0 = the next one): what was before it is done, the
 * byte or sixteenth itself is done for some of its bits (which ones: drawn from `seed`), and the
 * call fails, as does every later call, until flash_power_on.
 */
void flash_cut_after(flash_t *flash, uint64_t after, uint32_t seed);
bool flash_power_lost(const flash_t *flash);
void flash_power_on(flash_t *flash);

/* Operations since the flash was opened, for a first run that counts them. */
uint64_t flash_operations(const flash_t *flash);

#endif

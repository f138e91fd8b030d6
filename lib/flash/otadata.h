/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otadata: which of the OTA slots boots. Portable, no heap. Format and rules of ESP-IDF
 * (esp_flash_partitions.h, bootloader_utility.c, esp_ota_ops.c): two sectors with one entry each,
 * {u32 seq, label[20], u32 state, u32 crc}; the CRC covers only `seq`.
 *
 * Power cuts: a switch writes the sector that does not boot, so either the old or the new slot
 * boots. A change of state rewrites an entry in place as ESP-IDF does: a cut within it loses the
 * entry, and the other one decides.
 *
 * Different from ESP-IDF: an entry is made invalid before its sector is erased (a half erased
 * ABORTED entry could boot again); a switch to the slot that boots already writes a new entry
 * too, instead of rewriting the only good one in place; seq 0 is not valid.
 */
#ifndef CRADLE_FLASH_OTADATA_H
#define CRADLE_FLASH_OTADATA_H

#include "flash/region.h"

#define OTADATA_SIZE  0x2000u
#define OTADATA_SLOTS 16 /* ota_0 .. ota_15 */

typedef enum {
    OTADATA_NEW = 0,     /* to be tried at the next boot                   */
    OTADATA_PENDING = 1, /* being tried: the next boot without VALID aborts */
    OTADATA_VALID = 2,
    OTADATA_INVALID = 3,    /* the application said so     */
    OTADATA_ABORTED = 4,    /* it never said that it works */
    OTADATA_UNDEFINED = -1, /* FFFFFFFF: no rollback in use */
} otadata_state_t;

typedef struct {
    bool valid;            /* seq is neither 0 nor FFFFFFFF and the CRC fits   */
    uint32_t seq;          /* from 1                                           */
    otadata_state_t state; /* an unknown number reads as OTADATA_UNDEFINED      */
} otadata_entry_t;

typedef struct {
    otadata_entry_t entry[2];
    int active; /* the entry that decides: valid, not INVALID nor ABORTED, highest seq; or -1 */
} otadata_t;

/* False: the flash failed, or the region is not OTADATA_SIZE. Damaged entries are not valid. */
bool otadata_read(const region_t *region, otadata_t *out);

/* The slot that boots among `slots` (1..16), or -1: no entry decides, so the factory application
   or, when there is none, ota_0. */
int otadata_slot(const otadata_t *data, unsigned slots);

/* Makes `slot` boot next, with this state: the smallest higher seq that means the slot, in the
   sector that is not active. False: the flash failed, or slot >= slots. */
bool otadata_switch(const region_t *region, unsigned slots, unsigned slot, otadata_state_t state);

/* Rewrites the state of entry 0 or 1 (which must be valid). */
bool otadata_set_state(const region_t *region, int entry, otadata_state_t state);

/* The 32 bytes of an entry, for those who build images. */
void otadata_build_entry(uint32_t seq, otadata_state_t state, uint8_t out[32]);

const char *otadata_state_name(otadata_state_t state);

#endif

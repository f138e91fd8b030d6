/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay: the header of a unit's overlay file. Internal to lib/flash. Portable, no heap.
 *
 *     0 "CRADLOVL" | 8 u32 version 1 | 12 u32 flash size
 *    16 u32 base length | 20 u32 base CRC-32
 *    24 u32 identity offset | 28 u32 identity length (0: none) | 32 u32 identity CRC-32
 *    36 u32 CRC-32 of bytes 0..35
 *    40 u32 process that runs the unit; means something only while the file is locked
 *    64 bitmap: bit i of byte i/8, low bits first, is 1 when sector i is in this file
 *
 * All LE. The header fills the first 4096 bytes; sector i is at 4096 * (i + 1), else a hole.
 */
#ifndef CRADLE_FLASH_OVERLAY_H
#define CRADLE_FLASH_OVERLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define OVERLAY_HEADER 4096u
#define OVERLAY_PID    40u
#define OVERLAY_BITMAP 64u

typedef struct {
    uint32_t flash_size;
    uint32_t base_len, base_crc;
    uint32_t identity_at, identity_len, identity_crc;
} overlay_header_t;

void overlay_build(const overlay_header_t *header, uint8_t out[OVERLAY_HEADER]);

/* Refuses what overlay_build cannot have made, and bits of sectors that are not there: beyond the
   flash or, for a file of `file_size` bytes, beyond its end. */
bool overlay_parse(const uint8_t data[OVERLAY_HEADER], uint64_t file_size, overlay_header_t *header,
                   err_t *err);

static inline bool overlay_has(const uint8_t data[OVERLAY_HEADER], uint32_t sector)
{
    return (data[OVERLAY_BITMAP + sector / 8] >> sector % 8 & 1) != 0;
}

#endif

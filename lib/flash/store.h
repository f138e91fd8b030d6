/* SPDX-License-Identifier: Apache-2.0 */
/* store: what the two stores share; internal to lib/flash. Portable, no heap. */
#ifndef CRADLE_FLASH_STORE_H
#define CRADLE_FLASH_STORE_H

#include "flash/region.h"

/* Whether all bytes from `at` up to `end` are FF. False: the flash failed. */
bool store_is_erased(const region_t *region, uint32_t at, uint32_t end, bool *erased);

/* Erases a sector unless it is erased already. */
bool store_erase_sector(const region_t *region, uint32_t index);

/* A mark is a word that is cleared later. It counts when most of its bits are 0, so that neither a
   power cut within it nor a single flipped bit decides wrongly. */
bool store_is_marked(uint32_t word);

#endif

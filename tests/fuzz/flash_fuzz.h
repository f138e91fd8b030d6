/* SPDX-License-Identifier: Apache-2.0 */
/* flash_fuzz: a region whose content the fuzzer chooses, with the rules of NOR flash. */
#ifndef CRADLE_TESTS_FLASH_FUZZ_H
#define CRADLE_TESTS_FLASH_FUZZ_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "flash/region.h"

#define FUZZ_FLASH_SIZE (4 * REGION_SECTOR)

static uint8_t fuzz_flash[FUZZ_FLASH_SIZE];

static bool fuzz_read(void *context, uint32_t at, void *data, uint32_t len)
{
    (void)context;
    memcpy(data, fuzz_flash + at, len);
    return true;
}

/* A store must never write where a bit would have to be set. */
static bool fuzz_write(void *context, uint32_t at, const void *data, uint32_t len)
{
    (void)context;
    const uint8_t *p = data;
    for (uint32_t i = 0; i < len; i++) {
        if ((p[i] & ~fuzz_flash[at + i]) != 0) {
            abort();
        }
        fuzz_flash[at + i] = p[i];
    }
    return true;
}

static bool fuzz_erase(void *context, uint32_t at, uint32_t len)
{
    (void)context;
    memset(fuzz_flash + at, 0xff, len);
    return true;
}

/* The input, spread over the sectors: each quarter begins one. */
static region_t fuzz_region(const uint8_t *data, size_t size, uint32_t sectors)
{
    memset(fuzz_flash, 0xff, sizeof fuzz_flash);
    size_t part = size / sectors;
    part = part < REGION_SECTOR ? part : REGION_SECTOR;
    for (uint32_t i = 0; i < sectors; i++) {
        memcpy(fuzz_flash + i * REGION_SECTOR, data + i * part, part);
    }
    return (region_t){NULL, 0, sectors * REGION_SECTOR, fuzz_read, fuzz_write, fuzz_erase};
}

#endif

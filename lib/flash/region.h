/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region: a window of NOR flash, such as one partition. Portable, no heap.
 *
 * The stores (settings.h, outbox.h, otadata.h) know flash only through this table, so the same
 * code runs on the flash file of a Linux unit, on memory in a test, and on a chip:
 * esp_partition_read, _write and _erase_range fit behind the three functions.
 *
 * What is expected of the flash:
 * - an erased byte reads FF; a write can only clear bits; bytes may be written one at a time, and
 *   again, as long as no bit would have to be set (so: not a partition with ESP-IDF's `encrypted`
 *   flag, which is written in blocks of 16);
 * - an erase sets whole sectors of REGION_SECTOR bytes to FF;
 * - a power cut leaves a write half done (a prefix, the last byte with some of its bits) or a
 * sector half erased (any bits still 0), and touches nothing else.
 *
 * The functions return false when the flash failed or, in tests, when the power is gone. They may
 * block for as long as the flash takes.
 */
#ifndef CRADLE_FLASH_REGION_H
#define CRADLE_FLASH_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REGION_SECTOR 4096u

typedef struct {
    void *context;  /* handed to the functions; must outlive the region */
    uint32_t start; /* added to every address; a multiple of REGION_SECTOR */
    uint32_t size;  /* bytes; a multiple of REGION_SECTOR */
    bool (*read)(void *context, uint32_t at, void *data, uint32_t len);
    bool (*write)(void *context, uint32_t at, const void *data, uint32_t len);
    bool (*erase)(void *context, uint32_t at, uint32_t len); /* whole sectors */
} region_t;

static inline bool region_holds(const region_t *region, uint32_t at, uint32_t len)
{
    return at <= region->size && len <= region->size - at;
}

/* Addresses count from the start of the region. Outside of it: false, and nothing happens. */
static inline bool region_read(const region_t *region, uint32_t at, void *data, uint32_t len)
{
    return region_holds(region, at, len) &&
           region->read(region->context, region->start + at, data, len);
}

static inline bool region_write(const region_t *region, uint32_t at, const void *data, uint32_t len)
{
    return region_holds(region, at, len) &&
           region->write(region->context, region->start + at, data, len);
}

static inline bool region_erase(const region_t *region, uint32_t at, uint32_t len)
{
    return region_holds(region, at, len) && at % REGION_SECTOR == 0 && len % REGION_SECTOR == 0 &&
           region->erase(region->context, region->start + at, len);
}

#endif

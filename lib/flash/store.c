/* SPDX-License-Identifier: Apache-2.0 */
#include "flash/store.h"

bool store_is_erased(const region_t *region, uint32_t at, uint32_t end, bool *erased)
{
    uint8_t buf[64];
    *erased = true;
    while (at < end && *erased) {
        uint32_t n = end - at < sizeof buf ? end - at : (uint32_t)sizeof buf;
        if (!region_read(region, at, buf, n)) {
            return false;
        }
        for (uint32_t i = 0; i < n; i++) {
            *erased = *erased && buf[i] == 0xff;
        }
        at += n;
    }
    return true;
}

bool store_erase_sector(const region_t *region, uint32_t index)
{
    uint32_t at = index * REGION_SECTOR;
    bool erased;
    return store_is_erased(region, at, at + REGION_SECTOR, &erased) &&
           (erased || region_erase(region, at, REGION_SECTOR));
}

bool store_is_marked(uint32_t word)
{
    unsigned zeros = 0;
    for (word = ~word; word != 0; word &= word - 1) {
        zeros++;
    }
    return zeros >= 16;
}

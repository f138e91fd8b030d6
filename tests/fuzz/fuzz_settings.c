/* SPDX-License-Identifier: Apache-2.0 */
/* A settings store of any content: mounted, walked, written to, mounted again. */
#include "flash_fuzz.h"

#include "base/bytes.h"
#include "flash/settings.h"

/* Gives sectors and records right magics, lengths and sums, so that the fuzzer gets behind them. */
static void mend(uint32_t sectors)
{
    for (uint32_t i = 0; i < sectors; i++) {
        uint8_t *s = fuzz_flash + i * REGION_SECTOR;
        memcpy(s, "CRS1", 4);
        bytes_put_le32(s + 8, bytes_crc32(0, s, 8));
        for (uint32_t at = 16; at + 40 < REGION_SECTOR && s[at] != 0xff;) {
            uint8_t *r = s + at;
            uint32_t room = REGION_SECTOR - at - 32;
            r[0] = (r[0] & 1) != 0 ? 'V' : 'D';
            r[1] = (uint8_t)(1 + r[1] % 15);
            bytes_put_le16(r + 2, (uint16_t)(bytes_get_le16(r + 2) % (room < 4000 ? room : 4000)));
            uint32_t len = r[1] + (uint32_t)bytes_get_le16(r + 2);
            bytes_put_le32(r + 4, bytes_crc32(0, r + 16, len));
            bytes_put_le32(r + 8, bytes_crc32(0, r, 8));
            at += (16 + len + 3) / 4 * 4;
        }
    }
}

static void walk(settings_t *store)
{
    uint8_t value[SETTINGS_VALUE_MAX];
    char key[SETTINGS_KEY_MAX + 1];
    uint32_t cursor = 0;
    size_t len, got;
    while (settings_next(store, &cursor, key, &len)) {
        settings_status_t status = settings_get(store, key, value, sizeof value, &got);
        if (status != SETTINGS_OK || got != len) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    settings_t store;
    char value[8];
    size_t len;
    if (size == 0) {
        return 0;
    }
    region_t region = fuzz_region(data + 1, size - 1, 2 + data[0] % 3);
    if ((data[0] & 0x80) != 0) {
        mend(region.size / REGION_SECTOR);
    }
    if (settings_mount(&store, &region) != SETTINGS_OK) {
        abort();
    }
    walk(&store);
    settings_status_t status = settings_set(&store, "fuzz", "12345", 5);
    if (status == SETTINGS_OK) {
        if (settings_mount(&store, &region) != SETTINGS_OK ||
            settings_get(&store, "fuzz", value, sizeof value, &len) != SETTINGS_OK || len != 5) {
            abort();
        }
    } else if (status != SETTINGS_FULL) {
        abort();
    }
    settings_purge(&store);
    walk(&store);
    return 0;
}

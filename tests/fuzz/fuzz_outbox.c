/* SPDX-License-Identifier: Apache-2.0 */
/* An outbox of any content: mounted, read, appended to, trimmed, mounted again. */
#include "flash_fuzz.h"

#include "base/bytes.h"
#include "flash/outbox.h"

/* Gives sectors and records right magics, places, lengths and sums. */
static void mend(uint32_t sectors)
{
    for (uint32_t i = 0; i < sectors; i++) {
        uint8_t *s = fuzz_flash + i * REGION_SECTOR;
        memcpy(s, "ORB1", 4);
        uint32_t seq = bytes_get_le32(s + 4) / sectors * sectors + i;
        bytes_put_le32(s + 4, seq);
        bytes_put_le32(s + 20, bytes_crc32(0, s, 20));
        for (uint32_t at = 24; at + 1060 < REGION_SECTOR && s[at] != 0xff;) {
            uint8_t *r = s + at;
            uint16_t len = (uint16_t)(1 + bytes_get_le16(r) % 1024);
            bytes_put_le16(r, len);
            bytes_put_le32(r + 8, bytes_crc32(0, r + 16, len));
            bytes_put_le16(r + 2, (uint16_t)bytes_crc32(bytes_crc32(0, r, 2), r + 4, 8));
            at += (16u + len + 3) / 4 * 4;
        }
    }
}

static uint32_t walk(outbox_t *box)
{
    uint8_t data[OUTBOX_RECORD_MAX];
    outbox_cursor_t cursor = {0};
    size_t len;
    uint32_t last = 0, count = 0;
    while (outbox_read(box, &cursor, data, sizeof data, &len) == OUTBOX_OK) {
        if (cursor.number <= last) {
            abort();
        }
        last = cursor.number;
        count++;
    }
    if (count != outbox_count(box)) {
        abort();
    }
    return last;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t record[900] = {1};
    outbox_t box;
    uint32_t number = 0;
    if (size == 0) {
        return 0;
    }
    region_t region = fuzz_region(data + 1, size - 1, 2 + data[0] % 3);
    if ((data[0] & 0x80) != 0) {
        mend(region.size / REGION_SECTOR);
    }
    if (outbox_mount(&box, &region) != OUTBOX_OK) {
        abort();
    }
    uint32_t last = walk(&box);
    for (int i = 0; i < 6; i++) {
        outbox_status_t status = outbox_append(&box, record, sizeof record, &number);
        if (status == OUTBOX_OK && number <= last) {
            abort();
        }
    }
    walk(&box);
    outbox_trim(&box, number - 1);
    if (outbox_mount(&box, &region) != OUTBOX_OK) {
        abort();
    }
    walk(&box);
    outbox_clear(&box);
    if (outbox_count(&box) != 0) {
        abort();
    }
    return 0;
}

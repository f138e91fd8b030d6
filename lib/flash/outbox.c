/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Format (LE). A sector: u32 magic | u32 seq | u32 number of its first record | u32 dropped |
 * u32 damaged | u32 CRC-32 of those 20, then records:
 *
 *     u16 length | u16 check (low half of the CRC-32 of length, number and CRC) | u32 number |
 *     u32 CRC-32 of the data | u32 mark | data | FF up to 4
 *
 * Sector seq is in place seq mod n, and at most n - 1 sectors count: writing the header of sector
 * seq is what drops sector seq - (n - 1), whose records are in the header's count already. So the
 * count and the loss are one write. What was dropped is erased when its place is needed.
 *
 * A mark with most bits cleared means: all up to here is trimmed. Every later sector begins above
 * it, so the mark may go with its sector.
 */
#include "flash/outbox.h"

#include <string.h>

#include "base/bytes.h"
#include "flash/store.h"

#define MAGIC         0x3142524fu /* "ORB1" */
#define SECTOR_HEADER 24u
#define RECORD_HEADER 16u
#define MARK_AT       12u
#define NUMBER_MAX    0xfffffff0u /* higher ones are damage: 136 years at one a second */
#define SEQ_MAX       0xfffffff0u /* of a sector; so that counting on never wraps */

typedef struct {
    uint32_t seq, first, dropped, damaged;
} sector_t;

typedef struct {
    uint32_t at; /* in the region */
    uint16_t len;
    uint32_t number;
    uint32_t crc;
    bool marked;
} record_t;

static uint32_t record_size(uint32_t len)
{
    return (RECORD_HEADER + len + 3) / 4 * 4;
}

static outbox_status_t fail(outbox_t *box)
{
    box->failed = true;
    return OUTBOX_IO;
}

/* ---- reading ---- */

/* *good is false for a sector that is free, dirty, or in the wrong place. */
static bool read_sector(const outbox_t *box, uint32_t index, sector_t *out, bool *good)
{
    uint8_t h[SECTOR_HEADER];
    if (!region_read(&box->region, index * REGION_SECTOR, h, sizeof h)) {
        return false;
    }
    out->seq = bytes_get_le32(h + 4);
    out->first = bytes_get_le32(h + 8);
    out->dropped = bytes_get_le32(h + 12);
    out->damaged = bytes_get_le32(h + 16);
    *good = bytes_get_le32(h) == MAGIC && bytes_get_le32(h + 20) == bytes_crc32(0, h, 20) &&
            out->seq >= box->sectors && out->seq <= SEQ_MAX && out->seq % box->sectors == index &&
            out->first != 0 && out->first <= NUMBER_MAX;
    return true;
}

static uint16_t check_of(const uint8_t *h)
{
    return (uint16_t)bytes_crc32(bytes_crc32(0, h, 2), h + 4, 8);
}

static bool read_header(const outbox_t *box, uint32_t at, record_t *record, bool *good)
{
    uint8_t h[RECORD_HEADER];
    if (!region_read(&box->region, at, h, sizeof h)) {
        return false;
    }
    record->at = at;
    record->len = bytes_get_le16(h);
    record->number = bytes_get_le32(h + 4);
    record->crc = bytes_get_le32(h + 8);
    record->marked = store_is_marked(bytes_get_le32(h + MARK_AT));
    *good = bytes_get_le16(h + 2) == check_of(h) && record->len >= 1 &&
            record->len <= OUTBOX_RECORD_MAX && record->number <= NUMBER_MAX &&
            record_size(record->len) <= REGION_SECTOR - at % REGION_SECTOR;
    return true;
}

static bool read_body(const outbox_t *box, const record_t *record, bool *good)
{
    uint8_t buf[64];
    uint32_t crc = 0;
    for (uint32_t done = 0; done < record->len;) {
        uint32_t n = record->len - done < sizeof buf ? record->len - done : (uint32_t)sizeof buf;
        if (!region_read(&box->region, record->at + RECORD_HEADER + done, buf, n)) {
            return false;
        }
        crc = bytes_crc32(crc, buf, n);
        done += n;
    }
    *good = crc == record->crc;
    return true;
}

static uint32_t head_seq(const outbox_t *box)
{
    return box->head < 0 ? 0 : box->seq[box->head];
}

static bool is_live(const outbox_t *box, uint32_t seq)
{
    return seq != 0 && box->seq[seq % box->sectors] == seq;
}

/* The first live sector from `seq` on, or 0. */
static uint32_t live_from(const outbox_t *box, uint32_t seq)
{
    uint32_t last = head_seq(box);
    if (last == 0) {
        return 0;
    }
    if (last - seq >= box->sectors && seq < last) {
        seq = last - (box->sectors - 1);
    }
    while (seq <= last && !is_live(box, seq)) {
        seq++;
    }
    return seq <= last ? seq : 0;
}

/* Numbers in a sector are below the first of the next one. */
static uint32_t bound_of(const outbox_t *box, uint32_t seq)
{
    uint32_t next = live_from(box, seq + 1);
    return next == 0 ? NUMBER_MAX + 1 : box->begin[next % box->sectors];
}

/* Moves the cursor over the next good record with a higher number, within sectors up to `last`. */
static outbox_status_t step(const outbox_t *box, uint32_t last, outbox_cursor_t *cursor,
                            record_t *record)
{
    for (;;) {
        uint32_t index = cursor->sector % box->sectors;
        uint32_t limit = (int)index == box->head ? box->end : REGION_SECTOR;
        bool good = false;
        if (cursor->at + RECORD_HEADER < limit &&
            !read_header(box, index * REGION_SECTOR + cursor->at, record, &good)) {
            return OUTBOX_IO;
        }
        if (!good) {
            uint32_t next = live_from(box, cursor->sector + 1);
            if (next == 0 || next > last) {
                return OUTBOX_END;
            }
            cursor->sector = next;
            cursor->at = SECTOR_HEADER;
            continue;
        }
        cursor->at += record_size(record->len);
        if (!read_body(box, record, &good)) {
            return OUTBOX_IO;
        }
        if (good && record->number > cursor->number && record->number >= box->begin[index] &&
            record->number < bound_of(box, cursor->sector)) {
            cursor->number = record->number;
            return OUTBOX_OK;
        }
    }
}

/* ---- mount ---- */

/* Which sectors count; the counters of the newest. False: the flash failed. */
static bool find_sectors(outbox_t *box)
{
    sector_t sector;
    bool good;
    for (uint32_t i = 0; i < box->sectors; i++) {
        if (!read_sector(box, i, &sector, &good)) {
            return false;
        }
        box->seq[i] = good ? sector.seq : 0;
        box->begin[i] = sector.first;
        if (good && sector.seq > head_seq(box)) {
            box->head = (int)i;
            box->dropped = sector.dropped;
            box->damaged_gone = sector.damaged;
        }
    }
    for (uint32_t i = 0; i < box->sectors; i++) {
        if (box->seq[i] != 0 && head_seq(box) - box->seq[i] >= box->sectors - 1) {
            box->seq[i] = 0;
        }
    }
    /* Numbers rise from sector to sector; what says otherwise was not written here. */
    uint32_t bound = NUMBER_MAX;
    for (uint32_t k = 0; box->head >= 0 && k < box->sectors; k++) {
        uint32_t index = ((uint32_t)box->head + box->sectors - k) % box->sectors;
        if (box->seq[index] != 0 && box->begin[index] <= bound) {
            bound = box->begin[index];
        } else {
            box->seq[index] = 0;
        }
    }
    return true;
}

/* Goes through all records: where the oldest is, how many there are, where the next one goes. */
static outbox_status_t scan(outbox_t *box)
{
    uint32_t seq = live_from(box, 1);
    uint32_t begin = box->begin[seq % box->sectors];
    outbox_cursor_t cursor = {.number = begin - 1, .at = SECTOR_HEADER, .sector = seq};
    box->first = cursor;
    uint32_t found = 0;
    record_t record;
    outbox_status_t status;
    while ((status = step(box, head_seq(box), &cursor, &record)) == OUTBOX_OK) {
        found++;
        box->count++;
        if (record.marked) {
            box->first = cursor;
            box->count = 0;
        }
    }
    if (status != OUTBOX_END) {
        return status;
    }
    uint32_t newest = box->begin[box->head] - 1;
    box->next = (cursor.number > newest ? cursor.number : newest) + 1;
    box->damaged_here = box->next - begin - found;
    uint32_t start = (uint32_t)box->head * REGION_SECTOR;
    bool erased;
    if (!store_is_erased(&box->region, start + cursor.at, start + REGION_SECTOR, &erased)) {
        return OUTBOX_IO;
    }
    box->end = erased ? cursor.at : REGION_SECTOR;
    return OUTBOX_OK;
}

outbox_status_t outbox_mount(outbox_t *box, const region_t *region)
{
    memset(box, 0, sizeof *box);
    box->region = *region;
    box->sectors = region->size / REGION_SECTOR;
    box->head = -1;
    box->end = REGION_SECTOR;
    box->next = 1;
    box->failed = true;
    if (region->size % REGION_SECTOR != 0 || box->sectors < 2 ||
        box->sectors > OUTBOX_SECTORS_MAX) {
        return OUTBOX_BAD_REGION;
    }
    if (!find_sectors(box)) {
        return OUTBOX_IO;
    }
    outbox_status_t status = box->head >= 0 ? scan(box) : OUTBOX_OK;
    box->failed = status != OUTBOX_OK;
    return status;
}

/* ---- appending ---- */

/* Counts what goes with a sector: records not trimmed, and numbers that are missing in it. */
static outbox_status_t count_loss(const outbox_t *box, uint32_t seq, sector_t *loss)
{
    uint32_t next = live_from(box, seq + 1);
    uint32_t begin = box->begin[seq % box->sectors];
    loss->first = next != 0 ? box->begin[next % box->sectors] : box->next;
    outbox_cursor_t cursor = {.number = begin - 1, .at = SECTOR_HEADER, .sector = seq};
    record_t record;
    outbox_status_t status;
    uint32_t found = 0;
    while ((status = step(box, seq, &cursor, &record)) == OUTBOX_OK) {
        found++;
        loss->dropped += record.number > box->first.number ? 1 : 0;
    }
    loss->damaged = loss->first - begin - found;
    return status == OUTBOX_END ? OUTBOX_OK : status;
}

/* Erases the place, if needed, and writes the header that makes it the newest sector. */
static bool write_sector(outbox_t *box, const sector_t *sector)
{
    uint32_t at = sector->seq % box->sectors * REGION_SECTOR;
    if (!store_erase_sector(&box->region, at / REGION_SECTOR)) {
        return false;
    }
    uint8_t h[SECTOR_HEADER];
    bytes_put_le32(h, MAGIC);
    bytes_put_le32(h + 4, sector->seq);
    bytes_put_le32(h + 8, sector->first);
    bytes_put_le32(h + 12, sector->dropped);
    bytes_put_le32(h + 16, sector->damaged);
    bytes_put_le32(h + 20, bytes_crc32(0, h, 20));
    return region_write(&box->region, at, h, sizeof h);
}

static outbox_status_t open_sector(outbox_t *box)
{
    uint32_t seq = box->head < 0 ? box->sectors : head_seq(box) + 1;
    if (seq > SEQ_MAX) {
        return fail(box); /* only a forged header leads here */
    }
    uint32_t dying = seq - (box->sectors - 1);
    sector_t loss = {.first = box->next};
    if (is_live(box, dying) && count_loss(box, dying, &loss) != OUTBOX_OK) {
        return fail(box);
    }
    sector_t fresh = {.seq = seq,
                      .first = box->next,
                      .dropped = box->dropped + loss.dropped,
                      .damaged = box->damaged_gone + loss.damaged};
    if (!write_sector(box, &fresh)) {
        return fail(box);
    }
    if (is_live(box, dying)) {
        box->seq[dying % box->sectors] = 0;
    }
    box->dropped = fresh.dropped;
    box->count -= loss.dropped;
    box->damaged_gone = fresh.damaged;
    box->damaged_here -= loss.damaged;
    box->head = (int)(seq % box->sectors);
    box->seq[box->head] = seq;
    box->begin[box->head] = box->next;
    box->end = SECTOR_HEADER;
    if (!is_live(box, box->first.sector)) {
        uint32_t gone = loss.first - 1;
        box->first.sector = live_from(box, dying + 1);
        box->first.at = SECTOR_HEADER;
        box->first.number = gone > box->first.number ? gone : box->first.number;
    }
    return OUTBOX_OK;
}

outbox_status_t outbox_append(outbox_t *box, const void *data, size_t len, uint32_t *number)
{
    if (box->failed || box->next > NUMBER_MAX) {
        return OUTBOX_IO;
    }
    if (len == 0 || len > OUTBOX_RECORD_MAX) {
        return OUTBOX_TOO_LARGE;
    }
    uint32_t size = record_size((uint32_t)len);
    if (box->head < 0 || size > REGION_SECTOR - box->end) {
        outbox_status_t status = open_sector(box);
        if (status != OUTBOX_OK) {
            return status;
        }
    }
    uint8_t h[MARK_AT];
    bytes_put_le16(h, (uint16_t)len);
    bytes_put_le32(h + 4, box->next);
    bytes_put_le32(h + 8, bytes_crc32(0, data, len));
    bytes_put_le16(h + 2, check_of(h));
    uint32_t at = (uint32_t)box->head * REGION_SECTOR + box->end;
    if (!region_write(&box->region, at, h, sizeof h) ||
        !region_write(&box->region, at + RECORD_HEADER, data, (uint32_t)len)) {
        return fail(box);
    }
    if (number != NULL) {
        *number = box->next;
    }
    box->next++;
    box->count++;
    box->end += size;
    return OUTBOX_OK;
}

/* ---- reading and trimming ---- */

/* A cursor that points to what is gone goes on at the oldest. */
static void settle(const outbox_t *box, outbox_cursor_t *cursor)
{
    if (cursor->number < box->first.number || !is_live(box, cursor->sector)) {
        uint32_t number = cursor->number;
        *cursor = box->first;
        cursor->number = number > cursor->number ? number : cursor->number;
    }
}

outbox_status_t outbox_read(outbox_t *box, outbox_cursor_t *cursor, void *data, size_t cap,
                            size_t *len)
{
    *len = 0;
    if (box->failed) {
        return OUTBOX_IO;
    }
    settle(box, cursor);
    if (cursor->sector == 0) {
        return OUTBOX_END;
    }
    outbox_cursor_t next = *cursor;
    record_t record;
    outbox_status_t status = step(box, head_seq(box), &next, &record);
    if (status != OUTBOX_OK) {
        return status == OUTBOX_IO ? fail(box) : status;
    }
    *len = record.len;
    if (record.len > cap) {
        return OUTBOX_TOO_LARGE;
    }
    if (!region_read(&box->region, record.at + RECORD_HEADER, data, record.len)) {
        return fail(box);
    }
    *cursor = next;
    return OUTBOX_OK;
}

outbox_status_t outbox_trim(outbox_t *box, uint32_t number)
{
    static const uint8_t mark[4] = {0, 0, 0, 0};
    if (box->failed) {
        return OUTBOX_IO;
    }
    if (box->first.sector == 0 || number <= box->first.number) {
        return OUTBOX_OK;
    }
    outbox_cursor_t cursor = box->first, last = box->first;
    record_t record, marked = {0};
    uint32_t gone = 0;
    outbox_status_t status;
    while ((status = step(box, head_seq(box), &cursor, &record)) == OUTBOX_OK &&
           record.number <= number) {
        gone++;
        marked = record;
        last = cursor;
    }
    if (status == OUTBOX_IO ||
        (gone > 0 && !region_write(&box->region, marked.at + MARK_AT, mark, sizeof mark))) {
        return fail(box);
    }
    box->first = last;
    box->count -= gone;
    return OUTBOX_OK;
}

/* Once around: each new sector drops the oldest, by then trimmed. Erasing them in place would not
   do: half erased, a sector may have lost its mark before its records. */
outbox_status_t outbox_clear(outbox_t *box)
{
    outbox_status_t status = outbox_trim(box, UINT32_MAX);
    for (uint32_t i = 1; status == OUTBOX_OK && i < box->sectors; i++) {
        status = open_sector(box);
    }
    if (status != OUTBOX_OK) {
        return status;
    }
    uint32_t dead = ((uint32_t)box->head + 1) % box->sectors;
    return store_erase_sector(&box->region, dead) ? OUTBOX_OK : fail(box);
}

uint32_t outbox_count(const outbox_t *box)
{
    return box->count;
}

uint32_t outbox_dropped(const outbox_t *box)
{
    return box->dropped;
}

uint32_t outbox_damaged(const outbox_t *box)
{
    return box->damaged_here + box->damaged_gone;
}

const char *outbox_status_text(outbox_status_t status)
{
    switch (status) {
    case OUTBOX_OK:
        return "done";
    case OUTBOX_END:
        return "no further record";
    case OUTBOX_TOO_LARGE:
        return "the record is too large";
    case OUTBOX_BAD_REGION:
        return "the outbox partition has an unusable size";
    case OUTBOX_IO:
        break;
    }
    return "the flash failed";
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "flash/otadata.h"

#include <string.h>

#include "base/bytes.h"

#define ENTRY_SIZE 32u
#define NO_SEQ     0xffffffffu

static uint32_t crc_of(const uint8_t seq[4])
{
    return bytes_crc32(0xffffffffu, seq, 4);
}

void otadata_build_entry(uint32_t seq, otadata_state_t state, uint8_t out[32])
{
    memset(out, 0xff, ENTRY_SIZE);
    bytes_put_le32(out, seq);
    bytes_put_le32(out + 24, (uint32_t)state);
    bytes_put_le32(out + 28, crc_of(out));
}

static void parse_entry(const uint8_t p[ENTRY_SIZE], otadata_entry_t *entry)
{
    entry->seq = bytes_get_le32(p);
    /* seq 0 names no slot: ESP-IDF's (seq - 1) would wrap. */
    entry->valid = entry->seq != NO_SEQ && entry->seq != 0 && bytes_get_le32(p + 28) == crc_of(p);
    uint32_t state = bytes_get_le32(p + 24);
    entry->state = state <= OTADATA_ABORTED ? (otadata_state_t)state : OTADATA_UNDEFINED;
}

static bool decides(const otadata_entry_t *entry)
{
    return entry->valid && entry->state != OTADATA_INVALID && entry->state != OTADATA_ABORTED;
}

bool otadata_read(const region_t *region, otadata_t *out)
{
    if (region->size != OTADATA_SIZE) {
        return false;
    }
    out->active = -1;
    for (int i = 0; i < 2; i++) {
        uint8_t bytes[ENTRY_SIZE];
        if (!region_read(region, (uint32_t)i * REGION_SECTOR, bytes, sizeof bytes)) {
            return false;
        }
        parse_entry(bytes, &out->entry[i]);
        if (decides(&out->entry[i]) &&
            (out->active < 0 || out->entry[i].seq > out->entry[out->active].seq)) {
            out->active = i;
        }
    }
    return true;
}

int otadata_slot(const otadata_t *data, unsigned slots)
{
    if (data->active < 0 || slots == 0 || slots > OTADATA_SLOTS) {
        return -1;
    }
    return (int)((data->entry[data->active].seq - 1) % slots);
}

/* An erase that is cut may raise any bits: of an ABORTED entry perhaps only those of the state,
   which would make it bootable again. So its CRC is spoilt first. */
static bool write_entry(const region_t *region, int index, uint32_t seq, otadata_state_t state)
{
    static const uint8_t spoilt[4] = {0, 0, 0, 0};
    uint8_t bytes[ENTRY_SIZE];
    uint32_t at = (uint32_t)index * REGION_SECTOR;
    if (!region_write(region, at + 28, spoilt, sizeof spoilt)) {
        return false;
    }
    otadata_build_entry(seq, state, bytes);
    return region_erase(region, at, REGION_SECTOR) && region_write(region, at, bytes, sizeof bytes);
}

bool otadata_switch(const region_t *region, unsigned slots, unsigned slot, otadata_state_t state)
{
    otadata_t now;
    if (slots == 0 || slots > OTADATA_SLOTS || slot >= slots || !otadata_read(region, &now)) {
        return false;
    }
    if (now.active < 0) {
        return write_entry(region, 0, slot + 1, state);
    }
    uint32_t seq = now.entry[now.active].seq + 1;
    while ((seq - 1) % slots != slot) {
        seq++;
    }
    /* Over 4 thousand million updates, or a forged entry: no higher number is left. */
    if (seq <= now.entry[now.active].seq || seq == NO_SEQ) {
        return false;
    }
    return write_entry(region, 1 - now.active, seq, state);
}

bool otadata_set_state(const region_t *region, int index, otadata_state_t state)
{
    otadata_t now;
    if (index < 0 || index > 1 || !otadata_read(region, &now) || !now.entry[index].valid) {
        return false;
    }
    return write_entry(region, index, now.entry[index].seq, state);
}

const char *otadata_state_name(otadata_state_t state)
{
    switch (state) {
    case OTADATA_NEW:
        return "new";
    case OTADATA_PENDING:
        return "pending verify";
    case OTADATA_VALID:
        return "valid";
    case OTADATA_INVALID:
        return "invalid";
    case OTADATA_ABORTED:
        return "aborted";
    case OTADATA_UNDEFINED:
        break;
    }
    return "undefined";
}

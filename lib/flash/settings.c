/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Format (LE). A sector: u32 magic | u32 seq | u32 CRC-32 of those 8 | u32 retired, then records:
 *
 *     u8 kind ('V' value, 'D' deleted) | u8 key length | u16 value length | u32 CRC-32 of key and
 *     value | u32 CRC-32 of the 8 bytes before | u32 reserved FF | key | value | FF up to 4
 *
 * Sectors carry rising seq; of two records of a key the one in the higher sector, or further
 * back in the same one, counts.
 *
 * There is always at least one free sector, except within a compaction: then the newest sector
 * holds nothing but copies out of the oldest. So a mount that finds no free sector erases the
 * newest and is where it was before the compaction. When all that lives in the oldest sector has
 * been copied it is marked retired, then erased: a half erased sector can thus never bring
 * back a value whose deletion was erased first. The mark counts when most of its bits are
 * cleared, so neither a cut within it nor a flipped bit decides wrongly.
 */
#include "flash/settings.h"

#include <string.h>

#include "base/bytes.h"
#include "flash/store.h"

#define MAGIC         0x31535243u /* "CRS1" */
#define SECTOR_HEADER 16u
#define RETIRED_AT    12u
#define RECORD_HEADER 16u
#define KIND_VALUE    0x56
#define KIND_DELETED  0x44

typedef struct {
    uint8_t kind;
    uint8_t key_len;
    uint16_t value_len;
    uint32_t crc;
} record_t;

static uint32_t record_size(const record_t *record)
{
    return (RECORD_HEADER + record->key_len + record->value_len + 3u) / 4 * 4;
}

static settings_status_t fail(settings_t *store)
{
    store->failed = true;
    return SETTINGS_IO;
}

/* ---- reading ---- */

typedef enum { HEADER_ERASED, HEADER_GOOD, HEADER_BAD } header_kind_t;

static bool all_ff(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (p[i] != 0xff) {
            return false;
        }
    }
    return true;
}

/* `at` may be up to the end of a sector; a record that would cross it is bad. */
static bool read_header(const settings_t *store, uint32_t at, record_t *record, header_kind_t *kind)
{
    uint8_t h[RECORD_HEADER];
    if (!region_read(&store->region, at, h, sizeof h)) {
        return false;
    }
    if (all_ff(h, sizeof h)) {
        *kind = HEADER_ERASED;
        return true;
    }
    record->kind = h[0];
    record->key_len = h[1];
    record->value_len = bytes_get_le16(h + 2);
    record->crc = bytes_get_le32(h + 4);
    bool good = bytes_get_le32(h + 8) == bytes_crc32(0, h, 8) &&
                (record->kind == KIND_VALUE || record->kind == KIND_DELETED) &&
                record->key_len >= 1 && record->key_len <= SETTINGS_KEY_MAX &&
                record->value_len <= SETTINGS_VALUE_MAX &&
                record_size(record) <= REGION_SECTOR - at % REGION_SECTOR;
    *kind = good ? HEADER_GOOD : HEADER_BAD;
    return true;
}

static bool is_key(const char *key)
{
    size_t len = 0;
    while (len <= SETTINGS_KEY_MAX && key[len] >= 0x21 && key[len] <= 0x7e) {
        len++;
    }
    return len >= 1 && len <= SETTINGS_KEY_MAX && key[len] == '\0';
}

/* Whether key and value match the CRC; the key is returned. */
static bool read_body(const settings_t *store, uint32_t at, const record_t *record,
                      char key[SETTINGS_KEY_MAX + 1], bool *good)
{
    uint8_t buf[64];
    uint32_t crc = 0;
    uint32_t len = (uint32_t)record->key_len + record->value_len;
    memset(key, 0, SETTINGS_KEY_MAX + 1);
    for (uint32_t done = 0; done < len;) {
        uint32_t n = len - done < sizeof buf ? len - done : (uint32_t)sizeof buf;
        if (!region_read(&store->region, at + RECORD_HEADER + done, buf, n)) {
            return false;
        }
        if (done == 0) {
            memcpy(key, buf, record->key_len);
        }
        crc = bytes_crc32(crc, buf, n);
        done += n;
    }
    bytes_wipe(buf, sizeof buf);
    *good = crc == record->crc;
    return true;
}

/* ---- the index ---- */

static settings_slot_t *find(settings_t *store, const char *key)
{
    for (uint32_t i = 0; i < store->slots; i++) {
        if (strcmp(store->slot[i].key, key) == 0) {
            return &store->slot[i];
        }
    }
    return NULL;
}

static void forget(settings_t *store, settings_slot_t *slot)
{
    *slot = store->slot[--store->slots];
}

/* Takes note of a good record that is newer than all before it. False: too many keys. */
static bool learn(settings_t *store, uint32_t at, const record_t *record, const char *key)
{
    settings_slot_t *slot = find(store, key);
    if (record->kind == KIND_DELETED) {
        if (slot != NULL) {
            forget(store, slot);
        }
        return true;
    }
    if (slot == NULL) {
        if (store->slots == SETTINGS_KEYS) {
            return false;
        }
        slot = &store->slot[store->slots++];
    }
    memset(slot->key, 0, sizeof slot->key);
    memcpy(slot->key, key, strlen(key)); /* at most SETTINGS_KEY_MAX: checked by all callers */
    slot->at = at;
    slot->len = record->value_len;
    return true;
}

/* ---- mount ---- */

/* Sets seq[index], 0 for a sector that is free or unusable. */
static bool read_sector(settings_t *store, uint32_t index)
{
    uint8_t h[SECTOR_HEADER];
    if (!region_read(&store->region, index * REGION_SECTOR, h, sizeof h)) {
        return false;
    }
    store->seq[index] = 0;
    uint32_t seq = bytes_get_le32(h + 4);
    if (bytes_get_le32(h) == MAGIC && bytes_get_le32(h + 8) == bytes_crc32(0, h, 8) && seq != 0) {
        if (!store_is_marked(bytes_get_le32(h + RETIRED_AT))) {
            store->seq[index] = seq;
        }
        return true;
    }
    bool erased;
    if (!store_is_erased(&store->region, index * REGION_SECTOR, (index + 1) * REGION_SECTOR,
                         &erased)) {
        return false;
    }
    store->damaged += erased ? 0 : 1;
    return true;
}

/* Learns the records of a sector; `end` is where the next one may be written. */
static bool scan_sector(settings_t *store, uint32_t index, uint32_t *end)
{
    uint32_t start = index * REGION_SECTOR;
    uint32_t at = SECTOR_HEADER;
    header_kind_t kind = HEADER_BAD;
    while (at + RECORD_HEADER < REGION_SECTOR) {
        record_t record;
        char key[SETTINGS_KEY_MAX + 1];
        bool good;
        if (!read_header(store, start + at, &record, &kind)) {
            return false;
        }
        if (kind != HEADER_GOOD) {
            break;
        }
        if (!read_body(store, start + at, &record, key, &good)) {
            return false;
        }
        if (!good || !is_key(key) || strlen(key) != record.key_len ||
            !learn(store, start + at, &record, key)) {
            store->damaged++;
        }
        at += record_size(&record);
    }
    bool clean = false;
    if (kind == HEADER_ERASED &&
        !store_is_erased(&store->region, start + at, start + REGION_SECTOR, &clean)) {
        return false;
    }
    /* What follows a torn header cannot be found, and must not be written over. */
    store->damaged += at + RECORD_HEADER < REGION_SECTOR && !clean ? 1 : 0;
    *end = clean ? at : REGION_SECTOR;
    return true;
}

/* The live sector with the lowest seq above `above`, or -1. Of two with one seq (only damage makes
   them) the first counts as older. */
static int next_sector(const settings_t *store, uint32_t above, int after)
{
    int best = -1;
    for (uint32_t i = 0; i < store->sectors; i++) {
        uint32_t seq = store->seq[i];
        bool later = seq > above || (seq == above && (int)i > after);
        if (seq != 0 && later && (best < 0 || seq < store->seq[best])) {
            best = (int)i;
        }
    }
    return best;
}

static uint32_t count_free(const settings_t *store)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < store->sectors; i++) {
        count += store->seq[i] == 0 ? 1 : 0;
    }
    return count;
}

static bool scan_all(settings_t *store)
{
    store->slots = 0;
    store->head = -1;
    store->end = REGION_SECTOR;
    for (int i = next_sector(store, 0, -1); i >= 0; i = next_sector(store, store->seq[i], i)) {
        store->head = i;
        if (!scan_sector(store, (uint32_t)i, &store->end)) {
            return false;
        }
    }
    return true;
}

/* ---- writing ---- */

/* Gives a sector back. The mark first: see the head of this file. */
static bool free_sector(settings_t *store, uint32_t index)
{
    static const uint8_t retired[4] = {0, 0, 0, 0};
    uint32_t at = index * REGION_SECTOR;
    if (!region_write(&store->region, at + RETIRED_AT, retired, sizeof retired) ||
        !region_erase(&store->region, at, REGION_SECTOR)) {
        return false;
    }
    store->seq[index] = 0;
    return true;
}

/* Makes the next free sector after the head the new head. */
static settings_status_t open_sector(settings_t *store)
{
    uint32_t index = 0;
    uint32_t seq = 1;
    if (store->head >= 0) {
        index = ((uint32_t)store->head + 1) % store->sectors;
        seq = store->seq[store->head] + 1;
    }
    for (uint32_t i = 0; i < store->sectors && store->seq[index] != 0; i++) {
        index = (index + 1) % store->sectors;
    }
    if (store->seq[index] != 0 || seq == 0) {
        return SETTINGS_FULL; /* only damage leads here: seq counts erases */
    }
    uint32_t at = index * REGION_SECTOR;
    if (!store_erase_sector(&store->region, index)) {
        return fail(store);
    }
    uint8_t h[12];
    bytes_put_le32(h, MAGIC);
    bytes_put_le32(h + 4, seq);
    bytes_put_le32(h + 8, bytes_crc32(0, h, 8));
    if (!region_write(&store->region, at, h, sizeof h)) {
        return fail(store);
    }
    store->seq[index] = seq;
    store->head = (int)index;
    store->end = SECTOR_HEADER;
    return SETTINGS_OK;
}

/* Copies a record to the head, where it is known to fit. */
static bool copy_record(settings_t *store, settings_slot_t *slot)
{
    record_t record = {KIND_VALUE, (uint8_t)strlen(slot->key), slot->len, 0};
    uint32_t from = slot->at;
    uint32_t to = (uint32_t)store->head * REGION_SECTOR + store->end;
    uint32_t len = RECORD_HEADER + record.key_len + record.value_len;
    uint8_t buf[64];
    for (uint32_t done = 0; done < len;) {
        uint32_t n = len - done < sizeof buf ? len - done : (uint32_t)sizeof buf;
        if (!region_read(&store->region, from + done, buf, n) ||
            !region_write(&store->region, to + done, buf, n)) {
            return false;
        }
        done += n;
    }
    bytes_wipe(buf, sizeof buf);
    slot->at = to;
    store->end += record_size(&record);
    return true;
}

/* Moves what lives in the oldest sector to a fresh one and frees it. The number of free sectors is
   the same afterwards; what died is gone, and the rest of the fresh sector is room. */
static settings_status_t compact(settings_t *store)
{
    int oldest = next_sector(store, 0, -1);
    settings_status_t status = open_sector(store);
    if (status != SETTINGS_OK) {
        return status;
    }
    for (uint32_t i = 0; i < store->slots; i++) {
        if (store->slot[i].at / REGION_SECTOR == (uint32_t)oldest &&
            !copy_record(store, &store->slot[i])) {
            return fail(store);
        }
    }
    return free_sector(store, (uint32_t)oldest) ? SETTINGS_OK : fail(store);
}

static bool fits(const settings_t *store, uint32_t size)
{
    return store->head >= 0 && store->end <= REGION_SECTOR && size <= REGION_SECTOR - store->end;
}

static uint32_t live_bytes(const settings_t *store)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < store->slots; i++) {
        record_t record = {KIND_VALUE, (uint8_t)strlen(store->slot[i].key), store->slot[i].len, 0};
        sum += record_size(&record);
    }
    return sum;
}

static settings_status_t make_room(settings_t *store, uint32_t size)
{
    /* What cannot fit is refused without wearing the flash. */
    if (live_bytes(store) + size > (store->sectors - 1) * (REGION_SECTOR - SECTOR_HEADER)) {
        return SETTINGS_FULL;
    }
    for (uint32_t i = 0; i <= store->sectors && !fits(store, size); i++) {
        settings_status_t status = count_free(store) > 1 ? open_sector(store) : compact(store);
        if (status != SETTINGS_OK) {
            return status;
        }
    }
    return fits(store, size) ? SETTINGS_OK : SETTINGS_FULL;
}

static settings_status_t append(settings_t *store, record_t *record, const char *key,
                                const void *value)
{
    settings_status_t status = make_room(store, record_size(record));
    if (status != SETTINGS_OK) {
        return status;
    }
    record->crc = bytes_crc32(bytes_crc32(0, key, record->key_len), value, record->value_len);
    uint8_t h[12 + 4 + SETTINGS_KEY_MAX];
    h[0] = record->kind;
    h[1] = record->key_len;
    bytes_put_le16(h + 2, record->value_len);
    bytes_put_le32(h + 4, record->crc);
    bytes_put_le32(h + 8, bytes_crc32(0, h, 8));
    memset(h + 12, 0xff, 4);
    memcpy(h + RECORD_HEADER, key, record->key_len);
    uint32_t at = (uint32_t)store->head * REGION_SECTOR + store->end;
    uint32_t prefix = RECORD_HEADER + record->key_len;
    if (!region_write(&store->region, at, h, prefix) ||
        (record->value_len > 0 &&
         !region_write(&store->region, at + prefix, value, record->value_len))) {
        return fail(store);
    }
    store->end += record_size(record);
    learn(store, at, record, key);
    return SETTINGS_OK;
}

/* ---- public ---- */

settings_status_t settings_mount(settings_t *store, const region_t *region)
{
    memset(store, 0, sizeof *store);
    store->region = *region;
    store->sectors = region->size / REGION_SECTOR;
    store->head = -1;
    store->failed = true;
    if (region->size % REGION_SECTOR != 0 || store->sectors < 2 ||
        store->sectors > SETTINGS_SECTORS_MAX) {
        return SETTINGS_BAD_REGION;
    }
    for (uint32_t i = 0; i < store->sectors; i++) {
        if (!read_sector(store, i)) {
            return SETTINGS_IO;
        }
    }
    if (!scan_all(store)) {
        return SETTINGS_IO;
    }
    if (count_free(store) == 0) {
        store->damaged = 0; /* no sector was, and the records are counted again */
        if (!free_sector(store, (uint32_t)store->head) || !scan_all(store)) {
            return SETTINGS_IO;
        }
    }
    store->failed = false;
    return SETTINGS_OK;
}

static settings_status_t check_key(const settings_t *store, const char *key)
{
    if (store->failed) {
        return SETTINGS_IO;
    }
    return is_key(key) ? SETTINGS_OK : SETTINGS_BAD_KEY;
}

settings_status_t settings_get(settings_t *store, const char *key, void *data, size_t cap,
                               size_t *len)
{
    *len = 0;
    settings_status_t status = check_key(store, key);
    if (status != SETTINGS_OK) {
        return status;
    }
    const settings_slot_t *slot = find(store, key);
    if (slot == NULL) {
        return SETTINGS_NOT_FOUND;
    }
    *len = slot->len;
    if (slot->len > cap) {
        return SETTINGS_TOO_LARGE;
    }
    record_t record;
    header_kind_t kind;
    uint32_t key_len = (uint32_t)strlen(key);
    if (!read_header(store, slot->at, &record, &kind) ||
        !region_read(&store->region, slot->at + RECORD_HEADER + key_len, data, slot->len)) {
        return fail(store);
    }
    /* Read again and checked again: flash can change its mind. */
    uint32_t crc = bytes_crc32(bytes_crc32(0, key, key_len), data, slot->len);
    return kind == HEADER_GOOD && record.crc == crc ? SETTINGS_OK : SETTINGS_DAMAGED;
}

/* Whether the flash holds exactly this value already, in a sound record. */
static bool is_same(settings_t *store, const settings_slot_t *slot, const uint8_t *data, size_t len)
{
    uint8_t buf[64];
    record_t record;
    header_kind_t kind;
    uint32_t key_len = (uint32_t)strlen(slot->key);
    uint32_t at = slot->at + RECORD_HEADER + key_len;
    bool same = slot->len == len && read_header(store, slot->at, &record, &kind) &&
                kind == HEADER_GOOD &&
                record.crc == bytes_crc32(bytes_crc32(0, slot->key, key_len), data, len);
    for (size_t done = 0; same && done < len;) {
        size_t n = len - done < sizeof buf ? len - done : sizeof buf;
        same = region_read(&store->region, at + (uint32_t)done, buf, (uint32_t)n) &&
               memcmp(buf, data + done, n) == 0;
        done += n;
    }
    bytes_wipe(buf, sizeof buf);
    return same;
}

settings_status_t settings_set(settings_t *store, const char *key, const void *data, size_t len)
{
    settings_status_t status = check_key(store, key);
    if (status != SETTINGS_OK) {
        return status;
    }
    if (len > SETTINGS_VALUE_MAX) {
        return SETTINGS_TOO_LARGE;
    }
    const settings_slot_t *slot = find(store, key);
    if (slot == NULL && store->slots == SETTINGS_KEYS) {
        return SETTINGS_FULL;
    }
    if (slot != NULL && is_same(store, slot, data, len)) {
        return SETTINGS_OK;
    }
    record_t record = {KIND_VALUE, (uint8_t)strlen(key), (uint16_t)len, 0};
    return append(store, &record, key, data);
}

settings_status_t settings_erase(settings_t *store, const char *key)
{
    settings_status_t status = check_key(store, key);
    if (status != SETTINGS_OK) {
        return status;
    }
    if (find(store, key) == NULL) {
        return SETTINGS_NOT_FOUND;
    }
    record_t record = {KIND_DELETED, (uint8_t)strlen(key), 0, 0};
    return append(store, &record, key, "");
}

bool settings_next(const settings_t *store, uint32_t *cursor, char key[SETTINGS_KEY_MAX + 1],
                   size_t *len)
{
    if (*cursor >= store->slots) {
        return false;
    }
    const settings_slot_t *slot = &store->slot[(*cursor)++];
    memcpy(key, slot->key, sizeof slot->key);
    *len = slot->len;
    return true;
}

settings_status_t settings_purge(settings_t *store)
{
    if (store->failed) {
        return SETTINGS_IO;
    }
    /* Free sectors may hold the remains of an interrupted erase. */
    for (uint32_t i = 0; i < store->sectors; i++) {
        if (store->seq[i] == 0 && !store_erase_sector(&store->region, i)) {
            return fail(store);
        }
    }
    uint32_t live = store->sectors - count_free(store);
    for (uint32_t i = 0; i < live; i++) {
        settings_status_t status = compact(store);
        if (status != SETTINGS_OK) {
            return status;
        }
    }
    return SETTINGS_OK;
}

const char *settings_status_text(settings_status_t status)
{
    switch (status) {
    case SETTINGS_OK:
        return "done";
    case SETTINGS_NOT_FOUND:
        return "there is no such setting";
    case SETTINGS_BAD_KEY:
        return "a setting's key has 1 to 15 printable characters";
    case SETTINGS_TOO_LARGE:
        return "the setting is too large";
    case SETTINGS_FULL:
        return "the settings partition is full";
    case SETTINGS_DAMAGED:
        return "the setting is damaged";
    case SETTINGS_BAD_REGION:
        return "the settings partition has an unusable size";
    case SETTINGS_IO:
        break;
    }
    return "the flash failed";
}

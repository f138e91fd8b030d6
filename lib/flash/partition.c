/* SPDX-License-Identifier: Apache-2.0 */
/* The table as bytes, its rules, and Cradle's own. */
#include "flash/partition.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/bytes.h"

#define ENTRY_SIZE     32u
#define TABLE_SECTOR   0x1000u
#define APP_ALIGNMENT  0x10000u
#define DATA_ALIGNMENT 0x1000u
#define OTADATA_BYTES  0x2000u
#define NVS_WRITABLE   0x3000u
#define DATA_COREDUMP  0x03
#define DATA_TEE_OTA   0x90
#define PRIMARY        0x00 /* subtype of the bootloader and the table themselves */

void partition_table_cradle(partition_table_t *table)
{
    static const partition_t entries[] = {
        {"nvs", PARTITION_DATA, PARTITION_DATA_NVS, 0xe000, 0x6000, 0},
        {"otadata", PARTITION_DATA, PARTITION_DATA_OTA, 0x14000, 0x2000, 0},
        {"phy_init", PARTITION_DATA, PARTITION_DATA_PHY, 0x16000, 0x1000, 0},
        {"identity", PARTITION_DATA, PARTITION_DATA_SPIFFS, 0x17000, 0x9000, 0},
        {"ota_0", PARTITION_APP, PARTITION_APP_OTA_0, 0x20000, 0x1e0000, 0},
        {"ota_1", PARTITION_APP, PARTITION_APP_OTA_0 + 1, 0x200000, 0x1e0000, 0},
        {"cradle_nvs", PARTITION_DATA, PARTITION_DATA_NVS, 0x3e0000, 0x8000, 0},
        {"nvs_keys", PARTITION_DATA, PARTITION_DATA_NVS_KEYS, 0x3e8000, 0x1000, 0},
        {"outbox", PARTITION_DATA, PARTITION_DATA_UNDEFINED, 0x3e9000, 0x17000, 0},
    };
    memset(table, 0, sizeof *table);
    memcpy(table->entry, entries, sizeof entries);
    table->count = sizeof entries / sizeof entries[0];
    table->has_md5 = true;
}

static bool digest(const void *data, size_t len, uint8_t out[16], err_t *err)
{
    if (EVP_Digest(data, len, out, NULL, EVP_md5(), NULL) != 1) {
        return err_set(err, ERR_SYSTEM, "OpenSSL offers no MD5, which partition tables need");
    }
    return true;
}

/* ---- bytes to table ---- */

static bool parse_label(const uint8_t *p, char label[PARTITION_LABEL_MAX + 1], err_t *err)
{
    size_t len = 0;
    while (len < PARTITION_LABEL_MAX && p[len] != 0) {
        if (p[len] < 0x21 || p[len] > 0x7e || p[len] == ',') {
            return err_set(err, ERR_INPUT, "its label has the byte %02x", p[len]);
        }
        label[len] = (char)p[len];
        len++;
    }
    label[len] = '\0';
    return len > 0 || err_set(err, ERR_INPUT, "it has no label");
}

static bool parse_entry(const uint8_t *p, partition_t *out, err_t *err)
{
    if (p[0] != 0xaa || p[1] != 0x50) {
        return err_set(err, ERR_INPUT, "it begins with %02x%02x, not aa50", p[0], p[1]);
    }
    out->type = p[2];
    out->subtype = p[3];
    out->offset = bytes_get_le32(p + 4);
    out->size = bytes_get_le32(p + 8);
    out->flags = bytes_get_le32(p + 28);
    if (out->size > UINT32_MAX - out->offset) {
        return err_set(err, ERR_INPUT, "0x%x bytes at 0x%x are beyond 32 bits", (unsigned)out->size,
                       (unsigned)out->offset);
    }
    return parse_label(p + 12, out->label, err);
}

static bool is_erased(const uint8_t *p)
{
    for (size_t i = 0; i < ENTRY_SIZE; i++) {
        if (p[i] != 0xff) {
            return false;
        }
    }
    return true;
}

static bool parse_checksum(const uint8_t *table, const uint8_t *line, err_t *err)
{
    uint8_t sum[16];
    if (!digest(table, (size_t)(line - table), sum, err)) {
        return false;
    }
    if (memcmp(line + 16, sum, sizeof sum) != 0) {
        return err_set(err, ERR_INPUT, "the MD5 of the partition table does not match its entries");
    }
    return true;
}

bool partition_table_parse(const void *data, size_t len, partition_table_t *table, err_t *err)
{
    const uint8_t *bytes = data;
    memset(table, 0, sizeof *table);
    for (size_t at = 0; at + ENTRY_SIZE <= len; at += ENTRY_SIZE) {
        const uint8_t *p = bytes + at;
        if (is_erased(p)) {
            return at > 0 || err_set(err, ERR_INPUT,
                                     "there is no partition table, only erased "
                                     "flash");
        }
        if (table->has_md5) {
            return err_set(err, ERR_INPUT, "the partition table goes on after its checksum");
        }
        if (p[0] == 0xeb && p[1] == 0xeb) {
            if (!parse_checksum(bytes, p, err)) {
                return false;
            }
            table->has_md5 = true;
        } else if (table->count == PARTITION_MAX) {
            break;
        } else if (!parse_entry(p, &table->entry[table->count], err)) {
            return err_add(err, "entry %zu of the partition table", table->count + 1);
        } else {
            table->count++;
        }
    }
    return err_set(err, ERR_INPUT, "the partition table has no end within %zu bytes", len);
}

/* ---- table to bytes ---- */

static bool check_label(const char *label, err_t *err)
{
    size_t len = strnlen(label, PARTITION_LABEL_MAX + 1);
    bool ok = len > 0 && len <= PARTITION_LABEL_MAX;
    for (size_t i = 0; ok && i < len; i++) {
        ok = label[i] > 0x20 && label[i] < 0x7f && label[i] != ',';
    }
    return ok || err_set(err, ERR_USAGE,
                         "a partition label has 1 to 16 printable ASCII characters without ','");
}

bool partition_table_build(const partition_table_t *table, uint8_t out[PARTITION_TABLE_SIZE],
                           err_t *err)
{
    /* At least one erased line must follow: it is the end marker. */
    size_t lines = table->count + (table->has_md5 ? 1 : 0);
    if ((lines + 1) * ENTRY_SIZE > PARTITION_TABLE_SIZE) {
        return err_set(err, ERR_USAGE, "%zu partitions do not fit into a table", table->count);
    }
    memset(out, 0xff, PARTITION_TABLE_SIZE);
    uint8_t *p = out;
    for (size_t i = 0; i < table->count; i++, p += ENTRY_SIZE) {
        const partition_t *e = &table->entry[i];
        if (!check_label(e->label, err)) {
            return false;
        }
        p[0] = 0xaa;
        p[1] = 0x50;
        p[2] = e->type;
        p[3] = e->subtype;
        bytes_put_le32(p + 4, e->offset);
        bytes_put_le32(p + 8, e->size);
        memset(p + 12, 0, PARTITION_LABEL_MAX);
        memcpy(p + 12, e->label, strlen(e->label));
        bytes_put_le32(p + 28, e->flags);
    }
    if (table->has_md5) {
        p[0] = p[1] = 0xeb;
        return digest(out, (size_t)(p - out), p + 16, err);
    }
    return true;
}

/* ---- rules ---- */

static bool check_entry(const partition_t *e, err_t *err)
{
    uint32_t align = e->type == PARTITION_APP ? APP_ALIGNMENT : DATA_ALIGNMENT;
    if (e->offset % align != 0) {
        return err_set(err, ERR_INPUT, "partition %s: its offset 0x%x is not a multiple of 0x%x",
                       e->label, (unsigned)e->offset, (unsigned)align);
    }
    if (e->type == PARTITION_APP && e->size % DATA_ALIGNMENT != 0) {
        return err_set(err, ERR_INPUT, "partition %s: its size 0x%x is not a multiple of 0x%x",
                       e->label, (unsigned)e->size, DATA_ALIGNMENT);
    }
    if (e->size > UINT32_MAX - e->offset) {
        return err_set(err, ERR_INPUT, "partition %s: 0x%x bytes at 0x%x are beyond 32 bits",
                       e->label, (unsigned)e->size, (unsigned)e->offset);
    }
    bool read_only = (e->flags & PARTITION_FLAG_READONLY) != 0;
    if (e->type != PARTITION_DATA) {
        return true;
    }
    if (read_only && (e->subtype == PARTITION_DATA_OTA || e->subtype == DATA_COREDUMP)) {
        return err_set(err, ERR_INPUT, "partition %s: otadata and coredump cannot be read-only",
                       e->label);
    }
    if (e->subtype == PARTITION_DATA_NVS && e->size < NVS_WRITABLE && !read_only) {
        return err_set(err, ERR_INPUT,
                       "partition %s: NVS of 0x%x bytes must be flagged readonly, or have at least "
                       "0x%x",
                       e->label, (unsigned)e->size, NVS_WRITABLE);
    }
    return true;
}

/* The bootloader and the table may have rows that say where they are, below everything else. */
static bool is_primary(const partition_t *e)
{
    return (e->type == PARTITION_BOOTLOADER || e->type == PARTITION_TABLE) && e->subtype == PRIMARY;
}

static bool check_pair(const partition_t *a, const partition_t *b, err_t *err)
{
    if (strcmp(a->label, b->label) == 0) {
        return err_set(err, ERR_INPUT, "two partitions have the label %s", a->label);
    }
    const partition_t *low = a->offset <= b->offset ? a : b;
    const partition_t *high = low == a ? b : a;
    if (high->offset - low->offset < low->size) {
        return err_set(err, ERR_INPUT, "partition %s at 0x%x overlaps %s at 0x%x-0x%x", high->label,
                       (unsigned)high->offset, low->label, (unsigned)low->offset,
                       (unsigned)(low->offset + low->size - 1));
    }
    if (a->type == PARTITION_DATA && b->type == PARTITION_DATA && a->subtype == b->subtype &&
        (a->subtype == PARTITION_DATA_OTA || a->subtype == DATA_TEE_OTA)) {
        return err_set(err, ERR_INPUT, "%s and %s are both otadata; there can be only one",
                       a->label, b->label);
    }
    return true;
}

bool partition_table_check(const partition_table_t *table, uint32_t table_offset,
                           uint32_t flash_size, err_t *err)
{
    for (size_t i = 0; i < table->count; i++) {
        const partition_t *e = &table->entry[i];
        if (!check_entry(e, err)) {
            return false;
        }
        if (e->offset < table_offset + TABLE_SECTOR && !is_primary(e)) {
            return err_set(err, ERR_INPUT,
                           "partition %s at 0x%x is below 0x%x, where the table's sector ends",
                           e->label, (unsigned)e->offset, (unsigned)(table_offset + TABLE_SECTOR));
        }
        if (flash_size != 0 && e->offset + e->size > flash_size) {
            return err_set(err, ERR_INPUT,
                           "partition %s ends at 0x%x, beyond a flash of 0x%x bytes", e->label,
                           (unsigned)(e->offset + e->size), (unsigned)flash_size);
        }
        if (e->type == PARTITION_DATA && e->size != OTADATA_BYTES &&
            (e->subtype == PARTITION_DATA_OTA || e->subtype == DATA_TEE_OTA)) {
            return err_set(err, ERR_INPUT, "partition %s: otadata has exactly 0x%x bytes", e->label,
                           OTADATA_BYTES);
        }
        for (size_t k = 0; k < i; k++) {
            if (!check_pair(&table->entry[k], e, err)) {
                return false;
            }
        }
    }
    return true;
}

/* ---- looking up ---- */

const partition_t *partition_find(const partition_table_t *table, const char *label)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->entry[i].label, label) == 0) {
            return &table->entry[i];
        }
    }
    return NULL;
}

const partition_t *partition_find_type(const partition_table_t *table, uint8_t type,
                                       uint8_t subtype)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->entry[i].type == type && table->entry[i].subtype == subtype) {
            return &table->entry[i];
        }
    }
    return NULL;
}

size_t partition_count_ota(const partition_table_t *table)
{
    size_t count = 0;
    while (count < 16 && partition_find_type(table, PARTITION_APP,
                                             (uint8_t)(PARTITION_APP_OTA_0 + count)) != NULL) {
        count++;
    }
    return count;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * partition: the partition table of an ESP32, read, checked and built as ESP-IDF's
 * gen_esp32part.py does. A built table is equal to the tool's byte for byte.
 *
 * Deliberately stricter than the tool: a label is 1 to 16 printable ASCII characters without ','
 * (the tool silently cuts longer ones), and offset + size must stay within 32 bits.
 */
#ifndef CRADLE_FLASH_PARTITION_H
#define CRADLE_FLASH_PARTITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PARTITION_TABLE_SIZE    0xc00u  /* bytes of the table; it owns a sector of 0x1000 */
#define PARTITION_TABLE_DEFAULT 0x8000u /* where ESP-IDF puts it by default */
#define PARTITION_TABLE_CRADLE  0xd000u /* where Cradle puts it (docs/architecture.md) */
#define PARTITION_MAX           95      /* and one line for the checksum */
#define PARTITION_LABEL_MAX     16

enum { PARTITION_APP = 0, PARTITION_DATA = 1, PARTITION_BOOTLOADER = 2, PARTITION_TABLE = 3 };
enum { PARTITION_APP_FACTORY = 0x00, PARTITION_APP_OTA_0 = 0x10, PARTITION_APP_TEST = 0x20 };
enum {
    PARTITION_DATA_OTA = 0x00,
    PARTITION_DATA_PHY = 0x01,
    PARTITION_DATA_NVS = 0x02,
    PARTITION_DATA_NVS_KEYS = 0x04,
    PARTITION_DATA_UNDEFINED = 0x06,
    PARTITION_DATA_SPIFFS = 0x82,
};
enum { PARTITION_FLAG_ENCRYPTED = 1, PARTITION_FLAG_READONLY = 2 };

typedef struct {
    char label[PARTITION_LABEL_MAX + 1];
    uint8_t type;
    uint8_t subtype;
    uint32_t offset; /* from the start of the flash */
    uint32_t size;
    uint32_t flags;
} partition_t;

typedef struct {
    partition_t entry[PARTITION_MAX];
    size_t count;
    bool has_md5;
} partition_table_t;

/* Cradle's table for 4 MB. */
void partition_table_cradle(partition_table_t *table);

/* Reads `len` bytes (a multiple of 32, PARTITION_TABLE_SIZE of a flash). A checksum line that is
   there must be right; an absent one is allowed, as in the tool. Also partition_table_check's
   rules are NOT applied here: call it when the table is to be used. */
bool partition_table_parse(const void *data, size_t len, partition_table_t *table, err_t *err);

/* The rules of the tool: alignment, unique labels, no overlap, nothing below the end of the
   table's own sector at `table_offset`, one otadata of 0x2000 bytes, sizes of NVS, and everything
   within `flash_size` (0: not checked). */
bool partition_table_check(const partition_table_t *table, uint32_t table_offset,
                           uint32_t flash_size, err_t *err);

/* The bytes for the flash. `table->has_md5` says whether the checksum is added. */
bool partition_table_build(const partition_table_t *table, uint8_t out[PARTITION_TABLE_SIZE],
                           err_t *err);

/* ESP-IDF's CSV: name, type, subtype, offset, size, flags; '#' comments, keywords, 0x, K and M,
   empty offsets, negative sizes. has_md5 becomes true. Not supported: $VARIABLES, bootloader and
   partition_table rows (their place is the build's, not the table's), UTF-16. */
bool partition_table_from_csv(const char *text, size_t len, uint32_t table_offset,
                              partition_table_t *table, err_t *err);

/* A number as the CSV writes sizes: 0x9000, 36K, 4M, 512. False: it is none, negative, or over 32
   bits. */
bool partition_parse_size(const char *text, uint32_t *out);

/* As gen_esp32part.py prints a binary table. Returns the bytes needed without the NUL; writes at
   most `cap` including it. */
size_t partition_table_to_csv(const partition_table_t *table, char *out, size_t cap);

/* NULL when there is none. */
const partition_t *partition_find(const partition_table_t *table, const char *label);
const partition_t *partition_find_type(const partition_table_t *table, uint8_t type,
                                       uint8_t subtype);

/* How many ota_N slots follow one another from ota_0. */
size_t partition_count_ota(const partition_table_t *table);

/* "app", "data", ... and "ota_0", "spiffs", ... or NULL when the tool has no name for it. */
const char *partition_type_name(uint8_t type);
const char *partition_subtype_name(uint8_t type, uint8_t subtype);

#endif

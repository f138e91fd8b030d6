/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spiffs_layout: where things are in a SPIFFS image; internal to lib/flash. After pellepl/spiffs
 * spiffs_nucleus.h and ESP-IDF's spiffs_config.h: all ids and page numbers are 16 bits.
 */
#ifndef CRADLE_FLASH_SPIFFS_LAYOUT_H
#define CRADLE_FLASH_SPIFFS_LAYOUT_H

#include "flash/spiffs.h"

/* A page begins: u16 object id | u16 span index | u8 flags. */
#define SPIFFS_PAGE_HEADER  5u
#define SPIFFS_INDEX_HEADER 8u /* the same, padded to 4 */
#define SPIFFS_HEAD_SIZE    8u /* in an object's head page: u32 size | u8 type | name | meta */
#define SPIFFS_HEAD_TYPE    12u
#define SPIFFS_HEAD_NAME    13u
#define SPIFFS_TYPE_FILE    1
#define SPIFFS_INDEX_FLAG   0x8000u /* in the id of an index page */
#define SPIFFS_ID_FREE      0xffffu
#define SPIFFS_ID_DELETED   0x0000u
#define SPIFFS_ID_MAX       0x7ffeu
#define SPIFFS_SIZE_UNKNOWN 0xffffffffu

/* Flags are active low. */
#define SPIFFS_FLAG_USED    0x01u
#define SPIFFS_FLAG_FINAL   0x02u
#define SPIFFS_FLAG_INDEX   0x04u
#define SPIFFS_FLAG_IXDELE  0x40u
#define SPIFFS_FLAG_DELETED 0x80u
#define SPIFFS_DATA_DONE    0xfcu
#define SPIFFS_INDEX_DONE   0xf8u

typedef struct {
    uint32_t pages;         /* in the image            */
    uint32_t blocks;        /* in the image            */
    uint32_t block_pages;   /* in a block              */
    uint32_t lookup_pages;  /* of them, at its start   */
    uint32_t usable_pages;  /* the rest                */
    uint32_t data_len;      /* content of a data page  */
    uint32_t head_table;    /* where the page numbers begin in a head page */
    uint32_t head_entries;  /* how many                */
    uint32_t index_entries; /* in a further index page */
    uint32_t magic_entry;   /* the lookup entry that holds a block's magic */
} spiffs_layout_t;

/* ERR_USAGE when the options make no file system. */
bool spiffs_layout(const spiffs_config_t *config, spiffs_layout_t *layout, err_t *err);

/* The magic that block `index` must have. */
uint16_t spiffs_magic(const spiffs_config_t *config, const spiffs_layout_t *layout, uint32_t index);

/* Whether a block can be so full that a page's id takes the place of its magic. */
static inline bool spiffs_magic_can_go(const spiffs_layout_t *layout)
{
    return layout->usable_pages > layout->magic_entry;
}

static inline uint16_t spiffs_get16(const spiffs_config_t *config, const uint8_t *p)
{
    return config->big_endian ? (uint16_t)(p[0] << 8 | p[1]) : (uint16_t)(p[0] | p[1] << 8);
}

static inline void spiffs_put16(const spiffs_config_t *config, uint8_t *p, uint32_t v)
{
    p[config->big_endian ? 0 : 1] = (uint8_t)(v >> 8);
    p[config->big_endian ? 1 : 0] = (uint8_t)v;
}

static inline uint32_t spiffs_get32(const spiffs_config_t *config, const uint8_t *p)
{
    uint32_t a = spiffs_get16(config, p), b = spiffs_get16(config, p + 2);
    return config->big_endian ? a << 16 | b : b << 16 | a;
}

static inline void spiffs_put32(const spiffs_config_t *config, uint8_t *p, uint32_t v)
{
    spiffs_put16(config, p + (config->big_endian ? 0 : 2), v >> 16);
    spiffs_put16(config, p + (config->big_endian ? 2 : 0), v & 0xffff);
}

/* The lookup entry of usable page `entry` (0..usable_pages-1) of a block; lookup pages follow one
   another, so their entries do too. */
static inline uint32_t spiffs_lookup_at(const spiffs_config_t *config, uint32_t block,
                                        uint32_t entry)
{
    return block * config->block_size + entry * 2;
}

static inline uint32_t spiffs_page_of(const spiffs_layout_t *layout, uint32_t block, uint32_t entry)
{
    return block * layout->block_pages + layout->lookup_pages + entry;
}

#endif

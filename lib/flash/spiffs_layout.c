/* SPDX-License-Identifier: Apache-2.0 */
#include "flash/spiffs_layout.h"

#include <string.h>

#define MAGIC     0x20140529u
#define PAGE_MIN  64u
#define PAGE_MAX  32768u
#define BLOCK_MAX 0x100000u
#define PAGES_MAX 65535u
#define RESERVED  64u /* of a head page, for everything but name and meta data */

spiffs_config_t spiffs_config_default(uint32_t image_size)
{
    return (spiffs_config_t){.image_size = image_size,
                             .page_size = 256,
                             .block_size = 4096,
                             .name_len = 32,
                             .meta_len = 4,
                             .use_magic = true,
                             .use_magic_len = true};
}

static bool is_power_of_two(uint32_t v)
{
    return v != 0 && (v & (v - 1)) == 0;
}

static bool check_config(const spiffs_config_t *c, err_t *err)
{
    if (!is_power_of_two(c->page_size) || c->page_size < PAGE_MIN || c->page_size > PAGE_MAX) {
        return err_set(err, ERR_USAGE, "a SPIFFS page of %u bytes: powers of two from %u to %u",
                       (unsigned)c->page_size, PAGE_MIN, PAGE_MAX);
    }
    if (!is_power_of_two(c->block_size) || c->block_size < c->page_size ||
        c->block_size > BLOCK_MAX) {
        return err_set(err, ERR_USAGE,
                       "a SPIFFS block of %u bytes: a power of two, at least a page, at most %u",
                       (unsigned)c->block_size, BLOCK_MAX);
    }
    if (c->image_size == 0 || c->image_size % c->block_size != 0 ||
        c->image_size / c->page_size > PAGES_MAX) {
        return err_set(err, ERR_USAGE,
                       "a SPIFFS image of 0x%x bytes: whole blocks of 0x%x, at most %u pages of %u",
                       (unsigned)c->image_size, (unsigned)c->block_size, PAGES_MAX,
                       (unsigned)c->page_size);
    }
    uint32_t room = c->page_size - RESERVED;
    if (c->name_len < 2 || c->name_len > SPIFFS_NAME_MAX + 1 || c->meta_len > room ||
        c->name_len > room - c->meta_len) {
        return err_set(err, ERR_USAGE,
                       "SPIFFS names of %u and meta data of %u bytes: names 2 to %d, together at "
                       "most %u with pages of %u",
                       (unsigned)c->name_len, (unsigned)c->meta_len, SPIFFS_NAME_MAX + 1,
                       (unsigned)room, (unsigned)c->page_size);
    }
    return true;
}

bool spiffs_layout(const spiffs_config_t *c, spiffs_layout_t *l, err_t *err)
{
    if (!check_config(c, err)) {
        return false;
    }
    memset(l, 0, sizeof *l);
    l->pages = c->image_size / c->page_size;
    l->blocks = c->image_size / c->block_size;
    l->block_pages = c->block_size / c->page_size;
    l->lookup_pages = (l->block_pages * 2 + c->page_size - 1) / c->page_size;
    l->usable_pages = l->block_pages - l->lookup_pages;
    if (l->usable_pages == 0) {
        return err_set(err, ERR_USAGE,
                       "a SPIFFS block of %u bytes has no room beside its own table",
                       (unsigned)c->block_size);
    }
    l->data_len = c->page_size - SPIFFS_PAGE_HEADER;
    l->head_table = SPIFFS_HEAD_NAME + c->name_len + c->meta_len;
    if (c->aligned_index) {
        l->head_table += l->head_table % 2;
    }
    l->head_entries = (c->page_size - l->head_table) / 2;
    l->index_entries = (c->page_size - SPIFFS_INDEX_HEADER) / 2;
    l->magic_entry = l->lookup_pages * c->page_size / 2 - 2;
    return true;
}

uint16_t spiffs_magic(const spiffs_config_t *config, const spiffs_layout_t *layout, uint32_t index)
{
    uint32_t magic = MAGIC ^ config->page_size;
    if (config->use_magic_len) {
        magic ^= layout->blocks - index;
    }
    return (uint16_t)magic;
}

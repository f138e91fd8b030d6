/* SPDX-License-Identifier: Apache-2.0 */
/* Builds an image: pages are handed out one after another, block by block. */
#include <stdlib.h>
#include <string.h>

#include "flash/spiffs_layout.h"

typedef struct {
    const spiffs_config_t *config;
    spiffs_layout_t layout;
    uint8_t *out;
    uint32_t block; /* of the next page */
    uint32_t entry; /* of the next page in its block */
} builder_t;

/* The object that is being written. */
typedef struct {
    uint16_t id;
    uint16_t spans;   /* index pages so far */
    uint8_t *table;   /* next page number goes here */
    uint32_t entries; /* how many more fit */
} object_t;

/* Takes the next page and writes its header; NULL: the image is full. */
static uint8_t *take_page(builder_t *b, uint32_t id, uint32_t span, uint8_t flags, uint32_t *number)
{
    const spiffs_config_t *c = b->config;
    if (b->entry == b->layout.usable_pages) {
        b->entry = 0;
        b->block++;
    }
    if (b->block == b->layout.blocks) {
        return NULL;
    }
    spiffs_put16(c, b->out + spiffs_lookup_at(c, b->block, b->entry), id);
    *number = spiffs_page_of(&b->layout, b->block, b->entry);
    b->entry++;
    uint8_t *page = b->out + *number * c->page_size;
    spiffs_put16(c, page, id);
    spiffs_put16(c, page + 2, span);
    page[4] = flags;
    return page;
}

static bool begin_object(builder_t *b, object_t *object, const spiffs_file_t *file)
{
    const spiffs_config_t *c = b->config;
    uint32_t number;
    uint8_t *page = take_page(b, object->id | SPIFFS_INDEX_FLAG, 0, SPIFFS_INDEX_DONE, &number);
    if (page == NULL) {
        return false;
    }
    spiffs_put32(c, page + SPIFFS_HEAD_SIZE, (uint32_t)file->len);
    page[SPIFFS_HEAD_TYPE] = SPIFFS_TYPE_FILE;
    memset(page + SPIFFS_HEAD_NAME, 0, b->layout.head_table - SPIFFS_HEAD_NAME);
    memcpy(page + SPIFFS_HEAD_NAME, file->name, strlen(file->name));
    object->spans = 1;
    object->table = page + b->layout.head_table;
    object->entries = b->layout.head_entries;
    return true;
}

static bool extend_index(builder_t *b, object_t *object)
{
    uint32_t number;
    uint8_t *page =
        take_page(b, object->id | SPIFFS_INDEX_FLAG, object->spans, SPIFFS_INDEX_DONE, &number);
    if (page == NULL) {
        return false;
    }
    object->spans++;
    object->table = page + SPIFFS_INDEX_HEADER;
    object->entries = b->layout.index_entries;
    return true;
}

static bool write_file(builder_t *b, uint16_t id, const spiffs_file_t *file)
{
    object_t object = {.id = id};
    if (!begin_object(b, &object, file)) {
        return false;
    }
    size_t done = 0;
    for (uint32_t span = 0; done < file->len; span++) {
        uint32_t number;
        if (object.entries == 0 && !extend_index(b, &object)) {
            return false;
        }
        uint8_t *page = take_page(b, id, span, SPIFFS_DATA_DONE, &number);
        if (page == NULL) {
            return false;
        }
        size_t n = file->len - done < b->layout.data_len ? file->len - done : b->layout.data_len;
        memcpy(page + SPIFFS_PAGE_HEADER, (const uint8_t *)file->data + done, n);
        spiffs_put16(b->config, object.table, number);
        object.table += 2;
        object.entries--;
        done += n;
    }
    return true;
}

/* Every block has its magic, an empty one too; a lookup page that is so full that an id stands in
   that place keeps the id. */
static void write_magics(builder_t *b)
{
    uint32_t last_page = b->layout.magic_entry;
    for (uint32_t i = 0; i < b->layout.blocks; i++) {
        uint8_t *place = b->out + spiffs_lookup_at(b->config, i, last_page);
        if (spiffs_get16(b->config, place) == SPIFFS_ID_FREE) {
            spiffs_put16(b->config, place, spiffs_magic(b->config, &b->layout, i));
        }
    }
}

/* ---- names ---- */

static bool check_name(const spiffs_config_t *config, const char *name, err_t *err)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++) {
        if (name[i] < 0x20 || name[i] > 0x7e) {
            return err_set(err, ERR_USAGE, "the SPIFFS name \"%.64s\" is not printable ASCII",
                           name);
        }
    }
    if (len == 0 || len >= config->name_len) {
        return err_set(err, ERR_USAGE,
                       "the SPIFFS name \"%.300s\" has %zu characters; 1 to %u fit (name length %u "
                       "less the NUL)",
                       name, len, (unsigned)config->name_len - 1, (unsigned)config->name_len);
    }
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool check_unique(const spiffs_file_t *files, size_t count, err_t *err)
{
    const char **names = malloc((count + 1) * sizeof *names);
    if (names == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory building a SPIFFS image");
    }
    for (size_t i = 0; i < count; i++) {
        names[i] = files[i].name;
    }
    qsort(names, count, sizeof *names, compare_names);
    bool ok = true;
    for (size_t i = 1; ok && i < count; i++) {
        if (strcmp(names[i - 1], names[i]) == 0) {
            ok = err_set(err, ERR_USAGE, "the SPIFFS name \"%s\" is there twice", names[i]);
        }
    }
    free(names);
    return ok;
}

bool spiffs_build(const spiffs_config_t *config, const spiffs_file_t *files, size_t count,
                  uint8_t *out, err_t *err)
{
    builder_t b = {.config = config, .out = out};
    if (!spiffs_layout(config, &b.layout, err)) {
        return false;
    }
    if (count > SPIFFS_ID_MAX) {
        return err_set(err, ERR_USAGE, "%zu files are more than SPIFFS has ids for", count);
    }
    for (size_t i = 0; i < count; i++) {
        if (!check_name(config, files[i].name, err)) {
            return false;
        }
    }
    if (!check_unique(files, count, err)) {
        return false;
    }
    memset(out, 0xff, config->image_size);
    for (size_t i = 0; i < count; i++) {
        if (files[i].len > config->image_size || !write_file(&b, (uint16_t)(i + 1), &files[i])) {
            return err_set(err, ERR_PRECONDITION,
                           "the SPIFFS image of 0x%x bytes is full at \"%s\" (file %zu of %zu)",
                           (unsigned)config->image_size, files[i].name, i + 1, count);
        }
    }
    if (config->use_magic) {
        write_magics(&b);
    }
    return true;
}

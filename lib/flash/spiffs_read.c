/* SPDX-License-Identifier: Apache-2.0 */
/* Reads an image that may be damaged or forged. What counts as a sound page is what the driver
   checks (SPIFFS_VALIDATE_OBJIX, SPIFFS_VALIDATE_DATA), and its lookup entry besides. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "flash/spiffs_layout.h"

#define FLAGS_HEAD (SPIFFS_FLAG_DELETED | SPIFFS_FLAG_FINAL | SPIFFS_FLAG_IXDELE)
#define FLAGS_PAGE (SPIFFS_FLAG_DELETED | SPIFFS_FLAG_FINAL | SPIFFS_FLAG_USED | SPIFFS_FLAG_INDEX)

static const uint8_t *page_at(const spiffs_t *fs, uint32_t number)
{
    return fs->image + number * fs->config.page_size;
}

static uint16_t lookup(const spiffs_t *fs, uint32_t block, uint32_t entry)
{
    return spiffs_get16(&fs->config, fs->image + spiffs_lookup_at(&fs->config, block, entry));
}

/* Is `number` a page that the lookup gives to `id`? */
static bool owns(const spiffs_t *fs, const spiffs_layout_t *l, uint32_t number, uint16_t id)
{
    uint32_t block = number / l->block_pages;
    uint32_t within = number % l->block_pages;
    return number < l->pages && within >= l->lookup_pages && (int64_t)block != fs->bad_block &&
           lookup(fs, block, within - l->lookup_pages) == id;
}

/* ---- going over the head pages ---- */

/* The next page from *cursor on that the lookup calls an index page, and that is a finished head:
   its number, or false at the end. */
static bool next_head(const spiffs_t *fs, const spiffs_layout_t *l, uint32_t *cursor,
                      uint32_t *number)
{
    uint32_t total = l->blocks * l->usable_pages;
    while (*cursor < total) {
        uint32_t block = *cursor / l->usable_pages;
        uint32_t entry = *cursor % l->usable_pages;
        (*cursor)++;
        if ((int64_t)block == fs->bad_block) {
            continue;
        }
        uint16_t id = lookup(fs, block, entry);
        if (id == SPIFFS_ID_FREE || (id & SPIFFS_INDEX_FLAG) == 0) {
            continue;
        }
        *number = spiffs_page_of(l, block, entry);
        const uint8_t *page = page_at(fs, *number);
        if (spiffs_get16(&fs->config, page + 2) == 0 &&
            (page[4] & FLAGS_HEAD) == (SPIFFS_FLAG_DELETED | SPIFFS_FLAG_IXDELE)) {
            return true;
        }
    }
    return false;
}

static bool read_head(const spiffs_t *fs, const spiffs_layout_t *l, uint32_t number,
                      spiffs_entry_t *entry, err_t *err)
{
    const uint8_t *page = page_at(fs, number);
    uint16_t id = spiffs_get16(&fs->config, page);
    memset(entry, 0, sizeof *entry);
    if (!owns(fs, l, number, id) || (id & ~SPIFFS_INDEX_FLAG) == 0) {
        return err_set(err, ERR_INPUT,
                       "SPIFFS page %u calls itself %04x, its block's table does not",
                       (unsigned)number, id);
    }
    if ((page[4] & FLAGS_PAGE) != SPIFFS_FLAG_DELETED ||
        page[SPIFFS_HEAD_TYPE] != SPIFFS_TYPE_FILE) {
        return err_set(err, ERR_INPUT,
                       "SPIFFS page %u is the head of no file (flags %02x, type %u)",
                       (unsigned)number, page[4], page[SPIFFS_HEAD_TYPE]);
    }
    size_t len = 0;
    const uint8_t *name = page + SPIFFS_HEAD_NAME;
    while (len < fs->config.name_len && name[len] != 0) {
        if (name[len] < 0x20 || name[len] > 0x7e) {
            return err_set(err, ERR_INPUT, "the name in SPIFFS page %u has the byte %02x",
                           (unsigned)number, name[len]);
        }
        len++;
    }
    if (len == 0 || len == fs->config.name_len) {
        return err_set(err, ERR_INPUT, "the name in SPIFFS page %u %s", (unsigned)number,
                       len == 0 ? "is empty" : "has no end");
    }
    memcpy(entry->name, name, len);
    uint32_t size = spiffs_get32(&fs->config, page + SPIFFS_HEAD_SIZE);
    entry->size_known = size != SPIFFS_SIZE_UNKNOWN;
    entry->size = entry->size_known ? size : 0;
    entry->id = id & (uint16_t)~SPIFFS_INDEX_FLAG;
    entry->page = (uint16_t)number;
    if (entry->size > fs->config.image_size) {
        return err_set(err, ERR_INPUT, "SPIFFS file %s claims %u bytes in an image of %u",
                       entry->name, (unsigned)entry->size, (unsigned)fs->config.image_size);
    }
    return true;
}

/* ---- opening ---- */

static bool check_magics(spiffs_t *fs, const spiffs_layout_t *l, err_t *err)
{
    fs->bad_block = -1;
    if (!fs->config.use_magic || spiffs_magic_can_go(l)) {
        return true;
    }
    for (uint32_t i = 0; i < l->blocks; i++) {
        uint16_t found = lookup(fs, i, l->magic_entry);
        uint16_t wanted = spiffs_magic(&fs->config, l, i);
        if (found == wanted) {
            continue;
        }
        if (fs->bad_block >= 0) {
            return err_set(err, ERR_INPUT,
                           "no SPIFFS of this size and page size: block %u has the magic %04x, not "
                           "%04x, and block %lld is wrong too",
                           (unsigned)i, found, wanted, (long long)fs->bad_block);
        }
        fs->bad_block = i;
    }
    if (fs->bad_block >= 0 && l->blocks == 1) {
        return err_set(err, ERR_INPUT, "no SPIFFS of this size: its only block has a wrong magic");
    }
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool check_names(const char **names, size_t count, err_t *err)
{
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(names[i - 1], names[i]) == 0) {
            return err_set(err, ERR_INPUT, "two SPIFFS files have the name %s", names[i]);
        }
    }
    return true;
}

/* Every head page is sound, no id and no name is there twice. */
static bool check_heads(const spiffs_t *fs, const spiffs_layout_t *l, err_t *err)
{
    uint32_t cursor = 0, number;
    size_t count = 0;
    bool ok = true;
    uint8_t *seen = calloc(1, (SPIFFS_INDEX_FLAG + 7) / 8);
    const char **names = malloc(l->pages * sizeof *names);
    if (seen == NULL || names == NULL) {
        ok = err_set(err, ERR_SYSTEM, "out of memory reading a SPIFFS image");
    }
    while (ok && next_head(fs, l, &cursor, &number)) {
        spiffs_entry_t entry;
        ok = read_head(fs, l, number, &entry, err);
        if (ok && (seen[entry.id / 8] >> entry.id % 8 & 1) != 0) {
            ok = err_set(err, ERR_INPUT,
                         "SPIFFS file %s (id %u, page %u) has a second head page: an update was "
                         "interrupted",
                         entry.name, entry.id, (unsigned)number);
        }
        if (ok) {
            seen[entry.id / 8] |= (uint8_t)(1u << entry.id % 8);
            names[count++] = (const char *)page_at(fs, number) + SPIFFS_HEAD_NAME;
        }
    }
    ok = ok && check_names(names, count, err);
    free(seen);
    free(names);
    return ok;
}

bool spiffs_open(spiffs_t *fs, const spiffs_config_t *config, const void *image, size_t len,
                 err_t *err)
{
    spiffs_layout_t l;
    memset(fs, 0, sizeof *fs);
    fs->config = *config;
    fs->image = image;
    if (!spiffs_layout(config, &l, err)) {
        return false;
    }
    if (len != config->image_size) {
        return err_set(err, ERR_INPUT, "a SPIFFS image of 0x%zx bytes, but the partition has 0x%x",
                       len, (unsigned)config->image_size);
    }
    return check_magics(fs, &l, err) && check_heads(fs, &l, err);
}

bool spiffs_next(const spiffs_t *fs, uint32_t *cursor, spiffs_entry_t *entry, bool *end, err_t *err)
{
    spiffs_layout_t l;
    uint32_t number;
    if (!spiffs_layout(&fs->config, &l, err)) {
        return false;
    }
    *end = !next_head(fs, &l, cursor, &number);
    return *end || read_head(fs, &l, number, entry, err);
}

bool spiffs_find(const spiffs_t *fs, const char *name, spiffs_entry_t *entry, err_t *err)
{
    uint32_t cursor = 0;
    bool end = false;
    while (spiffs_next(fs, &cursor, entry, &end, err) && !end) {
        if (strcmp(entry->name, name) == 0) {
            return true;
        }
    }
    return end && err_set(err, ERR_PRECONDITION, "there is no file %s", name);
}

/* ---- reading ---- */

/* The index page with this span, or NULL; two of them are damage. */
static const uint8_t *find_index(const spiffs_t *fs, const spiffs_layout_t *l, uint16_t id,
                                 uint32_t span, err_t *err)
{
    const uint8_t *found = NULL;
    for (uint32_t i = 0; i < l->blocks * l->usable_pages; i++) {
        uint32_t block = i / l->usable_pages;
        if ((int64_t)block == fs->bad_block ||
            lookup(fs, block, i % l->usable_pages) != (id | SPIFFS_INDEX_FLAG)) {
            continue;
        }
        const uint8_t *page = page_at(fs, spiffs_page_of(l, block, i % l->usable_pages));
        if (spiffs_get16(&fs->config, page) != (id | SPIFFS_INDEX_FLAG) ||
            spiffs_get16(&fs->config, page + 2) != span ||
            (page[4] & FLAGS_PAGE) != SPIFFS_FLAG_DELETED) {
            continue;
        }
        if (found != NULL) {
            err_set(err, ERR_INPUT, "SPIFFS file %u has two index pages %u", id, (unsigned)span);
            return NULL;
        }
        found = page;
    }
    if (found == NULL) {
        err_set(err, ERR_INPUT, "SPIFFS file %u has no index page %u", id, (unsigned)span);
    }
    return found;
}

/* The data page with this span: its number is what the index says. */
static const uint8_t *data_page(const spiffs_t *fs, const spiffs_layout_t *l, uint16_t id,
                                uint32_t span, const uint8_t *table, err_t *err)
{
    uint16_t number = spiffs_get16(&fs->config, table);
    if (!owns(fs, l, number, id)) {
        err_set(err, ERR_INPUT,
                "part %u of SPIFFS file %u is said to be in page %u, which is not "
                "one of its pages",
                (unsigned)span, id, number);
        return NULL;
    }
    const uint8_t *page = page_at(fs, number);
    if (spiffs_get16(&fs->config, page) != id || spiffs_get16(&fs->config, page + 2) != span ||
        (page[4] & FLAGS_PAGE) != (SPIFFS_FLAG_DELETED | SPIFFS_FLAG_INDEX)) {
        err_set(err, ERR_INPUT,
                "SPIFFS page %u should be part %u of file %u; it says file %u, part %u, flags %02x",
                number, (unsigned)span, id, spiffs_get16(&fs->config, page),
                spiffs_get16(&fs->config, page + 2), page[4]);
        return NULL;
    }
    return page;
}

static bool read_content(const spiffs_t *fs, const spiffs_entry_t *entry, char *out, err_t *err)
{
    spiffs_layout_t l;
    if (!spiffs_layout(&fs->config, &l, err)) {
        return false;
    }
    const uint8_t *table = page_at(fs, entry->page) + l.head_table;
    uint32_t left = l.head_entries;
    uint32_t index_span = 0;
    uint32_t done = 0;
    for (uint32_t span = 0; done < entry->size; span++) {
        if (left == 0) {
            const uint8_t *page = find_index(fs, &l, entry->id, ++index_span, err);
            if (page == NULL) {
                return false;
            }
            table = page + SPIFFS_INDEX_HEADER;
            left = l.index_entries;
        }
        const uint8_t *page = data_page(fs, &l, entry->id, span, table, err);
        if (page == NULL) {
            return false;
        }
        uint32_t n = entry->size - done < l.data_len ? entry->size - done : l.data_len;
        memcpy(out + done, page + SPIFFS_PAGE_HEADER, n);
        done += n;
        table += 2;
        left--;
    }
    return true;
}

bool spiffs_read(const spiffs_t *fs, const spiffs_entry_t *entry, size_t max, char **data,
                 size_t *len, err_t *err)
{
    *data = NULL;
    *len = 0;
    if (entry->size > max || entry->size > fs->config.image_size) {
        return err_set(err, ERR_INPUT, "%s has %u bytes, at most %zu are accepted", entry->name,
                       (unsigned)entry->size, max);
    }
    char *buf = malloc((size_t)entry->size + 1);
    if (buf == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory reading %s", entry->name);
    }
    if (!read_content(fs, entry, buf, err)) {
        bytes_wipe(buf, entry->size);
        free(buf);
        return err_add(err, "%s", entry->name);
    }
    buf[entry->size] = '\0';
    *data = buf;
    *len = entry->size;
    return true;
}

bool spiffs_read_file(const spiffs_t *fs, const char *name, size_t max, char **data, size_t *len,
                      err_t *err)
{
    spiffs_entry_t entry;
    *data = NULL;
    *len = 0;
    return spiffs_find(fs, name, &entry, err) && spiffs_read(fs, &entry, max, data, len, err);
}

/* Pages that a file of this size has: heads, further index pages, data. */
static uint32_t pages_of(const spiffs_layout_t *l, uint32_t size)
{
    uint32_t data = (size + l->data_len - 1) / l->data_len;
    uint32_t more = data > l->head_entries ? data - l->head_entries : 0;
    return 1 + (more + l->index_entries - 1) / l->index_entries + data;
}

/* Every page that is in use belongs to a file: `owned` of them do. */
static bool check_orphans(const spiffs_t *fs, const spiffs_layout_t *l, uint32_t owned, err_t *err)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < l->blocks * l->usable_pages; i++) {
        uint32_t block = i / l->usable_pages;
        uint16_t id = lookup(fs, block, i % l->usable_pages);
        bool magic = fs->config.use_magic && i % l->usable_pages == l->magic_entry &&
                     id == spiffs_magic(&fs->config, l, block);
        if ((int64_t)block != fs->bad_block && id != SPIFFS_ID_FREE && id != SPIFFS_ID_DELETED &&
            !magic) {
            used++;
        }
    }
    return used == owned || err_set(err, ERR_INPUT,
                                    "%u SPIFFS pages are in use but the files have %u: a file is "
                                    "damaged or its update was interrupted",
                                    (unsigned)used, (unsigned)owned);
}

bool spiffs_check(const spiffs_t *fs, err_t *err)
{
    uint32_t cursor = 0, owned = 0;
    bool end = false;
    spiffs_entry_t entry;
    spiffs_layout_t l;
    if (!spiffs_layout(&fs->config, &l, err)) {
        return false;
    }
    while (spiffs_next(fs, &cursor, &entry, &end, err) && !end) {
        char *data;
        size_t len;
        if (!spiffs_read(fs, &entry, fs->config.image_size, &data, &len, err)) {
            return false;
        }
        owned += pages_of(&l, entry.size);
        bytes_wipe(data, len);
        free(data);
    }
    return end && check_orphans(fs, &l, owned, err);
}

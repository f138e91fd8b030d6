/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spiffs: builds and reads a SPIFFS image in memory.
 *
 * A built image is equal, byte for byte, to what ESP-IDF's spiffsgen.py makes of the same files
 * in the same order with the same options. (The script takes files in the order of os.walk, which
 * is the order of the host's directory; `cradle image spiffs build` sorts them by path.)
 *
 * The image must have exactly the size of its partition: block magics count the blocks. The
 * firmware must be built with the same page size, name and meta length and magic settings.
 *
 * Deliberately narrower than the script: page and block sizes are powers of two, names are
 * printable ASCII, at most name_len - 1 characters (the driver keeps a NUL), unique, and name_len +
 * meta_len
 * <= page_size - 64, as the driver demands.
 */
#ifndef CRADLE_FLASH_SPIFFS_H
#define CRADLE_FLASH_SPIFFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SPIFFS_NAME_MAX 255 /* longest name that any option allows, without the NUL */

typedef struct {
    uint32_t image_size; /* a multiple of block_size, at most 65535 pages */
    uint32_t page_size;  /* 256 */
    uint32_t block_size; /* 4096 */
    uint32_t name_len;   /* 32, the NUL included */
    uint32_t meta_len;   /* 4 */
    bool use_magic;      /* true */
    bool use_magic_len;  /* true */
    bool big_endian;     /* false */
    bool aligned_index;  /* false: SPIFFS_ALIGNED_OBJECT_INDEX_TABLES */
} spiffs_config_t;

/* ESP-IDF's defaults (the values above) for a partition of this size. */
spiffs_config_t spiffs_config_default(uint32_t image_size);

typedef struct {
    const char *name; /* as it appears on the device: "/device.crt" */
    const void *data; /* may be NULL when len is 0 */
    size_t len;
} spiffs_file_t;

/* Writes config->image_size bytes to `out` (the caller's). ERR_USAGE: impossible options or names;
   ERR_PRECONDITION: the files do not fit. An empty file is built as the script does it; firmware
   cannot make such a file grow (data written to it is lost at the next mount). */
bool spiffs_build(const spiffs_config_t *config, const spiffs_file_t *files, size_t count,
                  uint8_t *out, err_t *err);

/*
 * The reader accepts images from a tool or from a running device (deleted pages, files rewritten).
 * It refuses damage with what and where: wrong magics (one wrong block is tolerated, as the driver
 * does), a page number out of range or of another file, a page used twice, sizes
 * that do not fit the pages, two headers of one file, two files of one name. All work is bounded by
 * the image's size. `image` must outlive the reader.
 */
typedef struct {
    spiffs_config_t config;
    const uint8_t *image;
    int64_t bad_block; /* the one with a wrong magic, whose pages do not count; or -1 */
} spiffs_t;

typedef struct {
    char name[SPIFFS_NAME_MAX + 1]; /* bytes that are not printable ASCII are refused */
    uint32_t size;                  /* bytes; an unknown size (a file being written) reads as 0 */
    bool size_known;
    uint16_t id;
    uint16_t page; /* of the header */
} spiffs_entry_t;

/* Checks options and magics. `len` must equal config->image_size. */
bool spiffs_open(spiffs_t *fs, const spiffs_config_t *config, const void *image, size_t len,
                 err_t *err);

/* Goes through the files in the order of their header pages: *cursor begins at 0. *end tells that
   there is no further one. */
bool spiffs_next(const spiffs_t *fs, uint32_t *cursor, spiffs_entry_t *entry, bool *end,
                 err_t *err);

/* ERR_PRECONDITION when there is no such file. */
bool spiffs_find(const spiffs_t *fs, const char *name, spiffs_entry_t *entry, err_t *err);

/* Reads a whole file of at most `max` bytes. *data is heap memory, with a NUL behind it that is
   not counted; the caller frees it (and wipes it when it is a key). */
bool spiffs_read(const spiffs_t *fs, const spiffs_entry_t *entry, size_t max, char **data,
                 size_t *len, err_t *err);

/* spiffs_find and spiffs_read. */
bool spiffs_read_file(const spiffs_t *fs, const char *name, size_t max, char **data, size_t *len,
                      err_t *err);

/* Reads every file once, and looks for pages in use that belong to none: true when the whole image
   is sound. An image taken from a device in the middle of an update may not be. */
bool spiffs_check(const spiffs_t *fs, err_t *err);

#endif

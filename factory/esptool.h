/* SPDX-License-Identifier: Apache-2.0 */
/*
 * esptool: Espressif's program, as far as the line needs it. Generations 4 (`esptool.py`, names
 * with underscores) and 5 (`esptool`, dashes) are told apart by what `version` answers. It is run
 * with an argument vector, never through a shell; all calls block until it ends.
 *
 * Only options that both generations spell alike are used; chip and flash mode are left to it
 * (auto, keep), so that what is in the flash is what is in the file.
 */
#ifndef CRADLE_FACTORY_ESPTOOL_H
#define CRADLE_FACTORY_ESPTOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file.h"
#include "factory/factory.h"

typedef struct {
    char program[FILE_PATH_MAX]; /* as it was found: a name in PATH, or a path */
    char version[24];            /* "5.3.1"                                    */
    unsigned major;              /* 4, or 5 and later                          */
    char port[FILE_PATH_MAX];
    char baud[12];
    char log[FILE_PATH_MAX]; /* what it says; emptied by each call */
    /* Percent of the writing or reading that is under way. May be NULL. */
    void (*progress)(void *context, unsigned percent);
    void *context;
} esptool_t;

/* Finds it and asks for its version. `program` NULL: `esptool`, else `esptool.py`, from PATH. Fills
   program, version and major only. ERR_PRECONDITION: not there, or older than 4. */
bool esptool_find(esptool_t *tool, const char *program, const char *log, err_t *err);

/* What it says to `version`, for tests: false when it is no esptool's. */
bool esptool_version_parse(const char *text, char version[24], unsigned *major);

/* The last percentage in its output, of either generation; false when there is none. */
bool esptool_percent_parse(const char *text, unsigned *percent);

/* The chip's base MAC. ERR_PEER with esptool's own last words. */
bool esptool_read_mac(const esptool_t *tool, char mac[FACTORY_MAC_SIZE], err_t *err);

typedef struct {
    uint32_t at;
    const char *path;
} esptool_part_t;

#define ESPTOOL_PARTS_MAX 8

bool esptool_write(const esptool_t *tool, const esptool_part_t *parts, size_t count, err_t *err);

/* Reads `size` bytes of the flash into a new file at `path`. */
bool esptool_read(const esptool_t *tool, uint32_t at, uint32_t size, const char *path, err_t *err);

#endif

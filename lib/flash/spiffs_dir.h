/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spiffs_dir: files of a directory into a SPIFFS image, and out of it. Blocking, heap.
 *
 * The order of the files is part of an image. spiffsgen.py takes the order in which the host lists
 * its directories, which is none; here files are sorted by path (bytes), or come in the order of
 * a list.
 */
#ifndef CRADLE_FLASH_SPIFFS_DIR_H
#define CRADLE_FLASH_SPIFFS_DIR_H

#include "flash/spiffs.h"

typedef struct {
    spiffs_file_t *files; /* owned: names and contents too */
    size_t count;
    size_t room;
} spiffs_dir_t;

/* Reads all files below `dir`, each of at most `max` bytes. "dir/a/b" becomes "/a/b". Links to
   files are read as files; links to directories are entered only with `follow_links`. What is
   neither file nor directory is refused, as is a tree deeper than 16. Call spiffs_dir_free in any
   case. */
bool spiffs_dir_load(spiffs_dir_t *out, const char *dir, bool follow_links, size_t max, err_t *err);

/* The files named in `list`, a text with one path a line, relative to `dir`; empty lines and lines
   that begin with '#' are skipped. The order is kept. */
bool spiffs_dir_load_list(spiffs_dir_t *out, const char *dir, const char *list, size_t max,
                          err_t *err);

/* Wipes and frees. */
void spiffs_dir_free(spiffs_dir_t *files);

/* Writes every file of an image below `dir`, which is made if needed. Files get mode 0600: they may
   be keys. A name that would leave `dir` ("..", empty parts) is refused, as is a file that exists.
 */
bool spiffs_dir_save(const spiffs_t *fs, const char *dir, size_t *count, err_t *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file: whole files and directories, with bounds, modes and atomic replacement. Blocking.
 */
#ifndef CRADLE_BASE_FILE_H
#define CRADLE_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Longest path that the project builds; longer ones are refused, never cut. */
#define FILE_PATH_MAX 1024

/* Reads a whole regular file of at most `max` bytes. *data is heap memory that the caller frees;
   a NUL follows the content and is not counted in *len. ERR_PRECONDITION: no such file; ERR_INPUT:
   too large or not a regular file; ERR_SYSTEM: everything else. */
bool file_read(const char *path, size_t max, char **data, size_t *len, err_t *err);

/* The same for a secret: a file that group or others may read, write or execute is refused
   (ERR_INPUT, with what to do). It looks at the open file, so nobody can swap it in between. */
bool file_read_private(const char *path, size_t max, char **data, size_t *len, err_t *err);

/* Writes a file so that after a crash either the old or the whole new content is there: a
   temporary file beside it with `mode` from the first byte (the umask does not widen it), fsync,
   rename, fsync of the directory. */
bool file_write(const char *path, const void *data, size_t len, mode_t mode, err_t *err);

/* The same, but refuses (ERR_PRECONDITION) when the path exists already: for what must never be
   overwritten, such as a CA key. Safe against two writers at once. */
bool file_write_new(const char *path, const void *data, size_t len, mode_t mode, err_t *err);

bool file_exists(const char *path);

/* Makes a directory and its missing parents. An existing directory is success. */
bool file_make_dirs(const char *path, mode_t mode, err_t *err);

/* "a/b" in a buffer of FILE_PATH_MAX bytes; ERR_USAGE when it does not fit. */
bool file_join(char out[FILE_PATH_MAX], const char *dir, const char *name, err_t *err);

/* Removes a directory tree made by the caller (temporary sites); follows no symbolic link. */
bool file_remove_tree(const char *path, err_t *err);

#endif

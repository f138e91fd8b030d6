/* SPDX-License-Identifier: Apache-2.0 */
/* image: what the two files of `cradle image` share. */
#ifndef CRADLE_CLI_IMAGE_H
#define CRADLE_CLI_IMAGE_H

#include <sys/types.h>

#include "cli/cli.h"
#include "flash/flash.h"
#include "json/json.h"

/* "0x9000", "36K"; a NULL text leaves *out as it is. */
bool image_parse_size(const char *name, const char *text, uint32_t *out, err_t *err);

/* ERR_USAGE without a path. */
bool image_write_output(const char *path, const void *data, size_t len, mode_t mode, err_t *err);

/* A JSON array with one object a row, so that no list is too long for a buffer. */
typedef struct {
    json_writer_t writer;
    char text[1024];
    unsigned rows;
} image_rows_t;

json_writer_t *image_row_begin(image_rows_t *rows);
void image_row_end(image_rows_t *rows);
void image_rows_end(const image_rows_t *rows);

void image_put_text(json_writer_t *w, const char *key, const char *value);
void image_put_number(json_writer_t *w, const char *key, int64_t value);

/* image_flash.c */
int image_partitions_run(const cli_t *cli, int argc, char **argv);
int image_show_run(const cli_t *cli, int argc, char **argv);

#endif

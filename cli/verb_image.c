/* SPDX-License-Identifier: Apache-2.0 */
/* cradle image: builds and shows what goes into a flash. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"
#include "cli/image.h"
#include "flash/appimage.h"
#include "flash/partition.h"
#include "flash/spiffs_dir.h"
#include "term/options.h"
#include "term/term.h"

#define LIST_MAX (1u << 20)

bool image_parse_size(const char *name, const char *text, uint32_t *out, err_t *err)
{
    return text == NULL || partition_parse_size(text, out) ||
           err_set(err, ERR_USAGE, "--%s wants a size such as 0x9000, 36K or 36864, not \"%s\"",
                   name, text);
}

bool image_write_output(const char *path, const void *data, size_t len, mode_t mode, err_t *err)
{
    return path != NULL ? file_write(path, data, len, mode, err)
                        : err_set(err, ERR_USAGE, "-o OUT says where the result goes");
}

json_writer_t *image_row_begin(image_rows_t *rows)
{
    printf("%s", rows->rows++ == 0 ? "[" : ",\n ");
    json_writer_init(&rows->writer, rows->text, sizeof rows->text);
    json_object(&rows->writer);
    return &rows->writer;
}

void image_row_end(image_rows_t *rows)
{
    json_end(&rows->writer);
    fputs(json_writer_done(&rows->writer, NULL) ? rows->text : "null", stdout);
}

void image_rows_end(const image_rows_t *rows)
{
    puts(rows->rows == 0 ? "[]" : "]");
}

void image_put_text(json_writer_t *w, const char *key, const char *value)
{
    json_key(w, key);
    json_put_string(w, value);
}

void image_put_number(json_writer_t *w, const char *key, int64_t value)
{
    json_key(w, key);
    json_put_i64(w, value);
}

/* ---- spiffs ---- */

/* The options that ESP-IDF's spiffsgen.py has, by the same names. */
typedef struct {
    const char *size, *page_size, *block_size, *name_len, *meta_len, *output, *list;
    bool use_magic, no_magic, use_magic_len, no_magic_len, big_endian, aligned, follow;
} spiffs_options_t;

#define SPIFFS_OPTIONS(o)                                                                          \
    {"size", 0, OPTION_TEXT, &(o).size, "N", ""},                                                  \
        {"page-size", 0, OPTION_TEXT, &(o).page_size, "N", ""},                                    \
        {"block-size", 0, OPTION_TEXT, &(o).block_size, "N", ""},                                  \
        {"obj-name-len", 0, OPTION_TEXT, &(o).name_len, "N", ""},                                  \
        {"meta-len", 0, OPTION_TEXT, &(o).meta_len, "N", ""},                                      \
        {"use-magic", 0, OPTION_FLAG, &(o).use_magic, NULL, ""},                                   \
        {"no-magic", 0, OPTION_FLAG, &(o).no_magic, NULL, ""},                                     \
        {"use-magic-len", 0, OPTION_FLAG, &(o).use_magic_len, NULL, ""},                           \
        {"no-magic-len", 0, OPTION_FLAG, &(o).no_magic_len, NULL, ""},                             \
        {"big-endian", 0, OPTION_FLAG, &(o).big_endian, NULL, ""},                                 \
        {"aligned-obj-ix-tables", 0, OPTION_FLAG, &(o).aligned, NULL, ""},                         \
    {                                                                                              \
        "output", 'o', OPTION_TEXT, &(o).output, "OUT", ""                                         \
    }

static bool spiffs_config(const spiffs_options_t *o, spiffs_config_t *c, err_t *err)
{
    if ((o->use_magic && o->no_magic) || (o->use_magic_len && o->no_magic_len)) {
        return err_set(err, ERR_USAGE, "an option and its opposite are both given");
    }
    c->use_magic = !o->no_magic;
    c->use_magic_len = !o->no_magic_len;
    c->big_endian = o->big_endian;
    c->aligned_index = o->aligned;
    return image_parse_size("size", o->size, &c->image_size, err) &&
           image_parse_size("page-size", o->page_size, &c->page_size, err) &&
           image_parse_size("block-size", o->block_size, &c->block_size, err) &&
           image_parse_size("obj-name-len", o->name_len, &c->name_len, err) &&
           image_parse_size("meta-len", o->meta_len, &c->meta_len, err);
}

static bool load_files(const spiffs_options_t *o, const char *dir, uint32_t max, spiffs_dir_t *out,
                       err_t *err)
{
    char *list;
    size_t len;
    if (o->list == NULL) {
        return spiffs_dir_load(out, dir, o->follow, max, err);
    }
    if (!file_read(o->list, LIST_MAX, &list, &len, err)) {
        return false;
    }
    bool ok = spiffs_dir_load_list(out, dir, list, max, err);
    free(list);
    return ok;
}

static int spiffs_build_run(const cli_t *cli, int argc, char **argv)
{
    spiffs_options_t o = {0};
    const option_t options[] = {SPIFFS_OPTIONS(o),
                                {"files-from", 0, OPTION_TEXT, &o.list, "LIST", ""},
                                {"follow-symlinks", 0, OPTION_FLAG, &o.follow, NULL, ""},
                                {0}};
    err_t err = ERR_INIT;
    spiffs_dir_t files = {0};
    spiffs_config_t config = spiffs_config_default(0);
    (void)cli;
    if (!options_parse(options, &argc, argv, 1, 1, &err) || !spiffs_config(&o, &config, &err)) {
        return cli_fail(&err);
    }
    if (config.image_size == 0 || config.image_size > FLASH_SIZE_MAX) {
        err_set(&err, ERR_USAGE, "--size N is the size of the partition, up to 16M");
        return cli_fail(&err);
    }
    uint8_t *image = malloc(config.image_size);
    bool ok = image != NULL || err_set(&err, ERR_SYSTEM, "out of memory");
    ok = ok && load_files(&o, argv[0], config.image_size, &files, &err) &&
         spiffs_build(&config, files.files, files.count, image, &err) &&
         image_write_output(o.output, image, config.image_size, 0600, &err);
    spiffs_dir_free(&files);
    if (image != NULL) {
        bytes_wipe(image, config.image_size);
    }
    free(image);
    return ok ? CLI_DONE : cli_fail(&err);
}

/* Reads and opens the image argv[0]; *data is to be wiped and freed. */
static bool open_spiffs(const spiffs_options_t *o, const char *path, spiffs_t *fs, char **data,
                        size_t *len, err_t *err)
{
    spiffs_config_t config = spiffs_config_default(0);
    *data = NULL;
    if (!spiffs_config(o, &config, err) || !file_read(path, FLASH_SIZE_MAX, data, len, err)) {
        return false;
    }
    config.image_size = config.image_size != 0 ? config.image_size : (uint32_t)*len;
    return spiffs_open(fs, &config, *data, *len, err) || err_add(err, "%s", path);
}

static void wipe_image(char *data, size_t len)
{
    if (data != NULL) {
        bytes_wipe(data, len);
    }
    free(data);
}

static bool list_spiffs(const cli_t *cli, const spiffs_t *fs, err_t *err)
{
    uint32_t cursor = 0;
    bool end = false;
    spiffs_entry_t e;
    image_rows_t rows = {.rows = 0};
    term_table_t *table = term_table_new(">ID|>BYTES|NAME");
    while (spiffs_next(fs, &cursor, &e, &end, err) && !end) {
        if (cli->json) {
            json_writer_t *w = image_row_begin(&rows);
            image_put_text(w, "name", e.name);
            image_put_number(w, "size", e.size);
            image_put_number(w, "id", e.id);
            image_row_end(&rows);
        } else {
            char id[12], size[12];
            snprintf(id, sizeof id, "%u", e.id);
            snprintf(size, sizeof size, "%u", (unsigned)e.size);
            term_table_row(table, id, e.size_known ? size : "unknown", e.name);
        }
    }
    if (cli->json) {
        image_rows_end(&rows);
    } else {
        term_table_print(table, stdout);
    }
    term_table_free(table);
    return end && spiffs_check(fs, err);
}

static int spiffs_list_run(const cli_t *cli, int argc, char **argv)
{
    spiffs_options_t o = {0};
    const option_t options[] = {SPIFFS_OPTIONS(o), {0}};
    err_t err = ERR_INIT;
    spiffs_t fs;
    char *data = NULL;
    size_t len = 0;
    bool ok = options_parse(options, &argc, argv, 1, 1, &err) &&
              open_spiffs(&o, argv[0], &fs, &data, &len, &err) && list_spiffs(cli, &fs, &err);
    wipe_image(data, len);
    return ok ? CLI_DONE : cli_fail(&err);
}

static int spiffs_extract_run(const cli_t *cli, int argc, char **argv)
{
    spiffs_options_t o = {0};
    const option_t options[] = {SPIFFS_OPTIONS(o), {0}};
    err_t err = ERR_INIT;
    spiffs_t fs;
    char *data = NULL;
    size_t len = 0, count = 0;
    (void)cli;
    bool ok = options_parse(options, &argc, argv, 1, 1, &err) &&
              (o.output != NULL || err_set(&err, ERR_USAGE, "-o DIR says where the files go")) &&
              open_spiffs(&o, argv[0], &fs, &data, &len, &err) &&
              spiffs_dir_save(&fs, o.output, &count, &err);
    wipe_image(data, len);
    if (!ok) {
        return cli_fail(&err);
    }
    printf("%zu files in %s\n", count, o.output);
    return CLI_DONE;
}

#define SPIFFS_FORMAT_HELP                                                                         \
    "  --page-size N        256       CONFIG_SPIFFS_PAGE_SIZE\n"                                   \
    "  --block-size N       4096      the flash's sector size\n"                                   \
    "  --obj-name-len N     32        CONFIG_SPIFFS_OBJ_NAME_LEN, the NUL included\n"              \
    "  --meta-len N         4         CONFIG_SPIFFS_META_LENGTH\n"                                 \
    "  --no-magic, --no-magic-len, --big-endian, --aligned-obj-ix-tables\n"                        \
    "                                 as spiffsgen.py; must agree with the firmware\n"

static const cli_verb_t SPIFFS_VERBS[] = {
    {"build", "make an image of a directory's files",
     "cradle image spiffs build DIR --size N -o OUT [OPTION...]", spiffs_build_run,
     "Files are taken sorted by path (bytes); --files-from gives another order. spiffsgen.py\n"
     "takes the order in which the host lists its directories, so for equal bytes give both the\n"
     "same list.\n\n"
     "  --size N                       size of the partition (0x9000, 36K)\n"
     "  -o, --output OUT               the image, mode 0600\n"
     "  --files-from LIST              a file with one path a line, relative to DIR\n"
     "  --follow-symlinks              enter links to directories\n" SPIFFS_FORMAT_HELP "\n"
     "examples:\n"
     "  cradle image spiffs build identity/ --size 0x9000 -o identity.bin\n"},
    {"list", "show the files of an image, and check all of it",
     "cradle image spiffs list IMAGE [OPTION...] [--json]", spiffs_list_run, SPIFFS_FORMAT_HELP},
    {"extract", "write the files of an image to a directory",
     "cradle image spiffs extract IMAGE -o DIR [OPTION...]", spiffs_extract_run,
     "Files get mode 0600, since they may be keys; none is overwritten.\n\n" SPIFFS_FORMAT_HELP},
    {0},
};

static int spiffs_run(const cli_t *cli, int argc, char **argv)
{
    return cli_dispatch(cli, "cradle image spiffs", SPIFFS_VERBS, argc, argv);
}

/* ---- app ---- */

static int app_run(const cli_t *cli, int argc, char **argv)
{
    const char *version = NULL, *output = NULL;
    const option_t options[] = {{"app-version", 0, OPTION_TEXT, &version, "V", ""},
                                {"output", 'o', OPTION_TEXT, &output, "OUT", ""},
                                {0}};
    err_t err = ERR_INIT;
    uint8_t image[APPIMAGE_LINUX_MAX];
    size_t len;
    (void)cli;
    bool ok = options_parse(options, &argc, argv, 0, 0, &err) &&
              (version != NULL || err_set(&err, ERR_USAGE, "--app-version V is needed")) &&
              appimage_build_linux(version, image, &len, &err) &&
              image_write_output(output, image, len, 0644, &err);
    return ok ? CLI_DONE : cli_fail(&err);
}

static const cli_verb_t VERBS[] = {
    {"spiffs", "build, list and extract SPIFFS images", NULL, spiffs_run, NULL},
    {"partitions", "build and show partition tables", NULL, image_partitions_run, NULL},
    {"app", "make an app image for units on Linux", "cradle image app --app-version V -o OUT",
     app_run,
     "The image has an ESP32 header and descriptor (project cradle-linux) and nothing to run: it\n"
     "is for units simulated on Linux, and every chip's bootloader refuses it.\n"},
    {"show", "show what is in a flash: partitions, otadata, apps, identity",
     "cradle image show FLASH.bin [--offset N] [--json]", image_show_run,
     "FLASH.bin is a whole flash, as `cradle factory export` or esptool's read-flash makes it. Of\n"
     "the identity only names and sizes are shown, never contents.\n\n"
     "  --offset N     where the partition table is (default: 0xd000, else 0x8000)\n"},
    {0},
};

static int run(const cli_t *cli, int argc, char **argv)
{
    return cli_dispatch(cli, "cradle image", VERBS, argc, argv);
}

const cli_verb_t cli_verb_image = {
    .name = "image",
    .summary = "build and show flash images: SPIFFS, partition tables, apps",
    .run = run,
};

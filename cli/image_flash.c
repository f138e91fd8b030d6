/* SPDX-License-Identifier: Apache-2.0 */
/* cradle image partitions, cradle image show. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"
#include "cli/image.h"
#include "flash/appimage.h"
#include "flash/otadata.h"
#include "flash/partition.h"
#include "flash/spiffs.h"
#include "term/options.h"
#include "term/term.h"

#define CSV_MAX (1u << 20)

/* ---- partitions ---- */

static const char *flag_names(const partition_t *p)
{
    static const char *const names[] = {"", "encrypted", "readonly", "encrypted readonly"};
    return names[p->flags & 3];
}

static void put_partition(json_writer_t *w, const partition_t *p)
{
    image_put_text(w, "label", p->label);
    image_put_number(w, "type", p->type);
    image_put_number(w, "subtype", p->subtype);
    image_put_number(w, "offset", p->offset);
    image_put_number(w, "size", p->size);
    image_put_text(w, "flags", flag_names(p));
}

static void show_table(const cli_t *cli, const partition_table_t *table)
{
    image_rows_t rows = {.rows = 0};
    term_table_t *out = term_table_new("LABEL|TYPE|SUBTYPE|>OFFSET|>SIZE|FLAGS");
    for (size_t i = 0; i < table->count; i++) {
        const partition_t *p = &table->entry[i];
        char type[8], subtype[8], offset[12], size[12];
        const char *type_name = partition_type_name(p->type);
        const char *subtype_name = partition_subtype_name(p->type, p->subtype);
        snprintf(type, sizeof type, "0x%02x", p->type);
        snprintf(subtype, sizeof subtype, "0x%02x", p->subtype);
        snprintf(offset, sizeof offset, "0x%x", (unsigned)p->offset);
        snprintf(size, sizeof size, "0x%x", (unsigned)p->size);
        if (cli->json) {
            put_partition(image_row_begin(&rows), p);
            image_row_end(&rows);
        } else {
            term_table_row(out, p->label, type_name != NULL ? type_name : type,
                           subtype_name != NULL ? subtype_name : subtype, offset, size,
                           flag_names(p));
        }
    }
    if (cli->json) {
        image_rows_end(&rows);
    } else {
        term_table_print(out, stdout);
    }
    term_table_free(out);
}

typedef struct {
    const char *output, *offset, *flash_size;
    bool no_md5, csv;
} table_options_t;

static bool table_limits(const table_options_t *o, uint32_t *offset, uint32_t *flash_size,
                         err_t *err)
{
    *offset = PARTITION_TABLE_DEFAULT;
    *flash_size = 0;
    return image_parse_size("offset", o->offset, offset, err) &&
           image_parse_size("flash-size", o->flash_size, flash_size, err);
}

static int partitions_build_run(const cli_t *cli, int argc, char **argv)
{
    table_options_t o = {0};
    const option_t options[] = {{"output", 'o', OPTION_TEXT, &o.output, "OUT", ""},
                                {"offset", 0, OPTION_TEXT, &o.offset, "N", ""},
                                {"flash-size", 0, OPTION_TEXT, &o.flash_size, "N", ""},
                                {"disable-md5sum", 0, OPTION_FLAG, &o.no_md5, NULL, ""},
                                {0}};
    err_t err = ERR_INIT;
    uint32_t offset, flash_size;
    partition_table_t table;
    uint8_t bytes[PARTITION_TABLE_SIZE];
    char *text;
    size_t len;
    (void)cli;
    if (!options_parse(options, &argc, argv, 1, 1, &err) ||
        !table_limits(&o, &offset, &flash_size, &err) ||
        !file_read(argv[0], CSV_MAX, &text, &len, &err)) {
        return cli_fail(&err);
    }
    bool ok = (partition_table_from_csv(text, len, offset, &table, &err) &&
               partition_table_check(&table, offset, flash_size, &err)) ||
              err_add(&err, "%s", argv[0]);
    free(text);
    table.has_md5 = !o.no_md5;
    ok = ok && partition_table_build(&table, bytes, &err) &&
         image_write_output(o.output, bytes, sizeof bytes, 0644, &err);
    return ok ? CLI_DONE : cli_fail(&err);
}

static bool print_csv(const partition_table_t *table, err_t *err)
{
    size_t cap = partition_table_to_csv(table, NULL, 0) + 1;
    char *text = malloc(cap);
    if (text == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory");
    }
    partition_table_to_csv(table, text, cap);
    fputs(text, stdout);
    free(text);
    return true;
}

static int partitions_show_run(const cli_t *cli, int argc, char **argv)
{
    table_options_t o = {0};
    const option_t options[] = {{"csv", 0, OPTION_FLAG, &o.csv, NULL, ""},
                                {"offset", 0, OPTION_TEXT, &o.offset, "N", ""},
                                {"flash-size", 0, OPTION_TEXT, &o.flash_size, "N", ""},
                                {0}};
    err_t err = ERR_INIT;
    uint32_t offset, flash_size;
    partition_table_t table;
    char *data;
    size_t len;
    if (!options_parse(options, &argc, argv, 1, 1, &err) ||
        !table_limits(&o, &offset, &flash_size, &err) ||
        !file_read(argv[0], CSV_MAX, &data, &len, &err)) {
        return cli_fail(&err);
    }
    bool ok = partition_table_parse(data, len, &table, &err) || err_add(&err, "%s", argv[0]);
    free(data);
    if (!ok) {
        return cli_fail(&err);
    }
    if (!o.csv) {
        show_table(cli, &table);
    } else if (!print_csv(&table, &err)) {
        return cli_fail(&err);
    }
    ok = partition_table_check(&table, offset, flash_size, &err) || err_add(&err, "%s", argv[0]);
    return ok ? CLI_DONE : cli_fail(&err);
}

static const cli_verb_t PARTITION_VERBS[] = {
    {"build", "make the binary table of a CSV, as gen_esp32part.py does",
     "cradle image partitions build CSV -o OUT [--offset N] [--flash-size N] [--disable-md5sum]",
     partitions_build_run,
     "  -o, --output OUT     the table, 0xc00 bytes\n"
     "  --offset N           where the table will be (default 0x8000)\n"
     "  --flash-size N       check that everything fits (4M)\n"
     "  --disable-md5sum     leave the checksum out\n\n"
     "examples:\n"
     "  cradle image partitions build partitions.csv --offset 0xd000 -o partition-table.bin\n"},
    {"show", "print and check a binary table",
     "cradle image partitions show FILE [--csv] [--offset N] [--flash-size N] [--json]",
     partitions_show_run,
     "  --csv                as gen_esp32part.py prints it\n"
     "  --offset N           where the table is (default 0x8000)\n"
     "  --flash-size N       check that everything fits (4M)\n"},
    {0},
};

int image_partitions_run(const cli_t *cli, int argc, char **argv)
{
    return cli_dispatch(cli, "cradle image partitions", PARTITION_VERBS, argc, argv);
}

/* ---- show ---- */

/* Parts of a flash fail one by one: what is sound is shown, what is not is said, and the exit code
   is 1 when anything was wrong. */
typedef struct {
    const cli_t *cli;
    flash_t *flash;
    partition_table_t table;
    json_writer_t *json; /* NULL: text */
    bool sound;
} view_t;

static void view_problem(view_t *view, const char *what, const err_t *err)
{
    view->sound = false;
    if (view->json != NULL) {
        image_put_text(view->json, "error", err->text);
    } else {
        printf("%s: %s\n", what, err->text);
    }
}

static void view_section(view_t *view, const char *title, const char *key)
{
    if (view->json != NULL) {
        json_key(view->json, key);
        json_array(view->json);
    } else {
        term_print(stdout, TERM_BOLD, "\n%s\n", title);
    }
}

static void view_section_end(view_t *view)
{
    if (view->json != NULL) {
        json_end(view->json);
    }
}

static void view_partitions(view_t *view)
{
    if (view->json == NULL) {
        term_print(stdout, TERM_BOLD, "partition table\n");
        show_table(view->cli, &view->table);
        return;
    }
    view_section(view, "", "partitions");
    for (size_t i = 0; i < view->table.count; i++) {
        json_object(view->json);
        put_partition(view->json, &view->table.entry[i]);
        json_end(view->json);
    }
    view_section_end(view);
}

static bool view_region(view_t *view, const partition_t *p, region_t *region, err_t *err)
{
    return flash_region(view->flash, p->offset, p->size, region, err);
}

static void view_otadata(view_t *view, int *slot)
{
    const partition_t *p = partition_find_type(&view->table, PARTITION_DATA, PARTITION_DATA_OTA);
    err_t err = ERR_INIT;
    region_t region;
    otadata_t data;
    *slot = -1;
    if (p == NULL) {
        return;
    }
    view_section(view, "otadata", "otadata");
    if (!view_region(view, p, &region, &err) || !otadata_read(&region, &data)) {
        err_set(&err, ERR_INPUT, "it has 0x%x bytes, not 0x2000", (unsigned)p->size);
        data = (otadata_t){.active = -1};
        view->sound = false;
    }
    *slot = otadata_slot(&data, (unsigned)partition_count_ota(&view->table));
    for (int i = 0; i < 2; i++) {
        const otadata_entry_t *e = &data.entry[i];
        if (view->json != NULL) {
            json_object(view->json);
            json_key(view->json, "valid");
            json_put_bool(view->json, e->valid);
            image_put_number(view->json, "seq", e->seq);
            image_put_text(view->json, "state", otadata_state_name(e->state));
            json_key(view->json, "active");
            json_put_bool(view->json, i == data.active);
            json_end(view->json);
        } else if (e->valid) {
            printf("entry %d: seq %u, %s%s\n", i, (unsigned)e->seq, otadata_state_name(e->state),
                   i == data.active ? " (decides)" : "");
        } else {
            printf("entry %d: %s\n", i, e->seq == UINT32_MAX ? "erased" : "not valid");
        }
    }
    view_section_end(view);
}

static void view_app(view_t *view, const partition_t *p, bool boots, term_table_t *table)
{
    appimage_t image;
    region_t region;
    err_t err = ERR_INIT;
    bool ok = view_region(view, p, &region, &err) && appimage_read(&region, &image, &err);
    uint8_t first = 0;
    bool empty = !ok && region_read(&region, 0, &first, 1) && first == 0xff;
    view->sound = view->sound && (ok || (empty && !boots));
    if (view->json != NULL) {
        json_object(view->json);
        image_put_text(view->json, "partition", p->label);
        json_key(view->json, "boots");
        json_put_bool(view->json, boots);
        if (ok) {
            image_put_text(view->json, "project", image.project);
            image_put_text(view->json, "version", image.version);
            image_put_text(view->json, "chip", appimage_chip_name(image.chip_id));
            image_put_number(view->json, "size", image.size);
        } else {
            image_put_text(view->json, empty ? "empty" : "error", err.text);
        }
        json_end(view->json);
        return;
    }
    char size[12];
    snprintf(size, sizeof size, "%u", ok ? (unsigned)image.size : 0u);
    const char *chip = ok ? appimage_chip_name(image.chip_id) : NULL;
    term_table_row(table, p->label, boots ? "yes" : "", ok ? image.project : "",
                   ok ? image.version : "", chip != NULL ? chip : "", ok ? size : "",
                   ok      ? "sound"
                   : empty ? "empty"
                           : err.text);
}

static void view_apps(view_t *view, int slot)
{
    const partition_t *factory =
        partition_find_type(&view->table, PARTITION_APP, PARTITION_APP_FACTORY);
    /* Without a valid entry the factory app boots or, where there is none, ota_0. */
    uint8_t booting = slot >= 0         ? (uint8_t)(PARTITION_APP_OTA_0 + slot)
                      : factory != NULL ? PARTITION_APP_FACTORY
                                        : PARTITION_APP_OTA_0;
    term_table_t *table = term_table_new("PARTITION|BOOTS|PROJECT|VERSION|CHIP|>BYTES|STATE");
    view_section(view, "apps", "apps");
    for (size_t i = 0; i < view->table.count; i++) {
        const partition_t *p = &view->table.entry[i];
        if (p->type == PARTITION_APP) {
            view_app(view, p, p->subtype == booting, table);
        }
    }
    if (view->json == NULL) {
        term_table_print(table, stdout);
    }
    term_table_free(table);
    view_section_end(view);
}

static bool view_files(view_t *view, const uint8_t *image, uint32_t size, err_t *err)
{
    const spiffs_config_t config = spiffs_config_default(size);
    spiffs_t fs;
    spiffs_entry_t e;
    uint32_t cursor = 0;
    bool end = false;
    if (!spiffs_open(&fs, &config, image, size, err)) {
        return false;
    }
    while (spiffs_next(&fs, &cursor, &e, &end, err) && !end) {
        if (view->json != NULL) {
            json_object(view->json);
            image_put_text(view->json, "name", e.name);
            image_put_number(view->json, "size", e.size);
            json_end(view->json);
        } else {
            printf("%s, %u bytes\n", e.name, (unsigned)e.size);
        }
    }
    return end && spiffs_check(&fs, err);
}

static void view_identity(view_t *view)
{
    const partition_t *p = partition_find(&view->table, "identity");
    err_t err = ERR_INIT;
    if (p == NULL) {
        return;
    }
    uint8_t *image = malloc(p->size);
    view_section(view, "identity (contents are not shown)", "identity");
    bool ok = image != NULL || err_set(&err, ERR_SYSTEM, "out of memory");
    ok = ok && flash_read(view->flash, p->offset, image, p->size, &err) &&
         view_files(view, image, p->size, &err);
    view_section_end(view);
    if (!ok) {
        view_problem(view, "identity", &err);
    }
    if (image != NULL) {
        bytes_wipe(image, p->size); /* there is a private key in it */
    }
    free(image);
}

static bool read_table(view_t *view, uint32_t offset, err_t *err)
{
    uint8_t bytes[PARTITION_TABLE_SIZE];
    if (!flash_read(view->flash, offset, bytes, sizeof bytes, err)) {
        return false;
    }
    return (partition_table_parse(bytes, sizeof bytes, &view->table, err) &&
            partition_table_check(&view->table, offset, flash_size(view->flash), err)) ||
           err_add(err, "at 0x%x", (unsigned)offset);
}

/* Cradle's place first, then ESP-IDF's; the error is that of the first. */
static bool find_table(view_t *view, const char *offset_text, err_t *err)
{
    uint32_t offset = PARTITION_TABLE_CRADLE;
    err_t first = ERR_INIT;
    if (!image_parse_size("offset", offset_text, &offset, err)) {
        return false;
    }
    if (read_table(view, offset, &first) ||
        (offset_text == NULL && read_table(view, PARTITION_TABLE_DEFAULT, NULL))) {
        return true;
    }
    return err_set(err, first.kind, "%s", first.text);
}

static void view_all(view_t *view)
{
    int slot;
    if (view->json != NULL) {
        json_object(view->json);
    }
    view_partitions(view);
    view_otadata(view, &slot);
    view_apps(view, slot);
    view_identity(view);
    if (view->json != NULL) {
        json_end(view->json);
    }
}

int image_show_run(const cli_t *cli, int argc, char **argv)
{
    static char text[1 << 18];
    const char *offset = NULL;
    const option_t options[] = {{"offset", 0, OPTION_TEXT, &offset, "N", ""}, {0}};
    err_t err = ERR_INIT;
    json_writer_t writer;
    view_t view = {.cli = cli, .sound = true, .json = cli->json ? &writer : NULL};
    if (!options_parse(options, &argc, argv, 1, 1, &err)) {
        return cli_fail(&err);
    }
    view.flash = flash_open_image(argv[0], false, &err);
    if (view.flash == NULL || !find_table(&view, offset, &err)) {
        flash_close(view.flash);
        return cli_fail(&err);
    }
    json_writer_init(&writer, text, sizeof text);
    view_all(&view);
    flash_close(view.flash);
    if (cli->json && !json_writer_done(&writer, NULL)) {
        err_set(&err, ERR_INPUT, "%s has more in it than can be shown", argv[0]);
        return cli_fail(&err);
    }
    if (cli->json) {
        puts(text);
    }
    return view.sound ? CLI_DONE : CLI_FAILED;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "factory/flash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "factory/esptool.h"
#include "factory/internal.h"
#include "factory/ledger.h"
#include "flash/appimage.h"
#include "flash/flash.h"
#include "flash/partition.h"
#include "json/json.h"

#define ROLLBACK      "CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE=y"
#define SDKCONFIG_MAX (1024 * 1024)
#define PARTS         4

typedef struct {
    uint32_t at;
    char *data;
    size_t len;
    char sha256[65];
    char path[FILE_PATH_MAX]; /* of the checked bytes, in the flasher's own directory */
} part_t;

struct factory_flasher {
    const site_t *site;
    factory_flash_t settings;
    esptool_t tool;
    const char *doing;
    char dir[FILE_PATH_MAX]; /* "" without a port */
    part_t part[PARTS];      /* by address */
    size_t count;
    partition_t identity; /* where it is on the chip */
    char base_sha256[65];
};

bool factory_sdkconfig_rollback(const char *text, size_t len)
{
    const char *end = text + len;
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t line = (size_t)((stop == NULL ? end : stop) - text);
        size_t trimmed = line > 0 && text[line - 1] == '\r' ? line - 1 : line;
        if (trimmed == sizeof ROLLBACK - 1 && memcmp(text, ROLLBACK, trimmed) == 0) {
            return true;
        }
        text += line + 1;
    }
    return false;
}

static bool check_rollback(const factory_flash_t *s, err_t *err)
{
    char *text;
    size_t len;
    if (s->sdkconfig == NULL) {
        return s->rollback_confirmed ||
               err_set(err, ERR_PRECONDITION,
                       "nothing says that %s can roll back: give its build's --sdkconfig FILE, or "
                       "--rollback-confirmed if you know",
                       s->bootloader);
    }
    if (!file_read(s->sdkconfig, SDKCONFIG_MAX, &text, &len, err)) {
        return false;
    }
    bool ok = factory_sdkconfig_rollback(text, len);
    free(text);
    return ok || err_set(err, ERR_PRECONDITION,
                         "%s does not say " ROLLBACK ": a bad update could not be taken back; set "
                         "it (menuconfig, Bootloader config) and build again",
                         s->sdkconfig);
}

/* ---- what is written to a chip ---- */

static bool hash_hex(const void *data, size_t len, char out[65], err_t *err)
{
    uint8_t hash[32];
    return pki_sha256(data, len, hash, err) && bytes_to_hex(hash, sizeof hash, out, 65);
}

/* ESP-IDF: where the ROM looks for the second stage. */
static uint32_t bootloader_offset(const char *chip)
{
    if (strcmp(chip, "esp32") == 0 || strcmp(chip, "esp32s2") == 0) {
        return 0x1000;
    }
    return strcmp(chip, "esp32p4") == 0 || strcmp(chip, "esp32c5") == 0 ? 0x2000 : 0;
}

/* Takes `data`, also when it fails. */
static bool add_part(factory_flasher_t *f, uint32_t at, char *data, size_t len, const char *name,
                     err_t *err)
{
    part_t *part = &f->part[f->count++];
    part->at = at;
    part->data = data;
    part->len = len;
    return hash_hex(data, len, part->sha256, err) && file_join(part->path, f->dir, name, err) &&
           file_write_new(part->path, data, len, 0600, err);
}

static bool load_table(const factory_flash_t *s, partition_table_t *table, char **data, err_t *err)
{
    size_t len;
    if (s->table == NULL) {
        partition_table_cradle(table);
        *data = malloc(PARTITION_TABLE_SIZE);
        return (*data != NULL || err_set(err, ERR_SYSTEM, "out of memory")) &&
               partition_table_build(table, (uint8_t *)*data, err);
    }
    if (!file_read(s->table, PARTITION_TABLE_SIZE, data, &len, err)) {
        return false;
    }
    if (len != PARTITION_TABLE_SIZE) {
        return err_set(err, ERR_INPUT, "%s has %zu bytes; a partition table has %u", s->table, len,
                       PARTITION_TABLE_SIZE);
    }
    return (partition_table_parse(*data, len, table, err) &&
            partition_table_check(table, PARTITION_TABLE_CRADLE, FLASH_SIZE_DEFAULT, err)) ||
           err_add(err, "%s", s->table);
}

/* The parts of the table that the line itself writes to. */
static bool find_places(factory_flasher_t *f, const partition_table_t *table,
                        const partition_t **slot, const partition_t **otadata, err_t *err)
{
    const partition_t *identity = partition_find(table, "identity");
    *slot = partition_find_type(table, PARTITION_APP, PARTITION_APP_OTA_0);
    *otadata = partition_find_type(table, PARTITION_DATA, PARTITION_DATA_OTA);
    if (identity == NULL || identity->size != FACTORY_IDENTITY_SIZE || *slot == NULL ||
        *otadata == NULL) {
        return err_set(err, ERR_INPUT,
                       "the partition table needs otadata, ota_0, and identity of 0x%x bytes",
                       FACTORY_IDENTITY_SIZE);
    }
    f->identity = *identity;
    return true;
}

static bool load_image(const char *path, size_t max, char **data, size_t *len, appimage_t *image,
                       err_t *err)
{
    *data = NULL;
    if (!file_read(path, max, data, len, err)) {
        return false;
    }
    if (!appimage_parse(*data, *len, image, err)) {
        return err_add(err, "%s", path);
    }
    return appimage_chip_name(image->chip_id) != NULL && image->chip_id != APPIMAGE_CHIP_NONE
               ? true
               : err_set(err, ERR_INPUT, "%s is for no chip that is known here", path);
}

static bool load_parts(factory_flasher_t *f, err_t *err)
{
    const factory_flash_t *s = &f->settings;
    partition_table_t table;
    const partition_t *slot;
    const partition_t *otadata;
    appimage_t app, boot;
    char *data[PARTS] = {NULL};
    size_t app_len, boot_len;
    bool ok = load_table(s, &table, &data[1], err) &&
              find_places(f, &table, &slot, &otadata, err) &&
              load_image(s->app, slot->size, &data[3], &app_len, &app, err) &&
              load_image(s->bootloader, PARTITION_TABLE_CRADLE, &data[0], &boot_len, &boot, err) &&
              (app.chip_id == boot.chip_id ||
               err_set(err, ERR_INPUT, "%s is for %s, %s for %s", s->bootloader,
                       appimage_chip_name(boot.chip_id), s->app, appimage_chip_name(app.chip_id)));
    uint32_t at = ok ? bootloader_offset(appimage_chip_name(app.chip_id)) : 0;
    ok = ok && (at + boot_len <= PARTITION_TABLE_CRADLE ||
                err_set(err, ERR_INPUT, "%s is too large: it would reach into the partition table",
                        s->bootloader));
    data[2] = ok ? malloc(otadata->size) : NULL;
    ok = ok && (data[2] != NULL || err_set(err, ERR_SYSTEM, "out of memory"));
    if (!ok) {
        for (size_t i = 0; i < PARTS; i++) {
            free(data[i]);
        }
        return false;
    }
    memset(data[2], 0xff, otadata->size);
    ok = add_part(f, at, data[0], boot_len, "bootloader.bin", err);
    ok = add_part(f, PARTITION_TABLE_CRADLE, data[1], PARTITION_TABLE_SIZE, "table.bin", err) && ok;
    ok = add_part(f, otadata->offset, data[2], otadata->size, "otadata.bin", err) && ok;
    return add_part(f, slot->offset, data[3], app_len, "app.bin", err) && ok;
}

/* Without a base to write: only where the identity is. */
static bool load_places(factory_flasher_t *f, err_t *err)
{
    partition_table_t table;
    const partition_t *slot, *otadata;
    char *data = NULL;
    bool ok = load_table(&f->settings, &table, &data, err) &&
              find_places(f, &table, &slot, &otadata, err);
    free(data);
    return ok;
}

static bool hash_parts(factory_flasher_t *f, err_t *err)
{
    char text[PARTS * 96] = "";
    for (size_t i = 0; i < f->count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "0x%x %s\n", (unsigned)f->part[i].at,
                 f->part[i].sha256);
    }
    return hash_hex(text, strlen(text), f->base_sha256, err);
}

/* ---- opening ---- */

static void tell(void *context, unsigned percent)
{
    const factory_flasher_t *f = context;
    if (f->settings.progress != NULL) {
        f->settings.progress(f->settings.context, f->doing, percent);
    }
}

static bool open_port(factory_flasher_t *f, err_t *err)
{
    const factory_flash_t *s = &f->settings;
    char log[FILE_PATH_MAX];
    bool base = s->bootloader != NULL || s->app != NULL;
    if (base && (s->bootloader == NULL || s->app == NULL)) {
        return err_set(err, ERR_USAGE, "--bootloader and --app go together");
    }
    if (strlen(s->port) >= sizeof f->tool.port || s->port[0] == '-') {
        return err_set(err, ERR_USAGE, "%.40s is no port", s->port);
    }
    snprintf(f->tool.port, sizeof f->tool.port, "%s", s->port);
    snprintf(f->tool.baud, sizeof f->tool.baud, "%u",
             (unsigned)(s->baud == 0 ? FACTORY_BAUD : s->baud));
    f->tool.progress = tell;
    f->tool.context = f;
    char dir[FILE_PATH_MAX];
    if ((base && !check_rollback(s, err)) || !site_path(f->site, "run/flash-XXXXXX", dir, err)) {
        return false;
    }
    if (mkdtemp(dir) == NULL) {
        return err_errno(err, "cannot make a directory in run/ of the site");
    }
    memcpy(f->dir, dir, sizeof f->dir);
    return file_join(log, f->dir, "esptool.log", err) &&
           (base ? load_parts(f, err) && hash_parts(f, err) : load_places(f, err)) &&
           esptool_find(&f->tool, s->esptool, log, err);
}

bool factory_flasher_open(const site_t *site, const factory_flash_t *settings,
                          factory_flasher_t **flasher, err_t *err)
{
    factory_flasher_t *f = calloc(1, sizeof *f);
    *flasher = NULL;
    if (f == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory");
    }
    f->site = site;
    f->settings = *settings;
    if (settings->port != NULL ? !open_port(f, err) : !factory_base_make(site, err)) {
        factory_flasher_close(f);
        return false;
    }
    *flasher = f;
    return true;
}

bool factory_flasher_has_port(const factory_flasher_t *f)
{
    return f->settings.port != NULL;
}

void factory_flasher_close(factory_flasher_t *f)
{
    if (f != NULL) {
        for (size_t i = 0; i < f->count; i++) {
            free(f->part[i].data);
        }
        if (f->dir[0] != '\0') {
            file_remove_tree(f->dir, NULL);
        }
        free(f);
    }
}

/* ---- flashing ---- */

/* One part of the chip is these bytes. */
static bool read_back(factory_flasher_t *f, uint32_t at, const char *sha256, size_t len, err_t *err)
{
    char path[FILE_PATH_MAX];
    char found[65] = "";
    char *data = NULL;
    size_t got = 0;
    f->doing = "reading back";
    if (!file_join(path, f->dir, "back.bin", err)) {
        return false;
    }
    unlink(path);
    bool ok = esptool_read(&f->tool, at, (uint32_t)len, path, err) &&
              file_read(path, len + 1, &data, &got, err) && hash_hex(data, got, found, err);
    unlink(path);
    if (data != NULL) {
        bytes_wipe(data, got);
    }
    free(data);
    return ok && ((got == len && strcmp(found, sha256) == 0) ||
                  err_set(err, ERR_PEER,
                          "the flash at 0x%x was not read back as written; flash it again, and if "
                          "it stays so, scrap the board",
                          (unsigned)at));
}

static bool read_back_all(factory_flasher_t *f, err_t *err)
{
    for (size_t i = 0; i < f->count; i++) {
        if (!read_back(f, f->part[i].at, f->part[i].sha256, f->part[i].len, err)) {
            return false;
        }
    }
    return true;
}

static bool write_chip(factory_flasher_t *f, err_t *err)
{
    esptool_part_t parts[PARTS];
    for (size_t i = 0; i < f->count; i++) {
        parts[i] = (esptool_part_t){f->part[i].at, f->part[i].path};
    }
    f->doing = "writing";
    return esptool_write(&f->tool, parts, f->count, err) && read_back_all(f, err);
}

/* Read from the disk each time, and a boot loader's eye on it: table and image. */
static bool check_bytes(factory_flasher_t *f, err_t *err)
{
    char path[FILE_PATH_MAX];
    char *data;
    size_t len;
    partition_table_t table;
    appimage_t app;
    if (!site_path(f->site, "factory/base.bin", path, err) ||
        !file_read(path, FLASH_SIZE_DEFAULT, &data, &len, err)) {
        return false;
    }
    const partition_t *slot = NULL;
    bool ok =
        len >= PARTITION_TABLE_CRADLE + PARTITION_TABLE_SIZE &&
        partition_table_parse(data + PARTITION_TABLE_CRADLE, PARTITION_TABLE_SIZE, &table, err) &&
        (slot = partition_find(&table, "ota_0")) != NULL && len > slot->offset &&
        appimage_parse(data + slot->offset, len - slot->offset, &app, err) &&
        hash_hex(data, len, f->base_sha256, err);
    free(data);
    return ok || err_set(err, ERR_INPUT, "the base image is damaged; restore it from a back-up") ||
           err_add(err, "%s", path);
}

static bool write_detail(const factory_flasher_t *f, const char *mac, char *out, size_t cap)
{
    json_writer_t w;
    json_writer_init(&w, out, cap);
    json_object(&w);
    json_key(&w, "mac");
    json_put_string(&w, mac);
    json_key(&w, "base_sha256");
    json_put_string(&w, f->base_sha256);
    json_key(&w, "rollback");
    json_put_bool(&w, true);
    if (f->count > 0) {
        json_key(&w, "esptool");
        json_put_string(&w, f->tool.version);
        json_key(&w, "parts");
        json_array(&w);
        for (size_t i = 0; i < f->count; i++) {
            json_object(&w);
            json_key(&w, "at");
            json_put_i64(&w, f->part[i].at);
            json_key(&w, "sha256");
            json_put_string(&w, f->part[i].sha256);
            json_end(&w);
        }
        json_end(&w);
    }
    json_end(&w);
    return json_writer_done(&w, NULL);
}

static bool same_chip(factory_flasher_t *f, char mac[FACTORY_MAC_SIZE], err_t *err)
{
    char chip[FACTORY_MAC_SIZE];
    if (f->settings.port == NULL) {
        return mac[0] != '\0' || err_set(err, ERR_USAGE, "which board? Its MAC is needed");
    }
    if (!esptool_read_mac(&f->tool, chip, err)) {
        return false;
    }
    if (mac[0] != '\0' && strcmp(mac, chip) != 0) {
        return err_set(err, ERR_PRECONDITION,
                       "the board on %s is %s; attach the one that was scanned", f->tool.port,
                       chip);
    }
    memcpy(mac, chip, sizeof chip);
    return true;
}

bool factory_flash(factory_station_t *station, factory_flasher_t *f, char mac[FACTORY_MAC_SIZE],
                   bool *already, err_t *err)
{
    factory_item_t item;
    char detail[CUSTODY_DETAIL_MAX];
    uint8_t base[32];
    *already = false;
    if (f->settings.port != NULL && f->count == 0) {
        return err_set(err, ERR_USAGE, "with a port, --bootloader and --app are needed");
    }
    if (!same_chip(f, mac, err) || !factory_find_mac(station, mac, &item, err)) {
        return false;
    }
    factory_state_t state = factory_item_state(&item);
    if (state == FACTORY_UNKNOWN || state == FACTORY_SCRAPPED) {
        return err_set(err, ERR_PRECONDITION, "board %s %s", mac,
                       state == FACTORY_SCRAPPED ? "was scrapped; take another one"
                                                 : "did not pass station 1; repair it and scan it "
                                                   "there again");
    }
    if (f->count == 0 && !check_bytes(f, err)) {
        return false;
    }
    *already = item.flash_ms > 0 && bytes_from_hex(f->base_sha256, 64, base, sizeof base) &&
               memcmp(base, item.base, sizeof base) == 0 &&
               (f->count == 0 || read_back_all(f, NULL));
    if (*already) {
        return true;
    }
    if (item.identity_ms > 0 && f->count > 0) {
        return err_set(err, ERR_PRECONDITION,
                       "board %s is unit %s already and its flash is not as it was made; take it "
                       "back with `cradle factory rework %s`",
                       mac, item.sn, item.sn);
    }
    return (f->count == 0 || write_chip(f, err)) &&
           (write_detail(f, mac, detail, sizeof detail) ||
            err_set(err, ERR_SYSTEM, "the record of %s does not fit", mac)) &&
           factory_station_append(station, item.sn, FACTORY_FLASH, detail, err);
}

bool factory_flash_identity(factory_flasher_t *f, const char *mac, const char *path, err_t *err)
{
    char chip[FACTORY_MAC_SIZE];
    char sha256[65] = "";
    char *data;
    size_t len;
    const esptool_part_t part = {f->identity.offset, path};
    snprintf(chip, sizeof chip, "%s", mac);
    if (f->settings.port == NULL) {
        return true; /* the file is the flash */
    }
    if (!same_chip(f, chip, err) || !file_read(path, FACTORY_IDENTITY_SIZE, &data, &len, err)) {
        return false;
    }
    bool ok = hash_hex(data, len, sha256, err);
    bytes_wipe(data, len);
    free(data);
    f->doing = "writing";
    return ok && esptool_write(&f->tool, &part, 1, err) &&
           read_back(f, f->identity.offset, sha256, len, err);
}

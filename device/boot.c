/* SPDX-License-Identifier: Apache-2.0 */
#include "device/boot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "flash/otadata.h"
#include "flash/partition.h"
#include "flash/spiffs.h"
#include "pki/chain.h"
#include "statement/jws.h"

static bool read_app(boot_t *boot, err_t *err)
{
    uint8_t raw[PARTITION_TABLE_SIZE];
    partition_table_t table;
    region_t region;
    otadata_t otadata;
    char label[8] = "ota_0";
    if (!flash_read(boot->flash, PARTITION_TABLE_CRADLE, raw, sizeof raw, err) ||
        !partition_table_parse(raw, sizeof raw, &table, err) ||
        !partition_table_check(&table, PARTITION_TABLE_CRADLE, flash_size(boot->flash), err)) {
        return err_add(err, "the partition table");
    }
    if (!flash_partition(boot->flash, "otadata", &region, err)) {
        return false;
    }
    if (!otadata_read(&region, &otadata)) {
        return err_set(err, ERR_INPUT, "otadata cannot be read: %s", flash_last_error(boot->flash));
    }
    int slot = otadata_slot(&otadata, (unsigned)partition_count_ota(&table));
    snprintf(label, sizeof label, "ota_%d", slot < 0 ? 0 : slot);
    return (flash_partition(boot->flash, label, &region, err) &&
            appimage_read(&region, &boot->app, err)) ||
           err_add(err, "the app image in %s", label);
}

/* The whole identity partition in memory; the caller wipes and frees it. */
static uint8_t *load_identity(boot_t *boot, spiffs_t *fs, size_t *size, err_t *err)
{
    region_t region;
    if (!flash_partition(boot->flash, "identity", &region, err)) {
        return NULL;
    }
    uint8_t *image = malloc(region.size);
    if (image == NULL) {
        err_set(err, ERR_SYSTEM, "out of memory for the identity partition");
        return NULL;
    }
    const spiffs_config_t config = spiffs_config_default(region.size);
    *size = region.size;
    if (!region_read(&region, 0, image, region.size)) {
        err_set(err, ERR_INPUT, "the identity partition cannot be read: %s",
                flash_last_error(boot->flash));
    } else if (spiffs_open(fs, &config, image, region.size, err)) {
        return image;
    }
    err_add(err, "the identity partition (flash it again at station 3)");
    bytes_wipe(image, region.size);
    free(image);
    return NULL;
}

static bool read_chain(const spiffs_t *fs, const char *name, pki_chain_t *chain, err_t *err)
{
    char *text;
    size_t len;
    if (!spiffs_read_file(fs, name, PKI_PEM_MAX, &text, &len, err)) {
        return false;
    }
    bool ok = pki_chain_parse(text, len, chain, err) || err_add(err, "%s", name);
    free(text);
    return ok;
}

static bool read_key(boot_t *boot, const spiffs_t *fs, err_t *err)
{
    char *text;
    size_t len;
    if (!spiffs_read_file(fs, SITE_IDENTITY_KEY, PKI_KEY_PEM_MAX, &text, &len, err)) {
        return false;
    }
    bool ok =
        pki_key_parse(text, len, NULL, &boot->key, err) || err_add(err, "%s", SITE_IDENTITY_KEY);
    bytes_wipe(text, len);
    free(text);
    return ok;
}

static bool read_json(boot_t *boot, const spiffs_t *fs, err_t *err)
{
    spiffs_entry_t entry;
    char *text;
    size_t len;
    site_identity_default(&boot->identity);
    if (!spiffs_find(fs, SITE_IDENTITY_JSON, &entry, NULL)) {
        return true; /* the mission's three files are enough */
    }
    boot->has_json = true;
    if (!spiffs_read(fs, &entry, SITE_IDENTITY_JSON_MAX, &text, &len, err)) {
        return err_add(err, "%s", SITE_IDENTITY_JSON);
    }
    bool ok = site_identity_parse(text, len, &boot->identity, err) ||
              err_add(err, "%s", SITE_IDENTITY_JSON);
    bytes_wipe(text, len); /* it may hold the proof of possession */
    free(text);
    return ok;
}

/* Whether it is any good the brain finds out. */
static bool read_bundle(boot_t *boot, const spiffs_t *fs, err_t *err)
{
    spiffs_entry_t entry;
    return !spiffs_find(fs, SITE_IDENTITY_BUNDLE, &entry, NULL) ||
           spiffs_read(fs, &entry, JWS_BUNDLE_MAX, &boot->bundle, &boot->bundle_len, err) ||
           err_add(err, SITE_IDENTITY_BUNDLE);
}

static bool check_identity(boot_t *boot, err_t *err)
{
    if (!pki_cert_facts(boot->chain.cert[0], &boot->leaf, err)) {
        return false;
    }
    if (boot->leaf.cn_state != PKI_CN_OK) {
        return err_set(err, ERR_INPUT, "%s has no usable common name, so no serial number",
                       SITE_IDENTITY_CERT);
    }
    if (!pki_key_matches(boot->key, boot->chain.cert[0])) {
        return err_set(err, ERR_INPUT, "%s is not the key of %s", SITE_IDENTITY_KEY,
                       SITE_IDENTITY_CERT);
    }
    snprintf(boot->sn, sizeof boot->sn, "%s", boot->leaf.cn);
    return boot->chain.count > 1 || pki_chain_complete(&boot->chain, &boot->anchors, err);
}

static bool read_identity(boot_t *boot, err_t *err)
{
    spiffs_t fs;
    size_t size = 0;
    uint8_t *image = load_identity(boot, &fs, &size, err);
    if (image == NULL) {
        return false;
    }
    bool ok = read_key(boot, &fs, err) && read_chain(&fs, SITE_IDENTITY_CERT, &boot->chain, err) &&
              read_chain(&fs, SITE_IDENTITY_SERVER, &boot->anchors, err) &&
              read_json(boot, &fs, err) && read_bundle(boot, &fs, err) && check_identity(boot, err);
    bytes_wipe(image, size);
    free(image);
    return ok || err_add(err, "the identity in flash");
}

static bool mount_stores(boot_t *boot, err_t *err)
{
    region_t region;
    if (!flash_partition(boot->flash, "cradle_nvs", &region, err)) {
        return false;
    }
    settings_status_t settings = settings_mount(&boot->settings, &region);
    if (settings != SETTINGS_OK) {
        return err_set(err, ERR_INPUT, "the settings store: %s", settings_status_text(settings));
    }
    if (!flash_partition(boot->flash, "outbox", &region, err)) {
        return false;
    }
    outbox_status_t outbox = outbox_mount(&boot->outbox, &region);
    return outbox == OUTBOX_OK ||
           err_set(err, ERR_INPUT, "the outbox: %s", outbox_status_text(outbox));
}

bool boot_open(boot_t *boot, flash_t *flash, const uint8_t mac[6], err_t *err)
{
    memset(boot, 0, sizeof *boot);
    boot->flash = flash;
    if (!read_app(boot, err) || !read_identity(boot, err) || !mount_stores(boot, err)) {
        boot_close(boot);
        return false;
    }
    if (mac != NULL) {
        memcpy(boot->mac, mac, sizeof boot->mac);
    } else {
        memcpy(boot->mac, boot->leaf.sha256, sizeof boot->mac);
        boot->mac[0] = (uint8_t)((boot->mac[0] & 0xfc) | 0x02);
    }
    snprintf(boot->service, sizeof boot->service, "ESP-PROV-%02X%02X", boot->mac[4], boot->mac[5]);
    return true;
}

void boot_close(boot_t *boot)
{
    pki_key_free(boot->key);
    free(boot->bundle);
    pki_chain_free(&boot->chain);
    pki_chain_free(&boot->anchors);
    flash_close(boot->flash);
    bytes_wipe(boot, sizeof *boot);
}

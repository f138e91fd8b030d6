/* SPDX-License-Identifier: Apache-2.0 */
/*
 * appimage: an ESP32 application image: header, segments, XOR byte, appended SHA-256, and the
 * application descriptor in front of the first segment (ESP-IDF esp_app_format.h,
 * esp_image_format.c, esp_app_desc.h).
 *
 * Verifying here means integrity, as the bootloader does it without secure boot. It is no
 * authenticity: whoever can write the flash can compute these sums.
 */
#ifndef CRADLE_FLASH_APPIMAGE_H
#define CRADLE_FLASH_APPIMAGE_H

#include "base/err.h"
#include "flash/region.h"

#define APPIMAGE_SEGMENTS_MAX 16
#define APPIMAGE_CHIP_NONE    0xffffu /* ESP_CHIP_ID_INVALID: no chip runs it */

typedef struct {
    uint8_t segments;
    uint8_t flash_size_code; /* 0 = 1 MB, 1 = 2 MB, 2 = 4 MB, 3 = 8 MB, 4 = 16 MB */
    uint16_t chip_id;
    uint32_t entry;
    uint32_t size; /* bytes, everything included */
    bool hash_appended;
    uint8_t sha256[32]; /* the appended hash, or that of the whole image when there is none */
    bool has_descriptor;
    uint32_t secure_version;
    char version[33];
    char project[33];
    char time[17];
    char date[17];
    char idf_version[33];
    uint8_t elf_sha256[32];
} appimage_t;

/* Reads and verifies the image at the start of the region (bytes after its end are ignored).
   Texts of the descriptor hold printable ASCII only: any other byte ends up as '?'.
   ERR_INPUT says which part is wrong and where. */
bool appimage_read(const region_t *region, appimage_t *out, err_t *err);

/* The same for bytes in memory. */
bool appimage_parse(const void *data, size_t len, appimage_t *out, err_t *err);

/* "esp32c3", ... ; "none" for APPIMAGE_CHIP_NONE; NULL for a number that we do not know. */
const char *appimage_chip_name(uint16_t chip_id);

/* What the Linux device boots from until there is firmware: a valid image whose only segment is
   a descriptor (project "cradle-linux") and a sentence saying that a chip cannot run it; its chip
   id is APPIMAGE_CHIP_NONE, so every bootloader refuses it. No time stamp: equal versions give
   equal bytes. `version` has 1 to 31 printable characters. */
#define APPIMAGE_LINUX_PROJECT "cradle-linux"
#define APPIMAGE_LINUX_MAX     1024
bool appimage_build_linux(const char *version, uint8_t out[APPIMAGE_LINUX_MAX], size_t *len,
                          err_t *err);

/* The base image that all units of a site share, from offset 0: Cradle's partition table, erased
   otadata, and the image above in ota_0. It ends after the image (the rest of the flash is FF).
   *data is heap memory that the caller frees. */
bool flash_base_build(const char *version, uint8_t **data, size_t *len, err_t *err);

#endif

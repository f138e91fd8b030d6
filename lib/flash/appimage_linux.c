/* SPDX-License-Identifier: Apache-2.0 */
/* The image that a unit on Linux boots from, and the base image around it. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "flash/appimage.h"
#include "flash/partition.h"

#define DESCRIPTOR 32u /* file offset: header 24, segment header 8 */
#define LOAD_ADDRESS                                                                               \
    0x3f400020u /* where an ESP32 maps data, so that esptool shows the descriptor */

/* In the descriptor's field for the ESP-IDF version, where esptool and every OTA page show it. */
static const char NOT_IDF[] = "none: no chip can run this";

static const char NOTICE[] =
    "This is not firmware. It is the descriptor that a Cradle unit on Linux boots from, "
    "and no chip can run it: its chip id is that of no chip. ";

bool appimage_build_linux(const char *version, uint8_t out[APPIMAGE_LINUX_MAX], size_t *len,
                          err_t *err)
{
    size_t version_len = strlen(version);
    for (size_t i = 0; i < version_len; i++) {
        if (version[i] <= 0x20 || version[i] > 0x7e) {
            return err_set(err, ERR_USAGE, "a version has only printable characters, no spaces");
        }
    }
    if (version_len == 0 || version_len > 31) {
        return err_set(err, ERR_USAGE, "a version has 1 to 31 characters, not %zu", version_len);
    }
    uint32_t data_len = 256 + (uint32_t)(sizeof NOTICE + 3) / 4 * 4;
    memset(out, 0, APPIMAGE_LINUX_MAX);
    out[0] = 0xe9;
    out[1] = 1;
    out[2] = 2;    /* DIO, as flash tools expect */
    out[3] = 0x2f; /* 4 MB, 80 MHz */
    out[8] = 0xee; /* no WP pin */
    bytes_put_le16(out + 12, APPIMAGE_CHIP_NONE);
    bytes_put_le16(out + 17, 0xffff); /* any revision */
    out[23] = 1;                      /* SHA-256 appended */
    bytes_put_le32(out + 24, LOAD_ADDRESS);
    bytes_put_le32(out + 28, data_len);
    uint8_t *d = out + DESCRIPTOR;
    bytes_put_le32(d, 0xabcd5432u);
    memcpy(d + 16, version, version_len);
    memcpy(d + 48, APPIMAGE_LINUX_PROJECT, sizeof APPIMAGE_LINUX_PROJECT);
    memcpy(d + 112, NOT_IDF, sizeof NOT_IDF);
    memcpy(d + 256, NOTICE, sizeof NOTICE);
    uint8_t sum = 0xef;
    for (uint32_t i = 0; i < data_len; i++) {
        sum ^= d[i];
    }
    size_t end = (DESCRIPTOR + data_len + 16) / 16 * 16;
    out[end - 1] = sum;
    if (EVP_Digest(out, end, out + end, NULL, EVP_sha256(), NULL) != 1) {
        return err_set(err, ERR_SYSTEM, "OpenSSL cannot compute a SHA-256");
    }
    *len = end + 32;
    return true;
}

bool flash_base_build(const char *version, uint8_t **data, size_t *len, err_t *err)
{
    partition_table_t table;
    uint8_t app[APPIMAGE_LINUX_MAX];
    size_t app_len = 0;
    *data = NULL;
    *len = 0;
    partition_table_cradle(&table);
    const partition_t *slot = partition_find(&table, "ota_0");
    if (slot == NULL || !appimage_build_linux(version, app, &app_len, err)) {
        return false;
    }
    size_t total = slot->offset + app_len;
    uint8_t *base = malloc(total);
    if (base == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory building a base image");
    }
    memset(base, 0xff, total);
    memcpy(base + slot->offset, app, app_len);
    if (!partition_table_build(&table, base + PARTITION_TABLE_CRADLE, err)) {
        free(base);
        return false;
    }
    *data = base;
    *len = total;
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "flash/overlay.h"

#include <string.h>

#include "base/bytes.h"
#include "flash/flash.h"

#define VERSION     1u
#define CHECKED_LEN 36u

static const char MAGIC[8] = {'C', 'R', 'A', 'D', 'L', 'O', 'V', 'L'};

void overlay_build(const overlay_header_t *header, uint8_t out[OVERLAY_HEADER])
{
    memset(out, 0, OVERLAY_HEADER);
    memcpy(out, MAGIC, sizeof MAGIC);
    bytes_put_le32(out + 8, VERSION);
    bytes_put_le32(out + 12, header->flash_size);
    bytes_put_le32(out + 16, header->base_len);
    bytes_put_le32(out + 20, header->base_crc);
    bytes_put_le32(out + 24, header->identity_at);
    bytes_put_le32(out + 28, header->identity_len);
    bytes_put_le32(out + 32, header->identity_crc);
    bytes_put_le32(out + CHECKED_LEN, bytes_crc32(0, out, CHECKED_LEN));
}

static bool check_bitmap(const uint8_t *data, uint64_t file_size, uint32_t flash_size, err_t *err)
{
    for (uint32_t i = 0; i < (OVERLAY_HEADER - OVERLAY_BITMAP) * 8; i++) {
        if (!overlay_has(data, i)) {
            continue;
        }
        if (i >= flash_size / FLASH_SECTOR) {
            return err_set(err, ERR_INPUT, "it lists sector %u of a flash of %u sectors",
                           (unsigned)i, (unsigned)(flash_size / FLASH_SECTOR));
        }
        if (file_size < OVERLAY_HEADER + (uint64_t)(i + 1) * FLASH_SECTOR) {
            return err_set(err, ERR_INPUT, "it ends before its sector %u", (unsigned)i);
        }
    }
    return true;
}

bool overlay_parse(const uint8_t data[OVERLAY_HEADER], uint64_t file_size, overlay_header_t *header,
                   err_t *err)
{
    if (memcmp(data, MAGIC, sizeof MAGIC) != 0) {
        return err_set(err, ERR_INPUT, "it is not the overlay of a unit");
    }
    if (bytes_get_le32(data + CHECKED_LEN) != bytes_crc32(0, data, CHECKED_LEN)) {
        return err_set(err, ERR_INPUT, "its header does not match its CRC");
    }
    if (bytes_get_le32(data + 8) != VERSION) {
        return err_set(err, ERR_INPUT, "it has format version %u, this program knows %u",
                       (unsigned)bytes_get_le32(data + 8), VERSION);
    }
    header->flash_size = bytes_get_le32(data + 12);
    header->base_len = bytes_get_le32(data + 16);
    header->base_crc = bytes_get_le32(data + 20);
    header->identity_at = bytes_get_le32(data + 24);
    header->identity_len = bytes_get_le32(data + 28);
    header->identity_crc = bytes_get_le32(data + 32);
    uint32_t size = header->flash_size;
    if (size == 0 || size % FLASH_SECTOR != 0 || size > FLASH_SIZE_MAX || header->base_len > size ||
        header->identity_at > size || header->identity_len > size - header->identity_at) {
        return err_set(err, ERR_INPUT, "its header has impossible sizes");
    }
    return check_bitmap(data, file_size, size, err);
}

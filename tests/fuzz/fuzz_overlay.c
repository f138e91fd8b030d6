/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a unit's overlay file. The CRC is mended, so that what is behind it is reached. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "flash/flash.h"
#include "flash/overlay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t bytes[OVERLAY_HEADER] = {0};
    overlay_header_t header;
    memcpy(bytes, data, size < sizeof bytes ? size : sizeof bytes);
    uint64_t file_size = size > 2 ? (uint64_t)(data[size - 1] << 8 | data[size - 2]) * 1024 : 0;
    overlay_parse(bytes, file_size, &header, NULL);
    bytes_put_le32(bytes + 36, bytes_crc32(0, bytes, 36));
    if (overlay_parse(bytes, file_size, &header, NULL)) {
        if (header.flash_size > FLASH_SIZE_MAX || header.base_len > header.flash_size ||
            header.identity_at + header.identity_len > header.flash_size) {
            abort();
        }
        for (uint32_t i = 0; i < header.flash_size / FLASH_SECTOR; i++) {
            if (overlay_has(bytes, i) && OVERLAY_HEADER + (i + 1) * 4096ull > file_size) {
                abort();
            }
        }
    }
    return 0;
}

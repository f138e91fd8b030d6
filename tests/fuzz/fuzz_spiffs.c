/* SPDX-License-Identifier: Apache-2.0 */
/* An image of a small SPIFFS: listed, read, checked. The first byte chooses options. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "flash/spiffs.h"

#define BLOCKS 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t image[BLOCKS * 4096];
    if (size < 1) {
        return 0;
    }
    spiffs_config_t config = spiffs_config_default(sizeof image);
    config.page_size = (data[0] & 1) != 0 ? 512 : 256;
    config.use_magic = (data[0] & 2) == 0;
    config.big_endian = (data[0] & 4) != 0;
    config.block_size = (data[0] & 8) != 0 ? 8192 : 4096;
    memset(image, 0xff, sizeof image);
    memcpy(image, data + 1, size - 1 < sizeof image ? size - 1 : sizeof image);
    spiffs_t fs;
    spiffs_entry_t entry;
    uint32_t cursor = 0;
    bool end = false;
    if (!spiffs_open(&fs, &config, image, sizeof image, NULL)) {
        return 0;
    }
    while (spiffs_next(&fs, &cursor, &entry, &end, NULL) && !end) {
        char *content;
        size_t len;
        if (strlen(entry.name) == 0 || strlen(entry.name) >= config.name_len) {
            abort();
        }
        if (spiffs_read(&fs, &entry, sizeof image, &content, &len, NULL)) {
            if (len != entry.size || content[len] != '\0') {
                abort();
            }
            free(content);
        }
    }
    spiffs_check(&fs, NULL);
    return 0;
}

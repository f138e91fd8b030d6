/* SPDX-License-Identifier: Apache-2.0 */
/* An ESP32 app image. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "flash/appimage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    appimage_t image;
    if (appimage_parse(data, size, &image, NULL)) {
        if (image.size > size || image.segments == 0 || strlen(image.version) > 32 ||
            strlen(image.project) > 32) {
            abort();
        }
        appimage_chip_name(image.chip_id);
    }
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Two sectors of otadata; a switch afterwards must hold, whatever was there. */
#include "flash_fuzz.h"

#include "flash/otadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    region_t region = fuzz_region(data, size, 2);
    otadata_t found;
    if (!otadata_read(&region, &found)) {
        abort();
    }
    for (unsigned slots = 0; slots <= OTADATA_SLOTS + 1; slots++) {
        int slot = otadata_slot(&found, slots);
        if (slot < -1 || slot >= (int)slots) {
            abort();
        }
    }
    unsigned wanted = size > 0 ? data[0] % 4 : 0;
    if (otadata_switch(&region, 4, wanted, OTADATA_NEW)) {
        if (!otadata_read(&region, &found) || otadata_slot(&found, 4) != (int)wanted) {
            abort();
        }
    }
    return 0;
}

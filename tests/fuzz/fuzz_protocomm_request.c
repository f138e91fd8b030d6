/* SPDX-License-Identifier: Apache-2.0 */
/* Plain-text requests to the device's endpoints: a sequence of {endpoint, length, content}. */
#include <stdlib.h>

#include "../unit/fake_provisioning.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const endpoints[] = {"prov-config",  "prov-scan", "prov-ctrl",
                                            "prov-session", "proto-ver", "cradle-info",
                                            "cradle-claim", "unknown"};
    const protocomm_security_t security = {.version = 0};
    uint8_t out[PROTOCOMM_MESSAGE_MAX];
    fake_t fake;
    size_t len;

    fake_init(&fake, &security);
    protocomm_device_open(fake.device, 1);
    for (size_t at = 0; at + 1 < size;) {
        fake.scan_later = data[at] & 0x10;
        fake.apply_later = data[at] & 0x20;
        const char *endpoint = endpoints[data[at] % 8];
        if (data[at] & 0x40)
            fake_scan_done(&fake);
        if (data[at] & 0x80)
            fake_outcome(&fake);
        size_t take = data[at + 1];
        at += 2;
        if (take > size - at)
            take = size - at;
        (void)protocomm_device_request(fake.device, 1, endpoint, data + at, take, out, sizeof out,
                                       &len);
        if (len > sizeof out || fake.claims)
            abort();
        at += take;
    }
    fake_free(&fake);
    return 0;
}

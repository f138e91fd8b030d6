/* SPDX-License-Identifier: Apache-2.0 */
/* Session messages at both ends. Byte 0 chooses security version and end; the rest is messages of
   one length byte (times two) and content each. A device may never come up: no input proves it
   knows the secret. */
#include <stdlib.h>
#include <string.h>

#include "protocomm/security.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t verifier[PROTOCOMM_VERIFIER_LEN] = {7, 7, 7};
    uint8_t out[PROTOCOMM_MESSAGE_MAX];
    size_t len;

    if (size < 1)
        return 0;
    const protocomm_security_t security = {.version = data[0] % 3,
                                           .patch_version = data[0] % 3 == 2,
                                           .pop = (const uint8_t *)"a secret",
                                           .pop_len = 8,
                                           .username = "user",
                                           .password = "a secret",
                                           .salt = verifier,
                                           .salt_len = 16,
                                           .verifier = verifier};
    bool device = data[0] & 0x80;
    protocomm_session_t *session = device ? protocomm_session_device(&security, NULL)
                                          : protocomm_session_client(&security, NULL);
    if (!session)
        abort();
    if (!device && !protocomm_session_advance(session, NULL, 0, out, sizeof out, &len, NULL))
        abort();
    for (size_t at = 1; at < size;) {
        size_t take = 2u * data[at++];
        if (take > size - at)
            take = size - at;
        if (device)
            (void)protocomm_session_answer(session, data + at, take, out, sizeof out, &len, NULL);
        else
            (void)protocomm_session_advance(session, data + at, take, out, sizeof out, &len, NULL);
        if (len > sizeof out || (security.version != 0 && protocomm_session_up(session)))
            abort();
        at += take;
    }
    protocomm_session_free(session);
    return 0;
}

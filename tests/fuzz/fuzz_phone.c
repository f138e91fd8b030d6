/* SPDX-License-Identifier: Apache-2.0 */
/* What a phone is told by a device (cradle-info) and by the steward: whatever comes, what is taken
   from it can go to a terminal, a path and a URL. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "phone/internal.h"

static void plain(const char *text, size_t size)
{
    if (memchr(text, '\0', size) == NULL)
        abort();
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            abort();
}

static void word(const char *text, size_t size)
{
    plain(text, size);
    if (!phone_word_valid(text, size - 1))
        abort();
}

static bool owned(void *ctx, const char *sn, phone_state_t state)
{
    (void)ctx;
    word(sn, PHONE_SN_SIZE);
    plain(phone_state_name(state), 16);
    return true;
}

static bool receipt(void *ctx, const char *sn, int64_t issued, const char *link)
{
    (void)ctx;
    word(sn, PHONE_SN_SIZE);
    if (issued < 0 || strlen(link) != PHONE_LINK_SIZE - 1 || strchr(link + 9, '/'))
        abort();
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    phone_info_t info;
    phone_ownership_t seen;

    if (phone_info_parse(text, size, &info)) {
        word(info.sn, sizeof info.sn);
        plain(info.model, sizeof info.model);
        plain(info.firmware, sizeof info.firmware);
        plain(info.steward, sizeof info.steward);
        if (info.steward[0] && !phone_epoch_valid(info.epoch))
            abort();
    }
    if (phone_ownership_parse(text, size, &seen)) {
        plain(phone_owner_name(seen.owner), 16);
        if (seen.epoch[0] && !phone_epoch_valid(seen.epoch))
            abort();
    }
    (void)phone_owned_parse(text, size, owned, NULL);
    (void)phone_receipts_parse(text, size, receipt, NULL);
    return 0;
}

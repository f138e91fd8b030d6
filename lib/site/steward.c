/* SPDX-License-Identifier: Apache-2.0 */
/* steward: what a new site holds for its steward besides a certificate. */
#include <openssl/rand.h>

#include "base/bytes.h"
#include "site/bundle.h"
#include "site/internal.h"

#define SECRET_SIZE 32

static bool make_secret(const site_t *site, const char *file, err_t *err)
{
    uint8_t bytes[SECRET_SIZE];
    char text[2 * SECRET_SIZE + 2];
    char path[FILE_PATH_MAX];
    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        return err_set(err, ERR_SYSTEM, "no random numbers for %s", file);
    }
    bool ok = bytes_to_hex(bytes, sizeof bytes, text, sizeof text);
    text[2 * SECRET_SIZE] = '\n';
    ok = ok && site_path(site, file, path, err) &&
         file_write_new(path, text, 2 * SECRET_SIZE + 1, 0600, err);
    bytes_wipe(bytes, sizeof bytes);
    bytes_wipe(text, sizeof text);
    return ok;
}

bool site_make_steward(const site_t *site, int64_t now, err_t *err)
{
    char text[JWS_BUNDLE_MAX + 1];
    char path[FILE_PATH_MAX];
    size_t len;
    site_bundle_t first = {.version = 1, .issued = now};
    return make_secret(site, SITE_FORWARD_KEY, err) && make_secret(site, SITE_TICKET_KEY, err) &&
           site_bundle_make(site, &first, text, &len, err) &&
           site_path(site, SITE_BUNDLE, path, err) && file_write_new(path, text, len, 0644, err);
}

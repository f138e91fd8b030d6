/* SPDX-License-Identifier: Apache-2.0 */
/* steward: what a new site holds for its steward besides a certificate. */
#include "base/file.h"
#include "site/bundle.h"
#include "site/internal.h"
#include "site/secret.h"

bool site_make_steward(const site_t *site, int64_t now, err_t *err)
{
    char text[JWS_BUNDLE_MAX + 1];
    char path[FILE_PATH_MAX];
    size_t len;
    site_bundle_t first = {.version = 1, .issued = now};
    return site_secret_make(site, SITE_FORWARD_KEY, err) &&
           site_secret_make(site, SITE_TICKET_KEY, err) &&
           site_bundle_make(site, &first, text, &len, err) &&
           site_path(site, SITE_BUNDLE, path, err) && file_write_new(path, text, len, 0644, err);
}

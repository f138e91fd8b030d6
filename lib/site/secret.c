/* SPDX-License-Identifier: Apache-2.0 */
#include "site/secret.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/rand.h>

#include "base/bytes.h"
#include "base/file.h"

bool site_secret_make(const site_t *site, const char *file, err_t *err)
{
    uint8_t bytes[SITE_SECRET_SIZE];
    char text[SITE_SECRET_LEN + 2];
    char path[FILE_PATH_MAX];
    if (RAND_bytes(bytes, sizeof bytes) != 1) {
        return err_set(err, ERR_SYSTEM, "no random numbers for %s", file);
    }
    bool ok = bytes_to_hex(bytes, sizeof bytes, text, sizeof text);
    text[SITE_SECRET_LEN] = '\n';
    ok = ok && site_path(site, file, path, err) &&
         file_write_new(path, text, SITE_SECRET_LEN + 1, 0600, err);
    bytes_wipe(bytes, sizeof bytes);
    bytes_wipe(text, sizeof text);
    return ok;
}

bool site_secret_read(const site_t *site, const char *file, char out[SITE_SECRET_LEN + 1],
                      err_t *err)
{
    char path[FILE_PATH_MAX];
    uint8_t bytes[SITE_SECRET_SIZE];
    char *text = NULL;
    size_t size = 0;
    if (!site_path(site, file, path, err) || !file_read_private(path, 256, &text, &size, err)) {
        return false;
    }
    size_t len = size;
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r')) {
        len--;
    }
    bool ok = bytes_from_hex(text, len, bytes, sizeof bytes);
    if (ok) {
        memcpy(out, text, SITE_SECRET_LEN);
        out[SITE_SECRET_LEN] = '\0';
    }
    bytes_wipe(bytes, sizeof bytes);
    bytes_wipe(text, size);
    free(text);
    return ok || err_set(err, ERR_INPUT, "%s does not hold 64 hex digits", path);
}

bool site_secret_shown(const char *secret, const char *authorization)
{
    return strncasecmp(authorization, "Bearer ", 7) == 0 &&
           strlen(authorization + 7) == SITE_SECRET_LEN &&
           bytes_equal_secret(authorization + 7, secret, SITE_SECRET_LEN);
}

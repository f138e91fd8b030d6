/* SPDX-License-Identifier: Apache-2.0 */
#include "steward/secrets.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/file.h"
#include "pki/key.h"
#include "site/bundle.h"
#include "statement/bundle.h"

/* 64 hex digits, with or without a line end. */
static bool read_hex(const site_t *site, const char *name, uint8_t key[32],
                     char text[SECRETS_FORWARD_LEN + 1], err_t *err)
{
    char path[FILE_PATH_MAX];
    char *data = NULL;
    size_t len = 0;
    struct stat st;
    if (!site_path(site, name, path, err) || !file_read(path, 256, &data, &len, err)) {
        return err_add(err, "the steward's secret");
    }
    while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r')) {
        len--;
    }
    bool ok = stat(path, &st) == 0 && (st.st_mode & 077) == 0;
    if (!ok) {
        err_set(err, ERR_PRECONDITION, "others may read %s: chmod 600 it, or make a new one", path);
    } else if (!bytes_from_hex(data, len, key, 32)) {
        ok = err_set(err, ERR_INPUT, "%s does not hold 64 hex digits", path);
    } else if (text != NULL) {
        memcpy(text, data, len);
        text[len] = '\0';
    }
    bytes_wipe(data, len);
    free(data);
    return ok;
}

/* What devices are told must be the key that answers them. */
static bool check_bundle(const secrets_t *secrets, err_t *err)
{
    char kid[JWS_KID_LEN + 1];
    char scratch[JWS_BUNDLE_MAX];
    jws_t jws;
    bundle_t bundle;
    if (!pki_key_id(pki_signer_public(secrets->signer), kid, err)) {
        return false;
    }
    jws_result_t result = jws_open(JWS_BUNDLE, secrets->bundle, secrets->bundle_len, &jws);
    if (result == JWS_OK) {
        result = bundle_read(&jws, scratch, sizeof scratch, &bundle);
    }
    if (result != JWS_OK) {
        return err_set(err, ERR_INPUT, SITE_BUNDLE ": %s", jws_result_text(result));
    }
    return strcmp(bundle.steward_kid, kid) == 0 ||
           err_set(err, ERR_PRECONDITION,
                   SITE_BUNDLE " tells devices to believe the steward key %s, but keys/steward.key "
                               "is %s: put the pair that belongs together in its place",
                   bundle.steward_kid, kid);
}

bool secrets_open(secrets_t *secrets, const site_t *site, err_t *err)
{
    char path[FILE_PATH_MAX];
    uint8_t forward[32];
    memset(secrets, 0, sizeof *secrets);
    bool ok = site_key_path(site, "steward", path, err) &&
              pki_signer_open(path, &secrets->signer, err) &&
              read_hex(site, SITE_FORWARD_KEY, forward, secrets->forward, err) &&
              read_hex(site, SITE_TICKET_KEY, secrets->ticket_key, NULL, err) &&
              site_bundle_load(site, secrets->bundle, &secrets->bundle_len,
                               &secrets->bundle_version, err) &&
              check_bundle(secrets, err);
    bytes_wipe(forward, sizeof forward);
    return ok;
}

void secrets_close(secrets_t *secrets)
{
    pki_signer_close(secrets->signer);
    bytes_wipe(secrets, sizeof *secrets);
}

bool secrets_forward_right(const secrets_t *secrets, const char *authorization)
{
    return strncasecmp(authorization, "Bearer ", 7) == 0 &&
           strlen(authorization + 7) == SECRETS_FORWARD_LEN &&
           bytes_equal_secret(authorization + 7, secrets->forward, SECRETS_FORWARD_LEN);
}

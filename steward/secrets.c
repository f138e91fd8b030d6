/* SPDX-License-Identifier: Apache-2.0 */
#include "steward/secrets.h"

#include <string.h>

#include "base/bytes.h"
#include "pki/key.h"
#include "site/bundle.h"
#include "statement/bundle.h"

static bool read_ticket_key(const site_t *site, uint8_t key[SITE_SECRET_SIZE], err_t *err)
{
    char text[SITE_SECRET_LEN + 1];
    bool ok = site_secret_read(site, SITE_TICKET_KEY, text, err) &&
              bytes_from_hex(text, SITE_SECRET_LEN, key, SITE_SECRET_SIZE);
    bytes_wipe(text, sizeof text);
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
    memset(secrets, 0, sizeof *secrets);
    return site_key_path(site, "steward", path, err) &&
           pki_signer_open(path, &secrets->signer, err) &&
           site_secret_read(site, SITE_FORWARD_KEY, secrets->forward, err) &&
           read_ticket_key(site, secrets->ticket_key, err) &&
           site_bundle_load(site, secrets->bundle, &secrets->bundle_len, &secrets->bundle_version,
                            err) &&
           check_bundle(secrets, err);
}

void secrets_close(secrets_t *secrets)
{
    pki_signer_close(secrets->signer);
    bytes_wipe(secrets, sizeof *secrets);
}

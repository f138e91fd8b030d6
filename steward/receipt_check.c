/* SPDX-License-Identifier: Apache-2.0 */
#include "steward/receipt_check.h"

#include <string.h>

#include "pki/key.h"
#include "pki/jose.h"
#include "site/bundle.h"
#include "statement/bundle.h"

/* Files end in a line end. */
static void trim(const char **text, size_t *len)
{
    while (*len > 0 && strchr(" \t\r\n", **text) != NULL && **text != '\0') {
        (*text)++;
        (*len)--;
    }
    while (*len > 0 && strchr(" \t\r\n", (*text)[*len - 1]) != NULL && (*text)[*len - 1] != '\0') {
        (*len)--;
    }
}

static bool open_receipt(const char *text, size_t len, jws_t *jws, receipt_read_t *read, err_t *err)
{
    jws_result_t result = jws_open(JWS_RECEIPT, text, len, jws);
    if (result == JWS_OK) {
        result = receipt_read(jws, read->scratch, sizeof read->scratch, &read->receipt);
    }
    return result == JWS_OK ||
           err_set(err, ERR_INPUT, "it is no receipt: %s", jws_result_text(result));
}

bool receipt_open(const char *text, size_t len, receipt_read_t *read, err_t *err)
{
    jws_t jws;
    trim(&text, &len);
    return open_receipt(text, len, &jws, read, err);
}

static bool signature_good(const jws_t *jws, jws_bytes_t spki)
{
    EVP_PKEY *key = NULL;
    if (!pki_key_public_from_der(spki.data, spki.len, &key, NULL)) {
        return false;
    }
    bool good = pki_jose_good(key, jws);
    pki_key_free(key);
    return good;
}

bool receipt_check(const char *text, size_t len, const char *bundle, size_t bundle_len,
                   EVP_PKEY *anchor, receipt_read_t *read, err_t *err)
{
    jws_t jws;
    jws_t bundle_jws;
    bundle_t keys;
    jws_bytes_t spki;
    char site[JWS_SITE_LEN + 1];
    uint8_t scratch[JWS_BUNDLE_MAX];
    trim(&text, &len);
    trim(&bundle, &bundle_len);
    jws_result_t result = jws_open(JWS_BUNDLE, bundle, bundle_len, &bundle_jws);
    if (result == JWS_OK) {
        result = bundle_read(&bundle_jws, scratch, sizeof scratch, &keys);
    }
    if (result != JWS_OK) {
        return err_set(err, ERR_INPUT, "the bundle cannot be read: %s", jws_result_text(result));
    }
    memcpy(site, keys.site.text, keys.site.len);
    site[keys.site.len] = '\0';
    if (!site_bundle_check(bundle, bundle_len, anchor, site, NULL, err)) {
        return err_add(err, "the bundle");
    }
    if (!open_receipt(text, len, &jws, read, err)) {
        return false;
    }
    if (bundle_find_key(&keys, read->receipt.kid, &spki) != BUNDLE_STEWARD) {
        return err_set(err, ERR_INPUT,
                       "the receipt is signed with the key %s, which is not the steward key of "
                       "the bundle (%s)",
                       read->receipt.kid, keys.steward_kid);
    }
    if (!signature_good(&jws, spki)) {
        return err_set(err, ERR_INPUT, "the signature of the receipt is wrong: it was changed");
    }
    return jws_text_equal(read->receipt.site, keys.site) ||
           err_set(err, ERR_INPUT, "the receipt is of another site than the bundle");
}

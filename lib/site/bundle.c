/* SPDX-License-Identifier: Apache-2.0 */
#include "site/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "pki/jose.h"
#include "pki/key.h"
#include "pki/signer.h"
#include "site/internal.h"

/* What a bundle is made of; the slices of bundle_t point in here. */
typedef struct {
    uint8_t anchors[BUNDLE_ANCHORS_MAX][ANSWER_CERT_MAX];
    uint8_t steward[PKI_SPKI_MAX];
    uint8_t bench[PKI_SPKI_MAX];
    bundle_t say;
} parts_t;

static bool load_public(const site_t *site, const char *name, EVP_PKEY **key, err_t *err)
{
    char path[FILE_PATH_MAX];
    *key = NULL;
    return site_pub_path(site, name, path, err) && pki_key_public_load(path, key, err);
}

static bool put_key(const site_t *site, const char *name, uint8_t der[PKI_SPKI_MAX],
                    jws_bytes_t *slice, char kid[JWS_KID_LEN + 1], err_t *err)
{
    EVP_PKEY *key;
    bool ok = load_public(site, name, &key, err) &&
              pki_key_public_der(key, der, PKI_SPKI_MAX, &slice->len, err) &&
              pki_key_id(key, kid, err);
    slice->data = der;
    pki_key_free(key);
    return ok;
}

static bool put_anchors(const pki_chain_t *anchors, parts_t *parts, err_t *err)
{
    if (anchors->count < 1 || anchors->count > BUNDLE_ANCHORS_MAX) {
        return err_set(err, ERR_USAGE, "a bundle names 1 to %d roots, not %zu", BUNDLE_ANCHORS_MAX,
                       anchors->count);
    }
    for (size_t i = 0; i < anchors->count; i++) {
        parts->say.anchors[i].data = parts->anchors[i];
        if (!pki_cert_to_der(anchors->cert[i], parts->anchors[i], sizeof parts->anchors[i],
                             &parts->say.anchors[i].len, err)) {
            return err_add(err, "a root for the bundle (at most %d bytes)", ANSWER_CERT_MAX);
        }
    }
    parts->say.anchor_count = anchors->count;
    return true;
}

static bool put_default_anchors(const site_t *site, parts_t *parts, err_t *err)
{
    pki_chain_t roots;
    if (!site_server_roots(site, &roots, err)) {
        return false;
    }
    bool ok = put_anchors(&roots, parts, err);
    pki_chain_free(&roots);
    return ok;
}

bool site_bundle_make(const site_t *site, const site_bundle_t *wanted, char out[JWS_BUNDLE_MAX + 1],
                      size_t *len, err_t *err)
{
    char path[FILE_PATH_MAX];
    pki_signer_t *signer = NULL;
    parts_t *parts = calloc(1, sizeof *parts);
    if (parts == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory");
    }
    parts->say.site = jws_text(site->id);
    parts->say.version = wanted->version;
    parts->say.issued = wanted->issued;
    bool ok = site_key_path(site, "anchor", path, err) && pki_signer_open(path, &signer, err) &&
              pki_key_id(pki_signer_public(signer), parts->say.kid, err) &&
              (wanted->anchors == NULL ? put_default_anchors(site, parts, err)
                                       : put_anchors(wanted->anchors, parts, err)) &&
              put_key(site, "steward", parts->steward, &parts->say.steward, parts->say.steward_kid,
                      err) &&
              put_key(site, "bench", parts->bench, &parts->say.bench, parts->say.bench_kid, err);
    if (ok) {
        jws_result_t result = bundle_write(&parts->say, out, JWS_BUNDLE_MAX + 1, len);
        ok = result == JWS_OK ||
             err_set(err, ERR_USAGE, "no bundle can be made of this: %s", jws_result_text(result));
    }
    ok = ok && pki_jose_append(signer, out, JWS_BUNDLE_MAX + 1, len, err);
    pki_signer_close(signer);
    free(parts);
    return ok;
}

static bool verify(const jws_t *jws, EVP_PKEY *anchor)
{
    char kid[PKI_KEY_ID_SIZE];
    return pki_key_id(anchor, kid, NULL) && strcmp(kid, jws->kid) == 0 &&
           pki_jose_good(anchor, jws);
}

bool site_bundle_check(const char *text, size_t len, EVP_PKEY *anchor, const char *site_id,
                       int64_t *version, err_t *err)
{
    jws_t jws;
    bundle_t bundle;
    uint8_t scratch[JWS_BUNDLE_MAX];
    jws_result_t result = jws_open(JWS_BUNDLE, text, len, &jws);
    if (result == JWS_OK && !verify(&jws, anchor)) {
        return err_set(err, ERR_INPUT, "it is not signed by the anchor key");
    }
    if (result == JWS_OK) {
        result = bundle_read(&jws, scratch, sizeof scratch, &bundle);
    }
    if (result != JWS_OK) {
        return err_set(err, ERR_INPUT, "it is no bundle: %s", jws_result_text(result));
    }
    if (!jws_text_equal(bundle.site, jws_text(site_id))) {
        return err_set(err, ERR_INPUT, "it is another site's");
    }
    if (version != NULL) {
        *version = bundle.version;
    }
    return true;
}

bool site_bundle_load(const site_t *site, char out[JWS_BUNDLE_MAX + 1], size_t *len,
                      int64_t *version, err_t *err)
{
    char path[FILE_PATH_MAX];
    char *text = NULL;
    EVP_PKEY *anchor = NULL;
    bool ok = site_path(site, SITE_BUNDLE, path, err) &&
              file_read(path, JWS_BUNDLE_MAX, &text, len, err) &&
              load_public(site, "anchor", &anchor, err);
    if (ok) {
        ok = site_bundle_check(text, *len, anchor, site->id, version, err) ||
             err_add(err, "%s", path);
    }
    if (ok) {
        memcpy(out, text, *len + 1);
    }
    pki_key_free(anchor);
    free(text);
    return ok;
}

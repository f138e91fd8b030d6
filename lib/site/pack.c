/* SPDX-License-Identifier: Apache-2.0 */
#include "site/pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>

#include "base/bytes.h"
#include "pki/key.h"
#include "pki/jose.h"
#include "site/internal.h"
#include "statement/jws.h"

#define HEADER      "{\"alg\":\"ES256\",\"typ\":\"cradle-pack\",\"kid\":\"%s\"}"
#define HEADER_SIZE (sizeof HEADER + PKI_KEY_ID_SIZE)
#define PART_SIZE   160

bool site_pack_jws_path(const char *list, char out[FILE_PATH_MAX], err_t *err)
{
    size_t len = strlen(list);
    if (len > 5 && strcmp(list + len - 5, ".json") == 0) {
        len -= 5;
    }
    return snprintf(out, FILE_PATH_MAX, "%.*s.jws", (int)len, list) < FILE_PATH_MAX ||
           err_set(err, ERR_USAGE, "the path of the pack list is too long");
}

static bool hash_stream(FILE *in, EVP_MD_CTX *md, uint8_t hash[32])
{
    uint8_t block[16384];
    size_t n;
    bool ok = EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    while (ok && (n = fread(block, 1, sizeof block, in)) > 0) {
        ok = EVP_DigestUpdate(md, block, n) == 1;
    }
    return ok && EVP_DigestFinal_ex(md, hash, NULL) == 1;
}

bool site_pack_hash(const char *path, uint8_t hash[32], err_t *err)
{
    FILE *in = fopen(path, "re");
    if (in == NULL) {
        return err_errno(err, "cannot open %s", path);
    }
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md != NULL && hash_stream(in, md, hash);
    bool unread = ferror(in) != 0;
    EVP_MD_CTX_free(md);
    fclose(in);
    return (ok && !unread) || err_set(err, ERR_SYSTEM, "cannot read %s", path);
}

/* Killed in between, the next call finishes. */
bool site_pack_key(const site_t *site, char path[FILE_PATH_MAX], err_t *err)
{
    char pub[FILE_PATH_MAX];
    EVP_PKEY *key = NULL;
    int lock;
    if (!site_key_path(site, SITE_PACK_KEY, path, err) ||
        !site_pub_path(site, SITE_PACK_KEY, pub, err)) {
        return false;
    }
    if (file_exists(pub)) {
        return true;
    }
    if (!site_lock(site, "pack-key", true, &lock, err)) {
        return false;
    }
    bool ok = true;
    if (!file_exists(path)) {
        ok = pki_key_generate(PKI_KEY_P256, &key, err) && pki_key_save(key, path, err);
    } else if (!file_exists(pub)) {
        ok = pki_key_load(path, &key, err);
    }
    ok = ok && (file_exists(pub) || pki_key_public_save(key, pub, err));
    site_unlock(lock);
    pki_key_free(key);
    return ok;
}

/* Header and payload, as they are signed. */
static bool signing_input(const char *kid, const uint8_t hash[32], char out[2 * PART_SIZE],
                          size_t *header_len)
{
    char header[HEADER_SIZE];
    int n = snprintf(header, sizeof header, HEADER, kid);
    if (!bytes_to_base64url(header, (size_t)n, out, PART_SIZE)) {
        return false;
    }
    *header_len = strlen(out);
    out[*header_len] = '.';
    return bytes_to_base64url(hash, 32, out + *header_len + 1, PART_SIZE);
}

bool site_pack_sign(const site_t *site, const uint8_t hash[32], char out[SITE_PACK_JWS_MAX],
                    err_t *err)
{
    char path[FILE_PATH_MAX];
    char kid[PKI_KEY_ID_SIZE];
    char input[2 * PART_SIZE];
    char text[PART_SIZE];
    uint8_t sig[PKI_SIGNATURE_MAX];
    size_t len = 0;
    size_t header_len;
    pki_signer_t *signer = NULL;
    bool ok = site_pack_key(site, path, err) && pki_signer_open(path, &signer, err) &&
              pki_key_id(pki_signer_public(signer), kid, err) &&
              signing_input(kid, hash, input, &header_len) &&
              pki_jose_sign(signer, input, strlen(input), sig, &len, err);
    pki_signer_close(signer);
    if (!ok) {
        return false;
    }
    if (len != JWS_ES256_SIZE || !bytes_to_base64url(sig, len, text, sizeof text)) {
        return err_set(err, ERR_INPUT, "keys/pack.key is no P-256 key: it cannot sign a pack list");
    }
    snprintf(out, SITE_PACK_JWS_MAX, "%.*s..%s\n", (int)header_len, input, text);
    return true;
}

/* The signature's bytes, if the text is exactly as this key's signatures are. */
static bool take_apart(const char *input, size_t header_len, const char *jws, size_t len,
                       uint8_t raw[JWS_ES256_SIZE])
{
    size_t raw_len;
    if (len > 0 && jws[len - 1] == '\n') {
        len--;
    }
    return len > header_len + 2 && memcmp(jws, input, header_len) == 0 &&
           memcmp(jws + header_len, "..", 2) == 0 &&
           bytes_from_base64url(jws + header_len + 2, len - header_len - 2, raw, JWS_ES256_SIZE,
                                &raw_len) &&
           raw_len == JWS_ES256_SIZE;
}

bool site_pack_verify(const site_t *site, const uint8_t hash[32], const char *jws, size_t len,
                      err_t *err)
{
    char path[FILE_PATH_MAX];
    char kid[PKI_KEY_ID_SIZE];
    char input[2 * PART_SIZE];
    uint8_t raw[JWS_ES256_SIZE];
    size_t header_len;
    EVP_PKEY *key = NULL;
    if (!site_pub_path(site, SITE_PACK_KEY, path, err)) {
        return false;
    }
    if (!file_exists(path)) {
        return err_set(err, ERR_PRECONDITION,
                       "this site has no keys/pack.pub, the key that pack lists are signed with: "
                       "copy it from the line's site");
    }
    if (!pki_key_public_load(path, &key, err) || !pki_key_id(key, kid, err) ||
        !signing_input(kid, hash, input, &header_len)) {
        pki_key_free(key);
        return false;
    }
    bool whole = take_apart(input, header_len, jws, len, raw);
    bool good = whole && pki_jose_verify(key, input, strlen(input), raw, sizeof raw);
    pki_key_free(key);
    if (!whole) {
        return err_set(err, ERR_INPUT,
                       "its signature is not one that keys/pack.key made: get the list and its "
                       ".jws from the line again");
    }
    return good || err_set(err, ERR_INPUT,
                           "the list was changed after it was signed: get it from the line again");
}

bool site_pack_check(const site_t *site, const char *list, const uint8_t hash[32], bool *signature,
                     err_t *err)
{
    char path[FILE_PATH_MAX];
    char *jws;
    size_t len;
    *signature = false;
    if (!site_pack_jws_path(list, path, err)) {
        return false;
    }
    if (!file_exists(path)) {
        return true;
    }
    *signature = true;
    if (!file_read(path, SITE_PACK_JWS_MAX, &jws, &len, err)) {
        return false;
    }
    bool ok = site_pack_verify(site, hash, jws, len, err) || err_add(err, "%s", list);
    free(jws);
    return ok;
}

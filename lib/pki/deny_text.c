/* SPDX-License-Identifier: Apache-2.0 */
/* deny_text: the deny-list as a compact JWS, written and read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/bytes.h"
#include "json/json.h"
#include "pki/deny_internal.h"
#include "pki/internal.h"
#include "pki/jose.h"
#include "pki/key.h"
#include "statement/jws.h"

#define VERSION    1
#define HASH_TEXT  44  /* 43 characters of base64url and a NUL */
#define ENTRY_TEXT 320 /* an entry as JSON has at most 240     */

/* ---- the header ---- */

/* What the header of a list signed with this key is, as base64url.
 */
static bool header_of(const EVP_PKEY *key, char out[192], err_t *err)
{
    char kid[PKI_KEY_ID_SIZE];
    char json[128];
    err_t why = ERR_INIT;
    if (!pki_key_check_device(key, &why)) {
        return err_set(err, ERR_USAGE,
                       "a deny-list is signed by a product CA with a P-256 or RSA key");
    }
    bool es256 = EVP_PKEY_get_base_id(key) == EVP_PKEY_EC;
    if (!pki_key_id(key, kid, err)) {
        return false;
    }
    int n =
        snprintf(json, sizeof json, "{\"alg\":\"%s\",\"typ\":\"cradle-deny+jws\",\"kid\":\"%s\"}",
                 es256 ? "ES256" : "RS256", kid);
    return bytes_to_base64url(json, (size_t)n, out, 192) ||
           err_set(err, ERR_SYSTEM, "the header of a deny-list does not fit");
}

/* ---- the payload, out ---- */

static void put_hash(json_writer_t *w, const char *name, const uint8_t hash[32])
{
    char text[HASH_TEXT];
    bytes_to_base64url(hash, 32, text, sizeof text);
    json_key(w, name);
    json_put_string(w, text);
}

static void put_entry(json_writer_t *w, const pki_denied_t *d)
{
    json_object(w);
    put_hash(w, "leaf", d->leaf);
    if (d->serial[0] != '\0') {
        put_hash(w, "issuer", d->issuer);
        json_key(w, "serial");
        json_put_string(w, d->serial);
    }
    json_key(w, "at");
    json_put_i64(w, d->at);
    json_key(w, "reason");
    json_put_string(w, pki_reason_name(d->reason));
    json_end(w);
}

bool pki_deny_write_payload(const pki_deny_t *deny, int64_t seq, int64_t issued, char **json,
                            size_t *len, err_t *err)
{
    size_t cap = 256 + deny->count * ENTRY_TEXT;
    json_writer_t w;
    *json = malloc(cap);
    if (*json == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a deny-list");
    }
    json_writer_init(&w, *json, cap);
    json_object(&w);
    json_key(&w, "v");
    json_put_i64(&w, VERSION);
    json_key(&w, "site");
    json_put_string(&w, deny->site);
    json_key(&w, "seq");
    json_put_i64(&w, seq);
    json_key(&w, "iat");
    json_put_i64(&w, issued);
    json_key(&w, "denied");
    json_array(&w);
    for (size_t i = 0; i < deny->count; i++) {
        put_entry(&w, &deny->entry[i]);
    }
    json_end(&w);
    json_end(&w);
    if (!json_writer_done(&w, len)) {
        free(*json);
        *json = NULL;
        return err_set(err, ERR_SYSTEM, "a deny-list does not fit its buffer");
    }
    return true;
}

/* ---- the payload, in ---- */

static bool get_hash(const json_token_t *value, uint8_t hash[32])
{
    size_t len;
    return value->type == JSON_STRING && !value->escaped && value->len == HASH_TEXT - 1 &&
           bytes_from_base64url(value->text, value->len, hash, 32, &len) && len == 32;
}

static bool get_reason(const json_token_t *value, pki_reason_t *reason)
{
    char word[32];
    return value->type == JSON_STRING && json_string(value, word, sizeof word, NULL) &&
           pki_reason_parse(word, reason);
}

enum { LEAF = 1, ISSUER = 2, SERIAL = 4, AT = 8, REASON = 16 };

/* One member of an entry; 0 when it is not as it must be. */
static unsigned read_member(const json_token_t *key, const json_token_t *value, pki_denied_t *d)
{
    if (json_equals(key, "leaf")) {
        return get_hash(value, d->leaf) ? LEAF : 0;
    }
    if (json_equals(key, "issuer")) {
        return get_hash(value, d->issuer) ? ISSUER : 0;
    }
    if (json_equals(key, "serial")) {
        return value->type == JSON_STRING &&
                       json_string(value, d->serial, sizeof d->serial, NULL) && d->serial[0] != '\0'
                   ? SERIAL
                   : 0;
    }
    if (json_equals(key, "at")) {
        return json_i64(value, &d->at) ? AT : 0;
    }
    return json_equals(key, "reason") && get_reason(value, &d->reason) ? REASON : 0;
}

/* The object whose '{' was just read. */
static bool read_entry(json_reader_t *reader, pki_denied_t *d)
{
    json_token_t key;
    unsigned seen = 0;
    memset(d, 0, sizeof *d);
    while (json_next(reader, &key) == JSON_KEY) {
        json_token_t value;
        json_next(reader, &value);
        unsigned member = read_member(&key, &value, d);
        if (member == 0 || (seen & member) != 0) {
            return false;
        }
        seen |= member;
    }
    return key.type == JSON_OBJECT_END && (seen & (LEAF | AT | REASON)) == (LEAF | AT | REASON) &&
           pki_deny_entry_valid(d);
}

static bool read_entries(json_reader_t *reader, pki_deny_t *deny, err_t *err)
{
    json_token_t token;
    while (json_next(reader, &token) == JSON_OBJECT) {
        if (!pki_deny_make_room(deny, err)) {
            return false;
        }
        pki_denied_t *d = &deny->entry[deny->count];
        if (!read_entry(reader, d)) {
            return err_set(err, ERR_INPUT, "entry %zu of the deny-list is damaged",
                           deny->count + 1);
        }
        if (deny->count > 0 && memcmp(d[-1].leaf, d->leaf, 32) >= 0) {
            return err_set(err, ERR_INPUT, "entry %zu of the deny-list is not in its place",
                           deny->count + 1);
        }
        deny->count++;
    }
    return token.type == JSON_ARRAY_END || err_set(err, ERR_INPUT, "the deny-list is damaged");
}

/* One member of the payload; `err` is set only where there is more to say than "damaged". */
static bool read_top(json_reader_t *reader, const json_token_t *key, const json_token_t *value,
                     pki_deny_t *deny, err_t *err)
{
    int64_t version;
    if (json_equals(key, "v")) {
        return (json_i64(value, &version) && version == VERSION) ||
               err_set(err, ERR_INPUT,
                       "the deny-list is of another version than %d; a newer "
                       "Cradle is needed",
                       VERSION);
    }
    if (json_equals(key, "site")) {
        return value->type == JSON_STRING &&
               json_string(value, deny->site, sizeof deny->site, NULL) &&
               pki_deny_site_valid(deny->site);
    }
    if (json_equals(key, "seq")) {
        return json_i64(value, &deny->seq) && deny->seq >= 0;
    }
    if (json_equals(key, "iat")) {
        return json_i64(value, &deny->issued) && deny->issued >= 0;
    }
    return json_equals(key, "denied") && value->type == JSON_ARRAY &&
           read_entries(reader, deny, err);
}

static bool read_payload(json_reader_t *reader, pki_deny_t *deny, err_t *err)
{
    static const char *const names[] = {"v", "site", "seq", "iat", "denied"};
    json_token_t key;
    unsigned seen = 0;
    if (json_next(reader, &key) != JSON_OBJECT) {
        return false;
    }
    while (json_next(reader, &key) == JSON_KEY) {
        json_token_t value;
        unsigned bit = 0;
        for (unsigned i = 0; i < 5; i++) {
            bit |= json_equals(&key, names[i]) ? 1u << i : 0;
        }
        json_next(reader, &value);
        if (bit == 0 || (seen & bit) != 0 || !read_top(reader, &key, &value, deny, err)) {
            return false;
        }
        seen |= bit;
    }
    return key.type == JSON_OBJECT_END && json_next(reader, &key) == JSON_DONE && seen == 31;
}

bool pki_deny_read_payload(const char *json, size_t len, pki_deny_t **deny, err_t *err)
{
    json_reader_t reader;
    err_t why = ERR_INIT;
    *deny = NULL;
    pki_deny_t *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a deny-list");
    }
    json_reader_init(&reader, json, len);
    if (!read_payload(&reader, made, &why)) {
        pki_deny_free(made);
        return why.kind != ERR_NONE ? err_set(err, why.kind, "%s", why.text)
                                    : err_set(err, ERR_INPUT, "the deny-list is damaged");
    }
    *deny = made;
    return true;
}

/* ---- the whole ---- */

bool pki_deny_write(const pki_deny_t *deny, int64_t seq, int64_t issued, const pki_signer_t *signer,
                    char **text, size_t *len, err_t *err)
{
    char header[192];
    char *json;
    size_t json_len;
    *text = NULL;
    if (!header_of(pki_signer_public(signer), header, err) ||
        !pki_deny_write_payload(deny, seq, issued, &json, &json_len, err)) {
        return false;
    }
    size_t cap = sizeof header + (4 * json_len + 2) / 3 + 2 * PKI_SIGNATURE_MAX;
    char *out = malloc(cap);
    bool ok = out != NULL || err_set(err, ERR_SYSTEM, "out of memory for a deny-list");
    if (ok) {
        size_t at = (size_t)snprintf(out, cap, "%s.", header);
        ok = bytes_to_base64url(json, json_len, out + at, cap - at) ||
             err_set(err, ERR_SYSTEM, "a deny-list does not fit its buffer");
        *len = ok ? at + strlen(out + at) : 0;
    }
    ok = ok && pki_jose_append(signer, out, cap, len, err);
    free(json);
    if (!ok) {
        free(out);
        return false;
    }
    *text = out;
    return true;
}

static bool verify(const char *text, size_t signing_len, const char *sig64, size_t sig64_len,
                   EVP_PKEY *key)
{
    uint8_t sig[PKI_SIGNATURE_MAX];
    size_t len;
    return bytes_from_base64url(sig64, sig64_len, sig, sizeof sig, &len) &&
           pki_jose_verify(key, text, signing_len, sig, len);
}

static bool read_signed(const char *payload, size_t len, pki_deny_t **deny, err_t *err)
{
    size_t cap = len + 1;
    char *json = malloc(cap);
    size_t json_len;
    if (json == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a deny-list");
    }
    bool ok = bytes_from_base64url(payload, len, json, cap, &json_len) ||
              err_set(err, ERR_INPUT, "the deny-list is damaged");
    ok = ok && pki_deny_read_payload(json, json_len, deny, err);
    free(json);
    return ok;
}

bool pki_deny_read(const char *text, size_t len, const X509 *product, const char *site,
                   pki_deny_t **deny, err_t *err)
{
    char header[192];
    EVP_PKEY *key = X509_get0_pubkey(product);
    *deny = NULL;
    if (len > PKI_DENY_TEXT_MAX) {
        return err_set(err, ERR_INPUT, "a deny-list of %zu bytes: at most %u are read", len,
                       PKI_DENY_TEXT_MAX);
    }
    if (!header_of(key, header, err)) {
        return false;
    }
    size_t head = strlen(header);
    if (len <= head || memcmp(text, header, head) != 0 || text[head] != '.') {
        return err_set(err, ERR_INPUT, "the deny-list is not one that this product CA signed");
    }
    const char *payload = text + head + 1;
    const char *dot = memchr(payload, '.', len - head - 1);
    if (dot == NULL ||
        !verify(text, (size_t)(dot - text), dot + 1, (size_t)(text + len - dot) - 1, key)) {
        return err_set(err, ERR_INPUT,
                       "the signature of the deny-list is wrong: it was changed, or "
                       "another CA signed it");
    }
    if (!read_signed(payload, (size_t)(dot - payload), deny, err)) {
        return false;
    }
    if (strcmp((*deny)->site, site) != 0) {
        err_set(err, ERR_INPUT, "the deny-list is for the site %s, not for this one",
                (*deny)->site);
        pki_deny_free(*deny);
        *deny = NULL;
        return false;
    }
    return true;
}

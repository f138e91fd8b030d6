/* SPDX-License-Identifier: Apache-2.0 */
#include "steward/pack.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "json/json.h"
#include "pki/cert.h"
#include "site/sn.h"

#define LEAF_TEXT_MAX (4 * ((RECORD_CERT_MAX + 2) / 3) + 1)

typedef struct {
    char sn[RECORD_SN_SIZE];
    record_key_t key; /* the birth certificate */
    bool has_code;
    uint8_t code_hash[32];
} item_t;

static bool read_leaf(const pack_settings_t *s, const char *text, size_t len, item_t *item,
                      err_t *err)
{
    json_token_t value;
    char base64[LEAF_TEXT_MAX];
    uint8_t der[RECORD_CERT_MAX];
    size_t der_len;
    size_t n;
    if (!json_find(text, len, "leaf", &value) || !json_string(&value, base64, sizeof base64, &n) ||
        !bytes_from_base64(base64, n, der, sizeof der, &der_len)) {
        return err_set(err, ERR_INPUT, "\"leaf\" is no certificate in base64");
    }
    return authority_leaf_good(s->authority, der, der_len, item->sn, s->now, err) &&
           authority_key_row(der, der_len, item->sn, &item->key, err);
}

static bool read_code(const char *text, size_t len, item_t *item, err_t *err)
{
    json_token_t value;
    item->has_code = json_find(text, len, "code_hash", &value) && value.type != JSON_NULL;
    return !item->has_code ||
           (value.type == JSON_STRING &&
            bytes_from_hex(value.text, value.len, item->code_hash, sizeof item->code_hash)) ||
           err_set(err, ERR_INPUT, "\"code_hash\" is neither null nor 64 hex digits");
}

static bool read_item(const pack_settings_t *s, const char *text, size_t len, item_t *item,
                      err_t *err)
{
    json_token_t value;
    memset(item, 0, sizeof *item);
    if (!json_find(text, len, "sn", &value) ||
        !json_string(&value, item->sn, sizeof item->sn, NULL)) {
        item->sn[0] = '\0';
        return err_set(err, ERR_INPUT, "\"sn\" is missing or no serial number");
    }
    if (!site_sn_check(item->sn, NULL)) {
        item->sn[0] = '\0'; /* not to be repeated in an error */
        return err_set(err, ERR_INPUT, "\"sn\" is no serial number");
    }
    return read_leaf(s, text, len, item, err) && read_code(text, len, item, err);
}

/* What an SN has of keys already. */
typedef struct {
    const uint8_t *hash; /* of the birth certificate in the list */
    bool there;
    uint8_t good[JWS_HASH_SIZE]; /* one that is not denied */
    bool any_good;
} keys_t;

static bool see_key(void *ctx, const record_key_t *key)
{
    keys_t *keys = ctx;
    keys->there = keys->there || memcmp(key->hash, keys->hash, JWS_HASH_SIZE) == 0;
    if (key->standing != OWNERSHIP_KEY_DENIED) {
        memcpy(keys->good, key->hash, JWS_HASH_SIZE);
        keys->any_good = true;
    }
    return true;
}

static bool read_keys(record_t *record, const item_t *item, keys_t *keys, err_t *err)
{
    memset(keys, 0, sizeof *keys);
    keys->hash = item->key.hash;
    return record_keys(record, item->sn, see_key, keys, err);
}

/* A unit whose keys are not known yet is known by its birth certificate from now on: whatever comes
   first to the lobby in its name, this is what is put in place there. A certificate that is new for
   a unit with keys means that the line gave it another identity (a rework): the former ones are
   denied, as the line denies them. One that was listed before changes nothing. */
static bool keep_key(record_t *record, item_t *item, err_t *err)
{
    keys_t keys;
    if (!read_keys(record, item, &keys, err)) {
        return false;
    }
    while (!keys.there && keys.any_good) {
        if (!record_key_event(record, keys.good, OWNERSHIP_KEY_DENY, err) ||
            !read_keys(record, item, &keys, err)) {
            return false;
        }
    }
    item->key.birth = true;
    return keys.there || (record_key_put(record, &item->key, err) &&
                          record_key_event(record, item->key.hash, OWNERSHIP_KEY_REGISTER, err));
}

static bool keep_item(record_t *record, const pack_settings_t *s, item_t *item,
                      pack_counts_t *counts, err_t *err)
{
    record_unit_t unit;
    bool found;
    if (!record_unit_get(record, item->sn, &unit, &found, err)) {
        return false;
    }
    if (!found) {
        memset(&unit, 0, sizeof unit);
        memcpy(unit.sn, item->sn, sizeof unit.sn);
    }
    if (!found || s->all) {
        unit.claims_on = s->claims_on;
        unit.policy = s->policy;
    }
    unit.packed = true;
    memcpy(unit.packed_leaf, item->key.hash, sizeof unit.packed_leaf);
    unit.has_code = item->has_code;
    memcpy(unit.code_hash, item->code_hash, sizeof unit.code_hash);
    counts->added += !found;
    counts->known += found;
    return record_unit_put(record, &unit, err) && keep_key(record, item, err);
}

static bool read_units(record_t *record, const pack_settings_t *s, const json_token_t *units,
                       pack_counts_t *counts, err_t *err)
{
    json_reader_t reader;
    json_token_t token;
    json_token_t value;
    item_t item;
    json_reader_init(&reader, units->text, units->len);
    if (json_next(&reader, &token) != JSON_ARRAY) {
        return err_set(err, ERR_INPUT, "\"units\" is no list");
    }
    while (json_next(&reader, &token) != JSON_ARRAY_END) {
        if (!json_skip(&reader, &token, &value)) {
            return err_set(err, ERR_INPUT, "\"units\" cannot be read");
        }
        if (!read_item(s, value.text, value.len, &item, err) ||
            !keep_item(record, s, &item, counts, err)) {
            return err_add(err, "unit %" PRIu64 "%s%s of the pack list",
                           counts->added + counts->known + 1, item.sn[0] != '\0' ? ", " : "",
                           item.sn);
        }
    }
    return true;
}

bool pack_import(record_t *record, const pack_settings_t *settings, const char *text, size_t len,
                 pack_counts_t *counts, err_t *err)
{
    json_token_t site;
    json_token_t units;
    json_token_t version;
    int64_t v;
    *counts = (pack_counts_t){0, 0};
    if (!json_find(text, len, "v", &version) || !json_find(text, len, "site", &site) ||
        !json_find(text, len, "units", &units)) {
        return err_set(err, ERR_INPUT, "it is no pack list: `cradle factory pack` writes one");
    }
    if (!json_i64(&version, &v) || v != 1) {
        return err_set(err, ERR_INPUT, "it is a pack list of a version that is not known here");
    }
    if (site.type != JSON_STRING || !json_equals(&site, settings->site)) {
        return err_set(err, ERR_INPUT, "it is the pack list of another site");
    }
    if (!record_begin(record, err)) {
        return false;
    }
    bool ok = read_units(record, settings, &units, counts, err);
    return record_end(record, ok, err) && ok;
}

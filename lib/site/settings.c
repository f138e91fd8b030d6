/* SPDX-License-Identifier: Apache-2.0 */
/* settings: cradle.json, read strictly. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "json/json.h"
#include "pki/issue.h"
#include "site/identity.h"
#include "site/internal.h"
#include "site/site.h"

#define VERSION 1
/* Longest validity that still fits the CAs made by site_create with room to spare. */
#define DAYS_MAX 5475

typedef bool (*reader_t)(site_t *site, const json_token_t *value);

static bool read_version(site_t *site, const json_token_t *value)
{
    int64_t version;
    (void)site;
    return json_i64(value, &version) && version == VERSION;
}

static bool read_id(site_t *site, const json_token_t *value)
{
    uint8_t bytes[16];
    size_t len;
    return json_string(value, site->id, sizeof site->id, &len) &&
           bytes_from_hex(site->id, len, bytes, sizeof bytes);
}

static bool read_name(site_t *site, const json_token_t *value)
{
    return json_string(value, site->name, sizeof site->name, NULL) &&
           site_text_valid(site->name, SITE_NAME_MAX);
}

static bool read_pattern(site_t *site, const json_token_t *value)
{
    site_pattern_t pattern;
    return json_string(value, site->sn_pattern, sizeof site->sn_pattern, NULL) &&
           site_pattern_parse(site->sn_pattern, &pattern, NULL);
}

static bool read_model(site_t *site, const json_token_t *value)
{
    return json_string(value, site->model, sizeof site->model, NULL) &&
           site_text_valid(site->model, SITE_MODEL_SIZE - 1);
}

static bool read_hw(site_t *site, const json_token_t *value)
{
    return json_string(value, site->hw, sizeof site->hw, NULL) &&
           site_text_valid(site->hw, SITE_HW_SIZE - 1);
}

static bool read_cloud(site_t *site, const json_token_t *value)
{
    return json_string(value, site->cloud, sizeof site->cloud, NULL) &&
           site_host_port_valid(site->cloud);
}

static bool read_steward(site_t *site, const json_token_t *value)
{
    return json_string(value, site->steward, sizeof site->steward, NULL) &&
           site_host_port_valid(site->steward);
}

static bool read_checkpoint_dir(site_t *site, const json_token_t *value)
{
    return json_string(value, site->checkpoint_dir, sizeof site->checkpoint_dir, NULL) &&
           site_dir_valid(site->checkpoint_dir);
}

static bool read_key_type(site_t *site, const json_token_t *value)
{
    char word[16];
    return json_string(value, word, sizeof word, NULL) && pki_key_type_parse(word, &site->key_type);
}

static bool read_days(site_t *site, const json_token_t *value)
{
    int64_t days;
    if (!json_i64(value, &days) || days < 1 || days > DAYS_MAX) {
        return false;
    }
    site->days = (uint32_t)days;
    return true;
}

static bool read_pop(site_t *site, const json_token_t *value)
{
    site->pop = value->type == JSON_TRUE;
    return value->type == JSON_TRUE || value->type == JSON_FALSE;
}

/* Security 2 needs a salt and a verifier in each unit, which the factory does not make yet. */
static bool read_security(site_t *site, const json_token_t *value)
{
    int64_t security;
    if (!json_i64(value, &security) || security < 0 || security > 1) {
        return false;
    }
    site->security = (int)security;
    return true;
}

static const struct {
    const char *name;
    reader_t read;
    bool required;
    const char *expected;
} settings[] = {
    {"v", read_version, true, "1 (a newer Cradle wrote this site?)"},
    {"site", read_id, true, "32 hex digits"},
    {"name", read_name, true, "1 to 40 printable ASCII characters"},
    {"sn_pattern", read_pattern, true, "a pattern such as SN-%06d that makes no plain numbers"},
    {"model", read_model, true, "1 to 32 printable ASCII characters"},
    {"hw", read_hw, true, "1 to 16 printable ASCII characters"},
    {"cloud", read_cloud, true, "host:port"},
    {"steward", read_steward, false, "host:port"},
    {"products", site_products_read, false, "a list of {\"name\":..,\"hw\":..,\"sn_pattern\":..}"},
    {"checkpoint_dir", read_checkpoint_dir, false, "an absolute path"},
    {"key_type", read_key_type, false, "p256 or rsa2048"},
    {"days", read_days, false, "a number from 1 to 5475"},
    {"security", read_security, false, "0 or 1"},
    {"pop", read_pop, false, "true or false"},
};
#define SETTINGS (sizeof settings / sizeof settings[0])

static bool read_member(site_t *site, const json_token_t *key, const json_token_t *value,
                        bool seen[SETTINGS], err_t *err)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        if (!json_equals(key, settings[i].name)) {
            continue;
        }
        if (seen[i]) {
            return err_set(err, ERR_INPUT, "\"%s\" is set twice", settings[i].name);
        }
        seen[i] = true;
        return settings[i].read(site, value) ||
               err_set(err, ERR_INPUT, "\"%s\" must be %s", settings[i].name, settings[i].expected);
    }
    char name[41];
    bool shown = json_string(key, name, sizeof name, NULL) && site_text_valid(name, 40);
    return err_set(err, ERR_INPUT, "there is no setting \"%s\"; is it misspelt?",
                   shown ? name : "(unprintable)");
}

bool site_parse(site_t *site, const char *json, size_t len, err_t *err)
{
    json_reader_t reader;
    json_token_t token;
    json_token_t value;
    bool seen[SETTINGS] = {false};
    memset(site, 0, sizeof *site);
    site->days = PKI_DEVICE_DAYS;
    site->security = 1;
    json_reader_init(&reader, json, len);
    if (json_next(&reader, &token) == JSON_OBJECT) {
        while (json_next(&reader, &token) == JSON_KEY) {
            json_token_t first;
            json_next(&reader, &first);
            if (!json_skip(&reader, &first, &value)) {
                break;
            }
            value.type = first.type;
            if (!read_member(site, &token, &value, seen, err)) {
                return false;
            }
        }
        json_next(&reader, &token);
    }
    if (token.type != JSON_DONE) {
        size_t at = 0;
        const char *why = json_reader_error(&reader, &at);
        return err_set(err, ERR_INPUT, "not a JSON object: %s at byte %zu",
                       why == NULL ? "something else" : why, at);
    }
    for (size_t i = 0; i < SETTINGS; i++) {
        if (settings[i].required && !seen[i]) {
            return err_set(err, ERR_INPUT, "the setting \"%s\" is missing", settings[i].name);
        }
    }
    return site_products_check(site, err);
}

bool site_open(site_t *site, const char *dir, err_t *err)
{
    char path[FILE_PATH_MAX];
    char *text;
    size_t len;
    err_t why = ERR_INIT;
    memset(site, 0, sizeof *site);
    if (strlen(dir) >= sizeof site->dir) {
        return err_set(err, ERR_USAGE, "the path of the site is too long");
    }
    if (!file_join(path, dir, SITE_SETTINGS, err)) {
        return false;
    }
    if (!file_read(path, SITE_JSON_MAX, &text, &len, &why)) {
        if (why.kind == ERR_PRECONDITION) {
            return err_set(
                err, ERR_PRECONDITION,
                "%s is no Cradle site; make one with `cradle -C %s init`, or name another "
                "with -C",
                dir, dir);
        }
        return err_set(err, why.kind, "%s", why.text);
    }
    bool ok = site_parse(site, text, len, err);
    free(text);
    if (!ok) {
        return err_add(err, "%s", path);
    }
    strcpy(site->dir, dir);
    return true;
}

bool site_write_settings(const site_t *site, char *out, size_t cap, size_t *len)
{
    json_writer_t writer;
    json_writer_init(&writer, out, cap);
    json_object(&writer);
    json_key(&writer, "v");
    json_put_i64(&writer, VERSION);
    json_key(&writer, "site");
    json_put_string(&writer, site->id);
    json_key(&writer, "name");
    json_put_string(&writer, site->name);
    json_key(&writer, "sn_pattern");
    json_put_string(&writer, site->sn_pattern);
    json_key(&writer, "model");
    json_put_string(&writer, site->model);
    json_key(&writer, "hw");
    json_put_string(&writer, site->hw);
    json_key(&writer, "cloud");
    json_put_string(&writer, site->cloud);
    if (site->steward[0] != '\0') {
        json_key(&writer, "steward");
        json_put_string(&writer, site->steward);
    }
    if (site->product_count > 0) {
        json_key(&writer, "products");
        site_products_write(site, &writer);
    }
    if (site->checkpoint_dir[0] != '\0') {
        json_key(&writer, "checkpoint_dir");
        json_put_string(&writer, site->checkpoint_dir);
    }
    json_key(&writer, "key_type");
    json_put_string(&writer, pki_key_type_name(site->key_type));
    json_key(&writer, "days");
    json_put_i64(&writer, site->days);
    json_key(&writer, "security");
    json_put_i64(&writer, site->security);
    json_key(&writer, "pop");
    json_put_bool(&writer, site->pop);
    json_end(&writer);
    return json_writer_done(&writer, len);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "site/identity.h"

#include <string.h>

#include "base/bytes.h"
#include "json/json.h"
#include "pki/issue.h"
#include "site/internal.h"

void site_identity_default(site_identity_t *identity)
{
    memset(identity, 0, sizeof *identity);
    strcpy(identity->model, "cradle-linux");
    strcpy(identity->cloud, "localhost:8883");
    identity->security = 1;
}

static bool port_valid(const char *text)
{
    unsigned port = 0;
    size_t len = strlen(text);
    if (len == 0 || len > 5 || text[0] == '0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        port = port * 10 + (unsigned)(*text - '0');
    }
    return port <= 65535;
}

bool site_host_port_valid(const char *text)
{
    char host[SITE_HOST_SIZE];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof host || !port_valid(colon + 1)) {
        return false;
    }
    size_t len = (size_t)(colon - text);
    memcpy(host, text, len);
    host[len] = '\0';
    if (host[0] == '[') {
        return len > 3 && host[len - 1] == ']' &&
               strspn(host + 1, "0123456789abcdefABCDEF:.") == len - 2;
    }
    return pki_dns_name_valid(host) && host[0] != '*';
}

/* A text member. Absent is allowed when it need not be there, a wrong type or form never. */
static bool get_text(const char *json, size_t len, const char *name, bool required, char *out,
                     size_t cap, bool (*valid)(const char *), err_t *err)
{
    json_token_t value;
    out[0] = '\0';
    if (!json_find(json, len, name, &value)) {
        return !required || err_set(err, ERR_INPUT, "device.json lacks \"%s\"", name);
    }
    if (!json_string(&value, out, cap, NULL) || !valid(out)) {
        out[0] = '\0';
        return err_set(err, ERR_INPUT, "\"%s\" in device.json cannot be used", name);
    }
    return true;
}

static bool is_text(const char *text)
{
    return site_text_valid(text, SITE_POP_SIZE - 1);
}

static bool is_site_id(const char *text)
{
    uint8_t bytes[16];
    return bytes_from_hex(text, strlen(text), bytes, sizeof bytes);
}

static bool get_key(const char *json, size_t len, const char *name, uint8_t out[PKI_SPKI_MAX],
                    size_t *out_len, err_t *err)
{
    json_token_t value;
    char text[PKI_SPKI_MAX * 4 / 3 + 4];
    size_t n;
    *out_len = 0;
    if (!json_find(json, len, name, &value)) {
        return true;
    }
    if (!json_string(&value, text, sizeof text, &n) || n == 0 ||
        !bytes_from_base64url(text, n, out, PKI_SPKI_MAX, out_len)) {
        *out_len = 0;
        return err_set(err, ERR_INPUT, "\"%s\" in device.json is not the base64url of a key", name);
    }
    return true;
}

static bool get_provisioning(const char *json, size_t len, site_identity_t *identity, err_t *err)
{
    json_token_t value;
    int64_t security = 1;
    if (json_find(json, len, "prov.security", &value) &&
        (!json_i64(&value, &security) || security < 0 || security > 2)) {
        return err_set(err, ERR_INPUT, "\"prov.security\" in device.json must be 0, 1 or 2");
    }
    identity->security = (int)security;
    return get_text(json, len, "prov.pop", false, identity->pop, sizeof identity->pop, is_text,
                    err);
}

static bool get_ask(const char *json, size_t len, site_identity_t *identity, err_t *err)
{
    json_token_t value;
    if (!json_find(json, len, "ask", &value)) {
        return true;
    }
    identity->ask = value.type == JSON_TRUE;
    return value.type == JSON_TRUE || value.type == JSON_FALSE ||
           err_set(err, ERR_INPUT, "\"ask\" in device.json must be true or false");
}

static bool check_envelope(const char *json, size_t len, err_t *err)
{
    json_token_t value;
    int64_t version;
    if (len > SITE_IDENTITY_JSON_MAX) {
        return err_set(err, ERR_INPUT, "device.json has %zu bytes, at most %d are read", len,
                       SITE_IDENTITY_JSON_MAX);
    }
    if (!json_valid(json, len)) {
        return err_set(err, ERR_INPUT, "device.json is not JSON");
    }
    if (!json_find(json, len, "v", &value) || !json_i64(&value, &version) || version != 1) {
        return err_set(err, ERR_INPUT, "device.json is not of version 1");
    }
    return true;
}

bool site_identity_parse(const char *json, size_t len, site_identity_t *identity, err_t *err)
{
    memset(identity, 0, sizeof *identity);
    return check_envelope(json, len, err) &&
           get_text(json, len, "model", true, identity->model, sizeof identity->model, is_text,
                    err) &&
           get_text(json, len, "hw", false, identity->hw, sizeof identity->hw, is_text, err) &&
           get_text(json, len, "site", false, identity->site, sizeof identity->site, is_site_id,
                    err) &&
           get_text(json, len, "cloud", true, identity->cloud, sizeof identity->cloud,
                    site_host_port_valid, err) &&
           get_text(json, len, "steward", false, identity->steward, sizeof identity->steward,
                    site_host_port_valid, err) &&
           get_provisioning(json, len, identity, err) &&
           get_key(json, len, "firmware_key", identity->firmware_key, &identity->firmware_key_len,
                   err) &&
           get_key(json, len, "anchor_key", identity->anchor_key, &identity->anchor_key_len, err) &&
           get_ask(json, len, identity, err);
}

static void put_text(json_writer_t *writer, const char *name, const char *text)
{
    if (text[0] != '\0') {
        json_key(writer, name);
        json_put_string(writer, text);
    }
}

static void put_key(json_writer_t *writer, const char *name, const uint8_t *der, size_t len)
{
    char text[PKI_SPKI_MAX * 4 / 3 + 4];
    if (len > 0 && bytes_to_base64url(der, len, text, sizeof text)) {
        put_text(writer, name, text);
    }
}

bool site_identity_write(const site_identity_t *identity, char *out, size_t cap, size_t *len,
                         err_t *err)
{
    json_writer_t writer;
    json_writer_init(&writer, out, cap);
    json_object(&writer);
    json_key(&writer, "v");
    json_put_i64(&writer, 1);
    put_text(&writer, "model", identity->model);
    put_text(&writer, "hw", identity->hw);
    put_text(&writer, "site", identity->site);
    put_text(&writer, "cloud", identity->cloud);
    put_text(&writer, "steward", identity->steward);
    json_key(&writer, "prov");
    json_object(&writer);
    json_key(&writer, "security");
    json_put_i64(&writer, identity->security);
    put_text(&writer, "pop", identity->pop);
    json_end(&writer);
    put_key(&writer, "firmware_key", identity->firmware_key, identity->firmware_key_len);
    put_key(&writer, "anchor_key", identity->anchor_key, identity->anchor_key_len);
    json_key(&writer, "ask");
    json_put_bool(&writer, identity->ask);
    json_end(&writer);
    if (!json_writer_done(&writer, len)) {
        return err_set(err, ERR_USAGE, "device.json does not fit %zu bytes", cap);
    }
    return true;
}

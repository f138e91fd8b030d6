/* SPDX-License-Identifier: Apache-2.0 */
/* One unit's files: the identity image and what its chip knows of itself. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "factory/internal.h"
#include "factory/summary.h"
#include "flash/appimage.h"
#include "flash/spiffs.h"
#include "json/json.h"
#include "pki/own.h"
#include "pki/p256.h"
#include "site/ca.h"

static void free_text(char *text, size_t len)
{
    if (text != NULL) {
        bytes_wipe(text, len);
        free(text);
    }
}

void factory_files_free(factory_files_t *files)
{
    free_text(files->key, files->key_len);
    free_text(files->cert, files->cert_len);
    free_text(files->chain, files->chain_len);
    free_text(files->json, files->json_len);
    free(files->bundle);
    memset(files, 0, sizeof *files);
}

void factory_content_free(factory_content_t *content)
{
    pki_chain_free(&content->chain);
    bytes_wipe(&content->identity, sizeof content->identity);
}

bool factory_trust(const site_t *site, pki_chain_t *issuing, pki_trust_t **trust, err_t *err)
{
    pki_chain_t product = PKI_CHAIN_INIT;
    *issuing = (pki_chain_t)PKI_CHAIN_INIT;
    *trust = NULL;
    bool ok = site_device_trust(site, &product, issuing, trust, err) &&
              pki_chain_add(issuing, product.cert[0], err);
    pki_chain_free(&product);
    if (!ok) {
        pki_chain_free(issuing);
        pki_trust_free(*trust);
        *trust = NULL;
    }
    return ok;
}

static bool build_image(const factory_files_t *files, uint8_t *image, err_t *err)
{
    const spiffs_config_t config = spiffs_config_default(FACTORY_IDENTITY_SIZE);
    spiffs_file_t list[5]; /* sorted by path, so that equal files give equal bytes */
    size_t count = 0;
    if (files->bundle != NULL) {
        list[count++] = (spiffs_file_t){SITE_IDENTITY_BUNDLE, files->bundle, files->bundle_len};
    }
    list[count++] = (spiffs_file_t){SITE_IDENTITY_CERT, files->cert, files->cert_len};
    if (files->json != NULL) {
        list[count++] = (spiffs_file_t){SITE_IDENTITY_JSON, files->json, files->json_len};
    }
    list[count++] = (spiffs_file_t){SITE_IDENTITY_KEY, files->key, files->key_len};
    list[count++] = (spiffs_file_t){SITE_IDENTITY_SERVER, files->chain, files->chain_len};
    return spiffs_build(&config, list, count, image, err);
}

bool factory_file_write(const char *path, const void *data, size_t len, mode_t mode, err_t *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) {
        return err_errno(err, "cannot make %s", path);
    }
    size_t done = 0;
    while (done < len) {
        ssize_t n = write(fd, (const char *)data + done, len - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            err_errno(err, "cannot write %s", path);
            close(fd);
            return false;
        }
        done += (size_t)n;
    }
    return close(fd) == 0 || err_errno(err, "cannot write %s", path);
}

/* syncfs, not fsync: one call for the block's files, their directories and the entries of these. */
bool factory_sync(const char *path, err_t *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = (fd >= 0 && syncfs(fd) == 0) || err_errno(err, "cannot sync %s", path);
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

bool factory_units_sync(const site_t *site, err_t *err)
{
    char path[FILE_PATH_MAX];
    return site_path(site, "factory/units", path, err) && factory_sync(path, err);
}

static bool write_files(const site_t *site, const factory_unit_t *unit, const uint8_t *image,
                        err_t *err)
{
    char path[FILE_PATH_MAX];
    char chip[64];
    int n = snprintf(chip, sizeof chip, "{\"mac\":\"%s\"}\n", unit->mac);
    return site_unit_path(site, unit->sn, NULL, path, err) && file_make_dirs(path, 0700, err) &&
           site_unit_path(site, unit->sn, "identity.bin", path, err) &&
           factory_file_write(path, image, FACTORY_IDENTITY_SIZE, 0600, err) &&
           site_unit_path(site, unit->sn, "chip.json", path, err) &&
           factory_file_write(path, chip, (size_t)n, 0644, err);
}

/* What was read is what was written, and the cloud would let it in. */
static bool check_content(const factory_files_t *files, const factory_content_t *content,
                          const pki_trust_t *trust, int64_t now, const factory_unit_t *unit,
                          err_t *err)
{
    const pki_chain_policy_t policy = {.now = now};
    pki_chain_verdict_t verdict;
    if (trust != NULL && pki_chain_check(trust, content->chain.cert, content->chain.count, &policy,
                                         &verdict) != PKI_CHAIN_OK) {
        return err_set(err, ERR_INPUT, "%s would not be let in by the cloud: %s", unit->sn,
                       verdict.text);
    }
    if (content->has_json != (files->json != NULL) ||
        (content->bundle_version > 0) != (files->bundle != NULL)) {
        return err_set(err, ERR_INPUT, "the image of %s was not read back as written", unit->sn);
    }
    return true;
}

/* The DER of the first certificate, of a text in lines of 64 as the line writes it. */
static bool decode_leaf(const char *pem, size_t len, uint8_t der[PKI_CERT_DER_MAX], size_t *der_len)
{
    static const char BEGIN[] = "-----BEGIN CERTIFICATE-----\n";
    static const char END[] = "-----END CERTIFICATE-----\n";
    char base64[4 * ((PKI_CERT_DER_MAX + 2) / 3) + 1];
    size_t begin = sizeof BEGIN - 1;
    size_t end = sizeof END - 1;
    size_t n = 0;
    if (len < begin + end || memcmp(pem, BEGIN, begin) != 0 ||
        memcmp(pem + len - end, END, end) != 0) {
        return false;
    }
    for (size_t i = begin; i < len - end; i++) {
        if (pem[i] != '\n') {
            if (n == sizeof base64) {
                return false;
            }
            base64[n++] = pem[i];
        }
    }
    return bytes_from_base64(base64, n, der, PKI_CERT_DER_MAX, der_len);
}

/* A file of the image, byte for byte what was meant to be in it. */
static bool holds(const spiffs_t *fs, const char *name, const void *data, size_t len)
{
    char *text;
    size_t n;
    if (!spiffs_read_file(fs, name, PKI_PEM_MAX, &text, &n, NULL)) {
        return false;
    }
    bool same = n == len && memcmp(text, data, n) == 0;
    free_text(text, n);
    return same;
}

static bool same_files(const spiffs_t *fs, const factory_files_t *files)
{
    return holds(fs, SITE_IDENTITY_SERVER, files->chain, files->chain_len) &&
           holds(fs, SITE_IDENTITY_CERT, files->cert, files->cert_len) &&
           holds(fs, SITE_IDENTITY_KEY, files->key, files->key_len) &&
           holds(fs, SITE_IDENTITY_JSON, files->json, files->json_len) &&
           (files->bundle == NULL ||
            holds(fs, SITE_IDENTITY_BUNDLE, files->bundle, files->bundle_len));
}

/* The short way for what the line itself has just made (pki/own.h): the files are what was written,
   the certificate is parsed and verified, the key makes its point, device.json is parsed. False,
   whatever it was: the long way says what is wrong. */
static bool read_own(const char *image, size_t len, const factory_files_t *files,
                     const factory_known_t *known, int64_t now, factory_unit_t *unit)
{
    const spiffs_config_t config = spiffs_config_default(FACTORY_IDENTITY_SIZE);
    spiffs_t fs;
    uint8_t hash[32];
    uint8_t der[PKI_CERT_DER_MAX];
    size_t der_len;
    pki_own_t own;
    factory_content_t content;
    bool as_known =
        files->json != NULL && files->chain_len == known->server_len &&
        memcmp(files->chain, known->server, known->server_len) == 0 &&
        files->bundle_len == known->bundle_len &&
        (files->bundle == NULL || memcmp(files->bundle, known->bundle, known->bundle_len) == 0) &&
        files->cert_len > known->ca_len &&
        memcmp(files->cert + files->cert_len - known->ca_len, known->ca, known->ca_len) == 0;
    if (!as_known || !pki_sha256(image, len, hash, NULL) ||
        !spiffs_open(&fs, &config, image, len, NULL) || !spiffs_check(&fs, NULL) ||
        !same_files(&fs, files) ||
        !decode_leaf(files->cert, files->cert_len - known->ca_len, der, &der_len) ||
        !pki_own_read(der, der_len, known->ca_chain.cert[0], unit->sn, now, &own) ||
        !pki_p256_makes(files->key, files->key_len, own.point)) {
        return false;
    }
    bool ok = site_identity_parse(files->json, files->json_len, &content.identity, NULL);
    bytes_wipe(&content.identity, sizeof content.identity);
    unit->not_after = own.not_after;
    memcpy(unit->leaf_sha256, own.sha256_hex, sizeof unit->leaf_sha256);
    memcpy(unit->credentials_id, own.credentials_id, sizeof unit->credentials_id);
    return ok &&
           bytes_to_hex(hash, sizeof hash, unit->identity_sha256, sizeof unit->identity_sha256);
}

static bool read_back_own(const site_t *site, const factory_files_t *files,
                          const factory_known_t *known, int64_t now, factory_unit_t *unit)
{
    char path[FILE_PATH_MAX];
    char *image;
    size_t len;
    if (known == NULL || !known->own_form ||
        !site_unit_path(site, unit->sn, "identity.bin", path, NULL) ||
        !file_read(path, FACTORY_IDENTITY_SIZE, &image, &len, NULL)) {
        return false;
    }
    bool ok = read_own(image, len, files, known, now, unit);
    free_text(image, len);
    return ok;
}

bool factory_unit_write(const site_t *site, const factory_files_t *files,
                        const factory_known_t *known, const pki_trust_t *trust, int64_t now,
                        factory_unit_t *unit, err_t *err)
{
    factory_content_t content;
    uint8_t *image = malloc(FACTORY_IDENTITY_SIZE);
    if (image == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for an identity image");
    }
    bool ok = factory_service_name(unit->mac, unit->service) && build_image(files, image, err) &&
              write_files(site, unit, image, err);
    bytes_wipe(image, FACTORY_IDENTITY_SIZE);
    free(image);
    if (ok && read_back_own(site, files, known, now, unit)) {
        return true;
    }
    if (!ok || !factory_unit_read(site, known, unit, &content, err)) {
        return false;
    }
    ok = check_content(files, &content, trust, now, unit, err);
    factory_content_free(&content);
    return ok;
}

/* The leaf is always parsed. */
static bool read_chain(const spiffs_t *fs, const factory_known_t *known, pki_chain_t *chain,
                       err_t *err)
{
    char *pem;
    size_t len;
    *chain = (pki_chain_t)PKI_CHAIN_INIT;
    if (!spiffs_read_file(fs, SITE_IDENTITY_CERT, PKI_PEM_MAX, &pem, &len, err)) {
        return false;
    }
    bool tail_known = known != NULL && len > known->ca_len &&
                      memcmp(pem + len - known->ca_len, known->ca, known->ca_len) == 0;
    bool ok = pki_chain_parse(pem, tail_known ? len - known->ca_len : len, chain, err);
    for (size_t i = 0; ok && tail_known && i < known->ca_chain.count; i++) {
        ok = pki_chain_add(chain, known->ca_chain.cert[i], err);
    }
    free(pem);
    if (!ok) {
        pki_chain_free(chain);
        return err_add(err, "%s", SITE_IDENTITY_CERT);
    }
    return true;
}

static bool check_server(const spiffs_t *fs, const factory_known_t *known, err_t *err)
{
    char *pem;
    size_t len;
    pki_chain_t chain = PKI_CHAIN_INIT;
    if (!spiffs_read_file(fs, SITE_IDENTITY_SERVER, PKI_PEM_MAX, &pem, &len, err)) {
        return false;
    }
    bool ok = (known != NULL && len == known->server_len && memcmp(pem, known->server, len) == 0) ||
              pki_chain_parse(pem, len, &chain, err) || err_add(err, "%s", SITE_IDENTITY_SERVER);
    pki_chain_free(&chain);
    free(pem);
    return ok;
}

static bool read_json(const spiffs_t *fs, factory_content_t *content, err_t *err)
{
    spiffs_entry_t entry;
    char *text;
    size_t len;
    site_identity_default(&content->identity);
    content->has_json = spiffs_find(fs, SITE_IDENTITY_JSON, &entry, NULL);
    if (!content->has_json) {
        return true;
    }
    if (!spiffs_read(fs, &entry, SITE_IDENTITY_JSON_MAX, &text, &len, err)) {
        return false;
    }
    bool ok = site_identity_parse(text, len, &content->identity, err);
    free_text(text, len);
    return ok;
}

/* As the device will do it: with the anchor key of its own device.json. */
static bool check_bundle(const char *text, size_t len, factory_content_t *content, err_t *err)
{
    const site_identity_t *id = &content->identity;
    EVP_PKEY *anchor = NULL;
    if (id->anchor_key_len == 0) {
        return err_set(err, ERR_INPUT, "there is no anchor key to check it with");
    }
    bool ok = pki_key_public_from_der(id->anchor_key, id->anchor_key_len, &anchor, err) &&
              site_bundle_check(text, len, anchor, id->site, &content->bundle_version, err);
    pki_key_free(anchor);
    return ok;
}

/* After device.json. A unit that asks a steward and believes nobody could never stream. */
static bool read_bundle(const spiffs_t *fs, const factory_known_t *known,
                        factory_content_t *content, err_t *err)
{
    spiffs_entry_t entry;
    char *text;
    size_t len;
    content->bundle_version = 0;
    if (!spiffs_find(fs, SITE_IDENTITY_BUNDLE, &entry, NULL)) {
        return !content->identity.ask ||
               err_set(err, ERR_INPUT, "it asks a steward, but %s is missing",
                       SITE_IDENTITY_BUNDLE);
    }
    if (!spiffs_read(fs, &entry, JWS_BUNDLE_MAX, &text, &len, err)) {
        return false;
    }
    bool ok = true;
    if (known != NULL && len == known->bundle_len && memcmp(text, known->bundle, len) == 0) {
        content->bundle_version = known->bundle_version;
    } else {
        ok = check_bundle(text, len, content, err) || err_add(err, "%s", SITE_IDENTITY_BUNDLE);
    }
    free(text);
    return ok;
}

/* The key belongs to the leaf, and the leaf to this SN. */
static bool check_key(const spiffs_t *fs, X509 *leaf, factory_unit_t *unit, err_t *err)
{
    EVP_PKEY *key = NULL;
    pki_facts_t facts;
    char *pem;
    size_t len;
    if (!spiffs_read_file(fs, SITE_IDENTITY_KEY, PKI_KEY_PEM_MAX, &pem, &len, err)) {
        return false;
    }
    bool ok = pki_key_parse(pem, len, NULL, &key, err) && pki_cert_facts(leaf, &facts, err);
    free_text(pem, len);
    if (ok && (!pki_key_matches(key, leaf) || !pki_key_check_own(key, err))) {
        ok = err_set(err, ERR_INPUT, "%s is not the key of %s", SITE_IDENTITY_KEY,
                     SITE_IDENTITY_CERT);
    }
    pki_key_free(key);
    if (ok && strcmp(facts.cn, unit->sn) != 0) {
        ok = err_set(err, ERR_INPUT, "the certificate is of \"%s\"", facts.cn);
    }
    if (ok) {
        unit->not_after = facts.not_after;
        memcpy(unit->leaf_sha256, facts.sha256_hex, sizeof unit->leaf_sha256);
        memcpy(unit->credentials_id, facts.credentials_id, sizeof unit->credentials_id);
    }
    return ok;
}

static bool read_image(const char *image, size_t len, const factory_known_t *known,
                       factory_unit_t *unit, factory_content_t *content, err_t *err)
{
    const spiffs_config_t config = spiffs_config_default(FACTORY_IDENTITY_SIZE);
    spiffs_t fs;
    uint8_t hash[32];
    if (!pki_sha256(image, len, hash, err) || !spiffs_open(&fs, &config, image, len, err) ||
        !spiffs_check(&fs, err) || !check_server(&fs, known, err)) {
        return false;
    }
    bytes_to_hex(hash, sizeof hash, unit->identity_sha256, sizeof unit->identity_sha256);
    if (!read_chain(&fs, known, &content->chain, err)) {
        return false;
    }
    if (!check_key(&fs, content->chain.cert[0], unit, err) || !read_json(&fs, content, err) ||
        !read_bundle(&fs, known, content, err)) {
        factory_content_free(content);
        return false;
    }
    return true;
}

bool factory_unit_read(const site_t *site, const factory_known_t *known, factory_unit_t *unit,
                       factory_content_t *content, err_t *err)
{
    char path[FILE_PATH_MAX];
    char *image;
    size_t len;
    if (!site_unit_path(site, unit->sn, "identity.bin", path, err) ||
        !file_read(path, FACTORY_IDENTITY_SIZE, &image, &len, err)) {
        return false;
    }
    bool ok = read_image(image, len, known, unit, content, err) || err_add(err, "%s", path);
    free_text(image, len);
    return ok;
}

bool factory_unit_verify(const site_t *site, const factory_unit_t *unit, factory_content_t *content,
                         err_t *err)
{
    factory_unit_t found = *unit;
    if (factory_summary_exists(site, unit->sn)
            ? !factory_summary_read(site, &found, content, err)
            : !factory_unit_read(site, NULL, &found, content, err)) {
        return false;
    }
    if (strcmp(found.identity_sha256, unit->identity_sha256) != 0 ||
        strcmp(found.leaf_sha256, unit->leaf_sha256) != 0) {
        factory_content_free(content);
        return err_set(err, ERR_INPUT,
                       "the identity image of %s is not the one that custody "
                       "recorded: it was changed after it was made",
                       unit->sn);
    }
    return true;
}

static bool peek_image(const char *image, size_t len, const factory_unit_t *unit,
                       factory_content_t *content, err_t *err)
{
    const spiffs_config_t config = spiffs_config_default(FACTORY_IDENTITY_SIZE);
    spiffs_t fs;
    uint8_t hash[32];
    char hex[65];
    if (!pki_sha256(image, len, hash, err) || !bytes_to_hex(hash, sizeof hash, hex, sizeof hex)) {
        return false;
    }
    if (strcmp(hex, unit->identity_sha256) != 0) {
        return err_set(err, ERR_INPUT,
                       "the identity image of %s is not the one that custody recorded: it was "
                       "changed after it was made",
                       unit->sn);
    }
    return spiffs_open(&fs, &config, image, len, err) && read_json(&fs, content, err);
}

bool factory_unit_peek(const site_t *site, const factory_unit_t *unit, site_identity_t *identity,
                       bool *has_json, err_t *err)
{
    char path[FILE_PATH_MAX];
    char *image = NULL;
    size_t len;
    factory_content_t content;
    memset(&content, 0, sizeof content);
    bool ok;
    if (factory_summary_exists(site, unit->sn)) {
        ok = factory_unit_verify(site, unit, &content, err);
    } else {
        ok = site_unit_path(site, unit->sn, "identity.bin", path, err) &&
             file_read(path, FACTORY_IDENTITY_SIZE, &image, &len, err) &&
             peek_image(image, len, unit, &content, err);
    }
    if (image != NULL) {
        free_text(image, len);
    }
    if (ok) {
        *identity = content.identity;
        *has_json = content.has_json;
        factory_content_free(&content);
    }
    return ok;
}

bool factory_unit_remove(const site_t *site, const char *sn, err_t *err)
{
    char path[FILE_PATH_MAX];
    char pending[FILE_PATH_MAX];
    return site_unit_path(site, sn, NULL, path, err) &&
           (!file_exists(path) || file_remove_tree(path, err)) &&
           factory_pending_path(site, sn, NULL, pending, err) &&
           (!file_exists(pending) || file_remove_tree(pending, err));
}

bool factory_base_make(const site_t *site, err_t *err)
{
    char path[FILE_PATH_MAX];
    uint8_t *data;
    size_t len;
    err_t now = ERR_INIT;
    if (!site_path(site, "factory/base.bin", path, err)) {
        return false;
    }
    if (file_exists(path)) {
        return true;
    }
    if (!flash_base_build(CRADLE_VERSION, &data, &len, err)) {
        return false;
    }
    bool ok = file_write_new(path, data, len, 0644, &now) ||
              now.kind == ERR_PRECONDITION || /* another run was quicker */
              err_set(err, now.kind, "%s", now.text);
    free(data);
    return ok;
}

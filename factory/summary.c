/* SPDX-License-Identifier: Apache-2.0 */
/* What stays here of a unit whose identity is on a chip: everything but the key. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"
#include "factory/internal.h"
#include "factory/summary.h"

static bool write_one(const site_t *site, const char *sn, const char *name, const void *data,
                      size_t len, mode_t mode, err_t *err)
{
    char path[FILE_PATH_MAX];
    return site_unit_path(site, sn, name, path, err) && file_write(path, data, len, mode, err);
}

bool factory_unit_summary(const site_t *site, const factory_unit_t *unit, err_t *err)
{
    factory_unit_t found = *unit;
    factory_content_t content;
    char *pem = NULL;
    size_t pem_len;
    char json[SITE_IDENTITY_JSON_MAX];
    size_t json_len = 0;
    if (!factory_unit_read(site, NULL, &found, &content, err)) {
        return false;
    }
    bool ok = pki_chain_to_pem(&content.chain, &pem, &pem_len, err) &&
              write_one(site, unit->sn, "device.crt", pem, pem_len, 0644, err) &&
              site_identity_write(&content.identity, json, sizeof json, &json_len, err) &&
              write_one(site, unit->sn, "device.json", json, json_len, 0600, err);
    free(pem);
    bytes_wipe(json, sizeof json);
    factory_content_free(&content);
    return ok;
}

bool factory_summary_exists(const site_t *site, const char *sn)
{
    char image[FILE_PATH_MAX];
    char cert[FILE_PATH_MAX];
    return site_unit_path(site, sn, "identity.bin", image, NULL) && !file_exists(image) &&
           site_unit_path(site, sn, "device.crt", cert, NULL) && file_exists(cert);
}

bool factory_summary_read(const site_t *site, factory_unit_t *unit, factory_content_t *content,
                          err_t *err)
{
    char path[FILE_PATH_MAX];
    char *json = NULL;
    size_t len = 0;
    pki_facts_t facts;
    memset(content, 0, sizeof *content);
    site_identity_default(&content->identity);
    bool ok = site_unit_path(site, unit->sn, "device.crt", path, err) &&
              pki_chain_load(path, &content->chain, err) &&
              pki_cert_facts(content->chain.cert[0], &facts, err) &&
              site_unit_path(site, unit->sn, "device.json", path, err) &&
              file_read_private(path, SITE_IDENTITY_JSON_MAX, &json, &len, err) &&
              site_identity_parse(json, len, &content->identity, err);
    if (json != NULL) {
        bytes_wipe(json, len);
        free(json);
    }
    if (!ok) {
        factory_content_free(content);
        return false;
    }
    content->has_json = true;
    memcpy(unit->leaf_sha256, facts.sha256_hex, sizeof unit->leaf_sha256);
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at a unit, and taking its flash out. */
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"
#include "factory/internal.h"
#include "flash/flash.h"

bool factory_show(const site_t *site, const char *sn, factory_detail_t *detail, err_t *err)
{
    factory_content_t content;
    memset(detail, 0, sizeof *detail);
    if (!factory_record_find(site, sn, &detail->unit, err) ||
        !factory_unit_verify(site, &detail->unit, &content, err)) {
        return false;
    }
    detail->identity = content.identity;
    detail->has_json = content.has_json;
    detail->bundle_version = content.bundle_version;
    factory_content_free(&content);
    return true;
}

bool factory_export(const site_t *site, const char *sn, const char *path, err_t *err)
{
    char base[FILE_PATH_MAX];
    char identity[FILE_PATH_MAX];
    char overlay[FILE_PATH_MAX];
    factory_detail_t detail;
    if (file_exists(path)) {
        return err_set(err, ERR_PRECONDITION, "%s exists already", path);
    }
    if (!factory_show(site, sn, &detail, err)) {
        return false;
    }
    bytes_wipe(&detail, sizeof detail);
    if (!site_path(site, "factory/base.bin", base, err) ||
        !site_unit_path(site, sn, "identity.bin", identity, err) ||
        !site_device_path(site, sn, "flash.ovl", overlay, err)) {
        return false;
    }
    const flash_unit_t unit = {
        .base = base, .identity = identity, .overlay = overlay, .read_only = true};
    flash_t *flash = flash_open_unit(&unit, err);
    if (flash == NULL) {
        return err_add(err, "unit %s", sn);
    }
    bool ok = flash_export(flash, path, err);
    flash_close(flash);
    return ok;
}

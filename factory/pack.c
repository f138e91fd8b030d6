/* SPDX-License-Identifier: Apache-2.0 */
/* The pack list: what a shipment is, for the steward. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "factory/internal.h"
#include "json/json.h"

typedef struct {
    const site_t *site;
    FILE *out;
    uint64_t count;
    err_t *err;
    bool ok;
} pack_t;

static bool put_unit(pack_t *pack, const factory_unit_t *unit, X509 *leaf)
{
    uint8_t der[PKI_CERT_DER_MAX];
    char base64[4 * ((PKI_CERT_DER_MAX + 2) / 3) + 1];
    char text[sizeof base64 + 256];
    size_t len;
    json_writer_t w;
    if (!pki_cert_to_der(leaf, der, sizeof der, &len, pack->err) ||
        !bytes_to_base64(der, len, base64, sizeof base64)) {
        return false;
    }
    json_writer_init(&w, text, sizeof text);
    json_object(&w);
    json_key(&w, "sn");
    json_put_string(&w, unit->sn);
    json_key(&w, "leaf");
    json_put_string(&w, base64);
    json_key(&w, "service");
    json_put_string(&w, unit->service);
    json_key(&w, "code_hash");
    json_put_null(&w);
    json_end(&w);
    return json_writer_done(&w, NULL) &&
           fprintf(pack->out, "%s\n%s", pack->count == 0 ? "" : ",", text) > 0;
}

static bool add(void *context, const factory_unit_t *unit)
{
    pack_t *pack = context;
    factory_content_t content;
    pack->ok = factory_unit_verify(pack->site, unit, &content, pack->err);
    if (!pack->ok) {
        return false;
    }
    pack->ok = put_unit(pack, unit, content.chain.cert[0]) ||
               err_errno(pack->err, "cannot write the pack list");
    factory_content_free(&content);
    pack->count++;
    return pack->ok;
}

/* Unit by unit, so that a million of them need no memory. */
static bool write_list(const site_t *site, FILE *out, uint64_t *count, err_t *err)
{
    pack_t pack = {.site = site, .out = out, .err = err, .ok = true};
    fprintf(out, "{\"v\":1,\"site\":\"%s\",\"units\":[", site->id);
    if (!factory_each(site, add, &pack, err) || !pack.ok) {
        return false;
    }
    *count = pack.count;
    return (fputs("\n]}\n", out) >= 0 && fflush(out) == 0 && fchmod(fileno(out), 0644) == 0 &&
            fsync(fileno(out)) == 0) ||
           err_errno(err, "cannot write the pack list");
}

bool factory_pack(const site_t *site, const char *path, uint64_t *count, err_t *err)
{
    char own[FILE_PATH_MAX];
    char temporary[FILE_PATH_MAX + 16];
    uint64_t ignored;
    if (path == NULL) {
        if (!site_path(site, FACTORY_PACK, own, err)) {
            return false;
        }
        path = own;
    }
    if (strlen(path) >= FILE_PATH_MAX) {
        return err_set(err, ERR_USAGE, "the path of the pack list is too long");
    }
    snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    int fd = mkstemp(temporary);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    if (out == NULL) {
        err_errno(err, "cannot make %s", temporary);
        if (fd >= 0) {
            close(fd);
            unlink(temporary);
        }
        return false;
    }
    bool ok = write_list(site, out, count == NULL ? &ignored : count, err);
    ok = (fclose(out) == 0 || err_errno(err, "cannot write %s", path)) && ok;
    ok = ok && (rename(temporary, path) == 0 || err_errno(err, "cannot write %s", path));
    if (!ok) {
        unlink(temporary);
    }
    return ok;
}

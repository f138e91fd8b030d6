/* SPDX-License-Identifier: Apache-2.0 */
#include "flash/appimage.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/bytes.h"

#define HEADER_SIZE      24u
#define SEGMENT_HEADER   8u
#define DESCRIPTOR_SIZE  256u
#define DESCRIPTOR_MAGIC 0xabcd5432u
#define XOR_SEED         0xefu
#define HASH_SIZE        32u

/* Goes through an image once, from front to back. */
typedef struct {
    const region_t *region;
    EVP_MD_CTX *hash;
    uint32_t at;
    uint8_t xor ;
    err_t *err;
} scan_t;

static bool take(scan_t *scan, void *data, uint32_t len, const char *what)
{
    if (!region_holds(scan->region, scan->at, len)) {
        return err_set(scan->err, ERR_INPUT,
                       "the %s of the app image at 0x%x is cut off after 0x%x "
                       "bytes",
                       what, (unsigned)scan->at, (unsigned)scan->region->size);
    }
    if (!region_read(scan->region, scan->at, data, len)) {
        return err_set(scan->err, ERR_SYSTEM, "the flash failed reading an app image");
    }
    if (EVP_DigestUpdate(scan->hash, data, len) != 1) {
        return err_set(scan->err, ERR_SYSTEM, "OpenSSL cannot compute a SHA-256");
    }
    scan->at += len;
    return true;
}

static bool scan_header(scan_t *scan, appimage_t *out)
{
    uint8_t h[HEADER_SIZE];
    if (!take(scan, h, sizeof h, "header")) {
        return false;
    }
    if (h[0] != 0xe9) {
        return err_set(scan->err, ERR_INPUT,
                       h[0] == 0xff
                           ? "there is no app image, only erased flash (it begins with %02x)"
                           : "an app image begins with e9, this with %02x",
                       h[0]);
    }
    if (h[1] == 0 || h[1] > APPIMAGE_SEGMENTS_MAX) {
        return err_set(scan->err, ERR_INPUT, "the app image has %u segments; 1 to %d are allowed",
                       h[1], APPIMAGE_SEGMENTS_MAX);
    }
    out->segments = h[1];
    out->flash_size_code = h[3] >> 4;
    out->entry = bytes_get_le32(h + 4);
    out->chip_id = bytes_get_le16(h + 12);
    out->hash_appended = h[23] == 1;
    return true;
}

/* Foreign bytes for people's eyes. */
static void copy_text(char *out, const uint8_t *in, size_t len)
{
    size_t i = 0;
    for (; i < len && in[i] != 0; i++) {
        out[i] = in[i] >= 0x20 && in[i] < 0x7f ? (char)in[i] : '?';
    }
    out[i] = '\0';
}

static void read_descriptor(const uint8_t d[DESCRIPTOR_SIZE], appimage_t *out)
{
    if (bytes_get_le32(d) != DESCRIPTOR_MAGIC) {
        return;
    }
    out->has_descriptor = true;
    out->secure_version = bytes_get_le32(d + 4);
    copy_text(out->version, d + 16, 32);
    copy_text(out->project, d + 48, 32);
    copy_text(out->time, d + 80, 16);
    copy_text(out->date, d + 96, 16);
    copy_text(out->idf_version, d + 112, 32);
    memcpy(out->elf_sha256, d + 144, 32);
}

static bool scan_segment(scan_t *scan, unsigned index, appimage_t *out)
{
    uint8_t buf[1024];
    if (!take(scan, buf, SEGMENT_HEADER, "segment header")) {
        return false;
    }
    uint32_t len = bytes_get_le32(buf + 4);
    if (len % 4 != 0 || !region_holds(scan->region, scan->at, len)) {
        return err_set(scan->err, ERR_INPUT,
                       "segment %u of the app image has 0x%x bytes at 0x%x, which are not whole "
                       "words within 0x%x bytes",
                       index, (unsigned)len, (unsigned)scan->at, (unsigned)scan->region->size);
    }
    for (uint32_t done = 0; done < len;) {
        uint32_t n = len - done < sizeof buf ? len - done : (uint32_t)sizeof buf;
        if (!take(scan, buf, n, "segment")) {
            return false;
        }
        if (index == 0 && done == 0 && n >= DESCRIPTOR_SIZE) {
            read_descriptor(buf, out);
        }
        for (uint32_t i = 0; i < n; i++) {
            scan->xor ^= buf[i];
        }
        done += n;
    }
    return true;
}

/* Padding up to the last byte of a group of 16, which is the XOR of all segment data. */
static bool scan_end(scan_t *scan, appimage_t *out)
{
    uint8_t pad[16];
    uint32_t n = 16 - scan->at % 16;
    if (!take(scan, pad, n, "checksum")) {
        return false;
    }
    if (pad[n - 1] != scan->xor) {
        return err_set(scan->err, ERR_INPUT,
                       "the app image's checksum at 0x%x is %02x, its segments make %02x",
                       (unsigned)(scan->at - 1), pad[n - 1], scan->xor);
    }
    if (EVP_DigestFinal_ex(scan->hash, out->sha256, NULL) != 1) {
        return err_set(scan->err, ERR_SYSTEM, "OpenSSL cannot compute a SHA-256");
    }
    out->size = scan->at;
    if (!out->hash_appended) {
        return true;
    }
    uint8_t appended[HASH_SIZE];
    if (!region_read(scan->region, scan->at, appended, sizeof appended)) {
        return err_set(scan->err, ERR_INPUT, "the SHA-256 at the end of the app image is cut off");
    }
    if (memcmp(appended, out->sha256, sizeof appended) != 0) {
        return err_set(scan->err, ERR_INPUT,
                       "the SHA-256 at the end of the app image, at 0x%x, is not that of its bytes",
                       (unsigned)scan->at);
    }
    out->size += HASH_SIZE;
    return true;
}

bool appimage_read(const region_t *region, appimage_t *out, err_t *err)
{
    memset(out, 0, sizeof *out);
    scan_t scan = {.region = region, .hash = EVP_MD_CTX_new(), .xor = XOR_SEED, .err = err};
    if (scan.hash == NULL || EVP_DigestInit_ex(scan.hash, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(scan.hash);
        return err_set(err, ERR_SYSTEM, "OpenSSL cannot compute a SHA-256");
    }
    bool ok = scan_header(&scan, out);
    for (unsigned i = 0; ok && i < out->segments; i++) {
        ok = scan_segment(&scan, i, out);
    }
    ok = ok && scan_end(&scan, out);
    EVP_MD_CTX_free(scan.hash);
    return ok;
}

static bool memory_read(void *context, uint32_t at, void *data, uint32_t len)
{
    memcpy(data, (const uint8_t *)context + at, len);
    return true;
}

bool appimage_parse(const void *data, size_t len, appimage_t *out, err_t *err)
{
    /* Only read through: the region's own rules about sectors do not matter here. */
    const region_t memory = {.context = (void *)(uintptr_t)data,
                             .size = len < UINT32_MAX ? (uint32_t)len : UINT32_MAX,
                             .read = memory_read};
    return appimage_read(&memory, out, err);
}

const char *appimage_chip_name(uint16_t chip_id)
{
    static const struct {
        uint16_t id;
        const char *name;
    } chips[] = {
        {0, "esp32"},
        {2, "esp32s2"},
        {5, "esp32c3"},
        {9, "esp32s3"},
        {12, "esp32c2"},
        {13, "esp32c6"},
        {16, "esp32h2"},
        {18, "esp32p4"},
        {20, "esp32c61"},
        {23, "esp32c5"},
        {APPIMAGE_CHIP_NONE, "none"},
    };
    for (size_t i = 0; i < sizeof chips / sizeof chips[0]; i++) {
        if (chips[i].id == chip_id) {
            return chips[i].name;
        }
    }
    return NULL;
}

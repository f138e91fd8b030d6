/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A unit on disk: base image, identity image, overlay.
 *
 * Order of writes for a sector that is changed for the first time: its 4096 bytes at their place
 * in the overlay, then its bit in the header. Killed in between, the bit is 0 and the bytes do not
 * count. Later changes go in place, each within one page of the page cache, which the kernel does
 * not leave half written when a process is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "flash/backend.h"
#include "flash/overlay.h"
#include "flash/partition.h"

typedef struct {
    int base, identity, overlay; /* file descriptors, -1: none */
    bool read_only;
    bool durable;
    overlay_header_t header;
    uint8_t map[OVERLAY_HEADER]; /* the overlay's header as it is on the disk */
    char path[FILE_PATH_MAX];    /* of the overlay */
} unit_t;

/* ---- the layers ---- */

static bool read_file_part(int fd, uint64_t at, void *data, size_t len, const char *what,
                           err_t *err)
{
    if (flash_pread_all(fd, data, len, at)) {
        return true;
    }
    return errno == 0 ? err_set(err, ERR_INPUT, "the %s became shorter while it was in use", what)
                      : err_errno(err, "reading the %s", what);
}

/* What the unit was made with: identity over base over FF. Both may begin and end anywhere. */
static bool read_lower(const unit_t *unit, uint32_t at, uint8_t *data, uint32_t len, err_t *err)
{
    const overlay_header_t *h = &unit->header;
    memset(data, 0xff, len);
    if (at < h->base_len) {
        uint32_t n = h->base_len - at < len ? h->base_len - at : len;
        if (!read_file_part(unit->base, at, data, n, "base image", err)) {
            return false;
        }
    }
    uint32_t from = at > h->identity_at ? at : h->identity_at;
    uint32_t to = at + len;
    if (to > h->identity_at + h->identity_len) {
        to = h->identity_at + h->identity_len;
    }
    return from >= to || read_file_part(unit->identity, from - h->identity_at, data + (from - at),
                                        to - from, "identity image", err);
}

static uint64_t place_of(uint32_t at)
{
    return OVERLAY_HEADER + (uint64_t)at;
}

static bool unit_read(void *self, uint32_t at, void *data, uint32_t len, err_t *err)
{
    const unit_t *unit = self;
    uint8_t *p = data;
    while (len > 0) {
        uint32_t room = FLASH_SECTOR - at % FLASH_SECTOR;
        uint32_t n = room < len ? room : len;
        bool ok = overlay_has(unit->map, at / FLASH_SECTOR)
                      ? read_file_part(unit->overlay, place_of(at), p, n, "overlay", err)
                      : read_lower(unit, at, p, n, err);
        if (!ok) {
            return false;
        }
        at += n;
        p += n;
        len -= n;
    }
    return true;
}

static bool write_overlay(const unit_t *unit, uint64_t at, const void *data, size_t len, err_t *err)
{
    if (!flash_pwrite_all(unit->overlay, data, len, at) ||
        (unit->durable && fdatasync(unit->overlay) != 0)) {
        return err_errno(err, "writing %s", unit->path);
    }
    return true;
}

static bool unit_put(void *self, uint32_t at, const void *data, uint32_t len, err_t *err)
{
    unit_t *unit = self;
    if (unit->read_only) {
        return err_set(err, ERR_PRECONDITION, "this unit's flash is open for reading only");
    }
    uint32_t index = at / FLASH_SECTOR;
    if (overlay_has(unit->map, index)) {
        return write_overlay(unit, place_of(at), data, len, err);
    }
    uint8_t sector[FLASH_SECTOR];
    if (!read_lower(unit, index * FLASH_SECTOR, sector, sizeof sector, err)) {
        return false;
    }
    memcpy(sector + at % FLASH_SECTOR, data, len);
    bool ok = write_overlay(unit, place_of(index * FLASH_SECTOR), sector, sizeof sector, err);
    bytes_wipe(sector, sizeof sector);
    uint32_t byte = OVERLAY_BITMAP + index / 8;
    uint8_t bits = (uint8_t)(unit->map[byte] | 1u << index % 8);
    if (!ok || !write_overlay(unit, byte, &bits, 1, err)) {
        return false;
    }
    unit->map[byte] = bits;
    return true;
}

static bool unit_sync(void *self, err_t *err)
{
    const unit_t *unit = self;
    return unit->read_only || fdatasync(unit->overlay) == 0 ||
           err_errno(err, "writing %s to the disk", unit->path);
}

static void close_fd(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

static void unit_close(void *self)
{
    unit_t *unit = self;
    close_fd(unit->base);
    close_fd(unit->identity);
    close_fd(unit->overlay);
    free(unit);
}

/* ---- opening ---- */

/* Opens a part and takes its length and CRC. */
static bool open_part(const char *path, uint32_t max, int *fd, uint32_t *len, uint32_t *crc,
                      err_t *err)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0) {
        return errno == ENOENT ? err_set(err, ERR_PRECONDITION, "%s does not exist", path)
                               : err_errno(err, "cannot open %s", path);
    }
    struct stat st;
    if (fstat(*fd, &st) != 0) {
        return err_errno(err, "%s", path);
    }
    if (!S_ISREG(st.st_mode) || st.st_size > (off_t)max) {
        return err_set(err, ERR_INPUT, "%s is not a file of at most 0x%x bytes", path,
                       (unsigned)max);
    }
    *len = (uint32_t)st.st_size;
    *crc = 0;
    uint8_t buf[16384];
    for (uint32_t at = 0; at < *len;) {
        size_t n = *len - at < sizeof buf ? *len - at : sizeof buf;
        if (!read_file_part(*fd, at, buf, n, path, err)) {
            return false;
        }
        *crc = bytes_crc32(*crc, buf, n);
        at += (uint32_t)n;
    }
    bytes_wipe(buf, sizeof buf);
    return true;
}

/* Where the identity goes is what the base's own table says. */
static bool place_identity(unit_t *unit, const char *path, err_t *err)
{
    uint8_t bytes[PARTITION_TABLE_SIZE];
    partition_table_t table;
    uint32_t identity_len = unit->header.identity_len;
    unit->header.identity_len = 0; /* the table is read from the base alone */
    if (!read_lower(unit, PARTITION_TABLE_CRADLE, bytes, sizeof bytes, err)) {
        return false;
    }
    if (!partition_table_parse(bytes, sizeof bytes, &table, err) ||
        !partition_table_check(&table, PARTITION_TABLE_CRADLE, unit->header.flash_size, err)) {
        return err_add(err, "partition table at 0x%x of the base image", PARTITION_TABLE_CRADLE);
    }
    const partition_t *p = partition_find(&table, "identity");
    if (p == NULL) {
        return err_set(err, ERR_INPUT, "the base image has no partition \"identity\"");
    }
    if (p->size != identity_len) {
        return err_set(err, ERR_INPUT,
                       "%s has 0x%x bytes but the partition \"identity\" has 0x%x; build it for "
                       "that size",
                       path, (unsigned)identity_len, (unsigned)p->size);
    }
    unit->header.identity_at = p->offset;
    unit->header.identity_len = identity_len;
    return true;
}

static bool open_lower(unit_t *unit, const flash_unit_t *from, err_t *err)
{
    overlay_header_t *h = &unit->header;
    h->flash_size = from->size != 0 ? from->size : FLASH_SIZE_DEFAULT;
    if (h->flash_size % FLASH_SECTOR != 0 || h->flash_size > FLASH_SIZE_MAX) {
        return err_set(err, ERR_USAGE, "a flash of 0x%x bytes: whole sectors up to 16 MB",
                       (unsigned)h->flash_size);
    }
    if (!open_part(from->base, h->flash_size, &unit->base, &h->base_len, &h->base_crc, err)) {
        return false;
    }
    return from->identity == NULL || (open_part(from->identity, h->flash_size, &unit->identity,
                                                &h->identity_len, &h->identity_crc, err) &&
                                      place_identity(unit, from->identity, err));
}

/* Who has it: the pid in the header belongs to the one that holds the lock. */
static bool refuse_locked(const unit_t *unit, err_t *err)
{
    uint8_t pid[4];
    if (flash_pread_all(unit->overlay, pid, sizeof pid, OVERLAY_PID) && bytes_get_le32(pid) != 0) {
        return err_set(err, ERR_PRECONDITION,
                       "%s is in use by process %u; one process runs a unit: stop that one first",
                       unit->path, (unsigned)bytes_get_le32(pid));
    }
    return err_set(err, ERR_PRECONDITION, "%s is in use by another process; stop that one first",
                   unit->path);
}

/* The new file's name is on the disk too. */
static bool sync_name(const unit_t *unit, err_t *err)
{
    char dir[FILE_PATH_MAX];
    memcpy(dir, unit->path, sizeof dir);
    char *slash = strrchr(dir, '/');
    if (slash != NULL) {
        slash[slash == dir ? 1 : 0] = '\0';
    }
    int fd = open(slash != NULL ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok) {
        err_errno(err, "writing the directory of %s to the disk", unit->path);
    }
    close_fd(fd);
    return ok;
}

static bool begin_overlay(unit_t *unit, err_t *err)
{
    overlay_build(&unit->header, unit->map);
    return unit->read_only || (write_overlay(unit, 0, unit->map, sizeof unit->map, err) &&
                               (!unit->durable || sync_name(unit, err)));
}

static bool load_overlay(unit_t *unit, uint64_t file_size, err_t *err)
{
    overlay_header_t found;
    err_t why = ERR_INIT;
    if (file_size < OVERLAY_HEADER) {
        err_set(&why, ERR_INPUT, "it ends within its header");
    } else if (!read_file_part(unit->overlay, 0, unit->map, sizeof unit->map, unit->path, err)) {
        return false;
    }
    if (why.kind != ERR_NONE || !overlay_parse(unit->map, file_size, &found, &why)) {
        return err_set(err, ERR_INPUT,
                       "%s: %s; restore a copy, or remove it to start the unit afresh", unit->path,
                       why.text);
    }
    const overlay_header_t *h = &unit->header;
    if (found.flash_size != h->flash_size) {
        return err_set(err, ERR_PRECONDITION, "%s belongs to a flash of 0x%x bytes, not 0x%x",
                       unit->path, (unsigned)found.flash_size, (unsigned)h->flash_size);
    }
    if (found.base_len != h->base_len || found.base_crc != h->base_crc) {
        return err_set(err, ERR_PRECONDITION,
                       "%s was begun over another base image; bring that one back, or remove the "
                       "overlay to start the unit afresh",
                       unit->path);
    }
    if (found.identity_at != h->identity_at || found.identity_len != h->identity_len ||
        found.identity_crc != h->identity_crc) {
        return err_set(err, ERR_PRECONDITION,
                       "%s was begun with another identity image; bring that one back, or remove "
                       "the overlay to start the unit afresh",
                       unit->path);
    }
    return true;
}

static bool open_overlay(unit_t *unit, err_t *err)
{
    int flags = unit->read_only ? O_RDONLY : O_RDWR | O_CREAT;
    unit->overlay = open(unit->path, flags | O_CLOEXEC | O_NONBLOCK, 0600);
    if (unit->overlay < 0 && unit->read_only && errno == ENOENT) {
        return begin_overlay(unit, err); /* as made */
    }
    if (unit->overlay < 0) {
        return err_errno(err, "cannot open %s", unit->path);
    }
    if (flock(unit->overlay, (unit->read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? refuse_locked(unit, err)
                                    : err_errno(err, "cannot lock %s", unit->path);
    }
    struct stat st;
    if (fstat(unit->overlay, &st) != 0) {
        return err_errno(err, "%s", unit->path);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(err, ERR_INPUT, "%s is not a regular file", unit->path);
    }
    /* Empty: new, or its maker was killed before the header. */
    bool ok =
        st.st_size == 0 ? begin_overlay(unit, err) : load_overlay(unit, (uint64_t)st.st_size, err);
    if (!ok || unit->read_only) {
        return ok;
    }
    uint8_t pid[4];
    bytes_put_le32(pid, (uint32_t)getpid());
    return write_overlay(unit, OVERLAY_PID, pid, sizeof pid, err);
}

flash_t *flash_open_unit(const flash_unit_t *from, err_t *err)
{
    static const flash_backend_t backend = {"unit", unit_read, unit_put, unit_sync, unit_close};
    unit_t *unit = calloc(1, sizeof *unit);
    if (unit == NULL) {
        err_set(err, ERR_SYSTEM, "out of memory opening %s", from->overlay);
        return NULL;
    }
    unit->base = unit->identity = unit->overlay = -1;
    unit->read_only = from->read_only;
    unit->durable = from->durable;
    int n = snprintf(unit->path, sizeof unit->path, "%s", from->overlay);
    if (n < 0 || (size_t)n >= sizeof unit->path) {
        err_set(err, ERR_USAGE, "the path %.60s... is too long", from->overlay);
        unit_close(unit);
        return NULL;
    }
    if (!open_lower(unit, from, err) || !open_overlay(unit, err)) {
        unit_close(unit);
        return NULL;
    }
    return flash_open_backend(&backend, unit, unit->header.flash_size, err);
}

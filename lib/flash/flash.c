/* SPDX-License-Identifier: Apache-2.0 */
/* What makes bytes a NOR flash: bounds, clearing and erasing, and a power that can fail. */
#include "flash/flash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "flash/backend.h"
#include "flash/partition.h"

#define ERASE_STEPS 16u
#define ERASE_STEP  (FLASH_SECTOR / ERASE_STEPS)

struct flash {
    const flash_backend_t *backend;
    void *self;
    uint32_t size;
    bool checking;
    bool cut_armed;
    bool power_lost;
    uint64_t cut_left; /* operations until the cut */
    uint32_t random;
    uint64_t operations;
    err_t last;
};

flash_t *flash_open_backend(const flash_backend_t *backend, void *self, uint32_t size, err_t *err)
{
    flash_t *flash = calloc(1, sizeof *flash);
    if (flash == NULL) {
        backend->close(self);
        err_set(err, ERR_SYSTEM, "out of memory opening a flash");
        return NULL;
    }
    flash->backend = backend;
    flash->self = self;
    flash->size = size;
    flash->checking = true;
    return flash;
}

void flash_close(flash_t *flash)
{
    if (flash != NULL) {
        flash->backend->close(flash->self);
        free(flash);
    }
}

uint32_t flash_size(const flash_t *flash)
{
    return flash->size;
}

void flash_set_checking(flash_t *flash, bool on)
{
    flash->checking = on;
}

/* ---- power ---- */

void flash_cut_after(flash_t *flash, uint64_t after, uint32_t seed)
{
    flash->cut_armed = true;
    flash->cut_left = after;
    flash->random = seed * 2654435761u + 1; /* never the fixed point 0 for small seeds */
}

bool flash_power_lost(const flash_t *flash)
{
    return flash->power_lost;
}

void flash_power_on(flash_t *flash)
{
    flash->power_lost = false;
    flash->cut_armed = false;
}

uint64_t flash_operations(const flash_t *flash)
{
    return flash->operations;
}

static uint8_t random_byte(flash_t *flash)
{
    uint32_t x = flash->random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    flash->random = x;
    return (uint8_t)(x >> 11);
}

/* Counts `wanted` operations; returns how many of them are done before the power fails. */
static uint32_t spend(flash_t *flash, uint32_t wanted)
{
    if (flash->cut_armed && flash->cut_left < wanted) {
        uint32_t done = (uint32_t)flash->cut_left;
        flash->operations += done;
        flash->power_lost = true;
        flash->cut_armed = false;
        return done;
    }
    if (flash->cut_armed) {
        flash->cut_left -= wanted;
    }
    flash->operations += wanted;
    return wanted;
}

static bool fail_dark(err_t *err, const char *what, uint32_t at)
{
    return err_set(err, ERR_PRECONDITION, "the power failed at a flash %s at 0x%x", what,
                   (unsigned)at);
}

static bool enter(flash_t *flash, const char *what, uint32_t at, uint32_t len, err_t *err)
{
    if (flash->power_lost) {
        return fail_dark(err, what, at);
    }
    if (at > flash->size || len > flash->size - at) {
        return err_set(err, ERR_USAGE, "a flash %s of 0x%x bytes at 0x%x is outside of 0x%x bytes",
                       what, (unsigned)len, (unsigned)at, (unsigned)flash->size);
    }
    return true;
}

/* ---- read, write, erase ---- */

bool flash_read(flash_t *flash, uint32_t at, void *data, uint32_t len, err_t *err)
{
    return enter(flash, "read", at, len, err) &&
           (len == 0 || flash->backend->read(flash->self, at, data, len, err));
}

/* The part of a write within one sector. */
static bool write_part(flash_t *flash, uint32_t at, const uint8_t *data, uint32_t len, err_t *err)
{
    uint8_t bytes[FLASH_SECTOR];
    if (!flash->backend->read(flash->self, at, bytes, len, err)) {
        return false;
    }
    uint32_t done = spend(flash, len);
    for (uint32_t i = 0; i < done; i++) {
        bytes[i] &= data[i];
    }
    if (done == len) {
        return flash->backend->put(flash->self, at, bytes, len, err);
    }
    bytes[done] &= data[done] | random_byte(flash);
    return flash->backend->put(flash->self, at, bytes, done + 1, err) &&
           fail_dark(err, "write", at + done);
}

static uint32_t part_of(uint32_t at, uint32_t len)
{
    uint32_t room = FLASH_SECTOR - at % FLASH_SECTOR;
    return len < room ? len : room;
}

/* Whether every bit of the data that is 1 is 1 in the flash too. */
static bool check_clearing(flash_t *flash, uint32_t at, const uint8_t *data, uint32_t len,
                           err_t *err)
{
    uint8_t old[256];
    for (uint32_t done = 0; done < len;) {
        uint32_t n = len - done < sizeof old ? len - done : (uint32_t)sizeof old;
        if (!flash->backend->read(flash->self, at + done, old, n, err)) {
            return false;
        }
        for (uint32_t i = 0; i < n; i++) {
            if ((data[done + i] & ~old[i]) != 0) {
                return err_set(err, ERR_USAGE,
                               "writing %02x over %02x at 0x%x of the flash would set a bit; erase "
                               "the sector first",
                               data[done + i], old[i], (unsigned)(at + done + i));
            }
        }
        done += n;
    }
    return true;
}

bool flash_write(flash_t *flash, uint32_t at, const void *data, uint32_t len, err_t *err)
{
    if (!enter(flash, "write", at, len, err) ||
        (flash->checking && !check_clearing(flash, at, data, len, err))) {
        return false;
    }
    const uint8_t *p = data;
    while (len > 0) {
        uint32_t n = part_of(at, len);
        if (!write_part(flash, at, p, n, err)) {
            return false;
        }
        at += n;
        p += n;
        len -= n;
    }
    return true;
}

static bool all_erased(const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] != 0xff) {
            return false;
        }
    }
    return true;
}

/* Which end of the sector goes first is drawn at the cut: chips differ. */
static void erase_partly(flash_t *flash, uint8_t bytes[FLASH_SECTOR], uint32_t steps)
{
    bool backwards = (random_byte(flash) & 1) != 0;
    for (uint32_t i = 0; i < steps; i++) {
        uint32_t step = backwards ? ERASE_STEPS - 1 - i : i;
        memset(bytes + step * ERASE_STEP, 0xff, ERASE_STEP);
    }
    uint32_t step = backwards ? ERASE_STEPS - 1 - steps : steps;
    for (uint32_t i = 0; i < ERASE_STEP; i++) {
        bytes[step * ERASE_STEP + i] |= random_byte(flash);
    }
}

static bool erase_sector(flash_t *flash, uint32_t at, err_t *err)
{
    uint8_t bytes[FLASH_SECTOR];
    if (!flash->backend->read(flash->self, at, bytes, sizeof bytes, err)) {
        return false;
    }
    uint32_t done = spend(flash, ERASE_STEPS);
    if (done < ERASE_STEPS) {
        erase_partly(flash, bytes, done);
        return flash->backend->put(flash->self, at, bytes, sizeof bytes, err) &&
               fail_dark(err, "erase", at);
    }
    if (all_erased(bytes, sizeof bytes)) {
        return true; /* saves the overlay a sector */
    }
    memset(bytes, 0xff, sizeof bytes);
    return flash->backend->put(flash->self, at, bytes, sizeof bytes, err);
}

bool flash_erase(flash_t *flash, uint32_t at, uint32_t len, err_t *err)
{
    if (!enter(flash, "erase", at, len, err)) {
        return false;
    }
    if (at % FLASH_SECTOR != 0 || len % FLASH_SECTOR != 0) {
        return err_set(err, ERR_USAGE, "erasing 0x%x bytes at 0x%x: only whole sectors of 0x%x",
                       (unsigned)len, (unsigned)at, (unsigned)FLASH_SECTOR);
    }
    for (uint32_t done = 0; done < len; done += FLASH_SECTOR) {
        if (!erase_sector(flash, at + done, err)) {
            return false;
        }
    }
    return true;
}

bool flash_sync(flash_t *flash, err_t *err)
{
    return flash->backend->sync(flash->self, err);
}

bool flash_export(flash_t *flash, const char *path, err_t *err)
{
    uint8_t *all = malloc(flash->size);
    if (all == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory exporting a flash");
    }
    bool ok = flash_read(flash, 0, all, flash->size, err) &&
              file_write(path, all, flash->size, 0600, err);
    bytes_wipe(all, flash->size);
    free(all);
    return ok;
}

/* ---- regions ---- */

static bool region_flash_read(void *context, uint32_t at, void *data, uint32_t len)
{
    flash_t *flash = context;
    err_clear(&flash->last);
    return flash_read(flash, at, data, len, &flash->last);
}

static bool region_flash_write(void *context, uint32_t at, const void *data, uint32_t len)
{
    flash_t *flash = context;
    err_clear(&flash->last);
    return flash_write(flash, at, data, len, &flash->last);
}

static bool region_flash_erase(void *context, uint32_t at, uint32_t len)
{
    flash_t *flash = context;
    err_clear(&flash->last);
    return flash_erase(flash, at, len, &flash->last);
}

const char *flash_last_error(const flash_t *flash)
{
    return flash->last.text;
}

bool flash_region(flash_t *flash, uint32_t start, uint32_t size, region_t *out, err_t *err)
{
    if (start % FLASH_SECTOR != 0 || size % FLASH_SECTOR != 0 || start > flash->size ||
        size > flash->size - start) {
        return err_set(err, ERR_USAGE,
                       "0x%x bytes at 0x%x are not whole sectors within a flash of 0x%x bytes",
                       (unsigned)size, (unsigned)start, (unsigned)flash->size);
    }
    *out = (region_t){.context = flash,
                      .start = start,
                      .size = size,
                      .read = region_flash_read,
                      .write = region_flash_write,
                      .erase = region_flash_erase};
    return true;
}

bool flash_partition(flash_t *flash, const char *label, region_t *out, err_t *err)
{
    uint8_t bytes[PARTITION_TABLE_SIZE];
    partition_table_t table;
    if (!flash_read(flash, PARTITION_TABLE_CRADLE, bytes, sizeof bytes, err)) {
        return false;
    }
    if (!partition_table_parse(bytes, sizeof bytes, &table, err) ||
        !partition_table_check(&table, PARTITION_TABLE_CRADLE, flash->size, err)) {
        return err_add(err, "partition table at 0x%x", PARTITION_TABLE_CRADLE);
    }
    const partition_t *p = partition_find(&table, label);
    if (p == NULL) {
        return err_set(err, ERR_INPUT, "the partition table has no partition \"%s\"", label);
    }
    return flash_region(flash, p->offset, p->size, out, err);
}

/* ---- for the backends on files ---- */

bool flash_pread_all(int fd, void *data, size_t len, uint64_t at)
{
    uint8_t *p = data;
    while (len > 0) {
        ssize_t n = pread(fd, p, len, (off_t)at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n == 0 ? 0 : errno;
            return false;
        }
        p += n;
        len -= (size_t)n;
        at += (uint64_t)n;
    }
    return true;
}

bool flash_pwrite_all(int fd, const void *data, size_t len, uint64_t at)
{
    const uint8_t *p = data;
    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, (off_t)at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return false;
        }
        p += n;
        len -= (size_t)n;
        at += (uint64_t)n;
    }
    return true;
}

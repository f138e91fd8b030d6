/* SPDX-License-Identifier: Apache-2.0 */
/* A flash in memory: the sectors that differ from a shared base. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "flash/backend.h"

typedef struct {
    const uint8_t *base;
    size_t base_len;
    uint8_t **sector; /* [count]: the changed sectors, in the order of their first change */
    uint32_t count;
    uint32_t room;
    uint16_t map[]; /* for each sector of the flash: its place in `sector` + 1, or 0 */
} ram_t;

static void read_base(const ram_t *ram, uint32_t at, uint8_t *data, uint32_t len)
{
    memset(data, 0xff, len);
    if (at < ram->base_len) {
        size_t n = ram->base_len - at < len ? ram->base_len - at : len;
        memcpy(data, ram->base + at, n);
    }
}

static bool ram_read(void *self, uint32_t at, void *data, uint32_t len, err_t *err)
{
    (void)err;
    const ram_t *ram = self;
    uint8_t *p = data;
    while (len > 0) {
        uint32_t within = at % FLASH_SECTOR;
        uint32_t n = FLASH_SECTOR - within < len ? FLASH_SECTOR - within : len;
        uint16_t place = ram->map[at / FLASH_SECTOR];
        if (place != 0) {
            memcpy(p, ram->sector[place - 1] + within, n);
        } else {
            read_base(ram, at, p, n);
        }
        at += n;
        p += n;
        len -= n;
    }
    return true;
}

static uint8_t *add_sector(ram_t *ram, uint32_t index)
{
    if (ram->count == ram->room) {
        uint32_t room = ram->room == 0 ? 8 : ram->room * 2;
        uint8_t **more = realloc(ram->sector, room * sizeof *more);
        if (more == NULL) {
            return NULL;
        }
        ram->sector = more;
        ram->room = room;
    }
    uint8_t *fresh = malloc(FLASH_SECTOR);
    if (fresh != NULL) {
        read_base(ram, index * FLASH_SECTOR, fresh, FLASH_SECTOR);
        ram->sector[ram->count++] = fresh;
        ram->map[index] = (uint16_t)ram->count;
    }
    return fresh;
}

static bool ram_put(void *self, uint32_t at, const void *data, uint32_t len, err_t *err)
{
    ram_t *ram = self;
    uint32_t index = at / FLASH_SECTOR;
    uint16_t place = ram->map[index];
    uint8_t *sector = place != 0 ? ram->sector[place - 1] : add_sector(ram, index);
    if (sector == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a flash in memory");
    }
    memcpy(sector + at % FLASH_SECTOR, data, len);
    return true;
}

static bool ram_sync(void *self, err_t *err)
{
    (void)self;
    (void)err;
    return true;
}

static void ram_close(void *self)
{
    ram_t *ram = self;
    for (uint32_t i = 0; i < ram->count; i++) {
        bytes_wipe(ram->sector[i], FLASH_SECTOR);
        free(ram->sector[i]);
    }
    free(ram->sector);
    free(ram);
}

flash_t *flash_open_ram(uint32_t size, const void *base, size_t base_len, err_t *err)
{
    static const flash_backend_t backend = {"memory", ram_read, ram_put, ram_sync, ram_close};
    if (size == 0 || size % FLASH_SECTOR != 0 || size > FLASH_SIZE_MAX || base_len > size) {
        err_set(err, ERR_USAGE,
                "a flash of 0x%x bytes over a base of 0x%zx: whole sectors, up to 0x%x bytes",
                (unsigned)size, base_len, FLASH_SIZE_MAX);
        return NULL;
    }
    ram_t *ram = calloc(1, sizeof *ram + size / FLASH_SECTOR * sizeof ram->map[0]);
    if (ram == NULL) {
        err_set(err, ERR_SYSTEM, "out of memory for a flash in memory");
        return NULL;
    }
    ram->base = base;
    ram->base_len = base_len;
    return flash_open_backend(&backend, ram, size, err);
}

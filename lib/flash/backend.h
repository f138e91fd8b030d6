/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend: where the bytes of a flash are kept. Internal to lib/flash.
 *
 * A backend stores bytes; that it is NOR, that the power can fail and that addresses have bounds is
 * flash.c's business. `put` never crosses a sector and is atomic against SIGKILL.
 */
#ifndef CRADLE_FLASH_BACKEND_H
#define CRADLE_FLASH_BACKEND_H

#include "flash/flash.h"

typedef struct {
    const char *name; /* for error texts */
    bool (*read)(void *self, uint32_t at, void *data, uint32_t len, err_t *err);
    bool (*put)(void *self, uint32_t at, const void *data, uint32_t len, err_t *err);
    bool (*sync)(void *self, err_t *err);
    void (*close)(void *self); /* frees self */
} flash_backend_t;

/* Takes over `self`: closes it when there is no memory. */
flash_t *flash_open_backend(const flash_backend_t *backend, void *self, uint32_t size, err_t *err);

/* Whole reads and writes at an offset; EINTR and short counts are gone on with. A read that hits
   the end of the file fails with errno 0. */
bool flash_pread_all(int fd, void *data, size_t len, uint64_t at);
bool flash_pwrite_all(int fd, const void *data, size_t len, uint64_t at);

#endif

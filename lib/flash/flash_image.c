/* SPDX-License-Identifier: Apache-2.0 */
/* A flash in an image file that holds all of its bytes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "flash/backend.h"

typedef struct {
    int fd;
    bool writable;
    char path[FILE_PATH_MAX];
} image_t;

static bool image_read(void *self, uint32_t at, void *data, uint32_t len, err_t *err)
{
    const image_t *image = self;
    if (!flash_pread_all(image->fd, data, len, at)) {
        return errno == 0
                   ? err_set(err, ERR_INPUT, "%s became shorter while it was in use", image->path)
                   : err_errno(err, "reading %s", image->path);
    }
    return true;
}

static bool image_put(void *self, uint32_t at, const void *data, uint32_t len, err_t *err)
{
    const image_t *image = self;
    if (!image->writable) {
        return err_set(err, ERR_PRECONDITION, "%s is open for reading only", image->path);
    }
    return flash_pwrite_all(image->fd, data, len, at) || err_errno(err, "writing %s", image->path);
}

static bool image_sync(void *self, err_t *err)
{
    const image_t *image = self;
    return !image->writable || fdatasync(image->fd) == 0 ||
           err_errno(err, "writing %s to the disk", image->path);
}

static void image_close(void *self)
{
    image_t *image = self;
    close(image->fd);
    free(image);
}

static bool image_claim(const image_t *image, off_t *size, err_t *err)
{
    if (flock(image->fd, (image->writable ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? err_set(err, ERR_PRECONDITION, "%s is in use by another process", image->path)
                   : err_errno(err, "cannot lock %s", image->path);
    }
    struct stat st;
    if (fstat(image->fd, &st) != 0) {
        return err_errno(err, "%s", image->path);
    }
    if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > (off_t)FLASH_SIZE_MAX ||
        st.st_size % FLASH_SECTOR != 0) {
        return err_set(err, ERR_INPUT,
                       "%s has %lld bytes; a flash image is a file of whole sectors of 4096, up to "
                       "16 MB",
                       image->path, (long long)st.st_size);
    }
    *size = st.st_size;
    return true;
}

flash_t *flash_open_image(const char *path, bool writable, err_t *err)
{
    static const flash_backend_t backend = {"image", image_read, image_put, image_sync,
                                            image_close};
    image_t *image = calloc(1, sizeof *image);
    if (image == NULL) {
        err_set(err, ERR_SYSTEM, "out of memory opening %s", path);
        return NULL;
    }
    snprintf(image->path, sizeof image->path, "%s", path);
    image->writable = writable;
    image->fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (image->fd < 0) {
        if (errno == ENOENT) {
            err_set(err, ERR_PRECONDITION, "%s does not exist", path);
        } else {
            err_errno(err, "cannot open %s", path);
        }
        free(image);
        return NULL;
    }
    off_t size = 0;
    if (!image_claim(image, &size, err)) {
        image_close(image);
        return NULL;
    }
    return flash_open_backend(&backend, image, (uint32_t)size, err);
}

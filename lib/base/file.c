/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_all(int fd, const char *path, size_t max, bool secret, char **data, size_t *len,
                     err_t *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return err_errno(err, "%s", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(err, ERR_INPUT, "%s is not a regular file", path);
    }
    if (secret && (st.st_mode & 077) != 0) {
        return err_set(err, ERR_INPUT,
                       "%s has mode %04o: others can read this secret; run `chmod 600 %s`", path,
                       (unsigned)(st.st_mode & 07777), path);
    }
    if (st.st_size < 0 || (size_t)st.st_size > max) {
        return err_set(err, ERR_INPUT, "%s has %lld bytes, at most %zu are accepted", path,
                       (long long)st.st_size, max);
    }
    size_t size = (size_t)st.st_size;
    char *buf = malloc(size + 1);
    if (buf == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory reading %s", path);
    }
    size_t done = 0;
    while (done < size) {
        ssize_t n = read(fd, buf + done, size - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            err_errno(err, "reading %s", path);
            free(buf);
            return false;
        }
        if (n == 0) {
            break; /* it became shorter while we read: what is there is the content */
        }
        done += (size_t)n;
    }
    buf[done] = '\0';
    *data = buf;
    *len = done;
    return true;
}

static bool read_file(const char *path, size_t max, bool secret, char **data, size_t *len,
                      err_t *err)
{
    *data = NULL;
    *len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        if (errno == ENOENT) {
            return err_set(err, ERR_PRECONDITION, "%s does not exist", path);
        }
        return err_errno(err, "cannot open %s", path);
    }
    bool ok = read_all(fd, path, max, secret, data, len, err);
    close(fd);
    return ok;
}

bool file_read(const char *path, size_t max, char **data, size_t *len, err_t *err)
{
    return read_file(path, max, false, data, len, err);
}

bool file_read_private(const char *path, size_t max, char **data, size_t *len, err_t *err)
{
    return read_file(path, max, true, data, len, err);
}

static bool write_all(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return false;
        }
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static bool sync_parent(const char *path)
{
    char dir[FILE_PATH_MAX];
    snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash == NULL) {
        strcpy(dir, ".");
    } else if (slash == dir) {
        dir[1] = '\0';
    } else {
        *slash = '\0';
    }
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool ok = fsync(fd) == 0;
    close(fd);
    return ok;
}

/* The temporary file's whole life up to the moment before it gets its name. */
static bool write_temporary(char *temporary, const void *data, size_t len, mode_t mode)
{
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool ok = fchmod(fd, mode) == 0 && write_all(fd, data, len) && fsync(fd) == 0;
    int saved = errno;
    close(fd);
    if (!ok) {
        unlink(temporary);
        errno = saved;
    }
    return ok;
}

static bool write_file(const char *path, const void *data, size_t len, mode_t mode, bool only_new,
                       err_t *err)
{
    char temporary[FILE_PATH_MAX];
    int n = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof temporary) {
        return err_set(err, ERR_USAGE, "the path %.60s... is too long", path);
    }
    if (!write_temporary(temporary, data, len, mode)) {
        return err_errno(err, "cannot write %s", path);
    }
    /* link() fails when the name is taken, rename() replaces it. */
    bool ok = only_new ? link(temporary, path) == 0 : rename(temporary, path) == 0;
    int saved = errno;
    if (only_new || !ok) {
        unlink(temporary);
    }
    errno = saved;
    if (!ok && errno == EEXIST) {
        return err_set(err, ERR_PRECONDITION, "%s exists already and is not overwritten", path);
    }
    if (!ok || !sync_parent(path)) {
        return err_errno(err, "cannot write %s", path);
    }
    return true;
}

bool file_write(const char *path, const void *data, size_t len, mode_t mode, err_t *err)
{
    return write_file(path, data, len, mode, false, err);
}

bool file_write_new(const char *path, const void *data, size_t len, mode_t mode, err_t *err)
{
    return write_file(path, data, len, mode, true, err);
}

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool file_make_dirs(const char *path, mode_t mode, err_t *err)
{
    char part[FILE_PATH_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof part) {
        return err_set(err, ERR_USAGE, "a directory name of %zu characters cannot be used", len);
    }
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != '\0') {
            continue;
        }
        char saved = part[i];
        part[i] = '\0';
        if (mkdir(part, mode) != 0 && errno != EEXIST) {
            return err_errno(err, "cannot make the directory %s", part);
        }
        part[i] = saved;
    }
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return err_set(err, ERR_PRECONDITION, "%s exists and is not a directory", path);
    }
    return true;
}

bool file_join(char out[FILE_PATH_MAX], const char *dir, const char *name, err_t *err)
{
    int n = snprintf(out, FILE_PATH_MAX, "%s/%s", dir, name);
    if (n < 0 || n >= FILE_PATH_MAX) {
        return err_set(err, ERR_USAGE, "the path %.60s/%.60s is too long", dir, name);
    }
    return true;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

bool file_remove_tree(const char *path, err_t *err)
{
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT) {
        return err_errno(err, "cannot remove %s", path);
    }
    return true;
}

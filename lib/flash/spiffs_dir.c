/* SPDX-License-Identifier: Apache-2.0 */
#include "flash/spiffs_dir.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/file.h"

#define DEPTH_MAX 16

typedef struct {
    spiffs_dir_t *out;
    const char *dir; /* what all names are relative to */
    bool follow_links;
    size_t max;
    err_t *err;
} walk_t;

void spiffs_dir_free(spiffs_dir_t *files)
{
    for (size_t i = 0; i < files->count; i++) {
        /* Ours, although the builder only reads them. */
        char *data = (char *)(uintptr_t)files->files[i].data;
        bytes_wipe(data, files->files[i].len);
        free(data);
        free((char *)(uintptr_t)files->files[i].name);
    }
    free(files->files);
    memset(files, 0, sizeof *files);
}

/* `relative` begins with '/'. */
static bool add_file(walk_t *walk, const char *relative)
{
    char path[FILE_PATH_MAX];
    char *data;
    size_t len;
    spiffs_dir_t *out = walk->out;
    if (!file_join(path, walk->dir, relative + 1, walk->err) ||
        !file_read(path, walk->max, &data, &len, walk->err)) {
        return false;
    }
    if (out->count == out->room) {
        size_t room = out->room == 0 ? 16 : out->room * 2;
        spiffs_file_t *more = realloc(out->files, room * sizeof *more);
        if (more != NULL) {
            out->files = more;
            out->room = room;
        }
    }
    char *name = strdup(relative);
    if (name == NULL || out->count == out->room) {
        bytes_wipe(data, len);
        free(data);
        free(name);
        return err_set(walk->err, ERR_SYSTEM, "out of memory reading %s", walk->dir);
    }
    out->files[out->count++] = (spiffs_file_t){name, data, len};
    return true;
}

static bool add_tree(walk_t *walk, const char *relative, int depth);

static bool add_entry(walk_t *walk, const char *relative, int depth)
{
    char path[FILE_PATH_MAX];
    struct stat st, link;
    if (!file_join(path, walk->dir, relative + 1, walk->err)) {
        return false;
    }
    if (stat(path, &st) != 0 || lstat(path, &link) != 0) {
        return err_errno(walk->err, "%s", path);
    }
    if (S_ISREG(st.st_mode)) {
        return add_file(walk, relative);
    }
    if (!S_ISDIR(st.st_mode)) {
        return err_set(walk->err, ERR_INPUT, "%s is neither a file nor a directory", path);
    }
    return (S_ISLNK(link.st_mode) && !walk->follow_links) || add_tree(walk, relative, depth + 1);
}

static bool add_tree(walk_t *walk, const char *relative, int depth)
{
    char path[FILE_PATH_MAX];
    int n = snprintf(path, sizeof path, "%s%s", walk->dir, relative);
    if (n < 0 || (size_t)n >= sizeof path || depth > DEPTH_MAX) {
        return err_set(walk->err, ERR_USAGE,
                       "%.200s is nested too deep (a link that leads back up?)", relative);
    }
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return err_errno(walk->err, "cannot open the directory %s", path);
    }
    bool ok = true;
    struct dirent *entry;
    while (ok && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        char name[FILE_PATH_MAX];
        n = snprintf(name, sizeof name, "%s/%s", relative, entry->d_name);
        ok = n > 0 && (size_t)n < sizeof name
                 ? add_entry(walk, name, depth)
                 : err_set(walk->err, ERR_USAGE, "the path %.60s... is too long", relative);
    }
    closedir(dir);
    return ok;
}

static int compare_files(const void *a, const void *b)
{
    const spiffs_file_t *x = a, *y = b;
    return strcmp(x->name, y->name);
}

bool spiffs_dir_load(spiffs_dir_t *out, const char *dir, bool follow_links, size_t max, err_t *err)
{
    memset(out, 0, sizeof *out);
    walk_t walk = {out, dir, follow_links, max, err};
    if (!add_tree(&walk, "", 0)) {
        return false;
    }
    if (out->count > 0) {
        qsort(out->files, out->count, sizeof *out->files, compare_files);
    }
    return true;
}

bool spiffs_dir_load_list(spiffs_dir_t *out, const char *dir, const char *list, size_t max,
                          err_t *err)
{
    memset(out, 0, sizeof *out);
    walk_t walk = {out, dir, false, max, err};
    for (unsigned line = 1; *list != '\0'; line++) {
        size_t len = strcspn(list, "\n");
        const char *next = list + len + (list[len] == '\n' ? 1 : 0);
        if (len > 0 && list[len - 1] == '\r') {
            len--;
        }
        char name[FILE_PATH_MAX];
        int n = snprintf(name, sizeof name, "%s%.*s", list[0] == '/' ? "" : "/", (int)len, list);
        if (len > 0 && list[0] != '#') {
            if (n < 0 || (size_t)n >= sizeof name || len > INT32_MAX) {
                return err_set(err, ERR_USAGE, "line %u of the list is too long", line);
            }
            if (!add_file(&walk, name)) {
                return err_add(err, "line %u of the list", line);
            }
        }
        list = next;
    }
    return true;
}

/* ---- out of an image ---- */

/* A foreign name stays below the directory: no empty part, no "." or "..". */
static bool is_safe(const char *name)
{
    while (*name == '/') {
        const char *part = name + 1;
        size_t len = strcspn(part, "/");
        if (len == 0 || (len == 1 && part[0] == '.') ||
            (len == 2 && part[0] == '.' && part[1] == '.')) {
            return false;
        }
        name = part + len;
    }
    return *name == '\0';
}

static bool save_file(const spiffs_t *fs, const spiffs_entry_t *entry, const char *dir, err_t *err)
{
    char path[FILE_PATH_MAX], parent[FILE_PATH_MAX];
    if (!is_safe(entry->name)) {
        return err_set(err, ERR_INPUT, "the SPIFFS name \"%s\" is no path below a directory",
                       entry->name);
    }
    if (!file_join(path, dir, entry->name + 1, err)) {
        return false;
    }
    strcpy(parent, path);
    *strrchr(parent, '/') = '\0';
    char *data;
    size_t len;
    if (!file_make_dirs(parent[0] != '\0' ? parent : "/", 0755, err) ||
        !spiffs_read(fs, entry, fs->config.image_size, &data, &len, err)) {
        return false;
    }
    bool ok = file_write_new(path, data, len, 0600, err);
    bytes_wipe(data, len);
    free(data);
    return ok;
}

bool spiffs_dir_save(const spiffs_t *fs, const char *dir, size_t *count, err_t *err)
{
    uint32_t cursor = 0;
    bool end = false;
    spiffs_entry_t entry;
    *count = 0;
    while (spiffs_next(fs, &cursor, &entry, &end, err) && !end) {
        if (!save_file(fs, &entry, dir, err)) {
            return false;
        }
        (*count)++;
    }
    return end;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints in a directory: kept, thinned out, read back. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "custody/point.h"

#define PREFIX "checkpoint-"
#define SITE   16 /* digits of the site's id in a name                             */
#define TIME   13 /* digits of the time in a name: names sort by age until 2286    */
#define NAMES  4096

typedef struct {
    char (*name)[CUSTODY_POINT_NAME_SIZE];
    size_t count;
} names_t;

static bool is_ours(const char *name, const char *site)
{
    size_t prefix = sizeof PREFIX - 1;
    return strncmp(name, PREFIX, prefix) == 0 && strncmp(name + prefix, site, SITE) == 0 &&
           name[prefix + SITE] == '-' && strspn(name + prefix + SITE + 1, "0123456789") == TIME &&
           strcmp(name + prefix + SITE + 1 + TIME, ".jws") == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool list(const char *dir, const char *site, names_t *names, err_t *err)
{
    struct dirent *entry;
    bool ok = true;
    names->count = 0;
    names->name = malloc(NAMES * sizeof *names->name);
    DIR *open = names->name == NULL ? NULL : opendir(dir);
    if (names->name == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for checkpoints");
    }
    if (open == NULL && (errno == ENOENT || errno == ENOTDIR)) {
        return err_set(err, ERR_PRECONDITION,
                       "the directory for checkpoints %s is not there; mount it, or name another "
                       "as \"checkpoint_dir\" in cradle.json",
                       dir);
    }
    if (open == NULL) {
        return err_errno(err, "cannot read the directory for checkpoints %s", dir);
    }
    while (ok && (entry = readdir(open)) != NULL) {
        if (!is_ours(entry->d_name, site)) {
            continue;
        }
        ok = names->count < NAMES ||
             err_set(err, ERR_INPUT, "%s holds over %d checkpoints; tidy it up", dir, NAMES);
        if (ok) {
            snprintf(names->name[names->count++], sizeof *names->name, "%s", entry->d_name);
        }
    }
    closedir(open);
    qsort(names->name, names->count, sizeof *names->name, by_name);
    return ok;
}

/* Behind all that are there, also when the clock went back: the oldest are removed by name. */
static void name_of(const custody_point_t *point, const names_t *names,
                    char name[CUSTODY_POINT_NAME_SIZE])
{
    int64_t time = point->time_ms;
    if (names->count > 0) {
        int64_t last = strtoll(names->name[names->count - 1] + sizeof PREFIX + SITE, NULL, 10);
        time = time <= last ? last + 1 : time;
    }
    snprintf(name, CUSTODY_POINT_NAME_SIZE, PREFIX "%.*s-%0*" PRId64 ".jws", SITE, point->site,
             TIME, time);
}

/* What cannot be removed is no harm. */
static void thin_out(const char *dir, const names_t *names, size_t kept)
{
    char path[FILE_PATH_MAX];
    for (size_t i = 0; i + kept < names->count; i++) {
        if (file_join(path, dir, names->name[i], NULL)) {
            unlink(path);
        }
    }
}

bool custody_point_keep(const char *dir, const custody_point_t *point, const char *text, size_t len,
                        char name[CUSTODY_POINT_NAME_SIZE], err_t *err)
{
    char path[FILE_PATH_MAX];
    names_t names = {0};
    if (name[0] != '\0') {
        return file_join(path, dir, name, err) && file_write(path, text, len, 0644, err);
    }
    bool ok = list(dir, point->site, &names, err);
    for (int tries = 0; ok && name[0] == '\0' && tries < 100; tries++) {
        err_t why = ERR_INIT;
        char chosen[CUSTODY_POINT_NAME_SIZE];
        name_of(point, &names, chosen);
        if (!file_join(path, dir, chosen, err)) {
            ok = false;
        } else if (file_write_new(path, text, len, 0644, &why)) {
            strcpy(name, chosen);
        } else if (why.kind == ERR_PRECONDITION && names.count < NAMES) {
            strcpy(names.name[names.count++], chosen); /* another line was as quick */
        } else {
            ok = err_set(err, why.kind, "%s", why.text);
        }
    }
    if (ok && name[0] == '\0') {
        ok = err_set(err, ERR_SYSTEM, "no name is free for a checkpoint in %s", dir);
    }
    if (ok) {
        thin_out(dir, &names, CUSTODY_POINTS_KEPT - 1);
    }
    free(names.name);
    return ok;
}

bool custody_point_each(const char *dir, EVP_PKEY *key, const char *site, custody_point_each_t each,
                        void *context, err_t *err)
{
    names_t names = {0};
    bool ok = list(dir, site, &names, err);
    bool more = true;
    for (size_t i = 0; ok && more && i < names.count; i++) {
        char path[FILE_PATH_MAX];
        char *text = NULL;
        size_t len;
        err_t why = ERR_INIT;
        custody_point_t point;
        ok = file_join(path, dir, names.name[i], err);
        if (!ok) {
            break;
        }
        bool read = file_read(path, CUSTODY_POINT_MAX, &text, &len, &why);
        if (!read && why.kind == ERR_PRECONDITION) {
            continue; /* another line removed it meanwhile */
        }
        if (read && custody_point_read(text, len, key, site, &point, &why)) {
            more = each(context, path, &point);
        } else {
            ok = err_set(err, why.kind,
                         "the checkpoint %s cannot be used: %s; find out what happened, move it "
                         "away, and try again",
                         path, why.text);
        }
        free(text);
    }
    free(names.name);
    return ok;
}

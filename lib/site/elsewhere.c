/* SPDX-License-Identifier: Apache-2.0 */
/* elsewhere: the directory that a site names and that must not be in it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "site/internal.h"
#include "site/site.h"

bool site_dir_valid(const char *path)
{
    if (path[0] != '/' || strlen(path) >= SITE_DIR_SIZE) {
        return false;
    }
    for (; *path != '\0'; path++) {
        if ((unsigned char)*path < 0x20 || *path == 0x7f) {
            return false;
        }
    }
    return true;
}

/* Both as realpath has them. */
static bool is_in(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    return strncmp(path, dir, len) == 0 &&
           (path[len] == '\0' || path[len] == '/' || strcmp(dir, "/") == 0);
}

bool site_checkpoint_dir_check(const site_t *site, err_t *err)
{
    const char *dir = site->checkpoint_dir;
    struct stat st;
    bool there = stat(dir, &st) == 0;
    if (!there && errno != ENOENT) {
        return err_errno(err, "the directory for checkpoints %s", dir);
    }
    if (!there || !S_ISDIR(st.st_mode)) {
        return err_set(err, ERR_PRECONDITION,
                       "the directory for checkpoints %s is not there; mount it, or name another "
                       "as \"checkpoint_dir\" in cradle.json",
                       dir);
    }
    char *real = realpath(dir, NULL);
    char *own = realpath(site->dir, NULL);
    bool ok = real != NULL && own != NULL;
    if (!ok) {
        err_errno(err, "cannot tell where %s is", dir);
    } else if (is_in(real, own)) {
        ok = err_set(err, ERR_PRECONDITION,
                     "the directory for checkpoints %s is in the site: a back-up would bring back "
                     "old ones; choose one outside, best on another disk",
                     dir);
        rmdir(real); /* if `cradle init` has just made it */
    }
    free(real);
    free(own);
    return ok;
}

bool site_checkpoint_dir_settle(site_t *site, const char *dir, err_t *err)
{
    if (!file_make_dirs(dir, 0755, err)) {
        return false;
    }
    char *real = realpath(dir, NULL);
    if (real == NULL) {
        return err_errno(err, "cannot tell where %s is", dir);
    }
    bool ok = site_dir_valid(real) ||
              err_set(err, ERR_USAGE, "the path of the directory for checkpoints is too long");
    if (ok) {
        strcpy(site->checkpoint_dir, real);
    }
    free(real);
    return ok;
}

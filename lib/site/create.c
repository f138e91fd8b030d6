/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create: a new site, killed at any moment or not.
 *
 * The marker file .cradle-init says that a site is being made here: it is created only where none
 * of our names exists, and locked while somebody works. So what stands beside a marker that nobody
 * locks is the rest of a run that died, and may be removed; without a marker nothing is touched.
 * cradle.json comes last, and the marker goes after it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/rand.h>

#include "base/bytes.h"
#include "pki/issue.h"
#include "site/authorities.h"
#include "site/internal.h"
#include "site/site.h"

#define MARKER  ".cradle-init"
#define STEWARD "steward"

static const struct {
    const char *name;
    mode_t mode;
} dirs[] = {
    {"ca", 0755},  {"keys", 0700}, {"cloud", 0700},         {"factory", 0700}, {"devices", 0700},
    {"air", 0755}, {"run", 0755},  {"factory/units", 0700}, {STEWARD, 0700},
};

/* The steward's directory is cleared away like all others, but made only for a site that has one.
 */
static bool wanted(const site_t *site, const char *name)
{
    return site->steward[0] != '\0' || strcmp(name, STEWARD) != 0;
}

static bool copy_text(char *out, size_t cap, const char *text, const char *otherwise,
                      const char *what, err_t *err)
{
    const char *chosen = text == NULL ? otherwise : text;
    if (strlen(chosen) >= cap) {
        return err_set(err, ERR_USAGE, "%s is longer than %zu characters", what, cap - 1);
    }
    strcpy(out, chosen);
    return true;
}

/* The settings, checked by the same code that will read them. */
static bool settle(const site_create_t *request, site_t *site, char *json, size_t cap, size_t *len,
                   err_t *err)
{
    uint8_t id[16];
    site_t checked;
    memset(site, 0, sizeof *site);
    site->key_type = request->key_type;
    site->days = request->days == 0 ? PKI_DEVICE_DAYS : request->days;
    site->pop = request->pop;
    site->security = request->plain_provisioning ? 0 : 1;
    if (!copy_text(site->dir, sizeof site->dir, request->dir, ".", "the directory", err) ||
        !copy_text(site->name, sizeof site->name, request->name, "Cradle", "the name", err) ||
        !copy_text(site->sn_pattern, sizeof site->sn_pattern, request->sn_pattern, "SN-%06d",
                   "the serial number pattern", err) ||
        !copy_text(site->model, sizeof site->model, request->model, "cradle-linux", "the model",
                   err) ||
        !copy_text(site->hw, sizeof site->hw, request->hw, "A1", "the hardware revision", err) ||
        !copy_text(site->cloud, sizeof site->cloud, request->cloud, SITE_CLOUD_HOST,
                   "the cloud's address", err) ||
        !copy_text(site->steward, sizeof site->steward, request->steward, "",
                   "the steward's address", err) ||
        !site_products_settle(site, request, err) ||
        (request->checkpoint_dir != NULL &&
         !site_checkpoint_dir_settle(site, request->checkpoint_dir, err))) {
        return false;
    }
    if (RAND_bytes(id, sizeof id) != 1 || !bytes_to_hex(id, sizeof id, site->id, sizeof site->id)) {
        return err_set(err, ERR_SYSTEM, "no random numbers for the site's id");
    }
    site_pattern_t pattern;
    if (!site_pattern_parse(site->sn_pattern, &pattern, err)) {
        return false; /* says more than the reader of cradle.json would */
    }
    if (!site_write_settings(site, json, cap, len)) {
        return err_set(err, ERR_USAGE, "the settings do not fit cradle.json");
    }
    err_t why = ERR_INIT;
    if (!site_parse(&checked, json, *len, &why)) {
        return err_set(err, ERR_USAGE, "%s", why.text);
    }
    for (size_t i = 0; i < request->server_name_count; i++) {
        if (strlen(request->server_names[i]) > 253) {
            return err_set(err, ERR_USAGE, "a server name is longer than 253 characters");
        }
    }
    return true;
}

static bool refuse_existing(const site_t *site, err_t *err)
{
    char path[FILE_PATH_MAX];
    site_t there;
    if (!site_path(site, SITE_SETTINGS, path, err)) {
        return false;
    }
    if (!file_exists(path)) {
        return true;
    }
    if (site_open(&there, site->dir, NULL)) {
        return err_set(err, ERR_PRECONDITION,
                       "%s holds the site \"%s\" already, and its keys are not overwritten; choose "
                       "another directory with -C",
                       site->dir, there.name);
    }
    return err_set(err, ERR_PRECONDITION, "%s exists already; choose another directory with -C",
                   path);
}

static bool refuse_names(const site_t *site, err_t *err)
{
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        char path[FILE_PATH_MAX];
        struct stat st;
        if (!site_path(site, dirs[i].name, path, err)) {
            return false;
        }
        if (lstat(path, &st) == 0) {
            return err_set(err, ERR_PRECONDITION,
                           "%s exists already and is not part of a site; choose an empty directory "
                           "with -C",
                           path);
        }
    }
    return true;
}

static bool still_that_file(int fd, const char *path)
{
    struct stat held;
    struct stat named;
    return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino &&
           held.st_dev == named.st_dev;
}

/* The locked marker in *fd. */
static bool claim(const site_t *site, char marker[FILE_PATH_MAX], int *fd, err_t *err)
{
    *fd = -1;
    if (!site_path(site, MARKER, marker, err)) {
        return false;
    }
    int found = open(marker, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (found < 0 && errno == ENOENT) {
        if (!refuse_names(site, err)) {
            return false;
        }
        found = open(marker, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    if (found < 0 && errno != EEXIST) {
        return err_errno(err, "cannot write in %s", site->dir);
    }
    if (found < 0 || flock(found, LOCK_EX | LOCK_NB) != 0 || !still_that_file(found, marker)) {
        if (found >= 0) {
            close(found);
        }
        return err_set(err, ERR_PRECONDITION, "another `cradle init` is at work in %s", site->dir);
    }
    *fd = found;
    return true;
}

static bool clear_and_make_dirs(const site_t *site, err_t *err)
{
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        char path[FILE_PATH_MAX];
        if (!site_path(site, dirs[i].name, path, err) || !file_remove_tree(path, err)) {
            return false;
        }
    }
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        char path[FILE_PATH_MAX];
        if (!site_path(site, dirs[i].name, path, err)) {
            return false;
        }
        if (wanted(site, dirs[i].name) && mkdir(path, dirs[i].mode) != 0) {
            return err_errno(err, "cannot make the directory %s", path);
        }
    }
    return true;
}

/* After a refusal (a bad server name, a full disk) nothing of ours is left behind. */
static void clear_all(const site_t *site)
{
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        char path[FILE_PATH_MAX];
        if (site_path(site, dirs[i].name, path, NULL)) {
            file_remove_tree(path, NULL);
        }
    }
}

bool site_create(const site_create_t *request, site_t *site, err_t *err)
{
    char json[SITE_JSON_MAX];
    char path[FILE_PATH_MAX];
    char marker[FILE_PATH_MAX];
    size_t len;
    int fd;
    if (!authorities_check(request, err) || !settle(request, site, json, sizeof json, &len, err) ||
        !refuse_existing(site, err) || !file_make_dirs(site->dir, 0755, err) ||
        (site->checkpoint_dir[0] != '\0' && !site_checkpoint_dir_check(site, err)) ||
        !claim(site, marker, &fd, err)) {
        return false;
    }
    /* Somebody may have finished between the look and the lock. */
    bool ok = refuse_existing(site, err);
    if (ok) {
        bool keys = clear_and_make_dirs(site, err) && site_make_pki(site, request, err);
        ok = keys && (!wanted(site, STEWARD) || site_make_steward(site, request->now, err)) &&
             site_path(site, SITE_SETTINGS, path, err) &&
             file_write_new(path, json, len, 0644, err);
        if (!ok && keys) {
            authorities_withdraw(request);
        }
        if (!ok) {
            clear_all(site);
        }
    }
    unlink(marker);
    close(fd);
    return ok;
}

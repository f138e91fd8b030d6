/* SPDX-License-Identifier: Apache-2.0 */
#include "factory/bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <openssl/rand.h>

#include "base/bytes.h"
#include "factory/internal.h"
#include "json/json.h"
#include "site/air.h"
#include "site/run.h"

#define READY_MS 20000
#define PREFIX   "bench-"

/* ---- the folder ---- */

/* Folders whose process was killed: nobody holds their lock. */
static void sweep(const site_t *site)
{
    char factory[FILE_PATH_MAX];
    char path[FILE_PATH_MAX];
    DIR *dir = site_path(site, "factory", factory, NULL) ? opendir(factory) : NULL;
    struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) != 0 ||
            !file_join(path, factory, entry->d_name, NULL)) {
            continue;
        }
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
            file_remove_tree(path, NULL);
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

static bool make_folder(factory_bench_t *b, err_t *err)
{
    char path[FILE_PATH_MAX];
    if (!site_path(b->site, "factory/" PREFIX "XXXXXX", path, err)) {
        return false;
    }
    if (mkdtemp(path) == NULL) {
        return err_errno(err, "cannot make the bench's folder in %s/factory", b->site->dir);
    }
    b->lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (b->lock < 0 || flock(b->lock, LOCK_EX | LOCK_NB) != 0) {
        return err_errno(err, "cannot lock %s", path);
    }
    /* Links in it and programs that run in it must find it from anywhere. */
    char *real = realpath(path, NULL);
    bool ok = (real != NULL && strlen(real) < sizeof b->dir) ||
              err_errno(err, "cannot use the path %s", path);
    if (ok) {
        strcpy(b->dir, real);
    }
    free(real);
    return ok;
}

static bool link_one(const factory_bench_t *b, const char *name, err_t *err)
{
    char from[FILE_PATH_MAX];
    char to[FILE_PATH_MAX];
    char *real = site_path(b->site, name, from, err) ? realpath(from, NULL) : NULL;
    bool ok = real != NULL && file_join(to, b->dir, name, err) && symlink(real, to) == 0;
    free(real);
    return ok || err_errno(err, "cannot use %s of the site on the bench", name);
}

static bool furnish(factory_bench_t *b, err_t *err)
{
    static const char *const FOLDERS[] = {"air", "devices", "run", "cloud", "factory", "logs"};
    static const char *const LINKS[] = {"cradle.json",      "ca",
                                        "cloud/server.crt", "cloud/server.key",
                                        "factory/base.bin", "factory/units"};
    char path[FILE_PATH_MAX];
    /* The line may not have made anything yet. */
    bool ok = factory_base_make(b->site, err) && site_path(b->site, "factory/units", path, err) &&
              file_make_dirs(path, 0700, err);
    for (size_t i = 0; ok && i < sizeof FOLDERS / sizeof *FOLDERS; i++) {
        ok = file_join(path, b->dir, FOLDERS[i], err) && file_make_dirs(path, 0700, err);
    }
    for (size_t i = 0; ok && i < sizeof LINKS / sizeof *LINKS; i++) {
        ok = link_one(b, LINKS[i], err);
    }
    return ok && site_open(&b->own, b->dir, err);
}

/* ---- the cloud ---- */

static bool start_cloud(factory_bench_t *b, err_t *err)
{
    char program[FILE_PATH_MAX];
    char log[FILE_PATH_MAX];
    char ready[SITE_RUN_MAX + 1];
    char forward[FILE_PATH_MAX];
    const char *argv[12] = {program,         "-C",         b->dir, "--listen", "127.0.0.1:0",
                            "--http-listen", "127.0.0.1:0"};
    if (b->site->steward[0] != '\0') {
        if (!factory_answer_open(&b->answer, b->site, err) ||
            !site_path(b->site, SITE_FORWARD_KEY, forward, err)) {
            return false;
        }
        argv[7] = "--steward-url";
        argv[8] = factory_answer_url(b->answer);
        argv[9] = "--steward-key";
        argv[10] = forward;
    }
    return proc_beside("cradle-cloud", program, sizeof program, err) &&
           file_join(log, b->dir, "logs/cloud.log", err) &&
           proc_start(&b->cloud, argv, log, false, err) &&
           (site_run_wait(&b->own, "cloud", b->cloud.pid, READY_MS, ready, err) ||
            err_add(err, "the test cloud did not start")) &&
           site_run_address(&b->own, "cloud", "mqtts", b->mqtts, err);
}

static bool read_login(const char *path, char user[128], char password[128], err_t *err)
{
    json_token_t token;
    char *text;
    size_t len;
    if (!file_read_private(path, 4096, &text, &len, err)) {
        return false;
    }
    bool ok = json_find(text, len, "username", &token) && json_string(&token, user, 128, NULL) &&
              json_find(text, len, "password", &token) && json_string(&token, password, 128, NULL);
    bytes_wipe(text, len);
    free(text);
    return ok || err_set(err, ERR_INPUT, "%s does not hold a username and a password", path);
}

static bool log_in(factory_bench_t *b, const factory_bench_settings_t *s, err_t *err)
{
    char address[SITE_HOST_SIZE];
    char url[SITE_HOST_SIZE + 16];
    char ca[FILE_PATH_MAX];
    char login[FILE_PATH_MAX];
    char user[128];
    char password[128] = "";
    bool own = s->cloud == NULL;
    if (own && !site_run_address(&b->own, "cloud", "https", address, err)) {
        return false;
    }
    snprintf(url, sizeof url, "https://%s", own ? address : "");
    if (!site_ca_path(b->site, "server-root", ca, err) ||
        !site_path(&b->own, "cloud/admin.json", login, err) ||
        !read_login(own ? login : s->cloud_login, user, password, err)) {
        return false;
    }
    const tbrest_settings_t rest = {.url = own ? url : s->cloud_url,
                                    .ca_file = own || s->cloud_ca == NULL ? ca : s->cloud_ca};
    bool ok = true;
    for (unsigned i = 0; ok && i < b->jobs; i++) {
        ok = tbrest_open(&b->rest[i], &rest, err) && tbrest_login(b->rest[i], user, password, err);
    }
    bytes_wipe(password, sizeof password);
    return ok;
}

/* ---- the air ---- */

static bool make_network(factory_bench_t *b, err_t *err)
{
    uint8_t random[12];
    char passphrase[2 * sizeof random + 1];
    if (RAND_bytes(random, sizeof random) != 1) {
        return err_set(err, ERR_SYSTEM, "no random numbers");
    }
    bytes_to_hex(random, sizeof random, passphrase, sizeof passphrase);
    site_air_host_t host = {b->site->cloud, b->mqtts};
    site_air_t air = {FACTORY_BENCH_SSID, passphrase, true, &host, 1};
    bool ok = file_join(b->passphrase_file, b->dir, "passphrase", err) &&
              file_write(b->passphrase_file, passphrase, strlen(passphrase), 0600, err) &&
              site_air_write(b->dir, &air, false, err);
    bytes_wipe(passphrase, sizeof passphrase);
    return ok;
}

/* ---- opening ---- */

static bool check_settings(const factory_bench_settings_t *s, err_t *err)
{
    bool any = s->cloud != NULL || s->cloud_url != NULL || s->cloud_login != NULL;
    bool all = s->cloud != NULL && s->cloud_url != NULL && s->cloud_login != NULL;
    if (any && !all) {
        return err_set(err, ERR_USAGE,
                       "a cloud of your own needs --cloud, --cloud-url and --cloud-login");
    }
    return s->jobs <= FACTORY_BENCH_JOBS_MAX ||
           err_set(err, ERR_USAGE, "at most %d units at a time", FACTORY_BENCH_JOBS_MAX);
}

bool factory_bench_open(factory_bench_t *b, const site_t *site,
                        const factory_bench_settings_t *settings, err_t *err)
{
    memset(b, 0, sizeof *b);
    b->site = site;
    b->lock = -1;
    b->jobs = settings->jobs == 0 ? 4 : settings->jobs;
    if (settings->cloud != NULL) {
        snprintf(b->mqtts, sizeof b->mqtts, "%s", settings->cloud);
    }
    if (!check_settings(settings, err)) {
        return false;
    }
    sweep(site);
    return proc_beside("cradle", b->cradle, sizeof b->cradle, err) && make_folder(b, err) &&
           furnish(b, err) && (settings->cloud != NULL || start_cloud(b, err)) &&
           log_in(b, settings, err) && make_network(b, err);
}

void factory_bench_close(factory_bench_t *b)
{
    for (unsigned i = 0; i < b->jobs && i < FACTORY_BENCH_JOBS_MAX; i++) {
        tbrest_close(b->rest[i]);
        b->rest[i] = NULL;
    }
    if (b->cloud.pid != 0) {
        proc_stop(&b->cloud, 5000);
    }
    factory_answer_close(b->answer);
    b->answer = NULL;
    if (b->dir[0] != '\0') {
        file_remove_tree(b->dir, NULL);
    }
    if (b->lock >= 0) {
        close(b->lock);
        b->lock = -1;
    }
}

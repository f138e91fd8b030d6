/* SPDX-License-Identifier: Apache-2.0 */
#include "site/run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "json/json.h"

#define POLL_MS 5

static bool run_path(const site_t *site, const char *name, char out[FILE_PATH_MAX], err_t *err)
{
    char relative[128];
    size_t len = strlen(name);
    if (len == 0 || len > 64 ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                     "0123456789-_.") != len) {
        return err_set(err, ERR_USAGE, "\"%.64s\" is no name of a program of a site", name);
    }
    snprintf(relative, sizeof relative, "run/%s.json", name);
    return site_path(site, relative, out, err);
}

/* When the process began, in clock ticks since boot: field 22 of /proc/PID/stat. With the pid it
   names a process for good, which the pid alone does not. 0: there is no such process. */
static uint64_t process_start(pid_t pid)
{
    char path[64];
    char text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    char *p = strrchr(text, ')'); /* the name in brackets may hold anything */
    for (int field = 2; p != NULL && field < 22; field++) {
        p = strchr(p + 1, ' ');
    }
    return p == NULL ? 0 : strtoull(p + 1, NULL, 10);
}

typedef struct {
    pid_t pid;
    uint64_t start;
} owner_t;

static bool parse_owner(const char *json, size_t len, owner_t *owner)
{
    json_token_t value;
    int64_t pid;
    int64_t start = 0;
    if (!json_find(json, len, "pid", &value) || !json_i64(&value, &pid) || pid <= 0 ||
        pid > INT32_MAX) {
        return false;
    }
    if (json_find(json, len, "start", &value) && !json_i64(&value, &start)) {
        return false;
    }
    owner->pid = (pid_t)pid;
    owner->start = (uint64_t)start;
    return true;
}

static bool is_alive(const owner_t *owner)
{
    if (kill(owner->pid, 0) != 0 && errno != EPERM) {
        return false;
    }
    return owner->start == 0 || process_start(owner->pid) == owner->start;
}

/* 0: not there, or stale; 1: live; -1: error. */
static int read_live(const char *path, char out[SITE_RUN_MAX + 1], owner_t *owner, err_t *err)
{
    char *text;
    size_t len;
    err_t why = ERR_INIT;
    if (!file_read(path, SITE_RUN_MAX, &text, &len, &why)) {
        if (why.kind == ERR_PRECONDITION) {
            return 0;
        }
        err_set(err, why.kind, "%s", why.text);
        return -1;
    }
    bool ok = parse_owner(text, len, owner);
    if (ok) {
        memcpy(out, text, len + 1);
    }
    free(text);
    if (!ok) {
        err_set(err, ERR_INPUT, "%s is damaged; remove it when the program is not running", path);
        return -1;
    }
    return is_alive(owner) ? 1 : 0;
}

static bool put_self(const site_run_listener_t *listeners, size_t count, char *out, size_t cap,
                     size_t *len)
{
    json_writer_t w;
    json_writer_init(&w, out, cap);
    json_object(&w);
    json_key(&w, "start");
    json_put_i64(&w, (int64_t)process_start(getpid()));
    json_key(&w, "pid");
    json_put_i64(&w, getpid());
    json_key(&w, "addresses");
    json_object(&w);
    for (size_t i = 0; i < count; i++) {
        json_key(&w, listeners[i].listener);
        json_put_string(&w, listeners[i].address);
    }
    json_end(&w);
    json_end(&w);
    return json_writer_done(&w, len);
}

bool site_run_write(const site_t *site, const char *name, const site_run_listener_t *listeners,
                    size_t count, err_t *err)
{
    char path[FILE_PATH_MAX];
    char text[SITE_RUN_MAX + 1];
    char there[SITE_RUN_MAX + 1];
    owner_t owner;
    size_t len;
    if (!run_path(site, name, path, err)) {
        return false;
    }
    if (!put_self(listeners, count, text, sizeof text, &len)) {
        return err_set(err, ERR_USAGE, "a run file has at most %d bytes", SITE_RUN_MAX);
    }
    int live = read_live(path, there, &owner, NULL);
    if (live == 1 && owner.pid != getpid()) {
        return err_set(err, ERR_PRECONDITION, "%s runs already as process %ld (%s)", name,
                       (long)owner.pid, path);
    }
    return file_write(path, text, len, 0644, err);
}

void site_run_remove(const site_t *site, const char *name)
{
    char path[FILE_PATH_MAX];
    char text[SITE_RUN_MAX + 1];
    owner_t owner;
    if (run_path(site, name, path, NULL) && read_live(path, text, &owner, NULL) == 1 &&
        owner.pid == getpid()) {
        unlink(path);
    }
}

bool site_run_read(const site_t *site, const char *name, char out[SITE_RUN_MAX + 1], pid_t *pid,
                   err_t *err)
{
    char path[FILE_PATH_MAX];
    owner_t owner;
    out[0] = '\0';
    if (!run_path(site, name, path, err)) {
        return false;
    }
    int live = read_live(path, out, &owner, err);
    if (live == 0) {
        out[0] = '\0';
        return err_set(err, ERR_PRECONDITION, "%s is not running in the site %s", name, site->dir);
    }
    if (live == 1 && pid != NULL) {
        *pid = owner.pid;
    }
    return live == 1;
}

bool site_run_address(const site_t *site, const char *name, const char *listener,
                      char out[SITE_HOST_SIZE], err_t *err)
{
    char text[SITE_RUN_MAX + 1];
    char path[64];
    json_token_t value;
    if (!site_run_read(site, name, text, NULL, err)) {
        return false;
    }
    snprintf(path, sizeof path, "addresses.%s", listener);
    if (!json_find(text, strlen(text), path, &value) ||
        !json_string(&value, out, SITE_HOST_SIZE, NULL)) {
        return err_set(err, ERR_PRECONDITION, "%s does not listen for %s", name, listener);
    }
    return true;
}

/* Has the child ended? It stays for the caller to reap. */
static bool child_ended(pid_t child)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == child;
}

bool site_run_wait(const site_t *site, const char *name, pid_t child, int timeout_ms,
                   char out[SITE_RUN_MAX + 1], err_t *err)
{
    const struct timespec pause = {0, POLL_MS * 1000000L};
    uint64_t end = clock_monotonic_ms() + (uint64_t)(timeout_ms < 0 ? 0 : timeout_ms);
    for (;;) {
        pid_t pid = 0;
        err_t why = ERR_INIT;
        if (site_run_read(site, name, out, &pid, &why) && (child <= 0 || pid == child)) {
            return true;
        }
        if (why.kind == ERR_USAGE) {
            return err_set(err, ERR_USAGE, "%s", why.text);
        }
        if (child > 0 && child_ended(child)) {
            out[0] = '\0';
            return err_set(err, ERR_PEER, "%s ended before it was ready; see its log", name);
        }
        if (clock_monotonic_ms() >= end) {
            out[0] = '\0';
            return err_set(err, ERR_PRECONDITION, "%s was not ready within %d ms", name,
                           timeout_ms);
        }
        nanosleep(&pause, NULL);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "json/json.h"
#include "phone/phone.h"

#define ANNOUNCEMENT_MAX 4096

/* A text member that fits and has no control characters. */
static bool take_text(const char *json, size_t len, const char *key, char *out, size_t cap)
{
    json_token_t token;

    if (!json_find(json, len, key, &token) || !json_string(&token, out, cap, NULL) || !out[0])
        return false;
    for (const char *c = out; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
    return true;
}

static bool parse(const char *json, size_t len, phone_device_t *device)
{
    json_token_t token;
    int64_t pid;

    memset(device, 0, sizeof *device);
    if (!take_text(json, len, "name", device->name, sizeof device->name) ||
        !take_text(json, len, "transport", device->transport, sizeof device->transport) ||
        !take_text(json, len, "address", device->address, sizeof device->address) ||
        !json_find(json, len, "pid", &token) || !json_i64(&token, &pid) || pid <= 0 ||
        pid > INT32_MAX)
        return false;
    device->pid = (long)pid;
    device->stale = kill((pid_t)pid, 0) != 0 && errno == ESRCH;
    return true;
}

static bool is_announcement(const char *file)
{
    size_t len = strlen(file);

    return file[0] != '.' && len > 5 && strcmp(file + len - 5, ".json") == 0 &&
           strcmp(file, "networks.json") != 0;
}

typedef enum { READ_OK, READ_DAMAGED, READ_GONE } read_t;

/* A device may stop, and take its file away, while we look. */
static read_t read_one(const char *dir, const char *file, phone_device_t *device)
{
    char path[FILE_PATH_MAX], *text;
    size_t len;
    err_t why = ERR_INIT;

    if (!file_join(path, dir, file, NULL))
        return READ_DAMAGED;
    if (!file_read(path, ANNOUNCEMENT_MAX, &text, &len, &why))
        return why.kind == ERR_PRECONDITION ? READ_GONE : READ_DAMAGED;
    bool ok = parse(text, len, device);
    free(text);
    return ok ? READ_OK : READ_DAMAGED;
}

static int by_name(const void *a, const void *b)
{
    const phone_device_t *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order ? order : strcmp(x->address, y->address);
}

bool phone_scan(const char *air_dir, phone_device_t **devices, size_t *count, size_t *damaged,
                err_t *err)
{
    const struct dirent *entry;

    *devices = NULL;
    *count = *damaged = 0;
    DIR *dir = opendir(air_dir);
    if (!dir && errno != ENOENT)
        return err_errno(err, "looking into the air at %s", air_dir);
    phone_device_t *list = calloc(PHONE_DEVICES_MAX, sizeof *list);
    if (!list) {
        if (dir)
            closedir(dir);
        return err_set(err, ERR_SYSTEM, "out of memory for a list of devices");
    }
    while (dir && *count < PHONE_DEVICES_MAX && (entry = readdir(dir)) != NULL) {
        if (!is_announcement(entry->d_name))
            continue;
        read_t got = read_one(air_dir, entry->d_name, &list[*count]);
        *count += got == READ_OK;
        *damaged += got == READ_DAMAGED;
    }
    if (dir)
        closedir(dir);
    qsort(list, *count, sizeof *list, by_name);
    *devices = list;
    return true;
}

/* "who is there" for an error, cut where there are too many. */
static void list_names(const phone_device_t *devices, size_t count, char *out, size_t cap)
{
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count && at + PHONE_NAME_SIZE + 8 < cap; i++)
        if (!devices[i].stale)
            at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? ", " : "", devices[i].name);
}

static bool not_found(const char *name, const phone_device_t *devices, size_t count, err_t *err)
{
    char names[256];

    list_names(devices, count, names, sizeof names);
    if (!names[0])
        return err_set(err, ERR_PRECONDITION,
                       "%.40s%sno device is waiting for Wi-Fi here: start one with `cradle device "
                       "run`, or reset it",
                       name ? name : "", name ? " is not in the air; " : "");
    if (name)
        return err_set(err, ERR_PRECONDITION, "%.40s is not in the air; waiting for Wi-Fi: %s",
                       name, names);
    return err_set(err, ERR_PRECONDITION, "say which device: %s", names);
}

bool phone_find(const char *air_dir, const char *name, phone_device_t *device, err_t *err)
{
    phone_device_t *devices;
    const phone_device_t *found = NULL;
    size_t count, damaged, hits = 0;

    if (!phone_scan(air_dir, &devices, &count, &damaged, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (devices[i].stale || (name && strcmp(devices[i].name, name) != 0))
            continue;
        found = &devices[i];
        hits++;
    }
    bool ok = hits == 1;
    if (ok)
        *device = *found;
    else if (name && hits > 1)
        err_set(err, ERR_PRECONDITION, "%zu devices are called %.40s: choose one by --address",
                hits, name);
    else
        not_found(name, devices, count, err);
    free(devices);
    return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/steward_cloud.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pki/cert.h"

cloud_t *fake_cloud_new(void)
{
    cloud_t *cloud =
        mmap(NULL, sizeof *cloud, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return cloud != MAP_FAILED ? cloud : NULL;
}

fake_device_t *fake_cloud_find(cloud_t *cloud, const char *id)
{
    for (int i = 0; i < FAKE_DEVICES; i++) {
        if (cloud->devices[i].used && strcmp(cloud->devices[i].id, id) == 0) {
            return &cloud->devices[i];
        }
    }
    return NULL;
}

fake_device_t *fake_cloud_named(cloud_t *cloud, const char *name)
{
    for (int i = 0; i < FAKE_DEVICES; i++) {
        if (cloud->devices[i].used && strcmp(cloud->devices[i].name, name) == 0) {
            return &cloud->devices[i];
        }
    }
    return NULL;
}

static fake_device_t *with_leaf(cloud_t *cloud, const uint8_t *leaf, size_t len)
{
    for (int i = 0; i < FAKE_DEVICES; i++) {
        fake_device_t *d = &cloud->devices[i];
        if (d->used && !d->token && d->leaf_len == len && memcmp(d->leaf, leaf, len) == 0) {
            return d;
        }
    }
    return NULL;
}

static fake_device_t *make(cloud_t *cloud, const char *name, const uint8_t *leaf, size_t len)
{
    for (int i = 0; i < FAKE_DEVICES; i++) {
        fake_device_t *d = &cloud->devices[i];
        if (!d->used) {
            memset(d, 0, sizeof *d);
            d->used = true;
            snprintf(d->id, sizeof d->id, "00000000-0000-0000-0000-%012u", ++cloud->made);
            snprintf(d->name, sizeof d->name, "%s", name);
            strcpy(d->customer, TBREST_NULL_ID);
            memcpy(d->leaf, leaf, len);
            d->leaf_len = len;
            return d;
        }
    }
    abort();
}

fake_device_t *fake_cloud_connect(cloud_t *cloud, const char *name, const uint8_t *leaf, size_t len)
{
    fake_device_t *d = with_leaf(cloud, leaf, len);
    if (d != NULL) {
        return d;
    }
    d = fake_cloud_named(cloud, name);
    if (d == NULL) {
        return make(cloud, name, leaf, len);
    }
    if (d->profile != CLOUD_LOBBY || d->token) {
        return NULL;
    }
    memcpy(d->leaf, leaf, len);
    d->leaf_len = len;
    return d;
}

const char *fake_cloud_customer(cloud_t *cloud, const char *title)
{
    static char id[TBREST_ID_SIZE];
    id[0] = '\0';
    for (int i = 0; i < FAKE_CUSTOMERS; i++) {
        if (strcmp(cloud->customers[i], title) == 0) {
            snprintf(id, sizeof id, "11111111-0000-0000-0000-%012d", i);
        }
    }
    return id;
}

/* ---- steward/cloud.h ---- */

static bool begin(cloud_t *cloud, err_t *err)
{
    if (++cloud->calls == cloud->die_before) {
        _exit(9);
    }
    return !cloud->down || err_set(err, ERR_PEER, "the cloud is down");
}

static void end(const cloud_t *cloud)
{
    if (cloud->calls == cloud->die_after) {
        _exit(9);
    }
}

bool cloud_open(cloud_t **cloud, const cloud_settings_t *settings, err_t *err)
{
    (void)settings;
    (void)err;
    *cloud = fake_cloud_new();
    return *cloud != NULL;
}

void cloud_close(cloud_t *cloud)
{
    (void)cloud;
}

bool cloud_ready(cloud_t *cloud, err_t *err)
{
    return begin(cloud, err);
}

static void describe(const fake_device_t *d, cloud_device_t *device)
{
    memset(device, 0, sizeof *device);
    if (d == NULL) {
        return;
    }
    device->found = true;
    snprintf(device->id, sizeof device->id, "%s", d->id);
    snprintf(device->name, sizeof device->name, "%s", d->name);
    snprintf(device->customer, sizeof device->customer, "%s", d->customer);
    device->profile = d->profile;
    device->gateway = d->gateway;
    device->dressed = d->dressed;
    device->has_leaf = !d->token;
    memcpy(device->leaf, d->leaf, d->leaf_len);
    device->leaf_len = d->leaf_len;
    pki_sha256(d->leaf, d->leaf_len, device->leaf_hash, NULL);
}

bool cloud_device_read(cloud_t *cloud, const char *id, cloud_device_t *device, err_t *err)
{
    if (!begin(cloud, err)) {
        return false;
    }
    describe(fake_cloud_find(cloud, id), device);
    end(cloud);
    return true;
}

bool cloud_device_find(cloud_t *cloud, const char *name, cloud_device_t *device, err_t *err)
{
    if (!begin(cloud, err)) {
        return false;
    }
    describe(fake_cloud_named(cloud, name), device);
    end(cloud);
    return true;
}

bool cloud_lobby(cloud_t *cloud, cloud_each_fn each, void *ctx, err_t *err)
{
    if (!begin(cloud, err)) {
        return false;
    }
    for (int i = 0; i < FAKE_DEVICES; i++) {
        const fake_device_t *d = &cloud->devices[i];
        if (d->used && d->profile == CLOUD_LOBBY && !each(ctx, d->id, d->name)) {
            break;
        }
    }
    end(cloud);
    return true;
}

bool cloud_customer(cloud_t *cloud, const char *title, char id[TBREST_ID_SIZE], err_t *err)
{
    if (!begin(cloud, err)) {
        return false;
    }
    for (int i = 0; i < FAKE_CUSTOMERS && fake_cloud_customer(cloud, title)[0] == '\0'; i++) {
        if (cloud->customers[i][0] == '\0') {
            snprintf(cloud->customers[i], sizeof cloud->customers[i], "%s", title);
        }
    }
    strcpy(id, fake_cloud_customer(cloud, title));
    end(cloud);
    return true;
}

/* What every change begins with. */
static cloud_outcome_t take(cloud_t *cloud, const char *id, fake_device_t **d, err_t *err)
{
    *d = NULL;
    if (!begin(cloud, err)) {
        return CLOUD_FAILED;
    }
    *d = fake_cloud_find(cloud, id);
    return *d != NULL ? CLOUD_OK : CLOUD_NOT_FOUND;
}

static cloud_outcome_t done(cloud_t *cloud, cloud_outcome_t outcome)
{
    end(cloud);
    return outcome;
}

cloud_outcome_t cloud_unassign(cloud_t *cloud, const char *id, err_t *err)
{
    fake_device_t *d;
    cloud_outcome_t outcome = take(cloud, id, &d, err);
    if (d != NULL) {
        strcpy(d->customer, TBREST_NULL_ID);
    }
    return done(cloud, outcome);
}

cloud_outcome_t cloud_assign(cloud_t *cloud, const char *id, const char *customer, err_t *err)
{
    fake_device_t *d;
    cloud_outcome_t outcome = take(cloud, id, &d, err);
    if (d != NULL) {
        snprintf(d->customer, sizeof d->customer, "%s", customer);
    }
    return done(cloud, outcome);
}

cloud_outcome_t cloud_delete(cloud_t *cloud, const char *id, err_t *err)
{
    fake_device_t *d;
    cloud_outcome_t outcome = take(cloud, id, &d, err);
    if (d != NULL) {
        d->used = false;
    }
    return done(cloud, outcome == CLOUD_NOT_FOUND ? CLOUD_OK : outcome);
}

static cloud_outcome_t put_leaf(cloud_t *cloud, fake_device_t *d, const uint8_t *leaf, size_t len)
{
    const fake_device_t *holder = with_leaf(cloud, leaf, len);
    if (holder != NULL && holder != d) {
        return CLOUD_EXISTS;
    }
    d->profile = CLOUD_OPERATING;
    d->token = false;
    memcpy(d->leaf, leaf, len);
    d->leaf_len = len;
    return CLOUD_OK;
}

cloud_outcome_t cloud_leaf(cloud_t *cloud, const char *id, const uint8_t *leaf, size_t len,
                           err_t *err)
{
    fake_device_t *d;
    cloud_outcome_t outcome = take(cloud, id, &d, err);
    return done(cloud, d != NULL ? put_leaf(cloud, d, leaf, len) : outcome);
}

cloud_outcome_t cloud_secure(cloud_t *cloud, const char *id, const uint8_t *leaf, size_t len,
                             err_t *err)
{
    fake_device_t *d;
    cloud_outcome_t outcome = take(cloud, id, &d, err);
    if (d != NULL) {
        strcpy(d->customer, TBREST_NULL_ID);
        d->gateway = false;
        outcome = put_leaf(cloud, d, leaf, len);
    }
    return done(cloud, outcome);
}

cloud_outcome_t cloud_quarantine(cloud_t *cloud, const char *id, err_t *err)
{
    fake_device_t *d;
    cloud_outcome_t outcome = take(cloud, id, &d, err);
    if (d != NULL) {
        d->profile = CLOUD_OPERATING;
        d->token = true;
    }
    return done(cloud, outcome);
}

cloud_outcome_t cloud_fields(cloud_t *cloud, const char *id, const char *name, err_t *err)
{
    fake_device_t *d;
    cloud_outcome_t outcome = take(cloud, id, &d, err);
    if (d != NULL) {
        snprintf(d->name, sizeof d->name, "%s", name);
        d->dressed = false;
        d->gateway = false;
    }
    return done(cloud, outcome);
}

cloud_outcome_t cloud_create(cloud_t *cloud, const char *name, const uint8_t *leaf, size_t len,
                             const char *customer, char id[TBREST_ID_SIZE], err_t *err)
{
    if (!begin(cloud, err)) {
        return CLOUD_FAILED;
    }
    if (fake_cloud_named(cloud, name) != NULL || with_leaf(cloud, leaf, len) != NULL) {
        return done(cloud, CLOUD_EXISTS);
    }
    fake_device_t *d = make(cloud, name, leaf, len);
    d->profile = CLOUD_OPERATING;
    if (customer[0] != '\0') {
        snprintf(d->customer, sizeof d->customer, "%s", customer);
    }
    strcpy(id, d->id);
    return done(cloud, CLOUD_OK);
}

cloud_outcome_t cloud_count(cloud_t *cloud, const char *id, int64_t count[CLOUD_ITEMS], err_t *err)
{
    fake_device_t *d;
    cloud_outcome_t outcome = take(cloud, id, &d, err);
    if (d != NULL) {
        memcpy(count, d->count, sizeof d->count);
    }
    return done(cloud, outcome);
}

cloud_outcome_t cloud_erase(cloud_t *cloud, const char *id, receipt_item_t item, err_t *err)
{
    fake_device_t *d;
    cloud_outcome_t outcome = take(cloud, id, &d, err);
    if (d != NULL) {
        d->count[item] = 0;
    }
    return done(cloud, outcome);
}

cloud_outcome_t cloud_doorbell(cloud_t *cloud, const char *id, err_t *err)
{
    fake_device_t *d;
    return done(cloud, take(cloud, id, &d, err));
}

uint64_t cloud_calls(const cloud_t *cloud)
{
    return (uint64_t)cloud->calls;
}

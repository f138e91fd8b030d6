/* SPDX-License-Identifier: Apache-2.0 */
/* A cloud in memory behind steward/cloud.h: linked in its place. Its state lies in shared memory,
   so that it outlives a steward that is killed in a child process. */
#ifndef CRADLE_TESTS_STEWARD_CLOUD_H
#define CRADLE_TESTS_STEWARD_CLOUD_H

#include "steward/cloud.h"

#define FAKE_DEVICES   16
#define FAKE_CUSTOMERS 8

typedef struct {
    bool used;
    char id[TBREST_ID_SIZE];
    char name[64];
    char customer[TBREST_ID_SIZE];
    cloud_profile_t profile;
    bool gateway;
    bool dressed;
    bool token; /* quarantined */
    uint8_t leaf[CLOUD_LEAF_MAX];
    size_t leaf_len;
    int64_t count[CLOUD_ITEMS];
} fake_device_t;

struct cloud {
    fake_device_t devices[FAKE_DEVICES];
    char customers[FAKE_CUSTOMERS][64]; /* titles; the id is made of the index */
    unsigned made;
    bool down;
    long calls;
    long die_before; /* the process ends before (after) this call, counted from 1; 0: never */
    long die_after;
};

cloud_t *fake_cloud_new(void); /* freed with the process */

/* A device connects with that leaf, and ThingsBoard's chain provisioning lets it in: makes it, or
   replaces its credentials while it is in the lobby. NULL: CONNACK 5. */
fake_device_t *fake_cloud_connect(cloud_t *cloud, const char *name, const uint8_t *leaf,
                                  size_t len);
fake_device_t *fake_cloud_find(cloud_t *cloud, const char *id);
fake_device_t *fake_cloud_named(cloud_t *cloud, const char *name);
const char *fake_cloud_customer(cloud_t *cloud, const char *title); /* id, or "" */

#endif

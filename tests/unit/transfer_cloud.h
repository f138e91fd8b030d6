/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer_cloud: a model of what a transfer acts on, for tests: records in two tenants, devices
 * with the old and the new key, the former owner, and a steward that may die at any moment. Lax as
 * ThingsBoard is: any of our keys with its chain makes a record or takes one over in the lobby.
 */
#ifndef CRADLE_TEST_TRANSFER_CLOUD_H
#define CRADLE_TEST_TRANSFER_CLOUD_H

#include "ownership/transfer.h"

#define CLOUD_RECORDS 32

typedef enum { OWNER_NONE = 0, OWNER_A, OWNER_B, OWNER_SOMEBODY } cloud_owner_t;
typedef enum { LEAF_OLD = 0, LEAF_NEW, LEAF_TOKEN } cloud_leaf_t;
/* Who wrote something: the device in A's time, somebody with a copy of the old key, B's device. */
typedef enum { BY_A = 0, BY_COPY, BY_B, WRITERS } cloud_writer_t;

typedef struct {
    bool used;
    int number; /* id is "r<number>" */
    int tenant;
    cloud_owner_t owner;
    cloud_leaf_t leaf;
    bool operating;
    bool label; /* A's label, info or firmware is on it */
    int64_t count[TRANSFER_ITEMS][WRITERS];
} cloud_record_t;

typedef struct {
    cloud_record_t record[CLOUD_RECORDS];
    int next_number;
    int home; /* tenant of the new owner; the devices' first contacts land in tenant 0 */
    bool same_leaf;
    bool committed; /* by the steward: A's device has left */
    bool denied;
    bool streaming; /* B's device was answered stream */
    int receipts;   /* kept by transfer id: 0 or 1  */
    receipt_t receipt;
    int64_t now;
    int calls; /* REST calls, as a steward would make them */
} cloud_t;

/* A's record, with telemetry, attributes, alarms, RPCs and a label; a transfer is about to begin.
 */
void cloud_init(cloud_t *cloud, int home, bool same_leaf);
const char *cloud_first_id(void);

/* Does it. */
transfer_result_t cloud_do(cloud_t *cloud, const transfer_t *transfer,
                           const transfer_action_t *action);

/* Something else happens. `what` is any number. True when a record appeared. */
bool cloud_event(cloud_t *cloud, uint32_t what);

/* The device with the new key connects; true when the cloud lets it in. */
bool cloud_new_device(cloud_t *cloud, bool *appeared);

/* Aborts the test when something is as it must never be. */
void cloud_check(const cloud_t *cloud);
/* What is in the end, as text: the same for every way to get there. */
void cloud_end(const cloud_t *cloud, char out[256]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cloud: what the steward reads and does at ThingsBoard, over REST and nothing else; cradle-cloud
 * speaks the same. ThingsBoard's fields are a projection of the steward's record: this file knows
 * nothing of that record, it does as it is told and reads back what it did.
 *
 * Blocking; one thread. Every call has a time-out (CLOUD_TIMEOUT_MS). All calls may be repeated:
 * deleting what is gone and assigning what is assigned are successes.
 *
 * Devices are named by their id wherever one is known: a name can be rewritten by the device's
 * owner (thingsboard-live.md section 2).
 *
 * Credentials: ThingsBoard takes any text as a certificate and locks the device out, so a leaf is
 * sent alone, read back, and compared by hash (section 1).
 */
#ifndef CRADLE_STEWARD_CLOUD_H
#define CRADLE_STEWARD_CLOUD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "statement/receipt.h"
#include "tbrest/tbrest.h"

#define CLOUD_TIMEOUT_MS 10000
#define CLOUD_ITEMS      6 /* what a wipe erases: the first six of receipt_item_t */
#define CLOUD_LEAF_MAX   2048

typedef struct cloud cloud_t;

typedef struct {
    const char *url;
    const char *ca_file;    /* PEM, or NULL for the system's */
    const char *login_file; /* {"username":"..","password":".."}, not readable by others */
    const char *lobby;      /* profile names */
    const char *operating;
} cloud_settings_t;

/* Reads the login file; talks to nobody yet: the cloud may start later than the steward. */
bool cloud_open(cloud_t **cloud, const cloud_settings_t *settings, err_t *err);
void cloud_close(cloud_t *cloud);

/* Logs in and looks up the two profiles, if that is not done yet; every other call begins with it.
   ERR_PRECONDITION names a profile that is missing (`cradle thingsboard setup` makes them). */
bool cloud_ready(cloud_t *cloud, err_t *err);

typedef enum { CLOUD_LOBBY = 0, CLOUD_OPERATING, CLOUD_OTHER } cloud_profile_t;

/* A device as it is at the cloud now. */
typedef struct {
    bool found;
    char id[TBREST_ID_SIZE];
    char name[TBREST_NAME_SIZE];
    char customer[TBREST_ID_SIZE]; /* TBREST_NULL_ID: nobody's */
    cloud_profile_t profile;
    bool gateway; /* additionalInfo.gateway                                            */
    bool dressed; /* label, other additionalInfo, firmware or software are there       */
    int64_t created_ms;
    bool has_leaf; /* its credentials are a certificate, and one that can be read       */
    uint8_t leaf[CLOUD_LEAF_MAX]; /* DER */
    size_t leaf_len;
    uint8_t leaf_hash[32]; /* SHA-256 of that DER */
} cloud_device_t;

/* With credentials. A device that does not exist is success with found == false. */
bool cloud_device_read(cloud_t *cloud, const char *id, cloud_device_t *device, err_t *err);
bool cloud_device_find(cloud_t *cloud, const char *name, cloud_device_t *device, err_t *err);

/* Each device in the lobby profile (ids only: read it then); the callback returns false to stop.
   One call per page of 100, whatever the size of the fleet. */
typedef bool (*cloud_each_fn)(void *ctx, const char *id, const char *name);
bool cloud_lobby(cloud_t *cloud, cloud_each_fn each, void *ctx, err_t *err);

/* The customer of that title, made if there is none. */
bool cloud_customer(cloud_t *cloud, const char *title, char id[TBREST_ID_SIZE], err_t *err);

typedef enum {
    CLOUD_OK = 0,
    CLOUD_NOT_FOUND, /* no such device (any more)                     */
    CLOUD_EXISTS,    /* name or leaf is taken by another device       */
    CLOUD_FAILED,    /* anything else: maybe done, maybe not; see err */
} cloud_outcome_t;

cloud_outcome_t cloud_unassign(cloud_t *cloud, const char *id, err_t *err);
cloud_outcome_t cloud_assign(cloud_t *cloud, const char *id, const char *customer, err_t *err);
cloud_outcome_t cloud_delete(cloud_t *cloud, const char *id, err_t *err);
/* Operating profile (firmware cannot come along from another), then `leaf` as credentials (only
   where they differ), read back. */
cloud_outcome_t cloud_leaf(cloud_t *cloud, const char *id, const uint8_t *leaf, size_t len,
                           err_t *err);
/* cloud_leaf, and unassigned, and no gateway flag. */
cloud_outcome_t cloud_secure(cloud_t *cloud, const char *id, const uint8_t *leaf, size_t len,
                             err_t *err);
/* Operating profile, a random access token as credentials: nobody gets in. */
cloud_outcome_t cloud_quarantine(cloud_t *cloud, const char *id, err_t *err);
/* name, and no label, additionalInfo (gateway flag), firmware, software. CLOUD_EXISTS: the name is
   taken. */
cloud_outcome_t cloud_fields(cloud_t *cloud, const char *id, const char *name, err_t *err);
/* One call: POST /api/device-with-credentials, in the operating profile, customer "" for nobody;
   read back. */
cloud_outcome_t cloud_create(cloud_t *cloud, const char *name, const uint8_t *leaf, size_t len,
                             const char *customer, char id[TBREST_ID_SIZE], err_t *err);

/* How many there are of each item (points of telemetry, attributes, alarms, RPCs); one that cannot
   be counted exactly is given as at least 1. Server attributes that the platform writes about the
   device (thingsboard.md section 5: `active`, the four times, `provisionState`) are not counted and
   not erased. */
cloud_outcome_t cloud_count(cloud_t *cloud, const char *id, int64_t count[CLOUD_ITEMS], err_t *err);
/* All of one item. ThingsBoard 4.2 cannot delete a key with a comma in it: CLOUD_OK, and it goes on
   being counted. */
cloud_outcome_t cloud_erase(cloud_t *cloud, const char *id, receipt_item_t item, err_t *err);

/* Server RPC `cradle.call` without content, one-way, never persistent: the device says hello.
   Blocks for 5 s when the device is not connected (CLOUD_FAILED). */
cloud_outcome_t cloud_doorbell(cloud_t *cloud, const char *id, err_t *err);

/* How many REST calls this handle has made: the budgets of DESIGN section 9 are held against it. */
uint64_t cloud_calls(const cloud_t *cloud);

#endif

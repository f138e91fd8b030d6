/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity: station 3 for boards. Each gets a serial number that nobody ever had, bound to its own
 * MAC, a key and a certificate; the SPIFFS image is built, written, read back and parsed before
 * custody says so (factory.h). The same board asked again gets the same SN, and nothing new.
 *
 * The key is made here. Where the unit is flash bytes, factory/units/SN/identity.bin is that flash
 * and the only place that holds it. Where it is a chip, the image is written through esptool and
 * read back, and factory/units/SN keeps only device.crt and device.json. keep_key leaves
 * factory/units/SN/device.key (0600) in both cases, and identity.bin too.
 *
 * With the signer away there are two steps. factory_identity_request allots SNs, makes keys
 * (factory/pending/SN/device.key, 0600), records {mac, key} as "pending", and writes their requests
 * to one PEM file. factory_identity_import takes the chains that came back (lib/pki batch.h),
 * checks each against its pending key and the site's CAs, makes the unit, and removes the pending
 * key.
 */
#ifndef CRADLE_FACTORY_IDENTITY_H
#define CRADLE_FACTORY_IDENTITY_H

#include "factory/flash.h"
#include "factory/station.h"

#define FACTORY_PENDING "pending" /* custody: {mac, key}: key is the SHA-256 of its SPKI, hex */

/* One board of a call. In: mac. Out: the unit (SN, ...), or why not. */
typedef struct {
    char mac[FACTORY_MAC_SIZE];
    factory_unit_t unit; /* of a request only sn and mac */
    bool ok;
    bool already; /* it had that SN before */
    err_t err;
} factory_job_t;

typedef struct {
    const char *writer;         /* NULL: FACTORY_WRITER                    */
    factory_flasher_t *flasher; /* onto a chip; NULL: flash bytes          */
    bool keep_key;
} factory_identity_t;

/* Boards in one call: they share a transaction. */
#define FACTORY_JOBS_MAX 64

/* Each board must have passed station 2. Sets each job's outcome; true when all are ok. */
bool factory_identity(factory_station_t *station, const factory_identity_t *how,
                      factory_job_t *jobs, size_t count, err_t *err);

/* As above for the first half, and adds each ok board's request to *pem (heap, the caller frees;
   grows, NULL at first). A board that is pending already gets a request with the same key. */
bool factory_identity_request(factory_station_t *station, const factory_identity_t *how,
                              factory_job_t *jobs, size_t count, char **pem, size_t *pem_len,
                              err_t *err);

/* The second half, for a file of chains. Calls `each` (may be NULL) for every chain in their order;
   one that is refused does not keep the others back. False when any was, or the file is damaged. */
bool factory_identity_import(factory_station_t *station, const factory_identity_t *how,
                             const char *path,
                             void (*each)(void *context, const factory_job_t *job), void *context,
                             err_t *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * factory: makes units. For each one: a serial number that nobody ever had, a MAC, a key and a
 * certificate, and the SPIFFS image of its identity partition.
 *
 * Order of events, so that a kill at any instant loses nothing but serial numbers:
 *   1. a block of numbers is reserved in custody (synced);
 *   2. keys, certificates and images are made, written to factory/units/SN/ (0600), read back from
 *      the file and parsed again;
 *   3. the files are synced;
 *   4. custody records all units of the block in one transaction (synced): only now they exist.
 * A run that begins finds blocks whose run has died before 4: their unfinished SNs are recorded as
 * void, their files removed, and they are never given out again. Several runs may work on one site
 * at once. A device's private key exists in the process and in its image, nowhere else.
 *
 * Uses threads of its own, and OpenSSL's. Everything blocks. CA keys are read from the site.
 */
#ifndef CRADLE_FACTORY_FACTORY_H
#define CRADLE_FACTORY_FACTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pki/key.h"
#include "site/identity.h"
#include "site/site.h"

/* The largest number of units of one call. */
#define FACTORY_COUNT_MAX 10000000
#define FACTORY_MAC_SIZE  18 /* "02:00:00:00:00:04" */
/* The identity partition: 0x17000, 0x9000 bytes (docs/architecture.md). */
#define FACTORY_IDENTITY_SIZE 0x9000
/* The chain of writers in custody. */
#define FACTORY_WRITER "line"

/* What custody and the lists say of a unit. */
typedef struct {
    char sn[SITE_SN_SIZE];
    char mac[FACTORY_MAC_SIZE];
    char key_id[PKI_KEY_ID_SIZE];
    char key_type[12];
    char leaf_sha256[65];
    char identity_sha256[65];
    int64_t not_after; /* seconds since 1970 */
    int64_t made_ms;
    bool adopted;
} factory_unit_t;

typedef struct {
    uint64_t count;
    pki_key_type_t key_type;
    uint32_t days;    /* validity of the certificates; 0 = the site's                          */
    int security;     /* of provisioning: 0, 1 or 2                                            */
    bool pop;         /* a random proof of possession per unit (security 1 and 2)              */
    unsigned workers; /* threads; 0 = one per processor                                        */
    /* Called in the caller's thread after each unit that exists; return false to stop after the
       block that was begun. May be NULL. */
    bool (*made)(void *context, const factory_unit_t *unit, uint64_t done, uint64_t total);
    void *context;
} factory_run_t;

/* The site's own defaults and count 1. */
void factory_run_default(const site_t *site, factory_run_t *run);

typedef struct {
    uint64_t made;
    uint64_t voided; /* SNs of earlier runs that died */
    char first[SITE_SN_SIZE];
    char last[SITE_SN_SIZE];
} factory_result_t;

bool factory_run(const site_t *site, const factory_run_t *run, factory_result_t *result,
                 err_t *err);

typedef struct {
    const char *key; /* paths of the three files, as the mission's openssl commands make them */
    const char *cert;
    const char *chain; /* the CAs that the *server* is checked against */
} factory_adopt_t;

/* Makes a unit of an identity from elsewhere: SN = CN, SPIFFS image of just these three files. A
   lone leaf in `cert` is completed from the site's CAs or from `chain` where the signatures match.
   Refused with the reason: a key that does not fit the certificate, a certificate that the front
   door would refuse (pki/chain.h, checked against the site's product CA), an SN that is taken,
   reserved or no SN. */
bool factory_adopt(const site_t *site, const factory_adopt_t *files, factory_unit_t *unit,
                   err_t *err);

/* Writes the unit's flash, 4 MB, to a new file (0600): partition table, erased otadata, app image,
   identity, and what the unit wrote since (read-only: a running unit is refused). */
bool factory_export(const site_t *site, const char *sn, const char *path, err_t *err);

/* Units in the order in which they were made; return false to stop. */
bool factory_each(const site_t *site, bool (*each)(void *context, const factory_unit_t *unit),
                  void *context, err_t *err);

/* What is in a unit's identity image, read and checked from the file. */
typedef struct {
    factory_unit_t unit;
    site_identity_t identity;
    bool has_identity_json; /* false for an adopted one */
    char pem_subjects[512]; /* "SN-000001 <- Acme Line CA <- Acme Product CA" */
} factory_detail_t;

/* ERR_PRECONDITION: no such unit; ERR_INPUT: its image is not what custody recorded. */
bool factory_show(const site_t *site, const char *sn, factory_detail_t *detail, err_t *err);

/* "ESP-PROV-A1B2" of a MAC text. */
bool factory_service_name(const char *mac, char out[16]);

#endif

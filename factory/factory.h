/* SPDX-License-Identifier: Apache-2.0 */
/*
 * factory: makes units. For each one: a serial number that nobody ever had, a MAC, a key and a
 * certificate, and the SPIFFS image of its identity partition.
 *
 * Order of events, so that a kill at any instant loses nothing but serial numbers:
 *   1. a block of numbers is reserved in custody (synced);
 *   2. keys, certificates and images are made, written to factory/units/SN/ (0600, synced), read
 *      back from the file and parsed again;
 *   3. custody records all units of the block in one transaction (synced): only now they exist.
 * A run that begins finds blocks whose run has died before 3: their unfinished SNs are recorded as
 * void, their files removed, and they are never given out again. Several runs may work on one site
 * at once. A device's private key exists in the process and in its image, nowhere else.
 *
 * MAC: locally administered. 02 and 40 bits, the number exclusive-or the site's first 40: unique
 * within a site, and two sites rarely meet. An adopted unit has 06 and 40 bits of a hash of its SN,
 * chosen so that no other adopted unit has them.
 *
 * A site with a steward: its units have "steward" and "ask":true in device.json, and the site's
 * bundle as /bundle.jws. It is verified when a run begins, and again in each image.
 *
 * Everything blocks (disk, key generation). CA keys are read from the site and wiped at the end.
 */
#ifndef CRADLE_FACTORY_FACTORY_H
#define CRADLE_FACTORY_FACTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "site/identity.h"
#include "site/site.h"

/* The largest number of units of one call. */
#define FACTORY_COUNT_MAX    10000000
#define FACTORY_MAC_SIZE     18 /* "02:00:00:00:00:04" */
#define FACTORY_SERVICE_SIZE 16 /* "ESP-PROV-A1B2"     */
/* The identity partition: 0x17000, 0x9000 bytes (docs/architecture.md). */
#define FACTORY_IDENTITY_SIZE 0x9000
/* Who writes in custody, unless a line has another name. */
#define FACTORY_WRITER "line"
#define FACTORY_PACK   "factory/pack.json"

/* What custody and the lists say of a unit. */
typedef struct {
    char sn[SITE_SN_SIZE];
    char mac[FACTORY_MAC_SIZE];
    char service[FACTORY_SERVICE_SIZE]; /* the name under which it is provisioned, from the MAC   */
    char credentials_id[65];            /* of the leaf, as ThingsBoard stores it (pki/cert.h)     */
    char leaf_sha256[65];
    char identity_sha256[65]; /* of identity.bin */
    int64_t not_after;        /* seconds since 1970 */
    int64_t made_ms;
    bool adopted;
    bool board; /* the MAC is that of a board that came through station 1 */
} factory_unit_t;

typedef struct {
    uint64_t count;     /* 1 to FACTORY_COUNT_MAX                                          */
    const char *writer; /* the chain in custody; NULL: FACTORY_WRITER. Lines that work side by side
                           on one site have one each */
    /* Called after each unit that exists; return false to stop after the block that was begun.
       May be NULL. */
    bool (*made)(void *context, const factory_unit_t *unit);
    void *context;
} factory_run_t;

typedef struct {
    uint64_t made;
    uint64_t voided;           /* SNs of earlier runs that died */
    char notice[ERR_TEXT_MAX]; /* custody ends before a checkpoint (checkpoint.h); "" mostly */
} factory_result_t;

/* Key type, days, model, host names, proof of possession: as cradle.json says. On failure `result`
   says how many units exist all the same. */
bool factory_run(const site_t *site, const factory_run_t *run, factory_result_t *result,
                 err_t *err);

typedef struct {
    const char *key; /* paths of the three files, as the mission's openssl commands make them */
    const char *cert;
    const char *chain; /* the CAs that the *server* is checked against */
    bool foreign;      /* the certificate need not come from the site's product CA */
} factory_adopt_t;

/* Makes a unit of an identity from elsewhere: SN = CN, SPIFFS image of just these three files (no
   device.json). A lone leaf in `cert` is completed from `chain` and the site's CAs where the
   signatures match. Refused with the reason: a key that does not fit the certificate, a certificate
   that the front door would refuse (pki/chain.h, checked against the site's product CA, or with
   `foreign` against the last one of its own chain; a foreign lone leaf is not checked), an SN that
   is taken, in a block that was reserved, or no SN. Killed in the middle, files of a unit that does
   not exist may stay in factory/units; adopting again replaces them. */
bool factory_adopt(const site_t *site, const factory_adopt_t *files, factory_unit_t *unit,
                   err_t *err);

/* Writes the unit's flash, 4 MB, to a file (0600): partition table, erased otadata, app image,
   identity, and what the unit wrote since. ERR_PRECONDITION: no such unit, or the path exists. */
bool factory_export(const site_t *site, const char *sn, const char *path, err_t *err);

/* Units in the order in which custody recorded them; return false to stop. A site that has not
   made any is no error. */
bool factory_each(const site_t *site, bool (*each)(void *context, const factory_unit_t *unit),
                  void *context, err_t *err);

/* A unit, with what is in its identity image. */
typedef struct {
    factory_unit_t unit;
    site_identity_t identity; /* site_identity_default when has_json is false */
    bool has_json;            /* false for an adopted one */
    int64_t bundle_version;   /* of /bundle.jws; 0: none  */
} factory_detail_t;

/* ERR_PRECONDITION: no such unit; ERR_INPUT: its image is not what custody recorded. The proof of
   possession in it belongs on a label: wipe it where it is not needed. */
bool factory_show(const site_t *site, const char *sn, factory_detail_t *detail, err_t *err);

typedef struct {
    const char *path; /* of the list; NULL: factory/pack.json of the site                       */
    const char *csv;  /* the same as a table for people, without certificates; NULL: none       */
    const char *const *sns; /* which units; NULL: all that were not scrapped                    */
    size_t count;           /* of `sns`                                                         */
    bool ship; /* custody is to say that they left the house (kind "ship", with the list's hash) */
} factory_pack_t;

typedef struct {
    uint64_t units;
    uint64_t shipped;    /* now: they were not before                                            */
    uint64_t unlabelled; /* listed without a label; they are not marked as shipped               */
    char sha256[65];     /* of the list */
} factory_packed_t;

/* Writes the pack list for the steward, in the order of factory_each or of `sns`:
       {"v":1,"site":"<id>","units":[{"sn":"..","leaf":"<base64 of the DER>",
        "service":"ESP-PROV-A1B2","code_hash":null or "<64 hex>"}],
        "custody":{"writer":"line","seq":9,"hash":"<64 hex>","number":3}}
   code_hash is that of the last label; custody is a checkpoint (custody/custody.h), taken after the
   last unit was read, or null. Each image is read and checked as factory_show does it; one that
   fails ends it with that error, and so does a unit of `sns` that was scrapped or, with `ship`, has
   no label. The list is signed (site/pack.h): pack.jws beside it. Each file is replaced in one
   step; an old signature goes first, so that it never stands beside another list. The CSV has
   sn,service,leaf_sha256,code_hash,not_after. */
bool factory_pack(const site_t *site, const factory_pack_t *wanted, factory_packed_t *result,
                  err_t *err);

/* "ESP-PROV-A1B2" of a MAC text; false when it is none. */
bool factory_service_name(const char *mac, char out[FACTORY_SERVICE_SIZE]);

#endif

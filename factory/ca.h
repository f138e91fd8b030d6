/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ca: what is done with the site's CAs after `cradle init`: certificates outside a factory run,
 * denials, revocation lists, and a new issuing CA. lib/pki knows how, this knows where: which key,
 * which file, what custody has to know.
 *
 * Everything blocks (disk, key generation, a person asked for a passphrase:
 * pki_passphrase_default), and what changes the site does so one at a time, under the lock "ca".
 * Custody's writer is FACTORY_CA_WRITER.
 */
#ifndef CRADLE_FACTORY_CA_H
#define CRADLE_FACTORY_CA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "custody/custody.h"
#include "pki/csr.h"
#include "pki/deny.h"
#include "pki/key.h"
#include "site/ca.h"
#include "site/site.h"

#define FACTORY_CA_WRITER "ca"
/* Kinds of custody entries:
     "issue"  sn; {"leaf":"<hex>","serial":"<hex>","by":"line","issuer":"<hex>","not_after":n}
     "deny"   sn; {"leaf":"<hex>","reason":"superseded"}
     "roll"   no sn; {"ca":"line","former":"line.1","new":"<hex of the new certificate>"} */
#define FACTORY_CA_ISSUE "issue"
#define FACTORY_CA_DENY  "deny"
#define FACTORY_CA_ROLL  "roll"

/* Who signs. */
typedef struct {
    const site_t *site;
    const char *key; /* file of the signing CA's key, where it is on another medium; NULL: the
                        site's keys/NAME.key */
} factory_ca_t;

/* Opens the key of the CA of that name: the named file, or the site's. The error for one that is
   not in the site says which option names it. */
bool factory_ca_signer(const factory_ca_t *ca, const char *name, pki_signer_t **signer, err_t *err);

/* ---- certificates ---- */

typedef struct {
    const char *by; /* "line" or "renewal"                                        */
    uint32_t days;  /* 0: as the site says                                        */
    bool again;     /* a further certificate for an SN that has one already       */
    bool of_a_run;  /* numbers that a factory run has taken and not yet made into units are fine:
                       it is the one that asks */
    int64_t now;
    const char *out; /* a new file, mode 0644 */
} factory_issue_t;

/* One chain (leaf, issuing CA, product CA) for each request, in the same order, into one PEM file.
   All or none: every SN is looked at before the first certificate is made. Refused: what is no SN
   or looks like a number, an SN that is void or scrapped, one that custody has a certificate of
   (unless `again`), a number that a run is at work on (unless `of_a_run`), a file that exists.
   Nothing but CN and public key is taken from a request. Custody knows before the file is there: a
   file that cannot be written is an error that says so. */
bool factory_ca_issue(const factory_ca_t *ca, const factory_issue_t *how, const pki_csr_t *requests,
                      size_t count, err_t *err);

/* `ca issue` or `ca sign` made a certificate for this SN, so that a factory run does not give it to
   another unit. */
bool factory_ca_issued(custody_t *custody, const char *sn, bool *issued, err_t *err);

/* ---- the deny-list ---- */

typedef struct {
    const char *sn;   /* of the unit; with cert NULL: every certificate that the site knows of it */
    const X509 *cert; /* NULL, or the one to deny; of a device's, the CN is its SN             */
    pki_reason_t reason;
    bool whole_ca; /* `cert` may be an issuing CA: everything under it is denied */
    int64_t now;
} factory_deny_t;

/* Puts it on ca/deny.jws, signed by the product CA's key (factory_ca_t.key names that one here),
   and into custody. *added: how many were not denied before; 0 is success. ERR_PRECONDITION: the
   site knows no certificate of that SN. */
bool factory_ca_deny(const factory_ca_t *ca, const factory_deny_t *deny, size_t *added, err_t *err);

typedef struct {
    char name[SITE_CA_NAME_SIZE];
    bool made;      /* false: its key is not in the site */
    size_t entries; /* in its list */
} factory_crl_t;

/* A revocation list of each issuing CA whose key is in the site (or of `only`, with
   factory_ca_t.key), all as PEM into `out`, which is replaced in one step. ERR_PRECONDITION when
   there is none. */
bool factory_ca_crl(const factory_ca_t *ca, const char *only, uint32_t days, int64_t now,
                    const char *out, factory_crl_t lists[SITE_ISSUING_MAX], size_t *count,
                    err_t *err);

/* ---- a new issuing CA ---- */

typedef struct {
    const char *name;       /* "line" or "renewal" */
    uint32_t days;          /* 0: 7300, or what is left of the product CA */
    const char *passphrase; /* of the new key; NULL: plain */
    const char *keep_old;   /* a new file outside the site that gets the old key; NULL: destroyed */
    int64_t now;
} factory_roll_t;

typedef struct {
    char former[SITE_CA_NAME_SIZE]; /* "line.1": where the old certificate is now */
    bool resumed;      /* an earlier roll was cut off; it was finished, and no further one made */
    int64_t not_after; /* of the new CA */
} factory_rolled_t;

/* A new key and certificate under the product CA (factory_ca_t.key names the product CA's key). The
   old certificate stays as ca/NAME.N.crt, so what it signed is trusted until it ends; the old key
   is destroyed (overwritten and removed: what a file system or a back-up keeps is beyond that) or
   moved to `keep_old`. Killed at any moment, the next roll of that CA finishes it. Refused: a
   product CA that would end before a device's certificate made tomorrow does. */
bool factory_ca_roll(const factory_ca_t *ca, const factory_roll_t *roll, factory_rolled_t *rolled,
                     err_t *err);

#endif

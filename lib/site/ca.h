/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ca: the certificate authorities of a site, by name.
 *
 *     root, product, line, renewal, server-root, server-issuing    as site.h says
 *     line.1, line.2, ... renewal.1, ...   issuing CAs that were rolled (`cradle ca roll`): the
 *                                          certificate stays, so that what it signed stays trusted
 *
 * Whoever judges a device's certificate asks here which issuing CAs there are, so that a roll
 * reaches all of them. Dates are not looked at here: an issuing CA that is over stays in the list
 * until somebody takes its file out of ca/.
 *
 * All functions may block on the disk.
 */
#ifndef CRADLE_SITE_CA_H
#define CRADLE_SITE_CA_H

#include <stdbool.h>
#include <stddef.h>
#include <openssl/types.h>

#include "base/err.h"
#include "pki/cert.h"
#include "pki/chain.h"
#include "site/site.h"

/* "server-issuing", "renewal.12345" */
#define SITE_CA_NAME_SIZE 24
/* Most issuing CAs, rolled ones included: with the product CA they fill a pki_chain_t. */
#define SITE_ISSUING_MAX (PKI_CHAIN_MAX - 1)
/* root, product, server-root, server-issuing and the issuing ones. */
#define SITE_CAS_MAX (SITE_ISSUING_MAX + 4)

enum { SITE_LINE = 0, SITE_RENEWAL = 1 };

/* A name of the list above. */
bool site_ca_name_valid(const char *name);

/* True for line, renewal, line.N, renewal.N. */
bool site_ca_issues_devices(const char *name);

/* The names of the issuing CAs that ca/ holds: "line", "renewal", then the rolled ones by number.
   line and renewal are named whether they are there or not. ERR_PRECONDITION: more than
   SITE_ISSUING_MAX. */
bool site_issuing_names(const site_t *site, char names[SITE_ISSUING_MAX][SITE_CA_NAME_SIZE],
                        size_t *count, err_t *err);

/* Their certificates, in the same order: the current two are at SITE_LINE and SITE_RENEWAL. Freed
   with pki_chain_free. ERR_INPUT, ERR_PRECONDITION: one is damaged or missing. */
bool site_issuing(const site_t *site, pki_chain_t *issuing, err_t *err);

/* What devices' certificates are checked against. `product` (ca/product.crt), `issuing` and `trust`
   belong to the caller; each may be NULL where it is not wanted. */
bool site_device_trust(const site_t *site, pki_chain_t *product, pki_chain_t *issuing,
                       pki_trust_t **trust, err_t *err);

/* Where the private key of a CA is, as far as the site knows. */
typedef enum {
    SITE_KEY_HERE = 0,  /* keys/NAME.key                                          */
    SITE_KEY_ENCRYPTED, /* the same, under a passphrase                           */
    SITE_KEY_ELSEWHERE, /* not in the site: on another medium, or no more         */
} site_key_place_t;

/* "here", "here, encrypted", "elsewhere" */
const char *site_key_place_name(site_key_place_t place);

typedef struct {
    char name[SITE_CA_NAME_SIZE];
    X509 *cert;
    site_key_place_t key;
} site_ca_t;

typedef struct {
    site_ca_t ca[SITE_CAS_MAX];
    size_t count;
} site_cas_t;

/* All CAs of the site, from the root down. A root that is not there (an imported product CA without
   its root) is left out. */
bool site_cas_load(const site_t *site, site_cas_t *cas, err_t *err);
void site_cas_free(site_cas_t *cas);

/* The one of that name, or NULL. */
const site_ca_t *site_cas_find(const site_cas_t *cas, const char *name);

#endif

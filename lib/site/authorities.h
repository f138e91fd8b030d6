/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal: the CAs of a new site, made or imported.
 *
 *     root -> product (path length 1) -> line, renewal (0)          devices
 *     server-root (1) -> server-issuing (0) -> cloud/server.crt,    servers
 *                                              steward/server.crt
 *
 * The product CA's certificate is what a ThingsBoard profile knows, so it lives long; the CAs below
 * it may roll. Servers have a root of their own: under a shared one a device's v1 leaf, which
 * carries no extendedKeyUsage, would pass as a server.
 */
#ifndef CRADLE_SITE_AUTHORITIES_H
#define CRADLE_SITE_AUTHORITIES_H

#include "pki/ca.h"
#include "site/site.h"

enum { CA_ROOT, CA_PRODUCT, CA_LINE, CA_RENEWAL, CA_SERVER_ROOT, CA_SERVER_ISSUING, CAS };

typedef struct {
    X509 *cert[CAS];           /* of the root NULL where a product CA was imported without one */
    pki_signer_t *signer[CAS]; /* of the root NULL where it is not needed                      */
    bool placed[CAS];          /* its new key was put outside the site                         */
} authorities_t;

/* What of a request cannot be, before anything is touched. */
bool authorities_check(const site_create_t *request, err_t *err);

/* Into directories that exist. After a failure nothing is outside the site. On failure and on
   success alike: authorities_free. */
bool authorities_make(const site_t *site, const site_create_t *request, authorities_t *made,
                      err_t *err);

/* Removes the keys that were placed outside: the site was not made after all. Call it only when
   authorities_make succeeded; when it fails, it has done so itself. */
void authorities_withdraw(const site_create_t *request);

void authorities_free(authorities_t *made);

#endif

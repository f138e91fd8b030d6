/* SPDX-License-Identifier: Apache-2.0 */
/* frontdoor_internal: what the strict and the lax half of the front door share. */
#ifndef CRADLE_CLOUD_FRONTDOOR_INTERNAL_H
#define CRADLE_CLOUD_FRONTDOOR_INTERNAL_H

#include "cloud/frontdoor.h"

struct frontdoor {
    store_t *store;
    pki_trust_t *trust;
    site_deny_t *deny;    /* NULL: none */
    char product_key[65]; /* SHA3 of the product CA: the lobby's provisionDeviceKey */
    bool lax;             /* as ThingsBoard */
};

/* One admission under way. */
typedef struct {
    frontdoor_t *door;
    const frontdoor_guest_t *guest;
    X509 *leaf;
    const char *peer;
    frontdoor_admitted_t *admitted;
    bool broken; /* the store failed */
} frontdoor_visit_t;

/* One line in the log. `how`: what the guest hears. */
void frontdoor_refused(const char *peer, const frontdoor_guest_t *guest, const char *how,
                       const char *reason, const char *text);
/* The same for CONNACK 5; false. */
bool frontdoor_no(const frontdoor_visit_t *v, const char *reason, const char *text);

/* Is there an X.509 credential of that id? */
bool frontdoor_is_known(frontdoor_t *door, const char *credentials_id);
/* Fills in v->admitted when the leaf is on record. False: the store failed. */
bool frontdoor_recall(frontdoor_visit_t *v, bool *known);
/* The leaf goes into the chain profile with that key: the device is made, or its credentials are
   replaced. False: logged; *others: there is no such chain profile (and that is not logged). */
bool frontdoor_provision(frontdoor_visit_t *v, const char *key, bool *others);
/* Commits what was provisioned, or undoes what is broken, and logs. Returns whether it is kept. */
bool frontdoor_settle(frontdoor_visit_t *v, bool ok);

/* The lax halves (frontdoor_lax.c). */
int frontdoor_lax_handshake(frontdoor_t *door, frontdoor_guest_t *guest, const char *peer,
                            X509 *leaf, const struct stack_st_X509 *chain);
bool frontdoor_lax_connect(frontdoor_visit_t *v);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontdoor: who may come in. The decision about a client's certificate, in two halves: inside the
 * TLS handshake (frontdoor_handshake), where a chain that is not what it claims to be ends in an
 * alert, and at CONNECT (frontdoor_connect), where everything else ends in CONNACK 5.
 *
 *   TLS alert   bad signature, foreign CA, an issuer that is no CA, malformed, weak key
 *   CONNACK 5   unknown leaf without its chain up to the product CA, denied, wrong dates, wrong
 * usage, no usable CN; an older leaf than the one on record; a name that is taken by a device of
 * another profile or with other credentials; a profile that makes no devices
 *
 * Nothing is touched before everything is checked, and every change is committed before the device
 * is told that it is in. A resumed session is judged like a new one: its leaf must still be the
 * credential on record and valid. Each refusal is one line in the log that says what to do.
 *
 * Stricter than ThingsBoard, which takes any leaf under the CA, expired ones and children of device
 * certificates included (docs/compatibility.md). frontdoor_as_thingsboard makes it as lax.
 */
#ifndef CRADLE_CLOUD_FRONTDOOR_H
#define CRADLE_CLOUD_FRONTDOOR_H

#include <stdbool.h>
#include <openssl/types.h>

#include "base/err.h"
#include "cloud/store.h"
#include "pki/chain.h"
#include "site/deny.h"

struct stack_st_X509;

typedef struct frontdoor frontdoor_t;

/* `product` and `issuing` as in pki_trust_new. Makes the profiles "default" and "lobby" (chain
   provisioning under the product CA) when the store has none. The store must outlive it. */
bool frontdoor_open(frontdoor_t **door, store_t *store, const pki_chain_t *product,
                    const pki_chain_t *issuing, err_t *err);
void frontdoor_close(frontdoor_t *door);

/* From now on as ThingsBoard CE 4.2.1 does it, seen alive, for tests of what has to live with that:
   a chain is only looked at for signatures; inside the handshake it is walked from the leaf upward,
   over all profiles, and makes the device or gives it the newest comer's credentials, whatever the
   dates say; CONNECT then wants the dates and the credentials to be right. */
void frontdoor_as_thingsboard(frontdoor_t *door);

/* From now on, nobody on the site's deny-list comes in; its file is looked at in each handshake.
   NULL ends that. The watch stays the caller's and must outlive the door. A session that is open
   already is not ended by it. */
void frontdoor_use_deny(frontdoor_t *door, site_deny_t *deny);

/* What the handshake found out, kept by the connection until CONNECT. */
typedef struct {
    bool judged;
    pki_chain_verdict_t verdict;
    pki_facts_t leaf;
    /* As ThingsBoard: the handshake has given this device other credentials. End its session. */
    bool displaced;
    store_id_t device;
} frontdoor_guest_t;

/* For tls_verify_fn_t: X509_V_OK, or the error whose alert is to be sent. `peer` is for the log. */
int frontdoor_handshake(frontdoor_t *door, frontdoor_guest_t *guest, const char *peer, X509 *leaf,
                        const struct stack_st_X509 *chain, bool resumed);

typedef struct {
    store_id_t device;
    int64_t row;
    char name[STORE_TEXT];
    bool created;  /* it is new                                                     */
    bool replaced; /* the credentials changed: a session with the old ones must end */
} frontdoor_admitted_t;

/* False: refuse with CONNACK 5, or, when *unavailable, with CONNACK 3. */
bool frontdoor_connect(frontdoor_t *door, const frontdoor_guest_t *guest, X509 *leaf,
                       const char *peer, frontdoor_admitted_t *admitted, bool *unavailable);

#endif

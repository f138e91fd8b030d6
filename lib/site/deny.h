/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deny: ca/deny.jws, the site's signed deny-list (pki/deny.h says what it is and who signs it).
 * `cradle ca deny` changes it; a server watches it.
 *
 * No file means that nobody is denied. A watch that has seen a list keeps it when the file is
 * damaged, gone, signed by somebody else or older than the one it has: nobody gets in again by a
 * file that was lost. Only a restart begins anew with what is there then.
 *
 * Everything blocks on the disk. A watch belongs to one thread.
 */
#ifndef CRADLE_SITE_DENY_H
#define CRADLE_SITE_DENY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/types.h>

#include "base/err.h"
#include "pki/deny.h"
#include "site/site.h"

#define SITE_DENY "ca/deny.jws"

/* The list for changing it: an empty one when there is no file. Freed with pki_deny_free. Whoever
   changes it holds site_lock(site, "ca", ...) from before this to after the saving. */
bool site_deny_load(const site_t *site, pki_deny_t **deny, err_t *err);

/* Signs and replaces the file in one step; its seq is one more than the list's. The signer must be
   the product CA's. */
bool site_deny_save(const site_t *site, const pki_deny_t *deny, const pki_signer_t *signer,
                    int64_t now, err_t *err);

typedef struct site_deny site_deny_t;

/* A damaged list is an error: a server does not start without knowing who is denied. */
bool site_deny_watch(const site_t *site, site_deny_t **watch, err_t *err);
void site_deny_close(site_deny_t *watch); /* NULL is allowed */

/* Looks whether the file is another one (one stat) and reads it then. False, with what to do: the
   new one is refused and the old list stays; said once for each file. */
bool site_deny_refresh(site_deny_t *watch, err_t *err);

bool site_deny_has(const site_deny_t *watch, const uint8_t sha256[32]);

/* For pki_chain_policy_t.denied, with the watch as its context. */
bool site_deny_hook(void *watch, const X509 *cert, const uint8_t sha256[32]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle: steward/bundle.jws of a site with a steward: which keys its devices believe
 * (statement/bundle.h, docs/protocol.md section 6). `cradle init` makes version 1, the factory puts
 * the file into every unit, `cradle bundle` makes the later versions.
 *
 * What touches the site blocks on the disk. The text ends in a NUL that is not counted, with no
 * line end.
 */
#ifndef CRADLE_SITE_BUNDLE_H
#define CRADLE_SITE_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pki/cert.h"
#include "site/site.h"
#include "statement/bundle.h"

/* Where it is: site_path(site, SITE_BUNDLE, ...). */
#define SITE_BUNDLE "steward/bundle.jws"

typedef struct {
    int64_t version; /* from 1; a device takes only a higher one than the one it has           */
    int64_t issued;  /* seconds since 1970                                                     */
    const pki_chain_t *anchors; /* roots of servers, 1 to BUNDLE_ANCHORS_MAX; NULL: ca/server-root
                                   and ca/cloud-root */
} site_bundle_t;

/* Signs with keys/anchor.key a bundle of the anchors, keys/steward.pub and keys/bench.pub. Writes
   no file. ERR_USAGE for a version, time or number of anchors that cannot be. */
bool site_bundle_make(const site_t *site, const site_bundle_t *wanted, char out[JWS_BUNDLE_MAX + 1],
                      size_t *len, err_t *err);

/* Reads steward/bundle.jws and verifies it with keys/anchor.pub; it must be for this site.
 *version (may be NULL) is what it says. ERR_PRECONDITION when there is none. */
bool site_bundle_load(const site_t *site, char out[JWS_BUNDLE_MAX + 1], size_t *len,
                      int64_t *version, err_t *err);

/* The same for a text from elsewhere: signed by `anchor`, for the site of that id. */
bool site_bundle_check(const char *text, size_t len, EVP_PKEY *anchor, const char *site_id,
                       int64_t *version, err_t *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack: the signature of a pack list, a file beside it: "pack.json" has "pack.jws". Whoever has
 * keys/pack.pub can tell that the list is the line's and that nobody changed it.
 *
 * The signature is a compact JWS (RFC 7515) with a detached payload (its appendix F), ES256:
 *
 *     base64url({"alg":"ES256","typ":"cradle-pack","kid":"<16 hex of the key's id>"}) ".."
 *     base64url(r | s) "\n"
 *
 * and the payload is the 32 bytes of the list's SHA-256. The key is keys/pack.key, of its own: made
 * by `cradle init`, and in a site that is older when the first list is signed.
 *
 * Everything blocks on the disk.
 */
#ifndef CRADLE_SITE_PACK_H
#define CRADLE_SITE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "site/site.h"

#define SITE_PACK_KEY     "pack" /* site_key_path, site_pub_path */
#define SITE_PACK_JWS_MAX 256    /* with the NUL */

/* The path of the key, which is made, with its .pub, in a site that is older than it. */
bool site_pack_key(const site_t *site, char path[FILE_PATH_MAX], err_t *err);

/* Where the signature of that list is: the name with .jws for .json, or .jws behind any other. */
bool site_pack_jws_path(const char *list, char out[FILE_PATH_MAX], err_t *err);

/* SHA-256 of a file of any size. */
bool site_pack_hash(const char *path, uint8_t hash[32], err_t *err);

/* Signs; the text ends in a line end and a NUL. */
bool site_pack_sign(const site_t *site, const uint8_t hash[32], char out[SITE_PACK_JWS_MAX],
                    err_t *err);

/* ERR_INPUT: it is no such signature, another key's, or the list is not the one that was signed.
   ERR_PRECONDITION: the site has no keys/pack.pub. */
bool site_pack_verify(const site_t *site, const uint8_t hash[32], const char *jws, size_t len,
                      err_t *err);

/* The same with the .jws beside the list. *signature is false, and nothing is checked, when there
   is none. */
bool site_pack_check(const site_t *site, const char *list, const uint8_t hash[32], bool *signature,
                     err_t *err);

#endif

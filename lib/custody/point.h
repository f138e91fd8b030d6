/* SPDX-License-Identifier: Apache-2.0 */
/*
 * point: signed checkpoints of a record, kept where the record is not. With one, an end that was
 * cut off, an old back-up put in place and a chain rewritten are found up to the checkpoint, and
 * serial numbers that it covers are never given out again.
 *
 * A checkpoint is a compact JWS (RFC 7515 section 7.1) and a line end, ES256:
 *
 *     base64url({"alg":"ES256","typ":"cradle-checkpoint","kid":"<16 hex, the key's id>"}) "."
 *     base64url({"v":1,"site":"<id>","time":<ms since 1970>,"writers":[
 *         {"writer":"line","seq":9,"hash":"<64 hex>","number":64}]}) "."
 *     base64url(r | s)
 *
 * seq and hash are of the writer's last entry (seq is how many there are), number is the highest
 * that it ever took. Nobody's name and no secret is in it.
 *
 * Strict: a text that is not exactly as we write it, signed by another key or about another site is
 * refused with the reason.
 */
#ifndef CRADLE_CUSTODY_POINT_H
#define CRADLE_CUSTODY_POINT_H

#include "custody/custody.h"
#include "pki/signer.h"

#define CUSTODY_SITE_SIZE 33
/* The largest text: all writers. */
#define CUSTODY_POINT_MAX 24576
/* Checkpoints of one site that stay in a directory; older ones are removed. */
#define CUSTODY_POINTS_KEPT 50
/* "checkpoint-0011223344556677-1700000000000.jws" */
#define CUSTODY_POINT_NAME_SIZE 64

typedef struct {
    char site[CUSTODY_SITE_SIZE]; /* 32 hex digits */
    int64_t time_ms;
    custody_checkpoint_t head[CUSTODY_WRITERS_MAX]; /* `number` is that writer's own highest */
    size_t count;
} custody_point_t;

/* Where all chains stand now, in one look. An empty record gives one without writers. */
bool custody_point_take(custody_t *custody, const char *site, int64_t time_ms,
                        custody_point_t *point, err_t *err);

/* The highest number of all writers; 0: none was ever taken. */
uint64_t custody_point_number(const custody_point_t *point);

/* The text with its line end and a NUL. The signer's key must be P-256. */
bool custody_point_sign(const custody_point_t *point, const pki_signer_t *signer,
                        char out[CUSTODY_POINT_MAX], size_t *len, err_t *err);

/* The way back. ERR_INPUT: damaged, signed by another key, or another site's; `key` is the public
   half of the signer's. */
bool custody_point_read(const char *text, size_t len, EVP_PKEY *key, const char *site,
                        custody_point_t *point, err_t *err);

/* Writes a signed text into `dir`, in one step. *name empty: a new file that sorts behind all of
   this site's, and the name is put there; else that file is replaced. Removes what is more than
   CUSTODY_POINTS_KEPT. The directory is not made: one on a medium that is not there must not
   appear elsewhere (ERR_PRECONDITION). */
bool custody_point_keep(const char *dir, const custody_point_t *point, const char *text, size_t len,
                        char name[CUSTODY_POINT_NAME_SIZE], err_t *err);

/* All checkpoints of this site in `dir`, oldest first; return false to stop. One that is refused
   ends it with an error that names the file: a younger one may have been damaged on purpose, so
   going on with an older one would be no protection. Files of other sites and other files are not
   looked at. */
typedef bool (*custody_point_each_t)(void *context, const char *path, const custody_point_t *point);
bool custody_point_each(const char *dir, EVP_PKEY *key, const char *site, custody_point_each_t each,
                        void *context, err_t *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle: which keys a device believes (DESIGN 5.1, docs/protocol.md section 6). A versioned list
 * signed by the offline `anchor` key: the roots of servers, the steward key that signs answers and
 * receipts, and a bench key for the factory's test station. A device keeps the highest version it
 * has seen; the anchor key itself is in its identity partition and never changes.
 *
 * All keys here are P-256, as SubjectPublicKeyInfo of exactly 91 bytes.
 */
#ifndef CRADLE_STATEMENT_BUNDLE_H
#define CRADLE_STATEMENT_BUNDLE_H

#include "statement/jws.h"
#include "statement/answer.h"

#define BUNDLE_ANCHORS_MAX 3
#define BUNDLE_SPKI_SIZE   91
#define BUNDLE_VERSION_MAX 4294967295

typedef struct {
    char kid[JWS_KID_LEN + 1];               /* of the anchor key */
    jws_text_t site;                         /* aud               */
    int64_t version;                         /* from 1            */
    int64_t issued;                          /* `iat`             */
    jws_bytes_t anchors[BUNDLE_ANCHORS_MAX]; /* server roots, DER; at least one                 */
    size_t anchor_count;
    char steward_kid[JWS_KID_LEN + 1];
    jws_bytes_t steward;             /* SPKI                        */
    char bench_kid[JWS_KID_LEN + 1]; /* "" for none                 */
    jws_bytes_t bench;               /* SPKI; len 0 for none        */
} bundle_t;

/* As statement_write and statement_read. */
jws_result_t bundle_write(const bundle_t *bundle, char *out, size_t cap, size_t *len);
jws_result_t bundle_read(jws_t *jws, void *scratch, size_t cap, bundle_t *bundle);

typedef enum { BUNDLE_NOBODY = 0, BUNDLE_STEWARD, BUNDLE_BENCH } bundle_signer_t;

/* Whose key id is this, and (spki may be NULL) which key verifies. */
bundle_signer_t bundle_find_key(const bundle_t *bundle, const char *kid, jws_bytes_t *spki);

/* What a verified answer of that signer counts for: the steward's always; the bench's only `stream`
   in answer to hello, and only until the unit is marked as shipped. */
bool bundle_may_answer(bundle_signer_t signer, const answer_t *answer, bool shipped);

/* A verified bundle replaces the one that the device has: it is for the device's own site, and its
   version is higher than the highest seen (0 for none). */
bool bundle_replaces(const bundle_t *bundle, jws_text_t site, int64_t highest);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask: the statement, what a device says to the steward (DESIGN 5.5, docs/protocol.md section 2).
 *
 * Device:   carrier_begin_request, statement_write behind it, sign, jws_append, carrier_end_request
 * Steward:  carrier_read_request, jws_open(JWS_STATEMENT), statement_read, then the checks in
 *           the order of ownership/check.h
 */
#ifndef CRADLE_STATEMENT_ASK_H
#define CRADLE_STATEMENT_ASK_H

#include "statement/jws.h"

#define STATEMENT_TEXT_MAX 64   /* firmware: what is reported, printable ASCII              */
#define STATEMENT_CSR_MAX  1024 /* a request, DER: P-256 has about 220 bytes, RSA-2048 about 600 */
#define STATEMENT_DAYS_MAX 36500

typedef enum {
    STATEMENT_HELLO = 0,
    STATEMENT_CLAIM,
    STATEMENT_RENEW,
    STATEMENT_COMMIT,
    STATEMENT_BUNDLE,
    STATEMENT_METHODS,
} statement_method_t;

/* "hello", "claim" ...; "?" for anything else. The RPC method is "cradle." and this. */
const char *statement_method_name(statement_method_t method);
/* False when it is no such word. */
bool statement_method_parse(jws_text_t word, statement_method_t *method);

/* For writing: what the device knows; slices point where the caller likes. After reading: slices
   point into the scratch buffer. */
typedef struct {
    jws_alg_t alg;                 /* JWS_ES256, or JWS_RS256 for an RSA key                    */
    uint8_t signer[JWS_HASH_SIZE]; /* x5t#S256: SHA-256 of the DER of the leaf of the key that
                                      signs; for a commit the new one                          */
    statement_method_t method;
    jws_text_t site; /* aud */
    jws_text_t sn;
    uint8_t epoch[JWS_EPOCH_SIZE];
    uint8_t nonce[JWS_NONCE_SIZE]; /* random, new for each statement                            */

    /* hello: the leaf that the device is connected with (over HTTPS: the newest it has).
       commit: the new leaf, and the same as `signer`. */
    uint8_t leaf[JWS_HASH_SIZE];
    int64_t days;        /* hello: whole days left of that leaf, negative once expired; within
                            +- STATEMENT_DAYS_MAX                                            */
    jws_text_t firmware; /* hello: name and version, 1 to STATEMENT_TEXT_MAX characters       */
    int64_t bundle;      /* hello: version of the highest bundle seen, 0 for none             */
    bool press;          /* hello: the button was pressed to confirm a claim code             */
    jws_text_t ticket;   /* claim: len 0 for none                                             */
    jws_bytes_t csr;     /* claim, renew: PKCS#10, DER                                        */
} statement_t;

/* Writes the signing input and a NUL (not counted in *len) at `out`. Only the members of the method
   are looked at. JWS_UNSUITABLE when a member is not what the reader would take. */
jws_result_t statement_write(const statement_t *statement, char *out, size_t cap, size_t *len);

/* Reads the payload of a JWS_STATEMENT. The payload is decoded into `scratch`, at most
   3/4 of its length (JWS_STATEMENT_MAX always suffices); scratch may be the payload's own place,
   which then holds it no more: verify first. Checks form only, so that the steward can look up the
   key; nothing in it is true before the signature is verified. On failure *statement is undefined
   and jws->fault may name a member. */
jws_result_t statement_read(jws_t *jws, void *scratch, size_t cap, statement_t *statement);

#endif

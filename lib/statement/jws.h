/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jws: the compact JWS (RFC 7515 section 7.1) that every word between device and steward is:
 *
 *     base64url(header) '.' base64url(payload) '.' base64url(signature)
 *
 * No crypto, no heap, no operating system. A writer produces the *signing input* (header '.'
 * payload) in the caller's buffer, the caller signs it by whatever means and however slowly, and
 * jws_append adds the signature. A reader takes the text apart; the caller verifies the signature
 * over jws->text[0 .. signing_len) and believes nothing before. Algorithms:
 *
 *     ES256   ECDSA P-256 with SHA-256; the signature is r | s, 32 bytes each (RFC 7518 3.4), not
 *             DER: jws_es256_from_der and jws_es256_to_der convert
 *     RS256   RSASSA-PKCS1-v1_5 with SHA-256, 2048, 3072 or 4096 bits: statements only
 *     HS256   HMAC with SHA-256: tickets only
 *
 * Strict: the size is looked at before anything else; base64url without padding, unused bits zero;
 * the header has exactly the members of its kind, each once; `alg` and `typ` are compared, never
 * obeyed: a kind has one algorithm, a statement the one of the key that the caller has on record
 * (jws.alg says what the header claims; compare it). `crit`, `jwk`, `x5c` and `none` are refused
 * like any other unknown member or value. In payloads every known member may come once and only
 * where it belongs, strings carry no escapes, and members that are not known are read past (RFC
 * 7519 section 4): a device in the field may be older than its steward. What must not be read past
 * gets a new `v`.
 *
 * Not checked here: signatures, times, whether an SN or a site is the right one, what is inside a
 * certificate or request.
 */
#ifndef CRADLE_STATEMENT_JWS_H
#define CRADLE_STATEMENT_JWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JWS_EPOCH_SIZE 16 /* an epoch                                                          */
#define JWS_NONCE_SIZE 16 /* `n`, a ticket's or receipt's id                                   */
#define JWS_HASH_SIZE  32 /* SHA-256: of a certificate's DER, of a public key                  */
#define JWS_SN_MAX     32 /* an SN as in site/sn.h, without the NUL                            */
#define JWS_SITE_LEN   32 /* a site id: lower-case hex digits                                  */
#define JWS_KID_LEN    16 /* a key id: lower-case hex digits (pki_key_id), without the NUL     */

#define JWS_ES256_SIZE 64 /* signature, bytes */
#define JWS_HS256_SIZE 32
#define JWS_RS256_MAX  512

/* Largest text of each kind, signature included; the reader refuses more before it looks. */
#define JWS_STATEMENT_MAX  2560
#define JWS_ANSWER_MAX     3072 /* with P-256 certificates in it                               */
#define JWS_ANSWER_MAX_RSA 4096 /* what the reader takes                                       */
#define JWS_TICKET_MAX     228
#define JWS_BUNDLE_MAX     3584
#define JWS_RECEIPT_MAX    4096

typedef enum {
    JWS_OK = 0,
    JWS_TOO_LARGE,  /* over the limit of its kind                                              */
    JWS_MALFORMED,  /* not three parts of base64url without padding                            */
    JWS_NOT_JSON,   /* header or payload is not one JSON object                                */
    JWS_HEADER,     /* a header with a member too many, too few, or unreadable                 */
    JWS_ALGORITHM,  /* `alg` is not one that this kind may have                                */
    JWS_TYPE,       /* `typ` is another kind's                                                 */
    JWS_SIGNATURE,  /* the signature has not the size of its algorithm                         */
    JWS_VERSION,    /* `v` is not 1                                                            */
    JWS_METHOD,     /* `m` is no method                                                        */
    JWS_RESULT,     /* the answer's `r` is no result of its method                             */
    JWS_MISSING,    /* a member that must be there is not                                      */
    JWS_TWICE,      /* a member is there twice                                                 */
    JWS_MEMBER,     /* a member of the wrong type, length or alphabet                          */
    JWS_MISPLACED,  /* a member that does not belong to this method or result                  */
    JWS_NO_ROOM,    /* the caller's buffer is too small                                        */
    JWS_UNSUITABLE, /* the writer was asked for something that its reader would refuse         */
} jws_result_t;

/* One clause for a log, without a full stop: "a member is there twice". */
const char *jws_result_text(jws_result_t result);

typedef enum { JWS_NONE = 0, JWS_ES256, JWS_RS256, JWS_HS256 } jws_alg_t;

/* "ES256"; "none" for anything that is no algorithm. */
const char *jws_alg_name(jws_alg_t alg);

typedef enum { JWS_STATEMENT = 0, JWS_ANSWER, JWS_TICKET, JWS_BUNDLE, JWS_RECEIPT } jws_kind_t;

/* Slices: neither ends in a NUL, neither owns what it points to. */
typedef struct {
    const char *text;
    size_t len;
} jws_text_t;

typedef struct {
    const uint8_t *data;
    size_t len;
} jws_bytes_t;

/* A C string as a slice; NULL is the empty one. */
jws_text_t jws_text(const char *text);
bool jws_text_equal(jws_text_t a, jws_text_t b);

/* A JWS taken apart; everything points into the caller's text. */
typedef struct {
    jws_kind_t kind;
    jws_alg_t alg;
    const char *text;
    size_t signing_len;   /* text[0 .. signing_len) is what the signature is over            */
    jws_text_t payload;   /* base64url still                                                 */
    jws_text_t signature; /* base64url still: jws_signature                                  */
    uint8_t x5t[JWS_HASH_SIZE]; /* statements: SHA-256 of the signer's leaf                     */
    char kid[JWS_KID_LEN + 1];  /* answers, bundles, receipts                                   */
    const char *fault; /* the member that a reader stumbled over; static text, or NULL    */
} jws_t;

/* Takes `len` bytes (no NUL needed) apart and reads the header. The text must stay where it is for
   as long as *jws is used. */
jws_result_t jws_open(jws_kind_t kind, const char *text, size_t len, jws_t *jws);

/* The decoded signature: 64 bytes for ES256, 32 for HS256, 256 to 512 for RS256. */
jws_result_t jws_signature(const jws_t *jws, uint8_t *out, size_t cap, size_t *len);

/* text[0 .. *len) is a signing input in a buffer of `cap` bytes: appends '.', the signature and a
   NUL that is not counted. The caller knows that `sig` has the size that the `alg` written in the
   header wants; jws_open would refuse it otherwise. */
jws_result_t jws_append(char *text, size_t cap, size_t *len, const void *sig, size_t sig_len);

/* ECDSA-Sig-Value (RFC 3279 section 2.2.3), as OpenSSL, mbedTLS and lib/pki have it, to and from r
   | s. from_der: false for anything but DER of two positive integers of at most 32 bytes. to_der:
   `out` of JWS_ES256_DER_MAX bytes always suffices; returns the length. r and s are not compared
   with the order of the curve: verifying does that. */
#define JWS_ES256_DER_MAX 72
bool jws_es256_from_der(const uint8_t *der, size_t len, uint8_t raw[JWS_ES256_SIZE]);
size_t jws_es256_to_der(const uint8_t raw[JWS_ES256_SIZE], uint8_t out[JWS_ES256_DER_MAX]);

#endif

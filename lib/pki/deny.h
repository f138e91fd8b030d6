/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deny: the signed deny-list: certificates that count no more, whatever their dates say.
 *
 * The text is a compact JWS on one line:
 *
 *     header   {"alg":"ES256","typ":"cradle-deny+jws","kid":"<pki_key_id of the product CA's key>"}
 *     payload  {"v":1,"site":"<32 hex>","seq":7,"iat":1800000000,"denied":[
 *                {"leaf":"<base64url of the SHA-256 of the DER>","issuer":"<the same of the CA that
 *                 issued it>","serial":"<hex>","at":1800000000,"reason":"superseded"}, ...]}
 *
 * sorted by `leaf`, each once; issuer and serial (what a CRL needs beside) are both there or both
 * not. Names nobody: no SN is in it.
 *
 * Who signs: the product CA. Its certificate is what every door already has and trusts, so a list
 * needs no further anchor; and a denial is as rare and as weighty as an issuing CA, so a key that
 * is kept offline is right for it. Not the `steward` key, which is online: whoever took it could
 * shut out every device of the site. Not an issuing CA: a list would end with each roll.
 * ES256 for a P-256 product CA, RS256 for an RSA one (2048 to 4096 bits); others are refused.
 *
 * The reader compares the header byte for byte with what it would be for the key that it is given:
 * nothing in it is obeyed. `seq` counts up from 1 with each change; whoever holds a list refuses a
 * lower one (pki_deny_seq), since an old list would let a stolen key in again. Not checked here:
 * that there is no newer list elsewhere, and `iat`, which is for people.
 *
 * Nothing blocks. A list that nobody changes may be read by several threads.
 */
#ifndef CRADLE_PKI_DENY_H
#define CRADLE_PKI_DENY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/types.h>

#include "base/err.h"
#include "pki/cert.h"
#include "pki/signer.h"

/* Most certificates of one list, and its most bytes as text. */
#define PKI_DENY_MAX      50000
#define PKI_DENY_TEXT_MAX (32u * 1024 * 1024)
#define PKI_DENY_SITE_LEN 32

/* RFC 5280 section 5.3.1; the numbers are its CRLReason's. */
typedef enum {
    PKI_REASON_UNSPECIFIED = 0,
    PKI_REASON_KEY_COMPROMISE = 1,
    PKI_REASON_CA_COMPROMISE = 2,
    PKI_REASON_AFFILIATION_CHANGED = 3,
    PKI_REASON_SUPERSEDED = 4,
    PKI_REASON_CESSATION = 5,
    PKI_REASON_WITHDRAWN = 9,
} pki_reason_t;

/* "keyCompromise" and back; false for any other word. */
const char *pki_reason_name(pki_reason_t reason);
bool pki_reason_parse(const char *name, pki_reason_t *reason);

typedef struct {
    uint8_t leaf[32];   /* SHA-256 of the certificate's DER                             */
    uint8_t issuer[32]; /* of its issuer's; zero with serial ""                         */
    char serial[43];    /* lower-case hex as in pki_facts_t; "": only the hash is known */
    int64_t at;         /* when it was denied, seconds since 1970                       */
    pki_reason_t reason;
} pki_denied_t;

typedef struct pki_deny pki_deny_t;

/* An empty list of a site (32 hex digits), seq 0. Freed with pki_deny_free. */
bool pki_deny_new(const char *site, pki_deny_t **deny, err_t *err);
void pki_deny_free(pki_deny_t *deny); /* NULL is allowed */

/* Verifies and reads a text: signed by `product` for this site. ERR_INPUT says what is wrong. */
bool pki_deny_read(const char *text, size_t len, const X509 *product, const char *site,
                   pki_deny_t **deny, err_t *err);

/* Signs the list with seq and iat given; heap text with a NUL, the caller frees. */
bool pki_deny_write(const pki_deny_t *deny, int64_t seq, int64_t issued, const pki_signer_t *signer,
                    char **text, size_t *len, err_t *err);

/* Adds one. *added is false when its certificate was there already; that entry stays as it is. */
bool pki_deny_add(pki_deny_t *deny, const pki_denied_t *denied, bool *added, err_t *err);

int64_t pki_deny_seq(const pki_deny_t *deny);
int64_t pki_deny_issued(const pki_deny_t *deny);
size_t pki_deny_count(const pki_deny_t *deny);
const pki_denied_t *pki_deny_at(const pki_deny_t *deny, size_t index); /* sorted by leaf */
/* The entry of a certificate, or NULL. */
const pki_denied_t *pki_deny_find(const pki_deny_t *deny, const uint8_t sha256[32]);

/* For pki_chain_policy_t.denied, with the list as its context. */
bool pki_deny_hook(void *deny, const X509 *cert, const uint8_t sha256[32]);

#endif

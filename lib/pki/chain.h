/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain: may this certificate chain log in as a device? The front door's decision, as a function
 * of the chain, the trust, a few facts and the time; it reads no clock, no file, no global.
 *
 * Trust is an exact product CA certificate (compared byte for byte, as ThingsBoard registers it)
 * and, to be quick and to tell *incomplete* from *foreign*, the issuing CAs known to be under it.
 * A chain is accepted when, from the leaf upward, each certificate is signed by the next until the
 * product CA is reached, every issuer is a CA that may sign certificates, path lengths hold, all
 * dates hold at `now`, and the leaf may act as a TLS client with a usable common name.
 *
 * An absent extension is allowed in the *leaf*, a present and wrong one is refused: the mission's
 * `openssl x509 -req` recipe makes X.509 v1 leaves without any. An *issuer* must be v3 with
 * basicConstraints CA:TRUE, so such a leaf can never issue.
 *
 * Rules followed: RFC 5280 sections 4.2 and 6.1 for signatures, names, dates, basicConstraints,
 * keyUsage, extendedKeyUsage (in an issuer: a limit, as OpenSSL reads it), nameConstraints and
 * unknown critical extensions. NOT checked: certificate policies (a critical policy extension is
 * refused), CRL and OCSP (the deny hook is the way), that the peer holds the key (TLS does), that
 * the CN belongs to anything.
 *
 * Nothing blocks. A pki_trust_t is read-only once built: several threads may check with it.
 */
#ifndef CRADLE_PKI_CHAIN_H
#define CRADLE_PKI_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/types.h>

#include "base/err.h"
#include "pki/cert.h"

typedef enum {
    PKI_CHAIN_OK = 0,

    /* A TLS alert: the chain itself is not what it claims to be. */
    PKI_CHAIN_EMPTY,     /* nothing was presented                                             */
    PKI_CHAIN_TOO_LONG,  /* more than PKI_CHAIN_MAX certificates                              */
    PKI_CHAIN_MALFORMED, /* an extension or date that cannot be read, or unknown and critical */
    PKI_CHAIN_BAD_KEY,   /* a key that is not accepted (key.h), or a signature over SHA-1, MD5 */
    PKI_CHAIN_BAD_SIGNATURE, /* a certificate is not signed by the one that follows it            */
    PKI_CHAIN_FOREIGN_CA,    /* it leads to a CA that is not ours                                 */
    PKI_CHAIN_ISSUER_NOT_CA, /* signed with a key that may not sign certificates: a device's, say */
    PKI_CHAIN_PATHLEN,       /* more CAs below a CA than it allows                                */
    PKI_CHAIN_NAME,          /* outside the name constraints of a CA                              */

    /* CONNACK 5: from our CAs, but not good enough to log in. */
    PKI_CHAIN_INCOMPLETE, /* an unknown leaf without its chain up to and including the product CA */
    PKI_CHAIN_DENIED,     /* on the deny-list, it or one of its issuers                           */
    PKI_CHAIN_NOT_YET_VALID,
    PKI_CHAIN_EXPIRED,
    PKI_CHAIN_NOT_CLIENT, /* the leaf is a CA                                                     */
    PKI_CHAIN_WRONG_USAGE, /* keyUsage without digitalSignature                                   */
    PKI_CHAIN_WRONG_EKU, /* extendedKeyUsage without clientAuth                                  */
    PKI_CHAIN_CN_MISSING,
    PKI_CHAIN_CN_BAD, /* two, too long, or not printable ASCII (pki_cn_t)                         */
} pki_chain_result_t;

/* A fixed word for logs and tests: "bad-signature". */
const char *pki_chain_name(pki_chain_result_t result);

/* True for those that end the TLS handshake, false for OK and those that are answered CONNACK 5. */
bool pki_chain_is_alert(pki_chain_result_t result);

/* The X509_V_ERR_ code whose TLS alert fits, for X509_STORE_CTX_set_error in a verify callback. */
int pki_chain_verify_error(pki_chain_result_t result);

typedef struct pki_trust pki_trust_t;

/* Builds the trust. Each CA of `issuing` (may be NULL) must be a CA, signed by a product CA or by
   one of the others (in any order); ERR_INPUT names the one that is not. Dates are not looked at
   here. References are taken: the caller may free his chains. */
bool pki_trust_new(const pki_chain_t *product, const pki_chain_t *issuing, pki_trust_t **trust,
                   err_t *err);
void pki_trust_free(pki_trust_t *trust);

typedef struct {
    int64_t now; /* seconds since 1970 */
    /* The store holds exactly this leaf (compared by hash) as a device's credential. It was checked
       when it was stored, or an operator put it there: only the leaf is looked at then, what is
       sent after it is not, and it needs no chain. */
    bool leaf_known;
    /* Deny-list hook, NULL for none: called with the SHA-256 of the DER of the leaf and of each
       issuer up to and including the product CA. True means denied. */
    bool (*denied)(void *context, const X509 *cert, const uint8_t sha256[32]);
    void *context;
} pki_chain_policy_t;

typedef struct {
    pki_chain_result_t result;
    size_t at;      /* which certificate of the chain, 0 = leaf */
    char text[256]; /* one sentence for the log: what is wrong and what to do; "" when OK.
                       Names from certificates are shown with '?' for anything not printable */
} pki_chain_verdict_t;

/* Decides. Reasons are looked for in the order of the enum, alerts first, so that a chain with two
   faults is always refused for the same one. `chain` is what the peer presented, leaf first.
   Returns verdict->result. */
pki_chain_result_t pki_chain_check(const pki_trust_t *trust, X509 *const *chain, size_t count,
                                   const pki_chain_policy_t *policy, pki_chain_verdict_t *verdict);

/* Every rule by itself, for a person who wants to know all that is wrong: `each` is called with the
   rule in words and its verdict. Nothing is decided by this: after a first failure the later
   verdicts say little (a chain with a gap has many faults). */
typedef void (*pki_chain_rule_t)(void *context, const char *rule,
                                 const pki_chain_verdict_t *verdict);
void pki_chain_explain(const pki_trust_t *trust, X509 *const *chain, size_t count,
                       const pki_chain_policy_t *policy, pki_chain_rule_t each, void *context);

/* pki_chain_check for what OpenSSL hands out (SSL_get_peer_cert_chain,
   X509_STORE_CTX_get0_untrusted). In a server's SSL_get_peer_cert_chain the leaf is missing: pass
   it as `leaf`, else NULL. */
struct stack_st_X509;
pki_chain_result_t pki_chain_check_stack(const pki_trust_t *trust, X509 *leaf,
                                         const struct stack_st_X509 *stack,
                                         const pki_chain_policy_t *policy,
                                         pki_chain_verdict_t *verdict);

/* Completes a chain: as long as the last certificate of `chain` is not self-signed and one of
   `pool` signed it (name and signature), that one is added. For a device.crt that holds a lone leaf
   and a server_chain.pem with the intermediate that signed it. Adds nothing that is
   there already; success also when nothing was found. */
bool pki_chain_complete(pki_chain_t *chain, const pki_chain_t *pool, err_t *err);

/* `subject` was issued by `issuer`: names match and the signature verifies. */
bool pki_cert_issued_by(X509 *subject, X509 *issuer);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/chain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "pki/internal.h"
#include "pki/key.h"
#include "pki/trust.h"

typedef struct {
    const char *name;
    int verify_error; /* decides the TLS alert */
} outcome_t;

static const outcome_t outcomes[] = {
    [PKI_CHAIN_OK] = {"ok", X509_V_OK},
    [PKI_CHAIN_EMPTY] = {"empty", X509_V_ERR_UNSPECIFIED},
    [PKI_CHAIN_TOO_LONG] = {"too-long", X509_V_ERR_CERT_CHAIN_TOO_LONG},
    [PKI_CHAIN_MALFORMED] = {"malformed", X509_V_ERR_INVALID_EXTENSION},
    [PKI_CHAIN_BAD_KEY] = {"bad-key", X509_V_ERR_EE_KEY_TOO_SMALL},
    [PKI_CHAIN_BAD_SIGNATURE] = {"bad-signature", X509_V_ERR_CERT_SIGNATURE_FAILURE},
    [PKI_CHAIN_FOREIGN_CA] = {"foreign-ca", X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
    [PKI_CHAIN_ISSUER_NOT_CA] = {"issuer-not-ca", X509_V_ERR_INVALID_CA},
    [PKI_CHAIN_PATHLEN] = {"path-length", X509_V_ERR_PATH_LENGTH_EXCEEDED},
    [PKI_CHAIN_NAME] = {"name-constraint", X509_V_ERR_PERMITTED_VIOLATION},
    [PKI_CHAIN_INCOMPLETE] = {"incomplete", X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT},
    [PKI_CHAIN_DENIED] = {"denied", X509_V_ERR_CERT_REVOKED},
    [PKI_CHAIN_NOT_YET_VALID] = {"not-yet-valid", X509_V_ERR_CERT_NOT_YET_VALID},
    [PKI_CHAIN_EXPIRED] = {"expired", X509_V_ERR_CERT_HAS_EXPIRED},
    [PKI_CHAIN_NOT_CLIENT] = {"not-client", X509_V_ERR_INVALID_PURPOSE},
    [PKI_CHAIN_WRONG_USAGE] = {"wrong-key-usage", X509_V_ERR_INVALID_PURPOSE},
    [PKI_CHAIN_WRONG_EKU] = {"wrong-eku", X509_V_ERR_INVALID_PURPOSE},
    [PKI_CHAIN_CN_MISSING] = {"cn-missing", X509_V_ERR_SUBJECT_ISSUER_MISMATCH},
    [PKI_CHAIN_CN_BAD] = {"cn-bad", X509_V_ERR_SUBJECT_ISSUER_MISMATCH},
};

const char *pki_chain_name(pki_chain_result_t result)
{
    return outcomes[result].name;
}

bool pki_chain_is_alert(pki_chain_result_t result)
{
    return result != PKI_CHAIN_OK && result < PKI_CHAIN_INCOMPLETE;
}

int pki_chain_verify_error(pki_chain_result_t result)
{
    return outcomes[result].verify_error;
}

/* One decision under way. */
typedef struct {
    const pki_trust_t *trust;
    const pki_chain_policy_t *policy;
    pki_chain_verdict_t *verdict;
    X509 *cert[PKI_CHAIN_MAX];
    uint8_t hash[PKI_CHAIN_MAX][32];
    const pki_known_t *known[PKI_CHAIN_MAX]; /* NULL: not one of ours by its bytes      */
    size_t count;                            /* how many belong to the path, leaf first */
    bool anchored;                           /* the last one is a product CA            */
} check_t;

typedef bool (*step_t)(check_t *check);

static bool refuse(check_t *check, pki_chain_result_t result, size_t at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static bool refuse(check_t *check, pki_chain_result_t result, size_t at, const char *format, ...)
{
    va_list args;
    check->verdict->result = result;
    check->verdict->at = at;
    va_start(args, format);
    vsnprintf(check->verdict->text, sizeof check->verdict->text, format, args);
    va_end(args);
    return false;
}

/* A name for the log: "/CN=SN-000001", at most 63 characters, escaped by OpenSSL. */
typedef struct {
    char text[64];
} shown_t;

static shown_t show_name(const X509_NAME *name)
{
    shown_t shown;
    if (X509_NAME_oneline(name, shown.text, sizeof shown.text) == NULL || shown.text[0] == '\0') {
        snprintf(shown.text, sizeof shown.text, "(no name)");
    }
    return shown;
}

static shown_t subject(const check_t *check, size_t at)
{
    return show_name(X509_get_subject_name(check->cert[at]));
}

static shown_t issuer(const check_t *check, size_t at)
{
    return show_name(X509_get_issuer_name(check->cert[at]));
}

/* Critical extensions that this file or OpenSSL's flags look at. */
static bool extension_understood(int nid)
{
    return nid == NID_basic_constraints || nid == NID_key_usage || nid == NID_ext_key_usage ||
           nid == NID_subject_alt_name || nid == NID_name_constraints;
}

static bool step_form(check_t *check)
{
    for (size_t i = 0; i < check->count; i++) {
        X509 *cert = check->cert[i];
        if ((X509_get_extension_flags(cert) & EXFLAG_INVALID) != 0) {
            return refuse(check, PKI_CHAIN_MALFORMED, i, "%s has an extension that cannot be read",
                          subject(check, i).text);
        }
        for (int j = 0; j < X509_get_ext_count(cert); j++) {
            X509_EXTENSION *extension = X509_get_ext(cert, j);
            int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
            if (X509_EXTENSION_get_critical(extension) && !extension_understood(nid)) {
                return refuse(check, PKI_CHAIN_MALFORMED, i,
                              "%s has a critical extension (%s) that is not understood here",
                              subject(check, i).text, OBJ_nid2sn(nid));
            }
        }
        int64_t from;
        int64_t to;
        if (!pki_cert_dates(cert, &from, &to)) {
            return refuse(check, PKI_CHAIN_MALFORMED, i, "the dates of %s cannot be read",
                          subject(check, i).text);
        }
    }
    return true;
}

static bool digest_accepted(X509 *cert)
{
    int digest = NID_undef;
    X509_get_signature_info(cert, &digest, NULL, NULL, NULL);
    return digest == NID_sha256 || digest == NID_sha384 || digest == NID_sha512;
}

/* Before any signature is verified: an RSA key of 16,384 bits would cost us, not the peer. */
static bool step_keys(check_t *check)
{
    for (size_t i = 0; i < check->count; i++) {
        err_t why = ERR_INIT;
        if (!pki_key_check(X509_get0_pubkey(check->cert[i]), &why)) {
            return refuse(check, PKI_CHAIN_BAD_KEY, i, "%s: %.150s", subject(check, i).text,
                          why.text);
        }
        /* An anchor is trusted by its bytes, whoever signed it. */
        bool anchor = check->anchored && i + 1 == check->count;
        if (!anchor && !digest_accepted(check->cert[i])) {
            return refuse(check, PKI_CHAIN_BAD_KEY, i,
                          "%s is not signed over SHA-256, -384 or -512; issue it anew",
                          subject(check, i).text);
        }
    }
    return true;
}

static bool step_signatures(check_t *check)
{
    for (size_t i = 0; i + 1 < check->count; i++) {
        const pki_known_t *own = check->known[i];
        const pki_known_t *next = check->known[i + 1];
        if (own != NULL && next != NULL && next == &check->trust->known[own->issuer]) {
            continue; /* verified when the trust was built */
        }
        /* The copy that we keep has its key decoded and cached. */
        if (!pki_cert_issued_by(check->cert[i], next != NULL ? next->cert : check->cert[i + 1])) {
            return refuse(
                check, PKI_CHAIN_BAD_SIGNATURE, i,
                "%s is not signed by %s, which follows it; send leaf, issuing CA, product "
                "CA in this order",
                subject(check, i).text, subject(check, i + 1).text);
        }
    }
    return true;
}

/* A path that did not reach a product CA: ours but cut short, or somebody else's? */
static bool step_origin(check_t *check)
{
    size_t top = check->count - 1;
    X509 *cert = check->cert[top];
    bool named;
    if (check->anchored) {
        return true;
    }
    if (X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)) == 0) {
        return refuse(check, PKI_CHAIN_FOREIGN_CA, top,
                      "the chain ends at %s, which is not this site's product CA",
                      subject(check, top).text);
    }
    if (pki_trust_issuer(check->trust, cert, &named) != NULL) {
        return true; /* ours; step_complete says what is missing */
    }
    return refuse(check, PKI_CHAIN_FOREIGN_CA, top,
                  named ? "%s names our CA %s but was not signed by it"
                        : "%s was issued by %s, which is not known here; a CA of ours must be sent "
                          "along up to the product CA",
                  subject(check, top).text, issuer(check, top).text);
}

static bool step_issuers(check_t *check)
{
    for (size_t i = 1; i < check->count; i++) {
        if (!pki_cert_is_ca(check->cert[i])) {
            return refuse(check, PKI_CHAIN_ISSUER_NOT_CA, i,
                          "%s signed %s but is no CA: somebody used a device's key to issue",
                          subject(check, i).text, subject(check, i - 1).text);
        }
    }
    return true;
}

static bool step_path_lengths(check_t *check)
{
    long below = 0; /* CAs between this one and the leaf, self-issued ones not counted */
    for (size_t i = 1; i < check->count; i++) {
        X509 *cert = check->cert[i];
        long limit = X509_get_pathlen(cert);
        if (limit >= 0 && below > limit) {
            return refuse(check, PKI_CHAIN_PATHLEN, i,
                          "the CA %s allows %ld CAs below it, there are %ld",
                          subject(check, i).text, limit, below);
        }
        below += X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)) != 0;
    }
    return true;
}

static bool step_names(check_t *check)
{
    for (size_t i = 1; i < check->count; i++) {
        NAME_CONSTRAINTS *limits =
            X509_get_ext_d2i(check->cert[i], NID_name_constraints, NULL, NULL);
        size_t bad = i;
        for (size_t j = 0; limits != NULL && bad == i && j < i; j++) {
            if (NAME_CONSTRAINTS_check(check->cert[j], limits) != X509_V_OK) {
                bad = j;
            }
        }
        NAME_CONSTRAINTS_free(limits);
        if (bad != i) {
            return refuse(check, PKI_CHAIN_NAME, bad, "%s is outside the names that %s may certify",
                          subject(check, bad).text, subject(check, i).text);
        }
    }
    return true;
}

static bool step_complete(check_t *check)
{
    size_t top = check->count - 1;
    if (check->anchored || check->policy->leaf_known) {
        return true;
    }
    return refuse(
        check, PKI_CHAIN_INCOMPLETE, top,
        "%s is not known yet and its chain ends before the product CA; send leaf, issuing "
        "CA and product CA, or register the certificate first",
        subject(check, 0).text);
}

static bool step_denied(check_t *check)
{
    const pki_chain_policy_t *policy = check->policy;
    for (size_t i = 0; policy->denied != NULL && i < check->count; i++) {
        if (policy->denied(policy->context, check->cert[i], check->hash[i])) {
            return refuse(check, PKI_CHAIN_DENIED, i, "%s is on the deny-list",
                          subject(check, i).text);
        }
    }
    return true;
}

static bool step_begun(check_t *check)
{
    for (size_t i = 0; i < check->count; i++) {
        int64_t from;
        int64_t to;
        if (pki_cert_dates(check->cert[i], &from, &to) && check->policy->now < from) {
            return refuse(check, PKI_CHAIN_NOT_YET_VALID, i,
                          "%s becomes valid in %lld s; compare this machine's clock with the "
                          "issuer's",
                          subject(check, i).text, (long long)(from - check->policy->now));
        }
    }
    return true;
}

static bool step_not_over(check_t *check)
{
    for (size_t i = 0; i < check->count; i++) {
        int64_t from;
        int64_t to;
        if (pki_cert_dates(check->cert[i], &from, &to) && check->policy->now > to) {
            return refuse(check, PKI_CHAIN_EXPIRED, i, "%s expired %lld s ago; %s",
                          subject(check, i).text, (long long)(check->policy->now - to),
                          i == 0 ? "renew the device's certificate" : "roll this CA");
        }
    }
    return true;
}

static bool step_not_a_ca(check_t *check)
{
    uint32_t flags = X509_get_extension_flags(check->cert[0]);
    if ((flags & EXFLAG_CA) == 0) {
        return true;
    }
    return refuse(check, PKI_CHAIN_NOT_CLIENT, 0, "%s is a CA and cannot log in as a device",
                  subject(check, 0).text);
}

static bool step_key_usage(check_t *check)
{
    X509 *leaf = check->cert[0];
    bool present = (X509_get_extension_flags(leaf) & EXFLAG_KUSAGE) != 0;
    if (!present || (X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE) != 0) {
        return true;
    }
    return refuse(check, PKI_CHAIN_WRONG_USAGE, 0,
                  "%s may not sign (keyUsage without digitalSignature); issue it anew",
                  subject(check, 0).text);
}

/* In an issuer the extension limits what is below it, as OpenSSL and Java read it. */
static bool step_extended_key_usage(check_t *check)
{
    for (size_t i = 0; i < check->count; i++) {
        X509 *cert = check->cert[i];
        bool present = (X509_get_extension_flags(cert) & EXFLAG_XKUSAGE) != 0;
        if (present && (X509_get_extended_key_usage(cert) & XKU_SSL_CLIENT) == 0) {
            return refuse(check, PKI_CHAIN_WRONG_EKU, i,
                          "%s is not for clients (extendedKeyUsage without clientAuth)",
                          subject(check, i).text);
        }
    }
    /* What is left is netscapeCertType, which OpenSSL judges in the same call. */
    if (X509_check_purpose(check->cert[0], X509_PURPOSE_SSL_CLIENT, 0) != 1) {
        return refuse(check, PKI_CHAIN_WRONG_EKU, 0, "%s may not act as a TLS client",
                      subject(check, 0).text);
    }
    return true;
}

static bool step_common_name(check_t *check)
{
    char cn[PKI_CN_MAX + 1];
    switch (pki_cert_cn(check->cert[0], cn)) {
    case PKI_CN_OK:
        return true;
    case PKI_CN_MISSING:
        return refuse(check, PKI_CHAIN_CN_MISSING, 0,
                      "the certificate %s has no CN; the serial number must be its CN",
                      subject(check, 0).text);
    case PKI_CN_TWICE:
        return refuse(check, PKI_CHAIN_CN_BAD, 0, "the certificate %s has several CNs",
                      subject(check, 0).text);
    case PKI_CN_TOO_LONG:
    case PKI_CN_NOT_PLAIN:
        break;
    }
    return refuse(check, PKI_CHAIN_CN_BAD, 0,
                  "the CN of %s is not 1 to %d printable ASCII characters", subject(check, 0).text,
                  PKI_CN_MAX);
}

/* In the order of the enum: alerts first. */
static const struct {
    step_t step;
    const char *rule;
} path_steps[] = {
    {step_form, "extensions and dates can be read"},
    {step_keys, "keys and signature algorithms"},
    {step_signatures, "each is signed by the next"},
    {step_origin, "leads to this product CA"},
    {step_issuers, "issuers are CAs"},
    {step_path_lengths, "path lengths"},
    {step_names, "name constraints"},
    {step_complete, "complete up to the product CA"},
    {step_denied, "not on the deny-list"},
    {step_begun, "valid already"},
    {step_not_over, "not expired"},
    {step_not_a_ca, "the leaf is no CA"},
    {step_key_usage, "key usage"},
    {step_extended_key_usage, "for a TLS client"},
    {step_common_name, "one common name"},
};
#define STEPS (sizeof path_steps / sizeof path_steps[0])

/* Hashes each certificate, and cuts the path off behind the first product CA above the leaf. */
static bool begin(check_t *check, X509 *const *chain, size_t count)
{
    if (count == 0) {
        return refuse(check, PKI_CHAIN_EMPTY, 0, "no certificate was presented");
    }
    if (count > PKI_CHAIN_MAX) {
        return refuse(check, PKI_CHAIN_TOO_LONG, count - 1,
                      "%zu certificates were presented, at most %d are looked at", count,
                      PKI_CHAIN_MAX);
    }
    size_t limit = check->policy->leaf_known ? 1 : count;
    for (size_t i = 0; i < limit && !check->anchored; i++) {
        check->cert[i] = chain[i];
        check->count = i + 1;
        if (!pki_cert_hash(chain[i], check->hash[i])) {
            ERR_clear_error();
            return refuse(check, PKI_CHAIN_MALFORMED, i, "%s is larger than %d bytes",
                          subject(check, i).text, PKI_CERT_DER_MAX);
        }
        check->known[i] = pki_trust_find(check->trust, check->hash[i]);
        check->anchored = i > 0 && check->known[i] != NULL && check->known[i]->product;
    }
    return true;
}

pki_chain_result_t pki_chain_check(const pki_trust_t *trust, X509 *const *chain, size_t count,
                                   const pki_chain_policy_t *policy, pki_chain_verdict_t *verdict)
{
    check_t check = {.trust = trust, .policy = policy, .verdict = verdict};
    *verdict = (pki_chain_verdict_t){PKI_CHAIN_OK, 0, ""};
    bool ok = begin(&check, chain, count);
    for (size_t i = 0; ok && i < STEPS; i++) {
        /* A leaf that the store knows by its hash needs no way to a CA. */
        if (path_steps[i].step == step_origin && policy->leaf_known) {
            continue;
        }
        ok = path_steps[i].step(&check);
    }
    return verdict->result;
}

void pki_chain_explain(const pki_trust_t *trust, X509 *const *chain, size_t count,
                       const pki_chain_policy_t *policy, pki_chain_rule_t each, void *context)
{
    pki_chain_verdict_t verdict = {PKI_CHAIN_OK, 0, ""};
    check_t check = {.trust = trust, .policy = policy, .verdict = &verdict};
    if (!begin(&check, chain, count)) {
        each(context, "a chain of 1 to 8 certificates", &verdict);
        return;
    }
    for (size_t i = 0; i < STEPS; i++) {
        if (path_steps[i].step == step_origin && policy->leaf_known) {
            continue;
        }
        verdict = (pki_chain_verdict_t){PKI_CHAIN_OK, 0, ""};
        path_steps[i].step(&check);
        each(context, path_steps[i].rule, &verdict);
    }
}

pki_chain_result_t pki_chain_check_stack(const pki_trust_t *trust, X509 *leaf,
                                         const STACK_OF(X509) * stack,
                                         const pki_chain_policy_t *policy,
                                         pki_chain_verdict_t *verdict)
{
    X509 *chain[PKI_CHAIN_MAX + 1];
    size_t count = 0;
    if (leaf != NULL) {
        chain[count++] = leaf;
    }
    for (int i = 0; i < sk_X509_num(stack) && count <= PKI_CHAIN_MAX; i++) {
        chain[count++] = sk_X509_value(stack, i);
    }
    return pki_chain_check(trust, chain, count, policy, verdict);
}

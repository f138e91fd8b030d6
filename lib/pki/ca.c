/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/ca.h"

#include <stdio.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "pki/internal.h"

static bool add_extensions(X509 *cert, X509 *issuer, int pathlen, err_t *err)
{
    char constraints[64];
    if (pathlen == PKI_PATHLEN_NONE) {
        snprintf(constraints, sizeof constraints, "critical,CA:TRUE");
    } else {
        snprintf(constraints, sizeof constraints, "critical,CA:TRUE,pathlen:%d", pathlen);
    }
    return pki_extension_add(cert, NID_basic_constraints, constraints, err) &&
           pki_extension_add(cert, NID_key_usage, "critical,keyCertSign,cRLSign", err) &&
           pki_key_identifiers_add(cert, issuer, err);
}

static bool make(const pki_body_t *body, int pathlen, const pki_signer_t *signer, X509 **cert,
                 err_t *err)
{
    X509 *made;
    *cert = NULL;
    if (pathlen < PKI_PATHLEN_NONE) {
        return err_set(err, ERR_USAGE, "a path length of %d cannot be", pathlen);
    }
    if (!pki_body_make(body, &made, err)) {
        return false;
    }
    if (!add_extensions(made, body->issuer, pathlen, err) ||
        !pki_signer_sign_cert(signer, made, err)) {
        X509_free(made);
        return false;
    }
    *cert = made;
    return true;
}

static pki_body_t body_of(const pki_ca_request_t *request, EVP_PKEY *key, X509 *issuer)
{
    return (pki_body_t){.cn = request->name,
                        .key = key,
                        .issuer = issuer,
                        .not_before = request->not_before,
                        .not_after = request->not_before + (int64_t)request->days * 86400};
}

bool pki_ca_make_root(const pki_ca_request_t *request, const pki_signer_t *signer, X509 **cert,
                      err_t *err)
{
    pki_body_t body = body_of(request, pki_signer_public(signer), NULL);
    return make(&body, request->pathlen, signer, cert, err);
}

bool pki_ca_make(const pki_ca_request_t *request, const pki_issuer_t *issuer, X509 **cert,
                 err_t *err)
{
    pki_body_t body = body_of(request, request->key, issuer->cert);
    *cert = NULL;
    if (!pki_issuer_check(issuer, &body, true, err)) {
        return false;
    }
    long room = X509_get_pathlen(issuer->cert);
    if (room >= 0 && (request->pathlen == PKI_PATHLEN_NONE || request->pathlen >= room)) {
        return err_set(err, ERR_USAGE, "below a CA of path length %ld the CA %s must have less",
                       room, request->name);
    }
    return make(&body, request->pathlen, issuer->signer, cert, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/issue.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "pki/cert.h"
#include "pki/internal.h"

static bool finish(X509 *cert, const pki_issuer_t *issuer, const char *usage, const char *purpose,
                   err_t *err)
{
    return pki_extension_add(cert, NID_basic_constraints, "critical,CA:FALSE", err) &&
           pki_extension_add(cert, NID_key_usage, usage, err) &&
           pki_extension_add(cert, NID_ext_key_usage, purpose, err) &&
           pki_key_identifiers_add(cert, issuer->cert, err) &&
           pki_signer_sign_cert(issuer->signer, cert, err);
}

bool pki_issue_device_der(const pki_device_request_t *request, const pki_issuer_t *issuer,
                          uint8_t *out, size_t cap, size_t *len, err_t *err)
{
    uint32_t days = request->days == 0 ? PKI_DEVICE_DAYS : request->days;
    pki_body_t body = {.cn = request->sn,
                       .key = request->key,
                       .issuer = issuer->cert,
                       .not_before = request->not_before,
                       .not_after = request->not_before + (int64_t)days * 86400,
                       .only_bytes = true};
    X509 *made;
    if (!pki_issuer_check(issuer, &body, false, err) || !pki_body_make(&body, &made, err)) {
        return false;
    }
    bool ok = finish(made, issuer, "critical,digitalSignature", "clientAuth", err) &&
              pki_cert_to_der(made, out, cap, len, err);
    X509_free(made);
    return ok;
}

bool pki_issue_device(const pki_device_request_t *request, const pki_issuer_t *issuer, X509 **cert,
                      err_t *err)
{
    uint8_t der[PKI_CERT_DER_MAX];
    size_t len;
    *cert = NULL;
    return pki_issue_device_der(request, issuer, der, sizeof der, &len, err) &&
           pki_cert_from_der(der, len, cert, err);
}

bool pki_dns_name_valid(const char *name)
{
    size_t len = strlen(name);
    size_t label = 0;
    const char *p = strncmp(name, "*.", 2) == 0 ? name + 2 : name;
    if (len == 0 || len > 253) {
        return false;
    }
    for (; *p != '\0'; p++) {
        bool alnum =
            (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        bool inner = *p == '-' && label > 0 && p[1] != '.' && p[1] != '\0';
        if (*p == '.' && label > 0 && p[1] != '\0') {
            label = 0;
        } else if ((alnum || inner) && label < 63) {
            label++;
        } else {
            return false;
        }
    }
    return label > 0;
}

/* One entry of the subjectAltName. */
static GENERAL_NAME *general_name(const char *name)
{
    uint8_t ip[16];
    int family = inet_pton(AF_INET, name, ip) == 1    ? AF_INET
                 : inet_pton(AF_INET6, name, ip) == 1 ? AF_INET6
                                                      : 0;
    if (family == 0 && !pki_dns_name_valid(name)) {
        return NULL;
    }
    GENERAL_NAME *entry = GENERAL_NAME_new();
    ASN1_STRING *value = family == 0 ? ASN1_IA5STRING_new() : ASN1_OCTET_STRING_new();
    bool ok = entry != NULL && value != NULL &&
              (family == 0 ? ASN1_STRING_set(value, name, (int)strlen(name))
                           : ASN1_STRING_set(value, ip, family == AF_INET ? 4 : 16)) == 1;
    if (!ok) {
        ASN1_STRING_free(value);
        GENERAL_NAME_free(entry);
        return NULL;
    }
    GENERAL_NAME_set0_value(entry, family == 0 ? GEN_DNS : GEN_IPADD, value);
    return entry;
}

static bool add_names(X509 *cert, const pki_server_request_t *request, err_t *err)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    bool ok = names != NULL;
    for (size_t i = 0; ok && i < request->name_count; i++) {
        GENERAL_NAME *entry = general_name(request->names[i]);
        if (entry == NULL) {
            ok = err_set(err, ERR_USAGE, "\"%.80s\" is neither a host name nor an IP address",
                         request->names[i]);
        } else if (sk_GENERAL_NAME_push(names, entry) <= 0) {
            GENERAL_NAME_free(entry);
            ok = err_set(err, ERR_SYSTEM, "out of memory for host names");
        }
    }
    if (ok && X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, X509V3_ADD_APPEND) != 1) {
        ok = pki_fail(err, ERR_SYSTEM, "cannot add the host names");
    }
    GENERAL_NAMES_free(names);
    return ok;
}

/* The CN is for people only; clients compare the subjectAltName (RFC 6125 section 6.4.4). */
static const char *server_cn(const pki_server_request_t *request)
{
    for (size_t i = 0; i < request->name_count; i++) {
        uint8_t ip[16];
        const char *name = request->names[i];
        if (inet_pton(AF_INET, name, ip) != 1 && inet_pton(AF_INET6, name, ip) != 1 &&
            strlen(name) <= PKI_CN_MAX) {
            return name;
        }
    }
    return request->names[0];
}

bool pki_issue_server(const pki_server_request_t *request, const pki_issuer_t *issuer, X509 **cert,
                      err_t *err)
{
    *cert = NULL;
    if (request->name_count == 0 || request->name_count > PKI_SERVER_NAMES_MAX) {
        return err_set(err, ERR_USAGE, "a server certificate needs 1 to %d names, not %zu",
                       PKI_SERVER_NAMES_MAX, request->name_count);
    }
    pki_body_t body = {.cn = server_cn(request),
                       .key = request->key,
                       .issuer = issuer->cert,
                       .not_before = request->not_before,
                       .not_after = request->not_before + (int64_t)request->days * 86400};
    X509 *made;
    if (!pki_issuer_check(issuer, &body, false, err) || !pki_body_make(&body, &made, err)) {
        return false;
    }
    const char *usage = EVP_PKEY_get_base_id(request->key) == EVP_PKEY_RSA
                            ? "critical,digitalSignature,keyEncipherment"
                            : "critical,digitalSignature";
    if (!add_names(made, request, err) || !finish(made, issuer, usage, "serverAuth", err)) {
        X509_free(made);
        return false;
    }
    *cert = made;
    return true;
}

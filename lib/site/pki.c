/* SPDX-License-Identifier: Apache-2.0 */
/* pki: the keys of a new site, and the certificates of its servers. Its CAs: authorities.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/ca.h"
#include "pki/cert.h"
#include "pki/issue.h"
#include "pki/key.h"
#include "site/authorities.h"
#include "site/internal.h"
#include "site/site.h"

#define SERVER_DAYS 1825

/* Keys for one use each, without a certificate: always P-256, because devices verify with them. */
static const char *const bare_keys[] = {"firmware", "anchor", "steward", "bench", "pack"};

static bool make_key(const site_t *site, const char *name, pki_key_type_t type, EVP_PKEY **key,
                     err_t *err)
{
    char path[FILE_PATH_MAX];
    *key = NULL;
    return site_key_path(site, name, path, err) && pki_key_generate(type, key, err) &&
           pki_key_save(*key, path, err);
}

static bool make_bare_key(const site_t *site, const char *name, err_t *err)
{
    EVP_PKEY *key;
    char path[FILE_PATH_MAX];
    bool ok = make_key(site, name, PKI_KEY_P256, &key, err) &&
              site_pub_path(site, name, path, err) && pki_key_public_save(key, path, err);
    pki_key_free(key);
    return ok;
}

/* "host:port" or "[v6]:port" without the port. */
static void host_of(const char *address, char out[SITE_HOST_SIZE])
{
    snprintf(out, SITE_HOST_SIZE, "%s", address[0] == '[' ? address + 1 : address);
    char *end = address[0] == '[' ? strchr(out, ']') : strrchr(out, ':');
    if (end != NULL) {
        *end = '\0';
    }
}

static bool add_name(const char *names[PKI_SERVER_NAMES_MAX], size_t *count, const char *name,
                     err_t *err)
{
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    if (*count == PKI_SERVER_NAMES_MAX) {
        return err_set(err, ERR_USAGE, "more than %d names for one server certificate",
                       PKI_SERVER_NAMES_MAX);
    }
    names[(*count)++] = name;
    return true;
}

/* A server of the site: which address devices know it by, what else it is called. */
typedef struct {
    const char *address;
    const char *const *names;
    size_t name_count;
    const char *key_file;
    const char *cert_file;
} server_t;

static bool make_server_cert(const server_t *server, int64_t now, authorities_t *made,
                             EVP_PKEY *key, X509 **cert, err_t *err)
{
    const char *names[PKI_SERVER_NAMES_MAX];
    size_t count = 0;
    char host[SITE_HOST_SIZE];
    host_of(server->address, host);
    bool ok = add_name(names, &count, host, err) && add_name(names, &count, "localhost", err) &&
              add_name(names, &count, "127.0.0.1", err) && add_name(names, &count, "::1", err);
    for (size_t i = 0; ok && i < server->name_count; i++) {
        ok = add_name(names, &count, server->names[i], err);
    }
    pki_server_request_t wanted = {names, count, key, now, SERVER_DAYS};
    pki_issuer_t by = {made->cert[CA_SERVER_ISSUING], made->signer[CA_SERVER_ISSUING]};
    return ok && pki_issue_server(&wanted, &by, cert, err);
}

/* A key, and the certificate with the CA that signed it: what a TLS server sends. */
static bool make_server(const site_t *site, const server_t *server, int64_t now,
                        authorities_t *made, err_t *err)
{
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;
    char *pem = NULL;
    size_t len;
    char path[FILE_PATH_MAX];
    bool ok = site_path(site, server->key_file, path, err) &&
              pki_key_generate(site->key_type, &key, err) && pki_key_save(key, path, err) &&
              make_server_cert(server, now, made, key, &cert, err);
    pki_chain_t chain = {{cert, made->cert[CA_SERVER_ISSUING]}, 2};
    ok = ok && pki_chain_to_pem(&chain, &pem, &len, err) &&
         site_path(site, server->cert_file, path, err) && file_write_new(path, pem, len, 0644, err);
    free(pem);
    pki_cert_free(cert);
    pki_key_free(key);
    return ok;
}

static bool make_servers(const site_t *site, const site_create_t *request, authorities_t *made,
                         err_t *err)
{
    const server_t cloud = {site->cloud, request->server_names, request->server_name_count,
                            "cloud/server.key", "cloud/server.crt"};
    const server_t steward = {site->steward, NULL, 0, "steward/server.key", "steward/server.crt"};
    return make_server(site, &cloud, request->now, made, err) &&
           (site->steward[0] == '\0' || make_server(site, &steward, request->now, made, err));
}

/* Whoever signed the cloud's certificate, where that was not us. */
static bool take_cloud_root(const site_t *site, const char *from, err_t *err)
{
    char path[FILE_PATH_MAX];
    char *pem = NULL;
    size_t len;
    pki_chain_t roots;
    if (from == NULL) {
        return true;
    }
    if (!pki_chain_load(from, &roots, err)) {
        return err_add(err, "the roots of the cloud's certificate");
    }
    bool ok = pki_chain_to_pem(&roots, &pem, &len, err) &&
              site_ca_path(site, "cloud-root", path, err) &&
              file_write_new(path, pem, len, 0644, err);
    free(pem);
    pki_chain_free(&roots);
    return ok;
}

bool site_make_pki(const site_t *site, const site_create_t *request, err_t *err)
{
    authorities_t made;
    bool made_them = authorities_make(site, request, &made, err);
    bool ok = made_them;
    for (size_t i = 0; ok && i < sizeof bare_keys / sizeof bare_keys[0]; i++) {
        ok = make_bare_key(site, bare_keys[i], err);
    }
    ok = ok && make_servers(site, request, &made, err) &&
         take_cloud_root(site, request->cloud_ca, err);
    if (!ok && made_them) {
        authorities_withdraw(request);
    }
    authorities_free(&made);
    return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "site/authorities.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/x509v3.h>

#include "pki/cert.h"
#include "pki/chain.h"
#include "pki/describe.h"
#include "pki/issue.h"
#include "pki/key.h"

#define NO_ISSUER (-1)
#define DAY       86400

static const struct {
    const char *file;
    const char *title;
    int issuer;
    int pathlen;
    uint32_t days;
    bool rare; /* its key signs next to never: under the passphrase, if there is one */
} cas[CAS] = {
    [CA_ROOT] = {"root", "Root CA", NO_ISSUER, PKI_PATHLEN_NONE, 10950, true},
    [CA_PRODUCT] = {"product", "Product CA", CA_ROOT, 1, 9125, true},
    [CA_LINE] = {"line", "Line CA", CA_PRODUCT, 0, 7300, false},
    [CA_RENEWAL] = {"renewal", "Renewal CA", CA_PRODUCT, 0, 7300, false},
    [CA_SERVER_ROOT] = {"server-root", "Server Root CA", NO_ISSUER, 1, 10950, true},
    [CA_SERVER_ISSUING] = {"server-issuing", "Server Issuing CA", CA_SERVER_ROOT, 0, 7300, false},
};

/* ---- keys that go elsewhere ---- */

/* The directory of `file`, without symbolic links. */
static bool real_dir(const char *file, char out[FILE_PATH_MAX], err_t *err)
{
    char dir[FILE_PATH_MAX];
    const char *slash = strrchr(file, '/');
    int n = slash == NULL ? snprintf(dir, sizeof dir, ".")
                          : snprintf(dir, sizeof dir, "%.*s", (int)(slash - file + 1), file);
    char *real = n < FILE_PATH_MAX ? realpath(dir, NULL) : NULL;
    bool ok = real != NULL && strlen(real) < FILE_PATH_MAX;
    if (ok) {
        strcpy(out, real);
    } else {
        err_errno(err, "cannot put a key into %s", file);
    }
    free(real);
    return ok;
}

/* A key that is to be away must not end in the site, by whatever way. */
static bool check_away(const site_t *site, const char *file, err_t *err)
{
    char there[FILE_PATH_MAX];
    char here[FILE_PATH_MAX];
    char settings[FILE_PATH_MAX];
    if (!real_dir(file, there, err) || !site_path(site, "cradle.json", settings, err) ||
        !real_dir(settings, here, err)) {
        return false;
    }
    size_t len = strlen(here);
    if (strncmp(there, here, len) == 0 && (there[len] == '\0' || there[len] == '/')) {
        return err_set(err, ERR_USAGE,
                       "%s is inside the site; name a file on the medium that will be locked away",
                       file);
    }
    return true;
}

/* The file that was asked for, or NULL: keys/NAME.key. */
static const char *away(const site_create_t *request, int which)
{
    return which == CA_ROOT ? request->root_key : which == CA_PRODUCT ? request->product_key : NULL;
}

static bool make_key(const site_t *site, const site_create_t *request, int which,
                     authorities_t *made, EVP_PKEY **key, err_t *err)
{
    char path[FILE_PATH_MAX];
    const char *file = away(request, which);
    const char *passphrase = cas[which].rare ? request->passphrase : NULL;
    bool ok = pki_key_generate(site->key_type, key, err);
    if (file == NULL) {
        return ok && site_key_path(site, cas[which].file, path, err) &&
               pki_key_save_encrypted(*key, path, passphrase, err);
    }
    ok = ok && check_away(site, file, err) &&
         (pki_key_save_encrypted(*key, file, passphrase, err) ||
          err_add(err, "the key of the %s CA", cas[which].file));
    made->placed[which] = ok;
    return ok;
}

/* ---- made here ---- */

/* As long as it may, within the one above it: an imported one may end sooner than ours. */
static bool days_of(int which, const authorities_t *made, int64_t now, uint32_t *days, err_t *err)
{
    pki_facts_t facts;
    *days = cas[which].days;
    if (cas[which].issuer == NO_ISSUER) {
        return true;
    }
    if (!pki_cert_facts(made->cert[cas[which].issuer], &facts, err)) {
        return false;
    }
    int64_t left = (facts.not_after - now) / DAY;
    *days = left < (int64_t)*days ? (uint32_t)(left < 0 ? 0 : left) : *days;
    return true;
}

static bool make_ca(const site_t *site, const site_create_t *request, int which,
                    authorities_t *made, err_t *err)
{
    EVP_PKEY *key = NULL;
    char name[PKI_CN_MAX + 1];
    uint32_t days;
    snprintf(name, sizeof name, "%s %s", site->name, cas[which].title);
    bool ok = days_of(which, made, request->now, &days, err) &&
              make_key(site, request, which, made, &key, err) &&
              pki_signer_from_key(key, &made->signer[which], err);
    pki_ca_request_t wanted = {name, key, cas[which].pathlen, request->now, days};
    if (ok && cas[which].issuer == NO_ISSUER) {
        ok = pki_ca_make_root(&wanted, made->signer[which], &made->cert[which], err);
    } else if (ok) {
        pki_issuer_t by = {made->cert[cas[which].issuer], made->signer[cas[which].issuer]};
        ok = pki_ca_make(&wanted, &by, &made->cert[which], err);
    }
    pki_key_free(key);
    return ok;
}

/* ---- imported ---- */

/* `below`: how many CAs must be allowed under it. */
static bool check_imported(const char *file, X509 *cert, int below, int64_t now, err_t *err)
{
    pki_description_t d;
    pki_facts_t facts;
    pki_cert_describe(cert, &d);
    if (!pki_cert_facts(cert, &facts, err)) {
        return err_add(err, "%s", file);
    }
    if (!d.ca) {
        return err_set(
            err, ERR_INPUT,
            "%s: \"%s\" is no CA (basicConstraints CA:TRUE, keyCertSign); have one issued", file,
            d.subject);
    }
    if (d.pathlen != PKI_PATHLEN_NONE && d.pathlen < below) {
        return err_set(
            err, ERR_INPUT,
            "%s: \"%s\" has path length %d and needs %d or more; have one issued with it", file,
            d.subject, d.pathlen, below);
    }
    if (now < facts.not_before || now >= facts.not_after) {
        return err_set(err, ERR_INPUT, "%s: \"%s\" is not valid now", file, d.subject);
    }
    return pki_key_check(X509_get0_pubkey(cert), err) || err_add(err, "%s", file);
}

static bool import(const char *cert_file, const char *key_file, int below, int64_t now, X509 **cert,
                   pki_signer_t **signer, err_t *err)
{
    if (!pki_cert_load(cert_file, cert, err) ||
        !check_imported(cert_file, *cert, below, now, err)) {
        return false;
    }
    return key_file == NULL ||
           (pki_signer_open(key_file, signer, err) &&
            (pki_key_matches(pki_signer_public(*signer), *cert) ||
             err_set(err, ERR_INPUT, "%s is not the key of %s", key_file, cert_file)));
}

static bool import_root(const site_create_t *request, authorities_t *made, err_t *err)
{
    bool signs = request->product_cert == NULL;
    return import(request->root_cert, signs ? request->root_key : NULL, signs ? 2 : 1, request->now,
                  &made->cert[CA_ROOT], &made->signer[CA_ROOT], err);
}

static bool import_product(const site_create_t *request, authorities_t *made, err_t *err)
{
    if (!import(request->product_cert, request->product_key, 1, request->now,
                &made->cert[CA_PRODUCT], &made->signer[CA_PRODUCT], err)) {
        return false;
    }
    /* It signs the deny-list: pki/deny.h. */
    err_t why = ERR_INIT;
    if (!pki_key_check_device(X509_get0_pubkey(made->cert[CA_PRODUCT]), &why)) {
        return err_set(err, ERR_INPUT,
                       "%s: a product CA has a P-256 key or RSA of 2048 to 4096 bits; have one "
                       "issued with it, or import the CA above it with --root-cert",
                       request->product_cert);
    }
    if (made->cert[CA_ROOT] != NULL &&
        !pki_cert_issued_by(made->cert[CA_PRODUCT], made->cert[CA_ROOT])) {
        return err_set(err, ERR_INPUT, "%s was not issued by %s", request->product_cert,
                       request->root_cert);
    }
    return true;
}

/* Whatever else may be in an imported CA (name constraints, an extendedKeyUsage): would a device
   below it be let in? */
static bool try_out(const site_t *site, const site_create_t *request, authorities_t *made,
                    err_t *err)
{
    EVP_PKEY *key = NULL;
    X509 *leaf = NULL;
    pki_trust_t *trust = NULL;
    pki_chain_t product = {{made->cert[CA_PRODUCT]}, 1};
    pki_chain_verdict_t verdict = {PKI_CHAIN_OK, 0, ""};
    const pki_issuer_t by = {made->cert[CA_LINE], made->signer[CA_LINE]};
    bool ok = pki_key_generate(PKI_KEY_P256, &key, err);
    const pki_device_request_t wanted = {"SN-TRY", key, request->now, site->days};
    ok = ok && pki_issue_device(&wanted, &by, &leaf, err) &&
         pki_trust_new(&product, NULL, &trust, err);
    if (ok) {
        X509 *chain[] = {leaf, made->cert[CA_LINE], made->cert[CA_PRODUCT]};
        const pki_chain_policy_t policy = {.now = request->now};
        ok = pki_chain_check(trust, chain, 3, &policy, &verdict) == PKI_CHAIN_OK ||
             err_set(err, ERR_INPUT, "a device below the imported CA would be refused: %s",
                     verdict.text);
    }
    pki_trust_free(trust);
    pki_cert_free(leaf);
    pki_key_free(key);
    return ok;
}

/* ---- all of them ---- */

bool authorities_check(const site_create_t *r, err_t *err)
{
    if (r->product_cert != NULL && r->product_key == NULL) {
        return err_set(err, ERR_USAGE,
                       "an imported product CA has to sign the line's: name its key "
                       "with --product-key FILE; it is not copied");
    }
    if (r->product_cert != NULL && r->root_key != NULL) {
        return err_set(err, ERR_USAGE,
                       "with --product-cert the root signs nothing here: leave "
                       "--root-key where it is locked away");
    }
    if (r->product_cert == NULL && r->root_cert != NULL && r->root_key == NULL) {
        return err_set(err, ERR_USAGE,
                       "an imported root has to sign the product CA's: name its key "
                       "with --root-key FILE; it is not copied");
    }
    return true;
}

static bool one(const site_t *site, const site_create_t *request, int which, authorities_t *made,
                err_t *err)
{
    char path[FILE_PATH_MAX];
    bool ok;
    if (which == CA_ROOT && request->root_cert == NULL && request->product_cert != NULL) {
        return true; /* nobody said who is above it */
    }
    if (which == CA_ROOT && request->root_cert != NULL) {
        ok = import_root(request, made, err);
    } else if (which == CA_PRODUCT && request->product_cert != NULL) {
        ok = import_product(request, made, err);
    } else {
        ok = make_ca(site, request, which, made, err);
    }
    return ok && site_ca_path(site, cas[which].file, path, err) &&
           pki_cert_save(made->cert[which], path, err);
}

bool authorities_make(const site_t *site, const site_create_t *request, authorities_t *made,
                      err_t *err)
{
    bool ok = true;
    memset(made, 0, sizeof *made);
    for (int i = 0; ok && i < CAS; i++) {
        ok = one(site, request, i, made, err);
    }
    bool imported = request->root_cert != NULL || request->product_cert != NULL;
    ok = ok && (!imported || try_out(site, request, made, err));
    for (int i = 0; !ok && i < CAS; i++) {
        if (made->placed[i]) {
            unlink(away(request, i));
        }
    }
    return ok;
}

void authorities_withdraw(const site_create_t *request)
{
    if (request->root_cert == NULL && request->product_cert == NULL && request->root_key != NULL) {
        unlink(request->root_key);
    }
    if (request->product_cert == NULL && request->product_key != NULL) {
        unlink(request->product_key);
    }
}

void authorities_free(authorities_t *made)
{
    for (int i = 0; i < CAS; i++) {
        pki_signer_close(made->signer[i]);
        pki_cert_free(made->cert[i]);
    }
    memset(made, 0, sizeof *made);
}

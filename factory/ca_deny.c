/* SPDX-License-Identifier: Apache-2.0 */
/* ca_deny: putting certificates on the deny-list, and revocation lists. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"
#include "factory/ca.h"
#include "factory/internal.h"
#include "factory/station.h"
#include "json/json.h"
#include "pki/crl.h"
#include "pki/describe.h"
#include "site/deny.h"

/* Most certificates of one SN that are denied at once. */
#define OF_ONE_SN 32

/* What is to be denied. */
typedef struct {
    const factory_ca_t *ca;
    const factory_deny_t *how;
    pki_chain_t issuing;
    char sn[CUSTODY_SN_SIZE];
    pki_denied_t found[OF_ONE_SN];
    size_t count;
    bool too_many;
} wanted_t;

static bool have(const wanted_t *w, const uint8_t leaf[32])
{
    for (size_t i = 0; i < w->count; i++) {
        if (memcmp(w->found[i].leaf, leaf, 32) == 0) {
            return true;
        }
    }
    return false;
}

static pki_denied_t *add(wanted_t *w, const uint8_t leaf[32])
{
    if (have(w, leaf) || w->count == OF_ONE_SN) {
        w->too_many = w->too_many || !have(w, leaf);
        return NULL;
    }
    pki_denied_t *d = &w->found[w->count++];
    memset(d, 0, sizeof *d);
    memcpy(d->leaf, leaf, 32);
    d->at = w->how->now;
    d->reason = w->how->reason;
    return d;
}

/* The fingerprint of the CA of `cas` that signed it. */
static bool find_issuer(const pki_chain_t *cas, X509 *cert, uint8_t sha256[32])
{
    for (size_t i = 0; i < cas->count; i++) {
        pki_facts_t facts;
        if (pki_cert_issued_by(cert, cas->cert[i]) && pki_cert_facts(cas->cert[i], &facts, NULL)) {
            memcpy(sha256, facts.sha256, 32);
            return true;
        }
    }
    return false;
}

static bool add_cert(wanted_t *w, X509 *cert, err_t *err)
{
    pki_facts_t facts;
    if (!pki_cert_facts(cert, &facts, err)) {
        return false;
    }
    pki_denied_t *d = add(w, facts.sha256);
    if (d != NULL && find_issuer(&w->issuing, cert, d->issuer)) {
        snprintf(d->serial, sizeof d->serial, "%s", facts.serial);
    }
    return true;
}

/* ---- by certificate ---- */

static bool take_cert(wanted_t *w, err_t *err)
{
    X509 *cert = X509_dup(w->how->cert);
    pki_description_t d;
    pki_facts_t facts;
    if (cert == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a certificate");
    }
    pki_cert_describe(cert, &d);
    bool ok = pki_cert_facts(cert, &facts, err);
    uint8_t issuer[32];
    if (ok && d.ca && !w->how->whole_ca) {
        ok = err_set(err, ERR_USAGE,
                     "\"%s\" is a CA: denying it shuts out every new device below it; --ca says "
                     "that this is meant",
                     d.subject);
    } else if (ok && !find_issuer(&w->issuing, cert, issuer)) {
        ok = err_set(err, ERR_INPUT,
                     "\"%s\" was not issued by a CA of this site, so no door here lets it in; it "
                     "needs no denying",
                     d.subject);
    }
    if (ok && !d.ca) {
        snprintf(w->sn, sizeof w->sn, "%s", facts.cn);
    }
    ok = ok && add_cert(w, cert, err);
    X509_free(cert);
    return ok;
}

/* ---- by serial number ---- */

static bool get_hash(const custody_entry_t *entry, const char *name, uint8_t hash[32])
{
    json_token_t value;
    return json_find(entry->detail, strlen(entry->detail), name, &value) &&
           value.type == JSON_STRING && value.len == 64 &&
           bytes_from_hex(value.text, value.len, hash, 32);
}

static bool take_entry(void *context, const custody_entry_t *entry)
{
    wanted_t *w = context;
    uint8_t leaf[32];
    json_token_t value;
    if ((strcmp(entry->kind, CUSTODY_IDENTITY) != 0 && strcmp(entry->kind, FACTORY_CA_ISSUE) != 0 &&
         strcmp(entry->kind, FACTORY_REWORK) != 0) ||
        !get_hash(entry, "leaf", leaf)) {
        return true;
    }
    pki_denied_t *d = add(w, leaf);
    if (d != NULL && get_hash(entry, "issuer", d->issuer) &&
        (!json_find(entry->detail, strlen(entry->detail), "serial", &value) ||
         !json_string(&value, d->serial, sizeof d->serial, NULL))) {
        memset(d->issuer, 0, sizeof d->issuer);
        d->serial[0] = '\0';
    }
    return true;
}

/* The birth certificate is in the unit's image, with what a revocation list wants to know. */
static void take_image(wanted_t *w)
{
    factory_unit_t unit;
    factory_content_t content;
    memset(&unit, 0, sizeof unit);
    snprintf(unit.sn, sizeof unit.sn, "%.*s", SITE_SN_SIZE - 1, w->sn);
    if (factory_unit_read(w->ca->site, NULL, &unit, &content, NULL)) {
        if (content.chain.count > 0) {
            add_cert(w, content.chain.cert[0], NULL);
        }
        factory_content_free(&content);
    }
}

static bool take_sn(wanted_t *w, custody_t *custody, err_t *err)
{
    if (!site_sn_typed(w->ca->site, w->how->sn, err)) {
        return false;
    }
    snprintf(w->sn, sizeof w->sn, "%s", w->how->sn);
    take_image(w);
    if (!custody_each_of_sn(custody, w->sn, take_entry, w, err)) {
        return false;
    }
    if (w->count == 0) {
        return err_set(err, ERR_PRECONDITION,
                       "the site knows no certificate of %s; name the certificate's file instead",
                       w->sn);
    }
    return !w->too_many ||
           err_set(err, ERR_PRECONDITION, "%s has more than %d certificates; deny them one by one",
                   w->sn, OF_ONE_SN);
}

/* ---- the list, and custody ---- */

typedef struct {
    const pki_denied_t *denied;
    bool found;
} look_t;

static bool same_denial(void *context, const custody_entry_t *entry)
{
    look_t *look = context;
    uint8_t leaf[32];
    look->found =
        look->found || (strcmp(entry->kind, FACTORY_CA_DENY) == 0 &&
                        get_hash(entry, "leaf", leaf) && memcmp(leaf, look->denied->leaf, 32) == 0);
    return true;
}

/* Once for each certificate: repeating what was cut off after the list completes the record. */
static bool record(const wanted_t *w, bool added, custody_t *custody, err_t *err)
{
    for (size_t i = 0; i < w->count; i++) {
        look_t look = {.denied = &w->found[i], .found = w->sn[0] == '\0' && !added};
        char hex[65];
        char detail[160];
        if (w->sn[0] != '\0' && !custody_each_of_sn(custody, w->sn, same_denial, &look, err)) {
            return false;
        }
        if (look.found) {
            continue;
        }
        bytes_to_hex(w->found[i].leaf, 32, hex, sizeof hex);
        snprintf(detail, sizeof detail, "{\"leaf\":\"%s\",\"reason\":\"%s\"}", hex,
                 pki_reason_name(w->found[i].reason));
        const custody_event_t event = {.sn = w->sn, .kind = FACTORY_CA_DENY, .detail = detail};
        if (!custody_append(custody, &event, 1, w->how->now * 1000, err)) {
            return err_add(err, "the deny-list is made, custody does not know of it; repeat this");
        }
    }
    return true;
}

static bool put_on_list(const wanted_t *w, size_t *added, err_t *err)
{
    pki_deny_t *list = NULL;
    pki_signer_t *signer = NULL;
    bool ok = site_deny_load(w->ca->site, &list, err);
    for (size_t i = 0; ok && i < w->count; i++) {
        bool new_one;
        ok = pki_deny_add(list, &w->found[i], &new_one, err);
        *added += ok && new_one;
    }
    /* Nothing new: no key is asked for, no passphrase, and the list stays as it is. */
    if (ok && *added > 0) {
        ok = factory_ca_signer(w->ca, "product", &signer, err) &&
             site_deny_save(w->ca->site, list, signer, w->how->now, err);
    }
    pki_signer_close(signer);
    pki_deny_free(list);
    return ok;
}

bool factory_ca_deny(const factory_ca_t *ca, const factory_deny_t *deny, size_t *added, err_t *err)
{
    wanted_t *w = calloc(1, sizeof *w);
    custody_t *custody = NULL;
    pki_chain_t product = PKI_CHAIN_INIT;
    int lock = -1;
    *added = 0;
    if (w == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory");
    }
    w->ca = ca;
    w->how = deny;
    bool ok = site_lock(ca->site, "ca", true, &lock, err) &&
              site_device_trust(ca->site, &product, &w->issuing, NULL, err) &&
              pki_chain_add(&w->issuing, product.cert[0], err) &&
              factory_custody_open(ca->site, FACTORY_CA_WRITER, &custody, err) &&
              (deny->cert != NULL ? take_cert(w, err) : take_sn(w, custody, err)) &&
              put_on_list(w, added, err) && record(w, *added > 0, custody, err);
    custody_close(custody);
    site_unlock(lock);
    pki_chain_free(&product);
    pki_chain_free(&w->issuing);
    free(w);
    return ok;
}

/* ---- revocation lists ---- */

static bool one_list(const factory_ca_t *ca, const pki_crl_request_t *request, factory_crl_t *list,
                     char **pem, size_t *len, err_t *err)
{
    char path[FILE_PATH_MAX];
    pki_signer_t *signer = NULL;
    X509 *cert = NULL;
    bool ok = site_ca_path(ca->site, list->name, path, err) && pki_cert_load(path, &cert, err) &&
              factory_ca_signer(ca, list->name, &signer, err);
    if (ok) {
        const pki_issuer_t by = {cert, signer};
        ok = pki_crl_make(request, &by, pem, len, &list->entries, err);
    }
    list->made = ok;
    pki_signer_close(signer);
    pki_cert_free(cert);
    return ok;
}

/* Which CAs get one. */
static bool choose(const factory_ca_t *ca, const char *only, factory_crl_t lists[SITE_ISSUING_MAX],
                   size_t *count, err_t *err)
{
    char names[SITE_ISSUING_MAX][SITE_CA_NAME_SIZE];
    size_t all;
    if (!site_issuing_names(ca->site, names, &all, err)) {
        return false;
    }
    *count = 0;
    for (size_t i = 0; i < all; i++) {
        if (only == NULL || strcmp(only, names[i]) == 0) {
            memset(&lists[*count], 0, sizeof lists[*count]);
            memcpy(lists[(*count)++].name, names[i], SITE_CA_NAME_SIZE);
        }
    }
    return *count > 0 || err_set(err, ERR_USAGE,
                                 "this site has no issuing CA \"%.40s\"; `cradle ca "
                                 "show` lists them",
                                 only);
}

static bool key_is_here(const factory_ca_t *ca, const char *name)
{
    char path[FILE_PATH_MAX];
    return site_key_path(ca->site, name, path, NULL) && file_exists(path);
}

bool factory_ca_crl(const factory_ca_t *ca, const char *only, uint32_t days, int64_t now,
                    const char *out, factory_crl_t lists[SITE_ISSUING_MAX], size_t *count,
                    err_t *err)
{
    pki_deny_t *deny = NULL;
    char *all = NULL;
    size_t all_len = 0;
    if (ca->key != NULL && only == NULL) {
        return err_set(err, ERR_USAGE, "with --key, say whose key it is with --by NAME");
    }
    bool ok = choose(ca, only, lists, count, err) && site_deny_load(ca->site, &deny, err);
    const pki_crl_request_t request = {deny, now, days};
    for (size_t i = 0; ok && i < *count; i++) {
        char *pem = NULL;
        size_t len = 0;
        if (only == NULL && !key_is_here(ca, lists[i].name)) {
            continue; /* said by lists[i].made */
        }
        ok = one_list(ca, &request, &lists[i], &pem, &len, err);
        char *more = ok ? realloc(all, all_len + len) : NULL;
        if (more != NULL) {
            memcpy(more + all_len, pem, len);
            all = more;
            all_len += len;
        } else if (ok) {
            ok = err_set(err, ERR_SYSTEM, "out of memory for revocation lists");
        }
        free(pem);
    }
    if (ok && all_len == 0) {
        ok = err_set(err, ERR_PRECONDITION,
                     "no key of an issuing CA is in this site; name one with "
                     "--by NAME --key FILE");
    }
    ok = ok && file_write(out, all, all_len, 0644, err);
    free(all);
    pki_deny_free(deny);
    return ok;
}

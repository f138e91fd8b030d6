/* SPDX-License-Identifier: Apache-2.0 */
#include "site/deny.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct site_deny {
    site_t site;
    pki_deny_t *deny;
    struct stat seen; /* of the file that was read or refused last; all zero: none */
};

static bool load_product(const site_t *site, X509 **product, err_t *err)
{
    char path[FILE_PATH_MAX];
    return site_ca_path(site, "product", path, err) && pki_cert_load(path, product, err);
}

bool site_deny_load(const site_t *site, pki_deny_t **deny, err_t *err)
{
    char path[FILE_PATH_MAX];
    char *text = NULL;
    size_t len;
    X509 *product = NULL;
    *deny = NULL;
    if (!site_path(site, SITE_DENY, path, err)) {
        return false;
    }
    if (!file_exists(path)) {
        return pki_deny_new(site->id, deny, err);
    }
    bool ok = file_read(path, PKI_DENY_TEXT_MAX, &text, &len, err) &&
              load_product(site, &product, err) &&
              (pki_deny_read(text, len, product, site->id, deny, err) || err_add(err, "%s", path));
    pki_cert_free(product);
    free(text);
    return ok;
}

bool site_deny_save(const site_t *site, const pki_deny_t *deny, const pki_signer_t *signer,
                    int64_t now, err_t *err)
{
    char path[FILE_PATH_MAX];
    char *text = NULL;
    size_t len;
    X509 *product = NULL;
    bool ok = load_product(site, &product, err);
    if (ok && !pki_key_matches(pki_signer_public(signer), product)) {
        ok = err_set(err, ERR_INPUT, "that key is not the product CA's, which signs the deny-list");
    }
    ok = ok && pki_deny_write(deny, pki_deny_seq(deny) + 1, now, signer, &text, &len, err) &&
         site_path(site, SITE_DENY, path, err) && file_write(path, text, len, 0644, err);
    free(text);
    pki_cert_free(product);
    return ok;
}

/* True when the file is the one of `seen`; `now` becomes what it is (zero: there is none). */
static bool unchanged(const site_deny_t *watch, const char *path, struct stat *now)
{
    if (stat(path, now) != 0) {
        memset(now, 0, sizeof *now);
    }
    return now->st_ino == watch->seen.st_ino && now->st_dev == watch->seen.st_dev &&
           now->st_size == watch->seen.st_size &&
           now->st_mtim.tv_sec == watch->seen.st_mtim.tv_sec &&
           now->st_mtim.tv_nsec == watch->seen.st_mtim.tv_nsec;
}

bool site_deny_watch(const site_t *site, site_deny_t **watch, err_t *err)
{
    char path[FILE_PATH_MAX];
    site_deny_t *made = calloc(1, sizeof *made);
    *watch = NULL;
    if (made == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for the deny-list");
    }
    made->site = *site;
    /* First the stat: a file that changes in between is then read once more. */
    bool ok = site_path(site, SITE_DENY, path, err);
    if (ok) {
        struct stat now;
        unchanged(made, path, &now);
        made->seen = now;
        ok = site_deny_load(site, &made->deny, err) ||
             err_add(err, "nobody is let in without knowing who is denied; put the newest back");
    }
    if (!ok) {
        free(made);
        return false;
    }
    *watch = made;
    return true;
}

void site_deny_close(site_deny_t *watch)
{
    if (watch != NULL) {
        pki_deny_free(watch->deny);
        free(watch);
    }
}

bool site_deny_refresh(site_deny_t *watch, err_t *err)
{
    char path[FILE_PATH_MAX];
    struct stat now;
    pki_deny_t *newer = NULL;
    if (!site_path(&watch->site, SITE_DENY, path, err)) {
        return false;
    }
    if (unchanged(watch, path, &now)) {
        return true;
    }
    watch->seen = now;
    if (!site_deny_load(&watch->site, &newer, err)) {
        return err_add(err, "the former deny-list stays in force");
    }
    if (pki_deny_seq(newer) < pki_deny_seq(watch->deny)) {
        err_set(err, ERR_INPUT,
                "%s is gone or older (change %lld) than the one in force (change %lld), which "
                "stays; put the newest back",
                path, (long long)pki_deny_seq(newer), (long long)pki_deny_seq(watch->deny));
        pki_deny_free(newer);
        return false;
    }
    pki_deny_free(watch->deny);
    watch->deny = newer;
    return true;
}

bool site_deny_has(const site_deny_t *watch, const uint8_t sha256[32])
{
    return pki_deny_find(watch->deny, sha256) != NULL;
}

bool site_deny_hook(void *watch, const X509 *cert, const uint8_t sha256[32])
{
    (void)cert;
    return site_deny_has(watch, sha256);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "site/ca.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* Rolled CAs, least first; the two current ones are not in it. */
#define ROLLED_MAX (SITE_ISSUING_MAX - 2)

static const char *const issuing[] = {"line", "renewal"};
static const char *const others[] = {"root", "product", "server-root", "server-issuing"};

/* N of "line.N", 1 to NUMBER_MAX, without leading zeros; 0 for anything else. */
static unsigned rolled_number(const char *name, const char *of)
{
    size_t len = strlen(of);
    if (strncmp(name, of, len) != 0 || name[len] != '.') {
        return 0;
    }
    const char *digits = name + len + 1;
    size_t count = strspn(digits, "0123456789");
    if (count == 0 || count > 5 || digits[count] != '\0' || digits[0] == '0') {
        return 0;
    }
    return (unsigned)strtoul(digits, NULL, 10);
}

bool site_ca_issues_devices(const char *name)
{
    for (size_t i = 0; i < 2; i++) {
        if (strcmp(name, issuing[i]) == 0 || rolled_number(name, issuing[i]) != 0) {
            return true;
        }
    }
    return false;
}

bool site_ca_name_valid(const char *name)
{
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(name, others[i]) == 0) {
            return true;
        }
    }
    return site_ca_issues_devices(name);
}

typedef struct {
    unsigned number;
    const char *of;
} rolled_t;

static int by_number(const void *a, const void *b)
{
    const rolled_t *x = a;
    const rolled_t *y = b;
    if (x->of != y->of) {
        return strcmp(x->of, y->of);
    }
    return x->number < y->number ? -1 : x->number > y->number;
}

/* "line.3.crt": which, or false for any other file. */
static bool rolled_file(const char *file, rolled_t *rolled)
{
    char name[SITE_CA_NAME_SIZE];
    size_t len = strlen(file);
    if (len <= 4 || len - 4 >= sizeof name || strcmp(file + len - 4, ".crt") != 0) {
        return false;
    }
    memcpy(name, file, len - 4);
    name[len - 4] = '\0';
    for (size_t i = 0; i < 2; i++) {
        *rolled = (rolled_t){rolled_number(name, issuing[i]), issuing[i]};
        if (rolled->number != 0) {
            return true;
        }
    }
    return false;
}

static bool find_rolled(const site_t *site, rolled_t found[ROLLED_MAX], size_t *count, err_t *err)
{
    char path[FILE_PATH_MAX];
    *count = 0;
    if (!site_path(site, "ca", path, err)) {
        return false;
    }
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return err_errno(err, "cannot read %s", path);
    }
    bool ok = true;
    for (const struct dirent *entry; ok && (entry = readdir(dir)) != NULL;) {
        rolled_t rolled;
        if (!rolled_file(entry->d_name, &rolled)) {
            continue;
        }
        if (*count == ROLLED_MAX) {
            ok = err_set(err, ERR_PRECONDITION,
                         "%s holds more than %d issuing CAs; move the oldest line.N.crt or "
                         "renewal.N.crt, whose certificates are all over, out of it",
                         path, SITE_ISSUING_MAX);
        } else {
            found[(*count)++] = rolled;
        }
    }
    closedir(dir);
    qsort(found, *count, sizeof *found, by_number);
    return ok;
}

bool site_issuing_names(const site_t *site, char names[SITE_ISSUING_MAX][SITE_CA_NAME_SIZE],
                        size_t *count, err_t *err)
{
    rolled_t rolled[ROLLED_MAX];
    size_t rolled_count;
    *count = 0;
    if (!find_rolled(site, rolled, &rolled_count, err)) {
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        snprintf(names[(*count)++], SITE_CA_NAME_SIZE, "%s", issuing[i]);
    }
    for (size_t i = 0; i < rolled_count; i++) {
        snprintf(names[(*count)++], SITE_CA_NAME_SIZE, "%s.%u", rolled[i].of, rolled[i].number);
    }
    return true;
}

static bool load(const site_t *site, const char *name, X509 **cert, err_t *err)
{
    char path[FILE_PATH_MAX];
    return site_ca_path(site, name, path, err) && pki_cert_load(path, cert, err);
}

bool site_issuing(const site_t *site, pki_chain_t *chain, err_t *err)
{
    char names[SITE_ISSUING_MAX][SITE_CA_NAME_SIZE];
    size_t count;
    *chain = (pki_chain_t)PKI_CHAIN_INIT;
    bool ok = site_issuing_names(site, names, &count, err);
    for (size_t i = 0; ok && i < count; i++) {
        X509 *cert = NULL;
        ok = load(site, names[i], &cert, err) && pki_chain_add(chain, cert, err);
        pki_cert_free(cert);
    }
    if (!ok) {
        pki_chain_free(chain);
    }
    return ok;
}

bool site_device_trust(const site_t *site, pki_chain_t *product, pki_chain_t *chain,
                       pki_trust_t **trust, err_t *err)
{
    char path[FILE_PATH_MAX];
    pki_chain_t top = PKI_CHAIN_INIT;
    pki_chain_t below = PKI_CHAIN_INIT;
    pki_trust_t *made = NULL;
    bool ok = site_ca_path(site, "product", path, err) && pki_chain_load(path, &top, err) &&
              site_issuing(site, &below, err) && pki_trust_new(&top, &below, &made, err);
    if (ok && product != NULL) {
        *product = top;
    } else {
        pki_chain_free(&top);
    }
    if (ok && chain != NULL) {
        *chain = below;
    } else {
        pki_chain_free(&below);
    }
    if (ok && trust != NULL) {
        *trust = made;
    } else {
        pki_trust_free(made);
    }
    return ok;
}

const char *site_key_place_name(site_key_place_t place)
{
    static const char *const names[] = {[SITE_KEY_HERE] = "here",
                                        [SITE_KEY_ENCRYPTED] = "here, encrypted",
                                        [SITE_KEY_ELSEWHERE] = "elsewhere"};
    return names[place];
}

/* Looks at the PEM's first line only: no key is parsed to tell where it is. */
static site_key_place_t key_place(const site_t *site, const char *name)
{
    char path[FILE_PATH_MAX];
    char *pem;
    size_t len;
    site_key_place_t place = SITE_KEY_ELSEWHERE;
    if (!site_key_path(site, name, path, NULL)) {
        return place;
    }
    if (file_read(path, PKI_KEY_PEM_MAX, &pem, &len, NULL)) {
        place = pki_key_is_encrypted(pem) ? SITE_KEY_ENCRYPTED : SITE_KEY_HERE;
        bytes_wipe(pem, len);
        free(pem);
    } else if (file_exists(path)) {
        place = SITE_KEY_HERE; /* not for us to read, but there */
    }
    return place;
}

static bool add(const site_t *site, const char *name, site_cas_t *cas, err_t *err)
{
    site_ca_t *ca = &cas->ca[cas->count];
    snprintf(ca->name, sizeof ca->name, "%s", name);
    if (!load(site, name, &ca->cert, err)) {
        return false;
    }
    ca->key = key_place(site, name);
    cas->count++;
    return true;
}

bool site_cas_load(const site_t *site, site_cas_t *cas, err_t *err)
{
    char names[SITE_ISSUING_MAX][SITE_CA_NAME_SIZE];
    char path[FILE_PATH_MAX];
    size_t count;
    memset(cas, 0, sizeof *cas);
    bool ok = site_ca_path(site, "root", path, err) &&
              (!file_exists(path) || add(site, "root", cas, err)) &&
              add(site, "product", cas, err) && site_issuing_names(site, names, &count, err);
    for (size_t i = 0; ok && i < count; i++) {
        ok = add(site, names[i], cas, err);
    }
    ok = ok && add(site, "server-root", cas, err) && add(site, "server-issuing", cas, err);
    if (!ok) {
        site_cas_free(cas);
    }
    return ok;
}

void site_cas_free(site_cas_t *cas)
{
    for (size_t i = 0; i < cas->count; i++) {
        pki_cert_free(cas->ca[i].cert);
    }
    memset(cas, 0, sizeof *cas);
}

const site_ca_t *site_cas_find(const site_cas_t *cas, const char *name)
{
    for (size_t i = 0; i < cas->count; i++) {
        if (strcmp(cas->ca[i].name, name) == 0) {
            return &cas->ca[i];
        }
    }
    return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ca_roll: a new issuing CA in the place of the old one.
 *
 * Files on the way, all beside where they end up (NAME is line or renewal):
 *
 *     keys/NAME.key.next   the new key
 *     ca/NAME.crt.next     the new certificate; once it is there, the roll goes forward only
 *     ca/NAME.N.crt        the old certificate
 *     keys/NAME.key.old    the old key, until it is destroyed or moved
 *
 * Each step looks whether it was done before, so that a roll that was cut off is finished by the
 * next one. Between the two renames certificate and key do not fit: a factory run that begins then
 * says so and makes nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "factory/ca.h"
#include "factory/internal.h"
#include "pki/ca.h"

#define DAY      86400
#define CA_DAYS  7300
#define ROLL_MAX 99999

typedef struct {
    const factory_ca_t *ca;
    const factory_roll_t *how;
    factory_rolled_t *rolled;
    char key[FILE_PATH_MAX];
    char key_next[FILE_PATH_MAX];
    char key_old[FILE_PATH_MAX];
    char crt[FILE_PATH_MAX];
    char crt_next[FILE_PATH_MAX];
} roll_t;

static bool extended(char out[FILE_PATH_MAX], const char *path, const char *suffix, err_t *err)
{
    int n = snprintf(out, FILE_PATH_MAX, "%s%s", path, suffix);
    return (n > 0 && n < FILE_PATH_MAX) ||
           err_set(err, ERR_USAGE, "the path of the site is too long");
}

static bool name_files(roll_t *r, err_t *err)
{
    return site_key_path(r->ca->site, r->how->name, r->key, err) &&
           site_ca_path(r->ca->site, r->how->name, r->crt, err) &&
           extended(r->key_next, r->key, ".next", err) &&
           extended(r->key_old, r->key, ".old", err) && extended(r->crt_next, r->crt, ".next", err);
}

/* A name change that is on the disk when this returns. */
static bool move(const char *from, const char *to, err_t *err)
{
    char dir[FILE_PATH_MAX];
    if (rename(from, to) != 0) {
        return err_errno(err, "cannot rename %s to %s", from, to);
    }
    snprintf(dir, sizeof dir, "%s", to);
    *strrchr(dir, '/') = '\0';
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return ok || err_errno(err, "cannot sync %s", dir);
}

/* ---- the new CA ---- */

/* "Acme Line CA 2": another name than the old one's, so that nobody takes one for the other. */
static bool new_name(const roll_t *r, unsigned number, char name[PKI_CN_MAX + 1], err_t *err)
{
    int n = snprintf(name, PKI_CN_MAX + 1, "%s %s CA %u", r->ca->site->name,
                     strcmp(r->how->name, "line") == 0 ? "Line" : "Renewal", number + 1);
    return (n > 0 && n <= PKI_CN_MAX) || err_set(err, ERR_SYSTEM, "the CA's name is too long");
}

/* The number of the next NAME.N. */
static bool next_number(const roll_t *r, unsigned *number, err_t *err)
{
    char names[SITE_ISSUING_MAX][SITE_CA_NAME_SIZE];
    size_t count;
    size_t len = strlen(r->how->name);
    *number = 1;
    if (!site_issuing_names(r->ca->site, names, &count, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (strncmp(names[i], r->how->name, len) == 0 && names[i][len] == '.') {
            unsigned n = (unsigned)strtoul(names[i] + len + 1, NULL, 10);
            *number = n >= *number ? n + 1 : *number;
        }
    }
    if (count == SITE_ISSUING_MAX) {
        return err_set(err, ERR_PRECONDITION,
                       "%d issuing CAs are all that a site trusts at a time; move the oldest "
                       "ca/line.N.crt or ca/renewal.N.crt, whose certificates are all over, away",
                       SITE_ISSUING_MAX);
    }
    return *number <= ROLL_MAX || err_set(err, ERR_PRECONDITION, "too many rolls");
}

/* Within the product CA, and long enough for the devices' certificates. */
static bool choose_days(const roll_t *r, const X509 *product, uint32_t *days, err_t *err)
{
    pki_facts_t facts;
    if (!pki_cert_facts(product, &facts, err)) {
        return false;
    }
    int64_t left = (facts.not_after - r->how->now) / DAY;
    int64_t wanted = r->how->days == 0 ? (left < CA_DAYS ? left : CA_DAYS) : r->how->days;
    if (wanted > left) {
        return err_set(err, ERR_PRECONDITION,
                       "the product CA ends in %lld days: the new CA cannot last %lld; ask for "
                       "fewer --days",
                       (long long)left, (long long)wanted);
    }
    if (wanted <= (int64_t)r->ca->site->days) {
        return err_set(err, ERR_PRECONDITION,
                       "a CA of %lld days is too short for devices' certificates of %u days; %s",
                       (long long)wanted, r->ca->site->days,
                       left <= (int64_t)r->ca->site->days
                           ? "the product CA itself is near its end, and a new one is needed first"
                           : "ask for more --days");
    }
    *days = (uint32_t)wanted;
    return true;
}

static bool sign_next(const roll_t *r, X509 *product, const pki_signer_t *signer, EVP_PKEY *key,
                      err_t *err)
{
    char name[PKI_CN_MAX + 1];
    unsigned number;
    uint32_t days = 0;
    X509 *cert = NULL;
    if (!next_number(r, &number, err) || !new_name(r, number, name, err) ||
        !choose_days(r, product, &days, err)) {
        return false;
    }
    const pki_ca_request_t wanted = {name, key, 0, r->how->now, days};
    const pki_issuer_t by = {product, signer};
    bool ok = pki_ca_make(&wanted, &by, &cert, err) && pki_cert_save(cert, r->crt_next, err);
    pki_cert_free(cert);
    return ok;
}

static bool make_next(const roll_t *r, err_t *err)
{
    char path[FILE_PATH_MAX];
    X509 *product = NULL;
    pki_signer_t *signer = NULL;
    EVP_PKEY *key = NULL;
    /* A key without its certificate is of a roll that never was. */
    if (unlink(r->key_next) != 0 && errno != ENOENT) {
        return err_errno(err, "cannot remove %s", r->key_next);
    }
    bool ok = site_ca_path(r->ca->site, "product", path, err) &&
              pki_cert_load(path, &product, err) &&
              factory_ca_signer(r->ca, "product", &signer, err) &&
              pki_key_generate(r->ca->site->key_type, &key, err) &&
              pki_key_save_encrypted(key, r->key_next, r->how->passphrase, err) &&
              sign_next(r, product, signer, key, err);
    if (!ok) {
        unlink(r->key_next);
    }
    pki_key_free(key);
    pki_signer_close(signer);
    pki_cert_free(product);
    return ok;
}

/* ---- the old one ---- */

/* The old certificate to its place among the rolled ones, unless it is there already. */
static bool keep_certificate(const roll_t *r, X509 *next, err_t *err)
{
    char names[SITE_ISSUING_MAX][SITE_CA_NAME_SIZE];
    char path[FILE_PATH_MAX];
    size_t count;
    unsigned number;
    X509 *old = NULL;
    bool ok =
        pki_cert_load(r->crt, &old, err) && site_issuing_names(r->ca->site, names, &count, err);
    bool kept = ok && pki_cert_equal(old, next);
    for (size_t i = 2; ok && !kept && i < count; i++) {
        X509 *one = NULL;
        ok = site_ca_path(r->ca->site, names[i], path, err) && pki_cert_load(path, &one, err);
        kept = ok && pki_cert_equal(old, one);
        if (kept) {
            memcpy(r->rolled->former, names[i], SITE_CA_NAME_SIZE);
        }
        pki_cert_free(one);
    }
    if (ok && !kept) {
        ok = next_number(r, &number, err);
        snprintf(r->rolled->former, SITE_CA_NAME_SIZE, "%s.%u", r->how->name, number);
        ok = ok && site_ca_path(r->ca->site, r->rolled->former, path, err) &&
             pki_cert_save(old, path, err);
    }
    pki_cert_free(old);
    return ok;
}

/* Overwrites what is there before the name goes. */
static bool destroy(const char *path, err_t *err)
{
    uint8_t zero[PKI_KEY_PEM_MAX] = {0};
    struct stat st;
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    bool ok = fd >= 0 && fstat(fd, &st) == 0;
    size_t left = ok && st.st_size > 0 ? (size_t)st.st_size : 0;
    while (ok && left > 0) {
        ssize_t n = write(fd, zero, left < sizeof zero ? left : sizeof zero);
        ok = n > 0;
        left -= ok ? (size_t)n : 0;
    }
    ok = ok && fsync(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return (ok && unlink(path) == 0) || err_errno(err, "cannot destroy the old key %s", path);
}

/* Byte for byte, so a passphrase stays what it was. */
static bool copy_away(const char *from, const char *to, err_t *err)
{
    char *pem;
    size_t len;
    if (!file_read_private(from, PKI_KEY_PEM_MAX, &pem, &len, err)) {
        return false;
    }
    bool ok = file_write_new(to, pem, len, 0600, err);
    bytes_wipe(pem, len);
    free(pem);
    return ok;
}

static bool dispose_key(const roll_t *r, err_t *err)
{
    if (!file_exists(r->key_old)) {
        return true;
    }
    return (r->how->keep_old == NULL || copy_away(r->key_old, r->how->keep_old, err)) &&
           destroy(r->key_old, err);
}

/* What a kill left of files half written: PATH and a dot and six characters (base/file.c). Only the
   name goes: one of a key may be the same file as the key itself. */
static bool sweep(const char *path, err_t *err)
{
    char dir[FILE_PATH_MAX];
    char name[FILE_PATH_MAX];
    snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    int len = snprintf(name, sizeof name, "%s.", slash + 1);
    *slash = '\0';
    DIR *d = opendir(dir);
    if (d == NULL) {
        return err_errno(err, "cannot read %s", dir);
    }
    bool ok = true;
    for (const struct dirent *e; ok && (e = readdir(d)) != NULL;) {
        if (strncmp(e->d_name, name, (size_t)len) == 0 && strlen(e->d_name) == (size_t)len + 6) {
            ok = unlinkat(dirfd(d), e->d_name, 0) == 0 ||
                 err_errno(err, "cannot remove %s/%s", dir, e->d_name);
        }
    }
    closedir(d);
    return ok;
}

static bool sweep_all(const roll_t *r, err_t *err)
{
    char path[FILE_PATH_MAX];
    if (!sweep(r->key_next, err) || !sweep(r->crt_next, err)) {
        return false;
    }
    return r->rolled->former[0] == '\0' ||
           (site_ca_path(r->ca->site, r->rolled->former, path, err) && sweep(path, err));
}

/* ---- in order ---- */

static bool swap_keys(const roll_t *r, err_t *err)
{
    if (!file_exists(r->key_next)) {
        return true; /* done before */
    }
    if (file_exists(r->key) && !file_exists(r->key_old) && !move(r->key, r->key_old, err)) {
        return false;
    }
    return move(r->key_next, r->key, err);
}

static bool record(const roll_t *r, X509 *next, err_t *err)
{
    custody_t *custody;
    pki_facts_t facts;
    char detail[192];
    if (!pki_cert_facts(next, &facts, err) ||
        !factory_custody_open(r->ca->site, FACTORY_CA_WRITER, &custody, err)) {
        return false;
    }
    r->rolled->not_after = facts.not_after;
    snprintf(detail, sizeof detail, "{\"ca\":\"%s\",\"former\":\"%s\",\"new\":\"%s\"}",
             r->how->name, r->rolled->former, facts.sha256_hex);
    const custody_event_t event = {.sn = "", .kind = FACTORY_CA_ROLL, .detail = detail};
    bool ok = custody_append(custody, &event, 1, r->how->now * 1000, err);
    custody_close(custody);
    return ok;
}

static bool go_forward(const roll_t *r, err_t *err)
{
    X509 *next = NULL;
    bool ok = pki_cert_load(r->crt_next, &next, err) && keep_certificate(r, next, err) &&
              record(r, next, err) && swap_keys(r, err) && move(r->crt_next, r->crt, err) &&
              dispose_key(r, err);
    pki_cert_free(next);
    return ok;
}

static bool check(const factory_roll_t *roll, err_t *err)
{
    if (strcmp(roll->name, "line") != 0 && strcmp(roll->name, "renewal") != 0) {
        return err_set(err, ERR_USAGE, "line and renewal can be rolled, \"%.40s\" cannot",
                       roll->name);
    }
    return roll->keep_old == NULL || !file_exists(roll->keep_old) ||
           err_set(err, ERR_PRECONDITION, "%s exists already; name another file for the old key",
                   roll->keep_old);
}

bool factory_ca_roll(const factory_ca_t *ca, const factory_roll_t *roll, factory_rolled_t *rolled,
                     err_t *err)
{
    roll_t r = {.ca = ca, .how = roll, .rolled = rolled};
    int lock = -1;
    memset(rolled, 0, sizeof *rolled);
    if (!check(roll, err) || !name_files(&r, err) || !site_lock(ca->site, "ca", true, &lock, err)) {
        return false;
    }
    bool ok = true;
    if (file_exists(r.crt_next)) {
        rolled->resumed = true;
    } else if (file_exists(r.key_old)) {
        rolled->resumed = true; /* all but the last step */
        ok = dispose_key(&r, err);
    } else {
        ok = make_next(&r, err);
    }
    ok = ok && (!file_exists(r.crt_next) || go_forward(&r, err)) && sweep_all(&r, err);
    site_unlock(lock);
    return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* paths: where things are, and locks. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "pki/cert.h"
#include "site/internal.h"
#include "site/site.h"

bool site_text_valid(const char *text, size_t max)
{
    size_t len = strlen(text);
    if (len == 0 || len > max || text[0] == ' ' || text[len - 1] == ' ') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

static bool put_path(char out[FILE_PATH_MAX], err_t *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool put_path(char out[FILE_PATH_MAX], err_t *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out, FILE_PATH_MAX, format, args);
    va_end(args);
    if (n < 0 || n >= FILE_PATH_MAX) {
        return err_set(err, ERR_USAGE, "a path in the site is longer than %d bytes", FILE_PATH_MAX);
    }
    return true;
}

bool site_path(const site_t *site, const char *relative, char out[FILE_PATH_MAX], err_t *err)
{
    return put_path(out, err, "%s/%s", site->dir, relative);
}

bool site_ca_path(const site_t *site, const char *name, char out[FILE_PATH_MAX], err_t *err)
{
    return put_path(out, err, "%s/ca/%s.crt", site->dir, name);
}

bool site_key_path(const site_t *site, const char *name, char out[FILE_PATH_MAX], err_t *err)
{
    return put_path(out, err, "%s/keys/%s.key", site->dir, name);
}

bool site_pub_path(const site_t *site, const char *name, char out[FILE_PATH_MAX], err_t *err)
{
    return put_path(out, err, "%s/keys/%s.pub", site->dir, name);
}

static bool unit_path(const site_t *site, const char *under, const char *sn, const char *file,
                      char out[FILE_PATH_MAX], err_t *err)
{
    return site_sn_check(sn, err) && put_path(out, err, "%s/%s/%s%s%s", site->dir, under, sn,
                                              file == NULL ? "" : "/", file == NULL ? "" : file);
}

bool site_unit_path(const site_t *site, const char *sn, const char *file, char out[FILE_PATH_MAX],
                    err_t *err)
{
    return unit_path(site, "factory/units", sn, file, out, err);
}

bool site_device_path(const site_t *site, const char *sn, const char *file, char out[FILE_PATH_MAX],
                      err_t *err)
{
    return unit_path(site, "devices", sn, file, out, err);
}

static bool add_certs(const site_t *site, const char *name, bool optional, pki_chain_t *chain,
                      err_t *err)
{
    char path[FILE_PATH_MAX];
    pki_chain_t more = PKI_CHAIN_INIT;
    if (!site_ca_path(site, name, path, err)) {
        return false;
    }
    if (optional && access(path, F_OK) != 0) {
        return true;
    }
    bool ok = pki_chain_load(path, &more, err);
    for (size_t i = 0; i < more.count && ok; i++) {
        ok = pki_chain_add(chain, more.cert[i], err);
    }
    pki_chain_free(&more);
    return ok;
}

bool site_server_chain(const site_t *site, char **pem, size_t *len, err_t *err)
{
    pki_chain_t chain = PKI_CHAIN_INIT;
    *pem = NULL;
    bool ok = add_certs(site, "server-root", false, &chain, err) &&
              add_certs(site, "server-issuing", false, &chain, err) &&
              add_certs(site, "cloud-root", true, &chain, err) &&
              pki_chain_to_pem(&chain, pem, len, err);
    pki_chain_free(&chain);
    return ok;
}

bool site_server_roots(const site_t *site, pki_chain_t *roots, err_t *err)
{
    *roots = (pki_chain_t)PKI_CHAIN_INIT;
    bool ok = add_certs(site, "server-root", false, roots, err) &&
              add_certs(site, "cloud-root", true, roots, err);
    if (!ok) {
        pki_chain_free(roots);
    }
    return ok;
}

bool site_lock(const site_t *site, const char *name, bool wait, int *fd, err_t *err)
{
    char path[FILE_PATH_MAX];
    *fd = -1;
    if (!put_path(path, err, "%s/run/%s.lock", site->dir, name)) {
        return false;
    }
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0) {
        return err_errno(err, "cannot open the lock %s", path);
    }
    int result;
    do {
        result = flock(lock, wait ? LOCK_EX : LOCK_EX | LOCK_NB);
    } while (result != 0 && errno == EINTR);
    if (result != 0) {
        bool busy = errno == EWOULDBLOCK;
        busy ? err_set(err, ERR_PRECONDITION, "another process is at it (lock %s)", path)
             : err_errno(err, "cannot lock %s", path);
        close(lock);
        return false;
    }
    *fd = lock;
    return true;
}

void site_unlock(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

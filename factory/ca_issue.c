/* SPDX-License-Identifier: Apache-2.0 */
/* ca_issue: certificates outside a factory run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "factory/ca.h"
#include "factory/internal.h"
#include "json/json.h"
#include "pki/batch.h"
#include "pki/issue.h"

#define DETAIL_MAX 384

bool factory_ca_signer(const factory_ca_t *ca, const char *name, pki_signer_t **signer, err_t *err)
{
    char path[FILE_PATH_MAX];
    *signer = NULL;
    if (ca->key != NULL) {
        return pki_signer_open(ca->key, signer, err);
    }
    if (!site_key_path(ca->site, name, path, err)) {
        return false;
    }
    if (!file_exists(path)) {
        return err_set(err, ERR_PRECONDITION,
                       "the key of the %s CA is not in this site; fetch the medium it is on and "
                       "name it with --key FILE",
                       name);
    }
    return pki_signer_open(path, signer, err);
}

/* ---- what custody knows ---- */

/* Everything that an issue holds. */
typedef struct {
    const factory_ca_t *ca;
    const factory_issue_t *how;
    custody_t *custody;
    pki_signer_t *signer;
    X509 *issuer;
    char issuer_sha256[65];
    char *tail; /* issuing CA and product CA as PEM */
    size_t tail_len;
    char *out;
    size_t len;
    size_t room;
    int lock;
} issue_t;

typedef struct {
    bool certified; /* has or had a certificate */
    bool issued;
    bool over; /* void or scrapped */
} known_t;

static bool note(void *context, const custody_entry_t *entry)
{
    known_t *known = context;
    known->issued = known->issued || strcmp(entry->kind, FACTORY_CA_ISSUE) == 0;
    known->certified = known->certified || known->issued || strcmp(entry->kind, "identity") == 0;
    known->over =
        known->over || strcmp(entry->kind, CUSTODY_VOID) == 0 || strcmp(entry->kind, "scrap") == 0;
    return true;
}

bool factory_ca_issued(custody_t *custody, const char *sn, bool *issued, err_t *err)
{
    known_t known = {false, false, false};
    bool ok = custody_each_of_sn(custody, sn, note, &known, err);
    *issued = known.issued;
    return ok;
}

/* A number that a run has taken and that is no unit yet: the run will make one of it. */
static bool check_run(const site_t *site, custody_t *custody, const char *sn, err_t *err)
{
    custody_checkpoint_t point;
    uint64_t number;
    err_t none = ERR_INIT;
    if (!site_sn_number(site, sn, &number)) {
        return true;
    }
    if (!custody_checkpoint(custody, FACTORY_WRITER, &point, &none)) {
        return none.kind == ERR_PRECONDITION || err_set(err, none.kind, "%s", none.text);
    }
    return number > point.number ||
           err_set(err, ERR_PRECONDITION,
                   "%s belongs to a factory run that is under way or died; wait for it, or take "
                   "another serial number",
                   sn);
}

static bool check_sn(const issue_t *issue, const char *sn, err_t *err)
{
    custody_t *custody = issue->custody;
    bool again = issue->how->again;
    known_t known = {false, false, false};
    if (!site_sn_check(sn, err) || !custody_each_of_sn(custody, sn, note, &known, err)) {
        return false;
    }
    if (known.over) {
        return err_set(err, ERR_PRECONDITION,
                       "%s is void or scrapped and gets no certificate; take another serial number",
                       sn);
    }
    if (!known.certified && !issue->how->of_a_run) {
        return check_run(issue->ca->site, custody, sn, err);
    }
    return !known.certified || again ||
           err_set(err, ERR_PRECONDITION,
                   "%s has a certificate already (`cradle custody show %s`); --again makes a "
                   "further one",
                   sn, sn);
}

/* ---- making ---- */

static bool load_chain(issue_t *issue, err_t *err)
{
    pki_chain_t tail = PKI_CHAIN_INIT;
    X509 *product = NULL;
    pki_facts_t facts;
    char path[FILE_PATH_MAX];
    const site_t *site = issue->ca->site;
    bool ok = site_ca_path(site, issue->how->by, path, err) &&
              pki_cert_load(path, &issue->issuer, err) &&
              site_ca_path(site, "product", path, err) && pki_cert_load(path, &product, err) &&
              pki_chain_add(&tail, issue->issuer, err) && pki_chain_add(&tail, product, err) &&
              pki_chain_to_pem(&tail, &issue->tail, &issue->tail_len, err) &&
              pki_cert_facts(issue->issuer, &facts, err);
    if (ok) {
        memcpy(issue->issuer_sha256, facts.sha256_hex, sizeof issue->issuer_sha256);
    }
    pki_cert_free(product);
    pki_chain_free(&tail);
    return ok;
}

static bool append(issue_t *issue, const char *text, size_t len, err_t *err)
{
    if (issue->len + len > issue->room) {
        size_t room = 2 * (issue->len + len);
        char *more = realloc(issue->out, room);
        if (more == NULL) {
            return err_set(err, ERR_SYSTEM, "out of memory for certificates");
        }
        issue->out = more;
        issue->room = room;
    }
    memcpy(issue->out + issue->len, text, len);
    issue->len += len;
    return true;
}

static bool write_detail(const issue_t *issue, const pki_facts_t *facts, char detail[DETAIL_MAX],
                         err_t *err)
{
    json_writer_t w;
    json_writer_init(&w, detail, DETAIL_MAX);
    json_object(&w);
    json_key(&w, "leaf");
    json_put_string(&w, facts->sha256_hex);
    json_key(&w, "serial");
    json_put_string(&w, facts->serial);
    json_key(&w, "by");
    json_put_string(&w, issue->how->by);
    json_key(&w, "issuer");
    json_put_string(&w, issue->issuer_sha256);
    json_key(&w, "not_after");
    json_put_i64(&w, facts->not_after);
    json_end(&w);
    return json_writer_done(&w, NULL) || err_set(err, ERR_SYSTEM, "custody's detail does not fit");
}

static bool make_one(issue_t *issue, const pki_csr_t *request, char detail[DETAIL_MAX], err_t *err)
{
    const pki_issuer_t by = {issue->issuer, issue->signer};
    const factory_issue_t *how = issue->how;
    const pki_device_request_t wanted = {.sn = request->cn,
                                         .key = request->key,
                                         .not_before = how->now,
                                         .days =
                                             how->days == 0 ? issue->ca->site->days : how->days};
    X509 *leaf;
    pki_facts_t facts;
    char *pem = NULL;
    size_t len;
    if (!pki_issue_device(&wanted, &by, &leaf, err)) {
        return false;
    }
    const pki_chain_t one = {{leaf}, 1};
    bool ok = pki_cert_facts(leaf, &facts, err) && write_detail(issue, &facts, detail, err) &&
              pki_chain_to_pem(&one, &pem, &len, err) && append(issue, pem, len, err) &&
              append(issue, issue->tail, issue->tail_len, err);
    free(pem);
    pki_cert_free(leaf);
    return ok;
}

static bool make_all(issue_t *issue, const pki_csr_t *requests, size_t count, err_t *err)
{
    custody_event_t *events = calloc(count, sizeof *events);
    char(*details)[DETAIL_MAX] = calloc(count, sizeof *details);
    bool ok = (events != NULL && details != NULL) || err_set(err, ERR_SYSTEM, "out of memory");
    for (size_t i = 0; ok && i < count; i++) {
        ok = make_one(issue, &requests[i], details[i], err);
        events[i] =
            (custody_event_t){.sn = requests[i].cn, .kind = FACTORY_CA_ISSUE, .detail = details[i]};
    }
    ok = ok && custody_append(issue->custody, events, count, issue->how->now * 1000, err);
    if (ok && !file_write_new(issue->how->out, issue->out, issue->len, 0644, err)) {
        ok = err_add(err, "custody knows of the certificates, but they are lost (repeat with "
                          "--again)");
    }
    free(details);
    free(events);
    return ok;
}

static bool open_all(issue_t *issue, err_t *err)
{
    const site_t *site = issue->ca->site;
    if (strcmp(issue->how->by, "line") != 0 && strcmp(issue->how->by, "renewal") != 0) {
        return err_set(err, ERR_USAGE,
                       "devices' certificates are signed by line or renewal, not "
                       "by \"%.40s\"",
                       issue->how->by);
    }
    if (file_exists(issue->how->out)) {
        return err_set(err, ERR_PRECONDITION, "%s exists already; name another file with -o",
                       issue->how->out);
    }
    return site_lock(site, "ca", true, &issue->lock, err) && load_chain(issue, err) &&
           factory_ca_signer(issue->ca, issue->how->by, &issue->signer, err) &&
           factory_custody_open(site, FACTORY_CA_WRITER, &issue->custody, err);
}

bool factory_ca_issue(const factory_ca_t *ca, const factory_issue_t *how, const pki_csr_t *requests,
                      size_t count, err_t *err)
{
    issue_t issue = {.ca = ca, .how = how, .lock = -1};
    int allot = -1;
    if (count == 0 || count > PKI_BATCH_MAX) {
        return err_set(err, ERR_USAGE, "1 to %d certificates at a time, not %zu", PKI_BATCH_MAX,
                       count);
    }
    /* No run takes one of these numbers between the look and the entry. */
    bool ok = open_all(&issue, err) && site_lock(ca->site, FACTORY_ALLOT, true, &allot, err);
    for (size_t i = 0; ok && i < count; i++) {
        ok = check_sn(&issue, requests[i].cn, err);
    }
    ok = ok && make_all(&issue, requests, count, err);
    site_unlock(allot);
    site_unlock(issue.lock);
    custody_close(issue.custody);
    pki_signer_close(issue.signer);
    pki_cert_free(issue.issuer);
    free(issue.tail);
    free(issue.out);
    return ok;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Station 3 with the signer away: requests out, chains in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "factory/ca.h"
#include "factory/identity_internal.h"
#include "factory/ledger.h"
#include "pki/batch.h"
#include "pki/csr.h"
#include "pki/key.h"

#define BEGIN_CSR "-----BEGIN CERTIFICATE REQUEST-----\n"
#define END_CSR   "-----END CERTIFICATE REQUEST-----\n"

bool factory_pending_path(const site_t *site, const char *sn, const char *file,
                          char out[FILE_PATH_MAX], err_t *err)
{
    char name[64 + SITE_SN_SIZE];
    if (!site_sn_check(sn, err)) {
        return false;
    }
    snprintf(name, sizeof name, "factory/pending/%s%s%s", sn, file == NULL ? "" : "/",
             file == NULL ? "" : file);
    return site_path(site, name, out, err);
}

/* ---- requests out ---- */

static bool add_request(const char *sn, EVP_PKEY *key, char **pem, size_t *pem_len, err_t *err)
{
    uint8_t der[PKI_CSR_MAX];
    char base64[4 * ((PKI_CSR_MAX + 2) / 3) + 1];
    size_t len;
    pki_signer_t *signer = NULL;
    bool ok = pki_signer_from_key(key, &signer, err) &&
              pki_csr_make(sn, signer, der, sizeof der, &len, err) &&
              bytes_to_base64(der, len, base64, sizeof base64);
    pki_signer_close(signer);
    if (!ok) {
        return false;
    }
    len = strlen(base64);
    char *more = realloc(*pem, *pem_len + len + len / 64 + sizeof BEGIN_CSR + sizeof END_CSR + 2);
    if (more == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for the requests");
    }
    *pem = more;
    char *p = more + *pem_len;
    p = stpcpy(p, BEGIN_CSR);
    for (size_t at = 0; at < len; at += 64) {
        p += sprintf(p, "%.64s\n", base64 + at);
    }
    p = stpcpy(p, END_CSR);
    *pem_len = (size_t)(p - more);
    return true;
}

static bool key_hash(EVP_PKEY *key, char out[65], err_t *err)
{
    uint8_t spki[PKI_SPKI_MAX];
    uint8_t hash[32];
    size_t len;
    return pki_key_public_der(key, spki, sizeof spki, &len, err) &&
           pki_sha256(spki, len, hash, err) && bytes_to_hex(hash, sizeof hash, out, 65);
}

/* A new key for a new SN, on the disk before custody hears of it. */
static bool make_pending(const factory_line_t *line, const char *sn, EVP_PKEY **key, err_t *err)
{
    char path[FILE_PATH_MAX];
    return factory_pending_path(line->site, sn, NULL, path, err) &&
           file_make_dirs(path, 0700, err) &&
           factory_pending_path(line->site, sn, "device.key", path, err) &&
           pki_key_generate(line->site->key_type, key, err) && pki_key_save(*key, path, err);
}

static bool load_pending(const site_t *site, const char *sn, EVP_PKEY **key, err_t *err)
{
    char path[FILE_PATH_MAX];
    return factory_pending_path(site, sn, "device.key", path, err) && pki_key_load(path, key, err);
}

typedef struct {
    factory_line_t *line;
    factory_job_t *jobs;
    const size_t *list;
    size_t count;
    char (*details)[256];
    custody_event_t events[FACTORY_JOBS_MAX + 1];
    EVP_PKEY *keys[FACTORY_JOBS_MAX];
} requests_t;

/* Numbers and keys for all of `list`; custody hears of them at once, the reservation is closed. */
static bool allot(requests_t *r, const custody_reservation_t *reservation, err_t *err)
{
    size_t n = 0;
    for (uint64_t number = reservation->from; number <= reservation->to; number++) {
        char hash[65];
        const char *kind;
        bool issued;
        factory_unit_t *unit = &r->jobs[r->list[n]].unit;
        memset(unit, 0, sizeof *unit);
        if (!site_pattern_format(&r->line->pattern, number, unit->sn, err) ||
            !custody_born(r->line->custody, unit->sn, &kind, err) ||
            !factory_ca_issued(r->line->custody, unit->sn, &issued, err)) {
            return false;
        }
        if (kind != NULL || issued) {
            continue; /* adopted, or certified, before its turn came */
        }
        unit->board = true;
        snprintf(unit->mac, sizeof unit->mac, "%s", r->jobs[r->list[n]].mac);
        if (!make_pending(r->line, unit->sn, &r->keys[n], err) ||
            !key_hash(r->keys[n], hash, err)) {
            return err_add(err, "unit %s", unit->sn);
        }
        snprintf(r->details[n], sizeof r->details[n], "{\"mac\":\"%s\",\"key\":\"%s\"}", unit->mac,
                 hash);
        r->events[n] =
            (custody_event_t){.sn = unit->sn, .kind = FACTORY_PENDING, .detail = r->details[n]};
        n++;
    }
    r->count = n;
    r->events[n] = (custody_event_t){
        .sn = "", .kind = CUSTODY_CLOSE, .detail = "{}", .number = reservation->to};
    return custody_append(r->line->custody, r->events, n + 1, clock_wall_ms(), err);
}

static bool request_new(factory_line_t *line, factory_job_t *jobs, const size_t *list, size_t count,
                        size_t *made, bool *settled, char **pem, size_t *pem_len, err_t *err)
{
    custody_reservation_t reservation;
    uint64_t ignored = 0;
    *made = 0;
    requests_t *r = calloc(1, sizeof *r);
    char(*details)[256] = calloc(count, sizeof *details);
    bool ok = (r != NULL && details != NULL) || err_set(err, ERR_SYSTEM, "out of memory");
    if (ok && factory_line_reserve(line, count, &reservation, err)) {
        r->line = line;
        r->jobs = jobs;
        r->list = list;
        r->details = details;
        ok = allot(r, &reservation, err);
        if (!ok) {
            *settled = factory_settle(line->site, line->custody, &reservation, &ignored, err);
        }
        for (size_t i = 0; ok && i < r->count; i++) {
            factory_job_t *job = &jobs[list[i]];
            job->ok = add_request(job->unit.sn, r->keys[i], pem, pem_len, &job->err);
        }
        *made = ok ? r->count : 0;
    } else {
        ok = false;
    }
    for (size_t i = 0; r != NULL && i < FACTORY_JOBS_MAX; i++) {
        pki_key_free(r->keys[i]);
    }
    free(details);
    free(r);
    return ok;
}

/* Those that are pending already leave the list. */
static size_t request_again(factory_station_t *station, factory_job_t *jobs, size_t *list,
                            size_t count, char **pem, size_t *pem_len)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        factory_job_t *job = &jobs[list[i]];
        const factory_item_t *item = factory_ledger_mac(&station->ledger, job->mac);
        EVP_PKEY *key = NULL;
        if (item == NULL || item->sn[0] == '\0') {
            list[left++] = list[i];
            continue;
        }
        job->already = true;
        memset(&job->unit, 0, sizeof job->unit);
        snprintf(job->unit.sn, sizeof job->unit.sn, "%s", item->sn);
        snprintf(job->unit.mac, sizeof job->unit.mac, "%s", item->mac);
        job->ok = load_pending(station->site, item->sn, &key, &job->err) &&
                  add_request(item->sn, key, pem, pem_len, &job->err);
        pki_key_free(key);
    }
    return left;
}

static bool request_all(factory_station_t *station, const factory_identity_t *how,
                        factory_job_t *jobs, const size_t *list, size_t count, char **pem,
                        size_t *pem_len, err_t *err)
{
    factory_line_t line;
    bool settled = true;
    size_t done = 0;
    bool ok = factory_line_open(&line, station->site, how->writer, false, NULL, err);
    while (ok && done < count) {
        size_t made;
        ok =
            request_new(&line, jobs, list + done, count - done, &made, &settled, pem, pem_len, err);
        done += made;
    }
    snprintf(station->notice, sizeof station->notice, "%s", line.floor.notice);
    factory_line_close(&line, settled);
    return ok || factory_jobs_failed(jobs, list + done, count - done, err);
}

bool factory_identity_request(factory_station_t *station, const factory_identity_t *how,
                              factory_job_t *jobs, size_t count, char **pem, size_t *pem_len,
                              err_t *err)
{
    size_t list[FACTORY_JOBS_MAX];
    int lock;
    bool all = true;
    err_t own = ERR_INIT;
    err = err == NULL ? &own : err;
    if (count > FACTORY_JOBS_MAX) {
        return err_set(err, ERR_USAGE, "at most %d boards at once", FACTORY_JOBS_MAX);
    }
    if (!site_lock(station->site, FACTORY_BOARDS, true, &lock, err)) {
        return false;
    }
    bool ok = factory_station_refresh(station, err);
    size_t left = ok ? factory_jobs_new(station, jobs, count, list) : 0;
    left = request_again(station, jobs, list, left, pem, pem_len);
    ok = ok && (left == 0 || request_all(station, how, jobs, list, left, pem, pem_len, err));
    site_unlock(lock);
    factory_jobs_twins(jobs, count);
    for (size_t i = 0; i < count; i++) {
        all = all && jobs[i].ok;
    }
    return ok && all;
}

/* ---- chains in ---- */

static bool put_record(factory_line_t *line, factory_unit_t *unit, err_t *err)
{
    char detail[512];
    unit->made_ms = clock_wall_ms();
    if (!factory_record_write(unit, detail, sizeof detail, err)) {
        return false;
    }
    const custody_event_t event = {.sn = unit->sn, .kind = CUSTODY_IDENTITY, .detail = detail};
    return custody_append(line->custody, &event, 1, unit->made_ms, err);
}

/* The chain and its pending key make the unit. The line's write checks the chain against the CAs.
 */
static bool make_unit(factory_line_t *line, EVP_PKEY *key, pki_chain_t *chain, factory_unit_t *unit,
                      err_t *err)
{
    factory_files_t files = {0};
    int64_t now = clock_wall_ms() / 1000;
    files.key = malloc(PKI_KEY_PEM_MAX);
    bool ok = (files.key != NULL || err_set(err, ERR_SYSTEM, "out of memory for a key")) &&
              pki_key_to_pem(key, files.key, PKI_KEY_PEM_MAX, &files.key_len, err) &&
              pki_chain_complete(chain, &line->known.ca_chain, err) &&
              pki_chain_to_pem(chain, &files.cert, &files.cert_len, err) &&
              factory_line_rest(line, NULL, &files, err) &&
              factory_line_write(line, &files, now, unit, err) &&
              factory_units_sync(line->site, err);
    if (files.key != NULL) {
        bytes_wipe(files.key, PKI_KEY_PEM_MAX);
    }
    factory_files_free(&files);
    return ok;
}

static bool forget_pending(const site_t *site, const char *sn, err_t *err)
{
    char path[FILE_PATH_MAX];
    return factory_pending_path(site, sn, NULL, path, err) &&
           (!file_exists(path) || file_remove_tree(path, err));
}

static bool import_one(factory_station_t *station, factory_line_t *line, pki_chain_t *chain,
                       factory_job_t *job)
{
    pki_facts_t facts;
    EVP_PKEY *key = NULL;
    err_t *err = &job->err;
    if (!pki_cert_facts(chain->cert[0], &facts, err) || !site_sn_check(facts.cn, err)) {
        return err_add(err, "a certificate of \"%s\"", facts.cn);
    }
    snprintf(job->unit.sn, sizeof job->unit.sn, "%.*s", SITE_SN_SIZE - 1, facts.cn);
    const factory_item_t *item = factory_ledger_sn(&station->ledger, job->unit.sn);
    if (item == NULL || (item->pending_ms == 0 && item->identity_ms == 0)) {
        return err_set(err, ERR_PRECONDITION,
                       "nobody here asked for a certificate of %s; is this the right site?",
                       job->unit.sn);
    }
    snprintf(job->mac, sizeof job->mac, "%s", item->mac);
    if (item->identity_ms > 0) {
        job->already = factory_record_find(station->site, item->sn, &job->unit, err);
        return job->already &&
               ((strcmp(job->unit.leaf_sha256, facts.sha256_hex) == 0 &&
                 forget_pending(station->site, item->sn, err)) ||
                err_set(err, ERR_PRECONDITION, "%s has another certificate already", item->sn));
    }
    if (item->scrap_ms > 0) {
        return err_set(err, ERR_PRECONDITION, "board %s was scrapped", item->mac);
    }
    job->unit.board = true;
    snprintf(job->unit.mac, sizeof job->unit.mac, "%s", item->mac);
    bool ok =
        load_pending(station->site, job->unit.sn, &key, err) &&
        (pki_key_matches(key, chain->cert[0]) ||
         err_set(err, ERR_INPUT, "the certificate of %s is not for the key that is pending here",
                 job->unit.sn)) &&
        make_unit(line, key, chain, &job->unit, err) && put_record(line, &job->unit, err) &&
        factory_chip_forget(line, job->unit.sn, err) &&
        forget_pending(station->site, job->unit.sn, err);
    pki_key_free(key);
    return ok;
}

static bool import_all(factory_station_t *station, factory_line_t *line, pki_chains_t *chains,
                       void (*each)(void *context, const factory_job_t *job), void *context)
{
    bool all = true;
    for (size_t i = 0; i < chains->count; i++) {
        factory_job_t job;
        memset(&job, 0, sizeof job);
        job.ok = import_one(station, line, &chains->chain[i], &job);
        all = all && job.ok;
        if (each != NULL) {
            each(context, &job);
        }
    }
    return all;
}

bool factory_identity_import(factory_station_t *station, const factory_identity_t *how,
                             const char *path,
                             void (*each)(void *context, const factory_job_t *job), void *context,
                             err_t *err)
{
    factory_line_t line;
    chip_t chip;
    pki_chains_t chains = {0};
    char *pem;
    size_t len;
    int lock;
    if (!file_read(path, PKI_BATCH_BYTES_MAX, &pem, &len, err)) {
        return false;
    }
    bool ok = pki_chains_read(pem, len, &chains, err) || err_add(err, "%s", path);
    free(pem);
    if (!ok || !site_lock(station->site, FACTORY_BOARDS, true, &lock, err)) {
        pki_chains_free(&chains);
        return false;
    }
    ok = factory_station_refresh(station, err) &&
         factory_line_open(&line, station->site, how->writer, false, NULL, err);
    if (ok) {
        factory_chip_line(&line, &chip, how);
        ok = import_all(station, &line, &chains, each, context) ||
             err_set(err, ERR_INPUT, "not every certificate of %s could be taken", path);
        factory_line_close(&line, true);
    }
    site_unlock(lock);
    pki_chains_free(&chains);
    return ok;
}

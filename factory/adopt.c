/* SPDX-License-Identifier: Apache-2.0 */
/* A unit from three files that somebody else made. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "factory/internal.h"
#include "pki/key.h"

#define MAC_TRIES 16

typedef struct {
    EVP_PKEY *key;
    pki_chain_t chain;  /* of the device */
    pki_chain_t server; /* what the server is checked against */
    pki_chain_t issuing;
    pki_trust_t *trust;
} papers_t;

static bool load(const site_t *site, const factory_adopt_t *files, papers_t *papers, err_t *err)
{
    memset(papers, 0, sizeof *papers);
    if (!pki_key_load(files->key, &papers->key, err) || !pki_key_check_pair(papers->key, err) ||
        !pki_chain_load(files->cert, &papers->chain, err) ||
        !pki_chain_load(files->chain, &papers->server, err)) {
        return false;
    }
    if (!pki_key_matches(papers->key, papers->chain.cert[0])) {
        return err_set(err, ERR_INPUT,
                       "%s is not the key of %s; the leaf must be the first "
                       "certificate of its file",
                       files->key, files->cert);
    }
    return factory_trust(site, &papers->issuing, &papers->trust, err) &&
           pki_chain_complete(&papers->chain, &papers->server, err) &&
           pki_chain_complete(&papers->chain, &papers->issuing, err);
}

static void unload(papers_t *papers)
{
    pki_key_free(papers->key);
    pki_chain_free(&papers->chain);
    pki_chain_free(&papers->server);
    pki_chain_free(&papers->issuing);
    pki_trust_free(papers->trust);
}

/* With `foreign`, the trust becomes the end of the unit's own chain. */
static bool take_foreign(papers_t *papers, err_t *err)
{
    pki_chain_t top = PKI_CHAIN_INIT;
    pki_trust_free(papers->trust);
    papers->trust = NULL;
    if (papers->chain.count < 2) {
        return true; /* a lone leaf: only pre-registration lets it in, and that looks at no chain */
    }
    bool ok = pki_chain_add(&top, papers->chain.cert[papers->chain.count - 1], err) &&
              pki_trust_new(&top, NULL, &papers->trust, err);
    pki_chain_free(&top);
    return ok;
}

/* Before anything is written, so that a refused identity leaves no trace. */
static bool check(const papers_t *papers, int64_t now, factory_unit_t *unit, err_t *err)
{
    pki_facts_t facts;
    const pki_chain_policy_t policy = {.now = now};
    pki_chain_verdict_t verdict;
    if (!pki_cert_facts(papers->chain.cert[0], &facts, err)) {
        return false;
    }
    if (facts.cn_state != PKI_CN_OK) {
        return err_set(err, ERR_INPUT, "the certificate has no usable common name, so no SN");
    }
    if (!site_sn_check(facts.cn, err)) {
        return err_add(err, "the certificate's common name");
    }
    snprintf(unit->sn, sizeof unit->sn, "%.*s", SITE_SN_SIZE - 1, facts.cn);
    if (papers->trust != NULL &&
        pki_chain_check(papers->trust, papers->chain.cert, papers->chain.count, &policy,
                        &verdict) != PKI_CHAIN_OK) {
        return err_set(
            err, ERR_INPUT, "%s would not be let in by the cloud: %s%s", unit->sn, verdict.text,
            verdict.result == PKI_CHAIN_FOREIGN_CA || verdict.result == PKI_CHAIN_INCOMPLETE
                ? " (--foreign adopts it all the same)"
                : "");
    }
    return true;
}

static bool make_files(const papers_t *papers, factory_files_t *files, err_t *err)
{
    files->key = malloc(PKI_KEY_PEM_MAX);
    if (files->key == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a key");
    }
    return pki_key_to_pem(papers->key, files->key, PKI_KEY_PEM_MAX, &files->key_len, err) &&
           pki_chain_to_pem(&papers->chain, &files->cert, &files->cert_len, err) &&
           pki_chain_to_pem(&papers->server, &files->chain, &files->chain_len, err);
}

typedef struct {
    const char *mac;
    bool taken;
} taken_t;

static bool same_mac(void *context, const factory_unit_t *unit)
{
    taken_t *taken = context;
    taken->taken = strcmp(unit->mac, taken->mac) == 0;
    return !taken->taken;
}

static bool make_mac(const site_t *site, factory_unit_t *unit, err_t *err)
{
    for (int i = 0; i < MAC_TRIES; i++) {
        char text[SITE_ID_SIZE + SITE_SN_SIZE + 16];
        uint8_t h[32];
        taken_t taken = {.mac = unit->mac};
        int n = snprintf(text, sizeof text, "%s %s %d", site->id, unit->sn, i);
        if (!pki_sha256(text, (size_t)n, h, err)) {
            return false;
        }
        snprintf(unit->mac, sizeof unit->mac, "06:%02x:%02x:%02x:%02x:%02x", h[0], h[1], h[2], h[3],
                 h[4]);
        if (!factory_each(site, same_mac, &taken, err)) {
            return false;
        }
        if (!taken.taken) {
            return true;
        }
    }
    return err_set(err, ERR_PRECONDITION, "found no free MAC for %s", unit->sn);
}

/* The SN is new, and no run has or will have made it meanwhile: numbers that were taken are left to
   the runs that took them, later ones find it born and go on. */
static bool check_free(const site_t *site, custody_t *custody, const char *sn, err_t *err)
{
    custody_checkpoint_t point;
    uint64_t number;
    const char *kind;
    err_t none = ERR_INIT;
    if (!custody_born(custody, sn, &kind, err)) {
        return false;
    }
    if (kind != NULL) {
        return err_set(err, ERR_PRECONDITION, "the serial number %s is %s already", sn,
                       strcmp(kind, CUSTODY_VOID) == 0 ? "void" : "taken");
    }
    /* What any line took; ERR_PRECONDITION only says that this writer has no entry yet. */
    if (!custody_checkpoint(custody, FACTORY_WRITER, &point, &none) &&
        none.kind != ERR_PRECONDITION) {
        return err_set(err, none.kind, "%s", none.text);
    }
    return !site_sn_number(site, sn, &number) || number > point.number ||
           err_set(err, ERR_PRECONDITION, "the serial number %s belongs to a run of the factory",
                   sn);
}

static bool record(custody_t *custody, factory_unit_t *unit, err_t *err)
{
    char detail[512];
    unit->made_ms = clock_wall_ms();
    if (!factory_record_write(unit, detail, sizeof detail, err)) {
        return false;
    }
    const custody_event_t event = {.sn = unit->sn, .kind = CUSTODY_IDENTITY, .detail = detail};
    return custody_append(custody, &event, 1, unit->made_ms, err);
}

/* The lock is held. */
static bool adopt(const site_t *site, const papers_t *papers, int64_t now, factory_unit_t *unit,
                  err_t *err)
{
    factory_files_t files = {0};
    custody_t *custody = NULL;
    if (!factory_base_make(site, err) ||
        !factory_custody_open(site, FACTORY_WRITER, &custody, err)) {
        return false;
    }
    bool ok = check_free(site, custody, unit->sn, err) && make_mac(site, unit, err);
    if (ok) {
        ok = make_files(papers, &files, err) &&
             factory_unit_write(site, &files, NULL, papers->trust, now, unit, err) &&
             factory_units_sync(site, err) && record(custody, unit, err);
        const char *kind;
        if (!ok && custody_born(custody, unit->sn, &kind, NULL) && kind == NULL) {
            factory_unit_remove(site, unit->sn, NULL);
        }
    }
    factory_files_free(&files);
    custody_close(custody);
    return ok;
}

bool factory_adopt(const site_t *site, const factory_adopt_t *files, factory_unit_t *unit,
                   err_t *err)
{
    papers_t papers;
    int64_t now = clock_wall_ms() / 1000;
    int lock = -1;
    memset(unit, 0, sizeof *unit);
    unit->adopted = true;
    bool ok = load(site, files, &papers, err) && (!files->foreign || take_foreign(&papers, err)) &&
              check(&papers, now, unit, err) && site_lock(site, FACTORY_ALLOT, true, &lock, err) &&
              adopt(site, &papers, now, unit, err);
    site_unlock(lock);
    unload(&papers);
    return ok;
}

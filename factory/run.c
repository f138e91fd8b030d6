/* SPDX-License-Identifier: Apache-2.0 */
/* A run of the line: blocks of units until there are enough. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/rand.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "factory/internal.h"
#include "pki/issue.h"
#include "pki/key.h"

/* Units of one transaction: what a kill can cost in serial numbers. */
#define BLOCK 64

typedef struct {
    const site_t *site;
    custody_t *custody;
    pki_signer_t *signer;
    X509 *ca;            /* the line's */
    pki_chain_t issuing; /* line, renewal, product */
    pki_trust_t *trust;
    site_pattern_t pattern;
    site_identity_t identity; /* of every unit, but for the proof of possession */
    factory_known_t known;
    char run[CUSTODY_WRITER_SIZE];
    int lock;
} line_t;

static bool load_public(const site_t *site, const char *name, uint8_t out[PKI_SPKI_MAX],
                        size_t *len, err_t *err)
{
    char path[FILE_PATH_MAX];
    EVP_PKEY *key = NULL;
    bool ok = site_pub_path(site, name, path, err) && pki_key_public_load(path, &key, err) &&
              pki_key_public_der(key, out, PKI_SPKI_MAX, len, err);
    pki_key_free(key);
    return ok;
}

static bool fill_identity(line_t *line, err_t *err)
{
    const site_t *site = line->site;
    site_identity_t *id = &line->identity;
    site_identity_default(id);
    snprintf(id->model, sizeof id->model, "%s", site->model);
    snprintf(id->hw, sizeof id->hw, "%s", site->hw);
    snprintf(id->site, sizeof id->site, "%s", site->id);
    snprintf(id->cloud, sizeof id->cloud, "%s", site->cloud);
    snprintf(id->steward, sizeof id->steward, "%s", site->steward);
    id->ask = site->steward[0] != '\0';
    return load_public(site, "firmware", id->firmware_key, &id->firmware_key_len, err) &&
           load_public(site, "anchor", id->anchor_key, &id->anchor_key_len, err);
}

/* What is the same in every unit. */
static bool fill_known(line_t *line, err_t *err)
{
    factory_known_t *known = &line->known;
    pki_chain_t issuing = PKI_CHAIN_INIT;
    pki_chain_t server = PKI_CHAIN_INIT;
    bool ok = factory_trust(line->site, &issuing, &line->trust, err) &&
              pki_chain_add(&known->ca_chain, line->ca, err) &&
              pki_chain_complete(&known->ca_chain, &issuing, err) &&
              pki_chain_to_pem(&known->ca_chain, &known->ca, &known->ca_len, err) &&
              site_server_chain(line->site, &known->server, &known->server_len, err) &&
              pki_chain_parse(known->server, known->server_len, &server, err);
    pki_chain_free(&issuing);
    pki_chain_free(&server);
    return ok && (line->site->steward[0] == '\0' ||
                  site_bundle_load(line->site, known->bundle, &known->bundle_len,
                                   &known->bundle_version, err));
}

static bool open_line(line_t *line, const site_t *site, err_t *err)
{
    char path[FILE_PATH_MAX];
    uint8_t id[8];
    memset(line, 0, sizeof *line);
    line->site = site;
    line->lock = -1;
    if (RAND_bytes(id, sizeof id) != 1) {
        return err_set(err, ERR_SYSTEM, "no random numbers");
    }
    memcpy(line->run, "factory-", 8);
    bytes_to_hex(id, sizeof id, line->run + 8, sizeof line->run - 8);
    return site_pattern_parse(site->sn_pattern, &line->pattern, err) &&
           site_key_path(site, "line", path, err) && pki_signer_open(path, &line->signer, err) &&
           site_ca_path(site, "line", path, err) && pki_cert_load(path, &line->ca, err) &&
           fill_known(line, err) && fill_identity(line, err) && factory_base_make(site, err) &&
           factory_custody_open(site, FACTORY_WRITER, &line->custody, err) &&
           site_lock(site, line->run, false, &line->lock, err);
}

static void close_line(line_t *line, bool settled)
{
    char path[FILE_PATH_MAX];
    char name[sizeof "run/.lock" + CUSTODY_WRITER_SIZE];
    snprintf(name, sizeof name, "run/%s.lock", line->run);
    /* The lock of a run that left something behind stays, for the next one to find it free. */
    if (settled && line->lock >= 0 && site_path(line->site, name, path, NULL)) {
        unlink(path);
    }
    site_unlock(line->lock);
    custody_close(line->custody);
    pki_signer_close(line->signer);
    pki_cert_free(line->ca);
    pki_chain_free(&line->known.ca_chain);
    pki_trust_free(line->trust);
    free(line->known.ca);
    free(line->known.server);
}

/* 40 bits of the site's id, and the number: two numbers of one site never give one MAC. */
static bool make_mac(const site_t *site, uint64_t number, char out[FACTORY_MAC_SIZE], err_t *err)
{
    uint8_t id[5];
    if (number >> 40 != 0) {
        return err_set(err, ERR_PRECONDITION, "there is no MAC for unit number %" PRIu64, number);
    }
    if (!bytes_from_hex(site->id, 10, id, sizeof id)) {
        return err_set(err, ERR_INPUT, "the site's id in cradle.json is damaged");
    }
    for (int i = 0; i < 5; i++) {
        id[i] ^= (uint8_t)(number >> (8 * (4 - i)));
    }
    snprintf(out, FACTORY_MAC_SIZE, "02:%02x:%02x:%02x:%02x:%02x", id[0], id[1], id[2], id[3],
             id[4]);
    return true;
}

static bool make_key(const line_t *line, factory_files_t *files, EVP_PKEY **key, err_t *err)
{
    files->key = malloc(PKI_KEY_PEM_MAX);
    if (files->key == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a key");
    }
    return pki_key_generate(line->site->key_type, key, err) &&
           pki_key_to_pem(*key, files->key, PKI_KEY_PEM_MAX, &files->key_len, err);
}

/* The PEM of one certificate (RFC 7468: lines of 64). Returns the length. */
static size_t write_pem(const char *base64, char *out)
{
    static const char BEGIN[] = "-----BEGIN CERTIFICATE-----\n";
    static const char END[] = "-----END CERTIFICATE-----\n";
    char *p = out;
    size_t left = strlen(base64);
    memcpy(p, BEGIN, sizeof BEGIN - 1);
    p += sizeof BEGIN - 1;
    while (left > 0) {
        size_t n = left < 64 ? left : 64;
        memcpy(p, base64, n);
        p[n] = '\n';
        p += n + 1;
        base64 += n;
        left -= n;
    }
    memcpy(p, END, sizeof END - 1);
    return (size_t)(p - out) + sizeof END - 1;
}

/* Leaf, line, product. */
static bool make_cert(const line_t *line, const char *sn, EVP_PKEY *key, int64_t now,
                      factory_files_t *files, err_t *err)
{
    const pki_device_request_t request = {
        .sn = sn, .key = key, .not_before = now, .days = line->site->days};
    const pki_issuer_t issuer = {.cert = line->ca, .signer = line->signer};
    uint8_t der[PKI_CERT_DER_MAX];
    char base64[4 * ((PKI_CERT_DER_MAX + 2) / 3) + 1];
    size_t len;
    if (!pki_issue_device_der(&request, &issuer, der, sizeof der, &len, err) ||
        !bytes_to_base64(der, len, base64, sizeof base64)) {
        return false;
    }
    files->cert = malloc(2 * sizeof base64 + line->known.ca_len);
    if (files->cert == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a certificate");
    }
    len = write_pem(base64, files->cert);
    memcpy(files->cert + len, line->known.ca, line->known.ca_len);
    files->cert_len = len + line->known.ca_len;
    return true;
}

static bool make_json(const line_t *line, factory_files_t *files, err_t *err)
{
    site_identity_t identity = line->identity;
    uint8_t pop[8];
    files->json = malloc(SITE_IDENTITY_JSON_MAX);
    if (files->json == NULL || RAND_bytes(pop, sizeof pop) != 1) {
        return err_set(err, ERR_SYSTEM, "no memory or no random numbers");
    }
    identity.security = line->site->security;
    if (line->site->pop) {
        bytes_to_hex(pop, sizeof pop, identity.pop, sizeof identity.pop);
    }
    bool ok =
        site_identity_write(&identity, files->json, SITE_IDENTITY_JSON_MAX, &files->json_len, err);
    bytes_wipe(pop, sizeof pop);
    bytes_wipe(&identity, sizeof identity);
    return ok;
}

static bool copy_known(const line_t *line, factory_files_t *files, err_t *err)
{
    const factory_known_t *known = &line->known;
    files->chain = malloc(known->server_len);
    files->bundle = known->bundle_len > 0 ? malloc(known->bundle_len) : NULL;
    if (files->chain == NULL || (known->bundle_len > 0 && files->bundle == NULL)) {
        return err_set(err, ERR_SYSTEM, "out of memory for what all units share");
    }
    memcpy(files->chain, known->server, known->server_len);
    files->chain_len = known->server_len;
    if (files->bundle != NULL) {
        memcpy(files->bundle, known->bundle, known->bundle_len);
        files->bundle_len = known->bundle_len;
    }
    return true;
}

static bool make_unit(const line_t *line, uint64_t number, factory_unit_t *unit, err_t *err)
{
    factory_files_t files = {0};
    EVP_PKEY *key = NULL;
    int64_t now_ms = clock_wall_ms();
    int64_t now = now_ms / 1000;
    unit->made_ms = now_ms;
    bool ok = make_mac(line->site, number, unit->mac, err) && make_key(line, &files, &key, err) &&
              make_cert(line, unit->sn, key, now, &files, err) && make_json(line, &files, err) &&
              copy_known(line, &files, err) &&
              factory_unit_write(line->site, &files, &line->known, line->trust, now, unit, err);
    pki_key_free(key);
    if (files.key != NULL) {
        bytes_wipe(files.key, PKI_KEY_PEM_MAX);
    }
    factory_files_free(&files);
    return ok || err_add(err, "unit %s", unit->sn);
}

/* Custody learns of all units of the block at once; before this none of them exists. */
static bool record(line_t *line, factory_unit_t *units, size_t count,
                   const custody_reservation_t *reservation, err_t *err)
{
    char(*details)[512] = calloc(count + 1, sizeof *details);
    custody_event_t events[BLOCK + 1];
    bool ok = details != NULL || err_set(err, ERR_SYSTEM, "out of memory");
    int64_t now = clock_wall_ms();
    for (size_t i = 0; ok && i < count; i++) {
        units[i].made_ms = now;
        ok = factory_record_write(&units[i], details[i], sizeof details[i], err);
        events[i] =
            (custody_event_t){.sn = units[i].sn, .kind = CUSTODY_IDENTITY, .detail = details[i]};
    }
    events[count] = (custody_event_t){
        .sn = "", .kind = CUSTODY_CLOSE, .detail = "{}", .number = reservation->to};
    ok = ok && custody_append(line->custody, events, count + 1, now, err);
    free(details);
    return ok;
}

static bool reserve(line_t *line, uint64_t count, custody_reservation_t *reservation, err_t *err)
{
    int lock;
    memset(reservation, 0, sizeof *reservation);
    snprintf(reservation->pattern, sizeof reservation->pattern, "%s", line->site->sn_pattern);
    snprintf(reservation->run, sizeof reservation->run, "%s", line->run);
    if (!site_lock(line->site, FACTORY_ALLOT, true, &lock, err)) {
        return false;
    }
    uint64_t last = site_pattern_last(&line->pattern);
    bool ok = custody_reserve(line->custody, reservation, count, 0,
                              last > INT64_MAX ? INT64_MAX : last, clock_wall_ms(), err);
    site_unlock(lock);
    return ok;
}

static bool make_block(line_t *line, const custody_reservation_t *reservation,
                       factory_unit_t *units, size_t *count, err_t *err)
{
    *count = 0;
    for (uint64_t n = reservation->from; n <= reservation->to; n++) {
        factory_unit_t *unit = &units[*count];
        const char *kind;
        memset(unit, 0, sizeof *unit);
        if (!site_pattern_format(&line->pattern, n, unit->sn, err) ||
            !custody_born(line->custody, unit->sn, &kind, err)) {
            return false;
        }
        if (kind != NULL) {
            continue; /* adopted before its number's turn came */
        }
        if (!make_unit(line, n, unit, err)) {
            return false;
        }
        (*count)++;
    }
    return factory_units_sync(line->site, err) && record(line, units, *count, reservation, err);
}

static bool run_blocks(line_t *line, const factory_run_t *run, factory_result_t *result,
                       factory_unit_t *units, bool *settled, err_t *err)
{
    bool more = true;
    while (more && result->made < run->count) {
        custody_reservation_t reservation;
        uint64_t left = run->count - result->made;
        uint64_t ignored = 0;
        size_t count;
        if (!reserve(line, left < BLOCK ? left : BLOCK, &reservation, err)) {
            return false;
        }
        if (!make_block(line, &reservation, units, &count, err)) {
            *settled = factory_settle(line->site, line->custody, &reservation, &ignored, err);
            return false;
        }
        result->made += count;
        for (size_t i = 0; i < count && run->made != NULL; i++) {
            more = run->made(run->context, &units[i]) && more;
        }
    }
    return true;
}

bool factory_run(const site_t *site, const factory_run_t *run, factory_result_t *result, err_t *err)
{
    line_t line;
    bool settled = true;
    memset(result, 0, sizeof *result);
    if (run->count == 0 || run->count > FACTORY_COUNT_MAX) {
        return err_set(err, ERR_USAGE, "a run makes 1 to %d units, not %" PRIu64, FACTORY_COUNT_MAX,
                       run->count);
    }
    factory_unit_t *units = calloc(BLOCK, sizeof *units);
    if (units == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a block of units");
    }
    bool ok = open_line(&line, site, err) &&
              factory_recover(site, line.custody, &result->voided, err) &&
              run_blocks(&line, run, result, units, &settled, err);
    close_line(&line, settled);
    free(units);
    return ok;
}

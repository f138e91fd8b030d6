/* SPDX-License-Identifier: Apache-2.0 */
/* What a unit is made of: key, certificate, device.json, and what all units share. */
#include "factory/line.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/rand.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "factory/ca.h"
#include "factory/station.h"
#include "flash/flash.h"
#include "pki/issue.h"
#include "pki/key.h"
#include "pki/own.h"

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

static bool fill_identity(factory_line_t *line, err_t *err)
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
static bool fill_known(factory_line_t *line, err_t *err)
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

/* What station 2 wrote: all units of the site share it. */
static bool hash_base(factory_line_t *line, err_t *err)
{
    char path[FILE_PATH_MAX];
    char *data;
    size_t len;
    uint8_t hash[32];
    if (!factory_base_make(line->site, err) ||
        !site_path(line->site, "factory/base.bin", path, err) ||
        !file_read(path, FLASH_SIZE_DEFAULT, &data, &len, err)) {
        return false;
    }
    bool ok = pki_sha256(data, len, hash, err) &&
              bytes_to_hex(hash, sizeof hash, line->base_sha256, sizeof line->base_sha256);
    free(data);
    return ok;
}

/* One certificate for nobody, taken both ways. */
static bool prove_form(factory_line_t *line, err_t *err)
{
    static const char SN[] = "proof";
    uint8_t der[PKI_CERT_DER_MAX];
    size_t len;
    EVP_PKEY *key = NULL;
    pki_own_t own;
    int64_t now = clock_wall_ms() / 1000;
    const pki_issuer_t issuer = {.cert = line->ca, .signer = line->signer};
    const pki_chain_policy_t policy = {.now = now};
    pki_chain_verdict_t verdict;
    pki_chain_t chain = PKI_CHAIN_INIT;
    X509 *leaf = NULL;
    if (line->signer == NULL || line->site->key_type != PKI_KEY_P256) {
        return true;
    }
    if (!pki_key_generate(PKI_KEY_P256, &key, err)) {
        return false;
    }
    const pki_device_request_t request = {
        .sn = SN, .key = key, .not_before = now, .days = line->site->days};
    bool ok = pki_issue_device_der(&request, &issuer, der, sizeof der, &len, err) &&
              pki_cert_from_der(der, len, &leaf, err) && pki_chain_add(&chain, leaf, err);
    for (size_t i = 0; ok && i < line->known.ca_chain.count; i++) {
        ok = pki_chain_add(&chain, line->known.ca_chain.cert[i], err);
    }
    line->known.own_form =
        ok &&
        pki_chain_check(line->trust, chain.cert, chain.count, &policy, &verdict) == PKI_CHAIN_OK &&
        pki_own_read(der, len, line->ca, SN, now, &own);
    pki_chain_free(&chain);
    pki_cert_free(leaf);
    pki_key_free(key);
    return ok;
}

bool factory_line_open(factory_line_t *line, const site_t *site, const char *writer, bool sign,
                       uint64_t *voided, err_t *err)
{
    uint64_t ignored = 0;
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
           (!sign || (site_key_path(site, "line", path, err) &&
                      pki_signer_open(path, &line->signer, err))) &&
           site_ca_path(site, "line", path, err) && pki_cert_load(path, &line->ca, err) &&
           fill_known(line, err) && prove_form(line, err) && fill_identity(line, err) &&
           hash_base(line, err) &&
           factory_custody_open(site, writer == NULL ? FACTORY_WRITER : writer, &line->custody,
                                err) &&
           site_lock(site, line->run, false, &line->lock, err) &&
           factory_floor_read(site, line->custody, &line->floor, err) &&
           factory_recover(site, line->custody, voided == NULL ? &ignored : voided, err);
}

bool factory_line_reserve(factory_line_t *line, uint64_t count, custody_reservation_t *reservation,
                          err_t *err)
{
    int lock;
    memset(reservation, 0, sizeof *reservation);
    snprintf(reservation->pattern, sizeof reservation->pattern, "%s", line->site->sn_pattern);
    snprintf(reservation->run, sizeof reservation->run, "%s", line->run);
    if (!site_lock(line->site, FACTORY_ALLOT, true, &lock, err)) {
        return false;
    }
    uint64_t last = site_pattern_last(&line->pattern);
    bool ok = custody_reserve(line->custody, reservation, count, line->floor.floor,
                              last > INT64_MAX ? INT64_MAX : last, clock_wall_ms(), err);
    site_unlock(lock);
    /* Before the first of them is used. */
    return ok && factory_floor_leave(line->site, line->custody, &line->floor, err);
}

void factory_line_close(factory_line_t *line, bool settled)
{
    char path[FILE_PATH_MAX];
    char name[sizeof "run/.lock" + CUSTODY_WRITER_SIZE];
    snprintf(name, sizeof name, "run/%s.lock", line->run);
    /* The lock of a run that left something behind stays, for the next one to find it free. */
    if (settled && line->lock >= 0 && site_path(line->site, name, path, NULL)) {
        unlink(path);
    }
    site_unlock(line->lock);
    if (line->floor.left) {
        /* Its numbers are covered already; this one is about what became of them. */
        factory_floor_leave(line->site, line->custody, &line->floor, NULL);
    }
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

bool factory_line_key(const factory_line_t *line, factory_files_t *files, EVP_PKEY **key,
                      err_t *err)
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
bool factory_line_certify(const factory_line_t *line, const char *sn, EVP_PKEY *key, int64_t now,
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

static bool make_json(const factory_line_t *line, const char *known, factory_files_t *files,
                      err_t *err)
{
    site_identity_t identity = line->identity;
    uint8_t pop[8];
    files->json = malloc(SITE_IDENTITY_JSON_MAX);
    if (files->json == NULL || RAND_bytes(pop, sizeof pop) != 1) {
        return err_set(err, ERR_SYSTEM, "no memory or no random numbers");
    }
    identity.security = line->site->security;
    if (known != NULL) {
        snprintf(identity.pop, sizeof identity.pop, "%s", known);
    } else if (line->site->pop) {
        bytes_to_hex(pop, sizeof pop, identity.pop, sizeof identity.pop);
    }
    bool ok =
        site_identity_write(&identity, files->json, SITE_IDENTITY_JSON_MAX, &files->json_len, err);
    bytes_wipe(pop, sizeof pop);
    bytes_wipe(&identity, sizeof identity);
    return ok;
}

static bool copy_known(const factory_line_t *line, factory_files_t *files, err_t *err)
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

bool factory_line_rest(const factory_line_t *line, const char *pop, factory_files_t *files,
                       err_t *err)
{
    return make_json(line, pop, files, err) && copy_known(line, files, err);
}

static bool keep_key(const factory_line_t *line, const factory_files_t *files,
                     const factory_unit_t *unit, err_t *err)
{
    char path[FILE_PATH_MAX];
    return site_unit_path(line->site, unit->sn, "device.key", path, err) &&
           file_write(path, files->key, files->key_len, 0600, err);
}

bool factory_line_write(const factory_line_t *line, const factory_files_t *files, int64_t now,
                        factory_unit_t *unit, err_t *err)
{
    return factory_unit_write(line->site, files, &line->known, line->trust, now, unit, err) &&
           (!line->keep_key || keep_key(line, files, unit, err)) &&
           (line->written == NULL || line->written(line->context, unit, err));
}

static bool make_unit(const factory_line_t *line, uint64_t number, factory_unit_t *unit, err_t *err)
{
    factory_files_t files = {0};
    EVP_PKEY *key = NULL;
    int64_t now_ms = clock_wall_ms();
    int64_t now = now_ms / 1000;
    unit->made_ms = now_ms;
    bool ok = (unit->board || make_mac(line->site, number, unit->mac, err)) &&
              factory_line_key(line, &files, &key, err) &&
              factory_line_certify(line, unit->sn, key, now, &files, err) &&
              factory_line_rest(line, NULL, &files, err) &&
              factory_line_write(line, &files, now, unit, err);
    pki_key_free(key);
    if (files.key != NULL) {
        bytes_wipe(files.key, PKI_KEY_PEM_MAX);
    }
    factory_files_free(&files);
    return ok || err_add(err, "unit %s", unit->sn);
}

/* A unit without a board of its own went through station 2 here: the base was read, and it boots
   from it. */
static void flash_detail(const factory_line_t *line, const factory_unit_t *unit, char out[256])
{
    snprintf(out, 256, "{\"mac\":\"%s\",\"base_sha256\":\"%s\",\"rollback\":true}", unit->mac,
             line->base_sha256);
}

/* Custody learns of all units of the block at once; before this none of them exists. */
static bool record(factory_line_t *line, factory_unit_t *units, size_t count,
                   const custody_reservation_t *reservation, err_t *err)
{
    char(*details)[512] = calloc(count + 1, sizeof *details);
    char(*flashed)[256] = calloc(count + 1, sizeof *flashed);
    custody_event_t events[2 * FACTORY_BLOCK + 1];
    size_t n = 0;
    bool ok = (details != NULL && flashed != NULL) || err_set(err, ERR_SYSTEM, "out of memory");
    int64_t now = clock_wall_ms();
    for (size_t i = 0; ok && i < count; i++) {
        units[i].made_ms = now;
        ok = factory_record_write(&units[i], details[i], sizeof details[i], err);
        if (!units[i].board) {
            flash_detail(line, &units[i], flashed[i]);
            events[n++] =
                (custody_event_t){.sn = units[i].sn, .kind = FACTORY_FLASH, .detail = flashed[i]};
        }
        events[n++] =
            (custody_event_t){.sn = units[i].sn, .kind = CUSTODY_IDENTITY, .detail = details[i]};
    }
    events[n++] = (custody_event_t){
        .sn = "", .kind = CUSTODY_CLOSE, .detail = "{}", .number = reservation->to};
    ok = ok && custody_append(line->custody, events, n, now, err);
    free(details);
    free(flashed);
    return ok;
}

bool factory_line_block(factory_line_t *line, const custody_reservation_t *reservation,
                        const char *const *boards, factory_unit_t *units, size_t *count, err_t *err)
{
    *count = 0;
    for (uint64_t n = reservation->from; n <= reservation->to; n++) {
        factory_unit_t *unit = &units[*count];
        const char *kind;
        bool issued;
        memset(unit, 0, sizeof *unit);
        if (!site_pattern_format(&line->pattern, n, unit->sn, err) ||
            !custody_born(line->custody, unit->sn, &kind, err) ||
            !factory_ca_issued(line->custody, unit->sn, &issued, err)) {
            return false;
        }
        if (kind != NULL || issued) {
            continue; /* adopted, or certified by `cradle ca issue`, before its turn came */
        }
        if (boards != NULL) {
            unit->board = true;
            snprintf(unit->mac, sizeof unit->mac, "%s", boards[*count]);
        }
        if (!make_unit(line, n, unit, err)) {
            return false;
        }
        (*count)++;
    }
    return factory_units_sync(line->site, err) && record(line, units, *count, reservation, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pki/cert.h"
#include "pki/csr.h"
#include "pki/issue.h"
#include "pki/key.h"
#include "pki/signer.h"
#include "site/bundle.h"
#include "statement/statement.h"
#include "statement/ticket.h"
#include "tests/unit/steward_fixture.h"

static const uint8_t TICKET_KEY[32] = "a secret of thirty-two bytes....";

static int64_t now_s(void *ctx)
{
    return ((rig_t *)ctx)->now_ms / 1000;
}

static int64_t now_ms(void *ctx)
{
    return ((rig_t *)ctx)->now_ms;
}

static void log_line(void *ctx, const char *text)
{
    rig_t *rig = ctx;
    size_t len = strlen(rig->log);
    snprintf(rig->log + len, sizeof rig->log - len, "%s\n", text);
}

void rig_site(rig_t *rig)
{
    err_t err = ERR_INIT;
    size_t len;
    char dir[] = "/tmp/cradle-steward-XXXXXX";
    char path[FILE_PATH_MAX];
    assert_non_null(mkdtemp(dir));
    const site_create_t request = {
        .dir = dir, .steward = SITE_STEWARD_HOST, .now = NOW - 200 * 86400};
    memset(rig, 0, sizeof *rig);
    if (!site_create(&request, &rig->site, &err) ||
        !site_path(&rig->site, "steward/steward.db", rig->path, &err) ||
        !site_key_path(&rig->site, "steward", path, &err) ||
        !pki_signer_open(path, &rig->signer, &err) ||
        !site_bundle_load(&rig->site, rig->bundle, &len, NULL, &err)) {
        fail_msg("%s", err.text);
    }
    rig->steward = pki_signer_public(rig->signer);
    /* Stretching passwords takes its time: done once, and copied for each test. */
    if (!record_open(&rig->record, rig->path, &err) ||
        !record_account_add(rig->record, "alice", "alice's password", &err) ||
        !record_account_add(rig->record, "bob", "bob's password", &err)) {
        fail_msg("%s", err.text);
    }
    record_close(rig->record);
    assert_true(file_read(rig->path, 1 << 20, &rig->fresh, &rig->fresh_len, &err));
}

void rig_site_remove(rig_t *rig)
{
    pki_signer_close(rig->signer);
    free(rig->fresh);
    file_remove_tree(rig->site.dir, NULL);
}

static void start(rig_t *rig)
{
    err_t err = ERR_INIT;
    if (!authority_open(&rig->authority, &rig->site, &err) ||
        !record_open(&rig->record, rig->path, &err)) {
        fail_msg("%s", err.text);
    }
    const journal_settings_t journal = {.site = rig->site.id,
                                        .record = rig->record,
                                        .cloud = rig->cloud,
                                        .authority = rig->authority,
                                        .signer = rig->signer,
                                        .claims_on = true,
                                        .policy = rig->policy,
                                        .now_ms = now_ms,
                                        .log = log_line,
                                        .ctx = rig};
    if (!journal_open(&rig->journal, &journal, &err)) {
        fail_msg("%s", err.text);
    }
    const channel_settings_t channel = {.site = rig->site.id,
                                        .record = rig->record,
                                        .cloud = rig->cloud,
                                        .journal = rig->journal,
                                        .authority = rig->authority,
                                        .signer = rig->signer,
                                        .ticket_key = TICKET_KEY,
                                        .bundle = rig->bundle,
                                        .bundle_version = 1,
                                        .days = 1095,
                                        .claims_on = true,
                                        .policy = rig->policy,
                                        .adopt = rig->adopt,
                                        .now = now_s,
                                        .log = log_line,
                                        .ctx = rig};
    if (!channel_open(&rig->channel, &channel, &err)) {
        fail_msg("%s", err.text);
    }
}

static void stop(rig_t *rig)
{
    channel_close(rig->channel);
    journal_close(rig->journal);
    record_close(rig->record);
    authority_close(rig->authority);
}

void rig_open(rig_t *rig)
{
    err_t err = ERR_INIT;
    rig->now_ms = (int64_t)NOW * 1000;
    rig->policy = ownership_policy_default(true);
    rig->adopt = false;
    rig->log[0] = '\0';
    rig->cloud = fake_cloud_new();
    assert_non_null(rig->cloud);
    if (!file_write(rig->path, rig->fresh, rig->fresh_len, 0600, &err)) {
        fail_msg("%s", err.text);
    }
    start(rig);
}

void rig_close(rig_t *rig)
{
    char path[FILE_PATH_MAX + 8];
    stop(rig);
    unlink(rig->path);
    snprintf(path, sizeof path, "%s-wal", rig->path);
    unlink(path);
    snprintf(path, sizeof path, "%s-shm", rig->path);
    unlink(path);
}

void rig_restart(rig_t *rig)
{
    stop(rig);
    start(rig);
}

void rig_run(rig_t *rig, int64_t ms)
{
    int64_t until = rig->now_ms + ms;
    int64_t next;
    rig->log[0] = '\0';
    for (int turns = 0;; turns++) {
        assert_true(turns < 2000);
        journal_turn(rig->journal, &next);
        if (next > until) {
            break;
        }
        rig->now_ms = next > rig->now_ms ? next : rig->now_ms;
    }
    rig->now_ms = until;
}

/* ---- units ---- */

void unit_make(rig_t *rig, unit_t *unit, const char *sn, int from, int days)
{
    err_t err = ERR_INIT;
    char path[FILE_PATH_MAX];
    X509 *ca = NULL;
    pki_signer_t *signer = NULL;
    memset(unit, 0, sizeof *unit);
    snprintf(unit->sn, sizeof unit->sn, "%s", sn);
    if (!site_ca_path(&rig->site, "line", path, &err) || !pki_cert_load(path, &ca, &err) ||
        !site_key_path(&rig->site, "line", path, &err) || !pki_signer_open(path, &signer, &err) ||
        !pki_key_generate(PKI_KEY_P256, &unit->key, &err)) {
        fail_msg("%s", err.text);
    }
    const pki_issuer_t issuer = {ca, signer};
    const pki_device_request_t request = {
        .sn = sn, .key = unit->key, .not_before = NOW + from * 86400, .days = (uint32_t)days};
    if (!pki_issue_device_der(&request, &issuer, unit->leaf, sizeof unit->leaf, &unit->leaf_len,
                              &err)) {
        fail_msg("%s", err.text);
    }
    pki_sha256(unit->leaf, unit->leaf_len, unit->hash, NULL);
    pki_cert_free(ca);
    pki_signer_close(signer);
    unit_reset(unit);
}

void unit_free(unit_t *unit)
{
    pki_key_free(unit->key);
}

void unit_reset(unit_t *unit)
{
    RAND_bytes(unit->epoch, sizeof unit->epoch);
}

bool unit_connect(rig_t *rig, unit_t *unit)
{
    const fake_device_t *d = fake_cloud_connect(rig->cloud, unit->sn, unit->leaf, unit->leaf_len);
    if (d != NULL) {
        memcpy(unit->id, d->id, sizeof unit->id);
    }
    return d != NULL;
}

void unit_take(unit_t *unit, EVP_PKEY *key, const heard_t *heard)
{
    assert_true(heard->chain_len > 0);
    pki_key_free(unit->key);
    unit->key = key;
    memcpy(unit->leaf, heard->chain, heard->chain_len);
    unit->leaf_len = heard->chain_len;
    pki_sha256(unit->leaf, unit->leaf_len, unit->hash, NULL);
}

/* ---- saying and hearing ---- */

static char last_body[CARRIER_REQUEST_MAX + 1];
static size_t last_len;

static void sign(EVP_PKEY *key, char *text, size_t cap, size_t *len, bool spoil)
{
    uint8_t der[PKI_SIGNATURE_MAX];
    uint8_t raw[JWS_ES256_SIZE];
    size_t der_len;
    pki_signer_t *signer;
    assert_true(pki_signer_from_key(key, &signer, NULL));
    assert_true(pki_signer_sign(signer, text, *len, der, sizeof der, &der_len, NULL));
    assert_true(jws_es256_from_der(der, der_len, raw));
    raw[5] ^= spoil;
    assert_int_equal(jws_append(text, cap, len, raw, sizeof raw), JWS_OK);
    pki_signer_close(signer);
}

static void hear(rig_t *rig, const char *id, heard_t *heard)
{
    static char reply[CHANNEL_REPLY_MAX];
    size_t len;
    jws_text_t answer;
    jws_text_t bundle;
    jws_t jws;
    uint8_t raw[JWS_ES256_SIZE];
    uint8_t der[JWS_ES256_DER_MAX];
    memset(heard, 0, sizeof *heard);
    rig->log[0] = '\0';
    channel_ask(rig->channel, id, last_body, last_len, &heard->status, reply, &len);
    if (heard->status != 200) {
        assert_int_equal(len, 0);
        return;
    }
    assert_int_equal(carrier_read_reply(reply, len, &answer, &bundle), JWS_OK);
    assert_int_equal(jws_open(JWS_ANSWER, answer.text, answer.len, &jws), JWS_OK);
    assert_int_equal(jws_signature(&jws, raw, sizeof raw, &len), JWS_OK);
    assert_true(
        pki_verify(rig->steward, jws.text, jws.signing_len, der, jws_es256_to_der(raw, der)));
    assert_int_equal(answer_read(&jws, heard->scratch, sizeof heard->scratch, &heard->answer),
                     JWS_OK);
    heard->answered = true;
    if (heard->answer.chain[0].len > 0) {
        memcpy(heard->chain, heard->answer.chain[0].data, heard->answer.chain[0].len);
        heard->chain_len = heard->answer.chain[0].len;
    }
}

static void put_request(statement_t *s, const bend_t *bend, const char *sn, uint8_t *csr,
                        size_t cap)
{
    pki_signer_t *signer;
    size_t len;
    if (bend->csr_key == NULL) {
        s->csr = (jws_bytes_t){(const uint8_t *)"junk", 4};
        return;
    }
    assert_true(pki_signer_from_key(bend->csr_key, &signer, NULL));
    assert_true(
        pki_csr_make(bend->csr_sn != NULL ? bend->csr_sn : sn, signer, csr, cap, &len, NULL));
    pki_signer_close(signer);
    s->csr = (jws_bytes_t){csr, len};
}

void unit_say(rig_t *rig, const unit_t *unit, statement_method_t method, const bend_t *bend,
              heard_t *heard)
{
    static const bend_t straight = {0};
    uint8_t csr[STATEMENT_CSR_MAX];
    size_t head;
    bend = bend != NULL ? bend : &straight;
    const char *sn = bend->sn != NULL ? bend->sn : unit->sn;
    statement_t s = {.alg = JWS_ES256,
                     .method = method,
                     .site = jws_text(bend->site != NULL ? bend->site : rig->site.id),
                     .sn = jws_text(sn),
                     .days = 1000,
                     .firmware = jws_text("test 1.0"),
                     .press = bend->press,
                     .ticket = jws_text(bend->ticket)};
    memcpy(s.signer, bend->x5t != NULL ? bend->x5t : unit->hash, sizeof s.signer);
    memcpy(s.leaf, s.signer, sizeof s.leaf);
    memcpy(s.epoch, unit->epoch, sizeof s.epoch);
    RAND_bytes(s.nonce, sizeof s.nonce);
    if (method == STATEMENT_CLAIM || method == STATEMENT_RENEW) {
        put_request(&s, bend, sn, csr, sizeof csr);
    }
    assert_int_equal(carrier_begin_request(method, last_body, sizeof last_body, &head), JWS_OK);
    size_t len;
    assert_int_equal(statement_write(&s, last_body + head, sizeof last_body - head, &len), JWS_OK);
    sign(unit->key, last_body + head, sizeof last_body - head, &len, bend->spoil);
    last_len = head + len;
    assert_int_equal(carrier_end_request(last_body, sizeof last_body, &last_len), JWS_OK);
    const char *id = bend->id != NULL ? bend->id : unit->id;
    hear(rig, id[0] != '\0' ? id : NULL, heard);
    if (heard->answered) {
        assert_int_equal(answer_check(&heard->answer, &s), ANSWER_OURS);
    }
}

void rig_replay(rig_t *rig, const char *id, heard_t *heard)
{
    hear(rig, id, heard);
}

const char *rig_ticket(rig_t *rig, const char *account, const char *sn, const uint8_t epoch[16],
                       int64_t expires, const uint8_t key[32])
{
    static char text[JWS_TICKET_MAX + 1];
    uint8_t input[TICKET_BINDING_INPUT_MAX];
    uint8_t hash[32];
    uint8_t mac[32];
    unsigned mac_len;
    size_t len;
    ticket_t ticket = {.owner = jws_text(account), .expires = expires};
    assert_int_equal(ticket_binding_input(jws_text(rig->site.id), jws_text(sn), epoch, input, &len),
                     JWS_OK);
    pki_sha256(input, len, hash, NULL);
    memcpy(ticket.binding, hash, sizeof ticket.binding);
    RAND_bytes(ticket.id, sizeof ticket.id);
    assert_int_equal(ticket_write(&ticket, text, sizeof text, &len), JWS_OK);
    HMAC(EVP_sha256(), key != NULL ? key : TICKET_KEY, 32, (const unsigned char *)text, len, mac,
         &mac_len);
    assert_int_equal(jws_append(text, sizeof text, &len, mac, sizeof mac), JWS_OK);
    return text;
}

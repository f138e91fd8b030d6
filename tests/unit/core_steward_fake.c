/* SPDX-License-Identifier: Apache-2.0 */
#include "core_steward_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "tests/unit/statement_fixture.h"

#define ACTS_MS 2000 /* the steward, after *done* */

/* ---- a stand-in for cryptography ---- */

/* 32 bytes that depend on everything. */
static void mix(uint32_t key, const void *data, size_t len, uint8_t out[32])
{
    uint64_t h = 0xcbf29ce484222325u ^ key;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ ((const uint8_t *)data)[i]) * 0x100000001b3u;
    }
    for (int i = 0; i < 32; i++) {
        h = (h ^ (h >> 29)) * 0xbf58476d1ce4e5b9u + (uint64_t)i;
        out[i] = (uint8_t)(h >> 40);
    }
}

void sim_sign(uint32_t key, const void *data, size_t len, uint8_t out[JWS_ES256_SIZE])
{
    mix(key, data, len, out);
    mix(key + 0x10000, data, len, out + 32);
}

/* A certificate: "leaf", key, serial. */
static void make_leaf(uint32_t key, uint32_t serial, uint8_t der[12])
{
    memcpy(der, "leaf", 4);
    bytes_put_le32(der + 4, key);
    bytes_put_le32(der + 8, serial);
}

void sim_hash_leaf(uint32_t key, uint32_t serial, uint8_t hash[32])
{
    uint8_t der[12];
    make_leaf(key, serial, der);
    mix(0, der, sizeof der, hash);
}

static void kid_of(uint32_t key, char kid[JWS_KID_LEN + 1])
{
    snprintf(kid, JWS_KID_LEN + 1, "%016x", key);
}

const char *sim_bundle(int64_t version, uint32_t steward, uint32_t anchor)
{
    static char text[2][JWS_BUNDLE_MAX + 1];
    static int turn;
    char *out = text[turn ^= 1];
    static const uint8_t root[] = {0x30, 0x01, 0x02};
    uint8_t signature[JWS_ES256_SIZE];
    size_t len;
    bundle_t bundle = {.site = jws_text(SIM_SITE),
                       .version = version,
                       .issued = UNIX_MS / 1000,
                       .anchors = {{root, sizeof root}},
                       .anchor_count = 1,
                       .steward = fixture_spki((uint8_t)steward),
                       .bench = fixture_spki(SIM_BENCH)};
    kid_of(SIM_BENCH, bundle.bench_kid);
    kid_of(anchor, bundle.kid);
    kid_of(steward, bundle.steward_kid);
    assert_int_equal(bundle_write(&bundle, out, sizeof text[0], &len), JWS_OK);
    sim_sign(anchor, out, len, signature);
    assert_int_equal(jws_append(out, sizeof text[0], &len, signature, sizeof signature), JWS_OK);
    return out;
}

/* ---- the steward ---- */

sim_cert_t *sim_cert(sim_t *sim, const uint8_t *hash)
{
    uint8_t mine[32];
    for (int i = 0; i < SIM_CERTS; i++) {
        sim_hash_leaf(sim->certs[i].key, sim->certs[i].serial, mine);
        if (sim->certs[i].standing != CERT_NONE && memcmp(mine, hash, 32) == 0) {
            return &sim->certs[i];
        }
    }
    return NULL;
}

static sim_cert_t *current(sim_t *sim)
{
    for (int i = 0; i < SIM_CERTS; i++) {
        if (sim->certs[i].standing == CERT_CURRENT) {
            return &sim->certs[i];
        }
    }
    fail_msg("the steward has no current key");
    return &sim->certs[0];
}

static void others(sim_t *sim, const sim_cert_t *but, sim_standing_t from, sim_standing_t to)
{
    for (int i = 0; i < SIM_CERTS; i++) {
        if (&sim->certs[i] != but && sim->certs[i].standing == from) {
            sim->certs[i].standing = to;
        }
    }
}

static void refuse(answer_t *answer, answer_reason_t reason)
{
    answer->result = ANSWER_REFUSED;
    answer->reason = reason;
    answer->retry_after = 30;
}

static void hear_hello(sim_t *sim, sim_cert_t *cert, answer_t *answer)
{
    answer->bundle = sim->bundle_version;
    if (cert->standing == CERT_LEAVING ||
        (cert->standing == CERT_COMMITTED && sim->world.now < sim->acts_at)) {
        answer->result = ANSWER_PENDING;
        answer->retry_after = 2;
        return;
    }
    if (cert->standing == CERT_COMMITTED) {
        others(sim, cert, CERT_LEAVING, CERT_DENIED);
        cert->standing = CERT_CURRENT;
        sim->owned = true;
        sim->renew = false;
    }
    answer->result = sim->owned || sim->open ? ANSWER_STREAM : sim->unowned;
    if (answer->result == ANSWER_STREAM && sim->renew) {
        answer->result = ANSWER_RENEW;
    }
    sim_cert_t *on_record = current(sim);
    sim_hash_leaf(on_record->key, on_record->serial, answer->leaf);
}

static void grant(sim_t *sim, const statement_t *say, answer_t *answer)
{
    static uint8_t der[2][12];
    uint32_t key = bytes_get_le32(say->csr.data + 4);
    sim_cert_t *cert = NULL;
    for (int i = 0; i < SIM_CERTS; i++) {
        if (sim->certs[i].standing == CERT_GRANTED && sim->certs[i].key == key) {
            cert = &sim->certs[i]; /* the same question */
        }
    }
    for (int i = 0; cert == NULL && i < SIM_CERTS; i++) {
        if (sim->certs[i].standing == CERT_NONE) {
            others(sim, NULL, CERT_GRANTED, CERT_DENIED);
            cert = &sim->certs[i];
            *cert = (sim_cert_t){key, ++sim->serials, CERT_GRANTED};
        }
    }
    if (cert == NULL) {
        fail_msg("too many certificates");
        return;
    }
    make_leaf(cert->key, cert->serial, der[0]);
    make_leaf(9, 9, der[1]);
    answer->chain[0] = (jws_bytes_t){der[0], 12};
    answer->chain[1] = (jws_bytes_t){der[1], 12};
}

static void hear_claim(sim_t *sim, const statement_t *say, answer_t *answer)
{
    sim->ticketed = say->ticket.len > 0;
    assert_true(say->csr.len == 8 && memcmp(say->csr.data, "csr:", 4) == 0);
    answer->result = sim->claimed;
    answer->reason = sim->reason;
    answer->retry_after = 30;
    if (sim->claimed == ANSWER_GRANTED) {
        grant(sim, say, answer);
    } else if (sim->claimed == ANSWER_MINE) {
        sim->owned = true;
    }
}

static void hear_commit(sim_t *sim, sim_cert_t *cert, answer_t *answer)
{
    answer->result = ANSWER_DONE;
    if (cert->standing == CERT_GRANTED) {
        others(sim, cert, CERT_CURRENT, CERT_LEAVING);
        cert->standing = CERT_COMMITTED;
        sim->acts_at = sim->world.now + ACTS_MS;
    }
}

/* What is decided once it is clear who asks. */
static void decide(sim_t *sim, sim_cert_t *cert, const statement_t *say, answer_t *answer)
{
    bool commit = say->method == STATEMENT_COMMIT;
    if (cert->standing == CERT_DENIED) {
        refuse(answer, commit ? ANSWER_NOT_GRANTED : ANSWER_DENIED);
    } else if (memcmp(say->epoch, sim->closed, sizeof sim->closed) == 0) {
        refuse(answer, ANSWER_STALE);
    } else if (cert->standing == CERT_GRANTED && !commit) {
        refuse(answer, ANSWER_COMMIT_FIRST);
    } else if (cert->standing == CERT_LEAVING && say->method != STATEMENT_HELLO) {
        refuse(answer, ANSWER_ONLY_HELLO);
    } else if (cert->standing == CERT_COMMITTED && say->method == STATEMENT_CLAIM) {
        refuse(answer, ANSWER_HELLO_FIRST);
    } else if (say->method == STATEMENT_HELLO) {
        hear_hello(sim, cert, answer);
    } else if (say->method == STATEMENT_CLAIM) {
        hear_claim(sim, say, answer);
    } else if (say->method == STATEMENT_RENEW && sim->no_renewals) {
        refuse(answer, ANSWER_OPERATOR);
    } else if (say->method == STATEMENT_RENEW) {
        answer->result = ANSWER_CHAIN_IS;
        grant(sim, say, answer);
    } else if (say->method == STATEMENT_COMMIT) {
        hear_commit(sim, cert, answer);
    } else if (sim->bundle_version == 0) {
        refuse(answer, ANSWER_OTHER);
    } else {
        answer->result = ANSWER_BUNDLE;
        answer->bundle = sim->bundle_version;
    }
}

static void write_reply(sim_t *sim, answer_t *answer)
{
    char text[JWS_ANSWER_MAX];
    uint8_t signature[JWS_ES256_SIZE];
    size_t len;
    jws_text_t bundle = {NULL, 0};
    kid_of(sim->spoil == SPOIL_KID ? SIM_STRANGER : sim->signs, answer->kid);
    if (sim->spoil == SPOIL_SN) {
        answer->sn = jws_text("SN-000002");
    } else if (sim->spoil == SPOIL_EPOCH) {
        answer->epoch[0] ^= 1;
    } else if (sim->spoil == SPOIL_METHOD) {
        answer->method = STATEMENT_BUNDLE;
        answer->result = ANSWER_BUNDLE;
        answer->bundle = 1;
    }
    assert_int_equal(answer_write(answer, text, sizeof text, &len), JWS_OK);
    sim_sign(sim->signs, text, len, signature);
    signature[5] ^= sim->spoil == SPOIL_SIGNATURE;
    assert_int_equal(jws_append(text, sizeof text, &len, signature, sizeof signature), JWS_OK);
    if (answer->method == STATEMENT_BUNDLE && sim->bundle_version > 0) {
        bundle = jws_text(sim_bundle(sim->bundle_version, sim->bundle_steward, sim->bundle_anchor));
    }
    assert_int_equal(carrier_write_reply((jws_text_t){text, len}, bundle, sim->reply,
                                         sizeof sim->reply, &sim->reply_len),
                     JWS_OK);
}

/* Fills in sim->reply; false: nothing comes back. */
bool sim_hear(sim_t *sim, const char *request, size_t len)
{
    statement_method_t method;
    jws_text_t text;
    jws_t jws;
    statement_t say;
    uint8_t signature[JWS_ES256_SIZE];
    uint8_t right[JWS_ES256_SIZE];
    char scratch[JWS_STATEMENT_MAX];
    size_t size;
    assert_int_equal(carrier_read_request(request, len, &method, &text), JWS_OK);
    bool hit = sim->spoil_method < 0 || sim->spoil_method == (int)method;
    if (sim->lose_request && hit) {
        sim->lose_request = false;
        sim->world.fake->dead = sim->reboot;
        return false;
    }
    assert_int_equal(jws_open(JWS_STATEMENT, text.text, text.len, &jws), JWS_OK);
    assert_int_equal(statement_read(&jws, scratch, sizeof scratch, &say), JWS_OK);
    assert_int_equal(say.method, method);
    assert_true(jws_text_equal(say.site, jws_text(SIM_SITE)));
    assert_true(jws_text_equal(say.sn, jws_text("SN-000001")));
    assert_memory_not_equal(say.nonce, sim->said.nonce, sizeof say.nonce);
    sim_cert_t *cert = sim_cert(sim, say.signer);
    assert_int_equal(jws_signature(&jws, signature, sizeof signature, &size), JWS_OK);
    sim->asked[method]++;
    sim->last = method;
    sim->said = say;
    if (cert == NULL) {
        return false; /* a key that nobody registered: no answer at all */
    }
    sim_sign(cert->key, text.text, jws.signing_len, right);
    assert_memory_equal(signature, right, sizeof right);
    answer_t answer = {.method = method,
                       .sn = say.sn,
                       .issued = UNIX_MS / 1000 + (int64_t)(sim->world.now / 1000),
                       .retry_after = sim->retry_after};
    memcpy(answer.epoch, say.epoch, sizeof answer.epoch);
    memcpy(answer.nonce, say.nonce, sizeof answer.nonce);
    decide(sim, cert, &say, &answer);
    memcpy(sim->before, sim->reply, sizeof sim->before);
    sim_spoil_t waiting = sim->spoil;
    sim_spoil_t spoil = hit ? waiting : SPOIL_NOT;
    sim->spoil = spoil;
    write_reply(sim, &answer);
    sim->spoil = hit ? SPOIL_NOT : waiting;
    if (spoil != SPOIL_NOT && sim->reboot) {
        sim->world.fake->dead = true;
    }
    switch (spoil) {
    case SPOIL_LOST:
        return false;
    case SPOIL_TIMEOUT:
        snprintf(sim->reply, sizeof sim->reply, "{\"error\":\"timeout\"}");
        break;
    case SPOIL_ECHO:
        snprintf(sim->reply, sizeof sim->reply, "%.*s", (int)len, request);
        break;
    case SPOIL_REPLAY:
        memcpy(sim->reply, sim->before, sizeof sim->reply);
        break;
    case SPOIL_GARBAGE:
        snprintf(sim->reply, sizeof sim->reply, "{\"a\":\"e30.e30.AAAA\",");
        break;
    default:
        break;
    }
    sim->reply_len = strlen(sim->reply);
    return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The steward's channel: who is heard, what is refused and for which reason, who becomes the owner.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "pki/key.h"
#include "tests/unit/steward_fixture.h"

static rig_t rig;
static unit_t v; /* the device that it is about */
static heard_t heard;

static int setup(void **state)
{
    (void)state;
    rig_open(&rig);
    unit_make(&rig, &v, "SN-000001", -1, 1095);
    assert_true(unit_connect(&rig, &v));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unit_free(&v);
    rig_close(&rig);
    return 0;
}

static EVP_PKEY *new_key(void)
{
    EVP_PKEY *key;
    assert_true(pki_key_generate(PKI_KEY_P256, &key, NULL));
    return key;
}

static void expect(answer_result_t result)
{
    assert_int_equal(heard.status, 200);
    assert_true(heard.answered);
    assert_string_equal(answer_result_name(heard.answer.result), answer_result_name(result));
}

static void expect_refused(answer_reason_t reason)
{
    expect(ANSWER_REFUSED);
    assert_string_equal(answer_reason_name(heard.answer.reason), answer_reason_name(reason));
}

/* Nothing signed; the log says which check it was. */
static void expect_silence(int status, const char *fault)
{
    assert_false(heard.answered);
    assert_int_equal(heard.status, status);
    assert_non_null(strstr(rig.log, fault));
}

static void hello(const unit_t *unit)
{
    unit_say(&rig, unit, STATEMENT_HELLO, NULL, &heard);
}

static void claim(const unit_t *unit, const char *account, EVP_PKEY *key)
{
    const bend_t bend = {
        .ticket = rig_ticket(&rig, account, unit->sn, unit->epoch, rig.now_ms / 1000 + 86400, NULL),
        .csr_key = key};
    unit_say(&rig, unit, STATEMENT_CLAIM, &bend, &heard);
}

/* Alice's, from the first day. */
static void give_to_alice(void)
{
    EVP_PKEY *key = new_key();
    hello(&v);
    expect(ANSWER_HOLD);
    claim(&v, "alice", key);
    expect(ANSWER_MINE);
    hello(&v);
    expect(ANSWER_STREAM);
    rig_run(&rig, 1000);
    pki_key_free(key);
}

/* From Alice to Bob; the device has the new key afterwards and has not said hello with it. */
static void hand_to_bob(void)
{
    EVP_PKEY *key = new_key();
    unit_reset(&v);
    claim(&v, "bob", key);
    expect(ANSWER_GRANTED);
    unit_take(&v, key, &heard);
    unit_say(&rig, &v, STATEMENT_COMMIT, NULL, &heard);
    expect(ANSWER_DONE);
}

/* ---- first contact ---- */

static void test_first_contact(void **state)
{
    (void)state;
    hello(&v);
    expect(ANSWER_HOLD);
    const fake_device_t *d = fake_cloud_find(rig.cloud, v.id);
    assert_int_equal(d->profile, CLOUD_LOBBY);
    rig_run(&rig, 100);
    assert_int_equal(d->profile, CLOUD_OPERATING);
    /* from now on no other leaf of that name gets in, and trying changes nothing */
    unit_t twin;
    unit_make(&rig, &twin, v.sn, -1, 1095);
    assert_false(unit_connect(&rig, &twin));
    unit_free(&twin);
    assert_int_equal(d->leaf_len, v.leaf_len);
    assert_memory_equal(d->leaf, v.leaf, v.leaf_len);
}

static void test_wrong_leaf_first(void **state)
{
    (void)state;
    unit_t twin;
    unit_make(&rig, &twin, v.sn, -100, 50); /* expired; as ThingsBoard stores it all the same */
    assert_true(unit_connect(&rig, &twin));
    unit_say(&rig, &twin, STATEMENT_HELLO, NULL, &heard);
    expect_silence(403, "leaf");
    /* the true one comes: last certificate wins in the lobby */
    assert_true(unit_connect(&rig, &v));
    hello(&v);
    expect(ANSWER_HOLD);
    rig_run(&rig, 100);
    assert_false(unit_connect(&rig, &twin));
    unit_free(&twin);
}

static void test_sweep_of_the_lobby(void **state)
{
    (void)state;
    unit_t stranger;
    unit_make(&rig, &stranger, "SN-000009", -100, 50);
    assert_true(unit_connect(&rig, &stranger));
    rig_run(&rig, 100);
    assert_null(fake_cloud_named(rig.cloud, "SN-000009")); /* deleted: the true one begins anew */
    assert_int_equal(fake_cloud_find(rig.cloud, v.id)->profile, CLOUD_OPERATING); /* never spoke */
    unit_free(&stranger);
    /* known, and somebody moved it back to the lobby, where an expired leaf displaced the good one
     */
    fake_device_t *d = fake_cloud_find(rig.cloud, v.id);
    d->profile = CLOUD_LOBBY;
    unit_t expired;
    unit_make(&rig, &expired, v.sn, -100, 50);
    assert_true(unit_connect(&rig, &expired));
    unit_free(&expired);
    rig_run(&rig, JOURNAL_SWEEP_MS + 100);
    assert_int_equal(d->profile, CLOUD_OPERATING);
    assert_memory_equal(d->leaf, v.leaf, v.leaf_len);
}

/* A pack list was imported: whoever comes first in its name does not lock the true one out. */
static void test_packed(void **state)
{
    (void)state;
    unit_t packed;
    unit_t twin;
    record_unit_t unit = {.claims_on = true, .packed = true};
    record_key_t key;
    unit_make(&rig, &packed, "SN-000005", -1, 1095);
    unit_make(&rig, &twin, "SN-000005", -1, 1095); /* issued by us as well: a leak at the line */
    strcpy(unit.sn, packed.sn);
    memcpy(unit.packed_leaf, packed.hash, 32);
    assert_true(authority_key_row(packed.leaf, packed.leaf_len, packed.sn, &key, NULL));
    key.birth = true;
    assert_true(record_unit_put(rig.record, &unit, NULL));
    assert_true(record_key_put(rig.record, &key, NULL));
    assert_true(record_key_event(rig.record, key.hash, OWNERSHIP_KEY_REGISTER, NULL));
    assert_true(unit_connect(&rig, &twin));
    hello(&twin);
    expect_silence(403, "key-unknown");
    rig_run(&rig, 100);
    assert_false(unit_connect(&rig, &twin));
    assert_true(unit_connect(&rig, &packed));
    hello(&packed);
    expect(ANSWER_HOLD);
    unit_free(&twin);
    unit_free(&packed);
}

static void test_drift_is_repaired(void **state)
{
    (void)state;
    give_to_alice();
    fake_device_t *d = fake_cloud_find(rig.cloud, v.id);
    const char *alice = fake_cloud_customer(rig.cloud, "owner alice");
    assert_string_equal(d->customer, alice);
    strcpy(d->customer, "11111111-0000-0000-0000-000000000099");
    strcpy(d->name, "$[params.x]");
    d->gateway = true;
    d->profile = CLOUD_OTHER;
    rig_run(&rig, 3 * JOURNAL_SWEEP_MS);
    assert_string_equal(d->name, v.sn);
    assert_string_equal(d->customer, fake_cloud_customer(rig.cloud, "owner alice"));
    assert_false(d->gateway);
    assert_int_equal(d->profile, CLOUD_OPERATING);
}

/* ---- who is not heard ---- */

static void test_refused_unsigned(void **state)
{
    (void)state;
    unit_t m;
    give_to_alice();
    unit_make(&rig, &m, "SN-000002", -1, 1095);
    assert_true(unit_connect(&rig, &m));
    unit_say(&rig, &m, STATEMENT_HELLO, NULL, &heard);
    expect(ANSWER_HOLD);

    bend_t bend = {.id = m.id};
    unit_say(&rig, &v, STATEMENT_HELLO, &bend, &heard); /* V's words over M's session */
    expect_silence(403, "id-other-sn");
    bend = (bend_t){.sn = v.sn};
    unit_say(&rig, &m, STATEMENT_HELLO, &bend, &heard); /* M's own key, V's SN */
    expect_silence(403, "key-other-sn");
    bend = (bend_t){.sn = v.sn, .x5t = v.hash};
    unit_say(&rig, &m, STATEMENT_HELLO, &bend, &heard); /* M's key under V's leaf */
    expect_silence(403, "signature");
    bend = (bend_t){.spoil = true};
    unit_say(&rig, &v, STATEMENT_HELLO, &bend, &heard);
    expect_silence(403, "signature");
    bend = (bend_t){.site = "ffffffffffffffffffffffffffffffff"};
    unit_say(&rig, &v, STATEMENT_HELLO, &bend, &heard);
    expect_silence(403, "audience");
    bend = (bend_t){.x5t = m.epoch}; /* an unknown leaf; 32 bytes follow */
    uint8_t unknown[32] = {1};
    bend.x5t = unknown;
    unit_say(&rig, &v, STATEMENT_HELLO, &bend, &heard);
    expect_silence(403, "key-unknown");
    unit_free(&m);
}

static void test_captured_claim(void **state)
{
    (void)state;
    unit_t m;
    EVP_PKEY *key = new_key();
    give_to_alice();
    unit_make(&rig, &m, "SN-000002", -1, 1095);
    assert_true(unit_connect(&rig, &m));
    unit_say(&rig, &m, STATEMENT_HELLO, NULL, &heard);
    unit_reset(&v);
    claim(&v, "bob", key);
    expect(ANSWER_GRANTED);
    rig_replay(&rig, m.id, &heard);
    expect_silence(403, "id-other-sn");
    rig_replay(&rig, "99999999-0000-0000-0000-000000000000", &heard); /* nobody's session */
    expect_silence(403, "id-unknown");
    unit_free(&m);
    pki_key_free(key);
}

static void test_junk(void **state)
{
    (void)state;
    static char reply[CHANNEL_REPLY_MAX];
    static char big[CARRIER_REQUEST_MAX + 2];
    int status;
    size_t len;
    const char *const junk[] = {"",
                                "{}",
                                "null",
                                "{\"method\":\"cradle.hello\"}",
                                "{\"method\":\"cradle.hello\",\"params\":{\"s\":\"a.b.c\"}}",
                                "{\"method\":\"cradle.fly\",\"params\":{\"s\":\"a.b.c\"}}"};
    for (size_t i = 0; i < sizeof junk / sizeof junk[0]; i++) {
        channel_ask(rig.channel, v.id, junk[i], strlen(junk[i]), &status, reply, &len);
        assert_int_equal(status, 400);
        assert_int_equal(len, 0);
    }
    memset(big, 'a', sizeof big);
    channel_ask(rig.channel, v.id, big, sizeof big, &status, reply, &len);
    assert_int_equal(status, 413);
    for (int i = 0; i < 40; i++) {
        channel_ask(rig.channel, v.id, "{}", 2, &status, reply, &len);
    }
    assert_int_equal(status, 429); /* its own limit; others are still heard */
    channel_ask(rig.channel, "somebody else", "{}", 2, &status, reply, &len);
    assert_int_equal(status, 400);
    rig.now_ms += 60000;
    hello(&v);
    expect(ANSWER_HOLD);
}

static void test_cloud_down(void **state)
{
    (void)state;
    rig.cloud->down = true;
    hello(&v);
    assert_int_equal(heard.status, 503);
    rig.cloud->down = false;
    hello(&v);
    expect(ANSWER_HOLD);
}

/* ---- tickets ---- */

static void bad_ticket(const char *ticket, answer_reason_t reason)
{
    EVP_PKEY *key = new_key();
    const bend_t bend = {.ticket = ticket, .csr_key = key};
    unit_say(&rig, &v, STATEMENT_CLAIM, &bend, &heard);
    expect_refused(reason);
    pki_key_free(key);
}

static void test_tickets(void **state)
{
    (void)state;
    const uint8_t other_key[32] = "another steward's ticket key....";
    uint8_t old[16];
    int64_t soon = NOW + 3600;
    hello(&v);
    bad_ticket(rig_ticket(&rig, "alice", v.sn, v.epoch, soon, other_key), ANSWER_TICKET_BAD);
    bad_ticket("eyJhbGciOiJub25lIn0.e30.", ANSWER_TICKET_BAD);
    bad_ticket(rig_ticket(&rig, "alice", v.sn, v.epoch, NOW - 1, NULL), ANSWER_TICKET_EXPIRED);
    bad_ticket(rig_ticket(&rig, "alice", "SN-000002", v.epoch, soon, NULL), ANSWER_TICKET_DEVICE);
    bad_ticket(rig_ticket(&rig, "mallory", v.sn, v.epoch, soon, NULL), ANSWER_TICKET_BAD);
    memcpy(old, v.epoch, sizeof old);
    unit_reset(&v);
    hello(&v);
    bad_ticket(rig_ticket(&rig, "alice", v.sn, old, soon, NULL), ANSWER_TICKET_EPOCH);
    bad_ticket(NULL, ANSWER_NO_TICKET);
    /* used: by another question, in the same epoch */
    char ticket[JWS_TICKET_MAX + 1];
    strcpy(ticket, rig_ticket(&rig, "alice", v.sn, v.epoch, soon, NULL));
    EVP_PKEY *key = new_key();
    const bend_t bend = {.ticket = ticket, .csr_key = key};
    unit_say(&rig, &v, STATEMENT_CLAIM, &bend, &heard);
    expect(ANSWER_MINE);
    bad_ticket(ticket, ANSWER_TICKET_USED);
    /* the same question again, long after: the same outcome */
    rig.now_ms += (int64_t)2 * 86400 * 1000;
    unit_say(&rig, &v, STATEMENT_CLAIM, &bend, &heard);
    expect(ANSWER_MINE);
    pki_key_free(key);
    /* a stale epoch */
    memcpy(v.epoch, old, sizeof old);
    hello(&v);
    expect_refused(ANSWER_STALE);
}

static void test_requests(void **state)
{
    (void)state;
    hello(&v);
    const char *ticket = rig_ticket(&rig, "alice", v.sn, v.epoch, NOW + 60, NULL);
    bend_t bend = {.ticket = ticket};
    unit_say(&rig, &v, STATEMENT_CLAIM, &bend, &heard);
    expect_refused(ANSWER_CSR);
    EVP_PKEY *key = new_key();
    bend.csr_key = key;
    bend.csr_sn = "SN-000002";
    unit_say(&rig, &v, STATEMENT_CLAIM, &bend, &heard);
    expect_refused(ANSWER_CSR);
    bend.csr_sn = NULL;
    bend.csr_key = v.key; /* known: it is the birth key */
    unit_say(&rig, &v, STATEMENT_CLAIM, &bend, &heard);
    expect_refused(ANSWER_CSR);
    bend.csr_key = key; /* none of that has used the ticket up */
    unit_say(&rig, &v, STATEMENT_CLAIM, &bend, &heard);
    expect(ANSWER_MINE);
    pki_key_free(key);
}

/* ---- who becomes the owner ---- */

static void test_same_owner(void **state)
{
    (void)state;
    EVP_PKEY *key = new_key();
    char id[TBREST_ID_SIZE];
    give_to_alice();
    strcpy(id, v.id);
    fake_cloud_find(rig.cloud, v.id)->count[0] = 12;
    unit_reset(&v);
    hello(&v);
    expect(ANSWER_HOLD); /* reset, and nobody has said anything yet */
    claim(&v, "alice", key);
    expect(ANSWER_MINE);
    hello(&v);
    expect(ANSWER_STREAM);
    assert_memory_equal(heard.answer.leaf, v.hash, 32);
    rig_run(&rig, 5000);
    assert_string_equal(fake_cloud_named(rig.cloud, v.sn)->id, id);
    assert_int_equal(fake_cloud_find(rig.cloud, id)->count[0], 12);
    pki_key_free(key);
}

static void test_two_at_once(void **state)
{
    (void)state;
    EVP_PKEY *first = new_key();
    EVP_PKEY *second = new_key();
    hello(&v);
    claim(&v, "bob", first);
    expect(ANSWER_MINE);
    claim(&v, "alice", second);
    expect_refused(ANSWER_TAKEN);
    pki_key_free(first);
    pki_key_free(second);
}

static void test_codes(void **state)
{
    (void)state;
    EVP_PKEY *key = new_key();
    const bend_t pressed = {.press = true};
    const bend_t bare = {.csr_key = key};
    hello(&v);
    expect(ANSWER_HOLD);
    assert_true(record_code_put(rig.record, v.sn, "alice", NOW + 5, NULL));
    rig.now_ms += 10000;
    hello(&v);
    expect(ANSWER_HOLD); /* not without a press */
    unit_say(&rig, &v, STATEMENT_HELLO, &pressed, &heard);
    expect(ANSWER_CLAIM);
    unit_say(&rig, &v, STATEMENT_CLAIM, &bare, &heard);
    expect(ANSWER_MINE);
    pki_key_free(key);
}

static void test_two_codes(void **state)
{
    (void)state;
    EVP_PKEY *key = new_key();
    const bend_t pressed = {.press = true};
    const bend_t bare = {.csr_key = key};
    hello(&v);
    assert_true(record_code_put(rig.record, v.sn, "alice", NOW + 5, NULL));
    assert_true(record_code_put(rig.record, v.sn, "bob", NOW + 6, NULL));
    rig.now_ms += 10000;
    unit_say(&rig, &v, STATEMENT_HELLO, &pressed, &heard);
    expect(ANSWER_HOLD);
    unit_say(&rig, &v, STATEMENT_CLAIM, &bare, &heard);
    expect_refused(ANSWER_TWO_CODES);
    pki_key_free(key);
}

static void test_lock(void **state)
{
    (void)state;
    EVP_PKEY *key = new_key();
    record_unit_t unit;
    bool found;
    char ticket[JWS_TICKET_MAX + 1];
    give_to_alice();
    assert_true(record_unit_get(rig.record, v.sn, &unit, &found, NULL) && found);
    unit.policy.lock = OWNERSHIP_LOCKED;
    assert_true(record_unit_put(rig.record, &unit, NULL));
    unit_reset(&v);
    strcpy(ticket, rig_ticket(&rig, "bob", v.sn, v.epoch, NOW + 3600, NULL));
    const bend_t bend = {.ticket = ticket, .csr_key = key};
    unit_say(&rig, &v, STATEMENT_CLAIM, &bend, &heard);
    expect(ANSWER_HELD);
    assert_int_equal(heard.answer.reason, ANSWER_OWNER);
    unit_say(&rig, &v, STATEMENT_CLAIM, &bend, &heard);
    expect(ANSWER_HELD);
    assert_true(record_unit_get(rig.record, v.sn, &unit, &found, NULL) && found);
    assert_int_equal(unit.notified, NOW + 1);
    unit.consent = OWNERSHIP_RELEASED;
    assert_true(record_unit_put(rig.record, &unit, NULL));
    unit_say(&rig, &v, STATEMENT_CLAIM, &bend, &heard);
    expect(ANSWER_GRANTED);
    pki_key_free(key);
}

static void test_other_owner(void **state)
{
    (void)state;
    unit_t former;
    give_to_alice();
    fake_cloud_find(rig.cloud, v.id)->count[0] = 12;
    former = v;
    former.key = v.key;
    EVP_PKEY_up_ref(former.key);
    hand_to_bob();
    /* the key of before the transfer may only say hello, and hears that it is pending */
    hello(&former);
    expect_refused(ANSWER_STALE); /* it does not know the new epoch: a copy of the flash */
    memcpy(former.epoch, v.epoch, sizeof former.epoch);
    hello(&former);
    expect(ANSWER_PENDING);
    EVP_PKEY *key = new_key();
    claim(&former, "alice", key);
    expect_refused(ANSWER_ONLY_HELLO);
    /* the new key, too soon */
    unit_say(&rig, &v, STATEMENT_HELLO, &(bend_t){.id = ""}, &heard);
    expect(ANSWER_PENDING);
    assert_false(unit_connect(&rig, &v));
    rig_run(&rig, 15000);
    assert_true(unit_connect(&rig, &v));
    const fake_device_t *d = fake_cloud_find(rig.cloud, v.id);
    assert_string_equal(d->customer, fake_cloud_customer(rig.cloud, "owner bob"));
    assert_int_equal(d->count[0], 0);
    hello(&v);
    expect(ANSWER_STREAM);
    assert_memory_equal(heard.answer.leaf, v.hash, 32);
    strcpy(former.id, v.id);
    hello(&former);
    expect_refused(ANSWER_DENIED);
    claim(&former, "alice", key);
    expect_refused(ANSWER_DENIED);
    assert_false(unit_connect(&rig, &former));
    pki_key_free(former.key);
    pki_key_free(key);
}

/* A grant that was not committed is void once a newer epoch claims. */
static void test_grant_is_voided(void **state)
{
    (void)state;
    EVP_PKEY *first = new_key();
    EVP_PKEY *second = new_key();
    unit_t other;
    give_to_alice();
    unit_reset(&v);
    claim(&v, "bob", first);
    expect(ANSWER_GRANTED);
    other = v;
    EVP_PKEY_up_ref(first);
    other.key = NULL;
    unit_take(&other, first, &heard);
    unit_reset(&v);
    claim(&v, "alice", second);
    expect(ANSWER_MINE);
    unit_say(&rig, &other, STATEMENT_COMMIT, NULL, &heard);
    assert_true(heard.answer.result == ANSWER_REFUSED);
    assert_true(heard.answer.reason == ANSWER_NOT_GRANTED || heard.answer.reason == ANSWER_STALE);
    hello(&v);
    expect(ANSWER_STREAM);
    pki_key_free(other.key);
    pki_key_free(first);
    pki_key_free(second);
}

static void test_renewal(void **state)
{
    (void)state;
    EVP_PKEY *key = new_key();
    unit_t old;
    give_to_alice();
    rig.now_ms += (int64_t)1070 * 86400 * 1000;
    hello(&v);
    expect(ANSWER_RENEW);
    const bend_t bend = {.csr_key = key};
    unit_say(&rig, &v, STATEMENT_RENEW, &bend, &heard);
    expect(ANSWER_CHAIN_IS);
    uint8_t chain[2048];
    size_t len = heard.chain_len;
    memcpy(chain, heard.chain, len);
    unit_say(&rig, &v, STATEMENT_RENEW, &bend, &heard); /* the answer was lost */
    expect(ANSWER_CHAIN_IS);
    assert_int_equal(heard.chain_len, len);
    assert_memory_equal(heard.chain, chain, len);
    old = v;
    EVP_PKEY_up_ref(old.key);
    unit_take(&v, key, &heard);
    unit_say(&rig, &v, STATEMENT_COMMIT, NULL, &heard);
    expect(ANSWER_DONE);
    unit_say(&rig, &v, STATEMENT_COMMIT, NULL, &heard);
    expect(ANSWER_DONE);
    rig_run(&rig, 1000);
    assert_true(unit_connect(&rig, &v));
    assert_false(unit_connect(&rig, &old));
    hello(&v);
    expect(ANSWER_STREAM);
    hello(&old); /* older, not denied */
    expect(ANSWER_STREAM);
    assert_memory_equal(heard.answer.leaf, v.hash, 32);
    pki_key_free(old.key);
}

static void test_bundle(void **state)
{
    (void)state;
    hello(&v);
    unit_say(&rig, &v, STATEMENT_BUNDLE, NULL, &heard);
    expect(ANSWER_BUNDLE);
    assert_int_equal(heard.answer.bundle, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_first_contact),
        T(test_wrong_leaf_first),
        T(test_sweep_of_the_lobby),
        T(test_packed),
        T(test_drift_is_repaired),
        T(test_refused_unsigned),
        T(test_captured_claim),
        T(test_junk),
        T(test_cloud_down),
        T(test_tickets),
        T(test_requests),
        T(test_same_owner),
        T(test_two_at_once),
        T(test_codes),
        T(test_two_codes),
        T(test_lock),
        T(test_other_owner),
        T(test_grant_is_voided),
        T(test_renewal),
        T(test_bundle),
    };
    rig_site(&rig);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_site_remove(&rig);
    return failed;
}

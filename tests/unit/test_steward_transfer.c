/* SPDX-License-Identifier: Apache-2.0 */
/* Whole transfers through channel and journal, in each of the three ways, with the steward killed
   before and after every single call to the cloud, and with claim, commit and answers lost. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pki/key.h"
#include "pki/signer.h"
#include "statement/receipt.h"
#include "tests/unit/steward_fixture.h"

static rig_t rig;
static unit_t v;
static heard_t heard;
static EVP_PKEY *bobs;

typedef enum { WAY_CREATE, WAY_ADOPT, WAY_REASSIGN, WAYS } way_t;

static void say(statement_method_t method, answer_result_t want)
{
    unit_say(&rig, &v, method, NULL, &heard);
    assert_int_equal(heard.status, 200);
    assert_string_equal(answer_result_name(heard.answer.result), answer_result_name(want));
}

static void claim(const char *account, EVP_PKEY *key, answer_result_t want)
{
    const bend_t bend = {
        .ticket = rig_ticket(&rig, account, v.sn, v.epoch, rig.now_ms / 1000 + 86400, NULL),
        .csr_key = key};
    unit_say(&rig, &v, STATEMENT_CLAIM, &bend, &heard);
    assert_string_equal(answer_result_name(heard.answer.result), answer_result_name(want));
}

/* Alice's device with data; Bob resets it and claims; the chain is stored but not committed. */
static void until_commit(way_t way)
{
    EVP_PKEY *alices;
    rig_open(&rig);
    if (way != WAY_CREATE) {
        rig.policy.dispose = way == WAY_REASSIGN ? OWNERSHIP_REASSIGN : OWNERSHIP_DELETE;
        rig.adopt = way == WAY_ADOPT;
        rig_restart(&rig);
    }
    unit_make(&rig, &v, "SN-000001", -1, 1095);
    assert_true(unit_connect(&rig, &v));
    assert_true(pki_key_generate(PKI_KEY_P256, &alices, NULL));
    claim("alice", alices, ANSWER_MINE);
    pki_key_free(alices);
    rig_run(&rig, 1000);
    fake_device_t *d = fake_cloud_find(rig.cloud, v.id);
    assert_string_equal(d->customer, fake_cloud_customer(rig.cloud, "owner alice"));
    d->dressed = true;
    for (int i = 0; i < CLOUD_ITEMS; i++) {
        d->count[i] = 10 + i;
    }
    unit_reset(&v);
    assert_true(pki_key_generate(PKI_KEY_P256, &bobs, NULL));
    claim("bob", bobs, ANSWER_GRANTED);
    unit_take(&v, bobs, &heard);
}

static void finish(void)
{
    unit_free(&v);
    rig_close(&rig);
}

/* What must hold in the end, whatever happened on the way. */
static void expect_bobs(way_t way)
{
    int records = 0;
    for (int i = 0; i < FAKE_DEVICES; i++) {
        records += rig.cloud->devices[i].used;
    }
    assert_int_equal(records, 1);
    const fake_device_t *d = fake_cloud_named(rig.cloud, v.sn);
    assert_non_null(d);
    assert_string_equal(d->customer, fake_cloud_customer(rig.cloud, "owner bob"));
    assert_int_equal(d->profile, CLOUD_OPERATING);
    assert_false(d->dressed);
    assert_int_equal(d->leaf_len, v.leaf_len);
    assert_memory_equal(d->leaf, v.leaf, v.leaf_len);
    for (int i = 0; i < CLOUD_ITEMS; i++) {
        assert_int_equal(d->count[i], 0);
    }
    if (way == WAY_REASSIGN) {
        assert_string_equal(d->id, v.id);
    }
}

static bool first_receipt(void *ctx, const char *sn, int64_t issued, const char *link)
{
    (void)issued;
    assert_string_equal(sn, v.sn);
    strcpy(ctx, link);
    return false;
}

static void expect_receipt(way_t way)
{
    char link[RECORD_LINK_SIZE] = "";
    char text[JWS_RECEIPT_MAX + 1];
    char scratch[JWS_RECEIPT_MAX];
    uint8_t raw[JWS_ES256_SIZE];
    uint8_t der[JWS_ES256_DER_MAX];
    size_t len;
    bool found;
    jws_t jws;
    receipt_t receipt;
    assert_true(record_receipts(rig.record, "alice", rig.now_ms / 1000, first_receipt, link, NULL));
    assert_true(record_receipt_get(rig.record, link, rig.now_ms / 1000, text, &found, NULL));
    assert_true(found);
    assert_int_equal(jws_open(JWS_RECEIPT, text, strlen(text), &jws), JWS_OK);
    assert_int_equal(jws_signature(&jws, raw, sizeof raw, &len), JWS_OK);
    len = jws_es256_to_der(raw, der);
    assert_true(pki_verify(rig.steward, jws.text, jws.signing_len, der, len));
    assert_int_equal(receipt_read(&jws, scratch, sizeof scratch, &receipt), JWS_OK);
    int erased = 0;
    for (size_t i = 0; i < receipt.line_count; i++) {
        const receipt_line_t *line = &receipt.lines[i];
        if ((int)line->item < CLOUD_ITEMS) {
            assert_int_equal(line->count, 10 + (int)line->item);
            erased += line->state == RECEIPT_ERASED;
        }
        assert_true(line->item != RECEIPT_RECORD ||
                    (line->state == RECEIPT_ERASED) == (way != WAY_REASSIGN));
    }
    assert_int_equal(erased, CLOUD_ITEMS);
    /* at no other's link, and not for ever */
    assert_true(record_receipt_get(rig.record, "0123456789abcdef0123456789abcdef",
                                   rig.now_ms / 1000, text, &found, NULL));
    assert_false(found);
    assert_true(
        record_receipt_get(rig.record, link, rig.now_ms / 1000 + 91 * 86400, text, &found, NULL));
    assert_false(found);
}

/* The device tries to get in, newest leaf first, and says hello when it is; until it streams. */
static void device_comes_back(void)
{
    for (int i = 0; i < 60; i++) {
        if (unit_connect(&rig, &v)) {
            unit_say(&rig, &v, STATEMENT_HELLO, NULL, &heard);
            if (heard.answered && heard.answer.result == ANSWER_STREAM) {
                return;
            }
        }
        rig_run(&rig, 2000);
    }
    fail_msg("it never streamed");
}

static void test_each_way(void **state)
{
    (void)state;
    for (way_t way = WAY_CREATE; way < WAYS; way++) {
        until_commit(way);
        char former[TBREST_ID_SIZE];
        strcpy(former, v.id);
        say(STATEMENT_COMMIT, ANSWER_DONE);
        rig_run(&rig, 1500);
        assert_int_equal(fake_cloud_find(rig.cloud, former)->count[0], 10); /* it may leave first */
        long before = rig.cloud->calls;
        rig_run(&rig, 20000);
        device_comes_back();
        rig_run(&rig, 3 * JOURNAL_SWEEP_MS);
        expect_bobs(way);
        expect_receipt(way);
        assert_true(way == WAY_REASSIGN || fake_cloud_find(rig.cloud, former) == NULL);
        assert_true(rig.cloud->calls - before < 80);
        finish();
    }
}

/* In a child that ends at the n-th call. True when it got to the end without. */
static bool run_and_die(long n, bool after)
{
    long was = rig.cloud->calls;
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        rig_restart(&rig); /* a database handle does not survive a fork */
        if (after) {
            rig.cloud->die_after = was + n;
        } else {
            rig.cloud->die_before = was + n;
        }
        rig_run(&rig, 30000);
        _exit(0);
    }
    waitpid(child, &status, 0);
    rig.cloud->die_after = rig.cloud->die_before = 0;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status) == 0;
}

static void test_killed_at_every_call(void **state)
{
    (void)state;
    for (way_t way = WAY_CREATE; way < WAYS; way++) {
        int kills = 0;
        for (int after = 0; after <= 1; after++) {
            bool whole = false;
            for (long n = 1; !whole; n++) {
                assert_true(n < 100);
                until_commit(way);
                say(STATEMENT_COMMIT, ANSWER_DONE);
                /* the child works on; this process must not hold the record open meanwhile */
                whole = run_and_die(n, after != 0);
                kills += !whole;
                rig_restart(&rig);
                rig_run(&rig, 20000);
                device_comes_back();
                rig_run(&rig, 3 * JOURNAL_SWEEP_MS);
                expect_bobs(way);
                expect_receipt(way);
                finish();
            }
        }
        assert_true(kills > 20); /* the test does what it says */
    }
}

/* Each word lost once, the device switched off and on and the steward restarted in between. */
static void test_lost_words(void **state)
{
    (void)state;
    heard_t lost;
    for (int what = 1; what < 4; what++) {
        until_commit(WAY_CREATE);
        if (what == 1) { /* the commit itself: nothing has happened, ever so long */
            rig_run(&rig, 10 * JOURNAL_SWEEP_MS);
            assert_string_equal(fake_cloud_named(rig.cloud, v.sn)->customer,
                                fake_cloud_customer(rig.cloud, "owner alice"));
        }
        rig_restart(&rig);
        say(STATEMENT_COMMIT, ANSWER_DONE);
        if (what == 2) { /* the answer to the commit: said again */
            lost = heard;
            rig_restart(&rig);
            say(STATEMENT_COMMIT, ANSWER_DONE);
            assert_memory_not_equal(lost.answer.nonce, heard.answer.nonce, 16);
        }
        if (what == 3) { /* the same, when all is done already */
            rig_run(&rig, 20000);
            assert_true(unit_connect(&rig, &v));
            say(STATEMENT_COMMIT, ANSWER_DONE);
        }
        rig_restart(&rig);
        rig_run(&rig, 20000);
        device_comes_back();
        rig_run(&rig, 3 * JOURNAL_SWEEP_MS);
        expect_bobs(WAY_CREATE);
        expect_receipt(WAY_CREATE);
        finish();
    }
}

/* The answer to the claim is lost: the same question gets the same chain. */
static void test_lost_grant(void **state)
{
    (void)state;
    EVP_PKEY *key;
    uint8_t chain[2048];
    size_t len;
    until_commit(WAY_CREATE); /* Bob's; now Alice takes it back, with one answer lost */
    say(STATEMENT_COMMIT, ANSWER_DONE);
    rig_run(&rig, 20000);
    device_comes_back();
    unit_reset(&v);
    assert_true(pki_key_generate(PKI_KEY_P256, &key, NULL));
    char ticket[JWS_TICKET_MAX + 1];
    strcpy(ticket, rig_ticket(&rig, "alice", v.sn, v.epoch, rig.now_ms / 1000 + 86400, NULL));
    const bend_t bend = {.ticket = ticket, .csr_key = key};
    unit_say(&rig, &v, STATEMENT_CLAIM, &bend, &heard);
    assert_int_equal(heard.answer.result, ANSWER_GRANTED);
    len = heard.chain_len;
    memcpy(chain, heard.chain, len);
    rig_restart(&rig);
    unit_say(&rig, &v, STATEMENT_CLAIM, &bend, &heard);
    assert_int_equal(heard.answer.result, ANSWER_GRANTED);
    assert_int_equal(heard.chain_len, len);
    assert_memory_equal(heard.chain, chain, len);
    unit_take(&v, key, &heard);
    say(STATEMENT_COMMIT, ANSWER_DONE);
    rig_run(&rig, 20000);
    device_comes_back();
    assert_string_equal(fake_cloud_named(rig.cloud, v.sn)->customer,
                        fake_cloud_customer(rig.cloud, "owner alice"));
    finish();
}

/* The cloud goes away in the middle and comes back. */
static void test_cloud_goes_away(void **state)
{
    (void)state;
    until_commit(WAY_CREATE);
    say(STATEMENT_COMMIT, ANSWER_DONE);
    rig_run(&rig, 2500);
    rig.cloud->down = true;
    rig_run(&rig, 10 * JOURNAL_SWEEP_MS);
    unit_say(&rig, &v, STATEMENT_HELLO, &(bend_t){.id = ""}, &heard);
    assert_int_equal(heard.answer.result, ANSWER_PENDING);
    rig.cloud->down = false;
    rig_run(&rig, 3 * JOURNAL_SWEEP_MS);
    device_comes_back();
    rig_run(&rig, JOURNAL_SWEEP_MS);
    expect_bobs(WAY_CREATE);
    expect_receipt(WAY_CREATE);
    finish();
}

/* A handshake with the former key got in between: that record is made ours, then emptied. */
static void test_handshake_in_between(void **state)
{
    (void)state;
    unit_t former;
    until_commit(WAY_ADOPT);
    unit_make(&rig, &former, v.sn, -1, 1095); /* a copy of some other key of that SN */
    say(STATEMENT_COMMIT, ANSWER_DONE);
    for (int i = 0; i < 40 && fake_cloud_named(rig.cloud, v.sn) != NULL; i++) {
        rig_run(&rig, 500);
    }
    assert_true(unit_connect(&rig, &former));
    fake_cloud_named(rig.cloud, v.sn)->count[0] = 5;
    rig_run(&rig, 3 * JOURNAL_SWEEP_MS);
    device_comes_back();
    rig_run(&rig, 3 * JOURNAL_SWEEP_MS);
    expect_bobs(WAY_ADOPT);
    assert_false(unit_connect(&rig, &former));
    unit_free(&former);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_way),        cmocka_unit_test(test_killed_at_every_call),
        cmocka_unit_test(test_lost_words),      cmocka_unit_test(test_lost_grant),
        cmocka_unit_test(test_cloud_goes_away), cmocka_unit_test(test_handshake_in_between),
    };
    rig_site(&rig);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_site_remove(&rig);
    return failed;
}

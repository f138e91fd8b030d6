/* SPDX-License-Identifier: Apache-2.0 */
/* The steward's record: questions, tickets, claim codes, accounts, the journal, receipts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "record_fixture.h"

/* ---- questions, tickets, codes ---- */

static void question_keeps_its_outcome(void **state)
{
    (void)state;
    record_outcome_t out = {ANSWER_GRANTED, ANSWER_NO_REASON, true, {9}};
    record_outcome_t got;
    err_t err = ERR_INIT;
    bool found;
    assert_true(record_question_get(record, "claim:SN-1:e:k", &got, &found, NULL));
    assert_false(found);
    assert_true(record_question_put(record, "SN-1", "claim:SN-1:e:k", &out, NULL));
    assert_true(record_question_get(record, "claim:SN-1:e:k", &got, &found, NULL));
    assert_true(found && got.has_leaf && got.result == ANSWER_GRANTED && got.leaf[0] == 9);
    out = (record_outcome_t){ANSWER_REFUSED, ANSWER_TAKEN, false, {0}};
    assert_true(record_question_put(record, "SN-1", "claim:SN-1:e:k", &out, NULL));
    assert_true(record_question_get(record, "claim:SN-1:e:k", &got, &found, NULL));
    assert_true(found && !got.has_leaf && got.reason == ANSWER_TAKEN);
    execute("UPDATE question SET reason = 1000");
    expect_damage(record_question_get(record, "claim:SN-1:e:k", &got, &found, &err), &err,
                  "reason");
    assert_false(found);
}

static void ticket_is_for_one_question(void **state)
{
    (void)state;
    const uint8_t id[JWS_NONCE_SIZE] = {1};
    bool other;
    assert_true(record_ticket_used(record, id, "q1", &other, NULL));
    assert_false(other);
    assert_true(record_ticket_use(record, id, "q1", 1000, &other, NULL));
    assert_false(other);
    assert_true(record_ticket_use(record, id, "q1", 1000, &other, NULL));
    assert_false(other);
    assert_true(record_ticket_use(record, id, "q2", 9000, &other, NULL));
    assert_true(other);
    assert_true(record_ticket_used(record, id, "q2", &other, NULL));
    assert_true(other);
    assert_true(record_ticket_used(record, id, "q1", &other, NULL));
    assert_false(other);
    /* up to and including its last second it is remembered */
    assert_true(record_tickets_forget(record, 1000, NULL));
    assert_true(record_ticket_used(record, id, "q2", &other, NULL));
    assert_true(other);
    assert_true(record_tickets_forget(record, 1001, NULL));
    assert_true(record_ticket_use(record, id, "q2", 2000, &other, NULL));
    assert_false(other);
}

static void codes_are_kept_newest_first(void **state)
{
    (void)state;
    record_code_t codes[RECORD_CODES_MAX];
    err_t err = ERR_INIT;
    size_t count = 1;
    assert_true(record_codes(record, "SN-1", codes, &count, NULL));
    assert_int_equal(count, 0);
    assert_true(record_code_put(record, "SN-1", "bob", 50, NULL));
    for (int i = 0; i < 20; i++) { /* nobody pushes another's entry out */
        assert_true(record_code_put(record, "SN-1", "mallory", 100 + i, NULL));
    }
    assert_true(record_code_put(record, "SN-2", "bob", 500, NULL));
    assert_true(record_codes(record, "SN-1", codes, &count, NULL));
    assert_int_equal(count, 5);
    assert_string_equal(codes[0].by, "mallory");
    assert_int_equal(codes[0].entered, 119);
    assert_string_equal(codes[4].by, "bob");
    assert_int_equal(codes[4].entered, 50);
    for (int i = 0; i < 20; i++) {
        char name[8];
        snprintf(name, sizeof name, "a%d", i);
        assert_true(record_code_put(record, "SN-3", name, i, NULL));
    }
    assert_true(record_codes(record, "SN-3", codes, &count, NULL));
    assert_int_equal(count, RECORD_CODES_MAX);
    assert_string_equal(codes[0].by, "a19");
    execute("UPDATE code SET entered = 'noon' WHERE sn = 'SN-1'");
    expect_damage(record_codes(record, "SN-1", codes, &count, &err), &err, "entered");
}

/* ---- accounts ---- */

static bool list_account(void *ctx, const record_account_t *account)
{
    list_add(ctx, account->id);
    return --((list_t *)ctx)->limit != 0;
}

static bool logs_in(const char *id, const char *password)
{
    bool right;
    assert_true(record_account_check(record, id, password, &right, NULL));
    return right;
}

static void account_has_a_password(void **state)
{
    (void)state;
    record_account_t account;
    err_t err = ERR_INIT;
    bool found;
    assert_true(record_account_add(record, "alice", "correct horse", NULL));
    assert_true(logs_in("alice", "correct horse"));
    assert_false(logs_in("alice", "correct horsE"));
    assert_false(logs_in("alice", ""));
    assert_false(logs_in("nobody", "correct horse"));
    assert_false(logs_in("ALICE", "correct horse"));
    assert_false(record_account_add(record, "alice", "another one", &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_true(logs_in("alice", "correct horse"));
    assert_true(record_account_password(record, "alice", "battery staple", NULL));
    assert_false(logs_in("alice", "correct horse"));
    assert_true(logs_in("alice", "battery staple"));
    err_clear(&err);
    assert_false(record_account_password(record, "bob", "battery staple", &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_true(record_account_get(record, "alice", &account, &found, NULL));
    assert_true(found);
    assert_string_equal(account.customer, "");
    assert_true(
        record_account_customer(record, "alice", "784f394c-42b6-435a-983c-b7beff2784f9", NULL));
    assert_true(record_account_get(record, "alice", &account, &found, NULL));
    assert_string_equal(account.customer, "784f394c-42b6-435a-983c-b7beff2784f9");
    assert_true(record_account_get(record, "bob", &account, &found, NULL));
    assert_false(found);
    err_clear(&err);
    assert_false(record_account_customer(record, "bob", "x", &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_true(record_account_add(record, "Zed", "12345678", NULL));
    list_t list = {.limit = -1};
    assert_true(record_accounts(record, list_account, &list, NULL));
    assert_string_equal(list.text, "Zed alice ");
}

static void bad_names_and_passwords_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"", "a b", "a/b", "\xc3\xa4",
                                        "a12345678901234567890123456789012"};
    char longest[130];
    err_t err = ERR_INIT;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_false(record_account_name(names[i]));
        assert_false(record_account_add(record, names[i], "12345678", &err));
        assert_int_equal(err.kind, ERR_USAGE);
        err_clear(&err);
    }
    memset(longest, 'x', sizeof longest);
    longest[129] = '\0';
    assert_false(record_account_add(record, "alice", "1234567", &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_null(strstr(err.text, "1234567"));
    err_clear(&err);
    assert_false(record_account_add(record, "alice", longest, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    longest[128] = '\0';
    assert_true(record_account_add(record, "a1234567890123456789012345678.-_", longest, NULL));
    assert_true(logs_in("a1234567890123456789012345678.-_", longest));
    longest[128] = 'x'; /* what is beyond the limit is not cut away */
    assert_false(logs_in("a1234567890123456789012345678.-_", longest));
}

static void passwords_are_not_in_the_file(void **state)
{
    (void)state;
    char wal[128];
    assert_true(record_account_add(record, "alice", "correct horse battery", NULL));
    snprintf(wal, sizeof wal, "%s-wal", path);
    const char *const files[] = {path, wal};
    for (int i = 0; i < 2; i++) {
        char *data;
        size_t len;
        assert_true(file_read(files[i], 16u << 20, &data, &len, NULL));
        assert_null(memmem(data, len, "correct horse", 13));
        assert_true(i == 0 || memmem(data, len, "alice", 5) != NULL);
        free(data);
    }
}

static void damaged_account_is_named(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    bool right = true;
    assert_true(record_account_add(record, "alice", "correct horse", NULL));
    execute("UPDATE account SET password = x'00'");
    expect_damage(record_account_check(record, "alice", "correct horse", &right, &err), &err,
                  "password");
    assert_false(right);
}

static void tokens_end(void **state)
{
    (void)state;
    uint8_t hash[32] = {1};
    char account[RECORD_ACCOUNT_SIZE];
    bool found;
    assert_true(record_account_add(record, "alice", "correct horse", NULL));
    assert_true(record_token_get(record, hash, 0, account, &found, NULL));
    assert_false(found);
    assert_true(record_token_put(record, hash, "alice", 100, NULL));
    assert_true(record_token_get(record, hash, 99, account, &found, NULL));
    assert_true(found);
    assert_string_equal(account, "alice");
    assert_true(record_token_get(record, hash, 100, account, &found, NULL));
    assert_false(found);
    assert_string_equal(account, "");
    /* a new password ends them */
    assert_true(record_account_password(record, "alice", "battery staple", NULL));
    assert_true(record_token_get(record, hash, 99, account, &found, NULL));
    assert_false(found);
    /* the oldest go */
    for (uint8_t i = 0; i < 40; i++) {
        hash[0] = i;
        assert_true(record_token_put(record, hash, "alice", 1000 + i, NULL));
    }
    hash[0] = 7;
    assert_true(record_token_get(record, hash, 0, account, &found, NULL));
    assert_false(found);
    hash[0] = 8;
    assert_true(record_token_get(record, hash, 0, account, &found, NULL));
    assert_true(found);
}

/* ---- the journal ---- */

static record_transfer_t a_transfer(const char *sn, uint8_t n)
{
    record_transfer_t t = {.id = {n}, .from = "alice", .to = "bob", .leaf = {n}, .begun = 1000};
    const transfer_order_t order = {.way = TRANSFER_CREATE,
                                    .authority = RECEIPT_BY_CLAIM,
                                    .record = "784f394c-42b6-435a-983c-b7beff2784f9"};
    snprintf(t.sn, sizeof t.sn, "%s", sn);
    assert_true(transfer_begin(&t.transfer, &order, 5000));
    return t;
}

static bool list_transfer(void *ctx, const record_transfer_t *transfer)
{
    list_add(ctx, transfer->sn);
    return --((list_t *)ctx)->limit != 0;
}

static void journal_keeps_one_transfer_a_unit(void **state)
{
    (void)state;
    record_transfer_t a = a_transfer("SN-1", 1);
    record_transfer_t b = a_transfer("SN-2", 2);
    record_transfer_t again = a_transfer("SN-1", 3);
    record_transfer_t got;
    err_t err = ERR_INIT;
    bool found;
    assert_true(record_transfer_open(record, "SN-1", &got, &found, NULL));
    assert_false(found);
    assert_true(record_transfer_put(record, &b, NULL));
    assert_true(record_transfer_put(record, &a, NULL));
    assert_true(a.row > 0 && b.row > 0 && a.row != b.row);
    assert_false(record_transfer_put(record, &again, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_int_equal(again.row, 0);
    list_t list = {.limit = -1};
    assert_true(record_transfers(record, list_transfer, &list, NULL));
    assert_string_equal(list.text, "SN-2 SN-1 ");
    assert_true(record_transfer_open(record, "SN-1", &got, &found, NULL));
    assert_true(found && !got.ended);
    assert_int_equal(got.row, a.row);
    assert_memory_equal(got.id, a.id, sizeof a.id);
    assert_memory_equal(got.leaf, a.leaf, sizeof a.leaf);
    assert_string_equal(got.from, "alice");
    assert_string_equal(got.to, "bob");
    assert_int_equal(got.begun, 1000);
    assert_int_equal(got.transfer.step, a.transfer.step);
    assert_string_equal(got.transfer.order.record, a.transfer.order.record);
    assert_int_equal(got.transfer.not_before, a.transfer.not_before);
    a.ended = true;
    assert_true(record_transfer_put(record, &a, NULL));
    assert_true(record_transfer_open(record, "SN-1", &got, &found, NULL));
    assert_false(found);
    assert_true(record_transfer_put(record, &again, NULL));
    a.row = 4711;
    err_clear(&err);
    assert_false(record_transfer_put(record, &a, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
}

static void damaged_transfer_is_named(void **state)
{
    (void)state;
    record_transfer_t a = a_transfer("SN-1", 1);
    err_t err = ERR_INIT;
    bool found;
    list_t list = {.limit = -1};
    assert_true(record_transfer_put(record, &a, NULL));
    execute("UPDATE transfer SET state = '{}'");
    expect_damage(record_transfer_open(record, "SN-1", &a, &found, &err), &err, "state");
    err_clear(&err);
    expect_damage(record_transfers(record, list_transfer, &list, &err), &err, "SN-1");
}

static bool list_receipt(void *ctx, const char *sn, int64_t issued, const char *link)
{
    char text[96];
    snprintf(text, sizeof text, "%s:%d:%.2s", sn, (int)issued, link);
    list_add(ctx, text);
    return --((list_t *)ctx)->limit != 0;
}

static void receipt_is_found_by_its_link(void **state)
{
    (void)state;
    record_transfer_t a = a_transfer("SN-1", 1);
    record_transfer_t b = a_transfer("SN-2", 2);
    char out[JWS_RECEIPT_MAX + 1];
    char longest[JWS_RECEIPT_MAX + 1];
    const char link_a[] = "aa345678901234567890123456789012";
    const char link_b[] = "bb345678901234567890123456789012";
    err_t err = ERR_INIT;
    bool found;
    memset(longest, 'r', JWS_RECEIPT_MAX);
    longest[JWS_RECEIPT_MAX] = '\0';
    strcpy(b.from, "carol");
    assert_true(record_receipt_has(record, a.id, &found, NULL));
    assert_false(found);
    assert_true(record_receipt_put(record, &a, longest, link_a, 100, 900, NULL));
    assert_true(record_receipt_put(record, &b, "h.p.s", link_b, 50, 900, NULL));
    assert_false(record_receipt_put(record, &a, "other", link_b, 100, 900, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_true(record_receipt_has(record, a.id, &found, NULL));
    assert_true(found);
    assert_true(record_receipt_get(record, link_a, 899, out, &found, NULL));
    assert_true(found);
    assert_string_equal(out, longest);
    assert_true(record_receipt_get(record, link_a, 900, out, &found, NULL));
    assert_false(found);
    assert_true(record_receipt_get(record, "cc", 0, out, &found, NULL));
    assert_false(found);
    list_t alice = {.limit = -1}, all = alice, late = alice;
    assert_true(record_receipts(record, "alice", 0, list_receipt, &alice, NULL));
    assert_string_equal(alice.text, "SN-1:100:aa ");
    assert_true(record_receipts(record, NULL, 0, list_receipt, &all, NULL));
    assert_string_equal(all.text, "SN-2:50:bb SN-1:100:aa ");
    assert_true(record_receipts(record, NULL, 900, list_receipt, &late, NULL));
    assert_string_equal(late.text, "");
    assert_true(record_receipt_revoke(record, link_a, NULL));
    assert_true(record_receipt_get(record, link_a, 1, out, &found, NULL));
    assert_false(found);
    assert_true(record_receipt_has(record, a.id, &found, NULL));
    assert_true(found);
    err_clear(&err);
    assert_false(record_receipt_revoke(record, "cc", &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    execute("UPDATE receipt SET link = link || 'x'");
    err_clear(&err);
    expect_damage(record_receipts(record, NULL, 0, list_receipt, &all, &err), &err, "link");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(question_keeps_its_outcome),
        CASE(ticket_is_for_one_question),
        CASE(codes_are_kept_newest_first),
        CASE(account_has_a_password),
        CASE(bad_names_and_passwords_are_refused),
        CASE(passwords_are_not_in_the_file),
        CASE(damaged_account_is_named),
        CASE(tokens_end),
        CASE(journal_keeps_one_transfer_a_unit),
        CASE(damaged_transfer_is_named),
        CASE(receipt_is_found_by_its_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

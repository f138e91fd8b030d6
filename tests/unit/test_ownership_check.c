/* SPDX-License-Identifier: Apache-2.0 */
/* The order of checks: what is asked for, in which order, and that the first failure is the one
   that is told, whatever else is wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "ownership/check.h"

#define CHECK(x) OWNERSHIP_CHECK_##x

/* Sets one fact; the value of `right` is a standing. */
static void set(ownership_facts_t *f, ownership_check_t check, unsigned value)
{
    switch (check) {
    case CHECK(SIZE):
        f->size = (fact_size_t)value;
        break;
    case CHECK(RATE):
        f->rate = (fact_rate_t)value;
        break;
    case CHECK(FORM):
        f->form = (fact_form_t)value;
        break;
    case CHECK(METHOD):
        f->method = (fact_method_t)value;
        break;
    case CHECK(AUDIENCE):
        f->audience = (fact_audience_t)value;
        break;
    case CHECK(KEY):
        f->key = (fact_key_t)value;
        break;
    case CHECK(ALGORITHM):
        f->algorithm = (fact_algorithm_t)value;
        break;
    case CHECK(SIGNATURE):
        f->signature = (fact_signature_t)value;
        break;
    case CHECK(ID):
        f->id = (fact_id_t)value;
        break;
    case CHECK(RIGHT):
        f->right_known = true;
        f->right.standing = (ownership_key_t)value;
        break;
    case CHECK(EPOCH):
        f->epoch = (fact_epoch_t)value;
        break;
    case CHECK(TICKET):
        f->ticket = (fact_ticket_t)value;
        break;
    default:
        f->csr = (fact_csr_t)value;
        break;
    }
}

/* Values that pass, as in the header, and all that fail, with what is said about them. */
static const unsigned GOOD[OWNERSHIP_CHECKS][4] = {
    [CHECK(SIZE)] = {FACT_SIZE_FITS},
    [CHECK(RATE)] = {FACT_RATE_FITS},
    [CHECK(FORM)] = {FACT_FORM_GOOD},
    [CHECK(METHOD)] = {FACT_METHOD_GOOD},
    [CHECK(AUDIENCE)] = {FACT_AUDIENCE_OURS},
    [CHECK(KEY)] = {FACT_KEY_REGISTERED, FACT_KEY_FIRST},
    [CHECK(ALGORITHM)] = {FACT_ALGORITHM_PINNED},
    [CHECK(SIGNATURE)] = {FACT_SIGNATURE_GOOD},
    [CHECK(ID)] = {FACT_ID_BELONGS, FACT_ID_ADOPT, FACT_ID_DIRECT},
    [CHECK(RIGHT)] = {OWNERSHIP_KEY_CURRENT},
    [CHECK(EPOCH)] = {FACT_EPOCH_NEW, FACT_EPOCH_CURRENT},
    [CHECK(TICKET)] = {FACT_TICKET_GOOD, FACT_TICKET_CODE, FACT_TICKET_REPEATED},
    [CHECK(CSR)] = {FACT_CSR_GOOD},
};

static const struct {
    ownership_check_t check;
    unsigned value;
    ownership_fault_t fault;
    int http;
    answer_reason_t answer;
} BAD[] = {
    {CHECK(SIZE), FACT_SIZE_OVER, OWNERSHIP_FAULT_SIZE, 413, 0},
    {CHECK(RATE), FACT_RATE_OVER, OWNERSHIP_FAULT_RATE, 429, 0},
    {CHECK(FORM), FACT_FORM_TYPE, OWNERSHIP_FAULT_TYPE, 400, 0},
    {CHECK(FORM), FACT_FORM_BAD, OWNERSHIP_FAULT_FORM, 400, 0},
    {CHECK(METHOD), FACT_METHOD_UNKNOWN, OWNERSHIP_FAULT_METHOD, 400, 0},
    {CHECK(METHOD), FACT_METHOD_DIFFERS, OWNERSHIP_FAULT_METHOD_DIFFERS, 400, 0},
    {CHECK(AUDIENCE), FACT_AUDIENCE_OTHER, OWNERSHIP_FAULT_AUDIENCE, 403, 0},
    {CHECK(KEY), FACT_KEY_FIRST_BAD, OWNERSHIP_FAULT_LEAF, 403, 0},
    {CHECK(KEY), FACT_KEY_OTHER_SN, OWNERSHIP_FAULT_KEY_OTHER_SN, 403, 0},
    {CHECK(KEY), FACT_KEY_UNKNOWN, OWNERSHIP_FAULT_KEY_UNKNOWN, 403, 0},
    {CHECK(KEY), FACT_KEY_UNKNOWN_SN, OWNERSHIP_FAULT_SN, 403, 0},
    {CHECK(ALGORITHM), FACT_ALGORITHM_OTHER, OWNERSHIP_FAULT_ALGORITHM, 403, 0},
    {CHECK(SIGNATURE), FACT_SIGNATURE_BAD, OWNERSHIP_FAULT_SIGNATURE, 403, 0},
    {CHECK(ID), FACT_ID_OTHER_SN, OWNERSHIP_FAULT_ID_OTHER_SN, 403, 0},
    {CHECK(ID), FACT_ID_UNKNOWN, OWNERSHIP_FAULT_ID_UNKNOWN, 403, 0},
    {CHECK(RIGHT), OWNERSHIP_KEY_DENIED, OWNERSHIP_FAULT_RIGHT, 200, ANSWER_DENIED},
    {CHECK(RIGHT), OWNERSHIP_KEY_VOID, OWNERSHIP_FAULT_RIGHT, 200, ANSWER_NOT_GRANTED},
    {CHECK(EPOCH), FACT_EPOCH_CLOSED, OWNERSHIP_FAULT_EPOCH, 200, ANSWER_STALE},
    {CHECK(TICKET), FACT_TICKET_NONE, OWNERSHIP_FAULT_NO_TICKET, 200, ANSWER_NO_TICKET},
    {CHECK(TICKET), FACT_TICKET_FORGED, OWNERSHIP_FAULT_TICKET_FORGED, 200, ANSWER_TICKET_BAD},
    {CHECK(TICKET), FACT_TICKET_EXPIRED, OWNERSHIP_FAULT_TICKET_EXPIRED, 200,
     ANSWER_TICKET_EXPIRED},
    {CHECK(TICKET), FACT_TICKET_DEVICE, OWNERSHIP_FAULT_TICKET_DEVICE, 200, ANSWER_TICKET_DEVICE},
    {CHECK(TICKET), FACT_TICKET_EPOCH, OWNERSHIP_FAULT_TICKET_EPOCH, 200, ANSWER_TICKET_EPOCH},
    {CHECK(TICKET), FACT_TICKET_USED, OWNERSHIP_FAULT_TICKET_USED, 200, ANSWER_TICKET_USED},
    {CHECK(TICKET), FACT_TICKET_TWO_CODES, OWNERSHIP_FAULT_TWO_CODES, 200, ANSWER_TWO_CODES},
    {CHECK(CSR), FACT_CSR_BAD, OWNERSHIP_FAULT_CSR, 200, ANSWER_CSR},
    {CHECK(CSR), FACT_CSR_NAME, OWNERSHIP_FAULT_CSR_NAME, 200, ANSWER_CSR},
    {CHECK(CSR), FACT_CSR_KEY_KNOWN, OWNERSHIP_FAULT_CSR_KEY, 200, ANSWER_CSR},
};
#define BAD_COUNT (sizeof(BAD) / sizeof(BAD[0]))

static bool applies(statement_method_t method, ownership_check_t check)
{
    if (check == CHECK(TICKET)) {
        return method == STATEMENT_CLAIM;
    }
    return check != CHECK(CSR) || method == STATEMENT_CLAIM || method == STATEMENT_RENEW;
}

static ownership_facts_t facts_for(statement_method_t method)
{
    ownership_facts_t f;
    memset(&f, 0, sizeof(f));
    f.right.method = method;
    return f;
}

/* What is asked for, in the order of the design. */
static void test_order(void **state)
{
    (void)state;
    static const char *const order[OWNERSHIP_CHECKS] = {
        "size",      "rate", "form",  "method", "audience", "key", "algorithm",
        "signature", "id",   "right", "epoch",  "ticket",   "csr"};
    for (statement_method_t m = STATEMENT_HELLO; m < STATEMENT_METHODS; m++) {
        ownership_facts_t f = facts_for(m);
        for (ownership_check_t c = 0; c < OWNERSHIP_CHECKS; c++) {
            if (!applies(m, c)) {
                continue;
            }
            ownership_verdict_t v = ownership_check(&f);
            assert_int_equal(v.state, OWNERSHIP_CHECK_NEEDS);
            assert_int_equal(v.check, c);
            assert_string_equal(ownership_check_name(v.check), order[c]);
            set(&f, c, GOOD[c][0]);
        }
        ownership_verdict_t v = ownership_check(&f);
        assert_int_equal(v.state, OWNERSHIP_CHECK_PASSED);
        assert_int_equal(v.right, OWNERSHIP_RIGHT_FULL);
        assert_int_equal(v.http, 200);
    }
}

static void assert_fault(const ownership_facts_t *f, size_t bad)
{
    ownership_verdict_t v = ownership_check(f);
    assert_int_equal(v.state, OWNERSHIP_CHECK_FAILED);
    assert_int_equal(v.check, BAD[bad].check);
    assert_int_equal(v.fault, BAD[bad].fault);
    assert_int_equal(v.http, BAD[bad].http);
    assert_int_equal(v.answer, BAD[bad].answer);
    assert_int_equal(v.right, OWNERSHIP_RIGHT_NONE);
    assert_true(BAD[bad].http == 200 || v.answer == ANSWER_NO_REASON);
}

/* Each failure, with what follows not looked at: nothing later is needed to refuse. */
static void test_each_fault(void **state)
{
    (void)state;
    for (size_t b = 0; b < BAD_COUNT; b++) {
        ownership_facts_t f = facts_for(STATEMENT_CLAIM);
        for (ownership_check_t c = 0; c < BAD[b].check; c++) {
            set(&f, c, GOOD[c][0]);
        }
        set(&f, BAD[b].check, BAD[b].value);
        assert_fault(&f, b);
    }
}

/* Any two failures at once: the earlier check's is told. */
static void test_each_pair(void **state)
{
    (void)state;
    for (size_t a = 0; a < BAD_COUNT; a++) {
        for (size_t b = 0; b < BAD_COUNT; b++) {
            if (BAD[a].check == BAD[b].check) {
                continue;
            }
            ownership_facts_t f = facts_for(STATEMENT_CLAIM);
            for (ownership_check_t c = 0; c < OWNERSHIP_CHECKS; c++) {
                set(&f, c, GOOD[c][0]);
            }
            set(&f, BAD[a].check, BAD[a].value);
            set(&f, BAD[b].check, BAD[b].value);
            assert_fault(&f, BAD[a].check < BAD[b].check ? a : b);
        }
    }
}

/* Every combination of values that pass, for every method: passed. Every value of every fact is
   either in GOOD or in BAD. */
static void test_good_values(void **state)
{
    (void)state;
    for (statement_method_t m = STATEMENT_HELLO; m < STATEMENT_METHODS; m++) {
        for (unsigned mix = 0; mix < 2 * 3 * 2 * 3; mix++) {
            ownership_facts_t f = facts_for(m);
            for (ownership_check_t c = 0; c < OWNERSHIP_CHECKS; c++) {
                set(&f, c, GOOD[c][0]);
            }
            set(&f, CHECK(KEY), GOOD[CHECK(KEY)][mix % 2]);
            set(&f, CHECK(ID), GOOD[CHECK(ID)][mix / 2 % 3]);
            set(&f, CHECK(EPOCH), GOOD[CHECK(EPOCH)][mix / 6 % 2]);
            set(&f, CHECK(TICKET), GOOD[CHECK(TICKET)][mix / 12]);
            assert_int_equal(ownership_check(&f).state, OWNERSHIP_CHECK_PASSED);
        }
    }
    static const unsigned values[OWNERSHIP_CHECKS] = {
        [CHECK(SIZE)] = 2,
        [CHECK(RATE)] = 2,
        [CHECK(FORM)] = 3,
        [CHECK(METHOD)] = 3,
        [CHECK(AUDIENCE)] = 2,
        [CHECK(KEY)] = FACT_KEY_UNKNOWN_SN,
        [CHECK(ALGORITHM)] = 2,
        [CHECK(SIGNATURE)] = 2,
        [CHECK(ID)] = FACT_ID_UNKNOWN,
        [CHECK(RIGHT)] = 3,
        [CHECK(EPOCH)] = 3,
        [CHECK(TICKET)] = FACT_TICKET_TWO_CODES,
        [CHECK(CSR)] = FACT_CSR_KEY_KNOWN,
    };
    for (ownership_check_t c = 0; c < OWNERSHIP_CHECKS; c++) {
        unsigned known = 0;
        for (int g = 0; g < 4; g++) {
            known += GOOD[c][g] != 0;
        }
        for (size_t b = 0; b < BAD_COUNT; b++) {
            known += BAD[b].check == c;
        }
        assert_int_equal(known, values[c]);
    }
}

/* A ticket or a request that is wrong does not matter where it does not belong. */
static void test_not_applicable(void **state)
{
    (void)state;
    for (statement_method_t m = STATEMENT_HELLO; m < STATEMENT_METHODS; m++) {
        ownership_facts_t f = facts_for(m);
        for (ownership_check_t c = 0; c < OWNERSHIP_CHECKS; c++) {
            set(&f, c, GOOD[c][0]);
        }
        f.ticket = FACT_TICKET_USED;
        assert_int_equal(ownership_check(&f).state,
                         m == STATEMENT_CLAIM ? OWNERSHIP_CHECK_FAILED : OWNERSHIP_CHECK_PASSED);
        f.ticket = FACT_TICKET_GOOD;
        f.csr = FACT_CSR_NAME;
        bool csr = m == STATEMENT_CLAIM || m == STATEMENT_RENEW;
        assert_int_equal(ownership_check(&f).state,
                         csr ? OWNERSHIP_CHECK_FAILED : OWNERSHIP_CHECK_PASSED);
    }
}

/* The right that was found goes on to the decision. */
static void test_right_is_told(void **state)
{
    (void)state;
    ownership_facts_t f = facts_for(STATEMENT_CLAIM);
    for (ownership_check_t c = 0; c < OWNERSHIP_CHECKS; c++) {
        set(&f, c, GOOD[c][0]);
    }
    f.right.standing = OWNERSHIP_KEY_DENIED;
    f.right.birth = true;
    f.right.carrier = OWNERSHIP_BY_HTTPS;
    f.id = FACT_ID_DIRECT;
    ownership_verdict_t v = ownership_check(&f);
    assert_int_equal(v.state, OWNERSHIP_CHECK_PASSED);
    assert_int_equal(v.right, OWNERSHIP_RIGHT_CONSENT);
    f = facts_for(STATEMENT_HELLO);
    for (ownership_check_t c = 0; c < OWNERSHIP_CHECKS; c++) {
        set(&f, c, GOOD[c][0]);
    }
    f.right.standing = OWNERSHIP_KEY_LEAVING;
    assert_int_equal(ownership_check(&f).right, OWNERSHIP_RIGHT_PENDING);
}

static void test_words(void **state)
{
    (void)state;
    for (ownership_fault_t a = 0; a < OWNERSHIP_FAULTS; a++) {
        assert_string_not_equal(ownership_fault_name(a), "?");
        assert_in_range(strlen(ownership_fault_text(a)), 10, 120);
        for (ownership_fault_t b = a + 1; b < OWNERSHIP_FAULTS; b++) {
            assert_string_not_equal(ownership_fault_name(a), ownership_fault_name(b));
            assert_string_not_equal(ownership_fault_text(a), ownership_fault_text(b));
        }
    }
    assert_string_equal(ownership_fault_name(OWNERSHIP_FAULTS), "?");
    assert_string_equal(ownership_check_name(OWNERSHIP_CHECKS), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),          cmocka_unit_test(test_each_fault),
        cmocka_unit_test(test_each_pair),      cmocka_unit_test(test_good_values),
        cmocka_unit_test(test_not_applicable), cmocka_unit_test(test_right_is_told),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decision table over its whole input space. What is expected is written down here once more,
 * as rows of patterns that do not depend on any order: every situation must match exactly one row.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "ownership/decide.h"

/* A letter for each value of each question; a pattern lists those that match, "*" is any. */
static const char *const LETTERS[] = {
    "NFO",  /* record: never, former, owned                     */
    "-=x",  /* claimant: nobody, owner, another                 */
    "0RGP", /* consent: none, released, grace over, operator    */
    "fmt",  /* first in this epoch: free, mine, taken           */
    "01",   /* claims on                                        */
    "01",   /* new epoch                                        */
    "01",   /* stolen                                           */
    "01",   /* weak key                                         */
    "OL",   /* open, locked                                     */
    "HK",   /* hold, keep                                       */
};
#define QUESTIONS 10

typedef struct {
    const char *when;
    ownership_outcome_t outcome;
    ownership_why_t why;
    answer_result_t answer;
    answer_reason_t reason;
} row_t;

#define ASSIGN   OWNERSHIP_ASSIGN
#define STREAM   OWNERSHIP_STREAM
#define WITHHOLD OWNERSHIP_WITHHOLD
#define STAY     OWNERSHIP_STAY
#define TRANSFER OWNERSHIP_TRANSFER
#define WAIT     OWNERSHIP_WAIT
#define REFUSE   OWNERSHIP_REFUSE
#define WHY(x)   OWNERSHIP_WHY_##x

static const row_t ROWS[] = {
    /* clang-format off */
    /* rec clm cons fst on new st wk lock uncl */
    /* nobody says that it is theirs */
    {"NF   -   *    *   1  *   *  0  *    H", WITHHOLD, WHY(UNCLAIMED_HOLD), ANSWER_HOLD, 0},
    {"NF   -   *    *   1  *   *  0  *    K", STREAM, WHY(UNCLAIMED_KEEP), ANSWER_STREAM, 0},
    {"NF   -   *    *   0  *   *  0  *    *", STREAM, WHY(UNCLAIMED_KEEP), ANSWER_STREAM, 0},
    {"O    -   *    *   *  0   *  0  *    *", STAY, WHY(SAME_EPOCH), ANSWER_STREAM, 0},
    {"O    -   *    *   1  1   *  0  *    H", WITHHOLD, WHY(RESET_HOLD), ANSWER_HOLD, 0},
    {"O    -   *    *   1  1   *  0  *    K", STAY, WHY(RESET_KEEP), ANSWER_STREAM, 0},
    {"O    -   *    *   0  1   *  0  *    *", STAY, WHY(RESET_KEEP), ANSWER_STREAM, 0},
    {"*    -   *    *   *  *   *  1  *    *", REFUSE, WHY(NOBODYS_WEAK_KEY), ANSWER_REFUSED, ANSWER_DENIED},
    /* somebody does, but it does not count */
    {"*    =x  *    *   0  *   *  *  *    *", REFUSE, WHY(CLAIMS_OFF), ANSWER_REFUSED, ANSWER_CLAIMS_OFF},
    {"*    =x  *    t   1  *   *  *  *    *", REFUSE, WHY(TAKEN), ANSWER_REFUSED, ANSWER_TAKEN},
    /* the owner on record */
    {"O    =   *    fm  1  *   *  0  *    *", STAY, WHY(SAME_OWNER), ANSWER_MINE, 0},
    {"O    =   *    fm  1  *   *  1  *    *", STAY, WHY(RECOVERED), ANSWER_GRANTED, 0},
    /* anybody, where there is no owner on record */
    {"N    =x  *    fm  1  *   0  0  *    *", ASSIGN, WHY(FIRST_OWNER), ANSWER_MINE, 0},
    {"F    =x  *    fm  1  *   0  0  *    *", TRANSFER, WHY(NO_OWNER_NOW), ANSWER_GRANTED, 0},
    {"NF   =x  P    fm  1  *   1  *  *    *", TRANSFER, WHY(OPERATOR), ANSWER_GRANTED, 0},
    {"NF   =x  0RG  fm  1  *   1  *  *    *", WAIT, WHY(STOLEN), ANSWER_HELD, ANSWER_OPERATOR},
    {"NF   =x  P    fm  1  *   0  1  *    *", TRANSFER, WHY(OPERATOR), ANSWER_GRANTED, 0},
    {"NF   =x  0RG  fm  1  *   0  1  *    *", WAIT, WHY(WEAK_KEY), ANSWER_HELD, ANSWER_OPERATOR},
    /* another than the owner on record */
    {"O    x   *    fm  1  *   0  0  O    *", TRANSFER, WHY(OPEN), ANSWER_GRANTED, 0},
    {"O    x   0    fm  1  *   0  0  L    *", WAIT, WHY(LOCKED), ANSWER_HELD, ANSWER_OWNER},
    {"O    x   R    fm  1  *   0  0  L    *", TRANSFER, WHY(RELEASED), ANSWER_GRANTED, 0},
    {"O    x   G    fm  1  *   0  0  L    *", TRANSFER, WHY(GRACE), ANSWER_GRANTED, 0},
    {"O    x   P    fm  1  *   0  0  L    *", TRANSFER, WHY(OPERATOR), ANSWER_GRANTED, 0},
    {"O    x   0G   fm  1  *   1  *  *    *", WAIT, WHY(STOLEN), ANSWER_HELD, ANSWER_OWNER},
    {"O    x   R    fm  1  *   1  *  *    *", TRANSFER, WHY(RELEASED), ANSWER_GRANTED, 0},
    {"O    x   P    fm  1  *   1  *  *    *", TRANSFER, WHY(OPERATOR), ANSWER_GRANTED, 0},
    {"O    x   0G   fm  1  *   0  1  *    *", WAIT, WHY(WEAK_KEY), ANSWER_HELD, ANSWER_OWNER},
    {"O    x   R    fm  1  *   0  1  *    *", TRANSFER, WHY(RELEASED), ANSWER_GRANTED, 0},
    {"O    x   P    fm  1  *   0  1  *    *", TRANSFER, WHY(OPERATOR), ANSWER_GRANTED, 0},
    /* clang-format on */
};
#define ROW_COUNT (sizeof(ROWS) / sizeof(ROWS[0]))

static bool row_matches(const row_t *row, const unsigned value[QUESTIONS])
{
    const char *at = row->when;
    for (int q = 0; q < QUESTIONS; q++) {
        size_t n = strcspn(at, " ");
        if (at[0] != '*' && memchr(at, LETTERS[q][value[q]], n) == NULL) {
            return false;
        }
        at += n + strspn(at + n, " ");
    }
    return *at == '\0';
}

static void check_situation(const unsigned v[QUESTIONS], ownership_dispose_t dispose,
                            unsigned hits[ROW_COUNT])
{
    ownership_situation_t s = {(ownership_record_t)v[0],
                               (ownership_claimant_t)v[1],
                               (ownership_consent_t)v[2],
                               (ownership_first_t)v[3],
                               v[4] != 0,
                               v[5] != 0,
                               v[6] != 0,
                               v[7] != 0};
    ownership_policy_t policy = {(ownership_lock_t)v[8], (ownership_unclaimed_t)v[9], dispose};
    ownership_decision_t got = ownership_decide(&s, &policy);
    const row_t *want = NULL;
    for (size_t r = 0; r < ROW_COUNT; r++) {
        if (row_matches(&ROWS[r], v)) {
            assert_null(want); /* the rows do not overlap */
            want = &ROWS[r];
            hits[r]++;
        }
    }
    assert_non_null(want); /* and leave no gap */
    if (got.outcome != want->outcome || got.why != want->why || got.answer != want->answer ||
        got.reason != want->reason) {
        fail_msg("%s: %s because %s", want->when, ownership_outcome_name(got.outcome),
                 ownership_why_name(got.why));
    }
    assert_int_equal(got.grant, want->answer == ANSWER_GRANTED);
    if (got.outcome == OWNERSHIP_TRANSFER) {
        static const receipt_authority_t by[] = {
            [WHY(OPEN)] = RECEIPT_BY_CLAIM,        [WHY(NO_OWNER_NOW)] = RECEIPT_BY_CLAIM,
            [WHY(RELEASED)] = RECEIPT_BY_RELEASE,  [WHY(GRACE)] = RECEIPT_BY_GRACE,
            [WHY(OPERATOR)] = RECEIPT_BY_OPERATOR,
        };
        assert_int_equal(got.dispose, dispose);
        assert_int_equal(got.authority, by[got.why]);
    }
    /* What must never be, said without the table. */
    if (got.outcome == OWNERSHIP_TRANSFER || got.outcome == OWNERSHIP_ASSIGN) {
        assert_int_not_equal(s.claimant, OWNERSHIP_NOBODY);
        assert_true(s.claims_on && s.first != OWNERSHIP_TAKEN);
        assert_true(!s.stolen || s.consent == OWNERSHIP_OPERATOR ||
                    s.consent == OWNERSHIP_RELEASED);
    }
    if (s.record == OWNERSHIP_OWNED && s.claimant != OWNERSHIP_ANOTHER) {
        assert_int_not_equal(got.outcome, OWNERSHIP_TRANSFER); /* nobody loses it to himself */
    }
}

static void test_whole_space(void **state)
{
    (void)state;
    unsigned hits[ROW_COUNT] = {0};
    unsigned v[QUESTIONS] = {0};
    size_t situations = 0;
    for (;;) {
        check_situation(v, OWNERSHIP_DELETE, hits);
        check_situation(v, OWNERSHIP_REASSIGN, hits);
        situations += 2;
        int q = 0;
        while (q < QUESTIONS && ++v[q] == strlen(LETTERS[q])) {
            v[q++] = 0;
        }
        if (q == QUESTIONS) {
            break;
        }
    }
    assert_int_equal(situations, 3 * 3 * 4 * 3 * 2 * 2 * 2 * 2 * 2 * 2 * 2);
    for (size_t r = 0; r < ROW_COUNT; r++) {
        assert_int_not_equal(hits[r], 0);
    }
    print_message("%zu situations, %zu rows\n", situations, ROW_COUNT);
}

/* The table of the design, row by row, with the policies that hold where nothing was said. */
static void test_design_rows(void **state)
{
    (void)state;
    ownership_policy_t on = ownership_policy_default(true), off = ownership_policy_default(false);
    ownership_situation_t s = {.claims_on = true, .new_epoch = true};
    assert_int_equal(on.lock, OWNERSHIP_OPEN);
    assert_int_equal(on.dispose, OWNERSHIP_DELETE);
    assert_int_equal(ownership_decide(&s, &on).outcome, OWNERSHIP_WITHHOLD);
    s.claims_on = false;
    assert_int_equal(ownership_decide(&s, &off).outcome, OWNERSHIP_STREAM); /* zero touch */
    s.claims_on = true;
    s.claimant = OWNERSHIP_ANOTHER;
    assert_int_equal(ownership_decide(&s, &on).outcome, OWNERSHIP_ASSIGN);
    s.record = OWNERSHIP_OWNED;
    assert_int_equal(ownership_decide(&s, &on).outcome, OWNERSHIP_TRANSFER);
    s.claimant = OWNERSHIP_OWNER;
    assert_int_equal(ownership_decide(&s, &on).outcome, OWNERSHIP_STAY);
    s.claimant = OWNERSHIP_NOBODY;
    assert_int_equal(ownership_decide(&s, &on).outcome, OWNERSHIP_WITHHOLD);
    s.claims_on = false;
    assert_int_equal(ownership_decide(&s, &off).outcome, OWNERSHIP_STAY);
}

static void test_grace(void **state)
{
    (void)state;
    assert_false(ownership_grace_over(0, 10, false, 1000)); /* never notified */
    assert_false(ownership_grace_over(100, 10, false, 109));
    assert_true(ownership_grace_over(100, 10, false, 110));
    assert_false(ownership_grace_over(100, 10, true, 110));
    assert_false(ownership_grace_over(100, 10, false, 50)); /* the clock was set back */
}

static void test_codes(void **state)
{
    (void)state;
    const char *by = "nobody";
    ownership_code_entry_t e[] = {{1100, "bob"}, {1900, "bob"}, {1200, "carol"}};
    assert_int_equal(ownership_code_decide(e, 0, 1000, 2000, &by), OWNERSHIP_CODE_NONE);
    assert_string_equal(by, "nobody");
    assert_int_equal(ownership_code_decide(e, 1, 1000, 1500, &by), OWNERSHIP_CODE_ONE);
    assert_string_equal(by, "bob");
    assert_int_equal(ownership_code_decide(e, 2, 1000, 1900, NULL), OWNERSHIP_CODE_ONE);
    assert_int_equal(ownership_code_decide(e, 3, 1000, 1900, &by), OWNERSHIP_CODE_TWO);
    assert_int_equal(ownership_code_decide(e, 1, 1101, 1500, &by),
                     OWNERSHIP_CODE_NONE); /* before */
    assert_int_equal(ownership_code_decide(e, 1, 200, 1500, &by), OWNERSHIP_CODE_ONE);
    assert_int_equal(ownership_code_decide(e, 1, 199, 1500, &by), OWNERSHIP_CODE_NONE); /* late */
    assert_int_equal(ownership_code_decide(e, 3, 1150, 1900, &by), OWNERSHIP_CODE_TWO);
    assert_int_equal(ownership_code_decide(e, 3, 1150, 1800, &by), OWNERSHIP_CODE_ONE);
    assert_string_equal(by, "carol"); /* bob's first is before, his second is not yet */
}

static void test_hello(void **state)
{
    (void)state;
    static const answer_result_t bases[] = {ANSWER_STREAM, ANSWER_HOLD, ANSWER_REFUSED};
    for (int i = 0; i < 3 * 16; i++) {
        ownership_decision_t d = {.answer = bases[i / 16]};
        ownership_hello_t h = {(i & 1) != 0, (i & 2) != 0, (i & 4) != 0, (i & 8) != 0};
        answer_result_t want = h.pending                              ? ANSWER_PENDING
                               : h.press && h.code                    ? ANSWER_CLAIM
                               : d.answer == ANSWER_STREAM && h.renew ? ANSWER_RENEW
                                                                      : d.answer;
        assert_int_equal(ownership_hello_answer(&d, &h), want);
    }
}

static void test_words(void **state)
{
    (void)state;
    for (ownership_why_t a = 0; a < OWNERSHIP_WHYS; a++) {
        assert_string_not_equal(ownership_why_name(a), "?");
        assert_in_range(strlen(ownership_why_text(a)), 10, 160);
        for (ownership_why_t b = a + 1; b < OWNERSHIP_WHYS; b++) {
            assert_string_not_equal(ownership_why_name(a), ownership_why_name(b));
        }
    }
    for (ownership_outcome_t o = 0; o < OWNERSHIP_OUTCOMES; o++) {
        assert_string_not_equal(ownership_outcome_name(o), "?");
    }
    assert_string_equal(ownership_outcome_name(OWNERSHIP_OUTCOMES), "?");
    assert_string_equal(ownership_why_name(OWNERSHIP_WHYS), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_space), cmocka_unit_test(test_design_rows),
        cmocka_unit_test(test_grace),       cmocka_unit_test(test_codes),
        cmocka_unit_test(test_hello),       cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys: their rights over the whole input space against patterns written down once more, each
 * combination matching exactly one; their transitions against rules in words; and random lives in
 * which no key comes back and the device is never left without one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "ownership/keys.h"

/* -- rights ---------------------------------------------------------------------------------- */

static const char *const LETTERS[] = {
    "-GVCcOLD", /* none granted void Committed current Older Leaving Denied */
    "01",       /* birth                                                    */
    "hcrmb",    /* hello claim renew commit bundle                          */
    "RH",       /* RPC, HTTPS                                               */
    "01",       /* busy                                                     */
    "01",       /* other epoch                                              */
    "01",       /* consented                                                */
    "01",       /* too late                                                 */
    "01",       /* stolen                                                   */
};
#define QUESTIONS 9

typedef struct {
    const char *when;
    ownership_right_t right;
    answer_reason_t reason;
} row_t;

#define FULL    OWNERSHIP_RIGHT_FULL
#define PENDING OWNERSHIP_RIGHT_PENDING
#define CONSENT OWNERSHIP_RIGHT_CONSENT
#define NO      OWNERSHIP_RIGHT_NONE

static const row_t ROWS[] = {
    /* clang-format off */
    /* key bth mthd car bsy oth con lat sto */
    {"-    *   *    *   *   *   *   *   *", NO, ANSWER_DENIED},
    {"V    *   *    *   *   *   *   *   *", NO, ANSWER_NOT_GRANTED},
    /* granted: may only commit, in the epoch of its claim */
    {"G    *   hcrb *   *   *   *   *   *", NO, ANSWER_COMMIT_FIRST},
    {"G    *   m    *   *   1   *   *   *", NO, ANSWER_NOT_GRANTED},
    {"G    *   m    *   *   0   *   *   1", NO, ANSWER_STOLEN},
    {"G    *   m    *   *   0   *   1   0", NO, ANSWER_EXPIRED},
    {"G    *   m    *   *   0   *   0   0", FULL, 0},
    /* committed: hello, which is pending until everything is in place; the commit again */
    {"C    *   h    *   1   *   *   *   *", PENDING, 0},
    {"C    *   h    *   0   *   *   *   *", FULL, 0},
    {"C    *   m    *   *   *   *   *   1", NO, ANSWER_STOLEN},
    {"C    *   m    *   *   *   *   1   0", NO, ANSWER_EXPIRED},
    {"C    *   m    *   *   *   *   0   0", FULL, 0},
    {"C    *   crb  *   *   *   *   *   *", NO, ANSWER_HELLO_FIRST},
    /* current: everything, unless a transfer that keeps its key is under way */
    {"c    *   b    *   *   *   *   *   *", FULL, 0},
    {"c    *   h    *   0   *   *   *   *", FULL, 0},
    {"c    *   h    *   1   *   *   *   *", PENDING, 0},
    {"c    *   crm  *   1   *   *   *   *", NO, ANSWER_ONLY_HELLO},
    {"c    *   crm  *   0   *   *   *   1", NO, ANSWER_STOLEN},
    {"c    *   crm  *   0   *   *   1   0", NO, ANSWER_EXPIRED},
    {"c    *   crm  *   0   *   *   0   0", FULL, 0},
    /* older: looks and talks, but changes something only with the owner's consent */
    {"O    *   b    *   *   *   *   *   *", FULL, 0},
    {"O    *   h    *   0   *   *   *   *", FULL, 0},
    {"O    *   h    *   1   *   *   *   *", PENDING, 0},
    {"O    *   crm  *   1   *   *   *   *", NO, ANSWER_ONLY_HELLO},
    {"O    *   m    *   0   *   *   *   *", NO, ANSWER_NOT_GRANTED},
    {"O    *   r    *   0   *   0   *   *", NO, ANSWER_OLD_KEY},
    {"O    *   r    *   0   *   1   *   1", NO, ANSWER_STOLEN},
    {"O    *   r    *   0   *   1   1   0", NO, ANSWER_EXPIRED},
    {"O    *   r    *   0   *   1   0   0", FULL, 0},
    {"O    *   c    *   0   *   *   *   1", NO, ANSWER_STOLEN},
    {"O    *   c    *   0   *   *   1   0", NO, ANSWER_EXPIRED},
    {"O    *   c    *   0   *   *   0   0", CONSENT, 0},
    /* leaving: hello, and hears pending; the birth key of a device that lost the new one may claim
       once everything is in place */
    {"L    *   h    *   *   *   *   *   *", PENDING, 0},
    {"L    *   rmb  *   *   *   *   *   *", NO, ANSWER_ONLY_HELLO},
    {"L    0   c    *   *   *   *   *   *", NO, ANSWER_ONLY_HELLO},
    {"L    1   c    R   *   *   *   *   *", NO, ANSWER_ONLY_HELLO},
    {"L    1   c    H   1   *   *   *   *", NO, ANSWER_ONLY_HELLO},
    {"L    1   c    H   0   *   *   *   1", NO, ANSWER_STOLEN},
    {"L    1   c    H   0   *   *   1   0", NO, ANSWER_EXPIRED},
    {"L    1   c    H   0   *   *   0   0", CONSENT, 0},
    /* denied: nothing, except that birth key */
    {"D    *   hrmb *   *   *   *   *   *", NO, ANSWER_DENIED},
    {"D    0   c    *   *   *   *   *   *", NO, ANSWER_DENIED},
    {"D    1   c    R   *   *   *   *   *", NO, ANSWER_DENIED},
    {"D    1   c    H   1   *   *   *   *", NO, ANSWER_DENIED},
    {"D    1   c    H   0   *   *   *   1", NO, ANSWER_STOLEN},
    {"D    1   c    H   0   *   *   1   0", NO, ANSWER_EXPIRED},
    {"D    1   c    H   0   *   *   0   0", CONSENT, 0},
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

static void check_right(const unsigned v[QUESTIONS], unsigned hits[ROW_COUNT])
{
    ownership_key_facts_t f = {(ownership_key_t)v[0],
                               v[1] != 0,
                               (statement_method_t)v[2],
                               (ownership_carrier_t)v[3],
                               v[4] != 0,
                               v[5] != 0,
                               v[6] != 0,
                               v[7] != 0,
                               v[8] != 0};
    answer_reason_t reason;
    ownership_right_t got = ownership_key_right(&f, &reason);
    const row_t *want = NULL;
    for (size_t r = 0; r < ROW_COUNT; r++) {
        if (row_matches(&ROWS[r], v)) {
            assert_null(want);
            want = &ROWS[r];
            hits[r]++;
        }
    }
    assert_non_null(want);
    if (got != want->right || reason != want->reason) {
        fail_msg("%s (%s %s): right %d, %s", want->when, ownership_key_name(f.standing),
                 statement_method_name(f.method), got, answer_reason_name(reason));
    }
}

static void test_rights_whole_space(void **state)
{
    (void)state;
    unsigned hits[ROW_COUNT] = {0};
    unsigned v[QUESTIONS] = {0};
    size_t count = 0;
    for (;;) {
        check_right(v, hits);
        count++;
        int q = 0;
        while (q < QUESTIONS && ++v[q] == strlen(LETTERS[q])) {
            v[q++] = 0;
        }
        if (q == QUESTIONS) {
            break;
        }
    }
    assert_int_equal(count, 8 * 2 * 5 * 2 * 2 * 2 * 2 * 2 * 2);
    for (size_t r = 0; r < ROW_COUNT; r++) {
        assert_int_not_equal(hits[r], 0);
    }
    print_message("%zu combinations, %zu rows\n", count, ROW_COUNT);
}

/* -- transitions ----------------------------------------------------------------------------- */

typedef struct {
    ownership_key_event_t event;
    bool subject;
    const char *from; /* letters of LETTERS[0] */
    char to;
} rule_t;

/* Whatever is not said here stays as it is. */
static const rule_t RULES[] = {
    {OWNERSHIP_KEY_REGISTER, true, "-", 'c'},
    {OWNERSHIP_KEY_GRANT, true, "-", 'G'},
    {OWNERSHIP_KEY_GRANT, false, "G", 'V'},
    {OWNERSHIP_KEY_WITHDRAW, true, "G", 'V'},
    {OWNERSHIP_KEY_WITHDRAW, false, "G", 'V'},
    {OWNERSHIP_KEY_COMMIT_CLAIM, true, "G", 'C'},
    {OWNERSHIP_KEY_COMMIT_CLAIM, false, "G", 'V'},
    {OWNERSHIP_KEY_COMMIT_CLAIM, false, "CcO", 'L'},
    {OWNERSHIP_KEY_COMMIT_RENEWAL, true, "G", 'C'},
    {OWNERSHIP_KEY_COMMIT_RENEWAL, false, "G", 'V'},
    {OWNERSHIP_KEY_COMMIT_RENEWAL, false, "CcO", 'L'},
    {OWNERSHIP_KEY_HELLO_CLAIM, true, "C", 'c'},
    {OWNERSHIP_KEY_HELLO_CLAIM, false, "CcOL", 'D'},
    {OWNERSHIP_KEY_HELLO_RENEWAL, true, "C", 'c'},
    {OWNERSHIP_KEY_HELLO_RENEWAL, false, "CcL", 'O'},
    {OWNERSHIP_KEY_RESTORE, true, "L", 'c'},
    {OWNERSHIP_KEY_RESTORE, false, "L", 'O'},
    {OWNERSHIP_KEY_RESTORE, false, "C", 'G'},
    {OWNERSHIP_KEY_DENY, true, "GVCcOL", 'D'},
};

static void test_transitions(void **state)
{
    (void)state;
    for (ownership_key_event_t e = 0; e < OWNERSHIP_KEY_EVENTS; e++) {
        for (int subject = 0; subject < 2; subject++) {
            for (unsigned k = 0; k < OWNERSHIP_KEY_STANDINGS; k++) {
                char want = LETTERS[0][k];
                for (size_t r = 0; r < sizeof(RULES) / sizeof(RULES[0]); r++) {
                    if (RULES[r].event == e && RULES[r].subject == (subject != 0) &&
                        strchr(RULES[r].from, LETTERS[0][k]) != NULL) {
                        want = RULES[r].to;
                    }
                }
                ownership_key_t got = ownership_key_after((ownership_key_t)k, e, subject != 0);
                if (LETTERS[0][got] != want) {
                    fail_msg("%s: %s becomes %s", ownership_key_event_name(e),
                             ownership_key_name((ownership_key_t)k), ownership_key_name(got));
                }
                /* Done twice is done once. */
                assert_int_equal(ownership_key_after(got, e, subject != 0), got);
            }
        }
    }
}

static void test_possible(void **state)
{
    (void)state;
    static const char *const when[OWNERSHIP_KEY_EVENTS] = {
        [OWNERSHIP_KEY_REGISTER] = "-",        [OWNERSHIP_KEY_GRANT] = "-",
        [OWNERSHIP_KEY_WITHDRAW] = "-GVCcOLD", [OWNERSHIP_KEY_COMMIT_CLAIM] = "G",
        [OWNERSHIP_KEY_COMMIT_RENEWAL] = "G",  [OWNERSHIP_KEY_HELLO_CLAIM] = "C",
        [OWNERSHIP_KEY_HELLO_RENEWAL] = "C",   [OWNERSHIP_KEY_RESTORE] = "L",
        [OWNERSHIP_KEY_DENY] = "GVCcOLD",
    };
    for (ownership_key_event_t e = 0; e < OWNERSHIP_KEY_EVENTS; e++) {
        for (unsigned k = 0; k < OWNERSHIP_KEY_STANDINGS; k++) {
            assert_int_equal(ownership_key_possible((ownership_key_t)k, e),
                             strchr(when[e], LETTERS[0][k]) != NULL);
        }
    }
    assert_false(ownership_key_possible(OWNERSHIP_KEY_CURRENT, OWNERSHIP_KEY_EVENTS));
}

/* -- random lives ---------------------------------------------------------------------------- */

#define KEYS 12
typedef struct {
    ownership_key_t key[KEYS];
    bool claim; /* the commit that is outstanding was a claim's */
    bool dead[KEYS];
} life_t;

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static unsigned count_keys(const life_t *life, ownership_key_t standing)
{
    unsigned n = 0;
    for (int i = 0; i < KEYS; i++) {
        n += life->key[i] == standing;
    }
    return n;
}

/* Some key may say hello, or may commit and then say hello. */
static bool has_a_way_in(const life_t *life)
{
    for (int i = 0; i < KEYS; i++) {
        ownership_key_facts_t f = {.standing = life->key[i], .method = STATEMENT_HELLO};
        answer_reason_t reason;
        if (ownership_key_right(&f, &reason) == OWNERSHIP_RIGHT_FULL) {
            return true;
        }
    }
    return false;
}

static void apply(life_t *life, ownership_key_event_t event, int subject)
{
    for (int i = 0; i < KEYS; i++) {
        life->key[i] = ownership_key_after(life->key[i], event, i == subject);
    }
}

static void check_life(life_t *life, bool after_claim_hello)
{
    assert_in_range(count_keys(life, OWNERSHIP_KEY_CURRENT), 0, 1);
    assert_in_range(count_keys(life, OWNERSHIP_KEY_COMMITTED), 0, 1);
    assert_in_range(count_keys(life, OWNERSHIP_KEY_GRANTED), 0, 1);
    assert_true(has_a_way_in(life));
    for (int i = 0; i < KEYS; i++) {
        bool dead = life->key[i] == OWNERSHIP_KEY_DENIED || life->key[i] == OWNERSHIP_KEY_VOID;
        assert_true(dead || !life->dead[i]); /* what is denied or void stays so */
        life->dead[i] = dead;
        if (after_claim_hello) {
            assert_true(dead || life->key[i] == OWNERSHIP_KEY_CURRENT ||
                        life->key[i] == OWNERSHIP_KEY_GRANTED ||
                        life->key[i] == OWNERSHIP_KEY_NONE);
        }
    }
}

/* An event as the steward would make it happen; false when it cannot happen now. */
static bool live(life_t *life, uint32_t *seed, bool *claim_hello)
{
    ownership_key_event_t event = (ownership_key_event_t)(next_random(seed) % OWNERSHIP_KEY_DENY);
    int subject = (int)(next_random(seed) % KEYS);
    *claim_hello = event == OWNERSHIP_KEY_HELLO_CLAIM;
    if (event == OWNERSHIP_KEY_REGISTER || !ownership_key_possible(life->key[subject], event)) {
        return false;
    }
    if (event == OWNERSHIP_KEY_COMMIT_CLAIM || event == OWNERSHIP_KEY_COMMIT_RENEWAL) {
        bool claim = event == OWNERSHIP_KEY_COMMIT_CLAIM;
        /* A claim is not forgotten when a renewal follows before its hello. */
        life->claim = claim || (life->claim && count_keys(life, OWNERSHIP_KEY_COMMITTED) > 0);
    }
    if ((event == OWNERSHIP_KEY_HELLO_CLAIM && !life->claim) ||
        ((event == OWNERSHIP_KEY_HELLO_RENEWAL || event == OWNERSHIP_KEY_RESTORE) && life->claim) ||
        (event == OWNERSHIP_KEY_RESTORE && count_keys(life, OWNERSHIP_KEY_GRANTED) > 0)) {
        return false;
    }
    apply(life, event, subject);
    return true;
}

static void test_random_lives(void **state)
{
    (void)state;
    size_t events[2] = {0, 0};
    for (uint32_t start = 1; start <= 20000; start++) {
        uint32_t seed = start * 2654435761u | 1u;
        life_t life;
        memset(&life, 0, sizeof(life));
        apply(&life, OWNERSHIP_KEY_REGISTER, 0);
        for (int i = 0; i < 60; i++) {
            bool claim_hello;
            if (live(&life, &seed, &claim_hello)) {
                check_life(&life, claim_hello);
                events[claim_hello]++;
            }
        }
    }
    assert_true(events[0] > 10000 && events[1] > 1000);
    print_message("%zu events, %zu of them hellos after a claim\n", events[0] + events[1],
                  events[1]);
}

/* The diagram of the design: A's K1 (birth K0 before it), B's K2. */
static void test_handover(void **state)
{
    (void)state;
    enum { K0, K1, K2 };
    life_t life;
    memset(&life, 0, sizeof(life));
    apply(&life, OWNERSHIP_KEY_REGISTER, K0);
    apply(&life, OWNERSHIP_KEY_GRANT, K1);
    apply(&life, OWNERSHIP_KEY_COMMIT_RENEWAL, K1);
    apply(&life, OWNERSHIP_KEY_HELLO_RENEWAL, K1);
    assert_int_equal(life.key[K0], OWNERSHIP_KEY_OLDER);
    assert_int_equal(life.key[K1], OWNERSHIP_KEY_CURRENT);
    apply(&life, OWNERSHIP_KEY_GRANT, K2);
    assert_int_equal(life.key[K1], OWNERSHIP_KEY_CURRENT); /* until the commit */
    apply(&life, OWNERSHIP_KEY_COMMIT_CLAIM, K2);
    assert_int_equal(life.key[K0], OWNERSHIP_KEY_LEAVING);
    assert_int_equal(life.key[K1], OWNERSHIP_KEY_LEAVING);
    assert_int_equal(life.key[K2], OWNERSHIP_KEY_COMMITTED);
    apply(&life, OWNERSHIP_KEY_HELLO_CLAIM, K2);
    assert_int_equal(life.key[K0], OWNERSHIP_KEY_DENIED); /* birth included */
    assert_int_equal(life.key[K1], OWNERSHIP_KEY_DENIED);
    assert_int_equal(life.key[K2], OWNERSHIP_KEY_CURRENT);
}

static void test_restore(void **state)
{
    (void)state;
    for (int i = 0; i < 16; i++) {
        bool claim = (i & 1) != 0, granted = (i & 2) != 0, seen = (i & 4) != 0, old = (i & 8) != 0;
        bool may = i == 8; /* no claim, no grant, not seen, the old leaf is valid */
        assert_int_equal(ownership_restore_due(claim, granted, seen, old, 100, 3700), may);
        assert_false(ownership_restore_due(claim, granted, seen, old, 100, 3699));
        assert_false(ownership_restore_due(claim, granted, seen, old, 100, 0)); /* restarted */
    }
    for (ownership_key_t k = 0; k < OWNERSHIP_KEY_STANDINGS; k++) {
        assert_string_not_equal(ownership_key_name(k), "?");
    }
    assert_string_equal(ownership_key_name(OWNERSHIP_KEY_STANDINGS), "?");
    assert_string_equal(ownership_key_event_name(OWNERSHIP_KEY_EVENTS), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rights_whole_space), cmocka_unit_test(test_transitions),
        cmocka_unit_test(test_possible),           cmocka_unit_test(test_random_lives),
        cmocka_unit_test(test_handover),           cmocka_unit_test(test_restore),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfers against a model of the cloud: the plain story of each way, a crash at every single
 * point and at every pair of points, and seeded random walks with crashes, failing calls, devices
 * that come back, copies of the old key that write, and people who meddle. After every step:
 * never two owners, B never sees A's data, and in the end everything is in the same place.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/transfer_cloud.h"

typedef struct {
    cloud_t cloud;
    transfer_t transfer;
    char journal[TRANSFER_TEXT_MAX];
    size_t journal_len;
    uint32_t seed; /* 0: nothing unforeseen */
    int events;    /* that are still to happen */
    int64_t tried; /* by the new device */
    int steps;
    int waits;
} world_t;

static uint32_t draw(world_t *w)
{
    w->seed ^= w->seed << 13;
    w->seed ^= w->seed >> 17;
    w->seed ^= w->seed << 5;
    return w->seed;
}

static void keep(world_t *w)
{
    assert_true(transfer_save(&w->transfer, w->journal, sizeof(w->journal), &w->journal_len));
}

/* The process dies and comes back: what it had in memory is gone. */
static void crash(world_t *w)
{
    memset(&w->transfer, 0xff, sizeof(w->transfer));
    assert_true(transfer_load(&w->transfer, w->journal, w->journal_len));
}

static void begin(world_t *w, transfer_way_t way, int home, bool same_leaf, uint32_t seed)
{
    transfer_order_t order = {.way = way, .same_leaf = same_leaf, .authority = RECEIPT_BY_OPERATOR};
    memset(w, 0, sizeof(*w));
    cloud_init(&w->cloud, home, same_leaf);
    strcpy(order.record, cloud_first_id());
    assert_true(transfer_begin(&w->transfer, &order, w->cloud.now));
    keep(w);
    w->seed = seed;
    w->events = seed != 0 ? 40 : 0;
}

/* What the device and the others do while the steward waits or works. */
static void world_turns(world_t *w)
{
    bool appeared = false;
    if (w->events > 0 && draw(w) % 2 == 0) {
        w->events--;
        appeared = cloud_event(&w->cloud, draw(w));
    }
    /* The new device tries again and again; once it is let in after the transfer, it says hello. */
    bool tries = w->cloud.now - w->tried >= 1000 || (w->events > 0 && draw(w) % 2 == 0);
    bool in = tries && cloud_new_device(&w->cloud, &appeared);
    if (tries) {
        w->tried = w->cloud.now;
    }
    if (appeared) {
        transfer_record_seen(&w->transfer, w->cloud.now);
        keep(w);
    }
    if (in && !w->cloud.same_leaf && transfer_hello(&w->transfer)) {
        keep(w);
    }
    if (w->transfer.step == TRANSFER_AT_END && w->cloud.denied) {
        w->cloud.streaming = true;
    }
    cloud_check(&w->cloud);
}

static void wait_until(world_t *w, int64_t until)
{
    w->waits++;
    if (until == INT64_MAX || until - w->cloud.now > 1000) {
        w->cloud.now += 1000; /* in small steps: things happen meanwhile */
    } else {
        w->cloud.now = until;
    }
}

typedef enum { CRASH_NEVER, CRASH_BEFORE_APPLY, CRASH_AFTER_APPLY, CRASH_AFTER_KEEP } crash_t;

/* One action; false when there is nothing left to do. */
static bool step(world_t *w, crash_t when)
{
    transfer_action_t action = transfer_next(&w->transfer, w->cloud.now);
    if (action.what == TRANSFER_DO_END) {
        return false;
    }
    if (action.what == TRANSFER_DO_NOTHING) {
        wait_until(w, action.until);
        return true;
    }
    transfer_result_t result;
    bool fails = w->events > 0 && draw(w) % 8 == 0;
    if (fails && draw(w) % 2 == 0) {
        memset(&result, 0, sizeof(result)); /* it never got there */
    } else {
        result = cloud_do(&w->cloud, &w->transfer, &action);
    }
    if (fails) {
        result.outcome = TRANSFER_FAILED;
    }
    cloud_check(&w->cloud);
    if (when == CRASH_BEFORE_APPLY) {
        crash(w);
        return true;
    }
    transfer_apply(&w->transfer, &action, &result, w->cloud.now);
    if (when == CRASH_AFTER_APPLY) {
        crash(w);
        return true;
    }
    keep(w);
    if (when == CRASH_AFTER_KEEP) {
        crash(w);
    }
    return true;
}

/* Runs to the end; crashes at the actions `first` and `second` (negative: nowhere). */
static void run(world_t *w, int first, crash_t how_first, int second, crash_t how_second)
{
    for (;;) {
        bool busy = transfer_busy(&w->transfer);
        crash_t when = w->steps == first    ? how_first
                       : w->steps == second ? how_second
                                            : CRASH_NEVER;
        if (w->events > 0 && draw(w) % 6 == 0) {
            when = (crash_t)(1 + draw(w) % 3);
        }
        if (!step(w, when)) {
            break;
        }
        w->steps++;
        assert_true(busy || !transfer_busy(&w->transfer)); /* pending does not come back */
        assert_true(w->steps < 5000);
        world_turns(w);
    }
    cloud_check(&w->cloud);
}

static const struct {
    transfer_way_t way;
    int home;
    bool same_leaf;
} KINDS[] = {
    {TRANSFER_CREATE, 0, false}, {TRANSFER_CREATE, 1, false},   {TRANSFER_ADOPT, 0, false},
    {TRANSFER_ADOPT, 1, false},  {TRANSFER_REASSIGN, 0, false}, {TRANSFER_CREATE, 0, true},
    {TRANSFER_ADOPT, 0, true},   {TRANSFER_REASSIGN, 0, true},
};
#define KIND_COUNT (sizeof(KINDS) / sizeof(KINDS[0]))

/* What must be in the end, written down and not computed. */
static void assert_end(const world_t *w, size_t kind)
{
    char got[256], want[256];
    cloud_end(&w->cloud, got);
    snprintf(want, sizeof(want),
             "owner 2 tenant %d leaf %d operating 1 label 0 foreign 0 denied %d receipts 1 by "
             "operator",
             KINDS[kind].home, KINDS[kind].same_leaf ? 0 : 1, !KINDS[kind].same_leaf);
    if (strcmp(got, want) != 0) {
        fail_msg("kind %zu: %s", kind, got);
    }
    assert_int_equal(w->transfer.step, TRANSFER_AT_END);
    assert_false(transfer_busy(&w->transfer));
}

static void test_plain(void **state)
{
    (void)state;
    for (size_t k = 0; k < KIND_COUNT; k++) {
        static world_t w;
        begin(&w, KINDS[k].way, KINDS[k].home, KINDS[k].same_leaf, 0);
        run(&w, -1, CRASH_NEVER, -1, CRASH_NEVER);
        assert_end(&w, k);
        /* Every item that A had is in the receipt with its count. */
        for (int i = 0; i < TRANSFER_ITEMS; i++) {
            assert_int_equal(w.cloud.receipt.lines[i].item, i);
            assert_true(w.cloud.receipt.lines[i].count >= 3 + i);
        }
        print_message("%s%s%s: %d REST calls, %lld ms\n", transfer_way_name(KINDS[k].way),
                      KINDS[k].home != 0 ? ", other tenant" : "",
                      KINDS[k].same_leaf ? ", same key" : "", w.cloud.calls,
                      (long long)(w.cloud.now - 1000));
        if (KINDS[k].way == TRANSFER_CREATE && !KINDS[k].same_leaf) {
            assert_in_range(w.cloud.calls, 1, 40);
        }
    }
}

static void test_crash_at_every_point(void **state)
{
    (void)state;
    size_t runs = 0;
    for (size_t k = 0; k < KIND_COUNT; k++) {
        static world_t w;
        begin(&w, KINDS[k].way, KINDS[k].home, KINDS[k].same_leaf, 0);
        run(&w, -1, CRASH_NEVER, -1, CRASH_NEVER);
        int steps = w.steps < 40 ? w.steps : 40;
        for (int i = 0; i <= steps; i++) {
            for (crash_t a = CRASH_BEFORE_APPLY; a <= CRASH_AFTER_KEEP; a++) {
                for (int j = i; j <= steps; j++) {
                    for (crash_t b = CRASH_BEFORE_APPLY; b <= CRASH_AFTER_KEEP; b++) {
                        begin(&w, KINDS[k].way, KINDS[k].home, KINDS[k].same_leaf, 0);
                        run(&w, i, a, j, b);
                        assert_end(&w, k);
                        runs++;
                    }
                }
            }
        }
    }
    print_message("%zu runs with one or two crashes\n", runs);
}

static void test_random_walks(void **state)
{
    (void)state;
    size_t steps = 0;
    const char *only = getenv("CRADLE_TEST_SEED");
    for (uint32_t s = 1; s <= 4000; s++) {
        uint32_t seed = only != NULL ? (uint32_t)strtoul(only, NULL, 10) : s;
        for (size_t k = 0; k < KIND_COUNT; k++) {
            static world_t w;
            print_message(only != NULL ? "seed %u kind %zu\n" : "", seed, k);
            begin(&w, KINDS[k].way, KINDS[k].home, KINDS[k].same_leaf, seed * 2654435761u | 1u);
            run(&w, -1, CRASH_NEVER, -1, CRASH_NEVER);
            assert_end(&w, k);
            steps += (size_t)w.steps;
        }
        if (only != NULL) {
            break;
        }
    }
    print_message("%zu steps\n", steps);
}

static void test_stuck(void **state)
{
    (void)state;
    static world_t w;
    begin(&w, TRANSFER_CREATE, 0, false, 0);
    transfer_result_t failed = {.outcome = TRANSFER_FAILED};
    int64_t last = 0;
    w.cloud.now += TRANSFER_LEAVE_MS;
    for (int i = 0; i < 20; i++) {
        transfer_action_t action = transfer_next(&w.transfer, w.cloud.now);
        assert_int_equal(action.what, TRANSFER_DO_COUNT);
        assert_int_equal(transfer_stuck(&w.transfer), i >= TRANSFER_STUCK);
        transfer_apply(&w.transfer, &action, &failed, w.cloud.now);
        int64_t delay = w.transfer.not_before - w.cloud.now;
        assert_true(delay >= last && delay <= TRANSFER_RETRY_CAP_MS);
        last = delay;
        action = transfer_next(&w.transfer, w.cloud.now);
        assert_int_equal(action.what, TRANSFER_DO_NOTHING);
        assert_int_equal(action.until, w.transfer.not_before);
        w.cloud.now = w.transfer.not_before;
    }
    assert_int_equal(last, TRANSFER_RETRY_CAP_MS);
    /* A clock that was set back does not make it wait for years. */
    transfer_action_t action = transfer_next(&w.transfer, 0);
    assert_int_equal(action.what, TRANSFER_DO_COUNT);
    assert_true(transfer_busy(&w.transfer));
    assert_false(transfer_hello(&w.transfer)); /* too early: pending */
    assert_int_equal(w.transfer.step, TRANSFER_AT_LOOK);
}

/* A record that never becomes empty: with delete, the receipt says so; with reassign, it is never
   given to B. */
static void test_never_empty(void **state)
{
    (void)state;
    static const transfer_way_t ways[] = {TRANSFER_CREATE, TRANSFER_REASSIGN};
    for (int k = 0; k < 2; k++) {
        static world_t w;
        begin(&w, ways[k], 0, false, 0);
        for (int i = 0; i < 400 && w.transfer.step != TRANSFER_AT_GONE; i++) {
            transfer_action_t action = transfer_next(&w.transfer, w.cloud.now);
            if (action.what == TRANSFER_DO_NOTHING) {
                w.cloud.now = action.until;
                continue;
            }
            transfer_result_t result = cloud_do(&w.cloud, &w.transfer, &action);
            if (action.what == TRANSFER_DO_COUNT) {
                result.count[RECEIPT_ALARMS] = 2;
            }
            transfer_apply(&w.transfer, &action, &result, w.cloud.now);
            keep(&w);
            crash(&w);
            cloud_check(&w.cloud);
        }
        receipt_t receipt = {.line_count = 0};
        transfer_receipt(&w.transfer, &receipt);
        if (ways[k] == TRANSFER_CREATE) {
            assert_int_equal(w.transfer.step, TRANSFER_AT_GONE);
            assert_int_equal(receipt.lines[RECEIPT_ALARMS].state, RECEIPT_REQUESTED);
            assert_int_equal(receipt.lines[RECEIPT_SERIES].state, RECEIPT_ERASED);
        } else {
            assert_true(transfer_busy(&w.transfer) && transfer_stuck(&w.transfer));
            assert_int_equal(w.cloud.record[0].owner, OWNER_NONE);
            assert_int_equal(w.cloud.record[0].leaf, LEAF_TOKEN);
        }
    }
}

static void test_receipt_lines(void **state)
{
    (void)state;
    transfer_order_t order = {.way = TRANSFER_REASSIGN, .authority = RECEIPT_BY_RELEASE};
    transfer_t t;
    receipt_t r = {.line_count = 9};
    assert_false(transfer_begin(&t, &order, 0)); /* no record */
    strcpy(order.record, "x");
    assert_true(transfer_begin(&t, &order, 0));
    t.found[RECEIPT_SERIES] = 7;
    transfer_receipt(&t, &r);
    assert_int_equal(r.line_count, RECEIPT_ITEMS);
    assert_int_equal(r.authority, RECEIPT_BY_RELEASE);
    assert_int_equal(r.lines[0].count, 7);
    for (size_t i = 0; i < r.line_count; i++) {
        bool kept = r.lines[i].item == RECEIPT_RECORD || r.lines[i].item == RECEIPT_SESSIONS ||
                    r.lines[i].item == RECEIPT_AUDIT;
        assert_int_equal(r.lines[i].state, kept ? RECEIPT_RETAINED : RECEIPT_ERASED);
    }
    t.gone = true;
    t.order.same_leaf = true;
    t.unproven = 1u << RECEIPT_RPCS;
    transfer_receipt(&t, &r);
    for (size_t i = 0; i < r.line_count; i++) {
        bool kept = r.lines[i].item == RECEIPT_KEY || r.lines[i].item == RECEIPT_AUDIT;
        receipt_state_t want = r.lines[i].item == RECEIPT_RPCS ? RECEIPT_REQUESTED
                               : kept                          ? RECEIPT_RETAINED
                                                               : RECEIPT_ERASED;
        assert_int_equal(r.lines[i].state, want);
    }
    /* It can be written as it is. */
    char out[JWS_RECEIPT_MAX];
    size_t len;
    strcpy(r.kid, "0123456789abcdef");
    r.site = jws_text("00112233445566778899aabbccddeeff");
    r.sn = jws_text("SN-1");
    r.issued = 1800000000;
    assert_int_equal(receipt_write(&r, out, sizeof(out), &len), JWS_OK);
}

static void test_journal(void **state)
{
    (void)state;
    static world_t w;
    transfer_t back;
    begin(&w, TRANSFER_REASSIGN, 0, true, 0);
    memset(w.transfer.order.record, 'r', TRANSFER_ID_SIZE - 1);
    memset(w.transfer.place, 'p', TRANSFER_ID_SIZE - 1);
    memset(w.transfer.stray, 's', TRANSFER_ID_SIZE - 1);
    w.transfer.step = TRANSFER_AT_QUARANTINE;
    w.transfer.sweeps = w.transfer.strays = w.transfer.failures = UINT32_MAX;
    w.transfer.to_erase = w.transfer.unproven = 63;
    w.transfer.clean = w.transfer.proven = w.transfer.gone = w.transfer.placed = true;
    w.transfer.receipt_made = true;
    w.transfer.not_before = INT64_MAX;
    for (int i = 0; i < TRANSFER_ITEMS; i++) {
        w.transfer.found[i] = INT64_MAX - i;
    }
    keep(&w); /* the largest that there is fits */
    print_message("journal: %zu bytes at most, of %d\n", w.journal_len, TRANSFER_TEXT_MAX);
    memset(&back, 0, sizeof(back));
    assert_true(transfer_load(&back, w.journal, w.journal_len));
    char again[TRANSFER_TEXT_MAX];
    size_t len;
    assert_true(transfer_save(&back, again, sizeof(again), &len));
    assert_string_equal(again, w.journal);
    for (size_t n = 0; n < w.journal_len; n++) { /* cut off, and with one byte changed */
        assert_false(transfer_load(&back, w.journal, n));
        assert_false(transfer_save(&w.transfer, again, n, &len));
        char kept = w.journal[n];
        w.journal[n] = '!';
        bool text = strspn(w.journal + n, "rps") > 0 || n > 0;
        bool loaded = transfer_load(&back, w.journal, w.journal_len);
        assert_true(!loaded || (text && (kept == 'r' || kept == 'p' || kept == 's')));
        w.journal[n] = kept;
    }
    static const char *const wrong[] = {
        "",
        "{}",
        "null",
        "{\"v\":2}",
        "{\"v\":1,\"way\":\"sell\",\"by\":\"claim\",\"step\":\"look\"}",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_false(transfer_load(&back, wrong[i], strlen(wrong[i])));
    }
    /* A step that lacks what it needs. */
    begin(&w, TRANSFER_CREATE, 0, false, 0);
    w.transfer.step = TRANSFER_AT_ERASE;
    keep(&w);
    assert_false(transfer_load(&back, w.journal, w.journal_len));
    w.transfer.to_erase = 1;
    w.transfer.step = TRANSFER_AT_SWEEP;
    keep(&w);
    assert_false(transfer_load(&back, w.journal, w.journal_len));
    w.transfer.step = TRANSFER_AT_STRAY;
    keep(&w);
    assert_false(transfer_load(&back, w.journal, w.journal_len));
}

static void test_names(void **state)
{
    (void)state;
    for (int a = 0; a < TRANSFER_STEPS; a++) {
        assert_string_not_equal(transfer_step_name((transfer_step_t)a), "?");
        for (int b = a + 1; b < TRANSFER_STEPS; b++) {
            assert_string_not_equal(transfer_step_name((transfer_step_t)a),
                                    transfer_step_name((transfer_step_t)b));
        }
    }
    for (int a = 0; a < TRANSFER_ACTIONS; a++) {
        assert_string_not_equal(transfer_do_name((transfer_do_t)a), "?");
    }
    assert_string_equal(transfer_step_name(TRANSFER_STEPS), "?");
    assert_string_equal(transfer_do_name(TRANSFER_ACTIONS), "?");
    assert_string_equal(transfer_way_name(TRANSFER_WAYS), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),        cmocka_unit_test(test_crash_at_every_point),
        cmocka_unit_test(test_random_walks), cmocka_unit_test(test_stuck),
        cmocka_unit_test(test_never_empty),  cmocka_unit_test(test_receipt_lines),
        cmocka_unit_test(test_journal),      cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

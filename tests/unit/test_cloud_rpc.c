/* SPDX-License-Identifier: Apache-2.0 */
/* Remote calls in flight, over a clock and a device that only this test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cloud/rpc.h"

/* ---- a loop with a clock of its own ---- */

#define TIMERS_MAX 20100

struct loop {
    uint64_t now;
    loop_timer_t *timers[TIMERS_MAX];
    size_t count;
};

uint64_t loop_now_ms(const loop_t *loop)
{
    return loop->now;
}

void loop_timer_stop(loop_t *loop, loop_timer_t *timer)
{
    if (timer->place != 0) {
        loop_timer_t *last = loop->timers[--loop->count];
        loop->timers[timer->place - 1] = last;
        last->place = timer->place;
        timer->place = 0;
    }
}

bool loop_timer_start(loop_t *loop, loop_timer_t *timer, uint64_t delay_ms, loop_fn_t fn, void *ctx,
                      err_t *err)
{
    (void)err;
    loop_timer_stop(loop, timer);
    assert_true(loop->count < TIMERS_MAX);
    *timer = (loop_timer_t){loop->now + delay_ms, loop->count + 1, fn, ctx};
    loop->timers[loop->count++] = timer;
    return true;
}

static struct loop loop;

static void advance(uint64_t ms)
{
    uint64_t end = loop.now + ms;
    for (;;) {
        loop_timer_t *first = NULL;
        for (size_t i = 0; i < loop.count; i++) {
            if (loop.timers[i]->due_ms <= end &&
                (first == NULL || loop.timers[i]->due_ms < first->due_ms)) {
                first = loop.timers[i];
            }
        }
        if (first == NULL) {
            break;
        }
        loop.now = first->due_ms > loop.now ? first->due_ms : loop.now;
        loop_timer_stop(&loop, first);
        first->fn(first->ctx);
    }
    loop.now = end;
}

/* ---- a device ---- */

static store_t *store;
static rpc_t *rpc;
static store_id_t device;
static bool subscribed;
static unsigned qos;
static bool dies; /* its connection breaks over what is sent */
static uint16_t last_packet;
static unsigned sent;
static uint32_t sent_id;
static char sent_text[256];
static unsigned replies;
static uint32_t reply_id;
static char reply_text[256];
static unsigned forwarded;
static uint64_t forward_ticket;
static char forward_text[256];

static bool on_request(void *ctx, const store_id_t *to, uint32_t id, const char *payload,
                       size_t len, uint16_t *packet)
{
    (void)ctx;
    if (!store_id_equal(to, &device) || !subscribed) {
        return false;
    }
    if (dies) {
        subscribed = false;
        rpc_gone(rpc, to);
        return false;
    }
    sent++;
    sent_id = id;
    snprintf(sent_text, sizeof sent_text, "%.*s", (int)len, payload);
    *packet = qos == 1 ? ++last_packet : 0;
    return true;
}

static void on_response(void *ctx, const store_id_t *to, tb_family_t family, uint32_t id,
                        const char *text, size_t len)
{
    (void)ctx;
    assert_true(store_id_equal(to, &device));
    assert_int_equal(family, TB_V2);
    replies++;
    reply_id = id;
    snprintf(reply_text, sizeof reply_text, "%.*s", (int)len, text);
}

static void on_forward(void *ctx, const store_id_t *from, uint64_t ticket, const char *method,
                       const char *params, size_t params_len)
{
    (void)ctx;
    assert_true(store_id_equal(from, &device));
    forwarded++;
    forward_ticket = ticket;
    snprintf(forward_text, sizeof forward_text, "%s %.*s", method, (int)params_len, params);
}

/* ---- a caller ---- */

static unsigned done;
static rpc_outcome_t outcome;
static char text[256];

static void on_done(void *ctx, rpc_outcome_t what, const char *said, size_t len)
{
    assert_ptr_equal(ctx, &done);
    done++;
    outcome = what;
    snprintf(text, sizeof text, "%.*s", (int)len, said != NULL ? said : "");
}

static rpc_call_t call_of(bool two_way, int64_t left_ms)
{
    return (rpc_call_t){.device = device,
                        .method = "led",
                        .params = "{\"on\":true}",
                        .params_len = 11,
                        .two_way = two_way,
                        .expires_ms = clock_wall_ms() + left_ms};
}

static void call(bool two_way, int64_t left_ms)
{
    const rpc_call_t c = call_of(two_way, left_ms);
    assert_int_equal(rpc_start(rpc, &c, on_done, &done), RPC_OK);
}

static void open_rpc(void)
{
    const rpc_link_t link = {NULL, on_request, on_response, on_forward};
    assert_true(rpc_open(&rpc, &loop, store, &link, NULL));
}

static int setup(void **state)
{
    (void)state;
    subscribed = dies = false;
    qos = 0;
    sent = replies = forwarded = done = 0;
    sent_id = reply_id = 99;
    last_packet = 0;
    text[0] = sent_text[0] = reply_text[0] = forward_text[0] = '\0';
    memset(&loop, 0, sizeof loop);
    loop.now = 1000;
    store_id_new(&device);
    assert_true(store_open(&store, &(store_settings_t){.path = ""}, NULL));
    open_rpc();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rpc_close(rpc);
    assert_int_equal(loop.count, 0); /* no timer is left behind */
    store_close(store);
    return 0;
}

/* ---- waiting calls ---- */

static void two_way_is_answered(void **state)
{
    (void)state;
    subscribed = true;
    call(true, 5000);
    assert_int_equal(sent, 1);
    assert_int_equal(sent_id, 0);
    assert_string_equal(sent_text, "{\"method\":\"led\",\"params\":{\"on\":true}}");
    assert_int_equal(done, 0);
    rpc_answered(rpc, &device, 1, "1", 1); /* another id */
    store_id_t other;
    store_id_new(&other);
    rpc_answered(rpc, &other, 0, "1", 1); /* another device */
    assert_int_equal(done, 0);
    rpc_answered(rpc, &device, 0, "{\"a\":1}", 7);
    assert_int_equal(done, 1);
    assert_int_equal(outcome, RPC_ANSWERED);
    assert_string_equal(text, "{\"a\":1}");
    rpc_answered(rpc, &device, 0, "2", 1); /* again */
    advance(60000);
    assert_int_equal(done, 1);
}

static void one_way_ends_when_written(void **state)
{
    (void)state;
    subscribed = true;
    qos = 1;
    call(false, 5000);
    assert_int_equal(done, 1);
    assert_int_equal(outcome, RPC_DELIVERED);
    rpc_answered(rpc, &device, 0, "1", 1);
    assert_int_equal(done, 1);
}

static void offline_waits(void **state)
{
    (void)state;
    call(true, 5000);
    call(false, 5000);
    assert_int_equal(sent, 0);
    advance(4000);
    assert_int_equal(done, 0);
    subscribed = true;
    rpc_subscribed(rpc, &device);
    assert_int_equal(sent, 2);
    assert_int_equal(sent_id, 1);
    assert_int_equal(done, 1); /* the one-way call */
    rpc_subscribed(rpc, &device);
    assert_int_equal(sent, 2); /* once a session */
    advance(900);
    assert_int_equal(done, 1);
    advance(200);
    assert_int_equal(done, 2);
    assert_int_equal(outcome, RPC_TIMED_OUT);
}

static void nobody_came(void **state)
{
    (void)state;
    call(true, 5000);
    advance(4900);
    assert_int_equal(done, 0);
    advance(200);
    assert_int_equal(done, 1);
    assert_int_equal(outcome, RPC_NO_SESSION);
    const rpc_call_t late = call_of(true, -1);
    assert_int_equal(rpc_start(rpc, &late, on_done, &done), RPC_EXPIRED);
    assert_int_equal(done, 1);
}

static void sent_again_in_the_next_session(void **state)
{
    (void)state;
    subscribed = true;
    call(true, 60000);
    rpc_gone(rpc, &device);
    assert_int_equal(sent, 1);
    rpc_subscribed(rpc, &device);
    assert_int_equal(sent, 2);
    assert_int_equal(sent_id, 0);
    rpc_answered(rpc, &device, 0, "7", 1);
    assert_string_equal(text, "7");
}

static void a_connection_breaks_while_sending(void **state)
{
    (void)state;
    rpc_asked(rpc, &device, TB_V2, 5, "x", "null", 4);
    call(true, 5000);
    call(true, 5000);
    subscribed = dies = true;
    rpc_subscribed(rpc, &device); /* takes the question along under its feet */
    assert_int_equal(sent, 0);
    dies = false;
    subscribed = true;
    rpc_subscribed(rpc, &device);
    assert_int_equal(sent, 2);
    advance(70000);
    assert_int_equal(replies, 0);
    assert_int_equal(done, 2);
}

static void limits(void **state)
{
    (void)state;
    rpc_call_t c = call_of(true, 5000);
    for (size_t i = 0; i < RPC_DEVICE_MAX; i++) {
        call(true, 5000);
    }
    assert_int_equal(rpc_start(rpc, &c, on_done, &done), RPC_BUSY);
    for (size_t i = RPC_DEVICE_MAX; i < RPC_CALLS_MAX; i++) {
        if (i % RPC_DEVICE_MAX == 0) {
            store_id_new(&c.device);
        }
        assert_int_equal(rpc_start(rpc, &c, on_done, &done), RPC_OK);
    }
    store_id_new(&c.device);
    assert_int_equal(rpc_start(rpc, &c, on_done, &done), RPC_BUSY);
    rpc_forget(rpc, &device);
    assert_int_equal(done, RPC_DEVICE_MAX);
    assert_int_equal(outcome, RPC_NO_SESSION);
    char *large = malloc(RPC_PAYLOAD_MAX + 1);
    memset(large, 'x', RPC_PAYLOAD_MAX);
    large[RPC_PAYLOAD_MAX] = '\0';
    c.method = large;
    assert_int_equal(rpc_start(rpc, &c, on_done, &done), RPC_TOO_LARGE);
    free(large);
    call(true, 5000); /* a new device of that id begins at 0 */
    subscribed = true;
    rpc_subscribed(rpc, &device);
    assert_int_equal(sent_id, 0);
}

static void closing_answers_everybody(void **state)
{
    (void)state;
    call(true, 5000);
    call(false, 5000);
    rpc_asked(rpc, &device, TB_V2, 1, "x", "null", 4);
    rpc_close(rpc);
    assert_int_equal(done, 2);
    assert_int_equal(outcome, RPC_TIMED_OUT);
    assert_int_equal(replies, 0);
    open_rpc();
}

/* ---- questions of the device ---- */

static void nobody_answers_a_device(void **state)
{
    (void)state;
    rpc_asked(rpc, &device, TB_V2, 31, "getTime", "{}", 2);
    advance(59000);
    assert_int_equal(replies, 0);
    advance(2000);
    assert_int_equal(replies, 1);
    assert_int_equal(reply_id, 31);
    assert_string_equal(reply_text, "{\"error\":\"timeout\"}");
    assert_int_equal(forwarded, 0);
    rpc_asked(rpc, &device, TB_V2, 32, "getTime", "{}", 2);
    rpc_gone(rpc, &device);
    advance(70000);
    assert_int_equal(replies, 1);
    rpc_asked(rpc, &device, TB_V2, 33, "getTime", "{}", 2);
    rpc_answered(rpc, &device, 33, "1", 1); /* it cannot answer itself */
    advance(70000);
    assert_int_equal(replies, 2);
}

static void the_steward_answers(void **state)
{
    (void)state;
    rpc_asked(rpc, &device, TB_V2, 4, "cradle.hello", "{\"s\":1}", 7);
    assert_int_equal(forwarded, 1);
    assert_string_equal(forward_text, "cradle.hello {\"s\":1}");
    rpc_reply(rpc, &device, forward_ticket + 1, "0", 1);
    assert_int_equal(replies, 0);
    rpc_reply(rpc, &device, forward_ticket, "{\"ok\":1}", 8);
    assert_int_equal(replies, 1);
    assert_int_equal(reply_id, 4);
    assert_string_equal(reply_text, "{\"ok\":1}");
    rpc_reply(rpc, &device, forward_ticket, "{\"ok\":1}", 8);
    advance(70000);
    assert_int_equal(replies, 1);
    /* The same id in a new session is another question. */
    rpc_asked(rpc, &device, TB_V2, 4, "cradle.hello", "{}", 2);
    uint64_t old = forward_ticket;
    rpc_gone(rpc, &device);
    rpc_asked(rpc, &device, TB_V2, 4, "cradle.hello", "{}", 2);
    rpc_reply(rpc, &device, old, "1", 1);
    assert_int_equal(replies, 1);
    rpc_asked(rpc, &device, TB_V2, 5, "cradlex", "{}", 2);
    assert_int_equal(forwarded, 3);
}

static void too_many_questions(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < RPC_DEVICE_MAX + 5; i++) {
        rpc_asked(rpc, &device, TB_V2, i, "x", "null", 4);
    }
    advance(61000);
    assert_int_equal(replies, RPC_DEVICE_MAX);
}

/* ---- persistent calls ---- */

static char row_status[16];
static char row_request[512];
static char row_response[256];

static void note_row(void *ctx, const store_rpc_t *row)
{
    (void)ctx;
    snprintf(row_status, sizeof row_status, "%s", row->status);
    snprintf(row_request, sizeof row_request, "%s", row->request);
    snprintf(row_response, sizeof row_response, "%s", row->response != NULL ? row->response : "-");
}

static void is_now(const store_id_t *id, const char *status, const char *response)
{
    assert_int_equal(store_rpc_get(store, id, note_row, NULL, NULL), STORE_OK);
    assert_string_equal(row_status, status);
    assert_string_equal(row_response, response);
}

static store_id_t persist(bool two_way, int64_t left_ms, int64_t retries)
{
    store_id_t id;
    const rpc_call_t c = call_of(two_way, left_ms);
    assert_int_equal(rpc_start_persistent(rpc, &c, retries, NULL, &id, NULL), RPC_OK);
    return id;
}

static void persistent_from_queued_to_successful(void **state)
{
    (void)state;
    qos = 1;
    store_id_t id = persist(true, 600000, -1);
    is_now(&id, "QUEUED", "-");
    assert_non_null(strstr(row_request, "\"oneway\":false"));
    assert_non_null(strstr(row_request,
                           "\"body\":{\"method\":\"led\",\"params\":\"{\\\"on\\\":true}\"},"
                           "\"persisted\":true,\"retries\":null}"));
    subscribed = true;
    rpc_subscribed(rpc, &device);
    is_now(&id, "SENT", "-");
    rpc_acked(rpc, &device, 7);
    is_now(&id, "SENT", "-");
    rpc_acked(rpc, &device, last_packet);
    is_now(&id, "DELIVERED", "-");
    advance(20000);
    is_now(&id, "DELIVERED", "-");
    rpc_answered(rpc, &device, 0, "{\"b\":2}", 7);
    is_now(&id, "SUCCESSFUL", "{\"b\":2}");
    advance(700000);
    is_now(&id, "SUCCESSFUL", "{\"b\":2}");

    id = persist(true, 600000, -1);
    rpc_answered(rpc, &device, 1, "no \"json\"", 9);
    is_now(&id, "SUCCESSFUL", "{\"error\":\"no \\\"json\\\"\"}");
}

static void persistent_one_way_ends_delivered(void **state)
{
    (void)state;
    subscribed = true;
    store_id_t id = persist(false, 600000, -1);
    is_now(&id, "DELIVERED", "-");
    qos = 1;
    id = persist(false, 600000, -1);
    is_now(&id, "SENT", "-");
    rpc_acked(rpc, &device, last_packet);
    is_now(&id, "DELIVERED", "-");
    assert_int_equal(loop.count, 0);
}

static void persistent_expires(void **state)
{
    (void)state;
    store_id_t id = persist(true, 20000, -1);
    advance(21000);
    is_now(&id, "EXPIRED", "-");
    const rpc_call_t late = call_of(true, -5);
    assert_int_equal(rpc_start_persistent(rpc, &late, -1, NULL, &id, NULL), RPC_EXPIRED);
    is_now(&id, "EXPIRED", "-");
}

static void persistent_without_puback(void **state)
{
    (void)state;
    qos = 1;
    subscribed = true;
    store_id_t id = persist(true, 600000, 1);
    advance(9000);
    is_now(&id, "SENT", "-");
    advance(2000);
    is_now(&id, "TIMEOUT", "-");
    rpc_gone(rpc, &device);
    rpc_subscribed(rpc, &device);
    is_now(&id, "SENT", "-");
    assert_int_equal(sent, 2);
    advance(11000);
    is_now(&id, "FAILED",
           "{\"error\":\"There was a Timeout and all retry attempts have been exhausted. Retry "
           "attempts set: 1\"}");
    rpc_answered(rpc, &device, 0, "1", 1);
    assert_string_equal(row_status, "FAILED");
}

static void persistent_survives_a_restart(void **state)
{
    (void)state;
    store_id_t first = persist(true, 600000, -1);
    store_id_t second = persist(false, 600000, -1);
    store_id_t late = first;
    store_id_new(&late);
    store_rpc_t over = {.id = late,
                        .device = device,
                        .expires_ms = 5,
                        .request = "{\"oneway\":true,\"body\":{\"method\":\"a\",\"params\":null}}",
                        .status = "QUEUED"};
    assert_int_equal(store_rpc_add(store, &over, clock_wall_ms(), NULL), STORE_OK);
    rpc_close(rpc);
    is_now(&first, "QUEUED", "-"); /* closing ends no persistent call */
    open_rpc();
    is_now(&late, "EXPIRED", "-");
    subscribed = true;
    rpc_subscribed(rpc, &device);
    assert_int_equal(sent, 2);
    assert_string_equal(sent_text, "{\"method\":\"led\",\"params\":{\"on\":true}}");
    is_now(&second, "DELIVERED", "-");
    rpc_answered(rpc, &device, 0, "true", 4); /* in the order of calling */
    is_now(&first, "SUCCESSFUL", "true");
}

static void persistent_is_taken_back(void **state)
{
    (void)state;
    store_id_t id = persist(true, 600000, -1);
    assert_int_equal(rpc_delete_persistent(rpc, &id, NULL), STORE_OK);
    assert_int_equal(rpc_delete_persistent(rpc, &id, NULL), STORE_NOT_FOUND);
    subscribed = true;
    rpc_subscribed(rpc, &device);
    assert_int_equal(sent, 0);
    id = persist(true, 600000, -1);
    assert_int_equal(store_rpc_delete_of(store, &device, NULL), STORE_OK);
    rpc_forget(rpc, &device);
    assert_int_equal(store_rpc_get(store, &id, note_row, NULL, NULL), STORE_NOT_FOUND);
}

static void expired_ones_are_not_loaded_again(void **state)
{
    (void)state;
    store_id_t id = persist(true, 600000, -1);
    assert_int_equal(store_rpc_expire_of(store, &device, NULL), STORE_OK);
    rpc_cancel(rpc, &device);
    is_now(&id, "EXPIRED", "-");
    rpc_close(rpc);
    open_rpc();
    subscribed = true;
    rpc_subscribed(rpc, &device);
    assert_int_equal(sent, 0);
}

static void a_new_owner_gets_no_answers_of_the_old(void **state)
{
    (void)state;
    subscribed = true;
    call(true, 5000);
    rpc_asked(rpc, &device, TB_V2, 7, "x", "null", 4);
    rpc_cancel(rpc, &device);
    assert_int_equal(done, 1);
    assert_int_equal(outcome, RPC_NO_SESSION);
    call(true, 5000);
    assert_int_equal(sent_id, 1);
    rpc_answered(rpc, &device, 0, "\"late\"", 6);
    assert_int_equal(done, 1);
    rpc_answered(rpc, &device, 1, "2", 1);
    assert_string_equal(text, "2");
    advance(70000);
    assert_int_equal(replies, 1); /* the device's own question goes on */
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(two_way_is_answered),
        T(one_way_ends_when_written),
        T(offline_waits),
        T(nobody_came),
        T(sent_again_in_the_next_session),
        T(a_connection_breaks_while_sending),
        T(limits),
        T(closing_answers_everybody),
        T(nobody_answers_a_device),
        T(the_steward_answers),
        T(too_many_questions),
        T(persistent_from_queued_to_successful),
        T(persistent_one_way_ends_delivered),
        T(persistent_expires),
        T(persistent_without_puback),
        T(persistent_survives_a_restart),
        T(persistent_is_taken_back),
        T(expired_ones_are_not_loaded_again),
        T(a_new_owner_gets_no_answers_of_the_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

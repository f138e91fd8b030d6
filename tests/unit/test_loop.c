/* SPDX-License-Identifier: Apache-2.0 */
/* lib/net: the event loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/loop.h"

static loop_t *loop;

static int setup(void **state)
{
    (void)state;
    return loop_open(&loop, NULL) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    loop_close(loop);
    loop = NULL;
    return 0;
}

/* ---- Timers ---- */

enum { TIMERS = 500 };
static loop_timer_t timers[TIMERS];
static uint64_t fired_due[TIMERS];
static size_t fired;

static void note(void *ctx)
{
    const loop_timer_t *timer = ctx;
    fired_due[fired++] = timer->due_ms;
}

static void timers_fire_in_order(void **state)
{
    (void)state;
    unsigned seed = 1;
    fired = 0;
    for (size_t i = 0; i < TIMERS; i++) {
        assert_true(loop_timer_start(loop, &timers[i], (uint64_t)rand_r(&seed) % 40, note,
                                     &timers[i], NULL));
    }
    /* Every third is moved, every fifth is stopped. */
    size_t stopped = 0;
    for (size_t i = 0; i < TIMERS; i++) {
        if (i % 5 == 0) {
            loop_timer_stop(loop, &timers[i]);
            assert_false(loop_timer_running(&timers[i]));
            stopped++;
        } else if (i % 3 == 0) {
            uint64_t delay = (uint64_t)rand_r(&seed) % 40;
            assert_true(loop_timer_start(loop, &timers[i], delay, note, &timers[i], NULL));
        }
    }
    uint64_t until = clock_monotonic_ms() + 100;
    while (clock_monotonic_ms() < until) {
        assert_true(loop_turn(loop, 5, NULL));
    }
    assert_int_equal(fired, TIMERS - stopped);
    for (size_t i = 1; i < fired; i++) {
        assert_true(fired_due[i - 1] <= fired_due[i]);
    }
}

static loop_timer_t again;
static int rounds;

static void restart(void *ctx)
{
    (void)ctx;
    rounds++;
    assert_true(loop_timer_start(loop, &again, 0, restart, NULL, NULL));
}

static void a_timer_that_restarts_itself_does_not_hold_the_loop(void **state)
{
    (void)state;
    rounds = 0;
    restart(NULL);
    assert_true(loop_turn(loop, 0, NULL));
    assert_true(rounds <= 2);
    loop_timer_stop(loop, &again);
}

static void timers_are_not_early(void **state)
{
    (void)state;
    uint64_t start = clock_monotonic_ms();
    fired = 0;
    assert_true(loop_timer_start(loop, &timers[0], 25, note, &timers[0], NULL));
    while (fired == 0) {
        assert_true(loop_turn(loop, -1, NULL));
    }
    assert_true(clock_monotonic_ms() - start >= 25);
}

/* ---- Descriptors ---- */

typedef struct {
    loop_fd_t watch;
    int fd[2];
    int calls;
    unsigned events;
    bool drain;
} pipe_t;

static void on_pipe(void *ctx, unsigned events)
{
    pipe_t *p = ctx;
    char byte;
    p->calls++;
    p->events = events;
    if (p->drain) {
        assert_int_equal(read(p->fd[0], &byte, 1), 1);
    }
}

static void pipe_open(pipe_t *p, unsigned events, loop_fd_fn_t fn)
{
    memset(p, 0, sizeof *p);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p->fd), 0);
    assert_true(loop_fd_add(loop, &p->watch, p->fd[0], events, fn, p, NULL));
}

static void pipe_close(pipe_t *p)
{
    loop_fd_remove(loop, &p->watch);
    close(p->fd[0]);
    close(p->fd[1]);
}

static void descriptors_are_level_triggered(void **state)
{
    (void)state;
    pipe_t p;
    pipe_open(&p, LOOP_READ, on_pipe);
    assert_true(loop_turn(loop, 0, NULL));
    assert_int_equal(p.calls, 0);
    assert_int_equal(write(p.fd[1], "x", 1), 1);
    assert_true(loop_turn(loop, 0, NULL));
    assert_true(loop_turn(loop, 0, NULL));
    assert_int_equal(p.calls, 2);
    assert_int_equal(p.events, LOOP_READ);
    p.drain = true;
    assert_true(loop_turn(loop, 0, NULL));
    assert_true(loop_turn(loop, 0, NULL));
    assert_int_equal(p.calls, 3);
    loop_fd_change(loop, &p.watch, LOOP_READ | LOOP_WRITE);
    p.drain = false;
    assert_true(loop_turn(loop, 0, NULL));
    assert_int_equal(p.events, LOOP_WRITE);
    pipe_close(&p);
}

static void hang_up_reaches_who_watches_nothing(void **state)
{
    (void)state;
    pipe_t p;
    pipe_open(&p, 0, on_pipe);
    close(p.fd[1]);
    assert_true(loop_turn(loop, 0, NULL));
    assert_int_equal(p.calls, 1);
    assert_int_equal(p.events, 0);
    loop_fd_remove(loop, &p.watch);
    close(p.fd[0]);
}

/* Two descriptors are ready in the same turn; whoever is called first frees the other. */
static pipe_t *victims[2];

static void kill_the_other(void *ctx, unsigned events)
{
    pipe_t *me = ctx;
    int other = victims[0] == me ? 1 : 0;
    (void)events;
    me->calls++;
    assert_non_null(victims[other]);
    pipe_close(victims[other]);
    free(victims[other]);
    victims[other] = NULL;
}

static void a_removed_watch_is_not_called(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        victims[i] = malloc(sizeof(pipe_t));
        assert_non_null(victims[i]);
        pipe_open(victims[i], LOOP_READ, kill_the_other);
        assert_int_equal(write(victims[i]->fd[1], "x", 1), 1);
    }
    assert_true(loop_turn(loop, 0, NULL));
    pipe_t *left = victims[0] != NULL ? victims[0] : victims[1];
    assert_true((victims[0] == NULL) != (victims[1] == NULL));
    assert_int_equal(left->calls, 1);
    pipe_close(left);
    free(left);
}

/* ---- Turn's end, wake-up, signals ---- */

static int turn_ends;

static void count_turn(void *ctx)
{
    (void)ctx;
    turn_ends++;
}

static void the_hook_runs_once_for_many_events(void **state)
{
    (void)state;
    pipe_t p[3];
    for (int i = 0; i < 3; i++) {
        pipe_open(&p[i], LOOP_READ, on_pipe);
        assert_int_equal(write(p[i].fd[1], "x", 1), 1);
    }
    turn_ends = 0;
    loop_at_turn_end(loop, count_turn, NULL);
    assert_true(loop_turn(loop, 0, NULL));
    assert_int_equal(turn_ends, 1);
    assert_int_equal(p[0].calls + p[1].calls + p[2].calls, 3);
    for (int i = 0; i < 3; i++) {
        pipe_close(&p[i]);
    }
    assert_true(loop_turn(loop, 0, NULL));
    assert_int_equal(turn_ends, 1);
}

static int woken;

static void on_woken(void *ctx)
{
    (void)ctx;
    woken++;
    loop_stop(loop);
}

static void *wake_later(void *arg)
{
    usleep(5000);
    loop_wake(arg);
    return NULL;
}

static void another_thread_wakes_the_loop(void **state)
{
    (void)state;
    pthread_t thread;
    woken = 0;
    loop_on_wake(loop, on_woken, NULL);
    assert_int_equal(pthread_create(&thread, NULL, wake_later, loop), 0);
    assert_true(loop_run(loop, NULL));
    assert_int_equal(woken, 1);
    pthread_join(thread, NULL);
}

static void a_signal_stops_the_loop(void **state)
{
    (void)state;
    sigset_t old;
    sigprocmask(SIG_SETMASK, NULL, &old);
    assert_true(loop_stop_on_signals(loop, NULL));
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_true(loop_run(loop, NULL));
    sigprocmask(SIG_SETMASK, &old, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(timers_fire_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_timer_that_restarts_itself_does_not_hold_the_loop, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(timers_are_not_early, setup, teardown),
        cmocka_unit_test_setup_teardown(descriptors_are_level_triggered, setup, teardown),
        cmocka_unit_test_setup_teardown(hang_up_reaches_who_watches_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_removed_watch_is_not_called, setup, teardown),
        cmocka_unit_test_setup_teardown(the_hook_runs_once_for_many_events, setup, teardown),
        cmocka_unit_test_setup_teardown(another_thread_wakes_the_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(a_signal_stops_the_loop, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop: one thread that waits for file descriptors (epoll), timers, signals and wake-ups, and calls
 * back. Everything that a program decides runs inside these callbacks, one after the other.
 *
 * Life cycle: loop_open, then add what is to be watched, loop_run until somebody calls loop_stop,
 * remove what was added, loop_close. Watches and timers are plain structs that the caller embeds in
 * his own; the loop keeps pointers to them and never frees one. Inside any callback it is allowed
 * to add, change and remove any watch or timer, the one being called included: after loop_fd_remove
 * (or loop_timer_stop) returns, its callback is not called again and the struct may be freed.
 *
 * Only loop_wake may be called from another thread or from a signal handler. loop_open makes the
 * process ignore SIGPIPE: a write to a closed socket must be an error, not death.
 *
 * Callbacks must not block: while one runs nothing else does. A callback that does not take what
 * made it ready is called again in the next turn (level triggered).
 */
#ifndef CRADLE_NET_LOOP_H
#define CRADLE_NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct loop loop_t;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

/* `events`: LOOP_READ, LOOP_WRITE or both. A descriptor in error or hung up reports what is
   watched, so that the next read or write shows the error; while nothing is watched it reports 0.
 */
typedef void (*loop_fd_fn_t)(void *ctx, unsigned events);
typedef void (*loop_fn_t)(void *ctx);

/* Fields are private; zero it before the first use. */
typedef struct {
    int fd;
    unsigned watched;
    loop_fd_fn_t fn;
    void *ctx;
    bool added;
} loop_fd_t;

typedef struct {
    uint64_t due_ms;
    size_t place; /* 1 + index in the heap; 0: not running */
    loop_fn_t fn;
    void *ctx;
} loop_timer_t;

bool loop_open(loop_t **loop, err_t *err);

/* As many open descriptors as the system lets this process have: for a server, where each device is
   one. What the system refuses is no error; it shows as a connection that cannot be taken. */
void loop_raise_files(void);

/* Everything added must have been removed. NULL is allowed. */
void loop_close(loop_t *loop);

/* Runs until loop_stop, which may be called before. False when the kernel refuses to wait. */
bool loop_run(loop_t *loop, err_t *err);
void loop_stop(loop_t *loop);

/* One turn: waits at most `timeout_ms` (-1: until something happens), calls back what is due. For
   programs and tests that have a loop of their own. */
bool loop_turn(loop_t *loop, int timeout_ms, err_t *err);

/* Milliseconds of the monotonic clock, read once a turn. */
uint64_t loop_now_ms(const loop_t *loop);

/* Watches a descriptor, which stays the caller's: remove it before it is closed. `events` may be 0
   (only errors) and is changed with loop_fd_change. */
bool loop_fd_add(loop_t *loop, loop_fd_t *watch, int fd, unsigned events, loop_fd_fn_t fn,
                 void *ctx, err_t *err);
void loop_fd_change(loop_t *loop, loop_fd_t *watch, unsigned events);
void loop_fd_remove(loop_t *loop, loop_fd_t *watch); /* no harm when it is not added */

/* Calls `fn` once, `delay_ms` from now; starting a running timer moves it. */
bool loop_timer_start(loop_t *loop, loop_timer_t *timer, uint64_t delay_ms, loop_fn_t fn, void *ctx,
                      err_t *err);
void loop_timer_stop(loop_t *loop, loop_timer_t *timer); /* no harm when it does not run */
bool loop_timer_running(const loop_timer_t *timer);

/* Called at the end of every turn in which something was called back: for what is done once for
   many events, a commit say. One hook; NULL takes it away. */
void loop_at_turn_end(loop_t *loop, loop_fn_t fn, void *ctx);

/* SIGTERM and SIGINT call loop_stop. The signals are blocked in this thread and in threads started
   later; call it before any thread is started. */
bool loop_stop_on_signals(loop_t *loop, err_t *err);

/* `fn` is called in the loop's thread once or more after each loop_wake. One hook. */
void loop_on_wake(loop_t *loop, loop_fn_t fn, void *ctx);
void loop_wake(loop_t *loop); /* any thread, signal handler */

#endif

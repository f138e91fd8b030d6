/* SPDX-License-Identifier: Apache-2.0 */
/* loop: epoll for descriptors, a binary heap for timers, signalfd and eventfd for the rest. */
#include "net/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"

enum { BATCH = 256 };

struct loop {
    int epoll;
    uint64_t now_ms;
    bool stop;

    /* What the kernel reported in this turn. An entry whose watch is removed meanwhile becomes
       NULL, so that nothing freed is called. */
    struct epoll_event ready[BATCH];
    int ready_count;
    int ready_at;

    loop_timer_t **heap; /* heap[0] is due first */
    size_t heap_len, heap_cap;

    loop_fn_t turn_end;
    void *turn_end_ctx;

    loop_fd_t wake_watch;
    int wake_fd;
    loop_fn_t wake;
    void *wake_ctx;

    loop_fd_t signal_watch;
    int signal_fd;
};

/* ---- Timers ---------------------------------------------------------------------------------- */

static void heap_set(loop_t *loop, size_t at, loop_timer_t *timer)
{
    loop->heap[at] = timer;
    timer->place = at + 1;
}

static void heap_up(loop_t *loop, size_t at)
{
    loop_timer_t *timer = loop->heap[at];
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (loop->heap[parent]->due_ms <= timer->due_ms) {
            break;
        }
        heap_set(loop, at, loop->heap[parent]);
        at = parent;
    }
    heap_set(loop, at, timer);
}

static void heap_down(loop_t *loop, size_t at)
{
    loop_timer_t *timer = loop->heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= loop->heap_len) {
            break;
        }
        if (child + 1 < loop->heap_len &&
            loop->heap[child + 1]->due_ms < loop->heap[child]->due_ms) {
            child++;
        }
        if (timer->due_ms <= loop->heap[child]->due_ms) {
            break;
        }
        heap_set(loop, at, loop->heap[child]);
        at = child;
    }
    heap_set(loop, at, timer);
}

bool loop_timer_start(loop_t *loop, loop_timer_t *timer, uint64_t delay_ms, loop_fn_t fn, void *ctx,
                      err_t *err)
{
    timer->fn = fn;
    timer->ctx = ctx;
    /* From the real now: a callback may have run for a while since the turn began. */
    timer->due_ms = clock_monotonic_ms() + delay_ms;
    if (timer->place != 0) {
        heap_up(loop, timer->place - 1);
        heap_down(loop, timer->place - 1);
        return true;
    }
    if (loop->heap_len == loop->heap_cap) {
        size_t cap = loop->heap_cap == 0 ? 64 : 2 * loop->heap_cap;
        loop_timer_t **grown = realloc(loop->heap, cap * sizeof *grown);
        if (grown == NULL) {
            return err_set(err, ERR_SYSTEM, "no memory for a timer");
        }
        loop->heap = grown;
        loop->heap_cap = cap;
    }
    heap_set(loop, loop->heap_len, timer);
    loop->heap_len++;
    heap_up(loop, loop->heap_len - 1);
    return true;
}

void loop_timer_stop(loop_t *loop, loop_timer_t *timer)
{
    if (timer->place == 0) {
        return;
    }
    size_t at = timer->place - 1;
    timer->place = 0;
    loop->heap_len--;
    if (at < loop->heap_len) {
        loop_timer_t *last = loop->heap[loop->heap_len];
        heap_set(loop, at, last);
        heap_up(loop, at);
        heap_down(loop, last->place - 1);
    }
}

bool loop_timer_running(const loop_timer_t *timer)
{
    return timer->place != 0;
}

/* Calls what is due now. A timer that a callback starts anew with no delay waits for the next turn,
   so that descriptors get their share. */
static bool timers_run(loop_t *loop)
{
    uint64_t now = loop->now_ms;
    size_t limit = loop->heap_len;
    bool any = false;
    while (limit-- > 0 && loop->heap_len > 0 && loop->heap[0]->due_ms <= now) {
        loop_timer_t *timer = loop->heap[0];
        loop_timer_stop(loop, timer);
        timer->fn(timer->ctx);
        any = true;
    }
    return any;
}

static int wait_ms(const loop_t *loop, int timeout_ms)
{
    if (loop->stop) {
        return 0;
    }
    if (loop->heap_len == 0) {
        return timeout_ms;
    }
    uint64_t now = clock_monotonic_ms();
    uint64_t due = loop->heap[0]->due_ms;
    uint64_t left = due > now ? due - now : 0;
    if (left > 3600 * 1000) {
        left = 3600 * 1000;
    }
    return timeout_ms >= 0 && (uint64_t)timeout_ms < left ? timeout_ms : (int)left;
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

static uint32_t to_epoll(unsigned events)
{
    return ((events & LOOP_READ) != 0 ? EPOLLIN : 0) | ((events & LOOP_WRITE) != 0 ? EPOLLOUT : 0);
}

bool loop_fd_add(loop_t *loop, loop_fd_t *watch, int fd, unsigned events, loop_fd_fn_t fn,
                 void *ctx, err_t *err)
{
    *watch = (loop_fd_t){.fd = fd, .watched = events, .fn = fn, .ctx = ctx, .added = true};
    struct epoll_event event = {.events = to_epoll(events), .data = {.ptr = watch}};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        watch->added = false;
        return err_errno(err, "cannot watch a file descriptor");
    }
    return true;
}

void loop_fd_change(loop_t *loop, loop_fd_t *watch, unsigned events)
{
    if (!watch->added || watch->watched == events) {
        return;
    }
    watch->watched = events;
    struct epoll_event event = {.events = to_epoll(events), .data = {.ptr = watch}};
    /* Cannot fail for a descriptor that is in the set and needs no memory for a change. */
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_MOD, watch->fd, &event);
}

void loop_fd_remove(loop_t *loop, loop_fd_t *watch)
{
    if (!watch->added) {
        return;
    }
    watch->added = false;
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    for (int i = loop->ready_at; i < loop->ready_count; i++) {
        if (loop->ready[i].data.ptr == watch) {
            loop->ready[i].data.ptr = NULL;
        }
    }
}

static bool descriptors_run(loop_t *loop)
{
    for (loop->ready_at = 0; loop->ready_at < loop->ready_count;) {
        const struct epoll_event *event = &loop->ready[loop->ready_at++];
        loop_fd_t *watch = event->data.ptr;
        if (watch == NULL) {
            continue;
        }
        unsigned events = ((event->events & EPOLLIN) != 0 ? LOOP_READ : 0) |
                          ((event->events & EPOLLOUT) != 0 ? LOOP_WRITE : 0);
        if ((event->events & (EPOLLERR | EPOLLHUP)) != 0) {
            events = LOOP_READ | LOOP_WRITE;
        }
        /* What it asked for when the kernel looked may not be what it asks for now. */
        events &= watch->watched;
        if (events != 0 || (event->events & (EPOLLERR | EPOLLHUP)) != 0) {
            watch->fn(watch->ctx, events);
        }
    }
    bool any = loop->ready_count > 0;
    loop->ready_count = 0;
    return any;
}

/* ---- Turns ----------------------------------------------------------------------------------- */

bool loop_turn(loop_t *loop, int timeout_ms, err_t *err)
{
    int count = epoll_wait(loop->epoll, loop->ready, BATCH, wait_ms(loop, timeout_ms));
    if (count < 0 && errno != EINTR) {
        return err_errno(err, "cannot wait for events");
    }
    loop->ready_count = count < 0 ? 0 : count;
    loop->now_ms = clock_monotonic_ms();
    bool any = descriptors_run(loop);
    any = timers_run(loop) || any;
    if (any && loop->turn_end != NULL) {
        loop->turn_end(loop->turn_end_ctx);
    }
    return true;
}

bool loop_run(loop_t *loop, err_t *err)
{
    while (!loop->stop) {
        if (!loop_turn(loop, -1, err)) {
            return false;
        }
    }
    loop->stop = false;
    return true;
}

void loop_stop(loop_t *loop)
{
    loop->stop = true;
}

uint64_t loop_now_ms(const loop_t *loop)
{
    return loop->now_ms;
}

void loop_at_turn_end(loop_t *loop, loop_fn_t fn, void *ctx)
{
    loop->turn_end = fn;
    loop->turn_end_ctx = ctx;
}

/* ---- Signals and wake-ups -------------------------------------------------------------------- */

static void on_signal(void *ctx, unsigned events)
{
    loop_t *loop = ctx;
    struct signalfd_siginfo info;
    (void)events;
    if (read(loop->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        loop->stop = true;
    }
}

bool loop_stop_on_signals(loop_t *loop, err_t *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        return err_errno(err, "cannot block signals");
    }
    loop->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (loop->signal_fd < 0) {
        return err_errno(err, "cannot receive signals");
    }
    return loop_fd_add(loop, &loop->signal_watch, loop->signal_fd, LOOP_READ, on_signal, loop, err);
}

static void on_woken(void *ctx, unsigned events)
{
    loop_t *loop = ctx;
    uint64_t count;
    (void)events;
    if (read(loop->wake_fd, &count, sizeof count) == (ssize_t)sizeof count && loop->wake != NULL) {
        loop->wake(loop->wake_ctx);
    }
}

void loop_on_wake(loop_t *loop, loop_fn_t fn, void *ctx)
{
    loop->wake = fn;
    loop->wake_ctx = ctx;
}

void loop_wake(loop_t *loop)
{
    uint64_t one = 1;
    int saved = errno;
    /* Full means that a wake-up is under way already. */
    ssize_t written = write(loop->wake_fd, &one, sizeof one);
    (void)written;
    errno = saved;
}

/* ---- Life ------------------------------------------------------------------------------------ */

void loop_raise_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

bool loop_open(loop_t **out, err_t *err)
{
    signal(SIGPIPE, SIG_IGN);
    loop_t *loop = calloc(1, sizeof *loop);
    if (loop == NULL) {
        return err_set(err, ERR_SYSTEM, "no memory for the event loop");
    }
    loop->signal_fd = -1;
    loop->now_ms = clock_monotonic_ms();
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->epoll < 0 || loop->wake_fd < 0) {
        err_errno(err, "cannot make the event loop");
        loop_close(loop);
        return false;
    }
    if (!loop_fd_add(loop, &loop->wake_watch, loop->wake_fd, LOOP_READ, on_woken, loop, err)) {
        loop_close(loop);
        return false;
    }
    *out = loop;
    return true;
}

void loop_close(loop_t *loop)
{
    if (loop == NULL) {
        return;
    }
    if (loop->signal_fd >= 0) {
        close(loop->signal_fd);
    }
    if (loop->wake_fd >= 0) {
        close(loop->wake_fd);
    }
    if (loop->epoll >= 0) {
        close(loop->epoll);
    }
    free(loop->heap);
    free(loop);
}

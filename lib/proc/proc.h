/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc: child processes for who tells a story with real programs: the demo and the black-box tests.
 *
 * Children are started with posix_spawn-like care: no shell, standard input from /dev/null, every
 * other descriptor of ours is O_CLOEXEC, and on Linux they receive SIGKILL when their starter dies,
 * so that nothing is left running. A Ctrl-C at the terminal reaches the starter only, which stops
 * them in the order it needs. Blocking.
 */
#ifndef CRADLE_PROC_PROC_H
#define CRADLE_PROC_PROC_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

typedef struct {
    pid_t pid; /* 0: not running */
} proc_t;

/* Starts argv[0] (a path, or a name in PATH; argv ends with NULL) with standard output and error
   appended to `log_path`. `outlive` true: it goes on when we end. */
bool proc_start(proc_t *proc, const char *const argv[], const char *log_path, bool outlive,
                err_t *err);

/* Has it ended? *status as from waitpid. */
bool proc_ended(proc_t *proc, int *status);

/* SIGTERM, then SIGKILL after `timeout_ms`. True when it ended by itself with status 0. */
bool proc_stop(proc_t *proc, int timeout_ms);

/* SIGKILL and wait: a process that gets no chance to tidy up. */
void proc_kill(proc_t *proc);

/* Runs a program to its end with `input` (may be NULL) on its standard input. *out is heap memory
   with its standard output (at most 1 MiB, NUL terminated), *code its exit code, or 128 + signal.
   Standard error goes to `log_path`, or where ours goes when it is NULL. False only when it could
   not be run, or ran longer than `timeout_ms` (then it is killed). The caller frees *out. */
bool proc_run(const char *const argv[], const char *input, const char *log_path, int timeout_ms,
              char **out, int *code, err_t *err);

/* From now on proc_run stops its program (SIGTERM, then SIGKILL) and fails as soon as *flag is not
   0, within 0.2 s; NULL: no longer. For a handler of signals, which may only set it. */
void proc_stop_when(const volatile sig_atomic_t *flag);

/* The path of a program that stands beside our own executable. */
bool proc_beside(const char *name, char *out, size_t cap, err_t *err);

#endif

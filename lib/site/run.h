/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run: how processes of a site find one another. A program that is ready writes
 * run/NAME.json = {"pid":1,"addresses":{"mqtts":"127.0.0.1:8883"}}, renamed into place; who started
 * it waits for that. A file of a process that is no more is stale and treated as absent: the pid is
 * gone, or belongs to a process that started after the file was written.
 */
#ifndef CRADLE_SITE_RUN_H
#define CRADLE_SITE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "site/site.h"

/* Where a listener of the process is to be reached: {"mqtts", "127.0.0.1:8883"}. */
typedef struct {
    const char *listener;
    const char *address;
} site_run_listener_t;

/* NAME is "cloud" or "device-SN": letters, digits and -_. only. The file says this process, and has
   at most SITE_RUN_MAX bytes (ERR_USAGE). Replaces its own and a stale file; ERR_PRECONDITION when
   another live process has one. */
bool site_run_write(const site_t *site, const char *name, const site_run_listener_t *listeners,
                    size_t count, err_t *err);

/* Removes the file if it is this process's own. Safe to call at any time. */
void site_run_remove(const site_t *site, const char *name);

/* The text of a live run file, and its pid (may be NULL). ERR_PRECONDITION: not running. */
bool site_run_read(const site_t *site, const char *name, char out[SITE_RUN_MAX + 1], pid_t *pid,
                   err_t *err);

/* The address of one listener: site_run_address(site, "cloud", "mqtts", out, err). */
bool site_run_address(const site_t *site, const char *name, const char *listener,
                      char out[SITE_HOST_SIZE], err_t *err);

/* Waits until it is there. `child` > 0: it must be that process, which the caller started; its
   early death ends the wait with ERR_PEER (it is left for the caller to reap). ERR_PRECONDITION on
   time-out. */
bool site_run_wait(const site_t *site, const char *name, pid_t child, int timeout_ms,
                   char out[SITE_RUN_MAX + 1], err_t *err);

#endif

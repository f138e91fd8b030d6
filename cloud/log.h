/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log: lines on standard error, one an event:
 *
 *     2026-11-25T07:30:01.123Z warn refused peer=127.0.0.1:40112 cn="SN-000007" why="..."
 *
 * Foreign texts go through log_text first: bounded, quoted, control characters and quotes replaced.
 * Each kind of event has at most LOG_PER_SECOND lines a second; what is more is counted, and the
 * next line of that kind that is written says how many were left out. Never a secret.
 */
#ifndef CRADLE_CLOUD_LOG_H
#define CRADLE_CLOUD_LOG_H

#include <stdbool.h>
#include <stddef.h>

#define LOG_PER_SECOND 50
#define LOG_TEXT_MAX   160

typedef enum { LOG_INFO, LOG_WARN, LOG_ERROR } log_level_t;

/* `event` is a static word: the kind. */
void cloud_log(log_level_t level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A foreign text made harmless, in quotes, in a buffer of at least 4 bytes. Returns `out`. */
const char *log_text(const char *text, size_t len, char *out, size_t cap);

#endif

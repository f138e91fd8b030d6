/* SPDX-License-Identifier: Apache-2.0 */
/* log: one line an event on standard error, with the time in UTC. No secret goes into it; control
   characters of foreign texts are shown as '?'. */
#ifndef CRADLE_STEWARD_LOG_H
#define CRADLE_STEWARD_LOG_H

/* A refusal of somebody who may be anybody: 60 at once, then one a second; how many were left out
   is said with the next. */
void steward_log_refusal(void *ctx, const char *text);

void steward_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For settings that take a log function; `ctx` is not used. */
void steward_log_line(void *ctx, const char *text);

#endif

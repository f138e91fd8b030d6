/* SPDX-License-Identifier: Apache-2.0 */
/* report: what was measured, beside the goal: a table, or JSON lines for programs. */
#ifndef CRADLE_BENCH_REPORT_H
#define CRADLE_BENCH_REPORT_H

#include <stdbool.h>

typedef struct report report_t;

report_t *report_new(bool json);

/* One line. `at_least`: the goal is a lower bound. goal 0: none, only told. */
void report_add(report_t *report, const char *what, const char *measured, double value,
                bool at_least, double goal);

/* Prints and frees; false when a goal was missed. */
bool report_end(report_t *report);

#endif

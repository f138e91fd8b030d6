/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/report.h"

#include <stdio.h>
#include <stdlib.h>

#include "json/json.h"
#include "term/term.h"

struct report {
    term_table_t *table; /* NULL: JSON */
    bool missed;
};

report_t *report_new(bool json)
{
    report_t *report = calloc(1, sizeof *report);
    if (report == NULL) {
        exit(1);
    }
    report->table = json ? NULL : term_table_new("WHAT|MEASURED|VALUE|GOAL|VERDICT");
    return report;
}

void report_add(report_t *report, const char *what, const char *measured, double value,
                bool at_least, double goal)
{
    bool met = goal == 0 || (at_least ? value >= goal : value <= goal);
    char number[32], bound[32] = "";
    report->missed = report->missed || !met;
    snprintf(number, sizeof number, "%.3g", value);
    if (goal != 0) {
        snprintf(bound, sizeof bound, "%s %g", at_least ? ">=" : "<=", goal);
    }
    if (report->table != NULL) {
        term_table_row(report->table, what, measured, number, bound,
                       goal == 0 ? ""
                       : met     ? "met"
                                 : "MISSED");
        return;
    }
    char text[512];
    json_writer_t w;
    json_writer_init(&w, text, sizeof text);
    json_object(&w);
    json_key(&w, "what");
    json_put_string(&w, what);
    json_key(&w, "measured");
    json_put_string(&w, measured);
    json_key(&w, "value");
    json_put_double(&w, value);
    if (goal != 0) {
        json_key(&w, "goal");
        json_put_double(&w, goal);
        json_key(&w, "at_least");
        json_put_bool(&w, at_least);
        json_key(&w, "met");
        json_put_bool(&w, met);
    }
    json_end(&w);
    if (json_writer_done(&w, NULL)) {
        puts(text);
    }
}

bool report_end(report_t *report)
{
    bool ok = !report->missed;
    if (report->table != NULL) {
        term_table_print(report->table, stdout);
        term_table_free(report->table);
    }
    free(report);
    return ok;
}

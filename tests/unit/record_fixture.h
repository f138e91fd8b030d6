/* SPDX-License-Identifier: Apache-2.0 */
/* A steward's record in a folder of its own, and what its tests share. */
#ifndef CRADLE_TESTS_RECORD_FIXTURE_H
#define CRADLE_TESTS_RECORD_FIXTURE_H

#include "steward/record.h"

extern record_t *record;
extern char dir[64];
extern char path[96];

int open_record(void **state);
int close_record(void **state);
void reopen(void);

/* SQL beside the record, as a damaged or foreign file has it. */
void execute(const char *sql);

/* ERR_INPUT, and the text names the column. */
void expect_damage(bool ok, const err_t *err, const char *column);

/* What a callback has seen, in words; it stops after `limit` of them (-1: never). */
typedef struct {
    char text[256];
    int limit;
} list_t;
void list_add(list_t *list, const char *text);

#define CASE(name) cmocka_unit_test_setup_teardown(name, open_record, close_record)

#endif

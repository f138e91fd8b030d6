/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of the steward's record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "record_fixture.h"

record_t *record;
char dir[64];
char path[96];

int open_record(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/cradle-record-XXXXXX");
    if (mkdtemp(dir) == NULL) {
        return 1;
    }
    snprintf(path, sizeof path, "%s/steward.db", dir);
    err_t err = ERR_INIT;
    return record_open(&record, path, &err) ? 0 : 1;
}

int close_record(void **state)
{
    (void)state;
    record_close(record);
    record = NULL;
    return file_remove_tree(dir, NULL) ? 0 : 1;
}

void reopen(void)
{
    record_close(record);
    assert_true(record_open(&record, path, NULL));
}

void execute(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 1000);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

void expect_damage(bool ok, const err_t *err, const char *column)
{
    assert_false(ok);
    assert_int_equal(err->kind, ERR_INPUT);
    assert_non_null(strstr(err->text, "damaged"));
    assert_non_null(strstr(err->text, column));
}

void list_add(list_t *list, const char *text)
{
    size_t len = strlen(list->text);
    snprintf(list->text + len, sizeof list->text - len, "%s ", text);
}

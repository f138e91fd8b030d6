/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every column of random rows, edited by hand in the SQLite file: found, and the place is named.
 * EDITS (rows, default 12) and SEED (default: the time) from the environment; the seed is printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sqlite3.h>

#include "base/file.h"
#include "custody/custody.h"

#define ROWS 150 /* of each writer */

static char base[] = "/tmp/cradle-edit-XXXXXX";
static char whole[FILE_PATH_MAX], edited[FILE_PATH_MAX];
static const char *const writers[] = {"line", "line-2"};

static void require(bool ok, const err_t *err)
{
    if (!ok) {
        fail_msg("%s", err->text);
    }
}

static void fill(const char *writer, int which)
{
    custody_t *custody;
    err_t err = ERR_INIT;
    require(custody_open(whole, writer, &custody, &err), &err);
    for (int i = 1; i <= ROWS; i++) {
        char sn[32], detail[64];
        snprintf(sn, sizeof sn, "SN-%d%05d", which, i);
        snprintf(detail, sizeof detail, "{\"mac\":\"02:00:00:00:00:%02x\",\"i\":%d}", i, i);
        const custody_event_t event = {
            .sn = sn, .kind = i % 3 == 0 ? "test" : "identity", .detail = detail};
        require(custody_append(custody, &event, 1, 1000 + i, &err), &err);
    }
    custody_close(custody);
}

static int setup(void **state)
{
    (void)state;
    if (mkdtemp(base) == NULL) {
        return -1;
    }
    snprintf(whole, sizeof whole, "%s/whole.db", base);
    snprintf(edited, sizeof edited, "%s/edited.db", base);
    fill(writers[0], 1);
    fill(writers[1], 2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return file_remove_tree(base, NULL) ? 0 : -1;
}

static void copy(void)
{
    char *data;
    char extra[FILE_PATH_MAX + 8];
    size_t len;
    err_t err = ERR_INIT;
    require(file_read(whole, 1 << 24, &data, &len, &err), &err);
    require(file_write(edited, data, len, 0600, &err), &err);
    free(data);
    snprintf(extra, sizeof extra, "%s-wal", edited);
    unlink(extra);
    snprintf(extra, sizeof extra, "%s-shm", edited);
    unlink(extra);
}

static void edit(const char *sql)
{
    sqlite3 *db;
    char *why = NULL;
    assert_int_equal(sqlite3_open(edited, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
        fail_msg("%s: %s", sql, why);
    }
    assert_int_equal(sqlite3_changes(db), 1);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

typedef struct {
    const char *writer;
    uint64_t seq;
    bool near; /* a finding names this row, the one after it, or the place where it was */
} place_t;

static void note(void *context, const custody_finding_t *finding)
{
    place_t *place = context;
    place->near = place->near || (strcmp(finding->writer, place->writer) == 0 &&
                                  (finding->seq == place->seq || finding->seq == place->seq + 1));
}

static void expect_found(const char *what, const char *writer, uint64_t seq)
{
    place_t place = {writer, seq, false};
    custody_t *custody;
    custody_verdict_t verdict;
    err_t err = ERR_INIT;
    require(custody_open(edited, NULL, &custody, &err), &err);
    require(custody_verify(custody, NULL, 0, note, &place, &verdict, &err), &err);
    custody_close(custody);
    if (verdict.faults == 0 || !place.near) {
        fail_msg("%s of entry %" PRIu64 " of %s: %" PRIu64 " faults, place %s", what, seq, writer,
                 verdict.faults, place.near ? "named" : "not named");
    }
}

/* What a hand might do to each column; the last row of a chain cannot be told when it is removed
   (a checkpoint does that), so rows before it are taken. */
static const struct {
    const char *what, *sql;
} edits[] = {
    {"writer", "UPDATE entry SET writer = 'line-9'"},
    {"seq", "UPDATE entry SET seq = seq + 100000"},
    {"time_ms", "UPDATE entry SET time_ms = time_ms + 1"},
    {"sn", "UPDATE entry SET sn = 'SN-777777'"},
    {"kind", "UPDATE entry SET kind = 'scrap'"},
    {"number", "UPDATE entry SET number = number + 1"},
    {"detail", "UPDATE entry SET detail = replace(detail, '02:', '03:')"},
    {"a space in detail", "UPDATE entry SET detail = detail || ' '"},
    {"prev", "UPDATE entry SET prev = randomblob(32)"},
    {"hash", "UPDATE entry SET hash = randomblob(32)"},
    {"a short hash", "UPDATE entry SET hash = x'00'"},
    {"the row", "DELETE FROM entry"},
};

static void test_edits(void **state)
{
    (void)state;
    const char *text = getenv("SEED");
    unsigned seed = text != NULL ? (unsigned)strtoul(text, NULL, 10) : (unsigned)time(NULL);
    int rows = getenv("EDITS") != NULL ? atoi(getenv("EDITS")) : 12;
    print_message("seed %u, %d rows, %zu edits each\n", seed, rows, sizeof edits / sizeof edits[0]);
    srandom(seed);
    for (int i = 0; i < rows; i++) {
        const char *writer = writers[random() % 2];
        unsigned seq = 1 + (unsigned)(random() % (ROWS - 1));
        for (size_t k = 0; k < sizeof edits / sizeof edits[0]; k++) {
            char sql[256];
            snprintf(sql, sizeof sql, "%s WHERE writer = '%s' AND seq = %u", edits[k].sql, writer,
                     seq);
            copy();
            edit(sql);
            expect_found(edits[k].what, writer, seq);
        }
    }
    /* And an unedited one has none. */
    copy();
    custody_t *custody;
    custody_verdict_t verdict;
    assert_true(custody_open(edited, NULL, &custody, NULL));
    assert_true(custody_verify(custody, NULL, 0, NULL, NULL, &verdict, NULL));
    assert_int_equal(verdict.faults, 0);
    assert_int_equal(verdict.entries, 2 * ROWS);
    custody_close(custody);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_edits)};
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* lib/custody: the record, and what happens to those who edit it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <sqlite3.h>

#include "base/bytes.h"
#include "base/file.h"
#include "custody/custody.h"

static char base[] = "/tmp/cradle-custody-XXXXXX";
static char path[FILE_PATH_MAX];

static int setup(void **state)
{
    (void)state;
    return mkdtemp(base) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    return file_remove_tree(base, NULL) ? 0 : -1;
}

/* A name of a record that does not exist yet. */
static int fresh(void **state)
{
    static int number;
    (void)state;
    snprintf(path, sizeof path, "%s/%d.db", base, ++number);
    return 0;
}

static custody_t *open_as(const char *writer)
{
    custody_t *custody;
    err_t err = ERR_INIT;
    if (!custody_open(path, writer, &custody, &err)) {
        fail_msg("%s", err.text);
    }
    return custody;
}

static void append(custody_t *custody, const char *sn, const char *kind, const char *detail)
{
    err_t err = ERR_INIT;
    custody_event_t event = {sn, kind, detail, 0};
    if (!custody_append(custody, &event, 1, 1000, &err)) {
        fail_msg("%s", err.text);
    }
}

/* The record edited behind the library's back. */
static void edit(const char *sql)
{
    sqlite3 *db;
    char *why = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
        fail_msg("%s: %s", sql, why);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

typedef struct {
    custody_finding_t finding[64];
    size_t count;
} findings_t;

static void note(void *context, const custody_finding_t *finding)
{
    findings_t *findings = context;
    if (findings->count < 64) {
        findings->finding[findings->count] = *finding;
    }
    findings->count++;
}

static findings_t verify_with(const custody_checkpoint_t *known, size_t count, uint64_t *entries)
{
    findings_t findings = {.count = 0};
    custody_verdict_t verdict;
    err_t err = ERR_INIT;
    custody_t *custody = open_as(NULL);
    if (!custody_verify(custody, known, count, note, &findings, &verdict, &err)) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(verdict.faults, findings.count);
    if (entries != NULL) {
        *entries = verdict.entries;
    }
    custody_close(custody);
    return findings;
}

static void expect_one(custody_fault_t fault, uint64_t seq, const char *sn)
{
    findings_t findings = verify_with(NULL, 0, NULL);
    if (findings.count != 1 || findings.finding[0].fault != fault ||
        findings.finding[0].seq != seq || strcmp(findings.finding[0].sn, sn) != 0) {
        for (size_t i = 0; i < findings.count; i++) {
            print_message("  %s %s\n", custody_fault_name(findings.finding[i].fault),
                          findings.finding[i].text);
        }
        fail_msg("wanted one %s at %" PRIu64, custody_fault_name(fault), seq);
    }
}

/* The vector of custody.h. */
static void test_vector(void **state)
{
    (void)state;
    custody_entry_t entry = {.writer = "line",
                             .seq = 1,
                             .time_ms = 1000,
                             .sn = "SN-000001",
                             .kind = "identity",
                             .detail = "{\"a\":1}"};
    const uint8_t zero[32] = {0};
    uint8_t hash[32];
    char hex[65];
    assert_true(custody_hash(&entry, zero, hash));
    assert_true(bytes_to_hex(hash, 32, hex, sizeof hex));
    assert_string_equal(hex, "24184e1ea53fde0ec57e8d4decc86cc4f7c3cfe7b6fca6c47fe32926a31d9873");
    custody_t *custody = open_as("line");
    append(custody, "SN-000001", "identity", "{\"a\":1}");
    custody_checkpoint_t point;
    assert_true(custody_checkpoint(custody, "line", &point, NULL));
    assert_int_equal(point.seq, 1);
    assert_memory_equal(point.hash, hash, 32);
    custody_close(custody);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

/* Four units of one writer and two entries of another, written once and then copied: each append is
   synced, and the tests that edit need many of them. */
static void fill(void)
{
    static char *master;
    static size_t len;
    if (master != NULL) {
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        assert_int_equal(fwrite(master, 1, len, file), len);
        assert_int_equal(fclose(file), 0);
        return;
    }
    custody_t *line = open_as("line");
    for (int i = 1; i <= 4; i++) {
        char sn[16];
        snprintf(sn, sizeof sn, "SN-%06d", i);
        append(line, sn, CUSTODY_IDENTITY, "{\"mac\":\"02:00:00:00:00:01\"}");
    }
    append(line, "", "note", "{}");
    custody_close(line);
    custody_t *steward = open_as("steward");
    append(steward, "SN-000002", "transfer", "{\"to\":\"p1\"}");
    append(steward, "SN-000003", "transfer", "{\"to\":\"p2\"}");
    custody_close(steward);
    assert_true(file_read(path, 1 << 20, &master, &len, NULL));
}

static void test_sound_record(void **state)
{
    (void)state;
    uint64_t entries;
    fill();
    findings_t findings = verify_with(NULL, 0, &entries);
    assert_int_equal(findings.count, 0);
    assert_int_equal(entries, 7);
}

/* Each value of each row, changed by hand: found, and exactly there. */
static void test_every_edit_is_found(void **state)
{
    (void)state;
    const char *edits[] = {"time_ms = time_ms + 1", "number = 7",
                           "kind = 'noted'",        "detail = '{\"x\":2}'",
                           "detail = ''",           "sn = 'SN-000009'",
                           "hash = zeroblob(32)",   "prev = x'00'",
                           "hash = zeroblob(31)",   "detail = detail || char(0) || 'x'"};
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        for (int seq = 1; seq <= 5; seq++) {
            char sql[200];
            char sn[16];
            fresh(NULL);
            fill();
            snprintf(sql, sizeof sql, "UPDATE entry SET %s WHERE writer = 'line' AND seq = %d",
                     edits[i], seq);
            edit(sql);
            sn[0] = '\0'; /* the fifth is about no unit */
            if (seq != 5) {
                snprintf(sn, sizeof sn, "SN-%06d", seq);
            }
            bool hash = strncmp(edits[i], "hash", 4) == 0;
            if (!hash) {
                expect_one(CUSTODY_CHANGED, (uint64_t)seq,
                           strncmp(edits[i], "sn", 2) == 0 ? "SN-000009" : sn);
                continue;
            }
            /* a wrong hash also leaves the next entry without its predecessor */
            findings_t findings = verify_with(NULL, 0, NULL);
            assert_int_equal(findings.count, seq == 5 ? 1 : 2);
            assert_int_equal(findings.finding[0].fault, CUSTODY_CHANGED);
            assert_int_equal(findings.finding[0].seq, seq);
        }
    }
}

static void test_lost_entries(void **state)
{
    (void)state;
    fill();
    edit("DELETE FROM entry WHERE writer = 'line' AND seq IN (2, 3)");
    expect_one(CUSTODY_LOST, 2, "");
    fresh(NULL);
    fill();
    edit("DELETE FROM entry WHERE writer = 'line' AND seq = 1");
    expect_one(CUSTODY_LOST, 1, "");
}

static void test_moved_entries(void **state)
{
    (void)state;
    fill();
    edit("UPDATE entry SET seq = 100 WHERE writer = 'line' AND seq = 2;"
         "UPDATE entry SET seq = 2 WHERE writer = 'line' AND seq = 3;"
         "UPDATE entry SET seq = 3 WHERE writer = 'line' AND seq = 100");
    findings_t findings = verify_with(NULL, 0, NULL);
    assert_int_equal(findings.finding[0].fault, CUSTODY_MOVED);
    assert_int_equal(findings.finding[0].seq, 2);
    assert_string_equal(findings.finding[0].sn, "SN-000003");
    assert_non_null(strstr(findings.finding[0].text, "belongs at 3"));
    assert_int_equal(findings.finding[1].fault, CUSTODY_MOVED);
    assert_int_equal(findings.finding[1].seq, 3);
}

/* An entry of another writer under this one's name. */
static void test_foreign_entry(void **state)
{
    (void)state;
    fill();
    edit("UPDATE entry SET writer = 'line', seq = 6 WHERE writer = 'steward' AND seq = 2");
    expect_one(CUSTODY_CHANGED, 6, "SN-000003");
}

/* Somebody who can compute hashes: the entry is whole, its successor is not its successor. */
static void test_replaced_entry(void **state)
{
    (void)state;
    fill();
    custody_t *custody = open_as("line");
    custody_close(custody);
    uint8_t zero[32] = {0};
    uint8_t hash[32];
    char hex[65];
    char sql[300];
    custody_entry_t forged = {.writer = "line",
                              .seq = 1,
                              .time_ms = 1000,
                              .sn = "SN-000001",
                              .kind = CUSTODY_IDENTITY,
                              .detail = "{\"mac\":\"02:00:00:00:00:02\"}"};
    assert_true(custody_hash(&forged, zero, hash));
    bytes_to_hex(hash, 32, hex, sizeof hex);
    snprintf(sql, sizeof sql,
             "UPDATE entry SET detail = '%s', hash = x'%s' WHERE writer = 'line' AND "
             "seq = 1",
             forged.detail, hex);
    edit(sql);
    expect_one(CUSTODY_UNCHAINED, 2, "SN-000002");
}

static void test_checkpoints(void **state)
{
    (void)state;
    custody_checkpoint_t known;
    fill();
    custody_t *custody = open_as("line");
    assert_true(custody_checkpoint(custody, "line", &known, NULL));
    assert_int_equal(known.seq, 5);
    custody_checkpoint_t none;
    err_t err = ERR_INIT;
    assert_false(custody_checkpoint(custody, "nobody", &none, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    append(custody, "", "note", "{}");
    custody_close(custody);
    assert_int_equal(verify_with(&known, 1, NULL).count, 0);
    /* An end that is cut off looks whole by itself. */
    edit("DELETE FROM entry WHERE writer = 'line' AND seq >= 5");
    assert_int_equal(verify_with(NULL, 0, NULL).count, 0);
    findings_t findings = verify_with(&known, 1, NULL);
    assert_int_equal(findings.count, 1);
    assert_int_equal(findings.finding[0].fault, CUSTODY_CUT);
    assert_int_equal(findings.finding[0].seq, 4);
    /* Another history of the same length. */
    custody = open_as("line");
    append(custody, "", "other", "{}");
    custody_close(custody);
    findings = verify_with(&known, 1, NULL);
    assert_int_equal(findings.count, 1);
    assert_int_equal(findings.finding[0].fault, CUSTODY_REWRITTEN);
}

/* A rule that was taken out of the file: found, and nothing is appended to such a file. */
static void test_schema_is_watched(void **state)
{
    (void)state;
    const char *edits[] = {
        "DROP INDEX entry_born", "DROP INDEX entry_reserve", "CREATE TABLE other (a)",
        "CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry; END",
        "DROP INDEX entry_born; CREATE INDEX entry_born ON entry (sn) WHERE kind = 'void'"};
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        custody_t *custody;
        err_t err = ERR_INIT;
        fresh(NULL);
        fill();
        edit(edits[i]);
        findings_t findings = verify_with(NULL, 0, NULL);
        assert_int_equal(findings.count, 1);
        assert_int_equal(findings.finding[0].fault, CUSTODY_DAMAGED);
        assert_false(custody_open(path, "line", &custody, &err));
        assert_non_null(strstr(err.text, "changed by hand"));
    }
}

static void test_foreign_files(void **state)
{
    (void)state;
    custody_t *custody;
    err_t err = ERR_INIT;
    assert_false(custody_open(path, NULL, &custody, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    err_clear(&err);
    assert_true(file_write(path, "this is no database, just some text", 35, 0600, NULL));
    assert_false(custody_open(path, "line", &custody, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    fresh(NULL);
    edit("CREATE TABLE t (a)");
    err_clear(&err);
    assert_false(custody_open(path, "line", &custody, &err));
    assert_non_null(strstr(err.text, "no custody record"));
    fresh(NULL);
    fill();
    edit("PRAGMA user_version = 2");
    err_clear(&err);
    assert_false(custody_open(path, "line", &custody, &err));
    assert_non_null(strstr(err.text, "another version"));
    const char *writers[] = {"", "Line", "a b", "123456789012345678901234567890123"};
    for (size_t i = 0; i < 4; i++) {
        fresh(NULL);
        assert_false(custody_open(path, writers[i], &custody, NULL));
        assert_false(file_exists(path));
    }
}

static void test_bad_events(void **state)
{
    (void)state;
    custody_t *custody = open_as("line");
    static char large[CUSTODY_DETAIL_MAX + 2];
    memset(large, ' ', sizeof large - 1);
    large[0] = '{';
    large[CUSTODY_DETAIL_MAX] = '}';
    const custody_event_t bad[] = {
        {"", "", "{}", 0},
        {"", "Upper", "{}", 0},
        {"", "1234567890123456789012345", "{}", 0},
        {"", "note", "", 0},
        {"", "note", "[]", 0},
        {"", "note", "{\"a\":}", 0},
        {"", "note", large, 0},
        {"", "note", "{}", UINT64_MAX},
        {"12345678901234567890123456789012345678901234567890123456789012345", "note", "{}", 0}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        custody_event_t events[] = {{"", "note", "{}", 0}, bad[i]};
        err_t err = ERR_INIT;
        assert_false(custody_append(custody, events, 2, 1, &err));
        assert_int_equal(err.kind, ERR_USAGE);
    }
    custody_close(custody);
    uint64_t entries;
    verify_with(NULL, 0, &entries);
    assert_int_equal(entries, 0); /* none of the first halves was kept */
    custody = open_as("line");
    append(custody, "", "note", "{}");
    custody_close(custody);
    custody = open_as(NULL);
    custody_event_t event = {"", "note", "{}", 0};
    assert_false(custody_append(custody, &event, 1, 1, NULL)); /* open for reading */
    custody_close(custody);
}

static void test_born_once(void **state)
{
    (void)state;
    custody_t *custody = open_as("line");
    const char *kind;
    err_t err = ERR_INIT;
    append(custody, "SN-1", CUSTODY_IDENTITY, "{}");
    append(custody, "SN-2", CUSTODY_VOID, "{}");
    custody_event_t again[] = {{"SN-3", CUSTODY_IDENTITY, "{}", 0},
                               {"SN-1", CUSTODY_IDENTITY, "{}", 0}};
    assert_false(custody_append(custody, again, 2, 1, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_non_null(strstr(err.text, "SN-1"));
    again[1] = (custody_event_t){"SN-2", CUSTODY_IDENTITY, "{}", 0};
    assert_false(custody_append(custody, again, 2, 1, NULL));
    custody_t *other = open_as("other");
    again[0] = (custody_event_t){"SN-1", CUSTODY_VOID, "{}", 0};
    assert_false(custody_append(other, again, 1, 1, NULL)); /* nor by another writer */
    custody_close(other);
    assert_true(custody_born(custody, "SN-1", &kind, NULL) && strcmp(kind, CUSTODY_IDENTITY) == 0);
    assert_true(custody_born(custody, "SN-2", &kind, NULL) && strcmp(kind, CUSTODY_VOID) == 0);
    assert_true(custody_born(custody, "SN-3", &kind, NULL) && kind == NULL); /* rolled back */
    append(custody, "SN-1", "ship", "{}");
    custody_close(custody);
    assert_int_equal(verify_with(NULL, 0, NULL).count, 0);
}

static bool count_open(void *context, const custody_reservation_t *reservation)
{
    assert_string_equal(reservation->pattern, "SN-%06d");
    assert_string_equal(reservation->run, "r1");
    (*(int *)context)++;
    return true;
}

static void test_reservations(void **state)
{
    (void)state;
    custody_t *line = open_as("line");
    custody_t *other = open_as("other");
    custody_reservation_t r = {.pattern = "SN-%06d", .run = "r1"};
    err_t err = ERR_INIT;
    int open = 0;
    assert_true(custody_reserve(line, &r, 10, 0, 999999, 1, NULL));
    assert_true(r.from == 1 && r.to == 10);
    assert_true(custody_reserve(other, &r, 5, 0, 999999, 1, NULL));
    assert_true(r.from == 11 && r.to == 15); /* above everybody's */
    assert_true(custody_reserve(line, &r, 1, 100, 999999, 1, NULL));
    assert_true(r.from == 101 && r.to == 101); /* above a checkpoint from elsewhere */
    assert_true(custody_open_reservations(line, count_open, &open, NULL));
    assert_int_equal(open, 2);
    custody_event_t close = {"", CUSTODY_CLOSE, "{}", 10};
    assert_true(custody_append(line, &close, 1, 1, NULL));
    assert_false(custody_append(line, &close, 1, 1, NULL)); /* closed once */
    open = 0;
    assert_true(custody_open_reservations(line, count_open, &open, NULL));
    assert_int_equal(open, 1);
    assert_true(custody_reserve(line, &r, 999999 - 101, 0, 999999, 1, NULL));
    assert_int_equal(r.to, 999999);
    assert_false(custody_reserve(line, &r, 1, 0, 999999, 1, &err));
    assert_non_null(strstr(err.text, "only 0 serial numbers are left"));
    assert_false(custody_reserve(line, &r, UINT64_MAX, 0, INT64_MAX, 1, NULL));
    assert_false(custody_reserve(line, &r, 0, 0, 999999, 1, NULL));
    custody_close(line);
    custody_close(other);
    assert_int_equal(verify_with(NULL, 0, NULL).count, 0);
}

typedef struct {
    char text[400];
} joined_t;

static bool join(void *context, const custody_entry_t *entry)
{
    joined_t *joined = context;
    size_t n = strlen(joined->text);
    snprintf(joined->text + n, sizeof joined->text - n, "%s/%" PRIu64 " %s %s;", entry->writer,
             entry->seq, entry->kind, entry->sn);
    return true;
}

static void test_reading(void **state)
{
    (void)state;
    joined_t joined = {""};
    fill();
    custody_t *custody = open_as(NULL);
    assert_true(custody_each_of_sn(custody, "SN-000002", join, &joined, NULL));
    assert_string_equal(joined.text, "line/2 identity SN-000002;steward/1 transfer SN-000002;");
    joined.text[0] = '\0';
    assert_true(custody_each_of_kind(custody, "transfer", join, &joined, NULL));
    assert_string_equal(joined.text, "steward/1 transfer SN-000002;steward/2 transfer SN-000003;");
    joined.text[0] = '\0';
    assert_true(custody_each_of_sn(custody, "", join, &joined, NULL));
    assert_true(custody_each_of_sn(custody, "SN-000077", join, &joined, NULL));
    assert_string_equal(joined.text, "");
    custody_close(custody);
}

/* One process that takes numbers and makes units of them, over and over. */
static void work(const char *writer, int rounds)
{
    custody_t *custody;
    for (int i = 0; i < rounds; i++) {
        custody_reservation_t r = {.pattern = "SN-%06d", .run = "r"};
        custody_event_t events[4];
        char sn[3][16];
        if (!custody_open(path, writer, &custody, NULL) ||
            !custody_reserve(custody, &r, 3, 0, 999999, 1, NULL)) {
            _exit(1);
        }
        for (int j = 0; j < 3; j++) {
            snprintf(sn[j], sizeof sn[j], "SN-%06d", (int)r.from + j);
            events[j] = (custody_event_t){sn[j], CUSTODY_IDENTITY, "{}", 0};
        }
        events[3] = (custody_event_t){"", CUSTODY_CLOSE, "{}", r.to};
        if (!custody_append(custody, events, 4, 1, NULL)) {
            _exit(2);
        }
        custody_close(custody);
    }
}

static void test_several_processes(void **state)
{
    (void)state;
    pid_t children[4];
    for (int i = 0; i < 4; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            work(i % 2 == 0 ? "line" : "line-2", 15); /* the first opens of all race too */
            _exit(0);
        }
    }
    for (int i = 0; i < 4; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    uint64_t entries;
    assert_int_equal(verify_with(NULL, 0, &entries).count, 0);
    assert_int_equal(entries, 4 * 15 * 5);
}

/* SIGKILL at any moment: the record is sound, and no number is given out twice. */
static void test_killed(void **state)
{
    (void)state;
    int died = 0;
    for (int round = 0; round < 30; round++) {
        pid_t child = fork();
        if (child == 0) {
            work("line", 100000);
            _exit(0);
        }
        struct timespec wait = {0, 1000000L + round * 777777L};
        nanosleep(&wait, NULL);
        kill(child, SIGKILL);
        int status;
        waitpid(child, &status, 0);
        died += WIFSIGNALED(status);
        if (file_exists(path)) {
            custody_t *custody = open_as("line"); /* settles a file that died at its birth */
            custody_close(custody);
            assert_int_equal(verify_with(NULL, 0, NULL).count, 0);
        }
    }
    assert_int_equal(died, 30);
    uint64_t entries;
    verify_with(NULL, 0, &entries);
    assert_true(entries > 0);
}

/* A disk that is full: a clear error, nothing half, and it goes on when there is room. */
static void test_disk_full(void **state)
{
    (void)state;
    custody_t *custody = open_as("line");
    append(custody, "", "note", "{}");
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit small = {40000, old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    err_t err = ERR_INIT;
    bool ok = true;
    int appended = 0;
    for (int i = 0; ok && i < 1000; i++) {
        custody_event_t event = {"", "note",
                                 "{\"text\":\"0123456789012345678901234567890123456789\"}", 0};
        ok = custody_append(custody, &event, 1, 1, &err);
        appended += ok;
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_false(ok);
    assert_int_equal(err.kind, ERR_SYSTEM);
    append(custody, "", "note", "{}");
    custody_close(custody);
    uint64_t entries;
    assert_int_equal(verify_with(NULL, 0, &entries).count, 0);
    assert_int_equal(entries, appended + 2);
}

#define FRESH(test) cmocka_unit_test_setup(test, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(test_vector),         FRESH(test_sound_record),  FRESH(test_every_edit_is_found),
        FRESH(test_lost_entries),   FRESH(test_moved_entries), FRESH(test_foreign_entry),
        FRESH(test_replaced_entry), FRESH(test_checkpoints),   FRESH(test_schema_is_watched),
        FRESH(test_foreign_files),  FRESH(test_bad_events),    FRESH(test_born_once),
        FRESH(test_reservations),   FRESH(test_reading),       FRESH(test_several_processes),
        FRESH(test_killed),         FRESH(test_disk_full),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

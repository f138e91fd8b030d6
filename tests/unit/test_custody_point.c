/* SPDX-License-Identifier: Apache-2.0 */
/* lib/custody: checkpoints and who may not make them; people who can be forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "custody/people.h"
#include "custody/point.h"
#include "pki/key.h"

#define SITE  "00112233445566778899aabbccddeeff"
#define OTHER "0011223344556677ffffffffffffffff" /* the same in a file's name */

static char base[] = "/tmp/cradle-point-XXXXXX";
static EVP_PKEY *key, *foreign;
static pki_signer_t *signer;

static int setup(void **state)
{
    (void)state;
    return mkdtemp(base) != NULL && pki_key_generate(PKI_KEY_P256, &key, NULL) &&
                   pki_key_generate(PKI_KEY_P256, &foreign, NULL) &&
                   pki_signer_from_key(key, &signer, NULL)
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    pki_signer_close(signer);
    pki_key_free(key);
    pki_key_free(foreign);
    return file_remove_tree(base, NULL) ? 0 : -1;
}

static char *in_base(const char *name)
{
    static char path[FILE_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", base, name);
    return path;
}

static custody_t *open_as(const char *file, const char *writer)
{
    custody_t *custody;
    err_t err = ERR_INIT;
    if (!custody_open(in_base(file), writer, &custody, &err)) {
        fail_msg("%s", err.text);
    }
    return custody;
}

static void reserve(custody_t *custody, uint64_t count)
{
    custody_reservation_t r = {.pattern = "SN-%06d", .run = "test"};
    assert_true(custody_reserve(custody, &r, count, 0, 999999, 1000, NULL));
}

static custody_point_t sample(void)
{
    custody_point_t point = {.site = SITE, .time_ms = 1700000000000, .count = 2};
    strcpy(point.head[0].writer, "line");
    point.head[0].seq = 9;
    point.head[0].number = 64;
    memset(point.head[0].hash, 0xab, 32);
    strcpy(point.head[1].writer, "line-2");
    point.head[1].seq = 1;
    point.head[1].number = 128;
    return point;
}

static size_t sign(const custody_point_t *point, char out[CUSTODY_POINT_MAX])
{
    size_t len;
    err_t err = ERR_INIT;
    if (!custody_point_sign(point, signer, out, &len, &err)) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(strlen(out), len);
    return len;
}

static void test_take(void **state)
{
    (void)state;
    custody_point_t point;
    custody_t *a = open_as("take.db", "line");
    assert_true(custody_point_take(a, SITE, 5, &point, NULL));
    assert_int_equal(point.count, 0);
    assert_int_equal(custody_point_number(&point), 0);
    custody_t *b = open_as("take.db", "line-2");
    reserve(a, 10);
    reserve(b, 5);
    reserve(a, 1);
    const custody_event_t event = {.sn = "SN-000001", .kind = "identity", .detail = "{}"};
    assert_true(custody_append(b, &event, 1, 7, NULL));
    assert_true(custody_point_take(a, SITE, 5, &point, NULL));
    assert_int_equal(point.count, 2);
    assert_string_equal(point.head[0].writer, "line");
    assert_int_equal(point.head[0].seq, 2);
    assert_int_equal(point.head[0].number, 16);
    assert_int_equal(point.head[1].seq, 2);
    assert_int_equal(point.head[1].number, 15);
    assert_int_equal(custody_point_number(&point), 16);
    custody_verdict_t verdict;
    assert_true(custody_compare(a, point.head, point.count, NULL, NULL, &verdict, NULL));
    assert_int_equal(verdict.faults, 0);
    point.head[1].seq = 3;
    assert_true(custody_compare(a, point.head, point.count, NULL, NULL, &verdict, NULL));
    assert_int_equal(verdict.faults, 1);
    custody_close(a);
    custody_close(b);
}

static void test_there_and_back(void **state)
{
    (void)state;
    char text[CUSTODY_POINT_MAX];
    custody_point_t point = sample();
    custody_point_t back;
    size_t len = sign(&point, text);
    err_t err = ERR_INIT;
    if (!custody_point_read(text, len, key, SITE, &back, &err)) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(back.count, 2);
    assert_memory_equal(&back.head[0], &point.head[0], sizeof back.head[0]);
    assert_memory_equal(&back.head[1], &point.head[1], sizeof back.head[1]);
    assert_int_equal(back.time_ms, point.time_ms);
    assert_true(custody_point_read(text, len - 1, key, SITE, &back, NULL)); /* no line end */
}

/* All writers with the longest names fit. */
static void test_largest(void **state)
{
    (void)state;
    char text[CUSTODY_POINT_MAX];
    custody_point_t point = sample();
    custody_point_t back;
    point.count = CUSTODY_WRITERS_MAX;
    for (int i = 0; i < CUSTODY_WRITERS_MAX; i++) {
        snprintf(point.head[i].writer, CUSTODY_WRITER_SIZE, "%032d", i);
        point.head[i].seq = INT64_MAX;
        point.head[i].number = INT64_MAX;
    }
    size_t len = sign(&point, text);
    assert_true(custody_point_read(text, len, key, SITE, &back, NULL));
    assert_int_equal(back.count, CUSTODY_WRITERS_MAX);
}

static void test_refused(void **state)
{
    (void)state;
    char text[CUSTODY_POINT_MAX];
    custody_point_t point = sample();
    custody_point_t back;
    size_t len = sign(&point, text);
    err_t err = ERR_INIT;
    assert_false(custody_point_read(text, len, foreign, SITE, &back, &err));
    assert_non_null(strstr(err.text, "keys/pack.key"));
    err_clear(&err);
    assert_false(custody_point_read(text, len, key, OTHER, &back, &err));
    assert_non_null(strstr(err.text, "another site's"));
    /* Every byte of it matters, and so does every cut. */
    for (size_t i = 0; i + 1 < len; i++) {
        char saved = text[i];
        text[i] = saved == 'A' ? 'B' : 'A';
        assert_false(custody_point_read(text, len, key, SITE, &back, NULL));
        text[i] = saved;
        assert_false(custody_point_read(text, i, key, SITE, &back, NULL));
    }
    assert_true(custody_point_read(text, len, key, SITE, &back, NULL));
    char more[CUSTODY_POINT_MAX];
    snprintf(more, sizeof more, "%sA", text);
    assert_false(custody_point_read(more, strlen(more), key, SITE, &back, NULL));
}

static bool count_points(void *context, const char *path, const custody_point_t *point)
{
    custody_point_t *last = context;
    (void)path;
    last->count++;
    last->time_ms = point->time_ms;
    return true;
}

static char *keep(const char *dir, int64_t time)
{
    static char name[CUSTODY_POINT_NAME_SIZE];
    char text[CUSTODY_POINT_MAX];
    custody_point_t point = sample();
    err_t err = ERR_INIT;
    point.time_ms = time;
    size_t len = sign(&point, text);
    name[0] = '\0';
    if (!custody_point_keep(dir, &point, text, len, name, &err)) {
        fail_msg("%s", err.text);
    }
    return name;
}

static void test_directory(void **state)
{
    (void)state;
    char dir[FILE_PATH_MAX];
    char path[2 * FILE_PATH_MAX];
    custody_point_t seen = {.count = 0};
    err_t err = ERR_INIT;
    snprintf(dir, sizeof dir, "%s/points", base);
    assert_false(custody_point_each(dir, key, SITE, count_points, &seen, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_non_null(strstr(err.text, "mount it"));
    err_clear(&err);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_true(custody_point_each(dir, key, SITE, count_points, &seen, NULL));
    assert_int_equal(seen.count, 0);
    /* A clock that goes back, and one that stands still, lose nothing. */
    keep(dir, 1700000000000);
    for (int i = 0; i < CUSTODY_POINTS_KEPT + 5; i++) {
        keep(dir, i % 2 == 0 ? 1000 : 1700000000000);
    }
    char last[CUSTODY_POINT_NAME_SIZE];
    strcpy(last, keep(dir, 77));
    assert_true(custody_point_each(dir, key, SITE, count_points, &seen, NULL));
    assert_int_equal(seen.count, CUSTODY_POINTS_KEPT);
    assert_int_equal(seen.time_ms, 77);
    /* A run's own is replaced. */
    custody_point_t point = sample();
    char text[CUSTODY_POINT_MAX];
    point.time_ms = 78;
    size_t len = sign(&point, text);
    assert_true(custody_point_keep(dir, &point, text, len, last, NULL));
    seen.count = 0;
    assert_true(custody_point_each(dir, key, SITE, count_points, &seen, NULL));
    assert_int_equal(seen.count, CUSTODY_POINTS_KEPT);
    assert_int_equal(seen.time_ms, 78);
    /* A damaged one stops everything, and is named; other files do not matter. */
    snprintf(path, sizeof path, "%s/readme.txt", dir);
    assert_true(file_write(path, "x", 1, 0644, NULL));
    snprintf(path, sizeof path, "%s/%s", dir, last);
    assert_true(file_write(path, text, len / 2, 0644, NULL));
    assert_false(custody_point_each(dir, key, SITE, count_points, &seen, &err));
    assert_non_null(strstr(err.text, last));
    assert_non_null(strstr(err.text, "move it away"));
}

static void test_people(void **state)
{
    (void)state;
    char alice[CUSTODY_PERSON_SIZE], bob[CUSTODY_PERSON_SIZE], again[CUSTODY_PERSON_SIZE];
    char path[FILE_PATH_MAX];
    struct stat st;
    err_t err = ERR_INIT;
    strcpy(path, in_base("people.json"));
    assert_false(custody_people_forget(path, "alice", NULL, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_true(custody_people_pseudonym(path, "alice", alice, NULL));
    assert_true(custody_people_pseudonym(path, "bob \"the\" b\xc3\xb6rner", bob, NULL));
    assert_true(custody_people_pseudonym(path, "alice", again, NULL));
    assert_string_equal(alice, again);
    assert_string_not_equal(alice, bob);
    assert_int_equal(strlen(alice), CUSTODY_PERSON_SIZE - 1);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_true(custody_people_forget(path, "alice", again, NULL));
    assert_string_equal(alice, again);
    assert_true(custody_people_pseudonym(path, "alice", again, NULL));
    assert_string_not_equal(alice, again);
    assert_true(custody_people_pseudonym(path, "bob \"the\" b\xc3\xb6rner", again, NULL));
    assert_string_equal(bob, again);
    assert_false(custody_people_pseudonym(path, "", again, NULL));
    assert_false(custody_people_pseudonym(path, "a\nb", again, NULL));
    assert_int_equal(chmod(path, 0644), 0);
    assert_false(custody_people_pseudonym(path, "bob", again, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take),      cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_largest),   cmocka_unit_test(test_refused),
        cmocka_unit_test(test_directory), cmocka_unit_test(test_people),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The steward's record: the file, transactions, units, epochs, keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "record_fixture.h"

/* ---- the file ---- */

static void file_is_private_and_stays(void **state)
{
    (void)state;
    struct stat st;
    char side[128];
    record_unit_t unit = {.sn = "SN-1"};
    bool found;
    assert_true(record_unit_put(record, &unit, NULL));
    snprintf(side, sizeof side, "%s-wal", path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(side, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    reopen();
    assert_true(record_unit_get(record, "SN-1", &unit, &found, NULL));
    assert_true(found);
}

static void file_open_to_others_is_refused(void **state)
{
    (void)state;
    record_t *other = NULL;
    err_t err = ERR_INIT;
    assert_int_equal(chmod(path, 0640), 0);
    assert_false(record_open(&other, path, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_non_null(strstr(err.text, "chmod 600"));
    assert_null(other);
}

static void newer_or_foreign_file_is_refused(void **state)
{
    (void)state;
    record_t *other = NULL;
    err_t err = ERR_INIT;
    execute("PRAGMA user_version = 99");
    assert_false(record_open(&other, path, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_non_null(strstr(err.text, "newer cradle-steward (schema 99)"));

    err_clear(&err);
    snprintf(path, sizeof path, "%s/foreign.db", dir);
    execute("CREATE TABLE a(b)");
    assert_int_equal(chmod(path, 0600), 0);
    assert_false(record_open(&other, path, &err));
    assert_int_equal(err.kind, ERR_INPUT);

    err_clear(&err);
    snprintf(path, sizeof path, "%s/noise.db", dir);
    assert_true(
        file_write(path, "this is no database, just a long text to read from", 50, 0600, NULL));
    assert_false(record_open(&other, path, &err));
    assert_int_equal(err.kind, ERR_INPUT);

    err_clear(&err);
    assert_false(record_open(&other, "/nonexistent/dir/steward.db", &err));
    assert_int_equal(err.kind, ERR_SYSTEM);
    assert_null(other);
}

static void two_handles_see_one_record(void **state)
{
    (void)state;
    record_t *other;
    record_unit_t unit = {.sn = "SN-1", .owner = "alice"};
    bool found;
    assert_true(record_open(&other, path, NULL));
    assert_true(record_begin(record, NULL));
    assert_true(record_unit_put(record, &unit, NULL));
    assert_true(record_unit_get(other, "SN-1", &unit, &found, NULL));
    assert_false(found);
    assert_true(record_end(record, true, NULL));
    assert_true(record_unit_get(other, "SN-1", &unit, &found, NULL));
    assert_true(found);
    strcpy(unit.owner, "bob");
    assert_true(record_unit_put(other, &unit, NULL));
    assert_true(record_unit_get(record, "SN-1", &unit, &found, NULL));
    assert_string_equal(unit.owner, "bob");
    record_close(other);
}

/* A second process that writes waits for the first, instead of failing. */
static void writers_wait_for_one_another(void **state)
{
    (void)state;
    record_unit_t unit = {.sn = "SN-1"};
    bool found;
    int ready[2];
    char byte = 0;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        record_t *own = NULL;
        bool ok = record_open(&own, path, NULL) && record_begin(own, NULL) &&
                  record_unit_put(own, &unit, NULL) && write(ready[1], "x", 1) == 1;
        usleep(300000);
        _exit(ok && record_end(own, true, NULL) ? 0 : 1);
    }
    assert_true(child > 0);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    strcpy(unit.sn, "SN-2");
    assert_true(record_unit_put(record, &unit, NULL));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(record_unit_get(record, "SN-1", &unit, &found, NULL));
    assert_true(found);
    close(ready[0]);
    close(ready[1]);
}

/* ---- transactions ---- */

static void rolled_back_is_as_if_never(void **state)
{
    (void)state;
    record_unit_t unit = {.sn = "SN-1"};
    record_epoch_t epoch = {.epoch = {1}, .current = true};
    bool found;
    assert_true(record_begin(record, NULL));
    assert_true(record_unit_put(record, &unit, NULL));
    assert_true(record_epoch_put(record, "SN-1", &epoch, NULL));
    assert_true(record_end(record, false, NULL));
    assert_true(record_unit_get(record, "SN-1", &unit, &found, NULL));
    assert_false(found);
    assert_true(record_epoch_current(record, "SN-1", &epoch, &found, NULL));
    assert_false(found);
}

static void begin_and_end_go_in_pairs(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    assert_false(record_end(record, true, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    err_clear(&err);
    assert_true(record_begin(record, NULL));
    assert_false(record_begin(record, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_true(record_end(record, true, NULL));
}

static void closing_undoes_what_is_open(void **state)
{
    (void)state;
    record_unit_t unit = {.sn = "SN-1"};
    bool found;
    assert_true(record_begin(record, NULL));
    assert_true(record_unit_put(record, &unit, NULL));
    reopen();
    assert_true(record_unit_get(record, "SN-1", &unit, &found, NULL));
    assert_false(found);
}

/* Killed between two statements: nothing of it is there; killed after record_end: all of it. */
static void killed_process_leaves_whole_transactions(void **state)
{
    (void)state;
    record_unit_t unit = {.sn = "SN-1"};
    record_epoch_t epoch = {.epoch = {1}, .current = true};
    bool found;
    for (int committed = 0; committed < 2; committed++) {
        pid_t child = fork();
        if (child == 0) {
            record_t *own = NULL;
            bool ok = record_open(&own, path, NULL) && record_begin(own, NULL) &&
                      record_unit_put(own, &unit, NULL) &&
                      record_epoch_put(own, "SN-1", &epoch, NULL) &&
                      (!committed || record_end(own, true, NULL));
            _exit(ok ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        reopen();
        assert_true(record_unit_get(record, "SN-1", &unit, &found, NULL));
        assert_int_equal(found, committed);
        assert_true(record_epoch_current(record, "SN-1", &epoch, &found, NULL));
        assert_int_equal(found, committed);
    }
}

/* When the disk is full in mid-transaction SQLite may undo it by itself; what follows must not be
   kept as if it were a whole. */
static void failed_transaction_is_undone_as_a_whole(void **state)
{
    (void)state;
    record_unit_t unit = {.sn = "SN-1"};
    err_t err = ERR_INIT;
    bool found;
    execute("CREATE TRIGGER full BEFORE INSERT ON unit WHEN NEW.sn = 'SN-2'"
            " BEGIN SELECT RAISE(ROLLBACK, 'simulated'); END");
    reopen();
    assert_true(record_begin(record, NULL));
    assert_true(record_unit_put(record, &unit, NULL));
    strcpy(unit.sn, "SN-2");
    assert_false(record_unit_put(record, &unit, &err));
    assert_int_equal(err.kind, ERR_SYSTEM);
    strcpy(unit.sn, "SN-3");
    assert_false(record_unit_put(record, &unit, NULL));
    assert_false(record_unit_get(record, "SN-1", &unit, &found, NULL));
    assert_false(record_end(record, true, NULL));
    for (int i = 1; i <= 3; i++) {
        char sn[8];
        snprintf(sn, sizeof sn, "SN-%d", i);
        assert_true(record_unit_get(record, sn, &unit, &found, NULL));
        assert_false(found);
    }
    strcpy(unit.sn, "SN-4");
    assert_true(record_unit_put(record, &unit, NULL));
}

/* ---- units ---- */

static record_unit_t full_unit(void)
{
    record_unit_t unit = {.sn = "SN-000001",
                          .device = "784f394c-42b6-435a-983c-b7beff2784f9",
                          .owner = "alice",
                          .was_owned = true,
                          .claims_on = true,
                          .stolen = true,
                          .policy = {OWNERSHIP_LOCKED, OWNERSHIP_KEEP, OWNERSHIP_REASSIGN},
                          .consent = OWNERSHIP_OPERATOR,
                          .notified = 1790000000,
                          .packed = true,
                          .has_code = true};
    memset(unit.packed_leaf, 0x11, sizeof unit.packed_leaf);
    memset(unit.code_hash, 0x22, sizeof unit.code_hash);
    return unit;
}

static void expect_same_unit(const record_unit_t *a, const record_unit_t *b)
{
    assert_string_equal(a->sn, b->sn);
    assert_string_equal(a->device, b->device);
    assert_string_equal(a->owner, b->owner);
    assert_int_equal(a->was_owned, b->was_owned);
    assert_int_equal(a->claims_on, b->claims_on);
    assert_int_equal(a->stolen, b->stolen);
    assert_int_equal(a->policy.lock, b->policy.lock);
    assert_int_equal(a->policy.unclaimed, b->policy.unclaimed);
    assert_int_equal(a->policy.dispose, b->policy.dispose);
    assert_int_equal(a->consent, b->consent);
    assert_int_equal(a->notified, b->notified);
    assert_int_equal(a->packed, b->packed);
    assert_memory_equal(a->packed_leaf, b->packed_leaf, sizeof a->packed_leaf);
    assert_int_equal(a->has_code, b->has_code);
    assert_memory_equal(a->code_hash, b->code_hash, sizeof a->code_hash);
}

static void unit_comes_back_whole(void **state)
{
    (void)state;
    record_unit_t unit = full_unit();
    record_unit_t got;
    bool found;
    assert_true(record_unit_get(record, unit.sn, &got, &found, NULL));
    assert_false(found);
    assert_true(record_unit_put(record, &unit, NULL));
    assert_true(record_unit_get(record, unit.sn, &got, &found, NULL));
    assert_true(found);
    expect_same_unit(&got, &unit);
    assert_true(record_unit_by_device(record, unit.device, &got, &found, NULL));
    assert_true(found);
    expect_same_unit(&got, &unit);

    record_unit_t bare = {.sn = "SN-000001"};
    assert_true(record_unit_put(record, &bare, NULL));
    assert_true(record_unit_get(record, unit.sn, &got, &found, NULL));
    expect_same_unit(&got, &bare);
    assert_true(record_unit_by_device(record, unit.device, &got, &found, NULL));
    assert_false(found);
}

static void one_cloud_record_is_one_unit(void **state)
{
    (void)state;
    record_unit_t a = full_unit();
    record_unit_t b = full_unit();
    record_unit_t got;
    err_t err = ERR_INIT;
    bool found;
    strcpy(b.sn, "SN-000002");
    assert_true(record_unit_put(record, &a, NULL));
    assert_false(record_unit_put(record, &b, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_non_null(strstr(err.text, "SN-000001 already, not SN-000002"));
    assert_true(record_unit_get(record, "SN-000001", &got, &found, NULL));
    assert_true(found);
    /* without a device there may be any number, and none is found by "" */
    a.device[0] = b.device[0] = '\0';
    assert_true(record_unit_put(record, &a, NULL));
    assert_true(record_unit_put(record, &b, NULL));
    assert_true(record_unit_by_device(record, "", &got, &found, NULL));
    assert_false(found);
}

static bool list_unit(void *ctx, const record_unit_t *unit)
{
    list_add(ctx, unit->sn);
    return --((list_t *)ctx)->limit != 0;
}

static void units_are_listed_in_order(void **state)
{
    (void)state;
    const char *const owners[] = {"bob", "alice", "", "alice"};
    for (int i = 0; i < 4; i++) {
        record_unit_t unit = {.sn = "SN-"};
        unit.sn[3] = (char)('4' - i);
        strcpy(unit.owner, owners[i]);
        assert_true(record_unit_put(record, &unit, NULL));
    }
    list_t all = {.limit = -1}, alice = all, after = all, some = {.limit = 2}, none = all;
    assert_true(record_units(record, NULL, "", list_unit, &all, NULL));
    assert_string_equal(all.text, "SN-1 SN-2 SN-3 SN-4 ");
    assert_true(record_units(record, "alice", "", list_unit, &alice, NULL));
    assert_string_equal(alice.text, "SN-1 SN-3 ");
    assert_true(record_units(record, NULL, "SN-2", list_unit, &after, NULL));
    assert_string_equal(after.text, "SN-3 SN-4 ");
    assert_true(record_units(record, NULL, "", list_unit, &some, NULL));
    assert_string_equal(some.text, "SN-1 SN-2 ");
    assert_true(record_units(record, "", "", list_unit, &none, NULL));
    assert_string_equal(none.text, "");
}

static void damaged_unit_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        const char *column;
    } cases[] = {
        {"UPDATE unit SET lock = 7", "lock"},
        {"UPDATE unit SET stolen = 'yes'", "stolen"},
        {"UPDATE unit SET packed_leaf = x'00'", "packed_leaf"},
        {"UPDATE unit SET code_hash = zeroblob(33)", "code_hash"},
        {"UPDATE unit SET consent = -1", "consent"},
        {"UPDATE unit SET owner = 'a name that is longer than any account'", "owner"},
        {"UPDATE unit SET owner = CAST(x'610062' AS TEXT)", "owner"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        record_unit_t unit = full_unit();
        err_t err = ERR_INIT;
        bool found = true;
        list_t list = {.limit = -1};
        execute("DELETE FROM unit");
        assert_true(record_unit_put(record, &unit, NULL));
        execute(cases[i].sql);
        bool ok = record_unit_get(record, "SN-000001", &unit, &found, &err);
        expect_damage(ok, &err, cases[i].column);
        assert_false(found);
        err_clear(&err);
        expect_damage(record_units(record, NULL, "", list_unit, &list, &err), &err, "SN-000001");
    }
}

/* ---- epochs ---- */

static bool list_epoch(void *ctx, const record_epoch_t *row)
{
    char text[16];
    snprintf(text, sizeof text, "%d%s", row->epoch[0], row->current ? "*" : "");
    list_add(ctx, text);
    return --((list_t *)ctx)->limit != 0;
}

static void one_epoch_is_current(void **state)
{
    (void)state;
    record_epoch_t a = {.epoch = {1},
                        .current = true,
                        .seen = 100,
                        .decided = true,
                        .claimant = "alice",
                        .streams = true};
    record_epoch_t b = {.epoch = {2}, .current = true, .seen = 200};
    record_epoch_t got;
    bool found;
    assert_true(record_epoch_current(record, "SN-1", &got, &found, NULL));
    assert_false(found);
    assert_true(record_epoch_put(record, "SN-1", &a, NULL));
    assert_true(record_epoch_put(record, "SN-2", &a, NULL));
    assert_true(record_epoch_current(record, "SN-1", &got, &found, NULL));
    assert_true(found && got.current && got.decided && got.streams);
    assert_int_equal(got.seen, 100);
    assert_string_equal(got.claimant, "alice");
    assert_true(record_epoch_put(record, "SN-1", &b, NULL));
    assert_true(record_epoch_current(record, "SN-1", &got, &found, NULL));
    assert_memory_equal(got.epoch, b.epoch, sizeof b.epoch);
    assert_false(got.decided || got.streams);
    assert_string_equal(got.claimant, "");
    assert_true(record_epoch_get(record, "SN-1", a.epoch, &got, &found, NULL));
    assert_true(found && !got.current && got.decided);
    /* the other unit's is as it was */
    assert_true(record_epoch_current(record, "SN-2", &got, &found, NULL));
    assert_true(found);
    assert_memory_equal(got.epoch, a.epoch, sizeof a.epoch);
    assert_true(record_epoch_get(record, "SN-3", a.epoch, &got, &found, NULL));
    assert_false(found);
    /* the current one changes, and stays current */
    b.streams = true;
    assert_true(record_epoch_put(record, "SN-1", &b, NULL));
    list_t list = {.limit = -1};
    assert_true(record_epochs(record, "SN-1", list_epoch, &list, NULL));
    assert_string_equal(list.text, "1 2* ");
    /* back to a closed one, and none at all */
    assert_true(record_epoch_put(record, "SN-1", &a, NULL));
    b.current = a.current = false;
    assert_true(record_epoch_put(record, "SN-1", &a, NULL));
    assert_true(record_epoch_current(record, "SN-1", &got, &found, NULL));
    assert_false(found);
}

static void damaged_epoch_is_named(void **state)
{
    (void)state;
    record_epoch_t a = {.epoch = {1}, .current = true};
    err_t err = ERR_INIT;
    bool found;
    list_t list = {.limit = -1};
    assert_true(record_epoch_put(record, "SN-1", &a, NULL));
    execute("UPDATE epoch SET streams = 2");
    expect_damage(record_epoch_current(record, "SN-1", &a, &found, &err), &err, "streams");
    err_clear(&err);
    expect_damage(record_epochs(record, "SN-1", list_epoch, &list, &err), &err, "SN-1");
}

/* ---- keys ---- */

static record_key_t a_key(const char *sn, uint8_t n, ownership_key_t standing)
{
    record_key_t key = {.cert = {0x30, n},
                        .cert_len = 2,
                        .not_after = 1800000000,
                        .standing = standing,
                        .epoch = {n},
                        .claimant = "bob"};
    snprintf(key.sn, sizeof key.sn, "%s", sn);
    memset(key.hash, n, sizeof key.hash);
    memset(key.key, n + 100, sizeof key.key);
    return key;
}

static void put_key(const char *sn, uint8_t n, ownership_key_t standing)
{
    record_key_t key = a_key(sn, n, standing);
    assert_true(record_key_put(record, &key, NULL));
}

static bool list_key(void *ctx, const record_key_t *key)
{
    char text[32];
    snprintf(text, sizeof text, "%d:%s", key->hash[0], ownership_key_name(key->standing));
    list_add(ctx, text);
    return --((list_t *)ctx)->limit != 0;
}

static void expect_keys(const char *sn, const char *expected)
{
    list_t list = {.limit = -1};
    assert_true(record_keys(record, sn, list_key, &list, NULL));
    assert_string_equal(list.text, expected);
}

static void key_comes_back_whole(void **state)
{
    (void)state;
    record_key_t key = a_key("SN-1", 7, OWNERSHIP_KEY_GRANTED);
    record_key_t got;
    uint8_t hash[JWS_HASH_SIZE];
    bool found;
    key.birth = key.by_claim = true;
    memset(key.cert, 0x5a, sizeof key.cert);
    key.cert_len = sizeof key.cert;
    assert_true(record_key_get(record, key.hash, &got, &found, NULL));
    assert_false(found);
    assert_true(record_key_known(record, key.key, hash, &found, NULL));
    assert_false(found);
    assert_true(record_key_put(record, &key, NULL));
    assert_true(record_key_get(record, key.hash, &got, &found, NULL));
    assert_true(found);
    assert_string_equal(got.sn, "SN-1");
    assert_memory_equal(got.hash, key.hash, sizeof key.hash);
    assert_memory_equal(got.key, key.key, sizeof key.key);
    assert_int_equal(got.cert_len, key.cert_len);
    assert_memory_equal(got.cert, key.cert, key.cert_len);
    assert_int_equal(got.not_after, key.not_after);
    assert_int_equal(got.standing, OWNERSHIP_KEY_GRANTED);
    assert_true(got.birth && got.by_claim);
    assert_memory_equal(got.epoch, key.epoch, sizeof key.epoch);
    assert_string_equal(got.claimant, "bob");
    assert_true(record_key_known(record, key.key, hash, &found, NULL));
    assert_true(found);
    assert_memory_equal(hash, key.hash, sizeof hash);
    assert_true(record_key_known(record, key.key, NULL, &found, NULL));
    assert_true(found);
}

static void certificate_is_of_one_unit(void **state)
{
    (void)state;
    record_key_t key = a_key("SN-1", 7, OWNERSHIP_KEY_CURRENT);
    err_t err = ERR_INIT;
    put_key("SN-1", 7, OWNERSHIP_KEY_CURRENT);
    strcpy(key.sn, "SN-2");
    assert_false(record_key_put(record, &key, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    expect_keys("SN-1", "7:current ");
    expect_keys("SN-2", "");
    err_clear(&err);
    key.cert_len = 0;
    assert_false(record_key_put(record, &key, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    err_clear(&err);
    key.cert_len = sizeof key.cert + 1;
    assert_false(record_key_put(record, &key, &err));
    assert_int_equal(err.kind, ERR_USAGE);
}

static void newest_is_committed_else_current(void **state)
{
    (void)state;
    record_key_t got;
    bool found;
    put_key("SN-1", 1, OWNERSHIP_KEY_DENIED);
    put_key("SN-1", 2, OWNERSHIP_KEY_GRANTED);
    assert_true(record_key_newest(record, "SN-1", &got, &found, NULL));
    assert_false(found);
    put_key("SN-1", 3, OWNERSHIP_KEY_CURRENT);
    assert_true(record_key_newest(record, "SN-1", &got, &found, NULL));
    assert_true(found && got.hash[0] == 3);
    put_key("SN-1", 2, OWNERSHIP_KEY_COMMITTED); /* an older row, and yet */
    assert_true(record_key_newest(record, "SN-1", &got, &found, NULL));
    assert_true(found && got.hash[0] == 2);
    assert_true(record_key_newest(record, "SN-2", &got, &found, NULL));
    assert_false(found);
}

static void event(uint8_t n, ownership_key_event_t what)
{
    record_key_t key = a_key("", n, OWNERSHIP_KEY_NONE);
    assert_true(record_key_event(record, key.hash, what, NULL));
}

/* The life of a unit: made, claimed by its second owner, renewed. */
static void events_move_all_rows(void **state)
{
    (void)state;
    put_key("SN-1", 1, OWNERSHIP_KEY_NONE);
    put_key("SN-2", 9, OWNERSHIP_KEY_GRANTED);
    event(1, OWNERSHIP_KEY_REGISTER);
    put_key("SN-1", 2, OWNERSHIP_KEY_NONE);
    event(2, OWNERSHIP_KEY_GRANT);
    expect_keys("SN-1", "1:current 2:granted ");
    put_key("SN-1", 3, OWNERSHIP_KEY_NONE);
    event(3, OWNERSHIP_KEY_GRANT);
    expect_keys("SN-1", "1:current 2:void 3:granted ");
    event(1, OWNERSHIP_KEY_WITHDRAW);
    expect_keys("SN-1", "1:current 2:void 3:void ");
    put_key("SN-1", 4, OWNERSHIP_KEY_NONE);
    event(4, OWNERSHIP_KEY_GRANT);
    event(4, OWNERSHIP_KEY_COMMIT_CLAIM);
    expect_keys("SN-1", "1:leaving 2:void 3:void 4:committed ");
    event(4, OWNERSHIP_KEY_HELLO_CLAIM);
    expect_keys("SN-1", "1:denied 2:void 3:void 4:current ");
    expect_keys("SN-2", "9:granted ");
}

static void impossible_event_changes_nothing(void **state)
{
    (void)state;
    record_key_t key = a_key("SN-1", 1, OWNERSHIP_KEY_NONE);
    err_t err = ERR_INIT;
    put_key("SN-1", 1, OWNERSHIP_KEY_CURRENT);
    put_key("SN-1", 2, OWNERSHIP_KEY_GRANTED);
    assert_false(record_key_event(record, key.hash, OWNERSHIP_KEY_COMMIT_CLAIM, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_non_null(strstr(err.text, "SN-1"));
    err_clear(&err);
    key = a_key("SN-1", 50, OWNERSHIP_KEY_NONE);
    assert_false(record_key_event(record, key.hash, OWNERSHIP_KEY_DENY, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    expect_keys("SN-1", "1:current 2:granted ");
    /* inside a transaction the rest of it stays possible */
    assert_true(record_begin(record, NULL));
    put_key("SN-1", 3, OWNERSHIP_KEY_VOID);
    assert_false(record_key_event(record, key.hash, OWNERSHIP_KEY_DENY, NULL));
    assert_true(record_end(record, true, NULL));
    expect_keys("SN-1", "1:current 2:granted 3:void ");
}

/* Against the pure function, for each event, subject and other row. */
static void events_follow_the_table(void **state)
{
    (void)state;
    assert_true(record_begin(record, NULL));
    for (int what = 0; what < OWNERSHIP_KEY_EVENTS; what++) {
        for (int subject = 0; subject < OWNERSHIP_KEY_STANDINGS; subject++) {
            for (uint8_t i = 0; i < OWNERSHIP_KEY_STANDINGS; i++) {
                put_key("SN-1", (uint8_t)(10 + i), (ownership_key_t)i);
            }
            put_key("SN-1", 1, (ownership_key_t)subject);
            record_key_t key = a_key("SN-1", 1, OWNERSHIP_KEY_NONE);
            bool possible =
                ownership_key_possible((ownership_key_t)subject, (ownership_key_event_t)what);
            bool found;
            assert_int_equal(record_key_event(record, key.hash, (ownership_key_event_t)what, NULL),
                             possible);
            for (int i = -1; i < OWNERSHIP_KEY_STANDINGS; i++) {
                int was = i < 0 ? subject : i;
                key = a_key("SN-1", (uint8_t)(i < 0 ? 1 : 10 + i), OWNERSHIP_KEY_NONE);
                assert_true(record_key_get(record, key.hash, &key, &found, NULL));
                assert_int_equal(key.standing,
                                 possible ? ownership_key_after((ownership_key_t)was,
                                                                (ownership_key_event_t)what, i < 0)
                                          : (ownership_key_t)was);
            }
        }
    }
    assert_true(record_end(record, true, NULL));
}

static void damaged_key_is_named(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"UPDATE key SET standing = 8", "standing"},
                                           {"UPDATE key SET cert = x''", "cert"},
                                           {"UPDATE key SET cert = zeroblob(2049)", "cert"},
                                           {"UPDATE key SET epoch = 'text of 16 bytes'", "epoch"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        record_key_t key = a_key("SN-1", 1, OWNERSHIP_KEY_CURRENT);
        err_t err = ERR_INIT;
        bool found;
        put_key("SN-1", 1, OWNERSHIP_KEY_CURRENT);
        execute(cases[i][0]);
        expect_damage(record_key_get(record, key.hash, &key, &found, &err), &err, cases[i][1]);
        err_clear(&err);
        execute("DELETE FROM key");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(file_is_private_and_stays),
        CASE(file_open_to_others_is_refused),
        CASE(newer_or_foreign_file_is_refused),
        CASE(two_handles_see_one_record),
        CASE(writers_wait_for_one_another),
        CASE(rolled_back_is_as_if_never),
        CASE(begin_and_end_go_in_pairs),
        CASE(closing_undoes_what_is_open),
        CASE(killed_process_leaves_whole_transactions),
        CASE(failed_transaction_is_undone_as_a_whole),
        CASE(unit_comes_back_whole),
        CASE(one_cloud_record_is_one_unit),
        CASE(units_are_listed_in_order),
        CASE(damaged_unit_is_named),
        CASE(one_epoch_is_current),
        CASE(damaged_epoch_is_named),
        CASE(key_comes_back_whole),
        CASE(certificate_is_of_one_unit),
        CASE(newest_is_committed_else_current),
        CASE(events_move_all_rows),
        CASE(impossible_event_changes_nothing),
        CASE(events_follow_the_table),
        CASE(damaged_key_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

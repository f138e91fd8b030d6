/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "cloud/store.h"

static store_t *store;
static store_device_t device;

static store_profile_t profile(const char *name)
{
    store_profile_t p = {.is_default = strcmp(name, "default") == 0};
    snprintf(p.name, sizeof p.name, "%s", name);
    return p;
}

static int open_memory(void **state)
{
    (void)state;
    store_profile_t p = profile("default");
    if (!store_open(&store, &(store_settings_t){.path = ""}, NULL) ||
        store_profile_save(store, &p, NULL) != STORE_OK) {
        return 1;
    }
    device = (store_device_t){.label = NULL};
    strcpy(device.name, "SN-1");
    return store_device_save(store, &device, 1000, NULL) == STORE_OK ? 0 : 1;
}

static int close_store(void **state)
{
    (void)state;
    store_close(store);
    store = NULL;
    return 0;
}

/* ---- ids ---- */

static void ids_are_unique_and_ordered(void **state)
{
    (void)state;
    store_id_t a;
    store_id_t b;
    char text[STORE_ID_SIZE];
    store_id_new(&a);
    store_id_new(&b);
    assert_false(store_id_equal(&a, &b));
    store_id_format(&a, text);
    assert_int_equal(text[14], '1');
    assert_true(store_id_parse(text, 36, &b));
    assert_true(store_id_equal(&a, &b));
    store_id_format(&STORE_ID_NULL, text);
    assert_string_equal(text, "13814000-1dd2-11b2-8080-808080808080");
    assert_false(store_id_parse("13814000-1dd2-11b2-8080_808080808080", 36, &b));
    assert_false(store_id_parse("xyz", 3, &b));
}

/* ---- devices, profiles, credentials ---- */

static void note_name(void *ctx, const store_device_t *d)
{
    strcat(ctx, d->name);
    strcat(ctx, ";");
}

static void names_are_unique_and_lists_are_paged(void **state)
{
    (void)state;
    char names[256] = "";
    uint64_t total;
    store_device_t twin = {.label = "100%"};
    strcpy(twin.name, "SN-1");
    assert_int_equal(store_device_save(store, &twin, 0, NULL), STORE_NAME_TAKEN);
    strcpy(twin.name, "SN-2");
    assert_int_equal(store_device_save(store, &twin, 0, NULL), STORE_OK);
    assert_string_equal(twin.type, "default");
    store_device_query_t query = {.page = {.size = 1, .page = 1, .sort = STORE_BY_NAME},
                                  .active = -1};
    assert_int_equal(store_device_list(store, &query, note_name, names, &total, NULL), STORE_OK);
    assert_string_equal(names, "SN-2;");
    assert_int_equal(total, 2);
    names[0] = '\0';
    query.page = (store_page_t){.size = 10, .search = "0%", .descending = true};
    assert_int_equal(store_device_list(store, &query, note_name, names, &total, NULL), STORE_OK);
    assert_string_equal(names, "SN-2;"); /* the wildcard in the search is an ordinary character */
    names[0] = '\0';
    query.page = (store_page_t){.size = 10, .search = "' OR 1=1 --"};
    assert_int_equal(store_device_list(store, &query, note_name, names, &total, NULL), STORE_OK);
    assert_int_equal(total, 0);
}

static void note_title(void *ctx, const store_device_t *d)
{
    strcat(ctx, d->customer_title != NULL ? d->customer_title : "-");
    strcat(ctx, ";");
}

static void lists_are_of_a_profile_or_a_customer(void **state)
{
    (void)state;
    store_profile_t operating = profile("operating");
    store_customer_t alice = {.version = -1};
    strcpy(alice.title, "Alice");
    assert_int_equal(store_profile_save(store, &operating, NULL), STORE_OK);
    assert_int_equal(store_customer_save(store, &alice, 0, NULL), STORE_OK);
    store_device_t more[2] = {{.profile = operating.id, .customer = alice.id},
                              {.customer = alice.id}};
    for (int i = 0; i < 2; i++) {
        snprintf(more[i].name, sizeof more[i].name, "SN-%d", i + 2);
        assert_int_equal(store_device_save(store, &more[i], 0, NULL), STORE_OK);
    }
    const struct {
        const store_id_t *profile;
        const store_id_t *customer;
        const char *names;
        const char *titles;
    } rows[] = {
        {NULL, NULL, "SN-3;SN-2;SN-1;", "Alice;Alice;-;"},
        {&operating.id, NULL, "SN-2;", "Alice;"},
        {NULL, &alice.id, "SN-3;SN-2;", "Alice;Alice;"},
        {&operating.id, &alice.id, "SN-2;", "Alice;"},
        {&operating.id, &operating.id, "", ""},
        {&alice.id, NULL, "", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char names[256] = "";
        char titles[256] = "";
        uint64_t total;
        store_device_query_t query = {.page = {.size = 5, .descending = true},
                                      .active = -1,
                                      .profile = rows[i].profile,
                                      .customer = rows[i].customer};
        assert_int_equal(store_device_list(store, &query, note_name, names, &total, NULL),
                         STORE_OK);
        store_device_list(store, &query, note_title, titles, NULL, NULL);
        assert_string_equal(names, rows[i].names);
        assert_string_equal(titles, rows[i].titles);
        assert_int_equal(total, strlen(names) / 5);
    }
}

static void versions_lock(void **state)
{
    (void)state;
    store_device_t stale = device;
    stale.label = "late";
    device.label = "first";
    assert_int_equal(store_device_save(store, &device, 0, NULL), STORE_OK);
    assert_int_equal(device.version, 2);
    assert_int_equal(store_device_save(store, &stale, 0, NULL), STORE_CONFLICT);
    stale.version = -1;
    assert_int_equal(store_device_save(store, &stale, 0, NULL), STORE_OK);
    store_device_t nobody = {.id = {{9}}};
    strcpy(nobody.name, "x");
    assert_int_equal(store_device_save(store, &nobody, 0, NULL), STORE_NOT_FOUND);
}

static void credentials_belong_to_one_device(void **state)
{
    (void)state;
    bool changed;
    store_credentials_t c = {.device = device.id,
                             .type = STORE_X509_CERTIFICATE,
                             .credentials_id = "aa",
                             .value = "MIIB"};
    assert_int_equal(store_credentials_save(store, &c, 5, &changed, NULL), STORE_OK);
    assert_true(changed);
    assert_int_equal(store_credentials_save(store, &c, 5, &changed, NULL), STORE_OK);
    assert_false(changed); /* the same again: sessions stay */
    assert_int_equal(c.version, 2);
    store_device_t other = {.label = NULL};
    strcpy(other.name, "SN-9");
    assert_int_equal(store_device_save(store, &other, 0, NULL), STORE_OK);
    store_credentials_t stolen = {
        .device = other.id, .type = STORE_X509_CERTIFICATE, .credentials_id = "aa"};
    assert_int_equal(store_credentials_save(store, &stolen, 5, NULL, NULL), STORE_ID_TAKEN);
    stolen.device = device.id;
    assert_int_equal(store_credentials_save(store, &stolen, 5, NULL, NULL), STORE_CONFLICT);
}

static void note_profile(void *ctx, const store_profile_t *p)
{
    *(store_id_t *)ctx = p->id;
}

static void a_profile_in_use_stays(void **state)
{
    (void)state;
    store_id_t id;
    store_profile_t p = profile("lobby");
    p.provision_key = "k";
    assert_int_equal(store_profile_save(store, &p, NULL), STORE_OK);
    store_profile_t q = profile("other");
    q.provision_key = "k";
    assert_int_equal(store_profile_save(store, &q, NULL), STORE_ID_TAKEN);
    assert_int_equal(store_profile_by_key(store, "k", note_profile, &id, NULL), STORE_OK);
    device.profile = id;
    assert_int_equal(store_device_save(store, &device, 0, NULL), STORE_OK);
    assert_string_equal(device.type, "lobby");
    assert_int_equal(store_profile_delete(store, &id, NULL), STORE_IN_USE);
    assert_int_equal(store_device_delete(store, &device.id, NULL), STORE_OK);
    assert_int_equal(store_profile_delete(store, &id, NULL), STORE_OK);
}

/* ---- values ---- */

static bool note_point(void *ctx, const tb_point_t *p)
{
    char scratch[TB_NUMBER_TEXT_MAX];
    const char *text;
    size_t len;
    tb_value_to_text(&p->value, scratch, &text, &len);
    sprintf((char *)ctx + strlen(ctx), "%.*s@%lld=%.*s;", (int)p->key_len, p->key, (long long)p->ts,
            (int)len, text);
    return true;
}

static void add(const char *key, int64_t ts, int64_t value)
{
    const tb_point_t p = {
        .ts = ts, .key = key, .key_len = strlen(key), .value = {.type = TB_LONG, .u.i = value}};
    assert_int_equal(store_point_add(store, device.row, &p, NULL), STORE_OK);
}

static void the_latest_is_the_highest_ts(void **state)
{
    (void)state;
    char got[256] = "";
    add("t", 10, 1);
    add("t", 30, 3);
    add("t", 20, 2); /* late: does not become the latest */
    add("u", 5, 9);
    add("t", 30, 4); /* the same millisecond: the last one counts */
    assert_int_equal(store_latest(store, device.row, NULL, 0, note_point, got, NULL), STORE_OK);
    assert_string_equal(got, "t@30=4;u@5=9;");
    got[0] = '\0';
    store_range(store, device.row, "t", 1, 10, 30, false, 0, note_point, got, NULL);
    assert_string_equal(got, "t@10=1;t@20=2;"); /* the end is exclusive */
    got[0] = '\0';
    store_range(store, device.row, "t", 1, 0, 100, true, 2, note_point, got, NULL);
    assert_string_equal(got, "t@30=4;t@20=2;");
    assert_int_equal(store_latest(store, device.row, "no", 2, note_point, got, NULL),
                     STORE_NOT_FOUND);
    const store_erase_t erase = {15, 99, true, true};
    assert_int_equal(store_range_delete(store, device.row, "t", 1, &erase, NULL), STORE_OK);
    got[0] = '\0';
    store_latest(store, device.row, "t", 1, note_point, got, NULL);
    assert_string_equal(got, "t@10=1;");
}

static bool note_attribute(void *ctx, const store_attribute_t *a)
{
    sprintf((char *)ctx + strlen(ctx), "%.*s/%d@%lld;", (int)a->key_len, a->key, (int)a->scope,
            (long long)a->updated_ms);
    return true;
}

static void equal_attributes_keep_their_time(void **state)
{
    (void)state;
    char got[256] = "";
    const tb_value_t x = {.type = TB_STRING, .text = "x", .len = 1};
    const tb_value_t y = {.type = TB_STRING, .text = "y", .len = 1};
    store_attribute_put(store, device.row, TB_SHARED_SCOPE, "k", 1, &x, 100, NULL);
    store_attribute_put(store, device.row, TB_SHARED_SCOPE, "k", 1, &x, 200, NULL);
    store_attribute_list(store, device.row, TB_SHARED_SCOPE, note_attribute, got, NULL);
    assert_string_equal(got, "k/2@100;");
    store_attribute_put(store, device.row, TB_SHARED_SCOPE, "k", 1, &y, 300, NULL);
    got[0] = '\0';
    store_attribute_list(store, device.row, 0, note_attribute, got, NULL);
    assert_non_null(strstr(got, "k/2@300;"));
    assert_non_null(strstr(got, "active/3@1000;"));
    assert_int_equal(store_attribute_delete(store, device.row, TB_SHARED_SCOPE, "k", 1, NULL),
                     STORE_OK);
    assert_int_equal(store_attribute_delete(store, device.row, TB_SHARED_SCOPE, "k", 1, NULL),
                     STORE_NOT_FOUND);
}

/* ---- batches ---- */

static void note_commit(void *ctx, bool committed)
{
    strcat(ctx, committed ? "c" : "r");
}

static void an_undone_batch_leaves_nothing(void **state)
{
    (void)state;
    char told[16] = "";
    char got[64] = "";
    assert_true(store_commit(store, NULL));
    store_on_commit(store, note_commit, told);
    add("new-key", 1, 1);
    assert_true(store_batch_size(store) > 0);
    store_rollback(store);
    assert_int_equal(store_latest(store, device.row, "new-key", 7, note_point, got, NULL),
                     STORE_NOT_FOUND);
    add("new-key", 2, 2); /* its number must not come from the cache of what was undone */
    assert_true(store_commit(store, NULL));
    store_latest(store, device.row, "new-key", 7, note_point, got, NULL);
    assert_string_equal(got, "new-key@2=2;");
    assert_true(store_commit(store, NULL)); /* nothing to commit: nobody is told */
    assert_string_equal(told, "rc");
}

/* A writer that says each commit on a pipe, until it is killed. */
static void write_until_killed(const char *path, int fd)
{
    store_t *s;
    store_device_t d = {.label = NULL};
    strcpy(d.name, "SN-1");
    store_profile_t p = profile("default");
    if (!store_open(&s, &(store_settings_t){.path = path}, NULL)) {
        _exit(1);
    }
    store_profile_save(s, &p, NULL);
    store_device_save(s, &d, 0, NULL);
    for (int32_t n = 1;; n++) {
        const tb_point_t point = {
            .ts = n, .key = "n", .key_len = 1, .value = {.type = TB_LONG, .u.i = n}};
        if (store_point_add(s, d.row, &point, NULL) != STORE_OK || !store_commit(s, NULL) ||
            write(fd, &n, sizeof n) != sizeof n) {
            _exit(1);
        }
    }
}

static bool count_point(void *ctx, const tb_point_t *p)
{
    (void)p;
    ++*(int *)ctx;
    return true;
}

static void what_was_committed_survives_sigkill(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        char dir[] = "/tmp/cradle-store-XXXXXX";
        char path[64];
        int fds[2];
        int32_t last = 0;
        int32_t n;
        int count = 0;
        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof path, "%s/cloud.db", dir);
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        if (pid == 0) {
            close(fds[0]);
            write_until_killed(path, fds[1]);
        }
        close(fds[1]);
        assert_int_equal(read(fds[0], &last, sizeof last), sizeof last); /* it has begun */
        usleep(7000 * (unsigned)round);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        while (read(fds[0], &n, sizeof n) == sizeof n) {
            last = n;
        }
        close(fds[0]);
        assert_true(last > 0);
        store_t *s;
        assert_true(store_open(&s, &(store_settings_t){.path = path}, NULL));
        assert_int_equal(
            store_range(s, 1, "n", 1, 0, (int64_t)last + 1, false, 0, count_point, &count, NULL),
            STORE_OK);
        assert_int_equal(count, last);
        store_close(s);
        file_remove_tree(dir, NULL);
    }
}

static void strange_files_are_refused(void **state)
{
    (void)state;
    char path[] = "/tmp/cradle-store-XXXXXX";
    store_t *s;
    err_t err = ERR_INIT;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "this is no database, it is a text of some length\n", 49), 49);
    close(fd);
    assert_false(store_open(&s, &(store_settings_t){.path = path}, &err));
    assert_non_null(strstr(err.text, path));
    unlink(path);
    assert_false(store_open(&s, &(store_settings_t){.path = "/nonexistent/x.db"}, NULL));
}

int main(void)
{
#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, open_memory, close_store)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_unique_and_ordered),
        WITH_STORE(names_are_unique_and_lists_are_paged),
        WITH_STORE(lists_are_of_a_profile_or_a_customer),
        WITH_STORE(versions_lock),
        WITH_STORE(credentials_belong_to_one_device),
        WITH_STORE(a_profile_in_use_stays),
        WITH_STORE(the_latest_is_the_highest_ts),
        WITH_STORE(equal_attributes_keep_their_time),
        WITH_STORE(an_undone_batch_leaves_nothing),
        cmocka_unit_test(what_was_committed_survives_sigkill),
        cmocka_unit_test(strange_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

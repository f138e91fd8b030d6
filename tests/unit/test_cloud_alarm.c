/* SPDX-License-Identifier: Apache-2.0 */
/* Alarms in the store: one active a device and type, filters, whose they are. As tried on a live
   ThingsBoard 4.2.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/store.h"

static store_t *store;
static store_device_t device;
static store_id_t customer;

static int open_memory(void **state)
{
    (void)state;
    store_profile_t profile = {.name = "default", .is_default = true};
    store_id_new(&customer);
    device = (store_device_t){.name = "SN-000001", .customer = customer};
    if (!store_open(&store, &(store_settings_t){.path = ""}, NULL) ||
        store_profile_save(store, &profile, NULL) != STORE_OK) {
        return 1;
    }
    device.profile = profile.id;
    return store_device_save(store, &device, 1000, NULL) == STORE_OK ? 0 : 1;
}

static int close_store(void **state)
{
    (void)state;
    store_close(store);
    return 0;
}

static store_id_t raise(const char *type, store_severity_t severity, int64_t now)
{
    store_alarm_t a = {
        .device = device.id, .type = type, .severity = severity, .details = "{\"now\":1}"};
    assert_int_equal(store_alarm_save(store, &a, now, NULL), STORE_OK);
    return a.id;
}

/* ---- what was handed out ---- */

static store_alarm_t last;
static char last_type[64];
static char last_details[64];
static char names[256]; /* of a list: "a1 b0 " */

static void note(void *ctx, const store_alarm_t *a)
{
    (void)ctx;
    last = *a;
    snprintf(last_type, sizeof last_type, "%s", a->type);
    snprintf(last_details, sizeof last_details, "%s", a->details != NULL ? a->details : "-");
    size_t at = strlen(names);
    snprintf(names + at, sizeof names - at, "%s%d ", a->type, (int)a->severity);
}

static void read_back(const store_id_t *id)
{
    names[0] = '\0';
    assert_int_equal(store_alarm_get(store, id, note, NULL, NULL), STORE_OK);
}

static uint64_t list(store_alarm_query_t q)
{
    uint64_t total = 99;
    names[0] = '\0';
    q.page.size = q.page.size != 0 ? q.page.size : 10;
    assert_int_equal(store_alarm_list(store, &q, note, NULL, &total, NULL), STORE_OK);
    return total;
}

#define ANY .acknowledged = -1, .cleared = -1

/* ---- tests ---- */

static void one_active_of_a_type(void **state)
{
    (void)state;
    store_id_t first = raise("certificate", STORE_MAJOR, 5000);
    read_back(&first);
    assert_int_equal(last.start_ms, 5000);
    assert_int_equal(last.end_ms, 5000);
    assert_true(store_id_equal(&last.customer, &customer));
    assert_true(store_id_equal(&last.device, &device.id));
    store_id_t again = raise("certificate", STORE_MINOR, 6000);
    assert_true(store_id_equal(&first, &again));
    read_back(&first);
    assert_int_equal(last.created_ms, 5000);
    assert_int_equal(last.start_ms, 6000); /* taken anew, as ThingsBoard does */
    assert_int_equal(last.severity, STORE_MINOR);
    store_id_t other = raise("battery", STORE_MINOR, 6000);
    assert_false(store_id_equal(&first, &other));
    assert_int_equal(store_alarm_acknowledge(store, &first, 6500, NULL), STORE_OK);
    again = raise("certificate", STORE_MINOR, 6600);
    read_back(&again);
    assert_true(store_id_equal(&first, &again) && last.acknowledged);
    assert_int_equal(store_alarm_clear(store, &first, 7000, NULL), STORE_OK);
    again = raise("certificate", STORE_CRITICAL, 8000);
    assert_false(store_id_equal(&first, &again));
    assert_int_equal(list((store_alarm_query_t){ANY}), 3);
}

static void marks_are_set_once(void **state)
{
    (void)state;
    store_id_t id = raise("a", STORE_MAJOR, 5000);
    assert_int_equal(store_alarm_acknowledge(store, &id, 6000, NULL), STORE_OK);
    assert_int_equal(store_alarm_acknowledge(store, &id, 6001, NULL), STORE_CONFLICT);
    assert_int_equal(store_alarm_clear(store, &id, 7000, NULL), STORE_OK);
    assert_int_equal(store_alarm_clear(store, &id, 7001, NULL), STORE_CONFLICT);
    read_back(&id);
    assert_int_equal(last.acked_ms, 6000);
    assert_int_equal(last.cleared_at_ms, 7000);
    assert_int_equal(store_alarm_delete(store, &id, NULL), STORE_OK);
    assert_int_equal(store_alarm_delete(store, &id, NULL), STORE_NOT_FOUND);
    assert_int_equal(store_alarm_clear(store, &id, 7001, NULL), STORE_NOT_FOUND);
}

static void what_is_wrong_is_refused(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    store_id_t nobody;
    store_id_new(&nobody);
    char *large = calloc(1, STORE_JSON_MAX + 2);
    memset(large, ' ', STORE_JSON_MAX + 1);
    store_alarm_t a = {.device = nobody, .type = "a"};
    assert_int_equal(store_alarm_save(store, &a, 1, &err), STORE_NOT_FOUND);
    a = (store_alarm_t){.device = device.id, .type = "a", .id = nobody};
    assert_int_equal(store_alarm_save(store, &a, 1, &err), STORE_NOT_FOUND);
    a = (store_alarm_t){.device = device.id, .type = "a", .details = large};
    assert_int_equal(store_alarm_save(store, &a, 1, &err), STORE_INVALID);
    err_clear(&err);
    large[STORE_TEXT_MAX + 1] = '\0';
    a = (store_alarm_t){.device = device.id, .type = large};
    assert_int_equal(store_alarm_save(store, &a, 1, &err), STORE_INVALID);
    err_clear(&err);
    a = (store_alarm_t){.device = device.id, .type = "a", .severity = (store_severity_t)5};
    assert_int_equal(store_alarm_save(store, &a, 1, &err), STORE_INVALID);
    err_clear(&err);
    assert_int_equal(list((store_alarm_query_t){ANY}), 0);
    free(large);
}

static void lists_are_filtered(void **state)
{
    (void)state;
    store_id_t nobody;
    store_id_new(&nobody);
    store_id_t a = raise("a", STORE_MAJOR, 5000);
    raise("b", STORE_MINOR, 6000);
    store_id_t c = raise("c_x", STORE_MINOR, 7000);
    store_alarm_clear(store, &a, 8000, NULL);
    store_alarm_acknowledge(store, &c, 8000, NULL);
    assert_int_equal(list((store_alarm_query_t){ANY, .page.descending = true}), 3);
    assert_string_equal(names, "c_x2 b2 a1 ");
    assert_int_equal(list((store_alarm_query_t){ANY, .page = {.size = 2, .page = 1}}), 3);
    assert_string_equal(names, "c_x2 ");
    list((store_alarm_query_t){.acknowledged = -1, .cleared = 0});
    assert_string_equal(names, "b2 c_x2 ");
    list((store_alarm_query_t){.acknowledged = 0, .cleared = 1});
    assert_string_equal(names, "a1 ");
    list((store_alarm_query_t){ANY, .severities = 1u << STORE_MAJOR | 1u << STORE_CRITICAL});
    assert_string_equal(names, "a1 ");
    list((store_alarm_query_t){ANY, .types = ",x,b,"});
    assert_string_equal(names, "b2 ");
    list((store_alarm_query_t){ANY, .from_ms = 6000, .to_ms = 6000});
    assert_string_equal(names, "b2 ");
    list((store_alarm_query_t){ANY, .page.search = "C_"});
    assert_string_equal(names, "c_x2 ");
    assert_int_equal(list((store_alarm_query_t){ANY, .page.search = "000001"}), 3);
    assert_int_equal(list((store_alarm_query_t){ANY, .device = &nobody}), 0);
    assert_int_equal(list((store_alarm_query_t){ANY, .customer = &nobody}), 0);
    assert_int_equal(list((store_alarm_query_t){ANY, .customer = &customer}), 3);
}

/* The customer stays what it was; with the device its alarms go. */
static void alarms_do_not_follow_the_device(void **state)
{
    (void)state;
    store_id_t id = raise("a", STORE_MAJOR, 5000);
    store_id_t next;
    store_id_new(&next);
    device.customer = next;
    device.version = -1;
    assert_int_equal(store_device_save(store, &device, 6000, NULL), STORE_OK);
    read_back(&id);
    assert_true(store_id_equal(&last.customer, &customer));
    raise("a", STORE_MINOR, 7000);
    read_back(&id);
    assert_true(store_id_equal(&last.customer, &customer));
    id = raise("b", STORE_MINOR, 7000);
    read_back(&id);
    assert_true(store_id_equal(&last.customer, &next));
    assert_int_equal(store_device_delete(store, &device.id, NULL), STORE_OK);
    assert_int_equal(store_alarm_get(store, &id, note, NULL, NULL), STORE_NOT_FOUND);
    assert_int_equal(list((store_alarm_query_t){ANY}), 0);
}

/* ---- users: what is kept of them can be read again ---- */

static void user_info_is_bounded_json(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    char *info = calloc(1, STORE_JSON_MAX + 2);
    memset(info, ' ', STORE_JSON_MAX + 1);
    info[0] = '{';
    info[STORE_JSON_MAX] = '}';
    store_user_t user = {.email = "a@b", .role = STORE_TENANT_ADMIN, .info = info};
    assert_int_equal(store_user_save(store, &user, 1, &err), STORE_INVALID);
    err_clear(&err);
    info[STORE_JSON_MAX] = '\0';
    info[STORE_JSON_MAX - 1] = '}';
    assert_int_equal(store_user_save(store, &user, 1, &err), STORE_OK);
    user.info = "{\"a\":";
    assert_int_equal(store_user_save(store, &user, 2, &err), STORE_INVALID);
    err_clear(&err);
    free(info);
}

#define WITH_STORE(f) cmocka_unit_test_setup_teardown(f, open_memory, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(one_active_of_a_type),
        WITH_STORE(marks_are_set_once),
        WITH_STORE(what_is_wrong_is_refused),
        WITH_STORE(lists_are_filtered),
        WITH_STORE(alarms_do_not_follow_the_device),
        WITH_STORE(user_info_is_bounded_json),
    };
    return cmocka_run_group_tests_name("cloud_alarm", tests, NULL, NULL);
}

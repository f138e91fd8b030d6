/* SPDX-License-Identifier: Apache-2.0 */
/* The steward's REST side on a running cloud (cloud_lab.h): cradle-cloud, or a ThingsBoard. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "json/json_edit.h"
#include "json/json.h"
#include "pki/cert.h"
#include "tests/unit/cloud_lab.h"

#define NOWHERE "11111111-1111-11f1-8111-111111111111"

static cloud_lab_t lab;

static int setup(void **state)
{
    (void)state;
    cloud_lab_open(&lab);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    cloud_lab_close(&lab);
    return 0;
}

typedef struct {
    char sn[48];
    uint8_t leaf[CLOUD_LEAF_MAX];
    size_t len;
    char id[TBREST_ID_SIZE];
} unit_t;

static void name_unit(unit_t *unit, const char *name)
{
    memset(unit, 0, sizeof *unit);
    snprintf(unit->sn, sizeof unit->sn, "%s-%s", lab.tag, name);
    cloud_lab_leaf(&lab, unit->sn, unit->leaf, &unit->len);
}

static void make_unit(unit_t *unit, const char *name, const char *customer)
{
    err_t err = ERR_INIT;
    name_unit(unit, name);
    if (cloud_create(lab.cloud_handle, unit->sn, unit->leaf, unit->len, customer, unit->id, &err) !=
        CLOUD_OK) {
        fail_msg("%s", err.text);
    }
}

static cloud_device_t read_unit(const unit_t *unit)
{
    err_t err = ERR_INIT;
    cloud_device_t device;
    if (!cloud_device_read(lab.cloud_handle, unit->id, &device, &err)) {
        fail_msg("%s", err.text);
    }
    return device;
}

/* Somebody changes members of the device. */
static void meddle(const unit_t *unit, const json_edit_t *edits, size_t count)
{
    char out[4096];
    char *device = cloud_lab_on(&lab, "GET", "/api/device/%s", unit->id, NULL);
    assert_true(json_edit(device, strlen(device), edits, count, out, sizeof out, NULL));
    free(device);
    free(cloud_lab_call(&lab, "POST", "/api/device", out));
}

static void assert_ok(cloud_outcome_t outcome, const err_t *err)
{
    if (outcome != CLOUD_OK || err->kind != ERR_NONE) {
        fail_msg("outcome %d: %s", outcome, err->text);
    }
}

static void a_new_record_holds_name_leaf_and_customer(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    char customer[TBREST_ID_SIZE];
    char again[TBREST_ID_SIZE];
    char title[64];
    unit_t unit;
    uint8_t hash[32];
    snprintf(title, sizeof title, "owner %s alice", lab.tag);
    assert_true(cloud_customer(lab.cloud_handle, title, customer, &err));
    assert_true(cloud_customer(lab.cloud_handle, title, again, &err));
    assert_string_equal(customer, again);
    uint64_t before = cloud_calls(lab.cloud_handle);
    make_unit(&unit, "new", customer);
    assert_in_range(cloud_calls(lab.cloud_handle) - before, 1, 2);
    cloud_device_t device = read_unit(&unit);
    assert_true(device.found && device.has_leaf);
    assert_string_equal(device.name, unit.sn);
    assert_string_equal(device.customer, customer);
    assert_int_equal(device.profile, CLOUD_OPERATING);
    assert_false(device.gateway || device.dressed);
    assert_int_equal(device.leaf_len, unit.len);
    assert_memory_equal(device.leaf, unit.leaf, unit.len);
    pki_sha256(unit.leaf, unit.len, hash, NULL);
    assert_memory_equal(device.leaf_hash, hash, 32);
    assert_true(device.created_ms > 1700000000000);
    cloud_device_t found;
    assert_true(cloud_device_find(lab.cloud_handle, unit.sn, &found, &err));
    assert_string_equal(found.id, unit.id);
    assert_ok(cloud_delete(lab.cloud_handle, unit.id, &err), &err);
}

static void what_is_not_there_is_said(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    cloud_t *cloud = lab.cloud_handle;
    cloud_device_t device;
    unit_t unit;
    int64_t count[CLOUD_ITEMS];
    name_unit(&unit, "nobody");
    assert_true(cloud_device_read(cloud, NOWHERE, &device, &err) && !device.found);
    assert_true(cloud_device_find(cloud, unit.sn, &device, &err) && !device.found);
    assert_ok(cloud_delete(cloud, NOWHERE, &err), &err);
    assert_int_equal(cloud_unassign(cloud, NOWHERE, NULL), CLOUD_NOT_FOUND);
    assert_int_equal(cloud_leaf(cloud, NOWHERE, unit.leaf, unit.len, NULL), CLOUD_NOT_FOUND);
    assert_int_equal(cloud_secure(cloud, NOWHERE, unit.leaf, unit.len, NULL), CLOUD_NOT_FOUND);
    assert_int_equal(cloud_quarantine(cloud, NOWHERE, NULL), CLOUD_NOT_FOUND);
    assert_int_equal(cloud_fields(cloud, NOWHERE, "x", NULL), CLOUD_NOT_FOUND);
    assert_int_equal(cloud_count(cloud, NOWHERE, count, NULL), CLOUD_NOT_FOUND);
    assert_int_equal(cloud_erase(cloud, NOWHERE, RECEIPT_SERIES, NULL), CLOUD_NOT_FOUND);
    /* An unknown customer is a mistake, not a missing device. */
    make_unit(&unit, "here", "");
    assert_int_equal(cloud_assign(cloud, unit.id, NOWHERE, NULL), CLOUD_FAILED);
    assert_int_equal(cloud_assign(cloud, NOWHERE, NOWHERE, NULL), CLOUD_FAILED);
    /* What is no id goes nowhere. */
    uint64_t before = cloud_calls(cloud);
    assert_int_equal(cloud_delete(cloud, "../customer/x", &err), CLOUD_FAILED);
    assert_int_equal(cloud_calls(cloud), before);
}

static void two_records_never_share_a_name_or_a_leaf(void **state)
{
    (void)state;
    unit_t a, b;
    char id[TBREST_ID_SIZE];
    cloud_t *cloud = lab.cloud_handle;
    make_unit(&a, "a", "");
    make_unit(&b, "b", "");
    assert_int_equal(cloud_create(cloud, a.sn, b.leaf, b.len, "", id, NULL), CLOUD_EXISTS);
    assert_int_equal(cloud_create(cloud, "LAB other", a.leaf, a.len, "", id, NULL), CLOUD_EXISTS);
    assert_int_equal(cloud_leaf(cloud, b.id, a.leaf, a.len, NULL), CLOUD_EXISTS);
    assert_int_equal(cloud_secure(cloud, b.id, a.leaf, a.len, NULL), CLOUD_EXISTS);
    assert_int_equal(cloud_fields(cloud, b.id, a.sn, NULL), CLOUD_EXISTS);
    cloud_device_t device = read_unit(&b);
    assert_memory_equal(device.leaf, b.leaf, b.len);
    /* ThingsBoard would take junk and lock the device out. */
    assert_int_equal(cloud_leaf(cloud, b.id, (const uint8_t *)"junk", 4, NULL), CLOUD_FAILED);
    assert_int_equal(cloud_create(cloud, "LAB junk", (const uint8_t *)"junk", 4, "", id, NULL),
                     CLOUD_FAILED);
    device = read_unit(&b);
    assert_true(device.has_leaf);
}

static void quarantine_and_back(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    unit_t unit, next;
    cloud_t *cloud = lab.cloud_handle;
    make_unit(&unit, "quarantine", "");
    name_unit(&next, "quarantine");
    assert_ok(cloud_quarantine(cloud, unit.id, &err), &err);
    assert_false(read_unit(&unit).has_leaf);
    char *one = cloud_lab_on(&lab, "GET", "/api/device/%s/credentials", unit.id, NULL);
    assert_non_null(strstr(one, "ACCESS_TOKEN"));
    assert_ok(cloud_quarantine(cloud, unit.id, &err), &err);
    char *two = cloud_lab_on(&lab, "GET", "/api/device/%s/credentials", unit.id, NULL);
    assert_string_not_equal(one, two); /* a token that nobody can have read */
    free(one);
    free(two);
    assert_ok(cloud_leaf(cloud, unit.id, next.leaf, next.len, &err), &err);
    cloud_device_t device = read_unit(&unit);
    assert_true(device.has_leaf);
    assert_memory_equal(device.leaf, next.leaf, next.len);
    uint64_t before = cloud_calls(cloud);
    assert_ok(cloud_leaf(cloud, unit.id, next.leaf, next.len, &err), &err);
    assert_int_equal(cloud_calls(cloud) - before, 2); /* looked at, nothing written */
}

static void profile_id(const char *name, char id[TBREST_ID_SIZE])
{
    char path[32];
    json_token_t token;
    char *page = cloud_lab_call(&lab, "GET", "/api/deviceProfileInfos?pageSize=100&page=0", NULL);
    id[0] = '\0';
    for (int i = 0; i < 100 && id[0] == '\0'; i++) {
        snprintf(path, sizeof path, "data.%d", i);
        json_token_t entry;
        if (json_find(page, strlen(page), path, &entry) &&
            json_find(entry.text, entry.len, "name", &token) && json_equals(&token, name)) {
            assert_true(json_find(entry.text, entry.len, "id.id", &token));
            assert_true(json_string(&token, id, TBREST_ID_SIZE, NULL));
        }
    }
    free(page);
    assert_string_not_equal(id, "");
}

static void move(const unit_t *unit, const char *profile)
{
    char id[TBREST_ID_SIZE];
    char raw[128];
    profile_id(profile, id);
    snprintf(raw, sizeof raw, "{\"entityType\":\"DEVICE_PROFILE\",\"id\":\"%s\"}", id);
    const json_edit_t edit = {"deviceProfileId", raw};
    meddle(unit, &edit, 1);
}

typedef struct {
    const char *id;
    int seen;
    int all;
} counted_t;

static bool note(void *ctx, const char *id, const char *name)
{
    counted_t *counted = ctx;
    assert_true(name[0] != '\0');
    counted->all++;
    counted->seen += strcmp(id, counted->id) == 0;
    return true;
}

static void secured_from_the_lobby(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    unit_t unit, next;
    char customer[TBREST_ID_SIZE];
    char title[64];
    cloud_t *cloud = lab.cloud_handle;
    const json_edit_t gateway[] = {
        {"additionalInfo", "{\"gateway\":true,\"description\":\"in the \\\"attic\\\"\"}"},
        {"label", "\"mine\""}};
    make_unit(&unit, "lobby", "");
    name_unit(&next, "lobby");
    snprintf(title, sizeof title, "owner %s bob", lab.tag);
    assert_true(cloud_customer(cloud, title, customer, &err));
    move(&unit, lab.lobby);
    meddle(&unit, gateway, 2);
    counted_t counted = {unit.id, 0, 0};
    assert_true(cloud_lobby(cloud, note, &counted, &err));
    assert_int_equal(counted.seen, 1);
    assert_ok(cloud_assign(cloud, unit.id, customer, &err), &err);
    assert_ok(cloud_assign(cloud, unit.id, customer, &err), &err);
    cloud_device_t device = read_unit(&unit);
    assert_int_equal(device.profile, CLOUD_LOBBY);
    assert_true(device.gateway && device.dressed);
    assert_string_equal(device.customer, customer);

    assert_ok(cloud_secure(cloud, unit.id, next.leaf, next.len, &err), &err);
    device = read_unit(&unit);
    assert_int_equal(device.profile, CLOUD_OPERATING);
    assert_false(device.gateway);
    assert_true(device.dressed); /* label and description are the owner's */
    assert_string_equal(device.customer, TBREST_NULL_ID);
    assert_memory_equal(device.leaf, next.leaf, next.len);
    counted = (counted_t){unit.id, 0, 0};
    assert_true(cloud_lobby(cloud, note, &counted, &err));
    assert_int_equal(counted.seen, 0);

    const json_edit_t renamed = {"name", "\"somebody else's name\""};
    meddle(&unit, &renamed, 1);
    assert_ok(cloud_fields(cloud, unit.id, unit.sn, &err), &err);
    device = read_unit(&unit);
    assert_string_equal(device.name, unit.sn);
    assert_false(device.dressed);
    assert_ok(cloud_unassign(cloud, unit.id, &err), &err);
    assert_ok(cloud_unassign(cloud, unit.id, &err), &err);
}

static void fill(const unit_t *unit)
{
    free(cloud_lab_on(&lab, "POST", "/api/plugins/telemetry/DEVICE/%s/timeseries/ANY", unit->id,
                      "[{\"ts\":1700000000000,\"values\":{\"temp\":1,\"a b\":\"x\"}},"
                      "{\"ts\":1700000001000,\"values\":{\"temp\":2}},"
                      "{\"ts\":-5,\"values\":{\"before 1970\":3}},"
                      "{\"ts\":1,\"values\":{\"\\u00fcber/100%&=?#\":2}}]"));
    free(cloud_lab_on(&lab, "POST", "/api/plugins/telemetry/DEVICE/%s/SHARED_SCOPE", unit->id,
                      "{\"period\":5,\"n\\u00e4me\":\"x\"}"));
    free(cloud_lab_on(&lab, "POST", "/api/plugins/telemetry/DEVICE/%s/SERVER_SCOPE", unit->id,
                      "{\"note\":\"x\",\"active\":true,\"inactivityTimeout\":60000}"));
    for (int i = 0; i < 2; i++) {
        char body[256];
        snprintf(body, sizeof body,
                 "{\"type\":\"hot %d\",\"originator\":{\"entityType\":\"DEVICE\",\"id\":\"%s\"},"
                 "\"severity\":\"MAJOR\"}",
                 i, unit->id);
        free(cloud_lab_call(&lab, "POST", "/api/alarm", body));
    }
    free(cloud_lab_on(&lab, "POST", "/api/rpc/oneway/%s", unit->id,
                      "{\"method\":\"setLed\",\"params\":{},\"persistent\":true,"
                      "\"timeout\":600000}"));
}

static void counted_and_erased(void **state)
{
    (void)state;
    static const int64_t expected[CLOUD_ITEMS] = {4, 0, 2, 2, 2, 1};
    err_t err = ERR_INIT;
    unit_t unit;
    int64_t count[CLOUD_ITEMS];
    cloud_t *cloud = lab.cloud_handle;
    make_unit(&unit, "wipe", "");
    fill(&unit);
    assert_ok(cloud_count(cloud, unit.id, count, &err), &err);
    for (int i = 0; i < CLOUD_ITEMS; i++) {
        assert_int_equal(count[i], expected[i]);
    }
    for (int i = 0; i < CLOUD_ITEMS; i++) {
        assert_ok(cloud_erase(cloud, unit.id, (receipt_item_t)i, &err), &err);
    }
    assert_ok(cloud_count(cloud, unit.id, count, &err), &err);
    for (int i = 0; i < CLOUD_ITEMS; i++) {
        assert_int_equal(count[i], 0);
    }
    char *left =
        cloud_lab_on(&lab, "GET", "/api/plugins/telemetry/DEVICE/%s/keys/attributes/SERVER_SCOPE",
                     unit.id, NULL);
    assert_non_null(strstr(left, "\"active\"")); /* the platform's own */
    free(left);
    assert_int_equal(cloud_erase(cloud, unit.id, RECEIPT_RECORD, NULL), CLOUD_FAILED);
}

static void pages_of_alarms_and_many_keys(void **state)
{
    (void)state;
    enum { ALARMS = 130, KEYS = 400 };
    err_t err = ERR_INIT;
    unit_t unit;
    int64_t count[CLOUD_ITEMS];
    cloud_t *cloud = lab.cloud_handle;
    char *body = malloc(KEYS * 32);
    size_t at = 0;
    make_unit(&unit, "many", "");
    for (int i = 0; i < KEYS; i++) {
        at += (size_t)sprintf(body + at, "%c\"a rather long key %d\":%d", i == 0 ? '{' : ',', i, i);
    }
    sprintf(body + at, "}");
    free(cloud_lab_on(&lab, "POST", "/api/plugins/telemetry/DEVICE/%s/timeseries/ANY", unit.id,
                      body));
    free(body);
    for (int i = 0; i < ALARMS; i++) {
        char alarm[256];
        snprintf(alarm, sizeof alarm,
                 "{\"type\":\"hot %d\",\"originator\":{\"entityType\":\"DEVICE\",\"id\":\"%s\"},"
                 "\"severity\":\"MAJOR\"}",
                 i, unit.id);
        free(cloud_lab_call(&lab, "POST", "/api/alarm", alarm));
    }
    assert_ok(cloud_count(cloud, unit.id, count, &err), &err);
    assert_int_equal(count[RECEIPT_SERIES], KEYS);
    assert_int_equal(count[RECEIPT_ALARMS], ALARMS);
    assert_ok(cloud_erase(cloud, unit.id, RECEIPT_SERIES, &err), &err);
    assert_ok(cloud_erase(cloud, unit.id, RECEIPT_ALARMS, &err), &err);
    assert_ok(cloud_count(cloud, unit.id, count, &err), &err);
    assert_int_equal(count[RECEIPT_SERIES] + count[RECEIPT_ALARMS], 0);
}

/* ThingsBoard 4.2 cannot name a key with a comma: then it must go on being counted. */
static void a_key_with_a_comma_is_never_called_erased(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    unit_t unit;
    int64_t count[CLOUD_ITEMS];
    cloud_t *cloud = lab.cloud_handle;
    make_unit(&unit, "comma", "");
    free(cloud_lab_on(&lab, "POST", "/api/plugins/telemetry/DEVICE/%s/timeseries/ANY", unit.id,
                      "{\"a,b\":1,\"c\":2}"));
    assert_ok(cloud_count(cloud, unit.id, count, &err), &err);
    assert_int_equal(count[RECEIPT_SERIES], 2);
    assert_ok(cloud_erase(cloud, unit.id, RECEIPT_SERIES, &err), &err);
    assert_ok(cloud_count(cloud, unit.id, count, &err), &err);
    char *keys = cloud_lab_on(&lab, "GET", "/api/plugins/telemetry/DEVICE/%s/keys/timeseries",
                              unit.id, NULL);
    assert_int_equal(count[RECEIPT_SERIES] > 0, strstr(keys, "a,b") != NULL);
    assert_null(strstr(keys, "\"c\""));
    free(keys);
}

static void a_device_that_is_away_does_not_answer_the_bell(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    unit_t unit;
    make_unit(&unit, "away", "");
    assert_int_equal(cloud_doorbell(lab.cloud_handle, unit.id, &err), CLOUD_FAILED);
    assert_non_null(strstr(err.text, "not connected"));
    assert_int_equal(cloud_doorbell(lab.cloud_handle, NOWHERE, NULL), CLOUD_NOT_FOUND);
}

static void the_login_file_is_for_one_pair_of_eyes(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    char path[FILE_PATH_MAX];
    cloud_t *cloud;
    cloud_settings_t settings = {
        .url = lab.url, .login_file = path, .lobby = "a", .operating = "b"};
    assert_true(site_path(&lab.site, "other.json", path, &err));
    assert_false(cloud_open(&cloud, &settings, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_true(file_write(path, "{\"username\":\"x\",\"password\":\"y\"}", 31, 0644, NULL));
    assert_int_equal(chmod(path, 0644), 0);
    err_clear(&err);
    assert_false(cloud_open(&cloud, &settings, &err));
    assert_non_null(strstr(err.text, "chmod 600"));
    assert_int_equal(chmod(path, 0600), 0);
    err_clear(&err);
    assert_true(cloud_open(&cloud, &settings, &err));
    assert_false(cloud_ready(cloud, &err)); /* no such user */
    cloud_close(cloud);
    settings.operating = "a";
    assert_false(cloud_open(&cloud, &settings, NULL));
}

/* ThingsBoard would lock the account. */
static void a_wrong_login_is_not_tried_again_at_once(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    err_t again = ERR_INIT;
    char path[FILE_PATH_MAX];
    cloud_t *cloud;
    const cloud_settings_t settings = {.url = lab.url,
                                       .ca_file = lab.ca[0] != '\0' ? lab.ca : NULL,
                                       .login_file = path,
                                       .lobby = "a",
                                       .operating = "b"};
    assert_true(site_path(&lab.site, "wrong.json", path, &err));
    assert_true(file_write(path, "{\"username\":\"x@y.z\",\"password\":\"y\"}", 35, 0600, NULL));
    assert_true(cloud_open(&cloud, &settings, &err));
    assert_false(cloud_ready(cloud, &err));
    assert_non_null(strstr(err.text, "wrong.json"));
    uint64_t calls = cloud_calls(cloud);
    assert_false(cloud_ready(cloud, &again));
    assert_string_equal(again.text, err.text);
    assert_int_equal(cloud_calls(cloud), calls);
    cloud_close(cloud);
}

static void a_missing_profile_is_named(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    cloud_t *cloud;
    const cloud_settings_t settings = {.url = lab.url,
                                       .ca_file = lab.ca[0] != '\0' ? lab.ca : NULL,
                                       .login_file = lab.login,
                                       .lobby = lab.lobby,
                                       .operating = "no such profile"};
    assert_true(cloud_open(&cloud, &settings, &err));
    assert_false(cloud_ready(cloud, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_non_null(strstr(err.text, "no such profile"));
    cloud_close(cloud);
}

static void the_cloud_comes_back_after_a_kill(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    unit_t unit;
    cloud_device_t device;
    if (lab.live) {
        skip();
    }
    make_unit(&unit, "back", "");
    proc_kill(&lab.cloud);
    assert_false(cloud_device_read(lab.cloud_handle, unit.id, &device, &err));
    assert_int_equal(err.kind, ERR_PEER);
    err_clear(&err);
    cloud_lab_restart(&lab);
    assert_true(cloud_device_read(lab.cloud_handle, unit.id, &device, &err));
    assert_true(device.found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_record_holds_name_leaf_and_customer),
        cmocka_unit_test(what_is_not_there_is_said),
        cmocka_unit_test(two_records_never_share_a_name_or_a_leaf),
        cmocka_unit_test(quarantine_and_back),
        cmocka_unit_test(secured_from_the_lobby),
        cmocka_unit_test(counted_and_erased),
        cmocka_unit_test(pages_of_alarms_and_many_keys),
        cmocka_unit_test(a_key_with_a_comma_is_never_called_erased),
        cmocka_unit_test(a_device_that_is_away_does_not_answer_the_bell),
        cmocka_unit_test(the_login_file_is_for_one_pair_of_eyes),
        cmocka_unit_test(a_wrong_login_is_not_tried_again_at_once),
        cmocka_unit_test(a_missing_profile_is_named),
        cmocka_unit_test(the_cloud_comes_back_after_a_kill),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

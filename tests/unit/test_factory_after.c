/* SPDX-License-Identifier: Apache-2.0 */
/* Rework, scrap and the report; boards through factory_batch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "custody/custody.h"
#include "factory/batch.h"
#include "factory/rework.h"
#include "factory_fixture.h"
#include "site/deny.h"

static factory_station_t *station;

static int fresh(void **state)
{
    factory_fresh(state);
    return factory_station_open(&site, NULL, &station, NULL) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    factory_station_close(station);
    factory_check_site();
    return 0;
}

static factory_state_t state_of(const char *sn)
{
    factory_item_t item;
    return factory_find_sn(station, sn, &item, NULL) ? factory_item_state(&item) : FACTORY_UNKNOWN;
}

static void append(const char *sn, const char *kind, const char *detail)
{
    custody_t *custody;
    const custody_event_t event = {.sn = sn, .kind = kind, .detail = detail};
    assert_true(custody_open(factory_path("factory/custody.db"), FACTORY_WRITER, &custody, NULL));
    assert_true(custody_append(custody, &event, 1, clock_wall_ms(), NULL));
    custody_close(custody);
}

static bool denied(const char *leaf)
{
    pki_deny_t *list;
    uint8_t hash[32];
    assert_true(bytes_from_hex(leaf, 64, hash, sizeof hash));
    assert_true(site_deny_load(&site, &list, NULL));
    bool found = pki_deny_find(list, hash) != NULL;
    pki_deny_free(list);
    return found;
}

/* ---- tests ---- */

static void test_rework(void **state)
{
    (void)state;
    const factory_rework_t how = {.deny_later = false};
    factory_unit_t unit, before;
    err_t err = ERR_INIT;
    factory_make(3);
    factory_read_units();
    before = units.unit[1];
    append(before.sn, FACTORY_TEST, "{\"pass\":true}");
    assert_int_equal(state_of(before.sn), FACTORY_TESTED);
    /* What it wrote in the field goes. */
    char dir[FILE_PATH_MAX];
    assert_true(site_device_path(&site, before.sn, NULL, dir, NULL));
    assert_true(file_make_dirs(dir, 0700, NULL));
    if (!factory_rework(station, &how, before.sn, &unit, &err)) {
        fail_msg("%s", err.text);
    }
    assert_false(file_exists(dir));
    assert_string_equal(unit.sn, before.sn);
    assert_string_equal(unit.mac, before.mac);
    assert_string_not_equal(unit.leaf_sha256, before.leaf_sha256);
    assert_true(denied(before.leaf_sha256));
    assert_false(denied(unit.leaf_sha256));
    assert_int_equal(state_of(before.sn), FACTORY_IDENTIFIED);
    /* The lists have the new one, and as many units as before. */
    factory_read_units();
    assert_int_equal(units.count, 3);
    assert_string_equal(units.unit[1].leaf_sha256, unit.leaf_sha256);
    /* And once more. */
    before = unit;
    assert_true(factory_rework(station, &how, before.sn, &unit, &err));
    assert_true(denied(before.leaf_sha256));
    factory_read_units();
    assert_string_equal(units.unit[1].leaf_sha256, unit.leaf_sha256);
    append(unit.sn, FACTORY_TEST, "{\"pass\":true}");
    assert_int_equal(state_of(unit.sn), FACTORY_TESTED);
    assert_false(factory_rework(station, &how, "SN-000099", &unit, NULL));
}

/* Cut off after the new image was written, before custody heard of it. */
static void test_rework_finishes(void **state)
{
    (void)state;
    const factory_rework_t how = {.deny_later = false};
    factory_unit_t unit;
    char path[FILE_PATH_MAX];
    char *image;
    size_t len;
    factory_make(2);
    factory_read_units();
    assert_true(site_unit_path(&site, units.unit[1].sn, "identity.bin", path, NULL));
    assert_true(file_read(path, FACTORY_IDENTITY_SIZE, &image, &len, NULL));
    assert_true(site_unit_path(&site, units.unit[0].sn, "identity.bin", path, NULL));
    assert_true(file_write(path, image, len / 2, 0600, NULL)); /* half of something else */
    free(image);
    factory_detail_t detail;
    assert_false(factory_show(&site, units.unit[0].sn, &detail, NULL));
    assert_true(factory_rework(station, &how, units.unit[0].sn, &unit, NULL));
    assert_true(denied(units.unit[0].leaf_sha256));
    assert_true(factory_show(&site, units.unit[0].sn, &detail, NULL));
}

static void test_rework_without_product_key(void **state)
{
    (void)state;
    factory_rework_t how = {.deny_later = false};
    factory_unit_t unit, before;
    char key[FILE_PATH_MAX], away[FILE_PATH_MAX + 8], old[FILE_PATH_MAX];
    factory_make(1);
    factory_read_units();
    before = units.unit[0];
    assert_true(site_key_path(&site, "product", key, NULL));
    snprintf(away, sizeof away, "%s.away", key);
    assert_int_equal(rename(key, away), 0);
    assert_false(factory_rework(station, &how, before.sn, &unit, NULL));
    factory_read_units(); /* nothing was changed */
    assert_string_equal(units.unit[0].leaf_sha256, before.leaf_sha256);
    factory_check_images();
    how.deny_later = true;
    assert_true(factory_rework(station, &how, before.sn, &unit, NULL));
    assert_true(site_unit_path(&site, before.sn, "old.crt", old, NULL));
    assert_true(file_exists(old));
    assert_int_equal(rename(away, key), 0);
    how.deny_later = false;
    how.product_key = key;
    assert_true(factory_rework(station, &how, before.sn, &unit, NULL));
}

static void test_scrap(void **state)
{
    (void)state;
    const factory_rework_t how = {.deny_later = false};
    factory_unit_t unit;
    factory_board_t board = {.mac = "a0:b1:c2:d3:e4:f5"};
    bool already;
    factory_make(1);
    assert_true(factory_assemble(station, &board, NULL, false, NULL, NULL));
    assert_false(factory_scrap(station, "SN-000001", "", &already, NULL));
    assert_true(factory_scrap(station, "SN-000001", "fell down", &already, NULL));
    assert_false(already);
    assert_true(factory_scrap(station, "SN-000001", "fell down again", &already, NULL));
    assert_true(already);
    assert_int_equal(state_of("SN-000001"), FACTORY_SCRAPPED);
    assert_false(factory_rework(station, &how, "SN-000001", &unit, NULL));
    assert_true(factory_scrap(station, "A0B1C2D3E4F5", "bent", &already, NULL));
    assert_false(factory_assemble(station, &board, NULL, true, NULL, NULL));
    assert_false(factory_scrap(station, "SN-000009", "x", &already, NULL));
}

static void test_report(void **state)
{
    (void)state;
    factory_report_t report;
    factory_board_t board = {.mac = "a0:b1:c2:d3:e4:f5"};
    assert_true(factory_report(station, &report, NULL));
    assert_int_equal(report.yield[0].units, 0);
    assert_true(factory_checks_parse("sensors=fail", &board, NULL));
    assert_false(factory_assemble(station, &board, NULL, false, NULL, NULL));
    assert_true(factory_checks_parse("sensors=ok", &board, NULL));
    assert_true(factory_assemble(station, &board, NULL, false, NULL, NULL));
    factory_make(3);
    append("SN-000001", FACTORY_TEST, "{\"pass\":false,\"cause\":\"telemetry\"}");
    append("SN-000001", FACTORY_TEST, "{\"pass\":false,\"cause\":\"temperature\"}");
    append("SN-000002", FACTORY_TEST, "{\"pass\":false,\"cause\":\"temperature\"}");
    append("SN-000001", FACTORY_TEST, "{\"pass\":true}");
    append("SN-000003", FACTORY_TEST, "{\"pass\":true}");
    append("SN-000003", FACTORY_LABEL, "{\"code_hash\":null,\"qr\":\"x\"}");
    append("SN-000003", FACTORY_SHIP, "{\"pack\":\"x\"}");
    assert_true(factory_report(station, &report, NULL));
    const factory_yield_t *assemble = &report.yield[0], *test = &report.yield[3];
    assert_int_equal(assemble->units, 1);
    assert_int_equal(assemble->passed, 1);
    assert_int_equal(assemble->first, 0);
    assert_int_equal(report.yield[1].units, 3);
    assert_int_equal(test->units, 3);
    assert_int_equal(test->passed, 2);
    assert_int_equal(test->first, 1);
    assert_int_equal(test->failures, 3);
    assert_int_equal(report.state[FACTORY_ASSEMBLED], 1);
    assert_int_equal(report.state[FACTORY_IDENTIFIED], 1);
    assert_int_equal(report.state[FACTORY_TESTED], 1);
    assert_int_equal(report.state[FACTORY_SHIPPED], 1);
    assert_int_equal(report.cause_count, 3);
    assert_string_equal(report.cause[0].cause, "temperature");
    assert_int_equal(report.cause[0].count, 2);
}

static void test_batch_of_boards(void **state)
{
    (void)state;
    enum { BOARDS = 150 };
    static char macs[BOARDS + 2][FACTORY_MAC_SIZE];
    static factory_batch_result_t result;
    for (int i = 0; i < BOARDS; i++) {
        factory_board_t board = {.lot = "L1"};
        snprintf(macs[i], sizeof macs[i], "a0:b1:c2:d3:01:%02x", i);
        memcpy(board.mac, macs[i], sizeof board.mac);
        assert_true(factory_assemble(station, &board, NULL, false, NULL, NULL));
    }
    snprintf(macs[BOARDS], sizeof macs[0], "%s", macs[0]);                 /* twice */
    snprintf(macs[BOARDS + 1], sizeof macs[0], "%s", "a0:b1:c2:d3:ff:ff"); /* unknown */
    factory_batch_t batch = {.macs = macs, .mac_count = BOARDS + 2};
    assert_false(factory_batch(station, &batch, &result, NULL));
    assert_int_equal(result.ok[FACTORY_AT_FLASH], BOARDS + 1);
    assert_int_equal(result.failed[FACTORY_AT_FLASH], 1);
    assert_int_equal(result.ok[FACTORY_AT_IDENTITY], BOARDS + 1);
    factory_read_units();
    assert_int_equal(units.count, BOARDS);
    batch.mac_count = BOARDS;
    assert_true(factory_batch(station, &batch, &result, NULL)); /* again: nothing new */
    factory_read_units();
    assert_int_equal(units.count, BOARDS);
    for (size_t i = 0; i < units.count; i++) {
        assert_true(units.unit[i].board);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rework, fresh, end),
        cmocka_unit_test_setup_teardown(test_rework_finishes, fresh, end),
        cmocka_unit_test_setup_teardown(test_rework_without_product_key, fresh, end),
        cmocka_unit_test_setup_teardown(test_scrap, fresh, end),
        cmocka_unit_test_setup_teardown(test_report, fresh, end),
        cmocka_unit_test_setup_teardown(test_batch_of_boards, fresh, end),
    };
    return cmocka_run_group_tests(tests, factory_setup, factory_teardown);
}

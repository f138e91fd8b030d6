/* SPDX-License-Identifier: Apache-2.0 */
/* Station 1, limits, and what is known of boards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "custody/custody.h"
#include "factory/limits.h"
#include "factory/station.h"
#include "factory_fixture.h"

#define MAC "a0:b1:c2:d3:e4:f5"

static factory_station_t *open_station(const char *writer)
{
    factory_station_t *station;
    err_t err = ERR_INIT;
    if (!factory_station_open(&site, writer, &station, &err)) {
        fail_msg("%s", err.text);
    }
    return station;
}

static factory_board_t board(const char *mac, const char *checks)
{
    factory_board_t b = {.lot = "L7"};
    assert_true(factory_mac_parse(mac, b.mac, NULL));
    assert_true(factory_checks_parse(checks, &b, NULL));
    return b;
}

static bool assemble(factory_station_t *station, const char *mac, const char *checks, bool again,
                     bool *already)
{
    const factory_board_t b = board(mac, checks);
    return factory_assemble(station, &b, NULL, again, already, NULL);
}

static bool count_entry(void *context, const custody_entry_t *entry)
{
    (void)entry;
    (*(int *)context)++;
    return true;
}

static int entries(const char *kind)
{
    custody_t *custody;
    int count = 0;
    assert_true(custody_open(factory_path("factory/custody.db"), NULL, &custody, NULL));
    assert_true(custody_each_of_kind(custody, kind, count_entry, &count, NULL));
    custody_close(custody);
    return count;
}

static factory_state_t state_of(factory_station_t *station, const char *mac)
{
    factory_item_t item;
    return factory_find_mac(station, mac, &item, NULL) ? factory_item_state(&item)
                                                       : FACTORY_UNKNOWN;
}

static void test_macs(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"A0B1C2D3E4F5", "a0-b1-c2-d3-e4-f5", "A0:b1:C2:d3:E4:f5"};
    static const char *const BAD[] = {"",
                                      "a0",
                                      "a0:b1:c2:d3:e4",
                                      "a0:b1-c2:d3:e4:f5",
                                      "a0:b1:c2:d3:e4:f5:",
                                      "g0b1c2d3e4f5",
                                      "000000000000",
                                      "01:b1:c2:d3:e4:f5",
                                      "a0b1c2d3e4f5 "};
    char mac[FACTORY_MAC_SIZE];
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        assert_true(factory_mac_parse(GOOD[i], mac, NULL));
        assert_string_equal(mac, MAC);
    }
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_false(factory_mac_parse(BAD[i], mac, NULL));
    }
}

static void test_same_board_again(void **state)
{
    (void)state;
    factory_station_t *station = open_station(NULL);
    bool already;
    assert_true(assemble(station, MAC, "sensors=ok,power=3.31", false, &already));
    assert_false(already);
    assert_true(assemble(station, MAC, "power=3.31,sensors=ok", false, &already)); /* any order */
    assert_true(already);
    assert_int_equal(entries(FACTORY_BOARD), 1);
    assert_false(assemble(station, MAC, "sensors=ok,power=3.29", false, &already));
    assert_int_equal(entries(FACTORY_BOARD), 1);
    assert_true(assemble(station, MAC, "sensors=ok,power=3.29", true, &already));
    assert_false(already);
    assert_int_equal(entries(FACTORY_BOARD), 2);
    assert_int_equal(state_of(station, MAC), FACTORY_ASSEMBLED);
    assert_int_equal(state_of(station, "a0:b1:c2:d3:e4:f6"), FACTORY_UNKNOWN);
    factory_station_close(station);
    factory_check_books(true);
}

static void test_failed_check(void **state)
{
    (void)state;
    factory_station_t *station = open_station(NULL);
    factory_item_t item;
    bool already;
    assert_false(assemble(station, MAC, "sensors=fail,antenna=ok", false, &already));
    assert_true(factory_find_mac(station, MAC, &item, NULL));
    assert_int_equal(factory_item_state(&item), FACTORY_UNKNOWN);
    assert_int_equal(item.board_failures, 1);
    assert_string_equal(item.board_cause, "sensors");
    /* Scanned twice it is still bad, and still one failure. */
    assert_false(assemble(station, MAC, "sensors=fail,antenna=ok", false, &already));
    assert_int_equal(entries(FACTORY_BOARD), 1);
    /* Repaired: no --again is needed for what never passed. */
    assert_true(assemble(station, MAC, "sensors=ok,antenna=ok", false, &already));
    assert_int_equal(state_of(station, MAC), FACTORY_ASSEMBLED);
    factory_station_close(station);
}

static void test_limits_of_checks(void **state)
{
    (void)state;
    static const char TEXT[] = "{\"power\":{\"min\":3.2,\"max\":3.4}}";
    factory_station_t *station = open_station(NULL);
    factory_limits_t limits;
    factory_item_t item;
    assert_true(factory_limits_parse(TEXT, strlen(TEXT), &limits, NULL));
    factory_board_t b = board(MAC, "power=3.5");
    assert_false(factory_assemble(station, &b, &limits, false, NULL, NULL));
    b = board(MAC, "power=high");
    assert_false(factory_assemble(station, &b, &limits, false, NULL, NULL));
    b = board(MAC, "sensors=ok");
    assert_false(factory_assemble(station, &b, &limits, false, NULL, NULL));
    b = board(MAC, "power=3.4");
    assert_true(factory_assemble(station, &b, &limits, false, NULL, NULL));
    assert_true(factory_find_mac(station, MAC, &item, NULL));
    assert_int_equal(item.board_failures, 3);
    assert_string_equal(item.board_cause, "power");
    factory_station_close(station);
}

static void test_bad_checks(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",      "a",     "=ok",     "a=",        "A=ok",   "a=b=c",
        "a=ok,", ",a=ok", "a=\"x\"", "a=ok b=ok", "a=\x01", "abcdefghijklmnopqrstuvwxyz=ok"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        factory_board_t b = {.lot = ""};
        assert_false(factory_checks_parse(BAD[i], &b, NULL));
    }
    factory_board_t b = {.lot = ""};
    assert_true(factory_checks_parse("a=1,b=2", &b, NULL));
    assert_true(factory_checks_parse("a=3", &b, NULL));
    assert_int_equal(b.check_count, 2);
    assert_string_equal(b.checks[0].value, "3");
}

static void test_bad_limits(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",
                                      "[]",
                                      "{\"a\":1}",
                                      "{\"a\":{}}",
                                      "{\"a\":{\"min\":\"1\"}}",
                                      "{\"a\":{\"min\":2,\"max\":1}}",
                                      "{\"a\":{\"low\":2}}",
                                      "{\"a b\":{\"min\":2}}",
                                      "{\"a\":{\"min\":2},\"a\":{\"min\":3}}",
                                      "{\"a\":{\"min\":1}} x"};
    factory_limits_t limits;
    double value;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_false(factory_limits_parse(BAD[i], strlen(BAD[i]), &limits, NULL));
    }
    assert_true(factory_limits_parse("{\"a\":{\"min\":-1}}", 16, &limits, NULL));
    assert_non_null(factory_limits_find(&limits, "a"));
    assert_null(factory_limits_find(&limits, "b"));
    assert_true(factory_number_parse("-3.5", &value));
    assert_false(factory_number_parse("3.5V", &value));
    assert_false(factory_number_parse("", &value));
    assert_false(factory_number_parse("true", &value));
}

/* Two stations with a chain each see one another's boards. */
static void test_two_stations(void **state)
{
    (void)state;
    factory_station_t *one = open_station(NULL);
    factory_station_t *two = open_station("line-2");
    bool already;
    assert_true(assemble(one, MAC, "sensors=ok", false, &already));
    assert_true(assemble(two, MAC, "sensors=ok", false, &already));
    assert_true(already);
    for (int i = 0; i < 300; i++) {
        char mac[FACTORY_MAC_SIZE];
        snprintf(mac, sizeof mac, "a0:b1:c2:00:%02x:%02x", i >> 8, i & 0xff);
        assert_true(assemble(i % 2 == 0 ? one : two, mac, "sensors=ok", false, &already));
        assert_false(already);
        assert_int_equal(state_of(i % 2 == 0 ? two : one, mac), FACTORY_ASSEMBLED);
    }
    assert_int_equal(entries(FACTORY_BOARD), 301);
    factory_station_close(one);
    factory_station_close(two);
    factory_check_books(true);
}

static void test_units_of_a_run(void **state)
{
    (void)state;
    factory_station_t *station;
    factory_item_t item;
    assert_true(factory_station_look(&site, &station, NULL));
    assert_false(factory_find_sn(station, "SN-000001", &item, NULL));
    factory_station_close(station);
    factory_make(3);
    assert_true(factory_station_look(&site, &station, NULL));
    assert_true(factory_find_sn(station, "SN-000002", &item, NULL));
    assert_int_equal(factory_item_state(&item), FACTORY_IDENTIFIED);
    assert_true(factory_find_mac(station, item.mac, &item, NULL));
    assert_string_equal(item.sn, "SN-000002");
    factory_station_close(station);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_macs),
        cmocka_unit_test_setup(test_same_board_again, factory_fresh),
        cmocka_unit_test_setup(test_failed_check, factory_fresh),
        cmocka_unit_test_setup(test_limits_of_checks, factory_fresh),
        cmocka_unit_test(test_bad_checks),
        cmocka_unit_test(test_bad_limits),
        cmocka_unit_test_setup(test_two_stations, factory_fresh),
        cmocka_unit_test_setup(test_units_of_a_run, factory_fresh),
    };
    return cmocka_run_group_tests(tests, factory_setup, factory_teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "flash_help.h"

#include <stdlib.h>

#include "flash/settings.h"
#include "flash/store.h"

#define SECTORS 4u
#define SIZE    (SECTORS * FLASH_SECTOR)

static uint8_t pattern[8192];

static settings_t *store_on(flash_t *flash)
{
    static settings_t store;
    region_t region = whole(flash);
    assert_int_equal(settings_mount(&store, &region), SETTINGS_OK);
    return &store;
}

static void assert_value(settings_t *store, const char *key, const void *wanted, size_t wanted_len)
{
    uint8_t value[SETTINGS_VALUE_MAX];
    size_t len;
    assert_int_equal(settings_get(store, key, value, sizeof value, &len), SETTINGS_OK);
    assert_int_equal(len, wanted_len);
    assert_memory_equal(value, wanted, len);
}

static void keeps_values_over_a_mount(void **state)
{
    (void)state;
    flash_t *flash = ram_flash(SIZE);
    settings_t *store = store_on(flash);
    size_t len;
    char byte;
    assert_int_equal(settings_get(store, "a", &byte, 1, &len), SETTINGS_NOT_FOUND);
    assert_int_equal(settings_set(store, "a", "one", 3), SETTINGS_OK);
    assert_int_equal(settings_set(store, "b", NULL, 0), SETTINGS_OK);
    assert_int_equal(settings_set(store, "fifteen_letters", pattern, SETTINGS_VALUE_MAX),
                     SETTINGS_OK);
    assert_int_equal(settings_set(store, "a", "two", 3), SETTINGS_OK);
    for (int i = 0; i < 2; i++, store = store_on(flash)) {
        assert_value(store, "a", "two", 3);
        assert_value(store, "b", "", 0);
        assert_value(store, "fifteen_letters", pattern, SETTINGS_VALUE_MAX);
        assert_int_equal(store->damaged, 0);
    }
    assert_int_equal(settings_erase(store, "a"), SETTINGS_OK);
    assert_int_equal(settings_erase(store, "a"), SETTINGS_NOT_FOUND);
    store = store_on(flash);
    assert_int_equal(settings_get(store, "a", &byte, 1, &len), SETTINGS_NOT_FOUND);
    assert_int_equal(settings_get(store, "fifteen_letters", &byte, 1, &len), SETTINGS_TOO_LARGE);
    assert_int_equal(len, SETTINGS_VALUE_MAX);
    flash_close(flash);
}

static void refuses_bad_calls(void **state)
{
    (void)state;
    flash_t *flash = ram_flash(SIZE);
    settings_t *store = store_on(flash);
    assert_int_equal(settings_set(store, "", "x", 1), SETTINGS_BAD_KEY);
    assert_int_equal(settings_set(store, "sixteen_letters_", "x", 1), SETTINGS_BAD_KEY);
    assert_int_equal(settings_set(store, "a b", "x", 1), SETTINGS_BAD_KEY);
    assert_int_equal(settings_set(store, "\xc3\xa4", "x", 1), SETTINGS_BAD_KEY);
    assert_int_equal(settings_set(store, "a", pattern, SETTINGS_VALUE_MAX + 1), SETTINGS_TOO_LARGE);
    settings_t other;
    region_t region = whole(flash);
    region.size = FLASH_SECTOR;
    assert_int_equal(settings_mount(&other, &region), SETTINGS_BAD_REGION);
    region.size = 2 * FLASH_SECTOR + 1;
    assert_int_equal(settings_mount(&other, &region), SETTINGS_BAD_REGION);
    assert_int_equal(settings_set(&other, "a", "x", 1), SETTINGS_IO);
    region.size = (SETTINGS_SECTORS_MAX + 1) * FLASH_SECTOR;
    assert_int_equal(settings_mount(&other, &region), SETTINGS_BAD_REGION);
    flash_close(flash);
}

static void enumerates_its_keys(void **state)
{
    (void)state;
    flash_t *flash = ram_flash(SIZE);
    settings_t *store = store_on(flash);
    char key[SETTINGS_KEY_MAX + 1];
    for (int i = 0; i < SETTINGS_KEYS; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        assert_int_equal(settings_set(store, key, pattern, (size_t)i), SETTINGS_OK);
    }
    assert_int_equal(settings_set(store, "one more", "x", 1), SETTINGS_BAD_KEY);
    assert_int_equal(settings_set(store, "one-more", "x", 1), SETTINGS_FULL);
    assert_int_equal(settings_set(store, "key-1", "x", 1), SETTINGS_OK);
    assert_int_equal(settings_erase(store, "key-63"), SETTINGS_OK);
    assert_int_equal(settings_set(store, "one-more", "x", 1), SETTINGS_OK);
    store = store_on(flash);
    uint32_t cursor = 0;
    size_t len;
    unsigned seen = 0;
    bool more = false;
    while (settings_next(store, &cursor, key, &len)) {
        int number = -1;
        sscanf(key, "key-%d", &number);
        assert_int_equal(len, number > 1 ? (size_t)number : number == 0 ? 0 : 1);
        more = more || strcmp(key, "one-more") == 0;
        seen++;
    }
    assert_int_equal(seen, SETTINGS_KEYS);
    assert_true(more);
    flash_close(flash);
}

/* Thousands of sets in few sectors: nothing is lost, and wear is spread. */
static void lives_long_and_wears_evenly(void **state)
{
    (void)state;
    flash_t *flash = ram_flash(SIZE);
    settings_t *store = store_on(flash);
    uint32_t random = 7;
    size_t lens[8] = {0};
    bool there[8] = {false};
    assert_int_equal(settings_set(store, "constant", "never written again", 19), SETTINGS_OK);
    for (int round = 0; round < 6000; round++) {
        unsigned i = noise(&random) % 8;
        char key[4] = {'k', (char)('0' + i), 0};
        if (noise(&random) % 5 == 0) {
            assert_int_equal(settings_erase(store, key),
                             there[i] ? SETTINGS_OK : SETTINGS_NOT_FOUND);
            there[i] = false;
        } else {
            size_t len = noise(&random) % 600;
            assert_int_equal(settings_set(store, key, pattern + i, len), SETTINGS_OK);
            there[i] = true;
            lens[i] = len;
        }
        if (round % 97 != 0) {
            continue;
        }
        store = store_on(flash);
        assert_int_equal(store->damaged, 0);
        assert_value(store, "constant", "never written again", 19);
        for (unsigned k = 0; k < 8; k++) {
            char name[4] = {'k', (char)('0' + k), 0};
            size_t len;
            if (there[k]) {
                assert_value(store, name, pattern + k, lens[k]);
            } else {
                assert_int_equal(settings_get(store, name, name, 0, &len), SETTINGS_NOT_FOUND);
            }
        }
    }
    /* Sectors are taken in turn, so their numbers lie close together, and are high. */
    uint32_t low = UINT32_MAX, high = 0;
    for (uint32_t i = 0; i < SECTORS; i++) {
        low = store->seq[i] != 0 && store->seq[i] < low ? store->seq[i] : low;
        high = store->seq[i] > high ? store->seq[i] : high;
    }
    assert_true(high > 200);
    assert_true(high - low < SECTORS);
    flash_close(flash);
}

static void writes_nothing_for_the_same_value(void **state)
{
    (void)state;
    flash_t *flash = ram_flash(SIZE);
    settings_t *store = store_on(flash);
    assert_int_equal(settings_set(store, "a", pattern, 300), SETTINGS_OK);
    uint64_t before = flash_operations(flash);
    assert_int_equal(settings_set(store, "a", pattern, 300), SETTINGS_OK);
    assert_int_equal(flash_operations(flash), before);
    assert_int_equal(settings_set(store, "a", pattern, 299), SETTINGS_OK);
    assert_true(flash_operations(flash) > before);
    flash_close(flash);
}

static void says_when_it_is_full_and_goes_on(void **state)
{
    (void)state;
    flash_t *flash = ram_flash(SIZE);
    settings_t *store = store_on(flash);
    char key[8];
    int fitted = 0;
    for (;; fitted++) {
        snprintf(key, sizeof key, "k%d", fitted);
        settings_status_t status = settings_set(store, key, pattern, 1300);
        if (status == SETTINGS_FULL) {
            break;
        }
        assert_int_equal(status, SETTINGS_OK);
    }
    /* Three sectors of 4080 bytes, three records of 1320 each. */
    assert_int_equal(fitted, 9);
    uint64_t before = flash_operations(flash);
    assert_int_equal(settings_set(store, "huge", pattern, 4000), SETTINGS_FULL);
    assert_int_equal(flash_operations(flash), before); /* no wear for nothing */
    store = store_on(flash);
    for (int i = 0; i < fitted; i++) {
        snprintf(key, sizeof key, "k%d", i);
        assert_value(store, key, pattern, 1300);
    }
    assert_int_equal(settings_set(store, "small", "x", 1), SETTINGS_OK);
    assert_int_equal(settings_erase(store, "k3"), SETTINGS_OK);
    assert_int_equal(settings_set(store, "k9", pattern, 1300), SETTINGS_OK);
    flash_close(flash);
}

static bool flash_contains(flash_t *flash, const char *text)
{
    static uint8_t bytes[SIZE];
    err_t err = ERR_INIT;
    assert_done(flash_read(flash, 0, bytes, sizeof bytes, &err), err);
    return memmem(bytes, sizeof bytes, text, strlen(text)) != NULL;
}

static void purges_old_secrets(void **state)
{
    (void)state;
    flash_t *flash = ram_flash(SIZE);
    settings_t *store = store_on(flash);
    assert_int_equal(settings_set(store, "wifi", "secret-password-1", 17), SETTINGS_OK);
    assert_int_equal(settings_set(store, "keep", "kept-value", 10), SETTINGS_OK);
    assert_int_equal(settings_set(store, "wifi", "secret-password-2", 17), SETTINGS_OK);
    assert_int_equal(settings_erase(store, "wifi"), SETTINGS_OK);
    assert_true(flash_contains(flash, "secret-password-1"));
    assert_int_equal(settings_purge(store), SETTINGS_OK);
    assert_false(flash_contains(flash, "secret-password"));
    assert_true(flash_contains(flash, "kept-value"));
    store = store_on(flash);
    assert_value(store, "keep", "kept-value", 10);
    assert_int_equal(settings_purge(store), SETTINGS_OK);
    assert_value(store, "keep", "kept-value", 10);
    flash_close(flash);
}

/* ---- power cuts ---- */

typedef struct {
    const char *key;
    uint16_t from, len; /* the value: pattern[from .. from + len); len ERASE: erased */
} act_t;

#define ERASE 0xffffu
#define KEYS  6

static const char *const KEY[KEYS] = {"wifi", "slot0", "slot1", "epoch", "boots", "x"};

/* What a device does, in a store so small that it compacts all the time. */
static const act_t SCRIPT[] = {
    {"wifi", 0, 90},    {"slot0", 1, 900},  {"epoch", 2, 16},   {"boots", 3, 4},
    {"boots", 4, 4},    {"slot1", 5, 800},  {"x", 6, 0},        {"boots", 6, 4},
    {"slot0", 7, 950},  {"x", 8, 333},      {"x", 8, ERASE},    {"wifi", 9, ERASE},
    {"boots", 10, 4},   {"slot1", 11, 870}, {"wifi", 12, 64},   {"slot0", 13, 901},
    {"boots", 14, 4},   {"slot1", 15, 700}, {"x", 16, 1},       {"wifi", 17, ERASE},
    {"slot0", 18, 910}, {"epoch", 19, 16},  {"slot1", 20, 905}, {"boots", 21, 4},
    {"x", 22, ERASE},   {"slot0", 23, 800}, {"slot1", 24, 888}, {"boots", 25, 4},
    {"slot0", 26, 950}, {"wifi", 27, 95},
};

#define ACTS (sizeof SCRIPT / sizeof SCRIPT[0])

static settings_status_t perform(settings_t *store, const act_t *act)
{
    return act->len == ERASE ? settings_erase(store, act->key)
                             : settings_set(store, act->key, pattern + act->from, act->len);
}

/* The last thing done to a key among the first `count` acts; NULL: nothing. */
static const act_t *latest(size_t count, const char *key)
{
    const act_t *found = NULL;
    for (size_t i = 0; i < count; i++) {
        found = strcmp(SCRIPT[i].key, key) == 0 ? &SCRIPT[i] : found;
    }
    return found;
}

static bool holds(settings_t *store, const char *key, const act_t *act)
{
    uint8_t value[SETTINGS_VALUE_MAX];
    size_t len;
    settings_status_t status = settings_get(store, key, value, sizeof value, &len);
    if (act == NULL || act->len == ERASE) {
        return status == SETTINGS_NOT_FOUND;
    }
    return status == SETTINGS_OK && len == act->len && memcmp(value, pattern + act->from, len) == 0;
}

/* `done` acts returned OK; act number `done` was cut (or did not begin). */
static void check_after_cut(settings_t *store, size_t done, uint64_t cut)
{
    for (size_t k = 0; k < KEYS; k++) {
        bool is_old = holds(store, KEY[k], latest(done, KEY[k]));
        bool is_new = done < ACTS && holds(store, KEY[k], latest(done + 1, KEY[k]));
        if (!is_old && !is_new) {
            fail_msg("cut %llu within act %zu: %s is neither old nor new", (unsigned long long)cut,
                     done, KEY[k]);
        }
    }
}

/* One cut within act `done`, on a copy of the flash; returns whether the power failed. After the
   cut: mount, check, and go on, as a device does. */
static bool cut_act(flash_t *before, size_t done, uint64_t cut)
{
    flash_t *flash = copy_flash(before);
    settings_t *store = store_on(flash);
    flash_cut_after(flash, cut, (uint32_t)(cut * 31 + done));
    settings_status_t status = perform(store, &SCRIPT[done]);
    bool lost = flash_power_lost(flash);
    assert_int_equal(status, lost ? SETTINGS_IO : SETTINGS_OK);
    if (lost) {
        assert_int_equal(perform(store, &SCRIPT[0]), SETTINGS_IO);
    }
    flash_power_on(flash);
    store = store_on(flash);
    check_after_cut(store, lost ? done : done + 1, cut);
    for (size_t i = done; i < ACTS && i < done + 3; i++) {
        status = perform(store, &SCRIPT[i]);
        /* The cut one may have happened already. */
        if (status != SETTINGS_OK && !(status == SETTINGS_NOT_FOUND && i == done)) {
            fail_msg("cut %llu: act %zu afterwards: %s", (unsigned long long)cut, i,
                     settings_status_text(status));
        }
    }
    store = store_on(flash);
    check_after_cut(store, done + 3 < ACTS ? done + 3 : ACTS, cut);
    flash_close(flash);
    return lost;
}

/* `stride` 1: a cut at every operation. Returns how many operations there were. */
static uint64_t run_with_cuts(uint32_t sectors, uint64_t stride)
{
    uint64_t cuts = 0;
    flash_t *flash = ram_flash(sectors * FLASH_SECTOR);
    for (size_t done = 0; done < ACTS; done++) {
        uint64_t cut = 0;
        while (cut_act(flash, done, cut)) {
            cut += stride;
            cuts++;
        }
        assert_int_equal(perform(store_on(flash), &SCRIPT[done]), SETTINGS_OK);
    }
    uint64_t operations = flash_operations(flash);
    assert_true(stride > 1 || cuts == operations);
    flash_close(flash);
    return operations;
}

static void survives_a_power_cut_at_every_operation(void **state)
{
    (void)state;
    uint64_t few = run_with_cuts(2, 1);
    uint64_t more = run_with_cuts(3, 5);
    assert_true(more > 10000);
    assert_true(few > more); /* two sectors compact more often */
}

/* The power fails again while the mount repairs what the first failure left: at every operation of
   the repair. Returns how many there were. */
static uint64_t cut_repair(flash_t *dark, size_t done, uint64_t cut)
{
    settings_t store;
    flash_t *flash = copy_flash(dark);
    region_t region = whole(flash);
    uint64_t before = flash_operations(flash);
    assert_int_equal(settings_mount(&store, &region), SETTINGS_OK);
    uint64_t work = flash_operations(flash) - before;
    flash_close(flash);
    for (uint64_t second = 0; second < work; second++) {
        flash = copy_flash(dark);
        region = whole(flash);
        flash_cut_after(flash, second, (uint32_t)(cut + second));
        assert_int_equal(settings_mount(&store, &region), SETTINGS_IO);
        flash_power_on(flash);
        assert_int_equal(settings_mount(&store, &region), SETTINGS_OK);
        check_after_cut(&store, done, cut);
        flash_close(flash);
    }
    return work;
}

static void survives_a_power_cut_during_repair(void **state)
{
    (void)state;
    uint64_t repairs = 0;
    flash_t *flash = ram_flash(2 * FLASH_SECTOR);
    for (size_t done = 0; done < ACTS; done++) {
        bool lost = true;
        for (uint64_t cut = 0; lost; cut += 17) {
            flash_t *dark = copy_flash(flash);
            settings_t *store = store_on(dark);
            flash_cut_after(dark, cut, (uint32_t)cut);
            perform(store, &SCRIPT[done]);
            lost = flash_power_lost(dark);
            flash_power_on(dark);
            repairs += lost ? cut_repair(dark, done, cut) : 0;
            flash_close(dark);
        }
        assert_int_equal(perform(store_on(flash), &SCRIPT[done]), SETTINGS_OK);
    }
    flash_close(flash);
    assert_true(repairs > 1000);
}

static void survives_a_power_cut_while_purging(void **state)
{
    (void)state;
    flash_t *before = ram_flash(3 * FLASH_SECTOR);
    settings_t *store = store_on(before);
    for (size_t i = 0; i < ACTS; i++) {
        assert_int_equal(perform(store, &SCRIPT[i]), SETTINGS_OK);
    }
    bool lost = true;
    for (uint64_t cut = 0; lost; cut++) {
        flash_t *flash = copy_flash(before);
        store = store_on(flash);
        flash_cut_after(flash, cut, (uint32_t)cut);
        settings_status_t status = settings_purge(store);
        lost = flash_power_lost(flash);
        assert_int_equal(status, lost ? SETTINGS_IO : SETTINGS_OK);
        flash_power_on(flash);
        store = store_on(flash);
        check_after_cut(store, ACTS, cut);
        if (cut % 8 == 0) {
            assert_int_equal(settings_purge(store), SETTINGS_OK);
            check_after_cut(store, ACTS, cut);
        }
        flash_close(flash);
    }
    flash_close(before);
}

/* ---- damage ---- */

static flash_t *worked_on(void)
{
    flash_t *flash = ram_flash(SIZE);
    settings_t *store = store_on(flash);
    for (size_t i = 0; i < ACTS; i++) {
        assert_int_equal(perform(store, &SCRIPT[i]), SETTINGS_OK);
    }
    return flash;
}

/* A value that a damaged flash yields was once set for that key. */
static void check_values_are_real(settings_t *store)
{
    char key[SETTINGS_KEY_MAX + 1];
    uint32_t cursor = 0;
    size_t len;
    while (settings_next(store, &cursor, key, &len)) {
        bool known = false;
        for (size_t i = 0; i < ACTS; i++) {
            known = known || (strcmp(SCRIPT[i].key, key) == 0 && holds(store, key, &SCRIPT[i]));
        }
        assert_true(known);
    }
}

static void survives_every_flipped_byte_of_its_structure(void **state)
{
    (void)state;
    flash_t *original = worked_on();
    uint32_t random = 99;
    unsigned noticed = 0;
    for (uint32_t at = 0; at < SIZE; at += at % FLASH_SECTOR < 64 ? 1 : 13) {
        flash_t *flash = copy_flash(original);
        flip_bit(flash, at, noise(&random) % 8);
        settings_t *store = store_on(flash);
        check_values_are_real(store);
        noticed += store->damaged > 0 ? 1 : 0;
        /* It still takes new values. */
        assert_int_equal(settings_set(store, "epoch", "new", 3), SETTINGS_OK);
        store = store_on(flash);
        assert_value(store, "epoch", "new", 3);
        flash_close(flash);
    }
    assert_true(noticed > 300);
    flash_close(original);
}

/* Neither does a flipped bit make a mark, nor unmake one. */
static void marks_are_decided_by_most_bits(void **state)
{
    (void)state;
    assert_false(store_is_marked(0xffffffff));
    assert_true(store_is_marked(0));
    for (unsigned bit = 0; bit < 32; bit++) {
        assert_false(store_is_marked(0xffffffffu ^ 1u << bit));
        assert_true(store_is_marked(1u << bit));
        flash_t *flash = worked_on();
        for (uint32_t sector = 0; sector < SECTORS; sector++) {
            flip_bit(flash, sector * FLASH_SECTOR + 12 + bit / 8, bit % 8);
        }
        settings_t *store = store_on(flash);
        check_after_cut(store, ACTS, bit); /* nothing is lost */
        flash_close(flash);
    }
}

static void survives_lost_sectors_and_noise(void **state)
{
    (void)state;
    flash_t *original = worked_on();
    uint32_t random = 4242;
    uint8_t junk[FLASH_SECTOR];
    err_t err = ERR_INIT;
    for (int round = 0; round < 300; round++) {
        flash_t *flash = copy_flash(original);
        for (unsigned hits = 1 + noise(&random) % SECTORS; hits > 0; hits--) {
            uint32_t at = noise(&random) % SECTORS * FLASH_SECTOR;
            for (size_t i = 0; i < sizeof junk; i++) {
                junk[i] = (uint8_t)(noise(&random) >> 9);
            }
            assert_done(flash_erase(flash, at, FLASH_SECTOR, &err), err);
            if (round % 2 == 0) {
                assert_done(flash_write(flash, at, junk, sizeof junk, &err), err);
            }
        }
        settings_t *store = store_on(flash);
        check_values_are_real(store);
        assert_int_equal(settings_set(store, "epoch", "new", 3), SETTINGS_OK);
        assert_int_equal(settings_purge(store), SETTINGS_OK);
        store = store_on(flash);
        assert_int_equal(store->damaged, 0); /* the purge cleaned up */
        assert_value(store, "epoch", "new", 3);
        flash_close(flash);
    }
    flash_close(original);
}

static void notices_a_value_that_goes_bad_while_mounted(void **state)
{
    (void)state;
    flash_t *flash = ram_flash(SIZE);
    settings_t *store = store_on(flash);
    char value[64];
    size_t len;
    assert_int_equal(settings_set(store, "a", "some value", 10), SETTINGS_OK);
    flip_bit(flash, 16 + 16 + 3, 2);
    assert_int_equal(settings_get(store, "a", value, sizeof value, &len), SETTINGS_DAMAGED);
    assert_int_equal(settings_set(store, "a", "some value", 10), SETTINGS_OK); /* mends it */
    assert_value(store, "a", "some value", 10);
    flash_close(flash);
}

int main(void)
{
    uint32_t random = 1;
    for (size_t i = 0; i < sizeof pattern; i++) {
        pattern[i] = (uint8_t)(noise(&random) >> 7);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_values_over_a_mount),
        cmocka_unit_test(refuses_bad_calls),
        cmocka_unit_test(enumerates_its_keys),
        cmocka_unit_test(lives_long_and_wears_evenly),
        cmocka_unit_test(writes_nothing_for_the_same_value),
        cmocka_unit_test(says_when_it_is_full_and_goes_on),
        cmocka_unit_test(purges_old_secrets),
        cmocka_unit_test(survives_a_power_cut_at_every_operation),
        cmocka_unit_test(survives_a_power_cut_during_repair),
        cmocka_unit_test(survives_a_power_cut_while_purging),
        cmocka_unit_test(survives_every_flipped_byte_of_its_structure),
        cmocka_unit_test(marks_are_decided_by_most_bits),
        cmocka_unit_test(survives_lost_sectors_and_noise),
        cmocka_unit_test(notices_a_value_that_goes_bad_while_mounted),
    };
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}

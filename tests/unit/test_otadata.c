/* SPDX-License-Identifier: Apache-2.0 */
#include "flash_help.h"

#include "flash/otadata.h"

static void assert_entry(uint32_t seq, otadata_state_t state, const char *wanted)
{
    uint8_t bytes[32];
    char hex[65];
    otadata_build_entry(seq, state, bytes);
    assert_true(bytes_to_hex(bytes, sizeof bytes, hex, sizeof hex));
    assert_string_equal(hex, wanted);
}

/* As ESP-IDF's zlib.crc32(seq, 0xffffffff) makes them. */
static void builds_the_documented_entries(void **state)
{
    (void)state;
    assert_entry(1, OTADATA_VALID,
                 "01000000ffffffffffffffffffffffffffffffffffffffff020000009a984347");
    assert_entry(2, OTADATA_VALID,
                 "02000000ffffffffffffffffffffffffffffffffffffffff020000007437f655");
    assert_entry(3, OTADATA_UNDEFINED,
                 "03000000ffffffffffffffffffffffffffffffffffffffffffffffff11504aed");
}

static otadata_t now(flash_t *flash)
{
    otadata_t data;
    region_t region = whole(flash);
    assert_true(otadata_read(&region, &data));
    return data;
}

static int boots(flash_t *flash, unsigned slots)
{
    otadata_t data = now(flash);
    return otadata_slot(&data, slots);
}

static void chooses_the_slot(void **state)
{
    (void)state;
    flash_t *flash = ram_flash(OTADATA_SIZE);
    region_t region = whole(flash);
    assert_int_equal(boots(flash, 2), -1);
    assert_true(otadata_switch(&region, 2, 1, OTADATA_NEW)); /* from nothing: seq 2, sector 0 */
    otadata_t data = now(flash);
    assert_int_equal(data.active, 0);
    assert_int_equal(data.entry[0].seq, 2);
    assert_int_equal(data.entry[0].state, OTADATA_NEW);
    assert_false(data.entry[1].valid);
    assert_int_equal(boots(flash, 2), 1);
    assert_true(otadata_switch(&region, 2, 0, OTADATA_NEW));
    data = now(flash);
    assert_int_equal(data.active, 1);
    assert_int_equal(data.entry[1].seq, 3);
    assert_int_equal(boots(flash, 2), 0);
    /* It does not come up: the bootloader aborts it, and the other entry decides again. */
    assert_true(otadata_set_state(&region, 1, OTADATA_PENDING));
    assert_int_equal(boots(flash, 2), 0);
    assert_true(otadata_set_state(&region, 1, OTADATA_ABORTED));
    assert_int_equal(boots(flash, 2), 1);
    assert_true(otadata_set_state(&region, 0, OTADATA_INVALID));
    assert_int_equal(boots(flash, 2), -1);
    assert_true(otadata_switch(&region, 2, 0, OTADATA_VALID));
    assert_int_equal(boots(flash, 2), 0);
    flash_close(flash);
}

static void takes_the_smallest_higher_number(void **state)
{
    (void)state;
    flash_t *flash = ram_flash(OTADATA_SIZE);
    region_t region = whole(flash);
    /* Four slots: slot s is meant by s + 1, s + 5, s + 9, ... */
    static const unsigned slots[] = {0, 2, 1, 0, 3, 3, 2};
    static const uint32_t seqs[] = {1, 3, 6, 9, 12, 16, 19};
    for (size_t i = 0; i < 7; i++) {
        assert_true(otadata_switch(&region, 4, slots[i], OTADATA_UNDEFINED));
        otadata_t data = now(flash);
        assert_int_equal(data.entry[data.active].seq, seqs[i]);
        assert_int_equal(boots(flash, 4), slots[i]);
    }
    flash_close(flash);
}

static void refuses_bad_calls(void **state)
{
    (void)state;
    flash_t *flash = ram_flash(OTADATA_SIZE);
    region_t region = whole(flash);
    assert_false(otadata_switch(&region, 2, 2, OTADATA_NEW));
    assert_false(otadata_switch(&region, 0, 0, OTADATA_NEW));
    assert_false(otadata_switch(&region, 17, 0, OTADATA_NEW));
    assert_false(otadata_set_state(&region, 0, OTADATA_VALID)); /* there is no entry */
    assert_false(otadata_set_state(&region, 2, OTADATA_VALID));
    otadata_t data;
    region.size = FLASH_SECTOR;
    assert_false(otadata_read(&region, &data));
    flash_close(flash);
}

/* Forged and damaged entries. */
static void distrusts_what_it_reads(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    uint8_t bytes[32];
    flash_t *flash = ram_flash(OTADATA_SIZE);
    region_t region = whole(flash);
    otadata_build_entry(0, OTADATA_VALID, bytes); /* (0 - 1) mod n would be some slot */
    assert_done(flash_write(flash, 0, bytes, 32, &err), err);
    assert_int_equal(boots(flash, 2), -1);
    assert_done(flash_erase(flash, 0, OTADATA_SIZE, &err), err);
    otadata_build_entry(0xffffffff, OTADATA_VALID, bytes);
    assert_done(flash_write(flash, 0, bytes, 32, &err), err);
    assert_int_equal(boots(flash, 2), -1);
    assert_done(flash_erase(flash, 0, OTADATA_SIZE, &err), err);
    otadata_build_entry(0xfffffffe, OTADATA_VALID, bytes);
    assert_done(flash_write(flash, 0, bytes, 32, &err), err);
    assert_int_equal(boots(flash, 2), 1);
    assert_false(otadata_switch(&region, 2, 0, OTADATA_NEW)); /* no number is left */
    assert_int_equal(boots(flash, 2), 1);
    assert_done(flash_erase(flash, 0, OTADATA_SIZE, &err), err);
    assert_true(otadata_switch(&region, 2, 0, OTADATA_VALID));
    for (uint32_t bit = 0; bit < 32 * 8; bit++) {
        flip_bit(flash, bit / 8, bit % 8);
        bool covered = bit / 8 < 4 || bit / 8 >= 28; /* the CRC covers the number alone */
        assert_int_equal(now(flash).entry[0].valid, !covered);
        flip_bit(flash, bit / 8, bit % 8);
    }
    flash_close(flash);
}

/* ---- power cuts ---- */

/* Cuts a switch at every operation: the old slot boots, or the new one. */
static void cut_switch(flash_t *before, unsigned slot)
{
    int old = boots(before, 2);
    bool lost = true;
    for (uint64_t cut = 0; lost; cut++) {
        for (uint32_t seed = 0; seed < 16; seed++) {
            flash_t *flash = copy_flash(before);
            region_t region = whole(flash);
            flash_cut_after(flash, cut, seed);
            bool done = otadata_switch(&region, 2, slot, OTADATA_NEW);
            lost = flash_power_lost(flash);
            assert_int_equal(done, !lost);
            flash_power_on(flash);
            int found = boots(flash, 2);
            if (done) {
                assert_int_equal(found, slot);
            } else {
                assert_true(found == old || found == (int)slot);
            }
            assert_true(otadata_switch(&region, 2, slot, OTADATA_NEW));
            assert_int_equal(boots(flash, 2), slot);
            flash_close(flash);
        }
    }
}

static void a_cut_switch_boots_old_or_new(void **state)
{
    (void)state;
    flash_t *flash = ram_flash(OTADATA_SIZE);
    region_t region = whole(flash);
    cut_switch(flash, 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(otadata_switch(&region, 2, i % 2, OTADATA_VALID));
        cut_switch(flash, 1 - i % 2);
        cut_switch(flash, i % 2);
    }
    /* The entry to be written over is an aborted one with a higher number than the active one:
       half erased it must not boot. */
    otadata_t data = now(flash);
    assert_true(otadata_switch(&region, 2, 0, OTADATA_NEW));
    assert_true(otadata_set_state(&region, 1 - data.active, OTADATA_ABORTED));
    assert_int_equal(boots(flash, 2), 1);
    cut_switch(flash, 1);
    flash_close(flash);
}

/* From the moment at which the erase of a sector begins its old entry is void, wherever the erase
   begins: none of its bits may come up and make an aborted entry bootable. */
static void an_entry_is_void_before_its_sector_is_erased(void **state)
{
    (void)state;
    flash_t *before = ram_flash(OTADATA_SIZE);
    region_t region = whole(before);
    assert_true(otadata_switch(&region, 2, 0, OTADATA_VALID));
    assert_true(otadata_switch(&region, 2, 1, OTADATA_NEW));
    assert_true(otadata_set_state(&region, 1, OTADATA_ABORTED));
    for (uint64_t cut = 4; cut < 20; cut++) { /* after the four bytes of the CRC */
        for (uint32_t seed = 0; seed < 32; seed++) {
            flash_t *flash = copy_flash(before);
            region = whole(flash);
            flash_cut_after(flash, cut, seed);
            assert_false(otadata_switch(&region, 2, 1, OTADATA_NEW));
            flash_power_on(flash);
            assert_false(now(flash).entry[1].valid);
            assert_int_equal(boots(flash, 2), 0);
            flash_close(flash);
        }
    }
    flash_close(before);
}

static void a_cut_change_of_state_falls_back_to_the_other_entry(void **state)
{
    (void)state;
    flash_t *before = ram_flash(OTADATA_SIZE);
    region_t region = whole(before);
    assert_true(otadata_switch(&region, 2, 0, OTADATA_VALID));
    assert_true(otadata_switch(&region, 2, 1, OTADATA_PENDING));
    bool lost = true;
    for (uint64_t cut = 0; lost; cut++) {
        flash_t *flash = copy_flash(before);
        region = whole(flash);
        flash_cut_after(flash, cut, (uint32_t)cut);
        bool done = otadata_set_state(&region, 1, OTADATA_VALID);
        lost = flash_power_lost(flash);
        assert_int_equal(done, !lost);
        flash_power_on(flash);
        int found = boots(flash, 2);
        assert_true(found == 1 || (lost && found == 0));
        flash_close(flash);
    }
    flash_close(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_the_documented_entries),
        cmocka_unit_test(chooses_the_slot),
        cmocka_unit_test(takes_the_smallest_higher_number),
        cmocka_unit_test(refuses_bad_calls),
        cmocka_unit_test(distrusts_what_it_reads),
        cmocka_unit_test(a_cut_switch_boots_old_or_new),
        cmocka_unit_test(an_entry_is_void_before_its_sector_is_erased),
        cmocka_unit_test(a_cut_change_of_state_falls_back_to_the_other_entry),
    };
    return cmocka_run_group_tests_name("otadata", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "flash_help.h"

#include <stdlib.h>

#include "flash/outbox.h"

static outbox_t *mount(flash_t *flash)
{
    static outbox_t box;
    region_t region = whole(flash);
    assert_int_equal(outbox_mount(&box, &region), OUTBOX_OK);
    return &box;
}

/* Record `number` has this content, so that a reader can tell whether it got the right one. */
static size_t content(uint32_t number, uint8_t out[OUTBOX_RECORD_MAX])
{
    uint32_t random = number * 2654435761u + 1;
    size_t len = 1 + noise(&random) % 300;
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(noise(&random) >> 11);
    }
    return len;
}

static outbox_status_t append(outbox_t *box, uint32_t number)
{
    uint8_t data[OUTBOX_RECORD_MAX];
    uint32_t given = 0;
    size_t len = content(number, data);
    outbox_status_t status = outbox_append(box, data, len, &given);
    if (status == OUTBOX_OK) {
        assert_int_equal(given, number);
    }
    return status;
}

/* Reads all records: each has the content of its number, and numbers rise. Returns how many;
 *first and *last are their numbers. */
static uint32_t read_all(outbox_t *box, uint32_t *first, uint32_t *last)
{
    outbox_cursor_t cursor = {0};
    uint8_t data[OUTBOX_RECORD_MAX], wanted[OUTBOX_RECORD_MAX];
    size_t len;
    uint32_t count = 0;
    *first = *last = 0;
    outbox_status_t status;
    while ((status = outbox_read(box, &cursor, data, sizeof data, &len)) == OUTBOX_OK) {
        assert_true(cursor.number > *last);
        assert_int_equal(len, content(cursor.number, wanted));
        assert_memory_equal(data, wanted, len);
        *first = count == 0 ? cursor.number : *first;
        *last = cursor.number;
        count++;
    }
    assert_int_equal(status, OUTBOX_END);
    return count;
}

static void assert_holds(outbox_t *box, uint32_t first, uint32_t last)
{
    uint32_t from, to;
    uint32_t count = read_all(box, &from, &to);
    assert_int_equal(count, outbox_count(box));
    if (last < first) {
        assert_int_equal(count, 0);
        return;
    }
    assert_int_equal(from, first);
    assert_int_equal(to, last);
    assert_int_equal(count, last - first + 1);
}

static void queues_in_order(void **state)
{
    (void)state;
    flash_t *flash = ram_flash(4 * FLASH_SECTOR);
    outbox_t *box = mount(flash);
    assert_holds(box, 1, 0);
    assert_int_equal(outbox_trim(box, 5), OUTBOX_OK); /* nothing there: no matter */
    for (uint32_t i = 1; i <= 40; i++) {
        assert_int_equal(append(box, i), OUTBOX_OK);
    }
    assert_holds(box, 1, 40);
    assert_int_equal(outbox_trim(box, 17), OUTBOX_OK);
    assert_holds(box, 18, 40);
    assert_int_equal(outbox_trim(box, 3), OUTBOX_OK);
    assert_holds(box, 18, 40);
    box = mount(flash);
    assert_holds(box, 18, 40);
    assert_int_equal(outbox_trim(box, 1000), OUTBOX_OK);
    assert_holds(box, 1, 0);
    box = mount(flash);
    assert_holds(box, 1, 0);
    assert_int_equal(append(box, 41), OUTBOX_OK); /* numbers go on */
    assert_holds(box, 41, 41);
    assert_int_equal(outbox_dropped(box), 0);
    assert_int_equal(outbox_damaged(box), 0);
    flash_close(flash);
}

static void refuses_bad_calls(void **state)
{
    (void)state;
    static uint8_t large[OUTBOX_RECORD_MAX + 1];
    flash_t *flash = ram_flash(3 * FLASH_SECTOR);
    outbox_t *box = mount(flash);
    outbox_cursor_t cursor = {0};
    uint8_t small[10];
    size_t len;
    assert_int_equal(outbox_append(box, large, sizeof large, NULL), OUTBOX_TOO_LARGE);
    assert_int_equal(outbox_append(box, large, 0, NULL), OUTBOX_TOO_LARGE);
    assert_int_equal(outbox_append(box, large, OUTBOX_RECORD_MAX, NULL), OUTBOX_OK);
    assert_int_equal(outbox_read(box, &cursor, small, sizeof small, &len), OUTBOX_TOO_LARGE);
    assert_int_equal(len, OUTBOX_RECORD_MAX);
    assert_int_equal(outbox_read(box, &cursor, large, sizeof large, &len), OUTBOX_OK);
    outbox_t other;
    region_t region = whole(flash);
    region.size = FLASH_SECTOR;
    assert_int_equal(outbox_mount(&other, &region), OUTBOX_BAD_REGION);
    region.size = 2 * FLASH_SECTOR + 12;
    assert_int_equal(outbox_mount(&other, &region), OUTBOX_BAD_REGION);
    region.size = (OUTBOX_SECTORS_MAX + 1) * FLASH_SECTOR;
    assert_int_equal(outbox_mount(&other, &region), OUTBOX_BAD_REGION);
    assert_int_equal(outbox_append(&other, "x", 1, NULL), OUTBOX_IO);
    flash_close(flash);
}

/* In every size of region, without trims and with: numbers given = trimmed + dropped + there. */
static void drops_the_oldest_and_counts_them(void **state)
{
    (void)state;
    for (uint32_t sectors = 2; sectors <= 6; sectors++) {
        flash_t *flash = ram_flash(sectors * FLASH_SECTOR);
        outbox_t *box = mount(flash);
        uint32_t random = sectors;
        uint32_t trimmed = 0; /* how many were given up by trims */
        for (uint32_t i = 1; i <= 400; i++) {
            assert_int_equal(append(box, i), OUTBOX_OK);
            uint32_t first, last;
            if (noise(&random) % 37 == 0 && sectors % 2 == 0) {
                uint32_t count = read_all(box, &first, &last);
                assert_int_equal(outbox_trim(box, first + count / 3), OUTBOX_OK);
                trimmed += count / 3 + 1;
            }
            if (noise(&random) % 11 == 0) {
                box = mount(flash);
            }
            assert_int_equal(trimmed + outbox_dropped(box) + outbox_count(box), i);
            if (i % 20 == 0) {
                assert_int_equal(read_all(box, &first, &last), outbox_count(box));
                assert_int_equal(last, i);
                /* At least what fits into n - 2 sectors is kept, at most n - 1 hold. */
                assert_true(last - first + 1 <= (sectors - 1) * FLASH_SECTOR / 20);
            }
        }
        assert_true(outbox_dropped(box) > 100);
        assert_int_equal(outbox_damaged(box), 0);
        flash_close(flash);
    }
}

static void keeps_cursors_good(void **state)
{
    (void)state;
    flash_t *flash = ram_flash(3 * FLASH_SECTOR);
    outbox_t *box = mount(flash);
    outbox_cursor_t cursor = {0};
    uint8_t data[OUTBOX_RECORD_MAX];
    size_t len;
    assert_int_equal(outbox_read(box, &cursor, data, sizeof data, &len), OUTBOX_END);
    assert_int_equal(append(box, 1), OUTBOX_OK);
    assert_int_equal(outbox_read(box, &cursor, data, sizeof data, &len), OUTBOX_OK);
    assert_int_equal(cursor.number, 1);
    assert_int_equal(outbox_read(box, &cursor, data, sizeof data, &len), OUTBOX_END);
    assert_int_equal(append(box, 2), OUTBOX_OK);
    assert_int_equal(outbox_trim(box, 1), OUTBOX_OK);
    assert_int_equal(outbox_read(box, &cursor, data, sizeof data, &len), OUTBOX_OK);
    assert_int_equal(cursor.number, 2);
    for (uint32_t i = 3; i <= 200; i++) { /* over what the cursor points to */
        assert_int_equal(append(box, i), OUTBOX_OK);
    }
    uint32_t first, last;
    read_all(box, &first, &last);
    assert_true(first > 3);
    assert_int_equal(outbox_read(box, &cursor, data, sizeof data, &len), OUTBOX_OK);
    assert_int_equal(cursor.number, first);
    /* A cursor that is at the end stays there although all before it is dropped. */
    while (outbox_read(box, &cursor, data, sizeof data, &len) == OUTBOX_OK) {
    }
    assert_int_equal(cursor.number, 200);
    assert_int_equal(outbox_clear(box), OUTBOX_OK);
    assert_int_equal(append(box, 201), OUTBOX_OK);
    assert_int_equal(outbox_read(box, &cursor, data, sizeof data, &len), OUTBOX_OK);
    assert_int_equal(cursor.number, 201);
    flash_close(flash);
}

static void clears_the_flash(void **state)
{
    (void)state;
    static uint8_t bytes[4 * FLASH_SECTOR];
    err_t err = ERR_INIT;
    flash_t *flash = ram_flash(sizeof bytes);
    outbox_t *box = mount(flash);
    assert_int_equal(outbox_clear(box), OUTBOX_OK); /* empty: no matter */
    for (uint32_t i = 1; i <= 300; i++) {
        assert_int_equal(outbox_append(box, "someone's secret telemetry", 26, NULL), OUTBOX_OK);
    }
    uint32_t dropped = outbox_dropped(box);
    assert_int_equal(outbox_clear(box), OUTBOX_OK);
    assert_int_equal(outbox_count(box), 0);
    assert_done(flash_read(flash, 0, bytes, sizeof bytes, &err), err);
    assert_null(memmem(bytes, sizeof bytes, "secret", 6));
    box = mount(flash);
    assert_int_equal(outbox_count(box), 0);
    assert_int_equal(outbox_dropped(box), dropped);
    assert_int_equal(append(box, 301), OUTBOX_OK);
    assert_holds(box, 301, 301);
    flash_close(flash);
}

/* ---- power cuts ---- */

/* What the test knows for certain while the power is on. */
typedef struct {
    uint32_t appended; /* appends that returned OK     */
    uint32_t trimmed;  /* the highest trim that did    */
    bool trimming;     /* the call that was cut        */
    uint32_t asked;    /* and its argument             */
} known_t;

/* One step of a device's life: mostly appends; every ninth step trims about half. */
static outbox_status_t live(outbox_t *box, uint32_t step, known_t *known)
{
    known->trimming = step % 9 == 8;
    outbox_status_t status;
    if (known->trimming) {
        known->asked = known->appended - known->appended % 5;
        status = outbox_trim(box, known->asked);
        if (status == OUTBOX_OK && known->asked > known->trimmed) {
            known->trimmed = known->asked;
        }
    } else {
        known->asked = known->appended + 1;
        status = append(box, known->asked);
        known->appended += status == OUTBOX_OK ? 1 : 0;
    }
    return status;
}

/* After a cut every acknowledged record is there, trimmed, or dropped and counted. */
static void check_after_cut(outbox_t *box, known_t *known, uint32_t dropped_before)
{
    uint32_t first, last;
    uint32_t count = read_all(box, &first, &last);
    assert_int_equal(count, outbox_count(box));
    assert_int_equal(outbox_damaged(box), 0);
    uint32_t newest = known->appended;
    if (!known->trimming && last == newest + 1) {
        newest++; /* the cut append did make it */
    }
    if (count > 0) {
        assert_int_equal(last, newest);
        assert_int_equal(count, last - first + 1);
        assert_true(first > known->trimmed);
    }
    uint32_t gone = count > 0 ? first - 1 : newest;
    uint32_t dropped = outbox_dropped(box) - dropped_before;
    uint32_t trimmed = known->trimmed;
    if (known->trimming && gone >= known->asked && known->asked > trimmed) {
        trimmed = known->asked; /* the cut trim happened */
    }
    /* Beyond the trims, what is missing at the front was dropped, and counted exactly. The sector
       that a cut append dropped counts only when it is gone. */
    assert_int_equal(dropped, gone > trimmed ? gone - trimmed : 0);
    known->appended = newest;
    known->trimmed = trimmed;
}

/* Cuts one step at every operation, on copies of the flash. Returns the number of operations. */
static uint64_t cut_step(flash_t *before, uint32_t step, const known_t *then, uint64_t stride)
{
    uint64_t cuts = 0;
    bool lost = true;
    uint32_t dropped_before = outbox_dropped(mount(before));
    for (uint64_t cut = 0; lost; cut += stride) {
        flash_t *flash = copy_flash(before);
        outbox_t *box = mount(flash);
        known_t known = *then;
        flash_cut_after(flash, cut, (uint32_t)(cut * 7 + step));
        outbox_status_t status = live(box, step, &known);
        lost = flash_power_lost(flash);
        assert_int_equal(status, lost ? OUTBOX_IO : OUTBOX_OK);
        flash_power_on(flash);
        box = mount(flash);
        check_after_cut(box, &known, dropped_before);
        for (uint32_t i = 0; i < 3; i++) {
            assert_int_equal(append(box, known.appended + 1 + i), OUTBOX_OK);
        }
        cuts += lost ? 1 : 0;
        flash_close(flash);
    }
    return cuts;
}

static void survives_a_power_cut_at_every_operation(void **state)
{
    (void)state;
    for (uint32_t sectors = 2; sectors <= 4; sectors += 2) {
        flash_t *flash = ram_flash(sectors * FLASH_SECTOR);
        known_t known = {0};
        uint64_t cuts = 0, before = flash_operations(flash);
        for (uint32_t step = 0; step < 120; step++) {
            /* What is gone at the front before this step counts as given up. */
            uint32_t first, last;
            outbox_t *box = mount(flash);
            uint32_t count = read_all(box, &first, &last);
            known.trimmed = count > 0 ? first - 1 : known.appended;
            cuts += cut_step(flash, step, &known, 1);
            box = mount(flash);
            assert_int_equal(live(box, step, &known), OUTBOX_OK);
        }
        assert_int_equal(cuts, flash_operations(flash) - before);
        assert_true(outbox_dropped(mount(flash)) > 0 || sectors > 2);
        flash_close(flash);
    }
}

static void survives_a_power_cut_while_clearing(void **state)
{
    (void)state;
    flash_t *before = ram_flash(3 * FLASH_SECTOR);
    outbox_t *box = mount(before);
    for (uint32_t i = 1; i <= 60; i++) {
        assert_int_equal(append(box, i), OUTBOX_OK);
    }
    bool lost = true;
    for (uint64_t cut = 0; lost; cut++) {
        flash_t *flash = copy_flash(before);
        box = mount(flash);
        flash_cut_after(flash, cut, (uint32_t)cut);
        outbox_status_t status = outbox_clear(box);
        lost = flash_power_lost(flash);
        assert_int_equal(status, lost ? OUTBOX_IO : OUTBOX_OK);
        flash_power_on(flash);
        box = mount(flash);
        uint32_t first, last;
        uint32_t count = read_all(box, &first, &last);
        assert_true(count == 0 || last == 60); /* all cleared, or not begun */
        assert_int_equal(append(box, 61), OUTBOX_OK);
        flash_close(flash);
    }
    flash_close(before);
}

/* ---- damage ---- */

static flash_t *worked_on(uint32_t sectors, uint32_t records)
{
    flash_t *flash = ram_flash(sectors * FLASH_SECTOR);
    outbox_t *box = mount(flash);
    for (uint32_t i = 1; i <= records; i++) {
        assert_int_equal(append(box, i), OUTBOX_OK);
    }
    return flash;
}

/* A flipped bit costs some records at most, and what is left is right and in order. */
static void survives_every_flipped_byte_of_its_structure(void **state)
{
    (void)state;
    flash_t *original = worked_on(3, 50);
    uint32_t random = 5;
    unsigned counted = 0;
    for (uint32_t at = 0; at < 3 * FLASH_SECTOR; at += at % FLASH_SECTOR < 64 ? 1 : 11) {
        flash_t *flash = copy_flash(original);
        flip_bit(flash, at, noise(&random) % 8);
        outbox_t *box = mount(flash);
        uint32_t first, last;
        uint32_t count = read_all(box, &first, &last);
        assert_int_equal(count, outbox_count(box));
        /* A lost head brings back the sector it had dropped, and its count; nothing new. */
        assert_true(count <= 50 && last <= 50);
        if (count > 0) {
            /* Every number between the first and the last is there or counted as damaged. */
            assert_true(count + outbox_damaged(box) >= last - first + 1);
            counted += outbox_damaged(box) > 0 ? 1 : 0;
        }
        assert_int_equal(outbox_append(box, "goes on", 7, NULL), OUTBOX_OK);
        flash_close(flash);
    }
    assert_true(counted > 200);
    flash_close(original);
}

/* A flipped bit in the place of a mark trims nothing. */
static void a_flipped_bit_is_no_trim(void **state)
{
    (void)state;
    flash_t *flash = ram_flash(2 * FLASH_SECTOR);
    outbox_t *box = mount(flash);
    for (uint32_t i = 1; i <= 5; i++) {
        assert_int_equal(append(box, i), OUTBOX_OK);
    }
    outbox_cursor_t cursor = {0};
    uint8_t data[OUTBOX_RECORD_MAX];
    size_t len;
    uint32_t place = box->head * FLASH_SECTOR + 24;
    while (outbox_read(box, &cursor, data, sizeof data, &len) == OUTBOX_OK) {
        flip_bit(flash, place + 12 + cursor.number % 4, cursor.number);
        place = (uint32_t)box->head * FLASH_SECTOR + cursor.at;
    }
    assert_holds(mount(flash), 1, 5);
    flash_close(flash);
}

/* Damage is counted once and stays counted when its sector is dropped. */
static void counts_damage_exactly(void **state)
{
    (void)state;
    flash_t *flash = worked_on(3, 20);
    outbox_t *box = mount(flash);
    uint32_t first, last;
    uint32_t there = read_all(box, &first, &last);
    outbox_cursor_t cursor = {0};
    uint8_t data[OUTBOX_RECORD_MAX];
    size_t len;
    for (uint32_t i = first; i < first + 5; i++) {
        assert_int_equal(outbox_read(box, &cursor, data, sizeof data, &len), OUTBOX_OK);
    }
    uint32_t sector = cursor.sector % box->sectors * FLASH_SECTOR;
    flip_bit(flash, sector + cursor.at - 5, 3); /* in the data of the fifth */
    box = mount(flash);
    assert_int_equal(outbox_damaged(box), 1);
    assert_int_equal(read_all(box, &first, &last), there - 1);
    uint32_t dropped = outbox_dropped(box);
    for (uint32_t i = last + 1; i <= 120; i++) {
        assert_int_equal(append(box, i), OUTBOX_OK);
    }
    for (int i = 0; i < 2; i++, box = mount(flash)) {
        assert_int_equal(outbox_damaged(box), 1);
        read_all(box, &first, &last);
        assert_int_equal(outbox_dropped(box) - dropped + 1, first - (last + 1 - 120) - dropped);
        assert_int_equal(outbox_dropped(box) + 1 + outbox_count(box), 120);
    }
    flash_close(flash);
}

/* Sound sums over impossible numbers: refused or followed, but never for ever. */
static void survives_forged_numbers(void **state)
{
    (void)state;
    static const uint32_t forged[] = {0,          1,          2,          0x7fffffff,
                                      0xffffffef, 0xfffffff0, 0xfffffffe, 0xffffffff};
    err_t err = ERR_INIT;
    for (size_t i = 0; i < 8 * 8 * 2; i++) {
        flash_t *flash = ram_flash(2 * FLASH_SECTOR);
        uint8_t h[24] = "ORB1", r[17] = {1};
        uint32_t seq = forged[i / 2 % 8] / 2 * 2 + i % 2;
        bytes_put_le32(h + 4, seq);
        bytes_put_le32(h + 8, forged[i / 16]);
        bytes_put_le32(h + 20, bytes_crc32(0, h, 20));
        bytes_put_le32(r + 4, forged[(i + 1) / 16 % 8]);
        bytes_put_le32(r + 8, bytes_crc32(0, r + 16, 1));
        bytes_put_le16(r + 2, (uint16_t)bytes_crc32(bytes_crc32(0, r, 2), r + 4, 8));
        bytes_put_le32(r + 12, 0xffffffff);
        uint32_t at = seq % 2 * FLASH_SECTOR;
        assert_done(flash_write(flash, at, h, sizeof h, &err), err);
        assert_done(flash_write(flash, at + 24, r, sizeof r, &err), err);
        outbox_t *box = mount(flash);
        outbox_cursor_t cursor = {0};
        uint8_t data[OUTBOX_RECORD_MAX];
        size_t len;
        while (outbox_read(box, &cursor, data, sizeof data, &len) == OUTBOX_OK) {
        }
        for (int k = 0; k < 12; k++) {
            outbox_append(box, data, sizeof data, NULL);
        }
        outbox_clear(box);
        flash_close(flash);
    }
}

static void survives_noise(void **state)
{
    (void)state;
    flash_t *original = worked_on(4, 90);
    uint32_t random = 77;
    uint8_t junk[FLASH_SECTOR];
    err_t err = ERR_INIT;
    for (int round = 0; round < 300; round++) {
        flash_t *flash = copy_flash(original);
        for (unsigned hits = 1 + noise(&random) % 4; hits > 0; hits--) {
            uint32_t at = noise(&random) % 4 * FLASH_SECTOR;
            for (size_t i = 0; i < sizeof junk; i++) {
                junk[i] = (uint8_t)(noise(&random) >> 9);
            }
            assert_done(flash_erase(flash, at, FLASH_SECTOR, &err), err);
            if (round % 2 == 0) {
                assert_done(flash_write(flash, at, junk, sizeof junk, &err), err);
            }
        }
        outbox_t *box = mount(flash);
        uint32_t first, last;
        assert_int_equal(read_all(box, &first, &last), outbox_count(box));
        uint32_t number;
        for (int i = 0; i < 30; i++) {
            assert_int_equal(outbox_append(box, "goes on", 7, &number), OUTBOX_OK);
            assert_true(number > last);
        }
        assert_int_equal(outbox_trim(box, number), OUTBOX_OK);
        assert_int_equal(outbox_count(box), 0);
        flash_close(flash);
    }
    flash_close(original);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queues_in_order),
        cmocka_unit_test(refuses_bad_calls),
        cmocka_unit_test(drops_the_oldest_and_counts_them),
        cmocka_unit_test(keeps_cursors_good),
        cmocka_unit_test(clears_the_flash),
        cmocka_unit_test(survives_a_power_cut_at_every_operation),
        cmocka_unit_test(survives_a_power_cut_while_clearing),
        cmocka_unit_test(survives_every_flipped_byte_of_its_structure),
        cmocka_unit_test(a_flipped_bit_is_no_trim),
        cmocka_unit_test(counts_damage_exactly),
        cmocka_unit_test(survives_forged_numbers),
        cmocka_unit_test(survives_noise),
    };
    return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}

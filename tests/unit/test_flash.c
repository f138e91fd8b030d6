/* SPDX-License-Identifier: Apache-2.0 */
#include "flash_help.h"

#include <stdlib.h>

#include "base/file.h"
#include "flash/overlay.h"

/* ---- NOR ---- */

static void clears_bits_and_erases_sectors(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    uint8_t bytes[8];
    flash_t *flash = ram_flash(2 * FLASH_SECTOR);
    assert_done(flash_read(flash, 4093, bytes, 8, &err), err);
    assert_memory_equal(bytes, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    assert_done(flash_write(flash, 4093, "\xf0\xf0\xf0\xf0\xf0", 5, &err), err); /* two sectors */
    assert_done(flash_write(flash, 4094, "\x30", 1, &err), err);
    assert_refused(flash_write(flash, 4094, "\x31", 1, &err), err, ERR_USAGE,
                   "writing 31 over 30 at 0xffe");
    err_clear(&err);
    assert_done(flash_read(flash, 4093, bytes, 6, &err), err);
    assert_memory_equal(bytes, "\xf0\x30\xf0\xf0\xf0\xff", 6);
    flash_set_checking(flash, false);
    assert_done(flash_write(flash, 4094, "\x11", 1, &err), err);
    assert_done(flash_read(flash, 4094, bytes, 1, &err), err);
    assert_int_equal(bytes[0], 0x10);
    assert_done(flash_erase(flash, 0, FLASH_SECTOR, &err), err);
    assert_done(flash_read(flash, 4093, bytes, 5, &err), err);
    assert_memory_equal(bytes, "\xff\xff\xff\xf0\xf0", 5);
    flash_close(flash);
}

static void keeps_its_bounds(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    uint8_t bytes[16];
    region_t region;
    flash_t *flash = ram_flash(2 * FLASH_SECTOR);
    assert_refused(flash_read(flash, 8190, bytes, 3, &err), err, ERR_USAGE, "outside of 0x2000");
    assert_refused(flash_read(flash, 0xffffffff, bytes, 3, &err), err, ERR_USAGE, "outside");
    assert_refused(flash_write(flash, 8192, "x", 1, &err), err, ERR_USAGE, "outside");
    assert_refused(flash_erase(flash, 4096, 8192, &err), err, ERR_USAGE, "outside");
    assert_refused(flash_erase(flash, 1, 4096, &err), err, ERR_USAGE, "whole sectors");
    assert_refused(flash_erase(flash, 0, 100, &err), err, ERR_USAGE, "whole sectors");
    assert_refused(flash_region(flash, 100, 4096, &region, &err), err, ERR_USAGE, "whole sectors");
    assert_refused(flash_region(flash, 4096, 8192, &region, &err), err, ERR_USAGE, "within");
    err_clear(&err);
    assert_done(flash_region(flash, 4096, 4096, &region, &err), err);
    assert_true(region_write(&region, 0, "here", 4));
    assert_done(flash_read(flash, 4096, bytes, 4, &err), err);
    assert_memory_equal(bytes, "here", 4);
    assert_false(region_read(&region, 4090, bytes, 7));
    assert_false(region_write(&region, 0xffffffff, "x", 2));
    assert_false(region_erase(&region, 0, 8192));
    assert_false(region_erase(&region, 2, 4096));
    assert_false(region_write(&region, 0, "\xff", 1));
    assert_non_null(strstr(flash_last_error(flash), "would set a bit"));
    assert_null(flash_open_ram(100, NULL, 0, &err));
    assert_null(flash_open_ram(0, NULL, 0, &err));
    assert_null(flash_open_ram(0x2000000, NULL, 0, &err));
    flash_close(flash);
}

static void cuts_the_power_within_a_write(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    uint8_t bytes[32];
    bool partial = false;
    for (uint32_t cut = 0; cut <= 20; cut++) {
        flash_t *flash = ram_flash(2 * FLASH_SECTOR);
        flash_cut_after(flash, cut, cut + 1);
        uint8_t zeros[20] = {0};
        bool done = flash_write(flash, 4090, zeros, sizeof zeros, &err);
        assert_int_equal(done, cut == 20);
        assert_int_equal(flash_power_lost(flash), cut < 20);
        assert_int_equal(flash_operations(flash), cut);
        if (!done) {
            assert_refused(flash_read(flash, 0, bytes, 1, &err), err, ERR_PRECONDITION, "power");
            assert_refused(flash_write(flash, 0, bytes, 1, &err), err, ERR_PRECONDITION, "power");
            assert_refused(flash_erase(flash, 0, 4096, &err), err, ERR_PRECONDITION, "power");
            err_clear(&err);
        }
        flash_power_on(flash);
        assert_done(flash_read(flash, 4090, bytes, 20, &err), err);
        for (uint32_t i = 0; i < 20; i++) {
            assert_true(i == cut || bytes[i] == (i < cut ? 0 : 0xff));
            partial = partial || (bytes[i] != 0 && bytes[i] != 0xff);
        }
        flash_close(flash);
    }
    assert_true(partial);
}

static void cuts_the_power_within_an_erase(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    static uint8_t bytes[FLASH_SECTOR];
    unsigned first_end = 0, last_end = 0;
    for (uint32_t cut = 0; cut <= 16; cut++) {
        flash_t *flash = ram_flash(2 * FLASH_SECTOR);
        memset(bytes, 0x55, sizeof bytes);
        assert_done(flash_write(flash, 0, bytes, sizeof bytes, &err), err);
        flash_cut_after(flash, cut, cut);
        assert_int_equal(flash_erase(flash, 0, FLASH_SECTOR, &err), cut == 16);
        flash_power_on(flash);
        err_clear(&err);
        assert_done(flash_read(flash, 0, bytes, sizeof bytes, &err), err);
        unsigned erased = 0;
        for (size_t i = 0; i < sizeof bytes; i++) {
            assert_int_equal(bytes[i] & 0x55, 0x55); /* an erase only sets bits */
            erased += bytes[i] == 0xff ? 1 : 0;
        }
        assert_true(erased >= cut * 256 && erased < cut * 256 + 256);
        first_end += bytes[0] == 0xff && bytes[4095] == 0x55 ? 1 : 0;
        last_end += bytes[4095] == 0xff && bytes[0] == 0x55 ? 1 : 0;
        flash_close(flash);
    }
    assert_true(first_end > 0 && last_end > 0); /* both directions were tried */
}

/* ---- image files ---- */

static void opens_image_files(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    char dir[] = "/tmp/cradle-flash-XXXXXX";
    char image_path[FILE_PATH_MAX];
    assert_non_null(mkdtemp(dir));
    assert_done(file_join(image_path, dir, "image.bin", &err), err);
    static uint8_t bytes[4 * FLASH_SECTOR];
    memset(bytes, 0xff, sizeof bytes);
    assert_null(flash_open_image(image_path, true, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    err_clear(&err);
    assert_done(file_write(image_path, bytes, sizeof bytes, 0600, &err), err);
    flash_t *flash = flash_open_image(image_path, true, &err);
    assert_non_null(flash);
    assert_int_equal(flash_size(flash), sizeof bytes);
    assert_done(flash_write(flash, 5000, "kept", 4, &err), err);
    assert_done(flash_sync(flash, &err), err);
    assert_null(flash_open_image(image_path, true, &err));
    assert_int_equal(err.kind, ERR_PRECONDITION);
    assert_null(flash_open_image(image_path, false, &err));
    flash_close(flash);
    err_clear(&err);
    flash = flash_open_image(image_path, false, &err);
    assert_non_null(flash);
    flash_t *other = flash_open_image(image_path, false, &err);
    assert_non_null(other);
    assert_done(flash_read(other, 5000, bytes, 4, &err), err);
    assert_memory_equal(bytes, "kept", 4);
    assert_refused(flash_write(other, 0, "x", 1, &err), err, ERR_PRECONDITION, "reading only");
    flash_close(other);
    flash_close(flash);
    err_clear(&err);
    assert_done(file_write(image_path, bytes, 5000, 0600, &err), err);
    assert_null(flash_open_image(image_path, false, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    err_clear(&err);
    assert_null(flash_open_image(dir, false, &err));
    err_clear(&err);
    assert_done(file_remove_tree(dir, &err), err);
}

static void checks_the_overlays_header(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    uint8_t bytes[OVERLAY_HEADER];
    overlay_header_t h = {0x400000, 100, 1, 0x17000, 0x9000, 2}, found;
    overlay_build(&h, bytes);
    assert_done(overlay_parse(bytes, sizeof bytes, &found, &err), err);
    assert_memory_equal(&found, &h, sizeof h);
    for (uint32_t bit = 0; bit < 40 * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(overlay_parse(bytes, sizeof bytes, &found, &err));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    bytes[OVERLAY_BITMAP + 128] = 1; /* sector 1024 of 1024 */
    assert_refused(overlay_parse(bytes, 1u << 30, &found, &err), err, ERR_INPUT, "sector 1024");
    bytes[OVERLAY_BITMAP + 128] = 0;
    bytes[OVERLAY_BITMAP] = 4;
    assert_refused(overlay_parse(bytes, 4 * 4096 - 1, &found, &err), err, ERR_INPUT,
                   "before its sector 2");
    err_clear(&err);
    assert_done(overlay_parse(bytes, 4 * 4096, &found, &err), err);
    h.identity_at = 0x3ff000;
    overlay_build(&h, bytes);
    assert_refused(overlay_parse(bytes, sizeof bytes, &found, &err), err, ERR_INPUT, "impossible");
}

/* A flash in memory over a shared base leaves the base alone. */
static void shares_a_base_in_memory(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    static const uint8_t base[5000] = {1, 2, 3};
    uint8_t bytes[4];
    flash_t *a = flash_open_ram(4 * FLASH_SECTOR, base, sizeof base, &err);
    flash_t *b = flash_open_ram(4 * FLASH_SECTOR, base, sizeof base, &err);
    assert_non_null(a);
    assert_non_null(b);
    assert_done(flash_erase(a, 0, FLASH_SECTOR, &err), err);
    assert_done(flash_write(a, 1, "a", 1, &err), err);
    assert_done(flash_read(a, 0, bytes, 3, &err), err);
    assert_memory_equal(bytes,
                        "\xff"
                        "a\xff",
                        3);
    assert_done(flash_read(b, 0, bytes, 3, &err), err);
    assert_memory_equal(bytes, "\x01\x02\x03", 3);
    assert_done(flash_read(b, 4998, bytes, 4, &err), err);
    assert_memory_equal(bytes, "\x00\x00\xff\xff", 4);
    flash_close(a);
    flash_close(b);
    flash_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clears_bits_and_erases_sectors),
        cmocka_unit_test(keeps_its_bounds),
        cmocka_unit_test(cuts_the_power_within_a_write),
        cmocka_unit_test(cuts_the_power_within_an_erase),
        cmocka_unit_test(checks_the_overlays_header),
        cmocka_unit_test(shares_a_base_in_memory),
        cmocka_unit_test(opens_image_files),
    };
    return cmocka_run_group_tests_name("flash", tests, NULL, NULL);
}

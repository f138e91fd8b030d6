/* SPDX-License-Identifier: Apache-2.0 */
#include "flash_help.h"

#include <stdlib.h>

#include "flash/appimage.h"
#include "flash/otadata.h"
#include "flash/partition.h"
#include "flash/spiffs.h"

static uint8_t app[APPIMAGE_LINUX_MAX];
static size_t app_len;

static void build(void)
{
    err_t err = ERR_INIT;
    assert_done(appimage_build_linux("1.2.3", app, &app_len, &err), err);
}

static void builds_an_image_that_says_what_it_is(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    appimage_t image;
    build();
    assert_done(appimage_parse(app, app_len, &image, &err), err);
    assert_int_equal(image.size, app_len);
    assert_int_equal(image.size % 16, 0);
    assert_int_equal(image.segments, 1);
    assert_int_equal(image.chip_id, APPIMAGE_CHIP_NONE);
    assert_string_equal(appimage_chip_name(image.chip_id), "none");
    assert_int_equal(image.flash_size_code, 2);
    assert_true(image.hash_appended);
    assert_true(image.has_descriptor);
    assert_string_equal(image.project, "cradle-linux");
    assert_string_equal(image.version, "1.2.3");
    assert_string_equal(image.idf_version, "none: no chip can run this");
    assert_non_null(memmem(app, app_len, "no chip can run it", 18));
    assert_int_equal(bytes_get_le32(app + 32), 0xabcd5432u); /* where OTA tools look */
    uint8_t again[APPIMAGE_LINUX_MAX];
    size_t len;
    assert_done(appimage_build_linux("1.2.3", again, &len, &err), err);
    assert_int_equal(len, app_len);
    assert_memory_equal(again, app, len);
}

static void refuses_versions(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    size_t len;
    assert_refused(appimage_build_linux("", app, &len, &err), err, ERR_USAGE, "1 to 31");
    assert_refused(appimage_build_linux("12345678901234567890123456789012", app, &len, &err), err,
                   ERR_USAGE, "not 32");
    assert_refused(appimage_build_linux("1 2", app, &len, &err), err, ERR_USAGE, "no spaces");
}

/* Each single bit but those of fields without a meaning for integrity is covered by a sum. */
static void notices_every_flipped_bit(void **state)
{
    (void)state;
    appimage_t image;
    build();
    for (size_t bit = 0; bit < app_len * 8; bit++) {
        app[bit / 8] ^= (uint8_t)(1u << bit % 8);
        err_t err = ERR_INIT;
        /* Byte 23 says that a hash follows: without it only the XOR byte is left. */
        if (bit / 8 != 23) {
            assert_false(appimage_parse(app, app_len, &image, &err));
            assert_int_equal(err.kind, ERR_INPUT);
        }
        app[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void notices_every_cut(void **state)
{
    (void)state;
    appimage_t image;
    build();
    for (size_t len = 0; len < app_len; len++) {
        err_t err = ERR_INIT;
        uint8_t *copy = malloc(len + 1); /* so that a sanitizer sees a read beyond it */
        memcpy(copy, app, len);
        assert_false(appimage_parse(copy, len, &image, &err));
        free(copy);
    }
}

static void says_what_is_wrong(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    appimage_t image;
    uint8_t bytes[APPIMAGE_LINUX_MAX];
    build();
    memcpy(bytes, app, app_len);
    bytes[0] = 0xea;
    assert_refused(appimage_parse(bytes, app_len, &image, &err), err, ERR_INPUT, "this with ea");
    memset(bytes, 0xff, sizeof bytes);
    assert_refused(appimage_parse(bytes, app_len, &image, &err), err, ERR_INPUT, "erased flash");
    memcpy(bytes, app, app_len);
    bytes[1] = 17;
    assert_refused(appimage_parse(bytes, app_len, &image, &err), err, ERR_INPUT, "17 segments");
    bytes[1] = 0;
    assert_refused(appimage_parse(bytes, app_len, &image, &err), err, ERR_INPUT, "0 segments");
    memcpy(bytes, app, app_len);
    bytes_put_le32(bytes + 28, 0xfffffffc);
    assert_refused(appimage_parse(bytes, app_len, &image, &err), err, ERR_INPUT,
                   "segment 0 of the app image has 0xfffffffc bytes");
    bytes_put_le32(bytes + 28, 257);
    assert_refused(appimage_parse(bytes, app_len, &image, &err), err, ERR_INPUT, "whole words");
    memcpy(bytes, app, app_len);
    bytes[app_len - 33] ^= 1;
    assert_refused(appimage_parse(bytes, app_len, &image, &err), err, ERR_INPUT, "checksum");
    memcpy(bytes, app, app_len);
    bytes[app_len - 1] ^= 1;
    assert_refused(appimage_parse(bytes, app_len, &image, &err), err, ERR_INPUT, "SHA-256");
}

/* An image with two segments, no appended hash, no descriptor, and unclean text is read too. */
static void reads_other_images(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    appimage_t image;
    uint8_t bytes[80] = {0xe9, 2, 0, 0x40, 0x78, 0x56, 0x34, 0x12, 0xee, 0, 0, 0, 5};
    bytes_put_le32(bytes + 28, 4);
    memcpy(bytes + 32, "\x01\x02\x04\x08", 4);
    bytes_put_le32(bytes + 40, 8);
    memcpy(bytes + 44, "\x10\x20\x40\x80\x00\x00\x00\x01", 8);
    bytes[63] = 0xef ^ 0xff ^ 0x01;
    assert_done(appimage_parse(bytes, 64, &image, &err), err);
    assert_int_equal(image.segments, 2);
    assert_int_equal(image.size, 64);
    assert_int_equal(image.entry, 0x12345678);
    assert_int_equal(image.flash_size_code, 4);
    assert_string_equal(appimage_chip_name(image.chip_id), "esp32c3");
    assert_false(image.hash_appended);
    assert_false(image.has_descriptor);
    assert_null(appimage_chip_name(777));
    build();
    memcpy(app + 32 + 16, "1.\x1b[2J", 7); /* a version that would clear the screen */
    for (int i = 0; i < 256; i++) {        /* mend the XOR byte; drop the hash */
        app[app_len - 33] = (uint8_t)i;
        app[23] = 0;
        err_clear(&err);
        if (appimage_parse(app, app_len, &image, &err)) {
            break;
        }
    }
    assert_string_equal(image.version, "1.?[2J");
}

/* esptool v5.6.0 (elf2image --chip esp32c3) made this of a few lines of C; its image-info shows
   what is expected here. */
static void reads_what_esptool_made(void **state)
{
    (void)state;
    static const char *const hex[] = {
        "e903002000003840ee0000000500000000ffff00000000012000003c000100003254cdab070000000000",
        "000000000000332e312e340000000000000000000000000000000000000000000000000000007265616c",
        "2d656c6600000000000000000000000000000000000000000000000031323a30303a3030000000000000",
        "00004a616e2020312032303236000000000076362e302e32000000000000000000000000000000000000",
        "0000000000000000081100cce84dca6b32c6b2e90991ba88763bb48b5847535cb8e2b8db0200bdd50000",
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000000000000000c83f0c00",
        "0000010000000200000003000000000038400400000001a00000000000000000000000000000000000d1",
        "3bb7d2b817f84cfc987c2095b375a04d951570957f68f5c03a4ec24f88b01ee9",
    };
    uint8_t bytes[368];
    size_t len = 0;
    for (size_t i = 0; i < sizeof hex / sizeof hex[0]; i++) {
        size_t n = strlen(hex[i]) / 2;
        assert_true(bytes_from_hex(hex[i], n * 2, bytes + len, n));
        len += n;
    }
    assert_int_equal(len, sizeof bytes);
    err_t err = ERR_INIT;
    appimage_t image;
    assert_done(appimage_parse(bytes, len, &image, &err), err);
    assert_int_equal(image.size, len);
    assert_int_equal(image.segments, 3);
    assert_int_equal(image.entry, 0x40380000);
    assert_string_equal(appimage_chip_name(image.chip_id), "esp32c3");
    assert_int_equal(image.flash_size_code, 2);
    assert_true(image.has_descriptor);
    assert_int_equal(image.secure_version, 7);
    assert_string_equal(image.project, "real-elf");
    assert_string_equal(image.version, "3.1.4");
    assert_string_equal(image.date, "Jan  1 2026");
    assert_string_equal(image.time, "12:00:00");
    assert_string_equal(image.idf_version, "v6.0.2");
    char text[65];
    assert_true(bytes_to_hex(image.sha256, 32, text, sizeof text));
    assert_string_equal(text, hex[8]);
    assert_true(bytes_to_hex(image.elf_sha256, 32, text, sizeof text));
    assert_string_equal(text, "081100cce84dca6b32c6b2e90991ba88763bb48b5847535cb8e2b8db0200bdd5");
}

static void builds_the_base_image(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    uint8_t *base;
    size_t len;
    region_t region;
    appimage_t image;
    otadata_t otadata;
    assert_done(flash_base_build("0.9", &base, &len, &err), err);
    flash_t *flash = flash_open_ram(FLASH_SIZE_DEFAULT, base, len, &err);
    assert_non_null(flash);
    assert_done(flash_partition(flash, "ota_0", &region, &err), err);
    assert_int_equal(region.start, 0x20000);
    assert_done(appimage_read(&region, &image, &err), err);
    assert_string_equal(image.version, "0.9");
    assert_done(flash_partition(flash, "ota_1", &region, &err), err);
    assert_refused(appimage_read(&region, &image, &err), err, ERR_INPUT, "erased flash");
    err_clear(&err);
    assert_done(flash_partition(flash, "otadata", &region, &err), err);
    assert_true(otadata_read(&region, &otadata));
    assert_int_equal(otadata_slot(&otadata, 2), -1);
    assert_refused(flash_partition(flash, "nothing", &region, &err), err, ERR_INPUT,
                   "no partition \"nothing\"");
    flash_close(flash);
    free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_an_image_that_says_what_it_is),
        cmocka_unit_test(refuses_versions),
        cmocka_unit_test(notices_every_flipped_bit),
        cmocka_unit_test(notices_every_cut),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(reads_other_images),
        cmocka_unit_test(reads_what_esptool_made),
        cmocka_unit_test(builds_the_base_image),
    };
    return cmocka_run_group_tests_name("appimage", tests, NULL, NULL);
}

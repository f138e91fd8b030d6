/* SPDX-License-Identifier: Apache-2.0 */
/* Station 2: flash bytes, and a chip behind both generations of esptool (tests/tools). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "custody/custody.h"
#include "factory/esptool.h"
#include "factory/flash.h"
#include "factory_fixture.h"
#include "flash/appimage.h"
#include "pki/cert.h"

#define MAC        "a0:b1:c2:d3:e4:f5"
#define CHIP_SIZE  0x400000
#define CHIP_C3    5
#define CHIP_ESP32 0

static factory_station_t *station;
static char chip[FILE_PATH_MAX]; /* the fake's directory */

/* ---- a chip, and what is flashed to it ---- */

static void write_text(const char *name, const char *text)
{
    char path[FILE_PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", chip, name);
    assert_true(file_write(path, text, strlen(text), 0600, NULL));
}

static void make_chip(const char *generation)
{
    char path[FILE_PATH_MAX + 32];
    char *script;
    size_t len;
    snprintf(chip, sizeof chip, "%s", factory_path("chip"));
    assert_true(file_make_dirs(chip, 0700, NULL));
    write_text("generation", generation);
    write_text("mac", MAC);
    assert_true(file_read("tests/tools/fake_esptool.sh", 65536, &script, &len, NULL));
    snprintf(path, sizeof path, "%s/esptool", chip);
    assert_true(file_write(path, script, len, 0700, NULL));
    free(script);
    char *flash = malloc(CHIP_SIZE);
    assert_non_null(flash);
    memset(flash, 0x5a, CHIP_SIZE); /* not erased: otadata must be written too */
    snprintf(path, sizeof path, "%s/flash", chip);
    assert_true(file_write(path, flash, CHIP_SIZE, 0600, NULL));
    free(flash);
}

/* An image that is sound and for that chip. */
static char *make_image(const char *name, const char *version, uint8_t chip_id)
{
    uint8_t image[APPIMAGE_LINUX_MAX];
    size_t len;
    assert_true(appimage_build_linux(version, image, &len, NULL));
    image[12] = chip_id;
    image[13] = 0;
    assert_true(pki_sha256(image, len - 32, image + len - 32, NULL));
    assert_true(file_write(factory_path(name), image, len, 0600, NULL));
    return factory_path(name);
}

typedef struct {
    factory_flash_t settings;
    char boot[FILE_PATH_MAX], app[FILE_PATH_MAX], sdkconfig[FILE_PATH_MAX], tool[FILE_PATH_MAX];
    unsigned last_percent;
} job_t;

static void on_progress(void *context, const char *what, unsigned percent)
{
    job_t *job = context;
    assert_true(strcmp(what, "writing") == 0 || strcmp(what, "reading back") == 0);
    job->last_percent = percent;
}

static void make_job(job_t *job, uint8_t chip_id, const char *sdkconfig)
{
    memset(job, 0, sizeof *job);
    snprintf(job->boot, sizeof job->boot, "%s", make_image("boot.bin", "boot", chip_id));
    snprintf(job->app, sizeof job->app, "%s", make_image("app.bin", "1.0", chip_id));
    snprintf(job->sdkconfig, sizeof job->sdkconfig, "%s", factory_path("sdkconfig"));
    assert_true(file_write(job->sdkconfig, sdkconfig, strlen(sdkconfig), 0600, NULL));
    snprintf(job->tool, sizeof job->tool, "%.900s/esptool", chip);
    job->settings = (factory_flash_t){.port = chip,
                                      .bootloader = job->boot,
                                      .app = job->app,
                                      .sdkconfig = job->sdkconfig,
                                      .esptool = job->tool,
                                      .progress = on_progress,
                                      .context = job};
}

#define GOOD "# a build\nCONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE=y\nCONFIG_X=y\n"

static bool opens(const factory_flash_t *settings, char text[ERR_TEXT_MAX])
{
    factory_flasher_t *flasher;
    err_t err = ERR_INIT;
    bool ok = factory_flasher_open(&site, settings, &flasher, &err);
    factory_flasher_close(flasher);
    snprintf(text, ERR_TEXT_MAX, "%s", err.text);
    return ok;
}

static bool flash(const factory_flash_t *settings, char mac[FACTORY_MAC_SIZE], bool *already,
                  err_t *err)
{
    factory_flasher_t *flasher;
    if (!factory_flasher_open(&site, settings, &flasher, err)) {
        fail_msg("%s", err->text);
    }
    bool ok = factory_flash(station, flasher, mac, already, err);
    factory_flasher_close(flasher);
    return ok;
}

static void register_board(const char *mac)
{
    factory_board_t board = {.lot = "L1"};
    assert_true(factory_mac_parse(mac, board.mac, NULL));
    assert_true(factory_checks_parse("sensors=ok", &board, NULL));
    assert_true(factory_assemble(station, &board, NULL, false, NULL, NULL));
}

static int fresh(void **state)
{
    factory_fresh(state);
    return factory_station_open(&site, NULL, &station, NULL) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    factory_station_close(station);
    factory_check_books(true);
    return 0;
}

static factory_state_t state_of(const char *mac)
{
    factory_item_t item;
    return factory_find_mac(station, mac, &item, NULL) ? factory_item_state(&item)
                                                       : FACTORY_UNKNOWN;
}

static bool chip_has(uint32_t at, const char *path)
{
    char *file, *flash_bytes;
    size_t len, size;
    char name[FILE_PATH_MAX + 8];
    snprintf(name, sizeof name, "%s/flash", chip);
    assert_true(file_read(path, CHIP_SIZE, &file, &len, NULL));
    assert_true(file_read(name, CHIP_SIZE, &flash_bytes, &size, NULL));
    bool same = memcmp(flash_bytes + at, file, len) == 0;
    for (size_t i = 0x14000; i < 0x16000; i++) {
        same = same && (uint8_t)flash_bytes[i] == 0xff;
    }
    free(file);
    free(flash_bytes);
    return same;
}

static bool called(const char *word)
{
    char name[FILE_PATH_MAX + 8];
    char *text;
    size_t len;
    snprintf(name, sizeof name, "%s/calls", chip);
    assert_true(file_read(name, 65536, &text, &len, NULL));
    bool found = strstr(text, word) != NULL;
    free(text);
    return found;
}

/* ---- tests ---- */

static void test_bytes(void **state)
{
    (void)state;
    const factory_flash_t bytes = {.port = NULL};
    char mac[FACTORY_MAC_SIZE] = MAC;
    bool already;
    err_t err = ERR_INIT;
    assert_false(flash(&bytes, mac, &already, NULL)); /* not registered */
    register_board(MAC);
    assert_true(flash(&bytes, mac, &already, &err));
    assert_false(already);
    assert_int_equal(state_of(MAC), FACTORY_FLASHED);
    assert_true(flash(&bytes, mac, &already, &err));
    assert_true(already);
    /* The shared base was damaged: found before anybody says that a board is flashed. */
    assert_int_equal(truncate(factory_path("factory/base.bin"), 0x20010), 0);
    register_board("a0:b1:c2:d3:e4:f6");
    snprintf(mac, sizeof mac, "a0:b1:c2:d3:e4:f6");
    assert_false(flash(&bytes, mac, &already, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_int_equal(state_of(mac), FACTORY_ASSEMBLED);
}

static void flash_chip(const char *generation, uint8_t chip_id, uint32_t boot_at, const char *write,
                       const char *other)
{
    char mac[FACTORY_MAC_SIZE] = "";
    bool already;
    job_t job;
    err_t err = ERR_INIT;
    make_chip(generation);
    make_job(&job, chip_id, GOOD);
    assert_false(flash(&job.settings, mac, &already, &err)); /* not registered: nothing written */
    assert_false(called(write));
    register_board(MAC);
    err_clear(&err);
    mac[0] = '\0';
    if (!flash(&job.settings, mac, &already, &err)) {
        fail_msg("%s", err.text);
    }
    assert_false(already);
    assert_string_equal(mac, MAC);
    assert_true(called(write));
    assert_false(called(other));
    assert_true(chip_has(boot_at, job.boot));
    assert_true(chip_has(0x20000, job.app));
    assert_int_equal(state_of(MAC), FACTORY_FLASHED);
    assert_true(flash(&job.settings, mac, &already, &err));
    assert_true(already);
}

static void test_generation_5(void **state)
{
    (void)state;
    flash_chip("5", CHIP_C3, 0, "write-flash", "write_flash");
}

static void test_generation_4(void **state)
{
    (void)state;
    flash_chip("4", CHIP_ESP32, 0x1000, "write_flash", "write-flash");
}

static void test_wrong_board_and_bad_chip(void **state)
{
    (void)state;
    char mac[FACTORY_MAC_SIZE] = "a0:b1:c2:d3:e4:ff";
    bool already;
    job_t job;
    err_t err = ERR_INIT;
    make_chip("5");
    make_job(&job, CHIP_C3, GOOD);
    register_board(MAC);
    assert_false(flash(&job.settings, mac, &already, &err));
    assert_non_null(strstr(err.text, MAC)); /* says which one is attached */
    snprintf(mac, sizeof mac, MAC);
    write_text("broken", "");
    err_clear(&err);
    assert_false(flash(&job.settings, mac, &already, &err));
    assert_non_null(strstr(err.text, "not read back as written"));
    assert_int_equal(state_of(MAC), FACTORY_ASSEMBLED);
    write_text("absent", "");
    err_clear(&err);
    assert_false(flash(&job.settings, mac, &already, &err));
    assert_non_null(strstr(err.text, "Failed to connect"));
}

static void test_rollback(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",
                                      "# CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE is not set\n",
                                      "CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE=n\n",
                                      "#CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE=y\n",
                                      "XCONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE=y\n",
                                      "CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE=yes\n"};
    char text[ERR_TEXT_MAX];
    job_t job;
    make_chip("5");
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        make_job(&job, CHIP_C3, BAD[i]);
        assert_false(opens(&job.settings, text));
        assert_non_null(strstr(text, "ROLLBACK"));
        job.settings.rollback_confirmed = true; /* what the file says is not overruled */
        assert_false(opens(&job.settings, text));
    }
    job.settings.sdkconfig = NULL;
    assert_true(opens(&job.settings, text));
    job.settings.rollback_confirmed = false;
    assert_false(opens(&job.settings, text));
    assert_non_null(strstr(text, "--rollback-confirmed"));
    assert_true(factory_sdkconfig_rollback("CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE=y", 39));
    assert_true(factory_sdkconfig_rollback("CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE=y\r\n", 41));
}

static void test_bad_files(void **state)
{
    (void)state;
    char text[ERR_TEXT_MAX];
    job_t job;
    make_chip("5");
    make_job(&job, CHIP_C3, GOOD);
    assert_true(opens(&job.settings, text));
    make_image("boot.bin", "boot", CHIP_ESP32); /* for another chip */
    assert_false(opens(&job.settings, text));
    assert_non_null(strstr(text, "esp32c3"));
    make_image("boot.bin", "boot", CHIP_C3);
    make_image("app.bin", "1.0", 0xfe); /* for no chip */
    assert_false(opens(&job.settings, text));
    make_image("app.bin", "1.0", CHIP_C3);
    assert_int_equal(truncate(job.app, 100), 0);
    assert_false(opens(&job.settings, text));
    make_image("app.bin", "1.0", CHIP_C3);
    job.settings.table = job.app;
    assert_false(opens(&job.settings, text));
    job.settings.table = NULL;
    job.settings.app = NULL;
    assert_false(opens(&job.settings, text));
    make_job(&job, CHIP_C3, GOOD);
    job.settings.esptool = "/bin/true"; /* says nothing, so it is none */
    assert_false(opens(&job.settings, text));
    assert_non_null(strstr(text, "pip install esptool"));
    job.settings.esptool = "/nonexistent/esptool";
    assert_false(opens(&job.settings, text));
}

static void test_words(void **state)
{
    (void)state;
    char version[24];
    unsigned n;
    assert_true(esptool_version_parse("esptool v5.6.0\n5.6.0\n", version, &n));
    assert_int_equal(n, 5);
    assert_string_equal(version, "5.6.0");
    assert_true(esptool_version_parse("esptool.py v4.8.1\n4.8.1\n", version, &n));
    assert_int_equal(n, 4);
    assert_false(esptool_version_parse("nothing of the kind v5.0", version, &n));
    assert_false(esptool_version_parse("esptool version\n", version, &n));
    assert_false(esptool_version_parse("", version, &n));
    assert_true(esptool_percent_parse("Writing at 0x00010000... (7 %)\rWriting... (12 %)", &n));
    assert_int_equal(n, 12);
    assert_true(esptool_percent_parse("Writing at 0x0 [==>   ]  50.0% 512/1024 bytes", &n));
    assert_int_equal(n, 50);
    assert_true(esptool_percent_parse("999999%", &n));
    assert_int_equal(n, 100);
    assert_false(esptool_percent_parse("Connecting... %", &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes, fresh, end),
        cmocka_unit_test_setup_teardown(test_generation_5, fresh, end),
        cmocka_unit_test_setup_teardown(test_generation_4, fresh, end),
        cmocka_unit_test_setup_teardown(test_wrong_board_and_bad_chip, fresh, end),
        cmocka_unit_test_setup_teardown(test_rollback, fresh, end),
        cmocka_unit_test_setup_teardown(test_bad_files, fresh, end),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, factory_setup, factory_teardown);
}

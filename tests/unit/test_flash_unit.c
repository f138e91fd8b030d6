/* SPDX-License-Identifier: Apache-2.0 */
/* A unit on disk: base image, identity image, overlay. */
#include "flash_help.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "flash/appimage.h"
#include "flash/overlay.h"
#include "flash/settings.h"
#include "flash/spiffs.h"

static char dir[64];
static char base_path[128], identity_path[128], overlay_path[128], image_path[128];
static const char SECRET[] = "the unit's private key";

#define IDENTITY_AT  0x17000u
#define IDENTITY_LEN 0x9000u
#define NVS_AT       0x3e0000u

static flash_unit_t unit(void)
{
    return (flash_unit_t){.base = base_path, .identity = identity_path, .overlay = overlay_path};
}

static flash_t *open_unit(void)
{
    err_t err = ERR_INIT;
    flash_unit_t u = unit();
    flash_t *flash = flash_open_unit(&u, &err);
    if (flash == NULL) {
        fail_msg("%s", err.text);
    }
    return flash;
}

static int make_files(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    uint8_t *base;
    size_t len;
    strcpy(dir, "/tmp/cradle-flash-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(base_path, sizeof base_path, "%s/base.bin", dir);
    snprintf(identity_path, sizeof identity_path, "%s/identity.bin", dir);
    snprintf(overlay_path, sizeof overlay_path, "%s/flash.ovl", dir);
    snprintf(image_path, sizeof image_path, "%s/image.bin", dir);
    assert_done(flash_base_build("1.0", &base, &len, &err), err);
    assert_done(file_write(base_path, base, len, 0644, &err), err);
    free(base);
    static uint8_t identity[IDENTITY_LEN];
    const spiffs_config_t config = spiffs_config_default(IDENTITY_LEN);
    const spiffs_file_t files[] = {{"/device.key", SECRET, sizeof SECRET - 1}};
    assert_done(spiffs_build(&config, files, 1, identity, &err), err);
    assert_done(file_write(identity_path, identity, sizeof identity, 0600, &err), err);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    assert_done(file_remove_tree(dir, &err), err);
    return 0;
}

static void lays_the_identity_over_the_base(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    static uint8_t bytes[IDENTITY_LEN];
    region_t region;
    spiffs_t fs;
    char *data;
    size_t len;
    flash_t *flash = open_unit();
    assert_int_equal(flash_size(flash), FLASH_SIZE_DEFAULT);
    assert_done(flash_partition(flash, "identity", &region, &err), err);
    assert_int_equal(region.start, IDENTITY_AT);
    assert_true(region_read(&region, 0, bytes, sizeof bytes));
    const spiffs_config_t config = spiffs_config_default(region.size);
    assert_done(spiffs_open(&fs, &config, bytes, sizeof bytes, &err), err);
    assert_done(spiffs_read_file(&fs, "/device.key", 100, &data, &len, &err), err);
    assert_string_equal(data, SECRET);
    free(data);
    /* Beyond the base's end and over every border. */
    uint8_t edge[8];
    assert_done(flash_read(flash, 0x3ffff8, edge, 8, &err), err);
    assert_memory_equal(edge, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    assert_done(flash_read(flash, 0x1fffc, edge, 8, &err), err);
    assert_int_equal(edge[4], 0xe9);
    struct stat st;
    assert_int_equal(stat(overlay_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(st.st_size == OVERLAY_HEADER); /* nothing is changed yet */
    flash_close(flash);
}

static void keeps_what_a_unit_wrote(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    uint8_t bytes[16];
    flash_t *flash = open_unit();
    assert_done(flash_write(flash, NVS_AT + 100, "settings", 8, &err), err);
    assert_done(flash_erase(flash, IDENTITY_AT, FLASH_SECTOR, &err), err);
    assert_done(flash_erase(flash, 0x200000, 0x100000, &err), err); /* erased already */
    assert_done(flash_sync(flash, &err), err);
    flash_close(flash);
    struct stat st;
    assert_int_equal(stat(overlay_path, &st), 0);
    assert_true(st.st_blocks * 512 <= 64 * 1024); /* sparse: a few sectors, not 4 MB */
    flash = open_unit();
    assert_done(flash_read(flash, NVS_AT + 99, bytes, 10, &err), err);
    assert_memory_equal(bytes, "\xffsettings\xff", 10);
    assert_done(flash_read(flash, IDENTITY_AT, bytes, 4, &err), err);
    assert_memory_equal(bytes, "\xff\xff\xff\xff", 4);
    assert_done(flash_read(flash, IDENTITY_AT + FLASH_SECTOR + 252, bytes, 4, &err), err);
    assert_int_not_equal(bytes[0], 0xff); /* the rest of the identity is untouched */
    assert_done(flash_export(flash, image_path, &err), err);
    flash_close(flash);
    char *data;
    size_t len;
    assert_done(file_read(image_path, FLASH_SIZE_DEFAULT, &data, &len, &err), err);
    assert_int_equal(len, FLASH_SIZE_DEFAULT);
    assert_memory_equal(data + NVS_AT + 100, "settings", 8);
    assert_null(memmem(data, len, SECRET, sizeof SECRET - 1)); /* that sector was erased */
    assert_int_equal(stat(image_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    flash = flash_open_image(image_path, false, &err);
    assert_non_null(flash);
    flash_close(flash);
    free(data);
}

static void is_run_by_one_process(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    char words[64];
    flash_unit_t u = unit();
    flash_t *flash = open_unit();
    snprintf(words, sizeof words, "in use by process %u", (unsigned)getpid());
    assert_refused(flash_open_unit(&u, &err) != NULL, err, ERR_PRECONDITION, words);
    u.read_only = true;
    assert_refused(flash_open_unit(&u, &err) != NULL, err, ERR_PRECONDITION, words);
    flash_close(flash);
    err_clear(&err);
    flash = flash_open_unit(&u, &err);
    assert_non_null(flash);
    assert_refused(flash_write(flash, NVS_AT, "x", 1, &err), err, ERR_PRECONDITION, "reading only");
    u.read_only = false;
    assert_refused(flash_open_unit(&u, &err) != NULL, err, ERR_PRECONDITION, "in use");
    flash_close(flash);
    /* The lock dies with its process. */
    pid_t child = fork();
    if (child == 0) {
        u = unit();
        _exit(flash_open_unit(&u, NULL) != NULL ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    flash_close(open_unit());
}

static void reads_a_unit_that_never_ran(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    uint8_t byte;
    flash_unit_t u = unit();
    u.read_only = true;
    flash_t *flash = flash_open_unit(&u, &err);
    assert_non_null(flash);
    assert_done(flash_read(flash, 0x20000, &byte, 1, &err), err);
    assert_int_equal(byte, 0xe9);
    flash_close(flash);
    assert_false(file_exists(overlay_path));
}

static void notices_exchanged_files(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    flash_unit_t u = unit();
    flash_close(open_unit());
    uint8_t *base;
    size_t len;
    char *old_base, *old_identity;
    size_t old_base_len, old_len;
    assert_done(file_read(base_path, FLASH_SIZE_DEFAULT, &old_base, &old_base_len, &err), err);
    assert_done(file_read(identity_path, IDENTITY_LEN, &old_identity, &old_len, &err), err);
    assert_done(flash_base_build("2.0", &base, &len, &err), err);
    assert_done(file_write(base_path, base, len, 0644, &err), err);
    free(base);
    assert_refused(flash_open_unit(&u, &err) != NULL, err, ERR_PRECONDITION, "another base image");
    err_clear(&err);
    assert_done(file_write(base_path, old_base, old_base_len, 0644, &err), err);
    old_identity[1000] ^= 1;
    assert_done(file_write(identity_path, old_identity, old_len, 0600, &err), err);
    assert_refused(flash_open_unit(&u, &err) != NULL, err, ERR_PRECONDITION, "another identity");
    err_clear(&err);
    assert_done(file_write(identity_path, old_identity, old_len - 4096, 0600, &err), err);
    assert_refused(flash_open_unit(&u, &err) != NULL, err, ERR_INPUT, "has 0x8000 bytes but");
    u.identity = NULL;
    assert_refused(flash_open_unit(&u, &err) != NULL, err, ERR_PRECONDITION, "another identity");
    u = unit();
    u.size = 0x800000;
    old_identity[1000] ^= 1;
    err_clear(&err);
    assert_done(file_write(identity_path, old_identity, old_len, 0600, &err), err);
    assert_refused(flash_open_unit(&u, &err) != NULL, err, ERR_PRECONDITION, "0x400000 bytes");
    free(old_base);
    free(old_identity);
    flash_close(open_unit());
    u = unit();
    u.base = "/nonexistent";
    assert_refused(flash_open_unit(&u, &err) != NULL, err, ERR_PRECONDITION, "does not exist");
}

static void refuses_a_damaged_overlay(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    flash_unit_t u = unit();
    flash_t *flash = open_unit();
    assert_done(flash_write(flash, NVS_AT, "x", 1, &err), err);
    flash_close(flash);
    int fd = open(overlay_path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, OVERLAY_HEADER + NVS_AT), 0);
    assert_refused(flash_open_unit(&u, &err) != NULL, err, ERR_INPUT, "ends before its sector");
    assert_non_null(strstr(err.text, "start the unit afresh"));
    assert_int_equal(ftruncate(fd, 100), 0);
    assert_refused(flash_open_unit(&u, &err) != NULL, err, ERR_INPUT, "ends within its header");
    assert_int_equal(ftruncate(fd, 0), 0); /* its maker was killed before the header */
    err_clear(&err);
    flash_close(open_unit());
    assert_int_equal(pwrite(fd, "Y", 1, 0), 1);
    assert_refused(flash_open_unit(&u, &err) != NULL, err, ERR_INPUT, "not the overlay");
    close(fd);
}

/* ---- accidents of a unit ---- */

static settings_status_t settings_of(flash_t *flash, settings_t *store)
{
    region_t region;
    err_t err = ERR_INIT;
    assert_done(flash_partition(flash, "cradle_nvs", &region, &err), err);
    return settings_mount(store, &region);
}

/* A power cut of the unit at every operation, over the file: its settings are old or new. */
static void survives_power_cuts_on_disk(void **state)
{
    (void)state;
    static settings_t store;
    err_t err = ERR_INIT;
    uint8_t byte = 0;
    size_t len;
    uint8_t known = 0; /* what was acknowledged last */
    bool there = false;
    for (uint64_t cut = 0; cut < 60; cut++) {
        flash_t *flash = open_unit();
        assert_int_equal(settings_of(flash, &store), SETTINGS_OK);
        flash_cut_after(flash, cut, (uint32_t)cut);
        uint8_t next = (uint8_t)(cut + 1);
        bool done = settings_set(&store, "k", &next, 1) == SETTINGS_OK;
        flash_close(flash);
        flash = open_unit(); /* another process boots the unit */
        assert_int_equal(settings_of(flash, &store), SETTINGS_OK);
        settings_status_t status = settings_get(&store, "k", &byte, 1, &len);
        if (done || (status == SETTINGS_OK && byte == next)) {
            assert_int_equal(byte, next);
            known = next;
            there = true;
        } else {
            assert_int_equal(status, there ? SETTINGS_OK : SETTINGS_NOT_FOUND);
            assert_true(!there || byte == known);
        }
        flash_close(flash);
    }
    assert_true(there);
    (void)err;
}

/* A child that does nothing but count in its settings, and says each number when it is stored. */
static void count_forever(int out)
{
    static settings_t store;
    flash_unit_t u = unit();
    flash_t *flash = flash_open_unit(&u, NULL);
    region_t region;
    if (flash == NULL || !flash_partition(flash, "cradle_nvs", &region, NULL) ||
        settings_mount(&store, &region) != SETTINGS_OK) {
        _exit(1);
    }
    uint32_t count = 0;
    size_t len;
    settings_get(&store, "count", &count, sizeof count, &len);
    for (;;) {
        count++;
        if (settings_set(&store, "count", &count, sizeof count) != SETTINGS_OK ||
            write(out, &count, sizeof count) != sizeof count) {
            _exit(1);
        }
    }
}

static void survives_sigkill(void **state)
{
    (void)state;
    static settings_t store;
    uint32_t random = (uint32_t)getpid();
    uint32_t last = 0;
    for (int round = 0; round < 25; round++) {
        int pipes[2];
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        pid_t child = fork();
        if (child == 0) {
            count_forever(pipes[1]);
        }
        close(pipes[1]);
        usleep(2000 + noise(&random) % 15000);
        kill(child, SIGKILL);
        uint32_t said;
        while (read(pipes[0], &said, sizeof said) == sizeof said) {
            last = said;
        }
        close(pipes[0]);
        waitpid(child, NULL, 0);
        flash_t *flash = open_unit();
        uint32_t count = 0;
        size_t len;
        assert_int_equal(settings_of(flash, &store), SETTINGS_OK);
        if (last > 0) {
            assert_int_equal(settings_get(&store, "count", &count, sizeof count, &len),
                             SETTINGS_OK);
        }
        assert_true(count == last || count == last + 1); /* one may be stored and not yet said */
        flash_close(flash);
        last = count;
    }
    assert_true(last > 100);
}

static void a_durable_unit_works_the_same(void **state)
{
    (void)state;
    err_t err = ERR_INIT;
    uint8_t bytes[4];
    flash_unit_t u = unit();
    u.durable = true;
    flash_t *flash = flash_open_unit(&u, &err);
    assert_non_null(flash);
    assert_done(flash_write(flash, NVS_AT, "here", 4, &err), err);
    flash_close(flash);
    flash = open_unit();
    assert_done(flash_read(flash, NVS_AT, bytes, 4, &err), err);
    assert_memory_equal(bytes, "here", 4);
    flash_close(flash);
}

#define on_disk(test) cmocka_unit_test_setup_teardown(test, make_files, remove_files)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_disk(lays_the_identity_over_the_base), on_disk(keeps_what_a_unit_wrote),
        on_disk(is_run_by_one_process),           on_disk(reads_a_unit_that_never_ran),
        on_disk(notices_exchanged_files),         on_disk(refuses_a_damaged_overlay),
        on_disk(survives_power_cuts_on_disk),     on_disk(survives_sigkill),
        on_disk(a_durable_unit_works_the_same),
    };
    return cmocka_run_group_tests_name("flash_unit", tests, NULL, NULL);
}

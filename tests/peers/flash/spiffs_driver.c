/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the original SPIFFS driver over an image file. Compiled by tests/peers/flash.sh with the
 * driver's sources and ESP-IDF's spiffs_config.h, which are no part of this repository.
 *
 *     spiffs_driver read IMAGE          mounts, checks, prints "NAME SIZE CRC32" a file
 *     spiffs_driver churn IMAGE SEED    creates, appends, overwrites, deletes; then prints the same
 *
 * Exit code 3: the driver left (or found) what its own check repairs. It does so when it runs full.
 *
 * Mounted as esp_spiffs.c does it: log block = erase block = 4096, page 256.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spiffs.h"
#include "spiffs_nucleus.h"

static uint8_t flash[0x400000];
static uint32_t flash_len;
static int repairs;

void spiffs_api_lock(struct spiffs_t *fs)
{
    (void)fs;
}

void spiffs_api_unlock(struct spiffs_t *fs)
{
    (void)fs;
}

static s32_t hal_read(spiffs *fs, u32_t at, u32_t len, u8_t *out)
{
    (void)fs;
    if (at > flash_len || len > flash_len - at) {
        return -1;
    }
    memcpy(out, flash + at, len);
    return 0;
}

static s32_t hal_write(spiffs *fs, u32_t at, u32_t len, u8_t *data)
{
    (void)fs;
    if (at > flash_len || len > flash_len - at) {
        return -1;
    }
    for (u32_t i = 0; i < len; i++) {
        flash[at + i] &= data[i];
    }
    return 0;
}

static s32_t hal_erase(spiffs *fs, u32_t at, u32_t len)
{
    (void)fs;
    if (at > flash_len || len > flash_len - at) {
        return -1;
    }
    memset(flash + at, 0xff, len);
    return 0;
}

static void report(spiffs *fs, spiffs_check_type type, spiffs_check_report what, u32_t a, u32_t b)
{
    (void)fs;
    (void)type;
    (void)a;
    (void)b;
    repairs += what != SPIFFS_CHECK_PROGRESS ? 1 : 0;
}

static uint32_t crc32(uint32_t crc, const uint8_t *p, size_t len)
{
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++) {
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
        }
    }
    return ~crc;
}

static spiffs fs;
static u8_t work[512], fds[4096], cache[64 * 1024];

static int mount(void)
{
    spiffs_config config;
    memset(&config, 0, sizeof config);
    memset(&fs, 0, sizeof fs);
    config.hal_read_f = hal_read;
    config.hal_write_f = hal_write;
    config.hal_erase_f = hal_erase;
    config.log_block_size = 4096;
    config.log_page_size = 256;
    config.phys_addr = 0;
    config.phys_erase_block = 4096;
    config.phys_size = flash_len;
    return SPIFFS_mount(&fs, &config, work, fds, sizeof fds, cache, sizeof cache, report);
}

static int print_files(void)
{
    spiffs_DIR dir;
    struct spiffs_dirent entry;
    if (SPIFFS_opendir(&fs, "/", &dir) == NULL) {
        return 1;
    }
    while (SPIFFS_readdir(&dir, &entry) != NULL) {
        uint8_t buf[1000];
        uint32_t crc = 0, size = 0;
        spiffs_file f = SPIFFS_open_by_dirent(&fs, &entry, SPIFFS_RDONLY, 0);
        s32_t n = f < 0 ? -1 : 0;
        while (f >= 0 && (n = SPIFFS_read(&fs, f, buf, sizeof buf)) > 0) {
            crc = crc32(crc, buf, (size_t)n);
            size += (uint32_t)n;
        }
        if (n < 0 && SPIFFS_errno(&fs) != SPIFFS_ERR_END_OF_OBJECT) {
            fprintf(stderr, "%s: error %d\n", (char *)entry.name, (int)SPIFFS_errno(&fs));
            return 1;
        }
        SPIFFS_close(&fs, f);
        printf("%s %u %08x\n", (char *)entry.name, (unsigned)size, (unsigned)crc);
    }
    SPIFFS_closedir(&dir);
    return 0;
}

/* Errors such as "full" are part of the game; what counts is what the driver then reads. */
static void churn(unsigned seed)
{
    srand(seed);
    for (int round = 0; round < 120; round++) {
        char name[20];
        uint8_t data[3000];
        int len = rand() % (int)sizeof data;
        snprintf(name, sizeof name, "/churn%d", rand() % 8);
        for (int i = 0; i < len; i++) {
            data[i] = (uint8_t)rand();
        }
        if (rand() % 4 == 0) {
            SPIFFS_remove(&fs, name);
            continue;
        }
        static const spiffs_flags how[] = {SPIFFS_CREAT | SPIFFS_TRUNC | SPIFFS_RDWR,
                                           SPIFFS_CREAT | SPIFFS_APPEND | SPIFFS_RDWR,
                                           SPIFFS_CREAT | SPIFFS_RDWR};
        spiffs_file f = SPIFFS_open(&fs, name, how[rand() % 3], 0);
        if (f < 0) {
            continue;
        }
        if (rand() % 3 == 0) {
            SPIFFS_lseek(&fs, f, rand() % 2000, SPIFFS_SEEK_SET);
        }
        SPIFFS_write(&fs, f, data, len);
        SPIFFS_close(&fs, f);
    }
}

int main(int argc, char **argv)
{
    FILE *file = argc > 2 ? fopen(argv[2], "r+b") : NULL;
    if (file == NULL) {
        fprintf(stderr, "usage: spiffs_driver read|churn IMAGE [SEED]\n");
        return 2;
    }
    flash_len = (uint32_t)fread(flash, 1, sizeof flash, file);
    if (mount() != SPIFFS_OK) {
        fprintf(stderr, "cannot mount: error %d\n", (int)SPIFFS_errno(&fs));
        return 1;
    }
    if (strcmp(argv[1], "churn") == 0) {
        churn(argc > 3 ? (unsigned)atoi(argv[3]) : 1);
        SPIFFS_unmount(&fs);
        if (mount() != SPIFFS_OK) {
            return 1;
        }
    }
    int result = print_files();
    SPIFFS_unmount(&fs);
    rewind(file);
    if (fwrite(flash, 1, flash_len, file) != flash_len || fclose(file) != 0) {
        return 1;
    }
    /* Only now: the check may change the flash. */
    if (result == 0 && (mount() != SPIFFS_OK || SPIFFS_check(&fs) != SPIFFS_OK || repairs > 0)) {
        fprintf(stderr, "the driver's own check repaired %d things\n", repairs);
        return 3;
    }
    return result;
}

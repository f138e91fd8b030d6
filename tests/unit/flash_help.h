/* SPDX-License-Identifier: Apache-2.0 */
/* flash_help: what the tests of lib/flash share. */
#ifndef CRADLE_TESTS_FLASH_HELP_H
#define CRADLE_TESTS_FLASH_HELP_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "flash/flash.h"

/* The call succeeded; the error's text is shown when not. */
#define assert_done(call, err)                                                                     \
    do {                                                                                           \
        if (!(call)) {                                                                             \
            fail_msg("%s: %s", #call, (err).text);                                                 \
        }                                                                                          \
    } while (0)

/* The call failed with this kind of error and these words in its text. */
#define assert_refused(call, err, what, words)                                                     \
    do {                                                                                           \
        err_clear(&(err));                                                                         \
        assert_false(call);                                                                        \
        if ((err).kind != (what) || strstr((err).text, (words)) == NULL) {                         \
            fail_msg("%s: kind %d, \"%s\"", #call, (int)(err).kind, (err).text);                   \
        }                                                                                          \
    } while (0)

static inline void assert_sha256(const void *data, size_t len, const char *wanted)
{
    uint8_t sum[32];
    char hex[65];
    assert_int_equal(EVP_Digest(data, len, sum, NULL, EVP_sha256(), NULL), 1);
    assert_true(bytes_to_hex(sum, sizeof sum, hex, sizeof hex));
    assert_string_equal(hex, wanted);
}

/* Reproducible noise. */
static inline uint32_t noise(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static inline flash_t *ram_flash(uint32_t size)
{
    err_t err = ERR_INIT;
    flash_t *flash = flash_open_ram(size, NULL, 0, &err);
    if (flash == NULL) {
        fail_msg("%s", err.text);
    }
    return flash;
}

static inline region_t whole(flash_t *flash)
{
    region_t region;
    err_t err = ERR_INIT;
    assert_done(flash_region(flash, 0, flash_size(flash), &region, &err), err);
    return region;
}

/* A flash in memory that holds what another one holds, to try many accidents on. */
static inline flash_t *copy_flash(flash_t *from)
{
    err_t err = ERR_INIT;
    uint8_t bytes[FLASH_SECTOR];
    flash_t *flash = ram_flash(flash_size(from));
    for (uint32_t at = 0; at < flash_size(from); at += FLASH_SECTOR) {
        assert_done(flash_read(from, at, bytes, sizeof bytes, &err), err);
        assert_done(flash_write(flash, at, bytes, sizeof bytes, &err), err);
    }
    return flash;
}

/* Flips a bit in place, whichever way: what flash does when it wears out. */
static inline void flip_bit(flash_t *flash, uint32_t at, unsigned bit)
{
    uint8_t bytes[FLASH_SECTOR];
    err_t err = ERR_INIT;
    uint32_t start = at / FLASH_SECTOR * FLASH_SECTOR;
    assert_done(flash_read(flash, start, bytes, sizeof bytes, &err), err);
    bytes[at - start] ^= (uint8_t)(1u << bit);
    assert_done(flash_erase(flash, start, FLASH_SECTOR, &err), err);
    assert_done(flash_write(flash, start, bytes, sizeof bytes, &err), err);
}

#endif

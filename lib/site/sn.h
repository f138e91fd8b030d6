/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sn: serial numbers and the pattern they are made from.
 *
 * An SN has 1 to 32 characters of A-Z a-z 0-9 . _ - , begins with a letter or a digit, and must not
 * look like a number, because ThingsBoard turns numeric strings into numbers (reference
 * thingsboard.md 2.2): "000123", "-5", "1.5", "1e9", "0x1F", "12L" are refused.
 * A pattern is such a text with exactly one number in it, "%d" or "%0Wd" with W from 1 to 12. It is
 * never given to printf. With a width the number must fit in it: the pattern ends at 10^W - 1.
 *
 * "{luhn}" or "{iso7064}" at the end of a pattern adds a check character, so that an SN that was
 * typed or scanned wrongly is told from one that does not exist:
 *
 *     luhn      over the digits of the number, leading zeros too (ISO/IEC 7812-1 annex B): a digit
 *     iso7064   over all letters, as capitals, and digits of the SN (ISO 7064, MOD 37,36): a digit
 *               or a capital letter; finds every wrong character and nearly every swapped pair
 *
 * "SN-%06d{luhn}" makes SN-0000018 of number 1.
 */
#ifndef CRADLE_SITE_SN_H
#define CRADLE_SITE_SN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SITE_SN_SIZE      33
#define SITE_PATTERN_SIZE 43

typedef enum { SITE_CHECK_NONE = 0, SITE_CHECK_LUHN, SITE_CHECK_ISO7064 } site_check_t;

typedef struct {
    char prefix[SITE_PATTERN_SIZE];
    char suffix[SITE_PATTERN_SIZE];
    unsigned width; /* 0: no leading zeros */
    site_check_t check;
} site_pattern_t;

/* ERR_USAGE with the reason in words. */
bool site_sn_check(const char *sn, err_t *err);

bool site_pattern_parse(const char *text, site_pattern_t *pattern, err_t *err);

/* The largest number that the pattern can express. */
uint64_t site_pattern_last(const site_pattern_t *pattern);

/* The SN of a number. ERR_PRECONDITION when the pattern has no room for it. */
bool site_pattern_format(const site_pattern_t *pattern, uint64_t number, char sn[SITE_SN_SIZE],
                         err_t *err);

/* The number of an SN that this pattern makes; false when it does not make it. */
bool site_pattern_number(const site_pattern_t *pattern, const char *sn, uint64_t *number);

/* The SN is as this pattern's are but for its check character: it was typed or scanned wrongly.
   Never true for a pattern without one. */
bool site_pattern_mistyped(const site_pattern_t *pattern, const char *sn);

/* True when ThingsBoard might take the text for a number. */
bool site_looks_numeric(const char *text);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "site/sn.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WIDTH_MAX 12

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_plain(char c)
{
    return is_digit(c) || is_letter(c) || c == '.' || c == '_' || c == '-';
}

/* "0x1F" */
static bool looks_hex(const char *p)
{
    if (p[0] != '0' || (p[1] != 'x' && p[1] != 'X') || p[2] == '\0') {
        return false;
    }
    for (p += 2; *p != '\0'; p++) {
        if (!isxdigit((unsigned char)*p)) {
            return false;
        }
    }
    return true;
}

/* Wider than any parser ThingsBoard uses (NumberUtils, Double.parseDouble): decimals with one
   dot, exponents, type suffixes, hexadecimal. What is refused too much costs a letter. */
bool site_looks_numeric(const char *text)
{
    const char *p = text;
    size_t digits = 0;
    size_t dots = 0;
    if (*p == '+' || *p == '-') {
        p++;
    }
    if (looks_hex(p) || strcmp(p, "NaN") == 0 || strcmp(p, "Infinity") == 0) {
        return true;
    }
    for (; is_digit(*p) || *p == '.'; p++) {
        digits += is_digit(*p);
        dots += *p == '.';
    }
    if (digits == 0 || dots > 1) {
        return false;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '+' || *p == '-';
        if (!is_digit(*p)) {
            return false;
        }
        while (is_digit(*p)) {
            p++;
        }
    }
    if (*p != '\0' && strchr("fFdDlL", *p) != NULL) {
        p++;
    }
    return *p == '\0';
}

bool site_sn_check(const char *sn, err_t *err)
{
    size_t len = strlen(sn);
    if (len == 0 || len >= SITE_SN_SIZE) {
        return err_set(err, ERR_USAGE, "a serial number has 1 to %d characters, not %zu",
                       SITE_SN_SIZE - 1, len);
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_plain(sn[i])) {
            return err_set(err, ERR_USAGE,
                           "a serial number is made of A-Z a-z 0-9 . _ - ; character %zu is not",
                           i + 1);
        }
    }
    if (!is_digit(sn[0]) && !is_letter(sn[0])) {
        return err_set(err, ERR_USAGE, "the serial number %s must begin with a letter or a digit",
                       sn);
    }
    if (site_looks_numeric(sn)) {
        return err_set(err, ERR_USAGE,
                       "the serial number %s looks like a number, which ThingsBoard "
                       "would turn into one; put letters in it, as in SN-%s",
                       sn, sn);
    }
    return true;
}

/* Reads "%d" or "%0Wd" at `p`. */
static const char *parse_number_field(const char *p, unsigned *width)
{
    *width = 0;
    p++; /* '%' */
    if (*p == '0') {
        for (p++; is_digit(*p) && *width <= WIDTH_MAX; p++) {
            *width = *width * 10 + (unsigned)(*p - '0');
        }
        if (*width == 0 || *width > WIDTH_MAX) {
            return NULL;
        }
    }
    return *p == 'd' ? p + 1 : NULL;
}

static bool bad_pattern(err_t *err, const char *text)
{
    return err_set(
        err, ERR_USAGE,
        "\"%.40s\" is no serial number pattern: letters, digits and . _ - around exactly one "
        "%%d or %%0Wd (W from 1 to %d), as in SN-%%06d, and {luhn} or {iso7064} at the end",
        text, WIDTH_MAX);
}

/* ---- check characters ---- */

static const struct {
    const char *mark;
    site_check_t check;
} checks[] = {{"{luhn}", SITE_CHECK_LUHN}, {"{iso7064}", SITE_CHECK_ISO7064}};

static int value_of(char c)
{
    return is_digit(c)            ? c - '0'
           : c >= 'A' && c <= 'Z' ? c - 'A' + 10
           : c >= 'a' && c <= 'z' ? c - 'a' + 10
                                  : -1;
}

/* Of the digits text[0 .. len). */
static char luhn(const char *text, size_t len)
{
    int sum = 0;
    bool twice = true; /* the check digit will stand to the right of the last one */
    for (size_t i = len; i > 0; i--) {
        int value = text[i - 1] - '0';
        value = twice ? 2 * value : value;
        sum += value > 9 ? value - 9 : value;
        twice = !twice;
    }
    return (char)('0' + (10 - sum % 10) % 10);
}

/* MOD 37,36: what is no letter or digit is passed over. */
static char iso7064(const char *text)
{
    static const char LETTERS[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    int product = 36;
    for (; *text != '\0'; text++) {
        int value = value_of(*text);
        if (value >= 0) {
            int sum = (product + value) % 36;
            product = (sum == 0 ? 36 : sum) * 2 % 37;
        }
    }
    return LETTERS[(37 - product) % 36];
}

/* `sn` is complete but for its check character. */
static char check_of(const site_pattern_t *pattern, const char *sn)
{
    size_t before = strlen(pattern->prefix);
    return pattern->check == SITE_CHECK_LUHN
               ? luhn(sn + before, strlen(sn) - before - strlen(pattern->suffix))
               : iso7064(sn);
}

/* Takes the mark off the end of a suffix. */
static void take_check(site_pattern_t *pattern)
{
    size_t len = strlen(pattern->suffix);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        size_t mark = strlen(checks[i].mark);
        if (len >= mark && strcmp(pattern->suffix + len - mark, checks[i].mark) == 0) {
            pattern->suffix[len - mark] = '\0';
            pattern->check = checks[i].check;
            return;
        }
    }
}

/* ---- patterns ---- */

bool site_pattern_parse(const char *text, site_pattern_t *pattern, err_t *err)
{
    size_t before = strcspn(text, "%");
    char sample[SITE_SN_SIZE];
    memset(pattern, 0, sizeof *pattern);
    if (text[before] != '%' || before >= sizeof pattern->prefix) {
        return bad_pattern(err, text);
    }
    const char *after = parse_number_field(text + before, &pattern->width);
    if (after == NULL || strlen(after) >= sizeof pattern->suffix) {
        return bad_pattern(err, text);
    }
    memcpy(pattern->prefix, text, before);
    strcpy(pattern->suffix, after);
    take_check(pattern);
    /* A sample stands for all: whether a text is plain or numeric does not hang on which digits. */
    int n = snprintf(sample, sizeof sample, "%s1%s%s", pattern->prefix, pattern->suffix,
                     pattern->check == SITE_CHECK_NONE ? "" : "8");
    for (int i = 0; i < n && i < (int)sizeof sample - 1; i++) {
        if (!is_plain(sample[i])) {
            return bad_pattern(err, text);
        }
    }
    size_t digits = pattern->width == 0 ? WIDTH_MAX : pattern->width;
    digits += pattern->check != SITE_CHECK_NONE;
    if (before + strlen(pattern->suffix) + digits >= SITE_SN_SIZE) {
        return err_set(err, ERR_USAGE, "serial numbers of \"%.40s\" would be longer than %d", text,
                       SITE_SN_SIZE - 1);
    }
    if (site_looks_numeric(sample)) {
        return err_set(
            err, ERR_USAGE,
            "\"%.40s\" makes plain numbers, and ThingsBoard turns numeric text into numbers "
            "(000123 becomes 123); put letters in front, as in SN-%%06d",
            text);
    }
    if (!is_digit(sample[0]) && !is_letter(sample[0])) {
        return err_set(err, ERR_USAGE, "a serial number must begin with a letter or a digit");
    }
    return true;
}

uint64_t site_pattern_last(const site_pattern_t *pattern)
{
    uint64_t last = 1;
    for (unsigned i = 0; i < (pattern->width == 0 ? WIDTH_MAX : pattern->width); i++) {
        last *= 10;
    }
    return last - 1;
}

bool site_pattern_format(const site_pattern_t *pattern, uint64_t number, char sn[SITE_SN_SIZE],
                         err_t *err)
{
    sn[0] = '\0';
    if (number > site_pattern_last(pattern)) {
        return err_set(err, ERR_PRECONDITION,
                       "the serial number pattern ends at %" PRIu64 "; widen it in cradle.json",
                       site_pattern_last(pattern));
    }
    int n = snprintf(sn, SITE_SN_SIZE, "%s%0*" PRIu64 "%s", pattern->prefix,
                     pattern->width == 0 ? 1 : (int)pattern->width, number, pattern->suffix);
    if (n <= 0 || n >= SITE_SN_SIZE - 1) {
        return n > 0 && n < SITE_SN_SIZE && pattern->check == SITE_CHECK_NONE;
    }
    if (pattern->check != SITE_CHECK_NONE) {
        char check = check_of(pattern, sn);
        sn[n] = check;
        sn[n + 1] = '\0';
    }
    return true;
}

/* The number in an SN of the right form, whatever its check character is. */
static bool read_number(const site_pattern_t *pattern, const char *sn, uint64_t *number)
{
    size_t before = strlen(pattern->prefix);
    size_t after = strlen(pattern->suffix) + (pattern->check != SITE_CHECK_NONE);
    size_t len = strlen(sn);
    uint64_t value = 0;
    if (len <= before + after || len - before - after > WIDTH_MAX) {
        return false;
    }
    for (size_t i = before; i < len - after; i++) {
        if (!is_digit(sn[i])) {
            return false;
        }
        value = value * 10 + (uint64_t)(sn[i] - '0');
    }
    *number = value;
    return true;
}

bool site_pattern_number(const site_pattern_t *pattern, const char *sn, uint64_t *number)
{
    char again[SITE_SN_SIZE];
    return read_number(pattern, sn, number) && site_pattern_format(pattern, *number, again, NULL) &&
           strcmp(again, sn) == 0;
}

bool site_pattern_mistyped(const site_pattern_t *pattern, const char *sn)
{
    char again[SITE_SN_SIZE];
    uint64_t number;
    return pattern->check != SITE_CHECK_NONE && read_number(pattern, sn, &number) &&
           site_pattern_format(pattern, number, again, NULL) && strlen(again) == strlen(sn) &&
           strncmp(again, sn, strlen(sn) - 1) == 0 && strcmp(again, sn) != 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Floating point, in a file of its own: a program that uses none of it does not link strtod and
 * printf's floating point. Both follow the locale; the project never calls setlocale, so this is
 * always "C".
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/json.h"

/* The exact value half-way between two doubles has at most 767 significant digits, so one more
   digit that says "there was something behind" decides the rounding as the whole text would. */
#define DIGITS_MAX 768

/* An exponent beyond this means zero or infinity, whatever text of at most 2^31 digits it ends. */
#define EXPONENT_MAX 4000000000LL

typedef struct {
    char digits[DIGITS_MAX + 1]; /* without leading zeros, the point left out */
    size_t count;
    long long scale; /* the value is digits * 10^scale */
} decimal_t;

static void take_digit(decimal_t *d, char c, bool fraction)
{
    if (d->count == 0 && c == '0') {
        d->scale -= fraction;
    } else if (d->count < DIGITS_MAX) {
        d->digits[d->count++] = c;
        d->scale -= fraction;
    } else {
        if (c != '0') {
            d->digits[DIGITS_MAX - 1] |= 1; /* sticky: '0' is even, so this never carries */
        }
        d->scale += !fraction;
    }
}

static long long read_exponent(const char *at, const char *end)
{
    bool negative = at < end && *at == '-';
    long long value = 0;
    for (at += at < end && (*at == '-' || *at == '+'); at < end; at++) {
        if (value < EXPONENT_MAX) {
            value = value * 10 + (*at - '0');
        }
    }
    return negative ? -value : value;
}

bool json_double(const json_token_t *token, double *value)
{
    if (token->type != JSON_NUMBER) {
        return false;
    }
    const char *at = token->text;
    const char *end = at + token->len;
    bool negative = at < end && *at == '-';
    bool fraction = false;
    decimal_t d = {.count = 0, .scale = 0};

    for (at += negative; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            fraction = true;
        } else {
            take_digit(&d, *at, fraction);
        }
    }
    if (at < end) {
        d.scale += read_exponent(at + 1, end);
    }
    if (d.count == 0) {
        d.digits[d.count++] = '0';
        d.scale = 0;
    }
    d.digits[d.count] = '\0';

    char text[DIGITS_MAX + 32];
    snprintf(text, sizeof(text), "%s%se%lld", negative ? "-" : "", d.digits, d.scale);
    double result = strtod(text, NULL);
    if (!isfinite(result)) {
        return false;
    }
    *value = result;
    return true;
}

void json_put_double(json_writer_t *writer, double value)
{
    char text[32];
    if (!isfinite(value)) {
        json_put_null(writer);
        return;
    }
    /* %g drops trailing zeros, and a decimal of at most 15 digits survives the way through a
       double: so this is the shortest text wherever one of at most 15 digits exists. */
    int n = snprintf(text, sizeof(text), "%.15g", value);
    json_put_raw(writer, text, (size_t)n);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Typed values: from numbers and strings, and to texts. strtod and snprintf follow the locale; the
   project never calls setlocale, so it is always "C". */
#include "tbdevice/tb_value.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- scopes ---- */

const char *tb_scope_name(tb_scope_t scope)
{
    switch (scope) {
    case TB_CLIENT_SCOPE:
        return "CLIENT_SCOPE";
    case TB_SHARED_SCOPE:
        return "SHARED_SCOPE";
    case TB_SERVER_SCOPE:
        return "SERVER_SCOPE";
    default:
        return NULL;
    }
}

bool tb_scope_parse(const char *name, size_t len, tb_scope_t *scope)
{
    for (int s = TB_CLIENT_SCOPE; s <= TB_SERVER_SCOPE; s++) {
        const char *known = tb_scope_name((tb_scope_t)s);
        if (strlen(known) == len && memcmp(known, name, len) == 0) {
            *scope = (tb_scope_t)s;
            return true;
        }
    }
    return false;
}

/* ---- numbers as BigDecimal sees them ---- */

#define EXPONENT_MAX 100000 /* beyond it only the sign of the exponent matters */

/* A decimal number: all its digits as they stand in the text, and how many belong behind the
   point once the exponent is taken into account (negative: zeros to append). */
typedef struct {
    bool negative;
    bool has_point;
    bool has_exponent;
    long scale;
    size_t digits;
} decimal_t;

/* Copies the digits into `digits` (text_len bytes suffice). The text is [-]digits[.digits][e..],
   with at least one digit; JSON's grammar or the cast's has been checked by the caller. */
static decimal_t decimal_read(const char *text, size_t len, char *digits)
{
    decimal_t d = {.negative = len > 0 && text[0] == '-'};
    size_t i = d.negative;
    for (; i < len && text[i] != 'e' && text[i] != 'E'; i++) {
        if (text[i] == '.') {
            d.has_point = true;
        } else {
            digits[d.digits++] = text[i];
            d.scale += d.has_point;
        }
    }
    if (i < len) {
        bool down = text[i + 1] == '-';
        long exponent = 0;
        d.has_exponent = true;
        for (i++; i < len; i++) {
            if (text[i] >= '0' && text[i] <= '9' && exponent < EXPONENT_MAX) {
                exponent = exponent * 10 + (text[i] - '0');
            }
        }
        d.scale -= down ? -exponent : exponent;
    }
    return d;
}

/* Writes the number plainly, in place: `buf` holds the digits and has the room the header asks
   for. False when more than TB_PLAIN_EXTRA zeros would be needed. */
static bool decimal_plain(const decimal_t *d, char *buf, size_t *len)
{
    size_t skip = 0;
    size_t digits = d->digits;
    while (skip + 1 < digits && buf[skip] == '0') {
        skip++;
    }
    digits -= skip;
    memmove(buf + 1, buf + skip, digits); /* one place for the sign */
    char *at = buf + 1;
    if (d->scale < 0) {
        bool zero = digits == 1 && at[0] == '0';
        size_t more = zero ? 0 : (size_t)-d->scale;
        if (more > TB_PLAIN_EXTRA - 4) {
            return false;
        }
        memset(at + digits, '0', more);
        digits += more;
    } else if (d->scale > 0) {
        size_t scale = (size_t)d->scale;
        if (scale >= digits) {
            size_t lead = scale - digits + 1;
            if (lead > TB_PLAIN_EXTRA - 4) {
                return false;
            }
            memmove(at + lead, at, digits);
            memset(at, '0', lead);
            digits += lead;
        }
        memmove(at + digits - scale + 1, at + digits - scale, scale);
        at[digits - scale] = '.';
        digits++;
    }
    bool nonzero = false;
    for (size_t i = 0; i < digits; i++) {
        nonzero = nonzero || (at[i] >= '1' && at[i] <= '9');
    }
    if (d->negative && nonzero) {
        buf[0] = '-';
        digits++;
    } else {
        memmove(buf, at, digits);
    }
    buf[digits] = '\0';
    *len = digits;
    return true;
}

bool tb_value_from_number(const char *text, size_t text_len, char *scratch, tb_value_t *value)
{
    decimal_t d = decimal_read(text, text_len, scratch);
    size_t len;
    if (!decimal_plain(&d, scratch, &len)) {
        *value = (tb_value_t){.type = TB_STRING, .text = text, .len = text_len};
        return true;
    }
    if (!d.has_point && !d.has_exponent) {
        errno = 0;
        long long whole = strtoll(scratch, NULL, 10);
        if (errno == 0) {
            *value = (tb_value_t){.type = TB_LONG, .u.i = whole};
            return true;
        }
    } else if (d.scale <= 16) {
        double number = strtod(scratch, NULL);
        if (isfinite(number)) {
            /* BigDecimal knows no negative zero. */
            *value = (tb_value_t){.type = TB_DOUBLE, .u.d = number == 0.0 ? 0.0 : number};
            return true;
        }
    }
    *value = (tb_value_t){.type = TB_STRING, .text = scratch, .len = len};
    return true;
}

/* Commons Lang's NumberUtils.isParsable. */
static bool is_parsable(const char *text, size_t len)
{
    size_t points = 0;
    size_t digits = 0;
    for (size_t i = len > 0 && text[0] == '-'; i < len; i++) {
        if (text[i] == '.') {
            points++;
        } else if (text[i] >= '0' && text[i] <= '9') {
            digits++;
        } else {
            return false;
        }
    }
    return digits > 0 && points <= 1 && text[len - 1] != '.';
}

bool tb_value_cast(const char *text, size_t text_len, char *scratch, tb_value_t *value)
{
    return is_parsable(text, text_len) && tb_value_from_number(text, text_len, scratch, value);
}

/* ---- texts ---- */

/* The shortest digits that read back as `value`, as "d.ddde[+-]xx" in `out`, but for zeros at the
   end of the digits. */
static void shortest(double value, char out[TB_NUMBER_TEXT_MAX])
{
    /* A decimal of at most 15 digits survives the way through a normal double, so where a short one
       reads back, it is the one with 15 digits, with zeros behind. Below, Java begins with two. */
    for (int precision = fabs(value) < DBL_MIN ? 1 : 14; precision <= 16; precision++) {
        snprintf(out, TB_NUMBER_TEXT_MAX, "%.*e", precision, value);
        if (strtod(out, NULL) == value) {
            return;
        }
    }
}

/* `digits` without point, the first of which has the weight 10^exponent, between 1e-3 and 1e7. */
static void write_plain(char *out, const char *digits, size_t count, int exponent)
{
    size_t o = 0;
    if (exponent < 0) {
        out[o++] = '0';
        out[o++] = '.';
        for (int i = -1; i > exponent; i--) {
            out[o++] = '0';
        }
        memcpy(out + o, digits, count);
        o += count;
    } else {
        size_t whole = (size_t)exponent + 1;
        for (size_t i = 0; i < whole; i++) {
            out[o++] = i < count ? digits[i] : '0';
        }
        out[o++] = '.';
        for (size_t i = whole; i < count; i++) {
            out[o++] = digits[i];
        }
        if (count <= whole) {
            out[o++] = '0';
        }
    }
    out[o] = '\0';
}

void tb_double_to_text(double value, char out[TB_NUMBER_TEXT_MAX])
{
    char sci[TB_NUMBER_TEXT_MAX];
    char digits[20];
    size_t count = 0;
    char *to = out;
    if (value == 0.0) {
        strcpy(out, signbit(value) ? "-0.0" : "0.0");
        return;
    }
    shortest(value, sci);
    const char *at = sci;
    if (*at == '-') {
        *to++ = *at++;
    }
    for (; *at != 'e' && *at != '\0'; at++) {
        if (*at != '.' && count < sizeof digits) {
            digits[count++] = *at;
        }
    }
    while (count > 1 && digits[count - 1] == '0') {
        count--;
    }
    int exponent = *at == 'e' ? atoi(at + 1) : 0;
    if (exponent >= -3 && exponent < 7) {
        write_plain(to, digits, count, exponent);
        return;
    }
    *to++ = digits[0];
    *to++ = '.';
    if (count == 1) {
        *to++ = '0';
    } else {
        memcpy(to, digits + 1, count - 1);
        to += count - 1;
    }
    snprintf(to, (size_t)(out + TB_NUMBER_TEXT_MAX - to), "E%d", exponent);
}

void tb_value_to_text(const tb_value_t *value, char scratch[TB_NUMBER_TEXT_MAX], const char **text,
                      size_t *len)
{
    *text = scratch;
    switch (value->type) {
    case TB_BOOL:
        strcpy(scratch, value->u.b ? "true" : "false");
        break;
    case TB_LONG:
        snprintf(scratch, TB_NUMBER_TEXT_MAX, "%lld", (long long)value->u.i);
        break;
    case TB_DOUBLE:
        tb_double_to_text(value->u.d, scratch);
        break;
    case TB_STRING:
    case TB_JSON:
    default:
        *text = value->text;
        *len = value->len;
        return;
    }
    *len = strlen(scratch);
}

void tb_value_put_json(json_writer_t *writer, const tb_value_t *value)
{
    char scratch[TB_NUMBER_TEXT_MAX];
    const char *text;
    size_t len;
    tb_value_to_text(value, scratch, &text, &len);
    if (value->type == TB_STRING) {
        json_put_string_n(writer, text, len);
    } else {
        json_put_raw(writer, text, len);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <string.h>

static const char STANDARD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char URL_SAFE[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool bytes_to_hex(const void *data, size_t len, char *out, size_t cap)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *in = data;
    if (len > SIZE_MAX / 2 - 1 || cap < 2 * len + 1) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[2 * len] = '\0';
    return true;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

bool bytes_from_hex(const char *text, size_t text_len, void *out, size_t len)
{
    uint8_t *to = out;
    if (text_len != 2 * len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        int high = hex_value(text[2 * i]);
        int low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        to[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Both alphabets share one encoder: they differ in two letters and in the padding. */
static bool encode(const char *alphabet, bool pad, const uint8_t *in, size_t len, char *out,
                   size_t cap)
{
    if (len > SIZE_MAX / 4 * 3 - 3) {
        return false;
    }
    size_t full = len / 3 * 4;
    size_t rest = len % 3;
    size_t need = full + (rest == 0 ? 0 : pad ? 4 : rest + 1) + 1;
    if (cap < need) {
        return false;
    }
    size_t o = 0;
    for (size_t i = 0; i < len; i += 3) {
        uint32_t v = (uint32_t)in[i] << 16;
        v |= i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0;
        v |= i + 2 < len ? in[i + 2] : 0;
        size_t letters = len - i >= 3 ? 4 : len - i + 1;
        for (size_t k = 0; k < letters; k++) {
            out[o++] = alphabet[v >> (18 - 6 * k) & 63];
        }
        for (size_t k = letters; pad && k < 4; k++) {
            out[o++] = '=';
        }
    }
    out[o] = '\0';
    return true;
}

static int letter_value(const char *alphabet, char c)
{
    for (int i = 0; i < 64; i++) {
        if (alphabet[i] == c) {
            return i;
        }
    }
    return -1;
}

static bool decode(const char *alphabet, const char *text, size_t text_len, uint8_t *out,
                   size_t cap, size_t *len)
{
    uint32_t bits = 0;
    int count = 0;
    size_t o = 0;
    if (text_len % 4 == 1) {
        return false;
    }
    for (size_t i = 0; i < text_len; i++) {
        int v = letter_value(alphabet, text[i]);
        if (v < 0) {
            return false;
        }
        bits = bits << 6 | (uint32_t)v;
        count += 6;
        if (count >= 8) {
            count -= 8;
            if (o == cap) {
                return false;
            }
            out[o++] = (uint8_t)(bits >> count);
            bits &= (1u << count) - 1;
        }
    }
    *len = o;
    return bits == 0;
}

bool bytes_to_base64(const void *data, size_t len, char *out, size_t cap)
{
    return encode(STANDARD, true, data, len, out, cap);
}

bool bytes_from_base64(const char *text, size_t text_len, void *out, size_t cap, size_t *len)
{
    if (text_len % 4 != 0) {
        return false;
    }
    for (int i = 0; i < 2 && text_len > 0 && text[text_len - 1] == '='; i++) {
        text_len--;
    }
    return decode(STANDARD, text, text_len, out, cap, len);
}

bool bytes_to_base64url(const void *data, size_t len, char *out, size_t cap)
{
    return encode(URL_SAFE, false, data, len, out, cap);
}

bool bytes_from_base64url(const char *text, size_t text_len, void *out, size_t cap, size_t *len)
{
    return decode(URL_SAFE, text, text_len, out, cap, len);
}

bool bytes_equal_secret(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *x = a;
    const volatile uint8_t *y = b;
    uint8_t diff = 0;
    for (size_t i = 0; i < len; i++) {
        diff |= (uint8_t)(x[i] ^ y[i]);
    }
    return diff == 0;
}

void bytes_wipe(void *data, size_t len)
{
    if (len > 0) {
        memset(data, 0, len);
        /* Somebody might still look at it, as far as the compiler can tell. */
        __asm__ __volatile__("" : : "r"(data) : "memory");
    }
}

uint32_t bytes_crc32(uint32_t crc, const void *data, size_t len)
{
    /* Half a byte at a time: three times as fast as by bits, and small enough for a chip. */
    static const uint32_t steps[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    const uint8_t *p = data;
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ steps[crc & 15];
        crc = crc >> 4 ^ steps[crc & 15];
    }
    return ~crc;
}

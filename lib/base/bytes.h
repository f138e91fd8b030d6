/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bytes: hex and base64 text, little-endian integers. No heap, no errno; portable.
 *
 * Every writer takes the capacity of its output, counts the NUL terminator in it, and returns
 * false without writing past the end. Decoders are strict: no white space, no missing padding
 * for base64, no padding for base64url (RFC 4648 sections 4 and 5; RFC 7515 appendix C), and
 * unused trailing bits must be zero.
 */
#ifndef CRADLE_BASE_BYTES_H
#define CRADLE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lower-case hex; `out` needs 2 * len + 1 bytes. */
bool bytes_to_hex(const void *data, size_t len, char *out, size_t cap);

/* Exactly `len` bytes from 2 * len hex digits of either case, and nothing after them. */
bool bytes_from_hex(const char *text, size_t text_len, void *out, size_t len);

/* Base64 with padding; `out` needs 4 * ((len + 2) / 3) + 1 bytes. */
bool bytes_to_base64(const void *data, size_t len, char *out, size_t cap);
bool bytes_from_base64(const char *text, size_t text_len, void *out, size_t cap, size_t *len);

/* Base64url without padding; `out` needs (4 * len + 2) / 3 + 1 bytes. */
bool bytes_to_base64url(const void *data, size_t len, char *out, size_t cap);
bool bytes_from_base64url(const char *text, size_t text_len, void *out, size_t cap, size_t *len);

/* Compares in time that does not depend on where the two differ. */
bool bytes_equal_secret(const void *a, const void *b, size_t len);

/* Overwrites memory in a way that the compiler may not drop. */
void bytes_wipe(void *data, size_t len);

static inline uint16_t bytes_get_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t bytes_get_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void bytes_put_le16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void bytes_put_le32(uint8_t *p, uint32_t v)
{
    bytes_put_le16(p, (uint16_t)v);
    bytes_put_le16(p + 2, (uint16_t)(v >> 16));
}

/* CRC-32 as zlib computes it; pass 0 to begin, or the result so far to go on. ESP-IDF's
   "start FFFFFFFF" (otadata, NVS) is bytes_crc32(0xffffffff, ...). */
uint32_t bytes_crc32(uint32_t crc, const void *data, size_t len);

#endif

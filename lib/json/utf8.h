/* SPDX-License-Identifier: Apache-2.0 */
/* utf8: one check that JSON and MQTT share (RFC 3629: no overlong form, no surrogate, at most
   U+10FFFF). No heap, portable. */
#ifndef CRADLE_JSON_UTF8_H
#define CRADLE_JSON_UTF8_H

#include <stddef.h>

/* Bytes of the character that `text` begins with (1 to 4), or 0 when those bytes are no UTF-8.
   `len` is what may be looked at. A NUL byte is a character like any other. */
size_t utf8_length(const char *text, size_t len);

#endif

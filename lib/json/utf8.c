/* SPDX-License-Identifier: Apache-2.0 */
#include "json/utf8.h"

size_t utf8_length(const char *text, size_t len)
{
    const unsigned char *b = (const unsigned char *)text;
    size_t need;
    unsigned char low = 0x80, high = 0xbf; /* what the second byte may be */

    if (len == 0) {
        return 0;
    }
    if (b[0] < 0x80) {
        return 1;
    } else if (b[0] >= 0xc2 && b[0] <= 0xdf) {
        need = 2;
    } else if (b[0] >= 0xe0 && b[0] <= 0xef) {
        need = 3;
        low = b[0] == 0xe0 ? 0xa0 : 0x80;
        high = b[0] == 0xed ? 0x9f : 0xbf;
    } else if (b[0] >= 0xf0 && b[0] <= 0xf4) {
        need = 4;
        low = b[0] == 0xf0 ? 0x90 : 0x80;
        high = b[0] == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    if (len < need || b[1] < low || b[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < need; i++) {
        if (b[i] < 0x80 || b[i] > 0xbf) {
            return 0;
        }
    }
    return need;
}

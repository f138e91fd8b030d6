/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <openssl/rand.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "cloud/store.h"

const store_id_t STORE_ID_NULL = {{0x13, 0x81, 0x40, 0x00, 0x1d, 0xd2, 0x11, 0xb2, 0x80, 0x80, 0x80,
                                   0x80, 0x80, 0x80, 0x80, 0x80}};

/* RFC 9562 version 1: 100 ns since 1582, a random clock sequence and node. */
void store_id_new(store_id_t *id)
{
    static uint64_t last;
    uint64_t ticks = ((uint64_t)clock_wall_ms() + UINT64_C(12219292800000)) * 10000;
    ticks = ticks <= last ? last + 1 : ticks; /* unique, and in the order of making */
    last = ticks;
    uint8_t *b = id->bytes;
    b[0] = (uint8_t)(ticks >> 24);
    b[1] = (uint8_t)(ticks >> 16);
    b[2] = (uint8_t)(ticks >> 8);
    b[3] = (uint8_t)ticks;
    b[4] = (uint8_t)(ticks >> 40);
    b[5] = (uint8_t)(ticks >> 32);
    b[6] = (uint8_t)(0x10 | (ticks >> 56 & 0x0f));
    b[7] = (uint8_t)(ticks >> 48);
    if (RAND_bytes(b + 8, 8) != 1) {
        memset(b + 8, 0x5a, 8); /* ids need to be unique, not secret: the time makes them so */
    }
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));
    b[10] |= 1; /* a node that is no MAC address */
}

void store_id_format(const store_id_t *id, char out[STORE_ID_SIZE])
{
    char hex[33];
    bytes_to_hex(id->bytes, 16, hex, sizeof hex);
    static const uint8_t from[] = {0, 8, 12, 16, 20, 32};
    size_t o = 0;
    for (size_t part = 0; part < 5; part++) {
        for (size_t i = from[part]; i < from[part + 1]; i++) {
            out[o++] = hex[i];
        }
        out[o++] = part == 4 ? '\0' : '-';
    }
}

bool store_id_parse(const char *text, size_t len, store_id_t *id)
{
    char hex[32];
    size_t o = 0;
    if (len != STORE_ID_SIZE - 1) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash != (text[i] == '-')) {
            return false;
        }
        if (!dash) {
            hex[o++] = text[i];
        }
    }
    return bytes_from_hex(hex, o, id->bytes, 16);
}

bool store_id_equal(const store_id_t *a, const store_id_t *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* All zeros is what a struct holds that nobody filled in: it names nothing either. */
bool store_id_is_null(const store_id_t *id)
{
    static const store_id_t zero;
    return store_id_equal(id, &STORE_ID_NULL) || store_id_equal(id, &zero);
}

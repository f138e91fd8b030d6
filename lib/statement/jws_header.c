/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "statement/jws_header.h"
#include "statement/member.h"

typedef struct {
    jws_text_t alg;
    jws_text_t typ;
    jws_text_t kid;
    uint8_t x5t[JWS_HASH_SIZE];
} header_t;

enum { ALG = 1 << 0, TYP = 1 << 1, KID = 1 << 2, X5T = 1 << 3 };

static const member_t ROWS[] = {
    {"alg", MEMBER_TEXT, ALPHABET_PRINTABLE, 0, offsetof(header_t, alg), 1, 16},
    {"typ", MEMBER_TEXT, ALPHABET_PRINTABLE, 0, offsetof(header_t, typ), 1, 64},
    {"kid", MEMBER_TEXT, ALPHABET_HEX, 0, offsetof(header_t, kid), JWS_KID_LEN, JWS_KID_LEN},
    {"x5t#S256", MEMBER_BYTES, 0, 0, offsetof(header_t, x5t), 0, JWS_HASH_SIZE},
};
static const member_table_t TABLE = {ROWS, sizeof(ROWS) / sizeof(ROWS[0]), true};

static const struct {
    const char *type;
    uint16_t max;
    uint8_t members;
} KINDS[] = {
    [JWS_STATEMENT] = {"cradle-statement+jwt", JWS_STATEMENT_MAX, ALG | TYP | X5T},
    [JWS_ANSWER] = {"cradle-answer+jwt", JWS_ANSWER_MAX_RSA, ALG | TYP | KID},
    [JWS_TICKET] = {NULL, JWS_TICKET_MAX, ALG},
    [JWS_BUNDLE] = {"cradle-bundle+jwt", JWS_BUNDLE_MAX, ALG | TYP | KID},
    [JWS_RECEIPT] = {"cradle-receipt+jwt", JWS_RECEIPT_MAX, ALG | TYP | KID},
};

size_t jws_kind_max(jws_kind_t kind)
{
    return KINDS[kind].max;
}

const char *jws_kind_type(jws_kind_t kind)
{
    return KINDS[kind].type;
}

bool jws_alg_allowed(jws_kind_t kind, jws_alg_t alg)
{
    switch (kind) {
    case JWS_STATEMENT:
        return alg == JWS_ES256 || alg == JWS_RS256;
    case JWS_TICKET:
        return alg == JWS_HS256;
    default:
        return alg == JWS_ES256;
    }
}

size_t jws_signature_letters(jws_alg_t alg)
{
    return alg == JWS_ES256 ? 86 : alg == JWS_HS256 ? 43 : 342;
}

bool jws_signature_fits(jws_alg_t alg, size_t letters)
{
    return letters == jws_signature_letters(alg) ||
           (alg == JWS_RS256 && (letters == 512 || letters == 683)); /* 3072 and 4096 bits */
}

static jws_alg_t alg_parse(jws_text_t word)
{
    for (int alg = JWS_ES256; alg <= JWS_HS256; alg++) {
        if (jws_text_equal(word, jws_text(jws_alg_name((jws_alg_t)alg)))) {
            return (jws_alg_t)alg;
        }
    }
    return JWS_NONE;
}

jws_result_t jws_header_read(jws_t *jws, const char *text, size_t len)
{
    header_t header;
    uint32_t seen;
    uint32_t members = KINDS[jws->kind].members;
    const char *type = KINDS[jws->kind].type;
    memset(&header, 0, sizeof(header));
    jws_result_t result = member_read(&TABLE, text, len, NULL, &header, &seen, &jws->fault);
    if (result != JWS_OK) {
        return result == JWS_NOT_JSON || result == JWS_TWICE ? result : JWS_HEADER;
    }
    /* Another kind's header is told by its type, before what it has too many or too few. */
    if ((seen & TYP) != 0 && (type == NULL || !jws_text_equal(header.typ, jws_text(type)))) {
        jws->fault = "typ";
        return JWS_TYPE;
    }
    if (member_expect(&TABLE, seen, members, 0, &jws->fault) != JWS_OK) {
        return JWS_HEADER;
    }
    jws->alg = alg_parse(header.alg);
    if (!jws_alg_allowed(jws->kind, jws->alg)) {
        jws->fault = "alg";
        return JWS_ALGORITHM;
    }
    memcpy(jws->x5t, header.x5t, sizeof(jws->x5t));
    if (header.kid.len > 0) {
        memcpy(jws->kid, header.kid.text, JWS_KID_LEN);
    }
    return JWS_OK;
}

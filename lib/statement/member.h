/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member: reads one JSON object into a struct by a table; private to lib/statement.
 *
 * A row says what a member is called, what it may be and where it goes. A name may come once, its
 * value has exactly one type, strings have an alphabet and carry no escapes. Names that are not in
 * the table are read past, or (exact) refused.
 */
#ifndef CRADLE_STATEMENT_MEMBER_H
#define CRADLE_STATEMENT_MEMBER_H

#include "statement/jws.h"

typedef enum {
    MEMBER_TEXT = 0, /* jws_text_t: min to max characters of `alphabet`                         */
    MEMBER_INT,      /* int64_t: min to max                                                     */
    MEMBER_TRUE,     /* bool: only `true` is written                                            */
    MEMBER_BYTES,    /* uint8_t[max]: base64url of exactly max bytes                            */
    MEMBER_BLOB,     /* jws_bytes_t: base64url of min to max bytes, decoded where it stands     */
    MEMBER_BLOBS,    /* jws_bytes_t[items]: an array of 1 to items of them; the rest empty      */
    MEMBER_RAW,      /* jws_text_t: any value, as JSON                                          */
} member_kind_t;

typedef enum {
    ALPHABET_PRINTABLE = 0, /* ASCII without '"' and '\'                                        */
    ALPHABET_NAME,          /* A-Z a-z 0-9 . _ - and a letter or digit first: SNs, accounts     */
    ALPHABET_HEX,           /* 0-9 a-f                                                          */
    ALPHABET_JWS,           /* base64url letters and '.'                                        */
} alphabet_t;

typedef struct {
    const char *name;
    uint8_t kind;     /* member_kind_t */
    uint8_t alphabet; /* alphabet_t    */
    uint8_t items;
    uint16_t offset; /* into the struct */
    int32_t min;
    uint32_t max;
} member_t;

typedef struct {
    const member_t *rows; /* at most 32 */
    size_t count;
    bool exact;
} member_table_t;

/* Reads text[0 .. len). `scratch` is the same place if it may be written to, which blobs need, else
   NULL. *seen gets a bit for each row, *fault the name in question. */
jws_result_t member_read(const member_table_t *table, const char *text, size_t len, char *scratch,
                         void *into, uint32_t *seen, const char **fault);

/* Every row of `need` must have been seen, and none outside of `need` and `may`. */
jws_result_t member_expect(const member_table_t *table, uint32_t seen, uint32_t need, uint32_t may,
                           const char **fault);

/* The payload of a JWS: decoded into scratch and read. */
jws_result_t member_read_payload(jws_t *jws, const member_table_t *table, void *scratch, size_t cap,
                                 void *into, uint32_t *seen);

bool member_text_good(jws_text_t text, alphabet_t alphabet, size_t min, size_t max);

#endif

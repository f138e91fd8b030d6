/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: a strict pull reader and a bounded writer (RFC 8259). No heap, no locale, no printf of
 * floating point on the reader's side: numbers and strings stay slices of the input, because
 * ThingsBoard's number rules need the exact text and the device has no heap to spare.
 *
 * Strict: one value with nothing but white space after it, UTF-8 checked, no comments, no NaN, no
 * single quotes, no leading zeros, no trailing commas, no raw control characters in strings, no
 * unpaired surrogates; depth at most JSON_DEPTH_MAX. Not checked: duplicate keys (json_find takes
 * the last, as ThingsBoard's parser does).
 *
 * The input needs no NUL terminator and must stay in place while tokens that point into it are
 * used. Nothing blocks.
 */
#ifndef CRADLE_JSON_JSON_H
#define CRADLE_JSON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 256

typedef enum {
    JSON_ERROR = 0,  /* malformed; json_reader_error says why; the reader stays in error       */
    JSON_DONE,       /* the value is complete and only white space followed                    */
    JSON_OBJECT,     /* '{'                                                                    */
    JSON_OBJECT_END, /* '}'                                                                    */
    JSON_ARRAY,      /* '['                                                                    */
    JSON_ARRAY_END,  /* ']'                                                                    */
    JSON_KEY,        /* a member's name; the next token is its value                           */
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
} json_type_t;

/* One token. `text` points into the input: for keys and strings the bytes between the quotes with
   escapes still in place (`escaped` tells whether there are any), for the rest the token itself. */
typedef struct {
    json_type_t type;
    bool escaped;
    const char *text;
    size_t len;
} json_token_t;

typedef struct {
    const char *at;  /* next byte to look at */
    const char *end; /* one past the last    */
    const char *start;
    const char *why; /* static text, set on error */
    uint16_t depth;
    uint8_t expect;                       /* private: what the grammar allows next      */
    uint8_t in_array[JSON_DEPTH_MAX / 8]; /* private: one bit a level                   */
} json_reader_t;

void json_reader_init(json_reader_t *reader, const char *text, size_t len);

/* The next token. After JSON_DONE or JSON_ERROR the same is returned again. */
json_type_t json_next(json_reader_t *reader, json_token_t *token);

/* Having just received JSON_OBJECT or JSON_ARRAY (or any scalar: then nothing is to do), read to
   its end. *value, if not NULL, becomes the raw text of the whole value. False when it is
   malformed, and when `first` does not begin a value (a key, an end, JSON_DONE, JSON_ERROR). */
bool json_skip(json_reader_t *reader, const json_token_t *first, json_token_t *value);

/* "expected ':' at byte 17" parts: a static text, and the offset (may be NULL). */
const char *json_reader_error(const json_reader_t *reader, size_t *offset);

/* True when the whole text is one valid value. */
bool json_valid(const char *text, size_t len);

/* Finds a member by path: names and array indexes joined by '.', as in "id.id" or "data.0.name";
   "" is the whole value. Names with a dot, and the empty name, cannot be reached. For objects and
   arrays the token spans the whole raw value. The whole text is validated. False when absent or
   malformed. The last of duplicate keys wins. */
bool json_find(const char *text, size_t len, const char *path, json_token_t *value);

/* Decodes a key or string into UTF-8 with a NUL terminator. False when it does not fit, is not a
   string, or holds a NUL character (which C text cannot carry). *len may be NULL. */
bool json_string(const json_token_t *token, char *out, size_t cap, size_t *len);

/* Compares the decoded text of a key or string with a C string, or with `len` bytes. */
bool json_equals(const json_token_t *token, const char *text);
bool json_equals_n(const json_token_t *token, const char *text, size_t len);

/* Integers only ("12", "-3"; not "1.0", not "1e3"); false outside int64. */
bool json_i64(const json_token_t *token, int64_t *value);

/* Any JSON number of any length, correctly rounded; false when it is not finite. Uses strtod, and
   json_put_double snprintf: both need the "C" locale, which is what a program that never calls
   setlocale has. They share an object file that nothing else here needs. */
bool json_double(const json_token_t *token, double *value);

/*
 * The writer. Commas and colons are put in by itself. Each call returns nothing: an overflow or a
 * misuse (a key outside an object, an end too many) makes the writer bad, and json_writer_done
 * tells once at the end. The text is NUL terminated.
 */
typedef struct {
    char *buf;
    size_t cap;
    size_t len;
    bool bad;
    uint16_t depth;
    bool need_comma;
    bool after_key;
    uint8_t in_array[JSON_DEPTH_MAX / 8];
} json_writer_t;

void json_writer_init(json_writer_t *writer, char *buf, size_t cap);

void json_object(json_writer_t *writer);
void json_array(json_writer_t *writer);
void json_end(json_writer_t *writer); /* closes the innermost object or array */
void json_key(json_writer_t *writer, const char *name);
void json_key_n(json_writer_t *writer, const char *name, size_t len);

/* Strings must be UTF-8; invalid bytes are written as U+FFFD so that the output is always JSON. */
void json_put_string(json_writer_t *writer, const char *text); /* NULL writes null */
void json_put_string_n(json_writer_t *writer, const char *text, size_t len);
void json_put_i64(json_writer_t *writer, int64_t value);
/* Shortest of at most 15 significant digits; not-a-number and infinity are written as null. Note
   that ThingsBoard turns a number with more than 16 decimals into a string: a value far below 1
   has to be rounded by the caller first. */
void json_put_double(json_writer_t *writer, double value);
void json_put_bool(json_writer_t *writer, bool value);
void json_put_null(json_writer_t *writer);
/* A value that is JSON text already: copied unchecked, only empty text is misuse. */
void json_put_raw(json_writer_t *writer, const char *text, size_t len);

/* True when everything fitted and every object and array is closed. *len may be NULL. */
bool json_writer_done(json_writer_t *writer, size_t *len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer: JSON that is encoded as base64url while it is written; private to lib/statement. One
 * buffer, one pass, nothing to escape: every text that is put has been checked against its
 * alphabet. The first failure stays and is told by writer_end.
 */
#ifndef CRADLE_STATEMENT_WRITER_H
#define CRADLE_STATEMENT_WRITER_H

#include "statement/jws.h"
#include "statement/member.h"

typedef struct {
    char *out;
    size_t cap;
    size_t len;
    size_t max;    /* of the signing input, so that the whole keeps its kind's limit */
    uint32_t bits; /* not yet encoded */
    uint8_t held;  /* so many of them */
    bool comma;
    jws_result_t result;
} writer_t;

/* The header, and '.'. `x5t` (32 bytes) for a statement, `kid` for answer, bundle and receipt. */
void writer_begin(writer_t *writer, jws_kind_t kind, jws_alg_t alg, const uint8_t *x5t,
                  const char *kid, char *out, size_t cap);

/* '{', then members, then writer_end. */
void writer_text(writer_t *writer, const char *name, jws_text_t text, alphabet_t alphabet,
                 size_t min, size_t max);
void writer_word(writer_t *writer, const char *name, const char *word);
void writer_int(writer_t *writer, const char *name, int64_t value, int64_t min, int64_t max);
void writer_true(writer_t *writer, const char *name);
void writer_bytes(writer_t *writer, const char *name, const uint8_t *data, size_t len);
/* Checked: min to max bytes. */
void writer_blob(writer_t *writer, const char *name, jws_bytes_t bytes, size_t min, size_t max);
void writer_blobs(writer_t *writer, const char *name, const jws_bytes_t *bytes, size_t count,
                  size_t min, size_t max);

/* For what has no function of its own: raw JSON text, base64url of bytes, a decimal number. */
void writer_name(writer_t *writer, const char *name);
void writer_put(writer_t *writer, const char *text);
void writer_put_number(writer_t *writer, int64_t value);

void writer_unsuitable(writer_t *writer);

/* '}', the NUL, and what came of it. */
jws_result_t writer_end(writer_t *writer, size_t *len);

#endif

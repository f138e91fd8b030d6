/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "statement/jws_header.h"
#include "statement/writer.h"

static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void fail(writer_t *writer, jws_result_t result)
{
    if (writer->result == JWS_OK) {
        writer->result = result;
    }
}

void writer_unsuitable(writer_t *writer)
{
    fail(writer, JWS_UNSUITABLE);
}

/* A letter of the JWS itself; room for the NUL is kept. */
static void put_letter(writer_t *writer, char letter)
{
    if (writer->cap - writer->len <= 1) {
        fail(writer, JWS_NO_ROOM);
    } else if (writer->result == JWS_OK) {
        writer->out[writer->len++] = letter;
    }
}

static void put_byte(writer_t *writer, uint8_t byte)
{
    writer->bits = writer->bits << 8 | byte;
    writer->held = (uint8_t)(writer->held + 8);
    while (writer->held >= 6) {
        writer->held = (uint8_t)(writer->held - 6);
        put_letter(writer, LETTERS[writer->bits >> writer->held & 63]);
    }
}

/* The end of a part: what is left of the last byte. */
static void flush(writer_t *writer)
{
    if (writer->held > 0) {
        put_letter(writer, LETTERS[writer->bits << (6 - writer->held) & 63]);
    }
    writer->bits = 0;
    writer->held = 0;
}

void writer_put(writer_t *writer, const char *text)
{
    while (*text != '\0') {
        put_byte(writer, (uint8_t)*text++);
    }
}

void writer_put_number(writer_t *writer, int64_t value)
{
    char digits[20];
    size_t n = 0;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[n++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        put_byte(writer, '-');
    }
    while (n > 0) {
        put_byte(writer, (uint8_t)digits[--n]);
    }
}

/* '"' base64url '"': base64 within base64, both on the fly. */
static void put_base64url(writer_t *writer, const uint8_t *data, size_t len)
{
    uint32_t bits = 0;
    unsigned held = 0;
    put_byte(writer, '"');
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | data[i];
        held += 8;
        while (held >= 6) {
            held -= 6;
            put_byte(writer, (uint8_t)LETTERS[bits >> held & 63]);
        }
    }
    if (held > 0) {
        put_byte(writer, (uint8_t)LETTERS[bits << (6 - held) & 63]);
    }
    put_byte(writer, '"');
}

void writer_name(writer_t *writer, const char *name)
{
    writer_put(writer, writer->comma ? ",\"" : "{\"");
    writer_put(writer, name);
    writer_put(writer, "\":");
    writer->comma = true;
}

void writer_text(writer_t *writer, const char *name, jws_text_t text, alphabet_t alphabet,
                 size_t min, size_t max)
{
    if (!member_text_good(text, alphabet, min, max)) {
        writer_unsuitable(writer);
        return;
    }
    writer_name(writer, name);
    put_byte(writer, '"');
    for (size_t i = 0; i < text.len; i++) {
        put_byte(writer, (uint8_t)text.text[i]);
    }
    put_byte(writer, '"');
}

void writer_word(writer_t *writer, const char *name, const char *word)
{
    writer_text(writer, name, jws_text(word), ALPHABET_NAME, 1, 64); /* "?" is no word */
}

void writer_int(writer_t *writer, const char *name, int64_t value, int64_t min, int64_t max)
{
    if (value < min || value > max) {
        writer_unsuitable(writer);
    }
    writer_name(writer, name);
    writer_put_number(writer, value);
}

void writer_true(writer_t *writer, const char *name)
{
    writer_name(writer, name);
    writer_put(writer, "true");
}

void writer_bytes(writer_t *writer, const char *name, const uint8_t *data, size_t len)
{
    writer_name(writer, name);
    put_base64url(writer, data, len);
}

void writer_blob(writer_t *writer, const char *name, jws_bytes_t bytes, size_t min, size_t max)
{
    if (bytes.len < min || bytes.len > max) {
        writer_unsuitable(writer);
        return;
    }
    writer_bytes(writer, name, bytes.data, bytes.len);
}

void writer_blobs(writer_t *writer, const char *name, const jws_bytes_t *bytes, size_t count,
                  size_t min, size_t max)
{
    writer_name(writer, name);
    for (size_t i = 0; i < count; i++) {
        if (bytes[i].len < min || bytes[i].len > max) {
            writer_unsuitable(writer);
            return;
        }
        writer_put(writer, i == 0 ? "[" : ",");
        put_base64url(writer, bytes[i].data, bytes[i].len);
    }
    writer_put(writer, "]");
}

void writer_begin(writer_t *writer, jws_kind_t kind, jws_alg_t alg, const uint8_t *x5t,
                  const char *kid, char *out, size_t cap)
{
    memset(writer, 0, sizeof(*writer));
    writer->out = out;
    writer->cap = cap;
    if (!jws_alg_allowed(kind, alg)) {
        writer_unsuitable(writer);
        return;
    }
    /* The smallest signature of the algorithm; RS256 with a longer key is for the reader to say. */
    writer->max = jws_kind_max(kind) - 1 - jws_signature_letters(alg);
    writer_word(writer, "alg", jws_alg_name(alg));
    if (jws_kind_type(kind) != NULL) {
        writer_name(writer, "typ");
        writer_put(writer, "\"");
        writer_put(writer, jws_kind_type(kind));
        writer_put(writer, "\"");
    }
    if (kind == JWS_STATEMENT) {
        writer_bytes(writer, "x5t#S256", x5t, JWS_HASH_SIZE);
    } else if (kind != JWS_TICKET) {
        writer_text(writer, "kid", jws_text(kid), ALPHABET_HEX, JWS_KID_LEN, JWS_KID_LEN);
    }
    writer_put(writer, "}");
    flush(writer);
    put_letter(writer, '.');
    writer->comma = false;
}

jws_result_t writer_end(writer_t *writer, size_t *len)
{
    writer_put(writer, "}");
    flush(writer);
    if (writer->cap > 0) {
        writer->out[writer->len] = '\0';
    }
    if (writer->result == JWS_OK && writer->len > writer->max) {
        writer->result = JWS_TOO_LARGE;
    }
    *len = writer->result == JWS_OK ? writer->len : 0;
    return writer->result;
}

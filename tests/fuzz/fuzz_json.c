/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes: the reader must end, json_find must agree with it, and what it accepts must come out
   of the writer as JSON that says the same. The first line of the input is the path to look for. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json/json.h"

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* Copies one token from the reader into the writer, decoded where it can be. */
static void copy_token(json_writer_t *writer, const json_token_t *token)
{
    char text[512];
    size_t len;
    double number;
    int64_t integer;
    switch (token->type) {
    case JSON_OBJECT:
        json_object(writer);
        break;
    case JSON_ARRAY:
        json_array(writer);
        break;
    case JSON_OBJECT_END:
    case JSON_ARRAY_END:
        json_end(writer);
        break;
    case JSON_KEY:
        if (json_string(token, text, sizeof(text), &len)) {
            require(json_equals_n(token, text, len));
            json_key_n(writer, text, len);
        } else {
            json_key(writer, "long");
        }
        break;
    case JSON_STRING:
        if (json_string(token, text, sizeof(text), &len)) {
            require(json_equals_n(token, text, len));
            json_put_string_n(writer, text, len);
        } else {
            json_put_null(writer);
        }
        break;
    case JSON_NUMBER:
        if (json_i64(token, &integer)) {
            json_put_i64(writer, integer);
        } else if (json_double(token, &number)) {
            json_put_double(writer, number);
        } else {
            json_put_raw(writer, token->text, token->len);
        }
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        json_put_bool(writer, token->type == JSON_TRUE);
        break;
    default:
        json_put_null(writer);
    }
}

static bool rewrite(const char *text, size_t len, char *out, size_t cap, size_t *out_len)
{
    json_reader_t reader;
    json_token_t token;
    json_writer_t writer;
    json_reader_init(&reader, text, len);
    json_writer_init(&writer, out, cap);
    for (;;) {
        json_type_t type = json_next(&reader, &token);
        require(token.text >= text && token.text + token.len <= text + len);
        if (type == JSON_ERROR) {
            size_t offset;
            require(strcmp(json_reader_error(&reader, &offset), "no error") != 0 && offset <= len);
            return false;
        }
        if (type == JSON_DONE) {
            break;
        }
        copy_token(&writer, &token);
    }
    require(json_writer_done(&writer, out_len));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    const uint8_t *line = memchr(data, '\n', size < sizeof(path) ? size : sizeof(path) - 1);
    size_t path_len = line != NULL ? (size_t)(line - data) : 0;
    memcpy(path, data, path_len);
    path[path_len] = '\0';
    const char *text = (const char *)data + (line != NULL ? path_len + 1 : 0);
    size_t len = size - (size_t)(text - (const char *)data);

    size_t cap = 8 * len + 64;
    char *once = malloc(cap), *twice = malloc(8 * cap);
    size_t once_len, twice_len;
    json_token_t value;
    require(once != NULL && twice != NULL);
    bool good = rewrite(text, len, once, cap, &once_len);
    require(good == json_valid(text, len));
    if (json_find(text, len, path, &value)) {
        require(good && value.text >= text && value.text + value.len <= text + len);
    }
    if (good) { /* a second pass changes nothing any more */
        require(rewrite(once, once_len, twice, 8 * cap, &twice_len));
        require(once_len == twice_len && memcmp(once, twice, once_len) == 0);
    }
    free(once);
    free(twice);
    return 0;
}

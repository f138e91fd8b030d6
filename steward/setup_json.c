/* SPDX-License-Identifier: Apache-2.0 */
/* Is what the server has what we want? It adds members of its own, and orders them as it likes. */
#include "steward/setup_internal.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH 24

/* The decoded texts are the same. */
static bool same_string(const json_token_t *a, const json_token_t *b)
{
    if (!a->escaped && !b->escaped) {
        return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
    }
    char *text = malloc(b->len + 1);
    size_t len;
    bool same =
        text != NULL && json_string(b, text, b->len + 1, &len) && json_equals_n(a, text, len);
    free(text);
    return same;
}

/* The value of the member `key` (a key token of another object). */
static bool member(const json_token_t *object, const json_token_t *key, json_token_t *value)
{
    json_reader_t reader;
    json_token_t name;
    json_token_t token;
    bool found = false;
    json_reader_init(&reader, object->text, object->len);
    json_next(&reader, &token);
    while (json_next(&reader, &name) == JSON_KEY) {
        json_token_t one;
        json_next(&reader, &token);
        if (!json_skip(&reader, &token, &one)) {
            return false;
        }
        if (same_string(&name, key)) {
            *value = one;
            found = true;
        }
    }
    return found;
}

static bool contains(const json_token_t *have, const json_token_t *want, int depth);

static bool object_contains(const json_token_t *have, const json_token_t *want, int depth)
{
    json_reader_t reader;
    json_token_t key;
    json_token_t token;
    json_token_t wanted;
    json_token_t value;
    json_reader_init(&reader, want->text, want->len);
    json_next(&reader, &token);
    while (json_next(&reader, &key) == JSON_KEY) {
        json_next(&reader, &token);
        if (!json_skip(&reader, &token, &wanted)) {
            return false;
        }
        if (!member(have, &key, &value)) {
            if (wanted.type != JSON_NULL) {
                return false;
            }
        } else if (!contains(&value, &wanted, depth + 1)) {
            return false;
        }
    }
    return key.type == JSON_OBJECT_END;
}

static bool array_contains(const json_token_t *have, const json_token_t *want, int depth)
{
    json_reader_t a;
    json_reader_t b;
    json_token_t token;
    json_token_t x;
    json_token_t y;
    json_reader_init(&a, have->text, have->len);
    json_reader_init(&b, want->text, want->len);
    json_next(&a, &token);
    json_next(&b, &token);
    for (;;) {
        json_token_t first_a;
        json_token_t first_b;
        bool end_a = json_next(&a, &first_a) == JSON_ARRAY_END;
        bool end_b = json_next(&b, &first_b) == JSON_ARRAY_END;
        if (end_a || end_b) {
            return end_a && end_b;
        }
        if (!json_skip(&a, &first_a, &x) || !json_skip(&b, &first_b, &y) ||
            !contains(&x, &y, depth + 1)) {
            return false;
        }
    }
}

static bool contains(const json_token_t *have, const json_token_t *want, int depth)
{
    if (have->type != want->type || depth > DEPTH) {
        return false;
    }
    switch (want->type) {
    case JSON_OBJECT:
        return object_contains(have, want, depth);
    case JSON_ARRAY:
        return array_contains(have, want, depth);
    case JSON_STRING:
        return same_string(have, want);
    case JSON_NUMBER:
        return have->len == want->len && memcmp(have->text, want->text, have->len) == 0;
    default:
        return true;
    }
}

bool setup_contains(const json_token_t *have, const json_token_t *want)
{
    return contains(have, want, 0);
}

bool setup_text_contains(const char *have, const char *want)
{
    json_token_t a;
    json_token_t b;
    return json_find(have, strlen(have), "", &a) && json_find(want, strlen(want), "", &b) &&
           setup_contains(&a, &b);
}

char *setup_quote(const char *text)
{
    size_t cap = 6 * strlen(text) + 3;
    char *out = malloc(cap);
    json_writer_t w;
    if (out == NULL) {
        return NULL;
    }
    json_writer_init(&w, out, cap);
    json_put_string(&w, text);
    if (!json_writer_done(&w, NULL)) {
        free(out);
        return NULL;
    }
    return out;
}

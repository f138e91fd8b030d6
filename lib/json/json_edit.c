/* SPDX-License-Identifier: Apache-2.0 */
#include "json/json_edit.h"

#include <string.h>

#include "json/json.h"

typedef struct {
    char *at;
    size_t left; /* without the NUL */
    bool full;
} out_t;

static void put(out_t *out, const char *text, size_t len)
{
    if (len > out->left) {
        out->full = true;
        return;
    }
    memcpy(out->at, text, len);
    out->at += len;
    out->left -= len;
}

static void put_member(out_t *out, bool *first, const char *name, size_t name_len,
                       const char *value, size_t value_len)
{
    put(out, *first ? "\"" : ",\"", *first ? 1 : 2);
    put(out, name, name_len);
    put(out, "\":", 2);
    put(out, value, value_len);
    *first = false;
}

static bool is_edited(const json_token_t *key, const json_edit_t *edits, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (json_equals(key, edits[i].name)) {
            return true;
        }
    }
    return false;
}

static bool is_plain(const char *name)
{
    for (; *name != '\0'; name++) {
        if ((unsigned char)*name < 0x20 || *name == '"' || *name == '\\') {
            return false;
        }
    }
    return true;
}

/* The members that stay. */
static bool copy_rest(const char *text, size_t len, const json_edit_t *edits, size_t count,
                      out_t *out, bool *first)
{
    json_reader_t reader;
    json_token_t key;
    json_token_t token;
    json_token_t value;
    json_reader_init(&reader, text, len);
    if (json_next(&reader, &token) != JSON_OBJECT) {
        return false;
    }
    while (json_next(&reader, &key) == JSON_KEY) {
        json_next(&reader, &token);
        if (!json_skip(&reader, &token, &value)) {
            return false;
        }
        if (is_edited(&key, edits, count)) {
            continue;
        }
        const char *from = value.type == JSON_STRING ? value.text - 1 : value.text;
        put_member(out, first, key.text, key.len, from,
                   value.len + (value.type == JSON_STRING ? 2 : 0));
    }
    return key.type == JSON_OBJECT_END && json_next(&reader, &token) == JSON_DONE;
}

bool json_edit(const char *text, size_t len, const json_edit_t *edits, size_t count, char *out,
               size_t cap, size_t *out_len)
{
    out_t to = {out, cap > 0 ? cap - 1 : 0, cap == 0};
    bool first = true;
    put(&to, "{", 1);
    if (!copy_rest(text, len, edits, count, &to, &first)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_plain(edits[i].name)) {
            return false;
        }
        if (edits[i].raw != NULL) {
            put_member(&to, &first, edits[i].name, strlen(edits[i].name), edits[i].raw,
                       strlen(edits[i].raw));
        }
    }
    put(&to, "}", 1);
    if (to.full) {
        return false;
    }
    *to.at = '\0';
    if (out_len != NULL) {
        *out_len = (size_t)(to.at - out);
    }
    return true;
}

size_t json_edit_size(size_t len, const json_edit_t *edits, size_t count)
{
    size_t size = len + 8;
    for (size_t i = 0; i < count; i++) {
        size += strlen(edits[i].name) + 4;
        size += edits[i].raw != NULL ? strlen(edits[i].raw) : 0;
    }
    return size;
}

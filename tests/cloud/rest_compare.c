/* SPDX-License-Identifier: Apache-2.0 */
#include "rest_compare.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/json.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

typedef struct {
    const rest_compare_t *with;
    bool alike;
} diff_t;

static void complain(diff_t *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void complain(diff_t *d, const char *format, ...)
{
    va_list args;
    printf("FAIL %s: ", d->with->name);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    d->alike = false;
}

#define MQTT "the lobby profile there had the transport MQTT"

/* What differs for a reason. No name: in every case. */
static const struct {
    const char *name;
    const char *path;
    const char *why;
} EXCUSED[] = {
    {"devices page, pageSize too big", ".data[].firmwareId", "a device there had firmware"},
    {"devices page, pageSize too big", ".data[].deviceData.transportConfiguration.type", MQTT},
    {"device by name, just provisioned", ".deviceData.transportConfiguration.type", MQTT},
    {"device info", ".deviceData.transportConfiguration.type", MQTT},
    {NULL, ".additionalInfo", "the user's own notes, not the API's"},
};

static bool is_excused(const diff_t *d, const char *path)
{
    for (size_t i = 0; i < COUNT(EXCUSED); i++) {
        if (strcmp(EXCUSED[i].path, path) == 0 &&
            (EXCUSED[i].name == NULL || strcmp(EXCUSED[i].name, d->with->name) == 0)) {
            return true;
        }
    }
    return false;
}

/* ---- scalars ---- */

static bool same_type(json_type_t a, json_type_t b)
{
    bool bools = (a == JSON_TRUE || a == JSON_FALSE) && (b == JSON_TRUE || b == JSON_FALSE);
    return a == b || bools;
}

typedef enum { ANY_TEXT, UUID, HASH, CERTIFICATE, TOKEN, ENUMERATION } form_t;

static form_t form_of(const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t len = strlen(text);
    if (len == 36 && strspn(text, "0123456789abcdef-") == 36 && text[8] == '-' && text[23] == '-') {
        return UUID;
    }
    if (strcmp(text, "<key>") == 0) { /* the recording hides it */
        return HASH;
    }
    if (len == 64 && strspn(text, hex) == 64) {
        return HASH;
    }
    if (len > 200 && strncmp(text, "MII", 3) == 0 && strchr(text, '\n') == NULL) {
        return CERTIFICATE;
    }
    if (strcmp(text, "<jwt>") == 0 || (len > 100 && strncmp(text, "eyJ", 3) == 0)) {
        return TOKEN;
    }
    bool upper = len > 2 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == len;
    return upper ? ENUMERATION : ANY_TEXT;
}

static void compare_string(diff_t *d, const char *path, const json_token_t *ours,
                           const json_token_t *theirs)
{
    char a[4096];
    char b[4096];
    if (!json_string(ours, a, sizeof a, NULL) || !json_string(theirs, b, sizeof b, NULL)) {
        complain(d, "%s is too long to compare", path);
        return;
    }
    form_t form = form_of(b);
    if (form != form_of(a) || (form == ENUMERATION && strcmp(a, b) != 0)) {
        complain(d, "%s is \"%.100s\", recorded \"%.100s\"", path, a, b);
    }
}

static void compare_number(diff_t *d, const char *path, const json_token_t *ours,
                           const json_token_t *theirs)
{
    int64_t a = 0;
    int64_t b = 0;
    bool exact = strcmp(path, ".errorCode") == 0 || strcmp(path, ".status") == 0;
    if (json_i64(ours, &a) != json_i64(theirs, &b) || (exact && a != b)) {
        complain(d, "%s is %.*s, recorded %.*s", path, (int)ours->len, ours->text, (int)theirs->len,
                 theirs->text);
    }
}

/* ---- objects and lists ---- */

static void compare(diff_t *d, const char *path, const json_token_t *ours,
                    const json_token_t *theirs);

/* The next member's name and value, or the end. */
static bool next_member(json_reader_t *reader, char *key, size_t cap, json_token_t *value)
{
    json_token_t token;
    if (json_next(reader, &token) != JSON_KEY || !json_string(&token, key, cap, NULL)) {
        snprintf(key, cap, "the end");
        return false;
    }
    json_next(reader, &token);
    return json_skip(reader, &token, value);
}

static void compare_object(diff_t *d, const char *path, const json_token_t *ours,
                           const json_token_t *theirs)
{
    json_reader_t a;
    json_reader_t b;
    json_token_t value_a;
    json_token_t value_b;
    json_reader_init(&a, ours->text, ours->len);
    json_reader_init(&b, theirs->text, theirs->len);
    json_next(&a, &value_a);
    json_next(&b, &value_b);
    for (;;) {
        char key_a[128];
        char key_b[128];
        char inner[512];
        bool more_a = next_member(&a, key_a, sizeof key_a, &value_a);
        bool more_b = next_member(&b, key_b, sizeof key_b, &value_b);
        if (more_a != more_b || strcmp(key_a, key_b) != 0) {
            complain(d, "%s: member %s, recorded %s", path, key_a, key_b);
            return;
        }
        if (!more_a) {
            return;
        }
        snprintf(inner, sizeof inner, "%.380s.%.100s", path, key_a);
        compare(d, inner, &value_a, &value_b);
    }
}

static bool element(const json_token_t *list, size_t i, json_token_t *value)
{
    char index[24];
    snprintf(index, sizeof index, "%zu", i);
    return json_find(list->text, list->len, index, value);
}

static size_t count(const json_token_t *list)
{
    size_t n = 0;
    json_token_t value;
    while (element(list, n, &value)) {
        n++;
    }
    return n;
}

/* What tells an element from the others: a text itself, or the "key" of an object. */
static bool name_of(const json_token_t *value, char *out, size_t cap)
{
    json_token_t key;
    if (value->type == JSON_STRING) {
        return json_string(value, out, cap, NULL);
    }
    return value->type == JSON_OBJECT && json_find(value->text, value->len, "key", &key) &&
           json_string(&key, out, cap, NULL);
}

static bool find_named(const json_token_t *list, const char *name, json_token_t *value)
{
    char other[256];
    for (size_t i = 0; element(list, i, value); i++) {
        if (name_of(value, other, sizeof other) && strcmp(name, other) == 0) {
            return true;
        }
    }
    return false;
}

static void compare_list(diff_t *d, const char *path, const json_token_t *ours,
                         const json_token_t *theirs)
{
    char inner[512];
    char name[256];
    json_token_t a;
    json_token_t b;
    size_t have = count(ours);
    size_t want = count(theirs);
    if ((have == 0) != (want == 0)) {
        complain(d, "%s has %zu elements, recorded %zu", path, have, want);
        return;
    }
    if (have == 0) {
        return;
    }
    snprintf(inner, sizeof inner, "%.500s[]", path);
    element(theirs, 0, &b);
    bool named = name_of(&b, name, sizeof name);
    for (size_t i = 0; named && element(theirs, i, &b); i++) {
        if (!name_of(&b, name, sizeof name) || !find_named(ours, name, &a)) {
            complain(d, "%s lacks %s, which was recorded", path, name);
        }
    }
    for (size_t i = 0; element(ours, i, &a); i++) {
        bool found = named ? name_of(&a, name, sizeof name) && find_named(theirs, name, &b)
                           : element(theirs, 0, &b);
        if (found) {
            compare(d, inner, &a, &b);
        } else {
            complain(d, "%s has %.*s, which was not recorded", path, (int)a.len, a.text);
        }
    }
}

static void compare(diff_t *d, const char *path, const json_token_t *ours,
                    const json_token_t *theirs)
{
    if (is_excused(d, path)) {
        return;
    }
    if (!same_type(ours->type, theirs->type)) {
        complain(d, "%s is of another type: %.*s, recorded %.*s", path, (int)ours->len, ours->text,
                 (int)theirs->len, theirs->text);
    } else if (ours->type == JSON_OBJECT) {
        compare_object(d, path, ours, theirs);
    } else if (ours->type == JSON_ARRAY) {
        compare_list(d, path, ours, theirs);
    } else if (ours->type == JSON_STRING) {
        compare_string(d, path, ours, theirs);
    } else if (ours->type == JSON_NUMBER) {
        compare_number(d, path, ours, theirs);
    }
}

/* ---- whole answers ---- */

/* The recording was written with blanks after commas and colons. */
static void strip(char *text)
{
    char *to = text;
    bool in_string = false;
    for (const char *c = text; *c != '\0'; c++) {
        in_string = *c == '"' && (c == text || c[-1] != '\\') ? !in_string : in_string;
        if (in_string || *c != ' ') {
            *to++ = *c;
        }
    }
    *to = '\0';
}

static void compare_exactly(diff_t *d, const tbrest_answer_t *answer, const json_token_t *recorded)
{
    char *text = strndup(recorded->text, recorded->len);
    if (text == NULL) {
        complain(d, "out of memory");
        return;
    }
    strip(text);
    if (strcmp(text, answer->body) != 0) {
        complain(d, "%s, recorded %s", answer->body, text);
    }
    free(text);
}

/* Cuts what stands in brackets out of a message, into `inside`. */
static void take_brackets(char *text, char *inside, size_t cap)
{
    char *open = strchr(text, '[');
    char *close = open != NULL ? strchr(open, ']') : NULL;
    inside[0] = '\0';
    if (close != NULL) {
        snprintf(inside, cap, "%.*s", (int)(close - open - 1), open + 1);
        memmove(open + 1, close, strlen(close) + 1);
    }
}

/* An error names in brackets what was asked for, which has other ids and names here. */
static void compare_message(diff_t *d, const tbrest_answer_t *answer, const json_token_t *recorded)
{
    char ours[256];
    char theirs[256] = "";
    char asked[128];
    char unused[128];
    json_token_t message;
    if (!json_find(recorded->text, recorded->len, "message", &message) ||
        !json_string(&message, theirs, sizeof theirs, NULL)) {
        complain(d, "the recorded error says nothing");
        return;
    }
    tbrest_message(answer, ours, sizeof ours);
    take_brackets(ours, asked, sizeof asked);
    take_brackets(theirs, unused, sizeof unused);
    if (strcmp(ours, theirs) != 0) {
        complain(d, "says \"%s\", recorded \"%s\"", ours, theirs);
    }
    if (strstr(d->with->path, asked) == NULL) {
        complain(d, "speaks of [%s], which nobody asked for", asked);
    }
}

static void compare_body(diff_t *d, const tbrest_answer_t *answer, const json_token_t *recorded)
{
    json_token_t ours;
    if (recorded->type == JSON_STRING && recorded->len == 0) {
        if (answer->len != 0) {
            complain(d, "a body (%.200s) where none was recorded", answer->body);
        }
    } else if (!json_find(answer->body, answer->len, "", &ours)) {
        complain(d, "the answer is not JSON: %.200s", answer->body);
    } else if (d->with->exact) {
        compare_exactly(d, answer, recorded);
    } else {
        compare(d, "", &ours, recorded);
    }
}

bool rest_compare(const rest_compare_t *with, const tbrest_answer_t *answer, const char *line,
                  size_t len)
{
    diff_t d = {with, true};
    json_token_t status;
    json_token_t recorded;
    int64_t code;
    if (!json_find(line, len, "response.status", &status) || !json_i64(&status, &code) ||
        !json_find(line, len, "response.body", &recorded)) {
        complain(&d, "the recording has no answer");
    } else if (answer->status != code) {
        complain(&d, "status %d, recorded %d: %.200s", answer->status, (int)code, answer->body);
    } else {
        if (code >= 400 && recorded.type == JSON_OBJECT) {
            compare_message(&d, answer, &recorded);
        }
        compare_body(&d, answer, &recorded);
    }
    return d.alike;
}

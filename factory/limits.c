/* SPDX-License-Identifier: Apache-2.0 */
#include "factory/limits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"
#include "json/json.h"
#include "pki/cert.h"

#define LIMITS_FILE_MAX 65536

bool factory_number_parse(const char *text, double *value)
{
    json_token_t token = {.type = JSON_NUMBER, .text = text, .len = strlen(text)};
    return token.len > 0 && strspn(text, "+-.0123456789eE") == token.len && text[0] != '+' &&
           json_valid(text, token.len) && json_double(&token, value);
}

static bool name_ok(const char *name)
{
    return name[0] != '\0' &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") ==
               strlen(name);
}

/* The members of one limit; the object was begun. */
static bool read_limit(json_reader_t *r, factory_limit_t *limit, err_t *err)
{
    json_token_t token;
    bool any = false;
    limit->min = -HUGE_VAL;
    limit->max = HUGE_VAL;
    while (json_next(r, &token) == JSON_KEY) {
        double *to = json_equals(&token, "min")   ? &limit->min
                     : json_equals(&token, "max") ? &limit->max
                                                  : NULL;
        if (to == NULL) {
            return err_set(err, ERR_INPUT, "%s: a limit has \"min\" and \"max\", nothing else",
                           limit->name);
        }
        if (json_next(r, &token) != JSON_NUMBER || !json_double(&token, to)) {
            return err_set(err, ERR_INPUT, "%s: a limit is a number", limit->name);
        }
        any = true;
    }
    return (token.type == JSON_OBJECT_END && any && limit->min <= limit->max) ||
           err_set(err, ERR_INPUT, "%s: it needs a min, a max, or both, min not above max",
                   limit->name);
}

bool factory_limits_parse(const char *text, size_t len, factory_limits_t *limits, err_t *err)
{
    json_reader_t r;
    json_token_t token;
    uint8_t hash[32];
    memset(limits, 0, sizeof *limits);
    json_reader_init(&r, text, len);
    if (!json_valid(text, len) || json_next(&r, &token) != JSON_OBJECT) {
        return err_set(err, ERR_INPUT,
                       "limits are a JSON object such as {\"temperature\":{\"min\":15}}");
    }
    while (json_next(&r, &token) == JSON_KEY) {
        factory_limit_t *limit = &limits->limit[limits->count];
        if (limits->count == FACTORY_LIMITS_MAX) {
            return err_set(err, ERR_INPUT, "there are more than %d limits", FACTORY_LIMITS_MAX);
        }
        if (!json_string(&token, limit->name, sizeof limit->name, NULL) || !name_ok(limit->name)) {
            return err_set(err, ERR_INPUT, "a limit's name has 1 to 32 of A-Z a-z 0-9 _");
        }
        if (factory_limits_find(limits, limit->name) != NULL) {
            return err_set(err, ERR_INPUT, "there are two limits of %s", limit->name);
        }
        if (json_next(&r, &token) != JSON_OBJECT) {
            return err_set(err, ERR_INPUT, "%s: a limit is an object with min and max",
                           limit->name);
        }
        if (!read_limit(&r, limit, err)) {
            return false;
        }
        limits->count++;
    }
    return pki_sha256(text, len, hash, err) &&
           bytes_to_hex(hash, sizeof hash, limits->sha256, sizeof limits->sha256);
}

bool factory_limits_load(const char *path, factory_limits_t *limits, err_t *err)
{
    char *text;
    size_t len;
    if (!file_read(path, LIMITS_FILE_MAX, &text, &len, err)) {
        return false;
    }
    bool ok = factory_limits_parse(text, len, limits, err) || err_add(err, "%s", path);
    free(text);
    return ok;
}

const factory_limit_t *factory_limits_find(const factory_limits_t *limits, const char *name)
{
    for (size_t i = 0; limits != NULL && i < limits->count; i++) {
        if (strcmp(limits->limit[i].name, name) == 0) {
            return &limits->limit[i];
        }
    }
    return NULL;
}

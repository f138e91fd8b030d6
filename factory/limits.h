/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits: what measured values must keep, from a file:
 *
 *     {"temperature":{"min":15,"max":30},"humidity":{"max":80}}
 *
 * At least one of min and max; at most FACTORY_LIMITS_MAX values. Strict: an unknown word in the
 * file is refused by name. Names have 1 to 32 of [A-Za-z0-9_].
 */
#ifndef CRADLE_FACTORY_LIMITS_H
#define CRADLE_FACTORY_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define FACTORY_LIMITS_MAX 32

typedef struct {
    char name[33];
    double min, max; /* inclusive; -HUGE_VAL and HUGE_VAL where the file names none */
} factory_limit_t;

typedef struct factory_limits {
    factory_limit_t limit[FACTORY_LIMITS_MAX];
    size_t count;
    char sha256[65]; /* of the file's text, for the record; "" without one */
} factory_limits_t;

bool factory_limits_load(const char *path, factory_limits_t *limits, err_t *err);
bool factory_limits_parse(const char *text, size_t len, factory_limits_t *limits, err_t *err);

/* NULL when there is none of that name. */
const factory_limit_t *factory_limits_find(const factory_limits_t *limits, const char *name);

/* A plain decimal number ("3.31", "-4"), nothing around it. */
bool factory_number_parse(const char *text, double *value);

#endif

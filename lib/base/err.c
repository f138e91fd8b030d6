/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool err_is_free(const err_t *err)
{
    return err != NULL && err->kind == ERR_NONE;
}

bool err_set(err_t *err, err_kind_t kind, const char *format, ...)
{
    if (err_is_free(err)) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        err->kind = kind;
    }
    return false;
}

bool err_errno(err_t *err, const char *format, ...)
{
    int saved = errno;
    if (err_is_free(err)) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof err->text - used, ": %s", strerror(saved));
        err->kind = ERR_SYSTEM;
    }
    errno = saved;
    return false;
}

bool err_add(err_t *err, const char *format, ...)
{
    if (err != NULL && err->kind != ERR_NONE) {
        char front[ERR_TEXT_MAX];
        char whole[2 * ERR_TEXT_MAX];
        va_list args;
        va_start(args, format);
        vsnprintf(front, sizeof front, format, args);
        va_end(args);
        snprintf(whole, sizeof whole, "%s: %s", front, err->text);
        memcpy(err->text, whole, sizeof err->text - 1);
        err->text[sizeof err->text - 1] = '\0';
    }
    return false;
}

void err_clear(err_t *err)
{
    if (err != NULL) {
        err->kind = ERR_NONE;
        err->text[0] = '\0';
    }
}

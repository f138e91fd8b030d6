/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err: an error that a person can act on.
 *
 * Libraries that touch the operating system (pki, site, flash, custody, net, http, protocomm,
 * tbrest) and the rooms report failure as `false` plus an err_t that the caller owns. The kind
 * says whose fault it was, the text says what happened, where, and what to do next: one
 * sentence, no line end, no secret. Portable libraries (json, mqtt, statement, core) do not use
 * it; they return an enum of their own.
 *
 * The first error wins: err_set on an err_t that already holds one changes nothing, so a clean-up
 * path cannot hide the cause. err_add puts context in front ("reading site.json: ...").
 * (ERR_PRECONDITION is not called ERR_STATE because OpenSSL's types.h has a typedef of that name.)
 * A NULL err_t is allowed everywhere and means that the caller does not want the text.
 */
#ifndef CRADLE_BASE_ERR_H
#define CRADLE_BASE_ERR_H

#include <stdbool.h>

#define ERR_TEXT_MAX 512

typedef enum {
    ERR_NONE = 0,
    ERR_USAGE, /* the caller or the command line asked for something that cannot be          */
    ERR_INPUT, /* bytes from a wire, a flash or a file are damaged, hostile or too large     */
    ERR_PRECONDITION, /* right request, wrong moment: already exists, not found, busy, locked */
    ERR_PEER,   /* the other side refused, or broke off                                       */
    ERR_SYSTEM, /* the operating system said no: disk full, permission, out of memory         */
} err_kind_t;

typedef struct {
    err_kind_t kind;
    char text[ERR_TEXT_MAX]; /* always NUL terminated; cut at the end when longer */
} err_t;

/* An err_t that holds nothing. */
#define ERR_INIT                                                                                   \
    {                                                                                              \
        ERR_NONE, ""                                                                               \
    }

/* Record an error and return false, so that `return err_set(...)` reads well. */
bool err_set(err_t *err, err_kind_t kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with ": <strerror(errno)>" appended and kind ERR_SYSTEM. */
bool err_errno(err_t *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Put context in front of an error that is already there. Returns false. */
bool err_add(err_t *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Forget the error. */
void err_clear(err_t *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tbrest: a client of ThingsBoard's REST API (4.2, 4.3; and of cradle-cloud, which speaks the
 * same). Blocking; one handle is used by one thread at a time.
 *
 * tbrest_call with a token is a plain JSON-over-HTTPS call; the steward, whose API takes the same
 * header, is called through it too.
 *
 * TLS is always verified, against `ca_file` or `ca_pem` alone when one is given, else against the
 * system's authorities. http:// is accepted for loopback addresses, and for others only when the
 * settings say so (a lab). Redirects are not followed. Every call has a time-out. Answers are
 * bounded.
 *
 * After tbrest_login the handle keeps the tokens and renews them by itself: before `exp`, and once
 * after a 401. The password is not kept. Tokens are wiped on close.
 *
 * Errors: ERR_PEER with the method, the URL, the status and ThingsBoard's own message when the
 * server answered but not 2xx (typed helpers only); ERR_PEER when it could not be reached, with
 * curl's reason; ERR_PRECONDITION when an entity does not exist; ERR_INPUT for an answer of a wrong
 * shape.
 */
#ifndef CRADLE_TBREST_TBREST_H
#define CRADLE_TBREST_TBREST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TBREST_ID_SIZE    37 /* a UUID as text, with the NUL */
#define TBREST_NAME_SIZE  256
#define TBREST_ANSWER_MAX (32u * 1024 * 1024)

/* ThingsBoard's "nobody": the customer id of an unassigned device. */
#define TBREST_NULL_ID "13814000-1dd2-11b2-8080-808080808080"

typedef struct tbrest tbrest_t;

typedef struct {
    const char *url;       /* "https://cloud.example.org:8080", without a path                  */
    const char *ca_file;   /* PEM, or NULL for the system's                                     */
    unsigned timeout_ms;   /* for a whole call; 0 = 30000                                       */
    bool allow_plain_http; /* http:// beyond loopback                                           */
    const char *ca_pem;    /* the authorities as PEM text instead of a file; copied; NULL: none */
    size_t answer_max;     /* largest answer, bytes; 0 = TBREST_ANSWER_MAX                      */
} tbrest_settings_t;

bool tbrest_open(tbrest_t **rest, const tbrest_settings_t *settings, err_t *err);
void tbrest_close(tbrest_t *rest);

/* The texts stay the caller's, who wipes them. */
bool tbrest_login(tbrest_t *rest, const char *username, const char *password, err_t *err);

/* Tokens from elsewhere (a file); either may be NULL. Copied. */
bool tbrest_use_tokens(tbrest_t *rest, const char *token, const char *refresh_token, err_t *err);

/* The tokens in use, or NULL. They belong to the handle and change with every call. */
const char *tbrest_token(const tbrest_t *rest);
const char *tbrest_refresh_token(const tbrest_t *rest);

typedef struct {
    int status; /* the HTTP status                                           */
    char *body; /* heap, NUL terminated, never NULL after a successful call  */
    size_t len;
} tbrest_answer_t;

/* One call: `path` from the root with its query ("/api/tenant/devices?pageSize=1&page=0"), already
   encoded; `body` JSON text or NULL. True when an answer came, whatever its status. The answer is
   freed by tbrest_answer_free. */
bool tbrest_call(tbrest_t *rest, const char *method, const char *path, const char *body,
                 tbrest_answer_t *answer, err_t *err);
void tbrest_answer_free(tbrest_answer_t *answer);

/* ThingsBoard's own words in an answer: "message" of its error object, else the plain text, cut
   and free of control characters. */
void tbrest_message(const tbrest_answer_t *answer, char *out, size_t cap);

/* tbrest_call, and anything but 2xx is an error (404: ERR_PRECONDITION; else ERR_PEER). */
bool tbrest_expect(tbrest_t *rest, const char *method, const char *path, const char *body,
                   tbrest_answer_t *answer, err_t *err);

typedef struct {
    char id[TBREST_ID_SIZE];
    char name[TBREST_NAME_SIZE];
    char type[TBREST_NAME_SIZE]; /* the profile's name */
    char label[TBREST_NAME_SIZE];
    char profile_id[TBREST_ID_SIZE];
    char customer_id[TBREST_ID_SIZE]; /* TBREST_NULL_ID when unassigned */
    int64_t created_ms;
    int64_t version;
} tbrest_device_t;

/* By exact name in the tenant; ERR_PRECONDITION when there is none. */
bool tbrest_device_by_name(tbrest_t *rest, const char *name, tbrest_device_t *device, err_t *err);
bool tbrest_device_by_id(tbrest_t *rest, const char *id, tbrest_device_t *device, err_t *err);
bool tbrest_device_delete(tbrest_t *rest, const char *id, err_t *err);

/* Called for each device of the tenant, page by page; returns false to stop. */
typedef bool (*tbrest_device_fn)(void *ctx, const tbrest_device_t *device);
bool tbrest_devices(tbrest_t *rest, const char *text_search, tbrest_device_fn each, void *ctx,
                    err_t *err);

/* A value as ThingsBoard gives it. `text` is the text of it: a string's content, a number or
   "true"/"false" as written, an object or array as JSON. */
typedef enum {
    TBREST_ABSENT,
    TBREST_STRING,
    TBREST_NUMBER,
    TBREST_BOOL,
    TBREST_JSON
} tbrest_kind_t;

typedef struct {
    int64_t ts; /* ms since 1970; for attributes the last update */
    tbrest_kind_t kind;
    const char *key;  /* valid during the call-back */
    const char *text; /* valid during the call-back */
} tbrest_value_t;

typedef bool (*tbrest_value_fn)(void *ctx, const tbrest_value_t *value);

/* Latest values with their types. `keys` is "a,b" (not encoded) or NULL for all. Keys that have no
   value are given as TBREST_ABSENT. */
bool tbrest_latest(tbrest_t *rest, const char *device_id, const char *keys, tbrest_value_fn each,
                   void *ctx, err_t *err);

/* Points in [start_ms, end_ms), oldest first, at most `limit` a key. */
bool tbrest_range(tbrest_t *rest, const char *device_id, const char *keys, int64_t start_ms,
                  int64_t end_ms, unsigned limit, tbrest_value_fn each, void *ctx, err_t *err);

/* `scope` is CLIENT_SCOPE, SHARED_SCOPE or SERVER_SCOPE. */
bool tbrest_attributes(tbrest_t *rest, const char *device_id, const char *scope, const char *keys,
                       tbrest_value_fn each, void *ctx, err_t *err);
bool tbrest_attributes_save(tbrest_t *rest, const char *device_id, const char *scope,
                            const char *json, err_t *err);

/* One latest value as text. False with ERR_PRECONDITION when there is none. */
bool tbrest_latest_one(tbrest_t *rest, const char *device_id, const char *key, char *out,
                       size_t cap, int64_t *ts, err_t *err);

#endif

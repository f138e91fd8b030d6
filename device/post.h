/* SPDX-License-Identifier: Apache-2.0 */
/*
 * post: one HTTPS POST of a device to its steward: the second carrier of statements. No client
 * certificate: the signature inside says who it is. The server's certificate must lead to the
 * anchors and carry the configured name. HTTP/1.1, one request a connection, answers with a
 * Content-Length or ended by closing. Non-blocking, on the loop; 60 s at most.
 */
#ifndef CRADLE_DEVICE_POST_H
#define CRADLE_DEVICE_POST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/loop.h"
#include "pki/cert.h"

typedef struct post post_t;

/* `body` NULL: no answer with status 200 came; `text` says why. The post is over. */
typedef void (*post_fn_t)(void *ctx, const char *body, size_t len, const char *text);

typedef struct {
    const char *name;    /* configured "host:port"      */
    const char *address; /* where it leads              */
    const char *path;    /* "/device"                   */
    const pki_chain_t *anchors;
    int64_t now; /* seconds, for dates                  */
    bool clock_unset;
} post_target_t;

/* Copies everything. Failure to begin is reported too, later. NULL only without memory. */
post_t *post_start(loop_t *loop, const post_target_t *target, const void *body, size_t len,
                   post_fn_t fn, void *ctx);

/* Frees; no call comes any more. Allowed inside the call. NULL is allowed. */
void post_free(post_t *post);

#endif

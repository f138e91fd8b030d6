/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward: takes questions of devices to the steward over HTTPS, and brings its answers back:
 *
 *     POST <url>/rpc    Authorization: Bearer <key>, X-Device-Id: <uuid of the device at the cloud>
 *     {"method":"cradle.hello","params":...}        200 and JSON: the answer, byte for byte
 *
 * Anything else (another status, no JSON, an answer over FORWARD_ANSWER_MAX, no answer within
 * FORWARD_TIMEOUT_MS) is one line in the log and no answer: the device asks again. Nothing is
 * repeated here. TLS is always verified, against `ca_file` alone; redirects and proxies are not
 * followed. At most FORWARD_MAX questions are on their way, FORWARD_DEVICE_MAX of one device.
 *
 * libcurl, driven by the loop; nothing blocks (libcurl resolves names in a thread of its own).
 */
#ifndef CRADLE_CLOUD_FORWARD_H
#define CRADLE_CLOUD_FORWARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cloud/store.h"
#include "net/loop.h"

#define FORWARD_MAX        256
#define FORWARD_DEVICE_MAX 4
#define FORWARD_ANSWER_MAX 65000 /* bytes: it must fit into one message to the device */
#define FORWARD_TIMEOUT_MS 55000

typedef struct forward forward_t;

/* Good during the call. */
typedef void (*forward_fn_t)(void *ctx, const store_id_t *device, uint64_t ticket, const char *text,
                             size_t len);

typedef struct {
    loop_t *loop;         /* must outlive the handle                      */
    const char *url;      /* "https://127.0.0.1:8443", a path may follow; copied */
    const char *ca_file;  /* PEM; copied                                  */
    const char *key_file; /* what the steward knows the forwarder by: a line of text, mode 0600 */
    forward_fn_t answered;
    void *ctx;
} forward_settings_t;

/* ERR_USAGE: no https:// URL, or one with a login. ERR_INPUT: the CA or key file
   cannot be read, holds no key, or others may read the key. */
bool forward_open(forward_t **forward, const forward_settings_t *settings, err_t *err);
/* Questions on their way are given up. NULL is allowed. */
void forward_close(forward_t *forward);

/* `params` is JSON text. The answer comes later, or never. */
void forward_ask(forward_t *forward, const store_id_t *device, uint64_t ticket, const char *method,
                 const char *params, size_t params_len);

#endif

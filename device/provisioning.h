/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provisioning: the service by which a phone gives the device its Wi-Fi, over HTTP on 127.0.0.1 and
 * a free port, announced in the simulated air as AIR/<service>.json for as long as it is up.
 *
 * Two endpoints of our own beside Espressif's, in the same session:
 *
 *     cradle-info    {"v":1,"sn":"..","model":"..","fw":"..","leaf":"<43 base64url>",
 *                     "ep":"<22 base64url>","steward":"host:port"(if any),"ask":true|false}
 *     cradle-claim   takes the text of a ticket, answers {"ok":true} or {"error":"..."}; not under
 *                    security 0. The ticket goes along with the credentials of the next Apply of
 *                    the same session, and is forgotten with it.
 */
#ifndef CRADLE_DEVICE_PROVISIONING_H
#define CRADLE_DEVICE_PROVISIONING_H

#include <stdbool.h>

#include "base/err.h"
#include "core/device.h"
#include "device/boot.h"
#include "device/radio.h"
#include "net/loop.h"

typedef struct provisioning provisioning_t;

typedef struct {
    void *ctx;
    /* CREDENTIALS, CLIENT_DONE or FORGET. */
    void (*event)(void *ctx, const cradle_event_t *event);
    /* What the brain knows now: the leaf in use and the epoch. */
    void (*status)(void *ctx, cradle_status_t *status);
    /* One line for the log. */
    void (*note)(void *ctx, const char *text);
} provisioning_handler_t;

/* `air` is the directory with networks.json; `networks` that file. All must outlive it. */
bool provisioning_start(provisioning_t **service, loop_t *loop, const boot_t *boot, const char *air,
                        const char *networks, const provisioning_handler_t *handler, err_t *err);
void provisioning_stop(provisioning_t *service); /* NULL is allowed */

/* How the attempt to join went; `joined` is used when it went well. */
void provisioning_result(provisioning_t *service, cradle_joined_t result,
                         const radio_joined_t *joined);

#endif

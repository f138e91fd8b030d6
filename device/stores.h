/* SPDX-License-Identifier: Apache-2.0 */
/* stores: the brain's two storage interfaces over the stores of lib/flash. */
#ifndef CRADLE_DEVICE_STORES_H
#define CRADLE_DEVICE_STORES_H

#include "core/device.h"
#include "flash/outbox.h"
#include "flash/settings.h"

typedef struct {
    settings_t *settings;
    outbox_t *outbox;
    outbox_cursor_t cursor; /* where the last read was: the brain reads in order */
    void *changed_ctx;
    void (*changed)(void *ctx, cradle_state_t from, cradle_state_t to, const char *why,
                    uint32_t wait_ms);
} stores_t;

/* Fills in the port's storage functions, whose ctx must be `stores`. */
void stores_init(stores_t *stores, settings_t *settings, outbox_t *outbox, cradle_port_t *port);

#endif

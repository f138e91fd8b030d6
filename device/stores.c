/* SPDX-License-Identifier: Apache-2.0 */
#include "device/stores.h"

#include <string.h>

static bool get(void *ctx, const char *name, void *out, size_t cap, size_t *len)
{
    stores_t *s = ctx;
    return settings_get(s->settings, name, out, cap, len) == SETTINGS_OK;
}

static bool set(void *ctx, const char *name, const void *data, size_t len)
{
    stores_t *s = ctx;
    return settings_set(s->settings, name, data, len) == SETTINGS_OK;
}

static bool erase(void *ctx, const char *name)
{
    stores_t *s = ctx;
    settings_status_t status = settings_erase(s->settings, name);
    return status == SETTINGS_OK || status == SETTINGS_NOT_FOUND;
}

static bool append(void *ctx, const void *data, size_t len)
{
    stores_t *s = ctx;
    return outbox_append(s->outbox, data, len, NULL) == OUTBOX_OK;
}

/* The log is read forward from a cursor; a question for an earlier number begins at the oldest. */
static bool read_record(void *ctx, uint64_t from, uint64_t *number, void *out, size_t cap,
                        size_t *len)
{
    stores_t *s = ctx;
    if (from <= s->cursor.number) {
        memset(&s->cursor, 0, sizeof s->cursor);
    }
    do {
        if (outbox_read(s->outbox, &s->cursor, out, cap, len) != OUTBOX_OK) {
            return false;
        }
    } while (s->cursor.number < from);
    *number = s->cursor.number;
    return true;
}

static bool trim(void *ctx, uint64_t upto)
{
    stores_t *s = ctx;
    return outbox_trim(s->outbox, upto > UINT32_MAX ? UINT32_MAX : (uint32_t)upto) == OUTBOX_OK;
}

static uint64_t dropped(void *ctx)
{
    const stores_t *s = ctx;
    return outbox_dropped(s->outbox);
}

static void changed(void *ctx, cradle_state_t from, cradle_state_t to, const char *why,
                    uint32_t wait_ms)
{
    stores_t *s = ctx;
    if (s->changed != NULL) {
        s->changed(s->changed_ctx, from, to, why, wait_ms);
    }
}

static void purge(void *ctx)
{
    stores_t *s = ctx;
    settings_purge(s->settings);
}

void stores_init(stores_t *stores, settings_t *settings, outbox_t *outbox, cradle_port_t *port)
{
    memset(stores, 0, sizeof *stores);
    stores->settings = settings;
    stores->outbox = outbox;
    port->get = get;
    port->set = set;
    port->erase = erase;
    port->append = append;
    port->read = read_record;
    port->trim = trim;
    port->dropped = dropped;
    port->purge = purge;
    port->changed = changed;
}

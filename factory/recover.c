/* SPDX-License-Identifier: Apache-2.0 */
/* What is done about runs that have died: their numbers become void. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "factory/internal.h"

/* More numbers than any run takes at once: a larger reservation was not made by us. */
#define SETTLE_MAX 65536

bool factory_settle(const site_t *site, custody_t *custody,
                    const custody_reservation_t *reservation, uint64_t *voided, err_t *err)
{
    typedef char sn_t[SITE_SN_SIZE];
    site_pattern_t pattern;
    if (reservation->to - reservation->from >= SETTLE_MAX) {
        return err_set(err, ERR_INPUT, "custody holds a reservation of too many numbers");
    }
    size_t count = (size_t)(reservation->to - reservation->from + 1);
    if (!site_pattern_parse(reservation->pattern, &pattern, err)) {
        return false;
    }
    sn_t *sns = calloc(count, sizeof *sns);
    custody_event_t *events = calloc(count + 1, sizeof *events);
    size_t lost = 0;
    bool ok = (sns != NULL && events != NULL) || err_set(err, ERR_SYSTEM, "out of memory");
    for (uint64_t n = reservation->from; ok && n <= reservation->to; n++) {
        const char *kind;
        ok = site_pattern_format(&pattern, n, sns[lost], err) &&
             custody_born(custody, sns[lost], &kind, err);
        if (ok && kind == NULL) {
            ok = factory_unit_remove(site, sns[lost], err);
            events[lost] = (custody_event_t){.sn = sns[lost], .kind = CUSTODY_VOID, .detail = "{}"};
            lost++;
        }
    }
    if (ok) {
        events[lost] = (custody_event_t){
            .sn = "", .kind = CUSTODY_CLOSE, .detail = "{}", .number = reservation->to};
        ok = custody_append(custody, events, lost + 1, clock_wall_ms(), err);
    }
    if (ok) {
        *voided += lost;
    }
    free(events);
    free(sns);
    return ok;
}

typedef struct {
    custody_reservation_t *items;
    size_t count;
    bool full;
} list_t;

static bool add(void *context, const custody_reservation_t *reservation)
{
    list_t *list = context;
    custody_reservation_t *more = realloc(list->items, (list->count + 1) * sizeof *more);
    if (more == NULL) {
        list->full = true;
        return false;
    }
    list->items = more;
    list->items[list->count++] = *reservation;
    return true;
}

typedef struct {
    uint64_t to;
    bool open;
} still_t;

static bool is_it(void *context, const custody_reservation_t *reservation)
{
    still_t *still = context;
    still->open = still->open || reservation->to == still->to;
    return !still->open;
}

/* One reservation that was open a moment ago. Who holds its run's lock decides; what was seen
   before the lock was had may be over by now, so it is looked at again. */
static bool recover_one(const site_t *site, custody_t *custody,
                        const custody_reservation_t *reservation, uint64_t *voided, err_t *err)
{
    char path[FILE_PATH_MAX];
    char name[sizeof "run/.lock" + CUSTODY_WRITER_SIZE];
    still_t still = {.to = reservation->to};
    err_t busy = ERR_INIT;
    int lock;
    if (strspn(reservation->run, "abcdefghijklmnopqrstuvwxyz0123456789-") !=
        strlen(reservation->run)) {
        return err_set(err, ERR_INPUT, "custody names a run that cannot be");
    }
    if (!site_lock(site, reservation->run, false, &lock, &busy)) {
        return busy.kind == ERR_PRECONDITION || /* it is alive, or somebody else is at it */
               err_set(err, busy.kind, "%s", busy.text);
    }
    bool ok = custody_open_reservations(custody, is_it, &still, err) &&
              (!still.open || factory_settle(site, custody, reservation, voided, err));
    snprintf(name, sizeof name, "run/%s.lock", reservation->run);
    if (ok && site_path(site, name, path, err)) {
        unlink(path);
    }
    site_unlock(lock);
    return ok;
}

bool factory_recover(const site_t *site, custody_t *custody, uint64_t *voided, err_t *err)
{
    list_t list = {0};
    bool ok = custody_open_reservations(custody, add, &list, err) &&
              (!list.full || err_set(err, ERR_SYSTEM, "out of memory"));
    for (size_t i = 0; ok && i < list.count; i++) {
        ok = recover_one(site, custody, &list.items[i], voided, err);
    }
    free(list.items);
    return ok || err_add(err, "cleaning up after a run that has died");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A back-up was restored, and people know what that costs: the record says so, and goes on. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "factory/checkpoint.h"
#include "factory/internal.h"
#include "json/json.h"

#define RESTORED "restored"

typedef struct {
    custody_t *custody;
    char (*path)[FILE_PATH_MAX]; /* of checkpoints that custody does not lead to */
    size_t count, room;
    custody_point_t last; /* the youngest of them */
    custody_point_t good; /* the youngest before them that custody leads to */
    uint64_t number;
    uint64_t entries;
    err_t *err;
    bool ok;
} loss_t;

static bool remember(loss_t *loss, const char *path)
{
    if (loss->count == loss->room) {
        loss->room = 2 * loss->room + 16;
        void *more = realloc(loss->path, loss->room * sizeof *loss->path);
        if (more == NULL) {
            return err_set(loss->err, ERR_SYSTEM, "out of memory for checkpoints");
        }
        loss->path = more;
    }
    snprintf(loss->path[loss->count++], sizeof *loss->path, "%s", path);
    return true;
}

static bool add(void *context, const char *path, const custody_point_t *point)
{
    loss_t *loss = context;
    custody_verdict_t verdict;
    uint64_t number = custody_point_number(point);
    loss->number = number > loss->number ? number : loss->number;
    loss->ok =
        custody_compare(loss->custody, point->head, point->count, NULL, NULL, &verdict, loss->err);
    if (loss->ok && verdict.faults == 0 && loss->count == 0) {
        loss->good = *point;
    } else if (loss->ok && verdict.faults > 0) {
        loss->last = *point;
        loss->ok = remember(loss, path);
    }
    return loss->ok;
}

static uint64_t good_seq(const loss_t *loss, const char *writer)
{
    for (size_t i = 0; i < loss->good.count; i++) {
        if (strcmp(loss->good.head[i].writer, writer) == 0) {
            return loss->good.head[i].seq;
        }
    }
    return 0;
}

typedef struct {
    uint64_t seq;
    int64_t time_ms;
} end_t;

static bool take_end(void *context, const custody_entry_t *entry)
{
    end_t *end = context;
    end->seq = entry->seq;
    end->time_ms = entry->time_ms;
    return true;
}

/* As long as nothing was written after the restore, the chain's end tells it exactly. Afterwards
   only the youngest checkpoint that still fits does: at most so many. */
static bool count_missing(loss_t *loss, err_t *err)
{
    for (size_t i = 0; i < loss->last.count; i++) {
        const custody_checkpoint_t *then = &loss->last.head[i];
        end_t end = {0, 0};
        if (!custody_latest(loss->custody, then->writer, NULL, 0, take_end, &end, err)) {
            return false;
        }
        uint64_t have = end.time_ms <= loss->last.time_ms ? end.seq : good_seq(loss, then->writer);
        loss->entries += then->seq > have ? then->seq - have : 0;
    }
    return true;
}

static bool write_detail(const loss_t *loss, char *out, size_t cap)
{
    json_writer_t w;
    json_writer_init(&w, out, cap);
    json_object(&w);
    json_key(&w, "checkpoint_time");
    json_put_i64(&w, loss->last.time_ms);
    json_key(&w, "missing_entries_at_most");
    json_put_i64(&w, (int64_t)loss->entries);
    json_key(&w, "after_number");
    json_put_i64(&w, (int64_t)custody_point_number(&loss->good));
    json_key(&w, "number");
    json_put_i64(&w, (int64_t)loss->number);
    json_end(&w);
    return json_writer_done(&w, NULL);
}

/* The numbers that the lost entries took are taken again, without units. */
static bool record(const site_t *site, loss_t *loss, err_t *err)
{
    char detail[256];
    char taken[512];
    json_writer_t w;
    custody_point_t now;
    int64_t time = clock_wall_ms();
    if (!custody_point_take(loss->custody, site->id, time, &now, err) ||
        !write_detail(loss, detail, sizeof detail)) {
        return err_set(err, ERR_SYSTEM, "the entry does not fit");
    }
    uint64_t have = custody_point_number(&now);
    json_writer_init(&w, taken, sizeof taken);
    json_object(&w);
    json_key(&w, "from");
    json_put_i64(&w, (int64_t)have + 1);
    json_key(&w, "to");
    json_put_i64(&w, (int64_t)loss->number);
    json_key(&w, "pattern");
    json_put_string(&w, site->sn_pattern);
    json_key(&w, "run");
    json_put_string(&w, RESTORED);
    json_end(&w);
    if (!json_writer_done(&w, NULL)) {
        return err_set(err, ERR_SYSTEM, "the entry does not fit");
    }
    const custody_event_t events[] = {
        {.sn = "", .kind = RESTORED, .detail = detail},
        {.sn = "", .kind = CUSTODY_RESERVE, .detail = taken, .number = loss->number},
        {.sn = "", .kind = CUSTODY_CLOSE, .detail = "{}", .number = loss->number},
    };
    return custody_append(loss->custody, events, loss->number > have ? 3 : 1, time, err);
}

static bool set_aside(const loss_t *loss, err_t *err)
{
    for (size_t i = 0; i < loss->count; i++) {
        char to[FILE_PATH_MAX + 32];
        snprintf(to, sizeof to, "%s.before-restore", loss->path[i]);
        if (rename(loss->path[i], to) != 0 && file_exists(loss->path[i])) {
            return err_errno(err, "cannot rename %s", loss->path[i]);
        }
    }
    return true;
}

static bool settle(const site_t *site, loss_t *loss, err_t *err)
{
    factory_floor_t own = {0};
    if (loss->count == 0) {
        return err_set(err, ERR_PRECONDITION,
                       "custody leads to every checkpoint in %s: nothing is missing",
                       site->checkpoint_dir[0] == '\0' ? "(no checkpoint_dir in cradle.json)"
                                                       : site->checkpoint_dir);
    }
    return count_missing(loss, err) && record(site, loss, err) &&
           factory_floor_leave(site, loss->custody, &own, err) && set_aside(loss, err);
}

bool factory_checkpoint_restored(const site_t *site, uint64_t *entries, uint64_t *number,
                                 err_t *err)
{
    int lock;
    loss_t *loss = calloc(1, sizeof *loss);
    if (loss == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory");
    }
    loss->err = err;
    loss->ok = true;
    bool ok = site_lock(site, FACTORY_ALLOT, true, &lock, err);
    if (ok) {
        ok = factory_custody_open(site, FACTORY_WRITER, &loss->custody, err) &&
             factory_checkpoint_each(site, add, loss, err) && loss->ok && settle(site, loss, err);
        site_unlock(lock);
    }
    *entries = loss->entries;
    *number = loss->number;
    custody_close(loss->custody);
    free(loss->path);
    free(loss);
    return ok;
}

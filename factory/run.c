/* SPDX-License-Identifier: Apache-2.0 */
/* A run of the line: blocks of units until there are enough. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "factory/line.h"

static bool run_blocks(factory_line_t *line, const factory_run_t *run, factory_result_t *result,
                       factory_unit_t *units, bool *settled, err_t *err)
{
    bool more = true;
    while (more && result->made < run->count) {
        custody_reservation_t reservation;
        uint64_t left = run->count - result->made;
        uint64_t ignored = 0;
        size_t count;
        if (!factory_line_reserve(line, left < FACTORY_BLOCK ? left : FACTORY_BLOCK, &reservation,
                                  err)) {
            return false;
        }
        if (!factory_line_block(line, &reservation, NULL, units, &count, err)) {
            *settled = factory_settle(line->site, line->custody, &reservation, &ignored, err);
            return false;
        }
        result->made += count;
        for (size_t i = 0; i < count && run->made != NULL; i++) {
            more = run->made(run->context, &units[i]) && more;
        }
    }
    return true;
}

bool factory_run(const site_t *site, const factory_run_t *run, factory_result_t *result, err_t *err)
{
    factory_line_t line;
    bool settled = true;
    memset(result, 0, sizeof *result);
    if (run->count == 0 || run->count > FACTORY_COUNT_MAX) {
        return err_set(err, ERR_USAGE, "a run makes 1 to %d units, not %" PRIu64, FACTORY_COUNT_MAX,
                       run->count);
    }
    factory_unit_t *units = calloc(FACTORY_BLOCK, sizeof *units);
    if (units == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory for a block of units");
    }
    bool ok = factory_line_open(&line, site, run->writer, true, &result->voided, err);
    if (ok) {
        snprintf(result->notice, sizeof result->notice, "%s", line.floor.notice);
        ok = run_blocks(&line, run, result, units, &settled, err) &&
             (factory_floor_leave(site, line.custody, &line.floor, err) ||
              err_add(err, "the units exist, but no checkpoint could be left"));
    }
    factory_line_close(&line, settled);
    free(units);
    return ok;
}

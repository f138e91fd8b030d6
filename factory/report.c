/* SPDX-License-Identifier: Apache-2.0 */
/* What the line has done, and taking something out for good. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "factory/internal.h"
#include "factory/ledger.h"
#include "json/json.h"

enum { ASSEMBLE, FLASH, IDENTITY, TEST, LABEL };

static void count(factory_yield_t *yield, bool passed, uint32_t failures)
{
    if (passed || failures > 0) {
        yield->units++;
        yield->passed += passed;
        yield->first += passed && failures == 0;
        yield->failures += failures;
    }
}

static void add_item(factory_report_t *report, const factory_item_t *item)
{
    factory_yield_t *y = report->yield;
    if (item->board_ms > 0) {
        count(&y[ASSEMBLE], item->checks_passed, item->board_failures);
    }
    count(&y[FLASH], item->flash_ms > 0, 0);
    count(&y[IDENTITY], item->identity_ms > 0, 0);
    count(&y[TEST], item->test_passes > 0, item->test_failures);
    count(&y[LABEL], item->label_ms > 0, 0);
    report->state[factory_item_state(item)]++;
    report->reworks += item->reworks;
}

static int by_count(const void *a, const void *b)
{
    const factory_cause_t *x = a;
    const factory_cause_t *y = b;
    return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->cause, y->cause);
}

bool factory_report(factory_station_t *station, factory_report_t *report, err_t *err)
{
    static const char *const NAMES[FACTORY_STATIONS] = {"assemble", "flash", "identity", "test",
                                                        "label"};
    const factory_ledger_t *ledger = &station->ledger;
    memset(report, 0, sizeof *report);
    for (int i = 0; i < FACTORY_STATIONS; i++) {
        report->yield[i].station = NAMES[i];
    }
    if (!factory_station_refresh(station, err)) {
        return false;
    }
    for (size_t i = 0; i < ledger->count; i++) {
        add_item(report, &ledger->item[i]);
    }
    report->cause_count = ledger->cause_count;
    memcpy(report->cause, ledger->cause, sizeof report->cause);
    qsort(report->cause, report->cause_count, sizeof *report->cause, by_count);
    return true;
}

static bool find(factory_station_t *station, const char *mac_or_sn, factory_item_t *item,
                 err_t *err)
{
    char mac[FACTORY_MAC_SIZE];
    return factory_mac_parse(mac_or_sn, mac, NULL) ? factory_find_mac(station, mac, item, err)
                                                   : factory_find_sn(station, mac_or_sn, item, err);
}

static bool write_detail(const factory_item_t *item, const char *why, char *out, size_t cap,
                         err_t *err)
{
    json_writer_t w;
    json_writer_init(&w, out, cap);
    json_object(&w);
    json_key(&w, "why");
    json_put_string(&w, why);
    json_key(&w, "mac");
    json_put_string(&w, item->mac);
    json_end(&w);
    return json_writer_done(&w, NULL) || err_set(err, ERR_USAGE, "the reason is too long");
}

bool factory_scrap(factory_station_t *station, const char *mac_or_sn, const char *why,
                   bool *already, err_t *err)
{
    factory_item_t item;
    char detail[1024];
    int lock;
    *already = false;
    if (why == NULL || why[0] == '\0') {
        return err_set(err, ERR_USAGE, "say why, so that somebody can learn from it");
    }
    if (!site_lock(station->site, FACTORY_BOARDS, true, &lock, err)) {
        return false;
    }
    bool ok = find(station, mac_or_sn, &item, err);
    *already = ok && item.scrap_ms > 0;
    ok = ok && (*already || (write_detail(&item, why, detail, sizeof detail, err) &&
                             factory_station_append(station, item.sn, FACTORY_SCRAP, detail, err)));
    site_unlock(lock);
    return ok;
}

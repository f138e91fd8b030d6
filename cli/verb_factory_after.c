/* SPDX-License-Identifier: Apache-2.0 */
/* What comes after the line: rework, scrap, and the report. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/factory_verbs.h"
#include "factory/rework.h"
#include "json/json.h"
#include "term/options.h"
#include "term/term.h"

/* ---- rework ---- */

typedef struct {
    factory_station_t *station;
    factory_rework_t how;
} reworking_t;

static void rework_lines(void *context, scan_line_t *lines, size_t count)
{
    const reworking_t *r = context;
    for (size_t i = 0; i < count; i++) {
        factory_unit_t unit;
        lines[i].ok = factory_rework(r->station, &r->how, lines[i].word, &unit, &lines[i].err);
        snprintf(lines[i].state, sizeof lines[i].state, "identified with a new certificate%s",
                 r->how.deny_later ? "; deny the old one" : "");
    }
}

static int rework(const cli_t *cli, int argc, char **argv)
{
    site_t site;
    reworking_t r = {.station = NULL};
    factory_flash_t chip = {.rollback_confirmed = true};
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"key", 0, OPTION_TEXT, &r.how.product_key, "FILE", "the product CA's key"},
        {"deny-later", 0, OPTION_FLAG, &r.how.deny_later, NULL, "the product CA's key is away"},
        {"port", 'p', OPTION_TEXT, &chip.port, "PORT", "the serial port of the chip"},
        {"esptool", 0, OPTION_TEXT, &chip.esptool, "PROGRAM", "esptool, version 4 or 5"},
        {"baud", 'b', OPTION_UINT, &chip.baud, "N", "baud rate (default 460800)"},
        {"keep-key", 0, OPTION_FLAG, &r.how.identity.keep_key, NULL, "a copy of the key stays"},
        {"writer", 0, OPTION_TEXT, &r.how.identity.writer, "NAME", "who writes in custody"},
        {0},
    };
    int code;
    if (!options_parse(options, &argc, argv, 1, -1, &err) || !site_open(&site, cli->site, &err) ||
        !factory_station_open(&site, r.how.identity.writer, &r.station, &err) ||
        (chip.port != NULL && !factory_flasher_open(&site, &chip, &r.how.identity.flasher, &err))) {
        code = cli_fail(&err);
    } else {
        code = factory_scan(cli, "sn", argc, argv, rework_lines, &r);
    }
    factory_flasher_close(r.how.identity.flasher);
    factory_station_close(r.station);
    return code;
}

const cli_verb_t factory_verb_rework = {
    .name = "rework",
    .summary = "a unit comes back: same SN, new key and certificate, the old one denied",
    .usage = "cradle factory rework SN ... [options]",
    .run = rework,
    .help = "The old certificates go onto the deny-list first; then the new identity is made and\n"
            "what the unit wrote is erased. It is tested and labelled anew.\n\n"
            "  --key FILE        the product CA's key, which signs the deny-list, where it is not\n"
            "                    in the site\n"
            "  --deny-later      that key is not here: the old chain is left in\n"
            "                    factory/units/SN/old.crt for `cradle ca deny`\n"
            "  -p, --port PORT   write it onto the chip there (with --esptool, -b, as in flash)\n"
            "  --keep-key        a copy of the key stays, in factory/units/SN/device.key\n"
            "  --writer NAME     who writes in custody (default line)\n\n"
            "example:\n  cradle factory rework SN-000003\n"};

/* ---- scrap ---- */

typedef struct {
    factory_station_t *station;
    const char *why;
} scrapping_t;

static void scrap_lines(void *context, scan_line_t *lines, size_t count)
{
    const scrapping_t *s = context;
    for (size_t i = 0; i < count; i++) {
        bool already;
        lines[i].ok = factory_scrap(s->station, lines[i].word, s->why, &already, &lines[i].err);
        snprintf(lines[i].state, sizeof lines[i].state, "scrapped%s",
                 lines[i].ok && already ? " (was already)" : "");
    }
}

static int scrap(const cli_t *cli, int argc, char **argv)
{
    site_t site;
    scrapping_t s = {0};
    const char *writer = NULL;
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"why", 0, OPTION_TEXT, &s.why, "TEXT", "the reason"},
        {"writer", 0, OPTION_TEXT, &writer, "NAME", "who writes in custody"},
        {0},
    };
    if (!options_parse(options, &argc, argv, 0, -1, &err)) {
        return cli_fail(&err);
    }
    if (s.why == NULL) {
        err_set(&err, ERR_USAGE, "--why TEXT is needed, so that somebody can learn from it");
        return cli_fail(&err);
    }
    if (!site_open(&site, cli->site, &err) ||
        !factory_station_open(&site, writer, &s.station, &err)) {
        return cli_fail(&err);
    }
    int code = factory_scan(cli, "unit", argc, argv, scrap_lines, &s);
    factory_station_close(s.station);
    return code;
}

const cli_verb_t factory_verb_scrap = {
    .name = "scrap",
    .summary = "take a board or a unit out for good",
    .usage = "cradle factory scrap SN|MAC ... --why TEXT",
    .run = scrap,
    .help = "No station takes it any more. Its certificate stays valid: `cradle ca deny --sn SN`\n"
            "if it could fall into wrong hands.\n\n"
            "  --why TEXT      the reason\n"
            "  --writer NAME   who writes in custody (default line)\n\n"
            "example:\n  cradle factory scrap SN-000003 --why \"display broken\"\n"};

/* ---- report ---- */

static double percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 100.0 : 100.0 * (double)part / (double)whole;
}

static void report_tables(const factory_report_t *r)
{
    char n[4][24];
    term_table_t *table = term_table_new("STATION|>UNITS|>PASSED|>FIRST TIME|>FAILED TRIES|>YIELD");
    for (int i = 0; i < FACTORY_STATIONS; i++) {
        const factory_yield_t *y = &r->yield[i];
        char yield[16];
        snprintf(n[0], sizeof n[0], "%" PRIu64, y->units);
        snprintf(n[1], sizeof n[1], "%" PRIu64, y->passed);
        snprintf(n[2], sizeof n[2], "%" PRIu64, y->first);
        snprintf(n[3], sizeof n[3], "%" PRIu64, y->failures);
        snprintf(yield, sizeof yield, "%.1f %%", percent(y->first, y->units));
        term_table_row(table, y->station, n[0], n[1], n[2], n[3], y->units > 0 ? yield : "-");
    }
    term_table_print(table, stdout);
    term_table_free(table);
    table = term_table_new("FAILED AT|BECAUSE OF|>TIMES");
    for (size_t i = 0; i < r->cause_count; i++) {
        snprintf(n[0], sizeof n[0], "%" PRIu64, r->cause[i].count);
        term_table_row(table, r->cause[i].station, r->cause[i].cause, n[0]);
    }
    if (r->cause_count > 0) {
        putchar('\n');
        term_table_print(table, stdout);
    }
    term_table_free(table);
    table = term_table_new("STATE|>UNITS");
    for (int i = 0; i < FACTORY_STATES; i++) {
        snprintf(n[0], sizeof n[0], "%" PRIu64, r->state[i]);
        if (r->state[i] > 0) {
            term_table_row(table,
                           i == FACTORY_UNKNOWN ? "not past station 1"
                                                : factory_state_name((factory_state_t)i),
                           n[0]);
        }
    }
    putchar('\n');
    term_table_print(table, stdout);
    term_table_free(table);
    if (r->reworks > 0) {
        printf("\n%" PRIu64 " rework%s\n", r->reworks, r->reworks == 1 ? "" : "s");
    }
}

static void put_number(json_writer_t *w, const char *name, uint64_t value)
{
    json_key(w, name);
    json_put_i64(w, (int64_t)value);
}

static void report_json(const factory_report_t *r)
{
    static char text[16384];
    json_writer_t w;
    json_writer_init(&w, text, sizeof text);
    json_object(&w);
    json_key(&w, "stations");
    json_object(&w);
    for (int i = 0; i < FACTORY_STATIONS; i++) {
        json_key(&w, r->yield[i].station);
        json_object(&w);
        put_number(&w, "units", r->yield[i].units);
        put_number(&w, "passed", r->yield[i].passed);
        put_number(&w, "firstTime", r->yield[i].first);
        put_number(&w, "failures", r->yield[i].failures);
        json_end(&w);
    }
    json_end(&w);
    json_key(&w, "causes");
    json_array(&w);
    for (size_t i = 0; i < r->cause_count; i++) {
        json_object(&w);
        json_key(&w, "station");
        json_put_string(&w, r->cause[i].station);
        json_key(&w, "cause");
        json_put_string(&w, r->cause[i].cause);
        put_number(&w, "count", r->cause[i].count);
        json_end(&w);
    }
    json_end(&w);
    json_key(&w, "states");
    json_object(&w);
    for (int i = 0; i < FACTORY_STATES; i++) {
        put_number(&w, factory_state_name((factory_state_t)i), r->state[i]);
    }
    json_end(&w);
    put_number(&w, "reworks", r->reworks);
    json_end(&w);
    if (json_writer_done(&w, NULL)) {
        puts(text);
    }
}

static void csv_time(int64_t ms, char out[32])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    out[0] = '\0';
    if (ms > 0 && gmtime_r(&seconds, &utc) != NULL) {
        strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
}

/* Everything in it is of our own making: no field needs quotes. */
static bool csv_row(void *context, const factory_item_t *item)
{
    char t[6][32];
    (void)context;
    csv_time(item->board_ms, t[0]);
    csv_time(item->flash_ms, t[1]);
    csv_time(item->identity_ms, t[2]);
    csv_time(item->test_ms, t[3]);
    csv_time(item->label_ms, t[4]);
    csv_time(item->ship_ms, t[5]);
    printf("%s,%s,%s,%s,%s,%s,%s,%s,%s,%" PRIu32 ",%s,%" PRIu32 "\n",
           item->identity_ms > 0 ? item->sn : "", item->mac,
           factory_state_name(factory_item_state(item)), t[0], t[1], t[2], t[3], t[4], t[5],
           item->test_failures, item->test_cause, item->reworks);
    return true;
}

static int report(const cli_t *cli, int argc, char **argv)
{
    site_t site;
    factory_station_t *station = NULL;
    factory_report_t r;
    bool csv = false;
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"csv", 0, OPTION_FLAG, &csv, NULL, "a line for each unit"},
        {0},
    };
    if (!options_parse(options, &argc, argv, 0, 0, &err) || !site_open(&site, cli->site, &err) ||
        !factory_station_look(&site, &station, &err)) {
        return cli_fail(&err);
    }
    bool ok;
    if (csv) {
        puts("sn,mac,state,assembled,flashed,identified,tested,labelled,shipped,test_failures,"
             "last_cause,reworks");
        ok = factory_each_item(station, csv_row, NULL, &err);
    } else {
        ok = factory_report(station, &r, &err);
        if (ok && cli->json) {
            report_json(&r);
        } else if (ok) {
            report_tables(&r);
        }
    }
    factory_station_close(station);
    return ok ? CLI_DONE : cli_fail(&err);
}

const cli_verb_t factory_verb_report = {
    .name = "report",
    .summary = "yield of each station, failures by cause, units by state",
    .usage = "cradle factory report [--csv]",
    .run = report,
    .help =
        "All of it is read from custody. Yield: units that passed at the first try.\n\n"
        "  --csv   a line for each board and unit, with the time of each station\n\n"
        "examples:\n  cradle --json factory report\n  cradle factory report --csv > units.csv\n"};

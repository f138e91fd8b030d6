/* SPDX-License-Identifier: Apache-2.0 */
/* Stations 1 and 2: what happens to a board before it has a serial number. */
#include <stdio.h>
#include <string.h>

#include "cli/factory_verbs.h"
#include "factory/flash.h"
#include "factory/limits.h"
#include "factory/people.h"
#include "term/options.h"
#include "term/term.h"

typedef struct {
    factory_station_t *station;
    factory_board_t board; /* what the options say */
    factory_limits_t limits;
    bool limited;
    bool again;
} assemble_t;

static bool assemble_line(const assemble_t *a, scan_line_t *line)
{
    factory_board_t board = a->board;
    bool already;
    if (!factory_mac_parse(line->word, board.mac, &line->err)) {
        return false;
    }
    snprintf(line->key, sizeof line->key, "%s", board.mac);
    if ((line->rest[0] != '\0' && !factory_checks_parse(line->rest, &board, &line->err)) ||
        !factory_assemble(a->station, &board, a->limited ? &a->limits : NULL, a->again, &already,
                          &line->err)) {
        return false;
    }
    snprintf(line->state, sizeof line->state, "assembled%s", already ? " (was already)" : "");
    return true;
}

static void assemble_lines(void *context, scan_line_t *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        lines[i].ok = assemble_line(context, &lines[i]);
    }
}

static bool take_options(assemble_t *a, const char *hw, const char *lot,
                         const option_list_t *checks, const char *limits, err_t *err)
{
    if ((hw != NULL && strlen(hw) >= sizeof a->board.hw) ||
        (lot != NULL && strlen(lot) >= sizeof a->board.lot)) {
        return err_set(err, ERR_USAGE, "the hardware revision or the lot is too long");
    }
    snprintf(a->board.hw, sizeof a->board.hw, "%s", hw == NULL ? "" : hw);
    snprintf(a->board.lot, sizeof a->board.lot, "%s", lot == NULL ? "" : lot);
    for (int i = 0; i < checks->count; i++) {
        if (!factory_checks_parse(checks->items[i], &a->board, err)) {
            return false;
        }
    }
    a->limited = limits != NULL;
    return limits == NULL || factory_limits_load(limits, &a->limits, err);
}

static int assemble(const cli_t *cli, int argc, char **argv)
{
    site_t site;
    assemble_t a = {0};
    const char *hw = NULL, *lot = NULL, *limits = NULL, *writer = NULL, *person = NULL;
    option_list_t checks = {0};
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"hw", 0, OPTION_TEXT, &hw, "REVISION", "of the board (default: the site's)"},
        {"lot", 0, OPTION_TEXT, &lot, "LOT", "which lot it comes from"},
        {"check", 'c', OPTION_LIST, &checks, "NAME=VALUE,..", "what was checked"},
        {"limits", 0, OPTION_TEXT, &limits, "FILE", "what numbers must keep"},
        {"again", 0, OPTION_FLAG, &a.again, NULL, "known boards were checked anew"},
        {"writer", 0, OPTION_TEXT, &writer, "NAME", "who writes in custody"},
        {"operator", 0, OPTION_TEXT, &person, "NAME", "who works here"},
        {0},
    };
    if (!options_parse(options, &argc, argv, 0, -1, &err) ||
        !take_options(&a, hw, lot, &checks, limits, &err) || !site_open(&site, cli->site, &err) ||
        !factory_operator(&site, writer, person, &err) ||
        !factory_station_open(&site, writer, &a.station, &err)) {
        return cli_fail(&err);
    }
    int code = factory_scan(cli, "mac", argc, argv, assemble_lines, &a);
    factory_station_close(a.station);
    return code;
}

const cli_verb_t factory_verb_assemble = {
    .name = "assemble",
    .summary = "station 1: register boards by their MAC, with what was checked",
    .usage = "cradle factory assemble [MAC ...] [options]",
    .run = assemble,
    .help =
        "Without a MAC, lines are read from standard input: a MAC as the scanner gives it, and\n"
        "if need be checks of this one board (A0B1C2D3E4F5 power=3.31). Each gets one line:\n"
        "OK MAC assembled, or FAIL MAC and why.\n\n"
        "  --hw REVISION      of the board (default: the site's)\n"
        "  --lot LOT          which lot it comes from\n"
        "  -c, --check LIST   NAME=VALUE,...: ok, fail, a number or a word; may be repeated\n"
        "  --limits FILE      what numbers must keep: {\"power\":{\"min\":3.2,\"max\":3.4}}\n"
        "  --again            a known board with other facts was checked anew\n"
        "  --operator NAME    who works here; custody gets a pseudonym\n"
        "  --writer NAME      who writes in custody (default line); one name a line\n\n"
        "A check that failed is recorded, and the board does not move on. The same board with\n"
        "the same facts is fine and recorded once.\n\n"
        "examples:\n"
        "  cradle factory assemble A0:B1:C2:D3:E4:F5 --lot L7 --check sensors=ok,antenna=ok\n"
        "  cradle factory assemble --lot L7 --check sensors=ok,antenna=ok < scanner\n"};

/* ---- station 2 ---- */

#define ATTACHED "attached" /* instead of a MAC: the one on the port */

typedef struct {
    factory_station_t *station;
    factory_flasher_t *flasher;
    bool port;
    term_progress_t bar;
    const char *doing;
} flash_t;

static void show_progress(void *context, const char *what, unsigned percent)
{
    flash_t *f = context;
    if (f->doing != what) {
        if (f->doing != NULL) {
            term_progress_end(&f->bar);
        }
        f->doing = what;
        term_progress_begin(&f->bar, what, 100);
    }
    term_progress_update(&f->bar, percent);
}

static bool flash_line(flash_t *f, scan_line_t *line)
{
    char mac[FACTORY_MAC_SIZE] = "";
    bool already;
    if (!(f->port && strcmp(line->word, ATTACHED) == 0) &&
        !factory_mac_parse(line->word, mac, &line->err)) {
        return false;
    }
    bool ok = factory_flash(f->station, f->flasher, mac, &already, &line->err);
    if (f->doing != NULL) {
        term_progress_end(&f->bar);
        f->doing = NULL;
    }
    snprintf(line->key, sizeof line->key, "%s", mac);
    snprintf(line->state, sizeof line->state, "flashed%s", already ? " (was already)" : "");
    return ok;
}

static void flash_lines(void *context, scan_line_t *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        lines[i].ok = flash_line(context, &lines[i]);
    }
}

static int flash(const cli_t *cli, int argc, char **argv)
{
    static char attached[] = ATTACHED;
    char *only[] = {attached};
    site_t site;
    flash_t f = {0};
    factory_flash_t s = {.progress = show_progress, .context = &f};
    const char *writer = NULL, *person = NULL;
    err_t err = ERR_INIT;
    const option_t options[] = {
        {"port", 'p', OPTION_TEXT, &s.port, "PORT", "the serial port of the chip"},
        {"bootloader", 0, OPTION_TEXT, &s.bootloader, "FILE", "of the firmware's build"},
        {"app", 0, OPTION_TEXT, &s.app, "FILE", "the base firmware"},
        {"table", 0, OPTION_TEXT, &s.table, "FILE", "partition table (default: Cradle's)"},
        {"sdkconfig", 0, OPTION_TEXT, &s.sdkconfig, "FILE", "of the bootloader's build"},
        {"rollback-confirmed", 0, OPTION_FLAG, &s.rollback_confirmed, NULL, "without sdkconfig"},
        {"esptool", 0, OPTION_TEXT, &s.esptool, "PROGRAM", "esptool, version 4 or 5"},
        {"baud", 'b', OPTION_UINT, &s.baud, "N", "baud rate (default 460800)"},
        {"writer", 0, OPTION_TEXT, &writer, "NAME", "who writes in custody"},
        {"operator", 0, OPTION_TEXT, &person, "NAME", "who works here"},
        {0},
    };
    if (!options_parse(options, &argc, argv, 0, -1, &err) || !site_open(&site, cli->site, &err) ||
        !factory_operator(&site, writer, person, &err) ||
        !factory_station_open(&site, writer, &f.station, &err)) {
        return cli_fail(&err);
    }
    int code;
    f.port = s.port != NULL;
    if (!factory_flasher_open(&site, &s, &f.flasher, &err)) {
        code = cli_fail(&err);
    } else if (f.port && argc == 0) {
        code = factory_scan(cli, "mac", 1, only, flash_lines, &f);
    } else {
        bool lines = argc == 1 && strcmp(argv[0], "-") == 0;
        code = factory_scan(cli, "mac", lines ? 0 : argc, argv, flash_lines, &f);
    }
    factory_flasher_close(f.flasher);
    factory_station_close(f.station);
    return code;
}

const cli_verb_t factory_verb_flash = {
    .name = "flash",
    .summary = "station 2: bootloader, partition table and base firmware, read back",
    .usage = "cradle factory flash [MAC ... | -] [--port PORT --bootloader FILE --app FILE ...]",
    .run = flash,
    .help =
        "Without a port to flash bytes: the base image that all units of this site share. With "
        "one\n"
        "through esptool (4 or 5) onto a chip, MAC or no MAC: without, it is the attached one.\n"
        "\"-\" reads MACs from standard input; so does no MAC without a port.\n\n"
        "  -p, --port PORT        such as /dev/ttyUSB0\n"
        "  --bootloader FILE      bootloader.bin of the firmware's build\n"
        "  --app FILE             the base firmware, for the same chip\n"
        "  --table FILE           partition table, binary (default: Cradle's for 4 MB)\n"
        "  --sdkconfig FILE       of the bootloader's build: it must say that it can roll back\n"
        "  --rollback-confirmed   there is no sdkconfig, but you know that it can\n"
        "  --esptool PROGRAM      default: esptool, else esptool.py, from PATH\n"
        "  -b, --baud N           default 460800\n"
        "  --operator NAME        who works here; custody gets a pseudonym\n"
        "  --writer NAME          who writes in custody (default line)\n\n"
        "examples:\n"
        "  cradle factory flash A0:B1:C2:D3:E4:F5\n"
        "  cradle factory flash --port /dev/ttyUSB0 --bootloader build/bootloader/bootloader.bin "
        "\\\n"
        "      --app build/app.bin --sdkconfig build/sdkconfig\n"};

/* SPDX-License-Identifier: Apache-2.0 */
/* Station 1: a board is registered with what was checked of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "factory/internal.h"
#include "factory/ledger.h"
#include "factory/limits.h"
#include "factory/station.h"
#include "json/json.h"

#define NAME_CHARS  "abcdefghijklmnopqrstuvwxyz0123456789_"
#define VALUE_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-"
#define LOT_CHARS   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

static bool copy_part(const char *from, size_t len, const char *chars, char *out, size_t cap)
{
    if (len == 0 || len >= cap || strspn(from, chars) < len) {
        return false;
    }
    memcpy(out, from, len);
    out[len] = '\0';
    return true;
}

static bool add_check(const char *text, size_t len, factory_board_t *board, err_t *err)
{
    factory_check_t check;
    const char *equals = memchr(text, '=', len);
    size_t name = equals == NULL ? 0 : (size_t)(equals - text);
    if (equals == NULL || !copy_part(text, name, NAME_CHARS, check.name, sizeof check.name) ||
        !copy_part(equals + 1, len - name - 1, VALUE_CHARS, check.value, sizeof check.value)) {
        return err_set(err, ERR_USAGE,
                       "\"%.*s\" is no check; write NAME=VALUE, such as antenna=ok or power=3.31",
                       (int)(len > 40 ? 40 : len), text);
    }
    for (size_t i = 0; i < board->check_count; i++) {
        if (strcmp(board->checks[i].name, check.name) == 0) {
            board->checks[i] = check;
            return true;
        }
    }
    if (board->check_count == FACTORY_CHECKS_MAX) {
        return err_set(err, ERR_USAGE, "a board has at most %d checks", FACTORY_CHECKS_MAX);
    }
    board->checks[board->check_count++] = check;
    return true;
}

bool factory_checks_parse(const char *text, factory_board_t *board, err_t *err)
{
    for (;;) {
        size_t len = strcspn(text, ",");
        if (!add_check(text, len, board, err)) {
            return false;
        }
        if (text[len] == '\0') {
            return true;
        }
        text += len + 1;
    }
}

/* ---- did it pass ---- */

static const factory_check_t *find_check(const factory_board_t *board, const char *name)
{
    for (size_t i = 0; i < board->check_count; i++) {
        if (strcmp(board->checks[i].name, name) == 0) {
            return &board->checks[i];
        }
    }
    return NULL;
}

/* The name of the first check that is not as it must be; NULL: all are. `why` says how. */
static const char *find_failed(const factory_board_t *board, const factory_limits_t *limits,
                               char why[96])
{
    for (size_t i = 0; i < board->check_count; i++) {
        if (strcmp(board->checks[i].value, "fail") == 0) {
            snprintf(why, 96, "the check %s failed", board->checks[i].name);
            return board->checks[i].name;
        }
    }
    for (size_t i = 0; limits != NULL && i < limits->count; i++) {
        const factory_limit_t *limit = &limits->limit[i];
        const factory_check_t *check = find_check(board, limit->name);
        double value;
        if (check == NULL) {
            snprintf(why, 96, "the check %s is missing", limit->name);
            return limit->name;
        }
        if (!factory_number_parse(check->value, &value) || value < limit->min ||
            value > limit->max) {
            snprintf(why, 96, "%s is %s, outside its limits", check->name, check->value);
            return limit->name;
        }
    }
    return NULL;
}

/* ---- the record ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const factory_check_t *)a)->name, ((const factory_check_t *)b)->name);
}

/* Equal facts give equal bytes: that is how they are compared. */
static bool write_detail(const site_t *site, const factory_board_t *board, const char *failed,
                         char *out, size_t cap, err_t *err)
{
    factory_check_t checks[FACTORY_CHECKS_MAX];
    json_writer_t w;
    memcpy(checks, board->checks, sizeof checks);
    qsort(checks, board->check_count, sizeof *checks, by_name);
    json_writer_init(&w, out, cap);
    json_object(&w);
    json_key(&w, "mac");
    json_put_string(&w, board->mac);
    json_key(&w, "hw");
    json_put_string(&w, board->hw[0] != '\0' ? board->hw : site->hw);
    json_key(&w, "lot");
    json_put_string(&w, board->lot);
    json_key(&w, "checks");
    json_object(&w);
    for (size_t i = 0; i < board->check_count; i++) {
        json_key(&w, checks[i].name);
        json_put_string(&w, checks[i].value);
    }
    json_end(&w);
    if (failed != NULL) {
        json_key(&w, "failed");
        json_put_string(&w, failed);
    }
    json_end(&w);
    return json_writer_done(&w, NULL) ||
           err_set(err, ERR_USAGE, "the facts of board %s do not fit its record", board->mac);
}

/* The lock is held. */
static bool assemble(factory_station_t *station, const factory_board_t *board, const char *detail,
                     bool again, bool *already, err_t *err)
{
    uint8_t facts[32];
    if (!factory_station_refresh(station, err) || !pki_sha256(detail, strlen(detail), facts, err)) {
        return false;
    }
    const factory_item_t *item = factory_ledger_mac(&station->ledger, board->mac);
    if (item != NULL && item->scrap_ms > 0) {
        return err_set(err, ERR_PRECONDITION, "board %s was scrapped; take another one",
                       board->mac);
    }
    if (item != NULL && item->board_ms > 0 && memcmp(item->facts, facts, sizeof facts) == 0) {
        *already = true;
        return true;
    }
    if (item != NULL && item->board_ms > 0 && item->checks_passed && !again) {
        return err_set(err, ERR_PRECONDITION,
                       "board %s is registered with other facts; if it was checked anew, say so "
                       "with --again",
                       board->mac);
    }
    return factory_station_append(station, "", FACTORY_BOARD, detail, err);
}

bool factory_assemble(factory_station_t *station, const factory_board_t *board,
                      const factory_limits_t *limits, bool again, bool *already, err_t *err)
{
    char detail[2048];
    char why[96] = "";
    bool ignored;
    int lock;
    already = already == NULL ? &ignored : already;
    *already = false;
    if (strspn(board->lot, LOT_CHARS) != strlen(board->lot) ||
        strspn(board->hw, LOT_CHARS) != strlen(board->hw)) {
        return err_set(err, ERR_USAGE, "hardware revision and lot have A-Z a-z 0-9 . _ - only");
    }
    const char *failed = find_failed(board, limits, why);
    if (!write_detail(station->site, board, failed, detail, sizeof detail, err) ||
        !site_lock(station->site, FACTORY_BOARDS, true, &lock, err)) {
        return false;
    }
    bool ok = assemble(station, board, detail, again, already, err);
    site_unlock(lock);
    return ok && (failed == NULL ||
                  err_set(err, ERR_PRECONDITION, "%s; repair the board and scan it again", why));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "factory/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "factory/identity.h"
#include "factory/internal.h"
#include "json/json.h"

/* FNV-1a: keys are our own MACs and SNs, nobody gains by collisions. */
static size_t hash_text(const char *text)
{
    uint64_t h = 1469598103934665603u;
    for (; *text != '\0'; text++) {
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    }
    return (size_t)(h ^ h >> 32);
}

static const char *key_of(const factory_ledger_t *ledger, const uint32_t *table, uint32_t at)
{
    const factory_item_t *item = &ledger->item[at];
    return table == ledger->by_mac ? item->mac : item->sn;
}

/* The slot of that key, or the free one where it belongs. */
static size_t slot_of(const factory_ledger_t *ledger, const uint32_t *table, const char *key)
{
    size_t at = hash_text(key) & (ledger->slots - 1);
    while (table[at] != 0 && strcmp(key_of(ledger, table, table[at] - 1), key) != 0) {
        at = (at + 1) & (ledger->slots - 1);
    }
    return at;
}

static factory_item_t *find(const factory_ledger_t *ledger, const uint32_t *table, const char *key)
{
    if (ledger->slots == 0 || key[0] == '\0') {
        return NULL;
    }
    uint32_t at = table[slot_of(ledger, table, key)];
    return at == 0 ? NULL : &ledger->item[at - 1];
}

static void enter(factory_ledger_t *ledger, uint32_t *table, const char *key, size_t index)
{
    if (key[0] != '\0') {
        table[slot_of(ledger, table, key)] = (uint32_t)index + 1;
    }
}

static bool grow(factory_ledger_t *ledger)
{
    size_t room = ledger->room == 0 ? 256 : 2 * ledger->room;
    size_t slots = 4 * room; /* two tables, at most a quarter full of each key */
    factory_item_t *item = realloc(ledger->item, room * sizeof *item);
    if (item == NULL) {
        return false;
    }
    ledger->item = item;
    uint32_t *by_mac = calloc(slots, sizeof *by_mac);
    uint32_t *by_sn = calloc(slots, sizeof *by_sn);
    if (by_mac == NULL || by_sn == NULL) {
        free(by_mac);
        free(by_sn);
        return false;
    }
    free(ledger->by_mac);
    free(ledger->by_sn);
    ledger->by_mac = by_mac;
    ledger->by_sn = by_sn;
    ledger->room = room;
    ledger->slots = slots;
    for (size_t i = 0; i < ledger->count; i++) {
        enter(ledger, by_mac, item[i].mac, i);
        enter(ledger, by_sn, item[i].sn, i);
    }
    return true;
}

void factory_ledger_free(factory_ledger_t *ledger)
{
    free(ledger->item);
    free(ledger->by_mac);
    free(ledger->by_sn);
    memset(ledger, 0, sizeof *ledger);
}

const factory_item_t *factory_ledger_mac(const factory_ledger_t *ledger, const char *mac)
{
    return find(ledger, ledger->by_mac, mac);
}

const factory_item_t *factory_ledger_sn(const factory_ledger_t *ledger, const char *sn)
{
    return find(ledger, ledger->by_sn, sn);
}

/* The item that an entry is about; made when it is new. A board that gets an SN keeps its item. */
static factory_item_t *item_of(factory_ledger_t *ledger, const char *mac, const char *sn)
{
    factory_item_t *item = find(ledger, ledger->by_sn, sn);
    if (item == NULL) {
        item = find(ledger, ledger->by_mac, mac);
        if (item != NULL && sn[0] != '\0' && item->sn[0] != '\0') {
            item = NULL; /* two SNs of one MAC: nobody made that, both are shown */
        }
    }
    if (item == NULL) {
        if (ledger->count == ledger->room && !grow(ledger)) {
            ledger->out_of_memory = true;
            return NULL;
        }
        item = &ledger->item[ledger->count++];
        memset(item, 0, sizeof *item);
    }
    size_t index = (size_t)(item - ledger->item);
    if (item->mac[0] == '\0' && mac[0] != '\0') {
        snprintf(item->mac, sizeof item->mac, "%s", mac);
        enter(ledger, ledger->by_mac, item->mac, index);
    }
    if (item->sn[0] == '\0' && sn[0] != '\0') {
        snprintf(item->sn, sizeof item->sn, "%s", sn);
        enter(ledger, ledger->by_sn, item->sn, index);
    }
    return item;
}

/* ---- entries ---- */

static void get_text(const custody_entry_t *entry, const char *name, char *out, size_t cap)
{
    json_token_t value;
    if (!json_find(entry->detail, strlen(entry->detail), name, &value) ||
        !json_string(&value, out, cap, NULL)) {
        out[0] = '\0';
    }
}

/* A check's word in a board entry that means that it failed. */
static bool find_failed(const custody_entry_t *entry, char cause[FACTORY_CAUSE_SIZE])
{
    json_token_t failed;
    cause[0] = '\0';
    if (json_find(entry->detail, strlen(entry->detail), "failed", &failed)) {
        json_string(&failed, cause, FACTORY_CAUSE_SIZE, NULL);
    }
    return cause[0] != '\0';
}

static void later(int64_t *time, const custody_entry_t *entry)
{
    if (entry->time_ms > *time) {
        *time = entry->time_ms;
    }
}

static void count_cause(factory_ledger_t *ledger, const char *station, const char *cause)
{
    size_t i = 0;
    while (i < ledger->cause_count && (strcmp(ledger->cause[i].station, station) != 0 ||
                                       strcmp(ledger->cause[i].cause, cause) != 0)) {
        i++;
    }
    if (i == FACTORY_CAUSES_MAX) {
        i--;
        snprintf(ledger->cause[i].cause, FACTORY_CAUSE_SIZE, "others");
    } else if (i == ledger->cause_count) {
        ledger->cause_count++;
        ledger->cause[i].station = station;
        snprintf(ledger->cause[i].cause, FACTORY_CAUSE_SIZE, "%s", cause);
    }
    ledger->cause[i].count++;
}

static void take_board(factory_ledger_t *ledger, factory_item_t *item, const custody_entry_t *entry)
{
    char cause[FACTORY_CAUSE_SIZE];
    bool failed = find_failed(entry, cause);
    if (failed) {
        item->board_failures++;
        count_cause(ledger, "assemble", cause);
        snprintf(item->board_cause, sizeof item->board_cause, "%s", cause);
    }
    if (entry->time_ms >= item->board_ms) {
        item->board_ms = entry->time_ms;
        item->checks_passed = !failed;
        pki_sha256(entry->detail, strlen(entry->detail), item->facts, NULL);
    }
}

static void take_flash(factory_item_t *item, const custody_entry_t *entry)
{
    char hex[65];
    if (entry->time_ms >= item->flash_ms) {
        item->flash_ms = entry->time_ms;
        get_text(entry, "base_sha256", hex, sizeof hex);
        if (!bytes_from_hex(hex, strlen(hex), item->base, sizeof item->base)) {
            memset(item->base, 0, sizeof item->base);
        }
    }
}

static void take_test(factory_ledger_t *ledger, factory_item_t *item, const custody_entry_t *entry)
{
    json_token_t value;
    if (json_find(entry->detail, strlen(entry->detail), "pass", &value) &&
        value.type == JSON_TRUE) {
        item->test_passes++;
        later(&item->test_ms, entry);
    } else {
        item->test_failures++;
        get_text(entry, "cause", item->test_cause, sizeof item->test_cause);
        count_cause(ledger, "test", item->test_cause[0] != '\0' ? item->test_cause : "unknown");
    }
}

static void take(factory_ledger_t *ledger, factory_item_t *item, const custody_entry_t *entry)
{
    const char *kind = entry->kind;
    if (strcmp(kind, FACTORY_BOARD) == 0) {
        take_board(ledger, item, entry);
    } else if (strcmp(kind, FACTORY_FLASH) == 0) {
        take_flash(item, entry);
    } else if (strcmp(kind, CUSTODY_IDENTITY) == 0) {
        later(&item->identity_ms, entry);
    } else if (strcmp(kind, FACTORY_PENDING) == 0) {
        later(&item->pending_ms, entry);
    } else if (strcmp(kind, FACTORY_REWORK) == 0) {
        later(&item->identity_ms, entry);
        item->reworks++;
    } else if (strcmp(kind, FACTORY_TEST) == 0) {
        take_test(ledger, item, entry);
    } else if (strcmp(kind, FACTORY_LABEL) == 0) {
        later(&item->label_ms, entry);
    } else if (strcmp(kind, FACTORY_SHIP) == 0) {
        later(&item->ship_ms, entry);
    } else if (strcmp(kind, FACTORY_SCRAP) == 0) {
        later(&item->scrap_ms, entry);
    }
}

static bool about_unit(const char *kind)
{
    static const char *const KINDS[] = {
        FACTORY_BOARD, FACTORY_FLASH, CUSTODY_IDENTITY, FACTORY_TEST,    FACTORY_LABEL,
        FACTORY_SHIP,  FACTORY_SCRAP, FACTORY_REWORK,   FACTORY_PENDING, NULL};
    size_t i = 0;
    while (KINDS[i] != NULL && strcmp(kind, KINDS[i]) != 0) {
        i++;
    }
    return KINDS[i] != NULL;
}

static bool add(void *context, const custody_entry_t *entry)
{
    factory_ledger_t *ledger = context;
    char mac[FACTORY_MAC_SIZE];
    char sn[SITE_SN_SIZE];
    if (!about_unit(entry->kind) || strlen(entry->sn) >= sizeof sn) {
        return true;
    }
    snprintf(sn, sizeof sn, "%s", entry->sn);
    get_text(entry, "mac", mac, sizeof mac);
    if (mac[0] == '\0' && sn[0] == '\0') {
        return true; /* about nothing that can be named */
    }
    factory_item_t *item = item_of(ledger, mac, sn);
    if (item != NULL) {
        take(ledger, item, entry);
    }
    return item != NULL;
}

bool factory_ledger_refresh(factory_ledger_t *ledger, custody_t *custody, err_t *err)
{
    return custody_follow(custody, &ledger->place, add, ledger, err) &&
           (!ledger->out_of_memory ||
            err_set(err, ERR_SYSTEM, "out of memory for the list of units"));
}

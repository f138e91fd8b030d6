/* SPDX-License-Identifier: Apache-2.0 */
#include "steward/journal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/key.h"
#include "steward/journal_internal.h"

/* After the cloud could not be reached. */
#define AGAIN_MS 2000

bool journal_open(journal_t **journal, const journal_settings_t *settings, err_t *err)
{
    journal_t *j = calloc(1, sizeof *j);
    if (j == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory");
    }
    j->s = *settings;
    if (j->s.sweep_ms <= 0) {
        j->s.sweep_ms = JOURNAL_SWEEP_MS;
    }
    if (!pki_key_id(pki_signer_public(settings->signer), j->kid, err)) {
        free(j);
        return false;
    }
    *journal = j;
    return true;
}

void journal_close(journal_t *journal)
{
    free(journal);
}

void journal_log(journal_t *journal, const char *format, ...)
{
    char line[768];
    va_list args;
    if (journal->s.log == NULL) {
        return;
    }
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    journal->s.log(journal->s.ctx, line);
}

void journal_dirty(journal_t *j, const char *sn)
{
    for (size_t i = 0; i < j->dirty_count; i++) {
        if (strcmp(j->dirty[(j->dirty_first + i) % JOURNAL_DIRTY_MAX], sn) == 0) {
            return;
        }
    }
    if (j->dirty_count < JOURNAL_DIRTY_MAX) {
        snprintf(j->dirty[(j->dirty_first + j->dirty_count++) % JOURNAL_DIRTY_MAX], RECORD_SN_SIZE,
                 "%s", sn);
    }
}

bool journal_customer(journal_t *j, const char *account, char id[RECORD_ID_SIZE], err_t *err)
{
    record_account_t row;
    bool found;
    char title[64];
    id[0] = '\0';
    if (account[0] == '\0') {
        return true;
    }
    if (!record_account_get(j->s.record, account, &row, &found, err)) {
        return false;
    }
    if (found && row.customer[0] != '\0') {
        memcpy(id, row.customer, RECORD_ID_SIZE);
        return true;
    }
    snprintf(title, sizeof title, "owner %s", account);
    return cloud_customer(j->s.cloud, title, id, err) &&
           (!found || record_account_customer(j->s.record, account, id, err));
}

bool journal_customer_forget(journal_t *j, const char *account, err_t *err)
{
    record_account_t row;
    bool found;
    return record_account_get(j->s.record, account, &row, &found, err) &&
           (!found || record_account_customer(j->s.record, account, "", err));
}

/* ---- transfers ---- */

typedef struct {
    int64_t now;
    int64_t next;
    record_transfer_t due;
    bool found;
} search_t;

static bool find_due(void *ctx, const record_transfer_t *transfer)
{
    search_t *search = ctx;
    transfer_action_t action = transfer_next(&transfer->transfer, search->now);
    if (action.what != TRANSFER_DO_NOTHING) {
        search->due = *transfer;
        search->found = true;
        return false;
    }
    if (action.until < search->next) {
        search->next = action.until;
    }
    return true;
}

static bool turn_transfers(journal_t *j, int64_t now, int64_t *next)
{
    err_t err = ERR_INIT;
    search_t *search = calloc(1, sizeof *search);
    if (search == NULL) {
        return false;
    }
    search->now = now;
    search->next = *next;
    bool ok = record_transfers(j->s.record, find_due, search, &err);
    bool acted = ok && search->found;
    if (acted) {
        ok = journal_transfer_act(j, &search->due, now, &err);
    }
    if (!ok) {
        journal_log(j, "a transfer waits: %s", err.text);
        *next = now + AGAIN_MS;
        acted = false;
    } else if (search->next < *next) {
        *next = search->next;
    }
    free(search);
    return acted;
}

/* ---- projections ---- */

/* The cloud is not to be reached: said once, tried again later. */
static void cloud_away(journal_t *j, const err_t *err, int64_t now)
{
    if (!j->unreachable) {
        journal_log(j, "the cloud: %s; tried again every %d s", err->text, AGAIN_MS / 1000);
    }
    j->unreachable = true;
    j->dirty_at = now + AGAIN_MS;
}

static bool turn_dirty(journal_t *j, int64_t now, int64_t *next)
{
    err_t err = ERR_INIT;
    if (j->dirty_count == 0) {
        return false;
    }
    if (now < j->dirty_at) {
        *next = j->dirty_at < *next ? j->dirty_at : *next;
        return false;
    }
    if (!journal_project(j, j->dirty[j->dirty_first], &err)) {
        cloud_away(j, &err, now);
        *next = j->dirty_at < *next ? j->dirty_at : *next;
        /* Another may fare better meanwhile. */
        char sn[RECORD_SN_SIZE];
        memcpy(sn, j->dirty[j->dirty_first], sizeof sn);
        j->dirty_first = (j->dirty_first + 1) % JOURNAL_DIRTY_MAX;
        j->dirty_count--;
        journal_dirty(j, sn);
        return false;
    }
    j->unreachable = false;
    j->dirty_first = (j->dirty_first + 1) % JOURNAL_DIRTY_MAX;
    j->dirty_count--;
    return true;
}

/* ---- the sweep ---- */

static bool take_entry(void *ctx, const char *id, const char *name)
{
    journal_t *j = ctx;
    lobby_entry_t *entry = &j->lobby[j->lobby_count];
    snprintf(entry->id, sizeof entry->id, "%s", id);
    snprintf(entry->name, sizeof entry->name, "%s", name);
    return ++j->lobby_count < LOBBY_MAX;
}

typedef struct {
    journal_t *journal;
    unsigned count;
} drift_t;

static bool take_unit(void *ctx, const record_unit_t *unit)
{
    drift_t *drift = ctx;
    snprintf(drift->journal->drift_after, RECORD_SN_SIZE, "%s", unit->sn);
    journal_dirty(drift->journal, unit->sn);
    return ++drift->count < JOURNAL_DRIFT_MAX;
}

/* A few units each time, whatever the size of the fleet. */
static bool begin_sweep(journal_t *j, int64_t now, err_t *err)
{
    drift_t drift = {j, 0};
    j->lobby_at = j->lobby_count = 0;
    if (!record_tickets_forget(j->s.record, now / 1000, err) ||
        !cloud_lobby(j->s.cloud, take_entry, j, err) ||
        !record_units(j->s.record, NULL, j->drift_after, take_unit, &drift, err)) {
        return false;
    }
    if (drift.count < JOURNAL_DRIFT_MAX) {
        j->drift_after[0] = '\0';
    }
    return true;
}

static bool turn_sweep(journal_t *j, int64_t now, int64_t *next)
{
    err_t err = ERR_INIT;
    if (j->lobby_at < j->lobby_count) {
        const lobby_entry_t *entry = &j->lobby[j->lobby_at++];
        if (!journal_lobby(j, entry, now, &err)) {
            journal_log(j, "%s in the lobby: %s", entry->name, err.text);
        }
        return true;
    }
    if (now >= j->sweep_at || now < j->sweep_at - j->s.sweep_ms) {
        j->sweep_at = now + j->s.sweep_ms;
        if (begin_sweep(j, now, &err)) {
            j->unreachable = false;
            return true;
        }
        cloud_away(j, &err, now);
        j->sweep_at = now + AGAIN_MS;
    }
    *next = j->sweep_at < *next ? j->sweep_at : *next;
    return false;
}

void journal_turn(journal_t *j, int64_t *next_ms)
{
    int64_t now = j->s.now_ms(j->s.ctx);
    int64_t next = now + j->s.sweep_ms;
    if (turn_transfers(j, now, &next) || turn_dirty(j, now, &next) || turn_sweep(j, now, &next)) {
        next = now;
    }
    *next_ms = next;
}

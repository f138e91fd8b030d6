/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cli/verb_steward.h"
#include "json/json.h"
#include "steward/policy.h"
#include "steward/record_state.h"
#include "term/options.h"
#include "term/term.h"

static const char *or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

static const char *const CONSENTS[] = {"none", "released", "grace-over", "operator"};

/* ---- units ---- */

typedef struct {
    const cli_t *cli;
    record_t *record;
    term_table_t *table;
    err_t err;
} listing_t;

/* What is known of the keys of one unit. */
typedef struct {
    int count;
    char newest[16]; /* standing of the one that the cloud is to hold */
} keys_t;

static bool count_key(void *ctx, const record_key_t *key)
{
    (void)key;
    ((keys_t *)ctx)->count++;
    return true;
}

static bool read_keys(record_t *record, const char *sn, keys_t *keys, err_t *err)
{
    record_key_t newest;
    bool found;
    memset(keys, 0, sizeof *keys);
    if (!record_keys(record, sn, count_key, keys, err) ||
        !record_key_newest(record, sn, &newest, &found, err)) {
        return false;
    }
    snprintf(keys->newest, sizeof keys->newest, "%s",
             found ? ownership_key_name(newest.standing) : "-");
    return true;
}

static void put_unit(json_writer_t *w, const record_unit_t *unit, const record_state_t *state)
{
    json_key(w, "sn");
    json_put_string(w, unit->sn);
    json_key(w, "owner");
    json_put_string(w, unit->owner);
    json_key(w, "state");
    json_put_string(w, record_state_name(state->stage));
    json_key(w, "device");
    json_put_string(w, unit->device);
    json_key(w, "claims");
    json_put_bool(w, unit->claims_on);
    json_key(w, "stolen");
    json_put_bool(w, unit->stolen);
    json_key(w, "consent");
    json_put_string(w, CONSENTS[unit->consent]);
    json_key(w, "lock");
    json_put_string(w, policy_lock_word(unit->policy.lock));
    json_key(w, "unclaimed");
    json_put_string(w, policy_unclaimed_word(unit->policy.unclaimed));
    json_key(w, "dispose");
    json_put_string(w, policy_dispose_word(unit->policy.dispose));
}

static void print_unit_json(const record_unit_t *unit, const record_state_t *state,
                            const keys_t *keys)
{
    char line[768];
    json_writer_t w;
    json_writer_init(&w, line, sizeof line);
    json_object(&w);
    put_unit(&w, unit, state);
    json_key(&w, "keys");
    json_put_i64(&w, keys->count);
    json_end(&w);
    puts(json_writer_done(&w, NULL) ? line : "{}");
}

static bool list_unit(void *ctx, const record_unit_t *unit)
{
    listing_t *listing = ctx;
    record_state_t state;
    keys_t keys;
    char number[16];
    char note[64];
    if (!record_state(listing->record, unit->sn, &state, &listing->err) ||
        !read_keys(listing->record, unit->sn, &keys, &listing->err)) {
        return false;
    }
    if (listing->cli->json) {
        print_unit_json(unit, &state, &keys);
        return true;
    }
    snprintf(number, sizeof number, "%d", keys.count);
    snprintf(note, sizeof note, "%s%s%s%s", unit->stolen ? ", stolen" : "",
             unit->consent != OWNERSHIP_NO_CONSENT ? ", may change hands" : "",
             unit->claims_on ? "" : ", claims off",
             unit->policy.lock == OWNERSHIP_LOCKED ? ", locked" : "");
    term_table_row(listing->table, unit->sn, or_dash(unit->owner), record_state_name(state.stage),
                   or_dash(unit->device), number, keys.newest, note[0] != '\0' ? note + 2 : "");
    return true;
}

int steward_units(const cli_t *cli, int argc, char **argv)
{
    const char *owner = NULL;
    const option_t options[] = {{"owner", 0, OPTION_TEXT, &owner, "NAME", "of this account only"},
                                {0}};
    site_t site;
    listing_t listing = {.cli = cli, .err = ERR_INIT};
    bool ok = options_parse(options, &argc, argv, 0, 0, &listing.err) &&
              steward_record_open(cli, &site, &listing.record, &listing.err);
    listing.table = term_table_new("SN|OWNER|STATE|DEVICE AT THE CLOUD|>KEYS|NEWEST|NOTE");
    ok = ok && record_units(listing.record, owner, "", list_unit, &listing, &listing.err) &&
         listing.err.kind == ERR_NONE;
    if (ok && !cli->json) {
        term_table_print(listing.table, stdout);
    }
    term_table_free(listing.table);
    record_close(listing.record);
    return ok ? CLI_DONE : cli_fail(&listing.err);
}

/* ---- show ---- */

/* A text that grows, for the JSON of one unit; and tables for a person. */
typedef struct {
    bool json;
    json_writer_t w;
    term_table_t *table;
    int rows;
    const record_state_t *state;
} view_t;

static bool show_epoch(void *ctx, const record_epoch_t *row)
{
    view_t *view = ctx;
    char epoch[23];
    char seen[32];
    bytes_to_base64url(row->epoch, sizeof row->epoch, epoch, sizeof epoch);
    steward_time(row->seen, seen);
    view->rows++;
    if (!view->json) {
        term_table_row(view->table, epoch, seen, row->current ? "current" : "closed",
                       row->decided ? or_dash(row->claimant) : "not decided",
                       row->streams ? "yes" : "no");
        return true;
    }
    json_object(&view->w);
    json_key(&view->w, "epoch");
    json_put_string(&view->w, epoch);
    json_key(&view->w, "seen");
    json_put_i64(&view->w, row->seen);
    json_key(&view->w, "current");
    json_put_bool(&view->w, row->current);
    json_key(&view->w, "decided");
    json_put_bool(&view->w, row->decided);
    json_key(&view->w, "claimant");
    json_put_string(&view->w, row->claimant);
    json_key(&view->w, "streams");
    json_put_bool(&view->w, row->streams);
    json_end(&view->w);
    return true;
}

static bool show_key(void *ctx, const record_key_t *key)
{
    view_t *view = ctx;
    char hash[44];
    char ends[32];
    const char *origin = key->birth ? "birth" : key->by_claim ? "claim" : "renewal";
    bytes_to_base64url(key->hash, sizeof key->hash, hash, sizeof hash);
    steward_time(key->not_after, ends);
    view->rows++;
    if (!view->json) {
        term_table_row(view->table, hash, ownership_key_name(key->standing), origin,
                       or_dash(key->claimant), ends);
        return true;
    }
    json_object(&view->w);
    json_key(&view->w, "leaf");
    json_put_string(&view->w, hash);
    json_key(&view->w, "standing");
    json_put_string(&view->w, ownership_key_name(key->standing));
    json_key(&view->w, "origin");
    json_put_string(&view->w, origin);
    json_key(&view->w, "claimant");
    json_put_string(&view->w, key->claimant);
    json_key(&view->w, "notAfter");
    json_put_i64(&view->w, key->not_after);
    json_end(&view->w);
    return true;
}

static bool show_rows(record_t *record, const char *sn, view_t *view, bool epochs, err_t *err)
{
    if (view->json) {
        json_key(&view->w, epochs ? "epochs" : "keys");
        json_array(&view->w);
    } else {
        view->table = term_table_new(epochs ? "EPOCH|FIRST SEEN|IS|CLAIMED BY|STREAMS"
                                            : "KEY (LEAF)|STANDING|FROM|CLAIMED BY|VALID UNTIL");
    }
    view->rows = 0;
    bool ok = epochs ? record_epochs(record, sn, show_epoch, view, err)
                     : record_keys(record, sn, show_key, view, err);
    if (view->json) {
        json_end(&view->w);
    } else {
        if (view->rows > 0) {
            putchar('\n');
            term_table_print(view->table, stdout);
        }
        term_table_free(view->table);
    }
    return ok;
}

static void show_transfer(view_t *view)
{
    const record_transfer_t *t = &view->state->transfer;
    char begun[32];
    if (!view->state->has_transfer) {
        if (view->json) {
            json_key(&view->w, "transfer");
            json_put_null(&view->w);
        }
        return;
    }
    steward_time(t->begun, begun);
    if (!view->json) {
        printf("\ntransfer   from %s to %s since %s: %s, at %s%s\n", or_dash(t->from),
               or_dash(t->to), begun, transfer_way_name(t->transfer.order.way),
               transfer_step_name(t->transfer.step),
               transfer_stuck(&t->transfer) ? ", STUCK (it goes on trying; see the log)" : "");
        return;
    }
    json_key(&view->w, "transfer");
    json_object(&view->w);
    json_key(&view->w, "from");
    json_put_string(&view->w, t->from);
    json_key(&view->w, "to");
    json_put_string(&view->w, t->to);
    json_key(&view->w, "begun");
    json_put_i64(&view->w, t->begun);
    json_key(&view->w, "way");
    json_put_string(&view->w, transfer_way_name(t->transfer.order.way));
    json_key(&view->w, "step");
    json_put_string(&view->w, transfer_step_name(t->transfer.step));
    json_key(&view->w, "stuck");
    json_put_bool(&view->w, transfer_stuck(&t->transfer));
    json_end(&view->w);
}

static void print_facts(const record_state_t *state)
{
    const record_unit_t *unit = &state->unit;
    printf("sn         %s\nowner      %s\nstate      %s\ndevice     %s\n", unit->sn,
           or_dash(unit->owner), record_state_name(state->stage), or_dash(unit->device));
    printf("policy     claims %s, lock %s, unclaimed %s, dispose %s\n",
           unit->claims_on ? "on" : "off", policy_lock_word(unit->policy.lock),
           policy_unclaimed_word(unit->policy.unclaimed),
           policy_dispose_word(unit->policy.dispose));
    printf("consent    %s\npack list  %s%s\n", CONSENTS[unit->consent],
           unit->packed ? "named there" : "not in one",
           unit->has_code ? ", with a claim code" : "");
    if (unit->stolen) {
        term_print(stdout, TERM_RED, "STOLEN     reported stolen\n");
    }
}

#define SHOW_MAX (1024u * 1024)

static bool show(record_t *record, const record_state_t *state, view_t *view, err_t *err)
{
    char *text = view->json ? malloc(SHOW_MAX) : NULL;
    if (view->json && text == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory");
    }
    if (view->json) {
        json_writer_init(&view->w, text, SHOW_MAX);
        json_object(&view->w);
        put_unit(&view->w, &state->unit, state);
    } else {
        print_facts(state);
    }
    show_transfer(view);
    bool ok = show_rows(record, state->unit.sn, view, false, err) &&
              show_rows(record, state->unit.sn, view, true, err);
    if (ok && view->json) {
        json_end(&view->w);
        ok = json_writer_done(&view->w, NULL) ||
             err_set(err, ERR_SYSTEM, "this unit has too many epochs to be shown as JSON");
        if (ok) {
            puts(text);
        }
    }
    free(text);
    return ok;
}

static bool not_found(const char *sn, err_t *err)
{
    return err_set(err, ERR_PRECONDITION,
                   "the steward knows no unit %.40s; `cradle steward units` lists them", sn);
}

int steward_show(const cli_t *cli, int argc, char **argv)
{
    const option_t options[] = {{0}};
    site_t site;
    record_t *record = NULL;
    record_state_t state;
    err_t err = ERR_INIT;
    view_t view = {.json = cli->json, .state = &state};
    bool ok = options_parse(options, &argc, argv, 1, 1, &err) &&
              steward_record_open(cli, &site, &record, &err) &&
              record_state(record, argv[0], &state, &err) &&
              (state.known || not_found(argv[0], &err)) && show(record, &state, &view, &err);
    record_close(record);
    return ok ? CLI_DONE : cli_fail(&err);
}

/* ---- release, stolen ---- */

/* Reads, changes and writes in one transaction: the steward may be writing the same row. */
static bool change_unit(record_t *record, const char *sn, void (*change)(record_unit_t *unit, bool),
                        bool on, err_t *err)
{
    record_unit_t unit;
    bool found;
    if (!record_begin(record, err)) {
        return false;
    }
    bool ok = record_unit_get(record, sn, &unit, &found, err) && (found || not_found(sn, err));
    if (ok) {
        change(&unit, on);
        ok = record_unit_put(record, &unit, err);
    }
    return record_end(record, ok, err) && ok;
}

static int change(const cli_t *cli, int argc, char **argv, void (*fn)(record_unit_t *unit, bool),
                  const char *on_text, const char *off_text)
{
    bool off = false;
    const option_t options[] = {{"off", 0, OPTION_FLAG, &off, NULL, "take it back"}, {0}};
    site_t site;
    record_t *record = NULL;
    err_t err = ERR_INIT;
    bool ok = options_parse(options, &argc, argv, 1, 1, &err) &&
              steward_record_open(cli, &site, &record, &err) &&
              change_unit(record, argv[0], fn, !off, &err);
    record_close(record);
    if (!ok) {
        return cli_fail(&err);
    }
    if (!cli->json) {
        printf("%s %s\n", argv[0], off ? off_text : on_text);
    }
    return CLI_DONE;
}

static void set_consent(record_unit_t *unit, bool on)
{
    unit->consent = on ? OWNERSHIP_OPERATOR : OWNERSHIP_NO_CONSENT;
}

int steward_release(const cli_t *cli, int argc, char **argv)
{
    return change(cli, argc, argv, set_consent, "may change hands once",
                  "needs consent again where its policy asks for it");
}

static void set_stolen(record_unit_t *unit, bool on)
{
    unit->stolen = on;
}

int steward_stolen(const cli_t *cli, int argc, char **argv)
{
    return change(cli, argc, argv, set_stolen, "is reported stolen", "is not stolen any more");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "custody/custody.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "custody/store.h"
#include "json/json.h"
#include "pki/cert.h"

#define HASH_INPUT_MAX (1024 + CUSTODY_DETAIL_MAX)

typedef struct {
    uint8_t bytes[HASH_INPUT_MAX];
    size_t len;
    bool full;
} input_t;

static void put_bytes(input_t *input, const void *data, size_t len)
{
    if (len > sizeof input->bytes - input->len) {
        input->full = true;
        return;
    }
    memcpy(input->bytes + input->len, data, len);
    input->len += len;
}

static void put_number(input_t *input, uint64_t value, int width)
{
    uint8_t bytes[8];
    for (int i = 0; i < width; i++) {
        bytes[i] = (uint8_t)(value >> 8 * (width - 1 - i));
    }
    put_bytes(input, bytes, (size_t)width);
}

static void put_text(input_t *input, const char *text)
{
    size_t len = strlen(text);
    put_number(input, len, 4);
    put_bytes(input, text, len);
}

bool custody_hash(const custody_entry_t *entry, const uint8_t prev[32], uint8_t hash[32])
{
    static const char tag[] = "cradle-custody-1\n";
    input_t input;
    input.len = 0;
    input.full = false;
    put_bytes(&input, tag, sizeof tag - 1);
    put_bytes(&input, prev, 32);
    put_number(&input, entry->seq, 8);
    put_number(&input, (uint64_t)entry->time_ms, 8);
    put_number(&input, entry->number, 8);
    put_text(&input, entry->writer);
    put_text(&input, entry->sn);
    put_text(&input, entry->kind);
    put_text(&input, entry->detail);
    return !input.full && pki_sha256(input.bytes, input.len, hash, NULL);
}

static bool check_event(const custody_event_t *event, err_t *err)
{
    size_t kind = strlen(event->kind);
    size_t detail = strlen(event->detail);
    if (kind == 0 || kind >= CUSTODY_KIND_SIZE ||
        strspn(event->kind, "abcdefghijklmnopqrstuvwxyz-") != kind) {
        return err_set(err, ERR_USAGE, "a custody entry's kind has 1 to 24 of a-z -");
    }
    if (strlen(event->sn) >= CUSTODY_SN_SIZE) {
        return err_set(err, ERR_USAGE, "a custody entry's SN has at most 64 characters");
    }
    if (detail > CUSTODY_DETAIL_MAX || event->detail[0] != '{' ||
        !json_valid(event->detail, detail)) {
        return err_set(err, ERR_USAGE,
                       "a custody entry's detail is a JSON object of at most %d bytes",
                       CUSTODY_DETAIL_MAX);
    }
    if (event->number > INT64_MAX) {
        return err_set(err, ERR_USAGE, "a custody entry's number is too large");
    }
    return true;
}

/* The end of this writer's chain; seq 0 and zeros when it has none. */
static bool read_head(custody_t *custody, const char *writer, uint64_t *seq, uint8_t hash[32],
                      err_t *err)
{
    *seq = 0;
    memset(hash, 0, 32);
    sqlite3_bind_text(custody->head, 1, writer, -1, SQLITE_STATIC);
    int code = sqlite3_step(custody->head);
    bool ok = code == SQLITE_DONE;
    if (code == SQLITE_ROW) {
        const void *blob = sqlite3_column_blob(custody->head, 1);
        *seq = (uint64_t)sqlite3_column_int64(custody->head, 0);
        ok = blob != NULL && sqlite3_column_bytes(custody->head, 1) == 32;
        if (ok) {
            memcpy(hash, blob, 32);
        } else {
            err_set(err, ERR_INPUT,
                    "the last entry of %s in %s is damaged; run `cradle custody "
                    "verify`",
                    writer, custody->path);
        }
    } else if (!ok) {
        custody_fail(custody, "reading", err);
    }
    sqlite3_reset(custody->head);
    return ok;
}

static bool insert(custody_t *custody, const custody_entry_t *entry, const uint8_t prev[32],
                   err_t *err)
{
    sqlite3_stmt *s = custody->insert;
    sqlite3_bind_text(s, 1, entry->writer, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)entry->seq);
    sqlite3_bind_int64(s, 3, entry->time_ms);
    sqlite3_bind_text(s, 4, entry->sn, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 5, entry->kind, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 6, (sqlite3_int64)entry->number);
    sqlite3_bind_text(s, 7, entry->detail, -1, SQLITE_STATIC);
    sqlite3_bind_blob(s, 8, prev, 32, SQLITE_STATIC);
    sqlite3_bind_blob(s, 9, entry->hash, 32, SQLITE_STATIC);
    int code = sqlite3_step(s);
    bool ok = code == SQLITE_DONE;
    if (!ok && (code & 0xff) == SQLITE_CONSTRAINT) {
        err_set(err, ERR_PRECONDITION,
                "%s is in the custody record already and cannot be made twice",
                entry->sn[0] == '\0' ? "this entry" : entry->sn);
    } else if (!ok) {
        custody_fail(custody, "appending to", err);
    }
    sqlite3_reset(s);
    return ok;
}

/* Inside a write transaction. */
static bool append_all(custody_t *custody, const custody_event_t *events, size_t count,
                       int64_t time_ms, err_t *err)
{
    uint8_t prev[32];
    uint64_t seq;
    if (!read_head(custody, custody->writer, &seq, prev, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        custody_entry_t entry = {.writer = custody->writer,
                                 .seq = ++seq,
                                 .time_ms = time_ms,
                                 .sn = events[i].sn,
                                 .kind = events[i].kind,
                                 .number = events[i].number,
                                 .detail = events[i].detail};
        if (!custody_hash(&entry, prev, entry.hash)) {
            return err_set(err, ERR_SYSTEM, "hashing a custody entry failed");
        }
        if (!insert(custody, &entry, prev, err)) {
            return false;
        }
        memcpy(prev, entry.hash, sizeof prev);
    }
    return true;
}

static bool begin(custody_t *custody, err_t *err)
{
    if (custody->writer[0] == '\0') {
        return err_set(err, ERR_USAGE, "the custody record is open for reading");
    }
    return custody_exec(custody, "BEGIN IMMEDIATE", "locking", err);
}

static bool end(custody_t *custody, bool ok, err_t *err)
{
    ok = ok && custody_exec(custody, "COMMIT", "appending to", err);
    if (!ok) {
        sqlite3_exec(custody->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return ok;
}

bool custody_append(custody_t *custody, const custody_event_t *events, size_t count,
                    int64_t time_ms, err_t *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!check_event(&events[i], err)) {
            return false;
        }
    }
    return begin(custody, err) &&
           end(custody, append_all(custody, events, count, time_ms, err), err);
}

static bool read_highest(custody_t *custody, uint64_t *number, err_t *err)
{
    bool ok = sqlite3_step(custody->highest) == SQLITE_ROW;
    if (ok) {
        *number = (uint64_t)sqlite3_column_int64(custody->highest, 0); /* NULL reads as 0 */
    } else {
        custody_fail(custody, "reading", err);
    }
    sqlite3_reset(custody->highest);
    return ok;
}

static bool write_reservation(const custody_reservation_t *reservation, char *out, size_t cap)
{
    json_writer_t writer;
    json_writer_init(&writer, out, cap);
    json_object(&writer);
    json_key(&writer, "from");
    json_put_i64(&writer, (int64_t)reservation->from);
    json_key(&writer, "to");
    json_put_i64(&writer, (int64_t)reservation->to);
    json_key(&writer, "pattern");
    json_put_string(&writer, reservation->pattern);
    json_key(&writer, "run");
    json_put_string(&writer, reservation->run);
    json_end(&writer);
    return json_writer_done(&writer, NULL);
}

/* Inside a write transaction. */
static bool take_numbers(custody_t *custody, custody_reservation_t *reservation, uint64_t count,
                         uint64_t floor, uint64_t last, int64_t time_ms, err_t *err)
{
    uint64_t highest;
    char detail[512];
    if (!read_highest(custody, &highest, err)) {
        return false;
    }
    highest = highest < floor ? floor : highest;
    if (last <= highest || last - highest < count) {
        return err_set(err, ERR_PRECONDITION,
                       "only %" PRIu64 " serial numbers are left of the pattern %s; widen it in "
                       "cradle.json or ask for fewer",
                       last > highest ? last - highest : 0, reservation->pattern);
    }
    reservation->from = highest + 1;
    reservation->to = highest + count;
    if (!write_reservation(reservation, detail, sizeof detail)) {
        return err_set(err, ERR_USAGE, "the reservation does not fit its entry");
    }
    custody_event_t event = {"", CUSTODY_RESERVE, detail, reservation->to};
    return append_all(custody, &event, 1, time_ms, err);
}

bool custody_reserve(custody_t *custody, custody_reservation_t *reservation, uint64_t count,
                     uint64_t floor, uint64_t last, int64_t time_ms, err_t *err)
{
    if (count == 0 || last > INT64_MAX) {
        return err_set(err, ERR_USAGE, "no serial numbers were asked for");
    }
    return begin(custody, err) &&
           end(custody, take_numbers(custody, reservation, count, floor, last, time_ms, err), err);
}

static bool get_number(const char *json, const char *name, uint64_t *number)
{
    json_token_t value;
    int64_t signed_number;
    if (!json_find(json, strlen(json), name, &value) || !json_i64(&value, &signed_number) ||
        signed_number < 0) {
        return false;
    }
    *number = (uint64_t)signed_number;
    return true;
}

static bool read_reservation(const char *json, custody_reservation_t *out)
{
    json_token_t value;
    size_t len = strlen(json);
    return get_number(json, "from", &out->from) && get_number(json, "to", &out->to) &&
           out->from >= 1 && out->from <= out->to && json_find(json, len, "pattern", &value) &&
           json_string(&value, out->pattern, sizeof out->pattern, NULL) &&
           json_find(json, len, "run", &value) &&
           json_string(&value, out->run, sizeof out->run, NULL);
}

bool custody_open_reservations(custody_t *custody,
                               bool (*each)(void *context, const custody_reservation_t *),
                               void *context, err_t *err)
{
    sqlite3_stmt *s;
    if (!custody_prepare(
            custody,
            "SELECT r.detail FROM entry r WHERE r.kind = 'reserve' AND r.writer = ?1 AND "
            "NOT EXISTS (SELECT 1 FROM entry c WHERE c.kind = 'close' AND c.number = "
            "r.number) ORDER BY r.number",
            &s, err)) {
        return false;
    }
    sqlite3_bind_text(s, 1, custody->writer, -1, SQLITE_STATIC);
    bool ok = true;
    int code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        custody_reservation_t reservation;
        const char *detail = (const char *)sqlite3_column_text(s, 0);
        if (detail == NULL || !read_reservation(detail, &reservation)) {
            ok = err_set(err, ERR_INPUT,
                         "a reservation in %s is damaged; run `cradle custody verify`",
                         custody->path);
            break;
        }
        if (!each(context, &reservation)) {
            break;
        }
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        ok = custody_fail(custody, "reading", err);
    }
    sqlite3_finalize(s);
    return ok;
}

bool custody_born(custody_t *custody, const char *sn, const char **kind, err_t *err)
{
    *kind = NULL;
    if (custody->born == NULL &&
        !custody_prepare(custody,
                         "SELECT kind FROM entry WHERE sn = ?1 AND kind IN ('identity', "
                         "'void')",
                         &custody->born, err)) {
        return false;
    }
    sqlite3_stmt *s = custody->born;
    sqlite3_bind_text(s, 1, sn, -1, SQLITE_STATIC);
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(s, 0);
        *kind = text != NULL && strcmp(text, CUSTODY_VOID) == 0 ? CUSTODY_VOID : CUSTODY_IDENTITY;
    }
    bool ok = code == SQLITE_ROW || code == SQLITE_DONE || custody_fail(custody, "reading", err);
    sqlite3_reset(s);
    return ok;
}

static bool each_row(custody_t *custody, sqlite3_stmt *s, custody_each_t each, void *context,
                     err_t *err)
{
    bool ok = true;
    int code;
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        custody_entry_t entry;
        uint8_t prev[32];
        if (!custody_row(s, &entry, prev)) {
            ok = err_set(err, ERR_INPUT, "an entry in %s is damaged; run `cradle custody verify`",
                         custody->path);
            break;
        }
        if (!each(context, &entry)) {
            break;
        }
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        ok = custody_fail(custody, "reading", err);
    }
    sqlite3_reset(s);
    return ok;
}

bool custody_each_of_sn(custody_t *custody, const char *sn, custody_each_t each, void *context,
                        err_t *err)
{
    /* Kept, as lines ask for many; a callback that asks itself needs one of its own. */
    sqlite3_stmt *own = NULL;
    bool busy = custody->by_sn != NULL && sqlite3_stmt_busy(custody->by_sn);
    sqlite3_stmt **s = busy ? &own : &custody->by_sn;
    if (*s == NULL &&
        !custody_prepare(custody,
                         "SELECT " CUSTODY_COLUMNS " FROM entry WHERE sn = ?1 AND sn <> '' "
                         "ORDER BY time_ms, writer, seq",
                         s, err)) {
        return false;
    }
    sqlite3_bind_text(*s, 1, sn, -1, SQLITE_TRANSIENT);
    bool ok = each_row(custody, *s, each, context, err);
    sqlite3_finalize(own);
    return ok;
}

bool custody_each_of_kind(custody_t *custody, const char *kind, custody_each_t each, void *context,
                          err_t *err)
{
    sqlite3_stmt *s;
    if (!custody_prepare(custody,
                         "SELECT " CUSTODY_COLUMNS " FROM entry WHERE ?1 IS NULL OR kind = "
                         "?1 ORDER BY writer, seq",
                         &s, err)) {
        return false;
    }
    sqlite3_bind_text(s, 1, kind, -1, SQLITE_STATIC);
    bool ok = each_row(custody, s, each, context, err);
    sqlite3_finalize(s);
    return ok;
}

bool custody_latest(custody_t *custody, const char *writer, const char *kind, uint64_t before,
                    custody_each_t each, void *context, err_t *err)
{
    sqlite3_stmt *s;
    if (!custody_prepare(custody,
                         "SELECT " CUSTODY_COLUMNS " FROM entry WHERE writer = ?1 AND seq < ?3 AND "
                         "(?2 IS NULL OR kind = ?2) ORDER BY seq DESC LIMIT 1",
                         &s, err)) {
        return false;
    }
    sqlite3_bind_text(s, 1, writer, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, kind, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, before == 0 ? INT64_MAX : (sqlite3_int64)before);
    bool ok = each_row(custody, s, each, context, err);
    sqlite3_finalize(s);
    return ok;
}

bool custody_checkpoint(custody_t *custody, const char *writer, custody_checkpoint_t *out,
                        err_t *err)
{
    memset(out, 0, sizeof *out);
    if (strlen(writer) >= sizeof out->writer) {
        return err_set(err, ERR_USAGE, "a writer's name has at most 32 characters");
    }
    strcpy(out->writer, writer);
    if (!read_head(custody, writer, &out->seq, out->hash, err) ||
        !read_highest(custody, &out->number, err)) {
        return false;
    }
    return out->seq > 0 ||
           err_set(err, ERR_PRECONDITION, "%s has not written anything yet", writer);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's text: one JSON object with every member of a transfer_t, each exactly once. */
#include <string.h>

#include "json/json.h"
#include "ownership/transfer.h"

static uint32_t pack_flags(const transfer_t *t)
{
    return (t->order.same_leaf ? 1u : 0) | (t->clean ? 2u : 0) | (t->proven ? 4u : 0) |
           (t->gone ? 8u : 0) | (t->placed ? 16u : 0) | (t->receipt_made ? 32u : 0);
}

static void unpack_flags(transfer_t *t, uint32_t flags)
{
    t->order.same_leaf = (flags & 1) != 0;
    t->clean = (flags & 2) != 0;
    t->proven = (flags & 4) != 0;
    t->gone = (flags & 8) != 0;
    t->placed = (flags & 16) != 0;
    t->receipt_made = (flags & 32) != 0;
}

static void put_number(json_writer_t *writer, const char *name, int64_t value)
{
    json_key(writer, name);
    json_put_i64(writer, value);
}

static void put_text(json_writer_t *writer, const char *name, const char *text)
{
    json_key(writer, name);
    json_put_string(writer, text);
}

bool transfer_save(const transfer_t *transfer, char *out, size_t cap, size_t *len)
{
    json_writer_t writer;
    json_writer_init(&writer, out, cap);
    json_object(&writer);
    put_number(&writer, "v", 1);
    put_text(&writer, "way", transfer_way_name(transfer->order.way));
    put_text(&writer, "by", receipt_authority_name(transfer->order.authority));
    put_text(&writer, "step", transfer_step_name(transfer->step));
    put_text(&writer, "record", transfer->order.record);
    put_text(&writer, "place", transfer->place);
    put_text(&writer, "stray", transfer->stray);
    put_number(&writer, "sweeps", transfer->sweeps);
    put_number(&writer, "strays", transfer->strays);
    put_number(&writer, "erase", transfer->to_erase);
    put_number(&writer, "unproven", transfer->unproven);
    put_number(&writer, "failures", transfer->failures);
    put_number(&writer, "flags", pack_flags(transfer));
    put_number(&writer, "after", transfer->not_before);
    json_key(&writer, "found");
    json_array(&writer);
    for (int i = 0; i < TRANSFER_ITEMS; i++) {
        json_put_i64(&writer, transfer->found[i]);
    }
    json_end(&writer);
    json_end(&writer);
    return json_writer_done(&writer, len);
}

/* The members come in the order in which they are written, so a reader that takes them one by one
   refuses what is missing, doubled, unknown or elsewhere. */
static bool take_name(json_reader_t *reader, const char *name, json_token_t *value)
{
    json_token_t key;
    return json_next(reader, &key) == JSON_KEY && json_equals(&key, name) &&
           json_next(reader, value) != JSON_ERROR;
}

static bool take_number(json_reader_t *reader, const char *name, int64_t min, int64_t max,
                        int64_t *value)
{
    json_token_t token;
    return take_name(reader, name, &token) && json_i64(&token, value) && *value >= min &&
           *value <= max;
}

static bool take_u32(json_reader_t *reader, const char *name, uint32_t max, uint32_t *value)
{
    int64_t number;
    if (!take_number(reader, name, 0, max, &number)) {
        return false;
    }
    *value = (uint32_t)number;
    return true;
}

static bool take_id(json_reader_t *reader, const char *name, char id[TRANSFER_ID_SIZE])
{
    json_token_t token;
    return take_name(reader, name, &token) && json_string(&token, id, TRANSFER_ID_SIZE, NULL);
}

static bool take_word(json_reader_t *reader, const char *name, const char *(*word)(int), int count,
                      int *value)
{
    json_token_t token;
    if (!take_name(reader, name, &token)) {
        return false;
    }
    for (*value = 0; *value < count; (*value)++) {
        if (json_equals(&token, word(*value))) {
            return true;
        }
    }
    return false;
}

static const char *way_word(int i)
{
    return transfer_way_name((transfer_way_t)i);
}

static const char *authority_word(int i)
{
    return receipt_authority_name((receipt_authority_t)i);
}

static const char *step_word(int i)
{
    return transfer_step_name((transfer_step_t)i);
}

static bool take_words(json_reader_t *reader, transfer_t *t)
{
    int way, authority, step;
    if (!take_word(reader, "way", way_word, TRANSFER_WAYS, &way) ||
        !take_word(reader, "by", authority_word, RECEIPT_AUTHORITIES, &authority) ||
        !take_word(reader, "step", step_word, TRANSFER_STEPS, &step)) {
        return false;
    }
    t->order.way = (transfer_way_t)way;
    t->order.authority = (receipt_authority_t)authority;
    t->step = (transfer_step_t)step;
    return true;
}

static bool take_found(json_reader_t *reader, transfer_t *t)
{
    json_token_t token;
    if (!take_name(reader, "found", &token) || token.type != JSON_ARRAY) {
        return false;
    }
    for (int i = 0; i < TRANSFER_ITEMS; i++) {
        json_next(reader, &token);
        if (!json_i64(&token, &t->found[i]) || t->found[i] < 0) {
            return false;
        }
    }
    return json_next(reader, &token) == JSON_ARRAY_END &&
           json_next(reader, &token) == JSON_OBJECT_END && json_next(reader, &token) == JSON_DONE;
}

/* What a step needs must be there. */
static bool is_consistent(const transfer_t *t)
{
    bool erases = t->step == TRANSFER_AT_ERASE || t->step == TRANSFER_AT_SWEEP;
    bool about_place = t->step == TRANSFER_AT_SECURE || t->step == TRANSFER_AT_EMPTY ||
                       t->step == TRANSFER_AT_SWEEP || t->step == TRANSFER_AT_FIELDS ||
                       t->step == TRANSFER_AT_ASSIGN || t->step == TRANSFER_AT_LEAF ||
                       t->step == TRANSFER_AT_CONFIRM || t->placed;
    return t->order.record[0] != '\0' && (!erases || t->to_erase != 0) &&
           (!about_place || t->place[0] != '\0') &&
           (t->step != TRANSFER_AT_STRAY || t->stray[0] != '\0');
}

bool transfer_load(transfer_t *transfer, const char *text, size_t len)
{
    json_reader_t reader;
    json_token_t token;
    transfer_t t;
    int64_t version;
    uint32_t flags;
    const uint32_t items = (1u << TRANSFER_ITEMS) - 1;
    memset(&t, 0, sizeof(t));
    json_reader_init(&reader, text, len);
    if (json_next(&reader, &token) != JSON_OBJECT || !take_number(&reader, "v", 1, 1, &version) ||
        !take_words(&reader, &t) || !take_id(&reader, "record", t.order.record) ||
        !take_id(&reader, "place", t.place) || !take_id(&reader, "stray", t.stray) ||
        !take_u32(&reader, "sweeps", UINT32_MAX, &t.sweeps) ||
        !take_u32(&reader, "strays", UINT32_MAX, &t.strays) ||
        !take_u32(&reader, "erase", items, &t.to_erase) ||
        !take_u32(&reader, "unproven", items, &t.unproven) ||
        !take_u32(&reader, "failures", UINT32_MAX, &t.failures) ||
        !take_u32(&reader, "flags", 63, &flags) ||
        !take_number(&reader, "after", 0, INT64_MAX, &t.not_before) || !take_found(&reader, &t)) {
        return false;
    }
    unpack_flags(&t, flags);
    if (!is_consistent(&t)) {
        return false;
    }
    *transfer = t;
    return true;
}

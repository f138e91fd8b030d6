/* SPDX-License-Identifier: Apache-2.0 */
/* What a statement that passed all checks leads to: the record changes, the answer is filled in. */
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "steward/channel_internal.h"

#define RENEWAL_WINDOW_S (30 * 86400)

static bool say(asking_t *a, answer_result_t result, int64_t retry_after, const char *note)
{
    a->answer.result = result;
    a->answer.retry_after = retry_after;
    a->note = note;
    return true;
}

/* ---- first contact, adoption, a new epoch ---- */

/* The unit as it is met for the first time; a pack list may have said something already. */
static bool register_unit(asking_t *a)
{
    record_t *record = a->channel->s.record;
    if (!a->has_unit) {
        memset(&a->unit, 0, sizeof a->unit);
        snprintf(a->unit.sn, sizeof a->unit.sn, "%s", a->sn);
        a->unit.claims_on = a->channel->s.claims_on;
        a->unit.policy = a->channel->s.policy;
    }
    snprintf(a->unit.device, sizeof a->unit.device, "%s", a->device);
    a->has_unit = true;
    a->dirty = true;
    record_key_t row = a->key;
    row.standing = OWNERSHIP_KEY_NONE;
    return record_unit_put(record, &a->unit, &a->err) && record_key_put(record, &row, &a->err) &&
           record_key_event(record, row.hash, OWNERSHIP_KEY_REGISTER, &a->err);
}

/* The record that we knew is gone; this one holds a leaf of ours. */
static bool adopt(asking_t *a)
{
    snprintf(a->unit.device, sizeof a->unit.device, "%s", a->device);
    a->dirty = true;
    if (a->has_transfer) {
        transfer_record_seen(&a->transfer.transfer, a->now * 1000);
        if (!record_transfer_put(a->channel->s.record, &a->transfer, &a->err)) {
            return false;
        }
    }
    return record_unit_put(a->channel->s.record, &a->unit, &a->err);
}

static bool prepare(asking_t *a)
{
    if (a->facts.key == FACT_KEY_FIRST && !register_unit(a)) {
        return false;
    }
    if (a->facts.id == FACT_ID_ADOPT && !adopt(a)) {
        return false;
    }
    return a->facts.epoch != FACT_EPOCH_NEW ||
           record_epoch_put(a->channel->s.record, a->sn, &a->epoch, &a->err);
}

static ownership_situation_t situation_of(const asking_t *a, ownership_right_t right)
{
    ownership_situation_t s = {0};
    s.record = a->unit.owner[0] != '\0' ? OWNERSHIP_OWNED
               : a->unit.was_owned      ? OWNERSHIP_FORMER
                                        : OWNERSHIP_NEVER;
    if (a->claimant[0] != '\0') {
        s.claimant = strcmp(a->claimant, a->unit.owner) == 0 ? OWNERSHIP_OWNER : OWNERSHIP_ANOTHER;
        s.first = !a->epoch.decided                             ? OWNERSHIP_FREE
                  : strcmp(a->epoch.claimant, a->claimant) == 0 ? OWNERSHIP_MINE
                                                                : OWNERSHIP_TAKEN;
    }
    s.consent = a->unit.consent;
    s.claims_on = a->unit.claims_on;
    s.new_epoch = !a->epoch.decided;
    s.stolen = a->unit.stolen;
    s.weak_key = right == OWNERSHIP_RIGHT_CONSENT;
    return s;
}

/* ---- hello ---- */

/* A committed key's first hello makes it final; *done is false while a transfer is not so far. */
static bool first_hello(asking_t *a, bool *done)
{
    record_t *record = a->channel->s.record;
    *done = true;
    if (a->key.standing != OWNERSHIP_KEY_COMMITTED) {
        return true;
    }
    if (a->has_transfer && a->key.by_claim) {
        return journal_hello(a->channel->s.journal, &a->transfer, done, &a->err);
    }
    return record_key_event(
        record, a->key.hash,
        a->key.by_claim ? OWNERSHIP_KEY_HELLO_CLAIM : OWNERSHIP_KEY_HELLO_RENEWAL, &a->err);
}

static bool stream(asking_t *a)
{
    if (a->epoch.streams) {
        return true;
    }
    a->epoch.streams = true;
    return record_epoch_put(a->channel->s.record, a->sn, &a->epoch, &a->err);
}

static int64_t retry_of(answer_result_t result)
{
    switch (result) {
    case ANSWER_STREAM:
        return RETRY_STREAM;
    case ANSWER_HOLD:
        return RETRY_HOLD;
    case ANSWER_PENDING:
        return RETRY_PENDING;
    default:
        return RETRY_NOW;
    }
}

static bool look_code(asking_t *a, bool *one)
{
    record_code_t codes[RECORD_CODES_MAX];
    ownership_code_entry_t entries[RECORD_CODES_MAX];
    size_t count;
    if (!record_codes(a->channel->s.record, a->sn, codes, &count, &a->err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        entries[i] = (ownership_code_entry_t){codes[i].entered, codes[i].by};
    }
    *one = ownership_code_decide(entries, count, a->epoch.seen, a->now, NULL) == OWNERSHIP_CODE_ONE;
    return true;
}

static bool hello(asking_t *a, ownership_right_t right)
{
    record_key_t newest;
    bool found;
    bool done;
    ownership_hello_t h = {.pending = right == OWNERSHIP_RIGHT_PENDING,
                           .press = a->statement.press};
    if (!h.pending && !first_hello(a, &done)) {
        return false;
    }
    h.pending = h.pending || !done;
    if (!record_key_newest(a->channel->s.record, a->sn, &newest, &found, &a->err) ||
        !look_code(a, &h.code)) {
        return false;
    }
    if (!found) {
        return err_set(&a->err, ERR_INPUT, "%s has no current key on record", a->sn);
    }
    h.renew = newest.not_after - a->now < RENEWAL_WINDOW_S;
    const ownership_situation_t situation = situation_of(a, OWNERSHIP_RIGHT_FULL);
    ownership_decision_t decision = ownership_decide(&situation, &a->unit.policy);
    answer_result_t result = ownership_hello_answer(&decision, &h);
    memcpy(a->answer.leaf, newest.hash, sizeof a->answer.leaf);
    a->answer.bundle = a->channel->s.bundle_version;
    say(a, result, retry_of(result), ownership_why_name(decision.why));
    return result != ANSWER_STREAM || stream(a);
}

/* ---- grants ---- */

static bool load_granted(asking_t *a, const uint8_t leaf[JWS_HASH_SIZE], bool *alive)
{
    bool found;
    if (!record_key_get(a->channel->s.record, leaf, &a->granted, &found, &a->err)) {
        return false;
    }
    *alive = found && a->granted.standing != OWNERSHIP_KEY_VOID &&
             a->granted.standing != OWNERSHIP_KEY_DENIED;
    return true;
}

static bool grant(asking_t *a, bool by_claim)
{
    const channel_settings_t *s = &a->channel->s;
    if (!authority_grant(s->authority, a->sn, a->csr, a->now, s->days, &a->granted, &a->err)) {
        return false;
    }
    a->granted.by_claim = by_claim;
    memcpy(a->granted.epoch, a->statement.epoch, JWS_EPOCH_SIZE);
    snprintf(a->granted.claimant, sizeof a->granted.claimant, "%s", a->claimant);
    a->granted.standing = OWNERSHIP_KEY_NONE;
    return record_key_put(s->record, &a->granted, &a->err) &&
           record_key_event(s->record, a->granted.hash, OWNERSHIP_KEY_GRANT, &a->err);
}

/* The chain of the answer: the leaf, then the renewal CA. */
static void put_chain(asking_t *a)
{
    a->answer.chain[0] = (jws_bytes_t){a->granted.cert, a->granted.cert_len};
    a->answer.chain[1].data = authority_renewal(a->channel->s.authority, &a->answer.chain[1].len);
}

static bool remember(asking_t *a, answer_result_t result, answer_reason_t reason, bool granted)
{
    record_outcome_t outcome = {.result = result, .reason = reason, .has_leaf = granted};
    bool other = false;
    if (granted) {
        memcpy(outcome.leaf, a->granted.hash, sizeof outcome.leaf);
    }
    return record_question_put(a->channel->s.record, a->sn, a->question, &outcome, &a->err) &&
           (!a->has_ticket || record_ticket_use(a->channel->s.record, a->ticket_id, a->question,
                                                a->ticket_expires, &other, &a->err));
}

/* ---- claim ---- */

static bool first_claim(asking_t *a)
{
    a->epoch.decided = true;
    snprintf(a->epoch.claimant, sizeof a->epoch.claimant, "%s", a->claimant);
    return record_epoch_put(a->channel->s.record, a->sn, &a->epoch, &a->err);
}

static bool assign(asking_t *a)
{
    snprintf(a->unit.owner, sizeof a->unit.owner, "%s", a->claimant);
    a->unit.was_owned = true;
    a->unit.consent = OWNERSHIP_NO_CONSENT;
    a->dirty = true;
    return record_unit_put(a->channel->s.record, &a->unit, &a->err);
}

/* Somebody waits: the owner on record is told once. */
static bool hold(asking_t *a)
{
    if (a->unit.notified == 0) {
        a->unit.notified = a->now;
        return record_unit_put(a->channel->s.record, &a->unit, &a->err);
    }
    return true;
}

static bool claim(asking_t *a, ownership_right_t right)
{
    bool alive = false;
    if (a->repeated && a->outcome.has_leaf && !load_granted(a, a->outcome.leaf, &alive)) {
        return false;
    }
    if (alive) { /* the same question: the same chain */
        put_chain(a);
        return say(a, ANSWER_GRANTED, 0, "granted again");
    }
    const ownership_situation_t situation = situation_of(a, right);
    ownership_decision_t d = ownership_decide(&situation, &a->unit.policy);
    bool ok = true;
    if (d.outcome == OWNERSHIP_REFUSE) {
        a->answer.reason = d.reason;
        return say(a, ANSWER_REFUSED, RETRY_REFUSED, ownership_why_name(d.why));
    }
    if (a->facts.epoch == FACT_EPOCH_NEW) { /* voids what an older epoch left uncommitted */
        ok = record_key_event(a->channel->s.record, a->key.hash, OWNERSHIP_KEY_WITHDRAW, &a->err);
    }
    ok = ok && first_claim(a);
    if (d.outcome == OWNERSHIP_ASSIGN) {
        ok = ok && assign(a);
    } else if (d.outcome == OWNERSHIP_WAIT) {
        ok = ok && hold(a);
    }
    if (d.grant) {
        ok = ok && grant(a, true);
        put_chain(a);
    }
    a->answer.reason = d.reason;
    say(a, d.answer, d.answer == ANSWER_HELD ? RETRY_HELD : 0, ownership_why_name(d.why));
    return ok && remember(a, d.answer, d.reason, d.grant);
}

/* ---- renew ---- */

static bool renew(asking_t *a)
{
    bool alive = false;
    if (a->repeated && a->outcome.has_leaf && !load_granted(a, a->outcome.leaf, &alive)) {
        return false;
    }
    if (!alive && (!grant(a, false) || !remember(a, ANSWER_CHAIN_IS, ANSWER_NO_REASON, true))) {
        return false;
    }
    put_chain(a);
    return say(a, ANSWER_CHAIN_IS, 0, alive ? "renewed again" : "renewed");
}

/* ---- commit ---- */

/* The transfer that the commit of a claimed key begins, unless the device stays with its owner. */
static bool begin_transfer(asking_t *a)
{
    const channel_settings_t *s = &a->channel->s;
    record_transfer_t *t = &a->transfer;
    transfer_order_t order = {.authority = RECEIPT_BY_CLAIM};
    memset(t, 0, sizeof *t);
    if (a->unit.consent == OWNERSHIP_OPERATOR) {
        order.authority = RECEIPT_BY_OPERATOR;
    } else if (a->unit.consent == OWNERSHIP_RELEASED) {
        order.authority = RECEIPT_BY_RELEASE;
    }
    order.way = a->unit.policy.dispose == OWNERSHIP_REASSIGN ? TRANSFER_REASSIGN
                : s->adopt                                   ? TRANSFER_ADOPT
                                                             : TRANSFER_CREATE;
    snprintf(order.record, sizeof order.record, "%s",
             a->unit.device[0] != '\0' ? a->unit.device : TBREST_NULL_ID);
    if (RAND_bytes(t->id, sizeof t->id) != 1) {
        return err_set(&a->err, ERR_SYSTEM, "no random bytes");
    }
    snprintf(t->sn, sizeof t->sn, "%s", a->sn);
    snprintf(t->from, sizeof t->from, "%s", a->unit.owner);
    snprintf(t->to, sizeof t->to, "%s", a->key.claimant);
    memcpy(t->leaf, a->key.hash, sizeof t->leaf);
    t->begun = a->now;
    if (!transfer_begin(&t->transfer, &order, a->now * 1000)) {
        return err_set(&a->err, ERR_USAGE, "a transfer of %s cannot begin", a->sn);
    }
    return record_transfer_put(s->record, t, &a->err);
}

static bool commit_claim(asking_t *a)
{
    bool same = strcmp(a->key.claimant, a->unit.owner) == 0;
    if (!same && !begin_transfer(a)) {
        return false;
    }
    snprintf(a->unit.owner, sizeof a->unit.owner, "%s", a->key.claimant);
    a->unit.was_owned = true;
    a->unit.consent = OWNERSHIP_NO_CONSENT;
    a->unit.notified = 0;
    a->dirty = same; /* the transfer writes the new leaf itself */
    return record_unit_put(a->channel->s.record, &a->unit, &a->err) &&
           record_key_event(a->channel->s.record, a->key.hash, OWNERSHIP_KEY_COMMIT_CLAIM, &a->err);
}

static bool commit(asking_t *a)
{
    if (a->key.standing != OWNERSHIP_KEY_GRANTED) { /* heard before, our answer was not */
        return say(a, ANSWER_DONE, 0, "done before");
    }
    say(a, ANSWER_DONE, 0, "done");
    if (a->key.by_claim) {
        return commit_claim(a);
    }
    a->dirty = true;
    return record_key_event(a->channel->s.record, a->key.hash, OWNERSHIP_KEY_COMMIT_RENEWAL,
                            &a->err);
}

bool channel_act(asking_t *a, ownership_right_t right)
{
    if (!prepare(a)) {
        return false;
    }
    switch (a->statement.method) {
    case STATEMENT_HELLO:
        return hello(a, right);
    case STATEMENT_CLAIM:
        return claim(a, right);
    case STATEMENT_RENEW:
        return renew(a);
    case STATEMENT_COMMIT:
        return commit(a);
    default:
        a->answer.bundle = a->channel->s.bundle_version;
        return say(a, ANSWER_BUNDLE, 0, "bundle");
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers: one action at a time, kept in the record after each (ownership/transfer.h). */
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "pki/jose.h"
#include "statement/receipt.h"
#include "steward/handover.h"
#include "steward/journal_internal.h"

/* ---- the receipt ---- */

static bool write_receipt(journal_t *j, const record_transfer_t *t, int64_t now_s,
                          char out[JWS_RECEIPT_MAX + 1], err_t *err)
{
    receipt_t receipt;
    size_t len;
    memset(&receipt, 0, sizeof receipt);
    transfer_receipt(&t->transfer, &receipt);
    memcpy(receipt.kid, j->kid, sizeof receipt.kid);
    receipt.site = jws_text(j->s.site);
    receipt.sn = jws_text(t->sn);
    memcpy(receipt.id, t->id, sizeof receipt.id);
    receipt.issued = now_s;
    jws_result_t result = receipt_write(&receipt, out, JWS_RECEIPT_MAX + 1, &len);
    if (result != JWS_OK) {
        return err_set(err, ERR_SYSTEM, "the receipt of %s cannot be written: %s", t->sn,
                       jws_result_text(result));
    }
    return pki_jose_append(j->s.signer, out, JWS_RECEIPT_MAX + 1, &len, err);
}

static bool make_receipt(journal_t *j, const record_transfer_t *t, int64_t now, err_t *err)
{
    char text[JWS_RECEIPT_MAX + 1];
    uint8_t token[16];
    char link[RECORD_LINK_SIZE];
    bool there;
    if (!record_receipt_has(j->s.record, t->id, &there, err)) {
        return false;
    }
    if (there) {
        return true;
    }
    if (RAND_bytes(token, sizeof token) != 1) {
        return err_set(err, ERR_SYSTEM, "no random bytes");
    }
    bytes_to_hex(token, sizeof token, link, sizeof link);
    return write_receipt(j, t, now / 1000, text, err) &&
           record_receipt_put(j->s.record, t, text, link, now / 1000,
                              now / 1000 + JOURNAL_RECEIPT_S, err);
}

/* ---- actions ---- */

/* What needs no cloud. False: the record failed. */
static bool act_here(journal_t *j, record_transfer_t *t, const transfer_action_t *action,
                     int64_t now, err_t *err)
{
    switch (action->what) {
    case TRANSFER_DO_RECEIPT:
        return make_receipt(j, t, now, err);
    case TRANSFER_DO_DENY: {
        record_key_t key;
        bool found;
        if (!record_key_get(j->s.record, t->leaf, &key, &found, err)) {
            return false;
        }
        /* Done already when the process died right after it. */
        return !found || key.standing != OWNERSHIP_KEY_COMMITTED ||
               record_key_event(j->s.record, t->leaf, OWNERSHIP_KEY_HELLO_CLAIM, err);
    }
    case TRANSFER_DO_END:
        t->ended = true;
        journal_log(j, "%s has changed hands", t->sn);
        return true;
    default:
        return err_set(err, ERR_USAGE, "no action of the journal: %s",
                       transfer_do_name(action->what));
    }
}

static bool act_there(journal_t *j, record_transfer_t *t, const transfer_action_t *action,
                      transfer_result_t *result, err_t *err)
{
    record_key_t leaf;
    bool found;
    char customer[RECORD_ID_SIZE];
    err_t why = ERR_INIT;
    if (!record_key_newest(j->s.record, t->sn, &leaf, &found, err)) {
        return false;
    }
    if (!found) {
        return err_set(err, ERR_INPUT, "%s has no key on record", t->sn);
    }
    if (!journal_customer(j, t->to, customer, &why)) {
        result->outcome = TRANSFER_FAILED;
    } else {
        const handover_t handover = {
            .sn = t->sn, .leaf = leaf.cert, .leaf_len = leaf.cert_len, .customer = customer};
        handover_act(j->s.cloud, &handover, action, result, &why);
    }
    if (result->outcome != TRANSFER_OK &&
        (action->what == TRANSFER_DO_CREATE || action->what == TRANSFER_DO_ASSIGN) &&
        !journal_customer_forget(j, t->to, err)) {
        return false;
    }
    if (result->outcome != TRANSFER_OK) {
        journal_log(j, "%s %s: %s", t->sn, transfer_do_name(action->what),
                    why.text[0] != '\0' ? why.text : "not found");
    }
    return true;
}

/* The transfer as it is now, and where the unit's record is now. */
static bool keep(journal_t *j, record_transfer_t *t, err_t *err)
{
    record_unit_t unit;
    bool found;
    if (!record_transfer_put(j->s.record, t, err) ||
        !record_unit_get(j->s.record, t->sn, &unit, &found, err)) {
        return false;
    }
    const char *place =
        t->transfer.place[0] != '\0' || t->transfer.gone ? t->transfer.place : unit.device;
    if (!found || strcmp(unit.device, place) == 0) {
        return true;
    }
    snprintf(unit.device, sizeof unit.device, "%s", place);
    return record_unit_put(j->s.record, &unit, err);
}

bool journal_transfer_act(journal_t *j, record_transfer_t *t, int64_t now, err_t *err)
{
    transfer_result_t result = {.outcome = TRANSFER_OK};
    transfer_action_t action = transfer_next(&t->transfer, now);
    bool there = handover_does(action.what);
    bool was_stuck = transfer_stuck(&t->transfer);
    /* The cloud is not asked inside a transaction: it may take its time. */
    if (there && !act_there(j, t, &action, &result, err)) {
        return false;
    }
    if (!record_begin(j->s.record, err)) {
        return false;
    }
    bool ok = there || act_here(j, t, &action, now, err);
    if (ok) {
        transfer_apply(&t->transfer, &action, &result, now);
        ok = keep(j, t, err);
    }
    ok = record_end(j->s.record, ok, err) && ok;
    if (ok && transfer_stuck(&t->transfer) && !was_stuck) {
        journal_log(j, "ALERT %s: its transfer does not get on at step %s; it goes on trying",
                    t->sn, transfer_step_name(t->transfer.step));
    }
    if (ok && t->ended) {
        journal_dirty(j, t->sn);
    }
    return ok;
}

bool journal_hello(journal_t *j, record_transfer_t *t, bool *done, err_t *err)
{
    int64_t now = j->s.now_ms(j->s.ctx);
    const transfer_result_t result = {.outcome = TRANSFER_OK};
    *done = transfer_hello(&t->transfer);
    for (transfer_action_t action = transfer_next(&t->transfer, now);
         *done && !t->ended && (action.what == TRANSFER_DO_DENY || action.what == TRANSFER_DO_END);
         action = transfer_next(&t->transfer, now)) {
        if (!act_here(j, t, &action, now, err)) {
            return false;
        }
        transfer_apply(&t->transfer, &action, &result, now);
    }
    return record_transfer_put(j->s.record, t, err);
}

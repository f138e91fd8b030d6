/* SPDX-License-Identifier: Apache-2.0 */
#include "steward/channel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/jose.h"
#include "pki/key.h"
#include "steward/channel_internal.h"

bool channel_open(channel_t **channel, const channel_settings_t *settings, err_t *err)
{
    channel_t *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return err_set(err, ERR_SYSTEM, "out of memory");
    }
    c->s = *settings;
    if (!pki_key_id(pki_signer_public(settings->signer), c->kid, err)) {
        free(c);
        return false;
    }
    *channel = c;
    return true;
}

void channel_close(channel_t *channel)
{
    free(channel);
}

/* ---- the answer ---- */

bool channel_reply(asking_t *a, char *reply, size_t cap, size_t *len)
{
    char text[JWS_ANSWER_MAX_RSA + 1];
    size_t n;
    answer_t *answer = &a->answer;
    snprintf(answer->kid, sizeof answer->kid, "%s", a->channel->kid);
    answer->method = a->statement.method;
    answer->sn = a->statement.sn;
    memcpy(answer->epoch, a->statement.epoch, sizeof answer->epoch);
    memcpy(answer->nonce, a->statement.nonce, sizeof answer->nonce);
    answer->issued = a->now;
    jws_result_t result = answer_write(answer, text, sizeof text, &n);
    if (result == JWS_OK) {
        if (!pki_jose_append(a->channel->s.signer, text, sizeof text, &n, &a->err)) {
            return false;
        }
        bool bundle = answer->result == ANSWER_BUNDLE;
        result = carrier_write_reply(
            (jws_text_t){text, n}, jws_text(bundle ? a->channel->s.bundle : NULL), reply, cap, len);
    }
    return result == JWS_OK || err_set(&a->err, ERR_SYSTEM, "the answer cannot be written: %s",
                                       jws_result_text(result));
}

/* What a device does about a reason decides how soon it may ask again. */
static int64_t retry_of(answer_reason_t reason)
{
    return answer_reason_do(reason) == ANSWER_DO_WAIT ? RETRY_REFUSED : RETRY_NOW;
}

/* ---- one question ---- */

static bool ask(asking_t *a, ownership_verdict_t *verdict)
{
    for (;;) {
        *verdict = ownership_check(&a->facts);
        if (verdict->state == OWNERSHIP_CHECK_FAILED) {
            a->answer.result = ANSWER_REFUSED;
            a->answer.reason = verdict->answer;
            a->answer.retry_after = retry_of(verdict->answer);
            return true;
        }
        if (verdict->state == OWNERSHIP_CHECK_PASSED) {
            return channel_act(a, verdict->right);
        }
        if (!channel_look(a, verdict->check)) {
            return false;
        }
    }
}

static void write_line(asking_t *a, const ownership_verdict_t *verdict, int status)
{
    char line[768];
    const char *sn = a->sn[0] != '\0' ? a->sn : "-";
    const char *method = a->facts.form == FACT_FORM_GOOD && a->sn[0] != '\0'
                             ? statement_method_name(a->statement.method)
                             : "-";
    if (a->channel->s.log == NULL) {
        return;
    }
    if (status == 503) {
        snprintf(line, sizeof line, "%s %s: not answered: %s", sn, method, a->err.text);
    } else if (verdict->state == OWNERSHIP_CHECK_FAILED) {
        snprintf(line, sizeof line, "%s %s: refused, %s: %s%s%s%s", sn, method,
                 ownership_fault_name(verdict->fault), ownership_fault_text(verdict->fault),
                 verdict->answer != ANSWER_NO_REASON ? " " : "",
                 verdict->answer != ANSWER_NO_REASON ? answer_reason_name(verdict->answer) : "",
                 a->device != NULL ? "" : " (by HTTPS)");
    } else {
        snprintf(line, sizeof line, "%s %s: %s (%s)", sn, method,
                 answer_result_name(a->answer.result), a->note != NULL ? a->note : "");
    }
    bool stranger = verdict->state == OWNERSHIP_CHECK_FAILED && verdict->answer == ANSWER_NO_REASON;
    if (stranger && a->channel->s.log_stranger != NULL) {
        a->channel->s.log_stranger(a->channel->s.ctx, line);
    } else {
        a->channel->s.log(a->channel->s.ctx, line);
    }
}

void channel_ask(channel_t *channel, const char *device, const char *body, size_t body_len,
                 int *status, char reply[CHANNEL_REPLY_MAX], size_t *len)
{
    asking_t *a = calloc(1, sizeof *a);
    ownership_verdict_t verdict = {0};
    *len = 0;
    *status = 503;
    if (a == NULL) {
        return;
    }
    a->channel = channel;
    a->device = device;
    a->body = body;
    a->body_len = body_len;
    a->now = channel->s.now(channel->s.ctx);
    record_t *record = channel->s.record;
    bool ok = record_begin(record, &a->err);
    if (ok) {
        ok = ask(a, &verdict);
        bool changed = ok && verdict.state == OWNERSHIP_CHECK_PASSED;
        /* The answer is made before the record is kept: one that cannot be made changes nothing. */
        ok = ok && (verdict.http != 200 || channel_reply(a, reply, CHANNEL_REPLY_MAX, len));
        ok = record_end(record, changed && ok, &a->err) && ok;
    }
    if (ok) {
        *status = verdict.http;
    }
    if (ok && a->dirty) {
        journal_dirty(channel->s.journal, a->sn);
    }
    write_line(a, &verdict, *status);
    pki_key_free(a->public);
    pki_key_free(a->csr);
    free(a);
}

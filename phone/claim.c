/* SPDX-License-Identifier: Apache-2.0 */
/* What a device says of itself, the ticket it is handed, and what comes of that. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "json/json.h"
#include "phone/internal.h"

#define POLL_MS 500
/* What could still change by itself is believed when it was seen for so many looks: a claim that is
   granted is committed a moment later. */
#define SETTLE_POLLS 6

/* -- cradle-info ----------------------------------------------------------------------------- */

/* Absent is "". */
static bool optional(const char *json, size_t len, const char *name, char *out, size_t cap)
{
    json_token_t token;

    out[0] = '\0';
    if (!json_find(json, len, name, &token))
        return true;
    if (!json_string(&token, out, cap, NULL))
        return false;
    for (const char *c = out; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            return false;
    return true;
}

bool phone_info_parse(const char *json, size_t len, phone_info_t *info)
{
    json_token_t token;
    int64_t version;

    memset(info, 0, sizeof *info);
    if (!json_find(json, len, "v", &token) || !json_i64(&token, &version) || version != 1 ||
        !optional(json, len, "model", info->model, sizeof info->model) ||
        !optional(json, len, "fw", info->firmware, sizeof info->firmware) ||
        !optional(json, len, "ep", info->epoch, sizeof info->epoch) ||
        (info->epoch[0] && !phone_epoch_valid(info->epoch)) ||
        !optional(json, len, "steward", info->steward, sizeof info->steward) ||
        (info->steward[0] && !info->epoch[0]) ||
        !phone_member(json, len, "sn", info->sn, sizeof info->sn) ||
        !phone_word_valid(info->sn, sizeof info->sn - 1))
        return false;
    info->ask = json_find(json, len, "ask", &token) && token.type == JSON_TRUE;
    return true;
}

protocomm_outcome_t phone_info_read(protocomm_client_t *client, phone_info_t *info, err_t *err)
{
    uint8_t out[PROTOCOMM_MESSAGE_MAX];
    size_t len;

    memset(info, 0, sizeof *info);
    protocomm_outcome_t outcome = protocomm_client_call(
        client, "cradle-info", (const uint8_t *)"{}", 2, out, sizeof out, &len, err);
    if (outcome != PROTOCOMM_OK)
        return outcome;
    if (phone_info_parse((const char *)out, len, info))
        return PROTOCOMM_OK;
    memset(info, 0, sizeof *info);
    err_set(err, ERR_INPUT, "what the device says of itself (cradle-info) makes no sense");
    return PROTOCOMM_BAD_ANSWER;
}

/* -- cradle-claim ---------------------------------------------------------------------------- */

protocomm_outcome_t phone_claim_hand_over(protocomm_client_t *client, const char *ticket,
                                          err_t *err)
{
    uint8_t out[PROTOCOMM_MESSAGE_MAX];
    char said[80];
    size_t len;
    json_token_t token;

    protocomm_outcome_t outcome =
        protocomm_client_call(client, "cradle-claim", (const uint8_t *)ticket, strlen(ticket), out,
                              sizeof out, &len, err);
    if (outcome != PROTOCOMM_OK)
        return outcome;
    const char *json = (const char *)out;
    if (json_find(json, len, "ok", &token) && token.type == JSON_TRUE)
        return PROTOCOMM_OK;
    if (!optional(json, len, "error", said, sizeof said))
        said[0] = '\0';
    err_set(err, ERR_PEER, "the device does not take the ticket%s%s: reset it and try again",
            said[0] ? ": " : "", said);
    return PROTOCOMM_REFUSED;
}

/* -- the wait -------------------------------------------------------------------------------- */

const char *phone_claim_name(phone_claim_t claim)
{
    static const char *const names[] = {
        [PHONE_CLAIM_YOURS] = "yours", [PHONE_CLAIM_HELD] = "held",
        [PHONE_CLAIM_TAKEN] = "taken", [PHONE_CLAIM_WAITING] = "waiting",
        [PHONE_CLAIM_LOST] = "lost",
    };

    return names[claim];
}

/* What one look means, were it the last. */
static phone_claim_t judge(const phone_ownership_t *seen)
{
    if (seen->owner == PHONE_YOURS && seen->state == PHONE_STREAMING)
        return PHONE_CLAIM_YOURS;
    if (seen->owner == PHONE_SOMEBODYS && seen->state == PHONE_IS_HELD)
        return PHONE_CLAIM_HELD;
    if (seen->owner == PHONE_SOMEBODYS && seen->state == PHONE_STREAMING)
        return PHONE_CLAIM_TAKEN;
    return PHONE_CLAIM_WAITING; /* the device has not shown its ticket yet, or is handed over */
}

static void tell(const phone_wait_t *wait, phone_claim_t claim, const phone_ownership_t *last,
                 bool known, err_t *err)
{
    switch (claim) {
    case PHONE_CLAIM_HELD:
        err_set(err, ERR_PEER,
                "%s is held: it still has another owner. The owner on record must release it "
                "(`cradle phone release %s`, or ask the seller); then it becomes yours by itself",
                wait->sn, wait->sn);
        break;
    case PHONE_CLAIM_TAKEN:
        err_set(err, ERR_PEER,
                "somebody else was first: %s was claimed by another account since it was reset. "
                "If it is yours, reset it and provision it again",
                wait->sn);
        break;
    case PHONE_CLAIM_WAITING:
        err_set(err, ERR_PEER, "after %d seconds %s; look again with `cradle phone devices`",
                wait->timeout_ms / 1000,
                !known                              ? "the steward has not heard from the device"
                : last->state == PHONE_HANDING_OVER ? "the device is still being handed over"
                : last->owner == PHONE_YOURS        ? "the device is yours, but not streaming yet"
                                                    : "the steward has not taken the claim");
        break;
    default:
        break;
    }
}

/* Asks once. Not heard of this epoch: *known false. */
static bool look(const phone_wait_t *wait, phone_ownership_t *seen, bool *known, err_t *err)
{
    if (!phone_ownership(wait->account, wait->sn, seen, err))
        return false;
    *known = strcmp(seen->epoch, wait->epoch) == 0;
    return true;
}

static void pause_ms(int ms)
{
    const struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

    (void)nanosleep(&t, NULL);
}

phone_claim_t phone_claim_wait(const phone_wait_t *wait, phone_ownership_t *last, err_t *err)
{
    const uint64_t begin = clock_monotonic_ms();
    const int poll_ms = wait->poll_ms ? wait->poll_ms : POLL_MS;
    const uint64_t settle_ms = SETTLE_POLLS * (uint64_t)poll_ms;
    uint64_t since = begin, now = begin;
    phone_claim_t claim = PHONE_CLAIM_LOST, before = PHONE_CLAIM_LOST;
    err_t why = ERR_INIT;
    bool known = false;

    memset(last, 0, sizeof *last);
    do {
        err_clear(&why);
        bool asked = look(wait, last, &known, &why);
        now = clock_monotonic_ms();
        claim = !asked ? PHONE_CLAIM_LOST : known ? judge(last) : PHONE_CLAIM_WAITING;
        if (claim != before)
            since = now;
        before = claim;
        if (asked && wait->progress)
            wait->progress(wait->ctx, known ? last : NULL, now - begin);
        if (claim == PHONE_CLAIM_YOURS || why.kind == ERR_PRECONDITION ||
            ((claim == PHONE_CLAIM_HELD || claim == PHONE_CLAIM_TAKEN) && now - since >= settle_ms))
            break;
        pause_ms(poll_ms);
        now = clock_monotonic_ms();
    } while (now - begin < (uint64_t)wait->timeout_ms);
    if (claim == PHONE_CLAIM_LOST)
        err_set(err, why.kind, "%s", why.text);
    else
        tell(wait, claim, last, known, err);
    return claim;
}

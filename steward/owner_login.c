/* SPDX-License-Identifier: Apache-2.0 */
/* Logging in, and tickets. */
#include <stdio.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "statement/ticket.h"
#include "steward/owner_internal.h"

/* Wrong passwords that cost nothing, of an account from an address, and of an address. */
#define FREE_OF_ACCOUNT 2
#define FREE_OF_ADDRESS 8
#define PASSWORD_SIZE   160

#define RANDOM_FAILED "the steward has no random numbers"

static void put_expires(json_writer_t *w, const char *name, const char *text, int64_t expires)
{
    json_object(w);
    json_key(w, name);
    json_put_string(w, text);
    json_key(w, "expires");
    json_put_i64(w, expires);
    json_end(w);
}

static void hand_out_token(owner_call_t *call, const char *account)
{
    uint8_t token[32];
    uint8_t hash[32];
    char text[44];
    char body[128];
    json_writer_t w;
    size_t len;
    err_t err = ERR_INIT;
    int64_t expires = call->now + OWNER_TOKEN_S;
    bool ok = (RAND_bytes(token, sizeof token) == 1 || err_set(&err, ERR_SYSTEM, RANDOM_FAILED)) &&
              bytes_to_base64url(token, sizeof token, text, sizeof text);
    SHA256(token, sizeof token, hash);
    if (!ok || !record_token_put(call->owner->s.record, hash, account, expires, &err)) {
        owner_broken(call, &err);
        return;
    }
    json_writer_init(&w, body, sizeof body);
    put_expires(&w, "token", text, expires);
    json_writer_done(&w, &len);
    owner_reply(call, 200, body, len);
    bytes_wipe(token, sizeof token);
    bytes_wipe(text, sizeof text);
    bytes_wipe(body, sizeof body);
}

typedef struct {
    char name[RECORD_ACCOUNT_SIZE];
    char pair[GUARD_WHO_SIZE]; /* "address account" */
} who_t;

/* Does this one have to wait, or everybody? */
static bool is_slowed(owner_call_t *call, const who_t *who, uint64_t now_ms)
{
    owner_t *owner = call->owner;
    unsigned pair = guard_wait(&owner->logins, who->pair, FREE_OF_ACCOUNT, now_ms);
    unsigned peer = guard_wait(&owner->logins, call->request->peer, FREE_OF_ADDRESS, now_ms);
    if (pair == 0 && peer == 0 &&
        guard_rate_take(&owner->checks, OWNER_CHECK_RATE, OWNER_CHECK_MAX, now_ms)) {
        return false;
    }
    owner_wait(call, pair > peer ? pair : peer > 0 ? peer : 1);
    return true;
}

static void check_login(owner_call_t *call, const who_t *who, const char *password)
{
    owner_t *owner = call->owner;
    err_t err = ERR_INIT;
    bool right;
    uint64_t now_ms = clock_monotonic_ms();
    if (is_slowed(call, who, now_ms)) {
        return;
    }
    if (!record_account_check(owner->s.record, who->name, password, &right, &err)) {
        owner_broken(call, &err);
    } else if (!right) {
        guard_failed(&owner->logins, who->pair, now_ms);
        guard_failed(&owner->logins, call->request->peer, now_ms);
        owner_refuse(call, 401, "no such account, or a wrong password");
    } else {
        guard_forget(&owner->logins, who->pair);
        hand_out_token(call, who->name);
    }
}

void owner_login(owner_call_t *call)
{
    who_t who;
    char password[PASSWORD_SIZE];
    if (!owner_text(call, "name", who.name, sizeof who.name) ||
        !owner_text(call, "password", password, sizeof password)) {
        return;
    }
    snprintf(who.pair, sizeof who.pair, "%.64s %s", call->request->peer, who.name);
    check_login(call, &who, password);
    bytes_wipe(password, sizeof password);
}

/* ---- tickets ---- */

static bool make_ticket(owner_call_t *call, const char *sn, const uint8_t epoch[JWS_EPOCH_SIZE],
                        int64_t expires, char text[JWS_TICKET_MAX + 1], err_t *err)
{
    const owner_settings_t *s = &call->owner->s;
    ticket_t ticket = {.owner = jws_text(call->account), .expires = expires};
    uint8_t input[TICKET_BINDING_INPUT_MAX];
    uint8_t hash[32];
    uint8_t mac[JWS_HS256_SIZE];
    size_t len;
    if (RAND_bytes(ticket.id, sizeof ticket.id) != 1) {
        return err_set(err, ERR_SYSTEM, RANDOM_FAILED);
    }
    jws_result_t result = ticket_binding_input(jws_text(s->site), jws_text(sn), epoch, input, &len);
    if (result == JWS_OK) {
        SHA256(input, len, hash);
        memcpy(ticket.binding, hash, sizeof ticket.binding);
        result = ticket_write(&ticket, text, JWS_TICKET_MAX + 1, &len);
    }
    if (result == JWS_OK) {
        if (HMAC(EVP_sha256(), s->ticket_key, sizeof s->ticket_key, (const uint8_t *)text, len, mac,
                 NULL) == NULL) {
            return err_set(err, ERR_SYSTEM, "a ticket cannot be authenticated");
        }
        result = jws_append(text, JWS_TICKET_MAX + 1, &len, mac, sizeof mac);
    }
    return result == JWS_OK ||
           err_set(err, ERR_SYSTEM, "a ticket cannot be written: %s", jws_result_text(result));
}

void owner_ticket(owner_call_t *call)
{
    char sn[RECORD_SN_SIZE];
    char epoch_text[32];
    char text[JWS_TICKET_MAX + 1];
    char body[JWS_TICKET_MAX + 64];
    uint8_t epoch[JWS_EPOCH_SIZE];
    json_writer_t w;
    size_t len;
    err_t err = ERR_INIT;
    int64_t expires = call->now + TICKET_LIFE;
    if (!owner_sn(call, sn) || !owner_text(call, "ep", epoch_text, sizeof epoch_text)) {
        return;
    }
    if (!bytes_from_base64url(epoch_text, strlen(epoch_text), epoch, sizeof epoch, &len) ||
        len != sizeof epoch) {
        owner_refuse(call, 400, "\"ep\" must be 16 bytes in base64url");
        return;
    }
    if (!make_ticket(call, sn, epoch, expires, text, &err)) {
        owner_broken(call, &err);
        return;
    }
    json_writer_init(&w, body, sizeof body);
    put_expires(&w, "ticket", text, expires);
    json_writer_done(&w, &len);
    owner_reply(call, 200, body, len);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* owner_internal: what the files of the owners' API share. Only owner*.c include it. */
#ifndef CRADLE_STEWARD_OWNER_INTERNAL_H
#define CRADLE_STEWARD_OWNER_INTERNAL_H

#include "json/json.h"
#include "steward/owner.h"
#include "steward/owner_guard.h"

#define OWNER_TOKEN_S    2592000 /* 30 days                                                     */
#define OWNER_BODY_MAX   1024
#define OWNER_CHECK_RATE 8 /* passwords checked a second: each costs the one thread some 50 ms  */
#define OWNER_CHECK_MAX  16

struct owner {
    owner_settings_t s;
    guard_t logins;
    guard_t codes;
    guard_rate_t checks;
};

/* One request on its way. */
typedef struct {
    owner_t *owner;
    http_request_t *request;
    int64_t now;
    char account[RECORD_ACCOUNT_SIZE]; /* of the token; "" where no token is asked for */
} owner_call_t;

/* Each replies exactly once. */
void owner_login(owner_call_t *call);
void owner_ticket(owner_call_t *call);
void owner_device(owner_call_t *call);
void owner_devices(owner_call_t *call);
void owner_release(owner_call_t *call);
void owner_code(owner_call_t *call);
void owner_receipts(owner_call_t *call);
void owner_receipt(owner_call_t *call);

void owner_reply(owner_call_t *call, int status, const char *json, size_t len);
/* {"error":"..."} */
void owner_refuse(owner_call_t *call, int status, const char *text);
/* 429 with Retry-After. */
void owner_wait(owner_call_t *call, unsigned seconds);
/* The record failed: 500, and one line on standard error. */
void owner_broken(owner_call_t *call, const err_t *err);

/* A text member of the body, which is one JSON object. False: 400 was replied. */
bool owner_text(owner_call_t *call, const char *member, char *out, size_t cap);
/* The same, and it must look like an SN. */
bool owner_sn(owner_call_t *call, char sn[RECORD_SN_SIZE]);

#endif

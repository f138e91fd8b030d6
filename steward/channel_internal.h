/* SPDX-License-Identifier: Apache-2.0 */
/* internal: one question on its way through the channel; shared by the files of channel_*.c. */
#ifndef CRADLE_STEWARD_CHANNEL_INTERNAL_H
#define CRADLE_STEWARD_CHANNEL_INTERNAL_H

#include <openssl/types.h>

#include "steward/channel.h"

#define CHANNEL_BUCKETS 1024

/* Seconds after which a device asks again. */
#define RETRY_STREAM  86400
#define RETRY_HOLD    30
#define RETRY_HELD    15
#define RETRY_PENDING 2
#define RETRY_NOW     1
#define RETRY_REFUSED 30

typedef struct {
    uint32_t who; /* hash of the sender's id */
    uint32_t tokens;
    int64_t at; /* seconds */
} bucket_t;

struct channel {
    channel_settings_t s;
    char kid[JWS_KID_LEN + 1];
    bucket_t buckets[CHANNEL_BUCKETS];
};

/* Everything that is found out about one question. */
typedef struct {
    channel_t *channel;
    const char *device; /* NULL: by HTTPS */
    const char *body;
    size_t body_len;
    int64_t now;
    ownership_facts_t facts;

    statement_method_t method; /* as the carrier says */
    jws_t jws;
    char scratch[JWS_STATEMENT_MAX];
    statement_t statement;
    char sn[RECORD_SN_SIZE];

    record_unit_t unit;
    bool has_unit;
    record_key_t key; /* the signer's */
    EVP_PKEY *public;
    cloud_device_t met; /* first contact, and records to be adopted */
    record_epoch_t epoch;
    record_transfer_t transfer; /* open */
    bool has_transfer;

    char claimant[RECORD_ACCOUNT_SIZE];
    bool has_ticket;
    uint8_t ticket_id[JWS_NONCE_SIZE];
    int64_t ticket_expires;

    EVP_PKEY *csr; /* the public key in the request */
    uint8_t csr_key[JWS_HASH_SIZE];
    char question[QUESTION_TEXT_SIZE]; /* claim, renew, commit */
    record_outcome_t outcome;          /* of the same question, asked before */
    bool repeated;

    answer_t answer;
    record_key_t granted; /* whose certificate the answer's chain begins with */
    const char *note;     /* for the log: what came of it */
    bool dirty;           /* the cloud's record is to be looked at */
    err_t err;
} asking_t;

/* Finds out about one fact. False: the steward itself failed (asking->err); nothing is answered. */
bool channel_look(asking_t *asking, ownership_check_t check);

/* All checks have passed: decides, writes the record, fills in the answer. Inside a transaction. */
bool channel_act(asking_t *asking, ownership_right_t right);

/* asking->answer, signed, in its carrier. */
bool channel_reply(asking_t *asking, char *reply, size_t cap, size_t *len);

#endif

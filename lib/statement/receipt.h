/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receipt: what was erased when a device changed hands, signed by the steward key (DESIGN 5.6,
 * docs/protocol.md section 7). It names the device, never a person, and is verified offline with
 * the steward key of the bundle.
 */
#ifndef CRADLE_STATEMENT_RECEIPT_H
#define CRADLE_STATEMENT_RECEIPT_H

#include "statement/jws.h"

/* What there was. */
typedef enum {
    RECEIPT_SERIES = 0, /* telemetry                                                     */
    RECEIPT_CLIENT_ATTRIBUTES,
    RECEIPT_SHARED_ATTRIBUTES,
    RECEIPT_SERVER_ATTRIBUTES,
    RECEIPT_ALARMS,   /* with their comments                                           */
    RECEIPT_RPCS,     /* persistent RPCs                                               */
    RECEIPT_RECORD,   /* the device's record itself                                    */
    RECEIPT_LABEL,    /* label and additional info                                     */
    RECEIPT_FIRMWARE, /* assigned firmware                                             */
    RECEIPT_KEY,      /* the right of former keys to log in                            */
    RECEIPT_AUDIT,    /* the server's audit log                                        */
    RECEIPT_SESSIONS, /* open WebSockets of the former owner                           */
    RECEIPT_ITEMS,
} receipt_item_t;

/* What became of it. */
typedef enum {
    RECEIPT_ERASED = 0, /* erased, read back, found empty                                       */
    RECEIPT_REQUESTED,  /* erasing was ordered and answered, but could not be read back         */
    RECEIPT_RETAINED,   /* still there, because: `reason`                                       */
} receipt_state_t;

typedef enum {
    RECEIPT_NO_REASON = 0,
    RECEIPT_BY_SERVER,  /* retained: the server's own retention setting rules                   */
    RECEIPT_REASSIGNED, /* retained: the record was reassigned, not deleted                     */
    RECEIPT_SAME_KEY,   /* retained: the unit cannot change its key                             */
    RECEIPT_REASONS,
} receipt_reason_t;

/* Whose word it was done on. */
typedef enum {
    RECEIPT_BY_CLAIM = 0, /* a claim, under the policy `open`      */
    RECEIPT_BY_RELEASE,   /* the former owner released it          */
    RECEIPT_BY_GRACE,     /* the notified grace time ran out       */
    RECEIPT_BY_OPERATOR,
    RECEIPT_AUTHORITIES,
} receipt_authority_t;

/* The words on the wire; "?" for anything that is none. */
const char *receipt_item_name(receipt_item_t item);
const char *receipt_state_name(receipt_state_t state);
const char *receipt_reason_name(receipt_reason_t reason);
const char *receipt_authority_name(receipt_authority_t authority);

typedef struct {
    receipt_item_t item;
    receipt_state_t state;
    int64_t count;           /* how many were found before erasing; -1: not counted             */
    receipt_reason_t reason; /* for RECEIPT_RETAINED                                            */
} receipt_line_t;

typedef struct {
    char kid[JWS_KID_LEN + 1];
    jws_text_t site; /* iss */
    jws_text_t sn;
    uint8_t id[JWS_NONCE_SIZE]; /* of the transfer                                              */
    int64_t issued;             /* `iat`                                                        */
    receipt_authority_t authority;
    receipt_line_t lines[RECEIPT_ITEMS]; /* each item at most once */
    size_t line_count;
} receipt_t;

/* As statement_write and statement_read. */
jws_result_t receipt_write(const receipt_t *receipt, char *out, size_t cap, size_t *len);
jws_result_t receipt_read(jws_t *jws, void *scratch, size_t cap, receipt_t *receipt);

#endif

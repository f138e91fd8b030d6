/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state: the memory of one device. Here only so that the caller can make room for it; every member
 * is private to core/. Include core/device.h instead.
 */
#ifndef CRADLE_CORE_STATE_H
#define CRADLE_CORE_STATE_H

#include "core/device.h"

/* One moment each; CRADLE_NEVER is off. */
#define CRADLE_NEVER UINT64_MAX

typedef enum {
    CRADLE_TIMER_LIMIT,   /* joining, setting the clock, connecting, subscribing: too long */
    CRADLE_TIMER_TRY,     /* back-off over: join or connect again                     */
    CRADLE_TIMER_HEALTH,  /* uptime, days left, counters                              */
    CRADLE_TIMER_ASK,     /* shared attributes were asked for, and no answer came     */
    CRADLE_TIMER_STABLE,  /* this connection counts as a good one; up to here they are
                             of the connection, and end with it                       */
    CRADLE_TIMER_SAMPLE,  /* the product's next sample                                */
    CRADLE_TIMER_SERVICE, /* the provisioning service has done its work               */
    CRADLE_TIMER_STEWARD, /* ask the steward; or: its answer did not come             */
    CRADLE_TIMERS,
} cradle_timer_t;

typedef struct {
    char ssid[CRADLE_SSID_MAX + 1];
    char passphrase[CRADLE_PASSPHRASE_MAX + 1]; /* secret */
} cradle_wifi_t;

/* A publish on its way. Live records wait in the device's `live` bytes, a backlog entry stands for
   a run of outbox records. */
typedef struct {
    uint64_t last;    /* backlog: highest record number that the PUBACK covers */
    uint64_t first;   /* backlog: lowest                                       */
    uint64_t sent_at; /* when it was handed to the port                        */
    uint16_t token;
    uint16_t offset; /* live: where the record begins                         */
    uint16_t len;
    uint16_t records;   /* telemetry records in it                               */
    uint16_t undatable; /* backlog: records skipped in the run                   */
    uint8_t kind;       /* LIVE or BACKLOG of telemetry.c                        */
    uint8_t progress;   /* QUEUED, SENT or ACKED                                 */
} cradle_flight_t;

/* A bundle, as far as the brain needs it: the steward's key, and the bench's, whose id is "" when
   there is none. */
typedef struct {
    int64_t version; /* 0: none */
    struct {
        char kid[JWS_KID_LEN + 1];
        uint8_t key[BUNDLE_SPKI_SIZE];
    } by[2];
} cradle_bundle_t;

/* What is between the device and its steward. */
typedef struct {
    bool there; /* there is one to ask */
    /* kept in the settings, for this epoch */
    bool streaming;
    uint8_t granted; /* slot that waits for its commit; 0: none         */
    uint32_t floor;  /* highest `iat`, seconds: time is never before it */
    /* what is to be asked */
    bool due;    /* now, when there is a carrier            */
    bool hello;  /* before anything else that needs rights  */
    bool claim;  /* answered *claim*                        */
    bool ticket; /* there is one in the settings            */
    bool renew;
    bool fresh;  /* just renewed, or refused: no renewal at the next hello */
    bool commit; /* answered *commit first*                 */
    bool fetch;  /* a newer bundle                          */
    bool press;
    bool called;     /* somebody wants a hello while another question is under way */
    uint8_t attempt; /* exponent of the back-off */
    uint8_t hurry;   /* questions since the last wait */
    uint32_t after;  /* seconds, of the last answer */
    /* the question under way */
    uint8_t step;
    uint8_t method;
    uint8_t signer; /* slot */
    uint8_t source; /* of the bundle that is looked at */
    uint8_t by;     /* whose answer: 0 the steward's, 1 the bench's */
    bool posted;    /* by HTTPS */
    uint16_t token;
    uint16_t at; /* in `message`: what is signed or verified */
    uint16_t len;
    uint16_t payload;
    uint16_t payload_len;
    uint16_t signature;
    uint16_t rpc;
    uint8_t nonce[JWS_NONCE_SIZE];
    jws_bytes_t chain[ANSWER_CHAIN];
    uint8_t spare; /* slot that the chain goes to */
    uint8_t answer;
    uint8_t reason;
    /* keys and certificates */
    bool loaded;
    cradle_bundle_t bundle;
    cradle_bundle_t next;
    cradle_leaf_t leaves[CRADLE_SLOTS];
    bool has[CRADLE_SLOTS];
} cradle_steward_t;

struct cradle_device {
    const cradle_port_t *port;
    const cradle_product_t *product;
    cradle_facts_t facts;

    /* lifecycle */
    uint64_t now;
    uint64_t booted;
    uint64_t timers[CRADLE_TIMERS];
    const char *why;
    uint32_t pending; /* a bit for each action that is to be done */
    uint8_t state;
    uint8_t joined;  /* cradle_joined_t for the provisioning client */
    bool service_on; /* the provisioning service is up, or starting */
    bool radio_on;   /* the port was told to join                   */
    bool cloud_on;   /* the port was told to connect                */
    bool subscribed;
    bool kept;            /* `wifi` is in the settings                   */
    bool candidate;       /* `wifi` is new and not proven                */
    uint8_t join_attempt; /* exponents of the back-off                   */
    uint8_t cloud_attempt;
    uint8_t refused_attempt;
    bool refused;
    uint8_t rounds;              /* in a row in which every certificate was refused */
    bool direct;                 /* asking by HTTPS                                 */
    uint8_t slots[CRADLE_SLOTS]; /* in the order to try: newest first, birth last */
    uint8_t slot_count;
    uint8_t slot_at;
    cradle_wifi_t wifi;
    uint8_t epoch[CRADLE_EPOCH_SIZE];
    char ticket[JWS_TICKET_MAX + 1]; /* of the candidate */
    cradle_steward_t steward;

    /* time */
    bool clock_set;
    int64_t offset;       /* unix_ms - now */
    int64_t first_offset; /* the first of this boot dates what was measured before it */
    uint64_t last_moment;
    int64_t last_stamp;
    uint32_t boot;

    /* telemetry */
    uint32_t period_ms;
    uint64_t next_record; /* first outbox record not yet in the window */
    bool backlog;         /* there may be records to read now          */
    int64_t lost;         /* beside those that the outbox drops        */
    uint64_t lost_upto;   /* records up to here are counted in `lost`  */
    uint64_t acked;
    uint8_t fruitless; /* connections that the cloud closed on the first record */
    bool any_ack;      /* in this connection                                    */
    uint16_t last_token;
    uint16_t live_len;
    uint16_t flight_count;
    cradle_flight_t flights[CRADLE_WINDOW];

    /* conversation */
    bool ask_due;
    bool report_due;
    bool reply_due; /* `message` holds the answer to the RPC reply_id */
    uint8_t asked;
    uint32_t ask_id;
    uint32_t reply_id;
    uint32_t connections;
    uint32_t impossible;
    uint32_t ignored;

    char topic[CRADLE_TOPIC_MAX];
    uint16_t message_len;
    uint8_t live[CRADLE_LIVE_MAX];
    char message[CRADLE_MESSAGE_MAX];
};

#endif

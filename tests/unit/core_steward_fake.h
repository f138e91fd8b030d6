/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_steward_fake: the rest of the world for a device that asks: keys and certificates, a cloud
 * that knows which of them lets it in, a steward that decides, and faults on the way. Cryptography
 * is a stand-in that is as strict as the real one: a signature fits exactly one key and one text.
 *
 * Keys are numbers: 1 is birth, the device makes 100, 101 ...; a certificate is a key and a serial
 * number.
 */
#ifndef CRADLE_TESTS_CORE_STEWARD_FAKE_H
#define CRADLE_TESTS_CORE_STEWARD_FAKE_H

#include "core_fake.h"

#define SIM_CERTS 8
#define SIM_SITE  "00112233445566778899aabbccddeeff"

enum { SIM_ANCHOR = 201, SIM_STEWARD, SIM_OTHER_STEWARD, SIM_STRANGER, SIM_BENCH };

typedef enum {
    CERT_NONE = 0,
    CERT_GRANTED,
    CERT_COMMITTED,
    CERT_CURRENT,
    CERT_LEAVING,
    CERT_DENIED,
} sim_standing_t;

typedef struct {
    uint32_t key;
    uint32_t serial;
    sim_standing_t standing;
} sim_cert_t;

/* How the next reply is spoilt. */
typedef enum {
    SPOIL_NOT = 0,
    SPOIL_LOST,      /* nothing comes                                */
    SPOIL_TIMEOUT,   /* ThingsBoard's own {"error":"timeout"}        */
    SPOIL_ECHO,      /* the request itself                           */
    SPOIL_KID,       /* a key that no bundle names                   */
    SPOIL_SIGNATURE, /* one bit                                      */
    SPOIL_REPLAY,    /* the answer before, once more                 */
    SPOIL_SN,        /* for another device                           */
    SPOIL_EPOCH,     /* for another epoch                            */
    SPOIL_METHOD,    /* to another method                            */
    SPOIL_GARBAGE,
} sim_spoil_t;

typedef struct {
    world_t world;
    uint32_t next_key;
    int days; /* of each certificate */
    bool no_renewals;
    /* the steward's record */
    sim_cert_t certs[SIM_CERTS];
    uint32_t serials;
    uint8_t closed[CRADLE_EPOCH_SIZE];
    bool owned;              /* by whom the ticket names, in this epoch            */
    bool open;               /* streams without an owner                           */
    answer_result_t unowned; /* what hello hears before that                       */
    answer_result_t claimed; /* mine, granted, held or refused                     */
    answer_reason_t reason;  /* of held and refused                                */
    int64_t retry_after;
    bool renew; /* hello hears renew                                               */
    uint64_t acts_at;
    int64_t bundle_version; /* 0: answers name none */
    uint32_t bundle_steward;
    uint32_t bundle_anchor; /* which signs it */
    uint32_t signs;         /* the key that signs answers */
    /* the cloud */
    bool up; /* a connection */
    bool subscribed, all;
    bool refuses; /* everything */
    uint8_t slot; /* in use */
    bool https;   /* the steward is to be reached */
    /* faults */
    sim_spoil_t spoil;
    int spoil_method;  /* only replies to this; -1: any */
    bool lose_request; /* the next of spoil_method does not arrive */
    bool reboot;       /* with the fault the power goes, too */
    /* what was seen */
    unsigned asked[STATEMENT_METHODS];
    unsigned posted;
    statement_method_t last;
    statement_t said; /* its texts are gone */
    bool ticketed;    /* the last claim had one */
    unsigned telemetry;
    unsigned connects;
    uint8_t tried[32];
    char reply[CARRIER_REPLY_MAX + 1];
    size_t reply_len;
    char before[CARRIER_REPLY_MAX + 1];
} sim_t;

void sim_init(sim_t *sim, uint64_t seed);
void sim_free(sim_t *sim);

/* A signature fits one key and one text. */
void sim_sign(uint32_t key, const void *data, size_t len, uint8_t out[JWS_ES256_SIZE]);
void sim_hash_leaf(uint32_t key, uint32_t serial, uint8_t hash[32]);
/* The steward hears a request and fills in sim->reply; false: nothing comes back. */
bool sim_hear(sim_t *sim, const char *request, size_t len);

/* A bundle of that version, which names `steward` and SIM_BENCH, signed by `anchor`; static text.
 */
const char *sim_bundle(int64_t version, uint32_t steward, uint32_t anchor);

/* Provisions (with a ticket unless NULL) and lets it live until nothing more comes for a while. */
void sim_provision(sim_t *sim, const char *ticket);
void sim_boot(sim_t *sim);
/* Performs actions until there are none; false: a power cut. */
bool sim_act(sim_t *sim);
/* Lives on for that long, over power cuts and reboots. */
void sim_live(sim_t *sim, uint64_t ms);
/* Lives until telemetry flows, at most that long. */
bool sim_until_stream(sim_t *sim, uint64_t ms);

/* A certificate by its leaf hash; NULL. */
sim_cert_t *sim_cert(sim_t *sim, const uint8_t *hash);
/* The key of the certificate in use. */
uint32_t sim_key(const sim_t *sim);

#endif

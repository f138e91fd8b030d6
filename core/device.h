/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device: the brain of a Cradle device. Portable C11: no operating system, no socket, no clock, no
 * heap, no printf. The port feeds it events and performs its actions; every decision is made here.
 *
 *     static cradle_device_t device;                       all the memory there is
 *     cradle_device_init(&device, &port, &product, &facts, now_ms);
 *     for (;;) {
 *         while (cradle_device_next(&device, &action))     do this: join, connect, publish ...
 *             perform(&action);
 *         wait for something, at most until cradle_device_deadline(&device);
 *         cradle_device_handle(&device, &event, now_ms);   something happened (or
 * CRADLE_EVENT_TICK)
 *     }
 *
 * After each cradle_device_handle the port calls cradle_device_next until it returns false, except
 * that it may stop early when it cannot take more publishes now: what is left is still there at
 * the next call, nothing is queued twice.
 *
 * Lifecycle (DESIGN section 4; the table is in lifecycle.c):
 *
 *     blank          no usable identity: waits for the factory, does nothing
 *     unprovisioned  no Wi-Fi known: the provisioning service is up
 *     joining        Wi-Fi: with new credentials (kept only once they worked), or with the kept
 *                    ones (tried for ever with back-off; never falls back to provisioning)
 *     setting_clock  asks a time server; goes on without after CRADLE_CLOCK_TIMEOUT_MS
 *     connecting     TLS and MQTT, one certificate slot after the other; back-off with full jitter
 *     asking         only where facts.ask says so, until the steward answers *stream*: sends
 *                    nothing but statements; or, with every certificate refused, asks over HTTPS
 *     online         subscribed; shared attributes asked for; backlog, then live telemetry
 *     stopping       says good-bye before a reboot or the end of the process
 *     resetting      erases what belongs to the owner, then reboots
 *
 * The steward (DESIGN 5.5; steward.c): with facts.steward the device asks one question at a time,
 * over the cloud's device-side RPC or by CRADLE_ACTION_POST, and believes only what is signed by
 * the steward key of its bundle for its own SN, epoch, method and nonce. *stream* holds for the
 * epoch. Everything that a handover needs is in the settings until it is done, so that the power
 * may go at any moment. Without facts.steward none of it exists.
 *
 * Telemetry: each sample has its own time stamp, never two in one millisecond (ThingsBoard keeps
 * only the last of two). It is published at QoS 1 and kept until its PUBACK; while there is no
 * connection it goes to the outbox log, where the oldest is dropped first, exactly counted, and the
 * count reported. So: acknowledged is never lost, duplicates are possible after a reconnect (same
 * time stamp, hence harmless). A sample that was not yet acknowledged and not in the outbox is lost
 * with the power. Samples taken before the clock was first set are dated when it is; those of an
 * earlier boot cannot be, and are counted as dropped.
 *
 * Single-threaded: all calls for one device from one thread, none from within a callback except
 * where a callback says so. Nothing blocks longer than the port's two stores do.
 *
 * Not checked here: the server's certificate, TLS, MQTT framing (the port's duty); whether text
 * from the product is what the product meant.
 */
#ifndef CRADLE_CORE_DEVICE_H
#define CRADLE_CORE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/limits.h"
#include "json/json.h"
#include "statement/statement.h"

typedef struct cradle_device cradle_device_t;

typedef enum {
    CRADLE_BLANK,
    CRADLE_UNPROVISIONED,
    CRADLE_JOINING,
    CRADLE_SETTING_CLOCK,
    CRADLE_CONNECTING,
    CRADLE_ASKING,
    CRADLE_ONLINE,
    CRADLE_STOPPING,
    CRADLE_RESETTING,
    CRADLE_STATES,
} cradle_state_t;

/* -- what the port knows at boot ------------------------------------------------------------- */

/* Copied by cradle_device_init except for the texts, which must stay where they are. */
typedef struct {
    const char *sn;       /* NULL: no usable identity; the device stays blank                  */
    const char *model;    /* and hardware revision, firmware name and version: reported as      */
    const char *hardware; /* client attributes; NULL is left out                               */
    const char *firmware;
    const char *version;
    int64_t birth_not_after; /* end of the birth certificate, seconds since 1970; 0: unknown   */
    int64_t built;           /* of the firmware, seconds since 1970: time never starts earlier */
    const char
        *release;     /* name and version in one, 1 to 64 printable characters: for the steward */
    const char *site; /* the site's id, 32 hex digits                                   */
    const char *steward;   /* "host:port"; NULL or "": there is none, nobody is ever asked    */
    const uint8_t *anchor; /* key that signs bundles: SubjectPublicKeyInfo                   */
    size_t anchor_len;
    const char *bundle; /* /bundle.jws of the identity, bundle_len characters; NULL: none      */
    size_t bundle_len;
    bool ask; /* hold everything back until the steward says stream                            */
} cradle_facts_t;

/* -- what the port does for the brain at once ------------------------------------------------ */

/* The leaf certificate in a slot. */
typedef struct {
    uint8_t hash[JWS_HASH_SIZE]; /* SHA-256 of its DER                                         */
    int64_t not_after;           /* seconds since 1970                                         */
    uint32_t counter;            /* as given to CRADLE_ACTION_KEEP; 0 for the birth certificate */
    bool rsa;                    /* its key signs RS256, not ES256                             */
} cradle_leaf_t;

/*
 * Settings: small values under names of 1 to CRADLE_SETTING_NAME_MAX characters. Each set and
 * erase is atomic: after a power cut the old or the new value is there.
 *
 * Outbox: a log of records, numbered from 1 upward without gaps in the order of appending; the
 * numbers go on over reboots. When it is full, append drops the oldest records to make room.
 * append, trim and the count of dropped records are power-cut safe.
 *
 * Three settings are written by the port and only erased by the brain: `pending` (the key of the
 * certificate request under way), `slot1` and `slot2` (counter, key and chain in one blob each).
 */
typedef struct {
    void *ctx;
    /* Fills `out` with random bytes fit for secrets. */
    void (*random)(void *ctx, void *out, size_t len);

    /* False: not there, or longer than cap. */
    bool (*get)(void *ctx, const char *name, void *out, size_t cap, size_t *len);
    bool (*set)(void *ctx, const char *name, const void *data, size_t len);
    /* True also when there was none. */
    bool (*erase)(void *ctx, const char *name);

    bool (*append)(void *ctx, const void *data, size_t len);
    /* The record with the lowest number >= from; false: there is none. */
    bool (*read)(void *ctx, uint64_t from, uint64_t *number, void *out, size_t cap, size_t *len);
    /* Forgets every record with a number <= upto. */
    bool (*trim)(void *ctx, uint64_t upto);
    /* Records that append has dropped because the log was full, since it was made. */
    uint64_t (*dropped)(void *ctx);

    /* Makes sure that what was erased and trimmed is not in the flash any more (a factory reset);
       may be NULL. */
    void (*purge)(void *ctx);

    /* What certificate is in the slot: 0 birth, 1 or 2. False: none, or not usable. May be NULL:
       only birth, and no steward. */
    bool (*leaf)(void *ctx, uint8_t slot, cradle_leaf_t *leaf);

    /* For the log; may be NULL. Called at every change of state, and (from == to) when an attempt
       failed and another follows after wait_ms. `why` is a static text. */
    void (*changed)(void *ctx, cradle_state_t from, cradle_state_t to, const char *why,
                    uint32_t wait_ms);
} cradle_port_t;

/* -- what the firmware engineer writes ------------------------------------------------------- */

/*
 * Answers an RPC. `params` is the raw JSON value (type JSON_NULL when absent); write exactly one
 * JSON value to `answer` and return true. False, no value or too long a value: the caller gets
 * {"error":"..."}.
 */
typedef bool (*cradle_rpc_fn)(void *ctx, const json_token_t *params, json_writer_t *answer);
typedef struct {
    const char *method;
    cradle_rpc_fn call;
} cradle_rpc_t;

/*
 * A watched shared attribute. Called at boot with the kept value (if there is one), when the cloud
 * changes it, and with NULL when it was deleted. Return false to refuse the value: it is then not
 * kept, and the one before stays.
 */
typedef bool (*cradle_config_fn)(void *ctx, const json_token_t *value);
typedef struct {
    const char *key;
    cradle_config_fn changed;
} cradle_config_t;

/* Tables may lie in read-only memory; all of it must outlive the device. Any pointer may be NULL.
 */
typedef struct {
    void *ctx;
    /* Writes members into the open telemetry object, at most CRADLE_VALUES_MAX bytes in all. */
    void (*sample)(void *ctx, json_writer_t *values);
    const cradle_rpc_t *rpcs;
    size_t rpc_count;
    const cradle_config_t *configs; /* at most CRADLE_CONFIG_KEYS - 1: the others are not watched */
    size_t config_count;
} cradle_product_t;

/* -- events ---------------------------------------------------------------------------------- */

typedef enum {
    CRADLE_EVENT_TICK,        /* nothing but time passed                                        */
    CRADLE_EVENT_CREDENTIALS, /* the provisioning client applied Wi-Fi credentials              */
    CRADLE_EVENT_CLIENT_DONE, /* the provisioning client has read that they work                */
    CRADLE_EVENT_FORGET,      /* the provisioning client gave up on them (prov-ctrl reset)      */
    CRADLE_EVENT_WIFI_UP,     /* joined, with an address                                        */
    CRADLE_EVENT_WIFI_DOWN,   /* could not join, or no longer joined                            */
    CRADLE_EVENT_CLOCK,       /* the time is known; may come again to correct it                */
    CRADLE_EVENT_CLOUD_UP,    /* CONNACK 0                                                      */
    CRADLE_EVENT_CLOUD_DOWN,  /* the attempt failed, or the connection ended                    */
    CRADLE_EVENT_SUBSCRIBED,  /* SUBACK                                                         */
    CRADLE_EVENT_ACKED,       /* PUBACK                                                         */
    CRADLE_EVENT_MESSAGE,     /* PUBLISH from the cloud; acknowledge it after this call         */
    CRADLE_EVENT_RESET,       /* the button: factory reset                                      */
    CRADLE_EVENT_PRESS,       /* the button, short: confirms a claim code                       */
    CRADLE_EVENT_DONE,        /* what an action with a token asked for                          */
    CRADLE_EVENT_SHUTDOWN,    /* the power goes soon, or the process is asked to end            */
    CRADLE_EVENTS,
} cradle_event_type_t;

typedef enum {
    CRADLE_DOWN_OUTAGE,  /* no route, no answer, broken off: the cloud is not to be reached     */
    CRADLE_DOWN_REFUSED, /* CONNACK 5, or a TLS alert about our certificate                     */
    CRADLE_DOWN_SERVER,  /* the server's certificate is not the one we may trust                */
} cradle_down_t;

typedef struct {
    cradle_event_type_t type;
    union {
        struct {
            const char *ssid; /* NUL terminated; copied */
            const char *passphrase;
            const char *ticket; /* handed over in the same session; copied; NULL: none */
        } credentials;
        struct {
            uint16_t reason; /* wifi_err_reason_t: 15 wrong password, 201 no such network, ... */
        } wifi_down;
        struct {
            int64_t unix_ms;
        } clock;
        struct {
            cradle_down_t why;
            bool closed_by_peer; /* after CONNACK 0: the cloud closed, not the network */
        } cloud_down;
        struct {
            bool granted; /* every filter was */
        } subscribed;
        struct {
            uint16_t token; /* of the publish action */
        } acked;
        struct {
            uint16_t token; /* of the action; one that is not awaited (any more) is ignored */
            bool good;
            const void *data; /* SIGN: the signature. REQUEST: the request, DER. POST: the body of
                                 the answer. May go after the call                            */
            size_t len;
        } done;
        struct {
            const char *topic; /* neither needs a NUL; both may go after the call */
            size_t topic_len;
            const void *payload;
            size_t len;
        } message;
    } u;
} cradle_event_t;

/* -- actions --------------------------------------------------------------------------------- */

typedef enum {
    CRADLE_ACTION_DISCONNECT, /* end the connection (MQTT DISCONNECT if it is up), or the attempt.
                                 No CLOUD_DOWN for it                                           */
    CRADLE_ACTION_LEAVE,      /* end Wi-Fi, or the attempt to join. No WIFI_DOWN for it         */
    CRADLE_ACTION_PROVISIONING_RESULT, /* tell the provisioning client how the attempt went     */
    CRADLE_ACTION_STOP_PROVISIONING,
    CRADLE_ACTION_START_PROVISIONING,
    CRADLE_ACTION_JOIN,      /* answered by WIFI_UP or WIFI_DOWN                                */
    CRADLE_ACTION_SET_CLOCK, /* ask a time server, go on asking until CLOCK                     */
    CRADLE_ACTION_CONNECT,   /* answered by CLOUD_UP or CLOUD_DOWN                              */
    CRADLE_ACTION_SUBSCRIBE, /* QoS 1; answered by SUBSCRIBED                                   */
    CRADLE_ACTION_PUBLISH,   /* QoS 1: answered by ACKED                                        */
    /* The next five are answered by DONE with their token, whenever. What they point to stays until
       then, except the body of POST. good = false: it could not be done, or does not verify. */
    CRADLE_ACTION_SIGN,   /* with the key of a slot, SHA-256; as JWS has it: r | s, RSA as it is  */
    CRADLE_ACTION_VERIFY, /* ES256                                                             */
    CRADLE_ACTION_REQUEST, /* a certificate request for CN = SN with the pending key, which is made
                              and kept first when there is none                                 */
    CRADLE_ACTION_KEEP,   /* check the chain against pending key, SN and product CA, and put it with
                             counter and key into the slot, in one write                       */
    CRADLE_ACTION_POST,   /* to https://STEWARD/device; it ends with the network, and when the next
                             one begins                                                        */
    CRADLE_ACTION_REBOOT, /* everything is kept: begin again with cradle_device_init         */
    CRADLE_ACTION_HALT,   /* the same, after SHUTDOWN: the process may end                   */
} cradle_action_type_t;

typedef enum {
    CRADLE_JOINED,         /* kept                                                              */
    CRADLE_JOIN_AUTH,      /* wrong password: AuthError                                         */
    CRADLE_JOIN_NOT_FOUND, /* NetworkNotFound                                                   */
    CRADLE_JOIN_OTHER,     /* anything else: the device goes on trying                          */
} cradle_joined_t;

/* What it points to is valid until the next call for this device, except where it says more. */
typedef struct {
    cradle_action_type_t type;
    union {
        struct {
            cradle_joined_t result;
        } provisioning;
        struct {
            const char *ssid;
            const char *passphrase; /* secret; "" = open network */
        } join;
        struct {
            uint8_t slot;    /* which certificate: 0 birth, 1 and 2 the slots in the settings    */
            int64_t unix_ms; /* time for certificate dates ...                                  */
            bool clock_set;  /* ... but false: "not yet valid" (and only that) is to be forgiven */
        } connect;
        struct {
            const char *const *filters; /* static */
            size_t count;
        } subscribe;
        struct {
            uint8_t qos;    /* 0 or 1                                                           */
            uint16_t token; /* QoS 1: 1 to 65535, free again after ACKED; may serve as packet id */
            const char *topic;
            const char *payload;
            size_t len;
        } publish;
        struct {
            uint16_t token;
            uint8_t slot;
            const char *data;
            size_t len;
        } sign;
        struct {
            uint16_t token;
            const uint8_t *key; /* SubjectPublicKeyInfo */
            size_t key_len;
            const char *data;
            size_t len;
            const uint8_t *signature; /* JWS_ES256_SIZE */
        } verify;
        struct {
            uint16_t token;
        } request;
        struct {
            uint16_t token;
            uint8_t slot; /* 1 or 2 */
            uint32_t counter;
            jws_bytes_t chain[ANSWER_CHAIN];
        } keep;
        struct {
            uint16_t token;
            const char *data;
            size_t len;
        } post;
    } u;
} cradle_action_t;

/* -- calls ----------------------------------------------------------------------------------- */

/* Boots: reads the settings, ends a reset that was cut, draws an epoch if there is none. The device
   holds pointers to port and product; both must outlive it. now_ms is any monotonic clock of the
   port, in milliseconds; it need not begin at 0. */
void cradle_device_init(cradle_device_t *device, const cradle_port_t *port,
                        const cradle_product_t *product, const cradle_facts_t *facts,
                        uint64_t now_ms);

/* Something happened. Any event is allowed at any time; one that cannot be (in this state) changes
   nothing and is counted. Time that goes backwards is taken as standing still. */
void cradle_device_handle(cradle_device_t *device, const cradle_event_t *event, uint64_t now_ms);

/* The next thing to do; false: nothing now. */
bool cradle_device_next(cradle_device_t *device, cradle_action_t *action);

/* The time of the last event, in milliseconds since 1970, for date checks of a certificate; while
   the clock is not set, what it is surely not before (forgive "not yet valid" then). */
int64_t cradle_device_now(const cradle_device_t *device);

/* When to call cradle_device_handle with TICK at the latest; UINT64_MAX: never. */
uint64_t cradle_device_deadline(const cradle_device_t *device);

typedef enum {
    CRADLE_QUEUED = 0,
    CRADLE_NOT_NOW,   /* not provisioned, on the way down, or before the steward says stream     */
    CRADLE_NOT_JSON,  /* not one JSON object, empty, or with a key of 0 or more than 255 bytes   */
    CRADLE_TOO_LARGE, /* over CRADLE_VALUES_MAX                                                 */
    CRADLE_LOST,      /* the store failed: counted as dropped                                    */
} cradle_queued_t;

/* Queues telemetry of this moment beside the periodic samples: `values` is one JSON object. May be
   called from within an RPC handler, a config callback or the sampler. */
cradle_queued_t cradle_device_telemetry(cradle_device_t *device, const char *values, size_t len,
                                        uint64_t now_ms);

/* -- looking inside -------------------------------------------------------------------------- */

typedef struct {
    cradle_state_t state;
    const char *why;   /* static text: what led to this state or kept it from going on       */
    bool provisioned;  /* Wi-Fi credentials are kept                                         */
    bool provisioning; /* the service is (to be) up                                          */
    bool refused;      /* the last round ended with a refusal of every certificate           */
    bool clock_set;
    uint32_t period_ms;     /* of telemetry                                                       */
    uint32_t in_flight;     /* publishes without PUBACK                                           */
    uint64_t acked;         /* telemetry records acknowledged since boot                          */
    uint64_t dropped;       /* telemetry records lost, over reboots: outbox full, undatable,
                               poisonous, store failed                                            */
    uint32_t impossible;    /* events that could not be in the state they came in, since boot     */
    uint32_t ignored;       /* messages from the cloud that were not understood, since boot       */
    uint32_t connections;   /* since boot                                                         */
    uint8_t slot;           /* certificate in use or tried                                        */
    bool streaming;         /* nothing (any more) to ask before telemetry may flow                */
    answer_result_t answer; /* the steward's last; ANSWER_RESULTS: none since boot             */
    answer_reason_t reason; /* of it                                                            */
    const cradle_leaf_t *leaf; /* of `slot`; valid until the next call */
    uint8_t epoch[CRADLE_EPOCH_SIZE];
} cradle_status_t;

void cradle_device_status(const cradle_device_t *device, cradle_status_t *status);

const char *cradle_state_name(cradle_state_t state);
const char *cradle_event_name(cradle_event_type_t type);
const char *cradle_action_name(cradle_action_type_t type);

/* The struct itself, so that the caller can make room for it. Its members are private. */
#include "core/state.h"

#endif

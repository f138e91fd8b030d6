/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc: remote procedure calls in flight, both ways, as ThingsBoard CE 4.2.1's device actor keeps
 * them (BURST strategy). It knows no HTTP and no MQTT: REST hands in calls, the hub carries them
 * through rpc_link_t and tells what the device does. One thread, that of the loop; nothing blocks
 * but the store.
 *
 * Server to device. Ids count up from 0 for each device and begin again with the process. A call is
 * sent at once when the device has subscribed, else when it does, at the latest at its deadline. A
 * one-way call ends when it is written, a two-way one with the device's answer, either at the
 * deadline. What is still pending when a session ends is sent again in the next one, also when the
 * device has acknowledged the message (so does ThingsBoard); within a session it is sent once.
 * Persistent calls live in the store: QUEUED, SENT (written), DELIVERED (acknowledged, or written
 * at QoS 0), SUCCESSFUL (answered; what is no JSON as {"error":"..."}), EXPIRED, TIMEOUT (no PUBACK
 * within RPC_ACK_MS: again in the next session, `retries` times, then FAILED). After a restart
 * those that are QUEUED wait on.
 *
 * Device to server. Methods "cradle.*" go to `forward` if there is one; who has heard nothing after
 * RPC_DEVICE_SIDE_MS is sent {"error":"timeout"}; a session that ends takes its questions along.
 *
 * Bounds: RPC_CALLS_MAX calls and as many questions of devices, RPC_DEVICE_MAX both together of one
 * device, RPC_PAYLOAD_MAX bytes a call. Not checked: who may call (rest_rpc.c does).
 */
#ifndef CRADLE_CLOUD_RPC_H
#define CRADLE_CLOUD_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cloud/store.h"
#include "net/loop.h"
#include "tbdevice/tb_topic.h"

#define RPC_CALLS_MAX      10000
#define RPC_DEVICE_MAX     100
#define RPC_PAYLOAD_MAX    65000 /* bytes of {"method":..,"params":..} */
#define RPC_TIMEOUT_MIN    5000  /* ms; REST raises a shorter one to it */
#define RPC_TIMEOUT_MS     10000 /* when REST is given none             */
#define RPC_ACK_MS         10000
#define RPC_RETRIES_MAX    5
#define RPC_DEVICE_SIDE_MS 60000

typedef struct rpc rpc_t;

/* What carries the calls. */
typedef struct {
    void *ctx;
    /* Publishes a call to the device. *packet: what rpc_acked will name; 0 at QoS 0. False: not
       connected, not subscribed, or it cannot take more now. May call rpc_gone before it returns.
     */
    bool (*request)(void *ctx, const store_id_t *device, uint32_t id, const char *payload,
                    size_t len, uint16_t *packet);
    /* Publishes the answer to a question of the device; as `request`. */
    void (*response)(void *ctx, const store_id_t *device, tb_family_t family, uint32_t id,
                     const char *text, size_t len);
    /* Asks somebody else, who may call rpc_reply later, never before it returns. NULL: nobody. */
    void (*forward)(void *ctx, const store_id_t *device, uint64_t ticket, const char *method,
                    const char *params, size_t params_len);
} rpc_link_t;

/* Loop and store must outlive it. Loads the persistent calls that still wait. */
bool rpc_open(rpc_t **rpc, loop_t *loop, store_t *store, const rpc_link_t *link, err_t *err);
/* Those who wait hear RPC_TIMED_OUT; nothing is sent. NULL is allowed. */
void rpc_close(rpc_t *rpc);

/* ---- calls ---- */

typedef enum {
    RPC_ANSWERED,   /* two-way: `text` is what the device said; any bytes, maybe none */
    RPC_DELIVERED,  /* one-way: it is written                                         */
    RPC_TIMED_OUT,  /* sent, but no answer                                            */
    RPC_NO_SESSION, /* no subscribed session came before the deadline                 */
} rpc_outcome_t;

typedef void (*rpc_done_fn_t)(void *ctx, rpc_outcome_t outcome, const char *text, size_t len);

typedef struct {
    store_id_t device;
    const char *method;
    const char *params; /* JSON text; NULL: null */
    size_t params_len;
    bool two_way;
    int64_t expires_ms; /* wall clock */
} rpc_call_t;

typedef enum {
    RPC_OK = 0,
    RPC_EXPIRED,   /* its time was over already                          */
    RPC_BUSY,      /* too many wait                                      */
    RPC_TOO_LARGE, /* more than RPC_PAYLOAD_MAX                          */
    RPC_FAILED,    /* out of memory, or the store failed (`err` says why) */
} rpc_result_t;

/* RPC_OK: `done` is called exactly once, now or later; it must not call back into rpc. */
rpc_result_t rpc_start(rpc_t *rpc, const rpc_call_t *call, rpc_done_fn_t done, void *ctx);

/* A persistent call; committed before it is sent. `retries` < 0: not given. `info`: JSON, or NULL.
 *id is filled in for RPC_OK. RPC_EXPIRED leaves a row with that status. */
rpc_result_t rpc_start_persistent(rpc_t *rpc, const rpc_call_t *call, int64_t retries,
                                  const char *info, store_id_t *id, err_t *err);
/* Takes a persistent call back, from the store too, in the open batch. */
store_result_t rpc_delete_persistent(rpc_t *rpc, const store_id_t *id, err_t *err);

/* The device is no more: waiting calls end as RPC_NO_SESSION, its ids begin at 0 again. The store's
   rows are the caller's to delete. */
void rpc_forget(rpc_t *rpc, const store_id_t *device);
/* The device has another owner: waiting calls end as RPC_NO_SESSION; its ids go on, so that a late
   answer is taken for no other call's. The store's rows are the caller's to delete. */
void rpc_cancel(rpc_t *rpc, const store_id_t *device);

/* ---- what the hub tells; each is ignored when it names nothing that is known ---- */

void rpc_subscribed(rpc_t *rpc, const store_id_t *device);
void rpc_acked(rpc_t *rpc, const store_id_t *device, uint16_t packet);
void rpc_answered(rpc_t *rpc, const store_id_t *device, uint32_t id, const char *text, size_t len);
void rpc_asked(rpc_t *rpc, const store_id_t *device, tb_family_t family, uint32_t id,
               const char *method, const char *params, size_t params_len);
void rpc_gone(rpc_t *rpc, const store_id_t *device); /* the session is over */

/* ---- what the forwarder tells ---- */

void rpc_reply(rpc_t *rpc, const store_id_t *device, uint64_t ticket, const char *text, size_t len);

#endif

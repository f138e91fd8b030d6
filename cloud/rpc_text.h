/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc_text: the JSON of remote calls: what the device receives, and what ThingsBoard keeps of
 * persistent ones (recorded: tests/fixtures/thingsboard-4.2.1/rest.jsonl). Pure but for malloc.
 */
#ifndef CRADLE_CLOUD_RPC_TEXT_H
#define CRADLE_CLOUD_RPC_TEXT_H

#include "cloud/rpc.h"

#define RPC_NO_ACK_MAX 128

/* {"method":..,"params":..} with a NUL. False: does not fit. */
bool rpc_text_payload(const rpc_call_t *call, char *out, size_t cap, size_t *len);

/* The stored request; heap, NULL when out of memory. `retries` < 0: null. */
char *rpc_text_request(const rpc_call_t *call, const store_id_t *id, const store_id_t *tenant,
                       int64_t retries);
/* Reads it back: method, params, two_way; *retries -1 for null. They point into the block that is
   returned, which the caller frees. NULL: damaged, or out of memory. */
char *rpc_text_parse(const char *request, rpc_call_t *call, int64_t *retries);

/* A device's answer as it is kept: as it is, or {"error":"text"} when it is no JSON. Heap; NULL
   when out of memory. */
char *rpc_text_response(const char *text, size_t len);

void rpc_text_no_ack(char out[RPC_NO_ACK_MAX], int64_t retries);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* rest_internal: what the controllers of the REST API share. Only rest*.c include it. */
#ifndef CRADLE_CLOUD_REST_INTERNAL_H
#define CRADLE_CLOUD_REST_INTERNAL_H

#include "cloud/rest.h"
#include "json/json.h"

/* Largest answer. Memory is only touched as far as an answer reaches. */
#define REST_ANSWER_MAX (16u * 1024 * 1024)
#define REST_WORD_MAX   64
#define REST_PAGE_MAX   100000
/* Requests that wait for a device at one time: they must leave room in the HTTP server. */
#define REST_WAITS_MAX 256

struct rest {
    rest_settings_t settings;
    char *out;
    struct rest_wait *waits; /* rest_rpc.c */
    size_t wait_count;
};

/* One request on its way through a handler. */
typedef struct {
    rest_t *rest;
    store_t *store;
    http_request_t *http;
    auth_caller_t caller;
    store_id_t id[2]; /* {id} of the path, in order   */
    char word[2][REST_WORD_MAX];
    json_writer_t json; /* over the answer's memory */
    bool replied;
    bool later; /* somebody keeps `http` and replies by himself */
} rest_call_t;

typedef struct {
    http_method_t method;
    const char *pattern; /* "/api/device/{id}/credentials"; {word} is any one segment */
    unsigned who;        /* AUTH_*; 0: everybody, without a token                     */
    void (*handle)(rest_call_t *call);
} rest_route_t;

/* The tables of the controllers, each ended by a NULL pattern. */
extern const rest_route_t REST_AUTH[];
extern const rest_route_t REST_DEVICE[];
extern const rest_route_t REST_DEVICE_WRITE[];
extern const rest_route_t REST_CUSTOMER[];
extern const rest_route_t REST_USER[];
extern const rest_route_t REST_PROFILE[];
extern const rest_route_t REST_PROFILE_WRITE[];
extern const rest_route_t REST_TELEMETRY[];
extern const rest_route_t REST_RPC[];
extern const rest_route_t REST_ALARM[];

/* ThingsBoard's errorCode values. */
enum {
    REST_GENERAL = 2,
    REST_AUTHENTICATION = 10,
    REST_TOKEN_EXPIRED = 11,
    REST_PERMISSION = 20,
    REST_BAD_REQUEST = 31,
    REST_NOT_FOUND = 32,
    REST_TOO_MANY = 33,
    REST_VERSION_CONFLICT = 35,
};

/* {"status":..,"message":..,"errorCode":..,"timestamp":..} */
void rest_error(rest_call_t *call, int status, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The telemetry controller's errors are plain text. */
void rest_text(rest_call_t *call, int status, const char *text);
/* That status, and no body. */
void rest_status(rest_call_t *call, int status);
/* 200 with what call->json holds. */
void rest_done(rest_call_t *call);
/* 200 without a body, after a commit. False (and replied): it could not be kept. */
bool rest_commit(rest_call_t *call);
void rest_empty(rest_call_t *call);
/* Replies to anything but STORE_OK; `what` is "Device", for "Device with id [..] is not found". */
bool rest_ok(rest_call_t *call, store_result_t result, const char *what, const err_t *err);

/* Is that customer the caller's own (or the caller no customer's user)? A user of no customer owns
   nothing: else unassigned devices would be his. */
bool rest_is_own(const rest_call_t *call, const store_id_t *customer);
/* The same; false: replied 403. */
bool rest_owns(rest_call_t *call, const store_id_t *customer);
/* May the caller see the device {id}? False: replied. */
bool rest_may_see(rest_call_t *call);

/* The row of the device {id}, after a look at the caller's rights. 0: replied, in plain text. */
int64_t rest_target(rest_call_t *call);

/* A query parameter. False: absent, or (replied) unusable. */
bool rest_param(rest_call_t *call, const char *name, char *out, size_t cap);
bool rest_param_i64(rest_call_t *call, const char *name, int64_t *value);
bool rest_param_bool(rest_call_t *call, const char *name, bool otherwise);

/* pageSize, page, textSearch, sortProperty, sortOrder. False: replied. `search` must outlive it. */
bool rest_page(rest_call_t *call, store_page_t *page, char search[STORE_TEXT]);
/* Ends {"data":[...], with totalPages, totalElements and hasNext. */
void rest_page_end(rest_call_t *call, const store_page_t *page, uint64_t total);

/* "name":{"entityType":"DEVICE","id":"..."} */
void rest_put_id(json_writer_t *w, const char *name, const char *type, const store_id_t *id);
void rest_put_null(json_writer_t *w, const char *name);
void rest_put_text(json_writer_t *w, const char *name, const char *text); /* NULL: null */
void rest_put_i64(json_writer_t *w, const char *name, int64_t value);
void rest_put_bool(json_writer_t *w, const char *name, bool value);

/* Entities as JSON, for the store's callbacks: `ctx` is the writer. */
void rest_put_device(void *ctx, const store_device_t *device);
void rest_put_credentials(void *ctx, const store_credentials_t *credentials);
void rest_put_profile(void *ctx, const store_profile_t *profile);
void rest_put_user(void *ctx, const store_user_t *user);

/* The id in an object member: {"deviceId":{"id":"..."}}. False: absent, null or no id. */
bool rest_body_id(const char *json, size_t len, const char *path, store_id_t *id);
/* The whole body, or an object inside it, must be a JSON object. False: replied. */
bool rest_body_object(rest_call_t *call);

/* A text member of the request's body; false: absent or no usable text. */
bool rest_body_text(const rest_call_t *call, const char *name, char *out, size_t cap);

#endif

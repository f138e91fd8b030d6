/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: everything that cradle-cloud remembers, in one SQLite file (WAL). One thread.
 *
 * Group commit. Changes are collected in a batch: the first opens a transaction, store_commit
 * closes it. Reads see the changes of the open batch. Nothing may be promised to the outside
 * (PUBACK, CONNACK, an HTTP answer) before the batch that holds it is committed: either the caller
 * commits himself, or he waits for his store_on_commit callback. When a commit fails, *all* of the
 * batch is undone and the callback says so. After a commit a killed process loses nothing; with
 * `durable`, nor does a power cut.
 *
 * Texts: names, types, labels have at most STORE_TEXT_MAX bytes of UTF-8. Pointers handed to a
 * callback are good during the call. In a callback of an iteration the store may be read, not
 * changed. Nothing here knows MQTT, HTTP or a certificate's meaning; blocking is disk writes only.
 *
 * Tables and their versions: cloud/store_schema.c.
 */
#ifndef CRADLE_CLOUD_STORE_H
#define CRADLE_CLOUD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tbdevice/tb_value.h"

typedef struct store store_t;

/* ---- Ids ------------------------------------------------------------------------------------ */

/* A UUID as 16 bytes in the order of its text. New ones are version 1 with a random node, so that
   they sort by time of creation where ThingsBoard's clients expect that. */
typedef struct {
    uint8_t bytes[16];
} store_id_t;

#define STORE_ID_SIZE 37 /* text and NUL */

/* ThingsBoard's null id, 13814000-1dd2-11b2-8080-808080808080: no customer, no tenant. */
extern const store_id_t STORE_ID_NULL;

void store_id_new(store_id_t *id);
void store_id_format(const store_id_t *id, char out[STORE_ID_SIZE]);
bool store_id_parse(const char *text, size_t len, store_id_t *id);
bool store_id_equal(const store_id_t *a, const store_id_t *b);
bool store_id_is_null(const store_id_t *id);

/* ---- Opening, batches ------------------------------------------------------------------------ */

typedef enum {
    STORE_OK = 0,
    STORE_NOT_FOUND,
    STORE_NAME_TAKEN, /* another of the tenant has this name                                  */
    STORE_ID_TAKEN,   /* credentialsId of another device, e-mail of another user, CA of
                         another profile                                                      */
    STORE_CONFLICT,   /* `version` is stale                                                   */
    STORE_IN_USE,     /* a profile that devices have, or the default one                      */
    STORE_INVALID,    /* a text too long or empty, a JSON that is no object: `err` says which */
    STORE_FAILED,     /* the disk or SQLite: `err` says how, the batch is undone              */
} store_result_t;

typedef struct {
    const char *path; /* made when absent, mode 0600; "" keeps it in memory (tests) */
    bool durable;     /* commits wait for the disk                                  */
} store_settings_t;

/* ERR_PRECONDITION: the file was written by a newer cradle-cloud; ERR_INPUT: no such database. */
bool store_open(store_t **store, const store_settings_t *settings, err_t *err);
/* Commits what is open. NULL is allowed. */
void store_close(store_t *store);

/* Called at the end of each batch with changes. One callback a store. */
typedef void (*store_commit_fn_t)(void *ctx, bool committed);
void store_on_commit(store_t *store, store_commit_fn_t fn, void *ctx);

/* True also when nothing was to commit. */
bool store_commit(store_t *store, err_t *err);
/* Changes that wait for store_commit: a rough number, 0 for none. */
size_t store_batch_size(const store_t *store);
/* Undoes the open batch; the callback is told that it failed. */
void store_rollback(store_t *store);

/* Housekeeping of the write-ahead log; to be called about once a second. Its failure loses nothing.
 */
bool store_tidy(store_t *store, int64_t now_ms, err_t *err);

/* The one tenant of this version of the cloud. */
void store_tenant(const store_t *store, store_id_t *tenant);

/* ---- Paging ---------------------------------------------------------------------------------- */

#define STORE_TEXT_MAX 255
#define STORE_TEXT     (STORE_TEXT_MAX + 1)
#define STORE_JSON_MAX 65536 /* additionalInfo and profileData, bytes */

typedef enum { STORE_BY_CREATED = 0, STORE_BY_NAME, STORE_BY_TYPE, STORE_BY_LABEL } store_sort_t;

typedef struct {
    uint32_t size;      /* at least 1 */
    uint32_t page;      /* from 0     */
    const char *search; /* part of the name or label, without regard to ASCII case; NULL: all */
    store_sort_t sort;
    bool descending;
} store_page_t;

/* ---- Device profiles ------------------------------------------------------------------------- */

typedef enum {
    STORE_PROVISION_DISABLED = 0,
    STORE_PROVISION_X509_CHAIN, /* provision_key and _secret are a CA's */
    STORE_PROVISION_CREATE,
    STORE_PROVISION_CHECK,
} store_provision_t;

typedef struct {
    store_id_t id;
    store_id_t tenant;
    int64_t created_ms;
    char name[STORE_TEXT];
    const char *description; /* "" when none */
    bool is_default;
    store_provision_t provision;
    const char *provision_key;    /* SHA3 of the CA, or what the caller gave; NULL: none      */
    const char *provision_secret; /* one-line base64 of the CA, or a secret; NULL: none       */
    const char *regex;            /* certificateRegExPattern; NULL: none                      */
    bool allow_create;            /* allowCreateNewDevicesByX509Certificate                   */
    const char *extra;            /* JSON object: what REST clients store beside (NULL: none) */
    int64_t version;
} store_profile_t;

typedef void (*store_profile_fn_t)(void *ctx, const store_profile_t *profile);

/* `each` is called at most once. */
store_result_t store_profile_get(store_t *store, const store_id_t *id, store_profile_fn_t each,
                                 void *ctx, err_t *err);
store_result_t store_profile_by_name(store_t *store, const char *name, store_profile_fn_t each,
                                     void *ctx, err_t *err);
store_result_t store_profile_by_key(store_t *store, const char *provision_key,
                                    store_profile_fn_t each, void *ctx, err_t *err);
store_result_t store_profile_default(store_t *store, store_profile_fn_t each, void *ctx,
                                     err_t *err);
store_result_t store_profile_list(store_t *store, const store_page_t *page, store_profile_fn_t each,
                                  void *ctx, uint64_t *total, err_t *err);
/* Null id: makes one and fills in id, created_ms, version. Otherwise updates: version < 0 forces,
   a stale one is STORE_CONFLICT. Devices' `type` follows a new name. */
store_result_t store_profile_save(store_t *store, store_profile_t *profile, err_t *err);
store_result_t store_profile_delete(store_t *store, const store_id_t *id, err_t *err);

/* ---- Devices --------------------------------------------------------------------------------- */

typedef struct {
    store_id_t id;
    store_id_t tenant;
    store_id_t customer; /* STORE_ID_NULL: unassigned */
    store_id_t profile;
    int64_t created_ms;
    int64_t row; /* short id for the functions below that are called often */
    char name[STORE_TEXT];
    char type[STORE_TEXT];      /* the profile's name */
    const char *customer_title; /* when read; NULL: unassigned */
    const char *label;          /* NULL: none */
    const char *info;           /* additionalInfo: a JSON object; NULL: none */
    const char *extra;          /* JSON object: deviceData and such that REST clients keep; NULL */
    bool active;                /* read from the attribute `active`; never written by save */
    int64_t version;
} store_device_t;

typedef void (*store_device_fn_t)(void *ctx, const store_device_t *device);

store_result_t store_device_get(store_t *store, const store_id_t *id, store_device_fn_t each,
                                void *ctx, err_t *err);
store_result_t store_device_by_name(store_t *store, const char *name, store_device_fn_t each,
                                    void *ctx, err_t *err);

typedef struct {
    store_page_t page;
    const char *type;           /* NULL: any */
    const store_id_t *profile;  /* NULL: any */
    const store_id_t *customer; /* NULL: any */
    int active;                 /* -1: any, 0, 1 */
} store_device_query_t;

store_result_t store_device_list(store_t *store, const store_device_query_t *query,
                                 store_device_fn_t each, void *ctx, uint64_t *total, err_t *err);

/* Null id: makes one (profile null: the default one) and fills in id, tenant, profile, created_ms,
   row, type, version; attribute `active` false is set, credentials are not. Otherwise updates name,
   label, info, extra, profile, customer; version as above. */
store_result_t store_device_save(store_t *store, store_device_t *device, int64_t now_ms,
                                 err_t *err);

/* With its credentials, attributes and series. */
store_result_t store_device_delete(store_t *store, const store_id_t *id, err_t *err);

/* The short id; it never changes and is never used again. */
store_result_t store_device_row(store_t *store, const store_id_t *id, int64_t *row, err_t *err);

/* ---- Credentials ----------------------------------------------------------------------------- */

typedef enum {
    STORE_ACCESS_TOKEN = 1,
    STORE_X509_CERTIFICATE,
    STORE_MQTT_BASIC,
    STORE_LWM2M,
} store_credentials_type_t;

typedef struct {
    store_id_t id;
    store_id_t device;
    int64_t device_row;
    int64_t created_ms;
    store_credentials_type_t type;
    const char *credentials_id; /* X509: SHA3 of the leaf (pki_facts_t.credentials_id) */
    const char *value;          /* X509: one-line base64 of the DER; NULL: none        */
    int64_t version;
} store_credentials_t;

typedef void (*store_credentials_fn_t)(void *ctx, const store_credentials_t *credentials);

store_result_t store_credentials_get(store_t *store, const store_id_t *device,
                                     store_credentials_fn_t each, void *ctx, err_t *err);
store_result_t store_credentials_by_id(store_t *store, const char *credentials_id,
                                       store_credentials_fn_t each, void *ctx, err_t *err);
/* Null id: the device's first (STORE_CONFLICT when it has some already); otherwise replaces those
   with this id (STORE_NOT_FOUND). *changed (may be NULL): type, id or value really changed, so that
   the device's session must end. */
store_result_t store_credentials_save(store_t *store, store_credentials_t *credentials,
                                      int64_t now_ms, bool *changed, err_t *err);

/* ---- Attributes ------------------------------------------------------------------------------ */

typedef struct {
    const char *key; /* NUL terminated too */
    size_t key_len;
    tb_scope_t scope;
    tb_value_t value;
    int64_t updated_ms;
} store_attribute_t;

/* false stops. */
typedef bool (*store_attribute_fn_t)(void *ctx, const store_attribute_t *attribute);

/* An equal value changes nothing, its time neither (as ThingsBoard's default rule chain). */
store_result_t store_attribute_put(store_t *store, int64_t device, tb_scope_t scope,
                                   const char *key, size_t key_len, const tb_value_t *value,
                                   int64_t now_ms, err_t *err);
store_result_t store_attribute_get(store_t *store, int64_t device, tb_scope_t scope,
                                   const char *key, size_t key_len, store_attribute_fn_t each,
                                   void *ctx, err_t *err);
/* All of a scope, or of all scopes (scope 0), in the order of their making. */
store_result_t store_attribute_list(store_t *store, int64_t device, tb_scope_t scope,
                                    store_attribute_fn_t each, void *ctx, err_t *err);
/* STORE_NOT_FOUND when there was none. */
store_result_t store_attribute_delete(store_t *store, int64_t device, tb_scope_t scope,
                                      const char *key, size_t key_len, err_t *err);

/* ---- Time series ----------------------------------------------------------------------------- */

/* A point of the same device, key and ts replaces the older one. The latest value moves only to an
   equal or higher ts. */
store_result_t store_point_add(store_t *store, int64_t device, const tb_point_t *point, err_t *err);

typedef bool (*store_point_fn_t)(void *ctx, const tb_point_t *point);

/* Latest value of one key, or of all keys (NULL); STORE_NOT_FOUND when there is none. */
store_result_t store_latest(store_t *store, int64_t device, const char *key, size_t key_len,
                            store_point_fn_t each, void *ctx, err_t *err);

/* Raw points with from <= ts < to, in order; limit 0: all. */
store_result_t store_range(store_t *store, int64_t device, const char *key, size_t key_len,
                           int64_t from, int64_t to, bool descending, uint32_t limit,
                           store_point_fn_t each, void *ctx, err_t *err);

typedef struct {
    int64_t from, to;    /* from <= ts < to                                         */
    bool delete_latest;  /* the latest value, too, if its ts is in the range        */
    bool rewrite_latest; /* and if so, replace it by the newest point that is left  */
} store_erase_t;

/* Deletes points of one key. */
store_result_t store_range_delete(store_t *store, int64_t device, const char *key, size_t key_len,
                                  const store_erase_t *erase, err_t *err);

/* ---- Customers ------------------------------------------------------------------------------- */

typedef struct {
    store_id_t id;
    store_id_t tenant;
    int64_t created_ms;
    char title[STORE_TEXT]; /* unique in the tenant                                          */
    const char *extra;      /* JSON object: country, city, phone ... as given; NULL: none    */
    const char *info;       /* additionalInfo: a JSON object; NULL: none                     */
    int64_t version;
} store_customer_t;

typedef void (*store_customer_fn_t)(void *ctx, const store_customer_t *customer);

store_result_t store_customer_get(store_t *store, const store_id_t *id, store_customer_fn_t each,
                                  void *ctx, err_t *err);
store_result_t store_customer_by_title(store_t *store, const char *title, store_customer_fn_t each,
                                       void *ctx, err_t *err);
store_result_t store_customer_list(store_t *store, const store_page_t *page,
                                   store_customer_fn_t each, void *ctx, uint64_t *total,
                                   err_t *err);
/* Null id: makes one. Otherwise updates; version as for devices. */
store_result_t store_customer_save(store_t *store, store_customer_t *customer, int64_t now_ms,
                                   err_t *err);
/* Unassigns its devices and deletes its users. */
store_result_t store_customer_delete(store_t *store, const store_id_t *id, err_t *err);

/* ---- Persistent RPCs ------------------------------------------------------------------------- */

typedef struct {
    store_id_t id;
    store_id_t tenant;
    store_id_t device;
    int64_t created_ms;
    int64_t expires_ms;
    const char *request;  /* JSON */
    const char *response; /* JSON; NULL: none yet */
    const char *status;   /* QUEUED, SENT, DELIVERED, SUCCESSFUL, TIMEOUT, EXPIRED, FAILED */
    const char *info;     /* additionalInfo: JSON; NULL: none */
} store_rpc_t;

typedef void (*store_rpc_fn_t)(void *ctx, const store_rpc_t *rpc);

store_result_t store_rpc_get(store_t *store, const store_id_t *id, store_rpc_fn_t each, void *ctx,
                             err_t *err);
/* Of a device (NULL: all), with that status (NULL: any), by time of making; of the page, size, page
   and descending count. */
store_result_t store_rpc_list(store_t *store, const store_id_t *device, const char *status,
                              const store_page_t *page, store_rpc_fn_t each, void *ctx,
                              uint64_t *total, err_t *err);
/* A new one: created_ms is filled in; the id is the caller's (store_id_new), tenant not looked at.
 */
store_result_t store_rpc_add(store_t *store, store_rpc_t *rpc, int64_t now_ms, err_t *err);
/* `response` NULL keeps what is there. */
store_result_t store_rpc_update(store_t *store, const store_id_t *id, const char *status,
                                const char *response, err_t *err);
store_result_t store_rpc_delete(store_t *store, const store_id_t *id, err_t *err);
/* Those of a device that wait are EXPIRED from now on; none is no error. */
store_result_t store_rpc_expire_of(store_t *store, const store_id_t *device, err_t *err);
/* All of a device; none is no error. */
store_result_t store_rpc_delete_of(store_t *store, const store_id_t *device, err_t *err);

/* ---- Alarms ---------------------------------------------------------------------------------- */

typedef enum {
    STORE_CRITICAL = 0,
    STORE_MAJOR,
    STORE_MINOR,
    STORE_WARNING,
    STORE_INDETERMINATE
} store_severity_t;

typedef struct {
    store_id_t id;
    store_id_t tenant;
    store_id_t customer; /* the device's when the alarm began; it never follows the device */
    store_id_t device;
    int64_t created_ms;
    const char *device_name;  /* when read */
    const char *device_label; /* when read; "" or NULL: none */
    const char *type;
    store_severity_t severity;
    bool acknowledged, cleared;
    int64_t start_ms, end_ms;        /* 0 when saved: now, start_ms */
    int64_t acked_ms, cleared_at_ms; /* 0: not yet                  */
    const char *details;             /* JSON; NULL: null            */
    const char *extra;               /* JSON object of the caller's; NULL: none */
} store_alarm_t;

typedef void (*store_alarm_fn_t)(void *ctx, const store_alarm_t *alarm);

typedef struct {
    store_page_t page; /* search: part of type, device name or label; sorted by time of making */
    const store_id_t *device;   /* NULL: of all  */
    const store_id_t *customer; /* NULL: of all  */
    int acknowledged, cleared;  /* 1, 0; -1: any */
    unsigned severities;        /* bits 1 << store_severity_t; 0: any */
    const char *types;          /* ",a,b,"; NULL: any */
    int64_t from_ms, to_ms;     /* of making, both inclusive; to_ms 0: without end */
} store_alarm_query_t;

store_result_t store_alarm_get(store_t *store, const store_id_t *id, store_alarm_fn_t each,
                               void *ctx, err_t *err);
store_result_t store_alarm_list(store_t *store, const store_alarm_query_t *query,
                                store_alarm_fn_t each, void *ctx, uint64_t *total, err_t *err);
/* A null id: updates the device's active (not cleared) alarm of that type if there is one, else
   makes one. An id: updates that one. Severity, times, details and extra are taken; acknowledged
   and cleared are not. Fills in the id. STORE_NOT_FOUND: no such alarm or device. */
store_result_t store_alarm_save(store_t *store, store_alarm_t *alarm, int64_t now_ms, err_t *err);
/* STORE_CONFLICT: it is already. */
store_result_t store_alarm_acknowledge(store_t *store, const store_id_t *id, int64_t now_ms,
                                       err_t *err);
store_result_t store_alarm_clear(store_t *store, const store_id_t *id, int64_t now_ms, err_t *err);
store_result_t store_alarm_delete(store_t *store, const store_id_t *id, err_t *err);

/* ---- Users ----------------------------------------------------------------------------------- */

typedef enum { STORE_SYS_ADMIN = 1, STORE_TENANT_ADMIN = 2, STORE_CUSTOMER_USER = 4 } store_role_t;

typedef struct {
    store_id_t id;
    store_id_t tenant;
    store_id_t customer;
    int64_t created_ms;
    store_role_t role;
    const char *email;      /* unique without regard to ASCII case          */
    const char *first_name; /* NULL: none                                   */
    const char *last_name;
    const char *info;          /* additionalInfo: JSON object; NULL: none      */
    const char *password_hash; /* auth's own text; NULL: not activated         */
    bool enabled;
    int64_t tokens_from_ms; /* tokens issued earlier are void               */
    int64_t version;
} store_user_t;

typedef void (*store_user_fn_t)(void *ctx, const store_user_t *user);

store_result_t store_user_get(store_t *store, const store_id_t *id, store_user_fn_t each, void *ctx,
                              err_t *err);
store_result_t store_user_by_email(store_t *store, const char *email, store_user_fn_t each,
                                   void *ctx, err_t *err);
store_result_t store_user_count(store_t *store, uint64_t *count, err_t *err);
/* Users of a customer, or of all (NULL). */
store_result_t store_user_list(store_t *store, const store_id_t *customer, const store_page_t *page,
                               store_user_fn_t each, void *ctx, uint64_t *total, err_t *err);
store_result_t store_user_delete(store_t *store, const store_id_t *id, err_t *err);
/* The activation token of a user without a password, good until `until_ms`; NULL takes it away. */
store_result_t store_user_set_activation(store_t *store, const store_id_t *id, const char *token,
                                         int64_t until_ms, err_t *err);
/* The user whose token it is, if it is still good. */
store_result_t store_user_by_activation(store_t *store, const char *token, int64_t now_ms,
                                        store_user_fn_t each, void *ctx, err_t *err);
/* Copies the token that stands, with its end. STORE_NOT_FOUND: none. */
store_result_t store_user_activation(store_t *store, const store_id_t *id, char token[64],
                                     int64_t *until_ms, err_t *err);
/* Null id: makes one. */
store_result_t store_user_save(store_t *store, store_user_t *user, int64_t now_ms, err_t *err);

#endif

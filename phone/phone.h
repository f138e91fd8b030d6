/* SPDX-License-Identifier: Apache-2.0 */
/*
 * phone: what the mobile app does, as a library. Blocking; everything is bounded by time.
 *
 * The simulated air is a directory: a device that waits for Wi-Fi credentials has a file NAME.json
 * {"name":"ESP-PROV-A1B2","transport":"softap","address":"127.0.0.1:43210","pid":n} in it, as a
 * board has a network or a Bluetooth advertisement. Real boards are reached by address.
 */
#ifndef CRADLE_PHONE_PHONE_H
#define CRADLE_PHONE_PHONE_H

#include "phone/account.h"
#include "protocomm/client.h"

#define PHONE_DEVICES_MAX 1024
#define PHONE_NAME_SIZE   33
#define PHONE_LABEL_MAX   1024 /* bytes of a QR code's text */

/* -- who is there ---------------------------------------------------------------------------- */

typedef struct {
    char name[PHONE_NAME_SIZE];
    char transport[16]; /* "softap" */
    char address[64];   /* "127.0.0.1:43210" */
    long pid;
    bool stale; /* its process is no more: the announcement is left over */
} phone_device_t;

/* All announcements, sorted by name; *devices is heap, the caller frees it. No such directory means
   no devices. A file that makes no sense is counted in *damaged and skipped. */
bool phone_scan(const char *air_dir, phone_device_t **devices, size_t *count, size_t *damaged,
                err_t *err);

/* The one live device of this name, or the only live one when `name` is NULL. ERR_PRECONDITION says
   who is there instead. */
bool phone_find(const char *air_dir, const char *name, phone_device_t *device, err_t *err);

/* -- the label ------------------------------------------------------------------------------- */

/* What a QR code or a typed line says. Absent: "", security -1. */
typedef struct {
    char name[PHONE_NAME_SIZE];
    char pop[PROTOCOMM_POP_MAX + 1];
    char username[PROTOCOMM_POP_MAX + 1];
    int security;
} phone_label_t;

/* Text that begins with '{' is a QR code's JSON as Espressif's apps read it; anything else is the
   proof of possession itself. One line end is dropped. ERR_INPUT for what it cannot be. */
bool phone_label_parse(const char *text, size_t len, phone_label_t *label, err_t *err);

/* -- provisioning ---------------------------------------------------------------------------- */

typedef enum {
    PHONE_OK = 0,
    PHONE_GONE,             /* cannot be reached, or went away in the middle         */
    PHONE_SECRET_NEEDED,    /* the device wants a PoP or password and none was given */
    PHONE_WRONG_SECRET,     /* wrong PoP or password                                 */
    PHONE_WRONG_PASSPHRASE, /* the network refused the passphrase                    */
    PHONE_NO_NETWORK,       /* the device does not find the network                  */
    PHONE_TIMEOUT,          /* neither joined nor failed in time                     */
    PHONE_REFUSED,          /* the device said no, or speaks another security        */
    PHONE_NO_TICKET,        /* the steward gave none, or could not be asked          */
    PHONE_CLAIM_REFUSED,    /* the device does not take the ticket                   */
    PHONE_FAILED,           /* it makes no sense, or the system failed               */
} phone_result_t;

/* "ok", "gone", "secret-needed", "secret", "auth", "not-found", "timeout", "refused", "ticket",
   "claim", "failed". */
const char *phone_result_name(phone_result_t result);

typedef enum {
    PHONE_STEP_CONNECT, /* asks the device what it speaks          */
    PHONE_STEP_SESSION, /* encrypts, proves and checks the secret  */
    PHONE_STEP_SEND,    /* hands over the network's name           */
    PHONE_STEP_JOIN,    /* the device tries the network            */
    PHONE_STEP_CLAIM,   /* after SESSION, with an account only: fetches a ticket, hands it over */
} phone_step_t;

/* What a device of ours says of itself (cradle-info). Texts are printable ASCII. */
typedef struct {
    char sn[PHONE_SN_SIZE]; /* "": it says nothing */
    char model[33];
    char firmware[33];
    char epoch[PHONE_EPOCH_SIZE];
    char steward[262]; /* "host:port", as the device reaches it; "": it has none */
    bool ask;          /* it streams nothing before the steward said so          */
} phone_info_t;

typedef struct {
    const char *address;    /* HOST:PORT */
    const char *ssid;       /* provision only */
    const char *passphrase; /* provision only; "" for an open network */
    int security;           /* 0, 1, 2, or -1: what the device says */
    const char *username;   /* security 2; NULL or "": "wifiprov", as Espressif's apps */
    int join_timeout_ms;    /* 0: 60 seconds */
    /* Who claims the device, if it names a steward; NULL: nobody. Without a ticket nothing is
       applied: the device goes on waiting for Wi-Fi, and all can be tried again. */
    const phone_account_t *account;
    /* Asked only when the device wants a secret; NULL: there is none. False with an error: give up.
       The library wipes the buffer. */
    bool (*secret)(void *ctx, char out[PROTOCOMM_POP_MAX + 1], err_t *err);
    /* A step begins; `detail` is a few words or "". May be NULL. */
    void (*progress)(void *ctx, phone_step_t step, const char *detail);
    void *ctx;
} phone_request_t;

typedef struct {
    int security;
    protocomm_connected_t connected;
    phone_info_t info;
    bool claimed; /* it was handed a ticket; phone_claim_wait tells what becomes of it */
} phone_joined_t;

/* From nothing to joined. After PHONE_WRONG_PASSPHRASE, PHONE_NO_NETWORK and PHONE_WRONG_SECRET it
   can be called again at once. The error says what happened and what to do next. */
phone_result_t phone_provision(const phone_request_t *request, phone_joined_t *joined, err_t *err);

/* The networks that the device sees; changes nothing. */
phone_result_t phone_networks(const phone_request_t *request,
                              protocomm_network_t networks[PROTOCOMM_SCAN_MAX], size_t *count,
                              err_t *err);

#endif

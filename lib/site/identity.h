/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity: /device.json of the identity partition, written by the factory and read by the device:
 *
 *     {"v":1,"model":"cradle-linux","hw":"A1","site":"<32 hex>","cloud":"host:port",
 *      "steward":"host:port","prov":{"security":1,"pop":"..."},
 *      "firmware_key":"<base64url of SPKI DER>","anchor_key":"...","ask":false}
 *
 * steward and pop may be absent. The reader is strict about what it knows and ignores members it
 * does not know: a unit in the field may be older than the line that made its neighbours.
 */
#ifndef CRADLE_SITE_IDENTITY_H
#define CRADLE_SITE_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pki/key.h"
#include "site/site.h"

#define SITE_IDENTITY_JSON_MAX 4096
#define SITE_POP_SIZE          65
/* Paths in the SPIFFS image. */
#define SITE_IDENTITY_KEY    "/device.key"
#define SITE_IDENTITY_CERT   "/device.crt"
#define SITE_IDENTITY_SERVER "/server_chain.pem"
#define SITE_IDENTITY_JSON   "/device.json"
#define SITE_IDENTITY_BUNDLE "/bundle.jws" /* of a site with a steward: site/bundle.h */

typedef struct {
    char model[SITE_MODEL_SIZE];
    char hw[SITE_HW_SIZE];
    char site[SITE_ID_SIZE];
    char cloud[SITE_HOST_SIZE];
    char steward[SITE_HOST_SIZE]; /* "" = absent */
    int security;                 /* 0, 1 or 2   */
    char pop[SITE_POP_SIZE];      /* "" = none   */
    uint8_t firmware_key[PKI_SPKI_MAX];
    size_t firmware_key_len;
    uint8_t anchor_key[PKI_SPKI_MAX];
    size_t anchor_key_len;
    bool ask;
} site_identity_t;

/* What a device without device.json is: model cradle-linux, cloud localhost:8883, security 1. */
void site_identity_default(site_identity_t *identity);

bool site_identity_parse(const char *json, size_t len, site_identity_t *identity, err_t *err);

/* Writes the text with a NUL; *len may be NULL. */
bool site_identity_write(const site_identity_t *identity, char *out, size_t cap, size_t *len,
                         err_t *err);

/* "host:port" or "[v6]:port" with a port from 1 to 65535. */
bool site_host_port_valid(const char *text);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot: what a device finds in its flash when the power comes: which app boots, who it is, and the
 * two stores. Everything in flash is foreign: bounded, checked, refused with what and where.
 *
 * The identity partition needs no more than the mission's three files, /device.key, /device.crt and
 * /server_chain.pem. Without /device.json the settings are those of site_identity_default. A lone
 * leaf in device.crt is completed from server_chain.pem where the signatures match. Not checked:
 * whether the cloud will accept the chain; dates.
 */
#ifndef CRADLE_DEVICE_BOOT_H
#define CRADLE_DEVICE_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "flash/appimage.h"
#include "flash/flash.h"
#include "flash/outbox.h"
#include "flash/settings.h"
#include "pki/cert.h"
#include "pki/key.h"
#include "site/identity.h"

typedef struct {
    flash_t *flash; /* owned: closed by boot_close */
    appimage_t app; /* the image in the slot that boots */
    char sn[PKI_CN_MAX + 1];
    uint8_t mac[6];
    char service[20]; /* ESP-PROV-XXXX: the last two bytes of the MAC */
    bool has_json;
    site_identity_t identity;
    char *bundle; /* /bundle.jws, unverified; NULL: none */
    size_t bundle_len;
    EVP_PKEY *key;
    pki_chain_t chain;   /* leaf first                       */
    pki_chain_t anchors; /* what the server is checked against */
    pki_facts_t leaf;
    settings_t settings;
    outbox_t outbox;
} boot_t;

/* Takes `flash` over, on failure too. `mac` NULL: a locally administered one is derived from the
   leaf (a raw image does not hold what a chip has in its eFuses). */
bool boot_open(boot_t *boot, flash_t *flash, const uint8_t mac[6], err_t *err);
void boot_close(boot_t *boot);

#endif
